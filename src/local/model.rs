//! What the local GitHub remembers: plain records, no behaviour.
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};

/// How far a permission reaches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Not at all.
    None,
    /// May read.
    Read,
    /// May read and write.
    Write,
    /// May administer.
    Admin,
}

impl Level {
    /// Reads `read`, `write`, `admin`; anything else is `None`.
    pub fn parse(s: &str) -> Self {
        match s {
            "read" | "pull" | "triage" => Self::Read,
            "write" | "push" | "maintain" => Self::Write,
            "admin" => Self::Admin,
            _ => Self::None,
        }
    }
}

/// Permission name (`contents`, `issues`, …) to level.
pub type Permissions = HashMap<String, Level>;

/// A user, an organisation or a bot.
#[derive(Debug, Clone)]
pub struct Account {
    /// Numeric id.
    pub id: u64,
    /// Login.
    pub login: String,
    /// `User`, `Organization` or `Bot`.
    pub kind: &'static str,
    /// E-mail for commits made through the API.
    pub email: String,
    /// Members of an organisation: account id to `admin` or `member`.
    pub members: HashMap<u64, String>,
    /// When it was made.
    pub created: i64,
}

/// What a token may do.
#[derive(Debug, Clone)]
pub enum Grant {
    /// Everything, and the `/_local` routes.
    Admin,
    /// Whatever its user may do (a classic token with scope `repo`).
    Classic,
    /// Per repository id; key 0 stands for every repository of the user (fine-grained).
    Fine(HashMap<u64, Permissions>),
    /// The `GITHUB_TOKEN` of a run: one repository.
    Run {
        /// The run.
        run: u64,
        /// Its repository.
        repo: u64,
        /// From `permissions:` of the workflow.
        permissions: Permissions,
    },
    /// A GitHub App itself, by what it has signed.
    App(u64),
    /// A GitHub App where it is installed.
    Installation {
        /// The account.
        owner: u64,
        /// Its selected repositories; all of them if absent.
        repos: Option<Vec<u64>>,
        /// What the token was asked for.
        permissions: Permissions,
    },
}

/// A GitHub App.
#[derive(Debug, Clone)]
pub struct App {
    /// Numeric id.
    pub id: u64,
    /// Its name in addresses.
    pub slug: String,
    /// The account that it writes as.
    pub bot: u64,
    /// `RSAPublicKey`, DER.
    pub public_key: Vec<u8>,
    /// What its owner has given it.
    pub permissions: BTreeMap<String, String>,
    /// By id.
    pub installations: BTreeMap<u64, Installation>,
    /// When it was made.
    pub created: i64,
}

/// Where an App is installed.
#[derive(Debug, Clone)]
pub struct Installation {
    /// The account.
    pub owner: u64,
    /// Selected repositories; all of them if absent.
    pub repos: Option<Vec<u64>>,
    /// When it was made.
    pub created: i64,
}

/// A credential.
#[derive(Debug, Clone)]
pub struct Token {
    /// The user it acts as.
    pub user: u64,
    /// What it may do.
    pub grant: Grant,
    /// Scopes of a classic token.
    pub scopes: Vec<String>,
    /// Seconds since the epoch after which it answers 401.
    pub expires: Option<i64>,
    /// Requests counted against the primary limit in this window.
    pub used: u64,
    /// Start of the window.
    pub window: i64,
}

