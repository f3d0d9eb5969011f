//! The customer's side: build the request, prove who asks, send the hint, show that it is pending.

use super::error::{DeliveryError, Refusal};
use super::hint::{EVENT_TYPE, Event, Hint};
use super::identity::audience;
use crate::estate::ids::shown;
use crate::estate::{RepoSlug, RequestId, Sha};
use crate::github::model::Status;
use crate::github::{Client, GithubError};
use serde_json::Value;

/// What the runner says about the event.
#[derive(Debug, Clone)]
pub struct Situation {
    /// `push` or `pull_request`.
    pub event_name: String,
    /// The event's payload.
    pub payload: Value,
    /// The repository.
    pub repository: RepoSlug,
    /// Its numeric id.
    pub repository_id: u64,
    /// The commit of the run.
    pub sha: Sha,
    /// The git reference.
    pub reference: String,
    /// Run id and attempt, which make the request id.
    pub run: (u64, u64),
}

/// What was done.
#[derive(Debug, Clone, serde::Serialize)]
#[serde(rename_all = "kebab-case", tag = "result")]
pub enum Triggered {
    /// The hint was sent.
    Sent {
        /// Its id.
        request_id: String,
    },
    /// The provider finds the change by itself.
    Polled,
    /// There is nothing to ask for.
    Nothing {
        /// Why.
        reason: String,
    },
}

/// The hint for a situation, still without an identity; `Err` says why there is nothing to ask for.
pub fn hint(situation: &Situation) -> Result<Result<Hint, String>, DeliveryError> {
    let (event, sha) = match situation.event_name.as_str() {
        "push" => {
            let default = situation
                .payload
                .pointer("/repository/default_branch")
                .and_then(Value::as_str);
            if let Some(default) = default
                && situation.reference != format!("refs/heads/{default}")
            {
                return Ok(Err(format!(
                    "`{}` is not the default branch",
                    shown(&situation.reference)
                )));
            }
            (Event::Push, situation.sha.clone())
        }
        "pull_request" => {
            let pull = situation
                .payload
                .get("pull_request")
                .ok_or_else(|| Refusal::new("event", "the event has no pull request"))?;
            let head = pull.pointer("/head/repo/id").and_then(Value::as_u64);
            if head != Some(situation.repository_id) {
                return Ok(Err("pull requests from forks are not planned; push the branch to the repository itself".into()));
            }
            let number = pull
                .get("number")
                .and_then(Value::as_u64)
                .ok_or_else(|| Refusal::new("event", "the pull request has no number"))?;
            let sha = pull
                .pointer("/head/sha")
                .and_then(Value::as_str)
                .unwrap_or_default();
            // GITHUB_SHA is GitHub's test merge here; what people look at is the head.
            (
                Event::PullRequest(number),
                Sha::new(sha).map_err(|e| Refusal::new("event", e.to_string()))?,
            )
        }
        other => {
            return Err(Refusal::new(
                "event",
                format!(
                    "event `{}` is not supported; run this action on `push` and `pull_request`",
                    shown(other)
                ),
            )
            .into());
        }
    };
    let request_id = RequestId::new(&format!("run-{}-{}", situation.run.0, situation.run.1))
        .map_err(|e| Refusal::new("event", e.to_string()))?;
    Ok(Ok(Hint {
        request_id,
        repository: situation.repository.clone(),
        repository_id: situation.repository_id,
        sha,
        reference: situation.reference.clone(),
        event,
        identity: None,
    }))
}

/// Asks the runner's OIDC endpoint for a token with the manager's audience.
pub async fn identity(
    endpoint: &Client,
    path: &str,
    manager: &RepoSlug,
) -> Result<String, DeliveryError> {
    let sign = if path.contains('?') { '&' } else { '?' };
    let audience: String = audience(manager)
        .bytes()
        .map(|b| {
            if b.is_ascii_alphanumeric() || b"-._".contains(&b) {
                char::from(b).to_string()
            } else {
                format!("%{b:02X}")
            }
        })
        .collect();
    let answer = endpoint
        .get_json(&format!("{path}{sign}audience={audience}"))
        .await?;
    answer
        .get("value")
        .and_then(Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| {
            Refusal::new("identity", "the runner's identity endpoint gave no token").into()
        })
}

/// Sends the hint. A refusal by GitHub says which permission is missing.
pub async fn send(dispatcher: &Client, to: &RepoSlug, hint: &Hint) -> Result<(), DeliveryError> {
    match dispatcher.dispatch(to, EVENT_TYPE, &hint.payload()).await {
        Ok(()) => Ok(()),
        Err(GithubError::NotFound { .. }) => Err(Refusal::new(
            "dispatch-not-found",
            format!("GitHub answers 404 to a dispatch to `{to}`: MANAGER_REPO_OWNER or MANAGER_REPO_NAME is wrong, or the token MANAGER_REPO_PAT may not see the repository (it needs `contents: write` there)"),
        )
        .into()),
        Err(GithubError::Forbidden { message, .. }) => {
            Err(Refusal::new("dispatch-forbidden", format!("GitHub refuses a dispatch to `{to}` (403: {message}): the token MANAGER_REPO_PAT needs `contents: write` on it")).into())
        }
        Err(GithubError::Unauthorized { .. }) => Err(Refusal::new("dispatch-unauthorized", format!("GitHub does not accept the token MANAGER_REPO_PAT for `{to}` (401): it is wrong, expired or revoked; ask your provider for a new one")).into()),
        Err(other) => Err(other.into()),
    }
}

/// Sets the pending status with the workflow's own token. That it may not is only said.
pub async fn pending(own: &Client, hint: &Hint, context: &str) -> Option<String> {
    let status = Status {
        state: "pending".into(),
        context: context.into(),
        description: Some("asked the provider; waiting for the plan".into()),
        target_url: None,
    };
    match own.set_status(&hint.repository, &hint.sha, &status).await {
        Ok(()) => None,
        Err(GithubError::Forbidden { .. } | GithubError::NotFound { .. }) => Some(
            "the pending status could not be set: give this job `permissions: statuses: write`"
                .into(),
        ),
        Err(other) => Some(format!("the pending status could not be set: {other}")),
    }
}
