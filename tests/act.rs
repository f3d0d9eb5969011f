//! The shipped workflow files, run by `act` against the local GitHub: with real Terraform, a
//! real provider and a cloud on this machine, and with a payload that wants to be run (T5).

mod support;

use serde_json::json;
use std::path::{Path, PathBuf};
use support::moto::Moto;
use support::{Tested, act, expect, settings, skip, tool, variable, variables};

use tenantry::local::stage::{Engine, Hints, MANAGER, REVIEWER, Stage, StageSettings, Tenant};

const STATES: &str = "estate-state";
const STORE: &str = "estate-store";
const REGION: &str = "eu-west-1";
/// `act` starts several processes for each job, and Terraform's provider is large.
const PATIENCE: u64 = 240;

/// The module of the test: one bucket a stack, named after it.
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

locals {
  name = "${var.tenantry_customer}-${var.project_name}-${var.tenantry_environment}"
}

resource "aws_s3_bucket" "data" {
  bucket = local.name
  tags = {
    instances = "${var.min_instances}-${var.max_instances} ${var.instance_type}"
    network   = var.networking.vpc_cidr
  }
}
"#;

/// The manager says that its runner enforces no environments: `tenantry gate` waits itself.
async fn set(settings: StageSettings) -> Result<Stage, Box<dyn std::error::Error>> {
    let stage = Stage::set(settings).await?;
    for (name, value) in [("TENANTRY_WAIT", "true"), ("AWS_REGION", REGION)] {
        stage
            .admin(
                "POST",
                "/_local/variables",
                json!({"repo": MANAGER, "name": name, "value": value}),
            )
            .await?;
    }
    Ok(stage)
}

async fn seen(
    stage: &Stage,
    tenant: &Tenant,
    sha: &str,
) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let statuses = stage.statuses(tenant, sha).await?;
    Ok(statuses
        .into_iter()
        .map(|s| format!("{}: {}", s.state, s.description))
        .collect())
}

/// Where the provider lies, and a configuration that lets Terraform find it there and only there.
fn mirror(dir: &Path) -> Result<Option<PathBuf>, Box<dyn std::error::Error>> {
    let Some(plugins) = variable("TENANTRY_TF_PLUGINS").map(PathBuf::from) else {
        return Ok(None);
    };
    // Terraform's names for this machine; the folder of a mirror is HOST/NAMESPACE/TYPE/….
    let machine = match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    };
    let provider = format!(
        "registry.terraform.io/hashicorp/aws/5.100.0/{}_{machine}",
        std::env::consts::OS
    );
    if !plugins.join(provider).is_dir() {
        return Ok(None);
    }
    let file = dir.join("terraform.rc");
    let text = format!(
        "disable_checkpoint = true\nprovider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
        plugins.display()
    );
    std::fs::write(&file, text)?;
    Ok(Some(file))
}

/// The whole change under `act`, until production is applied. The two stacks make `resources`.
async fn one_change(stage: &Stage, resources: u32) -> Tested {
    let acme = stage.tenant("acme").ok_or("acme")?.clone();

    // A pull request gets its plan.
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.server.idle().await;
    let comments = stage.comments(&acme, number).await?;
    expect(
        stage,
        "one comment with the plan of both stacks",
        comments.len() == 1
            && comments[0].author == stage.bot()
            && comments[0].body.contains("acme/web/production")
            && comments[0].body.contains("acme/web/staging"),
    )
    .await?;
    let states = seen(stage, &acme, &head).await?;
    expect(
        stage,
        &format!("statuses of the pull request: {states:#?}"),
        states == proposed(resources),
    )
    .await?;

    // Merged: staging is applied, production waits.
    let merged = stage.merge(&acme, number, &head).await?;
    stage.server.idle().await;
    let Some(run) = stage.until_waiting(PATIENCE).await? else {
        return expect(stage, "production waits", false).await;
    };
    let states = seen(stage, &acme, &merged).await?;
    expect(
        stage,
        &format!("statuses while production waits: {states:#?}"),
        states == MERGED[..MERGED.len() - 1],
    )
    .await?;

    // Approved: production is applied.
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let states = seen(stage, &acme, &merged).await?;
    expect(
        stage,
        &format!("statuses at the end: {states:#?}"),
        states == MERGED,
    )
    .await?;

    let comments = stage.comments(&acme, number).await?;
    expect(
        stage,
        &format!("the comments at the end: {comments:#?}"),
        comments.len() == 2
            && comments[1].author == stage.bot()
            && comments[1].body.contains("applied")
            && comments[1].body.contains(REVIEWER),
    )
    .await?;

    // The sweep brings up who never asked, and leaves alone what is as it should be.
    stage.tick().await?;
    let Some(run) = stage.until_waiting(PATIENCE).await? else {
        return expect(stage, "production of the other customers waits", false).await;
    };
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    expect(
        stage,
        "the sweep leaves the first customer alone",
        seen(stage, &acme, &merged).await? == MERGED,
    )
    .await
}

