//! Runs the tool as a child process that sees nothing but what it is given.

use futures_util::future::BoxFuture;
use std::ffi::OsString;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

/// One run of the tool.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Path of `tofu` or `terraform`.
    pub binary: &'a Path,
    /// Its arguments.
    pub args: &'a [&'a str],
    /// Where it works.
    pub folder: &'a Path,
    /// The whole environment, but for what keeps the tool from asking questions.
    pub env: &'a [(OsString, OsString)],
    /// A file that takes the standard output, and holds it also when the tool is stopped.
    pub into: Option<&'a Path>,
}

/// What it said.
#[derive(Debug)]
pub struct Output {
    /// Whether it ended with 0.
    pub success: bool,
    /// Standard output, unless a file has it.
    pub stdout: Vec<u8>,
    /// Standard error.
    pub stderr: Vec<u8>,
}

/// Runs the tool. A dropped future stops it.
pub trait Launch: std::fmt::Debug + Send + Sync {
    /// Runs it to its end.
    fn launch<'a>(&'a self, run: Run<'a>) -> BoxFuture<'a, std::io::Result<Output>>;
}

/// As a child process.
#[derive(Debug, Clone, Copy)]
pub struct Child;

impl Launch for Child {
    fn launch<'a>(&'a self, run: Run<'a>) -> BoxFuture<'a, std::io::Result<Output>> {
        Box::pin(async move {
            let stdout = match run.into {
                Some(file) => std::fs::File::create(file)?.into(),
                None => Stdio::piped(),
            };
            let child = Command::new(run.binary)
                .args(run.args)
                .current_dir(run.folder)
                .env_clear()
                .envs(run.env.iter().map(|(k, v)| (k, v)))
                .env("TF_IN_AUTOMATION", "1")
                .env("TF_INPUT", "0")
                .env("CHECKPOINT_DISABLE", "1")
                .stdin(Stdio::null())
                .stdout(stdout)
                .stderr(Stdio::piped())
                .kill_on_drop(true)
                .spawn()?;
            let done = child.wait_with_output().await?;
            Ok(Output {
                success: done.status.success(),
                stdout: done.stdout,
                stderr: done.stderr,
            })
        })
    }
}
