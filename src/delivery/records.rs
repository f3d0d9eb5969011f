//! What the store holds about requests and stacks, and under which keys.
//!
//! ```text
//! requests/<customer>/<name>/request.json                      what was asked, who works on it
//! requests/<customer>/<name>/<product>/<environment>/plan.json what the plan found
//! requests/<customer>/<name>/<product>/<environment>/apply.json intent before, result after
//! comments/<customer>/<number>/{plan,apply}.json               our comment's id
//! unfinished/<customer>.json                                   requests that still need somebody
//! applied/<customer>/<product>/<environment>.json              what was last applied
//! leases/<customer>/<product>/<environment>.json               who applies now
//! plans/<customer>/<product>/<environment>/<id>.age            sealed plans
//! seen/<customer>.json                                         what the last sweep saw
//! identities/<digest>.json                                     tokens that were used
//! ```

use super::hint::Event;
use crate::clock::Time;
use crate::digest::Digest;
use crate::engine::change::Changes;
use crate::engine::outcome::{self, After};
use crate::estate::{CustomerId, Finding, RepoSlug, Sha, StackId};
use crate::github::model::User;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Names a request: `acme/push-<sha>` or `acme/pr-3-<sha>`. The same thing asked twice has the
/// same name, however often and by whatever way it was asked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RequestName {
    /// Whose.
    pub customer: CustomerId,
    /// What happened.
    pub event: Event,
    /// Which commit.
    pub sha: Sha,
}

impl fmt::Display for RequestName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.event {
            Event::Push => write!(f, "{}/push-{}", self.customer, self.sha),
            Event::PullRequest(number) => write!(f, "{}/pr-{number}-{}", self.customer, self.sha),
        }
    }
}

impl FromStr for RequestName {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || {
            format!(
                "`{}` is not a request; write `customer/push-<commit>` or `customer/pr-<number>-<commit>`",
                crate::estate::ids::shown(text)
            )
        };
        let (customer, rest) = text.split_once('/').ok_or_else(wrong)?;
        let customer = CustomerId::new(customer).map_err(|e| e.to_string())?;
        let (event, sha) = if let Some(sha) = rest.strip_prefix("push-") {
            (Event::Push, sha)
        } else {
            let (number, sha) = rest
                .strip_prefix("pr-")
                .and_then(|r| r.split_once('-'))
                .ok_or_else(wrong)?;
            (
                Event::PullRequest(number.parse().map_err(|_| wrong())?),
                sha,
            )
        };
        Ok(Self {
            customer,
            event,
            sha: Sha::new(sha).map_err(|e| e.to_string())?,
        })
    }
}

impl Serialize for RequestName {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for RequestName {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The manager's workflow run that works on something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRef {
    /// Run id.
    pub id: u64,
    /// Attempt.
    pub attempt: u64,
    /// Address of its page.
    pub url: String,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Done.
    Success,
    /// Something failed.
    Failure,
    /// The customer's file was refused.
    Refused,
    /// A newer commit took its place.
    Superseded,
}

/// A finding as it is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredFinding {
    /// Path, line and column.
    pub path: String,
    /// 1-based; 0 for none.
    pub line: usize,
    /// 1-based; 0 for none.
    pub column: usize,
    /// The sentence.
    pub message: String,
    /// The rule.
    pub rule: String,
}

impl From<&Finding> for StoredFinding {
    fn from(f: &Finding) -> Self {
        Self {
            path: f.place.path.clone(),
            line: f.place.line,
            column: f.place.column,
            message: f.message.clone(),
            rule: f.rule.clone().into_owned(),
        }
    }
}

