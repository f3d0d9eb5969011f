//! Holding a stack: one apply of it at a time. A holder whose run has ended is found out, never
//! guessed.

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
    let who = format!("{} in run {}", request.name, manager.run.run.id);
    let key = keys::lease(stack);
    match lease::take(&manager.store, &key, &who, LEASE, &manager.clock).await? {
        Taken::Yes { lease, after } => {
            if let Some(after) = after {
                tracing::warn!(stack = %stack, who = after.who, since = %after.since, "took over a lease that had run out");
            }
            Ok(lease)
        }
        Taken::No(holder) if holder_is_gone(manager, &holder.who).await? => {
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

/// Whether the workflow run that holds a lease has ended.
async fn holder_is_gone(manager: &Manager, who: &str) -> Result<bool, DeliveryError> {
    let Some(run) = who.rsplit(' ').next().and_then(|id| id.parse::<u64>().ok()) else {
        return Ok(false);
    };
    if run == manager.run.run.id {
        return Ok(false);
    }
    match manager.own.run(&manager.repository, run).await {
        Ok(run) => Ok(run.status.as_deref() == Some("completed")),
        Err(e) if e.is_not_found() => Ok(true),
        Err(e) => Err(e.into()),
    }
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
