//! Tests of policies: rules named `test_…` in `policies/*_test.rego`, as `opa test` and
//! `conftest verify` run them. A test passes when its rule is true.

use super::{add, engine, shown_lines};
use crate::estate::files::Files;
use crate::estate::finding::{Finding, Findings, Place};
use regorus::{Engine, Value};
use serde::Serialize;

/// One test of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Trial {
    /// The file.
    #[serde(flatten)]
    pub place: Place,
    /// The rule's name.
    pub name: String,
    /// How it ended.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a test ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "outcome", content = "message", rename_all = "lowercase")]
pub enum Outcome {
    /// The rule is true.
    Passed,
    /// It is false or undefined.
    Failed,
    /// It could not be evaluated.
    Error(String),
    /// Its name begins with `todo_`.
    Skipped,
}

/// Runs every test. Policies and tests share one engine, so that a test can name a policy's rules.
pub fn trials(files: &Files) -> Result<Vec<Trial>, Findings> {
    let mut shared = engine();
    let mut tests = Vec::new();
    let mut findings = Vec::new();
    for (path, bytes) in files
        .under("policies")
        .filter(|(p, _)| p.ends_with(".rego"))
    {
        match add(&mut shared, path, bytes) {
            Ok(package) if path.ends_with("_test.rego") => {
                let rules = rules(&String::from_utf8_lossy(bytes));
                if rules.is_empty() {
                    let message = "the file has no test; write `test_name if { … }`";
                    findings.push(Finding::error(Place::file(path), "policy-test", message));
                }
                tests.extend(
                    rules
                        .into_iter()
                        .map(|(line, name)| (Place::at(path, line, 1), name, package.clone())),
                );
            }
            Ok(_) => {}
            Err(message) => {
                findings.push(Finding::error(Place::file(path), "policy-invalid", message))
            }
        }
    }
    if !findings.is_empty() {
        return Err(Findings(findings));
    }
    shared.set_input(Value::new_object());
    Ok(tests
        .into_iter()
        .map(|(place, name, package)| {
            let outcome = one(&shared, &package, &name);
            Trial {
                place,
                name,
                outcome,
            }
        })
        .collect())
}

fn one(shared: &Engine, package: &str, name: &str) -> Outcome {
    if name.starts_with("todo_") {
        return Outcome::Skipped;
    }
    match shared.clone().eval_rule(format!("{package}.{name}")) {
        Ok(Value::Bool(true)) => Outcome::Passed,
        Ok(Value::Bool(false) | Value::Undefined) => Outcome::Failed,
        Ok(_) => Outcome::Error("the rule must be true or false".to_owned()),
        Err(e) => Outcome::Error(shown_lines(&e.to_string())),
    }
}

/// Lines and names of the rules that are tests. A rule may have several bodies.
fn rules(text: &str) -> Vec<(usize, String)> {
    let mut out: Vec<(usize, String)> = Vec::new();
    for (i, line) in text.lines().enumerate() {
        let name: String = line
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect();
        let is_test = name.starts_with("test_") || name.starts_with("todo_test_");
        if is_test && !out.iter().any(|(_, n)| *n == name) {
            out.push((i + 1, name));
        }
    }
    out
}
