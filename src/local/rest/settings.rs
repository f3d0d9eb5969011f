//! Actions variables and secrets of repositories and environments.
//!
//! Secrets come in sealed boxes, as on GitHub; `/_local/secrets` takes them in clear.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::model::{Level, Variable};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// There is one key for all repositories, and it has one name.
const KEY_ID: &str = "568250167242549743";

fn table<'a>(
    c: &'a mut Ctx,
    id: u64,
    env: Option<&str>,
    secrets: bool,
) -> Result<&'a mut BTreeMap<String, Variable>, Reply> {
    let repo = c.s.repo_mut(id)?;
    let (variables, hidden) = match env {
        None => (&mut repo.variables, &mut repo.secrets),
        Some(e) => {
            let e = repo.environments.get_mut(e).ok_or_else(Reply::not_found)?;
            (&mut e.variables, &mut e.secrets)
        }
    };
    Ok(if secrets { hidden } else { variables })
}

fn show(name: &str, v: &Variable, secret: bool) -> Value {
    let mut out = json!({"name": name, "created_at": iso(v.created), "updated_at": iso(v.updated)});
    if !secret {
        out["value"] = json!(v.value);
    }
    out
}

/// Names are upper case letters, digits and `_`, and may not begin with `GITHUB_` or a digit.
pub fn valid_name(name: &str) -> Result<String, Reply> {
    let name = name.to_uppercase();
    let ok = name
        .chars()
        .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    if ok
        && !name.is_empty()
        && !name.starts_with("GITHUB_")
        && !name.starts_with(|c: char| c.is_ascii_digit())
    {
        return Ok(name);
    }
    Err(Reply::error(
        422,
        "Names can only contain alphanumeric characters ([a-z], [A-Z], [0-9]) or underscores (_). Spaces are not allowed. Must start with a letter ([a-z], [A-Z]) or underscores (_).",
    ))
}

/// All routes under `…/variables` and `…/secrets`.
pub fn route(
    c: &mut Ctx,
    method: &str,
    o: &str,
    n: &str,
    env: Option<&str>,
    kind: &str,
    tail: &[&str],
) -> Res {
    let secret = kind == "secrets";
    let permission = match (env, secret) {
        (Some(_), _) => "environments",
        (None, true) => "secrets",
        (None, false) => "actions_variables",
    };
    let needed = if method == "GET" {
        Level::Read
    } else {
        Level::Write
    };
    let id = c.repo(o, n, permission, needed)?;
    // A public repository makes nothing of this readable.
    if c.level(id, permission) < Level::Write && c.who.is_none() {
        return Err(Reply::error(401, "Requires authentication"));
    }
    let now = c.s.now();
    let (url, req) = (c.s.api_root(), c.req);
    match (method, tail) {
        ("GET", []) => {
            let items = table(c, id, env, secret)?
                .iter()
                .map(|(k, v)| show(k, v, secret))
                .collect();
            Ok(page(req, &url, items, Some(kind)))
        }
        ("GET", ["public-key"]) if secret => {
            table(c, id, env, true)?;
            let key = c.s.opener.public();
            Ok(Reply::ok(json!({"key_id": KEY_ID, "key": key})))
        }
        ("PUT", [name]) if secret => {
            let body = req.json()?;
            let name = valid_name(name)?;
            if need(&body, "key_id")? != KEY_ID {
                return Err(Reply::error(
                    422,
                    "The key_id is not the one of this repository",
                ));
            }
            let opened = c.s.opener.open(need(&body, "encrypted_value")?);
            let value = opened.and_then(|v| String::from_utf8(v).ok());
            let value = value.ok_or_else(|| Reply::error(422, "Improperly encrypted secret"))?;
            let t = table(c, id, env, true)?;
            let created = t.get(&name).map(|v| v.created);
            let new = Variable {
                value,
                created: created.unwrap_or(now),
                updated: now,
            };
            t.insert(name, new);
            Ok(match created {
                Some(_) => Reply::none(),
                None => Reply::json(201, json!({})),
            })
        }
        ("GET", [name]) => {
            let name = name.to_uppercase();
            let v = table(c, id, env, secret)?
                .get(&name)
                .cloned()
                .ok_or_else(Reply::not_found)?;
            Ok(Reply::ok(show(&name, &v, secret)))
        }
        ("DELETE", [name]) => {
            let gone = table(c, id, env, secret)?.remove(&name.to_uppercase());
            gone.map(|_| Reply::none()).ok_or_else(Reply::not_found)
        }
        ("POST", []) if !secret => {
            let body = req.json()?;
            let (name, value) = (
                valid_name(need(&body, "name")?)?,
                need(&body, "value")?.to_owned(),
            );
            let t = table(c, id, env, false)?;
            if t.contains_key(&name) {
                return Err(Reply::error(
                    409,
                    "Already exists - Variable already exists",
                ));
            }
            t.insert(
                name,
                Variable {
                    value,
                    created: now,
                    updated: now,
                },
            );
            Ok(Reply::json(201, json!({})))
        }
        ("PATCH", [name]) if !secret => {
            let body = req.json()?;
            let t = table(c, id, env, false)?;
            let mut v = t
                .remove(&name.to_uppercase())
                .ok_or_else(Reply::not_found)?;
            v.value = text(&body, "value").map_or(v.value, str::to_owned);
            v.updated = now;
            t.insert(text(&body, "name").unwrap_or(name).to_uppercase(), v);
            Ok(Reply::none())
        }
        _ => Err(Reply::not_found()),
    }
}
