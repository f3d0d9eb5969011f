//! The local GitHub is only worth something while it is true to GitHub: every request of the
//! client and every answer is checked against GitHub's OpenAPI description, and an unmodified
//! `@octokit/rest` drives it.

mod support;

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::{Tested, expect, path, settings, skip, steps, tool, variables};
use tenantry::estate::RepoSlug;
use tenantry::github::{App, Client, ClientSettings, Credential};
use tenantry::local::stage::{Engine, GITOPS, Hints, MANAGER, REVIEWER, Stage};
use tenantry::local::{Clock, RunnerSettings, Server, Settings};
use tokio::process::Command;

const NO_NODE: &str = "node or tests/node/node_modules is not there; tests/run installs it";

/// Node and the folder of the scripts, with their packages.
fn node() -> Option<(PathBuf, PathBuf)> {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node");
    let packages = scripts.join("node_modules/@octokit").is_dir();
    packages
        .then_some(())
        .and(tool("node"))
        .map(|n| (n, scripts))
}

/// Runs a script; its whole output, as an error if it fails.
async fn script(
    (node, scripts): &(PathBuf, PathBuf),
    name: &str,
    arguments: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    let out = Command::new(node)
        .arg(scripts.join(name))
        .args(arguments)
        .env_clear()
        .env("PATH", path())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    if out.status.success() {
        Ok(text)
    } else {
        Err(format!("{name}: {}\n{text}", out.status).into())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_exchange_of_a_change_conforms() -> Tested {
    let Some(node) = node() else {
        return skip("every_exchange_of_a_change_conforms", NO_NODE);
    };
    let dir = tempfile::tempdir()?;
    let record = dir.path().join("exchanges.jsonl");
    let mut settings = settings(
        &dir.path().join("stage"),
        Engine::Argocd,
        Hints::Direct,
        steps(),
    )?;
    settings.server.record = Some(record.clone());
    let stage = Stage::set(settings).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();

    // A file that is refused, then one that is planned, merged, approved and applied.
    let (number, _) = stage
        .propose(&acme, "bad", &variables("Shop!", 4), "A bad name")
        .await?;
    stage.server.idle().await;
    assert_eq!(stage.comments(&acme, number).await?.len(), 1);
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.server.idle().await;
    let merged = stage.merge(&acme, number, &head).await?;
    stage.server.idle().await;
    let Some(run) = stage.until_waiting(60).await? else {
        return expect(&stage, "production waits", false).await;
    };
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let last = stage.status(&acme, &merged).await?;
    expect(
        &stage,
        &format!("the final status is success: {last:?}"),
        last.is_some_and(|s| s.state == "success"),
    )
    .await?;
    // The sweep; what somebody edits by hand, and puts back; and a hint that is a lie.
    stage.tick().await?;
    stage.server.idle().await;
    let path = "stacks/acme/web/staging/values.yaml";
    let contents = format!("/repos/{GITOPS}/contents/{path}");
    let there = stage.admin("GET", &contents, json!(null)).await?;
    let gone = json!({"message": "by hand", "sha": there["sha"]});
    stage.admin("DELETE", &contents, gone).await?;
    stage.tick_of("drift.yml").await?;
    stage.server.idle().await;
    let issue = format!("/repos/{MANAGER}/issues/1");
    let opened = stage.admin("GET", &issue, json!(null)).await?;
    assert_eq!(opened["state"], "open", "{opened}");
    let back = json!({"message": "back", "content": there["content"]});
    stage.admin("PUT", &contents, back).await?;
    stage.tick_of("drift.yml").await?;
    stage.server.idle().await;
    let closed = stage.admin("GET", &issue, json!(null)).await?;
    assert_eq!(closed["state"], "closed", "{closed}");
    let list = format!("/repos/{MANAGER}/issues?state=closed&labels=drift&creator=nobody");
    stage.admin("GET", &list, json!(null)).await?;
    stage
        .dispatch(&stage.tokens["dispatch"], &json!({"tenantry": 1}))
        .await;
    stage.server.idle().await;
    stage.server.stop().await;

    let said = script(&node, "conformance.mjs", &[&record.to_string_lossy()]).await?;
    assert!(said.contains(" 0 failed"), "{said}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_octokit_drives_it() -> Tested {
    let Some(node) = node() else {
        return skip("an_unmodified_octokit_drives_it", NO_NODE);
    };
    let dir = tempfile::tempdir()?;
    let record = dir.path().join("exchanges.jsonl");
    let server = Server::start(Settings {
        dir: dir.path().join("stage"),
        port: 0,
        record: Some(record.clone()),
        runner: RunnerSettings::hold(&path()),
        admin_token: None,
        clock: Clock::real(),
    })
    .await?;
    assert_eq!(
        server
            .call("POST", "/_local/users", json!({"login": "octavia"}))
            .await
            .0,
        201
    );
    let (_, made) = server
        .call("POST", "/_local/tokens", json!({"user": "octavia"}))
        .await;
    let token = made["token"].as_str().ok_or("no token")?;
    let said = script(
        &node,
        "octokit.mjs",
        &["--url", &server.url, "--token", token],
    )
    .await?;
    assert!(said.contains("read back as written"), "{said}");
    server.stop().await;

    // What somebody else's client sends and gets conforms too.
    let said = script(&node, "conformance.mjs", &[&record.to_string_lossy()]).await?;
    assert!(said.contains(" 0 failed"), "{said}");
    Ok(())
}

/// The calls of a GitHub App: its proof, where it is installed, its tokens.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_an_app_conform() -> Tested {
    let dir = tempfile::tempdir()?;
    let record = dir.path().join("exchanges.jsonl");
    let server = Server::start(Settings {
        dir: dir.path().join("stage"),
        port: 0,
        record: Some(record.clone()),
        runner: RunnerSettings::hold(&path()),
        admin_token: None,
        clock: Clock::real(),
    })
    .await?;
    let given = json!({"metadata": "read", "contents": "write", "pull_requests": "write", "statuses": "write"});
    let body = json!({"slug": "infra", "permissions": given});
    let (_, made) = server.call("POST", "/_local/apps", body).await;
    let mut repos = Vec::new();
    for owner in ["acme", "globex", "initech", "umbrella"] {
        let name = format!("{owner}/shop");
        let body = json!({"repo": name, "files": {"a": "1"}});
        assert_eq!(server.call("POST", "/_local/repos", body).await.0, 201);
        let body = json!({"app": "infra", "account": owner, "repos": [name]});
        assert_eq!(
            server.call("POST", "/_local/installations", body).await.0,
            201
        );
        repos.push(RepoSlug::new(&name)?);
    }
    let app = App::new(
        &made["id"].to_string(),
        made["pem"].as_str().unwrap_or_default(),
    )?;
    let app = app.writing(Some(repos[1].clone()));
    let mut settings = ClientSettings::new(&server.url, None);
    settings.credential = Credential::App(app);
    let first = Client::new(settings.clone())?;
    for repo in &repos[..2] {
        assert_eq!(first.repository(repo).await?.full_name, repo.as_str());
    }
    assert_eq!(first.myself().await?.login, "infra[bot]");
    let polled = Client::new(settings)?.poll(&repos).await?;
    assert_eq!(polled.iter().flatten().count(), 4);
    server.stop().await;
    let Some(node) = node() else {
        return skip("the_calls_of_an_app_conform", NO_NODE);
    };
    let said = script(&node, "conformance.mjs", &[&record.to_string_lossy()]).await?;
    assert!(said.contains(" 0 failed"), "{said}");
    for path in [
        "/app",
        "/app/installations",
        "/repos/{owner}/{repo}/installation",
    ] {
        let text = std::fs::read_to_string(&record)?;
        let last = path.rsplit('/').next().unwrap_or_default();
        assert!(text.contains(&format!("/{last}\"")), "{path} was called");
    }
    Ok(())
}
