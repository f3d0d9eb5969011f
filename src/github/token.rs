//! What a credential is, may do and reaches, as GitHub says.

use super::api::{Result, shape};
use super::app::owner;
use super::client::{Ask, Client, Repeat, Speaker};
use super::credential::Credential;
use super::limit::{self, Allowance};
use super::setup::Reached;
use crate::clock::Time;
use crate::estate::RepoSlug;
use http::{HeaderMap, Method};
use serde_json::Value;
use std::collections::BTreeMap;

/// What a token says about itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// What it is, by its first letters.
    pub kind: TokenKind,
    /// The account it belongs to.
    pub login: Option<String>,
    /// Scopes of a classic token; absent for every other kind.
    pub scopes: Option<Vec<String>>,
    /// When it ends, where it does.
    pub expires: Option<Time>,
    /// What is left of this hour's calls.
    pub left: Option<Allowance>,
}

/// What a token is, by its first letters (docs.github.com, "About authentication to GitHub").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TokenKind {
    /// `ghp_`: everything that its owner can do, within its scopes.
    Classic,
    /// `github_pat_`: some repositories of one owner.
    Fine,
    /// `ghs_`: of an App or a workflow run.
    Installation,
    /// `gho_`, `ghu_`, or something else.
    Other,
}

impl TokenKind {
    /// Recognises a token.
    pub fn of(token: &str) -> Self {
        match token {
            t if t.starts_with("ghp_") => Self::Classic,
            t if t.starts_with("github_pat_") => Self::Fine,
            t if t.starts_with("ghs_") => Self::Installation,
            _ => Self::Other,
        }
    }
    /// Its name for people.
    pub fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic personal token",
            Self::Fine => "fine-grained personal token",
            Self::Installation => "installation token",
            Self::Other => "token",
        }
    }
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// `2027-01-31 12:00:00 UTC` or `… +0100`: GitHub has written both.
fn expiry(text: &str) -> Option<Time> {
    let text = text.trim();
    let text = text
        .strip_suffix("UTC")
        .map_or_else(|| text.to_owned(), |t| format!("{t}+0000"));
    let time = chrono::DateTime::parse_from_str(&text, "%Y-%m-%d %H:%M:%S %z").ok()?;
    u64::try_from(time.timestamp()).ok().map(Time)
}

impl Client {
    /// What the token is that this client speaks with; none for an App or nobody.
    pub async fn token_facts(&self) -> Result<Option<TokenFacts>> {
        let Credential::Token(token) = self.credential() else {
            return Ok(None);
        };
        let kind = TokenKind::of(token.expose());
        // Free of charge, and every kind of token may ask.
        let reply = self
            .send(Method::GET, "/rate_limit", None, Repeat::Safe)
            .await?;
        let scopes = header(&reply.headers, "x-oauth-scopes").map(|list| {
            let all = list.split(',').map(str::trim).filter(|s| !s.is_empty());
            all.map(str::to_owned).collect()
        });
        let expires = header(&reply.headers, "github-authentication-token-expiration");
        let login = match kind {
            TokenKind::Installation => None,
            _ => Some(self.myself().await?.login),
        };
        Ok(Some(TokenFacts {
            kind,
            login,
            scopes,
            expires: expires.and_then(expiry),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_is_read_in_both_spellings() {
        let at = Some(Time(1_795_282_800));
        assert_eq!(expiry("2026-11-21 17:40:00 UTC"), at);
        assert_eq!(expiry("2026-11-21 18:40:00 +0100"), at);
        assert_eq!(expiry("soon"), None);
        assert_eq!(expiry(""), None);
    }

    #[test]
    fn tokens_are_told_by_their_first_letters() {
        assert_eq!(TokenKind::of("ghp_x"), TokenKind::Classic);
        assert_eq!(TokenKind::of("github_pat_x"), TokenKind::Fine);
        assert_eq!(TokenKind::of("ghs_x"), TokenKind::Installation);
        assert_eq!(TokenKind::of("hunter2"), TokenKind::Other);
    }
}
