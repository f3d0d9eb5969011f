//! What lies between two commits of a repository.

use super::api::enc;
use super::client::Client;
use super::error::GithubError;
use super::model::{Commit, Comparison};
use crate::estate::{RepoSlug, Sha};

/// What lies between two commits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Between {
    /// These files were changed, also under their earlier names.
    Files(Vec<String>),
    /// It cannot be told: not a later commit, or more than GitHub lists.
    Unknown,
}

/// GitHub lists this many files of a comparison at most (docs.github.com, "Compare two commits").
const MAX_COMPARED: usize = 300;

impl Client {
    /// The files that differ between a commit and a later one.
    pub async fn between(
        &self,
        repo: &RepoSlug,
        base: &Sha,
        head: &Sha,
    ) -> Result<Between, GithubError> {
        let path = format!("/repos/{repo}/compare/{base}...{head}");
        let found: Comparison = match self.read(&path).await {
            // The base is not there any more, or has nothing in common with the head.
            Err(GithubError::NotFound { .. }) => return Ok(Between::Unknown),
            other => other?,
        };
        if found.status != "ahead" || found.files.len() >= MAX_COMPARED {
            return Ok(Between::Unknown);
        }
        let files = found.files.into_iter();
        let names = files.flat_map(|f| std::iter::once(f.filename).chain(f.previous_filename));
        Ok(Between::Files(names.collect()))
    }

    /// The newest commits up to `head` that changed a file, newest first, 100 at most
    /// (docs.github.com, "List commits").
    pub async fn history(
        &self,
        repo: &RepoSlug,
        head: &Sha,
        path: &str,
    ) -> Result<Vec<Commit>, GithubError> {
        let query = format!("sha={head}&path={}&per_page=100", enc(path));
        self.read(&format!("/repos/{repo}/commits?{query}")).await
    }
}
