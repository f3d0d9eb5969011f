//! `tenantry audit`: check the log of what was done, hand a customer their part of it, and answer
//! an auditor's questions from it.

mod export;
mod head;
mod render;
mod report;
mod verify;

use crate::audit::head::Kept;
use crate::audit::key::PublicKey;
use crate::audit::snapshot::Snapshot;
use crate::audit::verify::{Verdict, Wanted};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step;
use crate::estate::settings::{PATH, Settings};
use crate::estate::{CustomerId, Estate, Files};
use crate::store::Store;
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Find what was removed, changed, reordered, doubled, forged, rolled back or forked.
    #[command(after_help = verify::AFTER)]
    Verify(verify::Args),
    /// Print the head of the log, to be kept somewhere else.
    #[command(after_help = head::AFTER)]
    Head(head::Args),
    /// Write one customer's records, with the proof that they are in the log.
    #[command(after_help = export::AFTER)]
    Export(export::Args),
    /// Evidence for a control: every apply of a period, who wrote and approved it, exceptions.
    #[command(after_help = report::AFTER)]
    Report(report::Args),
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::Verify(args) => verify::run(args, env, printer).await,
        What::Head(args) => head::run(args, env, printer).await,
        What::Export(args) => export::run(args, env, printer).await,
        What::Report(args) => report::run(args, env, printer).await,
    }
}

/// Where the log is, and whose signatures count.
#[derive(Debug, clap::Args)]
struct LogArgs {
    /// Folder of the manager repository; its tenantry.yml names store and public key.
    #[arg(
        long,
        value_name = "DIR",
        default_value = ".",
        env = "TENANTRY_ESTATE",
        hide_env = true
    )]
    estate: PathBuf,
    /// The store that holds the log, instead of the estate's.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// A public key of the manager, `ed25519:…`; repeat it for keys of earlier times.
    #[arg(long, value_name = "KEY")]
    public_key: Vec<PublicKey>,
}

/// The log, opened.
struct Opened {
    /// The store that holds the log.
    log: Store,
    /// The store that holds everything else.
    store: Store,
    keys: Vec<PublicKey>,
}

impl LogArgs {
    fn open(&self, env: &Env) -> Result<Opened, CliError> {
        if let Some(url) = &self.store {
            return Ok(Opened {
                log: Store::open(url, &step::audit_options(env))?,
                store: Store::open(url, &env.for_store())?,
                keys: self.public_key.clone(),
            });
        }
        let settings = settings(&self.estate)?;
        let (keys, _) = step::audit_keys(&settings)?;
        let url = settings.store.as_ref().ok_or_else(|| {
            CliError::usage("no store is set")
                .hint("add `store.url` to tenantry.yml, or name it with --store URL")
        })?;
        Ok(Opened {
            log: step::audit_store(&settings, env)?,
            store: Store::open(url, &env.for_store())?,
            keys: keys.into_iter().chain(self.public_key.clone()).collect(),
        })
    }
}

impl Opened {
    /// Reads the log and judges it.
    async fn verdict(
        &self,
        only: Option<&CustomerId>,
        heads: Vec<Kept>,
    ) -> Result<Verdict, CliError> {
        let snapshot = Snapshot::read(&self.log, only).await?;
        Ok(crate::audit::verify::verify(
            &snapshot,
            &Wanted {
                keys: self.keys.clone(),
                heads,
                only: only.cloned(),
            },
        ))
    }
}

/// The settings alone: what else is in the estate may be broken, and the log is still to be read.
fn settings(estate: &Path) -> Result<Settings, CliError> {
    let path = estate.join(PATH);
    let bytes = std::fs::read(&path).map_err(|e| {
        CliError::usage(format!("`{}` cannot be read: {e}", path.display()))
            .hint("name the manager repository with --estate DIR, or the store with --store URL")
    })?;
    let mut files = Files::new();
    files.insert(PATH, bytes);
    Ok(Estate::read(files)?.settings)
}

/// A file that somebody handed over, if it is not larger than `limit`.
fn foreign_file(path: &Path, limit: u64) -> Result<Vec<u8>, CliError> {
    let failed =
        |e: std::io::Error| CliError::usage(format!("`{}` cannot be read: {e}", path.display()));
    let mut bytes = Vec::new();
    let file = std::fs::File::open(path).map_err(failed)?;
    file.take(limit + 1)
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if bytes.len() as u64 > limit {
        return Err(CliError::usage(format!(
            "`{}` is larger than {limit} bytes",
            path.display()
        )));
    }
    Ok(bytes)
}

/// A record or head that is damaged ends a command with 1.
fn damaged(count: usize) -> CliError {
    CliError::failed(format!(
        "the audit log is not as it was written: {count} finding{}",
        if count == 1 { "" } else { "s" }
    ))
    .hint("docs/audit.md says what each kind means and what to do")
}
