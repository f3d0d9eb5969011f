//! Environments: what holds a job back, and who may let it go on.
//!
//! One call of GitHub's sets all of an environment's protection and switches off what it does not
//! name. So there is one repair for an environment, whatever was found, and what is there already
//! is part of it.

use super::judge::{list, seals};
use super::{Asked, EnvironmentFacts, Facts};
use crate::estate::EnvironmentId;
use crate::estate::ids::shown;
use crate::estate::settings::GateRule;
use crate::github::model::ProtectionRule;
use crate::github::setup::Change;
use crate::setup::doctor::check as checks;
use crate::setup::doctor::{Check, Repair, Seen, Sheet};
use serde_json::{Value, json};

/// The environments of all plans and applies.
pub(super) fn judge(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    for environment in asked.estate.environments() {
        let gate = asked.estate.settings.gate(&environment);
        for apply in [false, true] {
            let kind = if apply { "apply" } else { "plan" };
            let name = format!("{environment}-{kind}");
            let gate = apply.then_some(&gate);
            let wanted = Wanted {
                asked,
                facts,
                name: &name,
                gate,
            };
            wanted.judge(sheet);
            if apply && seals(asked, &environment) {
                seal_key(&environment, facts, &name, sheet);
            }
        }
    }
}

/// The secret of an apply environment.
fn seal_key(environment: &EnvironmentId, facts: &Facts, name: &str, sheet: &mut Sheet) {
    let secret = "TENANTRY_SEAL_IDENTITY";
    let subject = format!("{name}/{secret}");
    let there = match &facts.environments {
        Err(why) => Err(why.clone()),
        Ok(all) => match all.get(name) {
            None => return,
            Some(found) => found.secrets.clone(),
        },
    };
    sheet.judge(&checks::MANAGER_SECRET, subject, &there, |there| {
        (!there.contains(secret)).then(|| {
            let text = format!(
                "the secret is missing in the environment; no plan for {environment} can be opened"
            );
            (text, None)
        })
    });
}

/// One environment, and what it must have.
struct Wanted<'a> {
    asked: &'a Asked<'a>,
    facts: &'a Facts,
    name: &'a str,
    /// For applies.
    gate: Option<&'a GateRule>,
}

