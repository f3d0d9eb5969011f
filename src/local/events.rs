//! What happens in a repository, turned into events, and events into workflow runs.
use super::diff;
use super::http::Reply;
use super::model::{Event, Grant, Job, Run};
use super::rest::{broken, pulls};
use super::state::{ACTIONS_BOT, State};
use super::views;
use super::workflow;
use serde_json::{Value, json};

const ZERO: &str = "0000000000000000000000000000000000000000";

fn base(s: &State, id: u64, actor: u64) -> Result<Value, Reply> {
    let repo = s.repo(id)?;
    Ok(json!({"repository": views::repo(s, repo, None), "sender": views::user(s, actor)}))
}

/// A ref moved: pull requests from it are refreshed, and a push happens unless `quiet`.
pub fn pushed(
    s: &mut State,
    id: u64,
    full: &str,
    before: Option<&str>,
    after: Option<&str>,
    user: u64,
    quiet: bool,
) -> Result<(), Reply> {
    let now = s.now();
    s.repo_mut(id)?.pushed = now;
    let branch = full.strip_prefix("refs/heads/").map(str::to_owned);
    if let (Some(branch), Some(after)) = (&branch, after) {
        let mut heads = Vec::new();
        for r in s.repos.values() {
            for p in r.pulls.values().filter(|p| p.open) {
                let head = p.head_repo == Some(id) && p.head_ref == *branch && p.head_sha != after;
                if head || (r.id == id && p.base_ref == *branch) {
                    heads.push((r.id, p.number, head));
                }
            }
        }
        for (repo, number, head) in heads {
            pulls::refresh(s, repo, number)?;
            if head && !quiet {
                pull_request(s, repo, number, "synchronize", user)?;
            }
        }
    }
    let Some(after) = after.filter(|_| !quiet) else {
        return Ok(());
    };
    let git = s.git(id);
    let from = before.unwrap_or(diff::EMPTY_TREE);
    let changes = diff::changes(&git, from, after).map_err(broken)?;
    let commit = git.commit(after).map_err(broken)?;
    let repo = s.repo(id)?;
    let url = format!("{}/commit/{after}", views::html_url(s, repo));
    let of = |status: &[&str]| {
        changes
            .iter()
            .filter(|c| status.contains(&c.status))
            .map(|c| c.filename.clone())
            .collect::<Vec<_>>()
    };
    let head = json!({
        "id": after, "tree_id": commit.tree, "distinct": true, "message": commit.message, "url": url,
        "timestamp": super::clock::iso(commit.committer.date),
        "author": {"name": commit.author.name, "email": commit.author.email},
        "committer": {"name": commit.committer.name, "email": commit.committer.email},
        "added": of(&["added", "renamed"]), "removed": of(&["removed"]), "modified": of(&["modified", "changed"]),
    });
    let mut payload = base(s, id, user)?;
    let before = before.unwrap_or(ZERO);
    views::merge(
        &mut payload,
        json!({
            "ref": full, "before": before, "after": after, "created": before == ZERO, "deleted": false, "forced": false,
            "base_ref": null, "compare": format!("{}/compare/{before}...{after}", views::html_url(s, repo)),
            "commits": [head], "head_commit": head, "pusher": {"name": s.login(user), "email": ""},
        }),
    );
    let branch = full
        .trim_start_matches("refs/heads/")
        .trim_start_matches("refs/tags/")
        .to_owned();
    s.events.push(Event {
        name: "push".to_owned(),
        action: None,
        repo: id,
        actor: user,
        sha: after.to_owned(),
        head_sha: after.to_owned(),
        git_ref: full.to_owned(),
        branch,
        head_base: None,
        paths: changes.into_iter().map(|c| c.filename).collect(),
        payload,
        only: None,
        from_fork: false,
    });
    Ok(())
}

