//! Pull requests: open, read, list, change, and what they contain.
use super::comments::association;
use super::commits::totals;
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::diff;
use crate::local::events;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Level, Pull, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

fn side(s: &State, repo: Option<&Repo>, name: &str, sha: &str) -> Value {
    let owner = repo.map_or(0, |r| r.owner);
    json!({
        "label": format!("{}:{name}", s.login(owner)), "ref": name, "sha": sha,
        "user": views::user(s, owner),
        "repo": repo.map_or(Value::Null, |r| views::repo(s, r, None)),
    })
}

/// `pull-request-simple`.
pub fn show(s: &State, repo: &Repo, p: &Pull) -> Value {
    let api = views::api_url(s, repo);
    let html = format!("{}/pull/{}", views::html_url(s, repo), p.number);
    let this = format!("{api}/pulls/{}", p.number);
    let issue = format!("{api}/issues/{}", p.number);
    let statuses = format!("{api}/statuses/{}", p.head_sha);
    let head = p.head_repo.and_then(|id| s.repos.get(&id));
    let links = json!({
        "self": {"href": this}, "html": {"href": html}, "issue": {"href": issue},
        "comments": {"href": format!("{issue}/comments")}, "review_comments": {"href": format!("{this}/comments")},
        "review_comment": {"href": format!("{api}/pulls/comments{{/number}}")},
        "commits": {"href": format!("{this}/commits")}, "statuses": {"href": statuses},
    });
    json!({
        "url": this, "id": p.id, "node_id": node_id("PullRequest", p.id), "html_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"), "issue_url": issue,
        "commits_url": format!("{this}/commits"), "review_comments_url": format!("{this}/comments"),
        "review_comment_url": format!("{api}/pulls/comments{{/number}}"),
        "comments_url": format!("{issue}/comments"), "statuses_url": statuses,
        "number": p.number, "state": if p.open { "open" } else { "closed" }, "locked": false,
        "title": p.title, "user": views::user(s, p.user), "body": p.body, "labels": [], "milestone": null,
        "active_lock_reason": null, "created_at": iso(p.created), "updated_at": iso(p.updated),
        "closed_at": p.closed.map(iso), "merged_at": p.merged.as_ref().map(|m| iso(m.1)),
        "merge_commit_sha": p.merged.as_ref().map(|m| m.2.clone()).or_else(|| p.merge_commit.clone()),
        "assignee": null, "assignees": [], "requested_reviewers": [], "requested_teams": [],
        "head": side(s, head, &p.head_ref, &p.head_sha), "base": side(s, Some(repo), &p.base_ref, &p.base_sha),
        "_links": links,
        "author_association": association(s, repo, p.user), "auto_merge": null, "draft": p.draft,
    })
}

/// `pull-request`, with counts.
pub fn show_full(s: &State, repo: &Repo, p: &Pull) -> Result<Value, Reply> {
    let git = s.git(repo.id);
    let base = git
        .merge_base(&p.base_sha, &p.head_sha)
        .unwrap_or_else(|| p.base_sha.clone());
    let changes = diff::changes(&git, &base, &p.head_sha).map_err(super::broken)?;
    let commits = git
        .log(&p.head_sha, Some(&p.base_sha), None)
        .map_err(super::broken)?
        .len();
    let (add, del) = totals(&changes);
    let comments = repo
        .comments
        .iter()
        .filter(|c| c.number == p.number)
        .count();
    let mergeable = p.open.then_some(p.merge_commit.is_some());
    let mut v = show(s, repo, p);
    views::merge(
        &mut v,
        json!({
            "merged": p.merged.is_some(), "merged_by": p.merged.as_ref().map(|m| views::user(s, m.0)),
            "mergeable": mergeable, "rebaseable": mergeable,
            "mergeable_state": match mergeable { Some(true) => "clean", Some(false) => "dirty", None => "unknown" },
            "comments": comments, "review_comments": 0, "maintainer_can_modify": false,
            "commits": commits, "additions": add, "deletions": del, "changed_files": changes.len(),
        }),
    );
    Ok(v)
}

