//! `tenantry.yml`: the provider's settings. Every key is optional.

use super::allow::{self, Allowance};
use super::drift::{self, DriftSettings};
use super::fields::{Fields, checked};
use super::finding::{Finding, Findings};
use super::ids::{CustomerId, EnvironmentId, RepoSlug};
use super::instructions::{self, Instructions};
use super::redact::Redact;
use super::value::{Data, Node};
use std::collections::BTreeMap;

/// How hints reach the manager.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HintMode {
    /// Customers hold no token; `reconcile` finds changes on a schedule.
    Poll,
    /// Customers send a `repository_dispatch` to the manager itself.
    Direct,
    /// Customers send it to a separate repository that holds neither code nor secrets.
    Inbox,
}

/// What an environment's gate demands.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct GateRule {
    /// Somebody who is neither author, committer nor sender must approve.
    pub approval: bool,
    /// Logins that may approve; empty means every reviewer of the GitHub Environment.
    pub approvers: Vec<String>,
    /// Least minutes that the GitHub Environment waits before an apply.
    pub wait_minutes: u64,
}

/// Where Terraform keeps state. The key is always `<customer>/<product>/<environment>/terraform.tfstate`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateBackend {
    /// An S3 bucket.
    S3 {
        /// The bucket; a customer's registry entry may name its own.
        bucket: String,
        /// Its region.
        region: String,
        /// For S3 look-alikes that have no virtual-host addressing.
        path_style: bool,
    },
    /// A folder of the machine, for a laptop.
    Local {
        /// Absolute path.
        path: String,
    },
}

/// How the provider calls the repositories that it makes for customers: `customer-<id>`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RepositoryName(Option<(String, String)>);

impl RepositoryName {
    /// What the repository of `customer` is called, unless any name will do.
    pub fn of(&self, customer: &CustomerId) -> Option<String> {
        let (before, behind) = self.0.as_ref()?;
        Some(format!("{before}{customer}{behind}"))
    }
}

impl Default for RepositoryName {
    fn default() -> Self {
        Self(Some(("customer-".to_owned(), String::new())))
    }
}

impl std::str::FromStr for RepositoryName {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text == "any" {
            return Ok(Self(None));
        }
        let fine = |part: &str| {
            part.len() <= 50
                && part
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
        };
        match text.split_once("<id>") {
            Some((before, behind)) if fine(before) && fine(behind) => {
                Ok(Self(Some((before.to_owned(), behind.to_owned()))))
            }
            _ => Err("write a name with `<id>` in it, such as `customer-<id>`, or `any`"),
        }
    }
}

/// A public key of the audit log, `ed25519:<base64 of 32 bytes>`; only its form is known here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditKey(String);

impl AuditKey {
    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for AuditKey {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let encoded = text
            .strip_prefix("ed25519:")
            .and_then(|e| e.strip_suffix('='));
        let fine = encoded.is_some_and(|e| {
            e.len() == 43
                && e.bytes()
                    .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/'))
        });
        match fine {
            true => Ok(Self(text.to_owned())),
            false => Err("write the `ed25519:…` line that `tenantry init manager` makes"),
        }
    }
}

/// How the audit log is kept.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AuditSettings {
    /// The public half of the key that signs, `ed25519:…`.
    pub public_key: Option<AuditKey>,
    /// Public halves of keys of earlier times.
    pub previous_keys: Vec<AuditKey>,
    /// Whether nothing may be done that cannot be recorded and signed.
    pub required: bool,
    /// Where the log is, if not in the store.
    pub store: Option<String>,
}

/// The provider's settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The manager repository.
    pub manager: Option<RepoSlug>,
    /// API root; `https://api.github.com` when absent.
    pub api_url: Option<String>,
    /// Issuer of the customers' workflow identities.
    pub oidc_issuer: String,
    /// Whether a hint must carry an identity token. `false` means read-back only, for servers without OIDC.
    pub identity_required: bool,
    /// How hints arrive.
    pub hints: HintMode,
    /// Hints of one customer that are served within an hour.
    pub hints_per_hour: u64,
    /// The inbox repository of [`HintMode::Inbox`].
    pub inbox: Option<RepoSlug>,
    /// `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`.
    pub store: Option<String>,
    /// The age recipient that plans are sealed to.
    pub seal_recipient: Option<String>,
    /// Terraform state.
    pub state: Option<StateBackend>,
    /// `tofu`, `terraform` or a path; whichever is on the PATH when absent.
    pub terraform_binary: Option<String>,
    /// The GitOps repository of engine `argocd`.
    pub gitops_repository: Option<RepoSlug>,
    /// Its branch.
    pub gitops_branch: String,
    /// Gates by environment.
    pub gates: BTreeMap<EnvironmentId, GateRule>,
    /// A sealed plan older than this is not applied, in hours.
    pub plan_max_age_hours: u64,
    /// The commit status that a customer sees.
    pub commit_status_context: String,
    /// What is hidden besides what is hidden anyway.
    pub redact: Redact,
    /// What lints may find for a while.
    pub allow: Vec<Allowance>,
    /// The audit log.
    pub audit: AuditSettings,
    /// How customers' repositories are called where the provider owns them.
    pub repository_name: RepositoryName,
    /// Whether customers have environments of their own in the manager repository.
    pub own_environments: bool,
    /// What was changed outside of tenantry.
    pub drift: DriftSettings,
    /// What customers are told.
    pub instructions: Instructions,
}

