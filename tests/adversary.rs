//! A customer who wants to reach another one. Every way that we know is tried, each under its name;
//! what has a story of its own elsewhere (tokens, requests, keys) is listed in
//! `tests/mutants/guards.txt`.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::trial::{Trial, code, production, stack};
use support::{Tested, settings, steps, variables};
use tenantry::audit::key::SigningKey;
use tenantry::delivery::hint::{Event, Hint};
use tenantry::delivery::open::Opened;
use tenantry::delivery::records::RequestName;
use tenantry::engine::module::Module;
use tenantry::engine::terraform::{self, state_key};
use tenantry::estate::resolve::{ContractFile, Rules, resolve_customer};
use tenantry::estate::{
    CustomerId, EnvironmentId, Estate, Files, ProductId, RepoSlug, RequestId, Sha, StackId,
};
use tenantry::github::{ClientSettings, Token};
use tenantry::local::stage::{Engine, Hints, Stage, Tenant};
use tenantry::store::Store;
use tenantry::store::seal::SealIdentity;

// Names.

#[test]
fn t19_customer_ids_that_normalise_alike() {
    for alike in [
        "Acme",
        "ACME",
        "acme ",
        " acme",
        "acme.",
        "acme/",
        "./acme",
        "acme\0",
        "acme\n",
        "аcme",
        "acme\u{200b}",
        "acme\u{301}",
        "ａcme",
        "acm%65",
        "acme_",
        "-acme",
        "acme-",
        "ac--me\u{ad}",
        "acme..",
        "..",
        ".",
        "",
        "acme\\",
        "acme:",
        "%2e%2e",
        "env:",
        "acme.tflock",
    ] {
        assert!(CustomerId::new(alike).is_err(), "{alike:?}");
        assert!(ProductId::new(alike).is_err(), "{alike:?}");
        assert!(EnvironmentId::new(alike).is_err(), "{alike:?}");
        // No folder has such a name.
        if alike.is_empty() || alike.contains('/') {
            continue;
        }
        let mut files = Files::new();
        files.insert("customers/acme/metadata.yaml", b"name: Acme\n".to_vec());
        files.insert(
            format!("customers/{alike}/metadata.yaml"),
            b"name: Acme\n".to_vec(),
        );
        let read = Estate::read(files);
        assert!(
            read.is_err_and(|e| e.to_string().contains("customer id")),
            "{alike:?}"
        );
    }
}

#[test]
fn t19_dots_and_absolute_paths_are_no_ids_and_no_keys() {
    for bad in [
        "../beta",
        "..",
        "/etc/passwd",
        "acme/../beta",
        "a/b",
        "..%2fbeta",
        "%2e%2e/beta",
        "\\\\host\\share",
        "~/x",
        "C:\\x",
        "a\0b",
        "env:/x",
    ] {
        assert!(CustomerId::new(bad).is_err(), "{bad}");
        assert!(RequestId::new(bad).is_err(), "{bad}");
        assert!(bad.parse::<StackId>().is_err(), "{bad}");
        assert!(
            format!("{bad}/web/dev").parse::<StackId>().is_err(),
            "{bad}"
        );
        assert!(
            format!("acme/{bad}/dev").parse::<StackId>().is_err(),
            "{bad}"
        );
        assert!(
            format!("acme/web/{bad}").parse::<StackId>().is_err(),
            "{bad}"
        );
        assert!(
            format!("{bad}/push-{}", "a".repeat(40))
                .parse::<RequestName>()
                .is_err(),
            "{bad}"
        );
        assert!(
            format!("acme/push-{bad}").parse::<RequestName>().is_err(),
            "{bad}"
        );
    }
    for slug in [
        "acme", "acme/..", "../acme", "a/b/c", "/acme", "acme/", "acme/a b", "acme/a?b",
    ] {
        assert!(RepoSlug::new(slug).is_err(), "{slug}");
    }
    for sha in [
        "main",
        "HEAD",
        "refs/heads/main",
        "a..b",
        &"A".repeat(40),
        &"a".repeat(39),
    ] {
        assert!(Sha::new(sha).is_err(), "{sha}");
    }
}

