//! A new credential: what it is, and why it is not taken.

use super::ask::{Reach, Told, ask, reach};
use super::{Hand, RegistryError, free_id};
use crate::estate::allow::Date;
use crate::estate::credential::{Credential, Kind, Status, fingerprint, last_four};
use crate::estate::model::Customer;
use crate::estate::{CredentialId, Estate, Purpose};
use crate::github::ClientSettings;
use crate::keyring::{Content, Kept, Secret};
use std::collections::BTreeMap;

/// What is asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// What it is for.
    pub purpose: Purpose,
    /// Its id; made of the purpose if absent.
    pub id: Option<CredentialId>,
    /// Whose it must be.
    pub owner: Option<String>,
    /// Its last day, where its issuer does not tell.
    pub expires: Option<Date>,
    /// Why it may do more than its purpose needs.
    pub accepted: Option<String>,
    /// Whether its value is kept.
    pub keep: bool,
    /// Whether somebody has it already.
    pub handed_over: bool,
}

/// What becomes of it.
#[derive(Debug)]
pub struct Judged {
    /// The entry.
    pub credential: Credential,
    /// What its owner should know.
    pub notes: Vec<String>,
    /// Whether the entry is there already.
    pub known: bool,
}

/// Judges a secret. GitHub is asked where it can be; nothing is changed.
pub async fn judge(
    estate: &Estate,
    customer: &Customer,
    content: Option<&Content>,
    secret: &Secret,
    wanted: &Wanted,
    settings: &ClientSettings,
    hand: &Hand,
) -> Result<Judged, RegistryError> {
    if let Some(known) = known(estate, customer, content, secret)? {
        let same =
            known.purpose == wanted.purpose && wanted.id.as_ref().is_none_or(|id| *id == known.id);
        return match same {
            true => Ok(Judged {
                credential: Credential {
                    stored: known.stored || wanted.keep,
                    ..known.clone()
                },
                notes: Vec::new(),
                known: true,
            }),
            false => Err(RegistryError::refused(
                format!(
                    "this secret is recorded already, as `{}` for `{}`",
                    known.id, known.purpose
                ),
                "a secret for two purposes cannot be taken from one of them alone; make another one",
            )),
        };
    }
    let kind = Kind::of(secret.expose());
    let mut notes = Vec::new();
    let told = told(secret, kind, wanted, settings, hand, &mut notes).await?;
    if told.is_some() {
        reached(estate, customer, secret, wanted, settings, &mut notes).await?;
    }
    let waiting = content.and_then(|c| waiting(c, customer, secret));
    let id = match (&wanted.id, waiting) {
        (Some(id), _) => id.clone(),
        (None, Some(kept)) => kept.credential.clone(),
        (None, None) => free_id(customer, content, &wanted.purpose)?,
    };
    if customer.credentials.iter().any(|c| c.id == id) {
        return Err(RegistryError::refused(
            format!("customer `{}` has a credential `{id}` already", customer.id),
            format!(
                "`tenantry customer credential rotate {} {id}` puts another secret in its place; --id gives this one another id",
                customer.id
            ),
        ));
    }
    let expires = match (
        &wanted.expires,
        told.as_ref().and_then(|t| t.expires.as_ref()),
    ) {
        (Some(given), Some(end)) if given != end => {
            notes.push(format!(
                "GitHub says that it ends on {end}; {given} is recorded, as you say"
            ));
            Some(given.clone())
        }
        (given, end) => given.clone().or_else(|| end.cloned()),
    };
    match &expires {
        None => notes.push(
            "it has no end that is known; a token that ends is found out when nobody looks after it"
                .to_owned(),
        ),
        Some(end) if *end < hand.today => {
            return Err(RegistryError::refused(
                format!("it ended on {end}"),
                "make another one",
            ));
        }
        Some(_) => {}
    }
    let fingerprint = fingerprint(secret.expose());
    if fingerprint.is_none() {
        notes.push(
            "neither a fingerprint nor its end is recorded, because it does not look machine-made and could be guessed from them"
                .to_owned(),
        );
    }
    Ok(Judged {
        credential: Credential {
            id,
            purpose: wanted.purpose.clone(),
            kind,
            status: Status::Active,
            owner: told
                .as_ref()
                .map(|t| t.owner.clone())
                .or_else(|| wanted.owner.clone()),
            created: Some(hand.today.clone()),
            expires,
            fingerprint,
            last_four: last_four(secret.expose()),
            verified: told.as_ref().map(|_| hand.today.clone()),
            scopes: told.and_then(|t| t.scopes),
            accepted: wanted.accepted.clone(),
            stored: wanted.keep,
            handed_over: wanted.handed_over.then(|| hand.today.clone()),
            places: BTreeMap::new(),
            replaces: None,
            until: None,
            revoked: None,
        },
        notes,
        known: false,
    })
}

