//! T23: each way to damage a log is found, and found where it is.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use super::entry::Entry;
use super::event::{Actor, ApplyResult, Draft, Event, Person};
use super::head::Kept;
use super::key::SigningKey;
use super::record::{Malformed, Place, Record};
use super::snapshot::Snapshot;
use super::verify::{Damage, Kind, Verdict, Wanted, verify};
use super::{entry_key, export, record_key};
use crate::clock::Time;
use crate::estate::CustomerId;
use crate::store::Store;
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;

pub fn customer(id: &str) -> CustomerId {
    CustomerId::new(id).unwrap()
}

pub fn draft(n: u64) -> Draft {
    Draft {
        actor: Actor {
            sender: Some(Person {
                id: n,
                login: "alice".into(),
            }),
            run: n,
            attempt: 1,
            url: "https://github.example/runs/1".into(),
        },
        request: Some(format!("acme/push-{n}")),
        stack: "acme/web/staging".parse().ok(),
        event: Event::ApplyEnded {
            attempt: 1,
            digest: None,
            result: ApplyResult::Refused,
            code: Some("lease".into()),
            reason: Some("“held” by\u{202e} \u{7f}somebody\n\\".into()),
        },
    }
}

pub async fn snapshot_of(dir: &Path) -> Result<Snapshot, Box<dyn std::error::Error>> {
    let store = Store::open(&format!("file://{}", dir.display()), &[])?;
    Ok(Snapshot::read(&store, None).await?)
}

const NAMES: [&str; 4] = ["acme", "globex", "initech", "log"];

/// A log as the writer makes it, in memory: whose record comes when is `order`.
struct Made {
    objects: BTreeMap<String, Vec<u8>>,
    key: SigningKey,
    wanted: Wanted,
}

fn made(order: &[usize], signed: bool) -> Made {
    let key = SigningKey::generate().unwrap();
    let signer = signed.then_some(&key);
    let mut objects = BTreeMap::new();
    let mut last: BTreeMap<usize, Record> = BTreeMap::new();
    let mut before: Option<Entry> = None;
    for (n, who) in order.iter().enumerate() {
        let id = customer(NAMES[*who]);
        let place = Place {
            customer: &id,
            seq: last.get(who).map_or(1, |r| r.seq + 1),
            prev: last.get(who).map(|r| r.hash.clone()),
            log: n as u64,
            at: Time(1_000 + n as u64),
        };
        let record = Record::new(&place, &draft(n as u64), signer).unwrap();
        let entry = Entry::after(before.as_ref(), &record, signer).unwrap();
        objects.insert(record_key(&id, record.seq), record.bytes());
        objects.insert(entry_key(entry.head.size), entry.bytes());
        last.insert(*who, record);
        before = Some(entry);
    }
    let wanted = Wanted::new(if signed {
        vec![key.public()]
    } else {
        Vec::new()
    });
    Made {
        objects,
        key,
        wanted,
    }
}

impl Made {
    fn verdict(&self) -> Verdict {
        let mut snapshot = Snapshot::default();
        for (key, bytes) in &self.objects {
            snapshot.insert(key, Ok(bytes.clone()));
        }
        verify(&snapshot, &self.wanted)
    }
    fn records(&self) -> Vec<String> {
        self.under("audit/records/")
    }
    fn entries(&self) -> Vec<String> {
        self.under("audit/log/")
    }
    fn under(&self, prefix: &str) -> Vec<String> {
        self.objects
            .keys()
            .filter(|k| k.starts_with(prefix))
            .cloned()
            .collect()
    }
    /// The heads that somebody kept before the damage.
    fn keep(&mut self) {
        let verdict = self.verdict();
        self.wanted.heads = verdict
            .chains
            .iter()
            .filter_map(|(c, records)| {
                let last = records.last()?;
                Some(Kept::Customer {
                    customer: c.clone(),
                    seq: last.seq,
                    hash: last.hash.clone(),
                })
            })
            .chain(verdict.head.map(Kept::Log))
            .collect();
    }
}

