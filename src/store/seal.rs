//! Sealing with age: the plan job holds the recipient alone, the apply job the identity.

use age::secrecy::ExposeSecret;
use std::io::Read;
use std::str::FromStr;

/// Why something could not be sealed or opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// The recipient in `tenantry.yml` is not one.
    #[error(
        "`store.seal_recipient` in tenantry.yml is not an age recipient; write the `age1…` line that `tenantry init manager` puts there"
    )]
    Recipient,
    /// The identity is not one. It is never shown.
    #[error(
        "TENANTRY_SEAL_IDENTITY is not an age identity; set the secret of the apply environment to the `AGE-SECRET-KEY-1…` line"
    )]
    Identity,
    /// It was sealed to somebody else, or changed since.
    #[error("the sealed file cannot be opened: it was changed, cut off, or sealed for another key")]
    Broken,
    /// Encryption itself failed.
    #[error("sealing failed")]
    Failed(#[source] age::EncryptError),
}

/// A key that opens what was sealed. Not shown by `Debug`.
#[derive(Clone)]
pub struct SealIdentity(age::x25519::Identity);

impl std::fmt::Debug for SealIdentity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SealIdentity(***)")
    }
}

impl SealIdentity {
    /// A new one.
    pub fn generate() -> Self {
        Self(age::x25519::Identity::generate())
    }
    /// Reads `AGE-SECRET-KEY-1…`.
    pub fn parse(text: &str) -> Result<Self, SealError> {
        age::x25519::Identity::from_str(text.trim())
            .map(Self)
            .map_err(|_| SealError::Identity)
    }
    /// The public half, `age1…`.
    pub fn recipient(&self) -> String {
        self.0.to_public().to_string()
    }
    /// The secret as text, to be put into a secret store and nowhere else.
    pub fn expose(&self) -> String {
        self.0.to_string().expose_secret().to_owned()
    }
}

/// Encrypts to an `age1…` recipient.
pub fn seal(recipient: &str, plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let recipient =
        age::x25519::Recipient::from_str(recipient.trim()).map_err(|_| SealError::Recipient)?;
    age::encrypt(&recipient, plain).map_err(SealError::Failed)
}

/// Decrypts. Any change of the bytes is found (age authenticates every chunk).
pub fn open(identity: &SealIdentity, sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| SealError::Broken)?;
    let mut reader = decryptor
        .decrypt(std::iter::once(&identity.0 as &dyn age::Identity))
        .map_err(|_| SealError::Broken)?;
    let mut plain = Vec::new();
    reader
        .read_to_end(&mut plain)
        .map_err(|_| SealError::Broken)?;
    Ok(plain)
}

/// 128 random bits as 32 hexadecimal digits.
pub fn random_hex() -> String {
    let mut bytes = [0_u8; 16];
    // The system's generator does not fail on a running machine; a constant would be worse
    // than stopping, so a failure shows as an identity that cannot be repeated.
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        return age::x25519::Identity::generate().to_public().to_string();
    }
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t12_one_flipped_byte_is_found() {
        let identity = SealIdentity::generate();
        let Ok(sealed) = seal(&identity.recipient(), b"the plan") else {
            panic!("seal")
        };
        assert!(matches!(open(&identity, &sealed), Ok(p) if p == b"the plan"));
        for at in 0..sealed.len() {
            let mut bent = sealed.clone();
            bent[at] ^= 1;
            assert!(open(&identity, &bent).is_err(), "byte {at}");
        }
        assert!(open(&identity, &sealed[..sealed.len() - 1]).is_err());
        assert!(open(&SealIdentity::generate(), &sealed).is_err());
        assert_eq!(format!("{identity:?}"), "SealIdentity(***)");
    }
}