/// What GitHub says, if it is a secret of GitHub's, and whether that is as it should be.
async fn told(
    secret: &Secret,
    kind: Kind,
    wanted: &Wanted,
    settings: &ClientSettings,
    hand: &Hand,
    notes: &mut Vec<String>,
) -> Result<Option<Told>, RegistryError> {
    let offline = crate::estate::credential::breadth(&wanted.purpose, kind, None);
    // Before it is sent anywhere.
    unfit(offline.unfit.as_deref())?;
    if !kind.asks_github() {
        notes.push(format!(
            "GitHub cannot be asked about a secret of kind `{}`, so neither its owner nor what it may do was checked",
            kind.name()
        ));
        return Ok(None);
    }
    let told = ask(settings, secret, kind, &wanted.purpose, hand.now).await?;
    if let Some(owner) = &wanted.owner
        && !owner.eq_ignore_ascii_case(&told.owner)
    {
        return Err(RegistryError::refused(
            format!(
                "the token belongs to `{}`, not to `{}`",
                told.owner,
                crate::estate::ids::shown(owner)
            ),
            "use a token of that account, or leave out --owner",
        ));
    }
    unfit(told.breadth.unfit.as_deref())?;
    if !told.breadth.broad.is_empty() && wanted.accepted.is_none() {
        return Err(RegistryError::refused(
            format!(
                "the token may do more than `{}` needs: {}",
                wanted.purpose,
                told.breadth.broad.join("; ")
            ),
            "make a narrower one; --accept REASON takes it all the same and records why",
        ));
    }
    notes.extend(
        told.breadth
            .broad
            .iter()
            .map(|b| format!("taken although {b}")),
    );
    notes.extend(told.breadth.notes.iter().cloned());
    Ok(Some(told))
}

/// A token that works may still be one for another repository.
async fn reached(
    estate: &Estate,
    customer: &Customer,
    secret: &Secret,
    wanted: &Wanted,
    settings: &ClientSettings,
    notes: &mut Vec<String>,
) -> Result<(), RegistryError> {
    match reach(settings, secret, &wanted.purpose, estate, customer).await? {
        Reach::There => Ok(()),
        Reach::Missing(why) => Err(RegistryError::refused(
            format!("the token does not fit: {why}"),
            "let it reach that repository, on its page (an organisation may have to approve it), or make another one",
        )),
        Reach::Unknown(what) => {
            notes.push(what.to_owned());
            Ok(())
        }
    }
}

fn unfit(why: Option<&str>) -> Result<(), RegistryError> {
    match why {
        None => Ok(()),
        Some(why) => Err(RegistryError::refused(
            format!("the token does not fit: {why}"),
            "make another one",
        )),
    }
}

/// The value as it waits in the encrypted file for its entry: a process was killed in between.
fn waiting<'a>(content: &'a Content, customer: &Customer, secret: &Secret) -> Option<&'a Kept> {
    content
        .kept
        .iter()
        .find(|k| k.customer == customer.id && k.replaces.is_none() && k.value == *secret)
}

/// The entry of this customer that is this very secret. Another customer's refuses it.
fn known<'a>(
    estate: &Estate,
    customer: &'a Customer,
    content: Option<&Content>,
    secret: &Secret,
) -> Result<Option<&'a Credential>, RegistryError> {
    let fingerprint = fingerprint(secret.expose());
    let same = |owner: &Customer, c: &Credential| {
        let kept = content.and_then(|all| all.find(&owner.id, &c.id));
        kept.is_some_and(|k| k.value == *secret)
            || fingerprint.is_some() && c.fingerprint == fingerprint
    };
    for other in estate.customers.values() {
        if let Some(c) = other.credentials.iter().find(|c| same(other, c)) {
            if other.id != customer.id {
                return Err(RegistryError::refused(
                    format!(
                        "customer `{}` has this very secret, as `{}`",
                        other.id, c.id
                    ),
                    "each customer needs one of its own, or one of them can never be cut off alone",
                ));
            }
            if !c.is_open() {
                return Err(RegistryError::refused(
                    format!("this secret was revoked; it is `{}`", c.id),
                    "make another one",
                ));
            }
            let own = customer.credentials.iter().find(|own| own.id == c.id);
            return Ok(own);
        }
    }
    Ok(None)
}
