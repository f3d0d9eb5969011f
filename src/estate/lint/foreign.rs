//! A customer's provider-held values that name what belongs to another customer: a repository,
//! a state bucket, a state key, a namespace.
//!
//! One lookup of all names, then every text is cut into tokens once, so the cost is the size of
//! the estate and not customers × customers. Only whole names count, where such a name can
//! stand: a customer called `web` does not make every text with "web" in it suspicious.

use super::super::files::Files;
use super::super::finding::{Finding, Place};
use super::super::ids::{CustomerId, shown};
use super::super::model::Estate;
use super::super::names::{unique, usual};
use super::super::settings::StateBackend;
use super::super::value::{Data, Node};
use super::parsed;
use std::collections::{BTreeSet, HashMap};

/// Who a name belongs to; several where it was given twice (`collision` says so).
type Owned<'a> = HashMap<String, Vec<&'a CustomerId>>;

/// Every name that belongs to a customer.
struct Names<'a> {
    estate: &'a Estate,
    repositories: Owned<'a>,
    buckets: Owned<'a>,
    namespaces: Owned<'a>,
}

impl<'a> Names<'a> {
    fn of(estate: &'a Estate) -> Self {
        let mut names = Self {
            estate,
            repositories: Owned::new(),
            buckets: Owned::new(),
            namespaces: Owned::new(),
        };
        let common = match &estate.settings.state {
            Some(StateBackend::S3 { bucket, .. }) => Some(bucket.as_str()),
            _ => None,
        };
        for customer in estate.customers.values() {
            let id = &customer.id;
            if let Some(slug) = &customer.repository {
                add(
                    &mut names.repositories,
                    slug.as_str().to_ascii_lowercase(),
                    id,
                );
            }
            if let Some(bucket) = customer.state_bucket.as_deref()
                && Some(bucket) != common
            {
                add(&mut names.buckets, bucket.to_owned(), id);
            }
            for subscription in &customer.subscriptions {
                let Some(product) = estate.products.get(&subscription.product) else {
                    continue;
                };
                let pair = [id.as_str(), product.id.as_str()];
                add(&mut names.namespaces, unique(&pair), id);
                for environment in &product.environments {
                    let all = [pair[0], pair[1], environment.as_str()];
                    add(&mut names.namespaces, usual(&all), id);
                    add(&mut names.namespaces, unique(&all), id);
                }
            }
        }
        names
    }

    /// The customer of the state key that begins with these parts.
    fn state_key(&self, customer: &str, product: &str) -> Option<&'a CustomerId> {
        let id = CustomerId::new(customer).ok()?;
        let found = self.estate.customers.get(&id)?;
        found
            .subscriptions
            .iter()
            .any(|s| s.product.as_str() == product)
            .then_some(&found.id)
    }

    fn is_environment(&self, product: &str, environment: &str) -> bool {
        super::super::ids::ProductId::new(product)
            .ok()
            .and_then(|id| self.estate.products.get(&id))
            .is_some_and(|p| p.environments.iter().any(|e| e.as_str() == environment))
    }
}

fn add<'a>(names: &mut Owned<'a>, name: String, owner: &'a CustomerId) {
    let owners = names.entry(name).or_default();
    if !owners.contains(&owner) {
        owners.push(owner);
    }
}

pub(super) fn check(estate: &Estate) -> Vec<Finding> {
    let names = Names::of(estate);
    let mut findings = Vec::new();
    for (path, _) in estate.files.under("customers") {
        let Some(customer) = held_values(path).and_then(|id| estate.customers.get_key_value(&id))
        else {
            continue;
        };
        let mut reader = Reader {
            names: &names,
            customer: customer.0,
            path,
            findings: &mut findings,
        };
        reader.file(&estate.files);
    }
    findings
}

/// The customer whose provider-held values stand in this file, if it holds values.
fn held_values(path: &str) -> Option<CustomerId> {
    let (folder, file) = path.rsplit_once('/')?;
    let mut parts = folder.split('/').skip(1);
    let customer = CustomerId::new(parts.next()?).ok()?;
    let folder = parts.next()?;
    let yaml = file.ends_with(".yaml") || file.ends_with(".yml");
    (yaml && folder != "terraform" && !file.starts_with("secrets.")).then_some(customer)
}

/// What was found in one text: what it is, its name, whose it is.
type Found<'a> = BTreeSet<(&'static str, String, &'a CustomerId)>;

