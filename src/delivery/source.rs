//! Reading a customer's repository back: the only thing that is believed about it.

use super::error::{DeliveryError, Refusal};
use super::hint::Event;
use super::manager::Manager;
use super::part::People;
use super::records::RequestName;
use crate::estate::ids::shown;
use crate::estate::model::{Customer, Status};
use crate::estate::resolve::ContractFile;
use crate::estate::{Finding, Findings, Place, RepoSlug, Sha};
use crate::github::GithubError;
use crate::github::api::FileAt;
use crate::github::model::{Repository, User};
use crate::report::escape::terminal;

/// A commit of a customer, verified.
#[derive(Debug, Clone)]
pub struct Verified {
    /// The name that a request for it has.
    pub name: RequestName,
    /// The repository as it is called now.
    pub repository: RepoSlug,
    /// Its numeric id.
    pub repository_id: u64,
    /// Author, committer and opener.
    pub authors: Vec<User>,
    /// Whether one of them has no GitHub account.
    pub unknown_author: bool,
}

/// The repository of a registry entry.
fn registered(customer: &Customer) -> Result<(&RepoSlug, u64), DeliveryError> {
    match (&customer.repository, customer.repository_id) {
        (Some(slug), Some(id)) => Ok((slug, id)),
        _ => Err(Refusal::new("registry", format!("customer `{}` has no `repository` and `repository_id` in customers/{}/metadata.yaml", customer.id, customer.id)).into()),
    }
}

/// A customer's repository as GitHub knows it now, whether or not the customer is served.
/// `Err(Refused)` when its numeric id is another one.
pub async fn repository(
    manager: &Manager,
    customer: &Customer,
) -> Result<(RepoSlug, Repository), DeliveryError> {
    let (slug, id) = registered(customer)?;
    let repository = manager
        .source
        .repository(slug)
        .await
        .map_err(|e| readable(e, slug))?;
    if repository.id != id {
        return Err(Refusal::new(
            "repository-changed",
            format!("`{slug}` is another repository now (id {} instead of {id}); the provider must check customers/{}/metadata.yaml", repository.id, customer.id),
        )
        .into());
    }
    let slug = RepoSlug::new(&repository.full_name)
        .map_err(|e| Refusal::new("repository-changed", e.to_string()))?;
    Ok((slug, repository))
}

/// Checks that `sha` is what `event` says: the head of the default branch, or of an open pull
/// request of the same repository. `Err(Refused)` says which of it is not so.
pub async fn verify(
    manager: &Manager,
    customer: &Customer,
    event: Event,
    sha: &Sha,
) -> Result<Verified, DeliveryError> {
    let (_, id) = registered(customer)?;
    if customer.status == Status::Suspended {
        return Err(Refusal::new("suspended", suspended(customer)).into());
    }
    let (slug, repository) = repository(manager, customer).await?;
    let mut people = People::default();
    match event {
        Event::Push => {
            let head = manager
                .source
                .head(&slug, &repository.default_branch)
                .await?;
            if head != *sha {
                return Err(Refusal::new("superseded", format!("commit {} is not the head of `{}` (that is {}); the newer commit has its own request", sha.short(), shown(&repository.default_branch), head.short())).into());
            }
            people.merged(manager, &slug, sha).await?;
        }
        Event::PullRequest(number) => {
            let pull = match manager.source.pull(&slug, number).await {
                Err(e) if e.is_not_found() => {
                    return Err(Refusal::new(
                        "pull-request",
                        format!("there is no pull request #{number} in `{slug}`"),
                    )
                    .into());
                }
                other => other?,
            };
            if pull.head.repo.as_ref().map(|r| r.id) != Some(id) {
                return Err(Refusal::new("fork", "pull requests from forks are not planned; push the branch to the repository itself").into());
            }
            if pull.base.repo.as_ref().map(|r| r.id) != Some(id)
                || pull.base.branch != repository.default_branch
            {
                return Err(Refusal::new(
                    "pull-request",
                    format!(
                        "pull request #{number} does not go into `{}`",
                        shown(&repository.default_branch)
                    ),
                )
                .into());
            }
            if pull.state != "open" {
                return Err(Refusal::new(
                    "pull-request",
                    format!("pull request #{number} is not open"),
                )
                .into());
            }
            if pull.head.sha != sha.as_str() {
                return Err(Refusal::new("superseded", format!("commit {} is not the head of pull request #{number}; the newer commit has its own request", sha.short())).into());
            }
            people.users.extend(pull.user);
            let base = &pull.base.sha;
            people.range(manager.source.authors(&slug, base, sha.as_str()).await?);
        }
    }
    people.commit(manager.source.commit(&slug, sha).await?);
    let people = people.tidy();
    Ok(Verified {
        name: RequestName {
            customer: customer.id.clone(),
            event,
            sha: sha.clone(),
        },
        repository: slug,
        repository_id: id,
        authors: people.users,
        unknown_author: people.unknown,
    })
}

