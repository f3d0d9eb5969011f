//! The clients for GitHub, out of what the environment says.

use super::env::Env;
use super::error::CliError;
use crate::estate::Estate;
use crate::estate::settings::Settings;
use crate::github::{App, Client, ClientSettings, Credential, Proxies, Token};
use std::time::Duration;

/// A client for `token`. On this machine there is no limit to respect and no reason to be patient.
pub fn client(env: &Env, api_url: &str, token: Option<&str>) -> Result<Client, CliError> {
    let credential = token.map_or(Credential::Nobody, |t| Credential::Token(Token::new(t)));
    client_of(env, api_url, credential)
}

/// A client for whoever.
pub fn client_of(env: &Env, api_url: &str, credential: Credential) -> Result<Client, CliError> {
    let mut settings = settings(env, api_url)?;
    settings.credential = credential;
    Ok(Client::new(settings)?)
}

/// How a client reaches GitHub, for nobody yet.
pub fn settings(env: &Env, api_url: &str) -> Result<ClientSettings, CliError> {
    let mut settings = ClientSettings::new(api_url, None);
    settings.proxies = proxies(env)?;
    if ["http://127.0.0.1", "http://localhost", "http://[::1]"]
        .iter()
        .any(|p| api_url.starts_with(p))
    {
        settings.pace = Duration::ZERO;
        settings.retry = Duration::from_millis(50);
        settings.timeout = Duration::from_secs(5);
        settings.last_patience = Duration::from_secs(3);
    }
    Ok(settings)
}

fn proxies(env: &Env) -> Result<Proxies, CliError> {
    let either =
        |one: &str, other: &str| env.get(one).or_else(|| env.get(other)).map(str::to_owned);
    let https = either("HTTPS_PROXY", "https_proxy");
    let except = either("NO_PROXY", "no_proxy");
    Proxies::new(https.as_deref(), except.as_deref()).map_err(|e| CliError::usage(e.to_string()))
}

/// GitHub's API root: the runner's, else the public one.
pub fn api_url(env: &Env, estate: Option<&Estate>) -> String {
    let set = estate.and_then(|e| e.settings.api_url.clone());
    env.get("GITHUB_API_URL")
        .map(str::to_owned)
        .or(set)
        .unwrap_or_else(|| "https://api.github.com".into())
}

/// For whom customers' repositories are read and answered: a GitHub App, else a token.
pub fn source(env: &Env, settings: &Settings) -> Result<Credential, CliError> {
    match (env.get("TENANTRY_APP_ID"), env.get("TENANTRY_APP_KEY")) {
        (Some(id), Some(key)) => {
            let app = App::new(id, key).map_err(|e| {
                CliError::usage(e.to_string())
                    .hint("make a new private key on the App's page, and keep it as a secret")
            })?;
            // The workflow's own token opens issues in the manager's repository.
            Ok(Credential::App(
                app.writing(settings.gitops_repository.clone())
                    .opening_issues(settings.drift.repository.clone()),
            ))
        }
        (Some(_), None) => Err(CliError::usage("TENANTRY_APP_ID is set, but TENANTRY_APP_KEY is not")
            .hint("pass the App's private key as the secret TENANTRY_APP_KEY, or take the variable TENANTRY_APP_ID away")),
        (None, Some(_)) => Err(CliError::usage("TENANTRY_APP_KEY is set, but TENANTRY_APP_ID is not")
            .hint("pass the App's id, which stands on its page, as the variable TENANTRY_APP_ID")),
        (None, None) => {
            let token = env.get("TENANTRY_SOURCE_TOKEN").ok_or_else(|| {
                CliError::usage("neither TENANTRY_SOURCE_TOKEN nor TENANTRY_APP_ID and TENANTRY_APP_KEY are set")
                    .hint("pass the secret SOURCE_REPOS_PAT, or a GitHub App: it reads customers' repositories and answers them")
            })?;
            Ok(Credential::Token(Token::new(token)))
        }
    }
}
