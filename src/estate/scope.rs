//! What the names of an expression stand for. A value that holds an expression itself is
//! rendered when it is first asked for, once; who asks for a value that is being rendered goes
//! in a circle.

use super::expression::{Fault, evaluate_text, holds_expression, is_expression};
use super::ids::{StackId, shown};
use super::yaml::{MAX_DEPTH, MAX_NODES};
use minijinja::value::{Enumerator, Object, ObjectRepr, Serde};
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Most references from one text over others to a last one.
const MAX_CHAIN: usize = 32;
/// Most bytes of text that the expressions of one stack may give.
const MAX_BYTES: usize = 1 << 20;

/// Keys and list positions from the top.
pub(super) type Path = Vec<String>;

/// The values of one stack, while they are being rendered.
#[derive(Debug)]
pub(super) struct Scope {
    raw: Map<String, Value>,
    names: [(&'static str, String); 3],
    work: Mutex<Work>,
}

#[derive(Debug, Default)]
struct Work {
    done: HashMap<Path, Result<Value, Fault>>,
    /// Texts that are being rendered, the outermost first.
    open: Vec<Path>,
    /// Why the innermost evaluation failed; MiniJinja has no place for it.
    fault: Option<Fault>,
    nodes: usize,
    bytes: usize,
}

impl Scope {
    pub(super) fn new(raw: Map<String, Value>, stack: &StackId) -> Arc<Self> {
        Arc::new(Self {
            raw,
            names: [
                ("customer", stack.customer.to_string()),
                ("product", stack.product.to_string()),
                ("environment", stack.environment.to_string()),
            ],
            work: Mutex::default(),
        })
    }

    fn work(&self) -> MutexGuard<'_, Work> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn take_fault(&self) -> Option<Fault> {
        self.work().fault.take()
    }

    /// The top of the context.
    pub(super) fn root(self: &Arc<Self>) -> Arc<Top> {
        Arc::new(Top(Arc::clone(self)))
    }

    /// All values rendered, and every fault of a text with its path.
    pub(super) fn all(self: &Arc<Self>) -> (Map<String, Value>, Vec<(Path, String)>) {
        let mut faults = Vec::new();
        let mut path = Vec::new();
        let mut out = Map::new();
        for (key, value) in &self.raw {
            path.push(key.clone());
            out.insert(key.clone(), self.whole(value, &mut path, &mut faults));
            path.pop();
        }
        (out, faults)
    }

    fn whole(
        self: &Arc<Self>,
        value: &Value,
        path: &mut Path,
        faults: &mut Vec<(Path, String)>,
    ) -> Value {
        match value {
            Value::String(text) if is_expression(text) => match self.text(path, text) {
                Ok(value) => value,
                Err(fault) => {
                    if let Fault::Here(message) = fault {
                        faults.push((path.clone(), message));
                    }
                    value.clone()
                }
            },
            Value::Array(items) => {
                let each = items.iter().enumerate().map(|(i, item)| {
                    path.push(i.to_string());
                    let item = self.whole(item, path, faults);
                    path.pop();
                    item
                });
                Value::Array(each.collect())
            }
            Value::Object(map) => {
                let each = map.iter().map(|(key, item)| {
                    path.push(key.clone());
                    let item = self.whole(item, path, faults);
                    path.pop();
                    (key.clone(), item)
                });
                Value::Object(each.collect())
            }
            plain => plain.clone(),
        }
    }

    /// The text at `path`, rendered once.
    fn text(self: &Arc<Self>, path: &Path, text: &str) -> Result<Value, Fault> {
        {
            let mut work = self.work();
            if let Some(done) = work.done.get(path) {
                return done.clone();
            }
            if let Some(at) = work.open.iter().position(|open| open == path) {
                let circle: Vec<String> = work.open[at..]
                    .iter()
                    .chain([path])
                    .map(|p| format!("`{}`", shown(&dotted(p))))
                    .collect();
                return Err(Fault::Here(format!(
                    "refers to itself: {}; write one of them as a plain value",
                    circle.join(" → ")
                )));
            }
            if work.open.len() >= MAX_CHAIN {
                return Err(Fault::Here(format!(
                    "refers to values over more than {MAX_CHAIN} steps; write a plain value in between"
                )));
            }
            work.open.push(path.clone());
        }
        // A fault of the text that asks is not one of the text that is asked for.
        let outer = self.take_fault();
        let result = evaluate_text(self, text).and_then(|value| self.account(value));
        let mut work = self.work();
        work.fault = outer;
        work.open.pop();
        work.done.insert(path.clone(), result.clone());
        result
    }

    /// Expressions that refer to expressions can double what they give at every step.
    fn account(&self, value: Value) -> Result<Value, Fault> {
        let (nodes, bytes, depth) = size(&value);
        let mut work = self.work();
        work.nodes += nodes;
        work.bytes += bytes;
        if work.nodes > MAX_NODES || work.bytes > MAX_BYTES {
            return Err(Fault::Here(format!(
                "the expressions of this stack give more than {MAX_NODES} values or {MAX_BYTES} bytes; write plain values"
            )));
        }
        if depth > MAX_DEPTH {
            return Err(Fault::Here(format!(
                "the result is nested deeper than {MAX_DEPTH} levels"
            )));
        }
        Ok(value)
    }

    /// What a name of an expression gets for the value at `path`.
    fn lend(self: &Arc<Self>, value: &Value, path: Path) -> minijinja::Value {
        match value {
            Value::String(text) if is_expression(text) => match self.text(&path, text) {
                Ok(value) => minijinja::Value::from(Serde(&value)),
                Err(fault) => {
                    let fault = match fault {
                        // Told where it was found: at the text that closes the circle.
                        Fault::Here(message) if self.is_open(&path) => Fault::Here(message),
                        _ => Fault::Elsewhere,
                    };
                    self.work().fault.get_or_insert(fault);
                    minijinja::Value::UNDEFINED
                }
            },
            Value::Array(_) | Value::Object(_) if holds_expression(value) => {
                minijinja::Value::from_object(Inner {
                    scope: Arc::clone(self),
                    path,
                })
            }
            plain => minijinja::Value::from(Serde(plain)),
        }
    }

    fn is_open(&self, path: &Path) -> bool {
        let work = self.work();
        work.open.contains(path) || !work.done.contains_key(path)
    }

    fn at(&self, path: &[String]) -> Option<&Value> {
        let (first, rest) = path.split_first()?;
        rest.iter()
            .try_fold(self.raw.get(first)?, |value, step| match value {
                Value::Object(map) => map.get(step),
                Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                _ => None,
            })
    }
}

fn dotted(path: &[String]) -> String {
    format!("values.{}", path.join("."))
}

/// Values, bytes of text and levels.
fn size(value: &Value) -> (usize, usize, usize) {
    let add = |a: (usize, usize, usize), b: (usize, usize, usize)| {
        (a.0 + b.0, a.1 + b.1, a.2.max(b.2 + 1))
    };
    match value {
        Value::String(text) => (1, text.len(), 1),
        Value::Array(items) => items.iter().map(size).fold((1, 0, 1), add),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| {
                let (nodes, bytes, depth) = size(value);
                (nodes, bytes + key.len(), depth)
            })
            .fold((1, 0, 1), add),
        _ => (1, 0, 1),
    }
}

