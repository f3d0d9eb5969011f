//! The sticky comment and the step summary: a headline, a table, then one section a stack. What
//! failed stands before what destroys, and that before the rest, in the table as in the sections.

use super::aftermath;
use super::diff;
use super::escape::{code, code_within, fence, fence_within, fenced, run_link, shorten};
use super::plan::thousands;
pub use super::split::BUDGET;
use super::view::{Overall, RequestView, StackState, StackView};
use std::fmt::Write as _;

/// Most bodies of a request that has ended: the sticky one, and what a person needs besides. With
/// three reports (opened, planned, ended), each a comment and a status, a request then makes nine
/// calls that create content, however many stacks it has.
pub const BODIES: usize = 4;
/// What the table may take of a comment and of a summary, in bytes.
const TABLE: usize = 20_000;
const SUMMARY_TABLE: usize = 300_000;
/// GitHub keeps 1 MiB of a step summary.
const SUMMARY: usize = 900_000;
/// The least that a section is worth having for.
const SECTION: usize = 1_200;

/// The hidden line that finds our comment again. It names the customer and the kind, both
/// checked ids, and the part from the second on; the author of the comment is compared too.
pub fn marker(customer: &crate::estate::CustomerId, plan_only: bool, part: usize) -> String {
    let kind = if plan_only { "plan" } else { "apply" };
    match part {
        0 | 1 => format!("<!-- tenantry:{customer}:{kind} -->"),
        n => format!("<!-- tenantry:{customer}:{kind}:{n} -->"),
    }
}

/// The sticky comment, never longer than [`BUDGET`] bytes.
pub fn body(view: &RequestView, marker: &str) -> String {
    compose(view, marker, BUDGET, TABLE).0
}

/// The sticky comment, and once the request has ended the comments that follow it: only for what
/// failed or destroys and had no room in the first, and [`BODIES`] at most.
pub fn bodies(view: &RequestView, marker: impl Fn(usize) -> String) -> Vec<String> {
    let (first, cut) = compose(view, &marker(1), BUDGET, TABLE);
    let mut out = vec![first];
    if view.overall == Overall::Pending {
        return out;
    }
    let mut left: Vec<&StackView> = cut
        .into_iter()
        .filter(|s| is_bad(s) || is_destructive(s))
        .collect();
    while !left.is_empty() && out.len() < BODIES {
        let mut text = format!(
            "{}\n**Continued: what failed or destroys, and had no room above**\n\n",
            marker(out.len() + 1)
        );
        let foot = foot(view);
        let room = BUDGET - text.len() - foot.len() - 200;
        let cut = sections(&left, room, &mut text);
        if cut.len() == left.len() && text.len() < 1_000 {
            break;
        }
        // A section that was shortened already is not said twice.
        left.retain(|s| cut.iter().any(|c| c.stack == s.stack && !shown(&text, s)));
        if out.len() + 1 == BODIES && !left.is_empty() {
            let _ = writeln!(
                text,
                "_{} more stacks failed or destroy something; the run's summary has them all._",
                thousands(left.len())
            );
        }
        text.push_str(&foot);
        out.push(text);
    }
    out
}

fn shown(text: &str, stack: &StackView) -> bool {
    text.contains(&format!("<summary>{}", code(&stack.stack.to_string())))
}

/// What stands in a follow-up that is needed no more.
pub fn retired(marker: &str) -> String {
    format!("{marker}\n_Nothing more to say here: the comment above has everything._\n")
}

/// The step summary.
pub fn summary(view: &RequestView) -> String {
    compose(view, "", SUMMARY, SUMMARY_TABLE).0
}

/// One text of at most `budget` bytes, and the stacks of which something is missing in it.
fn compose<'v>(
    view: &'v RequestView,
    marker: &str,
    budget: usize,
    rows: usize,
) -> (String, Vec<&'v StackView>) {
    let mut out = String::new();
    if !marker.is_empty() {
        let _ = writeln!(out, "{marker}");
    }
    head(view, &mut out);
    findings(view, &mut out);
    table(view, rows, &mut out);
    out.push_str(&aftermath::next(view));
    let foot = foot(view);
    let note = |n: usize| {
        format!(
            "\n_Some details of {} stack{} were left out because a comment is limited in size; the run's summary has them all._\n",
            thousands(n),
            if n == 1 { "" } else { "s" }
        )
    };
    let room = budget.saturating_sub(out.len() + foot.len() + note(1_000_000).len());
    let order = by_urgency(view);
    let cut = sections(&order, room, &mut out);
    if !cut.is_empty() {
        out.push_str(&note(cut.len()));
    }
    out.push_str(&foot);
    (out, cut)
}

