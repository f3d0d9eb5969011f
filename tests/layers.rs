//! The algebra of the layers: what merging keeps to, whatever the files hold, and that everything
//! that is said about a value (who set it, in which line) is true of the text that was read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a property that cannot be stated has failed"
)]

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use tenantry::engine::emit;
use tenantry::estate::expression;
use tenantry::estate::layers::{Effect, Layer, Part, blame, chain, merge};
use tenantry::estate::resolve::{ContractFile, compose, read_contract};
use tenantry::estate::yaml::{Reading, read};
use tenantry::estate::{Effective, Files, StackId};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        // What a failure teaches becomes a test with a name.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

/// A layer, and the text that it was read from.
#[derive(Debug, Clone)]
struct Written {
    layer: Layer,
    text: String,
}

fn written(number: usize, value: &Value) -> Written {
    let text = match value {
        Value::Null => String::new(),
        value => emit::yaml(value),
    };
    let path = format!("file-{number}.yaml");
    let node = read(&path, text.as_bytes(), Reading::Strict).unwrap_or_else(|e| panic!("{e}"));
    let layer = Layer {
        name: "file",
        path: path.into(),
        node: Arc::new(node),
        part: Part::Whole,
    };
    Written { layer, text }
}

fn layers(files: &[Value]) -> Vec<Layer> {
    let each = files.iter().enumerate();
    each.map(|(i, file)| written(i, file).layer).collect()
}

fn merged(files: &[Value]) -> Value {
    Value::Object(merge(&layers(files)))
}

/// Helm's `mergeMaps` (pkg/cli/values/options.go), written down a second time.
fn helm(below: Value, above: &Value) -> Value {
    match (below, above) {
        (Value::Object(mut below), Value::Object(above)) => {
            for (key, value) in above {
                let under = below.remove(key).unwrap_or(Value::Null);
                below.insert(key.clone(), helm(under, value));
            }
            Value::Object(below)
        }
        (_, above) => above.clone(),
    }
}

fn leaf() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..1000).prop_map(Value::from),
        select(vec!["", "x", "no", "012", "1e3", "a: b", "two\nlines"]).prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ]
}

fn keys() -> impl Strategy<Value = String> {
    // Positions of lists are keys of maps too.
    select(vec!["a", "b", "c", "0", "1", "a.b"]).prop_map(str::to_owned)
}

fn map_of(inner: impl Strategy<Value = Value>) -> impl Strategy<Value = Value> {
    proptest::collection::btree_map(keys(), inner, 0..4)
        .prop_map(|m| Value::Object(m.into_iter().collect()))
}

/// A file: nothing, or a map of anything.
fn file() -> impl Strategy<Value = Value> {
    let value = leaf().prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            map_of(inner),
        ]
    });
    prop_oneof![1 => Just(Value::Null), 9 => map_of(value)]
}

fn files() -> impl Strategy<Value = Vec<Value>> {
    proptest::collection::vec(file(), 1..5)
}

/// A file of a family that agrees on which keys hold maps: those in capitals.
fn agreeing() -> impl Strategy<Value = Value> {
    let plain = || {
        proptest::collection::btree_map(
            select(vec!["a", "b", "c"]).prop_map(str::to_owned),
            leaf().prop_filter("a map", |v| !v.is_object()),
            0..3,
        )
    };
    let map = plain().prop_map(|m| Value::Object(m.into_iter().collect()));
    map.prop_recursive(3, 24, 3, move |inner| {
        let names = select(vec!["M", "N", "O"]).prop_map(str::to_owned);
        (plain(), proptest::collection::btree_map(names, inner, 0..3))
            .prop_map(|(plain, maps)| Value::Object(plain.into_iter().chain(maps).collect()))
    })
}

type Steps = Vec<String>;

fn borrowed(path: &[String]) -> Vec<&str> {
    path.iter().map(String::as_str).collect()
}

