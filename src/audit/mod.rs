//! The audit log: what was asked, refused, planned, approved and applied, one record each, that
//! nobody can change, remove or reorder unseen.
//!
//! Two kinds of objects, both written by create-if-absent alone and never replaced:
//!
//! ```text
//! audit/records/<customer>/<number>.json  a record; names the hash of the customer's one before
//! audit/log/<number>.json                 an entry of the manager's log: which record came next
//! ```
//!
//! The records of a customer are a chain of their own, so an export holds nobody else's. The log
//! ties all chains together: each entry holds the root of a Merkle tree (RFC 6962) over all
//! entries so far, and its signature is a signed head. A record is hidden behind its hash by a
//! random nonce, so a proof out of the tree tells of nobody but its own customer.
//!
//! A record is written before its entry. The one thing that a crash can leave is a customer's
//! last record without an entry; whoever writes next for that customer enters it first.
//!
//! This room knows the store. It does not know requests or GitHub, and it shows nothing: names and
//! reasons in a record are foreign text.

pub mod check;
pub mod controls;
mod crypto;
pub mod entry;
pub mod event;
pub mod evidence;
pub mod export;
mod gather;
pub mod head;
pub mod key;
pub mod log;
mod places;
pub mod record;
pub mod snapshot;
pub mod tree;
pub mod verify;

#[cfg(test)]
mod damage_tests;

pub use event::{Actor, Draft, Event, Person};
pub use log::{AuditError, Log};
pub use places::{LARGEST, PREFIX, entry_key, record_key};
pub use record::Record;
pub use verify::{Damage, Verdict};
