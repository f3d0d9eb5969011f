//! The local GitHub is only worth something while it is true to GitHub: every request of the
//! client and every answer is checked against GitHub's OpenAPI description, and an unmodified
//! `@octokit/rest` drives it.

mod support;

use serde_json::json;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::{Tested, expect, path, settings, skip, steps, still, tool, variables};
use tenantry::estate::{RepoSlug, SecretName, SecretPlace};
use tenantry::github::{App, Client, ClientSettings, Credential, Token};
use tenantry::keyring::{Secret, sealed};
use tenantry::local::stage::{Engine, GITOPS, Hints, MANAGER, REVIEWER, Stage};
use tenantry::local::{RunnerSettings, Server, Settings};
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

/// A GitHub whose exchanges are written down, and where.
async fn recording(dir: &Path) -> std::io::Result<(Server, PathBuf)> {
    let record = dir.join("exchanges.jsonl");
    let server = Server::start(Settings {
        record: Some(record.clone()),
        ..still(dir.join("stage"))
    })
    .await?;
    Ok((server, record))
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unmodified_octokit_drives_it() -> Tested {
    let Some(node) = node() else {
        return skip("an_unmodified_octokit_drives_it", NO_NODE);
    };
    let dir = tempfile::tempdir()?;
    let (server, record) = recording(dir.path()).await?;
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

/// What doctor asks, changes, and what an access review reads.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_doctor_conform() -> Tested {
    let dir = tempfile::tempdir()?;
    let record = dir.path().join("exchanges.jsonl");
    let hold = RunnerSettings::hold(&path());
    let mut settings = settings(
        &dir.path().join("stage"),
        Engine::Argocd,
        Hints::Direct,
        hold,
    )?;
    settings.server.record = Some(record.clone());
    let stage = Stage::set(settings).await?;
    let estate = dir.path().join("estate");
    let write = |path: &str, text: &str| -> Tested {
        let path = estate.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    };
    write(
        "tenantry.yml",
        &format!(
            "manager: {MANAGER}\nhints:\n  mode: direct\ngates:\n  staging:\n    approval: required\n    approvers: [{REVIEWER}]\n    wait_minutes: 5\n"
        ),
    )?;
    for environment in ["dev", "staging"] {
        write(
            &format!("products/web/environments/{environment}.yaml"),
            "{}\n",
        )?;
    }
    write("products/web/product.yaml", "engine: argocd\n")?;
    for tenant in &stage.tenants {
        let folder = format!("customers/{}", tenant.id);
        let text = format!(
            "repository: {}\nrepository_id: {}\n",
            tenant.repository, tenant.repository_id
        );
        write(&format!("{folder}/metadata.yaml"), &text)?;
        write(
            &format!("{folder}/products.yaml"),
            "products:\n  - name: web\n",
        )?;
    }
    let off = json!({"repo": MANAGER, "workflow": ".github/workflows/drift.yml", "state": "disabled_manually"});
    stage.admin("POST", "/_local/workflows", off).await?;
    let old = json!({"required_status_checks": null, "enforce_admins": true, "restrictions": null,
        "required_pull_request_reviews": {"required_approving_review_count": 1}});
    let branch = format!(
        "/repos/{}/branches/main/protection",
        stage.tenants[0].repository
    );
    stage.admin("PUT", &branch, old).await?;
    stage.admin("GET", &branch, json!(null)).await?;
    for args in [
        &["doctor", "--all", "--fix", "--yes"][..],
        &["doctor", "--all"],
        &["customer", "access"],
    ] {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(args)
            .args(["--estate", "estate"])
            .env_clear()
            .env("GITHUB_API_URL", &stage.server.url)
            .env("GITHUB_TOKEN", &stage.server.token)
            .env(
                "TENANTRY_SOURCE_TOKEN",
                &stage.tokens[tenantry::local::stage::BOT],
            )
            // Another commit than the workflows name: that is a pull request.
            .env("TENANTRY_ACTIONS_REF", "b".repeat(40))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()
            .await?;
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(!said.contains("failed after"), "{said}");
    }
    stage.server.stop().await;
    let text = std::fs::read_to_string(&record)?;
    for call in [
        "deployment-branch-policies",
        "selected-actions",
        "permissions/workflow",
        "rulesets",
        "/enable",
        "organization-secrets",
        "/collaborators",
        "/pulls",
        "security_and_analysis",
        "/rules/branches/main",
    ] {
        assert!(text.contains(call), "{call} was called");
    }
    let Some(node) = node() else {
        return skip("the_calls_of_doctor_conform", NO_NODE);
    };
    let said = script(&node, "conformance.mjs", &[&record.to_string_lossy()]).await?;
    assert!(said.contains(" 0 failed"), "{said}");
    Ok(())
}

/// The calls of a GitHub App: its proof, where it is installed, its tokens.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_of_an_app_conform() -> Tested {
    let dir = tempfile::tempdir()?;
    let (server, record) = recording(dir.path()).await?;
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

/// What is asked about a token, secrets in sealed boxes, and the revocation.
#[tokio::test(flavor = "multi_thread")]
async fn the_calls_about_credentials_conform() -> Tested {
    let dir = tempfile::tempdir()?;
    let (server, record) = recording(dir.path()).await?;
    let repo = json!({"repo": "acme/app", "files": {"a": "1"}});
    assert_eq!(server.call("POST", "/_local/repos", repo).await.0, 201);
    let body = json!({"user": "acme", "scopes": ["repo", "gist"], "expires_in": 86_400});
    let (_, made) = server.call("POST", "/_local/tokens", body).await;
    let token = made["token"].as_str().ok_or("token")?.to_owned();
    let own = Client::new(ClientSettings::new(&server.url, Some(Token::new(&token))))?;
    let told = own.identity().await?;
    assert_eq!(told.user.login, "acme");
    assert_eq!(
        told.scopes,
        Some(vec!["repo".to_owned(), "gist".to_owned()])
    );
    assert!(told.expires.is_some());
    server
        .call("PUT", "/repos/acme/app/environments/production", json!({}))
        .await;
    let name = SecretName::new("TOKEN")?;
    for place in ["acme/app", "acme/app/production"] {
        let place = SecretPlace::new(place)?;
        let key = own.secrets_key(&place).await?;
        for value in ["one", "two"] {
            let sealed = sealed::seal(&key.key, &Secret::new(value.to_owned()))?;
            own.set_secret(&place, &name, &key.key_id, &sealed).await?;
        }
        assert_eq!(own.secret(&place, &name).await?.name, "TOKEN");
        // What was not sealed for this key is refused.
        assert!(
            own.set_secret(&place, &name, &key.key_id, "AAAA")
                .await
                .is_err()
        );
        assert!(own.set_secret(&place, &name, "0", "AAAA").await.is_err());
    }
    // Only from nobody in particular.
    assert!(own.revoke(&[&token]).await.is_err());
    let nobody = Client::new(ClientSettings::new(&server.url, None))?;
    nobody.revoke(&[&token, "ghp_unknown"]).await?;
    assert!(own.identity().await.is_err());
    server.stop().await;
    let Some(node) = node() else {
        return skip("the_calls_about_credentials_conform", NO_NODE);
    };
    let said = script(&node, "conformance.mjs", &[&record.to_string_lossy()]).await?;
    assert!(said.contains(" 0 failed"), "{said}");
    let text = std::fs::read_to_string(&record)?;
    assert!(!text.contains(&token), "a token stands in the record");
    Ok(())
}
