//! Scalars as text.

use super::super::scalar::{is_hidden, plain};
use super::super::value::Data;
use super::super::yaml::Reading;
use super::spot::Why;
use serde_json::Value;
use std::fmt::Write as _;

pub(super) fn is_null(text: &str) -> bool {
    matches!(plain(text, Reading::Strict), Ok(Data::Null))
}

/// A scalar as it is written into a block of YAML: plain where every reader takes it for the same
/// text, quoted otherwise. Empty for what is not a scalar.
pub fn written(value: &Value) -> String {
    scalar(value, None, false).unwrap_or_default()
}

pub(super) fn scalar(value: &Value, quote: Option<char>, flow: bool) -> Result<String, Why> {
    let text = match value {
        Value::Bool(_) | Value::Number(_) => return Ok(value.to_string()),
        Value::String(text) => text,
        _ => return Err("cannot be made a list, a map or null"),
    };
    let inert = !text.chars().any(|c| is_hidden(c) || c.is_control());
    match quote {
        None if inert && is_plain(text, flow) => return Ok(text.clone()),
        Some('\'') if inert => return Ok(format!("'{}'", text.replace('\'', "''"))),
        _ => {}
    }
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            c if is_hidden(c) || c.is_control() => {
                let _ = write!(out, "\\U{:08X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    Ok(out)
}

/// Whether a text is itself without quotes, to every reader.
fn is_plain(text: &str, flow: bool) -> bool {
    let itself = matches!(plain(text, Reading::Strict), Ok(Data::Text(t)) if t == text);
    let begins =
        text.starts_with(|c: char| c.is_whitespace() || "-?:,[]{}#&*!|>'\"%@`=~<".contains(c));
    let ends = text.ends_with(|c: char| c.is_whitespace() || c == ':');
    let inside = text.contains(": ") || text.contains(" #") || text.starts_with("...");
    let breaks = flow && text.contains([',', '[', ']', '{', '}', ':']);
    itself
        && !begins
        && !ends
        && !inside
        && !breaks
        && !text.contains(['\u{85}', '\u{2028}', '\u{2029}'])
}
