//! An approved plan that has become stale: approved long after it was made, or made on a state
//! that has a newer number. It is made again, and takes the approved one's place only if it
//! changes exactly the same; otherwise it goes back to the gate.

use super::apply::Turn;
use super::bundle::Bundle;
use super::custody;
use super::error::{DeliveryError, Refusal};
use super::gate::ApprovedPlan;
use super::open::module;
use super::plan::{backend, learn_values, sealed, terraform_plan};
use super::records::{ApplyRecord, PlanRecord, PlanResult, keys};
use super::trail;
use crate::engine::plan_json::{self, Apart};
use crate::engine::redact::Redactor;
use crate::engine::terraform::Workspace;
use crate::estate::model::EngineKind;
use crate::estate::resolve::Resolved;

/// Most places that a refusal names.
const NAMED: usize = 5;

/// Whether a plan that was refused for this reason may be made again here. Other reasons are
/// about what was asked for or about who may: they need a new attempt.
pub(super) fn can(turn: &Turn<'_>, refusal: &Refusal) -> bool {
    let product = turn.manager.estate.products.get(&turn.stack.product);
    matches!(refusal.code, "plan-old" | "plan-state")
        && product.is_some_and(|p| p.engine == EngineKind::Terraform)
}

/// Makes the plan again. What comes back is proven to change what was approved.
pub(super) async fn renew(
    turn: &Turn<'_>,
    resolved: &Resolved,
    approved: &ApprovedPlan,
    bundle: &Bundle,
    record: &mut ApplyRecord,
    why: &Refusal,
) -> Result<(ApprovedPlan, Bundle), DeliveryError> {
    let Turn {
        manager,
        request,
        stack,
        machine,
        ..
    } = *turn;
    let mut redactor = machine.redactor(manager, request, stack);
    learn_values(manager, resolved, &mut redactor);
    let shown = approved_json(turn, resolved, bundle, &redactor).await?;
    let made = terraform_plan(manager, resolved, machine, &mut redactor).await?;
    if made.tool != bundle.manifest.tool {
        return Err(Refusal::new(
            "plan-tool",
            format!("the plan of `{stack}` was made with other versions; plan again"),
        )
        .into());
    }
    // What the approved plan marks is hidden in what is said of it.
    plan_json::read(&shown, &mut redactor)?;
    machine.hide.hide(&redactor);
    let proof = match plan_json::same(&shown, &made.json)? {
        Ok(proof) => proof,
        Err(apart) => {
            return Err(Refusal::new(
                "plan-different",
                format!(
                    "{}; it was made again and is not what was approved any more: {}; it goes back to the gate",
                    why.reason.trim_end_matches("; plan again"),
                    places(&apart, &redactor)
                ),
            )
            .into());
        }
    };
    let inputs = &bundle.manifest.inputs;
    let (digest, key, fresh) = sealed(manager, request, stack, inputs, &made).await?;
    let planned = PlanRecord {
        stack: stack.clone(),
        attempt: request.attempt,
        run: manager.run.run.clone(),
        inputs: inputs.clone(),
        result: PlanResult::Planned {
            changes: made.changes,
            digest: digest.clone(),
            sealed: key.clone(),
        },
        approvals_before: Vec::new(),
        warnings: Vec::new(),
        earlier: None,
        at: manager.clock.now(),
    };
    trail::planned(manager, request, &planned, None).await?;
    let renewed = approved.renewed(&proof, digest.clone(), key);
    trail::approved(manager, request, stack, &renewed, Some(approved.digest())).await?;
    tracing::info!(stack = %stack, plan = digest.short(), "made again, with exactly the approved changes");
    record.renewed = Some(digest);
    let apply = keys::apply(&request.name, stack);
    manager.store.write_json(&apply, record).await?;
    Ok((renewed, fresh))
}

/// The approved plan as JSON, and that it is the one that was shown.
async fn approved_json(
    turn: &Turn<'_>,
    resolved: &Resolved,
    bundle: &Bundle,
    redactor: &Redactor,
) -> Result<Vec<u8>, DeliveryError> {
    let Turn {
        manager,
        stack,
        machine,
        ..
    } = *turn;
    let module = module(manager, stack)?;
    let backend = backend(manager, stack)?;
    let tool = machine.tool(&manager.estate.settings, redactor.clone())?;
    let lock = bundle.lock()?;
    let folder = machine.folder(stack, "approved");
    let workspace = Workspace::write(&folder, &module, &backend, None, Some(&lock))?;
    workspace.init(&tool).await?;
    let json = workspace.show(&tool, &bundle.plan()?).await?;
    custody::as_shown(&bundle.manifest, &resolved.effective.stack, &json)?;
    Ok(json)
}

/// The places where two plans differ, for people.
fn places(apart: &[Apart], redactor: &Redactor) -> String {
    let mut said: Vec<String> = Vec::new();
    for Apart { address, path } in apart {
        let address = plan_json::shown_address(address, redactor);
        let place = match path.is_empty() {
            true => address,
            false => format!("{address}: {}", plan_json::shown_address(path, redactor)),
        };
        if said.len() < NAMED && !said.contains(&place) {
            said.push(place);
        }
    }
    let more = apart.len().saturating_sub(said.len());
    match more {
        0 => said.join(", "),
        more => format!("{}, and {more} more", said.join(", ")),
    }
}
