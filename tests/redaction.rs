//! Nothing leaks: secrets planted everywhere in generated plans, and looked for in every byte
//! that leaves. What is harmless is shown.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use proptest::prelude::*;
use serde_json::{Map, Value, json};
use tenantry::engine::change::Changes;
use tenantry::engine::plan_json;
use tenantry::engine::redact::Redactor;
use tenantry::estate::{Finding, Place};
use tenantry::report::view::{Overall, RequestView, StackState, StackView};
use tenantry::report::{comment, plan, runner};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";

/// A secret: a part that no escape changes, and one that every escape changes.
#[derive(Debug, Clone)]
struct Canary {
    core: String,
    whole: String,
}

fn canary() -> impl Strategy<Value = Canary> {
    (
        "[A-Z][a-z]{3}[0-9]{3}[A-Z][a-z]{2}",
        "([!-/:-@ äßé\u{1f600}]|\n[a-z]){0,10}",
    )
        .prop_map(|(core, tail)| Canary {
            whole: format!("{core}{}", tail.trim_end()),
            core,
        })
        // An address is no secret for its name alone.
        .prop_filter("no address", |canary| !canary.whole.contains("://"))
}

/// The six forms in which a secret comes up elsewhere, and two of the first inside of more.
fn forms(secret: &str) -> Vec<String> {
    let json = Value::from(secret).to_string();
    vec![
        secret.to_owned(),
        STANDARD.encode(secret),
        URL_SAFE.encode(secret),
        STANDARD.encode(format!("user:{secret}")),
        secret.bytes().map(|b| format!("{b:02x}")).collect(),
        url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
        json[1..json.len() - 1].to_owned(),
        format!("'{}'", secret.replace('\'', "'\\''")),
        format!("prefix-{secret}-suffix"),
    ]
}

/// What must not be in any output: the core as it is, as hex, and as base64 at three places.
fn traces(core: &str) -> Vec<String> {
    let mut out = vec![
        core.to_owned(),
        core.bytes().map(|b| format!("{b:02x}")).collect(),
        core.bytes().map(|b| format!("{b:02X}")).collect(),
    ];
    for (shift, first) in [(0, 0), (1, 2), (2, 3)] {
        let text = [&vec![0_u8; shift][..], core.as_bytes()].concat();
        let text = STANDARD.encode(&text[..text.len() / 3 * 3]);
        out.push(text[first..].to_owned());
    }
    out
}

/// A value with a secret in it, and marks that mark it: in every shape that Terraform writes.
fn marked(shape: usize, secret: &str) -> (Value, Value) {
    match shape % 10 {
        0 => (json!({"a": secret}), json!({"a": true})),
        1 => (
            json!({"a": {"b": {"c": secret}, "d": 1}}),
            json!({"a": {"b": {"c": true}}}),
        ),
        2 => (
            json!({"l": ["x", secret, "y"]}),
            json!({"l": [false, true, false]}),
        ),
        3 => (
            json!({"l": [{"n": 1}, {"p": secret}]}),
            json!({"l": [{}, {"p": true}]}),
        ),
        4 => (json!({"a": {"b": [secret]}}), json!({"a": true})),
        5 => (json!({"a": secret, "b": [secret]}), json!(true)),
        // Marks whose place cannot be found mark everything.
        6 => (json!({"l": [secret]}), json!({"l": [false, true]})),
        7 => (json!({"m": secret}), json!({"m": {"k": true}})),
        8 => (
            json!({"m": {"k": {"v": secret}}}),
            json!({"m": {"k": true}}),
        ),
        _ => (
            json!({"j": json!({"password": secret}).to_string()}),
            json!({"j": true}),
        ),
    }
}

