//! All stacks together: for a step summary and for a terminal.

use super::{DriftView, StackView, age, ago, counts, headline, told};
use crate::clock::Time;
use crate::estate::drift::Severity;
use crate::report::escape::{code, shorten};
use std::fmt::Write as _;

/// GitHub keeps 1 MiB of a step summary.
const SUMMARY: usize = 900_000;

/// The step summary: coverage first, then what drifted, then what could not be checked.
pub fn summary(view: &DriftView) -> String {
    let mut out = String::new();
    let late = view.total - view.in_time;
    let sign = if late == 0 { "✅" } else { "❌" };
    let _ = writeln!(
        out,
        "### {sign} Drift: {}\n\n| | |\n| --- | --- |\n| checked within {} hours | {} of {} stacks |\n| drifted | {} |\n| not worth an issue | {} |\n| ignored by rules | {} |\n| expired rules | {} |\n| not checked any more | {} |\n",
        headline(view),
        view.within_hours,
        view.in_time,
        view.total,
        told(view).count(),
        view.stacks
            .iter()
            .filter(|s| s.since.is_none() && !s.resources.is_empty())
            .count(),
        view.stacks.iter().map(|s| s.ignored.len()).sum::<usize>(),
        view.expired_rules,
        view.left_out.len(),
    );
    let mut table = |title: &str, head: &str, rows: &mut dyn Iterator<Item = String>| {
        let mut begun = false;
        let mut missing = 0_usize;
        for row in rows {
            if out.len() + row.len() > SUMMARY {
                missing += 1;
                continue;
            }
            if !std::mem::replace(&mut begun, true) {
                let columns = "| --- ".repeat(head.matches('|').count() - 1);
                let _ = writeln!(out, "**{title}**\n\n{head}\n{columns}|");
            }
            out.push_str(&row);
        }
        if begun {
            out.push('\n');
        }
        if missing > 0 {
            let _ = writeln!(out, "_{missing} more are not shown here._\n");
        }
    };
    table(
        "Not checked in time",
        "| stack | last checked | why |",
        &mut view.stacks.iter().filter(|s| !s.in_time).map(|s| {
            format!(
                "| {} | {} | {} |\n",
                code(&s.stack.to_string()),
                s.checked
                    .map_or_else(|| "never".to_owned(), |at| ago(at, view.at)),
                s.error.as_ref().map_or_else(
                    || "no run has come to it".to_owned(),
                    |e| code(&shorten(e, 1_000))
                )
            )
        }),
    );
    table(
        "Drifted",
        "| severity | stack | what | first seen | issue |",
        &mut told(view).map(|s| {
            format!(
                "| {} | {} | {} | {} | {} |\n",
                s.severity.map_or("", Severity::word),
                code(&s.stack.to_string()),
                counts(&s.resources),
                s.since.map_or_else(String::new, |at| ago(at, view.at)),
                s.issue.map_or_else(|| "–".to_owned(), |n| format!("#{n}")),
            )
        }),
    );
    table(
        "Checked in time, but the last try failed",
        "| stack | since | why |",
        &mut view
            .stacks
            .iter()
            .filter(|s| s.in_time && s.error.is_some())
            .map(|s| {
                format!(
                    "| {} | {} | {} |\n",
                    code(&s.stack.to_string()),
                    s.failing_since
                        .map_or_else(String::new, |at| ago(at, view.at)),
                    code(&shorten(s.error.as_deref().unwrap_or_default(), 1_000))
                )
            }),
    );
    table(
        "Not checked any more",
        "| stack | why |",
        &mut view
            .left_out
            .iter()
            .map(|(stack, why)| format!("| {} | {} |\n", code(&stack.to_string()), code(why))),
    );
    if view.later > 0 {
        let _ = writeln!(
            out,
            "_{} more issues are opened, updated or closed by the next runs: GitHub limits how many a run may write._\n",
            view.later
        );
    }
    out
}

/// For a terminal.
pub fn text(view: &DriftView) -> String {
    let mut out = String::new();
    for stack in &view.stacks {
        let _ = writeln!(out, "{}", line(stack, view.at));
    }
    for (stack, why) in &view.left_out {
        let _ = writeln!(out, "{stack}: not checked any more: {why}");
    }
    for step in &view.issues {
        let number = step.number.map_or_else(String::new, |n| format!(" #{n}"));
        let _ = writeln!(out, "{}{number}: {}", step.act.word(), step.title);
    }
    if view.later > 0 {
        let _ = writeln!(out, "{} more issues are left to the next runs", view.later);
    }
    out.push_str(&headline(view));
    out
}

/// One stack in one line, with its error in another.
pub fn line(stack: &StackView, now: Time) -> String {
    let checked = match stack.checked {
        Some(at) => format!("checked {} ago", age(now.since(at))),
        None => "never checked".to_owned(),
    };
    let late = if stack.in_time { "" } else { ", too long ago" };
    let what = match (stack.severity, stack.checked) {
        (Some(severity), _) => format!("{} ({})", counts(&stack.resources), severity.word()),
        (None, Some(_)) if stack.ignored.is_empty() => "as it was applied".to_owned(),
        (None, Some(_)) => "as it was applied, but for what is ignored".to_owned(),
        (None, None) => "unknown".to_owned(),
    };
    let mut out = format!("{}: {what}; {checked}{late}", stack.stack);
    for resource in &stack.resources {
        let drifted = &resource.drifted;
        let paths: Vec<&str> = drifted
            .differs
            .iter()
            .take(10)
            .map(|d| d.attribute.path.as_str())
            .collect();
        let more = drifted.differs.len().saturating_sub(paths.len());
        let more = match more {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        let paths = match paths.is_empty() {
            true => String::new(),
            false => format!(": {}{more}", paths.join(", ")).replace(['\n', '\r'], " "),
        };
        let _ = write!(
            out,
            "\n  {} {} {}{paths}",
            resource.severity.word(),
            drifted.outside.word(),
            drifted.address.replace(['\n', '\r'], " ")
        );
    }
    if let Some(error) = &stack.error {
        let _ = write!(out, "\n  last try: {}", error.replace('\n', "\n  "));
    }
    out
}
