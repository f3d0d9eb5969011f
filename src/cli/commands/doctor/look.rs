//! Puts together what the checks need, and runs them.

use super::{Flags, Scope};
use crate::cli::contracts::no_such;
use crate::cli::env::Env;
use crate::cli::error::CliError;
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::cli::speakers::{self, Speakers};
use crate::clock::Clock;
use crate::engine::launch::{Child, Launch as _, Run};
use crate::engine::terraform;
use crate::estate::jobs::Job;
use crate::estate::model::Customer;
use crate::estate::settings::StateBackend;
use crate::estate::{CustomerId, EnvironmentId, Estate, RepoSlug, Sha};
use crate::github::budget::Budget;
use crate::github::{Answers, Client};
use crate::registry::scaffold::{self, Actions, CustomerPlan, ManagerPlan};
use crate::setup::doctor::fleet::Fleet;
use crate::setup::doctor::repair::{Done, Hands};
use crate::setup::doctor::workflow::Expected;
use crate::setup::doctor::{
    Repair, Seen, Sheet, credential, environment, manager, seen, storage, trust,
};
use crate::store::Store;
use crate::store::bucket::{Bucket, BucketError};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use tokio::sync::OnceCell;

/// What the checks need.
pub struct World<'a> {
    env: &'a Env,
    flags: &'a Flags,
    estate: Estate,
    manager: RepoSlug,
    /// Who looks at settings, and repairs them.
    reader: Client,
    /// Who serves customers; none where this machine does not have it.
    source: Option<Client>,
    store: Option<Store>,
    clock: Clock,
    pin: OnceCell<Seen<Sha>>,
}

impl<'a> World<'a> {
    /// Reads the estate and makes the clients. Nothing is asked yet.
    pub fn new(flags: &'a Flags, env: &'a Env) -> Result<Self, CliError> {
        let estate = Estate::read(folder::read(&flags.estate)?)?;
        let manager = speakers::manager(env, &estate)?;
        let Speakers { reader, source } = Speakers::new(env, &estate)?;
        let url = estate.settings.store.as_ref();
        let store = url
            .map(|url| Store::open(url, &env.for_store()))
            .transpose()?;
        Ok(Self {
            env,
            flags,
            estate,
            manager,
            reader,
            source,
            store,
            clock: Clock::system(),
            pin: OnceCell::new(),
        })
    }

    /// Opens a bucket with this environment's credentials.
    fn bucket(&self, name: &str) -> Result<Bucket, BucketError> {
        let region = match &self.estate.settings.state {
            Some(StateBackend::S3 { region, .. }) => Some(region.as_str()),
            _ => None,
        };
        Bucket::open(name, region, &self.env.for_store())
    }

    /// Repairs.
    pub async fn carry_out(&self, repairs: &[Repair]) -> Vec<Done> {
        let open = |name: &str| self.bucket(name);
        let hands = Hands {
            github: &self.reader,
            store: self.store.as_ref(),
            open: &open,
            now: self.clock.now(),
        };
        hands.carry_out(repairs).await
    }

    /// Says what it will cost, then looks.
    pub async fn look(&self, scope: &Scope, printer: &Printer) -> Result<Sheet, CliError> {
        let customers = self.customers(scope)?;
        let fleet_expected = |branch: &str| self.expected_of_customer(branch);
        self.pin().await;
        let fleet = Fleet {
            estate: &self.estate,
            manager: &self.manager,
            source: self.source.as_ref().unwrap_or(&self.reader),
            reader: &self.reader,
            expected: &fleet_expected,
            store: self.store.as_ref(),
            now: self.clock.now(),
        };
        let mut budget = fleet.budget(&customers);
        if !matches!(scope, Scope::Customer(_)) {
            budget += self.budget_of_manager();
        }
        let left = self.reader.calls_left().await;
        printer.progress(&format!(
            "looking at {}{}: {}",
            match scope {
                Scope::Customer(id) => format!("customer {id}"),
                _ => self.manager.to_string(),
            },
            match scope {
                Scope::All => format!(" and {} customers", customers.len()),
                _ => String::new(),
            },
            budget.line(left)
        ));
        if let Some(warning) = budget.warning(left) {
            printer.progress(&format!("warning: {warning}"));
        }
        let mut sheet = Sheet::default();
        if !matches!(scope, Scope::Customer(_)) {
            sheet.extend(self.manager().await?);
        }
        sheet.extend(fleet.check(&customers).await);
        Ok(sheet)
    }

