//! A failed apply leaves nobody in the dark, and goes on through the gate; a plan that has become
//! stale is made again, and takes the approved one's place only if it changes exactly the same.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use support::{Tested, expect, path, settings, skip, steps, tool, variables};
use tenantry::audit::evidence::{Period, gather};
use tenantry::audit::snapshot::Snapshot;
use tenantry::audit::verify::{Wanted, verify};
use tenantry::clock::Time;
use tenantry::local::stage::{BOT, Engine, Hints, MANAGER, REVIEWER, Stage, Tenant};
use tenantry::store::Store;

/// The network is made, then the instances only as long as nothing is in the way.
fn module(obstacle: &Path) -> String {
    format!(
        r#"resource "terraform_data" "network" {{
  input = "${{var.tenantry_customer}} ${{var.networking.vpc_cidr}} ${{var.region}} ${{var.networking.availability_zones}}"
}}

resource "terraform_data" "instances" {{
  input = {{
    network = terraform_data.network.id
    type    = var.instance_type
    count   = "${{var.min_instances}}-${{var.max_instances}} ${{var.project_name}} ${{jsonencode(var.tags)}}"
  }}
  lifecycle {{
    precondition {{
      condition     = terraform_data.network.id != "" && !fileexists("{}-${{var.tenantry_environment}}")
      error_message = "no capacity </details> @octocat"
    }}
  }}
}}

resource "terraform_data" "name" {{
  input = terraform_data.instances.id
}}
"#,
        obstacle.display()
    )
}

async fn stage_of(
    dir: &Path,
    module: String,
    more: &[(&str, &str)],
) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    let mut settings = settings(dir, Engine::Terraform, Hints::Direct, steps())?;
    let mut put = |path: &str, text: &str| settings.overrides.push((path.into(), text.into()));
    for other in ["globex", "initech"] {
        put(
            &format!("customers/{other}/products.yaml"),
            "products: []\n",
        );
    }
    put("products/web/terraform/main.tf", &module);
    put(
        "products/web/terraform/outputs.tf",
        "output \"name\" {\n  value = terraform_data.name.id\n}\n",
    );
    for (path, text) in more {
        put(path, text);
    }
    let stage = Stage::set(settings).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    Ok((stage, acme))
}

fn record(stage: &Stage, key: &str) -> Result<Value, Box<dyn std::error::Error>> {
    let path = stage.store_dir().join(key);
    let bytes = std::fs::read(&path).map_err(|e| format!("{}: {e}", path.display()))?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// The last run of the manager that was started for a request.
async fn last_run(stage: &Stage) -> Result<u64, Box<dyn std::error::Error>> {
    let runs = stage.admin("GET", "/_local/runs", Value::Null).await?;
    let runs = runs.as_array().cloned().unwrap_or_default();
    let of = runs.iter().filter(|r| r["event"] == "repository_dispatch");
    of.filter_map(|r| r["id"].as_u64())
        .max()
        .ok_or("no run".into())
}

async fn said(
    stage: &Stage,
    acme: &Tenant,
    sha: &str,
) -> Result<String, Box<dyn std::error::Error>> {
    let status = stage.status(acme, sha).await?.ok_or("no status")?;
    Ok(format!("{}: {}", status.state, status.description))
}

/// No exception in the evidence of the whole log.
async fn evidence(stage: &Stage) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let store = Store::open(&format!("file://{}", stage.store_dir().display()), &[])?;
    let wanted = Wanted::new(vec![stage.audit.public()]);
    let verdict = verify(&Snapshot::read(&store, None).await?, &wanted);
    assert_eq!(verdict.damage, []);
    let period = Period {
        since: Time(0),
        until: Time(u64::MAX),
    };
    let applies = gather(&verdict, period, &[]).applies;
    Ok(applies.into_iter().flat_map(|a| a.exceptions).collect())
}

/// The comment about applies of a pull request.
async fn apply_comment(
    stage: &Stage,
    acme: &Tenant,
    number: u64,
) -> Result<String, Box<dyn std::error::Error>> {
    let comments = stage.comments(acme, number).await?;
    let found = comments.into_iter().find(|c| c.body.contains(":apply -->"));
    Ok(found.ok_or("no comment about the apply")?.body)
}

/// The ways in which the provider starts again.
async fn again(stage: &Stage, how: &str, run: u64) -> Tested {
    if how != "by hand" {
        return Ok(stage.rerun(run, how == "failed jobs").await?);
    }
    let path = format!("/repos/{MANAGER}/actions/workflows/deploy.yml/dispatches");
    let body = json!({"ref": "main", "inputs": {"customer": "acme"}});
    // Not by the reviewer: whoever starts a run cannot approve in it.
    stage.admin("POST", &path, body).await?;
    Ok(())
}