/// A request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Format, 1.
    pub version: u8,
    /// Its name.
    pub name: RequestName,
    /// The customer's repository.
    pub repository: RepoSlug,
    /// Its numeric id.
    pub repository_id: u64,
    /// Who made the change: author, committer, sender, opener. None of them may approve.
    pub authors: Vec<User>,
    /// Whether a commit's author has no GitHub account, so that four eyes cannot be proven.
    pub unknown_author: bool,
    /// What is to be planned, in promotion order.
    pub stacks: Vec<StackId>,
    /// Ids of the hints that asked for it.
    pub hints: Vec<String>,
    /// How often it was begun.
    pub attempt: u32,
    /// Who works on it.
    pub run: RunRef,
    /// When this attempt began.
    pub opened: Time,
    /// Digest of what the estate contributes for this customer.
    pub estate: Digest,
    /// What was wrong with the customer's file.
    pub findings: Vec<StoredFinding>,
    /// How it ended; open while `None`.
    pub outcome: Option<Outcome>,
    /// One line for people, once it has ended.
    pub headline: Option<String>,
    /// Whether the customer has been told how it ended.
    #[serde(default)]
    pub told: bool,
}

/// What a plan found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRecord {
    /// The stack.
    pub stack: StackId,
    /// The request's attempt.
    pub attempt: u32,
    /// The run that planned.
    pub run: RunRef,
    /// Digest over everything that was planned from.
    pub inputs: Digest,
    /// What it changes, or why it failed.
    pub result: PlanResult,
    /// Approvals that this run had for the apply environment before the plan existed. They say
    /// nothing about this plan.
    pub approvals_before: Vec<String>,
    /// Warnings of policies.
    pub warnings: Vec<StoredFinding>,
    /// The plan that passed the gate in an earlier attempt, for comparison.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// When.
    pub at: Time,
}

/// A plan of an earlier attempt that had passed the gate. It lends nobody its approval: it is
/// kept so that people see what is different now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Earlier {
    /// Its digest.
    pub digest: Digest,
    /// Who approved it, where an approval was needed.
    pub approved_by: Option<String>,
    /// When it was made.
    pub at: Time,
    /// What it changes, without sensitive values.
    pub changes: Changes,
    /// The addresses of what was applied of it.
    pub done: Vec<String>,
}

/// The result of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum PlanResult {
    /// There is a sealed plan.
    Planned {
        /// The changes, without sensitive values.
        changes: Changes,
        /// Digest of the sealed manifest.
        digest: Digest,
        /// Key of the sealed plan.
        sealed: String,
    },
    /// It failed.
    Failed {
        /// Why, without secrets.
        message: String,
    },
}

/// Where an apply stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "state")]
pub enum ApplyState {
    /// Begun. If nothing follows, the run was killed.
    Begun,
    /// Done.
    Applied,
    /// Failed.
    Failed {
        /// Why, without secrets.
        message: String,
    },
    /// Refused.
    Refused {
        /// Why.
        reason: String,
        /// Whether a new plan can help, so that the next sweep makes one.
        #[serde(default)]
        again: bool,
    },
}

/// An apply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyRecord {
    /// The stack.
    pub stack: StackId,
    /// The request's attempt.
    pub attempt: u32,
    /// The run.
    pub run: RunRef,
    /// The plan that was approved.
    pub digest: Option<Digest>,
    /// Who approved it.
    pub approved_by: Option<String>,
    /// Where it stands.
    #[serde(flatten)]
    pub state: ApplyState,
    /// The plan that was applied in the approved one's place, because it changes exactly the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Digest>,
    /// What became of each change, once the engine was at it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub outcome: Option<outcome::Outcome>,
    /// What a look right after it found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<After>,
    /// When.
    pub at: Time,
}

impl ApplyRecord {
    /// Of this run, with nothing decided yet.
    pub fn begun(request: &Request, run: &RunRef, stack: &StackId, at: Time) -> Self {
        Self {
            stack: stack.clone(),
            attempt: request.attempt,
            run: run.clone(),
            digest: None,
            approved_by: None,
            state: ApplyState::Begun,
            renewed: None,
            outcome: None,
            after: None,
            at,
        }
    }
}