/// A plan with one secret of each way to be secret, all of them planted in every form elsewhere.
fn planted(secrets: &[Canary], shape: usize) -> Value {
    let whole = |i: usize| secrets[i % secrets.len()].whole.as_str();
    let (value, marks) = marked(shape, whole(0));
    let (held, held_marks) = marked(shape + 3, whole(3));
    let (drift, drift_marks) = marked(shape + 5, whole(4));
    let mut notes = Map::new();
    for (i, secret) in secrets.iter().enumerate() {
        for (j, form) in forms(&secret.whole).into_iter().enumerate() {
            notes.insert(format!("note_{i}_{j}"), form.into());
        }
    }
    notes.insert("harmless".into(), "harmless-value".into());
    notes.insert("list".into(), json!([{"deep": whole(1)}, whole(2)]));
    json!({
        "format_version": "1.2",
        "variables": {"v": {"value": whole(1)}, "region": {"value": "eu-west-1"}},
        "planned_values": {
            "outputs": {"o": {"sensitive": true, "value": {"x": whole(2)}}},
            "root_module": {"child_modules": [{"resources": [{"values": held, "sensitive_values": held_marks}]}]},
        },
        "prior_state": {"values": {"root_module": {"resources": [{"values": {"s": whole(5)}, "sensitive_values": {"s": true}}]}}},
        "resource_drift": [{"address": "x.drift", "change": {"actions": ["update"], "before": drift, "after": null, "before_sensitive": drift_marks}}],
        "resource_changes": [
            {"address": "x.create", "change": {"actions": ["create"], "before": null, "after": value, "after_sensitive": marks, "after_unknown": {"id": true}}},
            {"address": "x.delete", "change": {"actions": ["delete"], "before": value, "after": null, "before_sensitive": marks, "after_sensitive": false}},
            {"address": "x.update", "change": {"actions": ["update"], "before": {"a": "other"}, "after": value, "before_sensitive": {}, "after_sensitive": marks, "after_unknown": {"a": true}}},
            {"address": format!("x.each[{}]", Value::from(whole(0))), "change": {"actions": ["create"], "before": null, "after": Value::Object(notes), "after_sensitive": {}}},
            {"address": "x.names", "change": {"actions": ["create"], "before": null, "after": {
                "dbPassword": whole(6),
                "env": [{"name": "API_KEY", "value": whole(7)}],
                "nested": json!([{"name": "TOKEN", "value": whole(8)}]).to_string(),
                "plain": "shown-in-full",
            }, "after_sensitive": {}}},
        ],
        "output_changes": {"o": {"actions": ["create"], "before": null, "after": {"x": whole(2)}, "after_sensitive": false}, "url": {"actions": ["create"], "before": null, "after": "https://shop.example", "after_sensitive": false}},
        "configuration": {
            "provider_config": {"p": {"expressions": {"password": {"constant_value": whole(9)}}}},
            "root_module": {
                "variables": {"v": {"sensitive": true}},
                "module_calls": {"m": {"expressions": {"input": {"constant_value": whole(10)}}, "module": {"variables": {"input": {"sensitive": true}}}}},
            },
        },
    })
}

fn view(changes: Changes, message: String, finding: Finding) -> RequestView {
    RequestView {
        version: 1,
        request: "acme/pr-1-x".into(),
        sha: "0123456789abcdef".into(),
        pull_request: Some(1),
        plan_only: true,
        overall: Overall::Failure,
        headline: message.clone(),
        stacks: vec![StackView {
            stack: "acme/web/staging"
                .parse()
                .unwrap_or_else(|_| unreachable!()),
            state: StackState::PlanFailed { message },
            changes: Some(changes),
            digest: None,
            approved_by: None,
            warnings: vec![finding.clone()],
            apply: None,
            since: None,
        }],
        findings: vec![finding],
        run_url: None,
    }
}

/// Everything that can leave: records and JSON, comments, summary, annotations, log.
fn sinks(bytes: &[u8], error: &str) -> Result<Vec<(&'static str, String)>, TestCaseError> {
    let mut redactor = Redactor::default();
    let changes =
        plan_json::read(bytes, &mut redactor).map_err(|e| TestCaseError::fail(e.to_string()))?;
    let message = redactor.text(error).into_owned();
    let finding = redactor.finding(Finding::error(Place::at("main.tf", 1, 2), "policy", error));
    let view = view(changes.clone(), message.clone(), finding.clone());
    let json = |value: &dyn erased::Json| value.text();
    Ok(vec![
        ("record", json(&changes)),
        ("json", json(&view)),
        ("bodies", plan::bodies(&changes, None).join("\n")),
        ("comment", comment::body(&view, "<!-- m -->")),
        ("summary", comment::summary(&view)),
        ("annotation", runner::annotation(&finding)),
        ("log", runner::foreign(&message, TOKEN)),
        ("terminal", tenantry::report::escape::terminal(&message)),
        ("text", plan::text_bodies(&message, None).join("\n")),
    ])
}