/// Every path of keys and positions in `value`, with what is there.
fn paths(value: &Value, at: &mut Steps, out: &mut Vec<(Steps, Value)>) {
    if !at.is_empty() {
        out.push((at.clone(), value.clone()));
    }
    let parts: Vec<(String, &Value)> = match value {
        Value::Object(map) => map.iter().map(|(k, v)| (k.clone(), v)).collect(),
        Value::Array(items) => items
            .iter()
            .enumerate()
            .map(|(i, v)| (i.to_string(), v))
            .collect(),
        _ => Vec::new(),
    };
    for (step, part) in parts {
        at.push(step);
        paths(part, at, out);
        at.pop();
    }
}

fn all_paths(value: &Value) -> Vec<(Steps, Value)> {
    let mut out = Vec::new();
    paths(value, &mut Vec::new(), &mut out);
    out
}

fn at<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, step| match value {
        Value::Object(map) => map.get(step),
        Value::Array(items) => items.get(step.parse::<usize>().ok()?),
        _ => None,
    })
}

/// What stands in `text` from a 1-based line and column on, to the end of the line.
fn from(text: &str, line: usize, column: usize) -> String {
    let line = text.lines().nth(line - 1).expect("no such line");
    line.chars().skip(column - 1).collect()
}

/// Why Helm's merge is not associative: null is a value that a later map replaces, but the same
/// null also takes away the map that stood below it. `((map, null), map)` has forgotten the first
/// map, `(map, (null, map))` merges it with the last one. So layers are folded from the lowest
/// to the highest and never grouped; only where files agree on which keys are maps may they be.
#[test]
fn a_null_between_two_maps_shows_that_merging_is_not_associative() {
    let (map, null, other) = (
        json!({"a": {"x": 1}}),
        json!({"a": null}),
        json!({"a": {"y": 2}}),
    );
    let left = merged(&[merged(&[map.clone(), null.clone()]), other.clone()]);
    let right = merged(&[map.clone(), merged(&[null.clone(), other.clone()])]);
    assert_eq!(left, json!({"a": {"y": 2}}));
    assert_eq!(right, json!({"a": {"x": 1, "y": 2}}));
    // What is done, and what Helm does.
    assert_eq!(merged(&[map, null, other]), left);
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn merging_is_helms(files in files()) {
        let theirs = files.iter().filter(|f| !f.is_null()).fold(json!({}), helm);
        prop_assert_eq!(merged(&files), theirs);
    }

    #[test]
    fn merging_is_associative_where_files_agree_on_the_maps(
        a in agreeing(), b in agreeing(), c in agreeing()
    ) {
        let left = merged(&[merged(&[a.clone(), b.clone()]), c.clone()]);
        let right = merged(&[a.clone(), merged(&[b.clone(), c.clone()])]);
        prop_assert_eq!(&left, &right);
        prop_assert_eq!(merged(&[a, b, c]), left);
    }

    #[test]
    fn merging_is_the_left_fold_file_by_file(files in files()) {
        let folded = files.iter().fold(json!({}), |below, file| merged(&[below, file.clone()]));
        prop_assert_eq!(merged(&files), folded);
    }

    #[test]
    fn an_empty_file_changes_nothing(files in files(), nth in 0_usize..5, map in any::<bool>()) {
        let mut more = files.clone();
        let nth = nth.min(files.len());
        more.insert(nth, if map { json!({}) } else { Value::Null });
        let (before, after) = (layers(&files), layers(&more));
        prop_assert_eq!(merge(&before), merge(&after));
        for (path, _) in all_paths(&merged(&files)) {
            let effects = |layers: &[Layer]| -> Vec<(Effect, Value)> {
                let told = chain(layers, &borrowed(&path));
                told.into_iter().map(|o| (o.effect, o.value)).collect()
            };
            prop_assert_eq!(effects(&before), effects(&after), "{:?}", path);
        }
    }

    #[test]
    fn every_value_is_blamed_on_the_line_that_holds_it(files in files()) {
        let all: Vec<Written> = files.iter().enumerate().map(|(i, f)| written(i, f)).collect();
        let layers: Vec<Layer> = all.iter().map(|w| w.layer.clone()).collect();
        for (path, value) in all_paths(&merged(&files)) {
            let steps = borrowed(&path);
            let told = chain(&layers, &steps);
            let last = told.last().expect("nobody set it");
            prop_assert_eq!(last.effect, Effect::Sets, "{:?}", path);
            let blamed = blame(&layers, &steps).expect("nobody is blamed");
            prop_assert_eq!(&blamed.place, &last.place);
            let file = all.iter().find(|w| *w.layer.path == *last.place.path).unwrap();
            let there = from(&file.text, last.place.line, last.place.column);
            match &value {
                // A map is what several layers wrote; each says its own part.
                Value::Object(map) if !map.is_empty() => prop_assert!(last.value.is_object()),
                value => {
                    prop_assert_eq!(&last.value, value, "{:?}", path);
                    match value {
                        Value::Array(items) if !items.is_empty() => {
                            prop_assert!(there.starts_with('-'), "{}", there);
                        }
                        value => prop_assert_eq!(there, emit::yaml(value).trim_end().to_owned()),
                    }
                }
            }
            if last.key != last.place {
                let key = from(&file.text, last.key.line, last.key.column);
                let name = Value::from(steps[steps.len() - 1]).to_string();
                prop_assert!(key.starts_with(name.trim_matches('"')) || key.starts_with(&name), "{}", key);
            }
        }
    }

    #[test]
    fn the_last_word_is_sets_exactly_when_the_value_is_there(files in files()) {
        let layers = layers(&files);
        let values = merged(&files);
        let mut asked: Vec<Steps> = files.iter().flat_map(all_paths).map(|(p, _)| p).collect();
        // What no layer has, below what some layer has.
        let below: Vec<Steps> = asked.iter().flat_map(|p| ["0", "a", "z"].map(|s| {
            let mut p = p.clone();
            p.push(s.to_owned());
            p
        })).collect();
        asked.extend(below);
        for path in asked {
            let steps = borrowed(&path);
            let told = chain(&layers, &steps);
            let set = told.last().is_some_and(|o| o.effect == Effect::Sets);
            prop_assert_eq!(set, at(&values, &path).is_some(), "{:?}: {:?}", path, told);
            prop_assert!(told.first().is_none_or(|o| o.effect == Effect::Sets), "{:?}", told);
            prop_assert!(
                told.windows(2).all(|w| w[0].effect == Effect::Sets || w[1].effect == Effect::Sets),
                "removed twice: {:?}", told
            );
            // The blame falls on something that is there, however far up.
            prop_assert!(blame(&layers, &steps).is_none_or(|o| o.effect == Effect::Sets));
        }
    }
}

