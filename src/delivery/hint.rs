//! The `client_payload` of a `repository_dispatch`: read strictly, believed never.

use super::refusal::Refusal;
use crate::estate::ids::shown;
use crate::estate::{RepoSlug, RequestId, Sha};
use serde::Serialize;
use serde_json::{Map, Value};

/// The event type that customers send.
pub const EVENT_TYPE: &str = "tenantry-request";
/// GitHub's limit for the whole payload, in bytes (docs.github.com, "Create a repository dispatch event").
const MAX_BYTES: usize = 64 << 10;

/// What happened in the customer's repository, as the hint says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case", tag = "event", content = "pull_request")]
pub enum Event {
    /// A push to the default branch: plan and apply.
    Push,
    /// A pull request with this number: plan only.
    PullRequest(u64),
}

/// A hint.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Hint {
    /// The id that the customer's workflow chose.
    pub request_id: RequestId,
    /// Where it comes from.
    pub repository: RepoSlug,
    /// Its numeric id.
    pub repository_id: u64,
    /// The commit.
    pub sha: Sha,
    /// The git reference.
    pub reference: String,
    /// What happened.
    pub event: Event,
    /// The OIDC token, if there is one. Never shown.
    #[serde(skip)]
    pub identity: Option<String>,
}

impl std::fmt::Debug for Hint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            request_id,
            repository,
            repository_id,
            sha,
            reference,
            event,
            identity,
        } = self;
        f.debug_struct("Hint")
            .field("request_id", request_id)
            .field("repository", repository)
            .field("repository_id", repository_id)
            .field("sha", sha)
            .field("reference", reference)
            .field("event", event)
            .field("identity", &identity.as_ref().map(|_| "***"))
            .finish()
    }
}

const KEYS: [&str; 9] = [
    "tenantry",
    "request_id",
    "repository",
    "repository_id",
    "sha",
    "ref",
    "event",
    "pull_request",
    "identity",
];

fn bad(reason: String) -> Refusal {
    Refusal::new(
        "payload",
        format!(
            "the request is malformed: {reason}; send it with the `trigger` action of this tenantry"
        ),
    )
}

impl Hint {
    /// Reads `client_payload`. Missing and extra keys are refused.
    pub fn read(payload: &Value) -> Result<Self, Refusal> {
        let Value::Object(map) = payload else {
            return Err(bad("it is not a map".into()));
        };
        if payload.to_string().len() > MAX_BYTES {
            return Err(bad(format!("it is larger than {MAX_BYTES} bytes")));
        }
        if let Some(extra) = map.keys().find(|k| !KEYS.contains(&k.as_str())) {
            return Err(bad(format!("unknown key `{}`", shown(extra))));
        }
        match number(map, "tenantry")? {
            1 => {}
            other => {
                return Err(bad(format!(
                    "format {other} is not known, this manager reads format 1"
                )));
            }
        }
        let event = match (text(map, "event")?, map.get("pull_request")) {
            ("push", None | Some(Value::Null)) => Event::Push,
            ("pull_request", Some(_)) => Event::PullRequest(number(map, "pull_request")?),
            ("push", Some(_)) => return Err(bad("a push has no `pull_request`".into())),
            ("pull_request", None) => return Err(bad("`pull_request` is missing".into())),
            (other, _) => {
                return Err(bad(format!(
                    "event `{}` is neither `push` nor `pull_request`",
                    shown(other)
                )));
            }
        };
        let identity = match map.get("identity") {
            None | Some(Value::Null) => None,
            Some(Value::String(token)) => Some(token.clone()),
            Some(_) => return Err(bad("`identity` is not a text".into())),
        };
        let id = |e: crate::estate::ids::BadId| bad(e.to_string());
        Ok(Self {
            request_id: RequestId::new(text(map, "request_id")?).map_err(id)?,
            repository: RepoSlug::new(text(map, "repository")?).map_err(id)?,
            repository_id: number(map, "repository_id")?,
            sha: Sha::new(text(map, "sha")?).map_err(id)?,
            reference: text(map, "ref")?.to_owned(),
            event,
            identity,
        })
    }

    /// The payload as it is sent.
    pub fn payload(&self) -> Value {
        let mut map = Map::new();
        map.insert("tenantry".into(), 1.into());
        map.insert("request_id".into(), self.request_id.as_str().into());
        map.insert("repository".into(), self.repository.as_str().into());
        map.insert("repository_id".into(), self.repository_id.into());
        map.insert("sha".into(), self.sha.as_str().into());
        map.insert("ref".into(), self.reference.as_str().into());
        match self.event {
            Event::Push => {
                map.insert("event".into(), "push".into());
            }
            Event::PullRequest(number) => {
                map.insert("event".into(), "pull_request".into());
                map.insert("pull_request".into(), number.into());
            }
        }
        if let Some(identity) = &self.identity {
            map.insert("identity".into(), identity.as_str().into());
        }
        Value::Object(map)
    }
}

fn text<'a>(map: &'a Map<String, Value>, key: &str) -> Result<&'a str, Refusal> {
    match map.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(bad(format!("`{key}` is not a text"))),
        None => Err(bad(format!("`{key}` is missing"))),
    }
}

fn number(map: &Map<String, Value>, key: &str) -> Result<u64, Refusal> {
    match map.get(key) {
        Some(value) => value
            .as_u64()
            .ok_or_else(|| bad(format!("`{key}` is not a whole number"))),
        None => Err(bad(format!("`{key}` is missing"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn good() -> Value {
        json!({"tenantry": 1, "request_id": "12345678-1", "repository": "acme/app", "repository_id": 7,
            "sha": "0123456789012345678901234567890123456789", "ref": "refs/heads/main", "event": "push"})
    }

    #[test]
    fn reads_back_what_it_writes() {
        let Ok(hint) = Hint::read(&good()) else {
            panic!()
        };
        assert_eq!(Hint::read(&hint.payload()), Ok(hint));
    }

    #[test]
    fn t32_debug_does_not_show_the_token() {
        let mut payload = good();
        payload["identity"] = json!("CANARY");
        let said = format!("{:?}", Hint::read(&payload));
        assert!(said.contains("***") && !said.contains("CANARY"), "{said}");
    }

    #[test]
    fn t2_missing_extra_and_mistyped_keys_are_refused() {
        for key in [
            "tenantry",
            "request_id",
            "repository",
            "repository_id",
            "sha",
            "ref",
            "event",
        ] {
            let mut payload = good();
            payload.as_object_mut().map(|m| m.remove(key));
            assert!(
                Hint::read(&payload)
                    .is_err_and(|e| e.reason.contains(&format!("`{key}` is missing"))),
                "{key}"
            );
        }
        for (key, value) in [
            ("customer", json!("beta")),
            ("tenantry", json!(2)),
            ("sha", json!("main")),
            ("sha", json!("../../x")),
            ("event", json!("schedule")),
            ("pull_request", json!(1)),
            ("repository", json!("a/b/c")),
            ("repository_id", json!("7")),
            ("identity", json!(1)),
            ("request_id", json!("x")),
            ("request_id", json!("../../../etc")),
        ] {
            let mut payload = good();
            payload[key] = value.clone();
            assert!(Hint::read(&payload).is_err(), "{key}={value}");
        }
        assert!(Hint::read(&json!([])).is_err());
    }
}
