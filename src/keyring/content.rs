//! What the encrypted file holds: JSON with a version.

use super::error::KeyringError;
use super::secret::Secret;
use crate::clock::Time;
use crate::estate::{CredentialId, CustomerId};
use serde::{Deserialize, Serialize};

/// The version that is written.
const VERSION: u64 = 1;
/// Most events that are kept; the oldest go first.
const LOG: usize = 10_000;

/// One secret value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Kept {
    /// Whose it is.
    pub customer: CustomerId,
    /// Which of theirs.
    pub credential: CredentialId,
    /// The value.
    #[serde(with = "plain")]
    pub value: Secret,
    /// Since when it is here.
    pub at: Time,
    /// Who put it here.
    pub by: String,
    /// Which one it is to take the place of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<CredentialId>,
    /// Whether it goes when it has taken that place.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub passing: bool,
}

/// What somebody did with a value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Logged {
    /// When.
    pub at: Time,
    /// Who.
    pub by: String,
    /// `added`, `revealed`, `removed`, …
    pub what: String,
    /// Whose value.
    pub customer: CustomerId,
    /// Which one.
    pub credential: CredentialId,
}

/// Everything in the file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Content {
    /// The values.
    pub kept: Vec<Kept>,
    /// What was done with them, oldest first.
    pub log: Vec<Logged>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: u64,
    credentials: Vec<Kept>,
    log: Vec<Logged>,
}

#[derive(Deserialize)]
struct Versioned {
    version: u64,
}

/// The only way in which a secret becomes JSON: into the bytes that are encrypted.
mod plain {
    use super::Secret;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(secret: &Secret, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_str(secret.expose())
    }
    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Secret, D::Error> {
        String::deserialize(d).map(Secret::new)
    }
}

impl Content {
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, KeyringError> {
        let versioned: Option<Versioned> = serde_json::from_slice(bytes).ok();
        match versioned.map(|v| v.version) {
            Some(VERSION) => {}
            Some(other) => {
                return Err(KeyringError::refused(
                    format!(
                        "the file is of version {other}; this tenantry reads version {VERSION}"
                    ),
                    "use the newer tenantry that has written it",
                ));
            }
            None => return Err(foreign()),
        }
        // The parser's own message could quote a value.
        let document: Document = serde_json::from_slice(bytes).map_err(|_| foreign())?;
        let content = Self {
            kept: document.credentials,
            log: document.log,
        };
        let mut ids: Vec<_> = content
            .kept
            .iter()
            .map(|k| (&k.customer, &k.credential))
            .collect();
        ids.sort();
        match ids.windows(2).any(|pair| pair[0] == pair[1]) {
            true => Err(foreign()),
            false => Ok(content),
        }
    }

    pub(super) fn bytes(&self) -> Result<Vec<u8>, KeyringError> {
        let from = self.log.len().saturating_sub(LOG);
        let document = Document {
            version: VERSION,
            credentials: self.kept.clone(),
            log: self.log[from..].to_vec(),
        };
        serde_json::to_vec(&document).map_err(|_| {
            KeyringError::refused("the values cannot be written as JSON", "report this")
        })
    }

    /// One value.
    pub fn find(&self, customer: &CustomerId, credential: &CredentialId) -> Option<&Kept> {
        self.kept
            .iter()
            .find(|k| k.customer == *customer && k.credential == *credential)
    }

    /// Puts a value in, in the place of one with the same name.
    pub fn put(&mut self, kept: Kept) {
        self.note(
            "stored",
            &kept.by,
            kept.at,
            &kept.customer,
            &kept.credential,
        );
        self.kept
            .retain(|k| k.customer != kept.customer || k.credential != kept.credential);
        self.kept.push(kept);
    }

    /// Takes a value out; whether it was there.
    pub fn take(
        &mut self,
        customer: &CustomerId,
        credential: &CredentialId,
        by: &str,
        at: Time,
    ) -> bool {
        let before = self.kept.len();
        self.kept
            .retain(|k| k.customer != *customer || k.credential != *credential);
        let gone = self.kept.len() < before;
        if gone {
            self.note("removed", by, at, customer, credential);
        }
        gone
    }

    /// Writes down what somebody did.
    pub fn note(
        &mut self,
        what: &str,
        by: &str,
        at: Time,
        customer: &CustomerId,
        credential: &CredentialId,
    ) {
        self.log.push(Logged {
            at,
            by: by.to_owned(),
            what: what.to_owned(),
            customer: customer.clone(),
            credential: credential.clone(),
        });
    }
}

fn foreign() -> KeyringError {
    KeyringError::refused(
        "the file could be decrypted, but tenantry has not written what is in it",
        "name another file with --credentials FILE; this one is left as it is",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t32_what_is_not_ours_is_refused_without_being_quoted() {
        for foreign in [
            "",
            "hunter2",
            "{}",
            "[1]",
            r#"{"version":2,"credentials":[],"log":[]}"#,
            r#"{"version":1,"credentials":["hunter2"],"log":[]}"#,
            r#"{"version":1,"credentials":[],"log":[],"more":"hunter2"}"#,
            r#"{"version":1,"credentials":[{"customer":"hunter2!","credential":"a","value":"b","at":1,"by":"c"}],"log":[]}"#,
            r#"{"version":1,"credentials":[{"customer":"a","credential":"a","value":"b","at":1,"by":"c"},{"customer":"a","credential":"a","value":"hunter2","at":1,"by":"c"}],"log":[]}"#,
        ] {
            match Content::parse(foreign.as_bytes()) {
                Err(e) => assert!(!format!("{e} {e:?}").contains("hunter2"), "{e}"),
                Ok(_) => panic!("{foreign}"),
            }
        }
    }
}