/// The files that make up one stack of an estate, and the customer's own.
#[derive(Debug, Clone)]
struct Parts {
    held: [Value; 4],
    own: Value,
    block: Option<Value>,
}

const HELD: [&str; 4] = [
    "products/web/base-values.yaml",
    "products/web/environments/staging.yaml",
    "customers/acme/web/values.yaml",
    "customers/acme/web/environments/staging.yaml",
];

fn parts() -> impl Strategy<Value = Parts> {
    let held = [file(), file(), file(), file()];
    (held, map_of(leaf()), proptest::option::of(file())).prop_map(|(held, own, block)| Parts {
        held,
        own,
        block,
    })
}

fn stack() -> StackId {
    "acme/web/staging".parse().unwrap()
}

impl Parts {
    fn held(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let each = HELD.into_iter().zip(&self.held);
        each.filter(|(_, v)| !v.is_null())
            .map(|(path, value)| (path, emit::yaml(value)))
    }

    fn contract(&self) -> String {
        let mut own = self.own.clone();
        if let Some(block) = &self.block {
            own["environments"] = json!({"staging": block});
        }
        emit::yaml(&own)
    }

    /// By the table of docs/contract.md.
    fn values(&self) -> Value {
        let [base, environment, customer, customer_environment] = &self.held;
        let block = self.block.clone().unwrap_or_default();
        [
            base,
            environment,
            customer,
            &self.own,
            customer_environment,
            &block,
        ]
        .into_iter()
        .filter(|v| !v.is_null())
        .fold(json!({}), helm)
    }

