//! Which commit of tenantry's actions the workflows use that are written.

use crate::cli::env::Env;
use crate::cli::error::CliError;
use crate::cli::step;
use crate::estate::{RepoSlug, Sha};
use crate::registry::scaffold::Actions;
use std::path::Path;

/// Flags.
#[derive(Debug, Clone, clap::Args)]
pub struct Pin {
    /// Commit of tenantry's actions that the workflow uses; the one that the manager's own
    /// workflows use when absent.
    #[arg(
        long,
        env = "TENANTRY_ACTIONS_REF",
        hide_env = true,
        value_name = "COMMIT"
    )]
    actions_ref: Option<Sha>,
    /// Repository of tenantry's actions.
    #[arg(long, value_name = "OWNER/NAME", requires = "actions_ref")]
    actions_repository: Option<RepoSlug>,
}

/// Where tenantry's actions are, unless somebody says so.
const ACTIONS: &str = "tenantry/tenantry";

/// What is asked for, else what the manager's workflows pin, else what the release says.
pub async fn pinned(pin: &Pin, estate: &Path, env: &Env) -> Result<Actions, CliError> {
    let repository = match &pin.actions_repository {
        Some(slug) => slug.clone(),
        None => RepoSlug::new(ACTIONS)?,
    };
    if let Some(sha) = &pin.actions_ref {
        return Ok(of(repository, sha.clone(), env!("CARGO_PKG_VERSION")));
    }
    let own = estate.join(".github/workflows/deploy.yml");
    if let Ok(text) = std::fs::read_to_string(own)
        && let Some(found) = used(&text)
    {
        return Ok(found);
    }
    released(repository, env).await
}

fn of(repository: RepoSlug, sha: Sha, version: &str) -> Actions {
    Actions {
        actions_repository: repository,
        actions_ref: sha,
        actions_version: version.to_owned(),
    }
}

/// The action that a manager's workflow uses first.
fn used(workflow: &str) -> Option<Actions> {
    workflow.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("- ").strip_prefix("uses:")?;
        let (action, comment) = line.split_once('#').unwrap_or((line, ""));
        let action = action.trim().trim_matches(['"', '\'']);
        let (repository, sha) = action.split_once("/actions/intake@")?;
        let version = comment.trim().trim_start_matches('v');
        let known = version.split('.').count() == 3
            && version
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+'));
        Some(of(
            RepoSlug::new(repository).ok()?,
            Sha::new(sha).ok()?,
            if known {
                version
            } else {
                env!("CARGO_PKG_VERSION")
            },
        ))
    })
}

/// The commit that the release of this version says. A tag can be moved, so the commit behind it
/// is asked for. It is not the tag of the release: a release cannot hold its own checksums, so
/// they are committed after it, and that commit is tagged `actions-v<version>`.
pub async fn released(repository: RepoSlug, env: &Env) -> Result<Actions, CliError> {
    let version = env!("CARGO_PKG_VERSION");
    let client = step::client(env, &step::api_url(env, None), env.get("GITHUB_TOKEN"))?;
    let tag = format!("actions-v{version}");
    let sha = client.tag_commit(&repository, &tag).await.map_err(|e| {
        CliError::failed(format!("the commit of `{repository}` v{version} cannot be found: {e}"))
            .hint("name the commit of tenantry's actions with --actions-ref; it stands on the release page")
    })?;
    Ok(of(repository, sha, version))
}

#[cfg(test)]
mod tests {
    use super::used;

    #[test]
    fn the_pin_of_the_manager_is_found() {
        let sha = "a".repeat(40);
        let line = |uses: &str| {
            let text = format!(
                "jobs:\n  x:\n    steps:\n      - uses: actions/checkout@v6\n      - uses: {uses}\n"
            );
            used(&text).map(|a| {
                format!(
                    "{} {} {}",
                    a.actions_repository,
                    a.actions_ref.short(),
                    a.actions_version
                )
            })
        };
        assert!(
            line(&format!("our-fork/tenantry/actions/intake@{sha} # v1.2.3"))
                .is_some_and(|l| l.starts_with("our-fork/tenantry ") && l.ends_with(" 1.2.3"))
        );
        assert!(
            line(&format!("our-fork/tenantry/actions/intake@{sha} # ]] x"))
                .is_some_and(|l| l.ends_with(env!("CARGO_PKG_VERSION")))
        );
        assert_eq!(line(&format!("a/b/c/actions/intake@{sha}")), None);
        assert_eq!(line("our-fork/tenantry/actions/intake@main"), None);
        assert_eq!(line(&format!("our-fork/tenantry/actions/plan@{sha}")), None);
    }
}
