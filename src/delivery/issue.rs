//! Issues that tenantry alone opens, keeps up to date and closes.
//!
//! An issue is ours because its number is in the store. Where the answer to "open it" was lost, it
//! is found by a word that was in the store before it was in the issue, and by its author; an
//! issue of somebody else that copies our first line is never touched (T18).

use super::error::{DeliveryError, Refusal};
use crate::clock::{Clock, Time};
use crate::digest::Digest;
use crate::estate::RepoSlug;
use crate::github::issues::IssueText;
use crate::github::model::Issue;
use crate::github::{Client, GithubError};
use crate::store::{Put, Store, seal};
use serde::{Deserialize, Serialize};

/// What is remembered of an issue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssueRecord {
    /// Where it is.
    pub repository: RepoSlug,
    /// Its number; `None` when it is about to be opened, or may have been.
    pub number: Option<u64>,
    /// Stands in its first line. Nobody else knows it before the issue is there.
    pub nonce: String,
    /// When it was about to be opened.
    pub begun: Time,
    /// Whether it should be open.
    pub open: bool,
    /// Digest of what it says, but for ages.
    pub says: Digest,
    /// When it was last written.
    pub written: Time,
}

/// An issue that says the same is written again after this time, for its ages.
pub const FRESH: u64 = 24 * 3600;

/// Where issues are written, and where it is remembered.
#[derive(Debug)]
pub struct Desk<'a> {
    /// The store.
    pub store: &'a Store,
    /// In whose name.
    pub client: &'a Client,
    /// Where.
    pub repository: &'a RepoSlug,
    /// The time.
    pub clock: Clock,
    /// The label of every issue.
    pub label: &'static str,
}

/// What an issue is to be.
pub struct Page<'a> {
    /// Its key in the store.
    pub key: String,
    /// Its first line, which holds the word from the store.
    pub marker: &'a (dyn Fn(&str) -> String + Sync),
    /// Its title.
    pub title: &'a str,
    /// What follows the first line.
    pub body: &'a str,
    /// Whether it is open.
    pub open: bool,
    /// Digest of what it says, but for ages.
    pub says: Digest,
}

impl Desk<'_> {
    /// Writes one issue, of which `record` was read; its number, if there is one in the end.
    pub async fn write(
        &self,
        page: &Page<'_>,
        record: Option<&IssueRecord>,
    ) -> Result<Option<u64>, DeliveryError> {
        let mut now = match record {
            Some(record) => record.clone(),
            None => match self.begin(page).await? {
                Some(record) => record,
                // Another run has just begun to open it.
                None => return Ok(None),
            },
        };
        let mark = (page.marker)(&now.nonce);
        let text = format!("{mark}{}", page.body);
        let text = IssueText {
            title: page.title,
            body: &text,
        };
        let known = match now.number {
            Some(number) => Some(number),
            // It may have been opened although the answer was lost.
            None if record.is_some() => self.find(&mark, &now).await?,
            None => None,
        };
        let updated = match known {
            Some(number) => {
                let update = self
                    .client
                    .update_issue(self.repository, number, &text, page.open);
                match update.await {
                    Ok(issue) => Some(issue),
                    // Somebody deleted it.
                    Err(e) if e.is_not_found() => None,
                    Err(e) => return Err(e.into()),
                }
            }
            None => None,
        };
        let written = match updated {
            Some(issue) => Some(issue),
            None if !page.open => None,
            None => Some(self.create(&mark, &now, &text).await?),
        };
        if let Some(issue) = &written {
            self.kept(issue, &text).await?;
        }
        now.number = written.map(|i| i.number);
        now.open = page.open;
        now.says = page.says.clone();
        now.written = self.clock.now();
        self.store.write_json(&page.key, &now).await?;
        Ok(now.number)
    }

    /// Notes that an issue is about to be opened. `None` when somebody else was faster.
    async fn begin(&self, page: &Page<'_>) -> Result<Option<IssueRecord>, DeliveryError> {
        let now = self.clock.now();
        let record = IssueRecord {
            repository: self.repository.clone(),
            number: None,
            nonce: seal::random_hex(),
            begun: now,
            open: true,
            says: page.says.clone(),
            written: now,
        };
        // A record of another repository is replaced; the issue there stays as it is.
        let put = match self.store.read::<IssueRecord>(&page.key).await? {
            None => self.store.create_json(&page.key, &record).await?,
            Some((old, _)) if old.repository == record.repository => Put::Conflict,
            Some((_, version)) => {
                let bytes = serde_json::to_vec_pretty(&record).map_err(|source| {
                    crate::store::StoreError::Corrupt {
                        key: page.key.clone(),
                        source,
                    }
                })?;
                self.store.replace(&page.key, bytes, &version).await?
            }
        };
        Ok((put == Put::Done).then_some(record))
    }

    async fn create(
        &self,
        mark: &str,
        record: &IssueRecord,
        text: &IssueText<'_>,
    ) -> Result<Issue, DeliveryError> {
        let (client, repo) = (self.client, self.repository);
        match client.create_issue(repo, text, &[self.label]).await {
            // It may have been opened although the answer was lost: look before repeating.
            Err(e) if e.is_uncertain() => match self.find(mark, record).await? {
                Some(number) => Ok(client.issue(repo, number).await?),
                None => Ok(client.create_issue(repo, text, &[self.label]).await?),
            },
            other => Ok(other?),
        }
    }

    /// The issue that begins with our line, word and all, and was opened by whom our token speaks
    /// for; a token without a user is an App's, whose author is a bot. The first one, because a
    /// copy can only come later.
    async fn find(&self, mark: &str, record: &IssueRecord) -> Result<Option<u64>, DeliveryError> {
        let me = match self.client.myself().await {
            Ok(user) => Some(user.id),
            Err(GithubError::Forbidden { .. } | GithubError::NotFound { .. }) => None,
            Err(e) => return Err(e.into()),
        };
        // Clocks differ a little.
        let since = Time(record.begun.0.saturating_sub(600)).to_string();
        let since = since.replacen(' ', "T", 1).replace(" UTC", "Z");
        let all = self.client.issues_since(self.repository, &since).await?;
        let ours = |issue: &&Issue| {
            issue.pull_request.is_none()
                && issue
                    .body
                    .as_deref()
                    .is_some_and(|b| normal(b).starts_with(mark.trim_end()))
                && issue.user.as_ref().is_some_and(|author| match me {
                    Some(id) => author.id == id,
                    None => author.kind == "Bot",
                })
        };
        Ok(all.iter().filter(ours).map(|i| i.number).min())
    }

    /// Confirms that GitHub kept the text: it may answer 200 and keep an old one.
    async fn kept(&self, issue: &Issue, sent: &IssueText<'_>) -> Result<(), DeliveryError> {
        let same = |issue: &Issue| {
            let body = issue.body.as_deref().map(normal);
            body.is_some_and(|b| b.trim_end() == sent.body.trim_end())
        };
        if same(issue) || same(&self.client.issue(self.repository, issue.number).await?) {
            return Ok(());
        }
        Err(Refusal::new(
            "issue-not-kept",
            format!(
                "GitHub kept another text in issue {}; it may have been too long",
                issue.number
            ),
        )
        .into())
    }
}

fn normal(text: &str) -> String {
    text.replace("\r\n", "\n")
}
