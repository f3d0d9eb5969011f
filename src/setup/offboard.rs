//! Leading a customer out: their workflow goes by a pull request, and what asks in their name with
//! it. Nothing that was made for them is destroyed, and no file of theirs is touched.

use super::instructions::{self, Known, Purpose, WORKFLOW};
use super::onboard::{self, Plan, Sides, Step};
use crate::estate::credential::PULL;
use crate::estate::ids::shown;
use crate::estate::jobs::Job;
use crate::estate::model::{Customer, Status};
use crate::estate::resolve::Rules;
use crate::estate::settings::HintMode;
use crate::estate::{Estate, RepoSlug, Sha};
use crate::github::Client;
use crate::github::api::FileAt;
use crate::github::model::PullRequest;
use crate::registry::RegistryError;
use crate::setup::doctor::environment::{ROLE, SEAL_KEY};

type Result<T> = std::result::Result<T, RegistryError>;

/// The branch that the pull request comes from.
pub const BRANCH: &str = "tenantry/offboarding";

/// Whom to lead out.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    /// The manager repository as it stands here.
    pub estate: &'a Estate,
    /// Its schemas and policies.
    pub rules: &'a Rules,
    /// Whom.
    pub customer: &'a Customer,
    /// The manager repository on GitHub.
    pub manager: &'a RepoSlug,
    /// The provider's own text of the pull request.
    pub template: Option<&'a str>,
    /// Whether something of theirs stands or is open; none where the store was not asked.
    pub stands: Option<bool>,
}

/// What is to be done in the manager's repository, and in theirs. One that cannot be looked at any
/// more, as when they have removed it, does not keep the key where it is.
pub async fn look(sides: &Sides, ask: Ask<'_>) -> Result<Plan> {
    let slug = ask.customer.repository.as_ref();
    let mut plan = Plan {
        customer: ask.customer.id.clone(),
        repository: slug.unwrap_or(ask.manager).clone(),
        manager: ask.manager.clone(),
        steps: Vec::new(),
        keeps: Vec::new(),
        notes: Vec::new(),
        pull: None,
    };
    environments(&sides.manager, ask, &mut plan).await?;
    let own = !plan.is_empty() || !plan.keeps.is_empty();
    let mut both = plan.clone();
    match theirs(&sides.customer, ask, &mut both).await {
        Ok(()) => Ok(both),
        // What could not be found out, such as during an outage, is no answer.
        Err(RegistryError::Refused { message, next }) if own => {
            plan.notes.push(format!(
                "nothing is done in their repository: {message} ({next})"
            ));
            Ok(plan)
        }
        Err(error) => Err(error),
    }
}

/// What is to be done in their repository.
async fn theirs(client: &Client, ask: Ask<'_>, plan: &mut Plan) -> Result<()> {
    let (slug, ground, notes) = onboard::repository(client, ask.customer).await?;
    onboard::scopes(&ground, &slug)?;
    let branch = &ground.default_branch;
    let head = onboard::head(client, &slug, branch).await?;
    plan.repository = slug.clone();
    plan.notes.extend(notes);
    let own = |p: &PullRequest| p.head.repo.as_ref().is_some_and(|r| r.id == ground.id);
    for pull in client.pulls_from(&slug, onboard::BRANCH).await? {
        if own(&pull) && pull.state == "open" {
            plan.steps.push(Step::Close {
                number: pull.number,
            });
        }
    }
    let there = !matches!(
        client.file_at(&slug, &head, WORKFLOW).await?,
        FileAt::Absent
    );
    if there {
        leave(client, ask, (&head, branch), ground.id, plan).await?;
        plan.notes.push(
            "the variables stay until the workflow is gone, because it would fail without them; run this again after the merge".to_owned(),
        );
    } else {
        let all = client
            .variables(&slug)
            .await
            .map_err(|e| onboard::unreadable(e, &slug))?;
        for (name, value) in onboard::variables(ask.manager) {
            match all.get(name) {
                None => {}
                Some(now) if now.eq_ignore_ascii_case(value) => {
                    plan.steps.push(Step::NoVariable {
                        name: name.to_owned(),
                    });
                }
                Some(now) => plan.keeps.push(format!(
                    "variable {name}: it is `{}`, which is not of this provider",
                    crate::estate::ids::shown(now)
                )),
            }
        }
    }
    Ok(())
}

