//! Reads many customers: one GraphQL call for 50 of them, then at most two calls for each, which
//! GitHub confirms for nothing where it was asked before.

use super::customer::{Asked, Facts, Latest, WORKFLOW, judge};
use super::workflow::Expected;
use super::{Seen, Sheet, environment, seen};
use crate::clock::Time;
use crate::delivery::hint::Event;
use crate::delivery::overview;
use crate::delivery::records::RequestName;
use crate::estate::model::Customer;
use crate::estate::settings::HintMode;
use crate::estate::{CustomerId, Estate, RepoSlug, Sha};
use crate::github::Client;
use crate::github::budget::Budget;
use crate::github::survey::Surveyed;
use crate::store::Store;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::task::JoinSet;

/// Calls at once; GitHub's own limit is 100 for all of an account's.
const AT_ONCE: usize = 8;

/// Who is asked, and what about.
pub struct Fleet<'a> {
    /// The estate.
    pub estate: &'a Estate,
    /// The manager repository.
    pub manager: &'a RepoSlug,
    /// The manager's own credential: what it sees is what is served.
    pub source: &'a Client,
    /// Who may read settings.
    pub reader: &'a Client,
    /// Renders the customer's workflow for a default branch.
    pub expected: &'a (dyn Fn(&str) -> Seen<Expected> + Sync),
    /// The store, where it is asked.
    pub store: Option<&'a Store>,
    /// Now.
    pub now: Time,
}

impl std::fmt::Debug for Fleet<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Fleet({})", self.manager)
    }
}

impl Fleet<'_> {
    fn sends(&self) -> bool {
        self.estate.settings.hints != HintMode::Poll
    }

    /// What looking at these customers costs at most. What GitHub confirms costs nothing.
    pub fn budget(&self, customers: &[&Customer]) -> Budget {
        let repos: Vec<RepoSlug> = repositories(customers);
        let each = if self.sends() { 2 } else { 1 };
        let places = self.places(customers);
        let own = match places.is_empty() {
            true => 0,
            false => environment::calls(self.estate, &places, environment::count(self.estate)),
        };
        Budget {
            calls: repos.len() as u64 * each + own,
            // Of each query; measured on the number of nodes that it asks for (docs.github.com,
            // "Rate limits and query limits for the GraphQL API").
            points: self.source.survey_calls(&repos) as u64,
            creates: 0,
        }
    }

    /// The environments that are these customers' own.
    fn places(&self, customers: &[&Customer]) -> Vec<environment::Place> {
        let all = customers.iter();
        all.flat_map(|c| environment::own(self.estate, c)).collect()
    }

    /// Whether the environments that are these customers' own are as they must be.
    async fn environments(&self, customers: &[&Customer]) -> Sheet {
        let mut sheet = Sheet::default();
        let places = self.places(customers);
        if places.is_empty() {
            return sheet;
        }
        let (reader, estate, manager) = (self.reader, self.estate, self.manager);
        let branch = seen(reader.settings(manager).await).map(|s| s.default_branch);
        let ground = environment::read(reader, estate, manager, branch, &places).await;
        environment::judge(estate, manager, &places, &ground, &mut sheet);
        sheet
    }

    /// Reads and judges them.
    pub async fn check(&self, customers: &[&Customer]) -> Sheet {
        let known: Vec<(&Customer, RepoSlug)> = customers
            .iter()
            .filter_map(|c| Some((*c, c.repository.clone()?)))
            .collect();
        let repos: Vec<RepoSlug> = known.iter().map(|(_, repo)| repo.clone()).collect();
        let surveyed: Seen<BTreeMap<&CustomerId, Option<Surveyed>>> =
            seen(self.source.survey(&repos, WORKFLOW).await)
                .map(|all| known.iter().map(|(c, _)| &c.id).zip(all).collect());
        let latest = self.latest(customers, &heads(customers, &surveyed)).await;
        let mut details = self.details(&known, &surveyed).await;
        let mut expected: BTreeMap<String, Seen<Expected>> = BTreeMap::new();
        let mut sheet = Sheet::default();
        for customer in customers {
            let found = surveyed
                .as_ref()
                .map(|s| s.get(&customer.id).cloned().flatten());
            let found = found.map_err(Clone::clone);
            let branch = match &found {
                Ok(Some(Surveyed {
                    head: Some((branch, _)),
                    ..
                })) => branch.clone(),
                _ => "main".to_owned(),
            };
            let rendered = expected
                .entry(branch.clone())
                .or_insert_with(|| (self.expected)(&branch));
            let rendered = match rendered {
                Ok(rendered) => rendered,
                Err(why) => {
                    let check = &super::check::CUSTOMER_WORKFLOW;
                    sheet.unchecked(check, customer.id.as_str(), why.clone());
                    continue;
                }
            };
            let none = || Err("it was not asked for".to_owned());
            let (settings, variables) = details
                .remove(&customer.id)
                .unwrap_or_else(|| (none(), None));
            let asked = Asked {
                estate: self.estate,
                manager: self.manager,
                customer,
                expected: rendered,
                now: self.now,
            };
            // What an earlier repair has proposed waits for the customer to merge it.
            let branch = rendered.branch(customer.id.as_str());
            let proposed = |f: &Surveyed| f.proposals.contains(&branch);
            let waiting = found
                .as_ref()
                .is_ok_and(|f| f.as_ref().is_some_and(proposed));
            let facts = Facts {
                surveyed: found,
                settings,
                variables,
                waiting,
                latest: match &latest {
                    None => None,
                    Some(Err(why)) => Some(Err(why.clone())),
                    Some(Ok(all)) => Some(Ok(all.get(&customer.id).cloned().unwrap_or_default())),
                },
            };
            sheet.extend(judge(asked, &facts));
        }
        sheet.extend(self.environments(customers).await);
        sheet
    }

    /// Settings and variables, of those that are who they should be.
    async fn details(
        &self,
        known: &[(&Customer, RepoSlug)],
        surveyed: &Seen<BTreeMap<&CustomerId, Option<Surveyed>>>,
    ) -> BTreeMap<CustomerId, Details> {
        let mut out = BTreeMap::new();
        let Ok(surveyed) = surveyed else { return out };
        let mut waiting: Vec<(CustomerId, RepoSlug)> = known
            .iter()
            .filter_map(|(customer, slug)| {
                let found = surveyed.get(&customer.id)?.as_ref()?;
                let same = customer.repository_id == Some(found.id) && !found.archived;
                // A renamed repository is asked for by its new name, which saves a redirect.
                let repo = RepoSlug::new(&found.full_name).unwrap_or_else(|_| slug.clone());
                same.then(|| (customer.id.clone(), repo))
            })
            .collect();
        let sends = self.sends();
        let client = Arc::new(self.reader.clone());
        let mut reading = JoinSet::new();
        loop {
            while reading.len() < AT_ONCE
                && let Some((id, repo)) = waiting.pop()
            {
                let client = client.clone();
                reading.spawn(async move {
                    let settings = seen(client.settings(&repo).await);
                    let variables = match sends {
                        true => Some(seen(client.variables(&repo).await)),
                        false => None,
                    };
                    (id, (settings, variables))
                });
            }
            match reading.join_next().await {
                None => return out,
                Some(Ok((id, details))) => {
                    out.insert(id, details);
                }
                // A read that was cut short is one that nobody knows the answer of.
                Some(Err(error)) => tracing::warn!(%error, "a read was cut short"),
            }
        }
    }

    async fn latest(
        &self,
        customers: &[&Customer],
        heads: &[RequestName],
    ) -> Option<Seen<BTreeMap<CustomerId, Latest>>> {
        let store = self.store?;
        let only = match customers {
            [one] => Some(&one.id),
            _ => None,
        };
        Some(latest(store, customers, only, heads).await)
    }
}

