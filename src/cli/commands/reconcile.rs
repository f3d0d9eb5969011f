//! `tenantry reconcile`: the sweep over all customers.

use super::matrix;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::publish;
use crate::delivery::reconcile;
use crate::estate::CustomerId;
use serde_json::json;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tenantry reconcile --estate infra-manager --customer acme")]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// Look at one customer only.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<CustomerId>,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    sweep(
        &args.step,
        env,
        printer,
        args.customer.as_ref().map(CustomerId::as_str),
    )
    .await
}

/// The sweep, also for an intake that was started by hand.
pub async fn sweep(
    args: &StepArgs,
    env: &Env,
    printer: &Printer,
    customer: Option<&str>,
) -> Result<Exit, CliError> {
    let manager = step::manager(args, env)?;
    step::say_unsigned(&manager, printer);
    let only = customer
        .map(CustomerId::new)
        .transpose()
        .map_err(|e| CliError::usage(e.to_string()))?;
    if let Some(id) = &only
        && !manager.estate.customers.contains_key(id)
    {
        return Err(CliError::usage(format!("there is no customer `{id}`"))
            .hint("the registry is the folder customers/"));
    }
    let survey = reconcile::survey(&manager, only.as_ref()).await?;
    let left = manager.source.calls_left().await;
    printer.progress(&survey.budget.line(left));
    if let Some(warning) = survey.budget.warning(left) {
        printer.progress(&format!("warning: {warning}"));
    }
    let sweep = reconcile::sweep(&manager, survey).await?;
    for (customer, why) in &sweep.failed {
        printer.progress(&format!("{customer}: {why}"));
    }
    for (customer, heads) in &sweep.later {
        printer.progress(&format!("{customer}: {heads} more changes than one sweep looks at for a customer; the next one goes on"));
    }
    let mut failed = sweep.failed.len();
    for request in sweep.closed.iter().chain(&sweep.work) {
        // One customer that cannot be told must not stop the others.
        if let Err(error) =
            publish::report(&manager, &request.name, request.outcome.is_some()).await
        {
            failed += 1;
            printer.progress(&format!("{}: {}", request.name, publish::say(&error)));
        }
    }
    let text = format!(
        "{}looked at {} customers: {} requests with work, {} closed, {failed} failed",
        matrix::lines(&sweep.work),
        sweep.customers,
        sweep.work.len(),
        sweep.closed.len(),
    );
    let failures: Vec<_> = sweep
        .failed
        .iter()
        .map(|(c, why)| json!({"customer": c, "reason": why}))
        .collect();
    let later: Vec<_> = sweep
        .later
        .iter()
        .map(|(c, heads)| json!({"customer": c, "changes": heads}))
        .collect();
    let exit = matrix::print(
        printer,
        env.in_actions(),
        &sweep.work,
        &json!({"customers": sweep.customers, "failed": failures, "later": later}),
        &text,
    )?;
    // Work that was found must go on in a runner, so failures of others are only shown there.
    if failed > 0 && sweep.work.is_empty() {
        return Err(CliError::failed(format!(
            "{failed} customers could not be looked at or told; see above"
        )));
    }
    Ok(exit)
}
