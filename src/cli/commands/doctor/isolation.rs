//! `tenantry doctor isolation`: what each stack may touch, and who could meet whom there.

use crate::cli::commands::validate::{modules, today};
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::delivery::reach;
use crate::estate::isolation::{Reach, check};
use crate::estate::{Estate, Findings, Level, lint};
use serde_json::json;
use std::fmt::Write as _;
use std::path::PathBuf;

/// Behind the help.
pub const AFTER: &str = "Examples:\n  tenantry doctor isolation --estate infra-manager\n  tenantry doctor isolation --estate infra-manager --format json";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let estate = Estate::read(folder::read(&args.estate)?)?;
    let (reaches, own) = reach::of(&estate);
    let mut more = modules(&estate);
    more.extend(check(&estate, &reaches, &own));
    let all = lint::checked(&estate, more, &today()?);
    // What lints find besides is about values and files, and `validate` says it.
    let ours = ["isolation-", "module", "collision-", "foreign", "allow-"];
    let mut findings = Findings(all).tidy();
    findings
        .0
        .retain(|f| ours.iter().any(|family| f.rule.starts_with(family)));
    let errors = findings
        .0
        .iter()
        .filter(|f| f.level == Level::Error)
        .count();
    let warnings = findings.0.len() - errors;
    match printer.format {
        Format::Json => printer.result(
            &json!({"version": 1, "stacks": reaches, "manager": own, "findings": findings}),
            "",
        ),
        Format::Github => printer.findings(&findings.0),
        _ => {
            printer.result(&(), &text(&reaches));
            if !findings.0.is_empty() {
                printer.findings(&findings.0);
            }
        }
    }
    let names: usize = reaches.iter().map(|r| r.claims.len()).sum::<usize>() + own.len();
    let verdict = match errors {
        0 => "no two customers can reach the same".to_owned(),
        n => format!("{n} to correct"),
    };
    printer.progress(&format!(
        "{} stacks of {} customers, {names} names compared: {verdict}, {warnings} warning{}",
        reaches.len(),
        estate.customers.len(),
        if warnings == 1 { "" } else { "s" }
    ));
    Ok(if errors > 0 {
        Exit::Refused
    } else if reaches.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// One block for each stack.
fn text(reaches: &[Reach]) -> String {
    let mut out = String::new();
    for Reach {
        stack,
        claims,
        environments,
        recipient,
    } in reaches
    {
        let _ = writeln!(out, "{stack}");
        for claim in claims {
            let _ = writeln!(out, "  {:<16} {}", claim.what, claim.name);
        }
        let _ = writeln!(out, "  {:<16} {}", "environments", environments.join(", "));
        let recipient = recipient.as_deref().unwrap_or("none is set");
        let _ = writeln!(out, "  {:<16} {recipient}", "plan recipient");
    }
    out
}
