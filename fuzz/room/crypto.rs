//! In the place of `src/audit/crypto.rs`: the same functions without a cryptographic library, whose
//! C would take longer to build than all the rest. Here a public key is the seed, and a signature is
//! the digest of both. What reads the log has to hold with any signatures.

use crate::digest::Digest;

#[derive(Clone)]
pub(super) struct Pair([u8; 32]);

fn signature(key: &[u8; 32], bytes: &[u8]) -> Vec<u8> {
    Digest::of_parts([("key", key.as_slice()), ("text", bytes)])
        .hex()
        .as_bytes()
        .to_vec()
}

impl Pair {
    pub(super) fn of(seed: &[u8; 32]) -> Option<Self> {
        Some(Self(*seed))
    }
    pub(super) fn public(&self) -> [u8; 32] {
        self.0
    }
    pub(super) fn sign(&self, bytes: &[u8]) -> Option<Vec<u8>> {
        Some(signature(&self.0, bytes))
    }
}

pub(super) fn verifies(public: &[u8; 32], bytes: &[u8], signed: &[u8]) -> bool {
    signature(public, bytes) == signed
}

pub(super) fn fill(out: &mut [u8]) -> Option<()> {
    out.fill(7);
    Some(())
}

pub(super) fn nonce() -> String {
    "0123456789abcdef".repeat(2)
}
