//! What every step of the manager needs: the estate, both clients, the store, this run.

use super::env::Env;
use super::error::CliError;
use super::folder;
pub use super::github::{api_url, client, client_of, settings, source};
use super::print::Printer;
use crate::audit::Log;
use crate::audit::key::{KeyError, PublicKey, SigningKey};
use crate::clock::Clock;
use crate::delivery::plan::{Hide, Machine};
use crate::delivery::records::RunRef;
use crate::delivery::{Manager, RunInfo};
use crate::engine::launch::Child;
use crate::engine::redact::Redactor;
use crate::estate::jobs::Job;
use crate::estate::resolve::Rules;
use crate::estate::settings::{AuditKey, Settings};
use crate::estate::{Estate, RepoSlug, Sha};
use crate::github::model::User;
use crate::store::Store;
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// Flags that every step has.
#[derive(Debug, Clone, clap::Args)]
pub struct StepArgs {
    /// Folder of the manager repository.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".",
        env = "TENANTRY_ESTATE",
        hide_env = true
    )]
    pub estate: PathBuf,
}

/// Flags of a step for one stack of a request.
#[derive(Debug, Clone, clap::Args)]
pub struct StackArgs {
    /// The estate.
    #[command(flatten)]
    pub step: StepArgs,
    /// The request, such as `acme/push-<commit>`.
    #[arg(long, env = "TENANTRY_REQUEST", hide_env = true)]
    pub request: crate::delivery::records::RequestName,
    /// The stack, such as `acme/web/staging`.
    #[arg(long, env = "TENANTRY_STACK", hide_env = true)]
    pub stack: crate::estate::StackId,
}

impl StackArgs {
    /// The manager, for a job that works on this stack.
    pub fn manager(&self, env: &Env, job: Job) -> Result<Manager, CliError> {
        manager_for(&self.step, env, job, std::slice::from_ref(&self.stack))
    }
}

/// Refuses to work in a job whose GitHub environment is not the stack's: its secrets and its
/// protection would be another environment's.
fn in_environment(
    env: &Env,
    settings: &Settings,
    stack: &crate::estate::StackId,
    job: Job,
) -> Result<(), CliError> {
    let wanted = settings.environment_of(job, stack);
    let hint = match settings.own_environments {
        true => "write the workflows again with `tenantry init manager --own-environments`",
        false => "write the workflows again with `tenantry init manager`",
    };
    match env.get("TENANTRY_ENVIRONMENT") {
        Some(name) if name != wanted => Err(CliError::failed(format!(
            "this job runs in environment `{}`, but `{stack}` needs `{wanted}`",
            crate::estate::ids::shown(name)
        ))
        .hint(hint)),
        None if settings.own_environments && env.in_actions() => Err(CliError::failed(format!(
            "this job does not say in which environment it runs, and `{stack}` needs `{wanted}`"
        ))
        .hint(hint)),
        _ => Ok(()),
    }
}

/// Reads and checks the estate.
pub fn estate(root: &Path) -> Result<(Estate, Rules), CliError> {
    let estate = Estate::read(folder::read(root)?)?;
    let rules = Rules::of(&estate)?;
    Ok((estate, rules))
}

/// The event that started this run.
pub fn event(env: &Env, flag: Option<&Path>) -> Result<Value, CliError> {
    let path = flag
        .map(Path::to_owned)
        .or_else(|| env.get("GITHUB_EVENT_PATH").map(PathBuf::from));
    let path = path.ok_or_else(|| {
        CliError::usage("there is no event to read")
            .hint("run this in GitHub Actions, or name a file with --event FILE")
    })?;
    let bytes = std::fs::read(&path).map_err(|e| {
        CliError::usage(format!(
            "the event `{}` cannot be read: {e}",
            path.display()
        ))
    })?;
    serde_json::from_slice(&bytes)
        .map_err(|e| CliError::usage(format!("the event `{}` is not JSON: {e}", path.display())))
}

fn number(env: &Env, name: &str) -> Option<u64> {
    env.get(name)?.parse().ok()
}

/// This workflow run, from the runner's variables.
pub fn run_info(env: &Env, event: Option<&Value>) -> RunInfo {
    let id = number(env, "GITHUB_RUN_ID").unwrap_or(0);
    let attempt = number(env, "GITHUB_RUN_ATTEMPT").unwrap_or(1);
    let url = match (env.get("GITHUB_SERVER_URL"), env.get("GITHUB_REPOSITORY")) {
        (Some(server), Some(repository)) => format!("{server}/{repository}/actions/runs/{id}"),
        _ => String::new(),
    };
    let sender = event
        .and_then(|e| e.get("sender"))
        .and_then(|s| serde_json::from_value::<User>(s.clone()).ok());
    RunInfo {
        run: RunRef { id, attempt, url },
        sender,
        commit: env.get("GITHUB_SHA").and_then(|s| Sha::new(s).ok()),
    }
}

/// Puts a manager together.
pub fn manager(args: &StepArgs, env: &Env) -> Result<Manager, CliError> {
    let (estate, rules) = estate(&args.estate)?;
    at_work(estate, rules, env)
}

/// The same for a job that works on these stacks, which must be a job of theirs.
pub fn manager_for(
    args: &StepArgs,
    env: &Env,
    job: Job,
    stacks: &[crate::estate::StackId],
) -> Result<Manager, CliError> {
    let (estate, rules) = estate(&args.estate)?;
    for stack in stacks {
        in_environment(env, &estate.settings, stack, job)?;
    }
    at_work(estate, rules, env)
}

