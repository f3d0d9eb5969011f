//! A sealed plan on its way from planning to applying: it is opened, and everything that it is
//! bound to is compared.

use super::bundle::{Bundle, Manifest};
use super::error::{DeliveryError, Refusal};
use super::gate::ApprovedPlan;
use super::manager::Manager;
use super::records::Request;
use crate::digest::Digest;
use crate::engine::terraform::{Tool, Workspace};
use crate::estate::StackId;
use crate::store::seal::{self, SealIdentity};

/// Opens the sealed plan and checks that it is the one whose digest was approved.
pub(super) async fn unseal(
    manager: &Manager,
    approved: &ApprovedPlan,
    identity: &SealIdentity,
) -> Result<Bundle, DeliveryError> {
    let Some((sealed, _)) = manager.store.get(approved.sealed()).await? else {
        return Err(Refusal::new(
            "plan-gone",
            "the sealed plan is not in the store any more; plan again",
        )
        .into());
    };
    let bundle = Bundle::read(&seal::open(identity, &sealed)?)?;
    if bundle.digest() != *approved.digest() {
        return Err(Refusal::new(
            "plan-digest",
            format!(
                "the sealed plan has digest {}, but {} was approved",
                bundle.digest().short(),
                approved.digest().short()
            ),
        )
        .into());
    }
    Ok(bundle)
}

/// Checks that nothing the plan depends on has moved.
pub(super) fn bound(
    manifest: &Manifest,
    request: &Request,
    stack: &StackId,
    inputs: &Digest,
    manager: &Manager,
) -> Result<(), Refusal> {
    // Every field is looked at; a new one does not compile until it is.
    let Manifest {
        version: _,
        stack: planned,
        request: name,
        attempt,
        run,
        inputs: planned_inputs,
        plan: _,
        lock: _,
        // Compared when the plan is read.
        shown: _,
        // Compared in the working folder, where the tool can be asked.
        tool: _,
        actor: _,
        state: _,
        created,
        nonce: _,
    } = manifest;
    if planned != stack {
        return Err(Refusal::new(
            "plan-stack",
            format!("the plan is for stack `{planned}`, not for `{stack}`"),
        ));
    }
    if *name != request.name || *attempt != request.attempt || *run != request.run.id {
        return Err(Refusal::new(
            "plan-request",
            format!("the plan belongs to request `{name}`, attempt {attempt}, run {run}"),
        ));
    }
    if planned_inputs != inputs {
        return Err(Refusal::new(
            "plan-inputs",
            format!(
                "values, module or version of `{stack}` have changed since the plan was made; plan again"
            ),
        ));
    }
    let age = manager.clock.now().since(*created);
    if age > manager.estate.settings.plan_max_age_hours * 3_600 {
        return Err(Refusal::new(
            "plan-old",
            format!(
                "the plan is {} hours old, the limit is {}; plan again",
                age / 3_600,
                manager.estate.settings.plan_max_age_hours
            ),
        ));
    }
    Ok(())
}

/// Checks that the plan as JSON is what was redacted and shown.
pub(super) fn as_shown(manifest: &Manifest, stack: &StackId, json: &[u8]) -> Result<(), Refusal> {
    if Digest::of(json) == manifest.shown {
        return Ok(());
    }
    Err(Refusal::new(
        "plan-digest",
        format!("the approved plan of `{stack}` does not read as it was shown; plan again"),
    ))
}

/// Checks that tool, providers and state are those that the plan was made with.
pub(super) async fn unmoved(
    manifest: &Manifest,
    stack: &StackId,
    workspace: &Workspace,
    tool: &Tool,
) -> Result<(), DeliveryError> {
    let versions = workspace.versions(tool).await?;
    if manifest.tool.as_ref() != Some(&versions) {
        let planned = manifest
            .tool
            .as_ref()
            .map_or_else(|| "another engine".to_owned(), ToString::to_string);
        return Err(Refusal::new(
            "plan-tool",
            format!("the plan was made with {planned}, here is {versions}; plan again"),
        )
        .into());
    }
    if workspace.state(tool).await? != manifest.state {
        return Err(Refusal::new(
            "plan-state",
            format!(
                "the Terraform state of `{stack}` has changed since the plan was made; plan again"
            ),
        )
        .into());
    }
    Ok(())
}
