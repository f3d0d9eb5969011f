//! Sets the stage: accounts, repositories, environments, rulesets, secrets.

use super::{BOT, GITOPS, MANAGER, REVIEWER, Stage, Tenant};
use crate::audit::key::{KeyError, SigningKey};
use crate::estate::{EnvironmentId, RepoSlug, Sha};
use crate::local::server::{Server, Settings};
use crate::registry::scaffold::{Actions, CustomerPlan, ManagerPlan, customer, manager};
use crate::store::seal::SealIdentity;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Why the stage could not be set.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// The local GitHub refused something.
    #[error("the local GitHub answers {status} to {call}: {body}")]
    Refused {
        /// Method and path.
        call: String,
        /// Status.
        status: u16,
        /// What it said.
        body: String,
    },
    /// A folder or socket.
    #[error("the local GitHub cannot be started")]
    Io(#[from] std::io::Error),
    /// A template.
    #[error(transparent)]
    Scaffold(#[from] crate::registry::scaffold::ScaffoldError),
    /// The key of the audit log.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// An id.
    #[error(transparent)]
    Id(#[from] crate::estate::ids::BadId),
}

/// Which engine the product has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// A Terraform module without provider, state in a local folder.
    Terraform,
    /// Values and Applications in a GitOps repository.
    Argocd,
}

/// How hints arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hints {
    /// By dispatch to the manager, which a ruleset protects.
    Direct,
    /// Not at all.
    Poll,
}

/// How to set the stage.
#[derive(Debug, Clone)]
pub struct StageSettings {
    /// The local GitHub.
    pub server: Settings,
    /// The engine of product `web`.
    pub engine: Engine,
    /// How hints arrive.
    pub hints: Hints,
    /// Commit of tenantry's actions that the workflows name.
    pub actions_ref: Sha,
    /// Files of the manager that differ, such as another module.
    pub overrides: Vec<(String, String)>,
    /// Replaces the `store:` and `state:` parts of tenantry.yml.
    pub storage: Option<String>,
    /// Whether customers have environments of their own. Nobody has made them yet.
    pub own_environments: bool,
    /// More secrets of the manager.
    pub secrets: Vec<(String, String)>,
}

const TENANTS: [(&str, &str, &str, &str); 3] = [
    ("acme", "acme/shop", "alice", "Acme Corp"),
    ("globex", "globex/portal", "gina", "Globex"),
    ("initech", "initech/reports", "ivan", "Initech"),
];

impl Stage {
    /// A call as the admin that must succeed.
    pub async fn admin(&self, method: &str, path: &str, body: Value) -> Result<Value, StageError> {
        let (status, answer) = self.server.call(method, path, body).await;
        accept(method, path, status, answer)
    }

