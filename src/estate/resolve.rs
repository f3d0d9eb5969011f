//! From layers to the effective values of one stack, with everything that is wrong with them.

use super::effective::Effective;
use super::expression;
use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{StackId, shown};
use super::layers::{ENVIRONMENTS, Layer, Part, merge};
use super::model::{Customer, Estate, is_layer};
use super::policy::Policies;
use super::schema::Schema;
use super::suggest::nearest;
use super::value::{Data, Node};
use super::yaml::{Reading, read};
use serde_json::Value;
use std::sync::Arc;

/// The effective values of a stack and where each came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The values and their layers.
    pub effective: Effective,
    /// Warnings; errors end up in `Err`.
    pub warnings: Vec<Finding>,
}

/// What the customer wrote: the file's path in their repository and its content.
#[derive(Debug, Clone)]
pub struct ContractFile {
    /// Path from the root of the customer's repository.
    pub path: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Reads the contract of a customer on its own: syntax, shape, names of environments.
pub fn read_contract(file: &ContractFile, known: &[&str]) -> Result<Contract, Findings> {
    let node = read(&file.path, &file.bytes, Reading::Strict)?;
    let mut findings = Vec::new();
    if !is_layer(&node) {
        findings.push(Finding::error(
            Place::at(&file.path, node.line, node.column),
            "contract",
            format!("the file must hold keys and values, found {}", node.kind()),
        ));
    }
    for (key, _) in node.entries() {
        if key.name.starts_with("tenantry_") {
            findings.push(Finding::error(
                Place::at(&file.path, key.line, key.column),
                "contract-reserved",
                format!("`{}` is set by tenantry; remove it", shown(&key.name)),
            ));
        }
    }
    if let Some(environments) = node.get(ENVIRONMENTS) {
        match &environments.data {
            Data::Map(entries) => {
                for (key, value) in entries {
                    if !known.contains(&key.name.as_str()) {
                        let hint = nearest(&key.name, known.iter().copied()).map_or_else(
                            || format!("there are {}", known.join(", ")),
                            |k| format!("did you mean `{k}`?"),
                        );
                        findings.push(Finding::error(
                            Place::at(&file.path, key.line, key.column),
                            "contract-environment",
                            format!("there is no environment `{}`; {hint}", shown(&key.name)),
                        ));
                    }
                    if !is_layer(value) {
                        findings.push(Finding::error(
                            Place::at(&file.path, value.line, value.column),
                            "contract",
                            format!(
                                "`environments.{}` must hold keys and values, found {}",
                                shown(&key.name),
                                value.kind()
                            ),
                        ));
                    }
                }
            }
            Data::Null => {}
            _ => findings.push(Finding::error(
                Place::at(&file.path, environments.line, environments.column),
                "contract",
                format!(
                    "`environments` must be a map of environments, found {}",
                    environments.kind()
                ),
            )),
        }
    }
    if findings.is_empty() {
        Ok(Contract {
            path: file.path.as_str().into(),
            node: Arc::new(node),
        })
    } else {
        Err(Findings(findings))
    }
}

/// A customer's file that was read and found to have the right shape.
#[derive(Debug, Clone)]
pub struct Contract {
    /// Path from the root of the customer's repository.
    pub path: Arc<str>,
    /// What it holds.
    pub node: Arc<Node>,
}

/// The layers of `stack`, lowest first.
pub fn layers(
    files: &Files,
    stack: &StackId,
    contract: Option<&Contract>,
) -> Result<Vec<Layer>, Findings> {
    let StackId {
        customer,
        product,
        environment,
    } = stack;
    let mut findings = Vec::new();
    let mut held = |name: &'static str, path: String| match files.yaml(&path)? {
        (path, Ok(node)) if is_layer(&node) => Some(Layer {
            name,
            path,
            node,
            part: Part::Whole,
        }),
        (path, Ok(node)) => {
            findings.push(Finding::error(
                Place::at(&path, node.line, node.column),
                "layer",
                format!("the file must hold keys and values, found {}", node.kind()),
            ));
            None
        }
        (_, Err(e)) => {
            findings.extend(e.0);
            None
        }
    };
    let own = |name: &'static str, part: Part| {
        contract.map(|c| Layer {
            name,
            path: Arc::clone(&c.path),
            node: Arc::clone(&c.node),
            part,
        })
    };
    let layers: Vec<Layer> = [
        held(
            "product base",
            format!("products/{product}/base-values.yaml"),
        ),
        held(
            "product environment",
            format!("products/{product}/environments/{environment}.yaml"),
        ),
        held(
            "customer product",
            format!("customers/{customer}/{product}/values.yaml"),
        ),
        own("customer variables", Part::Common),
        held(
            "customer environment",
            format!("customers/{customer}/{product}/environments/{environment}.yaml"),
        ),
        own(
            "customer variables, environment",
            Part::Environment(environment.clone()),
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    if findings.is_empty() {
        Ok(layers)
    } else {
        Err(Findings(findings))
    }
}

/// Merged and rendered, before anybody judges the values.
pub fn compose(
    files: &Files,
    stack: &StackId,
    contract: Option<&Contract>,
) -> Result<(Effective, Vec<Finding>), Findings> {
    let layers = layers(files, stack, contract)?;
    let (values, findings) = expression::render(merge(&layers), &layers, stack);
    let effective = Effective {
        stack: stack.clone(),
        layers,
        values: Value::Object(values),
        contract: contract.map(|c| Arc::clone(&c.path)),
    };
    Ok((effective, findings))
}

/// The provider's rules, compiled once for many stacks.
pub struct Rules {
    schemas: std::collections::BTreeMap<super::ids::ProductId, Schema>,
    /// The policies.
    pub policies: Policies,
}

impl Rules {
    /// Compiles all schemas and policies of the estate.
    pub fn of(estate: &Estate) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let mut schemas = std::collections::BTreeMap::new();
        for product in estate.products.keys() {
            match Schema::of(&estate.files, product) {
                Ok(Some(schema)) => {
                    schemas.insert(product.clone(), schema);
                }
                Ok(None) => {}
                Err(e) => findings.extend(e.0),
            }
        }
        match Policies::read(&estate.files) {
            Ok(policies) if findings.is_empty() => Ok(Self { schemas, policies }),
            Ok(_) => Err(Findings(findings)),
            Err(e) => {
                findings.extend(e.0);
                Err(Findings(findings))
            }
        }
    }

    /// The schema of one product.
    pub fn schema(&self, product: &super::ids::ProductId) -> Option<&Schema> {
        self.schemas.get(product)
    }
}