fn at<'a>(damage: &'a [Damage], key: &str) -> Vec<&'a Damage> {
    damage.iter().filter(|d| d.key == key).collect()
}

fn order() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0_usize..4, 2..24)
}

fn pick<T: Clone>(list: &[T], n: usize) -> T {
    list[n % list.len()].clone()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn t23_a_log_as_it_was_written_is_accepted(order in order(), signed: bool) {
        let mut made = made(&order, signed);
        made.keep();
        let verdict = made.verdict();
        prop_assert_eq!(&verdict.damage, &vec![]);
        prop_assert_eq!((verdict.records, verdict.entries), (order.len(), order.len() as u64));
    }

    #[test]
    fn t23_a_changed_byte_is_found_where_it_is(order in order(), signed: bool, n: usize, byte: usize, flip in 1_u8..=255) {
        let mut made = made(&order, signed);
        let all: Vec<String> = made.objects.keys().cloned().collect();
        let key = pick(&all, n);
        let object = made.objects.get_mut(&key).unwrap();
        let place = byte % object.len();
        object[place] ^= flip;
        let damage = made.verdict().damage;
        prop_assert!(!damage.is_empty());
        prop_assert!(damage.iter().all(|d| d.key == key), "{key}: {damage:?}");
    }

    /// The hash is made right again by somebody without the key.
    #[test]
    fn t23_a_changed_field_with_a_new_hash_is_found_where_it_is(order in order(), signed: bool, n: usize, field in 0_usize..9) {
        let mut made = made(&order, signed);
        let key = pick(&made.records(), n);
        let mut value: serde_json::Value = serde_json::from_slice(&made.objects[&key]).unwrap();
        let names = ["at", "nonce", "log", "request", "stack", "event", "actor", "version", "extra"];
        value[names[field]] = match names[field] {
            "at" | "version" => serde_json::json!(7),
            "log" => serde_json::json!(0),
            "nonce" => serde_json::json!("0"),
            _ => serde_json::json!({"kind": "request-closed", "attempt": 1, "outcome": "success"}),
        };
        let map = value.as_object_mut().unwrap();
        let signature = map.remove("signature").unwrap();
        map.remove("hash");
        let hash = crate::digest::Digest::of(serde_json::Value::Object(map.clone()).to_string().as_bytes());
        map.insert("hash".into(), serde_json::json!(hash));
        map.insert("signature".into(), signature);
        let bytes = super::record::canonical(&value);
        let same = bytes == made.objects[&key];
        made.objects.insert(key.clone(), bytes);
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.is_empty(), same);
        prop_assert!(damage.iter().all(|d| d.key == key), "{damage:?}");
        prop_assert!(damage.iter().all(|d| d.kind == if signed { Kind::Forged } else { Kind::Changed }), "{damage:?}");
    }

    #[test]
    fn t23_a_removed_record_is_found_where_it_was(order in order(), signed: bool, n: usize) {
        let mut made = made(&order, signed);
        let key = pick(&made.records(), n);
        made.objects.remove(&key);
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.len(), 1, "{:?}", damage);
        prop_assert_eq!((damage[0].kind, &damage[0].key), (Kind::Removed, &key));
    }

    /// The last entry alone may be missing: its writer may have been stopped before.
    #[test]
    fn t23_a_removed_entry_is_found_where_it_was(order in order(), signed: bool, n: usize) {
        let mut made = made(&order, signed);
        let key = pick(&made.entries(), n);
        let last = made.entries().last() == Some(&key);
        made.objects.remove(&key);
        let verdict = made.verdict();
        if last {
            prop_assert_eq!(&verdict.damage, &vec![]);
            prop_assert_eq!(verdict.pending.len(), 1);
        } else {
            let found: Vec<_> = verdict.damage.iter().map(|d| (d.kind, &d.key)).collect();
            prop_assert_eq!(found, vec![(Kind::Removed, &key)]);
        }
    }

    #[test]
    fn t23_two_records_that_change_places_are_found(order in order(), n: usize, m: usize, entries: bool) {
        let mut made = made(&order, true);
        let all = if entries { made.entries() } else { made.records() };
        let (a, b) = (pick(&all, n), pick(&all, m));
        let (x, y) = (made.objects[&a].clone(), made.objects[&b].clone());
        made.objects.insert(a.clone(), y);
        made.objects.insert(b.clone(), x);
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.len(), if a == b { 0 } else { 2 });
        if a != b {
            for key in [a, b] {
                let kinds: Vec<Kind> = at(&damage, &key).iter().map(|d| d.kind).collect();
                prop_assert!(matches!(kinds.as_slice(), [Kind::Reordered | Kind::Spliced]), "{key}: {damage:?}");
            }
        }
    }

    #[test]
    fn t23_a_doubled_record_is_found(order in order(), n: usize, entry: bool) {
        let mut made = made(&order, true);
        let from = pick(&if entry { made.entries() } else { made.records() }, n);
        let to = if entry {
            entry_key(order.len() as u64 + 1)
        } else {
            let id = customer(from.split('/').nth(2).unwrap());
            record_key(&id, made.under(&format!("audit/records/{id}/")).len() as u64 + 1)
        };
        let bytes = made.objects[&from].clone();
        made.objects.insert(to.clone(), bytes);
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.len(), 1, "{:?}", damage);
        prop_assert_eq!((damage[0].kind, &damage[0].key), (Kind::Doubled, &to));
    }

    #[test]
    fn t23_another_customers_record_is_found(order in order(), n: usize) {
        let mut made = made(&order, true);
        let from = pick(&made.records(), n);
        let to = record_key(&customer("other"), 1);
        let bytes = made.objects[&from].clone();
        made.objects.insert(to.clone(), bytes);
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.len(), 1, "{:?}", damage);
        prop_assert_eq!((damage[0].kind, &damage[0].key), (Kind::Spliced, &to));
    }

    /// Everything after some entry is gone, records and all: only who kept a head can tell.
    #[test]
    fn t23_a_log_that_was_rolled_back_is_found_by_a_kept_head(order in order(), cut in 1_usize..23) {
        let mut long = made(&order, true);
        long.keep();
        let keep = cut % order.len();
        let mut seen: BTreeMap<usize, u64> = BTreeMap::new();
        for (n, who) in order.iter().enumerate() {
            let seq = seen.entry(*who).or_default();
            *seq += 1;
            if n >= keep {
                long.objects.remove(&record_key(&customer(NAMES[*who]), *seq));
                long.objects.remove(&entry_key(n as u64 + 1));
            }
        }
        let damage = long.verdict().damage;
        let expected = entry_key(order.len() as u64);
        if keep > 0 {
            prop_assert_eq!(at(&damage, &expected).first().map(|d| d.kind), Some(Kind::RolledBack));
        }
        prop_assert!(damage.iter().all(|d| d.kind == Kind::RolledBack || keep == 0), "{damage:?}");
        long.wanted.heads.clear();
        prop_assert_eq!(&long.verdict().damage.iter().filter(|d| d.kind != Kind::Unsigned).count(), &0);
    }

    /// The manager itself, key in hand, writes another history from some entry on.
    #[test]
    fn t23_a_log_that_was_written_anew_is_found_by_a_kept_head(order in order()) {
        let mut first = made(&order, true);
        first.keep();
        let mut second = made(&order, true);
        second.wanted.heads = first.wanted.heads.clone();
        // Kept without the signature, as in a comment.
        for kept in &mut second.wanted.heads {
            if let Kept::Log(head) = kept {
                head.signature = None;
            }
        }
        let damage = second.verdict().damage;
        prop_assert_eq!(damage.len(), second.wanted.heads.len());
        prop_assert!(damage.iter().all(|d| d.kind == Kind::Forked), "{damage:?}");
    }

    #[test]
    fn t23_a_forged_record_at_the_end_is_found(order in order(), n: usize, signed: bool) {
        let mut made = made(&order, true);
        let id = customer(NAMES[n % 4]);
        let chain = made.under(&format!("audit/records/{id}/"));
        let before = chain.last().map(|k| Record::parse(&made.objects[k]).unwrap());
        let stranger = SigningKey::generate().unwrap();
        let place = Place {
            customer: &id,
            seq: chain.len() as u64 + 1,
            prev: before.map(|r| r.hash),
            log: order.len() as u64,
            at: Time(1),
        };
        let record = Record::new(&place, &draft(1), signed.then_some(&stranger)).unwrap();
        made.objects.insert(record_key(&id, record.seq), record.bytes());
        let key = record_key(&id, record.seq);
        let damage = made.verdict().damage;
        let kind = if signed { Kind::Forged } else { Kind::Unsigned };
        prop_assert_eq!(damage.iter().map(|d| (d.kind, &d.key)).collect::<Vec<_>>(), vec![(kind, &key)]);
        // The manager enters it into the log unknowingly: it stays what it is.
        let last = Entry::parse(&made.objects[made.entries().last().unwrap()]).unwrap();
        let entry = Entry::after(Some(&last), &record, Some(&made.key)).unwrap();
        made.objects.insert(entry_key(entry.head.size), entry.bytes());
        let damage = made.verdict().damage;
        prop_assert_eq!(damage.iter().map(|d| (d.kind, &d.key)).collect::<Vec<_>>(), vec![(kind, &key)]);
    }

    #[test]
    fn t23_an_export_proves_itself_and_shows_nobody_else(order in order(), signed: bool) {
        let made = made(&order, signed);
        let verdict = made.verdict();
        let keys = &made.wanted.keys;
        for id in verdict.chains.keys() {
            let bytes = export::write(id, &verdict, Time(9)).unwrap();
            let judged = export::check(&bytes, keys, &[]).unwrap();
            prop_assert_eq!(&judged.damage, &vec![]);
            prop_assert_eq!(judged.records.len(), verdict.chains[id].len());
            let text = String::from_utf8(bytes).unwrap();
            // `acme` stands in every request's name here, `log` is a word of the format.
            for other in ["globex", "initech"].iter().filter(|n| **n != id.as_str()) {
                prop_assert!(!text.contains(other), "{other} in {text}");
            }
        }
    }

    #[test]
    fn t23_an_export_with_a_changed_byte_is_found(order in order(), n: usize, flip in 1_u8..=255) {
        let made = made(&order, true);
        let verdict = made.verdict();
        let id = verdict.chains.keys().next().unwrap();
        let mut bytes = export::write(id, &verdict, Time(9)).unwrap();
        let place = n % bytes.len();
        // When it was exported is not proven, and need not be.
        let first = bytes.iter().position(|b| *b == b'\n').unwrap();
        prop_assume!(place > first);
        bytes[place] ^= flip;
        match export::check(&bytes, &made.wanted.keys, &[]) {
            Ok(judged) => prop_assert!(!judged.damage.is_empty(), "byte {place}"),
            Err(e) => prop_assert!(!e.0.contains('\n') && e.0.len() < 300),
        }
    }

    #[test]
    fn t23_an_export_without_one_of_its_lines_is_found(order in order(), n: usize) {
        let made = made(&order, true);
        let verdict = made.verdict();
        let id = verdict.chains.keys().next().unwrap();
        let bytes = export::write(id, &verdict, Time(9)).unwrap();
        let mut lines: Vec<&[u8]> = bytes.split_inclusive(|b| *b == b'\n').collect();
        lines.remove(n % lines.len());
        let cut = export::check(&lines.concat(), &made.wanted.keys, &[]);
        prop_assert!(cut.is_err() || cut.is_ok_and(|j| !j.damage.is_empty()));
    }
}

