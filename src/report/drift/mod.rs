//! What was changed outside of tenantry, as it is shown: as an issue, in a step summary, in a
//! terminal, and as JSON version 1.

mod issue;
mod page;

pub use issue::{body, marker, title};
pub use page::{line, summary, text};

use crate::clock::Time;
use crate::engine::drift::{Drifted, Outside};
use crate::estate::StackId;
use crate::estate::drift::Severity;
use serde::Serialize;

/// A resource that drifted, judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ResourceView {
    /// How bad.
    pub severity: Severity,
    /// When it was first seen.
    pub first_seen: Time,
    /// What it is.
    #[serde(flatten)]
    pub drifted: Drifted,
}

/// Something that a rule ignores.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IgnoredView {
    /// The resource.
    pub address: String,
    /// Who answers for the rule.
    pub owner: String,
    /// Why.
    pub reason: String,
    /// Its last day.
    pub until: String,
}

/// One stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StackView {
    /// The stack.
    pub stack: StackId,
    /// The last time that a check came to a result.
    pub checked: Option<Time>,
    /// Whether that is recent enough.
    pub in_time: bool,
    /// Why the last try came to none.
    pub error: Option<String>,
    /// Since when that is so.
    pub failing_since: Option<Time>,
    /// The worst of all.
    pub severity: Option<Severity>,
    /// When the drift that is worth telling was first seen.
    pub since: Option<Time>,
    /// What drifted and is not ignored, the worst first.
    pub resources: Vec<ResourceView>,
    /// How many more were not kept.
    pub omitted: usize,
    /// What is ignored.
    pub ignored: Vec<IgnoredView>,
    /// What else a reader must know.
    pub note: Option<String>,
    /// The issue.
    pub issue: Option<u64>,
}

/// What is done about one issue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum IssueAct {
    /// Opened.
    Open,
    /// Closed, because the stack is clean.
    Close,
    /// Given another text; opened again if somebody closed it.
    Update,
}

impl IssueAct {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Open => "open an issue",
            Self::Close => "close the issue",
            Self::Update => "update the issue",
        }
    }
}

/// One change of an issue, as it is shown and as it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IssueStep {
    /// The stack.
    pub stack: StackId,
    /// What is done.
    pub act: IssueAct,
    /// The issue's number, if there is one.
    pub number: Option<u64>,
    /// Its title.
    pub title: String,
    /// Its text, without the hidden line in front.
    pub body: String,
}

/// Everything that a report says.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DriftView {
    /// JSON version.
    pub version: u8,
    /// When.
    pub at: Time,
    /// Every stack is to be checked within this many hours.
    pub within_hours: u64,
    /// How many stacks are to be checked.
    pub total: usize,
    /// How many of them were, in time.
    pub in_time: usize,
    /// The stacks.
    pub stacks: Vec<StackView>,
    /// Applied stacks that are not checked any more, and why.
    pub left_out: Vec<(StackId, String)>,
    /// Rules that expired.
    pub expired_rules: usize,
    /// What is to be done about issues in this run.
    pub issues: Vec<IssueStep>,
    /// What has to wait for the next run.
    pub later: usize,
}

/// `3 days`, `5 hours`, `less than an hour`.
pub fn age(seconds: u64) -> String {
    let (n, unit) = match seconds / 3600 {
        0 => return "less than an hour".to_owned(),
        hours if hours < 48 => (hours, "hour"),
        hours => (hours / 24, "day"),
    };
    format!("{n} {unit}{}", if n == 1 { "" } else { "s" })
}

fn ago(at: Time, now: Time) -> String {
    format!("{at} ({} ago)", age(now.since(at)))
}

/// `1 deleted, 2 changed`.
pub fn counts(resources: &[ResourceView]) -> String {
    let words: Vec<String> = [Outside::Deleted, Outside::Changed]
        .into_iter()
        .filter_map(|outside| {
            let of = |r: &&ResourceView| r.drifted.outside == outside;
            match resources.iter().filter(of).count() {
                0 => None,
                n => Some(format!("{n} {}", outside.word())),
            }
        })
        .collect();
    match words.is_empty() {
        true => "nothing".to_owned(),
        false => words.join(", "),
    }
}

/// The stacks whose drift is worth telling, the worst and oldest first.
fn told(view: &DriftView) -> impl Iterator<Item = &StackView> {
    let mut all: Vec<&StackView> = view.stacks.iter().filter(|s| s.since.is_some()).collect();
    all.sort_by_key(|s| (std::cmp::Reverse(s.severity), s.since));
    all.into_iter()
}

/// One line: `11 of 12 stacks checked within 24 hours, 2 drifted`.
pub fn headline(view: &DriftView) -> String {
    format!(
        "{} of {} stacks checked within {} hours, {} drifted",
        view.in_time,
        view.total,
        view.within_hours,
        told(view).count()
    )
}

#[cfg(test)]
#[path = "../drift_tests.rs"]
mod tests;
