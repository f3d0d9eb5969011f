//! The sticky comment: one for each pull request and kind, found again and never doubled.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::records::{CommentRecord, keys};
use crate::estate::{CustomerId, RepoSlug};
use crate::github::GithubError;
use crate::github::model::{Comment, User};

/// One comment per pull request and kind: ours by its recorded id, else by marker and author.
pub async fn sticky(
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
