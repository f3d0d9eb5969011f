//! What people do in a schedule: customers push and open pull requests, a reviewer reviews, and
//! at the end an operator looks after what is still red.

use super::hub::{OLIVIA, Person, Pull};
use super::provider::{BROKEN, TENANTS, value, variables};
use super::runs::Floor;
use super::world::{Odds, clock};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::Duration;
use tokio::task::spawn_local;
use tokio::time::sleep;

/// A sweep every quarter of an hour.
const TICK: u64 = 900;

/// What a customer's default branch has said so far: commit and value, `None` for a file that is
/// refused, oldest first.
pub type Mainline = Vec<Vec<(String, Option<String>)>>;

/// The people.
#[derive(Clone)]
pub struct People {
    floor: Floor,
    /// Whose turn it can be.
    tenants: usize,
    /// By customer.
    pub mainline: Rc<RefCell<Mainline>>,
    /// What each customer's stacks should have been so far, oldest first.
    desired: Rc<RefCell<Vec<Vec<String>>>>,
    /// Numbers the releases.
    next: Rc<RefCell<u64>>,
}

impl People {
    /// The people of a schedule; every default branch holds `r0`.
    pub fn new(floor: Floor) -> Self {
        let tenants = floor.provider.tenants;
        let mainline = TENANTS
            .iter()
            .take(tenants)
            .map(|(_, slug, _)| {
                let head = floor.shared.world().hub.repositories[*slug].head.clone();
                vec![(head, Some("r0".to_owned()))]
            })
            .collect();
        Self {
            floor,
            tenants,
            mainline: Rc::new(RefCell::new(mainline)),
            desired: Rc::new(RefCell::new(vec![vec![value("r0", 0)]; tenants])),
            next: Rc::default(),
        }
    }

    fn roll(&self, n: u64) -> u64 {
        self.floor.shared.world().roll(n)
    }

    /// Everything that happens while things go wrong.
    pub async fn trouble(&self, events: u64) {
        let mut tasks = Vec::new();
        for _ in 0..events {
            let people = self.clone();
            let at = self.roll(7_200);
            tasks.push(spawn_local(async move {
                sleep(Duration::from_secs(at)).await;
                people.event().await;
            }));
        }
        for tick in 0..(2 * 3_600 / TICK) {
            let people = self.clone();
            if self.roll(10) == 0 {
                continue;
            }
            let late = self.roll(600);
            tasks.push(spawn_local(async move {
                sleep(Duration::from_secs(tick * TICK + late)).await;
                people.floor.clone().run(None).await;
            }));
        }
        if self.roll(3) == 0 {
            let people = self.clone();
            let at = self.roll(7_200);
            tasks.push(spawn_local(async move {
                sleep(Duration::from_secs(at)).await;
                people.change_estate();
            }));
        }
        let reviewer = self.clone();
        let reviews = spawn_local(async move {
            loop {
                let pause = 120 + reviewer.roll(900);
                sleep(Duration::from_secs(pause)).await;
                reviewer.review(false);
            }
        });
        for task in tasks {
            let _ = task.await;
        }
        self.quiet().await;
        reviews.abort();
    }

    /// Waits until no run works, however long a review takes.
    async fn quiet(&self) {
        loop {
            sleep(Duration::from_secs(60)).await;
            let world = self.floor.shared.world();
            if world.hub.runs.values().all(|r| r.completed) {
                return;
            }
        }
    }

    /// One thing that a customer does.
    async fn event(&self) {
        let tenant =
            usize::try_from(self.roll(u64::try_from(self.tenants).unwrap_or(1))).unwrap_or(0);
        let fresh = {
            let mut next = self.next.borrow_mut();
            *next += 1;
            format!("r{next}")
        };
        match self.roll(100) {
            0..55 => self.push(tenant, Some(fresh)).await,
            55..65 => self.push(tenant, None).await,
            65..75 => {
                let again = self.mainline.borrow()[tenant]
                    .iter()
                    .rev()
                    .find_map(|(_, v)| v.clone());
                self.push(tenant, again).await;
            }
            _ => self.propose(tenant, fresh).await,
        }
    }

