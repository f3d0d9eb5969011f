//! Whether this run still works with the estate as it is. A run keeps the estate of the commit
//! that it was started for, and may wait for days, or be run again; what the provider has changed
//! since must not be undone by it.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use crate::estate::CustomerId;
use crate::github::compare::Between;

/// What of the estate has changed since this run's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Nothing, or there is no commit because this is no workflow run.
    No,
    /// These files.
    Files(Vec<String>),
    /// More than GitHub tells, or another history.
    Unknown,
}

/// Asks GitHub, once for each process.
async fn moved(manager: &Manager) -> Result<&Moved, DeliveryError> {
    let ask = async {
        let Some(ours) = &manager.run.commit else {
            return Ok(Moved::No);
        };
        let own = &manager.own;
        let branch = own.repository(&manager.repository).await?.default_branch;
        let head = own.head(&manager.repository, &branch).await?;
        if head == *ours {
            return Ok(Moved::No);
        }
        let between = own.between(&manager.repository, ours, &head).await?;
        Ok(match between {
            Between::Files(files) => Moved::Files(files),
            Between::Unknown => Moved::Unknown,
        })
    };
    manager.moved.get_or_try_init(|| ask).await
}

/// Refuses when something that concerns `customer` has changed since this run was started.
pub async fn current(manager: &Manager, customer: &CustomerId) -> Result<(), DeliveryError> {
    let what = match moved(manager).await? {
        Moved::No => return Ok(()),
        Moved::Files(files) => match files.iter().find(|f| Manager::concerns(f, customer)) {
            Some(file) => format!("`{}`", crate::estate::ids::shown(file)),
            None => return Ok(()),
        },
        Moved::Unknown => "the manager repository".to_owned(),
    };
    Err(Refusal::new(
        "estate-moved",
        format!("{what} has changed since this run was started; the next sweep plans with the estate as it is now"),
    )
    .into())
}