/// `customer`, `product`, `environment`, `project_name`, `values`.
#[derive(Debug)]
pub(super) struct Top(Arc<Scope>);

impl Object for Top {
    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let scope = &self.0;
        match key.as_str()? {
            "values" => Some(minijinja::Value::from_object(Inner {
                scope: Arc::clone(scope),
                path: Vec::new(),
            })),
            "project_name" => {
                let value = scope.raw.get("project_name")?;
                Some(scope.lend(value, vec!["project_name".to_owned()]))
            }
            name => scope
                .names
                .iter()
                .find(|(n, _)| *n == name)
                .map(|(_, value)| minijinja::Value::from(value.as_str())),
        }
    }
}

/// A map or a list in which something has to be rendered first.
#[derive(Debug)]
struct Inner {
    scope: Arc<Scope>,
    path: Path,
}

impl Object for Inner {
    fn repr(self: &Arc<Self>) -> ObjectRepr {
        match self.scope.at(&self.path) {
            Some(Value::Array(_)) => ObjectRepr::Seq,
            _ => ObjectRepr::Map,
        }
    }

    fn get_value(self: &Arc<Self>, key: &minijinja::Value) -> Option<minijinja::Value> {
        let step = match key.as_str() {
            Some(name) => name.to_owned(),
            None => key.as_usize()?.to_string(),
        };
        let mut path = self.path.clone();
        path.push(step);
        let value = self.scope.at(&path)?;
        Some(self.scope.lend(value, path))
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        let keys = |map: &Map<String, Value>| {
            Enumerator::Values(
                map.keys()
                    .map(|k| minijinja::Value::from(k.as_str()))
                    .collect(),
            )
        };
        match self.scope.at(&self.path) {
            Some(Value::Array(items)) => Enumerator::Seq(items.len()),
            Some(Value::Object(map)) => keys(map),
            _ if self.path.is_empty() => keys(&self.scope.raw),
            _ => Enumerator::Empty,
        }
    }
}
