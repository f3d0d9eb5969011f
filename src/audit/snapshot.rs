//! Everything of the log that is in the store, as bytes by their place. Judged elsewhere.

use super::record::Malformed;
use super::{entry_key, record_key};
use crate::estate::CustomerId;
use std::collections::BTreeMap;

/// The bytes of an object, or why they were not even read.
pub type Object = Result<Vec<u8>, Malformed>;

/// What is in the store.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// The log's entries by number.
    pub entries: BTreeMap<u64, Object>,
    /// The customers' records by number.
    pub records: BTreeMap<CustomerId, BTreeMap<u64, Object>>,
    /// Keys under the prefix that are no key of the log.
    pub foreign: Vec<String>,
}

/// What a key is.
pub(super) enum Kind {
    Entry(u64),
    Record(CustomerId, u64),
}

pub(super) fn kind(key: &str) -> Option<Kind> {
    let parts: Vec<&str> = key.split('/').collect();
    let number = |name: &str| name.strip_suffix(".json")?.parse::<u64>().ok();
    let kind = match parts.as_slice() {
        [_, "log", name] => Kind::Entry(number(name)?),
        [_, "records", customer, name] => {
            Kind::Record(CustomerId::new(customer).ok()?, number(name)?)
        }
        _ => return None,
    };
    // Only the one way in which we write a number is ours.
    let again = match &kind {
        Kind::Entry(n) => entry_key(*n),
        Kind::Record(customer, n) => record_key(customer, *n),
    };
    (again == key).then_some(kind)
}

impl Snapshot {
    /// Puts an object to its place.
    pub fn insert(&mut self, key: &str, object: Object) {
        match kind(key) {
            Some(Kind::Entry(number)) => {
                self.entries.insert(number, object);
            }
            Some(Kind::Record(customer, number)) => {
                let chain = self.records.entry(customer).or_default();
                chain.insert(number, object);
            }
            None => self.foreign.push(key.to_owned()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn t19_a_key_of_the_log_is_one_place_alone(id in "[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?", n in 1_u64.., other in "[a-z/0-9.]{0,40}") {
            let Ok(customer) = CustomerId::new(&id) else {
                panic!("{id}")
            };
            let key = record_key(&customer, n);
            prop_assert!(matches!(kind(&key), Some(Kind::Record(c, m)) if c == customer && m == n));
            let entry = entry_key(n);
            prop_assert!(matches!(kind(&entry), Some(Kind::Entry(m)) if m == n));
            prop_assert_ne!(&key, &entry);
            let (longer, strange) = (format!("{key}{other}"), format!("audit/{other}"));
            prop_assert!(kind(&longer).is_none() || other.is_empty());
            prop_assert!(kind(&strange).is_none());
        }
    }
}
