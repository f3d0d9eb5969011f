//! `tenantry customer suspend` and `resume`.

use super::{Change, find, finish, hold, refused};
use crate::cli::commands::validate::today;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::estate::CustomerId;
use crate::registry::change;

/// Behind the help.
pub const AFTER: &str = "What is deployed stays, and drift is still looked for.\n\nExample:\n  tenantry customer suspend acme --reason \"invoice 4711 is open\"";

/// Flags of `suspend`.
#[derive(Debug, clap::Args)]
pub struct SuspendArgs {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
    /// Why. It stands in the registry; the customer only reads that there is a reason.
    #[arg(long)]
    reason: String,
    /// The customer reads the reason itself.
    #[arg(long)]
    public: bool,
}

/// Flags of `resume`.
#[derive(Debug, clap::Args)]
pub struct ResumeArgs {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
}

/// Runs `suspend`.
pub fn suspend(args: &SuspendArgs, printer: &Printer) -> Result<Exit, CliError> {
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let plan =
        change::suspend(&estate, customer, &args.reason, args.public, today()?).map_err(refused)?;
    finish(&plan, held.as_ref(), printer)
}

/// Runs `resume`.
pub fn resume(args: &ResumeArgs, printer: &Printer) -> Result<Exit, CliError> {
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let plan = change::resume(&estate, customer).map_err(refused)?;
    finish(&plan, held.as_ref(), printer)
}
