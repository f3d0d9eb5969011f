//! The log, read out of the store.

use super::entry::Entry;
use super::record::Malformed;
use super::snapshot::{Kind, Snapshot, kind};
use super::{LARGEST, PREFIX, record_key};
use crate::estate::CustomerId;
use crate::store::{Store, StoreError};

impl Snapshot {
    /// Reads the log, and the records of every customer or of `only` one.
    pub async fn read(store: &Store, only: Option<&CustomerId>) -> Result<Self, StoreError> {
        let wanted = |customer: &CustomerId| only.is_none_or(|only| only == customer);
        // Others may be writing meanwhile. Records are listed first, so that the entry of each
        // is there when entries are; what an entry names and was not listed is looked for below.
        let records = store.list(&format!("{PREFIX}/records")).await?;
        let records = records
            .into_iter()
            .filter(|k| matches!(kind(k), Some(Kind::Record(c, _)) if wanted(&c)))
            .collect();
        let mut entries = Vec::new();
        let mut out = Self::default();
        for key in store.list(PREFIX).await? {
            match kind(&key) {
                None => out.foreign.push(key),
                Some(Kind::Entry(_)) => entries.push(key),
                Some(Kind::Record(..)) => {}
            }
        }
        out.fetch(store, records).await?;
        out.fetch(store, entries).await?;
        let late = out
            .entries
            .values()
            .flatten()
            .filter_map(|bytes| Entry::parse(bytes).ok())
            .filter(|e| wanted(&e.customer))
            .filter(|e| {
                let chain = out.records.get(&e.customer);
                !chain.is_some_and(|chain| chain.contains_key(&e.seq))
            })
            .map(|e| record_key(&e.customer, e.seq))
            .collect();
        out.fetch(store, late).await?;
        Ok(out)
    }

    /// Reads objects, some at a time.
    async fn fetch(&mut self, store: &Store, keys: Vec<String>) -> Result<(), StoreError> {
        for some in keys.chunks(32) {
            let objects = futures_util::future::join_all(
                some.iter().map(|key| store.get_small(key, LARGEST)),
            )
            .await;
            for (key, object) in some.iter().zip(objects) {
                match object {
                    Ok(Some(bytes)) => self.insert(key, Ok(bytes)),
                    // Removed since it was listed: then it is missing.
                    Ok(None) => {}
                    Err(e @ StoreError::TooLarge { .. }) => {
                        self.insert(key, Err(Malformed::new(e.to_string())));
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        Ok(())
    }
}
