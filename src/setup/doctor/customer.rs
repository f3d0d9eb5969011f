//! A customer's repository: what is read of it, and how that is judged.

use super::check as checks;
use super::manager::{close_default, list, scanning};
use super::owners::owners;
use super::workflow::{Expected, proposal};
use super::{Repair, Seen, Sheet};
use crate::clock::Time;
use crate::delivery::records::Outcome;
use crate::estate::ids::shown;
use crate::estate::model::{CONTRACT, Customer};
use crate::estate::settings::HintMode;
use crate::estate::{Estate, RepoSlug};
use crate::github::setup::{Change, NewFile, RepositorySettings};
use crate::github::survey::Surveyed;
use std::collections::BTreeMap;

/// The workflow that sends hints.
pub const WORKFLOW: &str = ".github/workflows/trigger-infra.yml";
/// GitHub lets an approval wait for 30 days; a request that is open for longer waits for nothing.
const FORGOTTEN: u64 = 31 * 86_400;

/// What was read of a customer.
#[derive(Debug, Clone)]
pub struct Facts {
    /// What the manager's credential sees; none where it sees nothing.
    pub surveyed: Seen<Option<Surveyed>>,
    /// Settings, for administrators.
    pub settings: Seen<RepositorySettings>,
    /// Variables; asked for only where hints are sent.
    pub variables: Option<Seen<BTreeMap<String, String>>>,
    /// Whether an earlier repair of the workflow waits to be merged.
    pub waiting: bool,
    /// What the store says; none where no store was asked.
    pub latest: Option<Seen<Latest>>,
}

/// What the store says of a customer's requests.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Latest {
    /// The one that is open for longest.
    pub open: Option<(String, Time)>,
    /// How the request of the default branch as it is now has ended, and when it was begun.
    pub head: Option<(String, Outcome, Time)>,
    /// When something was last applied.
    pub applied: Option<Time>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'a> {
    /// The estate.
    pub estate: &'a Estate,
    /// The manager repository.
    pub manager: &'a RepoSlug,
    /// The customer.
    pub customer: &'a Customer,
    /// The workflow as this version writes it for the customer's default branch.
    pub expected: &'a Expected,
    /// Now.
    pub now: Time,
}

/// Judges a customer.
pub fn judge(asked: Asked<'_>, facts: &Facts) -> Sheet {
    let mut sheet = Sheet::default();
    requests(asked, facts, &mut sheet);
    let subject = asked.customer.id.as_str();
    let check = &checks::CUSTOMER_REPOSITORY;
    let Some((slug, id)) = asked
        .customer
        .repository
        .as_ref()
        .zip(asked.customer.repository_id)
    else {
        let text = "no repository is recorded with its number, so the customer is not served";
        sheet.finding(check, subject, text, None);
        sheet.remedy(format!(
            "tenantry customer set {subject} repository=OWNER/NAME"
        ));
        return sheet;
    };
    let surveyed = match &facts.surveyed {
        Err(why) => {
            sheet.unchecked(check, subject, why.clone());
            return sheet;
        }
        Ok(None) => {
            let text = format!(
                "the manager's credential does not see `{slug}`: it is gone, or access was taken away"
            );
            sheet.finding(check, subject, text, None);
            return sheet;
        }
        Ok(Some(surveyed)) => surveyed,
    };
    if !identity(asked, slug, id, surveyed, &mut sheet) {
        // Whatever stands there is somebody else's: nothing of it is looked at, or changed.
        return sheet;
    }
    if surveyed.archived {
        sheet.finding(check, subject, "the repository is archived", None);
        return sheet;
    }
    sheet.fine(check, subject);
    let repo = RepoSlug::new(&surveyed.full_name).unwrap_or_else(|_| slug.clone());
    workflow(asked, facts, &repo, surveyed, &mut sheet);
    variables(asked, facts, &repo, &mut sheet);
    branch(asked, &repo, surveyed, &mut sheet);
    let named = surveyed.owners.as_deref().map(|o| owners(o, CONTRACT));
    match named {
        Some(named) if !named.is_empty() => sheet.fine(&checks::CUSTOMER_OWNERS, subject),
        _ => {
            let text = format!(
                "nobody owns `{CONTRACT}`: anybody who may merge may change the infrastructure"
            );
            sheet.finding(&checks::CUSTOMER_OWNERS, subject, text, None);
        }
    }
    let security = facts.settings.as_ref().map(|s| &s.security_and_analysis);
    scanning(
        &repo,
        &security.map_err(Clone::clone),
        (&checks::CUSTOMER_SECRET_SCANNING, None),
        subject,
        &mut sheet,
    );
    sheet
}

