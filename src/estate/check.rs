//! Every stack of the estate, judged. Customers are independent of each other, so they are
//! judged side by side.

use super::finding::{Finding, Findings};
use super::ids::CustomerId;
use super::model::{Customer, Estate};
use super::resolve::{Contract, Resolved, Rules, resolve};
use rayon::prelude::*;

/// What a check of the whole estate found.
#[derive(Debug, Default)]
pub struct Checked {
    /// How many stacks were judged.
    pub stacks: usize,
    /// What is wrong with them, tidied.
    pub findings: Findings,
}

/// Resolves and judges every stack. `contract` gives a customer's own file, by the path that the
/// subscription names; where there is none, what that file will bring is not missing yet.
pub fn check(
    estate: &Estate,
    rules: &Rules,
    contract: impl Fn(&CustomerId, &str) -> Option<Contract> + Sync,
) -> Checked {
    let customers: Vec<&Customer> = estate.customers.values().collect();
    let each: Vec<(usize, Vec<Finding>)> = customers
        .into_par_iter()
        .map(|customer| one(estate, rules, customer, &contract))
        .collect();
    let mut out = Checked::default();
    for (stacks, findings) in each {
        out.stacks += stacks;
        out.findings.0.extend(findings);
    }
    out.findings = out.findings.tidy();
    out
}

fn one(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    contract: &(impl Fn(&CustomerId, &str) -> Option<Contract> + Sync),
) -> (usize, Vec<Finding>) {
    let mut findings = Vec::new();
    let mut stacks = 0;
    for subscription in customer.subscriptions.iter().filter(|s| s.enabled) {
        let own = contract(&customer.id, &subscription.variables);
        let still_to_come = own.is_none() && customer.repository.is_some();
        for stack in estate.stacks_of_subscription(customer, subscription) {
            stacks += 1;
            match resolve(estate, rules, &stack, own.as_ref()) {
                Ok(Resolved { warnings, .. }) => findings.extend(warnings),
                Err(e) => findings.extend(e.0.into_iter().filter(|f| {
                    !(still_to_come
                        && matches!(f.rule.as_ref(), "schema-required" | "policy" | "expression"))
                })),
            }
        }
    }
    (stacks, findings)
}