/// A repository.
#[derive(Debug, Clone)]
pub struct Repo {
    /// Numeric id; survives renames.
    pub id: u64,
    /// Account id of the owner.
    pub owner: u64,
    /// Name.
    pub name: String,
    /// Private or public.
    pub private: bool,
    /// Description.
    pub description: Option<String>,
    /// Default branch.
    pub default_branch: String,
    /// Archived: read-only.
    pub archived: bool,
    /// Made, changed, pushed.
    pub created: i64,
    /// Last change of settings.
    pub updated: i64,
    /// Last push.
    pub pushed: i64,
    /// Parent of a fork.
    pub fork_of: Option<u64>,
    /// Account id to role.
    pub collaborators: HashMap<u64, Level>,
    /// Last used issue or pull request number.
    pub last_number: u64,
    /// Pull requests by number.
    pub pulls: BTreeMap<u64, Pull>,
    /// Issues by number; they share their numbers with pull requests.
    pub issues: BTreeMap<u64, Issue>,
    /// Comments on issues and pull requests.
    pub comments: Vec<Comment>,
    /// Commit statuses, oldest first.
    pub statuses: Vec<Status>,
    /// Check runs, oldest first.
    pub checks: Vec<Value>,
    /// Deployment environments by name.
    pub environments: BTreeMap<String, Environment>,
    /// Actions variables: name to (value, created, updated).
    pub variables: BTreeMap<String, Variable>,
    /// Actions secrets.
    pub secrets: BTreeMap<String, Variable>,
    /// Rulesets as they were given, with id and times.
    pub rulesets: Vec<Value>,
    /// Workflow path to (id, runs so far).
    pub workflows: BTreeMap<String, (u64, u64)>,
    /// What of its settings is about safety.
    pub closed: super::rest::security::Closed,
}

/// A variable or secret.
#[derive(Debug, Clone)]
pub struct Variable {
    /// Its value.
    pub value: String,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Numeric id.
    pub id: u64,
    /// Number within the repository.
    pub number: u64,
    /// Author.
    pub user: u64,
    /// Title.
    pub title: String,
    /// Text.
    pub body: Option<String>,
    /// Repository of the head; `None` once deleted.
    pub head_repo: Option<u64>,
    /// Branch of the head.
    pub head_ref: String,
    /// Head commit.
    pub head_sha: String,
    /// Branch it is to be merged into.
    pub base_ref: String,
    /// Head of the base when last looked at.
    pub base_sha: String,
    /// Open or closed.
    pub open: bool,
    /// Draft.
    pub draft: bool,
    /// Merge: by whom, when, which commit.
    pub merged: Option<(u64, i64, String)>,
    /// The test merge commit, if there is no conflict.
    pub merge_commit: Option<String>,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
    /// Closed.
    pub closed: Option<i64>,
}

/// An issue.
#[derive(Debug, Clone)]
pub struct Issue {
    /// Numeric id.
    pub id: u64,
    /// Number within the repository.
    pub number: u64,
    /// Author.
    pub user: u64,
    /// Title.
    pub title: String,
    /// Markdown.
    pub body: Option<String>,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// `None` while it is open; by whom, and `completed`, `not_planned` or `duplicate`.
    pub closed: Option<(i64, u64, String)>,
    /// Whether it was closed before and opened again.
    pub reopened: bool,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
}

/// A comment on an issue or pull request.
#[derive(Debug, Clone)]
pub struct Comment {
    /// Numeric id.
    pub id: u64,
    /// Issue or pull request number.
    pub number: u64,
    /// Author.
    pub user: u64,
    /// Markdown.
    pub body: String,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    /// Numeric id.
    pub id: u64,
    /// Commit.
    pub sha: String,
    /// `pending`, `success`, `failure`, `error`.
    pub state: String,
    /// Name.
    pub context: String,
    /// At most 140 characters.
    pub description: Option<String>,
    /// Link.
    pub target_url: Option<String>,
    /// Who set it.
    pub user: u64,
    /// When.
    pub created: i64,
}

/// A deployment environment.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Numeric id.
    pub id: u64,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
    /// Minutes.
    pub wait_timer: u64,
    /// The initiator of the run may not approve.
    pub prevent_self_review: bool,
    /// (`User` or `Team`, account id).
    pub reviewers: Vec<(String, u64)>,
    /// `deployment_branch_policy` as given.
    pub branch_policy: Value,
    /// The branches that `custom_branch_policies` names, with their ids.
    pub branches: Vec<(u64, String)>,
    /// Administrators may skip the protection.
    pub can_admins_bypass: bool,
    /// Variables of the environment.
    pub variables: BTreeMap<String, Variable>,
    /// Secrets of the environment.
    pub secrets: BTreeMap<String, Variable>,
}

