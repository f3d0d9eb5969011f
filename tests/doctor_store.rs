//! What doctor says about buckets, states, locks and roles, against a cloud on this machine, and
//! that it has nothing to say about what `init manager --bootstrap aws` makes.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use support::moto::Moto;
use support::{Tested, path, skip, still, tool, variable};
use tenantry::local::Server;

const NO_MOTO: &str = "moto_server is not installed; tests/run installs it";
/// A GitHub that knows nobody: what is asked of it cannot be checked, and that is not judged here.
async fn github(dir: &Path) -> std::io::Result<Server> {
    Server::start(still(dir.join("github"))).await
}

struct World {
    dir: tempfile::TempDir,
    moto: Moto,
    github: Server,
    token: String,
}

impl World {
    async fn new() -> Result<Option<Self>, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let Some(moto) = Moto::start(dir.path()).await? else {
            return Ok(None);
        };
        let github = github(dir.path()).await?;
        let token = "x".to_owned();
        Ok(Some(Self {
            dir,
            moto,
            github,
            token,
        }))
    }

    /// From now on GitHub knows the manager repository: the numbers of its owner and of itself.
    async fn known(&mut self) -> Result<(u64, u64), Box<dyn Error>> {
        let made = json!({"repo": "ops/infra", "files": {"README.md": "x"}});
        let (status, answer) = self.github.call("POST", "/_local/repos", made).await;
        assert!(status < 300, "{answer}");
        self.token.clone_from(&self.github.token);
        let (_, repo) = self
            .github
            .call("GET", "/repos/ops/infra", Value::Null)
            .await;
        let number = |v: &Value| v.as_u64().ok_or_else(|| format!("no number: {repo}"));
        Ok((number(&repo["owner"]["id"])?, number(&repo["id"])?))
    }

    async fn role(&self, name: &str, policy: &Value) -> Tested {
        let text = policy.to_string();
        let encoded: String = text.bytes().map(|b| format!("%{b:02X}")).collect();
        let query = format!(
            "/?Action=CreateRole&RoleName={name}&AssumeRolePolicyDocument={encoded}&Version=2010-05-08"
        );
        let (status, answer) = self.moto.call("iam", "GET", &query, "").await?;
        assert_eq!(status, 200, "{answer}");
        Ok(())
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("estate")
    }

    fn write(&self, path: &str, text: &str) -> Tested {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    /// An estate whose store and state are in buckets.
    fn estate(&self, audit: &str) -> Tested {
        self.write(
            "tenantry.yml",
            &format!("manager: ops/infra\nstore:\n  url: s3://states/tenantry\nstate:\n  backend: s3\n  bucket: states\n  region: us-east-1\n{audit}"),
        )?;
        for name in [
            "base-values.yaml",
            "environments/staging.yaml",
            "environments/production.yaml",
        ] {
            self.write(&format!("products/web/{name}"), "a: 1\n")?;
        }
        self.write("products/web/terraform/main.tf", "")?;
        for customer in ["acme", "globex"] {
            let folder = format!("customers/{customer}");
            let roles = format!(
                "roles:\n  production: arn:aws:iam::123456789012:role/{customer}-production\n"
            );
            self.write(
                &format!("{folder}/metadata.yaml"),
                &format!("customer: {customer}\n{roles}"),
            )?;
            self.write(
                &format!("{folder}/products.yaml"),
                "products:\n  - name: web\n",
            )?;
        }
        Ok(())
    }

    fn cloud(&self, command: &mut Command) {
        command
            .env("AWS_ENDPOINT_URL", self.moto.url())
            .env("AWS_ACCESS_KEY_ID", "test")
            .env("AWS_SECRET_ACCESS_KEY", "test")
            .env("AWS_REGION", "us-east-1");
    }

    fn doctor(&self, args: &[&str]) -> Result<(i32, Value), Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .args(["doctor", "--format", "json"])
            .args(args)
            .env_clear()
            .env("GITHUB_API_URL", &self.github.url)
            .env("GITHUB_TOKEN", &self.token)
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .current_dir(self.root())
            .stdin(Stdio::null());
        self.cloud(&mut command);
        let out = command.output()?;
        let text = String::from_utf8(out.stdout)?;
        let said = String::from_utf8(out.stderr)?;
        let json = serde_json::from_str(&text).map_err(|e| format!("{e}: {text}{said}"))?;
        Ok((out.status.code().unwrap_or(-1), json))
    }

    async fn put(&self, key: &str, body: &str) -> Tested {
        match self.moto.s3("PUT", &format!("/states/{key}"), body).await? {
            (200, _) => Ok(()),
            other => Err(format!("{key}: {other:?}").into()),
        }
    }
}

