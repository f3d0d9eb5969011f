//! What the manager speaks with: whether it is accepted, how much it can do, when it ends.

use super::check as checks;
use super::{Seen, Sheet, seen};
use crate::clock::Time;
use crate::estate::credential::Kind;
use crate::estate::ids::shown;
use crate::estate::{Estate, RepoSlug};
use crate::github::token::TokenFacts;
use crate::github::{Client, GithubError};
use std::collections::{BTreeMap, BTreeSet};

/// What the manager speaks with.
#[derive(Debug)]
pub enum Credential {
    /// `TENANTRY_SOURCE_TOKEN`.
    Token(Result<TokenFacts, GithubError>),
    /// A GitHub App: its id, and what it was given by the owner of each customer that was asked.
    App(String, BTreeMap<String, Seen<BTreeMap<String, String>>>),
}

/// Days before its end on which a credential is said to end soon.
const SOON: u64 = 14;
const DAY: u64 = 86_400;
/// Owners whose installation is looked at; more would cost a call each.
const OWNERS: usize = 20;

/// Reads it; none where nobody speaks.
pub async fn read(source: &Client, estate: &Estate) -> Option<Credential> {
    let Some(id) = source.app_id() else {
        return match source.token_facts().await {
            Ok(None) => None,
            Ok(Some(facts)) => Some(Credential::Token(Ok(facts))),
            Err(error) => Some(Credential::Token(Err(error))),
        };
    };
    let mut owners: BTreeMap<String, &RepoSlug> = BTreeMap::new();
    for repo in estate
        .customers
        .values()
        .filter_map(|c| c.repository.as_ref())
    {
        owners.entry(repo.owner().to_lowercase()).or_insert(repo);
    }
    let mut given = BTreeMap::new();
    for (owner, repo) in owners.into_iter().take(OWNERS) {
        given.insert(owner, seen(source.app_permissions(repo).await));
    }
    Some(Credential::App(id.to_owned(), given))
}

/// Judges it.
pub fn judge(credential: Option<&Credential>, estate: &Estate, now: Time) -> Sheet {
    let mut sheet = Sheet::default();
    match credential {
        None => sheet.unchecked(
            &checks::CREDENTIAL_ACCEPTED,
            "TENANTRY_SOURCE_TOKEN",
            "neither TENANTRY_SOURCE_TOKEN nor TENANTRY_APP_ID and TENANTRY_APP_KEY are set here",
        ),
        Some(Credential::Token(Ok(facts))) => token(facts, estate, now, &mut sheet),
        Some(Credential::Token(Err(error))) => refused(error, &mut sheet),
        Some(Credential::App(id, given)) => app(id, given, estate, &mut sheet),
    }
    sheet
}

const TOKEN: &str = "TENANTRY_SOURCE_TOKEN";

fn refused(error: &GithubError, sheet: &mut Sheet) {
    match error {
        GithubError::Unauthorized { .. } => {
            let text = "GitHub does not accept it: it is wrong, expired or revoked";
            sheet.finding(&checks::CREDENTIAL_ACCEPTED, TOKEN, text, None);
        }
        other => sheet.unchecked(&checks::CREDENTIAL_ACCEPTED, TOKEN, other.to_string()),
    }
}

