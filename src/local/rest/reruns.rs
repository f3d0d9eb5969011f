//! Starting a run once more: all of it, or what failed and what waited for that.
//! <https://docs.github.com/en/rest/actions/workflow-runs#re-run-a-workflow>
use crate::local::access::Ctx;
use crate::local::http::{Reply, Res};
use crate::local::model::{Grant, Run};
use serde_json::json;

/// `POST …/runs/{run}/rerun` and `…/rerun-failed-jobs`. Approvals are asked for anew.
pub fn again(c: &mut Ctx, run: &Run, failed_only: bool) -> Res {
    if run.status != "completed" {
        return Err(Reply::error(403, "This workflow is already running"));
    }
    if failed_only && run.conclusion == Some("success") {
        return Err(Reply::error(
            403,
            "The workflow run containing this job has no failed jobs",
        ));
    }
    let permissions = crate::local::workflow::permissions(&run.workflow, run.event.from_fork);
    let token = c.s.add_token(
        None,
        crate::local::state::ACTIONS_BOT,
        Grant::Run {
            run: run.id,
            repo: run.event.repo,
            permissions,
        },
    );
    let now = c.s.now();
    let Some(r) = c.s.runs.get_mut(&run.id) else {
        return Err(Reply::not_found());
    };
    r.attempt += 1;
    r.status = "queued";
    r.conclusion = None;
    r.pending.clear();
    r.settled = r.approvals.len();
    r.failed_only = failed_only;
    r.cancel = false;
    r.updated = now;
    r.token = token;
    for j in &mut r.jobs {
        if failed_only && j.conclusion == Some("success") {
            continue;
        }
        j.status = "queued";
        j.conclusion = None;
        j.completed = None;
    }
    c.s.reruns.push(run.id);
    Ok(Reply::json(201, json!({})))
}