/// Merges, renders and checks one stack.
pub fn resolve(
    estate: &Estate,
    rules: &Rules,
    stack: &StackId,
    contract: Option<&Contract>,
) -> Result<Resolved, Findings> {
    let (effective, mut findings) = compose(&estate.files, stack, contract)?;
    if let Some(schema) = rules.schemas.get(&stack.product) {
        // A text whose expression is wrong is not reported a second time for not being a value.
        let wrong: Vec<Place> = findings.iter().map(|f: &Finding| f.place.clone()).collect();
        findings.extend(
            schema
                .check(&effective)
                .into_iter()
                .filter(|f| !wrong.contains(&f.place)),
        );
    }
    if findings.is_empty() {
        // Policies are written for values that fit the schema.
        findings.extend(rules.policies.check(&effective, None));
    }
    let findings = Findings(findings).tidy();
    if findings.has_errors() {
        return Err(findings);
    }
    Ok(Resolved {
        effective,
        warnings: findings.0,
    })
}

/// Every stack of a customer against one commit of their file. All findings, not only the first.
pub fn resolve_customer(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    files: &[ContractFile],
) -> Result<Vec<Resolved>, Findings> {
    let mut out = Vec::new();
    let mut findings = Vec::new();
    let mut contracts = Vec::new();
    for subscription in customer.subscriptions.iter().filter(|s| s.enabled) {
        let Some(product) = estate.products.get(&subscription.product) else {
            continue;
        };
        let known: Vec<&str> = product
            .environments
            .iter()
            .map(super::ids::EnvironmentId::as_str)
            .collect();
        let contract = match files
            .iter()
            .find(|f| f.path == subscription.variables)
            .map(|f| read_contract(f, &known))
        {
            Some(Ok(contract)) => Some(contract),
            Some(Err(e)) => {
                findings.extend(e.0);
                continue;
            }
            None => None,
        };
        contracts.push((subscription, contract));
    }
    for stack in estate.stacks_of(customer) {
        let Some((_, contract)) = contracts.iter().find(|(s, _)| s.product == stack.product) else {
            continue;
        };
        match resolve(estate, rules, &stack, contract.as_ref()) {
            Ok(resolved) => out.push(resolved),
            Err(e) => findings.extend(e.0),
        }
    }
    let findings = Findings(findings).tidy();
    if findings.0.is_empty() {
        Ok(out)
    } else {
        Err(findings)
    }
}
