//! Whose a token is, what it may do and when it ends; and taking tokens out of service.

use super::client::{Client, Repeat};
use super::error::GithubError;
use super::model::User;
use crate::clock::Time;
use http::{HeaderMap, Method};
use serde_json::json;

/// What GitHub says of the token that asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose it is.
    pub user: User,
    /// What it may do; `None` for tokens whose permissions GitHub does not tell.
    pub scopes: Option<Vec<String>>,
    /// When it ends; `None` if GitHub names no end.
    pub expires: Option<Time>,
}

/// Most tokens that one call revokes (docs.github.com, "Revoke a list of credentials").
pub const MOST_REVOKED: usize = 1_000;

impl Client {
    /// Whose the client's token is. A token that does not work is
    /// [`GithubError::Unauthorized`].
    pub async fn identity(&self) -> Result<Identity, GithubError> {
        let reply = self.send(Method::GET, "/user", None, Repeat::Safe).await?;
        Ok(Identity {
            scopes: scopes(&reply.headers),
            expires: end("GET /user", &reply.headers)?,
            user: super::api::shape("GET /user", reply.body)?,
        })
    }

    /// Asks GitHub to revoke tokens, at most [`MOST_REVOKED`]. GitHub takes this from nobody in
    /// particular only, so the client must have no credential. What is revoked already, or was
    /// never a token, does no harm.
    pub async fn revoke(&self, tokens: &[&str]) -> Result<(), GithubError> {
        let body = json!({"credentials": tokens});
        self.write(Method::POST, "/credentials/revoke", &body, Repeat::Safe)
            .await
            .map(|_| ())
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

/// The scopes of a classic token; other credentials have none.
pub(super) fn scopes(headers: &HeaderMap) -> Option<Vec<String>> {
    text(headers, "x-oauth-scopes").map(words)
}

/// When the token ends that asked; `None` if GitHub names no end.
pub(super) fn end(call: &str, headers: &HeaderMap) -> Result<Option<Time>, GithubError> {
    let unknown = || GithubError::Unexpected {
        call: call.to_owned(),
        why: "the end of the token is in a form that is not known".to_owned(),
    };
    headers
        .get("github-authentication-token-expiration")
        .map(|end| {
            let moment = end.to_str().ok().and_then(moment);
            moment.ok_or_else(unknown)
        })
        .transpose()
}

fn words(text: &str) -> Vec<String> {
    text.split(',')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

/// `2027-01-31 12:00:00 UTC`, or with an offset such as `+0500` in the place of `UTC`: both are
/// seen (github.com/google/go-github, pull request 2650).
fn moment(text: &str) -> Option<Time> {
    let seconds = match text.strip_suffix(" UTC") {
        Some(rest) => chrono::NaiveDateTime::parse_from_str(rest, "%Y-%m-%d %H:%M:%S")
            .ok()?
            .and_utc()
            .timestamp(),
        None => chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %z")
            .ok()?
            .timestamp(),
    };
    u64::try_from(seconds).ok().map(Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_token_comes_in_two_forms() {
        assert_eq!(moment("2027-01-31 12:00:00 UTC"), Some(Time(1_801_396_800)));
        assert_eq!(
            moment("2027-01-31 12:00:00 +0500"),
            Some(Time(1_801_378_800))
        );
        assert_eq!(
            moment("2027-01-31 07:00:00 -0500"),
            Some(Time(1_801_396_800))
        );
        for odd in ["", "soon", "2027-01-31", "1960-01-01 00:00:00 UTC"] {
            assert_eq!(moment(odd), None, "{odd}");
            // An end that cannot be read is not no end.
            let name = "github-authentication-token-expiration";
            let headers = HeaderMap::from_iter([(
                http::HeaderName::from_static(name),
                http::HeaderValue::from_str(odd).unwrap(),
            )]);
            assert!(end("GET /user", &headers).is_err(), "{odd}");
        }
        assert_eq!(end("GET /user", &HeaderMap::new()).unwrap(), None);
        assert_eq!(words("repo, read:packages"), ["repo", "read:packages"]);
        assert!(words("").is_empty());
    }
}
