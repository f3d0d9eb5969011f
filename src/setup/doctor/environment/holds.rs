//! What environments hold: the key that opens plans, a role, and what was forgotten there.

use super::{Ground, Place, ROLE, SEAL_KEY};
use crate::estate::RepoSlug;
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::github::setup::Change;
use crate::setup::doctor::check as checks;
use crate::setup::doctor::{Repair, Sheet};

/// Environments that nobody needs any more. What they hold can still be used.
pub fn abandoned(repository: &RepoSlug, names: &[String], sheet: &mut Sheet) {
    for name in names {
        let check = &checks::MANAGER_ENVIRONMENT_LEFT;
        let text = "no stack needs it; what it holds can still be used by a job that names it";
        sheet.finding(check, shown(name), text, None);
        sheet.remedy(format!(
            "once no role trusts it and nothing of it stands: gh api -X DELETE repos/{repository}/environments/{}",
            name.replace('/', "%2F")
        ));
    }
}

/// The role that the registry names, where workflows look for it.
pub(super) fn role(
    repository: &RepoSlug,
    place: &Place,
    ground: &Ground,
    protected: bool,
    sheet: &mut Sheet,
) {
    let (Some(role), Ok(all)) = (&place.role, &ground.there) else {
        return;
    };
    let Some(found) = all.get(&place.name) else {
        return;
    };
    let subject = format!("{}/{ROLE}", place.name);
    let check = &checks::MANAGER_VARIABLE;
    sheet.judge(check, subject, &found.variables, |there| {
        let change = match there.get(ROLE) {
            Some(now) if now == role => return None,
            Some(now) => {
                // Which of both is right, a person knows.
                let text = format!("it is {}, and the registry says {role}", shown(now));
                return Some((text, None));
            }
            None => Change::new_environment_variable(repository, &place.name, ROLE, role),
        };
        let says = format!("set {ROLE} of {} to {role}", place.name);
        let text = "the variable is missing, and the registry names a role".to_owned();
        // Never before it is protected.
        let repair = protected.then(|| Repair::github(says, vec![change]));
        Some((text, repair))
    });
}

/// The key that opens plans, which jobs that plan must not have.
pub(super) fn seal_key(repository: &RepoSlug, place: &Place, ground: &Ground, sheet: &mut Sheet) {
    let subject = format!("{}/{SEAL_KEY}", place.name);
    let there = match &ground.there {
        Err(why) => Err(why.clone()),
        Ok(all) => match all.get(&place.name) {
            None => return,
            Some(found) => found.secrets.clone(),
        },
    };
    if !place.opens {
        let text = match place.job {
            Job::Plan => "the key that opens plans is a secret of an environment that plans",
            Job::Apply => {
                "the key that opens plans is a secret of an environment in which nothing is applied"
            }
        };
        let check = &checks::MANAGER_SEAL_SCOPE;
        sheet.judge(check, subject.as_str(), &there, |there| {
            there.contains(SEAL_KEY).then(|| (text.to_owned(), None))
        });
        if there.is_ok_and(|there| there.contains(SEAL_KEY)) {
            sheet.remedy(format!(
                "gh secret delete {SEAL_KEY} --repo {repository} --env {}",
                place.name
            ));
        }
    } else {
        sheet.judge(&checks::MANAGER_SECRET, subject.as_str(), &there, |there| {
            (!there.contains(SEAL_KEY)).then(|| {
                let text = format!(
                    "the secret is missing in the environment; no plan for {} can be opened",
                    place.environment
                );
                (text, None)
            })
        });
        if there.is_ok_and(|there| !there.contains(SEAL_KEY)) {
            sheet.remedy(format!(
                "gh secret set {SEAL_KEY} --repo {repository} --env {}",
                place.name
            ));
        }
    }
}
