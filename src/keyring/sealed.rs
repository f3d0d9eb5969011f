//! libsodium's sealed boxes, in which GitHub takes secrets (docs.github.com, "Encrypting secrets
//! for the REST API").

use super::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use crypto_box::aead::OsRng;
use crypto_box::{PublicKey, SecretKey};

/// A key that is none.
#[derive(Debug, thiserror::Error)]
#[error("the public key for secrets is not 32 bytes in base64, so nothing can be sealed for it")]
pub struct BadKey;

/// Seals `secret` for whoever has the other half of `public_key` (base64); base64 comes back.
pub fn seal(public_key: &str, secret: &Secret) -> Result<String, BadKey> {
    let key = STANDARD.decode(public_key).map_err(|_| BadKey)?;
    let key: [u8; 32] = key.try_into().map_err(|_| BadKey)?;
    let sealed = PublicKey::from(key)
        .seal(&mut OsRng, secret.expose().as_bytes())
        .map_err(|_| BadKey)?;
    Ok(STANDARD.encode(sealed))
}

/// The half that opens: for the local GitHub.
#[derive(Clone)]
pub struct Opener(SecretKey);

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Opener(***)")
    }
}

impl Opener {
    /// A new one.
    pub fn generate() -> Self {
        Self(SecretKey::generate(&mut OsRng))
    }
    /// The public half, base64.
    pub fn public(&self) -> String {
        STANDARD.encode(self.0.public_key().as_bytes())
    }
    /// Opens a sealed box (base64); `None` if it was not sealed for this key.
    pub fn open(&self, sealed: &str) -> Option<Vec<u8>> {
        self.0.unseal(&STANDARD.decode(sealed).ok()?).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sealed_is_opened_by_its_key_alone() {
        let opener = Opener::generate();
        let secret = Secret::new("hunter2".to_owned());
        let (Ok(one), Ok(two)) = (
            seal(&opener.public(), &secret),
            seal(&opener.public(), &secret),
        ) else {
            panic!("sealed")
        };
        assert_ne!(one, two);
        assert_eq!(opener.open(&one).as_deref(), Some(&b"hunter2"[..]));
        assert_eq!(Opener::generate().open(&one), None);
        assert_eq!(opener.open("AAAA"), None);
        assert!(seal("AAAA", &secret).is_err());
        assert!(seal("no base64!", &secret).is_err());
        assert_eq!(format!("{opener:?}"), "Opener(***)");
    }
}
