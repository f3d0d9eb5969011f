//! Issues: open, read, list, change. Pull requests are issues, too, in lists and by number.
use super::comments::association;
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, encode, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Grant, Issue, Level, Pull, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

/// Longest body and title that GitHub takes, in characters.
const LONGEST_BODY: usize = 65_536;
const LONGEST_TITLE: usize = 256;

fn label(s: &State, repo: &Repo, name: &str) -> Value {
    // A label belongs to the repository; its number only has to be the same every time.
    let id = name.bytes().fold(repo.id % 1_000_000, |id, b| {
        (id * 31 + u64::from(b)) % 1_000_000_007
    });
    json!({
        "id": id, "node_id": node_id("Label", id), "name": name, "color": "ededed", "default": false,
        "url": format!("{}/labels/{}", views::api_url(s, repo), encode(name)), "description": null,
    })
}

fn reactions(url: &str) -> Value {
    json!({
        "url": format!("{url}/reactions"), "total_count": 0, "+1": 0, "-1": 0, "laugh": 0, "hooray": 0,
        "confused": 0, "heart": 0, "rocket": 0, "eyes": 0,
    })
}

/// What issues and pull requests have in common as issues.
fn common(s: &State, repo: &Repo, number: u64, user: u64) -> Value {
    let api = views::api_url(s, repo);
    let this = format!("{api}/issues/{number}");
    let comments = repo.comments.iter().filter(|c| c.number == number).count();
    json!({
        "url": this, "repository_url": api, "labels_url": format!("{this}/labels{{/name}}"),
        "comments_url": format!("{this}/comments"), "events_url": format!("{this}/events"),
        "timeline_url": format!("{this}/timeline"), "number": number, "user": views::user(s, user),
        "labels": [], "locked": false, "assignee": null, "assignees": [], "milestone": null,
        "comments": comments, "author_association": association(s, repo, user),
        "active_lock_reason": null, "reactions": reactions(&this), "performed_via_github_app": null,
    })
}

/// `issue`.
pub fn show(s: &State, repo: &Repo, x: &Issue) -> Value {
    let mut v = common(s, repo, x.number, x.user);
    let reason = match &x.closed {
        Some((_, _, reason)) => Some(reason.as_str()),
        None => x.reopened.then_some("reopened"),
    };
    views::merge(
        &mut v,
        json!({
            "id": x.id, "node_id": node_id("Issue", x.id),
            "html_url": format!("{}/issues/{}", views::html_url(s, repo), x.number),
            "title": x.title, "body": x.body,
            "labels": x.labels.iter().map(|l| label(s, repo, l)).collect::<Vec<_>>(),
            "state": if x.closed.is_some() { "closed" } else { "open" }, "state_reason": reason,
            "created_at": iso(x.created), "updated_at": iso(x.updated),
            "closed_at": x.closed.as_ref().map(|c| iso(c.0)),
            "closed_by": x.closed.as_ref().map(|c| views::user(s, c.1)),
        }),
    );
    v
}

/// A pull request as an issue.
fn show_pull(s: &State, repo: &Repo, p: &Pull) -> Value {
    let mut v = common(s, repo, p.number, p.user);
    let html = format!("{}/pull/{}", views::html_url(s, repo), p.number);
    views::merge(
        &mut v,
        json!({
            "id": p.id, "node_id": node_id("PullRequest", p.id), "html_url": html,
            "title": p.title, "body": p.body, "draft": p.draft,
            "state": if p.open { "open" } else { "closed" }, "state_reason": null,
            "created_at": iso(p.created), "updated_at": iso(p.updated),
            "closed_at": p.closed.map(iso), "closed_by": null,
            "pull_request": {
                "url": format!("{}/pulls/{}", views::api_url(s, repo), p.number), "html_url": html,
                "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
                "merged_at": p.merged.as_ref().map(|m| iso(m.1)),
            },
        }),
    );
    v
}

/// `GET /repos/{o}/{n}/issues`.
pub fn list(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "issues", Level::Read)?;
    let repo = c.s.repo(id)?;
    let issues = repo.issues.values().map(|x| show(c.s, repo, x));
    let pulls = repo.pulls.values().map(|p| show_pull(c.s, repo, p));
    let mut items: Vec<Value> = issues.chain(pulls).collect();
    let state = c.req.q("state").unwrap_or("open").to_owned();
    if !["open", "closed", "all"].contains(&state.as_str()) {
        return Err(Reply::invalid("Issue", "state", "invalid", ""));
    }
    let wanted: Vec<&str> = c.req.q("labels").map_or_else(Vec::new, |l| {
        l.split(',')
            .map(str::trim)
            .filter(|l| !l.is_empty())
            .collect()
    });
    let named = |v: &Value, name: &str| {
        let all = v["labels"].as_array();
        all.is_some_and(|all| {
            all.iter().any(|l| {
                l["name"]
                    .as_str()
                    .is_some_and(|l| l.eq_ignore_ascii_case(name))
            })
        })
    };
    // Both are ISO 8601 in UTC, so they compare as texts.
    let since = c.req.q("since").unwrap_or_default();
    let creator = c.req.q("creator");
    items.retain(|v| {
        (state == "all" || v["state"] == *state)
            && creator.is_none_or(|who| {
                v["user"]["login"]
                    .as_str()
                    .is_some_and(|l| l.eq_ignore_ascii_case(who))
            })
            && wanted.iter().all(|name| named(v, name))
            && v["updated_at"].as_str().is_none_or(|at| at >= since)
    });
    let key = match c.req.q("sort") {
        Some("updated") => "updated_at",
        Some("comments") => "comments",
        _ => "created_at",
    };
    let rank = |v: &Value| {
        (
            v[key].as_str().unwrap_or_default().to_owned(),
            v[key].as_u64(),
            v["number"].as_u64(),
        )
    };
    items.sort_by_key(rank);
    if c.req.q("direction") != Some("asc") {
        items.reverse();
    }
    Ok(page(c.req, &c.s.url, items, None))
}

