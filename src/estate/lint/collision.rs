//! Names that meet although the ids differ.
//!
//! What tenantry derives itself cannot meet: state and store keys keep `/` between the ids
//! (`engine::terraform::state_key`, `delivery::records::keys`), Argo CD names carry a digest of
//! them (`super::names::unique`), and the GitHub environments `<environment>-plan` and
//! `<environment>-apply` end differently. What can meet is where those keys are put (a store
//! without a prefix beside the state), what the registry says twice, and the name that charts,
//! modules and scripts usually make of the same ids, `<customer>-<product>-<environment>` cut to
//! 63 characters.

use super::super::finding::{Finding, Level, Place};
use super::super::ids::{CustomerId, StackId, shown};
use super::super::model::{Customer, Estate, Product, Subscription};
use super::super::names::usual;
use super::super::settings::{self, StateBackend};
use super::{parsed, place_of};
use std::collections::{BTreeMap, HashMap, HashSet};

/// The folders of the store, as `delivery::records::keys` makes them.
const STORE: [&str; 10] = [
    "applied",
    "audit",
    "comments",
    "drift",
    "identities",
    "leases",
    "plans",
    "requests",
    "seen",
    "unfinished",
];

pub(super) fn check(estate: &Estate) -> Vec<Finding> {
    let mut findings = twice(estate);
    findings.extend(registry(estate));
    findings.extend(storage(estate));
    findings.extend(joined(estate));
    findings.extend(look_alikes(
        estate,
        "customer",
        estate.customers.keys().map(CustomerId::as_str),
    ));
    findings.extend(look_alikes(
        estate,
        "product",
        estate.products.keys().map(|p| p.as_str()),
    ));
    findings
}

/// The same stack from two entries: one state key, planned and applied twice.
fn twice(estate: &Estate) -> Vec<Finding> {
    let mut findings = Vec::new();
    for customer in estate.customers.values() {
        let mut seen = HashSet::new();
        for (i, subscription) in customer.subscriptions.iter().enumerate() {
            if !seen.insert(&subscription.product) {
                findings.push(Finding::error(
                    subscribed(estate, customer, i),
                    "collision-stack",
                    format!(
                        "`{}` subscribes to `{}` twice, so its stacks would share one state; keep one of the two entries",
                        customer.id, subscription.product
                    ),
                ));
            }
        }
    }
    for product in estate.products.values() {
        let mut seen = HashSet::new();
        for environment in &product.environments {
            if !seen.insert(environment) {
                let path = format!("products/{}/product.yaml", product.id);
                findings.push(Finding::error(
                    place_of(&estate.files, &path, &["environments"]),
                    "collision-stack",
                    format!("`{environment}` stands twice in `environments`, so each of its stacks would come twice; keep one"),
                ));
            }
        }
    }
    findings
}

/// Where the entry `index` of `products.yaml` stands.
fn subscribed(estate: &Estate, customer: &Customer, index: usize) -> Place {
    let path = format!("customers/{}/products.yaml", customer.id);
    let found = parsed(&estate.files, &path).and_then(|root| {
        let super::super::value::Data::List(items) = &root.get("products")?.data else {
            return None;
        };
        let item = items.get(index)?;
        let name = item.get("name").unwrap_or(item);
        Some(Place::at(&path, name.line, name.column))
    });
    found.unwrap_or_else(|| Place::file(&path))
}

/// What two registry entries both claim.
fn registry(estate: &Estate) -> Vec<Finding> {
    let mut findings = Vec::new();
    let common = match &estate.settings.state {
        Some(StateBackend::S3 { bucket, .. }) => Some(bucket.as_str()),
        _ => None,
    };
    let mut repositories: HashMap<String, &CustomerId> = HashMap::new();
    let mut buckets: HashMap<&str, &CustomerId> = HashMap::new();
    for customer in estate.customers.values() {
        let path = format!("customers/{}/metadata.yaml", customer.id);
        // GitHub's names do not tell capital letters from small ones.
        if let Some(slug) = &customer.repository
            && let Some(other) =
                repositories.insert(slug.as_str().to_ascii_lowercase(), &customer.id)
        {
            findings.push(Finding::error(
                place_of(&estate.files, &path, &["repository"]),
                "collision-repository",
                format!("`{slug}` is the repository of customer `{other}` already; one repository serves one customer"),
            ));
        }
        if let Some(bucket) = customer.state_bucket.as_deref()
            && Some(bucket) != common
            && let Some(other) = buckets.insert(bucket, &customer.id)
        {
            findings.push(Finding::warning(
                place_of(&estate.files, &path, &["state", "bucket"]),
                "collision-bucket",
                format!("`{}` is the state bucket of customer `{other}` too; give each customer a bucket of their own, or leave `state.bucket` out to use the common one", shown(bucket)),
            ));
        }
    }
    findings
}

