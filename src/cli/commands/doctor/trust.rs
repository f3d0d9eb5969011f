//! `tenantry doctor trust`: the policy that a role must have, or what is wrong with one.

use super::Flags;
use super::look::World;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::estate::jobs::Job;
use crate::estate::{CustomerId, EnvironmentId};
use crate::setup::doctor::trust::parts;
use serde_json::{Value, json};
use std::path::PathBuf;

/// Behind the help.
pub const AFTER: &str = "Examples:
  tenantry doctor trust --customer acme --environment production
  tenantry doctor trust --customer acme --environment production --policy trust.json";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Whose role it is.
    #[arg(long)]
    customer: CustomerId,
    /// For which environment.
    #[arg(long)]
    environment: EnvironmentId,
    /// For the role that plans, instead of the one that applies.
    #[arg(long)]
    plan: bool,
    /// Judge this policy (JSON) instead of printing one.
    #[arg(long, value_name = "FILE")]
    policy: Option<PathBuf>,
}

/// Longest policy that is read; AWS takes 8,192 characters at most.
const MOST: u64 = 1 << 20;

/// What helps where the manager repository could not be read.
const READS: &str = "set GITHUB_TOKEN to a token that may read the manager repository";

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let world = World::new(&args.flags, env)?;
    let customer = world.customer(&args.customer)?;
    let job = if args.plan { Job::Plan } else { Job::Apply };
    let environment = world.environment_of(job, &customer.id, &args.environment);
    let manager = world.trusted().await;
    let Some(path) = &args.policy else {
        if let Err(why) = &manager.ids {
            printer.progress(&format!("the numbers of the manager repository are not known ({why}), so the newer spelling of the subject is missing; {READS}"));
        }
        let arn = customer.about.roles.get(&args.environment);
        let (partition, account) = arn
            .and_then(|arn| parts(arn))
            .map_or(("aws", "ACCOUNT"), |(partition, account, _)| {
                (partition, account)
            });
        let policy = manager.policy(partition, account, &environment);
        let text = serde_json::to_string_pretty(&policy)?;
        let json = json!({"version": 1, "environment": environment, "policy": policy});
        printer.result(&json, &text);
        return Ok(Exit::Done);
    };
    let there = std::fs::metadata(path).map_err(|e| unread(path, &e.to_string()))?;
    if !there.is_file() || there.len() > MOST {
        return Err(unread(path, "it is no file of a usual size"));
    }
    let bytes = std::fs::read(path).map_err(|e| unread(path, &e.to_string()))?;
    let policy: Value = serde_json::from_slice(&bytes)
        .map_err(|e| unread(path, &format!("it is not JSON: {e}")))?;
    let (wrong, unchecked) = match manager.lint(&policy, &environment) {
        Ok(wrong) => (wrong, None),
        Err(why) => (Vec::new(), Some(why)),
    };
    let text: String = wrong
        .iter()
        .chain(&unchecked)
        .map(|w| format!("{w}\n"))
        .collect();
    let json = json!({"version": 1, "environment": environment, "findings": wrong, "unchecked": unchecked});
    if unchecked.is_some() {
        printer.progress(READS);
    } else if wrong.is_empty() {
        printer.result(
            &json,
            "the policy lets in the jobs of one environment, and nobody else\n",
        );
        return Ok(Exit::Done);
    }
    printer.result(&json, &text);
    Ok(Exit::Refused)
}

fn unread(path: &std::path::Path, why: &str) -> CliError {
    CliError::usage(format!(
        "the policy `{}` cannot be read: {why}",
        path.display()
    ))
    .hint("write it with `aws iam get-role --query Role.AssumeRolePolicyDocument`")
}
