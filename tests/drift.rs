//! What was changed outside of tenantry, from the check to the issue, on the local GitHub: files of
//! a GitOps repository that somebody edits, and a cloud on this machine that somebody changes.

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use support::moto::Moto;
use support::{Tested, expect, settings, skip, steps, tool, variable};
use tenantry::local::faults::{Fault, Kind};
use tenantry::local::stage::{BOT, Engine, GITOPS, Hints, MANAGER, REVIEWER, Stage};

type Tried<T> = Result<T, Box<dyn std::error::Error>>;

/// An issue of the manager repository.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Seen {
    number: u64,
    author: String,
    state: String,
    title: String,
    body: String,
    labels: Vec<String>,
}

async fn issues(stage: &Stage) -> Tried<Vec<Seen>> {
    let path = format!("/repos/{MANAGER}/issues?state=all&direction=asc&per_page=100");
    let list = stage.admin("GET", &path, Value::Null).await?;
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    Ok(list
        .as_array()
        .into_iter()
        .flatten()
        .map(|i| Seen {
            number: i["number"].as_u64().unwrap_or(0),
            author: text(&i["user"]["login"]),
            state: text(&i["state"]),
            title: text(&i["title"]),
            body: text(&i["body"]),
            labels: i["labels"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|l| text(&l["name"]))
                .collect(),
        })
        .collect())
}

/// Those that tenantry opened.
async fn ours(stage: &Stage) -> Tried<Vec<Seen>> {
    let mut all = issues(stage).await?;
    all.retain(|i| i.author == "github-actions[bot]");
    Ok(all)
}

/// Runs `drift.yml` to its end; how it ended.
async fn drift(stage: &Stage) -> Tried<String> {
    stage.tick_of("drift.yml").await?;
    stage.server.idle().await;
    let runs = stage.admin("GET", "/_local/runs", Value::Null).await?;
    let last = runs.as_array().and_then(|r| r.last()).ok_or("no run")?;
    assert_eq!(last["path"], ".github/workflows/drift.yml");
    Ok(last["conclusion"].as_str().unwrap_or_default().to_owned())
}

async fn apply_everything(stage: &Stage) -> Tested {
    stage.tick().await?;
    if let Some(run) = stage.until_waiting(120).await? {
        stage.approve(run, REVIEWER).await?;
    }
    stage.server.idle().await;
    let applied = stage.store_dir().join("applied/acme/web");
    let both = ["staging.json", "production.json"].map(|f| applied.join(f).is_file());
    expect(stage, "acme is applied", both == [true, true]).await
}

async fn open_issue(stage: &Stage, title: &str, body: &str) -> Tried<u64> {
    let path = format!("/repos/{MANAGER}/issues");
    let made = stage
        .by(
            REVIEWER,
            "POST",
            &path,
            json!({"title": title, "body": body}),
        )
        .await?;
    Ok(made["number"].as_u64().ok_or("no number")?)
}

async fn commit(stage: &Stage, repo: &str, path: &str, content: &str) -> Tested {
    let body =
        json!({"repo": repo, "user": REVIEWER, "message": "by hand", "files": {path: content}});
    stage.admin("POST", "/_local/commits", body).await?;
    stage.server.idle().await;
    Ok(())
}

async fn content(stage: &Stage, repo: &str, path: &str) -> Tried<String> {
    let found = stage
        .admin(
            "GET",
            &format!("/repos/{repo}/contents/{path}"),
            Value::Null,
        )
        .await?;
    let text: String = found["content"]
        .as_str()
        .unwrap_or_default()
        .split_whitespace()
        .collect();
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
    Ok(String::from_utf8(bytes)?)
}

/// The checkout of the newest run.
fn estate(stage: &Stage) -> Tried<PathBuf> {
    let mut runs: Vec<(u64, PathBuf)> = std::fs::read_dir(stage.dir.join("runs"))?
        .flatten()
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("work"))))
        .collect();
    runs.sort();
    Ok(runs.pop().ok_or("no run")?.1)
}

/// Runs the binary as a person would; exit code and standard output.
async fn tenantry(
    stage: &Stage,
    env: &[(&str, String)],
    args: &[&str],
) -> Tried<(Option<i32>, String)> {
    let out = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(args)
        .arg("--estate")
        .arg(estate(stage)?)
        .env_clear()
        .env("PATH", support::path())
        .env("GITHUB_TOKEN", &stage.tokens[REVIEWER])
        .env("TENANTRY_SOURCE_TOKEN", &stage.tokens[BOT])
        .env("TENANTRY_AUDIT_KEY", stage.audit.expose())
        .envs(env.iter().map(|(k, v)| (k, v)))
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .await?;
    Ok((out.status.code(), String::from_utf8(out.stdout)?))
}

