//! Waiting for the first plan: the status of the pull request's head, then the comment.

use super::{Pull, Sides};
use crate::delivery::records::{CommentRecord, keys};
use crate::estate::{CustomerId, RepoSlug};
use crate::github::model::{Comment, Status};
use crate::registry::RegistryError;
use crate::report::comment::marker;
use crate::store::Store;
use std::time::Duration;
use tokio::time::{Instant, sleep};

type Result<T> = std::result::Result<T, RegistryError>;

/// What is waited for, and how long.
#[derive(Debug, Clone, Copy)]
pub struct Watch<'a> {
    /// Whose plan.
    pub customer: &'a CustomerId,
    /// Their repository.
    pub repository: &'a RepoSlug,
    /// The manager repository.
    pub manager: &'a RepoSlug,
    /// Name of the status.
    pub context: &'a str,
    /// The store, which says which comment is ours.
    pub store: Option<&'a Store>,
    /// The manager's run, where it is known.
    pub run: Option<u64>,
    /// How long at most.
    pub longest: Duration,
    /// Between two looks.
    pub pause: Duration,
}

/// How the waiting ended.
#[derive(Debug, Clone)]
pub enum First {
    /// The manager has answered.
    Told {
        /// The final status.
        status: Status,
        /// The comment.
        comment: Option<Comment>,
        /// Whether the store says that the comment is the manager's. Otherwise its place and its
        /// first line do, which others can write as well.
        ours: bool,
    },
    /// The manager's run has ended without an answer.
    Silent {
        /// How it ended.
        run: u64,
    },
    /// Not within the time.
    Late {
        /// The last status.
        status: Option<Status>,
    },
}

/// Waits until the manager has answered on the pull request.
pub async fn first(
    sides: &Sides,
    pull: &Pull,
    watch: Watch<'_>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<First> {
    let started = Instant::now();
    let mut said = String::new();
    let mut over = false;
    loop {
        // Somebody may push to the branch while we wait; the plan is then about that.
        let now = sides.customer.pull(watch.repository, pull.number).await?;
        let sha = crate::estate::Sha::new(&now.head.sha)
            .map_err(|e| RegistryError::refused(e.to_string(), "look at it on GitHub"))?;
        let statuses = sides.customer.statuses(watch.repository, &sha).await?;
        let status = statuses.into_iter().find(|s| s.context == watch.context);
        if let Some(status) = status.as_ref().filter(|s| s.state != "pending") {
            let (comment, ours) = comment(sides, pull, watch).await?;
            return Ok(First::Told {
                status: status.clone(),
                comment,
                ours,
            });
        }
        if over && let Some(run) = watch.run {
            return Ok(First::Silent { run });
        }
        let word = match &status {
            Some(status) => status.description.clone().unwrap_or_default(),
            None => "nothing is said on the commit yet".to_owned(),
        };
        if word != said {
            told(&format!("waiting for the plan: {word}"));
            said = word;
        }
        if started.elapsed() >= watch.longest {
            return Ok(First::Late { status });
        }
        sleep(watch.pause).await;
        // Looked at before the status: what a run says before its end is seen in the next round.
        if let Some(run) = watch.run {
            let run = sides.manager.run(watch.manager, run).await?;
            over = run.status.as_deref() == Some("completed");
        }
    }
}

/// The comment with the plan: by the number that the store has, else by what it begins with.
async fn comment(sides: &Sides, pull: &Pull, watch: Watch<'_>) -> Result<(Option<Comment>, bool)> {
    if let Some(store) = watch.store {
        let key = keys::comment(watch.customer, pull.number, true);
        let record = store.read::<CommentRecord>(&key).await.map_err(|e| {
            RegistryError::refused(
                format!("the store cannot be read: {e}"),
                "give the store's credentials to this command, or look at the pull request",
            )
        })?;
        if let Some((record, _)) = record {
            let found = sides.customer.comment(watch.repository, record.id).await?;
            return Ok((Some(found), true));
        }
    }
    let mark = marker(watch.customer, true, 1);
    let all = sides
        .customer
        .comments(watch.repository, pull.number)
        .await?;
    let found = all
        .into_iter()
        .find(|c| c.body.as_deref().is_some_and(|b| b.starts_with(&mark)));
    Ok((found, false))
}
