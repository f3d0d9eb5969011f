//! Check runs.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::Level;
use crate::local::state::{ACTIONS_BOT, State};
use crate::local::views;
use serde_json::{Value, json};

/// Annotations that one request may carry.
const ANNOTATIONS: usize = 50;

fn app(s: &State) -> Value {
    json!({
        "id": 15368, "slug": "github-actions", "node_id": node_id("App", 15368), "owner": views::user(s, ACTIONS_BOT),
        "name": "GitHub Actions", "description": "Automate your workflow from idea to production",
        "external_url": "https://help.github.com/en/actions", "html_url": format!("{}/apps/github-actions", s.url),
        "created_at": iso(1_533_057_870), "updated_at": iso(1_533_057_870),
        "permissions": {"checks": "write", "contents": "write", "statuses": "write"}, "events": ["push"],
    })
}

fn apply(c: &Ctx, run: &mut Value, body: &Value) -> Result<(), Reply> {
    let now = iso(c.s.now());
    for key in [
        "name",
        "details_url",
        "external_id",
        "started_at",
        "completed_at",
        "conclusion",
        "status",
    ] {
        if let Some(v) = body.get(key) {
            run[key] = v.clone();
        }
    }
    if body.get("conclusion").is_some_and(|v| !v.is_null()) {
        run["status"] = json!("completed");
        if run["completed_at"].is_null() {
            run["completed_at"] = json!(now);
        }
    } else if text(body, "status") == Some("completed") {
        return Err(Reply::invalid(
            "CheckRun",
            "conclusion",
            "missing_field",
            "conclusion is required when status is completed",
        ));
    }
    if let Some(output) = body.get("output") {
        need(output, "summary")?;
        let empty = Vec::new();
        let new = output
            .get("annotations")
            .and_then(Value::as_array)
            .unwrap_or(&empty);
        if new.len() > ANNOTATIONS {
            return Err(Reply::invalid(
                "CheckRun",
                "annotations",
                "invalid",
                "annotations exceeds a maximum quantity of 50",
            ));
        }
        for key in ["title", "summary", "text"] {
            if let Some(v) = output.get(key) {
                run["output"][key] = v.clone();
            }
        }
        let mut all = run["_annotations"].as_array().cloned().unwrap_or_default();
        for a in new {
            for key in ["path", "annotation_level", "message"] {
                need(a, key)?;
            }
            let mut a = a.clone();
            for key in ["start_column", "end_column", "title", "raw_details"] {
                if a.get(key).is_none() {
                    a[key] = Value::Null;
                }
            }
            a["blob_href"] = json!(format!(
                "{}/blob/{}",
                c.s.url,
                run["head_sha"].as_str().unwrap_or_default()
            ));
            all.push(a);
        }
        run["output"]["annotations_count"] = json!(all.len());
        run["_annotations"] = json!(all);
    }
    Ok(())
}

/// What is stored, without our own members.
fn shown(run: &Value) -> Value {
    let mut v = run.clone();
    if let Some(o) = v.as_object_mut() {
        o.retain(|k, _| !k.starts_with('_'));
    }
    v
}

/// `POST /repos/{o}/{n}/check-runs`. GitHub allows it to apps only; a run's token is one.
pub fn create(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "checks", Level::Write)?;
    let body = c.req.json()?;
    let (name, sha) = (need(&body, "name")?, need(&body, "head_sha")?);
    if !super::contents::is_run(c) && !c.is_admin() {
        return Err(Reply::error(403, "You must authenticate via a GitHub App."));
    }
    if c.s.git(id).kind(sha).as_deref() != Some("commit") {
        return Err(Reply::error(
            422,
            &format!("No commit found for SHA: {sha}"),
        ));
    }
    let (new, suite, now) = (c.s.id(), c.s.id(), c.s.now());
    let repo = c.s.repo(id)?;
    let (api, html) = (views::api_url(c.s, repo), views::html_url(c.s, repo));
    let mut run = json!({
        "id": new, "node_id": node_id("CheckRun", new), "head_sha": sha, "name": name, "external_id": "",
        "url": format!("{api}/check-runs/{new}"), "html_url": format!("{html}/runs/{new}"),
        "details_url": format!("{html}/runs/{new}"), "status": "queued", "conclusion": null,
        "started_at": iso(now), "completed_at": null, "check_suite": {"id": suite},
        "output": {"title": null, "summary": null, "text": null, "annotations_count": 0,
                   "annotations_url": format!("{api}/check-runs/{new}/annotations")},
        "app": app(c.s), "pull_requests": [], "_annotations": [],
    });
    apply(c, &mut run, &body)?;
    let out = shown(&run);
    c.s.repo_mut(id)?.checks.push(run);
    Ok(Reply::json(201, out).with("location", format!("{api}/check-runs/{new}")))
}

fn find(c: &Ctx, id: u64, run: u64) -> Result<Value, Reply> {
    let all = &c.s.repo(id)?.checks;
    all.iter()
        .find(|x| x["id"] == json!(run))
        .cloned()
        .ok_or_else(Reply::not_found)
}

/// `GET /repos/{o}/{n}/check-runs/{id}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, run: u64) -> Res {
    let id = c.repo(o, n, "checks", Level::Read)?;
    Ok(Reply::ok(shown(&find(c, id, run)?)))
}

/// `PATCH /repos/{o}/{n}/check-runs/{id}`.
pub fn patch(c: &mut Ctx, o: &str, n: &str, run: u64) -> Res {
    let id = c.repo(o, n, "checks", Level::Write)?;
    let body = c.req.json()?;
    let mut v = find(c, id, run)?;
    apply(c, &mut v, &body)?;
    for x in
        c.s.repo_mut(id)?
            .checks
            .iter_mut()
            .filter(|x| x["id"] == json!(run))
    {
        *x = v.clone();
    }
    Ok(Reply::ok(shown(&v)))
}

/// `GET /repos/{o}/{n}/check-runs/{id}/annotations`.
pub fn annotations(c: &mut Ctx, o: &str, n: &str, run: u64) -> Res {
    let id = c.repo(o, n, "checks", Level::Read)?;
    let all = find(c, id, run)?["_annotations"]
        .as_array()
        .cloned()
        .unwrap_or_default();
    Ok(page(c.req, &c.s.api_root(), all, None))
}

/// `GET /repos/{o}/{n}/commits/{ref}/check-runs`; the latest of each name unless `filter=all`.
pub fn list(c: &mut Ctx, o: &str, n: &str, rev: &str) -> Res {
    let id = c.repo(o, n, "checks", Level::Read)?;
    let sha = super::commits::resolve(c, id, rev)?;
    let all = c.req.q("filter") == Some("all");
    let mut items: Vec<Value> = Vec::new();
    for x in
        c.s.repo(id)?
            .checks
            .iter()
            .rev()
            .filter(|x| x["head_sha"] == json!(sha))
    {
        let named = c.req.q("check_name").is_none_or(|n| x["name"] == json!(n));
        if named && (all || !items.iter().any(|i| i["name"] == x["name"])) {
            items.push(shown(x));
        }
    }
    Ok(page(c.req, &c.s.api_root(), items, Some("check_runs")))
}
