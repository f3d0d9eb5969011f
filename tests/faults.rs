//! The same story with every fault thrown once: at the end each stack was applied exactly once,
//! and the customer has the true final status.

mod support;

use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use support::{Tested, expect, settings, skip, steps, tool, variables};
use tenantry::audit::evidence::{Period, gather};
use tenantry::audit::snapshot::Snapshot;
use tenantry::audit::verify::{Wanted, verify};
use tenantry::clock::Time;
use tenantry::local::stage::{Engine, Hints, REVIEWER, Stage, Tenant};
use tenantry::local::{Fault, Kind, RunnerSettings};
use tenantry::store::Store;

/// A stage on which only acme subscribes to anything.
async fn stage(
    dir: &Path,
    engine: Engine,
    runner: RunnerSettings,
) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    let mut settings = settings(dir, engine, Hints::Direct, runner)?;
    for other in ["globex", "initech"] {
        settings.overrides.push((
            format!("customers/{other}/products.yaml"),
            "products: []\n".into(),
        ));
    }
    let stage = Stage::set(settings).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    Ok((stage, acme))
}

/// Lets everything run, sweeps, and approves what waits, until nothing moves any more.
async fn settle(stage: &Stage) -> Tested {
    for _ in 0..4 {
        stage.server.idle().await;
        for _ in 0..5 {
            let Some((run, _)) = stage.waiting().await? else {
                break;
            };
            stage.approve(run, REVIEWER).await?;
            stage.server.idle().await;
        }
        stage.tick().await?;
        stage.server.idle().await;
    }
    Ok(())
}

/// How often each environment of acme/web was applied.
fn applied(stage: &Stage) -> Vec<(String, u64)> {
    ["staging", "production"]
        .iter()
        .map(|environment| {
            let path = stage
                .store_dir()
                .join(format!("applied/acme/web/{environment}.json"));
            let record: Value = std::fs::read(path)
                .ok()
                .and_then(|b| serde_json::from_slice(&b).ok())
                .unwrap_or(Value::Null);
            (
                (*environment).to_owned(),
                record["count"].as_u64().unwrap_or(0),
            )
        })
        .collect()
}

async fn once_each(stage: &Stage, acme: &Tenant, sha: &str, engine: Engine) -> Tested {
    let last = stage.status(acme, sha).await?.ok_or("no status")?;
    expect(
        stage,
        &format!("final status {last:?}"),
        last.state == "success" && last.description == "applied: web/staging, web/production",
    )
    .await?;
    let counts = applied(stage);
    expect(
        stage,
        &format!("{counts:?}"),
        counts.iter().all(|(_, n)| *n == 1),
    )
    .await?;
    match engine {
        Engine::Argocd => {
            let commits = stage
                .admin("GET", "/repos/ops/gitops/commits", Value::Null)
                .await?;
            let count = |e: &str| {
                commits
                    .as_array()
                    .into_iter()
                    .flatten()
                    .filter(|c| {
                        c["commit"]["message"]
                            .as_str()
                            .is_some_and(|m| m.starts_with(&format!("acme/web/{e}:")))
                    })
                    .count()
            };
            expect(
                stage,
                "one commit per stack",
                count("staging") == 1 && count("production") == 1,
            )
            .await?;
        }
        Engine::Terraform => {
            for environment in ["staging", "production"] {
                let text = std::fs::read_to_string(
                    stage
                        .state_dir()
                        .join(format!("acme/web/{environment}/terraform.tfstate")),
                )?;
                let state: Value = serde_json::from_str(&text)?;
                let resources = state["resources"].as_array().map_or(0, Vec::len);
                expect(
                    stage,
                    &format!("{environment}: {resources} resources"),
                    resources == 2,
                )
                .await?;
                // Terraform 1.11 writes the state once per apply of this module, after both resources.
                assert!(!state["lineage"].as_str().unwrap_or_default().is_empty());
            }
        }
    }
    Ok(())
}

async fn survives(fault: Fault) -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path(), Engine::Argocd, steps()).await?;
    stage.server.fault(fault.clone());
    let sha = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 5),
            "Larger",
        )
        .await?;
    settle(&stage).await?;
    let left = stage.admin("GET", "/_local/faults", Value::Null).await?;
    expect(
        &stage,
        &format!("the fault was met: {left}"),
        left == json!({"left": 0}),
    )
    .await?;
    once_each(&stage, &acme, &sha, Engine::Argocd).await?;
    stage.server.stop().await;
    Ok(())
}

macro_rules! fault_stories {
    ($($name:ident: $path:literal, $kind:expr;)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Tested {
            survives(Fault::once($path, $kind)).await
        })*
    };
}

