//! `tenantry drift check`: compares stacks with what was applied.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step::{self, StepArgs};
use crate::delivery::drift::check::{Look, Outcome, look, next, record};
use crate::delivery::drift::survey::{Only, Standing, stands, survey};
use crate::delivery::drift::{CheckRecord, issues, keys, today};
use crate::delivery::publish::say;
use crate::delivery::{DeliveryError, Manager};
use crate::estate::jobs::Job;
use crate::estate::{CustomerId, EnvironmentId, StackId};
use crate::report::drift::{StackView, line};
use serde_json::json;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry drift check --dry-run acme/web/production\n  tenantry drift check --customer acme"
)]
pub struct Args {
    #[command(flatten)]
    step: StepArgs,
    /// The stacks, such as `acme/web/staging`; all that are due when there is none.
    #[arg(
        value_name = "STACK",
        env = "TENANTRY_STACKS",
        hide_env = true,
        value_delimiter = ' '
    )]
    stacks: Vec<StackId>,
    /// Check what is due of one customer only.
    #[arg(long, value_name = "CUSTOMER", conflicts_with = "stacks")]
    customer: Option<CustomerId>,
    /// Check what is due of one environment only.
    #[arg(long, value_name = "ENVIRONMENT", conflicts_with = "stacks")]
    environment: Option<EnvironmentId>,
    /// Show what is found and record nothing.
    #[arg(long)]
    dry_run: bool,
    /// Exit with 10 when something has drifted.
    #[arg(long)]
    detailed_exitcode: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let manager = step::manager_for(&args.step, env, Job::Plan, &args.stacks)?;
    let stacks = match args.stacks.is_empty() {
        false => args.stacks.clone(),
        true => due(&manager, args).await?,
    };
    if stacks.is_empty() {
        printer.progress("no stack is due");
        return Ok(Exit::Nothing);
    }
    let work = step::work_folder(env);
    let mut views = Vec::new();
    let mut lines = Vec::new();
    let mut failed = 0;
    for stack in &stacks {
        let begun = step::Begun::new(printer, format!("checking {stack}"));
        let machine = step::machine(env, &work, &begun);
        let looked = match look(&manager, stack, &machine).await {
            Ok(looked) => looked,
            // The store failed for this one; it may answer for the next.
            Err(error) => {
                failed += 1;
                printer.progress(&format!("{stack}: {}", say(&error)));
                continue;
            }
        };
        failed += usize::from(matches!(looked.outcome, Outcome::Failed(_)));
        match shown(&manager, &looked, args.dry_run).await {
            Ok(view) => {
                lines.push(line(&view, manager.clock.now()));
                views.push(view);
            }
            Err(error) => {
                failed += 1;
                printer.progress(&format!("{stack}: {}", say(&error)));
            }
        }
    }
    // What a step leaves there is removed with the runner; a laptop's folder is emptied by now.
    let _ = std::fs::remove_dir_all(&work);
    let drifted = views.iter().filter(|v| v.since.is_some()).count();
    lines.push(format!(
        "{} of {} stacks checked, {drifted} drifted{}",
        views.iter().filter(|v| v.error.is_none()).count(),
        stacks.len(),
        if args.dry_run {
            "; nothing was recorded"
        } else {
            ""
        }
    ));
    printer.result(
        &json!({"version": 1, "recorded": !args.dry_run, "stacks": views}),
        &lines.join("\n"),
    );
    if failed > 0 {
        return Err(CliError::failed(format!(
            "{failed} of {} stacks could not be checked; see above",
            stacks.len()
        )));
    }
    Ok(match args.detailed_exitcode && drifted > 0 {
        true => Exit::Changes,
        false => Exit::Done,
    })
}

async fn due(manager: &Manager, args: &Args) -> Result<Vec<StackId>, DeliveryError> {
    let only = Only {
        customer: args.customer.as_ref(),
        environment: args.environment.as_ref(),
    };
    let survey = survey(manager, &only).await?;
    let due = |s: Standing| s.due.then_some(s.stack);
    Ok(survey.stacks.into_iter().filter_map(due).collect())
}

/// The stack as its record says now, or would say.
async fn shown(manager: &Manager, look: &Look, dry: bool) -> Result<StackView, DeliveryError> {
    let new = match dry {
        false => record(manager, look).await?,
        true => {
            let old = manager
                .store
                .read::<CheckRecord>(&keys::check(&look.stack))
                .await?
                .map(|(r, _)| r);
            next(manager, old.as_ref(), look)
        }
    };
    let settings = &manager.estate.settings.drift;
    let (today, now) = (today(manager)?, manager.clock.now());
    let stack = look.stack.clone();
    let standing = stands(settings, stack, Some(new), None, &today, now);
    Ok(issues::view(manager, &standing))
}
