//! What the fuzz targets do with one input. `tests/fuzz_seeds.rs` includes this file, so that the
//! seeds and some thousand mutations of them run with every `cargo test` too.
//!
//! A panic is a finding. Inputs of several parts are texts, separated by a line `=====`.

mod auditing;
mod forms;
mod plans;
mod redaction;
mod rendering;
mod requests;

pub use auditing::audit;
pub use plans::plan;
pub use redaction::redact;
pub use rendering::render;
pub use requests::request;

use serde_json::{Map, Value, json};
use std::sync::{Arc, LazyLock};
use tenantry::engine::emit;
use tenantry::estate::layers::{Effect, Layer, Part, blame, chain, merge as merged};
use tenantry::estate::model::is_layer;
use tenantry::estate::resolve::{ContractFile, Rules, resolve_customer};
use tenantry::estate::value::{Data, Node};
use tenantry::estate::yaml::{MAX_DEPTH, MAX_NODES, Reading, read};
use tenantry::estate::{Estate, Files, Finding, StackId, expression as expressions};

/// What is done with one input.
pub type Target = fn(&[u8]);

/// The targets by name.
pub const TARGETS: [(&str, Target); 9] = [
    ("yaml", yaml),
    ("merge", merge),
    ("expression", expression),
    ("contract", contract),
    ("plan", plan),
    ("redact", redact),
    ("render", render),
    ("request", request),
    ("audit", audit),
];

/// Between the parts of an input.
const BETWEEN: &str = "\n=====\n";

const FILE: &str = "infra/variables.yml";

/// What a person is told is one line of bounded length, without anything that a terminal, a
/// runner or a page would take for more than text, and about a place that is there.
fn said(findings: &[Finding], text: &[u8]) {
    let lines = text.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 2;
    for finding in findings {
        let message = &finding.message;
        assert!(!message.is_empty() && message.len() <= 4_000, "{message}");
        assert!(
            message
                .chars()
                .all(|c| matches!(c, ' '..='~' | '…' | '→' | '≤' | '≥')),
            "{message:?}"
        );
        if finding.place.path == FILE {
            assert!(finding.place.line <= lines, "{finding}");
        }
    }
}

fn positions(node: &Node, lines: usize) {
    assert!((1..=lines).contains(&node.line), "line {}", node.line);
    assert!(node.column >= 1);
    match &node.data {
        Data::List(items) => items.iter().for_each(|n| positions(n, lines)),
        Data::Map(entries) => {
            for (i, (key, value)) in entries.iter().enumerate() {
                assert!((1..=lines).contains(&key.line) && key.column >= 1);
                assert!(
                    entries.len() > 1_000 || entries[..i].iter().all(|(k, _)| k.name != key.name),
                    "the key {:?} twice",
                    key.name
                );
                positions(value, lines);
            }
        }
        _ => {}
    }
}

/// YAML allows no longer key without `? `.
fn long_key(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(long_key),
        Value::Object(map) => map.iter().any(|(key, value)| {
            Value::from(key.as_str()).to_string().len() > 1_000 || long_key(value)
        }),
        _ => false,
    }
}

/// The reader never panics and keeps its limits; what it accepts, written out and read again, is
/// the same.
pub fn yaml(data: &[u8]) {
    let lines = data.iter().filter(|b| matches!(b, b'\n' | b'\r')).count() + 2;
    let strict = read(FILE, data, Reading::Strict);
    let core = read(FILE, data, Reading::Core);
    for reading in [&strict, &core] {
        let node = match reading {
            Ok(node) => node,
            Err(findings) => {
                assert!(
                    (1..=200).contains(&findings.0.len()),
                    "{}",
                    findings.0.len()
                );
                said(&findings.0, data);
                continue;
            }
        };
        assert!(node.size() <= MAX_NODES, "{} values", node.size());
        assert!(node.depth() <= MAX_DEPTH + 1, "{} levels", node.depth());
        positions(node, lines);
        let value = node.to_json();
        let text = emit::yaml(&value);
        if text.len() > 1 << 20 || long_key(&value) {
            continue;
        }
        match read(FILE, text.as_bytes(), Reading::Strict) {
            Ok(again) => assert_eq!(again.to_json(), value, "{text}"),
            Err(findings) => panic!("{findings}\n{text}"),
        }
        // JSON is what engines get.
        let text = value.to_string();
        match read(FILE, text.as_bytes(), Reading::Core) {
            Ok(again) => assert_eq!(again.to_json(), value, "{text}"),
            Err(findings) => panic!("{findings}\n{text}"),
        }
    }
    // What is read strictly is read by YAML 1.2 as the same.
    if let Ok(strict) = strict {
        assert_eq!(core.as_ref(), Ok(&strict));
    }
}

