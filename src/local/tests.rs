//! Stories told to the local GitHub.
use super::*;
use base64::Engine as _;
use serde_json::{Value, json};

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
    World { hub: Server::start(settings).await.unwrap(), _dir: dir }
}

impl World {
    async fn ok(&self, method: &str, path: &str, body: Value) -> Value {
        let (status, reply) = self.hub.call(method, path, body).await;
        assert!((200..300).contains(&status), "{method} {path}: {status} {reply}");
        reply
    }
    async fn user(&self, login: &str, repos: Value) -> String {
        self.ok("POST", "/_local/users", json!({"login": login})).await;
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
    w.ok("POST", "/_local/collaborators", json!({"repo": "acme/shop", "user": "ada", "permission": "write"})).await;
    let (s, _) = w.as_(&ada, "POST", "/repos/acme/shop/git/refs", json!({"ref": "refs/heads/change", "sha": main})).await;
    assert_eq!(s, 201);
    let content = base64::engine::general_purpose::STANDARD.encode("a: 2\n");
    let old = w.ok("GET", "/repos/acme/shop/contents/infra/variables.yml", Value::Null).await;
    let put = json!({"message": "two", "content": content, "branch": "change", "sha": old["sha"]});
    let (s, v) = w.as_(&ada, "PUT", "/repos/acme/shop/contents/infra/variables.yml", put).await;
    assert_eq!(s, 200, "{v}");
    let (s, pr) = w.as_(&ada, "POST", "/repos/acme/shop/pulls", json!({"title": "two", "head": "change", "base": "main"})).await;
    assert_eq!(s, 201, "{pr}");
    assert_eq!(pr["mergeable"], true);
    let files = w.ok("GET", "/repos/acme/shop/pulls/1/files", Value::Null).await;
    assert_eq!(files[0]["filename"], "infra/variables.yml");
    assert_eq!(files[0]["patch"], "@@ -1 +1 @@\n-a: 1\n+a: 2");
    let (s, _) = w.as_(&ada, "PUT", "/repos/acme/shop/pulls/1/merge", json!({"sha": main})).await;
    assert_eq!(s, 409, "a head that was not seen is not merged");
    let (s, v) = w.as_(&ada, "PUT", "/repos/acme/shop/pulls/1/merge", json!({"sha": pr["head"]["sha"]})).await;
    assert_eq!(s, 200, "{v}");
    let head = w.ok("GET", "/repos/acme/shop/branches/main", Value::Null).await;
    assert_eq!(head["commit"]["sha"], v["sha"]);
    let compare = w.ok("GET", &format!("/repos/acme/shop/compare/{main}...main"), Value::Null).await;
    assert_eq!((compare["status"].as_str(), compare["ahead_by"].as_u64()), (Some("ahead"), Some(2)));
    w.hub.stop().await;
}

#[tokio::test]
async fn a_fork_opens_a_pull_request_whose_commits_the_parent_can_read() {
    let w = world().await;
    w.ok("POST", "/_local/repos", json!({"repo": "acme/open", "private": false, "files": {"a": "1"}})).await;
    let eve = w.user("eve", Value::Null).await;
    let (s, _) = w.as_(&eve, "POST", "/repos/acme/open/forks", json!({})).await;
    assert_eq!(s, 202);
    let put = json!({"message": "x", "content": "eA==", "branch": "main"});
    let (s, v) = w.as_(&eve, "PUT", "/repos/eve/open/contents/evil", put.clone()).await;
    assert_eq!(s, 201, "{v}");
    let (s, _) = w.as_(&eve, "PUT", "/repos/acme/open/contents/evil", put).await;
    assert_eq!(s, 404, "the parent itself stays closed");
    let (s, pr) = w.as_(&eve, "POST", "/repos/acme/open/pulls", json!({"title": "t", "head": "eve:main", "base": "main"})).await;
    assert_eq!(s, 201, "{pr}");
    assert_ne!(pr["head"]["repo"]["id"], pr["base"]["repo"]["id"]);
    let sha = pr["head"]["sha"].as_str().unwrap();
    w.ok("GET", &format!("/repos/acme/open/git/commits/{sha}"), Value::Null).await;
}

#[tokio::test]
async fn a_comment_is_only_changed_by_its_author_or_a_writer() {
    let w = world().await;
    w.ok("POST", "/_local/repos", json!({"repo": "acme/open", "private": false, "files": {"a": "1"}})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "acme/open", "branch": "b", "files": {"a": "2"}, "user": "acme"})).await;
    w.ok("POST", "/repos/acme/open/pulls", json!({"title": "t", "head": "b", "base": "main"})).await;
    let (ada, eve) = (w.user("ada", Value::Null).await, w.user("eve", Value::Null).await);
    let (_, made) = w.as_(&ada, "POST", "/repos/acme/open/issues/1/comments", json!({"body": "mine"})).await;
    let path = format!("/repos/acme/open/issues/comments/{}", made["id"]);
    assert_eq!(w.as_(&eve, "PATCH", &path, json!({"body": "yours"})).await.0, 403);
    assert_eq!(w.as_(&ada, "PATCH", &path, json!({"body": "still mine"})).await.0, 200);
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
    let reader = w.user("ada", json!({"acme/shop": {"contents": "read"}})).await;
    let (s, v) = w.as_(&reader, "POST", path, body.clone()).await;
    assert_eq!((s, v["message"].as_str()), (403, Some("Resource not accessible by personal access token")));
    let writer = w.user("bob", json!({"acme/shop": {"contents": "write"}})).await;
    assert_eq!(w.as_(&writer, "POST", path, body).await.0, 204);
    let many: serde_json::Map<String, Value> = (0..11).map(|i| (format!("k{i}"), json!(1))).collect();
    assert_eq!(w.as_(&writer, "POST", path, json!({"event_type": "x", "client_payload": many})).await.0, 422);
    let big = json!({"event_type": "x", "client_payload": {"a": "x".repeat(70_000)}});
    assert_eq!(w.as_(&writer, "POST", path, big).await.0, 422);
    assert_eq!(w.as_("nonsense", "GET", "/user", Value::Null).await.0, 401);
}

