//! What no layer sets and the schema has a default for. Shown to people, never filled in:
//! engines have defaults of their own, and a value that nobody wrote has no place to blame.

use serde_json::Value;

/// Dotted keys and defaults, in the order of the schema's keys, of properties that `values` do
/// not have. References inside of the document are followed.
pub fn left_to_schema(document: &Value, values: &Value) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    visit(document, document, Some(values), &mut Vec::new(), &mut out);
    out
}

/// Deepest nesting that is looked into; a schema may refer to itself.
const MAX_DEPTH: usize = 16;

fn visit(
    document: &Value,
    schema: &Value,
    values: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Vec<(String, Value)>,
) {
    if path.len() > MAX_DEPTH {
        return;
    }
    let schema = followed(document, schema);
    if let (None, Some(default)) = (values, schema.get("default")) {
        out.push((path.join("."), default.clone()));
        return;
    }
    for part in schema
        .get("allOf")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
    {
        visit_properties(document, followed(document, part), values, path, out);
    }
    visit_properties(document, schema, values, path, out);
}

fn visit_properties(
    document: &Value,
    schema: &Value,
    values: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Vec<(String, Value)>,
) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else {
        return;
    };
    for (key, property) in properties {
        path.push(key.clone());
        visit(
            document,
            property,
            values.and_then(|v| v.get(key)),
            path,
            out,
        );
        path.pop();
    }
}

/// The schema that a chain of `$ref` inside of the document ends at.
fn followed<'a>(document: &'a Value, mut schema: &'a Value) -> &'a Value {
    for _ in 0..MAX_DEPTH {
        let Some(target) = schema
            .get("$ref")
            .and_then(Value::as_str)
            .and_then(|r| r.strip_prefix('#'))
            .and_then(|pointer| document.pointer(pointer))
        else {
            break;
        };
        schema = target;
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_is_absent_and_has_a_default() {
        let schema = json!({
            "$defs": {"n": {"type": "integer", "default": 1}, "loop": {"properties": {"x": {"$ref": "#/$defs/loop"}}}},
            "properties": {
                "a": {"default": "x"},
                "b": {"default": "y"},
                "n": {"$ref": "#/$defs/n"},
                "deep": {"properties": {"in": {"default": []}}},
                "loop": {"$ref": "#/$defs/loop"}
            },
            "allOf": [{"properties": {"c": {"default": null}}}]
        });
        let found = left_to_schema(&schema, &json!({"b": null, "deep": {}}));
        let keys: Vec<&str> = found.iter().map(|(k, _)| k.as_str()).collect();
        assert_eq!(keys, ["c", "a", "deep.in", "n"]);
    }
}