/// Helm's `mergeMaps`, written down a second time.
fn helm(below: &mut Map<String, Value>, above: Map<String, Value>) {
    for (key, value) in above {
        match (below.get_mut(&key), value) {
            (Some(Value::Object(under)), Value::Object(over)) => helm(under, over),
            (_, value) => {
                below.insert(key, value);
            }
        }
    }
}

fn paths(value: &Value, at: &mut Vec<String>, out: &mut Vec<Vec<String>>) {
    if out.len() >= 200 {
        return;
    }
    if !at.is_empty() {
        out.push(at.clone());
    }
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => (0..).map(|i: usize| i.to_string()).zip(items).collect(),
        _ => Vec::new(),
    };
    for (step, part) in parts {
        at.push(step);
        paths(part, at, out);
        at.pop();
    }
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

fn stack(environment: &str) -> StackId {
    let Ok(stack) = format!("acme/web/{environment}").parse() else {
        panic!("{environment} is no environment");
    };
    stack
}

/// Two or three files of values; the last one is a customer's, with a block `environments`.
/// Merging, its provenance and its blame never panic and agree.
pub fn merge(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let mut layers = Vec::new();
    let parts: Vec<&str> = text.splitn(3, BETWEEN).collect();
    for (i, part) in parts.iter().enumerate() {
        let Ok(node) = read(FILE, part.as_bytes(), Reading::Strict) else {
            return;
        };
        if !is_layer(&node) {
            return;
        }
        let whole = Layer {
            name: "file",
            path: FILE.into(),
            node: Arc::new(node),
            part: Part::Whole,
        };
        if i + 1 < parts.len() {
            layers.push(whole);
            continue;
        }
        let environment = stack("staging").environment;
        for part in [Part::Common, Part::Environment(environment)] {
            layers.push(Layer {
                part,
                ..whole.clone()
            });
        }
    }
    let mut expected = Map::new();
    for layer in &layers {
        let mut map = layer.node.to_json();
        match &layer.part {
            Part::Whole => {}
            Part::Common => drop(map.as_object_mut().map(|m| m.remove("environments"))),
            Part::Environment(_) => {
                let block = map.get("environments").and_then(|e| e.get("staging"));
                map = block.cloned().unwrap_or_default();
            }
        }
        if let Value::Object(map) = map {
            helm(&mut expected, map);
        }
    }
    let values = Value::Object(merged(&layers));
    assert_eq!(values, Value::Object(expected));
    let mut asked = Vec::new();
    paths(&values, &mut Vec::new(), &mut asked);
    for layer in &layers {
        paths(&layer.node.to_json(), &mut Vec::new(), &mut asked);
    }
    for path in &asked {
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let told = chain(&layers, &steps);
        let there = at(&values, path);
        let set = told.last().filter(|o| o.effect == Effect::Sets);
        assert_eq!(set.is_some(), there.is_some(), "{path:?}: {told:?}");
        let blamed = blame(&layers, &steps);
        if let (Some(set), Some(there)) = (set, there) {
            assert_eq!(blamed.as_ref(), Some(set));
            assert!(there.is_object() || *there == set.value, "{path:?}");
        }
        assert!(blamed.is_none_or(|o| o.effect == Effect::Sets));
    }
}

fn size(value: &Value) -> (usize, usize) {
    let add = |a: (usize, usize), b: (usize, usize)| (a.0 + b.0, a.1 + b.1);
    match value {
        Value::String(text) => (1, text.len()),
        Value::Array(items) => items.iter().map(size).fold((1, 0), add),
        Value::Object(map) => map
            .iter()
            .map(|(key, value)| add((0, key.len()), size(value)))
            .fold((1, 0), add),
        _ => (1, 0),
    }
}

