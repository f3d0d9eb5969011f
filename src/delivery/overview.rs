//! Where customers stand, for whoever looks at the registry: read from the store, never written.

use super::error::DeliveryError;
use super::records::{LastApplied, Request, RequestName, keys};
use super::unfinished::Unfinished;
use crate::estate::{CustomerId, StackId};
use crate::store::Store;
use serde::de::DeserializeOwned;
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
    let wanted = stacks.map(|stack| {
        let key = keys::applied(&stack);
        (stack, key)
    });
    let found = read_all(store, wanted.collect()).await?;
    Ok(found.into_iter().collect())
}

/// Reads objects under a name each, some at once; those that there are.
async fn read_all<K, T>(
    store: &Store,
    mut waiting: Vec<(K, String)>,
) -> Result<Vec<(K, T)>, DeliveryError>
where
    K: Send + 'static,
    T: DeserializeOwned + Send + 'static,
{
    let mut reading = JoinSet::new();
    let mut out = Vec::new();
    loop {
        while reading.len() < AT_ONCE
            && let Some((name, key)) = waiting.pop()
        {
            let store = store.clone();
            reading.spawn(async move { (name, store.read::<T>(&key).await) });
        }
        let Some(read) = reading.join_next().await else {
            return Ok(out);
        };
        let (name, found) =
            read.map_err(|e| DeliveryError::Setting(format!("a read was cut short: {e}")))?;
        out.extend(found?.map(|(value, _)| (name, value)));
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
    let wanted = names.iter().map(|name| ((), keys::request(name)));
    let found = read_all(store, wanted.collect()).await?;
    Ok(found.into_iter().map(|(_, request)| request).collect())
}
