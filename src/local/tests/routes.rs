//! Every route, answered once; with `TENANTRY_TEST_RECORD` the material of the conformance test.
use super::*;

#[tokio::test]
async fn every_route_answers_once() {
    let w = world().await;
    let sha = repo(&w).await;
    let r = "/repos/acme/shop";
    w.ok("POST", "/_local/orgs", json!({"login": "corp"})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "acme/shop", "branch": "b", "files": {"x": "2", ".github/workflows/w.yml": FLOW}, "user": "acme"})).await;
    w.ok(
        "POST",
        "/_local/commits",
        json!({"repo": "acme/shop", "files": {".github/workflows/w.yml": FLOW}, "user": "acme"}),
    )
    .await;
    w.ok(
        "POST",
        "/user/repos",
        json!({"name": "own", "auto_init": true}),
    )
    .await;
    w.ok(
        "POST",
        "/orgs/corp/repos",
        json!({"name": "theirs", "private": true}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/pulls"),
        json!({"title": "t", "head": "b", "base": "main"}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/issues/1/comments"),
        json!({"body": "c"}),
    )
    .await;
    let blob = w
        .ok(
            "POST",
            &format!("{r}/git/blobs"),
            json!({"content": "x", "encoding": "utf-8"}),
        )
        .await;
    let tree = w.ok("POST", &format!("{r}/git/trees"), json!({"base_tree": sha, "tree": [{"path": "d/e", "mode": "100644", "type": "blob", "sha": blob["sha"]}]})).await;
    let commit = w
        .ok(
            "POST",
            &format!("{r}/git/commits"),
            json!({"message": "m", "tree": tree["sha"], "parents": [sha]}),
        )
        .await;
    w.ok(
        "POST",
        &format!("{r}/git/refs"),
        json!({"ref": "refs/heads/new", "sha": commit["sha"]}),
    )
    .await;
    w.ok(
        "PATCH",
        &format!("{r}/git/refs/heads/new"),
        json!({"sha": sha, "force": true}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/statuses/{sha}"),
        json!({"state": "pending", "context": "infra"}),
    )
    .await;
    let check = w
        .ok(
            "POST",
            &format!("{r}/check-runs"),
            json!({"name": "plan", "head_sha": sha, "status": "in_progress"}),
        )
        .await;
    let output = json!({"conclusion": "failure", "output": {"title": "t", "summary": "s", "annotations": [{"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"}]}});
    w.ok("PATCH", &format!("{r}/check-runs/{}", check["id"]), output)
        .await;
    let me = w.ok("GET", "/user", Value::Null).await["id"].clone();
    w.ok("PUT", &format!("{r}/environments/staging-apply"), json!({"reviewers": [{"type": "User", "id": me}], "wait_timer": 5, "deployment_branch_policy": {"protected_branches": true, "custom_branch_policies": false}})).await;
    w.ok(
        "POST",
        &format!("{r}/actions/variables"),
        json!({"name": "FOO", "value": "1"}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/environments/staging-apply/variables"),
        json!({"name": "FOO", "value": "1"}),
    )
    .await;
    w.ok(
        "POST",
        "/_local/secrets",
        json!({"repo": "acme/shop", "name": "S", "value": "1"}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/dispatches"),
        json!({"event_type": "tenantry-request", "client_payload": {"a": 1}}),
    )
    .await;
    let run =
        w.ok("GET", &format!("{r}/actions/runs"), Value::Null).await["workflow_runs"][0]["id"]
            .as_u64()
            .unwrap();
    runner::job::request(w.hub.inner(), run, "staging-apply");
    let pending = w
        .ok(
            "GET",
            &format!("{r}/actions/runs/{run}/pending_deployments"),
            Value::Null,
        )
        .await;
    w.ok("POST", &format!("{r}/actions/runs/{run}/pending_deployments"), json!({"environment_ids": [pending[0]["environment"]["id"]], "state": "approved", "comment": ""})).await;
    let set = w.ok("POST", &format!("{r}/rulesets"), json!({"name": "n", "enforcement": "active", "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}, "rules": [{"type": "deletion"}]})).await;
    for path in [
        "",
        "/branches",
        "/branches/main",
        "/commits",
        "/commits/main",
        "/compare/main...b",
        "/git/ref/heads/main",
        "/git/trees/main?recursive=1",
        "/contents",
        "/contents/README.md",
        "/pulls",
        "/pulls/1",
        "/pulls/1/files",
        "/pulls/1/commits",
        "/issues/1/comments",
        "/commits/b/pulls",
        "/environments",
        "/environments/staging-apply",
        "/environments/staging-apply/variables",
        "/environments/staging-apply/secrets",
        "/actions/variables",
        "/actions/variables/FOO",
        "/actions/secrets",
        "/actions/secrets/S",
        "/actions/workflows",
        "/actions/workflows/w.yml/runs",
        "/rulesets",
        "/rules/branches/main",
        "/forks",
        "/collaborators/acme/permission",
    ] {
        w.ok("GET", &format!("{r}{path}"), Value::Null).await;
    }
    for path in [
        format!("/git/blobs/{}", blob["sha"].as_str().unwrap()),
        format!("/git/commits/{sha}"),
        format!("/commits/{sha}/status"),
        format!("/commits/{sha}/statuses"),
        format!("/commits/{sha}/check-runs"),
        format!("/check-runs/{}", check["id"]),
        format!("/check-runs/{}/annotations", check["id"]),
        format!("/actions/runs/{run}"),
        format!("/actions/runs/{run}/jobs"),
        format!("/actions/runs/{run}/approvals"),
        format!("/rulesets/{}", set["id"]),
    ] {
        w.ok("GET", &format!("{r}{path}"), Value::Null).await;
    }
    for path in [
        "/rate_limit",
        "/user/repos",
        "/users/acme",
        "/orgs/corp/repos",
    ] {
        w.ok("GET", path, Value::Null).await;
    }
    w.ok(
        "PUT",
        &format!("{r}/pulls/1/merge"),
        json!({"merge_method": "squash"}),
    )
    .await;
    w.ok(
        "POST",
        &format!("{r}/actions/runs/{run}/cancel"),
        Value::Null,
    )
    .await;
}
