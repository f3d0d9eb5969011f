//! The environments of a repository, and which branches may use them.

use super::api::{Result, enc};
use super::client::Client;
use super::setup::EnvironmentSettings;
use crate::estate::RepoSlug;
use serde::Deserialize;

/// Which branches, or which tags (`type`), may use an environment.
#[derive(Deserialize)]
struct RefPolicy {
    name: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl Client {
    /// All environments.
    pub async fn environments(&self, repo: &RepoSlug) -> Result<Vec<EnvironmentSettings>> {
        self.pages(&format!("/repos/{repo}/environments"), Some("environments"))
            .await
    }
    /// The branches that an environment's list names; a tag is `tag NAME`, which no branch can be
    /// called.
    pub async fn environment_branches(&self, repo: &RepoSlug, name: &str) -> Result<Vec<String>> {
        let path = format!(
            "/repos/{repo}/environments/{}/deployment-branch-policies",
            enc(name)
        );
        let list: Vec<RefPolicy> = self.pages(&path, Some("branch_policies")).await?;
        let named = |policy: RefPolicy| match policy.kind.as_deref() {
            Some("tag") => format!("tag {}", policy.name),
            _ => policy.name,
        };
        Ok(list.into_iter().map(named).collect())
    }
}
