//! `tenantry drift report`: issues and coverage.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::drift::issues::{carry_out, report};
use crate::report::drift::{summary, text};

/// Flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tenantry drift report --estate infra-manager --dry-run")]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// Show which issues would be written, and write none.
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = step::manager(&args.step, env)?;
    let mut report = report(&manager).await?;
    let mut failed = 0;
    if !args.dry_run {
        let done = carry_out(&manager, &mut report).await?;
        for (stack, why) in &done.failed {
            printer.progress(&format!("{stack}: its issue could not be written: {why}"));
        }
        failed = done.failed.len();
    }
    let view = &report.view;
    printer.summary(&summary(view))?;
    printer.result(view, &text(view));
    if failed > 0 {
        return Err(
            CliError::failed(format!("{failed} issues could not be written; see above"))
                .hint("the job needs `issues: write`; the next run tries again"),
        );
    }
    let late = view.total - view.in_time;
    if late > 0 {
        return Err(CliError::failed(format!(
            "{late} of {} stacks were not checked within {} hours; see above",
            view.total, view.within_hours
        ))
        .hint("`tenantry drift check STACK` tries one of them again"));
    }
    Ok(Exit::Done)
}
