//! `tenantry customer instructions`: a text that is ready to be sent.

use super::credential::file::KeyArgs;
use super::credential::{hand, sealed};
use super::{At, find, owner, refused, store, template};
use crate::cli::commands::pin::{Pin, pinned};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::cli::step;
use crate::delivery::overview;
use crate::estate::credential::{PULL, Status};
use crate::estate::model::Customer;
use crate::estate::{CredentialId, CustomerId, Estate, RepoSlug};
use crate::keyring::Secret;
use crate::setup::instructions::{self as text, Known, Purpose, Standing};
use crate::store::Store;
use serde_json::json;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Behind the help.
pub const AFTER: &str = "--format is md (also as text), html, eml (a mail that waits to be sent) or json. There is no\nsecret in the text without --with-secret. docs/onboarding.md says how to write templates of your own.\n\nExamples:\n  tenantry customer instructions acme --for registry-pull\n  tenantry customer instructions acme --for onboarding --format eml --out acme.eml";

/// What a text is for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum For {
    /// How to pull images.
    RegistryPull,
    /// How to start.
    Onboarding,
    /// How it ends.
    Offboarding,
}

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// The customer.
    customer: CustomerId,
    /// What the text is for.
    #[arg(long = "for", value_enum, default_value_t = For::Onboarding)]
    purpose: For,
    /// File to write; standard output when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    #[command(flatten)]
    pin: Pin,
    /// Do not ask the store what was applied.
    #[arg(long)]
    offline: bool,
    /// Put the token with which images are pulled into the text. Only into a new file that nobody
    /// else can read, and it is written down who did.
    #[arg(long, requires = "out")]
    with_secret: bool,
    /// The credential; the one of purpose `registry-pull` when absent.
    #[arg(long, value_name = "CREDENTIAL", requires = "with_secret")]
    credential: Option<CredentialId>,
    #[command(flatten)]
    key: KeyArgs,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let purpose = match args.purpose {
        For::RegistryPull => Purpose::RegistryPull,
        For::Onboarding => Purpose::Onboarding,
        For::Offboarding => Purpose::Offboarding,
    };
    let (estate, rules) = step::estate(&args.at.estate)?;
    let customer = find(&estate, &args.customer)?;
    let actions = match purpose {
        Purpose::Onboarding => Some(pinned(&args.pin, &args.at.estate, env).await?),
        _ => None,
    };
    let applied = match (purpose, args.offline, store(&estate, env)?) {
        (Purpose::Offboarding, false, Some(store)) => Some(standing(&store, &customer.id).await?),
        _ => None,
    };
    let own = template(
        &args.at.estate,
        text::TEMPLATES,
        &format!("{}.md", purpose.name()),
    )?;
    let manager = manager(&estate, env)?;
    let secret = match args.with_secret {
        true => Some(value(args, customer, purpose, env, printer).await?),
        false => None,
    };
    let known = Known {
        manager: &manager,
        actions: actions.as_ref(),
        applied: applied.as_deref(),
        template: own.as_deref(),
        secret: secret.as_ref(),
    };
    let written = text::write(&estate, &rules, customer, purpose, &known).map_err(refused)?;
    let about = &estate.settings.instructions;
    let document = match printer.format {
        Format::Html => written.page().into_bytes(),
        Format::Eml => {
            let contact = customer.about.contact.as_deref();
            let (mail, to) = text::mail(&written, about.support.as_deref(), contact);
            if to.is_none() {
                printer.progress(&format!(
                    "customer `{}` has no contact that is an address, so the mail is to nobody yet",
                    customer.id
                ));
            }
            mail
        }
        Format::Json => {
            let model = json!({
                "version": 1, "customer": customer.id, "for": purpose.name(),
                "title": written.title, "markdown": written.markdown,
            });
            serde_json::to_vec_pretty(&model)?
        }
        _ => written.markdown.clone().into_bytes(),
    };
    match &args.out {
        Some(out) => {
            match &secret {
                Some(_) => keep(out, &document)?,
                None => folder::write(out, &document)?,
            }
            printer.progress(&format!("wrote `{}` to {}", written.title, out.display()));
        }
        None => printer.document(&String::from_utf8_lossy(&document)),
    }
    Ok(Exit::Done)
}

