//! Whom a cloud role trusts: the policy that it must have, and what is wrong with one that it has.
//!
//! A job's identity says in which repository and which GitHub environment it runs, not for which
//! customer. So roles of two customers that trust the same environment trust each other's jobs.
//! The subject has two spellings: a repository that was made, renamed or transferred after
//! 2026-07-15 has the numbers of owner and repository in it (docs.github.com, "OpenID Connect
//! reference"). A policy names both, so that a rename neither locks the manager out nor lets the
//! next owner of the name in by the older spelling alone.

mod lint;

use super::check as checks;
use super::{Seen, Sheet};
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::estate::settings::Settings;
use crate::estate::{CustomerId, EnvironmentId, Estate, RepoSlug};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Who asks AWS for a role's credentials, where nobody has said so.
pub const AUDIENCE: &str = "sts.amazonaws.com";

/// The manager repository, as the subject of an identity names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manager {
    /// `owner/name`.
    pub slug: RepoSlug,
    /// Numbers of the owner and the repository, or why they are not known.
    pub ids: Seen<(u64, u64)>,
    /// The issuer without `https://`.
    pub issuer: String,
}

impl Manager {
    /// The subjects of a GitHub environment, in both spellings.
    pub fn subjects(&self, environment: &str) -> Vec<String> {
        let (owner, name) = (self.slug.owner(), self.slug.name());
        let mut out = vec![format!("repo:{owner}/{name}:environment:{environment}")];
        if let Ok((owner_id, id)) = self.ids {
            out.push(format!(
                "repo:{owner}@{owner_id}/{name}@{id}:environment:{environment}"
            ));
        }
        out
    }

    /// The trust policy of a role of `account` for a GitHub environment.
    pub fn policy(&self, partition: &str, account: &str, environment: &str) -> Value {
        let issuer = &self.issuer;
        json!({
            "Version": "2012-10-17",
            "Statement": [{
                "Effect": "Allow",
                "Principal": {"Federated": format!("arn:{partition}:iam::{account}:oidc-provider/{issuer}")},
                "Action": "sts:AssumeRoleWithWebIdentity",
                "Condition": {"StringEquals": {
                    format!("{issuer}:aud"): AUDIENCE,
                    format!("{issuer}:sub"): self.subjects(environment),
                }},
            }],
        })
    }
}

/// A role that the registry names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Role {
    /// Whose.
    pub customer: CustomerId,
    /// For which environment's applies.
    pub environment: EnvironmentId,
    /// Its ARN.
    pub arn: String,
}

/// The roles of the registry.
pub fn roles(estate: &Estate) -> Vec<Role> {
    let customers = estate.customers.values();
    customers
        .flat_map(|c| {
            c.about.roles.iter().map(|(environment, arn)| Role {
                customer: c.id.clone(),
                environment: environment.clone(),
                arn: arn.clone(),
            })
        })
        .collect()
}

/// Partition, account and name of `arn:aws:iam::123456789012:role/path/name`.
pub fn parts(arn: &str) -> Option<(&str, &str, &str)> {
    let mut parts = arn.splitn(6, ':');
    let (_, partition, service) = (parts.next()?, parts.next()?, parts.next()?);
    let (_, account, role) = (parts.next()?, parts.next()?, parts.next()?);
    let name = role.strip_prefix("role/")?.rsplit('/').next()?;
    let fine =
        service == "iam" && account.len() == 12 && account.bytes().all(|b| b.is_ascii_digit());
    (fine && !name.is_empty()).then_some((partition, account, name))
}

/// Whether a role that was found by its name is the recorded one: IAM looks in the account of the
/// credentials alone, where another role may have the same name.
pub fn same(recorded: &str, found: &str) -> Seen<()> {
    if recorded == found {
        return Ok(());
    }
    let account = |arn| parts(arn).map(|(_, account, _)| account);
    Err(match (account(recorded), account(found)) {
        (Some(theirs), Some(ours)) if theirs != ours => format!(
            "these credentials are of account {ours}, and the role is of {theirs}: run it with credentials of that account, or judge its policy with `tenantry doctor trust --policy FILE`"
        ),
        _ => format!(
            "the role of this name is `{}`, not `{}`",
            shown(found),
            shown(recorded)
        ),
    })
}

