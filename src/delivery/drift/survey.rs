//! Which stacks there are, where each stands, and which are due.

use super::judge::{Judged, judge};
use super::{CheckRecord, keys, today};
use crate::clock::Time;
use crate::delivery::error::DeliveryError;
use crate::delivery::manager::Manager;
use crate::delivery::records::{LastApplied, keys as record_keys};
use crate::estate::allow::Date;
use crate::estate::drift::DriftSettings;
use crate::estate::{CustomerId, EnvironmentId, StackId};
use futures_util::{StreamExt as _, TryStreamExt as _};
use std::collections::BTreeMap;

/// How many objects of the store are read at once.
const AT_ONCE: usize = 16;

/// An applied stack.
#[derive(Debug, Clone)]
pub struct Standing {
    /// The stack.
    pub stack: StackId,
    /// What its checks have found; nothing before the first.
    pub record: Option<CheckRecord>,
    /// The same, judged.
    pub judged: Judged,
    /// Whether it is time for a check.
    pub due: bool,
    /// Whether the last check, or the first apply, is recent enough.
    pub in_time: bool,
}

/// All applied stacks.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// Those that are checked, by name.
    pub stacks: Vec<Standing>,
    /// Those that are not any more, and why.
    pub left_out: Vec<(StackId, String)>,
}

/// Which stacks are looked at.
#[derive(Debug, Clone, Default)]
pub struct Only<'a> {
    /// Of one customer.
    pub customer: Option<&'a CustomerId>,
    /// Of one environment.
    pub environment: Option<&'a EnvironmentId>,
}

impl Only<'_> {
    fn takes(&self, stack: &StackId) -> bool {
        self.customer.is_none_or(|c| *c == stack.customer)
            && self.environment.is_none_or(|e| *e == stack.environment)
    }
}

/// Looks at every applied stack's record.
pub async fn survey(manager: &Manager, only: &Only<'_>) -> Result<Survey, DeliveryError> {
    let mut out = Survey::default();
    let mut checked = Vec::new();
    for key in manager.store.list(keys::APPLIED).await? {
        let Some(stack) = stack_of(&key).filter(|s| only.takes(s)) else {
            continue;
        };
        match left_out(manager, &stack) {
            Some(why) => out.left_out.push((stack, why)),
            None => checked.push(stack),
        }
    }
    let today = today(manager)?;
    let now = manager.clock.now();
    out.stacks = futures_util::stream::iter(checked)
        .map(|stack| standing(manager, stack, &today, now))
        .buffered(AT_ONCE)
        .try_collect()
        .await?;
    Ok(out)
}

/// `applied/acme/web/production.json` as a stack. What tenantry did not write is left alone.
fn stack_of(key: &str) -> Option<StackId> {
    let name = key.strip_prefix("applied/")?.strip_suffix(".json")?;
    name.parse().ok()
}

/// Why an applied stack is not checked: the estate does not know it any more. A customer who is
/// suspended, or a subscription that is off, keeps what is deployed, so that is checked.
fn left_out(manager: &Manager, stack: &StackId) -> Option<String> {
    let estate = &manager.estate;
    let Some(customer) = estate.customers.get(&stack.customer) else {
        return Some(format!(
            "customer `{}` is not in the registry any more",
            stack.customer
        ));
    };
    let Some(product) = estate.products.get(&stack.product) else {
        return Some(format!(
            "product `{}` is not in the estate any more",
            stack.product
        ));
    };
    if !product.environments.contains(&stack.environment) {
        return Some(format!(
            "product `{}` has no environment `{}` any more",
            stack.product, stack.environment
        ));
    }
    let subscribed = customer
        .subscriptions
        .iter()
        .any(|s| s.product == stack.product);
    (!subscribed).then(|| {
        format!(
            "customers/{}/products.yaml does not name product `{}` any more",
            stack.customer, stack.product
        )
    })
}

async fn standing(
    manager: &Manager,
    stack: StackId,
    today: &Date,
    now: Time,
) -> Result<Standing, DeliveryError> {
    let record = manager
        .store
        .read::<CheckRecord>(&keys::check(&stack))
        .await?
        .map(|(r, _)| r);
    let applied = match record.as_ref().and_then(|r| r.checked) {
        Some(_) => None,
        None => manager
            .store
            .read::<LastApplied>(&record_keys::applied(&stack))
            .await?
            .map(|(a, _)| a.first.unwrap_or(a.at)),
    };
    let settings = &manager.estate.settings.drift;
    Ok(stands(settings, stack, record, applied, today, now))
}

