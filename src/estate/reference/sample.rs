//! A value for each key that the schema takes: the schema's own example where there is one, else
//! what the product sets itself, else one that is made up and tried.

use super::given::Layers;
use super::writer::{All, Writer};
use crate::estate::files::Files;
use crate::estate::finding::Findings;
use crate::estate::ids::ProductId;
use crate::estate::model::Estate;
use crate::estate::schema_check::Compiled;
use crate::estate::schema_tree::{Part, Tree};
use regex_syntax::hir::{Class, Hir, HirKind};
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Most values that are made up; what is left out then is not needed to understand the rest.
const MAX_SAMPLES: usize = 3_000;

/// A key at the top of a customer's file.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// The key.
    pub key: String,
    /// What could stand there.
    pub value: Value,
    /// Whether it must.
    pub required: bool,
    /// What it means.
    pub description: Option<String>,
}

/// One value per key at the top, as far as one can be found.
pub fn samples(estate: &Estate, product: &ProductId) -> Result<Vec<Sample>, Findings> {
    let Some(tree) = Tree::read(&estate.files, product)? else {
        return Ok(Vec::new());
    };
    let Some(root) = tree.root() else {
        return Ok(Vec::new());
    };
    let environments: Vec<String> = estate
        .products
        .get(product)
        .map(|p| p.environments.iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    let mut maker = Maker {
        writer: Writer::new(&tree, Layers::read(&estate.files, product, &environments)?),
        compiled: compiled(&estate.files, product, &tree),
        left: MAX_SAMPLES,
    };
    let all = maker.writer.expand(vec![root], &[]);
    let required = all.required();
    let mut out = Vec::new();
    for (key, parts) in all.properties("properties") {
        if key == "environments" || key.starts_with("tenantry_") {
            continue;
        }
        let said = maker.writer.expand(parts.clone(), &all.trail);
        if let Some(value) = maker.value(parts, std::slice::from_ref(&key), &all) {
            out.push(Sample {
                required: required.contains(&key.as_str()),
                description: said
                    .parts
                    .iter()
                    .find_map(|p| p.text("description"))
                    .map(str::to_owned),
                key,
                value,
            });
        }
    }
    Ok(out)
}

fn compiled(files: &Files, product: &ProductId, tree: &Tree) -> BTreeMap<String, Compiled> {
    tree.documents()
        .filter_map(|d| {
            let made = Compiled::of(files, product, d.path, &d.node.to_json()).ok()?;
            Some((d.path.to_owned(), made))
        })
        .collect()
}

struct Maker<'a> {
    writer: Writer<'a>,
    compiled: BTreeMap<String, Compiled>,
    left: usize,
}

