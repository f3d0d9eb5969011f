//! Why the encrypted file is not read or written.

use std::path::Path;

/// Refused, or could not be done. No variant holds anything of the content.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    /// Nothing was written.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        next: String,
    },
    /// The file or its folder.
    #[error("`{path}` cannot be {what}; what was there before is unchanged")]
    Io {
        /// Which file.
        path: String,
        /// `read`, `written`, …
        what: &'static str,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// age itself failed.
    #[error("the encryption failed; nothing was written")]
    Encrypt(#[source] age::EncryptError),
}

impl KeyringError {
    pub(super) fn refused(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            next: next.into(),
        }
    }
    pub(super) fn io(path: &Path, what: &'static str, source: std::io::Error) -> Self {
        Self::Io {
            path: path.display().to_string(),
            what,
            source,
        }
    }
    /// What to do next, where that is known.
    pub fn next(&self) -> Option<&str> {
        match self {
            Self::Refused { next, .. } => Some(next),
            Self::Io {
                what: "written", ..
            } => Some("make room, or name a file on another disk with --credentials FILE"),
            _ => None,
        }
    }
}
