//! `tenantry gate`: may this plan be applied?

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StackArgs};
use crate::delivery::Manager;
use crate::delivery::gate::{Decision, gate};
use crate::delivery::resume::{Resumed, is_rerun, resume};
use crate::estate::jobs::Job;
use serde_json::json;
use std::time::Duration;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tenantry gate --request acme/push-<commit> --stack acme/web/production --wait"
)]
pub struct Args {
    #[command(flatten)]
    stack: StackArgs,
    #[command(flatten)]
    wait: Wait,
}

/// Flags of a step that can wait for an approval.
#[derive(Debug, Clone, clap::Args)]
pub struct Wait {
    /// Wait for the approval, where the runner does not hold the job back itself.
    #[arg(long, env = "TENANTRY_WAIT", hide_env = true, num_args = 0..=1, default_missing_value = "true", default_value = "false", value_parser = flag)]
    wait: bool,
    /// Longest wait, in minutes.
    #[arg(long, default_value_t = 120)]
    wait_minutes: u64,
}

impl Wait {
    /// How long to wait at most; `None` for not at all.
    pub fn patience(&self) -> Option<Duration> {
        self.wait
            .then(|| Duration::from_secs(self.wait_minutes * 60))
    }
}

/// Takes the request up again and plans the stack anew. What comes back is why there is nothing
/// to go on with.
pub async fn again(
    manager: &Manager,
    stack: &StackArgs,
    env: &Env,
    printer: &Printer,
) -> Result<Option<String>, CliError> {
    let work = step::work_folder(env);
    let begun = step::Begun::new(printer, format!("planning {} again", stack.stack));
    let machine = step::machine(env, &work, &begun);
    let done = resume(manager, &stack.request, &stack.stack, &machine).await;
    let _ = std::fs::remove_dir_all(&work);
    Ok(match done? {
        Resumed::Nothing { reason } => Some(reason),
        Resumed::Ours { .. } => None,
    })
}

/// An action's input is `true`, `false` or not set at all.
fn flag(text: &str) -> Result<bool, String> {
    match text {
        "true" => Ok(true),
        "false" | "" => Ok(false),
        other => Err(format!(
            "`{}` is neither true nor false",
            crate::estate::ids::shown(other)
        )),
    }
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = args.stack.manager(env, Job::Apply)?;
    // "Re-run failed jobs" brings back this job alone: the plan is made again here.
    if is_rerun(&manager, &args.stack.request).await?
        && let Some(reason) = again(&manager, &args.stack, env, printer).await?
    {
        return Err(CliError::failed(format!("{}: {reason}", args.stack.stack)));
    }
    match gate(
        &manager,
        &args.stack.request,
        &args.stack.stack,
        args.wait.patience(),
    )
    .await?
    {
        Decision::Open(approved) => {
            let who = approved.approved_by().map_or_else(
                || "no approval needed".to_owned(),
                |w| format!("approved by {w}"),
            );
            let json = json!({"version": 1, "stack": args.stack.stack, "decision": "open", "digest": approved.digest(), "approved_by": approved.approved_by()});
            printer.result(
                &json,
                &format!(
                    "{}: {who} (plan {})",
                    args.stack.stack,
                    approved.digest().short()
                ),
            );
            Ok(Exit::Done)
        }
        Decision::Waiting { reason } => {
            Err(CliError::failed(format!("{}: {reason}", args.stack.stack))
                .hint("approve it in the manager's run, or pass --wait"))
        }
    }
}
