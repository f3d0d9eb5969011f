//! A product's schema as it was written: its files, in the order of the file and with positions,
//! and where each `$ref` leads. For people; whether values fit is the matter of [`super::schema`].

use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{ProductId, shown};
use super::schema::path_of;
use super::value::{Data, Key, Node};
use super::yaml;
use serde_json::Value;
use std::collections::BTreeMap;

/// Most files that one schema may be spread over.
const MAX_FILES: usize = 200;
/// Most `$ref`s that may lead from one to the next.
pub const MAX_CHAIN: usize = 32;

/// A schema and every file of the product's folder that it refers to.
#[derive(Debug)]
pub struct Tree {
    root: String,
    folder: String,
    documents: BTreeMap<String, Node>,
    /// What is wrong with the files themselves.
    pub findings: Vec<Finding>,
}

/// One place in a schema.
#[derive(Debug, Clone)]
pub struct Part<'a> {
    /// The file.
    pub path: &'a str,
    /// JSON pointer inside of it.
    pub pointer: String,
    /// What stands there.
    pub node: &'a Node,
}

/// Why a `$ref` leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Astray {
    /// It names a server, or a file outside of the product's folder.
    Outside,
    /// There is no such file, or it cannot be read.
    NoFile(String),
    /// The file has nothing there.
    NoPlace(String),
}

impl Tree {
    /// The schema of `product`; `None` when it has none.
    pub fn read(files: &Files, product: &ProductId) -> Result<Option<Self>, Findings> {
        let root = path_of(product);
        let Some(bytes) = files.get(&root) else {
            return Ok(None);
        };
        let mut tree = Self {
            folder: format!("products/{product}"),
            documents: BTreeMap::new(),
            findings: Vec::new(),
            root,
        };
        let (node, findings) = document(&tree.root, bytes)?;
        tree.findings.extend(findings);
        let mut open = vec![(tree.root.clone(), node)];
        while let Some((path, node)) = open.pop() {
            for reference in references(&node) {
                let file = reference.split('#').next().unwrap_or_default();
                let Some(target) = tree.file_of(&path, file) else {
                    continue;
                };
                let known = target == path
                    || tree.documents.contains_key(&target)
                    || open.iter().any(|(p, _)| *p == target);
                if known || tree.documents.len() + open.len() >= MAX_FILES {
                    continue;
                }
                if let Some(bytes) = files.get(&target) {
                    match document(&target, bytes) {
                        Ok((node, findings)) => {
                            tree.findings.extend(findings);
                            open.push((target, node));
                        }
                        Err(e) => tree.findings.extend(e.0),
                    }
                }
            }
            tree.documents.insert(path, node);
        }
        Ok(Some(tree))
    }

    /// Path of the schema itself.
    pub fn path(&self) -> &str {
        &self.root
    }

    /// The whole schema.
    pub fn root(&self) -> Option<Part<'_>> {
        self.documents().find(|p| p.path == self.root)
    }

    /// Every file, each as a whole.
    pub fn documents(&self) -> impl Iterator<Item = Part<'_>> {
        self.documents.iter().map(|(path, node)| Part {
            path,
            pointer: String::new(),
            node,
        })
    }

    /// The file that a reference in `from` names; `None` when it leaves the product's folder.
    fn file_of(&self, from: &str, file: &str) -> Option<String> {
        if file.is_empty() {
            return Some(from.to_owned());
        }
        let joined = match file.strip_prefix("estate:///") {
            Some(path) => path.to_owned(),
            None if file.contains(':') || file.starts_with('/') => return None,
            None => format!("{}/{file}", from.rsplit_once('/').map_or("", |(f, _)| f)),
        };
        let mut parts: Vec<&str> = Vec::new();
        for part in joined.split('/') {
            match part {
                "" | "." => {}
                ".." => {
                    parts.pop()?;
                }
                part => parts.push(part),
            }
        }
        let path = decoded(&parts.join("/"));
        path.starts_with(&format!("{}/", self.folder))
            .then_some(path)
    }

    /// Where `reference`, which stands in `from`, leads.
    pub fn follow(&self, from: &Part<'_>, reference: &str) -> Result<Part<'_>, Astray> {
        let (file, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let path = self.file_of(from.path, file).ok_or(Astray::Outside)?;
        let (path, document) = self
            .documents
            .get_key_value(&path)
            .ok_or_else(|| Astray::NoFile(path.clone()))?;
        let fragment = decoded(fragment);
        let mut part = Part {
            path,
            pointer: String::new(),
            node: document,
        };
        if fragment.is_empty() {
            return Ok(part);
        }
        if !fragment.starts_with('/') {
            return anchored(&part, &fragment).ok_or(Astray::NoPlace(fragment));
        }
        for step in fragment.split('/').skip(1) {
            part = part
                .child(&step.replace("~1", "/").replace("~0", "~"))
                .ok_or_else(|| Astray::NoPlace(fragment.clone()))?;
        }
        Ok(part)
    }

    /// The position of a JSON pointer of the schema's own file, or of what lies nearest around it.
    pub fn place(&self, path: &str, pointer: &str) -> Place {
        let Some(node) = self.documents.get(path) else {
            return Place::file(path);
        };
        let mut part = Part {
            path,
            pointer: String::new(),
            node,
        };
        for step in pointer.split('/').skip(1) {
            match part.child(&step.replace("~1", "/").replace("~0", "~")) {
                Some(child) => part = child,
                None => break,
            }
        }
        part.place()
    }
}

impl<'a> Part<'a> {
    /// What stands below, under a key or at a position.
    pub fn child(&self, step: &str) -> Option<Part<'a>> {
        let node = match &self.node.data {
            Data::List(items) => items.get(step.parse::<usize>().ok()?)?,
            _ => self.node.get(step)?,
        };
        Some(self.below(step, node))
    }

    fn below(&self, step: &str, node: &'a Node) -> Part<'a> {
        let step = step.replace('~', "~0").replace('/', "~1");
        Part {
            path: self.path,
            pointer: format!("{}/{step}", self.pointer),
            node,
        }
    }

    /// The entries of a map, each as a part.
    pub fn children(&self) -> Vec<(&'a Key, Part<'a>)> {
        self.node
            .entries()
            .iter()
            .map(|(k, n)| (k, self.below(&k.name, n)))
            .collect()
    }

    /// The items of a list, each as a part.
    pub fn items(&self) -> Vec<Part<'a>> {
        match &self.node.data {
            Data::List(items) => items
                .iter()
                .enumerate()
                .map(|(i, n)| self.below(&i.to_string(), n))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// Where it stands; the whole file where that is not known.
    pub fn place(&self) -> Place {
        at(self.path, self.node.line, self.node.column)
    }

    /// Where a key of it stands.
    pub fn key_place(&self, key: &str) -> Place {
        self.node
            .entries()
            .iter()
            .find(|(k, _)| k.name == key)
            .map_or_else(|| self.place(), |(k, _)| at(self.path, k.line, k.column))
    }

    /// A number under a key.
    pub fn number(&self, key: &str) -> Option<f64> {
        match &self.node.get(key)?.data {
            Data::Number(n) => n.as_f64(),
            _ => None,
        }
    }

    /// A text under a key.
    pub fn text(&self, key: &str) -> Option<&'a str> {
        self.node.get(key)?.text()
    }

    /// The texts of a list under a key.
    pub fn texts(&self, key: &str) -> Vec<&'a str> {
        match self.node.get(key).map(|n| &n.data) {
            Some(Data::List(items)) => items.iter().filter_map(Node::text).collect(),
            _ => Vec::new(),
        }
    }

    /// The types that it allows, if it says so.
    pub fn types(&self) -> Vec<&'a str> {
        match self.text("type") {
            Some(one) => vec![one],
            None => self.texts("type"),
        }
    }
}