/// GitHub.com's issuer of workflow identities (docs.github.com, "OpenID Connect reference").
pub const GITHUB_ISSUER: &str = "https://token.actions.githubusercontent.com";

impl Default for Settings {
    fn default() -> Self {
        Self {
            manager: None,
            api_url: None,
            oidc_issuer: GITHUB_ISSUER.to_owned(),
            identity_required: true,
            hints: HintMode::Poll,
            hints_per_hour: 60,
            inbox: None,
            store: None,
            seal_recipient: None,
            state: None,
            terraform_binary: None,
            gitops_repository: None,
            gitops_branch: "main".to_owned(),
            gates: BTreeMap::new(),
            plan_max_age_hours: 72,
            commit_status_context: "infra/terraform-deploy".to_owned(),
            redact: Redact::default(),
            allow: Vec::new(),
            audit: AuditSettings::default(),
            repository_name: RepositoryName::default(),
            own_environments: false,
            drift: DriftSettings::default(),
            instructions: Instructions::default(),
        }
    }
}

/// Whether an environment needs approval when nobody has said so: only names that are known to
/// come before production do not.
pub fn needs_approval(environment: &str) -> bool {
    !matches!(
        environment,
        "dev" | "development" | "test" | "qa" | "staging"
    )
}

/// The file name of the settings.
pub const PATH: &str = "tenantry.yml";

impl Settings {
    /// The gate of `environment`. Without a rule, everything needs approval but what is known
    /// to come before production.
    pub fn gate(&self, environment: &EnvironmentId) -> GateRule {
        self.gates
            .get(environment)
            .cloned()
            .unwrap_or_else(|| GateRule {
                approval: needs_approval(environment.as_str()),
                ..GateRule::default()
            })
    }

    /// Reads the file's content.
    pub fn read(node: &Node) -> Result<Self, Findings> {
        let mut out = Self::default();
        let mut top = Fields::new(PATH, node);
        match top.number("version") {
            Some(1) | None => {}
            Some(other) => {
                if let Some(at) = top.node("version") {
                    top.refuse(at, format!("settings version {other} is not known to this tenantry; it reads version 1"));
                }
            }
        }
        out.manager = top.parsed("manager");
        if let Some(context) = top.text("commit_status_context") {
            out.commit_status_context = context;
        }
        if let Some(mut github) = top.fields("github") {
            out.api_url = url(&mut github, "api_url");
            let issuer = url(&mut github, "oidc_issuer");
            if let Some(issuer) = issuer.or_else(|| servers_issuer(out.api_url.as_deref()?)) {
                out.oidc_issuer = issuer.trim_end_matches('/').to_owned();
            }
            top.absorb(github.finish());
        }
        if let Some(mut identity) = top.fields("identity") {
            out.identity_required = identity.boolean("required").unwrap_or(true);
            top.absorb(identity.finish());
        }
        if let Some(mut hints) = top.fields("hints") {
            let words = [
                ("poll", HintMode::Poll),
                ("direct", HintMode::Direct),
                ("inbox", HintMode::Inbox),
            ];
            out.hints = hints.word("mode", &words).unwrap_or(HintMode::Poll);
            out.hints_per_hour = hints.number("per_hour").unwrap_or(60);
            if let (0, Some(at)) = (out.hints_per_hour, hints.node("per_hour")) {
                hints.refuse(at, "`per_hour` must be 1 or more");
            }
            out.inbox = hints.parsed("inbox");
            if out.hints == HintMode::Inbox && out.inbox.is_none() {
                hints.missing("inbox");
            }
            top.absorb(hints.finish());
        }
        if let Some(mut store) = top.fields("store") {
            out.store = store.text("url");
            out.seal_recipient = store.text("seal_recipient");
            top.absorb(store.finish());
        }
        if let Some(mut state) = top.fields("state") {
            out.state = backend(&mut state);
            top.absorb(state.finish());
        }
        if let Some(mut engines) = top.fields("engines") {
            if let Some(mut terraform) = engines.fields("terraform") {
                out.terraform_binary = terraform.text("binary");
                engines.absorb(terraform.finish());
            }
            if let Some(mut argocd) = engines.fields("argocd") {
                out.gitops_repository = argocd.parsed("repository");
                if let Some(branch) = argocd.text("branch") {
                    out.gitops_branch = branch;
                }
                engines.absorb(argocd.finish());
            }
            top.absorb(engines.finish());
        }
        if let Some(gates) = top.node("gates") {
            let findings = read_gates(gates, &mut out.gates);
            top.absorb(findings);
        }
        if let Some(mut plan) = top.fields("plan") {
            out.plan_max_age_hours = plan.number("max_age_hours").unwrap_or(72);
            top.absorb(plan.finish());
        }
        out.redact = Redact::read(&mut top);
        if let Some(mut lint) = top.fields("lint") {
            out.allow = allow::read(&mut lint);
            top.absorb(lint.finish());
        }
        if let Some(mut audit) = top.fields("audit") {
            out.audit.public_key = audit.parsed("public_key");
            out.audit.previous_keys = audit.parsed_list("previous_keys").unwrap_or_default();
            out.audit.required = audit.boolean("required").unwrap_or(false);
            out.audit.store = audit.text("store");
            top.absorb(audit.finish());
        }
        if let Some(mut customers) = top.fields("customers") {
            out.repository_name = customers.parsed("repository_name").unwrap_or_default();
            out.own_environments = customers.boolean("own_environments").unwrap_or(false);
            top.absorb(customers.finish());
        }
        out.drift = drift::read(&mut top);
        out.instructions = instructions::read(&mut top);
        checked(out, top.finish())
    }
}

