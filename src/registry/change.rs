//! Changing the entry of a customer who is there.

use super::RegistryError;
use super::add::{Repository, wave};
use super::name::text;
use super::plan::{Plan, Step};
use crate::estate::allow::Date;
use crate::estate::entry::Suspension;
use crate::estate::ids::shown;
use crate::estate::model::{Customer, Status};
use crate::estate::suggest::nearest;
use crate::estate::yaml_edit::{Change, edit};
use crate::estate::{CustomerId, EnvironmentId, Estate, RepoSlug};

/// What `set` can change.
pub const KEYS: [&str; 7] = [
    "contact",
    "name",
    "region",
    "repository",
    "roles",
    "tier",
    "wave",
];

/// One `KEY=VALUE`.
#[derive(Debug, Clone, PartialEq)]
pub enum Setting {
    /// A value of the entry.
    Plain(Change),
    /// Another repository, or another name of it.
    Repository(RepoSlug),
}

/// Reads `KEY=VALUE`; nothing behind the `=` removes the key.
pub fn setting(given: &str) -> Result<Setting, RegistryError> {
    let (key, value) = given.split_once('=').ok_or_else(|| {
        RegistryError::refused(
            format!("`{}` is no KEY=VALUE", shown(given)),
            "write such as tier=gold",
        )
    })?;
    let change = |keys: &str, value| {
        Ok(Setting::Plain(Change {
            keys: keys.split('.').map(str::to_owned).collect(),
            value,
        }))
    };
    match key {
        "contact" | "tier" | "region" | "wave" if value.is_empty() => change(key, None),
        "wave" => change(key, Some(wave(&text(key, value)?))),
        "contact" | "tier" | "region" | "name" => change(key, Some(text(key, value)?.into())),
        "repository" => RepoSlug::new(value)
            .map(Setting::Repository)
            .map_err(|e| RegistryError::refused(e.to_string(), "write repository=OWNER/NAME")),
        "status" => Err(RegistryError::refused(
            "the status is not set but changed by a command of its own",
            "use `tenantry customer suspend` or `tenantry customer resume`",
        )),
        "customer" | "repository_id" | "owner_id" | "added" | "suspension" => Err(RegistryError::refused(
            format!("`{key}` cannot be set"),
            "the id of a customer stays; numbers come from a look-up: repository=OWNER/NAME",
        )),
        _ => match key.strip_prefix("roles.").map(EnvironmentId::new) {
            Some(Ok(_)) if value.is_empty() => change(key, None),
            Some(Ok(_)) => change(key, Some(text(key, value)?.into())),
            Some(Err(e)) => Err(RegistryError::refused(e.to_string(), "write roles.ENVIRONMENT=ROLE")),
            None => Err(RegistryError::refused(
                format!("`{}` is no key that can be set", shown(key)),
                nearest(key, KEYS).map_or_else(
                    || "keys are name, contact, tier, region, wave, repository and roles.ENVIRONMENT".to_owned(),
                    |near| format!("did you mean `{near}`?"),
                ),
            )),
        },
    }
}

/// What another look-up of the repository changes. A repository that is another one, or that has
/// another owner, is only taken if `moved` says that this is meant.
pub fn repository(
    customer: &Customer,
    now: &Repository,
    moved: bool,
) -> Result<Vec<Change>, RegistryError> {
    let Repository { slug, id, owner_id } = now;
    if let Some(before) = customer
        .repository_id
        .filter(|before| before != id && !moved)
    {
        return Err(RegistryError::refused(
            format!(
                "`{slug}` is not the repository of customer `{}` under another name: it has id {id}, theirs has id {before}",
                customer.id
            ),
            "whoever owns it could ask for changes of this customer's stacks; if they really have a new repository, add --moved",
        ));
    }
    if let (Some(before), Some(owner)) = (customer.about.owner_id, owner_id)
        && before != *owner
        && !moved
    {
        return Err(RegistryError::refused(
            format!(
                "`{slug}` belongs to another account now: its owner has id {owner}, before it was {before}"
            ),
            format!(
                "ask customer `{}` whether they transferred it; if so, add --moved",
                customer.id
            ),
        ));
    }
    let mut out = vec![
        Change::set("repository", slug.as_str()),
        Change::set("repository_id", *id),
    ];
    match owner_id {
        Some(owner) => out.push(Change::set("owner_id", *owner)),
        // Of the other repository.
        None if customer.repository_id != Some(*id) => out.push(Change::remove("owner_id")),
        None => {}
    }
    Ok(out)
}

/// The plan that makes `changes` in a customer's entry.
pub fn plan(
    estate: &Estate,
    customer: &Customer,
    changes: &[Change],
) -> Result<Plan, RegistryError> {
    plan_all(estate, &[(customer.id.clone(), changes.to_vec())])
}

/// The plan that makes changes in several customers' entries.
pub fn plan_all(estate: &Estate, all: &[(CustomerId, Vec<Change>)]) -> Result<Plan, RegistryError> {
    let mut steps = Vec::new();
    for (customer, changes) in all {
        let path = format!("customers/{customer}/metadata.yaml");
        let before = estate.files.get(&path);
        let after = edit(&path, before.unwrap_or_default(), changes)?;
        if before != Some(after.as_slice()) && (before.is_some() || !after.is_empty()) {
            steps.push(Step::Edit {
                path,
                before: before.map(<[u8]>::to_vec),
                after,
            });
        }
    }
    Plan { steps }.judged(estate)
}

/// How a suspension stands in an entry.
pub(super) fn suspended(why: &Suspension) -> Vec<Change> {
    let mut out = vec![
        Change::set("status", "suspended"),
        Change::set("suspension.reason", why.reason.as_str()),
    ];
    out.extend(
        why.since
            .as_ref()
            .map(|day| Change::set("suspension.since", day.to_string())),
    );
    match why.public {
        true => out.push(Change::set("suspension.public", true)),
        false => out.push(Change::remove("suspension.public")),
    }
    out
}

/// Refuses the customer's requests from now on. Who is suspended already keeps the day.
pub fn suspend(
    estate: &Estate,
    customer: &Customer,
    reason: &str,
    public: bool,
    today: Date,
) -> Result<Plan, RegistryError> {
    let before = customer
        .suspension
        .as_ref()
        .filter(|_| customer.status == Status::Suspended);
    let why = Suspension {
        reason: text("the reason", reason)?,
        public,
        since: before.and_then(|s| s.since.clone()).or(Some(today)),
    };
    plan(estate, customer, &suspended(&why))
}

/// Serves the customer again.
pub fn resume(estate: &Estate, customer: &Customer) -> Result<Plan, RegistryError> {
    if customer.status == Status::Active && customer.suspension.is_none() {
        return Ok(Plan::default());
    }
    plan(
        estate,
        customer,
        &[
            Change::set("status", "active"),
            Change::remove("suspension"),
        ],
    )
}
