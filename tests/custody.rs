//! A plan from sealing to applying: what was touched, moved, or approved by the wrong person is
//! not applied.

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use support::{Tested, expect, settings, skip, steps, tool, variables};
use tenantry::local::RunnerSettings;
use tenantry::local::stage::{Engine, Hints, MANAGER, REVIEWER, Stage, Tenant};

async fn stage_of(
    dir: &Path,
    engine: Engine,
    runner: RunnerSettings,
) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    let stage = Stage::set(settings(dir, engine, Hints::Direct, runner)?).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    Ok((stage, acme))
}

async fn stage(dir: &Path) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    stage_of(dir, Engine::Argocd, steps()).await
}

/// Brings acme to where production waits; the merge commit and the run.
async fn waiting(
    stage: &Stage,
    acme: &Tenant,
) -> Result<(String, u64), Box<dyn std::error::Error>> {
    let sha = stage
        .commit(
            acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 3),
            "Change",
        )
        .await?;
    stage.server.idle().await;
    let run = stage.until_waiting(60).await?.ok_or("nothing waits")?;
    Ok((sha, run))
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_sealed_plan_that_was_touched_is_refused_by_name() -> Tested {
    for (how, words) in [
        ("flip", "it was changed, cut off, or sealed for another key"),
        ("other", "but "),
        ("gone", "is not in the store any more"),
    ] {
        let dir = tempfile::tempdir()?;
        let (stage, acme) = stage(dir.path()).await?;
        let (sha, run) = waiting(&stage, &acme).await?;
        let folder = stage.store_dir().join("plans/acme/web");
        let plan = std::fs::read_dir(folder.join("production"))?
            .next()
            .ok_or("no plan")??
            .path();
        match how {
            "flip" => {
                let mut bytes = std::fs::read(&plan)?;
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&plan, bytes)?;
            }
            "other" => {
                let staging = std::fs::read_dir(folder.join("staging"))?
                    .next()
                    .ok_or("no plan")??
                    .path();
                std::fs::copy(staging, &plan)?;
            }
            _ => std::fs::remove_file(&plan)?,
        }
        stage.approve(run, REVIEWER).await?;
        stage.server.idle().await;
        let last = stage.status(&acme, &sha).await?.ok_or("no status")?;
        let logs = stage.logs().await?;
        expect(
            &stage,
            &format!("{how}: {last:?}"),
            last.state == "failure"
                && logs.contains(words)
                && !stage
                    .store_dir()
                    .join("applied/acme/web/production.json")
                    .exists(),
        )
        .await?;
        stage.server.stop().await;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_push_between_approval_and_apply_wins() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    let (old, old_run) = waiting(&stage, &acme).await?;
    let new = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 7),
            "Newer",
        )
        .await?;
    stage.server.idle().await;
    stage.approve(old_run, REVIEWER).await?;
    stage.server.idle().await;
    let status = stage.status(&acme, &old).await?.ok_or("no status")?;
    expect(&stage, &format!("{status:?}"), status.state == "failure").await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "says why",
        logs.contains("is not the head of `main`"),
    )
    .await?;
    assert!(
        !stage
            .store_dir()
            .join("applied/acme/web/production.json")
            .exists(),
        "the old plan was not applied"
    );
    while let Some((run, _)) = stage.waiting().await? {
        stage.approve(run, REVIEWER).await?;
        stage.server.idle().await;
    }
    let status = stage.status(&acme, &new).await?.ok_or("no status")?;
    expect(&stage, &format!("{status:?}"), status.state == "success").await?;
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_nobody_approves_their_own_change() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    // alice may review as far as GitHub is concerned, and under a dispatch it takes the bot for the initiator.
    let alice = stage.admin("GET", "/users/alice", Value::Null).await?["id"].clone();
    stage
        .admin(
            "POST",
            "/_local/collaborators",
            json!({"repo": MANAGER, "user": "alice", "permission": "write"}),
        )
        .await?;
    stage
        .admin(
            "PUT",
            &format!("/repos/{MANAGER}/environments/production-apply"),
            json!({"reviewers": [{"type": "User", "id": alice}], "prevent_self_review": true}),
        )
        .await?;
    let (sha, run) = waiting(&stage, &acme).await?;
    stage.approve(run, "alice").await?;
    stage.server.idle().await;
    let last = stage.status(&acme, &sha).await?.ok_or("no status")?;
    expect(&stage, &format!("{last:?}"), last.state == "failure").await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "says why",
        logs.contains("the approver must be neither author, committer nor sender"),
    )
    .await?;
    assert!(
        !stage
            .store_dir()
            .join("applied/acme/web/production.json")
            .exists()
    );
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_an_environment_without_reviewers_is_no_gate() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path()).await?;
    stage
        .admin(
            "PUT",
            &format!("/repos/{MANAGER}/environments/production-apply"),
            json!({}),
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
    stage.server.idle().await;
    let last = stage.status(&acme, &sha).await?.ok_or("no status")?;
    expect(&stage, &format!("{last:?}"), last.state == "failure").await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "says why",
        logs.contains("has no required reviewers although `gates.production` demands approval"),
    )
    .await?;
    assert!(
        !stage
            .store_dir()
            .join("applied/acme/web/production.json")
            .exists()
    );
    stage.server.stop().await;
    Ok(())
}

/// A `terraform` that is another version as soon as a file says so.
fn pretender(dir: &Path, real: &Path) -> Tested {
    let script = format!(
        "#!/bin/sh\nif [ \"$1\" = version ] && [ -e {flag} ]; then echo '{{\"terraform_version\":\"0.0.1\",\"platform\":\"linux_amd64\",\"provider_selections\":{{}}}}'; exit 0; fi\nexec {real} \"$@\"\n",
        real = real.display(),
        flag = dir.join("other").display()
    );
    let path = dir.join("terraform");
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_another_tool_and_another_state_are_refused_by_name() -> Tested {
    let Some(real) = tool("terraform") else {
        return skip(
            "t12_another_tool_and_another_state_are_refused_by_name",
            "terraform is not on the PATH",
        );
    };
    for (how, words) in [
        ("tool", "here is terraform 0.0.1 linux_amd64; plan again"),
        (
            "state",
            "the Terraform state of `acme/web/production` has changed",
        ),
    ] {
        let bin = tempfile::tempdir()?;
        pretender(bin.path(), &real)?;
        let dir = tempfile::tempdir()?;
        let mut runner = steps();
        runner.path = format!("{}:{}", bin.path().display(), runner.path);
        let (stage, acme) = stage_of(dir.path(), Engine::Terraform, runner).await?;
        let (_, run) = waiting(&stage, &acme).await?;
        let states = stage.state_dir().join("acme/web");
        match how {
            "tool" => std::fs::write(bin.path().join("other"), "")?,
            _ => {
                // Somebody has applied by hand in the meantime.
                std::fs::create_dir_all(states.join("production"))?;
                std::fs::copy(
                    states.join("staging/terraform.tfstate"),
                    states.join("production/terraform.tfstate"),
                )?;
            }
        }
        stage.approve(run, REVIEWER).await?;
        stage.server.idle().await;
        let logs = stage.logs().await?;
        let applied = stage.store_dir().join("applied/acme/web/production.json");
        expect(&stage, how, logs.contains(words) && !applied.exists()).await?;
        stage.server.stop().await;
    }
    Ok(())
}
