//! The estate as data: customers, their subscriptions, products.

use super::credential::Credential;
use super::entry::{About, Suspension};
use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{CustomerId, EnvironmentId, ProductId, RepoSlug, StackId, shown};
use super::read::{folders_in, read_customer, read_product, yaml};
use super::settings::{self, Settings};
use super::suggest::nearest;
use super::value::{Data, Node};
use rayon::prelude::*;
use std::collections::BTreeMap;

/// What turns a stack's values into change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EngineKind {
    /// OpenTofu or Terraform.
    Terraform,
    /// Rendered values and Applications in a GitOps repository.
    Argocd,
}

impl EngineKind {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Terraform => "terraform",
            Self::Argocd => "argocd",
        }
    }
}

/// A product of the provider.
#[derive(Debug, Clone)]
pub struct Product {
    /// Its id.
    pub id: ProductId,
    /// Its engine.
    pub engine: EngineKind,
    /// Its environments in promotion order.
    pub environments: Vec<EnvironmentId>,
}

/// What a customer subscribes to.
#[derive(Debug, Clone)]
pub struct Subscription {
    /// The product.
    pub product: ProductId,
    /// Whether it is deployed.
    pub enabled: bool,
    /// Which environments; all of the product's when absent.
    pub environments: Option<Vec<EnvironmentId>>,
    /// The version, for the engine.
    pub version: Option<String>,
    /// The customer's file.
    pub variables: String,
}

/// Whether a customer's requests are served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// They are.
    Active,
    /// They are refused with a message.
    Suspended,
}

impl Status {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
        }
    }
}

/// A registry entry.
#[derive(Debug, Clone)]
pub struct Customer {
    /// Its id.
    pub id: CustomerId,
    /// Its name for people.
    pub name: String,
    /// Its repository, for addressing.
    pub repository: Option<RepoSlug>,
    /// Its repository's numeric id, which decides.
    pub repository_id: Option<u64>,
    /// Whether it is served.
    pub status: Status,
    /// Why it is not.
    pub suspension: Option<Suspension>,
    /// What else is known of it.
    pub about: About,
    /// What it was given, or what is held for it, by id; never a secret value.
    pub credentials: Vec<Credential>,
    /// Its own state bucket.
    pub state_bucket: Option<String>,
    /// What is hidden for this customer besides the provider's own.
    pub redact: super::redact::Redact,
    /// What it subscribes to.
    pub subscriptions: Vec<Subscription>,
}

/// The manager repository as data.
#[derive(Debug, Clone)]
pub struct Estate {
    /// `tenantry.yml`.
    pub settings: Settings,
    /// By id.
    pub customers: BTreeMap<CustomerId, Customer>,
    /// By id.
    pub products: BTreeMap<ProductId, Product>,
    /// Every file, for the layers.
    pub files: Files,
}

/// The file that a customer writes.
pub const CONTRACT: &str = "infra/variables.yml";

