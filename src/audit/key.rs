//! The key that signs the log (Ed25519), and its public half.

use super::crypto::{self, Pair};
use crate::digest::Digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use std::fmt;
use std::str::FromStr;

const SECRET: &str = "TENANTRY-AUDIT-KEY-1-";
const PUBLIC: &str = "ed25519:";

/// Why a key cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The secret is not one. It is never shown.
    #[error(
        "TENANTRY_AUDIT_KEY is not an audit key; set the secret to the `TENANTRY-AUDIT-KEY-1-…` line that `tenantry init manager` wrote"
    )]
    Secret,
    /// The public key is not one.
    #[error(
        "not an audit key; write the `ed25519:…` line that stands under `audit.public_key` in tenantry.yml"
    )]
    Public,
    /// The two halves are of different pairs.
    #[error(
        "TENANTRY_AUDIT_KEY does not belong to `audit.public_key` in tenantry.yml; set both to the halves of one pair"
    )]
    Pair,
    /// No random numbers, or no signature.
    #[error("the cryptographic library failed")]
    Library,
}

/// Signs. Not shown by `Debug`.
#[derive(Clone)]
pub struct SigningKey {
    pair: Pair,
    seed: [u8; 32],
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(***)")
    }
}

impl SigningKey {
    /// A new one.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = [0; 32];
        crypto::fill(&mut seed).ok_or(KeyError::Library)?;
        Self::of(seed)
    }
    /// Reads `TENANTRY-AUDIT-KEY-1-…`.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(SECRET).ok_or(KeyError::Secret)?;
        let bytes = BASE64.decode(encoded).map_err(|_| KeyError::Secret)?;
        Self::of(bytes.try_into().map_err(|_| KeyError::Secret)?)
    }
    fn of(seed: [u8; 32]) -> Result<Self, KeyError> {
        let pair = Pair::of(&seed).ok_or(KeyError::Secret)?;
        Ok(Self { pair, seed })
    }
    /// The secret as text, to be put into a secret store and nowhere else.
    pub fn expose(&self) -> String {
        format!("{SECRET}{}", BASE64.encode(self.seed))
    }
    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.pair.public())
    }
    /// The signature of a text, in base64.
    pub fn sign(&self, text: &str) -> Result<String, KeyError> {
        let signature = self.pair.sign(text.as_bytes()).ok_or(KeyError::Library)?;
        Ok(BASE64.encode(signature))
    }
}

/// Verifies. Written `ed25519:<base64 of the 32 bytes>`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// A short name for the key, which records carry: 16 hexadecimal digits of its digest.
    pub fn id(&self) -> String {
        Digest::of(&self.0).hex().chars().take(16).collect()
    }
    /// Whether `signature` is this key's for `text`.
    pub fn verifies(&self, text: &str, signature: &str) -> bool {
        BASE64
            .decode(signature)
            .is_ok_and(|bytes| crypto::verifies(&self.0, text.as_bytes(), &bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC}{}", BASE64.encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let encoded = text.trim().strip_prefix(PUBLIC).ok_or(KeyError::Public)?;
        let bytes = BASE64.decode(encoded).map_err(|_| KeyError::Public)?;
        Ok(Self(bytes.try_into().map_err(|_| KeyError::Public)?))
    }
}

/// What is known of a signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signature {
    /// There is none.
    None,
    /// There is one, and no key to check it with.
    Unchecked,
    /// It is good.
    Good,
    /// It is not by any of the keys.
    Bad,
}

/// Judges the signature of `text`. `key` is the id that the object names.
pub fn judge(
    keys: &[PublicKey],
    text: &str,
    key: Option<&str>,
    signature: Option<&str>,
) -> Signature {
    let Some(signature) = signature else {
        return Signature::None;
    };
    if keys.is_empty() {
        return Signature::Unchecked;
    }
    let good = keys
        .iter()
        .filter(|k| key.is_some_and(|id| id == k.id()))
        .any(|k| k.verifies(text, signature));
    if good {
        Signature::Good
    } else {
        Signature::Bad
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_halves_read_back_and_the_secret_is_not_shown() -> Result<(), KeyError> {
        let key = SigningKey::generate()?;
        assert_eq!(SigningKey::parse(&key.expose())?.public(), key.public());
        assert_eq!(key.public().to_string().parse::<PublicKey>()?, key.public());
        assert_eq!(format!("{key:?}"), "SigningKey(***)");
        let signature = key.sign("a")?;
        assert!(key.public().verifies("a", &signature));
        assert!(!key.public().verifies("b", &signature));
        assert!(!SigningKey::generate()?.public().verifies("a", &signature));
        for bad in [
            "",
            "x",
            "ed25519:",
            "ed25519:AAAA",
            "ed25519:!",
            "TENANTRY-AUDIT-KEY-1-AAAA",
        ] {
            assert!(bad.parse::<PublicKey>().is_err(), "{bad}");
            assert!(SigningKey::parse(bad).is_err(), "{bad}");
        }
        Ok(())
    }

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn the_signature_is_the_one_of_the_rfc() -> Result<(), KeyError> {
        let bytes = |hex: &str| -> Vec<u8> {
            (0..hex.len())
                .step_by(2)
                .filter_map(|i| u8::from_str_radix(&hex[i..i + 2], 16).ok())
                .collect()
        };
        let seed = bytes("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let key = SigningKey::of(seed.try_into().map_err(|_| KeyError::Secret)?)?;
        let signature = bytes(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        );
        assert_eq!(key.sign("\u{72}")?, BASE64.encode(signature));
        Ok(())
    }
}
