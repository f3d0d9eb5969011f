//! `tenantry plan`: plan one stack of a request.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StackArgs};
use crate::delivery::plan::plan;
use crate::delivery::records::PlanResult;
use crate::estate::jobs::Job;
use serde_json::json;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tenantry plan --request acme/pr-3-<commit> --stack acme/web/staging"
)]
pub struct Args {
    #[command(flatten)]
    stack: StackArgs,
    /// Exit with 10 when the plan has changes.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = args.stack.manager(env, Job::Plan)?;
    let work = step::work_folder(env);
    let begun = step::Begun::new(printer, format!("planning {}", args.stack.stack));
    let machine = step::machine(env, &work, &begun);
    let done = plan(&manager, &args.stack.request, &args.stack.stack, &machine).await;
    let _ = std::fs::remove_dir_all(&work);
    let record = match done {
        Ok(record) => record,
        Err(crate::delivery::DeliveryError::Findings(findings)) => {
            printer.annotate(&findings.0);
            return Err(findings.into());
        }
        Err(other) => return Err(other.into()),
    };
    let PlanResult::Planned {
        changes, digest, ..
    } = &record.result
    else {
        return Err(CliError::failed("the plan failed"));
    };
    printer.outputs(&[
        ("digest".into(), digest.to_string()),
        ("changes".into(), (!changes.is_empty()).to_string()),
    ])?;
    printer.result(
        &json!({"version": 1, "plan": record}),
        &format!(
            "{}: {} (plan {})",
            record.stack,
            changes.summary(),
            digest.short()
        ),
    );
    Ok(if args.detailed_exitcode && !changes.is_empty() {
        Exit::Changes
    } else {
        Exit::Done
    })
}
