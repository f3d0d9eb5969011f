//! The parts of GitHub's answers that tenantry reads. Unknown fields are ignored, missing ones
//! are errors. Source: github.com/github/rest-api-description.

use serde::Deserialize;

/// A user; `id` decides, `login` is for people.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, serde::Serialize)]
pub struct User {
    /// Login.
    pub login: String,
    /// Numeric id.
    pub id: u64,
}

/// A repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Repository {
    /// Numeric id.
    pub id: u64,
    /// `owner/name` as it is called now.
    pub full_name: String,
    /// The default branch.
    pub default_branch: String,
    /// The URL that git clones.
    pub clone_url: String,
}

/// A branch or a commit reference.
#[derive(Debug, Clone, Deserialize)]
pub struct Commit {
    /// Commit id.
    pub sha: String,
    /// The GitHub account of the author, when the address belongs to one.
    pub author: Option<User>,
    /// The GitHub account of the committer.
    pub committer: Option<User>,
    /// The git part.
    pub commit: GitCommit,
    /// Parents.
    #[serde(default)]
    pub parents: Vec<ShaOnly>,
}

/// The git part of a commit.
#[derive(Debug, Clone, Deserialize)]
pub struct GitCommit {
    /// Its tree.
    pub tree: ShaOnly,
}

/// An object that is only its id.
#[derive(Debug, Clone, Deserialize)]
pub struct ShaOnly {
    /// The id.
    pub sha: String,
}

/// What lies between two commits.
#[derive(Debug, Clone, Deserialize)]
pub struct Comparison {
    /// How many there are.
    pub total_commits: u64,
    /// The first 250 of them.
    pub commits: Vec<Commit>,
    /// `ahead`, `behind`, `diverged` or `identical`.
    #[serde(default)]
    pub status: String,
    /// The first 300 files that differ.
    #[serde(default)]
    pub files: Vec<ComparedFile>,
}

/// A file that differs between two commits.
#[derive(Debug, Clone, Deserialize)]
pub struct ComparedFile {
    /// Its path.
    pub filename: String,
    /// Its path before it was renamed.
    #[serde(default)]
    pub previous_filename: Option<String>,
}

/// A branch.
#[derive(Debug, Clone, Deserialize)]
pub struct Branch {
    /// Its head.
    pub commit: ShaOnly,
}

/// A tree.
#[derive(Debug, Clone, Deserialize)]
pub struct Tree {
    /// Its id.
    pub sha: String,
    /// Its entries.
    pub tree: Vec<TreeEntry>,
    /// Whether GitHub left something out.
    #[serde(default)]
    pub truncated: bool,
}

/// An entry of a tree.
#[derive(Debug, Clone, Deserialize)]
pub struct TreeEntry {
    /// Path relative to the tree.
    pub path: String,
    /// `100644`, `100755`, `120000`, `040000` or `160000`.
    pub mode: String,
    /// `blob`, `tree` or `commit`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Object id.
    pub sha: String,
    /// Size of a blob.
    pub size: Option<u64>,
}

/// A blob.
#[derive(Debug, Clone, Deserialize)]
pub struct Blob {
    /// Base64, with line breaks.
    pub content: String,
    /// Always `base64` here.
    pub encoding: String,
}

/// A pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct PullRequest {
    /// Number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// Who opened it.
    pub user: Option<User>,
    /// Where it comes from.
    pub head: PullSide,
    /// Where it goes.
    pub base: PullSide,
    /// When it was merged.
    #[serde(default)]
    pub merged_at: Option<String>,
    /// Who merged it (absent in lists).
    #[serde(default)]
    pub merged_by: Option<User>,
}

/// One side of a pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct PullSide {
    /// Branch.
    #[serde(rename = "ref")]
    pub branch: String,
    /// Commit.
    pub sha: String,
    /// The repository; gone when the fork was deleted.
    pub repo: Option<RepositoryId>,
}

/// A repository that is only its id.
#[derive(Debug, Clone, Deserialize)]
pub struct RepositoryId {
    /// Numeric id.
    pub id: u64,
}

