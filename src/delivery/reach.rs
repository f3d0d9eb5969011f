//! What the jobs of each stack may touch, asked of the code that makes the names.
//!
//! Nothing here is a second description: a key that changes there changes here, so that
//! [`crate::estate::isolation::check`] compares what is really used.

use super::drift::keys as drift_keys;
use super::hint::Event;
use super::plan::folder_name;
use super::records::{RequestName, keys};
use crate::engine::argocd;
use crate::engine::terraform;
use crate::estate::isolation::{Claim, Own, Reach, Space};
use crate::estate::jobs::Job;
use crate::estate::model::{Customer, EngineKind};
use crate::estate::{Estate, Sha, StackId};
use serde_json::Value;

/// What every stack may touch, and what the manager writes for nobody.
pub fn of(estate: &Estate) -> (Vec<Reach>, Own) {
    let reaches = estate
        .customers
        .values()
        .flat_map(|customer| {
            let stacks = estate.stacks_of(customer).into_iter();
            stacks.map(|stack| reach(estate, customer, stack))
        })
        .collect();
    let store = store(estate);
    let log = audit(estate);
    let own = vec![
        storage(
            "spent identity tokens",
            &store,
            &first(&keys::identity("x"), 1),
        ),
        storage("audit log", &log, &first(&crate::audit::entry_key(1), 2)),
    ];
    (reaches, own)
}

/// The root of the store; a name that no store has where none is set yet.
fn store(estate: &Estate) -> String {
    root(estate.settings.store.as_deref().unwrap_or("store:"))
}

fn audit(estate: &Estate) -> String {
    let settings = &estate.settings;
    settings
        .audit
        .store
        .as_deref()
        .map_or_else(|| store(estate), root)
}

fn root(url: &str) -> String {
    url.trim_end_matches('/').to_owned()
}

/// The folder that the first `parts` parts of a key make.
fn first(key: &str, parts: usize) -> String {
    let mut out: String = key.split('/').take(parts).collect::<Vec<_>>().join("/");
    out.push('/');
    out
}

fn claim(space: Space, what: &'static str, name: String) -> Claim {
    Claim { space, what, name }
}

fn storage(what: &'static str, root: &str, key: &str) -> Claim {
    claim(Space::Storage, what, format!("{root}/{key}"))
}

fn reach(estate: &Estate, customer: &Customer, stack: StackId) -> Reach {
    let id = &stack.customer;
    let (store, log) = (store(estate), audit(estate));
    let mut claims = Vec::new();
    if let Some(number) = customer.repository_id {
        claims.push(claim(
            Space::Repository,
            "repository",
            format!("id {number}"),
        ));
    }
    if let Some(slug) = &customer.repository {
        claims.push(claim(Space::Repository, "repository", slug.to_string()));
    }
    let sealed = keys::sealed(&stack, "id");
    claims.extend([
        storage("comments", &store, &first(&keys::comment(id, 1, true), 2)),
        storage("open requests", &store, &keys::unfinished(id)),
        storage("last sweep", &store, &keys::seen(id)),
        storage("last apply", &store, &keys::applied(&stack)),
        storage("lease", &store, &keys::lease(&stack)),
        storage("drift", &store, &drift_keys::check(&stack)),
        storage("drift issue", &store, &drift_keys::issue(&stack)),
        storage(
            "sealed plans",
            &store,
            &first(&sealed, sealed.matches('/').count()),
        ),
        storage(
            "audit records",
            &log,
            &first(&crate::audit::record_key(id, 1), 3),
        ),
    ]);
    // Any commit will do: it stands behind the customer.
    if let Ok(sha) = Sha::new(&"0".repeat(40)) {
        let name = RequestName {
            customer: id.clone(),
            event: Event::Push,
            sha,
        };
        claims.push(storage(
            "requests",
            &store,
            &first(&keys::request(&name), 2),
        ));
    }
    for what in ["plan", "apply"] {
        let name = format!("{}/", folder_name(&stack, what));
        claims.push(claim(Space::WorkingFolder, "working folder", name));
    }
    match estate.products.get(&stack.product).map(|p| p.engine) {
        Some(EngineKind::Terraform) => claims.extend(state(estate, customer, &stack)),
        Some(EngineKind::Argocd) => claims.extend(gitops(estate, &stack)),
        None => {}
    }
    Reach {
        claims,
        environments: Job::ALL
            .map(|job| estate.settings.environment_of(job, &stack))
            .to_vec(),
        recipient: estate.settings.seal_recipient.clone(),
        stack,
    }
}

/// The state's object, as Terraform's backend block names it, and the customer's folder around it.
fn state(estate: &Estate, customer: &Customer, stack: &StackId) -> Vec<Claim> {
    let bucket = customer.state_bucket.as_deref();
    let Ok(block) = terraform::backend(estate.settings.state.as_ref(), bucket, stack) else {
        // Without a place for state nothing is planned.
        return Vec::new();
    };
    let text = |pointer: &str| block.pointer(pointer).and_then(Value::as_str);
    let url = match (
        text("/terraform/backend/s3/bucket"),
        text("/terraform/backend/s3/key"),
        text("/terraform/backend/local/path"),
    ) {
        (Some(bucket), Some(key), _) => format!("s3://{bucket}/{key}"),
        (_, _, Some(path)) => format!("file://{path}"),
        _ => return Vec::new(),
    };
    let below = stack.to_string().matches('/').count() + 1;
    let folder = first(&url, url.split('/').count() - below);
    vec![
        claim(Space::Storage, "state", url),
        claim(Space::Storage, "folder of state", folder),
    ]
}

fn gitops(estate: &Estate, stack: &StackId) -> Vec<Claim> {
    let settings = &estate.settings;
    let repository = settings
        .gitops_repository
        .as_ref()
        .map_or("", |r| r.as_str());
    let target = argocd::Target {
        repository,
        clone_url: "",
        branch: &settings.gitops_branch,
    };
    let files = argocd::render(stack, &Value::Null, None, &target);
    let mut claims: Vec<Claim> = files
        .iter()
        .map(|(path, _)| claim(Space::Gitops, "GitOps file", path.clone()))
        .collect();
    let names = argocd::cluster_names(stack);
    claims.push(claim(
        Space::Cluster,
        "Application",
        format!("application {}", names.application),
    ));
    claims.push(claim(
        Space::Cluster,
        "Argo CD project",
        format!("project {}", names.project),
    ));
    claims.push(claim(
        Space::Cluster,
        "namespace",
        format!("namespace {}", names.namespace),
    ));
    claims
}

#[cfg(test)]
#[path = "reach_tests.rs"]
mod tests;
