//! `tenantry customer credential check`.

use super::*;
use crate::cli::commands::customer::store;
use crate::cli::commands::customer::table::table;
use crate::estate::RepoSlug;
use crate::keyring::Keyring;
use crate::registry::credential::check::{Found, Limits, check};
use crate::setup::credentials::{self, Step};

/// Behind the help.
pub const AFTER: &str = "Exit code 1 when something is found. The registry alone is enough for most of it; the encrypted file,\nwhere it can be opened without asking anybody (--identity FILE or TENANTRY_CREDENTIALS_PASSPHRASE), adds\nvalues without entries, entries without values, and shared secrets that have no fingerprint.\n\n--issues needs a store and GITHUB_TOKEN, and exits with 0 when all is told.\n\nExamples:\n  tenantry customer credential check\n  tenantry customer credential check --within 14d --format json";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,
    /// Only this customer.
    customer: Option<CustomerId>,
    /// How long before its end a credential is reported.
    #[arg(long, value_name = "DAYS", value_parser = days, default_value = "30d")]
    within: i64,
    /// After how long a credential of which no use is recorded counts as unused.
    #[arg(long, value_name = "DAYS", value_parser = days, default_value = "30d")]
    idle: i64,
    /// Open, update and close one issue for each finding, in the manager repository.
    #[arg(long, conflicts_with = "customer")]
    issues: bool,
    /// Only show which issues would be written.
    #[arg(long, requires = "issues")]
    dry_run: bool,
    #[command(flatten)]
    key: KeyArgs,
}

/// `30d` or `30`.
fn days(text: &str) -> Result<i64, String> {
    let number = text.strip_suffix('d').unwrap_or(text);
    let days: Option<i64> = number.parse().ok().filter(|d| (0..=3_650).contains(d));
    days.ok_or_else(|| "write a number of days, such as 30d".to_owned())
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let estate = read(&args.at)?;
    let there = Keyring::exists(&args.key.path(env)?);
    let keyring = match there && args.key.at_hand(env) {
        true => {
            let key = args.key.key(env).await?;
            Some(args.key.open(key, env, printer)?)
        }
        false => None,
    };
    let hand = hand(env)?;
    let limits = Limits {
        now: moment(&hand),
        today: hand.today,
        within: args.within,
        idle: args.idle,
    };
    let found = check(&estate, keyring.as_ref().map(Keyring::content), &limits);
    let found: Vec<Found> = found
        .into_iter()
        .filter(|f| args.customer.as_ref().is_none_or(|c| *c == f.customer))
        .collect();
    let issues = args.issues || env.get("TENANTRY_ISSUES") == Some("true");
    let steps = match issues {
        true => written(args, &estate, &found, keyring.is_some(), env, printer).await?,
        false => Vec::new(),
    };
    let count: usize = estate
        .customers
        .values()
        .filter(|c| args.customer.as_ref().is_none_or(|id| *id == c.id))
        .map(|c| c.credentials.iter().filter(|c| c.is_open()).count())
        .sum();
    printer.result(
        &json!({"version": 1, "credentials": count, "values": keyring.is_some(), "findings": found, "issues": steps}),
        &text(&found),
    );
    if keyring.is_none() {
        printer.progress(
            "values were not looked at: the encrypted file is not here, or cannot be opened without asking",
        );
    }
    match found.is_empty() {
        true => {
            printer.progress(&format!("{count} credentials, nothing to correct"));
            Ok(Exit::Done)
        }
        false => {
            printer.progress(&format!("{} findings in {count} credentials", found.len()));
            // Who reads the issues needs no red job besides.
            Ok(if issues { Exit::Done } else { Exit::Refused })
        }
    }
}

/// Decides and writes the issues.
async fn written(
    args: &Args,
    estate: &Estate,
    found: &[Found],
    whole: bool,
    env: &Env,
    printer: &Printer,
) -> Result<Vec<Step>, CliError> {
    let repository = match (&estate.settings.manager, env.get("GITHUB_REPOSITORY")) {
        (Some(slug), _) => slug.clone(),
        (None, Some(slug)) => RepoSlug::new(slug).map_err(|e| CliError::usage(e.to_string()))?,
        (None, None) => {
            return Err(CliError::usage("the manager repository is not known")
                .hint("set `manager: owner/name` in tenantry.yml, or GITHUB_REPOSITORY"));
        }
    };
    let store = store(estate, env)?.ok_or_else(|| {
        CliError::usage("no store is set, and it remembers which issues are ours")
            .hint("add `store.url: s3://bucket/prefix` to tenantry.yml, or leave out --issues")
    })?;
    let token = env.get("GITHUB_TOKEN").ok_or_else(|| {
        CliError::usage("GITHUB_TOKEN is not set")
            .hint("it needs `issues: write` on the manager repository")
    })?;
    let client = step::client(env, &step::api_url(env, Some(estate)), Some(token))?;
    let clock = Clock::system();
    let run = step::run_info(env, None).run.url;
    let (shown, steps) = credentials::plan(&store, &repository, found, whole, clock, &run).await?;
    if args.dry_run {
        printer.progress("no issue was written (--dry-run)");
        return Ok(shown);
    }
    let failed = credentials::carry_out(&store, &client, &repository, clock, &steps).await?;
    for (name, why) in &failed {
        printer.progress(&format!("{name}: its issue could not be written: {why}"));
    }
    match failed.is_empty() {
        true => Ok(shown),
        false => Err(CliError::failed(format!(
            "{} issues could not be written; see above",
            failed.len()
        ))
        .hint("the job needs `issues: write`; the next run tries again")),
    }
}

fn text(found: &[Found]) -> String {
    if found.is_empty() {
        return String::new();
    }
    let rows: Vec<Vec<String>> = found
        .iter()
        .map(|f| {
            vec![
                f.rule.id().to_owned(),
                format!("{}/{}", f.customer, f.credential),
                format!("{}; {}", f.message, f.next),
            ]
        })
        .collect();
    table(&["FINDING", "CREDENTIAL", "WHAT AND WHAT TO DO"], &rows)
}
