//! The sticky comment and the step summary: a headline, a table, then one folded section a stack.

use super::escape::{code, fence, shorten};
use super::view::{Overall, RequestView, StackState, StackView};
use crate::engine::change::{Action, Change};
use std::fmt::Write as _;

/// What GitHub surely keeps of a comment, in bytes (documented: 65,536 characters).
pub const BUDGET: usize = 60_000;

/// The hidden line that finds our comment again. It names the customer and the kind, both
/// checked ids; the author of the comment is compared too.
pub fn marker(customer: &crate::estate::CustomerId, plan_only: bool) -> String {
    format!(
        "<!-- tenantry:{customer}:{} -->",
        if plan_only { "plan" } else { "apply" }
    )
}

/// The comment's body, never longer than [`BUDGET`] bytes.
pub fn body(view: &RequestView, marker: &str) -> String {
    let mut out = format!("{marker}\n");
    head(view, &mut out);
    findings(view, &mut out);
    table(view, &mut out);
    let foot = foot(view);
    let note = "\n_Some details were left out because a comment is limited in size; the run's summary has them all._\n";
    let mut room = BUDGET.saturating_sub(out.len() + foot.len() + note.len());
    let mut cut = false;
    // What failed is read first.
    let mut order: Vec<&StackView> = view.stacks.iter().collect();
    order.sort_by_key(|s| !is_bad(s));
    for stack in order {
        let (section, whole) = section(stack, room);
        cut |= !whole;
        if section.len() <= room {
            room -= section.len();
            out.push_str(&section);
        } else {
            cut = true;
        }
    }
    if cut {
        out.push_str(note);
    }
    out.push_str(&foot);
    shorten(&out, BUDGET)
}

/// The step summary; GitHub keeps 1 MiB.
pub fn summary(view: &RequestView) -> String {
    let mut out = String::new();
    head(view, &mut out);
    findings(view, &mut out);
    table(view, &mut out);
    for stack in &view.stacks {
        out.push_str(&section(stack, 200_000).0);
    }
    shorten(&out, 900_000)
}

fn head(view: &RequestView, out: &mut String) {
    let sign = match view.overall {
        Overall::Pending => "⏳",
        Overall::Success => "✅",
        Overall::Failure => "❌",
    };
    let _ = writeln!(out, "### {sign} Infrastructure: {}\n", code(&view.headline));
}

fn findings(view: &RequestView, out: &mut String) {
    if view.findings.is_empty() {
        return;
    }
    let _ = writeln!(out, "Nothing was planned or applied. Please correct:\n");
    let lines: Vec<String> = view
        .findings
        .iter()
        .take(50)
        .map(ToString::to_string)
        .collect();
    out.push_str(&fence("text", &lines.join("\n")));
    if view.findings.len() > 50 {
        let _ = writeln!(out, "\n… and {} more.", view.findings.len() - 50);
    }
    out.push('\n');
}

fn table(view: &RequestView, out: &mut String) {
    if view.stacks.is_empty() {
        return;
    }
    out.push_str("| stack | state | changes | plan |\n| --- | --- | --- | --- |\n");
    // A request never has more than a few rows; a fleet is reported elsewhere.
    for stack in view.stacks.iter().take(300) {
        let changes = stack
            .changes
            .as_ref()
            .map_or_else(|| "–".to_owned(), |c| code(&c.summary()));
        let digest = stack
            .digest
            .as_deref()
            .map_or_else(|| "–".to_owned(), |d| code(d.get(7..19).unwrap_or(d)));
        let _ = writeln!(
            out,
            "| {} | {} | {changes} | {digest} |",
            code(&stack.stack.to_string()),
            state(stack)
        );
    }
    out.push('\n');
}

fn is_bad(stack: &StackView) -> bool {
    matches!(
        stack.state,
        StackState::PlanFailed { .. } | StackState::ApplyFailed { .. } | StackState::Refused { .. }
    )
}

fn state(stack: &StackView) -> String {
    match &stack.state {
        StackState::Waiting => "waiting".to_owned(),
        StackState::Planned => "planned".to_owned(),
        StackState::PlanFailed { .. } => "❌ plan failed".to_owned(),
        StackState::Applying => "applying".to_owned(),
        StackState::Applied => match &stack.approved_by {
            Some(who) => format!("✅ applied, approved by {}", code(who)),
            None => "✅ applied".to_owned(),
        },
        StackState::ApplyFailed { .. } => "❌ apply failed".to_owned(),
        StackState::Refused { .. } => "⛔ not applied".to_owned(),
    }
}

/// One stack, and whether all of it fitted into `room` bytes.
fn section(stack: &StackView, room: usize) -> (String, bool) {
    let mut text = String::new();
    let mut whole = true;
    if let StackState::PlanFailed { message }
    | StackState::ApplyFailed { message }
    | StackState::Refused {
        reason: message, ..
    } = &stack.state
    {
        text.push_str(&fence("text", &shorten(message, 6_000)));
    }
    if !stack.warnings.is_empty() {
        let lines: Vec<String> = stack
            .warnings
            .iter()
            .take(20)
            .map(ToString::to_string)
            .collect();
        text.push_str(&fence("text", &lines.join("\n")));
    }
    if let Some(changes) = stack.changes.as_ref().filter(|c| !c.changes.is_empty()) {
        let mut diff = String::new();
        let limit = room.saturating_sub(text.len() + 400);
        for (count, change) in changes.changes.iter().enumerate() {
            let lines = describe(change);
            // Escapes can make a line longer; a third is kept for them.
            if diff.len() + lines.len() > limit / 3 * 2 {
                let _ = writeln!(
                    diff,
                    "# {} more of {} are not shown here",
                    changes.changes.len() - count,
                    changes.changes.len()
                );
                whole = false;
                break;
            }
            diff.push_str(&lines);
        }
        text.push_str(&fence("diff", &diff));
    }
    if text.is_empty() {
        return (String::new(), whole);
    }
    let open = if is_bad(stack) { " open" } else { "" };
    let summary = stack
        .changes
        .as_ref()
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

/// A change as lines of a diff: the sign stands first, so that GitHub colours it.
fn describe(change: &Change) -> String {
    let sign = match change.action {
        Action::Delete | Action::Replace => "-",
        Action::Create => "+",
        Action::Update => "!",
        Action::Read | Action::Forget => "#",
    };
    let one_line = |text: &str| text.replace(['\n', '\r'], "\\n");
    let mut out = format!(
        "{sign} {} {}\n",
        change.action.word(),
        one_line(&change.address)
    );
    for attribute in change.attributes.iter().take(200) {
        let path = one_line(&attribute.path);
        let line = match (&attribute.before, &attribute.after) {
            (Some(b), Some(a)) => format!("!     {path}: {} -> {}", one_line(b), one_line(a)),
            (Some(b), None) => format!("-     {path}: {}", one_line(b)),
            (None, Some(a)) => format!("+     {path}: {}", one_line(a)),
            (None, None) => continue,
        };
        out.push_str(&line);
        out.push('\n');
    }
    if change.attributes.len() > 200 {
        let _ = writeln!(
            out,
            "#     {} more attributes",
            change.attributes.len() - 200
        );
    }
    out
}

fn foot(view: &RequestView) -> String {
    let link = view
        .run_url
        .as_ref()
        .map(|u| format!(" · [run]({u})"))
        .unwrap_or_default();
    format!(
        "<sub>{} · commit {}{link}</sub>\n",
        code(&view.request),
        code(view.sha.get(..12).unwrap_or(&view.sha))
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::change::{Attribute, Changes};

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
            }],
            findings: Vec::new(),
            run_url: None,
        }
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
