//! `/_local/…`: what GitHub has no API for. Only with the admin token.
use super::access::Ctx;
use super::events;
use super::faults::Fault;
use super::http::{Reply, Res, need, text};
use super::model::{Approval, Grant, Level, Permissions, Variable};
use super::rest::{apps, contents, repos, settings};
use super::state::State;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Finds the admin route.
pub fn route(c: &mut Ctx) -> Res {
    if !c.is_admin() {
        return Err(Reply::error(403, "only the admin token may use /_local"));
    }
    let body = c.req.json()?;
    let segs: Vec<&str> = c.req.segs.iter().map(String::as_str).skip(1).collect();
    let s = &mut *c.s;
    match (c.req.method.as_str(), segs.as_slice()) {
        ("POST", ["users"]) => account(s, &body, "User"),
        ("POST", ["orgs"]) => account(s, &body, "Organization"),
        ("POST", ["tokens"]) => token(s, &body),
        ("POST", ["apps"]) => apps::make(s, &body),
        ("POST", ["installations"]) => apps::install(s, &body),
        ("POST", ["repos"]) => repo(s, &body),
        ("POST", ["commits"]) => commit(s, &body),
        ("POST", ["collaborators"]) => {
            let user = user_id(s, need(&body, "user")?)?;
            let level = Level::parse(text(&body, "permission").unwrap_or("write"));
            let id = repo_id(s, &body)?;
            s.repo_mut(id)?.collaborators.insert(user, level);
            Ok(Reply::none())
        }
        ("POST", ["bypass"]) => bypass(s, &body),
        ("POST", ["workflows"]) => {
            let path = need(&body, "workflow")?.to_owned();
            let state = need(&body, "state")?.to_owned();
            let id = repo_id(s, &body)?;
            s.repo_mut(id)?.closed.disabled.insert(path, state);
            Ok(Reply::none())
        }
        ("POST", ["secrets" | "variables"]) => secret(s, &body, segs[0] == "secrets"),
        ("POST", ["faults"]) => {
            let fault = Fault::parse(&body).ok_or_else(|| Reply::error(422, "unknown fault"))?;
            s.faults.add(fault);
            Ok(Reply::none())
        }
        ("DELETE", ["faults"]) => {
            s.faults.clear();
            Ok(Reply::none())
        }
        ("GET", ["faults"]) => Ok(Reply::ok(json!({"left": s.faults.left()}))),
        ("POST", ["clock"]) => {
            let n = |k: &str| body.get(k).and_then(Value::as_i64);
            if let Some(offset) = n("offset") {
                s.clock.set_offset(offset);
            }
            s.clock.advance(n("advance").unwrap_or(0));
            Ok(Reply::ok(json!({"now": s.now()})))
        }
        ("GET", ["requests"]) => Ok(Reply::ok(json!(s.journal.entries))),
        ("POST", ["tick"]) => {
            let id = repo_id(s, &body)?;
            events::tick(s, id, text(&body, "workflow"))?;
            Ok(Reply::ok(json!({"started": s.events.len()})))
        }
        ("GET", ["runs"]) => Ok(Reply::ok(s.runs.values().map(|r| run(s, r.id)).collect())),
        ("GET", ["runs", id]) => Ok(Reply::ok(run(
            s,
            id.parse().map_err(|_| Reply::not_found())?,
        ))),
        ("POST", ["runs", id, "approve"]) => {
            approve(s, id.parse().map_err(|_| Reply::not_found())?, &body)
        }
        ("POST", ["oidc"]) => {
            let claims = body.get("claims").cloned().unwrap_or_else(|| json!({}));
            Ok(Reply::ok(json!({"value": s.issuer.sign(&claims)})))
        }
        _ => Err(Reply::not_found()),
    }
}

pub(super) fn user_id(s: &State, login: &str) -> Result<u64, Reply> {
    let found = s.account(login).map(|a| a.id);
    found.ok_or_else(|| Reply::error(422, &format!("no such account: `{login}`")))
}

