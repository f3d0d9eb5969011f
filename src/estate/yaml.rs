//! The one YAML reader. YAML 1.2 core schema, minus everything that another tool on the
//! path (Terraform's `yamldecode`, PyYAML, Helm) would read as something else.
//!
//! `saphyr-parser` gives events with positions and keeps the text of scalars as written;
//! serde-based readers lose both, and `serde_yaml` is archived.

use super::finding::{Finding, Findings, Place};
use super::ids::shown;
use super::scalar::{is_hidden, plain};
use super::value::{Data, Key, Node};
use super::yaml_hint::hint;
use saphyr_parser::{Event, Parser, ScalarStyle, Span, Tag};
use std::collections::{HashMap, HashSet};

/// Largest file that is read, in bytes.
pub const MAX_BYTES: usize = 1 << 20;
/// Deepest nesting of maps and lists.
pub const MAX_DEPTH: usize = 64;
/// Most values in one file, counting what aliases repeat.
pub const MAX_NODES: usize = 100_000;

/// How plain scalars are judged that other tools read differently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reading {
    /// Refused, with what to write instead. For every file that tenantry defines.
    Strict,
    /// Read by YAML 1.2. For files whose format somebody else defines, such as workflows.
    Core,
}

/// Reads one document. An empty file is null.
pub fn read(path: &str, bytes: &[u8], reading: Reading) -> Result<Node, Findings> {
    let whole =
        |rule, message: String| Findings::one(Finding::error(Place::file(path), rule, message));
    if bytes.len() > MAX_BYTES {
        return Err(whole(
            "yaml-too-large",
            format!(
                "the file has {} bytes, the limit is {MAX_BYTES}; split it or remove what is not needed",
                bytes.len()
            ),
        ));
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let text = std::str::from_utf8(bytes).map_err(|e| {
        let line = bytes[..e.valid_up_to()]
            .iter()
            .filter(|b| **b == b'\n')
            .count()
            + 1;
        Findings::one(Finding::error(
            Place::at(path, line, 0),
            "yaml-encoding",
            "the file is not UTF-8; save it as UTF-8",
        ))
    })?;
    let mut builder = Builder {
        path,
        reading,
        findings: Vec::new(),
        stack: Vec::new(),
        root: None,
        anchors: HashMap::new(),
        nodes: 0,
        documents: 0,
    };
    builder.run(text);
    if builder.findings.is_empty() {
        Ok(builder.root.unwrap_or(Node {
            data: Data::Null,
            line: 1,
            column: 1,
        }))
    } else {
        Err(Findings(builder.findings))
    }
}

struct Open {
    node: Node,
    anchor: usize,
    seen: HashSet<String>,
    key: Option<Key>,
}

struct Builder<'a> {
    path: &'a str,
    reading: Reading,
    findings: Vec<Finding>,
    stack: Vec<Open>,
    root: Option<Node>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    documents: usize,
}