/// Something happened to a pull request. One with conflicts starts nothing, as on GitHub.
pub fn pull_request(
    s: &mut State,
    id: u64,
    number: u64,
    action: &str,
    user: u64,
) -> Result<(), Reply> {
    let repo = s.repo(id)?;
    let p = repo
        .pulls
        .get(&number)
        .cloned()
        .ok_or_else(Reply::not_found)?;
    let Some(merge) = p.merge_commit.clone() else {
        return Ok(());
    };
    let git = s.git(id);
    let from = git
        .merge_base(&p.base_sha, &p.head_sha)
        .unwrap_or_else(|| p.base_sha.clone());
    let changes = diff::changes(&git, &from, &p.head_sha).map_err(broken)?;
    let mut payload = base(s, id, user)?;
    views::merge(
        &mut payload,
        json!({"action": action, "number": number, "pull_request": pulls::show_full(s, repo, &p)?}),
    );
    s.events.push(Event {
        name: "pull_request".to_owned(),
        action: Some(action.to_owned()),
        repo: id,
        actor: user,
        sha: merge,
        head_sha: p.head_sha.clone(),
        git_ref: format!("refs/pull/{number}/merge"),
        branch: p.base_ref.clone(),
        head_base: Some((p.head_ref.clone(), p.base_ref.clone())),
        paths: changes.into_iter().map(|c| c.filename).collect(),
        payload,
        only: None,
        from_fork: p.head_repo != Some(id),
    });
    Ok(())
}

fn on_branch(
    s: &mut State,
    id: u64,
    name: &str,
    branch: &str,
    sha: &str,
    user: u64,
    payload: Value,
) -> Event {
    let _ = s;
    Event {
        name: name.to_owned(),
        action: None,
        repo: id,
        actor: user,
        sha: sha.to_owned(),
        head_sha: sha.to_owned(),
        git_ref: format!("refs/heads/{branch}"),
        branch: branch.to_owned(),
        head_base: None,
        paths: Vec::new(),
        payload,
        only: None,
        from_fork: false,
    }
}

/// A `repository_dispatch`: always the default branch.
pub fn dispatch(
    s: &mut State,
    id: u64,
    kind: &str,
    client: &Value,
    user: u64,
) -> Result<(), Reply> {
    let branch = s.repo(id)?.default_branch.clone();
    let Some(sha) = s.git(id).ref_sha(&format!("refs/heads/{branch}")) else {
        return Ok(());
    };
    let mut payload = base(s, id, user)?;
    views::merge(
        &mut payload,
        json!({"action": kind, "branch": branch, "client_payload": client}),
    );
    let mut event = on_branch(s, id, "repository_dispatch", &branch, &sha, user, payload);
    event.action = Some(kind.to_owned());
    s.events.push(event);
    Ok(())
}

/// A `workflow_dispatch` or a tick of a `schedule`, of one workflow file that asks for it.
#[allow(clippy::too_many_arguments)] // one call each, named by the routes
pub fn manual(
    s: &mut State,
    id: u64,
    name: &str,
    path: &str,
    branch: &str,
    sha: &str,
    inputs: Value,
    user: u64,
) -> Result<(), Reply> {
    let git = s.git(id);
    let entry = git.entry(sha, path).ok_or_else(Reply::not_found)?;
    let text = git.blob(&entry.sha).map_err(broken)?;
    let Some(flow) = workflow::parse(&String::from_utf8_lossy(&text)) else {
        return Ok(());
    };
    let Some(on) = workflow::trigger(&flow, name) else {
        return Ok(());
    };
    let mut payload = base(s, id, user)?;
    let extra = if name == "schedule" {
        json!({"schedule": on[0]["cron"], "workflow": path})
    } else {
        json!({"inputs": inputs, "ref": format!("refs/heads/{branch}"), "workflow": path})
    };
    views::merge(&mut payload, extra);
    let mut event = on_branch(s, id, name, branch, sha, user, payload);
    event.only = Some(path.to_owned());
    s.events.push(event);
    Ok(())
}

/// All workflows of a repository whose `schedule` would fire now, or the one at `only`.
pub fn tick(s: &mut State, id: u64, only: Option<&str>) -> Result<(), Reply> {
    let branch = s.repo(id)?.default_branch.clone();
    let git = s.git(id);
    let Some(sha) = git.ref_sha(&format!("refs/heads/{branch}")) else {
        return Ok(());
    };
    let user = s.repo(id)?.owner;
    let paths = workflow_files(s, id, &sha);
    for path in paths.into_iter().filter(|p| only.is_none_or(|o| o == p)) {
        manual(s, id, "schedule", &path, &branch, &sha, json!({}), user)?;
    }
    Ok(())
}

