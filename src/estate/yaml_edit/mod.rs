//! Changing single values of a YAML file that people write: comments, order and style of
//! everything else stay as they are.
//!
//! The file is edited as text, at the positions of its scalars. The result is read again by the
//! strict reader and must hold exactly what was meant; a form that this editor does not
//! understand is therefore refused, never written wrongly.

mod spot;
mod text;

use super::finding::{Finding, Findings, Place};
use super::ids::shown;
use super::yaml::{Reading, read};
use serde_json::{Map, Value};
use spot::{Entry, FORM, Shape, Spot, Why, tree};
use std::fmt::Write as _;
pub use text::written;
use text::{is_null, scalar};

/// One change: the keys that lead to a value, and the value (a text, a number, true or false),
/// or `None` to remove the key. A map that would be empty afterwards goes with its last key.
#[derive(Debug, Clone, PartialEq)]
pub struct Change {
    /// From the top of the file.
    pub keys: Vec<String>,
    /// What is to stand there.
    pub value: Option<Value>,
}

impl Change {
    /// Writes `value` at `keys`, which are parted by dots.
    pub fn set(keys: &str, value: impl Into<Value>) -> Self {
        Self {
            keys: keys.split('.').map(str::to_owned).collect(),
            value: Some(value.into()),
        }
    }
    /// Removes `keys`, which are parted by dots.
    pub fn remove(keys: &str) -> Self {
        Self {
            keys: keys.split('.').map(str::to_owned).collect(),
            value: None,
        }
    }
}

/// The file at `path` with `changes` made in it, in order. What holds already is left as it is
/// written, so the same edit a second time changes nothing.
pub fn edit(path: &str, bytes: &[u8], changes: &[Change]) -> Result<Vec<u8>, Findings> {
    let mut meant = read(path, bytes, Reading::Strict)?.to_json();
    let refuse =
        |message: String| Findings::one(Finding::error(Place::file(path), "estate", message));
    let (mark, body) = match bytes.strip_prefix(b"\xef\xbb\xbf") {
        Some(body) => (&bytes[..3], body),
        None => (&bytes[..0], bytes),
    };
    let mut text = String::from_utf8_lossy(body).into_owned();
    for change in changes {
        let keys: Vec<&str> = change.keys.iter().map(String::as_str).collect();
        let at = keys.join(".");
        let now = keys.iter().try_fold(&meant, |v, k| v.get(k));
        if now == change.value.as_ref() {
            continue;
        }
        let done = match &change.value {
            Some(value) => set(&text, &keys, value),
            None => remove(&text, &keys),
        };
        text = done.map_err(|why| refuse(format!("`{}` {why}; change it by hand", shown(&at))))?;
        match &change.value {
            Some(value) => set_in(&mut meant, &keys, value.clone()),
            None => remove_in(&mut meant, &keys),
        }
    }
    let out = [mark, text.as_bytes()].concat();
    let by_hand = || {
        refuse(
            "the file is written in a way that tenantry cannot edit; make the change by hand"
                .to_owned(),
        )
    };
    match read(path, &out, Reading::Strict) {
        Ok(node) if same(&node.to_json(), &meant) => Ok(out),
        _ => Err(by_hand()),
    }
}

/// A file whose last key was removed is empty.
fn same(a: &Value, b: &Value) -> bool {
    let nothing = |v: &Value| v.is_null() || v.as_object().is_some_and(Map::is_empty);
    a == b || nothing(a) && nothing(b)
}

fn set_in(root: &mut Value, keys: &[&str], value: Value) {
    let Some((first, rest)) = keys.split_first() else {
        *root = value;
        return;
    };
    if !root.is_object() {
        *root = Value::Object(Map::new());
    }
    if let Value::Object(map) = root {
        set_in(map.entry(*first).or_insert(Value::Null), rest, value);
    }
}

fn remove_in(root: &mut Value, keys: &[&str]) {
    let (Some((first, rest)), Value::Object(map)) = (keys.split_first(), root) else {
        return;
    };
    let gone = match map.get_mut(*first) {
        Some(below) if !rest.is_empty() => {
            remove_in(below, rest);
            below.as_object().is_some_and(Map::is_empty)
        }
        _ => true,
    };
    if gone {
        map.remove(*first);
    }
}

fn set(text: &str, keys: &[&str], value: &Value) -> Result<String, Why> {
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let Some(root) = tree(text)? else {
        let lines = block(keys, value, 0, 2, newline)?;
        return Ok(insert(text, text.len(), &lines, newline));
    };
    let step = indentation(text, &root);
    let (mut here, mut keys) = (&root, keys);
    loop {
        let (Shape::Map { flow, entries }, Some((key, rest))) = (&here.shape, keys.split_first())
        else {
            return Err("lies inside of something that is not a map");
        };
        let Some(entry) = entries.iter().find(|e| e.name == *key) else {
            if *flow {
                let new = flowing(keys, value)?;
                return Ok(match entries.last() {
                    Some(last) => splice(text, last.end()..last.end(), &format!(", {new}")),
                    None => splice(text, here.start + 1..here.end - 1, &new),
                });
            }
            let column = column(text, here.start);
            let lines = block(keys, value, column, step, newline)?;
            return Ok(insert(text, line_end(text, here.end), &lines, newline));
        };
        if rest.is_empty() {
            return replace(text, entry, value, *flow);
        }
        let empty = match entry.value.shape {
            Shape::Absent => true,
            Shape::Plain => is_null(&text[entry.value.start..entry.value.end]),
            _ => false,
        };
        if empty {
            if *flow {
                let new = format!(" {{{}}}", flowing(rest, value)?);
                return Ok(splice(text, entry.colon..entry.end(), &new));
            }
            let column = column(text, entry.start) + step;
            let lines = block(rest, value, column, step, newline)?;
            let text = splice(text, entry.colon..entry.end(), "");
            return Ok(insert(&text, line_end(&text, entry.colon), &lines, newline));
        }
        (here, keys) = (&entry.value, rest);
    }
}