    /// The provider changes what concerns everybody.
    fn change_estate(&self) {
        self.floor
            .shared
            .tell(|| "the provider changes the estate".to_owned());
        self.floor.shared.world().hub.estate = 1;
        for tenant in 0..self.tenants {
            self.desire(tenant);
        }
    }

    /// Notes what a customer's stacks should be from now on.
    fn desire(&self, tenant: usize) {
        let estate = self.floor.shared.world().hub.estate;
        let head = self.mainline.borrow()[tenant].last().cloned();
        if let Some(release) = head.and_then(|(_, value)| value) {
            self.desired.borrow_mut()[tenant].push(value(&release, estate));
        }
    }

    /// What a customer's stacks should be now, unless the customer's file is broken.
    pub fn wants(&self, tenant: usize) -> Option<String> {
        let estate = self.floor.shared.world().hub.estate;
        let head = self.mainline.borrow()[tenant].last().cloned();
        Some(value(&head?.1?, estate))
    }

    /// Changes the default branch.
    async fn push(&self, tenant: usize, value: Option<String>) {
        let (id, slug, who) = TENANTS[tenant];
        let text = value
            .as_deref()
            .map_or_else(|| BROKEN.to_owned(), variables);
        let sha = {
            let mut world = self.floor.shared.world();
            let sha = world.hub.commit(slug, who, &text);
            if let Some(repository) = world.hub.repositories.get_mut(slug) {
                repository.head.clone_from(&sha);
            }
            sha
        };
        self.floor
            .shared
            .tell(|| format!("{id} pushes {value:?} as {sha}"));
        self.mainline.borrow_mut()[tenant].push((sha.clone(), value));
        self.desire(tenant);
        self.hint(tenant, &sha, None).await;
    }

    /// Opens a pull request, sometimes changes it, and mostly merges it.
    async fn propose(&self, tenant: usize, value: String) {
        let (id, slug, who) = TENANTS[tenant];
        let (number, mut head) = {
            let mut world = self.floor.shared.world();
            let head = world.hub.commit(slug, who, &variables(&value));
            let number = world.hub.number();
            let base = world.hub.repositories[slug].head.clone();
            let pull = Pull {
                head: head.clone(),
                base,
                author: who,
                merged: None,
            };
            if let Some(repository) = world.hub.repositories.get_mut(slug) {
                repository.pulls.insert(number, pull);
            }
            (number, head)
        };
        self.floor
            .shared
            .tell(|| format!("{id} opens #{number} with {value} as {head}"));
        self.hint(tenant, &head, Some(number)).await;
        let pause = self.roll(1_800);
        sleep(Duration::from_secs(pause)).await;
        if self.roll(3) == 0 {
            head = {
                let mut world = self.floor.shared.world();
                let head = world.hub.commit(slug, who, &variables(&value));
                let repository = world.hub.repositories.get_mut(slug);
                if let Some(pull) = repository.and_then(|r| r.pulls.get_mut(&number)) {
                    pull.head.clone_from(&head);
                }
                head
            };
            self.floor
                .shared
                .tell(|| format!("{id} changes #{number} to {head}"));
            self.hint(tenant, &head, Some(number)).await;
            let pause = self.roll(900);
            sleep(Duration::from_secs(pause)).await;
        }
        if self.roll(4) == 0 {
            return;
        }
        let merge = {
            let mut world = self.floor.shared.world();
            let merge = world.hub.commit(slug, who, &variables(&value));
            if let Some(repository) = world.hub.repositories.get_mut(slug) {
                repository.head.clone_from(&merge);
                if let Some(pull) = repository.pulls.get_mut(&number) {
                    pull.merged = Some(merge.clone());
                }
            }
            merge
        };
        self.floor
            .shared
            .tell(|| format!("{id} merges #{number} as {merge}"));
        self.mainline.borrow_mut()[tenant].push((merge.clone(), Some(value)));
        self.desire(tenant);
        self.hint(tenant, &merge, None).await;
    }

