//! The loop under thousands of schedules of faults: a virtual clock, seeded chance at every call
//! to GitHub, to the store and to the cloud, runners that die in between, lost and doubled hints,
//! dropped sweeps, and several customers and runs at once.
//!
//! The code under test is the delivery itself; GitHub, the object storage and Terraform are
//! models in memory. That the real ones behave alike is for the stories on the local GitHub
//! (`tests/faults.rs`), the bucket (`tests/store.rs`) and the real Terraform (`tests/act.rs`).
//!
//! ```text
//! TENANTRY_SIMULATION=10000 cargo test --test simulation            that many schedules
//! TENANTRY_SIMULATION_SEED=4711 cargo test --test simulation -- --nocapture    one, told
//! ```
#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "the simulation tells what it does, and is a test throughout"
)]

#[path = "simulation/cloud.rs"]
mod cloud;
#[path = "simulation/flood.rs"]
mod flood;
#[path = "simulation/hub.rs"]
mod hub;
#[path = "simulation/objects.rs"]
mod objects;
#[path = "simulation/oracle.rs"]
mod oracle;
#[path = "simulation/people.rs"]
mod people;
#[path = "simulation/provider.rs"]
mod provider;
#[path = "simulation/runs.rs"]
mod runs;
#[path = "simulation/world.rs"]
mod world;

use people::People;
use provider::Provider;
use runs::Floor;
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use tenantry::delivery::share::SHARE;
use world::{Odds, Shared};

/// Schedules that are run where nobody says how many.
const SCHEDULES: u64 = 300;

/// What came of a schedule.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    wrong: Vec<String>,
    crossings: u64,
    faults: u64,
    kills: u64,
    applies: u64,
    told: Vec<(String, String, String)>,
}

/// A provider of one, of two and of three customers.
fn providers() -> [Rc<Provider>; 3] {
    [1, 2, 3].map(|tenants| Rc::new(Provider::new(tenants).unwrap()))
}

/// Runs one schedule.
fn schedule(seed: u64, providers: &[Rc<Provider>; 3], work: &Path, tell: bool) -> Outcome {
    let provider = &providers[usize::try_from(seed % 3).unwrap()];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    let local = tokio::task::LocalSet::new();
    local.block_on(&runtime, async {
        world::restart();
        let shared = Shared::new(seed, tell, provider.hub());
        let events = {
            let mut world = shared.world();
            // Most schedules go wrong a little, some very much, a few not at all.
            let scale = [0, 10, 30, 30, 100, 300][usize::try_from(world.roll(6)).unwrap()];
            let mut odds = |share: u64| world.roll(share * scale / 10 + 1);
            let odds = Odds {
                refused: odds(10),
                lost: odds(10),
                limited: odds(10),
                killed: odds(4),
                hint_dropped: odds(300),
                hint_doubled: odds(300),
                cloud: odds(100),
                again: odds(200),
            };
            world.odds = odds;
            1 + world.roll(5)
        };
        shared.tell(|| {
            format!(
                "{} customers, {events} events, {:?}",
                provider.tenants,
                shared_odds(&shared)
            )
        });
        let floor = Floor::new(
            shared.clone(),
            provider.clone(),
            work.join(seed.to_string()),
        );
        let people = People::new(floor.clone());
        people.trouble(events).await;
        let rest = people.settle().await;
        let wrong = oracle::judge(&floor, &people, rest)
            .await
            .unwrap_or_else(|e| vec![e]);
        let mut world = shared.world();
        Outcome {
            wrong,
            crossings: world.seen.crossings,
            faults: world.seen.faults,
            kills: world.seen.kills,
            applies: world.seen.applies,
            told: std::mem::take(&mut world.hub.told),
        }
    })
}

fn shared_odds(shared: &Shared) -> Odds {
    shared.world().odds
}

/// A folder for working copies, in memory where there is such a place: they are many and small.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in("/dev/shm")
        .or_else(|_| tempfile::tempdir())
        .unwrap()
}

fn variable(name: &str) -> Option<u64> {
    #[allow(clippy::disallowed_methods)]
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn t27_t28_t29_every_schedule_ends_with_the_last_desired_state_applied_once_and_told() {
    let dir = folder();
    if let Some(seed) = variable("TENANTRY_SIMULATION_SEED") {
        let outcome = schedule(seed, &providers(), dir.path(), true);
        assert!(outcome.wrong.is_empty(), "{:#?}", outcome.wrong);
        return;
    }
    let from = variable("TENANTRY_SIMULATION_FROM").unwrap_or(1);
    let count = variable("TENANTRY_SIMULATION").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(from);
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let started = std::time::Instant::now();
    let results: Vec<(u64, Outcome)> = std::thread::scope(|scope| {
        let work = || {
            let providers = providers();
            let mut out = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= from + count {
                    return out;
                }
                out.push((seed, schedule(seed, &providers, dir.path(), false)));
            }
        };
        let handles: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
        handles
            .into_iter()
            .flat_map(|h| h.join().unwrap())
            .collect()
    });
    let sum = |pick: fn(&Outcome) -> u64| results.iter().map(|(_, o)| pick(o)).sum::<u64>();
    println!(
        "{count} schedules: {} calls, {} faults, {} runners killed, {} applies, {} s",
        sum(|o| o.crossings),
        sum(|o| o.faults),
        sum(|o| o.kills),
        sum(|o| o.applies),
        started.elapsed().as_secs()
    );
    let bad: Vec<_> = results
        .iter()
        .filter(|(_, o)| !o.wrong.is_empty())
        .collect();
    for (seed, outcome) in bad.iter().take(5) {
        println!("TENANTRY_SIMULATION_SEED={seed}: {:#?}", outcome.wrong);
    }
    assert!(
        bad.is_empty(),
        "{} of {count} schedules went wrong",
        bad.len()
    );
    assert!(
        sum(|o| o.faults) > count && sum(|o| o.kills) > 0,
        "nothing went wrong at all"
    );
}

#[test]
fn a_seed_reproduces() {
    let dir = folder();
    let providers = providers();
    for seed in 1..=5 {
        let first = schedule(seed, &providers, dir.path(), false);
        let second = schedule(seed, &providers, dir.path(), false);
        assert_eq!(first, second, "seed {seed}");
    }
}

#[test]
fn t26_a_thousand_pull_requests_of_one_customer_keep_nobody_waiting() {
    let served = flood::flood(&providers()[1], folder().path());
    // The other customer is served by the very first sweep, and the flood by its share.
    let (acme, globex) = served[0];
    assert_eq!(globex, 1);
    assert!((1..=SHARE).contains(&acme), "{acme}");
    assert!(served.iter().all(|(acme, _)| *acme <= SHARE));
    // Nobody is forgotten: every sweep goes on where the last one stopped.
    assert_eq!(served.iter().map(|(acme, _)| acme).sum::<usize>(), 1_000);
    assert!(served.len() <= 1_000 / SHARE + 3, "{} sweeps", served.len());
}
