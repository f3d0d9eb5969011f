//! `{{ environment }}` in texts: a small fixed context, rendered by MiniJinja with limits.
//!
//! A customer's text is compiled as an expression of an engine that has no filters, no
//! functions, no statements and no loader; operators that can multiply text are refused.

use super::finding::Finding;
use super::ids::StackId;
use super::layers::{Merged, Origin};
use minijinja::{Environment, UndefinedBehavior};
use serde_json::{Value, json};

const FUEL: u64 = 2_000;
const MAX_TEXT: usize = 16 << 10;
const NAMES: &str = "`customer`, `product`, `environment`, `project_name` and `values.<key>`";

/// Renders every expression in `merged` in place.
pub fn render(merged: &mut Merged, stack: &StackId) -> Vec<Finding> {
    let values = merged.to_json();
    let context = json!({
        "customer": stack.customer.as_str(),
        "product": stack.product.as_str(),
        "environment": stack.environment.as_str(),
        "project_name": values.get("project_name").cloned().unwrap_or(Value::Null),
        "values": values,
    });
    let mut engine = Environment::empty();
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    engine.set_fuel(Some(FUEL));
    let mut findings = Vec::new();
    let mut path = Vec::new();
    merged.texts_mut(&mut path, &mut |_, origin, text| {
        if !text.contains("{{") && !text.contains("{%") {
            return None;
        }
        match one(&engine, &context, text) {
            Ok(value) => Some(value),
            Err(message) => {
                findings.push(finding(origin, message));
                None
            }
        }
    });
    findings
}

fn finding(origin: &Origin, message: String) -> Finding {
    Finding::error(origin.place.clone(), "expression", message)
}

fn one(engine: &Environment<'_>, context: &Value, text: &str) -> Result<Value, String> {
    if text.len() > MAX_TEXT {
        return Err(format!(
            "a text with an expression may have {MAX_TEXT} bytes at most"
        ));
    }
    if text.contains("{%") || text.contains("{#") {
        return Err("statements (`{% … %}`) and comments (`{# … #}`) are not allowed here; use `{{ name }}` only".to_owned());
    }
    let mut parts: Vec<Value> = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("{{") {
        let Some((inside, behind)) = after.split_once("}}") else {
            return Err("`{{` without `}}`; close the expression".to_owned());
        };
        if !before.is_empty() {
            parts.push(Value::String(before.to_owned()));
        }
        parts.push(evaluate(engine, context, inside.trim())?);
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
                return Err(
                    "a list, a map or null cannot stand inside a text; use the expression alone"
                        .to_owned(),
                );
            }
            scalar => out.push_str(&scalar.to_string()),
        }
        if out.len() > MAX_TEXT {
            return Err(format!("the rendered text is longer than {MAX_TEXT} bytes"));
        }
    }
    Ok(Value::String(out))
}

fn evaluate(engine: &Environment<'_>, context: &Value, source: &str) -> Result<Value, String> {
    // Names, dots, texts and numbers are all that a value needs; `*`, `%` and calls are how
    // a small text becomes a large one.
    if let Some(bad) = source.chars().find(|c| {
        !(c.is_ascii_alphanumeric()
            || matches!(
                c,
                '_' | '.' | ' ' | '"' | '\'' | '[' | ']' | '-' | '~' | '=' | '!' | '<' | '>'
            ))
    }) {
        return Err(format!(
            "`{}` is not allowed in an expression; use {NAMES}",
            bad.escape_default()
        ));
    }
    let expression = engine.compile_expression(source).map_err(|e| {
        format!(
            "not an expression ({}); use {NAMES}",
            super::ids::shown(&e.kind().to_string())
        )
    })?;
    let value = expression
        .eval(minijinja::value::Serde(context))
        .map_err(|e| match e.kind() {
            minijinja::ErrorKind::UndefinedError => unknown(source),
            minijinja::ErrorKind::OutOfFuel => "the expression does too much".to_owned(),
            kind => format!(
                "cannot be evaluated: {}",
                super::ids::shown(&kind.to_string())
            ),
        })?;
    if value.is_undefined() {
        return Err(unknown(source));
    }
    let value =
        serde_json::to_value(&value).map_err(|_| "the result is not a plain value".to_owned())?;
    if value.to_string().contains("{{") {
        return Err(format!(
            "`{}` holds an expression itself; refer to plain values only",
            super::ids::shown(source)
        ));
    }
    Ok(value)
}

fn unknown(source: &str) -> String {
    format!(
        "`{}` is not defined; use {NAMES}",
        super::ids::shown(source)
    )
}

#[cfg(test)]
mod tests {
    use super::super::layers::{Layer, merge};
    use super::super::yaml::{Reading, read};
    use super::*;

    fn rendered(text: &str) -> (Value, Vec<String>) {
        let Ok(node) = read("v.yml", text.as_bytes(), Reading::Strict) else {
            panic!("{text}")
        };
        let mut merged = merge(&[Layer {
            name: "t",
            path: "v.yml".into(),
            node,
        }]);
        let Ok(stack) = "acme/web/staging".parse() else {
            panic!()
        };
        let findings = render(&mut merged, &stack);
        (
            merged.to_json(),
            findings.iter().map(ToString::to_string).collect(),
        )
    }

    #[test]
    fn keeps_the_kind_of_a_lone_expression() {
        let (value, findings) = rendered(
            "count: 3\nm: '{{ values.count }}'\ntag: 'x-{{ environment }}-{{values.count}}'\n",
        );
        assert_eq!(findings, Vec::<String>::new());
        assert_eq!(value, json!({"count": 3, "m": 3, "tag": "x-staging-3"}));
    }

    #[test]
    fn t5_nothing_but_names_is_evaluated() {
        for bad in [
            "{{ nope }}",
            "{{ values.nope }}",
            "{% for x in y %}",
            "{{ 'a' * 1000000 }}",
            "{{ range(10) }}",
            "{{",
            "{{ values | tojson }}",
            "{{ values.__class__ }}",
            "{{ values.a }}",
        ] {
            let (_, findings) = rendered(&format!("a: \"{bad}\"\n"));
            assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
            assert!(findings[0].starts_with("v.yml:1:4: "), "{findings:?}");
        }
    }
}
