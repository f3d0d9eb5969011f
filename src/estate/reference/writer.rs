//! Goes through a schema from key to key, with everything that is said about each.

use super::given::Layers;
use super::words::{self, kind, limits, values};
use super::{Entry, MAX_ENTRIES, MAX_LEVEL};
use crate::estate::schema_tree::{Part, Tree};
use crate::estate::value::Data;
use std::collections::BTreeSet;

/// A place that was gone through on the way down, and the key that stood there.
pub(super) type Step<'a> = (&'a str, String, String);

/// Everything that must hold at once.
#[derive(Clone, Default)]
pub(super) struct All<'a> {
    pub(super) parts: Vec<Part<'a>>,
    /// Each a choice of one.
    pub(super) alternatives: Vec<Vec<Part<'a>>>,
    pub(super) notes: Vec<String>,
    pub(super) trail: Vec<Step<'a>>,
    /// The key that holds the same, where going on would have no end.
    again: Option<String>,
}

impl<'a> All<'a> {
    pub(super) fn closed(&self) -> bool {
        self.parts.iter().any(|p| {
            ["additionalProperties", "unevaluatedProperties"]
                .iter()
                .any(|k| p.node.get(k).map(|n| &n.data) == Some(&Data::Bool(false)))
        })
    }

    /// The schemas under `keyword` of all parts.
    pub(super) fn under(&self, keyword: &str) -> Vec<Part<'a>> {
        self.parts
            .iter()
            .filter_map(|p| p.child(keyword))
            .filter(|p| matches!(p.node.data, Data::Map(_)))
            .collect()
    }

    /// The keys that are listed, in the order of the file, each with all that is said about it.
    pub(super) fn properties(&self, keyword: &str) -> Vec<(String, Vec<Part<'a>>)> {
        let mut out: Vec<(String, Vec<Part<'a>>)> = Vec::new();
        for properties in self.parts.iter().filter_map(|p| p.child(keyword)) {
            for (key, part) in properties.children() {
                match out.iter_mut().find(|(n, _)| *n == key.name) {
                    Some((_, parts)) => parts.push(part),
                    None => out.push((key.name.clone(), vec![part])),
                }
            }
        }
        out
    }

    pub(super) fn required(&self) -> Vec<&'a str> {
        self.parts
            .iter()
            .flat_map(|p| p.texts("required"))
            .collect()
    }
}

pub(super) struct Writer<'a> {
    tree: &'a Tree,
    pub(super) layers: Layers,
    pub(super) entries: Vec<Entry>,
    anchors: BTreeSet<String>,
    /// How often something was gone into: alternatives in alternatives multiply.
    gone: usize,
    pub(super) cut: bool,
}

impl<'a> Writer<'a> {
    pub(super) fn new(tree: &'a Tree, layers: Layers) -> Self {
        Self {
            tree,
            layers,
            entries: Vec::new(),
            anchors: BTreeSet::new(),
            gone: 0,
            cut: false,
        }
    }

