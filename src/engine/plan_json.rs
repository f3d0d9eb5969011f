//! `terraform show -json` to [`Changes`]. Format: developer.hashicorp.com/terraform/internals/json-format.
//!
//! Sensitive values stand in clear beside their marks, so a value is only copied once its mark
//! was looked at: the marks are nested objects, or `true`, or `false`, or absent.

use super::change::{Action, Attribute, Change, Changes};
use serde_json::Value;

const SENSITIVE: &str = "(sensitive value)";
const UNKNOWN: &str = "(known after apply)";
/// Longest value that is shown, in characters.
const MAX_SHOWN: usize = 300;

/// Why a plan could not be read.
#[derive(Debug, thiserror::Error)]
pub enum PlanJsonError {
    /// Not JSON.
    #[error("the plan's JSON cannot be read")]
    Json(#[from] serde_json::Error),
    /// A format this version does not know: what it hides could not be shown.
    #[error(
        "the plan has format version `{0}`, this tenantry reads 1.x; use a supported Terraform or OpenTofu"
    )]
    Version(String),
    /// The plan says itself that it is not to be applied.
    #[error("the plan is marked as errored; see the output of the plan")]
    Errored,
}

/// Reads a plan. `secret_keys` are further names whose values are hidden.
pub fn read(bytes: &[u8]) -> Result<Changes, PlanJsonError> {
    let plan: Value = serde_json::from_slice(bytes)?;
    let version = plan
        .get("format_version")
        .and_then(Value::as_str)
        .unwrap_or("none");
    if !version.starts_with("1.") {
        return Err(PlanJsonError::Version(crate::estate::ids::shown(version)));
    }
    if plan.get("errored") == Some(&Value::Bool(true)) {
        return Err(PlanJsonError::Errored);
    }
    let mut out = Changes::default();
    for resource in plan
        .get("resource_changes")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        let change = &resource["change"];
        let Some(action) = action(&change["actions"]) else {
            continue;
        };
        let mut attributes = Vec::new();
        let sides = Sides {
            before: &change["before"],
            after: &change["after"],
            before_marks: &change["before_sensitive"],
            after_marks: &change["after_sensitive"],
            unknown: &change["after_unknown"],
        };
        sides.compare(&mut String::new(), &mut attributes);
        let address = resource
            .get("address")
            .and_then(Value::as_str)
            .unwrap_or("?")
            .to_owned();
        out.changes.push(Change {
            address,
            action,
            attributes,
        });
    }
    out.changes.sort_by(|a, b| {
        a.action
            .cmp(&b.action)
            .then_with(|| a.address.cmp(&b.address))
    });
    out.outputs_change = plan
        .get("output_changes")
        .and_then(Value::as_object)
        .is_some_and(|o| {
            o.values()
                .any(|c| c["actions"] != serde_json::json!(["no-op"]))
        });
    Ok(out)
}

/// What differs between two plain values, by path. Nothing is marked here, so names alone hide.
pub fn differences(before: &Value, after: &Value) -> Vec<Attribute> {
    let mut out = Vec::new();
    let none = &Value::Null;
    let sides = Sides {
        before,
        after,
        before_marks: none,
        after_marks: none,
        unknown: none,
    };
    sides.compare(&mut String::new(), &mut out);
    out
}

fn action(actions: &Value) -> Option<Action> {
    let names: Vec<&str> = actions
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    match names[..] {
        ["create"] => Some(Action::Create),
        ["update"] => Some(Action::Update),
        ["delete"] => Some(Action::Delete),
        ["read"] => Some(Action::Read),
        ["forget"] => Some(Action::Forget),
        ["no-op"] => None,
        // Every pair (delete and create in either order, forget and create) makes it anew.
        _ => Some(Action::Replace),
    }
}

#[derive(Clone, Copy)]
struct Sides<'a> {
    before: &'a Value,
    after: &'a Value,
    before_marks: &'a Value,
    after_marks: &'a Value,
    unknown: &'a Value,
}

impl<'a> Sides<'a> {
    fn compare(self, path: &mut String, out: &mut Vec<Attribute>) {
        let marked =
            self.before_marks == &Value::Bool(true) || self.after_marks == &Value::Bool(true);
        let unknown = self.unknown == &Value::Bool(true);
        if !marked
            && !unknown
            && let Some(keys) = self.keys()
        {
            for key in keys {
                let length = path.len();
                if !path.is_empty() {
                    path.push('.');
                }
                path.push_str(&key);
                self.step(&key).compare(path, out);
                path.truncate(length);
            }
            return;
        }
        if !unknown && self.before == self.after {
            return;
        }
        let hidden = marked || secret_name(path);
        let show = |value: &Value| match value {
            Value::Null => None,
            _ if hidden => Some(SENSITIVE.to_owned()),
            // What is compared as a whole may hold marks further down.
            value => Some(shorten(
                &without(value, self.before_marks, self.after_marks).to_string(),
            )),
        };
        let after = if unknown {
            Some(if hidden { SENSITIVE } else { UNKNOWN }.to_owned())
        } else {
            show(self.after)
        };
        out.push(Attribute {
            path: path.clone(),
            before: show(self.before),
            after,
        });
    }

