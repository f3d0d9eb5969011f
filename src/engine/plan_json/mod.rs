//! `terraform show -json` to [`Changes`]. Format: developer.hashicorp.com/terraform/internals/json-format.
//!
//! Sensitive values stand in clear beside their marks (nested objects, or `true`, or `false`, or
//! absent), so everything secret is learnt first, and a value is only copied after that.

mod compare;
mod document;
mod drift;
mod learn;
mod same;

pub use compare::is_cut;
pub use same::{Apart, Same, same};

use super::change::{Action, Attribute, Change, Changes};
use super::redact::Redactor;
pub use drift::{drifted, intent};

use compare::{Differ, MAX_NAME, Sides, shorten};
use document::{Delta, Document, Resource, tree};
use serde_json::Value;

/// Largest plan that is read, in bytes. 15,000 resources are 28 MB.
pub const MAX_BYTES: usize = 128 << 20;

/// Why a plan could not be read. Never with a piece of the plan: it may be a secret.
#[derive(Debug, thiserror::Error)]
pub enum PlanJsonError {
    /// Not JSON, not whole, or not a plan.
    #[error("the plan {what} (line {line}, column {column})")]
    Json {
        /// What is wrong.
        what: &'static str,
        /// 1-based.
        line: usize,
        /// 1-based.
        column: usize,
    },
    /// A saved plan instead of its JSON form.
    #[error("this is a saved plan, not its JSON form; make it with `terraform show -json`")]
    Saved,
    /// Larger than [`MAX_BYTES`].
    #[error("the plan is larger than {} MB; split the stack", MAX_BYTES >> 20)]
    Large,
    /// A format this version does not know: what it hides could not be shown.
    #[error(
        "the plan has format version `{0}`, this tenantry reads 1.x; use a supported Terraform or OpenTofu"
    )]
    Version(String),
    /// The plan says itself that it is not to be applied.
    #[error("the plan is marked as errored; see the output of the plan")]
    Errored,
}

impl From<serde_json::Error> for PlanJsonError {
    fn from(error: serde_json::Error) -> Self {
        use serde_json::error::Category;
        // The message itself may quote a value.
        let what = match error.classify() {
            Category::Eof => "ends in the middle: it was cut off",
            Category::Syntax => "is not JSON",
            Category::Data => "is not in the form of `terraform show -json`",
            Category::Io => "cannot be read",
        };
        Self::Json {
            what,
            line: error.line(),
            column: error.column(),
        }
    }
}

/// Learns what a state (`terraform show -json` without a plan) marks as sensitive.
pub fn learn_state(bytes: &[u8], redactor: &mut Redactor) -> Result<(), PlanJsonError> {
    let state: Document<'_> = serde_json::from_slice(bytes)?;
    Ok(learn::learn(&state, redactor)?)
}

/// A plan whose form is known.
fn open(bytes: &[u8]) -> Result<Document<'_>, PlanJsonError> {
    if bytes.starts_with(b"PK\x03\x04") {
        return Err(PlanJsonError::Saved);
    }
    if bytes.len() > MAX_BYTES {
        return Err(PlanJsonError::Large);
    }
    // Some shells put a byte order mark in front of what they redirect.
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let plan: Document<'_> = serde_json::from_slice(bytes)?;
    let version = plan.format_version.as_deref().unwrap_or("none");
    if !version.starts_with("1.") {
        return Err(PlanJsonError::Version(crate::estate::ids::shown(version)));
    }
    if plan.errored {
        return Err(PlanJsonError::Errored);
    }
    Ok(plan)
}