/// A position, or the whole file for line 0.
fn at(path: &str, line: usize, column: usize) -> Place {
    if line == 0 {
        Place::file(path)
    } else {
        Place::at(path, line, column)
    }
}

/// JSON is nearly a part of YAML, and the YAML reader keeps order and positions. Where it does
/// not take a file that is good JSON (a surrogate pair, more than 64 levels), positions are lost.
fn document(path: &str, bytes: &[u8]) -> Result<(Node, Vec<Finding>), Findings> {
    let value: Value = serde_json::from_slice(bytes).map_err(|e| {
        Findings::one(Finding::error(
            Place::at(path, e.line(), e.column()),
            super::schema_check::INVALID,
            format!("not valid JSON: {}", shown(&e.to_string())),
        ))
    })?;
    // A tab cannot stand inside of a JSON text, so each is only an indentation.
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|b| if *b == b'\t' { b' ' } else { *b })
        .collect();
    match yaml::read(path, &spaced, yaml::Reading::Core) {
        Ok(node) if node.to_json() == value => Ok((node, Vec::new())),
        Ok(_) => Ok((plain(&value), Vec::new())),
        Err(e) => {
            let twice = e.0.into_iter().filter(|f| f.rule == "yaml-duplicate-key");
            let findings = twice
                .map(|mut f| {
                    f.rule = super::schema_check::DUPLICATE.into();
                    f
                })
                .collect();
            Ok((plain(&value), findings))
        }
    }
}

/// Without positions, keys sorted.
fn plain(value: &Value) -> Node {
    let data = match value {
        Value::Null => Data::Null,
        Value::Bool(b) => Data::Bool(*b),
        Value::Number(n) => Data::Number(n.clone()),
        Value::String(s) => Data::Text(s.clone()),
        Value::Array(items) => Data::List(items.iter().map(plain).collect()),
        Value::Object(map) => Data::Map(
            map.iter()
                .map(|(name, value)| {
                    let name = name.clone();
                    let (line, column) = (0, 0);
                    (Key { name, line, column }, plain(value))
                })
                .collect(),
        ),
    };
    Node {
        data,
        line: 0,
        column: 0,
    }
}

/// Every text under a key `$ref`, wherever it stands.
fn references(node: &Node) -> Vec<&str> {
    let mut out = Vec::new();
    let mut open = vec![node];
    while let Some(node) = open.pop() {
        match &node.data {
            Data::List(items) => open.extend(items),
            Data::Map(entries) => {
                for (key, value) in entries {
                    match value.text() {
                        Some(text) if key.name == "$ref" => out.push(text),
                        _ => open.push(value),
                    }
                }
            }
            _ => {}
        }
    }
    out
}

fn anchored<'a>(document: &Part<'a>, name: &str) -> Option<Part<'a>> {
    let mut open = vec![document.clone()];
    while let Some(part) = open.pop() {
        if part.text("$anchor") == Some(name) || part.text("$dynamicAnchor") == Some(name) {
            return Some(part);
        }
        open.extend(part.children().into_iter().map(|(_, p)| p));
        open.extend(part.items());
    }
    None
}

/// `%25` and the like.
fn decoded(text: &str) -> String {
    let mut out = Vec::new();
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let hex = |b: u8| char::from(b).to_digit(16);
        match (first, behind) {
            (b'%', [high, low, after @ ..]) if hex(*high).is_some() && hex(*low).is_some() => {
                let byte = hex(*high).unwrap_or(0) * 16 + hex(*low).unwrap_or(0);
                out.push(u8::try_from(byte).unwrap_or(b'?'));
                rest = after;
            }
            _ => {
                out.push(*first);
                rest = behind;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
