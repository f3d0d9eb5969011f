//! How a repository is set up: what GitHub shows of its settings, and changes of them as values,
//! so that what is shown before is what is sent.
//!
//! Source of paths and fields: github.com/github/rest-api-description.

use super::api::{Result, absent, enc};
use super::client::{Client, Repeat};
use super::model::{ProtectionRule, User};
use crate::estate::RepoSlug;
use http::Method;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// A call that changes something, before it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Change {
    /// `PUT`, `POST` or `PATCH`; nothing is ever deleted.
    pub method: &'static str,
    /// Path below the API root.
    pub path: String,
    /// The body, if there is one.
    pub body: Value,
}

impl Change {
    fn new(method: &'static str, repo: &RepoSlug, rest: &str, body: Value) -> Self {
        let path = format!("/repos/{repo}{rest}");
        Self { method, path, body }
    }
    /// Sets what an environment demands. GitHub switches off what is not given.
    pub fn environment(repo: &RepoSlug, name: &str, body: Value) -> Self {
        Self::new("PUT", repo, &format!("/environments/{}", enc(name)), body)
    }
    /// Lets a branch into an environment.
    pub fn environment_branch(repo: &RepoSlug, name: &str, branch: &str) -> Self {
        let rest = format!("/environments/{}/deployment-branch-policies", enc(name));
        let body = json!({"name": branch, "type": "branch"});
        Self::new("POST", repo, &rest, body)
    }
    /// Sets which actions may be used.
    pub fn actions(repo: &RepoSlug, body: Value) -> Self {
        Self::new("PUT", repo, "/actions/permissions", body)
    }
    /// Sets the list of actions, where only those on it may be used.
    pub fn selected_actions(repo: &RepoSlug, body: Value) -> Self {
        Self::new("PUT", repo, "/actions/permissions/selected-actions", body)
    }
    /// Sets what a workflow's token may do where the workflow does not say.
    pub fn workflow_token(repo: &RepoSlug, body: Value) -> Self {
        Self::new("PUT", repo, "/actions/permissions/workflow", body)
    }
    /// Switches a workflow on.
    pub fn enable_workflow(repo: &RepoSlug, id: u64) -> Self {
        let rest = format!("/actions/workflows/{id}/enable");
        Self::new("PUT", repo, &rest, Value::Null)
    }
    /// Makes a variable.
    pub fn new_variable(repo: &RepoSlug, name: &str, value: &str) -> Self {
        let body = json!({"name": name, "value": value});
        Self::new("POST", repo, "/actions/variables", body)
    }
    /// Makes a variable of an environment.
    pub fn new_environment_variable(
        repo: &RepoSlug,
        environment: &str,
        name: &str,
        value: &str,
    ) -> Self {
        let rest = format!("/environments/{}/variables", enc(environment));
        let body = json!({"name": name, "value": value});
        Self::new("POST", repo, &rest, body)
    }
    /// Changes a variable.
    pub fn variable(repo: &RepoSlug, name: &str, value: &str) -> Self {
        let rest = format!("/actions/variables/{}", enc(name));
        let body = json!({"name": name, "value": value});
        Self::new("PATCH", repo, &rest, body)
    }
    /// Makes a ruleset.
    pub fn ruleset(repo: &RepoSlug, body: Value) -> Self {
        Self::new("POST", repo, "/rulesets", body)
    }
    /// Changes settings of the repository.
    pub fn settings(repo: &RepoSlug, body: Value) -> Self {
        Self::new("PATCH", repo, "", body)
    }
    /// Makes a branch at a commit.
    pub fn branch(repo: &RepoSlug, branch: &str, commit: &str) -> Self {
        let body = json!({"ref": format!("refs/heads/{branch}"), "sha": commit});
        Self::new("POST", repo, "/git/refs", body)
    }
    /// Writes a file on a branch; `before` is the blob that it replaces.
    pub fn file(repo: &RepoSlug, branch: &str, file: &NewFile, message: &str) -> Self {
        use base64::Engine as _;
        let parts: Vec<String> = file.path.split('/').map(enc).collect();
        let content = base64::engine::general_purpose::STANDARD.encode(&file.text);
        let mut body = json!({"message": message, "content": content, "branch": branch});
        if let Some(before) = &file.before {
            body["sha"] = json!(before);
        }
        Self::new("PUT", repo, &format!("/contents/{}", parts.join("/")), body)
    }
    /// Opens a pull request.
    pub fn pull(repo: &RepoSlug, head: &str, base: &str, title: &str, text: &str) -> Self {
        let body = json!({"title": title, "head": head, "base": base, "body": text});
        Self::new("POST", repo, "/pulls", body)
    }
}

/// A file to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Its path.
    pub path: String,
    /// Its text.
    pub text: String,
    /// The blob that stands there now.
    pub before: Option<String>,
}

