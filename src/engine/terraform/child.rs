//! The tool as a child process: what it may see, how long it may take, and what it says.

use super::TerraformError;
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

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
}

impl Tool {
    /// The binary's file name.
    pub(super) fn name(&self) -> String {
        self.binary
            .file_name()
            .map_or_else(|| "terraform".into(), |n| n.to_string_lossy().into_owned())
    }

    pub(super) async fn run(
        &self,
        folder: &Path,
        args: &[&str],
    ) -> Result<Vec<u8>, TerraformError> {
        let (step, done) = self.output(folder, args).await?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let mut redactor = self.redactor.clone();
        if matches!(args.first(), Some(&("plan" | "apply"))) {
            // What the state holds of secrets, also of resources that were made just now, is
            // known to nobody here yet. Without a state there is nothing to learn.
            if let Ok((_, state)) = self.output(folder, &["show", "-json", "-no-color"]).await
                && state.status.success()
            {
                let _ = plan_json::learn_state(&state.stdout, &mut redactor);
            }
        }
        // Hidden before it is cut: a part of a secret is no longer known as one.
        let text = String::from_utf8_lossy(&done.stderr);
        Err(TerraformError::Failed {
            step,
            message: last_part(&redactor.text(&unboxed(&text))),
        })
    }

    async fn output(
        &self,
        folder: &Path,
        args: &[&str],
    ) -> Result<(String, std::process::Output), TerraformError> {
        let step = format!(
            "{} {}",
            self.name(),
            args.first().copied().unwrap_or_default()
        );
        tracing::info!(step = %step, "running");
        let failed = |source| TerraformError::Start {
            binary: self.binary.display().to_string(),
            source,
        };
        let child = Command::new(&self.binary)
            .args(args)
            .current_dir(folder)
            .env_clear()
            .envs(self.env.iter().map(|(k, v)| (k, v)))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        match tokio::time::timeout(self.limit, child.wait_with_output()).await {
            Ok(done) => Ok((step, done.map_err(failed)?)),
            Err(_) => Err(TerraformError::TimedOut {
                step,
                minutes: self.limit.as_secs() / 60,
            }),
        }
    }
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
