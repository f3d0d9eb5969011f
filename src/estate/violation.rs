//! What a schema does not allow, in plain words: the value, the limit, and what to write instead.
//! The library's own phrases name neither the key nor, for a choice between forms, the forms.

use super::ids::shown;
use jsonschema::ValidationError;
use jsonschema::error::{TypeKind, ValidationErrorKind as Wrong};
use serde_json::Value;

/// Most alternatives that a message lists.
const LISTED: usize = 8;

/// What is wrong with `subject`, on one line. `schema` is the one that the failing keyword
/// belongs to.
pub(super) fn message(subject: &str, error: &ValidationError<'_>, schema: &Value) -> String {
    let value = error.instance();
    let is = if subject.starts_with('`') {
        "is"
    } else {
        "are"
    };
    match error.kind() {
        Wrong::Type { kind } => {
            let types = types(kind);
            let wanted: Vec<&str> = types.iter().map(|t| type_in_words(t)).collect();
            format!(
                "{subject} {is} {}, but must be {}{}",
                with_kind(value),
                wanted.join(" or "),
                remedy(&types, value)
            )
        }
        Wrong::PropertyNames { error: inner } => format!(
            "{subject} has the key `{}`, which {}",
            shown(&plain(inner.instance())),
            why(inner, schema.get("propertyNames").unwrap_or(&Value::Null))
        ),
        _ => format!(
            "{subject} {is} {}, which {}{}",
            brief(value),
            why(error, schema),
            example(error, schema)
        ),
    }
}

/// A clause after "which".
fn why(error: &ValidationError<'_>, schema: &Value) -> String {
    let value = error.instance();
    let number = |limit: &Value| shown(&limit.to_string());
    let characters = value.as_str().map_or(0, |s| s.chars().count());
    match error.kind() {
        Wrong::Maximum { limit } => format!("is more than the maximum of `{}`", number(limit)),
        Wrong::Minimum { limit } => format!("is less than the minimum of `{}`", number(limit)),
        Wrong::ExclusiveMaximum { limit } => format!("is not less than `{}`", number(limit)),
        Wrong::ExclusiveMinimum { limit } => format!("is not more than `{}`", number(limit)),
        Wrong::MultipleOf { multiple_of } => format!("is not a multiple of `{multiple_of}`"),
        Wrong::MaxLength { limit } => format!(
            "has {}, more than the {limit} allowed",
            count(characters, "character")
        ),
        Wrong::MinLength { limit } => format!(
            "has {}, fewer than the {limit} needed",
            count(characters, "character")
        ),
        Wrong::MaxItems { limit } | Wrong::MaxProperties { limit } => {
            format!("is more than the {limit} allowed")
        }
        Wrong::MinItems { limit } | Wrong::MinProperties { limit } => {
            format!("is fewer than the {limit} needed")
        }
        Wrong::AdditionalItems { limit } => format!("is more than the {limit} allowed"),
        Wrong::UnevaluatedItems { unexpected } => format!(
            "holds {} that the schema does not allow; remove what is not needed",
            count(unexpected.len(), "item")
        ),
        Wrong::UniqueItems => same_items(value),
        Wrong::Pattern { pattern } => format!("does not match the pattern `{}`", shown(pattern)),
        Wrong::Format { format } => format!("is not {}", format_in_words(format)),
        Wrong::Constant { expected_value } => {
            format!("is not allowed; it must be {}", quoted(expected_value))
        }
        Wrong::Enum { options } => format!("is not {}", one_of(options)),
        Wrong::Contains => format!(
            "does not hold as many items as it must that are {}",
            form(schema.get("contains").unwrap_or(&Value::Null))
        ),
        Wrong::Not { schema } => format!("is not allowed; it must not be {}", form(schema)),
        Wrong::AnyOf { .. } | Wrong::OneOfNotValid { .. } => match forms(error, schema, None) {
            forms if forms.is_empty() => "is not allowed".to_owned(),
            forms => format!("is none of what is allowed: {forms}"),
        },
        Wrong::OneOfMultipleValid { context } => {
            let fits = |i: usize| context.get(i).is_some_and(Vec::is_empty);
            format!(
                "is more than one of what is allowed, where it may be one only: {}",
                forms(error, schema, Some(&fits))
            )
        }
        Wrong::FalseSchema => "is not allowed".to_owned(),
        other => format!("breaks the schema's rule `{}`", shown(other.keyword())),
    }
}

