//! What differs between two values, path by path, without what must not be shown.

use crate::engine::change::Attribute;
use crate::engine::redact::{Redactor, SENSITIVE, any_mark};
use serde_json::Value;
use std::collections::HashMap;

const UNKNOWN: &str = "(known after apply)";
/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 300;
/// Longest path or address that is shown, in characters.
pub(super) const MAX_NAME: usize = 1_000;

/// Both sides of a value, with their marks.
#[derive(Clone, Copy)]
pub(super) struct Sides<'a> {
    pub before: &'a Value,
    pub after: &'a Value,
    pub before_marks: &'a Value,
    pub after_marks: &'a Value,
    pub unknown: &'a Value,
}

/// Compares, and remembers which names are secret.
pub(super) struct Differ<'r> {
    redactor: &'r Redactor,
    names: HashMap<String, bool>,
    path: String,
    out: Vec<Attribute>,
}

impl<'r> Differ<'r> {
    pub fn new(redactor: &'r Redactor) -> Self {
        Self {
            redactor,
            names: HashMap::new(),
            path: String::new(),
            out: Vec::new(),
        }
    }

    /// The attributes that differ, below `name` (empty for a whole resource).
    pub fn differences(&mut self, name: &str, sides: Sides<'_>) -> Vec<Attribute> {
        self.path.clear();
        self.path.push_str(name);
        let hidden = !name.is_empty() && self.is_secret(name);
        self.compare(sides, name, hidden);
        std::mem::take(&mut self.out)
    }

    fn is_secret(&mut self, name: &str) -> bool {
        if let Some(known) = self.names.get(name) {
            return *known;
        }
        let secret = self.redactor.is_secret_name(name);
        // Keys of foreign maps are many and come once; names of attributes are few.
        if self.names.len() < 10_000 {
            self.names.insert(name.to_owned(), secret);
        }
        secret
    }

    fn compare(&mut self, sides: Sides<'_>, key: &str, hidden: bool) {
        let marked = covers(sides.before, sides.before_marks)
            || covers(sides.after, sides.after_marks)
            || sides.before_marks == &Value::Bool(true)
            || sides.after_marks == &Value::Bool(true);
        let unknown = sides.unknown == &Value::Bool(true);
        if !marked
            && !unknown
            && let Some(keys) = sides.keys()
        {
            let pair = self.redactor.names_a_secret(sides.before)
                || self.redactor.names_a_secret(sides.after);
            let list = sides.before.is_array() || sides.after.is_array();
            for part in keys {
                let length = self.path.len();
                if !self.path.is_empty() {
                    self.path.push('.');
                }
                self.path.push_str(&part);
                let below = hidden
                    || !list && self.is_secret(&part)
                    || pair && Redactor::is_pair_value(&part);
                // An item of a list stands under the list's name.
                let name = if list { key } else { part.as_ref() };
                self.compare(sides.step(&part), name, below);
                self.path.truncate(length);
            }
            return;
        }
        if !unknown && sides.before == sides.after {
            return;
        }
        let show = |value: &Value| match value {
            Value::Null => None,
            _ if marked => Some(SENSITIVE.to_owned()),
            // A switch or an empty text is no secret, whatever its name.
            Value::Bool(_) => Some(value.to_string()),
            _ if hidden => Some(SENSITIVE.to_owned()),
            // What is compared as a whole may hold marks further down.
            value => {
                let value = without(value, sides.before_marks, sides.after_marks);
                Some(shorten(
                    &self.redactor.shown(key, &value).to_string(),
                    MAX_SHOWN,
                ))
            }
        };
        let before = show(sides.before);
        let after = if unknown {
            Some(if hidden || marked { SENSITIVE } else { UNKNOWN }.to_owned())
        } else {
            show(sides.after)
        };
        let path = shorten(&self.redactor.name(&self.path), MAX_NAME);
        self.out.push(Attribute {
            path,
            before,
            after,
        });
    }
}

impl<'a> Sides<'a> {
    /// The keys of both sides when they can be compared part by part.
    fn keys(self) -> Option<Vec<std::borrow::Cow<'a, str>>> {
        use std::borrow::Cow::{Borrowed, Owned};
        let index = |n: usize| (0..n).map(|i| Owned(i.to_string())).collect();
        let mut keys: Vec<_> = match (self.before, self.after) {
            (Value::Object(b), Value::Object(a)) => b
                .keys()
                .chain(a.keys())
                .map(|k| Borrowed(k.as_str()))
                .collect(),
            (Value::Object(o), Value::Null) | (Value::Null, Value::Object(o)) => {
                o.keys().map(|k| Borrowed(k.as_str())).collect()
            }
            (Value::Array(b), Value::Array(a)) => index(b.len().max(a.len())),
            (Value::Array(l), Value::Null) | (Value::Null, Value::Array(l)) => index(l.len()),
            _ => return None,
        };
        let objects = self.before.is_object() || self.after.is_object();
        if objects {
            if let Value::Object(unknown) = self.unknown {
                keys.extend(unknown.keys().map(|k| Borrowed(k.as_str())));
            }
            keys.sort();
            keys.dedup();
        }
        (!keys.is_empty() || self.before == self.after).then_some(keys)
    }

    fn step(self, key: &str) -> Sides<'a> {
        Sides {
            before: part(self.before, key),
            after: part(self.after, key),
            before_marks: part(self.before_marks, key),
            after_marks: part(self.after_marks, key),
            unknown: part(self.unknown, key),
        }
    }
}

fn part<'a>(value: &'a Value, key: &str) -> &'a Value {
    static NULL: Value = Value::Null;
    match value {
        Value::Object(map) => map.get(key).unwrap_or(&NULL),
        Value::Array(items) => key
            .parse::<usize>()
            .ok()
            .and_then(|i| items.get(i))
            .unwrap_or(&NULL),
        // A mark on a whole collection holds for its parts.
        Value::Bool(true) => value,
        _ => &NULL,
    }
}

/// Whether marks hold for all of a value: they say `true`, or they mark something in a shape that
/// the value does not have.
fn covers(value: &Value, marks: &Value) -> bool {
    match (value, marks) {
        (Value::Null, _) | (_, Value::Null | Value::Bool(false)) => false,
        (_, Value::Bool(true)) => true,
        (Value::Object(map), Value::Object(parts)) => parts
            .iter()
            .any(|(k, m)| !map.contains_key(k) && k.parse::<usize>().is_ok() && any_mark(m)),
        (Value::Array(items), Value::Array(parts)) => parts.iter().skip(items.len()).any(any_mark),
        _ => any_mark(marks),
    }
}

/// `value` with everything that either side marks replaced.
fn without(value: &Value, before: &Value, after: &Value) -> Value {
    if covers(value, before) || covers(value, after) {
        return Value::from(SENSITIVE);
    }
    match value {
        Value::Object(map) => map
            .iter()
            .map(|(k, v)| (k.clone(), without(v, part(before, k), part(after, k))))
            .collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| {
                let i = i.to_string();
                without(v, part(before, &i), part(after, &i))
            })
            .collect(),
        plain => plain.clone(),
    }
}

/// Whether a shown value is not all of the value.
pub fn is_cut(shown: &str) -> bool {
    shown.ends_with(" more characters)")
}

/// At most `max` characters, with how many are missing.
pub(super) fn shorten(text: &str, max: usize) -> String {
    match text.char_indices().nth(max) {
        None => text.to_owned(),
        Some((end, _)) => format!(
            "{}… ({} more characters)",
            &text[..end],
            text[end..].chars().count()
        ),
    }
}
