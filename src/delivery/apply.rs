//! Applies exactly the plan that was approved, once.
//!
//! The intent is recorded before, the result after. A run that is killed in between leaves an
//! open request; the next sweep plans again, and a plan without changes then says that the
//! killed apply had come to its end.

use super::error::{DeliveryError, Refusal};
use super::gate::{self, ApprovedPlan, Decision};
use super::hint::Event;
use super::manager::Manager;
use super::open::inputs;
use super::plan::{Machine, request, resolved};
use super::records::{
    ApplyRecord, ApplyState, LastApplied, PlanRecord, Request, RequestName, keys,
};
use super::{custody, enact, estate_head, hold, publish, renew, trail};
use crate::audit::event::ApplyResult;
use crate::engine::redact::Redactor;
use crate::estate::StackId;
use crate::store::StoreError;
use crate::store::lease::Lease;
use crate::store::seal::SealIdentity;

/// One stack's turn to be applied: whose, for what, and with what.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub manager: &'a Manager,
    pub request: &'a Request,
    pub stack: &'a StackId,
    pub identity: &'a SealIdentity,
    pub machine: &'a Machine<'a>,
    pub redactor: &'a Redactor,
}

/// Applies one stack of a request and records the result, also when it fails.
pub async fn apply(
    manager: &Manager,
    name: &RequestName,
    stack: &StackId,
    identity: &SealIdentity,
    machine: &Machine<'_>,
) -> Result<ApplyRecord, DeliveryError> {
    let request = request(manager, name, stack).await?;
    if !matches!(request.name.event, Event::Push) {
        return Err(Refusal::new(
            "plan-only",
            "a pull request is planned, never applied; merge it",
        )
        .into());
    }
    let now = manager.clock.now();
    let mut record = ApplyRecord::begun(&request, &manager.run.run, stack, now);
    let key = keys::apply(name, stack);
    if let Some((before, _)) = manager.store.read::<ApplyRecord>(&key).await?
        && before.attempt == request.attempt
        && before.state == ApplyState::Applied
    {
        return Ok(before);
    }
    let redactor = machine.redactor(manager, &request, stack);
    machine.hide.hide(&redactor);
    let turn = Turn {
        manager,
        request: &request,
        stack,
        identity,
        machine,
        redactor: &redactor,
    };
    let result = leased(&turn, &mut record).await;
    let result = result.map_err(|error| error.redacted(&redactor));
    record.at = manager.clock.now();
    record.state = state(result.as_ref().err(), &redactor);
    // The audit log comes second: that it cannot be written must not hide what became of the stack.
    let written = manager.store.write_json(&key, &record).await;
    let outcome = result.as_ref().copied();
    let digest = record.renewed.as_ref().or(record.digest.as_ref());
    trail::ended(manager, &request, stack, digest, outcome).await;
    written?;
    result.map(|_| record)
}

/// What an end comes to, in words without secrets.
fn state(error: Option<&DeliveryError>, redactor: &Redactor) -> ApplyState {
    match error {
        None => ApplyState::Applied,
        Some(DeliveryError::Refused(refusal)) => ApplyState::Refused {
            reason: redactor.text(&refusal.reason).into_owned(),
            again: refusal.again(),
        },
        Some(error) => ApplyState::Failed {
            message: redactor.text(&publish::say(error)).into_owned(),
        },
    }
}

/// Holds the lease around the work and gives it back whatever happens.
async fn leased(turn: &Turn<'_>, record: &mut ApplyRecord) -> Result<ApplyResult, DeliveryError> {
    let Turn {
        manager,
        request,
        stack,
        ..
    } = *turn;
    let approved = approved(manager, request, stack).await?;
    trail::approved(manager, request, stack, &approved, None).await?;
    record.digest = Some(approved.digest().clone());
    record.approved_by = approved.approved_by().map(str::to_owned);
    let lease = hold::hold(manager, request, stack).await?;
    let done = work(turn, &approved, &lease, record).await;
    // What became of the stack is known by now. A lease that cannot be given back is found out by
    // whoever wants it next.
    match lease.release(&manager.store).await {
        Ok(()) => trail::released(manager, request, stack).await,
        Err(error) => {
            tracing::warn!(%stack, %error, "the lease could not be given back; it ends with this run");
        }
    }
    done
}

