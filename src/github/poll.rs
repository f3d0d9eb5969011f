//! Heads and open pull requests of many repositories at once, over GraphQL.

use super::address::GRAPHQL;
use super::api::{Result, enc};
use super::app::owner;
use super::client::{Ask, Client, Repeat, Speaker};
use super::error::GithubError;
use super::model::PullRequest;
use crate::estate::RepoSlug;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What becomes of one customer repository in a poll.
#[derive(Debug, Clone)]
pub struct Polled {
    /// Numeric id.
    pub id: u64,
    /// Name of the default branch and its head.
    pub head: Option<(String, String)>,
    /// Open pull requests of the same repository into the default branch: number and head.
    pub pulls: Vec<(u64, String)>,
}

/// For more owners than this, one list of all installations is cheaper than a look for each.
const FEW: usize = 3;
/// Repositories of one query. It costs one or two of the 5,000 points of an hour.
const BATCH: usize = 100;

impl Client {
    /// Heads and open pull requests of many repositories, about one call per 100 of them, of each
    /// owner where an App speaks. A repository that cannot be seen comes back as `None`.
    pub async fn poll(&self, repos: &[RepoSlug]) -> Result<Vec<Option<Polled>>> {
        let mut out = vec![None; repos.len()];
        for group in self.grouped(repos).await? {
            self.poll_group(repos, &group, &mut out).await?;
        }
        Ok(out)
    }

    /// The same, after a look at where the App is installed, if there are many owners.
    pub(super) async fn grouped(&self, repos: &[RepoSlug]) -> Result<Vec<Vec<usize>>> {
        let groups = self.voices(repos);
        if groups.len() > FEW && self.app().is_some() {
            self.find_installations().await?;
        }
        Ok(groups)
    }

    /// How many queries a poll needs.
    pub fn poll_calls(&self, repos: &[RepoSlug]) -> usize {
        let groups = self.voices(repos);
        groups.iter().map(|g| g.len().div_ceil(BATCH)).sum()
    }

    /// The places of those repositories that can be asked about in one name.
    pub(super) fn voices(&self, repos: &[RepoSlug]) -> Vec<Vec<usize>> {
        if self.app().is_none() {
            return vec![(0..repos.len()).collect()];
        }
        let mut owners: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for (at, repo) in repos.iter().enumerate() {
            owners.entry(owner(repo)).or_default().push(at);
        }
        owners.into_values().collect()
    }

    async fn poll_group(
        &self,
        repos: &[RepoSlug],
        group: &[usize],
        out: &mut [Option<Polled>],
    ) -> Result<()> {
        let Some(speaker) = self.speaker(repos, group).await? else {
            return Ok(());
        };
        for places in group.chunks(BATCH) {
            let parts: Vec<String> = places
                .iter()
                .map(|i| {
                    let (owner, name) = (repos[*i].owner(), repos[*i].name());
                    // Both are checked (letters, digits, `-_.`), so they need no escapes.
                    format!("r{i}: repository(owner:\"{owner}\",name:\"{name}\"){{ databaseId defaultBranchRef{{ name target{{ oid }} }} pullRequests(states:OPEN, first:50){{ pageInfo{{ hasNextPage }} nodes{{ number headRefOid baseRefName isCrossRepository }} }} }}")
                })
                .collect();
            let query = json!({"query": format!("query {{ {} }}", parts.join(" "))});
            let data = self.graphql(&query, speaker).await?;
            for i in places {
                let value = &data[format!("r{i}")];
                let mut found = polled(value);
                let more = value.pointer("/pullRequests/pageInfo/hasNextPage");
                if let (Some(polled), Some(Value::Bool(true))) = (&mut found, more) {
                    self.all_pulls(&repos[*i], polled).await?;
                }
                out[*i] = found;
            }
        }
        Ok(())
    }

    /// What a query of GraphQL finds: its data. What it could not find is `null` in there.
    pub(super) async fn graphql(&self, query: &Value, speaker: Speaker<'_>) -> Result<Value> {
        let ask = Ask {
            method: Method::POST,
            path: GRAPHQL,
            body: Some(query),
            repeat: Repeat::Safe,
            speaker,
        };
        let mut answer = self.ask(ask).await?.body;
        match answer.get_mut("data").map(Value::take) {
            Some(data @ Value::Object(_)) => Ok(data),
            _ => Err(GithubError::Unexpected {
                call: format!("POST {GRAPHQL}"),
                why: answer
                    .pointer("/errors/0/message")
                    .and_then(Value::as_str)
                    .map_or("no data".to_owned(), crate::estate::ids::shown),
            }),
        }
    }

    /// Who can ask about a group; nobody where no App is installed any more. One owner who has
    /// taken the App away, or not agreed to its permissions, must not stop the others.
    pub(super) async fn speaker<'a>(
        &self,
        repos: &'a [RepoSlug],
        group: &[usize],
    ) -> Result<Option<Speaker<'a>>> {
        let Some(app) = self.app() else {
            return Ok(Some(Speaker::Path));
        };
        for i in group {
            match self.owners_token(app, &repos[*i]).await {
                Ok(_) => return Ok(Some(Speaker::About(&repos[*i]))),
                // Not installed here, or not for this repository: perhaps for the next one.
                Err(GithubError::NotFound { .. }) => {}
                Err(error @ (GithubError::Forbidden { .. } | GithubError::Conflict { .. })) => {
                    tracing::warn!(owner = repos[*i].owner(), %error, "the App cannot speak there");
                    return Ok(None);
                }
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }

    /// A repository with more open pull requests than one query tells.
    async fn all_pulls(&self, repo: &RepoSlug, polled: &mut Polled) -> Result<()> {
        let Some((branch, _)) = &polled.head else {
            return Ok(());
        };
        let path = format!("/repos/{repo}/pulls?state=open&base={}", enc(branch));
        let all: Vec<PullRequest> = self.pages(&path, None).await?;
        polled.pulls = all
            .into_iter()
            .filter(|p| p.head.repo.as_ref().map(|r| r.id) == Some(polled.id))
            .map(|p| (p.number, p.head.sha))
            .collect();
        Ok(())
    }
}

fn polled(value: &Value) -> Option<Polled> {
    let id = value.get("databaseId")?.as_u64()?;
    let branch = value
        .pointer("/defaultBranchRef/name")
        .and_then(Value::as_str);
    let oid = value
        .pointer("/defaultBranchRef/target/oid")
        .and_then(Value::as_str);
    let pulls = value
        .pointer("/pullRequests/nodes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter(|p| {
            p.get("isCrossRepository") == Some(&Value::Bool(false))
                && p.get("baseRefName").and_then(Value::as_str) == branch
        })
        .filter_map(|p| {
            Some((
                p.get("number")?.as_u64()?,
                p.get("headRefOid")?.as_str()?.to_owned(),
            ))
        })
        .collect();
    Some(Polled {
        id,
        head: branch.zip(oid).map(|(b, o)| (b.to_owned(), o.to_owned())),
        pulls,
    })
}