pub(super) fn repo_id(s: &State, body: &Value) -> Result<u64, Reply> {
    let full = need(body, "repo")?;
    s.find_full(full)
        .ok_or_else(|| Reply::error(422, &format!("no such repository: `{full}`")))
}

/// `{login, members: {login: admin|member}}`.
fn account(s: &mut State, body: &Value, kind: &'static str) -> Res {
    let login = need(body, "login")?.to_owned();
    let id = s.add_account(&login, kind)?;
    let mut members = HashMap::new();
    for (login, role) in body
        .get("members")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        members.insert(
            user_id(s, login)?,
            role.as_str().unwrap_or("member").to_owned(),
        );
    }
    if let Some(a) = s.accounts.get_mut(&id) {
        a.members.extend(members);
        if let Some(email) = text(body, "email") {
            email.clone_into(&mut a.email);
        }
    }
    Ok(Reply::json(201, json!({"id": id, "login": login})))
}

/// `{token?, user, repos?: {"o/r" | "*": {contents: write, …}}, scopes?: [repo, …], expires_in?}`;
/// without `repos` a classic token.
fn token(s: &mut State, body: &Value) -> Res {
    let user = user_id(s, need(body, "user")?)?;
    let grant = match body.get("repos").and_then(Value::as_object) {
        None => Grant::Classic,
        Some(map) => {
            let mut all = HashMap::new();
            for (full, given) in map {
                let id = if full == "*" {
                    Some(0)
                } else {
                    s.find_full(full)
                };
                let id =
                    id.ok_or_else(|| Reply::error(422, &format!("no such repository: `{full}`")))?;
                let given = given.as_object().into_iter().flatten();
                let levels = given.map(|(k, v)| {
                    (
                        k.replace('-', "_"),
                        Level::parse(v.as_str().unwrap_or_default()),
                    )
                });
                all.insert(id, levels.collect::<Permissions>());
            }
            Grant::Fine(all)
        }
    };
    let value = s.add_token(text(body, "token"), user, grant);
    let expires = body
        .get("expires_in")
        .and_then(Value::as_i64)
        .map(|e| s.now() + e);
    if let Some(t) = s.tokens.get_mut(&value) {
        t.expires = expires;
        if let Some(scopes) = body.get("scopes").and_then(Value::as_array) {
            let scopes = scopes.iter().filter_map(Value::as_str);
            t.scopes = scopes.map(str::to_owned).collect();
        }
    }
    Ok(Reply::json(201, json!({"token": value})))
}

fn files(body: &Value) -> Vec<(String, Vec<u8>)> {
    let map = body.get("files").and_then(Value::as_object);
    let pairs = map.into_iter().flatten();
    pairs
        .map(|(k, v)| {
            (
                k.clone(),
                v.as_str().unwrap_or_default().as_bytes().to_vec(),
            )
        })
        .collect()
}

/// `{repo: "o/r", private?, files: {path: text}, variables?, secrets?, user?}`; accounts are made as users.
fn repo(s: &mut State, body: &Value) -> Res {
    let full = need(body, "repo")?;
    let (owner, name) = full.split_once('/').ok_or_else(|| Reply::missing("repo"))?;
    let owner = match s.account(owner) {
        Some(a) => a.id,
        None => s.add_account(owner, "User")?,
    };
    let private = body.get("private").and_then(Value::as_bool).unwrap_or(true);
    let id = repos::make(s, owner, name, private, None)?;
    for kind in ["variables", "secrets"] {
        for (key, v) in body
            .get(kind)
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let one = json!({"repo": full, "name": key, "value": v});
            secret(s, &one, kind == "secrets")?;
        }
    }
    let files = files(body);
    let sha = if files.is_empty() {
        None
    } else {
        let user = text(body, "user").map_or(Ok(owner), |u| user_id(s, u))?;
        let made = contents::commit_files(
            s,
            id,
            "main",
            &files,
            text(body, "message").unwrap_or("Initial commit"),
            user,
        )?;
        // The first commit of a made repository is furniture, not an event.
        s.events.clear();
        Some(made)
    };
    Ok(Reply::json(
        201,
        json!({"id": id, "repo": full, "sha": sha}),
    ))
}

