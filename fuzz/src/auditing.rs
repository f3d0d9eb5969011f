//! The readers of the audit log: canonical bytes alone, and no changed byte unseen.

use super::BETWEEN;
use serde_json::{Map, Value, json};
use tenantry::audit::entry::Entry;
use tenantry::audit::event::{Actor, Draft, Event};
use tenantry::audit::export::{self, Judged};
use tenantry::audit::head::{self, Kept};
use tenantry::audit::key::{PublicKey, SigningKey};
use tenantry::audit::record::{Malformed, Place, Record, canonical};
use tenantry::audit::snapshot::Snapshot;
use tenantry::audit::verify::{Wanted, verify};
use tenantry::audit::{LARGEST, entry_key, record_key, tree};
use tenantry::clock::Time;
use tenantry::digest::Digest;
use tenantry::estate::CustomerId;

/// A secret half that everybody knows.
const SEED: &str = "TENANTRY-AUDIT-KEY-1-AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn said(message: &str) {
    assert!(!message.is_empty() && message.len() <= 2_000, "{message}");
    assert!(!message.contains(['\n', '\r', '\u{1b}']), "{message:?}");
}

fn refused<T>(read: Result<T, Malformed>) -> Option<T> {
    read.map_err(|e| said(&e.0)).ok()
}

fn acme() -> CustomerId {
    let Ok(customer) = CustomerId::new("acme") else {
        panic!("the customer");
    };
    customer
}

/// Bytes as each reader takes them.
fn single(data: &[u8], keys: &[PublicKey]) {
    if let Some(record) = refused(Record::parse(data)) {
        assert_eq!(record.bytes(), data);
        assert!(data.len() as u64 <= LARGEST);
        let _ = (record.is_whole(), record.signature(keys), record.event());
        let _ = (
            record.kind(),
            record.actor(),
            record.request(),
            record.stack(),
        );
    }
    if let Some(entry) = refused(Entry::parse(data)) {
        assert_eq!(entry.bytes(), data);
        let _ = (entry.is_whole(), entry.leaf(), entry.head.signature(keys));
    }
    if let Ok(text) = std::str::from_utf8(data)
        && let Some(heads) = refused(head::read(text))
    {
        // Written one a line and read again, they are the same heads.
        let lines: Vec<String> = heads.iter().map(ToString::to_string).collect();
        let again = refused(head::read(&lines.join("\n")));
        let names =
            |heads: &[Kept]| -> Vec<String> { heads.iter().map(ToString::to_string).collect() };
        assert_eq!(again.as_deref().map(names), Some(names(&heads)));
    }
}

fn judged(read: Result<Judged, Malformed>) -> Option<Judged> {
    let judged = refused(read)?;
    for damage in &judged.damage {
        said(&damage.message);
        said(&damage.key);
    }
    Some(judged)
}

/// The objects of a store, one a part: a log that anybody could have written.
fn store(parts: &[&[u8]], keys: &[PublicKey]) {
    let mut snapshot = Snapshot::default();
    let customer = acme();
    let (mut records, mut entries) = (0, 0);
    for part in parts {
        // Each is put where its kind goes next, whatever it says.
        let key = if part.windows(7).any(|w| w == b"\"peaks\"") {
            entries += 1;
            entry_key(entries)
        } else {
            records += 1;
            record_key(&customer, records)
        };
        snapshot.insert(&key, Ok(part.to_vec()));
    }
    let verdict = verify(&snapshot, &Wanted::new(keys.to_vec()));
    for damage in &verdict.damage {
        said(&damage.message);
    }
}

