//! One client for everything that is asked of GitHub.
//!
//! - At least one second between calls that create content.
//! - `retry-after` and `x-ratelimit-reset` are waited for: a refused call was not carried out,
//!   so it may be sent again whatever it does.
//! - After 5xx and broken connections only calls that can be repeated are repeated; for the
//!   others the caller gets [`GithubError::Uncertain`] and reads back.
//! - What was read before is asked for with its `ETag`.
//! - A redirect is followed on the same server only, and a write only where its method stays.
//!
//! Source of the limits: docs.github.com, "Rate limits for the REST API" and "Best practices".

use super::address;
use super::app::Held;
use super::cache::{self, Answers};
use super::credential::{Credential, Token};
use super::error::{GithubError, refusal};
use super::limit::{self, Allowance};
use super::proxy::Proxies;
use super::wire::{Call, Octo, Reply, Wire};
use crate::clock::{Clock, Time};
use crate::digest::Digest;
use crate::estate::RepoSlug;
use http::{Method, StatusCode, header};
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;
use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{Instant, sleep_until, timeout};

/// Where the client talks to, and how patient it is.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// API root, such as `https://api.github.com`.
    pub api_url: String,
    /// Whom it speaks for.
    pub credential: Credential,
    /// The way out.
    pub proxies: Proxies,
    /// Least time between two calls that create content.
    pub pace: Duration,
    /// First pause before a repetition; then four and nine times as long.
    pub retry: Duration,
    /// Limit for one answer.
    pub timeout: Duration,
    /// Longest wait for a rate limit.
    pub patience: Duration,
    /// Longest wait for what must not get lost: longer than a primary limit lasts.
    pub last_patience: Duration,
    /// How often a call is tried that gets no answer.
    pub attempts: u32,
    /// The time.
    pub clock: Clock,
}

impl ClientSettings {
    /// GitHub's advice: 1 s between writes, retries after 1, 4 and 9 s.
    pub fn new(api_url: &str, token: Option<Token>) -> Self {
        Self {
            api_url: api_url.trim_end_matches('/').to_owned(),
            credential: token.map_or(Credential::Nobody, Credential::Token),
            proxies: Proxies::default(),
            pace: Duration::from_secs(1),
            retry: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(20 * 60),
            last_patience: Duration::from_secs(65 * 60),
            attempts: 4,
            clock: Clock::system(),
        }
    }
}

/// Whether a call may be sent twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Reading, or writing the same thing to the same place.
    Safe,
    /// Would make a second one.
    Never,
}

/// Who speaks, where that is not always the same.
#[derive(Debug, Clone, Copy)]
pub(super) enum Speaker<'a> {
    /// Whoever may speak about the repository that the path names.
    Path,
    /// Whoever may speak about this repository.
    About(&'a RepoSlug),
    /// The App itself.
    App,
}

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<&'a Value>,
    pub(super) repeat: Repeat,
    pub(super) speaker: Speaker<'a>,
}

impl Ask<'_> {
    /// Whether this makes something that people see, which GitHub wants to be slow.
    fn creates(&self) -> bool {
        let reads = self.method == Method::GET || self.method == Method::HEAD;
        !reads && self.path != address::GRAPHQL && !matches!(self.speaker, Speaker::App)
    }
}

/// What all clones of a client share.
#[derive(Debug)]
struct Shared {
    next_write: Mutex<Instant>,
    answers: std::sync::Mutex<Answers>,
    allowances: std::sync::Mutex<BTreeMap<(Digest, String), Allowance>>,
    held: Mutex<Held>,
}

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    wire: Arc<dyn Wire>,
    settings: Arc<ClientSettings>,
    shared: Arc<Shared>,
}

/// In whose name one call is made.
struct Voice {
    who: Digest,
    token: Option<Token>,
    /// For which repository the App got the token.
    renewable: Option<RepoSlug>,
}

/// How often one call was held up, and why.
#[derive(Default)]
struct Trouble {
    failures: u32,
    limits: u32,
    redirects: u32,
    renewed: bool,
}

/// Longest pause between two attempts.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A chain of more redirects than this is none.
const REDIRECTS: u32 = 5;

