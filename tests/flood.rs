//! One customer asks again and again. Many changes at once are in `tests/simulation/flood.rs`.

mod support;

use serde_json::{Value, json};
use support::trial::{Trial, code};
use support::{Tested, variables};
use tenantry::delivery::intake::intake;
use tenantry::local::stage::{Engine, MANAGER};

#[tokio::test(flavor = "multi_thread")]
async fn t26_hints_beyond_the_hours_share_are_refused_and_nothing_is_lost() -> Tested {
    let mut trial = Trial::new(Engine::Argocd).await?;
    trial.manager.estate.settings.hints_per_hour = 3;
    let sha = trial.push(4).await?;
    let issuer = trial.issuer()?;
    let globex = trial.stage.tenant("globex").ok_or("globex")?.clone();
    let ask = async |who: (&str, u64), sha: &str, id: &str| {
        let now = trial.stage.server.state().now();
        let claims = json!({
            "iss": format!("{}/_oidc", trial.stage.server.url), "aud": format!("tenantry:{MANAGER}"), "sub": format!("repo:{}:ref:refs/heads/main", who.0),
            "jti": id, "iat": now, "nbf": now - 5, "exp": now + 300, "repository": who.0, "repository_id": who.1.to_string(),
            "repository_owner_id": "1", "ref": "refs/heads/main", "sha": sha, "event_name": "push", "actor": "alice", "actor_id": "9", "run_id": "1",
        });
        let token = trial.stage.server.state().issuer.sign(&claims);
        let payload = json!({"tenantry": 1, "request_id": id, "repository": who.0, "repository_id": who.1, "sha": sha, "ref": "refs/heads/main", "event": "push", "identity": token});
        match intake(&trial.manager, &payload, &issuer).await {
            Ok(_) => "served".to_owned(),
            error => code(error),
        }
    };
    let acme = (trial.acme.repository, trial.acme.repository_id);
    let mut said = Vec::new();
    // The third hint comes twice, which is no second hint.
    for id in [
        "hint-0001",
        "hint-0002",
        "hint-0003",
        "hint-0003",
        "hint-0004",
    ] {
        said.push(ask(acme, sha.as_str(), id).await);
    }
    assert_eq!(
        said,
        ["served", "served", "served", "served", "hints-too-many"]
    );
    // The customer reads it at the commit; another customer is served as ever.
    let path = format!("/repos/{}/commits/{sha}/statuses", trial.acme.repository);
    let statuses = trial.stage.admin("GET", &path, Value::Null).await?;
    assert_eq!(statuses[0]["state"], "failure", "{statuses}");
    let head = trial
        .stage
        .commit(
            &globex,
            "main",
            "infra/variables.yml",
            &variables("portal", 4),
            "Change",
        )
        .await?;
    let other = (globex.repository, globex.repository_id);
    assert_eq!(ask(other, &head, "hint-0005").await, "served");
    trial.end().await;
    Ok(())
}
