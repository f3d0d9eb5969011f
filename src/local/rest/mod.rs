//! The REST routes, one file per group; this file only says which path goes where.
pub mod actions;
pub mod apps;
pub mod checks;
pub mod comments;
pub mod commits;
pub mod contents;
pub mod credentials;
pub mod dispatches;
pub mod environments;
pub mod gitdata;
pub mod issues;
pub mod merge;
pub mod pulls;
pub mod repos;
pub mod reruns;
pub mod rules;
pub mod security;
pub mod settings;
pub mod statuses;
pub mod users;

use super::access::Ctx;
use super::http::{Reply, Res};

/// Finds and runs the handler.
pub fn route(c: &mut Ctx) -> Res {
    let method = c.req.method.clone();
    let segs = c.req.segs.clone();
    let segs: Vec<&str> = segs.iter().map(String::as_str).collect();
    match (method.as_str(), segs.as_slice()) {
        ("GET", []) => users::root(c),
        ("GET", ["user"]) => users::me(c),
        ("GET", ["users", login]) => users::get(c, login),
        ("GET", ["orgs", login]) => users::org(c, login),
        ("GET", ["rate_limit"]) => users::rate_limit(c),
        ("GET", ["meta"]) => users::meta(c),
        ("GET", ["user", "repos"]) => repos::mine(c),
        ("POST", ["user", "repos"]) => repos::create(c, None),
        ("GET", ["orgs", org, "repos"] | ["users", org, "repos"]) => repos::of(c, org),
        ("POST", ["orgs", org, "repos"]) => repos::create(c, Some(org)),
        ("POST", ["graphql"]) => super::graphql::answer(c),
        ("POST", ["credentials", "revoke"]) => credentials::revoke(c),
        ("GET", ["app"]) => apps::me(c),
        ("GET", ["app", "installations"]) => apps::list(c),
        ("GET", ["installation", "repositories"]) => apps::repositories(c),
        ("POST", ["app", "installations", id, "access_tokens"]) => apps::token(c, num(id)?),
        (m, ["repositories", id, rest @ ..]) => {
            let id: u64 = id.parse().map_err(|_| Reply::not_found())?;
            let repo = c.s.repos.get(&id).ok_or_else(Reply::not_found)?;
            let (owner, name) = (c.s.login(repo.owner).to_owned(), repo.name.clone());
            in_repo(c, m, &owner, &name, rest)
        }
        (m, ["repos", owner, name, rest @ ..]) => in_repo(c, m, owner, name, rest),
        _ => Err(Reply::not_found()),
    }
}

