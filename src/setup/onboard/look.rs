//! What is to be done, found out by reading alone. Everything that would have to be refused later
//! is refused here.

use super::files::{Templates, Wanted, wanted};
use super::ground::{allowed, head, ready, registered, repository, scopes, usable};
use super::{BRANCH, Plan, Pull, Sides, Step, WORKFLOW, environments};
use crate::estate::model::Customer;
use crate::estate::resolve::Rules;
use crate::estate::settings::HintMode;
use crate::estate::{Estate, RepoSlug, Sha};
use crate::github::api::FileAt;
use crate::github::{Client, GithubError};
use crate::registry::RegistryError;
use crate::registry::scaffold::Actions;
use crate::setup::instructions::{self, Known, Purpose, WORKFLOW as TRIGGER, contracts};
use crate::store::seal::SealIdentity;

type Result<T> = std::result::Result<T, RegistryError>;

/// Whom to bring in, and how.
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
    /// Which of our actions their workflow uses.
    pub actions: &'a Actions,
    /// The provider's own templates.
    pub templates: &'a Templates,
    /// The key that opens plans, for environments that are the customer's own.
    pub seal: Option<&'a SealIdentity>,
    /// Only the pull request: no variables, and nothing is started.
    pub only_pull: bool,
    /// Only the environments that are the customer's own; their repository is not touched.
    pub only_environments: bool,
}

