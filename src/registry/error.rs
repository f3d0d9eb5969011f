//! Why the registry is not changed.

use super::scaffold::ScaffoldError;
use crate::estate::Findings;
use crate::github::GithubError;
use crate::keyring::KeyringError;

/// Refused, or could not find out.
#[derive(Debug, thiserror::Error)]
pub enum RegistryError {
    /// Nothing was written.
    #[error("{message}")]
    Refused {
        /// What is wrong.
        message: String,
        /// What to do.
        next: String,
    },
    /// The estate, or the estate as it would be.
    #[error(transparent)]
    Findings(#[from] Findings),
    /// A look-up.
    #[error(transparent)]
    Github(#[from] GithubError),
    /// The encrypted file of secret values.
    #[error(transparent)]
    Keyring(#[from] KeyringError),
    /// A template.
    #[error(transparent)]
    Scaffold(#[from] ScaffoldError),
    /// A file or folder.
    #[error("`{path}` cannot be used")]
    Io {
        /// Relative to the estate.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Some of a plan's customers are written, each as a whole, and some are not.
    #[error("{done} of {all} changes are written, each as a whole; the rest is not begun")]
    Partly {
        /// How many are.
        done: usize,
        /// Of how many.
        all: usize,
        /// Why it ended there.
        #[source]
        source: Box<RegistryError>,
    },
}

impl RegistryError {
    /// A refusal, with what to do next.
    pub fn refused(message: impl Into<String>, next: impl Into<String>) -> Self {
        Self::Refused {
            message: message.into(),
            next: next.into(),
        }
    }
    /// What to do next, where that is known.
    pub fn next(&self) -> Option<&str> {
        match self {
            Self::Refused { next, .. } => Some(next),
            Self::Keyring(e) => e.next(),
            Self::Partly { .. } => {
                Some("run the same command again; what is there already is left as it is")
            }
            Self::Scaffold(_) => {
                Some("correct the template, or remove it to use the one that is built in")
            }
            _ => None,
        }
    }
}
