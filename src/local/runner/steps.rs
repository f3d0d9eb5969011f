//! Drives tenantry's own steps as the shipped workflows would, where there is no `act`.
//!
//! Which steps is read from the workflow file: the actions it uses, and its `plan-<env>` jobs.
use super::env::{self, Place};
use super::job::{self, Conclusion};
use super::process;
use crate::local::model::Run;
use crate::local::server::Inner;
use crate::local::workflow;
use serde_json::Value;
use std::collections::BTreeMap;
use tokio::process::Command;

/// Exit code of a step that found nothing to do.
const NOTHING: i32 = 3;

pub(super) struct Driver<'a> {
    pub(super) inner: &'a Inner,
    pub(super) run: Run,
    place: Place,
}

/// What a step left behind.
pub(super) struct Outcome {
    pub(super) ok: bool,
    pub(super) outputs: BTreeMap<String, String>,
}

/// Runs one workflow run to its end.
pub async fn run(inner: &Inner, id: u64) -> Conclusion {
    let Some(run) = inner.state().runs.get(&id).cloned() else {
        return "failure";
    };
    job::status(inner, id, "in_progress");
    let place = match env::prepare(inner, &run) {
        Ok(place) => place,
        Err(e) => {
            if let Some(r) = inner.state().runs.get_mut(&id) {
                r.log.push_str(&format!("cannot prepare the run: {e}\n"));
            }
            return "failure";
        }
    };
    let text = run.workflow.to_string();
    let uses = |action: &str| text.contains(&format!("/actions/{action}@"));
    let driver = Driver { inner, run, place };
    let ok = match () {
        () if uses("trigger") => driver.customer().await,
        () if uses("intake") => driver.manager("intake", "intake").await,
        () if uses("drift-list") => driver.drift().await,
        () if uses("credential-check") => driver.credentials().await,
        () if uses("reconcile") => driver.manager("reconcile", "reconcile").await,
        () => true,
    };
    let cancelled =
        inner.state().runs.get(&id).is_some_and(|r| r.cancel) || *inner.stopping.borrow();
    match (cancelled, ok) {
        (true, _) => "cancelled",
        (_, true) => "success",
        _ => "failure",
    }
}