const FLOW: &str = "name: deploy\non:\n  repository_dispatch:\n    types: [tenantry-request]\npermissions:\n  contents: read\n  id-token: write\njobs:\n  apply-staging:\n    runs-on: ubuntu-latest\n    environment: staging-apply\n    steps:\n      - run: true\n";

#[tokio::test]
async fn a_run_waits_until_a_named_reviewer_approves() {
    let w = world().await;
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}})).await;
    let (rev, eve) = (w.user("rev", Value::Null).await, w.user("eve", Value::Null).await);
    for u in ["rev", "eve"] {
        w.ok("POST", "/_local/collaborators", json!({"repo": "prov/manager", "user": u, "permission": "write"})).await;
    }
    let id = w.ok("GET", "/users/rev", Value::Null).await["id"].clone();
    let env = json!({"reviewers": [{"type": "User", "id": id}], "prevent_self_review": true, "wait_timer": 0, "deployment_branch_policy": null});
    let shown = w.ok("PUT", "/repos/prov/manager/environments/staging-apply", env).await;
    assert_eq!(shown["protection_rules"][0]["reviewers"][0]["reviewer"]["login"], "rev");
    w.ok("POST", "/repos/prov/manager/dispatches", json!({"event_type": "tenantry-request", "client_payload": {}})).await;
    let runs = w.ok("GET", "/repos/prov/manager/actions/runs", Value::Null).await;
    let run = runs["workflow_runs"][0]["id"].as_u64().unwrap();
    runner::job::request(w.hub.inner(), run, "staging-apply");
    let path = format!("/repos/prov/manager/actions/runs/{run}/pending_deployments");
    let pending = w.ok("GET", &path, Value::Null).await;
    let body = json!({"environment_ids": [pending[0]["environment"]["id"]], "state": "approved", "comment": "go"});
    assert_eq!(w.as_(&eve, "POST", &path, body.clone()).await.0, 422, "eve is no reviewer");
    assert_eq!(w.as_(&rev, "POST", &path, body).await.0, 200);
    let approvals = w.ok("GET", &format!("/repos/prov/manager/actions/runs/{run}/approvals"), Value::Null).await;
    assert_eq!((approvals[0]["user"]["login"].as_str(), approvals[0]["comment"].as_str()), (Some("rev"), Some("go")));
    assert!(runner::job::enter(w.hub.inner(), run, "staging-apply").await);
}

