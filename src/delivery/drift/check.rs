//! Looks at one stack, as it was applied, and records what was found.

use super::judge::judge;
use super::{CheckRecord, KEPT, KEPT_ATTRIBUTES, Seen, keys, today};
use crate::clock::Time;
use crate::delivery::error::{DeliveryError, Refusal};
use crate::delivery::manager::Manager;
use crate::delivery::open::{inputs, module};
use crate::delivery::plan::{Machine, backend, customer, learn_values};
use crate::delivery::records::{LastApplied, keys as record_keys};
use crate::delivery::{gitops, publish, source, trail};
use crate::engine::drift::{Drifted, Outside, of_files, weigh};
use crate::engine::module::LOCK;
use crate::engine::plan_json;
use crate::engine::redact::Redactor;
use crate::engine::terraform::{self, TerraformError, Workspace};
use crate::estate::model::{Customer, EngineKind, Subscription};
use crate::estate::resolve::{Resolved, compose, read_contract};
use crate::estate::{Findings, StackId};
use crate::store::Put;
use crate::store::lease::Holder;
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest run of one command of the tool: other stacks wait behind this one.
const PATIENCE: Duration = Duration::from_secs(20 * 60);

/// What a look came to. Nothing was written.
#[derive(Debug, Clone)]
pub struct Look {
    /// The stack.
    pub stack: StackId,
    /// When it began.
    pub at: Time,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a look.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// The stack could be compared.
    Found(Found),
    /// Somebody applies it right now; another time is better.
    Busy(String),
    /// It could not be compared, without secrets.
    Failed(String),
}

/// What is not as it was applied.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// What drifted, what is gone first.
    pub drift: Vec<Drifted>,
    /// How many more did.
    pub omitted: usize,
    /// Whether it was looked at with exactly what was applied.
    pub exact: bool,
    /// What else a reader must know.
    pub note: Option<String>,
}

/// Looks at a stack. `Err` only when the store cannot be read: what is wrong with the stack itself
/// is an answer.
pub async fn look(
    manager: &Manager,
    stack: &StackId,
    machine: &Machine<'_>,
) -> Result<Look, DeliveryError> {
    let at = manager.clock.now();
    let outcome = |outcome| Look {
        stack: stack.clone(),
        at,
        outcome,
    };
    let Some((applied, _)) = manager
        .store
        .read::<LastApplied>(&record_keys::applied(stack))
        .await?
    else {
        return Ok(outcome(Outcome::Failed(
            "nothing was ever applied here, so nothing can have drifted".to_owned(),
        )));
    };
    let lease = manager
        .store
        .read::<Holder>(&record_keys::lease(stack))
        .await?;
    if let Some((holder, _)) = lease
        && holder.held
        && holder.until > at
    {
        return Ok(outcome(Outcome::Busy(format!(
            "it is being applied right now ({}); the next run checks it",
            holder.who
        ))));
    }
    let mut redactor = machine.redactor_of(manager, &applied.request, stack);
    machine.hide.hide(&redactor);
    let found = found(manager, stack, &applied, machine, &mut redactor).await;
    Ok(outcome(match found {
        Ok(found) => Outcome::Found(bounded(found)),
        Err(error) => Outcome::Failed(publish::say(&error.redacted(&redactor))),
    }))
}

/// No more than is worth keeping.
fn bounded(mut found: Found) -> Found {
    found.drift.sort_by(|a, b| {
        (a.outside, !a.matters, &a.address).cmp(&(b.outside, !b.matters, &b.address))
    });
    found.omitted = found.drift.len().saturating_sub(KEPT);
    found.drift.truncate(KEPT);
    for drifted in &mut found.drift {
        drifted.differs.sort_by_key(|d| !d.matters);
        drifted.differs.truncate(KEPT_ATTRIBUTES);
    }
    found
}

