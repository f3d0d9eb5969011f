//! The server: socket, one lock, faults, rate-limit and ETag headers, and the start of runs.
use super::access::{self, Ctx};
use super::clock::Clock;
use super::faults::{Fault, Faults, Kind};
use super::http::{Reply, Req};
use super::ids::{hex, random_hex};
use super::model::Grant;
use super::oidc::Issuer;
use super::record::Journal;
use super::runner::{self, RunnerSettings};
use super::state::{ACTIONS_BOT, ADMIN_USER, State, WEB_FLOW};
use super::{admin, events, oidc, rest};
use crate::keyring::sealed::Opener;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State as Shared};
use axum::response::Response;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;

/// How to start a server.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where repositories lie; made if missing.
    pub dir: PathBuf,
    /// 0 for any free port.
    pub port: u16,
    /// JSON lines of every exchange, for conformance tests.
    pub record: Option<PathBuf>,
    /// How workflows are run.
    pub runner: RunnerSettings,
    /// A random one if not given.
    pub admin_token: Option<String>,
    /// Time.
    pub clock: Clock,
}

/// What handlers and runners share.
pub struct Inner {
    state: Mutex<State>,
    /// How workflows are run.
    pub runner: RunnerSettings,
    /// Tasks that may still change something.
    pub active: AtomicUsize,
    /// Turns true when the server stops.
    pub stopping: watch::Sender<bool>,
}

impl Inner {
    /// The state; a panic in a handler does not take the server down.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running local GitHub.
pub struct Server {
    /// `http://127.0.0.1:port`: `GITHUB_API_URL` and `GITHUB_SERVER_URL`.
    pub url: String,
    /// The admin token.
    pub token: String,
    inner: Arc<Inner>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    /// Binds to loopback and serves until [`Server::stop`].
    pub async fn start(settings: Settings) -> std::io::Result<Self> {
        tokio::fs::create_dir_all(settings.dir.join("git")).await?;
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", settings.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let token = settings
            .admin_token
            .unwrap_or_else(|| format!("ghp_{}", random_hex(20)));
        let mut state = State {
            clock: settings.clock,
            url: url.clone(),
            dir: tokio::fs::canonicalize(&settings.dir).await?,
            path: settings.runner.path.clone(),
            accounts: BTreeMap::new(),
            repos: BTreeMap::new(),
            redirects: HashMap::new(),
            tokens: HashMap::new(),
            apps: BTreeMap::new(),
            enterprise: settings.runner.enterprise,
            runs: BTreeMap::new(),
            oidc_grants: HashMap::new(),
            issuer: Issuer::new()?,
            opener: Opener::generate(),
            faults: Faults::default(),
            journal: Journal {
                file: settings.record,
                entries: Vec::new(),
            },
            events: Vec::new(),
            reruns: Vec::new(),
            delayed: 0,
            last_id: 1000,
        };
        state.insert_account(ADMIN_USER, "local-admin", "User");
        state.insert_account(ACTIONS_BOT, "github-actions[bot]", "Bot");
        state.insert_account(WEB_FLOW, "web-flow", "User");
        if let Some(web_flow) = state.accounts.get_mut(&WEB_FLOW) {
            // Merges made on GitHub's pages are committed by this account.
            "noreply@github.com".clone_into(&mut web_flow.email);
        }
        state.add_token(Some(&token), ADMIN_USER, Grant::Admin);
        let inner = Arc::new(Inner {
            state: Mutex::new(state),
            runner: settings.runner,
            active: AtomicUsize::new(0),
            stopping: watch::Sender::new(false),
        });
        let app = axum::Router::new()
            .fallback(handle)
            .with_state(inner.clone());
        let mut stop = inner.stopping.subscribe();
        let task = tokio::spawn(async move {
            let stopped = async move {
                drop(stop.wait_for(|s| *s).await);
            };
            tokio::select! {
                served = async { axum::serve(listener, app).await } => drop(served),
                () = stopped => {}
            }
        });
        Ok(Self {
            url,
            token,
            inner,
            task,
        })
    }

    /// The state, for in-process use; hold it only briefly.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state()
    }

    /// What runners share with the server.
    pub fn inner(&self) -> &Arc<Inner> {
        &self.inner
    }

    /// A request without a socket, as the admin; returns status and body.
    pub async fn call(&self, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.call_as(&self.token.clone(), method, path, body).await
    }