#[tokio::test]
async fn faults_hit_as_often_as_they_were_asked_to() {
    let w = world().await;
    repo(&w).await;
    let path = "/repos/acme/shop";
    w.hub.fault(Fault::once("/repos/acme", Kind::RateLimited));
    w.ok("POST", "/_local/faults", json!({"path": "/repos/acme", "kind": "secondary_limit", "times": 1})).await;
    w.ok("POST", "/_local/faults", json!({"method": "POST", "path": "/statuses/", "kind": "drop_after"})).await;
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 429);
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 403);
    assert_eq!(w.hub.call("GET", path, Value::Null).await.0, 200);
    let sha = w.ok("GET", "/repos/acme/shop/commits/main", Value::Null).await["sha"].as_str().unwrap().to_owned();
    let post = w.hub.call("POST", &format!("/repos/acme/shop/statuses/{sha}"), json!({"state": "success", "context": "infra/terraform-deploy"})).await;
    assert_eq!(post.0, 502);
    let status = w.ok("GET", &format!("/repos/acme/shop/commits/{sha}/status"), Value::Null).await;
    assert_eq!(status["state"], "success", "the write was done all the same");
    assert_eq!(w.ok("GET", "/_local/faults", Value::Null).await["left"], 0);
}

#[tokio::test]
async fn a_renamed_repository_keeps_its_id_until_the_old_name_is_reused() {
    let w = world().await;
    repo(&w).await;
    let id = w.ok("GET", "/repos/acme/shop", Value::Null).await["id"].clone();
    w.ok("PATCH", "/repos/acme/shop", json!({"name": "store"})).await;
    let (s, v) = w.hub.call("GET", "/repos/acme/shop/commits/main", Value::Null).await;
    assert_eq!(s, 301);
    assert!(v["url"].as_str().unwrap().ends_with(&format!("/repositories/{id}/commits/main")));
    assert_eq!(w.ok("GET", &format!("/repositories/{id}"), Value::Null).await["name"], "store");
    w.ok("POST", "/_local/repos", json!({"repo": "acme/shop"})).await;
    assert_ne!(w.ok("GET", "/repos/acme/shop", Value::Null).await["id"], id);
}

#[tokio::test]
async fn a_ruleset_stops_a_token_that_may_dispatch_from_pushing() {
    let w = world().await;
    repo(&w).await;
    let bot = w.user("bot", json!({"acme/shop": {"contents": "write"}})).await;
    let set = json!({"name": "no pushes", "target": "branch", "enforcement": "active",
        "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
        "rules": [{"type": "update"}, {"type": "creation"}, {"type": "deletion"}],
        "bypass_actors": [{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]});
    let made = w.ok("POST", "/repos/acme/shop/rulesets", set).await;
    let put = json!({"message": "x", "content": "eA==", "branch": "main"});
    assert_eq!(w.as_(&bot, "PUT", "/repos/acme/shop/contents/x", put).await.0, 409);
    assert_eq!(w.as_(&bot, "POST", "/repos/acme/shop/dispatches", json!({"event_type": "x"})).await.0, 204);
    let (_, seen) = w.as_(&bot, "GET", &format!("/repos/acme/shop/rulesets/{}", made["id"]), Value::Null).await;
    assert_eq!(seen["current_user_can_bypass"], "never");
    let rules = w.ok("GET", "/repos/acme/shop/rules/branches/main", Value::Null).await;
    assert_eq!(rules.as_array().unwrap().len(), 3);
}

#[tokio::test]
async fn graphql_answers_what_is_asked_and_refuses_the_unknown() {
    let w = world().await;
    let sha = repo(&w).await;
    let q = r#"query { rateLimit{cost remaining} r0: repository(owner:"acme",name:"shop"){ databaseId nameWithOwner defaultBranchRef{ name target{ oid } } pullRequests(states:OPEN, first:20){ nodes{ number } } } r1: repository(owner:"no",name:"where"){ name } }"#;
    let v = w.ok("POST", "/graphql", json!({"query": q})).await;
    assert_eq!(v["data"]["r0"]["defaultBranchRef"]["target"]["oid"], json!(sha));
    assert_eq!((&v["data"]["r1"], v["errors"][0]["type"].as_str()), (&Value::Null, Some("NOT_FOUND")));
    let v = w.ok("POST", "/graphql", json!({"query": "{ viewer { nonsense } }"})).await;
    assert_eq!(v["errors"][0]["message"], "Field 'nonsense' doesn't exist on type 'User'");
}

#[tokio::test]
async fn an_identity_token_verifies_with_the_published_key_and_a_forged_one_does_not() {
    use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode};
    let w = world().await;
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "files": {".github/workflows/deploy.yml": FLOW}})).await;
    w.ok("POST", "/repos/prov/manager/dispatches", json!({"event_type": "tenantry-request"})).await;
    let claims = {
        let s = w.hub.state();
        let run = s.runs.values().next().unwrap();
        assert!(run.id_token);
        oidc::claims(&s, run, &model::OidcGrant { run: run.id, environment: None }, "tenantry:prov/manager").unwrap()
    };
    let jwks = w.ok("GET", "/_oidc/.well-known/jwks", Value::Null).await;
    let key = &jwks["keys"][0];
    let key = DecodingKey::from_rsa_components(key["n"].as_str().unwrap(), key["e"].as_str().unwrap()).unwrap();
    let mut rules = Validation::new(Algorithm::RS256);
    rules.set_audience(&["tenantry:prov/manager"]);
    rules.validate_exp = false; // the server's clock is fixed
    let mint = |f| w.hub.state().issuer.mint(&claims, f);
    let good = decode::<Value>(mint(Forge::Valid), &key, &rules).unwrap();
    assert_eq!(good.claims["repository"], "prov/manager");
    for bad in [Forge::OtherKey, Forge::AlgNone, Forge::Hs256, Forge::BadSignature] {
        assert!(decode::<Value>(mint(bad), &key, &rules).is_err(), "{bad:?}");
    }
}