/// The state keys of all customers, in order.
const KEYS: [&str; 6] = [
    "acme/web/production/terraform.tfstate",
    "acme/web/staging/terraform.tfstate",
    "globex/web/production/terraform.tfstate",
    "globex/web/staging/terraform.tfstate",
    "initech/web/production/terraform.tfstate",
    "initech/web/staging/terraform.tfstate",
];

/// What the customer sees on the pull request, in order.
fn proposed(resources: u32) -> [String; 3] {
    [
        "pending: asked the provider; waiting for the plan".to_owned(),
        "pending: planning: web/staging, web/production".to_owned(),
        format!("success: planned: {resources} to create in 2 stacks"),
    ]
}
/// What the customer sees on the merge commit, in order.
const MERGED: [&str; 5] = [
    "pending: asked the provider; waiting for the plan",
    "pending: planning: web/staging, web/production",
    "pending: applying: web/staging, then web/production",
    "pending: applied: web/staging; waiting for approval: web/production",
    "success: applied: web/staging, web/production",
];

/// A stage whose stores and resources lie in a cloud on this machine, with `module` as the
/// product; or what is missing for that.
async fn in_a_cloud(
    dir: &Path,
    module: &str,
) -> Result<Result<(Moto, Stage), &'static str>, Box<dyn std::error::Error>> {
    let Some(config) = mirror(dir)? else {
        return Ok(Err(
            "provider plugin hashicorp/aws 5.100.0 is not in the folder TENANTRY_TF_PLUGINS",
        ));
    };
    let Some(moto) = Moto::start(dir).await? else {
        return Ok(Err("moto_server is not installed; tests/run installs it"));
    };
    for bucket in [STATES, STORE] {
        moto.bucket(bucket).await?;
    }
    let pairs = [
        ("TF_CLI_CONFIG_FILE", config.display().to_string()),
        ("AWS_ENDPOINT_URL", moto.url()),
        ("AWS_ENDPOINT_URL_S3", moto.url()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ];
    let env = pairs.map(|(k, v)| (k.to_owned(), v)).to_vec();
    let Some(runner) = act::runner(dir, env)? else {
        return Err("act is gone".into());
    };
    let mut settings = settings(&dir.join("stage"), Engine::Terraform, Hints::Direct, runner)?;
    settings.storage = Some(format!(
        "store:\n  url: s3://{STORE}/tenantry\n  seal_recipient: RECIPIENT\nstate:\n  backend: s3\n  bucket: {STATES}\n  region: {REGION}\n  path_style: true\nengines:\n  terraform:\n    binary: terraform\n"
    ));
    settings.overrides = vec![
        ("products/web/terraform/main.tf".into(), module.into()),
        (
            "products/web/terraform/outputs.tf".into(),
            "output \"bucket\" {\n  value = aws_s3_bucket.data.bucket\n}\n".into(),
        ),
    ];
    settings.secrets = [
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    Ok(Ok((moto, set(settings).await?)))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_change_under_act_in_a_cloud() -> Tested {
    const NAME: &str = "one_change_under_act_in_a_cloud";
    let dir = tempfile::Builder::new().prefix("tenantry-").tempdir()?;
    if tool("act").is_none() {
        return skip(NAME, "act is not installed; tests/run installs it");
    }
    if tool("terraform").is_none() {
        skip(NAME, "terraform is not on the PATH")?;
        return match tool("tofu") {
            Some(_) => without_a_cloud(dir.path()).await,
            None => Ok(()),
        };
    }
    let (moto, stage) = match in_a_cloud(dir.path(), MODULE).await? {
        Ok(set) => set,
        Err(missing) => {
            skip(
                NAME,
                &format!("{missing}; the change runs without a provider"),
            )?;
            return without_a_cloud(dir.path()).await;
        }
    };
    one_change(&stage, 2).await?;

    // One state a stack, each under its own key, and no lock is left.
    assert_eq!(moto.keys(STATES, "").await?, KEYS);
    // Every lease is given back, and a plan is in the store only when it is sealed.
    let (mut leases, mut plans) = (0, 0);
    for key in moto.keys(STORE, "tenantry/").await? {
        let (status, text) = moto.s3("GET", &format!("/{STORE}/{key}"), "").await?;
        assert_eq!(status, 200, "{key}");
        if key.starts_with("tenantry/leases/") {
            leases += 1;
            assert!(text.contains("\"held\": false"), "{key}: {text}");
        } else if key.starts_with("tenantry/plans/") {
            plans += 1;
            assert!(text.starts_with("age-encryption.org/v1"), "{key}");
        }
    }
    assert_eq!((leases, plans), (6, 8));
    // What was asked for exists.
    for (environment, instances) in [("staging", "1-4 t3.micro"), ("production", "2-10 t3.small")] {
        let bucket = format!("acme-shop-{environment}");
        let (status, tags) = moto.s3("GET", &format!("/{bucket}?tagging"), "").await?;
        assert_eq!(status, 200, "{bucket}: {tags}");
        assert!(
            tags.contains(&format!("<Value>{instances}</Value>")),
            "{bucket}: {tags}"
        );
    }
    stage.server.stop().await;
    act::nothing_left(dir.path()).await
}

/// The customer's bucket is made, and the cloud refuses what comes after it, because a bucket of
/// the provider's is missing.
const REFUSED: &str = r#"
resource "aws_s3_object" "notice" {
  bucket  = "provider-notices"
  key     = local.name
  content = aws_s3_bucket.data.id
}
"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_apply_under_act_in_a_cloud() -> Tested {
    const NAME: &str = "a_failed_apply_under_act_in_a_cloud";
    let dir = tempfile::Builder::new().prefix("tenantry-").tempdir()?;
    for program in ["act", "terraform"] {
        if tool(program).is_none() {
            return skip(NAME, &format!("{program} is not installed"));
        }
    }
    let module = format!("{MODULE}{REFUSED}");
    let (moto, stage) = match in_a_cloud(dir.path(), &module).await? {
        Ok(set) => set,
        Err(missing) => return skip(NAME, missing),
    };
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.server.idle().await;
    let merged = stage.merge(&acme, number, &head).await?;
    stage.server.idle().await;

    // What the customer reads: the status, then the comment.
    let states = seen(&stage, &acme, &merged).await?;
    expect(
        &stage,
        &format!("the status: {states:#?}"),
        states.last().is_some_and(|s| {
            s == "failure: failed: web/staging (1 created, 1 failed); fix the cause, then re-run"
        }),
    )
    .await?;
    let body = apply_comment(&stage, &acme, number).await?;
    for words in [
        "did not come to its end. What was done stays, nothing is undone",
        "**What became of it:** 1 created, 1 failed.",
        "| <code>aws&#95;s3&#95;object.notice</code> | create | failed |",
        "| <code>aws&#95;s3&#95;bucket.data</code> | create | created |",
        "Looked at right after: 1 left to do: create <code>aws&#95;s3&#95;object.notice</code>. Nothing was changed past Terraform.",
        "NoSuchBucket",
    ] {
        expect(&stage, &format!("{words} in\n{body}"), body.contains(words)).await?;
    }
    let (status, _) = moto.s3("HEAD", "/acme-shop-staging", "").await?;
    assert_eq!(status, 200, "the first half was made");

    // The provider makes the bucket, and starts the run once more.
    moto.bucket("provider-notices").await?;
    let runs = stage.admin("GET", "/_local/runs", json!(null)).await?;
    let of = runs.as_array().into_iter().flatten();
    let run = of
        .filter(|r| r["event"] == "repository_dispatch")
        .filter_map(|r| r["id"].as_u64())
        .max()
        .ok_or("no run")?;
    stage.rerun(run, false).await?;
    let waiting = stage.until_waiting(PATIENCE).await?;
    expect(&stage, "production waits", waiting == Some(run)).await?;
    let body = apply_comment(&stage, &acme, number).await?;
    for words in [
        "**Since the plan before (<code>",
        "# created already: aws_s3_bucket.data",
    ] {
        expect(&stage, &format!("{words} in\n{body}"), body.contains(words)).await?;
    }
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let states = seen(&stage, &acme, &merged).await?;
    expect(
        &stage,
        &format!("the end: {states:#?}"),
        states
            .last()
            .is_some_and(|s| s == "success: applied: web/staging, web/production"),
    )
    .await?;
    assert_eq!(
        moto.keys("provider-notices", "").await?,
        ["acme-shop-production", "acme-shop-staging"]
    );
    stage.server.stop().await;
    act::nothing_left(dir.path()).await
}

/// The comment about applies of a pull request.
async fn apply_comment(
    stage: &Stage,
    tenant: &Tenant,
    number: u64,
) -> Result<String, Box<dyn std::error::Error>> {
    let comments = stage.comments(tenant, number).await?;
    let found = comments.into_iter().find(|c| c.body.contains(":apply -->"));
    Ok(found.ok_or("no comment about the apply")?.body)
}

/// The same change with a module that needs no provider, and state in a folder.
async fn without_a_cloud(dir: &Path) -> Tested {
    let Some(runner) = act::runner(dir, Vec::new())? else {
        return Err("act is gone".into());
    };
    let stage = set(settings(
        &dir.join("stage"),
        Engine::Terraform,
        Hints::Direct,
        runner,
    )?)
    .await?;
    one_change(&stage, 4).await?;
    for key in KEYS {
        let state = stage.state_dir().join(key);
        assert!(state.is_file(), "{}", state.display());
    }
    stage.server.stop().await;
    act::nothing_left(dir).await
}

/// Collects the markers under a folder.
fn markers(folder: &Path, found: &mut Vec<PathBuf>) {
    // A folder may go while it is looked at: act tidies up after its jobs.
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        // A branch of that name lies in git's folders: a marker is nothing but its name.
        let name = entry.file_name().to_string_lossy().into_owned();
        let number = name.strip_prefix(MARKER).and_then(|n| n.strip_prefix('-'));
        if number.is_some_and(|n| n.parse::<u8>().is_ok()) {
            found.push(entry.path());
        }
        if entry.file_type().is_ok_and(|t| t.is_dir()) {
            markers(&entry.path(), found);
        }
    }
}

