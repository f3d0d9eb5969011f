//! Faults, renames, rulesets, GraphQL and identity.
use super::*;

#[tokio::test]
async fn faults_hit_as_often_as_they_were_asked_to() {
    let w = world().await;
    repo(&w).await;
    let path = "/repos/acme/shop";
    w.hub.fault(Fault::once("/repos/acme", Kind::RateLimited));
    w.ok(
        "POST",
        "/_local/faults",
        json!({"path": "/repos/acme", "kind": "secondary_limit", "times": 1}),
    )
    .await;
    w.ok(
        "POST",
        "/_local/faults",
        json!({"method": "POST", "path": "/statuses/", "kind": "drop_after"}),
    )
    .await;
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 429);
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 403);
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 200);
    let sha = w
        .ok("GET", "/repos/acme/shop/commits/main", Value::Null)
        .await["sha"]
        .as_str()
        .unwrap()
        .to_owned();
    let post = w
        .hub
        .call(
            "POST",
            &format!("/repos/acme/shop/statuses/{sha}"),
            json!({"state": "success", "context": "infra/terraform-deploy"}),
        )
        .await;
    assert_eq!(post.0, 502);
    let status = w
        .ok(
            "GET",
            &format!("/repos/acme/shop/commits/{sha}/status"),
            Value::Null,
        )
        .await;
    assert_eq!(
        status["state"], "success",
        "the write was done all the same"
    );
    assert_eq!(w.ok("GET", "/_local/faults", Value::Null).await["left"], 0);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_id_until_the_old_name_is_reused() {
    let w = world().await;
    repo(&w).await;
    let id = w.ok("GET", "/repos/acme/shop", Value::Null).await["id"].clone();
    w.ok("PATCH", "/repos/acme/shop", json!({"name": "store"}))
        .await;
    let (s, v) = w
        .hub
        .call("GET", "/repos/acme/shop/commits/main", Value::Null)
        .await;
    assert_eq!(s, 301);
    assert!(
        v["url"]
            .as_str()
            .unwrap()
            .ends_with(&format!("/repositories/{id}/commits/main"))
    );
    assert_eq!(
        w.ok("GET", &format!("/repositories/{id}"), Value::Null)
            .await["name"],
        "store"
    );
    w.ok("POST", "/_local/repos", json!({"repo": "acme/shop"}))
        .await;
    assert_ne!(w.ok("GET", "/repos/acme/shop", Value::Null).await["id"], id);
}