const STEPS: &str = "name: deploy\non:\n  repository_dispatch:\n    types: [tenantry-request]\npermissions:\n  contents: read\n  id-token: write\njobs:\n  intake:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/tenantry/actions/intake@v1\n  plan-staging:\n    environment: staging-plan\n  report: {}\n  apply-staging:\n    environment: staging-apply\n  final: {}\n";

const FAKE: &str = "#!/bin/sh\necho \"$* env=$TENANTRY_ENVIRONMENT seal=$TENANTRY_SEAL_IDENTITY source=$TENANTRY_SOURCE_TOKEN\"\nif [ \"$1\" = intake ]; then\n  m='{\"include\":[{\"stack\":\"acme/web/staging\",\"request\":\"acme/push-1\"}]}'\n  printf 'any=true\\nrequests<<EOF\\n{\"include\":[{\"request\":\"acme/push-1\"}]}\\nEOF\\n' >> \"$GITHUB_OUTPUT\"\n  echo \"plan_staging=$m\" >> \"$GITHUB_OUTPUT\"\n  echo \"apply_staging=$m\" >> \"$GITHUB_OUTPUT\"\nfi\n";

#[tokio::test]
async fn the_steps_of_a_run_wait_for_approval_before_apply() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("tenantry");
    std::fs::write(&fake, FAKE).unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let runner = RunnerSettings { kind: RunnerKind::Steps, tenantry: fake, ..RunnerSettings::hold(PATH) };
    let settings = Settings { dir: dir.path().join("hub"), port: 0, record: None, runner, admin_token: None, clock: Clock::real() };
    let w = World { hub: Server::start(settings).await.unwrap(), _dir: dir };
    w.ok("POST", "/_local/users", json!({"login": "rev"})).await;
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "secrets": {"SOURCE_REPOS_PAT": "src"}, "files": {".github/workflows/deploy.yml": STEPS}})).await;
    w.ok("POST", "/_local/collaborators", json!({"repo": "prov/manager", "user": "rev", "permission": "read"})).await;
    let id = w.ok("GET", "/users/rev", Value::Null).await["id"].clone();
    w.ok("PUT", "/repos/prov/manager/environments/staging-apply", json!({"reviewers": [{"type": "User", "id": id}]})).await;
    w.ok("POST", "/_local/secrets", json!({"repo": "prov/manager", "environment": "staging-apply", "name": "TENANTRY_SEAL_IDENTITY", "value": "key"})).await;
    w.ok("POST", "/repos/prov/manager/dispatches", json!({"event_type": "tenantry-request"})).await;
    w.hub.idle().await;
    let run = w.ok("GET", "/_local/runs", Value::Null).await[0].clone();
    assert_eq!((run["status"].as_str(), run["waiting"][0].as_str()), (Some("waiting"), Some("staging-apply")), "{run}");
    let log = run["log"].as_str().unwrap();
    assert!(log.contains("plan --request acme/push-1 --stack acme/web/staging env=staging-plan seal= source=src"), "{log}");
    assert!(!log.contains("seal=key"), "the key is only given behind the gate: {log}");
    w.ok("POST", &format!("/_local/runs/{}/approve", run["id"]), json!({"user": "rev"})).await;
    w.hub.idle().await;
    let run = w.ok("GET", &format!("/_local/runs/{}", run["id"]), Value::Null).await;
    assert_eq!(run["conclusion"], "success");
    let log = run["log"].as_str().unwrap();
    assert!(log.contains("apply --request acme/push-1 --stack acme/web/staging env=staging-apply seal=key"), "{log}");
    assert!(log.contains("report --request acme/push-1 --final"), "{log}");
    w.hub.stop().await;
}

