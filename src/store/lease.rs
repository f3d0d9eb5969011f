//! One holder at a time: a lease is an object that is taken by a conditional put.
//!
//! A lease that ran out may be taken over; its holder is then read, never guessed, because a
//! killed apply leaves one behind.

use super::{Put, Store, StoreError};
use crate::clock::{Clock, Time};
use serde::{Deserialize, Serialize};

/// Who holds a lease.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// What the holder works on, such as a request and a workflow run.
    pub who: String,
    /// Since when.
    pub since: Time,
    /// Until when, unless it is given back before.
    pub until: Time,
    /// Whether it is held at all.
    pub held: bool,
    /// Makes two leases of the same holder differ.
    pub nonce: String,
}

/// Proof that the lease is held. Only [`take`] makes one.
#[derive(Debug)]
#[must_use = "a lease must be given back with `release`"]
pub struct Lease {
    key: String,
    holder: Holder,
}

/// The answer to taking a lease.
#[derive(Debug)]
pub enum Taken {
    /// It is ours. `after` tells of a holder whose time ran out.
    Yes {
        /// The proof.
        lease: Lease,
        /// Who let it run out.
        after: Option<Holder>,
    },
    /// Somebody else has it.
    No(Holder),
}

/// Takes the lease at `key` for `seconds`.
pub async fn take(
    store: &Store,
    key: &str,
    who: &str,
    seconds: u64,
    clock: &Clock,
) -> Result<Taken, StoreError> {
    let now = clock.now();
    let nonce = crate::store::seal::random_hex();
    let holder = Holder {
        who: who.to_owned(),
        since: now,
        until: now.plus(seconds),
        held: true,
        nonce,
    };
    for _ in 0..20 {
        let (put, after) = match store.read::<Holder>(key).await? {
            None => (store.create_json(key, &holder).await?, None),
            Some((other, _)) if other.held && other.until > now => return Ok(Taken::No(other)),
            Some((other, version)) => {
                let bytes = super::json(key, &holder)?;
                (
                    store.replace(key, bytes, &version).await?,
                    other.held.then_some(other),
                )
            }
        };
        if put == Put::Done {
            return Ok(Taken::Yes {
                lease: Lease {
                    key: key.to_owned(),
                    holder,
                },
                after,
            });
        }
    }
    Err(StoreError::Contended(key.to_owned()))
}

impl Lease {
    /// Who holds it.
    pub fn holder(&self) -> &Holder {
        &self.holder
    }
    /// The key it was taken at.
    pub fn key(&self) -> &str {
        &self.key
    }
    /// Gives it back, unless somebody took it over in the meantime.
    pub async fn release(self, store: &Store) -> Result<(), StoreError> {
        store
            .update::<Holder>(&self.key, |there| {
                let ours = there.nonce == self.holder.nonce && there.held;
                there.held = there.held && !ours;
                ours
            })
            .await
            .map(|_| ())
    }
    /// Whether it still is ours at `now`.
    pub async fn holds(&self, store: &Store, now: Time) -> Result<bool, StoreError> {
        let there = store.read::<Holder>(&self.key).await?;
        Ok(there.is_some_and(|(h, _)| h.held && h.nonce == self.holder.nonce && h.until > now))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_one_of_many_gets_it() -> Result<(), Box<dyn std::error::Error>> {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        let clock = Clock::from_fn(|| Time(1_000));
        let tries = futures_util::future::join_all((0..50).map(|i| {
            let store = store.clone();
            async move { take(&store, "leases/a.json", &format!("run {i}"), 60, &clock).await }
        }))
        .await;
        let mut winner = None;
        for tried in tries {
            if let Taken::Yes { lease, .. } = tried? {
                assert!(winner.replace(lease).is_none(), "two holders");
            }
        }
        let Some(lease) = winner else {
            panic!("nobody got it")
        };
        lease.release(&store).await?;
        assert!(matches!(
            take(&store, "leases/a.json", "next", 60, &clock).await?,
            Taken::Yes { after: None, .. }
        ));
        let late = Clock::from_fn(|| Time(2_000));
        let taken = take(&store, "leases/a.json", "late", 60, &late).await?;
        assert!(matches!(taken, Taken::Yes { after: Some(h), .. } if h.who == "next"));
        Ok(())
    }
}
