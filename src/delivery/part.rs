//! Who had a part in what a request brings. A change that nobody has applied yet comes along with
//! every later one, so its people count as much as those of the newest commit.

use super::error::DeliveryError;
use super::manager::Manager;
use super::records::LastApplied;
use super::source::Verified;
use crate::estate::model::Customer;
use crate::estate::{RepoSlug, Sha, StackId};
use crate::github::GithubError;
use crate::github::api::Authors;
use crate::github::model::{Commit, User};
use std::collections::{BTreeMap, BTreeSet};

/// Most earlier commits whose pull requests are asked for.
const PULLS: usize = 30;

/// The people behind a change.
#[derive(Debug, Clone, Default)]
pub struct People {
    /// Authors, committers, openers and those who merged.
    pub users: Vec<User>,
    /// Whether somebody has no GitHub account.
    pub unknown: bool,
    asked: BTreeSet<u64>,
}

impl People {
    /// Adds the author and the committer of a commit.
    pub fn commit(&mut self, commit: Commit) {
        self.unknown |= commit.author.is_none() || commit.committer.is_none();
        self.users.extend(commit.author);
        self.users.extend(commit.committer);
    }

    /// Adds those of a range of commits.
    pub fn range(&mut self, range: Authors) {
        self.unknown |= range.unknown;
        self.users.extend(range.people);
    }

    /// Adds everybody of the pull requests that brought a commit.
    pub async fn merged(
        &mut self,
        manager: &Manager,
        slug: &RepoSlug,
        sha: &Sha,
    ) -> Result<(), DeliveryError> {
        let source = &manager.source;
        for listed in source.pulls_of_commit(slug, sha).await? {
            if !self.asked.insert(listed.number) {
                continue;
            }
            // The list does not say who merged.
            let pull = source.pull(slug, listed.number).await?;
            self.users.extend(pull.user);
            self.users.extend(pull.merged_by);
            self.range(source.authors(slug, &pull.base.sha, sha.as_str()).await?);
        }
        Ok(())
    }

    /// Everybody once.
    pub fn tidy(mut self) -> Self {
        self.users.sort_by_key(|u| u.id);
        self.users.dedup_by_key(|u| u.id);
        self
    }
}

/// A stack that a request brings to where it is wanted, and where it is now.
#[derive(Debug, Clone)]
pub struct Due {
    /// The stack.
    pub stack: StackId,
    /// What was last applied.
    pub last: Option<LastApplied>,
}

/// Who changed the customer's files since they were last applied, for the stacks that somebody has
/// to approve. Where nothing was applied yet, or history was rewritten, that is everybody who ever
/// did. No more than the newest 100 changes of a file are looked at: to refuse beyond them would be
/// for good.
pub async fn earlier(
    manager: &Manager,
    customer: &Customer,
    verified: &Verified,
    due: &[Due],
) -> Result<People, DeliveryError> {
    let mut wanted: BTreeMap<&str, BTreeSet<Option<&Sha>>> = BTreeMap::new();
    let settings = &manager.estate.settings;
    for due in due
        .iter()
        .filter(|d| settings.gate(&d.stack.environment).approval)
    {
        let subscription = customer.subscriptions.iter();
        let path = subscription.filter(|s| s.product == due.stack.product);
        let last = due.last.as_ref().filter(|l| l.ever()).map(|l| &l.sha);
        for path in path {
            wanted.entry(&path.variables).or_default().insert(last);
        }
    }
    let mut people = People::default();
    let (slug, head) = (&verified.repository, &verified.name.sha);
    for (path, bases) in wanted {
        let history = manager.source.history(slug, head, path).await?;
        let mut reach = 0;
        for base in bases {
            let at = match base {
                Some(base) => newest(manager, slug, base, path).await?,
                None => None,
            };
            let at = at.and_then(|sha| history.iter().position(|c| c.sha == sha));
            reach = reach.max(at.unwrap_or(history.len()));
        }
        for (i, commit) in history.into_iter().take(reach).enumerate() {
            // That one was looked at.
            if commit.sha == head.as_str() {
                continue;
            }
            let sha = Sha::new(&commit.sha);
            people.commit(commit);
            let Ok(sha) = sha else {
                people.unknown = true;
                continue;
            };
            if i < PULLS {
                people.merged(manager, slug, &sha).await?;
            }
        }
    }
    Ok(people.tidy())
}

/// The newest commit that changed a file, as of a commit. None where that is gone.
async fn newest(
    manager: &Manager,
    slug: &RepoSlug,
    at: &Sha,
    path: &str,
) -> Result<Option<String>, DeliveryError> {
    match manager.source.history(slug, at, path).await {
        Ok(history) => Ok(history.into_iter().next().map(|c| c.sha)),
        Err(GithubError::NotFound { .. } | GithubError::Conflict { .. }) => Ok(None),
        Err(other) => Err(other.into()),
    }
}
