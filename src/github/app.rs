//! A GitHub App as the credential: it signs that it is the App, and gets tokens for one owner at
//! a time that live for an hour (docs.github.com, "Authenticating as a GitHub App installation").
//!
//! A token is asked for with no more permissions than tenantry needs, whatever the App has.

use super::client::{Ask, Client, Repeat, Speaker};
use super::credential::{Credential, Token};
use super::error::GithubError;
use super::limit;
use super::model::User;
use super::wire::Reply;
use crate::clock::Time;
use crate::estate::RepoSlug;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeyPair;
use aws_lc_rs::signature::RSA_PKCS1_SHA256;
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use http::Method;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

type Result<T> = std::result::Result<T, GithubError>;

/// A key or id that cannot be used. What was given is not shown.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadApp {
    /// The private key.
    #[error(
        "TENANTRY_APP_KEY is not the private key of a GitHub App: it is the whole file that GitHub gives for download, from `-----BEGIN RSA PRIVATE KEY-----` to the end"
    )]
    Key,
    /// The id.
    #[error("TENANTRY_APP_ID is neither the number of a GitHub App nor its client id")]
    Id,
}

/// A GitHub App: its id and its private key, and where it needs more than customers give it.
#[derive(Clone)]
pub struct App {
    id: String,
    key: Arc<KeyPair>,
    writes: Option<RepoSlug>,
    issues: Option<RepoSlug>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "App({}, ***)", self.id)
    }
}

/// A token is exchanged this long before its end.
const EARLY: u64 = 5 * 60;

impl App {
    /// `id` is the App's number or client id, `key` its private key as GitHub gives it (PEM).
    pub fn new(id: &str, key: &str) -> std::result::Result<Self, BadApp> {
        let fine = |c: char| c.is_ascii_alphanumeric() || c == '.' || c == '_';
        if id.is_empty() || id.len() > 100 || !id.chars().all(fine) {
            return Err(BadApp::Id);
        }
        Ok(Self {
            id: id.to_owned(),
            key: Arc::new(read_key(key).ok_or(BadApp::Key)?),
            writes: None,
            issues: None,
        })
    }

    /// Contents are written to this repository, and to no other.
    pub fn writing(mut self, repo: Option<RepoSlug>) -> Self {
        self.writes = repo;
        self
    }

    /// Issues are opened in this repository, and in no other.
    pub fn opening_issues(mut self, repo: Option<RepoSlug>) -> Self {
        self.issues = repo;
        self
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    /// Says, for ten minutes at most, that we are the App. A minute early, as GitHub advises,
    /// because clocks differ.
    fn sign(&self, now: Time) -> Option<Token> {
        let part = |v: Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let claims =
            json!({"iat": now.0.saturating_sub(60), "exp": now.plus(9 * 60).0, "iss": self.id});
        let message = format!(
            "{}.{}",
            part(json!({"typ": "JWT", "alg": "RS256"})),
            part(claims)
        );
        let mut signature = vec![0; self.key.public_modulus_len()];
        self.key
            .sign(
                &RSA_PKCS1_SHA256,
                &SystemRandom::new(),
                message.as_bytes(),
                &mut signature,
            )
            .ok()?;
        Some(Token::new(format!(
            "{message}.{}",
            URL_SAFE_NO_PAD.encode(signature)
        )))
    }

    /// What a token about `repo` must be good for.
    fn scope(&self, repo: &RepoSlug) -> Scope {
        let is = |set: &Option<RepoSlug>| set.as_ref().is_some_and(|s| same(s, repo));
        let (contents, issues) = (is(&self.writes), is(&self.issues));
        Scope {
            only: (contents || issues).then(|| repo.name().to_owned()),
            contents,
            issues,
        }
    }
}

fn same(one: &RepoSlug, other: &RepoSlug) -> bool {
    one.as_str().eq_ignore_ascii_case(other.as_str())
}

/// GitHub writes PKCS #1; other tools turn that into PKCS #8.
fn read_key(pem: &str) -> Option<KeyPair> {
    let body = |label: &str| {
        let (_, rest) = pem.split_once(&format!("-----BEGIN {label}-----"))?;
        let (body, _) = rest.split_once(&format!("-----END {label}-----"))?;
        let text: String = body.split_whitespace().collect();
        STANDARD.decode(text).ok()
    };
    if let Some(der) = body("RSA PRIVATE KEY") {
        return KeyPair::from_der(&der).ok();
    }
    KeyPair::from_pkcs8(&body("PRIVATE KEY")?).ok()
}

/// What a token is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Scope {
    /// This repository alone; all that the App sees of an owner if absent.
    only: Option<String>,
    /// Contents are written, instead of comments and statuses.
    contents: bool,
    /// Issues are opened as well.
    issues: bool,
}

impl Scope {
    fn body(&self) -> Value {
        let contents = if self.contents { "write" } else { "read" };
        let mut body = json!({"permissions": {"metadata": "read", "contents": contents}});
        if !self.contents {
            body["permissions"]["pull_requests"] = json!("write");
            body["permissions"]["statuses"] = json!("write");
        }
        if self.issues {
            body["permissions"]["issues"] = json!("write");
        }
        if let Some(name) = &self.only {
            body["repositories"] = json!([name]);
        }
        body
    }
}

/// What is remembered while the process runs. Owners are in lower case.
#[derive(Debug, Default)]
pub(super) struct Held {
    installations: BTreeMap<String, u64>,
    /// Whether these are all of them.
    listed: bool,
    tokens: BTreeMap<(String, Scope), Minted>,
    user: Option<User>,
}

