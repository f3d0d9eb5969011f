//! The shipped workflow files, run by `act` against the local GitHub: with real Terraform, a
//! real provider and a cloud on this machine, and with a payload that wants to be run (T5).

mod support;

use serde_json::json;
use std::path::{Path, PathBuf};
use support::moto::Moto;
use support::{Tested, act, expect, path, settings, skip, tool, variable, variables};

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
    // The folder of a mirror: HOST/NAMESPACE/TYPE.
    let has = std::fs::read_dir(&plugins)
        .ok()
        .into_iter()
        .flatten()
        .flatten()
        .any(|host| host.path().join("hashicorp/aws/5.100.0").is_dir());
    if !has {
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

/// The whole change under `act`, until production is applied.
async fn one_change(stage: &Stage) -> Tested {
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
        states == PROPOSED,
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
const PROPOSED: [&str; 3] = [
    "pending: asked the provider; waiting for the plan",
    "pending: planning: web/staging, web/production",
    "success: planned: 2 to create in 2 stacks",
];
/// What the customer sees on the merge commit, in order.
const MERGED: [&str; 5] = [
    "pending: asked the provider; waiting for the plan",
    "pending: planning: web/staging, web/production",
    "pending: applying: web/staging, then web/production",
    "pending: applied: web/staging; waiting for approval: web/production",
    "success: applied: web/staging, web/production",
];

#[tokio::test(flavor = "multi_thread")]
async fn one_change_under_act_in_a_cloud() -> Tested {
    const NAME: &str = "one_change_under_act_in_a_cloud";
    let dir = tempfile::Builder::new().prefix("tenantry-").tempdir()?;
    if tool("act").is_none() {
        return skip(NAME, "act is not installed; tests/run installs it");
    }
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    let Some(config) = mirror(dir.path())? else {
        skip(
            NAME,
            "provider plugin hashicorp/aws 5.100.0 is not in the folder TENANTRY_TF_PLUGINS; the change runs without a provider",
        )?;
        return without_a_cloud(dir.path()).await;
    };
    let Some(moto) = Moto::start(dir.path()).await? else {
        skip(
            NAME,
            "moto_server is not installed; tests/run installs it; the change runs without a provider",
        )?;
        return without_a_cloud(dir.path()).await;
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
    let Some(runner) = act::runner(dir.path(), env)? else {
        return Err("act is gone".into());
    };
    let mut settings = settings(&dir.path().join("stage"), Engine::Terraform, Hints::Direct, runner)?;
    settings.storage = Some(format!(
        "store:\n  url: s3://{STORE}/tenantry\n  seal_recipient: RECIPIENT\nstate:\n  backend: s3\n  bucket: {STATES}\n  region: {REGION}\n  path_style: true\n"
    ));
    settings.overrides = vec![
        ("products/web/terraform/main.tf".into(), MODULE.into()),
        (
            "products/web/terraform/outputs.tf".into(),
            "output \"bucket\" {\n  value = aws_s3_bucket.data.bucket\n}\n".into(),
        ),
    ];
    settings.secrets = [("AWS_ACCESS_KEY_ID", "test"), ("AWS_SECRET_ACCESS_KEY", "test")]
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .to_vec();
    let stage = set(settings).await?;
    one_change(&stage).await?;

    // One state a stack, each under its own key, and no lock is left.
    assert_eq!(moto.keys(STATES, "").await?, KEYS);
    // No lease is left in the store, and the plans in it are sealed.
    let kept = moto.keys(STORE, "tenantry/").await?;
    assert!(!kept.is_empty());
    eprintln!("{kept:#?}");
    // What was asked for exists.
    for (environment, instances) in [("staging", "1-4 t3.micro"), ("production", "2-10 t3.small")] {
        let bucket = format!("acme-shop-{environment}");
        let (status, tags) = moto.s3("GET", &format!("/{bucket}?tagging"), "").await?;
        assert_eq!(status, 200, "{bucket}: {tags}");
        assert!(tags.contains(&format!("<Value>{instances}</Value>")), "{bucket}: {tags}");
    }
    stage.server.stop().await;
    Ok(())
}

/// The same change with a module that needs no provider, and state in a folder.
async fn without_a_cloud(dir: &Path) -> Tested {
    let Some(runner) = act::runner(dir, Vec::new())? else {
        return Err("act is gone".into());
    };
    let stage = set(settings(&dir.join("stage"), Engine::Terraform, Hints::Direct, runner)?).await?;
    one_change(&stage).await?;
    for key in KEYS {
        let state = stage.state_dir().join(key);
        assert!(state.is_file(), "{}", state.display());
    }
    stage.server.stop().await;
    Ok(())
}
