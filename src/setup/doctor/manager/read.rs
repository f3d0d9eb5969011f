//! Reads how the manager repository is set up.

use super::{Asked, Facts};
use crate::estate::RepoSlug;
use crate::estate::settings::HintMode;
use crate::github::Client;
use crate::github::api::FileAt;
use crate::setup::doctor::{Seen, environment, seen};
use std::collections::{BTreeMap, BTreeSet};

/// Reads everything that is judged. Nothing that cannot be read stops the rest.
pub async fn read(github: &Client, asked: &Asked<'_>) -> Facts {
    let repo = asked.repository;
    let settings = seen(github.settings(repo).await);
    let branch = settings.as_ref().map(|s| s.default_branch.clone());
    let branch = branch.map_err(Clone::clone);
    let head = match &branch {
        Ok(branch) => seen(github.head(repo, branch).await).map(|sha| sha.to_string()),
        Err(why) => Err(why.clone()),
    };
    let mut files = BTreeMap::new();
    for path in asked.expected.paths() {
        files.insert(path.to_owned(), file(github, repo, &head, path).await);
    }
    let secrets = both(
        seen(github.secret_names(repo, None).await),
        seen(github.organisation_secret_names(repo).await),
    );
    let variables = merged(
        seen(github.variables(repo).await),
        seen(github.organisation_variables(repo).await),
    );
    let actions = seen(github.actions_permissions(repo).await);
    let selected = match &actions {
        Ok(a) if a.allowed_actions.as_deref() == Some("selected") => {
            seen(github.selected_actions(repo).await).map(Some)
        }
        Ok(_) => Ok(None),
        Err(why) => Err(why.clone()),
    };
    let (rules, protection) = match &branch {
        Ok(branch) => (
            seen(github.active_rules(repo, branch).await),
            seen(github.branch_protection(repo, branch).await),
        ),
        Err(why) => (Err(why.clone()), Err(why.clone())),
    };
    let waiting = github
        .has_branch(repo, &asked.expected.branch("manager"))
        .await;
    let shared = environment::shared(asked.estate);
    let rulesets = match asked.estate.settings.hints {
        HintMode::Direct => Some(seen(github.rulesets(repo).await)),
        HintMode::Poll | HintMode::Inbox => None,
    };
    Facts {
        settings,
        head,
        secrets,
        variables,
        environments: environment::read(github, asked.estate, repo, branch, &shared).await,
        files,
        waiting: seen(waiting),
        states: seen(github.workflow_states(repo).await),
        actions,
        selected,
        token: seen(github.workflow_token(repo).await),
        rules,
        protection,
        rulesets,
    }
}

/// What a repository has, with what its organisation gives it. Who may not read one of them does
/// not know what is missing.
fn both(own: Seen<BTreeSet<String>>, given: Seen<BTreeSet<String>>) -> Seen<BTreeSet<String>> {
    let mut all = own?;
    all.extend(given?);
    Ok(all)
}

fn merged(
    own: Seen<BTreeMap<String, String>>,
    given: Seen<BTreeMap<String, String>>,
) -> Seen<BTreeMap<String, String>> {
    let own = own?;
    let mut all = given?;
    all.extend(own);
    Ok(all)
}

async fn file(
    github: &Client,
    repo: &RepoSlug,
    head: &Seen<String>,
    path: &str,
) -> Seen<Option<(String, String)>> {
    let head = head.clone()?;
    let sha = crate::estate::Sha::new(&head).map_err(|e| e.to_string())?;
    match seen(github.file_at(repo, &sha, path).await)? {
        FileAt::Absent => Ok(None),
        FileAt::Regular { blob, bytes } => {
            let text = String::from_utf8(bytes).map_err(|_| format!("`{path}` is not UTF-8"))?;
            Ok(Some((blob, text)))
        }
        FileAt::TooLarge(size) => Err(format!("`{path}` has {size} bytes, more than are read")),
        FileAt::NotRegular(mode) => Err(format!("`{path}` is no regular file (mode {mode})")),
    }
}
