//! Reading products and registry entries out of their files.

use super::entry::{About, Suspension};
use super::fields::Fields;
use super::files::Files;
use super::finding::{Finding, Place};
use super::ids::{CustomerId, EnvironmentId, ProductId};
use super::model::{CONTRACT, Customer, EngineKind, Product, Status, Subscription};
use super::suggest::nearest;
use super::value::Node;
use std::collections::BTreeMap;

/// dev, test, staging, prod or production, then by name.
fn promotion_rank(name: &str) -> (u8, String) {
    let rank = match name {
        "dev" | "development" => 0,
        "test" => 1,
        "staging" => 2,
        "prod" | "production" => 3,
        _ => 4,
    };
    (rank, name.to_owned())
}

/// The folders directly inside `folder`. A plain file there, such as a README, is nobody's id.
pub(super) fn folders_in(folder: &str, files: &Files) -> Vec<String> {
    let mut names = files.names_in(folder);
    names.retain(|name| files.get(&format!("{folder}/{name}")).is_none());
    names
}

pub(super) fn yaml(
    files: &Files,
    path: &str,
    findings: &mut Vec<Finding>,
) -> Option<std::sync::Arc<Node>> {
    match files.yaml(path)?.1 {
        Ok(node) => Some(node),
        Err(e) => {
            findings.extend(e.0);
            None
        }
    }
}

pub(super) fn read_product(files: &Files, id: ProductId, findings: &mut Vec<Finding>) -> Product {
    let folder = format!("products/{id}");
    let has_module = files.under(&format!("{folder}/terraform")).next().is_some();
    let mut engine = if has_module {
        EngineKind::Terraform
    } else {
        EngineKind::Argocd
    };
    let mut environments: Vec<EnvironmentId> = Vec::new();
    for name in files.names_in(&format!("{folder}/environments")) {
        let path = format!("{folder}/environments/{name}");
        let Some(stem) = name.strip_suffix(".yaml") else {
            continue;
        };
        match EnvironmentId::new(stem) {
            Ok(environment) => environments.push(environment),
            Err(e) => findings.push(Finding::error(Place::file(&path), "estate", e.to_string())),
        }
    }
    environments.sort_by_key(|e| promotion_rank(e.as_str()));
    let path = format!("{folder}/product.yaml");
    if let Some(node) = yaml(files, &path, findings) {
        let mut fields = Fields::new(&path, &node);
        if let Some(word) = fields.word(
            "engine",
            &[
                ("terraform", EngineKind::Terraform),
                ("argocd", EngineKind::Argocd),
            ],
        ) {
            engine = word;
        }
        if let Some(listed) = fields.parsed_list("environments") {
            environments = listed;
        }
        fields.text("description");
        findings.extend(fields.finish());
    }
    Product {
        id,
        engine,
        environments,
    }
}

pub(super) fn read_customer(
    files: &Files,
    id: CustomerId,
    products: &BTreeMap<ProductId, Product>,
    findings: &mut Vec<Finding>,
) -> Customer {
    let mut customer = Customer {
        name: id.to_string(),
        id,
        repository: None,
        repository_id: None,
        status: Status::Active,
        suspension: None,
        about: About::default(),
        credentials: Vec::new(),
        state_bucket: None,
        redact: super::redact::Redact::default(),
        subscriptions: Vec::new(),
    };
    let path = format!("customers/{}/metadata.yaml", customer.id);
    if let Some(node) = yaml(files, &path, findings) {
        let mut fields = Fields::new(&path, &node);
        if let Some(name) = fields.text("name") {
            customer.name = name;
        }
        customer.repository = fields.parsed("repository");
        customer.repository_id = fields.number("repository_id");
        if customer.repository.is_some() && fields.node("repository_id").is_none() {
            fields.missing("repository_id");
        }
        if let Some(status) = fields.word(
            "status",
            &[("active", Status::Active), ("suspended", Status::Suspended)],
        ) {
            customer.status = status;
        }
        customer.suspension = Suspension::read(&mut fields);
        customer.about = About::read(&path, &node, products, &mut fields);
        customer.credentials = super::credential::read(&path, &mut fields);
        customer.redact = super::redact::Redact::read(&mut fields);
        if let Some(mut state) = fields.fields("state") {
            customer.state_bucket = state.text("bucket");
            let found = state.finish();
            fields.absorb(found);
        }
        if let Some(given) = fields.text("customer")
            && given != customer.id.as_str()
            && let Some(at) = fields.node("customer")
        {
            fields.refuse(
                at,
                format!("`customer` must be the folder's name, `{}`", customer.id),
            );
        }
        findings.extend(fields.finish_open());
    }
    let path = format!("customers/{}/products.yaml", customer.id);
    if let Some(node) = yaml(files, &path, findings) {
        let mut fields = Fields::new(&path, &node);
        if fields.node("products").is_none() {
            fields.missing("products");
        }
        for item in fields.list("products").unwrap_or_default() {
            let mut entry = Fields::new(&path, item);
            let name = entry.parsed::<ProductId>("name");
            let subscription = Subscription {
                enabled: entry.boolean("enabled").unwrap_or(true),
                environments: entry.parsed_list("environments"),
                version: entry.text("version"),
                variables: entry
                    .text("variables")
                    .unwrap_or_else(|| CONTRACT.to_owned()),
                product: match name {
                    Some(product) => product,
                    None => {
                        if entry.node("name").is_none() {
                            entry.missing("name");
                        }
                        findings.extend(entry.finish_open());
                        continue;
                    }
                },
            };
            check_subscription(&mut entry, item, &subscription, products);
            findings.extend(entry.finish());
            customer.subscriptions.push(subscription);
        }
        findings.extend(fields.finish_open());
    }
    customer
}

fn check_subscription(
    entry: &mut Fields<'_>,
    item: &Node,
    subscription: &Subscription,
    products: &BTreeMap<ProductId, Product>,
) {
    let Some(product) = products.get(&subscription.product) else {
        let hint = nearest(
            subscription.product.as_str(),
            products.keys().map(ProductId::as_str),
        )
        .map_or_else(
            || format!("add `products/{}/`", subscription.product),
            |p| format!("did you mean `{p}`?"),
        );
        entry.refuse(
            item.get("name").unwrap_or(item),
            format!("there is no product `{}`; {hint}", subscription.product),
        );
        return;
    };
    for environment in subscription.environments.iter().flatten() {
        if !product.environments.contains(environment) {
            let known = product
                .environments
                .iter()
                .map(|e| format!("`{e}`"))
                .collect::<Vec<_>>()
                .join(", ");
            entry.refuse(
                item.get("environments").unwrap_or(item),
                format!(
                    "product `{}` has no environment `{environment}`; it has {known}",
                    product.id
                ),
            );
        }
    }
    let safe = subscription.variables.split('/').all(|p| {
        !p.is_empty()
            && p != "."
            && p != ".."
            && p.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
    });
    if !safe {
        entry.refuse(item.get("variables").unwrap_or(item), "`variables` must be a path inside the customer's repository, such as `infra/variables.yml`");
    }
}
