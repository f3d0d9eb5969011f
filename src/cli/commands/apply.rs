//! `tenantry apply`: apply exactly the approved plan.

use super::gate::{self, Wait};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StackArgs};
use crate::delivery::apply::apply;
use crate::delivery::gate::{Decision, gate as decide};
use crate::estate::jobs::Job;
use crate::store::seal::SealIdentity;
use serde_json::json;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "TENANTRY_SEAL_IDENTITY holds the key that opens sealed plans; only the apply environment has it.\n\nExample:\n  tenantry apply --request acme/push-<commit> --stack acme/web/staging\n  tenantry apply --resume --request acme/push-<commit> --stack acme/web/staging"
)]
pub struct Args {
    #[command(flatten)]
    stack: StackArgs,
    /// Go on after an apply that failed: plan again, show it, and pass the gate before applying.
    #[arg(long)]
    resume: bool,
    #[command(flatten)]
    wait: Wait,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = args.stack.manager(env, Job::Apply)?;
    let identity = env.get("TENANTRY_SEAL_IDENTITY").ok_or_else(|| {
        CliError::usage("TENANTRY_SEAL_IDENTITY is not set")
            .hint("set it as a secret of the apply environment; `tenantry init manager` wrote it to a file")
    })?;
    let identity = SealIdentity::parse(identity)?;
    if args.resume {
        if let Some(reason) = gate::again(&manager, &args.stack, env, printer).await? {
            printer.result(
                &json!({"version": 1, "outcome": "nothing", "reason": reason}),
                &format!("nothing to do: {reason}"),
            );
            return Ok(Exit::Nothing);
        }
        let StackArgs { request, stack, .. } = &args.stack;
        if let Decision::Waiting { reason } =
            decide(&manager, request, stack, args.wait.patience()).await?
        {
            return Err(CliError::failed(format!("{stack}: planned again, not applied: {reason}"))
                .hint("the next sweep takes it through the gate; or pass --wait where the approval can be given to this run"));
        }
    }
    let work = step::work_folder(env);
    let begun = step::Begun::new(printer, format!("applying {}", args.stack.stack));
    let machine = step::machine(env, &work, &begun);
    let done = apply(
        &manager,
        &args.stack.request,
        &args.stack.stack,
        &identity,
        &machine,
    )
    .await;
    let _ = std::fs::remove_dir_all(&work);
    let record = done?;
    let became = record
        .outcome
        .as_ref()
        .map(|o| format!(": {}", o.summary()))
        .unwrap_or_default();
    let by = record
        .approved_by
        .as_ref()
        .map(|w| format!(", approved by {w}"))
        .unwrap_or_default();
    printer.result(
        &json!({"version": 1, "apply": record}),
        &format!("{}: applied{by}{became}", record.stack),
    );
    Ok(Exit::Done)
}
