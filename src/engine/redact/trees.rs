//! Trees of values: learning secrets out of them, and showing them without.

use super::{Look, Redactor, SENSITIVE};
use serde_json::Value;
use std::borrow::Cow;
use std::collections::BTreeSet;

/// Names whose values look random and are no secrets.
const DIGESTS: &[&str] = &[
    "arn",
    "certificate",
    "checksum",
    "cert",
    "digest",
    "etag",
    "fingerprint",
    "hash",
    "id",
    "ids",
    "md5",
    "sha",
    "sha1",
    "sha256",
    "sha512",
    "sum",
    "thumbprint",
    "uuid",
];

/// Texts that hold JSON are looked into this often, one inside of the other.
const NESTED: u8 = 3;

/// The keys under which a list of settings says its name, and those with its value:
/// `{name = "DB_PASSWORD", value = "…"}`.
const NAMED: [&str; 4] = ["name", "key", "Name", "Key"];
const VALUES: [&str; 3] = ["value", "Value", "default_value"];

impl Redactor {
    /// Learns every leaf of a value that is marked as sensitive.
    pub fn learn_all(&mut self, value: &Value) {
        match value {
            Value::String(text) => {
                self.learn(text);
                // A password inside of a secret JSON text is one on its own, too.
                if let Some(inner) = inner_json(text, NESTED) {
                    self.learn_names(&inner);
                }
            }
            Value::Number(number) => self.learn(&number.to_string()),
            Value::Array(items) => items.iter().for_each(|i| self.learn_all(i)),
            Value::Object(map) => map.values().for_each(|i| self.learn_all(i)),
            Value::Null | Value::Bool(_) => {}
        }
    }

    /// Learns the values of every key with one of these names, however deep.
    pub fn learn_of(&mut self, value: &Value, names: &BTreeSet<String>) {
        match value {
            Value::Object(map) => {
                for (key, value) in map {
                    match names.contains(key) {
                        true => self.learn_all(value),
                        false => self.learn_of(value, names),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|i| self.learn_of(i, names)),
            _ => {}
        }
    }

    /// Learns what `marks` (nested objects and lists of `true`) marks in `value`. A mark whose
    /// place cannot be found marks all of it.
    pub fn learn_marked(&mut self, value: &Value, marks: &Value) {
        match (value, marks) {
            (Value::Null, _) => {}
            _ if !any_mark(marks) => {}
            (Value::Object(map), Value::Object(parts))
                if parts
                    .iter()
                    .all(|(k, m)| map.contains_key(k) || !any_mark(m)) =>
            {
                for (key, part) in parts {
                    if let Some(value) = map.get(key) {
                        self.learn_marked(value, part);
                    }
                }
            }
            (Value::Array(items), Value::Array(parts))
                if parts.iter().skip(items.len()).all(|m| !any_mark(m)) =>
            {
                for (value, part) in items.iter().zip(parts) {
                    self.learn_marked(value, part);
                }
            }
            _ => self.learn_all(value),
        }
    }

    /// Learns what stands under secret names.
    pub fn learn_names(&mut self, value: &Value) {
        self.learn_below(value, false, NESTED);
    }

    fn learn_below(&mut self, value: &Value, hidden: bool, nested: u8) {
        match value {
            Value::String(text) if hidden => self.learn_named(text),
            Value::String(text) => {
                if let Some(inner) = inner_json(text, nested) {
                    self.learn_below(&inner, false, nested - 1);
                }
            }
            Value::Number(number) if hidden => self.learn_named(&number.to_string()),
            Value::Array(items) => items
                .iter()
                .for_each(|i| self.learn_below(i, hidden, nested)),
            Value::Object(map) => {
                let pair = self.names_a_secret(value);
                for (key, item) in map {
                    let hidden = hidden
                        || self.is_secret_name(key)
                        || pair && VALUES.contains(&key.as_str());
                    self.learn_below(item, hidden, nested);
                }
            }
            _ => {}
        }
    }

    /// Whether an object is the setting of a secret: its `name` says so.
    pub(in crate::engine) fn names_a_secret(&self, value: &Value) -> bool {
        VALUES.iter().any(|v| value.get(v).is_some())
            && NAMED
                .iter()
                .filter_map(|n| value.get(n)?.as_str())
                .any(|name| self.is_secret_name(name))
    }

    /// Whether the value under `key` is hidden because its object names a secret.
    pub(in crate::engine) fn is_pair_value(key: &str) -> bool {
        VALUES.contains(&key)
    }

    /// A value as it may be shown: leaves and keys without what must not be. `key` is the name
    /// under which it stands.
    pub(in crate::engine) fn shown(&self, key: &str, value: &Value) -> Value {
        self.shown_below(key, value, NESTED)
    }

    fn shown_below(&self, key: &str, value: &Value, nested: u8) -> Value {
        match value {
            Value::String(text) => Value::String(self.leaf(key, text, nested).into_owned()),
            Value::Number(number) => {
                let text = number.to_string();
                match self.name(&text) {
                    Cow::Borrowed(_) => value.clone(),
                    Cow::Owned(hidden) => Value::String(hidden),
                }
            }
            Value::Array(items) => items
                .iter()
                .map(|i| self.shown_below(key, i, nested))
                .collect(),
            Value::Object(map) => {
                let pair = self.names_a_secret(value);
                map.iter()
                    .map(|(k, v)| {
                        let hidden = self.is_secret_name(k) || pair && VALUES.contains(&k.as_str());
                        let v = match v {
                            Value::Null | Value::Bool(_) => v.clone(),
                            _ if hidden => Value::from(SENSITIVE),
                            v => self.shown_below(k, v, nested),
                        };
                        (self.name(k).into_owned(), v)
                    })
                    .collect()
            }
            Value::Null | Value::Bool(_) => value.clone(),
        }
    }

    fn leaf<'a>(&self, key: &str, text: &'a str, nested: u8) -> Cow<'a, str> {
        if let Some(inner) = inner_json(text, nested) {
            let shown = self.shown_below(key, &inner, nested - 1);
            // As it was written, unless something in it is hidden.
            if shown != inner {
                return self
                    .hide(&shown.to_string(), Look::Digest)
                    .into_owned()
                    .into();
            }
            return self.hide(text, Look::Digest);
        }
        let digest = super::names::words(key)
            .last()
            .is_some_and(|w| DIGESTS.contains(&w.as_str()));
        self.hide(text, if digest { Look::Digest } else { Look::Free })
    }
}

/// The list or map that a text holds as JSON, as policies and container definitions do.
fn inner_json(text: &str, nested: u8) -> Option<Value> {
    let text = text.trim();
    let may = nested > 0
        && text.len() > 8
        && (text.starts_with('{') && text.ends_with('}')
            || text.starts_with('[') && text.ends_with(']'));
    may.then(|| serde_json::from_str(text).ok()).flatten()
}

/// Whether anything is marked. What is neither a mark nor a nesting of marks counts as one.
pub(in crate::engine) fn any_mark(marks: &Value) -> bool {
    match marks {
        Value::Null | Value::Bool(false) => false,
        Value::Object(map) => map.values().any(any_mark),
        Value::Array(items) => items.iter().any(any_mark),
        _ => true,
    }
}