/// Something that may start workflows.
#[derive(Debug, Clone)]
pub struct Event {
    /// `push`, `pull_request`, …
    pub name: String,
    /// Activity type (`opened`; for dispatches the event type).
    pub action: Option<String>,
    /// Repository.
    pub repo: u64,
    /// Who caused it.
    pub actor: u64,
    /// `GITHUB_SHA`: where the workflow file is read.
    pub sha: String,
    /// The commit the run is shown on.
    pub head_sha: String,
    /// `GITHUB_REF`.
    pub git_ref: String,
    /// Branch for the `branches` filter.
    pub branch: String,
    /// `head_ref` and `base_ref` of a pull request.
    pub head_base: Option<(String, String)>,
    /// Changed paths, for the `paths` filter.
    pub paths: Vec<String>,
    /// `event.json`.
    pub payload: Value,
    /// Only this workflow file (workflow_dispatch, schedule).
    pub only: Option<String>,
    /// Pull request from another repository: no secrets, read-only token.
    pub from_fork: bool,
}

/// A workflow run.
#[derive(Debug, Clone)]
pub struct Run {
    /// Numeric id.
    pub id: u64,
    /// Per workflow.
    pub number: u64,
    /// From 1.
    pub attempt: u64,
    /// Workflow file.
    pub path: String,
    /// Workflow id.
    pub workflow_id: u64,
    /// `name:` of the workflow.
    pub name: String,
    /// What started it.
    pub event: Event,
    /// `queued`, `in_progress`, `waiting`, `completed`.
    pub status: &'static str,
    /// `success`, `failure`, `cancelled`, …
    pub conclusion: Option<&'static str>,
    /// Jobs seen so far.
    pub jobs: Vec<Job>,
    /// Environments waiting: (environment id, since).
    pub pending: Vec<(u64, i64)>,
    /// Decisions.
    pub approvals: Vec<Approval>,
    /// Made.
    pub created: i64,
    /// Changed.
    pub updated: i64,
    /// `GITHUB_TOKEN`.
    pub token: String,
    /// Whether `id-token: write` was asked for.
    pub id_token: bool,
    /// The parsed workflow.
    pub workflow: Value,
    /// What the steps printed.
    pub log: String,
    /// How many of the decisions are about earlier attempts.
    pub settled: usize,
    /// Whether this attempt runs only what did not succeed before.
    pub failed_only: bool,
    /// What the first job has printed for the others.
    pub outputs: BTreeMap<String, String>,
    /// Somebody asked to stop it.
    pub cancel: bool,
}

/// A job of a run.
#[derive(Debug, Clone)]
pub struct Job {
    /// Numeric id.
    pub id: u64,
    /// Shown name.
    pub name: String,
    /// Key in the workflow file.
    pub key: String,
    /// As for runs.
    pub status: &'static str,
    /// As for runs.
    pub conclusion: Option<&'static str>,
    /// Environment it waits for or runs in.
    pub environment: Option<String>,
    /// Started.
    pub started: i64,
    /// Ended.
    pub completed: Option<i64>,
}

/// One answer to a pending deployment.
#[derive(Debug, Clone)]
pub struct Approval {
    /// `approved` or `rejected`.
    pub state: String,
    /// Who.
    pub user: u64,
    /// Why.
    pub comment: String,
    /// Environment ids.
    pub environments: Vec<u64>,
}

/// What an OIDC request token stands for.
#[derive(Debug, Clone)]
pub struct OidcGrant {
    /// The run.
    pub run: u64,
    /// Environment of the job, where known.
    pub environment: Option<String>,
}
