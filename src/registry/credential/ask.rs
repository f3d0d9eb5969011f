//! Asking GitHub about a token, in the token's own name.

use super::RegistryError;
use crate::clock::Time;
use crate::estate::Purpose;
use crate::estate::allow::Date;
use crate::estate::credential::{Breadth, Kind, breadth};
use crate::estate::ids::shown;
use crate::github::{Client, ClientSettings, Credential as Speaker, GithubError, Token};
use crate::keyring::Secret;

/// What GitHub said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Whose it is.
    pub owner: String,
    /// What it may do, where GitHub tells.
    pub scopes: Option<Vec<String>>,
    /// Its last day, where GitHub tells.
    pub expires: Option<Date>,
    /// What that means for its purpose.
    pub breadth: Breadth,
}

/// A client that speaks for somebody else than the settings say.
pub fn speaking(settings: &ClientSettings, speaker: Speaker) -> Result<Client, GithubError> {
    let mut settings = settings.clone();
    settings.credential = speaker;
    Client::new(settings)
}

fn own(settings: &ClientSettings, secret: &Secret) -> Result<Client, GithubError> {
    speaking(settings, Speaker::Token(Token::new(secret.expose())))
}

/// GitHub has been seen to give the time of the call in the place of the end of a fine-grained
/// token (github.com/google/go-github, issue 3708). A token that works has more than this left.
const NOT_AN_END: u64 = 120;

/// Asks whose a token is, what it may do and when it ends. Refused if GitHub does not take it.
pub async fn ask(
    settings: &ClientSettings,
    secret: &Secret,
    kind: Kind,
    purpose: &Purpose,
    now: Time,
) -> Result<Told, RegistryError> {
    let told = own(settings, secret)?
        .identity()
        .await
        .map_err(|e| match e {
            GithubError::Unauthorized { .. } => RegistryError::refused(
                "GitHub does not take this token: it is mistyped, has expired, or was revoked",
                format!("make another one: {}", kind.by_hand()),
            ),
            other => other.into(),
        })?;
    let mut judged = breadth(purpose, kind, told.scopes.as_deref());
    let expires = match told.expires {
        Some(end) if end <= now.plus(NOT_AN_END) => {
            judged.notes.push(
                "what GitHub says about the end of this token cannot be right; look at its page, and give the day with --expires"
                    .to_owned(),
            );
            None
        }
        end => end.and_then(|e| e.to_string().get(..10)?.parse().ok()),
    };
    Ok(Told {
        owner: shown(&told.user.login),
        scopes: told.scopes,
        expires,
        breadth: judged,
    })
}

/// Whether GitHub takes a token.
pub async fn works(settings: &ClientSettings, secret: &Secret) -> Result<bool, RegistryError> {
    match own(settings, secret)?.identity().await {
        Ok(_) => Ok(true),
        Err(GithubError::Unauthorized { .. }) => Ok(false),
        Err(other) => Err(other.into()),
    }
}
