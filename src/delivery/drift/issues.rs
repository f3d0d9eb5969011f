//! Tells people: coverage, and one issue for each drifted stack, opened, kept up to date and
//! closed by tenantry alone.
//!
//! What is done is decided first, as a value ([`Report`]); showing it and doing it read the same
//! one. How an issue is written, and known to be ours, is in [`crate::delivery::issue`].

use super::survey::{Only, Standing, survey};
use super::{IssueRecord, keys};
use crate::clock::Time;
use crate::delivery::error::DeliveryError;
use crate::delivery::issue::{Desk, FRESH, Page};
use crate::delivery::manager::Manager;
use crate::delivery::publish::say;
use crate::digest::Digest;
use crate::estate::{RepoSlug, StackId};
use crate::github::{Client, GithubError};
use crate::report::drift::{
    DriftView, IssueAct, IssueStep, ResourceView, StackView, body, marker, title,
};

/// Most issues that one run writes. GitHub allows 500 calls an hour that create content, for
/// everything that the token does (docs.github.com, "Rate limits for the REST API").
pub const MOST: usize = 200;
/// The label of every issue.
const LABEL: &str = "drift";

/// What is to be said and done.
#[derive(Debug)]
pub struct Report {
    /// What is said; its steps are those below, as they are shown.
    pub view: DriftView,
    steps: Vec<Step>,
}

/// One issue to be written.
#[derive(Debug)]
struct Step {
    shown: IssueStep,
    record: Option<IssueRecord>,
    says: Digest,
}

/// What came of a report's steps.
#[derive(Debug, Default)]
pub struct Done {
    /// How many issues were written.
    pub written: usize,
    /// Those that could not be, and why. They do not stop the others.
    pub failed: Vec<(StackId, String)>,
}

/// Where issues are.
fn repository(manager: &Manager) -> &RepoSlug {
    let set = manager.estate.settings.drift.repository.as_ref();
    set.unwrap_or(&manager.repository)
}

/// The workflow's own token serves the manager's repository and no other.
fn client(manager: &Manager) -> &Client {
    match *repository(manager) == manager.repository {
        true => &manager.own,
        false => &manager.source,
    }
}

/// Reads where every stack stands, and decides what is to be written.
pub async fn report(manager: &Manager) -> Result<Report, DeliveryError> {
    let survey = survey(manager, &Only::default()).await?;
    let now = manager.clock.now();
    let mut stacks = Vec::new();
    let mut steps = Vec::new();
    for standing in &survey.stacks {
        let record = manager
            .store
            .read::<IssueRecord>(&keys::issue(&standing.stack))
            .await?
            .map(|(r, _)| r)
            .filter(|r| r.repository == *repository(manager));
        let mut view = view(manager, standing);
        view.issue = record.as_ref().and_then(|r| r.number.filter(|_| r.open));
        steps.extend(step(manager, &view, record, now));
        stacks.push(view);
    }
    // What is new and bad first; then what is over; then what has only grown older.
    steps.sort_by_key(|s| {
        let severity = stacks
            .iter()
            .find(|v| v.stack == s.shown.stack)
            .and_then(|v| v.severity);
        (
            s.shown.act,
            std::cmp::Reverse(severity),
            s.record.as_ref().map(|r| r.written),
            s.shown.stack.clone(),
        )
    });
    let later = steps.len().saturating_sub(MOST);
    steps.truncate(MOST);
    let settings = &manager.estate.settings.drift;
    let today = super::today(manager)?;
    Ok(Report {
        view: DriftView {
            version: 1,
            at: now,
            within_hours: settings.within_hours,
            total: stacks.len(),
            in_time: stacks.iter().filter(|s| s.in_time).count(),
            stacks,
            left_out: survey.left_out,
            expired_rules: settings.ignore.iter().filter(|r| !r.holds(&today)).count(),
            issues: steps.iter().map(|s| s.shown.clone()).collect(),
            later,
        },
        steps,
    })
}

/// A stack as it is shown.
pub fn view(manager: &Manager, standing: &Standing) -> StackView {
    let settings = &manager.estate.settings.drift;
    let judged = &standing.judged;
    let record = standing.record.as_ref();
    let since = judged.told(settings).map(|r: &ResourceView| r.first_seen);
    StackView {
        stack: standing.stack.clone(),
        checked: record.and_then(|r| r.checked),
        in_time: standing.in_time,
        error: record.and_then(|r| r.error.clone()),
        failing_since: record.and_then(|r| r.failing_since),
        severity: judged.severity(),
        since: since.min(),
        resources: judged.resources.clone(),
        omitted: record.map_or(0, |r| r.omitted),
        ignored: judged.ignored.clone(),
        note: record.and_then(|r| r.note.clone()),
        issue: None,
    }
}

/// What a text says, but for what changes with every look.
fn says(view: &StackView) -> Digest {
    let still = StackView {
        checked: None,
        in_time: true,
        issue: None,
        ..view.clone()
    };
    Digest::of(serde_json::to_string(&still).unwrap_or_default().as_bytes())
}

fn step(
    manager: &Manager,
    view: &StackView,
    record: Option<IssueRecord>,
    now: Time,
) -> Option<Step> {
    let wanted = manager.estate.settings.drift.issue_from.is_some() && view.since.is_some();
    let says = says(view);
    let act = match (&record, wanted) {
        (None, false) => return None,
        (None, true) => IssueAct::Open,
        (Some(r), true) if r.number.is_none() => IssueAct::Open,
        (Some(r), true) if r.open && r.says == says && now.since(r.written) < FRESH => {
            return None;
        }
        (Some(_), true) => IssueAct::Update,
        (Some(r), false) if r.number.is_some() && r.open => IssueAct::Close,
        // An issue that may have been opened although its stack is clean by now: it is looked for.
        (Some(r), false) if r.number.is_none() && r.open => IssueAct::Close,
        (Some(_), false) => return None,
    };
    Some(Step {
        shown: IssueStep {
            stack: view.stack.clone(),
            act,
            number: record.as_ref().and_then(|r| r.number),
            title: title(view),
            body: body(view, now, &manager.run.run.url),
        },
        record,
        says,
    })
}

/// Does what a report decided, issue by issue.
pub async fn carry_out(manager: &Manager, report: &mut Report) -> Result<Done, DeliveryError> {
    let mut done = Done::default();
    for step in &report.steps {
        match write(manager, step).await {
            Ok(number) => {
                done.written += 1;
                let stack = |s: &&mut StackView| s.stack == step.shown.stack;
                if let Some(view) = report.view.stacks.iter_mut().find(stack) {
                    view.issue = number.filter(|_| step.shown.act != IssueAct::Close);
                }
            }
            // One that cannot be written must not stop the others; a limit stops them all.
            Err(DeliveryError::Github(error @ GithubError::RateLimited { .. })) => {
                return Err(error.into());
            }
            Err(error) => done.failed.push((step.shown.stack.clone(), say(&error))),
        }
    }
    Ok(done)
}

/// Writes one issue; its number, if there is one in the end.
async fn write(manager: &Manager, step: &Step) -> Result<Option<u64>, DeliveryError> {
    let stack = &step.shown.stack;
    let desk = Desk {
        store: &manager.store,
        client: client(manager),
        repository: repository(manager),
        clock: manager.clock,
        label: LABEL,
    };
    let page = Page {
        key: keys::issue(stack),
        marker: &|nonce: &str| marker(stack, nonce),
        title: &step.shown.title,
        body: &step.shown.body,
        open: step.shown.act != IssueAct::Close,
        says: step.says.clone(),
    };
    desk.write(&page, step.record.as_ref()).await
}
