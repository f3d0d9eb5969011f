//! What of the estate can change what a customer's stacks come to.

use crate::digest::Digest;
use crate::estate::{CustomerId, Files};
use std::borrow::Cow;

/// Whether a file can.
pub fn concerns(path: &str, customer: &CustomerId) -> bool {
    let mine = path.strip_prefix("customers/").and_then(|p| {
        let (owner, _) = p.split_once('/')?;
        Some(owner == customer.as_str())
    });
    mine.unwrap_or_else(|| {
        path.starts_with("products/")
            || path.starts_with("policies/")
            || path == crate::estate::settings::PATH
    })
}

/// What a file says that can. In the registry's entry of a customer that is all but the list of
/// credentials: it is written with every rotation, and goes into no plan.
pub fn said<'a>(files: &'a Files, path: &str) -> Option<Cow<'a, [u8]>> {
    let bytes = files.get(path)?;
    let entry = path.starts_with("customers/") && path.ends_with("/metadata.yaml");
    if entry
        && let Some((_, Ok(node))) = files.yaml(path)
        && let serde_json::Value::Object(mut entry) = node.to_json()
    {
        entry.remove("credentials");
        let rest = serde_json::Value::Object(entry).to_string();
        return Some(Cow::Owned(rest.into_bytes()));
    }
    Some(Cow::Borrowed(bytes))
}

/// Digest of everything that the estate contributes to one customer's stacks.
pub fn digest(files: &Files, customer: &CustomerId) -> Digest {
    let parts: Vec<(&str, Cow<'_, [u8]>)> = files
        .iter()
        .filter(|(path, _)| concerns(path, customer))
        .filter_map(|(path, _)| Some((path, said(files, path)?)))
        .collect();
    Digest::of_parts(parts.iter().map(|(path, bytes)| (*path, bytes.as_ref())))
}
