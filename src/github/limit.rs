//! GitHub's limits, read out of its answers (docs.github.com, "Rate limits for the REST API" and
//! "Rate limits and query limits for the GraphQL API").

use super::wire::Reply;
use crate::clock::Time;
use http::{HeaderMap, StatusCode, header};
use serde_json::Value;
use std::time::Duration;

/// What is left of a primary limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Calls or points for an hour.
    pub limit: u64,
    /// What is left of them.
    pub remaining: u64,
    /// When all of them are there again.
    pub reset: Time,
}

fn number(headers: &HeaderMap, name: &str) -> Option<u64> {
    headers.get(name)?.to_str().ok()?.trim().parse().ok()
}

/// What an answer says about the limit it counted against: `core`, `graphql`, ….
pub(super) fn allowance(headers: &HeaderMap) -> Option<(String, Allowance)> {
    let allowance = Allowance {
        limit: number(headers, "x-ratelimit-limit")?,
        remaining: number(headers, "x-ratelimit-remaining")?,
        reset: Time(number(headers, "x-ratelimit-reset")?),
    };
    let resource = headers.get("x-ratelimit-resource")?.to_str().ok()?;
    Some((resource.to_owned(), allowance))
}

/// What `GET /rate_limit` says.
pub(super) fn core(body: &Value) -> Option<Allowance> {
    let core = body.pointer("/resources/core")?;
    let number = |key: &str| core.get(key).and_then(Value::as_u64);
    Some(Allowance {
        limit: number("limit")?,
        remaining: number("remaining")?,
        reset: Time(number("reset")?),
    })
}

/// The server's own clock, because ours may be off.
pub(super) fn server_time(headers: &HeaderMap) -> Option<Time> {
    let text = headers.get(header::DATE)?.to_str().ok()?;
    let date = chrono::DateTime::parse_from_rfc2822(text).ok()?;
    u64::try_from(date.timestamp()).ok().map(Time)
}

/// Whether GraphQL says, with status 200, that its points are used up.
fn out_of_points(reply: &Reply) -> bool {
    reply.status == StatusCode::OK
        && reply
            .body
            .get("errors")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .any(|e| e.get("type").and_then(Value::as_str) == Some("RATE_LIMITED"))
}

/// How long GitHub wants us to wait, if this answer is a limit. `before` is how often it said so
/// for this call already: without `retry-after` each wait is twice as long as the last one.
pub(super) fn wait(reply: &Reply, now: Time, before: u32) -> Option<Duration> {
    let points = out_of_points(reply);
    if !points
        && reply.status != StatusCode::TOO_MANY_REQUESTS
        && reply.status != StatusCode::FORBIDDEN
    {
        return None;
    }
    let headers = &reply.headers;
    if let Some(seconds) = number(headers, "retry-after") {
        return Some(Duration::from_secs(seconds));
    }
    if points || number(headers, "x-ratelimit-remaining") == Some(0) {
        let now = server_time(headers).unwrap_or(now);
        let seconds = number(headers, "x-ratelimit-reset")
            .map_or(60, |reset| Time(reset).since(now).clamp(1, 3_700));
        return Some(Duration::from_secs(seconds));
    }
    let secondary = reply
        .body
        .get("message")
        .and_then(Value::as_str)
        .is_some_and(|m| m.contains("secondary rate limit"));
    (secondary || reply.status == StatusCode::TOO_MANY_REQUESTS)
        .then(|| Duration::from_secs(60 << before.min(6)))
}
