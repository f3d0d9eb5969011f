//! Judges everything that is in the store: what was removed, changed, reordered, doubled, forged,
//! rolled back or forked, and where.

use super::check::{Chain, Entered};
use super::entry::{Entry, Head};
use super::head::{Kept, is_forged};
use super::key::{PublicKey, Signature};
use super::record::Record;
use super::snapshot::Snapshot;
use super::tree::Peaks;
use super::{entry_key, record_key};
use crate::estate::CustomerId;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// A kind of damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Something that was there is not.
    Removed,
    /// Its content is not what it was.
    Changed,
    /// It stands at another place.
    Reordered,
    /// It is there twice.
    Doubled,
    /// It belongs to another customer.
    Spliced,
    /// It was not made by the manager.
    Forged,
    /// It should be signed.
    Unsigned,
    /// The log is shorter than it was.
    RolledBack,
    /// There were two histories.
    Forked,
    /// It does not belong here.
    Foreign,
}

impl Kind {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Reordered => "reordered",
            Self::Doubled => "doubled",
            Self::Spliced => "spliced",
            Self::Forged => "forged",
            Self::Unsigned => "unsigned",
            Self::RolledBack => "rolled-back",
            Self::Forked => "forked",
            Self::Foreign => "foreign",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Damage {
    /// What kind.
    pub kind: Kind,
    /// Whose record; nobody's for an entry of the log.
    pub customer: Option<CustomerId>,
    /// The record's or the entry's number.
    pub sequence: Option<u64>,
    /// Where it stands.
    pub key: String,
    /// What is wrong with it.
    pub message: String,
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: ", self.kind.word())?;
        match (&self.customer, self.sequence) {
            (Some(customer), Some(n)) => write!(f, "record {n} of {customer}")?,
            (None, Some(n)) => write!(f, "entry {n} of the log")?,
            _ => f.write_str("the log")?,
        }
        write!(f, " (`{}`): {}", self.key, self.message)
    }
}

/// What is to be judged by.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// The manager's public keys; without any, signatures are not checked.
    pub keys: Vec<PublicKey>,
    /// Heads that somebody kept.
    pub heads: Vec<Kept>,
    /// Look at the records of one customer only.
    pub only: Option<CustomerId>,
}

