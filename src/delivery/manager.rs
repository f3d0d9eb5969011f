//! Everything a step of the manager works with, put together by the command line.

use super::concern;
use super::error::DeliveryError;
use super::estate_head::Moved;
use super::records::RunRef;
use crate::audit::Log;
use crate::clock::Clock;
use crate::digest::Digest;
use crate::engine::module::Module;
use crate::engine::redact::Redactor;
use crate::estate::ids::CustomerId;
use crate::estate::model::EngineKind;
use crate::estate::resolve::Rules;
use crate::estate::{Estate, RepoSlug, Sha};
use crate::github::Client;
use crate::github::model::User;
use crate::store::Store;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::{Arc, OnceLock};
use tokio::sync::OnceCell;

/// The manager's workflow run.
#[derive(Debug, Clone)]
pub struct RunInfo {
    /// The run.
    pub run: RunRef,
    /// Who sent the event that started it.
    pub sender: Option<User>,
    /// The commit of the manager repository that it works with; none outside of a workflow.
    pub commit: Option<Sha>,
}

/// A manager at work.
pub struct Manager {
    /// The manager repository.
    pub repository: RepoSlug,
    /// The estate.
    pub estate: Estate,
    /// Its schemas and policies.
    pub rules: Arc<Rules>,
    /// Speaks for the manager's own workflow token.
    pub own: Client,
    /// Speaks for the token that may read customers' repositories and answer them.
    pub source: Client,
    /// The store.
    pub store: Store,
    /// The audit log.
    pub audit: Log,
    /// The time.
    pub clock: Clock,
    /// This run.
    pub run: RunInfo,
    /// What of the estate has changed since this run's commit, once it was asked for.
    pub moved: OnceCell<Moved>,
    /// The environments that jobs may name, once they were asked for.
    pub places: OnceCell<BTreeSet<String>>,
    /// The variables that modules keep secret, once they were asked for.
    pub secrets: OnceLock<BTreeSet<String>>,
}

/// Names of the variables that a module of the estate calls sensitive or ephemeral. A module that
/// cannot be read is an error elsewhere.
fn secrets(estate: &Estate) -> BTreeSet<String> {
    let terraform = estate.products.iter();
    let terraform = terraform.filter(|(_, p)| p.engine == EngineKind::Terraform);
    terraform
        .filter_map(|(id, _)| Module::read(&estate.files, &format!("products/{id}/terraform")).ok())
        .flat_map(|module| module.variables)
        .filter_map(|(name, variable)| variable.secret.then_some(name))
        .collect()
}

impl Manager {
    /// Digest of everything that the estate contributes to one customer's stacks.
    pub fn estate_digest(&self, customer: &CustomerId) -> Digest {
        concern::digest(&self.estate.files, customer)
    }

    /// What hides secrets of one customer: the provider's rules and the customer's own, and what
    /// stands under secret names in their layers. A step teaches it more.
    pub fn redactor(&self, customer: &CustomerId) -> Redactor {
        let settings = &self.estate.settings.redact;
        let rules = match self.estate.customers.get(customer) {
            Some(customer) => settings.and(&customer.redact),
            None => settings.clone(),
        };
        let mut redactor = Redactor::new(&rules);
        for folder in [format!("customers/{customer}"), "products".to_owned()] {
            for (path, _) in self.estate.files.under(&folder) {
                let layer = path.ends_with(".yaml") || path.ends_with(".yml");
                if layer && let Some((_, Ok(node))) = self.estate.files.yaml(path) {
                    self.learn_layer(&mut redactor, &node.to_json());
                }
            }
        }
        redactor
    }

    /// Teaches `redactor` what a layer holds of secrets: under secret names, and for variables that
    /// a module keeps out of what Terraform shows. An error may quote them before there is a plan.
    pub fn learn_layer(&self, redactor: &mut Redactor, layer: &Value) {
        redactor.learn_names(layer);
        redactor.learn_of(layer, self.secrets.get_or_init(|| secrets(&self.estate)));
    }

    /// The recipient that plans are sealed to.
    pub fn recipient(&self) -> Result<&str, DeliveryError> {
        self.estate.settings.seal_recipient.as_deref().ok_or_else(|| {
            DeliveryError::Setting("no seal recipient is set; add `store.seal_recipient: age1…` to tenantry.yml (`tenantry init manager` makes the pair)".into())
        })
    }
}
