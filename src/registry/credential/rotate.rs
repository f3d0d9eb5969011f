//! Another secret in the place of one, without a moment in which none is valid (T31).
//!
//! What is to be done next is read from the entry and the encrypted file alone, so the same
//! command goes on wherever a process ended:
//!
//! 1. `Take`: the new secret is verified and put into the encrypted file.
//! 2. `Record`: it gets an entry; the old one is `rotating`.
//! 3. `Give`: each GitHub Actions secret that holds the old one is set to the new one.
//! 4. `Begin`: the time begins in which what has read the old one may still use it.
//! 5. `Wait`, until that time is over.
//! 6. `End`: the new one is verified once more, then the old one is revoked.
//! 7. `Mark`, `Clean`: the entry says so, and the old value leaves the encrypted file.

use super::{RegistryError, entry, find, named, successor};
use crate::estate::credential::{Credential, Moment, Status};
use crate::estate::model::Customer;
use crate::estate::yaml_edit::Change;
use crate::estate::{CredentialId, SecretName, SecretPlace};
use crate::keyring::{Content, Kept};

/// How long what has read the old secret may use it: as long as a job of GitHub Actions may run.
pub const OVERLAP: u64 = 6 * 3600;

/// What is to be done next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Phase {
    /// A new secret is needed.
    Take,
    /// The new secret needs an entry.
    Record(Box<Kept>),
    /// A secret of GitHub Actions must be set.
    Give {
        /// Where.
        place: SecretPlace,
        /// Which.
        name: SecretName,
        /// The new one.
        new: CredentialId,
    },
    /// The overlap begins.
    Begin,
    /// The overlap is not over.
    Wait(Moment),
    /// The old one may be revoked.
    End {
        /// The new one.
        new: CredentialId,
    },
    /// The entry says that the old one is revoked; its value is still in the encrypted file.
    Clean,
    /// Nothing.
    Done,
}

/// What is to be done next for `id`.
pub fn phase(
    customer: &Customer,
    id: &CredentialId,
    content: &Content,
    now: &Moment,
    hurry: bool,
) -> Result<Phase, RegistryError> {
    let old = find(customer, id)?;
    if old.status == Status::Revoked {
        let left =
            content.find(&customer.id, id).is_some() || passing(customer, id, content).is_some();
        let replaced = customer
            .credentials
            .iter()
            .any(|c| c.replaces.as_ref() == Some(id));
        return match (left, replaced) {
            (true, _) => Ok(Phase::Clean),
            (false, true) => Ok(Phase::Done),
            (false, false) => Err(RegistryError::refused(
                format!(
                    "{} is revoked, so there is nothing to rotate",
                    named(customer, id)
                ),
                "add a new one with `tenantry customer credential add`",
            )),
        };
    }
    let Some(new) = successor(customer, id) else {
        let waiting = content.kept.iter().find(|k| {
            k.customer == customer.id
                && k.replaces.as_ref() == Some(id)
                && !customer.credentials.iter().any(|c| c.id == k.credential)
        });
        return Ok(match waiting {
            Some(kept) => Phase::Record(Box::new(kept.clone())),
            None => Phase::Take,
        });
    };
    if let Some((place, name)) = old.places.iter().next() {
        return Ok(Phase::Give {
            place: place.clone(),
            name: name.clone(),
            new: new.id.clone(),
        });
    }
    Ok(match &old.until {
        None => Phase::Begin,
        Some(until) if until > now && !hurry => Phase::Wait(until.clone()),
        // Whoever uses it outside of GitHub Actions must have the new one by now.
        Some(_) if old.handed_over.is_some() && new.handed_over.is_none() && !hurry => {
            return Err(RegistryError::refused(
                format!(
                    "`{id}` was handed over to somebody, and it is not recorded that they have `{}`; the old one stays valid",
                    new.id
                ),
                "give it to them (`show --reveal`), then run the same command with --handed-over",
            ));
        }
        Some(_) => Phase::End {
            new: new.id.clone(),
        },
    })
}