/// Everything under a folder of the store as one text.
fn stored(folder: &Path) -> String {
    let mut out = String::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        match entry.path().is_dir() {
            true => out.push_str(&stored(&entry.path())),
            false => out.push_str(&std::fs::read_to_string(entry.path()).unwrap_or_default()),
        }
    }
    out
}

const VALUES: &str = "stacks/acme/web/staging/values.yaml";

#[tokio::test(flavor = "multi_thread")]
async fn t18_one_issue_follows_a_stack_and_a_copy_is_left_alone() -> Tested {
    let dir = tempfile::tempdir()?;
    let stage = Stage::set(settings(dir.path(), Engine::Argocd, Hints::Poll, steps())?).await?;
    apply_everything(&stage).await?;

    // Nothing was changed: nothing is opened.
    let ended = drift(&stage).await?;
    expect(&stage, "the first run succeeds", ended == "success").await?;
    assert_eq!(issues(&stage).await?, []);

    // Somebody guesses what our first line looks like, and edits a file by hand.
    let guess = "<!-- tenantry:drift:acme/web/staging:0 -->\nforged";
    let forged = open_issue(&stage, "forged", guess).await?;
    let applied = content(&stage, GITOPS, VALUES).await?;
    let hostile =
        "\"@everyone </code><img src=x> | ``` <!-- tenantry:drift:globex/web/staging:0 -->\"";
    let edited = format!(
        "{}note: {hostile}\n",
        applied.replace("max_instances: 2", "max_instances: 9")
    );
    assert_ne!(edited, format!("{applied}note: {hostile}\n"), "{applied}");
    commit(&stage, GITOPS, VALUES, &edited).await?;

    // What would be done is shown first. Nothing is due before half of the time is over.
    let (code, said) = tenantry(&stage, &[], &["drift", "list"]).await?;
    assert_eq!(code, Some(3), "{said}");
    let args = [
        "drift",
        "check",
        "--dry-run",
        "--detailed-exitcode",
        "acme/web/staging",
    ];
    let (code, said) = tenantry(&stage, &[], &args).await?;
    assert_eq!(code, Some(10), "{said}");
    assert!(
        said.contains("medium changed stacks/acme/web/staging/values.yaml"),
        "{said}"
    );
    assert!(said.contains("nothing was recorded"), "{said}");
    let (code, said) = tenantry(&stage, &[], &["drift", "report", "--dry-run"]).await?;
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.ends_with("6 of 6 stacks checked within 24 hours, 0 drifted\n"),
        "{said}"
    );
    let (code, _) = tenantry(&stage, &[], &["drift", "check", "acme/web/staging"]).await?;
    assert_eq!(code, Some(0));
    let (_, said) = tenantry(&stage, &[], &["drift", "report", "--dry-run"]).await?;
    assert!(
        said.contains(
            "open an issue: Drift in acme/web/staging: 1 changed outside of tenantry (medium)"
        ),
        "{said}"
    );
    assert_eq!(ours(&stage).await?, []);

    // The answer to opening it is lost: it is found again and not opened twice.
    let mut fault = Fault::once("/issues", Kind::DropAfter);
    fault.method = Some("POST".into());
    stage.server.fault(fault);
    let ended = drift(&stage).await?;
    let found = ours(&stage).await?;
    expect(
        &stage,
        &format!("one issue: {ended} {found:#?}"),
        ended == "success" && found.len() == 1,
    )
    .await?;
    let issue = &found[0];
    assert_eq!(
        issue.title,
        "Drift in acme/web/staging: 1 changed outside of tenantry (medium)"
    );
    assert_eq!(
        (issue.state.as_str(), issue.labels.join(" ").as_str()),
        ("open", "drift")
    );
    assert!(
        issue
            .body
            .contains("<code>environments.staging.max&#95;instances</code>")
            || issue.body.contains("max&#95;instances"),
        "{}",
        issue.body
    );
    assert!(
        !issue.body.contains("@everyone") && !issue.body.contains("<img"),
        "{}",
        issue.body
    );
    assert_eq!(issue.body.matches("<!--").count(), 1);

    // A copy with our very words, by somebody else, is not ours.
    let copied = open_issue(&stage, "copy", &issue.body).await?;
    let before: Vec<Seen> = issues(&stage).await?;
    assert_eq!(drift(&stage).await?, "success");
    assert_eq!(
        issues(&stage).await?,
        before,
        "nothing new, so nothing is written"
    );

    // Put back: closed. The others stay as they are.
    commit(&stage, GITOPS, VALUES, &applied).await?;
    assert_eq!(drift(&stage).await?, "success");
    let after = issues(&stage).await?;
    for seen in &after {
        let closed = seen.number == issue.number;
        assert_eq!(
            seen.state,
            if closed { "closed" } else { "open" },
            "{seen:?}"
        );
    }
    let theirs = |all: &[Seen]| -> Vec<Seen> {
        let foreign = |i: &&Seen| [forged, copied].contains(&i.number);
        all.iter().filter(foreign).cloned().collect()
    };
    assert_eq!(theirs(&after), theirs(&before));

    // Again: the same issue, opened again. The check of a suspended customer goes on.
    commit(&stage, GITOPS, VALUES, &edited).await?;
    let metadata = content(&stage, MANAGER, "customers/acme/metadata.yaml").await?;
    let suspended = format!("{metadata}status: suspended\n");
    commit(&stage, MANAGER, "customers/acme/metadata.yaml", &suspended).await?;
    // It was clean, so it would not be due for hours.
    let (code, _) = tenantry(&stage, &[], &["drift", "check", "acme/web/staging"]).await?;
    assert_eq!(code, Some(0));
    assert_eq!(drift(&stage).await?, "success");
    let again = ours(&stage).await?;
    assert_eq!(again.len(), 1);
    assert_eq!(
        (again[0].number, again[0].state.as_str()),
        (issue.number, "open")
    );

    // Ignored for a while: closed, and it says who answers for that.
    let settings = content(&stage, MANAGER, "tenantry.yml").await?;
    let rule = format!(
        "{settings}drift:\n  ignore:\n    - stack: acme/*/*\n      address: \"stacks/*/values.yaml\"\n      reason: migration\n      owner: platform-team\n      until: \"2999-12-31\"\n"
    );
    commit(&stage, MANAGER, "tenantry.yml", &rule).await?;
    let ended = drift(&stage).await?;
    let ignored = ours(&stage).await?;
    expect(&stage, "the run with a rule succeeds", ended == "success").await?;
    assert_eq!(ignored[0].state, "closed");
    assert!(
        ignored[0].body.contains("platform-team"),
        "{}",
        ignored[0].body
    );

    // The audit log tells when it began and ended.
    let log = stored(&stage.store_dir().join("audit/records/acme"));
    let count = |kind| log.matches(kind).count();
    assert_eq!((count("drift-found"), count("drift-cleared")), (2, 1));
    stage.server.stop().await;
    Ok(())
}