impl<'a> Maker<'a> {
    fn fits(&self, parts: &[Part<'a>], value: &Value) -> bool {
        parts.iter().all(|p| {
            self.compiled
                .get(p.path)
                .and_then(|c| c.at(&p.pointer))
                .is_none_or(|schema| schema.is_valid(value))
        })
    }

    fn value(&mut self, parts: Vec<Part<'a>>, steps: &[String], around: &All<'a>) -> Option<Value> {
        self.left = self.left.checked_sub(1)?;
        let mut all = self.writer.expand(parts, &around.trail);
        if all.parts.is_empty() || steps.len() > super::MAX_LEVEL {
            return None;
        }
        for part in &all.parts {
            all.trail
                .push((part.path, part.pointer.clone(), String::new()));
        }
        let written = all.parts.iter().flat_map(|p| {
            let list = |k: &str| p.child(k).map(|l| l.items()).unwrap_or_default();
            list("examples")
        });
        let mut candidates: Vec<Value> = written.map(|p| p.node.to_json()).collect();
        let own = self.writer.layers.given(steps);
        candidates.extend(
            own.iter()
                .filter_map(|g| serde_json::from_str(&g.value).ok())
                .filter(|v| !empty(v)),
        );
        for part in &all.parts {
            candidates.extend(part.child("default").map(|p| p.node.to_json()));
            candidates.extend(part.child("const").map(|p| p.node.to_json()));
            let listed = part.child("enum").map(|l| l.items()).unwrap_or_default();
            candidates.extend(listed.into_iter().map(|p| p.node.to_json()));
        }
        let plain = |v: &Value| !v.is_null() && !holds_expression(v) && !empty(v);
        if let Some(found) = candidates
            .iter()
            .find(|v| plain(v) && self.fits(&all.parts, v))
        {
            return Some(found.clone());
        }
        let made = self.made(&all, steps);
        let mut tried = made.into_iter().chain(candidates);
        tried.find(|v| !holds_expression(v) && self.fits(&all.parts, v))
    }

    /// Made-up values of the right kind, the likeliest first.
    fn made(&mut self, all: &All<'a>, steps: &[String]) -> Vec<Value> {
        let parts = &all.parts;
        let mut types: Vec<&str> = parts.iter().flat_map(Part::types).collect();
        if types.is_empty() && parts.iter().any(|p| p.node.get("properties").is_some()) {
            types.push("object");
        }
        let mut out = Vec::new();
        for name in types {
            match name {
                "string" => out.extend(texts(parts, steps)),
                "integer" | "number" => out.extend(numbers(parts)),
                "boolean" => out.push(json!(true)),
                "array" => out.extend(self.list(all, steps)),
                "object" => out.extend(self.map(all, steps)),
                _ => {}
            }
        }
        for alternative in all.alternatives.clone() {
            for part in alternative {
                // The alternative and what holds beside it are one.
                let mut with = all.clone();
                with.alternatives.clear();
                let inner = self.writer.expand(vec![part], &all.trail);
                with.parts.extend(inner.parts);
                if self.left > 0 {
                    self.left -= 1;
                    out.extend(self.made(&with, steps));
                }
            }
        }
        out
    }

    fn list(&mut self, all: &All<'a>, steps: &[String]) -> Vec<Value> {
        let least = least(&all.parts, "minItems").clamp(1.0, 20.0) as usize;
        let mut below = steps.to_vec();
        below.push("[]".to_owned());
        let mut items = Vec::new();
        for part in all.parts.iter().filter_map(|p| p.child("prefixItems")) {
            for item in part.items() {
                items.extend(self.value(vec![item], &below, all));
            }
        }
        let of = all.under("items");
        if let Some(one) = (!of.is_empty())
            .then(|| self.value(of, &below, all))
            .flatten()
        {
            while items.len() < least {
                items.push(one.clone());
            }
        }
        vec![Value::Array(items), json!([])]
    }

    fn map(&mut self, all: &All<'a>, steps: &[String]) -> Vec<Value> {
        let required = all.required();
        let (mut full, mut short) = (Map::new(), Map::new());
        for (key, parts) in all.properties("properties") {
            let mut below = steps.to_vec();
            below.push(key.clone());
            if let Some(value) = self.value(parts, &below, all) {
                if required.contains(&key.as_str()) {
                    short.insert(key.clone(), value.clone());
                }
                full.insert(key, value);
            }
        }
        let any = all.under("additionalProperties");
        if !any.is_empty() && full.is_empty() {
            let mut below = steps.to_vec();
            below.push("<key>".to_owned());
            if let Some(value) = self.value(any, &below, all) {
                full.insert("example".to_owned(), value);
            }
        }
        vec![Value::Object(full), Value::Object(short), json!({})]
    }
}

fn empty(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
        _ => false,
    }
}

/// What stands in braces is for a stack to fill in, not for a customer to copy.
fn holds_expression(value: &Value) -> bool {
    match value {
        Value::String(s) => s.contains("{{") || s.contains("{%"),
        Value::Array(items) => items.iter().any(holds_expression),
        Value::Object(map) => map.values().any(holds_expression),
        _ => false,
    }
}

