//! `tenantry intake`: verify a request, read back, print the matrix.

use super::matrix;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::intake::intake;
use crate::delivery::open::Opened;
use crate::delivery::publish;
use serde_json::json;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example:\n  tenantry intake --estate infra-manager --event event.json --format json"
)]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// The event's payload; the runner's when absent.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let event = step::event(env, args.event.as_deref())?;
    let Some(payload) = event.get("client_payload") else {
        // Started by hand: look at one customer, or at all of them.
        let customer = event
            .pointer("/inputs/customer")
            .and_then(|c| c.as_str())
            .filter(|c| !c.is_empty());
        return super::reconcile::sweep(&args.step, env, printer, customer).await;
    };
    let manager = step::manager(&args.step, env)?;
    step::say_unsigned(&manager, printer);
    let issuer = step::client(env, &manager.estate.settings.oidc_issuer, None)?;
    let intake = intake(&manager, payload, &issuer).await?;
    for warning in &intake.warnings {
        printer.progress(&format!("warning: {warning}"));
    }
    match intake.opened {
        Opened::Work(request) => {
            publish::report(&manager, &request.name, false).await?;
            let text = matrix::lines(std::slice::from_ref(&request));
            matrix::print(
                printer,
                env.in_actions(),
                &[request],
                &json!({"outcome": "work"}),
                &text,
            )
        }
        Opened::Nothing { request, reason } => {
            if let Some(request) = request.filter(|r| r.outcome.is_some()) {
                publish::report(&manager, &request.name, true).await?;
            }
            matrix::print(
                printer,
                env.in_actions(),
                &[],
                &json!({"outcome": "nothing", "reason": reason}),
                &format!("nothing to do: {reason}"),
            )
        }
        Opened::NotYet => {
            let reason = "the customer has not begun";
            matrix::print(
                printer,
                env.in_actions(),
                &[],
                &json!({"outcome": "nothing", "reason": reason}),
                &format!("nothing to do: {reason}"),
            )
        }
        Opened::Refused(request) => {
            let view = publish::report(&manager, &request.name, true).await?;
            printer.annotate(&view.findings);
            printer.summary(&crate::report::comment::summary(&view))?;
            matrix::print(
                printer,
                true,
                &[],
                &json!({"outcome": "refused", "findings": view.findings}),
                &view
                    .findings
                    .iter()
                    .map(|f| format!("{f}\n"))
                    .collect::<String>(),
            )?;
            Err(CliError::failed(format!("refused: {}", view.headline)))
        }
    }
}