fn in_repo(c: &mut Ctx, method: &str, o: &str, n: &str, rest: &[&str]) -> Res {
    match (method, rest) {
        ("GET", []) => repos::get(c, o, n),
        ("GET", ["installation"]) => apps::of_repository(c, o, n),
        ("PATCH", []) => repos::patch(c, o, n),
        ("DELETE", []) => repos::delete(c, o, n),
        ("GET" | "POST", ["forks"]) => repos::forks(c, o, n),
        ("POST", ["transfer"]) => repos::transfer(c, o, n),
        ("GET", ["collaborators", login, "permission"]) => users::permission(c, o, n, login),
        ("GET", ["collaborators"]) => security::collaborators(c, o, n),
        (_, ["branches", b @ .., "protection"]) if !b.is_empty() => {
            security::protection(c, o, n, &b.join("/"))
        }
        ("GET", ["branches"]) => commits::branches(c, o, n),
        ("GET", ["branches", b @ ..]) if !b.is_empty() => commits::branch(c, o, n, &b.join("/")),
        ("GET", ["commits"]) => commits::list(c, o, n),
        ("GET", ["commits", sha, "pulls"]) => pulls::of_commit(c, o, n, sha),
        ("GET", ["commits", r @ .., "statuses"]) => statuses::list(c, o, n, &r.join("/")),
        ("GET", ["commits", r @ .., "status"]) => statuses::combined(c, o, n, &r.join("/")),
        ("GET", ["commits", r @ .., "check-runs"]) => checks::list(c, o, n, &r.join("/")),
        ("GET", ["commits", r @ ..]) => commits::get(c, o, n, &r.join("/")),
        ("GET", ["compare", spec @ ..]) => commits::compare(c, o, n, &spec.join("/")),
        ("GET", ["git", "ref", r @ ..]) => gitdata::get_ref(c, o, n, &r.join("/")),
        ("GET", ["git", "matching-refs", r @ ..]) => gitdata::matching(c, o, n, &r.join("/")),
        ("POST", ["git", "refs"]) => gitdata::create_ref(c, o, n),
        ("PATCH", ["git", "refs", r @ ..]) => gitdata::update_ref(c, o, n, &r.join("/")),
        ("DELETE", ["git", "refs", r @ ..]) => gitdata::delete_ref(c, o, n, &r.join("/")),
        ("GET", ["git", "trees", sha @ ..]) => gitdata::tree(c, o, n, &sha.join("/")),
        ("POST", ["git", "trees"]) => gitdata::create_tree(c, o, n),
        ("GET", ["git", "blobs", sha]) => gitdata::blob(c, o, n, sha),
        ("POST", ["git", "blobs"]) => gitdata::create_blob(c, o, n),
        ("GET", ["git", "commits", sha]) => gitdata::commit(c, o, n, sha),
        ("POST", ["git", "commits"]) => gitdata::create_commit(c, o, n),
        ("GET", ["contents", p @ ..]) => contents::get(c, o, n, &p.join("/")),
        ("PUT", ["contents", p @ ..]) => contents::put(c, o, n, &p.join("/")),
        ("DELETE", ["contents", p @ ..]) => contents::delete(c, o, n, &p.join("/")),
        ("GET", ["pulls"]) => pulls::list(c, o, n),
        ("POST", ["pulls"]) => pulls::create(c, o, n),
        ("GET", ["pulls", k]) => pulls::get(c, o, n, num(k)?),
        ("PATCH", ["pulls", k]) => pulls::patch(c, o, n, num(k)?),
        ("GET", ["pulls", k, "files"]) => pulls::files(c, o, n, num(k)?),
        ("GET", ["pulls", k, "commits"]) => pulls::commits(c, o, n, num(k)?),
        ("PUT", ["pulls", k, "merge"]) => merge::merge(c, o, n, num(k)?),
        ("GET", ["issues"]) => issues::list(c, o, n),
        ("POST", ["issues"]) => issues::create(c, o, n),
        ("GET", ["issues", k, "comments"]) => comments::list(c, o, n, num(k)?),
        ("POST", ["issues", k, "comments"]) => comments::create(c, o, n, num(k)?),
        ("GET", ["issues", "comments", id]) => comments::get(c, o, n, num(id)?),
        ("PATCH", ["issues", "comments", id]) => comments::patch(c, o, n, num(id)?),
        ("DELETE", ["issues", "comments", id]) => comments::delete(c, o, n, num(id)?),
        ("GET", ["issues", k]) => issues::get(c, o, n, num(k)?),
        ("PATCH", ["issues", k]) => issues::patch(c, o, n, num(k)?),
        ("POST", ["statuses", sha]) => statuses::create(c, o, n, sha),
        ("POST", ["check-runs"]) => checks::create(c, o, n),
        ("GET", ["check-runs", id]) => checks::get(c, o, n, num(id)?),
        ("PATCH", ["check-runs", id]) => checks::patch(c, o, n, num(id)?),
        ("GET", ["check-runs", id, "annotations"]) => checks::annotations(c, o, n, num(id)?),
        ("POST", ["dispatches"]) => dispatches::repository(c, o, n),
        ("GET", ["environments"]) => environments::list(c, o, n),
        ("GET", ["environments", e]) => environments::get(c, o, n, e),
        ("PUT", ["environments", e]) => environments::put(c, o, n, e),
        ("GET" | "POST", ["environments", e, "deployment-branch-policies"]) => {
            security::environment_branches(c, o, n, e)
        }
        ("DELETE", ["environments", e]) => environments::delete(c, o, n, e),
        (
            m,
            [
                "environments",
                e,
                kind @ ("variables" | "secrets"),
                tail @ ..,
            ],
        ) => settings::route(c, m, o, n, Some(e), kind, tail),
        (m, ["actions", kind @ ("variables" | "secrets"), tail @ ..]) => {
            settings::route(c, m, o, n, None, kind, tail)
        }
        (m, ["actions", "permissions", tail @ ..]) => security::actions(c, m, o, n, tail),
        (
            "GET",
            [
                "actions",
                kind @ ("organization-secrets" | "organization-variables"),
            ],
        ) => security::of_organisation(c, o, n, kind),
        (m, ["actions", tail @ ..]) => actions::route(c, m, o, n, tail),
        ("GET", ["rulesets"]) => rules::list(c, o, n),
        ("POST", ["rulesets"]) => rules::create(c, o, n),
        ("GET", ["rulesets", id]) => rules::get(c, o, n, num(id)?),
        ("PUT", ["rulesets", id]) => rules::put(c, o, n, num(id)?),
        ("DELETE", ["rulesets", id]) => rules::delete(c, o, n, num(id)?),
        ("GET", ["rules", "branches", b @ ..]) => rules::branch(c, o, n, &b.join("/")),
        _ => Err(Reply::not_found()),
    }
}

fn num(s: &str) -> Result<u64, Reply> {
    s.parse().map_err(|_| Reply::not_found())
}

/// 500 for a git failure that no request should be able to cause; the text helps whoever debugs it.
pub fn broken(e: super::git::GitError) -> Reply {
    tracing::warn!(error = %e, "git failed");
    Reply::error(500, &format!("Server Error: {e}"))
}
