//! What can go wrong in the loop: a refusal is an answer, an error means "could not find out".

use crate::audit::AuditError;
use crate::engine::plan_json::PlanJsonError;
use crate::engine::redact::Redactor;
use crate::engine::terraform::TerraformError;
use crate::estate::Findings;
use crate::github::GithubError;
use crate::store::StoreError;
use crate::store::seal::SealError;

/// Could not find out, or could not do.
#[derive(Debug, thiserror::Error)]
pub enum DeliveryError {
    /// GitHub.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The audit log: what cannot be recorded is not done.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Sealing.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// The engine.
    #[error(transparent)]
    Terraform(#[from] TerraformError),
    /// The plan.
    #[error(transparent)]
    Plan(#[from] PlanJsonError),
    /// The estate or the customer's file.
    #[error(transparent)]
    Findings(#[from] Findings),
    /// Something was refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// A setting is missing.
    #[error("{0}")]
    Setting(String),
}

impl DeliveryError {
    /// The same error with nothing in its texts that `redactor` knows as secret. Errors of GitHub,
    /// the store and sealing hold no text of a run; plans are never quoted.
    pub fn redacted(self, redactor: &Redactor) -> Self {
        match self {
            Self::Terraform(TerraformError::Failed { step, message }) => TerraformError::Failed {
                message: redactor.text(&message).into_owned(),
                step,
            }
            .into(),
            Self::Terraform(TerraformError::Locked { step, mut lock }) => {
                lock.who = redactor.text(&lock.who).into_owned();
                TerraformError::Locked { step, lock }.into()
            }
            Self::Findings(findings) => redactor.findings(findings).into(),
            Self::Refused(Refusal { code, reason }) => {
                Refusal::new(code, redactor.text(&reason).into_owned()).into()
            }
            Self::Setting(text) => Self::Setting(redactor.text(&text).into_owned()),
            other @ (Self::Github(_)
            | Self::Store(_)
            | Self::Audit(_)
            | Self::Seal(_)
            | Self::Terraform(_)
            | Self::Plan(_)) => other,
        }
    }
}

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
