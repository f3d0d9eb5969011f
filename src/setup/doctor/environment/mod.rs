//! GitHub environments of the manager repository: which there must be, and what is read of them.

mod holds;
mod judge;

pub use holds::abandoned;
pub use judge::{judge, logins, mended};

use super::{Seen, seen};
use crate::estate::jobs::Job;
use crate::estate::model::{Customer, Status};
use crate::estate::{CustomerId, EnvironmentId, Estate, RepoSlug};
use crate::github::setup::EnvironmentSettings;
use crate::github::{Client, GithubError};
use futures_util::{StreamExt as _, stream};
use std::collections::{BTreeMap, BTreeSet};

/// Holds the role that a job takes, for `role-to-assume` in the workflows.
pub const ROLE: &str = "AWS_ROLE_ARN";
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
    /// The cloud role of its jobs, where the registry names one.
    pub role: Option<String>,
    /// Whether it may also be missing: nothing is begun there, but what stands is looked at.
    pub leaving: bool,
}

/// Those that all customers share. Where each has their own, they are patterns: no job runs there.
pub fn shared(estate: &Estate) -> Vec<Place> {
    let own = estate.settings.own_environments;
    let of = |environment: EnvironmentId| {
        Job::ALL.map(|job| Place {
            name: job.shared(&environment),
            job,
            environment: environment.clone(),
            pattern: None,
            opens: job == Job::Apply && !own,
            role: None,
            leaving: false,
        })
    };
    estate.environments().into_iter().flat_map(of).collect()
}

/// Those of one customer; none where all share the same. Besides those in which jobs begin, there
/// may be others: where drift of what still stands is looked for, and where a suspended customer's
/// applies ran.
pub fn own(estate: &Estate, customer: &Customer) -> Vec<Place> {
    let mut out: Vec<Place> = Vec::new();
    if !estate.settings.own_environments {
        return out;
    }
    let suspended = customer.status == Status::Suspended;
    let mut add = |environment: &EnvironmentId, job: Job, leaving: bool| {
        let name = job.own(&customer.id, environment);
        if out.iter().any(|p| p.name == name) {
            return;
        }
        let applies = job == Job::Apply && !leaving;
        let role = customer.about.roles.get(environment);
        out.push(Place {
            name,
            job,
            environment: environment.clone(),
            pattern: Some(job.shared(environment)),
            opens: applies,
            role: role.filter(|_| applies).cloned(),
            leaving,
        });
    };
    for stack in estate.stacks_of(customer) {
        for job in Job::ALL {
            add(&stack.environment, job, suspended);
        }
    }
    for subscription in &customer.subscriptions {
        let product = estate.products.get(&subscription.product);
        for environment in product.iter().flat_map(|p| &p.environments) {
            add(environment, Job::Plan, true);
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
    /// Its variables, where a role has to be among them.
    pub variables: Seen<BTreeMap<String, String>>,
}

/// What is known of all that were asked for.
#[derive(Debug, Clone)]
pub struct Ground {
    /// The default branch of the manager repository.
    pub branch: Seen<String>,
    /// By name; what is not there is not in it.
    pub there: Seen<BTreeMap<String, Facts>>,
    /// Names of all other environments.
    pub others: Vec<String>,
    /// Numbers of the people whose approval counts.
    pub approvers: BTreeMap<String, Seen<u64>>,
}

/// How many there must be in all.
pub fn count(estate: &Estate) -> usize {
    let customers = estate.customers.values();
    let own: usize = customers.map(|c| own(estate, c).len()).sum();
    shared(estate).len() + own
}

/// Calls at once; GitHub's own limit is 100 for all of an account's.
const AT_ONCE: usize = 8;

/// How many calls [`read`] makes at most, where there are `all` environments.
pub fn calls(estate: &Estate, places: &[Place], all: usize) -> u64 {
    let patterns: BTreeSet<&String> = places.iter().filter_map(|p| p.pattern.as_ref()).collect();
    let roles = places.iter().filter(|p| p.role.is_some()).count();
    let gates = estate.settings.gates.values();
    let approvers: BTreeSet<&String> = gates.flat_map(|g| &g.approvers).collect();
    let each = 2 * (places.len() + patterns.len()) + roles + approvers.len();
    1 + (1 + all / 100 + each) as u64
}

/// Reads these places and their patterns.
pub async fn read(
    github: &Client,
    estate: &Estate,
    repo: &RepoSlug,
    branch: Seen<String>,
    places: &[Place],
) -> Ground {
    let patterns = places.iter().filter_map(|p| p.pattern.as_deref());
    let mut wanted: BTreeMap<&str, bool> = patterns.map(|name| (name, false)).collect();
    for place in places {
        wanted.insert(&place.name, place.role.is_some());
    }
    let (there, others) = match there(github, repo, &wanted).await {
        Ok((there, others)) => (Ok(there), others),
        Err(why) => (Err(why), Vec::new()),
    };
    Ground {
        branch,
        there,
        others,
        approvers: approvers(github, estate).await,
    }
}

/// What is wanted, with their variables where that is said, and the names of all others.
async fn there(
    github: &Client,
    repo: &RepoSlug,
    wanted: &BTreeMap<&str, bool>,
) -> Seen<(BTreeMap<String, Facts>, Vec<String>)> {
    let mut others = Vec::new();
    let mut found = Vec::new();
    for settings in seen(github.environments(repo).await)? {
        match wanted.get(settings.name.as_str()) {
            None => others.push(settings.name),
            Some(variables) => found.push((settings, *variables)),
        }
    }
    let details = found.into_iter().map(|(settings, variables)| async move {
        let name = settings.name.clone();
        let custom = settings
            .deployment_branch_policy
            .is_some_and(|p| p.custom_branch_policies);
        let branches = match custom {
            true => seen(github.environment_branches(repo, &name).await),
            false => Ok(Vec::new()),
        };
        let secrets = seen(github.secret_names(repo, Some(&name)).await);
        let variables = match variables {
            true => seen(github.environment_variables(repo, &name).await),
            false => Ok(BTreeMap::new()),
        };
        let facts = Facts {
            settings,
            branches,
            secrets,
            variables,
        };
        (name, facts)
    });
    let there = stream::iter(details).buffer_unordered(AT_ONCE);
    Ok((there.collect().await, others))
}

/// Names that look like a customer's own and that nobody needs: of a customer who left, of an
/// environment that is gone, or of all where they share the same.
pub fn left(estate: &Estate, others: &[String]) -> Vec<String> {
    let customers = estate.customers.values();
    let needed: BTreeSet<String> = customers
        .flat_map(|c| own(estate, c))
        .map(|p| p.name)
        .collect();
    let looks = |name: &&String| {
        let customer = name.split('/').next().map(CustomerId::new);
        customer
            .and_then(Result::ok)
            .is_some_and(|c| Job::of_own(&c, name).is_some())
    };
    let left = others.iter().filter(looks);
    left.filter(|n| !needed.contains(*n)).cloned().collect()
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
