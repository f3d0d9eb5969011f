//! Bringing a customer in: a pull request in their repository, the variables that their workflow
//! needs, and a first plan. What is shown is the value that is carried out; what is there already
//! is left as it is, so a second run goes on where the first one ended.

mod carry;
pub mod environments;
mod files;
mod first;
mod ground;
mod look;

pub use carry::{Done, carry_out};
pub use files::{Templates, Wanted, wanted};
pub use first::{First, Watch, first};
pub(crate) use ground::{head, repository, scopes};
pub use look::{Ask, look};
pub(crate) use look::{unreadable, variables};

use crate::estate::{CustomerId, RepoSlug, Sha};
use crate::github::Client;
use crate::github::proposal::Right;
use crate::github::setup::Change;
use crate::report::escape::terminal;
use crate::setup::doctor::environment::{ROLE, SEAL_KEY};
use serde_json::{Value, json};

/// The branch that the pull request comes from.
pub const BRANCH: &str = "tenantry/onboarding";
/// The manager's workflow that looks at one customer when a person asks.
pub const WORKFLOW: &str = "deploy.yml";

/// For whom the two repositories are spoken to; one token often reaches only one owner's.
#[derive(Debug, Clone)]
pub struct Sides {
    /// The customer's repository.
    pub customer: Client,
    /// The manager repository.
    pub manager: Client,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Number.
    pub number: u64,
    /// Head.
    pub sha: Sha,
}

/// One step. Each can be done again without harm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A commit with files that are not there yet.
    Commit {
        /// The branch.
        branch: String,
        /// Whether the branch has to be made.
        new: bool,
        /// What it is built upon.
        parent: Sha,
        /// Message.
        message: String,
        /// Path and text; none removes the file.
        files: Vec<(String, Option<String>)>,
    },
    /// A variable that is not there yet.
    Variable {
        /// Name.
        name: String,
        /// Value.
        value: String,
    },
    /// A variable that is taken away.
    NoVariable {
        /// Name.
        name: String,
    },
    /// An environment of the manager repository that is not there yet, or not protected enough.
    Environment {
        /// Name.
        name: String,
        /// The one that it is protected like.
        like: String,
        /// Whether it is not there.
        new: bool,
        /// What makes it, or protects it.
        changes: Vec<Change>,
    },
    /// An environment that is taken away, with its secrets.
    NoEnvironment {
        /// Name.
        name: String,
    },
    /// The key that opens plans, as a secret of an environment that does not have it.
    SealKey {
        /// Its name.
        environment: String,
    },
    /// The key is taken out of an environment.
    NoSealKey {
        /// Its name.
        environment: String,
    },
    /// The cloud role of a customer's applies, as a variable of an environment.
    Role {
        /// Its name.
        environment: String,
        /// The role.
        role: String,
    },
    /// A pull request.
    Open {
        /// From.
        branch: String,
        /// Into.
        base: String,
        /// Title.
        title: String,
        /// Markdown.
        text: String,
    },
    /// A pull request that is closed without being merged.
    Close {
        /// Its number.
        number: u64,
    },
    /// The manager's workflow is started for this customer.
    Start {
        /// The branch that it runs on.
        branch: String,
    },
}

/// What is to be done for one customer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// For whom.
    pub customer: CustomerId,
    /// Their repository as it is called now.
    pub repository: RepoSlug,
    /// The manager repository.
    pub manager: RepoSlug,
    /// In order.
    pub steps: Vec<Step>,
    /// What is there already and stays.
    pub keeps: Vec<String>,
    /// What whoever reads this should know.
    pub notes: Vec<String>,
    /// The pull request, if it is open already.
    pub pull: Option<Pull>,
}

impl Step {
    /// What it needs a right to.
    fn right(&self) -> Right {
        match self {
            Self::Commit { .. } => Right::Contents,
            Self::Variable { .. } | Self::NoVariable { .. } => Right::Variables,
            Self::Environment { .. } | Self::NoEnvironment { .. } => Right::Environments,
            Self::SealKey { .. } | Self::NoSealKey { .. } | Self::Role { .. } => {
                Right::EnvironmentSettings
            }
            Self::Open { .. } | Self::Close { .. } => Right::Pulls,
            Self::Start { .. } => Right::Runs,
        }
    }

