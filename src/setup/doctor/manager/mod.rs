//! The manager repository: what is read of it, and how that is judged.

mod allowed;
mod closed;
mod files;
mod judge;
mod keys;
mod read;

pub(super) use closed::{close_default, scanning};
pub use judge::judge;
pub(super) use judge::list;
pub use read::read;

use super::Seen;
use super::environment::Ground;
use super::workflow::Expected;
use crate::estate::{Estate, RepoSlug};
use crate::github::model::Ruleset;
use crate::github::setup::{
    ActionsPermissions, ActiveRule, BranchProtection, RepositorySettings, SelectedActions,
    WorkflowState, WorkflowToken,
};
use std::collections::{BTreeMap, BTreeSet};

/// What is asked for.
#[derive(Debug)]
pub struct Asked<'a> {
    /// The estate.
    pub estate: &'a Estate,
    /// The manager repository.
    pub repository: &'a RepoSlug,
    /// The workflows as this version writes them.
    pub expected: &'a Expected,
    /// What the tool on this machine says about itself; none where there is none.
    pub tool: Option<String>,
}

/// What was read.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The repository.
    pub settings: Seen<RepositorySettings>,
    /// The head of the default branch.
    pub head: Seen<String>,
    /// Names of its secrets, and of those that its organisation gives it.
    pub secrets: Seen<BTreeSet<String>>,
    /// Its variables, over those of its organisation.
    pub variables: Seen<BTreeMap<String, String>>,
    /// The environments that all customers share.
    pub environments: Ground,
    /// The workflow files: blob and text.
    pub files: BTreeMap<String, Seen<Option<(String, String)>>>,
    /// Whether an earlier repair of the files waits for somebody to merge it, by branch.
    pub waiting: Seen<bool>,
    /// The workflows as Actions know them.
    pub states: Seen<Vec<WorkflowState>>,
    /// Which actions may be used.
    pub actions: Seen<ActionsPermissions>,
    /// The list, where only those on it may be used.
    pub selected: Seen<Option<SelectedActions>>,
    /// What a workflow's token may do by default.
    pub token: Seen<WorkflowToken>,
    /// Rules that hold for the default branch.
    pub rules: Seen<Vec<ActiveRule>>,
    /// Its older protection.
    pub protection: Seen<Option<BranchProtection>>,
    /// All rulesets, where hints are dispatched directly.
    pub rulesets: Option<Seen<Vec<Ruleset>>>,
}
