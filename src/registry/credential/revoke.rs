//! Taking credentials out of service.

use super::ask::speaking;
use super::{RegistryError, entry};
use crate::estate::allow::Date;
use crate::estate::credential::{Credential, Kind, Status};
use crate::estate::model::Customer;
use crate::estate::yaml_edit::Change;
use crate::estate::{CredentialId, CustomerId, Estate};
use crate::github::identity::MOST_REVOKED;
use crate::github::{ClientSettings, Credential as Speaker, GithubError};
use crate::keyring::{Content, Secret};

/// Which credentials are meant.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Of this customer.
    pub customer: Option<CustomerId>,
    /// With this id.
    pub id: Option<CredentialId>,
    /// For this purpose.
    pub purpose: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
    /// Of this owner.
    pub owner: Option<String>,
}

impl Filter {
    /// Whether a credential of `customer` is meant.
    pub fn takes(&self, customer: &Customer, c: &Credential) -> bool {
        let owner = |wanted: &String| {
            c.owner
                .as_ref()
                .is_some_and(|o| o.eq_ignore_ascii_case(wanted))
        };
        self.customer.as_ref().is_none_or(|id| *id == customer.id)
            && self.id.as_ref().is_none_or(|id| *id == c.id)
            && self
                .purpose
                .as_ref()
                .is_none_or(|p| p == c.purpose.as_str())
            && self.kind.is_none_or(|k| k == c.kind)
            && self.owner.as_ref().is_none_or(owner)
    }
}

/// How a credential can be revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// At GitHub, with its value.
    Github(Secret),
    /// By a person: why not from here, and where.
    ByHand {
        /// Why.
        why: &'static str,
        /// Where.
        place: &'static str,
    },
}

/// One credential that is to go.
#[derive(Debug, Clone)]
pub struct Doomed {
    /// Whose.
    pub customer: CustomerId,
    /// The entry as it is.
    pub credential: Credential,
    /// How.
    pub way: Way,
}

/// What is still valid and meant, in the order of the registry.
pub fn doomed(
    estate: &Estate,
    filter: &Filter,
    content: Option<&Content>,
    given: Option<&Secret>,
) -> Vec<Doomed> {
    let mut out = Vec::new();
    for customer in estate.customers.values() {
        for credential in &customer.credentials {
            if !credential.is_open() || !filter.takes(customer, credential) {
                continue;
            }
            let kept = content.and_then(|c| c.find(&customer.id, &credential.id));
            let value = given.or(kept.map(|k| &k.value));
            let place = credential.kind.by_hand();
            let way = match (credential.kind.revocable(), value) {
                (true, Some(value)) => Way::Github(value.clone()),
                (true, None) => Way::ByHand {
                    why: "its value is not kept here (`--stdin` takes it from whoever has it)",
                    place,
                },
                (false, _) => Way::ByHand {
                    why: "GitHub's interface for revoking does not take this kind",
                    place,
                },
            };
            out.push(Doomed {
                customer: customer.id.clone(),
                credential: credential.clone(),
                way,
            });
        }
    }
    out
}

/// Asks GitHub to revoke all of them, in as few calls as it takes.
pub async fn at_github(
    settings: &ClientSettings,
    secrets: &[&Secret],
) -> Result<(), RegistryError> {
    let nobody = speaking(settings, Speaker::Nobody)?;
    for chunk in secrets.chunks(MOST_REVOKED) {
        let tokens: Vec<&str> = chunk.iter().map(|s| s.expose()).collect();
        nobody.revoke(&tokens).await.map_err(|e| match e {
            GithubError::NotFound { .. } => RegistryError::refused(
                "this GitHub has no interface for revoking tokens; nothing was revoked",
                "revoke them on its pages, and record it with --by-hand",
            ),
            other => other.into(),
        })?;
    }
    Ok(())
}

/// What the entries must say afterwards.
pub fn marked(gone: &[&Doomed], today: &Date) -> Vec<(CustomerId, Vec<Change>)> {
    let mut out: Vec<(CustomerId, Vec<Change>)> = Vec::new();
    for doomed in gone {
        let after = Credential {
            status: Status::Revoked,
            revoked: Some(today.clone()),
            stored: false,
            until: None,
            ..doomed.credential.clone()
        };
        let changes = entry(&after, Some(&doomed.credential));
        match out
            .iter_mut()
            .find(|(customer, _)| *customer == doomed.customer)
        {
            Some((_, all)) => all.extend(changes),
            None => out.push((doomed.customer.clone(), changes)),
        }
    }
    out
}
