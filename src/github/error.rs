//! Why GitHub did not do what was asked.

use super::wire::Reply;
use http::StatusCode;
use serde_json::Value;

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
    /// A list that goes on behind what tenantry reads.
    #[error(
        "GitHub's list for {call} has more than {most} entries; tenantry reads no more, and a part of it must not be taken for all"
    )]
    TooMany {
        /// Method and path.
        call: String,
        /// How many are read.
        most: usize,
    },
    /// The client cannot be set up; nothing was sent.
    #[error("the client for GitHub cannot be set up: {why}")]
    Setup {
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

/// What an answer that is neither a success nor a limit means.
pub(super) fn refusal(call: String, reply: &Reply) -> GithubError {
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