async fn approved(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
) -> Result<ApprovedPlan, DeliveryError> {
    let Some((record, _)) = manager
        .store
        .read::<PlanRecord>(&keys::plan(&request.name, stack))
        .await?
    else {
        return Err(Refusal::new("plan-missing", format!("`{stack}` has not been planned")).into());
    };
    match gate::decide(manager, request, &record).await? {
        Decision::Open(approved) => Ok(*approved),
        Decision::Waiting { reason } => {
            Err(Refusal::new("gate-closed", format!("not applied: {reason}")).into())
        }
    }
}

async fn work(
    turn: &Turn<'_>,
    approved: &ApprovedPlan,
    lease: &Lease,
    record: &mut ApplyRecord,
) -> Result<ApplyResult, DeliveryError> {
    let Turn {
        manager,
        request,
        stack,
        identity,
        ..
    } = *turn;
    estate_head::current(manager, &stack.customer).await?;
    gate::promoted(manager, request, stack).await?;
    let resolved = resolved(manager, request, stack).await?;
    let now_inputs = inputs(manager, &resolved)?;
    let applied_key = keys::applied(stack);
    let last = manager
        .store
        .read::<LastApplied>(&applied_key)
        .await?
        .map(|(a, _)| a);
    if last
        .as_ref()
        .is_some_and(|l| !l.incomplete && l.inputs == now_inputs)
    {
        // A faster run has brought the stack to where this request wants it.
        return Ok(ApplyResult::AlreadyThere);
    }
    let mut bundle = custody::unseal(manager, approved, identity).await?;
    let mut renewed = None;
    if let Err(refusal) = custody::bound(&bundle.manifest, request, stack, &now_inputs, manager) {
        if !renew::can(turn, &refusal) {
            return Err(refusal.into());
        }
        let (plan, fresh) =
            renew::renew(turn, &resolved, approved, &bundle, record, &refusal).await?;
        (renewed, bundle) = (Some(plan), fresh);
    }
    let ready = match enact::prepare(turn, &resolved, &bundle, approved).await {
        // Once: a state that moves all the time is no ground to stand on.
        Err(DeliveryError::Refused(refusal)) if renewed.is_none() && renew::can(turn, &refusal) => {
            let (plan, fresh) =
                renew::renew(turn, &resolved, approved, &bundle, record, &refusal).await?;
            (renewed, bundle) = (Some(plan), fresh);
            enact::prepare(turn, &resolved, &bundle, approved).await?
        }
        ready => ready?,
    };
    let approved = renewed.as_ref().unwrap_or(approved);
    if !lease.holds(&manager.store, manager.clock.now()).await? {
        return Err(Refusal::new(
            "lease",
            format!("the lease of `{stack}` was lost; plan again"),
        )
        .into());
    }
    // The intent, before the first change.
    trail::begun(manager, request, stack, approved, &now_inputs).await?;
    let key = keys::apply(&request.name, stack);
    manager.store.write_json(&key, record).await?;
    let there = LastApplied {
        sha: request.name.sha.clone(),
        inputs: now_inputs,
        plan: approved.digest().clone(),
        request: request.name.clone(),
        at: manager.clock.now(),
        first: None,
        count: 0,
        incomplete: true,
    };
    // From the first change on, the stack is no longer what was last applied; and where nothing
    // ever was, something may stand from now on.
    let open = last.map_or(there.clone(), |last| LastApplied {
        incomplete: true,
        ..last
    });
    manager.store.write_json(&applied_key, &open).await?;
    let (enacted, scene) = ready.carry_out(turn, approved, record).await;
    if enacted.is_ok() {
        let at = manager.clock.now();
        let there = LastApplied {
            at,
            first: Some(open.first.unwrap_or(if open.ever() { open.at } else { at })),
            count: open.count + 1,
            incomplete: false,
            ..there
        };
        // Without it the stack counts as not finished, so the next sweep plans it once more, finds
        // nothing to change and writes it then. That it was applied stays true.
        note(turn, manager.store.write_json(&applied_key, &there).await);
    }
    if let Some(scene) = scene {
        // Before the look: a run that is stopped in it has told the truth already.
        record.state = state(enacted.as_ref().err(), turn.redactor);
        note(turn, manager.store.write_json(&key, record).await);
        scene.look(turn, record).await;
    }
    enacted.map(|()| ApplyResult::Applied)
}

/// What cannot be written after the changes were made hides nothing of what became of them.
fn note(turn: &Turn<'_>, written: Result<(), StoreError>) {
    if let Err(error) = written {
        tracing::warn!(stack = %turn.stack, %error, "what was applied could not be noted; the next sweep looks again");
    }
}