/// Fails when anything of a payload was run.
fn untouched(dir: &Path) -> Tested {
    let mut found = Vec::new();
    markers(dir, &mut found);
    if found.is_empty() {
        return Ok(());
    }
    Err(format!("the payload was run: {found:#?}").into())
}

/// The file that a payload makes if anything runs it.
const MARKER: &str = "t5-marker";

/// Everything in a payload that a customer chooses wants to be run: branch, title, message,
/// values, and a hint of their own making. Nothing is, and the loop answers as ever.
#[tokio::test(flavor = "multi_thread")]
async fn t5_hostile_payload_under_act() -> Tested {
    // No part of a git reference may begin with a dot.
    let dir = tempfile::Builder::new().prefix("tenantry-").tempdir()?;
    let Some(runner) = act::runner(dir.path(), Vec::new())? else {
        return skip(
            "t5_hostile_payload_under_act",
            "act is not installed; tests/run installs it",
        );
    };
    let stage = set(settings(
        &dir.path().join("stage"),
        Engine::Argocd,
        Hints::Direct,
        runner,
    )?)
    .await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let globex = stage.tenant("globex").ok_or("globex")?.clone();
    let marker = dir.path().join(MARKER);
    let marker = marker.display();
    // Balanced, so that it is run as it is, in double quotes and in single quotes.
    let run_me = format!(
        "$(touch {marker}-1) `touch {marker}-2` '$(touch {marker}-3)' \"$(touch {marker}-4)\" ${{{{ secrets.SOURCE_REPOS_PAT }}}} %0A::set-env name=A::b"
    );
    let message = format!(
        "{run_me}\n::set-env name=PATH::/nowhere\n ##[add-path]/nowhere\n::set-output name=any::true"
    );
    let branch = format!(
        "x$(touch${{IFS}}{marker}-5)`touch${{IFS}}{marker}-6`'$(touch${{IFS}}{marker}-7)'\"$(touch${{IFS}}{marker}-8)\""
    );
    let other = format!("{branch}${{{{github.token}}}}");

    // Valid values, hostile everywhere else: a plan.
    let tag = format!("$(touch {MARKER}-9) `touch {MARKER}-10`\n::set-env name=PATH::/nowhere");
    let good = format!("{}  note: {}\n", variables("shop", 4), json!(tag));
    stage
        .commit(&acme, &branch, "infra/variables.yml", &good, &message)
        .await?;
    let (number, head) = stage.propose(&acme, &branch, &good, &run_me).await?;
    stage.server.idle().await;
    untouched(dir.path())?;
    let states = seen(&stage, &acme, &head).await?;
    let comments = stage.comments(&acme, number).await?;
    expect(
        &stage,
        &format!("the plan: {states:#?} {comments:#?}"),
        states == proposed(4)
            && comments.len() == 1
            && comments[0].body.contains("acme/web/production"),
    )
    .await?;

    // Merged, with the message once more: staging is applied, production waits.
    let merged = stage.merge(&acme, number, &head).await?;
    let waits = stage.until_waiting(PATIENCE).await?.is_some();
    let states = seen(&stage, &acme, &merged).await?;
    expect(
        &stage,
        &format!("production waits: {states:#?}"),
        waits && states == MERGED[..MERGED.len() - 1],
    )
    .await?;

    // A hostile value: a refusal that says where.
    let bad = variables("shop", 4).replacen(
        "project_name: shop",
        &format!("project_name: {}", json!(message.replace("{{", "{"))),
        1,
    );
    let (number, head) = stage.propose(&globex, &other, &bad, &run_me).await?;
    stage.server.idle().await;
    untouched(dir.path())?;
    let states = seen(&stage, &globex, &head).await?;
    let comments = stage.comments(&globex, number).await?;
    expect(
        &stage,
        &format!("the refusal: {states:#?} {comments:#?}"),
        states.last().is_some_and(|s| s.starts_with("failure: "))
            && comments.len() == 1
            && comments[0].body.contains("infra/variables.yml:1:15"),
    )
    .await?;

    // A hint that no `trigger` wrote: the run refuses it and tells nobody.
    let hint = json!({
        "tenantry": 1, "request_id": message, "repository": run_me, "repository_id": globex.repository_id,
        "sha": run_me, "ref": branch, "event": "push", "identity": message,
    });
    let before = seen(&stage, &globex, &head).await?;
    assert_eq!(stage.dispatch(&stage.tokens["dispatch"], &hint).await, 204);
    stage.server.idle().await;
    untouched(dir.path())?;
    let runs = stage.admin("GET", "/_local/runs", json!(null)).await?;
    let last = runs.as_array().and_then(|r| r.last()).ok_or("no run")?;
    expect(
        &stage,
        &format!("the hint is refused: {}", last["conclusion"]),
        last["event"] == "repository_dispatch" && last["conclusion"] == "failure",
    )
    .await?;
    assert_eq!(seen(&stage, &globex, &head).await?, before);

    let logs = stage.logs().await?;
    // act names the argument of every command that it obeys.
    assert!(!logs.contains(r#""arg":"/nowhere"#), "a command was obeyed");
    // A run still waits for its approval; it ends with the server.
    stage.server.stop().await;
    act::nothing_left(dir.path()).await
}