/// What failed, then what destroys, then the rest; within each in promotion order.
fn by_urgency(view: &RequestView) -> Vec<&StackView> {
    let mut order: Vec<&StackView> = view.stacks.iter().collect();
    order.sort_by_key(|s| (!is_bad(s), !is_destructive(s)));
    order
}

/// Adds sections within `room` bytes, and returns the stacks of which something is missing. Small
/// ones are whole; what they leave is shared among the large ones.
fn sections<'v>(order: &[&'v StackView], room: usize, out: &mut String) -> Vec<&'v StackView> {
    let whole: Vec<String> = order.iter().map(|s| section(s, room).0).collect();
    let mut sizes: Vec<usize> = whole.iter().map(String::len).filter(|l| *l > 0).collect();
    sizes.sort_unstable();
    let mut free = room;
    let mut share = room;
    for (i, size) in sizes.iter().enumerate() {
        share = (free / (sizes.len() - i)).max(SECTION);
        if *size > share {
            break;
        }
        // A share is never less than is worth having, so all of them may be more than there is.
        free = free.saturating_sub(*size);
    }
    let mut left = room;
    let mut cut = Vec::new();
    for (stack, whole) in order.iter().zip(whole) {
        let (text, complete) = match whole.len() <= share {
            true => (whole, section(stack, room).1),
            false => section(stack, share.min(left)),
        };
        let fits = text.len() <= left;
        if fits {
            left -= text.len();
            out.push_str(&text);
        }
        if !(fits && complete) {
            cut.push(*stack);
        }
    }
    cut
}

fn head(view: &RequestView, out: &mut String) {
    let sign = match view.overall {
        Overall::Pending => "⏳",
        Overall::Success => "✅",
        Overall::Failure => "❌",
    };
    let headline = code_within(&view.headline, 2_000);
    let _ = writeln!(out, "### {sign} Infrastructure: {headline}\n");
}

fn findings(view: &RequestView, out: &mut String) {
    if view.findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "Nothing was planned or applied. Please correct:\n");
    let mut lines = String::new();
    let mut shown = 0;
    for finding in view.findings.iter().take(50) {
        // As it will be written, for that is what has to have room.
        let line = shorten(&fenced(&shorten(&finding.to_string(), 4_000)), 4_000);
        if lines.len() + line.len() > 20_000 {
            break;
        }
        let _ = writeln!(lines, "{line}");
        shown += 1;
    }
    out.push_str(&fence("text", &lines));
    if view.findings.len() > shown {
        let _ = writeln!(out, "\n… and {} more.", view.findings.len() - shown);
    }
    out.push('\n');
}

/// A table of the stacks, whole rows within `room` bytes; what is omitted is counted by state.
fn table(view: &RequestView, room: usize, out: &mut String) {
    if view.stacks.is_empty() {
        return;
    }
    out.push_str("| stack | state | changes | plan |\n| --- | --- | --- | --- |\n");
    let rows: usize = view.stacks.iter().map(|s| row(s).len()).sum();
    let order = match rows <= room {
        true => view.stacks.iter().collect(),
        false => by_urgency(view),
    };
    let mut left = room;
    let mut omitted: Vec<(&'static str, usize)> = Vec::new();
    let mut full = false;
    for stack in order {
        let row = row(stack);
        full |= row.len() > left;
        if !full {
            left -= row.len();
            out.push_str(&row);
            continue;
        }
        let word = word(stack);
        match omitted.iter_mut().find(|(w, _)| *w == word) {
            Some((_, n)) => *n += 1,
            None => omitted.push((word, 1)),
        }
    }
    out.push('\n');
    if !omitted.is_empty() {
        let all: usize = omitted.iter().map(|(_, n)| n).sum();
        let words: Vec<String> = omitted
            .iter()
            .map(|(w, n)| format!("{} {w}", thousands(*n)))
            .collect();
        let _ = writeln!(
            out,
            "_… and {} more of {} stacks: {}. The run's summary lists them._\n",
            thousands(all),
            thousands(view.stacks.len()),
            words.join(", ")
        );
    }
}

fn row(stack: &StackView) -> String {
    let changes = stack
        .changes
        .as_ref()
        .map_or_else(|| "–".to_owned(), |c| code(&c.summary()));
    let digest = stack
        .digest
        .as_deref()
        .map_or_else(|| "–".to_owned(), |d| code(d.get(7..19).unwrap_or(d)));
    format!(
        "| {} | {} | {changes} | {digest} |\n",
        code(&stack.stack.to_string()),
        state(stack)
    )
}

fn is_bad(stack: &StackView) -> bool {
    matches!(
        stack.state,
        StackState::PlanFailed { .. } | StackState::ApplyFailed { .. } | StackState::Refused { .. }
    )
}

fn is_destructive(stack: &StackView) -> bool {
    let changes = stack.changes.as_ref();
    changes.is_some_and(|c| c.changes.iter().any(|c| diff::is_destructive(c.action)))
}

/// The state in a word.
fn word(stack: &StackView) -> &'static str {
    match &stack.state {
        StackState::Waiting => "waiting",
        StackState::Planned => "planned",
        StackState::PlanFailed { .. } => "❌ plan failed",
        StackState::Applying => "applying",
        StackState::Applied => "✅ applied",
        StackState::ApplyFailed { .. } => "❌ apply failed",
        StackState::Refused { .. } => "⛔ not applied",
    }
}