/// Where a stack stands, from its record and, before there is one, from when it was applied.
pub fn stands(
    settings: &DriftSettings,
    stack: StackId,
    record: Option<CheckRecord>,
    applied: Option<Time>,
    today: &Date,
    now: Time,
) -> Standing {
    let judged = record
        .as_ref()
        .map(|r| judge(r, settings, today))
        .unwrap_or_default();
    let checked = record.as_ref().and_then(|r| r.checked);
    let window = settings.within_hours.saturating_mul(3600);
    // Twice in a window, so that a lost tick of the schedule does no harm; what failed or
    // drifted is looked at every time, so that good news comes soon.
    let due = record.as_ref().is_none_or(|r| r.error.is_some())
        || checked.is_none_or(|at| now.since(at) >= window / 2)
        || judged.told(settings).next().is_some();
    let in_time = checked
        .or(applied)
        .is_some_and(|at| now.since(at) <= window);
    Standing {
        stack,
        record,
        judged,
        due,
        in_time,
    }
}

/// A job of a matrix: stacks of one environment that are checked one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shard {
    /// The environment.
    pub environment: EnvironmentId,
    /// Whose stacks, where the jobs of each customer run in an environment of their own.
    pub customer: Option<CustomerId>,
    /// Which of how many, such as `2/3` or `acme 1/1`.
    pub name: String,
    /// Its stacks.
    pub stacks: Vec<StackId>,
}

/// A matrix has 256 jobs at most (docs.github.com, "Usage limits").
const MAX_JOBS: usize = 256;
/// Stacks of one shard, as long as there are few enough: about ten minutes.
const PER_SHARD: usize = 20;
/// The outputs of a job hold 1 MB; a stack's name is what most of it is.
const MAX_NAMES: usize = 700_000;

/// Due stacks as jobs, environment by environment; those that were tried longest ago come first,
/// and what does not fit into one run is counted. With `own`, a job is for one customer.
pub fn shards(survey: &Survey, environments: &[EnvironmentId], own: bool) -> (Vec<Shard>, usize) {
    let mut due: Vec<&Standing> = survey.stacks.iter().filter(|s| s.due).collect();
    due.sort_by_key(|s| (s.record.as_ref().map(|r| r.tried), s.stack.clone()));
    let mut room = MAX_NAMES;
    let mut later = 0;
    due.retain(|s| {
        let length = s.stack.to_string().len() + 1;
        let fits = length <= room;
        room -= if fits { length } else { room };
        later += usize::from(!fits);
        fits
    });
    let mut out = Vec::new();
    for environment in environments {
        let stacks: Vec<StackId> = due
            .iter()
            .filter(|s| s.stack.environment == *environment)
            .map(|s| s.stack.clone())
            .collect();
        if stacks.is_empty() {
            continue;
        }
        if own {
            let mut rest = by_customer(environment, stacks);
            let none = rest.split_off(rest.len().min(MAX_JOBS));
            later += none.iter().map(|s| s.stacks.len()).sum::<usize>();
            out.extend(rest);
            continue;
        }
        let count = stacks.len().div_ceil(PER_SHARD).min(MAX_JOBS);
        // Dealt out in turn, so that each job begins with what has waited longest.
        for i in 0..count {
            out.push(Shard {
                environment: environment.clone(),
                customer: None,
                name: format!("{}/{count}", i + 1),
                stacks: stacks.iter().skip(i).step_by(count).cloned().collect(),
            });
        }
    }
    (out, later)
}

