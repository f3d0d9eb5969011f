//! Branches, commits and comparisons.
use crate::local::access::Ctx;
use crate::local::diff;
use crate::local::http::{Reply, Res, encode, page};
use crate::local::model::Level;
use crate::local::views;
use serde_json::{Value, json};

/// 409 for a repository without commits, as GitHub answers for all of its git data.
fn not_empty(c: &Ctx, id: u64) -> Result<(), Reply> {
    if c.s.git(id).refs("refs/heads/").is_empty() {
        return Err(Reply::error(409, "Git Repository is empty."));
    }
    Ok(())
}

/// The commit a `{ref}` in a path names, or GitHub's 422.
pub fn resolve(c: &Ctx, id: u64, rev: &str) -> Result<String, Reply> {
    let rev = rev
        .strip_prefix("heads/")
        .or_else(|| rev.strip_prefix("tags/"))
        .unwrap_or(rev);
    c.s.git(id)
        .resolve(rev)
        .ok_or_else(|| Reply::error(422, &format!("No commit found for SHA: {rev}")))
}

/// `GET /repos/{o}/{n}/branches`.
pub fn branches(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let api = views::api_url(c.s, c.s.repo(id)?);
    let items =
        c.s.git(id)
            .refs("refs/heads/")
            .into_iter()
            .map(|(name, sha)| {
                let short = name.trim_start_matches("refs/heads/").to_owned();
                let url = format!("{api}/commits/{sha}");
                json!({"name": short, "commit": {"sha": sha, "url": url}, "protected": false})
            });
    let items = items.collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/branches/{branch}`.
pub fn branch(c: &mut Ctx, o: &str, n: &str, branch: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let git = c.s.git(id);
    let sha = git.ref_sha(&format!("refs/heads/{branch}"));
    let sha = sha.ok_or_else(|| Reply::error(404, "Branch not found"))?;
    let repo = c.s.repo(id)?;
    let api = format!("{}/branches/{}", views::api_url(c.s, repo), encode(branch));
    let commit = git.commit(&sha).map_err(super::broken)?;
    Ok(Reply::ok(json!({
        "name": branch, "commit": views::commit(c.s, repo, &commit),
        "_links": {"self": api, "html": format!("{}/tree/{branch}", views::html_url(c.s, repo))},
        "protected": false, "protection_url": format!("{api}/protection"),
        "protection": {"enabled": false, "required_status_checks": {"enforcement_level": "off", "contexts": [], "checks": []}},
    })))
}

/// `GET /repos/{o}/{n}/commits`.
pub fn list(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    not_empty(c, id)?;
    let start = c
        .req
        .q("sha")
        .unwrap_or(&c.s.repo(id)?.default_branch)
        .to_owned();
    let git = c.s.git(id);
    let sha = git.resolve(&start).ok_or_else(Reply::not_found)?;
    let all = git
        .log(&sha, None, c.req.q("path"))
        .map_err(super::broken)?;
    let shas = all.into_iter().map(Value::from).collect();
    let mut reply = page(c.req, &c.s.api_root(), shas, None);
    let repo = c.s.repo(id)?;
    if let Some(Value::Array(items)) = reply.body.as_mut() {
        for item in items {
            let commit = git
                .commit(item.as_str().unwrap_or_default())
                .map_err(super::broken)?;
            *item = views::commit(c.s, repo, &commit);
        }
    }
    Ok(reply)
}

/// `GET /repos/{o}/{n}/commits/{ref}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, rev: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    not_empty(c, id)?;
    let sha = resolve(c, id, rev)?;
    let git = c.s.git(id);
    let commit = git.commit(&sha).map_err(super::broken)?;
    let base = commit
        .parents
        .first()
        .map_or(diff::EMPTY_TREE, String::as_str);
    let changes = diff::changes(&git, base, &sha).map_err(super::broken)?;
    let repo = c.s.repo(id)?;
    let mut v = views::commit(c.s, repo, &commit);
    let (add, del) = totals(&changes);
    v["stats"] = json!({"total": add + del, "additions": add, "deletions": del});
    v["files"] = changes
        .iter()
        .map(|x| views::diff_entry(c.s, repo, &sha, x))
        .collect();
    Ok(Reply::ok(v))
}

/// Added and removed lines.
pub fn totals(changes: &[diff::Change]) -> (u64, u64) {
    changes
        .iter()
        .fold((0, 0), |(a, d), c| (a + c.additions, d + c.deletions))
}

/// `GET /repos/{o}/{n}/compare/{base}...{head}`; at most 300 files. `user:branch` reaches into forks.
pub fn compare(c: &mut Ctx, o: &str, n: &str, spec: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Read)?;
    let (base, head) = spec.split_once("...").ok_or_else(Reply::not_found)?;
    let side = |rev: &str| match rev.split_once(':') {
        None => c.s.git(id).resolve(rev),
        Some((owner, rev)) => {
            let owner = c.s.account(owner)?.id;
            let in_network = |r: u64| c.s.repos.get(&r).is_some_and(|r| r.owner == owner);
            let other = std::iter::once(id)
                .chain(
                    c.s.repos
                        .values()
                        .filter(|r| r.fork_of == Some(id))
                        .map(|r| r.id),
                )
                .find(|r| in_network(*r))?;
            c.s.git(other).resolve(rev)
        }
    };
    let (base, head) = (
        side(base).ok_or_else(Reply::not_found)?,
        side(head).ok_or_else(Reply::not_found)?,
    );
    let git = c.s.git(id);
    let mb = git.merge_base(&base, &head);
    let mb = mb.ok_or_else(|| Reply::error(404, "No common ancestor between the two commits."))?;
    let mut ahead = git.log(&head, Some(&base), None).map_err(super::broken)?;
    let behind = git
        .log(&base, Some(&head), None)
        .map_err(super::broken)?
        .len();
    ahead.reverse();
    let status = match (ahead.len(), behind) {
        (0, 0) => "identical",
        (_, 0) => "ahead",
        (0, _) => "behind",
        _ => "diverged",
    };
    let repo = c.s.repo(id)?;
    let show = |sha: &str| {
        git.commit(sha)
            .map(|x| views::commit(c.s, repo, &x))
            .map_err(super::broken)
    };
    let changes = diff::changes(&git, &mb, &head).map_err(super::broken)?;
    let commits: Vec<Value> = ahead
        .iter()
        .rev()
        .take(250)
        .rev()
        .map(|s| show(s))
        .collect::<Result<_, _>>()?;
    let url = format!("{}/compare/{spec}", views::api_url(c.s, repo));
    let html = format!("{}/compare/{spec}", views::html_url(c.s, repo));
    Ok(Reply::ok(json!({
        "url": url, "html_url": html, "permalink_url": html,
        "diff_url": format!("{html}.diff"), "patch_url": format!("{html}.patch"),
        "base_commit": show(&base)?, "merge_base_commit": show(&mb)?,
        "status": status, "ahead_by": ahead.len(), "behind_by": behind, "total_commits": ahead.len(),
        "commits": commits,
        "files": changes.iter().take(300).map(|x| views::diff_entry(c.s, repo, &head, x)).collect::<Vec<_>>(),
    })))
}