/// What a suspended customer reads: the reason only if the provider says so.
fn suspended(customer: &Customer) -> String {
    match &customer.suspension {
        Some(why) if why.public => {
            let reason: Vec<&str> = why.reason.split_whitespace().collect();
            format!(
                "this customer is suspended: {}",
                terminal(&reason.join(" "))
            )
        }
        Some(_) => {
            "this customer is suspended; your provider knows the reason, ask them".to_owned()
        }
        None => "this customer is suspended; ask your provider".to_owned(),
    }
}

fn readable(error: GithubError, slug: &RepoSlug) -> DeliveryError {
    if error.is_not_found() {
        return Refusal::new("repository-gone", format!("`{slug}` cannot be read; it was removed or renamed, or the App or TENANTRY_SOURCE_TOKEN may not see it")).into();
    }
    error.into()
}

/// What is said about a file that is not there.
pub const ABSENT: &str = "the file does not exist; add it";

/// The customer's files at a commit, one for each distinct path of the subscriptions.
pub async fn contract(
    manager: &Manager,
    customer: &Customer,
    slug: &RepoSlug,
    sha: &Sha,
) -> Result<Vec<ContractFile>, DeliveryError> {
    let mut paths: Vec<&str> = customer
        .subscriptions
        .iter()
        .filter(|s| s.enabled)
        .map(|s| s.variables.as_str())
        .collect();
    paths.sort_unstable();
    paths.dedup();
    let mut files = Vec::new();
    let mut findings = Vec::new();
    let mut refuse = |path: &str, message: String| {
        findings.push(Finding::error(Place::file(path), "contract-file", message))
    };
    for path in paths {
        match manager.source.file_at(slug, sha, path).await? {
            FileAt::Regular { bytes, .. } => files.push(ContractFile {
                path: path.to_owned(),
                bytes,
            }),
            FileAt::Absent => refuse(path, ABSENT.to_owned()),
            FileAt::TooLarge(size) => refuse(
                path,
                format!(
                    "the file has {size} bytes, the limit is {}; split it or remove what is not needed",
                    crate::estate::yaml::MAX_BYTES
                ),
            ),
            FileAt::NotRegular(mode) => refuse(
                path,
                format!(
                    "the file must be a regular file (git mode 100644), this is mode {}; replace links and executables by the file itself",
                    shown(&mode)
                ),
            ),
        }
    }
    if findings.is_empty() {
        Ok(files)
    } else {
        Err(Findings(findings).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{Estate, Files};

    #[test]
    fn a_reason_is_read_by_the_customer_only_if_it_is_public() -> Result<(), Findings> {
        for (suspension, said) in [
            ("", "this customer is suspended; ask your provider"),
            (
                "suspension: {reason: \"late, again\"}",
                "this customer is suspended; your provider knows the reason, ask them",
            ),
            (
                "suspension: {reason: \"über\\nfällig\", public: true}",
                "this customer is suspended: über fällig",
            ),
        ] {
            let mut files = Files::new();
            let text = format!("status: suspended\n{suspension}\n");
            files.insert("customers/acme/metadata.yaml", text.into_bytes());
            let estate = Estate::read(files)?;
            let found: Vec<String> = estate.customers.values().map(suspended).collect();
            assert_eq!(found, [said]);
        }
        Ok(())
    }
}