/// Paths of the workflow files at a commit.
pub fn workflow_files(s: &State, id: u64, sha: &str) -> Vec<String> {
    let git = s.git(id);
    let Some(dir) = git
        .entry(sha, ".github/workflows")
        .filter(|e| e.kind == "tree")
    else {
        return Vec::new();
    };
    let entries = git.tree(&dir.sha, false).unwrap_or_default();
    let yaml = |p: &str| p.ends_with(".yml") || p.ends_with(".yaml");
    entries
        .into_iter()
        .filter(|e| e.kind == "blob" && yaml(&e.path))
        .map(|e| format!(".github/workflows/{}", e.path))
        .collect()
}

/// Turns the collected events into runs and returns their ids.
pub fn start_runs(s: &mut State) -> Vec<u64> {
    let mut started = Vec::new();
    for event in std::mem::take(&mut s.events) {
        let git = s.git(event.repo);
        for path in workflow_files(s, event.repo, &event.sha) {
            if event.only.as_ref().is_some_and(|only| *only != path) {
                continue;
            }
            let repo = s.repos.get(&event.repo);
            if repo.is_none_or(|r| {
                r.closed.actions["enabled"] == false || r.closed.disabled.contains_key(&path)
            }) {
                continue;
            }
            let text = git
                .entry(&event.sha, &path)
                .and_then(|e| git.blob(&e.sha).ok())
                .unwrap_or_default();
            match workflow::parse(&String::from_utf8_lossy(&text)) {
                Some(flow) if workflow::starts(&flow, &event) => {
                    started.extend(start(s, &event, path, flow))
                }
                Some(_) => {}
                None => tracing::warn!(path, "workflow file is not valid YAML"),
            }
        }
    }
    started
}

/// The id of a workflow file, made on first use.
pub fn workflow_id(s: &mut State, repo: u64, path: &str) -> u64 {
    let known = s
        .repos
        .get(&repo)
        .and_then(|r| r.workflows.get(path))
        .map(|w| w.0);
    known.unwrap_or_else(|| {
        // From a number space of its own, so that looking at a list gives out no other ids.
        let used: usize = s.repos.values().map(|r| r.workflows.len()).sum();
        let id = 90_000_001 + used as u64;
        if let Some(r) = s.repos.get_mut(&repo) {
            r.workflows.insert(path.to_owned(), (id, 0));
        }
        id
    })
}

fn start(s: &mut State, event: &Event, path: String, flow: Value) -> Option<u64> {
    let id = s.id();
    let workflow_id = workflow_id(s, event.repo, &path);
    let permissions = workflow::permissions(&flow, event.from_fork);
    let id_token = permissions
        .get("id_token")
        .is_some_and(|l| *l >= super::model::Level::Write);
    let token = s.add_token(
        None,
        ACTIONS_BOT,
        Grant::Run {
            run: id,
            repo: event.repo,
            permissions,
        },
    );
    let now = s.now();
    let mut jobs = Vec::new();
    for (key, job) in flow.get("jobs")?.as_object()? {
        let name = job
            .get("name")
            .and_then(Value::as_str)
            .filter(|n| !n.contains("${{"))
            .unwrap_or(key)
            .to_owned();
        let environment = workflow::environment(job).filter(|e| !e.contains("${{"));
        let environment = environment.map(str::to_owned);
        jobs.push(Job {
            id: s.id(),
            name,
            key: key.clone(),
            status: "queued",
            conclusion: None,
            environment,
            started: now,
            completed: None,
        });
    }
    let counter = s.repos.get_mut(&event.repo)?.workflows.get_mut(&path)?;
    counter.1 += 1;
    let run = Run {
        id,
        number: counter.1,
        attempt: 1,
        workflow_id,
        name: flow
            .get("name")
            .and_then(Value::as_str)
            .unwrap_or(&path)
            .to_owned(),
        path,
        event: event.clone(),
        status: "queued",
        conclusion: None,
        jobs,
        pending: Vec::new(),
        approvals: Vec::new(),
        created: now,
        updated: now,
        token,
        id_token,
        workflow: flow,
        log: String::new(),
        settled: 0,
        failed_only: false,
        outputs: std::collections::BTreeMap::new(),
        cancel: false,
    };
    s.runs.insert(id, run);
    Some(id)
}
