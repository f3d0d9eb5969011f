//! What a credential is, may do and reaches, as GitHub says.

use super::api::{Result, shape};
use super::app::owner;
use super::client::{Ask, Client, Repeat, Speaker};
use super::credential::Credential;
use super::identity::{end, scopes};
use super::limit::{self, Allowance};
use super::setup::Reached;
use crate::clock::Time;
use crate::estate::RepoSlug;
use crate::estate::credential::Kind;
use http::Method;
use serde_json::Value;
use std::collections::BTreeMap;

/// What a token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// What it is, by its first letters.
    pub kind: Kind,
    /// The account it belongs to.
    pub login: Option<String>,
    /// Scopes of a classic token; absent for every other kind.
    pub scopes: Option<Vec<String>>,
    /// When it ends, where it does.
    pub expires: Option<Time>,
    /// What is left of this hour's calls.
    pub left: Option<Allowance>,
}

impl Client {
    /// What the token is that this client speaks with; none for an App or nobody.
    pub async fn token_facts(&self) -> Result<Option<TokenFacts>> {
        let Credential::Token(token) = self.credential() else {
            return Ok(None);
        };
        let kind = Kind::of(token.expose());
        // Free of charge, and every kind of token may ask.
        let reply = self
            .send(Method::GET, "/rate_limit", None, Repeat::Safe)
            .await?;
        let login = match kind {
            Kind::GithubInstallation => None,
            _ => Some(self.myself().await?.login),
        };
        Ok(Some(TokenFacts {
            kind,
            login,
            scopes: scopes(&reply.headers),
            expires: end("GET /rate_limit", &reply.headers)?,
            left: limit::core(&reply.body),
        }))
    }

    /// The number or client id of the App that this client speaks for.
    pub fn app_id(&self) -> Option<&str> {
        self.app().map(super::app::App::id)
    }

    /// The repositories that this client's credential can see, beyond what everybody can: of an
    /// App, of each owner of `known`; of a token, all that it lists.
    pub async fn reached(&self, known: &[RepoSlug]) -> Result<Vec<Reached>> {
        if self.app().is_none() {
            return self
                .pages(
                    "/user/repos?affiliation=owner,collaborator,organization_member",
                    None,
                )
                .await;
        }
        let mut owners: BTreeMap<String, &RepoSlug> = BTreeMap::new();
        for repo in known {
            owners.entry(owner(repo)).or_insert(repo);
        }
        let mut out = Vec::new();
        for repo in owners.into_values() {
            let Some(speaker) = self.speaker(std::slice::from_ref(repo), &[0]).await? else {
                continue;
            };
            let mut pages = self.paged("/installation/repositories", speaker);
            while let Some(reply) = pages.next().await? {
                let list = reply.body.get("repositories").cloned();
                let list: Vec<Reached> = shape(
                    "GET /installation/repositories",
                    list.unwrap_or(Value::Null),
                )?;
                out.extend(list);
            }
        }
        Ok(out)
    }

    /// What the App was given where it is installed for `repo`: permission and level.
    pub async fn app_permissions(&self, repo: &RepoSlug) -> Result<BTreeMap<String, String>> {
        let path = format!("/repos/{repo}/installation");
        let ask = Ask {
            method: Method::GET,
            path: &path,
            body: None,
            repeat: Repeat::Safe,
            speaker: Speaker::App,
        };
        let body = self.ask(ask).await?.body;
        shape(
            "GET installation",
            body.get("permissions").cloned().unwrap_or(Value::Null),
        )
    }
}