/// What was found in the areas that are not GitHub's.
fn of(json: &Value, outcome: &str) -> BTreeSet<String> {
    let all = json["checks"].as_array().into_iter().flatten();
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    all.filter(|c| c["outcome"] == outcome && (c["area"] == "store" || c["area"] == "trust"))
        .map(|c| format!("{} {}", word(&c["id"]), word(&c["subject"])))
        .collect()
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

fn message(json: &Value, id: &str) -> String {
    let all = json["checks"].as_array().into_iter().flatten();
    let mut found = all.filter(|c| c["id"] == id && c["outcome"] != "ok");
    found.next().map(ToString::to_string).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bare_bucket_is_told_and_put_right() -> Tested {
    let Some(world) = World::new().await? else {
        return skip("a_bare_bucket_is_told_and_put_right", NO_MOTO);
    };
    world.estate("")?;
    // Nothing is there at all.
    let (code, json) = world.doctor(&[])?;
    assert_eq!(code, 1);
    assert!(
        of(&json, "unchecked").contains("store-reachable s3://states/tenantry"),
        "{json}"
    );
    world.moto.bucket("states").await?;
    let (_, json) = world.doctor(&[])?;
    let bare = set(&[
        "store-audit-lock states",
        "store-encryption states",
        "store-public states",
        "store-versioning states",
        "trust-shared-environment production-apply",
    ]);
    assert_eq!(of(&json, "finding"), bare, "{json}");
    let (code, json) = world.doctor(&["--fix", "--yes"])?;
    assert_eq!(code, 1, "the rest is for a person");
    for done in json["done"].as_array().ok_or("nothing done")? {
        assert_eq!(done["failed"], Value::Null, "{done}");
    }
    let left = set(&[
        "store-audit-lock states",
        "trust-shared-environment production-apply",
    ]);
    assert_eq!(of(&json, "finding"), left, "{json}");
    let (_, answer) = world.moto.s3("GET", "/states?versioning", "").await?;
    assert!(answer.contains("Enabled"), "{answer}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_states_of_nobody_and_locks_that_were_left() -> Tested {
    let Some(world) = World::new().await? else {
        return skip("t29_states_of_nobody_and_locks_that_were_left", NO_MOTO);
    };
    world.estate("")?;
    world.moto.bucket("states").await?;
    world.doctor(&["--fix", "--yes"])?;
    for key in [
        "acme/web/staging/terraform.tfstate",
        "acme/web/dev/terraform.tfstate",
        "umbrella/web/production/terraform.tfstate",
        "by-hand/terraform.tfstate",
        // The store's own folder is not looked into.
        "tenantry/x/terraform.tfstate",
    ] {
        world.put(key, "{}").await?;
    }
    let young = "{\"ID\":\"11111111-aaaa\",\"Operation\":\"OperationTypePlan\",\"Who\":\"runner@fv-1\",\"Created\":\"2026-01-01T00:00:00Z\"}";
    world
        .put("acme/web/staging/terraform.tfstate.tflock", young)
        .await?;
    let applied = json!({
        "sha": "c".repeat(40), "inputs": "sha256:".to_owned() + &"0".repeat(64), "plan": "sha256:".to_owned() + &"0".repeat(64),
        "request": format!("globex/push-{}", "c".repeat(40)), "at": 1_795_000_000, "count": 1,
    });
    world
        .put(
            "tenantry/applied/globex/web/production.json",
            &applied.to_string(),
        )
        .await?;
    let lease = json!({"who": "run 7", "since": 1_700_000_000, "until": 1_700_021_600, "held": true, "nonce": "n"});
    world
        .put("tenantry/leases/acme/web/staging.json", &lease.to_string())
        .await?;
    let (_, json) = world.doctor(&[])?;
    let found: BTreeSet<String> = of(&json, "finding")
        .into_iter()
        .filter(|f| f.starts_with("state-") || f.starts_with("store-lease"))
        .collect();
    let expected = set(&[
        "state-known s3://states/acme/web/dev/terraform.tfstate",
        "state-known s3://states/by-hand/terraform.tfstate",
        "state-known s3://states/umbrella/web/production/terraform.tfstate",
        "state-one globex/web/production",
        "store-lease leases/acme/web/staging.json",
    ]);
    assert_eq!(found, expected, "{json}");
    // The lock says it is old, but it was written right now: it is believed to be young, and is
    // left alone even by its name.
    assert!(
        of(&json, "ok").contains("state-lock acme/web/staging/terraform.tfstate"),
        "{json}"
    );
    let (_, json) = world.doctor(&["--fix", "--yes", "--break-lock", "11111111-aaaa"])?;
    assert_eq!(
        world
            .moto
            .keys("states", "acme/web/staging/terraform.tfstate.tflock")
            .await?
            .len(),
        1
    );
    // The lease that ran out is marked as given back, and is still there.
    assert!(
        !of(&json, "finding").contains("store-lease leases/acme/web/staging.json"),
        "{json}"
    );
    let (_, lease) = world
        .moto
        .s3("GET", "/states/tenantry/leases/acme/web/staging.json", "")
        .await?;
    assert!(lease.contains("\"held\": false"), "{lease}");
    Ok(())
}

/// The same with state in a folder, where a test can make a lock old.
#[tokio::test(flavor = "multi_thread")]
async fn t29_an_old_lock_is_broken_by_its_name_alone() -> Tested {
    let dir = tempfile::tempdir()?;
    let github = github(dir.path()).await?;
    let root = dir.path().join("estate");
    let states = dir.path().join("states");
    let stack = states.join("acme/web/staging");
    std::fs::create_dir_all(&stack)?;
    std::fs::create_dir_all(&root)?;
    let lock = stack.join(".terraform.tfstate.lock.info");
    std::fs::write(stack.join("terraform.tfstate"), "{}")?;
    std::fs::write(
        &lock,
        "{\"ID\":\"22222222-bbbb\",\"Operation\":\"OperationTypeApply\",\"Who\":\"runner@fv-2\",\"Created\":\"2026-01-01T00:00:00Z\"}",
    )?;
    std::fs::write(
        root.join("tenantry.yml"),
        format!(
            "manager: ops/infra\nstore:\n  url: file://{0}/store\nstate:\n  backend: local\n  path: {0}/states\n",
            dir.path().display()
        ),
    )?;
    let doctor = |args: &[&str]| -> Result<Value, Box<dyn Error>> {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["doctor", "--format", "json"])
            .args(args)
            .env_clear()
            .env("GITHUB_API_URL", &github.url)
            .env("GITHUB_TOKEN", "x")
            .current_dir(&root)
            .stdin(Stdio::null())
            .output()?;
        let text = String::from_utf8(out.stdout)?;
        Ok(serde_json::from_str(&text)
            .map_err(|e| format!("{e}: {text}{}", String::from_utf8_lossy(&out.stderr)))?)
    };
    // Written a moment ago, so it is young whatever it says.
    let json = doctor(&["--fix", "--yes", "--break-lock", "22222222-bbbb"])?;
    assert!(
        of(&json, "ok").contains("state-lock acme/web/staging/terraform.tfstate"),
        "{json}"
    );
    let file = std::fs::File::options().append(true).open(&lock)?;
    file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_700_000_000))?;
    let json = doctor(&[])?;
    let said = message(&json, "state-lock");
    for words in [
        "runner@fv-2 (OperationTypeApply)",
        "since 2026-01-01",
        "--break-lock 22222222-bbbb",
    ] {
        assert!(said.contains(words), "{words}: {said}");
    }
    for args in [
        &["--fix", "--yes"][..],
        &["--fix", "--yes", "--break-lock", "33333333"],
        &["--fix", "--dry-run"],
    ] {
        doctor(args)?;
        assert!(lock.exists(), "{args:?}");
    }
    let json = doctor(&["--fix", "--yes", "--break-lock", "22222222-bbbb"])?;
    assert!(!lock.exists(), "{json}");
    assert_eq!(message(&json, "state-lock"), "");
    assert!(stack.join("terraform.tfstate").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn roles_are_judged_by_what_they_trust() -> Tested {
    let Some(mut world) = World::new().await? else {
        return skip("roles_are_judged_by_what_they_trust", NO_MOTO);
    };
    world.estate("")?;
    world.moto.bucket("states").await?;
    let policy = |subject: Value| {
        json!({"Version": "2012-10-17", "Statement": [{
            "Effect": "Allow", "Action": "sts:AssumeRoleWithWebIdentity",
            "Principal": {"Federated": "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"},
            "Condition": {"StringLike": {"token.actions.githubusercontent.com:sub": subject},
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}},
        }]})
    };
    let subject = "repo:ops/infra:environment:production-apply";
    let guess = "repo:ops@1/infra@2:environment:production-apply";
    world
        .role("blind", &policy(json!([subject, guess])))
        .await?;
    world
        .role("globex-production", &policy(json!("repo:ops/*")))
        .await?;
    let metadata = |name: &str, account: &str| {
        format!("customer: acme\nroles:\n  production: arn:aws:iam::{account}:role/{name}\n")
    };
    let acme = "customers/acme/metadata.yaml";
    world.write(acme, &metadata("blind", "123456789012"))?;
    let (_, json) = world.doctor(&[])?;
    // The numbers cannot be compared, so nothing is fine; a wildcard is wrong whatever they are.
    assert!(
        of(&json, "unchecked").contains("trust-policy acme/production"),
        "{json}"
    );
    assert!(
        of(&json, "finding").contains("trust-policy globex/production"),
        "{json}"
    );

    let (owner, id) = world.known().await?;
    let newer = format!("repo:ops@{owner}/infra@{id}:environment:production-apply");
    let right = policy(json!([subject, newer]));
    world.role("acme-production", &right).await?;
    world.write(acme, &metadata("acme-production", "123456789012"))?;
    let (_, json) = world.doctor(&[])?;
    assert!(
        of(&json, "ok").contains("trust-policy acme/production"),
        "{json}"
    );
    assert!(
        of(&json, "finding").contains("trust-policy globex/production"),
        "{json}"
    );
    assert!(
        message(&json, "trust-policy").contains("wildcard"),
        "{json}"
    );
    // Whoever may assume it by another way is told as well.
    let mut open = right.clone();
    let more = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
    open["Statement"]
        .as_array_mut()
        .ok_or("no list")?
        .push(more);
    world.role("open", &open).await?;
    world.write(acme, &metadata("open", "123456789012"))?;
    let (_, json) = world.doctor(&[])?;
    assert!(
        message(&json, "trust-policy").contains("Principal.AWS"),
        "{json}"
    );
    Ok(())
}

/// IAM looks for a name in the account of the credentials: what it finds there is not the role of
/// another account.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_of_another_account_is_not_judged_by_its_namesake() -> Tested {
    let Some(mut world) = World::new().await? else {
        return skip(
            "a_role_of_another_account_is_not_judged_by_its_namesake",
            NO_MOTO,
        );
    };
    world.estate("")?;
    world.moto.bucket("states").await?;
    world.known().await?;
    let made = json!({"Version": "2012-10-17", "Statement": []});
    world.role("acme-production", &made).await?;
    world.write(
        "customers/acme/metadata.yaml",
        "customer: acme\nroles:\n  production: arn:aws:iam::999999999999:role/acme-production\n",
    )?;
    let (_, json) = world.doctor(&[])?;
    assert!(
        of(&json, "unchecked").contains("trust-policy acme/production"),
        "{json}"
    );
    let said = message(&json, "trust-policy");
    let words = "these credentials are of account 123456789012, and the role is of 999999999999";
    assert!(said.contains(words), "{said}");
    Ok(())
}