impl Builder<'_> {
    fn refuse(&mut self, span: Span, rule: &'static str, message: impl Into<String>) {
        let place = Place::at(self.path, span.start.line(), span.start.col() + 1);
        self.findings.push(Finding::error(place, rule, message));
    }

    fn run(&mut self, text: &str) {
        let mut parser = Parser::new_from_str(text);
        while let Some(event) = parser.next_event() {
            let (event, span) = match event {
                Ok(pair) => pair,
                Err(error) => {
                    let mark = error.marker();
                    let place = Place::at(self.path, mark.line(), mark.col() + 1);
                    let line = text.lines().nth(mark.line().saturating_sub(1));
                    let hint = hint(error.info(), line.unwrap_or_default());
                    self.findings.push(Finding::error(
                        place,
                        "yaml-syntax",
                        format!("not valid YAML: {}{hint}", shown(error.info())),
                    ));
                    return;
                }
            };
            self.event(event, span);
            // One bad value does not hide the others, but a bomb must not run on.
            if self.findings.len() >= 100 || self.nodes > MAX_NODES {
                return;
            }
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) {
        match event {
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents == 2 {
                    self.refuse(span, "yaml-documents", "a second document starts here; the file may hold one only, remove the `---`");
                }
            }
            Event::Scalar(text, style, anchor, tag) => {
                let line = span.start.line();
                let column = span.start.col() + 1;
                if let Some(bad) = text.chars().find(|c| is_hidden(*c)) {
                    self.refuse(span, "yaml-hidden-character", format!("an invisible or direction-changing character (U+{:04X}) is not allowed here; delete it", bad as u32));
                }
                let as_key = self.expects_key();
                let data = match self.scalar(&text, style, tag.as_deref()) {
                    Ok(data) => data,
                    // Refused below, for being what it is.
                    Err(_) if as_key && text == "<<" => Data::Text(text.clone().into_owned()),
                    Err(("yaml-ambiguous", _)) if as_key => {
                        self.refuse(span, "yaml-ambiguous", format!("`{0}` is read differently by different tools; write the key in quotes, `\"{0}\"`", shown(&text)));
                        Data::Text(text.clone().into_owned())
                    }
                    Err((rule, message)) => {
                        self.refuse(span, rule, message);
                        Data::Text(text.clone().into_owned())
                    }
                };
                if as_key {
                    self.take_key(&text, data, span);
                } else {
                    self.take(Node { data, line, column }, anchor, 1, span);
                }
            }
            Event::SequenceStart(anchor, tag) => {
                self.open(Data::List(Vec::new()), anchor, tag.as_deref(), "seq", span)
            }
            Event::MappingStart(anchor, tag) => {
                self.open(Data::Map(Vec::new()), anchor, tag.as_deref(), "map", span)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                if let Some(open) = self.stack.pop() {
                    let size = open.node.size();
                    // Its parts were counted when they came.
                    self.nodes = self.nodes.saturating_sub(size);
                    self.take(open.node, open.anchor, size, span);
                }
            }
            Event::Alias(id) => {
                if self.expects_key() {
                    self.refuse(
                        span,
                        "yaml-key",
                        "an alias cannot be a key; write the key out",
                    );
                    self.take_key("", Data::Text(String::new()), span);
                    return;
                }
                match self.anchors.get(&id) {
                    Some((node, size)) if self.nodes + size <= MAX_NODES => {
                        let (mut node, size) = (node.clone(), *size);
                        node.line = span.start.line();
                        node.column = span.start.col() + 1;
                        if self.stack.len() + node.depth() > MAX_DEPTH {
                            self.refuse(
                                span,
                                "yaml-too-deep",
                                format!("nested deeper than {MAX_DEPTH} levels; write it flatter"),
                            );
                            return;
                        }
                        self.take(node, 0, size, span);
                    }
                    Some(_) => {
                        self.nodes = MAX_NODES + 1;
                        self.refuse(span, "yaml-too-large", format!("the aliases expand to more than {MAX_NODES} values; write the values out"));
                    }
                    None => self.refuse(
                        span,
                        "yaml-alias",
                        "the anchor of this alias is not complete here; write the value out",
                    ),
                }
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
        }
    }

    fn expects_key(&self) -> bool {
        self.stack
            .last()
            .is_some_and(|open| matches!(open.node.data, Data::Map(_)) && open.key.is_none())
    }

    fn open(&mut self, data: Data, anchor: usize, tag: Option<&Tag>, plain_tag: &str, span: Span) {
        if let Some(tag) = tag.filter(|t| !(t.is_yaml_core_schema() && t.suffix == plain_tag)) {
            self.refuse(
                span,
                "yaml-tag",
                format!(
                    "the tag `{}` is not supported; remove it",
                    shown(&format!("{}{}", tag.handle, tag.suffix))
                ),
            );
        }
        if self.expects_key() {
            self.refuse(
                span,
                "yaml-key",
                "a key must be a text, not a map or a list",
            );
            if let Some(open) = self.stack.last_mut() {
                open.key = Some(Key {
                    name: String::new(),
                    line: span.start.line(),
                    column: span.start.col() + 1,
                });
            }
            // The collection that stands where the key should is read as the value.
        }
        if self.stack.len() >= MAX_DEPTH {
            self.refuse(
                span,
                "yaml-too-deep",
                format!("nested deeper than {MAX_DEPTH} levels; write it flatter"),
            );
            self.nodes = MAX_NODES + 1;
            return;
        }
        let node = Node {
            data,
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        self.nodes += 1;
        self.stack.push(Open {
            node,
            anchor,
            seen: HashSet::new(),
            key: None,
        });
    }

    fn take_key(&mut self, text: &str, data: Data, span: Span) {
        let key = Key {
            name: text.to_owned(),
            line: span.start.line(),
            column: span.start.col() + 1,
        };
        if !matches!(data, Data::Text(_)) {
            self.refuse(
                span,
                "yaml-key",
                format!(
                    "a key must be a text; write `\"{}\"` in quotes",
                    shown(text)
                ),
            );
        }
        if text == "<<" {
            self.refuse(
                span,
                "yaml-merge-key",
                "merge keys (`<<`) are not part of YAML 1.2; write the keys out",
            );
        }
        let Some(open) = self.stack.last_mut() else {
            return;
        };
        let fresh = open.seen.insert(key.name.clone());
        let first = match &open.node.data {
            Data::Map(entries) if !fresh => entries
                .iter()
                .find(|(k, _)| k.name == key.name)
                .map(|(k, _)| k.line),
            _ => None,
        };
        open.key = Some(key);
        if let Some(first) = first {
            self.refuse(
                span,
                "yaml-duplicate-key",
                format!(
                    "the key `{}` stands already in line {first}; keep one of the two",
                    shown(text)
                ),
            );
        }
    }

    fn take(&mut self, node: Node, anchor: usize, size: usize, span: Span) {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            self.refuse(
                span,
                "yaml-too-large",
                format!("the file holds more than {MAX_NODES} values; split it or remove what is not needed"),
            );
            return;
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size));
        }
        match self.stack.last_mut() {
            None => {
                if self.root.is_none() {
                    self.root = Some(node);
                }
            }
            Some(open) => match &mut open.node.data {
                Data::List(items) => items.push(node),
                Data::Map(entries) => {
                    if let Some(key) = open.key.take() {
                        entries.push((key, node));
                    }
                }
                _ => {}
            },
        }
    }

    fn scalar(
        &self,
        text: &str,
        style: ScalarStyle,
        tag: Option<&Tag>,
    ) -> Result<Data, (&'static str, String)> {
        match tag {
            Some(tag) if tag.is_yaml_core_schema() && tag.suffix == "str" => {
                return Ok(Data::Text(text.to_owned()));
            }
            Some(tag) => {
                return Err((
                    "yaml-tag",
                    format!(
                        "the tag `{}` is not supported; remove it",
                        shown(&format!("{}{}", tag.handle, tag.suffix))
                    ),
                ));
            }
            None => {}
        }
        if style != ScalarStyle::Plain {
            return Ok(Data::Text(text.to_owned()));
        }
        plain(text, self.reading)
    }
}

#[cfg(test)]
#[path = "yaml_tests.rs"]
mod tests;
