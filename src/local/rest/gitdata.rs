//! The git data API: refs, trees, blobs, commits.
use super::contents::{given_person, is_run, may_touch_workflows, unwrapped, wrapped};
use crate::local::access::Ctx;
use crate::local::diff;
use crate::local::events;
use crate::local::http::{Reply, Res, need, text};
use crate::local::model::Level;
use crate::local::views;
use serde_json::{Value, json};

fn show_ref(c: &Ctx, id: u64, full: &str, sha: &str) -> Result<Value, Reply> {
    let api = views::api_url(c.s, c.s.repo(id)?);
    let kind = c.s.git(id).kind(sha).unwrap_or_else(|| "commit".to_owned());
    Ok(json!({
        "ref": full, "node_id": format!("REF_{id}_{full}"), "url": format!("{api}/git/{full}"),
        "object": {"type": kind, "sha": sha, "url": format!("{api}/git/{kind}s/{sha}")},
    }))
}

/// `GET /repos/{o}/{n}/git/ref/{ref}`: exact, `heads/x` or `tags/x`.
pub fn get_ref(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let full = format!("refs/{name}");
    let git = c.s.git(id);
    if git.refs("refs/heads/").is_empty() {
        return Err(Reply::error(409, "Git Repository is empty."));
    }
    let sha = git.ref_sha(&full).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(show_ref(c, id, &full, &sha)?))
}

/// `GET /repos/{o}/{n}/git/matching-refs/{ref}`.
pub fn matching(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let prefix = format!("refs/{name}");
    let all = c.s.git(id).refs("refs/");
    let found = all
        .iter()
        .filter(|(r, _)| r.starts_with(&prefix) && !r.starts_with("refs/pull/"));
    Ok(Reply::ok(
        found
            .map(|(r, sha)| show_ref(c, id, r, sha))
            .collect::<Result<_, _>>()?,
    ))
}

fn refusable(c: &mut Ctx, id: u64, before: Option<&str>, after: &str) -> Result<(), Reply> {
    let git = c.s.git(id);
    let base = before.map_or_else(
        || {
            git.resolve(
                &c.s.repo(id)
                    .map(|r| r.default_branch.clone())
                    .unwrap_or_default(),
            )
        },
        |b| Some(b.to_owned()),
    );
    let base = base.unwrap_or_else(|| diff::EMPTY_TREE.to_owned());
    let changed = diff::changes(&git, &base, after).map_err(super::broken)?;
    let paths: Vec<&str> = changed.iter().map(|x| x.filename.as_str()).collect();
    may_touch_workflows(c, id, &paths)
}

/// `POST /repos/{o}/{n}/git/refs`.
pub fn create_ref(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let (full, sha) = (need(&body, "ref")?, need(&body, "sha")?);
    let git = c.s.git(id);
    let good = full.starts_with("refs/")
        && full.matches('/').count() >= 2
        && !full.contains("..")
        && !full.ends_with('/')
        && !full.ends_with(".lock")
        && !full.contains([' ', '~', '^', ':', '?', '*', '[', '\\']);
    if !good {
        return Err(Reply::error(422, "Reference name is not valid."));
    }
    if git.kind(sha).as_deref() != Some("commit") {
        return Err(Reply::error(422, "Object does not exist"));
    }
    if git.ref_sha(full).is_some() {
        return Err(Reply::error(422, "Reference already exists"));
    }
    super::rules::check(c, id, full, "creation", 422)?;
    refusable(c, id, None, sha)?;
    git.set_ref(full, sha).map_err(super::broken)?;
    let quiet = is_run(c);
    events::pushed(c.s, id, full, None, Some(sha), user, quiet)?;
    let shown = show_ref(c, id, full, sha)?;
    let url = text(&shown, "url").unwrap_or_default().to_owned();
    Ok(Reply::json(201, shown).with("location", url))
}

