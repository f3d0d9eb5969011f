//! The demo: one change all the way on a local GitHub, told as it happens, and left behind as a
//! page. What may not enter: printing and the environment; whoever starts it brings a
//! [`Narrator`].

mod actions;
mod attack;
mod look;
mod markdown;
mod page;
mod play;
mod teller;

pub use actions::write as write_actions;
pub use page::{PageError, page};
pub use play::play;

use super::stage::{CommentSeen, StageError};
use serde::Serialize;

/// Who tells the story while it happens.
pub trait Narrator {
    /// A chapter begins; `number` counts from 1.
    fn begins(&mut self, number: usize, of: usize, title: &str);
    /// Something happened in it.
    fn says(&mut self, line: &str);
    /// It is over.
    fn ends(&mut self, chapter: &Chapter);
}

/// Why the story could not be told to its end.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// The stage.
    #[error(transparent)]
    Stage(#[from] StageError),
    /// What came is not what the story says. That is a mistake of ours or of a missing tool.
    #[error("the story went another way: {what}\n{log}")]
    Unexpected {
        /// What should have been.
        what: String,
        /// The end of the last run's log.
        log: String,
    },
    /// A run did not come to an end.
    #[error("no end after {seconds} s while {what}")]
    Stuck {
        /// What was waited for.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// An id of ours.
    #[error(transparent)]
    Id(#[from] crate::estate::ids::BadId),
}

/// The whole story, as a value: the page and the JSON document are made from it.
#[derive(Debug, Clone, Serialize)]
pub struct Story {
    /// Version of this document.
    pub version: u8,
    /// `terraform` or `argocd`.
    pub engine: String,
    /// Which engine and runner, and why these.
    pub chosen: Vec<String>,
    /// When it was told, in UTC.
    pub date: String,
    /// How long it took.
    pub seconds: f64,
    /// What happened, in order.
    pub steps: Vec<Chapter>,
    /// Every run of the manager's workflows.
    pub runs: Vec<RunSeen>,
    /// What was deployed: state files, or the files of the GitOps repository.
    pub files: Vec<String>,
    /// What these files are.
    pub files_are: String,
}

/// One chapter.
#[derive(Debug, Clone, Serialize)]
pub struct Chapter {
    /// From 1.
    pub number: usize,
    /// One line.
    pub title: String,
    /// What was said, in order.
    pub lines: Vec<String>,
    /// How long it took.
    pub seconds: f64,
    /// What people saw on GitHub.
    pub scenes: Vec<Scene>,
}

/// Something that people see on GitHub.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case", tag = "kind")]
pub enum Scene {
    /// A pull request.
    Pull(PullSeen),
    /// The statuses of a commit.
    Commit(CommitSeen),
    /// A decision of a reviewer.
    Approval(ApprovalSeen),
    /// Requests that are not what they claim to be.
    Attempts {
        /// One each.
        attempts: Vec<Attempt>,
    },
    /// Names and what they are.
    Facts {
        /// What they are about.
        title: String,
        /// Pairs.
        rows: Vec<(String, String)>,
    },
}

/// A pull request as its author finds it.
#[derive(Debug, Clone, Serialize)]
pub struct PullSeen {
    /// `owner/name`.
    pub repository: String,
    /// Number.
    pub number: u64,
    /// Title.
    pub title: String,
    /// Who opened it.
    pub author: String,
    /// `open` or `merged`.
    pub state: &'static str,
    /// The changed file.
    pub file: String,
    /// Its changed lines: sign, line number, text.
    pub diff: Vec<(char, usize, String)>,
    /// Comments, oldest first.
    pub comments: Vec<CommentSeen>,
    /// The head commit.
    pub head: CommitSeen,
}

/// A commit and its statuses.
#[derive(Debug, Clone, Serialize)]
pub struct CommitSeen {
    /// `owner/name`.
    pub repository: String,
    /// Full id.
    pub sha: String,
    /// What this commit is.
    pub what: String,
    /// Oldest first.
    pub statuses: Vec<StatusAt>,
}

/// A status with its author and time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct StatusAt {
    /// `pending`, `success` or `failure`.
    pub state: String,
    /// One line.
    pub description: String,
    /// Name of the status.
    pub context: String,
    /// Who set it.
    pub by: String,
    /// When, `HH:MM:SS` UTC.
    pub at: String,
}

/// A decision of a reviewer.
#[derive(Debug, Clone, Serialize)]
pub struct ApprovalSeen {
    /// The manager's run.
    pub run: u64,
    /// Who.
    pub by: String,
    /// `approved` or `rejected`.
    pub state: String,
    /// What they wrote.
    pub comment: String,
    /// For which environments.
    pub environments: Vec<String>,
}

/// A request that is not what it claims to be.
#[derive(Debug, Clone, Serialize)]
pub struct Attempt {
    /// What was tried.
    pub what: String,
    /// Who refused it: `GitHub` or `tenantry`.
    pub by: &'static str,
    /// The answer.
    pub answer: String,
}

/// A run of a manager's workflow.
#[derive(Debug, Clone, Serialize)]
pub struct RunSeen {
    /// Id.
    pub id: u64,
    /// Chapter in which it began.
    pub step: usize,
    /// Name of the workflow.
    pub workflow: String,
    /// What started it.
    pub event: String,
    /// `success`, `failure`, …; the status while it is not over.
    pub conclusion: String,
    /// Its jobs that were not skipped.
    pub jobs: Vec<JobSeen>,
}

/// A job of a run.
#[derive(Debug, Clone, Serialize)]
pub struct JobSeen {
    /// Key in the workflow file.
    pub name: String,
    /// `success`, `failure`, …
    pub conclusion: String,
    /// Environment it ran in.
    pub environment: Option<String>,
    /// How long.
    pub seconds: i64,
}
