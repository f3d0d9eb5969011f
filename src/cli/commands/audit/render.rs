//! A report as a page and as a table. Names in it are foreign text.

use super::report::Report;
use crate::audit::controls::Focus;
use crate::audit::evidence::Apply;
use crate::clock::Time;
use crate::report::escape::{code, terminal};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// The page.
pub(super) fn markdown(report: &Report<'_>) -> String {
    let mut out = format!(
        "# {}: {}\n\n{}\n\n",
        report.control.id, report.control.name, report.control.framework
    );
    let whose = report.customer.map_or_else(
        || "all customers".to_owned(),
        |c| format!("customer {}", code(c.as_str())),
    );
    let period = report.evidence.period;
    let _ = writeln!(
        out,
        "Period: {} to {}, {whose}. Made by tenantry {} at {}.\n\nThis shows {}.\n",
        period.since,
        Time(period.until.0.saturating_sub(1)),
        env!("CARGO_PKG_VERSION"),
        report.made,
        report.control.shows
    );
    trust(report, &mut out);
    tests(report, &mut out);
    match report.control.focus {
        Focus::Changes => {
            exceptions(report, &mut out);
            population(report, &mut out);
        }
        Focus::Access => {
            counts(
                "Approvals",
                "approver",
                &report.evidence.approvers,
                &mut out,
            );
            counts("Refusals", "reason", &report.evidence.refusals, &mut out);
            exceptions(report, &mut out);
            population(report, &mut out);
        }
        Focus::Logging => {
            counts("Records", "kind", &report.evidence.kinds, &mut out);
            counts("Refusals", "reason", &report.evidence.refusals, &mut out);
            exceptions(report, &mut out);
        }
    }
    out
}

/// Whether the log can be believed at all.
fn trust(report: &Report<'_>, out: &mut String) {
    out.push_str("## Can the record be trusted?\n\n");
    let word = match (report.whole, report.signed) {
        (true, true) => "Yes: every record is as it was written, and signed by the manager.",
        (true, false) => {
            "In part: every record fits to the others, but no signature vouches for the whole."
        }
        (false, _) => "**No: the log is not as it was written.**",
    };
    let _ = writeln!(out, "{word} {} records were checked.\n", report.records);
    for damage in &report.damage {
        let _ = writeln!(out, "- {}", code(&damage.to_string()));
    }
    for note in &report.notes {
        let _ = writeln!(out, "- note: {}", code(note));
    }
    if !report.damage.is_empty() || !report.notes.is_empty() {
        out.push('\n');
    }
    let since = report
        .evidence
        .first
        .map_or_else(|| "there is none".to_owned(), |t| t.to_string());
    let _ = writeln!(out, "First record: {since}.");
    if let Some(head) = &report.head {
        let _ = writeln!(out, "Head of the log: `{head}`.");
    }
    let (covered, missing) = (report.evidence.covered, report.evidence.uncovered.len());
    let _ = writeln!(
        out,
        "Coverage: of {covered} stacks that the store says were last applied in the period, the log has {}.",
        covered - missing
    );
    for stack in &report.evidence.uncovered {
        let _ = writeln!(
            out,
            "- exception: the last apply of {} is not in the log",
            code(stack)
        );
    }
    out.push('\n');
}

fn tests(report: &Report<'_>, out: &mut String) {
    let _ = writeln!(
        out,
        "## Tests\n\nPopulation: all {} applies that began in the period. Every one was tested; nothing is a sample.\n\n| what must hold | applies tested | exceptions |\n| --- | ---: | ---: |",
        report.evidence.applies.len()
    );
    for test in &report.evidence.tests {
        let _ = writeln!(out, "| {} | {} | {} |", test.name, test.tested, test.failed);
    }
    out.push('\n');
}

