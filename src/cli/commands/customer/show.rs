//! `tenantry customer show`.

use super::credential;
use super::list::{credentials, latest, one};
use super::table::table;
use super::{At, find, read, store};
use crate::cli::commands::validate::{today, whole};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::delivery::overview;
use crate::delivery::records::{LastApplied, Request};
use crate::estate::allow::Date;
use crate::estate::model::{Customer, Status};
use crate::estate::{CustomerId, Estate, Finding, Findings, StackId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

/// Behind the help.
pub const AFTER: &str = "Examples:\n  tenantry customer show acme --estate infra-manager\n  tenantry customer show acme --wide";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// The customer.
    customer: CustomerId,
    /// Do not ask the store what was applied and what is open.
    #[arg(long)]
    offline: bool,
    /// All lines and columns: the last deployment, what ends first, everything of credentials.
    #[arg(long)]
    wide: bool,
}

/// What the store says.
struct Stored {
    applied: BTreeMap<StackId, LastApplied>,
    open: Vec<Request>,
}

/// Everything that is shown.
struct Looked<'a> {
    estate: &'a Estate,
    customer: &'a Customer,
    stored: Option<&'a Stored>,
    findings: &'a [Finding],
    today: &'a Date,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let estate = read(&args.at)?;
    let customer = find(&estate, &args.customer)?;
    let stored = match (args.offline, store(&estate, env)?) {
        (false, Some(store)) => Some(Stored {
            applied: overview::applied(&store, Some(&customer.id)).await?,
            open: overview::open_requests(&store, &customer.id).await?,
        }),
        _ => None,
    };
    let today = today()?;
    let findings = match whole(estate.files.clone(), &today) {
        Ok((_, findings)) | Err(Findings(findings)) => Findings(findings).tidy().0,
    };
    let folder = format!("customers/{}/", customer.id);
    let findings: Vec<Finding> = findings
        .into_iter()
        .filter(|f| f.place.path.starts_with(&folder))
        .collect();
    if args.wide && !args.offline && stored.is_none() {
        printer.progress("no store is set, so nothing is known of deployments");
    }
    let seen = Looked {
        estate: &estate,
        customer,
        stored: stored.as_ref(),
        findings: &findings,
        today: &today,
    };
    printer.result(&model(&seen), &text(&seen, args.wide));
    Ok(Exit::Done)
}

/// The stacks of the estate, and those that were applied and are not in it any more.
fn stacks(estate: &Estate, customer: &Customer, stored: Option<&Stored>) -> Vec<(StackId, bool)> {
    let own = estate.stacks_of(customer);
    let known: BTreeSet<&StackId> = own.iter().collect();
    let gone: Vec<(StackId, bool)> = stored
        .iter()
        .flat_map(|s| s.applied.keys())
        .filter(|stack| !known.contains(stack))
        .map(|stack| (stack.clone(), false))
        .collect();
    own.iter().map(|s| (s.clone(), true)).chain(gone).collect()
}

fn model(seen: &Looked<'_>) -> Value {
    let Looked {
        estate,
        customer,
        stored,
        findings,
        today,
    } = *seen;
    let last = stored.map(|s| latest(&s.applied));
    let mut out = one(customer, last.as_ref(), today);
    out["credentials"] = customer
        .credentials
        .iter()
        .map(|c| credential::model(&customer.id, c, today))
        .collect();
    out["version"] = json!(1);
    out["state_bucket"] = json!(customer.state_bucket);
    out["subscriptions"] = customer
        .subscriptions
        .iter()
        .map(|s| {
            json!({
                "product": s.product, "enabled": s.enabled, "version": s.version,
                "environments": s.environments, "variables": s.variables,
            })
        })
        .collect();
    out["stacks"] = stacks(estate, customer, stored)
        .into_iter()
        .map(|(stack, subscribed)| {
            let mut entry = json!({"stack": stack, "subscribed": subscribed});
            if let Some(stored) = stored {
                entry["applied"] = json!(stored.applied.get(&stack));
            }
            entry
        })
        .collect();
    if let Some(stored) = stored {
        out["open_requests"] = stored
            .open
            .iter()
            .map(|r| json!({"request": r.name, "opened": r.opened, "stacks": r.stacks, "run": r.run}))
            .collect();
    }
    out["findings"] = json!(findings);
    out
}

