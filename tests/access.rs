//! `tenantry customer access`: who and what can reach which customer.

mod support;

use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use support::{Tested, path, settings};
use tenantry::local::RunnerSettings;
use tenantry::local::stage::{BOT, Engine, Hints, MANAGER, Stage};

const CREDENTIALS: &str = r#"credentials:
  dispatch:
    purpose: dispatch
    kind: github-fine-grained
    status: rotating
    owner: acme-hints
    places:
      acme/shop: MANAGER_REPO_PAT
  dispatch-2:
    purpose: dispatch
    kind: github-fine-grained
    replaces: dispatch
  registry-pull:
    purpose: registry-pull
    kind: github-classic
    owner: acme-pull
    expires: "2027-01-31"
    scopes: read:packages
    last_four: wxyz
    fingerprint: sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa
    stored: true
    handed_over: "2026-09-01"
  gone:
    purpose: source-read
    kind: other
    status: revoked
"#;

async fn world() -> Result<(tempfile::TempDir, Stage), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let hold = RunnerSettings::hold(&path());
    let wanted = settings(
        &dir.path().join("stage"),
        Engine::Terraform,
        Hints::Poll,
        hold,
    )?;
    let stage = Stage::set(wanted).await?;
    let write = |path: &str, text: &str| -> Tested {
        let path = dir.path().join("estate").join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    };
    write("tenantry.yml", &format!("manager: {MANAGER}\n"))?;
    for environment in ["staging", "production", "production-acme"] {
        write(
            &format!("products/web/environments/{environment}.yaml"),
            "{}\n",
        )?;
    }
    write("products/web/base-values.yaml", "a: 1\n")?;
    for tenant in &stage.tenants {
        let mut metadata = format!(
            "customer: {}\nrepository: {}\nrepository_id: {}\n",
            tenant.id, tenant.repository, tenant.repository_id
        );
        let mut environments = "[staging, production]";
        if tenant.id == "acme" {
            metadata.push_str("roles:\n  production-acme: arn:aws:iam::123456789012:role/acme\n");
            metadata.push_str(CREDENTIALS);
            environments = "[staging, production-acme]";
        }
        write(&format!("customers/{}/metadata.yaml", tenant.id), &metadata)?;
        let products = format!("products:\n  - name: web\n    environments: {environments}\n");
        write(&format!("customers/{}/products.yaml", tenant.id), &products)?;
    }
    Ok((dir, stage))
}

