//! Helm's merge, file over file, and where every value came from.
//!
//! Maps merge key by key; everything else (scalar, list, null) replaces what was there, also
//! across kinds. Null stays a value. An empty file changes nothing. (Helm `mergeMaps`,
//! pkg/cli/values/options.go.)
//!
//! Provenance is not carried along with the values. It is a function of the layers and a path,
//! asked for when there is something to explain: the layers are shared, so this costs nothing
//! for the thousands of stacks about which nobody asks.

use super::finding::Place;
use super::ids::EnvironmentId;
use super::value::{Data, Key, Node};
use serde::Serialize;
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which part of a file a layer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// All but the block `environments`.
    Common,
    /// Only `environments.<environment>`.
    Environment(EnvironmentId),
}

/// One contribution to the values of a stack.
#[derive(Debug, Clone)]
pub struct Layer {
    /// What it is, such as `product base`.
    pub name: &'static str,
    /// The file it stands in.
    pub path: Arc<str>,
    /// What the file holds.
    pub node: Arc<Node>,
    /// Which part of it counts.
    pub part: Part,
}

/// The block of a customer's file that holds one map for each environment.
pub const ENVIRONMENTS: &str = "environments";

impl Layer {
    /// The node that the layer's values stand in; `None` when the file has no such part.
    fn root(&self) -> Option<&Node> {
        match &self.part {
            Part::Whole | Part::Common => Some(&self.node),
            Part::Environment(environment) => {
                self.node.get(ENVIRONMENTS)?.get(environment.as_str())
            }
        }
    }

    fn entries(&self) -> impl Iterator<Item = &(Key, Node)> {
        let common = self.part == Part::Common;
        self.root()
            .map_or(&[][..], Node::entries)
            .iter()
            .filter(move |(key, _)| !(common && key.name == ENVIRONMENTS))
    }
}

/// What a layer did to one path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effect {
    /// It wrote a value there; for a map, keys in it.
    Sets,
    /// It replaced a map or list around it by something that does not have it.
    Removes,
}

/// What one layer wrote, and where.
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
    /// Whether the path is there afterwards.
    pub effect: Effect,
    /// What is written at the position: the value, or what took its place.
    pub value: Value,
}

/// Folds the layers, the first being the lowest.
pub fn merge(layers: &[Layer]) -> Map<String, Value> {
    let mut root = Map::new();
    for layer in layers {
        for (key, node) in layer.entries() {
            over(&mut root, key, node);
        }
    }
    root
}

fn over(map: &mut Map<String, Value>, key: &Key, node: &Node) {
    match (map.get_mut(&key.name), &node.data) {
        (Some(Value::Object(below)), Data::Map(entries)) => {
            for (key, node) in entries {
                over(below, key, node);
            }
        }
        (Some(slot), _) => *slot = node.to_json(),
        (None, _) => {
            map.insert(key.name.clone(), node.to_json());
        }
    }
}

/// Every layer that had a say in the value at `path` (keys and list positions), oldest first.
/// The value is there if and only if the last one [`Effect::Sets`] it.
pub fn chain(layers: &[Layer], path: &[&str]) -> Vec<Origin> {
    let mut chain: Vec<Origin> = Vec::new();
    // How many steps down the value so far is a list, when it is.
    let mut list = None;
    for layer in layers {
        match find(layer, path) {
            Found::Here(node, key, at) => {
                chain.push(origin(layer, node, key, Effect::Sets));
                list = at;
            }
            found => {
                // There is nothing to remove before somebody wrote it.
                if chain.last().is_some_and(|o| o.effect == Effect::Sets)
                    && let Some((node, key)) = found.removes(layer, path, list)
                {
                    chain.push(origin(layer, node, key, Effect::Removes));
                }
            }
        }
    }
    chain
}

/// Who brought in the value at `path`, or the nearest map around it that is there.
pub fn blame(layers: &[Layer], path: &[&str]) -> Option<Origin> {
    (0..=path.len())
        .rev()
        .filter_map(|length| chain(layers, &path[..length]).pop())
        .find(|origin| origin.effect == Effect::Sets)
}

enum Found<'a> {
    /// The layer writes the path. With it, how many steps down it has a list.
    Here(&'a Node, Option<&'a Key>, Option<usize>),
    /// It writes something that has no such path.
    Instead(&'a Node, Option<&'a Key>),
    /// It has a map, so many steps down, that does not have the next key.
    Without(usize),
    /// It does not touch it.
    Nothing,
}

impl<'a> Found<'a> {
    /// What takes the place of the value, which has a list so many steps down: a map merges with
    /// a map, but replaces a list.
    fn removes(
        self,
        layer: &'a Layer,
        path: &[&str],
        list: Option<usize>,
    ) -> Option<(&'a Node, Option<&'a Key>)> {
        match (self, list) {
            (Self::Instead(node, key), _) => Some((node, key)),
            (Self::Without(depth), Some(list)) if list <= depth => {
                match find(layer, path.get(..list)?) {
                    Self::Here(node, key, _) => Some((node, key)),
                    _ => None,
                }
            }
            _ => None,
        }
    }
}

