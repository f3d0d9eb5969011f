//! Files that SOPS has encrypted: which leaves its own metadata says are meant to be plain.
//!
//! Source: getsops.io, "Encrypting only parts of a file"; `sops` keeps the rule in the file's
//! metadata, where one of these may stand: `unencrypted_suffix` (the default, `_unencrypted`),
//! `encrypted_suffix`, `unencrypted_regex`, `encrypted_regex`. A rule covers a key and all below.

use super::super::value::{Data, Node};
use regex::Regex;

/// How an encrypted value begins.
const ENCRYPTED: &str = "ENC[AES256_GCM,";
/// A rule larger than this is not compiled.
const RULE_BYTES: usize = 1 << 16;

/// Which keys are meant to be plain.
pub(super) enum Plain {
    Suffix(String),
    Matching(Regex),
    AllBut(Regex),
    AllButSuffix(String),
    /// The rule cannot be read: nothing is meant to be plain.
    Nothing,
}

/// Whether a value is encrypted, or one that SOPS leaves alone.
pub(super) fn is_encrypted(node: &Node) -> bool {
    match &node.data {
        Data::Text(text) => text.is_empty() || (text.starts_with(ENCRYPTED) && text.ends_with(']')),
        Data::Null => true,
        _ => false,
    }
}

/// The rule of a document that SOPS has encrypted: one with `sops` and a `mac` in it.
pub(super) fn rule(document: &Node) -> Option<Plain> {
    let metadata = document.get("sops")?;
    let mac = metadata.get("mac")?;
    if !is_encrypted(mac) || mac.text().is_none_or(str::is_empty) {
        return None;
    }
    let text = |key| {
        metadata
            .get(key)
            .and_then(Node::text)
            .filter(|t| !t.is_empty())
    };
    let regex = |rule: &str| {
        regex::RegexBuilder::new(rule)
            .size_limit(RULE_BYTES)
            .build()
            .ok()
    };
    Some(if let Some(rule) = text("encrypted_regex") {
        regex(rule).map_or(Plain::Nothing, Plain::AllBut)
    } else if let Some(rule) = text("unencrypted_regex") {
        regex(rule).map_or(Plain::Nothing, Plain::Matching)
    } else if let Some(suffix) = text("encrypted_suffix") {
        Plain::AllButSuffix(suffix.to_owned())
    } else {
        Plain::Suffix(
            text("unencrypted_suffix")
                .unwrap_or("_unencrypted")
                .to_owned(),
        )
    })
}

impl Plain {
    /// Whether a leaf under these keys is meant to be plain.
    pub(super) fn covers(&self, keys: &[&str]) -> bool {
        match self {
            Self::Suffix(suffix) => keys.iter().any(|k| k.ends_with(suffix.as_str())),
            Self::Matching(rule) => keys.iter().any(|k| rule.is_match(k)),
            Self::AllBut(rule) => !keys.iter().any(|k| rule.is_match(k)),
            Self::AllButSuffix(suffix) => !keys.iter().any(|k| k.ends_with(suffix.as_str())),
            Self::Nothing => false,
        }
    }
}
