//! The sweep: whatever was lost, late or left open is found here. It is also the whole intake of
//! a provider who polls.

use super::alive::is_alive;
use super::error::DeliveryError;
use super::hint::Event;
use super::manager::Manager;
use super::open::{Opened, Reason, open};
use super::records::{Outcome, Request, RequestName, Seen, keys};
use super::share::{self, Head, SHARE};
use super::{publish, terms, trail, unfinished};
use crate::estate::model::{Customer, Status};
use crate::estate::{CustomerId, Sha};
use crate::github::Polled;
use crate::github::budget::Budget;
use std::collections::{BTreeMap, BTreeSet};

/// What a sweep found.
#[derive(Debug, Default)]
pub struct Sweep {
    /// Requests with work.
    pub work: Vec<Request>,
    /// Requests that were closed here.
    pub closed: Vec<Request>,
    /// Customers that could not be looked at, and why. They do not stop the others.
    pub failed: Vec<(CustomerId, String)>,
    /// Customers of whom more has changed than one sweep looks at, and how many heads are left.
    pub later: Vec<(CustomerId, usize)>,
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
    /// What is not as the last sweep saw it.
    new: Vec<Head>,
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
        let new = match &now {
            Some(now) if survey.asked => share::heads(now),
            Some(now) => share::unseen(now, before.as_ref()),
            None => Vec::new(),
        };
        let heads = new.len().min(share_of(survey.asked)) as u64;
        survey.budget += LOOK * heads;
        survey.budget += TELL * heads;
        survey.found.push(Found {
            customer,
            polled,
            now,
            before,
            new,
        });
    }
    share::in_turn(&mut survey.found, manager.run.run.id, |f| f.new.len());
    Ok(survey)
}

/// How many heads of a customer are looked at. A person who asks about one keeps nobody waiting.
fn share_of(asked: bool) -> usize {
    if asked { ENOUGH } else { SHARE }
}

/// Looks at those of a survey who changed, or who have something open.
pub async fn sweep(manager: &Manager, survey: Survey<'_>) -> Result<Sweep, DeliveryError> {
    let mut sweep = Sweep::default();
    for found in survey.found {
        let customer = found.customer;
        if sweep.is_full() {
            tracing::warn!(
                "enough work for one run; the next sweep goes on with `{}`",
                customer.id
            );
            break;
        }
        sweep.customers += 1;
        let wrong = match &found.polled {
            Some(polled) if Some(polled.id) == customer.repository_id => {
                let looked = look(manager, found, survey.asked, &mut sweep).await;
                looked.err().map(|error| publish::say(&error))
            }
            Some(polled) => Some(format!(
                "its repository is another one now (id {}); check customers/{}/metadata.yaml",
                polled.id, customer.id
            )),
            None => Some("its repository cannot be read; it was removed or renamed, or the App or TENANTRY_SOURCE_TOKEN may not see it".into()),
        };
        sweep
            .failed
            .extend(wrong.map(|why| (customer.id.clone(), why)));
    }
    Ok(sweep)
}

impl Sweep {
    /// Whether one run has enough to do.
    fn is_full(&self) -> bool {
        self.work.iter().map(|r| r.stacks.len()).sum::<usize>() >= ENOUGH
    }
}

fn seen(manager: &Manager, customer: &Customer, polled: &Polled) -> Seen {
    Seen {
        head: polled.head.as_ref().map(|(_, sha)| sha.clone()),
        pulls: polled.pulls.clone(),
        estate: manager.estate_digest(&customer.id),
        terms: Some(terms::digest(manager, customer)),
    }
}

async fn look(
    manager: &Manager,
    found: Found<'_>,
    asked: bool,
    sweep: &mut Sweep,
) -> Result<(), DeliveryError> {
    let Found {
        customer,
        polled: Some(polled),
        now: Some(now),
        before,
        mut new,
    } = found
    else {
        return Ok(());
    };
    // A credential that changed is no reason to look at any head.
    if before.as_ref().is_none_or(|b| b.terms != now.terms) {
        terms::record(manager, customer).await?;
    }
    let open_requests = look_after(manager, customer, &polled, sweep).await?;
    // A run that was started once more has something to find, also when nothing has moved.
    let all = asked || manager.run.run.attempt > 1;
    let is_open = |(event, sha): &Head| {
        open_requests
            .iter()
            .any(|name| name.event == *event && name.sha.as_str() == sha)
    };
    // What was begun comes before what is new.
    let begun = |head: &Head| !new.contains(head) && (all || is_open(head));
    let mut heads: Vec<Head> = share::heads(&now).into_iter().filter(begun).collect();
    heads.append(&mut new);
    let mut left = heads.split_off(heads.len().min(share_of(all)));
    let mut later = left.len();
    for head in heads {
        let (event, sha) = &head;
        let Ok(sha) = Sha::new(sha) else { continue };
        let reason = Reason {
            hint: None,
            sender: None,
            again: asked,
        };
        if sweep.is_full() {
            later += 1;
            left.push(head);
            continue;
        }
        match open(manager, customer, *event, &sha, reason).await {
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
            Ok(Opened::NotYet) => {}
            // Another run is at it, perhaps with an older estate: look again when it is through.
            Ok(_) => left.push(head),
            // It moved between the poll and now: the next sweep sees the newer one.
            Err(DeliveryError::Refused(refusal)) if refusal.code == "superseded" => {}
            Err(error) => {
                left.push(head);
                sweep
                    .failed
                    .push((customer.id.clone(), publish::say(&error)));
            }
        }
    }
    if later > 0 {
        sweep.later.push((customer.id.clone(), later));
    }
    // What could not be looked at is looked at again, also when nothing moves until then.
    let seen = share::without(&now, &left);
    if before.as_ref() != Some(&seen) {
        let key = keys::seen(&customer.id);
        manager.store.write_json(&key, &seen).await?;
    }
    Ok(())
}

/// Looks at the requests that still need somebody: closes those that a newer commit has
/// overtaken and whose run is gone, and finds those whose end was never told. Says which are
/// still open.
async fn look_after(
    manager: &Manager,
    customer: &Customer,
    polled: &Polled,
    sweep: &mut Sweep,
) -> Result<BTreeSet<RequestName>, DeliveryError> {
    let mut open = BTreeSet::new();
    let mut done = BTreeMap::new();
    for (name, at) in unfinished::list(manager, &customer.id).await? {
        let key = keys::request(&name);
        let stored = manager.store.read::<Request>(&key).await?;
        // Until the attempt is written its run is about to do so, or died before. Then nothing
        // was promised.
        let settled = stored.as_ref().is_some_and(|(r, _)| r.opened >= at)
            || manager.clock.now().since(at) > LONGEST;
        let Some((request, _)) = stored else {
            if settled {
                done.insert(name, at);
            }
            continue;
        };
        if request.outcome.is_some() {
            if !request.told {
                sweep.closed.push(request);
            } else if settled {
                done.insert(name, at);
            }
            continue;
        }
        open.insert(name);
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
    Ok(open)
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
