//! Environments: what holds a job back, and who may let it go on.
//!
//! One call of GitHub's sets all of an environment's protection and switches off what it does not
//! name. So there is one repair for an environment, whatever was found, and what is there already
//! is part of it.

use super::holds::{role, seal_key};
use super::{Facts, Ground, Place};
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::estate::{Estate, RepoSlug};
use crate::github::model::ProtectionRule;
use crate::github::setup::Change;
use crate::setup::doctor::check as checks;
use crate::setup::doctor::manager::list;
use crate::setup::doctor::{Check, Outcome, Repair, Seen, Sheet};
use serde_json::{Value, json};

/// Judges these places.
pub fn judge(
    estate: &Estate,
    repository: &RepoSlug,
    places: &[Place],
    ground: &Ground,
    sheet: &mut Sheet,
) {
    for place in places {
        let there = ground.there.as_ref().ok();
        if place.leaving && there.is_some_and(|t| !t.contains_key(&place.name)) {
            continue;
        }
        let wanted = Wanted::new(estate, repository, place, ground);
        wanted.judge(sheet);
        seal_key(repository, place, ground, sheet);
        let protected = mended(estate, repository, place, ground) == Ok(None);
        role(repository, place, ground, protected, sheet);
    }
}

/// What makes a place, or its protection as it must be; nothing where it is. An error says why that
/// cannot be done, or is not known.
pub fn mended(
    estate: &Estate,
    repository: &RepoSlug,
    place: &Place,
    ground: &Ground,
) -> Seen<Option<Vec<Change>>> {
    let wanted = Wanted::new(estate, repository, place, ground);
    let mut sheet = Sheet::default();
    wanted.judge(&mut sheet);
    let mut wrong = false;
    for verdict in sheet.0 {
        // Only a person can switch that off, and doctor says so.
        if *verdict.check == checks::MANAGER_ADMIN_BYPASS {
            continue;
        }
        match verdict.outcome {
            Outcome::Fine(_) => {}
            Outcome::Unchecked(why) => return Err(why),
            Outcome::Finding {
                repair: Some(_), ..
            } => wrong = true,
            Outcome::Finding {
                message, remedy, ..
            } => return Err(format!("{message}; {remedy}")),
        }
    }
    if !wrong {
        return Ok(None);
    }
    let there = ground.there.as_ref().map_err(Clone::clone)?;
    match wanted.changes(there.get(&place.name)) {
        Some((changes, _)) => Ok(Some(changes)),
        None => Err("the default branch is not known".into()),
    }
}

/// One environment, and what it must have.
struct Wanted<'a> {
    repository: &'a RepoSlug,
    ground: &'a Ground,
    name: &'a str,
    /// The one that it is protected like, if that is there.
    pattern: Option<&'a Facts>,
    /// Whether it is one customer's own.
    own: bool,
    demands: Demands<'a>,
}

/// What an environment must ask for: what its gate demands, and what its pattern asks for.
struct Demands<'a> {
    approval: bool,
    /// Whether whoever started a run may not approve it.
    others: bool,
    wait: u64,
    approvers: &'a [String],
}

