//! Stories told to the local GitHub.
use super::*;
use base64::Engine as _;
use serde_json::{Value, json};

mod edges;
mod routes;
mod runs;
mod socket;

struct World {
    hub: Server,
    _dir: tempfile::TempDir,
}

const PATH: &str = "/usr/local/bin:/usr/bin:/bin";

async fn world() -> World {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings {
        dir: dir.path().to_owned(),
        port: 0,
        // Set to a file to have every exchange of these stories checked against OpenAPI.
        record: std::env::var_os("TENANTRY_TEST_RECORD").map(Into::into),
        runner: RunnerSettings::hold(PATH),
        admin_token: None,
        clock: Clock::fixed(1_795_000_000),
    };
    World {
        hub: Server::start(settings).await.unwrap(),
        _dir: dir,
    }
}

impl World {
    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.hub.call(method, path, body).await;
        assert!(
            (200..300).contains(&status),
            "{method} {path}: {status} {reply}"
        );
        reply
    }
    async fn user(&self, login: &str, repos: Value) -> String {
        self.ok("POST", "/_local/users", json!({"login": login}))
            .await;
        let mut body = json!({"user": login});
        if !repos.is_null() {
            body["repos"] = repos;
        }
        let reply = self.ok("POST", "/_local/tokens", body).await;
        reply["token"].as_str().unwrap().to_owned()
    }
    async fn as_(&self, token: &str, method: &str, path: &str, body: Value) -> (u16, Value) {
        self.hub.call_as(token, method, path, body).await
    }
}

async fn repo(w: &World) -> String {
    let made = w.ok("POST", "/_local/repos", json!({"repo": "acme/shop", "files": {"infra/variables.yml": "a: 1\n", "README.md": "hi\n"}})).await;
    made["sha"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_pull_request_is_opened_updated_and_merged_at_the_head_that_was_seen() {
    let w = world().await;
    let main = repo(&w).await;
    let ada = w.user("ada", Value::Null).await;
    w.ok(
        "POST",
        "/_local/collaborators",
        json!({"repo": "acme/shop", "user": "ada", "permission": "write"}),
    )
    .await;
    let (s, _) = w
        .as_(
            &ada,
            "POST",
            "/repos/acme/shop/git/refs",
            json!({"ref": "refs/heads/change", "sha": main}),
        )
        .await;
    assert_eq!(s, 201);
    let content = base64::engine::general_purpose::STANDARD.encode("a: 2\n");
    let old = w
        .ok(
            "GET",
            "/repos/acme/shop/contents/infra/variables.yml",
            Value::Null,
        )
        .await;
    let put = json!({"message": "two", "content": content, "branch": "change", "sha": old["sha"]});
    let (s, v) = w
        .as_(
            &ada,
            "PUT",
            "/repos/acme/shop/contents/infra/variables.yml",
            put,
        )
        .await;
    assert_eq!(s, 200, "{v}");
    let (s, pr) = w
        .as_(
            &ada,
            "POST",
            "/repos/acme/shop/pulls",
            json!({"title": "two", "head": "change", "base": "main"}),
        )
        .await;
    assert_eq!(s, 201, "{pr}");
    assert_eq!(pr["mergeable"], true);
    let files = w
        .ok("GET", "/repos/acme/shop/pulls/1/files", Value::Null)
        .await;
    assert_eq!(files[0]["filename"], "infra/variables.yml");
    assert_eq!(files[0]["patch"], "@@ -1 +1 @@\n-a: 1\n+a: 2");
    let (s, _) = w
        .as_(
            &ada,
            "PUT",
            "/repos/acme/shop/pulls/1/merge",
            json!({"sha": main}),
        )
        .await;
    assert_eq!(s, 409, "a head that was not seen is not merged");
    let (s, v) = w
        .as_(
            &ada,
            "PUT",
            "/repos/acme/shop/pulls/1/merge",
            json!({"sha": pr["head"]["sha"]}),
        )
        .await;
    assert_eq!(s, 200, "{v}");
    let head = w
        .ok("GET", "/repos/acme/shop/branches/main", Value::Null)
        .await;
    assert_eq!(head["commit"]["sha"], v["sha"]);
    let compare = w
        .ok(
            "GET",
            &format!("/repos/acme/shop/compare/{main}...main"),
            Value::Null,
        )
        .await;
    assert_eq!(
        (compare["status"].as_str(), compare["ahead_by"].as_u64()),
        (Some("ahead"), Some(2))
    );
    w.hub.stop().await;
}

#[tokio::test]
async fn a_fork_opens_a_pull_request_whose_commits_the_parent_can_read() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "acme/open", "private": false, "files": {"a": "1"}}),
    )
    .await;
    let eve = w.user("eve", Value::Null).await;
    let (s, _) = w
        .as_(&eve, "POST", "/repos/acme/open/forks", json!({}))
        .await;
    assert_eq!(s, 202);
    let put = json!({"message": "x", "content": "eA==", "branch": "main"});
    let (s, v) = w
        .as_(&eve, "PUT", "/repos/eve/open/contents/evil", put.clone())
        .await;
    assert_eq!(s, 201, "{v}");
    let (s, _) = w
        .as_(&eve, "PUT", "/repos/acme/open/contents/evil", put)
        .await;
    assert_eq!(s, 404, "the parent itself stays closed");
    let (s, pr) = w
        .as_(
            &eve,
            "POST",
            "/repos/acme/open/pulls",
            json!({"title": "t", "head": "eve:main", "base": "main"}),
        )
        .await;
    assert_eq!(s, 201, "{pr}");
    assert_ne!(pr["head"]["repo"]["id"], pr["base"]["repo"]["id"]);
    let sha = pr["head"]["sha"].as_str().unwrap();
    w.ok(
        "GET",
        &format!("/repos/acme/open/git/commits/{sha}"),
        Value::Null,
    )
    .await;
}

