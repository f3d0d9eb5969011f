//! Helm's merge, file over file, keeping where every value came from.
//!
//! Maps merge key by key; everything else (scalar, list, null) replaces what was there, also
//! across kinds. Null stays a value. An empty file changes nothing. (Helm `mergeMaps`,
//! pkg/cli/values/options.go.)

use super::finding::Place;
use super::value::{Data, Key, Node};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One contribution to the values of a stack.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is, such as `product base`.
    pub name: &'static str,
    /// The file it stands in.
    pub path: Arc<str>,
    /// What it holds: a map or null.
    pub node: Node,
}

/// Where one value was written.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Origin {
    /// The layer's name.
    pub layer: &'static str,
    /// The position.
    #[serde(flatten)]
    pub place: Place,
    /// Where its key stands; the position itself for items of a list.
    #[serde(skip)]
    pub key: Place,
    /// The value there.
    pub value: Value,
}

/// A merged value. `chain` holds every layer that wrote it, oldest first.
#[derive(Debug, Clone)]
pub struct Merged {
    /// Who wrote it; the last entry holds.
    pub chain: Vec<Origin>,
    /// The value.
    pub kind: Kind,
}

/// The kinds of a merged value.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Scalars and null.
    Plain(Value),
    /// A list of one layer, with the positions of its items.
    List(Vec<Merged>),
    /// A map of any number of layers.
    Map(BTreeMap<String, Merged>),
}

/// Folds the layers, the first being the lowest.
pub fn merge(layers: &[Layer]) -> Merged {
    let mut root = Merged {
        chain: Vec::new(),
        kind: Kind::Map(BTreeMap::new()),
    };
    for layer in layers {
        if matches!(layer.node.data, Data::Map(_)) {
            over(&mut root, &layer.node, layer, None);
        }
    }
    root
}

fn origin(node: &Node, layer: &Layer, key: Option<&Key>) -> Origin {
    let place = Place::at(&layer.path, node.line, node.column);
    Origin {
        layer: layer.name,
        key: key.map_or_else(
            || place.clone(),
            |k| Place::at(&layer.path, k.line, k.column),
        ),
        place,
        // A map's chain says who touched it; what it holds stands in its keys.
        value: if matches!(node.data, Data::Map(_)) {
            Value::Null
        } else {
            node.to_json()
        },
    }
}

fn over(target: &mut Merged, node: &Node, layer: &Layer, key: Option<&Key>) {
    target.chain.push(origin(node, layer, key));
    match (&mut target.kind, &node.data) {
        (Kind::Map(map), Data::Map(entries)) => {
            for (key, value) in entries {
                match map.get_mut(&key.name) {
                    Some(below) => over(below, value, layer, Some(key)),
                    None => {
                        map.insert(key.name.clone(), fresh(value, layer, Some(key)));
                    }
                }
            }
        }
        (kind, _) => *kind = fresh(node, layer, key).kind,
    }
}

fn fresh(node: &Node, layer: &Layer, key: Option<&Key>) -> Merged {
    let kind = match &node.data {
        Data::Map(entries) => Kind::Map(
            entries
                .iter()
                .map(|(k, v)| (k.name.clone(), fresh(v, layer, Some(k))))
                .collect(),
        ),
        Data::List(items) => Kind::List(items.iter().map(|v| fresh(v, layer, None)).collect()),
        _ => Kind::Plain(node.to_json()),
    };
    Merged {
        chain: vec![origin(node, layer, key)],
        kind,
    }
}

impl Merged {
    /// Without provenance.
    pub fn to_json(&self) -> Value {
        match &self.kind {
            Kind::Plain(value) => value.clone(),
            Kind::List(items) => Value::Array(items.iter().map(Merged::to_json).collect()),
            Kind::Map(map) => Value::Object(
                map.iter()
                    .map(|(k, v)| (k.clone(), v.to_json()))
                    .collect::<Map<_, _>>(),
            ),
        }
    }

    /// The value at a path of keys and list positions.
    pub fn at<'a>(&self, mut path: impl Iterator<Item = &'a str>) -> Option<&Merged> {
        let Some(step) = path.next() else {
            return Some(self);
        };
        self.step(step)?.at(path)
    }

    fn step(&self, step: &str) -> Option<&Merged> {
        match &self.kind {
            Kind::Map(map) => map.get(step),
            Kind::List(items) => items.get(step.parse::<usize>().ok()?),
            Kind::Plain(_) => None,
        }
    }

    /// The position of the value at `path`, or of the nearest map around it that has one.
    pub fn blame<'a>(&self, path: impl Iterator<Item = &'a str>) -> Option<&Origin> {
        let mut here = self;
        let mut found = self.chain.last();
        for step in path {
            let Some(next) = here.step(step) else { break };
            here = next;
            found = here.chain.last().or(found);
        }
        found
    }

    /// Visits every text, with its path, for the expressions in it.
    pub fn texts_mut(
        &mut self,
        path: &mut Vec<String>,
        visit: &mut impl FnMut(&[String], &Origin, &str) -> Option<Value>,
    ) {
        match &mut self.kind {
            Kind::Plain(value) => {
                if let (Value::String(text), Some(origin)) = (&*value, self.chain.last())
                    && let Some(new) = visit(path, origin, text)
                {
                    *value = new;
                }
            }
            Kind::List(items) => {
                for (i, item) in items.iter_mut().enumerate() {
                    path.push(i.to_string());
                    item.texts_mut(path, visit);
                    path.pop();
                }
            }
            Kind::Map(map) => {
                for (key, item) in map.iter_mut() {
                    path.push(key.clone());
                    item.texts_mut(path, visit);
                    path.pop();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::yaml::{Reading, read};
    use super::*;

    fn layer(name: &'static str, text: &str) -> Layer {
        let path = format!("{name}.yaml");
        let Ok(node) = read(&path, text.as_bytes(), Reading::Strict) else {
            panic!("{text}")
        };
        Layer {
            name,
            path: path.into(),
            node,
        }
    }

    #[test]
    fn maps_merge_the_rest_replaces_and_null_stays() {
        let merged = merge(&[
            layer("base", "a: {x: 1, z: 2}\nl: [1, 2]\nnil: 5\nkeep: {}\n"),
            layer("top", "a: {z: 3}\nl: []\nnil: null\nkeep: {}\n"),
            layer("empty", ""),
        ]);
        assert_eq!(
            merged.to_json(),
            serde_json::json!({"a": {"x": 1, "z": 3}, "l": [], "nil": null, "keep": {}})
        );
        let blamed = merged
            .blame(["a", "z"].into_iter())
            .map(|o| o.place.to_string());
        assert_eq!(blamed.as_deref(), Some("top.yaml:1:8"));
        let chain = merged.at(["nil"].into_iter()).map(|m| m.chain.len());
        assert_eq!(chain, Some(2));
    }
}
