//! What the product's own layers set, and in which line.

use crate::estate::files::Files;
use crate::estate::finding::{Findings, Place};
use crate::estate::ids::ProductId;
use crate::estate::value::{Data, Node};
use crate::estate::yaml::{Reading, read};
use serde::Serialize;
use serde_json::{Map, Value};

/// What a key is in one environment, or in all, when nobody else sets it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Given {
    /// The environments.
    pub environments: Vec<String>,
    /// The value, as JSON.
    pub value: String,
    /// The file and line that set it last.
    pub place: String,
    /// Whether this is so in every environment.
    pub everywhere: bool,
}

/// Layers 1 and 2 of the product, for each environment.
pub(super) struct Layers {
    base: Option<(String, Node)>,
    environments: Vec<(String, Option<(String, Node)>)>,
}

impl Layers {
    pub(super) fn read(
        files: &Files,
        product: &ProductId,
        environments: &[String],
    ) -> Result<Self, Findings> {
        let layer = |path: String| match files.get(&path) {
            Some(bytes) => read(&path, bytes, Reading::Strict).map(|node| Some((path, node))),
            None => Ok(None),
        };
        let base = layer(format!("products/{product}/base-values.yaml"))?;
        let mut all = Vec::new();
        for name in environments {
            let path = format!("products/{product}/environments/{name}.yaml");
            all.push((name.clone(), layer(path)?));
        }
        Ok(Self {
            base,
            environments: all,
        })
    }

    /// The values of a key, environments with the same one together.
    pub(super) fn given(&self, steps: &[String]) -> Vec<Given> {
        let mut out: Vec<Given> = Vec::new();
        for (name, layer) in &self.environments {
            let below = self.base.as_ref().map(|(p, n)| (p, at(n, steps)));
            let above = layer.as_ref().map(|(p, n)| (p, at(n, steps)));
            let found = match (below, above) {
                (Some((_, At::Here(low))), Some((path, At::Here(high)))) => {
                    Some((merged(low, high), path, high))
                }
                (_, Some((path, At::Here(high)))) => Some((high.to_json(), path, high)),
                (_, Some((_, At::Replaced))) => None,
                (Some((path, At::Here(low))), _) => Some((low.to_json(), path, low)),
                _ => None,
            };
            let Some((value, path, node)) = found else {
                continue;
            };
            let place = Place::at(path, node.line, 0).to_string();
            let value = value.to_string();
            match out
                .iter_mut()
                .find(|g| g.value == value && g.place == place)
            {
                Some(same) => same.environments.push(name.clone()),
                None => out.push(Given {
                    environments: vec![name.clone()],
                    value,
                    place,
                    everywhere: false,
                }),
            }
        }
        for given in &mut out {
            given.everywhere = given.environments.len() == self.environments.len();
        }
        out
    }
}

enum At<'a> {
    Here(&'a Node),
    /// Something that is no map stands where the key would lie inside.
    Replaced,
    Nowhere,
}

fn at<'a>(node: &'a Node, steps: &[String]) -> At<'a> {
    let mut here = node;
    for step in steps {
        match (&here.data, here.get(step)) {
            (_, Some(next)) => here = next,
            (Data::Map(_), None) => return At::Nowhere,
            (Data::Null, None) if std::ptr::eq(here, node) => return At::Nowhere,
            _ => return At::Replaced,
        }
    }
    At::Here(here)
}

/// Maps key by key, everything else replaces.
fn merged(low: &Node, high: &Node) -> Value {
    match (&low.data, &high.data) {
        (Data::Map(_), Data::Map(_)) => {
            let mut out: Map<String, Value> = low
                .entries()
                .iter()
                .map(|(k, v)| (k.name.clone(), v.to_json()))
                .collect();
            for (key, value) in high.entries() {
                let value = low
                    .get(&key.name)
                    .map_or_else(|| value.to_json(), |below| merged(below, value));
                out.insert(key.name.clone(), value);
            }
            Value::Object(out)
        }
        _ => high.to_json(),
    }
}
