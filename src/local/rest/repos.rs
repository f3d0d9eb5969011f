//! Repositories: create, read, rename, delete, fork.
use crate::local::access::Ctx;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::model::{Level, Repo};
use crate::local::state::State;
use crate::local::views;
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// Makes a repository without any commit.
pub fn make(
    s: &mut State,
    owner: u64,
    name: &str,
    private: bool,
    fork_of: Option<u64>,
) -> Result<u64, Reply> {
    let ok = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.is_empty() || name.len() > 100 || !name.chars().all(ok) || matches!(name, "." | "..") {
        return Err(Reply::invalid(
            "Repository",
            "name",
            "custom",
            "name is invalid",
        ));
    }
    let login = s.login(owner).to_owned();
    if s.find(&login, name).is_some() {
        return Err(Reply::invalid(
            "Repository",
            "name",
            "custom",
            "name already exists on this account",
        ));
    }
    let (id, now) = (s.id(), s.now());
    // A new repository takes the name away from a redirect, which is how names get hijacked.
    s.redirects
        .remove(&format!("{login}/{name}").to_lowercase());
    let git = s.git(id);
    let made = std::fs::create_dir_all(git.dir());
    made.map_err(|e| Reply::error(500, &format!("Server Error: {e}")))?;
    git.init("main").map_err(super::broken)?;
    let repo = Repo {
        id,
        owner,
        name: name.to_owned(),
        private,
        description: None,
        default_branch: "main".to_owned(),
        archived: false,
        created: now,
        updated: now,
        pushed: now,
        fork_of,
        collaborators: HashMap::new(),
        last_number: 0,
        pulls: BTreeMap::new(),
        issues: Default::default(),
        comments: Vec::new(),
        statuses: Vec::new(),
        checks: Vec::new(),
        environments: BTreeMap::new(),
        variables: BTreeMap::new(),
        secrets: BTreeMap::new(),
        rulesets: Vec::new(),
        workflows: BTreeMap::new(),
        closed: super::security::Closed::default(),
    };
    s.repos.insert(id, repo);
    Ok(id)
}

/// `POST /user/repos` and `POST /orgs/{org}/repos`.
pub fn create(c: &mut Ctx, org: Option<&str>) -> Res {
    let me = c.user()?;
    let body = c.req.json()?;
    let owner = match org {
        None => me,
        Some(login) => {
            let org = c.s.account(login).filter(|a| a.kind == "Organization");
            let org = org.ok_or_else(Reply::not_found)?;
            if !c.is_admin() && !org.members.contains_key(&me) {
                return Err(Reply::error(
                    403,
                    "You need admin access to the organization before adding a repository to it.",
                ));
            }
            org.id
        }
    };
    let name = need(&body, "name")?;
    let private = body
        .get("private")
        .and_then(Value::as_bool)
        .unwrap_or(false);
    let id = make(c.s, owner, name, private, None)?;
    c.s.repo_mut(id)?.description = text(&body, "description").map(str::to_owned);
    if body.get("auto_init").and_then(Value::as_bool) == Some(true) {
        let files = vec![("README.md".to_owned(), format!("# {name}\n").into_bytes())];
        super::contents::commit_files(c.s, id, "main", &files, "Initial commit", me)?;
    }
    let repo = c.s.repo(id)?;
    let url = views::api_url(c.s, repo);
    Ok(Reply::json(201, views::full_repo(c.s, repo, c.who.as_ref())).with("location", url))
}

/// `GET /repos/{o}/{n}`.
pub fn get(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    Ok(Reply::ok(views::full_repo(
        c.s,
        c.s.repo(id)?,
        c.who.as_ref(),
    )))
}

fn list(c: &mut Ctx, keep: impl Fn(&Ctx, &Repo) -> bool) -> Reply {
    let items =
        c.s.repos
            .values()
            .filter(|r| c.level(r.id, "metadata") >= Level::Read && keep(c, r));
    let items = items.map(|r| views::repo(c.s, r, c.who.as_ref())).collect();
    page(c.req, &c.s.api_root(), items, None)
}

/// `GET /user/repos`.
pub fn mine(c: &mut Ctx) -> Res {
    let me = c.user()?;
    Ok(list(c, |c, r| {
        r.owner == me
            || r.collaborators.contains_key(&me)
            || c.s
                .accounts
                .get(&r.owner)
                .is_some_and(|a| a.members.contains_key(&me))
    }))
}

/// `GET /orgs/{org}/repos`, `GET /users/{user}/repos`.
pub fn of(c: &mut Ctx, login: &str) -> Res {
    let id =
        c.s.account(login)
            .map(|a| a.id)
            .ok_or_else(Reply::not_found)?;
    Ok(list(c, |_, r| r.owner == id))
}

