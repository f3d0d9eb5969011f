//! What is closed: which actions may be used, what a workflow's token may do, branches and tags,
//! and secrets in what is pushed.

use super::allowed::{self, Allowed, Used};
use super::judge::list;
use super::{Asked, Facts};
use crate::delivery::ruleset;
use crate::estate::RepoSlug;
use crate::estate::ids::shown;
use crate::github::setup::{Change, Enabled, Security, Switch};
use crate::setup::doctor::check as checks;
use crate::setup::doctor::{Check, Repair, Seen, Sheet};
use serde_json::json;

pub(super) fn actions(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let repo = asked.repository;
    // What the workflows use: GitHub's checkout, our own actions.
    let ours = asked.expected.pattern();
    let name = repo.as_str();
    let both = match (&facts.actions, &facts.selected) {
        (Ok(actions), Ok(selected)) => Ok((actions, selected)),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    let used = allowed::used(asked, facts);
    sheet.judge(&checks::MANAGER_ACTIONS, name, &both, |(actions, selected)| {
        let mut wrong = Vec::new();
        if !actions.enabled {
            wrong.push("Actions are switched off".to_owned());
        }
        let mut list = selected.as_ref().cloned().unwrap_or_default();
        let mut changed = selected.is_none();
        match actions.allowed_actions.as_deref() {
            Some("selected") => {
                if !list.github_owned_allowed && !list.patterns_allowed.iter().any(|p| p.starts_with("actions/checkout@")) {
                    wrong.push("GitHub's own actions are not allowed, and the workflows need actions/checkout".into());
                    changed = true;
                }
                if !list.patterns_allowed.iter().any(|p| covers(p, &ours)) {
                    wrong.push(format!("tenantry's actions are not allowed (`{ours}`)"));
                    changed = true;
                }
                let missing = used.with(&list, repo, Allowed::Missing);
                if !missing.is_empty() {
                    wrong.push(format!("the workflows use what is not allowed: {}", names(&missing)));
                    changed = true;
                }
                let forbidden = used.with(&list, repo, Allowed::Forbidden);
                if !forbidden.is_empty() {
                    wrong.push(format!("the list forbids what the workflows use: {}", names(&forbidden)));
                }
            }
            Some("local_only") => wrong.push("only actions of this account are allowed, and tenantry's are not".into()),
            other => wrong.push(format!("any action may be used (`{}`)", shown(other.unwrap_or("all")))),
        }
        if actions.sha_pinning_required == Some(false) {
            let loose: Vec<String> = used.loose.iter().cloned().collect();
            let which = match loose.is_empty() {
                true => String::new(),
                false => format!(", as here: {}", names(&loose)),
            };
            wrong.push(format!("an action may be named by a tag, which can be moved{which}"));
        }
        if wrong.is_empty() {
            return None;
        }
        list.github_owned_allowed = true;
        if !list.patterns_allowed.iter().any(|p| covers(p, &ours)) {
            list.patterns_allowed.push(ours.clone());
        }
        let more = used.patterns(&list);
        if changed {
            list.patterns_allowed.extend(more.clone());
        }
        // GitHub would refuse what is still named by a tag: that comes first.
        let pins = used.loose.is_empty() || actions.sha_pinning_required == Some(true);
        let mut body = json!({"enabled": true, "allowed_actions": "selected"});
        if pins {
            body["sha_pinning_required"] = json!(true);
        }
        let pinned = pins && actions.sha_pinning_required == Some(false);
        let repair = (changed || pinned || !actions.enabled).then(|| {
            let mut changes = vec![Change::actions(repo, body)];
            if changed {
                changes.push(Change::selected_actions(repo, json!(list)));
            }
            let third: Vec<String> = more.into_iter().filter(|_| changed).map(|p| format!("`{p}`")).collect();
            let others = match third.is_empty() {
                true => " and tenantry's".to_owned(),
                false => format!(", tenantry's and what the workflows use ({})", third.join(", ")),
            };
            let pinned = if pins { ", by full commit" } else { "" };
            let says = format!("allow GitHub's actions{others} alone{pinned}");
            let repair = Repair::github(says, changes);
            match left(&used, pins) {
                Some(then) => repair.then(then),
                None => repair,
            }
        });
        Some((wrong.join("; "), repair))
    });
    sheet.judge(&checks::MANAGER_DEFAULT_TOKEN, name, &facts.token, |token| {
        let writes = token.default_workflow_permissions != "read";
        let approves = token.can_approve_pull_request_reviews;
        (writes || approves).then(|| {
            let text = match (writes, approves) {
                (true, _) => "a workflow's token may write where the workflow does not say what it may",
                _ => "a workflow's token may approve pull requests",
            };
            let body = json!({"default_workflow_permissions": "read", "can_approve_pull_request_reviews": false});
            let change = Change::workflow_token(repo, body);
            let says = "let a workflow's token read only, and approve nothing";
            (text.into(), Some(Repair::github(says, vec![change])))
        })
    });
}

/// What a person has to do about the list of actions besides.
fn left(used: &Used, pins: bool) -> Option<String> {
    let mut out = Vec::new();
    if !used.unseen.is_empty() {
        out.push(format!(
            "allow what these use as well, in the settings of Actions: {} (not looked into)",
            names(&used.unseen)
        ));
    }
    if !pins {
        let loose: Vec<String> = used.loose.iter().cloned().collect();
        out.push(format!(
            "name these by a full commit, and run --fix again to demand it of all: {}",
            names(&loose)
        ));
    }
    (!out.is_empty()).then(|| out.join("; "))
}

fn names(all: &[String]) -> String {
    let shown: Vec<String> = all.iter().map(|n| shown(n)).collect();
    list(&shown)
}

/// Whether a pattern of allowed actions covers ours.
fn covers(pattern: &str, ours: &str) -> bool {
    let repository = ours.trim_end_matches("/*");
    let owner = repository.split('/').next().unwrap_or_default();
    pattern == ours
        || pattern == format!("{ours}@*")
        || pattern == format!("{repository}@*")
        || pattern == format!("{owner}/*")
}

pub(super) fn branch(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let repo = asked.repository;
    let name = facts
        .settings
        .as_ref()
        .map_or("default branch", |s| s.default_branch.as_str());
    let both = match (&facts.rules, &facts.protection) {
        (Ok(rules), Ok(old)) => Ok((rules, old)),
        (Err(why), _) | (_, Err(why)) => Err(why.clone()),
    };
    sheet.judge(&checks::MANAGER_BRANCH, name, &both, |(rules, old)| {
        let has = |kind: &str| rules.iter().any(|r| r.kind == kind);
        let off = |switch: &Option<Enabled>| switch.as_ref().is_none_or(|s| !s.enabled);
        let old = old.as_ref();
        let missing: Vec<&str> = [
            ("deletion", old.is_some_and(|p| off(&p.allow_deletions))),
            (
                "non_fast_forward",
                has("update") || old.is_some_and(|p| off(&p.allow_force_pushes)),
            ),
            (
                "pull_request",
                has("update") || old.is_some_and(|p| p.required_pull_request_reviews.is_some()),
            ),
        ]
        .into_iter()
        .filter(|(kind, otherwise)| !has(kind) && !otherwise)
        .map(|(kind, _)| kind)
        .collect();
        (!missing.is_empty()).then(|| {
            let text = format!(
                "nothing forbids: {}",
                missing
                    .iter()
                    .map(|m| forbids(m))
                    .collect::<Vec<_>>()
                    .join(", ")
            );
            (text, Some(close_default(repo, &missing)))
        })
    });
    let Some(rulesets) = &facts.rulesets else {
        return;
    };
    for target in ["branch", "tag"] {
        let subject = format!("every {target}");
        // A list of those who may pass that is not shown could hold anybody.
        let judged = rulesets.as_ref().map_err(Clone::clone).and_then(|all| {
            match ruleset::judge(repo, all, target) {
                Ok(None) => Ok(None),
                Ok(Some(hidden)) => Err(hidden),
                Err(refusal) => Ok(Some(refusal)),
            }
        });
        sheet.judge(&checks::MANAGER_RULESET, subject, &judged, |refusal| {
            let refusal = refusal.as_ref()?;
            let missing = refusal.code == "ruleset";
            let repair = missing.then(|| {
                Repair::github(
                    format!("add a ruleset that closes every {target} to all but administrators"),
                    vec![Change::ruleset(repo, closed(target))],
                )
            });
            Some((refusal.reason.clone(), repair))
        });
    }
}

fn forbids(kind: &str) -> &'static str {
    match kind {
        "deletion" => "deleting it",
        "non_fast_forward" => "rewriting its history",
        _ => "changes without a pull request",
    }
}