impl Driver<'_> {
    pub(super) fn job_keys(&self) -> Vec<String> {
        let jobs = self.run.workflow.get("jobs").and_then(Value::as_object);
        jobs.into_iter().flatten().map(|(k, _)| k.clone()).collect()
    }

    /// The key of the job that uses an action, or the fallback.
    fn job_using(&self, action: &str, fallback: &str) -> String {
        let jobs = self.run.workflow.get("jobs").and_then(Value::as_object);
        let needle = format!("/actions/{action}@");
        let found = jobs
            .into_iter()
            .flatten()
            .find(|(_, j)| j.to_string().contains(&needle));
        found.map_or(fallback, |(k, _)| k).to_owned()
    }

    pub(super) async fn step(
        &self,
        key: &str,
        environment: Option<&str>,
        args: &[&str],
        more: &[(&str, String)],
    ) -> Outcome {
        let mut vars = env::github(self.inner, &self.run, &self.place, key, environment);
        let stamp = crate::local::ids::random_hex(6);
        let temp = self.place.root.join("temp");
        for name in ["OUTPUT", "STEP_SUMMARY", "ENV", "PATH", "STATE"] {
            let file = temp.join(format!("{}_{stamp}", name.to_lowercase()));
            drop(std::fs::write(&file, ""));
            vars.insert(
                format!("GITHUB_{name}"),
                file.to_string_lossy().into_owned(),
            );
        }
        vars.insert("GITHUB_TOKEN".to_owned(), self.run.token.clone());
        vars.extend(more.iter().map(|(k, v)| ((*k).to_owned(), v.clone())));
        let mut command = Command::new(&self.inner.runner.tenantry);
        command
            .args(args)
            .env_clear()
            .envs(&vars)
            .current_dir(&self.place.workspace);
        if let Some(r) = self.inner.state().runs.get_mut(&self.run.id) {
            r.log
                .push_str(&format!("[{key}] tenantry {}\n", args.join(" ")));
        }
        let code = process::execute(self.inner, self.run.id, command, |_| {}).await;
        let read = |name: &str| std::fs::read_to_string(&vars[name]).unwrap_or_default();
        let summary = read("GITHUB_STEP_SUMMARY");
        if !summary.is_empty() {
            let file = self.place.root.join("summary.md");
            let old = std::fs::read_to_string(&file).unwrap_or_default();
            drop(std::fs::write(file, old + &summary));
        }
        Outcome {
            ok: matches!(code, Some(0 | NOTHING)),
            outputs: outputs(&read("GITHUB_OUTPUT")),
        }
    }

    async fn customer(&self) -> bool {
        let key = self.job_using("trigger", "trigger");
        let vars = env::settings(self.inner, &self.run, None, false);
        let secrets = env::settings(self.inner, &self.run, None, true);
        let get = |m: &BTreeMap<String, String>, k: &str| m.get(k).cloned().unwrap_or_default();
        let manager = format!(
            "{}/{}",
            get(&vars, "MANAGER_REPO_OWNER"),
            get(&vars, "MANAGER_REPO_NAME")
        );
        let more = [
            ("TENANTRY_MANAGER", manager),
            ("TENANTRY_DISPATCH_TOKEN", get(&secrets, "MANAGER_REPO_PAT")),
        ];
        job::begin(self.inner, self.run.id, &key);
        let done = self.step(&key, None, &["trigger"], &more).await;
        job::end(self.inner, self.run.id, &key, conclusion(done.ok));
        done.ok
    }

    /// What the actions hand to a step. `writes` are those that write audit records.
    pub(super) fn with(
        &self,
        environment: Option<&str>,
        apply: bool,
        writes: bool,
    ) -> Vec<(&'static str, String)> {
        let secrets = env::settings(self.inner, &self.run, environment, true);
        let get = |k: &str| secrets.get(k).cloned().unwrap_or_default();
        let variables = env::settings(self.inner, &self.run, environment, false);
        let app = variables.get("TENANTRY_APP_ID").cloned();
        let mut more = vec![
            ("TENANTRY_SOURCE_TOKEN", get("SOURCE_REPOS_PAT")),
            ("TENANTRY_APP_ID", app.unwrap_or_default()),
            ("TENANTRY_APP_KEY", get("TENANTRY_APP_KEY")),
        ];
        if let Some(e) = environment {
            more.push(("TENANTRY_ENVIRONMENT", e.to_owned()));
        }
        if writes {
            more.push(("TENANTRY_AUDIT_KEY", get("TENANTRY_AUDIT_KEY")));
        }
        if apply {
            more.push(("TENANTRY_SEAL_IDENTITY", get("TENANTRY_SEAL_IDENTITY")));
        }
        more
    }

    async fn manager(&self, action: &str, command: &str) -> bool {
        let (inner, id) = (self.inner, self.run.id);
        let first = self.job_using(action, action);
        job::begin(inner, id, &first);
        // A job that succeeded is not run again; what it printed is kept.
        let kept = |key: &str| {
            let mut jobs = self.run.jobs.iter();
            self.run.failed_only && jobs.any(|j| j.key == key && j.conclusion == Some("success"))
        };
        let intake = match kept(&first) {
            true => Outcome {
                ok: true,
                outputs: self.run.outputs.clone(),
            },
            false => {
                self.step(&first, None, &[command], &self.with(None, false, true))
                    .await
            }
        };
        job::end(inner, id, &first, conclusion(intake.ok));
        if let Some(r) = inner.state().runs.get_mut(&id) {
            r.outputs.clone_from(&intake.outputs);
        }
        let requests = matrix(intake.outputs.get("requests"));
        let mut ok = intake.ok;
        let keys = self.job_keys();
        let mut environments: Vec<&str> = keys
            .iter()
            .filter_map(|k| k.strip_prefix("plan-"))
            .collect();
        // The order of promotion is in `needs`: each apply job waits for all earlier ones.
        environments.sort_by_key(|e| {
            let needs = self.run.workflow["jobs"][format!("apply-{e}")]["needs"].to_string();
            needs.matches("\"apply-").count()
        });
        // As the workflows say in every `if:`; a refused intake leaves nothing to report.
        if intake.outputs.get("any").map(String::as_str) == Some("true") {
            let mut planned = true;
            for e in &environments {
                if !kept(&format!("plan-{e}")) {
                    planned &= self.plan(e, &intake).await;
                }
            }
            if !kept("report") {
                ok &= self.report(&requests, "report", false).await;
            }
            ok &= planned;
            let mut open = planned;
            for e in &environments {
                let none = matrix(intake.outputs.get(&output("apply", e))).is_empty();
                if none || kept(&format!("apply-{e}")) {
                    continue;
                }
                if open {
                    open = self.apply(e, &intake).await;
                } else {
                    job::end(inner, id, &format!("apply-{e}"), "skipped");
                }
            }
            ok &= open;
            ok &= self.report(&requests, "final", true).await;
        }
        ok
    }

    async fn plan(&self, e: &str, intake: &Outcome) -> bool {
        let legs = matrix(intake.outputs.get(&output("plan", e)));
        if legs.is_empty() {
            return true;
        }
        let (key, environment) = (
            format!("plan-{e}"),
            self.environment(&format!("plan-{e}"), &format!("{e}-plan")),
        );
        if !job::enter(self.inner, self.run.id, &environment).await {
            job::end(self.inner, self.run.id, &key, "failure");
            return false;
        }
        job::begin(self.inner, self.run.id, &key);
        let mut ok = true;
        for (request, stack) in &legs {
            let args = ["plan", "--request", request, "--stack", stack];
            ok &= self
                .step(
                    &key,
                    Some(&environment),
                    &args,
                    &self.with(Some(&environment), false, true),
                )
                .await
                .ok;
        }
        job::end(self.inner, self.run.id, &key, conclusion(ok));
        ok
    }

    async fn apply(&self, e: &str, intake: &Outcome) -> bool {
        let legs = matrix(intake.outputs.get(&output("apply", e)));
        let (key, environment) = (
            format!("apply-{e}"),
            self.environment(&format!("apply-{e}"), &format!("{e}-apply")),
        );
        if !job::enter(self.inner, self.run.id, &environment).await {
            job::end(self.inner, self.run.id, &key, "failure");
            return false;
        }
        job::begin(self.inner, self.run.id, &key);
        let more = self.with(Some(&environment), true, true);
        let mut ok = true;
        for (request, stack) in &legs {
            let gate = self
                .step(
                    &key,
                    Some(&environment),
                    &["gate", "--request", request, "--stack", stack],
                    &more,
                )
                .await
                .ok;
            let applied = gate
                && self
                    .step(
                        &key,
                        Some(&environment),
                        &["apply", "--request", request, "--stack", stack],
                        &more,
                    )
                    .await
                    .ok;
            self.step(
                &key,
                Some(&environment),
                &["report", "--request", request],
                &self.with(Some(&environment), false, false),
            )
            .await;
            ok &= applied;
        }
        job::end(self.inner, self.run.id, &key, conclusion(ok));
        ok
    }

    async fn report(&self, requests: &[(String, String)], key: &str, last: bool) -> bool {
        job::begin(self.inner, self.run.id, key);
        let mut ok = true;
        for (request, _) in requests {
            let mut args = vec!["report", "--request", request];
            if last {
                args.push("--final");
            }
            ok &= self
                .step(key, None, &args, &self.with(None, false, last))
                .await
                .ok;
        }
        job::end(self.inner, self.run.id, key, conclusion(ok));
        ok
    }

    pub(super) fn environment(&self, key: &str, fallback: &str) -> String {
        let job = &self.run.workflow["jobs"][key];
        workflow::environment(job).unwrap_or(fallback).to_owned()
    }
}