fn state(stack: &StackView) -> String {
    match (&stack.state, &stack.approved_by) {
        (StackState::Applied, Some(who)) => {
            format!("{}, approved by {}", word(stack), code(who))
        }
        _ => word(stack).to_owned(),
    }
}

/// One stack in about `room` bytes, and whether all of it is there.
fn section(stack: &StackView, room: usize) -> (String, bool) {
    let mut text = String::new();
    let mut whole = true;
    // Escapes can make a text longer; a third is kept for them.
    let fair = |left: usize| left.saturating_sub(400) / 3 * 2;
    if let StackState::PlanFailed { message }
    | StackState::ApplyFailed { message }
    | StackState::Refused {
        reason: message, ..
    } = &stack.state
    {
        let max = fair(room).clamp(400, 6_000);
        whole &= message.len() <= max;
        text.push_str(&fence_within("text", message, max));
    }
    let (became, complete) = aftermath::became(stack, fair(room.saturating_sub(text.len())));
    whole &= complete;
    if !became.is_empty() {
        // Beside a failed apply's error stands what it means.
        text = format!("{became}{text}");
    }
    if let Some(earlier) = &stack.since {
        let (since, complete) = aftermath::since(earlier, room.saturating_sub(text.len()) / 2);
        whole &= complete;
        text.push_str(&since);
    }
    if !stack.warnings.is_empty() {
        let mut lines: Vec<String> = stack
            .warnings
            .iter()
            .take(20)
            .map(|w| shorten(&fenced(&shorten(&w.to_string(), 1_000)), 1_000))
            .collect();
        if stack.warnings.len() > 20 {
            lines.push(format!("… and {} more", stack.warnings.len() - 20));
        }
        let lines = lines.join("\n");
        if text.is_empty() || text.len() + lines.len() < room / 2 {
            text.push_str(&fence("text", &lines));
        } else {
            whole = false;
        }
    }
    let changes = stack.changes.as_ref();
    if let Some(changes) = changes.filter(|c| !c.changes.is_empty() || !c.outputs.is_empty()) {
        let mut lines = String::new();
        let limit = fair(room.saturating_sub(text.len()));
        for (count, change) in changes.changes.iter().enumerate() {
            let of_change = diff::lines(change).join("\n");
            let line = diff::line(change);
            if lines.len() + of_change.len() <= limit {
                let _ = writeln!(lines, "{of_change}");
            } else if diff::is_destructive(change.action) && lines.len() + line.len() <= limit {
                let _ = writeln!(lines, "{line}");
                whole = false;
            } else {
                let _ = writeln!(
                    lines,
                    "# {} more of {} are not shown here",
                    changes.changes.len() - count,
                    changes.changes.len()
                );
                whole = false;
                break;
            }
        }
        for line in changes.outputs.iter().filter_map(diff::attribute) {
            if lines.len() + line.len() > limit {
                whole = false;
                let _ = writeln!(lines, "# more outputs are not shown here");
                break;
            }
            let _ = writeln!(lines, "{line}");
        }
        text.push_str(&fence("diff", &lines));
    }
    if text.is_empty() {
        return (String::new(), whole);
    }
    let open = if is_bad(stack) { " open" } else { "" };
    let summary = changes
        .map(|c| format!(": {}", code(&c.summary())))
        .unwrap_or_default();
    (
        format!(
            "<details{open}>\n<summary>{}{summary}</summary>\n\n{text}\n</details>\n\n",
            code(&stack.stack.to_string())
        ),
        whole,
    )
}

