//! Whom a cloud role trusts: the policy that it must have, and what is wrong with one that it has.
//!
//! A job's identity says in which repository and which GitHub environment it runs, not for which
//! customer. So roles of two customers that trust the same environment trust each other's jobs.
//! The subject has two spellings: a repository that was made, renamed or transferred after
//! 2026-07-15 has the numbers of owner and repository in it (docs.github.com, "OpenID Connect
//! reference"). A policy names both, so that a rename neither locks the manager out nor lets the
//! next owner of the name in by the older spelling alone.

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
    /// Numbers of the owner and the repository, if they are known.
    pub ids: Option<(u64, u64)>,
    /// The issuer without `https://`.
    pub issuer: String,
}

impl Manager {
    /// The subjects of a GitHub environment, in both spellings.
    pub fn subjects(&self, environment: &str) -> Vec<String> {
        let (owner, name) = (self.slug.owner(), self.slug.name());
        let mut out = vec![format!("repo:{owner}/{name}:environment:{environment}")];
        if let Some((owner_id, id)) = self.ids {
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

    /// What is wrong with a policy of a role for the jobs of a GitHub environment.
    pub fn lint(&self, policy: &Value, environment: &str) -> Vec<String> {
        let statements = match policy.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return vec!["it is no policy: it has no `Statement`".into()],
        };
        let mut out = Vec::new();
        let mut ours = 0;
        let mut named = BTreeSet::new();
        for statement in statements {
            let action = words(statement.get("Action"));
            let web = |a: &str| {
                let a = a.to_ascii_lowercase();
                a == "*"
                    || a == "sts:*"
                    || a.starts_with("sts:assumerole")
                        && (a.contains("webidentity") || a.contains('*'))
            };
            if statement.get("Effect") != Some(&json!("Allow")) || !action.iter().any(|a| web(a)) {
                continue;
            }
            ours += 1;
            self.statement(statement, environment, &mut named, &mut out);
        }
        if ours == 0 {
            out.push(
                "nothing in it lets a job of GitHub Actions in (`sts:AssumeRoleWithWebIdentity`)"
                    .into(),
            );
        } else if out.is_empty() {
            let missing: Vec<String> = self
                .subjects(environment)
                .into_iter()
                .filter(|s| !named.contains(s))
                .collect();
            if !missing.is_empty() {
                out.push(format!(
                    "it does not name {}: jobs whose identity is spelt so are turned away",
                    list(&missing)
                ));
            }
        }
        out
    }

    fn statement(
        &self,
        statement: &Value,
        environment: &str,
        named: &mut BTreeSet<String>,
        out: &mut Vec<String>,
    ) {
        let principal = statement.pointer("/Principal/Federated");
        let provider = format!("oidc-provider/{}", self.issuer);
        match words(principal).as_slice() {
            [] => {
                out.push("it does not say whose identities it takes (`Principal.Federated`)".into())
            }
            all if all.iter().any(|p| !p.ends_with(&provider)) => {
                out.push(format!(
                    "it takes identities of somebody else than `{}`: {}",
                    self.issuer,
                    list(all)
                ));
            }
            _ => {}
        }
        let mut audience = false;
        let mut subject = false;
        let empty = serde_json::Map::new();
        let conditions = statement.get("Condition").and_then(Value::as_object);
        for (operator, keys) in conditions.unwrap_or(&empty) {
            for (key, values) in keys.as_object().unwrap_or(&empty) {
                let lower = key.to_ascii_lowercase();
                let (aud, sub) = (
                    lower == format!("{}:aud", self.issuer),
                    lower == format!("{}:sub", self.issuer),
                );
                if !aud && !sub {
                    continue;
                }
                let plain = operator.to_ascii_lowercase();
                let exact = matches!(
                    plain.as_str(),
                    "stringequals" | "stringequalsignorecase" | "foranyvalue:stringequals"
                );
                let like = matches!(plain.as_str(), "stringlike" | "foranyvalue:stringlike");
                if !exact && !like {
                    // `…IfExists`, `ForAllValues:…`, `StringNotEquals`: true for what is not there.
                    out.push(format!(
                        "`{}` on `{}` lets in who does not have it",
                        shown(operator),
                        shown(key)
                    ));
                    continue;
                }
                let values = words(Some(values));
                audience |= aud;
                subject |= sub;
                if aud {
                    for value in values.iter().filter(|v| *v != AUDIENCE) {
                        out.push(format!(
                            "it takes identities that were made for `{}`",
                            shown(value)
                        ));
                    }
                } else {
                    for value in values {
                        if let Some(why) = self.subject(&value, like, environment) {
                            out.push(why);
                        }
                        named.insert(value);
                    }
                }
            }
        }
        if !audience {
            out.push(format!(
                "it does not ask for whom an identity was made (`{}:aud`)",
                self.issuer
            ));
        }
        if !subject {
            out.push(format!("it does not ask whose identity it is (`{}:sub`): every repository on GitHub is let in", self.issuer));
        }
    }

    /// What is wrong with one subject that is let in.
    fn subject(&self, value: &str, like: bool, environment: &str) -> Option<String> {
        let shown = shown(value);
        if like && value.contains(['*', '?']) {
            return Some(format!(
                "`{shown}` has a wildcard: it lets in more than the jobs of one environment"
            ));
        }
        if self.subjects(environment).iter().any(|s| s == value) {
            return None;
        }
        // Where the numbers are not known, the newer spelling cannot be judged by them.
        if self.ids.is_none()
            && value.contains('@')
            && value.ends_with(&format!(":environment:{environment}"))
        {
            return None;
        }
        let (owner, name) = (self.slug.owner(), self.slug.name());
        let own = value.starts_with(&format!("repo:{owner}/{name}:"))
            || value.starts_with(&format!("repo:{owner}@"));
        Some(match (own, value.split_once(":environment:")) {
            (true, Some((_, other)))
                if Some(other)
                    == environment
                        .strip_suffix("-apply")
                        .map(|e| format!("{e}-plan"))
                        .as_deref() =>
            {
                format!("`{shown}` lets the job that plans in, which nobody approves")
            }
            (true, Some(_)) => {
                format!("`{shown}` lets another environment in than `{environment}`")
            }
            (true, None) => format!(
                "`{shown}` lets jobs in that run in no environment, so nobody approves them"
            ),
            (false, _) => format!("`{shown}` is another repository than the manager"),
        })
    }
}

fn words(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(one)) => vec![one.clone()],
        Some(Value::Array(list)) => {
            let texts = list.iter().filter_map(Value::as_str);
            texts.map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names
        .iter()
        .take(4)
        .map(|n| format!("`{}`", shown(n)))
        .collect();
    names.join(", ")
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
            Some(Ok(policy)) => match manager.lint(policy, &environment).as_slice() {
                [] => sheet.fine(check, subject),
                wrong => {
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
    use super::*;

    fn manager() -> Manager {
        Manager {
            slug: RepoSlug::new("ops/infra").unwrap(),
            ids: Some((7, 9)),
            issuer: "token.actions.githubusercontent.com".into(),
        }
    }

    #[test]
    fn t4_a_role_trusts_one_environment_in_both_spellings() {
        let policy = manager().policy("aws", "123456789012", "production-apply");
        assert_eq!(
            policy["Statement"][0]["Condition"]["StringEquals"]["token.actions.githubusercontent.com:sub"],
            json!([
                "repo:ops/infra:environment:production-apply",
                "repo:ops@7/infra@9:environment:production-apply"
            ])
        );
        assert_eq!(
            manager().lint(&policy, "production-apply"),
            Vec::<String>::new()
        );
    }

    #[test]
    fn t4_what_lets_others_in_is_found() {
        let good = manager().policy("aws", "123456789012", "production-apply");
        let at = "/Statement/0/Condition";
        let (aud, sub) = (
            "token.actions.githubusercontent.com:aud",
            "token.actions.githubusercontent.com:sub",
        );
        let right = manager().subjects("production-apply");
        let condition = |operator: &str, subject: Value| json!({"StringEquals": {aud: AUDIENCE}, operator: {sub: subject}});
        let cases: Vec<(Value, &str)> = vec![
            (json!({}), "every repository on GitHub"),
            (
                json!({"StringEquals": {sub: right}}),
                "for whom an identity was made",
            ),
            (
                json!({"StringEquals": {aud: "https://github.com/ops", sub: right}}),
                "made for `https://github.com/ops`",
            ),
            (condition("StringLike", json!("repo:ops/*")), "wildcard"),
            (
                condition(
                    "StringLike",
                    json!("repo:ops/infra:environment:production-appl?"),
                ),
                "wildcard",
            ),
            (
                condition("StringEqualsIfExists", json!(right)),
                "who does not have it",
            ),
            (
                condition("ForAllValues:StringLike", json!(right)),
                "who does not have it",
            ),
            (
                condition("StringNotEquals", json!(right)),
                "who does not have it",
            ),
            (
                condition("StringLike", json!("repo:ops/infra:ref:refs/heads/main")),
                "no environment",
            ),
            (
                condition(
                    "StringLike",
                    json!("repo:ops/infra:environment:production-plan"),
                ),
                "job that plans",
            ),
            (
                condition(
                    "StringLike",
                    json!("repo:ops/infra:environment:staging-apply"),
                ),
                "another environment",
            ),
            (
                condition(
                    "StringLike",
                    json!("repo:mallory/infra:environment:production-apply"),
                ),
                "another repository",
            ),
            (
                condition("StringLike", json!([right[0]])),
                "does not name `repo:ops@7/infra@9:",
            ),
            (
                condition("StringLike", json!([right[1]])),
                "does not name `repo:ops/infra:",
            ),
        ];
        for (conditions, words) in cases {
            let mut policy = good.clone();
            *policy.pointer_mut(at).unwrap() = conditions.clone();
            let wrong = manager().lint(&policy, "production-apply");
            assert!(
                wrong.iter().any(|w| w.contains(words)),
                "{conditions}: {wrong:?}"
            );
        }
        let mut foreign = good.clone();
        foreign["Statement"][0]["Principal"]["Federated"] =
            json!("arn:aws:iam::1:oidc-provider/evil.example");
        assert!(manager().lint(&foreign, "production-apply")[0].contains("somebody else"));
        for none in [
            json!({}),
            json!({"Statement": []}),
            json!("x"),
            json!({"Statement": [{"Effect": "Deny"}]}),
        ] {
            assert_eq!(manager().lint(&none, "production-apply").len(), 1, "{none}");
        }
    }

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
}