#[tokio::test]
async fn act_runs_the_real_workflow_file() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(act) = std::env::split_paths(&path).map(|d| d.join("act")).find(|p| p.is_file()) else {
        eprintln!("SKIPPED: no act on the PATH");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let runner = RunnerSettings { kind: RunnerKind::Act, act, ..RunnerSettings::hold(PATH) };
    let settings = Settings { dir: dir.path().join("hub"), port: 0, record: None, runner, admin_token: None, clock: Clock::real() };
    let w = World { hub: Server::start(settings).await.unwrap(), _dir: dir };
    let flow = "name: t\non: [push, pull_request]\npermissions: {id-token: write}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: 'echo \"api=$GITHUB_API_URL server=$GITHUB_SERVER_URL gql=$GITHUB_GRAPHQL_URL sha=$GITHUB_SHA ref=$GITHUB_REF run=$GITHUB_RUN_ID id=$GITHUB_REPOSITORY_ID actor=$GITHUB_ACTOR head=$GITHUB_HEAD_REF var=${{ vars.FOO }} oidc=${ACTIONS_ID_TOKEN_REQUEST_URL} file=$(cat README.md)\"'\n";
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "variables": {"FOO": "a'b"}, "files": {".github/workflows/w.yml": flow, "README.md": "hello"}})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "prov/manager", "files": {"x": "1"}, "user": "prov"})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "prov/manager", "branch": "b", "files": {"x": "2"}, "user": "prov"})).await;
    w.ok("POST", "/repos/prov/manager/pulls", json!({"title": "t", "head": "b", "base": "main"})).await;
    w.hub.idle().await;
    let runs = w.ok("GET", "/_local/runs", Value::Null).await;
    for run in runs.as_array().unwrap() {
        assert_eq!(run["conclusion"], "success", "{run}");
        assert_eq!(run["jobs"][0]["conclusion"], "success", "{run}");
        let log = run["log"].as_str().unwrap();
        assert!(log.contains("var=a'b") && log.contains("file=hello") && log.contains("actor=prov") | log.contains("actor=local-admin"), "{log}");
        let api = format!("api={0} server={0} gql={0}/graphql", w.hub.url);
        assert!(log.contains(&api), "{log}");
    }
    assert_eq!(runs.as_array().unwrap().len(), 3);
    w.hub.stop().await;
}

