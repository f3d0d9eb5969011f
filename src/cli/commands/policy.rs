//! `tenantry policy test`: run the tests of the policies.

use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::estate::policy::{Outcome, Policies, Trial, trials};
use crate::estate::{Files, Finding, Findings, Place};
use serde_json::json;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Run the rules `test_…` of `policies/*_test.rego`.
    #[command(after_help = "Example:\n  tenantry policy test --estate infra-manager")]
    Test(TestArgs),
}

#[derive(Debug, clap::Args)]
struct TestArgs {
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let What::Test(args) = &args.what;
    let files = folder::read(&args.estate)?;
    // What a policy must be to be used at all is said first.
    Policies::read(&files)?;
    let done = trials(&files)?;
    let failed = |t: &&Trial| matches!(t.outcome, Outcome::Failed | Outcome::Error(_));
    if printer.format == Format::Github {
        let findings: Vec<Finding> = done.iter().filter(failed).map(finding).collect();
        printer.findings(&findings);
    } else {
        let text: String = done.iter().map(line).collect();
        printer.result(&json!({"version": 1, "tests": done}), &text);
    }
    let failures = done.iter().filter(failed).count();
    let skipped = done
        .iter()
        .filter(|t| t.outcome == Outcome::Skipped)
        .count();
    printer.progress(&format!(
        "{} passed, {failures} failed, {skipped} skipped",
        done.len() - failures - skipped
    ));
    Ok(match (failures, done.len()) {
        (0, 0) => Exit::Nothing,
        (0, _) => Exit::Done,
        _ => Exit::Refused,
    })
}

/// The tests of the policies that do not pass, as findings.
pub fn failed_tests(files: &Files) -> Result<Vec<Finding>, Findings> {
    let failed = trials(files)?
        .iter()
        .filter(|t| matches!(t.outcome, Outcome::Failed | Outcome::Error(_)))
        .map(finding)
        .collect();
    Ok(failed)
}

fn line(trial: &Trial) -> String {
    let (word, why) = match &trial.outcome {
        Outcome::Passed => ("passed ", String::new()),
        Outcome::Failed => ("FAILED ", ": the rule is not true".to_owned()),
        Outcome::Error(message) => ("ERROR  ", format!(": {message}")),
        Outcome::Skipped => ("skipped", String::new()),
    };
    format!("{word} {} {}{why}\n", trial.place, trial.name)
}

fn finding(trial: &Trial) -> Finding {
    let why = match &trial.outcome {
        Outcome::Error(message) => message.clone(),
        _ => "the rule is not true".to_owned(),
    };
    Finding::error(
        Place::at(&trial.place.path, trial.place.line, trial.place.column),
        "policy-test",
        format!("`{}`: {why}", trial.name),
    )
}
