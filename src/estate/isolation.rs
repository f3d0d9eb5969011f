//! Whether two customers can reach the same thing.
//!
//! A *claim* is one name under which the jobs of a stack read or write something. This file knows
//! nothing of how those names are made: it is handed them by the code that makes them
//! (`delivery::reach`), and compares each with all others. Two claims meet if they are equal, if
//! they are equal once capital letters are small ones, or if one is a folder around the other.

use super::finding::{Finding, Level, Place};
use super::ids::{CustomerId, EnvironmentId, StackId, shown};
use super::jobs::Job;
use super::model::{EngineKind, Estate};
use super::settings::{self, StateBackend};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// Where a name means something. Names of two spaces never meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Space {
    /// Repositories of customers, by their numeric id.
    Repository,
    /// Objects and folders of Terraform state, the store and the audit log, as URLs.
    Storage,
    /// Working folders on a runner.
    WorkingFolder,
    /// Files of the GitOps repository.
    Gitops,
    /// Names that a cluster knows: projects, applications, namespaces.
    Cluster,
}

/// One name that belongs to somebody.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Claim {
    /// Where it means something.
    pub space: Space,
    /// What it is for a person, such as `state` or `sealed plans`.
    pub what: &'static str,
    /// The name. A folder ends in `/`.
    pub name: String,
}

/// What one stack may touch, and with whom it shares what it does not have alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reach {
    /// The stack.
    pub stack: StackId,
    /// What it has alone.
    pub claims: Vec<Claim>,
    /// GitHub environments of its jobs. Other customers' jobs may run in them too.
    pub environments: Vec<String>,
    /// The age recipient of its sealed plans; one for the whole estate.
    pub recipient: Option<String>,
}

/// What the manager itself writes, for no customer.
pub type Own = Vec<Claim>;

/// Somebody with a claim; the manager itself is nobody.
type Owner<'a> = Option<&'a CustomerId>;