#[tokio::test]
async fn every_route_answers_once() {
    let w = world().await;
    let sha = repo(&w).await;
    let r = "/repos/acme/shop";
    w.ok("POST", "/_local/orgs", json!({"login": "corp"})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "acme/shop", "branch": "b", "files": {"x": "2", ".github/workflows/w.yml": FLOW}, "user": "acme"})).await;
    w.ok("POST", "/_local/commits", json!({"repo": "acme/shop", "files": {".github/workflows/w.yml": FLOW}, "user": "acme"})).await;
    w.ok("POST", "/user/repos", json!({"name": "own", "auto_init": true})).await;
    w.ok("POST", "/orgs/corp/repos", json!({"name": "theirs", "private": true})).await;
    w.ok("POST", &format!("{r}/pulls"), json!({"title": "t", "head": "b", "base": "main"})).await;
    w.ok("POST", &format!("{r}/issues/1/comments"), json!({"body": "c"})).await;
    let blob = w.ok("POST", &format!("{r}/git/blobs"), json!({"content": "x", "encoding": "utf-8"})).await;
    let tree = w.ok("POST", &format!("{r}/git/trees"), json!({"base_tree": sha, "tree": [{"path": "d/e", "mode": "100644", "type": "blob", "sha": blob["sha"]}]})).await;
    let commit = w.ok("POST", &format!("{r}/git/commits"), json!({"message": "m", "tree": tree["sha"], "parents": [sha]})).await;
    w.ok("POST", &format!("{r}/git/refs"), json!({"ref": "refs/heads/new", "sha": commit["sha"]})).await;
    w.ok("PATCH", &format!("{r}/git/refs/heads/new"), json!({"sha": sha, "force": true})).await;
    w.ok("POST", &format!("{r}/statuses/{sha}"), json!({"state": "pending", "context": "infra"})).await;
    let check = w.ok("POST", &format!("{r}/check-runs"), json!({"name": "plan", "head_sha": sha, "status": "in_progress"})).await;
    let output = json!({"conclusion": "failure", "output": {"title": "t", "summary": "s", "annotations": [{"path": "a", "start_line": 1, "end_line": 1, "annotation_level": "failure", "message": "m"}]}});
    w.ok("PATCH", &format!("{r}/check-runs/{}", check["id"]), output).await;
    let me = w.ok("GET", "/user", Value::Null).await["id"].clone();
    w.ok("PUT", &format!("{r}/environments/staging-apply"), json!({"reviewers": [{"type": "User", "id": me}], "wait_timer": 5, "deployment_branch_policy": {"protected_branches": true, "custom_branch_policies": false}})).await;
    w.ok("POST", &format!("{r}/actions/variables"), json!({"name": "FOO", "value": "1"})).await;
    w.ok("POST", &format!("{r}/environments/staging-apply/variables"), json!({"name": "FOO", "value": "1"})).await;
    w.ok("POST", "/_local/secrets", json!({"repo": "acme/shop", "name": "S", "value": "1"})).await;
    w.ok("POST", &format!("{r}/dispatches"), json!({"event_type": "tenantry-request", "client_payload": {"a": 1}})).await;
    let run = w.ok("GET", &format!("{r}/actions/runs"), Value::Null).await["workflow_runs"][0]["id"].as_u64().unwrap();
    runner::job::request(w.hub.inner(), run, "staging-apply");
    let pending = w.ok("GET", &format!("{r}/actions/runs/{run}/pending_deployments"), Value::Null).await;
    w.ok("POST", &format!("{r}/actions/runs/{run}/pending_deployments"), json!({"environment_ids": [pending[0]["environment"]["id"]], "state": "approved", "comment": ""})).await;
    let set = w.ok("POST", &format!("{r}/rulesets"), json!({"name": "n", "enforcement": "active", "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}}, "rules": [{"type": "deletion"}]})).await;
    for path in [
        "", "/branches", "/branches/main", "/commits", "/commits/main", "/compare/main...b", "/git/ref/heads/main", "/git/trees/main?recursive=1",
        "/contents", "/contents/README.md", "/pulls", "/pulls/1", "/pulls/1/files", "/pulls/1/commits", "/issues/1/comments", "/commits/b/pulls",
        "/environments", "/environments/staging-apply", "/environments/staging-apply/variables", "/environments/staging-apply/secrets",
        "/actions/variables", "/actions/variables/FOO", "/actions/secrets", "/actions/secrets/S", "/actions/workflows", "/actions/workflows/w.yml/runs",
        "/rulesets", "/rules/branches/main", "/forks", "/collaborators/acme/permission",
    ] {
        w.ok("GET", &format!("{r}{path}"), Value::Null).await;
    }
    for path in [format!("/git/blobs/{}", blob["sha"].as_str().unwrap()), format!("/git/commits/{sha}"), format!("/commits/{sha}/status"), format!("/commits/{sha}/statuses"),
        format!("/commits/{sha}/check-runs"), format!("/check-runs/{}", check["id"]), format!("/check-runs/{}/annotations", check["id"]), format!("/actions/runs/{run}"),
        format!("/actions/runs/{run}/jobs"), format!("/actions/runs/{run}/approvals"), format!("/rulesets/{}", set["id"])] {
        w.ok("GET", &format!("{r}{path}"), Value::Null).await;
    }
    for path in ["/rate_limit", "/user/repos", "/users/acme", "/orgs/corp/repos"] {
        w.ok("GET", path, Value::Null).await;
    }
    w.ok("PUT", &format!("{r}/pulls/1/merge"), json!({"merge_method": "squash"})).await;
    w.ok("POST", &format!("{r}/actions/runs/{run}/cancel"), Value::Null).await;
}