fn find<'a>(layer: &'a Layer, path: &[&str]) -> Found<'a> {
    let Some(mut node) = layer.root() else {
        return Found::Nothing;
    };
    // An empty file is no map, and changes nothing.
    if !matches!(node.data, Data::Map(_)) {
        return Found::Nothing;
    }
    if layer.part == Part::Common && path.first() == Some(&ENVIRONMENTS) {
        return Found::Nothing;
    }
    let mut key = None;
    let mut list = None;
    for (depth, step) in path.iter().enumerate() {
        match &node.data {
            Data::Map(entries) => match (entries.iter().find(|(k, _)| k.name == *step), list) {
                (Some((k, value)), _) => (key, node) = (Some(k), value),
                // A list takes the place of whatever was there, with all that was in it.
                (None, Some((_, node, key))) => return Found::Instead(node, key),
                (None, None) => return Found::Without(depth),
            },
            Data::List(items) => match step.parse::<usize>().ok().and_then(|i| items.get(i)) {
                Some(item) => {
                    list = list.or(Some((depth, node, key)));
                    (key, node) = (None, item);
                }
                None => return Found::Instead(node, key),
            },
            _ => return Found::Instead(node, key),
        }
    }
    Found::Here(node, key, list.map(|(depth, ..)| depth))
}

fn origin(layer: &Layer, node: &Node, key: Option<&Key>, effect: Effect) -> Origin {
    let place = Place::at(&layer.path, node.line, node.column);
    Origin {
        layer: layer.name,
        key: key.map_or_else(
            || place.clone(),
            |k| Place::at(&layer.path, k.line, k.column),
        ),
        place,
        effect,
        value: node.to_json(),
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
            node: Arc::new(node),
            part: Part::Whole,
        }
    }

    fn told(layers: &[Layer], path: &[&str]) -> Vec<String> {
        chain(layers, path)
            .iter()
            .map(|o| format!("{} {:?} {}", o.place, o.effect, o.value))
            .collect()
    }

    #[test]
    fn maps_merge_the_rest_replaces_and_null_stays() {
        let layers = [
            layer("base", "a: {x: 1, z: 2}\nl: [1, 2]\nnil: 5\nkeep: {}\n"),
            layer("top", "a: {z: 3}\nl: []\nnil: null\nkeep: {}\n"),
            layer("empty", ""),
        ];
        assert_eq!(
            Value::Object(merge(&layers)),
            serde_json::json!({"a": {"x": 1, "z": 3}, "l": [], "nil": null, "keep": {}})
        );
        assert_eq!(
            told(&layers, &["a", "z"]),
            ["base.yaml:1:14 Sets 2", "top.yaml:1:8 Sets 3"]
        );
        assert_eq!(
            told(&layers, &["nil"]),
            ["base.yaml:3:6 Sets 5", "top.yaml:3:6 Sets null"]
        );
    }

    #[test]
    fn what_replaces_a_map_removes_what_was_in_it() {
        let layers = [
            layer("base", "db: {host: a}\n"),
            layer("middle", "db: null\n"),
            layer("top", "db: {port: 1}\n"),
        ];
        assert_eq!(
            told(&layers, &["db", "host"]),
            ["base.yaml:1:12 Sets \"a\"", "middle.yaml:1:5 Removes null"]
        );
        // The nearest thing that is there: the map of the top layer.
        let blamed = blame(&layers, &["db", "host"]).map(|o| o.place.to_string());
        assert_eq!(blamed.as_deref(), Some("top.yaml:1:5"));
        assert_eq!(told(&layers, &["db", "port"]), ["top.yaml:1:12 Sets 1"]);
    }

    #[test]
    fn a_map_replaces_a_list_and_a_list_a_map_with_all_that_was_in_it() {
        let layers = [
            layer("base", "l: [{a: 1}]\n"),
            layer("middle", "l: {\"0\": {b: 2}}\n"),
            layer("top", "l: {c: 3}\n"),
        ];
        assert_eq!(
            told(&layers, &["l", "0", "a"]),
            [
                "base.yaml:1:9 Sets 1",
                "middle.yaml:1:4 Removes {\"0\":{\"b\":2}}"
            ]
        );
        assert_eq!(told(&layers, &["l", "0", "b"]), ["middle.yaml:1:14 Sets 2"]);
        let layers = [
            layer("base", "m: {\"0\": {a: 1}}\n"),
            layer("top", "m: [{b: 2}]\n"),
        ];
        assert_eq!(
            told(&layers, &["m", "0", "a"]),
            ["base.yaml:1:14 Sets 1", "top.yaml:1:4 Removes [{\"b\":2}]"]
        );
    }

    #[test]
    fn a_customers_file_is_two_layers() {
        let mut common = layer("own", "a: 1\nenvironments: {staging: {a: 2}}\n");
        let mut block = common.clone();
        common.part = Part::Common;
        let Ok(staging) = EnvironmentId::new("staging") else {
            panic!()
        };
        block.part = Part::Environment(staging);
        let layers = [common, block];
        assert_eq!(Value::Object(merge(&layers)), serde_json::json!({"a": 2}));
        assert_eq!(
            told(&layers, &["a"]),
            ["own.yaml:1:4 Sets 1", "own.yaml:2:29 Sets 2"]
        );
        assert_eq!(told(&layers, &["environments"]), Vec::<String>::new());
    }
}
