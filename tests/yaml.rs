//! T8: a document that tenantry accepts means the same to PyYAML and to Terraform's `yamldecode`.

mod support;

use serde_json::Value;
use std::io::Write as _;
use std::process::{Command, Stdio};
use support::{Tested, skip, tool};
use tenantry::estate::yaml::{Reading, read};

/// Scalars that readers like to disagree on, and some that they do not.
const SCALARS: &[&str] = &[
    "yes",
    "no",
    "on",
    "off",
    "y",
    "n",
    "Yes",
    "NO",
    "true",
    "True",
    "TRUE",
    "false",
    "null",
    "~",
    "Null",
    "",
    "0",
    "-0",
    "1",
    "+1",
    "-7",
    "012",
    "0o12",
    "0x1F",
    "0b11",
    "1_000",
    "1e3",
    "1E3",
    "1.5e3",
    "1.0",
    "-2.50",
    ".5",
    "1.",
    "0.1",
    "0.00001",
    "0.0000001",
    "10000000000000000.0",
    "12:30:45",
    "1:2",
    "190:20:30",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "2026-1-2",
    "1.2.3",
    "10.0.0.0/16",
    ".inf",
    "-.Inf",
    ".nan",
    "=",
    "<<",
    "a: b",
    "- a",
    "[a, b]",
    "{a: b}",
    "'quoted'",
    "\"a\\nb\"",
    "\"\\u0041\"",
    "text # comment",
    "18446744073709551615",
    "18446744073709551616",
    "9007199254740993",
    "-9223372036854775808",
    "3ab",
    "a:b",
    "@at",
    "%x",
    "*a",
    "&a b",
    "!!str 1",
    "!x 1",
    "0.30000000000000004",
    "123456789012345678901234567890",
    "1e400",
    "ünï",
    "\u{2028}",
    "x\u{200b}y",
    "- - 1",
    "? a",
    "'it''s'",
];

const DOCUMENTS: &[&str] = &[
    "a: 1\nb:\n  c: [1, 2, {d: e}]\n",
    "a: &x {k: 1}\nb: *x\n",
    "a: |\n  two\n  lines\nb: >\n  folded\n  text\n",
    "a: 1\na: 2\n",
    "<<: {a: 1}\nb: 2\n",
    "a: b\n---\nc: d\n",
    "1: a\n",
    "true: a\n",
    "? [a]\n: b\n",
    "a:\n- 1\n- 2\n",
    "a: 'x'\n\n\nb: y\n",
    "\u{feff}a: 1\n",
    "a:\n  b:\n    c:\n      - d: 1\n        e: 2\n      - f\n",
    "\"quoted key\": 1\n",
    "a: !!binary aGk=\n",
    "%YAML 1.1\n---\na: yes\n",
    "a: \"tab\\there\"\n",
];

fn accepted() -> Vec<(String, Value)> {
    let scalars = SCALARS.iter().map(|s| format!("key: {s}\n"));
    let lists = SCALARS.iter().map(|s| format!("key:\n  - {s}\n  - end\n"));
    scalars
        .chain(lists)
        .chain(DOCUMENTS.iter().map(|d| (*d).to_owned()))
        .filter_map(|text| {
            let node = read("v.yml", text.as_bytes(), Reading::Strict).ok()?;
            Some((text, node.to_json()))
        })
        .collect()
}

fn answer(mut command: Command, input: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    child
        .stdin
        .take()
        .ok_or("no stdin")?
        .write_all(input.as_bytes())?;
    let out = child.wait_with_output()?;
    let text = String::from_utf8(out.stdout)?;
    serde_json::from_str(text.trim())
        .map_err(|e| format!("{e}: {text} {}", String::from_utf8_lossy(&out.stderr)).into())
}

fn same(other: &str, theirs: &Value) {
    let accepted = accepted();
    assert!(
        accepted.len() > 60,
        "hardly anything was accepted: {}",
        accepted.len()
    );
    for ((text, ours), theirs) in accepted.iter().zip(theirs.as_array().into_iter().flatten()) {
        // A BOM is ours to take off; what is handed on is canonical JSON.
        assert!(
            equal(ours, theirs),
            "{other} reads {text:?} as {theirs}, tenantry as {ours}"
        );
    }
}

/// Numbers are equal when their values are: 1.0 and 1 are the same number to every consumer.
fn equal(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => {
            a == b || a.as_f64() == b.as_f64() && (a.is_f64() || b.is_f64())
        }
        (Value::Array(a), Value::Array(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|(a, b)| equal(a, b))
        }
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(k, v)| b.get(k).is_some_and(|w| equal(v, w)))
        }
        _ => a == b,
    }
}

fn texts() -> String {
    let list: Vec<String> = accepted()
        .into_iter()
        .map(|(t, _)| t.trim_start_matches('\u{feff}').to_owned())
        .collect();
    serde_json::json!(list).to_string()
}

#[test]
fn t8_pyyaml_reads_the_same() -> Tested {
    let Some(python) = tool("python").filter(|p| p.to_string_lossy().contains("venv")) else {
        return skip(
            "t8_pyyaml_reads_the_same",
            "the tests' own python is not installed; run tests/run",
        );
    };
    let mut command = Command::new(python);
    command.args(["-c", "import json, sys, yaml\nprint(json.dumps([yaml.safe_load(t) for t in json.load(sys.stdin)], default=str))"]);
    same("PyYAML", &answer(command, &texts())?);
    Ok(())
}

#[test]
fn t8_terraform_reads_the_same() -> Tested {
    let Some(terraform) = tool("terraform") else {
        return skip(
            "t8_terraform_reads_the_same",
            "terraform is not on the PATH",
        );
    };
    let dir = tempfile::tempdir()?;
    std::fs::write(dir.path().join("texts.json"), texts())?;
    let mut command = Command::new(terraform);
    command
        .arg("console")
        .current_dir(dir.path())
        .env_clear()
        .env("PATH", support::path())
        .env("HOME", dir.path())
        .env("CHECKPOINT_DISABLE", "1");
    let quoted = answer(
        command,
        "jsonencode([for t in jsondecode(file(\"texts.json\")) : yamldecode(t)])\n",
    )?;
    // The console prints a text, so the JSON is quoted once more.
    let theirs: Value = serde_json::from_str(quoted.as_str().ok_or("no text")?)?;
    same("Terraform", &theirs);
    Ok(())
}
