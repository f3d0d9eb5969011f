//! Conditions of `validation` blocks that JSON Schema can say as well. What is not understood in
//! full is not guessed: it is given back, and Terraform still checks it.

use super::shape::{allow_null, coerce};
use crate::engine::literal::{is_variable, literal};
use crate::engine::variables::Type;
use crate::estate::schema_check::compiles;
use hcl_edit::expr::{BinaryOperator as Op, Expression, FuncCall};
use serde_json::{Value, json};

/// Puts what is understood of `condition` into `schema`; the rest comes back as text.
/// `null` becomes true where the condition lets null pass.
pub(super) fn carry(
    condition: &Expression,
    name: &str,
    kind: &Type,
    schema: &mut Value,
    null: &mut bool,
) -> Vec<String> {
    let about = About { name, kind };
    let mut rest = Vec::new();
    about.all(condition, schema, null, &mut rest);
    rest
}

struct About<'a> {
    name: &'a str,
    kind: &'a Type,
}

fn bare(expression: &Expression) -> &Expression {
    match expression {
        Expression::Parenthesis(inner) => bare(inner.inner()),
        other => other,
    }
}

fn called<'a>(expression: &'a Expression, name: &str) -> Option<Vec<&'a Expression>> {
    let Expression::FuncCall(call) = bare(expression) else {
        return None;
    };
    let FuncCall {
        name: own, args, ..
    } = call.as_ref();
    let plain = own.name.as_str() == name && !own.is_namespaced() && !args.expand_final();
    plain.then(|| args.iter().collect())
}

