//! Tells the customer: one sticky comment, one commit status, and the end of a request.

use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::records::{
    ApplyRecord, ApplyState, CommentRecord, Outcome, PlanRecord, PlanResult, Request, RequestName,
    StoredFinding, keys,
};
use crate::engine::change::Action;
use crate::estate::model::Customer;
use crate::estate::{CustomerId, Finding, Findings, Level, Place, RepoSlug, Sha};
use crate::github::GithubError;
use crate::github::model::{Comment, Status, User};
use crate::report::comment::{body, marker};
use crate::report::escape::shorten;
use crate::report::view::{Overall, RequestView, StackState, StackView};

/// GitHub's limit for a status's description (docs.github.com, "Commit statuses").
const DESCRIPTION: usize = 140;

/// An error and its causes as one text, without anything secret: sources of ours hold none.
pub fn say(error: &DeliveryError) -> String {
    let mut out = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let text = cause.to_string();
        if !out.contains(&text) {
            out.push_str(": ");
            out.push_str(&text);
        }
        source = cause.source();
    }
    out
}

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
                ApplyState::Refused { reason } => StackState::Refused {
                    reason: reason.clone(),
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
        let approved_by = apply.and_then(|a| a.approved_by);
        stacks.push(StackView {
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
                | StackState::Refused { .. }
        )
    });
    if !failed.is_empty() {
        return (Overall::Failure, format!("failed: {}", failed.join(", ")));
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

/// Reports a request as it stands. With `last`, it is closed.
pub async fn report(
    manager: &Manager,
    name: &RequestName,
    last: bool,
) -> Result<RequestView, DeliveryError> {
    let key = keys::request(name);
    let Some((mut request, _)) = manager.store.read::<Request>(&key).await? else {
        return Err(
            Refusal::new("request-unknown", format!("there is no request `{name}`")).into(),
        );
    };
    if last {
        super::gate::rejected(manager, &request).await?;
    }
    let view = view(manager, &request, last).await?;
    let outcome = match view.overall {
        Overall::Success => Some(Outcome::Success),
        Overall::Failure => Some(Outcome::Failure),
        Overall::Pending => None,
    };
    if let Some(outcome) = outcome
        && last
        && request.run.id == manager.run.run.id
        && request.outcome.is_none()
    {
        let ours = request.run.id;
        if let Some(closed) = manager
            .store
            .update::<Request>(&key, |r| {
                let open = r.outcome.is_none() && r.run.id == ours;
                if open {
                    r.outcome = Some(outcome);
                    r.headline = Some(view.headline.clone());
                }
                open
            })
            .await?
        {
            request = closed;
        }
    }
    // The status last: it is what everybody waits for, so it must tell of all that came before.
    let told = comment(manager, &request, &view).await;
    status(manager, &request.repository, &request.name.sha, &view).await?;
    told?;
    Ok(view)
}

/// Sets the commit status from the view.
async fn status(
    manager: &Manager,
    repository: &RepoSlug,
    sha: &Sha,
    view: &RequestView,
) -> Result<(), DeliveryError> {
    let state = match view.overall {
        Overall::Pending => "pending",
        Overall::Success => "success",
        Overall::Failure => "failure",
    };
    set_status(manager, repository, sha, state, &view.headline).await
}

async fn set_status(
    manager: &Manager,
    repository: &RepoSlug,
    sha: &Sha,
    state: &str,
    text: &str,
) -> Result<(), DeliveryError> {
    let status = Status {
        state: state.into(),
        context: manager.estate.settings.commit_status_context.clone(),
        description: Some(shorten(
            &crate::report::escape::terminal(text).replace('\n', " "),
            DESCRIPTION,
        )),
        target_url: Some(manager.run.run.url.clone()).filter(|u| u.starts_with("http")),
    };
    let newest = manager
        .source
        .statuses(repository, sha)
        .await?
        .into_iter()
        .find(|s| s.context == status.context);
    // 1,000 statuses per commit and context are all that GitHub keeps: the same one is not said twice.
    if newest.as_ref() != Some(&status) {
        manager.source.set_status(repository, sha, &status).await?;
    }
    Ok(())
}

/// Writes or updates the sticky comment of the pull request that the request belongs to.
async fn comment(
    manager: &Manager,
    request: &Request,
    view: &RequestView,
) -> Result<(), DeliveryError> {
    let number = match request.name.event {
        Event::PullRequest(number) => Some(number),
        Event::Push => manager
            .source
            .pulls_of_commit(&request.repository, &request.name.sha)
            .await?
            .into_iter()
            .find(|p| p.merged_at.is_some())
            .map(|p| p.number),
    };
    let Some(number) = number else { return Ok(()) };
    let mark = marker(&request.name.customer, view.plan_only);
    let text = body(view, &mark);
    sticky(
        manager,
        &request.name.customer,
        &request.repository,
        number,
        view.plan_only,
        &mark,
        &text,
    )
    .await
}

/// One comment per pull request and kind: ours by its recorded id, else by marker and author.
async fn sticky(
    manager: &Manager,
    customer: &CustomerId,
    repository: &RepoSlug,
    number: u64,
    plan_only: bool,
    mark: &str,
    text: &str,
) -> Result<(), DeliveryError> {
    let key = keys::comment(customer, number, plan_only);
    let known = match manager.store.read::<CommentRecord>(&key).await? {
        Some((record, _)) => match manager.source.comment(repository, record.id).await {
            Ok(comment) => Some(comment),
            Err(e) if e.is_not_found() => None,
            Err(e) => return Err(e.into()),
        },
        None => None,
    };
    let existing = match known {
        Some(comment) => Some(comment),
        None => find_ours(manager, repository, number, mark).await?,
    };
    let written = match existing {
        Some(old) if same(old.body.as_deref(), text) => old,
        Some(old) => {
            manager
                .source
                .update_comment(repository, old.id, text)
                .await?
        }
        None => match manager
            .source
            .create_comment(repository, number, text)
            .await
        {
            // It may have been written although the answer was lost: look before repeating.
            Err(e) if e.is_uncertain() => match find_ours(manager, repository, number, mark).await?
            {
                Some(found) => found,
                None => {
                    manager
                        .source
                        .create_comment(repository, number, text)
                        .await?
                }
            },
            other => other?,
        },
    };
    if !same(written.body.as_deref(), text)
        && !same(
            manager
                .source
                .comment(repository, written.id)
                .await?
                .body
                .as_deref(),
            text,
        )
    {
        return Err(Refusal::new(
            "comment-not-kept",
            format!(
                "GitHub kept another text in comment {}; it may have been too long",
                written.id
            ),
        )
        .into());
    }
    manager
        .store
        .write_json(&key, &CommentRecord { id: written.id })
        .await?;
    Ok(())
}

async fn find_ours(
    manager: &Manager,
    repository: &RepoSlug,
    number: u64,
    mark: &str,
) -> Result<Option<Comment>, DeliveryError> {
    let me: Option<User> = match manager.source.myself().await {
        Ok(user) => Some(user),
        // An installation token has no user; then only the recorded id tells.
        Err(GithubError::Forbidden { .. } | GithubError::NotFound { .. }) => None,
        Err(e) => return Err(e.into()),
    };
    let Some(me) = me else { return Ok(None) };
    let all = manager.source.comments(repository, number).await?;
    Ok(all.into_iter().find(|c| {
        c.user.as_ref().is_some_and(|u| u.id == me.id)
            && c.body.as_deref().is_some_and(|b| b.starts_with(mark))
    }))
}

fn same(kept: Option<&str>, sent: &str) -> bool {
    kept.is_some_and(|k| k.replace("\r\n", "\n").trim_end() == sent.trim_end())
}

/// Tells a customer that what they asked for was refused before there was a request.
pub async fn refused(
    manager: &Manager,
    customer: &Customer,
    sha: &Sha,
    event: Event,
    error: &DeliveryError,
) -> Result<(), DeliveryError> {
    let Some(slug) = &customer.repository else {
        return Ok(());
    };
    let repository = manager.source.repository(slug).await?;
    if Some(repository.id) != customer.repository_id {
        return Ok(());
    }
    // Only a commit of the customer's own repository can get a status.
    manager.source.commit(slug, sha).await?;
    // Late, or sent again by somebody else: a commit that has its final status keeps it.
    let late = matches!(error, DeliveryError::Refused(r) if r.code == "superseded" || r.code.starts_with("identity-"));
    if late && matches!(event, Event::Push) && already_final(manager, slug, sha).await? {
        return Ok(());
    }
    set_status(
        manager,
        slug,
        sha,
        "failure",
        &format!("refused: {}", say(error)),
    )
    .await
}

/// Whether a commit has its final status; a late hint must not change it.
async fn already_final(
    manager: &Manager,
    slug: &RepoSlug,
    sha: &Sha,
) -> Result<bool, DeliveryError> {
    let context = &manager.estate.settings.commit_status_context;
    Ok(manager
        .source
        .statuses(slug, sha)
        .await?
        .iter()
        .find(|s| s.context == *context)
        .is_some_and(|s| s.state != "pending"))
}

/// The findings of an error, if it is about files.
pub fn findings_of(error: &DeliveryError) -> Option<&Findings> {
    match error {
        DeliveryError::Findings(findings) => Some(findings),
        _ => None,
    }
}
