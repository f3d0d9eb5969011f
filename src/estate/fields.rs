//! Typed reading of a map with positions: what is missing, mistyped or unknown becomes a finding.

use super::finding::{Finding, Findings, Place};
use super::ids::shown;
use super::suggest::nearest;
use super::value::{Data, Node};
use std::str::FromStr;

/// A map that is being read. [`Fields::finish`] reports the keys nobody asked for.
pub struct Fields<'a> {
    path: &'a str,
    node: &'a Node,
    asked: Vec<&'static str>,
    findings: Vec<Finding>,
}

impl<'a> Fields<'a> {
    /// Starts to read `node` of the file `path`. Null counts as an empty map.
    pub fn new(path: &'a str, node: &'a Node) -> Self {
        let mut fields = Self {
            path,
            node,
            asked: Vec::new(),
            findings: Vec::new(),
        };
        if !matches!(node.data, Data::Map(_) | Data::Null) {
            let message = format!("expected a map, found {}", node.kind());
            fields.refuse(node, message);
        }
        fields
    }

    /// Adds an error at `node`.
    pub fn refuse(&mut self, node: &Node, message: impl Into<String>) {
        self.findings.push(Finding::error(
            Place::at(self.path, node.line, node.column),
            "estate",
            message,
        ));
    }

    /// The value under `key`, unless it is absent or null.
    pub fn node(&mut self, key: &'static str) -> Option<&'a Node> {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
        self.node.get(key).filter(|n| n.data != Data::Null)
    }

    /// A text.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        let node = self.node(key)?;
        match node.text() {
            Some(text) => Some(text.to_owned()),
            None => {
                self.refuse(
                    node,
                    format!("`{key}` must be a text, found {}", node.kind()),
                );
                None
            }
        }
    }

    /// A text that parses as `T`, such as an id.
    pub fn parsed<T: FromStr<Err: std::fmt::Display>>(&mut self, key: &'static str) -> Option<T> {
        let node = self.node(key)?;
        let text = self.text(key)?;
        text.parse()
            .map_err(|e: T::Err| self.refuse(node, format!("`{key}`: {e}")))
            .ok()
    }

    /// One of a fixed set of words.
    pub fn word<T: Copy>(&mut self, key: &'static str, words: &[(&'static str, T)]) -> Option<T> {
        let node = self.node(key)?;
        let text = self.text(key)?;
        if let Some((_, value)) = words.iter().find(|(w, _)| *w == text) {
            return Some(*value);
        }
        let all = words
            .iter()
            .map(|(w, _)| format!("`{w}`"))
            .collect::<Vec<_>>()
            .join(", ");
        self.refuse(
            node,
            format!("`{key}` must be one of {all}, found `{}`", shown(&text)),
        );
        None
    }

    /// true or false.
    pub fn boolean(&mut self, key: &'static str) -> Option<bool> {
        let node = self.node(key)?;
        match node.data {
            Data::Bool(b) => Some(b),
            _ => {
                self.refuse(
                    node,
                    format!("`{key}` must be true or false, found {}", node.kind()),
                );
                None
            }
        }
    }

    /// A whole number that is not negative.
    pub fn number(&mut self, key: &'static str) -> Option<u64> {
        let node = self.node(key)?;
        match &node.data {
            Data::Number(n) if n.is_u64() => n.as_u64(),
            _ => {
                self.refuse(
                    node,
                    format!("`{key}` must be a whole number, found {}", node.kind()),
                );
                None
            }
        }
    }

    /// A list; an absent one is `None`.
    pub fn list(&mut self, key: &'static str) -> Option<&'a [Node]> {
        let node = self.node(key)?;
        match &node.data {
            Data::List(items) => Some(items),
            _ => {
                self.refuse(
                    node,
                    format!("`{key}` must be a list, found {}", node.kind()),
                );
                None
            }
        }
    }

    /// A list of texts that parse as `T`.
    pub fn parsed_list<T: FromStr<Err: std::fmt::Display>>(
        &mut self,
        key: &'static str,
    ) -> Option<Vec<T>> {
        let items = self.list(key)?;
        let mut out = Vec::new();
        for item in items {
            match item.text().map(str::parse::<T>) {
                Some(Ok(value)) => out.push(value),
                Some(Err(e)) => self.refuse(item, format!("`{key}`: {e}")),
                None => self.refuse(
                    item,
                    format!("`{key}` must hold texts, found {}", item.kind()),
                ),
            }
        }
        Some(out)
    }

    /// A nested map.
    pub fn fields(&mut self, key: &'static str) -> Option<Fields<'a>> {
        let node = self.node(key)?;
        Some(Fields::new(self.path, node))
    }

    /// Says that `key` is needed.
    pub fn missing(&mut self, key: &str) {
        let place = if self.node.line == 0 {
            Place::file(self.path)
        } else {
            Place::at(self.path, self.node.line, self.node.column)
        };
        self.findings.push(Finding::error(
            place,
            "estate",
            format!("`{key}` is missing here; add it"),
        ));
    }

    /// Takes the findings of a nested map over.
    pub fn absorb(&mut self, other: Vec<Finding>) {
        self.findings.extend(other);
    }

    /// Ends the reading of some keys of a map whose other keys somebody else reads.
    pub fn found(self) -> Vec<Finding> {
        self.findings
    }

    /// Ends the reading of a map in which every key must be known.
    pub fn finish(mut self) -> Vec<Finding> {
        for (key, _) in self.node.entries() {
            if !self.asked.contains(&key.name.as_str()) {
                let hint = nearest(&key.name, self.asked.iter().copied()).map_or_else(
                    || format!("known keys are {}", self.asked.join(", ")),
                    |k| format!("did you mean `{k}`?"),
                );
                self.findings.push(Finding::error(
                    Place::at(self.path, key.line, key.column),
                    "estate-unknown-key",
                    format!("unknown key `{}`; {hint}", shown(&key.name)),
                ));
            }
        }
        self.findings
    }

    /// Ends the reading of a map that may hold keys of other tools: only what looks like a slip
    /// of one of ours is reported.
    pub fn finish_open(mut self) -> Vec<Finding> {
        for (key, _) in self.node.entries() {
            let name = key.name.as_str();
            if self.asked.contains(&name) {
                continue;
            }
            if let Some(meant) = nearest(name, self.asked.iter().copied())
                && self.node.get(meant).is_none()
            {
                self.findings.push(Finding::error(
                    Place::at(self.path, key.line, key.column),
                    "estate-unknown-key",
                    format!("unknown key `{}`; did you mean `{meant}`?", shown(name)),
                ));
            }
        }
        self.findings
    }
}

/// `value` when nothing is wrong, the findings otherwise.
pub fn checked<T>(value: T, findings: Vec<Finding>) -> Result<T, Findings> {
    if findings.is_empty() {
        Ok(value)
    } else {
        Err(Findings(findings))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::yaml::{Reading, read};

    #[test]
    fn a_key_that_is_read_twice_is_named_once() {
        let node = match read("a.yaml", b"xyz: 1\n", Reading::Core) {
            Ok(node) => node,
            Err(e) => panic!("{e:?}"),
        };
        let mut fields = Fields::new("a.yaml", &node);
        for key in ["kind", "created", "kind"] {
            let _ = fields.node(key);
        }
        let found: Vec<String> = fields.finish().into_iter().map(|f| f.message).collect();
        assert_eq!(found, ["unknown key `xyz`; known keys are kind, created"]);
    }
}
