//! The calls that tenantry makes, typed. Reading and writing are told apart by name only here;
//! [`crate::delivery`] hands out the writing half where something may be written.

use super::client::{Client, Repeat};
use super::error::GithubError;
use super::model::*;
use crate::estate::{RepoSlug, Sha};
use base64::Engine as _;
use http::Method;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

pub(super) type Result<T> = std::result::Result<T, GithubError>;

/// A path segment or query value, percent-encoded.
pub(super) fn enc(text: &str) -> String {
    url::form_urlencoded::byte_serialize(text.as_bytes())
        .collect::<String>()
        .replace('+', "%20")
}

pub(super) fn shape<T: DeserializeOwned>(call: &str, value: Value) -> Result<T> {
    serde_json::from_value(value).map_err(|e| GithubError::Unexpected {
        call: call.to_owned(),
        why: e.to_string(),
    })
}

/// What is not there is none, anything else stays what it is.
pub(super) fn absent<T>(found: Result<T>) -> Result<Option<T>> {
    match found {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

/// The people behind some commits.
#[derive(Debug, Clone, Default)]
pub struct Authors {
    /// Authors and committers.
    pub people: Vec<User>,
    /// Whether there are some that GitHub cannot name.
    pub unknown: bool,
}

impl Client {
    pub(super) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        let reply = self.send(Method::GET, path, None, Repeat::Safe).await?;
        shape(&format!("GET {path}"), reply.body)
    }

    pub(super) async fn write(
        &self,
        method: Method,
        path: &str,
        body: &Value,
        repeat: Repeat,
    ) -> Result<Value> {
        Ok(self.send(method, path, Some(body), repeat).await?.body)
    }

    /// Any JSON document under the client's root, such as an issuer's keys.
    pub async fn get_json(&self, path: &str) -> Result<Value> {
        Ok(self.send(Method::GET, path, None, Repeat::Safe).await?.body)
    }
    /// A repository. A renamed one is followed; look at its id.
    pub async fn repository(&self, repo: &RepoSlug) -> Result<Repository> {
        self.read(&format!("/repos/{repo}")).await
    }
    /// The head of a branch.
    pub async fn branch(&self, repo: &RepoSlug, branch: &str) -> Result<Branch> {
        self.read(&format!("/repos/{repo}/branches/{}", enc(branch)))
            .await
    }
    /// A commit.
    pub async fn commit(&self, repo: &RepoSlug, sha: &Sha) -> Result<Commit> {
        self.read(&format!("/repos/{repo}/commits/{sha}")).await
    }
    /// The commit that a tag points at.
    pub async fn tag_commit(&self, repo: &RepoSlug, tag: &str) -> Result<Sha> {
        let commit: ShaOnly = self
            .read(&format!("/repos/{repo}/commits/{}", enc(tag)))
            .await?;
        Sha::new(&commit.sha).map_err(|e| GithubError::Unexpected {
            call: format!("GET commit {tag}"),
            why: e.to_string(),
        })
    }
    /// A tree, one level.
    pub async fn tree(&self, repo: &RepoSlug, sha: &str) -> Result<Tree> {
        self.read(&format!("/repos/{repo}/git/trees/{}", enc(sha)))
            .await
    }
    /// The bytes of a blob.
    pub async fn blob(&self, repo: &RepoSlug, sha: &str) -> Result<Vec<u8>> {
        let path = format!("/repos/{repo}/git/blobs/{}", enc(sha));
        let blob: Blob = self.read(&path).await?;
        let text: String = blob.content.split_whitespace().collect();
        base64::engine::general_purpose::STANDARD
            .decode(text)
            .ok()
            .filter(|_| blob.encoding == "base64")
            .ok_or_else(|| GithubError::Unexpected {
                call: format!("GET {path}"),
                why: "the blob is not base64".to_owned(),
            })
    }
    /// A pull request.
    pub async fn pull(&self, repo: &RepoSlug, number: u64) -> Result<PullRequest> {
        self.read(&format!("/repos/{repo}/pulls/{number}")).await
    }
    /// The pull requests that a commit belongs to.
    pub async fn pulls_of_commit(&self, repo: &RepoSlug, sha: &Sha) -> Result<Vec<PullRequest>> {
        self.pages(&format!("/repos/{repo}/commits/{sha}/pulls"), None)
            .await
    }
    /// Who wrote the commits between two commits. GitHub shows 250 of them; more, or a commit
    /// without an account, makes `unknown` true.
    pub async fn authors(&self, repo: &RepoSlug, base: &str, head: &str) -> Result<Authors> {
        let range = format!("{}...{}", enc(base), enc(head));
        let found: Comparison = self.read(&format!("/repos/{repo}/compare/{range}")).await?;
        let mut unknown = found.total_commits > found.commits.len() as u64;
        let mut people = Vec::new();
        for commit in found.commits {
            unknown |= commit.author.is_none() || commit.committer.is_none();
            people.extend(commit.author);
            people.extend(commit.committer);
        }
        Ok(Authors { people, unknown })
    }
    /// The statuses of a commit, newest first.
    pub async fn statuses(&self, repo: &RepoSlug, sha: &Sha) -> Result<Vec<Status>> {
        self.pages(&format!("/repos/{repo}/commits/{sha}/statuses"), None)
            .await
    }
    /// Sets a status. The newest status of a context counts, so a repetition does no harm.
    pub async fn set_status(&self, repo: &RepoSlug, sha: &Sha, status: &Status) -> Result<()> {
        let mut body = json!({"state": status.state, "context": status.context});
        if let Some(text) = &status.description {
            body["description"] = json!(text);
        }
        if let Some(url) = &status.target_url {
            body["target_url"] = json!(url);
        }
        self.write(
            Method::POST,
            &format!("/repos/{repo}/statuses/{sha}"),
            &body,
            Repeat::Safe,
        )
        .await
        .map(|_| ())
    }
    /// Who the token belongs to, or the account of the App. A workflow's own token has no user.
    pub async fn myself(&self) -> Result<User> {
        match self.app() {
            Some(_) => self.app_user().await,
            None => self.read("/user").await,
        }
    }
    /// Sends a hint. A second one with the same request id is recognised, so it may be repeated.
    pub async fn dispatch(&self, repo: &RepoSlug, kind: &str, payload: &Value) -> Result<()> {
        let body = json!({"event_type": kind, "client_payload": payload});
        self.write(
            Method::POST,
            &format!("/repos/{repo}/dispatches"),
            &body,
            Repeat::Safe,
        )
        .await
        .map(|_| ())
    }
    /// A workflow run.
    pub async fn run(&self, repo: &RepoSlug, id: u64) -> Result<Run> {
        self.read(&format!("/repos/{repo}/actions/runs/{id}")).await
    }
    /// The jobs of an attempt of a run that there are by now.
    pub async fn jobs(&self, repo: &RepoSlug, run: u64, attempt: u64) -> Result<Vec<Job>> {
        let path = format!("/repos/{repo}/actions/runs/{run}/attempts/{attempt}/jobs");
        self.pages(&path, Some("jobs")).await
    }
    /// Who approved what in a run.
    pub async fn approvals(&self, repo: &RepoSlug, run: u64) -> Result<Vec<Approval>> {
        self.read(&format!("/repos/{repo}/actions/runs/{run}/approvals"))
            .await
    }
    /// An environment and its protection.
    pub async fn environment(&self, repo: &RepoSlug, name: &str) -> Result<Environment> {
        self.read(&format!("/repos/{repo}/environments/{}", enc(name)))
            .await
    }
    /// All rulesets that hold in a repository, whole.
    pub async fn rulesets(&self, repo: &RepoSlug) -> Result<Vec<Ruleset>> {
        let ids: Vec<RulesetId> = self
            .pages(
                &format!("/repos/{repo}/rulesets?includes_parents=true"),
                None,
            )
            .await?;
        let mut out = Vec::new();
        for id in ids {
            out.push(
                self.read(&format!(
                    "/repos/{repo}/rulesets/{}?includes_parents=true",
                    id.id
                ))
                .await?,
            );
        }
        Ok(out)
    }

    /// The head of a branch as a git reference, the tree it points at.
    pub async fn head(&self, repo: &RepoSlug, branch: &str) -> Result<Sha> {
        let head = self.branch(repo, branch).await?.commit.sha;
        Sha::new(&head).map_err(|e| GithubError::Unexpected {
            call: format!("GET branch {branch}"),
            why: e.to_string(),
        })
    }

    /// The blob id and bytes of one regular file at a commit, walked tree by tree: the contents
    /// API would follow symbolic links.
    pub async fn file_at(&self, repo: &RepoSlug, commit: &Sha, path: &str) -> Result<FileAt> {
        let mut tree = self.commit(repo, commit).await?.commit.tree.sha;
        let mut steps = path.split('/').peekable();
        while let Some(step) = steps.next() {
            let listed = self.tree(repo, &tree).await?;
            let Some(entry) = listed.tree.into_iter().find(|e| e.path == step) else {
                if listed.truncated {
                    return Err(GithubError::Unexpected {
                        call: format!("GET tree of {path}"),
                        why: "the folder is too large to list".to_owned(),
                    });
                }
                return Ok(FileAt::Absent);
            };
            match (entry.kind.as_str(), entry.mode.as_str(), steps.peek()) {
                ("tree", _, Some(_)) => tree = entry.sha,
                ("blob", "100644", None) => {
                    if entry.size.is_some_and(|s| s > MAX_FILE) {
                        return Ok(FileAt::TooLarge(entry.size.unwrap_or(0)));
                    }
                    let bytes = self.blob(repo, &entry.sha).await?;
                    return Ok(FileAt::Regular {
                        blob: entry.sha,
                        bytes,
                    });
                }
                (_, mode, _) => return Ok(FileAt::NotRegular(mode.to_owned())),
            }
        }
        Ok(FileAt::Absent)
    }

    /// Commits `files` on top of `parent` and moves `branch` there. A moved branch is a
    /// [`GithubError::Conflict`], and nothing has changed then.
    pub async fn commit_files(
        &self,
        repo: &RepoSlug,
        branch: &str,
        parent: &Sha,
        message: &str,
        files: &[(String, String)],
    ) -> Result<Sha> {
        let targets: Vec<_> = files
            .iter()
            .map(|(path, text)| (path.as_str(), Some(text.as_str())))
            .collect();
        let commit = self.loose_commit(repo, parent, message, &targets).await?;
        self.move_branch(repo, branch, &commit).await?;
        Ok(commit)
    }
}

/// Largest file that is fetched, in bytes.
const MAX_FILE: u64 = crate::estate::yaml::MAX_BYTES as u64;

/// A file at a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileAt {
    /// A regular file, mode 100644.
    Regular {
        /// Its blob id.
        blob: String,
        /// Its bytes.
        bytes: Vec<u8>,
    },
    /// Not there.
    Absent,
    /// Larger than tenantry reads.
    TooLarge(u64),
    /// A symbolic link, an executable, a submodule or a folder.
    NotRegular(String),
}
