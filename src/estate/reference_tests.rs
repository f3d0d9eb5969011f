use super::*;
use crate::estate::Files;

pub(crate) fn estate(schema: &str, more: &[(&str, &str)]) -> Estate {
    let mut files = Files::new();
    files.insert("products/web/values.schema.json", schema.as_bytes());
    files.insert("products/web/environments/staging.yaml", b"{}\n".to_vec());
    files.insert(
        "products/web/environments/production.yaml",
        b"{}\n".to_vec(),
    );
    for (path, text) in more {
        files.insert(*path, text.as_bytes());
    }
    match Estate::read(files) {
        Ok(estate) => estate,
        Err(e) => panic!("{e}"),
    }
}

fn page(schema: &str, more: &[(&str, &str)]) -> Reference {
    let estate = estate(schema, more);
    let product = estate.products.keys().next().cloned();
    match product.map(|p| reference(&estate, &p)) {
        Some(Ok(Some(page))) => page,
        other => panic!("{other:?}"),
    }
}

/// One line per key.
fn lines(page: &Reference) -> String {
    page.entries
        .iter()
        .map(|e| {
            let limits: Vec<String> = e
                .limits
                .iter()
                .map(|l| {
                    format!("{} {}", l.words, l.code.clone().unwrap_or_default())
                        .trim_end()
                        .to_owned()
                })
                .chain(e.notes.clone())
                .chain(e.alternatives.iter().map(|a| format!("either {a}")))
                .chain(e.only.iter().map(|o| format!("only {o}")))
                .chain(
                    e.given
                        .iter()
                        .map(|g| format!("{}={} {}", g.environments.join("+"), g.value, g.place)),
                )
                .collect();
            let need = if e.required { "!" } else { "" };
            format!("{}{need}: {} {:?}", e.key, e.kind, limits)
        })
        .collect::<Vec<_>>()
        .join("\n")
}

#[test]
fn keys_come_from_everywhere_in_the_schema() {
    let schema = r##"{
  "$defs": {
    "port": {"type": "integer", "minimum": 1, "maximum": 65535},
    "named": {"properties": {"name": {"type": "string", "minLength": 1}}, "required": ["name"]}
  },
  "type": "object",
  "additionalProperties": false,
  "required": ["zeta"],
  "properties": {
    "zeta": {"allOf": [{"$ref": "#/$defs/named"}, {"properties": {"name": {"maxLength": 9}, "port": {"$ref": "#/$defs/port"}}}]},
    "rules": {"type": "array", "maxItems": 3, "items": {"type": "object", "required": ["to"], "properties": {"to": {"$ref": "#/$defs/port"}}}},
    "tags": {"type": "object", "additionalProperties": {"type": "string", "maxLength": 5}},
    "by_zone": {"type": "object", "patternProperties": {"^z[0-9]$": {"type": "boolean"}}},
    "pair": {"type": "array", "prefixItems": [{"type": "string"}, {"type": "integer"}]},
    "list": {"type": "array", "items": {"type": "string"}},
    "kind": {"enum": ["a", "b"]},
    "either": {"oneOf": [
      {"title": "a disk", "type": "object", "properties": {"disk": {"type": "integer"}}},
      {"type": "object", "properties": {"bucket": {"type": "string"}}, "required": ["bucket"]}
    ]},
    "tree": {"$ref": "other.json#node"}
  }
}"##;
    let other = r##"{"$defs": {"node": {"$anchor": "node", "type": "object", "properties": {"left": {"$ref": "#node"}, "value": {"type": ["integer", "null"]}}}}}"##;
    let page = page(
        schema,
        &[
            ("products/web/other.json", other),
            (
                "products/web/base-values.yaml",
                "kind: a\ntags:\n  x: v\nzeta:\n  port: 1\n",
            ),
            (
                "products/web/environments/staging.yaml",
                "kind: b\ntags:\n  z: w\n",
            ),
        ],
    );
    insta::assert_snapshot!(lines(&page), @r#"
zeta!: map []
zeta.name!: text ["1 to 9 characters"]
zeta.port: whole number ["1 to 65535", "staging+production=1 products/web/base-values.yaml:5"]
rules: list of maps ["at most 3 in the list"]
rules[]: map []
rules[].to!: whole number ["1 to 65535"]
tags: map of texts ["staging={\"x\":\"v\",\"z\":\"w\"} products/web/environments/staging.yaml:3", "production={\"x\":\"v\"} products/web/base-values.yaml:3"]
tags.<key>: text ["at most 5 characters"]
by_zone: map []
by_zone.<^z[0-9]$>: true or false []
pair: list []
pair[0]: text []
pair[1]: whole number []
list: list of texts []
kind: text ["staging=\"b\" products/web/environments/staging.yaml:1", "production=\"a\" products/web/base-values.yaml:1"]
either: one of several ["either a disk with disk", "either map with bucket"]
either.disk: whole number ["only a disk"]
either.bucket!: text ["only alternative 2"]
tree: map []
tree.left: as `tree` ["holds the same as `tree` again, to any depth"]
tree.value: whole number or null []
"#);
    let mut anchors: Vec<&str> = page.entries.iter().map(|e| e.anchor.as_str()).collect();
    anchors.sort_unstable();
    anchors.dedup();
    assert_eq!(anchors.len(), page.entries.len());
}

#[test]
fn what_multiplies_is_cut() {
    let mut defs = serde_json::Map::new();
    for i in 0..40 {
        let next = serde_json::json!({"$ref": format!("#/$defs/a{}", i + 1)});
        defs.insert(
            format!("a{i}"),
            serde_json::json!({"properties": {"l": next, "r": next}, "oneOf": [next, next]}),
        );
    }
    defs.insert("a40".into(), serde_json::json!({"type": "string"}));
    let schema = serde_json::json!({"properties": {"x": {"$ref": "#/$defs/a0"}}, "$defs": defs});
    let page = page(&schema.to_string(), &[]);
    assert!(page.entries.len() <= 2_000);
    assert!(
        page.notes.iter().any(|n| n.contains("only the first")),
        "{:?}",
        page.notes
    );
}

#[test]
fn made_up_values_pass() {
    let schema = r#"{"type": "object", "properties": {
        "name": {"type": "string", "pattern": "^[a-z][a-z0-9-]{1,30}$"},
        "code": {"type": "string", "pattern": "^[A-Z]{3}-[0-9]{4}(-x|-y)$"},
        "long": {"type": "string", "minLength": 40},
        "n": {"type": "number", "exclusiveMinimum": 3, "multipleOf": 5},
        "when": {"type": "string", "format": "date"},
        "items": {"type": "array", "minItems": 2, "items": {"type": "object", "required": ["p"], "properties": {"p": {"type": "integer", "minimum": 9}}}},
        "pick": {"oneOf": [{"type": "object", "required": ["a"], "properties": {"a": {"const": 7}}}]},
        "never": {"type": "string", "enum": []},
        "environments": {"type": "string"}
    }}"#;
    let estate = estate(schema, &[]);
    let product = estate.products.keys().next().cloned();
    let Some(Ok(made)) = product.map(|p| samples(&estate, &p)) else {
        panic!()
    };
    let text: Vec<String> = made
        .iter()
        .map(|s| format!("{}: {}", s.key, s.value))
        .collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
name: "shop"
code: "AAA-0000-x"
long: "example-example-example-example-example-"
n: 5
when: "2026-11-21"
items: [{"p":9},{"p":9}]
pick: {"a":7}
"#);
}
