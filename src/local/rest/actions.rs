//! Workflows, runs, jobs, pending deployments and approvals.
use super::environments::reviewer;
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::events;
use crate::local::http::{Reply, Res, need, page};
use crate::local::ids::node_id;
use crate::local::model::{Approval, Grant, Job, Level, Run};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

/// The file that a workflow id or file name stands for.
pub fn workflow_path(s: &mut State, id: u64, name: &str) -> Result<String, Reply> {
    let files = known(s, id)?;
    let found = files
        .into_iter()
        .find(|(wid, path)| path.ends_with(&format!("/{name}")) || wid.to_string() == name);
    found.map(|f| f.1).ok_or_else(Reply::not_found)
}

fn known(s: &mut State, id: u64) -> Result<Vec<(u64, String)>, Reply> {
    let branch = s.repo(id)?.default_branch.clone();
    let sha = s.git(id).ref_sha(&format!("refs/heads/{branch}"));
    let files = sha
        .map(|sha| events::workflow_files(s, id, &sha))
        .unwrap_or_default();
    Ok(files
        .into_iter()
        .map(|p| (events::workflow_id(s, id, &p), p))
        .collect())
}

/// `workflow-run`.
pub fn show(s: &State, run: &Run) -> Result<Value, Reply> {
    let repo = s.repo(run.event.repo)?;
    let this = format!("{}/actions/runs/{}", views::api_url(s, repo), run.id);
    let html = format!("{}/actions/runs/{}", views::html_url(s, repo), run.id);
    let api = views::api_url(s, repo);
    let head = s
        .git(repo.id)
        .commit(&run.event.head_sha)
        .map_err(super::broken)?;
    let pr = &run.event.payload["pull_request"];
    let title = pr["title"]
        .as_str()
        .or(head.message.lines().next())
        .unwrap_or_default();
    let title = if run.event.name == "repository_dispatch" {
        run.event.action.as_deref().unwrap_or_default()
    } else {
        title
    };
    let branch = run
        .event
        .head_base
        .as_ref()
        .map_or(&run.event.branch, |h| &h.0);
    Ok(json!({
        "id": run.id, "node_id": node_id("WorkflowRun", run.id), "name": run.name, "head_branch": branch,
        "head_sha": run.event.head_sha, "path": run.path, "display_title": title, "run_number": run.number,
        "event": run.event.name, "status": run.status, "conclusion": run.conclusion, "workflow_id": run.workflow_id,
        "check_suite_id": run.id + 1_000_000, "check_suite_node_id": node_id("CheckSuite", run.id + 1_000_000),
        "url": this, "html_url": html, "pull_requests": [], "created_at": iso(run.created), "updated_at": iso(run.updated),
        "actor": views::user(s, run.event.actor), "triggering_actor": views::user(s, run.event.actor),
        "run_attempt": run.attempt, "run_started_at": iso(run.created), "referenced_workflows": [],
        "jobs_url": format!("{this}/jobs"), "logs_url": format!("{this}/logs"), "cancel_url": format!("{this}/cancel"),
        "check_suite_url": format!("{api}/check-suites/{}", run.id + 1_000_000),
        "artifacts_url": format!("{this}/artifacts"), "rerun_url": format!("{this}/rerun"), "previous_attempt_url": null,
        "workflow_url": format!("{api}/actions/workflows/{}", run.workflow_id),
        "head_commit": {
            "id": head.sha, "tree_id": head.tree, "message": head.message, "timestamp": iso(head.committer.date),
            "author": {"name": head.author.name, "email": head.author.email},
            "committer": {"name": head.committer.name, "email": head.committer.email},
        },
        "repository": views::minimal_repo(s, repo), "head_repository": views::minimal_repo(s, repo),
    }))
}

fn job(s: &State, run: &Run, j: &Job) -> Result<Value, Reply> {
    let repo = s.repo(run.event.repo)?;
    let api = views::api_url(s, repo);
    let html = format!(
        "{}/actions/runs/{}/job/{}",
        views::html_url(s, repo),
        run.id,
        j.id
    );
    let runs_on = run.workflow["jobs"][&j.key]["runs-on"]
        .as_str()
        .unwrap_or("ubuntu-latest")
        .to_owned();
    Ok(json!({
        "id": j.id, "node_id": node_id("CheckRun", j.id), "run_id": run.id, "run_attempt": run.attempt,
        "run_url": format!("{api}/actions/runs/{}", run.id), "head_sha": run.event.head_sha, "workflow_name": run.name,
        "head_branch": run.event.branch, "name": j.name, "url": format!("{api}/actions/jobs/{}", j.id), "html_url": html,
        "status": j.status, "conclusion": j.conclusion, "created_at": iso(run.created), "started_at": iso(j.started),
        "completed_at": j.completed.map(iso), "check_run_url": format!("{api}/check-runs/{}", j.id), "labels": [runs_on],
        "runner_id": 1, "runner_name": "local", "runner_group_id": 1, "runner_group_name": "local", "steps": [],
    }))
}

