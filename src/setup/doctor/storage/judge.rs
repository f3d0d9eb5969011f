//! Judges buckets, leases, states and locks.

use super::{BucketFacts, Facts, Lock, Place, StateFacts, YOUNG};
use crate::clock::Time;
use crate::engine::terraform;
use crate::estate::model::EngineKind;
use crate::estate::settings::StateBackend;
use crate::estate::{Estate, StackId};
use crate::setup::doctor::check as checks;
use crate::setup::doctor::{Act, Repair, Sheet};
use crate::store::bucket::BucketChange;
use std::collections::{BTreeMap, BTreeSet};

/// Everything about the store and state.
pub fn judge(estate: &Estate, facts: &Facts, now: Time) -> Sheet {
    let mut sheet = Sheet::default();
    let store = estate.settings.store.as_deref().unwrap_or("store");
    match &facts.store {
        None => {
            let text = "no store is set: nothing can be remembered between two jobs";
            sheet.finding(&checks::STORE_REACHABLE, "tenantry.yml", text, None);
        }
        Some(answer) => sheet.judge(&checks::STORE_REACHABLE, store, answer, |()| None),
    }
    for url in &facts.others {
        let why = "only the settings of S3 buckets are read";
        sheet.unchecked(&checks::STORE_VERSIONING, url.as_str(), why);
    }
    for (name, bucket) in &facts.buckets {
        self::bucket(name, bucket, facts.own_log, &mut sheet);
    }
    leases(facts, now, &mut sheet);
    if let Some(state) = &facts.state {
        match state {
            Err(why) => {
                sheet.unchecked(&checks::STATE_ONE, "state", why.clone());
                sheet.unchecked(&checks::STATE_LOCK, "state", why.clone());
            }
            Ok(state) => {
                states(estate, facts, state, &mut sheet);
                locks(state, now, &mut sheet);
            }
        }
    }
    sheet
}

fn bucket(name: &str, facts: &BucketFacts, own_log: bool, sheet: &mut Sheet) {
    let set = |says: &str, change: BucketChange| Repair {
        says: format!("{says} the bucket {name}"),
        acts: vec![Act::Bucket(change)],
        then: None,
    };
    sheet.judge(&checks::STORE_VERSIONING, name, &facts.versioning, |on| {
        (!on).then(|| {
            let text = "old versions are not kept: what is overwritten is gone, also a state";
            let repair = set("keep old versions in", BucketChange::versioning(name));
            (text.into(), Some(repair))
        })
    });
    sheet.judge(&checks::STORE_ENCRYPTION, name, &facts.encryption, |kind| {
        kind.is_none().then(|| {
            let repair = set("encrypt", BucketChange::encryption(name));
            (
                "what is written is not encrypted by itself".into(),
                Some(repair),
            )
        })
    });
    sheet.judge(&checks::STORE_PUBLIC, name, &facts.closed, |closed| {
        (!closed).then(|| {
            let text = "something in it could be made public";
            let repair = set(
                "block public access to",
                BucketChange::no_public_access(name),
            );
            (text.into(), Some(repair))
        })
    });
    let Some(retention) = &facts.retention else {
        return;
    };
    let check = &checks::STORE_AUDIT_LOCK;
    if !own_log {
        let text = "the audit log shares its bucket with the store, where objects are replaced; so no retention can hold it";
        sheet.finding(check, name, text, None);
        return;
    }
    sheet.judge(check, name, retention, |retention| match retention {
        None => Some((
            "nothing keeps records of the audit log from being deleted".into(),
            None,
        )),
        Some(r) if r.days < 30 => {
            let text = format!("records can be deleted after {} days", r.days);
            Some((text, None))
        }
        Some(_) => None,
    });
}

fn leases(facts: &Facts, now: Time, sheet: &mut Sheet) {
    let check = &checks::STORE_LEASE;
    let leases = match &facts.leases {
        Err(why) => {
            sheet.unchecked(check, "leases", why.clone());
            return;
        }
        Ok(leases) => leases,
    };
    for (key, holder) in leases {
        let who = crate::estate::ids::shown(&holder.who);
        if holder.until > now {
            sheet.note(check, key, format!("held by {who} since {}", holder.since));
            continue;
        }
        let text = format!(
            "{who} took it on {} and never gave it back; it ran out on {}",
            holder.since, holder.until
        );
        let repair = Repair {
            says: format!("mark {key} as given back"),
            acts: vec![Act::Lease {
                key: key.clone(),
                nonce: holder.nonce.clone(),
            }],
            then: None,
        };
        sheet.finding(check, key, text, Some(repair));
    }
}