fault_stories! {
    t27_dispatch_dropped: "/dispatches", Kind::DropDispatch;
    t27_dispatch_doubled: "/dispatches", Kind::DuplicateDispatch;
    t27_dispatch_late: "/dispatches", Kind::DelayDispatch(1_500);
    rate_limit_429: "/statuses/", Kind::RateLimited;
    secondary_limit: "/repos/acme/shop", Kind::Secondary;
    bad_gateway_on_read: "/git/trees/", Kind::Status(502);
    bad_gateway_on_commit: "/git/commits", Kind::Status(502);
    commit_done_but_answer_lost: "/git/refs/", Kind::DropAfter;
    status_times_out: "/statuses/", Kind::Timeout(8_000);
}

/// A `terraform` that kills the step which called it, once, right after an apply has succeeded.
fn assassin(dir: &Path, real: &Path) -> Tested {
    let script = format!(
        "#!/bin/sh\n{real} \"$@\"\nstatus=$?\nif [ \"$1\" = apply ] && mkdir {marker} 2>/dev/null; then kill -9 $PPID; fi\nexit $status\n",
        real = real.display(),
        marker = dir.join("killed").display()
    );
    let path = dir.join("terraform");
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_killed_after_apply_and_before_the_final_status() -> Tested {
    let Some(real) = tool("terraform") else {
        return skip(
            "t29_killed_after_apply_and_before_the_final_status",
            "terraform is not on the PATH",
        );
    };
    let bin = tempfile::tempdir()?;
    assassin(bin.path(), &real)?;
    let dir = tempfile::tempdir()?;
    let mut runner = steps();
    runner.path = format!("{}:{}", bin.path().display(), runner.path);
    let (stage, acme) = stage(dir.path(), Engine::Terraform, runner).await?;
    let sha = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 5),
            "Larger",
        )
        .await?;
    stage.server.idle().await;
    expect(
        &stage,
        "the step was killed",
        bin.path().join("killed").is_dir(),
    )
    .await?;
    let now = stage.status(&acme, &sha).await?.ok_or("no status")?;
    assert_eq!(
        now.state, "pending",
        "nobody knows yet how far it came: {now:?}"
    );
    let serial = |environment: &str| -> Result<u64, Box<dyn std::error::Error>> {
        let state: Value = serde_json::from_slice(&std::fs::read(
            stage
                .state_dir()
                .join(format!("acme/web/{environment}/terraform.tfstate")),
        )?)?;
        Ok(state["serial"].as_u64().unwrap_or(0))
    };
    let before = serial("staging")?;
    settle(&stage).await?;
    once_each(&stage, &acme, &sha, Engine::Terraform).await?;
    assert_eq!(
        serial("staging")?,
        before,
        "staging was not applied a second time"
    );
    // The audit log is whole, and shows the apply that came to no result.
    let store = Store::open(&format!("file://{}", stage.store_dir().display()), &[])?;
    let wanted = Wanted::new(vec![stage.audit.public()]);
    let verdict = verify(&Snapshot::read(&store, None).await?, &wanted);
    assert_eq!(verdict.damage, []);
    let period = Period {
        since: Time(0),
        until: Time(u64::MAX),
    };
    let applies = gather(&verdict, period, &[]).applies;
    let open = applies.iter().filter(|a| a.end.is_none()).count();
    assert_eq!(open, 1, "{applies:#?}");
    stage.server.stop().await;
    Ok(())
}

/// The refusal is recorded, but GitHub takes no status for a while: the sweep tells it later.
#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_that_could_not_be_told_is_told_by_the_sweep() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path(), Engine::Argocd, steps()).await?;
    let mut fault = Fault::once("/statuses/", Kind::Status(503));
    fault.method = Some("POST".into());
    // Four tries of the customer's workflow and four of the manager's.
    fault.times = 8;
    stage.server.fault(fault);
    let bad = variables("shop", 5).replace("t3.micro", "t3.mikro");
    let sha = stage
        .commit(&acme, "main", "infra/variables.yml", &bad, "Bad")
        .await?;
    stage.server.idle().await;
    assert_eq!(stage.status(&acme, &sha).await?, None);
    stage.tick().await?;
    stage.server.idle().await;
    let told = stage.status(&acme, &sha).await?.ok_or("not told")?;
    expect(
        &stage,
        &format!("{told:?}"),
        told.state == "failure" && told.description.contains("did you mean `t3.micro`?"),
    )
    .await?;
    stage.server.stop().await;
    Ok(())
}
