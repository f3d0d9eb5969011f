//! The requests of a customer that still need somebody: open ones, and those whose end the
//! customer has not been told yet. A sweep reads these alone, however many there have been.

use super::error::DeliveryError;
use super::manager::Manager;
use super::records::{RequestName, keys};
use crate::clock::Time;
use crate::estate::CustomerId;
use crate::store::Put;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Their names, and when the attempt began that each was last put on the list for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unfinished {
    /// By name.
    pub names: BTreeMap<RequestName, Time>,
}

/// Puts a request on its customer's list, for an attempt that is `opened`. This comes before the
/// request itself is written: a name too many costs one look, one too few would cost the customer
/// their answer.
pub async fn remember(
    manager: &Manager,
    name: &RequestName,
    opened: Time,
) -> Result<(), DeliveryError> {
    let key = keys::unfinished(&name.customer);
    let add = |list: &mut Unfinished| {
        let known = list.names.get(name).is_some_and(|at| *at >= opened);
        if !known {
            list.names.insert(name.clone(), opened);
        }
        !known
    };
    if manager.store.update(&key, add).await?.is_none() {
        let list = Unfinished {
            names: BTreeMap::from([(name.clone(), opened)]),
        };
        if manager.store.create_json(&key, &list).await? == Put::Conflict {
            manager.store.update(&key, add).await?;
        }
    }
    Ok(())
}

/// The list of a customer.
pub async fn list(
    manager: &Manager,
    customer: &CustomerId,
) -> Result<BTreeMap<RequestName, Time>, DeliveryError> {
    let list = manager
        .store
        .read::<Unfinished>(&keys::unfinished(customer))
        .await?;
    Ok(list.map(|(l, _)| l.names).unwrap_or_default())
}

/// Takes names off the list. One that was put on it again in the meantime stays.
pub async fn forget(
    manager: &Manager,
    customer: &CustomerId,
    done: &BTreeMap<RequestName, Time>,
) -> Result<(), DeliveryError> {
    if done.is_empty() {
        return Ok(());
    }
    manager
        .store
        .update::<Unfinished>(&keys::unfinished(customer), |list| {
            let before = list.names.len();
            list.names.retain(|name, at| done.get(name) != Some(at));
            list.names.len() != before
        })
        .await?;
    Ok(())
}