fn text(seen: &Looked<'_>, wide: bool) -> String {
    let Looked {
        estate,
        customer,
        stored,
        findings,
        today,
    } = *seen;
    let mut out = format!("{}\n", customer.id);
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "  {key:<12} {value}");
        }
    };
    let about = &customer.about;
    line("name", Some(customer.name.clone()));
    line(
        "status",
        Some(match (customer.status, &customer.suspension) {
            (Status::Suspended, Some(why)) => format!(
                "suspended{}: {} ({})",
                why.since
                    .as_ref()
                    .map_or_else(String::new, |d| format!(" since {d}")),
                why.reason,
                if why.public {
                    "the customer reads this"
                } else {
                    "the customer does not read this"
                }
            ),
            (status, _) => status.name().to_owned(),
        }),
    );
    let repository = customer.repository.as_ref().zip(customer.repository_id);
    line(
        "repository",
        Some(repository.map_or_else(
            || "none is recorded; not served".to_owned(),
            |(slug, id)| match about.owner_id {
                Some(owner) => format!("{slug} (id {id}, owner {owner})"),
                None => format!("{slug} (id {id})"),
            },
        )),
    );
    line("contact", about.contact.clone());
    line("tier", about.tier.clone());
    line("region", about.region.clone());
    line("wave", about.wave.clone());
    line("added", about.added.as_ref().map(ToString::to_string));
    line("state bucket", customer.state_bucket.clone());
    for (environment, role) in &about.roles {
        line("role", Some(format!("{environment}: {role}")));
    }
    for s in &customer.subscriptions {
        let version = s
            .version
            .as_ref()
            .map_or_else(String::new, |v| format!(" {v}"));
        let disabled = if s.enabled { "" } else { " (disabled)" };
        line(
            "product",
            Some(format!(
                "{}{version}{disabled}, file {}",
                s.product, s.variables
            )),
        );
    }
    if wide {
        let last = stored.map(|s| latest(&s.applied));
        let at = last.map(|l| l.get(&customer.id).map(ToString::to_string));
        line(
            "deployed",
            at.map(|at| at.unwrap_or_else(|| "never".into())),
        );
        let [open, next] = credentials(customer, today);
        line(
            "credentials",
            Some(match (open.is_empty(), next.is_empty()) {
                (true, _) => "none".to_owned(),
                (false, true) => format!("{open}, no end known"),
                (false, false) => format!("{open}, next expiry {next}"),
            }),
        );
    }
    let mut part = |heading: &str, body: String| {
        if !body.is_empty() {
            let _ = write!(out, "\n{heading}\n{body}");
        }
    };
    let rows: Vec<Vec<String>> = stacks(estate, customer, stored)
        .into_iter()
        .map(|(stack, subscribed)| {
            let last = stored.and_then(|s| s.applied.get(&stack));
            let mut words = Vec::new();
            if !subscribed {
                words.push("not subscribed any more, still standing");
            }
            if last.is_some_and(|l| l.incomplete) {
                words.push("an apply did not come to its end");
            }
            let mut row = vec![stack.to_string()];
            if stored.is_some() {
                let done = last.filter(|l| l.ever());
                row.push(done.map_or_else(|| "never".to_owned(), |l| l.at.to_string()));
                row.push(done.map_or_else(String::new, |l| l.sha.short().to_owned()));
                if wide {
                    row.push(done.map_or_else(String::new, |l| l.request.to_string()));
                }
            }
            row.push(words.join("; "));
            row
        })
        .collect();
    let header: &[&str] = match stored {
        Some(_) if wide => &["STACK", "LAST APPLIED", "COMMIT", "REQUEST", "NOTE"],
        Some(_) => &["STACK", "LAST APPLIED", "COMMIT", "NOTE"],
        None => &["STACK", "NOTE"],
    };
    part(
        "Stacks",
        if rows.is_empty() {
            String::new()
        } else {
            table(header, &rows)
        },
    );
    let open: Vec<_> = customer
        .credentials
        .iter()
        .filter(|c| c.is_open())
        .collect();
    if !open.is_empty() {
        let rows: Vec<Vec<String>> = open
            .iter()
            .map(|c| {
                let mut row = vec![
                    c.id.to_string(),
                    c.purpose.to_string(),
                    c.status.name().to_owned(),
                    credential::ending(c, today),
                ];
                if wide {
                    row.push(c.owner.clone().unwrap_or_default());
                    row.push(if c.stored { "yes" } else { "no" }.to_owned());
                    row.extend(credential::wide_columns(c));
                }
                row
            })
            .collect();
        let mut header = vec!["CREDENTIAL", "PURPOSE", "STATUS", "ENDS"];
        if wide {
            header.extend(["OWNER", "KEPT"]);
            header.extend(credential::WIDE);
        }
        part("Credentials", table(&header, &rows));
    }
    if let Some(stored) = stored {
        let open = stored.open.iter().map(|r| {
            format!(
                "{}, since {}, {} stacks\n",
                r.name,
                r.opened,
                r.stacks.len()
            )
        });
        part("Open requests", open.collect());
    }
    part(
        "To correct",
        findings.iter().map(|f| format!("{f}\n")).collect(),
    );
    out
}