/// The branches of `anyOf` and `oneOf` whose errors say more than "it is another kind of value":
/// what the person meant, when it is one.
pub(super) fn meant<'e>(error: &'e ValidationError<'_>) -> Option<&'e [ValidationError<'static>]> {
    let (Wrong::AnyOf { context } | Wrong::OneOfNotValid { context }) = error.kind() else {
        return None;
    };
    let here = error.instance_path().as_str();
    let mut near = context.iter().filter(|branch| {
        !branch.is_empty()
            && branch.iter().all(|e| {
                e.instance_path().as_str() != here
                    || !matches!(
                        e.kind(),
                        Wrong::Type { .. }
                            | Wrong::Constant { .. }
                            | Wrong::Enum { .. }
                            | Wrong::FalseSchema
                    )
            })
    });
    match (near.next(), near.next()) {
        (Some(one), None) => Some(one),
        _ => None,
    }
}

fn types(kind: &TypeKind) -> Vec<String> {
    match kind {
        TypeKind::Single(one) => vec![one.to_string()],
        TypeKind::Multiple(many) => many.iter().map(|t| t.to_string()).collect(),
    }
}

fn type_in_words(name: &str) -> &str {
    match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a map",
        other => other,
    }
}

/// What to do about a value of another kind, where that can be told.
fn remedy(types: &[String], value: &Value) -> String {
    let wants = |name: &str| types.iter().any(|t| t == name);
    match value {
        Value::Null => "; give it a value or remove the key".to_owned(),
        Value::Number(_) | Value::Bool(_) if wants("string") => {
            format!("; write `\"{value}\"` in quotes")
        }
        Value::String(text) => {
            let bare = match serde_json::from_str::<Value>(text) {
                Ok(Value::Number(n)) => wants("number") || wants("integer") && !n.is_f64(),
                Ok(Value::Bool(_)) => wants("boolean"),
                _ => false,
            };
            if bare {
                format!("; write `{}` without quotes", shown(text))
            } else if wants("array") {
                "; write it as an item of a list, after `- `".to_owned()
            } else {
                String::new()
            }
        }
        _ => String::new(),
    }
}

/// A value that the schema itself gives as right, for what a rule alone does not tell.
fn example(error: &ValidationError<'_>, schema: &Value) -> String {
    if !matches!(error.kind(), Wrong::Pattern { .. }) {
        return String::new();
    }
    let examples = schema.get("examples").and_then(Value::as_array);
    match examples.and_then(|e| e.first()).or(schema.get("default")) {
        Some(example) => format!("; for example {}", quoted(example)),
        None => String::new(),
    }
}

fn same_items(value: &Value) -> String {
    let items = value.as_array().map_or(&[][..], Vec::as_slice);
    for (second, item) in items.iter().enumerate() {
        if let Some(first) = items[..second].iter().position(|other| other == item) {
            let what = match item {
                Value::Array(_) | Value::Object(_) => "the same item".to_owned(),
                plain => brief(plain),
            };
            return format!(
                "holds {what} twice, as items {} and {}; remove one of them",
                first + 1,
                second + 1
            );
        }
    }
    "holds the same item twice; remove one of them".to_owned()
}

fn format_in_words(format: &str) -> String {
    let words = match format {
        "email" | "idn-email" => "an email address",
        "ipv4" => "an IPv4 address such as `192.0.2.1`",
        "ipv6" => "an IPv6 address such as `2001:db8::1`",
        "hostname" | "idn-hostname" => "a host name such as `www.example.com`",
        "uri" | "iri" => "a URI such as `https://example.com/`",
        "date" => "a date such as `2026-11-21`",
        "time" => "a time such as `10:00:00Z`",
        "date-time" => "a date and time such as `2026-11-21T10:00:00Z`",
        "duration" => "a duration such as `P1DT12H`",
        "uuid" => "a UUID such as `123e4567-e89b-42d3-a456-426614174000`",
        "regex" => "a regular expression without look-around and back-references",
        other => return format!("a valid `{}`", shown(other)),
    };
    words.to_owned()
}

