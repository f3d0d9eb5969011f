//! Going on after an apply that failed. The request is begun anew, in this run: its stack is
//! planned again, shown, and goes through the gate like any other plan. Nothing of the earlier
//! approval is carried over.

use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::open::{Opened, Reason, open};
use super::plan::{self, Machine};
use super::publish;
use super::records::{Outcome, PlanRecord, Request, RequestName, keys};
use crate::estate::StackId;

/// Where a request stands once it was taken up.
#[derive(Debug)]
pub enum Resumed {
    /// This run works on the stack.
    Ours {
        /// Whether it was planned again just now.
        planned: bool,
    },
    /// There is nothing to go on with.
    Nothing {
        /// Why.
        reason: String,
    },
}

/// Whether this run was started once more after the request was opened in it: "Re-run failed
/// jobs" brings back the apply job alone, with what an earlier attempt had printed.
pub async fn is_rerun(manager: &Manager, name: &RequestName) -> Result<bool, DeliveryError> {
    let run = &manager.run.run;
    if run.attempt < 2 {
        return Ok(false);
    }
    let request = manager.store.read::<Request>(&keys::request(name)).await?;
    let Some((request, _)) = request.filter(|(r, _)| r.run.id == run.id) else {
        return Ok(false);
    };
    Ok(request.run.attempt < run.attempt || request.outcome.is_none())
}

/// Takes a request up in this run and plans its stack again, if that has not happened here.
/// What is planned is shown before this returns.
pub async fn resume(
    manager: &Manager,
    name: &RequestName,
    stack: &StackId,
    machine: &Machine<'_>,
) -> Result<Resumed, DeliveryError> {
    if name.event != Event::Push {
        return Err(Refusal::new(
            "plan-only",
            "a pull request is planned, never applied; merge it",
        )
        .into());
    }
    if stack.customer != name.customer {
        return Err(Refusal::new(
            "request-stack",
            format!("stack `{stack}` does not belong to request `{name}`"),
        )
        .into());
    }
    let request = match take_up(manager, name, stack).await? {
        Ok(request) => request,
        Err(reason) => return Ok(Resumed::Nothing { reason }),
    };
    if !request.stacks.contains(stack) {
        return Ok(Resumed::Nothing {
            reason: format!("`{stack}` is as it should be"),
        });
    }
    let there = manager
        .store
        .read::<PlanRecord>(&keys::plan(name, stack))
        .await?;
    let ours =
        there.is_some_and(|(p, _)| p.attempt == request.attempt && p.run.id == manager.run.run.id);
    if ours {
        return Ok(Resumed::Ours { planned: false });
    }
    plan::plan(manager, name, stack, machine).await?;
    publish::report(manager, name, false).await?;
    Ok(Resumed::Ours { planned: true })
}

/// Makes the request this run's, or says why there is nothing to take up.
async fn take_up(
    manager: &Manager,
    name: &RequestName,
    stack: &StackId,
) -> Result<Result<Request, String>, DeliveryError> {
    let key = keys::request(name);
    let read = async || -> Result<Option<Request>, DeliveryError> {
        Ok(manager.store.read::<Request>(&key).await?.map(|(r, _)| r))
    };
    let ours = |r: &Request| r.run == manager.run.run && r.outcome.is_none();
    let Some(request) = read().await? else {
        return Err(Refusal::new(
            "request-unknown",
            format!("there is no request `{name}`; `tenantry reconcile` finds what is due"),
        )
        .into());
    };
    if ours(&request) {
        return Ok(Ok(request));
    }
    match request.outcome {
        Some(Outcome::Success) => return Ok(Err(format!("`{name}` has been applied"))),
        Some(Outcome::Superseded) => {
            return Ok(Err(format!(
                "`{name}` was superseded by a newer commit, which has its own request"
            )));
        }
        Some(Outcome::Refused) => {
            return Ok(Err(format!(
                "the customer's file of `{name}` was refused; it has to be corrected first"
            )));
        }
        Some(Outcome::Failure) | None => {}
    }
    let reason = Reason {
        hint: None,
        sender: manager.run.sender.clone(),
        again: true,
    };
    let customer = plan::customer(manager, stack)?;
    match open(manager, customer, name.event, &name.sha, reason).await? {
        Opened::Work(request) => Ok(Ok(request)),
        Opened::Refused(_) => Ok(Err(format!("`{name}` is refused now; see its report"))),
        Opened::NotYet => Ok(Err(format!("`{name}` has no file to plan from"))),
        Opened::Nothing { reason, .. } => {
            // Another job of this run may have been faster.
            Ok(read().await?.filter(ours).ok_or(reason))
        }
    }
}