/// A comment of an issue or pull request.
#[derive(Debug, Clone, Deserialize)]
pub struct Comment {
    /// Numeric id.
    pub id: u64,
    /// Markdown.
    pub body: Option<String>,
    /// Its author.
    pub user: Option<User>,
    /// Address of the page.
    pub html_url: String,
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Status {
    /// `error`, `failure`, `pending` or `success`.
    pub state: String,
    /// What it is called.
    pub context: String,
    /// One line.
    pub description: Option<String>,
    /// A link.
    pub target_url: Option<String>,
}

/// An environment of a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Environment {
    /// Numeric id.
    pub id: u64,
    /// Name.
    pub name: String,
    /// Rules that a job must pass.
    #[serde(default)]
    pub protection_rules: Vec<ProtectionRule>,
}

/// One rule of an environment.
#[derive(Debug, Clone, Deserialize)]
pub struct ProtectionRule {
    /// `required_reviewers`, `wait_timer` or `branch_policy`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Whether the initiator may not approve.
    #[serde(default)]
    pub prevent_self_review: Option<bool>,
    /// Who may approve.
    #[serde(default)]
    pub reviewers: Vec<serde_json::Value>,
    /// Minutes that a job waits.
    #[serde(default)]
    pub wait_timer: Option<u64>,
}

/// A review of a waiting deployment.
#[derive(Debug, Clone, Deserialize)]
pub struct Approval {
    /// `approved`, `rejected` or `pending`.
    pub state: String,
    /// Who reviewed.
    pub user: User,
    /// Which environments.
    pub environments: Vec<EnvironmentName>,
    /// What they said.
    #[serde(default)]
    pub comment: Option<String>,
}

/// An environment that is only its name.
#[derive(Debug, Clone, Deserialize)]
pub struct EnvironmentName {
    /// Name.
    pub name: String,
}

/// A workflow run.
#[derive(Debug, Clone, Deserialize)]
pub struct Run {
    /// Numeric id.
    pub id: u64,
    /// `queued`, `in_progress`, `waiting`, `completed`, …
    pub status: Option<String>,
    /// When it was made.
    pub created_at: String,
    /// Which attempt.
    #[serde(default)]
    pub run_attempt: Option<u64>,
}

/// A job of a workflow run.
#[derive(Debug, Clone, Deserialize)]
pub struct Job {
    /// As the workflow calls it.
    pub name: String,
    /// `queued`, `waiting`, `in_progress`, `completed`, …
    pub status: String,
}

/// A ruleset, as the list shows it.
#[derive(Debug, Clone, Deserialize)]
pub struct RulesetId {
    /// Numeric id.
    pub id: u64,
}

/// A ruleset.
#[derive(Debug, Clone, Deserialize)]
pub struct Ruleset {
    /// Name.
    pub name: String,
    /// `branch`, `tag` or `push`.
    #[serde(default)]
    pub target: Option<String>,
    /// `active`, `evaluate` or `disabled`.
    pub enforcement: String,
    /// Who is let through; only shown to those who may edit the ruleset.
    #[serde(default)]
    pub bypass_actors: Option<Vec<BypassActor>>,
    /// Where it holds.
    #[serde(default)]
    pub conditions: Option<serde_json::Value>,
    /// What it forbids.
    #[serde(default)]
    pub rules: Vec<Rule>,
}

/// Who is let through a ruleset.
#[derive(Debug, Clone, Deserialize)]
pub struct BypassActor {
    /// Numeric id of a team, role, app or user.
    #[serde(default)]
    pub actor_id: Option<u64>,
    /// `Team`, `RepositoryRole`, `Integration`, `OrganizationAdmin`, `User`, `DeployKey`.
    pub actor_type: String,
}

/// One rule of a ruleset.
#[derive(Debug, Clone, Deserialize)]
pub struct Rule {
    /// `creation`, `update`, `deletion`, …
    #[serde(rename = "type")]
    pub kind: String,
}

/// An issue. GitHub lists pull requests as issues, too.
#[derive(Debug, Clone, Deserialize)]
pub struct Issue {
    /// Number.
    pub number: u64,
    /// `open` or `closed`.
    pub state: String,
    /// Title.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Who opened it.
    pub user: Option<IssueAuthor>,
    /// Present when it is a pull request.
    #[serde(default)]
    pub pull_request: Option<serde_json::Value>,
}

/// Who opened an issue.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IssueAuthor {
    /// Numeric id.
    pub id: u64,
    /// `User` or `Bot`.
    #[serde(rename = "type")]
    pub kind: String,
}
