//! `tenantry stacks`: list the stacks.

use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step;
use crate::estate::{CustomerId, EnvironmentId, ProductId};
use serde_json::json;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tenantry stacks --estate infra-manager --environment production"
)]
pub struct Args {
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Only this customer's.
    #[arg(long)]
    customer: Option<CustomerId>,
    /// Only this product's.
    #[arg(long)]
    product: Option<ProductId>,
    /// Only this environment's.
    #[arg(long)]
    environment: Option<EnvironmentId>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let (estate, _) = step::estate(&args.estate)?;
    let mut stacks = estate.stacks();
    stacks.retain(|s| {
        args.customer.as_ref().is_none_or(|c| *c == s.customer)
            && args.product.as_ref().is_none_or(|p| *p == s.product)
            && args
                .environment
                .as_ref()
                .is_none_or(|e| *e == s.environment)
    });
    let text: String = stacks.iter().map(|s| format!("{s}\n")).collect();
    printer.result(&json!({"version": 1, "stacks": stacks}), &text);
    Ok(if stacks.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}
