//! Carries out an approved plan, and finds out what became of it. What the tool says while it
//! works is one source; a look right after it, whatever the end, is the other. The look changes
//! nothing, and that it fails hides nothing.

use super::apply::Turn;
use super::bundle::Bundle;
use super::error::{DeliveryError, Refusal};
use super::gate::ApprovedPlan;
use super::open::module;
use super::plan::{customer, learn_values};
use super::records::ApplyRecord;
use super::{custody, gitops, publish};
use crate::engine::argocd::GitOpsPlan;
use crate::engine::change::Changes;
use crate::engine::outcome::{After, Outcome, Touched};
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use crate::engine::terraform::{self, Tool, Workspace};
use crate::estate::model::EngineKind;
use crate::estate::resolve::Resolved;
use serde_json::Value;

/// Where a look after an apply can be taken from.
pub(super) struct Scene {
    workspace: Workspace,
    tool: Tool,
    variables: Value,
    redactor: Redactor,
}

/// Applies the plan in `bundle`, and notes in `record` what became of each change. `scene` is set
/// as soon as anything may have been changed.
pub(super) async fn enact(
    turn: &Turn<'_>,
    resolved: &Resolved,
    bundle: &Bundle,
    approved: &ApprovedPlan,
    record: &mut ApplyRecord,
    scene: &mut Option<Scene>,
) -> Result<(), DeliveryError> {
    if approved.changes().is_empty() {
        return Ok(());
    }
    let products = &turn.manager.estate.products;
    match products.get(&turn.stack.product).map(|p| p.engine) {
        Some(EngineKind::Terraform) => terraform_apply(turn, resolved, bundle, record, scene).await,
        _ => {
            let plan: GitOpsPlan = serde_json::from_slice(&bundle.plan()?).map_err(|_| {
                Refusal::new(
                    "plan-format",
                    "the sealed plan is not one of engine `argocd`",
                )
            })?;
            let message = format!(
                "{}: apply {}\n\nRequest: {}\nPlan: {}\n",
                turn.stack,
                turn.request.name.sha.short(),
                turn.request.name,
                approved.digest()
            );
            // One commit: everything, or nothing.
            gitops::apply(turn.manager, &plan, &message).await?;
            record.outcome = Some(Outcome::whole(approved.changes()));
            Ok(())
        }
    }
}

async fn terraform_apply(
    turn: &Turn<'_>,
    resolved: &Resolved,
    bundle: &Bundle,
    record: &mut ApplyRecord,
    scene: &mut Option<Scene>,
) -> Result<(), DeliveryError> {
    let Turn {
        manager,
        request,
        stack,
        machine,
        ..
    } = *turn;
    let mut redactor = machine.redactor(manager, request, stack);
    learn_values(manager, resolved, &mut redactor);
    let customer = customer(manager, stack)?;
    let module = module(manager, stack)?;
    let variables = terraform::variables(&module, stack, &resolved.effective.values)?;
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
    let planned = plan_json::read(&json, &mut redactor)?;
    machine.hide.hide(&redactor);
    tool.redactor = redactor.clone();
    let applied = workspace.apply(&tool, &plan).await?;
    record.outcome = Some(match &applied.result {
        Ok(()) => Outcome::whole(&planned),
        Err(_) => {
            let shown = |address: &str| plan_json::shown_address(address, &redactor);
            Outcome::partial(&planned, &applied.progress.seen.named(shown))
        }
    });
    *scene = Some(Scene {
        workspace,
        tool,
        variables,
        redactor,
    });
    Ok(applied.result?)
}

impl Scene {
    /// Looks, and settles in `record` what the tool did not say.
    pub(super) async fn look(self, turn: &Turn<'_>, record: &mut ApplyRecord) {
        let Self {
            workspace,
            tool,
            variables,
            mut redactor,
        } = self;
        let looked = workspace.look(&tool, &variables).await;
        let read = looked.json.map_err(DeliveryError::from).and_then(|json| {
            let left: Changes = plan_json::read(&json, &mut redactor)?;
            let drift = plan_json::drift(&json, &redactor)?;
            Ok((Touched::of(&left), drift))
        });
        turn.machine.hide.hide(&redactor);
        let (left, drift, problem) = match read {
            Ok((left, drift)) => {
                if let Some(outcome) = &mut record.outcome {
                    outcome.settle(&left);
                }
                (left, drift, None)
            }
            Err(error) => {
                let said = publish::say(&error.redacted(&redactor));
                tracing::warn!(stack = %turn.stack, "what the apply left could not be looked at: {said}");
                (Vec::new(), Vec::new(), Some(said))
            }
        };
        record.after = Some(After {
            left,
            drift,
            lock: looked.lock,
            problem,
            at: turn.manager.clock.now(),
        });
    }
}
