//! Carries out an approved plan, and finds out what became of it. What the tool says while it
//! works is one source; a look right after it, whatever the end, is the other. The look changes
//! nothing, and that it fails hides nothing.

use super::apply::Turn;
use super::bundle::Bundle;
use super::error::{DeliveryError, Refusal};
use super::gate::ApprovedPlan;
use super::open::module;
use super::plan::{backend, learn_values};
use super::records::ApplyRecord;
use super::{custody, gitops, publish};
use crate::engine::argocd::GitOpsPlan;
use crate::engine::change::Changes;
use crate::engine::drift::weigh;
use crate::engine::outcome::{After, Outcome, Touched};
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use crate::engine::terraform::{self, Tool, Workspace};
use crate::estate::model::EngineKind;
use crate::estate::resolve::Resolved;
use serde_json::Value;

/// Everything is there to begin; nothing is changed yet.
pub(super) enum Ready {
    /// The plan changes nothing.
    Nothing,
    /// A plan of Terraform in its working folder.
    Terraform {
        scene: Box<Scene>,
        plan: Vec<u8>,
        changes: Changes,
    },
    /// Files for the GitOps repository.
    Gitops { plan: GitOpsPlan, changes: Changes },
}

/// Where a look after an apply is taken from.
pub(super) struct Scene {
    workspace: Workspace,
    tool: Tool,
    variables: Value,
    redactor: Redactor,
}

/// Verifies what only the tool can tell, and gets ready to apply the plan in `bundle`.
pub(super) async fn prepare(
    turn: &Turn<'_>,
    resolved: &Resolved,
    bundle: &Bundle,
    approved: &ApprovedPlan,
) -> Result<Ready, DeliveryError> {
    let Turn {
        manager,
        request,
        stack,
        machine,
        ..
    } = *turn;
    if approved.changes().is_empty() {
        return Ok(Ready::Nothing);
    }
    let products = &manager.estate.products;
    if products.get(&stack.product).map(|p| p.engine) != Some(EngineKind::Terraform) {
        let plan = serde_json::from_slice(&bundle.plan()?).map_err(|_| {
            Refusal::new(
                "plan-format",
                "the sealed plan is not one of engine `argocd`",
            )
        })?;
        return Ok(Ready::Gitops {
            plan,
            changes: approved.changes().clone(),
        });
    }
    let mut redactor = machine.redactor(manager, request, stack);
    learn_values(manager, resolved, &mut redactor);
    let module = module(manager, stack)?;
    let variables = terraform::variables(&module, stack, &resolved.effective.values)?;
    let backend = backend(manager, stack)?;
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
    custody::as_shown(&bundle.manifest, stack, &json)?;
    let changes = plan_json::read(&json, &mut redactor)?;
    machine.hide.hide(&redactor);
    tool.redactor = redactor.clone();
    let scene = Box::new(Scene {
        workspace,
        tool,
        variables,
        redactor,
    });
    Ok(Ready::Terraform {
        scene,
        plan,
        changes,
    })
}

impl Ready {
    /// Makes the changes and notes in `record` what became of each. Where there is something to
    /// look at afterwards, the scene comes back, whatever the end.
    pub(super) async fn carry_out(
        self,
        turn: &Turn<'_>,
        approved: &ApprovedPlan,
        record: &mut ApplyRecord,
    ) -> (Result<(), DeliveryError>, Option<Scene>) {
        match self {
            Self::Nothing => (Ok(()), None),
            Self::Gitops { plan, changes } => {
                let message = format!(
                    "{}: apply {}\n\nRequest: {}\nPlan: {}\n",
                    turn.stack,
                    turn.request.name.sha.short(),
                    turn.request.name,
                    approved.digest()
                );
                // One commit: everything, or nothing.
                let done = gitops::apply(turn.manager, &plan, &message).await;
                if done.is_ok() {
                    record.outcome = Some(Outcome::whole(&changes));
                }
                (done.map(|_| ()), None)
            }
            Self::Terraform {
                scene,
                plan,
                changes,
            } => {
                let applied = match scene.workspace.apply(&scene.tool, &plan).await {
                    Ok(applied) => applied,
                    Err(error) => return (Err(error.into()), Some(*scene)),
                };
                record.outcome = Some(match &applied.result {
                    Ok(()) => Outcome::whole(&changes),
                    Err(_) => {
                        let shown = |at: &str| plan_json::shown_address(at, &scene.redactor);
                        Outcome::partial(&changes, &applied.progress.seen.named(shown))
                    }
                });
                (applied.result.map_err(Into::into), Some(*scene))
            }
        }
    }
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
            let intent = plan_json::intent(&json, &mut redactor)?;
            let mut drift = plan_json::drifted(&json, &mut redactor)?;
            weigh(&mut drift, Some(&intent));
            Ok((Touched::of(&intent.changes), Touched::outside(&drift)))
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
