//! `tenantry customer list`.

use super::table::table;
use super::{At, read, store};
use crate::cli::commands::validate::today;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::clock::Time;
use crate::delivery::overview;
use crate::delivery::records::LastApplied;
use crate::estate::allow::Date;
use crate::estate::credential::days_between;
use crate::estate::model::{Customer, Status};
use crate::estate::{CustomerId, ProductId, StackId};
use crate::registry::credential::check::summary;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Behind the help.
pub const AFTER: &str = "Examples:\n  tenantry customer list --estate infra-manager\n  tenantry customer list --status suspended --format json\n  tenantry customer list --wide";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// Only customers of this status.
    #[arg(long, value_parser = ["active", "suspended"])]
    status: Option<String>,
    /// Only customers who subscribe to this product.
    #[arg(long)]
    product: Option<ProductId>,
    /// Only customers of this tier.
    #[arg(long)]
    tier: Option<String>,
    /// Only customers of this wave.
    #[arg(long)]
    wave: Option<String>,
    /// Ask the store when something was last applied for each.
    #[arg(long)]
    deployments: bool,
    /// All columns, with --deployments where a store is set.
    #[arg(long)]
    wide: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let estate = read(&args.at)?;
    let is = |wanted: &Option<String>, value: Option<&str>| {
        wanted.as_deref().is_none_or(|w| value == Some(w))
    };
    let customers: Vec<&Customer> = estate
        .customers
        .values()
        .filter(|c| is(&args.status, Some(c.status.name())))
        .filter(|c| is(&args.tier, c.about.tier.as_deref()))
        .filter(|c| is(&args.wave, c.about.wave.as_deref()))
        .filter(|c| {
            args.product
                .as_ref()
                .is_none_or(|p| products(c).any(|own| own == p))
        })
        .collect();
    let last = match args.deployments || args.wide {
        true => match store(&estate, env)? {
            Some(store) => Some(latest(&overview::applied(&store, None).await?)),
            // Everything that there is was asked for, and there is no such column.
            None if !args.deployments => {
                printer.progress("no store is set, so nothing is known of deployments");
                None
            }
            None => {
                return Err(CliError::usage(
                    "no store is set, so nothing is known of deployments",
                )
                .hint("add `store.url: s3://bucket/prefix` to tenantry.yml, or leave out --deployments"));
            }
        },
        false => None,
    };
    let today = today()?;
    let list: Vec<Value> = customers
        .iter()
        .map(|c| one(c, last.as_ref(), &today))
        .collect();
    printer.result(
        &json!({"version": 1, "customers": list}),
        &text(&customers, last.as_ref(), args.wide, &today),
    );
    let suspended = customers
        .iter()
        .filter(|c| c.status == Status::Suspended)
        .count();
    printer.progress(&format!(
        "{} customer{}, {suspended} suspended",
        customers.len(),
        if customers.len() == 1 { "" } else { "s" }
    ));
    Ok(if customers.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// When something was last applied for each.
pub(super) fn latest(applied: &BTreeMap<StackId, LastApplied>) -> BTreeMap<CustomerId, Time> {
    let mut last: BTreeMap<CustomerId, Time> = BTreeMap::new();
    for (stack, applied) in applied.iter().filter(|(_, a)| a.ever()) {
        let at = last.entry(stack.customer.clone()).or_insert(applied.at);
        *at = applied.at.max(*at);
    }
    last
}

/// What a customer subscribes to.
fn products(customer: &Customer) -> impl Iterator<Item = &ProductId> {
    customer
        .subscriptions
        .iter()
        .filter(|s| s.enabled)
        .map(|s| &s.product)
}

/// A customer for programs. `list` and `show` say the same.
pub(super) fn one(
    customer: &Customer,
    last: Option<&BTreeMap<CustomerId, Time>>,
    today: &Date,
) -> Value {
    let about = &customer.about;
    let (open, next) = summary(customer);
    let mut out = json!({
        "customer": customer.id,
        "name": customer.name,
        "status": customer.status.name(),
        "products": products(customer).collect::<Vec<_>>(),
        "repository": customer.repository,
        "repository_id": customer.repository_id,
        "owner_id": about.owner_id,
        "contact": about.contact,
        "tier": about.tier,
        "region": about.region,
        "wave": about.wave,
        "added": about.added.as_ref().map(ToString::to_string),
        "roles": about.roles,
        "open_credentials": open,
        "next_expiry": next.map(ToString::to_string),
        "days_to_next_expiry": next.map(|end| days_between(today, end)),
    });
    if let Some(why) = &customer.suspension {
        out["suspension"] = json!({
            "reason": why.reason,
            "public": why.public,
            "since": why.since.as_ref().map(ToString::to_string),
        });
    }
    if let Some(last) = last {
        out["last_deployment"] = json!(
            last.get(&customer.id)
                .map(|at| json!({"at": at, "utc": at.to_string()}))
        );
    }
    out
}

/// How many credentials can be used, and in how many days the first of them ends.
pub(super) fn credentials(customer: &Customer, today: &Date) -> [String; 2] {
    let (open, next) = summary(customer);
    let days = next.map(|end| match days_between(today, end) {
        days if days < 0 => "ended".to_owned(),
        days => format!("{days}d"),
    });
    let count = match open {
        0 => String::new(),
        open => open.to_string(),
    };
    [count, days.unwrap_or_default()]
}

fn text(
    customers: &[&Customer],
    last: Option<&BTreeMap<CustomerId, Time>>,
    wide: bool,
    today: &Date,
) -> String {
    if customers.is_empty() {
        return String::new();
    }
    // Where nobody has credentials, two empty columns would only be in the way.
    let any = wide || customers.iter().any(|c| summary(c).0 > 0);
    let mut header = vec!["CUSTOMER", "STATUS", "PRODUCTS"];
    if any {
        header.extend(["CREDENTIALS", "NEXT EXPIRY"]);
    }
    if wide {
        header.extend(["NAME", "TIER", "REGION", "WAVE", "REPOSITORY", "ADDED"]);
    }
    if last.is_some() {
        header.push("LAST DEPLOYMENT");
    }
    let rows: Vec<Vec<String>> = customers
        .iter()
        .map(|c| {
            let names: Vec<&str> = products(c).map(ProductId::as_str).collect();
            let mut row = vec![
                c.id.to_string(),
                c.status.name().to_owned(),
                names.join(","),
            ];
            if any {
                row.extend(credentials(c, today));
            }
            if wide {
                let a = &c.about;
                let text = |t: &Option<String>| t.clone().unwrap_or_default();
                row.extend([
                    c.name.clone(),
                    text(&a.tier),
                    text(&a.region),
                    text(&a.wave),
                    c.repository
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    a.added
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                ]);
            }
            if let Some(last) = last {
                row.push(last.get(&c.id).map(ToString::to_string).unwrap_or_default());
            }
            row
        })
        .collect();
    table(&header, &rows)
}
