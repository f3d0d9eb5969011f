//! Which encrypted file, and the key that opens it.

use super::sealed;
use crate::cli::ask;
use crate::cli::env::Env;
use crate::cli::error::CliError;
use crate::cli::print::Printer;
use crate::keyring::{Key, Keyring, Secret};
use std::path::{Path, PathBuf};

/// Flags.
#[derive(Debug, Clone, clap::Args)]
pub(in crate::cli::commands::customer) struct KeyArgs {
    /// The encrypted file of secret values [default: tenantry/credentials.age in $XDG_DATA_HOME or
    /// ~/.local/share].
    #[arg(
        long,
        value_name = "FILE",
        env = "TENANTRY_CREDENTIALS",
        hide_env_values = true
    )]
    credentials: Option<PathBuf>,
    /// An age identity or an ed25519 SSH key that opens the file; without it a passphrase does.
    #[arg(
        long,
        value_name = "FILE",
        env = "TENANTRY_CREDENTIALS_IDENTITY",
        hide_env_values = true
    )]
    identity: Option<PathBuf>,
}

fn named(given: Option<&PathBuf>) -> Option<&PathBuf> {
    // A variable of a workflow that is not set is an empty text.
    given.filter(|p| !p.as_os_str().is_empty())
}

impl KeyArgs {
    /// Where the file is.
    pub(super) fn path(&self, env: &Env) -> Result<PathBuf, CliError> {
        if let Some(path) = named(self.credentials.as_ref()) {
            return Ok(path.clone());
        }
        // A relative path is to be passed over (XDG Base Directory Specification).
        let absolute = |text: &str| Path::new(text).is_absolute().then(|| PathBuf::from(text));
        let data = env.get("XDG_DATA_HOME").and_then(absolute);
        let home = || env.get("HOME").and_then(absolute);
        let data = data.or_else(|| Some(home()?.join(".local/share")));
        data.map(|d| d.join("tenantry/credentials.age")).ok_or_else(|| {
            CliError::usage("there is no place for the encrypted file: neither XDG_DATA_HOME nor HOME is set")
                .hint("name it with --credentials FILE")
        })
    }

    /// Whether the file can be opened without asking anybody.
    pub(super) fn at_hand(&self, env: &Env) -> bool {
        named(self.identity.as_ref()).is_some()
            || env.get("TENANTRY_CREDENTIALS_PASSPHRASE").is_some()
    }

    /// The key; a person is asked if there is no other way. To be called before anything is
    /// locked.
    pub(in crate::cli::commands::customer) async fn key(&self, env: &Env) -> Result<Key, CliError> {
        let words = env
            .get("TENANTRY_CREDENTIALS_PASSPHRASE")
            .map(|w| Secret::new(w.to_owned()));
        let Some(file) = named(self.identity.as_ref()) else {
            let words = match words {
                Some(words) => words,
                None => asked(Keyring::exists(&self.path(env)?)).await?,
            };
            return Key::passphrase(words).map_err(sealed);
        };
        let name = file.display().to_string();
        let bytes = std::fs::read(file)
            .map_err(|e| CliError::usage(format!("the key `{name}` cannot be read: {e}")))?;
        let words = match (Key::is_locked(&bytes), words) {
            (true, None) => ask::hidden(&format!("Passphrase of {name}: ")).await?,
            (_, words) => words,
        };
        Key::file(&bytes, &name, words).map_err(sealed)
    }

    /// Opens the file, and holds it.
    pub(in crate::cli::commands::customer) fn open(
        &self,
        key: Key,
        env: &Env,
        printer: &Printer,
    ) -> Result<Keyring, CliError> {
        let path = self.path(env)?;
        Keyring::open(&path, key, || {
            printer.progress("another process works on the encrypted file; waiting for it");
        })
        .map_err(|e| {
            let place = format!("the encrypted file is {}", path.display());
            printer.progress(&place);
            sealed(e)
        })
    }
}

/// A passphrase; a new one is asked for twice.
async fn asked(there: bool) -> Result<Secret, CliError> {
    let nobody = || {
        CliError::usage("the encrypted file needs a key, and there is no terminal to ask on").hint(
            "set TENANTRY_CREDENTIALS_PASSPHRASE, or name an age identity or an SSH key with --identity FILE",
        )
    };
    let prompt = match there {
        true => "Passphrase of the encrypted file: ",
        false => "New passphrase for the encrypted file: ",
    };
    let words = ask::hidden(prompt).await?.ok_or_else(nobody)?;
    if !there && ask::hidden("Once more: ").await?.ok_or_else(nobody)? != words {
        return Err(CliError::failed(
            "the two are not the same; nothing was written",
        ));
    }
    Ok(words)
}