    fn effective(&self) -> Effective {
        let files: Files = self
            .held()
            .map(|(path, text)| (path, text.into_bytes()))
            .collect();
        let file = ContractFile {
            path: "infra/variables.yml".into(),
            bytes: self.contract().into_bytes(),
        };
        let contract = read_contract(&file, &["staging"]).unwrap_or_else(|e| panic!("{e}"));
        let (effective, findings) = compose(&files, &stack(), Some(&contract)).unwrap();
        assert_eq!(findings, []);
        effective
    }
}

proptest! {
    #![proptest_config(cases(150))]

    #[test]
    fn a_stack_is_its_six_layers_and_every_value_has_a_place(parts in parts()) {
        let effective = parts.effective();
        prop_assert_eq!(&effective.values, &parts.values());
        let text = |path: &str| parts.held().find(|(p, _)| *p == path).map_or_else(|| parts.contract(), |(_, t)| t);
        for (path, value) in all_paths(&effective.values) {
            let steps = borrowed(&path);
            prop_assert_eq!(effective.at(&steps), Some(&value));
            let told = effective.chain(&steps);
            let last = told.last().expect("nobody set it");
            prop_assert_eq!(last.effect, Effect::Sets);
            if !value.is_object() && !value.is_array() {
                prop_assert_eq!(&last.value, &value);
                let there = from(&text(&last.place.path), last.place.line, last.place.column);
                prop_assert_eq!(there, emit::yaml(&value).trim_end().to_owned());
            }
        }
    }
}

/// What `explain` says of a value is what `resolve` prints, through the real binary.
#[test]
fn explain_and_resolve_agree() {
    use proptest::strategy::ValueTree as _;
    use proptest::test_runner::TestRunner;

    let mut runner = TestRunner::deterministic();
    let mut explained = 0;
    for _ in 0..4 {
        let parts = parts().new_tree(&mut runner).unwrap().current();
        let folder = tempfile::tempdir().unwrap();
        let put = |path: &str, text: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        for (path, text) in parts.held() {
            put(path, &text);
        }
        put("products/web/product.yaml", "environments: [staging]\n");
        put("customers/acme/products.yaml", "products: [{name: web}]\n");
        put("own/infra/variables.yml", &parts.contract());
        let run = |args: &[&str]| -> (Option<i32>, Value) {
            let out = std::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
                .args(args)
                .args(["--variables", "own", "--format", "json"])
                .current_dir(folder.path())
                .env_clear()
                .output()
                .unwrap();
            let text = String::from_utf8(out.stdout).unwrap();
            let json = serde_json::from_str(&text).unwrap_or(Value::Null);
            (out.status.code(), json)
        };
        let (code, values) = run(&["resolve", "acme/web/staging"]);
        assert_eq!(code, Some(0));
        assert_eq!(values, parts.values());
        for (path, value) in all_paths(&values).into_iter().take(12) {
            let pointer: String = path
                .iter()
                .map(|s| format!("/{}", s.replace('~', "~0").replace('/', "~1")))
                .collect();
            let (code, told) = run(&["explain", "acme/web/staging", &pointer]);
            assert_eq!(code, Some(0), "{pointer}");
            assert_eq!(told["value"], value, "{pointer}");
            assert_eq!(told["set"], json!(true), "{pointer}");
            let last = told["chain"].as_array().unwrap().last().unwrap();
            assert_eq!(last["effect"], "sets", "{pointer}");
            if !value.is_object() {
                assert_eq!(last["value"], value, "{pointer}");
            }
            explained += 1;
        }
    }
    assert!(explained >= 20, "hardly anything was asked: {explained}");
}

/// A value that may refer to others, by name, by position, or to nothing.
fn expressive() -> impl Strategy<Value = Value> {
    let name = || select(vec!["a", "b", "c", "d", "e", "f", "nope"]);
    prop_oneof![
        (0_i64..9).prop_map(Value::from),
        Just(Value::from("plain")),
        select(vec![
            "{{ environment }}",
            "{{ customer }}-{{product}}",
            "{{ project_name }}"
        ])
        .prop_map(Value::from),
        name().prop_map(|n| Value::from(format!("{{{{ values.{n} }}}}"))),
        name().prop_map(|n| Value::from(format!("x{{{{ values.{n} }}}}y"))),
        name().prop_map(|n| json!([{"in": format!("{{{{ values.{n}[0].in }}}}")}])),
        (name(), name())
            .prop_map(|(a, b)| Value::from(format!("{{{{ values.{a} if values.{b} else 1 }}}}"))),
        select(vec!["{{", "{% if %}", "{{ 1 + }}", "{{ a | b }}"]).prop_map(Value::from),
    ]
}