fn token(facts: &TokenFacts, estate: &Estate, now: Time, sheet: &mut Sheet) {
    let kind = facts.kind.words();
    let whose = match &facts.login {
        Some(login) => format!("a {kind} of {}", shown(login)),
        None => format!("a {kind}"),
    };
    sheet.note(&checks::CREDENTIAL_ACCEPTED, TOKEN, whose);
    if facts.kind == Kind::GithubClassic {
        let scopes = facts.scopes.clone().unwrap_or_default();
        match scopes_wrong(&scopes) {
            Some(text) => sheet.finding(&checks::CREDENTIAL_SCOPES, TOKEN, text, None),
            None => sheet.fine(&checks::CREDENTIAL_SCOPES, TOKEN),
        }
    }
    match facts.expires.map(|end| (end, end.since(now) / DAY)) {
        // A token of an App or a run lives for an hour or a day anyway.
        _ if facts.kind == Kind::GithubInstallation => {}
        None => {
            let text = "it never ends: whoever gets it keeps it";
            sheet.finding(&checks::CREDENTIAL_EXPIRY, TOKEN, text, None);
        }
        Some((end, days)) if days < SOON => {
            let text = match end > now {
                true => format!("it ends in {days} days, on {end}"),
                false => format!("it ended on {end}"),
            };
            sheet.finding(&checks::CREDENTIAL_EXPIRY, TOKEN, text, None);
        }
        Some((end, days)) => {
            let text = format!("ends in {days} days, on {end}");
            sheet.note(&checks::CREDENTIAL_EXPIRY, TOKEN, text);
        }
    }
    let customers = estate.customers.values();
    let owners: BTreeSet<String> = customers
        .filter_map(|c| Some(c.repository.as_ref()?.owner().to_lowercase()))
        .collect();
    match (facts.kind, owners.len(), estate.customers.len()) {
        (Kind::GithubClassic, ..) => sheet.finding(
            &checks::CREDENTIAL_KIND,
            TOKEN,
            "a classic token writes wherever its owner can; an App is asked for each owner, and can do only what it needs",
            None,
        ),
        (_, _, n) if n > 100 => sheet.finding(
            &checks::CREDENTIAL_KIND,
            TOKEN,
            format!("one account's limit of 5,000 calls an hour serves {n} customers; an App has one for each owner"),
            None,
        ),
        (_, owners, _) => sheet.note(
            &checks::CREDENTIAL_KIND,
            TOKEN,
            format!("an App would do as well for {owners} owner{}, and end by itself", if owners == 1 { "" } else { "s" }),
        ),
    }
    match facts.left {
        None => sheet.note(&checks::CREDENTIAL_LIMIT, TOKEN, "this server has no limit"),
        Some(left) => {
            // A sweep in which every customer changed: about 12 calls for each.
            let sweep = 12 * estate.customers.len() as u64;
            let line = format!(
                "{} of {} calls left until {}",
                left.remaining, left.limit, left.reset
            );
            match left.remaining < sweep.min(left.limit / 10) {
                true => sheet.finding(&checks::CREDENTIAL_LIMIT, TOKEN, line, None),
                false => sheet.note(&checks::CREDENTIAL_LIMIT, TOKEN, line),
            }
        }
    }
}

/// What a classic token's scopes are too many or too few for.
fn scopes_wrong(scopes: &[String]) -> Option<String> {
    let needed = ["repo", "public_repo"];
    if !scopes.iter().any(|s| needed.contains(&s.as_str())) {
        return Some(
            "it lacks the scope `repo`: customers' private repositories cannot be read".into(),
        );
    }
    let fine = ["repo", "public_repo", "repo:status", "read:org"];
    let more: Vec<String> = scopes
        .iter()
        .filter(|s| !fine.contains(&s.as_str()))
        .map(|s| format!("`{}`", shown(s)))
        .collect();
    (!more.is_empty()).then(|| format!("the manager needs no {}", more.join(", ")))
}

fn app(
    id: &str,
    given: &BTreeMap<String, Seen<BTreeMap<String, String>>>,
    estate: &Estate,
    sheet: &mut Sheet,
) {
    let name = format!("App {}", shown(id));
    sheet.fine(&checks::CREDENTIAL_KIND, &name);
    let gitops = estate.settings.gitops_repository.is_some();
    for (owner, permissions) in given {
        let subject = format!("{name} for {owner}");
        match permissions {
            Err(why) => sheet.unchecked(&checks::CREDENTIAL_ACCEPTED, subject, why.clone()),
            Ok(permissions) => {
                sheet.fine(&checks::CREDENTIAL_ACCEPTED, &subject);
                match app_wrong(permissions, gitops) {
                    Some(text) => sheet.finding(&checks::CREDENTIAL_SCOPES, subject, text, None),
                    None => sheet.fine(&checks::CREDENTIAL_SCOPES, subject),
                }
            }
        }
    }
}

