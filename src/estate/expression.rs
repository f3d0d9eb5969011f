//! `{{ environment }}` in texts: a small fixed context, rendered by MiniJinja with limits.
//!
//! A customer's text is compiled as an expression of an engine that has no filters, no
//! functions, no statements and no loader; operators that can multiply text are refused.
//! What the names stand for is in `src/estate/scope.rs`.

use super::finding::Finding;
use super::ids::{StackId, shown};
use super::layers::{Layer, blame};
use super::scope::Scope;
use super::suggest::nearest;
use minijinja::{Environment, ErrorKind, UndefinedBehavior};
use serde_json::{Map, Value};
use std::sync::LazyLock;

const FUEL: u64 = 2_000;
pub(super) const MAX_TEXT: usize = 16 << 10;
/// Longest single expression, in bytes.
const MAX_SOURCE: usize = 200;
/// Most operators in one. Each can be one level more of the tree that is made of an expression
/// (`a~a~a`, `---a`), and that tree is walked on the stack. Words such as `not` take four bytes.
const MAX_OPERATORS: usize = 50;
pub(super) const NAMES: &str =
    "`customer`, `product`, `environment`, `project_name` and `values.<key>`";

static ENGINE: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    engine
});

/// Why a text has no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Its own mistake, to be told at its own position.
    Here(String),
    /// It refers to a text that has a fault, which is told there.
    Elsewhere,
}

/// Whether a text holds an expression, or something that looks like one.
pub(super) fn is_expression(text: &str) -> bool {
    text.contains("{{") || text.contains("{%")
}

/// Whether any text in `value` does.
pub(super) fn holds_expression(value: &Value) -> bool {
    match value {
        Value::String(text) => is_expression(text),
        Value::Array(items) => items.iter().any(holds_expression),
        Value::Object(map) => map.values().any(holds_expression),
        _ => false,
    }
}

/// Renders every expression in the merged `values`. Texts with a fault stay as they are, each
/// with a finding at the position that `layers` give.
pub fn render(
    values: Map<String, Value>,
    layers: &[Layer],
    stack: &StackId,
) -> (Map<String, Value>, Vec<Finding>) {
    if !values.values().any(holds_expression) {
        return (values, Vec::new());
    }
    let scope = Scope::new(values, stack);
    let (rendered, faults) = scope.all();
    let findings = faults
        .into_iter()
        .map(|(path, message)| {
            let path: Vec<&str> = path.iter().map(String::as_str).collect();
            let place = blame(layers, &path).map_or_else(
                || super::finding::Place::file(&path.join(".")),
                |origin| origin.place,
            );
            Finding::error(place, "expression", message)
        })
        .collect();
    (rendered, findings)
}

/// The value of one text.
pub(super) fn evaluate_text(scope: &std::sync::Arc<Scope>, text: &str) -> Result<Value, Fault> {
    let here = |message: String| Err(Fault::Here(message));
    if text.len() > MAX_TEXT {
        return here(format!(
            "a text with an expression may have {MAX_TEXT} bytes at most"
        ));
    }
    if text.contains("{%") {
        return here(
            "statements (`{% … %}`) are not allowed here; use `{{ name }}` only".to_owned(),
        );
    }
    let mut parts: Vec<Value> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            return here("`{{` without `}}`; close the expression".to_owned());
        };
        if !before.is_empty() {
            parts.push(Value::String(before.to_owned()));
        }
        parts.push(evaluate(scope, inside.trim())?);
        rest = behind;
    }
    if !rest.is_empty() {
        parts.push(Value::String(rest.to_owned()));
    }
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let mut out = String::new();
    for part in parts {
        match part {
            Value::String(s) => out.push_str(&s),
            Value::Array(_) | Value::Object(_) | Value::Null => {
                return here(
                    "a list, a map or null cannot stand inside a text; use the expression alone"
                        .to_owned(),
                );
            }
            scalar => out.push_str(&scalar.to_string()),
        }
        if out.len() > MAX_TEXT {
            return here(format!("the rendered text is longer than {MAX_TEXT} bytes"));
        }
    }
    Ok(Value::String(out))
}

fn evaluate(scope: &std::sync::Arc<Scope>, source: &str) -> Result<Value, Fault> {
    let here = |message: String| Fault::Here(message);
    let operator = |b: &u8| !b.is_ascii_alphanumeric() && !matches!(b, b'_' | b' ');
    let operators = source.bytes().filter(|b| operator(b)).count();
    if source.len() > MAX_SOURCE || operators > MAX_OPERATORS {
        return Err(here(format!(
            "an expression may have {MAX_SOURCE} bytes and {MAX_OPERATORS} operators at most; take it apart into several values"
        )));
    }
    // Names, dots, texts and numbers are all that a value needs; `*`, `%` and calls are how
    // a small text becomes a large one.
    if let Some(bad) = source.chars().find(|c| {
        !(c.is_ascii_alphanumeric()
            || matches!(
                c,
                '_' | '.' | ' ' | '"' | '\'' | '[' | ']' | '-' | '~' | '=' | '!' | '<' | '>'
            ))
    }) {
        return Err(here(format!(
            "`{}` is not allowed in an expression; use {NAMES}",
            bad.escape_default()
        )));
    }
    let expression = ENGINE.compile_expression(source).map_err(|e| {
        here(format!(
            "not an expression ({}); use {NAMES}",
            shown(&e.kind().to_string())
        ))
    })?;
    let result = expression.eval(minijinja::Value::from_dyn_object(scope.root()));
    let json = match result {
        Ok(value) if value.is_undefined() => Err(here(unknown(source))),
        // The lazy parts of a map or a list are evaluated here.
        Ok(value) => serde_json::to_value(&value)
            .map_err(|_| here("the result is not a plain value".to_owned())),
        Err(e) => Err(here(match e.kind() {
            ErrorKind::UndefinedError => unknown(source),
            ErrorKind::OutOfFuel => "the expression does too much".to_owned(),
            kind => format!("cannot be evaluated: {}", shown(&kind.to_string())),
        })),
    };
    // What went wrong in a text that was referred to is the better reason.
    match scope.take_fault() {
        Some(fault) => Err(fault),
        None => json,
    }
}

fn unknown(source: &str) -> String {
    let names = [
        "customer",
        "product",
        "environment",
        "project_name",
        "values",
    ];
    if let Some(near) = nearest(source, names) {
        return format!("`{}` is not defined; did you mean `{near}`?", shown(source));
    }
    format!("`{}` is not defined; use {NAMES}", shown(source))
}

#[cfg(test)]
#[path = "expression_tests.rs"]
mod tests;