fn access(
    dir: &Path,
    stage: &Stage,
    source: Option<&str>,
    args: &[&str],
) -> std::io::Result<Output> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command
        .args(["customer", "access", "--estate", "estate"])
        .args(args)
        .env_clear()
        .env("GITHUB_API_URL", &stage.server.url)
        .env("GITHUB_TOKEN", &stage.server.token)
        .current_dir(dir)
        .stdin(Stdio::null());
    if let Some(source) = source {
        command.env("TENANTRY_SOURCE_TOKEN", source);
    }
    command.output()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_review_says_who_reaches_whom() -> Tested {
    let (dir, stage) = world().await?;
    let other = json!({"repo": "ops/other", "files": {"a": "1"}});
    stage.admin("POST", "/_local/repos", other).await?;
    let given = json!({"metadata": "read", "contents": "read"});
    let body = json!({"user": BOT, "repos": {"acme/shop": given, "globex/portal": given, "ops/other": given}});
    let made = stage.admin("POST", "/_local/tokens", body).await?;
    let source = made["token"].as_str().ok_or("no token")?;
    let out = access(dir.path(), &stage, Some(source), &[])?;
    let text = String::from_utf8(out.stdout)?;
    let said = String::from_utf8(out.stderr)?;
    assert_eq!(out.status.code(), Some(0), "{said}");
    let rows: Vec<String> = text
        .lines()
        .map(|l| {
            l.split("  ")
                .map(str::trim)
                .filter(|c| !c.is_empty())
                .collect::<Vec<_>>()
                .join(" | ")
        })
        .collect();
    for row in [
        "CUSTOMER | WHAT | WHO | HOW",
        "every customer | ops/infra-manager | olivia | admin",
        "no customer | ops/other | fine-grained personal token of ops-bot | the manager's credential",
        "acme | acme/shop | fine-grained personal token of ops-bot | the manager's credential",
        "acme | acme/shop | alice | admin",
        "initech | initech/reports | nobody | the manager's credential",
        "acme | requests | nobody: the manager polls | send hints",
        "acme | credential dispatch | acme-hints | dispatch, github-fine-grained, rotating, no end known, secret MANAGER_REPO_PAT of acme/shop",
        "acme | credential dispatch-2 | owner not known | dispatch, github-fine-grained, active, no end known",
        "acme | credential registry-pull | acme-pull | registry-pull, github-classic, active, ends 2027-01-31, scopes read:packages, handed over 2026-09-01, kept encrypted",
        "acme | staging | globex, initech | run with the same identity",
        "acme | production-acme | repo:ops/infra-manager:environment:production-acme-apply | takes arn:aws:iam::123456789012:role/acme",
        "globex | production | olivia | approve",
        "globex | production | administrators | pass the approval over",
        "globex | staging | nobody is asked | approve",
    ] {
        assert!(rows.iter().any(|r| r == row), "{row}\n{text}");
    }
    assert!(
        !rows
            .iter()
            .any(|r| r.starts_with("acme | production-acme | globex"))
    );
    assert!(!text.contains(source) && !said.contains(source));
    // What is revoked reaches nothing; nothing is shown of a value.
    for absent in ["credential gone", "wxyz", "sha256:"] {
        assert!(!text.contains(absent), "{absent}\n{text}");
    }

    // One customer, for a program; what is not known is not shown as nothing.
    let out = access(
        dir.path(),
        &stage,
        None,
        &["--customer", "acme", "--format", "json"],
    )?;
    let json: Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!(json["version"], 1);
    let customers = &json["access"]["customers"];
    assert_eq!(customers.as_array().map(Vec::len), Some(1));
    assert!(customers[0]["reached"]["unknown"].is_string(), "{json}");
    assert!(
        json["access"]["credential"]["others"]["unknown"].is_string(),
        "{json}"
    );
    let held = customers[0]["credentials"]
        .as_array()
        .ok_or("credentials")?;
    assert_eq!(held.len(), 3, "{json}");
    assert_eq!(
        held[0],
        json!({
            "credential": "dispatch", "purpose": "dispatch", "kind": "github-fine-grained",
            "owner": "acme-hints", "status": "rotating", "expires": null, "scopes": null,
            "places": {"acme/shop": "MANAGER_REPO_PAT"}, "handed_over": null, "kept": false,
        })
    );
    assert_eq!(held[2]["expires"], "2027-01-31");
    let missing = &customers[0]["environments"][0];
    assert_eq!(missing["environment"], "production-acme");
    assert_eq!(
        missing["reviewers"]["unknown"],
        "there is no environment `production-acme-apply`"
    );
    stage.server.stop().await;
    Ok(())
}

/// Somebody who may not read the collaborators is told so.
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_may_not_be_read_is_no_empty_list() -> Tested {
    let (dir, stage) = world().await?;
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args([
            "customer",
            "access",
            "--estate",
            "estate",
            "--customer",
            "acme",
        ])
        .env_clear()
        .env("GITHUB_API_URL", &stage.server.url)
        .env("GITHUB_TOKEN", &stage.tokens["mallory"])
        .current_dir(dir.path())
        .output()?;
    let text = String::from_utf8(out.stdout)?;
    assert!(
        text.contains("not known: this token may not read it (GET /repos/acme/shop/collaborators)"),
        "{text}"
    );
    let out = access(dir.path(), &stage, None, &["--customer", "acmee"])?;
    assert!(String::from_utf8(out.stderr)?.contains("did you mean `acme`"));
    stage.server.stop().await;
    Ok(())
}
