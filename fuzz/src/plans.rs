//! The reader of plans: whatever a plan looks like, what it marks as secret is not shown.

use super::forms;
use serde_json::{Value, json};
use tenantry::engine::change::Changes;
use tenantry::engine::plan_json::{self, PlanJsonError};
use tenantry::engine::redact::Redactor;
use tenantry::engine::terraform::Progress;
use tenantry::report::plan as pages;

/// What is planted: a text that no escape changes, one that every escape changes, and a number.
const CANARIES: [&str; 3] = ["Canary-7f3aQz91xW", "p@ss \"w'rd\\$1<&>/ü%x", "86753094217"];

/// Where it is planted. A leaf that is nothing but this, in a place that has marks, is marked.
const HERE: &str = "@S";

/// The same, written in another way.
const WRITTEN: [&str; 10] = ["@S", "@B", "@C", "@U", "@H", "@I", "@P", "@J", "@K", "@Q"];

fn texts(value: &Value, out: &mut Vec<String>) {
    match value {
        Value::String(text) => {
            // Values are shown as JSON.
            if let Ok(Value::String(inner)) = serde_json::from_str(text) {
                out.push(inner);
            }
            out.push(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|i| texts(i, out)),
        Value::Object(map) => {
            for (key, value) in map {
                out.push(key.clone());
                texts(value, out);
            }
        }
        _ => {}
    }
}

fn keep<T: serde::Serialize>(thing: &T, out: &mut Vec<String>) {
    let Ok(value) = serde_json::to_value(thing) else {
        panic!("the model cannot be written down");
    };
    texts(&value, out);
}

fn say(error: &PlanJsonError, out: &mut Vec<String>) {
    let text = format!("{error} {error:?}");
    assert!(text.len() < 2_000 && !text.contains('\n'), "{text:?}");
    out.push(text);
}

/// Everything that is told about a plan.
fn told(bytes: &[u8], aside: &str) -> (Option<Changes>, Vec<String>) {
    let mut out = Vec::new();
    let mut redactor = Redactor::default();
    let changes = match plan_json::read(bytes, &mut redactor) {
        Ok(changes) => changes,
        Err(error) => {
            say(&error, &mut out);
            return (None, out);
        }
    };
    keep(&changes, &mut out);
    out.push(changes.summary());
    out.extend(pages::bodies(&changes, Some(2)));
    // A run that has read a plan shows other texts, too.
    out.push(redactor.text(aside).into_owned());
    match plan_json::drifted(bytes, &mut redactor.clone()) {
        Ok(drifted) => keep(&drifted, &mut out),
        Err(error) => say(&error, &mut out),
    }
    match plan_json::intent(bytes, &mut redactor) {
        Ok(intent) => {
            assert_eq!(intent.changes, changes);
            for relevant in intent.relevant {
                out.extend([relevant.address, relevant.path]);
            }
        }
        Err(error) => say(&error, &mut out),
    }
    (Some(changes), out)
}

fn planted(value: &Value) -> bool {
    match value {
        Value::String(text) => text == HERE,
        Value::Array(items) => items.iter().any(planted),
        Value::Object(map) => map.values().any(planted),
        _ => false,
    }
}

/// Puts the secret in its places and marks them, each one or all of the value.
fn mark(value: &mut Value, marks: &mut Value, secret: &Value) {
    if !planted(value) {
        return;
    }
    match value {
        Value::Array(items) => {
            if *marks != Value::Bool(true) && !marks.is_array() {
                *marks = json!([]);
            }
            for (i, item) in items.iter_mut().enumerate() {
                match marks {
                    Value::Array(parts) => {
                        while parts.len() <= i {
                            parts.push(json!(false));
                        }
                        mark(item, &mut parts[i], secret);
                    }
                    _ => mark(item, &mut Value::Bool(true), secret),
                }
            }
        }
        Value::Object(map) => {
            if *marks != Value::Bool(true) && !marks.is_object() {
                *marks = json!({});
            }
            for (key, item) in map.iter_mut().filter(|(_, v)| planted(v)) {
                match marks {
                    Value::Object(parts) => {
                        let part = parts.entry(key.clone()).or_insert(Value::Null);
                        mark(item, part, secret);
                    }
                    _ => mark(item, &mut Value::Bool(true), secret),
                }
            }
        }
        leaf => {
            *leaf = secret.clone();
            *marks = Value::Bool(true);
        }
    }
}

/// One value and its marks, which stand beside each other. Whether there is something to mark.
fn beside(part: Option<&mut Value>, names: [&str; 2], secret: &Value, whole: bool) -> bool {
    let Some(Value::Object(map)) = part else {
        return false;
    };
    if !map.get(names[0]).is_some_and(planted) {
        return false;
    }
    let mut marks = map.remove(names[1]).unwrap_or(Value::Null);
    if whole {
        marks = Value::Bool(true);
    }
    if let Some(value) = map.get_mut(names[0]) {
        mark(value, &mut marks, secret);
    }
    map.insert(names[1].to_owned(), marks);
    true
}

fn items<'a>(of: &'a mut Value, name: &str) -> Vec<&'a mut Value> {
    match of.get_mut(name) {
        Some(Value::Array(items)) => items.iter_mut().collect(),
        Some(Value::Object(map)) => map.values_mut().collect(),
        _ => Vec::new(),
    }
}

