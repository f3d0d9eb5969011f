//! What a change of the estate does to the stacks: whose effective values differ between two
//! readings of it, grouped by identical change.

use super::effective::Effective;
use super::finding::{Findings, Place};
use super::ids::{CustomerId, StackId};
use super::model::{EngineKind, Estate};
use super::resolve::{Contract, compose};
use rayon::prelude::*;
use serde::Serialize;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// One difference.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    /// A value, given by its keys; absent where it was not set.
    Value {
        /// Keys and list positions from the top.
        path: Vec<String>,
        /// Before.
        #[serde(skip_serializing_if = "Option::is_none")]
        before: Option<Value>,
        /// After.
        #[serde(skip_serializing_if = "Option::is_none")]
        after: Option<Value>,
    },
    /// The product's module or chart, by a file of it.
    File {
        /// Path in the estate.
        path: String,
    },
    /// The version of the subscription.
    Version {
        /// Before.
        before: Option<String>,
        /// After.
        after: Option<String>,
    },
    /// The engine.
    Engine {
        /// Before.
        before: EngineKind,
        /// After.
        after: EngineKind,
    },
    /// The stack is new.
    Added,
    /// The stack is no longer subscribed to. What it deployed is left as it is.
    Removed,
    /// Its values can no longer be read or rendered.
    Broken {
        /// Why, each on one line.
        findings: Vec<String>,
    },
}

/// Stacks that change in the same way.
#[derive(Debug, Clone, Serialize)]
pub struct Group {
    /// What changes.
    pub differences: Vec<Difference>,
    /// Where the new value of each difference is written, for the first of the stacks.
    pub places: Vec<Option<Place>>,
    /// The stacks.
    pub stacks: Vec<StackId>,
}

