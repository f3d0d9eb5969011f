use super::super::layers::{Layer, Part, merge};
use super::super::yaml::{Reading, read};
use super::*;
use serde_json::json;
use std::sync::Arc;

fn rendered(text: &str) -> (Value, Vec<String>) {
    let Ok(node) = read("v.yml", text.as_bytes(), Reading::Strict) else {
        panic!("{text}")
    };
    let layers = [Layer {
        name: "t",
        path: "v.yml".into(),
        node: Arc::new(node),
        part: Part::Whole,
    }];
    let Ok(stack) = "acme/web/staging".parse() else {
        panic!()
    };
    let (values, findings) = render(merge(&layers), &layers, &stack);
    (
        Value::Object(values),
        findings.iter().map(ToString::to_string).collect(),
    )
}

#[test]
fn keeps_the_kind_of_a_lone_expression() {
    let (value, findings) = rendered(
        "count: 3\nm: '{{ values.count }}'\ntag: 'x-{{ environment }}-{{values.count}}'\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(value, json!({"count": 3, "m": 3, "tag": "x-staging-3"}));
}

#[test]
fn values_may_refer_to_values_that_refer_to_values() {
    let (value, findings) = rendered(
        "a: '{{ values.b }}-a'\nb: '{{ values.c.name }}-b'\nc: {name: '{{ environment }}', count: 1}\ncopy: '{{ values.c }}'\nl: ['{{ values.l[1] }}', '{{ product }}']\nsame: '{{ values.c == values.copy }}'\n",
    );
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(
        value,
        json!({
            "a": "staging-b-a", "b": "staging-b", "c": {"name": "staging", "count": 1},
            "copy": {"name": "staging", "count": 1}, "l": ["web", "web"], "same": true
        })
    );
}

#[test]
fn a_circle_is_one_finding_that_names_it() {
    let (_, findings) =
        rendered("a: '{{ values.b }}'\nb: 'x{{ values.c }}'\nc: '{{ values.a }}'\n");
    assert_eq!(
        findings,
        [
            "v.yml:3:4: refers to itself: `values.a` → `values.b` → `values.c` → `values.a`; write one of them as a plain value [expression]"
        ]
    );
    let (_, findings) = rendered("m: {x: '{{ values.m }}'}\n");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].starts_with("v.yml:1:8: refers to itself"),
        "{findings:?}"
    );
}

#[test]
fn a_fault_is_told_once_where_it_is() {
    let (_, findings) =
        rendered("a: '{{ values.b }}'\nb: '{{ values.nope }}'\nc: '{{ values.b }}'\n");
    assert_eq!(findings.len(), 1, "{findings:?}");
    assert!(
        findings[0].starts_with("v.yml:2:4: `values.nope` is not defined"),
        "{findings:?}"
    );
}

#[test]
fn t20_references_cannot_be_made_to_explode() {
    // Each line is twice the one before: 2^20 copies of the first.
    let mut text = "v0: [1, 2]\n".to_owned();
    for i in 1..=20 {
        text.push_str(&format!(
            "v{i}: ['{{{{ values.v{} }}}}', '{{{{ values.v{} }}}}']\n",
            i - 1,
            i - 1
        ));
    }
    let (_, findings) = rendered(&text);
    assert!(
        findings
            .iter()
            .any(|f| f.contains("give more than 100000 values")),
        "{findings:?}"
    );
    // A long chain would go deep into the stack.
    let mut text = "v0: 1\n".to_owned();
    for i in 1..=200 {
        text.push_str(&format!("v{i}: '{{{{ values.v{} }}}}'\n", i - 1));
    }
    let (_, findings) = rendered(&text.lines().rev().collect::<Vec<_>>().join("\n"));
    assert!(
        findings.iter().any(|f| f.contains("more than 32 steps")),
        "{findings:?}"
    );
}

#[test]
fn t5_nothing_but_names_is_evaluated() {
    for bad in [
        "{{ nope }}",
        "{{ values.nope }}",
        "{% for x in y %}",
        "{{ 'a' * 1000000 }}",
        "{{ range(10) }}",
        "{{",
        "{{ values | tojson }}",
        "{{ values.__class__ }}",
        "{{ values.a }}",
    ] {
        let (_, findings) = rendered(&format!("a: \"{bad}\"\n"));
        assert_eq!(findings.len(), 1, "{bad}: {findings:?}");
        assert!(findings[0].starts_with("v.yml:1:4: "), "{findings:?}");
    }
}

/// 16 KiB of `a~a~…` went through the stack of whoever evaluated them: one customer's file ended the
/// process, and with it the sweep over all customers.
#[test]
fn t20_an_expression_cannot_go_deep_into_the_stack() {
    for part in ["a~", "1~", "a.", "a==", "-", "not ", "a[", "a<", "x.a[1]~"] {
        for bytes in [50, MAX_SOURCE - 1, 400, MAX_TEXT - 100] {
            let source = part.repeat(bytes / part.len());
            let (_, findings) = rendered(&format!("a: \"{{{{ {source}1 }}}}\"\n"));
            let told = findings.iter().any(|f| f.contains("operators at most"));
            assert!(told || bytes < 400, "{part}: {findings:?}");
        }
    }
}