fn at_work(estate: Estate, rules: Rules, env: &Env) -> Result<Manager, CliError> {
    let event = env
        .get("GITHUB_EVENT_PATH")
        .and_then(|p| std::fs::read(p).ok())
        .and_then(|b| serde_json::from_slice::<Value>(&b).ok());
    let api = api_url(env, Some(&estate));
    let repository = match (&estate.settings.manager, env.get("GITHUB_REPOSITORY")) {
        (Some(slug), _) => slug.clone(),
        (None, Some(slug)) => RepoSlug::new(slug).map_err(|e| CliError::usage(e.to_string()))?,
        (None, None) => {
            return Err(CliError::usage("the manager repository is not known")
                .hint("set `manager: owner/name` in tenantry.yml, or GITHUB_REPOSITORY"));
        }
    };
    let token = |name: &str, what: &str| {
        env.get(name)
            .ok_or_else(|| CliError::usage(format!("{name} is not set")).hint(what.to_owned()))
    };
    let own = client(
        env,
        &api,
        Some(token(
            "GITHUB_TOKEN",
            "pass `github.token` of the manager's job",
        )?),
    )?;
    let source = client_of(env, &api, source(env, &estate.settings)?)?;
    let store = estate.settings.store.clone().ok_or_else(|| {
        CliError::usage("no store is set")
            .hint("add `store.url: s3://bucket/prefix` to tenantry.yml")
    })?;
    let store = Store::open(&store, &env.for_store())?;
    let audit = audit_log(&estate.settings, env)?;
    Ok(Manager {
        repository,
        estate,
        rules: Arc::new(rules),
        own,
        source,
        store,
        audit,
        clock: Clock::system(),
        run: run_info(env, event.as_ref()),
        moved: OnceCell::new(),
        places: OnceCell::new(),
        secrets: std::sync::OnceLock::new(),
    })
}

/// The keys that may have signed the audit log, and the one that does now.
pub fn audit_keys(settings: &Settings) -> Result<(Vec<PublicKey>, Option<PublicKey>), CliError> {
    let parse = |text: &AuditKey| {
        text.as_str().parse::<PublicKey>().map_err(|e| {
            CliError::usage(format!(
                "`{}` in the part `audit` of tenantry.yml is {e}",
                text.as_str()
            ))
        })
    };
    let now = settings.audit.public_key.as_ref().map(parse).transpose()?;
    let mut all: Vec<PublicKey> = now.into_iter().collect();
    for earlier in &settings.audit.previous_keys {
        all.push(parse(earlier)?);
    }
    Ok((all, now))
}

/// How the store of the audit log is opened. A bucket with object lock takes no object without a
/// checksum (docs.aws.amazon.com, "PutObject").
pub fn audit_options(env: &Env) -> Vec<(String, String)> {
    let mut options = env.for_store();
    if env.get("AWS_CHECKSUM_ALGORITHM").is_none() {
        options.push(("aws_checksum_algorithm".into(), "sha256".into()));
    }
    options
}

/// The store that holds the audit log.
pub fn audit_store(settings: &Settings, env: &Env) -> Result<Store, CliError> {
    let url = settings.audit.store.as_ref().or(settings.store.as_ref());
    let url = url.ok_or_else(|| {
        CliError::usage("no store is set")
            .hint("add `store.url: s3://bucket/prefix` to tenantry.yml")
    })?;
    Ok(Store::open(url, &audit_options(env))?)
}

/// The audit log as a step writes it.
fn audit_log(settings: &Settings, env: &Env) -> Result<Log, CliError> {
    let secret = env.get("TENANTRY_AUDIT_KEY");
    let key = secret.map(SigningKey::parse).transpose()?;
    let (_, public) = audit_keys(settings)?;
    if let (Some(key), Some(public)) = (&key, public)
        && key.public() != public
    {
        return Err(KeyError::Pair.into());
    }
    Ok(Log::new(
        audit_store(settings, env)?,
        Clock::system(),
        key,
        settings.audit.required,
    ))
}

/// Says, in the first step of a run, that nothing is signed.
pub fn say_unsigned(manager: &Manager, printer: &Printer) {
    if !manager.audit.signs() {
        printer.progress("warning: the audit records of this run are not signed, because TENANTRY_AUDIT_KEY is not set; docs/audit.md says how to begin");
    }
}

/// The working folder and the engine's environment.
pub fn machine<'a>(env: &'a Env, work: &'a Path, hide: &'a Begun<'a>) -> Machine<'a> {
    Machine {
        hide,
        work,
        path: env.get("PATH").unwrap_or_default(),
        tool_env: env.for_tool(),
        launch: Arc::new(Child),
    }
}

/// A step that says what it does only once the secrets known by then are masked.
#[derive(Debug)]
pub struct Begun<'a> {
    printer: &'a Printer,
    said: OnceLock<()>,
    text: String,
}

impl<'a> Begun<'a> {
    /// Will say `text`.
    pub fn new(printer: &'a Printer, text: String) -> Self {
        Self {
            printer,
            said: OnceLock::new(),
            text,
        }
    }
}

impl Hide for Begun<'_> {
    fn hide(&self, redactor: &Redactor) {
        self.printer.mask(&redactor.masks());
        self.said.get_or_init(|| self.printer.progress(&self.text));
    }
}

/// A private folder for working copies.
pub fn work_folder(env: &Env) -> PathBuf {
    let base = env
        .get("RUNNER_TEMP")
        .or_else(|| env.get("TMPDIR"))
        .unwrap_or("/tmp");
    Path::new(base).join(format!(
        "tenantry-{}-{}",
        std::process::id(),
        crate::store::seal::random_hex()
    ))
}