/// `PATCH /repos/{o}/{n}/git/refs/{ref}`; not a fast-forward is refused without `force`.
pub fn update_ref(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let sha = need(&body, "sha")?.to_owned();
    let full = format!("refs/{name}");
    let git = c.s.git(id);
    let before = git
        .ref_sha(&full)
        .ok_or_else(|| Reply::error(422, "Reference does not exist"))?;
    if git.kind(&sha).as_deref() != Some("commit") {
        return Err(Reply::error(422, "Object does not exist"));
    }
    let force = body.get("force").and_then(Value::as_bool) == Some(true);
    let forward = git.is_ancestor(&before, &sha);
    if !force && !forward {
        return Err(Reply::error(422, "Update is not a fast forward"));
    }
    super::rules::check(
        c,
        id,
        &full,
        if forward {
            "update"
        } else {
            "non_fast_forward"
        },
        422,
    )?;
    refusable(c, id, Some(&before), &sha)?;
    git.set_ref(&full, &sha).map_err(super::broken)?;
    let quiet = is_run(c);
    events::pushed(c.s, id, &full, Some(&before), Some(&sha), user, quiet)?;
    Ok(Reply::ok(show_ref(c, id, &full, &sha)?))
}

/// `DELETE /repos/{o}/{n}/git/refs/{ref}`.
pub fn delete_ref(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let full = format!("refs/{name}");
    let git = c.s.git(id);
    let before = git
        .ref_sha(&full)
        .ok_or_else(|| Reply::error(422, "Reference does not exist"))?;
    super::rules::check(c, id, &full, "deletion", 422)?;
    git.delete_ref(&full).map_err(super::broken)?;
    let quiet = is_run(c);
    events::pushed(c.s, id, &full, Some(&before), None, user, quiet)?;
    Ok(Reply::none())
}

/// `GET /repos/{o}/{n}/git/trees/{tree_sha}`; a commit or ref is accepted as on GitHub.
pub fn tree(c: &mut Ctx, o: &str, n: &str, sha: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let git = c.s.git(id);
    let tree = match git.kind(sha).as_deref() {
        Some("tree") => sha.to_owned(),
        _ => {
            let commit = git.resolve(sha).ok_or_else(Reply::not_found)?;
            git.commit(&commit).map_err(super::broken)?.tree
        }
    };
    let recursive = c.req.q("recursive").is_some();
    let entries = git.tree(&tree, recursive).map_err(super::broken)?;
    let api = views::api_url(c.s, c.s.repo(id)?);
    // 100,000 entries is GitHub's documented limit of one answer.
    let truncated = entries.len() > 100_000;
    let items = entries.iter().take(100_000).map(|e| {
        let mut v = json!({"path": e.path, "mode": e.mode, "type": e.kind, "sha": e.sha});
        if let Some(size) = e.size {
            v["size"] = json!(size);
        }
        if e.kind != "commit" {
            v["url"] = json!(format!("{api}/git/{}s/{}", e.kind, e.sha));
        }
        v
    });
    let items: Vec<Value> = items.collect();
    Ok(Reply::ok(
        json!({"sha": tree, "url": format!("{api}/git/trees/{tree}"), "tree": items, "truncated": truncated}),
    ))
}

