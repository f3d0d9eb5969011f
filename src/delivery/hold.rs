//! Holding a stack: one apply of it at a time. A holder whose run has ended is found out, never
//! guessed.

use super::alive;
use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::records::{Request, keys};
use crate::estate::StackId;
use crate::store::lease::{self, Lease, Taken};

/// A lease is held this long, in seconds: as long as GitHub lets a job run on its runners (docs.github.com,
/// "Usage limits"), so that no apply that still runs can lose it.
const LEASE: u64 = 6 * 60 * 60;

/// Takes the lease of a stack, or says who has it.
pub(super) async fn hold(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
) -> Result<Lease, DeliveryError> {
    let run = &manager.run.run;
    let who = format!("{} in run {}.{}", request.name, run.id, run.attempt);
    let key = keys::lease(stack);
    match lease::take(&manager.store, &key, &who, LEASE, &manager.clock).await? {
        Taken::Yes { lease, after } => {
            if let Some(after) = after {
                tracing::warn!(stack = %stack, who = after.who, since = %after.since, "took over a lease that had run out");
            }
            Ok(lease)
        }
        Taken::No(holder) if holder_is_gone(manager, stack, &holder.who).await? => {
            take_over(manager, stack, &who, &holder).await
        }
        Taken::No(holder) => Err(Refusal::new(
            "lease",
            format!(
                "`{stack}` is being applied by {} since {}; the next sweep tries again",
                holder.who, holder.since
            ),
        )
        .into()),
    }
}

/// Whether the workflow run that holds a lease has ended, or the job in it that took it.
async fn holder_is_gone(
    manager: &Manager,
    stack: &StackId,
    who: &str,
) -> Result<bool, DeliveryError> {
    let own = &manager.run.run;
    let (run, attempt) = match run_of(who) {
        // Somebody works by hand, outside of GitHub Actions: only its time ends such a lease.
        None | Some((0, _)) => return Ok(false),
        // An attempt begins when the one before has ended.
        Some((run, attempt)) if run == own.id => return Ok(attempt < own.attempt),
        Some(other) => other,
    };
    match manager.own.run(&manager.repository, run).await {
        Ok(run) => Ok(run.status.as_deref() == Some("completed")
            || run.run_attempt.is_some_and(|now| now > attempt)
            || alive::apply_ended(manager, (run.id, attempt), stack).await?),
        Err(e) if e.is_not_found() => Ok(true),
        Err(e) => Err(e.into()),
    }
}

/// Run and attempt in `… in run 17.2`; earlier versions did not write the attempt.
fn run_of(who: &str) -> Option<(u64, u64)> {
    let last = who.rsplit(' ').next()?;
    let (run, attempt) = last.split_once('.').unwrap_or((last, "1"));
    Some((run.parse().ok()?, attempt.parse().ok()?))
}

/// Whether an apply of this request is going on outside of GitHub Actions.
pub(super) async fn by_hand(manager: &Manager, request: &Request) -> Result<bool, DeliveryError> {
    let now = manager.clock.now();
    for stack in &request.stacks {
        let lease = manager
            .store
            .read::<lease::Holder>(&keys::lease(stack))
            .await?;
        let ours = |who: &str| {
            who.starts_with(&format!("{} in run ", request.name))
                && run_of(who).is_some_and(|(run, _)| run == 0)
        };
        if lease.is_some_and(|(l, _)| l.held && l.until > now && ours(&l.who)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Takes a lease whose holder is known to have ended.
async fn take_over(
    manager: &Manager,
    stack: &StackId,
    who: &str,
    dead: &lease::Holder,
) -> Result<Lease, DeliveryError> {
    let key = keys::lease(stack);
    manager
        .store
        .update::<lease::Holder>(&key, |there| {
            let same = there.nonce == dead.nonce;
            there.held = there.held && !same;
            same
        })
        .await?;
    match lease::take(&manager.store, &key, who, LEASE, &manager.clock).await? {
        Taken::Yes { lease, .. } => Ok(lease),
        Taken::No(holder) => Err(Refusal::new(
            "lease",
            format!("`{stack}` is being applied by {}", holder.who),
        )
        .into()),
    }
}
