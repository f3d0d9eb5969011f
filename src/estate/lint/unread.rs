//! Files that no layer reads, mostly because of a slip in a name. What says nothing to tenantry
//! by design is left alone: `terraform/` and `configs/` of a customer, `secrets.yaml`, READMEs
//! and other Markdown, files that begin with a dot.

use super::super::finding::{Finding, Place};
use super::super::ids::{CustomerId, ProductId, shown};
use super::super::model::{Customer, Estate, Product};
use super::super::suggest::nearest;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What was found, by the folder or file that it is about: the first file, how many, and why.
type Unread = BTreeMap<String, (String, usize, String)>;

pub(super) fn check(estate: &Estate) -> Vec<Finding> {
    let mut unread = Unread::new();
    let mut referenced: BTreeMap<&ProductId, BTreeSet<String>> = BTreeMap::new();
    for (path, _) in estate.files.iter() {
        let parts: Vec<&str> = path.split('/').collect();
        let Some((file, _)) = parts.split_last() else {
            continue;
        };
        let hidden = parts.iter().any(|p| p.starts_with('.'));
        if hidden || file.to_ascii_lowercase().starts_with("readme") || file.ends_with(".md") {
            continue;
        }
        let why = match parts.as_slice() {
            ["customers" | "products", _] => Some((path.to_owned(), lone(file))),
            ["customers", customer, rest @ ..] => CustomerId::new(customer)
                .ok()
                .and_then(|id| estate.customers.get(&id))
                .and_then(|customer| of_customer(estate, customer, rest)),
            ["products", product, rest @ ..] => ProductId::new(product)
                .ok()
                .and_then(|id| estate.products.get(&id))
                .and_then(|product| of_product(product, rest))
                .filter(|_| {
                    !path.ends_with(".json")
                        || !estate.products.keys().any(|id| {
                            id.as_str() == *product
                                && referenced
                                    .entry(id)
                                    .or_insert_with(|| references(estate, id))
                                    .contains(path)
                        })
                }),
            ["policies", ..] if !file.ends_with(".rego") => Some((
                path.to_owned(),
                "only `*.rego` is read in `policies/`".to_owned(),
            )),
            _ => None,
        };
        if let Some((about, why)) = why {
            let entry = unread
                .entry(about)
                .or_insert_with(|| (path.to_owned(), 0, why));
            entry.1 += 1;
        }
    }
    unread
        .into_iter()
        .map(|(about, (path, count, why))| {
            let message = if count > 1 {
                format!(
                    "nothing reads the {count} files of `{}/`: {why}",
                    shown(&about)
                )
            } else {
                format!("nothing reads this file: {why}")
            };
            Finding::warning(Place::file(&path), "unread-file", message)
        })
        .collect()
}

fn lone(file: &str) -> String {
    format!(
        "`{}` stands where folders are expected; move it into one or remove it",
        shown(file)
    )
}

/// What was probably meant by `word`.
fn meant(word: &str, known: &[&str]) -> String {
    nearest(word, known.iter().copied()).map_or_else(
        || format!("known names here are {}", quoted(known)),
        |n| format!("did you mean `{n}`?"),
    )
}

fn quoted(names: &[&str]) -> String {
    let all: Vec<String> = names.iter().map(|n| format!("`{n}`")).collect();
    all.join(", ")
}

/// Which file or folder is not read, by its path, and why.
type Why = Option<(String, String)>;

