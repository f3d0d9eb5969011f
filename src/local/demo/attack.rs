//! Requests that are not what they claim to be.

use super::{DemoError, look};
use crate::delivery::identity::audience;
use crate::estate::RepoSlug;
use crate::local::model::{OidcGrant, Run};
use crate::local::oidc::{self, Forge};
use crate::local::stage::{MANAGER, Stage, Tenant};
use serde_json::{Value, json};

/// Sends them one after the other; what each tries, and the HTTP status of GitHub.
pub(super) async fn send(
    stage: &Stage,
    acme: &Tenant,
    globex: &Tenant,
    merged: &str,
) -> Result<Vec<(String, u16)>, DemoError> {
    let hint = served(stage, acme).ok_or_else(|| DemoError::Unexpected {
        what: "no hint of acme was served".into(),
        log: String::new(),
    })?;
    let claim = |request: &str, identity: Value| {
        json!({
            "tenantry": 1, "request_id": request, "repository": acme.repository,
            "repository_id": acme.repository_id, "sha": merged, "ref": "refs/heads/main",
            "event": "push", "identity": identity,
        })
    };
    let mine = |name: &str| stage.tokens.get(name).cloned().unwrap_or_default();
    let (outsider, dispatcher) = (mine("mallory"), mine("dispatch"));
    let forged = token(stage, acme, Forge::OtherKey)?;
    let borrowed = token(stage, globex, Forge::Valid)?;
    let mut replayed = hint;
    replayed["request_id"] = json!("run-4242-1");
    let tries = [
        (
            "mallory sends a request with her own account",
            outsider,
            claim("run-4240-1", json!(forged)),
        ),
        (
            "mallory got hold of the dispatch token and signs acme's identity herself",
            dispatcher.clone(),
            claim("run-4241-1", json!(forged)),
        ),
        (
            "a workflow of globex, with its true identity, names acme",
            dispatcher.clone(),
            claim("run-4243-1", json!(borrowed)),
        ),
        (
            "a request of acme that was served already is sent again under a new number",
            dispatcher,
            replayed,
        ),
    ];
    let mut out = Vec::new();
    for (what, with, payload) in tries {
        out.push((what.to_owned(), stage.dispatch(&with, &payload).await));
    }
    Ok(out)
}

/// The payload of acme's last hint, as somebody who read the manager's events would have it.
fn served(stage: &Stage, tenant: &Tenant) -> Option<Value> {
    let of = |run: &Run| {
        let payload = &run.event.payload["client_payload"];
        (payload["repository_id"] == tenant.repository_id && payload["event"] == "push")
            .then(|| payload.clone())
    };
    look::runs(stage, 0).iter().rev().find_map(of)
}

/// The identity that GitHub gave, or would not give, to the last workflow of a customer.
fn token(stage: &Stage, tenant: &Tenant, forge: Forge) -> Result<String, DemoError> {
    let audience = audience(&RepoSlug::new(MANAGER)?);
    let state = stage.server.state();
    let run = state
        .runs
        .values()
        .rev()
        .find(|r| r.event.repo == tenant.repository_id);
    let claims = run.and_then(|run| {
        let grant = OidcGrant {
            run: run.id,
            environment: None,
        };
        oidc::claims(&state, run, &grant, &audience).ok()
    });
    let claims = claims.ok_or_else(|| DemoError::Unexpected {
        what: format!("no workflow of {} ran", tenant.id),
        log: String::new(),
    })?;
    Ok(state.issuer.mint(&claims, forge))
}
