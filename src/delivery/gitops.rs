//! Engine `argocd` on GitHub: reading a stack's files, committing exactly what was planned.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use super::open::version;
use crate::engine::argocd::{FileChange, GitOpsPlan, Target, changes, compare, render};
use crate::engine::change::Changes;
use crate::engine::redact::Redactor;
use crate::estate::resolve::Resolved;
use crate::estate::{RepoSlug, Sha};
use crate::github::GithubError;
use crate::github::api::FileAt;

fn repository(manager: &Manager) -> Result<&RepoSlug, DeliveryError> {
    manager.estate.settings.gitops_repository.as_ref().ok_or_else(|| {
        DeliveryError::Setting("engine `argocd` needs a GitOps repository; add `engines.argocd.repository: owner/name` to tenantry.yml".into())
    })
}

/// Renders the stack and compares it with what the repository holds.
pub async fn plan(
    manager: &Manager,
    resolved: &Resolved,
    redactor: &Redactor,
) -> Result<(GitOpsPlan, Changes), DeliveryError> {
    let repository = repository(manager)?;
    let branch = &manager.estate.settings.gitops_branch;
    let found = manager.source.repository(repository).await?;
    let target = Target {
        repository: repository.as_str(),
        clone_url: &found.clone_url,
        branch,
    };
    let head = manager.source.head(repository, branch).await?;
    let rendered = render(
        &resolved.effective.stack,
        &resolved.effective.values,
        version(manager, &resolved.effective.stack).as_deref(),
        &target,
    );
    let mut files = Vec::new();
    let mut list = Vec::new();
    for (path, content) in rendered {
        let (base_blob, before) = match manager.source.file_at(repository, &head, &path).await? {
            FileAt::Regular { blob, bytes } => (
                Some(blob),
                Some(String::from_utf8_lossy(&bytes).into_owned()),
            ),
            FileAt::Absent => (None, None),
            _ => {
                return Err(Refusal::new(
                    "gitops-file",
                    format!("`{path}` in `{repository}` is not a regular file; remove it"),
                )
                .into());
            }
        };
        if let Some(change) = compare(&path, before.as_deref(), &content, redactor) {
            list.push(change);
            files.push(FileChange {
                path,
                base_blob,
                content,
            });
        }
    }
    Ok((
        GitOpsPlan {
            repository: repository.to_string(),
            branch: branch.clone(),
            files,
        },
        changes(list),
    ))
}

/// Commits the planned files. Refused when one of them is no longer what the plan saw.
pub async fn apply(
    manager: &Manager,
    plan: &GitOpsPlan,
    message: &str,
) -> Result<Option<Sha>, DeliveryError> {
    let repository = repository(manager)?;
    if plan.repository != repository.as_str()
        || plan.branch != manager.estate.settings.gitops_branch
    {
        return Err(Refusal::new(
            "gitops-target",
            "the plan was made for another GitOps repository or branch; plan again",
        )
        .into());
    }
    if plan.files.is_empty() {
        return Ok(None);
    }
    for _ in 0..10 {
        let head = manager.source.head(repository, &plan.branch).await?;
        let mut done = 0;
        for file in &plan.files {
            let now = match manager
                .source
                .file_at(repository, &head, &file.path)
                .await?
            {
                FileAt::Regular { blob, bytes } => {
                    if bytes == file.content.as_bytes() {
                        done += 1;
                        continue;
                    }
                    Some(blob)
                }
                FileAt::Absent => None,
                // Neither what is planned nor what the plan saw.
                _ => Some(String::new()),
            };
            if now != file.base_blob {
                return Err(Refusal::new(
                    "gitops-moved",
                    format!(
                        "`{}` in `{repository}` has changed since the plan was made; plan again",
                        file.path
                    ),
                )
                .into());
            }
        }
        if done == plan.files.len() {
            // An earlier try got through although its answer was lost.
            return Ok(Some(head));
        }
        let files: Vec<(String, String)> = plan
            .files
            .iter()
            .map(|f| (f.path.clone(), f.content.clone()))
            .collect();
        match manager
            .source
            .commit_files(repository, &plan.branch, &head, message, &files)
            .await
        {
            Ok(sha) => return Ok(Some(sha)),
            // Another stack was faster; its files are not ours, so look again.
            Err(GithubError::Conflict { .. }) => continue,
            Err(other) => return Err(other.into()),
        }
    }
    Err(Refusal::new(
        "gitops-busy",
        format!("`{repository}` is being written all the time; try again"),
    )
    .into())
}