impl About<'_> {
    fn own(&self, expression: &Expression) -> bool {
        is_variable(expression, self.name)
    }

    /// Terms that are joined by `&&` hold each for itself.
    fn all(
        &self,
        condition: &Expression,
        schema: &mut Value,
        null: &mut bool,
        rest: &mut Vec<String>,
    ) {
        let condition = bare(condition);
        match condition {
            Expression::BinaryOp(op) if *op.operator.value() == Op::And => {
                self.all(&op.lhs_expr, schema, null, rest);
                self.all(&op.rhs_expr, schema, null, rest);
            }
            // `var.x == null || …`
            Expression::BinaryOp(op) if *op.operator.value() == Op::Or => {
                if self.is_null(&op.lhs_expr, Op::Eq) {
                    self.or_null(&op.rhs_expr, schema, null, rest);
                } else if self.is_null(&op.rhs_expr, Op::Eq) {
                    self.or_null(&op.lhs_expr, schema, null, rest);
                } else if !self.one(condition, schema) {
                    rest.push(text(condition));
                }
            }
            // `var.x == null ? true : …`, `var.x != null ? … : true`
            Expression::Conditional(c)
                if self.is_null(&c.cond_expr, Op::Eq)
                    && bare(&c.true_expr).as_bool() == Some(true) =>
            {
                self.or_null(&c.false_expr, schema, null, rest);
            }
            Expression::Conditional(c)
                if self.is_null(&c.cond_expr, Op::NotEq)
                    && bare(&c.false_expr).as_bool() == Some(true) =>
            {
                self.or_null(&c.true_expr, schema, null, rest);
            }
            condition => {
                if !self.one(condition, schema) {
                    rest.push(text(condition));
                }
            }
        }
    }

    fn or_null(
        &self,
        condition: &Expression,
        schema: &mut Value,
        null: &mut bool,
        rest: &mut Vec<String>,
    ) {
        *null = true;
        self.all(condition, schema, null, rest);
        allow_null_once(schema);
    }

    fn is_null(&self, expression: &Expression, wanted: Op) -> bool {
        matches!(bare(expression), Expression::BinaryOp(op)
            if *op.operator.value() == wanted
                && ((self.own(&op.lhs_expr) && bare(&op.rhs_expr).is_null())
                    || (self.own(&op.rhs_expr) && bare(&op.lhs_expr).is_null())))
    }

    /// One condition; whether it was understood.
    fn one(&self, condition: &Expression, schema: &mut Value) -> bool {
        if let Some(values) = self.listed(condition) {
            return narrow(schema, values);
        }
        if let Some(args) = called(condition, "can")
            && let [inner] = args.as_slice()
            && let Some(pattern) = self.pattern(inner, "regex")
        {
            return add_pattern(schema, pattern);
        }
        for (function, before, behind) in [("startswith", "^", ""), ("endswith", "", "$")] {
            if let Some(args) = called(condition, function)
                && let [whole, part] = args.as_slice()
                && self.own(whole)
                && *self.kind == Type::Text
                && let Some(part) = bare(part).as_str()
            {
                return add_pattern(
                    schema,
                    &format!("{before}{}{behind}", regex_syntax::escape(part)),
                );
            }
        }
        match condition {
            Expression::BinaryOp(op) => {
                let operator = *op.operator.value();
                self.compared(&op.lhs_expr, operator, &op.rhs_expr, schema)
                    || self.compared(&op.rhs_expr, mirrored(operator), &op.lhs_expr, schema)
            }
            _ => false,
        }
    }

    /// The pattern of `regex("…", var.x)`.
    fn pattern<'e>(&self, expression: &'e Expression, function: &str) -> Option<&'e str> {
        let args = called(expression, function)?;
        let [pattern, value] = args.as_slice() else {
            return None;
        };
        let pattern = bare(pattern).as_str()?;
        (*self.kind == Type::Text && self.own(value) && portable(pattern)).then_some(pattern)
    }

    /// `contains([…], var.x)` and `var.x == "a" || var.x == "b"`: the values.
    fn listed(&self, condition: &Expression) -> Option<Vec<Value>> {
        if !matches!(self.kind, Type::Text | Type::Number | Type::Bool) {
            return None;
        }
        if let Some(args) = called(condition, "contains") {
            let [list, value] = args.as_slice() else {
                return None;
            };
            let list = called(list, "toset")
                .or_else(|| called(list, "tolist"))
                .map_or(*list, |inner| inner.first().copied().unwrap_or(list));
            let values = literal(list)?;
            let items = values.as_array()?;
            return self
                .own(value)
                .then(|| items.iter().map(|v| coerce(v, self.kind)).collect());
        }
        let Expression::BinaryOp(op) = bare(condition) else {
            return None;
        };
        match *op.operator.value() {
            Op::Or => {
                let mut values = self.listed(&op.lhs_expr)?;
                values.extend(self.listed(&op.rhs_expr)?);
                Some(values)
            }
            Op::Eq => {
                let value = if self.own(&op.lhs_expr) {
                    literal(&op.rhs_expr)?
                } else if self.own(&op.rhs_expr) {
                    literal(&op.lhs_expr)?
                } else {
                    return None;
                };
                (!value.is_null()).then(|| vec![coerce(&value, self.kind)])
            }
            _ => None,
        }
    }

    /// `left operator right`, where the variable stands on the left.
    fn compared(
        &self,
        left: &Expression,
        operator: Op,
        right: &Expression,
        schema: &mut Value,
    ) -> bool {
        // A whole number is what rounding leaves as it is.
        let rounded = ["floor", "ceil"].iter().any(|f| {
            called(right, f).is_some_and(|args| matches!(args.as_slice(), [one] if self.own(one)))
        });
        if rounded && self.own(left) && operator == Op::Eq && *self.kind == Type::Number {
            schema["type"] = json!("integer");
            return true;
        }
        let Some(value) = literal(right) else {
            return false;
        };
        if self.own(left) && operator == Op::NotEq && value == json!("") && *self.kind == Type::Text
        {
            return at_least(schema, "minLength", 1.0);
        }
        let Some(n) = value.as_f64() else {
            return false;
        };
        if self.own(left) && *self.kind == Type::Number {
            return match operator {
                Op::GreaterEq => at_least(schema, "minimum", n),
                Op::Greater => at_least(schema, "exclusiveMinimum", n),
                Op::LessEq => at_most(schema, "maximum", n),
                Op::Less => at_most(schema, "exclusiveMaximum", n),
                _ => false,
            };
        }
        let Some(args) = called(left, "length") else {
            return false;
        };
        let [of] = args.as_slice() else {
            return false;
        };
        // `length(regexall("…", var.x)) > 0`
        if let Some(pattern) = self.pattern(of, "regexall") {
            let some = matches!(
                (operator, n),
                (Op::Greater | Op::NotEq, 0.0) | (Op::GreaterEq, 1.0)
            );
            return some && add_pattern(schema, pattern);
        }
        if !self.own(of) || n.fract() != 0.0 || n < 0.0 {
            return false;
        }
        let (least, most) = match self.kind {
            Type::Text => ("minLength", "maxLength"),
            Type::List(_) | Type::Set(_) => ("minItems", "maxItems"),
            Type::Map(_) => ("minProperties", "maxProperties"),
            _ => return false,
        };
        match operator {
            Op::GreaterEq => at_least(schema, least, n),
            Op::Greater => at_least(schema, least, n + 1.0),
            Op::NotEq if n == 0.0 => at_least(schema, least, 1.0),
            Op::LessEq => at_most(schema, most, n),
            Op::Less if n > 0.0 => at_most(schema, most, n - 1.0),
            Op::Eq => at_least(schema, least, n) && at_most(schema, most, n),
            _ => false,
        }
    }
}