/// Everything under `actions/` but variables and secrets.
pub fn route(c: &mut Ctx, method: &str, o: &str, n: &str, tail: &[&str]) -> Res {
    if let ("POST", ["workflows", file, "dispatches"]) = (method, tail) {
        return super::dispatches::workflow(c, o, n, file);
    }
    let needed = if method == "GET" || tail.last() == Some(&"pending_deployments") {
        Level::Read
    } else {
        Level::Write
    };
    let id = c.repo(o, n, "actions", needed)?;
    match (method, tail) {
        ("PUT", ["workflows", file, "enable" | "disable"]) => {
            let path = workflow_path(c.s, id, file)?;
            let disabled = &mut c.s.repo_mut(id)?.closed.disabled;
            match tail.last() {
                Some(&"enable") => disabled.remove(&path),
                _ => disabled.insert(path, "disabled_manually".to_owned()),
            };
            Ok(Reply::none())
        }
        ("GET", ["workflows"]) => {
            let disabled = c.s.repo(id)?.closed.disabled.clone();
            let state = |path: &str| disabled.get(path).map_or("active", String::as_str);
            let repo_api = views::api_url(c.s, c.s.repo(id)?);
            let now = iso(c.s.now());
            let items = known(c.s, id)?.into_iter().map(|(wid, path)| json!({
                "id": wid, "node_id": node_id("Workflow", wid), "name": path, "path": path, "state": state(&path),
                "created_at": now, "updated_at": now, "url": format!("{repo_api}/actions/workflows/{wid}"),
                "html_url": format!("{}/{o}/{n}/blob/main/{path}", c.s.url), "badge_url": format!("{}/{o}/{n}/workflows/badge.svg", c.s.url),
            })).collect();
            Ok(page(c.req, &c.s.api_root(), items, Some("workflows")))
        }
        ("GET", ["runs"]) => runs(c, id, None),
        ("GET", ["workflows", file, "runs"]) => {
            let path = workflow_path(c.s, id, file)?;
            runs(c, id, Some(&path))
        }
        ("GET", ["jobs", k]) => {
            let k = super::num(k)?;
            let found =
                c.s.runs
                    .values()
                    .filter(|r| r.event.repo == id)
                    .find_map(|r| r.jobs.iter().find(|j| j.id == k).map(|j| (r, j)));
            let (run, j) = found.ok_or_else(Reply::not_found)?;
            Ok(Reply::ok(job(c.s, run, j)?))
        }
        (_, ["runs", k, rest @ ..]) => one(c, id, method, super::num(k)?, rest),
        _ => Err(Reply::not_found()),
    }
}

fn runs(c: &mut Ctx, id: u64, path: Option<&str>) -> Res {
    let is = |key: &str, value: &str| c.req.q(key).is_none_or(|q| q == value);
    let keep = |r: &&Run| {
        let state = c
            .req
            .q("status")
            .is_none_or(|q| q == r.status || Some(q) == r.conclusion);
        r.event.repo == id
            && path.is_none_or(|p| p == r.path)
            && state
            && is("event", &r.event.name)
            && is("head_sha", &r.event.head_sha)
            && is("branch", &r.event.branch)
    };
    let items = c.s.runs.values().rev().filter(keep).map(|r| show(c.s, r));
    let items = items.collect::<Result<Vec<_>, _>>()?;
    Ok(page(c.req, &c.s.api_root(), items, Some("workflow_runs")))
}

fn one(c: &mut Ctx, id: u64, method: &str, k: u64, rest: &[&str]) -> Res {
    let run =
        c.s.runs
            .get(&k)
            .filter(|r| r.event.repo == id)
            .cloned()
            .ok_or_else(Reply::not_found)?;
    match (method, rest) {
        ("GET", []) => Ok(Reply::ok(show(c.s, &run)?)),
        // Those of earlier attempts are not kept.
        ("GET", ["attempts", n, "jobs"]) if *n != run.attempt.to_string() => {
            Err(Reply::not_found())
        }
        ("GET", ["jobs"] | ["attempts", _, "jobs"]) => {
            let items = run
                .jobs
                .iter()
                .map(|j| job(c.s, &run, j))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(page(c.req, &c.s.api_root(), items, Some("jobs")))
        }
        ("GET", ["approvals"]) => {
            let items = run.approvals.iter().map(|a| json!({
                "state": a.state, "comment": a.comment, "user": views::user(c.s, a.user),
                "environments": a.environments.iter().filter_map(|e| tiny(c.s, id, *e)).collect::<Vec<_>>(),
            }));
            Ok(Reply::ok(items.collect()))
        }
        ("GET", ["pending_deployments"]) => {
            let items = run.pending.iter().filter_map(|(e, since)| {
                let env = c.s.repos.get(&id)?.environments.values().find(|x| x.id == *e)?;
                Some(json!({
                    "environment": tiny(c.s, id, *e)?, "wait_timer": env.wait_timer, "wait_timer_started_at": iso(*since),
                    "current_user_can_approve": may_review(c, &run, *e),
                    "reviewers": env.reviewers.iter().map(|(k, id)| reviewer(c.s, k, *id)).collect::<Vec<_>>(),
                }))
            });
            Ok(Reply::ok(items.collect()))
        }
        ("POST", ["pending_deployments"]) => review(c, id, &run),
        ("POST", ["rerun"]) => super::reruns::again(c, &run, false),
        ("POST", ["rerun-failed-jobs"]) => super::reruns::again(c, &run, true),
        ("POST", ["cancel"]) => {
            if run.status == "completed" {
                return Err(Reply::error(
                    409,
                    "Cannot cancel a workflow run that is completed.",
                ));
            }
            if let Some(r) = c.s.runs.get_mut(&k) {
                r.cancel = true;
            }
            Ok(Reply::json(202, json!({})))
        }
        _ => Err(Reply::not_found()),
    }
}

