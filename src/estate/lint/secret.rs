//! `secrets.yaml` of a customer must hold no plain text: it is SOPS, a SealedSecret, an
//! ExternalSecret, or every value is a placeholder for a vault. A value is never shown.

use super::super::files::Files;
use super::super::finding::{Finding, Place};
use super::super::ids::shown;
use super::super::value::{Data, Node};
use super::super::yaml::{Reading, read};
use super::sops::{self, Plain};

const INSTEAD: &str = "encrypt the file with SOPS, or write a SealedSecret or a placeholder such as `<path:kv/data/app#key>`";

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, bytes) in files.under("customers") {
        let name = path.rsplit('/').next().unwrap_or_default();
        if matches!(name, "secrets.yaml" | "secrets.yml") {
            file(path, bytes, &mut findings);
        }
    }
    findings
}

fn refuse(findings: &mut Vec<Finding>, place: Place, message: String) {
    findings.push(Finding::error(place, "secret-plain", message));
}

fn file(path: &str, bytes: &[u8], findings: &mut Vec<Finding>) {
    for (offset, part) in documents(bytes) {
        // The format is somebody else's, so YAML 1.2 is enough.
        match read(path, part, Reading::Core) {
            Ok(node) => document(path, offset, &node, findings),
            // Only where and by which rule: the reader's message can quote the value.
            Err(e) => {
                let first = e.0.into_iter().next();
                let line = first.as_ref().map_or(0, |f| f.place.line);
                let place = if line == 0 {
                    Place::file(path)
                } else {
                    Place::at(path, line + offset, 0)
                };
                let rule = first.map_or("yaml".into(), |f| f.rule);
                refuse(
                    findings,
                    place,
                    format!(
                        "the file cannot be read as YAML ({rule}), so nobody can tell that it is encrypted; {INSTEAD}"
                    ),
                );
            }
        }
    }
}

/// The documents of a file, each with the number of lines before it.
fn documents(bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut out = Vec::new();
    let (mut start, mut first_line, mut line, mut at) = (0, 0, 0, 0);
    for row in bytes.split_inclusive(|b| *b == b'\n') {
        at += row.len();
        line += 1;
        let bare = row.trim_ascii_end();
        if bare == b"---" || bare == b"..." {
            out.push((first_line, &bytes[start..at - row.len()]));
            (start, first_line) = (at, line);
        }
    }
    out.push((first_line, &bytes[start..]));
    out
}

/// What a document is, which decides which of its leaves are secret.
enum Kind {
    Sops(Plain),
    /// `spec.encryptedData` is sealed; only a template could hold something plain.
    Sealed,
    /// References only; only a template could hold something plain.
    Reference,
    /// A Kubernetes Secret: `data` and `stringData`.
    Secret,
    /// Values: every leaf.
    Values,
}

fn kind(document: &Node) -> Kind {
    let kubernetes = document.get("apiVersion").is_some();
    match document.get("kind").and_then(Node::text) {
        _ if document.get("sops").is_some() => {
            sops::rule(document).map_or(Kind::Values, Kind::Sops)
        }
        Some("SealedSecret") => Kind::Sealed,
        Some("ExternalSecret" | "ClusterExternalSecret" | "SecretProviderClass") if kubernetes => {
            Kind::Reference
        }
        Some("Secret") if kubernetes => Kind::Secret,
        _ => Kind::Values,
    }
}

fn document(path: &str, offset: usize, root: &Node, findings: &mut Vec<Finding>) {
    let kind = kind(root);
    let mut leaves = Vec::new();
    gather(root, &mut Vec::new(), &mut leaves);
    if let Kind::Sops(rule) = &kind {
        // A rule that leaves everything plain encrypts nothing.
        let some = leaves.iter().any(|(keys, node)| {
            keys.first() != Some(&"sops")
                && sops::is_encrypted(node)
                && node.text().is_some_and(|t| !t.is_empty())
        });
        leaves.retain(|(keys, node)| {
            keys.first() != Some(&"sops")
                && !sops::is_encrypted(node)
                && !(some && rule.covers(keys))
        });
    } else {
        // Metadata of SOPS without a MAC protects nothing, but it is no secret either.
        leaves.retain(|(keys, node)| keys.first() != Some(&"sops") && is_plain(&kind, keys, node));
    }
    for (keys, node) in leaves {
        let name = if keys.is_empty() {
            "the file".to_owned()
        } else {
            format!("`{}`", shown(&keys.join(".")))
        };
        refuse(
            findings,
            Place::at(path, node.line + offset, node.column),
            format!(
                "{name} is plain text in a file for secrets; {INSTEAD}, and replace the secret, since it stands in git's history"
            ),
        );
    }
}

/// Every scalar, with the keys that lead to it.
fn gather<'a>(node: &'a Node, keys: &mut Vec<&'a str>, out: &mut Vec<(Vec<&'a str>, &'a Node)>) {
    match &node.data {
        Data::Map(entries) => {
            for (key, value) in entries {
                keys.push(&key.name);
                gather(value, keys, out);
                keys.pop();
            }
        }
        Data::List(items) => items.iter().for_each(|item| gather(item, keys, out)),
        _ => out.push((keys.clone(), node)),
    }
}

/// Whether a leaf holds a secret in plain text.
fn is_plain(kind: &Kind, keys: &[&str], node: &Node) -> bool {
    let text = match &node.data {
        Data::Null => return false,
        Data::Text(text) if text.is_empty() => return false,
        Data::Text(text) => Some(text.as_str()),
        _ => None,
    };
    let template = keys
        .windows(2)
        .any(|w| w[0] == "template" && matches!(w[1], "data" | "stringData"));
    match kind {
        Kind::Sops(_) => false,
        Kind::Sealed if keys.starts_with(&["spec", "encryptedData"]) => !text.is_some_and(sealed),
        Kind::Sealed | Kind::Reference => {
            template && !text.is_some_and(|t| t.contains("{{") || placeholder(t))
        }
        Kind::Secret => {
            matches!(keys.first(), Some(&("data" | "stringData"))) && !text.is_some_and(placeholder)
        }
        Kind::Values => !text.is_some_and(placeholder),
    }
}

/// What `kubeseal` writes: Base64 that begins with the length of its RSA part, 512 or 256.
fn sealed(text: &str) -> bool {
    text.len() >= 32
        && (text.starts_with("Ag") || text.starts_with("AQ"))
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'=' | b'.'))
}

/// A reference that a tool replaces by the secret: argocd-vault-plugin (`<path:mount/path#key>`),
/// bank-vaults (`vault:mount/path#key`), `${vault…}`, vals (`ref+vault://path#/key`).
fn placeholder(text: &str) -> bool {
    let text = text.trim();
    let inline = text
        .split_once("<path:")
        .and_then(|(_, rest)| rest.split_once('>'))
        .is_some_and(|(reference, _)| reference.contains('#'));
    let vault = text
        .strip_prefix(">>")
        .unwrap_or(text)
        .strip_prefix("vault:")
        .is_some_and(|rest| rest.contains('#') && !rest.contains(char::is_whitespace));
    let variable = text.starts_with("${vault") && text.ends_with('}');
    let vals = text
        .strip_prefix("ref+")
        .is_some_and(|rest| rest.contains("://") && !rest.contains(char::is_whitespace));
    inline || vault || variable || vals
}

#[cfg(test)]
#[path = "secret_tests.rs"]
mod tests;
