//! `docs/rules/` is the table of `src/estate/rules.rs`; the table and the code know the same
//! rules. After a change of the table:
//!
//! ```text
//! TENANTRY_UPDATE_DOCS=1 cargo test --test rules
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read its own repository has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use tenantry::estate::Level;
use tenantry::estate::rules::{self, Rule};
use tenantry::estate::yaml::{Reading, read};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

const WRITTEN: &str = "<!-- Written from src/estate/rules/ by tests/rules.rs. -->\n";

fn level(rule: &Rule) -> &'static str {
    match rule.level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

fn page(rule: &Rule) -> String {
    let Rule {
        id,
        level: _,
        lint,
        title,
        why,
        instead,
        bad,
        good,
    } = rule;
    let mut out = format!("# `{id}`: {title}\n\n{WRITTEN}\nLevel: {}.", level(rule));
    if *lint {
        let command = match *id {
            "isolation-environment" => "tenantry doctor isolation",
            _ => "tenantry validate --estate DIR",
        };
        let _ = write!(
            out,
            " A lint of `{command}`; it can be [allowed](../settings.md#lints) for a while."
        );
    }
    let _ = write!(
        out,
        "\n\n{why}\n\nFound:\n\n```{}\n{}\n```\n\n{instead}\n\n```{}\n{}\n```\n",
        bad.language, bad.text, good.language, good.text
    );
    out
}

fn index() -> String {
    let mut out = format!(
        "# Rules\n\n{WRITTEN}\nWhat a finding `path:line:column: message [rule]` can name. Lints look at the estate as a whole and can be [allowed](../settings.md#lints); everything else has to be corrected.\n\n| rule | level | |\n|---|---|---|\n"
    );
    for rule in rules::all() {
        let lint = if rule.lint { ", lint" } else { "" };
        let _ = writeln!(
            out,
            "| [`{0}`]({0}.md) | {1}{lint} | {2} |",
            rule.id,
            level(rule),
            rule.title
        );
    }
    out
}

#[test]
fn the_pages_are_the_table() {
    let folder = root().join("docs/rules");
    let mut pages: BTreeMap<String, String> = rules::all()
        .map(|r| (format!("{}.md", r.id), page(r)))
        .collect();
    pages.insert("README.md".into(), index());
    let there: BTreeSet<String> = fs::read_dir(&folder)
        .map(|entries| {
            entries
                .map(|e| e.unwrap().file_name().into_string().unwrap())
                .collect()
        })
        .unwrap_or_default();
    #[allow(clippy::disallowed_methods, reason = "asks for new pages")]
    if std::env::var("TENANTRY_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        fs::create_dir_all(&folder).unwrap();
        for name in there.iter().filter(|n| !pages.contains_key(*n)) {
            fs::remove_file(folder.join(name)).unwrap();
        }
        for (name, content) in &pages {
            fs::write(folder.join(name), content).unwrap();
        }
        return;
    }
    let stale: Vec<&String> = pages
        .iter()
        .filter(|(name, content)| {
            fs::read_to_string(folder.join(name)).ok().as_ref() != Some(content)
        })
        .map(|(name, _)| name)
        .chain(there.iter().filter(|n| !pages.contains_key(*n)))
        .collect();
    assert!(
        stale.is_empty(),
        "stale in docs/rules: {stale:?}; run TENANTRY_UPDATE_DOCS=1 cargo test --test rules"
    );
}

#[test]
fn the_table_is_in_order() {
    let mut seen = BTreeSet::new();
    for rule in rules::all() {
        let Rule {
            id,
            title,
            why,
            instead,
            bad,
            good,
            ..
        } = rule;
        assert!(seen.insert(id), "{id} stands twice");
        for text in [title, why, instead, &bad.text, &good.text] {
            assert!(!text.is_empty() && text.trim() == *text, "{id}: {text:?}");
        }
        assert!(!title.ends_with('.') && title.len() < 80, "{id}: {title}");
        // Code scanning shows no more of a description.
        assert!(why.len() < 1024 && why.ends_with('.'), "{id}: {why}");
        assert_ne!(bad.text, good.text, "{id}");
    }
}

