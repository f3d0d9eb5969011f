//! How one call reaches GitHub and one answer comes back. [`super::Client`] decides what is sent,
//! how often and when.

use super::client::{ClientSettings, GithubError};
use futures_util::future::BoxFuture;
use http::{HeaderMap, Method, StatusCode, header};
use http_body_util::BodyExt as _;
use octocrab::Octocrab;
use serde_json::Value;
use std::time::Duration;

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path and query under the API root.
    pub path: &'a str,
    /// JSON, if anything is sent.
    pub body: Option<&'a Value>,
}

/// A bounded answer.
#[derive(Debug, Clone)]
pub struct Reply {
    /// Status.
    pub status: StatusCode,
    /// Headers.
    pub headers: HeaderMap,
    /// JSON; null where there is none.
    pub body: Value,
}

/// Carries calls. `Err` says in a few words, and without secrets, why there is no answer; the
/// call may have been carried out all the same.
pub trait Wire: std::fmt::Debug + Send + Sync {
    /// Sends one call, once.
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, String>>;
}

/// No answer that tenantry needs is larger (a recursive tree of a big repository).
const MAX_ANSWER: usize = 64 << 20;

/// The real one.
#[derive(Debug)]
pub(super) struct Octo(Octocrab);

impl Octo {
    /// Nothing is sent yet. Must be called inside a tokio runtime.
    pub(super) fn new(settings: &ClientSettings) -> Result<Self, GithubError> {
        let setup = |why: String| GithubError::Unexpected {
            call: "the client's set-up".to_owned(),
            why,
        };
        let mut builder = Octocrab::builder()
            .base_uri(settings.api_url.as_str())
            .map_err(|_| setup(format!("`{}` is not a URL", settings.api_url)))?
            .set_connect_timeout(Some(Duration::from_secs(10)))
            .set_read_timeout(Some(settings.timeout))
            .set_write_timeout(Some(settings.timeout))
            .add_header(
                header::USER_AGENT,
                format!("tenantry/{}", env!("CARGO_PKG_VERSION")),
            );
        if let Some(token) = &settings.token {
            builder = builder.personal_token(token.expose().to_owned());
        }
        let inner = builder
            .build()
            .map_err(|_| setup("the TLS set-up failed".to_owned()))?;
        Ok(Self(inner))
    }
}

impl Wire for Octo {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let builder = http::Request::builder()
                .method(call.method.clone())
                .uri(call.path)
                .header(header::ACCEPT, "application/vnd.github+json")
                .header("X-GitHub-Api-Version", "2022-11-28");
            let request = self
                .0
                .build_request(builder, call.body)
                .map_err(|_| "the request cannot be written".to_owned())?;
            let response = self.0.execute(request).await.map_err(|e| outermost(&e))?;
            let (parts, body) = response.into_parts();
            let limited = http_body_util::Limited::new(body, MAX_ANSWER);
            let bytes = limited
                .collect()
                .await
                .map_err(|_| "the answer broke off".to_owned())?
                .to_bytes();
            let body = if bytes.is_empty() {
                Value::Null
            } else {
                serde_json::from_slice(&bytes).unwrap_or(Value::Null)
            };
            Ok(Reply {
                status: parts.status,
                headers: parts.headers,
                body,
            })
        })
    }
}

/// What went wrong, without the request that holds the token.
fn outermost(error: &octocrab::Error) -> String {
    use std::error::Error as _;
    let text = error
        .source()
        .map_or_else(|| error.to_string(), ToString::to_string);
    text.lines()
        .next()
        .unwrap_or("the connection failed")
        .chars()
        .take(200)
        .collect()
}
