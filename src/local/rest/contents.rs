//! The contents API: files by path, and commits of one file.
use crate::local::access::Ctx;
use crate::local::events;
use crate::local::git::{Entry, Person};
use crate::local::http::{Reply, Res, encode, need, text};
use crate::local::model::{Grant, Level, Repo};
use crate::local::state::State;
use crate::local::views;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// Base64 in lines of 60, as GitHub sends it.
pub fn wrapped(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::with_capacity(text.len() + text.len() / 60 + 1);
    for (i, ch) in text.chars().enumerate() {
        if i > 0 && i % 60 == 0 {
            out.push('\n');
        }
        out.push(ch);
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out
}

/// Base64 with any white space inside.
pub fn unwrapped(s: &str) -> Result<Vec<u8>, Reply> {
    let clean: String = s.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    STANDARD
        .decode(clean)
        .map_err(|_| Reply::error(422, "content is not valid Base64"))
}

/// A signature in the name of an account.
pub fn signature(s: &State, user: u64) -> Person {
    let (name, email) = match s.accounts.get(&user) {
        Some(a) => (a.login.clone(), a.email.clone()),
        None => (
            "ghost".to_owned(),
            "ghost@users.noreply.github.com".to_owned(),
        ),
    };
    Person {
        name,
        email,
        date: s.now(),
    }
}

/// `author`/`committer` of a request, else the account.
pub fn given_person(s: &State, v: Option<&Value>, user: u64) -> Person {
    let mut p = signature(s, user);
    if let Some(v) = v {
        p.name = text(v, "name").unwrap_or(&p.name).to_owned();
        p.email = text(v, "email").unwrap_or(&p.email).to_owned();
        p.date = text(v, "date").and_then(parse_iso).unwrap_or(p.date);
    }
    p
}

/// `2026-11-21T06:25:04Z` to seconds.
pub fn parse_iso(s: &str) -> Option<i64> {
    let n = |r: std::ops::Range<usize>| s.get(r)?.parse::<i64>().ok();
    let (y, m, d) = (n(0..4)?, n(5..7)?, n(8..10)?);
    let y2 = if m <= 2 { y - 1 } else { y };
    let era = y2.div_euclid(400);
    let doy = (153 * (if m > 2 { m - 3 } else { m + 9 }) + 2) / 5 + d - 1;
    let yoe = y2.rem_euclid(400);
    let days = era * 146_097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719_468;
    Some(days * 86_400 + n(11..13)? * 3600 + n(14..16)? * 60 + n(17..19)?)
}

/// Commits files to a branch (created if need be) without checks; for administration and first commits.
pub fn commit_files(
    s: &mut State,
    id: u64,
    branch: &str,
    files: &[(String, Vec<u8>)],
    message: &str,
    user: u64,
) -> Result<String, Reply> {
    let git = s.git(id);
    let full = format!("refs/heads/{branch}");
    let before = git.ref_sha(&full);
    let mut changes = Vec::new();
    for (path, bytes) in files {
        let sha = git.put_blob(bytes).map_err(super::broken)?;
        changes.push((path.clone(), Some(("100644".to_owned(), sha))));
    }
    let tree = git
        .put_tree(before.as_deref(), &changes)
        .map_err(super::broken)?;
    let who = signature(s, user);
    let parents: Vec<String> = before.iter().cloned().collect();
    let sha = git
        .put_commit(&tree, &parents, message, &who, &who)
        .map_err(super::broken)?;
    git.set_ref(&full, &sha).map_err(super::broken)?;
    events::pushed(s, id, &full, before.as_deref(), Some(&sha), user, false)?;
    Ok(sha)
}

fn item(c: &Ctx, repo: &Repo, e: &Entry, path: &str, rev: &str) -> Value {
    let (api, html) = (views::api_url(c.s, repo), views::html_url(c.s, repo));
    let enc: Vec<String> = path.split('/').map(encode).collect();
    let enc = enc.join("/");
    let (kind, git_kind) = match (e.kind.as_str(), e.mode.as_str()) {
        ("tree", _) => ("dir", "trees"),
        ("commit", _) => ("submodule", "trees"),
        (_, "120000") => ("symlink", "blobs"),
        _ => ("file", "blobs"),
    };
    let this = format!("{api}/contents/{enc}?ref={}", encode(rev));
    let git_url = format!("{api}/git/{git_kind}/{}", e.sha);
    let page = format!(
        "{html}/{}/{}/{enc}",
        if kind == "dir" { "tree" } else { "blob" },
        encode(rev)
    );
    let download = (kind == "file").then(|| format!("{html}/raw/{}/{enc}", encode(rev)));
    json!({
        "type": kind, "name": path.rsplit('/').next().unwrap_or(path), "path": path, "sha": e.sha,
        "size": e.size.unwrap_or(0), "url": this, "html_url": page, "git_url": git_url, "download_url": download,
        "_links": {"self": this, "git": git_url, "html": page},
    })
}

/// `GET /repos/{o}/{n}/contents/{path}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, path: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let repo = c.s.repo(id)?;
    let rev = c.req.q("ref").unwrap_or(&repo.default_branch).to_owned();
    let git = c.s.git(id);
    let sha = git.resolve(&rev).ok_or_else(|| {
        let empty = git.refs("refs/heads/").is_empty();
        Reply::error(
            404,
            &if empty {
                "This repository is empty.".to_owned()
            } else {
                format!("No commit found for the ref {rev}")
            },
        )
    })?;
    let entry = git.entry(&sha, path);
    let tree = match &entry {
        None if path.is_empty() => Some(sha.clone()),
        None => return Err(Reply::not_found()),
        Some(e) => (e.kind == "tree").then(|| e.sha.clone()),
    };
    let Some(tree) = tree else {
        let e = entry.ok_or_else(Reply::not_found)?;
        let mut v = item(c, repo, &e, path, &rev);
        if e.kind == "blob" {
            let bytes = git.blob(&e.sha).map_err(super::broken)?;
            if e.mode == "120000" {
                v["target"] = json!(String::from_utf8_lossy(&bytes));
            } else if bytes.len() > 1_048_576 {
                // Above 1 MB only the raw media type carries the content.
                v["encoding"] = json!("none");
                v["content"] = json!("");
            } else {
                v["encoding"] = json!("base64");
                v["content"] = json!(wrapped(&bytes));
            }
        }
        return Ok(Reply::ok(v));
    };
    let entries = git.tree(&tree, false).map_err(super::broken)?;
    let list = entries.iter().map(|e| {
        let full = if path.is_empty() {
            e.path.clone()
        } else {
            format!("{path}/{}", e.path)
        };
        item(c, repo, e, &full, &rev)
    });
    Ok(Reply::ok(list.collect()))
}