    /// The keys of both sides when they can be compared part by part.
    fn keys(self) -> Option<Vec<String>> {
        let mut keys: Vec<String> = match (self.before, self.after) {
            (Value::Object(b), Value::Object(a)) => b.keys().chain(a.keys()).cloned().collect(),
            (Value::Object(o), Value::Null) | (Value::Null, Value::Object(o)) => {
                o.keys().cloned().collect()
            }
            (Value::Array(b), Value::Array(a)) => {
                (0..b.len().max(a.len())).map(|i| i.to_string()).collect()
            }
            (Value::Array(l), Value::Null) | (Value::Null, Value::Array(l)) => {
                (0..l.len()).map(|i| i.to_string()).collect()
            }
            _ => return None,
        };
        if let Value::Object(unknown) = self.unknown {
            keys.extend(unknown.keys().cloned());
        }
        if matches!(self.before, Value::Object(_)) || matches!(self.after, Value::Object(_)) {
            keys.sort();
            keys.dedup();
        }
        if keys.is_empty() && self.before != self.after {
            None
        } else {
            Some(keys)
        }
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

/// `value` with everything that either side marks replaced.
fn without(value: &Value, before: &Value, after: &Value) -> Value {
    if before == &Value::Bool(true) || after == &Value::Bool(true) {
        return Value::String(SENSITIVE.to_owned());
    }
    match value {
        Value::Object(map) => Value::Object(
            map.iter()
                .map(|(k, v)| {
                    let v = if secret_name(k) {
                        Value::String(SENSITIVE.to_owned())
                    } else {
                        without(v, part(before, k), part(after, k))
                    };
                    (k.clone(), v)
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(i, v)| without(v, part(before, &i.to_string()), part(after, &i.to_string())))
                .collect(),
        ),
        plain => plain.clone(),
    }
}

/// Whether any part of a path names a secret, marks or no marks.
pub fn secret_name(path: &str) -> bool {
    path.split('.').any(|part| {
        let part = part.to_ascii_lowercase().replace(['-', '_'], "");
        SECRET_NAMES.iter().any(|word| part.contains(word))
    })
}

const SECRET_NAMES: [&str; 9] = [
    "password",
    "passwd",
    "secret",
    "token",
    "apikey",
    "privatekey",
    "accesskey",
    "credential",
    "connectionstring",
];

fn shorten(text: &str) -> String {
    let mut out: String = text.chars().take(MAX_SHOWN).collect();
    if text.chars().nth(MAX_SHOWN).is_some() {
        out.push('…');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(change: Value) -> String {
        let plan = json!({"format_version": "1.2", "resource_changes": [{"address": "a.b", "change": change}]});
        match read(plan.to_string().as_bytes()) {
            Ok(changes) => serde_json::to_string(&changes).unwrap_or_default(),
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn t15_marked_values_never_enter_the_model() {
        let canary = "CANARY-7f3a";
        for change in [
            json!({"actions": ["create"], "before": null, "after": {"a": canary}, "after_sensitive": {"a": true}}),
            json!({"actions": ["update"], "before": {"a": [{"b": canary}]}, "after": {"a": [{"b": "x"}]}, "before_sensitive": {"a": [{"b": true}]}, "after_sensitive": {"a": [{}]}}),
            json!({"actions": ["update"], "before": {"a": canary}, "after": {"a": {"deep": canary}}, "before_sensitive": true, "after_sensitive": false}),
            json!({"actions": ["delete"], "before": {"l": [canary, 1]}, "after": null, "before_sensitive": {"l": [true, false]}, "after_sensitive": false}),
            json!({"actions": ["update"], "before": {"m": "x"}, "after": {"m": {"k": canary, "n": 1}}, "after_sensitive": {"m": {"k": true}}}),
            json!({"actions": ["create"], "before": null, "after": {"db_password": canary, "m": {"api-key": canary}}, "after_sensitive": {}}),
        ] {
            let text = one(change.clone());
            assert!(!text.contains(canary), "{change} -> {text}");
            assert!(text.contains("sensitive"), "{change} -> {text}");
        }
    }

    #[test]
    fn t17_destroys_come_first() {
        let mut resources: Vec<Value> = (0..5_000).map(|i| json!({"address": format!("a.n{i}"), "change": {"actions": ["update"], "before": {"v": 1}, "after": {"v": 2}}})).collect();
        resources.push(json!({"address": "z.last", "change": {"actions": ["delete"], "before": {"v": 1}, "after": null}}));
        let plan = json!({"format_version": "1.2", "resource_changes": resources});
        let Ok(changes) = read(plan.to_string().as_bytes()) else {
            panic!()
        };
        assert_eq!(changes.changes[0].address, "z.last");
        assert_eq!(changes.summary(), "1 to destroy, 5000 to change");
    }

    #[test]
    fn unknown_formats_are_refused() {
        assert!(read(br#"{"format_version":"2.0"}"#).is_err());
        assert!(read(br#"{}"#).is_err());
        assert!(read(br#"{"format_version":"1.2","errored":true}"#).is_err());
    }
}
