//! One client for everything that is asked of GitHub.
//!
//! - At least one second between calls that create content.
//! - `retry-after` and `x-ratelimit-reset` are waited for: a refused call was not carried out,
//!   so it may be sent again whatever it does.
//! - After 5xx and broken connections only calls that can be repeated are repeated; for the
//!   others the caller gets [`GithubError::Uncertain`] and reads back.
//!
//! Source of the limits: docs.github.com, "Rate limits for the REST API" and "Best practices".

use super::wire::{Call, Octo, Reply, Wire};
use http::{Method, StatusCode, header};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until, timeout};

/// A token. `Debug` and `Display` do not show it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The token, to be put into a header and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// Where the client talks to, and how patient it is.
#[derive(Debug, Clone)]
pub struct ClientSettings {
    /// API root, such as `https://api.github.com`.
    pub api_url: String,
    /// Whom it speaks for; `None` for what needs nobody.
    pub token: Option<Token>,
    /// Least time between two calls that create content.
    pub pace: Duration,
    /// First pause before a repetition; then four and nine times as long.
    pub retry: Duration,
    /// Limit for one answer.
    pub timeout: Duration,
    /// Longest wait for a rate limit.
    pub patience: Duration,
}

impl ClientSettings {
    /// GitHub's advice: 1 s between writes, retries after 1, 4 and 9 s.
    pub fn new(api_url: &str, token: Option<Token>) -> Self {
        Self {
            api_url: api_url.trim_end_matches('/').to_owned(),
            token,
            pace: Duration::from_secs(1),
            retry: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
            patience: Duration::from_secs(20 * 60),
        }
    }
}

/// Why GitHub did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum GithubError {
    /// 404: not there, or not visible to this token.
    #[error("GitHub answers 404 to {call}: it does not exist, or the token may not see it")]
    NotFound {
        /// Method and path.
        call: String,
    },
    /// 403 without a rate limit.
    #[error("GitHub refuses {call} (403): {message}")]
    Forbidden {
        /// Method and path.
        call: String,
        /// GitHub's words.
        message: String,
    },
    /// 401.
    #[error("GitHub does not accept the token for {call} (401); it is wrong, expired or revoked")]
    Unauthorized {
        /// Method and path.
        call: String,
    },
    /// 409 and 422: the request makes no sense in the present state.
    #[error("GitHub cannot do {call} ({status}): {message}")]
    Conflict {
        /// Method and path.
        call: String,
        /// The status.
        status: u16,
        /// GitHub's words.
        message: String,
    },
    /// The limit would take longer than we are willing to wait.
    #[error("GitHub's rate limit stops {call} for {seconds} s more; try again later")]
    RateLimited {
        /// Method and path.
        call: String,
        /// Seconds until it may be tried.
        seconds: u64,
    },
    /// A write that may have happened: read back before repeating.
    #[error("GitHub did not say whether {call} was carried out ({why})")]
    Uncertain {
        /// Method and path.
        call: String,
        /// What came instead of an answer.
        why: String,
    },
    /// No answer to a call that was repeated.
    #[error("GitHub cannot be reached for {call} ({why})")]
    Unreachable {
        /// Method and path.
        call: String,
        /// What came instead of an answer.
        why: String,
    },
    /// An answer that is not what GitHub documents.
    #[error("GitHub's answer to {call} is not what it documents: {why}")]
    Unexpected {
        /// Method and path.
        call: String,
        /// What is wrong.
        why: String,
    },
}

