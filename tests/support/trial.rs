//! One change driven step by step in this process: what a workflow run would do, but so that a test
//! can put its hand between any two steps.

use super::{path, settings, variables};
use serde_json::{Value, json};
use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tenantry::audit::Log;
use tenantry::clock::Clock;
use tenantry::delivery::apply::apply;
use tenantry::delivery::hint::Event;
use tenantry::delivery::open::{Opened, Reason, open};
use tenantry::delivery::plan::{Hide, Machine, plan};
use tenantry::delivery::records::{ApplyRecord, PlanRecord, Request, RequestName, RunRef, keys};
use tenantry::delivery::{DeliveryError, Manager, RunInfo};
use tenantry::engine::launch::Child;
use tenantry::engine::redact::Redactor;
use tenantry::estate::resolve::Rules;
use tenantry::estate::{Estate, Files, RepoSlug, Sha, StackId};
use tenantry::github::model::User;
use tenantry::github::{Client, ClientSettings, Token};
use tenantry::local::RunnerSettings;
use tenantry::local::model::Approval;
use tenantry::local::stage::{BOT, Engine, Hints, MANAGER, REVIEWER, Stage, Tenant};
use tenantry::store::Store;
use tokio::sync::OnceCell;

type Made<T> = Result<T, Box<dyn Error>>;

#[derive(Debug)]
struct Nothing;

impl Hide for Nothing {
    fn hide(&self, _: &Redactor) {}
}

/// A manager in this process, on a local GitHub whose workflows nobody runs.
pub struct Trial {
    pub stage: Stage,
    pub acme: Tenant,
    pub manager: Manager,
    work: PathBuf,
    run: u64,
    _dir: tempfile::TempDir,
}

pub fn stack(text: &str) -> StackId {
    match text.parse() {
        Ok(stack) => stack,
        Err(e) => panic!("{e}"),
    }
}

pub fn production() -> StackId {
    stack("acme/web/production")
}

pub fn staging() -> StackId {
    stack("acme/web/staging")
}

/// The word of a refusal, for a message.
pub fn code<T: std::fmt::Debug>(result: Result<T, DeliveryError>) -> String {
    match result {
        Err(DeliveryError::Refused(refusal)) => refusal.code.to_owned(),
        other => format!("{other:?}"),
    }
}

fn client(url: &str, token: Option<&String>) -> Made<Client> {
    let mut settings = ClientSettings::new(url, token.map(Token::new));
    settings.pace = Duration::ZERO;
    settings.retry = Duration::from_millis(20);
    settings.timeout = Duration::from_secs(5);
    Ok(Client::new(settings)?)
}

impl Trial {
    /// A provider and three customers; nothing has happened yet.
    pub async fn new(engine: Engine) -> Made<Self> {
        Self::with(engine, Hints::Direct, Vec::new()).await
    }

    pub async fn with(
        engine: Engine,
        hints: Hints,
        overrides: Vec<(String, String)>,
    ) -> Made<Self> {
        let dir = tempfile::tempdir()?;
        let mut wanted = settings(dir.path(), engine, hints, RunnerSettings::hold(&path()))?;
        wanted.overrides = overrides;
        let stage = Stage::set(wanted).await?;
        let acme = stage.tenant("acme").ok_or("acme")?.clone();
        let estate = Estate::read(checkout(&stage).await?)?;
        let rules = Rules::of(&estate)?;
        let store = Store::open(&format!("file://{}", stage.store_dir().display()), &[])?;
        let clock = Clock::system();
        let audit = Log::new(store.clone(), clock, Some(stage.audit.clone()), true);
        let url = stage.server.url.clone();
        let manager = Manager {
            repository: RepoSlug::new(MANAGER)?,
            estate,
            rules: Arc::new(rules),
            own: client(&url, stage.tokens.get(REVIEWER))?,
            source: client(&url, stage.tokens.get(BOT))?,
            store,
            audit,
            clock,
            run: RunInfo {
                run: RunRef {
                    id: 0,
                    attempt: 1,
                    url: String::new(),
                },
                sender: None,
                commit: None,
            },
            moved: OnceCell::new(),
            places: OnceCell::new(),
            secrets: std::sync::OnceLock::new(),
        };
        let mut trial = Self {
            work: dir.path().join("work"),
            stage,
            acme,
            manager,
            run: 0,
            _dir: dir,
        };
        trial.another_run().await?;
        Ok(trial)
    }

    /// A new workflow run of the manager; its id.
    pub async fn another_run(&mut self) -> Made<u64> {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let token = self
            .stage
            .tokens
            .get("dispatch")
            .cloned()
            .unwrap_or_default();
        let id = format!("trial-{:08}", COUNT.fetch_add(1, Ordering::SeqCst));
        let made = self
            .stage
            .dispatch(&token, &json!({"request_id": id}))
            .await;
        assert_eq!(made, 204);
        let runs = self.stage.admin("GET", "/_local/runs", Value::Null).await?;
        let ids = runs.as_array().into_iter().flatten();
        let last = ids
            .filter(|r| r["repo"] == MANAGER)
            .filter_map(|r| r["id"].as_u64())
            .max();
        self.run = last.ok_or("no run")?;
        self.manager.run.run.id = self.run;
        Ok(self.run)
    }

