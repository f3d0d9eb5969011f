//! One customer changes everything at once.

use super::hub::Pull;
use super::people::People;
use super::provider::{Provider, TENANTS, variables};
use super::runs::Floor;
use super::world::{self, Shared};
use std::path::Path;
use std::rc::Rc;
use tenantry::delivery::share::SHARE;

const FLOOD: usize = 1_000;

/// Opens a pull request that nobody hints at; its head.
fn propose(shared: &Shared, tenant: usize, release: usize) -> String {
    let (_, slug, author) = TENANTS[tenant];
    let mut world = shared.world();
    let head = world
        .hub
        .commit(slug, author, &variables(&format!("r{release}")));
    let number = world.hub.number();
    let repository = world.hub.repositories.get_mut(slug).unwrap();
    let pull = Pull {
        head: head.clone(),
        base: repository.head.clone(),
        author,
        merged: None,
    };
    repository.pulls.insert(number, pull);
    head
}

/// Says which of `heads` have a final status.
fn told(shared: &Shared, tenant: usize, heads: &[String]) -> usize {
    let world = shared.world();
    let statuses = &world.hub.repositories[TENANTS[tenant].1].statuses;
    let last = |head: &&String| statuses.get(*head).and_then(|all| all.last());
    heads
        .iter()
        .filter(|head| last(head).is_some_and(|(state, _)| state == "success"))
        .count()
}

/// Runs a sweep with everything that follows from it, again and again, until everybody has been
/// told. How many of acme's and of globex's heads each sweep has served.
pub fn flood(provider: &Rc<Provider>, work: &Path) -> Vec<(usize, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    tokio::task::LocalSet::new().block_on(&runtime, async {
        world::restart();
        let shared = Shared::new(26, false, provider.hub());
        let floor = Floor::new(shared.clone(), provider.clone(), work.join("flood"));
        // Everything is applied and told, first.
        assert!(People::new(floor.clone()).settle().await);
        let acme: Vec<String> = (0..FLOOD).map(|i| propose(&shared, 0, i)).collect();
        let globex = [propose(&shared, 1, 1)];
        let mut served = Vec::new();
        let mut before = (0, 0);
        while before.0 < FLOOD && served.len() < 2 * FLOOD / SHARE {
            floor.clone().run(None).await;
            let now = (told(&shared, 0, &acme), told(&shared, 1, &globex));
            served.push((now.0 - before.0, now.1 - before.1));
            before = now;
        }
        served
    })
}
