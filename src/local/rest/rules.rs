//! Rulesets, and what they refuse.
use crate::local::access::Ctx;
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{Grant, Level, Repo};
use crate::local::views;
use serde_json::{Value, json};

const ENFORCEMENTS: [&str; 3] = ["disabled", "active", "evaluate"];

/// Refuses a change to a ref that an active ruleset forbids this caller.
pub fn check(c: &Ctx, id: u64, full: &str, kind: &str, status: u16) -> Result<(), Reply> {
    let repo = c.s.repo(id)?;
    for set in &repo.rulesets {
        let rules = set["rules"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        let kinds = |r: &Value| {
            let t = text(r, "type").unwrap_or_default();
            // Moving a ref back is also an update of it.
            t == kind || (kind == "non_fast_forward" && t == "update")
        };
        let hit = set["enforcement"] == "active"
            && applies(set, full, &repo.default_branch)
            && rules.iter().any(kinds);
        if hit && bypass(c, id, set) != "always" {
            let what = match kind {
                "creation" => "Cannot create ref due to creations being restricted.",
                "deletion" => "Cannot delete this branch",
                _ => "Cannot update this protected ref.",
            };
            return Err(Reply::error(
                status,
                &format!("Repository rule violations found\n\n{what}\n"),
            ));
        }
    }
    Ok(())
}

/// The kinds of rules that hold for a branch.
pub fn kinds(repo: &Repo, branch: &str) -> Vec<String> {
    let full = format!("refs/heads/{branch}");
    let sets = repo.rulesets.iter();
    let active =
        sets.filter(|s| s["enforcement"] == "active" && applies(s, &full, &repo.default_branch));
    active
        .flat_map(|s| s["rules"].as_array().cloned().unwrap_or_default())
        .filter_map(|r| text(&r, "type").map(str::to_owned))
        .collect()
}

/// Whether a ruleset covers a ref.
fn applies(set: &Value, full: &str, default_branch: &str) -> bool {
    let target = if full.starts_with("refs/tags/") {
        "tag"
    } else {
        "branch"
    };
    if text(set, "target").unwrap_or("branch") != target {
        return false;
    }
    let one = |p: &str| match p {
        "~ALL" => true,
        "~DEFAULT_BRANCH" => full == format!("refs/heads/{default_branch}"),
        p => glob(p, full),
    };
    let names = |key: &str| {
        let list = set["conditions"]["ref_name"][key].as_array();
        list.is_some_and(|l| l.iter().filter_map(Value::as_str).any(one))
    };
    names("include") && !names("exclude")
}

/// `fnmatch` with `*` (not across `/`), `**` and `?`.
pub fn glob(pattern: &str, text: &str) -> bool {
    fn go(p: &[u8], t: &[u8]) -> bool {
        match p {
            [] => t.is_empty(),
            [b'*', b'*', b'/', rest @ ..] if go(rest, t) => true,
            [b'*', b'*', rest @ ..] => (0..=t.len()).any(|i| go(rest, &t[i..])),
            [b'*', rest @ ..] => {
                let end = t.iter().position(|b| *b == b'/').unwrap_or(t.len());
                (0..=end).any(|i| go(rest, &t[i..]))
            }
            [b'?', rest @ ..] => t.first().is_some_and(|b| *b != b'/') && go(rest, &t[1..]),
            [a, rest @ ..] => t.first() == Some(a) && go(rest, &t[1..]),
        }
    }
    go(pattern.as_bytes(), text.as_bytes())
}

/// `always`, `pull_requests_only` or `never`.
fn bypass(c: &Ctx, id: u64, set: &Value) -> &'static str {
    let Some(t) = &c.who else { return "never" };
    let Ok(repo) = c.s.repo(id) else {
        return "never";
    };
    let run = matches!(t.grant, Grant::Run { .. });
    let role = if run {
        Level::Write
    } else {
        c.s.role(t.user, repo)
    };
    let actors = set["bypass_actors"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let found = actors.iter().find(|a| {
        let actor = a["actor_id"].as_u64();
        match text(a, "actor_type").unwrap_or_default() {
            // Built-in roles: 2 maintain, 4 write, 5 admin.
            "RepositoryRole" => match actor {
                Some(5) => role >= Level::Admin,
                Some(4 | 2) => role >= Level::Write,
                _ => false,
            },
            "OrganizationAdmin" => {
                !run && c
                    .s
                    .accounts
                    .get(&repo.owner)
                    .is_some_and(|o| o.members.get(&t.user).is_some_and(|r| r == "admin"))
            }
            "User" => !run && actor == Some(t.user),
            "Integration" => run && actor == Some(15368),
            _ => false,
        }
    });
    match found.and_then(|a| text(a, "bypass_mode")) {
        None if found.is_none() => "never",
        Some("pull_request") => "pull_requests_only",
        _ => "always",
    }
}

fn shown(c: &Ctx, id: u64, set: &Value, full: bool) -> Value {
    let mut v = set.clone();
    if let Some(o) = v.as_object_mut() {
        if !full {
            o.remove("rules");
            o.remove("conditions");
        }
        // Only who may administer sees who may pass.
        if !full || c.level(id, "administration") < Level::Write {
            o.remove("bypass_actors");
        }
        if full {
            o.insert(
                "current_user_can_bypass".to_owned(),
                json!(bypass(c, id, set)),
            );
        }
    }
    v
}

/// `GET /repos/{o}/{n}/rulesets`.
pub fn list(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    let items =
        c.s.repo(id)?
            .rulesets
            .iter()
            .map(|x| shown(c, id, x, false))
            .collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

fn fill(c: &Ctx, id: u64, v: &mut Value, body: &Value) -> Result<(), Reply> {
    for key in [
        "name",
        "target",
        "enforcement",
        "bypass_actors",
        "conditions",
        "rules",
    ] {
        if let Some(x) = body.get(key) {
            v[key] = x.clone();
        }
    }
    if !ENFORCEMENTS.contains(&need(v, "enforcement")?) {
        return Err(Reply::error(
            422,
            "Invalid request.\n\nenforcement is not a possible value.",
        ));
    }
    need(v, "name")?;
    v["source"] = json!(c.s.full_name(c.s.repo(id)?));
    v["updated_at"] = json!(iso(c.s.now()));
    Ok(())
}

/// `POST /repos/{o}/{n}/rulesets`.
pub fn create(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    let body = c.req.json()?;
    let new = c.s.id();
    let api = views::api_url(c.s, c.s.repo(id)?);
    let mut v = json!({
        "id": new, "node_id": node_id("RepositoryRuleset", new), "target": "branch", "source_type": "Repository",
        "bypass_actors": [], "conditions": {"ref_name": {"include": [], "exclude": []}}, "rules": [],
        "created_at": iso(c.s.now()), "_links": {"self": {"href": format!("{api}/rulesets/{new}")}},
    });
    fill(c, id, &mut v, &body)?;
    c.s.repo_mut(id)?.rulesets.push(v.clone());
    Ok(Reply::json(201, shown(c, id, &v, true)))
}

fn find(c: &Ctx, id: u64, set: u64) -> Result<Value, Reply> {
    let sets = &c.s.repo(id)?.rulesets;
    sets.iter()
        .find(|x| x["id"] == json!(set))
        .cloned()
        .ok_or_else(Reply::not_found)
}

/// `GET /repos/{o}/{n}/rulesets/{id}`.
pub fn get(c: &mut Ctx, o: &str, n: &str, set: u64) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    let v = find(c, id, set)?;
    Ok(Reply::ok(shown(c, id, &v, true)))
}

/// `PUT /repos/{o}/{n}/rulesets/{id}`.
pub fn put(c: &mut Ctx, o: &str, n: &str, set: u64) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    let body = c.req.json()?;
    let mut v = find(c, id, set)?;
    fill(c, id, &mut v, &body)?;
    for x in
        c.s.repo_mut(id)?
            .rulesets
            .iter_mut()
            .filter(|x| x["id"] == json!(set))
    {
        *x = v.clone();
    }
    Ok(Reply::ok(shown(c, id, &v, true)))
}