/// Every stack that changes from `before` to `after`, in groups, the largest first. `contract`
/// gives customers' own files, the same for both sides.
pub fn impact(
    before: &Estate,
    after: &Estate,
    contract: impl Fn(&CustomerId, &str) -> Option<Contract> + Sync,
) -> Vec<Group> {
    let modules = changed_modules(before, after);
    let customers: BTreeSet<&CustomerId> = before
        .customers
        .keys()
        .chain(after.customers.keys())
        .collect();
    let customers: Vec<&CustomerId> = customers.into_iter().collect();
    let changes: Vec<Vec<Changed>> = customers
        .into_par_iter()
        .map(|customer| of_customer(before, after, customer, &modules, &contract))
        .collect();
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for (stack, differences, places) in changes.into_iter().flatten() {
        // Equal differences are written equally: keys are sorted.
        let key = serde_json::to_string(&differences).unwrap_or_default();
        groups
            .entry(key)
            .or_insert_with(|| Group {
                differences,
                places,
                stacks: Vec::new(),
            })
            .stacks
            .push(stack);
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by(|a, b| {
        (b.stacks.len(), a.stacks.first()).cmp(&(a.stacks.len(), b.stacks.first()))
    });
    groups
}

/// A stack, what changes, and where the new values stand.
type Changed = (StackId, Vec<Difference>, Vec<Option<Place>>);

type Modules = BTreeMap<super::ids::ProductId, Vec<String>>;

/// Files of each product that its engine reads and no layer does.
fn changed_modules(before: &Estate, after: &Estate) -> Modules {
    let mut out = Modules::new();
    for product in after.products.keys() {
        let folder = format!("products/{product}/terraform");
        let old: BTreeMap<&str, &[u8]> = before.files.under(&folder).collect();
        let new: BTreeMap<&str, &[u8]> = after.files.under(&folder).collect();
        let paths: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
        let changed = paths
            .into_iter()
            .filter(|p| old.get(p) != new.get(p))
            .map(str::to_owned);
        out.insert(product.clone(), changed.collect());
    }
    out
}

struct Side {
    version: Option<String>,
    engine: EngineKind,
    effective: Result<Effective, Findings>,
}

fn of_customer(
    before: &Estate,
    after: &Estate,
    customer: &CustomerId,
    modules: &Modules,
    contract: &(impl Fn(&CustomerId, &str) -> Option<Contract> + Sync),
) -> Vec<Changed> {
    let mut old = stacks(before, customer, contract);
    let mut out = Vec::new();
    for (stack, new) in stacks(after, customer, contract) {
        let old = old.remove(&stack);
        let touched = modules.get(&stack.product).map_or(&[][..], Vec::as_slice);
        let (differences, places) = compare(old, new, touched);
        if !differences.is_empty() {
            out.push((stack, differences, places));
        }
    }
    out.extend(
        old.into_keys()
            .map(|stack| (stack, vec![Difference::Removed], vec![None])),
    );
    out
}

fn stacks(
    estate: &Estate,
    customer: &CustomerId,
    contract: &(impl Fn(&CustomerId, &str) -> Option<Contract> + Sync),
) -> BTreeMap<StackId, Side> {
    let mut out = BTreeMap::new();
    let Some(customer) = estate.customers.get(customer) else {
        return out;
    };
    for subscription in customer.subscriptions.iter().filter(|s| s.enabled) {
        let Some(product) = estate.products.get(&subscription.product) else {
            continue;
        };
        let own = contract(&customer.id, &subscription.variables);
        for stack in estate.stacks_of_subscription(customer, subscription) {
            let effective = compose(&estate.files, &stack, own.as_ref()).and_then(|(e, found)| {
                // What the customer's own file will bring is not missing yet.
                if found.is_empty() || own.is_none() {
                    Ok(e)
                } else {
                    Err(Findings(found))
                }
            });
            let side = Side {
                version: subscription.version.clone(),
                engine: product.engine,
                effective,
            };
            out.insert(stack, side);
        }
    }
    out
}

fn compare(
    old: Option<Side>,
    new: Side,
    touched: &[String],
) -> (Vec<Difference>, Vec<Option<Place>>) {
    let new_values = match &new.effective {
        Ok(effective) => effective,
        Err(e) => {
            // One that was broken before in the same way has not changed.
            if matches!(&old, Some(Side { effective: Err(before), .. }) if before == e) {
                return (Vec::new(), Vec::new());
            }
            let findings = e.0.iter().map(ToString::to_string).collect();
            return (vec![Difference::Broken { findings }], vec![None]);
        }
    };
    let Some(old) = old else {
        return (vec![Difference::Added], vec![None]);
    };
    let mut differences = Vec::new();
    if old.engine != new.engine {
        differences.push(Difference::Engine {
            before: old.engine,
            after: new.engine,
        });
    }
    if old.version != new.version {
        differences.push(Difference::Version {
            before: old.version,
            after: new.version,
        });
    }
    if new.engine == EngineKind::Terraform {
        differences.extend(
            touched
                .iter()
                .map(|path| Difference::File { path: path.clone() }),
        );
    }
    let empty = Value::Object(serde_json::Map::new());
    let old_values = old.effective.as_ref().map_or(&empty, |e| &e.values);
    let mut path = Vec::new();
    values(
        Some(old_values),
        Some(&new_values.values),
        &mut path,
        &mut differences,
    );
    let places = differences
        .iter()
        .map(|difference| match difference {
            Difference::Value { path, .. } => {
                let steps: Vec<&str> = path.iter().map(String::as_str).collect();
                new_values.chain(&steps).pop().map(|o| o.place)
            }
            _ => None,
        })
        .collect();
    (differences, places)
}

/// Maps are compared key by key; everything else as a whole.
fn values(
    before: Option<&Value>,
    after: Option<&Value>,
    path: &mut Vec<String>,
    out: &mut Vec<Difference>,
) {
    match (before, after) {
        (Some(Value::Object(b)), Some(Value::Object(a))) => {
            let keys: BTreeSet<&String> = b.keys().chain(a.keys()).collect();
            for key in keys {
                path.push(key.clone());
                values(b.get(key), a.get(key), path, out);
                path.pop();
            }
        }
        (b, a) if b == a => {}
        (b, a) => out.push(Difference::Value {
            path: path.clone(),
            before: b.cloned(),
            after: a.cloned(),
        }),
    }
}