fn lock<T>(mutex: &std::sync::Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Client {
    /// Makes a client. Nothing is sent yet. Must be called inside a tokio runtime.
    pub fn new(settings: ClientSettings) -> Result<Self, GithubError> {
        let wire = Octo::new(&settings)?;
        Ok(Self::over(settings, Arc::new(wire)))
    }

    /// A client whose calls go over `wire`, such as a GitHub inside of a test.
    pub fn over(settings: ClientSettings, wire: Arc<dyn Wire>) -> Self {
        Self {
            wire,
            settings: Arc::new(settings),
            shared: Arc::new(Shared {
                next_write: Mutex::new(Instant::now()),
                answers: std::sync::Mutex::default(),
                allowances: std::sync::Mutex::default(),
                held: Mutex::default(),
            }),
        }
    }

    /// The API root.
    pub fn api_url(&self) -> &str {
        &self.settings.api_url
    }

    /// The same client for what must not get lost: it tries until the last patience is used up.
    pub fn insisting(&self) -> Self {
        let mut settings = (*self.settings).clone();
        settings.patience = settings.last_patience;
        settings.attempts = u32::MAX;
        Self {
            settings: Arc::new(settings),
            ..self.clone()
        }
    }

    /// What is left of the limit `resource` (`core`, `graphql`), as far as GitHub has said so
    /// since the client was made: the least of all owners, where an App speaks.
    pub fn allowance(&self, resource: &str) -> Option<Allowance> {
        let known = lock(&self.shared.allowances);
        let of = known.iter().filter(|((_, r), _)| r == resource);
        of.map(|(_, a)| *a).min_by_key(|a| a.remaining)
    }

    /// What is left of the calls of this hour; asked of GitHub, which costs none, where no answer
    /// has said so yet. None where there is no limit, or one for each owner.
    pub async fn calls_left(&self) -> Option<Allowance> {
        let known = self.allowance("core");
        if known.is_some() || self.app().is_some() {
            return known;
        }
        let asked = self.send(Method::GET, "/rate_limit", None, Repeat::Safe);
        match asked.await {
            Ok(reply) => limit::core(&reply.body),
            // An Enterprise Server without limits.
            Err(GithubError::NotFound { .. }) => None,
            Err(error) => {
                tracing::warn!(%error, "what is left of GitHub's limit is not known");
                None
            }
        }
    }

    /// What GitHub may confirm the next time; holds what was answered, and no token.
    pub fn answers(&self) -> Answers {
        lock(&self.shared.answers).clone()
    }

    /// Goes on with what an earlier client was answered.
    pub fn remember(&self, answers: Answers) {
        *lock(&self.shared.answers) = answers;
    }

    pub(super) fn credential(&self) -> &Credential {
        &self.settings.credential
    }

    pub(super) fn now(&self) -> Time {
        self.settings.clock.now()
    }

    pub(super) async fn held(&self) -> MutexGuard<'_, Held> {
        self.shared.held.lock().await
    }

    /// Sends a call and returns a successful answer; everything else is an error.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Reply, GithubError> {
        self.ask(Ask {
            method,
            path,
            body,
            repeat,
            speaker: Speaker::Path,
        })
        .await
    }

    /// The same, in a name that the path does not tell.
    pub(super) async fn ask(&self, ask: Ask<'_>) -> Result<Reply, GithubError> {
        let call = format!(
            "{} {}",
            ask.method,
            ask.path.split('?').next().unwrap_or(ask.path)
        );
        let started = Instant::now();
        let mut path = ask.path.to_owned();
        let mut trouble = Trouble::default();
        loop {
            let voice = self.voice(&ask).await?;
            if ask.creates() {
                self.pace().await;
            }
            let why = match self.once(&ask, &path, &voice).await {
                Ok(reply) => {
                    let limit = limit::wait(&reply, self.now(), trouble.limits);
                    if let Some(wait) = limit {
                        trouble.limits += 1;
                        self.wait(&call, wait, started).await?;
                        continue;
                    }
                    if reply.status.is_success() {
                        return Ok(reply);
                    }
                    if reply.status.is_redirection() {
                        path = self.redirected(&ask, &reply, &call, &mut trouble)?;
                        continue;
                    }
                    if reply.status == StatusCode::UNAUTHORIZED
                        && !trouble.renewed
                        && let Some(repo) = &voice.renewable
                        && let Credential::App(app) = &self.settings.credential
                    {
                        trouble.renewed = true;
                        self.forget_token(app, repo).await;
                        continue;
                    }
                    if !reply.status.is_server_error() {
                        return Err(refusal(call, &reply));
                    }
                    format!("it answers {}", reply.status.as_u16())
                }
                Err(why) => why,
            };
            if ask.repeat == Repeat::Never {
                return Err(GithubError::Uncertain { call, why });
            }
            trouble.failures += 1;
            let factor = trouble.failures.saturating_mul(trouble.failures);
            let pause = self
                .settings
                .retry
                .saturating_mul(factor)
                .min(LONGEST_PAUSE);
            let late = started.elapsed() + pause > self.settings.patience;
            if trouble.failures >= self.settings.attempts || late {
                return Err(GithubError::Unreachable { call, why });
            }
            let attempt = trouble.failures;
            tracing::warn!(call, why, attempt, "GitHub did not answer; trying again");
            sleep_until(Instant::now() + pause).await;
        }
    }

    /// In whose name a call is made. An App gets its token here.
    async fn voice(&self, ask: &Ask<'_>) -> Result<Voice, GithubError> {
        let credential = &self.settings.credential;
        let named = match ask.speaker {
            Speaker::About(repo) => Some(repo.clone()),
            Speaker::Path => repository_of(ask.path),
            Speaker::App => None,
        };
        let owner = named.as_ref().map(super::app::owner);
        let (token, renewable) = match credential {
            Credential::Nobody => (None, None),
            Credential::Token(token) => (Some(token.clone()), None),
            Credential::App(app) => match (ask.speaker, named) {
                (Speaker::App, _) => (Some(self.app_token(app)?), None),
                (_, Some(repo)) => (Some(self.owners_token(app, &repo).await?), Some(repo)),
                (_, None) => (self.any_token().await, None),
            },
        };
        Ok(Voice {
            who: credential.digest(owner.as_deref()),
            token,
            renewable,
        })
    }

    /// Waits for this client's turn to write.
    async fn pace(&self) {
        let mut next = self.shared.next_write.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + self.settings.pace;
    }

    /// Waits for a limit, unless that would take too long.
    async fn wait(&self, call: &str, wait: Duration, started: Instant) -> Result<(), GithubError> {
        let seconds = wait.as_secs();
        if started.elapsed() + wait > self.settings.patience {
            return Err(GithubError::RateLimited {
                call: call.to_owned(),
                seconds,
            });
        }
        tracing::warn!(call, seconds, "GitHub's rate limit; waiting");
        sleep_until(Instant::now() + wait).await;
        Ok(())
    }

    /// One call; what GitHub confirms to be as it was comes out of what was kept.
    async fn once(&self, ask: &Ask<'_>, path: &str, voice: &Voice) -> Result<Reply, String> {
        let key = (ask.method == Method::GET).then(|| cache::key(&voice.who, path));
        let etag = key
            .as_ref()
            .and_then(|k| lock(&self.shared.answers).etag(k));
        let call = Call {
            method: &ask.method,
            path,
            body: ask.body,
            token: voice.token.as_ref(),
            etag: etag.as_deref(),
        };
        let limit = self.settings.timeout + Duration::from_secs(1);
        let late = |_| {
            Err(format!(
                "no answer within {} s",
                self.settings.timeout.as_secs()
            ))
        };
        let reply = timeout(limit, self.wire.call(call))
            .await
            .unwrap_or_else(late)?;
        if let Some((resource, allowance)) = limit::allowance(&reply.headers) {
            lock(&self.shared.allowances).insert((voice.who.clone(), resource), allowance);
        }
        let Some(key) = key else { return Ok(reply) };
        let mut answers = lock(&self.shared.answers);
        if reply.status == StatusCode::NOT_MODIFIED && etag.is_some() {
            let gone = || "it confirms an answer that is not there any more".to_owned();
            return answers.confirmed(&key).ok_or_else(gone);
        }
        if reply.status == StatusCode::OK {
            answers.keep(key, &reply);
        }
        Ok(reply)
    }

    /// Where a redirect leads, if it is to be followed: reading follows every one, writing only
    /// those that keep its method. Nothing follows to another server, because the token would.
    fn redirected(
        &self,
        ask: &Ask<'_>,
        reply: &Reply,
        call: &str,
        trouble: &mut Trouble,
    ) -> Result<String, GithubError> {
        let refuse = |why: String| GithubError::Unexpected {
            call: call.to_owned(),
            why,
        };
        let reads = ask.method == Method::GET || ask.method == Method::HEAD;
        match reply.status.as_u16() {
            301 | 302 if reads => {}
            307 | 308 => {}
            other => return Err(refuse(format!("a redirect that is not followed ({other})"))),
        }
        trouble.redirects += 1;
        if trouble.redirects > REDIRECTS {
            return Err(refuse(format!("more than {REDIRECTS} redirects")));
        }
        let to = reply
            .headers
            .get(header::LOCATION)
            .and_then(|v| v.to_str().ok());
        to.and_then(|to| address::within(&self.settings.api_url, to))
            .ok_or_else(|| refuse("a redirect to another server".to_owned()))
    }
}

/// The repository that a path is about.
fn repository_of(path: &str) -> Option<RepoSlug> {
    let mut parts = path.strip_prefix("/repos/")?.split(['/', '?']);
    RepoSlug::new(&format!("{}/{}", parts.next()?, parts.next()?)).ok()
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