async fn found(
    manager: &Manager,
    stack: &StackId,
    applied: &LastApplied,
    machine: &Machine<'_>,
    redactor: &mut Redactor,
) -> Result<Found, DeliveryError> {
    let customer = customer(manager, stack)?;
    let resolved = as_applied(manager, customer, stack, applied, redactor).await?;
    learn_values(manager, &resolved, redactor);
    machine.hide.hide(redactor);
    let exact = inputs(manager, &resolved)? == applied.inputs;
    let engine = manager
        .estate
        .products
        .get(&stack.product)
        .map(|p| p.engine);
    match engine {
        Some(EngineKind::Terraform) => {
            let found = terraform(manager, &resolved, machine, redactor).await?;
            Ok(Found { exact, ..found })
        }
        _ if !exact => Err(Refusal::new(
            "drift-pending",
            "the estate has changed since the last apply, so a difference of the files would say nothing; apply the change",
        )
        .into()),
        _ => {
            let (_, changes) = gitops::plan(manager, &resolved, redactor).await?;
            Ok(Found {
                drift: of_files(changes),
                exact,
                ..Found::default()
            })
        }
    }
}

/// The values of a stack from the customer's file at the commit that was applied last, which
/// nobody can change, and the estate of today. Schema and policies have no say: nothing is
/// deployed. A customer who is suspended is looked at like any other.
async fn as_applied(
    manager: &Manager,
    customer: &Customer,
    stack: &StackId,
    applied: &LastApplied,
    redactor: &mut Redactor,
) -> Result<Resolved, DeliveryError> {
    let unsubscribed = || {
        Refusal::new(
            "request-stack",
            format!("stack `{stack}` is not subscribed to any more"),
        )
    };
    let subscription = customer
        .subscriptions
        .iter()
        .find(|s| s.product == stack.product)
        .ok_or_else(unsubscribed)?;
    let (slug, _) = source::repository(manager, customer).await?;
    let one = Customer {
        subscriptions: vec![Subscription {
            enabled: true,
            ..subscription.clone()
        }],
        ..customer.clone()
    };
    let files = source::contract(manager, &one, &slug, &applied.sha).await?;
    let product = manager.estate.products.get(&stack.product);
    let known: Vec<&str> = product
        .iter()
        .flat_map(|p| &p.environments)
        .map(|e| e.as_str())
        .collect();
    let contract = files
        .first()
        .map(|file| read_contract(file, &known))
        .transpose()?;
    if let Some(contract) = &contract {
        manager.learn_layer(redactor, &contract.node.to_json());
    }
    let (effective, findings) = compose(&manager.estate.files, stack, contract.as_ref())?;
    let findings = Findings(findings).tidy();
    if findings.has_errors() {
        return Err(findings.into());
    }
    Ok(Resolved {
        effective,
        warnings: Vec::new(),
    })
}

async fn terraform(
    manager: &Manager,
    resolved: &Resolved,
    machine: &Machine<'_>,
    redactor: &mut Redactor,
) -> Result<Found, DeliveryError> {
    let stack = &resolved.effective.stack;
    let module = module(manager, stack)?;
    let variables = terraform::variables(&module, stack, &resolved.effective.values)?;
    let backend = backend(manager, stack)?;
    let mut tool = machine.tool(&manager.estate.settings, redactor.clone())?;
    tool.limit = PATIENCE;
    let lock = module.files.get(LOCK).cloned();
    let workspace = Workspace::write(
        &machine.folder(stack, "drift"),
        &module,
        &backend,
        Some(&variables),
        lock.as_deref(),
    )?;
    workspace.init(&tool).await?;
    if workspace.state(&tool).await?.is_none() {
        // Without a state Terraform finds nothing that could differ, which would look clean.
        return Err(Refusal::new(
            "drift-state",
            format!(
                "there is no Terraform state at `{}`, although something was applied; restore it from the bucket's versions",
                terraform::state_key(stack)
            ),
        )
        .into());
    }
    let json = workspace.refresh_only(&tool).await?;
    let mut drift = plan_json::drifted(&json, redactor)?;
    machine.hide.hide(redactor);
    if drift.is_empty() {
        return Ok(Found::default());
    }
    tool.redactor = redactor.clone();
    let (intent, note) = match workspace.intent(&tool).await {
        Ok(json) => (Some(plan_json::intent(&json, redactor)?), None),
        // What drifted may be why: then all of it matters.
        Err(error @ (TerraformError::Failed { .. } | TerraformError::TimedOut { .. })) => (
            None,
            Some(format!(
                "no plan could be made, so everything that differs is taken to matter: {error}"
            )),
        ),
        Err(error) => return Err(error.into()),
    };
    machine.hide.hide(redactor);
    weigh(&mut drift, intent.as_ref());
    Ok(Found {
        drift,
        note,
        ..Found::default()
    })
}

