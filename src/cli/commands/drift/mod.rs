//! `tenantry drift`: what was changed outside of tenantry.

mod check;
mod list;
mod report;

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Say where every applied stack stands, and print the matrices of those that are due.
    List(list::Args),
    /// Compare stacks with what was applied, and record what differs.
    Check(check::Args),
    /// Open, update and close issues, and say which stacks were not checked in time.
    Report(report::Args),
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::List(args) => list::run(args, env, printer).await,
        What::Check(args) => check::run(args, env, printer).await,
        What::Report(args) => report::run(args, env, printer).await,
    }
}
