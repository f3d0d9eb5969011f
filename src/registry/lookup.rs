//! Asking GitHub who a repository is. The number decides, the name is for people; and every
//! commit of a network of forks can be read from each repository of it (docs.github.com, "What
//! happens to forks"), so two customers cannot share one.

use super::RegistryError;
use crate::estate::model::Customer;
use crate::estate::{CustomerId, Estate, RepoSlug};
use crate::github::Client;
use std::collections::HashMap;
use tokio::task::JoinSet;

/// Look-ups at once.
const AT_ONCE: usize = 8;

/// A repository as GitHub knows it now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// `owner/name`.
    pub slug: RepoSlug,
    /// Its number.
    pub id: u64,
    /// The number of its owner.
    pub owner_id: u64,
    /// The number of the repository at the root of its network.
    pub root: u64,
    /// Whether other repositories are in its network.
    pub related: bool,
}

/// Looks `slug` up. A name that only leads to another one is refused.
pub async fn look_up(client: &Client, slug: &RepoSlug) -> Result<Found, RegistryError> {
    let answer = client.relations(slug).await.map_err(|e| match e.is_not_found() {
        true => RegistryError::refused(
            format!("`{slug}` cannot be read: there is no such repository, or the token may not see it"),
            "check the name, and what the App or TENANTRY_SOURCE_TOKEN may read; --repository-id N records a repository without a look-up",
        ),
        false => e.into(),
    })?;
    let now = RepoSlug::new(&answer.full_name)
        .map_err(|e| RegistryError::refused(e.to_string(), "rename the repository on GitHub"))?;
    if !now.as_str().eq_ignore_ascii_case(slug.as_str()) {
        return Err(RegistryError::refused(
            format!("`{slug}` is called `{now}` now"),
            format!("if that is the one you mean, name it: {now}"),
        ));
    }
    let root = answer.root().ok_or_else(|| {
        RegistryError::refused(
            format!("`{now}` is a fork, and GitHub does not say of what"),
            "use a token that may read the repository it was forked from, or a repository that is no fork",
        )
    })?;
    Ok(Found {
        slug: now,
        id: answer.id,
        owner_id: answer.owner.id,
        root,
        related: answer.fork || answer.network_count > 0,
    })
}

/// Looks many repositories up, some at once; answers come in the order of the questions.
pub async fn look_up_all(client: &Client, slugs: &[RepoSlug]) -> Vec<Result<Found, RegistryError>> {
    let mut out: Vec<Option<Result<Found, RegistryError>>> = slugs.iter().map(|_| None).collect();
    let mut running = JoinSet::new();
    let mut next = slugs.iter().cloned().enumerate();
    loop {
        while running.len() < AT_ONCE
            && let Some((i, slug)) = next.next()
        {
            let client = client.clone();
            running.spawn(async move { (i, look_up(&client, &slug).await) });
        }
        match running.join_next().await {
            Some(Ok((i, found))) => out[i] = Some(found),
            Some(Err(_)) => {}
            None => break,
        }
    }
    let lost = |slug: &RepoSlug| {
        RegistryError::refused(
            format!("the look-up of `{slug}` was cut short"),
            "run the command again",
        )
    };
    out.into_iter()
        .zip(slugs)
        .map(|(found, slug)| found.unwrap_or_else(|| Err(lost(slug))))
        .collect()
}

/// Which customer is in which network of forks.
#[derive(Debug)]
pub struct Networks<'a> {
    estate: &'a Estate,
    /// By the root of the network.
    customers: HashMap<u64, CustomerId>,
    /// Whether every customer's repository was asked for its root.
    complete: bool,
}

impl<'a> Networks<'a> {
    /// What the numbers of the registry alone tell: who is the root of a network.
    pub fn new(estate: &'a Estate) -> Self {
        let known = estate.customers.values();
        let known = known.filter_map(|c| Some((c.repository_id?, c.id.clone())));
        Self {
            estate,
            customers: known.collect(),
            complete: false,
        }
    }

    /// Refuses a repository whose network holds another customer's. Only for one that has
    /// relatives are the other customers' repositories looked up: `asking` is told how many.
    pub async fn join(
        &mut self,
        client: &Client,
        customer: &CustomerId,
        found: &Found,
        asking: impl FnOnce(usize),
    ) -> Result<(), RegistryError> {
        self.check(customer, found)?;
        if found.related && !self.complete {
            let others: Vec<&Customer> = self
                .estate
                .customers
                .values()
                .filter(|c| {
                    c.id != *customer && c.repository.is_some() && c.repository_id.is_some()
                })
                .collect();
            let slugs: Vec<RepoSlug> = others.iter().filter_map(|c| c.repository.clone()).collect();
            asking(slugs.len());
            for (other, answer) in others.iter().zip(look_up_all(client, &slugs).await) {
                let unknown = |why: String| {
                    RegistryError::refused(
                        format!(
                            "`{}` has relatives by forks, and whether customer `{}` is among them cannot be told: {why}",
                            found.slug, other.id
                        ),
                        format!(
                            "correct customers/{}/metadata.yaml first, or use a repository without forks",
                            other.id
                        ),
                    )
                };
                let answer = match answer {
                    Ok(answer) if Some(answer.id) == other.repository_id => answer,
                    Ok(answer) => {
                        return Err(unknown(format!(
                            "`{}` is another repository now",
                            answer.slug
                        )));
                    }
                    Err(e @ RegistryError::Refused { .. }) => return Err(unknown(e.to_string())),
                    Err(e) => return Err(e),
                };
                self.customers.insert(answer.root, other.id.clone());
            }
            self.complete = true;
            self.check(customer, found)?;
        }
        self.customers.insert(found.root, customer.clone());
        Ok(())
    }

    fn check(&self, customer: &CustomerId, found: &Found) -> Result<(), RegistryError> {
        match self
            .customers
            .get(&found.root)
            .filter(|other| *other != customer)
        {
            None => Ok(()),
            Some(other) => Err(RegistryError::refused(
                format!(
                    "`{}` is in one network of forks with the repository of customer `{other}`, so each of the two could read every commit of the other",
                    found.slug
                ),
                "use a repository of its own: make an empty one and push the code there instead of forking",
            )),
        }
    }
}