/// Reads a plan. What it holds of secrets is learnt by `redactor` first, and hidden.
pub fn read(bytes: &[u8], redactor: &mut Redactor) -> Result<Changes, PlanJsonError> {
    let plan = open(bytes)?;
    learn::learn(&plan, redactor)?;
    let mut differ = Differ::new(redactor);
    let mut out = Changes::default();
    for resource in plan.resource_changes.iter().flatten() {
        let address = resource.address.as_deref().unwrap_or("?");
        let kept = kept(resource, address, redactor)?;
        // What is only called otherwise, or taken in as it stands, changes the state all the same.
        let action = match (action(&resource.change.actions), &kept[..]) {
            (Some(action), _) => action,
            (None, []) => continue,
            (None, _) if resource.change.importing.is_some() => Action::Import,
            (None, _) => Action::Move,
        };
        let mut attributes = kept;
        attributes.extend(compared(&mut differ, "", &resource.change, false)?);
        out.changes.push(Change {
            address: shown_address(address, redactor),
            action,
            attributes,
        });
    }
    out.changes.sort_by(|a, b| {
        a.action
            .cmp(&b.action)
            .then_with(|| a.address.cmp(&b.address))
    });
    let planned = plan
        .planned_values
        .as_ref()
        .and_then(|p| p.outputs.as_ref());
    for (name, change) in plan.output_changes.iter().flatten() {
        if action(&change.actions).is_none() {
            continue;
        }
        out.outputs_change = true;
        let marked = planned
            .and_then(|p| p.get(name))
            .is_some_and(|o| o.sensitive);
        let attributes = compared(&mut differ, name, change, marked)?;
        out.outputs.extend(attributes);
    }
    Ok(out)
}

/// What happens in the state beside the change: the earlier address, and the id that is imported.
fn kept(
    resource: &Resource<'_>,
    address: &str,
    redactor: &Redactor,
) -> Result<Vec<Attribute>, PlanJsonError> {
    let mut out = Vec::new();
    let earlier = resource.previous_address.as_deref();
    if let Some(earlier) = earlier.filter(|e| *e != address) {
        out.push(Attribute {
            path: "(address)".into(),
            before: Some(shown_address(earlier, redactor)),
            after: Some(shown_address(address, redactor)),
        });
    }
    if let Some(importing) = resource.change.importing {
        let importing = tree(Some(importing))?;
        let id = match importing.get("id").and_then(Value::as_str) {
            Some(id) => shown_address(id, redactor),
            None if importing.get("identity").is_some_and(|i| !i.is_null()) => {
                "(by its identity)".to_owned()
            }
            None => "(known after apply)".to_owned(),
        };
        out.push(Attribute {
            path: "(imported)".into(),
            before: None,
            after: Some(id),
        });
    }
    Ok(out)
}

/// An address of a plan or an event as it is shown.
pub fn shown_address(address: &str, redactor: &Redactor) -> String {
    shorten(&redactor.name(address), MAX_NAME)
}

fn compared(
    differ: &mut Differ<'_>,
    name: &str,
    change: &Delta<'_>,
    marked: bool,
) -> Result<Vec<Attribute>, PlanJsonError> {
    let mut after_marks = tree(change.after_sensitive)?;
    if marked {
        after_marks = Value::Bool(true);
    }
    Ok(differ.differences(
        name,
        Sides {
            before: &tree(change.before)?,
            after: &tree(change.after)?,
            before_marks: &tree(change.before_sensitive)?,
            after_marks: &after_marks,
            unknown: &tree(change.after_unknown)?,
        },
    ))
}

/// What differs between two plain values, by path. Nothing is marked here: names, shapes and
/// what the redactor knows are what hides.
pub fn differences(before: &Value, after: &Value, redactor: &Redactor) -> Vec<Attribute> {
    let none = &Value::Null;
    let sides = Sides {
        before,
        after,
        before_marks: none,
        after_marks: none,
        unknown: none,
    };
    Differ::new(redactor).differences("", sides)
}

