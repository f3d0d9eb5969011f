//! Bad input: one clear message, the status `failure`, nothing planned or applied.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use support::{Tested, expect, settings, steps, variables};
use tenantry::local::stage::{Engine, Hints, MANAGER, Stage, Tenant};
use tenantry::local::{Forge, RunnerSettings};

async fn stage_with(
    dir: &Path,
    runner: RunnerSettings,
) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    let stage = Stage::set(settings(dir, Engine::Argocd, Hints::Direct, runner)?).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    Ok((stage, acme))
}

async fn stage(dir: &Path) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    stage_with(dir, steps()).await
}

fn nothing_done(stage: &Stage) -> bool {
    !stage.store_dir().join("plans").exists() && !stage.store_dir().join("applied").exists()
}

/// The commit has the status `failure`, its description holds `words`, and nothing was planned.
async fn refused(stage: &Stage, tenant: &Tenant, sha: &str, words: &str) -> Tested {
    stage.server.idle().await;
    let last = stage.status(tenant, sha).await?;
    let ok = last
        .as_ref()
        .is_some_and(|s| s.state == "failure" && s.description.contains(words));
    expect(
        stage,
        &format!("`{words}` in {last:?}"),
        ok && nothing_done(stage),
    )
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_is_answered_with_line_and_column() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let good = variables("shop", 2);
    let big = format!("{good}\n# {}\n", "x".repeat(1 << 20));
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..20 {
        let last = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", last.trim_end_matches(", ")));
    }
    let cases: [(&str, String, &str); 10] = [
        (
            "malformed",
            good.replace("tags:", "tags: ["),
            "infra/variables.yml:",
        ),
        ("large", big, "the limit is 1048576"),
        ("bomb", bomb, "infra/variables.yml:"),
        (
            "type",
            good.replace("max_instances: 2", "max_instances: two"),
            "infra/variables.yml:7:20: `max_instances`",
        ),
        (
            "key",
            good.replace("instance_type: t3.micro", "instance_typ: t3.micro"),
            "infra/variables.yml:5:5: unknown key `instance_typ`; did you mean `instance_type`?",
        ),
        (
            "enum",
            good.replace("t3.micro", "t3.mikro"),
            "infra/variables.yml:5:20: `instance_type` is `t3.mikro`, which is not allowed; did you mean `t3.micro`?",
        ),
        (
            "environment",
            good.replace("  staging:", "  stagin:"),
            "infra/variables.yml:4:3: there is no environment `stagin`; did you mean `staging`?",
        ),
        (
            "ambiguous",
            good.replace("project: shop\n", "project: no\n"),
            "infra/variables.yml:17:12: `no` is read differently",
        ),
        (
            "policy",
            good.replace("max_instances: 10", "max_instances: 1"),
            "infra/variables.yml:10:20: min_instances is larger than max_instances",
        ),
        (
            "expression",
            good.replace("{{ environment }}", "{{ environmnt }}"),
            "infra/variables.yml:18:16: `environmnt` is not defined",
        ),
    ];
    for (name, text, words) in cases {
        let (number, sha) = stage.propose(&acme, name, &text, name).await?;
        refused(&stage, &acme, &sha, words)
            .await
            .map_err(|e| format!("{name}: {e}"))?;
        let comments = stage.comments(&acme, number).await?;
        expect(
            &stage,
            name,
            comments.len() == 1 && comments[0].body.contains("Please correct"),
        )
        .await?;
    }
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t22_only_regular_files_are_read() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let repo = format!("/repos/{}", acme.repository);
    let main = stage
        .by(
            acme.user,
            "GET",
            &format!("{repo}/git/ref/heads/main"),
            Value::Null,
        )
        .await?["object"]["sha"]
        .clone();
    let tree = stage
        .by(
            acme.user,
            "GET",
            &format!("{repo}/git/commits/{}", main.as_str().unwrap_or_default()),
            Value::Null,
        )
        .await?["tree"]["sha"]
        .clone();
    for (mode, branch) in [("120000", "link"), ("100755", "executable")] {
        let made = stage.by(acme.user, "POST", &format!("{repo}/git/trees"), json!({"base_tree": tree, "tree": [{"path": "infra/variables.yml", "mode": mode, "type": "blob", "content": "../../../etc/passwd"}]})).await?;
        let commit = stage
            .by(
                acme.user,
                "POST",
                &format!("{repo}/git/commits"),
                json!({"message": branch, "tree": made["sha"], "parents": [main]}),
            )
            .await?;
        stage
            .by(
                acme.user,
                "POST",
                &format!("{repo}/git/refs"),
                json!({"ref": format!("refs/heads/{branch}"), "sha": commit["sha"]}),
            )
            .await?;
        stage
            .by(
                acme.user,
                "POST",
                &format!("{repo}/pulls"),
                json!({"title": branch, "head": branch, "base": "main"}),
            )
            .await?;
        refused(
            &stage,
            &acme,
            commit["sha"].as_str().unwrap_or_default(),
            &format!("this is mode {mode}"),
        )
        .await?;
    }
    stage.server.stop().await;
    Ok(())
}

