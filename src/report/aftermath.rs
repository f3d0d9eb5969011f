//! What became of a plan, in plain words: what was done, what failed, what was not begun, what is
//! left; how a new plan stands to the approved one; and what happens next.

use super::diff;
use super::escape::{code, code_within, fence, fence_within};
use super::plan::thousands;
use super::view::{ApplyView, Overall, RequestView, SinceView, StackState, StackView};
use crate::engine::change::Attribute;
use crate::engine::outcome::{After, Fate, StateLock, Touched, done};
use crate::engine::since::{Differs, What};
use std::fmt::Write as _;

/// Most rows of the table of one stack.
const ROWS: usize = 40;
/// Most resources that are named in one sentence or list.
const NAMED: usize = 20;
/// Most locks that are spoken of.
const LOCKS: usize = 10;

/// What became of a stack's plan within `room` bytes, and whether all of it is there.
pub fn became(stack: &StackView, room: usize) -> (String, bool) {
    let Some(apply) = &stack.apply else {
        return (String::new(), true);
    };
    let mut out = String::new();
    let mut whole = true;
    if let Some(outcome) = apply.outcome.as_ref().filter(|o| !o.changes.is_empty()) {
        let _ = writeln!(out, "**What became of it:** {}.\n", outcome.summary());
        if outcome.count(Fate::Done) < outcome.changes.len() {
            whole &= table(apply, room / 2, &mut out);
        }
    }
    if apply.renewed.is_some() {
        out.push_str("The approved plan had become stale. It was made again, changes exactly the same, and was applied in its place.\n\n");
    }
    if let Some(after) = &apply.after {
        look(after, &stack.state, &mut out);
    }
    match out.len() <= room {
        true => (out, whole),
        false => (String::new(), false),
    }
}

/// Every change and what became of it: what failed first, what is done last.
fn table(apply: &ApplyView, room: usize, out: &mut String) -> bool {
    let mut changes: Vec<_> = apply.outcome.iter().flat_map(|o| &o.changes).collect();
    changes.sort_by_key(|b| (b.fate, b.half.is_none()));
    out.push_str("| resource | planned | what became of it |\n| --- | --- | --- |\n");
    let mut left = room;
    let mut shown = 0;
    for became in changes.iter().take(ROWS) {
        let row = format!(
            "| {} | {} | {} |\n",
            code_within(&became.address, 600),
            became.action.word(),
            became.words()
        );
        if row.len() > left {
            break;
        }
        left -= row.len();
        out.push_str(&row);
        shown += 1;
    }
    out.push('\n');
    let more = changes.len() - shown;
    if more > 0 {
        let open = changes.iter().skip(shown).filter(|b| b.fate != Fate::Done);
        let _ = writeln!(
            out,
            "_… and {} more, {} of them not done._\n",
            thousands(more),
            thousands(open.count())
        );
    }
    more == 0
}

fn look(after: &After, state: &StackState, out: &mut String) {
    if let Some(lock) = &after.lock {
        let _ = writeln!(
            out,
            "**The Terraform state is locked** {}.\n",
            held(lock, after)
        );
    }
    if let Some(problem) = &after.problem {
        out.push_str("What is left could not be looked at:\n\n");
        out.push_str(&fence_within("text", problem, 1_500));
        out.push('\n');
        return;
    }
    let names = |list: &[Touched], past: bool| {
        let names = list.iter().take(NAMED).map(|t| {
            let word = if past {
                done(t.action)
            } else {
                t.action.word()
            };
            format!("{word} {}", code_within(&t.address, 600))
        });
        let mut names = names.collect::<Vec<_>>().join(", ");
        if list.len() > NAMED {
            let _ = write!(names, ", and {} more", thousands(list.len() - NAMED));
        }
        names
    };
    let applied = *state == StackState::Applied;
    match (after.left.len(), applied) {
        (0, true) => out.push_str("Looked at right after: nothing is left to change."),
        (0, false) => {
            out.push_str("Looked at right after: a new plan has nothing left to change.");
        }
        (_, true) => {
            let _ = write!(
                out,
                "Looked at right after: a new plan wants to change something again, so the module does not come to rest. The provider should look at it: {}.",
                names(&after.left, false)
            );
        }
        (n, false) => {
            let _ = write!(
                out,
                "Looked at right after: {} left to do: {}.",
                thousands(n),
                names(&after.left, false)
            );
        }
    }
    match after.drift.is_empty() {
        true => out.push_str(" Nothing was changed past Terraform.\n\n"),
        false => {
            let _ = writeln!(
                out,
                " **Changed past Terraform:** {}.\n",
                names(&after.drift, true)
            );
        }
    }
}

/// Who holds a lock, since when, and how long that is.
fn held(lock: &StateLock, after: &After) -> String {
    let age = lock.since.map(|since| {
        let seconds = after.at.since(since);
        format!(" since {since} ({})", span(seconds))
    });
    format!(
        "by {}{} ({}, lock {})",
        code_within(&lock.who, 600),
        age.unwrap_or_default(),
        code_within(&lock.operation, 100),
        code_within(&lock.id, 200)
    )
}

/// `45 s`, `12 min`, `3 h 5 min`, `2 d 4 h`.
fn span(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    match (minutes, hours, days) {
        (0, ..) => format!("{seconds} s"),
        (_, 0, _) => format!("{minutes} min"),
        (_, _, 0) => format!("{hours} h {} min", minutes % 60),
        _ => format!("{days} d {} h", hours % 24),
    }
}