/// A job for each customer, or more for one who has many stacks, those first who have waited
/// longest.
fn by_customer(environment: &EnvironmentId, stacks: Vec<StackId>) -> Vec<Shard> {
    let mut order: Vec<CustomerId> = Vec::new();
    let mut of: BTreeMap<CustomerId, Vec<StackId>> = BTreeMap::new();
    for stack in stacks {
        let theirs = of.entry(stack.customer.clone()).or_insert_with(|| {
            order.push(stack.customer.clone());
            Vec::new()
        });
        theirs.push(stack);
    }
    let mut out = Vec::new();
    for customer in order {
        let stacks = of.remove(&customer).unwrap_or_default();
        let count = stacks.len().div_ceil(PER_SHARD);
        for (i, part) in stacks.chunks(PER_SHARD).enumerate() {
            out.push(Shard {
                environment: environment.clone(),
                customer: Some(customer.clone()),
                name: format!("{customer} {}/{count}", i + 1),
                stacks: part.to_vec(),
            });
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stack(name: &str) -> StackId {
        match name.parse() {
            Ok(stack) => stack,
            Err(e) => panic!("{e}"),
        }
    }

    fn due(names: Vec<String>) -> Survey {
        Survey {
            stacks: names
                .into_iter()
                .map(|name| Standing {
                    stack: stack(&name),
                    record: None,
                    judged: Judged::default(),
                    due: true,
                    in_time: false,
                })
                .collect(),
            left_out: Vec::new(),
        }
    }

    fn environments() -> Vec<EnvironmentId> {
        ["staging", "production"]
            .iter()
            .filter_map(|e| EnvironmentId::new(e).ok())
            .collect()
    }

    #[test]
    fn six_thousand_stacks_fit_into_one_run() {
        let names = (0..3_000)
            .flat_map(|i| ["staging", "production"].map(|e| format!("customer-{i}/web/{e}")))
            .collect();
        let (shards, later) = shards(&due(names), &environments(), false);
        assert_eq!(later, 0);
        let mut seen = std::collections::BTreeSet::new();
        for environment in environments() {
            let of: Vec<&Shard> = shards
                .iter()
                .filter(|s| s.environment == environment)
                .collect();
            assert_eq!(of.len(), 150);
            assert_eq!(of[0].name, "1/150");
        }
        for shard in &shards {
            assert!(shard.stacks.len() <= 20);
            for stack in &shard.stacks {
                assert_eq!(stack.environment, shard.environment);
                assert!(seen.insert(stack.clone()), "{stack} twice");
            }
        }
        assert_eq!(seen.len(), 6_000);
    }

    #[test]
    fn a_matrix_has_no_more_than_256_jobs_and_an_output_its_limit() {
        let long = |i: usize| format!("c{i:0>39}/p{i:0>39}/production");
        let (shards, later) = shards(
            &due((0..20_000).map(long).collect()),
            &environments(),
            false,
        );
        assert_eq!(shards.len(), 256);
        let kept: usize = shards.iter().map(|s| s.stacks.len()).sum();
        assert_eq!(kept + later, 20_000);
        assert!(later > 0);
        let bytes: usize = shards
            .iter()
            .flat_map(|s| &s.stacks)
            .map(|s| s.to_string().len() + 1)
            .sum();
        assert!(bytes <= MAX_NAMES);
    }

    #[test]
    fn a_job_for_one_customer_has_no_stack_of_another() {
        let names = (0..300).flat_map(|c| {
            let many = if c == 1 { 45 } else { 2 };
            (0..many).map(move |p| format!("c{c}/p{p}/production"))
        });
        let (shards, later) = shards(&due(names.collect()), &environments(), true);
        assert_eq!(shards.len(), 256);
        let kept: usize = shards.iter().map(|s| s.stacks.len()).sum();
        assert_eq!(kept + later, 299 * 2 + 45);
        for shard in &shards {
            assert!(shard.stacks.len() <= 20);
            let whose = shard.customer.as_ref();
            assert!(shard.stacks.iter().all(|s| Some(&s.customer) == whose));
        }
        let second: Vec<&str> = shards
            .iter()
            .filter(|s| s.customer.as_ref().is_some_and(|c| c.as_str() == "c1"))
            .map(|s| s.name.as_str())
            .collect();
        assert_eq!(second, ["c1 1/3", "c1 2/3", "c1 3/3"]);
    }

    #[test]
    fn nothing_due_is_no_job() {
        let mut survey = due(vec!["acme/web/staging".into()]);
        survey.stacks[0].due = false;
        assert_eq!(shards(&survey, &environments(), false), (Vec::new(), 0));
    }

    #[test]
    fn a_stack_is_due_twice_in_its_time_and_sooner_if_its_last_check_failed()
    -> Result<(), Box<dyn std::error::Error>> {
        const HOUR: u64 = 3_600;
        let now = Time(100 * HOUR);
        let today: Date = "2026-11-21".parse()?;
        let settings = DriftSettings::default();
        let record = |checked: Option<u64>, error: Option<&str>| CheckRecord {
            version: 1,
            stack: stack("acme/web/staging"),
            run: crate::delivery::records::RunRef {
                id: 1,
                attempt: 1,
                url: String::new(),
            },
            tried: now,
            checked: checked.map(|hours| Time(now.0 - hours * HOUR)),
            error: error.map(str::to_owned),
            failing_since: None,
            drift: Vec::new(),
            omitted: 0,
            exact: true,
            note: None,
        };
        let applied = |hours: u64| Some(Time(now.0 - hours * HOUR));
        for (record, applied, due, in_time) in [
            (Some(record(Some(1), None)), None, false, true),
            (Some(record(Some(11), None)), None, false, true),
            (Some(record(Some(12), None)), None, true, true),
            (Some(record(Some(24), None)), None, true, true),
            (Some(record(Some(25), None)), None, true, false),
            // A try that came to nothing is no check.
            (Some(record(Some(1), Some("no"))), None, true, true),
            (Some(record(Some(25), Some("no"))), None, true, false),
            (Some(record(None, Some("no"))), applied(23), true, true),
            (Some(record(None, Some("no"))), applied(25), true, false),
            // Never tried: its first apply begins its time.
            (None, applied(1), true, true),
            (None, applied(25), true, false),
            (None, None, true, false),
        ] {
            let what = format!("{record:?} {applied:?}");
            let stack = stack("acme/web/staging");
            let found = stands(&settings, stack, record, applied, &today, now);
            assert_eq!((found.due, found.in_time), (due, in_time), "{what}");
        }
        Ok(())
    }

    #[test]
    fn only_keys_of_stacks_are_stacks() {
        assert_eq!(
            stack_of("applied/acme/web/staging.json"),
            Some(stack("acme/web/staging"))
        );
        for key in [
            "applied/acme/web.json",
            "applied/acme/web/staging",
            "applied/acme/web/staging/x.json",
            "applied/../web/staging.json",
            "plans/acme/web/staging.json",
        ] {
            assert_eq!(stack_of(key), None, "{key}");
        }
    }
}