#[test]
fn t23_a_removed_customer_is_found() {
    let mut made = made(&[0, 1, 0, 1, 1], true);
    made.objects
        .retain(|k, _| !k.starts_with("audit/records/globex/"));
    let damage = made.verdict().damage;
    assert_eq!(
        damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
        [
            "removed: record 1 of globex (`audit/records/globex/0000000001.json`): it and the 2 after it are missing"
        ]
    );
}

#[test]
fn t23_what_does_not_belong_there_is_found() {
    for key in [
        "audit/x.json",
        "audit/log/1.json",
        "audit/log/000000000001.json.bak",
        "audit/records/acme/1.json",
        "audit/records/AC/0000000001.json",
        "audit/records/acme/web/0000000001.json",
    ] {
        let mut made = made(&[0], true);
        made.objects.insert(key.into(), Vec::new());
        let damage = made.verdict().damage;
        assert_eq!(
            damage.iter().map(|d| d.kind).collect::<Vec<_>>(),
            [Kind::Foreign],
            "{key}"
        );
    }
}

#[test]
fn t23_a_newer_export_must_hold_what_was_kept() {
    let made = made(&[0, 0, 0], true);
    let keys = &made.wanted.keys;
    let long = made.verdict();
    let id = customer("acme");
    let hash = long.chains[&id][2].hash.clone();
    let kept = [Kept::Customer {
        customer: id.clone(),
        seq: 3,
        hash: hash.clone(),
    }];
    let bytes = export::write(&id, &long, Time(1)).unwrap();
    assert_eq!(export::check(&bytes, keys, &kept).unwrap().damage, []);
    let mut short = made;
    short.objects.remove(&record_key(&id, 3));
    short.objects.remove(&entry_key(3));
    let bytes = export::write(&id, &short.verdict(), Time(1)).unwrap();
    let judged = export::check(&bytes, &short.wanted.keys, &kept).unwrap();
    assert_eq!(
        judged.damage.iter().map(|d| d.kind).collect::<Vec<_>>(),
        [Kind::RolledBack]
    );
}

