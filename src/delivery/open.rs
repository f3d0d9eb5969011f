//! From "look at this commit" to an open request with its stacks. Hints and the sweep both end here.

use super::alive::is_alive;
use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::part::Due;
use super::records::{LastApplied, Outcome, Request, keys};
use super::source::{self, Verified};
use super::{estate_head, overview, part, places, terms, trail, unfinished};
use crate::digest::Digest;
use crate::engine::module::Module;
use crate::estate::model::{Customer, EngineKind};
use crate::estate::resolve::{Resolved, resolve_customer};
use crate::estate::yaml::{Reading, read};
use crate::estate::{Finding, Findings, Sha, StackId};
use crate::github::model::User;
use crate::store::Put;

/// What looking at a commit led to.
#[derive(Debug)]
pub enum Opened {
    /// There is work.
    Work(Request),
    /// Everything is as it should be.
    Nothing {
        /// The request, closed.
        request: Option<Request>,
        /// Why there is nothing to do.
        reason: String,
    },
    /// The customer's file was refused. The request says why.
    Refused(Request),
    /// The customer has not begun: there is no file, nothing of theirs was ever applied, and nobody
    /// has asked about this commit. Nobody is told.
    NotYet,
}

/// Why a commit is looked at.
#[derive(Debug, Clone)]
pub struct Reason<'a> {
    /// The id of the hint, if there was one.
    pub hint: Option<&'a str>,
    /// Who sent it.
    pub sender: Option<User>,
    /// Whether a person asks to go on with what has failed.
    pub again: bool,
}

/// Looks at `sha`, and opens a request if there is something to do.
pub async fn open(
    manager: &Manager,
    customer: &Customer,
    event: Event,
    sha: &Sha,
    reason: Reason<'_>,
) -> Result<Opened, DeliveryError> {
    match estate_head::current(manager, &customer.id).await {
        Err(DeliveryError::Refused(old)) => {
            return Ok(Opened::Nothing {
                request: None,
                reason: old.reason,
            });
        }
        other => other?,
    }
    terms::record(manager, customer).await?;
    let mut verified = source::verify(manager, customer, event, sha).await?;
    places::ready(manager, customer).await?;
    let key = keys::request(&verified.name);
    let estate = manager.estate_digest(&customer.id);
    let before = manager.store.read::<Request>(&key).await?;
    if let Some((old, _)) = &before
        && let Some(nothing) = already(manager, old, &estate, &reason).await?
    {
        return Ok(nothing);
    }
    let (due, findings) = match work(manager, customer, &verified).await {
        Ok(due) => (due, Vec::new()),
        Err(DeliveryError::Findings(findings)) => {
            if reason.hint.is_none() && not_begun(manager, customer, &verified, &findings).await? {
                return Ok(Opened::NotYet);
            }
            (Vec::new(), findings.0)
        }
        Err(other) => return Err(other),
    };
    if due.is_empty()
        && findings.is_empty()
        && let Some((old, _)) = &before
        && old.outcome == Some(Outcome::Success)
        && reason.hint.is_none()
    {
        return Ok(Opened::Nothing {
            request: Some(old.clone()),
            reason: format!("{} has ended", old.name),
        });
    }
    if event == Event::Push {
        let earlier = part::earlier(manager, customer, &verified, &due).await?;
        verified.authors.extend(earlier.users);
        verified.unknown_author |= earlier.unknown;
    }
    let stacks: Vec<StackId> = due.into_iter().map(|d| d.stack).collect();
    few_enough(&stacks)?;
    let request = build(
        manager,
        &verified,
        before.as_ref().map(|(r, _)| r),
        stacks,
        &findings,
        estate,
        reason,
    );
    unfinished::remember(manager, &request.name, request.opened).await?;
    trail::opened(manager, &request).await?;
    let put = match before {
        None => manager.store.create_json(&key, &request).await?,
        Some((_, version)) => {
            let bytes = serde_json::to_vec_pretty(&request).map_err(|source| {
                crate::store::StoreError::Corrupt {
                    key: key.clone(),
                    source,
                }
            })?;
            manager.store.replace(&key, bytes, &version).await?
        }
    };
    if put == Put::Conflict {
        return Ok(Opened::Nothing {
            request: None,
            reason: format!("another run has just taken {}", request.name),
        });
    }
    trail::closed(manager, &request).await;
    Ok(match request.outcome {
        Some(Outcome::Refused) => Opened::Refused(request),
        Some(_) => Opened::Nothing {
            reason: "every stack is as it should be".into(),
            request: Some(request),
        },
        None => Opened::Work(request),
    })
}