#[derive(Debug)]
struct Minted {
    token: Token,
    until: Instant,
}

/// An owner as a key.
pub(super) fn owner(repo: &RepoSlug) -> String {
    repo.owner().to_ascii_lowercase()
}

impl Client {
    /// Asks as the App itself. Boxed, because asking may need a token that has to be asked for.
    fn as_app<'a>(
        &'a self,
        method: Method,
        path: &'a str,
        body: Option<&'a Value>,
    ) -> BoxFuture<'a, Result<Reply>> {
        Box::pin(self.ask(Ask {
            method,
            path,
            body,
            // A second token does no harm.
            repeat: Repeat::Safe,
            speaker: Speaker::App,
        }))
    }

    /// The proof that we are the App.
    pub(super) fn app_token(&self, app: &App) -> Result<Token> {
        app.sign(self.now()).ok_or_else(|| GithubError::Setup {
            why: BadApp::Key.to_string(),
        })
    }

    /// A token for a repository's owner: the one at hand while it is good, else a new one.
    pub(super) async fn owners_token(&self, app: &App, repo: &RepoSlug) -> Result<Token> {
        let mut held = self.held().await;
        let key = (owner(repo), app.scope(repo));
        if let Some(minted) = held.tokens.get(&key)
            && Instant::now() < minted.until
        {
            return Ok(minted.token.clone());
        }
        let installation = match held.installations.get(&key.0) {
            Some(id) => *id,
            None if held.listed => {
                return Err(GithubError::NotFound {
                    call: format!("GET /repos/{repo}/installation"),
                });
            }
            None => {
                let path = format!("/repos/{repo}/installation");
                let reply = self.as_app(Method::GET, &path, None).await?;
                let id = number(&reply.body, "id", "GET installation")?;
                held.installations.insert(key.0.clone(), id);
                id
            }
        };
        let path = format!("/app/installations/{installation}/access_tokens");
        let reply = self
            .as_app(Method::POST, &path, Some(&key.1.body()))
            .await?;
        let minted = minted(&reply, self.now())?;
        let token = minted.token.clone();
        held.tokens.insert(key, minted);
        Ok(token)
    }

    /// Any token at hand, for what belongs to nobody.
    pub(super) async fn any_token(&self) -> Option<Token> {
        let held = self.held().await;
        let good = held.tokens.values().find(|m| Instant::now() < m.until);
        good.map(|m| m.token.clone())
    }

    /// Forgets what GitHub did not accept.
    pub(super) async fn forget_token(&self, app: &App, repo: &RepoSlug) {
        let mut held = self.held().await;
        held.tokens.remove(&(owner(repo), app.scope(repo)));
        held.installations.remove(&owner(repo));
        held.listed = false;
    }

    /// Looks up where the App is installed, for many owners at once.
    pub(super) async fn find_installations(&self) -> Result<()> {
        let mut found = BTreeMap::new();
        let mut pages = self.paged("/app/installations", Speaker::App);
        while let Some(reply) = pages.next().await? {
            for one in reply.body.as_array().into_iter().flatten() {
                let login = one.pointer("/account/login").and_then(Value::as_str);
                if let (Some(login), Some(id)) = (login, one.get("id").and_then(Value::as_u64)) {
                    found.insert(login.to_ascii_lowercase(), id);
                }
            }
        }
        let mut held = self.held().await;
        held.installations = found;
        held.listed = true;
        Ok(())
    }

    /// The account that the App writes as, `<name of the App>[bot]`.
    pub(super) async fn app_user(&self) -> Result<User> {
        if let Some(user) = &self.held().await.user {
            return Ok(user.clone());
        }
        let reply = self.as_app(Method::GET, "/app", None).await?;
        let slug = reply
            .body
            .get("slug")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if slug.is_empty()
            || !slug
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        {
            return Err(unexpected("GET /app", "the App has no usable name"));
        }
        let user: User = self.read(&format!("/users/{slug}%5Bbot%5D")).await?;
        self.held().await.user = Some(user.clone());
        Ok(user)
    }

    /// The App, where that is the credential.
    pub(super) fn app(&self) -> Option<&App> {
        match self.credential() {
            Credential::App(app) => Some(app),
            Credential::Nobody | Credential::Token(_) => None,
        }
    }
}

fn unexpected(call: &str, why: &str) -> GithubError {
    GithubError::Unexpected {
        call: call.to_owned(),
        why: why.to_owned(),
    }
}

fn number(body: &Value, key: &str, call: &str) -> Result<u64> {
    let found = body.get(key).and_then(Value::as_u64);
    found.ok_or_else(|| unexpected(call, &format!("`{key}` is not a number")))
}

/// Nothing of this answer is ever shown: it is a token.
fn minted(reply: &Reply, now: Time) -> Result<Minted> {
    let call = "POST access_tokens";
    let text = |key: &str| reply.body.get(key).and_then(Value::as_str);
    let token = text("token").filter(|t| !t.is_empty() && t.bytes().all(|b| b.is_ascii_graphic()));
    let token = token.ok_or_else(|| unexpected(call, "it holds no token"))?;
    let expires = text("expires_at")
        .and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok())
        .and_then(|t| u64::try_from(t.timestamp()).ok())
        .ok_or_else(|| unexpected(call, "it does not say when the token expires"))?;
    let now = limit::server_time(&reply.headers).unwrap_or(now);
    let left = Time(expires).since(now).saturating_sub(EARLY);
    Ok(Minted {
        token: Token::new(token),
        until: Instant::now() + Duration::from_secs(left),
    })
}
