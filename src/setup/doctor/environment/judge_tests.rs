use super::super::{own, shared};
use super::*;
use crate::estate::Files;
use std::collections::{BTreeMap, BTreeSet};

fn estate(gates: &str) -> Estate {
    let mut files = Files::new();
    for (path, text) in [
        (
            "tenantry.yml",
            format!("version: 1\ncustomers:\n  own_environments: true\n{gates}"),
        ),
        ("products/web/environments/staging.yaml", "{}\n".into()),
        (
            "customers/acme/products.yaml",
            "products: [{name: web}]\n".into(),
        ),
    ] {
        files.insert(path, text.into_bytes());
    }
    match Estate::read(files) {
        Ok(estate) => estate,
        Err(e) => panic!("{e}"),
    }
}

fn facts(name: &str, rules: Value, branches: &[&str]) -> Facts {
    let settings = json!({
        "name": name, "protection_rules": rules, "can_admins_bypass": false,
        "deployment_branch_policy": match branches {
            [] => Value::Null,
            _ => json!({"protected_branches": false, "custom_branch_policies": true}),
        },
    });
    let Ok(settings) = serde_json::from_value(settings) else {
        panic!("an environment")
    };
    Facts {
        settings,
        branches: Ok(branches.iter().map(|b| (*b).to_owned()).collect()),
        secrets: Ok(BTreeSet::new()),
        variables: Ok(BTreeMap::new()),
    }
}

fn ground(all: Vec<Facts>) -> Ground {
    let there = all.into_iter().map(|f| (f.settings.name.clone(), f));
    Ground {
        branch: Ok("main".into()),
        there: Ok(there.collect()),
        others: Vec::new(),
        approvers: BTreeMap::new(),
    }
}

fn rules(wait: u64, others: bool) -> Value {
    json!([
        {"type": "wait_timer", "wait_timer": wait},
        {"type": "required_reviewers", "prevent_self_review": others, "reviewers": [
            {"type": "Team", "reviewer": {"id": 7, "name": "ops"}},
        ]},
    ])
}

/// What mends `acme/staging-apply`: the body of its first call, and how many there are.
fn mends(gates: &str, all: Vec<Facts>) -> Result<Option<(Value, usize)>, String> {
    let estate = estate(gates);
    let (Some(customer), Ok(repository)) =
        (estate.customers.values().next(), RepoSlug::new("ops/infra"))
    else {
        panic!("a customer")
    };
    let places = own(&estate, customer);
    let Some(place) = places.iter().find(|p| p.name == "acme/staging-apply") else {
        panic!("{places:?}")
    };
    let changes = mended(&estate, &repository, place, &ground(all))?;
    Ok(changes.map(|c| (c[0].body.clone(), c.len())))
}

#[test]
fn a_customers_own_asks_for_what_its_pattern_asks_for() {
    let pattern = || facts("staging-apply", rules(5, true), &["main"]);
    let wanted = json!({
        "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true},
        "wait_timer": 5, "prevent_self_review": true,
        "reviewers": [{"type": "Team", "id": 7}],
    });
    // The settings demand nothing of staging; the pattern does.
    for there in [
        None,
        Some(facts("acme/staging-apply", json!([]), &[])),
        Some(facts("acme/staging-apply", json!([]), &["main"])),
        Some(facts("acme/staging-apply", rules(5, false), &["main"])),
        Some(facts("acme/staging-apply", rules(1, true), &["main"])),
    ] {
        let named = there.as_ref().is_some_and(|t| t.branches != Ok(Vec::new()));
        let all = there.into_iter().chain([pattern()]).collect();
        let calls = if named { 1 } else { 2 };
        assert_eq!(mends("", all), Ok(Some((wanted.clone(), calls))));
    }
    let same = facts("acme/staging-apply", rules(5, true), &["main"]);
    assert_eq!(mends("", vec![pattern(), same]), Ok(None));
    let more = facts("acme/staging-apply", rules(9, true), &["main"]);
    assert_eq!(mends("", vec![pattern(), more]), Ok(None));
}

#[test]
fn what_cannot_be_protected_is_not_made() {
    let gate = "gates:\n  staging:\n    approval: required\n";
    let open = || facts("staging-apply", json!([]), &["main"]);
    for (gates, all, words) in [
        ("", vec![], "the shared environment"),
        // Nobody is named who could be asked.
        (gate, vec![open()], "the shared environment"),
        (
            gate,
            vec![open(), facts("acme/staging-apply", json!([]), &["main"])],
            "nobody is asked",
        ),
        (
            "",
            vec![
                open(),
                facts("acme/staging-apply", json!([]), &["main", "dev"]),
            ],
            "other branches than `main`",
        ),
    ] {
        let said = mends(gates, all);
        assert!(said.as_ref().is_err_and(|e| e.contains(words)), "{said:?}");
    }
}

/// What is found about the branches that may use the shared `staging-plan`, and whether it is mended.
fn branches(policy: Value, named: &[&str]) -> Option<(String, bool)> {
    let estate = estate("");
    let Ok(repository) = RepoSlug::new("ops/infra") else {
        panic!("a repository")
    };
    let mut there = facts("staging-plan", json!([]), named);
    there.settings.deployment_branch_policy = serde_json::from_value(policy).ok();
    let mut sheet = Sheet::default();
    let places = shared(&estate);
    judge(
        &estate,
        &repository,
        &places,
        &ground(vec![there]),
        &mut sheet,
    );
    sheet.0.into_iter().find_map(|v| match v.outcome {
        Outcome::Finding {
            message, repair, ..
        } if v.check.id == "manager-environment-branch" && v.subject == "staging-plan" => {
            Some((message, repair.is_some()))
        }
        _ => None,
    })
}

#[test]
fn t4_only_the_default_branch_may_use_an_environment() {
    let custom = || json!({"protected_branches": false, "custom_branch_policies": true});
    assert_eq!(branches(custom(), &["main"]), None);
    for (policy, named, words, mended) in [
        (
            json!({"protected_branches": true, "custom_branch_policies": false}),
            &[][..],
            "where none has one, every branch",
            true,
        ),
        (Value::Null, &[], "every branch can use", true),
        (custom(), &["main", "tag main"], "`tag main`", false),
        (custom(), &["tag main"], "`tag main`", false),
        (custom(), &[], "no branch can use it", true),
    ] {
        let found = branches(policy, named);
        let (message, repair) = found.unwrap_or_else(|| panic!("{words}"));
        assert!(message.contains(words), "{message}");
        assert_eq!(repair, mended, "{message}");
    }
}
