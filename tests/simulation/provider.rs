//! The provider: an estate of a few customers with one product, and its keys. The same for every
//! schedule.

use super::cloud::Tool;
use super::hub::{Hub, Person, Repository, Way};
use super::objects::Objects;
use super::world::{Job, clock};
use object_store::memory::InMemory;
use serde_json::json;
use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use tenantry::audit::Log;
use tenantry::audit::key::SigningKey;
use tenantry::delivery::plan::{Hide, Machine};
use tenantry::delivery::records::RunRef;
use tenantry::delivery::{Manager, RunInfo};
use tenantry::engine::redact::Redactor;
use tenantry::estate::files::Files;
use tenantry::estate::resolve::Rules;
use tenantry::estate::{Estate, RepoSlug, Sha};
use tenantry::github::{Client, ClientSettings};
use tenantry::local::Issuer;
use tenantry::store::Store;
use tenantry::store::seal::SealIdentity;
use tokio::sync::OnceCell;

/// The manager repository.
pub const MANAGER: &str = "ops/infra-manager";
const ISSUER: &str = "https://issuer.test";

/// Customers: id, repository, who works there.
pub const TENANTS: [(&str, &str, Person); 3] = [
    (
        "acme",
        "acme/shop",
        Person {
            login: "alice",
            id: 21,
        },
    ),
    (
        "globex",
        "globex/portal",
        Person {
            login: "gina",
            id: 22,
        },
    ),
    (
        "initech",
        "initech/reports",
        Person {
            login: "ivan",
            id: 23,
        },
    ),
];

/// What does not change.
pub struct Provider {
    /// How many customers there are.
    pub tenants: usize,
    /// The estate, and what it is after the provider has changed it.
    estates: [(Estate, Arc<Rules>); 2],
    /// Opens plans.
    pub identity: SealIdentity,
    /// Signs records.
    pub key: SigningKey,
    issuer: Issuer,
}

/// A customer's file.
pub fn variables(release: &str) -> String {
    format!("release: \"{release}\"\n")
}

/// The provider's layer, which changes once in some schedules.
const BASE: &str = "products/web/base-values.yaml";

/// The commits of the manager repository: before that change, and with it.
pub const ESTATES: [&str; 2] = [
    "e000000000000000000000000000000000000000",
    "e000000000000000000000000000000000000001",
];

fn region(estate: usize) -> String {
    format!("region: region-{estate}\n")
}

/// What a stack is, when a customer's file says `release` and the estate is this one.
pub fn value(release: &str, estate: usize) -> String {
    format!("{release} in region-{estate}")
}

fn estate(files: &Files) -> Result<(Estate, Arc<Rules>), Box<dyn Error>> {
    let estate = Estate::read(files.clone())?;
    let rules = Arc::new(Rules::of(&estate)?);
    Ok((estate, rules))
}

/// A file that the schema refuses.
pub const BROKEN: &str = "relaese: \"slip\"\n";