#[test]
fn t22_the_path_of_a_customers_file_stays_in_their_repository() {
    for path in [
        "../beta/infra/variables.yml",
        "/etc/passwd",
        "infra/../../x.yml",
        "./x.yml",
        "infra//x.yml",
        "infra/",
        "",
        "a b.yml",
        "infra/x.yml?ref=main",
        "infra\\x.yml",
        "infra/x.yml#L1",
        "%2e%2e/x.yml",
    ] {
        let mut files = Files::new();
        files.insert("products/web/environments/dev.yaml", b"{}\n".to_vec());
        let text = format!("products: [{{name: web, variables: {}}}]\n", json!(path));
        files.insert("customers/acme/products.yaml", text.into_bytes());
        let said = Estate::read(files)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(
            said.contains("must be a path inside the customer's repository"),
            "{path}: {said}"
        );
    }
}

#[test]
fn t19_environment_names_with_a_slash() -> Tested {
    // In the product.
    for bad in ["a/b", "../prod", "prod/../dev", "Prod", "prod\u{2215}x"] {
        let mut files = Files::new();
        let text = format!("environments: [{}]\n", json!(bad));
        files.insert("products/web/product.yaml", text.into_bytes());
        let said = Estate::read(files)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(said.contains("environment id"), "{bad}: {said}");
    }
    // In the customer's file.
    let mut files = Files::new();
    files.insert("products/web/environments/dev.yaml", b"{}\n".to_vec());
    files.insert(
        "products/web/environments/production.yaml",
        b"{}\n".to_vec(),
    );
    files.insert(
        "customers/acme/products.yaml",
        b"products: [{name: web}]\n".to_vec(),
    );
    let estate = Estate::read(files)?;
    let rules = Rules::of(&estate)?;
    let acme = estate.customers.values().next().ok_or("acme")?;
    for bad in ["dev/../production", "/production", "dev/x", "..", "DEV"] {
        let text = format!("environments:\n  {}:\n    size: 1\n", json!(bad));
        let file = ContractFile {
            path: "infra/variables.yml".into(),
            bytes: text.into_bytes(),
        };
        let said = resolve_customer(&estate, &rules, acme, &[file])
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(said.contains("[contract-environment]"), "{bad}: {said}");
    }
    Ok(())
}

#[tokio::test]
async fn t19_the_store_takes_no_key_that_leaves_it() -> Tested {
    let dir = tempfile::tempdir()?;
    let store = Store::open(&format!("file://{}/store", dir.path().display()), &[])?;
    for key in [
        "../x",
        "a/../../x",
        "/etc/x",
        "a//b",
        "./a",
        "a/.",
        "a\\..\\b",
        "%2e%2e/x",
        "a/%2e%2e/b",
        "a\0b",
        "",
    ] {
        assert!(store.create(key, b"x".to_vec()).await.is_err(), "{key}");
        assert!(store.get(key).await.is_err(), "{key}");
    }
    assert!(!dir.path().join("x").exists());
    assert_eq!(
        state_key(&stack("acme/web/dev")),
        "acme/web/dev/terraform.tfstate"
    );
    Ok(())
}

#[test]
fn t10_a_schema_reaches_neither_disk_nor_network_nor_another_product() -> Tested {
    let dir = tempfile::tempdir()?;
    let secret = dir.path().join("secret.json");
    std::fs::write(&secret, r#"{"type": "string"}"#)?;
    for target in [
        format!("file://{}", secret.display()),
        secret.display().to_string(),
        "http://127.0.0.1:1/schema.json".to_owned(),
        "https://evil.example/schema.json".to_owned(),
        "../api/values.schema.json".to_owned(),
        "../../customers/beta/web/values.json".to_owned(),
        "estate:///products/api/values.schema.json".to_owned(),
        "estate:///products/web-2/values.schema.json".to_owned(),
    ] {
        let mut files = Files::new();
        let schema = json!({"type": "object", "properties": {"a": {"$ref": target}}});
        files.insert(
            "products/web/values.schema.json",
            schema.to_string().into_bytes(),
        );
        for other in [
            "products/api/values.schema.json",
            "products/web-2/values.schema.json",
            "customers/beta/web/values.json",
        ] {
            files.insert(other, b"{\"type\": \"string\"}".to_vec());
        }
        let said = Rules::of(&Estate::read(files)?)
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(
            said.contains("leaves the product's folder"),
            "{target}: {said}"
        );
    }
    Ok(())
}

// Links in a checkout.

/// An estate in which everything is in order; the manager's checkout of a hostile commit.
fn checkout(dir: &Path) -> Tested {
    for (path, text) in [
        ("tenantry.yml", "version: 1\n"),
        ("products/web/environments/dev.yaml", "{}\n"),
        ("customers/acme/products.yaml", "products: [{name: web}]\n"),
        ("customers/beta/products.yaml", "products: [{name: web}]\n"),
        ("customers/beta/web/values.yaml", "password_hint: beta\n"),
        ("policies/none.txt", ""),
    ] {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, text)?;
    }
    Ok(())
}