fn title_of(text: &str) -> Result<String, Reply> {
    if text.trim().is_empty() {
        return Err(Reply::invalid("Issue", "title", "missing_field", ""));
    }
    if text.chars().count() > LONGEST_TITLE {
        let m = "title is too long (maximum is 256 characters)";
        return Err(Reply::invalid("Issue", "title", "custom", m));
    }
    Ok(text.to_owned())
}

fn body_of(body: &Value) -> Result<Option<String>, Reply> {
    let text = text(body, "body");
    if text.is_some_and(|t| t.chars().count() > LONGEST_BODY) {
        let m = "body is too long (maximum is 65536 characters)";
        return Err(Reply::invalid("Issue", "body", "custom", m));
    }
    Ok(text.map(str::to_owned))
}

/// Whether the caller has write access. The bot of a run acts with what its token was given.
fn may_write(c: &Ctx, id: u64, user: u64) -> bool {
    super::contents::is_run(c)
        || c.s
            .repo(id)
            .is_ok_and(|r| c.s.role(user, r) >= Level::Write)
}

/// Names of labels, given as texts or as objects.
fn labels_of(body: &Value) -> Option<Vec<String>> {
    let all = body.get("labels")?.as_array()?;
    let name = |l: &Value| l.as_str().or_else(|| text(l, "name")).map(str::to_owned);
    Some(all.iter().filter_map(name).collect())
}

/// `POST /repos/{o}/{n}/issues`. Whoever can read may open one; labels need write access, and are
/// dropped silently without it, as GitHub documents.
pub fn create(c: &mut Ctx, o: &str, n: &str) -> Res {
    let classic = matches!(
        c.who.as_ref().map(|t| &t.grant),
        Some(Grant::Classic | Grant::Admin)
    );
    let id = match c.repo(o, n, "issues", Level::Write) {
        Err(_) if classic => c.repo(o, n, "metadata", Level::Read)?,
        other => other?,
    };
    let user = c.user()?;
    let body = c.req.json()?;
    let title = title_of(need(&body, "title")?)?;
    let labels = labels_of(&body).filter(|_| may_write(c, id, user));
    let labels = labels.unwrap_or_default();
    let (new, now) = (c.s.id(), c.s.now());
    let text = body_of(&body)?;
    let repo = c.s.repo_mut(id)?;
    repo.last_number += 1;
    let number = repo.last_number;
    let issue = Issue {
        id: new,
        number,
        user,
        title,
        body: text,
        labels,
        closed: None,
        reopened: false,
        created: now,
        updated: now,
    };
    repo.issues.insert(number, issue.clone());
    let shown = show(c.s, c.s.repo(id)?, &issue);
    let url = shown["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::json(201, shown).with("location", url))
}

/// `GET /repos/{o}/{n}/issues/{number}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "issues", Level::Read)?;
    let repo = c.s.repo(id)?;
    if let Some(issue) = repo.issues.get(&number) {
        return Ok(Reply::ok(show(c.s, repo, issue)));
    }
    let pull = repo.pulls.get(&number).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(show_pull(c.s, repo, pull)))
}

/// `PATCH /repos/{o}/{n}/issues/{number}`: title, body, state, labels. Its author may change it,
/// and whoever may write.
pub fn patch(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "issues", Level::Read)?;
    let user = c.user()?;
    let found = c.s.repo(id)?.issues.get(&number).cloned();
    let mut issue = found.ok_or_else(Reply::not_found)?;
    c.repo(o, n, "issues", Level::Write)?;
    if issue.user != user && !may_write(c, id, user) {
        return Err(Reply::error(
            403,
            "Must have write access to edit an issue.",
        ));
    }
    let body = c.req.json()?;
    if let Some(title) = text(&body, "title") {
        issue.title = title_of(title)?;
    }
    if body.get("body").is_some() {
        issue.body = body_of(&body)?;
    }
    if let Some(labels) = labels_of(&body)
        && may_write(c, id, user)
    {
        issue.labels = labels;
    }
    let now = c.s.now();
    match (text(&body, "state"), issue.closed.is_some()) {
        (Some("closed"), false) => {
            let reason = text(&body, "state_reason")
                .filter(|r| ["not_planned", "duplicate"].contains(r))
                .unwrap_or("completed");
            issue.closed = Some((now, user, reason.to_owned()));
        }
        (Some("open"), true) => {
            issue.closed = None;
            issue.reopened = true;
        }
        (Some("open" | "closed") | None, _) => {}
        _ => return Err(Reply::invalid("Issue", "state", "invalid", "")),
    }
    issue.updated = now;
    c.s.repo_mut(id)?.issues.insert(number, issue);
    get(c, o, n, number)
}
