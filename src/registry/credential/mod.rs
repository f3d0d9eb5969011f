//! Credentials of customers: what is known of them in the registry, and what becomes of their
//! values.
//!
//! An entry and a value lie in two files, so every change has an order in which a crash between
//! the two leaves something that the same command goes on from, and never a credential that is
//! revoked before its successor works.

pub mod add;
pub mod ask;
pub mod check;
pub mod give;
pub mod import;
pub mod revoke;
pub mod rotate;
pub mod same;

use super::RegistryError;
use crate::clock::Time;
use crate::estate::allow::Date;
use crate::estate::credential::Credential;
use crate::estate::ids::shown;
use crate::estate::model::Customer;
use crate::estate::suggest::nearest;
use crate::estate::yaml_edit::Change;
use crate::estate::{CredentialId, Purpose};
use crate::keyring::{Content, Secret};
use serde_json::Value;

/// Who does something, and when.
#[derive(Debug, Clone)]
pub struct Hand {
    /// Who.
    pub by: String,
    /// When.
    pub now: Time,
    /// On which day.
    pub today: Date,
}

/// What must stand in the entry for a credential to be `now`, where it was `before`.
pub fn entry(now: &Credential, before: Option<&Credential>) -> Vec<Change> {
    // A field that is forgotten here would be lost.
    let Credential {
        id,
        purpose,
        kind,
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
    } = now;
    let day = |d: &Option<Date>| d.as_ref().map(|d| Value::from(d.to_string()));
    let scopes = scopes.as_ref().map(|s| match s.is_empty() {
        true => Value::from("none"),
        false => Value::from(s.join(", ")),
    });
    let fields = [
        ("purpose", Some(purpose.as_str().into())),
        ("kind", Some(kind.name().into())),
        ("status", Some(status.name().into())),
        ("owner", owner.as_deref().map(Value::from)),
        ("created", day(created)),
        ("expires", day(expires)),
        ("scopes", scopes),
        ("verified", day(verified)),
        ("accepted", accepted.as_deref().map(Value::from)),
        (
            "fingerprint",
            fingerprint.as_ref().map(|f| f.as_str().into()),
        ),
        ("last_four", last_four.as_deref().map(Value::from)),
        ("stored", stored.then_some(Value::Bool(true))),
        ("handed_over", day(handed_over)),
        ("replaces", replaces.as_ref().map(|r| r.as_str().into())),
        ("until", until.as_ref().map(|u| u.to_string().into())),
        ("revoked", day(revoked)),
    ];
    let keys = |more: &[&str]| {
        ["credentials", id.as_str()]
            .iter()
            .chain(more)
            .map(|k| (*k).to_owned())
            .collect()
    };
    let mut out: Vec<Change> = fields
        .into_iter()
        .map(|(key, value)| Change {
            keys: keys(&[key]),
            value,
        })
        .collect();
    out.extend(places.iter().map(|(place, name)| Change {
        keys: keys(&["places", place.as_str()]),
        value: Some(name.as_str().into()),
    }));
    let gone = before.iter().flat_map(|b| b.places.keys());
    out.extend(
        gone.filter(|place| !places.contains_key(place))
            .map(|place| Change {
                keys: keys(&["places", place.as_str()]),
                value: None,
            }),
    );
    out
}

/// What the entry must say when somebody was given the value to use it outside of GitHub Actions.
pub fn handed_over(c: &Credential, today: &Date) -> Vec<Change> {
    let after = Credential {
        handed_over: Some(today.clone()),
        ..c.clone()
    };
    entry(&after, Some(c))
}

/// A credential of a customer.
pub fn find<'a>(
    customer: &'a Customer,
    id: &CredentialId,
) -> Result<&'a Credential, RegistryError> {
    let known = || customer.credentials.iter().map(|c| c.id.as_str());
    customer
        .credentials
        .iter()
        .find(|c| c.id == *id)
        .ok_or_else(|| {
            let list: Vec<&str> = known().collect();
            RegistryError::refused(
                format!("customer `{}` has no credential `{id}`", customer.id),
                nearest(id.as_str(), known()).map_or_else(
                    || match list.is_empty() {
                        true => "none is recorded; add one with `tenantry customer credential add`"
                            .to_owned(),
                        false => format!("they have {}", list.join(", ")),
                    },
                    |near| format!("did you mean `{near}`?"),
                ),
            )
        })
}

/// The one that has taken the place of another, or is about to.
pub fn successor<'a>(customer: &'a Customer, of: &CredentialId) -> Option<&'a Credential> {
    let follows = |c: &&Credential| c.replaces.as_ref() == Some(of) && c.is_open();
    customer.credentials.iter().find(follows)
}

/// The credential that serves a purpose now: the newest one in use.
pub fn serving<'a>(customer: &'a Customer, purpose: &str) -> Option<&'a Credential> {
    use crate::estate::credential::Status;
    let mut fit = customer
        .credentials
        .iter()
        .filter(|c| c.purpose.as_str() == purpose && c.status == Status::Active);
    let first = fit.next()?;
    Some(fit.fold(
        first,
        |best, c| if c.created > best.created { c } else { best },
    ))
}

/// An id that neither the entry nor the encrypted file has: the purpose, with a number if needed.
pub fn free_id(
    customer: &Customer,
    content: Option<&Content>,
    purpose: &Purpose,
) -> Result<CredentialId, RegistryError> {
    let taken = |id: &CredentialId| {
        customer.credentials.iter().any(|c| c.id == *id)
            || content.is_some_and(|c| c.find(&customer.id, id).is_some())
    };
    let candidates =
        std::iter::once(purpose.to_string()).chain((2..1_000).map(|n| format!("{purpose}-{n}")));
    for text in candidates {
        let id = CredentialId::new(&text)
            .map_err(|e| RegistryError::refused(e.to_string(), "choose an id with --id ID"))?;
        if !taken(&id) {
            return Ok(id);
        }
    }
    Err(RegistryError::refused(
        format!(
            "customer `{}` has too many credentials for `{purpose}`",
            customer.id
        ),
        "choose an id with --id ID",
    ))
}

/// Longest secret, in bytes: what GitHub takes for one.
const LONGEST: usize = 48 << 10;

/// Checks a text that somebody gave as a secret. It is never quoted.
pub fn secret(text: &str) -> Result<Secret, RegistryError> {
    let text = text
        .strip_suffix("\r\n")
        .or_else(|| text.strip_suffix('\n'))
        .unwrap_or(text);
    let block = text.starts_with("-----BEGIN ");
    let why = if text.trim().is_empty() {
        Some("is empty".to_owned())
    } else if text.len() > LONGEST {
        Some(format!("is longer than {LONGEST} bytes"))
    } else if !block && text.chars().any(|c| c.is_control()) {
        Some("has several lines or a control character".to_owned())
    } else if !block && text.trim() != text {
        Some("begins or ends with a blank".to_owned())
    } else {
        None
    };
    match why {
        None => Ok(Secret::new(text.to_owned())),
        Some(why) => Err(RegistryError::refused(
            format!("the secret {why}"),
            "give the secret and nothing else on standard input, such as with `pbpaste | tenantry customer credential add …`",
        )),
    }
}

/// A word for messages about a credential.
pub(crate) fn named(customer: &Customer, id: &CredentialId) -> String {
    format!(
        "credential `{id}` of customer `{}`",
        shown(customer.id.as_str())
    )
}