mod erased {
    pub trait Json {
        fn text(&self) -> String;
    }
    impl<T: serde::Serialize> Json for T {
        fn text(&self) -> String {
            serde_json::to_string(self).unwrap_or_default()
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn t15_no_planted_secret_leaves(
        secrets in proptest::collection::vec(canary(), 11),
        shape in 0_usize..10,
    ) {
        let plan = planted(&secrets, shape);
        let error: String = secrets
            .iter()
            .flat_map(|s| forms(&s.whole))
            .map(|form| format!("Error: provider said {form} and ended\n"))
            .collect();
        for (sink, text) in sinks(plan.to_string().as_bytes(), &error)? {
            for secret in &secrets {
                for trace in traces(&secret.core) {
                    prop_assert!(!text.contains(&trace), "{} of {:?} in {}: {}", trace, secret.whole, sink, text);
                }
            }
        }
    }

    #[test]
    fn t15_what_is_not_secret_is_shown(
        // Without the letters of `xox…-`, `gl…-` and `bearer`, with which a token may begin.
        words in proptest::collection::vec("[ac-fh-wyz]{3,10}(-[ac-fh-wyz0-9]{1,8}){0,3}", 1..20),
        numbers in proptest::collection::vec(any::<u32>(), 1..5),
    ) {
        let mut after = Map::new();
        for (i, word) in words.iter().enumerate() {
            after.insert(format!("attribute_{i}"), word.as_str().into());
        }
        for (i, number) in numbers.iter().enumerate() {
            after.insert(format!("number_{i}"), (*number).into());
        }
        let plan = json!({"format_version": "1.2", "resource_changes": [
            {"address": "x.y", "change": {"actions": ["create"], "before": null, "after": after, "after_sensitive": {}}},
            {"address": "x.z", "change": {"actions": ["create"], "before": null, "after": {"s": "Planted-Secret-77"}, "after_sensitive": {"s": true}}},
        ]});
        let error = words.join(" ");
        for (sink, text) in sinks(plan.to_string().as_bytes(), &error)? {
            for word in &words {
                prop_assert!(text.contains(word.as_str()), "{} not in {}: {}", word, sink, text);
            }
            prop_assert!(!text.contains("Planted-Secret"));
        }
    }
}

#[test]
fn t15_ids_digests_and_settings_do_not_vanish() {
    let shown = json!({
        "ami": "ami-0abcdef1234567890",
        "arn": "arn:aws:iam::123456789012:role/service-role/MyLambdaExecutionRole-1A2B3C4D",
        "cidr": "10.20.0.0/16",
        "image": "123456789012.dkr.ecr.eu-west-1.amazonaws.com/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "source_code_hash": "n4bQgYhMfWWaL+qgxVrQFaO/TxsrC4Is0V1sFbDwCgg=",
        "uuid": "550e8400-e29b-41d4-a716-446655440000",
        "commit": "0e35f1c2a6b7e8d9c0b1a2f3e4d5c6b7a8f9e0d1",
        "token_ttl": "3600s",
        "password_length": 16,
        "require_password": true,
        "key_name": "deploy",
        "kms_key_id": "550e8400-e29b-41d4-a716-446655440000",
        "policy": "{\"Version\":\"2012-10-17\",\"Statement\":[{\"Effect\":\"Allow\",\"Action\":\"s3:GetObject\"}]}",
        "url": "https://shop.example:8443/path?page=2",
        "tags": {"owner": "team-blue", "monkey": "banana"},
    });
    let plan = json!({"format_version": "1.2", "resource_changes": [{"address": "x.y", "change": {"actions": ["create"], "before": null, "after": shown, "after_sensitive": {}}}]});
    let mut redactor = Redactor::default();
    let Ok(changes) = plan_json::read(plan.to_string().as_bytes(), &mut redactor) else {
        panic!("the plan is fine")
    };
    for attribute in &changes.changes[0].attributes {
        let after = attribute.after.as_deref().unwrap_or_default();
        assert!(!after.contains("sensitive"), "{}: {after}", attribute.path);
    }
}

#[test]
fn t15_a_secret_of_six_characters_is_hidden_elsewhere_and_one_of_five_is_not() {
    let plan = json!({"format_version": "1.2", "resource_changes": [
        {"address": "x.a", "change": {"actions": ["create"], "before": null, "after": {"a": "qwertz", "b": "asdfg"}, "after_sensitive": {"a": true, "b": true}}},
        {"address": "x.b", "change": {"actions": ["create"], "before": null, "after": {"c": "is qwertz and asdfg"}, "after_sensitive": {}}},
    ]});
    let mut redactor = Redactor::default();
    let Ok(changes) = plan_json::read(plan.to_string().as_bytes(), &mut redactor) else {
        panic!("the plan is fine")
    };
    assert_eq!(
        changes.changes[1].attributes[0].after.as_deref(),
        Some("\"is (sensitive value) and asdfg\"")
    );
    let hidden = &changes.changes[0].attributes;
    assert!(
        hidden
            .iter()
            .all(|a| a.after.as_deref() == Some("(sensitive value)"))
    );
}

#[test]
fn t15_the_provider_hides_more() {
    let estate = tenantry::estate::Files::from_iter([(
        "tenantry.yml",
        b"redact:\n  keys: [customerRef]\n  patterns: ['ACME-[0-9]{4}']\n".to_vec(),
    )]);
    let Ok(estate) = tenantry::estate::Estate::read(estate) else {
        panic!("the settings are fine")
    };
    let mut redactor = Redactor::new(&estate.settings.redact);
    let plan = json!({"format_version": "1.2", "resource_changes": [{"address": "x.y[\"ACME-1234\"]", "change": {"actions": ["create"], "before": null, "after": {"customer_ref": "jane-doe-17", "n": "see ACME-9876 of jane-doe-17"}, "after_sensitive": {}}}]});
    let Ok(changes) = plan_json::read(plan.to_string().as_bytes(), &mut redactor) else {
        panic!("the plan is fine")
    };
    let text = plan::bodies(&changes, None).join("");
    assert!(!text.contains("ACME-") && !text.contains("jane"), "{text}");
    assert!(!redactor.text("order ACME-5555").contains("5555"));
}