    /// Follows `$ref` and takes `allOf` apart. What was gone through already is not entered again.
    pub(super) fn expand(&self, parts: Vec<Part<'a>>, trail: &[Step<'a>]) -> All<'a> {
        let mut all = All {
            trail: trail.to_vec(),
            ..All::default()
        };
        let mut open = parts;
        open.reverse();
        while let Some(part) = open.pop() {
            if let Some(before) = trail
                .iter()
                .find(|(path, pointer, _)| *path == part.path && *pointer == part.pointer)
            {
                let name = if before.2.is_empty() {
                    "the whole file".to_owned()
                } else {
                    format!("`{}`", before.2)
                };
                all.again = Some(name.clone());
                all.notes
                    .push(format!("holds the same as {name} again, to any depth"));
                continue;
            }
            if all
                .parts
                .iter()
                .any(|p| p.path == part.path && p.pointer == part.pointer)
            {
                continue;
            }
            let mut next: Vec<Part<'a>> = Vec::new();
            if let Some(text) = part.text("$ref") {
                match self.tree.follow(&part, text) {
                    Ok(target) => next.push(target),
                    Err(_) => all
                        .notes
                        .push("has more rules, in a place that cannot be shown".to_owned()),
                }
            }
            next.extend(part.child("allOf").map(|l| l.items()).unwrap_or_default());
            for word in ["oneOf", "anyOf"] {
                let items = part.child(word).map(|l| l.items()).unwrap_or_default();
                if !items.is_empty() {
                    all.alternatives.push(items);
                }
            }
            if ["if", "dependentSchemas", "not"].iter().any(|k| {
                part.node
                    .get(k)
                    .is_some_and(|n| *k != "not" || n.get("enum").is_none())
            }) {
                all.notes
                    .push("has further rules that depend on other values".to_owned());
            }
            all.parts.push(part);
            next.reverse();
            open.extend(next);
        }
        all
    }

    /// The alternatives in words.
    pub(super) fn inside(&self, alternative: &[Part<'a>]) -> Vec<String> {
        alternative
            .iter()
            .map(|part| {
                let all = self.expand(vec![part.clone()], &[]);
                words::summary(&all.parts)
            })
            .collect()
    }

    fn anchor(&mut self, key: &str) -> String {
        let slug: String = key
            .chars()
            .map(|c| {
                if c.is_ascii_alphanumeric() || c == '_' {
                    c.to_ascii_lowercase()
                } else {
                    '-'
                }
            })
            .collect();
        let base = format!("key-{}", slug.trim_matches('-'));
        let mut anchor = base.clone();
        let mut n = 2;
        while !self.anchors.insert(anchor.clone()) {
            anchor = format!("{base}-{n}");
            n += 1;
        }
        anchor
    }

    /// One key, and what lies below it.
    fn key(
        &mut self,
        parts: Vec<Part<'a>>,
        steps: &[String],
        required: bool,
        trail: &[Step<'a>],
        only: Option<&str>,
    ) {
        if self.entries.len() >= MAX_ENTRIES || steps.len() > MAX_LEVEL {
            self.cut = true;
            return;
        }
        let mut all = self.expand(parts, trail);
        let key = joined(steps);
        for part in &all.parts {
            all.trail
                .push((part.path, part.pointer.clone(), key.clone()));
        }
        let said = |word: &str| {
            all.parts
                .iter()
                .find_map(|p| p.text(word))
                .map(str::to_owned)
        };
        let flag = |word: &str| {
            all.parts
                .iter()
                .any(|p| p.node.get(word).map(|n| &n.data) == Some(&Data::Bool(true)))
        };
        let alternatives: Vec<String> = all
            .alternatives
            .iter()
            .flat_map(|a| self.inside(a))
            .collect();
        let kind = match kind(&all.parts, &|parts| self.expand(parts, &all.trail).parts) {
            kind if kind == words::ANYTHING && !alternatives.is_empty() => {
                "one of several".to_owned()
            }
            kind if kind == words::ANYTHING => match &all.again {
                Some(name) => format!("as {name}"),
                None => kind,
            },
            kind => kind,
        };
        let mut notes = all.notes.clone();
        if flag("readOnly") {
            notes.push("is set by the provider; do not write it".to_owned());
        }
        let entry = Entry {
            anchor: self.anchor(&key),
            level: steps.len().saturating_sub(1),
            kind,
            required,
            default: all
                .parts
                .iter()
                .find_map(|p| p.node.get("default"))
                .map(|n| n.to_json().to_string()),
            allowed: values(&all.parts),
            limits: limits(&all.parts),
            description: said("description").or_else(|| said("title")),
            examples: all
                .parts
                .iter()
                .filter_map(|p| p.child("examples"))
                .flat_map(|l| l.items())
                .map(|p| p.node.to_json().to_string())
                .collect(),
            deprecated: flag("deprecated").then(|| said("deprecationMessage").unwrap_or_default()),
            given: if all.properties("properties").is_empty() {
                self.layers.given(steps)
            } else {
                Vec::new()
            },
            alternatives,
            only: only.map(str::to_owned),
            notes,
            key,
        };
        self.entries.push(entry);
        let trail = all.trail.clone();
        self.children(&all, steps, &trail, only);
    }

    pub(super) fn children(
        &mut self,
        all: &All<'a>,
        steps: &[String],
        trail: &[Step<'a>],
        only: Option<&str>,
    ) {
        self.gone += 1;
        if self.gone > 5 * MAX_ENTRIES {
            self.cut = true;
            return;
        }
        let required = all.required();
        let below = |step: &str| {
            let mut steps = steps.to_vec();
            steps.push(step.to_owned());
            steps
        };
        for (name, parts) in all.properties("properties") {
            let must = required.contains(&name.as_str());
            self.key(parts, &below(&name), must, trail, only);
        }
        for (pattern, parts) in all.properties("patternProperties") {
            self.key(parts, &below(&format!("<{pattern}>")), false, trail, only);
        }
        let any = all.under("additionalProperties");
        if self.worth_showing(&any, trail) {
            self.key(any, &below("<key>"), false, trail, only);
        }
        let items = all.under("items");
        if self.worth_showing(&items, trail) {
            self.key(items, &below("[]"), false, trail, only);
        }
        let tuple: Vec<Part<'a>> = all
            .parts
            .iter()
            .filter_map(|p| p.child("prefixItems"))
            .flat_map(|l| l.items())
            .collect();
        for (i, item) in tuple.into_iter().enumerate() {
            self.key(vec![item], &below(&format!("[{i}]")), false, trail, only);
        }
        for alternative in &all.alternatives {
            for (i, part) in alternative.iter().enumerate() {
                let inner = self.expand(vec![part.clone()], trail);
                let name = part
                    .text("title")
                    .map_or_else(|| format!("alternative {}", i + 1), str::to_owned);
                let mut trail = trail.to_vec();
                for part in &inner.parts {
                    trail.push((part.path, part.pointer.clone(), joined(steps)));
                }
                self.children(&inner, steps, &trail, Some(&name));
            }
        }
    }

    /// Whether items say more than the kind of the list already does.
    fn worth_showing(&self, parts: &[Part<'a>], trail: &[Step<'a>]) -> bool {
        let all = self.expand(parts.to_vec(), trail);
        !all.alternatives.is_empty()
            || !all.notes.is_empty()
            || all.parts.iter().any(|p| {
                p.node.entries().iter().any(|(k, _)| {
                    !matches!(
                        k.name.as_str(),
                        "type" | "$ref" | "$comment" | "allOf" | "title"
                    )
                })
            })
    }
}

/// `rules[].ports.<key>`
fn joined(steps: &[String]) -> String {
    let mut out = String::new();
    for step in steps {
        if !out.is_empty() && !step.starts_with('[') {
            out.push('.');
        }
        out.push_str(step);
    }
    out
}
