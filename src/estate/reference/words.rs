//! Types and limits in words.

use crate::estate::schema_tree::Part;
use crate::estate::value::{Data, Node};
use serde::Serialize;

/// A limit: words, and behind them something that is meant by the letter.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Limit {
    /// Such as `must match`.
    pub words: String,
    /// Such as a pattern.
    pub code: Option<String>,
}

fn plain(words: impl Into<String>) -> Limit {
    Limit {
        words: words.into(),
        code: None,
    }
}

fn coded(words: &str, code: impl Into<String>) -> Limit {
    Limit {
        words: words.to_owned(),
        code: Some(code.into()),
    }
}

/// The kind of a value of which nothing is said.
pub(super) const ANYTHING: &str = "any value";

/// The kind in words. `expand` follows `$ref`s.
pub(super) fn kind<'a>(
    parts: &[Part<'a>],
    expand: &dyn Fn(Vec<Part<'a>>) -> Vec<Part<'a>>,
) -> String {
    let types = types(parts);
    if types.is_empty() {
        return ANYTHING.to_owned();
    }
    let holds = |keyword: &str| -> Option<String> {
        let below: Vec<Part<'a>> = parts
            .iter()
            .filter_map(|p| p.child(keyword))
            .filter(|p| matches!(p.node.data, Data::Map(_)))
            .collect();
        let below = expand(below);
        let types = self::types(&below);
        match types.as_slice() {
            [one] => Some(word(one, true).to_owned()),
            [] => None,
            _ => Some("values".to_owned()),
        }
    };
    let listed = parts.iter().any(|p| p.node.get("properties").is_some());
    types
        .iter()
        .map(|name| match *name {
            "array" => holds("items").map_or_else(|| "list".to_owned(), |k| format!("list of {k}")),
            "object" if !listed => holds("additionalProperties")
                .map_or_else(|| "map".to_owned(), |k| format!("map of {k}")),
            name => word(name, false).to_owned(),
        })
        .collect::<Vec<_>>()
        .join(" or ")
}

fn word(name: &str, many: bool) -> &'static str {
    match (name, many) {
        ("string", false) => "text",
        ("string", true) => "texts",
        ("integer", false) => "whole number",
        ("integer", true) => "whole numbers",
        ("number", false) => "number",
        ("number", true) => "numbers",
        ("boolean", false) => "true or false",
        ("boolean", true) => "true or false values",
        ("array", false) => "list",
        ("array", true) => "lists",
        ("object", false) => "map",
        ("object", true) => "maps",
        ("null", false) => "null",
        ("null", true) => "nulls",
        (_, false) => "value",
        (_, true) => "values",
    }
}

/// The types that all parts allow; those of the listed values where no type is said.
fn types<'a>(parts: &[Part<'a>]) -> Vec<&'a str> {
    let mut out: Option<Vec<&'a str>> = None;
    for types in parts.iter().map(Part::types).filter(|t| !t.is_empty()) {
        out = Some(match out {
            None => types,
            Some(before) => before.into_iter().filter(|t| types.contains(t)).collect(),
        });
    }
    out.unwrap_or_else(|| {
        let mut of_values: Vec<&str> = parts
            .iter()
            .flat_map(|p| {
                let listed = p.child("enum").map(|l| l.items()).unwrap_or_default();
                listed.into_iter().chain(p.child("const"))
            })
            .map(|p| name_of(p.node))
            .collect();
        of_values.dedup();
        if of_values.is_empty() && parts.iter().any(|p| p.node.get("properties").is_some()) {
            of_values.push("object");
        }
        of_values
    })
}

fn name_of(node: &Node) -> &'static str {
    match &node.data {
        Data::Null => "null",
        Data::Bool(_) => "boolean",
        Data::Number(n) if n.is_f64() => "number",
        Data::Number(_) => "integer",
        Data::Text(_) => "string",
        Data::List(_) => "array",
        Data::Map(_) => "object",
    }
}