/// One bucket with tags, one of them secret, and an object in it.
const MODULE: &str = r#"terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "5.100.0"
    }
  }
}

provider "aws" {
  region                      = var.region
  s3_use_path_style           = true
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_region_validation      = true
  skip_requesting_account_id  = true
}

variable "canary" {
  type      = string
  sensitive = true
  default   = "CANARY-7f3a9b1c"
}

locals {
  name = "${var.tenantry_customer}-${var.project_name}-${var.tenantry_environment}"
}

resource "aws_s3_bucket" "data" {
  bucket = local.name
  tags = {
    canary = var.canary
    size   = "${var.min_instances}-${var.max_instances} ${var.instance_type}"
    team   = "web ${var.networking.vpc_cidr}"
  }
}

resource "aws_s3_bucket" "noise" {
  bucket = "${local.name}-noise"
  tags   = { team = "web" }
  lifecycle {
    ignore_changes = [tags, tags_all]
  }
}

resource "aws_s3_object" "note" {
  bucket  = aws_s3_bucket.data.bucket
  key     = "note"
  content = "hello"
}
"#;

async fn tags(moto: &Moto, bucket: &str, tags: &[(&str, &str)]) -> Tested {
    let escape = |t: &str| t.replace('&', "&amp;").replace('<', "&lt;");
    let set: String = tags
        .iter()
        .map(|(k, v)| format!("<Tag><Key>{k}</Key><Value>{}</Value></Tag>", escape(v)))
        .collect();
    let body = format!("<Tagging><TagSet>{set}</TagSet></Tagging>");
    let (status, said) = moto.s3("PUT", &format!("/{bucket}?tagging"), &body).await?;
    assert!((200..300).contains(&status), "{status} {said}");
    Ok(())
}

