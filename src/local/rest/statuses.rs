//! Commit statuses.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Level, Repo, Status};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

fn simple(s: &State, repo: &Repo, x: &Status) -> Value {
    json!({
        "url": format!("{}/statuses/{}", views::api_url(s, repo), x.sha),
        "avatar_url": views::user(s, x.user)["avatar_url"], "id": x.id, "node_id": node_id("StatusContext", x.id),
        "state": x.state, "description": x.description, "target_url": x.target_url, "context": x.context,
        "created_at": iso(x.created), "updated_at": iso(x.created),
    })
}

fn show(s: &State, repo: &Repo, x: &Status) -> Value {
    let mut v = simple(s, repo, x);
    v["creator"] = views::user(s, x.user);
    v
}

/// `POST /repos/{o}/{n}/statuses/{sha}`.
pub fn create(c: &mut Ctx, o: &str, n: &str, sha: &str) -> Res {
    let id = c.repo(o, n, "statuses", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let state = need(&body, "state")?;
    if !matches!(state, "error" | "failure" | "pending" | "success") {
        return Err(Reply::invalid(
            "Status",
            "state",
            "invalid",
            "state is not included in the list",
        ));
    }
    if sha.len() != 40 || c.s.git(id).kind(sha).as_deref() != Some("commit") {
        return Err(Reply::error(
            422,
            &format!("No commit found for SHA: {sha}"),
        ));
    }
    let description = text(&body, "description");
    if description.is_some_and(|d| d.chars().count() > 140) {
        return Err(Reply::invalid(
            "Status",
            "description",
            "custom",
            "description is too long (maximum is 140 characters)",
        ));
    }
    let context = text(&body, "context").unwrap_or("default");
    if context.chars().count() > 255 {
        return Err(Reply::invalid(
            "Status",
            "context",
            "custom",
            "context is too long (maximum is 255 characters)",
        ));
    }
    let same =
        c.s.repo(id)?
            .statuses
            .iter()
            .filter(|x| x.sha == sha && x.context == context)
            .count();
    if same >= 1000 {
        return Err(Reply::invalid(
            "Status",
            "base",
            "custom",
            "This SHA and context has reached the maximum number of statuses.",
        ));
    }
    let status = Status {
        id: c.s.id(),
        sha: sha.to_owned(),
        state: state.to_owned(),
        context: context.to_owned(),
        description: description.map(str::to_owned),
        target_url: text(&body, "target_url").map(str::to_owned),
        user,
        created: c.s.now(),
    };
    let shown = show(c.s, c.s.repo(id)?, &status);
    c.s.repo_mut(id)?.statuses.push(status);
    let url = shown["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::json(201, shown).with("location", url))
}

/// `GET /repos/{o}/{n}/commits/{ref}/statuses`, newest first.
pub fn list(c: &mut Ctx, o: &str, n: &str, rev: &str) -> Res {
    let id = c.repo(o, n, "statuses", Level::Read)?;
    let sha = super::commits::resolve(c, id, rev)?;
    let repo = c.s.repo(id)?;
    let items = repo.statuses.iter().rev().filter(|x| x.sha == sha);
    let items = items.map(|x| show(c.s, repo, x)).collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/commits/{ref}/status`: the latest of each context and their sum.
pub fn combined(c: &mut Ctx, o: &str, n: &str, rev: &str) -> Res {
    let id = c.repo(o, n, "statuses", Level::Read)?;
    let sha = super::commits::resolve(c, id, rev)?;
    let repo = c.s.repo(id)?;
    let mut latest: Vec<&Status> = Vec::new();
    for x in repo.statuses.iter().rev().filter(|x| x.sha == sha) {
        if !latest.iter().any(|l| l.context == x.context) {
            latest.push(x);
        }
    }
    let any = |state: &str| latest.iter().any(|x| x.state == state);
    let state = match () {
        () if any("failure") || any("error") => "failure",
        () if any("pending") || latest.is_empty() => "pending",
        () => "success",
    };
    let api = views::api_url(c.s, repo);
    Ok(Reply::ok(json!({
        "state": state, "sha": sha, "total_count": latest.len(),
        "statuses": latest.iter().map(|x| simple(c.s, repo, x)).collect::<Vec<_>>(),
        "repository": views::minimal_repo(c.s, repo),
        "commit_url": format!("{api}/commits/{sha}"), "url": format!("{api}/commits/{sha}/status"),
    })))
}