#[test]
fn t22_symbolic_links_in_a_checkout_are_not_followed() -> Tested {
    for (at, target) in [
        ("customers/acme/web", "../beta/web"),
        (
            "customers/acme/web/values.yaml",
            "../../beta/web/values.yaml",
        ),
        ("customers/acme/metadata.yaml", "/etc/passwd"),
        ("customers/gamma", "beta"),
        ("products/web/terraform", "/"),
        ("products/web/terraform/main.tf", "/etc/passwd"),
        ("policies/x.rego", "/etc/passwd"),
        ("tenantry.yml", "/etc/passwd"),
        ("customers", "/etc"),
        ("policies", "/nowhere"),
    ] {
        let dir = tempfile::tempdir()?;
        checkout(dir.path())?;
        let place = dir.path().join(at);
        if place.is_dir() {
            std::fs::remove_dir_all(&place)?;
        } else if place.exists() {
            std::fs::remove_file(&place)?;
        }
        std::fs::create_dir_all(place.parent().ok_or("no folder")?)?;
        symlink(target, &place)?;
        for args in [&["validate"][..], &["stacks"], &["doctor", "isolation"]] {
            let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
                .args(args)
                .env_clear()
                .current_dir(dir.path())
                .output()?;
            let said = String::from_utf8_lossy(&out.stderr);
            assert!(
                out.status.code() == Some(1)
                    && said.contains(&format!("`{at}` is a symbolic link")),
                "{at}: {said}"
            );
        }
    }
    Ok(())
}

// What a customer leaves in their repository, with an engine that would like to run it.

/// A `terraform` that makes an empty plan and notes what it was given: files, environment, arguments.
fn spy(dir: &Path) -> Result<PathBuf, Box<dyn std::error::Error>> {
    let seen = dir.join("seen");
    std::fs::create_dir_all(&seen)?;
    let script = format!(
        r#"#!/bin/sh
n={seen}/$$-$1
find . -mindepth 1 | sort > "$n.files"
env > "$n.env"
echo "$@" > "$n.args"
cat backend_override.tf.json > "$n.backend" 2>/dev/null
cat terraform.tfvars.json > "$n.values" 2>/dev/null
for a in "$@"; do case $a in -out=*) printf 'PLAN' > "${{a#-out=}}";; esac; done
case "$1" in
  version) echo '{{"terraform_version":"1.11.0","platform":"linux_amd64","provider_selections":{{}}}}' ;;
  show) echo '{{"format_version":"1.2","terraform_version":"1.11.0","resource_changes":[],"output_changes":{{}}}}' ;;
esac
exit 0
"#,
        seen = seen.display()
    );
    let path = dir.join("terraform");
    std::fs::write(&path, script)?;
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755))?;
    Ok(seen)
}

/// Every note of one kind, without repetitions.
fn notes(seen: &Path, kind: &str) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let mut out = BTreeSet::new();
    for entry in std::fs::read_dir(seen)? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == kind) {
            out.insert(std::fs::read_to_string(path)?);
        }
    }
    Ok(out)
}

/// What the module of the stage and tenantry put into a working folder.
const EXPECTED: [&str; 8] = [
    "./backend_override.tf.json",
    "./main.tf",
    "./outputs.tf",
    "./tenantry.tfplan",
    "./terraform.tfvars.json",
    "./variables.tf",
    "./.terraform.lock.hcl",
    "./versions.tf",
];