/// A ruleset for the default branch, with those rules that are missing and nothing more: whoever
/// works alone can merge their own pull request, and administrators are not locked out.
pub(in crate::setup::doctor) fn close_default(repo: &RepoSlug, missing: &[&str]) -> Repair {
    let rules: Vec<serde_json::Value> = missing
        .iter()
        .map(|kind| match *kind {
            "pull_request" => json!({"type": "pull_request", "parameters": {
                "required_approving_review_count": 0, "dismiss_stale_reviews_on_push": false,
                "require_code_owner_review": false, "require_last_push_approval": false,
                "required_review_thread_resolution": false,
            }}),
            kind => json!({"type": kind}),
        })
        .collect();
    let body = json!({
        "name": "tenantry: default branch", "target": "branch", "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
        "rules": rules, "bypass_actors": administrators(),
    });
    let names: Vec<&str> = missing.iter().map(|m| forbids(m)).collect();
    let says = format!(
        "add a ruleset for the default branch of {repo} that forbids {} to all but administrators{}",
        names.join(", "),
        match missing.contains(&"pull_request") {
            true => "; a pull request needs no approval",
            false => "",
        }
    );
    Repair::github(says, vec![Change::ruleset(repo, body)])
}

/// Those who may pass a ruleset over: role 5, administrators of the repository.
fn administrators() -> serde_json::Value {
    json!([{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}])
}

