//! What of the loop goes into the audit log. What is about to happen is recorded before, and
//! cannot happen without its record; what has happened is recorded after, and stays true even if
//! the log cannot be written.
//!
//! Names, digests and counts only: what a tool printed and what a customer's file holds is not
//! for the log.

use super::error::DeliveryError;
use super::gate::{ApprovedPlan, environment_name};
use super::manager::Manager;
use super::records::{Outcome, PlanRecord, PlanResult, Request, RequestName};
use crate::audit::event::{ApplyResult, bounded};
use crate::audit::{Actor, AuditError, Draft, Event, Person};
use crate::digest::Digest;
use crate::engine::change::Changes;
use crate::estate::drift::Severity;
use crate::estate::{CustomerId, StackId};
use crate::github::model::User;
use std::collections::BTreeMap;
use std::time::Duration;

/// How often, and after how many milliseconds each, a result is recorded again.
const AGAIN: [u64; 3] = [200, 1_000, 4_000];

fn person(user: &User) -> Person {
    Person {
        id: user.id,
        login: bounded(&user.login),
    }
}

fn draft(
    manager: &Manager,
    request: Option<&RequestName>,
    stack: Option<&StackId>,
    event: Event,
) -> Draft {
    Draft {
        actor: Actor {
            sender: manager.run.sender.as_ref().map(person),
            run: manager.run.run.id,
            attempt: manager.run.run.attempt,
            url: bounded(&manager.run.run.url),
        },
        request: request.map(ToString::to_string),
        stack: stack.cloned(),
        event,
    }
}

/// Records what is about to happen. Without its record it must not.
async fn before(
    manager: &Manager,
    request: &RequestName,
    stack: Option<&StackId>,
    event: Event,
) -> Result<(), AuditError> {
    let draft = draft(manager, Some(request), stack, event);
    manager
        .audit
        .append(&request.customer, &draft)
        .await
        .map(|_| ())
}

/// Records what has happened. That this fails is said aloud, and changes nothing of it.
async fn after(manager: &Manager, customer: &CustomerId, draft: Draft) {
    let mut waits = AGAIN.iter();
    loop {
        let error = match manager.audit.append(customer, &draft).await {
            Ok(_) => return,
            Err(error) => error,
        };
        match (waits.next(), &error) {
            (Some(wait), AuditError::Store(_)) => {
                tokio::time::sleep(Duration::from_millis(*wait)).await;
            }
            _ => {
                let cause = std::error::Error::source(&error).map(ToString::to_string);
                tracing::error!(
                    customer = %customer,
                    request = draft.request.as_deref().unwrap_or("none"),
                    cause = cause.as_deref().unwrap_or("none"),
                    "a result is missing in the audit log: {error}"
                );
                return;
            }
        }
    }
}

/// A word for an error, and its sentence where it is one of ours.
fn why(error: &DeliveryError) -> (String, Option<String>) {
    let code = match error {
        DeliveryError::Refused(refusal) => {
            return (refusal.code.to_owned(), Some(bounded(&refusal.reason)));
        }
        DeliveryError::Github(_) => "github",
        DeliveryError::Store(_) => "store",
        DeliveryError::Audit(_) => "audit",
        DeliveryError::Seal(_) => "seal",
        DeliveryError::Terraform(_) => "engine",
        DeliveryError::Plan(_) => "plan-format",
        DeliveryError::Findings(_) => "findings",
        DeliveryError::Setting(_) => "setting",
    };
    (code.to_owned(), None)
}

/// A request is about to be opened, or refused for what is wrong in the customer's file.
pub async fn opened(manager: &Manager, request: &Request) -> Result<(), AuditError> {
    let event = if request.findings.is_empty() {
        Event::RequestOpened {
            attempt: request.attempt,
            commit: request.name.sha.clone(),
            authors: request.authors.iter().map(person).collect(),
            unknown_author: request.unknown_author,
            stacks: request.stacks.clone(),
            estate: request.estate.clone(),
        }
    } else {
        let mut rules: Vec<String> = request.findings.iter().map(|f| bounded(&f.rule)).collect();
        rules.sort();
        rules.dedup();
        rules.truncate(50);
        Event::Refused {
            attempt: Some(request.attempt),
            code: "findings".into(),
            reason: None,
            findings: request.findings.len() as u64,
            rules,
        }
    };
    before(manager, &request.name, None, event).await
}

/// Settings or credentials are others than before, and something is about to be done under them.
pub async fn terms(
    manager: &Manager,
    customer: &CustomerId,
    event: Event,
) -> Result<(), AuditError> {
    let draft = draft(manager, None, None, event);
    manager.audit.append(customer, &draft).await.map(|_| ())
}

/// Somebody certain asked for something that was refused.
pub async fn refused(manager: &Manager, customer: &CustomerId, error: &DeliveryError) {
    if matches!(error, DeliveryError::Refused(_)) {
        let (code, reason) = why(error);
        let event = refusal(None, code, reason);
        after(manager, customer, draft(manager, None, None, event)).await;
    }
}

fn refusal(attempt: Option<u32>, code: String, reason: Option<String>) -> Event {
    Event::Refused {
        attempt,
        code,
        reason,
        findings: 0,
        rules: Vec::new(),
    }
}

