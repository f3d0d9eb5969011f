//! `tenantry audit report`: evidence for a control.

use super::{LogArgs, Opened, damaged, render};
use crate::audit::controls::{self, ALL, Control};
use crate::audit::evidence::{Evidence, LastApply, Period, gather};
use crate::audit::verify::{Damage, Verdict};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::clock::{Clock, Time};
use crate::delivery::records::LastApplied;
use crate::estate::CustomerId;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;

pub(super) const AFTER: &str = "\
Both days of the period count whole, in UTC. Exceptions are part of the report; the exit code is
1 only where the log itself is not as it was written.

Examples:
  tenantry audit report --list
  tenantry audit report --control CC8.1 --since 2026-07-01 --until 2026-09-30 --out cc8.1.md
  tenantry audit report --control A.8.32 --as csv --out applies.csv";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// The control, such as `CC8.1` or `A.8.32`.
    #[arg(long, value_name = "CONTROL", required_unless_present = "list", value_parser = control)]
    control: Option<&'static Control>,
    /// List the controls.
    #[arg(long, conflicts_with = "control")]
    list: bool,
    /// First day of the period; the first record's when absent.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    since: Option<Time>,
    /// Last day of the period; today when absent.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    until: Option<Time>,
    /// Look at this customer only.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<CustomerId>,
    /// The form of the report; `--format json` is JSON too.
    #[arg(long = "as", value_enum, default_value_t = Form::Markdown)]
    form: Form,
    /// The file to write; standard output when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Form {
    /// A page to read.
    Markdown,
    /// Everything, `"version": 1`.
    Json,
    /// The population, one apply a line.
    Csv,
}

const DAY: u64 = 24 * 60 * 60;

fn control(text: &str) -> Result<&'static Control, String> {
    controls::find(text).ok_or_else(|| {
        let known: Vec<&str> = ALL.iter().map(|c| c.id).collect();
        format!("known controls are {}", known.join(", "))
    })
}

fn day(text: &str) -> Result<Time, String> {
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d").ok();
    day.and_then(|d| d.and_hms_opt(0, 0, 0))
        .and_then(|t| u64::try_from(t.and_utc().timestamp()).ok())
        .map(Time)
        .ok_or_else(|| "write a day as 2026-07-01".into())
}

/// What a report is made from.
#[derive(Debug, Serialize)]
pub(super) struct Report<'a> {
    pub version: u8,
    pub control: &'a Control,
    pub customer: Option<&'a CustomerId>,
    pub made: Time,
    #[serde(flatten)]
    pub evidence: Evidence,
    pub records: usize,
    pub whole: bool,
    pub signed: bool,
    pub damage: Vec<Damage>,
    pub notes: Vec<String>,
    pub head: Option<String>,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let Some(control) = args.control else {
        let lines: Vec<String> = ALL
            .iter()
            .map(|c| format!("{:<7}{}: {}", c.id, c.framework, c.name))
            .collect();
        printer.result(&json!({"version": 1, "controls": ALL}), &lines.join("\n"));
        return Ok(Exit::Done);
    };
    let opened = args.log.open(env)?;
    let verdict = opened.verdict(args.customer.as_ref(), Vec::new()).await?;
    let now = Clock::system().now();
    let first = verdict.chains.values().flatten().map(|r| r.at).min();
    let period = Period {
        since: args.since.or(first).unwrap_or(Time(0)),
        until: args.until.map_or(now.plus(1), |t| t.plus(DAY)),
    };
    if period.until <= period.since {
        return Err(CliError::usage("the period ends before it begins")
            .hint("--since is its first day, --until its last"));
    }
    let last = last_applies(&opened, args.customer.as_ref()).await?;
    let report = report(
        control,
        args,
        &verdict,
        period,
        &last,
        now,
        opened.keys.is_empty(),
    );
    let form = match printer.format {
        Format::Json => Form::Json,
        _ => args.form,
    };
    let text = match form {
        Form::Json => format!("{}\n", serde_json::to_string_pretty(&report)?),
        Form::Markdown => render::markdown(&report),
        Form::Csv => render::csv(&report),
    };
    match &args.out {
        Some(file) => folder::write(file, text.as_bytes())?,
        None => printer.document(&text),
    }
    match report.damage.len() {
        0 => Ok(Exit::Done),
        n => Err(damaged(n)),
    }
}

fn report<'a>(
    control: &'a Control,
    args: &'a Args,
    verdict: &Verdict,
    period: Period,
    last: &[LastApply],
    now: Time,
    unchecked: bool,
) -> Report<'a> {
    Report {
        version: 1,
        control,
        customer: args.customer.as_ref(),
        made: now,
        evidence: gather(verdict, period, last),
        records: verdict.records,
        whole: verdict.damage.is_empty(),
        signed: !unchecked && verdict.damage.is_empty() && verdict.entries > 0,
        damage: verdict.damage.clone(),
        notes: verdict.notes.clone(),
        head: verdict
            .head
            .clone()
            .map(|h| crate::audit::head::Kept::Log(h).to_string()),
    }
}

/// What the store says was last applied, to find applies that the log does not have.
async fn last_applies(
    opened: &Opened,
    only: Option<&CustomerId>,
) -> Result<Vec<LastApply>, CliError> {
    let mut out = Vec::new();
    for key in opened.store.list("applied").await? {
        let stack = key
            .strip_prefix("applied/")
            .and_then(|k| k.strip_suffix(".json"))
            .and_then(|k| k.parse::<crate::estate::StackId>().ok());
        let Some(stack) = stack.filter(|s| only.is_none_or(|o| *o == s.customer)) else {
            continue;
        };
        let applied = opened.store.read::<LastApplied>(&key).await?;
        if let Some((applied, _)) = applied.filter(|(a, _)| a.ever()) {
            out.push(LastApply {
                stack,
                plan: applied.plan,
                at: applied.at,
            });
        }
    }
    Ok(out)
}