/// `PATCH /repos/{o}/{n}`: name, description, visibility, default branch, archived.
pub fn patch(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    let body = c.req.json()?;
    if c.level(id, "administration") < Level::Write {
        return Err(Reply::error(403, "Must have admin rights to Repository."));
    }
    if let Some(name) = text(&body, "name").filter(|x| !x.eq_ignore_ascii_case(n)) {
        if c.s.find(o, name).is_some() {
            return Err(Reply::invalid(
                "Repository",
                "name",
                "custom",
                "name already exists on this account",
            ));
        }
        let owner = c.s.login(c.s.repo(id)?.owner).to_lowercase();
        c.s.redirects
            .remove(&format!("{owner}/{}", name.to_lowercase()));
        c.s.redirects
            .insert(format!("{owner}/{}", n.to_lowercase()), id);
        c.s.repo_mut(id)?.name = name.to_owned();
    }
    if let Some(branch) = text(&body, "default_branch") {
        let git = c.s.git(id);
        if git.ref_sha(&format!("refs/heads/{branch}")).is_none() {
            return Err(Reply::invalid(
                "Repository",
                "default_branch",
                "invalid",
                "The branch was not found.",
            ));
        }
        git.set_head(branch).map_err(super::broken)?;
        c.s.repo_mut(id)?.default_branch = branch.to_owned();
    }
    let now = c.s.now();
    let repo = c.s.repo_mut(id)?;
    repo.updated = now;
    if let Some(d) = text(&body, "description") {
        repo.description = Some(d.to_owned());
    }
    let flag = |key: &str| body.get(key).and_then(Value::as_bool);
    repo.private = flag("private")
        .or_else(|| text(&body, "visibility").map(|v| v != "public"))
        .unwrap_or(repo.private);
    repo.archived = flag("archived").unwrap_or(repo.archived);
    super::security::patch(repo, &body);
    Ok(Reply::ok(views::full_repo(
        c.s,
        c.s.repo(id)?,
        c.who.as_ref(),
    )))
}

/// `DELETE /repos/{o}/{n}`.
pub fn delete(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Admin)?;
    c.s.repos.remove(&id);
    c.s.redirects.retain(|_, to| *to != id);
    Ok(Reply::none())
}

/// `POST /repos/{o}/{n}/transfer`: to another owner, at once; GitHub may take a while, and asks a
/// user who gets it.
pub fn transfer(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Admin)?;
    let body = c.req.json()?;
    let owner = c.s.account(need(&body, "new_owner")?).map(|a| a.id);
    let owner = owner.ok_or_else(Reply::not_found)?;
    let name = text(&body, "new_name").unwrap_or(n).to_owned();
    let login = c.s.login(owner).to_owned();
    if c.s.find(&login, &name).is_some() {
        return Err(Reply::invalid(
            "Repository",
            "name",
            "custom",
            "name already exists on this account",
        ));
    }
    c.s.redirects
        .remove(&format!("{login}/{name}").to_lowercase());
    c.s.redirects.insert(format!("{o}/{n}").to_lowercase(), id);
    let now = c.s.now();
    let repo = c.s.repo_mut(id)?;
    repo.owner = owner;
    repo.name = name;
    repo.updated = now;
    Ok(Reply::json(202, views::minimal_repo(c.s, c.s.repo(id)?)))
}

/// `GET` and `POST /repos/{o}/{n}/forks`.
pub fn forks(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    if c.req.method == "GET" {
        return Ok(list(c, |_, r| r.fork_of == Some(id)));
    }
    let me = c.user()?;
    let body = c.req.json()?;
    let owner = match text(&body, "organization") {
        Some(org) => {
            c.s.account(org)
                .map(|a| a.id)
                .ok_or_else(Reply::not_found)?
        }
        None => me,
    };
    let name = text(&body, "name").unwrap_or(n).to_owned();
    let login = c.s.login(owner).to_owned();
    let (private, branch) = {
        let r = c.s.repo(id)?;
        (r.private, r.default_branch.clone())
    };
    let fork = match c.s.find(&login, &name) {
        Some(existing) if c.s.repo(existing)?.fork_of == Some(id) => existing,
        _ => {
            let fork = make(c.s, owner, &name, private, Some(id))?;
            share_objects(c.s, id, fork)?;
            let (from, to) = (c.s.git(id), c.s.git(fork));
            for (name, sha) in from.refs("refs/heads/") {
                to.set_ref(&name, &sha).map_err(super::broken)?;
            }
            to.set_head(&branch).map_err(super::broken)?;
            c.s.repo_mut(fork)?.default_branch = branch;
            fork
        }
    };
    Ok(Reply::json(
        202,
        views::full_repo(c.s, c.s.repo(fork)?, c.who.as_ref()),
    ))
}

/// A fork network has one object store: every commit of a fork is readable from every member.
fn share_objects(s: &State, from: u64, to: u64) -> Result<(), Reply> {
    let (from, to) = (
        s.git(from).dir().join("objects"),
        s.git(to).dir().join("objects"),
    );
    let linked = std::fs::canonicalize(&from).and_then(|from| {
        std::fs::remove_dir_all(&to)?;
        std::os::unix::fs::symlink(from, &to)
    });
    linked.map_err(|e| Reply::error(500, &format!("Server Error: {e}")))
}

/// `{"id", "name", "url"}`, the short form inside other objects.
pub fn tiny(s: &State, repo: &Repo) -> Value {
    json!({"id": repo.id, "url": views::api_url(s, repo), "name": repo.name})
}
