//! The sweep: whatever was lost, late or left open is found here. It is also the whole intake of
//! a provider who polls.

use super::error::DeliveryError;
use super::hint::Event;
use super::manager::Manager;
use super::open::{Opened, Reason, is_alive, open};
use super::records::{Outcome, Request, Seen, keys};
use super::{publish, trail, unfinished};
use crate::estate::model::{Customer, Status};
use crate::estate::{CustomerId, Sha};
use crate::github::Polled;
use crate::github::budget::Budget;
use std::collections::BTreeMap;

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Requests with work.
    pub work: Vec<Request>,
    /// Requests that were closed here.
    pub closed: Vec<Request>,
    /// Customers that could not be looked at, and why. They do not stop the others.
    pub failed: Vec<(CustomerId, String)>,
    /// How many customers were looked at.
    pub customers: usize,
}

/// A run takes no more stacks than this: a matrix has 256 jobs at most, and what does not fit is
/// found again by the next sweep, because nothing is noted for customers that were not looked at.
const ENOUGH: usize = 200;

/// No job lasts longer than this, in seconds (docs.github.com, "Usage limits").
const LONGEST: u64 = 6 * 60 * 60;

/// What GitHub says about the customers, before anybody is looked at.
#[derive(Debug)]
pub struct Survey<'a> {
    found: Vec<Found<'a>>,
    /// Whether a person asks about one customer.
    asked: bool,
    /// About what looking at those who changed will ask of GitHub.
    pub budget: Budget,
}

#[derive(Debug)]
struct Found<'a> {
    customer: &'a Customer,
    polled: Option<Polled>,
    now: Option<Seen>,
    before: Option<Seen>,
}

/// One look at a head: the repository, branch or pull request, who wrote it (2), the commit, and
/// the way down to the file (4).
const LOOK: Budget = Budget {
    calls: 9,
    points: 0,
    creates: 0,
};
/// Telling how it stands: statuses and comment are read, then written.
const TELL: Budget = Budget {
    calls: 5,
    points: 0,
    creates: 2,
};

/// Looks at every active customer, or at `only` one: then a person asks, and what has failed is
/// begun anew.
pub async fn reconcile(
    manager: &Manager,
    only: Option<&CustomerId>,
) -> Result<Sweep, DeliveryError> {
    sweep(manager, survey(manager, only).await?).await
}

/// Asks GitHub where every active customer stands, or `only` one.
pub async fn survey<'a>(
    manager: &'a Manager,
    only: Option<&CustomerId>,
) -> Result<Survey<'a>, DeliveryError> {
    let customers: Vec<&Customer> = manager
        .estate
        .customers
        .values()
        .filter(|c| {
            c.status == Status::Active
                && c.repository.is_some()
                && c.repository_id.is_some()
                && only.is_none_or(|o| *o == c.id)
        })
        .collect();
    let repositories: Vec<_> = customers
        .iter()
        .filter_map(|c| c.repository.clone())
        .collect();
    let polled = manager.source.poll(&repositories).await?;
    let mut survey = Survey {
        found: Vec::new(),
        asked: only.is_some(),
        budget: Budget::default(),
    };
    for (customer, polled) in customers.into_iter().zip(polled) {
        let key = keys::seen(&customer.id);
        let before = manager.store.read::<Seen>(&key).await?.map(|(s, _)| s);
        let now = polled.as_ref().map(|p| seen(manager, customer, p));
        let asked = only.is_some();
        if let Some(now) = now
            .as_ref()
            .filter(|now| asked || before.as_ref() != Some(now))
        {
            let was = |n: &(u64, String)| before.as_ref().is_some_and(|b| b.pulls.contains(n));
            let heads = u64::from(now.head.is_some()) + now.pulls.len() as u64;
            let new = now.pulls.iter().filter(|n| !was(n)).count() as u64
                + u64::from(before.as_ref().map(|b| &b.head) != Some(&now.head));
            survey.budget += LOOK * heads;
            survey.budget += TELL * new;
        }
        survey.found.push(Found {
            customer,
            polled,
            now,
            before,
        });
    }
    Ok(survey)
}

/// Looks at those of a survey who changed, or who have something open.
pub async fn sweep(manager: &Manager, survey: Survey<'_>) -> Result<Sweep, DeliveryError> {
    let mut sweep = Sweep::default();
    for Found {
        customer,
        polled,
        now,
        before,
    } in survey.found
    {
        if sweep.work.iter().map(|r| r.stacks.len()).sum::<usize>() >= ENOUGH {
            tracing::warn!(
                "enough work for one run; the next sweep goes on with `{}`",
                customer.id
            );
            break;
        }
        sweep.customers += 1;
        let looked = match polled.zip(now) {
            Some((polled, now)) if Some(polled.id) == customer.repository_id => {
                let why = Why {
                    changed: before.as_ref() != Some(&now),
                    asked: survey.asked,
                };
                look(manager, customer, &polled, now, why, &mut sweep).await
            }
            Some((polled, _)) => {
                sweep.failed.push((customer.id.clone(), format!("its repository is another one now (id {}); check customers/{}/metadata.yaml", polled.id, customer.id)));
                continue;
            }
            None => {
                sweep.failed.push((customer.id.clone(), "its repository cannot be read; it was removed or renamed, or TENANTRY_SOURCE_TOKEN may not see it".into()));
                continue;
            }
        };
        if let Err(error) = looked {
            sweep
                .failed
                .push((customer.id.clone(), publish::say(&error)));
        }
    }
    Ok(sweep)
}

