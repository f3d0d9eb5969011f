//! `tenantry customer offboard`: the way out, with everything left standing.

use super::instructions::{manager, standing};
use super::onboard::{sides, templates};
use super::{Change, find, hold, refused, store};
use crate::cli::commands::validate::today;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format, Printer};
use crate::delivery::overview;
use crate::estate::model::{Customer, Status};
use crate::estate::resolve::Rules;
use crate::estate::{CustomerId, Estate};
use crate::registry::change;
use crate::setup::instructions::Standing;
use crate::setup::offboard::{Ask, look, to_revoke};
use crate::setup::onboard::carry_out;
use serde_json::json;

/// Behind the help.
pub const AFTER: &str = "No infrastructure is destroyed. Run it again after the pull request is merged: then the variables go as\nwell, and environments that are the customer's own when nothing needs them any more.\nTENANTRY_SETUP_TOKEN is for the customer's repository, GITHUB_TOKEN for the manager's; each stands in\nfor the other.\n\nExamples:\n  tenantry customer offboard acme --dry-run\n  tenantry customer offboard acme --reason \"contract ended\"";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
    /// Why. It stands in the registry; the customer only reads that there is a reason.
    #[arg(long, default_value = "offboarding")]
    reason: String,
    /// The customer reads the reason itself.
    #[arg(long)]
    public: bool,
    /// Do not ask the store what stands and what is open.
    #[arg(long)]
    offline: bool,
}

/// What is left when all is done.
struct Left {
    revoke: Vec<String>,
    stands: Option<Vec<Standing>>,
    open: Vec<String>,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let (held, estate) = hold(&args.change, printer)?;
    let rules = Rules::of(&estate)?;
    let customer = find(&estate, &args.customer)?;
    let manager = manager(&estate, env)?;
    let sides = sides(&estate, env)?;
    let suspend = match customer.status {
        Status::Suspended => Default::default(),
        Status::Active => change::suspend(&estate, customer, &args.reason, args.public, today()?)
            .map_err(refused)?,
    };
    let left = left(args, &estate, customer, env).await?;
    let templates = templates(&args.change.at.estate)?;
    let ask = Ask {
        estate: &estate,
        rules: &rules,
        customer,
        manager: &manager,
        template: templates.farewell.as_deref(),
        stands: left
            .stands
            .as_ref()
            .map(|all| !all.is_empty() || !left.open.is_empty()),
    };
    let plan = look(&sides, ask).await.map_err(refused)?;
    if printer.format != Format::Json {
        let text = format!(
            "{}{}{}",
            suspend.text(),
            plan.text(),
            words(&estate, customer, &left)
        );
        printer.result(&(), &text);
    }
    let told = |line: &str| printer.progress(line);
    if let Some(held) = &held {
        held.carry_out(&suspend).map_err(refused)?;
        if !suspend.is_empty() {
            printer.progress(
                "done: the registry says so; commit it and push, then their requests are refused",
            );
        }
        carry_out(&sides, &plan, None, &told)
            .await
            .map_err(refused)?;
    } else {
        printer.progress("nothing was done (--dry-run)");
    }
    if printer.format == Format::Json {
        let mut out = plan.json();
        out["version"] = json!(1);
        out["done"] = json!(held.is_some());
        out["files"] = suspend.json();
        out["revoke"] = json!(left.revoke);
        out["open_requests"] = json!(left.open);
        out["stands"] = json!(left.stands.as_ref().map(|all| {
            all.iter()
                .map(|s| json!({"stack": s.stack, "applied": s.at, "commit": s.commit}))
                .collect::<Vec<_>>()
        }));
        printer.result(&out, "");
    }
    Ok(match plan.is_empty() && suspend.is_empty() {
        true => Exit::Nothing,
        false => Exit::Done,
    })
}

async fn left(
    args: &Args,
    estate: &Estate,
    customer: &Customer,
    env: &Env,
) -> Result<Left, CliError> {
    let mut left = Left {
        revoke: to_revoke(estate, customer),
        stands: None,
        open: Vec::new(),
    };
    if args.offline {
        return Ok(left);
    }
    if let Some(store) = store(estate, env)? {
        left.stands = Some(standing(&store, &customer.id).await?);
        let open = overview::open_requests(&store, &customer.id).await?;
        left.open = open.iter().map(|r| r.name.to_string()).collect();
    }
    Ok(left)
}

fn words(estate: &Estate, customer: &Customer, left: &Left) -> String {
    let mut out = String::new();
    let mut part = |heading: &str, lines: Vec<String>| {
        if !lines.is_empty() {
            out.push_str(&format!("\n{heading}\n"));
            for line in lines {
                out.push_str(&format!("  {line}\n"));
            }
        }
    };
    part("To revoke, by hand", left.revoke.clone());
    part(
        "Open requests, which nobody serves any more",
        left.open.clone(),
    );
    match &left.stands {
        Some(all) => part(
            "What stands, with its state, and is not touched",
            all.iter()
                .map(|s| format!("{} (applied {}, commit {})", s.stack, s.at, s.commit))
                .collect(),
        ),
        None => part(
            "What may stand, with its state, and is not touched (the store was not asked)",
            estate
                .stacks_of(customer)
                .iter()
                .map(ToString::to_string)
                .collect(),
        ),
    }
    out
}
