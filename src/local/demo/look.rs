//! What people find on the local GitHub, as values.

use super::{
    ApprovalSeen, CommitSeen, DemoError, JobSeen, PullSeen, RunSeen, Scene, StatusAt, Story,
};
use crate::local::model::{Job, Run};
use crate::local::stage::{GITOPS, MANAGER, Stage, StageError, Tenant};
use base64::Engine as _;
use serde_json::Value;

pub(super) const FILE: &str = "infra/variables.yml";

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// `infra/variables.yml` on the default branch.
pub(super) async fn variables(stage: &Stage, tenant: &Tenant) -> Result<String, StageError> {
    let path = format!("/repos/{}/contents/{FILE}", tenant.repository);
    let answer = stage.admin("GET", &path, Value::Null).await?;
    let packed: String = text(&answer["content"])
        .chars()
        .filter(|c| !c.is_whitespace())
        .collect();
    let bytes = base64::engine::general_purpose::STANDARD
        .decode(packed)
        .unwrap_or_default();
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

/// A commit and its statuses, oldest first.
pub(super) async fn commit(
    stage: &Stage,
    tenant: &Tenant,
    sha: &str,
    what: &str,
) -> Result<CommitSeen, StageError> {
    let path = format!("/repos/{}/commits/{sha}/statuses", tenant.repository);
    let list = stage.admin("GET", &path, Value::Null).await?;
    let mut statuses: Vec<StatusAt> = items(&list)
        .map(|s| StatusAt {
            state: text(&s["state"]),
            description: text(&s["description"]),
            context: text(&s["context"]),
            by: text(&s["creator"]["login"]),
            at: text(&s["created_at"]).chars().skip(11).take(8).collect(),
        })
        .collect();
    statuses.reverse();
    Ok(CommitSeen {
        repository: tenant.repository.into(),
        sha: sha.into(),
        what: what.into(),
        statuses,
    })
}

/// A pull request with its comments and the statuses of its head.
pub(super) async fn pull(
    stage: &Stage,
    tenant: &Tenant,
    number: u64,
    diff: &[(char, usize, String)],
) -> Result<PullSeen, StageError> {
    let path = format!("/repos/{}/pulls/{number}", tenant.repository);
    let pull = stage.admin("GET", &path, Value::Null).await?;
    let merged = pull["merged"].as_bool() == Some(true);
    Ok(PullSeen {
        repository: tenant.repository.into(),
        number,
        title: text(&pull["title"]),
        author: text(&pull["user"]["login"]),
        state: if merged { "merged" } else { "open" },
        file: FILE.into(),
        diff: diff.to_vec(),
        comments: stage.comments(tenant, number).await?,
        head: commit(stage, tenant, &text(&pull["head"]["sha"]), "its head").await?,
    })
}

/// The decisions on a run.
pub(super) async fn approvals(stage: &Stage, run: u64) -> Result<Vec<Scene>, StageError> {
    let path = format!("/repos/{MANAGER}/actions/runs/{run}/approvals");
    let list = stage.admin("GET", &path, Value::Null).await?;
    Ok(items(&list)
        .map(|a| {
            Scene::Approval(ApprovalSeen {
                run,
                by: text(&a["user"]["login"]),
                state: text(&a["state"]),
                comment: text(&a["comment"]),
                environments: items(&a["environments"])
                    .map(|e| text(&e["name"]))
                    .collect(),
            })
        })
        .collect())
}

fn is_manager(stage: &Stage, run: &Run) -> bool {
    let state = stage.server.state();
    let name = state.repos.get(&run.event.repo).map(|r| state.full_name(r));
    name.as_deref() == Some(MANAGER)
}

/// The manager's runs from `after` on, oldest first.
pub(super) fn runs(stage: &Stage, after: u64) -> Vec<Run> {
    let all: Vec<Run> = stage
        .server
        .state()
        .runs
        .range(after + 1..)
        .map(|(_, r)| r.clone())
        .collect();
    all.into_iter().filter(|r| is_manager(stage, r)).collect()
}

/// Id of the newest run of anybody.
pub(super) fn newest(stage: &Stage) -> u64 {
    let state = stage.server.state();
    state.runs.keys().next_back().copied().unwrap_or(0)
}

/// How many jobs must come before this one: the order in which people read them.
fn depth(graph: &Value, key: &str, limit: usize) -> usize {
    let needs = &graph[key]["needs"];
    let names: Vec<&str> = match needs.as_str() {
        Some(one) => vec![one],
        None => items(needs).filter_map(Value::as_str).collect(),
    };
    if limit == 0 {
        return 0;
    }
    let deepest = names.iter().map(|n| 1 + depth(graph, n, limit - 1)).max();
    deepest.unwrap_or(0)
}

/// A run as it is shown.
pub(super) fn run(run: &Run, step: usize) -> RunSeen {
    let mut jobs: Vec<&Job> = run.jobs.iter().collect();
    let graph = &run.workflow["jobs"];
    let last = graph["final"]["needs"].to_string();
    jobs.sort_by_key(|j| {
        (
            depth(graph, &j.key, 20),
            last.find(&format!("\"{}\"", j.key)),
        )
    });
    let jobs = jobs
        .into_iter()
        .filter(|j| !matches!(j.conclusion, None | Some("skipped")))
        .map(|j| JobSeen {
            name: j.key.clone(),
            conclusion: j.conclusion.unwrap_or(j.status).into(),
            environment: j.environment.clone(),
            seconds: j.completed.map_or(0, |end| end - j.started),
        })
        .collect();
    RunSeen {
        id: run.id,
        step,
        workflow: run.name.clone(),
        event: run.event.name.clone(),
        conclusion: run.conclusion.unwrap_or(run.status).into(),
        jobs,
    }
}

/// What a run printed; `act` wraps each line into a JSON object.
fn lines(run: &Run) -> impl Iterator<Item = String> {
    run.log
        .lines()
        .map(|line| match serde_json::from_str::<Value>(line) {
            Ok(Value::Object(map)) => text(map.get("msg").unwrap_or(&Value::Null)),
            _ => line.to_owned(),
        })
}

/// Why the intake of a run refused.
pub(super) fn refusal(run: &Run) -> Option<String> {
    // Under `act` the command's head is gone from the message.
    const SIGNS: [&str; 2] = ["::error title=tenantry::", "the identity token"];
    let (line, sign) = lines(run).find_map(|l| {
        let sign = SIGNS.into_iter().find(|s| l.contains(*s))?;
        Some((l, sign))
    })?;
    let at = line.find(sign)?;
    let reason = line[at..].trim_start_matches(SIGNS[0]);
    Some(reason.trim().replace("%0A", " ").replace("%25", "%"))
}

/// What a sweep said it looked at.
pub(super) fn looked_at(run: &Run) -> Option<String> {
    let line = lines(run).find(|l| l.trim_start().starts_with("looked at "))?;
    Some(line.trim().to_owned())
}

/// The end of the newest run's log.
pub(super) fn last_log(stage: &Stage) -> String {
    let state = stage.server.state();
    let log = state.runs.values().next_back().map(|r| r.log.clone());
    let log = log.unwrap_or_default();
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(25)..].join("\n")
}