#[tokio::test]
async fn a_comment_is_only_changed_by_its_author_or_a_writer() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "acme/open", "private": false, "files": {"a": "1"}}),
    )
    .await;
    w.ok(
        "POST",
        "/_local/commits",
        json!({"repo": "acme/open", "branch": "b", "files": {"a": "2"}, "user": "acme"}),
    )
    .await;
    w.ok(
        "POST",
        "/repos/acme/open/pulls",
        json!({"title": "t", "head": "b", "base": "main"}),
    )
    .await;
    let (ada, eve) = (
        w.user("ada", Value::Null).await,
        w.user("eve", Value::Null).await,
    );
    let (_, made) = w
        .as_(
            &ada,
            "POST",
            "/repos/acme/open/issues/1/comments",
            json!({"body": "mine"}),
        )
        .await;
    let path = format!("/repos/acme/open/issues/comments/{}", made["id"]);
    assert_eq!(
        w.as_(&eve, "PATCH", &path, json!({"body": "yours"}))
            .await
            .0,
        403
    );
    assert_eq!(
        w.as_(&ada, "PATCH", &path, json!({"body": "still mine"}))
            .await
            .0,
        200
    );
    assert_eq!(w.ok("GET", &path, Value::Null).await["body"], "still mine");
}

#[tokio::test]
async fn a_dispatch_needs_contents_write_and_a_small_payload() {
    let w = world().await;
    repo(&w).await;
    let body = json!({"event_type": "tenantry-request", "client_payload": {"a": 1}});
    let path = "/repos/acme/shop/dispatches";
    let stranger = w.user("eve", Value::Null).await;
    assert_eq!(w.as_(&stranger, "POST", path, body.clone()).await.0, 404);
    let reader = w
        .user("ada", json!({"acme/shop": {"contents": "read"}}))
        .await;
    let (s, v) = w.as_(&reader, "POST", path, body.clone()).await;
    assert_eq!(
        (s, v["message"].as_str()),
        (
            403,
            Some("Resource not accessible by personal access token")
        )
    );
    let writer = w
        .user("bob", json!({"acme/shop": {"contents": "write"}}))
        .await;
    assert_eq!(w.as_(&writer, "POST", path, body).await.0, 204);
    let many: serde_json::Map<String, Value> =
        (0..11).map(|i| (format!("k{i}"), json!(1))).collect();
    assert_eq!(
        w.as_(
            &writer,
            "POST",
            path,
            json!({"event_type": "x", "client_payload": many})
        )
        .await
        .0,
        422
    );
    let big = json!({"event_type": "x", "client_payload": {"a": "x".repeat(70_000)}});
    assert_eq!(w.as_(&writer, "POST", path, big).await.0, 422);
    assert_eq!(w.as_("nonsense", "GET", "/user", Value::Null).await.0, 401);
}

const FLOW: &str = "name: deploy\non:\n  repository_dispatch:\n    types: [tenantry-request]\npermissions:\n  contents: read\n  id-token: write\njobs:\n  apply-staging:\n    runs-on: ubuntu-latest\n    environment: staging-apply\n    steps:\n      - run: true\n";

#[tokio::test]
async fn a_run_waits_until_a_named_reviewer_approves() {
    let w = world().await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}}),
    )
    .await;
    let (rev, eve) = (
        w.user("rev", Value::Null).await,
        w.user("eve", Value::Null).await,
    );
    for u in ["rev", "eve"] {
        w.ok(
            "POST",
            "/_local/collaborators",
            json!({"repo": "prov/manager", "user": u, "permission": "write"}),
        )
        .await;
    }
    let id = w.ok("GET", "/users/rev", Value::Null).await["id"].clone();
    let env = json!({"reviewers": [{"type": "User", "id": id}], "prevent_self_review": true, "wait_timer": 0, "deployment_branch_policy": null});
    let shown = w
        .ok("PUT", "/repos/prov/manager/environments/staging-apply", env)
        .await;
    assert_eq!(
        shown["protection_rules"][0]["reviewers"][0]["reviewer"]["login"],
        "rev"
    );
    w.ok(
        "POST",
        "/repos/prov/manager/dispatches",
        json!({"event_type": "tenantry-request", "client_payload": {}}),
    )
    .await;
    let runs = w
        .ok("GET", "/repos/prov/manager/actions/runs", Value::Null)
        .await;
    let run = runs["workflow_runs"][0]["id"].as_u64().unwrap();
    runner::job::request(w.hub.inner(), run, "staging-apply");
    let path = format!("/repos/prov/manager/actions/runs/{run}/pending_deployments");
    let pending = w.ok("GET", &path, Value::Null).await;
    let body = json!({"environment_ids": [pending[0]["environment"]["id"]], "state": "approved", "comment": "go"});
    assert_eq!(
        w.as_(&eve, "POST", &path, body.clone()).await.0,
        422,
        "eve is no reviewer"
    );
    assert_eq!(w.as_(&rev, "POST", &path, body).await.0, 200);
    let approvals = w
        .ok(
            "GET",
            &format!("/repos/prov/manager/actions/runs/{run}/approvals"),
            Value::Null,
        )
        .await;
    assert_eq!(
        (
            approvals[0]["user"]["login"].as_str(),
            approvals[0]["comment"].as_str()
        ),
        (Some("rev"), Some("go"))
    );
    assert!(runner::job::enter(w.hub.inner(), run, "staging-apply").await);
}
