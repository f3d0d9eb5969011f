//! `tenantry doctor`: checks of how everything is set up.

mod isolation;

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
    /// Show what each stack may touch, and prove that no two customers can reach the same.
    #[command(after_help = isolation::AFTER)]
    Isolation(isolation::Args),
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::Isolation(args) => isolation::run(args, printer),
    }
}