/// Records that are fine, with the events of `parts` where they are some.
fn made(parts: &[&[u8]], key: &SigningKey) -> Option<Vec<Record>> {
    let customer = acme();
    let mut out: Vec<Record> = Vec::new();
    for (n, part) in parts.iter().take(8).enumerate() {
        let value: Value = serde_json::from_slice(part).unwrap_or_default();
        let event: Event = value
            .get("event")
            .and_then(|e| serde_json::from_value(e.clone()).ok())
            .unwrap_or(Event::DriftCleared);
        let draft = Draft {
            actor: Actor {
                sender: None,
                run: n as u64,
                attempt: 1,
                url: String::from_utf8_lossy(part).chars().take(100).collect(),
            },
            request: value
                .get("request")
                .and_then(Value::as_str)
                .map(str::to_owned),
            stack: None,
            event,
        };
        let place = Place {
            customer: &customer,
            seq: n as u64 + 1,
            prev: out.last().map(|r| r.hash.clone()),
            log: n as u64,
            at: Time(n as u64),
        };
        let record = Record::new(&place, &draft, Some(key)).ok()?;
        assert_eq!(Record::parse(&record.bytes()).as_ref(), Ok(&record));
        assert!(record.is_whole());
        assert_eq!(record.event(), Some(draft.event));
        out.push(record);
    }
    Some(out)
}

/// The export of such records, as `tenantry audit export` writes it.
fn exported(records: &[Record], key: &SigningKey) -> Option<Vec<u8>> {
    let mut entries: Vec<Entry> = Vec::new();
    for record in records {
        let entry = Entry::after(entries.last(), record, Some(key)).ok()?;
        assert_eq!(Entry::parse(&entry.bytes()).as_ref(), Ok(&entry));
        assert!(entry.is_whole());
        entries.push(entry);
    }
    let last = entries.last()?;
    let leaves: Vec<tree::Hash> = entries.iter().map(Entry::leaf).collect();
    let way: Vec<Digest> = tree::path(leaves.len() - 1, &leaves)
        .iter()
        .map(tree::digest)
        .collect();
    let mut out = canonical(
        &json!({"tenantry": "audit-export", "version": 1, "customer": "acme", "records": records.len(), "exported": 9}),
    );
    for record in records {
        out.extend(record.bytes());
    }
    let mut proof = Map::new();
    let head = json!({
        "size": last.head.size, "root": last.head.root, "key": last.head.key,
        "signature": last.head.signature, "path": way, "seq": last.seq, "record": last.record,
    });
    if let Value::Object(head) = head {
        proof.extend(head);
    }
    out.extend(canonical(&json!({"proof": proof})));
    Some(out)
}

/// Bytes for every reader; the parts of them as a store; and records that are made of them, one
/// byte of which is changed.
pub fn audit(data: &[u8]) {
    let Ok(key) = SigningKey::parse(SEED) else {
        panic!("the key");
    };
    let keys = [key.public()];
    single(data, &keys);
    for keys in [&keys[..], &[]] {
        judged(export::check(data, keys, &[]));
    }
    let between = BETWEEN.as_bytes();
    let mut parts: Vec<&[u8]> = Vec::new();
    let mut rest = data;
    while let Some(at) = rest.windows(between.len()).position(|w| w == between) {
        // An object ends with its line.
        parts.push(&rest[..=at]);
        rest = &rest[at + between.len()..];
    }
    parts.push(rest);
    for part in &parts {
        single(part, &keys);
    }
    store(&parts, &keys);
    let Some(records) = made(&parts, &key) else {
        panic!("no record can be made");
    };
    let Some(file) = exported(&records, &key) else {
        panic!("no export can be made");
    };
    let whole = judged(export::check(&file, &keys, &[]));
    assert!(whole.is_some_and(|j| j.damage.is_empty() && j.records == records));
    // One byte is another, or is gone: found, or it was not of the records.
    let number = data
        .iter()
        .fold(data.len(), |n, b| n.wrapping_mul(31) + usize::from(*b));
    let (place, bit) = (number / 8 % file.len(), number % 8);
    let mut changed = file.clone();
    changed[place] ^= 1 << bit;
    let mut cut = file.clone();
    cut.remove(place);
    for other in [changed, cut, file[..place].to_vec()] {
        if let Some(judged) = judged(export::check(&other, &keys, &[]))
            && judged.damage.is_empty()
        {
            assert_eq!(judged.records, records);
            assert_eq!(judged.customer, acme());
        }
    }
}