fn write(c: &mut Ctx, o: &str, n: &str, path: &str, delete: bool) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let message = need(&body, "message")?.to_owned();
    let branch = text(&body, "branch")
        .unwrap_or(&c.s.repo(id)?.default_branch)
        .to_owned();
    let branch = branch.trim_start_matches("refs/heads/").to_owned();
    if path.is_empty()
        || path
            .split('/')
            .any(|p| matches!(p, "" | "." | ".." | ".git"))
    {
        return Err(Reply::error(
            422,
            "path contains a malformed path component",
        ));
    }
    may_touch_workflows(c, id, &[path])?;
    let git = c.s.git(id);
    let full = format!("refs/heads/{branch}");
    let before = git.ref_sha(&full);
    if before.is_none() && !git.refs("refs/heads/").is_empty() {
        return Err(Reply::error(404, &format!("Branch {branch} not found")));
    }
    super::rules::check(
        c,
        id,
        &full,
        if before.is_some() {
            "update"
        } else {
            "creation"
        },
        409,
    )?;
    let old = before
        .as_deref()
        .and_then(|b| git.entry(b, path))
        .filter(|e| e.kind == "blob");
    match (&old, text(&body, "sha")) {
        (Some(e), Some(sha)) if e.sha != sha => {
            return Err(Reply::error(409, &format!("{path} does not match {sha}")));
        }
        (Some(_), None) => return Err(Reply::missing("sha")),
        (None, _) if delete => return Err(Reply::not_found()),
        _ => {}
    }
    let to = if delete {
        None
    } else {
        let bytes = unwrapped(need(&body, "content")?)?;
        Some((
            "100644".to_owned(),
            git.put_blob(&bytes).map_err(super::broken)?,
        ))
    };
    let tree = git
        .put_tree(before.as_deref(), &[(path.to_owned(), to)])
        .map_err(super::broken)?;
    let committer = given_person(c.s, body.get("committer"), user);
    let author = given_person(c.s, body.get("author").or(body.get("committer")), user);
    let parents: Vec<String> = before.iter().cloned().collect();
    let sha = git
        .put_commit(&tree, &parents, &message, &author, &committer)
        .map_err(super::broken)?;
    git.set_ref(&full, &sha).map_err(super::broken)?;
    let quiet = is_run(c);
    events::pushed(c.s, id, &full, before.as_deref(), Some(&sha), user, quiet)?;
    let repo = c.s.repo(id)?;
    let commit = git.commit(&sha).map_err(super::broken)?;
    let content = git
        .entry(&sha, path)
        .filter(|_| !delete)
        .map(|e| item(c, repo, &e, path, &branch));
    let status = if old.is_some() { 200 } else { 201 };
    Ok(Reply::json(
        status,
        json!({"content": content, "commit": views::git_commit(c.s, repo, &commit)}),
    ))
}

/// Events caused with a `GITHUB_TOKEN` start no workflows.
pub fn is_run(c: &Ctx) -> bool {
    matches!(c.who.as_ref().map(|t| &t.grant), Some(Grant::Run { .. }))
}

/// Workflow files may only be changed with the permission `workflows`.
pub fn may_touch_workflows(c: &Ctx, id: u64, paths: &[&str]) -> Result<(), Reply> {
    let touched = paths.iter().find(|p| p.starts_with(".github/workflows/"));
    let fine = !matches!(
        c.who.as_ref().map(|t| &t.grant),
        Some(Grant::Run { .. } | Grant::Fine(_) | Grant::Installation { .. })
    );
    match touched {
        Some(_) if !fine && c.level(id, "workflows") < Level::Write => {
            let what = if is_run(c) {
                "integration"
            } else {
                "personal access token"
            };
            Err(
                Reply::error(403, &format!("Resource not accessible by {what}")).with(
                    "x-accepted-github-permissions",
                    "contents=write,workflows=write",
                ),
            )
        }
        _ => Ok(()),
    }
}

/// `PUT /repos/{o}/{n}/contents/{path}`.
pub fn put(c: &mut Ctx, o: &str, n: &str, path: &str) -> Res {
    write(c, o, n, path, false)
}

/// `DELETE /repos/{o}/{n}/contents/{path}`.
pub fn delete(c: &mut Ctx, o: &str, n: &str, path: &str) -> Res {
    write(c, o, n, path, true)
}
