//! How a repository is closed: which actions may run, what a workflow's token may do, branch
//! protection of the older kind, the branches of an environment, collaborators.
use crate::local::access::Ctx;
use crate::local::http::{Reply, Res, encode, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Grant, Level, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// What of a repository's settings is about safety; as a new private repository has it.
#[derive(Debug, Clone)]
pub struct Closed {
    /// `enabled`, `allowed_actions`, `sha_pinning_required`.
    pub actions: Value,
    /// The list for `selected`.
    pub selected: Value,
    /// What a workflow's token may do by default.
    pub token: Value,
    /// Secret scanning.
    pub scanning: bool,
    /// Push protection.
    pub push_protection: bool,
    /// Branch protection as it was given, by branch.
    pub branches: BTreeMap<String, Value>,
    /// Workflow files that are switched off, and how.
    pub disabled: BTreeMap<String, String>,
}

impl Default for Closed {
    fn default() -> Self {
        Self {
            actions: json!({"enabled": true, "allowed_actions": "all", "sha_pinning_required": false}),
            selected: json!({"github_owned_allowed": false, "verified_allowed": false, "patterns_allowed": []}),
            token: json!({"default_workflow_permissions": "read", "can_approve_pull_request_reviews": false}),
            scanning: false,
            push_protection: false,
            branches: BTreeMap::new(),
            disabled: BTreeMap::new(),
        }
    }
}

/// `security-and-analysis`.
pub fn show(repo: &Repo) -> Value {
    let switch = |on: bool| json!({"status": if on { "enabled" } else { "disabled" }});
    json!({
        "secret_scanning": switch(repo.closed.scanning),
        "secret_scanning_push_protection": switch(repo.closed.push_protection),
    })
}

/// What a `PATCH` of the repository says about it.
pub fn patch(repo: &mut Repo, body: &Value) {
    let status = |key: &str| {
        let switch = body.get("security_and_analysis")?.get(key)?;
        Some(text(switch, "status")? == "enabled")
    };
    let closed = &mut repo.closed;
    closed.scanning = status("secret_scanning").unwrap_or(closed.scanning);
    closed.push_protection =
        status("secret_scanning_push_protection").unwrap_or(closed.push_protection);
}

/// Everything under `actions/permissions`.
pub fn actions(c: &mut Ctx, method: &str, o: &str, n: &str, tail: &[&str]) -> Res {
    let needed = match method {
        "GET" => Level::Read,
        _ => Level::Write,
    };
    let id = c.repo(o, n, "administration", needed)?;
    let body = c.req.json()?;
    let api = views::api_url(c.s, c.s.repo(id)?);
    let closed = &mut c.s.repo_mut(id)?.closed;
    let selected = closed.actions["allowed_actions"] == "selected";
    let not_selected = || {
        Reply::error(
            409,
            "Conflict: the repository does not have selected actions enabled",
        )
    };
    match (method, tail) {
        ("GET", []) => {
            let mut shown = closed.actions.clone();
            if selected {
                shown["selected_actions_url"] =
                    json!(format!("{api}/actions/permissions/selected-actions"));
            }
            Ok(Reply::ok(shown))
        }
        ("PUT", []) => {
            let enabled = body.get("enabled").and_then(Value::as_bool);
            let enabled = enabled.ok_or_else(|| Reply::missing("enabled"))?;
            closed.actions["enabled"] = json!(enabled);
            take(
                &mut closed.actions,
                &body,
                &["allowed_actions", "sha_pinning_required"],
            );
            Ok(Reply::none())
        }
        (_, ["selected-actions"]) if !selected => Err(not_selected()),
        ("GET", ["selected-actions"]) => Ok(Reply::ok(closed.selected.clone())),
        ("PUT", ["selected-actions"]) => {
            let keys = [
                "github_owned_allowed",
                "verified_allowed",
                "patterns_allowed",
            ];
            take(&mut closed.selected, &body, &keys);
            Ok(Reply::none())
        }
        ("GET", ["workflow"]) => Ok(Reply::ok(closed.token.clone())),
        ("PUT", ["workflow"]) => {
            let keys = [
                "default_workflow_permissions",
                "can_approve_pull_request_reviews",
            ];
            take(&mut closed.token, &body, &keys);
            Ok(Reply::none())
        }
        _ => Err(Reply::not_found()),
    }
}

fn take(into: &mut Value, body: &Value, keys: &[&str]) {
    for key in keys {
        if let Some(value) = body.get(key) {
            into[*key] = value.clone();
        }
    }
}

/// `GET`, `PUT` and `DELETE /repos/{o}/{n}/branches/{branch}/protection`.
pub fn protection(c: &mut Ctx, o: &str, n: &str, branch: &str) -> Res {
    let method = c.req.method.clone();
    let needed = match method.as_str() {
        "GET" => Level::Read,
        _ => Level::Write,
    };
    let id = c.repo(o, n, "administration", needed)?;
    if c.s
        .git(id)
        .ref_sha(&format!("refs/heads/{branch}"))
        .is_none()
    {
        return Err(Reply::error(404, "Branch not found"));
    }
    let bare = || Reply::error(404, "Branch not protected");
    match method.as_str() {
        "GET" => {}
        "PUT" => {
            let body = c.req.json()?;
            for key in [
                "required_status_checks",
                "enforce_admins",
                "required_pull_request_reviews",
                "restrictions",
            ] {
                if body.get(key).is_none() {
                    return Err(Reply::missing(key));
                }
            }
            let repo = c.s.repo_mut(id)?;
            repo.closed.branches.insert(branch.to_owned(), body);
        }
        "DELETE" => {
            let gone = c.s.repo_mut(id)?.closed.branches.remove(branch);
            return gone.map(|_| Reply::none()).ok_or_else(bare);
        }
        _ => return Err(Reply::not_found()),
    }
    let repo = c.s.repo(id)?;
    let given = repo.closed.branches.get(branch).ok_or_else(bare)?;
    let url = format!(
        "{}/branches/{}/protection",
        views::api_url(c.s, repo),
        encode(branch)
    );
    let on = |key: &str| given.get(key).and_then(Value::as_bool).unwrap_or(false);
    let mut out = json!({
        "url": url,
        "enforce_admins": {"url": format!("{url}/enforce_admins"), "enabled": on("enforce_admins")},
        "allow_force_pushes": {"enabled": on("allow_force_pushes")},
        "allow_deletions": {"enabled": on("allow_deletions")},
    });
    if let Some(reviews) = given["required_pull_request_reviews"].as_object() {
        let flag = |key: &str| reviews.get(key).and_then(Value::as_bool).unwrap_or(false);
        out["required_pull_request_reviews"] = json!({
            "url": format!("{url}/required_pull_request_reviews"),
            "dismiss_stale_reviews": flag("dismiss_stale_reviews"),
            "require_code_owner_reviews": flag("require_code_owner_reviews"),
            "required_approving_review_count":
                reviews.get("required_approving_review_count").and_then(Value::as_u64).unwrap_or(1),
        });
    }
    Ok(Reply::ok(out))
}

/// `GET` and `POST /repos/{o}/{n}/environments/{e}/deployment-branch-policies`.
pub fn environment_branches(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let post = c.req.method == "POST";
    let (permission, needed) = match post {
        true => ("administration", Level::Write),
        false => ("actions", Level::Read),
    };
    let id = c.repo(o, n, permission, needed)?;
    let one = |id: u64, branch: &str| json!({"id": id, "node_id": node_id("DeploymentBranchPolicy", id), "name": branch, "type": "branch"});
    let there = c.s.repo(id)?.environments.get(name);
    let there = there.ok_or_else(Reply::not_found)?;
    if there.branch_policy["custom_branch_policies"] != true {
        return Err(Reply::not_found());
    }
    if !post {
        let list = there.branches.iter().map(|(id, b)| one(*id, b)).collect();
        let api = c.s.api_root();
        return Ok(page(c.req, &api, list, Some("branch_policies")));
    }
    let body = c.req.json()?;
    let branch = need(&body, "name")?.to_owned();
    if there.branches.iter().any(|(_, b)| *b == branch) {
        return Err(Reply::error(303, "The branch policy is there already."));
    }
    let new = c.s.id();
    let e = c.s.repo_mut(id)?.environments.get_mut(name);
    e.ok_or_else(Reply::not_found)?
        .branches
        .push((new, branch.clone()));
    Ok(Reply::ok(one(new, &branch)))
}

/// `GET /repos/{o}/{n}/actions/organization-secrets` and `…/organization-variables`: what the
/// organisation gives, which is nothing here.
pub fn of_organisation(c: &mut Ctx, o: &str, n: &str, kind: &str) -> Res {
    let permission = match kind {
        "organization-secrets" => "secrets",
        _ => "actions_variables",
    };
    let id = c.repo(o, n, permission, Level::Read)?;
    if c.level(id, permission) < Level::Write {
        return Err(Reply::not_found());
    }
    let field = kind.trim_start_matches("organization-");
    let api = c.s.api_root();
    Ok(page(c.req, &api, Vec::new(), Some(field)))
}

/// `GET /repos/{o}/{n}/collaborators`: who was let in, and who is in the organisation.
pub fn collaborators(c: &mut Ctx, o: &str, n: &str) -> Res {
    // GitHub tells those who may push, and Apps and fine-grained tokens that may read metadata.
    let limited = matches!(
        c.who.as_ref().map(|t| &t.grant),
        Some(Grant::Fine(_) | Grant::Installation { .. })
    );
    let needed = if limited { Level::Read } else { Level::Write };
    let id = c.repo(o, n, "metadata", needed)?;
    let repo = c.s.repo(id)?;
    let owner = c.s.accounts.get(&repo.owner);
    let mut people: Vec<u64> = repo.collaborators.keys().copied().collect();
    people.extend(owner.into_iter().flat_map(|o| o.members.keys().copied()));
    if owner.is_some_and(|o| o.kind == "User") {
        people.push(repo.owner);
    }
    people.sort_unstable();
    people.dedup();
    let list = people.iter().map(|user| view(c.s, repo, *user)).collect();
    Ok(page(c.req, &c.s.api_root(), list, None))
}

fn view(s: &State, repo: &Repo, user: u64) -> Value {
    let level = s.role(user, repo);
    let role = match level {
        Level::Admin => "admin",
        Level::Write => "write",
        _ => "read",
    };
    let mut out = views::user(s, user);
    out["role_name"] = json!(role);
    out["permissions"] = json!({
        "admin": level >= Level::Admin, "maintain": level >= Level::Admin, "push": level >= Level::Write,
        "triage": level >= Level::Write, "pull": true,
    });
    out
}