fn module(held: &mut Value, secret: &Value, whole: bool) -> bool {
    let mut any = false;
    for resource in items(held, "resources") {
        any |= beside(
            Some(resource),
            ["values", "sensitive_values"],
            secret,
            whole,
        );
    }
    for child in items(held, "child_modules") {
        any |= module(child, secret, whole);
    }
    any
}

/// Marks what is planted wherever Terraform writes marks. Whether there was anything.
fn mark_all(plan: &mut Value, secret: &Value, whole: bool) -> bool {
    let mut any = false;
    let mut delta = |change: Option<&mut Value>| {
        if let Some(change) = change {
            for names in [["before", "before_sensitive"], ["after", "after_sensitive"]] {
                any |= beside(Some(&mut *change), names, secret, whole);
            }
        }
    };
    for list in ["resource_changes", "resource_drift"] {
        for resource in items(plan, list) {
            delta(resource.get_mut("change"));
        }
    }
    for deferred in items(plan, "deferred_changes") {
        delta(
            deferred
                .get_mut("resource_change")
                .and_then(|r| r.get_mut("change")),
        );
    }
    for change in items(plan, "output_changes") {
        delta(Some(change));
    }
    for path in ["/planned_values", "/prior_state/values", "/values"] {
        let root = plan
            .pointer_mut(path)
            .and_then(|v| v.get_mut("root_module"));
        any |= root.is_some_and(|root| module(root, secret, whole));
    }
    any
}

/// Everything else that stands in the plan and means the secret.
fn fill(value: &mut Value, written: &[String]) {
    let filled = |text: &str| {
        let mut out = text.to_owned();
        for (sign, form) in WRITTEN.iter().zip(written) {
            out = out.replace(sign, form);
        }
        out
    };
    match value {
        Value::String(text) if text.contains('@') && !written.contains(text) => {
            *text = filled(text);
        }
        Value::Array(items) => items.iter_mut().for_each(|i| fill(i, written)),
        Value::Object(map) => {
            *map = std::mem::take(map)
                .into_iter()
                .map(|(key, mut value)| {
                    // A version is told as it is.
                    if key != "format_version" {
                        fill(&mut value, written);
                    }
                    (filled(&key), value)
                })
                .collect();
        }
        _ => {}
    }
}

fn plant(plan: &Value, canary: &str) -> Vec<u8> {
    let secret = canary.parse::<u64>().map_or(json!(canary), |n| json!(n));
    let mut plan = plan.clone();
    let whole = plan.get("whole").is_some();
    // The version is the one part that is told as it is.
    if let Some(version) = plan.get_mut("format_version") {
        *version = json!("1.2");
    }
    let marked = mark_all(&mut plan, &secret, whole);
    fill(&mut plan, &forms::written(canary));
    // A plan in which nothing is marked gets a resource that is.
    if let Value::Object(map) = &mut plan
        && !marked
    {
        let own = json!({"address": "x.planted", "change": {"actions": ["create"], "after": {"v": secret}, "after_sensitive": {"v": true}}});
        match map.get_mut("resource_changes") {
            Some(Value::Array(items)) => items.push(own),
            Some(Value::Null) | None => drop(map.insert("resource_changes".into(), json!([own]))),
            Some(_) => {}
        }
    }
    plan.to_string().into_bytes()
}

/// A plan as it is, and with a secret in it: never panics, the same every time, and neither the
/// secret nor any form of it is in what is told.
pub fn plan(data: &[u8]) {
    let (changes, first) = told(data, "");
    assert_eq!(told(data, "").1, first);
    if changes.is_some()
        && let Ok(Err(apart)) = plan_json::same(data, data)
    {
        // But for one that has a resource twice, of which nothing can be proven.
        let twice = |a: &plan_json::Apart| a.address == "(resource_changes)" && a.path.is_empty();
        assert!(
            apart.iter().all(twice),
            "a plan is not the same as itself: {apart:?}"
        );
    }
    let mut redactor = Redactor::default();
    let _ = plan_json::learn_state(data, &mut redactor);
    let _ = Progress::read(data);
    let Ok(plan @ Value::Object(_)) = serde_json::from_slice(data) else {
        return;
    };
    for canary in CANARIES {
        let bytes = plant(&plan, canary);
        let aside = forms::written(canary).join(" then ");
        let (_, told) = told(&bytes, &format!("Error: it said {aside}\n"));
        for trace in forms::traces(canary) {
            for text in &told {
                assert!(
                    !text.contains(&trace),
                    "{trace:?} is told: {text}\nof the plan {}",
                    String::from_utf8_lossy(&bytes)
                );
            }
        }
    }
}
