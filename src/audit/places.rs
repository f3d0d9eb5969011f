//! Where the objects of the log lie, and how large they may be.

use crate::estate::CustomerId;

/// The prefix of everything that belongs to the log.
pub const PREFIX: &str = "audit";
/// No object of the log is larger, in bytes.
pub const LARGEST: u64 = 64 * 1024;

/// The key of a record.
pub fn record_key(customer: &CustomerId, number: u64) -> String {
    format!("{PREFIX}/records/{customer}/{number:010}.json")
}

/// The key of an entry of the log.
pub fn entry_key(number: u64) -> String {
    format!("{PREFIX}/log/{number:012}.json")
}
