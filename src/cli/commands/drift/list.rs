//! `tenantry drift list`: where every applied stack stands, and the matrices of those due.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::drift::issues;
use crate::delivery::drift::survey::{Only, Shard, Survey, shards, survey};
use crate::delivery::{DeliveryError, Manager, places};
use crate::estate::jobs::Job;
use crate::estate::{CustomerId, EnvironmentId, StackId};
use crate::report::drift::line;
use serde_json::{Map, Value, json};

/// Flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tenantry drift list --estate infra-manager --customer acme")]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// Look at one customer only.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<CustomerId>,
    /// Look at one environment only.
    #[arg(long, value_name = "ENVIRONMENT")]
    environment: Option<EnvironmentId>,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = step::manager(&args.step, env)?;
    let only = Only {
        customer: args.customer.as_ref(),
        environment: args.environment.as_ref(),
    };
    let mut survey = survey(&manager, &only).await?;
    let unready = unready(&manager, &mut survey).await?;
    let estate = &manager.estate;
    let own = estate.settings.own_environments;
    let (shards, later) = shards(&survey, &estate.environments(), own);
    let now = manager.clock.now();
    let mut lines = Vec::new();
    let mut views = Vec::new();
    for standing in &survey.stacks {
        let view = issues::view(&manager, standing);
        lines.push(line(&view, now));
        let mut view = serde_json::to_value(&view)?;
        view["due"] = json!(standing.due);
        views.push(view);
    }
    for (stack, environment) in &unready {
        lines.push(format!(
            "{stack}: not checked: `{environment}` is not there, or every branch may use it; run `tenantry customer onboard {} --environments`",
            stack.customer
        ));
    }
    for (stack, why) in &survey.left_out {
        lines.push(format!("{stack}: not checked any more: {why}"));
    }
    let due: usize = shards.iter().map(|s| s.stacks.len()).sum();
    lines.push(format!(
        "{due} of {} stacks are due{}",
        survey.stacks.len(),
        match later {
            0 => String::new(),
            n => format!("; {n} more are left to the next run"),
        }
    ));
    let matrices = matrices(&shards);
    let any = due > 0;
    printer.outputs(&[
        ("any".to_owned(), any.to_string()),
        ("matrices".to_owned(), matrices.to_string()),
    ])?;
    let unready: Vec<Value> = unready
        .iter()
        .map(|(stack, environment)| json!({"stack": stack, "environment": environment}))
        .collect();
    let left_out: Vec<Value> = survey
        .left_out
        .iter()
        .map(|(stack, why)| json!({"stack": stack, "reason": why}))
        .collect();
    printer.result(
        &json!({"version": 1, "any": any, "stacks": views, "left_out": left_out, "unready": unready, "matrices": matrices, "later": later}),
        &lines.join("\n"),
    );
    Ok(if any || env.in_actions() {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

/// Takes back what is due in environments that no job may name yet, and says which.
async fn unready(
    manager: &Manager,
    survey: &mut Survey,
) -> Result<Vec<(StackId, String)>, DeliveryError> {
    let mut out = Vec::new();
    for standing in survey.stacks.iter_mut().filter(|s| s.due) {
        let stack = std::slice::from_ref(&standing.stack);
        if let Some(name) = places::missing(manager, stack, &[Job::Plan]).await?.pop() {
            standing.due = false;
            out.push((standing.stack.clone(), name));
        }
    }
    Ok(out)
}

/// `{"staging": {"include": [{"shard": "1/2", "stacks": "acme/web/staging …"}]}}`, with the
/// customer where a job is for one.
fn matrices(shards: &[Shard]) -> Value {
    let mut out = Map::new();
    for shard in shards {
        let names: Vec<String> = shard.stacks.iter().map(StackId::to_string).collect();
        let mut entry = json!({"shard": shard.name, "stacks": names.join(" ")});
        if let Some(customer) = &shard.customer {
            entry["customer"] = json!(customer);
        }
        let matrix = out
            .entry(shard.environment.as_str())
            .or_insert_with(|| json!({"include": []}));
        if let Some(jobs) = matrix["include"].as_array_mut() {
            jobs.push(entry);
        }
    }
    Value::Object(out)
}
