//! Stories of workflow runs.
use super::*;

const STEPS: &str = "name: deploy\non:\n  repository_dispatch:\n    types: [tenantry-request]\npermissions:\n  contents: read\n  id-token: write\njobs:\n  intake:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: acme/tenantry/actions/intake@v1\n  plan-staging:\n    environment: staging-plan\n  report: {}\n  apply-staging:\n    environment: staging-apply\n  final: {}\n";

const FAKE: &str = "#!/bin/sh\necho \"$* env=$TENANTRY_ENVIRONMENT seal=$TENANTRY_SEAL_IDENTITY source=$TENANTRY_SOURCE_TOKEN\"\nif [ \"$1\" = intake ]; then\n  m='{\"include\":[{\"stack\":\"acme/web/staging\",\"request\":\"acme/push-1\"}]}'\n  printf 'any=true\\nrequests<<EOF\\n{\"include\":[{\"request\":\"acme/push-1\"}]}\\nEOF\\n' >> \"$GITHUB_OUTPUT\"\n  echo \"plan_staging=$m\" >> \"$GITHUB_OUTPUT\"\n  echo \"apply_staging=$m\" >> \"$GITHUB_OUTPUT\"\nfi\n";

#[tokio::test]
async fn the_steps_of_a_run_wait_for_approval_before_apply() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let fake = dir.path().join("tenantry");
    std::fs::write(&fake, FAKE).unwrap();
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755)).unwrap();
    let runner = RunnerSettings {
        kind: RunnerKind::Steps,
        tenantry: fake,
        ..RunnerSettings::hold(PATH)
    };
    let settings = Settings {
        dir: dir.path().join("hub"),
        port: 0,
        record: None,
        runner,
        admin_token: None,
        clock: Clock::real(),
    };
    let w = World {
        hub: Server::start(settings).await.unwrap(),
        _dir: dir,
    };
    w.ok("POST", "/_local/users", json!({"login": "rev"})).await;
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "secrets": {"SOURCE_REPOS_PAT": "src"}, "files": {".github/workflows/deploy.yml": STEPS}})).await;
    w.ok(
        "POST",
        "/_local/collaborators",
        json!({"repo": "prov/manager", "user": "rev", "permission": "read"}),
    )
    .await;
    let id = w.ok("GET", "/users/rev", Value::Null).await["id"].clone();
    w.ok(
        "PUT",
        "/repos/prov/manager/environments/staging-apply",
        json!({"reviewers": [{"type": "User", "id": id}]}),
    )
    .await;
    w.ok("POST", "/_local/secrets", json!({"repo": "prov/manager", "environment": "staging-apply", "name": "TENANTRY_SEAL_IDENTITY", "value": "key"})).await;
    w.ok(
        "POST",
        "/repos/prov/manager/dispatches",
        json!({"event_type": "tenantry-request"}),
    )
    .await;
    w.hub.idle().await;
    let run = w.ok("GET", "/_local/runs", Value::Null).await[0].clone();
    assert_eq!(
        (run["status"].as_str(), run["waiting"][0].as_str()),
        (Some("waiting"), Some("staging-apply")),
        "{run}"
    );
    let log = run["log"].as_str().unwrap();
    assert!(
        log.contains(
            "plan --request acme/push-1 --stack acme/web/staging env=staging-plan seal= source=src"
        ),
        "{log}"
    );
    assert!(
        !log.contains("seal=key"),
        "the key is only given behind the gate: {log}"
    );
    w.ok(
        "POST",
        &format!("/_local/runs/{}/approve", run["id"]),
        json!({"user": "rev"}),
    )
    .await;
    w.hub.idle().await;
    let run = w
        .ok("GET", &format!("/_local/runs/{}", run["id"]), Value::Null)
        .await;
    assert_eq!(run["conclusion"], "success");
    let log = run["log"].as_str().unwrap();
    assert!(
        log.contains(
            "apply --request acme/push-1 --stack acme/web/staging env=staging-apply seal=key"
        ),
        "{log}"
    );
    assert!(
        log.contains("report --request acme/push-1 --final"),
        "{log}"
    );
    w.hub.stop().await;
}