/// What the pages of the reader's rules show is what the reader says.
#[test]
fn t8_examples_of_the_reader_are_refused_and_their_corrections_are_not() {
    let mut seen = 0;
    for rule in rules::all().filter(|r| r.id.starts_with("yaml-") && r.bad.language == "yaml") {
        let found = read("v.yml", rule.bad.text.as_bytes(), Reading::Strict).unwrap_err();
        assert!(found.0.iter().any(|f| f.rule == rule.id), "{found}");
        read("v.yml", rule.good.text.as_bytes(), Reading::Strict).unwrap();
        seen += 1;
    }
    assert!(seen > 8, "only {seen} examples were tried");
}

fn sources() -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join("src")];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                out.push(path);
            }
        }
    }
    out
}

/// A source without comments and tests.
fn code(path: &Path) -> String {
    let name = path.to_str().unwrap();
    if name.contains("/tests") || name.ends_with("_tests.rs") || name.contains("/src/estate/rules")
    {
        return String::new();
    }
    let text = fs::read_to_string(path).unwrap();
    let text = text.split("#[cfg(test)]").next().unwrap();
    text.lines()
        .filter(|l| !l.trim_start().starts_with("//"))
        .fold(String::new(), |out, line| out + line + "\n")
}

/// The second argument of a call, whose text begins behind the opening bracket.
fn second_argument(call: &str) -> Option<&str> {
    let (mut depth, mut quoted, mut start, mut commas) = (0_i32, false, 0, 0);
    let mut before = ' ';
    for (i, c) in call.char_indices() {
        match c {
            '"' if before != '\\' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth > 0 => depth -= 1,
            ',' | ')' if depth == 0 => {
                if commas == 1 {
                    return Some(call[start..i].trim());
                }
                if c == ')' {
                    return None;
                }
                commas += 1;
                start = i + 1;
            }
            _ => {}
        }
        before = c;
    }
    None
}

fn is_id(word: &str) -> bool {
    !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

/// Every text of `source` that could be an id.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').filter(|w| is_id(w))
}

#[test]
fn the_table_and_the_code_know_the_same_rules() {
    let table: BTreeSet<&str> = rules::all().map(|r| r.id).collect();
    let families: BTreeSet<String> = table
        .iter()
        .filter_map(|id| id.split_once('-'))
        .map(|(family, _)| format!("{family}-"))
        .collect();
    let mut literal = BTreeSet::new();
    let mut unknown = BTreeSet::new();
    for path in sources() {
        let code = code(&path);
        let name = path.strip_prefix(root()).unwrap().display().to_string();
        let mut used: BTreeSet<&str> = BTreeSet::new();
        for call in ["Finding::error(", "Finding::warning("] {
            for after in code.split(call).skip(1) {
                let rule = second_argument(after).unwrap_or_default();
                used.extend(rule.strip_prefix('"').and_then(|r| r.strip_suffix('"')));
            }
        }
        for after in code.split("rule: \"").skip(1) {
            used.extend(after.split('"').next().filter(|w| is_id(w)));
        }
        // Ids that reach a finding by way of a variable.
        if name.starts_with("src/estate/") || name.starts_with("src/engine/") {
            used.extend(literals(&code).filter(|w| {
                families.iter().any(|f| {
                    w.strip_prefix(f.as_str())
                        .is_some_and(|rest| !rest.is_empty())
                }) && !w.ends_with('-')
            }));
        }
        for id in used.iter().filter(|id| !table.contains(*id)) {
            unknown.insert(format!("{name}: {id}"));
        }
        literal.extend(literals(&code).map(str::to_owned));
    }
    assert_eq!(unknown, BTreeSet::new(), "not in src/estate/rules/");
    let unused: Vec<&&str> = table.iter().filter(|id| !literal.contains(**id)).collect();
    assert!(unused.is_empty(), "no code names these rules: {unused:?}");
}
