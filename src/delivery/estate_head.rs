//! Whether this run still works with the estate as it is. A run keeps the estate of the commit
//! that it was started for, and may wait for days, or be run again; what the provider has changed
//! since must not be undone by it.

use super::concern;
use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use crate::estate::ids::shown;
use crate::estate::{CustomerId, Files, Sha};
use crate::github::api::FileAt;
use crate::github::compare::Between;

/// What of the estate has changed since this run's commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moved {
    /// Nothing, or there is no commit because this is no workflow run.
    No,
    /// These files.
    Files {
        /// Which.
        files: Vec<String>,
        /// The commit at which they are so.
        head: Sha,
    },
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
        Ok(match own.between(&manager.repository, ours, &head).await? {
            Between::Files(files) => Moved::Files { files, head },
            Between::Unknown => Moved::Unknown,
        })
    };
    manager.moved.get_or_try_init(|| ask).await
}

/// Refuses when something that concerns `customer` has changed since this run was started.
pub async fn current(manager: &Manager, customer: &CustomerId) -> Result<(), DeliveryError> {
    let refuse = |what: &str| {
        let text = format!(
            "{what} has changed since this run was started; the next sweep plans with the estate as it is now"
        );
        DeliveryError::from(Refusal::new("estate-moved", text))
    };
    let (files, head) = match moved(manager).await? {
        Moved::No => return Ok(()),
        Moved::Files { files, head } => (files, head),
        Moved::Unknown => return Err(refuse("the manager repository")),
    };
    for file in files.iter().filter(|f| concern::concerns(f, customer)) {
        if !says_the_same(manager, customer, file, head).await? {
            return Err(refuse(&format!("`{}`", shown(file))));
        }
    }
    Ok(())
}

/// Whether a file has changed in nothing that concerns stacks. Asked of the registry's entry
/// alone: nothing else holds such things.
async fn says_the_same(
    manager: &Manager,
    customer: &CustomerId,
    file: &str,
    head: &Sha,
) -> Result<bool, DeliveryError> {
    if file != format!("customers/{customer}/metadata.yaml") {
        return Ok(false);
    }
    let there = manager.own.file_at(&manager.repository, head, file).await?;
    let FileAt::Regular { bytes, .. } = there else {
        return Ok(false);
    };
    let there: Files = [(file, bytes)].into_iter().collect();
    Ok(concern::said(&there, file) == concern::said(&manager.estate.files, file))
}
