//! A stack's issue.

use super::{StackView, age, ago, counts};
use crate::clock::Time;
use crate::engine::drift::Outside;
use crate::estate::StackId;
use crate::report::escape::{code, code_within, run_link};
use crate::report::split::BUDGET;
use std::fmt::Write as _;

/// The title of a stack's issue: an id, counts, a word. Nothing foreign.
pub fn title(view: &StackView) -> String {
    match (view.severity, view.since) {
        (Some(severity), Some(_)) => format!(
            "Drift in {}: {} outside of tenantry ({})",
            view.stack,
            counts(&view.resources),
            severity.word()
        ),
        _ => format!("Drift in {}: none any more", view.stack),
    }
}

/// The hidden line that an issue begins with. The secret part is in the store before it is here.
pub fn marker(stack: &StackId, nonce: &str) -> String {
    format!("<!-- tenantry:drift:{stack}:{nonce} -->\n")
}

/// Kept of a body for what follows the tables, and for the marker.
const FOOT: usize = 4_000;
/// Longest foreign piece of a row, as it is written.
const PIECE: usize = 600;

/// The text of a stack's issue. Foreign words stand in `<code>` alone.
pub fn body(view: &StackView, now: Time, run_url: &str) -> String {
    let mut out = String::new();
    match (view.severity, view.since) {
        (Some(severity), Some(since)) => {
            let _ = writeln!(
                out,
                "What stands in {} is not what tenantry applied last: {} outside of tenantry.\n\n| | |\n| --- | --- |\n| severity | **{}** |\n| first seen | {} |\n| last checked | {} |",
                code(&view.stack.to_string()),
                counts(&view.resources),
                severity.word(),
                ago(since, now),
                view.checked
                    .map_or_else(|| "never".to_owned(), |at| ago(at, now)),
            );
        }
        _ => {
            let _ = writeln!(
                out,
                "What stands in {} is what tenantry applied last, but for what is ignored below or not worth an issue. Last checked {}.\n\n_This issue is opened again if that changes._",
                code(&view.stack.to_string()),
                view.checked
                    .map_or_else(|| "never".to_owned(), |at| at.to_string()),
            );
        }
    }
    if let (Some(error), Some(since)) = (&view.error, view.failing_since) {
        let _ = writeln!(
            out,
            "\nIt could not be checked since {}: {}",
            ago(since, now),
            code_within(error, 4_000)
        );
    }
    out.push('\n');
    if let Some(note) = &view.note {
        let _ = writeln!(out, "{}\n", code_within(note, 4_000));
    }
    resources(view, now, BUDGET - FOOT, &mut out);
    ignored(view, BUDGET - FOOT / 2, &mut out);
    if view.since.is_some() {
        out.push_str(ADVICE);
    }
    if let Some(link) = run_link(run_url) {
        let _ = writeln!(out, "<sub>{link}</sub>");
    }
    out
}

const ADVICE: &str = "**What to do**\n\n- To undo it: the next plan of this stack shows it as a change, and applying that plan puts it back.\n- To keep it: change the product or the customer's values until a plan shows no change, and apply.\n- To ignore it for a while: add a rule to `drift.ignore` in `tenantry.yml`, with a reason, an owner and a last day.\n\nThis issue follows the stack: tenantry closes it when the drift is gone.\n\n";

fn resources(view: &StackView, now: Time, budget: usize, out: &mut String) {
    if view.resources.is_empty() && view.omitted == 0 {
        return;
    }
    out.push_str("| severity | resource | attribute | was | is | first seen |\n| --- | --- | --- | --- | --- | --- |\n");
    let mut missing = view.omitted;
    let mut shortened = 0_usize;
    let mut full = false;
    for resource in &view.resources {
        let drifted = &resource.drifted;
        let lead =
            |severity: &str| format!("| {severity} | {} |", code_within(&drifted.address, PIECE));
        let tail = format!("{} ago |\n", age(now.since(resource.first_seen)));
        let mut rows = Vec::new();
        match drifted.outside {
            Outside::Deleted => rows.push(format!(
                "{} _the whole_ | there | **deleted** | {tail}",
                lead(resource.severity.word())
            )),
            Outside::Changed => {
                for differing in &drifted.differs {
                    let side = |side: &Option<String>| {
                        side.as_ref()
                            .map_or_else(|| "–".to_owned(), |v| code_within(v, PIECE))
                    };
                    let severity = match differing.matters {
                        true => resource.severity.word(),
                        false => "low",
                    };
                    rows.push(format!(
                        "{} {} | {} | {} | {tail}",
                        lead(severity),
                        code_within(&differing.attribute.path, PIECE),
                        side(&differing.attribute.before),
                        side(&differing.attribute.after),
                    ));
                }
            }
        }
        let before = out.len();
        for row in &rows {
            if full || out.len() + row.len() > budget {
                full = true;
                break;
            }
            out.push_str(row);
        }
        if out.len() == before {
            missing += 1;
        } else if full {
            shortened += 1;
        }
    }
    out.push('\n');
    if shortened > 0 {
        out.push_str("_The last resource has more attributes than are shown here._\n\n");
    }
    if missing > 0 {
        let _ = writeln!(
            out,
            "_{missing} more resources are not shown here; `tenantry drift list --format json` has what is kept of them._\n"
        );
    }
}

fn ignored(view: &StackView, budget: usize, out: &mut String) {
    if view.ignored.is_empty() {
        return;
    }
    out.push_str(
        "Ignored for a while:\n\n| resource | owner | until | reason |\n| --- | --- | --- | --- |\n",
    );
    for (i, ignored) in view.ignored.iter().enumerate() {
        let row = format!(
            "| {} | {} | {} | {} |\n",
            code_within(&ignored.address, PIECE),
            code_within(&ignored.owner, PIECE),
            code(&ignored.until),
            code_within(&ignored.reason, PIECE)
        );
        if out.len() + row.len() > budget {
            let _ = writeln!(out, "\n_… and {} more._", view.ignored.len() - i);
            break;
        }
        out.push_str(&row);
    }
    out.push('\n');
}
