//! Who and what can reach which customer: the review of access that an auditor asks for.
//!
//! What GitHub does not tell is said to be unknown; a list that could not be read is never shown
//! as an empty one.

use super::doctor::environment::logins;
use super::doctor::trust::Manager;
use super::doctor::{Seen, seen};
use crate::estate::credential::{Credential as Entry, Status};
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::estate::model::Customer;
use crate::estate::settings::HintMode;
use crate::estate::{
    CredentialId, CustomerId, EnvironmentId, Estate, Purpose, RepoSlug, SecretName, SecretPlace,
};
use crate::github::Client;
use crate::github::setup::EnvironmentSettings;
use crate::github::token::TokenFacts;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// The whole review.
#[derive(Debug, Clone, Serialize)]
pub struct Access {
    /// What the manager speaks with.
    pub credential: Credential,
    /// Who administers or writes to the manager repository.
    pub manager: Known<Vec<Person>>,
    /// Customer by customer.
    pub customers: Vec<CustomerAccess>,
}

/// Something, or why it is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Known<T> {
    /// It was read.
    Known(T),
    /// It was not; the reason.
    Unknown(String),
}

impl<T> From<Seen<T>> for Known<T> {
    fn from(seen: Seen<T>) -> Self {
        match seen {
            Ok(value) => Self::Known(value),
            Err(why) => Self::Unknown(why),
        }
    }
}

/// What the manager speaks with, and where it reaches.
#[derive(Debug, Clone, Serialize)]
pub struct Credential {
    /// What it is.
    pub what: Known<String>,
    /// Repositories that it reaches and that are no customer's, the manager's or the GitOps one.
    pub others: Known<Vec<String>>,
}

/// Somebody with a role.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Person {
    /// Login.
    pub login: String,
    /// Role.
    pub role: String,
}

/// Who and what reaches one customer.
#[derive(Debug, Clone, Serialize)]
pub struct CustomerAccess {
    /// Whose.
    pub customer: CustomerId,
    /// Its repository.
    pub repository: Option<RepoSlug>,
    /// Whether the manager's credential reaches it.
    pub reached: Known<bool>,
    /// Who was let into the repository.
    pub people: Known<Vec<Person>>,
    /// Environment by environment.
    pub environments: Vec<EnvironmentAccess>,
    /// Who can send hints for it.
    pub hints: String,
    /// What they were given and what is held for them, as far as it can be used.
    pub credentials: Vec<Recorded>,
}

/// A credential of the registry. Never its value, nor anything that is made of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Recorded {
    /// Which.
    pub credential: CredentialId,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is.
    pub kind: &'static str,
    /// Whose account it belongs to, where that is known.
    pub owner: Option<String>,
    /// `active`, or `rotating`: replaced, and still valid.
    pub status: Status,
    /// Its last day, where one is known.
    pub expires: Option<String>,
    /// What it may do, where GitHub has said so.
    pub scopes: Option<Vec<String>>,
    /// The secrets of GitHub Actions that hold it.
    pub places: BTreeMap<SecretPlace, SecretName>,
    /// The day on which somebody got it to use it elsewhere.
    pub handed_over: Option<String>,
    /// Whether its value is in the encrypted file.
    pub kept: bool,
}

fn recorded(c: &Entry) -> Recorded {
    Recorded {
        credential: c.id.clone(),
        purpose: c.purpose.clone(),
        kind: c.kind.name(),
        owner: c.owner.clone(),
        status: c.status,
        expires: c.expires.as_ref().map(ToString::to_string),
        scopes: c.scopes.clone(),
        places: c.places.clone(),
        handed_over: c.handed_over.as_ref().map(ToString::to_string),
        kept: c.stored,
    }
}

/// One environment of a customer.
#[derive(Debug, Clone, Serialize)]
pub struct EnvironmentAccess {
    /// Which.
    pub environment: EnvironmentId,
    /// The stacks in it.
    pub stacks: Vec<String>,
    /// The role of the registry.
    pub role: Option<String>,
    /// The subject that such a role has to trust.
    pub subject: String,
    /// Other customers whose jobs run with the same subject.
    pub shared_with: Vec<CustomerId>,
    /// Who can approve: people and teams.
    pub reviewers: Known<Vec<String>>,
    /// Whether administrators can pass the approval over.
    pub bypass: Known<bool>,
}

/// What is asked for.
pub struct Asked<'a> {
    /// The estate.
    pub estate: &'a Estate,
    /// The manager, as roles know it.
    pub manager: &'a Manager,
    /// Who looks.
    pub reader: &'a Client,
    /// What the manager speaks with, where this machine has it.
    pub source: Option<&'a Client>,
}

impl std::fmt::Debug for Asked<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Asked({})", self.manager.slug)
    }
}

