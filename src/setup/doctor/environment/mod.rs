//! GitHub environments of the manager repository: which there must be, and what is read of them.

mod judge;

pub use judge::{judge, logins, made};

use super::{Seen, seen};
use crate::estate::jobs::Job;
use crate::estate::model::{Customer, EngineKind};
use crate::estate::{EnvironmentId, Estate, ProductId, RepoSlug};
use crate::github::setup::EnvironmentSettings;
use crate::github::{Client, GithubError};
use std::collections::{BTreeMap, BTreeSet};

/// The secret that opens plans.
pub const SEAL_KEY: &str = "TENANTRY_SEAL_IDENTITY";

/// An environment that there must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What it is called.
    pub name: String,
    /// The jobs in it.
    pub job: Job,
    /// The environment that they work for.
    pub environment: EnvironmentId,
    /// The shared one, which one of a customer's own is protected like.
    pub pattern: Option<String>,
    /// Whether there are sealed plans to open in it.
    pub opens: bool,
}

/// Those that all customers share. Where each has their own, they are patterns: no job runs there.
pub fn shared(estate: &Estate) -> Vec<Place> {
    let own = estate.settings.own_environments;
    let mut out = Vec::new();
    for environment in estate.environments() {
        let sealed = estate
            .products
            .values()
            .any(|p| p.engine == EngineKind::Terraform && p.environments.contains(&environment));
        for job in Job::ALL {
            out.push(Place {
                name: job.shared(&environment),
                job,
                environment: environment.clone(),
                pattern: None,
                opens: job == Job::Apply && sealed && !own,
            });
        }
    }
    out
}

/// Those of one customer; none where all share the same.
pub fn own(estate: &Estate, customer: &Customer) -> Vec<Place> {
    let mut out: Vec<Place> = Vec::new();
    if !estate.settings.own_environments {
        return out;
    }
    let sealed = |product: &ProductId| {
        let product = estate.products.get(product);
        product.is_some_and(|p| p.engine == EngineKind::Terraform)
    };
    for stack in estate.stacks_of(customer) {
        for job in Job::ALL {
            let name = job.own(&customer.id, &stack.environment);
            let opens = job == Job::Apply && sealed(&stack.product);
            match out.iter_mut().find(|p| p.name == name) {
                Some(there) => there.opens |= opens,
                None => out.push(Place {
                    name,
                    job,
                    environment: stack.environment.clone(),
                    pattern: Some(job.shared(&stack.environment)),
                    opens,
                }),
            }
        }
    }
    out
}

/// What is known of one.
#[derive(Debug, Clone)]
pub struct Facts {
    /// Its protection.
    pub settings: EnvironmentSettings,
    /// The branches on its list.
    pub branches: Seen<Vec<String>>,
    /// Names of its secrets.
    pub secrets: Seen<BTreeSet<String>>,
}

/// What is known of all that were asked for.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The default branch of the manager repository.
    pub branch: Seen<String>,
    /// By name; what is not there is not in it.
    pub there: Seen<BTreeMap<String, Facts>>,
    /// Numbers of the people whose approval counts.
    pub approvers: BTreeMap<String, Seen<u64>>,
}

/// How many calls [`read`] makes at most for so many places, of so many environments in all.
pub fn calls(places: usize, all: usize) -> u64 {
    1 + all.div_ceil(100) as u64 + 2 * places as u64
}

/// Reads these places and their patterns.
pub async fn read(
    github: &Client,
    estate: &Estate,
    repo: &RepoSlug,
    branch: Seen<String>,
    places: &[Place],
) -> Ground {
    let names: BTreeSet<&str> = places
        .iter()
        .flat_map(|p| [Some(p.name.as_str()), p.pattern.as_deref()])
        .flatten()
        .collect();
    Ground {
        branch,
        there: there(github, repo, &names).await,
        approvers: approvers(github, estate).await,
    }
}

async fn there(
    github: &Client,
    repo: &RepoSlug,
    names: &BTreeSet<&str>,
) -> Seen<BTreeMap<String, Facts>> {
    let mut out = BTreeMap::new();
    for settings in seen(github.environments(repo).await)? {
        if !names.contains(settings.name.as_str()) {
            continue;
        }
        let custom = settings
            .deployment_branch_policy
            .is_some_and(|p| p.custom_branch_policies);
        let branches = match custom {
            true => seen(github.environment_branches(repo, &settings.name).await),
            false => Ok(Vec::new()),
        };
        let secrets = seen(github.secret_names(repo, Some(&settings.name)).await);
        let name = settings.name.clone();
        let facts = Facts {
            settings,
            branches,
            secrets,
        };
        out.insert(name, facts);
    }
    Ok(out)
}

/// The numbers behind the logins that the gates name.
async fn approvers(github: &Client, estate: &Estate) -> BTreeMap<String, Seen<u64>> {
    let mut out = BTreeMap::new();
    for rule in estate.settings.gates.values() {
        for login in &rule.approvers {
            if !out.contains_key(login) {
                let id = match github.user_id(login).await {
                    Err(GithubError::NotFound { .. }) => {
                        Err(format!("there is no account `{login}`"))
                    }
                    other => seen(other),
                };
                out.insert(login.clone(), id);
            }
        }
    }
    out
}
