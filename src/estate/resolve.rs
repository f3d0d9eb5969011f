//! From layers to the effective values of one stack, with everything that is wrong with them.

use super::expression;
use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{StackId, shown};
use super::layers::{Kind, Layer, Merged, merge};
use super::model::{Customer, Estate, is_layer};
use super::policy::Policies;
use super::schema::Schema;
use super::suggest::nearest;
use super::value::{Data, Node};
use super::yaml::{Reading, read};

/// The effective values of a stack and where each came from.
#[derive(Debug, Clone)]
pub struct Resolved {
    /// The stack.
    pub stack: StackId,
    /// The values.
    pub merged: Merged,
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
pub fn read_contract(file: &ContractFile, known: &[&str]) -> Result<Node, Findings> {
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
    if let Some(environments) = node.get("environments") {
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
        Ok(node)
    } else {
        Err(Findings(findings))
    }
}

/// The layers of `stack`, lowest first.
pub fn layers(
    files: &Files,
    stack: &StackId,
    contract: Option<(&str, &Node)>,
) -> Result<Vec<Layer>, Findings> {
    let StackId {
        customer,
        product,
        environment,
    } = stack;
    let held = [
        (
            "product base",
            format!("products/{product}/base-values.yaml"),
        ),
        (
            "product environment",
            format!("products/{product}/environments/{environment}.yaml"),
        ),
        (
            "customer product",
            format!("customers/{customer}/{product}/values.yaml"),
        ),
        (
            "customer environment",
            format!("customers/{customer}/{product}/environments/{environment}.yaml"),
        ),
    ];
    let mut layers = Vec::new();
    let mut findings = Vec::new();
    for (name, path) in held {
        if name == "customer environment"
            && let Some((path, node)) = contract
        {
            layers.push(Layer {
                name: "customer variables",
                path: path.into(),
                node: without_environments(node),
            });
        }
        if let Some(bytes) = files.get(&path) {
            match read(&path, bytes, Reading::Strict) {
                Ok(node) if is_layer(&node) => layers.push(Layer {
                    name,
                    path: path.into(),
                    node,
                }),
                Ok(node) => findings.push(Finding::error(
                    Place::at(&path, node.line, node.column),
                    "layer",
                    format!("the file must hold keys and values, found {}", node.kind()),
                )),
                Err(e) => findings.extend(e.0),
            }
        }
    }
    if let Some((path, node)) = contract
        && let Some(own) = node
            .get("environments")
            .and_then(|e| e.get(environment.as_str()))
    {
        layers.push(Layer {
            name: "customer variables, environment",
            path: path.into(),
            node: own.clone(),
        });
    }
    if findings.is_empty() {
        Ok(layers)
    } else {
        Err(Findings(findings))
    }
}

fn without_environments(node: &Node) -> Node {
    let mut node = node.clone();
    if let Data::Map(entries) = &mut node.data {
        entries.retain(|(k, _)| k.name != "environments");
    }
    node
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
    contract: Option<(&str, &Node)>,
) -> Result<Resolved, Findings> {
    let layers = layers(&estate.files, stack, contract)?;
    let mut merged = merge(&layers);
    let mut findings = expression::render(&mut merged, stack);
    if let Some(schema) = rules.schemas.get(&stack.product) {
        // A text whose expression is wrong is not reported a second time for not being a value.
        let wrong: Vec<Place> = findings.iter().map(|f: &Finding| f.place.clone()).collect();
        findings.extend(
            schema
                .check(&merged)
                .into_iter()
                .filter(|f| !wrong.contains(&f.place)),
        );
    }
    if findings.is_empty() {
        // Policies are written for values that fit the schema.
        findings.extend(rules.policies.check(stack, &merged, None));
    }
    let findings = Findings(findings).tidy();
    if findings.has_errors() {
        return Err(findings);
    }
    Ok(Resolved {
        stack: stack.clone(),
        merged,
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
        let node = match files
            .iter()
            .find(|f| f.path == subscription.variables)
            .map(|f| read_contract(f, &known))
        {
            Some(Ok(node)) => Some(node),
            Some(Err(e)) => {
                findings.extend(e.0);
                continue;
            }
            None => None,
        };
        contracts.push((subscription, node));
    }
    for stack in estate.stacks_of(customer) {
        let Some((subscription, node)) = contracts.iter().find(|(s, _)| s.product == stack.product)
        else {
            continue;
        };
        match resolve(
            estate,
            rules,
            &stack,
            node.as_ref().map(|n| (subscription.variables.as_str(), n)),
        ) {
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

impl Resolved {
    /// The values as the engine gets them: canonical JSON, keys sorted.
    pub fn canonical(&self) -> String {
        self.merged.to_json().to_string()
    }

    /// Top-level keys, for engines that take named variables.
    pub fn keys(&self) -> Vec<&str> {
        match &self.merged.kind {
            Kind::Map(map) => map.keys().map(String::as_str).collect(),
            _ => Vec::new(),
        }
    }
}