/// Writes down what a look came to, and in the audit log that drift began or ended.
pub async fn record(manager: &Manager, look: &Look) -> Result<CheckRecord, DeliveryError> {
    let key = keys::check(&look.stack);
    for _ in 0..20 {
        let before = manager.store.read::<CheckRecord>(&key).await?;
        let old = before.as_ref().map(|(r, _)| r);
        // Another run began later and was faster: it knows better.
        if let Some(newer) = old.filter(|r| r.tried > look.at) {
            return Ok(newer.clone());
        }
        let new = next(manager, old, look);
        let put = match &before {
            None => manager.store.create_json(&key, &new).await?,
            Some((_, version)) => {
                let bytes = serde_json::to_vec_pretty(&new).map_err(|source| {
                    crate::store::StoreError::Corrupt {
                        key: key.clone(),
                        source,
                    }
                })?;
                manager.store.replace(&key, bytes, version).await?
            }
        };
        if put == Put::Done {
            tell(manager, old, &new).await?;
            return Ok(new);
        }
    }
    Err(crate::store::StoreError::Contended(key).into())
}

/// The record after a look.
pub fn next(manager: &Manager, old: Option<&CheckRecord>, look: &Look) -> CheckRecord {
    let mut new = old.cloned().unwrap_or_else(|| CheckRecord {
        version: 1,
        stack: look.stack.clone(),
        run: manager.run.run.clone(),
        tried: look.at,
        checked: None,
        error: None,
        failing_since: None,
        drift: Vec::new(),
        omitted: 0,
        exact: true,
        note: None,
    });
    new.run = manager.run.run.clone();
    new.tried = look.at;
    match &look.outcome {
        Outcome::Busy(why) | Outcome::Failed(why) => {
            new.error = Some(why.clone());
            new.failing_since = new.failing_since.or(Some(look.at));
        }
        Outcome::Found(found) => {
            let known: BTreeMap<(&str, Outside), Time> = old
                .iter()
                .flat_map(|r| &r.drift)
                .map(|s| {
                    (
                        (s.drifted.address.as_str(), s.drifted.outside),
                        s.first_seen,
                    )
                })
                .collect();
            new.drift = found
                .drift
                .iter()
                .map(|drifted| Seen {
                    first_seen: known
                        .get(&(drifted.address.as_str(), drifted.outside))
                        .copied()
                        .unwrap_or(look.at),
                    drifted: drifted.clone(),
                })
                .collect();
            new.checked = Some(look.at);
            new.error = None;
            new.failing_since = None;
            new.omitted = found.omitted;
            new.exact = found.exact;
            new.note.clone_from(&found.note);
        }
    }
    new
}

/// The audit log tells when drift that is worth telling begins and when it ends.
async fn tell(
    manager: &Manager,
    old: Option<&CheckRecord>,
    new: &CheckRecord,
) -> Result<(), DeliveryError> {
    let settings = &manager.estate.settings.drift;
    let today = today(manager)?;
    let told = |record: &CheckRecord| {
        let judged = judge(record, settings, &today);
        let count = judged.told(settings).count() as u64;
        (count, judged.severity())
    };
    let before = old.map_or(0, |r| told(r).0);
    match told(new) {
        (count, Some(severity)) if count > 0 && before == 0 => {
            trail::drifted(manager, &new.stack, severity, count).await;
        }
        (0, _) if before > 0 => trail::drift_cleared(manager, &new.stack).await,
        _ => {}
    }
    Ok(())
}