/// The allowed values that all parts agree on, as JSON.
pub(super) fn values(parts: &[Part<'_>]) -> Vec<String> {
    let mut out: Option<Vec<String>> = None;
    for part in parts {
        let mut listed: Vec<String> = part
            .child("enum")
            .map(|l| l.items())
            .unwrap_or_default()
            .into_iter()
            .chain(part.child("const"))
            .map(|p| p.node.to_json().to_string())
            .collect();
        if listed.is_empty() {
            continue;
        }
        if let Some(before) = out {
            listed.retain(|v| before.contains(v));
        }
        out = Some(listed);
    }
    out.unwrap_or_default()
}

/// `1 to 20`, `at least 1`, `at most 20`.
fn range(parts: &[Part<'_>], least: &str, most: &str, unit: &str) -> Option<String> {
    let low = parts
        .iter()
        .filter_map(|p| p.number(least))
        .reduce(f64::max);
    let high = parts.iter().filter_map(|p| p.number(most)).reduce(f64::min);
    // One of something is not several.
    let many = |n: f64| {
        if unit == " characters" && n == 1.0 {
            " character"
        } else {
            unit
        }
    };
    match (low, high) {
        (Some(low), Some(high)) if low == high => Some(format!("exactly {low}{}", many(low))),
        (Some(low), Some(high)) => Some(format!("{low} to {high}{unit}")),
        (Some(low), None) => Some(format!("at least {low}{}", many(low))),
        (None, Some(high)) => Some(format!("at most {high}{}", many(high))),
        (None, None) => None,
    }
}

/// Everything that narrows a value down, but the list of allowed ones.
pub(super) fn limits(parts: &[Part<'_>]) -> Vec<Limit> {
    let mut out = Vec::new();
    out.extend(range(parts, "minimum", "maximum", "").map(plain));
    for (keyword, words) in [
        ("exclusiveMinimum", "more than"),
        ("exclusiveMaximum", "less than"),
        ("multipleOf", "a multiple of"),
    ] {
        for n in parts.iter().filter_map(|p| p.number(keyword)) {
            out.push(plain(format!("{words} {n}")));
        }
    }
    out.extend(range(parts, "minLength", "maxLength", " characters").map(plain));
    out.extend(range(parts, "minItems", "maxItems", " in the list").map(plain));
    out.extend(range(parts, "minProperties", "maxProperties", " in the map").map(plain));
    for part in parts {
        if let Some(pattern) = part.text("pattern") {
            out.push(coded("must match the pattern", pattern));
        }
        if let Some(format) = part.text("format") {
            out.push(match format {
                "email" | "idn-email" => plain("an e-mail address"),
                "ipv4" => plain("an IPv4 address"),
                "ipv6" => plain("an IPv6 address"),
                "uri" | "iri" => plain("an address that begins with a scheme, such as https"),
                "hostname" | "idn-hostname" => plain("a host name"),
                "date" => plain("a date, such as 2026-11-21, in quotes"),
                "date-time" => plain("a date and time, such as 2026-11-21T08:00:00Z, in quotes"),
                "uuid" => plain("a UUID"),
                "regex" => plain("a regular expression"),
                other => coded("must have the format", other),
            });
        }
        if part.node.get("uniqueItems").map(|n| &n.data) == Some(&Data::Bool(true)) {
            out.push(plain("no value twice"));
        }
        if let Some(pattern) = part.child("propertyNames").and_then(|p| p.text("pattern")) {
            out.push(coded("its keys must match the pattern", pattern));
        }
        if let Some(denied) = part.child("not").and_then(|n| n.child("enum")) {
            out.push(coded("none of", denied.node.to_json().to_string()));
        }
        for (key, with) in part
            .child("dependentRequired")
            .map(|p| p.children())
            .unwrap_or_default()
        {
            let also: Vec<&str> = with.items().iter().filter_map(|p| p.node.text()).collect();
            out.push(coded(
                "keys that need others beside them:",
                format!("{} needs {}", key.name, also.join(", ")),
            ));
        }
    }
    out.dedup();
    out
}

/// One alternative in a line.
pub(super) fn summary(parts: &[Part<'_>]) -> String {
    let title = parts.iter().find_map(|p| p.text("title"));
    let mut out = match title {
        Some(title) => title.to_owned(),
        None => kind(parts, &|parts| parts),
    };
    let values = values(parts);
    if !values.is_empty() {
        out = format!("{out}: {}", values.join(", "));
    }
    let mut keys: Vec<&str> = parts
        .iter()
        .filter_map(|p| p.child("properties"))
        .flat_map(|p| p.node.entries())
        .map(|(k, _)| k.name.as_str())
        .collect();
    let required: Vec<&str> = parts.iter().flat_map(|p| p.texts("required")).collect();
    if keys.is_empty() {
        keys = required;
    }
    if !keys.is_empty() {
        out = format!("{out} with {}", keys.join(", "));
    }
    for limit in limits(parts) {
        out = format!("{out}, {}", limit.words);
        if let Some(code) = limit.code {
            out = format!("{out} {code}");
        }
    }
    out
}