/// Whether the repository is the recorded one; a rename or a transfer is told.
fn identity(
    asked: Asked<'_>,
    slug: &RepoSlug,
    id: u64,
    surveyed: &Surveyed,
    sheet: &mut Sheet,
) -> bool {
    let subject = asked.customer.id.as_str();
    let now = shown(&surveyed.full_name);
    if surveyed.id != id {
        let text = format!(
            "`{slug}` answers with number {}, but {id} is recorded: the name belongs to another repository now",
            surveyed.id
        );
        sheet.finding(&checks::CUSTOMER_IDENTITY, subject, text, None);
        return false;
    }
    sheet.fine(&checks::CUSTOMER_IDENTITY, subject);
    let set = format!("tenantry customer set {subject} repository={now}");
    match (asked.customer.about.owner_id, surveyed.owner_id) {
        (Some(recorded), Some(owner)) if recorded != owner => {
            let text = format!(
                "the repository was transferred: it is `{now}`, of account {owner} instead of {recorded}"
            );
            sheet.finding(&checks::CUSTOMER_OWNER, subject, text, None);
            sheet.remedy(format!(
                "make sure that the transfer was meant, then `{set} --moved`"
            ));
        }
        (Some(_), None) => sheet.unchecked(
            &checks::CUSTOMER_OWNER,
            subject,
            "GitHub does not say who owns it",
        ),
        _ => sheet.fine(&checks::CUSTOMER_OWNER, subject),
    }
    match surveyed.full_name.eq_ignore_ascii_case(slug.as_str()) {
        true => sheet.fine(&checks::CUSTOMER_RENAMED, subject),
        false => {
            let text = format!("`{slug}` is called `{now}` now");
            sheet.finding(&checks::CUSTOMER_RENAMED, subject, text, None);
            sheet.remedy(set);
        }
    }
    true
}

fn workflow(
    asked: Asked<'_>,
    facts: &Facts,
    repo: &RepoSlug,
    surveyed: &Surveyed,
    sheet: &mut Sheet,
) {
    let subject = format!("{}/{WORKFLOW}", asked.customer.id);
    let sends = asked.estate.settings.hints != HintMode::Poll;
    let (check, pins) = (&checks::CUSTOMER_WORKFLOW, &checks::CUSTOMER_WORKFLOW_PIN);
    let Some((blob, text)) = &surveyed.file else {
        if sends {
            let file = asked.expected.text(WORKFLOW).map(|text| NewFile {
                path: WORKFLOW.to_owned(),
                text: text.to_owned(),
                before: None,
            });
            let repair = propose(asked, facts, repo, surveyed, file);
            sheet.finding(
                check,
                &subject,
                "it is not there, so no hint is sent",
                repair,
            );
            merge(asked, facts, sheet);
        }
        return;
    };
    let look = asked.expected.look(WORKFLOW, text);
    match look.parts.is_empty() {
        true => sheet.fine(check, &subject),
        false => {
            let text = format!("not as this version writes it: {}", list(&look.parts));
            sheet.finding(check, &subject, text, None);
        }
    }
    if !look.stale.is_empty() {
        let file = asked.expected.repinned(WORKFLOW, text).map(|text| NewFile {
            path: WORKFLOW.to_owned(),
            text,
            before: Some(blob.clone()),
        });
        let known = file.is_some();
        let repair = propose(asked, facts, repo, surveyed, file);
        let text = format!("not this version's commit: {}", list(&look.stale));
        sheet.finding(pins, &subject, text, repair);
        if known {
            merge(asked, facts, sheet);
        }
    } else if !look.unpinned.is_empty() {
        let text = format!("not named by a full commit: {}", list(&look.unpinned));
        sheet.finding(pins, &subject, text, None);
    } else if let Err(why) = asked.expected.pin() {
        sheet.unchecked(pins, &subject, why.clone());
    } else {
        sheet.fine(pins, &subject);
    }
}

