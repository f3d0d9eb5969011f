//! The store and Terraform's state: buckets, locks, and whose states there are.

mod judge;
mod read;

pub use judge::judge;
pub use read::read;

use super::Seen;
use crate::clock::Time;
use crate::delivery::records::LastApplied;
use crate::estate::StackId;
use crate::store::bucket::Retention;
use crate::store::lease::Holder;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// A lock younger than this may belong to a job that runs: six hours, the longest that GitHub lets
/// a job run.
pub const YOUNG: u64 = 6 * 3_600;

/// What was read.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Whether the store answers; none where the settings name no store.
    pub store: Option<Seen<()>>,
    /// Leases that are held, by key.
    pub leases: Seen<Vec<(String, Holder)>>,
    /// What was applied.
    pub applied: Seen<BTreeMap<StackId, LastApplied>>,
    /// Buckets by name.
    pub buckets: BTreeMap<String, BucketFacts>,
    /// Stores whose settings are not read, because they are no S3 buckets.
    pub others: BTreeSet<String>,
    /// Whether the audit log has a bucket of its own.
    pub own_log: bool,
    /// States and locks; none where no place for state is set.
    pub state: Option<Seen<StateFacts>>,
}

/// A bucket.
#[derive(Debug, Clone)]
pub struct BucketFacts {
    /// Whether old versions are kept.
    pub versioning: Seen<bool>,
    /// How what is written is encrypted.
    pub encryption: Seen<Option<String>>,
    /// Whether nothing can be made public.
    pub closed: Seen<bool>,
    /// For the audit log: how long nothing can be removed.
    pub retention: Option<Seen<Option<Retention>>>,
}

/// Where states are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A bucket.
    Bucket(String),
    /// A folder of this machine.
    Folder(PathBuf),
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bucket(name) => write!(f, "s3://{name}"),
            Self::Folder(path) => write!(f, "file://{}", path.display()),
        }
    }
}

/// The states that there are.
#[derive(Debug, Clone, Default)]
pub struct StateFacts {
    /// Place and key of each state.
    pub states: BTreeSet<(Place, String)>,
    /// Their locks.
    pub locks: Vec<Lock>,
}

/// A lock of a state, as the tool left it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Lock {
    /// Where.
    pub place: Place,
    /// The key or file of the lock.
    pub key: String,
    /// Which state it is for.
    pub state: String,
    /// The tool's own name for it.
    pub id: String,
    /// Who holds it.
    pub who: String,
    /// Since when.
    pub since: Time,
    /// Which version of the object was read.
    pub e_tag: Option<String>,
}
