//! Environments of the manager repository that are one customer's own. A job's identity towards a
//! cloud names its environment, so with shared ones no cloud can tell two customers apart.

use super::{Ask, Plan, Step};
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::github::Client;
use crate::registry::RegistryError;
use crate::setup::doctor::environment::{self, Facts, Place, ROLE, SEAL_KEY, mended};
use crate::setup::doctor::seen;
use crate::store::seal::SealIdentity;

/// The environments that are wanted and not as they must be, each protected like the one that all
/// share, and then what they must hold: never before they are protected.
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
    let mut keyless = Vec::new();
    for place in &places {
        let found = there.get(&place.name);
        // Where drift alone is looked for is made when somebody asks for it; where a suspended
        // customer's applies ran, not at all.
        let asked = ask.only_environments && place.job == Job::Plan;
        if place.leaving && found.is_none() && !asked {
            continue;
        }
        match mended(ask.estate, manager, place, &ground) {
            Err(why) => {
                return Err(RegistryError::refused(
                    format!("`{}` cannot be protected as it must be: {why}", place.name),
                    "`tenantry doctor` looks at all of them, and --fix puts much of it right",
                ));
            }
            Ok(None) => {
                let line = format!("environment {}: it is there", place.name);
                plan.keeps.push(line);
            }
            Ok(Some(changes)) => plan.steps.push(Step::Environment {
                name: place.name.clone(),
                like: place.pattern.clone().unwrap_or_default(),
                new: found.is_none(),
                changes,
            }),
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
        role(place, found, plan).map_err(|e| match e {
            Wrong::Unread(why) => unread(&why),
            Wrong::Other(text) => RegistryError::refused(
                text,
                "correct the one that is wrong: the variable on GitHub, or `roles` in the customer's metadata.yaml",
            ),
        })?;
    }
    if !keyless.is_empty() {
        plan.notes.push(format!(
            "nothing can be applied in {} before the key that opens plans is there: set {SEAL_KEY} to it and run this again, or `gh secret set {SEAL_KEY} --repo {manager} --env …` for each",
            keyless.join(", ")
        ));
    }
    Ok(())
}

/// The key must be the one whose other half seals plans; any other would open nothing.
fn seal(ask: Ask<'_>, place: &Place, key: &SealIdentity) -> Result<Step, RegistryError> {
    if ask.estate.settings.seal_recipient.as_deref() != Some(key.recipient().as_str()) {
        return Err(RegistryError::refused(
            format!(
                "{SEAL_KEY} is another key than the one that `store.seal_recipient` in tenantry.yml is the public half of"
            ),
            "set it to the key whose public half that is, or unset it",
        ));
    }
    Ok(Step::SealKey {
        environment: place.name.clone(),
    })
}

/// What keeps a role from being set.
enum Wrong {
    Unread(String),
    Other(String),
}

/// The registry knows which role applies; it stands where workflows look for it. Another one there
/// would be taken by the customer's jobs, so nothing goes on with it.
fn role(place: &Place, found: Option<&Facts>, plan: &mut Plan) -> Result<(), Wrong> {
    let Some(role) = &place.role else {
        return Ok(());
    };
    let there = found.map(|f| f.variables.as_ref()).transpose();
    let there = there.map_err(|why| Wrong::Unread(why.clone()))?;
    match there.and_then(|t| t.get(ROLE)) {
        Some(now) if now == role => Ok(()),
        Some(now) => Err(Wrong::Other(format!(
            "{ROLE} of `{}` is {}, and the registry says {role}",
            place.name,
            shown(now)
        ))),
        None => {
            plan.steps.push(Step::Role {
                environment: place.name.clone(),
                role: role.clone(),
            });
            Ok(())
        }
    }
}