/// One rule of an environment: a sentence where it is broken.
type Broken = (&'static Check, Option<String>);

impl Wanted<'_> {
    fn judge(&self, sheet: &mut Sheet) {
        let there = match &self.facts.environments {
            Err(why) => {
                sheet.unchecked(&checks::MANAGER_ENVIRONMENT, self.name, why.clone());
                return;
            }
            Ok(all) => all.get(self.name),
        };
        let Some(there) = there else {
            let text = "the environment is missing: GitHub makes one without any protection when a job asks for it";
            let repair = self.repair(None).map(|(repair, _)| repair);
            sheet.finding(&checks::MANAGER_ENVIRONMENT, self.name, text, repair);
            return;
        };
        sheet.fine(&checks::MANAGER_ENVIRONMENT, self.name);
        let mut broken: Vec<Broken> = Vec::new();
        if let Some(gate) = self.gate {
            if gate.approval {
                broken.push((&checks::MANAGER_REVIEWERS, self.reviewers(gate, there)));
                broken.push((&checks::MANAGER_SELF_REVIEW, self_review(there)));
                self.bypass(there, sheet);
            }
            if gate.wait_minutes > 0 {
                broken.push((&checks::MANAGER_WAIT_TIMER, wait(gate, there)));
            }
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
    fn reviewers(&self, gate: &GateRule, there: &EnvironmentFacts) -> Option<String> {
        let logins = logins(&there.settings.protection_rules);
        let rule = rule(there, "required_reviewers");
        if rule.is_none_or(|r| r.reviewers.is_empty()) {
            return Some("it has no required reviewers: nobody is asked before an apply".into());
        }
        let teams = rule.is_some_and(|r| r.reviewers.iter().any(|r| r["type"] == "Team"));
        let missing: Vec<String> = gate
            .approvers
            .iter()
            .filter(|a| !logins.iter().any(|l| l.eq_ignore_ascii_case(a)))
            .cloned()
            .collect();
        // A member of a team that reviews is not seen here.
        (!missing.is_empty() && !teams && missing.len() == gate.approvers.len()).then(|| {
            format!(
                "none of those whose approval counts is a reviewer: {}",
                list(&missing)
            )
        })
    }

    fn bypass(&self, there: &EnvironmentFacts, sheet: &mut Sheet) {
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
        let settings = self.facts.settings.as_ref();
        settings
            .map(|s| s.default_branch.as_str())
            .map_err(Clone::clone)
    }

    fn branches(&self, there: &EnvironmentFacts, repair: Option<Repair>, sheet: &mut Sheet) {
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
                // Good as long as there is one, which `manager-branch` looks at.
                return None;
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

    /// One change for everything that GitHub can set, and whether there are reviewers then.
    fn repair(&self, there: Option<&EnvironmentFacts>) -> Option<(Repair, bool)> {
        let branch = self.default_branch().ok()?;
        let repo = self.asked.repository;
        let mut body = json!({
            "deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true},
        });
        let rules = there.map_or(&[][..], |t| &t.settings.protection_rules);
        let mut reviewers: Vec<Value> = rules
            .iter()
            .flat_map(|r| &r.reviewers)
            .filter_map(|r| Some(json!({"type": r.get("type")?, "id": r.pointer("/reviewer/id")?})))
            .collect();
        let wait = rules.iter().filter_map(|r| r.wait_timer).max().unwrap_or(0);
        let mut wait_wanted = wait;
        let mut prevent = rules.iter().any(|r| r.prevent_self_review == Some(true));
        if let Some(gate) = self.gate {
            wait_wanted = wait.max(gate.wait_minutes);
            if gate.approval {
                let logins = logins(rules);
                let none = !gate
                    .approvers
                    .iter()
                    .any(|a| logins.iter().any(|l| l.eq_ignore_ascii_case(a)));
                if reviewers.is_empty() || none {
                    for login in gate
                        .approvers
                        .iter()
                        .take(6usize.saturating_sub(reviewers.len()))
                    {
                        if let Some(Ok(id)) = self.facts.approvers.get(login) {
                            reviewers.push(json!({"type": "User", "id": id}));
                        }
                    }
                }
                prevent = true;
            }
        }
        if wait_wanted > 0 {
            body["wait_timer"] = json!(wait_wanted);
        }
        if !reviewers.is_empty() {
            body["reviewers"] = json!(reviewers);
            body["prevent_self_review"] = json!(prevent);
        }
        let policy = there.and_then(|t| t.settings.deployment_branch_policy);
        // A policy that a person has chosen stays as it is.
        if let Some(policy) = policy.filter(|p| p.protected_branches) {
            body["deployment_branch_policy"] = json!({
                "protected_branches": policy.protected_branches,
                "custom_branch_policies": policy.custom_branch_policies,
            });
        }
        let mut changes = vec![Change::environment(repo, self.name, body)];
        let named = there.is_some_and(|t| t.branches.as_ref().is_ok_and(|b| !b.is_empty()));
        if !named && !policy.is_some_and(|p| p.protected_branches) {
            changes.push(Change::environment_branch(repo, self.name, branch));
        }
        let says = match there {
            None => format!("make the environment {} with its protection", self.name),
            Some(_) => format!("set the protection of the environment {}", self.name),
        };
        let repair = Repair::github(says, changes);
        let asks = self.gate.is_some_and(|g| g.approval);
        Some(match (asks, reviewers.is_empty()) {
            (true, true) => (
                repair.then(format!("name reviewers in the environment {}", self.name)),
                false,
            ),
            (_, empty) => (repair, !empty),
        })
    }
}

fn rule<'a>(there: &'a EnvironmentFacts, kind: &str) -> Option<&'a ProtectionRule> {
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

fn self_review(there: &EnvironmentFacts) -> Option<String> {
    let rule = rule(there, "required_reviewers")?;
    (rule.prevent_self_review != Some(true))
        .then(|| "whoever started the run may approve it".to_owned())
}

fn wait(gate: &GateRule, there: &EnvironmentFacts) -> Option<String> {
    let minutes = rule(there, "wait_timer").and_then(|r| r.wait_timer);
    let minutes = minutes.unwrap_or(0);
    (minutes < gate.wait_minutes).then(|| {
        format!(
            "it waits {minutes} minutes, and the settings demand {}",
            gate.wait_minutes
        )
    })
}
