//! Whether the environments that are a customer's own are ready for jobs. GitHub makes one that is
//! missing as soon as a job names it, and lets every branch use it; so no job may be the first.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use crate::estate::StackId;
use crate::estate::jobs::Job;
use crate::estate::model::Customer;
use std::collections::BTreeSet;

/// Refuses a customer for whom no job may be started.
pub async fn ready(manager: &Manager, customer: &Customer) -> Result<(), DeliveryError> {
    let stacks = manager.estate.stacks_of(customer);
    match missing(manager, &stacks, &Job::ALL).await?.as_slice() {
        [] => Ok(()),
        missing => Err(Refusal::new(
            "environment-missing",
            format!(
                "{} of the manager repository {} not there, or every branch may use {}; the provider runs `tenantry customer onboard {} --environments`",
                missing
                    .iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(", "),
                if missing.len() == 1 { "is" } else { "are" },
                if missing.len() == 1 { "it" } else { "them" },
                customer.id
            ),
        )
        .into()),
    }
}

/// Which environments of these stacks no job may name yet. None where all customers share the
/// same: those are looked at by `doctor`, and by the gate.
pub async fn missing(
    manager: &Manager,
    stacks: &[StackId],
    jobs: &[Job],
) -> Result<Vec<String>, DeliveryError> {
    let settings = &manager.estate.settings;
    if !settings.own_environments || stacks.is_empty() {
        return Ok(Vec::new());
    }
    let there = there(manager).await?;
    let names: BTreeSet<String> = stacks
        .iter()
        .flat_map(|stack| jobs.iter().map(|job| settings.environment_of(*job, stack)))
        .collect();
    Ok(names.into_iter().filter(|n| !there.contains(n)).collect())
}

/// The environments that only the branches on a list may use, asked once in a run. Which branches
/// are protected hangs on other rules, and where there are none, on nothing.
async fn there(manager: &Manager) -> Result<&BTreeSet<String>, DeliveryError> {
    let ask = async {
        let all = manager.own.environments(&manager.repository).await?;
        let closed = all.into_iter().filter(|e| {
            e.deployment_branch_policy
                .is_some_and(|p| p.custom_branch_policies)
        });
        Ok(closed.map(|e| e.name).collect())
    };
    manager.places.get_or_try_init(|| ask).await
}