fn merge(asked: Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    if facts.waiting {
        let branch = asked.expected.branch(asked.customer.id.as_str());
        sheet.remedy(format!("merge the pull request of the branch `{branch}`"));
    }
}

/// A pull request in the customer's repository, unless one waits already.
fn propose(
    asked: Asked<'_>,
    facts: &Facts,
    repo: &RepoSlug,
    surveyed: &Surveyed,
    file: Option<NewFile>,
) -> Option<Repair> {
    let (base, head) = surveyed.head.as_ref()?;
    if facts.waiting || asked.expected.pin().is_err() {
        return None;
    }
    let branch = asked.expected.branch(asked.customer.id.as_str());
    let changes = proposal(repo, base, head, &branch, &[file?]);
    let says = format!("open a pull request in {repo} that writes {WORKFLOW}");
    Some(Repair::github(says, changes).then(format!("let the customer merge it in {repo}")))
}

fn variables(asked: Asked<'_>, facts: &Facts, repo: &RepoSlug, sheet: &mut Sheet) {
    let Some(variables) = &facts.variables else {
        return;
    };
    for (name, value) in [
        ("MANAGER_REPO_OWNER", asked.manager.owner()),
        ("MANAGER_REPO_NAME", asked.manager.name()),
    ] {
        let subject = format!("{}/{name}", asked.customer.id);
        sheet.judge(&checks::CUSTOMER_VARIABLE, subject, variables, |there| {
            let (text, change) = match there.get(name) {
                Some(now) if now == value => return None,
                Some(now) => (
                    format!(
                        "it is `{}`, and the manager is `{}`",
                        shown(now),
                        asked.manager
                    ),
                    Change::variable(repo, name, value),
                ),
                None => (
                    "the variable is missing".to_owned(),
                    Change::new_variable(repo, name, value),
                ),
            };
            let says = format!("set the variable {name} of {repo} to {value}");
            Some((text, Some(Repair::github(says, vec![change]))))
        });
    }
}

fn branch(asked: Asked<'_>, repo: &RepoSlug, surveyed: &Surveyed, sheet: &mut Sheet) {
    let subject = asked.customer.id.as_str();
    let has = |kind: &str| surveyed.rules.iter().any(|r| r == kind);
    let mut missing = Vec::new();
    if !has("deletion") && !surveyed.keeps_branch {
        missing.push("deletion");
    }
    if !has("non_fast_forward") && !has("update") && !surveyed.keeps_history {
        missing.push("non_fast_forward");
    }
    if missing.is_empty() {
        sheet.fine(&checks::CUSTOMER_BRANCH, subject);
        return;
    }
    let text =
        "nothing forbids to delete or rewrite the branch from which the infrastructure is deployed";
    let repair = close_default(repo, &missing);
    sheet.finding(&checks::CUSTOMER_BRANCH, subject, text, Some(repair));
}

fn requests(asked: Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let Some(latest) = &facts.latest else { return };
    let (check, subject) = (&checks::CUSTOMER_REQUEST, asked.customer.id.as_str());
    match latest {
        Err(why) => sheet.unchecked(check, subject, why.clone()),
        Ok(latest) => {
            let days = |time: Time| asked.now.since(time) / 86_400;
            let applied = match latest.applied {
                Some(at) => format!("last applied {at}, {} days ago", days(at)),
                None => "nothing was ever applied".to_owned(),
            };
            match (&latest.open, &latest.head) {
                (Some((name, since)), _) if asked.now.since(*since) > FORGOTTEN => {
                    let text = format!("`{name}` is open since {since}, {} days", days(*since));
                    sheet.finding(check, subject, text, None);
                }
                (Some((name, since)), _) => {
                    sheet.note(check, subject, format!("`{name}` is open since {since}"));
                }
                (None, Some((name, outcome, at))) => {
                    let text = format!(
                        "the last request, `{name}`, {} (begun {at}, {} days ago); {applied}",
                        ended(*outcome),
                        days(*at)
                    );
                    sheet.note(check, subject, text);
                }
                (None, None) => sheet.note(check, subject, applied),
            }
        }
    }
}

fn ended(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Success => "succeeded",
        Outcome::Failure => "failed",
        Outcome::Refused => "was refused",
        Outcome::Superseded => "was overtaken by a newer commit",
    }
}
