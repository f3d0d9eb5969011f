//! The sticky comment: one for each pull request and kind, found again and never doubled.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::records::{CommentRecord, keys};
use crate::estate::{CustomerId, RepoSlug};
use crate::github::GithubError;
use crate::github::model::{Comment, User};
use crate::report::comment::{marker, retired};

/// Where a comment belongs.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// Whose pull request.
    pub customer: &'a CustomerId,
    /// The customer's repository.
    pub repository: &'a RepoSlug,
    /// The pull request.
    pub number: u64,
    /// Whether the comment is about plans or about applies.
    pub plan_only: bool,
}

/// One comment per pull request and kind, and those that continue it: ours by their recorded ids,
/// else by marker and author. Those that are needed no more say so.
pub async fn sticky(
    manager: &Manager,
    place: Place<'_>,
    bodies: &[String],
    ended: bool,
) -> Result<(), DeliveryError> {
    let Place {
        customer,
        number,
        plan_only,
        ..
    } = place;
    let key = keys::comment(customer, number, plan_only);
    let record = manager.store.read::<CommentRecord>(&key).await?;
    let known: Vec<u64> = record
        .iter()
        .flat_map(|(r, _)| std::iter::once(r.id).chain(r.more.iter().copied()))
        .collect();
    // Before the end, what continues the comment stays as it is: it costs calls.
    let parts = match ended {
        true => bodies.len().max(known.len()),
        false => 1,
    };
    let mut ids = Vec::new();
    for part in 1..=parts {
        let mark = marker(customer, plan_only, part);
        let text = match bodies.get(part - 1) {
            Some(body) => body.clone(),
            None => retired(&mark),
        };
        let id = known.get(part - 1).copied();
        ids.push(keep(manager, place, id, &mark, &text).await?);
    }
    ids.extend(known.iter().skip(parts));
    let more = ids.split_off(1.min(ids.len()));
    let Some(id) = ids.pop() else { return Ok(()) };
    manager
        .store
        .write_json(&key, &CommentRecord { id, more })
        .await?;
    Ok(())
}

/// Writes one comment, and confirms that GitHub kept it.
async fn keep(
    manager: &Manager,
    place: Place<'_>,
    known: Option<u64>,
    mark: &str,
    text: &str,
) -> Result<u64, DeliveryError> {
    let Place {
        repository, number, ..
    } = place;
    let known = match known {
        Some(id) => match manager.source.comment(repository, id).await {
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
    Ok(written.id)
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