/// Whether a default branch without the customer's file is one where they have not begun, rather
/// than one where the file was lost.
async fn not_begun(
    manager: &Manager,
    customer: &Customer,
    verified: &Verified,
    findings: &Findings,
) -> Result<bool, DeliveryError> {
    let absent = |f: &Finding| f.rule == "contract-file" && f.message == source::ABSENT;
    if verified.name.event != Event::Push || !findings.0.iter().all(absent) {
        return Ok(false);
    }
    if !overview::applied(&manager.store, Some(&customer.id))
        .await?
        .is_empty()
    {
        return Ok(false);
    }
    let (repository, sha) = (&verified.repository, &verified.name.sha);
    let statuses = manager.source.statuses(repository, sha).await?;
    let context = &manager.estate.settings.commit_status_context;
    Ok(!statuses.iter().any(|s| s.context == *context))
}

/// Whether an earlier request for the same thing makes this one needless.
async fn already(
    manager: &Manager,
    old: &Request,
    estate: &Digest,
    reason: &Reason<'_>,
) -> Result<Option<Opened>, DeliveryError> {
    let nothing = |text: String| {
        Some(Opened::Nothing {
            request: Some(old.clone()),
            reason: text,
        })
    };
    // Somebody has started the same run once more, or asks to go on: what failed is begun anew.
    let rerun = old.run.id == manager.run.run.id && old.run.attempt < manager.run.run.attempt;
    let failed = old.outcome == Some(Outcome::Failure);
    if failed && (rerun || reason.again) || old.outcome.is_none() && rerun {
        return Ok(None);
    }
    if reason
        .hint
        .is_some_and(|h| old.hints.iter().any(|known| known == h))
        && (old.outcome.is_some() || old.run.id != manager.run.run.id)
    {
        return Ok(nothing(format!(
            "{} was asked for already by the same hint",
            old.name
        )));
    }
    Ok(match old.outcome {
        None if old.run == manager.run.run => None,
        None if is_alive(manager, old).await? => {
            nothing(format!("run {} works on {}", old.run.id, old.name))
        }
        None => None,
        // A person asked again: look again.
        Some(_) if reason.hint.is_some() => None,
        // What was applied once may have been replaced since: look at the stacks themselves.
        Some(Outcome::Success | Outcome::Superseded) if old.name.event == Event::Push => None,
        // The sweep comes back to what has ended only when the estate has changed since.
        Some(_) if old.estate == *estate => nothing(format!("{} has ended", old.name)),
        Some(_) => None,
    })
}

/// Most stacks of one environment in a request: GitHub's limit for one matrix (docs.github.com,
/// "Running variations of jobs").
pub const STACKS: usize = 256;

/// A request whose jobs do not fit into a matrix could never come to its end.
fn few_enough(stacks: &[StackId]) -> Result<(), Refusal> {
    let of = |stack: &StackId| {
        let same = stacks.iter().filter(|s| s.environment == stack.environment);
        same.count()
    };
    let Some(stack) = stacks.iter().find(|s| of(s) > STACKS) else {
        return Ok(());
    };
    Err(Refusal::new(
        "too-many-stacks",
        format!(
            "{} stacks of `{}` are to be planned in `{}` at once, and GitHub runs {STACKS} jobs of a kind; switch some of them off in customers/{}/products.yaml (`enabled: false`) and bring them in by and by",
            of(stack),
            stack.customer,
            stack.environment,
            stack.customer
        ),
    ))
}

/// The stacks whose inputs differ from what was last applied, in promotion order.
async fn work(
    manager: &Manager,
    customer: &Customer,
    verified: &Verified,
) -> Result<Vec<Due>, DeliveryError> {
    let mut out = Vec::new();
    for resolved in resolve_all(manager, customer, verified).await? {
        let inputs = inputs(manager, &resolved)?;
        let applied = manager
            .store
            .read::<LastApplied>(&keys::applied(&resolved.effective.stack))
            .await?;
        let last = applied.map(|(last, _)| last);
        if last
            .as_ref()
            .is_none_or(|l| l.incomplete || l.inputs != inputs)
        {
            let stack = resolved.effective.stack;
            out.push(Due { stack, last });
        }
    }
    let order = manager.estate.environments();
    out.sort_by_key(|d| order.iter().position(|e| *e == d.stack.environment));
    Ok(out)
}

