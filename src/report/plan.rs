//! A plan, or a plain text, as bodies of comments.
//!
//! What cannot be undone is read first and in full; the rest follows as far as it fits, first
//! with its attributes, then as one line each, then as a count.

use super::diff;
use super::escape::{code, fence_for, fenced};
use super::split::{BUDGET, Pages};
use crate::engine::change::{Action, Change, Changes};
use std::borrow::Cow;

/// Most bodies of a plan, unless somebody asks for more: nobody reads ten long comments.
pub const BODIES: usize = 10;
/// From this many changes on, those that can be undone are folded.
const FOLD: usize = 40;

/// A plan. `max` is the most bodies that there may be.
pub fn bodies(changes: &Changes, max: Option<usize>) -> Vec<String> {
    let mut pages = Pages::new(max);
    pages.block(&format!("### Plan: {}\n\n", code(&changes.summary())));
    if changes.changes.is_empty() && changes.outputs.is_empty() {
        pages.block("Nothing changes.\n");
        return pages.finish();
    }
    // What of the budget is left after headings, fences, and the note on what is missing.
    let room = max.map_or(usize::MAX, |max| max.max(1) * (BUDGET - 2_000));
    let mut budget = Budget::new(&changes.changes, room);
    let first = changes
        .changes
        .iter()
        .position(|c| !diff::is_destructive(c.action))
        .unwrap_or(changes.changes.len());
    let (destructive, others) = changes.changes.split_at(first);
    if !destructive.is_empty() {
        pages.block(&format!(
            "**{} destroyed or replaced**\n\n",
            thousands(destructive.len())
        ));
        pages.begin("```diff\n", "```\n\n");
        budget.write(destructive, &mut pages);
        pages.end();
    }
    if !others.is_empty() {
        let words = counts(others);
        if changes.changes.len() > FOLD {
            let open = format!("<details>\n<summary>{words}</summary>\n\n```diff\n");
            pages.begin(&open, "```\n\n</details>\n\n");
        } else {
            pages.begin("```diff\n", "```\n\n");
        }
        budget.write(others, &mut pages);
        pages.end();
    }
    let mut outputs = 0;
    if !changes.outputs.is_empty() {
        pages.block("**Outputs**\n\n");
        pages.begin("```diff\n", "```\n\n");
        for line in changes.outputs.iter().filter_map(diff::attribute) {
            if budget.cut() || !pages.line(&line) {
                outputs += 1;
            }
        }
        pages.end();
    }
    pages.note(&budget.note(changes, outputs));
    pages.finish()
}

/// How much of a list of changes can be shown.
struct Budget {
    left: usize,
    /// Bytes that one line for each change from here on takes.
    short: usize,
    /// Changes that were shown without attributes.
    shortened: usize,
    /// Changes that were not shown.
    missing: Vec<Action>,
}

impl Budget {
    fn new(changes: &[Change], left: usize) -> Self {
        let short = changes.iter().map(|c| diff::line(c).len() + 1).sum();
        Self {
            left,
            short,
            shortened: 0,
            missing: Vec::new(),
        }
    }

    fn cut(&self) -> bool {
        !self.missing.is_empty()
    }

    fn write(&mut self, changes: &[Change], pages: &mut Pages) {
        for change in changes {
            let lines = diff::lines(change);
            let full: usize = lines.iter().map(|l| l.len() + 1).sum();
            let one = lines.first().map_or(0, |l| l.len() + 1);
            self.short -= one;
            // With attributes, as long as every other change still gets its line; what is
            // destroyed gets them as long as there is room at all.
            let kept = if diff::is_destructive(change.action) {
                self.left / 2
            } else {
                self.left.saturating_sub(self.short)
            };
            let take = if full <= kept {
                lines.len()
            } else if one <= self.left {
                1
            } else {
                0
            };
            let mut shown = 0;
            for line in lines.iter().take(take) {
                if self.cut() || !pages.line(line) {
                    break;
                }
                self.left = self.left.saturating_sub(line.len() + 1);
                shown += 1;
            }
            match shown {
                0 => self.missing.push(change.action),
                n if n < lines.len() => self.shortened += 1,
                _ => {}
            }
        }
    }

    /// What is not shown, with counts.
    fn note(&self, changes: &Changes, outputs: usize) -> String {
        let mut said = Vec::new();
        if self.shortened > 0 {
            said.push(format!(
                "attributes of {} changes",
                thousands(self.shortened)
            ));
        }
        if !self.missing.is_empty() {
            said.push(format!(
                "{} of {} changes ({})",
                thousands(self.missing.len()),
                thousands(changes.changes.len()),
                words(self.missing.iter().copied())
            ));
        }
        if outputs > 0 {
            said.push(format!("{} outputs", thousands(outputs)));
        }
        if said.is_empty() {
            return String::new();
        }
        format!(
            "_Not shown here, because comments are limited: {}. The run's summary and the plan itself have them; `tenantry render --max-bodies 0` shows all._\n",
            said.join(" and ")
        )
    }
}

fn counts(changes: &[Change]) -> String {
    words(changes.iter().map(|c| c.action))
}

fn words(actions: impl Iterator<Item = Action> + Clone) -> String {
    [
        Action::Delete,
        Action::Replace,
        Action::Update,
        Action::Create,
        Action::Read,
        Action::Forget,
        Action::Import,
        Action::Move,
    ]
    .into_iter()
    .filter_map(|a| match actions.clone().filter(|x| *x == a).count() {
        0 => None,
        n => Some(format!("{} to {}", thousands(n), a.word())),
    })
    .collect::<Vec<_>>()
    .join(", ")
}

/// `12,345`.
pub(super) fn thousands(n: usize) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, c) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(c);
    }
    out
}

/// A plain text, all of it unless `max` says how many bodies there may be. Colours are taken out.
pub fn text_bodies(text: &str, max: Option<usize>) -> Vec<String> {
    let text = fenced(&without_colours(text).replace("\r\n", "\n"));
    let fence = fence_for(&text);
    // The last body keeps room for the note on what is missing.
    let mut pages = Pages::new(max);
    pages.begin(&format!("{fence}text\n"), &format!("{fence}\n\n"));
    let room = max.map_or(usize::MAX, |max| max.max(1) * (BUDGET - 1_000));
    let (mut used, mut lines, mut bytes) = (0, 0, 0);
    for line in text.strip_suffix('\n').unwrap_or(&text).split('\n') {
        used += line.len() + 1;
        if lines > 0 || used > room || !pages.line(line) {
            lines += 1;
            bytes += line.len() + 1;
        }
    }
    if lines > 0 {
        pages.note(&format!(
            "_{} lines ({} bytes) are not shown here, because comments are limited; `--max-bodies 0` shows all._\n",
            thousands(lines),
            thousands(bytes)
        ));
    }
    pages.finish()
}

/// Without `ESC [ … m`, which only colours; other controls stay, and are written out later.
fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains("\u{1b}[") {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split("\u{1b}[");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let parameters = part
            .bytes()
            .take_while(|b| b.is_ascii_digit() || *b == b';');
        match part
            .get(parameters.count()..)
            .and_then(|p| p.strip_prefix('m'))
        {
            Some(after) => out.push_str(after),
            None => {
                out.push_str("\u{1b}[");
                out.push_str(part);
            }
        }
    }
    Cow::Owned(out)
}