impl Provider {
    /// Reads the estate of that many customers and makes the keys.
    pub fn new(tenants: usize) -> Result<Self, Box<dyn Error>> {
        let identity = SealIdentity::generate();
        let key = SigningKey::generate()?;
        let mut files = Files::new();
        let settings = format!(
            "version: 1\nmanager: {MANAGER}\ngithub:\n  oidc_issuer: {ISSUER}\nhints:\n  mode: direct\nstore:\n  url: s3://plans/tenantry\n  seal_recipient: {}\nstate:\n  backend: s3\n  bucket: states\n  region: eu-central-1\nengines:\n  terraform:\n    binary: /simulated/terraform\naudit:\n  public_key: {}\n  required: true\ngates:\n  staging:\n    approval: none\n  production:\n    approval: required\n",
            identity.recipient(),
            key.public()
        );
        let mut put = |path: String, text: &str| files.insert(path, text.as_bytes());
        put("tenantry.yml".into(), &settings);
        let product = "products/web";
        put(
            format!("{product}/product.yaml"),
            "engine: terraform\nenvironments: [staging, production]\n",
        );
        put(BASE.into(), &region(0));
        put(
            format!("{product}/values.schema.json"),
            r#"{"$schema": "https://json-schema.org/draft/2020-12/schema", "type": "object", "additionalProperties": false, "required": ["release"],
                "properties": {"release": {"type": "string", "description": "What runs."}, "region": {"type": "string", "description": "Where it runs."}}}"#,
        );
        put(
            format!("{product}/terraform/main.tf"),
            "variable \"release\" {\n  type = string\n}\n\nvariable \"region\" {\n  type = string\n}\n",
        );
        for (i, (id, slug, _)) in TENANTS.iter().take(tenants).enumerate() {
            put(
                format!("customers/{id}/metadata.yaml"),
                &format!(
                    "customer: {id}\nname: {id}\nrepository: {slug}\nrepository_id: {}\n",
                    100 + i
                ),
            );
            put(
                format!("customers/{id}/products.yaml"),
                "products:\n  - name: web\n",
            );
        }
        let first = estate(&files)?;
        files.insert(BASE, region(1).as_bytes());
        Ok(Self {
            tenants,
            estates: [first, estate(&files)?],
            identity,
            key,
            issuer: Issuer::new()?,
        })
    }

    /// GitHub as every schedule finds it: each customer has a first commit.
    pub fn hub(&self) -> Hub {
        let mut hub = Hub {
            jwks: self.issuer.jwks(),
            last: 1_000,
            ..Hub::default()
        };
        for (i, (_, slug, who)) in TENANTS.iter().take(self.tenants).enumerate() {
            let repository = Repository {
                id: 100 + u64::try_from(i).unwrap_or(0),
                ..Repository::default()
            };
            hub.repositories.insert((*slug).to_owned(), repository);
            let sha = hub.commit(slug, *who, &variables("r0"));
            if let Some(repository) = hub.repositories.get_mut(*slug) {
                repository.head = sha;
            }
        }
        hub
    }

    /// The payload of a dispatch, with an identity that the issuer signed.
    pub fn payload(
        &self,
        tenant: usize,
        sha: &str,
        pull: Option<u64>,
        number: u64,
    ) -> serde_json::Value {
        let (_, slug, who) = TENANTS[tenant];
        let now = clock().now().0;
        let (event, reference) = match pull {
            Some(n) => ("pull_request", format!("refs/pull/{n}/merge")),
            None => ("push", "refs/heads/main".to_owned()),
        };
        let identity = self.issuer.sign(&json!({
            "iss": ISSUER, "aud": format!("tenantry:{MANAGER}"), "sub": format!("repo:{slug}:ref:{reference}"),
            "jti": format!("jti-{number}"), "iat": now, "nbf": now - 300, "exp": now + 600,
            "repository": slug, "repository_id": (100 + tenant).to_string(), "repository_owner_id": "1",
            "ref": reference, "sha": sha, "event_name": event, "actor": who.login, "actor_id": who.id.to_string(), "run_id": number.to_string(),
        }));
        let mut payload = json!({
            "tenantry": 1, "request_id": format!("run-{number}-1"), "repository": slug, "repository_id": 100 + tenant,
            "sha": sha, "ref": reference, "event": event, "identity": identity,
        });
        if let Some(n) = pull {
            payload["pull_request"] = json!(n);
        }
        payload
    }

    /// A client of one job.
    pub fn client(&self, job: &Job) -> Client {
        let settings = ClientSettings::new("https://api.github.test", None);
        Client::over(settings, Arc::new(Way { job: job.clone() }))
    }

    /// The manager as one job finds it.
    pub fn manager(&self, job: &Job, storage: &Arc<InMemory>) -> Result<Manager, Box<dyn Error>> {
        let (estate, rules) = self.estates[job.estate].clone();
        let objects = Objects {
            inner: storage.clone(),
            job: job.clone(),
        };
        let store = Store::over(Arc::new(objects));
        Ok(Manager {
            repository: RepoSlug::new(MANAGER)?,
            estate,
            rules,
            own: self.client(job),
            source: self.client(job),
            audit: Log::new(store.clone(), clock(), Some(self.key.clone()), true),
            store,
            clock: clock(),
            run: RunInfo {
                run: RunRef {
                    id: job.run,
                    attempt: job.attempt,
                    url: String::new(),
                },
                sender: None,
                commit: Some(Sha::new(ESTATES[job.estate])?),
            },
            moved: OnceCell::new(),
            places: OnceCell::new(),
            secrets: std::sync::OnceLock::new(),
        })
    }
}

/// The simulated log shows nothing, so nothing is to be hidden.
#[derive(Debug)]
pub struct Dark;

impl Hide for Dark {
    fn hide(&self, _: &Redactor) {}
}

/// The machine of one job.
pub fn machine<'a>(job: &Job, work: &'a Path) -> Machine<'a> {
    Machine {
        work,
        path: "/simulated",
        tool_env: Vec::new(),
        hide: &Dark,
        launch: Arc::new(Tool { job: job.clone() }),
    }
}
