//! Environments of the manager repository that are one customer's own. A job's identity towards a
//! cloud names its environment, so with shared ones no cloud can tell two customers apart.

use super::{Ask, Plan, Step};
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::github::Client;
use crate::registry::RegistryError;
use crate::setup::doctor::environment::{self, Place, SEAL_KEY};
use crate::setup::doctor::seen;
use crate::store::seal::SealIdentity;
use std::collections::BTreeMap;

/// Holds the role that a job takes, for `role-to-assume` in the workflows.
pub const ROLE: &str = "AWS_ROLE_ARN";

/// The environments that are wanted and not there, each protected like the one that all share, and
/// what they must hold.
pub(super) async fn look(
    client: &Client,
    ask: Ask<'_>,
    plan: &mut Plan,
) -> Result<(), RegistryError> {
    let places = environment::own(ask.estate, ask.customer);
    if places.is_empty() {
        return Ok(());
    }
    let manager = ask.manager;
    let branch = seen(client.settings(manager).await).map(|s| s.default_branch);
    let ground = environment::read(client, ask.estate, manager, branch, &places).await;
    let unread = |why: &str| {
        RegistryError::refused(
            format!("the environments of `{manager}` cannot be read: {why}"),
            "let GITHUB_TOKEN read the manager repository's environments and their secrets",
        )
    };
    let there = ground.there.as_ref().map_err(|why| unread(why))?;
    ground.branch.as_ref().map_err(|why| unread(why))?;
    let mut keyless = Vec::new();
    for place in &places {
        let found = there.get(&place.name);
        match found {
            Some(_) => {
                let line = format!("environment {}: it is there", place.name);
                plan.keeps.push(line);
            }
            None => plan.steps.push(make(ask, place, &ground)?),
        }
        if place.opens {
            let secrets = found.map(|f| f.secrets.as_ref()).transpose();
            let secrets = secrets.map_err(|why| unread(why))?;
            match (secrets.is_some_and(|s| s.contains(SEAL_KEY)), ask.seal) {
                (true, _) => {}
                (false, Some(key)) => plan.steps.push(seal(ask, place, key)?),
                (false, None) => keyless.push(place.name.as_str()),
            }
        }
        role(client, ask, place, found.is_some(), plan).await?;
    }
    if !keyless.is_empty() {
        plan.notes.push(format!(
            "nothing can be applied in {} before the key that opens plans is there: set {SEAL_KEY} to it and run this again, or `gh secret set {SEAL_KEY} --repo {manager} --env …` for each",
            keyless.join(", ")
        ));
    }
    Ok(())
}

fn make(ask: Ask<'_>, place: &Place, ground: &environment::Ground) -> Result<Step, RegistryError> {
    let like = place.pattern.clone().unwrap_or_default();
    let pattern = ground.there.as_ref().is_ok_and(|t| t.contains_key(&like));
    let made = environment::made(ask.estate, ask.manager, place, ground);
    let Some((changes, reviewed)) = made.filter(|_| pattern) else {
        return Err(RegistryError::refused(
            format!(
                "`{}` has no environment `{like}` to protect `{}` like",
                ask.manager, place.name
            ),
            "make it first (`tenantry doctor --fix` does), or take `customers.own_environments` out of tenantry.yml",
        ));
    };
    if !reviewed {
        return Err(RegistryError::refused(
            format!(
                "nobody would be asked in `{}`: `{like}` has no required reviewers, although `gates.{}` demands approval",
                place.name, place.environment
            ),
            "give it reviewers first, or name them in `gates` and run `tenantry doctor --fix`",
        ));
    }
    Ok(Step::Environment {
        name: place.name.clone(),
        like,
        changes,
    })
}

/// The key must be the one whose other half seals plans; any other would open nothing.
fn seal(ask: Ask<'_>, place: &Place, key: &SealIdentity) -> Result<Step, RegistryError> {
    if ask.estate.settings.seal_recipient.as_deref() != Some(key.recipient().as_str()) {
        return Err(RegistryError::refused(
            format!(
                "{SEAL_KEY} is another key than the one that `store.seal_recipient` in tenantry.yml is the public half of"
            ),
            "set it to the key that `tenantry init manager` wrote, or unset it",
        ));
    }
    Ok(Step::SealKey {
        environment: place.name.clone(),
    })
}

/// The registry knows which role applies; it stands where workflows look for it.
async fn role(
    client: &Client,
    ask: Ask<'_>,
    place: &Place,
    exists: bool,
    plan: &mut Plan,
) -> Result<(), RegistryError> {
    let roles = &ask.customer.about.roles;
    let Some(role) = roles
        .get(&place.environment)
        .filter(|_| place.job == Job::Apply)
    else {
        return Ok(());
    };
    let there = match exists {
        true => {
            client
                .environment_variables(ask.manager, &place.name)
                .await?
        }
        false => BTreeMap::new(),
    };
    match there.get(ROLE) {
        None => plan.steps.push(Step::Role {
            environment: place.name.clone(),
            role: role.clone(),
        }),
        Some(now) if now == role => {}
        Some(now) => plan.notes.push(format!(
            "{ROLE} of {} is {}, and the registry says {role}; it was left as it is",
            place.name,
            shown(now)
        )),
    }
    Ok(())
}