    /// A customer by id.
    pub fn customer(&self, id: &CustomerId) -> Result<&Customer, CliError> {
        let all = &self.estate.customers;
        all.get(id)
            .ok_or_else(|| no_such("customer", id.as_str(), all.keys().map(CustomerId::as_str)))
    }

    /// The GitHub environment in which a customer's jobs run.
    pub fn environment_of(
        &self,
        job: Job,
        customer: &CustomerId,
        environment: &EnvironmentId,
    ) -> String {
        let settings = &self.estate.settings;
        settings.job_environment(job, customer, environment)
    }

    /// The manager, as cloud roles know it.
    pub async fn trusted(&self) -> trust::Manager {
        speakers::trusted(&self.reader, &self.manager, &self.estate).await
    }

    /// The roles of the registry, and whom they trust now.
    async fn trust(&self) -> Sheet {
        let roles = trust::roles(&self.estate);
        if roles.is_empty() {
            return Sheet::default();
        }
        let mut policies = BTreeMap::new();
        // Without credentials of AWS, nothing is asked: it would take until all of them are tried.
        let known = self.env.for_store();
        let credentials = ["AWS_ACCESS_KEY_ID", "AWS_WEB_IDENTITY_TOKEN_FILE"];
        if known.iter().any(|(k, _)| credentials.contains(&k.as_str())) {
            for role in &roles {
                if !policies.contains_key(&role.arn) {
                    policies.insert(role.arn.clone(), self.policy(&role.arn).await);
                }
            }
        }
        trust::judge(
            &self.trusted().await,
            &self.estate.settings,
            &roles,
            &policies,
        )
    }

    async fn policy(&self, arn: &str) -> Seen<serde_json::Value> {
        let (_, _, name) = trust::parts(arn).ok_or("it is no ARN of a role")?;
        let cloud = self.bucket("none").map_err(|e| e.to_string())?;
        let role = cloud.role(name).await.map_err(|e| e.to_string())?;
        trust::same(arn, &role.arn)?;
        serde_json::from_str(&role.trust).map_err(|e| format!("the policy is not JSON: {e}"))
    }

    fn customers(&self, scope: &Scope) -> Result<Vec<&Customer>, CliError> {
        let all = &self.estate.customers;
        match scope {
            Scope::Manager => Ok(Vec::new()),
            Scope::All => Ok(all.values().collect()),
            Scope::Customer(id) => Ok(vec![self.customer(id)?]),
        }
    }

    /// About 25 calls, those for the shared environments, and four for each workflow file.
    fn budget_of_manager(&self) -> Budget {
        let estate = &self.estate;
        let shared = environment::shared(estate);
        Budget {
            calls: 25 + environment::calls(estate, &shared, environment::count(estate)) + 12,
            points: 0,
            creates: 0,
        }
    }

    async fn manager(&self) -> Result<Sheet, CliError> {
        let expected = self.expected_of_manager()?;
        let asked = manager::Asked {
            estate: &self.estate,
            repository: &self.manager,
            expected: &expected,
            tool: self.tool().await,
        };
        let facts = manager::read(&self.reader, &asked).await;
        let mut sheet = manager::judge(&asked, &facts);
        let speaks = match &self.source {
            Some(source) => credential::read(source, &self.estate).await,
            None => None,
        };
        let now = self.clock.now();
        sheet.extend(credential::judge(speaks.as_ref(), &self.estate, now));
        let open = |name: &str| self.bucket(name);
        let stored = storage::read(&self.estate, self.store.as_ref(), &open).await;
        sheet.extend(storage::judge(&self.estate, &stored, now));
        sheet.extend(self.trust().await);
        Ok(sheet)
    }

    /// The commit that workflows must name: given, or behind the tag of this version.
    async fn pin(&self) -> &Seen<Sha> {
        self.pin
            .get_or_init(|| async {
                if let Some(sha) = &self.flags.actions_ref {
                    return Ok(sha.clone());
                }
                let tag = format!("actions-v{}", env!("CARGO_PKG_VERSION"));
                let found = self
                    .reader
                    .tag_commit(&self.flags.actions_repository, &tag)
                    .await;
                seen(found).map_err(|why| {
                    format!("the commit of this version is not known ({why}); name it with --actions-ref")
                })
            })
            .await
    }

