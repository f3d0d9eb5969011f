//! What has to be so before anything is proposed: what the registry and the manager say, and the
//! customer's repository.

use super::look::Ask;
use crate::estate::model::{Customer, Status};
use crate::estate::{RepoSlug, Sha};
use crate::github::api::FileAt;
use crate::github::proposal::Ground;
use crate::github::{Client, GithubError};
use crate::registry::RegistryError;
use crate::setup::instructions::contracts;

type Result<T> = std::result::Result<T, RegistryError>;

/// Whether a customer can be brought in by what the registry says.
pub(super) fn ready(customer: &Customer) -> Result<()> {
    let id = &customer.id;
    if customer.status == Status::Suspended {
        return Err(RegistryError::refused(
            format!("customer `{id}` is suspended, so nothing of theirs would be planned"),
            format!("run `tenantry customer resume {id}` first, and push it"),
        ));
    }
    if customer.repository.is_none() || customer.repository_id.is_none() {
        return Err(RegistryError::refused(
            format!("customer `{id}` has no repository in the registry"),
            format!("record it: `tenantry customer set {id} repository=OWNER/NAME`"),
        ));
    }
    if contracts(customer).is_empty() {
        return Err(RegistryError::refused(
            format!("customer `{id}` subscribes to nothing"),
            format!("name a product in customers/{id}/products.yaml"),
        ));
    }
    Ok(())
}

/// Checks that the manager serves this customer already, with what stands here; the default
/// branch of the manager and its head.
pub(super) async fn registered(client: &Client, ask: Ask<'_>) -> Result<(String, Sha)> {
    let (id, manager) = (&ask.customer.id, ask.manager);
    let ground = client.ground(manager).await.map_err(|e| match e.is_not_found() {
        true => RegistryError::refused(
            format!("the manager repository `{manager}` cannot be read: it does not exist, or the token may not see it"),
            "check `manager` in tenantry.yml, and that GITHUB_TOKEN may read it",
        ),
        false => e.into(),
    })?;
    let branch = ground.default_branch;
    let head = client.branch_head(manager, &branch).await?.ok_or_else(|| {
        RegistryError::refused(
            format!("`{manager}` has no branch `{branch}`"),
            "push the manager repository first",
        )
    })?;
    for name in ["metadata.yaml", "products.yaml"] {
        let path = format!("customers/{id}/{name}");
        let here = ask.estate.files.get(&path);
        let there = match client.file_at(manager, &head, &path).await? {
            FileAt::Regular { bytes, .. } => Some(bytes),
            FileAt::Absent => None,
            FileAt::TooLarge(_) | FileAt::NotRegular(_) => {
                return Err(RegistryError::refused(
                    format!("`{path}` on `{branch}` of `{manager}` is no file of a usual size"),
                    "replace it by a regular file",
                ));
            }
        };
        if here == there.as_deref() {
            continue;
        }
        let what = match there {
            None => "is not",
            Some(_) => "stands differently",
        };
        return Err(RegistryError::refused(
            format!(
                "`{path}` {what} on `{branch}` of `{manager}`, and the manager works with what is there"
            ),
            format!("commit customers/{id}/ and push it, or pull; then run this again"),
        ));
    }
    Ok((branch, head))
}

/// The customer's repository, if it is theirs still. A new name is told, a new owner is refused.
pub(crate) async fn repository(
    client: &Client,
    customer: &Customer,
) -> Result<(RepoSlug, Ground, Vec<String>)> {
    let id = &customer.id;
    let (Some(slug), Some(number)) = (&customer.repository, customer.repository_id) else {
        return Err(RegistryError::refused(
            format!("customer `{id}` has no repository in the registry"),
            format!("record it: `tenantry customer set {id} repository=OWNER/NAME`"),
        ));
    };
    let ground = client.ground(slug).await.map_err(|e| match e.is_not_found() {
        true => RegistryError::refused(
            format!("`{slug}` cannot be read: it was removed, or the token may not see it"),
            "check that TENANTRY_SETUP_TOKEN (or GITHUB_TOKEN) may read and write it; a fine-grained token is for repositories of one owner",
        ),
        false => e.into(),
    })?;
    if ground.id != number {
        return Err(RegistryError::refused(
            format!(
                "`{slug}` is another repository now: it has id {}, that of customer `{id}` has id {number}",
                ground.id
            ),
            format!(
                "ask the customer; if they really have a new one, `tenantry customer set {id} repository=OWNER/NAME --moved`"
            ),
        ));
    }
    let now = RepoSlug::new(&ground.full_name)
        .map_err(|e| RegistryError::refused(e.to_string(), "rename the repository on GitHub"))?;
    let owner = match customer.about.owner_id {
        Some(owner) => owner == ground.owner.id,
        // The number was never recorded, so the name has to do.
        None => now.owner().eq_ignore_ascii_case(slug.owner()),
    };
    if !owner {
        return Err(RegistryError::refused(
            format!("`{slug}` belongs to another account now, `{}`", now.owner()),
            format!(
                "ask the customer whether they transferred it; if so, `tenantry customer set {id} repository={now} --moved`"
            ),
        ));
    }
    let mut notes = Vec::new();
    if !now.as_str().eq_ignore_ascii_case(slug.as_str()) {
        notes.push(format!(
            "`{slug}` is called `{now}` now; record it with `tenantry customer set {id} repository={now}`"
        ));
    }
    let refuse =
        |what: &str, next: &str| Err(RegistryError::refused(format!("`{now}` is {what}"), next));
    if ground.archived {
        return refuse(
            "archived, so nothing can be written to it",
            "ask the customer to unarchive it",
        );
    }
    if ground.disabled {
        return refuse(
            "disabled by GitHub",
            "ask the customer what GitHub wrote to them",
        );
    }
    Ok((now, ground, notes))
}

