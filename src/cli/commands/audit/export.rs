//! `tenantry audit export`: one customer's records, for them or for their auditor.

use super::{LogArgs, damaged};
use crate::audit::export::write;
use crate::audit::verify::Damage;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::clock::Clock;
use crate::estate::CustomerId;
use serde_json::json;
use std::path::PathBuf;

pub(super) const AFTER: &str = "\
The export is JSON Lines: what it is, one line a record, and the proof that they belong to the
log. It names no other customer. `tenantry audit verify --export` checks it without the store.

Example:
  tenantry audit export --estate infra-manager --customer acme --out acme.jsonl";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// Whose records.
    #[arg(long, value_name = "CUSTOMER")]
    customer: CustomerId,
    /// The file to write; standard output when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let opened = args.log.open(env)?;
    let verdict = opened.verdict(Some(&args.customer), Vec::new()).await?;
    // What is damaged is not handed on as if it were not.
    if !verdict.damage.is_empty() {
        let lines: Vec<String> = verdict.damage.iter().map(Damage::to_string).collect();
        printer.progress(&lines.join("\n"));
        return Err(damaged(lines.len()));
    }
    let bytes = write(&args.customer, &verdict, Clock::system().now())
        .map_err(|e| CliError::failed(e.to_string()))?;
    let records = verdict.chains.get(&args.customer).map_or(0, Vec::len);
    match &args.out {
        Some(file) => {
            folder::write(file, &bytes)?;
            printer.result(
                &json!({"version": 1, "customer": args.customer, "records": records, "file": file}),
                &format!(
                    "{records} records of {} written to {}",
                    args.customer,
                    file.display()
                ),
            );
        }
        None => printer.document(&String::from_utf8_lossy(&bytes)),
    }
    Ok(Exit::Done)
}