/// The issuer of a GitHub Enterprise Server (docs.github.com, "OpenID Connect reference").
fn servers_issuer(api_url: &str) -> Option<String> {
    let host = api_url.trim_end_matches('/').strip_suffix("/api/v3")?;
    Some(format!("{host}/_services/token"))
}

fn url(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    let text = fields.text(key)?;
    let secure = text.starts_with("https://")
        || ["http://127.0.0.1", "http://localhost", "http://[::1]"]
            .iter()
            .any(|p| {
                text.strip_prefix(p)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with([':', '/']))
            });
    if secure && !text.contains('@') {
        return Some(text);
    }
    if let Some(at) = fields.node(key) {
        fields.refuse(
            at,
            format!("`{key}` must be an https URL without user name (http only for this machine)"),
        );
    }
    None
}

fn backend(state: &mut Fields<'_>) -> Option<StateBackend> {
    match state
        .word("backend", &[("s3", true), ("local", false)])
        .unwrap_or(true)
    {
        true => {
            let bucket = state.text("bucket");
            let region = state
                .text("region")
                .unwrap_or_else(|| "us-east-1".to_owned());
            let path_style = state.boolean("path_style").unwrap_or(false);
            if bucket.is_none() {
                state.missing("bucket");
            }
            Some(StateBackend::S3 {
                bucket: bucket?,
                region,
                path_style,
            })
        }
        false => {
            let path = state.text("path");
            match path {
                Some(path) if path.starts_with('/') => Some(StateBackend::Local { path }),
                _ => {
                    state.missing("path");
                    None
                }
            }
        }
    }
}

fn read_gates(node: &Node, gates: &mut BTreeMap<EnvironmentId, GateRule>) -> Vec<Finding> {
    let mut findings = Vec::new();
    if !matches!(node.data, Data::Map(_)) {
        return Fields::new(PATH, node).finish();
    }
    for (key, value) in node.entries() {
        let mut rule = Fields::new(PATH, value);
        let approval = rule.word("approval", &[("required", true), ("none", false)]);
        let approvers = rule.parsed_list::<String>("approvers").unwrap_or_default();
        let wait_minutes = rule.number("wait_minutes").unwrap_or(0);
        match EnvironmentId::new(&key.name) {
            Ok(id) => {
                if approval.is_none() {
                    rule.missing("approval");
                }
                gates.insert(
                    id,
                    GateRule {
                        approval: approval.unwrap_or(true),
                        approvers,
                        wait_minutes,
                    },
                );
            }
            Err(e) => rule.refuse(value, e.to_string()),
        }
        findings.extend(rule.finish());
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::yaml::{self, Reading};

    fn issuer(github: &str) -> String {
        let text = format!("version: 1\n{github}");
        let node = yaml::read(PATH, text.as_bytes(), Reading::Strict).unwrap();
        Settings::read(&node).unwrap().oidc_issuer
    }

    #[test]
    fn an_enterprise_server_signs_identities_itself() {
        let server = "github:\n  api_url: https://git.example.com/api/v3/\n";
        assert_eq!(issuer(server), "https://git.example.com/_services/token");
        let other = format!("{server}  oidc_issuer: https://sso.example.com/\n");
        assert_eq!(issuer(&other), "https://sso.example.com");
        for not in ["", "github:\n  api_url: https://api.acme.ghe.com\n"] {
            assert_eq!(issuer(not), GITHUB_ISSUER);
        }
    }
}