/// What an App was given too much or too little of.
fn app_wrong(given: &BTreeMap<String, String>, gitops: bool) -> Option<String> {
    let needed = [
        ("metadata", "read"),
        ("contents", "read"),
        ("pull_requests", "write"),
        ("statuses", "write"),
    ];
    let rank = |level: &str| {
        ["", "read", "write", "admin"]
            .iter()
            .position(|l| *l == level)
    };
    let missing: Vec<String> = needed
        .iter()
        .filter(|(p, level)| rank(given.get(*p).map_or("", String::as_str)) < rank(level))
        .map(|(p, level)| format!("`{p}: {level}`"))
        .collect();
    if !missing.is_empty() {
        return Some(format!("it lacks {}", missing.join(", ")));
    }
    let more: Vec<String> = given
        .iter()
        .filter(|(name, level)| {
            let most = match name.as_str() {
                "contents" if gitops => "write",
                // For issues about drift.
                "issues" => "write",
                name => needed
                    .iter()
                    .find(|(p, _)| *p == name)
                    .map_or("", |(_, l)| *l),
            };
            rank(level) > rank(most)
        })
        .map(|(name, level)| format!("`{}: {}`", shown(name), shown(level)))
        .collect();
    (!more.is_empty()).then(|| format!("the manager needs no {}", more.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::github::Allowance;
    use crate::setup::doctor::Outcome;

    const NOW: Time = Time(1_795_282_800);

    fn facts(kind: Kind, scopes: &[&str], days: Option<u64>) -> TokenFacts {
        TokenFacts {
            kind,
            login: Some("ops-bot".into()),
            scopes: (kind == Kind::GithubClassic)
                .then(|| scopes.iter().map(|s| (*s).into()).collect()),
            expires: days.map(|d| NOW.plus(d * DAY)),
            left: Some(Allowance {
                limit: 5_000,
                remaining: 4_000,
                reset: NOW,
            }),
        }
    }

    fn found(facts: TokenFacts) -> Vec<&'static str> {
        let estate = Estate::read(crate::estate::Files::new()).unwrap();
        let sheet = judge(Some(&Credential::Token(Ok(facts))), &estate, NOW);
        let findings = sheet
            .0
            .iter()
            .filter(|v| matches!(v.outcome, Outcome::Finding { .. }));
        findings.map(|v| v.check.id).collect()
    }

    #[test]
    fn tokens_are_judged_by_what_they_are() {
        use Kind::{GithubClassic as Classic, GithubFineGrained as Fine};
        let kind = "credential-kind";
        let (scopes, expiry) = ("credential-scopes", "credential-expiry");
        for (facts, expected) in [
            (facts(Fine, &[], Some(90)), vec![]),
            (facts(Fine, &[], Some(13)), vec![expiry]),
            (facts(Fine, &[], None), vec![expiry]),
            (facts(Classic, &["repo"], Some(90)), vec![kind]),
            (
                facts(Classic, &["repo", "admin:org"], Some(90)),
                vec![scopes, kind],
            ),
            (
                facts(Classic, &["read:packages"], Some(0)),
                vec![scopes, expiry, kind],
            ),
        ] {
            assert_eq!(found(facts.clone()), expected, "{facts:?}");
        }
        let mut tired = facts(Fine, &[], Some(90));
        tired.left = Some(Allowance {
            limit: 5_000,
            remaining: 0,
            reset: NOW,
        });
        let estate = Estate::read(crate::estate::Files::new()).unwrap();
        let sheet = judge(Some(&Credential::Token(Ok(tired))), &estate, NOW);
        assert!(sheet.clean(), "nobody is to be served: {sheet:?}");
    }

    #[test]
    fn an_app_is_to_have_what_is_needed_and_no_more() {
        let map = |list: &[(&str, &str)]| -> BTreeMap<String, String> {
            list.iter()
                .map(|(k, v)| ((*k).into(), (*v).into()))
                .collect()
        };
        let needed = [
            ("metadata", "read"),
            ("contents", "read"),
            ("pull_requests", "write"),
            ("statuses", "write"),
        ];
        assert_eq!(app_wrong(&map(&needed), false), None);
        assert_eq!(
            app_wrong(&map(&needed[1..]), false).unwrap(),
            "it lacks `metadata: read`"
        );
        let mut more = needed.to_vec();
        more[1].1 = "write";
        assert_eq!(app_wrong(&map(&more), true), None);
        assert_eq!(
            app_wrong(&map(&more), false).unwrap(),
            "the manager needs no `contents: write`"
        );
        more.push(("administration", "read"));
        assert!(
            app_wrong(&map(&more), true)
                .unwrap()
                .contains("administration")
        );
    }
}
