//! What a module says about its variables: types, defaults, descriptions and validations, read
//! out of its files. Nothing is evaluated but literals.

use super::literal::{key_text, literal};
use super::module::Module;
use crate::estate::finding::{Finding, Findings, Place};
use crate::estate::ids::shown;
use hcl_edit::Span;
use hcl_edit::expr::{Expression, ObjectKey};
use hcl_edit::structure::{Block, Body, Structure};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// A type constraint.
#[derive(Debug, Clone, PartialEq)]
pub enum Type {
    /// `string`
    Text,
    /// `number`
    Number,
    /// `bool`
    Bool,
    /// `any`, or none at all.
    Any,
    /// `list(…)`
    List(Box<Type>),
    /// `set(…)`
    Set(Box<Type>),
    /// `map(…)`
    Map(Box<Type>),
    /// `object({…})`
    Object(Vec<Field>),
    /// `tuple([…])`
    Tuple(Vec<Type>),
}

/// An attribute of an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Field {
    /// Its name.
    pub name: String,
    /// Its type.
    pub kind: Type,
    /// Whether it may be left out.
    pub optional: bool,
    /// What it is then.
    pub default: Option<Value>,
}

/// A `validation` block.
#[derive(Debug, Clone, PartialEq)]
pub struct Validation {
    /// The condition; `None` where it cannot be read.
    pub condition: Option<Expression>,
    /// As it was written.
    pub source: String,
    /// What a person is told.
    pub message: String,
    /// Where.
    pub place: Place,
}

/// A variable as the module declares it.
#[derive(Debug, Clone, PartialEq)]
pub struct Declared {
    /// Its name.
    pub name: String,
    /// Its type; the text of one that cannot be read.
    pub kind: Result<Type, String>,
    /// Its default; the text of one that is no literal.
    pub default: Option<Result<Value, String>>,
    /// What it means.
    pub description: Option<String>,
    /// Whether null may be given; `None` where nothing is said.
    pub nullable: Option<bool>,
    /// Whether Terraform treats it as sensitive.
    pub sensitive: bool,
    /// Whether it is kept out of state and plans.
    pub ephemeral: bool,
    /// Its validations.
    pub validations: Vec<Validation>,
    /// Where it is declared.
    pub place: Place,
}

/// Every variable of the module, in the order of its files. `folder` is where they stand.
pub fn declared(module: &Module, folder: &str) -> Result<Vec<Declared>, Findings> {
    let mut out: Vec<Declared> = Vec::new();
    let mut findings = Vec::new();
    for (name, bytes) in &module.files {
        let path = if folder.is_empty() {
            name.clone()
        } else {
            format!("{folder}/{name}")
        };
        if name.contains('/') {
            continue;
        }
        let text = String::from_utf8_lossy(bytes);
        let read = if name.ends_with(".tf") {
            hcl(&path, &text)
        } else if name.ends_with(".tf.json") {
            json(&path, &text)
        } else {
            continue;
        };
        let found = match read {
            Ok(found) => found,
            Err(finding) => {
                findings.push(finding);
                continue;
            }
        };
        for variable in found {
            match out.iter_mut().find(|v| v.name == variable.name) {
                None => out.push(variable),
                Some(first) => findings.push(Finding::error(
                    variable.place,
                    "module",
                    format!(
                        "the variable `{}` is declared already in {}; keep one of the two",
                        shown(&variable.name),
                        first.place
                    ),
                )),
            }
        }
    }
    if findings.is_empty() {
        Ok(out)
    } else {
        Err(Findings(findings).tidy())
    }
}

fn at(path: &str, text: &str, offset: Option<std::ops::Range<usize>>) -> Place {
    let Some(before) = offset.and_then(|o| text.get(..o.start)) else {
        return Place::file(path);
    };
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |l| l.chars().count()) + 1;
    Place::at(path, line, column)
}

fn hcl(path: &str, text: &str) -> Result<Vec<Declared>, Finding> {
    let body: Body = text.parse().map_err(|e: hcl_edit::parser::Error| {
        let place = Place::at(path, e.location().line(), e.location().column());
        Finding::error(
            place,
            "module",
            format!("not valid HCL: {}; correct it", shown(e.message())),
        )
    })?;
    let blocks = body.iter().filter_map(Structure::as_block);
    Ok(blocks
        .filter(|b| b.ident.as_str() == "variable" && b.labels.len() == 1)
        .filter_map(|b| variable(path, text, b))
        .collect())
}

fn variable(path: &str, text: &str, block: &Block) -> Option<Declared> {
    let name = block.labels.first()?.as_str().to_owned();
    let value = |key: &str| block.body.get_attribute(key).map(|a| &a.value);
    let source = |e: &Expression| {
        let range = e.span().and_then(|s| text.get(s));
        range
            .map_or_else(|| e.to_string(), str::to_owned)
            .trim()
            .to_owned()
    };
    let flag = |key: &str| value(key).and_then(Expression::as_bool);
    let validations = block
        .body
        .get_blocks("validation")
        .map(|v| {
            let condition = v.body.get_attribute("condition").map(|a| &a.value);
            Validation {
                condition: condition.cloned(),
                source: condition.map(source).unwrap_or_default(),
                message: v
                    .body
                    .get_attribute("error_message")
                    .and_then(|a| literal(&a.value))
                    .and_then(|v| v.as_str().map(str::to_owned))
                    .unwrap_or_default(),
                place: at(path, text, v.span()),
            }
        })
        .collect();
    Some(Declared {
        kind: value("type").map_or(Ok(Type::Any), |t| kind(t).ok_or_else(|| source(t))),
        default: value("default").map(|d| literal(d).ok_or_else(|| source(d))),
        description: value("description")
            .and_then(literal)
            .and_then(|v| v.as_str().map(str::to_owned)),
        nullable: flag("nullable"),
        sensitive: flag("sensitive") == Some(true),
        ephemeral: flag("ephemeral") == Some(true),
        validations,
        place: at(path, text, block.span()),
        name,
    })
}