fn seen(manager: &Manager, customer: &Customer, polled: &Polled) -> Seen {
    Seen {
        head: polled.head.as_ref().map(|(_, sha)| sha.clone()),
        pulls: polled.pulls.clone(),
        estate: manager.estate_digest(&customer.id),
    }
}

/// Why a customer is looked at.
#[derive(Debug, Clone, Copy)]
struct Why {
    /// Something is not as the last sweep saw it.
    changed: bool,
    /// A person asks about this one.
    asked: bool,
}

async fn look(
    manager: &Manager,
    customer: &Customer,
    polled: &Polled,
    now: Seen,
    why: Why,
    sweep: &mut Sweep,
) -> Result<(), DeliveryError> {
    let key = keys::seen(&customer.id);
    let open_requests = look_after(manager, customer, polled, sweep).await?;
    // A run that was started once more has something to find, also when nothing has moved.
    let asked = why.asked || manager.run.run.attempt > 1;
    if !why.changed && !open_requests && !asked {
        return Ok(());
    }
    let mut events: Vec<(Event, &str)> = polled
        .pulls
        .iter()
        .map(|(number, sha)| (Event::PullRequest(*number), sha.as_str()))
        .collect();
    if let Some((_, sha)) = &polled.head {
        events.push((Event::Push, sha));
    }
    let mut whole = true;
    for (event, sha) in events {
        let Ok(sha) = Sha::new(sha) else { continue };
        match open(
            manager,
            customer,
            event,
            &sha,
            Reason {
                hint: None,
                sender: None,
                again: why.asked,
            },
        )
        .await
        {
            Ok(Opened::Work(request)) => sweep.work.push(request),
            Ok(
                Opened::Refused(request)
                | Opened::Nothing {
                    request: Some(request),
                    ..
                },
            ) if request.run == manager.run.run => sweep.closed.push(request),
            Ok(Opened::Nothing {
                request: Some(request),
                ..
            }) if request.outcome.is_some() => {}
            // Another run is at it, perhaps with an older estate: look again when it is through.
            Ok(_) => whole = false,
            // It moved between the poll and now: the next sweep sees the newer one.
            Err(DeliveryError::Refused(refusal)) if refusal.code == "superseded" => {}
            Err(error) => {
                whole = false;
                sweep
                    .failed
                    .push((customer.id.clone(), publish::say(&error)));
            }
        }
    }
    // What could not be looked at is looked at again, also when nothing moves until then.
    if whole {
        manager.store.write_json(&key, &now).await?;
    }
    Ok(())
}

/// Looks at the requests that still need somebody: closes those that a newer commit has
/// overtaken and whose run is gone, and finds those whose end was never told. Says whether any
/// is still open.
async fn look_after(
    manager: &Manager,
    customer: &Customer,
    polled: &Polled,
    sweep: &mut Sweep,
) -> Result<bool, DeliveryError> {
    let mut any = false;
    let mut done = BTreeMap::new();
    for (name, at) in unfinished::list(manager, &customer.id).await? {
        let key = keys::request(&name);
        let Some((request, _)) = manager.store.read::<Request>(&key).await? else {
            // Its run is about to write it, or died before. Then nothing was promised.
            if manager.clock.now().since(at) > LONGEST {
                done.insert(name, at);
            }
            continue;
        };
        if request.outcome.is_some() {
            if request.told {
                done.insert(name, at);
            } else {
                sweep.closed.push(request);
            }
            continue;
        }
        any = true;
        if is_current(&request, polled) || is_alive(manager, &request).await? {
            continue;
        }
        let mut by_us = false;
        let closed = manager
            .store
            .update::<Request>(&key, |r| {
                let open = r.outcome.is_none();
                by_us = open;
                if open {
                    r.outcome = Some(Outcome::Superseded);
                    r.run = manager.run.run.clone();
                }
                open
            })
            .await?;
        if let (true, Some(closed)) = (by_us, &closed) {
            trail::closed(manager, closed).await;
        }
        sweep.closed.extend(closed);
    }
    unfinished::forget(manager, &customer.id, &done).await?;
    Ok(any)
}

/// Whether a request still is about the head of its branch or pull request.
fn is_current(request: &Request, polled: &Polled) -> bool {
    let sha = request.name.sha.as_str();
    match request.name.event {
        Event::Push => polled.head.as_ref().is_some_and(|(_, head)| head == sha),
        Event::PullRequest(number) => polled
            .pulls
            .iter()
            .any(|(n, head)| *n == number && head == sha),
    }
}