/// The new value, if it was only lent to the encrypted file.
pub fn passing<'a>(
    customer: &Customer,
    old: &CredentialId,
    content: &'a Content,
) -> Option<&'a Kept> {
    content
        .kept
        .iter()
        .find(|k| k.customer == customer.id && k.passing && k.replaces.as_ref() == Some(old))
}

/// What the entries must say when the new one has been recorded. If another one had taken the old
/// one's places and was revoked since, its places are to be set as well.
pub fn recorded(customer: &Customer, old: &Credential, new: &Credential) -> Vec<Change> {
    let mut before = Credential {
        status: Status::Rotating,
        until: None,
        ..old.clone()
    };
    let failed = customer
        .credentials
        .iter()
        .filter(|c| c.replaces.as_ref() == Some(&old.id) && !c.is_open());
    for one in failed {
        before.places.extend(one.places.clone());
    }
    let mut out = entry(&before, Some(old));
    let new = Credential {
        replaces: Some(old.id.clone()),
        ..new.clone()
    };
    out.extend(entry(&new, None));
    out
}

/// What the entries must say when a secret was set to the new value.
pub fn given(old: &Credential, new: &Credential, place: &SecretPlace) -> Vec<Change> {
    let (mut after_old, mut after_new) = (old.clone(), new.clone());
    if let Some(name) = after_old.places.remove(place) {
        after_new.places.insert(place.clone(), name);
    }
    let mut out = entry(&after_new, Some(new));
    out.extend(entry(&after_old, Some(old)));
    out
}

/// What the entry must say when the overlap begins.
pub fn begun(old: &Credential, until: Moment) -> Vec<Change> {
    let after = Credential {
        until: Some(until),
        ..old.clone()
    };
    entry(&after, Some(old))
}

/// The steps that lie ahead, for people. They are shown before the first one is done.
pub fn steps(
    customer: &Customer,
    id: &CredentialId,
    overlap: u64,
    keep: bool,
) -> Result<String, RegistryError> {
    let old = find(customer, id)?;
    let mut out = format!("rotate {}\n", named(customer, id));
    let mut number = 0;
    let mut say = |text: String| {
        number += 1;
        out.push_str(&format!("  {number}. {text}\n"));
    };
    match successor(customer, id) {
        None => {
            say(format!(
                "verify the new secret and put it into the encrypted file{}",
                if keep { "" } else { " until the end" }
            ));
            say(format!("record it; `{id}` is `rotating` and stays valid"));
        }
        Some(new) => say(format!(
            "`{}` is to take the place of `{id}`, which stays valid",
            new.id
        )),
    }
    for (place, name) in &old.places {
        say(format!(
            "set the secret `{name}` of `{place}` to the new one"
        ));
    }
    if old.handed_over.is_some() {
        say("somebody has the old one: hand the new one over to them".to_owned());
    }
    match &old.until {
        Some(until) => say(format!("wait until {until}")),
        None => say(format!(
            "wait {}, because a job that has begun uses the old one to its end",
            hours(overlap)
        )),
    }
    let ending = match old.kind.revocable() {
        true if old.stored => "revoke the old one at GitHub".to_owned(),
        true => "revoke the old one: its value is not kept, so give it on standard input to `revoke --stdin`, or do it by hand".to_owned(),
        false => format!("revoke the old one by hand: {}", old.kind.by_hand()),
    };
    say(format!("verify the new one once more, then {ending}"));
    Ok(out)
}

fn hours(seconds: u64) -> String {
    match (seconds / 3600, seconds % 3600) {
        (0, s) => format!("{} minutes", s.div_ceil(60)),
        (1, 0) => "1 hour".to_owned(),
        (h, 0) => format!("{h} hours"),
        (h, s) => format!("{h} hours and {} minutes", s.div_ceil(60)),
    }
}