/// The JSON syntax: types and conditions stand in texts.
fn json(path: &str, text: &str) -> Result<Vec<Declared>, Finding> {
    let value: Value = serde_json::from_str(text).map_err(|e| {
        let place = Place::at(path, e.line(), e.column());
        Finding::error(
            place,
            "module",
            format!("not valid JSON: {}; correct it", shown(&e.to_string())),
        )
    })?;
    let list = |v: &Value| match v {
        Value::Array(items) => items.clone(),
        other => vec![other.clone()],
    };
    let expression = |v: &Value| -> Option<Expression> {
        let text = v.as_str()?;
        let inner = text.strip_prefix("${").and_then(|t| t.strip_suffix('}'));
        inner.unwrap_or(text).parse().ok()
    };
    let mut out = Vec::new();
    let variables: Map<String, Value> = match value.get("variable") {
        Some(all) => list(all)
            .into_iter()
            .filter_map(|v| v.as_object().cloned())
            .flatten()
            .collect(),
        None => Map::new(),
    };
    for (name, blocks) in variables {
        let Some(block) = list(&blocks).into_iter().next() else {
            continue;
        };
        let flag = |key: &str| block.get(key).and_then(Value::as_bool);
        let validations = block.get("validation").map(list).unwrap_or_default();
        out.push(Declared {
            kind: match block.get("type") {
                None => Ok(Type::Any),
                Some(t) => expression(t)
                    .and_then(|e| kind(&e))
                    .ok_or_else(|| t.to_string()),
            },
            default: block.get("default").map(|v| Ok(v.clone())),
            description: block
                .get("description")
                .and_then(Value::as_str)
                .map(str::to_owned),
            nullable: flag("nullable"),
            sensitive: flag("sensitive") == Some(true),
            ephemeral: flag("ephemeral") == Some(true),
            validations: validations
                .iter()
                .map(|v| Validation {
                    condition: v.get("condition").and_then(expression),
                    source: v
                        .get("condition")
                        .map(|c| c.as_str().map_or_else(|| c.to_string(), str::to_owned))
                        .unwrap_or_default(),
                    message: v
                        .get("error_message")
                        .and_then(Value::as_str)
                        .unwrap_or_default()
                        .to_owned(),
                    place: Place::file(path),
                })
                .collect(),
            place: Place::file(path),
            name,
        });
    }
    Ok(out)
}

/// A type constraint; `None` for what is none.
fn kind(expression: &Expression) -> Option<Type> {
    let word = |name: &str| {
        Some(match name {
            "string" => Type::Text,
            "number" => Type::Number,
            "bool" => Type::Bool,
            "any" => Type::Any,
            "list" => Type::List(Box::new(Type::Any)),
            "set" => Type::Set(Box::new(Type::Any)),
            "map" => Type::Map(Box::new(Type::Any)),
            _ => return None,
        })
    };
    match expression {
        Expression::Variable(name) => word(name.as_str()),
        // The way it was written before Terraform 0.12.
        Expression::String(name) => word(name.as_str()),
        Expression::Parenthesis(inner) => kind(inner.inner()),
        Expression::FuncCall(call) => {
            let mut args = call.args.iter();
            let (first, rest) = (args.next()?, args.next());
            if rest.is_some() || call.name.is_namespaced() {
                return None;
            }
            match call.name.name.as_str() {
                "list" => Some(Type::List(Box::new(kind(first)?))),
                "set" => Some(Type::Set(Box::new(kind(first)?))),
                "map" => Some(Type::Map(Box::new(kind(first)?))),
                "tuple" => {
                    let items = first.as_array()?.iter().map(kind);
                    items.collect::<Option<_>>().map(Type::Tuple)
                }
                "object" => {
                    let fields = first.as_object()?.iter().map(|(k, v)| field(k, v.expr()));
                    fields.collect::<Option<_>>().map(Type::Object)
                }
                _ => None,
            }
        }
        _ => None,
    }
}

fn field(key: &ObjectKey, value: &Expression) -> Option<Field> {
    let name = key_text(key)?;
    if let Expression::FuncCall(call) = value
        && call.name.name.as_str() == "optional"
    {
        let mut args = call.args.iter();
        let kind = kind(args.next()?)?;
        let default = match args.next() {
            Some(expression) => Some(literal(expression)?),
            None => None,
        };
        return Some(Field {
            name,
            kind,
            optional: true,
            default,
        });
    }
    Some(Field {
        name,
        kind: kind(value)?,
        optional: false,
        default: None,
    })
}

/// What the module reads from outside of its own folder: sources that begin with `../`.
pub fn outside(module: &Module) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    for (file, bytes) in module.files.iter().filter(|(n, _)| n.ends_with(".tf")) {
        let Ok(body) = String::from_utf8_lossy(bytes).parse::<Body>() else {
            continue;
        };
        let depth = file.matches('/').count();
        for block in body.iter().filter_map(Structure::as_block) {
            let source = block
                .body
                .get_attribute("source")
                .and_then(|a| a.value.as_str());
            if block.ident.as_str() == "module"
                && let Some(source) = source
                && source.split('/').filter(|p| *p == "..").count() > depth
            {
                out.insert(file.clone(), source.to_owned());
            }
        }
    }
    out
}
