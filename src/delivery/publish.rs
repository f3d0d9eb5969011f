//! Tells the customer: one sticky comment, one commit status, and the end of a request.

use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::records::{Outcome, Request, RequestName, keys};
use super::standing::view;
use super::sticky::{Place, sticky};
use super::trail;
use crate::estate::model::Customer;
use crate::estate::{Findings, RepoSlug, Sha};
use crate::github::Client;
use crate::github::model::Status;
use crate::report::comment::{bodies, marker};
use crate::report::escape::shorten;
use crate::report::view::{Overall, RequestView, StackState};

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

/// Reports a request as it stands. With `last`, it is closed.
pub async fn report(
    manager: &Manager,
    name: &RequestName,
    last: bool,
) -> Result<RequestView, DeliveryError> {
    tell(manager, &manager.source, name, last).await
}

/// The last report of a run, which has time: the final status is tried for until GitHub's limits
/// have ended, and is the last thing that is given up. Then the request stays on the list of the
/// unfinished ones, and a sweep tells it.
pub async fn report_last(
    manager: &Manager,
    name: &RequestName,
) -> Result<RequestView, DeliveryError> {
    tell(manager, &manager.source.insisting(), name, true).await
}

async fn tell(
    manager: &Manager,
    teller: &Client,
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
        let mut by_us = false;
        if let Some(closed) = manager
            .store
            .update::<Request>(&key, |r| {
                let open = r.outcome.is_none() && r.run.id == ours;
                by_us = open;
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
        if by_us {
            trail::closed(manager, &request).await;
        }
    }
    if !last && is_between(&view) {
        return Ok(view);
    }
    // The status last: it is what everybody waits for, so it must tell of all that came before.
    let told = comment(manager, &request, &view).await;
    // A commit that was overtaken may have got another request's final status, which stays.
    let overtaken = request.outcome == Some(Outcome::Superseded);
    if !(overtaken && already_final(manager, &request.repository, &request.name.sha).await?) {
        status(
            manager,
            teller,
            &request.repository,
            &request.name.sha,
            &view,
        )
        .await?;
    }
    told?;
    if last && request.outcome.is_some() && !request.told {
        manager
            .store
            .update::<Request>(&key, |r| {
                let ended = r.outcome.is_some() && !r.told;
                r.told |= ended;
                ended
            })
            .await?;
    }
    Ok(view)
}

/// A request of more stacks than this is told at its milestones only: opened, planned, ended.
/// GitHub allows 500 calls an hour that create content, for all customers together.
const MANY: usize = 20;

/// Whether a large request is in the middle of its applies.
fn is_between(view: &RequestView) -> bool {
    let planning = |s: &StackState| {
        matches!(
            s,
            StackState::Waiting | StackState::Planned | StackState::PlanFailed { .. }
        )
    };
    view.stacks.len() > MANY && view.stacks.iter().any(|s| !planning(&s.state))
}

/// Sets the commit status from the view.
async fn status(
    manager: &Manager,
    teller: &Client,
    repository: &RepoSlug,
    sha: &Sha,
    view: &RequestView,
) -> Result<(), DeliveryError> {
    let state = match view.overall {
        Overall::Pending => "pending",
        Overall::Success => "success",
        Overall::Failure => "failure",
    };
    set_status(manager, teller, repository, sha, state, &view.headline).await
}

async fn set_status(
    manager: &Manager,
    teller: &Client,
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
    let newest = teller
        .statuses(repository, sha)
        .await?
        .into_iter()
        .find(|s| s.context == status.context);
    // 1,000 statuses per commit and context are all that GitHub keeps: the same one is not said twice.
    if newest.as_ref() != Some(&status) {
        teller.set_status(repository, sha, &status).await?;
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
    let place = Place {
        customer: &request.name.customer,
        repository: &request.repository,
        number,
        plan_only: view.plan_only,
    };
    let mut bodies = bodies(view, |part| marker(place.customer, view.plan_only, part));
    if let Some(first) = bodies.first_mut() {
        first.push_str(&trail::footer(manager, place.customer).await);
    }
    sticky(manager, place, &bodies, view.overall != Overall::Pending).await
}

/// Tells a customer that what they asked for was refused before there was a request.
pub async fn refused(
    manager: &Manager,
    customer: &Customer,
    sha: &Sha,
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
    if already_final(manager, slug, sha).await? {
        return Ok(());
    }
    set_status(
        manager,
        &manager.source,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::view::StackView;

    fn view(stacks: usize, applied: usize) -> RequestView {
        let states = std::iter::repeat_n(StackState::Applied, applied);
        let states = states
            .chain(std::iter::repeat(StackState::Planned))
            .take(stacks);
        let stacks = states.enumerate().filter_map(|(i, state)| {
            Some(StackView {
                stack: format!("acme/web-{i}/staging").parse().ok()?,
                state,
                changes: None,
                digest: None,
                approved_by: None,
                warnings: Vec::new(),
                apply: None,
                since: None,
            })
        });
        RequestView {
            version: 1,
            request: "acme/push-1".into(),
            sha: "0".repeat(40),
            pull_request: None,
            plan_only: false,
            overall: Overall::Pending,
            headline: String::new(),
            stacks: stacks.collect(),
            findings: Vec::new(),
            run_url: None,
        }
    }

    #[test]
    fn t17_a_large_request_is_told_at_its_milestones_only() {
        assert!(
            !is_between(&view(MANY, 1)),
            "a small one is told of each apply"
        );
        assert!(!is_between(&view(MANY + 1, 0)), "what is planned is told");
        assert!(is_between(&view(MANY + 1, 1)) && is_between(&view(412, 411)));
    }
}
