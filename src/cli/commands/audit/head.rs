//! `tenantry audit head`: what to keep elsewhere, so that a log that was rolled back is found.

use super::LogArgs;
use crate::audit::Log;
use crate::audit::head::{Kept, write};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::clock::Clock;
use crate::estate::CustomerId;

pub(super) const AFTER: &str = "\
Nothing is verified here: `tenantry audit verify` does that.

Examples:
  tenantry audit head --estate infra-manager >> kept-heads.txt
  tenantry audit head --estate infra-manager --customer acme";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// The head of this customer's records, instead of the whole log's. Can be repeated.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Vec<CustomerId>,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let opened = args.log.open(env)?;
    let log = Log::new(opened.log, Clock::system(), None, false);
    let mut chains = Vec::new();
    for customer in &args.customer {
        let Some(record) = log.newest(customer).await? else {
            return Err(CliError::failed(format!(
                "there is no record of `{customer}`"
            )));
        };
        chains.push(Kept::Customer {
            customer: customer.clone(),
            seq: record.seq,
            hash: record.hash,
        });
    }
    let head = match chains.is_empty() {
        true => log.head().await?,
        false => None,
    };
    if head.is_none() && chains.is_empty() {
        printer.progress("there is no record yet");
        return Ok(Exit::Nothing);
    }
    let lines: Vec<String> = head
        .clone()
        .map(Kept::Log)
        .iter()
        .chain(&chains)
        .map(ToString::to_string)
        .collect();
    printer.result(&write(head.as_ref(), &chains), &lines.join("\n"));
    Ok(Exit::Done)
}