fn least(parts: &[Part<'_>], keyword: &str) -> f64 {
    let all = parts.iter().filter_map(|p| p.number(keyword));
    all.reduce(f64::max).unwrap_or(0.0)
}

fn numbers(parts: &[Part<'_>]) -> Vec<Value> {
    let mut out = vec![1.0];
    for part in parts {
        for (keyword, off) in [
            ("minimum", 0.0),
            ("maximum", 0.0),
            ("exclusiveMinimum", 1.0),
            ("exclusiveMaximum", -1.0),
            ("multipleOf", 0.0),
        ] {
            out.extend(part.number(keyword).map(|n| n + off));
        }
        if let (Some(low), Some(step)) = (part.number("minimum"), part.number("multipleOf")) {
            out.push((low / step).ceil() * step);
        }
    }
    out.push(0.0);
    // Above the least is likelier right than 1 is.
    out.sort_by_key(|n| *n < least(parts, "minimum"));
    out.into_iter()
        .map(|n| {
            if n.fract() == 0.0 && n.abs() < 9e15 {
                json!(n as i64)
            } else {
                json!(n)
            }
        })
        .collect()
}

/// Words that people use, then one that is made from the pattern.
fn texts(parts: &[Part<'_>], steps: &[String]) -> Vec<Value> {
    let name = steps.last().map_or("", String::as_str);
    let slug = name.replace(['_', '.', ' '], "-").to_lowercase();
    let mut out: Vec<String> = [
        if name.contains("cidr") {
            "10.0.0.0/16"
        } else {
            ""
        },
        if name.contains("mail") {
            "team@example.com"
        } else {
            ""
        },
        if name.contains("domain") || name.contains("host") {
            "app.example.com"
        } else {
            ""
        },
        if name.contains("url") {
            "https://example.com/"
        } else {
            ""
        },
        if name.contains("name") { "shop" } else { "" },
    ]
    .into_iter()
    .filter(|t| !t.is_empty())
    .map(str::to_owned)
    .collect();
    let format = parts.iter().find_map(|p| p.text("format"));
    let known = match format {
        Some("ipv4") => "10.0.0.1",
        Some("ipv6") => "2001:db8::1",
        Some("email" | "idn-email") => "team@example.com",
        Some("uri" | "iri") => "https://example.com/",
        Some("hostname" | "idn-hostname") => "app.example.com",
        Some("date") => "2026-11-21",
        Some("time") => "08:00:00Z",
        Some("date-time") => "2026-11-21T08:00:00Z",
        Some("duration") => "P1D",
        Some("uuid") => "0b0b8f0e-7d52-4f0a-9a53-1c1f3f6f0a01",
        _ => "example",
    };
    out.insert(
        usize::from(format.is_none()).min(out.len()),
        known.to_owned(),
    );
    out.push(slug);
    out.extend(["10.0.0.0/16", "10.0.0.1", "eu-west-1", "1.0.0", "1", "a"].map(str::to_owned));
    let patterns: BTreeSet<&str> = parts.iter().filter_map(|p| p.text("pattern")).collect();
    let shortest = least(parts, "minLength").clamp(0.0, 200.0) as usize;
    for pattern in patterns {
        if let Ok(hir) = regex_syntax::parse(pattern) {
            for times in [3, shortest.max(1), 1] {
                let mut text = String::new();
                spell(&hir, times, &mut text);
                out.push(text);
            }
        }
    }
    if shortest > 0 {
        out.push("example-".chars().cycle().take(shortest).collect());
        out.push("a".repeat(shortest));
    }
    out.into_iter().map(Value::String).collect()
}

/// A text that the expression takes, of a readable length.
fn spell(hir: &Hir, times: usize, out: &mut String) {
    if out.len() > 500 {
        return;
    }
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => {}
        HirKind::Literal(literal) => out.push_str(&String::from_utf8_lossy(&literal.0)),
        HirKind::Class(Class::Unicode(class)) => {
            let has = |c: char| class.iter().any(|r| r.start() <= c && c <= r.end());
            let word = "example".chars().cycle().skip(out.len() % 7).take(7);
            let first = class.iter().next().map(|r| r.start());
            out.extend(word.chain("0A1-".chars()).find(|c| has(*c)).or(first));
        }
        HirKind::Class(Class::Bytes(class)) => {
            out.extend(class.iter().next().map(|r| char::from(r.start())));
        }
        HirKind::Repetition(repeated) => {
            let most = repeated.max.unwrap_or(u32::MAX);
            let times = u32::try_from(times).unwrap_or(1);
            for _ in 0..times.clamp(repeated.min, most).min(300) {
                spell(&repeated.sub, 3, out);
            }
        }
        HirKind::Capture(capture) => spell(&capture.sub, times, out),
        HirKind::Concat(all) => all.iter().for_each(|h| spell(h, times, out)),
        HirKind::Alternation(all) => {
            if let Some(first) = all.first() {
                spell(first, times, out);
            }
        }
    }
}
