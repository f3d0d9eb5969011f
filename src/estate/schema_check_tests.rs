use super::*;
use serde_json::json;

fn product() -> ProductId {
    match ProductId::new("web") {
        Ok(id) => id,
        Err(e) => panic!("{e}"),
    }
}

fn files(schema: &str) -> Files {
    let mut files = Files::new();
    files.insert("products/web/values.schema.json", schema.as_bytes());
    files
}

fn found(schema: &str) -> String {
    check(&files(schema), &product(), None).to_string()
}

/// A schema whose parts are good, with one more key.
fn with(key: &str) -> String {
    format!(
        "{{\"type\": \"object\", \"additionalProperties\": false, \"properties\": {{\n\"a\": {key}}}}}"
    )
}

#[test]
fn what_a_provider_reads_about_a_schema_full_of_mistakes() {
    let schema = r##"{
  "type": "object",
  "requried": ["region"],
  "required": ["region", "sise"],
  "additionalProperties": false,
  "properties": {
    "region": {"enum": ["eu-west-1", "us-east-1"], "type": "string", "default": "eu-wst-1"},
    "size": {"type": "integer", "minimum": 10, "maximum": 1, "description": "How large."},
    "count": {"type": "integer", "minLength": 2, "description": "How many.", "examples": ["two"]},
    "name": {"type": "string", "pattern": "[a-z]+", "description": "The name."},
    "slug": {"type": "string", "pattern": "^(?!x)a$", "description": "The slug."},
    "anything": {"description": "What?"},
    "net": {"type": "object", "description": "A network.", "properties": {"cidr": {"type": "string"}}},
    "tenantry_customer": {"type": "string", "description": "Ours."},
    "far": {"$ref": "https://example.com/x.json", "description": "Far."},
    "gone": {"$ref": "#/$defs/gone", "description": "Gone."}
  }
}
"##;
    insta::assert_snapshot!(found(schema), @r#"
products/web/values.schema.json:3:3: unknown keyword `requried`, which JSON Schema ignores; did you mean `required`? [schema-check-keyword]
products/web/values.schema.json:4:26: `sise` is required but not allowed: it is not in `properties`; did you mean `size`? [schema-check-required]
products/web/values.schema.json:7:15: warning: `region` has no description, which is what a customer reads; add one [schema-check-description]
products/web/values.schema.json:8:33: `minimum` (10) and `maximum` (1) leave no value; swap or correct them [schema-check-limits]
products/web/values.schema.json:9:34: warning: `minLength` says nothing about the type `integer`, only about `string`; remove it, or correct one of the two [schema-check-no-effect]
products/web/values.schema.json:10:43: warning: the pattern `[a-z]+` fits any text that has such a part; write `^(?:…)$` around it [schema-check-anchor]
products/web/values.schema.json:11:43: the pattern `^(?!x)a$` cannot be used: it is no regular expression, or it looks around or back, which matching in linear time cannot do; write it without [schema-check-pattern]
products/web/values.schema.json:12:17: warning: `anything` has no type, so every value passes; add `type` or `enum` [schema-check-type]
products/web/values.schema.json:13:12: warning: `net` takes any other key, so a misspelt one passes; add `"additionalProperties": false` [schema-check-open]
products/web/values.schema.json:13:83: warning: `cidr` has no description, which is what a customer reads; add one [schema-check-description]
products/web/values.schema.json:14:5: `tenantry_customer`: keys that begin with `tenantry_` are set by tenantry; give it another name [schema-check-reserved]
products/web/values.schema.json:15:21: `$ref` to `https://example.com/x.json`: leaves the product's folder; only files inside `products/web` can be referred to, copy it there [schema-check-ref]
products/web/values.schema.json:16:22: `$ref` to `#/$defs/gone`: there is nothing at `/$defs/gone`; correct it, or add it under `$defs` [schema-check-ref]
"#);
}

