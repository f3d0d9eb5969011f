//! Comments on issues and pull requests.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page};
use crate::local::ids::node_id;
use crate::local::model::{Comment, Level, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};

/// Longest body that GitHub documents, in characters.
const LONGEST: usize = 65_536;

/// `issue-comment`.
pub fn show(s: &State, repo: &Repo, x: &Comment) -> Value {
    let (api, html) = (views::api_url(s, repo), views::html_url(s, repo));
    let kind = match repo.issues.contains_key(&x.number) {
        true => "issues",
        false => "pull",
    };
    json!({
        "id": x.id, "node_id": node_id("IssueComment", x.id),
        "url": format!("{api}/issues/comments/{}", x.id),
        "html_url": format!("{html}/{kind}/{}#issuecomment-{}", x.number, x.id),
        "issue_url": format!("{api}/issues/{}", x.number),
        "user": views::user(s, x.user), "body": x.body,
        "created_at": iso(x.created), "updated_at": iso(x.updated),
        "author_association": association(s, repo, x.user),
        "performed_via_github_app": null,
    })
}

/// How an author stands to a repository.
pub fn association(s: &State, repo: &Repo, user: u64) -> &'static str {
    let org = s
        .accounts
        .get(&repo.owner)
        .is_some_and(|a| a.members.contains_key(&user));
    match () {
        () if user == repo.owner => "OWNER",
        () if org => "MEMBER",
        () if repo.collaborators.contains_key(&user) => "COLLABORATOR",
        () => "NONE",
    }
}

/// Comments are governed by `issues` or `pull_requests`, whichever the token has.
fn access(c: &Ctx, o: &str, n: &str, needed: Level) -> Result<u64, Reply> {
    c.repo(o, n, "issues", needed)
        .or_else(|e| c.repo(o, n, "pull_requests", needed).map_err(|_| e))
}

/// Whether there is an issue or pull request of that number.
fn exists(repo: &Repo, number: u64) -> bool {
    repo.pulls.contains_key(&number) || repo.issues.contains_key(&number)
}

/// `GET /repos/{o}/{n}/issues/{number}/comments`.
pub fn list(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = access(c, o, n, Level::Read)?;
    let repo = c.s.repo(id)?;
    if !exists(repo, number) {
        return Err(Reply::not_found());
    }
    let items = repo.comments.iter().filter(|x| x.number == number);
    let items = items.map(|x| show(c.s, repo, x)).collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

fn body_of(c: &Ctx) -> Result<String, Reply> {
    let body = c.req.json()?;
    let body = need(&body, "body")?;
    if body.trim().is_empty() {
        return Err(Reply::invalid(
            "IssueComment",
            "body",
            "missing_field",
            "Body can't be blank",
        ));
    }
    if body.chars().count() > LONGEST {
        return Err(Reply::invalid(
            "IssueComment",
            "body",
            "custom",
            "body is too long (maximum is 65536 characters)",
        ));
    }
    Ok(body.to_owned())
}

/// `POST /repos/{o}/{n}/issues/{number}/comments`.
pub fn create(c: &mut Ctx, o: &str, n: &str, number: u64) -> Res {
    let id = access(c, o, n, Level::Write)?;
    let user = c.user()?;
    let body = body_of(c)?;
    if !exists(c.s.repo(id)?, number) {
        return Err(Reply::not_found());
    }
    let (new, now) = (c.s.id(), c.s.now());
    let comment = Comment {
        id: new,
        number,
        user,
        body,
        created: now,
        updated: now,
    };
    let shown = show(c.s, c.s.repo(id)?, &comment);
    c.s.repo_mut(id)?.comments.push(comment);
    let url = shown["url"].as_str().unwrap_or_default().to_owned();
    Ok(Reply::json(201, shown).with("location", url))
}

fn find(c: &Ctx, id: u64, comment: u64) -> Result<Comment, Reply> {
    let all = &c.s.repo(id)?.comments;
    all.iter()
        .find(|x| x.id == comment)
        .cloned()
        .ok_or_else(Reply::not_found)
}

/// `GET /repos/{o}/{n}/issues/comments/{id}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, comment: u64) -> Res {
    let id = access(c, o, n, Level::Read)?;
    let x = find(c, id, comment)?;
    Ok(Reply::ok(show(c.s, c.s.repo(id)?, &x)))
}

/// Its author may change a comment, and whoever may write to the repository.
fn own_or_write(c: &Ctx, o: &str, n: &str, comment: u64) -> Result<u64, Reply> {
    let id = access(c, o, n, Level::Write)?;
    let user = c.user()?;
    if find(c, id, comment)?.user == user || c.s.role(user, c.s.repo(id)?) >= Level::Write {
        return Ok(id);
    }
    // The bot of a run acts with what its token was given, not with a role.
    if super::contents::is_run(c) {
        return Ok(id);
    }
    Err(Reply::error(
        403,
        "You must have write access to edit or delete another user's comment.",
    ))
}

/// `PATCH /repos/{o}/{n}/issues/comments/{id}`.
pub fn patch(c: &mut Ctx, o: &str, n: &str, comment: u64) -> Res {
    let id = own_or_write(c, o, n, comment)?;
    let (body, now) = (body_of(c)?, c.s.now());
    for x in
        c.s.repo_mut(id)?
            .comments
            .iter_mut()
            .filter(|x| x.id == comment)
    {
        x.body.clone_from(&body);
        x.updated = now;
    }
    let x = find(c, id, comment)?;
    Ok(Reply::ok(show(c.s, c.s.repo(id)?, &x)))
}

/// `DELETE /repos/{o}/{n}/issues/comments/{id}`.
pub fn delete(c: &mut Ctx, o: &str, n: &str, comment: u64) -> Res {
    let id = own_or_write(c, o, n, comment)?;
    c.s.repo_mut(id)?.comments.retain(|x| x.id != comment);
    Ok(Reply::none())
}
