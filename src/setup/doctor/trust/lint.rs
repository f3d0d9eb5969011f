//! What is wrong with a trust policy. What is not known to be harmless is told: a way in that
//! nobody has looked at must not pass as none.

use super::{AUDIENCE, Manager};
use crate::estate::ids::shown;
use crate::setup::doctor::{Seen, manager};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// The way in of a job, and what it may do besides with the same identity (docs.aws.amazon.com,
/// "AssumeRoleWithWebIdentity", "Passing session tags"). The names of actions have no case.
const WAY_IN: &str = "sts:assumerolewithwebidentity";
const BESIDES: &str = "sts:tagsession";

impl Manager {
    /// What is wrong with a policy of a role for the jobs of a GitHub environment. An error where
    /// nothing was found, but not everything could be checked.
    pub fn lint(&self, policy: &Value, environment: &str) -> Seen<Vec<String>> {
        let wrong = self.wrong(policy, environment);
        match &self.ids {
            Err(why) if wrong.is_empty() => Err(format!(
                "nothing wrong was found, but the spelling of the subject with numbers could not be checked: those of {} are not known ({why})",
                self.slug
            )),
            _ => Ok(wrong),
        }
    }

    fn wrong(&self, policy: &Value, environment: &str) -> Vec<String> {
        let statements = match policy.get("Statement") {
            Some(Value::Array(list)) => list.iter().collect(),
            Some(one @ Value::Object(_)) => vec![one],
            _ => return vec!["it is no policy: it has no `Statement`".into()],
        };
        let mut out = Vec::new();
        let empty = Map::new();
        strange(policy, &["Version", "Id", "Statement"], &mut out);
        let mut ours = 0;
        let mut named = BTreeSet::new();
        for statement in statements {
            match statement.get("Effect").and_then(Value::as_str) {
                // It can only keep somebody out.
                Some("Deny") => continue,
                Some("Allow") => {}
                other => {
                    let other = shown(other.unwrap_or("none"));
                    out.push(format!(
                        "a statement has the effect `{other}`: there are `Allow` and `Deny` alone"
                    ));
                    continue;
                }
            }
            let known = ["Sid", "Effect", "Principal", "Action", "Condition"];
            strange(statement, &known, &mut out);
            self.principal(statement, &mut out);
            if ways_in(statement, &mut out) {
                ours += 1;
                let conditions = statement.get("Condition").and_then(Value::as_object);
                let conditions = conditions.unwrap_or(&empty);
                self.conditions(conditions, environment, &mut named, &mut out);
            }
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

    /// Whom a statement lets in: identities of GitHub Actions alone.
    fn principal(&self, statement: &Value, out: &mut Vec<String>) {
        let kinds = match statement.get("Principal") {
            Some(Value::Object(kinds)) => kinds,
            Some(other) => {
                let who = list(&words(Some(other)));
                out.push(format!(
                    "`Principal` is {who}, and not `Federated` alone: it lets in others than jobs of GitHub Actions"
                ));
                return;
            }
            // `NotPrincipal` is told already.
            None => {
                out.push(
                    "it does not say whose identities it takes (`Principal.Federated`)".into(),
                );
                return;
            }
        };
        for (kind, who) in kinds.iter().filter(|(kind, _)| *kind != "Federated") {
            out.push(format!(
                "`Principal.{}` lets in others than jobs of GitHub Actions: {}",
                shown(kind),
                list(&words(Some(who)))
            ));
        }
        match words(kinds.get("Federated")).as_slice() {
            [] => {
                out.push("it does not say whose identities it takes (`Principal.Federated`)".into())
            }
            all if !all.iter().all(|p| self.is_provider(p)) => out.push(format!(
                "it takes identities of somebody else than `{}`: {}",
                self.issuer,
                list(all)
            )),
            _ => {}
        }
    }

    /// Whether it is `arn:aws:iam::123456789012:oidc-provider/` and the issuer.
    fn is_provider(&self, arn: &str) -> bool {
        let parts: Vec<&str> = arn.splitn(6, ':').collect();
        let [_, _, "iam", "", account, provider] = parts.as_slice() else {
            return false;
        };
        digits(account) && provider.strip_prefix("oidc-provider/") == Some(self.issuer.as_str())
    }

    fn conditions(
        &self,
        conditions: &Map<String, Value>,
        environment: &str,
        named: &mut BTreeSet<String>,
        out: &mut Vec<String>,
    ) {
        let mut audience = false;
        let mut subject = false;
        let empty = Map::new();
        for (operator, keys) in conditions {
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
        let parts = value.strip_prefix("repo:").and_then(|v| v.split_once(':'));
        let Some((_, jobs)) = parts.filter(|(repository, _)| self.is_own(repository)) else {
            return Some(format!("`{shown}` is another repository than the manager"));
        };
        let plans = environment
            .strip_suffix("-apply")
            .map(|e| format!("{e}-plan"));
        match jobs.strip_prefix("environment:") {
            Some(name) if name == environment => None,
            Some(name) if Some(name) == plans.as_deref() => Some(format!(
                "`{shown}` lets the job that plans in, which nobody approves"
            )),
            Some(_) => Some(format!(
                "`{shown}` lets another environment in than `{environment}`"
            )),
            None => Some(format!(
                "`{shown}` lets jobs in that run in no environment, so nobody approves them"
            )),
        }
    }

    /// Whether a subject's repository is the manager, in either spelling. Where the numbers are not
    /// known, any are taken, and `lint` says so.
    fn is_own(&self, repository: &str) -> bool {
        let (owner, name) = (self.slug.owner(), self.slug.name());
        if repository == self.slug.as_str() {
            return true;
        }
        let behind = repository.strip_prefix(&format!("{owner}@"));
        match behind.and_then(|b| b.split_once(&format!("/{name}@"))) {
            None => false,
            Some((of_owner, id)) => match &self.ids {
                Ok(ids) => (of_owner, id) == (&*ids.0.to_string(), &*ids.1.to_string()),
                Err(_) => digits(of_owner) && digits(id),
            },
        }
    }
}

/// Whether a job can get in by a statement; every other way in is told.
fn ways_in(statement: &Value, out: &mut Vec<String>) -> bool {
    let mut ours = statement.get("NotAction").is_some();
    let actions = words(statement.get("Action"));
    if actions.is_empty() && !ours {
        out.push("a statement has no `Action`".into());
    }
    for action in &actions {
        let lower = action.to_ascii_lowercase();
        ours |= lower == WAY_IN || lower.contains(['*', '?']);
        if lower != WAY_IN && lower != BESIDES {
            out.push(format!(
                "`{}` lets in by another way than `sts:AssumeRoleWithWebIdentity`",
                shown(action)
            ));
        }
    }
    ours
}

/// Tells keys that are not known here; `NotAction` and `NotPrincipal` are the worst of them.
fn strange(object: &Value, known: &[&str], out: &mut Vec<String>) {
    let keys = object.as_object().into_iter().flat_map(Map::keys);
    for key in keys.filter(|k| !known.contains(&k.as_str())) {
        out.push(match key.as_str() {
            "NotAction" => "`NotAction` lets in by every way but those that it names".to_owned(),
            "NotPrincipal" => "`NotPrincipal` lets in everybody but those that it names".to_owned(),
            other => format!(
                "`{}` is not known here, so nobody can say whom it lets in",
                shown(other)
            ),
        });
    }
}

/// One or several texts; anything else as it is written, which nothing is equal to.
fn words(value: Option<&Value>) -> Vec<String> {
    let word = |v: &Value| v.as_str().map_or_else(|| v.to_string(), str::to_owned);
    match value {
        None => Vec::new(),
        Some(Value::Array(list)) => list.iter().map(word).collect(),
        Some(one) => vec![word(one)],
    }
}

fn digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

fn list(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|n| shown(n)).collect();
    manager::list(&names)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::estate::RepoSlug;
    use serde_json::json;

    pub fn manager() -> Manager {
        Manager {
            slug: RepoSlug::new("ops/infra").unwrap(),
            ids: Ok((7, 9)),
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
        assert_eq!(manager().lint(&policy, "production-apply"), Ok(Vec::new()));
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
                condition(
                    "ForAnyValue:StringEquals",
                    json!("repo:ops@7/other@9:environment:production-apply"),
                ),
                "another repository",
            ),
            (
                condition(
                    "ForAnyValue:StringEquals",
                    json!("repo:ops@7/infra@8:environment:production-apply"),
                ),
                "another repository",
            ),
            (
                condition("ForAnyValue:StringEquals", json!([right[0], right[1], 5])),
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
            let wrong = manager().wrong(&policy, "production-apply");
            assert!(
                wrong.iter().any(|w| w.contains(words)),
                "{conditions}: {wrong:?}"
            );
        }
        let mut foreign = good.clone();
        foreign["Statement"][0]["Principal"]["Federated"] =
            json!("arn:aws:iam::1:oidc-provider/evil.example");
        assert!(manager().wrong(&foreign, "production-apply")[0].contains("somebody else"));
        for none in [
            json!({}),
            json!({"Statement": []}),
            json!("x"),
            json!({"Statement": [{"Effect": "Deny", "NotAction": "*", "Principal": "*"}]}),
        ] {
            assert_eq!(
                manager().wrong(&none, "production-apply").len(),
                1,
                "{none}"
            );
        }
    }

    /// What stands beside our own statement, and what is put into it.
    #[test]
    fn t4_every_other_way_in_is_found() {
        let good = manager().policy("aws", "123456789012", "production-apply");
        let federated = good["Statement"][0]["Principal"].clone();
        let beside = |statement: Value| {
            let mut policy = good.clone();
            let all = policy["Statement"].as_array_mut().unwrap();
            all.push(statement);
            policy
        };
        let with = |key: &str, value: Value| {
            let mut policy = good.clone();
            policy["Statement"][0][key] = value;
            policy
        };
        let assume = |principal: Value| {
            beside(json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}))
        };
        let provider = federated["Federated"].clone();
        let cases: Vec<(Value, &[&str])> = vec![
            (
                assume(json!({"AWS": "*"})),
                &[
                    "`sts:AssumeRole` lets in by another way",
                    "`Principal.AWS` lets in others than jobs of GitHub Actions: `*`",
                ],
            ),
            (assume(json!("*")), &["`Principal` is `*`"]),
            (
                assume(json!({"Service": ["ec2.amazonaws.com"]})),
                &["`Principal.Service`", "`ec2.amazonaws.com`"],
            ),
            (
                beside(
                    json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::123456789012:saml-provider/x"}, "Action": "sts:AssumeRoleWithSAML"}),
                ),
                &["`sts:AssumeRoleWithSAML`", "saml-provider"],
            ),
            (
                with("Action", json!("sts:Assume*")),
                &["`sts:Assume*` lets in by another way"],
            ),
            (with("Action", json!("*")), &["`*` lets in by another way"]),
            (
                with(
                    "Action",
                    json!(["sts:AssumeRoleWithWebIdentity", "STS:ASSUMEROLE"]),
                ),
                &["`STS:ASSUMEROLE`"],
            ),
            (
                with("Action", json!(["sts:AssumeRoleWithWebIdentity", {"a": 1}])),
                &["lets in by another way"],
            ),
            (with("NotAction", json!("sts:TagSession")), &["`NotAction`"]),
            (
                with("NotPrincipal", json!({"AWS": "123456789012"})),
                &["`NotPrincipal`"],
            ),
            (with("principal", json!("*")), &["`principal` is not known"]),
            (
                with(
                    "Principal",
                    json!({"Federated": provider, "AWS": "arn:aws:iam::999999999999:root"}),
                ),
                &["`Principal.AWS`", "999999999999"],
            ),
            (
                with(
                    "Principal",
                    json!({"Federated": [provider, "accounts.google.com"]}),
                ),
                &["somebody else", "accounts.google.com"],
            ),
            (
                with(
                    "Principal",
                    json!({"Federated": "arn:aws:iam::123456789012:oidc-provider/x/oidc-provider/token.actions.githubusercontent.com"}),
                ),
                &["somebody else"],
            ),
            (with("Effect", json!("allow")), &["the effect `allow`"]),
            (
                beside(json!({"Principal": "*", "Action": "*"})),
                &["the effect `none`"],
            ),
            (beside(json!("x")), &["the effect `none`"]),
            (
                beside(json!({"Effect": "Allow", "Principal": federated})),
                &["no `Action`"],
            ),
        ];
        for (policy, words) in cases {
            let wrong = manager().wrong(&policy, "production-apply").join("; ");
            for word in words {
                assert!(wrong.contains(word), "{word}: {wrong}: {policy}");
            }
        }
        for harmless in [
            with("Sid", json!("Jobs")),
            with(
                "Action",
                json!(["sts:TagSession", "sts:assumeRoleWithWebIdentity"]),
            ),
            beside(json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"})),
            beside(json!({"Effect": "Allow", "Principal": federated, "Action": "sts:TagSession"})),
        ] {
            let wrong = manager().lint(&harmless, "production-apply");
            assert_eq!(wrong, Ok(Vec::new()), "{harmless}");
        }
    }

    /// Without the numbers nothing is fine: the newer spelling is compared around them, and what
    /// cannot be compared is said to be unknown.
    #[test]
    fn t4_unknown_numbers_are_never_fine() {
        let blind = Manager {
            ids: Err("this token may not read it".into()),
            ..manager()
        };
        let mut policy = manager().policy("aws", "123456789012", "production-apply");
        let sub = "token.actions.githubusercontent.com:sub";
        let older = json!("repo:ops/infra:environment:production-apply");
        let mut lint = |subjects: Value| {
            policy["Statement"][0]["Condition"]["StringEquals"][sub] = subjects;
            blind.lint(&policy, "production-apply")
        };
        for unknown in [
            json!([older, "repo:ops@7/infra@9:environment:production-apply"]),
            json!([older, "repo:ops@1/infra@2:environment:production-apply"]),
            older.clone(),
        ] {
            let why = lint(unknown.clone()).unwrap_err();
            for words in ["numbers could not be checked", "ops/infra", "may not read"] {
                assert!(why.contains(words), "{unknown}: {why}");
            }
        }
        for foreign in [
            "repo:mallory@6/infra@7:environment:production-apply",
            "repo:ops@7/other@9:environment:production-apply",
            "repo:ops@7/infra@9x:environment:production-apply",
            "repo:ops@/infra@9:environment:production-apply",
            "repo:ops@7/infra@9:environment:staging-apply",
            "repo:mallory/x@ops@7/infra@9:environment:production-apply",
        ] {
            let wrong = lint(json!([older, foreign])).unwrap();
            assert_eq!(wrong.len(), 1, "{foreign}: {wrong:?}");
        }
    }
}