/// Judges the roles of the registry: who shares an environment, and the policies that were read.
pub fn judge(
    manager: &Manager,
    settings: &Settings,
    roles: &[Role],
    policies: &BTreeMap<String, Seen<Value>>,
) -> Sheet {
    let environment =
        |role: &Role| settings.job_environment(Job::Apply, &role.customer, &role.environment);
    let mut sheet = Sheet::default();
    let mut shared: BTreeMap<String, BTreeSet<&CustomerId>> = BTreeMap::new();
    for role in roles {
        let customers = shared.entry(environment(role)).or_default();
        customers.insert(&role.customer);
    }
    for (name, customers) in shared {
        let check = &checks::TRUST_SHARED;
        match customers.len() {
            1 => sheet.fine(check, name),
            n => {
                let names: Vec<&str> = customers.iter().take(4).map(|c| c.as_str()).collect();
                let more = if n > 4 { " and others" } else { "" };
                let text = format!(
                    "the roles of {}{more} all trust `{}`: a job for one of them can take the role of another",
                    names.join(", "),
                    manager.subjects(&name)[0]
                );
                sheet.finding(check, name, text, None);
            }
        }
    }
    for role in roles {
        let subject = format!("{}/{}", role.customer, role.environment);
        let check = &checks::TRUST_POLICY;
        let environment = environment(role);
        match policies.get(&role.arn) {
            None => sheet.unchecked(check, subject, "there are no credentials of AWS here; `tenantry doctor trust --policy FILE` judges a policy from a file"),
            Some(Err(why)) => sheet.unchecked(check, subject, why.clone()),
            Some(Ok(policy)) => match manager.lint(policy, &environment) {
                Err(why) => sheet.unchecked(check, subject, why),
                Ok(wrong) if wrong.is_empty() => sheet.fine(check, subject),
                Ok(wrong) => {
                    sheet.finding(check, &subject, format!("{}: {}", shown(&role.arn), wrong.join("; ")), None);
                    sheet.remedy(format!("give it the policy that `tenantry doctor trust --customer {} --environment {}` prints", role.customer, role.environment));
                }
            },
        }
    }
    sheet
}

#[cfg(test)]
mod tests {
    use super::lint::tests::manager;
    use super::*;

    #[test]
    fn customers_who_share_an_environment_share_a_subject() {
        let role = |customer: &str, environment: &str| Role {
            customer: CustomerId::new(customer).unwrap(),
            environment: EnvironmentId::new(environment).unwrap(),
            arn: format!("arn:aws:iam::123456789012:role/{customer}"),
        };
        let roles = [
            role("acme", "production"),
            role("globex", "production"),
            role("acme", "production-acme"),
        ];
        let mut settings = Settings::default();
        let sheet = judge(&manager(), &settings, &roles, &BTreeMap::new());
        let found = |sheet: &Sheet| -> Vec<(&'static str, String)> {
            let verdicts = sheet.0.iter();
            verdicts
                .filter(|v| matches!(v.outcome, super::super::Outcome::Finding { .. }))
                .map(|v| (v.check.id, v.subject.clone()))
                .collect()
        };
        let shared = "production-apply".to_owned();
        assert_eq!(found(&sheet), [("trust-shared-environment", shared)]);
        assert_eq!(sheet.count().unchecked, 3, "nobody has read their policies");
        settings.own_environments = true;
        let apart = judge(&manager(), &settings, &roles, &BTreeMap::new());
        assert_eq!(found(&apart), []);
        assert_eq!(apart.count().fine, 3);
        assert_eq!(
            parts("arn:aws:iam::123456789012:role/team/acme"),
            Some(("aws", "123456789012", "acme"))
        );
        for bad in [
            "",
            "arn:aws:iam::1:role/x",
            "arn:aws:s3:::bucket",
            "arn:aws:iam::123456789012:user/x",
            "arn:aws:iam::123456789012:role/",
        ] {
            assert_eq!(parts(bad), None, "{bad}");
        }
    }

    #[test]
    fn t4_a_role_of_another_account_is_not_the_recorded_one() {
        let here = "arn:aws:iam::123456789012:role/acme";
        assert_eq!(same(here, here), Ok(()));
        for (other, words) in [
            (
                "arn:aws:iam::111111111111:role/acme",
                "of account 111111111111",
            ),
            ("arn:aws:iam::123456789012:role/team/acme", "role/team/acme"),
            ("", "not `arn:"),
        ] {
            let why = same(here, other).unwrap_err();
            assert!(why.contains(words), "{why}");
        }
    }
}
