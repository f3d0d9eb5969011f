//! docs/cli.md is what the binary says about itself. After a change of a flag or a help text:
//!
//! ```text
//! TENANTRY_UPDATE_DOCS=1 cargo test --test cli_help
//! ```

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot start its own binary has failed"
)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::Command;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/cli.md");
/// What stands above this line is written by hand.
const MARK: &str = "<!-- From here on written by tests/cli_help.rs. -->\n";

fn tenantry(args: &[&str]) -> (i32, String, String) {
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(args)
        .env_clear()
        .current_dir(std::env::temp_dir())
        .output()
        .unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        out.status.code().unwrap(),
        text(out.stdout),
        text(out.stderr),
    )
}

/// The verbs that a help text lists, but `help` itself.
fn verbs(help: &str) -> Vec<String> {
    help.lines()
        .skip_while(|l| *l != "Commands:")
        .skip(1)
        .take_while(|l| !l.is_empty())
        .filter_map(|l| l.split_whitespace().next())
        .filter(|v| *v != "help")
        .map(str::to_owned)
        .collect()
}

fn section(path: &[String], out: &mut String) {
    let mut args = vec!["help"];
    args.extend(path.iter().map(String::as_str));
    let (code, help, _) = tenantry(&args);
    assert_eq!(code, 0, "{args:?}");
    let name = std::iter::once("tenantry")
        .chain(path.iter().map(String::as_str))
        .collect::<Vec<_>>()
        .join(" ");
    let help = help
        .lines()
        .map(str::trim_end)
        .collect::<Vec<_>>()
        .join("\n");
    let _ = write!(out, "\n## {name}\n\n```text\n{}\n```\n", help.trim_end());
    for verb in verbs(&help) {
        let mut below = path.to_vec();
        below.push(verb);
        section(&below, out);
    }
}

#[test]
fn the_page_says_what_the_binary_says() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let (by_hand, there) = page
        .split_once(MARK)
        .expect("the mark stands in docs/cli.md");
    let mut generated = String::new();
    section(&[], &mut generated);
    #[allow(clippy::disallowed_methods, reason = "asks for a new page")]
    if std::env::var("TENANTRY_UPDATE_DOCS").is_ok_and(|v| v == "1") {
        std::fs::write(PAGE, format!("{by_hand}{MARK}{generated}")).unwrap();
        return;
    }
    assert!(
        there == generated,
        "docs/cli.md is stale; run TENANTRY_UPDATE_DOCS=1 cargo test --test cli_help"
    );
}

/// Names of environment variables that stand as texts in `source`.
fn variables(source: &str) -> impl Iterator<Item = &str> {
    source.split('"').skip(1).step_by(2).filter(|word| {
        // Names without `_` are cargo's value names, or PATH and its like, which are no news.
        word.contains('_')
            && !word.starts_with("CARGO_")
            && word.contains(|c: char| c.is_ascii_uppercase())
            && word
                .bytes()
                .all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    })
}

#[test]
fn every_environment_variable_is_on_the_page() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let mut missing = BTreeSet::new();
    let mut open = vec![Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let source = std::fs::read_to_string(&path).unwrap();
            for line in source.lines().filter(|l| !l.trim_start().starts_with("//")) {
                for name in variables(line).filter(|n| !page.contains(*n)) {
                    missing.insert(name.to_owned());
                }
            }
        }
    }
    assert_eq!(missing, BTreeSet::new(), "not in docs/cli.md");
}

#[test]
fn exit_codes_are_those_of_the_page() {
    let (done, ..) = tenantry(&["--version"]);
    let (usage, _, said) = tenantry(&["valdate"]);
    assert_eq!((done, usage), (0, 2));
    assert!(said.contains("validate"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    std::fs::create_dir_all(dir.join("products/web/environments")).unwrap();
    std::fs::write(dir.join("products/web/environments/staging.yaml"), "{}\n").unwrap();
    std::fs::write(dir.join("variables.yml"), "a: yes\n").unwrap();
    let estate = dir.to_str().unwrap();
    let file = dir.join("variables.yml");
    let (nothing, ..) = tenantry(&["stacks", "--estate", estate]);
    let (refused, found, _) = tenantry(&["validate", "--estate", estate, file.to_str().unwrap()]);
    assert_eq!((refused, nothing), (1, 3));
    assert!(found.contains("[yaml-ambiguous]"), "{found}");
    let page = std::fs::read_to_string(PAGE).unwrap();
    for code in ["| 0 |", "| 1 |", "| 2 |", "| 3 |", "| 10 |", "| 70 |"] {
        assert!(page.contains(code), "{code}");
    }
}
