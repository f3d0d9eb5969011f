//! One schedule: its randomness, its clock, its faults, and everything that outlives a job.

use super::cloud::Cloud;
use super::hub::Hub;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tenantry::clock::{Clock, Time};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

/// When every schedule begins, in seconds since 1970.
const BEGIN: u64 = 1_790_000_000;

thread_local! {
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// The schedule's clock: tokio's paused one.
pub fn clock() -> Clock {
    Clock::from_fn(|| {
        let started = STARTED.with(|s| {
            let at = s.get().unwrap_or_else(Instant::now);
            s.set(Some(at));
            at
        });
        Time(BEGIN + started.elapsed().as_secs())
    })
}

/// A new schedule begins on this thread.
pub fn restart() {
    STARTED.with(|s| s.set(Some(Instant::now())));
}

/// What may go wrong in a schedule, each in 1 of 10,000 crossings.
#[derive(Debug, Clone, Copy, Default)]
pub struct Odds {
    /// A call is answered with an error and was not carried out.
    pub refused: u64,
    /// A call was carried out, and its answer is lost.
    pub lost: u64,
    /// GitHub wants us to wait.
    pub limited: u64,
    /// The runner dies.
    pub killed: u64,
    /// A hint is dropped.
    pub hint_dropped: u64,
    /// A hint is delivered twice.
    pub hint_doubled: u64,
    /// The cloud refuses a change.
    pub cloud: u64,
    /// Somebody runs a run again.
    pub again: u64,
}

/// What becomes of a crossing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It happens, and is answered.
    Fine,
    /// It does not happen.
    Refused,
    /// It happens, and nobody is told.
    Lost,
    /// GitHub's limit.
    Limited,
    /// It happens, and then the runner dies.
    LastAct,
}

/// What was seen to be wrong, and what is counted.
#[derive(Debug, Default)]
pub struct Seen {
    /// Broken rules.
    pub wrong: Vec<String>,
    /// How often a resource took on a value.
    pub became: BTreeMap<(String, String, String), u64>,
    /// How many faults were met.
    pub faults: u64,
    /// How many jobs were killed.
    pub kills: u64,
    /// How many calls were made.
    pub crossings: u64,
    /// How many applies changed something.
    pub applies: u64,
}

/// Everything that outlives a job.
pub struct World {
    /// Whether what happens is printed.
    pub tell: bool,
    rng: u64,
    /// What may go wrong now.
    pub odds: Odds,
    /// GitHub.
    pub hub: Hub,
    /// What Terraform changes.
    pub cloud: Cloud,
    /// What was seen.
    pub seen: Seen,
}

impl World {
    /// A number below `n`.
    pub fn roll(&mut self, n: u64) -> u64 {
        // SplitMix64 (Steele, Lea, Flood: "Fast splittable pseudorandom number generators").
        self.rng = self.rng.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.rng;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n.max(1)
    }
    /// Whether something happens that has these odds.
    pub fn chance(&mut self, odds: u64) -> bool {
        odds > 0 && self.roll(10_000) < odds
    }
    /// Notes a broken rule.
    pub fn wrong(&mut self, what: String) {
        self.seen.wrong.push(what);
    }
}

/// A world that jobs share.
#[derive(Clone)]
pub struct Shared(Arc<Mutex<World>>);

impl Shared {
    /// The world of a seed.
    pub fn new(seed: u64, tell: bool, hub: Hub) -> Self {
        Self(Arc::new(Mutex::new(World {
            tell,
            rng: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d,
            odds: Odds::default(),
            hub,
            cloud: Cloud::default(),
            seen: Seen::default(),
        })))
    }
    /// The world itself. Never held over an `await`.
    pub fn world(&self) -> MutexGuard<'_, World> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
    /// Prints what happens, when somebody wants to see it.
    pub fn tell(&self, text: impl FnOnce() -> String) {
        let tell = self.world().tell;
        if tell {
            println!("{:>7} {}", clock().now().0 - BEGIN, text());
        }
    }
    /// A pause of up to `most` milliseconds, so that jobs overtake each other.
    pub async fn pause(&self, most: u64) {
        let pause = self.world().roll(most);
        sleep(Duration::from_millis(pause)).await;
    }
}

/// One job on a runner: every call that it makes can be its last.
#[derive(Clone)]
pub struct Job {
    /// The world that it works in.
    pub shared: Shared,
    /// Such as `run 7 plan acme/web/staging`.
    pub name: String,
    /// Its workflow run.
    pub run: u64,
    /// How often the run was started.
    pub attempt: u64,
    /// Which estate the run was started for.
    pub estate: usize,
    dead: Arc<AtomicBool>,
    killed: Arc<Notify>,
}

impl std::fmt::Debug for Job {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name)
    }
}

impl Job {
    /// A job of a run.
    pub fn new(shared: &Shared, run: u64, name: String) -> Self {
        let (estate, attempt) = match shared.world().hub.runs.get(&run) {
            Some(run) => (run.estate, run.attempt),
            None => (0, 1),
        };
        Self {
            estate,
            attempt,
            shared: shared.clone(),
            name,
            run,
            dead: Arc::default(),
            killed: Arc::default(),
        }
    }

    /// Runs `work` until it ends or the runner dies.
    pub async fn work<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.killed.notified() => None,
            done = work => Some(done),
        }
    }

    /// The runner dies here and now.
    pub async fn die(&self) -> std::convert::Infallible {
        self.shared.tell(|| format!("{}: KILLED", self.name));
        self.shared.world().seen.kills += 1;
        self.dead.store(true, Ordering::SeqCst);
        self.killed.notify_one();
        std::future::pending().await
    }

    /// A call to something outside, before it happens: others may be faster, and it may go wrong.
    pub async fn cross(&self, what: &str) -> Fate {
        self.shared.pause(400).await;
        let fate = {
            let mut world = self.shared.world();
            world.seen.crossings += 1;
            let odds = world.odds;
            let fate = if world.chance(odds.killed) {
                match world.roll(2) {
                    0 => None,
                    _ => Some(Fate::LastAct),
                }
            } else if world.chance(odds.refused) {
                Some(Fate::Refused)
            } else if world.chance(odds.lost) {
                Some(Fate::Lost)
            } else if world.chance(odds.limited) {
                Some(Fate::Limited)
            } else {
                Some(Fate::Fine)
            };
            if fate != Some(Fate::Fine) {
                world.seen.faults += 1;
            }
            fate
        };
        match fate {
            None => {
                self.die().await;
                Fate::Refused
            }
            Some(fate) => {
                self.shared
                    .tell(|| format!("{}: {what} {fate:?}", self.name));
                fate
            }
        }
    }
}