/// `{repo, branch?, files, message?, user}`: a commit with its push event.
fn commit(s: &mut State, body: &Value) -> Res {
    let id = repo_id(s, body)?;
    let user = user_id(s, need(body, "user")?)?;
    let default = s.repo(id)?.default_branch.clone();
    let branch = text(body, "branch").unwrap_or(&default);
    let git = s.git(id);
    let full = format!("refs/heads/{branch}");
    if git.ref_sha(&full).is_none()
        && let Some(base) = git.ref_sha(&format!("refs/heads/{default}"))
    {
        git.set_ref(&full, &base).map_err(super::rest::broken)?;
    }
    let sha = contents::commit_files(
        s,
        id,
        branch,
        &files(body),
        text(body, "message").unwrap_or("Change"),
        user,
    )?;
    Ok(Reply::json(201, json!({"sha": sha})))
}

/// `{repo, environment?, name, value}`.
fn secret(s: &mut State, body: &Value, hidden: bool) -> Res {
    let id = repo_id(s, body)?;
    let name = settings::valid_name(need(body, "name")?)?;
    let now = s.now();
    let v = Variable {
        value: need(body, "value")?.to_owned(),
        created: now,
        updated: now,
    };
    let repo = s.repo_mut(id)?;
    let (variables, secrets) = match text(body, "environment") {
        None => (&mut repo.variables, &mut repo.secrets),
        Some(e) => {
            let e = repo.environments.get_mut(e).ok_or_else(Reply::not_found)?;
            (&mut e.variables, &mut e.secrets)
        }
    };
    if hidden { secrets } else { variables }.insert(name, v);
    Ok(Reply::none())
}

/// `{repo, environment, allowed}`: whether administrators may pass an environment's protection
/// over, which GitHub's interface shows and does not set.
fn bypass(s: &mut State, body: &Value) -> Res {
    let id = repo_id(s, body)?;
    let name = need(body, "environment")?;
    let environments = &mut s.repo_mut(id)?.environments;
    let e = environments.get_mut(name).ok_or_else(Reply::not_found)?;
    e.can_admins_bypass = body.get("allowed").and_then(Value::as_bool) == Some(true);
    Ok(Reply::none())
}

fn run(s: &State, id: u64) -> Value {
    let Some(r) = s.runs.get(&id) else {
        return Value::Null;
    };
    let repo = s.repos.get(&r.event.repo);
    let name = |env: u64| {
        repo.and_then(|x| x.environments.iter().find(|(_, e)| e.id == env))
            .map(|(n, _)| n.clone())
    };
    json!({
        "id": r.id, "repo": repo.map(|x| s.full_name(x)), "path": r.path, "event": r.event.name, "status": r.status,
        "conclusion": r.conclusion, "sha": r.event.head_sha, "log": r.log,
        "waiting": r.pending.iter().map(|p| name(p.0)).collect::<Vec<_>>(),
        "jobs": r.jobs.iter().map(|j| json!({"name": j.name, "status": j.status, "conclusion": j.conclusion, "environment": j.environment})).collect::<Vec<_>>(),
    })
}

/// `{user, state?, comment?}`: decides everything that waits, as that user, without asking whether they may.
fn approve(s: &mut State, id: u64, body: &Value) -> Res {
    let user = user_id(s, need(body, "user")?)?;
    let run = s.runs.get(&id).ok_or_else(Reply::not_found)?;
    let environments: Vec<u64> = run.pending.iter().map(|p| p.0).collect();
    let state = text(body, "state").unwrap_or("approved").to_owned();
    let comment = text(body, "comment").unwrap_or_default().to_owned();
    let count = environments.len();
    if count > 0 {
        super::rest::actions::decide(
            s,
            id,
            Approval {
                state,
                user,
                comment,
                environments,
            },
        );
    }
    Ok(Reply::ok(json!({"decided": count})))
}
