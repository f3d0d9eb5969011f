//! The decision that a plan may be applied.
//!
//! GitHub's own protection is one wall: the environment must have it where the settings demand
//! it. The second is ours: under a dispatch GitHub takes the bot for the initiator, so whether
//! four eyes looked is judged here, from the run's approvals.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::records::{ApplyRecord, ApplyState, PlanRecord, PlanResult, Request, keys};
use super::trail;
use crate::digest::Digest;
use crate::engine::change::Changes;
use crate::engine::plan_json::Same;
use crate::estate::StackId;
use crate::estate::jobs::Job;
use crate::github::model::Approval;
use std::time::Duration;

/// Proof that a plan may be applied. Only [`decide`] makes one; `ApprovedPlan::renewed` hands it
/// on to a plan that changes the same.
#[derive(Debug)]
pub struct ApprovedPlan {
    digest: Digest,
    sealed: String,
    changes: Changes,
    approved_by: Option<String>,
}

impl ApprovedPlan {
    /// Digest of the manifest that was approved.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }
    /// Key of the sealed plan.
    pub fn sealed(&self) -> &str {
        &self.sealed
    }
    /// What it changes.
    pub fn changes(&self) -> &Changes {
        &self.changes
    }
    /// Who approved it, where an approval was needed.
    pub fn approved_by(&self) -> Option<&str> {
        self.approved_by.as_deref()
    }
    /// The same approval for a plan that was proven to change the same.
    pub(super) fn renewed(&self, _proof: &Same, digest: Digest, sealed: String) -> Self {
        Self {
            digest,
            sealed,
            changes: self.changes.clone(),
            approved_by: self.approved_by.clone(),
        }
    }
}

/// The answer of a gate.
#[derive(Debug)]
pub enum Decision {
    /// It may be applied.
    Open(Box<ApprovedPlan>),
    /// Nobody has approved yet.
    Waiting {
        /// What is waited for.
        reason: String,
    },
}

/// The GitHub environment of a stack's apply job.
pub fn environment_name(manager: &Manager, stack: &StackId) -> String {
    manager.estate.settings.environment_of(Job::Apply, stack)
}

/// The approvals of this run for a stack's apply environment.
pub async fn approvals(manager: &Manager, stack: &StackId) -> Result<Vec<Approval>, DeliveryError> {
    let environment = environment_name(manager, stack);
    match manager
        .own
        .approvals(&manager.repository, manager.run.run.id)
        .await
    {
        Ok(all) => Ok(all
            .into_iter()
            .filter(|a| a.environments.iter().any(|e| e.name == environment))
            .collect()),
        Err(e) if e.is_not_found() => Ok(Vec::new()),
        Err(e) => Err(e.into()),
    }
}

/// Tells one approval from another; GitHub gives them no id.
pub fn fingerprint(approval: &Approval) -> String {
    format!(
        "{}:{}:{}",
        approval.user.id,
        approval.state,
        approval.comment.as_deref().unwrap_or_default()
    )
}

