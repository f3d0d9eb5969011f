//! One secret under several names, and whom it cuts off when it is revoked. A list in plain text
//! may bring such a secret along (`super::import`).

use super::RegistryError;
use super::ask::works;
use super::revoke::{Doomed, Way};
use super::rotate::{Phase, phase};
use crate::digest::Digest;
use crate::estate::credential::{Credential, Kind, Moment};
use crate::estate::model::Customer;
use crate::estate::{CredentialId, CustomerId, Estate};
use crate::github::ClientSettings;
use crate::keyring::{Content, Kept, Secret};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// A credential by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Named {
    /// Whose.
    pub customer: CustomerId,
    /// Which of theirs.
    pub credential: CredentialId,
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` of customer `{}`", self.credential, self.customer)
    }
}

impl Named {
    fn of(customer: &Customer, c: &Credential) -> Self {
        Self {
            customer: customer.id.clone(),
            credential: c.id.clone(),
        }
    }
}

/// Most that are named in a sentence.
const MOST: usize = 5;

/// Several of them in a sentence.
pub fn list(all: &[Named]) -> String {
    let some: Vec<String> = all.iter().take(MOST).map(ToString::to_string).collect();
    match all.len().checked_sub(MOST) {
        None | Some(0) => some.join(", "),
        Some(more) => format!("{} and {more} more", some.join(", ")),
    }
}

/// The commands that give each of them a secret of its own.
pub fn rotations(all: &[Named]) -> String {
    let some: Vec<String> = all
        .iter()
        .take(MOST)
        .map(|n| {
            format!(
                "`tenantry customer credential rotate {} {}`",
                n.customer, n.credential
            )
        })
        .collect();
    match all.len().checked_sub(MOST) {
        None | Some(0) => some.join(", "),
        Some(more) => format!("{}, and so on for {more} more", some.join(", ")),
    }
}

/// The open credentials of all customers by what tells their values apart: the fingerprint of the
/// entry, and the value where it is at hand, because what a person has made up has no fingerprint.
/// Digests of values live no longer than this.
#[derive(Debug)]
pub struct Values<'a>(BTreeMap<Digest, Vec<(&'a Customer, &'a Credential)>>);

impl<'a> Values<'a> {
    /// Of a whole estate.
    pub fn of(estate: &'a Estate, content: Option<&Content>) -> Self {
        let mut out: BTreeMap<Digest, Vec<(&Customer, &Credential)>> = BTreeMap::new();
        for customer in estate.customers.values() {
            for c in customer.credentials.iter().filter(|c| c.is_open()) {
                let kept = content.and_then(|all| all.find(&customer.id, &c.id));
                for digest in digests(Some(c), kept.map(|k| &k.value)) {
                    out.entry(digest).or_default().push((customer, c));
                }
            }
        }
        Self(out)
    }

    /// Those that are one secret, two or more each.
    pub fn shared(&self) -> impl Iterator<Item = &[(&'a Customer, &'a Credential)]> {
        self.0.values().filter(|s| s.len() > 1).map(Vec::as_slice)
    }

    /// Every other open credential, of any customer, that is the secret of this one.
    pub fn others(
        &self,
        name: &Named,
        entry: Option<&Credential>,
        value: Option<&Secret>,
    ) -> Vec<(&'a Customer, &'a Credential)> {
        let mut out: Vec<(&Customer, &Credential)> = Vec::new();
        for digest in digests(entry, value) {
            for (customer, c) in self.0.get(&digest).into_iter().flatten() {
                let other = Named::of(customer, c);
                if other != *name && !out.iter().any(|(o, i)| Named::of(o, i) == other) {
                    out.push((customer, c));
                }
            }
        }
        out
    }
}

fn digests(entry: Option<&Credential>, value: Option<&Secret>) -> BTreeSet<Digest> {
    let print = entry.and_then(|c| c.fingerprint.clone());
    let own = value.map(|v| Digest::of(v.expose().as_bytes()));
    print.into_iter().chain(own).collect()
}

/// Those of `others` that would be cut off: all but what has been replaced, is used by nobody any
/// more, and has a successor that works. Without `settings` GitHub is not asked whether it does.
pub async fn needing(
    others: &[(&Customer, &Credential)],
    content: Option<&Content>,
    now: &Moment,
    settings: Option<&ClientSettings>,
) -> Result<Vec<Named>, RegistryError> {
    let mut out = Vec::new();
    for (customer, c) in others {
        if needs(customer, c, content, now, settings).await? {
            out.push(Named::of(customer, c));
        }
    }
    Ok(out)
}

async fn needs(
    customer: &Customer,
    c: &Credential,
    content: Option<&Content>,
    now: &Moment,
    settings: Option<&ClientSettings>,
) -> Result<bool, RegistryError> {
    let Some(content) = content else {
        return Ok(true);
    };
    // A refusal says that somebody still has it.
    let Ok(Phase::End { new }) = phase(customer, &c.id, content, now, false) else {
        return Ok(true);
    };
    let Some(kept) = content.find(&customer.id, &new) else {
        return Ok(true);
    };
    match settings.filter(|_| Kind::of(kept.value.expose()).asks_github()) {
        Some(settings) => Ok(!works(settings, &kept.value).await?),
        None => Ok(false),
    }
}

/// For each that goes, the others that would be cut off with it and do not go themselves. `left`:
/// values that no open entry has.
pub async fn cut_off(
    estate: &Estate,
    content: Option<&Content>,
    chosen: &[Doomed],
    left: &[&Kept],
    now: &Moment,
    settings: Option<&ClientSettings>,
) -> Result<BTreeMap<Named, Vec<Named>>, RegistryError> {
    let values = Values::of(estate, content);
    let name = |customer: &CustomerId, credential: &CredentialId| Named {
        customer: customer.clone(),
        credential: credential.clone(),
    };
    let going: BTreeSet<Named> = chosen
        .iter()
        .map(|d| name(&d.customer, &d.credential.id))
        .collect();
    let entries = chosen.iter().map(|d| {
        let value = match &d.way {
            Way::Github(value) => Some(value),
            Way::ByHand { .. } => content
                .and_then(|all| all.find(&d.customer, &d.credential.id))
                .map(|k| &k.value),
        };
        let entry = Some(&d.credential);
        (name(&d.customer, &d.credential.id), entry, value)
    });
    let orphans = left
        .iter()
        .map(|k| (name(&k.customer, &k.credential), None, Some(&k.value)));
    let mut out = BTreeMap::new();
    for (one, entry, value) in entries.chain(orphans) {
        let mut others = values.others(&one, entry, value);
        others.retain(|(customer, c)| !going.contains(&Named::of(customer, c)));
        let cut = needing(&others, content, now, settings).await?;
        if !cut.is_empty() {
            out.insert(one, cut);
        }
    }
    Ok(out)
}