/// The alternatives of a choice, each in short; with `fits`, only those for which it holds.
fn forms(
    error: &ValidationError<'_>,
    schema: &Value,
    fits: Option<&dyn Fn(usize) -> bool>,
) -> String {
    let branches = schema.get(error.kind().keyword()).and_then(Value::as_array);
    let all: Vec<String> = branches
        .into_iter()
        .flatten()
        .enumerate()
        .filter(|(i, _)| fits.is_none_or(|fits| fits(*i)))
        .map(|(_, branch)| form(branch))
        .collect();
    listed(&all, "; ")
}

/// What a schema asks for, in a few words: its title, or what can be said of it.
fn form(schema: &Value) -> String {
    let text = |key: &str| schema.get(key).and_then(Value::as_str);
    if let Some(title) = text("title") {
        return format!("`{}`", shown(title));
    }
    if let Some(only) = schema.get("const") {
        return quoted(only);
    }
    if let Some(options) = schema.get("enum") {
        return one_of(options);
    }
    let mut words = match schema.get("type") {
        Some(Value::String(one)) => type_in_words(one).to_owned(),
        Some(Value::Array(many)) => {
            let names: Vec<&str> = many.iter().filter_map(Value::as_str).collect();
            names
                .iter()
                .map(|t| type_in_words(t))
                .collect::<Vec<_>>()
                .join(" or ")
        }
        _ if schema.get("required").is_some() || schema.get("properties").is_some() => {
            "a map".to_owned()
        }
        _ => "a value".to_owned(),
    };
    let required = schema.get("required").and_then(Value::as_array);
    let names: Vec<String> = required.into_iter().flatten().map(quoted).collect();
    if !names.is_empty() {
        words.push_str(&format!(" with {}", listed(&names, " and ")));
    }
    let limits = [
        ("minimum", "at least"),
        ("exclusiveMinimum", "more than"),
        ("maximum", "at most"),
        ("exclusiveMaximum", "less than"),
        ("pattern", "like"),
        ("format", "in the format"),
    ];
    for (key, limit) in limits {
        if let Some(value) = schema.get(key) {
            words.push_str(&format!(" {limit} {}", quoted(value)));
        }
    }
    words
}

/// The members of an `enum`.
pub(super) fn one_of(options: &Value) -> String {
    let all: Vec<String> = options
        .as_array()
        .into_iter()
        .flatten()
        .map(quoted)
        .collect();
    format!("one of {}", listed(&all, ", "))
}

/// The first few of many.
pub(super) fn listed(all: &[String], between: &str) -> String {
    let first = all
        .iter()
        .take(LISTED)
        .map(String::as_str)
        .collect::<Vec<_>>();
    let more = match all.len().saturating_sub(LISTED) {
        0 => String::new(),
        n => format!("{between}{n} more"),
    };
    first.join(between) + &more
}

/// A text as it is, everything else as JSON.
pub(super) fn plain(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn quoted(value: &Value) -> String {
    format!("`{}`", shown(&plain(value)))
}

/// A value in a sentence: itself when it is plain, its size when it is not.
pub(super) fn brief(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("a list of {}", count(items.len(), "item")),
        Value::Object(map) => format!("a map of {}", count(map.len(), "key")),
        Value::Null => "null".to_owned(),
        Value::String(text) if text.is_empty() => "an empty text".to_owned(),
        plain => quoted(plain),
    }
}

fn with_kind(value: &Value) -> String {
    match value {
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a map".to_owned(),
        Value::Number(_) => format!("the number {}", quoted(value)),
        Value::String(text) if !text.is_empty() => format!("the text {}", quoted(value)),
        other => brief(other),
    }
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
