//! Who owns a repository, and which network of forks it belongs to.

use super::client::Client;
use super::error::GithubError;
use super::model::User;
use crate::estate::RepoSlug;
use serde::Deserialize;

/// What a repository is related to.
#[derive(Debug, Clone, Deserialize)]
pub struct Relations {
    /// Numeric id.
    pub id: u64,
    /// `owner/name` as it is called now.
    pub full_name: String,
    /// Who owns it.
    pub owner: User,
    /// Whether it is a fork.
    pub fork: bool,
    /// The repository at the root of its network; forks only.
    pub source: Option<IdOnly>,
    /// How many forks its network has.
    pub network_count: u64,
}

impl Relations {
    /// The id of the repository at the root of its network; its own where it is no fork.
    pub fn root(&self) -> Option<u64> {
        match (self.fork, &self.source) {
            (false, _) => Some(self.id),
            (true, source) => source.as_ref().map(|s| s.id),
        }
    }
}

/// An object that is only its number.
#[derive(Debug, Clone, Deserialize)]
pub struct IdOnly {
    /// The number.
    pub id: u64,
}

impl Client {
    /// The relations of a repository. A renamed one is followed; look at its id and name.
    pub async fn relations(&self, repo: &RepoSlug) -> Result<Relations, GithubError> {
        self.read(&format!("/repos/{repo}")).await
    }
}