fn foot(view: &RequestView) -> String {
    let link = view.run_url.as_deref().and_then(run_link);
    let link = link.map_or_else(String::new, |link| format!(" · {link}"));
    let sha: String = view.sha.chars().take(12).collect();
    format!(
        "<sub>{} · commit {}{link}</sub>\n",
        code_within(&view.request, 600),
        code(&sha)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::engine::change::{Action, Attribute, Change, Changes};
    use crate::engine::outcome::{After, StateLock};
    use crate::estate::{Finding, Place};
    use crate::report::view::ApplyView;

    fn view(changes: Vec<Change>) -> RequestView {
        let Ok(stack) = "acme/web/staging".parse() else {
            panic!()
        };
        RequestView {
            version: 1,
            request: "acme/pr-1-x".into(),
            sha: "0123456789abcdef".into(),
            pull_request: Some(1),
            plan_only: true,
            overall: Overall::Success,
            headline: "planned".into(),
            stacks: vec![StackView {
                stack,
                state: StackState::Planned,
                changes: Some(Changes {
                    changes,
                    ..Changes::default()
                }),
                digest: None,
                approved_by: None,
                warnings: Vec::new(),
                apply: None,
                since: None,
            }],
            findings: Vec::new(),
            run_url: None,
        }
    }

    /// Every part as long as it can be, of characters that become twenty when they are written.
    #[test]
    fn t17_what_grows_when_it_is_escaped_has_room() {
        let long = "\u{1}`\u{202e}".repeat(2_000);
        let mut view = view(vec![Change {
            address: long.clone(),
            action: Action::Delete,
            attributes: Vec::new(),
        }]);
        view.headline.clone_from(&long);
        view.sha = "\u{4e00}".repeat(30_000);
        view.request.clone_from(&long);
        view.overall = Overall::Failure;
        let place = Place::at("infra/variables.yml", 1, 2);
        view.findings = vec![Finding::error(place, "schema", long.clone()); 60];
        let model = view.stacks[0].clone();
        for i in 0..90 {
            let Ok(stack) = format!("acme/web-{i}/staging").parse() else {
                panic!()
            };
            view.stacks.push(StackView {
                stack,
                state: StackState::ApplyFailed {
                    message: long.clone(),
                },
                apply: Some(ApplyView {
                    outcome: None,
                    after: Some(After {
                        left: Vec::new(),
                        drift: Vec::new(),
                        lock: Some(StateLock {
                            id: long.clone(),
                            who: long.clone(),
                            operation: long.clone(),
                            since: None,
                        }),
                        problem: Some(long.clone()),
                        at: Time(2),
                    }),
                    renewed: None,
                }),
                ..model.clone()
            });
        }
        let bodies = bodies(&view, |part| format!("<!-- {part} -->"));
        assert!(bodies.len() > 2, "{}", bodies.len());
        for body in &bodies {
            assert!(body.len() <= BUDGET, "{}", body.len());
        }
        assert!(bodies[0].contains("\\u{1}"), "as far as there is room");
        assert!(summary(&view).len() <= SUMMARY);
    }

    #[test]
    fn t17_more_sections_than_room_are_shown_as_far_as_it_goes() {
        let changes = (0..12).map(|i| Change {
            address: format!("module.web.aws_instance.this[{i}]"),
            action: Action::Update,
            attributes: vec![Attribute {
                path: "tags.owner".into(),
                before: Some("\"platform\"".into()),
                after: Some("\"web\"".into()),
            }],
        });
        let mut view = view(changes.collect());
        view.stacks = vec![view.stacks[0].clone(); 100];
        let body = body(&view, "<!-- m -->");
        assert!(body.len() <= BUDGET, "{}", body.len());
        let shown = body.matches("<details>").count();
        assert!((20..100).contains(&shown), "{shown} sections");
        assert!(body.contains("were left out"));
    }

    #[test]
    fn t17_a_big_plan_keeps_the_budget_and_the_destroy() {
        let mut changes = vec![Change {
            address: "z.doomed".into(),
            action: Action::Delete,
            attributes: Vec::new(),
        }];
        for i in 0..5_000 {
            changes.push(Change {
                address: format!("a.n{i}"),
                action: Action::Update,
                attributes: vec![Attribute {
                    path: "v".into(),
                    before: Some("1".into()),
                    after: Some("2".into()),
                }],
            });
        }
        let text = body(&view(changes), "<!-- m -->");
        assert!(text.len() <= BUDGET, "{}", text.len());
        assert!(text.contains("- destroy z.doomed"));
        assert!(text.contains("1 to destroy, 5000 to change"));
        assert!(text.contains("are not shown here") && text.contains("left out"));
    }

    #[test]
    fn reads_like_this() {
        let changes = vec![Change {
            address: "terraform_data.app".into(),
            action: Action::Create,
            attributes: vec![Attribute {
                path: "input.region".into(),
                before: None,
                after: Some("\"eu-west-1\"".into()),
            }],
        }];
        insta::assert_snapshot!(body(&view(changes), "<!-- m -->"), @r#"
        <!-- m -->
        ### ✅ Infrastructure: <code>planned</code>

        | stack | state | changes | plan |
        | --- | --- | --- | --- |
        | <code>acme/web/staging</code> | planned | <code>1 to create</code> | – |

        <details>
        <summary><code>acme/web/staging</code>: <code>1 to create</code></summary>

        ```diff
        + create terraform_data.app
        +     input.region: "eu-west-1"
        ```

        </details>

        <sub><code>acme/pr-1-x</code> · commit <code>0123456789ab</code></sub>
        "#);
    }
}
