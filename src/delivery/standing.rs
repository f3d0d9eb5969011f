//! Where a request stands: what the store knows of its stacks, as a view and one line.

use super::error::DeliveryError;
use super::hint::Event;
use super::manager::Manager;
use super::records::{
    ApplyRecord, ApplyState, Outcome, PlanRecord, PlanResult, Request, StoredFinding, keys,
};
use crate::engine::change::Action;
use crate::engine::since::{Dated, since};
use crate::estate::{Finding, Level, Place};
use crate::report::view::{ApplyView, Overall, RequestView, SinceView, StackState, StackView};

/// Reads a request and everything that is known about its stacks.
pub async fn view(
    manager: &Manager,
    request: &Request,
    last: bool,
) -> Result<RequestView, DeliveryError> {
    let mut stacks = Vec::new();
    for stack in &request.stacks {
        let plan = manager
            .store
            .read::<PlanRecord>(&keys::plan(&request.name, stack))
            .await?
            .map(|(p, _)| p)
            .filter(|p| p.attempt == request.attempt);
        let apply = manager
            .store
            .read::<ApplyRecord>(&keys::apply(&request.name, stack))
            .await?
            .map(|(a, _)| a)
            .filter(|a| a.attempt == request.attempt);
        let state = match (&apply, &plan) {
            (Some(a), _) => match &a.state {
                ApplyState::Begun => StackState::Applying,
                ApplyState::Applied => StackState::Applied,
                ApplyState::Failed { message } => StackState::ApplyFailed {
                    message: message.clone(),
                },
                ApplyState::Refused { reason, again } => StackState::Refused {
                    reason: reason.clone(),
                    again: *again,
                },
            },
            (None, Some(p)) => match &p.result {
                PlanResult::Planned { .. } => StackState::Planned,
                PlanResult::Failed { message } => StackState::PlanFailed {
                    message: message.clone(),
                },
            },
            (None, None) => StackState::Waiting,
        };
        let (changes, digest) = match plan.as_ref().map(|p| &p.result) {
            Some(PlanResult::Planned {
                changes, digest, ..
            }) => (Some(changes.clone()), Some(digest.to_string())),
            _ => (None, None),
        };
        let warnings = plan.iter().flat_map(|p| &p.warnings).map(finding).collect();
        let since = plan.as_ref().and_then(compared);
        let (approved_by, apply) = match apply {
            Some(a) => (
                a.approved_by,
                Some(ApplyView {
                    outcome: a.outcome,
                    after: a.after,
                    renewed: a.renewed.map(|d| d.to_string()),
                }),
            ),
            None => (None, None),
        };
        stacks.push(StackView {
            apply,
            since,
            stack: stack.clone(),
            state,
            changes,
            digest,
            approved_by,
            warnings,
        });
    }
    let plan_only = matches!(request.name.event, Event::PullRequest(_));
    let findings: Vec<Finding> = request.findings.iter().map(finding).collect();
    let (overall, headline) = headline(manager, request, &stacks, &findings, plan_only, last);
    Ok(RequestView {
        version: 1,
        request: request.name.to_string(),
        sha: request.name.sha.to_string(),
        pull_request: match request.name.event {
            Event::PullRequest(number) => Some(number),
            Event::Push => None,
        },
        plan_only,
        overall,
        headline,
        stacks,
        findings,
        run_url: Some(request.run.url.clone()).filter(|u| !u.is_empty()),
    })
}

/// A plan beside the one that had passed the gate in an earlier attempt.
fn compared(plan: &PlanRecord) -> Option<SinceView> {
    let (PlanResult::Planned { changes, .. }, Some(earlier)) = (&plan.result, &plan.earlier) else {
        return None;
    };
    let dated = |changes, at| Dated { changes, at };
    Some(SinceView {
        digest: earlier.digest.to_string(),
        approved_by: earlier.approved_by.clone(),
        since: since(
            dated(&earlier.changes, earlier.at),
            dated(changes, plan.at),
            &earlier.done.iter().map(String::as_str).collect(),
        ),
    })
}

fn finding(stored: &StoredFinding) -> Finding {
    Finding {
        place: Place::at(&stored.path, stored.line, stored.column),
        level: Level::Error,
        message: stored.message.clone(),
        rule: stored.rule.clone().into(),
    }
}