type Details = (
    Seen<crate::github::setup::RepositorySettings>,
    Option<Seen<BTreeMap<String, String>>>,
);

fn repositories(customers: &[&Customer]) -> Vec<RepoSlug> {
    let all = customers.iter();
    all.filter_map(|c| c.repository.clone()).collect()
}

/// The requests that there would be for what stands on the default branches now. GitHub has told
/// the commits already, so they cost no call.
fn heads(
    customers: &[&Customer],
    surveyed: &Seen<BTreeMap<&CustomerId, Option<Surveyed>>>,
) -> Vec<RequestName> {
    let Ok(surveyed) = surveyed else {
        return Vec::new();
    };
    let of = |customer: &&Customer| {
        let found = surveyed.get(&customer.id)?.as_ref()?;
        let (_, sha) = found.head.as_ref()?;
        let same = customer.repository_id == Some(found.id);
        let sha = Sha::new(sha).ok().filter(|_| same)?;
        Some(RequestName {
            customer: customer.id.clone(),
            event: Event::Push,
            sha,
        })
    };
    customers.iter().filter_map(of).collect()
}

/// The last apply, the oldest open request, and that of the default branch as it is, of each.
async fn latest(
    store: &Store,
    customers: &[&Customer],
    only: Option<&CustomerId>,
    heads: &[RequestName],
) -> Seen<BTreeMap<CustomerId, Latest>> {
    let mut out: BTreeMap<CustomerId, Latest> = BTreeMap::new();
    let applied = overview::applied(store, only).await;
    for (stack, last) in applied.map_err(|e| e.to_string())? {
        let entry = out.entry(stack.customer.clone()).or_default();
        entry.applied = entry.applied.max(Some(last.at));
    }
    let ended = overview::requests(store, heads.to_vec()).await;
    for request in ended.map_err(|e| e.to_string())? {
        let Some(outcome) = request.outcome else {
            continue;
        };
        let entry = out.entry(request.name.customer.clone()).or_default();
        entry.head = Some((request.name.to_string(), outcome, request.opened));
    }
    let open = store.list("unfinished").await.map_err(|e| e.to_string())?;
    for customer in customers {
        if !open.contains(&format!("unfinished/{}.json", customer.id)) {
            continue;
        }
        let requests = overview::open_requests(store, &customer.id).await;
        let requests = requests.map_err(|e| e.to_string())?;
        let oldest = requests.into_iter().min_by_key(|r| r.opened);
        let entry = out.entry(customer.id.clone()).or_default();
        entry.open = oldest.map(|r| (r.name.to_string(), r.opened));
    }
    Ok(out)
}