/// A repository's settings.
#[derive(Debug, Clone, Deserialize)]
pub struct RepositorySettings {
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
    /// Shown to administrators alone.
    #[serde(default)]
    pub security_and_analysis: Option<Security>,
}

/// What GitHub watches for.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Security {
    /// Secrets in what is there already.
    #[serde(default)]
    pub secret_scanning: Option<Switch>,
    /// Secrets in what is pushed.
    #[serde(default)]
    pub secret_scanning_push_protection: Option<Switch>,
}

/// `enabled` or `disabled`.
#[derive(Debug, Clone, Deserialize)]
pub struct Switch {
    /// Which of both.
    #[serde(default)]
    pub status: String,
}

impl Switch {
    /// Whether it is on.
    pub fn on(&self) -> bool {
        self.status == "enabled"
    }
}

/// An environment with everything that holds a job back.
#[derive(Debug, Clone, Deserialize)]
pub struct EnvironmentSettings {
    /// Name.
    pub name: String,
    /// Rules that a job must pass.
    #[serde(default)]
    pub protection_rules: Vec<ProtectionRule>,
    /// Whether administrators may pass them over.
    #[serde(default)]
    pub can_admins_bypass: Option<bool>,
    /// Which branches may use it; all of them if null.
    #[serde(default)]
    pub deployment_branch_policy: Option<BranchPolicy>,
}

/// Which branches may use an environment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct BranchPolicy {
    /// Those that are protected.
    pub protected_branches: bool,
    /// Those that a list names.
    pub custom_branch_policies: bool,
}

/// Which actions may be used.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct ActionsPermissions {
    /// Whether Actions run at all.
    pub enabled: bool,
    /// `all`, `local_only` or `selected`.
    #[serde(default)]
    pub allowed_actions: Option<String>,
    /// Whether an action must be named by a full commit.
    #[serde(default)]
    pub sha_pinning_required: Option<bool>,
}

/// The list of actions that may be used.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, Serialize)]
pub struct SelectedActions {
    /// Those of GitHub.
    #[serde(default)]
    pub github_owned_allowed: bool,
    /// Those of verified creators.
    #[serde(default)]
    pub verified_allowed: bool,
    /// `owner/name@ref`, with `*`.
    #[serde(default)]
    pub patterns_allowed: Vec<String>,
}

/// What a workflow's token may do where the workflow does not say.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WorkflowToken {
    /// `read` or `write`.
    pub default_workflow_permissions: String,
    /// Whether it may approve pull requests.
    pub can_approve_pull_request_reviews: bool,
}

/// A workflow as Actions know it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct WorkflowState {
    /// Numeric id.
    pub id: u64,
    /// Its file.
    pub path: String,
    /// `active`, `disabled_manually`, `disabled_inactivity`, ….
    pub state: String,
}

/// A rule that holds for a branch, whatever ruleset it comes from.
#[derive(Debug, Clone, Deserialize)]
pub struct ActiveRule {
    /// `deletion`, `non_fast_forward`, `pull_request`, `update`, ….
    #[serde(rename = "type")]
    pub kind: String,
}

/// A branch protection of the older kind.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct BranchProtection {
    /// Whether history may be rewritten.
    #[serde(default)]
    pub allow_force_pushes: Option<Enabled>,
    /// Whether it may be deleted.
    #[serde(default)]
    pub allow_deletions: Option<Enabled>,
    /// Present where changes need a pull request.
    #[serde(default)]
    pub required_pull_request_reviews: Option<Value>,
}

/// A switch.
#[derive(Debug, Clone, Deserialize)]
pub struct Enabled {
    /// Whether it is on.
    #[serde(default)]
    pub enabled: bool,
}

/// Somebody who was let into a repository.
#[derive(Debug, Clone, Deserialize)]
pub struct Collaborator {
    /// Login.
    pub login: String,
    /// `read`, `triage`, `write`, `maintain`, `admin`, or a role of the organisation.
    #[serde(default)]
    pub role_name: String,
}

/// A repository that a credential can see.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Reached {
    /// Numeric id.
    pub id: u64,
    /// `owner/name`.
    pub full_name: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize)]
struct Variable {
    name: String,
    value: String,
}

fn by_name(list: Vec<Variable>) -> BTreeMap<String, String> {
    list.into_iter().map(|v| (v.name, v.value)).collect()
}

impl Client {
    /// Makes a change that was shown before.
    pub async fn carry_out(&self, change: &Change) -> Result<()> {
        let method = match change.method {
            "PUT" => Method::PUT,
            "PATCH" => Method::PATCH,
            _ => Method::POST,
        };
        let repeat = match method {
            Method::POST => Repeat::Never,
            _ => Repeat::Safe,
        };
        let body = (!change.body.is_null()).then_some(&change.body);
        self.send(method, &change.path, body, repeat).await?;
        Ok(())
    }

