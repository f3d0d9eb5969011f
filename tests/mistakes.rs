//! What a person reads who made a mistake: where, what, why, and what to write instead. Through
//! the real binary, on a small estate, each message by the letter.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a story that cannot set its scene has failed"
)]

mod support;

use insta::assert_snapshot;
use std::path::Path;
use std::process::Command;

const SCHEMA: &str = r##"{
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "type": "object",
  "required": ["project_name", "region"],
  "additionalProperties": false,
  "properties": {
    "project_name": {"type": "string", "pattern": "^[a-z][a-z0-9-]*$", "maxLength": 20, "examples": ["shop"]},
    "region": {"enum": ["eu-west-1", "eu-central-1", "us-east-1"]},
    "min_instances": {"type": "integer", "minimum": 1, "maximum": 20},
    "max_instances": {"type": "integer", "minimum": 1, "maximum": 20, "multipleOf": 2},
    "public": {"type": "boolean"},
    "ratio": {"type": "number", "exclusiveMaximum": 1},
    "contact": {"type": "string", "format": "email"},
    "since": {"type": "string", "format": "date"},
    "network": {
      "type": "object",
      "required": ["vpc_cidr"],
      "additionalProperties": false,
      "properties": {"vpc_cidr": {"type": "string"}, "subnets": {"type": "array", "items": {"type": "string", "format": "ipv4"}, "minItems": 2}}
    },
    "tags": {"type": "object", "additionalProperties": {"type": "string"}, "propertyNames": {"pattern": "^[a-z_]+$"}, "maxProperties": 3},
    "ports": {"type": "array", "items": {"$ref": "#/$defs/port"}, "maxItems": 3, "uniqueItems": true},
    "size": {"oneOf": [
      {"type": "integer", "minimum": 1},
      {"enum": ["small", "large"]},
      {"type": "object", "required": ["cpu", "memory"], "properties": {"cpu": {"type": "integer"}, "memory": {"type": "string"}}, "additionalProperties": false}
    ]},
    "storage": {"anyOf": [{"title": "a bucket", "required": ["bucket"]}, {"title": "a volume", "required": ["volume"]}], "not": {"required": ["shared"]}},
    "tier": {"const": "standard"}
  },
  "$defs": {
    "port": {
      "type": "object",
      "required": ["port"],
      "additionalProperties": false,
      "properties": {"port": {"type": "integer", "minimum": 1, "maximum": 65535}, "from": {"type": "array", "items": {"type": "string"}}}
    }
  }
}
"##;

const POLICY: &str = "package web\n\nimport rego.v1\n\ndeny contains {\"msg\": msg, \"path\": [\"min_instances\"]} if {\n\tinput.values.min_instances > input.values.max_instances\n\tmsg := sprintf(\"min_instances (%v) is larger than max_instances (%v)\", [input.values.min_instances, input.values.max_instances])\n}\n\nwarn contains \"production with one instance has no redundancy\" if {\n\tinput.stack.environment == \"production\"\n\tinput.values.min_instances == 1\n}\n";

const ESTATE: [(&str, &str); 9] = [
    (
        "products/web/product.yaml",
        "engine: argocd\nenvironments: [staging, production]\n",
    ),
    (
        "products/web/base-values.yaml",
        "region: eu-west-1\nmin_instances: 2\nmax_instances: 4\n",
    ),
    (
        "products/web/environments/staging.yaml",
        "max_instances: 2\n",
    ),
    ("products/web/values.schema.json", SCHEMA),
    ("policies/web.rego", POLICY),
    (
        "customers/acme/metadata.yaml",
        "name: Acme\nrepository: acme/app\nrepository_id: 7\n",
    ),
    ("customers/acme/products.yaml", "products:\n  - name: web\n"),
    (
        "customers/globex/products.yaml",
        "products:\n  - name: web\n    environments: [production]\n",
    ),
    ("customers/globex/web/values.yaml", "project_name: portal\n"),
];

/// A folder with an estate that nothing is wrong with.
struct Scene(tempfile::TempDir);

impl Scene {
    fn set() -> Self {
        let scene = Self(tempfile::tempdir().unwrap());
        for (path, text) in ESTATE {
            scene.put(path, text);
        }
        scene
    }

