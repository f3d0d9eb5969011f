//! Reads workflow files: YAML to JSON, `on:` filters, `permissions:`.
use super::model::{Event, Level, Permissions};
use super::rest::rules::glob;
use saphyr_parser::{Event as Yaml, Parser, ScalarStyle};
use serde_json::{Map, Value, json};
use std::collections::HashMap;

/// The first document of a YAML text as JSON; `None` if it is not well-formed.
pub fn parse(text: &str) -> Option<Value> {
    let mut stack: Vec<(Value, Option<String>, usize)> = Vec::new();
    let mut anchors: HashMap<usize, Value> = HashMap::new();
    let mut root = None;
    for event in Parser::new_from_str(text) {
        let (event, _) = event.ok()?;
        let done = match event {
            Yaml::MappingStart(anchor, _) => {
                stack.push((Value::Object(Map::new()), None, anchor));
                None
            }
            Yaml::SequenceStart(anchor, _) => {
                stack.push((json!([]), None, anchor));
                None
            }
            Yaml::MappingEnd | Yaml::SequenceEnd => {
                let (value, _, anchor) = stack.pop()?;
                anchors.insert(anchor, value.clone());
                Some(value)
            }
            Yaml::Scalar(text, style, anchor, _) => {
                let value = scalar(&text, style == ScalarStyle::Plain);
                anchors.insert(anchor, value.clone());
                Some(value)
            }
            Yaml::Alias(anchor) => Some(anchors.get(&anchor)?.clone()),
            Yaml::DocumentEnd => return root,
            _ => None,
        };
        let Some(value) = done else { continue };
        match stack.last_mut() {
            None => root = Some(value),
            Some((Value::Array(list), _, _)) => list.push(value),
            Some((Value::Object(map), key, _)) => match key.take() {
                None => {
                    *key = Some(
                        value
                            .as_str()
                            .map_or_else(|| value.to_string(), str::to_owned),
                    )
                }
                Some(k) => {
                    map.insert(k, value);
                }
            },
            Some(_) => return None,
        }
    }
    root
}

/// GitHub reads YAML 1.2: `on` and `yes` are text.
fn scalar(text: &str, plain: bool) -> Value {
    if !plain {
        return json!(text);
    }
    match text {
        "" | "~" | "null" => Value::Null,
        "true" => json!(true),
        "false" => json!(false),
        t => t.parse::<i64>().map_or_else(|_| json!(t), |n| json!(n)),
    }
}

/// The configuration of one trigger; null when it is named without one.
pub fn trigger<'a>(workflow: &'a Value, event: &str) -> Option<&'a Value> {
    match workflow.get("on")? {
        Value::String(s) if s == event => Some(&Value::Null),
        Value::Array(list) if list.iter().any(|x| x == event) => Some(&Value::Null),
        Value::Object(map) => map.get(event),
        _ => None,
    }
}

fn strings(v: &Value) -> Vec<&str> {
    match v {
        Value::String(s) => vec![s],
        Value::Array(list) => list.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

/// Patterns in order, the last that matches wins; `!` takes away.
fn selected(patterns: &[&str], text: &str) -> bool {
    patterns
        .iter()
        .fold(false, |hit, p| match p.strip_prefix('!') {
            Some(p) => hit && !glob(p, text),
            None => hit || glob(p, text),
        })
}

/// Whether an event starts a workflow.
pub fn starts(workflow: &Value, event: &Event) -> bool {
    let Some(on) = trigger(workflow, &event.name) else {
        return false;
    };
    let list = |key: &str| on.get(key).map(strings);
    let types = match (list("types"), event.name.as_str()) {
        (Some(t), _) => event.action.as_deref().is_none_or(|a| t.contains(&a)),
        (None, "pull_request") => event
            .action
            .as_deref()
            .is_some_and(|a| ["opened", "synchronize", "reopened"].contains(&a)),
        (None, _) => true,
    };
    if !types {
        return false;
    }
    if !matches!(event.name.as_str(), "push" | "pull_request") {
        return true;
    }
    if event.git_ref.starts_with("refs/tags/") {
        return match list("tags") {
            Some(p) => selected(&p, &event.branch),
            None => list("branches").is_none(),
        };
    }
    let branches = match (list("branches"), list("branches-ignore")) {
        (Some(p), _) => selected(&p, &event.branch),
        (None, Some(p)) => !p.iter().any(|p| glob(p, &event.branch)),
        (None, None) => list("tags").is_none(),
    };
    let paths = match (list("paths"), list("paths-ignore")) {
        (Some(p), _) => event.paths.iter().any(|x| selected(&p, x)),
        (None, Some(p)) => {
            event.paths.is_empty() || event.paths.iter().any(|x| !p.iter().any(|p| glob(p, x)))
        }
        (None, None) => true,
    };
    branches && paths
}

/// What the run's token may do: all that the workflow or one of its jobs asks for.
///
/// GitHub gives each job a token of its own; here they share one, so it is their union.
pub fn permissions(workflow: &Value, from_fork: bool) -> Permissions {
    let mut out = Permissions::new();
    let mut add = |v: &Value| match v {
        Value::String(s) if s == "read-all" || s == "write-all" => {
            let level = if s == "read-all" {
                Level::Read
            } else {
                Level::Write
            };
            for p in [
                "actions",
                "checks",
                "contents",
                "deployments",
                "issues",
                "pull-requests",
                "statuses",
            ] {
                out.insert(p.replace('-', "_"), level);
            }
        }
        Value::Object(map) => {
            for (k, v) in map {
                let level = Level::parse(v.as_str().unwrap_or_default());
                let slot = out.entry(k.replace('-', "_")).or_insert(Level::None);
                *slot = (*slot).max(level);
            }
        }
        // The restricted default of new repositories.
        _ => {
            out.insert("contents".to_owned(), Level::Read);
        }
    };
    let empty = Map::new();
    let jobs = workflow
        .get("jobs")
        .and_then(Value::as_object)
        .unwrap_or(&empty);
    let top = workflow.get("permissions");
    for job in jobs.values() {
        add(job.get("permissions").or(top).unwrap_or(&Value::Null));
    }
    if from_fork {
        out.remove("id_token");
        for level in out.values_mut() {
            *level = (*level).min(Level::Read);
        }
    }
    out
}

/// The environment of a job, as it is written: with matrix expressions.
pub fn environment(job: &Value) -> Option<&str> {
    let e = job.get("environment")?;
    e.as_str().or_else(|| e.get("name")?.as_str())
}
