//! `tenantry impact`: which stacks a change of the estate reaches, and how.

use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::{folder, revision};
use crate::estate::impact::{Difference, Group, impact};
use crate::estate::{Estate, Place};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry impact --since origin/main\n  tenantry impact --since v1.4 --until v1.5 --format json"
)]
pub struct Args {
    /// The git revision to compare with.
    #[arg(long, value_name = "REVISION")]
    since: String,
    /// Compare with this revision instead of the folder as it is.
    #[arg(long, value_name = "REVISION")]
    until: Option<String>,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Name every stack, not only the first ones of a group.
    #[arg(long)]
    all: bool,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let before = Estate::read(revision::read(&args.estate, &args.since)?)?;
    let after = Estate::read(match &args.until {
        Some(until) => revision::read(&args.estate, until)?,
        None => folder::read(&args.estate)?,
    })?;
    let groups = impact(&before, &after, |_, _| None);
    let stacks = after.stacks().len();
    let changed: usize = groups.iter().map(|g| g.stacks.len()).sum();
    let mut text = if groups.is_empty() {
        format!("none of {stacks} stacks changes\n")
    } else {
        let noun = if groups.len() == 1 { "way" } else { "ways" };
        let verb = if changed == 1 { "changes" } else { "change" };
        format!(
            "{changed} of {stacks} stacks {verb}, in {} {noun}\n",
            groups.len()
        )
    };
    for group in &groups {
        text.push('\n');
        text.push_str(&tell(group, args.all));
    }
    let json = json!({"version": 1, "stacks": stacks, "changed": changed, "groups": groups});
    printer.result(&json, &text);
    Ok(if groups.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

/// How many stacks of a group are named.
const NAMED: usize = 5;

fn tell(group: &Group, all: bool) -> String {
    let shown = if all { group.stacks.len() } else { NAMED };
    let names: Vec<String> = group
        .stacks
        .iter()
        .take(shown)
        .map(ToString::to_string)
        .collect();
    let rest = group.stacks.len().saturating_sub(shown);
    let more = match rest {
        0 => String::new(),
        n => format!(" and {n} more"),
    };
    let plural = if group.stacks.len() == 1 { "" } else { "s" };
    let mut out = format!(
        "{} stack{plural}: {}{more}\n",
        group.stacks.len(),
        names.join(", ")
    );
    for (difference, place) in group.differences.iter().zip(&group.places) {
        out.push_str(&line(difference, place.as_ref()));
    }
    out
}

fn line(difference: &Difference, place: Option<&Place>) -> String {
    let at = place.map_or_else(String::new, |p| format!("  ({p})"));
    match difference {
        Difference::Value {
            path,
            before,
            after,
        } => {
            let path = path.join(".");
            match (before, after) {
                (None, Some(a)) => format!("  + {path} = {}{at}\n", brief(a)),
                (Some(b), None) => format!("  - {path} = {}\n", brief(b)),
                (b, a) => format!(
                    "  ~ {path}: {} → {}{at}\n",
                    b.as_ref().map_or_else(String::new, brief),
                    a.as_ref().map_or_else(String::new, brief)
                ),
            }
        }
        Difference::File { path } => format!("  ~ {path}\n"),
        Difference::Version { before, after } => format!(
            "  ~ version: {} → {}\n",
            before.as_deref().unwrap_or("none"),
            after.as_deref().unwrap_or("none")
        ),
        Difference::Engine { before, after } => {
            format!("  ~ engine: {} → {}\n", before.name(), after.name())
        }
        Difference::Added => "  + the stack is new\n".to_owned(),
        Difference::Removed => {
            "  - no longer subscribed; what it deployed is left as it is\n".to_owned()
        }
        Difference::Broken { findings } => findings.iter().map(|f| format!("  ! {f}\n")).collect(),
    }
}

fn brief(value: &Value) -> String {
    let text = value.to_string();
    if text.chars().count() > 80 {
        let start: String = text.chars().take(79).collect();
        return format!("{start}…");
    }
    text
}