/// Claims of a workflow of `tenant` for a push of `sha`.
fn claims(stage: &Stage, tenant: &Tenant, sha: &str, jti: &str) -> Value {
    let now = stage.server.state().now();
    json!({
        "iss": format!("{}/_oidc", stage.server.url), "aud": format!("tenantry:{MANAGER}"), "sub": format!("repo:{}:ref:refs/heads/main", tenant.repository),
        "jti": jti, "iat": now, "nbf": now - 5, "exp": now + 300, "repository": tenant.repository, "repository_id": tenant.repository_id.to_string(),
        "repository_owner_id": "1", "ref": "refs/heads/main", "sha": sha, "event_name": "push", "actor": tenant.user, "actor_id": "999", "run_id": "1",
    })
}

/// The claims are made before the state is locked.
fn sign(stage: &Stage, claims: &Value) -> String {
    stage.server.state().issuer.sign(claims)
}

fn payload(tenant: &Tenant, sha: &str, id: &str, token: &str) -> Value {
    json!({"tenantry": 1, "request_id": id, "repository": tenant.repository, "repository_id": tenant.repository_id, "sha": sha, "ref": "refs/heads/main", "event": "push", "identity": token})
}

/// Sends a hint that must be refused, and gives back the log of the manager's run.
async fn send(stage: &Stage, payload: &Value) -> Result<String, Box<dyn std::error::Error>> {
    let token = stage.tokens.get("dispatch").cloned().unwrap_or_default();
    assert_eq!(stage.dispatch(&token, payload).await, 204);
    stage.server.idle().await;
    let runs = stage.admin("GET", "/_local/runs", Value::Null).await?;
    let last = runs
        .as_array()
        .and_then(|r| r.iter().rfind(|r| r["repo"] == MANAGER))
        .cloned()
        .unwrap_or(Value::Null);
    Ok(format!(
        "{} {}",
        last["conclusion"],
        last["log"].as_str().unwrap_or_default()
    ))
}