/// `{id, node_id, name, url, html_url}` of an environment.
fn tiny(s: &State, repo: u64, env: u64) -> Option<Value> {
    let repo = s.repos.get(&repo)?;
    let (name, e) = repo.environments.iter().find(|(_, e)| e.id == env)?;
    let full = super::environments::show(s, repo, name, e);
    let mut out = json!({});
    for key in [
        "id",
        "node_id",
        "name",
        "url",
        "html_url",
        "created_at",
        "updated_at",
    ] {
        out[key] = full[key].clone();
    }
    Some(out)
}

fn may_review(c: &Ctx, run: &Run, env: u64) -> bool {
    let Some(user) = c
        .who
        .as_ref()
        .filter(|t| !matches!(t.grant, Grant::Run { .. }))
        .map(|t| t.user)
    else {
        return false;
    };
    let Some(e) =
        c.s.repos
            .get(&run.event.repo)
            .and_then(|r| r.environments.values().find(|e| e.id == env))
    else {
        return false;
    };
    let named = e.reviewers.iter().any(|(_, id)| {
        *id == user
            || c.s
                .accounts
                .get(id)
                .is_some_and(|t| t.members.contains_key(&user))
    });
    named && !(e.prevent_self_review && run.event.actor == user)
}

fn review(c: &mut Ctx, id: u64, run: &Run) -> Res {
    let user = c.user()?;
    if matches!(c.who.as_ref().map(|t| &t.grant), Some(Grant::Fine(_)))
        && c.level(id, "deployments") < Level::Write
    {
        return Err(Reply::error(
            403,
            "Resource not accessible by personal access token",
        ));
    }
    let body = c.req.json()?;
    let state = need(&body, "state")?.to_owned();
    let comment = need(&body, "comment")?.to_owned();
    let ids = body
        .get("environment_ids")
        .and_then(Value::as_array)
        .ok_or_else(|| Reply::missing("environment_ids"))?;
    let ids: Vec<u64> = ids.iter().filter_map(Value::as_u64).collect();
    if !matches!(state.as_str(), "approved" | "rejected") || ids.is_empty() {
        return Err(Reply::error(
            422,
            "Invalid request.\n\nstate must be approved or rejected.",
        ));
    }
    if ids
        .iter()
        .any(|e| !run.pending.iter().any(|p| p.0 == *e) || !may_review(c, run, *e))
    {
        return Err(Reply::error(
            422,
            "User cannot approve or reject one of the deployments, or it is not waiting.",
        ));
    }
    let now = iso(c.s.now());
    let repo = c.s.repo(id)?;
    let api = views::api_url(c.s, repo);
    let deployments = ids.iter().map(|e| {
        let name = repo.environments.iter().find(|(_, x)| x.id == *e).map_or("", |(n, _)| n);
        json!({
            "id": e + 5_000_000, "node_id": node_id("Deployment", e + 5_000_000), "sha": run.event.head_sha, "ref": run.event.branch,
            "task": "deploy", "environment": name, "original_environment": name, "creator": views::user(c.s, run.event.actor),
            "payload": {}, "description": null, "url": format!("{api}/deployments/{}", e + 5_000_000),
            "statuses_url": format!("{api}/deployments/{}/statuses", e + 5_000_000), "repository_url": api,
            "created_at": now, "updated_at": now, "transient_environment": false, "production_environment": false,
        })
    });
    let deployments: Value = deployments.collect();
    decide(
        c.s,
        run.id,
        Approval {
            state,
            user,
            comment,
            environments: ids,
        },
    );
    Ok(Reply::ok(deployments))
}

/// Records a decision and takes its environments off the waiting list.
pub fn decide(s: &mut State, run: u64, approval: Approval) {
    if let Some(r) = s.runs.get_mut(&run) {
        r.pending.retain(|p| !approval.environments.contains(&p.0));
        r.approvals.push(approval);
        if r.pending.is_empty() && r.status == "waiting" {
            r.status = "in_progress";
        }
    }
}
