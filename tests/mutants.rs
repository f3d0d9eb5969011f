//! `tests/mutants/guards.txt` says for every guard where it stands and which test fails without it.
//! Trying that takes `tests/mutants/run` half an hour; this keeps the list true in every run: each
//! guard stands where the list says, once, and its test exists.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read its own repository has failed"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

#[derive(Debug, Default)]
struct Guard {
    name: String,
    file: String,
    function: String,
    old: Vec<String>,
    new: Vec<String>,
    target: String,
    test: String,
}

fn guards() -> Vec<Guard> {
    let text = fs::read_to_string(root().join("tests/mutants/guards.txt")).unwrap();
    let body = text.lines().filter(|l| !l.starts_with('#'));
    let body: Vec<&str> = body.collect();
    body.split(|l| l.is_empty())
        .filter(|block| !block.is_empty())
        .map(|block| {
            let mut guard = Guard::default();
            for line in block {
                let code = |l: &str| l[1..].strip_prefix(' ').unwrap_or_default().to_owned();
                match line.split_once(' ') {
                    Some(("guard", rest)) => rest.clone_into(&mut guard.name),
                    Some(("at", rest)) => {
                        let (file, function) = rest.split_once(' ').expect(rest);
                        (guard.file, guard.function) = (file.into(), function.into());
                    }
                    Some(("test", rest)) => {
                        let (target, test) = rest.split_once(' ').expect(rest);
                        (guard.target, guard.test) = (target.into(), test.into());
                    }
                    _ if line.starts_with('-') => guard.old.push(code(line)),
                    _ if line.starts_with('+') => guard.new.push(code(line)),
                    _ => panic!("not understood: {line}"),
                }
            }
            guard
        })
        .collect()
}

fn sources(folder: &str) -> Vec<PathBuf> {
    let mut out = Vec::new();
    let mut open = vec![root().join(folder)];
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

#[test]
fn every_guard_stands_where_the_list_says() {
    let guards = guards();
    assert!(guards.len() >= 90, "{} guards", guards.len());
    let mut wrong = Vec::new();
    let mut names = BTreeSet::new();
    for guard in &guards {
        let Guard {
            name,
            file,
            function,
            old,
            new,
            ..
        } = guard;
        let text = fs::read_to_string(root().join(file)).unwrap_or_default();
        let (old, new) = (old.join("\n"), new.join("\n"));
        let times = text.matches(&old).count();
        if times != 1 {
            wrong.push(format!("{name}: stands {times} times in {file}:\n{old}"));
            continue;
        }
        if old == new || old.trim().is_empty() {
            wrong.push(format!("{name}: nothing is taken away"));
        }
        let before = &text[..text.find(&old).unwrap() + old.len()];
        if !before.contains(&format!("fn {function}"))
            && !before.contains(&format!("static {function}"))
        {
            wrong.push(format!(
                "{name}: there is no `{function}` above it in {file}"
            ));
        }
        if !names.insert(name) {
            wrong.push(format!("{name}: stands twice in the list"));
        }
    }
    assert!(
        wrong.is_empty(),
        "tests/mutants/guards.txt is not true any more; a guard that moved moves there too:\n{}",
        wrong.join("\n")
    );
}

#[test]
fn the_test_of_every_guard_exists() {
    let library: String = sources("src")
        .iter()
        .map(|p| fs::read_to_string(p).unwrap())
        .collect();
    let mut wrong = Vec::new();
    for guard in guards() {
        let text = match guard.target.as_str() {
            "lib" => library.clone(),
            name => fs::read_to_string(root().join(format!("tests/{name}.rs"))).unwrap_or_default(),
        };
        let function = guard.test.rsplit("::").next().unwrap();
        // Tests that a macro makes have no `fn`.
        let there = text.contains(&format!("fn {function}("))
            || text.contains(&format!("\n    {function}: "));
        if !there {
            wrong.push(format!("{}: {} {}", guard.name, guard.target, guard.test));
        }
    }
    assert!(wrong.is_empty(), "no such test:\n{}", wrong.join("\n"));
}
