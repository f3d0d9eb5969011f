//! `repository_dispatch` and `workflow_dispatch`.
use crate::local::access::Ctx;
use crate::local::events;
use crate::local::http::{Reply, Res, need, text};
use crate::local::model::Level;
use serde_json::{Value, json};

/// `POST /repos/{o}/{n}/dispatches`. Limits: <https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event>.
pub fn repository(c: &mut Ctx, o: &str, n: &str) -> Res {
    let id = c.repo(o, n, "contents", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let kind = need(&body, "event_type")?;
    if kind.is_empty() || kind.chars().count() > 100 {
        return Err(Reply::error(
            422,
            "Invalid request.\n\nevent_type must be between 1 and 100 characters.",
        ));
    }
    let payload = body
        .get("client_payload")
        .cloned()
        .unwrap_or_else(|| json!({}));
    let Some(keys) = payload.as_object() else {
        return Err(Reply::error(
            422,
            "Invalid request.\n\nFor 'properties/client_payload', it is not an object.",
        ));
    };
    if keys.len() > 10 {
        let m = format!(
            "Invalid request.\n\nNo more than 10 properties are allowed; {} were supplied.",
            keys.len()
        );
        return Err(Reply::error(422, &m));
    }
    if payload.to_string().len() >= 65_536 {
        return Err(Reply::error(
            422,
            "Invalid request.\n\nclient_payload is too large.",
        ));
    }
    events::dispatch(c.s, id, kind, &payload, user)?;
    Ok(Reply::none())
}

/// `POST /repos/{o}/{n}/actions/workflows/{file or id}/dispatches`.
pub fn workflow(c: &mut Ctx, o: &str, n: &str, name: &str) -> Res {
    let id = c.repo(o, n, "actions", Level::Write)?;
    let user = c.user()?;
    let body = c.req.json()?;
    let git_ref = need(&body, "ref")?;
    let path = super::actions::workflow_path(c.s, id, name)?;
    let branch = git_ref.trim_start_matches("refs/heads/");
    let sha = c.s.git(id).ref_sha(&format!("refs/heads/{branch}"));
    let sha = sha.ok_or_else(|| Reply::error(422, &format!("No ref found for: {git_ref}")))?;
    let inputs = body.get("inputs").cloned().unwrap_or_else(|| json!({}));
    let before = c.s.events.len();
    events::manual(
        c.s,
        id,
        "workflow_dispatch",
        &path,
        branch,
        &sha,
        inputs,
        user,
    )?;
    if c.s.events.len() == before {
        return Err(Reply::error(
            422,
            "Workflow does not have 'workflow_dispatch' trigger",
        ));
    }
    if body.get("return_run_details").and_then(Value::as_bool) != Some(true) {
        return Ok(Reply::none());
    }
    // The run is made after this handler, from the same counter and before anything else.
    let run = c.s.last_id + 1;
    let base = format!("{}/repos/{o}/{n}/actions/runs/{run}", c.s.api_root());
    Ok(Reply::ok(
        json!({"workflow_run_id": run, "run_url": base, "html_url": text(&json!(base), "").unwrap_or(&base)}),
    ))
}