/// What the request came to, in one line.
fn headline(
    manager: &Manager,
    request: &Request,
    stacks: &[StackView],
    findings: &[Finding],
    plan_only: bool,
    last: bool,
) -> (Overall, String) {
    if let Some(first) = findings.first() {
        let more = if findings.len() > 1 {
            format!(" (and {} more)", findings.len() - 1)
        } else {
            String::new()
        };
        return (
            Overall::Failure,
            format!("{}: {}{more}", first.place, first.message),
        );
    }
    if request.outcome == Some(Outcome::Superseded) {
        return (
            Overall::Failure,
            "superseded by a newer commit, which has its own request".into(),
        );
    }
    if stacks.is_empty() {
        return (Overall::Success, "nothing to change".into());
    }
    let names = |pick: &dyn Fn(&StackState) -> bool| -> Vec<String> {
        stacks
            .iter()
            .filter(|s| pick(&s.state))
            .map(|s| format!("{}/{}", s.stack.product, s.stack.environment))
            .collect()
    };
    let failed = names(&|s| {
        matches!(
            s,
            StackState::PlanFailed { .. }
                | StackState::ApplyFailed { .. }
                | StackState::Refused { again: false, .. }
        )
    });
    if !failed.is_empty() {
        let text = format!("failed: {}{}", failed.join(", "), half_way(stacks));
        return (Overall::Failure, text);
    }
    let unplanned = names(&|s| matches!(s, StackState::Waiting));
    let unfinished = match plan_only {
        true => unplanned.clone(),
        false => names(&|s| *s != StackState::Applied),
    };
    if last && !unfinished.is_empty() {
        return interrupted(request, &unfinished);
    }
    if !unplanned.is_empty() {
        return (
            Overall::Pending,
            format!("planning: {}", unplanned.join(", ")),
        );
    }
    if plan_only {
        return (Overall::Success, format!("planned: {}", totals(stacks)));
    }
    let applied = names(&|s| matches!(s, StackState::Applied));
    if applied.len() == stacks.len() {
        return (Overall::Success, format!("applied: {}", applied.join(", ")));
    }
    let open = names(&|s| !matches!(s, StackState::Applied));
    if last {
        return (
            Overall::Failure,
            format!("not applied: {}", open.join(", ")),
        );
    }
    // The first that is not applied says what happens now; the others follow it.
    let first = stacks.iter().find(|s| s.state != StackState::Applied);
    let needs = first.is_some_and(|s| {
        manager.estate.settings.gate(&s.stack.environment).approval
            && s.changes.as_ref().is_some_and(|c| !c.is_empty())
    });
    let word = if needs {
        "waiting for approval"
    } else {
        "applying"
    };
    let done = if applied.is_empty() {
        String::new()
    } else {
        format!("applied: {}; ", applied.join(", "))
    };
    let now = open.first().cloned().unwrap_or_default();
    let then = if open.len() > 1 {
        format!(", then {}", open[1..].join(", "))
    } else {
        String::new()
    };
    (Overall::Pending, format!("{done}{word}: {now}{then}"))
}

/// How far the first failed apply came, in a few words: all that a push without a pull request
/// shows is the status.
fn half_way(stacks: &[StackView]) -> String {
    let failed = |s: &&StackView| matches!(s.state, StackState::ApplyFailed { .. });
    let Some(apply) = stacks.iter().find(failed).and_then(|s| s.apply.as_ref()) else {
        return String::new();
    };
    let outcome = apply.outcome.as_ref().filter(|o| !o.changes.is_empty());
    let mut words: Vec<String> = outcome.map(|o| o.summary()).into_iter().collect();
    if apply.after.as_ref().is_some_and(|a| a.lock.is_some()) {
        words.push("state locked".to_owned());
    }
    match words.is_empty() {
        true => String::new(),
        false => format!(" ({}); fix the cause, then re-run", words.join("; ")),
    }
}

/// How often an interrupted request is taken up again before it counts as failed.
const ATTEMPTS: u32 = 5;

/// A run ended, and some stacks have neither a result nor a reason: the runner died, or GitHub
/// cancelled a pending job. Nobody can tell yet how far it came, so the request stays open and
/// the next sweep plans again, which tells.
fn interrupted(request: &Request, unfinished: &[String]) -> (Overall, String) {
    let what = unfinished.join(", ");
    if request.attempt >= ATTEMPTS {
        return (
            Overall::Failure,
            format!("given up after {ATTEMPTS} attempts: {what}; run the workflow again"),
        );
    }
    (
        Overall::Pending,
        format!("interrupted: {what}; the next sweep goes on"),
    )
}

fn totals(stacks: &[StackView]) -> String {
    let words: Vec<String> = [
        Action::Delete,
        Action::Replace,
        Action::Update,
        Action::Create,
    ]
    .into_iter()
    .filter_map(|a| {
        match stacks
            .iter()
            .filter_map(|s| s.changes.as_ref())
            .map(|c| c.count(a))
            .sum::<usize>()
        {
            0 => None,
            n => Some(format!("{n} to {}", a.word())),
        }
    })
    .collect();
    let in_stacks = format!(
        "in {} stack{}",
        stacks.len(),
        if stacks.len() == 1 { "" } else { "s" }
    );
    if words.is_empty() {
        format!("no changes {in_stacks}")
    } else {
        format!("{} {in_stacks}", words.join(", "))
    }
}