/// Puts another scalar where one stands, in its style where that can hold it.
fn replace(text: &str, entry: &Entry, value: &Value, flow: bool) -> Result<String, Why> {
    let spot = &entry.value;
    match spot.shape {
        Shape::Absent => Ok(splice(
            text,
            entry.colon..entry.colon,
            &format!(" {}", scalar(value, None, flow)?),
        )),
        Shape::Plain | Shape::Alias => Ok(splice(
            text,
            spot.start..spot.end,
            &scalar(value, None, flow)?,
        )),
        Shape::Quoted(quote) => Ok(splice(
            text,
            spot.start..spot.end,
            &scalar(value, Some(quote), flow)?,
        )),
        Shape::Block => {
            // A comment may stand behind the `|`.
            let header = text[entry.colon..].lines().next().unwrap_or_default();
            let comment = header.find(" #").map_or("", |at| header[at..].trim_end());
            let new = format!(" {}{comment}", scalar(value, None, flow)?);
            Ok(splice(text, entry.colon..spot.end, &new))
        }
        Shape::List | Shape::Map { .. } => Err("is a list or a map"),
    }
}

fn remove(text: &str, keys: &[&str]) -> Result<String, Why> {
    let Some(root) = tree(text)? else {
        return Ok(text.to_owned());
    };
    // The outermost entry that would be empty afterwards goes.
    let mut doomed: Option<(&Spot, usize)> = None;
    let mut here = &root;
    for key in keys {
        let Shape::Map { entries, .. } = &here.shape else {
            return Ok(text.to_owned());
        };
        let Some(index) = entries.iter().position(|e| e.name == *key) else {
            return Ok(text.to_owned());
        };
        if entries.len() > 1 || doomed.is_none() {
            doomed = Some((here, index));
        }
        here = &entries[index].value;
    }
    let Some((
        Spot {
            shape: Shape::Map { flow, entries },
            ..
        },
        index,
    )) = doomed
    else {
        return Ok(text.to_owned());
    };
    let entry = &entries[index];
    if *flow {
        let range = match (entries.get(index + 1), index.checked_sub(1)) {
            (Some(next), _) => entry.start..next.start,
            (None, Some(before)) => entries[before].end()..entry.end(),
            (None, None) => entry.start..entry.end(),
        };
        return Ok(splice(text, range, ""));
    }
    let start = line_start(text, entry.start);
    if !text[start..entry.start].bytes().all(|b| b == b' ') {
        return Err(FORM);
    }
    Ok(splice(text, start..line_end(text, entry.end()), ""))
}

fn splice(text: &str, range: std::ops::Range<usize>, new: &str) -> String {
    [&text[..range.start], new, &text[range.end..]].concat()
}

/// Whole lines at the start of a line, or behind a last line that does not end.
fn insert(text: &str, at: usize, lines: &str, newline: &str) -> String {
    let open = at > 0 && !text[..at].ends_with('\n');
    let lines = if open {
        format!("{newline}{lines}")
    } else {
        lines.to_owned()
    };
    splice(text, at..at, &lines)
}

fn line_start(text: &str, at: usize) -> usize {
    text[..at].rfind('\n').map_or(0, |i| i + 1)
}

/// Behind the end of the line that holds `at`.
fn line_end(text: &str, at: usize) -> usize {
    text[at..].find('\n').map_or(text.len(), |i| at + i + 1)
}

fn column(text: &str, at: usize) -> usize {
    text[line_start(text, at)..at].chars().count()
}

/// How far the file moves a nested map to the right.
fn indentation(text: &str, root: &Spot) -> usize {
    let Shape::Map {
        flow: false,
        entries,
    } = &root.shape
    else {
        return 2;
    };
    let own = column(text, root.start);
    let nested = entries.iter().find_map(|e| match &e.value.shape {
        Shape::Map { flow: false, .. } => column(text, e.value.start).checked_sub(own),
        _ => None,
    });
    nested.filter(|step| *step > 0).unwrap_or(2)
}

/// `a.b: value` as lines.
fn block(
    keys: &[&str],
    value: &Value,
    column: usize,
    step: usize,
    newline: &str,
) -> Result<String, Why> {
    let mut out = String::new();
    for (i, key) in keys.iter().enumerate() {
        let key = scalar(&Value::from(*key), None, false)?;
        let _ = write!(out, "{:1$}{key}:", "", column + i * step);
        out.push_str(if i + 1 < keys.len() { newline } else { " " });
    }
    Ok(format!("{out}{}{newline}", scalar(value, None, false)?))
}

/// `a.b: value` inside of braces.
fn flowing(keys: &[&str], value: &Value) -> Result<String, Why> {
    let mut out = scalar(value, None, true)?;
    for (i, key) in keys.iter().enumerate().rev() {
        let key = scalar(&Value::from(*key), None, true)?;
        out = format!("{key}: {out}");
        if i > 0 {
            out = format!("{{{out}}}");
        }
    }
    Ok(out)
}

#[cfg(test)]
#[path = "../yaml_edit_tests.rs"]
mod tests;
