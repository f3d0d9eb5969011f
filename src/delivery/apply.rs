//! Applies exactly the plan that was approved, once.
//!
//! The intent is recorded before, the result after. A run that is killed in between leaves an
//! open request; the next sweep plans again, and a plan without changes then says that the
//! killed apply had come to its end.

use super::bundle::Bundle;
use super::error::{DeliveryError, Refusal};
use super::gate::{self, ApprovedPlan, Decision};
use super::hint::Event;
use super::manager::Manager;
use super::open::{inputs, module};
use super::plan::{Machine, customer, learn_values, request, resolved};
use super::records::{
    ApplyRecord, ApplyState, LastApplied, PlanRecord, Request, RequestName, keys,
};
use super::{custody, gitops, publish, trail};
use crate::audit::event::ApplyResult;
use crate::engine::argocd::GitOpsPlan;
use crate::engine::plan_json;
use crate::engine::terraform::{self, Workspace};
use crate::estate::StackId;
use crate::estate::model::EngineKind;
use crate::estate::resolve::Resolved;
use crate::store::lease::{self, Lease, Taken};
use crate::store::seal::SealIdentity;

/// A lease is held this long, in seconds: as long as GitHub lets a job run on its runners (docs.github.com,
/// "Usage limits"), so that no apply that still runs can lose it.
const LEASE: u64 = 6 * 60 * 60;

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
    let mut record = ApplyRecord {
        stack: stack.clone(),
        attempt: request.attempt,
        run: manager.run.run.clone(),
        digest: None,
        approved_by: None,
        state: ApplyState::Begun,
        at: manager.clock.now(),
    };
    let key = keys::apply(name, stack);
    if let Some((before, _)) = manager.store.read::<ApplyRecord>(&key).await?
        && before.attempt == request.attempt
        && before.state == ApplyState::Applied
    {
        return Ok(before);
    }
    let redactor = machine.redactor(manager, &request, stack);
    machine.hide.hide(&redactor);
    let result = leased(manager, &request, stack, identity, machine, &mut record).await;
    let result = result.map_err(|error| error.redacted(&redactor));
    record.at = manager.clock.now();
    record.state = match &result {
        Ok(_) => ApplyState::Applied,
        Err(DeliveryError::Refused(refusal)) => ApplyState::Refused {
            reason: refusal.reason.clone(),
            again: refusal.again(),
        },
        Err(error) => ApplyState::Failed {
            message: publish::say(error),
        },
    };
    // The audit log comes second: that it cannot be written must not hide what became of the stack.
    let written = manager.store.write_json(&key, &record).await;
    let outcome = result.as_ref().copied();
    trail::ended(manager, &request, stack, record.digest.as_ref(), outcome).await;
    written?;
    result.map(|_| record)
}