    /// A request without a socket, with a token of one's choice.
    pub async fn call_as(
        &self,
        token: &str,
        method: &str,
        path: &str,
        body: Value,
    ) -> (u16, Value) {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = ::http::HeaderMap::new();
        if let Ok(value) = format!("Bearer {token}").parse() {
            headers.insert("authorization", value);
        }
        let body = if body.is_null() {
            Vec::new()
        } else {
            body.to_string().into_bytes()
        };
        let req = Req::new(method, path, query, headers, body);
        let reply = exchange(&self.inner, req).await;
        (reply.status, reply.body.unwrap_or(Value::Null))
    }

    /// Throws a fault switch.
    pub fn fault(&self, fault: Fault) {
        self.state().faults.add(fault);
    }

    /// Waits until nothing runs any more; runs that wait for an approval count as idle.
    pub async fn idle(&self) {
        loop {
            let busy = self.inner.active.load(Ordering::SeqCst) > 0
                && self
                    .state()
                    .runs
                    .values()
                    .any(|r| matches!(r.status, "queued" | "in_progress"))
                || self.state().delayed > 0;
            if !busy {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Ends runs (with their processes) and the server.
    pub async fn stop(self) {
        self.inner.stopping.send_replace(true);
        drop(self.task.await);
        for _ in 0..100 {
            if self.inner.active.load(Ordering::SeqCst) == 0 {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

async fn handle(Shared(inner): Shared<Arc<Inner>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let query = parts.uri.query().unwrap_or("").to_owned();
    let enterprise = inner.state().enterprise;
    let path = match enterprise {
        true => on_enterprise(parts.uri.path()),
        false => Some(parts.uri.path()),
    };
    let reply = match (to_bytes(body, 100 << 20).await, path) {
        (Ok(_), None) => Reply::not_found(),
        (Ok(bytes), Some(path)) => {
            let req = Req::new(
                parts.method.as_str(),
                path,
                &query,
                parts.headers,
                bytes.to_vec(),
            );
            exchange(&inner, req).await
        }
        (Err(_), _) => Reply::error(413, "Payload too large"),
    };
    let mut out = Response::builder().status(reply.status);
    for (name, value) in &reply.headers {
        out = out.header(name, value);
    }
    let body = match reply.body {
        Some(v) => {
            out = out.header("content-type", "application/json; charset=utf-8");
            Body::from(v.to_string())
        }
        None => Body::empty(),
    };
    out.body(body).unwrap_or_default()
}

/// A path of an Enterprise Server as one of github.com.
fn on_enterprise(path: &str) -> Option<&str> {
    match path {
        "/api/graphql" => Some("/graphql"),
        "/api/v3/graphql" | "/api/v3" => None,
        _ if path.starts_with("/_") => Some(path),
        _ => path.strip_prefix("/api/v3").filter(|p| p.starts_with('/')),
    }
}

/// One request from first to last: fault, handler, headers, journal, runs.
async fn exchange(inner: &Arc<Inner>, req: Req) -> Reply {
    let public = !req.path.starts_with("/_");
    let fault = if public {
        inner.state().faults.take(&req.method, &req.path)
    } else {
        None
    };
    let before = match fault.as_ref().map(|f| &f.kind) {
        Some(Kind::RateLimited) => Some(Reply::error(429, "API rate limit exceeded")),
        Some(Kind::Secondary) => Some(Reply::error(
            403,
            "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.",
        )),
        Some(Kind::Status(s)) => Some(Reply::error(*s, "Server Error")),
        Some(Kind::Timeout(ms)) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            Some(Reply::error(
                504,
                "We couldn't respond to your request in time.",
            ))
        }
        Some(Kind::DropDispatch) => Some(Reply::none()),
        _ => None,
    };
    let kind = fault.as_ref().map(|f| f.kind.clone());
    if let Some(mut reply) = before {
        if matches!(kind, Some(Kind::RateLimited | Kind::Secondary)) {
            let seconds = fault.map_or(1, |f| f.retry_after);
            reply = reply.with("retry-after", seconds.to_string());
        }
        let reply = reply.with("x-github-request-id", random_hex(12).to_uppercase());
        journal(&mut inner.state(), &req, &reply);
        return reply;
    }
    let shared = inner.clone();
    let done = tokio::task::spawn_blocking(move || locked(&shared, &req, kind.as_ref())).await;
    let (reply, runs, delay) = match done {
        Ok(done) => done,
        Err(_) => (Reply::error(500, "Server Error"), Vec::new(), None),
    };
    if let Some((ms, events)) = delay {
        let shared = inner.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(ms)).await;
            let runs = {
                let mut s = shared.state();
                s.events = events;
                s.delayed -= 1;
                events::start_runs(&mut s)
            };
            runner::spawn(&shared, runs);
        });
    }
    runner::spawn(inner, runs);
    reply
}

type Done = (Reply, Vec<u64>, Option<(u64, Vec<super::model::Event>)>);

fn locked(inner: &Inner, req: &Req, kind: Option<&Kind>) -> Done {
    let mut guard = inner.state();
    let s = &mut *guard;
    s.events.clear();
    let reply = answer(s, req);
    let mut delay = None;
    match kind {
        Some(Kind::DuplicateDispatch) => {
            let twice = s.events.clone();
            s.events.extend(twice);
        }
        Some(Kind::DelayDispatch(ms)) => {
            s.delayed += 1;
            delay = Some((*ms, std::mem::take(&mut s.events)));
        }
        _ => {}
    }
    let mut runs = events::start_runs(s);
    runs.append(&mut s.reruns);
    let reply = if kind == Some(&Kind::DropAfter) {
        Reply::error(502, "Server Error")
    } else {
        reply
    };
    if !req.path.starts_with("/_") {
        journal(s, req, &reply);
    }
    (reply, runs, delay)
}

fn answer(s: &mut State, req: &Req) -> Reply {
    if req.path.starts_with("/_oidc") || req.path.starts_with("/_services/token") {
        return oidc::route(s, req).unwrap_or_else(|e| e);
    }
    let who = match access::authenticate(s, req) {
        Ok(who) => who,
        Err(reply) => return reply.with("x-github-request-id", random_hex(12).to_uppercase()),
    };
    let mut c = Ctx { s, req, who };
    if req.path.starts_with("/_local") {
        return admin::route(&mut c).unwrap_or_else(|e| e);
    }
    let (limit, used, reset) = rest::users::limits(&c);
    let exhausted = used >= limit && req.path != "/rate_limit";
    let mut reply = if exhausted {
        Reply::error(403, "API rate limit exceeded for user.")
    } else {
        rest::route(&mut c).unwrap_or_else(|e| e)
    };
    if req.method == "GET" && reply.status == 200 {
        let digest = Sha256::digest(
            reply
                .body
                .as_ref()
                .map(Value::to_string)
                .unwrap_or_default(),
        );
        let etag = format!("W/\"{}\"", hex(&digest));
        if req
            .header("if-none-match")
            .is_some_and(|v| v.split(", ").any(|e| e == etag))
        {
            reply.status = 304;
            reply.body = None;
        }
        reply = reply.with("etag", etag);
    }
    // A 304 costs nothing of the primary limit, nor does asking for the limit.
    let counted = u64::from(!exhausted && reply.status != 304 && req.path != "/rate_limit");
    if let Some(t) = access::bearer(req).and_then(|t| s.tokens.get_mut(t)) {
        t.used = used + counted;
        t.window = reset - 3600;
    }
    let used = used + counted;
    if let Some(t) = access::bearer(req).and_then(|t| s.tokens.get(t)) {
        if matches!(t.grant, Grant::Classic) {
            reply = reply.with("x-oauth-scopes", t.scopes.join(", "));
        }
        if let Some(end) = t.expires {
            let end = super::clock::iso(end)
                .replace('T', " ")
                .replace('Z', " UTC");
            reply = reply.with("github-authentication-token-expiration", end);
        }
    }
    reply
        .with("x-ratelimit-limit", limit.to_string())
        .with(
            "x-ratelimit-remaining",
            limit.saturating_sub(used).to_string(),
        )
        .with("x-ratelimit-used", used.to_string())
        .with("x-ratelimit-reset", reset.to_string())
        .with(
            "x-ratelimit-resource",
            if req.path == "/graphql" {
                "graphql"
            } else {
                "core"
            },
        )
        .with("x-github-api-version-selected", "2022-11-28")
        .with("x-github-request-id", random_hex(12).to_uppercase())
}

fn journal(s: &mut State, req: &Req, reply: &Reply) {
    let headers: HashMap<&str, &str> = req
        .headers
        .iter()
        .filter(|(k, _)| *k != "authorization")
        .filter_map(|(k, v)| Some((k.as_str(), v.to_str().ok()?)))
        .collect();
    let body = super::record::without_tokens(&req.body);
    let answered: HashMap<&str, &str> = reply
        .headers
        .iter()
        .map(|(k, v)| (k.as_str(), v.as_str()))
        .collect();
    s.journal.add(json!({
        "method": req.method, "path": req.path,
        "query": req.query.iter().cloned().collect::<BTreeMap<String, String>>(),
        "request_headers": headers, "request_body": body,
        "status": reply.status, "response_headers": answered, "response_body": reply.body,
    }));
}
