//! `tenantry customer onboard`: from a registry entry to a first plan.

use super::instructions::manager;
use super::{At, find, refused, store, template};
use crate::cli::commands::pin::{Pin, pinned};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format, Printer};
use crate::cli::step;
use crate::estate::{CustomerId, Estate};
use crate::setup::instructions::TEMPLATES;
use crate::setup::onboard::{
    Ask, Done, First, Plan, Sides, Templates, Watch, carry_out, first, look,
};
use crate::store::Store;
use crate::store::seal::SealIdentity;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;

/// Behind the help.
pub const AFTER: &str = "TENANTRY_SETUP_TOKEN is for the customer's repository, GITHUB_TOKEN for the manager's; each stands in\nfor the other. What is there already is left as it is, so the command can be run again at any time.\ndocs/onboarding.md goes through it step by step.\n\nExamples:\n  tenantry customer onboard acme --dry-run\n  tenantry customer onboard acme\n  tenantry customer onboard acme --pr --no-wait\n  tenantry customer onboard acme --environments";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// The customer.
    customer: CustomerId,
    /// Only show what would be done.
    #[arg(long)]
    dry_run: bool,
    /// Only open the pull request: set no variables, and start nothing.
    #[arg(long)]
    pr: bool,
    /// Only make, protect and fill the environments that are the customer's own; their repository
    /// is not touched.
    #[arg(long, conflicts_with_all = ["pr", "wait", "no_wait"])]
    environments: bool,
    /// Wait this many minutes for the first plan.
    #[arg(long, value_name = "MINUTES", default_value_t = 20)]
    wait: u64,
    /// Do not wait for the first plan.
    #[arg(long, conflicts_with = "wait")]
    no_wait: bool,
    #[command(flatten)]
    pin: Pin,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let (estate, rules) = step::estate(&args.at.estate)?;
    let customer = find(&estate, &args.customer)?;
    let manager = manager(&estate, env)?;
    let sides = sides(&estate, env)?;
    let actions = pinned(&args.pin, &args.at.estate, env).await?;
    let templates = templates(&args.at.estate)?;
    let own = estate.settings.own_environments;
    let seal = env.get("TENANTRY_SEAL_IDENTITY").filter(|_| own);
    let seal = seal.map(SealIdentity::parse).transpose()?;
    let ask = Ask {
        estate: &estate,
        rules: &rules,
        customer,
        manager: &manager,
        actions: &actions,
        templates: &templates,
        seal: seal.as_ref(),
        only_pull: args.pr,
        only_environments: args.environments,
    };
    let plan = look(&sides, ask).await.map_err(refused)?;
    let json = printer.format == Format::Json;
    if !json {
        printer.result(&(), &plan.text());
    }
    if args.dry_run {
        if json {
            printer.result(&model(&plan, None, None, Value::Null), "");
        }
        printer.progress("nothing was done (--dry-run)");
        return Ok(match plan.is_empty() {
            true => Exit::Nothing,
            false => Exit::Done,
        });
    }
    let told = |line: &str| printer.progress(line);
    let done = carry_out(&sides, &plan, seal.as_ref(), &told)
        .await
        .map_err(refused)?;
    let store = store(&estate, env)?;
    let (exit, answer) = match &done.pull {
        Some(pull) if !args.no_wait && !args.pr => {
            let watch = Watch {
                customer: &customer.id,
                repository: &plan.repository,
                manager: &manager,
                context: &estate.settings.commit_status_context,
                store: store.as_ref(),
                run: done.run,
                longest: Duration::from_secs(args.wait.saturating_mul(60)),
                pause: pause(&sides),
            };
            let first = first(&sides, pull, watch, &told).await.map_err(refused)?;
            said(&first, &plan, pull.number, store.as_ref(), printer)
        }
        Some(pull) => {
            printer.progress(&format!(
                "the plan will appear at {}#{}",
                plan.repository, pull.number
            ));
            (Exit::Done, Value::Null)
        }
        None if args.environments => (Exit::Done, Value::Null),
        None => {
            printer.progress(
                "everything is on the default branch already; there is no pull request to plan",
            );
            (Exit::Done, Value::Null)
        }
    };
    if json {
        printer.result(&model(&plan, Some(&done), done.run, answer), "");
    }
    Ok(match exit {
        Exit::Done if plan.is_empty() => Exit::Nothing,
        exit => exit,
    })
}