/// acme commits `files` beside a good contract; Terraform is given the same as without them.
async fn harmless(files: &[(&str, &str)], overrides: Vec<(String, String)>) -> Tested {
    let bin = tempfile::tempdir()?;
    let seen = spy(bin.path())?;
    let dir = tempfile::tempdir()?;
    let mut runner = steps();
    runner.path = format!("{}:{}", bin.path().display(), runner.path);
    runner.extra_env = [
        ("TF_VAR_region", "from-the-runner"),
        ("TF_CLI_ARGS", "-destroy"),
        ("TF_WORKSPACE", "other"),
        ("TF_DATA_DIR", "/tmp"),
        ("AWS_ACCESS_KEY_ID", "of-the-job"),
    ]
    .map(|(k, v)| (k.to_owned(), v.to_owned()))
    .to_vec();
    let mut wanted = settings(dir.path(), Engine::Terraform, Hints::Direct, runner)?;
    wanted.overrides = overrides;
    let stage = Stage::set(wanted).await?;
    let acme: Tenant = stage.tenant("acme").ok_or("acme")?.clone();
    for (path, text) in files {
        stage.commit(&acme, "change", path, text, "More").await?;
    }
    let (_, sha) = stage
        .propose(&acme, "change", &variables("shop", 4), "Change")
        .await?;
    stage.server.idle().await;
    let status = stage.status(&acme, &sha).await?.ok_or("no status")?;
    support::expect(&stage, &format!("{status:?}"), status.state == "success").await?;
    let listed = notes(&seen, "files")?;
    assert!(!listed.is_empty(), "the spy saw nothing");
    for list in &listed {
        for file in list.lines() {
            assert!(EXPECTED.contains(&file), "{file} is in the working folder");
        }
    }
    let state = stage.state_dir();
    for backend in notes(&seen, "backend")? {
        let backend: Value = serde_json::from_str(&backend)?;
        let path = backend["terraform"]["backend"]["local"]["path"]
            .as_str()
            .unwrap_or_default();
        let own = ["staging", "production"]
            .map(|e| format!("{}/acme/web/{e}/terraform.tfstate", state.display()));
        assert!(own.iter().any(|o| o == path), "{path}");
    }
    for values in notes(&seen, "values")? {
        let values: Value = serde_json::from_str(&values)?;
        assert_eq!(values["tenantry_customer"], "acme");
        assert!(values.as_object().is_some_and(|v| {
            v.keys()
                .all(|k| !k.starts_with("TF_") && !k.starts_with("AWS_"))
        }));
    }
    for environment in notes(&seen, "env")? {
        for line in environment.lines() {
            let name = line.split('=').next().unwrap_or_default();
            let secret = [
                "TF_VAR_",
                "TF_CLI_ARGS",
                "TF_WORKSPACE",
                "TF_DATA_DIR",
                "GITHUB_",
                "ACTIONS_",
                "TENANTRY_",
                "RUNNER_",
            ];
            assert!(!secret.iter().any(|s| name.starts_with(s)), "{line}");
        }
        assert!(
            environment.contains("AWS_ACCESS_KEY_ID=of-the-job"),
            "credentials of the job do arrive"
        );
    }
    let touched: BTreeSet<String> = std::fs::read_dir(stage.store_dir().join("requests"))?
        .map(|e| Ok(e?.file_name().to_string_lossy().into_owned()))
        .collect::<Result<_, std::io::Error>>()?;
    assert_eq!(touched, BTreeSet::from(["acme".to_owned()]));
    stage.server.stop().await;
    Ok(())
}

macro_rules! left_in_a_repository {
    ($($name:ident: [$($path:literal => $text:expr),+];)*) => {
        $(#[tokio::test(flavor = "multi_thread")]
        async fn $name() -> Tested {
            harmless(&[$(($path, $text)),+], Vec::new()).await
        })*
    };
}

const CODE: &str = "resource \"terraform_data\" \"x\" {\n  provisioner \"local-exec\" {\n    command = \"touch /tmp/tenantry-was-here\"\n  }\n}\ndata \"external\" \"x\" {\n  program = [\"sh\", \"-c\", \"id\"]\n}\ndata \"http\" \"x\" {\n  url = \"http://169.254.169.254/\"\n}\n";