fn of_customer(estate: &Estate, customer: &Customer, rest: &[&str]) -> Why {
    let folder = format!("customers/{}", customer.id);
    match rest {
        ["metadata.yaml" | "products.yaml"] | ["terraform" | "configs", _, ..] => None,
        [file] => Some((
            format!("{folder}/{file}"),
            meant(file, &["metadata.yaml", "products.yaml"]),
        )),
        [name, tail @ ..] => {
            let about = format!("{folder}/{name}");
            let Some(product) = ProductId::new(name)
                .ok()
                .and_then(|id| estate.products.get(&id))
            else {
                let mut known: Vec<&str> = estate.products.keys().map(ProductId::as_str).collect();
                known.extend(["terraform", "configs"]);
                let hint = nearest(name, known).map_or_else(
                    || format!("add `products/{}/` or remove it", shown(name)),
                    |n| format!("did you mean `{n}`?"),
                );
                return Some((
                    about,
                    format!("there is no product `{}`; {hint}", shown(name)),
                ));
            };
            let subscription = customer
                .subscriptions
                .iter()
                .find(|s| s.product == product.id);
            let Some(subscription) = subscription else {
                return Some((
                    about,
                    format!(
                        "`{}` does not subscribe to `{name}`; add it to `{folder}/products.yaml` or remove these values",
                        customer.id
                    ),
                ));
            };
            let environments: Vec<&str> = product
                .environments
                .iter()
                .filter(|e| {
                    subscription
                        .environments
                        .as_ref()
                        .is_none_or(|only| only.contains(e))
                })
                .map(|e| e.as_str())
                .collect();
            match tail {
                ["values.yaml" | "secrets.yaml"] => None,
                ["environments", file] => environment(file, &environments)
                    .map(|why| (format!("{about}/environments/{file}"), why)),
                [first, ..] => Some((
                    format!("{about}/{first}"),
                    meant(first, &["values.yaml", "secrets.yaml", "environments"]),
                )),
                [] => None,
            }
        }
        [] => None,
    }
}

fn of_product(product: &Product, rest: &[&str]) -> Why {
    let folder = format!("products/{}", product.id);
    match rest {
        ["product.yaml" | "base-values.yaml" | "values.schema.json"] | ["terraform", _, ..] => None,
        ["environments", file] => {
            let known: Vec<&str> = product.environments.iter().map(|e| e.as_str()).collect();
            environment(file, &known).map(|why| (format!("{folder}/environments/{file}"), why))
        }
        [first, ..] => {
            let known = [
                "product.yaml",
                "base-values.yaml",
                "values.schema.json",
                "environments",
                "terraform",
            ];
            Some((format!("{folder}/{first}"), meant(first, &known)))
        }
        [] => None,
    }
}

/// Why a file of `environments/` is not read.
fn environment(file: &str, known: &[&str]) -> Option<String> {
    let stem = file.strip_suffix(".yaml");
    if stem.is_some_and(|s| known.contains(&s)) {
        return None;
    }
    let stem = stem.or_else(|| file.split('.').next()).unwrap_or(file);
    let hint = nearest(stem, known.iter().copied()).map_or_else(
        || {
            if known.is_empty() {
                "there are no environments".to_owned()
            } else {
                format!("there are {}", quoted(known))
            }
        },
        |n| format!("did you mean `{n}.yaml`?"),
    );
    Some(format!(
        "no stack here has the environment `{}`; {hint}",
        shown(file.strip_suffix(".yaml").unwrap_or(file))
    ))
}

/// The files of a product that its schema refers to, directly or through others.
fn references(estate: &Estate, product: &ProductId) -> BTreeSet<String> {
    let mut seen = BTreeSet::new();
    let mut open = vec![super::super::schema::path_of(product)];
    while let Some(path) = open.pop() {
        let document = estate
            .files
            .get(&path)
            .and_then(|bytes| serde_json::from_slice::<Value>(bytes).ok());
        if let Some(document) = document
            && seen.insert(path.clone())
        {
            refs(&document, &mut |target| {
                let target = target.split('#').next().unwrap_or_default();
                let mut parts: Vec<&str> = path.split('/').collect();
                parts.pop();
                for part in target.split('/') {
                    match part {
                        "" | "." => {}
                        ".." => {
                            parts.pop();
                        }
                        part => parts.push(part),
                    }
                }
                open.push(parts.join("/"));
            });
        }
    }
    seen
}

fn refs(value: &Value, visit: &mut impl FnMut(&str)) {
    match value {
        Value::Object(map) => {
            if let Some(Value::String(target)) = map.get("$ref") {
                visit(target);
            }
            map.values().for_each(|v| refs(v, visit));
        }
        Value::Array(items) => items.iter().for_each(|v| refs(v, visit)),
        _ => {}
    }
}

#[cfg(test)]
#[path = "unread_tests.rs"]
mod tests;
