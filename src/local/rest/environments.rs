//! Deployment environments and their protection.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, encode, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Environment, Level, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

/// A reviewer as `{type, reviewer}`.
pub fn reviewer(s: &State, kind: &str, id: u64) -> Value {
    json!({"type": kind, "reviewer": views::user(s, id)})
}

/// `environment`.
pub fn show(s: &State, repo: &Repo, name: &str, e: &Environment) -> Value {
    let api = views::api_url(s, repo);
    let mut rules = Vec::new();
    if e.wait_timer > 0 {
        rules.push(json!({"id": e.id * 10 + 1, "node_id": node_id("GateRule", e.id * 10 + 1), "type": "wait_timer", "wait_timer": e.wait_timer}));
    }
    if !e.reviewers.is_empty() {
        rules.push(json!({
            "id": e.id * 10 + 2, "node_id": node_id("GateRule", e.id * 10 + 2), "type": "required_reviewers",
            "prevent_self_review": e.prevent_self_review,
            "reviewers": e.reviewers.iter().map(|(k, id)| reviewer(s, k, *id)).collect::<Vec<_>>(),
        }));
    }
    if !e.branch_policy.is_null() {
        rules.push(json!({"id": e.id * 10 + 3, "node_id": node_id("GateRule", e.id * 10 + 3), "type": "branch_policy"}));
    }
    json!({
        "id": e.id, "node_id": node_id("Environment", e.id), "name": name,
        "url": format!("{api}/environments/{}", encode(name)),
        "html_url": format!("{}/deployments/activity_log?environments_filter={}", views::html_url(s, repo), encode(name)),
        "created_at": iso(e.created), "updated_at": iso(e.updated), "can_admins_bypass": e.can_admins_bypass,
        "protection_rules": rules, "deployment_branch_policy": e.branch_policy,
    })
}

/// `GET /repos/{o}/{n}/environments`.
pub fn list(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "actions", Level::Read)?;
    let repo = c.s.repo(id)?;
    let items = repo
        .environments
        .iter()
        .map(|(name, e)| show(c.s, repo, name, e))
        .collect();
    Ok(page(c.req, &c.s.api_root(), items, Some("environments")))
}

/// `GET /repos/{o}/{n}/environments/{name}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "actions", Level::Read)?;
    let repo = c.s.repo(id)?;
    let e = repo.environments.get(name).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(show(c.s, repo, name, e)))
}

/// `PUT /repos/{o}/{n}/environments/{name}`; what is not given is switched off, as on GitHub.
pub fn put(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    let body = c.req.json()?;
    let e = parse(c, id, name, &body)?;
    c.s.repo_mut(id)?.environments.insert(name.to_owned(), e);
    let repo = c.s.repo(id)?;
    Ok(Reply::ok(show(c.s, repo, name, &repo.environments[name])))
}

/// A new one, without protection.
pub fn bare(id: u64, now: i64) -> Environment {
    Environment {
        id,
        created: now,
        updated: now,
        can_admins_bypass: true,
        ..Environment::default()
    }
}

fn parse(c: &mut Ctx, id: u64, name: &str, body: &Value) -> Result<Environment, Reply> {
    let now = c.s.now();
    let old = c.s.repo(id)?.environments.get(name).cloned();
    let mut e = match old {
        Some(e) => e,
        None => bare(c.s.id(), now),
    };
    e.updated = now;
    e.wait_timer = body.get("wait_timer").and_then(Value::as_u64).unwrap_or(0);
    if e.wait_timer > 43_200 {
        return Err(Reply::error(422, "wait_timer must be between 0 and 43200"));
    }
    e.prevent_self_review = body
        .get("prevent_self_review")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    e.branch_policy = body
        .get("deployment_branch_policy")
        .cloned()
        .unwrap_or(Value::Null);
    if e.branch_policy["custom_branch_policies"] != true {
        e.branches.clear();
    }
    if let Some(both) = e.branch_policy.as_object()
        && both.get("protected_branches") == both.get("custom_branch_policies")
    {
        return Err(Reply::error(
            422,
            "protected_branches and custom_branch_policies cannot have the same value",
        ));
    }
    e.reviewers.clear();
    let empty = Vec::new();
    let given = body
        .get("reviewers")
        .and_then(Value::as_array)
        .unwrap_or(&empty);
    if given.len() > 6 {
        return Err(Reply::error(
            422,
            "reviewers must contain at most 6 entries",
        ));
    }
    for r in given {
        let who = r
            .get("id")
            .and_then(Value::as_u64)
            .ok_or_else(|| Reply::missing("id"))?;
        // GitHub refuses reviewers that cannot read the repository.
        let repo = c.s.repo(id)?;
        if !c.s.accounts.contains_key(&who) || c.s.role(who, repo) < Level::Read {
            return Err(Reply::error(
                422,
                &format!(
                    "Failed to create the environment protection rule. Please ensure the reviewer ID {who} is valid."
                ),
            ));
        }
        e.reviewers
            .push((text(r, "type").unwrap_or("User").to_owned(), who));
    }
    Ok(e)
}

/// `DELETE /repos/{o}/{n}/environments/{name}`.
pub fn delete(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    let gone = c.s.repo_mut(id)?.environments.remove(name);
    gone.map(|_| Reply::none()).ok_or_else(Reply::not_found)
}