    /// One line, and what belongs to it below.
    fn words(&self, plan: &Plan) -> (String, String) {
        let repository = &plan.repository;
        match self {
            Self::Commit {
                branch, new, files, ..
            } => {
                let word = if *new { "create" } else { "add to" };
                let mut below = String::new();
                for (path, text) in files {
                    match text {
                        Some(text) => {
                            below.push_str(&format!("  create {path}\n"));
                            for line in text.lines() {
                                below.push_str(&format!("    + {}\n", terminal(line)));
                            }
                        }
                        None => below.push_str(&format!("  remove {path}\n")),
                    }
                }
                (format!("{word} branch {branch} of {repository}"), below)
            }
            Self::Variable { name, value } => (
                format!("set variable {name} of {repository} to {value}"),
                String::new(),
            ),
            Self::NoVariable { name } => (
                format!("remove variable {name} of {repository}"),
                String::new(),
            ),
            Self::Environment {
                name,
                like,
                new,
                changes,
            } => {
                let word = if *new { "create" } else { "protect" };
                let mut below = String::new();
                for change in changes {
                    below.push_str(&format!(
                        "  {} {} {}\n",
                        change.method,
                        terminal(&change.path),
                        change.body
                    ));
                }
                (
                    format!(
                        "{word} environment {name} of {}, protected like {like}",
                        plan.manager
                    ),
                    below,
                )
            }
            Self::NoEnvironment { name } => (
                format!(
                    "remove environment {name} of {}, with its secrets",
                    plan.manager
                ),
                String::new(),
            ),
            Self::NoSealKey { environment } => (
                format!("remove secret {SEAL_KEY} of environment {environment}"),
                String::new(),
            ),
            Self::SealKey { environment } => (
                format!("set secret {SEAL_KEY} of environment {environment}"),
                String::new(),
            ),
            Self::Role { environment, role } => (
                format!("set variable {ROLE} of environment {environment} to {role}"),
                String::new(),
            ),
            Self::Open {
                branch,
                base,
                title,
                text,
            } => {
                let mut below = String::new();
                for line in text.lines() {
                    below.push_str(&format!("    | {}\n", terminal(line)));
                }
                (
                    format!(
                        "open a pull request in {repository} from {branch} into {base}: {}",
                        terminal(title)
                    ),
                    below,
                )
            }
            Self::Close { number } => (
                format!("close pull request {repository}#{number}"),
                String::new(),
            ),
            Self::Start { .. } => (
                format!(
                    "start {WORKFLOW} of {} for customer {}: it plans the pull request, and applies nothing of it",
                    plan.manager, plan.customer
                ),
                String::new(),
            ),
        }
    }
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// For people.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            let (line, below) = step.words(self);
            out.push_str(&format!("{line}\n{below}"));
        }
        for keep in &self.keeps {
            out.push_str(&format!("keep {keep}\n"));
        }
        for note in &self.notes {
            out.push_str(&format!("note: {}\n", terminal(note)));
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        let steps: Vec<Value> = self
            .steps
            .iter()
            .map(|step| match step {
                Step::Commit {
                    branch, new, files, ..
                } => {
                    let files: Vec<Value> = files
                        .iter()
                        .map(|(path, text)| json!({"path": path, "text": text}))
                        .collect();
                    json!({"step": "commit", "branch": branch, "new": new, "files": files})
                }
                Step::Variable { name, value } => {
                    json!({"step": "variable", "name": name, "value": value})
                }
                Step::NoVariable { name } => json!({"step": "remove-variable", "name": name}),
                Step::Environment {
                    name,
                    like,
                    new,
                    changes,
                } => {
                    json!({"step": "environment", "name": name, "like": like, "new": new, "calls": changes})
                }
                Step::NoEnvironment { name } => {
                    json!({"step": "remove-environment", "name": name})
                }
                Step::NoSealKey { environment } => {
                    json!({"step": "remove-environment-secret", "environment": environment, "name": SEAL_KEY})
                }
                Step::SealKey { environment } => {
                    json!({"step": "environment-secret", "environment": environment, "name": SEAL_KEY})
                }
                Step::Role { environment, role } => {
                    json!({"step": "environment-variable", "environment": environment, "name": ROLE, "value": role})
                }
                Step::Open {
                    branch,
                    base,
                    title,
                    text,
                } => {
                    json!({"step": "open", "branch": branch, "base": base, "title": title, "text": text})
                }
                Step::Close { number } => json!({"step": "close", "number": number}),
                Step::Start { .. } => {
                    json!({"step": "start", "repository": self.manager, "workflow": WORKFLOW})
                }
            })
            .collect();
        json!({
            "customer": self.customer, "repository": self.repository, "steps": steps,
            "keeps": self.keeps, "notes": self.notes,
            "pull_request": self.pull.as_ref().map(|p| p.number),
        })
    }
}
