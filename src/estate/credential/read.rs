//! Reading `credentials` of a registry entry: a map from the id to what is known of it. A map, so
//! that no id can be there twice, and each value can be changed where it stands.

use super::{Credential, Kind, Status};
use crate::digest::Digest;
use crate::estate::fields::Fields;
use crate::estate::ids::{CredentialId, Purpose, SecretName, SecretPlace};
use crate::estate::value::{Data, Node};
use std::collections::BTreeMap;

/// What `scopes` says where GitHub has said that there are none.
pub(crate) const NO_SCOPES: &str = "none";

/// Reads them all. In an entry every key must be known: a slip here could hide that a credential
/// ends.
pub(crate) fn read(path: &str, fields: &mut Fields<'_>) -> Vec<Credential> {
    let mut out = Vec::new();
    let Some(node) = fields.node("credentials") else {
        return out;
    };
    if !matches!(node.data, Data::Map(_)) {
        let findings = Fields::new(path, node).found();
        fields.absorb(findings);
        return out;
    }
    for (key, value) in node.entries() {
        let id = match CredentialId::new(&key.name) {
            Ok(id) => id,
            Err(e) => {
                fields.refuse(value, format!("`credentials`: {e}"));
                continue;
            }
        };
        let mut entry = Fields::new(path, value);
        let read = one(path, id, &mut entry);
        fields.absorb(entry.finish());
        out.extend(read);
    }
    let known: Vec<CredentialId> = out.iter().map(|c| c.id.clone()).collect();
    for credential in &out {
        if let Some(before) = credential.replaces.as_ref()
            && (!known.contains(before) || *before == credential.id)
        {
            fields.refuse(
                node,
                format!(
                    "`credentials.{}.replaces`: there is no other credential `{before}` here",
                    credential.id
                ),
            );
        }
    }
    out
}

fn one(path: &str, id: CredentialId, entry: &mut Fields<'_>) -> Option<Credential> {
    for key in ["purpose", "kind"] {
        if entry.node(key).is_none() {
            entry.missing(key);
        }
    }
    let statuses = [
        ("active", Status::Active),
        ("rotating", Status::Rotating),
        ("revoked", Status::Revoked),
    ];
    let purpose = entry.parsed::<Purpose>("purpose");
    let kind = entry.word("kind", &Kind::all());
    // Every key is asked for before anything is given up, so that none is called unknown.
    let status = entry.word("status", &statuses).unwrap_or(Status::Active);
    let owner = entry.text("owner");
    let created = entry.parsed("created");
    let expires = entry.parsed("expires");
    let fingerprint = fingerprint(entry);
    let last_four = last_four(entry);
    let scopes = entry.text("scopes").map(|s| scopes(&s));
    let verified = entry.parsed("verified");
    let accepted = entry.text("accepted");
    let stored = entry.boolean("stored").unwrap_or(false);
    let handed_over = entry.parsed("handed_over");
    let places = places(path, entry);
    let replaces = entry.parsed("replaces");
    let until = entry.parsed("until");
    let revoked = entry.parsed("revoked");
    Some(Credential {
        id,
        purpose: purpose?,
        kind: kind?,
        status,
        owner,
        created,
        expires,
        fingerprint,
        last_four,
        scopes,
        verified,
        accepted,
        stored,
        handed_over,
        places,
        replaces,
        until,
        revoked,
    })
}

fn scopes(text: &str) -> Vec<String> {
    if text == NO_SCOPES {
        return Vec::new();
    }
    text.split(',')
        .map(|s| s.trim().to_owned())
        .filter(|s| !s.is_empty())
        .collect()
}

fn fingerprint(entry: &mut Fields<'_>) -> Option<Digest> {
    let node = entry.node("fingerprint")?;
    let text = entry.text("fingerprint")?;
    let digest = Digest::parse(&text);
    if digest.is_none() {
        entry.refuse(
            node,
            "`fingerprint` must be `sha256:` and 64 hexadecimal digits",
        );
    }
    digest
}

/// More than four characters would be a part of the secret that is worth something.
fn last_four(entry: &mut Fields<'_>) -> Option<String> {
    let node = entry.node("last_four")?;
    let text = entry.text("last_four")?;
    if text.chars().count() != 4 {
        entry.refuse(
            node,
            "`last_four` must be four characters; write digits in quotes, and nothing more of the secret",
        );
        return None;
    }
    Some(text)
}

fn places(path: &str, entry: &mut Fields<'_>) -> BTreeMap<SecretPlace, SecretName> {
    let mut out = BTreeMap::new();
    let Some(node) = entry.node("places") else {
        return out;
    };
    if !matches!(node.data, Data::Map(_)) {
        let findings = Fields::new(path, node).found();
        entry.absorb(findings);
        return out;
    }
    for (key, value) in node.entries() {
        match (
            SecretPlace::new(&key.name),
            value.text().map(SecretName::new),
        ) {
            (Ok(place), Some(Ok(name))) => {
                out.insert(place, name);
            }
            (Err(e), _) => entry.refuse(value, format!("`places`: {e}")),
            (_, Some(Err(e))) => entry.refuse(value, format!("`places`: {e}")),
            (_, None) => refuse_kind(entry, value),
        }
    }
    out
}

fn refuse_kind(entry: &mut Fields<'_>, value: &Node) {
    entry.refuse(
        value,
        format!(
            "`places` must hold names of secrets, found {}",
            value.kind()
        ),
    );
}