/// One rule of an environment: a sentence where it is broken.
type Broken = (&'static Check, Option<String>);

impl<'a> Wanted<'a> {
    fn new(
        estate: &'a Estate,
        repository: &'a RepoSlug,
        place: &'a Place,
        ground: &'a Ground,
    ) -> Self {
        let there = ground.there.as_ref().ok();
        let pattern = place.pattern.as_ref().zip(there);
        let pattern = pattern.and_then(|(name, there)| there.get(name));
        let mut demands = Demands {
            approval: false,
            others: false,
            wait: 0,
            approvers: &[],
        };
        if place.job == Job::Apply {
            let settings = &estate.settings;
            demands.approval = settings.gate(&place.environment).approval;
            demands.others = demands.approval;
            if let Some(gate) = settings.gates.get(&place.environment) {
                demands.wait = gate.wait_minutes;
                demands.approvers = &gate.approvers;
            }
        }
        if let Some(pattern) = pattern {
            let rules = &pattern.settings.protection_rules;
            demands.approval |= !reviewers(rules).is_empty();
            demands.others |= prevents(rules);
            demands.wait = demands.wait.max(waits(rules));
        }
        Self {
            repository,
            ground,
            name: &place.name,
            pattern,
            own: place.pattern.is_some(),
            demands,
        }
    }

    fn judge(&self, sheet: &mut Sheet) {
        let there = match &self.ground.there {
            Err(why) => {
                sheet.unchecked(&checks::MANAGER_ENVIRONMENT, self.name, why.clone());
                return;
            }
            Ok(all) => all.get(self.name),
        };
        let Some(there) = there else {
            let text = "the environment is missing: GitHub makes one without any protection when a job asks for it";
            let repair = self.repair(None).filter(|(_, reviewed)| {
                // A customer's own is not made where nobody would be asked.
                !self.own || self.pattern.is_some() && (*reviewed || !self.demands.approval)
            });
            let stuck = self.own && repair.is_none();
            let repair = repair.map(|(repair, _)| repair);
            sheet.finding(&checks::MANAGER_ENVIRONMENT, self.name, text, repair);
            if stuck {
                sheet.remedy("put the shared environment right first, which it is protected like");
            }
            return;
        };
        sheet.fine(&checks::MANAGER_ENVIRONMENT, self.name);
        let mut broken: Vec<Broken> = Vec::new();
        if self.demands.approval {
            broken.push((&checks::MANAGER_REVIEWERS, self.reviewers(there)));
            if self.demands.others {
                broken.push((&checks::MANAGER_SELF_REVIEW, self_review(there)));
            }
            self.bypass(there, sheet);
        }
        if self.demands.wait > 0 {
            broken.push((&checks::MANAGER_WAIT_TIMER, self.wait(there)));
        }
        let (repair, reviewed) = self.repair(Some(there)).unzip();
        for (check, why) in broken {
            // What nobody named cannot be set.
            let help = *check != checks::MANAGER_REVIEWERS || reviewed == Some(true);
            match why {
                None => sheet.fine(check, self.name),
                Some(text) => {
                    sheet.finding(check, self.name, text, repair.clone().filter(|_| help))
                }
            }
        }
        self.branches(there, repair, sheet);
    }

    /// Whose approval GitHub asks for, against whose counts.
    fn reviewers(&self, there: &Facts) -> Option<String> {
        let logins = logins(&there.settings.protection_rules);
        let rule = rule(there, "required_reviewers");
        if rule.is_none_or(|r| r.reviewers.is_empty()) {
            return Some("it has no required reviewers: nobody is asked before an apply".into());
        }
        let teams = rule.is_some_and(|r| r.reviewers.iter().any(|r| r["type"] == "Team"));
        let approvers = self.demands.approvers;
        let missing: Vec<String> = approvers
            .iter()
            .filter(|a| !logins.iter().any(|l| l.eq_ignore_ascii_case(a)))
            .cloned()
            .collect();
        // A member of a team that reviews is not seen here.
        (!missing.is_empty() && !teams && missing.len() == approvers.len()).then(|| {
            format!(
                "none of those whose approval counts is a reviewer: {}",
                list(&missing)
            )
        })
    }

    fn wait(&self, there: &Facts) -> Option<String> {
        let (minutes, wanted) = (waits(&there.settings.protection_rules), self.demands.wait);
        (minutes < wanted)
            .then(|| format!("it waits {minutes} minutes, and the settings demand {wanted}"))
    }

    fn bypass(&self, there: &Facts, sheet: &mut Sheet) {
        let check = &checks::MANAGER_ADMIN_BYPASS;
        match there.settings.can_admins_bypass {
            None => sheet.unchecked(check, self.name, "GitHub does not say"),
            Some(false) => sheet.fine(check, self.name),
            Some(true) => {
                let text = "administrators may let a job pass without an approval";
                sheet.finding(check, self.name, text, None);
            }
        }
    }

    fn default_branch(&self) -> Seen<&str> {
        let branch = self.ground.branch.as_deref();
        branch.map_err(Clone::clone)
    }

    fn branches(&self, there: &Facts, repair: Option<Repair>, sheet: &mut Sheet) {
        let check = &checks::MANAGER_ENVIRONMENT_BRANCH;
        let both = match (self.default_branch(), &there.branches) {
            (Ok(branch), Ok(named)) => Ok((branch, named)),
            (Err(why), _) => Err(why),
            (_, Err(why)) => Err(why.clone()),
        };
        sheet.judge(check, self.name, &both, |(branch, named)| {
            let Some(policy) = there.settings.deployment_branch_policy else {
                let text = "every branch can use its secrets: whoever may push a branch can change a workflow there";
                return Some((text.into(), repair));
            };
            if policy.protected_branches {
                // docs.github.com, "Deployments and environments": without any such rule, all can.
                let text = format!("every branch that has a protection rule can use its secrets, and where none has one, every branch; it is for `{branch}` alone");
                return Some((text, repair));
            }
            let others: Vec<String> = named.iter().filter(|n| n != branch).cloned().collect();
            if !others.is_empty() {
                let text = format!("other branches than `{branch}` can use its secrets: {}", list(&others));
                return Some((text, None));
            }
            named.is_empty().then(|| {
                let text = format!("no branch can use it, not even `{branch}`");
                (text, repair)
            })
        });
    }

    /// One repair for everything that GitHub can set, and whether there are reviewers then.
    fn repair(&self, there: Option<&Facts>) -> Option<(Repair, bool)> {
        let (changes, reviewed) = self.changes(there)?;
        let says = match there {
            None => format!("make the environment {} with its protection", self.name),
            Some(_) => format!("set the protection of the environment {}", self.name),
        };
        let repair = Repair::github(says, changes);
        Some(match self.demands.approval && !reviewed {
            true => (
                repair.then(format!("name reviewers in the environment {}", self.name)),
                false,
            ),
            false => (repair, reviewed),
        })
    }

    fn changes(&self, there: Option<&Facts>) -> Option<(Vec<Change>, bool)> {
        let branch = self.default_branch().ok()?;
        let mut body = json!({
            "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true},
        });
        // One that is not there yet begins as its pattern is.
        let like = there.or(self.pattern);
        let mut rules = like.map_or(&[][..], |t| &t.settings.protection_rules);
        let wait_wanted = waits(rules).max(self.demands.wait);
        let prevent = prevents(rules) || self.demands.others;
        if let Some(pattern) = self.pattern
            && reviewers(rules).is_empty()
        {
            rules = &pattern.settings.protection_rules;
        }
        let mut reviewers = reviewers(rules);
        let mut counts = !reviewers.is_empty() && self.counts(rules);
        if self.demands.approval && !counts {
            counts = self.add_approvers(&mut reviewers);
        }
        if wait_wanted > 0 {
            body["wait_timer"] = json!(wait_wanted);
        }
        if !reviewers.is_empty() {
            body["reviewers"] = json!(reviewers);
            body["prevent_self_review"] = json!(prevent);
        }
        let mut changes = vec![Change::environment(self.repository, self.name, body)];
        let named = there.is_some_and(|t| t.branches.as_ref().is_ok_and(|b| !b.is_empty()));
        if !named {
            let change = Change::environment_branch(self.repository, self.name, branch);
            changes.push(change);
        }
        Some((changes, counts))
    }

    /// Whether somebody whose approval counts is among the reviewers. Who is in a team is not seen
    /// here.
    fn counts(&self, rules: &[ProtectionRule]) -> bool {
        let approvers = self.demands.approvers;
        let logins = logins(rules);
        let teams = rules
            .iter()
            .flat_map(|r| &r.reviewers)
            .any(|r| r["type"] == "Team");
        let named = approvers
            .iter()
            .any(|a| logins.iter().any(|l| l.eq_ignore_ascii_case(a)));
        approvers.is_empty() || teams || named
    }

    /// Adds those whose approval counts, as far as GitHub's six reach; whether there are any.
    fn add_approvers(&self, reviewers: &mut Vec<Value>) -> bool {
        let room = 6usize.saturating_sub(reviewers.len());
        let before = reviewers.len();
        for login in self.demands.approvers.iter().take(room) {
            if let Some(Ok(id)) = self.ground.approvers.get(login) {
                let one = json!({"type": "User", "id": id});
                if !reviewers.contains(&one) {
                    reviewers.push(one);
                }
            }
        }
        reviewers.len() > before
    }
}

fn reviewers(rules: &[ProtectionRule]) -> Vec<Value> {
    rules
        .iter()
        .flat_map(|r| &r.reviewers)
        .filter_map(|r| Some(json!({"type": r.get("type")?, "id": r.pointer("/reviewer/id")?})))
        .collect()
}

fn rule<'a>(there: &'a Facts, kind: &str) -> Option<&'a ProtectionRule> {
    let mut rules = there.settings.protection_rules.iter();
    rules.find(|r| r.kind == kind)
}

/// The logins of the people among the reviewers.
pub fn logins(rules: &[ProtectionRule]) -> Vec<String> {
    rules
        .iter()
        .flat_map(|r| &r.reviewers)
        .filter_map(|r| r.pointer("/reviewer/login")?.as_str().map(shown))
        .collect()
}

fn self_review(there: &Facts) -> Option<String> {
    let rule = rule(there, "required_reviewers")?;
    (rule.prevent_self_review != Some(true))
        .then(|| "whoever started the run may approve it".to_owned())
}

/// Whether whoever started a run cannot approve it.
fn prevents(rules: &[ProtectionRule]) -> bool {
    rules.iter().any(|r| r.prevent_self_review == Some(true))
}

/// The wait timer, in minutes.
fn waits(rules: &[ProtectionRule]) -> u64 {
    rules.iter().filter_map(|r| r.wait_timer).max().unwrap_or(0)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
