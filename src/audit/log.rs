//! Writes records and enters them into the log. Everything is create-if-absent, so that runs of
//! one manager can write at the same time, and a killed one leaves nothing half-written.

use super::entry::{Entry, Head};
use super::event::Draft;
use super::key::{KeyError, SigningKey};
use super::record::{Place, Record};
use super::{LARGEST, entry_key, record_key};
use crate::clock::Clock;
use crate::digest::Digest;
use crate::estate::CustomerId;
use crate::store::{Put, Store, StoreError};
use std::time::Duration;

/// How often a place is tried that others take first. Each try that fails is somebody else's
/// success, so this many writers can be at it at once.
const TRIES: u32 = 600;

/// Why nothing could be recorded.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The store.
    #[error("the audit record could not be written")]
    Store(#[from] StoreError),
    /// Signing.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The settings demand a signature.
    #[error(
        "`audit.required` is set in tenantry.yml, but this job has no TENANTRY_AUDIT_KEY; nothing was done"
    )]
    Required,
    /// What is there is no log of ours any more.
    #[error("the audit log is damaged at `{key}`: {reason}; run `tenantry audit verify`")]
    Damaged {
        /// Where.
        key: String,
        /// What is wrong.
        reason: String,
    },
}

/// The log, for whoever writes.
#[derive(Debug, Clone)]
pub struct Log {
    store: Store,
    clock: Clock,
    key: Option<SigningKey>,
    required: bool,
}

impl Log {
    /// A log in `store`. Without a `key` records are not signed, which `required` forbids.
    pub fn new(store: Store, clock: Clock, key: Option<SigningKey>, required: bool) -> Self {
        Self {
            store,
            clock,
            key,
            required,
        }
    }

    /// Whether records are signed.
    pub fn signs(&self) -> bool {
        self.key.is_some()
    }

    /// Fails where the settings demand a signature and there is no key for it.
    pub fn ready(&self) -> Result<(), AuditError> {
        match (&self.key, self.required) {
            (None, true) => Err(AuditError::Required),
            _ => Ok(()),
        }
    }

    /// Writes a record of `customer` and enters it into the log. When this returns, both are there.
    pub async fn append(&self, customer: &CustomerId, draft: &Draft) -> Result<Record, AuditError> {
        self.ready()?;
        for attempt in 0..TRIES {
            let (before, entered) = self.last(customer).await?;
            let place = Place {
                customer,
                seq: before.as_ref().map_or(1, |r| r.seq + 1),
                prev: before.map(|r| r.hash),
                log: self.end(&entry_key, entered).await?,
                at: self.clock.now(),
            };
            let record = Record::new(&place, draft, self.key.as_ref())?;
            let key = record_key(customer, record.seq);
            if self.create(&key, record.bytes()).await? {
                self.enter(&record, record.log).await?;
                return Ok(record);
            }
            patience(attempt, &(draft.actor.run, &draft.stack)).await;
        }
        Err(StoreError::Contended(record_key(customer, 0)).into())
    }

    /// The newest record of a customer, for whoever wants to keep its hash.
    pub async fn newest(&self, customer: &CustomerId) -> Result<Option<Record>, AuditError> {
        match self.end(&|n| record_key(customer, n), 0).await? {
            0 => Ok(None),
            n => self.record(customer, n).await.map(Some),
        }
    }

    /// The newest head of the log.
    pub async fn head(&self) -> Result<Option<Head>, AuditError> {
        match self.end(&entry_key, 0).await? {
            0 => Ok(None),
            n => Ok(self.entry(n).await?.map(|e| e.head)),
        }
    }

    /// The last record of a customer, and the number of an entry that is not after its own.
    async fn last(&self, customer: &CustomerId) -> Result<(Option<Record>, u64), AuditError> {
        let Some(record) = self.newest(customer).await? else {
            return Ok((None, 0));
        };
        // Its writer may have been killed, or be about to enter it: whoever is first does it.
        let entered = self.enter(&record, record.log).await?;
        Ok((Some(record), entered))
    }