/// All stacks of a customer at a verified commit.
pub async fn resolve_all(
    manager: &Manager,
    customer: &Customer,
    verified: &Verified,
) -> Result<Vec<Resolved>, DeliveryError> {
    let files =
        source::contract(manager, customer, &verified.repository, &verified.name.sha).await?;
    resolve_customer(&manager.estate, &manager.rules, customer, &files).map_err(|findings| {
        // A finding may quote the value that it is about.
        let mut redactor = manager.redactor(&customer.id);
        for file in &files {
            if let Ok(node) = read(&file.path, &file.bytes, Reading::Core) {
                manager.learn_layer(&mut redactor, &node.to_json());
            }
        }
        redactor.findings(findings).into()
    })
}

/// Digest over everything that a plan of this stack is made from.
pub fn inputs(manager: &Manager, resolved: &Resolved) -> Result<Digest, DeliveryError> {
    let stack = &resolved.effective.stack;
    let values = resolved.effective.canonical();
    let product = manager.estate.products.get(&stack.product);
    let engine = product.map(|p| p.engine);
    let module = match engine {
        Some(EngineKind::Terraform) => module(manager, stack)?.digest().as_str().to_owned(),
        Some(EngineKind::Argocd) => format!(
            "{:?} {}",
            manager.estate.settings.gitops_repository, manager.estate.settings.gitops_branch
        ),
        None => return Err(unknown_product(stack).into()),
    };
    let version = version(manager, stack).unwrap_or_default();
    let id = stack.to_string();
    Ok(Digest::of_parts([
        ("stack", id.as_bytes()),
        ("values", values.as_bytes()),
        ("module", module.as_bytes()),
        ("version", version.as_bytes()),
    ]))
}

/// The version that the customer subscribes to.
pub fn version(manager: &Manager, stack: &StackId) -> Option<String> {
    let customer = manager.estate.customers.get(&stack.customer)?;
    customer
        .subscriptions
        .iter()
        .find(|s| s.product == stack.product)?
        .version
        .clone()
}

/// The module of a stack's product.
pub fn module(manager: &Manager, stack: &StackId) -> Result<Module, Findings> {
    Module::read(
        &manager.estate.files,
        &format!("products/{}/terraform", stack.product),
    )
}

fn unknown_product(stack: &StackId) -> Refusal {
    Refusal::new(
        "product",
        format!("there is no product `{}` in the estate", stack.product),
    )
}

fn build(
    manager: &Manager,
    verified: &Verified,
    old: Option<&Request>,
    stacks: Vec<StackId>,
    findings: &[Finding],
    estate: Digest,
    reason: Reason<'_>,
) -> Request {
    let mut authors = verified.authors.clone();
    authors.extend(reason.sender);
    // Whoever sent an earlier hint for the same commit stays one of its authors.
    authors.extend(old.map(|o| o.authors.clone()).unwrap_or_default());
    authors.sort_by_key(|u| u.id);
    authors.dedup_by_key(|u| u.id);
    let mut hints = old.map(|o| o.hints.clone()).unwrap_or_default();
    hints.extend(reason.hint.map(str::to_owned));
    hints.dedup();
    let outcome = match (findings.is_empty(), stacks.is_empty()) {
        (false, _) => Some(Outcome::Refused),
        (true, true) => Some(Outcome::Success),
        (true, false) => None,
    };
    Request {
        version: 1,
        name: verified.name.clone(),
        repository: verified.repository.clone(),
        repository_id: verified.repository_id,
        authors,
        unknown_author: verified.unknown_author,
        stacks,
        hints,
        attempt: old.map_or(1, |o| o.attempt + 1),
        run: manager.run.run.clone(),
        opened: manager.clock.now(),
        estate,
        findings: findings.iter().map(Into::into).collect(),
        outcome,
        headline: None,
        told: false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_into_a_matrix_is_refused_before_it_begins() {
        let stacks = |count: usize, environment: &str| -> Vec<StackId> {
            let names = (0..count).map(|i| format!("acme/web-{i}/{environment}"));
            names.filter_map(|n| n.parse().ok()).collect()
        };
        let mut most = stacks(STACKS, "staging");
        most.extend(stacks(STACKS, "production"));
        assert_eq!(most.len(), 2 * STACKS);
        assert!(few_enough(&most).is_ok());
        most.extend(stacks(1, "production"));
        let said = few_enough(&most).map_err(|r| r.reason);
        assert!(
            said.as_ref().is_err_and(|r| r.starts_with("257 stacks of `acme`") && r.contains("`production`")),
            "{said:?}"
        );
    }
}
