//! Changes as lines of a diff: the sign stands first, so that GitHub colours it, and so that no
//! line can close the fence around it.

use super::escape::terminal;
use crate::engine::change::{Action, Attribute, Change};

/// Most attributes of one change that are shown.
const ATTRIBUTES: usize = 200;

/// A change with its attributes.
pub fn lines(change: &Change) -> Vec<String> {
    let mut out = vec![line(change)];
    out.extend(
        change
            .attributes
            .iter()
            .take(ATTRIBUTES)
            .filter_map(attribute),
    );
    if change.attributes.len() > ATTRIBUTES {
        let more = change.attributes.len() - ATTRIBUTES;
        out.push(format!("#     {more} more attributes are not shown"));
    }
    out
}

/// A change in one line.
pub fn line(change: &Change) -> String {
    let sign = match change.action {
        Action::Delete | Action::Replace => "-",
        Action::Create => "+",
        Action::Update => "!",
        Action::Read | Action::Forget | Action::Import | Action::Move => "#",
    };
    one_line(&format!(
        "{sign} {} {}",
        change.action.word(),
        change.address
    ))
}

/// What differs in one attribute.
pub fn attribute(attribute: &Attribute) -> Option<String> {
    let Attribute {
        path,
        before,
        after,
    } = attribute;
    let line = match (before, after) {
        (Some(b), Some(a)) => format!("!     {path}: {b} -> {a}"),
        (Some(b), None) => format!("-     {path}: {b}"),
        (None, Some(a)) => format!("+     {path}: {a}"),
        (None, None) => return None,
    };
    Some(one_line(&line))
}

pub(super) fn one_line(text: &str) -> String {
    terminal(&text.replace(['\n', '\r'], "\\n"))
}

/// What cannot be undone.
pub fn is_destructive(action: Action) -> bool {
    matches!(action, Action::Delete | Action::Replace)
}