fn text(expression: &Expression) -> String {
    expression
        .to_string()
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}

fn allow_null_once(schema: &mut Value) {
    if schema.get("type").is_some_and(Value::is_string) {
        allow_null(schema);
    }
}

fn mirrored(operator: Op) -> Op {
    match operator {
        Op::Less => Op::Greater,
        Op::LessEq => Op::GreaterEq,
        Op::Greater => Op::Less,
        Op::GreaterEq => Op::LessEq,
        other => other,
    }
}

fn written(n: f64) -> Value {
    if n.fract() == 0.0 && n.abs() < 9e15 {
        json!(n as i64)
    } else {
        json!(n)
    }
}

/// The stricter of what is there and `n`.
fn at_least(schema: &mut Value, keyword: &str, n: f64) -> bool {
    let there = schema.get(keyword).and_then(Value::as_f64);
    schema[keyword] = written(there.map_or(n, |t| t.max(n)));
    true
}

fn at_most(schema: &mut Value, keyword: &str, n: f64) -> bool {
    let there = schema.get(keyword).and_then(Value::as_f64);
    schema[keyword] = written(there.map_or(n, |t| t.min(n)));
    true
}

fn narrow(schema: &mut Value, mut values: Vec<Value>) -> bool {
    if let Some(there) = schema.get("enum").and_then(Value::as_array) {
        values.retain(|v| there.contains(v));
    }
    let mut once: Vec<Value> = Vec::new();
    for value in values {
        if !once.contains(&value) {
            once.push(value);
        }
    }
    if once.is_empty() {
        return false;
    }
    schema["enum"] = Value::Array(once);
    true
}

fn add_pattern(schema: &mut Value, pattern: &str) -> bool {
    if !compiles(pattern) {
        return false;
    }
    if schema.get("pattern").is_none() {
        schema["pattern"] = json!(pattern);
    } else if let Some(all) = schema.get_mut("allOf").and_then(Value::as_array_mut) {
        all.push(json!({"pattern": pattern}));
    } else {
        schema["allOf"] = json!([{"pattern": pattern}]);
    }
    true
}

/// Whether a pattern means the same to Terraform (RE2) and here. Only what does for certain:
/// literals, sets, groups, counts, `\d`, `\w`, escaped punctuation.
pub(super) fn portable(pattern: &str) -> bool {
    if !pattern.is_ascii() {
        return false;
    }
    let doubtful = [
        "[[", "[:", "&&", "--", "~~", "{,", "*+", "++", "?+", "[]", "[^]",
    ];
    if doubtful.iter().any(|d| pattern.contains(d)) {
        return false;
    }
    let mut rest = pattern;
    while let Some(at) = rest.find("(?") {
        rest = &rest[at + 2..];
        if !rest.starts_with(':') {
            return false;
        }
    }
    let mut chars = pattern.chars();
    while let Some(c) = chars.next() {
        if c == '\\' {
            match chars.next() {
                Some('d' | 'w' | 'D' | 'W') => {}
                Some(c) if c.is_ascii_punctuation() => {}
                _ => return false,
            }
        }
    }
    compiles(pattern)
}