/// The two ends that are spoken to. People run this: it writes what the manager's own credentials
/// must not be able to write.
pub(super) fn sides(estate: &Estate, env: &Env) -> Result<Sides, CliError> {
    let api = step::api_url(env, Some(estate));
    let either = |one: &str, other: &str| env.get(one).or_else(|| env.get(other));
    let customer = either("TENANTRY_SETUP_TOKEN", "GITHUB_TOKEN");
    let manager = either("GITHUB_TOKEN", "TENANTRY_SETUP_TOKEN");
    if customer.is_none() {
        return Err(
            CliError::usage("neither TENANTRY_SETUP_TOKEN nor GITHUB_TOKEN is set").hint(
                "pass a token that may write to the customer's repository, such as GITHUB_TOKEN=$(gh auth token)",
            ),
        );
    }
    Ok(Sides {
        customer: step::client(env, &api, customer)?,
        manager: step::client(env, &api, manager)?,
    })
}

/// The provider's own templates.
pub(super) fn templates(root: &Path) -> Result<Templates, CliError> {
    let one = |name: &str| template(root, TEMPLATES, name);
    Ok(Templates {
        readme: one("readme.md")?,
        pull_request: one("pull-request.md")?,
        farewell: one("farewell.md")?,
    })
}

/// On this machine there is no limit to respect.
fn pause(sides: &Sides) -> Duration {
    match sides.customer.api_url().starts_with("http://") {
        true => Duration::from_millis(200),
        false => Duration::from_secs(10),
    }
}

/// Tells how the waiting ended.
fn said(
    first: &First,
    plan: &Plan,
    number: u64,
    store: Option<&Store>,
    printer: &Printer,
) -> (Exit, Value) {
    let place = format!("{}#{number}", plan.repository);
    match first {
        First::Told {
            status,
            comment,
            ours,
        } => {
            let body = comment.as_ref().and_then(|c| c.body.clone());
            let author = comment.as_ref().and_then(|c| c.user.as_ref());
            let author = author.map(|u| u.login.clone());
            if let Some(body) = &body
                && printer.format != Format::Json
            {
                printer.result(&(), body);
            }
            if body.is_some() && !ours {
                printer.progress(&format!(
                    "that is what `{}` wrote; {}",
                    author.as_deref().unwrap_or("somebody"),
                    match store {
                        Some(_) => "the store knows no comment of the manager there",
                        None =>
                            "without the store, nobody can tell from here that it is the manager",
                    }
                ));
            }
            let words = status.description.clone().unwrap_or_default();
            printer.progress(&format!("{place}: {}: {words}", status.state));
            let exit = match status.state.as_str() {
                "success" => Exit::Done,
                _ => Exit::Refused,
            };
            let answer = json!({
                "state": status.state, "description": words, "comment": body,
                "address": comment.as_ref().map(|c| &c.html_url), "author": author, "verified": ours,
            });
            (exit, answer)
        }
        First::Silent { run } => {
            printer.progress(&format!(
                "run {run} of {} has ended and said nothing about {place}; read its log, then run this again",
                plan.manager
            ));
            (Exit::Refused, json!({"state": "silent", "run": run}))
        }
        First::Late { status } => {
            let words = status.as_ref().and_then(|s| s.description.clone());
            printer.progress(&format!(
                "there is no plan at {place} yet ({}); run this again to go on waiting",
                words.as_deref().unwrap_or("nothing is said on the commit")
            ));
            (
                Exit::Refused,
                json!({"state": "late", "description": words}),
            )
        }
    }
}

fn model(plan: &Plan, done: Option<&Done>, run: Option<u64>, first: Value) -> Value {
    let mut out = plan.json();
    out["version"] = json!(1);
    out["done"] = json!(done.is_some());
    out["run"] = json!(run);
    if let Some(pull) = done.and_then(|d| d.pull.as_ref()) {
        out["pull_request"] = json!(pull.number);
    }
    out["first_plan"] = first;
    out
}
