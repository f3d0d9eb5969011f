//! `tenantry customer credential`: what customers were given, and what is held for them.

mod add;
mod check;
pub(super) mod file;
mod import;
mod list;
mod revoke;
mod rotate;
mod rotating;
mod show;

use super::{At, Change, find, hold, read, refused};
use crate::cli::commands::validate::today;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format, Printer};
use crate::cli::{ask, step};
use crate::clock::Clock;
use crate::estate::allow::Date;
use crate::estate::credential::{Credential, Moment, days_between};
use crate::estate::{CustomerId, Estate, SecretName, SecretPlace};
use crate::github::{Client, ClientSettings};
use crate::keyring::{KeyringError, Secret};
use crate::registry::credential::{Hand, secret};
use crate::registry::plan::Plan;
use crate::registry::write::Held;
use file::KeyArgs;
use serde_json::{Value, json};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Record a credential of a customer, and keep its value encrypted if asked to.
    #[command(after_help = add::AFTER)]
    Add(add::Args),
    /// List credentials.
    #[command(after_help = list::AFTER)]
    List(list::Args),
    /// Show what is known of one credential; with --reveal its value, on a terminal.
    #[command(after_help = show::AFTER)]
    Show(show::Args),
    /// Put another secret in the place of one: new one first, verified, distributed, then the old
    /// one revoked.
    #[command(after_help = rotate::AFTER)]
    Rotate(rotate::Args),
    /// Take credentials out of service.
    #[command(after_help = revoke::AFTER)]
    Revoke(revoke::Args),
    /// Find credentials that have ended or end soon, do too much, are shared, or that nobody
    /// needs.
    #[command(after_help = check::AFTER)]
    Check(check::Args),
    /// Encrypt the tokens of a list in plain text.
    #[command(after_help = import::AFTER)]
    Import(import::Args),
}

impl Args {
    /// The formats that the result has; of `import`, also that of the list.
    pub(super) fn formats(&self) -> &'static [Format] {
        match self.what {
            What::Import(_) => &[Format::Cased, Format::Text, Format::Json],
            _ => &[Format::Text, Format::Json],
        }
    }
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::Add(args) => add::run(args, env, printer).await,
        What::List(args) => list::run(args, printer),
        What::Show(args) => show::run(args, env, printer).await,
        What::Rotate(args) => rotate::run(args, env, printer).await,
        What::Revoke(args) => revoke::run(args, env, printer).await,
        What::Check(args) => check::run(args, env, printer).await,
        What::Import(args) => import::run(args, env, printer).await,
    }
}

/// A refusal of the encrypted file with its advice.
pub(super) fn sealed(error: KeyringError) -> CliError {
    let next = error.next().map(str::to_owned);
    let error = CliError::from(error);
    match next {
        Some(next) => error.hint(next),
        None => error,
    }
}

/// Who does this, for the records.
pub(super) fn hand(env: &Env) -> Result<Hand, CliError> {
    let by = ["GITHUB_ACTOR", "USER", "LOGNAME"]
        .iter()
        .find_map(|name| env.get(name));
    Ok(Hand {
        by: by.unwrap_or("unknown").to_owned(),
        now: Clock::system().now(),
        today: today()?,
    })
}

/// Refuses words that belong nowhere, without showing them.
fn no_more(rest: &[String]) -> Result<(), CliError> {
    match rest.is_empty() {
        true => Ok(()),
        false => Err(leaked()),
    }
}

/// A secret on the command line, or what may be one.
pub fn leaked() -> CliError {
    CliError::usage("there is an argument that may be a secret; it is not shown here").hint(
        "a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history",
    )
}

/// Reads the secret. It is never an argument.
async fn given(prompt: &str) -> Result<Secret, CliError> {
    secret(&ask::secret(prompt).await?).map_err(refused)
}

/// How GitHub is reached in the name of a token that is looked at.
fn towards(estate: &Estate, env: &Env) -> Result<ClientSettings, CliError> {
    step::settings(env, &step::api_url(env, Some(estate)))
}

/// A client that may set secrets of GitHub Actions.
fn setter(estate: &Estate, env: &Env) -> Result<Client, CliError> {
    let token = env
        .get("TENANTRY_SETUP_TOKEN")
        .or_else(|| env.get("GITHUB_TOKEN"))
        .ok_or_else(|| {
            CliError::usage("neither TENANTRY_SETUP_TOKEN nor GITHUB_TOKEN is set")
                .hint("set one of them to a token that may write secrets of the places to be set")
        })?;
    step::client(env, &step::api_url(env, Some(estate)), Some(token))
}

/// `OWNER/NAME[/ENVIRONMENT]=SECRET`.
fn place(text: &str) -> Result<(SecretPlace, SecretName), String> {
    let (place, name) = text
        .split_once('=')
        .ok_or("write OWNER/NAME=SECRET or OWNER/NAME/ENVIRONMENT=SECRET")?;
    let place = SecretPlace::new(place).map_err(|e| e.to_string())?;
    let name = SecretName::new(name).map_err(|e| e.to_string())?;
    Ok((place, name))
}

/// Carries a plan out and reads the estate again, because it is another one then.
fn carried_out(at: &At, held: &Held, plan: &Plan) -> Result<Estate, CliError> {
    held.carry_out(plan).map_err(refused)?;
    read(at)
}

/// The moment that `hand` acts in.
fn moment(hand: &Hand) -> Moment {
    Moment::at(hand.now.0)
}

/// A credential for programs.
pub(super) fn model(customer: &CustomerId, c: &Credential, today: &Date) -> Value {
    let day = |d: &Option<Date>| d.as_ref().map(ToString::to_string);
    json!({
        "customer": customer,
        "credential": c.id,
        "purpose": c.purpose,
        "kind": c.kind.name(),
        "status": c.status,
        "owner": c.owner,
        "created": day(&c.created),
        "expires": day(&c.expires),
        "days_left": c.expires.as_ref().map(|end| days_between(today, end)),
        "scopes": c.scopes,
        "verified": day(&c.verified),
        "accepted": c.accepted,
        "fingerprint": c.fingerprint,
        "last_four": c.last_four,
        "stored": c.stored,
        "handed_over": day(&c.handed_over),
        "places": c.places,
        "replaces": c.replaces,
        "until": c.until.as_ref().map(ToString::to_string),
        "revoked": day(&c.revoked),
    })
}

/// When it ends, for people.
pub(super) fn ending(c: &Credential, today: &Date) -> String {
    match &c.expires {
        None => "no end known".to_owned(),
        Some(end) => match days_between(today, end) {
            0 => format!("{end}, today"),
            left if left < 0 => format!("{end}, {} days ago", -left),
            left => format!("{end}, in {left} days"),
        },
    }
}

/// What the wide tables say besides.
pub(super) const WIDE: [&str; 5] = ["KIND", "LAST FOUR", "CREATED", "SCOPES", "PLACES"];

/// A row's part of [`WIDE`].
pub(super) fn wide_columns(c: &Credential) -> [String; 5] {
    let places = c
        .places
        .iter()
        .map(|(place, name)| format!("{place}={name}"));
    [
        c.kind.name().to_owned(),
        c.last_four.clone().unwrap_or_default(),
        c.created
            .as_ref()
            .map(ToString::to_string)
            .unwrap_or_default(),
        c.scopes.clone().unwrap_or_default().join(","),
        places.collect::<Vec<_>>().join(","),
    ]
}
