//! How a schema describes one key, in words.

use super::ids::shown;
use serde::Serialize;
use serde_json::Value;

/// What a schema says of one key.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Description {
    /// JSON types; empty when any is allowed.
    pub types: Vec<String>,
    /// Whether the map around it must have the key.
    pub required: bool,
    /// What it is for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// Used by the engine when no layer sets it, if the engine agrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// Allowed values; empty when they are not listed.
    pub allowed: Vec<Value>,
    /// Limits, each in words.
    pub limits: Vec<String>,
}

/// The schema of the value at `path`: through properties, items, patterns of keys, references
/// inside of the document, and the parts of `allOf`.
pub fn describe(document: &Value, path: &[&str]) -> Option<Description> {
    let (last, above) = path.split_last()?;
    let mut around = vec![document];
    for step in above {
        around = descend(document, &around, step);
    }
    let found = descend(document, &around, last);
    if found.is_empty() {
        return None;
    }
    let required = spread(document, &around).iter().any(|s| {
        let names = s.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(last)))
    });
    let mut out = Description {
        types: Vec::new(),
        required,
        description: None,
        default: None,
        allowed: Vec::new(),
        limits: Vec::new(),
    };
    for schema in spread(document, &found) {
        add(schema, &mut out);
    }
    Some(out)
}

/// Deepest chain of references; a schema may refer to itself.
const MAX_DEPTH: usize = 16;

/// The schemas with everything that `$ref` and `allOf` bring along.
fn spread<'a>(document: &'a Value, schemas: &[&'a Value]) -> Vec<&'a Value> {
    let mut out: Vec<&Value> = Vec::new();
    let mut todo: Vec<(&Value, usize)> = schemas.iter().map(|s| (*s, 0)).collect();
    while let Some((schema, depth)) = todo.pop() {
        if depth > MAX_DEPTH || out.len() > 64 {
            continue;
        }
        out.push(schema);
        let reference = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| r.strip_prefix('#'))
            .and_then(|pointer| document.pointer(pointer));
        let parts = schema.get("allOf").and_then(Value::as_array);
        todo.extend(reference.map(|s| (s, depth + 1)));
        todo.extend(parts.into_iter().flatten().map(|s| (s, depth + 1)));
    }
    out
}

fn descend<'a>(document: &'a Value, schemas: &[&'a Value], step: &str) -> Vec<&'a Value> {
    let mut out = Vec::new();
    for schema in spread(document, schemas) {
        let named = schema.get("properties").and_then(|p| p.get(step));
        let item = schema
            .get("items")
            .filter(|i| i.is_object() && step.parse::<usize>().is_ok());
        let other = schema
            .get("additionalProperties")
            .filter(|a| a.is_object() && named.is_none());
        out.extend(named.into_iter().chain(item).chain(other));
    }
    out
}

fn add(schema: &Value, out: &mut Description) {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    match schema.get("type") {
        Some(Value::String(one)) => out.types.push(one.clone()),
        Some(Value::Array(many)) => {
            let names = many.iter().filter_map(Value::as_str).map(str::to_owned);
            out.types.extend(names);
        }
        _ => {}
    }
    if out.description.is_none() {
        out.description = text("description").map(|d| {
            d.split_whitespace()
                .map(shown)
                .collect::<Vec<_>>()
                .join(" ")
        });
    }
    if out.default.is_none() {
        out.default = schema.get("default").cloned();
    }
    if let Some(Value::Array(values)) = schema.get("enum") {
        out.allowed.extend(values.iter().cloned());
    }
    out.allowed.extend(schema.get("const").cloned());
    let limits = [
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
        ("minLength", "characters at least"),
        ("maxLength", "characters at most"),
        ("minItems", "items at least"),
        ("maxItems", "items at most"),
        ("minProperties", "keys at least"),
        ("maxProperties", "keys at most"),
        ("pattern", "like"),
        ("format", "a valid"),
    ];
    for (key, words) in limits {
        let Some(value) = schema.get(key) else {
            continue;
        };
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), |s| format!("`{}`", shown(s)));
        // "3 characters at least", but "at least 3".
        out.limits.push(
            if words.ends_with("least") && words != "at least"
                || words.ends_with("most") && words != "at most"
            {
                format!("{value} {words}")
            } else {
                format!("{words} {value}")
            },
        );
    }
}

impl Description {
    /// On one line, such as `integer, required, at least 1, at most 20`.
    pub fn in_words(&self) -> String {
        let mut parts = Vec::new();
        if !self.types.is_empty() {
            parts.push(self.types.join(" or "));
        } else if self.allowed.is_empty() {
            parts.push("any value".to_owned());
        }
        if self.required {
            parts.push("required".to_owned());
        }
        if !self.allowed.is_empty() {
            let all: Vec<String> = self.allowed.iter().map(Value::to_string).collect();
            parts.push(format!("one of {}", all.join(", ")));
        }
        parts.extend(self.limits.iter().cloned());
        if let Some(default) = &self.default {
            parts.push(format!("default {default}"));
        }
        parts.join(", ")
    }
}
