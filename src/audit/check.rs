//! Judges one customer's chain: the same rules for what is in the store and for an export.

use super::key::{PublicKey, Signature};
use super::record::Record;
use super::snapshot::Object;
use super::verify::{Damage, Kind};
use crate::digest::Digest;
use crate::estate::CustomerId;
use std::collections::BTreeMap;

/// What is known of a record from elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entered {
    /// The hash that the log has.
    pub hash: Digest,
    /// Whether the log's entry is signed, so that the record must be too.
    pub signed: bool,
}

/// A chain and what is known about it.
pub struct Chain<'a> {
    /// Whose.
    pub customer: &'a CustomerId,
    /// The objects by number.
    pub objects: &'a BTreeMap<u64, Object>,
    /// The numbers that the log has.
    pub entered: &'a BTreeMap<u64, Entered>,
    /// Whether the log has all of them (a store) or only names one (an export).
    pub complete: bool,
    /// Whether the log is signed by now.
    pub signing: bool,
    /// Whether entries of the log are missing or damaged, so that it may have had what it lacks.
    pub torn: bool,
    /// How many entries the log has.
    pub entries: u64,
    /// The keys.
    pub keys: &'a [PublicKey],
    /// Where a number stands.
    pub key: &'a dyn Fn(u64) -> String,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Judged {
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// The records that could be read, in order.
    pub records: Vec<Record>,
    /// The number of a last record that is not in the log yet.
    pub pending: Option<u64>,
}

impl Chain<'_> {
    fn say(&self, out: &mut Judged, kind: Kind, number: u64, message: impl Into<String>) {
        out.damage.push(Damage {
            kind,
            customer: Some(self.customer.clone()),
            sequence: Some(number),
            key: (self.key)(number),
            message: message.into(),
        });
    }

    /// Judges every record.
    pub fn judge(&self) -> Judged {
        let mut out = Judged::default();
        let mut readable: BTreeMap<u64, Record> = BTreeMap::new();
        for (number, object) in self.objects {
            match object
                .as_ref()
                .map_err(Clone::clone)
                .and_then(|b| Record::parse(b))
            {
                Ok(record) => {
                    readable.insert(*number, record);
                }
                Err(e) => self.say(&mut out, Kind::Changed, *number, e.0),
            }
        }
        self.missing(&mut out);
        let mut signed = false;
        for (number, record) in &readable {
            let verdict = self.one(*number, record, &readable, signed);
            signed |= record.signature(self.keys) != Signature::None;
            match verdict {
                Err((kind, message)) => self.say(&mut out, kind, *number, message),
                Ok(true) => out.pending = Some(*number),
                Ok(false) => {}
            }
        }
        out.damage.sort_by_key(|d| d.sequence);
        out.records = readable.into_values().collect();
        out
    }

    /// Numbers that should be there and are not. Gaps of any width are one finding.
    fn missing(&self, out: &mut Judged) {
        let mut after = 0;
        for number in self.objects.keys() {
            if *number > after + 1 {
                self.gap(out, after + 1, number - 1);
            }
            after = *number;
        }
        if let Some((last, _)) = self.entered.last_key_value()
            && *last > after
        {
            self.gap(out, after + 1, *last);
        }
    }

    fn gap(&self, out: &mut Judged, from: u64, to: u64) {
        let message = match to - from {
            0 => "it is missing".to_owned(),
            more => format!("it and the {more} after it are missing"),
        };
        self.say(out, Kind::Removed, from, message);
    }

    /// One record. `Ok(true)`: it is fine, and waits for its entry.
    fn one(
        &self,
        number: u64,
        record: &Record,
        all: &BTreeMap<u64, Record>,
        signed_before: bool,
    ) -> Result<bool, (Kind, String)> {
        if record.customer != *self.customer {
            return Err((Kind::Spliced, "it is another customer's record".into()));
        }
        if record.seq != number {
            let twice = all.get(&record.seq).is_some_and(|r| r.hash == record.hash);
            let message = format!("it is record {} of this chain", record.seq);
            return Err(match twice {
                true => (Kind::Doubled, format!("{message}, which is there too")),
                false => (Kind::Reordered, message),
            });
        }
        if !record.is_whole() {
            return Err((
                Kind::Changed,
                "its hash is not the one of its content".into(),
            ));
        }
        let signature = record.signature(self.keys);
        if signature == Signature::Bad {
            return Err((Kind::Forged, "its signature is not the manager's".into()));
        }
        let entered = self.entered.get(&number);
        if let Some(entered) = entered
            && entered.hash != record.hash
        {
            // Signed by us, and yet not the one that the log has: there were two.
            return Err(match signature {
                Signature::Good => (
                    Kind::Forked,
                    "it is signed, but the log has another record with this number".into(),
                ),
                _ => (
                    Kind::Changed,
                    "it is not the record that the log has".into(),
                ),
            });
        }
        let next = all
            .get(&(number + 1))
            .filter(|n| n.seq == number + 1 && n.is_whole());
        if entered.is_none() && next.is_some_and(|n| n.prev.as_ref() != Some(&record.hash)) {
            return Err((
                Kind::Changed,
                format!("record {} follows another one", number + 1),
            ));
        }
        self.follows(number, record, all)?;
        let must = match entered {
            Some(entered) => entered.signed,
            None => self.signing,
        };
        if signature == Signature::None && (must || signed_before) {
            return Err((
                Kind::Unsigned,
                "it is not signed, although the log is by then".into(),
            ));
        }
        if entered.is_some() {
            return Ok(false);
        }
        self.not_entered(number, record)
    }

    /// Whether it names the record before it. Where that one is not known to be right, it is
    /// judged by its own place in this list.
    fn follows(
        &self,
        number: u64,
        record: &Record,
        all: &BTreeMap<u64, Record>,
    ) -> Result<(), (Kind, String)> {
        let wrong = match number {
            1 => record.prev.is_some(),
            _ => match self.entered.get(&(number - 1)) {
                Some(before) => record.prev.as_ref() != Some(&before.hash),
                None => record.prev.is_none() && !all.contains_key(&(number - 1)),
            },
        };
        if !wrong {
            return Ok(());
        }
        let kind = match self.entered.contains_key(&number) {
            true => Kind::Forked,
            false => Kind::Changed,
        };
        Err((kind, "it does not follow the record before it".into()))
    }

    /// A record that the log does not have: fine if it is the one that a crash can leave.
    fn not_entered(&self, number: u64, record: &Record) -> Result<bool, (Kind, String)> {
        let last = self.objects.keys().next_back() == Some(&number);
        let after = self.entered.last_key_value().map_or(0, |(n, _)| *n);
        if !self.complete && number < after {
            return Ok(false);
        }
        if record.log > self.entries && self.complete {
            return Err((
                Kind::RolledBack,
                format!(
                    "the log had {} entries when it was written, and has {} now",
                    record.log, self.entries
                ),
            ));
        }
        if self.torn {
            return Ok(false);
        }
        if last && number == after + 1 {
            return Ok(true);
        }
        Err((Kind::Forged, "the log does not have it".into()))
    }
}