/// A stage in a cloud, with one customer that subscribes.
async fn in_a_cloud(dir: &Path, name: &str) -> Tried<Option<(Stage, Moto, Vec<(String, String)>)>> {
    if tool("terraform").is_none() {
        skip(name, "terraform is not on the PATH")?;
        return Ok(None);
    }
    let plugins = variable("TENANTRY_TF_PLUGINS").map(PathBuf::from);
    let Some(plugins) = plugins.filter(|p| {
        p.join("registry.terraform.io/hashicorp/aws/5.100.0")
            .is_dir()
    }) else {
        skip(
            name,
            "provider plugin hashicorp/aws 5.100.0 is not in the folder TENANTRY_TF_PLUGINS",
        )?;
        return Ok(None);
    };
    let Some(moto) = Moto::start(dir).await? else {
        skip(name, "moto_server is not installed; tests/run installs it")?;
        return Ok(None);
    };
    let config = dir.join("terraform.rc");
    let text = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        plugins.display()
    );
    std::fs::write(&config, text)?;
    let env: Vec<(String, String)> = [
        ("TF_CLI_CONFIG_FILE", config.display().to_string()),
        ("AWS_ENDPOINT_URL", moto.url()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
    ]
    .map(|(k, v)| (k.to_owned(), v))
    .to_vec();
    let mut runner = steps();
    runner.extra_env.extend(env.clone());
    let mut settings = settings(&dir.join("stage"), Engine::Terraform, Hints::Poll, runner)?;
    settings.overrides = vec![
        ("products/web/terraform/main.tf".into(), MODULE.into()),
        (
            "products/web/terraform/outputs.tf".into(),
            "output \"bucket\" {\n  value = aws_s3_bucket.data.bucket\n}\n".into(),
        ),
    ];
    for customer in ["globex", "initech"] {
        settings.overrides.push((
            format!("customers/{customer}/products.yaml"),
            "products:\n  - name: web\n    enabled: false\n".into(),
        ));
    }
    Ok(Some((Stage::set(settings).await?, moto, env)))
}