/// The variables that a customer's workflow needs.
pub(crate) fn variables(manager: &RepoSlug) -> [(&'static str, &str); 2] {
    [
        ("MANAGER_REPO_OWNER", manager.owner()),
        ("MANAGER_REPO_NAME", manager.name()),
    ]
}

/// What is to be done.
pub async fn look(sides: &Sides, ask: Ask<'_>) -> Result<Plan> {
    if ask.only_environments {
        registered(&sides.manager, ask).await?;
        return places(sides, ask).await;
    }
    ready(ask.customer)?;
    let estate_head = registered(&sides.manager, ask).await?;
    let (slug, ground, mut notes) = repository(&sides.customer, ask.customer).await?;
    scopes(&ground, &slug)?;
    allowed(&sides.customer, &slug, &mut notes).await?;
    let branch = usable(&ground.default_branch, &slug)?;
    let client = &sides.customer;
    let head = head(client, &slug, branch).await?;
    let own = (ask.manager, ask.actions, ask.templates);
    let all = wanted(ask.estate, ask.rules, ask.customer, own, branch)?;
    let mut plan = Plan {
        customer: ask.customer.id.clone(),
        repository: slug.clone(),
        manager: ask.manager.clone(),
        steps: Vec::new(),
        keeps: Vec::new(),
        notes,
        pull: None,
    };
    let missing = missing(client, &slug, &head, &all, &mut plan).await?;
    let adopted = !contracts(ask.customer)
        .iter()
        .all(|(path, _)| missing.iter().any(|(m, _)| m == path));
    let proposal = proposal(client, &slug, ground.id).await?;
    plan.pull = proposal.open.clone();
    let opens = branch_steps(client, ask, (&head, branch), missing, &proposal, &mut plan).await?;
    if !ask.only_pull {
        set_variables(client, ask, &mut plan).await?;
    }
    if !ask.only_pull {
        environments::look(&sides.manager, ask, &mut plan).await?;
    }
    if opens {
        plan.steps.push(pull_step(ask, branch)?);
    }
    if !ask.only_pull {
        start(sides, ask, (&estate_head, adopted), opens, &mut plan).await?;
    }
    for finding in &all.findings {
        plan.notes.push(format!(
            "the example does not pass yet, so the first plan will say what to correct: {finding}"
        ));
    }
    Ok(plan)
}

/// What is to be done in the manager repository alone.
async fn places(sides: &Sides, ask: Ask<'_>) -> Result<Plan> {
    if !ask.estate.settings.own_environments {
        return Err(RegistryError::refused(
            "all customers share the same environments",
            "set `customers.own_environments: true` in tenantry.yml; docs/onboarding.md says what that takes",
        ));
    }
    let mut plan = Plan {
        customer: ask.customer.id.clone(),
        repository: ask
            .customer
            .repository
            .clone()
            .unwrap_or_else(|| ask.manager.clone()),
        manager: ask.manager.clone(),
        steps: Vec::new(),
        keeps: Vec::new(),
        notes: Vec::new(),
        pull: None,
    };
    environments::look(&sides.manager, ask, &mut plan).await?;
    Ok(plan)
}

/// The files that the default branch does not have. What is there stays, whatever stands in it.
async fn missing(
    client: &Client,
    slug: &RepoSlug,
    head: &Sha,
    all: &Wanted,
    plan: &mut Plan,
) -> Result<Vec<(String, String)>> {
    let mut out = Vec::new();
    for (path, text) in &all.files {
        match client.file_at(slug, head, path).await? {
            FileAt::Absent => out.push((path.clone(), text.clone())),
            FileAt::Regular { bytes, .. } if bytes == text.as_bytes() => {
                plan.keeps
                    .push(format!("{path}: it is there, as it would be written"));
            }
            FileAt::Regular { .. } => plan.keeps.push(format!(
                "{path}: it is there already and is left as it is{}",
                if path == TRIGGER {
                    "; compare it with what `tenantry customer instructions` shows"
                } else {
                    ""
                }
            )),
            FileAt::TooLarge(_) | FileAt::NotRegular(_) => plan.keeps.push(format!(
                "{path}: something that is no file of a usual size stands there; the customer has to replace it"
            )),
        }
    }
    Ok(out)
}

/// Where an earlier run got to.
struct Proposal {
    /// The head of the branch.
    head: Option<Sha>,
    /// The pull request that is open.
    open: Option<Pull>,
    /// The last one, if it was closed without being merged.
    declined: Option<u64>,
}

async fn proposal(client: &Client, slug: &RepoSlug, id: u64) -> Result<Proposal> {
    let head = client.branch_head(slug, BRANCH).await?;
    let mut own: Vec<_> = client.pulls_from(slug, BRANCH).await?;
    own.retain(|p| p.head.repo.as_ref().is_some_and(|r| r.id == id) && p.head.branch == BRANCH);
    own.sort_by_key(|p| std::cmp::Reverse(p.number));
    let open = own.iter().find(|p| p.state == "open");
    let open = open
        .map(|p| -> Result<Pull> {
            Ok(Pull {
                number: p.number,
                sha: Sha::new(&p.head.sha).map_err(|e| {
                    RegistryError::refused(e.to_string(), "look at the pull request on GitHub")
                })?,
            })
        })
        .transpose()?;
    let declined = own
        .first()
        .filter(|p| p.state != "open" && p.merged_at.is_none() && head.is_some())
        .map(|p| p.number);
    Ok(Proposal {
        head,
        declined: declined.filter(|_| open.is_none()),
        open,
    })
}

/// The commit that is missing, if one is. Says whether a pull request has to be opened.
async fn branch_steps(
    client: &Client,
    ask: Ask<'_>,
    (head, branch): (&Sha, &str),
    missing: Vec<(String, String)>,
    proposal: &Proposal,
    plan: &mut Plan,
) -> Result<bool> {
    if missing.is_empty() {
        return Ok(false);
    }
    let slug = plan.repository.clone();
    if let Some(number) = proposal.declined {
        return Err(RegistryError::refused(
            format!("the pull request {slug}#{number} was closed without being merged"),
            format!(
                "ask the customer; then reopen it, or delete the branch `{BRANCH}` and run this again"
            ),
        ));
    }
    let mut files = Vec::new();
    for (path, text) in missing {
        let there = match &proposal.head {
            None => FileAt::Absent,
            Some(head) => client.file_at(&slug, head, &path).await?,
        };
        match there {
            FileAt::Absent => files.push((path, Some(text))),
            _ => plan
                .keeps
                .push(format!("{path}: it is on branch {BRANCH} already")),
        }
    }
    if !files.is_empty() {
        plan.steps.push(Step::Commit {
            branch: BRANCH.to_owned(),
            new: proposal.head.is_none(),
            parent: proposal.head.clone().unwrap_or_else(|| head.clone()),
            message: format!("Ask {} for infrastructure", ask.manager.owner()),
            files,
        });
    }
    if let Some(open) = &proposal.open {
        plan.keeps.push(format!(
            "pull request {slug}#{}: it is open, into {branch}",
            open.number
        ));
    }
    Ok(proposal.open.is_none())
}

async fn set_variables(client: &Client, ask: Ask<'_>, plan: &mut Plan) -> Result<()> {
    let slug = plan.repository.clone();
    let there = client
        .variables(&slug)
        .await
        .map_err(|e| unreadable(e, &slug))?;
    for (name, value) in variables(ask.manager) {
        match there.get(name) {
            None => plan.steps.push(Step::Variable {
                name: name.to_owned(),
                value: value.to_owned(),
            }),
            Some(now) if now.eq_ignore_ascii_case(value) => {
                plan.keeps.push(format!("variable {name}: it is set"));
            }
            Some(now) => {
                return Err(RegistryError::refused(
                    format!(
                        "the variable {name} of `{slug}` is `{}`, not `{value}`: their workflow asks another provider",
                        crate::estate::ids::shown(now)
                    ),
                    "ask the customer; if they have changed over to you, let them remove it, and run this again",
                ));
            }
        }
    }
    Ok(())
}

/// Variables that cannot be read cannot be set either.
pub(crate) fn unreadable(error: GithubError, slug: &RepoSlug) -> RegistryError {
    match error {
        GithubError::NotFound { .. } | GithubError::Forbidden { .. } => RegistryError::refused(
            format!("the variables of `{slug}` cannot be read: the token lacks `Variables: write`"),
            "use a token that has it, or only open the pull request with --pr and let the customer set them",
        ),
        other => other.into(),
    }
}

fn pull_step(ask: Ask<'_>, branch: &str) -> Result<Step> {
    let known = Known {
        manager: ask.manager,
        actions: None,
        applied: None,
        secret: None,
        template: ask.templates.pull_request.as_deref(),
    };
    let purpose = Purpose::PullRequest;
    let text = instructions::write(ask.estate, ask.rules, ask.customer, purpose, &known)?;
    Ok(Step::Open {
        branch: BRANCH.to_owned(),
        base: branch.to_owned(),
        title: text.title.clone(),
        text: text.below().to_owned(),
    })
}

/// The manager is started, unless the customer's own workflow asks it, or it has answered.
async fn start(
    sides: &Sides,
    ask: Ask<'_>,
    ((branch, head), adopted): (&(String, Sha), bool),
    opens: bool,
    plan: &mut Plan,
) -> Result<()> {
    if !opens && plan.pull.is_none() {
        return Ok(());
    }
    if adopted {
        plan.notes.push(
            "what the customer asks for stands on their default branch already, so the manager plans and applies it with its next sweep; it is not started from here".to_owned(),
        );
        return Ok(());
    }
    let context = &ask.estate.settings.commit_status_context;
    if let Some(pull) = &plan.pull
        && !plan.steps.iter().any(|s| matches!(s, Step::Commit { .. }))
    {
        let told = sides
            .customer
            .statuses(&plan.repository, &pull.sha)
            .await?
            .into_iter()
            .find(|s| s.context == *context);
        if told.is_some_and(|s| s.state != "pending") {
            return Ok(());
        }
    }
    if opens && ask.estate.settings.hints == HintMode::Direct {
        let secret = "MANAGER_REPO_PAT";
        if sides.customer.sees_secret(&plan.repository, secret).await? {
            plan.notes.push(format!(
                "the workflow of the pull request asks {} by itself",
                plan.manager
            ));
            return Ok(());
        }
        plan.notes.push(format!(
            "the secret {secret} of {} is not there, or cannot be seen; without it, the customer's workflow asks nobody, and changes are found by the manager's sweep",
            plan.repository
        ));
    }
    let path = format!(".github/workflows/{WORKFLOW}");
    match sides.manager.file_at(ask.manager, head, &path).await? {
        FileAt::Regular { .. } => plan.steps.push(Step::Start {
            branch: branch.clone(),
        }),
        _ => plan.notes.push(format!(
            "{} has no {path}, so nothing is started; the manager's next sweep plans the pull request",
            ask.manager
        )),
    }
    Ok(())
}