#[tokio::test]
async fn act_runs_the_real_workflow_file() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(act) = std::env::split_paths(&path)
        .map(|d| d.join("act"))
        .find(|p| p.is_file())
    else {
        eprintln!("SKIPPED: no act on the PATH");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let runner = RunnerSettings {
        kind: RunnerKind::Act,
        act,
        ..RunnerSettings::hold(PATH)
    };
    let settings = Settings {
        dir: dir.path().join("hub"),
        port: 0,
        record: None,
        runner,
        admin_token: None,
        clock: Clock::real(),
    };
    let w = World {
        hub: Server::start(settings).await.unwrap(),
        _dir: dir,
    };
    let flow = "name: t\non: [push, pull_request]\npermissions: {id-token: write}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: actions/checkout@v4\n      - run: 'echo \"api=$GITHUB_API_URL server=$GITHUB_SERVER_URL gql=$GITHUB_GRAPHQL_URL sha=$GITHUB_SHA ref=$GITHUB_REF run=$GITHUB_RUN_ID id=$GITHUB_REPOSITORY_ID actor=$GITHUB_ACTOR head=$GITHUB_HEAD_REF var=${{ vars.FOO }} oidc=${ACTIONS_ID_TOKEN_REQUEST_URL} file=$(cat README.md)\"'\n";
    w.ok("POST", "/_local/repos", json!({"repo": "prov/manager", "variables": {"FOO": "a'b"}, "files": {".github/workflows/w.yml": flow, "README.md": "hello"}})).await;
    w.ok(
        "POST",
        "/_local/commits",
        json!({"repo": "prov/manager", "files": {"x": "1"}, "user": "prov"}),
    )
    .await;
    w.ok(
        "POST",
        "/_local/commits",
        json!({"repo": "prov/manager", "branch": "b", "files": {"x": "2"}, "user": "prov"}),
    )
    .await;
    w.ok(
        "POST",
        "/repos/prov/manager/pulls",
        json!({"title": "t", "head": "b", "base": "main"}),
    )
    .await;
    w.hub.idle().await;
    let runs = w.ok("GET", "/_local/runs", Value::Null).await;
    for run in runs.as_array().unwrap() {
        assert_eq!(run["conclusion"], "success", "{run}");
        assert_eq!(run["jobs"][0]["conclusion"], "success", "{run}");
        let log = run["log"].as_str().unwrap();
        assert!(
            log.contains("var=a'b")
                && log.contains("file=hello")
                && log.contains("actor=prov") | log.contains("actor=local-admin"),
            "{log}"
        );
        let api = format!("api={0} server={0} gql={0}/graphql", w.hub.url);
        assert!(log.contains(&api), "{log}");
    }
    assert_eq!(runs.as_array().unwrap().len(), 3);
    w.hub.stop().await;
}

#[tokio::test]
async fn act_waits_at_a_protected_environment_as_long_as_the_step_does() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let Some(act) = std::env::split_paths(&path)
        .map(|d| d.join("act"))
        .find(|p| p.is_file())
    else {
        eprintln!("SKIPPED: no act on the PATH");
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let action = dir.path().join("tool/actions/x");
    std::fs::create_dir_all(&action).unwrap();
    let yaml = "name: x\ndescription: x\noutputs:\n  m: {description: m, value: \"${{ steps.q.outputs.m }}\"}\nruns:\n  using: composite\n  steps:\n    - id: q\n      shell: bash\n      run: echo 'm={\"include\":[{\"stack\":\"a\"},{\"stack\":\"b\"}]}' >> \"$GITHUB_OUTPUT\"\n";
    std::fs::write(action.join("action.yml"), yaml).unwrap();
    let local = format!("acme/tool@v1={}", dir.path().join("tool").display());
    let go = dir.path().join("go");
    let runner = RunnerSettings {
        kind: RunnerKind::Act,
        act,
        local_repositories: vec![local],
        ..RunnerSettings::hold(PATH)
    };
    let settings = Settings {
        dir: dir.path().join("hub"),
        port: 0,
        record: None,
        runner,
        admin_token: None,
        clock: Clock::real(),
    };
    let w = World {
        hub: Server::start(settings).await.unwrap(),
        _dir: dir,
    };
    let flow = format!(
        "name: t\non:\n  repository_dispatch:\n    types: [go]\njobs:\n  a:\n    runs-on: ubuntu-latest\n    outputs: {{m: \"${{{{ steps.s.outputs.m }}}}\"}}\n    steps:\n      - id: s\n        uses: acme/tool/actions/x@v1\n  b:\n    needs: a\n    runs-on: ubuntu-latest\n    environment: staging-apply\n    strategy:\n      matrix: ${{{{ fromJSON(needs.a.outputs.m) }}}}\n    steps:\n      - env: {{K: \"${{{{ secrets.KEY }}}}\", S: \"${{{{ matrix.stack }}}}\"}}\n        run: until [ -e {} ]; do sleep 0.05; done; echo \"stack=$S length=${{#K}}\"\n",
        go.display()
    );
    w.ok("POST", "/_local/users", json!({"login": "rev"})).await;
    w.ok(
        "POST",
        "/_local/repos",
        json!({"repo": "prov/manager", "files": {".github/workflows/w.yml": flow}}),
    )
    .await;
    let me = w.ok("GET", "/user", Value::Null).await["id"].clone();
    w.ok(
        "PUT",
        "/repos/prov/manager/environments/staging-apply",
        json!({"reviewers": [{"type": "User", "id": me}]}),
    )
    .await;
    w.ok("POST", "/_local/secrets", json!({"repo": "prov/manager", "environment": "staging-apply", "name": "KEY", "value": "12345"})).await;
    w.ok(
        "POST",
        "/repos/prov/manager/dispatches",
        json!({"event_type": "go"}),
    )
    .await;
    w.hub.idle().await;
    let run = w.ok("GET", "/_local/runs", Value::Null).await[0].clone();
    assert_eq!(
        (run["status"].as_str(), run["waiting"][0].as_str()),
        (Some("waiting"), Some("staging-apply")),
        "{run}"
    );
    w.ok(
        "POST",
        &format!("/_local/runs/{}/approve", run["id"]),
        json!({"user": "rev"}),
    )
    .await;
    std::fs::write(&go, "").unwrap();
    w.hub.idle().await;
    let run = w
        .ok("GET", &format!("/_local/runs/{}", run["id"]), Value::Null)
        .await;
    assert_eq!(run["conclusion"], "success", "{run}");
    let log = run["log"].as_str().unwrap();
    assert!(
        log.contains("stack=a length=5") && log.contains("stack=b length=5"),
        "{log}"
    );
    w.hub.stop().await;
}
