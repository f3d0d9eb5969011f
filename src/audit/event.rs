//! What a record can be about: names, digests and counts. Never a value of a customer, never a
//! secret, never what a tool printed.

use crate::digest::Digest;
use crate::estate::{EnvironmentId, Sha, StackId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// The longest foreign text in a record, in bytes.
const LONGEST: usize = 300;

/// Foreign text, not longer than a record may hold. It is escaped where it is shown.
pub fn bounded(text: &str) -> String {
    if text.len() <= LONGEST {
        return text.to_owned();
    }
    let mut end = LONGEST;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

/// Somebody with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Person {
    /// Numeric id.
    pub id: u64,
    /// Login at that time.
    pub login: String,
}

/// Who or what did it: a workflow run, and who started it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Who sent the event that started the run; nobody for a schedule.
    pub sender: Option<Person>,
    /// The run's id.
    pub run: u64,
    /// Its attempt.
    pub attempt: u64,
    /// The address of its page.
    pub url: String,
}

/// What an environment's gate demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GateSetting {
    /// Which.
    pub environment: EnvironmentId,
    /// Whether somebody must approve.
    pub approval: bool,
    /// Whose approval counts; empty means everyone whom GitHub lets review.
    pub approvers: Vec<String>,
}

/// What the registry says of a credential. Never its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CredentialState {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub purpose: String,
    /// What it is, such as `github-classic`.
    pub kind: String,
    /// `active`, `rotating` or `revoked`; `gone` where its entry was removed.
    pub status: String,
    /// Whose it is.
    pub owner: Option<String>,
    /// Of its value, where the registry holds one.
    pub fingerprint: Option<Digest>,
}

/// What happened. New kinds may come; a reader keeps those that it does not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Event {
    /// A request was verified and opened. Written before.
    RequestOpened {
        /// How often it was begun.
        attempt: u32,
        /// The commit.
        commit: Sha,
        /// Who had a part in the change: author, committer, opener, merger, sender.
        authors: Vec<Person>,
        /// Whether a commit's author has no account.
        unknown_author: bool,
        /// What is to be planned.
        stacks: Vec<StackId>,
        /// Digest of what the estate contributes.
        estate: Digest,
    },
    /// Something that was asked for by somebody certain was refused.
    Refused {
        /// The attempt, where there is a request.
        attempt: Option<u32>,
        /// A word for programs.
        code: String,
        /// The sentence, without values.
        reason: Option<String>,
        /// How many mistakes a customer's file has.
        findings: u64,
        /// The rules that they break.
        rules: Vec<String>,
    },
    /// A plan was made and sealed. Written before it can be approved.
    Planned {
        /// The request's attempt.
        attempt: u32,
        /// Digest of the sealed manifest.
        digest: Digest,
        /// Digest of everything that it was made from.
        inputs: Digest,
        /// How many resources are changed, by action.
        changes: BTreeMap<String, u64>,
    },
    /// A plan could not be made.
    PlanFailed {
        /// The request's attempt.
        attempt: u32,
        /// A word for programs.
        code: String,
        /// The sentence, where it is one of ours.
        reason: Option<String>,
    },
    /// The gate let a plan pass. Written before the apply begins.
    Approved {
        /// The request's attempt.
        attempt: u32,
        /// The plan that was approved.
        digest: Digest,
        /// Who approved it, where the gate demands somebody and the plan changes something.
        by: Option<String>,
        /// The GitHub environment.
        environment: String,
        /// The plan that was shown and approved, where this one was made later and changes
        /// exactly the same.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        same_as: Option<Digest>,
    },
    /// An apply begins. Written before the first change.
    ApplyBegun {
        /// The request's attempt.
        attempt: u32,
        /// The plan.
        digest: Digest,
        /// Digest of everything that it was made from.
        inputs: Digest,
        /// Whether the settings demand an approval for this environment.
        gated: bool,
        /// How many resources the plan changes.
        changes: u64,
        /// Who approved it.
        approved_by: Option<String>,
    },
    /// An apply came to its end. Written after.
    ApplyEnded {
        /// The request's attempt.
        attempt: u32,
        /// The plan, if it came to that.
        digest: Option<Digest>,
        /// How it ended.
        result: ApplyResult,
        /// A word for programs, where it did not succeed.
        code: Option<String>,
        /// The sentence, where it is one of ours.
        reason: Option<String>,
    },
    /// A stack may be applied by somebody else again.
    LeaseReleased {
        /// The request's attempt.
        attempt: u32,
    },
    /// The settings under which this customer's changes are planned and applied are others than
    /// before, or known for the first time. Written before the first request under them.
    SettingsChanged {
        /// Digest over all that follows but the commit.
        settings: Digest,
        /// The commit of the manager repository.
        commit: Option<Sha>,
        /// In the order of promotion.
        gates: Vec<GateSetting>,
        /// How hints arrive.
        hints: String,
        /// Whether a hint must carry an identity token.
        identity: bool,
        /// How old a plan may be that is applied.
        max_age_hours: u64,
        /// Digest over the policies.
        policies: Digest,
    },
    /// What the registry says of this customer's credentials is not what it said before.
    CredentialsChanged {
        /// The commit of the manager repository.
        commit: Option<Sha>,
        /// Those that were added, changed, rotated, revoked or removed.
        credentials: Vec<CredentialState>,
    },
    /// A check found what was changed outside of tenantry, where the one before found nothing.
    DriftFound {
        /// The worst of it: `low`, `medium` or `high`.
        severity: String,
        /// How many resources or files.
        resources: u64,
    },
    /// A check found nothing of it any more.
    DriftCleared,
    /// A request came to its end.
    RequestClosed {
        /// The attempt.
        attempt: u32,
        /// `success`, `failure`, `refused` or `superseded`.
        outcome: String,
    },
}

/// How an apply ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ApplyResult {
    /// The plan was applied.
    Applied,
    /// Another run had brought the stack there; nothing was changed.
    AlreadyThere,
    /// It failed.
    Failed,
    /// It was refused.
    Refused,
}

impl ApplyResult {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::AlreadyThere => "already-there",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }
}

/// Reads an event; `None` for a kind, or a form of one, that this version does not know.
pub fn known(event: &Value) -> Option<Event> {
    Event::deserialize(event).ok()
}

/// A record that is to be written.
#[derive(Debug, Clone)]
pub struct Draft {
    /// Who does it.
    pub actor: Actor,
    /// The request, such as `acme/push-<commit>`.
    pub request: Option<String>,
    /// The stack.
    pub stack: Option<StackId>,
    /// What happened.
    pub event: Event,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn foreign_text_is_cut_between_characters() {
        assert_eq!(bounded("short"), "short");
        let long = "ä".repeat(1_000);
        assert!(bounded(&long).len() <= LONGEST + '…'.len_utf8());
    }

    #[test]
    fn a_kind_of_a_later_version_is_not_an_error() {
        assert_eq!(
            known(&serde_json::json!({"kind": "credential-rotated"})),
            None
        );
        assert_eq!(
            known(&serde_json::json!({"kind": "lease-released", "attempt": 1, "later": true})),
            Some(Event::LeaseReleased { attempt: 1 })
        );
    }
}