/// How a plan stands to the one that had passed the gate, within `room` bytes.
pub fn since(view: &SinceView, room: usize) -> (String, bool) {
    let SinceView {
        digest,
        approved_by,
        since,
    } = view;
    let digest = code(digest.get(7..19).unwrap_or(digest));
    let which = match approved_by {
        Some(who) => format!("the plan that {} approved ({digest})", code(who)),
        None => format!("the plan before ({digest})"),
    };
    let hidden = match since.hidden {
        0 => String::new(),
        n => format!(
            " {} hidden or shortened value{} cannot be compared here.",
            thousands(n),
            if n == 1 { "" } else { "s" }
        ),
    };
    let same = match since.same {
        0 => String::new(),
        1 => " 1 change is the same.".to_owned(),
        n => format!(" {} changes are the same.", thousands(n)),
    };
    if since.differs.is_empty() {
        return (
            format!("**Since {which}:** nothing differs.{same}{hidden}\n\n"),
            true,
        );
    }
    let mut out = format!(
        "**Since {which}:** {} difference{}.{same}{hidden}\n\n",
        thousands(since.differs.len()),
        if since.differs.len() == 1 { "" } else { "s" }
    );
    let mut lines = String::new();
    let mut shown = 0;
    for differs in &since.differs {
        let text = difference(differs);
        // Escapes can make a text longer; a third is kept for them.
        if lines.len() + text.len() > room.saturating_sub(out.len() + 300) / 3 * 2 {
            break;
        }
        lines.push_str(&text);
        shown += 1;
    }
    let more = since.differs.len() - shown;
    if more > 0 {
        let _ = writeln!(
            lines,
            "# {more} more of {} are not shown here",
            since.differs.len()
        );
    }
    out.push_str(&fence("diff", &lines));
    out.push('\n');
    (out, more == 0)
}

fn difference(differs: &Differs) -> String {
    let word = |action: Option<crate::engine::change::Action>| action.map_or("", |a| a.word());
    let (sign, text) = match differs.what {
        What::New => ("!", format!("new: {}", word(differs.is))),
        What::OtherAction => (
            "!",
            format!("{}, approved was {}", word(differs.is), word(differs.was)),
        ),
        What::OtherValues => ("!", format!("{} with other values", word(differs.is))),
        What::Gone => ("#", format!("no more to {}", word(differs.was))),
        What::Done => (
            "#",
            differs.was.map_or("done", done).to_owned() + " already",
        ),
    };
    let mut out = diff::one_line(&format!("{sign} {text}: {}", differs.address));
    out.push('\n');
    for Attribute {
        path,
        before,
        after,
    } in differs.attributes.iter().take(50)
    {
        let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "nothing".to_owned());
        let line = format!(
            "!     {path}: approved {}, now {}",
            side(before),
            side(after)
        );
        out.push_str(&diff::one_line(&line));
        out.push('\n');
    }
    if differs.attributes.len() > 50 {
        let _ = writeln!(out, "#     {} more values", differs.attributes.len() - 50);
    }
    out
}

/// What happens next, for whoever reads the comment. Empty when all is done.
pub fn next(view: &RequestView) -> String {
    let named = |s: &&StackView| code(&format!("{}/{}", s.stack.product, s.stack.environment));
    let failed = |s: &&StackView| matches!(s.state, StackState::ApplyFailed { .. });
    let failed: Vec<&StackView> = view.stacks.iter().filter(failed).collect();
    let mut out = String::new();
    if let Some(first) = failed.first() {
        let names: Vec<String> = failed.iter().take(NAMED).map(named).collect();
        let _ = writeln!(
            out,
            "**What happens next.** The apply of {} did not come to its end. What was done stays, nothing is undone, and nothing more happens by itself. Once the cause is removed, go on by re-running the failed jobs of the provider's run, or your own workflow, or with {}. It is planned again first; what differs from the approved plan is shown, and an approval is asked for where one is needed.\n",
            names.join(", "),
            code_within(
                &format!(
                    "tenantry apply --resume --request {} --stack {}",
                    view.request, first.stack
                ),
                1_000
            )
        );
    }
    let locks = view.stacks.iter().filter_map(|s| {
        let after = s.apply.as_ref()?.after.as_ref()?;
        Some((s, after.lock.as_ref()?))
    });
    for (stack, lock) in locks.take(LOCKS) {
        let _ = writeln!(
            out,
            "The state of {} is locked. As long as its holder is at work, wait. If it is not, the provider removes the lock with {}; tenantry never does that by itself.\n",
            named(&stack),
            code_within(&format!("terraform force-unlock {}", lock.id), 250)
        );
    }
    let again = |s: &StackView| matches!(s.state, StackState::Refused { again: true, .. });
    if failed.is_empty() && view.overall != Overall::Success && view.stacks.iter().any(again) {
        out.push_str("**What happens next.** The next sweep plans again, and the new plan goes through the gate.\n\n");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_read_at_a_glance() {
        let said: Vec<String> = [45, 720, 11_100, 187_200].map(span).into();
        assert_eq!(said, ["45 s", "12 min", "3 h 5 min", "2 d 4 h"]);
    }
}
