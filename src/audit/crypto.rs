//! What the audit log takes from the cryptographic library, and all of it: Ed25519 and random
//! numbers. The fuzz targets put something cheap in its place, so nothing else may stand here.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::sync::Arc;

/// Both halves of a key.
#[derive(Clone)]
pub(super) struct Pair(Arc<Ed25519KeyPair>);

impl Pair {
    /// The pair of a seed.
    pub(super) fn of(seed: &[u8; 32]) -> Option<Self> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        Some(Self(Arc::new(pair)))
    }
    /// Its public half.
    pub(super) fn public(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(self.0.public_key().as_ref());
        bytes
    }
    /// The signature of some bytes.
    pub(super) fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        let signature = self.0.try_sign(bytes).ok()?;
        Some(signature.as_ref().to_vec())
    }
}

/// Whether `signature` is that of `bytes`, by the other half of `public`.
pub(super) fn verifies(public: &[u8; 32], bytes: &[u8], signature: &[u8]) -> bool {
    UnparsedPublicKey::new(&ED25519, public)
        .verify(bytes, signature)
        .is_ok()
}

/// Fills `out` with random bytes; `None` if there are none.
pub(super) fn fill(out: &mut [u8]) -> Option<()> {
    aws_lc_rs::rand::fill(out).ok()
}

/// 32 random hexadecimal digits, which nobody can guess.
pub(super) fn nonce() -> String {
    crate::store::seal::random_hex()
}
