//! Environments of the manager repository that are one customer's own. A job's identity towards a
//! cloud names its environment, so with shared ones no cloud can tell two customers apart.

use super::{Plan, Step};
use crate::estate::model::Customer;
use crate::estate::{Estate, RepoSlug};
use crate::github::{Client, GithubError};
use crate::registry::RegistryError;
use serde_json::{Value, json};

/// `acme/production-apply`. No id holds a `/`, so no two customers have a name in common.
pub fn names(estate: &Estate, customer: &Customer) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for stack in estate.stacks_of(customer) {
        for what in ["plan", "apply"] {
            let shared = format!("{}-{what}", stack.environment);
            let own = format!("{}/{shared}", customer.id);
            if !out.iter().any(|(o, _)| *o == own) {
                out.push((own, shared));
            }
        }
    }
    out
}

/// The environments that are wanted and not there, each protected like the one that all share.
pub(super) async fn look(
    client: &Client,
    estate: &Estate,
    customer: &Customer,
    plan: &mut Plan,
) -> Result<(), RegistryError> {
    if !estate.settings.own_environments {
        return Ok(());
    }
    for (own, shared) in names(estate, customer) {
        if read(client, &plan.manager, &own).await?.is_some() {
            plan.keeps.push(format!("environment {own}: it is there"));
            continue;
        }
        let model = read(client, &plan.manager, &shared).await?.ok_or_else(|| {
            RegistryError::refused(
                format!(
                    "`{}` has no environment `{shared}` to protect `{own}` like",
                    plan.manager
                ),
                "make it first, or take `customers.own_environments` out of tenantry.yml",
            )
        })?;
        plan.steps.push(Step::Environment {
            name: own,
            like: shared,
            body: protection(&model),
        });
    }
    plan.notes.push(format!(
        "tenantry's own jobs run in the environments that all customers share; those of {} are for the trust of clouds in jobs of yours, and hold no secret yet",
        customer.id
    ));
    Ok(())
}

async fn read(
    client: &Client,
    manager: &RepoSlug,
    name: &str,
) -> Result<Option<Value>, RegistryError> {
    match client.environment_as_it_is(manager, name).await {
        Ok(found) => Ok(Some(found)),
        Err(GithubError::NotFound { .. }) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

/// What an environment demands, as GitHub wants it to be set (docs.github.com, "Deployment
/// environments").
fn protection(model: &Value) -> Value {
    let mut body = json!({"deployment_branch_policy": model["deployment_branch_policy"]});
    // A list of branches is kept elsewhere; only protected ones is the nearest that is not wider.
    if body.pointer("/deployment_branch_policy/custom_branch_policies") == Some(&json!(true)) {
        body["deployment_branch_policy"] =
            json!({"protected_branches": true, "custom_branch_policies": false});
    }
    for rule in model["protection_rules"].as_array().into_iter().flatten() {
        match rule["type"].as_str() {
            Some("wait_timer") => body["wait_timer"] = rule["wait_timer"].clone(),
            Some("required_reviewers") => {
                body["prevent_self_review"] = rule["prevent_self_review"].clone();
                let all = rule["reviewers"].as_array().into_iter().flatten();
                body["reviewers"] = all
                    .map(|r| json!({"type": r["type"], "id": r["reviewer"]["id"]}))
                    .collect();
            }
            _ => {}
        }
    }
    body
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_environment_is_protected_like_its_model() {
        let model = json!({
            "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true},
            "protection_rules": [
                {"type": "wait_timer", "wait_timer": 5},
                {"type": "required_reviewers", "prevent_self_review": true, "reviewers": [
                    {"type": "Team", "reviewer": {"id": 7, "name": "ops"}},
                ]},
                {"type": "branch_policy"},
            ],
        });
        assert_eq!(
            protection(&model),
            json!({
                "deployment_branch_policy": {"protected_branches": true, "custom_branch_policies": false},
                "wait_timer": 5, "prevent_self_review": true,
                "reviewers": [{"type": "Team", "id": 7}],
            })
        );
        assert_eq!(
            protection(&json!({"deployment_branch_policy": null, "protection_rules": []})),
            json!({"deployment_branch_policy": null})
        );
    }
}