    fn put(&self, path: &str, text: impl AsRef<[u8]>) {
        let path = self.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    /// What a person sees: the exit code, and everything that is printed.
    fn told(&self, args: &[&str]) -> String {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(args)
            .current_dir(self.path())
            .env_clear()
            .env("PATH", support::path())
            .output()
            .unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let all = format!(
            "exit {}\n{}{}",
            out.status.code().unwrap(),
            text(&out.stdout),
            text(&out.stderr)
        );
        assert!(all.len() < 8_000, "too much to read: {} bytes", all.len());
        all
    }
}

/// What a customer reads about their file.
fn contract(text: impl AsRef<[u8]>) -> String {
    let scene = Scene::set();
    scene.put("infra/variables.yml", text);
    scene.told(&["validate", "--product", "web", "infra/variables.yml"])
}

/// What a provider reads about their estate, with one file changed.
fn estate(path: &str, text: &str) -> String {
    let scene = Scene::set();
    scene.put(path, text);
    scene.told(&["validate"])
}

#[test]
fn nothing_is_wrong() {
    assert_snapshot!(estate("README.md", ""), @r#"
    exit 0
    3 stacks checked, nothing to correct
    "#);
    assert_snapshot!(contract("project_name: shop\n"), @r#"
    exit 0
    1 file checked, nothing to correct
    "#);
}

#[test]
fn t8_values_that_tools_read_differently() {
    assert_snapshot!(contract("project_name: no\npublic: yes\n"), @r#"
    exit 1
    infra/variables.yml:1:15: `no` is read differently by different tools; write `false`, or `"no"` for the text [yaml-ambiguous]
    infra/variables.yml:2:9: `yes` is read differently by different tools; write `true`, or `"yes"` for the text [yaml-ambiguous]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\npublic: on\n"), @r#"
    exit 1
    infra/variables.yml:2:9: `on` is read differently by different tools; write `true`, or `"on"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: 012\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `012` is read differently by different tools; write the meant number in plain digits, or `"012"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmax_instances: 1_000\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `1_000` is read differently by different tools; write the meant number in plain digits, or `"1_000"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nratio: 1e3\n"), @r#"
    exit 1
    infra/variables.yml:2:8: `1e3` is read differently by different tools; write the meant number in plain digits, or `"1e3"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nsince: 2026-11-21\n"), @r#"
    exit 1
    infra/variables.yml:2:8: `2026-11-21` is read differently by different tools; write `"2026-11-21"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {start: 12:30:45}\n"), @r#"
    exit 1
    infra/variables.yml:2:15: `12:30:45` is read differently by different tools; write the meant number in plain digits, or `"12:30:45"` for the text [yaml-ambiguous]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {id: 123456789012345678901234567890}\n"), @r#"
    exit 1
    infra/variables.yml:2:12: `123456789012345678901234567890` has more digits than can be kept; write it in quotes [yaml-number]
    1 to correct
    "#);
}

#[test]
fn t8_files_that_tools_read_differently() {
    assert_snapshot!(contract("project_name: shop\ntags:\n\towner: me\n"), @r#"
    exit 1
    infra/variables.yml:3:2: not valid YAML: tabs disallowed within this context (block indentation); indent with spaces, not with tabs [yaml-syntax]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {}\nproject_name: portal\n"), @r#"
    exit 1
    infra/variables.yml:3:1: the key `project_name` stands already in line 1; keep one of the two [yaml-duplicate-key]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\n---\nproject_name: portal\n"), @r#"
    exit 1
    infra/variables.yml:2:1: a second document starts here; the file may hold one only, remove the `---` [yaml-documents]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: !secret owner\n"), @r#"
    exit 1
    infra/variables.yml:2:7: the tag `!secret` is not supported; remove it [yaml-tag]
    1 to correct
    "#);
    assert_snapshot!(contract("base: &base {a: 1}\ntags:\n  <<: *base\n"), @r#"
    exit 1
    infra/variables.yml:3:3: merge keys (`<<`) are not part of YAML 1.2; write the keys out [yaml-merge-key]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {1: a, true: b}\n"), @r#"
    exit 1
    infra/variables.yml:2:8: a key must be a text; write `"1"` in quotes [yaml-key]
    infra/variables.yml:2:14: a key must be a text; write `"true"` in quotes [yaml-key]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: \"shop\u{202e}pohs\"\n"), @r#"
    exit 1
    infra/variables.yml:1:15: an invisible or direction-changing character (U+202E) is not allowed here; delete it [yaml-hidden-character]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: [1\n"), @r#"
    exit 1
    infra/variables.yml:3:1: not valid YAML: while parsing a flow sequence, expected ',' or ']'; close the list with `]` [yaml-syntax]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nregion eu-west-1\n"), @r#"
    exit 1
    infra/variables.yml:3:1: not valid YAML: simple key expect ':'; a line above is not `key: value` [yaml-syntax]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop: the best\n"), @r#"
    exit 1
    infra/variables.yml:1:19: not valid YAML: mapping values are not allowed in this context; write a text that holds `: ` in quotes, and begin each key on a line of its own [yaml-syntax]
    1 to correct
    "#);
    assert_snapshot!(contract(b"project_name: shop\ncontact: J\xfcrgen\n"), @r#"
    exit 1
    infra/variables.yml:2: the file is not UTF-8; save it as UTF-8 [yaml-encoding]
    1 to correct
    "#);
    // A mark at the beginning is what some editors write; it changes nothing.
    assert_snapshot!(contract("\u{feff}project_name: shop\n"), @r#"
    exit 0
    1 file checked, nothing to correct
    "#);
}

#[test]
fn t20_files_that_are_too_much() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..20 {
        let last = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", last.trim_end_matches(", ")));
    }
    assert_snapshot!(contract(bomb), @r#"
    exit 1
    infra/variables.yml:5:45: the aliases expand to more than 100000 values; write the values out [yaml-too-large]
    1 to correct
    "#);
    assert_snapshot!(contract(format!("project_name: shop\n# {}\n", "x".repeat(1 << 20))), @r#"
    exit 1
    infra/variables.yml: the file has 1048598 bytes, the limit is 1048576; split it or remove what is not needed [yaml-too-large]
    1 to correct
    "#);
    assert_snapshot!(contract(format!("a: {}{}\n", "[".repeat(70), "]".repeat(70))), @r#"
    exit 1
    infra/variables.yml:1:67: nested deeper than 64 levels; write it flatter [yaml-too-deep]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: &all\n  mine: *all\n"), @r#"
    exit 1
    infra/variables.yml:3:9: the anchor of this alias is not complete here; write the value out [yaml-alias]
    1 to correct
    "#);
    // A message shows the beginning of a value, not all of it.
    assert_snapshot!(contract(format!("project_name: {}\n", "x".repeat(900_000))), @r#"
    exit 1
    infra/variables.yml:1:15: `project_name` is `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…`, which has 900000 characters, more than the 20 allowed [schema]
    1 to correct
    "#);
    assert_snapshot!(contract(format!("project_name: {}\n", "no\u{1b}[31m`".repeat(10))), @r#"
    exit 1
    infra/variables.yml:1:15: an invisible or direction-changing character (U+001B) is not allowed here; delete it [yaml-hidden-character]
    1 to correct
    "#);
}

#[test]
fn values_that_the_schema_does_not_allow() {
    assert_snapshot!(contract("project_nme: shop\n"), @r#"
    exit 1
    infra/variables.yml:1:1: unknown key `project_nme`; did you mean `project_name`? [schema-unknown-key]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ncolour: red\n"), @r#"
    exit 1
    infra/variables.yml:2:1: unknown key `colour`; known keys are `contact`, `max_instances`, `min_instances`, `network`, `ports`, `project_name`, `public`, `ratio`, 6 more [schema-unknown-key]
    1 to correct
    "#);
    assert_snapshot!(contract("region: eu-west-1\n"), @r#"
    exit 1
    infra/variables.yml:1:1: `project_name` is missing; set it in `infra/variables.yml`, or for every customer in `products/web/base-values.yaml` [schema-required]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nregion: eu-wst-1\n"), @r#"
    exit 1
    infra/variables.yml:2:9: `region` is `eu-wst-1`, which is not allowed; did you mean `eu-west-1`? [schema-enum]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nregion: mars\n"), @r#"
    exit 1
    infra/variables.yml:2:9: `region` is `mars`, which is not allowed; use one of `eu-west-1`, `eu-central-1`, `us-east-1` [schema-enum]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: two\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `min_instances` is the text `two`, but must be a whole number [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: \"2\"\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `min_instances` is the text `2`, but must be a whole number; write `2` without quotes [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: 7\npublic: \"true\"\n"), @r#"
    exit 1
    infra/variables.yml:1:15: `project_name` is the number `7`, but must be a text; write `"7"` in quotes [schema]
    infra/variables.yml:2:9: `public` is the text `true`, but must be true or false; write `true` without quotes [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: 1.5\ntags: null\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `min_instances` is the number `1.5`, but must be a whole number [schema]
    infra/variables.yml:3:7: `tags` is null, but must be a map; give it a value or remove the key [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmax_instances: 21\nratio: 1.0\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `max_instances` is `21`, which is more than the maximum of `20` [schema]
    infra/variables.yml:2:16: `max_instances` is `21`, which is not a multiple of `2` [schema]
    infra/variables.yml:3:8: `ratio` is `1.0`, which is not less than `1` [schema]
    3 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmax_instances: 3\nmin_instances: 0\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `max_instances` is `3`, which is not a multiple of `2` [schema]
    infra/variables.yml:3:16: `min_instances` is `0`, which is less than the minimum of `1` [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: Shop\n"), @r#"
    exit 1
    infra/variables.yml:1:15: `project_name` is `Shop`, which does not match the pattern `^[a-z][a-z0-9-]*$`; for example `shop` [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop-of-the-whole-of-europe\n"), @r#"
    exit 1
    infra/variables.yml:1:15: `project_name` is `shop-of-the-whole-of-europe`, which has 27 characters, more than the 20 allowed [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ncontact: nobody\nsince: \"2026-13-01\"\n"), @r#"
    exit 1
    infra/variables.yml:2:10: `contact` is `nobody`, which is not an email address [schema]
    infra/variables.yml:3:8: `since` is `2026-13-01`, which is not a date such as `2026-11-21` [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntier: premium\n"), @r#"
    exit 1
    infra/variables.yml:2:7: `tier` is `premium`, which is not allowed; it must be `standard` [schema]
    1 to correct
    "#);
}

#[test]
fn maps_and_lists_that_the_schema_does_not_allow() {
    assert_snapshot!(contract("project_name: shop\ntags: [a]\nports: 80\n"), @r#"
    exit 1
    infra/variables.yml:2:7: `tags` is a list, but must be a map [schema]
    infra/variables.yml:3:8: `ports` is the number `80`, but must be a list [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nports:\n  - port: 443\n  - port: 70000\n    form: [internal]\n  - from: [internal]\n"), @r#"
    exit 1
    infra/variables.yml:4:11: `ports[1].port` is `70000`, which is more than the maximum of `65535` [schema]
    infra/variables.yml:5:5: unknown key `form`; did you mean `from`? [schema-unknown-key]
    infra/variables.yml:6:5: `ports[2].port` is missing; add it here [schema-required]
    3 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nports: [{port: 1}, {port: 2}, {port: 3}, {port: 1}]\n"), @r#"
    exit 1
    infra/variables.yml:2:8: `ports` is a list of 4 items, which holds the same item twice, as items 1 and 4; remove one of them [schema]
    infra/variables.yml:2:8: `ports` is a list of 4 items, which is more than the 3 allowed [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nnetwork: {subnets: [10.0.0.256]}\n"), @r#"
    exit 1
    infra/variables.yml:2:10: `network.vpc_cidr` is missing; set it in `infra/variables.yml`, or for every customer in `products/web/base-values.yaml` [schema-required]
    infra/variables.yml:2:20: `network.subnets` is a list of 1 item, which is fewer than the 2 needed [schema]
    infra/variables.yml:2:21: `network.subnets[0]` is `10.0.0.256`, which is not an IPv4 address such as `192.0.2.1` [schema]
    3 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {Owner: me, a: b, c: d, e: f}\n"), @r#"
    exit 1
    infra/variables.yml:2:7: `tags` is a map of 4 keys, which is more than the 3 allowed [schema]
    infra/variables.yml:2:8: `tags` has the key `Owner`, which does not match the pattern `^[a-z_]+$` [schema]
    2 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {owner: 1}\n"), @r#"
    exit 1
    infra/variables.yml:2:15: `tags.owner` is the number `1`, but must be a text; write `"1"` in quotes [schema]
    1 to correct
    "#);
}

#[test]
fn forms_to_choose_from() {
    assert_snapshot!(contract("project_name: shop\nsize: medium\n"), @r#"
    exit 1
    infra/variables.yml:2:7: `size` is `medium`, which is none of what is allowed: a whole number at least `1`; one of `small`, `large`; a map with `cpu` and `memory` [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nsize: {cpu: 2}\n"), @r#"
    exit 1
    infra/variables.yml:2:7: `size.memory` is missing; set it in `infra/variables.yml`, or for every customer in `products/web/base-values.yaml` [schema-required]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nsize: {cpu: two, memory: 4Gi}\n"), @r#"
    exit 1
    infra/variables.yml:2:13: `size.cpu` is the text `two`, but must be a whole number [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nstorage: {disk: 1}\n"), @r#"
    exit 1
    infra/variables.yml:2:10: `storage` is a map of 1 key, which is none of what is allowed: `a bucket`; `a volume` [schema]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nstorage: {bucket: a, shared: true}\n"), @r#"
    exit 1
    infra/variables.yml:2:10: `storage` is a map of 2 keys, which is not allowed; it must not be a map with `shared` [schema]
    1 to correct
    "#);
}

#[test]
fn every_mistake_is_blamed_on_the_file_that_made_it() {
    let scene = Scene::set();
    scene.put(
        "products/web/environments/staging.yaml",
        "max_instances: 30\n",
    );
    scene.put(
        "customers/acme/web/values.yaml",
        "region: mars\ncolour: red\n",
    );
    scene.put(
        "customers/acme/web/environments/production.yaml",
        "tags: {owner: 1}\n",
    );
    scene.put(
        "own/infra/variables.yml",
        "project_name: Shop\nenvironments:\n  staging: {public: 1}\n",
    );
    let staging = scene.told(&["resolve", "acme/web/staging", "--variables", "own"]);
    assert_snapshot!(staging, @r#"
    exit 1
    error: customers/acme/web/values.yaml:1:9: `region` is `mars`, which is not allowed; use one of `eu-west-1`, `eu-central-1`, `us-east-1` [schema-enum]
    customers/acme/web/values.yaml:2:1: unknown key `colour`; known keys are `contact`, `max_instances`, `min_instances`, `network`, `ports`, `project_name`, `public`, `ratio`, 6 more [schema-unknown-key]
    infra/variables.yml:1:15: `project_name` is `Shop`, which does not match the pattern `^[a-z][a-z0-9-]*$`; for example `shop` [schema]
    infra/variables.yml:3:21: `public` is the number `1`, but must be true or false [schema]
    products/web/environments/staging.yaml:1:16: `max_instances` is `30`, which is more than the maximum of `20` [schema]
    "#);
    let production = scene.told(&["resolve", "acme/web/production", "--variables", "own"]);
    assert_snapshot!(production, @r#"
    exit 1
    error: customers/acme/web/environments/production.yaml:1:15: `tags.owner` is the number `1`, but must be a text; write `"1"` in quotes [schema]
    customers/acme/web/values.yaml:1:9: `region` is `mars`, which is not allowed; use one of `eu-west-1`, `eu-central-1`, `us-east-1` [schema-enum]
    customers/acme/web/values.yaml:2:1: unknown key `colour`; known keys are `contact`, `max_instances`, `min_instances`, `network`, `ports`, `project_name`, `public`, `ratio`, 6 more [schema-unknown-key]
    infra/variables.yml:1:15: `project_name` is `Shop`, which does not match the pattern `^[a-z][a-z0-9-]*$`; for example `shop` [schema]
    "#);
}

#[test]
fn expressions_that_cannot_be_evaluated() {
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{{ environmnt }}\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:11: `environmnt` is not defined; did you mean `environment`? [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{{ values.tags.b }}\", b: \"{{ values.tags.a }}\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:37: refers to itself: `values.tags.a` → `values.tags.b` → `values.tags.a`; write one of them as a plain value [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{% if x %}y{% endif %}\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:11: statements (`{% … %}`) are not allowed here; use `{{ name }}` only [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nports: [{port: 1}]\ntags: {a: \"ports {{ values.ports }}\"}\n"), @r#"
    exit 1
    infra/variables.yml:3:11: a list, a map or null cannot stand inside a text; use the expression alone [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{{ environment\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:11: `{{` without `}}`; close the expression [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{{ project_name | upper }}\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:11: `|` is not allowed in an expression; use `customer`, `product`, `environment`, `project_name` and `values.<key>` [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntags: {a: \"{{ project_name. }}\"}\n"), @r#"
    exit 1
    infra/variables.yml:2:11: not an expression (syntax error); use `customer`, `product`, `environment`, `project_name` and `values.<key>` [expression]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: \"{{ project_name }}\"\n"), @r#"
    exit 1
    infra/variables.yml:2:16: `min_instances` is the text `shop`, but must be a whole number [schema]
    1 to correct
    "#);
}

#[test]
fn policies_that_say_no() {
    assert_snapshot!(contract("project_name: shop\nenvironments:\n  staging:\n    min_instances: 3\n"), @r#"
    exit 1
    infra/variables.yml:4:20: min_instances (3) is larger than max_instances (2) [policy]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nmin_instances: 1\n"), @r#"
    exit 0
    policies/web.rego: warning: production with one instance has no redundancy [policy]
    nothing to correct, 1 warning
    "#);
}

#[test]
fn policies_that_are_mistaken_themselves() {
    assert_snapshot!(estate("policies/broken.rego", "package x\n\nimport rego.v1\n\ndeny contains msg if {\n\tmsg := \n}\n"), @r#"
    exit 1
    policies/broken.rego:6:9: expecting `}` while parsing set [policy-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("policies/typo.rego", "package x\n\nimport rego.v1\n\ndney contains \"no\" if true\n"), @r#"
    exit 1
    policies/typo.rego: the policy defines neither `deny` nor `warn`, so it could never say anything; add a rule or remove the file [policy-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("policies/kind.rego", "package x\n\ndeny := true\n"), @r#"
    exit 1
    policies/kind.rego: `data.x.deny` must be a set of messages; write it as `deny contains msg if { … }` [policy-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("policies/endless.rego", "package x\n\nimport rego.v1\n\ndeny contains \"no\" if {\n\tsome a in numbers.range(1, 4000)\n\tsome b in numbers.range(1, 4000)\n\tsome c in numbers.range(1, 4000)\n\ta + b == c + 100000\n}\n"), @r#"
    exit 1
    policies/endless.rego: `data.x.deny` does not end within the time limit of 2 s; let it look at less [policy-invalid]
    1 to correct
    "#);
}

#[test]
fn files_of_another_shape() {
    assert_snapshot!(contract("- project_name: shop\n"), @r#"
    exit 1
    infra/variables.yml:1:1: the file must hold keys and values, found a list [contract]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nenvironments:\n  stagin: {min_instances: 1}\n"), @r#"
    exit 1
    infra/variables.yml:3:3: there is no environment `stagin`; did you mean `staging`? [contract-environment]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nenvironments: [staging]\n"), @r#"
    exit 1
    infra/variables.yml:2:15: `environments` must be a map of environments, found a list [contract]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\nenvironments: {staging: 3}\n"), @r#"
    exit 1
    infra/variables.yml:2:25: `environments.staging` must hold keys and values, found a number [contract]
    1 to correct
    "#);
    assert_snapshot!(contract("project_name: shop\ntenantry_customer: globex\n"), @r#"
    exit 1
    infra/variables.yml:2:1: `tenantry_customer` is set by tenantry; remove it [contract-reserved]
    1 to correct
    "#);
    assert_snapshot!(contract(""), @r#"
    exit 1
    infra/variables.yml: `project_name` is missing; set it in `infra/variables.yml`, or for every customer in `products/web/base-values.yaml` [schema-required]
    1 to correct
    "#);
}

#[test]
fn estates_that_cannot_be_read() {
    assert_snapshot!(estate("customers/acme/products.yaml", "products:\n  - name: wbe\n"), @r#"
    exit 1
    customers/acme/products.yaml:2:11: there is no product `wbe`; did you mean `web`? [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("customers/acme/products.yaml", "products:\n  - name: web\n    environments: [prod]\n"), @r#"
    exit 1
    customers/acme/products.yaml:3:19: product `web` has no environment `prod`; it has `staging`, `production` [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("customers/acme/products.yaml", "products: web\n"), @r#"
    exit 1
    customers/acme/products.yaml:1:11: `products` must be a list, found a text [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("customers/acme/products.yaml", "products:\n  - nmae: web\n"), @r#"
    exit 1
    customers/acme/products.yaml:2:5: `name` is missing here; add it [estate]
    customers/acme/products.yaml:2:5: unknown key `nmae`; did you mean `name`? [estate-unknown-key]
    2 to correct
    "#);
    assert_snapshot!(estate("customers/globex/metadata.yaml", "repository: globex/app\nrepository_id: 7\n"), @r#"
    exit 1
    customers/globex/metadata.yaml: repository id 7 belongs to customer `acme` already; one repository serves one customer [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("customers/globex/metadata.yaml", "repository: globex/app\n"), @r#"
    exit 1
    customers/globex/metadata.yaml:1:1: `repository_id` is missing here; add it [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("customers/Globex/metadata.yaml", "name: Globex\n"), @r#"
    exit 1
    customers/Globex: a customer id must be 1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `acme-corp`), got `Globex` [estate]
    1 to correct
    "#);
    assert_snapshot!(estate("tenantry.yml", "sotre: {}\n"), @r#"
    exit 1
    tenantry.yml:1:1: unknown key `sotre`; did you mean `store`? [estate-unknown-key]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/base-values.yaml", "[1, 2]\n"), @r#"
    exit 1
    products/web/base-values.yaml:1:1: the file must hold keys and values, found a list [layer]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/values.schema.json", "{\"type\": \"objekt\"}"), @r#"
    exit 1
    products/web/values.schema.json: not a usable JSON Schema: `/type` is `objekt`, which is no type; did you mean `object`? [schema-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/values.schema.json", "{\"type\": }"), @r#"
    exit 1
    products/web/values.schema.json:1:10: not valid JSON: expected value [schema-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/values.schema.json", "{\"$ref\": \"https://example.com/schema.json\"}"), @r#"
    exit 1
    products/web/values.schema.json: not a usable JSON Schema: `$ref` to `https://example.com/schema.json` leaves the product's folder; only files inside `products/web` can be referred to [schema-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/values.schema.json", "{\"properties\": {\"a\": {\"pattern\": \"(?=x)\"}}}"), @r#"
    exit 1
    products/web/values.schema.json: not a usable JSON Schema: `/properties/a/pattern` is `(?=x)`, which is not a regular expression without look-around and back-references [schema-invalid]
    1 to correct
    "#);
    assert_snapshot!(estate("products/web/values.schema.json", "{\"properties\": {\"a\": {\"format\": \"emial\"}}}"), @r#"
    exit 1
    products/web/values.schema.json: not a usable JSON Schema: `/properties/a/format` is `emial`, which is no known format; did you mean `email`? [schema-invalid]
    1 to correct
    "#);
}

#[test]
fn commands_that_name_what_is_not_there() {
    let scene = Scene::set();
    assert_snapshot!(scene.told(&["explain", "acne/web/staging", "region"]), @r#"
    exit 2
    error: there is no customer `acne`
      hint: did you mean `acme`?
    "#);
    assert_snapshot!(scene.told(&["explain", "acme/wbe/staging", "region"]), @r#"
    exit 2
    error: customer `acme` has no stack `acme/wbe/staging`
      hint: did you mean `acme/web/staging`?
    "#);
    assert_snapshot!(scene.told(&["explain", "globex/web/staging", "region"]), @r#"
    exit 2
    error: customer `globex` has no stack `globex/web/staging`
      hint: they have globex/web/production
    "#);
    assert_snapshot!(scene.told(&["explain", "acme/web", "region"]), @r#"
    exit 2
    error: invalid value 'acme/web' for '<STACK>': a stack must be `customer/product/environment` (for example `acme/web/production`), got `acme/web`

    For more information, try '--help'.
    "#);
    assert_snapshot!(scene.told(&["explain", "acme/web/staging", "regoin"]), @r#"
    exit 2
    error: no layer of `acme/web/staging` sets `regoin`, and the schema does not know it
      hint: did you mean `region`?
    "#);
    assert_snapshot!(scene.told(&["explain", "acme/web/staging", "tags.owner.name"]), @r#"
    exit 2
    error: no layer of `acme/web/staging` sets `tags.owner.name`, and the schema does not know it
      hint: `tenantry resolve acme/web/staging` prints all values
    "#);
    assert_snapshot!(scene.told(&["explain", "acme/web/staging", "a["]), @r#"
    exit 2
    error: `a[` is not a key
      hint: write it like `tags.owner`, `subnets[0]` or `/tags/owner`
    "#);
    assert_snapshot!(scene.told(&["resolve", "acme/web/staging"]), @r#"
    exit 1
    error: products/web/environments/staging.yaml:1:1: `project_name` is missing; set it in `customers/acme/web/values.yaml`, or for every customer in `products/web/base-values.yaml` [schema-required]
      hint: if the customer's own file sets it, name that file or their checkout with --variables PATH
    "#);
    assert_snapshot!(scene.told(&["resolve", "acme/web/staging", "--variables", "nowhere/variables.yml"]), @r#"
    exit 2
    error: `nowhere/variables.yml` cannot be read: No such file or directory (os error 2)
    "#);
    assert_snapshot!(scene.told(&["stacks", "--format", "yaml"]), @r#"
    exit 2
    error: this command has no result as `yaml`
      hint: use --format text, json, github
    "#);
    assert_snapshot!(scene.told(&["stacks", "--customer", "nobody"]), @r#"
    exit 2
    error: there is no customer `nobody`
      hint: `tenantry stacks` lists the stacks
    "#);
    assert_snapshot!(scene.told(&["validate", "--estate", "nowhere"]), @r#"
    exit 2
    error: `nowhere` is not a folder
      hint: name the manager repository with --estate DIR
    "#);
    assert_snapshot!(scene.told(&["validate", "--estate", "customers/acme"]), @r#"
    exit 2
    error: `customers/acme` holds no estate: no tenantry.yml, customers/ or products/
      hint: name the manager repository with --estate DIR, or write one with `tenantry init manager DIR`
    "#);
    assert_snapshot!(scene.told(&["validate", "--product", "wbe", "products/web/base-values.yaml"]), @r#"
    exit 2
    error: there is no product `wbe`
      hint: did you mean `web`?
    "#);
    assert_snapshot!(scene.told(&["validate", "nowhere.yml"]), @r#"
    exit 2
    error: `nowhere.yml` cannot be read: No such file or directory (os error 2)
    "#);
    assert_snapshot!(scene.told(&["validate", "--schema", "nowhere.json", "products/web/base-values.yaml"]), @r#"
    exit 2
    error: `nowhere.json` cannot be read: No such file or directory (os error 2)
    "#);
}

#[test]
fn revisions_that_are_not_there() {
    let scene = Scene::set();
    let git = |args: &[&str]| {
        let out = Command::new("git")
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(scene.path())
            .env_clear()
            .env("PATH", support::path())
            .env("HOME", scene.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{out:?}");
    };
    git(&["init", "--quiet", "-b", "main"]);
    git(&["add", "--all"]);
    git(&["commit", "--quiet", "-m", "the estate"]);
    assert_snapshot!(scene.told(&["stacks", "--changed-since", "mian"]), @r#"
    exit 2
    error: there is no commit `mian` in the repository of `.`
      hint: `git fetch` what is not here yet; a checkout of a workflow needs `fetch-depth: 0`
    "#);
    assert_snapshot!(scene.told(&["impact", "--since", "HEAD~9"]), @r#"
    exit 2
    error: there is no commit `HEAD~9` in the repository of `.`
      hint: `git fetch` what is not here yet; a checkout of a workflow needs `fetch-depth: 0`
    "#);
}
