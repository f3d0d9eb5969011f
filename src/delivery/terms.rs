//! What the registry and the settings say about a customer's changes and credentials. When it is
//! not what it was, the audit log says so, before anything is done under it.

use super::error::DeliveryError;
use super::manager::Manager;
use super::records::keys;
use super::trail;
use crate::audit::Event;
use crate::audit::event::{CredentialState, GateSetting, bounded};
use crate::digest::Digest;
use crate::estate::credential::Credential;
use crate::estate::model::Customer;
use crate::estate::settings::HintMode;
use crate::store::Put;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What the log knows.
#[derive(Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Known {
    settings: Option<Digest>,
    #[serde(default)]
    credentials: BTreeMap<String, Digest>,
}

/// Records what is new to this customer's log.
///
/// The record comes first. A process that is killed in between, or two at once, leave one record
/// too many, which says nothing that is not true.
pub async fn record(manager: &Manager, customer: &Customer) -> Result<(), DeliveryError> {
    let key = keys::terms(&customer.id);
    let before = manager.store.read::<Known>(&key).await?;
    let is_new = before.is_none();
    let before = before.map(|(known, _)| known).unwrap_or_default();
    let (now, settings) = now(manager, customer);
    if now == before {
        return Ok(());
    }
    if now.settings != before.settings {
        trail::terms(manager, &customer.id, settings).await?;
    }
    let changed = changed(customer, &before.credentials, &now.credentials);
    if !changed.is_empty() {
        let event = Event::CredentialsChanged {
            commit: manager.run.commit.clone(),
            credentials: changed,
        };
        trail::terms(manager, &customer.id, event).await?;
    }
    if !is_new || manager.store.create_json(&key, &now).await? == Put::Conflict {
        manager.store.write_json(&key, &now).await?;
    }
    Ok(())
}

/// Digest of what [`record`] looks at: as long as it is the same, there is nothing to record.
pub fn digest(manager: &Manager, customer: &Customer) -> Digest {
    let (now, _) = now(manager, customer);
    let credentials = now.credentials.iter();
    let parts = credentials.map(|(id, digest)| (id.as_str(), digest.as_str().as_bytes()));
    let settings = now.settings.iter().map(|d| ("", d.as_str().as_bytes()));
    Digest::of_parts(settings.chain(parts))
}

/// What the log is to know, and the event that says so of the settings.
fn now(manager: &Manager, customer: &Customer) -> (Known, Event) {
    let (digest, settings) = settings(manager);
    let known = Known {
        settings: Some(digest),
        credentials: customer
            .credentials
            .iter()
            .map(|c| (c.id.to_string(), Digest::of(format!("{c:?}").as_bytes())))
            .collect(),
    };
    (known, settings)
}

fn changed(
    customer: &Customer,
    before: &BTreeMap<String, Digest>,
    now: &BTreeMap<String, Digest>,
) -> Vec<CredentialState> {
    let state = |c: &Credential| CredentialState {
        id: c.id.to_string(),
        purpose: c.purpose.to_string(),
        kind: c.kind.name().to_owned(),
        status: c.status.name().to_owned(),
        owner: c.owner.as_deref().map(bounded),
        fingerprint: c.fingerprint.clone(),
    };
    let gone = |id: &String| CredentialState {
        id: id.clone(),
        purpose: String::new(),
        kind: String::new(),
        status: "gone".to_owned(),
        owner: None,
        fingerprint: None,
    };
    let new = customer.credentials.iter().filter(|c| {
        let id = c.id.to_string();
        before.get(&id) != now.get(&id)
    });
    let removed = before.keys().filter(|id| !now.contains_key(*id));
    new.map(state).chain(removed.map(gone)).collect()
}

fn settings(manager: &Manager) -> (Digest, Event) {
    let estate = &manager.estate;
    let gates: Vec<GateSetting> = estate
        .environments()
        .into_iter()
        .map(|environment| {
            let rule = estate.settings.gate(&environment);
            GateSetting {
                environment,
                approval: rule.approval,
                approvers: rule.approvers.iter().map(|a| bounded(a)).collect(),
            }
        })
        .collect();
    let hints = match estate.settings.hints {
        HintMode::Poll => "poll",
        HintMode::Direct => "direct",
        HintMode::Inbox => "inbox",
    };
    let files = estate.files.iter();
    let policies = Digest::of_parts(files.filter(|(path, _)| path.starts_with("policies/")));
    let identity = estate.settings.identity_required;
    let max_age_hours = estate.settings.plan_max_age_hours;
    let said = format!("{gates:?} {hints} {policies} {identity} {max_age_hours}");
    let settings = Digest::of(said.as_bytes());
    let event = Event::SettingsChanged {
        settings: settings.clone(),
        commit: manager.run.commit.clone(),
        gates,
        hints: hints.to_owned(),
        identity,
        max_age_hours,
        policies,
    };
    (settings, event)
}
