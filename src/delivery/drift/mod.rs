//! Drift: what was changed outside of tenantry since the last apply.
//!
//! `survey` says which stacks there are and which are due, `check` looks at one of them and
//! changes nothing but its own record, `judge` says how bad what was found is, and `issues` tells
//! people. Each stack stands for itself: one that cannot be checked never stops another.

pub mod check;
pub mod issues;
pub mod judge;
pub mod survey;

use super::error::DeliveryError;
pub use super::issue::IssueRecord;
use super::manager::Manager;
use super::records::RunRef;
use crate::clock::Time;
use crate::engine::drift::Drifted;
use crate::estate::StackId;
use crate::estate::allow::Date;
use serde::{Deserialize, Serialize};

/// The most resources of one stack that are kept, what is gone first.
pub const KEPT: usize = 500;
/// The most attributes of one resource that are kept.
pub const KEPT_ATTRIBUTES: usize = 50;

/// A resource that drifted, and since when that is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// When it was first seen.
    pub first_seen: Time,
    /// What it is.
    #[serde(flatten)]
    pub drifted: Drifted,
}

/// What the checks of a stack have found. Ignore rules have no say here: they are judged by
/// whoever reads it, so that a rule holds from the day it is written to the day it ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckRecord {
    /// Format, 1.
    pub version: u8,
    /// The stack.
    pub stack: StackId,
    /// The run of the last try.
    pub run: RunRef,
    /// When that was.
    pub tried: Time,
    /// When a try last came to a result.
    pub checked: Option<Time>,
    /// Why the last try came to none, without secrets.
    pub error: Option<String>,
    /// Since when tries come to none.
    pub failing_since: Option<Time>,
    /// What the last result was; empty when clean. Without sensitive values.
    pub drift: Vec<Seen>,
    /// How many resources more there were.
    pub omitted: usize,
    /// Whether the stack was looked at with exactly what was applied; otherwise the estate has
    /// changed since, and that is not applied yet.
    pub exact: bool,
    /// What else a reader must know.
    pub note: Option<String>,
}

/// Keys of the store.
pub mod keys {
    use crate::estate::StackId;

    /// What the checks of a stack have found.
    pub fn check(stack: &StackId) -> String {
        format!("drift/{stack}/check.json")
    }
    /// A stack's issue.
    pub fn issue(stack: &StackId) -> String {
        format!("drift/{stack}/issue.json")
    }
    /// The folder of everything that was applied.
    pub const APPLIED: &str = "applied";
}

/// The day, for rules that end.
pub fn today(manager: &Manager) -> Result<Date, DeliveryError> {
    let now = manager.clock.now().to_string();
    let day = now.get(..10).unwrap_or_default();
    day.parse().map_err(DeliveryError::Setting)
}