/// Fails unless `ok`.
pub(super) fn expect(stage: &Stage, what: &str, ok: bool) -> Result<(), DemoError> {
    if ok {
        return Ok(());
    }
    Err(DemoError::Unexpected {
        what: format!("expected that {what}"),
        log: last_log(stage),
    })
}

/// What was deployed.
pub(super) async fn files(stage: &Stage, story: &mut Story) -> Result<(), StageError> {
    if story.engine == "terraform" {
        story.files_are = "Terraform state, one key per stack".into();
        below(&stage.state_dir(), "", &mut story.files);
        story.files.retain(|f| f.ends_with(".tfstate"));
    } else {
        story.files_are = format!("files in the GitOps repository {GITOPS}");
        let path = format!("/repos/{GITOPS}/git/trees/main?recursive=1");
        let tree = stage.admin("GET", &path, Value::Null).await?;
        story.files = items(&tree["tree"])
            .filter(|e| e["type"] == "blob" && e["path"] != "README.md")
            .map(|e| text(&e["path"]))
            .collect();
    }
    story.files.sort();
    Ok(())
}

fn below(folder: &std::path::Path, name: &str, out: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let own = format!("{name}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            below(&entry.path(), &format!("{own}/"), out);
        } else {
            out.push(own);
        }
    }
}

/// The changed lines between two texts: longest common subsequence, for short files.
pub(super) fn changed(before: &str, after: &str) -> Vec<(char, usize, String)> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let mut longest = vec![vec![0usize; b.len() + 1]; a.len() + 1];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            longest[i][j] = if a[i] == b[j] {
                longest[i + 1][j + 1] + 1
            } else {
                longest[i + 1][j].max(longest[i][j + 1])
            };
        }
    }
    let (mut i, mut j, mut out) = (0, 0, Vec::new());
    while i < a.len() || j < b.len() {
        if i < a.len() && j < b.len() && a[i] == b[j] {
            (i, j) = (i + 1, j + 1);
        } else if i < a.len() && (j == b.len() || longest[i + 1][j] >= longest[i][j + 1]) {
            out.push(('-', i + 1, a[i].to_owned()));
            i += 1;
        } else {
            out.push(('+', j + 1, b[j].to_owned()));
            j += 1;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::changed;

    #[test]
    fn only_what_differs_is_shown() {
        assert_eq!(
            changed("a\nb\nc", "a\nx\nc\nd"),
            [
                ('-', 2, "b".to_owned()),
                ('+', 2, "x".to_owned()),
                ('+', 4, "d".to_owned())
            ]
        );
    }
}