/// What was last applied to a stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastApplied {
    /// The commit.
    pub sha: Sha,
    /// Digest over everything that was planned from.
    pub inputs: Digest,
    /// The plan.
    pub plan: Digest,
    /// The request.
    pub request: RequestName,
    /// When.
    pub at: Time,
    /// When something was applied here for the first time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<Time>,
    /// How often something was applied here. 0 where the first apply was begun and has not come to
    /// its end: then the rest says what it was about to bring.
    pub count: u64,
    /// Whether another apply was begun since and has not come to its end: what stands there now
    /// may be neither.
    #[serde(default)]
    pub incomplete: bool,
}

impl LastApplied {
    /// Whether an apply ever came to its end here.
    pub fn ever(&self) -> bool {
        self.count > 0
    }
}

/// Our comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommentRecord {
    /// Its id.
    pub id: u64,
    /// The ids of those that continue it.
    #[serde(default)]
    pub more: Vec<u64>,
}

/// What a poll saw last, so that an unchanged customer costs nothing more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// Head of the default branch.
    pub head: Option<String>,
    /// Open pull requests and their heads.
    pub pulls: Vec<(u64, String)>,
    /// Digest of what the estate contributes.
    pub estate: Digest,
    /// Digest of what the audit log was told of settings and credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub terms: Option<Digest>,
}

/// Keys of the store.
pub mod keys {
    use super::{RequestName, StackId};
    use crate::digest::Digest;
    use crate::estate::CustomerId;

    /// The folder of a request.
    pub fn request_folder(name: &RequestName) -> String {
        format!("requests/{name}")
    }
    /// The request itself.
    pub fn request(name: &RequestName) -> String {
        format!("requests/{name}/request.json")
    }
    /// A stack's plan record.
    pub fn plan(name: &RequestName, stack: &StackId) -> String {
        format!(
            "requests/{name}/{}/{}/plan.json",
            stack.product, stack.environment
        )
    }
    /// A stack's apply record.
    pub fn apply(name: &RequestName, stack: &StackId) -> String {
        format!(
            "requests/{name}/{}/{}/apply.json",
            stack.product, stack.environment
        )
    }
    /// The comment of a pull request: one for its plans, one for its applies.
    pub fn comment(customer: &CustomerId, number: u64, plan_only: bool) -> String {
        format!(
            "comments/{customer}/{number}/{}.json",
            if plan_only { "plan" } else { "apply" }
        )
    }
    /// The requests that still need somebody.
    pub fn unfinished(customer: &CustomerId) -> String {
        format!("unfinished/{customer}.json")
    }
    /// What was last applied.
    pub fn applied(stack: &StackId) -> String {
        format!("applied/{stack}.json")
    }
    /// The folder of [`applied`], of one customer or of all.
    pub fn applied_folder(customer: Option<&CustomerId>) -> String {
        customer.map_or_else(|| "applied".to_owned(), |c| format!("applied/{c}"))
    }
    /// Whose [`applied`] this is.
    pub fn stack_of_applied(key: &str) -> Option<StackId> {
        key.strip_prefix("applied/")?
            .strip_suffix(".json")?
            .parse()
            .ok()
    }
    /// The lease.
    pub fn lease(stack: &StackId) -> String {
        format!("leases/{stack}.json")
    }
    /// A token that was used.
    pub fn identity(jti: &str) -> String {
        format!("identities/{}.json", Digest::of(jti.as_bytes()).hex())
    }
    /// Which settings the audit log knows.
    pub fn terms(customer: &CustomerId) -> String {
        format!("terms/{customer}.json")
    }
    /// When a customer sent hints.
    pub fn asked(customer: &CustomerId) -> String {
        format!("asked/{customer}.json")
    }
    /// What a poll saw.
    pub fn seen(customer: &CustomerId) -> String {
        format!("seen/{customer}.json")
    }
    /// A sealed plan.
    pub fn sealed(stack: &StackId, id: &str) -> String {
        format!("plans/{stack}/{id}.age")
    }
}
