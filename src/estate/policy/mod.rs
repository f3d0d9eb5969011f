//! `policies/*.rego`, by conftest's convention: `deny` and `warn` hold a message, or an object
//! with `msg` and `path`.
//!
//! A policy that silently passes is worse than none, because Rego reads an undefined rule as
//! "nothing to say". So every policy file must define `deny` or `warn`, must compile, and must
//! end in time; anything else is an error.

use crate::estate::effective::Effective;
use crate::estate::files::Files;
use crate::estate::finding::{Finding, Findings, Level, Place};
use crate::estate::ids::shown;
use regorus::Engine;
use serde_json::{Value, json};
use std::time::Duration;

mod trial;

pub use trial::{Outcome, Trial, trials};

/// What the process may hold while a policy is evaluated, in bytes.
const MEMORY: u64 = 512 << 20;
const TIME: Duration = Duration::from_millis(2_000);

/// The provider's policies, compiled.
pub struct Policies {
    files: Vec<Compiled>,
}

/// A policy file: its path, its engine, and the rules it has, with what each of them means.
type Compiled = (String, Engine, Vec<(String, Level)>);

impl Policies {
    /// Compiles every `policies/*.rego` but the tests.
    pub fn read(files: &Files) -> Result<Self, Findings> {
        let mut out = Vec::new();
        let mut findings = Vec::new();
        for (path, bytes) in files.under("policies") {
            if !path.ends_with(".rego") || path.ends_with("_test.rego") {
                continue;
            }
            match compile(path, bytes) {
                Ok(compiled) => out.push(compiled),
                Err(message) => findings.push(located(path, "policy-invalid", &message)),
            }
        }
        if findings.is_empty() {
            Ok(Self { files: out })
        } else {
            Err(Findings(findings))
        }
    }

    /// What the policies say of one stack. `plan` is the plan's JSON, once there is one.
    pub fn check(&self, effective: &Effective, plan: Option<&Value>) -> Vec<Finding> {
        if self.files.is_empty() {
            return Vec::new();
        }
        let stack = &effective.stack;
        let input = json!({
            "stack": {"customer": stack.customer, "product": stack.product, "environment": stack.environment},
            "values": effective.values,
            "plan": plan,
        });
        let input = match regorus::Value::from_json_str(&input.to_string()) {
            Ok(input) => input,
            Err(e) => {
                let path = &self.files[0].0;
                return vec![Finding::error(
                    Place::file(path),
                    "policy-error",
                    shown_lines(&e.to_string()),
                )];
            }
        };
        let mut findings = Vec::new();
        for (path, engine, rules) in &self.files {
            let mut engine = engine.clone();
            engine.set_input(input.clone());
            for (rule, level) in rules {
                match evaluate(&mut engine, rule) {
                    Ok(decisions) => findings.extend(
                        decisions
                            .iter()
                            .map(|d| decision(d, *level, path, effective)),
                    ),
                    Err(message) => findings.push(located(path, "policy-error", &message)),
                }
            }
        }
        findings
    }

    /// How many policy files there are.
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

/// An engine with limits. A builtin that fails is an error, not "undefined".
fn engine() -> Engine {
    regorus::set_global_memory_limit(Some(MEMORY));
    let mut engine = Engine::new();
    engine.set_strict_builtin_errors(true);
    engine.set_execution_timer_config(regorus::utils::limits::ExecutionTimerConfig {
        limit: TIME,
        check_interval: std::num::NonZeroU32::MIN.saturating_add(255),
    });
    engine
}

/// Adds a file in Rego 1, or in the older language (`deny[msg] { … }`) if it is written in that.
/// Gives the package, such as `data.tenantry.instances`.
fn add(engine: &mut Engine, path: &str, bytes: &[u8]) -> Result<String, String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    let first = match engine.add_policy(path.to_owned(), text.to_owned()) {
        Ok(package) => return Ok(package),
        Err(e) => e,
    };
    engine.set_rego_v0(true);
    let second = engine.add_policy(path.to_owned(), text.to_owned());
    engine.set_rego_v0(false);
    // What is wrong in both is told in the words of the newer.
    second.map_err(|_| shown_lines(&first.to_string()))
}