/// What is known of the token before anything is written.
pub(crate) fn scopes(ground: &Ground, slug: &RepoSlug) -> Result<()> {
    if ground.permissions.is_some_and(|p| !p.push) {
        return Err(RegistryError::refused(
            format!("the token may not write to `{slug}`"),
            "use a token of somebody who may, with `Contents`, `Pull requests`, `Workflows` and `Variables` (write): TENANTRY_SETUP_TOKEN",
        ));
    }
    let Some(scopes) = &ground.scopes else {
        return Ok(());
    };
    let has = |wanted: &str| scopes.iter().any(|s| s == wanted);
    let mut missing = Vec::new();
    if !has("repo") && !has("public_repo") {
        missing.push("`repo`");
    }
    if !has("workflow") {
        missing.push("`workflow`");
    }
    if missing.is_empty() || scopes.is_empty() {
        return Ok(());
    }
    Err(RegistryError::refused(
        format!(
            "the token lacks the scope {}, which writing a workflow to `{slug}` needs",
            missing.join(" and ")
        ),
        "use a token with these scopes, or a fine-grained one with `Contents`, `Pull requests`, `Workflows` and `Variables` (write)",
    ))
}

/// Whether workflows run there.
pub(super) async fn allowed(
    client: &Client,
    slug: &RepoSlug,
    notes: &mut Vec<String>,
) -> Result<()> {
    let policy = match client.actions_permissions(slug).await {
        Ok(policy) => policy,
        Err(GithubError::NotFound { .. } | GithubError::Forbidden { .. }) => {
            notes.push(format!(
                "whether `{slug}` runs workflows cannot be seen with this token (it lacks `Administration: read`)"
            ));
            return Ok(());
        }
        Err(e) => return Err(e.into()),
    };
    if !policy.enabled {
        return Err(RegistryError::refused(
            format!("Actions are disabled in `{slug}`"),
            "ask the customer to enable them under Settings, Actions, General",
        ));
    }
    match policy.allowed_actions.as_deref() {
        None | Some("all") => {}
        Some(_) => notes.push(format!(
            "`{slug}` runs chosen actions only; the customer has to allow those of tenantry under Settings, Actions, General"
        )),
    }
    Ok(())
}

/// A branch's name becomes part of the workflow.
pub(super) fn usable<'a>(branch: &'a str, slug: &RepoSlug) -> Result<&'a str> {
    let fine = !branch.is_empty()
        && branch
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    match fine {
        true => Ok(branch),
        false => Err(RegistryError::refused(
            format!(
                "the default branch of `{slug}` is called `{}`, which is not written into a workflow",
                crate::estate::ids::shown(branch)
            ),
            "a name of letters, digits, `-`, `_`, `.` and `/` is needed",
        )),
    }
}

/// The head of the default branch.
pub(crate) async fn head(client: &Client, slug: &RepoSlug, branch: &str) -> Result<Sha> {
    let empty = || {
        RegistryError::refused(
            format!("`{slug}` is empty: there is no branch `{branch}` to build upon"),
            "ask the customer for a first commit, such as a README",
        )
    };
    match client.branch_head(slug, branch).await {
        Ok(head) => head.ok_or_else(empty),
        Err(GithubError::Conflict { .. }) => Err(empty()),
        Err(e) => Err(e.into()),
    }
}
