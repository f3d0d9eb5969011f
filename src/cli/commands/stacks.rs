//! `tenantry stacks`: list the stacks.

use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::{contracts, folder, revision};
use crate::estate::impact::{Difference, impact};
use crate::estate::{CustomerId, EnvironmentId, Estate, ProductId, StackId};
use serde_json::json;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry stacks --estate infra-manager --environment production\n  tenantry stacks --changed-since origin/main"
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
    /// Only those whose values, module or version differ from this git revision.
    #[arg(long, value_name = "REVISION")]
    changed_since: Option<String>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let estate = Estate::read(folder::read(&args.estate)?)?;
    let mut stacks = match &args.changed_since {
        Some(revision) => {
            let before = Estate::read(revision::read(&args.estate, revision)?)?;
            let mut changed: Vec<StackId> = impact(&before, &estate, |_, _| None)
                .into_iter()
                .filter(|group| group.differences != [Difference::Removed])
                .flat_map(|group| group.stacks)
                .collect();
            changed.sort();
            changed
        }
        None => estate.stacks(),
    };
    if let Some(customer) = args
        .customer
        .as_ref()
        .filter(|c| !estate.customers.contains_key(c))
    {
        let known = estate.customers.keys().map(CustomerId::as_str);
        return Err(contracts::no_such("customer", customer.as_str(), known));
    }
    if let Some(product) = args
        .product
        .as_ref()
        .filter(|p| !estate.products.contains_key(p))
    {
        let known = estate.products.keys().map(ProductId::as_str);
        return Err(contracts::no_such("product", product.as_str(), known));
    }
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