left_in_a_repository! {
    t11_a_backend_block_of_a_customer: ["infra/backend.tf" => "terraform {\n  backend \"local\" {\n    path = \"/tmp/beta.tfstate\"\n  }\n}\n", "infra/zz_override.tf" => "terraform {\n  backend \"local\" {}\n}\n", "backend_override.tf.json" => "{}"];
    t11_a_provider_block_of_a_customer: ["infra/provider.tf" => "provider \"aws\" {\n  assume_role {\n    role_arn = \"arn:aws:iam::1:role/beta\"\n  }\n}\n", "main.tf" => "provider \"aws\" {}\n"];
    t11_module_sources_of_a_customer: ["infra/main.tf" => "module \"x\" {\n  source = \"git::https://evil.example/m.git\"\n}\nmodule \"y\" {\n  source = \"../../beta\"\n}\n"];
    t11_provisioners_external_and_http_data_of_a_customer: ["infra/code.tf" => CODE, "terraform/code.tf" => CODE];
    t11_tf_and_aws_variables_in_files: ["infra/.env" => "TF_CLI_ARGS=-destroy\nAWS_PROFILE=beta\n", ".envrc" => "export TF_VAR_region=x\n", ".terraformrc" => "provider_installation {}\n", "infra/.aws/credentials" => "[default]\n"];
    t11_tfvars_of_a_customer: ["terraform.tfvars" => "region = \"x\"\n", "infra/terraform.tfvars" => "region = \"x\"\n", "infra/a.auto.tfvars" => "region = \"x\"\n", "infra/a.auto.tfvars.json" => "{}"];
    t11_a_lock_file_of_a_customer: [".terraform.lock.hcl" => "provider \"registry.terraform.io/evil/aws\" {\n  version = \"1.0.0\"\n}\n", "infra/.terraform.lock.hcl" => "provider \"registry.terraform.io/evil/aws\" {}\n"];
    t11_terraforms_own_folder_of_a_customer: ["infra/.terraform/environment" => "beta", ".terraform/terraform.tfstate" => "{}", "infra/terraform.tfstate" => "{}"];
}

