//! The tool as a child process: what it may see, how long it may take, and what it says.

use super::{TerraformError, lock};
use crate::engine::launch::{Launch, Output, Run};
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// The tool and what it may see.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Path of `tofu` or `terraform`.
    pub binary: PathBuf,
    /// The whole environment of the child, chosen by the caller.
    pub env: Vec<(OsString, OsString)>,
    /// Limit for one run.
    pub limit: Duration,
    /// What must not be seen in what the tool says.
    pub redactor: Redactor,
    /// Starts it.
    pub launch: Arc<dyn Launch>,
}

impl Tool {
    /// The binary's file name.
    pub(super) fn name(&self) -> String {
        self.binary
            .file_name()
            .map_or_else(|| "terraform".into(), |n| n.to_string_lossy().into_owned())
    }

    /// Runs to a good end and returns the output, or says why not.
    pub(super) async fn run(
        &self,
        folder: &Path,
        args: &[&str],
    ) -> Result<Vec<u8>, TerraformError> {
        let done = self.output(folder, args, None).await?;
        if done.success {
            return Ok(done.stdout);
        }
        let text = unboxed(&String::from_utf8_lossy(&done.stderr));
        Err(self.failure(folder, args, &text).await)
    }

    /// The same with the output in a file, which holds it also when the tool was stopped.
    pub(super) async fn run_into(
        &self,
        folder: &Path,
        args: &[&str],
        file: &Path,
    ) -> Result<Ended, TerraformError> {
        std::fs::write(file, b"").map_err(|source| TerraformError::Folder {
            path: file.to_owned(),
            source,
        })?;
        let done = self.output(folder, args, Some(file)).await?;
        Ok(match done.success {
            true => Ended::Well,
            false => Ended::Badly(unboxed(&String::from_utf8_lossy(&done.stderr))),
        })
    }

    /// The error for what the tool said, with everything secret hidden.
    pub(super) async fn failure(&self, folder: &Path, args: &[&str], text: &str) -> TerraformError {
        let mut redactor = self.redactor.clone();
        if matches!(args.first(), Some(&("plan" | "apply"))) {
            // What the state holds of secrets, also of resources that were made just now, is
            // known to nobody here yet. Without a state there is nothing to learn.
            let show = ["show", "-json", "-no-color"];
            if let Ok(state) = self.output(folder, &show, None).await
                && state.success
            {
                let _ = plan_json::learn_state(&state.stdout, &mut redactor);
            }
        }
        let step = self.step(args);
        if let Some(lock) = lock::read(text, &redactor) {
            return TerraformError::Locked { step, lock };
        }
        // Hidden before it is cut: a part of a secret is no longer known as one.
        TerraformError::Failed {
            step,
            message: last_part(&redactor.text(text)),
        }
    }

    fn step(&self, args: &[&str]) -> String {
        let verb = args.first().copied().unwrap_or_default();
        format!("{} {verb}", self.name())
    }

    async fn output(
        &self,
        folder: &Path,
        args: &[&str],
        into: Option<&Path>,
    ) -> Result<Output, TerraformError> {
        let step = self.step(args);
        tracing::info!(step = %step, "running");
        let run = Run {
            binary: &self.binary,
            args,
            folder,
            env: &self.env,
            into,
        };
        match tokio::time::timeout(self.limit, self.launch.launch(run)).await {
            Ok(done) => done.map_err(|source| TerraformError::Start {
                binary: self.binary.display().to_string(),
                source,
            }),
            Err(_) => Err(TerraformError::TimedOut {
                step,
                minutes: self.limit.as_secs() / 60,
            }),
        }
    }
}

/// How a tool ended whose output went into a file.
pub(super) enum Ended {
    /// With success.
    Well,
    /// Without, and what it said on its error output, in clear.
    Badly(String),
}

/// An error output without the box that Terraform draws around it.
fn unboxed(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(|l| l.trim_start_matches(['│', '╷', '╵', ' ']).trim_end())
        .filter(|l| !l.is_empty())
        .collect();
    lines.join("\n")
}

/// The end of a text, bounded.
fn last_part(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(40);
    lines[from..].join("\n").chars().take(4_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_box_around_an_error_is_taken_off() {
        let text = unboxed("╷\n│ Error: no\n│ \n│   on main.tf line 1\n╵\n");
        assert_eq!(last_part(&text), "Error: no\non main.tf line 1");
    }
}
