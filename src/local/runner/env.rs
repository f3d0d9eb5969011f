//! The environment that a GitHub runner gives to a step.
use crate::local::ids::random_hex;
use crate::local::model::{OidcGrant, Run};
use crate::local::server::Inner;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A run's folder on disk: workspace, event file, temporary files.
#[derive(Debug, Clone)]
pub struct Place {
    /// Folder of the run.
    pub root: PathBuf,
    /// Checkout.
    pub workspace: PathBuf,
    /// `event.json`.
    pub event: PathBuf,
}

/// Writes checkout and event file of a run.
pub fn prepare(inner: &Inner, run: &Run) -> Result<Place, String> {
    let (git, root) = {
        let s = inner.state();
        (
            s.git(run.event.repo),
            s.dir.join("runs").join(run.id.to_string()),
        )
    };
    let place = Place {
        workspace: root.join("work"),
        event: root.join("event.json"),
        root,
    };
    let made = std::fs::create_dir_all(place.root.join("temp"));
    made.map_err(|e| e.to_string())?;
    let branch = if run.event.branch.is_empty() {
        "main"
    } else {
        &run.event.branch
    };
    git.materialise(&run.event.sha, &place.workspace, branch)
        .map_err(|e| e.to_string())?;
    std::fs::write(&place.event, run.event.payload.to_string()).map_err(|e| e.to_string())?;
    Ok(place)
}

/// Variables and secrets of the repository, and of one environment over them.
pub fn settings(
    inner: &Inner,
    run: &Run,
    environment: Option<&str>,
    secrets: bool,
) -> BTreeMap<String, String> {
    let s = inner.state();
    let mut out = BTreeMap::new();
    // A pull request from a fork gets no secrets.
    let Some(repo) = s
        .repos
        .get(&run.event.repo)
        .filter(|_| !(secrets && run.event.from_fork))
    else {
        return out;
    };
    let own = if secrets {
        &repo.secrets
    } else {
        &repo.variables
    };
    out.extend(own.iter().map(|(k, v)| (k.clone(), v.value.clone())));
    if let Some(e) = environment.and_then(|e| repo.environments.get(e)) {
        let of = if secrets { &e.secrets } else { &e.variables };
        out.extend(of.iter().map(|(k, v)| (k.clone(), v.value.clone())));
    }
    out
}

/// Everything a runner sets, but for the per-step files.
pub fn github(
    inner: &Inner,
    run: &Run,
    place: &Place,
    job: &str,
    environment: Option<&str>,
) -> BTreeMap<String, String> {
    let mut s = inner.state();
    let (url, api) = (s.url.clone(), s.api_root());
    let graphql = match s.enterprise {
        true => format!("{url}/api/graphql"),
        false => format!("{url}/graphql"),
    };
    let mut out = BTreeMap::new();
    let Some(repo) = s.repos.get(&run.event.repo).cloned() else {
        return out;
    };
    let full = s.full_name(&repo);
    let (head, base) = run.event.head_base.clone().unwrap_or_default();
    let short = match run.event.git_ref.strip_prefix("refs/pull/") {
        Some(rest) => rest,
        None => &run.event.branch,
    };
    let path = |p: &Path| p.to_string_lossy().into_owned();
    let pairs = [
        ("CI", "true".to_owned()),
        ("GITHUB_ACTIONS", "true".to_owned()),
        ("GITHUB_API_URL", api),
        ("GITHUB_SERVER_URL", url.clone()),
        ("GITHUB_GRAPHQL_URL", graphql),
        ("GITHUB_REPOSITORY", full.clone()),
        ("GITHUB_REPOSITORY_ID", repo.id.to_string()),
        ("GITHUB_REPOSITORY_OWNER", s.login(repo.owner).to_owned()),
        ("GITHUB_REPOSITORY_OWNER_ID", repo.owner.to_string()),
        ("GITHUB_ACTOR", s.login(run.event.actor).to_owned()),
        ("GITHUB_ACTOR_ID", run.event.actor.to_string()),
        (
            "GITHUB_TRIGGERING_ACTOR",
            s.login(run.event.actor).to_owned(),
        ),
        ("GITHUB_EVENT_NAME", run.event.name.clone()),
        ("GITHUB_EVENT_PATH", path(&place.event)),
        ("GITHUB_SHA", run.event.sha.clone()),
        ("GITHUB_REF", run.event.git_ref.clone()),
        ("GITHUB_REF_NAME", short.to_owned()),
        ("GITHUB_REF_TYPE", "branch".to_owned()),
        ("GITHUB_REF_PROTECTED", "false".to_owned()),
        ("GITHUB_HEAD_REF", head),
        ("GITHUB_BASE_REF", base),
        ("GITHUB_RUN_ID", run.id.to_string()),
        ("GITHUB_RUN_NUMBER", run.number.to_string()),
        ("GITHUB_RUN_ATTEMPT", run.attempt.to_string()),
        ("GITHUB_RETENTION_DAYS", "90".to_owned()),
        ("GITHUB_WORKFLOW", run.name.clone()),
        (
            "GITHUB_WORKFLOW_REF",
            format!("{full}/{}@{}", run.path, run.event.git_ref),
        ),
        ("GITHUB_WORKFLOW_SHA", run.event.sha.clone()),
        ("GITHUB_JOB", job.to_owned()),
        ("GITHUB_WORKSPACE", path(&place.workspace)),
        ("RUNNER_OS", "Linux".to_owned()),
        ("RUNNER_ARCH", "X64".to_owned()),
        ("RUNNER_NAME", "local".to_owned()),
        ("RUNNER_ENVIRONMENT", "github-hosted".to_owned()),
        ("RUNNER_TEMP", path(&place.root.join("temp"))),
        ("RUNNER_TOOL_CACHE", path(&place.root.join("temp"))),
        ("HOME", path(&place.root)),
        ("PATH", inner.runner.path.clone()),
    ];
    out.extend(pairs.map(|(k, v)| (k.to_owned(), v)));
    if run.id_token {
        let token = format!("oidc_{}", random_hex(20));
        let grant = OidcGrant {
            run: run.id,
            environment: environment.map(str::to_owned),
        };
        s.oidc_grants.insert(token.clone(), grant);
        // The trailing parameter is there on GitHub too: clients append `&audience=`.
        out.insert(
            "ACTIONS_ID_TOKEN_REQUEST_URL".to_owned(),
            format!("{url}/_oidc/token?api-version=2.0"),
        );
        out.insert("ACTIONS_ID_TOKEN_REQUEST_TOKEN".to_owned(), token);
    }
    out.extend(inner.runner.extra_env.iter().cloned());
    out
}