/// A customer's state in a folder of the store. Whoever may read one by its prefix may then
/// read the other.
fn storage(estate: &Estate) -> Vec<Finding> {
    let (Some(store), Some(state)) = (&estate.settings.store, &estate.settings.state) else {
        return Vec::new();
    };
    let store = store.trim_end_matches('/');
    let folders: Vec<String> = STORE.iter().map(|f| format!("{store}/{f}/")).collect();
    let mut findings = Vec::new();
    for customer in estate.customers.values() {
        let root = match state {
            StateBackend::S3 { bucket, .. } => {
                format!(
                    "s3://{}",
                    customer.state_bucket.as_deref().unwrap_or(bucket)
                )
            }
            StateBackend::Local { path } => format!("file://{}", path.trim_end_matches('/')),
        };
        let own = format!("{root}/{}/", customer.id);
        if let Some(folder) = folders
            .iter()
            .find(|f| f.starts_with(&own) || own.starts_with(f.as_str()))
        {
            findings.push(Finding::error(
                place_of(&estate.files, settings::PATH, &["store", "url"]),
                "collision-store",
                format!(
                    "the state of customer `{}` (`{}`) and the store (`{}`) are in one folder; give the store a prefix that is no customer's id, such as `{}`",
                    customer.id,
                    shown(&own),
                    shown(folder),
                    shown(&format!("{root}/tenantry-store"))
                ),
            ));
            // All state lies there, so it is the same for every customer.
            if format!("{root}/").starts_with(folder.as_str()) {
                break;
            }
        }
    }
    findings
}

/// A subscription and the stacks that it stands for, deployed or not.
fn stacks<'a>(
    product: &'a Product,
    customer: &'a Customer,
    subscription: &'a Subscription,
) -> impl Iterator<Item = StackId> + 'a {
    product
        .environments
        .iter()
        .filter(|e| {
            subscription
                .environments
                .as_ref()
                .is_none_or(|only| only.contains(e))
        })
        .map(|environment| StackId {
            customer: customer.id.clone(),
            product: product.id.clone(),
            environment: environment.clone(),
        })
}

/// `a-b` with `c` and `a` with `b-c`; names of more than 63 characters that begin alike.
fn joined(estate: &Estate) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut pairs: HashMap<String, (&Customer, &Product)> = HashMap::new();
    let mut triples: HashMap<String, StackId> = HashMap::new();
    for customer in estate.customers.values() {
        for (i, subscription) in customer.subscriptions.iter().enumerate() {
            let Some(product) = estate.products.get(&subscription.product) else {
                continue;
            };
            let mut refuse = |name: &str, other: &CustomerId, left: String, right: String| {
                let level = if *other == customer.id {
                    Level::Warning
                } else {
                    Level::Error
                };
                findings.push(Finding {
                    place: subscribed(estate, customer, i),
                    level,
                    message: format!(
                        "`{left}` and `{right}` both become `{name}` where ids are joined by `-` and cut to 63 characters, as in a Kubernetes namespace; rename one of them"
                    ),
                    rule: "collision-namespace".into(),
                });
            };
            let name = usual(&[customer.id.as_str(), product.id.as_str()]);
            match pairs.get(&name) {
                // The same subscription twice is `collision-stack`.
                Some((c, p)) if c.id == customer.id && p.id == product.id => continue,
                Some((c, p)) => {
                    let left = format!("{}/{}", c.id, p.id);
                    refuse(
                        &name,
                        &c.id,
                        left,
                        format!("{}/{}", customer.id, product.id),
                    );
                    continue;
                }
                None => {
                    pairs.insert(name, (customer, product));
                }
            }
            for stack in stacks(product, customer, subscription) {
                let name = usual(&[
                    stack.customer.as_str(),
                    stack.product.as_str(),
                    stack.environment.as_str(),
                ]);
                match triples.get(&name) {
                    Some(other) if *other == stack => {}
                    Some(other) => {
                        refuse(&name, &other.customer, other.to_string(), stack.to_string());
                    }
                    None => {
                        triples.insert(name, stack);
                    }
                }
            }
        }
    }
    findings
}

/// The same for two ids that are one where `-` cannot be written, or that a person takes for each
/// other.
pub fn alike(id: &str) -> String {
    id.chars()
        .filter(|c| *c != '-')
        .map(|c| match c {
            '0' => 'o',
            '1' => 'l',
            c => c,
        })
        .collect()
}

/// Ids that are [`alike`].
fn look_alikes<'a>(
    estate: &Estate,
    what: &str,
    ids: impl Iterator<Item = &'a str>,
) -> Vec<Finding> {
    let mut seen: BTreeMap<String, &str> = BTreeMap::new();
    let mut findings = Vec::new();
    for id in ids {
        let folded = alike(id);
        if let Some(other) = seen.insert(folded, id) {
            // A folder has no line to stand at; its first file does.
            let folder = format!("{what}s/{id}");
            let first = estate.files.under(&folder).next();
            findings.push(Finding::warning(
                Place::file(first.map_or(folder.as_str(), |(path, _)| path)),
                "collision-id",
                format!("the ids of {what} `{id}` and {what} `{other}` differ only in `-` or in digits that look like letters; rename one before somebody approves the wrong one"),
            ));
        }
    }
    findings
}

#[cfg(test)]
#[path = "collision_tests.rs"]
mod tests;
