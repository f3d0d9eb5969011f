//! Drives tenantry's own steps as the shipped workflows would, where there is no `act`.
//!
//! Which steps is read from the workflow file: the actions it uses, and its `plan-<env>` jobs.
use super::env::{self, Place};
use super::job::{self, Conclusion};
use super::process;
use crate::local::model::Run;
use crate::local::server::Inner;
use crate::local::workflow;
use futures_util::future::join_all;
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
        let name = format!("{e}-plan");
        legs.is_empty()
            || self
                .legs(&format!("plan-{e}"), &name, &legs, Work::Plan)
                .await
    }

    async fn apply(&self, e: &str, intake: &Outcome) -> bool {
        let legs = matrix(intake.outputs.get(&output("apply", e)));
        let name = format!("{e}-apply");
        self.legs(&format!("apply-{e}"), &name, &legs, Work::Apply)
            .await
    }

    async fn leg(&self, key: &str, environment: &str, leg: &Leg, work: Work) -> bool {
        let Leg { request, stack, .. } = leg;
        let mut more = self.with(Some(environment), work == Work::Apply, true);
        let (of, on) = (["--request", request], ["--stack", stack]);
        let verbs = match work {
            Work::Plan => vec![vec!["plan", of[0], of[1], on[0], on[1]]],
            Work::Apply => vec![
                vec!["gate", of[0], of[1], on[0], on[1]],
                vec!["apply", of[0], of[1], on[0], on[1]],
            ],
            Work::Drift => {
                more.push(("TENANTRY_STACKS", leg.stacks.clone()));
                vec![vec!["drift", "check"]]
            }
        };
        let mut ok = true;
        for args in &verbs {
            ok = ok && self.step(key, Some(environment), args, &more).await.ok;
        }
        if work == Work::Apply {
            let more = self.with(Some(environment), false, false);
            let args = ["report", "--request", request];
            self.step(key, Some(environment), &args, &more).await;
        }
        ok
    }

    /// Runs the legs of a job's matrix. Those of one environment wait for it together, and come
    /// one after the other; those of others neither wait for them nor fail with them.
    pub(super) async fn legs(&self, key: &str, fallback: &str, legs: &[Leg], work: Work) -> bool {
        let name = workflow::environment(&self.run.workflow["jobs"][key]).unwrap_or(fallback);
        let mut groups: BTreeMap<String, Vec<&Leg>> = BTreeMap::new();
        for leg in legs {
            let environment = name.replace("${{ matrix.customer }}", &leg.customer);
            groups.entry(environment).or_default().push(leg);
        }
        let (inner, id) = (self.inner, self.run.id);
        let all = groups.into_iter().map(|(environment, legs)| async move {
            if !job::enter(inner, id, &environment).await {
                return false;
            }
            job::begin(inner, id, key);
            let mut ok = true;
            for leg in legs {
                ok &= self.leg(key, &environment, leg, work).await;
            }
            ok
        });
        let ok = join_all(all).await.into_iter().all(|ok| ok);
        job::end(inner, id, key, conclusion(ok));
        ok
    }

    async fn report(&self, requests: &[Leg], key: &str, last: bool) -> bool {
        job::begin(self.inner, self.run.id, key);
        let mut ok = true;
        for Leg { request, .. } in requests {
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
}

pub(super) fn conclusion(ok: bool) -> Conclusion {
    if ok { "success" } else { "failure" }
}

fn output(kind: &str, environment: &str) -> String {
    format!("{kind}_{}", environment.replace('-', "_"))
}

/// What the legs of a matrix do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Work {
    Plan,
    Apply,
    Drift,
}

/// One job of a matrix; what it does not have is empty.
#[derive(Debug)]
pub(super) struct Leg {
    request: String,
    stack: String,
    customer: String,
    /// For `drift check`.
    stacks: String,
}

/// Each leg of `{"include": […]}`.
pub(super) fn legs(matrix: &Value) -> Vec<Leg> {
    let legs = matrix["include"].as_array().into_iter().flatten();
    let get = |l: &Value, k: &str| l[k].as_str().unwrap_or_default().to_owned();
    legs.map(|l| Leg {
        request: get(l, "request"),
        stack: get(l, "stack"),
        customer: get(l, "customer"),
        stacks: get(l, "stacks"),
    })
    .collect()
}

fn matrix(text: Option<&String>) -> Vec<Leg> {
    let v = text.and_then(|t| serde_json::from_str(t).ok());
    legs(&v.unwrap_or(Value::Null))
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