    /// The customer's workflow sends a hint, which may be late, lost or doubled.
    async fn hint(&self, tenant: usize, sha: &str, pull: Option<u64>) {
        let (number, copies) = {
            let mut world = self.floor.shared.world();
            let odds = world.odds;
            let copies = match (
                world.chance(odds.hint_dropped),
                world.chance(odds.hint_doubled),
            ) {
                (true, _) => 0,
                (false, true) => 2,
                (false, false) => 1,
            };
            (world.hub.number(), copies)
        };
        let payload = self.floor.provider.payload(tenant, sha, pull, number);
        for _ in 0..copies {
            let (floor, payload) = (self.floor.clone(), payload.clone());
            let late = self.roll(240);
            spawn_local(async move {
                sleep(Duration::from_secs(late)).await;
                floor.run(Some(payload)).await;
            });
        }
        sleep(Duration::from_secs(1)).await;
    }

    /// The reviewer looks at what waits. A `kind` one approves everything.
    fn review(&self, kind: bool) {
        let waiting: Vec<u64> = {
            let world = self.floor.shared.world();
            let runs = world.hub.runs.iter().filter(|(_, r)| r.waits);
            runs.map(|(id, _)| *id).collect()
        };
        for run in waiting {
            let (who, what): (Person, &'static str) = match if kind { 99 } else { self.roll(100) } {
                0..5 => (OLIVIA, "rejected"),
                5..10 => (TENANTS[0].2, "approved"),
                10..30 => continue,
                _ => (OLIVIA, "approved"),
            };
            self.floor
                .shared
                .tell(|| format!("{} {what} run {run}", who.login));
            let now = clock().now().0;
            if let Some(run) = self.floor.shared.world().hub.runs.get_mut(&run) {
                run.waits = false;
                run.reviews.push((who, what, now));
            }
        }
    }

    /// Nothing goes wrong any more: sweeps, reviews, and an operator who takes care of what is
    /// red. Answers whether everything came to rest.
    pub async fn settle(&self) -> bool {
        self.floor.shared.world().odds = Odds::default();
        self.floor
            .shared
            .tell(|| "--- nothing goes wrong any more".to_owned());
        let reviewer = self.clone();
        let reviews = spawn_local(async move {
            loop {
                sleep(Duration::from_secs(60)).await;
                reviewer.review(true);
            }
        });
        let mut rest = false;
        for round in 0..30 {
            self.floor.clone().run(None).await;
            self.quiet().await;
            let open = self.open();
            if open.is_empty() {
                rest = true;
                break;
            }
            if round > 2 {
                self.unlock();
                for (tenant, sha, pull) in open {
                    self.hint(tenant, &sha, pull).await;
                }
                sleep(Duration::from_secs(300)).await;
                self.quiet().await;
            }
            sleep(Duration::from_secs(TICK)).await;
        }
        reviews.abort();
        rest
    }

    /// Locks that killed applies left are broken by a person.
    fn unlock(&self) {
        for stack in self.floor.shared.world().cloud.stacks.values_mut() {
            stack.lock = None;
        }
    }

    /// Heads that have not the status that they should have.
    fn open(&self) -> Vec<(usize, String, Option<u64>)> {
        let world = self.floor.shared.world();
        let mut out = Vec::new();
        for (tenant, (_, slug, _)) in TENANTS.iter().take(self.tenants).enumerate() {
            let repository = &world.hub.repositories[*slug];
            let good = |sha: &str| repository.commits[sha].text != BROKEN;
            let state = |sha: &str| {
                let last = repository.statuses.get(sha).and_then(|s| s.last());
                last.map(|(state, _)| state.clone())
            };
            let is = |sha: &str| {
                state(sha).as_deref() == Some(if good(sha) { "success" } else { "failure" })
            };
            if !is(&repository.head) {
                out.push((tenant, repository.head.clone(), None));
            }
            for (number, pull) in repository.pulls.iter().filter(|(_, p)| p.merged.is_none()) {
                if !is(&pull.head) {
                    out.push((tenant, pull.head.clone(), Some(*number)));
                }
            }
        }
        out
    }

    /// How often each state was asked for, by customer.
    pub fn wanted(&self) -> Vec<BTreeMap<String, u64>> {
        let count = |line: &Vec<String>| {
            let mut out = BTreeMap::new();
            for value in line {
                *out.entry(value.clone()).or_default() += 1;
            }
            out
        };
        self.desired.borrow().iter().map(count).collect()
    }
}