/// Opens, merges, and lets staging fail half-way.
async fn half_way(
    stage: &Stage,
    acme: &Tenant,
    obstacle: &Path,
) -> Result<(u64, String), Box<dyn std::error::Error>> {
    std::fs::write(format!("{}-staging", obstacle.display()), "")?;
    let (number, head) = stage
        .propose(acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.server.idle().await;
    let merged = stage.merge(acme, number, &head).await?;
    stage.server.idle().await;
    Ok((number, merged))
}

const FAILED: &str =
    "failure: failed: web/staging (1 created, 2 not begun); fix the cause, then re-run";
const DONE: &str = "success: applied: web/staging, web/production";

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_apply_is_told_and_a_re_run_goes_on() -> Tested {
    const NAME: &str = "a_failed_apply_is_told_and_a_re_run_goes_on";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    for how in ["failed jobs", "all jobs", "by hand"] {
        let dir = tempfile::tempdir()?;
        let obstacle = dir.path().join("obstacle");
        let (stage, acme) = stage_of(&dir.path().join("stage"), module(&obstacle), &[]).await?;
        let (number, merged) = half_way(&stage, &acme, &obstacle).await?;
        let status = said(&stage, &acme, &merged).await?;
        expect(&stage, &status, status == FAILED).await?;
        // Something stands by now, so everybody who asks what stands must find it.
        let begun = record(&stage, "applied/acme/web/staging.json")?;
        let found = (&begun["incomplete"], &begun["count"]);
        assert_eq!(found, (&json!(true), &json!(0)), "{begun}");
        let body = apply_comment(&stage, &acme, number).await?;
        for words in [
            "**What happens next.** The apply of <code>web&#47;staging</code> did not come to its end.",
            "tenantry apply --resume --request acme",
            "**What became of it:** 1 created, 2 not begun.",
            "| <code>terraform_data&#46;instances</code> | create | not begun |",
            "| <code>terraform_data&#46;network</code> | create | created |",
            "What is left could not be looked at:",
            "no capacity",
        ] {
            let plain = |t: &str| {
                t.replace("&#46;", ".")
                    .replace("&#47;", "/")
                    .replace("&#45;", "-")
                    .replace("&#95;", "_")
            };
            let there = plain(&body).contains(&plain(words));
            expect(&stage, &format!("{words} in\n{body}"), there).await?;
        }

        // A sweep does not try again by itself: nothing has changed.
        stage.tick().await?;
        stage.server.idle().await;
        assert_eq!(said(&stage, &acme, &merged).await?, FAILED);

        // The cause is still there: now the plan says so already.
        let run = last_run(&stage).await?;
        again(&stage, how, run).await?;
        stage.server.idle().await;
        let status = said(&stage, &acme, &merged).await?;
        expect(&stage, &status, status == "failure: failed: web/staging").await?;

        std::fs::remove_file(format!("{}-staging", obstacle.display()))?;
        again(&stage, how, run).await?;
        let waiting = stage.until_waiting(60).await?.ok_or("production waits")?;
        let same = waiting == run;
        expect(&stage, how, same == (how != "by hand")).await?;
        let run = waiting;
        // "Re-run failed jobs" plans each stack in its apply job, behind its environment.
        let wanted = match how == "failed jobs" {
            true => "pending: planning: web/production",
            false => "pending: applied: web/staging; waiting for approval: web/production",
        };
        assert_eq!(said(&stage, &acme, &merged).await?, wanted);
        let body = apply_comment(&stage, &acme, number).await?;
        let words = "# created already: terraform_data.network";
        expect(&stage, &body, body.contains(words)).await?;
        stage.approve(run, REVIEWER).await?;
        stage.server.idle().await;
        if how == "failed jobs" {
            // That approval was older than the plan which this job made again.
            let status = said(&stage, &acme, &merged).await?;
            expect(&stage, &status, status.starts_with("pending: ")).await?;
            stage.tick().await?;
            let run = stage.until_waiting(60).await?.ok_or("production waits")?;
            stage.approve(run, REVIEWER).await?;
            stage.server.idle().await;
        }
        let last = said(&stage, &acme, &merged).await?;
        expect(&stage, &last, last.starts_with("success: applied: ")).await?;
        for environment in ["staging", "production"] {
            let applied = record(&stage, &format!("applied/acme/web/{environment}.json"))?;
            assert_eq!(applied["incomplete"], false, "{environment}");
        }
        assert_eq!(evidence(&stage).await?, Vec::<String>::new());
        stage.server.stop().await;
    }
    Ok(())
}

/// The command as a person types it, with what the apply environment holds.
fn by_hand(stage: &Stage, estate: &Path, request: &str, stack: &str) -> std::io::Result<Output> {
    Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args([
            "apply",
            "--resume",
            "--request",
            request,
            "--stack",
            stack,
            "--estate",
        ])
        .arg(estate)
        .env_clear()
        .env("PATH", path())
        .env("HOME", &stage.dir)
        .env("GITHUB_API_URL", &stage.server.url)
        .env("GITHUB_REPOSITORY", MANAGER)
        .env("GITHUB_TOKEN", &stage.tokens[REVIEWER])
        .env("TENANTRY_SOURCE_TOKEN", &stage.tokens[BOT])
        .env("TENANTRY_SEAL_IDENTITY", stage.identity.expose())
        .env("TENANTRY_AUDIT_KEY", stage.audit.expose())
        .output()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_resumes_and_the_gate_still_stands() -> Tested {
    const NAME: &str = "a_person_resumes_and_the_gate_still_stands";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    let dir = tempfile::tempdir()?;
    let obstacle = dir.path().join("obstacle");
    let (stage, acme) = stage_of(&dir.path().join("stage"), module(&obstacle), &[]).await?;
    let (_, merged) = half_way(&stage, &acme, &obstacle).await?;
    std::fs::remove_file(format!("{}-staging", obstacle.display()))?;
    let request = format!("acme/push-{merged}");
    let run = last_run(&stage).await?;
    let estate = stage.dir.join("runs").join(run.to_string()).join("work");

    // Production needs an approval, which nobody can have given to a plan made just now, and
    // staging comes first.
    let out = by_hand(&stage, &estate, &request, "acme/web/production")?;
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    assert_eq!(out.status.code(), Some(1), "{text}");
    assert!(text.contains("waits for an approval"), "{text}");
    // Another customer's stack, and a request that nobody opened.
    for (request, stack, words) in [
        (
            request.as_str(),
            "globex/web/staging",
            "does not belong to request",
        ),
        (
            &format!("acme/push-{}", "0".repeat(40)),
            "acme/web/staging",
            "there is no request",
        ),
        (
            &format!("acme/pr-1-{merged}"),
            "acme/web/staging",
            "merge it",
        ),
    ] {
        let out = by_hand(&stage, &estate, request, stack)?;
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    }

    let out = by_hand(&stage, &estate, &request, "acme/web/staging")?;
    let text = format!(
        "{}{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    assert_eq!(out.status.code(), Some(0), "{text}");
    assert!(
        text.contains("acme/web/staging: applied: 2 created"),
        "{text}"
    );
    // Once more: there is nothing to go on with.
    let out = by_hand(&stage, &estate, &request, "acme/web/staging")?;
    assert_eq!(out.status.code(), Some(0), "applied in this run already");

    // The sweep takes production through the gate.
    stage.tick().await?;
    let run = stage.until_waiting(60).await?.ok_or("production waits")?;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let last = said(&stage, &acme, &merged).await?;
    expect(&stage, &last, last == "success: applied: web/production").await?;
    let out = by_hand(&stage, &estate, &request, "acme/web/staging")?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    assert_eq!(out.status.code(), Some(3), "{text}");
    assert!(text.contains("nothing to do"), "{text}");
    stage.server.stop().await;
    Ok(())
}

/// The number of the state moves on while a plan waits for its approval.
fn touch(state: &Path, change: impl FnOnce(&mut Value)) -> Tested {
    let mut value: Value = serde_json::from_slice(&std::fs::read(state)?)?;
    value["serial"] = Value::from(value["serial"].as_u64().unwrap_or(0) + 1);
    change(&mut value);
    std::fs::write(state, value.to_string())?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_stale_plan_goes_through_only_if_it_changes_the_same() -> Tested {
    const NAME: &str = "t13_a_stale_plan_goes_through_only_if_it_changes_the_same";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    let dir = tempfile::tempdir()?;
    let obstacle = dir.path().join("obstacle");
    let module = format!(
        "{}\nresource \"terraform_data\" \"made\" {{\n  input = [plantimestamp(), var.instance_type]\n}}\n",
        module(&obstacle)
    );
    let (stage, acme) = stage_of(&dir.path().join("stage"), module, &[]).await?;
    let state = stage
        .state_dir()
        .join("acme/web/production/terraform.tfstate");
    let waiting = async |text: String| -> Result<(String, u64), Box<dyn std::error::Error>> {
        let sha = stage
            .commit(&acme, "main", "infra/variables.yml", &text, "Change")
            .await?;
        stage.server.idle().await;
        let run = stage.until_waiting(60).await?.ok_or("nothing waits")?;
        Ok((sha, run))
    };
    let (sha, run) = waiting(variables("shop", 4)).await?;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    assert_eq!(said(&stage, &acme, &sha).await?, DONE);

    // The state has a newer number, and what is to be changed is the same: it goes through.
    let larger = variables("shop", 5).replace("max_instances: 10", "max_instances: 11");
    let (sha, run) = waiting(larger).await?;
    touch(&state, |_| {})?;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let last = said(&stage, &acme, &sha).await?;
    expect(&stage, &last, last == DONE).await?;
    let apply = record(
        &stage,
        &format!("requests/acme/push-{sha}/web/production/apply.json"),
    )?;
    assert_eq!(apply["approved_by"], REVIEWER);
    assert!(
        apply["renewed"].is_string() && apply["renewed"] != apply["digest"],
        "{apply}"
    );
    let there = record(&stage, "applied/acme/web/production.json")?;
    assert_eq!(there["plan"], apply["renewed"]);
    assert_eq!(evidence(&stage).await?, Vec::<String>::new());

    // Somebody has changed the instances by hand: the plan is another one, and is not applied.
    let larger = variables("shop", 6).replace("max_instances: 10", "max_instances: 12");
    let (sha, run) = waiting(larger).await?;
    touch(&state, |value| {
        let text = value.to_string().replace("2-11 shop", "1-11 shop");
        *value = serde_json::from_str(&text).unwrap_or(Value::Null);
    })?;
    let before = std::fs::read(&state)?;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let apply = record(
        &stage,
        &format!("requests/acme/push-{sha}/web/production/apply.json"),
    )?;
    let reason = apply["reason"].as_str().unwrap_or_default();
    expect(
        &stage,
        &apply.to_string(),
        apply["state"] == "refused"
            && reason.contains("has changed since the plan was made; it was made again and is not what was approved any more: terraform_data.instances: input.count"),
    )
    .await?;
    assert_eq!(std::fs::read(&state)?, before, "nothing was applied");

    // The sweep takes the new plan through the gate, and says what is different.
    stage.tick().await?;
    let run = stage
        .until_waiting(60)
        .await?
        .ok_or("production waits again")?;
    let views = stage.logs().await?;
    let plan = record(
        &stage,
        &format!("requests/acme/push-{sha}/web/production/plan.json"),
    )?;
    assert_eq!(plan["earlier"]["approved_by"], REVIEWER, "{views}");
    let summary = std::fs::read_to_string(stage.dir.join(format!("runs/{run}/summary.md")))?;
    let words = "Since the plan that <code>olivia</code> approved";
    expect(&stage, &summary, summary.contains(words)).await?;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let last = said(&stage, &acme, &sha).await?;
    expect(&stage, &last, last == "success: applied: web/production").await?;
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_plan_that_waited_too_long_is_made_again() -> Tested {
    const NAME: &str = "t13_a_plan_that_waited_too_long_is_made_again";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    let dir = tempfile::tempdir()?;
    let obstacle = dir.path().join("obstacle");
    let folder = dir.path().join("stage");
    let state = folder.join("state");
    let (stage, acme) = stage_of(&folder, module(&obstacle), &[]).await?;
    let sha = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 4),
            "Change",
        )
        .await?;
    stage.server.idle().await;
    let run = stage.until_waiting(60).await?.ok_or("nothing waits")?;
    // From now on a plan is old after no time at all.
    let work = stage.dir.join(format!("runs/{run}/work/tenantry.yml"));
    let text = std::fs::read_to_string(&work)?;
    std::fs::write(&work, format!("{text}plan:\n  max_age_hours: 0\n"))?;
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let last = said(&stage, &acme, &sha).await?;
    expect(&stage, &last, last == DONE).await?;
    let apply = record(
        &stage,
        &format!("requests/acme/push-{sha}/web/production/apply.json"),
    )?;
    assert!(apply["renewed"].is_string(), "{apply}");
    assert!(
        state
            .join("acme/web/production/terraform.tfstate")
            .is_file()
    );
    assert_eq!(evidence(&stage).await?, Vec::<String>::new());
    stage.server.stop().await;
    Ok(())
}