/// Recomputes head, base and test merge of a pull request, and its `refs/pull/N/*`.
pub fn refresh(s: &mut State, id: u64, number: u64) -> Result<(), Reply> {
    let git = s.git(id);
    let mut p = s
        .repo(id)?
        .pulls
        .get(&number)
        .cloned()
        .ok_or_else(Reply::not_found)?;
    if let Some(sha) = p
        .head_repo
        .and_then(|h| s.git(h).ref_sha(&format!("refs/heads/{}", p.head_ref)))
    {
        p.head_sha = sha;
    }
    if let Some(sha) = git.ref_sha(&format!("refs/heads/{}", p.base_ref)) {
        p.base_sha = sha;
    }
    git.set_ref(&format!("refs/pull/{number}/head"), &p.head_sha)
        .map_err(super::broken)?;
    let who = super::contents::signature(s, p.user);
    p.merge_commit = git.merge_tree(&p.base_sha, &p.head_sha).and_then(|tree| {
        let message = format!("Merge {} into {}", p.head_sha, p.base_sha);
        git.put_commit(
            &tree,
            &[p.base_sha.clone(), p.head_sha.clone()],
            &message,
            &who,
            &who,
        )
        .ok()
    });
    if let Some(sha) = &p.merge_commit {
        git.set_ref(&format!("refs/pull/{number}/merge"), sha)
            .map_err(super::broken)?;
    }
    s.repo_mut(id)?.pulls.insert(number, p);
    Ok(())
}

fn find(c: &Ctx, id: u64, number: u64) -> Result<Pull, Reply> {
    c.s.repo(id)?
        .pulls
        .get(&number)
        .cloned()
        .ok_or_else(Reply::not_found)
}

/// `POST /repos/{o}/{n}/pulls`. Whoever can read may open one, if they can push to the head.
pub fn create(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let head = need(&body, "head")?;
    let base = need(&body, "base")?.to_owned();
    let title = need(&body, "title")?.to_owned();
    let (owner, branch) = match head.split_once(':') {
        Some((owner, branch)) => (c.s.account(owner).map(|a| a.id), branch.to_owned()),
        None => (Some(c.s.repo(id)?.owner), head.to_owned()),
    };
    let head_repo =
        c.s.repos
            .values()
            .find(|r| Some(r.owner) == owner && (r.id == id || r.fork_of == Some(id)))
            .map(|r| r.id);
    let head_repo =
        head_repo.ok_or_else(|| Reply::invalid("PullRequest", "head", "invalid", ""))?;
    if head_repo == id {
        c.repo(o, n, "pull_requests", Level::Write)?;
    } else if c.level(head_repo, "contents") < Level::Write {
        return Err(Reply::error(
            403,
            "Resource not accessible by personal access token",
        ));
    }
    let git = c.s.git(id);
    let head_sha = c.s.git(head_repo).ref_sha(&format!("refs/heads/{branch}"));
    let head_sha = head_sha.ok_or_else(|| Reply::invalid("PullRequest", "head", "invalid", ""))?;
    let base_sha = git.ref_sha(&format!("refs/heads/{base}"));
    let base_sha = base_sha.ok_or_else(|| Reply::invalid("PullRequest", "base", "invalid", ""))?;
    if git.is_ancestor(&head_sha, &base_sha) {
        let m = format!("No commits between {base} and {branch}");
        return Err(Reply::invalid("PullRequest", "base", "custom", &m));
    }
    let same = |p: &&Pull| {
        p.open && p.head_repo == Some(head_repo) && p.head_ref == branch && p.base_ref == base
    };
    if c.s.repo(id)?.pulls.values().find(same).is_some() {
        let m = format!(
            "A pull request already exists for {}:{branch}.",
            c.s.login(owner.unwrap_or(0))
        );
        return Err(Reply::invalid("PullRequest", "base", "custom", &m));
    }
    let (new, now) = (c.s.id(), c.s.now());
    let repo = c.s.repo_mut(id)?;
    repo.last_number += 1;
    let number = repo.last_number;
    repo.pulls.insert(
        number,
        Pull {
            id: new,
            number,
            user,
            title,
            body: text(&body, "body").map(str::to_owned),
            head_repo: Some(head_repo),
            head_ref: branch,
            head_sha,
            base_ref: base,
            base_sha,
            open: true,
            draft: body.get("draft").and_then(Value::as_bool) == Some(true),
            merged: None,
            merge_commit: None,
            created: now,
            updated: now,
            closed: None,
        },
    );
    refresh(c.s, id, number)?;
    if !super::contents::is_run(c) {
        events::pull_request(c.s, id, number, "opened", user)?;
    }
    let v = show_full(c.s, c.s.repo(id)?, &find(c, id, number)?)?;
    let url = text(&v, "url").unwrap_or_default().to_owned();
    Ok(Reply::json(201, v).with("location", url))
}