/// Decides. `Err(Refused)` is final for this run.
pub async fn decide(
    manager: &Manager,
    request: &Request,
    record: &PlanRecord,
) -> Result<Decision, DeliveryError> {
    let stack = &record.stack;
    if record.attempt != request.attempt || record.run.id != manager.run.run.id {
        return Err(Refusal::new(
            "plan-stale",
            format!("the plan of `{stack}` was made by another run; plan again"),
        )
        .into());
    }
    let PlanResult::Planned {
        changes,
        digest,
        sealed,
    } = &record.result
    else {
        return Err(Refusal::new(
            "plan-failed",
            format!("there is no plan of `{stack}`, because planning failed"),
        )
        .into());
    };
    let open = |approved_by| {
        Ok(Decision::Open(Box::new(ApprovedPlan {
            digest: digest.clone(),
            sealed: sealed.clone(),
            changes: changes.clone(),
            approved_by,
        })))
    };
    let rule = manager.estate.settings.gate(&stack.environment);
    if !rule.approval || changes.is_empty() {
        return open(None);
    }
    protected(manager, stack).await?;
    let fresh = only_new(approvals(manager, stack).await?, &record.approvals_before);
    if let Some(no) = fresh.iter().find(|a| a.state == "rejected") {
        return Err(Refusal::new(
            "gate-rejected",
            format!(
                "{} rejected the apply of `{stack}`",
                crate::estate::ids::shown(&no.user.login)
            ),
        )
        .into());
    }
    let yes: Vec<&Approval> = fresh.iter().filter(|a| a.state == "approved").collect();
    if yes.is_empty() {
        return Ok(Decision::Waiting {
            reason: format!(
                "environment `{}` waits for an approval",
                environment_name(manager, stack)
            ),
        });
    }
    if request.unknown_author {
        return Err(Refusal::new("gate-unknown-author", "an author or committer of what is to be applied has no GitHub account, so it cannot be told whether the approver is somebody else; link the address of the commit to an account, then re-run").into());
    }
    let four_eyes = |a: &&&Approval| {
        request.authors.iter().all(|author| author.id != a.user.id)
            && manager
                .run
                .sender
                .as_ref()
                .is_none_or(|s| s.id != a.user.id)
    };
    let allowed = |a: &&&Approval| {
        rule.approvers.is_empty()
            || rule
                .approvers
                .iter()
                .any(|login| login.eq_ignore_ascii_case(&a.user.login))
    };
    let Some(approval) = yes.iter().filter(four_eyes).find(allowed) else {
        let who = yes
            .iter()
            .map(|a| crate::estate::ids::shown(&a.user.login))
            .collect::<Vec<_>>()
            .join(", ");
        return Err(Refusal::new(
            "gate-four-eyes",
            format!("the approval of `{stack}` by {who} does not count: the approver must be neither author, committer nor sender of the change, and be allowed in `gates.{}.approvers`", stack.environment),
        )
        .into());
    };
    open(Some(approval.user.login.clone()))
}

/// Removes what was there before the plan existed, one for one.
fn only_new(approvals: Vec<Approval>, before: &[String]) -> Vec<Approval> {
    let mut before: Vec<&str> = before.iter().map(String::as_str).collect();
    approvals
        .into_iter()
        .filter(|a| match before.iter().position(|b| *b == fingerprint(a)) {
            Some(at) => {
                before.swap_remove(at);
                false
            }
            None => true,
        })
        .collect()
}

/// Checks that GitHub demands a review for the environment.
async fn protected(manager: &Manager, stack: &StackId) -> Result<(), DeliveryError> {
    let name = environment_name(manager, stack);
    let help = format!(
        "in the settings of `{}`, under Environments, give `{name}` required reviewers and prevent self-review",
        manager.repository
    );
    let environment = match manager.own.environment(&manager.repository, &name).await {
        Err(e) if e.is_not_found() => {
            return Err(Refusal::new(
                "gate-environment",
                format!("there is no environment `{name}`; {help}"),
            )
            .into());
        }
        other => other?,
    };
    let reviewers = environment
        .protection_rules
        .iter()
        .find(|r| r.kind == "required_reviewers");
    match reviewers {
        Some(rule) if !rule.reviewers.is_empty() => Ok(()),
        _ => Err(Refusal::new("gate-unprotected", format!("environment `{name}` has no required reviewers although `gates.{}` demands approval; {help}", stack.environment)).into()),
    }
}

