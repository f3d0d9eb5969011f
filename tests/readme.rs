//! The README, followed by the letter in an empty folder: files from its ```yaml blocks, commands
//! from its ```console blocks, in the order in which they stand there.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read the README has failed"
)]

use std::path::Path;
use std::process::Command;

enum Step {
    /// A file to write: path and content.
    File(String, String),
    /// A command with the line it stands in, its exit code, and lines that it must print.
    Run {
        line: usize,
        command: String,
        exit: i32,
        shows: Vec<String>,
    },
}

/// Commands that start something other than the binary; they are only looked for.
fn exempt(command: &str) -> bool {
    match command {
        "cargo run --release -- demo" => true,
        "tests/run" => Path::new(env!("CARGO_MANIFEST_DIR"))
            .join(command)
            .is_file(),
        _ => false,
    }
}

fn steps(page: &str) -> Vec<Step> {
    let mut out: Vec<Step> = Vec::new();
    let mut block: Option<&str> = None;
    let mut first = false;
    for (i, line) in page.lines().enumerate() {
        if let Some(kind) = line.strip_prefix("```") {
            block = match block {
                None => Some(kind),
                Some(_) => None,
            };
            first = true;
            continue;
        }
        match block {
            Some("yaml") => {
                if first {
                    let path = line
                        .strip_prefix("# ")
                        .expect("a yaml block begins with its path");
                    out.push(Step::File(path.to_owned(), String::new()));
                } else if let Some(Step::File(_, content)) = out.last_mut() {
                    content.push_str(line);
                    content.push('\n');
                }
            }
            Some("console") => {
                if let Some(command) = line.strip_prefix("$ ") {
                    let (command, exit) = match command.split_once(" # exit ") {
                        Some((command, code)) => (command, code.parse().unwrap()),
                        None => (command, 0),
                    };
                    out.push(Step::Run {
                        line: i + 1,
                        command: command.to_owned(),
                        exit,
                        shows: Vec::new(),
                    });
                } else if let Some(Step::Run { shows, .. }) = out.last_mut() {
                    shows.push(line.to_owned());
                }
            }
            _ => {}
        }
        first = false;
    }
    assert!(block.is_none(), "a block of the README is not closed");
    out
}

#[test]
fn the_commands_of_the_readme_do_what_it_says() {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    #[allow(
        clippy::disallowed_methods,
        reason = "git and the shell's tools stay where they are"
    )]
    let path = std::env::var("PATH").unwrap_or_default();
    let mut ran = 0;
    for step in steps(&page) {
        match step {
            Step::File(path, content) => {
                let there = dir.join(&path);
                std::fs::create_dir_all(there.parent().unwrap()).unwrap();
                std::fs::write(there, content).unwrap();
            }
            Step::Run { command, .. } if exempt(&command) => {}
            Step::Run {
                line,
                command,
                exit,
                shows,
            } => {
                let mut words = command.split_whitespace();
                assert_eq!(
                    words.next(),
                    Some("tenantry"),
                    "README.md:{line}: only tenantry is run: {command}"
                );
                let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
                    .args(words)
                    .current_dir(dir)
                    .env_clear()
                    .env("PATH", &path)
                    .env("HOME", dir)
                    // `init` would ask GitHub for the commit of a release.
                    .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
                    .output()
                    .unwrap();
                let printed = format!(
                    "{}{}",
                    String::from_utf8_lossy(&out.stdout),
                    String::from_utf8_lossy(&out.stderr)
                );
                assert_eq!(
                    out.status.code(),
                    Some(exit),
                    "README.md:{line}: {command}\n{printed}"
                );
                for shown in shows {
                    assert!(
                        printed.lines().any(|l| l == shown),
                        "README.md:{line}: {command}\nshould print: {shown}\nprinted:\n{printed}"
                    );
                }
                ran += 1;
            }
        }
    }
    assert!(ran >= 6, "only {ran} commands were found in the README");
    // What the README says lies beside the manager's folder.
    assert!(dir.join("infra-manager.seal-identity").is_file());
}
