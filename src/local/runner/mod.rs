//! Runs workflows: with `act`, or by driving the steps of tenantry directly.
pub mod act;
mod drift;
pub mod env;
pub mod job;
pub mod process;
pub mod steps;

use super::server::Inner;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What executes a workflow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunnerKind {
    /// Runs are made and stay queued; for tests of the API alone.
    Hold,
    /// tenantry's own steps as child processes, environments enforced here.
    Steps,
    /// The real workflow files, with `act` on the host.
    Act,
}

/// How workflows are run.
#[derive(Debug, Clone)]
pub struct RunnerSettings {
    /// With what.
    pub kind: RunnerKind,
    /// The tenantry binary, for [`RunnerKind::Steps`].
    pub tenantry: PathBuf,
    /// The act binary, for [`RunnerKind::Act`].
    pub act: PathBuf,
    /// `--local-repository` arguments, `OWNER/REPO@REF=PATH`.
    pub local_repositories: Vec<String>,
    /// Search path of every child process, `git` included.
    pub path: String,
    /// Whether this is a GitHub Enterprise Server: its API lies under `/api/v3`, and it signs
    /// identities itself.
    pub enterprise: bool,
    /// Added to the otherwise scrubbed environment of the steps.
    pub extra_env: Vec<(String, String)>,
}

impl RunnerSettings {
    /// No workflow is run.
    pub fn hold(path: &str) -> Self {
        Self {
            kind: RunnerKind::Hold,
            tenantry: PathBuf::new(),
            act: PathBuf::new(),
            local_repositories: Vec::new(),
            path: path.to_owned(),
            enterprise: false,
            extra_env: Vec::new(),
        }
    }
}

/// Starts a task for each run.
pub fn spawn(inner: &Arc<Inner>, runs: Vec<u64>) {
    if inner.runner.kind == RunnerKind::Hold {
        return;
    }
    for run in runs {
        inner.active.fetch_add(1, Ordering::SeqCst);
        let inner = inner.clone();
        tokio::spawn(async move {
            let conclusion = match inner.runner.kind {
                RunnerKind::Act => act::run(&inner, run).await,
                _ => steps::run(&inner, run).await,
            };
            job::finish(&inner, run, conclusion);
            inner.active.fetch_sub(1, Ordering::SeqCst);
        });
    }
}