fn action(actions: &[String]) -> Option<Action> {
    let names: Vec<&str> = actions.iter().map(String::as_str).collect();
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

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn one(change: Value) -> String {
        let plan = json!({"format_version": "1.2", "resource_changes": [{"address": "a.b", "change": change}]});
        match read(plan.to_string().as_bytes(), &mut Redactor::default()) {
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
    fn t17_what_is_moved_or_imported_is_a_change() {
        let idle = json!({"actions": ["no-op"], "before": {"n": 1}, "after": {"n": 1}});
        let with = |key: &str, value: Value| {
            let mut change = idle.clone();
            change[key] = value;
            change
        };
        for (resource, said) in [
            (json!({"address": "a.b", "change": idle}), "no changes"),
            (
                json!({"address": "a.b", "previous_address": "a.b", "change": idle}),
                "no changes",
            ),
            (
                json!({"address": "a.b", "previous_address": "a.was", "change": idle}),
                "1 to move",
            ),
            (
                json!({"address": "a.b", "change": with("importing", json!({"id": "i-1"}))}),
                "1 to import",
            ),
            (
                json!({"address": "a.b", "change": with("importing", json!({"identity": {"name": "x"}}))}),
                "1 to import",
            ),
        ] {
            let plan = json!({"format_version": "1.2", "resource_changes": [resource]});
            let Ok(changes) = read(plan.to_string().as_bytes(), &mut Redactor::default()) else {
                panic!("{plan}")
            };
            assert_eq!(changes.summary(), said, "{plan}");
            assert_eq!(changes.is_empty(), said == "no changes", "{plan}");
        }
        // Beside another change, both are shown.
        let text = one(
            json!({"actions": ["update"], "before": {"n": 1}, "after": {"n": 2}, "importing": {"id": "i-1"}}),
        );
        assert!(
            text.contains(r#""action":"update""#)
                && text.contains("(imported)")
                && text.contains("i-1"),
            "{text}"
        );
        // Where it was is as foreign as the rest.
        let mut redactor = Redactor::default();
        redactor.learn("CANARY-7f3a");
        let moved = json!({"format_version": "1.2", "resource_changes": [{"address": "a.b", "previous_address": "a.was[\"CANARY-7f3a\"]", "change": with("importing", json!({"id": "CANARY-7f3a"}))}]});
        let read = read(moved.to_string().as_bytes(), &mut redactor);
        assert!(read.is_ok_and(|c| !format!("{c:?}").contains("CANARY")));
    }

    #[test]
    fn t17_destroys_come_first() {
        let mut resources: Vec<Value> = (0..5_000).map(|i| json!({"address": format!("a.n{i}"), "change": {"actions": ["update"], "before": {"v": 1}, "after": {"v": 2}}})).collect();
        resources.push(json!({"address": "z.last", "change": {"actions": ["delete"], "before": {"v": 1}, "after": null}}));
        let plan = json!({"format_version": "1.2", "resource_changes": resources});
        let Ok(changes) = read(plan.to_string().as_bytes(), &mut Redactor::default()) else {
            panic!()
        };
        assert_eq!(changes.changes[0].address, "z.last");
        assert_eq!(changes.summary(), "1 to destroy, 5000 to change");
    }

    #[test]
    fn unknown_formats_are_refused() {
        let said = |text: &[u8]| match read(text, &mut Redactor::default()) {
            Ok(_) => "fine".to_owned(),
            Err(e) => e.to_string(),
        };
        assert!(said(br#"{"format_version":"2.0"}"#).contains("format version `2.0`"));
        assert!(said(b"{}").contains("format version `none`"));
        assert!(said(br#"{"format_version":"1.2","errored":true}"#).contains("errored"));
        assert!(said(b"PK\x03\x04...").contains("terraform show -json"));
        assert!(said(b"hello").contains("is not JSON (line 1, column 1)"));
        assert!(said(br#"{"format_version":"1.2","resource_changes":[{"addr"#).contains("cut off"));
        assert_eq!(said(b"\xef\xbb\xbf{\"format_version\":\"1.2\"}"), "fine");
    }

    #[test]
    fn t15_an_error_does_not_quote_the_plan() {
        let plan = json!({"format_version": "1.2", "resource_changes": "CANARY-7f3a"});
        let Err(error) = read(plan.to_string().as_bytes(), &mut Redactor::default()) else {
            panic!()
        };
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
}