struct Reader<'r, 'a> {
    names: &'r Names<'a>,
    customer: &'a CustomerId,
    path: &'r str,
    findings: &'r mut Vec<Finding>,
}

impl<'a> Reader<'_, 'a> {
    fn file(&mut self, files: &Files) {
        if let Some(node) = parsed(files, self.path) {
            self.node(&node);
        }
    }

    fn node(&mut self, node: &Node) {
        match &node.data {
            Data::Text(text) => self.text(text, node.line, node.column),
            Data::List(items) => items.iter().for_each(|item| self.node(item)),
            Data::Map(entries) => {
                for (key, value) in entries {
                    self.text(&key.name, key.line, key.column);
                    self.node(value);
                }
            }
            Data::Null | Data::Bool(_) | Data::Number(_) => {}
        }
    }

    fn text(&mut self, text: &str, line: usize, column: usize) {
        let mut found = Found::new();
        let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | '/');
        let mut rest = 0;
        while let Some(from) = text[rest..].find(part).map(|at| rest + at) {
            let to = text[from..]
                .find(|c| !part(c))
                .map_or(text.len(), |at| from + at);
            let (before, after) = (&text[..from], &text[to..]);
            self.token(&text[from..to], before, after, &mut found);
            rest = to;
        }
        for (what, name, owner) in found {
            self.findings.push(Finding::error(
                Place::at(self.path, line, column),
                "foreign",
                format!(
                    "`{}` is {what} of customer `{owner}`; write what belongs to `{}`",
                    shown(&name),
                    self.customer
                ),
            ));
        }
    }

    /// One run of letters, digits, `.`, `_`, `-` and `/`, with what stands around it.
    fn token(&self, token: &str, before: &str, after: &str, found: &mut Found<'a>) {
        let parts: Vec<&str> = token.split('/').filter(|p| !p.is_empty()).collect();
        let begins = before.trim().is_empty();
        // `s3://bucket/key`, `arn:aws:s3:::bucket/key`
        let storage = ["s3:", "gs:", "az:", ":::"]
            .iter()
            .any(|p| before.ends_with(p));
        let whole = begins && after.trim().is_empty() && parts.len() == 1;
        let mut add = |what, name: String, owner| {
            found.insert((what, name, owner));
        };
        let names = self.names;
        for (i, part) in parts.iter().enumerate() {
            let host = part.split_once(".s3").map(|(bucket, _)| bucket);
            let bucket = host.or((whole || (i == 0 && storage)).then_some(*part));
            if let Some(owner) = bucket.and_then(|b| self.others(&names.buckets, b)) {
                add(
                    "the state bucket",
                    bucket.unwrap_or_default().to_owned(),
                    owner,
                );
            }
            for label in part.split('.') {
                if let Some(owner) = self.others(&names.namespaces, label) {
                    add("a namespace", label.to_owned(), owner);
                }
            }
            let Some(next) = parts.get(i + 1) else {
                continue;
            };
            // `owner/name`, alone or after a host, as in `github.com/owner/name.git`.
            if i == 0 || parts[i - 1].contains('.') || parts[i - 1] == "repos" {
                let name = next.strip_suffix(".git").unwrap_or(next);
                let slug = format!("{part}/{name}").to_ascii_lowercase();
                if let Some(owner) = self.others(&names.repositories, &slug) {
                    add("the repository", format!("{part}/{name}"), owner);
                }
            }
            let Some(owner) = names.state_key(part, next).filter(|o| *o != self.customer) else {
                continue;
            };
            // At the beginning of a key, or as a whole stack: elsewhere it is a path like others.
            let key = (i == 0 && begins) || (i == 1 && storage);
            let stack = parts
                .get(i + 2)
                .is_some_and(|e| names.is_environment(next, e));
            let inside = parts.len() > i + 2 || token.ends_with('/');
            if stack || (key && inside) {
                add("state", format!("{part}/{next}/"), owner);
            }
        }
    }

    /// Who owns `name`, if this customer does not.
    fn others(&self, names: &Owned<'a>, name: &str) -> Option<&'a CustomerId> {
        let owners = names.get(name)?;
        (!owners.contains(&self.customer)).then(|| owners.first().copied())?
    }
}

#[cfg(test)]
#[path = "foreign_tests.rs"]
mod tests;
