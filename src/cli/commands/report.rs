//! `tenantry report`: tell the customer where a request stands.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::publish::{report, report_last};
use crate::delivery::records::RequestName;
use crate::report::comment::summary;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tenantry report --request acme/push-<commit> --final")]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// The request, such as `acme/push-<commit>`.
    #[arg(long, env = "TENANTRY_REQUEST", hide_env = true)]
    request: RequestName,
    /// Nothing more will follow: close the request.
    #[arg(long = "final")]
    last: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = step::manager(&args.step, env)?;
    let view = if args.last || env.get("TENANTRY_FINAL") == Some("true") {
        report_last(&manager, &args.request).await?
    } else {
        report(&manager, &args.request, false).await?
    };
    printer.summary(&summary(&view))?;
    printer.result(&view, &format!("{}: {}", view.request, view.headline));
    Ok(Exit::Done)
}
