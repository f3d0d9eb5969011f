//! Proposing something to the owner of a repository: what is there, a branch, a pull request, and
//! the variables and workflow runs that go with it. Nothing here forces a branch.

use super::api::{Result, absent, enc, shape};
use super::client::{Client, Repeat};
use super::error::GithubError;
use super::identity::scopes;
use super::model::{PullRequest, ShaOnly, User};
use crate::estate::{RepoSlug, Sha};
use http::Method;
use serde::Deserialize;
use serde_json::{Value, json};

/// A repository, with what decides whether something can be proposed there.
#[derive(Debug, Clone, Deserialize)]
pub struct Ground {
    /// Numeric id.
    pub id: u64,
    /// `owner/name` as it is called now.
    pub full_name: String,
    /// Who owns it.
    pub owner: User,
    /// The default branch.
    pub default_branch: String,
    /// Whether it is read-only.
    #[serde(default)]
    pub archived: bool,
    /// Whether GitHub has switched it off.
    #[serde(default)]
    pub disabled: bool,
    /// What whoever asks may do.
    #[serde(default)]
    pub permissions: Option<Permissions>,
    /// The scopes of a classic token; other credentials have none.
    #[serde(skip)]
    pub scopes: Option<Vec<String>>,
}

/// What whoever asks may do in a repository.
#[derive(Debug, Clone, Copy, Default, Deserialize)]
pub struct Permissions {
    /// Write.
    #[serde(default)]
    pub push: bool,
}

/// A file as it is to be; none is to be gone.
pub type Target<'a> = (&'a str, Option<&'a str>);

/// Something that may be written to a repository, and that can be found out without writing it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// Branches and commits.
    Contents,
    /// Pull requests.
    Pulls,
    /// Variables of Actions.
    Variables,
    /// Starting a workflow.
    Runs,
    /// Environments.
    Environments,
    /// Secrets and variables of environments.
    EnvironmentSettings,
}

impl Right {
    /// What the permission of a fine-grained token is called.
    pub fn name(self) -> &'static str {
        match self {
            Self::Contents => "Contents: write",
            Self::Pulls => "Pull requests: write",
            Self::Variables => "Variables: write",
            Self::Runs => "Actions: write",
            Self::Environments => "Administration: write",
            Self::EnvironmentSettings => "Environments: write",
        }
    }
}

#[derive(Deserialize)]
struct Reference {
    object: ShaOnly,
}

/// A name that nobody has.
const NOBODY: &str = "TENANTRY_ASKS_WHETHER_IT_MAY";

fn sha(call: &str, text: &str) -> Result<Sha> {
    Sha::new(text).map_err(|e| GithubError::Unexpected {
        call: call.to_owned(),
        why: e.to_string(),
    })
}

impl Client {
    /// A repository. A renamed or transferred one is followed; look at its numbers.
    pub async fn ground(&self, repo: &RepoSlug) -> Result<Ground> {
        let path = format!("/repos/{repo}");
        let reply = self.send(Method::GET, &path, None, Repeat::Safe).await?;
        let mut ground: Ground = shape("GET repository", reply.body)?;
        ground.scopes = scopes(&reply.headers);
        Ok(ground)
    }

    /// The head of a branch, if there is such a branch.
    pub async fn branch_head(&self, repo: &RepoSlug, branch: &str) -> Result<Option<Sha>> {
        let path = format!("/repos/{repo}/git/ref/{}", enc(&format!("heads/{branch}")));
        let found: Option<Reference> = absent(self.read(&path).await)?;
        found.map(|r| sha("GET ref", &r.object.sha)).transpose()
    }