fn compile(path: &str, bytes: &[u8]) -> Result<Compiled, String> {
    let mut engine = engine();
    let package = add(&mut engine, path, bytes)?;
    let mut rules = Vec::new();
    for (name, level) in [
        ("deny", Level::Error),
        ("violation", Level::Error),
        ("warn", Level::Warning),
    ] {
        let rule = format!("{package}.{name}");
        let declared = engine
            .has_declared_rule_rooted_at(path, name)
            .map_err(|e| shown_lines(&e.to_string()))?;
        if declared {
            rules.push((rule, level));
        }
    }
    if rules.is_empty() {
        return Err("the policy defines neither `deny` nor `warn`, so it could never say anything; add a rule or remove the file".to_owned());
    }
    // Compiles everything, so that a mistake is found before a customer's change is; what is
    // kept is ready to be used.
    let probe = json!({"stack": {"customer": "probe", "product": "probe", "environment": "probe"}, "values": {}, "plan": null});
    let probe = regorus::Value::from_json_str(&probe.to_string())
        .map_err(|e| shown_lines(&e.to_string()))?;
    engine.set_input(probe);
    for (rule, _) in &rules {
        evaluate(&mut engine, rule)?;
    }
    Ok((path.to_owned(), engine, rules))
}

fn evaluate(engine: &mut Engine, rule: &str) -> Result<Vec<Value>, String> {
    let value = engine
        .eval_rule(rule.to_owned())
        .map_err(|e| shown_lines(&e.to_string()))
        .map_err(|message| match message.contains("exceeded time limit") {
            // How long it took differs from run to run.
            true => format!(
                "`{rule}` does not end within the time limit of {} s; let it look at less",
                TIME.as_secs()
            ),
            false => message,
        })?;
    let json: Value = serde_json::from_str(
        &value
            .to_json_str()
            .map_err(|e| shown_lines(&e.to_string()))?,
    )
    .map_err(|e| e.to_string())?;
    match json {
        Value::Array(items) => Ok(items),
        Value::String(_) => Ok(vec![json]),
        _ => Err(format!(
            "`{rule}` must be a set of messages; write it as `deny contains msg if {{ … }}`"
        )),
    }
}

fn decision(decision: &Value, level: Level, policy: &str, effective: &Effective) -> Finding {
    let message = decision
        .as_str()
        .or_else(|| decision.get("msg").and_then(Value::as_str))
        .unwrap_or("denied without a message");
    let path = decision.get("path").map(|p| match p {
        Value::Array(steps) => steps
            .iter()
            .map(|s| s.as_str().map_or_else(|| s.to_string(), str::to_owned))
            .collect(),
        other => other
            .as_str()
            .unwrap_or_default()
            .trim_start_matches("values.")
            .split('.')
            .map(str::to_owned)
            .collect::<Vec<_>>(),
    });
    let place = path
        .and_then(|p| {
            let steps: Vec<&str> = p.iter().map(String::as_str).collect();
            effective.blame(&steps).map(|o| o.place)
        })
        .unwrap_or_else(|| Place::file(policy));
    Finding {
        place,
        level,
        message: shown_lines(message),
        rule: "policy".into(),
    }
}

/// The engine says where it stopped in a picture, `--> path:6:9 | 6 | msg := | ^ error: …`.
fn located(path: &str, rule: &'static str, message: &str) -> Finding {
    let picture = message
        .strip_prefix("--> ")
        .and_then(|rest| rest.strip_prefix(path)?.strip_prefix(':'))
        .and_then(|rest| rest.split_once(" error: "));
    let found = picture.and_then(|(at, why)| {
        let (line, column) = at.split(' ').next()?.split_once(':')?;
        Some((line.parse().ok()?, column.parse().ok()?, why))
    });
    match found {
        Some((line, column, why)) => Finding::error(Place::at(path, line, column), rule, why),
        None => Finding::error(Place::file(path), rule, message),
    }
}

/// A message of a policy or of its engine, on one line.
fn shown_lines(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.chars()
        .take(400)
        .map(|c| {
            if matches!(c, ' '..='~') {
                c.to_string()
            } else {
                shown(&c.to_string())
            }
        })
        .collect()
}

#[cfg(test)]
mod tests;
