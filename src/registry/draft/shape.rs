//! Terraform's types as JSON Schema, and its defaults as values of these types.

use crate::engine::variables::Type;
use serde_json::{Map, Number, Value, json};

/// The schema of a type.
pub(super) fn of(kind: &Type) -> Value {
    match kind {
        Type::Text => json!({"type": "string"}),
        Type::Number => json!({"type": "number"}),
        Type::Bool => json!({"type": "boolean"}),
        Type::Any => json!({}),
        Type::List(item) => json!({"type": "array", "items": of(item)}),
        Type::Set(item) => json!({"type": "array", "uniqueItems": true, "items": of(item)}),
        Type::Map(item) => json!({"type": "object", "additionalProperties": of(item)}),
        Type::Tuple(items) => json!({
            "type": "array",
            "prefixItems": items.iter().map(of).collect::<Vec<_>>(),
            "items": false,
            "minItems": items.len(),
        }),
        Type::Object(fields) => {
            let mut properties = Map::new();
            for field in fields {
                let mut schema = of(&field.kind);
                if let Some(default) = &field.default {
                    let default = coerce(default, &field.kind);
                    widen(&mut schema, &default);
                    schema["default"] = default;
                }
                properties.insert(field.name.clone(), schema);
            }
            let required: Vec<&str> = fields
                .iter()
                .filter(|f| !f.optional)
                .map(|f| f.name.as_str())
                .collect();
            let mut out = json!({
                "type": "object",
                "additionalProperties": false,
                "properties": properties,
            });
            if !required.is_empty() {
                out["required"] = json!(required);
            }
            out
        }
    }
}

/// Lets null pass.
pub(super) fn allow_null(schema: &mut Value) {
    if let Some(name) = schema.get("type").and_then(Value::as_str) {
        schema["type"] = json!([name, "null"]);
    }
    if let Some(allowed) = schema.get_mut("enum").and_then(Value::as_array_mut)
        && !allowed.contains(&Value::Null)
    {
        allowed.push(Value::Null);
    }
}

/// Lets null pass where a default holds it.
pub(super) fn widen(schema: &mut Value, value: &Value) {
    match value {
        Value::Null => allow_null(schema),
        Value::Array(items) => {
            for (i, item) in items.iter().enumerate() {
                if let Some(below) = schema.get_mut("prefixItems").and_then(|p| p.get_mut(i)) {
                    widen(below, item);
                } else if let Some(below) = schema.get_mut("items") {
                    widen(below, item);
                }
            }
        }
        Value::Object(map) => {
            for (key, item) in map {
                if let Some(below) = schema.get_mut("properties").and_then(|p| p.get_mut(key)) {
                    widen(below, item);
                } else if let Some(below) = schema.get_mut("additionalProperties") {
                    widen(below, item);
                }
            }
        }
        _ => {}
    }
}

/// A default as Terraform would convert it to the variable's type.
pub(super) fn coerce(value: &Value, kind: &Type) -> Value {
    match (kind, value) {
        (Type::Text, Value::Number(n)) => json!(n.to_string()),
        (Type::Text, Value::Bool(b)) => json!(b.to_string()),
        (Type::Number, Value::String(text)) => number(text).unwrap_or_else(|| value.clone()),
        (Type::Bool, Value::String(text)) => match text.as_str() {
            "true" | "1" => json!(true),
            "false" | "0" => json!(false),
            _ => value.clone(),
        },
        (Type::List(item), Value::Array(items)) => {
            Value::Array(items.iter().map(|v| coerce(v, item)).collect())
        }
        (Type::Set(item), Value::Array(items)) => {
            let mut out: Vec<Value> = Vec::new();
            for value in items.iter().map(|v| coerce(v, item)) {
                if !out.contains(&value) {
                    out.push(value);
                }
            }
            Value::Array(out)
        }
        (Type::Tuple(kinds), Value::Array(items)) => Value::Array(
            items
                .iter()
                .enumerate()
                .map(|(i, v)| kinds.get(i).map_or_else(|| v.clone(), |k| coerce(v, k)))
                .collect(),
        ),
        (Type::Map(item), Value::Object(map)) => {
            let all = map.iter().map(|(k, v)| (k.clone(), coerce(v, item)));
            Value::Object(all.collect())
        }
        // Terraform drops attributes that the type does not have.
        (Type::Object(fields), Value::Object(map)) => {
            let known = fields.iter().filter_map(|f| {
                let value = map.get(&f.name)?;
                Some((f.name.clone(), coerce(value, &f.kind)))
            });
            Value::Object(known.collect())
        }
        _ => value.clone(),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(n) = text.parse::<i64>() {
        return Some(json!(n));
    }
    let n = text.parse::<f64>().ok()?;
    Number::from_f64(n).map(Value::Number)
}