/// Where a stack's state belongs.
fn home(estate: &Estate, stack: &StackId) -> Option<Place> {
    let own = estate.customers.get(&stack.customer);
    let own = own.and_then(|c| c.state_bucket.clone());
    match estate.settings.state.as_ref()? {
        StateBackend::S3 { bucket, .. } => {
            Some(Place::Bucket(own.unwrap_or_else(|| bucket.clone())))
        }
        StateBackend::Local { path } => Some(Place::Folder(path.into())),
    }
}

fn states(estate: &Estate, facts: &Facts, state: &StateFacts, sheet: &mut Sheet) {
    let terraform = |stack: &StackId| {
        let product = estate.products.get(&stack.product);
        product.is_none_or(|p| p.engine == EngineKind::Terraform)
    };
    let known: BTreeSet<StackId> = estate.stacks().into_iter().collect();
    let mut found: BTreeMap<StackId, Vec<&Place>> = BTreeMap::new();
    for (place, key) in &state.states {
        let subject = format!("{place}/{key}");
        let stack = key.strip_suffix("/terraform.tfstate");
        let Some(stack) = stack.and_then(|s| s.parse::<StackId>().ok()) else {
            let text = "this is no stack's state; nobody plans it, locks it or finds its drift";
            sheet.finding(&checks::STATE_KNOWN, subject, text, None);
            continue;
        };
        if !known.contains(&stack) {
            let text = match estate.customers.contains_key(&stack.customer) {
                true => {
                    format!("`{stack}` is not subscribed any more; what it deployed still stands")
                }
                false => format!(
                    "no customer is called `{}`; what was deployed still stands",
                    stack.customer
                ),
            };
            sheet.finding(&checks::STATE_KNOWN, subject, text, None);
            continue;
        }
        found.entry(stack).or_default().push(place);
    }
    for (stack, places) in &found {
        let home = home(estate, stack);
        let elsewhere: Vec<String> = places
            .iter()
            .filter(|p| Some(**p) != home.as_ref())
            .map(|p| format!("`{p}`"))
            .collect();
        let subject = stack.to_string();
        if elsewhere.is_empty() {
            sheet.fine(&checks::STATE_ONE, subject);
        } else {
            let right = home.map_or_else(String::new, |h| format!(", and belongs into `{h}`"));
            let text = format!("it has a state in {}{right}", elsewhere.join(" and "));
            sheet.finding(&checks::STATE_ONE, subject, text, None);
        }
    }
    match &facts.applied {
        Err(why) => sheet.unchecked(&checks::STATE_ONE, "applied stacks", why.clone()),
        Ok(applied) => {
            for stack in applied.keys().filter(|s| known.contains(s) && terraform(s)) {
                if !found.contains_key(stack) {
                    let key = terraform::state_key(stack);
                    let text = format!(
                        "it was applied, but there is no state at `{key}`: the next plan would make everything anew"
                    );
                    sheet.finding(&checks::STATE_ONE, stack.to_string(), text, None);
                }
            }
        }
    }
}

fn locks(state: &StateFacts, now: Time, sheet: &mut Sheet) {
    let check = &checks::STATE_LOCK;
    for lock in &state.locks {
        let age = now.since(lock.since);
        let text = format!(
            "locked by {} since {}, {} h {} min",
            lock.who,
            lock.since,
            age / 3_600,
            age % 3_600 / 60
        );
        if age < YOUNG {
            sheet.note(check, lock.state.as_str(), text);
            continue;
        }
        sheet.finding(check, lock.state.as_str(), text, Some(break_it(lock)));
        sheet.remedy(format!(
            "make sure that its holder is gone, then `terraform force-unlock {}`, or --fix --break-lock {}",
            lock.id, lock.id
        ));
    }
}

fn break_it(lock: &Lock) -> Repair {
    Repair {
        says: format!("break the lock {} of {}", lock.id, lock.state),
        acts: vec![Act::BreakLock(lock.clone())],
        then: None,
    }
}
