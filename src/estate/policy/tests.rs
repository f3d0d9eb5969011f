use super::*;
use crate::estate::layers::{Layer, Part};
use crate::estate::yaml::{Reading, read};
use std::sync::Arc;

fn files(policies: &[(&str, &str)]) -> Files {
    policies
        .iter()
        .map(|(path, text)| (format!("policies/{path}"), text.as_bytes().to_vec()))
        .collect()
}

fn effective(text: &str) -> Effective {
    let Ok(node) = read("v.yml", text.as_bytes(), Reading::Strict) else {
        panic!("{text}")
    };
    let Ok(stack) = "acme/web/staging".parse() else {
        panic!()
    };
    Effective {
        values: node.to_json(),
        layers: vec![Layer {
            name: "t",
            path: "v.yml".into(),
            node: Arc::new(node),
            part: Part::Whole,
        }],
        stack,
        contract: None,
    }
}

fn told(policies: &[(&str, &str)], text: &str) -> Vec<String> {
    match Policies::read(&files(policies)) {
        Ok(policies) => policies
            .check(&effective(text), None)
            .iter()
            .map(ToString::to_string)
            .collect(),
        Err(e) => e.0.iter().map(ToString::to_string).collect(),
    }
}

#[test]
fn both_languages_of_rego_are_read() {
    let new = "package a\ndeny contains {\"msg\": \"no\", \"path\": \"count\"} if input.values.count > 1\n";
    let old = "package b\ndeny[msg] { input.values.count > 1; msg := \"old\" }\n";
    assert_eq!(
        told(&[("a.rego", new), ("b.rego", old)], "count: 2\n"),
        ["v.yml:1:8: no [policy]", "policies/b.rego: old [policy]"]
    );
    assert_eq!(
        told(&[("a.rego", new), ("b.rego", old)], "count: 1\n"),
        Vec::<String>::new()
    );
}

#[test]
fn t9_a_policy_that_could_never_say_anything_is_refused() {
    for (text, words) in [
        (
            "package a\ndenny contains \"x\" if true\n",
            "neither `deny` nor `warn`",
        ),
        (
            "package a\n# deny contains x\n",
            "neither `deny` nor `warn`",
        ),
        (
            "package a\ndeny contains msg if { undefined_thing(1); msg := 1 }\n",
            "undefined_thing",
        ),
        ("package a\ndeny := 5\n", "must be a set of messages"),
        ("pakage a\n", "policies/a.rego"),
        (
            "package a\ndeny contains http.send({\"url\": \"http://127.0.0.1\"}) if true\n",
            "http.send",
        ),
        (
            "package a\ndeny contains x if { x := time.now_ns() }\n",
            "time.now_ns",
        ),
    ] {
        let told = told(&[("a.rego", text)], "count: 1\n");
        assert_eq!(told.len(), 1, "{text}: {told:?}");
        assert!(told[0].contains(words), "{told:?}");
        assert!(told[0].ends_with("[policy-invalid]"), "{told:?}");
    }
}

#[test]
fn t20_a_policy_has_a_budget_of_time_and_memory() {
    let slow = "package a\ndeny contains \"x\" if { input.values.count; some i in numbers.range(1, 3000); some j in numbers.range(1, 3000); some k in numbers.range(1, 3000); i * j * k == -1 }\n";
    let large = "package a\ndeny contains \"x\" if { input.values.count; count(numbers.range(1, 90000000)) == 1 }\n";
    for (text, limit) in [(slow, "time limit"), (large, "memory limit")] {
        let told = told(&[("a.rego", text)], "count: 1\n");
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].contains(limit), "{told:?}");
        assert!(told[0].ends_with("[policy-error]"), "{told:?}");
    }
}

#[test]
fn tests_of_policies_run_against_all_of_them() {
    let policy = "package a\ndeny contains \"no\" if input.values.count > 1\n";
    let tests = "package a_test\nimport data.a\n\ntest_two if { count(a.deny) == 1 with input as {\"values\": {\"count\": 2}} }\ntest_wrong if { count(a.deny) == 9 with input as {\"values\": {\"count\": 2}} }\ntodo_test_later if { false }\n";
    let Ok(done) = trials(&files(&[("a.rego", policy), ("a_test.rego", tests)])) else {
        panic!()
    };
    let done: Vec<String> = done
        .iter()
        .map(|t| format!("{} {} {:?}", t.place, t.name, t.outcome))
        .collect();
    assert_eq!(
        done,
        [
            "policies/a_test.rego:4:1 test_two Passed",
            "policies/a_test.rego:5:1 test_wrong Failed",
            "policies/a_test.rego:6:1 todo_test_later Skipped"
        ]
    );
}
