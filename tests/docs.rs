//! The examples of docs/settings.md are an estate; the tables there and in docs/contract.md name
//! every key and every rule that the code knows.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read the pages has failed"
)]

use std::collections::BTreeSet;
use std::path::Path;
use tenantry::estate::resolve::{ContractFile, Rules, read_contract, resolve};
use tenantry::estate::settings::{HintMode, StateBackend};
use tenantry::estate::yaml::{Reading, read};
use tenantry::estate::{Estate, Files};

fn text(path: &str) -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).unwrap()
}

/// The yaml blocks of a page: path from the first line, and content.
fn examples(page: &str) -> Vec<(String, String)> {
    text(page)
        .split("```yaml\n# ")
        .skip(1)
        .map(|rest| {
            let block = rest.split("\n```").next().unwrap();
            let (path, content) = block.split_once('\n').unwrap();
            (path.to_owned(), format!("{content}\n"))
        })
        .collect()
}

fn estate() -> Estate {
    let mut files = Files::new();
    for (path, content) in examples("docs/settings.md") {
        files.insert(path, content.into_bytes());
    }
    for name in [
        "base-values.yaml",
        "environments/staging.yaml",
        "environments/production.yaml",
        "values.schema.json",
        "terraform/main.tf",
        "terraform/variables.tf",
    ] {
        let template = format!("templates/manager/products/web/{name}");
        let content = if name.starts_with("environments/") {
            "tags: {}\n".to_owned()
        } else {
            text(&template)
        };
        files.insert(format!("products/web/{name}"), content.into_bytes());
    }
    Estate::read(files).unwrap()
}

#[test]
fn the_examples_of_the_settings_are_an_estate() {
    let estate = estate();
    let settings = &estate.settings;
    assert_eq!(settings.hints, HintMode::Direct);
    assert_eq!(settings.plan_max_age_hours, 24);
    assert!(matches!(settings.state, Some(StateBackend::S3 { .. })));
    assert_eq!(settings.gates.len(), 2);
    let stacks: Vec<String> = estate.stacks().iter().map(ToString::to_string).collect();
    assert_eq!(stacks, ["acme/web/staging", "acme/web/production"]);
}

#[test]
fn the_example_of_the_contract_resolves() {
    let estate = estate();
    let rules = Rules::of(&estate).unwrap();
    let (path, content) = examples("docs/contract.md").remove(0);
    let file = ContractFile {
        path,
        bytes: content.into_bytes(),
    };
    let contract = read_contract(&file, &["staging", "production"]).unwrap();
    for stack in estate.stacks() {
        let values = resolve(&estate, &rules, &stack, Some(&contract))
            .unwrap()
            .effective
            .values;
        assert_eq!(values["tags"]["environment"], stack.environment.as_str());
        assert_eq!(values["tags"]["project"], "shop");
    }
}

/// The keys that a source file asks for.
fn keys(source: &str) -> BTreeSet<String> {
    let reads = [
        ".text(\"",
        ".parsed(\"",
        ".parsed::<ProductId>(\"",
        ".parsed_list(\"",
        ".parsed_list::<String>(\"",
        ".fields(\"",
        ".number(\"",
        ".boolean(\"",
        ".list(\"",
        ".node(\"",
        ".word(\"",
        ".word(\n            \"",
        ", \"",
    ];
    let mut out = BTreeSet::new();
    for read in reads {
        for after in source.split(read).skip(1) {
            let key = after.split('"').next().unwrap();
            let call = read != ", \"" || after[key.len()..].starts_with("\")");
            if call && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_') {
                out.insert(key.to_owned());
            }
        }
    }
    out
}

#[test]
fn every_setting_is_on_the_page() {
    let page = text("docs/settings.md");
    for source in [
        "src/estate/settings.rs",
        "src/estate/instructions.rs",
        "src/estate/read.rs",
        "src/estate/entry.rs",
        "src/estate/credential/read.rs",
    ] {
        let source = text(source);
        let found = keys(source.split("#[cfg(test)]").next().unwrap());
        assert!(found.len() > 5, "{found:?}");
        let missing: Vec<_> = found
            .iter()
            .filter(|k| {
                !["`", "."].iter().any(|before| {
                    ["`", "."]
                        .iter()
                        .any(|after| page.contains(&format!("{before}{k}{after}")))
                })
            })
            .collect();
        assert!(missing.is_empty(), "not in docs/settings.md: {missing:?}");
    }
}

#[test]
fn every_rule_of_the_reader_is_on_the_page() {
    let page = text("docs/contract.md");
    let mut missing = BTreeSet::new();
    for source in [
        "src/estate/yaml.rs",
        "src/estate/schema.rs",
        "src/estate/resolve.rs",
        "src/delivery/source.rs",
    ] {
        for word in text(source).split('"').skip(1).step_by(2) {
            let rule = ["yaml-", "schema-", "contract-"]
                .iter()
                .any(|p| word.strip_prefix(p).is_some_and(|r| !r.is_empty()))
                && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-');
            // The provider's own mistake; no customer reads it.
            if rule && word != "schema-invalid" && !page.contains(&format!("`{word}`")) {
                missing.insert(word.to_owned());
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "not in docs/contract.md");
}

/// Each example of the first column of the table "YAML, read strictly" that is a plain value.
#[test]
fn t8_what_the_table_says_is_refused_is_refused() {
    let page = text("docs/contract.md");
    let mut seen = 0;
    for row in page.lines().filter(|l| l.starts_with("| `")) {
        let cells: Vec<&str> = row.split(" | ").collect();
        let [examples, .., rule] = cells.as_slice() else {
            continue;
        };
        let rule = rule.trim_matches(['|', ' ', '`']);
        if !matches!(rule, "yaml-ambiguous" | "yaml-number") {
            continue;
        }
        for example in examples.split('`').skip(1).step_by(2) {
            let found = read(
                "v.yml",
                format!("a: {example}\n").as_bytes(),
                Reading::Strict,
            );
            assert_eq!(found.unwrap_err().0[0].rule, rule, "{example}");
            let quoted = format!("a: \"{example}\"\n");
            assert!(read("v.yml", quoted.as_bytes(), Reading::Strict).is_ok());
            seen += 1;
        }
    }
    assert!(seen > 15, "only {seen} examples were found");
}