/// The gate did not let a stack pass.
pub async fn stopped(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    error: &super::Refusal,
) {
    let event = refusal(
        Some(request.attempt),
        error.code.to_owned(),
        Some(bounded(&error.reason)),
    );
    let draft = draft(manager, Some(&request.name), Some(stack), event);
    after(manager, &request.name.customer, draft).await;
}

/// A plan was made, or could not be; nobody has seen it yet.
pub async fn planned(
    manager: &Manager,
    request: &Request,
    record: &PlanRecord,
    failed: Option<&DeliveryError>,
) -> Result<(), AuditError> {
    let attempt = request.attempt;
    let event = match (&record.result, failed) {
        (
            PlanResult::Planned {
                changes, digest, ..
            },
            None,
        ) => Event::Planned {
            attempt,
            digest: digest.clone(),
            inputs: record.inputs.clone(),
            changes: by_action(changes),
        },
        (_, error) => {
            let (code, reason) = error.map(why).unwrap_or_default();
            Event::PlanFailed {
                attempt,
                code,
                reason,
            }
        }
    };
    before(manager, &request.name, Some(&record.stack), event).await
}

fn by_action(changes: &Changes) -> BTreeMap<String, u64> {
    let mut out = BTreeMap::new();
    for change in &changes.changes {
        *out.entry(change.action.word().to_owned()).or_default() += 1;
    }
    out
}

/// The gate let a plan pass, and it is about to be applied.
pub async fn approved(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    plan: &ApprovedPlan,
    same_as: Option<&Digest>,
) -> Result<(), AuditError> {
    let event = Event::Approved {
        attempt: request.attempt,
        digest: plan.digest().clone(),
        by: plan.approved_by().map(bounded),
        environment: environment_name(manager, stack),
        same_as: same_as.cloned(),
    };
    before(manager, &request.name, Some(stack), event).await
}

/// The first change is about to be made.
pub async fn begun(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    plan: &ApprovedPlan,
    inputs: &Digest,
) -> Result<(), AuditError> {
    let changes = plan.changes();
    let event = Event::ApplyBegun {
        attempt: request.attempt,
        digest: plan.digest().clone(),
        inputs: inputs.clone(),
        gated: manager.estate.settings.gate(&stack.environment).approval,
        // Outputs alone are a change too, which the gate asks an approval for.
        changes: (changes.changes.len() as u64).max(u64::from(!changes.is_empty())),
        approved_by: plan.approved_by().map(bounded),
    };
    before(manager, &request.name, Some(stack), event).await
}

/// An apply came to its end.
pub async fn ended(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
    digest: Option<&Digest>,
    result: Result<ApplyResult, &DeliveryError>,
) {
    let (result, code, reason) = match result {
        Ok(result) => (result, None, None),
        Err(error) => {
            let result = match error {
                DeliveryError::Refused(_) => ApplyResult::Refused,
                _ => ApplyResult::Failed,
            };
            let (code, reason) = why(error);
            (result, Some(code), reason)
        }
    };
    let event = Event::ApplyEnded {
        attempt: request.attempt,
        digest: digest.cloned(),
        result,
        code,
        reason,
    };
    let draft = draft(manager, Some(&request.name), Some(stack), event);
    after(manager, &request.name.customer, draft).await;
}

/// Somebody changed a stack outside of tenantry.
pub async fn drifted(manager: &Manager, stack: &StackId, severity: Severity, resources: u64) {
    let event = Event::DriftFound {
        severity: severity.word().into(),
        resources,
    };
    let draft = draft(manager, None, Some(stack), event);
    after(manager, &stack.customer, draft).await;
}

/// A stack is as it was applied again.
pub async fn drift_cleared(manager: &Manager, stack: &StackId) {
    let draft = draft(manager, None, Some(stack), Event::DriftCleared);
    after(manager, &stack.customer, draft).await;
}

/// A stack's lease was given back.
pub async fn released(manager: &Manager, request: &Request, stack: &StackId) {
    let event = Event::LeaseReleased {
        attempt: request.attempt,
    };
    let draft = draft(manager, Some(&request.name), Some(stack), event);
    after(manager, &request.name.customer, draft).await;
}

/// A request came to its end.
pub async fn closed(manager: &Manager, request: &Request) {
    let outcome = match request.outcome {
        Some(Outcome::Success) => "success",
        Some(Outcome::Failure) => "failure",
        Some(Outcome::Refused) => "refused",
        Some(Outcome::Superseded) => "superseded",
        None => return,
    };
    let event = Event::RequestClosed {
        attempt: request.attempt,
        outcome: outcome.into(),
    };
    let draft = draft(manager, Some(&request.name), None, event);
    after(manager, &request.name.customer, draft).await;
}

/// The line at the end of a comment: the newest record's hash, for whoever wants to keep it.
pub async fn footer(manager: &Manager, customer: &CustomerId) -> String {
    match manager.audit.newest(customer).await {
        Ok(Some(record)) => format!(
            "<sub>audit record <code>{customer}:{}:{}</code></sub>\n",
            record.seq,
            record.hash.hex()
        ),
        Ok(None) => String::new(),
        Err(error) => {
            tracing::warn!(%error, %customer, "the comment is written without the audit record");
            String::new()
        }
    }
}