/// Holds the lease around the work and gives it back whatever happens.
async fn leased(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    identity: &SealIdentity,
    machine: &Machine<'_>,
    record: &mut ApplyRecord,
) -> Result<ApplyResult, DeliveryError> {
    let approved = approved(manager, request, stack).await?;
    trail::approved(manager, request, stack, &approved).await?;
    record.digest = Some(approved.digest().clone());
    record.approved_by = approved.approved_by().map(str::to_owned);
    let who = format!("{} in run {}", request.name, manager.run.run.id);
    let lease = match lease::take(
        &manager.store,
        &keys::lease(stack),
        &who,
        LEASE,
        &manager.clock,
    )
    .await?
    {
        Taken::Yes { lease, after } => {
            if let Some(after) = after {
                tracing::warn!(stack = %stack, who = after.who, since = %after.since, "took over a lease that had run out");
            }
            lease
        }
        Taken::No(holder) => match holder_is_gone(manager, &holder.who).await? {
            true => take_over(manager, stack, &who, &holder).await?,
            false => {
                return Err(Refusal::new(
                    "lease",
                    format!(
                        "`{stack}` is being applied by {} since {}; the next sweep tries again",
                        holder.who, holder.since
                    ),
                )
                .into());
            }
        },
    };
    let done = work(
        manager, request, stack, &approved, &lease, identity, machine, record,
    )
    .await;
    lease.release(&manager.store).await?;
    trail::released(manager, request, stack).await;
    done
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

#[allow(clippy::too_many_arguments)]
async fn work(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    approved: &ApprovedPlan,
    lease: &Lease,
    identity: &SealIdentity,
    machine: &Machine<'_>,
    record: &ApplyRecord,
) -> Result<ApplyResult, DeliveryError> {
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
    let bundle = custody::unseal(manager, approved, identity).await?;
    custody::bound(&bundle.manifest, request, stack, &now_inputs, manager)?;
    if !lease.holds(&manager.store, manager.clock.now()).await? {
        return Err(Refusal::new(
            "lease",
            format!("the lease of `{stack}` was lost; plan again"),
        )
        .into());
    }
    // The intent, before the first change.
    trail::begun(manager, request, stack, approved, &now_inputs).await?;
    manager
        .store
        .write_json(&keys::apply(&request.name, stack), record)
        .await?;
    if let Some(last) = &last {
        // From the first change on, the stack is no longer what was last applied.
        let open = LastApplied {
            incomplete: true,
            ..last.clone()
        };
        manager.store.write_json(&applied_key, &open).await?;
    }
    if !approved.changes().is_empty() {
        match manager
            .estate
            .products
            .get(&stack.product)
            .map(|p| p.engine)
        {
            Some(EngineKind::Terraform) => {
                terraform_apply(manager, request, &resolved, &bundle, machine).await?
            }
            _ => {
                let plan: GitOpsPlan = serde_json::from_slice(&bundle.plan()?).map_err(|_| {
                    Refusal::new(
                        "plan-format",
                        "the sealed plan is not one of engine `argocd`",
                    )
                })?;
                gitops::apply(
                    manager,
                    &plan,
                    &format!(
                        "{stack}: apply {}\n\nRequest: {}\nPlan: {}\n",
                        request.name.sha.short(),
                        request.name,
                        approved.digest()
                    ),
                )
                .await?;
            }
        }
    }
    let state = LastApplied {
        sha: request.name.sha.clone(),
        inputs: now_inputs,
        plan: approved.digest().clone(),
        request: request.name.clone(),
        at: manager.clock.now(),
        count: last.map_or(1, |l| l.count + 1),
        incomplete: false,
    };
    manager.store.write_json(&applied_key, &state).await?;
    Ok(ApplyResult::Applied)
}

async fn terraform_apply(
    manager: &Manager,
    request: &Request,
    resolved: &Resolved,
    bundle: &Bundle,
    machine: &Machine<'_>,
) -> Result<(), DeliveryError> {
    let stack = &resolved.effective.stack;
    let mut redactor = machine.redactor(manager, request, stack);
    learn_values(manager, resolved, &mut redactor);
    let customer = customer(manager, stack)?;
    let module = module(manager, stack)?;
    let backend = terraform::backend(
        manager.estate.settings.state.as_ref(),
        customer.state_bucket.as_deref(),
        stack,
    )?;
    let mut tool = machine.tool(&manager.estate.settings, redactor.clone())?;
    let lock = bundle.lock()?;
    // The plan file carries the variables; a variables file beside it would only be ignored.
    let workspace = Workspace::write(
        &machine.folder(stack, "apply"),
        &module,
        &backend,
        None,
        Some(&lock),
    )?;
    workspace.init(&tool).await?;
    custody::unmoved(&bundle.manifest, stack, &workspace, &tool).await?;
    // What the plan marks is learnt first: an error of the apply may quote it.
    let plan = bundle.plan()?;
    let json = workspace.show(&tool, &plan).await?;
    plan_json::read(&json, &mut redactor)?;
    machine.hide.hide(&redactor);
    tool.redactor = redactor;
    Ok(workspace.apply(&tool, &plan).await?)
}
