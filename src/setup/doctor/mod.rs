//! Is everything set up as it must be? Facts are read, judged by pure functions, and what is found
//! can be repaired by changes that are shown before.
//!
//! What could not be read is "could not be checked", which is never "fine". A judge has no way to
//! ask further: each area has a reader and a judge of its own, and repairs are values.

pub mod check;
pub mod credential;
pub mod customer;
pub mod environment;
pub mod fleet;
pub mod manager;
pub mod owners;
pub mod repair;
pub mod sheet;
pub mod storage;
pub mod trust;
pub mod workflow;

pub use check::{Area, Check, Severity};
pub use repair::{Act, Repair};
pub use sheet::{Outcome, Sheet, Verdict};

use crate::github::GithubError;

/// What was read, or why it could not be.
pub type Seen<T> = Result<T, String>;

/// What GitHub did not tell, in a sentence.
pub fn seen<T>(read: Result<T, GithubError>) -> Seen<T> {
    read.map_err(|e| match e {
        GithubError::NotFound { call } | GithubError::Forbidden { call, .. } => {
            format!("this token may not read it ({call})")
        }
        other => other.to_string(),
    })
}