/// Everything that two customers, or a customer and the manager, can both reach.
pub fn check(estate: &Estate, reaches: &[Reach], own: &[Claim]) -> Vec<Finding> {
    let mut all: Vec<(Space, String, Owner<'_>, &Claim)> = reaches
        .iter()
        .flat_map(|r| r.claims.iter().map(|c| (Some(&r.stack.customer), c)))
        .chain(own.iter().map(|c| (None, c)))
        .map(|(owner, claim)| (claim.space, claim.name.to_ascii_lowercase(), owner, claim))
        .collect();
    all.sort();
    all.dedup();
    let mut met: BTreeMap<(Owner<'_>, Owner<'_>, Space), String> = BTreeMap::new();
    // Sorted, everything inside of a folder follows it, so those that are open are enough.
    let mut open: Vec<&(Space, String, Owner<'_>, &Claim)> = Vec::new();
    for item in &all {
        open.retain(|o| o.0 == item.0 && (o.1 == item.1 || inside(&item.1, &o.1)));
        for outer in open.iter().filter(|o| o.2 != item.2) {
            let key = if outer.2 <= item.2 {
                (outer.2, item.2)
            } else {
                (item.2, outer.2)
            };
            met.entry((key.0, key.1, item.0)).or_insert_with(|| {
                format!(
                    "{} `{}` of {} and {} `{}` of {}",
                    outer.3.what,
                    shown(&outer.3.name),
                    whose(outer.2),
                    item.3.what,
                    shown(&item.3.name),
                    whose(item.2)
                )
            });
        }
        open.push(item);
    }
    let mut findings: Vec<Finding> = met
        .into_values()
        .map(|what| {
            Finding::error(
                Place::file(settings::PATH),
                "isolation-reach",
                format!(
                    "{what} overlap; give the store a prefix of its own, or rename one of the two"
                ),
            )
        })
        .collect();
    findings.extend(shared_environments(estate));
    findings
}

fn inside(name: &str, folder: &str) -> bool {
    folder.ends_with('/') && name.starts_with(folder)
}

fn whose(owner: Owner<'_>) -> String {
    match owner {
        Some(customer) => format!("customer `{customer}`"),
        None => "the manager".to_owned(),
    }
}

/// Environments in which jobs of several customers speak to a cloud. GitHub's identity token
/// names the environment and not the customer (docs.github.com, "OpenID Connect reference",
/// `sub`: `repo:ORG/REPO:environment:NAME`), so the cloud sees one and the same job.
fn shared_environments(estate: &Estate) -> Vec<Finding> {
    let local = matches!(estate.settings.state, Some(StateBackend::Local { .. }));
    if local || estate.settings.own_environments {
        return Vec::new();
    }
    let mut users: BTreeMap<EnvironmentId, BTreeSet<CustomerId>> = BTreeMap::new();
    for stack in estate.stacks() {
        let engine = estate.products.get(&stack.product).map(|p| p.engine);
        if engine == Some(EngineKind::Terraform) {
            users
                .entry(stack.environment)
                .or_default()
                .insert(stack.customer);
        }
    }
    users
        .into_iter()
        .filter(|(_, customers)| customers.len() > 1)
        .filter_map(|(environment, customers)| {
            let example = Job::Apply.own(customers.first()?, &environment);
            let names: Vec<String> = customers.iter().take(3).map(|c| format!("`{c}`")).collect();
            let more = customers.len() - names.len();
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            Some(Finding {
                place: Place::file(settings::PATH),
                level: Level::Warning,
                message: format!(
                    "the GitHub environments `{environment}-plan` and `{environment}-apply` serve {}{more}, so a cloud role that trusts them cannot tell one customer from another; with `customers.own_environments: true` each has environments of their own, such as `{example}`, and a role can trust those alone",
                    names.join(", ")
                ),
                rule: "isolation-environment".into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Files;

    fn estate(files: &[(&str, &str)]) -> Estate {
        let mut all = Files::new();
        for (path, text) in files {
            all.insert(*path, text.as_bytes());
        }
        match Estate::read(all) {
            Ok(estate) => estate,
            Err(e) => panic!("{e}"),
        }
    }

    fn reach(stack: &str, claims: &[(Space, &str)]) -> Reach {
        Reach {
            stack: match stack.parse() {
                Ok(stack) => stack,
                Err(e) => panic!("{e}"),
            },
            claims: claims
                .iter()
                .map(|(space, name)| Claim {
                    space: *space,
                    what: "name",
                    name: (*name).to_owned(),
                })
                .collect(),
            environments: Vec::new(),
            recipient: None,
        }
    }

    fn met(left: &[(Space, &str)], right: &[(Space, &str)]) -> usize {
        let estate = estate(&[("tenantry.yml", "version: 1\n")]);
        let reaches = [reach("acme/web/dev", left), reach("beta/web/dev", right)];
        check(&estate, &reaches, &[]).len()
    }

    #[test]
    fn t19_names_that_are_equal_alike_or_inside_of_each_other_meet() {
        use Space::{Gitops, Storage};
        for (left, right, meets) in [
            ("s3://b/acme/", "s3://b/beta/", false),
            ("s3://b/acme/", "s3://b/acme-2/", false),
            ("s3://b/acme", "s3://b/acme-2", false),
            ("s3://b/x", "s3://b/x", true),
            ("s3://b/X", "s3://b/x", true),
            ("s3://b/acme/", "s3://b/acme/web/x", true),
            ("s3://b/acme/web/x", "s3://b/acme/", true),
            ("s3://b/acme/web/x", "s3://b/ACME/", true),
        ] {
            let found = met(&[(Storage, left)], &[(Storage, right)]);
            assert_eq!(found == 1, meets, "{left} {right}");
        }
        assert_eq!(met(&[(Storage, "x")], &[(Gitops, "x")]), 0, "two spaces");
        // Behind names that sort in between, the folder is still open.
        let inside = [(Storage, "a/b/1"), (Storage, "a/b/2"), (Storage, "a/c/3")];
        assert_eq!(met(&[(Storage, "a/"), (Storage, "a/b/")], &inside), 1);
    }

    #[test]
    fn t19_a_customer_may_hold_folders_of_their_own_inside_of_each_other() {
        let own = [(Space::Storage, "a/"), (Space::Storage, "a/b")];
        assert_eq!(met(&own, &[(Space::Storage, "b/")]), 0);
    }

    #[test]
    fn t19_what_is_the_managers_own_is_no_customers() {
        let estate = estate(&[("tenantry.yml", "version: 1\n")]);
        let own = [Claim {
            space: Space::Storage,
            what: "log",
            name: "s3://b/audit/log/".to_owned(),
        }];
        let reaches = [reach("audit/web/dev", &[(Space::Storage, "s3://b/audit/")])];
        let found = check(&estate, &reaches, &own);
        assert!(
            found.len() == 1 && found[0].message.contains("of the manager"),
            "{found:?}"
        );
    }

    #[test]
    fn t2_environments_of_several_customers_are_told() {
        let base = [
            ("tenantry.yml", "state: {bucket: b}\n"),
            ("products/web/terraform/main.tf", ""),
            ("products/web/environments/dev.yaml", "{}\n"),
            ("products/web/environments/dev-acme.yaml", "{}\n"),
            (
                "customers/beta/products.yaml",
                "products: [{name: web, environments: [dev]}]\n",
            ),
        ];
        let of = |acme: &str| {
            let mut files = base.to_vec();
            files.push(("customers/acme/products.yaml", acme));
            shared_environments(&estate(&files))
        };
        let shared = of("products: [{name: web, environments: [dev]}]\n");
        assert!(
            shared.len() == 1
                && shared[0]
                    .message
                    .contains("`dev-apply` serve `acme`, `beta`,"),
            "{shared:?}"
        );
        assert_eq!(
            of("products: [{name: web, environments: [dev-acme]}]\n"),
            []
        );
    }
}
