//! What doctor says, and the one question that it asks.

use crate::cli::error::CliError;
use crate::cli::print::{Format, Printer};
use crate::setup::doctor::repair::Done;
use crate::setup::doctor::{Outcome, Repair, Sheet};
use serde_json::json;
use std::fmt::Write as _;
use std::io::{BufRead as _, IsTerminal as _};

/// Prints what was found, and what would be or was repaired.
pub fn result(sheet: &Sheet, repairs: &[Repair], done: &[Done], passed: bool, printer: &Printer) {
    let count = sheet.count();
    let mut out = findings(sheet, passed);
    if !repairs.is_empty() && done.is_empty() {
        out.push_str(&planned(repairs));
    }
    let json = json!({
        "version": 1, "checks": sheet.json(), "count": count, "repairs": repairs, "done": done,
    });
    if !out.is_empty() || printer.format == Format::Json {
        printer.result(&json, &out);
    }
    let plural = |n: usize| if n == 1 { "" } else { "s" };
    let mut line = format!(
        "{} check{}: {} as it must be, {} finding{}, {} could not be checked",
        sheet.0.len(),
        plural(sheet.0.len()),
        count.fine,
        count.findings,
        plural(count.findings),
        count.unchecked
    );
    if count.repairable > 0 && repairs.is_empty() {
        let _ = write!(line, "; --fix can repair {}", count.repairable);
    }
    printer.progress(&line);
}

/// Findings first, the worst of them on top; then what nobody knows.
fn findings(sheet: &Sheet, passed: bool) -> String {
    let mut bad = Vec::new();
    let mut unknown = String::new();
    let mut fine = String::new();
    for verdict in &sheet.0 {
        let (id, subject) = (verdict.check.id, &verdict.subject);
        match &verdict.outcome {
            Outcome::Finding {
                severity,
                message,
                remedy,
                repair,
            } => {
                let fix = if repair.is_some() {
                    " (--fix does it)"
                } else {
                    ""
                };
                let text = format!(
                    "{:<6} {subject}: {message} [{id}]\n       do: {remedy}{fix}\n",
                    severity.name()
                );
                bad.push((std::cmp::Reverse(*severity), text));
            }
            Outcome::Unchecked(why) => {
                let _ = writeln!(
                    unknown,
                    "?      {subject}: could not be checked: {why} [{id}]"
                );
            }
            Outcome::Fine(note) if passed => {
                let note = note.as_ref().map_or_else(String::new, |n| format!(": {n}"));
                let _ = writeln!(fine, "ok     {subject}{note} [{id}]");
            }
            Outcome::Fine(_) => {}
        }
    }
    bad.sort_by_key(|(severity, _)| *severity);
    let mut out: String = bad.into_iter().map(|(_, text)| text).collect();
    out.push_str(&unknown);
    out.push_str(&fine);
    out
}

fn planned(repairs: &[Repair]) -> String {
    let mut out = String::from("\nRepairs:\n");
    for (i, repair) in repairs.iter().enumerate() {
        let _ = writeln!(out, "{:>3}. {}", i + 1, repair.says);
        for act in &repair.acts {
            let _ = writeln!(out, "       {act}");
        }
        if let Some(then) = &repair.then {
            let _ = writeln!(out, "       then: {then}");
        }
    }
    out
}

/// Tells what became of each repair.
pub fn done(done: &[Done], printer: &Printer) {
    for one in done {
        match &one.failed {
            None => printer.progress(&format!("done: {}", one.says)),
            Some(why) => printer.progress(&format!(
                "failed after {} step{}: {}: {why}",
                one.acts,
                if one.acts == 1 { "" } else { "s" },
                one.says
            )),
        }
        if let (None, Some(then)) = (&one.failed, &one.then) {
            printer.progress(&format!("      then: {then}"));
        }
    }
}

/// Asks for the id of a lock, so that nobody breaks one in passing.
pub fn named(repair: &Repair, id: &str, printer: &Printer) -> Result<bool, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Ok(false);
    }
    printer.progress(&format!("{}? Type its id to do it:", repair.says));
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(line.trim() == id)
}

/// Asks on the terminal. Without one, nobody can answer, and that is a no.
pub fn confirmed(count: usize, printer: &Printer) -> Result<bool, CliError> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        printer.progress("there is no terminal to ask on; carry the repairs out with --yes");
        return Ok(false);
    }
    printer.progress(&format!(
        "Carry out {count} repair{}? Type `yes`:",
        if count == 1 { "" } else { "s" }
    ));
    let mut line = String::new();
    stdin.lock().read_line(&mut line)?;
    Ok(line.trim() == "yes")
}
