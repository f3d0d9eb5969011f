//! Carrying a plan out, step by step. Whatever a step finds done already counts as done.

use super::{Plan, Pull, Sides, Step, WORKFLOW};
use crate::estate::ids::BadId;
use crate::estate::{RepoSlug, SecretName, SecretPlace, Sha};
use crate::github::proposal::{Right, Target};
use crate::github::setup::Change;
use crate::github::{Client, GithubError};
use crate::keyring::Secret;
use crate::registry::RegistryError;
use crate::registry::credential::give::give;
use crate::setup::doctor::environment::{ROLE, SEAL_KEY};
use crate::store::seal::SealIdentity;
use serde_json::json;

type Result<T> = std::result::Result<T, RegistryError>;

/// What there is now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Done {
    /// The pull request.
    pub pull: Option<Pull>,
    /// The manager's run that was started, where GitHub said which.
    pub run: Option<u64>,
}

/// Carries a plan out. Before the first step, every right that it needs is tried; `told` hears of
/// each step that is done.
pub async fn carry_out(
    sides: &Sides,
    plan: &Plan,
    seal: Option<&SealIdentity>,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Done> {
    rights(sides, plan).await?;
    let mut done = Done {
        pull: plan.pull.clone(),
        run: None,
    };
    let client = &sides.customer;
    let slug = &plan.repository;
    for step in &plan.steps {
        match step {
            Step::Commit { .. } => {
                let sha = commit(client, slug, step).await?;
                if let Some(pull) = &mut done.pull {
                    pull.sha = sha;
                }
            }
            Step::Variable { name, value } => variable(client, slug, name, value).await?,
            Step::NoVariable { name } => client.remove_variable(slug, name).await?,
            Step::Environment { changes, .. } => {
                for change in changes {
                    sides.manager.carry_out(change).await?;
                }
            }
            Step::NoEnvironment { name } => {
                sides
                    .manager
                    .remove_environment(&plan.manager, name)
                    .await?;
            }
            Step::NoSealKey { environment } => {
                let client = &sides.manager;
                client
                    .remove_environment_secret(&plan.manager, environment, SEAL_KEY)
                    .await?;
            }
            Step::SealKey { environment } => seal_key(sides, plan, environment, seal).await?,
            Step::Role { environment, role } => {
                let change =
                    Change::new_environment_variable(&plan.manager, environment, ROLE, role);
                match sides.manager.carry_out(&change).await {
                    Err(GithubError::Conflict { .. }) => {
                        return Err(moved(&format!("variable {ROLE} of {environment} was set")));
                    }
                    other => other?,
                }
            }
            Step::Open { .. } => done.pull = Some(open(client, slug, step).await?),
            Step::Close { number } => client.close_pull(slug, *number).await?,
            Step::Start { branch } => done.run = start(sides, plan, branch, told).await?,
        }
        let (line, _) = step.words(plan);
        told(&format!("done: {line}"));
    }
    Ok(done)
}

/// Refuses a plan for which the tokens are not good enough, naming all that is missing.
async fn rights(sides: &Sides, plan: &Plan) -> Result<()> {
    let mut missing: Vec<(Right, &RepoSlug)> = Vec::new();
    let mut asked = Vec::new();
    for step in &plan.steps {
        let right = step.right();
        if asked.contains(&right) {
            continue;
        }
        asked.push(right);
        let (client, slug) = match right {
            Right::Runs | Right::Environments | Right::EnvironmentSettings => {
                (&sides.manager, &plan.manager)
            }
            _ => (&sides.customer, &plan.repository),
        };
        if !client.has(slug, right).await? {
            missing.push((right, slug));
        }
    }
    if missing.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = missing
        .iter()
        .map(|(right, slug)| format!("`{}` on `{slug}`", right.name()))
        .collect();
    Err(RegistryError::refused(
        format!("the token lacks {}; nothing was written", list.join(", ")),
        "TENANTRY_SETUP_TOKEN is for the customer's repository, GITHUB_TOKEN for the manager's; each stands in for the other. --pr opens the pull request and needs neither variables nor the manager's workflow",
    ))
}

/// Puts the key into an environment that was looked at, or made, before.
async fn seal_key(
    sides: &Sides,
    plan: &Plan,
    environment: &str,
    seal: Option<&SealIdentity>,
) -> Result<()> {
    let bad = |e: BadId| RegistryError::refused(e.to_string(), "look at it on GitHub");
    let place = SecretPlace::new(&format!("{}/{environment}", plan.manager)).map_err(bad)?;
    let name = SecretName::new(SEAL_KEY).map_err(bad)?;
    let key = seal.ok_or_else(|| moved("the key that opens plans was taken away"))?;
    let secret = Secret::new(key.expose());
    give(&sides.manager, &place, &name, &secret).await
}

/// Somebody was quicker than we, or did something else.
fn moved(what: &str) -> RegistryError {
    RegistryError::refused(
        format!("{what} in the meantime"),
        "run the same command again; what is done stays",
    )
}

async fn commit(client: &Client, slug: &RepoSlug, step: &Step) -> Result<Sha> {
    let Step::Commit {
        branch,
        new,
        parent,
        message,
        files,
    } = step
    else {
        return Err(moved("the plan changed"));
    };
    let targets: Vec<Target<'_>> = files
        .iter()
        .map(|(path, text)| (path.as_str(), text.as_deref()))
        .collect();
    let workflows = files
        .iter()
        .any(|(path, _)| path.starts_with(".github/workflows/"));
    // GitHub answers 403 or 404 where a workflow may not be written, at the tree or at the branch.
    let explained = |error: GithubError| match error {
        GithubError::Forbidden { .. } | GithubError::NotFound { .. } if workflows => {
            RegistryError::refused(
                format!(
                    "GitHub does not let this token write a workflow to `{slug}`; nothing that anybody sees was written"
                ),
                "give the token `Workflows: write` (a classic one the scope `workflow`)",
            )
        }
        other => other.into(),
    };
    let made = client
        .loose_commit(slug, parent, message, &targets)
        .await
        .map_err(explained)?;
    let put = match new {
        true => client.create_branch(slug, branch, &made).await,
        false => client.move_branch(slug, branch, &made).await,
    };
    match put {
        Ok(()) => Ok(made),
        Err(GithubError::Conflict { .. }) => match client.branch_head(slug, branch).await? {
            Some(head) if head == made => Ok(made),
            _ => Err(moved(&format!("branch `{branch}` of `{slug}` changed"))),
        },
        Err(e) => Err(explained(e)),
    }
}

async fn variable(client: &Client, slug: &RepoSlug, name: &str, value: &str) -> Result<()> {
    match client.create_variable(slug, name, value).await {
        Err(GithubError::Conflict { .. }) => {
            let there = client.variables(slug).await?;
            match there.get(name) {
                Some(now) if now == value => Ok(()),
                _ => Err(moved(&format!("variable {name} of `{slug}` was set"))),
            }
        }
        other => Ok(other?),
    }
}

async fn open(client: &Client, slug: &RepoSlug, step: &Step) -> Result<Pull> {
    let Step::Open {
        branch,
        base,
        title,
        text,
    } = step
    else {
        return Err(moved("the plan changed"));
    };
    let made = client
        .create_pull(slug, (branch, base), (title, text))
        .await;
    let pull = match made {
        Ok(pull) => pull,
        // It may be open although the answer was lost, or somebody else has opened it.
        Err(e @ (GithubError::Uncertain { .. } | GithubError::Conflict { .. })) => {
            let all = client.pulls_from(slug, branch).await?;
            let open = all.into_iter().find(|p| p.state == "open");
            open.ok_or(e)?
        }
        Err(e) => return Err(e.into()),
    };
    Ok(Pull {
        number: pull.number,
        sha: Sha::new(&pull.head.sha)
            .map_err(|e| RegistryError::refused(e.to_string(), "look at it on GitHub"))?,
    })
}

/// A run that may have been started is not started again: the sweep comes anyway.
async fn start(
    sides: &Sides,
    plan: &Plan,
    branch: &str,
    told: &(dyn Fn(&str) + Sync),
) -> Result<Option<u64>> {
    let inputs = json!({"customer": plan.customer});
    let client = &sides.manager;
    match client
        .start_workflow(&plan.manager, WORKFLOW, branch, &inputs)
        .await
    {
        Err(e @ GithubError::Uncertain { .. }) => {
            told(&format!(
                "{e}; if it was not, the manager's next sweep does the same"
            ));
            Ok(None)
        }
        other => Ok(other?),
    }
}
