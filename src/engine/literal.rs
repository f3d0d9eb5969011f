//! Expressions of HCL whose value is written out. Nothing is computed.

use hcl_edit::expr::{Expression, ObjectKey, TraversalOperator, UnaryOperator};
use hcl_edit::template::Element;
use serde_json::{Map, Number, Value};

/// The name of an attribute, where it is written out.
pub(super) fn key_text(key: &ObjectKey) -> Option<String> {
    match key {
        ObjectKey::Ident(ident) => Some(ident.as_str().to_owned()),
        ObjectKey::Expression(Expression::Variable(ident)) => Some(ident.as_str().to_owned()),
        ObjectKey::Expression(other) => match literal(other)? {
            Value::String(text) => Some(text),
            Value::Number(n) => Some(n.to_string()),
            _ => None,
        },
    }
}

/// The value of an expression that is written out; `None` for anything that would be computed.
pub fn literal(expression: &Expression) -> Option<Value> {
    let joined = |template: &hcl_edit::template::Template| -> Option<Value> {
        let mut out = String::new();
        for element in template {
            match element {
                Element::Literal(text) => out.push_str(text.value()),
                _ => return None,
            }
        }
        Some(Value::String(out))
    };
    match expression {
        Expression::Null(_) => Some(Value::Null),
        Expression::Bool(b) => Some(Value::Bool(*b.value())),
        Expression::Number(n) => number(n.value()),
        Expression::String(s) => Some(Value::String(s.value().clone())),
        Expression::StringTemplate(t) => joined(t),
        Expression::HeredocTemplate(h) => joined(&h.template),
        Expression::Parenthesis(inner) => literal(inner.inner()),
        Expression::Array(items) => items
            .iter()
            .map(literal)
            .collect::<Option<_>>()
            .map(Value::Array),
        Expression::Object(entries) => {
            let mut out = Map::new();
            for (key, value) in entries {
                out.insert(key_text(key)?, literal(value.expr())?);
            }
            Some(Value::Object(out))
        }
        Expression::UnaryOp(op) if *op.operator.value() == UnaryOperator::Neg => {
            let value = literal(&op.expr)?;
            match (value.as_i64(), value.as_f64()) {
                (Some(n), _) => n.checked_neg().map(Value::from),
                (None, Some(n)) => Number::from_f64(-n).map(Value::Number),
                _ => None,
            }
        }
        _ => None,
    }
}

fn number(n: &hcl_edit::Number) -> Option<Value> {
    if let Some(n) = n.as_i64() {
        return Some(Value::from(n));
    }
    if let Some(n) = n.as_u64() {
        return Some(Value::from(n));
    }
    let n = n.as_f64()?;
    // Terraform knows whole numbers and others as one kind.
    if n.fract() == 0.0 && n.abs() < 9e15 {
        return Some(Value::from(n as i64));
    }
    Number::from_f64(n).map(Value::Number)
}

/// Whether this is `var.<name>` and nothing more.
pub fn is_variable(expression: &Expression, name: &str) -> bool {
    match expression {
        Expression::Parenthesis(inner) => is_variable(inner.inner(), name),
        Expression::Traversal(path) => {
            let root = matches!(&path.expr, Expression::Variable(v) if v.as_str() == "var");
            let [only] = path.operators.as_slice() else {
                return false;
            };
            root && matches!(only.value(), TraversalOperator::GetAttr(a) if a.as_str() == name)
        }
        _ => false,
    }
}
