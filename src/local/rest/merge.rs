//! Merging a pull request.
use super::contents::{is_run, signature};
use crate::local::access::Ctx;
use crate::local::events;
use crate::local::http::{Reply, Res, text};
use crate::local::model::Level;
use serde_json::json;

/// `PUT /repos/{o}/{n}/pulls/{number}/merge`: with `sha`, only that head is merged.
pub fn merge(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    if !c.s.repo(id)?.pulls.contains_key(&number) {
        return Err(Reply::not_found());
    }
    super::pulls::refresh(c.s, id, number)?;
    let mut p = c.s.repo(id)?.pulls[&number].clone();
    if !p.open || p.draft {
        return Err(Reply::error(405, "Pull Request is not mergeable"));
    }
    if text(&body, "sha").is_some_and(|sha| sha != p.head_sha) {
        return Err(Reply::error(
            409,
            "Head branch was modified. Review and try the merge again.",
        ));
    }
    let git = c.s.git(id);
    let full = format!("refs/heads/{}", p.base_ref);
    super::rules::check(c, id, &full, "update", 405)?;
    let Some(tree) = git.merge_tree(&p.base_sha, &p.head_sha) else {
        return Err(Reply::error(405, "Pull Request is not mergeable"));
    };
    let author = signature(c.s, user);
    let mut committer = author.clone();
    "GitHub".clone_into(&mut committer.name);
    "noreply@github.com".clone_into(&mut committer.email);
    let from = p
        .head_repo
        .and_then(|h| c.s.repos.get(&h))
        .map_or("unknown", |r| c.s.login(r.owner));
    let (parents, title) = match text(&body, "merge_method") {
        Some("squash") => (vec![p.base_sha.clone()], format!("{} (#{number})", p.title)),
        Some("rebase") => {
            return Err(Reply::error(
                405,
                "Rebase merges are not allowed on this repository.",
            ));
        }
        _ => (
            vec![p.base_sha.clone(), p.head_sha.clone()],
            format!("Merge pull request #{number} from {from}/{}", p.head_ref),
        ),
    };
    let title = text(&body, "commit_title").unwrap_or(&title).to_owned();
    let rest = text(&body, "commit_message").unwrap_or(&p.title).to_owned();
    let sha = git
        .put_commit(
            &tree,
            &parents,
            &format!("{title}\n\n{rest}"),
            &author,
            &committer,
        )
        .map_err(super::broken)?;
    git.set_ref(&full, &sha).map_err(super::broken)?;
    let now = c.s.now();
    let before = p.base_sha.clone();
    p.open = false;
    p.closed = Some(now);
    p.updated = now;
    p.merged = Some((user, now, sha.clone()));
    c.s.repo_mut(id)?.pulls.insert(number, p);
    if !is_run(c) {
        events::pull_request(c.s, id, number, "closed", user)?;
    }
    let quiet = is_run(c);
    events::pushed(c.s, id, &full, Some(&before), Some(&sha), user, quiet)?;
    Ok(Reply::ok(
        json!({"sha": sha, "merged": true, "message": "Pull Request successfully merged"}),
    ))
}
