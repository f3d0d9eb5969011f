//! What every single file may say and the estate as a whole may not: names of two customers
//! that meet, values that name another customer, secrets in plain text, files that nothing reads.
//!
//! One family per file. Each is linear in the size of the estate: names go into one lookup,
//! texts are walked once. Nothing here looks at what a customer wrote; that is checked per stack.

mod collision;
mod foreign;
mod pattern;
mod secret;
mod sops;
mod unread;

use super::allow::{self, Date};
use super::drift;
use super::files::Files;
use super::finding::{Finding, Place};
use super::model::Estate;
use super::value::Node;
pub use collision::alike;
use std::sync::Arc;

/// Everything that the lints find, in no order.
pub fn lint(estate: &Estate) -> Vec<Finding> {
    let mut findings = collision::check(estate);
    findings.extend(foreign::check(estate));
    findings.extend(secret::check(&estate.files));
    findings.extend(pattern::check(&estate.files));
    findings.extend(unread::check(estate));
    findings
}

/// [`lint`] and `more`, without what `lint.allow` of the settings allows on the day `today`, and
/// with the rules about drift whose day is over.
pub fn checked(estate: &Estate, more: Vec<Finding>, today: &Date) -> Vec<Finding> {
    let mut findings = lint(estate);
    findings.extend(more);
    let mut findings = allow::apply(&estate.settings.allow, findings, today);
    findings.extend(drift::expired(&estate.settings.drift, today));
    findings
}

/// A file of the estate as YAML. One that cannot be read is reported where it is used.
fn parsed(files: &Files, path: &str) -> Option<Arc<Node>> {
    files.yaml(path)?.1.ok()
}

/// The position of the value at `keys`, or the whole file.
fn place_of(files: &Files, path: &str, keys: &[&str]) -> Place {
    let whole = || Place::file(path);
    let Some(root) = parsed(files, path) else {
        return whole();
    };
    keys.iter()
        .try_fold(&*root, |node, key| node.get(key))
        .map_or_else(whole, |node| Place::at(path, node.line, node.column))
}

/// Estates for the tests of this folder.
#[cfg(test)]
mod fixture {
    use super::*;

    /// An estate of these files.
    pub fn estate(files: &[(&str, &str)]) -> Estate {
        let mut all = Files::new();
        for (path, content) in files {
            all.insert(*path, content.as_bytes());
        }
        match Estate::read(all) {
            Ok(estate) => estate,
            Err(e) => panic!("{e}"),
        }
    }

    /// Findings as a person reads them, in order.
    pub fn lines(findings: Vec<Finding>) -> Vec<String> {
        let findings = crate::estate::Findings(findings).tidy();
        findings.0.iter().map(ToString::to_string).collect()
    }

    /// A product with two environments, and customers that subscribe to it.
    pub fn with_customers<'a>(customers: &[&'a str]) -> Vec<(String, &'a str)> {
        let mut out = vec![
            ("products/web/base-values.yaml".to_owned(), "{}\n"),
            ("products/web/environments/staging.yaml".to_owned(), "{}\n"),
            (
                "products/web/environments/production.yaml".to_owned(),
                "{}\n",
            ),
        ];
        for customer in customers {
            out.push((
                format!("customers/{customer}/products.yaml"),
                "products:\n  - name: web\n",
            ));
        }
        out
    }

    /// The same, with more files, as an estate.
    pub fn estate_of(customers: &[&str], more: &[(&str, &str)]) -> Estate {
        let base = with_customers(customers);
        let mut all: Vec<(&str, &str)> = base.iter().map(|(p, c)| (p.as_str(), *c)).collect();
        all.extend(more);
        estate(&all)
    }
}

#[cfg(test)]
mod tests {
    use super::fixture::{estate_of, lines};
    use super::*;

    #[test]
    fn an_estate_in_order_has_no_finding() {
        let estate = estate_of(
            &["acme", "beta"],
            &[
                (
                    "customers/acme/metadata.yaml",
                    "repository: acme/app\nrepository_id: 1\nstate:\n  bucket: acme-state\n",
                ),
                ("customers/acme/web/values.yaml", "image: acme/app\n"),
                (
                    "customers/acme/web/environments/production.yaml",
                    "size: 3\n",
                ),
                (
                    "tenantry.yml",
                    "store: {url: s3://ops/tenantry}\nstate: {bucket: ops}\n",
                ),
            ],
        );
        assert_eq!(lines(lint(&estate)), Vec::<String>::new());
    }
}