    /// The identity's issuer.
    pub fn issuer(&self) -> Made<Client> {
        client(&format!("{}/_oidc", self.stage.server.url), None)
    }

    /// Changes acme's file on `main`; the commit.
    pub async fn push(&self, max: u32) -> Made<Sha> {
        let text = variables("shop", max);
        let made = self
            .stage
            .commit(&self.acme, "main", "infra/variables.yml", &text, "Change")
            .await?;
        Ok(Sha::new(&made)?)
    }

    /// Opens a request for what `event` says of acme.
    pub async fn open(&self, event: Event, sha: &Sha) -> Result<Opened, DeliveryError> {
        self.open_from(event, sha, None).await
    }

    pub async fn open_from(
        &self,
        event: Event,
        sha: &Sha,
        sender: Option<User>,
    ) -> Result<Opened, DeliveryError> {
        let Some(customer) = self
            .manager
            .estate
            .customers
            .values()
            .find(|c| c.id.as_str() == "acme")
        else {
            panic!("acme")
        };
        let reason = Reason {
            hint: None,
            sender,
            again: false,
        };
        open(&self.manager, customer, event, sha, reason).await
    }

    /// Pushes, opens and plans both stacks; the request.
    pub async fn planned(&self, max: u32) -> Made<Request> {
        let sha = self.push(max).await?;
        let request = match self.open(Event::Push, &sha).await? {
            Opened::Work(request) => request,
            other => return Err(format!("{other:?}").into()),
        };
        for stack in [staging(), production()] {
            self.plan(&request.name, &stack).await?;
        }
        Ok(request)
    }

    /// The same, with staging applied, so that production is next.
    pub async fn at_production(&self) -> Made<Request> {
        let request = self.planned(3).await?;
        self.apply(&request.name, &staging()).await?;
        Ok(request)
    }

    fn machine<'a>(&'a self, path: &'a str) -> Machine<'a> {
        Machine {
            work: &self.work,
            path,
            tool_env: Vec::new(),
            hide: &Nothing,
            launch: Arc::new(Child),
        }
    }

    pub async fn plan(
        &self,
        name: &RequestName,
        stack: &StackId,
    ) -> Result<PlanRecord, DeliveryError> {
        let path = path();
        plan(&self.manager, name, stack, &self.machine(&path)).await
    }

    pub async fn apply(
        &self,
        name: &RequestName,
        stack: &StackId,
    ) -> Result<ApplyRecord, DeliveryError> {
        let path = path();
        let identity = &self.stage.identity;
        apply(&self.manager, name, stack, identity, &self.machine(&path)).await
    }

    /// What a reviewer decides about production in this run.
    pub async fn decide(&self, login: &str, state: &str) -> Made<()> {
        let environment = self
            .stage
            .admin(
                "GET",
                &format!("/repos/{MANAGER}/environments/production-apply"),
                Value::Null,
            )
            .await?;
        let user = self.user(login).await?;
        let approval = Approval {
            state: state.to_owned(),
            user: user.id,
            comment: "looked at".to_owned(),
            environments: environment["id"].as_u64().into_iter().collect(),
        };
        let mut github = self.stage.server.state();
        let run = github.runs.get_mut(&self.run).ok_or("no run")?;
        run.approvals.push(approval);
        Ok(())
    }

    pub async fn user(&self, login: &str) -> Made<User> {
        let user = self
            .stage
            .admin("GET", &format!("/users/{login}"), Value::Null)
            .await?;
        Ok(serde_json::from_value(user)?)
    }

    /// Changes a record of the store by hand.
    pub async fn edit<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        key: &str,
        change: impl Fn(&mut T),
    ) -> Made<()> {
        let (mut record, _) = self
            .manager
            .store
            .read::<T>(key)
            .await?
            .ok_or("no record")?;
        change(&mut record);
        Ok(self.manager.store.write_json(key, &record).await?)
    }

    pub fn plan_key(&self, request: &Request, stack: &StackId) -> String {
        keys::plan(&request.name, stack)
    }

    /// Whether production holds anything of acme.
    pub fn applied(&self) -> bool {
        let record = self
            .stage
            .store_dir()
            .join("applied/acme/web/production.json");
        record.exists()
    }

    pub async fn end(self) {
        self.stage.server.stop().await;
    }
}

/// The manager repository as files.
async fn checkout(stage: &Stage) -> Made<Files> {
    let mut files = Files::new();
    for (path, bytes) in super::manager_files(stage).await? {
        let ours = ["tenantry.yml", "customers/", "products/", "policies/"];
        if ours.iter().any(|o| path.starts_with(o)) {
            files.insert(path, bytes);
        }
    }
    Ok(files)
}
