//! One customer's records as JSON Lines, with the proof that they are in the manager's log.
//!
//! The first line says what it is, then comes one line a record, as they are stored, and the last
//! line is the proof: the signed head that the log had with the last record's entry, and the way
//! to it through the tree. Neighbours in the tree are hashes that tell nothing.

use super::check::{Chain, Entered};
use super::entry::{Head, leaf};
use super::head::Kept;
use super::key::{PublicKey, Signature};
use super::record::{Malformed, Record, canonical, digest, field, object};
use super::tree;
use super::verify::{Damage, Kind, Verdict, kept_record};
use crate::clock::Time;
use crate::estate::CustomerId;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The largest export that is read, in bytes.
pub const LARGEST_EXPORT: u64 = 1 << 30;

/// Writes the export of a customer out of a log that was verified.
pub fn write(customer: &CustomerId, verdict: &Verdict, now: Time) -> Result<Vec<u8>, Malformed> {
    let records = verdict
        .chains
        .get(customer)
        .map(Vec::as_slice)
        .unwrap_or_default();
    let last = verdict.log.values().rfind(|e| e.customer == *customer);
    let Some(last) = last.filter(|_| !records.is_empty()) else {
        return Err(Malformed::new(format!(
            "there is no record of `{customer}` in the log"
        )));
    };
    let size = last.head.size;
    let leaves: Vec<_> = verdict.log.range(..=size).map(|(_, e)| e.leaf()).collect();
    if leaves.len() as u64 != size {
        return Err(Malformed::new(
            "entries of the log are missing; run `tenantry audit verify`",
        ));
    }
    let way: Vec<_> = usize::try_from(size - 1)
        .map(|index| tree::path(index, &leaves))
        .unwrap_or_default()
        .iter()
        .map(tree::digest)
        .collect();
    let mut out = canonical(&json!({
        "tenantry": "audit-export", "version": 1, "customer": customer,
        "records": records.len(), "exported": now,
    }));
    for record in records {
        out.extend(record.bytes());
    }
    let mut proof = Map::new();
    last.head.insert_into(&mut proof);
    proof.insert("path".into(), json!(way));
    proof.insert("seq".into(), json!(last.seq));
    proof.insert("record".into(), json!(last.record));
    out.extend(canonical(&json!({"proof": proof})));
    Ok(out)
}

/// What an export says, once it was judged.
#[derive(Debug)]
pub struct Judged {
    /// Whose records.
    pub customer: CustomerId,
    /// What is wrong.
    pub damage: Vec<Damage>,
    /// The records.
    pub records: Vec<Record>,
    /// The head that proves them.
    pub head: Head,
    /// Whether the last record was not in the log yet.
    pub pending: bool,
}

struct Proof {
    head: Head,
    seq: u64,
    record: crate::digest::Digest,
    path: Vec<tree::Hash>,
}

fn proof(line: &[u8]) -> Result<Proof, Malformed> {
    let wrong = |e: Malformed| Malformed::new(format!("the last line is no proof: {}", e.0));
    let outer = object(line).map_err(wrong)?;
    let Some(Value::Object(map)) = outer.get("proof") else {
        return Err(Malformed::new(
            "the last line is no proof; the file was cut off",
        ));
    };
    let path = field::<Vec<String>>(map, "path").map_err(wrong)?;
    let path = path
        .iter()
        .map(|p| tree::hash(p))
        .collect::<Option<Vec<_>>>();
    Ok(Proof {
        head: Head::read(map).map_err(wrong)?,
        seq: field(map, "seq").map_err(wrong)?,
        record: digest(map, "record").map_err(wrong)?,
        path: path.ok_or_else(|| {
            Malformed::new("`path` of the proof holds something else than digests")
        })?,
    })
}

/// Judges an export by itself: no store, no network. `Err` if it is no export at all.
pub fn check(bytes: &[u8], keys: &[PublicKey], heads: &[Kept]) -> Result<Judged, Malformed> {
    let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
    let (Some(last), true) = (lines.pop(), !lines.is_empty()) else {
        return Err(Malformed::new(
            "it is not an export of `tenantry audit export`",
        ));
    };
    let first = object(lines.remove(0)).map_err(|e| {
        Malformed::new(format!(
            "it is not an export of `tenantry audit export`: {}",
            e.0
        ))
    })?;
    if first.get("tenantry") != Some(&json!("audit-export")) {
        return Err(Malformed::new(
            "it is not an export of `tenantry audit export`",
        ));
    }
    if field::<u64>(&first, "version")? != 1 {
        return Err(Malformed::new(
            "it is an export of a version that this tenantry does not know",
        ));
    }
    let customer: CustomerId = field(&first, "customer")?;
    let count: u64 = field(&first, "records")?;
    let proof = proof(last)?;
    let objects: BTreeMap<u64, _> = (1..).zip(lines.iter().map(|l| Ok(l.to_vec()))).collect();
    let entered = BTreeMap::from([(
        proof.seq,
        Entered {
            hash: proof.record.clone(),
            signed: proof.head.signature.is_some(),
        },
    )]);
    let place = |number: u64| format!("line {}", number.saturating_add(1));
    let judged = Chain {
        customer: &customer,
        objects: &objects,
        entered: &entered,
        complete: false,
        signing: proof.head.signature.is_some(),
        torn: false,
        entries: proof.head.size,
        keys,
        key: &place,
    }
    .judge();
    let mut damage = judged.damage;
    let mut say = |kind, number: u64, message: String| {
        damage.push(Damage {
            kind,
            customer: Some(customer.clone()),
            sequence: Some(number),
            key: place(number),
            message,
        });
    };
    let there = objects.len() as u64;
    if there != count {
        say(
            Kind::Changed,
            there,
            format!("the first line says {count} records, there are {there}"),
        );
    }
    let index = proof.head.size.checked_sub(1);
    let root = index.and_then(|index| {
        let leaf = leaf(&customer, proof.seq, &proof.record);
        tree::climb(index, proof.head.size, leaf, &proof.path)
    });
    if root.map(|r| tree::digest(&r)).as_ref() != Some(&proof.head.root) {
        say(
            Kind::Forged,
            proof.seq,
            "the proof does not lead from it to the head of the log".into(),
        );
    }
    match proof.head.signature(keys) {
        Signature::Bad => say(
            Kind::Forged,
            proof.seq,
            "the head of the log is not signed by the manager".into(),
        ),
        Signature::None if !keys.is_empty() => {
            say(
                Kind::Unsigned,
                proof.seq,
                "the head of the log is not signed".into(),
            );
        }
        _ => {}
    }
    for kept in heads {
        if let Kept::Customer {
            customer: whose,
            seq,
            hash,
        } = kept
            && *whose == customer
        {
            damage.extend(kept_record(
                &customer,
                *seq,
                hash,
                &judged.records,
                &place(*seq),
            ));
        }
    }
    Ok(Judged {
        customer,
        damage,
        records: judged.records,
        head: proof.head,
        pending: judged.pending.is_some(),
    })
}
