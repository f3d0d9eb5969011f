//! One issue in the manager repository for each finding about a credential.
//!
//! What is remembered of an issue lies in the store under `credentials/`. A finding that only the
//! encrypted file shows is not over because a run without that file does not see it.

use crate::clock::Clock;
use crate::delivery::error::DeliveryError;
use crate::delivery::issue::{Desk, FRESH, IssueRecord, Page};
use crate::delivery::publish::say;
use crate::digest::Digest;
use crate::estate::{CredentialId, CustomerId, RepoSlug};
use crate::github::{Client, GithubError};
use crate::registry::credential::check::{Found, Rule};
use crate::report::credential::{CredentialIssue, body, marker, title};
use crate::store::Store;
use serde::Serialize;

/// Most issues that one run writes, as for drift.
const MOST: usize = 200;
/// The label of every issue.
const LABEL: &str = "credential";
/// The folder in the store.
const FOLDER: &str = "credentials";

/// What becomes of an issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Act {
    /// It is opened.
    Open,
    /// It is written anew, and opened again if somebody has closed it.
    Update,
    /// It is closed.
    Close,
}

/// One issue to be written, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What becomes of it.
    pub act: Act,
    /// Id of the finding.
    pub rule: &'static str,
    /// Customer and credential.
    pub credential: String,
    /// Its number, where it is known.
    pub number: Option<u64>,
    /// Its title.
    pub title: String,
}

/// One issue to be written.
#[derive(Debug)]
pub struct Written {
    shown: Step,
    key: String,
    body: String,
    says: Digest,
    record: Option<IssueRecord>,
}

fn key(rule: Rule, customer: &CustomerId, credential: &CredentialId) -> String {
    format!("{FOLDER}/{customer}/{credential}/{}.json", rule.id())
}

/// What a key is about.
fn named(key: &str) -> Option<(Rule, CustomerId, CredentialId)> {
    let mut parts = key.strip_prefix(FOLDER)?.strip_prefix('/')?.split('/');
    let customer = CustomerId::new(parts.next()?).ok()?;
    let credential = CredentialId::new(parts.next()?).ok()?;
    let id = parts.next()?.strip_suffix(".json")?;
    let rule = Rule::ALL.into_iter().find(|r| r.id() == id)?;
    parts
        .next()
        .is_none()
        .then_some((rule, customer, credential))
}

/// Decides which issues are to be written. `whole`: the encrypted file was looked at.
pub async fn plan(
    store: &Store,
    repository: &RepoSlug,
    found: &[Found],
    whole: bool,
    clock: Clock,
    run_url: &str,
) -> Result<(Vec<Step>, Vec<Written>), DeliveryError> {
    let mut out = Vec::new();
    let mut keys = Vec::new();
    for f in found {
        let key = key(f.rule, &f.customer, &f.credential);
        let record = record(store, &key, repository).await?;
        let says = Some((f.message.as_str(), f.next.as_str()));
        let step = one(
            &key,
            (f.rule, &f.customer, &f.credential),
            says,
            record,
            run_url,
        );
        let unchanged = step.record.as_ref().is_some_and(|r| {
            r.number.is_some()
                && r.open
                && r.says == step.says
                && clock.now().since(r.written) < FRESH
        });
        if !unchanged {
            out.push(step);
        }
        keys.push(key);
    }
    for key in store.list(FOLDER).await? {
        let Some((rule, customer, credential)) = named(&key) else {
            continue;
        };
        let unseen = !whole && matches!(rule, Rule::Orphaned | Rule::Shared);
        if keys.contains(&key) || unseen {
            continue;
        }
        let record = record(store, &key, repository).await?;
        if record.as_ref().is_some_and(|r| r.open) {
            out.push(one(
                &key,
                (rule, &customer, &credential),
                None,
                record,
                run_url,
            ));
        }
    }
    out.sort_by(|a, b| (a.shown.act, &a.key).cmp(&(b.shown.act, &b.key)));
    out.truncate(MOST);
    Ok((out.iter().map(|w| w.shown.clone()).collect(), out))
}

async fn record(
    store: &Store,
    key: &str,
    repository: &RepoSlug,
) -> Result<Option<IssueRecord>, DeliveryError> {
    let read = store.read::<IssueRecord>(key).await?;
    Ok(read
        .map(|(record, _)| record)
        .filter(|r| r.repository == *repository))
}

fn one(
    key: &str,
    (rule, customer, credential): (Rule, &CustomerId, &CredentialId),
    says: Option<(&str, &str)>,
    record: Option<IssueRecord>,
    run_url: &str,
) -> Written {
    let name = format!("{customer}/{credential}");
    let issue = CredentialIssue {
        rule: rule.id(),
        name: &name,
        says,
    };
    let number = record.as_ref().and_then(|r| r.number);
    let act = match (says, number) {
        (None, _) => Act::Close,
        (Some(_), None) => Act::Open,
        (Some(_), Some(_)) => Act::Update,
    };
    let text = says.map_or_else(String::new, |(message, next)| format!("{message}\n{next}"));
    Written {
        key: key.to_owned(),
        body: body(&issue, run_url),
        says: Digest::of(text.as_bytes()),
        shown: Step {
            act,
            rule: rule.id(),
            credential: name.clone(),
            number,
            title: title(&issue),
        },
        record,
    }
}

/// Writes them; those that could not be, and why.
pub async fn carry_out(
    store: &Store,
    client: &Client,
    repository: &RepoSlug,
    clock: Clock,
    steps: &[Written],
) -> Result<Vec<(String, String)>, DeliveryError> {
    let desk = Desk {
        store,
        client,
        repository,
        clock,
        label: LABEL,
    };
    let mut failed = Vec::new();
    for step in steps {
        let page = Page {
            key: step.key.clone(),
            marker: &|nonce: &str| marker(step.shown.rule, &step.shown.credential, nonce),
            title: &step.shown.title,
            body: &step.body,
            open: step.shown.act != Act::Close,
            says: step.says.clone(),
        };
        match desk.write(&page, step.record.as_ref()).await {
            Ok(_) => {}
            // One that cannot be written must not stop the others; a limit stops them all.
            Err(DeliveryError::Github(error @ GithubError::RateLimited { .. })) => {
                return Err(error.into());
            }
            Err(error) => failed.push((step.shown.credential.clone(), say(&error))),
        }
    }
    Ok(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t19_a_key_says_whose_finding_it_is() {
        let (Ok(customer), Ok(id)) = (CustomerId::new("acme"), CredentialId::new("pull-2")) else {
            panic!("ids")
        };
        for rule in Rule::ALL {
            let key = key(rule, &customer, &id);
            assert_eq!(named(&key), Some((rule, customer.clone(), id.clone())));
        }
        for odd in [
            "credentials/acme/pull/other.json",
            "credentials/acme/../credential-broad.json",
            "credentials/acme/pull/credential-broad.json/x",
            "drift/acme/pull/credential-broad.json",
        ] {
            assert_eq!(named(odd), None, "{odd}");
        }
    }
}
