//! A record: canonical JSON, the hash of the one before, its own hash, a signature.
//!
//! What version 1 promises to every later one: the keys `version`, `seq`, `customer`, `prev`,
//! `log`, `nonce`, `key`, `hash` and `signature` keep their meaning, so that an old reader can
//! still check the chain. Everything else may grow.

use super::LARGEST;
use super::event::{self, Actor, Draft, Event};
use super::key::{KeyError, PublicKey, Signature, SigningKey, judge};
use crate::clock::Time;
use crate::digest::Digest;
use crate::estate::{CustomerId, StackId};
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// Why bytes are no record. One sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub String);

impl Malformed {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}

/// The canonical form: JSON without spaces, keys sorted, one line.
pub fn canonical(value: &Value) -> Vec<u8> {
    // `serde_json` keeps maps sorted by key.
    let mut bytes = value.to_string().into_bytes();
    bytes.push(b'\n');
    bytes
}

/// Reads an object in canonical form; every other form of the same content is refused, so that
/// no byte can change unseen.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, Malformed> {
    if bytes.len() as u64 > LARGEST {
        return Err(Malformed::new(format!("it is larger than {LARGEST} bytes")));
    }
    let value: Value = serde_json::from_slice(bytes)
        .map_err(|e| Malformed::new(format!("it is not JSON: {e}")))?;
    if canonical(&value) != bytes {
        return Err(Malformed::new(
            "it is not in canonical form (keys sorted, no spaces, one line)",
        ));
    }
    match value {
        Value::Object(map) => Ok(map),
        _ => Err(Malformed::new("it is not a JSON object")),
    }
}

pub(super) fn field<T: for<'de> Deserialize<'de>>(
    map: &Map<String, Value>,
    name: &str,
) -> Result<T, Malformed> {
    let wrong = || Malformed::new(format!("`{name}` is missing or of another type"));
    T::deserialize(map.get(name).unwrap_or(&Value::Null)).map_err(|_| wrong())
}

pub(super) fn digest(map: &Map<String, Value>, name: &str) -> Result<Digest, Malformed> {
    let text: String = field(map, name)?;
    Digest::parse(&text).ok_or_else(|| Malformed::new(format!("`{name}` is not a SHA-256 digest")))
}

/// The hash of an object: over everything but its hash and its signature.
fn hash_of(map: &Map<String, Value>) -> Digest {
    let mut core = map.clone();
    core.remove("hash");
    core.remove("signature");
    Digest::of(Value::Object(core).to_string().as_bytes())
}

/// What is signed.
fn statement(hash: &Digest) -> String {
    format!("tenantry-audit-record-1 {hash}")
}

/// A record. What it holds beyond the chain stays as it was written.
#[derive(Debug, Clone, PartialEq)]
pub struct Record {
    raw: Map<String, Value>,
    /// Whose.
    pub customer: CustomerId,
    /// Its place in the customer's chain, from 1.
    pub seq: u64,
    /// When.
    pub at: Time,
    /// The hash of the record before; none for the first.
    pub prev: Option<Digest>,
    /// How many entries the log had when this was written: its own entry comes later.
    pub log: u64,
    /// Its own hash, as it says.
    pub hash: Digest,
    key: Option<String>,
    signature: Option<String>,
}

/// Where a new record goes.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// Whose chain.
    pub customer: &'a CustomerId,
    /// Its number.
    pub seq: u64,
    /// The hash of the one before.
    pub prev: Option<Digest>,
    /// How many entries the log has.
    pub log: u64,
    /// When.
    pub at: Time,
}

impl Record {
    /// Makes and signs a record.
    pub fn new(
        place: &Place<'_>,
        draft: &Draft,
        key: Option<&SigningKey>,
    ) -> Result<Self, KeyError> {
        let value = json!({
            "version": 1,
            "customer": place.customer,
            "seq": place.seq,
            "prev": place.prev,
            "log": place.log,
            "at": place.at,
            // Nobody can guess the content from the hash, which others' proofs may hold.
            "nonce": super::crypto::nonce(),
            "key": key.map(|k| k.public().id()),
            "actor": draft.actor,
            "request": draft.request,
            "stack": draft.stack,
            "event": draft.event,
        });
        let Value::Object(mut raw) = value else {
            return Err(KeyError::Library);
        };
        let hash = hash_of(&raw);
        let signature = key.map(|k| k.sign(&statement(&hash))).transpose()?;
        raw.insert("hash".into(), json!(hash));
        raw.insert("signature".into(), json!(signature));
        Ok(Self {
            customer: place.customer.clone(),
            seq: place.seq,
            at: place.at,
            prev: place.prev.clone(),
            log: place.log,
            hash,
            key: key.map(|k| k.public().id()),
            signature,
            raw,
        })
    }

    /// Reads a record. Its hash and signature are not judged yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let raw = object(bytes)?;
        let version: u64 = field(&raw, "version")?;
        let seq: u64 = field(&raw, "seq")?;
        if version == 0 || seq == 0 {
            return Err(Malformed::new("`version` and `seq` begin with 1"));
        }
        field::<String>(&raw, "nonce")?;
        let prev = match raw.get("prev") {
            Some(Value::Null) => None,
            _ => Some(digest(&raw, "prev")?),
        };
        Ok(Self {
            customer: field(&raw, "customer")?,
            seq,
            at: field(&raw, "at")?,
            prev,
            log: field(&raw, "log")?,
            hash: digest(&raw, "hash")?,
            key: field(&raw, "key")?,
            signature: field(&raw, "signature")?,
            raw,
        })
    }

    /// As it is stored and exported.
    pub fn bytes(&self) -> Vec<u8> {
        canonical(&Value::Object(self.raw.clone()))
    }

    /// Whether the hash that it names is the one of its content.
    pub fn is_whole(&self) -> bool {
        hash_of(&self.raw) == self.hash
    }

    /// What is known of its signature.
    pub fn signature(&self, keys: &[PublicKey]) -> Signature {
        judge(
            keys,
            &statement(&self.hash),
            self.key.as_deref(),
            self.signature.as_deref(),
        )
    }

    /// What happened, if this version knows the kind.
    pub fn event(&self) -> Option<Event> {
        event::known(self.raw.get("event")?)
    }
    /// The word for what happened, also of a later version.
    pub fn kind(&self) -> &str {
        self.raw
            .get("event")
            .and_then(|e| e.get("kind"))
            .and_then(Value::as_str)
            .unwrap_or("unknown")
    }
    /// Who did it.
    pub fn actor(&self) -> Option<Actor> {
        Actor::deserialize(self.raw.get("actor")?).ok()
    }
    /// The request.
    pub fn request(&self) -> Option<&str> {
        self.raw.get("request")?.as_str()
    }
    /// The stack.
    pub fn stack(&self) -> Option<StackId> {
        self.raw.get("stack")?.as_str()?.parse().ok()
    }
}
