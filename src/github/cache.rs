//! Answers that GitHub may confirm: a call that carries the answer's `ETag` is answered with 304
//! and an empty body if nothing has changed, and costs nothing of the primary limit (docs.github.com,
//! "Best practices for using the REST API").
//!
//! GitHub's answers are `Cache-Control: private`, so whose they are is part of the key: one
//! credential never gets what another one was told. The value can be serialised, so that it could
//! be kept between runs; it holds no token, but what customers' repositories hold.

use super::wire::Reply;
use crate::digest::Digest;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;

/// All kept answers together have no more bytes than this.
const MOST: usize = 16 << 20;
/// A larger answer is not kept.
const LARGEST: usize = 1 << 20;

/// The answers.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct Answers {
    kept: BTreeMap<Digest, Kept>,
    bytes: usize,
    /// Counts uses, so that what was not used for longest goes first.
    uses: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Kept {
    etag: String,
    link: Option<String>,
    body: String,
    used: u64,
}

impl std::fmt::Debug for Answers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (count, bytes) = (self.kept.len(), self.bytes);
        write!(f, "Answers({count} answers, {bytes} bytes)")
    }
}

/// What an answer is kept under. `who` is the digest of a credential.
pub(super) fn key(who: &Digest, path: &str) -> Digest {
    Digest::of_parts([("who", who.as_str().as_bytes()), ("path", path.as_bytes())])
}

impl Answers {
    /// The `ETag` of a kept answer.
    pub(super) fn etag(&self, key: &Digest) -> Option<String> {
        self.kept.get(key).map(|k| k.etag.clone())
    }

    /// Keeps an answer to a GET, unless it must not be or cannot be confirmed.
    pub(super) fn keep(&mut self, key: Digest, reply: &Reply) {
        self.forget(&key);
        let text = |name| {
            let value = reply.headers.get(name)?;
            value.to_str().ok().map(str::to_owned)
        };
        let forbidden = text(header::CACHE_CONTROL).is_some_and(|c| c.contains("no-store"));
        let Some(etag) = text(header::ETAG).filter(|e| e.len() <= 200 && !forbidden) else {
            return;
        };
        let body = reply.body.to_string();
        if body.len() > LARGEST || reply.status != StatusCode::OK {
            return;
        }
        self.uses += 1;
        self.bytes += body.len();
        let link = text(header::LINK);
        let used = self.uses;
        let kept = Kept {
            etag,
            link,
            body,
            used,
        };
        self.kept.insert(key, kept);
        while self.bytes > MOST {
            let oldest = self.kept.iter().min_by_key(|(_, k)| k.used);
            let Some(oldest) = oldest.map(|(key, _)| key.clone()) else {
                break;
            };
            self.forget(&oldest);
        }
    }

    /// A kept answer, as if it had just come.
    pub(super) fn confirmed(&mut self, key: &Digest) -> Option<Reply> {
        self.uses += 1;
        let kept = self.kept.get_mut(key)?;
        kept.used = self.uses;
        let mut headers = HeaderMap::new();
        if let Some(link) = &kept.link {
            headers.insert(header::LINK, HeaderValue::from_str(link).ok()?);
        }
        let body: Value = serde_json::from_str(&kept.body).ok()?;
        Some(Reply {
            status: StatusCode::OK,
            headers,
            body,
        })
    }

    fn forget(&mut self, key: &Digest) {
        if let Some(gone) = self.kept.remove(key) {
            self.bytes -= gone.body.len().min(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn reply(etag: &str, body: Value) -> Reply {
        let mut headers = HeaderMap::new();
        headers.insert(header::ETAG, HeaderValue::from_str(etag).unwrap());
        headers.insert(header::LINK, HeaderValue::from_static("<x>; rel=\"next\""));
        Reply {
            status: StatusCode::OK,
            headers,
            body,
        }
    }

    #[test]
    fn t2_an_answer_is_for_the_credential_that_got_it() {
        let mut answers = Answers::default();
        let (one, other) = (Digest::of(b"token of one"), Digest::of(b"token of another"));
        answers.keep(
            key(&one, "/repos/acme/shop"),
            &reply("\"a\"", json!({"id": 1})),
        );
        assert_eq!(
            answers.etag(&key(&one, "/repos/acme/shop")).as_deref(),
            Some("\"a\"")
        );
        assert_eq!(answers.etag(&key(&other, "/repos/acme/shop")), None);
        assert!(
            answers
                .confirmed(&key(&other, "/repos/acme/shop"))
                .is_none()
        );
        let again = answers.confirmed(&key(&one, "/repos/acme/shop")).unwrap();
        assert_eq!(again.body, json!({"id": 1}));
        assert_eq!(again.headers[header::LINK], "<x>; rel=\"next\"");
    }

    #[test]
    fn t20_it_stays_small_and_drops_what_was_not_used_for_longest() {
        let mut answers = Answers::default();
        let who = Digest::of(b"t");
        let large = "x".repeat(LARGEST - 10);
        for i in 0..40 {
            answers.keep(key(&who, &format!("/{i}")), &reply("\"a\"", json!(large)));
            assert!(
                answers.confirmed(&key(&who, "/0")).is_some(),
                "used every time"
            );
            assert!(answers.bytes <= MOST, "{}", answers.bytes);
        }
        assert_eq!(answers.kept.len(), 16);
        assert!(answers.etag(&key(&who, "/39")).is_some());
        assert!(answers.etag(&key(&who, "/1")).is_none());
        answers.keep(
            key(&who, "/39"),
            &reply("\"b\"", json!("x".repeat(LARGEST))),
        );
        assert!(
            answers.etag(&key(&who, "/39")).is_none(),
            "too large, and the old one is no answer any more"
        );
    }

    #[test]
    fn what_must_not_be_stored_is_not_and_it_survives_serialising() {
        let mut answers = Answers::default();
        let k = key(&Digest::of(b"t"), "/x");
        let mut secret = reply("\"a\"", json!({}));
        secret.headers.insert(
            header::CACHE_CONTROL,
            HeaderValue::from_static("private, no-store"),
        );
        answers.keep(k.clone(), &secret);
        assert_eq!(answers.etag(&k), None);
        answers.keep(
            k.clone(),
            &reply("\"a\"", json!({"n": 12345678901234567890_u64})),
        );
        let text = serde_json::to_string(&answers).unwrap();
        let mut back: Answers = serde_json::from_str(&text).unwrap();
        assert_eq!(
            back.confirmed(&k).unwrap().body,
            json!({"n": 12345678901234567890_u64})
        );
        assert_eq!(format!("{back:?}"), "Answers(1 answers, 26 bytes)");
    }
}