#[tokio::test(flavor = "multi_thread")]
async fn t15_t16_what_was_changed_in_the_cloud_is_told_without_secrets() -> Tested {
    const NAME: &str = "t15_t16_what_was_changed_in_the_cloud_is_told_without_secrets";
    let dir = tempfile::Builder::new().prefix("tenantry-").tempdir()?;
    let Some((stage, moto, env)) = in_a_cloud(dir.path(), NAME).await? else {
        return Ok(());
    };
    apply_everything(&stage).await?;

    // One stack cannot be checked; the other is all the same.
    let state = stage.state_dir().join("acme/web/staging/terraform.tfstate");
    let away = state.with_extension("away");
    std::fs::rename(&state, &away)?;
    let ended = drift(&stage).await?;
    expect(
        &stage,
        "a stack without state fails the run",
        ended == "failure",
    )
    .await?;
    let record = |environment: &str| -> Tried<Value> {
        let path = format!("drift/acme/web/{environment}/check.json");
        Ok(serde_json::from_slice(&std::fs::read(
            stage.store_dir().join(path),
        )?)?)
    };
    let said = record("staging")?["error"]
        .as_str()
        .unwrap_or_default()
        .to_owned();
    assert!(
        said.contains("there is no Terraform state at `acme/web/staging/terraform.tfstate`"),
        "{said}"
    );
    let clean = record("production")?;
    assert_eq!(
        (&clean["error"], &clean["drift"]),
        (&Value::Null, &json!([])),
        "{clean}"
    );
    assert_eq!(issues(&stage).await?, []);

    // Somebody changes tags, one of them secret, and deletes an object.
    let bucket = "acme-shop-production";
    let hostile = "@all <img src=x> <!-- tenantry:drift:x -->";
    tags(
        &moto,
        bucket,
        &[
            ("canary", "CANARY-outside-5d"),
            ("size", "2-3 t3.small"),
            ("team", hostile),
        ],
    )
    .await?;
    tags(
        &moto,
        &format!("{bucket}-noise"),
        &[("team", "somebody else")],
    )
    .await?;
    assert_eq!(
        moto.s3("DELETE", &format!("/{bucket}/note"), "").await?.0,
        204
    );
    std::fs::rename(&away, &state)?;

    // A person looks first, and nothing is written.
    let env: Vec<(&str, String)> = env.iter().map(|(k, v)| (k.as_str(), v.clone())).collect();
    let args = [
        "--format",
        "json",
        "drift",
        "check",
        "--dry-run",
        "acme/web/production",
    ];
    let (code, said) = tenantry(&stage, &env, &args).await?;
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(record("production")?, clean);
    assert!(!said.contains("CANARY"), "{said}");
    let seen: Value = serde_json::from_str(&said)?;
    let lines: Vec<String> = seen["stacks"][0]["resources"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|r| {
            let paths: Vec<String> = r["differs"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|d| {
                    format!(
                        "{}{}",
                        d["path"].as_str().unwrap_or("?"),
                        if d["matters"] == true { "!" } else { "" }
                    )
                })
                .collect();
            format!(
                "{} {} {} {}",
                r["severity"],
                r["outside"],
                r["address"],
                paths.join(",")
            )
        })
        .collect();
    assert_eq!(
        lines,
        [
            "\"high\" \"deleted\" \"aws_s3_object.note\" ",
            "\"medium\" \"changed\" \"aws_s3_bucket.data\" tags.canary!,tags.team!,tags_all.canary!,tags_all.team!",
            "\"low\" \"changed\" \"aws_s3_bucket.noise\" tags.team,tags_all.team",
        ]
    );

    // The run: production is due only in hours, so it is checked by name.
    let (code, _) = tenantry(&stage, &env, &["drift", "check", "acme/web/production"]).await?;
    assert_eq!(code, Some(0));
    let ended = drift(&stage).await?;
    let found = ours(&stage).await?;
    expect(
        &stage,
        &format!("one issue, and staging is checked again: {ended} {found:#?}"),
        ended == "success" && found.len() == 1,
    )
    .await?;
    let issue = &found[0];
    assert_eq!(
        issue.title,
        "Drift in acme/web/production: 1 deleted, 2 changed outside of tenantry (high)"
    );
    assert!(
        issue.body.contains("aws&#95;s3&#95;object.note"),
        "{}",
        issue.body
    );
    assert!(
        issue.body.contains("&#40;sensitive value&#41;"),
        "{}",
        issue.body
    );
    assert!(
        !issue.body.contains("@all") && !issue.body.contains("<img"),
        "{}",
        issue.body
    );
    assert_eq!(issue.body.matches("<!--").count(), 1);
    let first_seen = record("production")?["drift"][0]["first_seen"].clone();

    // No secret in the store, the issue, a summary or a log but for the masks.
    let mut everything = format!("{}{}", issue.body, stored(&stage.store_dir().join("drift")));
    for run in std::fs::read_dir(stage.dir.join("runs"))?.flatten() {
        everything
            .push_str(&std::fs::read_to_string(run.path().join("summary.md")).unwrap_or_default());
    }
    let logs = stage.logs().await?;
    everything.extend(logs.lines().filter(|l| !l.contains("::add-mask::")));
    assert!(everything.contains("aws_s3_bucket.data"));
    assert!(!everything.contains("CANARY"), "a secret was told");

    // The object is put back by hand, the tags too; the noise stays and is no issue.
    let (code, _) = tenantry(&stage, &env, &["drift", "check", "acme/web/production"]).await?;
    assert_eq!(code, Some(0));
    assert_eq!(record("production")?["drift"][0]["first_seen"], first_seen);
    tags(
        &moto,
        bucket,
        &[
            ("canary", "CANARY-7f3a9b1c"),
            ("size", "2-3 t3.small"),
            ("team", "web 10.0.0.0/16"),
        ],
    )
    .await?;
    assert_eq!(
        moto.s3("PUT", &format!("/{bucket}/note"), "hello").await?.0,
        200
    );
    let ended = drift(&stage).await?;
    let found = ours(&stage).await?;
    expect(
        &stage,
        &format!("closed when clean: {ended} {found:#?}"),
        ended == "success" && found.len() == 1 && found[0].state == "closed",
    )
    .await?;
    // Looking changed nothing: the state is as the apply left it.
    let serial = |path: &Path| -> Tried<Value> {
        let state: Value = serde_json::from_slice(&std::fs::read(path)?)?;
        Ok(state["serial"].clone())
    };
    assert!(
        !state
            .with_file_name(".terraform.tfstate.lock.info")
            .exists()
    );
    assert!(serial(&state)?.as_u64().is_some_and(|s| s > 0));
    stage.server.stop().await;
    Ok(())
}