pub(super) fn conclusion(ok: bool) -> Conclusion {
    if ok { "success" } else { "failure" }
}

fn output(kind: &str, environment: &str) -> String {
    format!("{kind}_{}", environment.replace('-', "_"))
}

/// `(request, stack)` of each leg of `{"include": […]}`.
fn matrix(text: Option<&String>) -> Vec<(String, String)> {
    let v: Value = text
        .and_then(|t| serde_json::from_str(t).ok())
        .unwrap_or(Value::Null);
    let legs = v["include"].as_array().cloned().unwrap_or_default();
    let get = |l: &Value, k: &str| l[k].as_str().unwrap_or_default().to_owned();
    legs.iter()
        .map(|l| (get(l, "request"), get(l, "stack")))
        .collect()
}

/// Reads `name=value` lines and `name<<delimiter` blocks.
pub fn outputs(text: &str) -> BTreeMap<String, String> {
    let mut out = BTreeMap::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let block = line.split_once("<<").filter(|(k, _)| !k.contains('='));
        if let Some((key, end)) = block {
            let body: Vec<&str> = lines.by_ref().take_while(|l| *l != end).collect();
            out.insert(key.to_owned(), body.join("\n"));
        } else if let Some((key, value)) = line.split_once('=') {
            out.insert(key.to_owned(), value.to_owned());
        }
    }
    out
}
