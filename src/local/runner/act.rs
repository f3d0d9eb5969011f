//! Runs the real workflow files with `act`.
use super::job::Conclusion;
use crate::local::server::Inner;

/// Runs one workflow run to its end.
pub async fn run(_inner: &Inner, _run: u64) -> Conclusion {
    "failure"
}