fn exceptions(report: &Report<'_>, out: &mut String) {
    out.push_str("## Exceptions\n\n");
    let mut any = false;
    for apply in &report.evidence.applies {
        for text in &apply.exceptions {
            any = true;
            let _ = writeln!(
                out,
                "- {} at {}, record {} of {}: {text}",
                code(&stack(apply)),
                apply.at,
                apply.record,
                apply.customer
            );
        }
    }
    out.push_str(if any { "\n" } else { "None.\n\n" });
}

fn counts(title: &str, column: &str, counts: &BTreeMap<String, usize>, out: &mut String) {
    let _ = writeln!(out, "## {title}\n");
    if counts.is_empty() {
        out.push_str("None.\n\n");
        return;
    }
    let _ = writeln!(out, "| {column} | how often |\n| --- | ---: |");
    for (what, count) in counts {
        let _ = writeln!(out, "| {} | {count} |", code(what));
    }
    out.push('\n');
}

fn population(report: &Report<'_>, out: &mut String) {
    out.push_str("## Population\n\n| when | stack | commit | authors | approved by | plan | result | records | run |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n");
    for apply in &report.evidence.applies {
        let commit = apply
            .commit
            .as_deref()
            .and_then(|c| c.get(..12))
            .unwrap_or("–");
        let approved = match (&apply.approved_by, apply.approval_needed) {
            (Some(who), _) => code(who),
            (None, true) => "**nobody**".to_owned(),
            (None, false) => "not needed".to_owned(),
        };
        let authors: Vec<String> = apply.authors.iter().map(|a| code(a)).collect();
        let end = apply.end.map(|n| format!(", {n}")).unwrap_or_default();
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} | {approved} | {} | {} | {}{end} | {} |",
            apply.at,
            code(&stack(apply)),
            code(commit),
            authors.join(", "),
            code(apply.applied.short()),
            apply.result,
            apply.record,
            apply.run
        );
    }
    out.push('\n');
}

fn stack(apply: &Apply) -> String {
    apply
        .stack
        .as_ref()
        .map_or_else(|| apply.customer.to_string(), ToString::to_string)
}

/// The population as CSV (RFC 4180).
pub(super) fn csv(report: &Report<'_>) -> String {
    let mut out = String::from(
        "when,customer,stack,request,attempt,commit,authors,approval_needed,approved_by,planned,approved,applied,changes,result,record,end_record,run,exceptions\r\n",
    );
    let digest =
        |d: &Option<crate::digest::Digest>| d.as_ref().map(ToString::to_string).unwrap_or_default();
    for apply in &report.evidence.applies {
        let cells = [
            apply.at.to_string(),
            apply.customer.to_string(),
            stack(apply),
            apply.request.clone(),
            apply.attempt.to_string(),
            apply.commit.clone().unwrap_or_default(),
            apply.authors.join(" "),
            apply.approval_needed.to_string(),
            apply.approved_by.clone().unwrap_or_default(),
            digest(&apply.planned),
            digest(&apply.approved),
            apply.applied.to_string(),
            apply.changes.to_string(),
            apply.result.clone(),
            apply.record.to_string(),
            apply.end.map(|n| n.to_string()).unwrap_or_default(),
            apply.run.to_string(),
            apply.exceptions.join("; "),
        ];
        let row: Vec<String> = cells.iter().map(|c| cell(c)).collect();
        out.push_str(&row.join(","));
        out.push_str("\r\n");
    }
    out
}

/// One cell: quoted, and never the beginning of a formula.
fn cell(text: &str) -> String {
    let text = terminal(text).replace(['\n', '\r'], " ");
    let formula = text.starts_with(['=', '+', '-', '@', '\t']);
    let text = if formula { format!("'{text}") } else { text };
    if text.contains([',', '"', '\'']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_no_formula_and_no_second_cell() {
        assert_eq!(cell("alice"), "alice");
        assert_eq!(cell("a,b\"c"), "\"a,b\"\"c\"");
        assert_eq!(cell("=1+1"), "\"'=1+1\"");
        assert_eq!(cell("a\nb\u{202e}"), "a b\\u{202e}");
    }
}