#[test]
fn values_must_keep_to_the_rules_beside_them() {
    insta::assert_snapshot!(found(r#"{
  "type": "object",
  "additionalProperties": false,
  "properties": {
    "a": {"type": "string", "enum": ["x", 1], "description": "A."},
    "b": {"type": "integer", "maximum": 5, "default": 6, "description": "B."},
    "c": {"type": "object", "description": "C.", "additionalProperties": {"type": "string"}, "examples": [{"k": "v"}, {"k": 1}]}
  }
}"#), @r#"
products/web/values.schema.json:5:43: `1` under `enum` breaks the schema's own rule: the value is not of type "string"; correct one of the two [schema-check-value]
products/web/values.schema.json:6:55: `6` under `default` breaks the schema's own rule: the value is greater than the maximum of 5; correct one of the two [schema-check-value]
products/web/values.schema.json:7:119: `{"k":1}` under `examples` breaks the schema's own rule (at `/k`): the value is not of type "string"; correct one of the two [schema-check-value]
"#);
}

#[test]
fn a_key_that_stands_twice_is_named() {
    let twice = with("{\"type\": \"string\",\n\"description\": \"A.\",\n\"type\": \"integer\"}");
    insta::assert_snapshot!(found(&twice), @r"products/web/values.schema.json:4:1: the key `type` stands already in line 2; keep one of the two [schema-check-duplicate-key]");
}

#[test]
fn a_good_schema_has_nothing_to_correct() {
    let good =
        with(r#"{"type": "string", "pattern": "^[a-z]+$", "description": "A.", "x-note": 1}"#);
    assert_eq!(found(&good), "");
    // Tabs indent JSON as well as spaces do.
    assert_eq!(found(&good.replace(' ', "\t")), "");
    let other = with(r#"{"$ref": "shared.json#/$defs/A%20b", "description": "A."}"#);
    let mut files = files(&other);
    files.insert(
        "products/web/shared.json",
        br#"{"$defs": {"A b": {"type": "string"}}}"#.to_vec(),
    );
    let findings = check(&files, &product(), None);
    let own = |f: &&Finding| f.place.path.ends_with("values.schema.json");
    assert_eq!(findings.0.iter().filter(own).count(), 0, "{findings}");
}

#[test]
fn positions_are_those_of_the_file_and_lost_only_where_yaml_is_not_json() {
    let place = |schema: &str| {
        let findings = check(&files(schema), &product(), None);
        findings.0.first().map(|f| f.place.to_string())
    };
    assert_eq!(
        place(&with("{\"type\": \"string\"}")).as_deref(),
        Some("products/web/values.schema.json:2:6")
    );
    // A surrogate pair is good JSON and no YAML.
    assert_eq!(
        place(&with(r#"{"type": "string", "title": "\ud83d\ude00"}"#)).as_deref(),
        Some("products/web/values.schema.json")
    );
}

#[test]
fn the_schema_and_the_module_must_fit() {
    let takes = |required, sensitive| Takes {
        required,
        sensitive,
        path: "products/web/terraform/variables.tf".to_owned(),
    };
    let module: BTreeMap<String, Takes> = [
        ("region", takes(true, false)),
        ("name", takes(true, false)),
        ("token", takes(true, true)),
        ("size", takes(false, false)),
        ("zone", takes(true, false)),
        ("tenantry_customer", takes(true, false)),
    ]
    .into_iter()
    .map(|(n, t)| (n.to_owned(), t))
    .collect();
    let schema = r#"{
  "type": "object",
  "additionalProperties": false,
  "required": ["name"],
  "properties": {
    "name": {"type": "string", "description": "N."},
    "zone": {"type": "string", "description": "Z."},
    "sise": {"type": "string", "description": "S."}
  }
}"#;
    let mut files = files(schema);
    let text = check(&files, &product(), Some(&module)).to_string();
    insta::assert_snapshot!(text, @r"
products/web/terraform/variables.tf: the variable `region` has no default, but the schema does not require it; add it to `properties` and `required`, or give the variable a default [schema-check-variable]
products/web/terraform/variables.tf: warning: the sensitive variable `token` has no default and a secret must not stand in a file; let the module read it from where secrets are kept [schema-check-variable]
products/web/values.schema.json:7:5: the variable `zone` has no default, but the schema does not require it; add it to `required`, or give the variable a default [schema-check-variable]
products/web/values.schema.json:8:5: warning: no variable of the module takes `sise`; did you mean `size`? [schema-check-variable]
");
    // What the product itself sets is not missing.
    files.insert(
        "products/web/base-values.yaml",
        b"region: r1\nzone: z1\n".to_vec(),
    );
    let text = check(&files, &product(), Some(&module)).to_string();
    assert!(
        !text.contains("`region`") && !text.contains("`zone`"),
        "{text}"
    );
}

#[test]
fn t22_hostile_schemas_end_with_a_place_and_a_reason() {
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    assert!(found(&deep).contains("recursion limit"), "{}", found(&deep));
    assert!(found("{").contains("not valid JSON"), "{}", found("{"));
    assert!(found("\u{feff}").contains("not valid JSON"));
    assert!(
        found("[]").contains("not a usable JSON Schema"),
        "{}",
        found("[]")
    );
    // Circles that never go down in the values, and one that does.
    for circle in [
        json!({"$ref": "#"}),
        json!({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}),
        json!({"allOf": [{"anyOf": [{"$ref": "#"}]}]}),
    ] {
        let text = found(&circle.to_string());
        assert!(text.contains("has no end"), "{text}");
    }
    let tree =
        json!({"type": "object", "description": "T.", "additionalProperties": {"$ref": "#"}});
    assert!(!found(&tree.to_string()).contains("schema-check-ref"));
    // A chain that would overflow the stack of whoever follows it.
    let mut defs = serde_json::Map::new();
    for i in 0..20_000 {
        let next = format!("#/$defs/a{}", i + 1);
        defs.insert(format!("a{i}"), json!({"$ref": next}));
    }
    defs.insert("a20000".into(), json!({"type": "string"}));
    let text = found(&json!({"$ref": "#/$defs/a0", "$defs": defs}).to_string());
    assert!(text.contains("`$ref`s lead from one to the next"), "{text}");
    // Each twice the one before.
    let mut defs = serde_json::Map::new();
    for i in 0..30 {
        let next = json!({"$ref": format!("#/$defs/a{}", i + 1)});
        defs.insert(format!("a{i}"), json!({"allOf": [next, next]}));
    }
    defs.insert(
        "a30".into(),
        json!({"type": "object", "additionalProperties": false}),
    );
    let _ = found(&json!({"$ref": "#/$defs/a0", "$defs": defs}).to_string());
    for outside in [
        "../other/x.json",
        "/etc/passwd",
        "file:///etc/passwd",
        "../../tenantry.yml",
        "%2e%2e/x.json",
    ] {
        let text = found(&with(&format!(r#"{{"$ref": "{outside}"}}"#)));
        assert!(
            text.contains("leaves the product's folder") || text.contains("no file"),
            "{outside}: {text}"
        );
    }
}