/// At the end of a run: stacks whose apply job never ran because a reviewer rejected it.
pub async fn rejected(manager: &Manager, request: &Request) -> Result<(), DeliveryError> {
    if request.outcome.is_some() || request.run.id != manager.run.run.id {
        return Ok(());
    }
    for stack in &request.stacks {
        let plan = manager
            .store
            .read::<PlanRecord>(&keys::plan(&request.name, stack))
            .await?;
        let Some(record) = plan
            .map(|(p, _)| p)
            .filter(|p| p.attempt == request.attempt)
        else {
            continue;
        };
        if !manager.estate.settings.gate(&stack.environment).approval {
            continue;
        }
        let fresh = only_new(approvals(manager, stack).await?, &record.approvals_before);
        if let Some(no) = fresh.iter().find(|a| a.state == "rejected") {
            let who = crate::estate::ids::shown(&no.user.login);
            let refusal = Refusal::new(
                "gate-rejected",
                format!("{who} rejected the apply of `{stack}`"),
            );
            refused(manager, request, &record, &refusal).await?;
        }
    }
    Ok(())
}

/// Records that a stack is not applied, and why.
async fn refused(
    manager: &Manager,
    request: &Request,
    record: &PlanRecord,
    refusal: &Refusal,
) -> Result<(), DeliveryError> {
    let key = keys::apply(&request.name, &record.stack);
    let before = manager.store.read::<ApplyRecord>(&key).await?;
    if before
        .as_ref()
        .is_some_and(|(a, _)| a.attempt == request.attempt && a.state == ApplyState::Applied)
    {
        return Ok(());
    }
    let same = before.is_some_and(|(a, _)| {
        a.attempt == request.attempt
            && a.run == manager.run.run
            && matches!(&a.state, ApplyState::Refused { reason, .. } if *reason == refusal.reason)
    });
    if !same {
        trail::stopped(manager, request, &record.stack, refusal).await;
    }
    let now = manager.clock.now();
    let mut entry = ApplyRecord::begun(request, &manager.run.run, &record.stack, now);
    entry.state = ApplyState::Refused {
        reason: refusal.reason.clone(),
        again: refusal.again(),
    };
    Ok(manager.store.write_json(&key, &entry).await?)
}

/// Decides for one stack, waiting up to `patience` where the runner does not enforce environments.
pub async fn gate(
    manager: &Manager,
    name: &super::records::RequestName,
    stack: &StackId,
    patience: Option<Duration>,
) -> Result<Decision, DeliveryError> {
    let request = super::plan::request(manager, name, stack).await?;
    let Some((record, _)) = manager
        .store
        .read::<PlanRecord>(&keys::plan(name, stack))
        .await?
    else {
        return Err(Refusal::new(
            "plan-missing",
            format!("`{stack}` has not been planned; run `tenantry plan` first"),
        )
        .into());
    };
    let started = tokio::time::Instant::now();
    loop {
        let decision = match decide(manager, &request, &record).await {
            Err(DeliveryError::Refused(refusal)) => {
                // The customer reads the reason, not only that nothing was applied.
                refused(manager, &request, &record, &refusal).await?;
                return Err(refusal.into());
            }
            other => other?,
        };
        match decision {
            Decision::Waiting { reason } if patience.is_some_and(|p| started.elapsed() < p) => {
                tracing::info!(%reason, "waiting");
                tokio::time::sleep(Duration::from_secs(2)).await;
            }
            decision => return Ok(decision),
        }
    }
}

/// Production is not applied before staging is.
pub async fn promoted(
    manager: &Manager,
    request: &Request,
    stack: &StackId,
) -> Result<(), DeliveryError> {
    let Some(product) = manager.estate.products.get(&stack.product) else {
        return Ok(());
    };
    let earlier = product
        .environments
        .iter()
        .take_while(|e| **e != stack.environment);
    for environment in earlier {
        let before = StackId {
            environment: environment.clone(),
            ..stack.clone()
        };
        if !request.stacks.contains(&before) {
            continue;
        }
        let there = manager
            .store
            .read::<ApplyRecord>(&keys::apply(&request.name, &before))
            .await?;
        if there.is_none_or(|(a, _)| a.attempt != request.attempt || a.state != ApplyState::Applied)
        {
            return Err(Refusal::new(
                "promotion",
                format!("`{before}` comes first and has not been applied"),
            )
            .into());
        }
    }
    Ok(())
}
