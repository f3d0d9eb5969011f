//! Whether who works on something still does. A run of the manager serves many customers and can
//! wait for days until somebody approves, so that it goes on says nothing of a job that died in it.

use super::error::DeliveryError;
use super::hold;
use super::manager::Manager;
use super::records::{ApplyRecord, ApplyState, Request, keys};
use crate::estate::StackId;

/// Whether the run that works on a request is still going, and none of its applies was cut off.
pub async fn is_alive(manager: &Manager, request: &Request) -> Result<bool, DeliveryError> {
    let run = &request.run;
    if run.id == manager.run.run.id {
        return Ok(run.attempt == manager.run.run.attempt);
    }
    if run.id == 0 {
        return hold::by_hand(manager, request).await;
    }
    match manager.own.run(&manager.repository, run.id).await {
        Ok(now) => Ok(now.status.as_deref() != Some("completed")
            && now.run_attempt.is_none_or(|a| a >= run.attempt)
            && !cut_off(manager, request).await?),
        Err(e) if e.is_not_found() => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// Whether an apply of this attempt was begun whose job has ended without saying how it went.
async fn cut_off(manager: &Manager, request: &Request) -> Result<bool, DeliveryError> {
    for stack in &request.stacks {
        let key = keys::apply(&request.name, stack);
        let record = manager.store.read::<ApplyRecord>(&key).await?;
        let begun = record
            .is_some_and(|(r, _)| r.attempt == request.attempt && r.state == ApplyState::Begun);
        if begun && apply_ended(manager, (request.run.id, request.run.attempt), stack).await? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the job that applies a stack in a run (id, attempt) has ended. Jobs are known by the
/// names that the workflow gives them; where there is none of that name, nothing is known.
pub(super) async fn apply_ended(
    manager: &Manager,
    (run, attempt): (u64, u64),
    stack: &StackId,
) -> Result<bool, DeliveryError> {
    let jobs = match manager.own.jobs(&manager.repository, run, attempt).await {
        Err(e) if e.is_not_found() => return Ok(false),
        other => other?,
    };
    let name = format!("Apply {stack}");
    let mut ours = jobs.iter().filter(|j| j.name == name).peekable();
    Ok(ours.peek().is_some() && ours.all(|j| j.status == "completed"))
}