async fn head(stage: &Stage, tenant: &Tenant) -> Result<String, Box<dyn std::error::Error>> {
    let answer = stage
        .admin(
            "GET",
            &format!("/repos/{}/git/ref/heads/main", tenant.repository),
            Value::Null,
        )
        .await?;
    Ok(answer["object"]["sha"]
        .as_str()
        .unwrap_or_default()
        .to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_customer_cannot_ask_for_another() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let globex = stage.tenant("globex").ok_or("globex")?.clone();
    let (acme_head, globex_head) = (head(&stage, &acme).await?, head(&stage, &globex).await?);
    let token = sign(&stage, &claims(&stage, &globex, &globex_head, "t2-1"));
    // globex speaks, but of acme.
    let log = send(&stage, &payload(&acme, &acme_head, "forged-0001", &token)).await?;
    expect(
        &stage,
        &log,
        log.starts_with("\"failure\"") && log.contains("repository id differs"),
    )
    .await?;
    assert_eq!(
        stage.statuses(&acme, &acme_head).await?,
        vec![],
        "nothing is written to acme"
    );
    refused(&stage, &globex, &globex_head, "repository id differs").await?;
    // Nobody speaks at all.
    for (id, identity) in [
        ("forged-0002", json!(null)),
        ("forged-0003", json!("a.b.c")),
    ] {
        let mut bare = payload(&acme, &acme_head, id, "");
        bare["identity"] = identity;
        let log = send(&stage, &bare).await?;
        expect(
            &stage,
            &log,
            log.starts_with("\"failure\"") && log.contains("identity token"),
        )
        .await?;
    }
    assert_eq!(
        stage.statuses(&acme, &acme_head).await?,
        vec![],
        "nothing is written to acme"
    );
    assert!(nothing_done(&stage));
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_expired_foreign_and_replayed_tokens() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let sha = head(&stage, &acme).await?;
    let good = claims(&stage, &acme, &sha, "t4-good");
    let mut expired = good.clone();
    expired["exp"] = json!(stage.server.state().now() - 600);
    let token = stage.server.state().issuer.sign(&expired);
    send(&stage, &payload(&acme, &sha, "expired-0001", &token)).await?;
    refused(&stage, &acme, &sha, "it has expired").await?;
    let mut audience = good.clone();
    audience["aud"] = json!("tenantry:ops/other");
    let token = stage.server.state().issuer.sign(&audience);
    let log = send(&stage, &payload(&acme, &sha, "audience-0001", &token)).await?;
    expect(
        &stage,
        &log,
        log.contains("it was made for `tenantry:ops/other`"),
    )
    .await?;
    let token = stage.server.state().issuer.mint(&good, Forge::OtherKey);
    let log = send(&stage, &payload(&acme, &sha, "forged-0001", &token)).await?;
    expect(&stage, &log, log.contains("not a valid signed token")).await?;
    // A good one works once; with another request id it is a replay.
    let token = stage.server.state().issuer.sign(&good);
    let log = send(&stage, &payload(&acme, &sha, "good-0001", &token)).await?;
    expect(&stage, &log, log.contains("planning acme/web/staging")).await?;
    let log = send(&stage, &payload(&acme, &sha, "replay-0001", &token)).await?;
    expect(
        &stage,
        &log,
        log.starts_with("\"failure\"") && log.contains("used already"),
    )
    .await?;
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t4_one_token_sent_fifty_times_is_one_request() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let sha = head(&stage, &acme).await?;
    let token = sign(&stage, &claims(&stage, &acme, &sha, "t4-fifty"));
    let dispatch = stage.tokens.get("dispatch").cloned().unwrap_or_default();
    for _ in 0..50 {
        assert_eq!(
            stage
                .dispatch(&dispatch, &payload(&acme, &sha, "fifty-0001", &token))
                .await,
            204
        );
    }
    stage.server.idle().await;
    let logs = stage.logs().await?;
    let planned = logs.matches("planning acme/web/staging").count();
    expect(&stage, &format!("planned {planned} times"), planned == 1).await?;
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn payloads_customers_and_commits_that_are_not_what_they_say() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let sha = head(&stage, &acme).await?;
    let mut extra = payload(&acme, &sha, "extra-0001", "x");
    extra["customer"] = json!("globex");
    let log = send(&stage, &extra).await?;
    expect(&stage, &log, log.contains("unknown key `customer`")).await?;
    let mut short = payload(&acme, &sha, "short-0001", "x");
    short.as_object_mut().map(|m| m.remove("sha"));
    let log = send(&stage, &short).await?;
    expect(&stage, &log, log.contains("`sha` is missing")).await?;
    // Signed by GitHub, but of a repository that is no customer's.
    let mut stranger = claims(&stage, &acme, &sha, "stranger");
    stranger["repository_id"] = json!("424242");
    let token = stage.server.state().issuer.sign(&stranger);
    let log = send(&stage, &payload(&acme, &sha, "stranger-0001", &token)).await?;
    expect(
        &stage,
        &log,
        log.contains("repository id 424242 is not registered"),
    )
    .await?;
    assert_eq!(stage.statuses(&acme, &sha).await?, vec![]);
    // A commit that is not the head.
    let newer = stage
        .commit(&acme, "main", "README.md", "x", "not under infra")
        .await?;
    let token = sign(&stage, &claims(&stage, &acme, &sha, "old"));
    send(&stage, &payload(&acme, &sha, "old-0001", &token)).await?;
    refused(&stage, &acme, &sha, "is not the head of `main`").await?;
    assert_ne!(newer, sha);
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_a_reused_name_is_not_the_customer() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let sha = head(&stage, &acme).await?;
    stage
        .admin("PATCH", "/repos/acme/shop", json!({"name": "shop-two"}))
        .await?;
    stage.admin("POST", "/_local/repos", json!({"repo": "acme/shop", "private": false, "user": "mallory", "files": {"infra/variables.yml": variables("shop", 9)}})).await?;
    let token = sign(&stage, &claims(&stage, &acme, &sha, "renamed"));
    let log = send(&stage, &payload(&acme, &sha, "renamed-0001", &token)).await?;
    expect(
        &stage,
        &log,
        log.starts_with("\"failure\"") && log.contains("is another repository now"),
    )
    .await?;
    stage.tick().await?;
    stage.server.idle().await;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "the sweep says it",
        logs.contains("acme: its repository is another one now"),
    )
    .await?;
    assert!(!stage.store_dir().join("plans/acme").exists());
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_direct_dispatch_without_a_ruleset_is_refused() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let rulesets = stage
        .admin("GET", &format!("/repos/{MANAGER}/rulesets"), Value::Null)
        .await?;
    let tags = rulesets
        .as_array()
        .into_iter()
        .flatten()
        .find(|r| r["target"] == "tag")
        .map(|r| r["id"].clone())
        .ok_or("no ruleset")?;
    stage
        .admin(
            "DELETE",
            &format!("/repos/{MANAGER}/rulesets/{tags}"),
            Value::Null,
        )
        .await?;
    let sha = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 3),
            "Change",
        )
        .await?;
    refused(
        &stage,
        &acme,
        &sha,
        "no active ruleset of `ops/infra-manager` blocks",
    )
    .await?;
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_tool_and_an_unreachable_store() -> Tested {
    let dir = tempfile::tempdir()?;
    let mut wanted = settings(dir.path(), Engine::Terraform, Hints::Direct, steps())?;
    let bin = tempfile::tempdir()?;
    for name in ["git", "kill", "sh"] {
        if let Some(real) = support::tool(name) {
            std::os::unix::fs::symlink(real, bin.path().join(name))?;
        }
    }
    wanted.server.runner.path = bin.path().display().to_string();
    let stage = Stage::set(wanted).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let (number, sha) = stage
        .propose(&acme, "change", &variables("shop", 3), "Change")
        .await?;
    refused(&stage, &acme, &sha, "failed: web/staging").await?;
    let comments = stage.comments(&acme, number).await?;
    expect(
        &stage,
        "the reason",
        comments[0]
            .body
            .contains("neither `tofu` nor `terraform` is on the PATH"),
    )
    .await?;
    // The store's folder cannot be a folder any more.
    std::fs::remove_dir_all(stage.store_dir())?;
    std::fs::write(stage.store_dir(), "in the way")?;
    let (_, sha) = stage
        .propose(&acme, "other", &variables("shop", 4), "Other")
        .await?;
    stage.server.idle().await;
    let last = stage.status(&acme, &sha).await?.ok_or("no status")?;
    expect(
        &stage,
        &format!("{last:?}"),
        last.state == "failure" && last.description.contains("the store folder cannot be used"),
    )
    .await?;
    stage.server.stop().await;
    Ok(())
}
