//! How much of the loop one customer may take, so that nobody who changes everything at once keeps
//! the others waiting: a bounded number of heads in each sweep, of hints in each hour, and the
//! sweep begins with those who have changed least.

use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::records::{Seen, keys};
use crate::clock::Time;
use crate::estate::CustomerId;
use crate::store::Put;
use serde::{Deserialize, Serialize};

/// Heads of one customer that a sweep looks at. The next one goes on.
pub const SHARE: usize = 20;

const HOUR: u64 = 3_600;

/// A branch or pull request and its commit.
pub type Head = (Event, String);

/// Every head, the default branch first: it is what gets applied.
pub fn heads(seen: &Seen) -> Vec<Head> {
    let push = seen.head.iter().map(|sha| (Event::Push, sha.clone()));
    let pulls = seen.pulls.iter();
    push.chain(pulls.map(|(number, sha)| (Event::PullRequest(*number), sha.clone())))
        .collect()
}

/// Puts those first who have changed least: nobody waits behind somebody who changes everything.
/// Among equals each run begins with another one.
pub fn in_turn<T>(customers: &mut [T], run: u64, changed: impl Fn(&T) -> usize) {
    let turn = usize::try_from(run).unwrap_or(0) % customers.len().max(1);
    customers.rotate_left(turn);
    customers.sort_by_key(changed);
}

/// The heads that are not as an earlier sweep saw them. With another estate, none is.
pub fn unseen(now: &Seen, before: Option<&Seen>) -> Vec<Head> {
    let known = match before {
        Some(before) if before.estate == now.estate => heads(before),
        _ => Vec::new(),
    };
    let mut out = heads(now);
    out.retain(|head| !known.contains(head));
    out
}

/// What has been seen once every head of `now` but `left` was looked at.
pub fn without(now: &Seen, left: &[Head]) -> Seen {
    let mut seen = now.clone();
    seen.head = seen
        .head
        .filter(|sha| !left.iter().any(|(e, s)| *e == Event::Push && s == sha));
    seen.pulls
        .retain(|(n, sha)| !left.contains(&(Event::PullRequest(*n), sha.clone())));
    seen
}

/// When a customer asked within the last hour.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Asked {
    at: Vec<Time>,
}

/// Counts a hint. One too many is refused; whatever it was about, the sweep finds.
pub async fn hint(manager: &Manager, customer: &CustomerId) -> Result<(), DeliveryError> {
    let most = manager.estate.settings.hints_per_hour;
    let key = keys::asked(customer);
    let now = manager.clock.now();
    let mut full = None;
    let mut count = |asked: &mut Asked| {
        asked.at.retain(|at| now.since(*at) < HOUR);
        full = None;
        if asked.at.len() as u64 >= most {
            full = asked.at.iter().min().copied();
            return false;
        }
        asked.at.push(now);
        true
    };
    if manager.store.update(&key, &mut count).await?.is_none() {
        let first = Asked { at: vec![now] };
        if manager.store.create_json(&key, &first).await? == Put::Conflict {
            manager.store.update(&key, &mut count).await?;
        }
    }
    let Some(oldest) = full else { return Ok(()) };
    let minutes = HOUR.saturating_sub(now.since(oldest)).div_ceil(60);
    Err(Refusal::new(
        "hints-too-many",
        format!(
            "this customer has asked {most} times within an hour, which is the provider's limit (`hints.per_hour`); nothing is lost: the next sweep finds what changed, and you can ask again in {minutes} minutes"
        ),
    )
    .into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use proptest::prelude::*;

    fn seen(head: Option<u8>, pulls: &[(u64, u8)], estate: u8) -> Seen {
        Seen {
            head: head.map(|h| h.to_string()),
            pulls: pulls.iter().map(|(n, s)| (*n, s.to_string())).collect(),
            estate: Digest::of(&[estate]),
            terms: None,
        }
    }

    prop_compose! {
        fn any_seen()(
            head in proptest::option::of(0_u8..3),
            pulls in proptest::collection::btree_map(0_u64..60, 0_u8..3, 0..60),
            estate in 0_u8..2,
        ) -> Seen {
            let pulls: Vec<_> = pulls.into_iter().collect();
            seen(head, &pulls, estate)
        }
    }

    #[test]
    fn t26_whoever_changed_least_comes_first_and_equals_take_turns() {
        let order = |run| {
            let mut customers = [
                ("acme", 1_000),
                ("globex", 1),
                ("initech", 1),
                ("umbrella", 2),
            ];
            in_turn(&mut customers, run, |(_, changed)| *changed);
            customers.map(|(id, _)| id)
        };
        assert_eq!(order(4), ["globex", "initech", "umbrella", "acme"]);
        assert_eq!(order(6), ["initech", "globex", "umbrella", "acme"]);
        in_turn(&mut [(); 0], 3, |()| 0);
    }

    proptest! {
        /// However much changes at once, sweeps that each take their share come to an end, look
        /// at every head, and at none twice.
        #[test]
        fn t26_shares_reach_every_head_once(first in proptest::option::of(any_seen()), now in any_seen()) {
            let wanted = unseen(&now, first.as_ref());
            let (mut before, mut looked) = (first, Vec::new());
            for _ in 0..=wanted.len() / SHARE + 1 {
                let mut new = unseen(&now, before.as_ref());
                let left = new.split_off(new.len().min(SHARE));
                looked.extend(new);
                before = Some(without(&now, &left));
            }
            prop_assert_eq!(before, Some(now));
            prop_assert_eq!(looked, wanted);
        }
    }
}