#[tokio::test]
async fn a_ruleset_stops_a_token_that_may_dispatch_from_pushing() {
    let w = world().await;
    repo(&w).await;
    let bot = w
        .user("bot", json!({"acme/shop": {"contents": "write"}}))
        .await;
    let set = json!({"name": "no pushes", "target": "branch", "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": "update"}, {"type": "creation"}, {"type": "deletion"}],
        "bypass_actors": [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]});
    let made = w.ok("POST", "/repos/acme/shop/rulesets", set).await;
    let put = json!({"message": "x", "content": "eA==", "branch": "main"});
    assert_eq!(
        w.as_(&bot, "PUT", "/repos/acme/shop/contents/x", put)
            .await
            .0,
        409
    );
    assert_eq!(
        w.as_(
            &bot,
            "POST",
            "/repos/acme/shop/dispatches",
            json!({"event_type": "x"})
        )
        .await
        .0,
        204
    );
    let (_, seen) = w
        .as_(
            &bot,
            "GET",
            &format!("/repos/acme/shop/rulesets/{}", made["id"]),
            Value::Null,
        )
        .await;
    assert_eq!(seen["current_user_can_bypass"], "never");
    let rules = w
        .ok("GET", "/repos/acme/shop/rules/branches/main", Value::Null)
        .await;
    assert_eq!(rules.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn graphql_answers_what_is_asked_and_refuses_the_unknown() {
    let w = world().await;
    let sha = repo(&w).await;
    let q = r#"query { rateLimit{cost remaining} r0: repository(owner:"acme",name:"shop"){ databaseId nameWithOwner defaultBranchRef{ name target{ oid } } pullRequests(states:OPEN, first:20){ nodes{ number } } } r1: repository(owner:"no",name:"where"){ name } }"#;
    let v = w.ok("POST", "/graphql", json!({"query": q})).await;
    assert_eq!(
        v["data"]["r0"]["defaultBranchRef"]["target"]["oid"],
        json!(sha)
    );
    assert_eq!(
        (&v["data"]["r1"], v["errors"][0]["type"].as_str()),
        (&Value::Null, Some("NOT_FOUND"))
    );
    let v = w
        .ok(
            "POST",
            "/graphql",
            json!({"query": "{ viewer { nonsense } }"}),
        )
        .await;
    assert_eq!(
        v["errors"][0]["message"],
        "Field 'nonsense' doesn't exist on type 'User'"
    );
}

#[tokio::test]
async fn an_identity_token_verifies_with_the_published_key_and_a_forged_one_does_not() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}}),
    )
    .await;
    w.ok(
        "POST",
        "/repos/prov/manager/dispatches",
        json!({"event_type": "tenantry-request"}),
    )
    .await;
    let claims = {
        let s = w.hub.state();
        let run = s.runs.values().next().unwrap();
        assert!(run.id_token);
        oidc::claims(
            &s,
            run,
            &model::OidcGrant {
                run: run.id,
                environment: None,
            },
            "tenantry:prov/manager",
        )
        .unwrap()
    };
    let jwks = w.ok("GET", "/_oidc/.well-known/jwks", Value::Null).await;
    let key = &jwks["keys"][0];
    let key =
        DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap())
            .unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&["tenantry:prov/manager"]);
    rules.validate_exp = false; // the server's clock is fixed
    let mint = |f| w.hub.state().issuer.mint(&claims, f);
    let good = decode::<Value>(mint(Forge::Valid), &key, &rules).unwrap();
    assert_eq!(good.claims["repository"], "prov/manager");
    for bad in [
        Forge::OtherKey,
        Forge::AlgNone,
        Forge::Hs256,
        Forge::BadSignature,
    ] {
        assert!(decode::<Value>(mint(bad), &key, &rules).is_err(), "{bad:?}");
    }
}

#[tokio::test]
async fn dispatches_are_dropped_doubled_and_delayed() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}}),
    )
    .await;
    let path = "/repos/prov/manager/dispatches";
    let body = json!({"event_type": "tenantry-request"});
    let count = || w.hub.state().runs.len();
    w.hub.fault(Fault::once("", Kind::DropDispatch));
    assert_eq!(w.hub.call("POST", path, body.clone()).await.0, 204);
    assert_eq!(count(), 0);
    w.hub.fault(Fault::once("", Kind::DuplicateDispatch));
    w.ok("POST", path, body.clone()).await;
    assert_eq!(count(), 2);
    w.hub.fault(Fault::once("", Kind::DelayDispatch(1_500)));
    w.ok("POST", path, body).await;
    assert_eq!(count(), 2);
    w.hub.idle().await;
    assert_eq!(count(), 3);
}

#[tokio::test]
async fn a_wait_timer_runs_on_the_settable_clock() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}}),
    )
    .await;
    w.ok(
        "PUT",
        "/repos/prov/manager/environments/staging-apply",
        json!({"wait_timer": 10}),
    )
    .await;
    w.ok(
        "POST",
        "/repos/prov/manager/dispatches",
        json!({"event_type": "tenantry-request"}),
    )
    .await;
    let run = *w.hub.state().runs.keys().next().unwrap();
    let inner = w.hub.inner().clone();
    let entered =
        tokio::spawn(async move { runner::job::enter(&inner, run, "staging-apply").await });
    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    assert!(!entered.is_finished());
    w.ok("POST", "/_local/clock", json!({"advance": 601})).await;
    assert!(entered.await.unwrap());
}
