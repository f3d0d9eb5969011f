//! How one call reaches GitHub and one answer comes back. [`super::Client`] decides what is sent,
//! how often and when.

use super::address;
use super::client::ClientSettings;
use super::credential::Token;
use super::error::GithubError;
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};
use http_body_util::BodyExt as _;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::client::legacy::Client as Hyper;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::rt::TokioExecutor;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde_json::Value;
use std::time::Duration;

/// One call.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Method.
    pub method: &'a Method,
    /// Path and query under the API root; `/graphql` for GraphQL, wherever it is.
    pub path: &'a str,
    /// JSON, if anything is sent.
    pub body: Option<&'a Value>,
    /// In whose name.
    pub token: Option<&'a Token>,
    /// The `ETag` of an answer that is at hand.
    pub etag: Option<&'a str>,
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
/// A connection that is not there after this long is not there.
const CONNECT: Duration = Duration::from_secs(10);

/// The real one.
#[derive(Debug)]
pub(super) struct Octo {
    inner: Octocrab,
    root: String,
}

impl Octo {
    /// Nothing is sent yet. Must be called inside a tokio runtime.
    pub(super) fn new(settings: &ClientSettings) -> Result<Self, GithubError> {
        let root = address::check(&settings.api_url)?;
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_connect_timeout(Some(CONNECT));
        let tls = HttpsConnectorBuilder::new()
            .with_provider_and_native_roots(rustls::crypto::aws_lc_rs::default_provider())
            .map_err(|_| GithubError::Setup {
                why: "this machine has no root certificates; SSL_CERT_FILE may name some"
                    .to_owned(),
            })?;
        let tls = match root.scheme() {
            "https" => tls.https_only(),
            _ => tls.https_or_http(),
        };
        let tls = tls.enable_http1();
        let pool = Hyper::builder(TokioExecutor::new());
        let inner = match settings.proxies.towards(&root) {
            None => crab(pool.build::<_, OctoBody>(tls.wrap_connector(tcp))),
            Some(found) => {
                let mut tunnel = Tunnel::new(found.proxy, tcp);
                if let Some(authorization) = found.authorization {
                    tunnel = tunnel.with_auth(authorization);
                }
                crab(pool.build::<_, OctoBody>(tls.wrap_connector(tunnel)))
            }
        };
        Ok(Self {
            inner,
            root: settings.api_url.clone(),
        })
    }

    fn request(&self, call: Call<'_>) -> Option<http::Request<OctoBody>> {
        let uri: Uri = address::of_call(&self.root, call.path).parse().ok()?;
        let mut request = http::Request::builder()
            .method(call.method.clone())
            .uri(uri)
            .header(header::ACCEPT, "application/vnd.github+json")
            .header("X-GitHub-Api-Version", "2022-11-28")
            .header(
                header::USER_AGENT,
                concat!("tenantry/", env!("CARGO_PKG_VERSION")),
            );
        if let Some(token) = call.token {
            let mut value = HeaderValue::from_str(&format!("Bearer {}", token.expose())).ok()?;
            value.set_sensitive(true);
            request = request.header(header::AUTHORIZATION, value);
        }
        if let Some(etag) = call.etag {
            request = request.header(header::IF_NONE_MATCH, etag);
        }
        self.inner.build_request(request, call.body).ok()
    }
}

/// `octocrab` over a service of ours: its own has no way through a proxy.
fn crab<C>(service: Hyper<C, OctoBody>) -> Octocrab
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let builder = OctocrabBuilder::new_empty().with_service(service);
    let Ok(crab) = builder.with_auth(AuthState::None).build();
    crab
}

impl Wire for Octo {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let request = self.request(call);
            let request = request.ok_or("the request cannot be written")?;
            let response = self.inner.execute(request).await.map_err(|e| causes(&e))?;
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
fn causes(error: &octocrab::Error) -> String {
    let mut source = std::error::Error::source(error);
    let mut out = String::new();
    while let Some(cause) = source {
        let text = cause.to_string();
        let line = text.lines().next().unwrap_or_default();
        if !out.contains(line) {
            if !out.is_empty() {
                out.push_str(": ");
            }
            out.push_str(line);
        }
        source = cause.source();
    }
    if out.is_empty() {
        out.push_str("the connection failed");
    }
    out.chars().take(200).collect()
}
