//! Limits that contradict each other, and patterns.

use super::{ANCHOR, LIMITS, PATTERN, VALUE, err, warn};
use crate::estate::files::Files;
use crate::estate::finding::Finding;
use crate::estate::ids::shown;
use crate::estate::schema::Schema;
use crate::estate::schema_tree::Part;
use crate::estate::value::Data;
use serde_json::json;

/// Least, most, and whether they may be the same.
const PAIRS: [(&str, &str, bool); 8] = [
    ("minimum", "maximum", true),
    ("minimum", "exclusiveMaximum", false),
    ("exclusiveMinimum", "maximum", false),
    ("exclusiveMinimum", "exclusiveMaximum", false),
    ("minLength", "maxLength", true),
    ("minItems", "maxItems", true),
    ("minProperties", "maxProperties", true),
    ("minContains", "maxContains", true),
];

pub(super) fn check(part: &Part<'_>, findings: &mut Vec<Finding>) {
    for (least, most, same) in PAIRS {
        if let (Some(low), Some(high)) = (part.number(least), part.number(most))
            && (low > high || (low >= high && !same))
        {
            findings.push(err(
                part.key_place(least),
                LIMITS,
                format!(
                    "`{least}` ({low}) and `{most}` ({high}) leave no value; swap or correct them"
                ),
            ));
        }
    }
    if let Some(values) = part.child("enum")
        && matches!(&values.node.data, Data::List(items) if items.is_empty())
    {
        findings.push(err(
            part.key_place("enum"),
            VALUE,
            "`enum` allows no value at all; list the allowed ones",
        ));
    }
    if let Some(pattern) = part.text("pattern") {
        judge(part.child("pattern").as_ref(), pattern, findings);
    }
    for (key, _) in part
        .child("patternProperties")
        .map(|p| p.children())
        .unwrap_or_default()
    {
        let place = part.child("patternProperties");
        judge(place.as_ref(), &key.name, findings);
    }
}

fn judge(part: Option<&Part<'_>>, pattern: &str, findings: &mut Vec<Finding>) {
    let Some(part) = part else { return };
    let place = match part.node.data {
        Data::Map(_) => part.key_place(pattern),
        _ => part.place(),
    };
    if !compiles(pattern) {
        findings.push(err(
            place,
            PATTERN,
            format!(
                "the pattern `{}` cannot be used: it is no regular expression, or it looks around or back, which matching in linear time cannot do; write it without",
                shown(pattern)
            ),
        ));
    } else if !anchored(pattern) {
        findings.push(warn(
            place,
            ANCHOR,
            format!(
                "the pattern `{}` fits any text that has such a part; write `^(?:…)$` around it",
                shown(pattern)
            ),
        ));
    }
}

/// Whether the engine that checks values takes this pattern.
pub fn compiles(pattern: &str) -> bool {
    let schema = json!({"type": "string", "pattern": pattern}).to_string();
    Schema::read(&Files::new(), "pattern", "pattern", schema.as_bytes()).is_ok()
}

/// Whether every alternative begins with `^` and ends with `$`.
fn anchored(pattern: &str) -> bool {
    let mut depth = 0_usize;
    let mut class = false;
    let mut escaped = false;
    let mut alternatives = vec![String::new()];
    for c in pattern.chars() {
        let plain = !escaped && !class;
        match c {
            '[' if plain => class = true,
            ']' if class && !escaped => class = false,
            '(' if plain => depth += 1,
            ')' if plain => depth = depth.saturating_sub(1),
            '|' if plain && depth == 0 => {
                alternatives.push(String::new());
                continue;
            }
            _ => {}
        }
        escaped = c == '\\' && !escaped;
        if let Some(last) = alternatives.last_mut() {
            last.push(c);
        }
    }
    alternatives.iter().all(|a| {
        let slashes = a
            .strip_suffix('$')
            .map(|b| b.chars().rev().take_while(|c| *c == '\\').count());
        a.starts_with('^') && slashes.is_some_and(|n| n % 2 == 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_alternative_must_be_anchored() {
        for good in ["^a$", "^(a|b)$", "^a$|^b$", "^[|$]$", "^a\\|b$", "^\\\\$"] {
            assert!(anchored(good), "{good}");
        }
        for bad in ["a", "^a", "a$", "^a|b$", "^a\\$", "", "(^a$)"] {
            assert!(!anchored(bad), "{bad}");
        }
        assert!(compiles("^[a-z]+$"));
        assert!(!compiles("^(?=a)$"));
        assert!(!compiles("(a)\\1"));
        assert!(!compiles("(a"));
    }
}