impl Estate {
    /// Reads settings, registry and products. Layers are read by [`super::resolve`].
    pub fn read(files: Files) -> Result<Self, Findings> {
        let mut findings = Vec::new();
        let settings = match yaml(&files, settings::PATH, &mut findings).map(|n| Settings::read(&n))
        {
            Some(Ok(settings)) => settings,
            Some(Err(e)) => {
                findings.extend(e.0);
                Settings::default()
            }
            None => Settings::default(),
        };
        let mut products = BTreeMap::new();
        for name in folders_in("products", &files) {
            match ProductId::new(&name) {
                Ok(id) => {
                    let product = read_product(&files, id.clone(), &mut findings);
                    products.insert(id, product);
                }
                Err(e) => findings.push(Finding::error(
                    Place::file(&format!("products/{}", shown(&name))),
                    "estate",
                    e.to_string(),
                )),
            }
        }
        let names = folders_in("customers", &files);
        let read: Vec<(Option<Customer>, Vec<Finding>)> = names
            .into_par_iter()
            .map(|name| {
                let mut findings = Vec::new();
                let customer = match CustomerId::new(&name) {
                    Ok(id) => Some(read_customer(&files, id, &products, &mut findings)),
                    Err(e) => {
                        findings.push(Finding::error(
                            Place::file(&format!("customers/{}", shown(&name))),
                            "estate",
                            e.to_string(),
                        ));
                        None
                    }
                };
                (customer, findings)
            })
            .collect();
        let mut customers = BTreeMap::new();
        for (customer, found) in read {
            findings.extend(found);
            if let Some(customer) = customer {
                customers.insert(customer.id.clone(), customer);
            }
        }
        let mut by_repository: BTreeMap<u64, &CustomerId> = BTreeMap::new();
        for customer in customers.values() {
            if let Some(id) = customer.repository_id
                && let Some(other) = by_repository.insert(id, &customer.id)
            {
                findings.push(Finding::error(
                    Place::file(&format!("customers/{}/metadata.yaml", customer.id)),
                    "estate",
                    format!("repository id {id} belongs to customer `{other}` already; one repository serves one customer"),
                ));
            }
        }
        let known: Vec<&EnvironmentId> = products.values().flat_map(|p| &p.environments).collect();
        for environment in settings.gates.keys().filter(|e| !known.contains(e)) {
            let hint = nearest(environment.as_str(), known.iter().map(|e| e.as_str())).map_or_else(
                || "remove it".to_owned(),
                |e| format!("did you mean `{e}`?"),
            );
            findings.push(Finding::error(
                Place::file(settings::PATH),
                "estate",
                format!("`gates.{environment}`: no product has this environment; {hint}"),
            ));
        }
        if findings
            .iter()
            .any(|f| f.level == super::finding::Level::Error)
        {
            return Err(Findings(findings).tidy());
        }
        Ok(Self {
            settings,
            customers,
            products,
            files,
        })
    }

    /// The stacks of one customer, each product's environments in promotion order.
    pub fn stacks_of(&self, customer: &Customer) -> Vec<StackId> {
        customer
            .subscriptions
            .iter()
            .filter(|s| s.enabled)
            .flat_map(|s| self.stacks_of_subscription(customer, s))
            .collect()
    }

    /// The stacks of one subscription, in promotion order.
    pub fn stacks_of_subscription(
        &self,
        customer: &Customer,
        subscription: &Subscription,
    ) -> Vec<StackId> {
        let environments = self
            .products
            .get(&subscription.product)
            .map_or(&[][..], |p| &p.environments);
        environments
            .iter()
            .filter(|e| {
                subscription
                    .environments
                    .as_ref()
                    .is_none_or(|only| only.contains(e))
            })
            .map(|environment| StackId {
                customer: customer.id.clone(),
                product: subscription.product.clone(),
                environment: environment.clone(),
            })
            .collect()
    }

    /// Every stack.
    pub fn stacks(&self) -> Vec<StackId> {
        self.customers
            .values()
            .flat_map(|c| self.stacks_of(c))
            .collect()
    }

    /// The customer whose repository has this numeric id.
    pub fn customer_of_repository(&self, id: u64) -> Option<&Customer> {
        self.customers
            .values()
            .find(|c| c.repository_id == Some(id))
    }

    /// All environments of all products, in an order that keeps each product's own.
    pub fn environments(&self) -> Vec<EnvironmentId> {
        let mut out: Vec<EnvironmentId> = Vec::new();
        for product in self.products.values() {
            let mut after = 0;
            for environment in &product.environments {
                match out.iter().position(|e| e == environment) {
                    Some(at) => after = at + 1,
                    None => {
                        out.insert(after, environment.clone());
                        after += 1;
                    }
                }
            }
        }
        out
    }
}

/// Whether a node is a map (or nothing at all), which every layer must be.
pub fn is_layer(node: &Node) -> bool {
    matches!(node.data, Data::Map(_) | Data::Null)
}