impl GithubError {
    /// Whether this is a 404.
    pub fn is_not_found(&self) -> bool {
        matches!(self, GithubError::NotFound { .. })
    }
    /// Whether the call may have been carried out.
    pub fn is_uncertain(&self) -> bool {
        matches!(self, GithubError::Uncertain { .. })
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

/// The client. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Client {
    wire: Arc<dyn Wire>,
    settings: Arc<ClientSettings>,
    next_write: Arc<Mutex<Instant>>,
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
            next_write: Arc::new(Mutex::new(Instant::now())),
        }
    }

    /// The API root.
    pub fn api_url(&self) -> &str {
        &self.settings.api_url
    }

    /// Sends a call and returns a successful answer; everything else is an error.
    pub(super) async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        repeat: Repeat,
    ) -> Result<Reply, GithubError> {
        let call = format!("{method} {}", path.split('?').next().unwrap_or(path));
        let started = Instant::now();
        let mut path = path.to_owned();
        let mut failures = 0_u32;
        let mut redirects = 0;
        loop {
            if method != Method::GET && method != Method::HEAD {
                self.pace().await;
            }
            let why = match self.once(&method, &path, body).await {
                Ok(reply) if reply.status.is_success() => return Ok(reply),
                Ok(reply)
                    if reply.status.is_redirection() && method == Method::GET && redirects < 3 =>
                {
                    redirects += 1;
                    path = self.location(&reply, &call)?;
                    continue;
                }
                Ok(reply) => match self.limit(&reply) {
                    Some(wait) if started.elapsed() + wait <= self.settings.patience => {
                        tracing::warn!(
                            call,
                            seconds = wait.as_secs(),
                            "GitHub's rate limit; waiting"
                        );
                        sleep_until(Instant::now() + wait).await;
                        continue;
                    }
                    Some(wait) => {
                        return Err(GithubError::RateLimited {
                            call,
                            seconds: wait.as_secs(),
                        });
                    }
                    None if reply.status.is_server_error() => {
                        format!("it answers {}", reply.status.as_u16())
                    }
                    None => return Err(refusal(call, &reply)),
                },
                Err(why) => why,
            };
            failures += 1;
            if repeat == Repeat::Never {
                return Err(GithubError::Uncertain { call, why });
            }
            if failures > 3 {
                return Err(GithubError::Unreachable { call, why });
            }
            tracing::warn!(
                call,
                why,
                attempt = failures,
                "GitHub did not answer; trying again"
            );
            sleep_until(Instant::now() + self.settings.retry * failures * failures).await;
        }
    }

    /// Waits for this client's turn to write.
    async fn pace(&self) {
        let mut next = self.next_write.lock().await;
        sleep_until(*next).await;
        *next = Instant::now() + self.settings.pace;
    }

    async fn once(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Reply, String> {
        let call = Call { method, path, body };
        timeout(
            self.settings.timeout + Duration::from_secs(1),
            self.wire.call(call),
        )
        .await
        .unwrap_or_else(|_| {
            Err(format!(
                "no answer within {} s",
                self.settings.timeout.as_secs()
            ))
        })
    }

    /// How long GitHub wants us to wait, if this answer is a rate limit.
    fn limit(&self, reply: &Reply) -> Option<Duration> {
        if reply.status != StatusCode::TOO_MANY_REQUESTS && reply.status != StatusCode::FORBIDDEN {
            return None;
        }
        let number = |name: &str| {
            reply
                .headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .and_then(|v| v.parse::<u64>().ok())
        };
        if let Some(seconds) = number("retry-after") {
            return Some(Duration::from_secs(seconds));
        }
        if number("x-ratelimit-remaining") == Some(0) {
            // Compared with the server's own clock, because ours may be off.
            let server = reply
                .headers
                .get(header::DATE)
                .and_then(|v| v.to_str().ok())
                .and_then(|d| chrono::DateTime::parse_from_rfc2822(d).ok());
            let now = server.map_or(0, |d| u64::try_from(d.timestamp()).unwrap_or(0));
            return Some(Duration::from_secs(
                number("x-ratelimit-reset")
                    .map_or(60, |reset| reset.saturating_sub(now).clamp(1, 3_700)),
            ));
        }
        let secondary = reply
            .body
            .get("message")
            .and_then(Value::as_str)
            .is_some_and(|m| m.contains("secondary rate limit"));
        (secondary || reply.status == StatusCode::TOO_MANY_REQUESTS)
            .then_some(Duration::from_secs(60))
    }

    /// The path of a redirect, if it stays on the same server.
    fn location(&self, reply: &Reply, call: &str) -> Result<String, GithubError> {
        let to = reply
            .headers
            .get(header::LOCATION)
            .and_then(|v| v.to_str().ok())
            .unwrap_or_default();
        match to.strip_prefix(&self.settings.api_url) {
            Some(path) if path.starts_with('/') => Ok(path.to_owned()),
            _ => Err(GithubError::Unexpected {
                call: call.to_owned(),
                why: "a redirect to another server".to_owned(),
            }),
        }
    }
}

fn refusal(call: String, reply: &Reply) -> GithubError {
    let mut message = reply
        .body
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or("no reason given")
        .to_owned();
    for error in reply
        .body
        .get("errors")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .take(3)
    {
        if let Some(text) = error
            .get("message")
            .and_then(Value::as_str)
            .or_else(|| error.as_str())
        {
            message = format!("{message}: {text}");
        }
    }
    let message = crate::estate::ids::shown(&message);
    match reply.status {
        StatusCode::NOT_FOUND | StatusCode::GONE => GithubError::NotFound { call },
        StatusCode::UNAUTHORIZED => GithubError::Unauthorized { call },
        StatusCode::FORBIDDEN => GithubError::Forbidden { call, message },
        StatusCode::CONFLICT
        | StatusCode::UNPROCESSABLE_ENTITY
        | StatusCode::METHOD_NOT_ALLOWED => GithubError::Conflict {
            call,
            status: reply.status.as_u16(),
            message,
        },
        other => GithubError::Unexpected {
            call,
            why: format!("status {}: {message}", other.as_u16()),
        },
    }
}