impl Wanted {
    /// Everything, by these keys.
    pub fn new(keys: Vec<PublicKey>) -> Self {
        Self {
            keys,
            ..Self::default()
        }
    }
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Verdict {
    /// What is wrong; nothing if the log is as it was written.
    pub damage: Vec<Damage>,
    /// What a reader should know that is not wrong.
    pub notes: Vec<String>,
    /// Last records that are not in the log yet, as a crash or a writer at work leaves them.
    pub pending: Vec<(CustomerId, u64)>,
    /// How many customers.
    pub customers: usize,
    /// How many records.
    pub records: usize,
    /// How many entries.
    pub entries: u64,
    /// The newest head.
    pub head: Option<Head>,
    /// The records that could be read, by customer.
    pub chains: BTreeMap<CustomerId, Vec<Record>>,
    /// The entries that could be read.
    pub log: BTreeMap<u64, Entry>,
}

impl Verdict {
    fn entry(&mut self, kind: Kind, number: u64, message: impl Into<String>) {
        self.damage.push(Damage {
            kind,
            customer: None,
            sequence: Some(number),
            key: entry_key(number),
            message: message.into(),
        });
    }
}

/// Judges.
pub fn verify(snapshot: &Snapshot, wanted: &Wanted) -> Verdict {
    let mut out = Verdict::default();
    for key in &snapshot.foreign {
        out.damage.push(Damage {
            kind: Kind::Foreign,
            customer: None,
            sequence: None,
            key: crate::estate::ids::shown(key),
            message: "tenantry writes nothing there".into(),
        });
    }
    let foreign = out.damage.len();
    let signing = log(snapshot, &wanted.keys, &mut out);
    let torn = out.damage.len() > foreign;
    let entered = entered(&mut out);
    let customers: BTreeSet<&CustomerId> = snapshot
        .records
        .keys()
        .chain(entered.keys())
        .filter(|c| wanted.only.as_ref().is_none_or(|only| only == *c))
        .collect();
    let none = BTreeMap::new();
    let nothing = BTreeMap::new();
    for customer in customers {
        let judged = Chain {
            customer,
            objects: snapshot.records.get(customer).unwrap_or(&none),
            entered: entered.get(customer).unwrap_or(&nothing),
            complete: true,
            signing,
            torn,
            entries: out.entries,
            keys: &wanted.keys,
            key: &|number| record_key(customer, number),
        }
        .judge();
        out.damage.extend(judged.damage);
        out.pending
            .extend(judged.pending.map(|n| (customer.clone(), n)));
        out.customers += 1;
        out.records += judged.records.len();
        out.chains.insert(customer.clone(), judged.records);
    }
    for kept in &wanted.heads {
        kept_head(kept, wanted, &mut out);
    }
    notes(signing, wanted, &mut out);
    out
}

fn notes(signing: bool, wanted: &Wanted, out: &mut Verdict) {
    for (customer, number) in &out.pending {
        out.notes.push(format!(
            "record {number} of {customer} is not in the log yet: its writer was stopped, or is still at work"
        ));
    }
    if wanted.keys.is_empty() && signing {
        out.notes
            .push("signatures were not checked, because no public key is known".into());
    }
    if !signing && out.entries > 0 && wanted.keys.is_empty() {
        out.notes.push(
            "the log is not signed: whoever can write to the store can replace all of it unseen"
                .into(),
        );
    }
    let unsigned = out
        .log
        .values()
        .take_while(|e| e.head.signature.is_none())
        .count();
    if signing && unsigned > 0 {
        out.notes.push(format!(
            "the first {unsigned} entries are from before the log was signed"
        ));
    }
}

/// Judges the entries. Answers whether the log is signed by now.
fn log(snapshot: &Snapshot, keys: &[PublicKey], out: &mut Verdict) -> bool {
    // What the tree may be before the next entry; more than one after damage, nothing known if none.
    let mut state = vec![Peaks::default()];
    let mut signing = false;
    let mut after = 0;
    for (number, object) in &snapshot.entries {
        let number = *number;
        if number > after + 1 {
            let message = match number - after - 2 {
                0 => "it is missing".to_owned(),
                more => format!("it and the {more} after it are missing"),
            };
            out.entry(Kind::Removed, after + 1, message);
            state.clear();
        }
        after = number;
        let entry = match object
            .as_ref()
            .map_err(Clone::clone)
            .and_then(|b| Entry::parse(b))
        {
            Ok(entry) => entry,
            Err(e) => {
                out.entry(Kind::Changed, number, e.0);
                state.clear();
                continue;
            }
        };
        if entry.head.size != number {
            let twice = snapshot.entries.get(&entry.head.size) == Some(object);
            let message = format!("it is entry {} of the log", entry.head.size);
            match twice {
                true => out.entry(
                    Kind::Doubled,
                    number,
                    format!("{message}, which is there too"),
                ),
                false => out.entry(Kind::Reordered, number, message),
            }
            state.clear();
            continue;
        }
        state.iter_mut().for_each(|peaks| peaks.push(entry.leaf()));
        let signature = entry.head.signature(keys);
        let follows = state.is_empty() || state.contains(&entry.peaks);
        // After damage, both what should be there and what is there may be the one that the next
        // entry was made from, so that one wound is not reported as many.
        state.truncate(1);
        match follows {
            true => state = vec![entry.peaks.clone()],
            false => state.push(entry.peaks.clone()),
        }
        let wrong = if !follows {
            Some((
                Kind::Changed,
                "it is not what was signed: its tree does not follow from the entries before it",
            ))
        } else if !entry.is_whole() {
            Some((Kind::Changed, "its root is not the one of its tree"))
        } else if signature == Signature::Bad {
            Some((Kind::Forged, "its signature is not the manager's"))
        } else if signature == Signature::None && signing {
            Some((
                Kind::Unsigned,
                "it is not signed, although the entries before it are",
            ))
        } else {
            None
        };
        signing |= signature != Signature::None;
        if let Some((kind, message)) = wrong {
            out.entry(kind, number, message);
            if kind != Kind::Unsigned {
                continue;
            }
        }
        out.head = Some(entry.head.clone());
        out.log.insert(number, entry);
    }
    out.entries = after;
    if !out.log.is_empty() && !signing && !keys.is_empty() {
        out.entry(
            Kind::Unsigned,
            after,
            "no entry is signed, although there is a key",
        );
    }
    signing
}

/// What the log says of each customer's records.
fn entered(out: &mut Verdict) -> BTreeMap<CustomerId, BTreeMap<u64, Entered>> {
    let mut all: BTreeMap<CustomerId, BTreeMap<u64, Entered>> = BTreeMap::new();
    let mut damage = Vec::new();
    for (number, entry) in &out.log {
        let chain = all.entry(entry.customer.clone()).or_default();
        let new = Entered {
            hash: entry.record.clone(),
            signed: entry.head.signature.is_some(),
        };
        let record = format!("record {} of {}", entry.seq, entry.customer);
        match chain.get(&entry.seq) {
            Some(old) if old.hash == new.hash => {
                damage.push((
                    Kind::Doubled,
                    *number,
                    format!("{record} was entered before"),
                ));
            }
            Some(_) => {
                damage.push((
                    Kind::Forked,
                    *number,
                    format!("another {record} was entered before"),
                ));
            }
            None => {
                if chain
                    .last_key_value()
                    .is_some_and(|(last, _)| *last > entry.seq)
                {
                    damage.push((
                        Kind::Reordered,
                        *number,
                        format!("{record} comes after a later one"),
                    ));
                }
                chain.insert(entry.seq, new);
            }
        }
    }
    for (kind, number, message) in damage {
        out.entry(kind, number, message);
    }
    all
}

/// Whether the log of today contains what somebody kept.
fn kept_head(kept: &Kept, wanted: &Wanted, out: &mut Verdict) {
    match kept {
        Kept::Log(head) => {
            let there = out.log.get(&head.size).map(|e| e.head.root.clone());
            if is_forged(head, &wanted.keys) {
                out.entry(
                    Kind::Forged,
                    head.size,
                    "the head that was kept is not signed by the manager",
                );
            } else if head.size > out.entries {
                let message = format!(
                    "the log had {} entries, and has {} now",
                    head.size, out.entries
                );
                out.entry(Kind::RolledBack, head.size, message);
            } else if there.is_some_and(|root| root != head.root) {
                out.entry(
                    Kind::Forked,
                    head.size,
                    "it is not the entry whose head was kept: the log was written anew",
                );
            }
        }
        Kept::Customer {
            customer,
            seq,
            hash,
        } => {
            if wanted.only.as_ref().is_some_and(|only| only != customer) {
                return;
            }
            let chain = out
                .chains
                .get(customer)
                .map(Vec::as_slice)
                .unwrap_or_default();
            if let Some(damage) =
                kept_record(customer, *seq, hash, chain, &record_key(customer, *seq))
            {
                out.damage.push(damage);
            }
        }
    }
}

/// Whether a chain contains a record that somebody kept the hash of.
pub(super) fn kept_record(
    customer: &CustomerId,
    seq: u64,
    hash: &crate::digest::Digest,
    chain: &[Record],
    key: &str,
) -> Option<Damage> {
    let last = chain.last().map_or(0, |r| r.seq);
    let (kind, message) = match chain.iter().find(|r| r.seq == seq) {
        Some(record) if record.hash == *hash => return None,
        Some(_) => (
            Kind::Forked,
            "it is not the record whose hash was kept: the chain was written anew".to_owned(),
        ),
        None if seq > last => (
            Kind::RolledBack,
            format!("the chain had {seq} records, and has {last} now"),
        ),
        None => (
            Kind::Removed,
            "it was kept, and cannot be read any more".to_owned(),
        ),
    };
    Some(Damage {
        kind,
        customer: Some(customer.clone()),
        sequence: Some(seq),
        key: key.to_owned(),
        message,
    })
}
