//! Plain YAML from JSON values: block style, keys sorted, every text that could be read as
//! something else in quotes.

use serde_json::{Number, Value};

/// `value` as a YAML document.
pub fn yaml(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => block(value, 0, &mut out),
        Value::Array(items) if !items.is_empty() => block(value, 0, &mut out),
        scalar => {
            out.push_str(&inline(scalar));
            out.push('\n');
        }
    }
    out
}

fn block(value: &Value, depth: usize, out: &mut String) {
    let indent = "  ".repeat(depth);
    match value {
        Value::Object(map) => {
            for (key, item) in map {
                out.push_str(&indent);
                out.push_str(&text(key));
                out.push(':');
                below(item, depth, out);
            }
        }
        Value::Array(items) => {
            for item in items {
                out.push_str(&indent);
                out.push('-');
                match item {
                    Value::Object(map) if !map.is_empty() => {
                        let mut inner = String::new();
                        block(item, depth + 1, &mut inner);
                        out.push(' ');
                        out.push_str(inner.trim_start());
                    }
                    _ => below(item, depth, out),
                }
            }
        }
        _ => {}
    }
}

fn below(item: &Value, depth: usize, out: &mut String) {
    let nested = match item {
        Value::Object(map) => !map.is_empty(),
        Value::Array(items) => !items.is_empty(),
        _ => false,
    };
    if nested {
        out.push('\n');
        block(item, depth + 1, out);
    } else {
        out.push(' ');
        out.push_str(&inline(item));
        out.push('\n');
    }
}

fn inline(value: &Value) -> String {
    match value {
        Value::String(s) => text(s),
        Value::Array(_) => "[]".to_owned(),
        Value::Object(_) => "{}".to_owned(),
        Value::Number(n) => number(n),
        other => other.to_string(),
    }
}

/// In plain digits: `1e-7` is a number to some readers and a text to others.
fn number(n: &Number) -> String {
    match n.as_f64() {
        Some(float) if n.is_f64() => {
            let digits = float.to_string();
            if digits.contains('.') {
                digits
            } else {
                digits + ".0"
            }
        }
        _ => n.to_string(),
    }
}

/// Bare only where no reader can take it for anything but this text. A JSON string is a
/// double-quoted YAML text.
fn text(s: &str) -> String {
    let bare = s.starts_with(|c: char| c.is_ascii_alphabetic())
        && s.len() > 1
        && s.bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'))
        && !matches!(
            s.to_ascii_lowercase().as_str(),
            "true" | "false" | "null" | "yes" | "no" | "on" | "off"
        );
    if bare {
        s.to_owned()
    } else {
        Value::String(s.to_owned()).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::yaml::{Reading, read};
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            "[ -~]{0,12}".prop_map(Value::from),
            Just(Value::from("no")),
            Just(Value::from("012")),
            Just(Value::from("a: b # c")),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                proptest::collection::btree_map("[ -~]{1,6}", inner, 0..4)
                    .prop_map(|m| Value::Object(m.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn t8_what_is_written_is_read_back_the_same(value in values()) {
            let text = yaml(&value);
            match read("v.yaml", text.as_bytes(), Reading::Strict) {
                Ok(node) => prop_assert_eq!(node.to_json(), value),
                // A key `<<` is refused by the reader, and nothing else may be.
                Err(e) => prop_assert!(e.to_string().contains("yaml-merge-key"), "{} for {}", e, text),
            }
        }
    }
}