#[test]
fn hostile_objects_end_in_one_clear_message() {
    let hostile = [
        Vec::new(),
        b"null\n".to_vec(),
        b"[]\n".to_vec(),
        b"{}\n".to_vec(),
        b"{\"version\":1}\n".to_vec(),
        b"\xff\xfe".to_vec(),
        vec![b'['; 60_000],
        vec![b' '; 60_000],
        b"{\"a\":1,\"a\":1}\n".to_vec(),
        b"{\"seq\":1e400}\n".to_vec(),
        vec![b'{'; 200_000],
    ];
    let good = made(&[0], true).objects;
    for bytes in &hostile {
        for error in [
            Record::parse(bytes).map(|_| ()),
            Entry::parse(bytes).map(|_| ()),
        ] {
            let Malformed(text) = error.unwrap_err();
            assert!(!text.contains('\n') && text.len() < 200, "{text}");
        }
        for key in good.keys() {
            let mut made = made(&[0], true);
            made.objects.insert(key.clone(), bytes.clone());
            assert!(!at(&made.verdict().damage, key).is_empty());
        }
        assert!(export::check(bytes, &[], &[]).is_err());
    }
    // Each field of another type.
    for (key, bytes) in &good {
        let value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
        for name in value.as_object().unwrap().keys() {
            for other in [
                serde_json::json!([]),
                serde_json::json!({}),
                serde_json::json!(-1),
                serde_json::json!(1.5),
            ] {
                let mut bent = value.clone();
                bent[name] = other;
                let mut made = made(&[0], true);
                made.objects
                    .insert(key.clone(), super::record::canonical(&bent));
                assert!(!at(&made.verdict().damage, key).is_empty(), "{key} {name}");
            }
        }
    }
}

/// A record of a later version: more fields, another kind.
#[test]
fn what_a_later_version_writes_can_still_be_checked() {
    let made = made(&[0], true);
    let bytes = made
        .objects
        .values()
        .find(|b| Record::parse(b).is_ok())
        .unwrap();
    let mut value: serde_json::Value = serde_json::from_slice(bytes).unwrap();
    value["version"] = serde_json::json!(2);
    value["event"] = serde_json::json!({"kind": "credential-rotated", "name": "x"});
    value["later"] = serde_json::json!({"a": [1]});
    let record = Record::parse(&super::record::canonical(&value)).unwrap();
    assert_eq!(
        (record.kind(), record.event()),
        ("credential-rotated", None)
    );
    assert_eq!(record.bytes(), super::record::canonical(&value));
}
