//! Judges what was read of the manager repository.

use super::{Asked, Facts, closed, files, keys};
use crate::estate::ids::shown;
use crate::estate::settings::StateBackend;
use crate::github::setup::Change;
use crate::setup::doctor::check as checks;
use crate::setup::doctor::{Repair, Sheet, environment};
use std::collections::BTreeSet;

/// Everything about the manager repository.
pub fn judge(asked: &Asked<'_>, facts: &Facts) -> Sheet {
    let mut sheet = Sheet::default();
    repository(asked, facts, &mut sheet);
    secrets(asked, facts, &mut sheet);
    variables(asked, facts, &mut sheet);
    environment::judge(
        asked.estate,
        asked.repository,
        &environment::shared(asked.estate),
        &facts.environments,
        &mut sheet,
    );
    let left = environment::left(asked.estate, &facts.environments.others);
    environment::abandoned(asked.repository, &left, &mut sheet);
    files::judge(asked, facts, &mut sheet);
    closed::actions(asked, facts, &mut sheet);
    closed::branch(asked, facts, &mut sheet);
    let security = facts.settings.as_ref().map(|s| &s.security_and_analysis);
    closed::scanning(
        asked.repository,
        &security.map_err(Clone::clone),
        (
            &checks::MANAGER_SECRET_SCANNING,
            Some(&checks::MANAGER_PUSH_PROTECTION),
        ),
        asked.repository.as_str(),
        &mut sheet,
    );
    sheet
}

fn repository(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let name = asked.repository.as_str();
    sheet.judge(&checks::MANAGER_REPOSITORY, name, &facts.settings, |s| {
        if s.archived {
            return Some(("it is archived, so nothing in it can run".into(), None));
        }
        (!s.full_name.eq_ignore_ascii_case(name)).then(|| {
            let now = shown(&s.full_name);
            (format!("it is called `{now}` now"), None)
        })
    });
    let Some(tool) = &asked.tool else { return };
    if let Some(old) = old_tool(tool) {
        sheet.finding(&checks::MANAGER_TOOL, tool.as_str(), old, None);
    } else {
        sheet.fine(&checks::MANAGER_TOOL, tool.as_str());
    }
}

/// Why a tool is too old: state in S3 is locked by a file there since Terraform 1.10 and OpenTofu
/// 1.10, and was experimental in Terraform's.
fn old_tool(tool: &str) -> Option<String> {
    let (name, version) = tool.split_once(' ')?;
    let mut parts = version.split('.').map(|p| p.parse::<u64>().unwrap_or(0));
    let version = (parts.next()?, parts.next()?);
    let least = if name == "tofu" { (1, 10) } else { (1, 11) };
    (version < least).then(|| format!("the lock file of S3 needs {}.{} or newer", least.0, least.1))
}

/// Which secrets must be there, and where.
fn secrets(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let settings = &asked.estate.settings;
    let mut needed = Vec::new();
    if settings.audit.required || settings.audit.public_key.is_some() {
        needed.push(("TENANTRY_AUDIT_KEY", "it signs the audit log"));
    }
    if settings
        .store
        .as_ref()
        .is_some_and(|s| s.starts_with("s3:"))
    {
        let keyed = keys::keyed(asked.expected, &facts.files);
        keys::judge(&keyed, &facts.secrets, sheet);
    }
    for (name, why) in needed {
        sheet.judge(&checks::MANAGER_SECRET, name, &facts.secrets, |there| {
            (!there.contains(name)).then(|| (format!("the secret is missing; {why}"), None))
        });
    }
    speaks_with(facts, sheet);
    let name = "TENANTRY_SEAL_IDENTITY";
    sheet.judge(&checks::MANAGER_SEAL_SCOPE, name, &facts.secrets, |there| {
        there.contains(name).then(|| {
            let text = "the key that opens plans is a secret of the repository: every job can read it, also those that plan";
            (text.into(), None)
        })
    });
}

/// Either a token, or both halves of an App.
fn speaks_with(facts: &Facts, sheet: &mut Sheet) {
    let (secrets, variables) = match (&facts.secrets, &facts.variables) {
        (Ok(s), Ok(v)) => (s, v),
        (Err(why), _) | (_, Err(why)) => {
            sheet.unchecked(&checks::MANAGER_SECRET, "SOURCE_REPOS_PAT", why.clone());
            return;
        }
    };
    let (id, key) = (
        variables.contains_key("TENANTRY_APP_ID"),
        secrets.contains("TENANTRY_APP_KEY"),
    );
    match (id, key, secrets.contains("SOURCE_REPOS_PAT")) {
        (true, true, _) => sheet.fine(&checks::MANAGER_SECRET, "TENANTRY_APP_KEY"),
        (true, false, _) => sheet.finding(
            &checks::MANAGER_SECRET,
            "TENANTRY_APP_KEY",
            "the variable TENANTRY_APP_ID is set, but the secret TENANTRY_APP_KEY is not: every step refuses to work",
            None,
        ),
        (false, true, _) => sheet.finding(
            &checks::MANAGER_VARIABLE,
            "TENANTRY_APP_ID",
            "the secret TENANTRY_APP_KEY is set, but the variable TENANTRY_APP_ID is not: every step refuses to work",
            None,
        ),
        (false, false, true) => sheet.fine(&checks::MANAGER_SECRET, "SOURCE_REPOS_PAT"),
        (false, false, false) => sheet.finding(
            &checks::MANAGER_SECRET,
            "SOURCE_REPOS_PAT",
            "neither SOURCE_REPOS_PAT nor a GitHub App is set: customers' repositories cannot be read",
            None,
        ),
    }
}

fn variables(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let settings = &asked.estate.settings;
    let s3 = settings
        .store
        .as_ref()
        .is_some_and(|s| s.starts_with("s3:"));
    let region = match &settings.state {
        Some(StateBackend::S3 { region, .. }) => Some(region.as_str()),
        _ => None,
    };
    if !s3 && region.is_none() {
        return;
    }
    let name = "AWS_REGION";
    sheet.judge(&checks::MANAGER_VARIABLE, name, &facts.variables, |there| {
        let repo = asked.repository;
        match (there.get(name), region) {
            (None, region) => Some((
                "the variable is missing; the store is reached with it".into(),
                region.map(|region| {
                    let change = Change::new_variable(repo, name, region);
                    Repair::github(format!("set the variable {name} to {region}"), vec![change])
                }),
            )),
            (Some(now), Some(region)) if now != region => Some((
                format!("it is `{}`, but `state.region` is `{region}`", shown(now)),
                Some(Repair::github(
                    format!("set the variable {name} to {region}"),
                    vec![Change::variable(repo, name, region)],
                )),
            )),
            _ => None,
        }
    });
}

/// A few names, and how many more.
pub(in crate::setup::doctor) fn list(names: &[String]) -> String {
    let unique: BTreeSet<&String> = names.iter().collect();
    let shown: Vec<String> = unique.iter().take(4).map(|n| format!("`{n}`")).collect();
    match unique.len() {
        n if n > 4 => format!("{} and {} more", shown.join(", "), n - 4),
        _ => shown.join(", "),
    }
}