fn rendered(files: &[Value]) -> (Value, Vec<String>, Vec<String>) {
    let all: Vec<Written> = files
        .iter()
        .enumerate()
        .map(|(i, f)| written(i, f))
        .collect();
    let layers: Vec<Layer> = all.iter().map(|w| w.layer.clone()).collect();
    let (values, findings) = expression::render(merge(&layers), &layers, &stack());
    let lines = findings
        .iter()
        .map(|f| {
            let file = all.iter().find(|w| *w.layer.path == *f.place.path).unwrap();
            from(&file.text, f.place.line, f.place.column)
        })
        .collect();
    let messages = findings.into_iter().map(|f| f.message).collect();
    (Value::Object(values), messages, lines)
}

proptest! {
    #![proptest_config(cases(200))]

    #[test]
    fn expressions_give_the_same_however_the_keys_are_spread_over_files(
        values in proptest::collection::btree_map(
            select(vec!["a", "b", "c", "d", "e", "f", "project_name"]).prop_map(str::to_owned), expressive(), 1..7),
        order in Just((0..7_usize).collect::<Vec<_>>()).prop_shuffle(),
    ) {
        let together = Value::Object(values.clone().into_iter().collect());
        let (rendered_together, messages, lines) = rendered(std::slice::from_ref(&together));
        prop_assert_eq!(&rendered(std::slice::from_ref(&together)).0, &rendered_together);
        // One file for each key, in any order: nobody overrides anybody.
        let apart: Vec<Value> = values.iter().map(|(k, v)| {
            Value::Object(Map::from_iter([(k.clone(), v.clone())]))
        }).collect();
        let shuffled: Vec<Value> = order.iter().filter_map(|i| apart.get(*i).cloned()).collect();
        let (rendered_apart, messages_apart, _) = rendered(&shuffled);
        prop_assert_eq!(&rendered_apart, &rendered_together);
        prop_assert_eq!(&messages_apart, &messages);
        for line in lines {
            prop_assert!(line.contains("{{") || line.contains("{%"), "{}", line);
        }
        for message in messages {
            prop_assert!(!message.contains('\n') && message.len() < 1000, "{}", message);
        }
    }

    #[test]
    fn t8_what_is_written_as_yaml_is_read_back_the_same(value in anything()) {
        let text = emit::yaml(&value);
        let node = read("v.yaml", text.as_bytes(), Reading::Strict).map_err(|e| TestCaseError::fail(format!("{e}\n{text}")))?;
        prop_assert_eq!(node.to_json(), value, "{}", text);
    }
}

/// Everything that a file can hold: every number that is kept, every character that is not hidden.
fn anything() -> impl Strategy<Value = Value> {
    let seen = "\\PC{0,8}".prop_filter("hidden", |t| !t.contains(['\u{2028}', '\u{2029}']));
    let decimal = (any::<i32>(), 0_u32..20).prop_map(|(digits, shift)| {
        Value::from(format!("{digits}e-{shift}").parse::<f64>().unwrap())
    });
    let large = (1_i64..1000, 0_u32..40)
        .prop_map(|(d, shift)| Value::from(format!("{d}e{shift}").parse::<f64>().unwrap()));
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        decimal,
        large,
        seen.clone().prop_map(Value::from),
        "[ -~\\n\\t]{0,12}".prop_map(Value::from),
        Just(json!([])),
        Just(json!({})),
    ];
    let key = prop_oneof![seen, "[ -~\\n\\t]{0,6}"].prop_filter("a merge key", |k| k != "<<");
    leaf.prop_recursive(5, 40, 5, move |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|m| Value::Object(m.into_iter().collect())),
        ]
    })
}