/// The environments that are theirs alone. The key that opens plans goes at once; an environment
/// itself only when nothing can take its name any more: nobody is served, no role trusts it, and
/// nothing stands. Until then its protection holds back whoever names it.
async fn environments(client: &Client, ask: Ask<'_>, plan: &mut Plan) -> Result<()> {
    let mut names = Vec::new();
    for environment in ask.estate.environments() {
        for job in Job::ALL {
            let name = job.own(&ask.customer.id, &environment);
            let role = ask.customer.about.roles.contains_key(&environment);
            names.push((name, role));
        }
    }
    let all = match client.environments(ask.manager).await {
        Ok(all) => all,
        // They may have been theirs alone before the setting was changed.
        Err(e) if !ask.estate.settings.own_environments => {
            plan.notes.push(format!(
                "whether environments of `{}` are theirs alone cannot be read: {e}",
                ask.manager
            ));
            return Ok(());
        }
        Err(e) => return Err(e.into()),
    };
    let over = ask.customer.status == Status::Suspended;
    for (name, role) in names {
        if !all.iter().any(|e| e.name == name) {
            continue;
        }
        let secrets = client.secret_names(ask.manager, Some(&name)).await?;
        if secrets.contains(SEAL_KEY) {
            plan.steps.push(Step::NoSealKey {
                environment: name.clone(),
            });
        }
        let variables = client.environment_variables(ask.manager, &name).await?;
        let others: Vec<String> = secrets
            .iter()
            .filter(|s| *s != SEAL_KEY)
            .chain(variables.keys().filter(|v| *v != ROLE))
            .map(|name| shown(name))
            .collect();
        let why = match (ask.stands, variables.get(ROLE)) {
            _ if !over => "run this again when the suspension is pushed".to_owned(),
            _ if role => "the registry names a role that trusts it".to_owned(),
            (None, _) => "the store was not asked what stands".to_owned(),
            (Some(true), _) => {
                "what they have still stands, or a request of theirs is open".to_owned()
            }
            (_, Some(arn)) => format!(
                "its {ROLE} names {}; once that role is gone, `gh variable delete {ROLE} --repo {} --env {name}`",
                shown(arn),
                ask.manager
            ),
            (Some(false), None) if others.is_empty() => {
                plan.steps.push(Step::NoEnvironment { name });
                continue;
            }
            (Some(false), None) => format!("it holds {}", others.join(", ")),
        };
        plan.keeps.push(format!("environment {name}: {why}"));
    }
    Ok(())
}

/// The pull request that takes the workflow away, as far as it is missing.
async fn leave(
    client: &Client,
    ask: Ask<'_>,
    (head, branch): (&Sha, &str),
    id: u64,
    plan: &mut Plan,
) -> Result<()> {
    let slug = plan.repository.clone();
    let before = client.branch_head(&slug, BRANCH).await?;
    let open = client.pulls_from(&slug, BRANCH).await?;
    let open = open
        .into_iter()
        .find(|p| p.state == "open" && p.head.repo.as_ref().is_some_and(|r| r.id == id));
    let done = match &before {
        None => false,
        Some(head) => client.file_at(&slug, head, WORKFLOW).await? == FileAt::Absent,
    };
    if !done {
        plan.steps.push(Step::Commit {
            branch: BRANCH.to_owned(),
            new: before.is_none(),
            parent: before.unwrap_or_else(|| head.clone()),
            message: format!("Stop asking {} for infrastructure", ask.manager.owner()),
            files: vec![(WORKFLOW.to_owned(), None)],
        });
    }
    if let Some(open) = open {
        plan.keeps
            .push(format!("pull request {slug}#{}: it is open", open.number));
        return Ok(());
    }
    let known = Known {
        manager: ask.manager,
        actions: None,
        applied: None,
        secret: None,
        template: ask.template,
    };
    let purpose = Purpose::Farewell;
    let text = instructions::write(ask.estate, ask.rules, ask.customer, purpose, &known)?;
    plan.steps.push(Step::Open {
        branch: BRANCH.to_owned(),
        base: branch.to_owned(),
        title: text.title.clone(),
        text: text.below().to_owned(),
    });
    Ok(())
}

/// What a person has to revoke, because nothing here can.
pub fn to_revoke(estate: &Estate, customer: &Customer) -> Vec<String> {
    let id = &customer.id;
    let mut out: Vec<String> = customer
        .credentials
        .iter()
        .filter(|c| c.is_open())
        .map(|c| {
            format!(
                "{} ({}): tenantry customer credential revoke {id} {}",
                c.id, c.purpose, c.id
            )
        })
        .collect();
    let recorded = |what: &str| {
        customer
            .credentials
            .iter()
            .any(|c| c.purpose.as_str() == what)
    };
    if estate.settings.hints == HintMode::Direct && !recorded("dispatch") {
        out.push(
            "the token behind their secret MANAGER_REPO_PAT, which the registry does not know"
                .to_owned(),
        );
    }
    if let Some(registry) = &estate.settings.instructions.registry
        && !recorded(PULL)
    {
        out.push(format!(
            "the token with which they pull from {registry}, which the registry of customers does not know"
        ));
    }
    for (environment, role) in &customer.about.roles {
        out.push(format!("the cloud role of {environment}: {role}"));
    }
    if let Some(repository) = &customer.repository {
        out.push(format!(
            "the access of your GitHub App or account to {repository}, once the pull request is merged"
        ));
    }
    out
}
