//! Asking GitHub about a token, in the token's own name.

use super::RegistryError;
use crate::clock::Time;
use crate::estate::allow::Date;
use crate::estate::credential::{Breadth, DISPATCH, Kind, SOURCE, breadth};
use crate::estate::ids::shown;
use crate::estate::model::Customer;
use crate::estate::settings::HintMode;
use crate::estate::{Estate, Purpose, RepoSlug};
use crate::github::proposal::Right;
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

/// Whether a token reaches what it is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It does, or its purpose has no such place.
    There,
    /// It does not: why.
    Missing(String),
    /// The registry does not say where it should: what was not looked at.
    Unknown(&'static str),
}

/// Tries, with this very token and without changing anything, whether it reaches what it is for:
/// for `dispatch` writing to where hints go, for `source-read` reading the customer's files.
pub async fn reach(
    settings: &ClientSettings,
    secret: &Secret,
    purpose: &Purpose,
    estate: &Estate,
    customer: &Customer,
) -> Result<Reach, RegistryError> {
    match purpose.as_str() {
        DISPATCH => {
            let set = &estate.settings;
            let target = match set.hints {
                HintMode::Inbox => set.inbox.as_ref(),
                HintMode::Poll | HintMode::Direct => set.manager.as_ref(),
            };
            let Some(target) = target else {
                return Ok(Reach::Unknown(
                    "whether it reaches the manager repository was not looked at, because tenantry.yml has no `manager`",
                ));
            };
            let writes = own(settings, secret)?.has(target, Right::Contents).await?;
            Ok(match writes {
                true => Reach::There,
                false => Reach::Missing(format!(
                    "it may not write to `{target}` (`contents: write`), so no hint sent with it arrives"
                )),
            })
        }
        SOURCE => {
            let Some(target) = &customer.repository else {
                return Ok(Reach::Unknown(
                    "whether it reads the customer's repository was not looked at, because none is recorded",
                ));
            };
            Ok(match reads(&own(settings, secret)?, target).await? {
                true => Reach::There,
                false => Reach::Missing(format!(
                    "it may not read the files of `{target}` (`contents: read`)"
                )),
            })
        }
        _ => Ok(Reach::There),
    }
}

async fn reads(client: &Client, repo: &RepoSlug) -> Result<bool, GithubError> {
    let looked = match client.ground(repo).await {
        Ok(ground) => client.branch_head(repo, &ground.default_branch).await,
        Err(e) => Err(e),
    };
    match looked {
        // Nothing is in it yet; whoever may not read is not told so.
        Ok(_) | Err(GithubError::Conflict { .. }) => Ok(true),
        Err(GithubError::NotFound { .. } | GithubError::Forbidden { .. }) => Ok(false),
        Err(e) => Err(e),
    }
}