    /// Enters a record into the log, unless it is there already; `from` entries are known to
    /// come before. Answers the number of its entry.
    ///
    /// A place is only taken by whoever has read every entry since `from`, so a record is never
    /// entered twice.
    async fn enter(&self, record: &Record, from: u64) -> Result<u64, AuditError> {
        let mut number = from;
        let mut before = match from {
            0 => None,
            n => Some(
                self.entry(n)
                    .await?
                    .ok_or_else(|| damaged(&entry_key(n), "it is missing"))?,
            ),
        };
        let mut attempt = 0;
        loop {
            if let Some(entry) = self.entry(number + 1).await? {
                if entry.customer == record.customer && entry.seq == record.seq {
                    return if entry.record == record.hash {
                        Ok(number + 1)
                    } else {
                        Err(damaged(&entry_key(number + 1), "it names another record"))
                    };
                }
                number += 1;
                before = Some(entry);
                continue;
            }
            let entry = Entry::after(before.as_ref(), record, self.key.as_ref())?;
            if self.create(&entry_key(number + 1), entry.bytes()).await? {
                return Ok(number + 1);
            }
            attempt += 1;
            if attempt > TRIES {
                return Err(StoreError::Contended(entry_key(number + 1)).into());
            }
            patience(attempt, &(record.actor().map(|a| a.run), record.stack())).await;
        }
    }

    /// Creates an object. A conflict with the very same bytes is our own first try, whose answer
    /// was lost on the way.
    async fn create(&self, key: &str, bytes: Vec<u8>) -> Result<bool, AuditError> {
        if self.store.create(key, bytes.clone()).await? == Put::Done {
            return Ok(true);
        }
        Ok(self.store.get_small(key, LARGEST).await?.as_ref() == Some(&bytes))
    }

    /// The number of the last object of a row without gaps, of which the one numbered `from` is
    /// known to be there: in steps that double, then by halves.
    async fn end(
        &self,
        key: &(impl Fn(u64) -> String + Sync),
        from: u64,
    ) -> Result<u64, AuditError> {
        let (mut there, mut step) = (from, 1);
        let mut absent = loop {
            match self.store.get_small(&key(there + step), LARGEST).await? {
                Some(_) => {
                    there += step;
                    step *= 2;
                }
                None => break there + step,
            }
        };
        while absent - there > 1 {
            let middle = there + (absent - there) / 2;
            match self.store.get_small(&key(middle), LARGEST).await? {
                Some(_) => there = middle,
                None => absent = middle,
            }
        }
        Ok(there)
    }

    async fn record(&self, customer: &CustomerId, number: u64) -> Result<Record, AuditError> {
        let key = record_key(customer, number);
        let bytes = self.store.get_small(&key, LARGEST).await?;
        let record = Record::parse(&bytes.ok_or_else(|| damaged(&key, "it is missing"))?)
            .map_err(|e| damaged(&key, &e.0))?;
        if record.customer != *customer || record.seq != number {
            return Err(damaged(&key, "it is the record of another place"));
        }
        Ok(record)
    }

    async fn entry(&self, number: u64) -> Result<Option<Entry>, AuditError> {
        let key = entry_key(number);
        let Some(bytes) = self.store.get_small(&key, LARGEST).await? else {
            return Ok(None);
        };
        let entry = Entry::parse(&bytes).map_err(|e| damaged(&key, &e.0))?;
        if entry.head.size != number {
            return Err(damaged(&key, "it is the entry of another place"));
        }
        Ok(Some(entry))
    }
}

fn damaged(key: &str, reason: &str) -> AuditError {
    AuditError::Damaged {
        key: key.to_owned(),
        reason: reason.to_owned(),
    }
}

