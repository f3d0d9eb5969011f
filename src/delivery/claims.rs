//! What a customer's workflow says in its OIDC token, judged claim by claim, because the defaults
//! of JWT libraries accept tokens without audience or issuer. Claims: docs.github.com, "OpenID
//! Connect reference".

use super::hint::{Event, Hint};
use super::refusal::Refusal;
use crate::clock::Time;
use crate::estate::RepoSlug;
use crate::estate::ids::shown;
use serde::Deserialize;

/// The claims that tenantry reads. All are required.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Claims {
    /// Issuer.
    pub iss: String,
    /// Audience.
    pub aud: String,
    /// Subject.
    pub sub: String,
    /// Unique id.
    pub jti: String,
    /// Expiry, seconds since 1970.
    pub exp: u64,
    /// Not before.
    pub nbf: u64,
    /// Issued at.
    pub iat: u64,
    /// `owner/name`.
    pub repository: String,
    /// Numeric repository id, as a text.
    pub repository_id: String,
    /// Numeric owner id, as a text.
    pub repository_owner_id: String,
    /// Git reference.
    #[serde(rename = "ref")]
    pub reference: String,
    /// Commit.
    pub sha: String,
    /// `push` or `pull_request`.
    pub event_name: String,
    /// Who caused the run.
    pub actor: String,
    /// Their numeric id, as a text.
    pub actor_id: String,
    /// The run.
    pub run_id: String,
}

/// What is expected of a token.
#[derive(Debug, Clone)]
pub struct Expected<'a> {
    /// The issuer.
    pub issuer: &'a str,
    /// `tenantry:<owner>/<manager>`.
    pub audience: String,
    /// When the manager's run was made: a token may have expired while it was queued.
    pub at: Time,
}

/// The audience of a manager.
pub fn audience(manager: &RepoSlug) -> String {
    format!("tenantry:{manager}")
}

/// Clocks may differ by this much, in seconds.
const LEEWAY: u64 = 30;

pub(super) fn refuse(code: &'static str, reason: impl Into<String>) -> Refusal {
    Refusal::new(
        code,
        format!("the identity token is not accepted: {}", reason.into()),
    )
}

/// Judges authentic claims against what is expected and against the hint they came with.
pub fn judge(claims: &Claims, expected: &Expected<'_>, hint: &Hint) -> Result<(), Refusal> {
    if claims.iss != expected.issuer {
        return Err(refuse(
            "identity-issuer",
            format!(
                "it was issued by `{}`, not by `{}`",
                shown(&claims.iss),
                expected.issuer
            ),
        ));
    }
    if claims.aud != expected.audience {
        return Err(refuse(
            "identity-audience",
            format!(
                "it was made for `{}`, not for `{}`; check MANAGER_REPO_OWNER and MANAGER_REPO_NAME",
                shown(&claims.aud),
                expected.audience
            ),
        ));
    }
    let now = expected.at.0;
    if claims.exp.saturating_add(LEEWAY) < now {
        return Err(refuse(
            "identity-expired",
            "it has expired; run the workflow again",
        ));
    }
    if claims.nbf > now.saturating_add(LEEWAY) || claims.iat > now.saturating_add(LEEWAY) {
        return Err(refuse(
            "identity-early",
            "it is not valid yet; check the clock of the server",
        ));
    }
    if claims.exp.saturating_sub(claims.iat) > 3_600 || claims.iat.saturating_add(3_600) < now {
        return Err(refuse(
            "identity-expired",
            "it is older than an hour; run the workflow again",
        ));
    }
    if claims.jti.is_empty() || claims.jti.len() > 200 {
        return Err(refuse("identity-claims", "its id is not usable"));
    }
    let mismatch = |what: &str| {
        refuse(
            "identity-mismatch",
            format!("its {what} differs from the request's"),
        )
    };
    if claims.repository_id != hint.repository_id.to_string() {
        return Err(mismatch("repository id"));
    }
    match hint.event {
        Event::Push => {
            if claims.event_name != "push" {
                return Err(mismatch("event"));
            }
            if claims.reference != hint.reference {
                return Err(mismatch("ref"));
            }
            if claims.sha != hint.sha.as_str() {
                return Err(mismatch("commit"));
            }
        }
        Event::PullRequest(number) => {
            // The claim's commit is GitHub's test merge; the pull request's number is in its ref.
            if claims.event_name != "pull_request" {
                return Err(mismatch("event"));
            }
            if claims.reference != format!("refs/pull/{number}/merge") {
                return Err(mismatch("pull request"));
            }
        }
    }
    Ok(())
}