/// `GET /repos/{o}/{n}/pulls`: `state`, `head` (`owner:branch`), `base`.
pub fn list(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Read)?;
    let repo = c.s.repo(id)?;
    let state = c.req.q("state").unwrap_or("open");
    let keep = |p: &&Pull| {
        let label = format!(
            "{}:{}",
            p.head_repo
                .and_then(|h| c.s.repos.get(&h))
                .map_or("", |r| c.s.login(r.owner)),
            p.head_ref
        );
        (state == "all" || (state == "open") == p.open)
            && c.req.q("base").is_none_or(|b| b == p.base_ref)
            && c.req.q("head").is_none_or(|h| h == label)
    };
    let mut items: Vec<Value> = repo
        .pulls
        .values()
        .filter(keep)
        .map(|p| show(c.s, repo, p))
        .collect();
    if c.req.q("direction") != Some("asc") {
        items.reverse();
    }
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/pulls/{number}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Read)?;
    let p = find(c, id, number)?;
    Ok(Reply::ok(show_full(c.s, c.s.repo(id)?, &p)?))
}

/// `PATCH /repos/{o}/{n}/pulls/{number}`: title, body, state, base.
pub fn patch(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let mut p = find(c, id, number)?;
    if let Some(t) = text(&body, "title") {
        p.title = t.to_owned();
    }
    if let Some(b) = body.get("body") {
        p.body = b.as_str().map(str::to_owned);
    }
    if let Some(b) = text(&body, "base") {
        if c.s.git(id).ref_sha(&format!("refs/heads/{b}")).is_none() {
            return Err(Reply::invalid("PullRequest", "base", "invalid", ""));
        }
        p.base_ref = b.to_owned();
    }
    p.updated = c.s.now();
    let action = match (text(&body, "state"), p.open) {
        (Some("closed"), true) => {
            p.open = false;
            p.closed = Some(p.updated);
            Some("closed")
        }
        (Some("open"), false) if p.merged.is_some() => {
            return Err(Reply::invalid(
                "PullRequest",
                "state",
                "invalid",
                "state cannot be changed. The pull request was merged.",
            ));
        }
        (Some("open"), false) => {
            p.open = true;
            p.closed = None;
            Some("reopened")
        }
        _ => None,
    };
    c.s.repo_mut(id)?.pulls.insert(number, p);
    if action != Some("closed") {
        refresh(c.s, id, number)?;
    }
    if let Some(action) = action.filter(|_| !super::contents::is_run(c)) {
        events::pull_request(c.s, id, number, action, user)?;
    }
    get(c, o, n, number)
}

/// `GET /repos/{o}/{n}/pulls/{number}/files`.
pub fn files(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Read)?;
    let p = find(c, id, number)?;
    let git = c.s.git(id);
    let base = git
        .merge_base(&p.base_sha, &p.head_sha)
        .unwrap_or_else(|| p.base_sha.clone());
    let changes = diff::changes(&git, &base, &p.head_sha).map_err(super::broken)?;
    let repo = c.s.repo(id)?;
    let items = changes
        .iter()
        .map(|x| views::diff_entry(c.s, repo, &p.head_sha, x))
        .collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/pulls/{number}/commits`.
pub fn commits(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Read)?;
    let p = find(c, id, number)?;
    let git = c.s.git(id);
    let repo = c.s.repo(id)?;
    let mut shas = git
        .log(&p.head_sha, Some(&p.base_sha), None)
        .map_err(super::broken)?;
    shas.reverse();
    let items = shas
        .iter()
        .map(|s| git.commit(s).map(|x| views::commit(c.s, repo, &x)));
    let items = items.collect::<Result<_, _>>().map_err(super::broken)?;
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/commits/{sha}/pulls`: pull requests whose head or merge is that commit.
pub fn of_commit(c: &mut Ctx, o: &str, n: &str, sha: &str) -> Res {
    let id = c.repo(o, n, "pull_requests", Level::Read)?;
    let sha = super::commits::resolve(c, id, sha)?;
    let git = c.s.git(id);
    let repo = c.s.repo(id)?;
    let has = |p: &&Pull| {
        let merged = p.merged.as_ref().is_some_and(|m| m.2 == sha);
        merged
            || (git.is_ancestor(&sha, &p.head_sha) && !git.is_ancestor(&sha, &p.base_sha))
            || (p.merged.is_some() && p.head_sha == sha)
    };
    let items = repo
        .pulls
        .values()
        .filter(has)
        .map(|p| show(c.s, repo, p))
        .collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}