/// A ruleset that closes everything but to administrators.
fn closed(target: &str) -> serde_json::Value {
    json!({
        "name": format!("tenantry: every {target} is closed"), "target": target, "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}],
        "bypass_actors": administrators(),
    })
}

/// Secret scanning and, where asked, push protection, by one change for both.
pub(in crate::setup::doctor) fn scanning(
    repo: &RepoSlug,
    security: &Seen<&Option<Security>>,
    (scanning, push): (&'static Check, Option<&'static Check>),
    subject: &str,
    sheet: &mut Sheet,
) {
    let security = security.clone().and_then(|s| {
        s.as_ref()
            .ok_or_else(|| "GitHub shows it to administrators alone".to_owned())
    });
    let mut body = json!({"security_and_analysis": {"secret_scanning": {"status": "enabled"}}});
    if push.is_some() {
        body["security_and_analysis"]["secret_scanning_push_protection"] =
            json!({"status": "enabled"});
    }
    let repair = Repair::github(
        format!("switch on secret scanning of {repo}"),
        vec![Change::settings(repo, body)],
    );
    let on = |switch: &Option<Switch>| switch.as_ref().is_some_and(Switch::on);
    sheet.judge(scanning, subject, &security, |s| {
        (!on(&s.secret_scanning)).then(|| ("it is switched off".into(), Some(repair.clone())))
    });
    if let Some(push) = push {
        sheet.judge(push, subject, &security, |s| {
            (!on(&s.secret_scanning_push_protection))
                .then(|| ("it is switched off".into(), Some(repair.clone())))
        });
    }
}