/// The value that is asked for. That somebody took it is in the encrypted file before it is
/// anywhere else.
async fn value(
    args: &Args,
    customer: &Customer,
    purpose: Purpose,
    env: &Env,
    printer: &Printer,
) -> Result<Secret, CliError> {
    if purpose != Purpose::RegistryPull {
        return Err(CliError::usage(
            "--with-secret is for `--for registry-pull` alone; no other text has a place for it",
        ));
    }
    if env.in_actions() {
        return Err(CliError::failed(
            "a secret is not written into a file on a runner, where whatever runs later can read it",
        )
        .hint("run it on your own machine"));
    }
    if let Some(out) = args.out.as_ref().filter(|o| o.symlink_metadata().is_ok()) {
        return Err(there(out));
    }
    let id = match &args.credential {
        Some(id) => id.clone(),
        None => the_one(customer)?,
    };
    let key = args.key.key(env).await?;
    let mut keyring = args.key.open(key, env, printer)?;
    let found = keyring.content().find(&customer.id, &id);
    let value = found.map(|k| k.value.clone()).ok_or_else(|| {
        CliError::failed(format!(
            "the value of `{id}` of customer `{}` is not kept in {}",
            customer.id,
            keyring.path().display()
        ))
        .hint("only whoever made it may still have it; otherwise `tenantry customer credential rotate`")
    })?;
    let hand = hand(env)?;
    keyring
        .change(|c| {
            c.note(
                "written into instructions",
                &hand.by,
                hand.now,
                &customer.id,
                &id,
            );
        })
        .map_err(sealed)?;
    Ok(value)
}

/// The credential of the purpose, if there is just one in use.
fn the_one(customer: &Customer) -> Result<CredentialId, CliError> {
    let all: Vec<&CredentialId> = customer
        .credentials
        .iter()
        .filter(|c| c.status == Status::Active && c.purpose.as_str() == PULL)
        .map(|c| &c.id)
        .collect();
    match all.as_slice() {
        [one] => Ok((*one).clone()),
        [] => Err(CliError::failed(format!(
            "customer `{}` has no credential for `{PULL}` in use",
            customer.id
        ))
        .hint(format!(
            "record one: `tenantry customer credential add {} --purpose {PULL} --keep`",
            customer.id
        ))),
        several => {
            let names: Vec<&str> = several.iter().map(|id| id.as_str()).collect();
            Err(CliError::usage(format!(
                "customer `{}` has several credentials for `{PULL}`",
                customer.id
            ))
            .hint(format!("name one with --credential: {}", names.join(", "))))
        }
    }
}

fn there(out: &Path) -> CliError {
    CliError::failed(format!("`{}` is there already", out.display())).hint(
        "a secret goes into a new file, because others may have the old one open; name another one",
    )
}

/// A new file for its owner alone.
fn keep(out: &Path, document: &[u8]) -> Result<(), CliError> {
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(out)
        .map_err(|e| match e.kind() {
            std::io::ErrorKind::AlreadyExists => there(out),
            _ => e.into(),
        })?;
    file.write_all(document)?;
    Ok(file.sync_all()?)
}

/// The manager repository, by the settings or by the run.
pub(super) fn manager(estate: &Estate, env: &Env) -> Result<RepoSlug, CliError> {
    if let Some(slug) = &estate.settings.manager {
        return Ok(slug.clone());
    }
    match (env.get("GITHUB_REPOSITORY"), owner(estate, env)) {
        (Some(slug), Some(_)) => Ok(RepoSlug::new(slug)?),
        _ => Err(CliError::usage("the manager repository is not known")
            .hint("set `manager: owner/name` in tenantry.yml")),
    }
}

/// What of a customer was applied.
pub(super) async fn standing(
    store: &Store,
    customer: &CustomerId,
) -> Result<Vec<Standing>, CliError> {
    let applied = overview::applied(store, Some(customer)).await?;
    Ok(applied
        .into_iter()
        .map(|(stack, last)| Standing {
            stack,
            at: last.at.to_string(),
            commit: last.sha.short().to_owned(),
        })
        .collect())
}