/// Reads who can reach these customers.
pub async fn review(asked: &Asked<'_>, customers: &[&Customer]) -> Access {
    let estate = asked.estate;
    let all: Vec<RepoSlug> = estate
        .customers
        .values()
        .filter_map(|c| c.repository.clone())
        .collect();
    let reached = match asked.source {
        Some(source) => seen(source.reached(&all).await),
        None => Err("what the manager speaks with is not set here".to_owned()),
    };
    let ids: Seen<BTreeSet<u64>> = reached
        .as_ref()
        .map(|r| r.iter().map(|r| r.id).collect())
        .map_err(Clone::clone);
    let known: BTreeSet<u64> = estate
        .customers
        .values()
        .filter_map(|c| c.repository_id)
        .collect();
    let own = |name: &str| {
        let same = |slug: &RepoSlug| slug.as_str().eq_ignore_ascii_case(name);
        same(&asked.manager.slug) || estate.settings.gitops_repository.as_ref().is_some_and(same)
    };
    let others = reached.map(|r| {
        let mut names: Vec<String> = r
            .iter()
            .filter(|r| !known.contains(&r.id) && !own(&r.full_name))
            .map(|r| shown(&r.full_name))
            .collect();
        names.sort();
        names
    });
    let environments: Seen<BTreeMap<String, EnvironmentSettings>> =
        seen(asked.reader.environments(&asked.manager.slug).await)
            .map(|list| list.into_iter().map(|e| (e.name.clone(), e)).collect());
    let mut out = Vec::new();
    for customer in customers {
        out.push(one(asked, customer, &ids, &environments).await);
    }
    Access {
        credential: Credential {
            what: what(asked.source).await,
            others: others.into(),
        },
        manager: people(asked.reader, &asked.manager.slug).await,
        customers: out,
    }
}

async fn what(source: Option<&Client>) -> Known<String> {
    let Some(source) = source else {
        return Known::Unknown("what the manager speaks with is not set here".into());
    };
    if let Some(id) = source.app_id() {
        return Known::Known(format!("GitHub App {}", shown(id)));
    }
    match seen(source.token_facts().await) {
        Err(why) => Known::Unknown(why),
        Ok(None) => Known::Unknown("nobody speaks".into()),
        Ok(Some(TokenFacts { kind, login, .. })) => Known::Known(match login {
            Some(login) => format!("{} of {}", kind.words(), shown(&login)),
            None => kind.words().to_owned(),
        }),
    }
}

async fn people(reader: &Client, repo: &RepoSlug) -> Known<Vec<Person>> {
    let list = seen(reader.collaborators(repo).await).map(|list| {
        let mut people: Vec<Person> = list
            .into_iter()
            .map(|c| Person {
                login: shown(&c.login),
                role: shown(&c.role_name),
            })
            .collect();
        people.sort();
        people
    });
    list.into()
}

async fn one(
    asked: &Asked<'_>,
    customer: &Customer,
    ids: &Seen<BTreeSet<u64>>,
    environments: &Seen<BTreeMap<String, EnvironmentSettings>>,
) -> CustomerAccess {
    let mut stacks: BTreeMap<EnvironmentId, Vec<String>> = BTreeMap::new();
    for stack in asked.estate.stacks_of(customer) {
        let list = stacks.entry(stack.environment.clone()).or_default();
        list.push(stack.to_string());
    }
    for environment in customer.about.roles.keys() {
        stacks.entry(environment.clone()).or_default();
    }
    let reached = ids.as_ref().map_err(Clone::clone).and_then(|ids| {
        let id = customer.repository_id;
        id.map(|id| ids.contains(&id))
            .ok_or_else(|| "no repository is recorded".to_owned())
    });
    CustomerAccess {
        customer: customer.id.clone(),
        repository: customer.repository.clone(),
        reached: reached.into(),
        people: match &customer.repository {
            Some(repo) => people(asked.reader, repo).await,
            None => Known::Unknown("no repository is recorded".into()),
        },
        environments: stacks
            .into_iter()
            .map(|(environment, stacks)| {
                self::environment(asked, customer, environment, stacks, environments)
            })
            .collect(),
        credentials: customer
            .credentials
            .iter()
            .filter(|c| c.is_open())
            .map(recorded)
            .collect(),
        hints: match asked.estate.settings.hints {
            HintMode::Poll => "nobody: the manager polls".into(),
            HintMode::Direct => "whoever holds MANAGER_REPO_PAT of its repository, if the identity is the customer's".into(),
            HintMode::Inbox => "whoever may write to the inbox, if the identity is the customer's".into(),
        },
    }
}

fn environment(
    asked: &Asked<'_>,
    customer: &Customer,
    environment: EnvironmentId,
    stacks: Vec<String>,
    environments: &Seen<BTreeMap<String, EnvironmentSettings>>,
) -> EnvironmentAccess {
    let estate = asked.estate;
    let settings = &estate.settings;
    let name = settings.job_environment(Job::Apply, &customer.id, &environment);
    let shared_with = estate
        .customers
        .values()
        .filter(|c| c.id != customer.id)
        .filter(|c| {
            estate
                .stacks_of(c)
                .iter()
                .any(|s| settings.environment_of(Job::Apply, s) == name)
        })
        .map(|c| c.id.clone())
        .collect();
    let found = environments.as_ref().map_err(Clone::clone).and_then(|all| {
        all.get(&name)
            .ok_or_else(|| format!("there is no environment `{name}`"))
    });
    let reviewers = found.clone().map(|found| {
        let teams = found
            .protection_rules
            .iter()
            .flat_map(|r| &r.reviewers)
            .filter(|r| r["type"] == "Team")
            .filter_map(|r| r.pointer("/reviewer/slug")?.as_str())
            .map(|t| format!("team {}", shown(t)));
        logins(&found.protection_rules)
            .into_iter()
            .chain(teams)
            .collect()
    });
    let bypass = found.and_then(|f| {
        f.can_admins_bypass
            .ok_or_else(|| "GitHub does not say".to_owned())
    });
    EnvironmentAccess {
        role: customer.about.roles.get(&environment).cloned(),
        subject: asked.manager.subjects(&name).swap_remove(0),
        environment,
        stacks,
        shared_with,
        reviewers: reviewers.into(),
        bypass: bypass.into(),
    }
}