    fn actions(&self) -> Result<(Actions, Seen<Sha>), CliError> {
        let pin = self.pin.get().cloned();
        let pin = pin.unwrap_or_else(|| Err("it was not asked for".to_owned()));
        // Where it is not known, the pins of the files are not looked at.
        let unknown = Sha::new(&"0".repeat(40)).map_err(|e| CliError::failed(e.to_string()))?;
        let actions = Actions {
            actions_repository: self.flags.actions_repository.clone(),
            actions_ref: pin.clone().unwrap_or(unknown),
            actions_version: env!("CARGO_PKG_VERSION").into(),
        };
        Ok((actions, pin))
    }

    fn expected_of_manager(&self) -> Result<Expected, CliError> {
        let (actions, pin) = self.actions()?;
        let settings = &self.estate.settings;
        let (bucket, region) = match &settings.state {
            Some(StateBackend::S3 { bucket, region, .. }) => (bucket.clone(), region.clone()),
            _ => ("bucket".to_owned(), "eu-west-1".to_owned()),
        };
        let audit = settings.audit.public_key.as_ref();
        let files = scaffold::manager(&ManagerPlan {
            manager: self.manager.clone(),
            environments: self.estate.environments(),
            bucket,
            region,
            own_environments: settings.own_environments,
            recipient: settings.seal_recipient.clone().unwrap_or_default(),
            audit_key: audit.map_or_else(String::new, |k| k.as_str().to_owned()),
            audit_bucket: None,
            actions,
        })?;
        let repository = &self.flags.actions_repository;
        Ok(Expected::new(
            files,
            repository,
            pin,
            env!("CARGO_PKG_VERSION"),
        ))
    }

    fn expected_of_customer(&self, branch: &str) -> Seen<Expected> {
        let (actions, pin) = self.actions().map_err(|e| e.text())?;
        // Only such a name may stand in a workflow.
        let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/');
        if !branch.bytes().all(fine) {
            let shown = crate::estate::ids::shown(branch);
            return Err(format!("the default branch is called `{shown}`"));
        }
        let files = scaffold::customer(&CustomerPlan {
            project: "project".into(),
            environments: self.estate.environments(),
            branch: branch.to_owned(),
            actions,
        });
        let files = files.map_err(|e| e.to_string())?;
        let repository = &self.flags.actions_repository;
        Ok(Expected::new(
            files,
            repository,
            pin,
            env!("CARGO_PKG_VERSION"),
        ))
    }

    /// What plans on this machine, such as `terraform 1.11.4`.
    async fn tool(&self) -> Option<String> {
        let wanted = self.estate.settings.terraform_binary.as_deref();
        let path = self.env.get("PATH").unwrap_or_default();
        let binary = terraform::find(wanted, path).ok()?;
        let env: Vec<_> = self.env.for_tool();
        let run = Run {
            binary: &binary,
            args: &["version", "-json"],
            folder: Path::new("/"),
            env: &env,
            into: None,
        };
        let out = Child.launch(run).await.ok()?;
        let said: serde_json::Value = serde_json::from_slice(&out.stdout).ok()?;
        let version = said.get("terraform_version")?.as_str()?;
        let name = binary.file_name()?.to_str()?;
        Some(format!("{name} {}", crate::estate::ids::shown(version)))
    }
}

/// The kept answers may hold what customers' repositories hold.
const MOST: u64 = 64 << 20;

/// Goes on with the answers of an earlier run.
pub fn remember(flags: &Flags, world: &World<'_>) -> Result<(), CliError> {
    let Some(path) = &flags.answers else {
        return Ok(());
    };
    let bytes = match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(e) => return Err(e.into()),
        Ok(there) if !there.is_file() || there.len() > MOST => {
            return Err(CliError::usage(format!(
                "`{}` is no file of kept answers",
                path.display()
            ))
            .hint("name another file with --answers"));
        }
        Ok(_) => std::fs::read(path)?,
    };
    let answers: Answers = serde_json::from_slice(&bytes).map_err(|e| {
        CliError::usage(format!(
            "`{}` is no file of kept answers: {e}",
            path.display()
        ))
        .hint("remove it; then everything is asked anew")
    })?;
    world.reader.remember(answers);
    Ok(())
}

/// Keeps the answers of this run, for its owner alone.
pub fn keep(flags: &Flags, world: &World<'_>) -> Result<(), CliError> {
    let Some(path) = &flags.answers else {
        return Ok(());
    };
    let bytes = serde_json::to_vec(&world.reader.answers())?;
    let mut beside = path.clone().into_os_string();
    beside.push(format!(".{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(&bytes)?;
    file.sync_all()?;
    Ok(std::fs::rename(&beside, path)?)
}
