//! A request as it is shown: to the customer on their pull request, to the provider in the step
//! summary, to programs as JSON version 1.

use crate::engine::change::Changes;
use crate::engine::outcome::{After, Outcome};
use crate::engine::since::Since;
use crate::estate::{Finding, StackId};
use serde::Serialize;

/// Where a stack stands.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum StackState {
    /// Not planned yet.
    Waiting,
    /// Planned.
    Planned,
    /// The plan failed.
    PlanFailed {
        /// Why.
        message: String,
    },
    /// An apply was begun.
    Applying,
    /// Applied, or found to be there already.
    Applied,
    /// The apply failed.
    ApplyFailed {
        /// Why.
        message: String,
    },
    /// Not applied, for a reason.
    Refused {
        /// Why.
        reason: String,
        /// Whether it is planned again by itself.
        again: bool,
    },
}

/// One stack of a request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StackView {
    /// The stack.
    pub stack: StackId,
    /// Where it stands.
    #[serde(flatten)]
    pub state: StackState,
    /// What the plan changes.
    pub changes: Option<Changes>,
    /// The sealed plan's digest.
    pub digest: Option<String>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Warnings of policies.
    pub warnings: Vec<Finding>,
    /// What became of the plan, once it was being applied.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub apply: Option<ApplyView>,
    /// How the plan stands to one that had passed the gate before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<SinceView>,
}

/// What became of a plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ApplyView {
    /// Change by change.
    pub outcome: Option<Outcome>,
    /// What a look right after it found.
    pub after: Option<After>,
    /// Digest of the plan that was made again and applied in the approved one's place.
    pub renewed: Option<String>,
}

/// A plan beside an earlier one.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SinceView {
    /// The earlier plan's digest.
    pub digest: String,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// What differs.
    #[serde(flatten)]
    pub since: Since,
}

/// What the whole request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Overall {
    /// Still at work, or waiting for an approval.
    Pending,
    /// Everything that was asked for is done.
    Success,
    /// Something failed or was refused.
    Failure,
}

/// A request.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RequestView {
    /// JSON version.
    pub version: u8,
    /// Such as `acme/pr-3-…`.
    pub request: String,
    /// The commit.
    pub sha: String,
    /// The pull request that was looked at.
    pub pull_request: Option<u64>,
    /// Whether it is plan only.
    pub plan_only: bool,
    /// What it came to.
    pub overall: Overall,
    /// One line, also the status's description.
    pub headline: String,
    /// The stacks, in promotion order.
    pub stacks: Vec<StackView>,
    /// What was wrong with the customer's file.
    pub findings: Vec<Finding>,
    /// The manager's run.
    pub run_url: Option<String>,
}
