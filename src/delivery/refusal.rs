//! A refusal: an answer with a reason. It stands alone, so that what reads a request needs nothing else.

/// Why something is not done, in words for the person who asked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Refusal {
    /// A short word for programs, such as `identity-expired`.
    pub code: &'static str,
    /// The sentence.
    pub reason: String,
}

impl Refusal {
    /// Whether a new plan can help: something moved or somebody else was at it, and nobody has
    /// done anything wrong.
    pub fn again(&self) -> bool {
        matches!(
            self.code,
            "lease"
                | "plan-state"
                | "plan-old"
                | "plan-stale"
                | "plan-inputs"
                | "plan-different"
                | "plan-tool"
                | "estate-moved"
                | "gitops-moved"
                | "gitops-busy"
                | "promotion"
        )
    }
    /// A refusal.
    pub fn new(code: &'static str, reason: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.into(),
        }
    }
}