/// Waits a little, longer the more often somebody else was first, and never as long as they do.
/// Who else is at it has another name, so `who` takes the place of chance: the same thing happens
/// again in the same way.
async fn patience(attempt: u32, who: &impl std::fmt::Debug) {
    let name = format!("{who:?} {attempt}");
    let share = Digest::of(name.as_bytes()).hex().bytes().last();
    let share = u64::from(share.unwrap_or(b'8')) % 16;
    let longest = 20 * u64::from(attempt.min(10) + 1);
    tokio::time::sleep(Duration::from_millis(longest * share / 15)).await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::damage_tests::{customer, draft, snapshot_of};
    use crate::audit::verify::{Wanted, verify};
    use crate::clock::Time;

    type Tested = Result<(), Box<dyn std::error::Error>>;

    #[tokio::test(flavor = "multi_thread")]
    async fn t23_many_writers_leave_one_chain_each_and_one_log() -> Tested {
        let dir = tempfile::tempdir()?;
        let url = format!("file://{}", dir.path().display());
        let key = SigningKey::generate()?;
        let writers = (0..24_u64).map(|i| {
            let (url, key) = (url.clone(), key.clone());
            tokio::spawn(async move {
                let store = Store::open(&url, &[]).map_err(|e| e.to_string())?;
                let log = Log::new(store, Clock::from_fn(|| Time(1_000)), Some(key), true);
                let who = customer(["acme", "globex", "initech"][i as usize % 3]);
                for n in 0..4 {
                    let put = log.append(&who, &draft(i * 10 + n)).await;
                    put.map_err(|e| e.to_string())?;
                }
                Ok::<(), String>(())
            })
        });
        for done in futures_util::future::join_all(writers).await {
            done??;
        }
        let snapshot = snapshot_of(dir.path()).await?;
        let verdict = verify(&snapshot, &Wanted::new(vec![key.public()]));
        assert_eq!(verdict.damage, []);
        assert_eq!(
            (verdict.records, verdict.entries, verdict.customers),
            (96, 96, 3)
        );
        assert!(verdict.notes.is_empty(), "{:?}", verdict.notes);
        Ok(())
    }

    #[tokio::test]
    async fn a_record_that_was_not_entered_is_entered_by_the_next_writer() -> Tested {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        let key = SigningKey::generate()?;
        let log = Log::new(store, Clock::from_fn(|| Time(1)), Some(key.clone()), false);
        let (acme, globex) = (customer("acme"), customer("globex"));
        log.append(&acme, &draft(1)).await?;
        log.append(&acme, &draft(2)).await?;
        // Killed between the record and its entry.
        std::fs::remove_file(dir.path().join(entry_key(2)))?;
        let wanted = Wanted::new(vec![key.public()]);
        let verdict = verify(&snapshot_of(dir.path()).await?, &wanted);
        assert_eq!(verdict.damage, []);
        assert_eq!(verdict.pending.len(), 1);
        // Others go on meanwhile.
        log.append(&globex, &draft(3)).await?;
        log.append(&acme, &draft(4)).await?;
        let verdict = verify(&snapshot_of(dir.path()).await?, &wanted);
        assert_eq!((verdict.damage, verdict.pending), (vec![], vec![]));
        assert_eq!((verdict.records, verdict.entries), (4, 4));
        Ok(())
    }

    #[tokio::test]
    async fn without_the_key_that_is_demanded_nothing_is_written() -> Tested {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        let log = Log::new(store.clone(), Clock::from_fn(|| Time(1)), None, true);
        let refused = log.append(&customer("acme"), &draft(1)).await;
        assert!(matches!(refused, Err(AuditError::Required)));
        assert!(store.list("audit").await?.is_empty());
        Ok(())
    }

    #[tokio::test]
    async fn a_writer_does_not_go_on_from_what_it_cannot_read() -> Tested {
        let dir = tempfile::tempdir()?;
        let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
        let log = Log::new(store, Clock::from_fn(|| Time(1)), None, false);
        log.append(&customer("acme"), &draft(1)).await?;
        let path = dir.path().join(record_key(&customer("acme"), 1));
        for bytes in [b"{}".to_vec(), Vec::new(), vec![b'['; 100_000]] {
            std::fs::write(&path, bytes)?;
            assert!(log.append(&customer("acme"), &draft(2)).await.is_err());
        }
        Ok(())
    }
}