    /// A repository's settings. A renamed one is followed.
    pub async fn settings(&self, repo: &RepoSlug) -> Result<RepositorySettings> {
        self.read(&format!("/repos/{repo}")).await
    }
    /// Names of secrets of a repository or of one environment. Values cannot be read.
    pub async fn secret_names(
        &self,
        repo: &RepoSlug,
        environment: Option<&str>,
    ) -> Result<BTreeSet<String>> {
        let path = match environment {
            None => format!("/repos/{repo}/actions/secrets"),
            Some(name) => format!("/repos/{repo}/environments/{}/secrets", enc(name)),
        };
        self.names(&path, "secrets").await
    }
    /// Names of the organisation's secrets that a repository is given; none where a user owns it.
    pub async fn organisation_secret_names(&self, repo: &RepoSlug) -> Result<BTreeSet<String>> {
        let path = format!("/repos/{repo}/actions/organization-secrets");
        Ok(absent(self.names(&path, "secrets").await)?.unwrap_or_default())
    }
    async fn names(&self, path: &str, field: &str) -> Result<BTreeSet<String>> {
        let list: Vec<Named> = self.pages(path, Some(field)).await?;
        Ok(list.into_iter().map(|n| n.name).collect())
    }
    /// The repository's variables.
    pub async fn variables(&self, repo: &RepoSlug) -> Result<BTreeMap<String, String>> {
        let path = format!("/repos/{repo}/actions/variables");
        self.pages(&path, Some("variables")).await.map(by_name)
    }
    /// An environment's variables.
    pub async fn environment_variables(
        &self,
        repo: &RepoSlug,
        environment: &str,
    ) -> Result<BTreeMap<String, String>> {
        let path = format!("/repos/{repo}/environments/{}/variables", enc(environment));
        self.pages(&path, Some("variables")).await.map(by_name)
    }
    /// The organisation's variables that a repository is given.
    pub async fn organisation_variables(
        &self,
        repo: &RepoSlug,
    ) -> Result<BTreeMap<String, String>> {
        let path = format!("/repos/{repo}/actions/organization-variables");
        let list = absent(self.pages(&path, Some("variables")).await)?;
        Ok(list.map(by_name).unwrap_or_default())
    }
    /// Whether workflows run and which actions may be used; needs the right to read the
    /// repository's administration.
    pub async fn actions_permissions(&self, repo: &RepoSlug) -> Result<ActionsPermissions> {
        self.read(&format!("/repos/{repo}/actions/permissions"))
            .await
    }
    /// The list of actions that may be used.
    pub async fn selected_actions(&self, repo: &RepoSlug) -> Result<SelectedActions> {
        self.read(&format!(
            "/repos/{repo}/actions/permissions/selected-actions"
        ))
        .await
    }
    /// What a workflow's token may do by default.
    pub async fn workflow_token(&self, repo: &RepoSlug) -> Result<WorkflowToken> {
        self.read(&format!("/repos/{repo}/actions/permissions/workflow"))
            .await
    }
    /// The workflows that Actions know.
    pub async fn workflow_states(&self, repo: &RepoSlug) -> Result<Vec<WorkflowState>> {
        self.pages(
            &format!("/repos/{repo}/actions/workflows"),
            Some("workflows"),
        )
        .await
    }
    /// The rules that hold for a branch.
    pub async fn active_rules(&self, repo: &RepoSlug, branch: &str) -> Result<Vec<ActiveRule>> {
        self.pages(
            &format!("/repos/{repo}/rules/branches/{}", enc(branch)),
            None,
        )
        .await
    }
    /// The older protection of a branch, where there is one.
    pub async fn branch_protection(
        &self,
        repo: &RepoSlug,
        branch: &str,
    ) -> Result<Option<BranchProtection>> {
        let path = format!("/repos/{repo}/branches/{}/protection", enc(branch));
        absent(self.read(&path).await)
    }
    /// Whether a branch is there.
    pub async fn has_branch(&self, repo: &RepoSlug, branch: &str) -> Result<bool> {
        Ok(absent(self.branch(repo, branch).await)?.is_some())
    }
    /// The number behind a login.
    pub async fn user_id(&self, login: &str) -> Result<u64> {
        let user: User = self.read(&format!("/users/{}", enc(login))).await?;
        Ok(user.id)
    }
    /// Who was let into a repository, by name or as a member of its organisation.
    pub async fn collaborators(&self, repo: &RepoSlug) -> Result<Vec<Collaborator>> {
        self.pages(&format!("/repos/{repo}/collaborators"), None)
            .await
    }
}