/// A text with expressions, and the values that it may refer to. Rendering never panics, is the
/// same every time, and what it gives is bounded.
pub fn expression(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else {
        return;
    };
    let (text, rest) = input.split_once(BETWEEN).unwrap_or((input, ""));
    let Ok(node) = read(FILE, rest.as_bytes(), Reading::Strict) else {
        return;
    };
    let mut values = match node.to_json() {
        Value::Object(values) => values,
        Value::Null => Map::new(),
        _ => return,
    };
    values.insert("text".to_owned(), Value::from(text));
    let before = Value::Object(values.clone());
    let layers = [Layer {
        name: "file",
        path: FILE.into(),
        node: Arc::new(node),
        part: Part::Whole,
    }];
    let stack = stack("staging");
    let (after, findings) = expressions::render(values.clone(), &layers, &stack);
    // The text itself was put there by hand, so only its file is known.
    said(&findings, data);
    let again = expressions::render(values, &layers, &stack);
    assert_eq!((&after, &findings), (&again.0, &again.1));
    let after = Value::Object(after);
    let (nodes, bytes) = size(&before);
    let (nodes_after, bytes_after) = size(&after);
    assert!(nodes_after <= nodes + MAX_NODES, "{nodes_after} values");
    assert!(bytes_after <= bytes + (1 << 20), "{bytes_after} bytes");
    if findings.is_empty() && !input.contains(['{', '\\']) {
        assert_eq!(before, after);
    }
}

static PROVIDER: LazyLock<(Estate, Rules)> = LazyLock::new(|| {
    let schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "required": ["project_name"],
        "additionalProperties": false,
        "properties": {
            "project_name": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "maxLength": 20},
            "region": {"enum": ["eu-west-1", "eu-central-1"]},
            "min_instances": {"type": "integer", "minimum": 1, "maximum": 20},
            "max_instances": {"type": "integer", "exclusiveMinimum": 0, "multipleOf": 2},
            "contact": {"type": "string", "format": "email"},
            "cidr": {"type": "string", "format": "ipv4"},
            "tags": {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"pattern": "^[a-z]+$"}, "maxProperties": 4},
            "rules": {"type": "array", "maxItems": 8, "uniqueItems": true, "items": {"$ref": "#/$defs/rule"}},
            "size": {"oneOf": [{"type": "integer"}, {"enum": ["small", "large"]}, {"type": "object", "required": ["cpu"]}]},
            "net": {"anyOf": [{"required": ["vpc"]}, {"required": ["subnet"]}], "not": {"required": ["public"]}},
            "when": {"if": {"type": "string"}, "then": {"format": "date"}, "else": {"type": ["null", "boolean"]}}
        },
        "$defs": {"rule": {"type": "object", "required": ["port"], "properties": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}, "from": {"type": "array", "contains": {"const": "internal"}}}, "unevaluatedProperties": false}}
    });
    let policy = "package main\nimport rego.v1\ndeny contains {\"msg\": msg, \"path\": [\"max_instances\"]} if {\n\tinput.values.min_instances > input.values.max_instances\n\tmsg := sprintf(\"min_instances (%v) is larger than max_instances (%v)\", [input.values.min_instances, input.values.max_instances])\n}\nwarn contains \"tell us whom to call\" if not input.values.contact\n";
    let files: Files = [
        ("products/web/values.schema.json", schema.to_string()),
        (
            "products/web/base-values.yaml",
            "region: eu-west-1\nmin_instances: 1\nmax_instances: 4\ntags: {owner: platform}\n"
                .to_owned(),
        ),
        (
            "products/web/environments/dev.yaml",
            "max_instances: 2\n".to_owned(),
        ),
        (
            "products/web/environments/production.yaml",
            "rules: [{port: 443}]\n".to_owned(),
        ),
        (
            "customers/acme/products.yaml",
            "products: [{name: web}]\n".to_owned(),
        ),
        ("policies/web.rego", policy.to_owned()),
    ]
    .into_iter()
    .map(|(path, text)| (path, text.into_bytes()))
    .collect();
    let Ok(estate) = Estate::read(files) else {
        panic!("the estate cannot be read");
    };
    let Ok(rules) = Rules::of(&estate) else {
        panic!("the rules cannot be read");
    };
    (estate, rules)
});

/// A customer's file against a provider's schema and policy, in every environment: never panics,
/// and what is wrong is told of a place that is there.
pub fn contract(data: &[u8]) {
    let (estate, rules) = &*PROVIDER;
    let file = ContractFile {
        path: FILE.to_owned(),
        bytes: data.to_vec(),
    };
    for customer in estate.customers.values() {
        match resolve_customer(estate, rules, customer, std::slice::from_ref(&file)) {
            Ok(stacks) => {
                assert_eq!(stacks.len(), 2);
                for stack in stacks {
                    said(&stack.warnings, data);
                    let values = &stack.effective.values;
                    assert!(size(values).0 <= 3 * MAX_NODES);
                    let canonical = stack.effective.canonical();
                    let again: Result<Value, _> = serde_json::from_str(&canonical);
                    assert!(again.is_ok_and(|again| again == *values), "{canonical}");
                }
            }
            Err(findings) => {
                assert!(!findings.0.is_empty());
                said(&findings.0, data);
            }
        }
    }
}