    /// A call as somebody that must succeed.
    pub async fn by(
        &self,
        who: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> Result<Value, StageError> {
        let token = self.tokens.get(who).cloned().unwrap_or_default();
        let (status, answer) = self.server.call_as(&token, method, path, body).await;
        accept(method, path, status, answer)
    }

    /// Starts the local GitHub and builds everything on it.
    pub async fn set(settings: StageSettings) -> Result<Self, StageError> {
        let dir: PathBuf = settings.server.dir.clone();
        let server = Server::start(settings.server.clone()).await?;
        let mut stage = Self {
            server,
            dir: dir.canonicalize()?,
            tenants: Vec::new(),
            identity: SealIdentity::generate(),
            audit: SigningKey::generate()?,
            tokens: BTreeMap::new(),
        };
        stage.people().await?;
        stage.customers(&settings).await?;
        stage.manager(&settings).await?;
        stage.protect(settings.hints).await?;
        Ok(stage)
    }

    async fn people(&mut self) -> Result<(), StageError> {
        for login in [REVIEWER, BOT, "mallory", "dispatcher"]
            .into_iter()
            .chain(TENANTS.iter().map(|t| t.2))
        {
            self.admin("POST", "/_local/users", json!({"login": login}))
                .await?;
        }
        self.admin(
            "POST",
            "/_local/orgs",
            json!({"login": "ops", "members": {REVIEWER: "admin", BOT: "member"}}),
        )
        .await?;
        for (id, _, user, _) in TENANTS {
            self.admin(
                "POST",
                "/_local/orgs",
                json!({"login": id, "members": {user: "admin"}}),
            )
            .await?;
            let token = self
                .admin("POST", "/_local/tokens", json!({"user": user}))
                .await?;
            self.keep(user, &token);
        }
        for login in [REVIEWER, "mallory"] {
            let token = self
                .admin("POST", "/_local/tokens", json!({"user": login}))
                .await?;
            self.keep(login, &token);
        }
        Ok(())
    }

    fn keep(&mut self, name: &str, answer: &Value) {
        self.tokens.insert(
            name.to_owned(),
            answer["token"].as_str().unwrap_or_default().to_owned(),
        );
    }

    fn actions(settings: &StageSettings) -> Result<Actions, StageError> {
        Ok(Actions {
            actions_repository: RepoSlug::new("tenantry/tenantry")?,
            actions_ref: settings.actions_ref.clone(),
            actions_version: env!("CARGO_PKG_VERSION").into(),
        })
    }

    async fn customers(&mut self, settings: &StageSettings) -> Result<(), StageError> {
        for (id, repository, user, _) in TENANTS {
            let project = repository.split('/').nth(1).unwrap_or("project");
            let plan = CustomerPlan {
                project: project.into(),
                environments: environments()?,
                branch: "main".into(),
                actions: Self::actions(settings)?,
            };
            let made = self
                .admin("POST", "/_local/repos", json!({
                    "repo": repository, "user": user, "files": object(customer(&plan)?),
                    "variables": {"MANAGER_REPO_OWNER": "ops", "MANAGER_REPO_NAME": "infra-manager"},
                }))
                .await?;
            self.admin(
                "POST",
                "/_local/collaborators",
                json!({"repo": repository, "user": BOT, "permission": "write"}),
            )
            .await?;
            self.tenants.push(Tenant {
                id,
                repository,
                user,
                repository_id: made["id"].as_u64().unwrap_or(0),
            });
        }
        Ok(())
    }

    async fn manager(&mut self, settings: &StageSettings) -> Result<(), StageError> {
        let plan = ManagerPlan {
            manager: RepoSlug::new(MANAGER)?,
            environments: environments()?,
            bucket: "unused-bucket".into(),
            region: "eu-west-1".into(),
            own_environments: settings.own_environments,
            recipient: self.identity.recipient(),
            audit_key: self.audit.public().to_string(),
            audit_bucket: None,
            actions: Self::actions(settings)?,
        };
        let mut files: BTreeMap<String, String> = manager(&plan)?.into_iter().collect();
        files.insert("tenantry.yml".into(), self.settings_file(settings));
        if settings.engine == Engine::Argocd {
            files.retain(|path, _| !path.starts_with("products/web/terraform/"));
            if let Some(product) = files.get_mut("products/web/product.yaml") {
                *product = product.replace("engine: terraform", "engine: argocd");
            }
            self.admin(
                "POST",
                "/_local/repos",
                json!({"repo": GITOPS, "user": REVIEWER, "files": {"README.md": "# GitOps\n"}}),
            )
            .await?;
        }
        for (tenant, (_, _, _, name)) in self.tenants.iter().zip(TENANTS) {
            let metadata = format!(
                "customer: {}\nname: {name}\nrepository: {}\nrepository_id: {}\n",
                tenant.id, tenant.repository, tenant.repository_id
            );
            files.insert(format!("customers/{}/metadata.yaml", tenant.id), metadata);
            files.insert(
                format!("customers/{}/products.yaml", tenant.id),
                "products:\n  - name: web\n".into(),
            );
        }
        files.extend(settings.overrides.iter().cloned());
        self.admin("POST", "/_local/repos", json!({"repo": MANAGER, "user": REVIEWER, "files": object(files.into_iter().collect())})).await?;
        self.admin(
            "POST",
            "/_local/collaborators",
            json!({"repo": MANAGER, "user": REVIEWER, "permission": "admin"}),
        )
        .await?;
        self.admin(
            "POST",
            "/_local/collaborators",
            json!({"repo": MANAGER, "user": "dispatcher", "permission": "write"}),
        )
        .await?;
        let mut repos: Map<String, Value> = self.tenants.iter().map(|t| (t.repository.to_owned(), json!({"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write", "statuses": "write"}))).collect();
        if settings.engine == Engine::Argocd {
            self.admin(
                "POST",
                "/_local/collaborators",
                json!({"repo": GITOPS, "user": BOT, "permission": "write"}),
            )
            .await?;
            repos.insert(
                GITOPS.into(),
                json!({"metadata": "read", "contents": "write"}),
            );
        }
        let source = self
            .admin(
                "POST",
                "/_local/tokens",
                json!({"user": BOT, "repos": repos}),
            )
            .await?;
        self.keep(BOT, &source);
        let dispatch = self.admin("POST", "/_local/tokens", json!({"user": "dispatcher", "repos": {MANAGER: {"metadata": "read", "contents": "write"}}})).await?;
        self.keep("dispatch", &dispatch);
        let source = source["token"].clone();
        self.secret(MANAGER, None, "SOURCE_REPOS_PAT", &source)
            .await?;
        let audit = json!(self.audit.expose());
        self.secret(MANAGER, None, "TENANTRY_AUDIT_KEY", &audit)
            .await?;
        for (name, value) in &settings.secrets {
            self.secret(MANAGER, None, name, &json!(value)).await?;
        }
        if settings.hints == Hints::Direct {
            for tenant in self.tenants.clone() {
                self.secret(
                    tenant.repository,
                    None,
                    "MANAGER_REPO_PAT",
                    &dispatch["token"],
                )
                .await?;
            }
        }
        Ok(())
    }

    async fn secret(
        &self,
        repository: &str,
        environment: Option<&str>,
        name: &str,
        value: &Value,
    ) -> Result<(), StageError> {
        self.admin(
            "POST",
            "/_local/secrets",
            json!({"repo": repository, "environment": environment, "name": name, "value": value}),
        )
        .await
        .map(|_| ())
    }

    fn settings_file(&self, settings: &StageSettings) -> String {
        let (api, issuer) = {
            let state = self.server.state();
            (state.api_root(), state.issuer_url())
        };
        let mode = match settings.hints {
            Hints::Direct => "direct",
            Hints::Poll => "poll",
        };
        let storage = settings.storage.clone().unwrap_or_else(|| {
            format!(
                "store:\n  url: file://{}\n  seal_recipient: {}\nstate:\n  backend: local\n  path: {}\n",
                self.store_dir().display(),
                self.identity.recipient(),
                self.state_dir().display()
            )
        });
        let storage = storage.replace("RECIPIENT", &self.identity.recipient());
        let gitops = match settings.engine {
            Engine::Argocd => format!("engines:\n  argocd:\n    repository: {GITOPS}\n"),
            Engine::Terraform => String::new(),
        };
        let own = match settings.own_environments {
            true => "customers:\n  own_environments: true\n",
            false => "",
        };
        format!(
            "version: 1\nmanager: {MANAGER}\ngithub:\n  api_url: {api}\n  oidc_issuer: {issuer}\nhints:\n  mode: {mode}\n{storage}{gitops}{own}audit:\n  public_key: {}\n  required: true\ngates:\n  staging:\n    approval: none\n  production:\n    approval: required\n",
            self.audit.public()
        )
    }

    /// Environments with reviewers, and rulesets that close every branch and tag.
    async fn protect(&self, hints: Hints) -> Result<(), StageError> {
        let reviewer = self
            .admin("GET", &format!("/users/{REVIEWER}"), Value::Null)
            .await?["id"]
            .clone();
        for name in [
            "staging-plan",
            "production-plan",
            "staging-apply",
            "production-apply",
        ] {
            let protection = match name {
                "production-apply" => {
                    json!({"reviewers": [{"type": "User", "id": reviewer}], "prevent_self_review": true})
                }
                _ => json!({}),
            };
            self.admin(
                "PUT",
                &format!("/repos/{MANAGER}/environments/{name}"),
                protection,
            )
            .await?;
            if name.ends_with("-apply") {
                self.secret(
                    MANAGER,
                    Some(name),
                    "TENANTRY_SEAL_IDENTITY",
                    &json!(self.identity.expose()),
                )
                .await?;
            }
        }
        if hints == Hints::Direct {
            for target in ["branch", "tag"] {
                self.admin("POST", &format!("/repos/{MANAGER}/rulesets"), json!({
                    "name": format!("closed {target}"), "target": target, "enforcement": "active",
                    "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
                    "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}],
                    "bypass_actors": [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}],
                }))
                .await?;
            }
        }
        Ok(())
    }
}

fn accept(method: &str, path: &str, status: u16, answer: Value) -> Result<Value, StageError> {
    if (200..300).contains(&status) {
        return Ok(answer);
    }
    Err(StageError::Refused {
        call: format!("{method} {path}"),
        status,
        body: answer.to_string(),
    })
}

fn environments() -> Result<Vec<EnvironmentId>, StageError> {
    Ok(vec![
        EnvironmentId::new("staging")?,
        EnvironmentId::new("production")?,
    ])
}

fn object(files: Vec<(String, String)>) -> Value {
    Value::Object(
        files
            .into_iter()
            .map(|(k, v)| (k, Value::String(v)))
            .collect(),
    )
}