/// `DELETE /repos/{o}/{n}/rulesets/{id}`.
pub fn delete(c: &mut Ctx, o: &str, n: &str, set: u64) -> Res {
    let id = c.repo(o, n, "administration", Level::Write)?;
    find(c, id, set)?;
    c.s.repo_mut(id)?.rulesets.retain(|x| x["id"] != json!(set));
    Ok(Reply::none())
}

/// `GET /repos/{o}/{n}/rules/branches/{branch}`: active rules, also for a branch that does not exist yet.
pub fn branch(c: &mut Ctx, o: &str, n: &str, branch: &str) -> Res {
    let id = c.repo(o, n, "metadata", Level::Read)?;
    let repo = c.s.repo(id)?;
    let full = format!("refs/heads/{branch}");
    let mut out = Vec::new();
    for set in repo
        .rulesets
        .iter()
        .filter(|s| s["enforcement"] == "active" && applies(s, &full, &repo.default_branch))
    {
        for rule in set["rules"]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default()
        {
            let mut r = rule.clone();
            views::merge(
                &mut r,
                json!({"ruleset_source_type": "Repository", "ruleset_source": set["source"], "ruleset_id": set["id"]}),
            );
            out.push(r);
        }
    }
    Ok(page(c.req, &c.s.api_root(), out, None))
}
