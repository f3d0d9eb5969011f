//! One error type at the command line: what it means for the exit code, and what to do next.

use crate::estate::Findings;
use std::process::ExitCode;

/// The exit codes. They are documented in the README and tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// 0
    Done,
    /// 1
    Refused,
    /// 2
    Usage,
    /// 3
    Nothing,
    /// 10
    Changes,
    /// 70
    Internal,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        ExitCode::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Nothing => 3,
            Exit::Changes => 10,
            Exit::Internal => 70,
        })
    }
}

/// What ended a command early.
#[derive(Debug)]
pub struct CliError {
    kind: Exit,
    error: anyhow::Error,
    hint: Option<String>,
}

impl CliError {
    /// The command line or a file named on it is wrong.
    pub fn usage(message: impl Into<String>) -> Self {
        Self {
            kind: Exit::Usage,
            error: anyhow::Error::msg(message.into()),
            hint: None,
        }
    }
    /// Refused or failed.
    pub fn failed(message: impl Into<String>) -> Self {
        Self {
            kind: Exit::Refused,
            error: anyhow::Error::msg(message.into()),
            hint: None,
        }
    }
    /// Ctrl-C.
    pub fn interrupted() -> Self {
        Self::failed("interrupted; nothing more was begun")
    }
    /// Adds what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
    /// The findings, if that is what it is; itself otherwise.
    pub fn into_findings(self) -> Result<Findings, Self> {
        let Self { kind, error, hint } = self;
        error.downcast().map_err(|error| Self { kind, error, hint })
    }
    /// The exit code.
    pub fn exit(&self) -> Exit {
        self.kind
    }
    /// The message, its causes, and the hint.
    pub fn text(&self) -> String {
        let mut out = self.error.to_string();
        for cause in self.error.chain().skip(1) {
            let text = cause.to_string();
            if !out.contains(&text) {
                out.push_str("\n  because: ");
                out.push_str(&text);
            }
        }
        if let Some(hint) = &self.hint {
            out.push_str("\n  hint: ");
            out.push_str(hint);
        }
        out
    }
}

impl<E: Into<anyhow::Error>> From<E> for CliError {
    fn from(error: E) -> Self {
        Self {
            kind: Exit::Refused,
            error: error.into(),
            hint: None,
        }
    }
}