/// `POST /repos/{o}/{n}/git/trees`.
pub fn create_tree(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let body = c.req.json()?;
    let git = c.s.git(id);
    let items = body
        .get("tree")
        .and_then(Value::as_array)
        .ok_or_else(|| Reply::missing("tree"))?;
    let mut changes = Vec::new();
    for item in items {
        let path = need(item, "path")?.to_owned();
        if path
            .split('/')
            .any(|p| matches!(p, "" | "." | ".." | ".git"))
        {
            return Err(Reply::error(
                422,
                "tree.path contains a malformed path component",
            ));
        }
        let mode = text(item, "mode").unwrap_or("100644");
        if !matches!(mode, "100644" | "100755" | "040000" | "160000" | "120000") {
            return Err(Reply::error(
                422,
                "tree.mode must be one of 100644, 100755, 040000, 160000, 120000",
            ));
        }
        let to = match (item.get("sha"), text(item, "content")) {
            (Some(Value::Null), _) => None,
            (Some(Value::String(sha)), _) => {
                if mode != "160000" && git.kind(sha).is_none() {
                    return Err(Reply::error(
                        422,
                        &format!("tree.sha {sha} is not a valid object"),
                    ));
                }
                Some((mode.to_owned(), sha.clone()))
            }
            (_, Some(content)) => Some((
                mode.to_owned(),
                git.put_blob(content.as_bytes()).map_err(super::broken)?,
            )),
            _ => return Err(Reply::missing("sha")),
        };
        changes.push((path, to));
    }
    let base = text(&body, "base_tree");
    if base.is_some_and(|b| git.kind(b).is_none()) {
        return Err(Reply::error(422, "base_tree is not a valid tree oid"));
    }
    let tree = git
        .put_tree(base, &changes)
        .map_err(|e| Reply::error(422, &e.to_string()))?;
    let mut reply = self::tree(c, o, n, &tree)?;
    reply.status = 201;
    Ok(reply)
}

/// `GET /repos/{o}/{n}/git/blobs/{sha}`.
pub fn blob(c: &mut Ctx, o: &str, n: &str, sha: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let git = c.s.git(id);
    if git.kind(sha).as_deref() != Some("blob") {
        return Err(Reply::not_found());
    }
    let bytes = git.blob(sha).map_err(super::broken)?;
    let api = views::api_url(c.s, c.s.repo(id)?);
    Ok(Reply::ok(json!({
        "sha": sha, "node_id": format!("B_{sha}"), "size": bytes.len(), "url": format!("{api}/git/blobs/{sha}"),
        "content": wrapped(&bytes), "encoding": "base64",
    })))
}

/// `POST /repos/{o}/{n}/git/blobs`.
pub fn create_blob(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let body = c.req.json()?;
    let content = need(&body, "content")?;
    let bytes = match text(&body, "encoding") {
        Some("base64") => unwrapped(content)?,
        _ => content.as_bytes().to_vec(),
    };
    let sha = c.s.git(id).put_blob(&bytes).map_err(super::broken)?;
    let api = views::api_url(c.s, c.s.repo(id)?);
    Ok(Reply::json(
        201,
        json!({"sha": sha, "url": format!("{api}/git/blobs/{sha}")}),
    ))
}

/// `GET /repos/{o}/{n}/git/commits/{sha}`.
pub fn commit(c: &mut Ctx, o: &str, n: &str, sha: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let git = c.s.git(id);
    if git.kind(sha).as_deref() != Some("commit") {
        return Err(Reply::not_found());
    }
    let commit = git.commit(sha).map_err(super::broken)?;
    Ok(Reply::ok(views::git_commit(c.s, c.s.repo(id)?, &commit)))
}

/// `POST /repos/{o}/{n}/git/commits`.
pub fn create_commit(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let (message, tree) = (need(&body, "message")?, need(&body, "tree")?);
    let git = c.s.git(id);
    if git.kind(tree).as_deref() != Some("tree") {
        return Err(Reply::error(422, "Tree SHA does not exist"));
    }
    let empty = Vec::new();
    let parents = body
        .get("parents")
        .and_then(Value::as_array)
        .unwrap_or(&empty);
    let parents: Vec<String> = parents
        .iter()
        .filter_map(Value::as_str)
        .map(str::to_owned)
        .collect();
    if parents
        .iter()
        .any(|p| git.kind(p).as_deref() != Some("commit"))
    {
        return Err(Reply::error(
            422,
            "Parent SHA does not exist or is not a commit object",
        ));
    }
    let author = given_person(c.s, body.get("author"), user);
    let committer = given_person(c.s, body.get("committer").or(body.get("author")), user);
    let sha = git
        .put_commit(tree, &parents, message, &author, &committer)
        .map_err(super::broken)?;
    let mut reply = commit(c, o, n, &sha)?;
    reply.status = 201;
    Ok(reply)
}
