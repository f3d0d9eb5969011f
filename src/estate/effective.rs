//! The effective values of one stack, with the layers that they came from.

use super::ids::StackId;
use super::layers::{Layer, Origin, blame, chain};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Merged and rendered values, and who brought them in.
#[derive(Debug, Clone)]
pub struct Effective {
    /// The stack.
    pub stack: StackId,
    /// The layers, lowest first.
    pub layers: Vec<Layer>,
    /// The values: always a map.
    pub values: Value,
    /// The customer's file, when the stack was resolved with one.
    pub contract: Option<Arc<str>>,
}

impl Effective {
    /// Every layer that had a say in the value at `path`, oldest first.
    pub fn chain(&self, path: &[&str]) -> Vec<Origin> {
        chain(&self.layers, path)
    }

    /// Who brought in the value at `path`, or the nearest map around it.
    pub fn blame(&self, path: &[&str]) -> Option<Origin> {
        blame(&self.layers, path)
    }

    /// The value at a path of keys and list positions.
    pub fn at(&self, path: &[&str]) -> Option<&Value> {
        path.iter()
            .try_fold(&self.values, |value, step| match value {
                Value::Object(map) => map.get(*step),
                Value::Array(items) => items.get(step.parse::<usize>().ok()?),
                _ => None,
            })
    }

    /// The values by key.
    pub fn map(&self) -> &Map<String, Value> {
        static EMPTY: std::sync::LazyLock<Map<String, Value>> = std::sync::LazyLock::new(Map::new);
        self.values.as_object().unwrap_or(&EMPTY)
    }

    /// The values as the engine gets them: canonical JSON, keys sorted.
    pub fn canonical(&self) -> String {
        self.values.to_string()
    }

    /// Where a value of this stack can be set, the customer's own file first.
    pub fn homes(&self) -> Vec<String> {
        let StackId {
            customer,
            product,
            environment,
        } = &self.stack;
        let own = match &self.contract {
            Some(path) => path.to_string(),
            None => format!("customers/{customer}/{product}/values.yaml"),
        };
        vec![
            own,
            format!("products/{product}/environments/{environment}.yaml"),
            format!("products/{product}/base-values.yaml"),
        ]
    }
}
