//! An entry of the manager's log: which record came next, and the root of the tree over all
//! entries so far. Its signature is over size and root, so every entry is a signed head.

use super::key::{KeyError, PublicKey, Signature, SigningKey, judge};
use super::record::{Malformed, Record, canonical, digest, field, object};
use super::tree::{self, Hash, Peaks};
use crate::digest::Digest;
use crate::estate::CustomerId;
use serde_json::{Map, Value, json};

/// How large the log is, what all of it hashes to, and who says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// How many entries.
    pub size: u64,
    /// The root of the tree over them.
    pub root: Digest,
    /// Id of the key that signed.
    pub key: Option<String>,
    /// The signature, in base64.
    pub signature: Option<String>,
}

impl Head {
    fn statement(&self) -> String {
        format!("tenantry-audit-head-1 {} {}", self.size, self.root)
    }
    /// What is known of its signature.
    pub fn signature(&self, keys: &[PublicKey]) -> Signature {
        judge(
            keys,
            &self.statement(),
            self.key.as_deref(),
            self.signature.as_deref(),
        )
    }
    pub(super) fn insert_into(&self, map: &mut Map<String, Value>) {
        map.insert("size".into(), json!(self.size));
        map.insert("root".into(), json!(self.root));
        map.insert("key".into(), json!(self.key));
        map.insert("signature".into(), json!(self.signature));
    }
    pub(super) fn read(map: &Map<String, Value>) -> Result<Self, Malformed> {
        Ok(Self {
            size: field(map, "size")?,
            root: digest(map, "root")?,
            key: field(map, "key")?,
            signature: field(map, "signature")?,
        })
    }
}

/// The data of a leaf of the tree.
pub fn leaf(customer: &CustomerId, seq: u64, record: &Digest) -> Hash {
    tree::leaf(format!("{customer} {seq} {record}").as_bytes())
}

/// An entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Whose record.
    pub customer: CustomerId,
    /// Its number in the customer's chain.
    pub seq: u64,
    /// Its hash.
    pub record: Digest,
    /// The roots of the full trees of this size.
    pub peaks: Peaks,
    /// The head that this entry makes; its size is the entry's number.
    pub head: Head,
}

impl Entry {
    /// Makes and signs the entry after `before`.
    pub fn after(
        before: Option<&Entry>,
        record: &Record,
        key: Option<&SigningKey>,
    ) -> Result<Self, KeyError> {
        let mut peaks = before.map(|e| e.peaks.clone()).unwrap_or_default();
        peaks.push(leaf(&record.customer, record.seq, &record.hash));
        let mut head = Head {
            size: peaks.size(),
            root: tree::digest(&peaks.root()),
            key: key.map(|k| k.public().id()),
            signature: None,
        };
        head.signature = key.map(|k| k.sign(&head.statement())).transpose()?;
        Ok(Self {
            customer: record.customer.clone(),
            seq: record.seq,
            record: record.hash.clone(),
            peaks,
            head,
        })
    }

    /// Reads an entry. Root and signature are not judged yet.
    pub fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let map = object(bytes)?;
        if field::<u64>(&map, "version")? != 1 {
            return Err(Malformed::new(
                "`version` is not one that this tenantry knows",
            ));
        }
        let head = Head::read(&map)?;
        let peaks = field::<Vec<String>>(&map, "peaks")?
            .iter()
            .map(|p| tree::hash(p))
            .collect::<Option<Vec<_>>>()
            .and_then(|hashes| Peaks::read(head.size, hashes))
            .filter(|_| head.size > 0)
            .ok_or_else(|| Malformed::new("`peaks` are not those of a log of this size"))?;
        let out = Self {
            customer: field(&map, "customer")?,
            seq: field(&map, "seq")?,
            record: digest(&map, "record")?,
            peaks,
            head,
        };
        // A key too many would be signed by nobody.
        if out.bytes() != bytes {
            return Err(Malformed::new("it holds something that no entry has"));
        }
        Ok(out)
    }

    /// As it is stored.
    pub fn bytes(&self) -> Vec<u8> {
        let peaks: Vec<Digest> = self.peaks.hashes().iter().map(tree::digest).collect();
        let mut map = Map::new();
        map.insert("version".into(), json!(1));
        map.insert("customer".into(), json!(self.customer));
        map.insert("seq".into(), json!(self.seq));
        map.insert("record".into(), json!(self.record));
        map.insert("peaks".into(), json!(peaks));
        self.head.insert_into(&mut map);
        canonical(&Value::Object(map))
    }

    /// Whether its root is the one of its own peaks.
    pub fn is_whole(&self) -> bool {
        tree::digest(&self.peaks.root()) == self.head.root
    }

    /// Its leaf.
    pub fn leaf(&self) -> Hash {
        leaf(&self.customer, self.seq, &self.record)
    }
}