fn terraform(world: &World, folder: &Path, args: &[&str]) -> Result<Output, Box<dyn Error>> {
    let mut command = Command::new(tool("terraform").ok_or("no terraform")?);
    command
        .args(args)
        .current_dir(folder)
        .env_clear()
        .env("PATH", path())
        .env("HOME", world.dir.path())
        .env("TF_CLI_CONFIG_FILE", world.dir.path().join("terraformrc"))
        .env("TF_IN_AUTOMATION", "1")
        .env("CHECKPOINT_DISABLE", "1")
        .env("AWS_EC2_METADATA_DISABLED", "true")
        .stdin(Stdio::null());
    world.cloud(&mut command);
    let out = command.output()?;
    if !out.status.success() {
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr)
        );
        return Err(format!("terraform {args:?}: {text}").into());
    }
    Ok(out)
}

/// A job that plans may put what it has sealed; only the one that applies may read it (T12).
fn who_reads_plans(state: &Value) -> Tested {
    let all = state["values"]["root_module"]["resources"].as_array();
    let mut seen = 0;
    for role in all.into_iter().flatten() {
        if role["type"] != "aws_iam_role_policy" || role["name"] != "job" {
            continue;
        }
        let policy = role["values"]["policy"].as_str().ok_or("no policy")?;
        let policy: Value = serde_json::from_str(policy)?;
        let about = policy["Statement"].as_array().ok_or("no statement")?;
        let about: Vec<&Value> = about
            .iter()
            .filter(|s| s["Resource"].to_string().contains("/plans/"))
            .collect();
        let planning = role["index"].as_str().is_some_and(|i| i.ends_with("/plan"));
        let wanted = match planning {
            true => json!("s3:PutObject"),
            false => json!(["s3:PutObject", "s3:GetObject"]),
        };
        assert_eq!(about.len(), 1, "{policy}");
        assert_eq!(about[0]["Action"], wanted, "{}", role["index"]);
        seen += 1;
    }
    // Two customers, two environments, two jobs.
    assert_eq!(seen, 8);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn doctor_has_nothing_to_say_about_what_bootstrap_makes() -> Tested {
    const NAME: &str = "doctor_has_nothing_to_say_about_what_bootstrap_makes";
    let plugins = variable("TENANTRY_TF_PLUGINS").map(PathBuf::from);
    let Some(plugins) = plugins.filter(|p| p.is_dir()) else {
        return skip(
            NAME,
            "provider plugin hashicorp/aws is not in the folder TENANTRY_TF_PLUGINS",
        );
    };
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not installed");
    }
    let Some(mut world) = World::new().await? else {
        return skip(NAME, NO_MOTO);
    };
    let (owner, id) = world.known().await?;
    std::fs::write(
        world.dir.path().join("terraformrc"),
        format!(
            "provider_installation {{\n  filesystem_mirror {{\n    path = \"{}\"\n  }}\n}}\n",
            plugins.display()
        ),
    )?;
    let made = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args([
            "init",
            "manager",
            "estate",
            "--repository",
            "ops/infra",
            "--bucket",
            "states",
            "--region",
            "us-east-1",
        ])
        .args(["--bootstrap", "aws", "--actions-ref", &"a".repeat(40)])
        .arg("--own-environments")
        .env_clear()
        .current_dir(world.dir.path())
        .output()?;
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    let folder = world.root().join("bootstrap/aws");
    // The look-alike has no virtual hosts.
    std::fs::write(
        folder.join("here_override.tf"),
        "provider \"aws\" {\n  s3_use_path_style = true\n}\n",
    )?;
    let customers = json!({
        "acme": {"environments": ["staging", "production"]},
        "globex": {"environments": ["staging", "production"]},
    });
    let values =
        json!({"manager_owner_id": owner, "manager_repository_id": id, "customers": customers});
    std::fs::write(folder.join("terraform.tfvars.json"), values.to_string())?;
    terraform(&world, &folder, &["fmt", "-check"])?;
    terraform(&world, &folder, &["init", "-input=false", "-no-color"])?;
    terraform(&world, &folder, &["validate", "-no-color"])?;
    terraform(
        &world,
        &folder,
        &["apply", "-auto-approve", "-input=false", "-no-color"],
    )?;
    // Nothing is left to do: the module says what is there.
    terraform(
        &world,
        &folder,
        &["plan", "-detailed-exitcode", "-input=false", "-no-color"],
    )?;
    let out = terraform(&world, &folder, &["show", "-json"])?;
    who_reads_plans(&serde_json::from_slice(&out.stdout)?)?;
    let out = terraform(&world, &folder, &["output", "-json", "roles"])?;
    let roles: Value = serde_json::from_slice(&out.stdout)?;
    for customer in ["acme", "globex"] {
        let arn = roles[format!("{customer}/production/apply")]
            .as_str()
            .ok_or("no role")?;
        world.write(
            &format!("customers/{customer}/metadata.yaml"),
            &format!("customer: {customer}\nroles:\n  production: {arn}\n"),
        )?;
        world.write(
            &format!("customers/{customer}/products.yaml"),
            "products:\n  - name: web\n",
        )?;
    }
    let (_, json) = world.doctor(&[])?;
    assert_eq!(of(&json, "finding"), set(&[]), "{json}");
    assert_eq!(of(&json, "unchecked"), set(&[]), "{json}");
    let fine = of(&json, "ok");
    for id in [
        "store-reachable s3://states/tenantry",
        "store-versioning states",
        "store-encryption states-audit",
        "store-public states-audit",
        "store-audit-lock states-audit",
        "trust-policy acme/production",
        "trust-policy globex/production",
        "trust-shared-environment acme/production-apply",
        "trust-shared-environment globex/production-apply",
    ] {
        assert!(fine.contains(id), "{id}: {json}");
    }
    Ok(())
}
