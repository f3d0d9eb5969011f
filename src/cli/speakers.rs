//! Who looks at how things are set up, and what the manager itself speaks with.

use super::env::Env;
use super::error::CliError;
use super::step;
use crate::estate::{Estate, RepoSlug};
use crate::github::Client;

/// Both of them.
#[derive(Debug)]
pub struct Speakers {
    /// Who looks at settings, and repairs them: a person's token.
    pub reader: Client,
    /// What the manager speaks with; none where this machine does not have it.
    pub source: Option<Client>,
}

impl Speakers {
    /// Makes the clients out of the environment. Where the reader's token is not set, the manager's
    /// own credential looks, which sees less.
    pub fn new(env: &Env, estate: &Estate) -> Result<Self, CliError> {
        let api = step::api_url(env, Some(estate));
        let speaks = [
            "TENANTRY_SOURCE_TOKEN",
            "TENANTRY_APP_ID",
            "TENANTRY_APP_KEY",
        ];
        let source = match speaks.iter().any(|name| env.get(name).is_some()) {
            true => {
                let credential = step::source(env, &estate.settings)?;
                Some(step::client_of(env, &api, credential)?)
            }
            false => None,
        };
        let token = env.get("GITHUB_TOKEN").or_else(|| env.get("GH_TOKEN"));
        let reader = match (token, &source) {
            (Some(token), _) => step::client(env, &api, Some(token))?,
            (None, Some(source)) => source.clone(),
            (None, None) => {
                return Err(CliError::usage("neither GITHUB_TOKEN nor TENANTRY_SOURCE_TOKEN is set")
                    .hint("set GITHUB_TOKEN to a token of somebody who administers the manager repository, such as `gh auth token` prints"));
            }
        };
        Ok(Self { reader, source })
    }
}

/// The manager repository: of the settings, else of the workflow run.
pub fn manager(env: &Env, estate: &Estate) -> Result<RepoSlug, CliError> {
    match (&estate.settings.manager, env.get("GITHUB_REPOSITORY")) {
        (Some(slug), _) => Ok(slug.clone()),
        (None, Some(slug)) => RepoSlug::new(slug).map_err(|e| CliError::usage(e.to_string())),
        (None, None) => Err(CliError::usage("the manager repository is not known")
            .hint("set `manager: owner/name` in tenantry.yml")),
    }
}

/// The manager, as cloud roles know it.
pub async fn trusted(
    reader: &Client,
    manager: &RepoSlug,
    estate: &Estate,
) -> crate::setup::doctor::trust::Manager {
    let settings = crate::setup::doctor::seen(reader.settings(manager).await);
    let issuer = &estate.settings.oidc_issuer;
    let bare = issuer
        .split_once("://")
        .map_or(issuer.as_str(), |(_, rest)| rest);
    crate::setup::doctor::trust::Manager {
        slug: manager.clone(),
        ids: settings.map(|s| (s.owner.id, s.id)),
        issuer: bare.to_owned(),
    }
}
