//! Runs the real workflow files with `act` on the host, and keeps the run's jobs up to date from its log.
//!
//! What `act` 0.2.89 does not do, and what stands in for it here: it ignores `environment:`, so a
//! job that starts in a protected environment puts a pending deployment on the run, and the step
//! itself waits through the API; it takes actor, sha and ref from its flags and the checkout, not
//! from `--env`; and it knows no environment secrets, so those of the workflow's environments
//! are given to the whole run.
use super::env::{self, Place};
use super::job::{self, Conclusion};
use super::process;
use crate::local::model::Run;
use crate::local::server::Inner;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use tokio::process::Command;

/// Set by `act` itself, or by the machine; not for the env file.
const NOT_OURS: [&str; 8] = [
    "GITHUB_WORKSPACE",
    "GITHUB_EVENT_PATH",
    "GITHUB_JOB",
    "GITHUB_ACTOR",
    "GITHUB_SHA",
    "GITHUB_REF",
    "HOME",
    "PATH",
];

/// Runs one workflow run to its end.
pub async fn run(inner: &Inner, id: u64) -> Conclusion {
    let Some(run) = inner.state().runs.get(&id).cloned() else {
        return "failure";
    };
    job::status(inner, id, "in_progress");
    let command = match env::prepare(inner, &run).and_then(|place| command(inner, &run, &place)) {
        Ok(command) => command,
        Err(e) => {
            if let Some(r) = inner.state().runs.get_mut(&id) {
                r.log.push_str(&format!("cannot prepare the run: {e}\n"));
            }
            return "failure";
        }
    };
    let code = process::execute(inner, id, command, |line| follow(inner, &run, line)).await;
    match code {
        None => "cancelled",
        Some(0) => "success",
        Some(_) => "failure",
    }
}

fn command(inner: &Inner, run: &Run, place: &Place) -> Result<Command, String> {
    let mut vars = env::github(inner, run, place, "", None);
    vars.retain(|k, _| !NOT_OURS.contains(&k.as_str()) && !k.starts_with("RUNNER_"));
    vars.insert("GITHUB_TOKEN".to_owned(), run.token.clone());
    let mut secrets = env::settings(inner, run, None, true);
    let mut variables = env::settings(inner, run, None, false);
    for e in run.jobs.iter().filter_map(|j| j.environment.as_deref()) {
        secrets.extend(env::settings(inner, run, Some(e), true));
        variables.extend(env::settings(inner, run, Some(e), false));
    }
    secrets.insert("GITHUB_TOKEN".to_owned(), run.token.clone());
    let file = |name: &str, map: &BTreeMap<String, String>| pairs(&place.root.join(name), map);
    let (envs, secrets, variables) = (
        file("env.yml", &vars)?,
        file("secrets.yml", &secrets)?,
        file("vars.yml", &variables)?,
    );
    let actor = inner.state().login(run.event.actor).to_owned();
    let mut c = Command::new(&inner.runner.act);
    c.env_clear()
        .env("PATH", &inner.runner.path)
        .env("HOME", &place.root)
        .envs(inner.runner.extra_env.iter().map(|(k, v)| (k, v)))
        .current_dir(&place.workspace)
        .arg(&run.event.name)
        .arg("-C")
        .arg(&place.workspace)
        .arg("-W")
        .arg(&run.path)
        .arg("-e")
        .arg(&place.event)
        .args([
            "-P",
            "ubuntu-latest=-self-hosted",
            "-P",
            "ubuntu-24.04=-self-hosted",
            "--json",
        ])
        // Its cache server would listen on an address that is not loopback.
        .args([
            "--no-cache-server",
            "--cache-server-addr",
            "127.0.0.1",
            "--artifact-server-addr",
            "127.0.0.1",
        ])
        .args(["--actor", &actor])
        .arg("--env-file")
        .arg(envs)
        .arg("--secret-file")
        .arg(secrets)
        .arg("--var-file")
        .arg(variables);
    for repository in &inner.runner.local_repositories {
        c.args(["--local-repository", repository]);
    }
    Ok(c)
}

/// A file of pairs that only its owner can read. YAML, of which JSON is a part: in act's other
/// format, dotenv, a value that ends in a quote cannot be written (tried with 0.2.89).
fn pairs(path: &Path, map: &BTreeMap<String, String>) -> Result<PathBuf, String> {
    let text = serde_json::json!(map).to_string();
    let opened = std::fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path);
    opened
        .and_then(|mut f| f.write_all(text.as_bytes()))
        .map_err(|e| e.to_string())?;
    Ok(path.to_owned())
}

/// One line of act's JSON log.
fn follow(inner: &Inner, run: &Run, line: &str) {
    let Ok(v) = serde_json::from_str::<Value>(line) else {
        return;
    };
    let Some(key) = v["jobID"].as_str() else {
        return;
    };
    if v["step"] == "Set up job" && v.get("stepResult").is_none() {
        job::begin(inner, run.id, key);
        let environment = run
            .jobs
            .iter()
            .find(|j| j.key == key)
            .and_then(|j| j.environment.as_deref());
        if let Some(e) = environment {
            job::request(inner, run.id, e);
        }
    }
    if let Some(result) = v["jobResult"].as_str() {
        let conclusion = match result {
            "success" => "success",
            "skipped" => "skipped",
            _ => "failure",
        };
        job::end(inner, run.id, key, conclusion);
    }
}