    /// A commit on top of `parent` that no branch holds yet.
    pub async fn loose_commit(
        &self,
        repo: &RepoSlug,
        parent: &Sha,
        message: &str,
        files: &[Target<'_>],
    ) -> Result<Sha> {
        let base = self.commit(repo, parent).await?.commit.tree.sha;
        let entries: Vec<Value> = files
            .iter()
            .map(|(path, text)| match text {
                Some(text) => {
                    json!({"path": path, "mode": "100644", "type": "blob", "content": text})
                }
                None => json!({"path": path, "mode": "100644", "type": "blob", "sha": null}),
            })
            .collect();
        // Objects are named by their content, so writing them twice makes no second one that counts.
        let tree: ShaOnly = shape(
            "POST tree",
            self.write(
                Method::POST,
                &format!("/repos/{repo}/git/trees"),
                &json!({"base_tree": base, "tree": entries}),
                Repeat::Safe,
            )
            .await?,
        )?;
        let body = json!({"message": message, "tree": tree.sha, "parents": [parent]});
        let path = format!("/repos/{repo}/git/commits");
        let made = self.write(Method::POST, &path, &body, Repeat::Safe).await?;
        let made: ShaOnly = shape("POST commit", made)?;
        sha("POST commit", &made.sha)
    }

    /// Makes a branch. One that is there already is a [`GithubError::Conflict`].
    pub async fn create_branch(&self, repo: &RepoSlug, branch: &str, at: &Sha) -> Result<()> {
        let body = json!({"ref": format!("refs/heads/{branch}"), "sha": at});
        let path = format!("/repos/{repo}/git/refs");
        self.write(Method::POST, &path, &body, Repeat::Safe)
            .await
            .map(|_| ())
    }

    /// Moves a branch forward. What is no descendant of its head is a [`GithubError::Conflict`].
    pub async fn move_branch(&self, repo: &RepoSlug, branch: &str, to: &Sha) -> Result<()> {
        let path = format!("/repos/{repo}/git/refs/{}", enc(&format!("heads/{branch}")));
        let body = json!({"sha": to, "force": false});
        self.write(Method::PATCH, &path, &body, Repeat::Safe)
            .await
            .map(|_| ())
    }

    /// Pull requests from a branch of the same repository, open and closed, newest first.
    pub async fn pulls_from(&self, repo: &RepoSlug, branch: &str) -> Result<Vec<PullRequest>> {
        let head = enc(&format!("{}:{branch}", repo.owner()));
        let path = format!("/repos/{repo}/pulls?state=all&head={head}");
        self.pages(&path, None).await
    }

    /// Opens a pull request from a branch of the same repository. Not repeated; on doubt the
    /// caller looks for it.
    pub async fn create_pull(
        &self,
        repo: &RepoSlug,
        (branch, base): (&str, &str),
        (title, text): (&str, &str),
    ) -> Result<PullRequest> {
        let body = json!({"title": title, "head": branch, "base": base, "body": text});
        let path = format!("/repos/{repo}/pulls");
        let made = self
            .write(Method::POST, &path, &body, Repeat::Never)
            .await?;
        shape("POST pull request", made)
    }

    /// Closes a pull request.
    pub async fn close_pull(&self, repo: &RepoSlug, number: u64) -> Result<()> {
        let path = format!("/repos/{repo}/pulls/{number}");
        self.write(
            Method::PATCH,
            &path,
            &json!({"state": "closed"}),
            Repeat::Safe,
        )
        .await
        .map(|_| ())
    }

    /// Makes a variable. One that is there already is a [`GithubError::Conflict`].
    pub async fn create_variable(&self, repo: &RepoSlug, name: &str, value: &str) -> Result<()> {
        let body = json!({"name": name, "value": value});
        let path = format!("/repos/{repo}/actions/variables");
        self.write(Method::POST, &path, &body, Repeat::Safe)
            .await
            .map(|_| ())
    }

    /// Removes a variable; one that is not there is removed already.
    pub async fn remove_variable(&self, repo: &RepoSlug, name: &str) -> Result<()> {
        let path = format!("/repos/{repo}/actions/variables/{}", enc(name));
        let sent = self.send(Method::DELETE, &path, None, Repeat::Safe).await;
        absent(sent).map(|_| ())
    }

    /// Removes a secret of an environment; one that is not there is removed already.
    pub async fn remove_environment_secret(
        &self,
        repo: &RepoSlug,
        environment: &str,
        name: &str,
    ) -> Result<()> {
        let folder = format!("/repos/{repo}/environments/{}/secrets", enc(environment));
        let path = format!("{folder}/{}", enc(name));
        let sent = self.send(Method::DELETE, &path, None, Repeat::Safe).await;
        absent(sent).map(|_| ())
    }

    /// Removes an environment; one that is not there is removed already.
    pub async fn remove_environment(&self, repo: &RepoSlug, name: &str) -> Result<()> {
        let path = format!("/repos/{repo}/environments/{}", enc(name));
        let sent = self.send(Method::DELETE, &path, None, Repeat::Safe).await;
        absent(sent).map(|_| ())
    }

    /// Whether a secret of that name is there, as far as whoever asks can see.
    pub async fn sees_secret(&self, repo: &RepoSlug, name: &str) -> Result<bool> {
        let path = format!("/repos/{repo}/actions/secrets/{}", enc(name));
        match self.send(Method::GET, &path, None, Repeat::Safe).await {
            Ok(_) => Ok(true),
            Err(GithubError::NotFound { .. } | GithubError::Forbidden { .. }) => Ok(false),
            Err(e) => Err(e),
        }
    }

    /// Starts a workflow by hand; the run, where GitHub says which (since February 2026).
    pub async fn start_workflow(
        &self,
        repo: &RepoSlug,
        file: &str,
        branch: &str,
        inputs: &Value,
    ) -> Result<Option<u64>> {
        let path = format!("/repos/{repo}/actions/workflows/{}/dispatches", enc(file));
        let mut body = json!({"ref": branch, "inputs": inputs, "return_run_details": true});
        let sent = match self.write(Method::POST, &path, &body, Repeat::Never).await {
            // An Enterprise Server of before does not know the word.
            Err(GithubError::Conflict { message, .. })
                if message.contains("return_run_details") =>
            {
                if let Some(body) = body.as_object_mut() {
                    body.remove("return_run_details");
                }
                self.write(Method::POST, &path, &body, Repeat::Never).await
            }
            other => other,
        };
        Ok(sent?.get("workflow_run_id").and_then(Value::as_u64))
    }

    /// Whether a right is there, by asking for something that GitHub can only refuse: with the
    /// right because it makes no sense, without it because it is missing. Nothing is written.
    pub async fn has(&self, repo: &RepoSlug, right: Right) -> Result<bool> {
        let zero = "0".repeat(40);
        let (method, path, body) = match right {
            Right::Contents => (
                Method::POST,
                "/git/refs".to_owned(),
                json!({"ref": format!("refs/heads/{NOBODY}"), "sha": zero}),
            ),
            Right::Pulls => (
                Method::POST,
                "/pulls".to_owned(),
                json!({"title": NOBODY, "head": NOBODY, "base": NOBODY}),
            ),
            Right::Variables => (
                Method::PATCH,
                format!("/actions/variables/{NOBODY}"),
                json!({"value": "x"}),
            ),
            Right::Environments => (
                Method::PUT,
                format!("/environments/{NOBODY}"),
                // More than GitHub's longest.
                json!({"wait_timer": 50_000}),
            ),
            Right::EnvironmentSettings => (
                Method::PATCH,
                format!("/environments/{NOBODY}/variables/{NOBODY}"),
                json!({"value": "x"}),
            ),
            Right::Runs => (
                Method::POST,
                "/actions/workflows/deploy.yml/dispatches".to_owned(),
                json!({"ref": NOBODY}),
            ),
        };
        let path = format!("/repos/{repo}{path}");
        match self.write(method, &path, &body, Repeat::Safe).await {
            Err(GithubError::Conflict { .. }) => Ok(true),
            // There is no such variable; whoever may not write it is told 403.
            Err(GithubError::NotFound { .. }) => Ok(matches!(
                right,
                Right::Variables | Right::EnvironmentSettings
            )),
            Err(GithubError::Forbidden { .. }) => Ok(false),
            Err(e) => Err(e),
            Ok(_) => Err(GithubError::Unexpected {
                call: format!("the look whether the token has `{}`", right.name()),
                why: "what makes no sense was carried out".to_owned(),
            }),
        }
    }
}