/// Design: a customer's `.tf` files are not run unless the provider allows it, which cannot be
/// allowed today. So they are not, wherever they lie in the estate.
#[tokio::test(flavor = "multi_thread")]
async fn t11_a_customers_own_terraform_in_the_estate_is_not_run() -> Tested {
    let files = [
        "customers/acme/terraform/main.tf",
        "customers/acme/configs/x.tf",
        "customers/acme/web/x.tf",
    ];
    let files = files.map(|path| (path.to_owned(), CODE.to_owned()));
    harmless(&[], files.to_vec()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_what_was_left_in_the_providers_module_is_not_used() -> Tested {
    let files = [
        ("terraform.tfvars", "region = \"x\"\n"),
        ("a.auto.tfvars", "region = \"x\"\n"),
        ("terraform.tfstate", "{}"),
        (".terraform/environment", "beta"),
    ];
    let files =
        files.map(|(name, text)| (format!("products/web/terraform/{name}"), text.to_owned()));
    harmless(&[], files.to_vec()).await
}

/// The lock file of the provider's module is what counts, and `init` may not change it.
#[tokio::test(flavor = "multi_thread")]
async fn t11_a_lock_file_of_the_module_is_read_only() -> Tested {
    let bin = tempfile::tempdir()?;
    let seen = spy(bin.path())?;
    let dir = tempfile::tempdir()?;
    let mut runner = steps();
    runner.path = format!("{}:{}", bin.path().display(), runner.path);
    let mut wanted = settings(dir.path(), Engine::Terraform, Hints::Direct, runner)?;
    let lock = "# The provider's.\n".to_owned();
    wanted.overrides = vec![(
        "products/web/terraform/.terraform.lock.hcl".to_owned(),
        lock,
    )];
    let stage = Stage::set(wanted).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    stage
        .propose(&acme, "change", &variables("shop", 4), "Change")
        .await?;
    stage.server.idle().await;
    let args = notes(&seen, "args")?;
    let init: Vec<&String> = args.iter().filter(|a| a.starts_with("init ")).collect();
    assert!(
        !init.is_empty() && init.iter().all(|a| a.contains("-lockfile=readonly")),
        "{args:?}"
    );
    stage.server.stop().await;
    Ok(())
}

/// A value named like one of tenantry's own variables does not take its place, even where a
/// schema would let it through.
#[test]
fn t11_values_cannot_speak_for_tenantry() -> Tested {
    let mut files = Files::new();
    let text = "variable \"tenantry_customer\" {}\nvariable \"tenantry_environment\" {}\nvariable \"size\" {}\n";
    files.insert("m/main.tf", text.as_bytes());
    let module = Module::read(&files, "m")?;
    let values = json!({"tenantry_customer": "beta", "tenantry_environment": "dev", "size": 1, "TF_CLI_ARGS": "x", "undeclared": 2});
    let given = terraform::variables(&module, &production(), &values)?;
    assert_eq!(
        given,
        json!({"tenantry_customer": "acme", "tenantry_environment": "production", "size": 1})
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t11_names_of_the_environment_are_no_values() -> Tested {
    let trial = Trial::new(Engine::Argocd).await?;
    for (i, key) in [
        "TF_CLI_ARGS",
        "TF_VAR_region",
        "AWS_SECRET_ACCESS_KEY",
        "backend",
        "tenantry_customer",
    ]
    .iter()
    .enumerate()
    {
        let text = format!("{}{key}: beta\n", variables("shop", 3));
        let (number, sha) = trial
            .stage
            .propose(&trial.acme, &format!("b{i}"), &text, key)
            .await?;
        let opened = trial
            .open(Event::PullRequest(number), &Sha::new(&sha)?)
            .await?;
        let Opened::Refused(request) = opened else {
            return Err(format!("{key}: {opened:?}").into());
        };
        assert!(
            request.findings[0].message.contains(key),
            "{:?}",
            request.findings
        );
    }
    trial.end().await;
    Ok(())
}

// Requests.

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_request_that_names_another_customers_pull_request() -> Tested {
    let trial = Trial::new(Engine::Argocd).await?;
    let globex = trial.stage.tenant("globex").ok_or("globex")?.clone();
    let (number, head) = trial
        .stage
        .propose(&globex, "change", &variables("portal", 5), "Change")
        .await?;
    let head = Sha::new(&head)?;
    // acme has no pull request of this number, and then one of another commit.
    let ask = || async { code(trial.open(Event::PullRequest(number), &head).await) };
    assert_eq!(ask().await, "pull-request");
    trial
        .stage
        .propose(&trial.acme, "own", &variables("shop", 5), "Own")
        .await?;
    assert_eq!(ask().await, "superseded");
    assert!(!trial.stage.store_dir().join("requests").exists());
    // The head of globex's branch is no commit of acme's default branch either.
    assert_eq!(code(trial.open(Event::Push, &head).await), "superseded");
    trial.end().await;
    Ok(())
}

/// Only acme's folders of the store and of the GitOps repository change while acme is served.
#[tokio::test(flavor = "multi_thread")]
async fn t2_what_is_written_for_a_customer_is_under_their_name() -> Tested {
    let trial = Trial::new(Engine::Argocd).await?;
    let request = trial.at_production().await?;
    trial
        .decide(tenantry::local::stage::REVIEWER, "approved")
        .await?;
    trial.apply(&request.name, &production()).await?;
    let root = trial.stage.store_dir();
    let mut open = vec![root.clone()];
    let mut count = 0;
    while let Some(next) = open.pop() {
        for entry in std::fs::read_dir(next)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let key = path.strip_prefix(&root)?.display().to_string();
            let own =
                key.split(['/', '.']).any(|part| part == "acme") || key.starts_with("audit/log/");
            // Locks of the folder store.
            assert!(own || key.contains("lock"), "{key}");
            count += 1;
        }
    }
    assert!(count > 8, "{count}");
    let tree = trial
        .stage
        .admin(
            "GET",
            "/repos/ops/gitops/git/trees/main?recursive=1",
            Value::Null,
        )
        .await?;
    for entry in tree["tree"]
        .as_array()
        .into_iter()
        .flatten()
        .filter(|e| e["type"] == "blob")
    {
        let path = entry["path"].as_str().unwrap_or_default();
        assert!(
            path.starts_with("stacks/acme/web/") || path == "README.md",
            "{path}"
        );
    }

    trial.end().await;
    Ok(())
}

#[test]
fn t2_a_payload_cannot_name_a_customer_a_stack_or_a_place() {
    let good = json!({"tenantry": 1, "request_id": "12345678-1", "repository": "acme/app", "repository_id": 7,
        "sha": "a".repeat(40), "ref": "refs/heads/main", "event": "push"});
    assert!(Hint::read(&good).is_ok());
    for key in [
        "customer",
        "stack",
        "bucket",
        "state",
        "environment",
        "path",
        "role",
        "estate",
        "approved_by",
    ] {
        let mut more = good.clone();
        more[key] = json!("beta");
        assert!(Hint::read(&more).is_err(), "{key}");
    }
}

// A comment that looks like ours.

#[tokio::test(flavor = "multi_thread")]
async fn t18_a_comment_with_our_marker_by_somebody_else_stays_untouched() -> Tested {
    let dir = tempfile::tempdir()?;
    let stage = Stage::set(settings(
        dir.path(),
        Engine::Argocd,
        Hints::Direct,
        steps(),
    )?)
    .await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let (number, _) = stage
        .propose(&acme, "change", &variables("shop", 4), "Change")
        .await?;
    stage.server.idle().await;
    let ours = stage.comments(&acme, number).await?;
    assert_eq!(ours.len(), 1);
    let marker = ours[0].body.lines().next().unwrap_or_default().to_owned();
    assert!(marker.starts_with("<!--"), "{marker}");
    // Alice was faster, and the record of our id is lost: hers comes first, ours behind it.
    let forged = format!("{marker}\nplan: nothing to see\n");
    let path = format!("/repos/{}/issues/{number}/comments", acme.repository);
    let list = stage.admin("GET", &path, Value::Null).await?;
    let one = format!(
        "/repos/{}/issues/comments/{}",
        acme.repository, list[0]["id"]
    );
    stage.admin("DELETE", &one, Value::Null).await?;
    stage
        .by(acme.user, "POST", &path, json!({"body": forged}))
        .await?;
    stage
        .by(stage.bot(), "POST", &path, json!({"body": ours[0].body}))
        .await?;
    std::fs::remove_dir_all(stage.store_dir().join("comments"))?;
    let text = variables("shop", 5);
    stage
        .commit(&acme, "change", "infra/variables.yml", &text, "More")
        .await?;
    stage.server.idle().await;
    let seen = stage.comments(&acme, number).await?;
    let of = |who: &str| seen.iter().filter(|c| c.author == who).collect::<Vec<_>>();
    assert_eq!(of(acme.user).len(), 1);
    assert_eq!(
        of(acme.user)[0].body.trim_end(),
        forged.trim_end(),
        "untouched"
    );
    assert_eq!(
        of(stage.bot()).len(),
        1,
        "found again, not doubled: {seen:#?}"
    );
    assert_ne!(of(stage.bot())[0].body, ours[0].body, "and kept up to date");
    stage.server.stop().await;
    Ok(())
}

// What an error or a log could carry.

#[test]
fn t32_secrets_have_no_form_that_can_be_printed() -> Tested {
    let seal = SealIdentity::generate();
    let sign = SigningKey::generate()?;
    let token = Token::new("ghp_0123456789abcdef0123456789abcdef0123");
    let settings = ClientSettings::new("https://api.github.com", Some(token.clone()));
    let secrets = [seal.expose(), sign.expose(), token.expose().to_owned()];
    for shown in [
        format!("{seal:?}"),
        format!("{sign:?}"),
        format!("{token:?}"),
        format!("{settings:#?}"),
    ] {
        assert!(shown.contains("***"), "{shown}");
        assert!(
            secrets.iter().all(|s| !shown.contains(s.as_str())),
            "{shown}"
        );
    }
    for url in [
        "s3://user:hunter2secret@bucket/x",
        "ftp://user:hunter2secret@host/x",
    ] {
        let Err(error) = Store::open(url, &[]) else {
            panic!("{url}")
        };
        let said = format!("{error} {error:?}");
        assert!(!said.contains("hunter2secret"), "{said}");
    }
    Ok(())
}

// A job of another environment.

#[test]
fn t14_a_step_refuses_the_job_of_another_environment() -> Tested {
    let request = format!("acme/push-{}", "a".repeat(40));
    let own = "version: 1\ncustomers:\n  own_environments: true\n";
    for (verb, environment, settings) in [
        ("plan", "staging-plan", "version: 1\n"),
        ("plan", "production-apply", "version: 1\n"),
        ("apply", "production-plan", "version: 1\n"),
        ("apply", "staging-apply", "version: 1\n"),
        ("apply", "acme/production-apply", "version: 1\n"),
        ("apply", "production-apply", own),
        ("apply", "beta/production-apply", own),
        ("plan", "beta/production-plan", own),
        ("plan", "acme/staging-plan", own),
    ] {
        let dir = tempfile::tempdir()?;
        checkout(dir.path())?;
        std::fs::write(dir.path().join("tenantry.yml"), settings)?;
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args([
                verb,
                "--request",
                &request,
                "--stack",
                "acme/web/production",
            ])
            .env_clear()
            .env("TENANTRY_ENVIRONMENT", environment)
            .current_dir(dir.path())
            .output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        assert!(
            out.status.code() == Some(1)
                && said.contains(&format!("runs in environment `{environment}`")),
            "{verb} {environment}: {said}"
        );
    }
    Ok(())
}
