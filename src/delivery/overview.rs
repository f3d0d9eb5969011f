//! Where customers stand, for whoever looks at the registry: read from the store, never written.

use super::error::DeliveryError;
use super::records::{LastApplied, Request, RequestName, keys};
use super::unfinished::Unfinished;
use crate::estate::{CustomerId, StackId};
use crate::store::Store;
use std::collections::BTreeMap;
use tokio::task::JoinSet;

/// Reads at once.
const AT_ONCE: usize = 16;

/// What was last applied to each stack of `customer`, or of everybody. Stacks that the estate no
/// longer has are among them.
pub async fn applied(
    store: &Store,
    customer: Option<&CustomerId>,
) -> Result<BTreeMap<StackId, LastApplied>, DeliveryError> {
    let folder = keys::applied_folder(customer);
    let names = store.list(&folder).await?;
    let stacks = names.iter().filter_map(|key| keys::stack_of_applied(key));
    let mut waiting: Vec<StackId> = stacks.collect();
    let mut reading = JoinSet::new();
    let mut out = BTreeMap::new();
    loop {
        while reading.len() < AT_ONCE
            && let Some(stack) = waiting.pop()
        {
            let store = store.clone();
            reading.spawn(async move {
                let last = store.read::<LastApplied>(&keys::applied(&stack)).await;
                (stack, last)
            });
        }
        let Some(read) = reading.join_next().await else {
            return Ok(out);
        };
        let (stack, last) =
            read.map_err(|e| DeliveryError::Setting(format!("a read was cut short: {e}")))?;
        if let Some((last, _)) = last? {
            out.insert(stack, last);
        }
    }
}

/// The requests of a customer that are not finished.
pub async fn open_requests(
    store: &Store,
    customer: &CustomerId,
) -> Result<Vec<Request>, DeliveryError> {
    let list = store
        .read::<Unfinished>(&keys::unfinished(customer))
        .await?;
    let names: Vec<RequestName> = list
        .map(|(l, _)| l.names.into_keys().collect())
        .unwrap_or_default();
    let mut out = Vec::new();
    for name in names {
        if let Some((request, _)) = store.read::<Request>(&keys::request(&name)).await?
            && request.outcome.is_none()
        {
            out.push(request);
        }
    }
    Ok(out)
}

/// What became of the requests of these names, those that there are.
pub async fn requests(
    store: &Store,
    names: Vec<RequestName>,
) -> Result<Vec<Request>, DeliveryError> {
    let mut waiting = names;
    let mut reading = JoinSet::new();
    let mut out = Vec::new();
    loop {
        while reading.len() < AT_ONCE
            && let Some(name) = waiting.pop()
        {
            let store = store.clone();
            reading.spawn(async move { store.read::<Request>(&keys::request(&name)).await });
        }
        let Some(read) = reading.join_next().await else {
            return Ok(out);
        };
        let found =
            read.map_err(|e| DeliveryError::Setting(format!("a read was cut short: {e}")))?;
        out.extend(found?.map(|(request, _)| request));
    }
}
