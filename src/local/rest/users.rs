//! Users, the rate limit and the API root.
use crate::local::access::Ctx;
use crate::local::http::{Reply, Res};
use crate::local::model::{Grant, Level};
use crate::local::views;
use serde_json::json;

/// `GET /`.
pub fn root(c: &mut Ctx) -> Res {
    let u = &c.s.api_root();
    Ok(Reply::ok(
        json!({"current_user_url": format!("{u}/user"), "rate_limit_url": format!("{u}/rate_limit")}),
    ))
}

/// `GET /user`.
pub fn me(c: &mut Ctx) -> Res {
    let id = c.user()?;
    let grant = c.who.as_ref().map(|t| &t.grant);
    if matches!(
        grant,
        Some(Grant::Run { .. } | Grant::Installation { .. } | Grant::App(_))
    ) {
        return Err(Reply::error(403, "Resource not accessible by integration"));
    }
    Ok(Reply::ok(views::full_user(c.s, id)))
}

/// `GET /users/{login}`.
pub fn get(c: &mut Ctx, login: &str) -> Res {
    let id =
        c.s.account(login)
            .map(|a| a.id)
            .ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(views::full_user(c.s, id)))
}

/// `GET /orgs/{org}`, with the fields every client reads.
pub fn org(c: &mut Ctx, login: &str) -> Res {
    let org = c.s.account(login).filter(|a| a.kind == "Organization");
    let id = org.map(|a| a.id).ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(views::full_user(c.s, id)))
}

/// `GET /rate_limit`.
pub fn rate_limit(c: &mut Ctx) -> Res {
    let (limit, used, reset) = limits(c);
    let one = json!({"limit": limit, "used": used, "remaining": limit.saturating_sub(used), "reset": reset});
    let other = |l: u64| json!({"limit": l, "used": 0, "remaining": l, "reset": reset});
    Ok(Reply::ok(json!({
        "resources": {"core": one, "search": other(30), "graphql": other(5000)},
        "rate": one,
    })))
}

/// (limit, used, reset) of the caller.
pub fn limits(c: &Ctx) -> (u64, u64, i64) {
    let now = c.s.now();
    match &c.who {
        None => (60, 0, now + 3600),
        Some(t) => {
            let limit = if matches!(t.grant, Grant::Run { .. }) {
                1000
            } else {
                5000
            };
            let fresh = now - t.window >= 3600;
            let (used, start) = if fresh { (0, now) } else { (t.used, t.window) };
            (limit, used, start + 3600)
        }
    }
}

/// `GET /meta`.
pub fn meta(_: &mut Ctx) -> Res {
    Ok(Reply::ok(
        json!({"verifiable_password_authentication": false}),
    ))
}

/// `GET /repos/{o}/{n}/collaborators/{login}/permission`.
pub fn permission(c: &mut Ctx, o: &str, n: &str, login: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    let user =
        c.s.account(login)
            .map(|a| a.id)
            .ok_or_else(Reply::not_found)?;
    let name = match c.s.role(user, c.s.repo(id)?) {
        Level::None => "none",
        Level::Read => "read",
        Level::Write => "write",
        Level::Admin => "admin",
    };
    let mut who = views::user(c.s, user);
    who["permissions"] = json!({"admin": name == "admin", "push": name == "admin" || name == "write", "pull": name != "none", "maintain": name == "admin", "triage": name == "admin" || name == "write"});
    who["role_name"] = json!(name);
    Ok(Reply::ok(
        json!({"permission": name, "role_name": name, "user": who}),
    ))
}
