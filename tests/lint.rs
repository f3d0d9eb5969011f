//! What a provider reads from `tenantry validate --estate` about the estate as a whole.

mod support;

use std::path::Path;
use std::process::Command;
use support::Tested;

/// A product with two environments, and two customers that subscribe to it.
const BASE: [(&str, &str); 7] = [
    ("products/web/base-values.yaml", "region: eu-west-1\n"),
    ("products/web/environments/staging.yaml", "size: 1\n"),
    ("products/web/environments/production.yaml", "size: 2\n"),
    (
        "customers/acme/metadata.yaml",
        "repository: acme/app\nrepository_id: 1\nstate:\n  bucket: acme-state\n",
    ),
    ("customers/acme/products.yaml", "products:\n  - name: web\n"),
    (
        "customers/beta/metadata.yaml",
        "repository: beta/app\nrepository_id: 2\nstate:\n  bucket: beta-state\n",
    ),
    ("customers/beta/products.yaml", "products:\n  - name: web\n"),
];

fn write(dir: &Path, files: &[(&str, &str)]) -> Tested {
    for (path, content) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

fn run(dir: &Path, more: &[&str]) -> Result<(i32, String, String), Box<dyn std::error::Error>> {
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["validate", "--estate", "."])
        .args(more)
        .env_clear()
        .current_dir(dir)
        .output()?;
    Ok((
        out.status.code().unwrap_or(-1),
        String::from_utf8(out.stdout)?,
        String::from_utf8(out.stderr)?,
    ))
}

/// The base with these files: exit code, and what stands on standard output.
fn validate(files: &[(&str, &str)]) -> Result<String, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &BASE)?;
    write(dir.path(), files)?;
    let (code, out, err) = run(dir.path(), &[])?;
    let last = err.lines().last().unwrap_or_default();
    Ok(format!("{out}{last}\nexit {code}\n"))
}

#[test]
fn an_estate_in_order() -> Tested {
    insta::assert_snapshot!(validate(&[])?, @r"
    4 stacks checked, nothing to correct
    exit 0
    ");
    Ok(())
}

#[test]
fn what_init_writes_is_in_order() -> Tested {
    let dir = tempfile::tempdir()?;
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["init", "manager", ".", "--actions-ref", &"a".repeat(40)])
        .env_clear()
        .current_dir(dir.path())
        .output()?;
    assert!(out.status.success(), "{out:?}");
    let (code, out, err) = run(dir.path(), &[])?;
    assert_eq!((code, out.as_str()), (0, ""), "{err}");
    Ok(())
}

#[test]
fn t19_names_that_meet() -> Tested {
    let said = validate(&[
        ("products/c/environments/staging.yaml", "{}\n"),
        ("products/b-c/environments/staging.yaml", "{}\n"),
        ("customers/a/products.yaml", "products:\n  - name: b-c\n"),
        ("customers/a-b/products.yaml", "products:\n  - name: c\n"),
        (
            "customers/plans/products.yaml",
            "products:\n  - name: web\n  - name: web\n",
        ),
        (
            "customers/be-ta/metadata.yaml",
            "repository: Beta/App\nrepository_id: 3\nstate:\n  bucket: beta-state\n",
        ),
        (
            "tenantry.yml",
            "store:\n  url: s3://ops\nstate:\n  bucket: ops\n",
        ),
    ])?;
    insta::assert_snapshot!(said, @r"
    customers/a-b/products.yaml:2:11: `a/b-c` and `a-b/c` both become `a-b-c` where ids are joined by `-` and cut to 63 characters, as in a Kubernetes namespace; rename one of them [collision-namespace]
    customers/beta/metadata.yaml: warning: the ids of customer `beta` and customer `be-ta` differ only in `-` or in digits that look like letters; rename one before somebody approves the wrong one [collision-id]
    customers/beta/metadata.yaml:1:13: `beta/app` is the repository of customer `be-ta` already; one repository serves one customer [collision-repository]
    customers/beta/metadata.yaml:4:11: warning: `beta-state` is the state bucket of customer `be-ta` too; give each customer a bucket of their own, or leave `state.bucket` out to use the common one [collision-bucket]
    customers/plans/products.yaml:3:11: `plans` subscribes to `web` twice, so its stacks would share one state; keep one of the two entries [collision-stack]
    tenantry.yml:2:8: the state of customer `plans` (`s3://ops/plans/`) and the store (`s3://ops/plans/`) are in one folder; give the store a prefix that is no customer's id, such as `s3://ops/tenantry-store` [collision-store]
    4 to correct, 2 warnings
    exit 1
    ");
    Ok(())
}

#[test]
fn t2_values_copied_from_another_customer() -> Tested {
    let said = validate(&[
        (
            "customers/beta/web/values.yaml",
            "source: https://github.com/acme/app.git\nremote_state:\n  bucket: acme-state\n  key: acme/web/production/terraform.tfstate\n",
        ),
        (
            "customers/beta/web/environments/staging.yaml",
            "database: db.acme-web-staging.svc.cluster.local\n",
        ),
        // Its own, and words that only look like names.
        (
            "customers/acme/web/values.yaml",
            "source: acme/app\nnote: the web app of acme, not of beta\n",
        ),
    ])?;
    insta::assert_snapshot!(said, @r"
    customers/beta/web/environments/staging.yaml:1:11: `acme-web-staging` is a namespace of customer `acme`; write what belongs to `beta` [foreign]
    customers/beta/web/values.yaml:1:9: `acme/app` is the repository of customer `acme`; write what belongs to `beta` [foreign]
    customers/beta/web/values.yaml:3:11: `acme-state` is the state bucket of customer `acme`; write what belongs to `beta` [foreign]
    customers/beta/web/values.yaml:4:8: `acme/web/` is state of customer `acme`; write what belongs to `beta` [foreign]
    4 to correct
    exit 1
    ");
    Ok(())
}

#[test]
fn t15_secrets_in_plain_text() -> Tested {
    let key = format!("AKI{}", "AIOSFODNN7EXAMPLE");
    let said = validate(&[
        (
            "customers/acme/web/secrets.yaml",
            "db:\n  password: CANARY-1\n  user: <path:kv/data/acme#user>\n",
        ),
        (
            "customers/beta/web/secrets.yaml",
            "password: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\nsops:\n  mac: ENC[AES256_GCM,data:x,iv:x,tag:x,type:str]\n  version: 3.10.2\n",
        ),
        (
            "products/web/terraform/main.tf",
            &format!("provider \"aws\" {{\n  access_key = \"{key}\"\n}}\n"),
        ),
    ])?;
    assert!(!said.contains("CANARY") && !said.contains(&key), "{said}");
    insta::assert_snapshot!(said, @r"
    customers/acme/web/secrets.yaml:2:13: `db.password` is plain text in a file for secrets; encrypt the file with SOPS, or write a SealedSecret or a placeholder such as `<path:kv/data/app#key>`, and replace the secret, since it stands in git's history [secret-plain]
    products/web/terraform: warning: there is no `.terraform.lock.hcl`, so each plan may take another version of `hashicorp/aws`; run `terraform providers lock` in the module and commit what it writes [module-lock]
    products/web/terraform/main.tf:2:17: an AWS access key id stands here in plain text; revoke it, since it stays in git's history, and keep the new one in the secret store [secret-pattern]
    2 to correct, 1 warning
    exit 1
    ");
    Ok(())
}

#[test]
fn files_that_nothing_reads() -> Tested {
    let said = validate(&[
        ("customers/README.md", "# Customers\n"),
        ("customers/acme/web/value.yaml", "size: 3\n"),
        ("customers/acme/webb/values.yaml", "size: 3\n"),
        (
            "customers/acme/web/environments/prodution.yaml",
            "size: 3\n",
        ),
        ("customers/acme/configs/nginx.conf", "\n"),
        ("products/web/base-value.yaml", "size: 3\n"),
        ("products/web/values.schema.jsn", "{}\n"),
    ])?;
    insta::assert_snapshot!(said, @r"
    customers/acme/web/environments/prodution.yaml: warning: nothing reads this file: no stack here has the environment `prodution`; did you mean `production.yaml`? [unread-file]
    customers/acme/web/value.yaml: warning: nothing reads this file: did you mean `values.yaml`? [unread-file]
    customers/acme/webb/values.yaml: warning: nothing reads this file: there is no product `webb`; did you mean `web`? [unread-file]
    products/web/base-value.yaml: warning: nothing reads this file: did you mean `base-values.yaml`? [unread-file]
    products/web/values.schema.jsn: warning: nothing reads this file: did you mean `values.schema.json`? [unread-file]
    nothing to correct, 5 warnings
    exit 0
    ");
    Ok(())
}

#[test]
fn what_is_allowed_for_a_while() -> Tested {
    let entry = |rule: &str, path: &str, expires: &str| {
        format!(
            "    - rule: {rule}\n      path: {path}\n      reason: moves this winter\n      expires: \"{expires}\"\n"
        )
    };
    let values = "bucket: acme-state\n";
    let files = |allow: &str| {
        let settings = format!("lint:\n  allow:\n{allow}");
        validate(&[
            ("tenantry.yml", &settings),
            ("customers/beta/web/values.yaml", values),
        ])
    };
    insta::assert_snapshot!(files(&entry("foreign", "customers/beta/", "9999-12-31"))?, @r"
    4 stacks checked, nothing to correct
    exit 0
    ");
    let expired = entry("foreign", "customers/beta/web/", "2020-01-31");
    let unused = entry("unread-file", "customers/beta/", "9999-12-31");
    insta::assert_snapshot!(files(&(expired + &unused))?, @r"
    customers/beta/web/values.yaml:1:9: `acme-state` is the state bucket of customer `acme`; write what belongs to `beta` [foreign]
    tenantry.yml:3:7: warning: the allowance of `foreign` for `customers/beta/web/` expired on 2020-01-31 and allows nothing any more; correct what it covered (1) or renew it [allow-expired]
    tenantry.yml:7:7: warning: nothing needs the allowance of `unread-file` for `customers/beta/`; remove it [allow-unused]
    1 to correct, 2 warnings
    exit 1
    ");
    insta::assert_snapshot!(files(&entry("schema-required", "customers/", "9999-12-31"))?, @r"
    tenantry.yml:3:13: `schema-required` cannot be allowed, only lints can: `collision-stack`, `collision-store`, `collision-repository`, `collision-bucket`, `collision-namespace`, `collision-id`, `foreign`, `secret-plain`, `secret-pattern`, `secret-possible`, `unread-file`, `module-backend`, `module-leftover`, `module-code`, `module-source`, `module-lock`, `module-variable`, `isolation-environment`; correct what it finds instead [estate]
    1 to correct
    exit 1
    ");
    Ok(())
}

#[test]
fn many_findings_are_parted_by_file() -> Tested {
    let plain: String = (0..9).map(|i| format!("k{i}: x\n")).collect();
    let said = validate(&[
        ("customers/acme/web/secrets.yaml", &plain),
        ("customers/beta/web/secrets.yaml", &plain),
    ])?;
    let (acme, beta) = said.split_once("\n\n").ok_or("no empty line")?;
    assert_eq!((acme.lines().count(), beta.lines().count()), (9, 11));
    assert!(
        beta.starts_with("customers/beta/web/secrets.yaml:1:5: "),
        "{beta}"
    );
    Ok(())
}

#[test]
fn sarif_is_for_validate_only() -> Tested {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &BASE)?;
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["stacks", "--format", "sarif"])
        .env_clear()
        .current_dir(dir.path())
        .output()?;
    assert_eq!(out.status.code(), Some(2));
    insta::assert_snapshot!(String::from_utf8(out.stderr)?, @r"
    error: this command has no result as `sarif`
      hint: use --format text, json, github
    ");
    assert!(out.stdout.is_empty());
    Ok(())
}

/// The schema as Microsoft ships it with its own matchers; tests/run installs it.
const SCHEMA: &str =
    "tests/node/node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json";

#[test]
fn sarif_is_what_the_schema_says() -> Tested {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &BASE)?;
    let (code, empty, _) = run(dir.path(), &["--format", "sarif"])?;
    assert_eq!(code, 0);
    write(
        dir.path(),
        &[
            ("customers/acme/web/secrets.yaml", "password: x\n"),
            ("customers/acme/web/value.yaml", "size: 3\n"),
        ],
    )?;
    let (code, found, _) = run(dir.path(), &["--format", "sarif"])?;
    assert_eq!(code, 1);
    let empty: serde_json::Value = serde_json::from_str(&empty)?;
    let found: serde_json::Value = serde_json::from_str(&found)?;
    assert_eq!(empty["runs"][0]["results"], serde_json::json!([]));
    let rules: Vec<&str> = found["runs"][0]["results"]
        .as_array()
        .ok_or("no results")?
        .iter()
        .filter_map(|r| r["ruleId"].as_str())
        .collect();
    assert_eq!(rules, ["secret-plain", "unread-file"]);
    for log in [&empty, &found] {
        assert_eq!(log["version"], "2.1.0");
        for rule in log["runs"][0]["tool"]["driver"]["rules"]
            .as_array()
            .ok_or("no rules")?
        {
            let page = rule["helpUri"]
                .as_str()
                .and_then(|u| u.split_once("/blob/main/"))
                .ok_or("no page")?
                .1;
            assert!(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(page).is_file(),
                "{page}"
            );
        }
    }
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join(SCHEMA);
    if !schema.is_file() {
        return support::skip(
            "sarif_is_what_the_schema_says",
            "tests/node/node_modules is not there; tests/run installs it",
        );
    }
    // One pattern of it (a language tag) has a bracket that no strict reader takes.
    let text = std::fs::read_to_string(schema)?.replace("{2}]?$", "{2}$");
    let schema: serde_json::Value = serde_json::from_str(&text)?;
    let validator = jsonschema::draft4::new(&schema).map_err(|e| e.to_string())?;
    for log in [&empty, &found] {
        let wrong: Vec<String> = validator
            .iter_errors(log)
            .map(|e| format!("{e} at {}", e.instance_path()))
            .collect();
        assert_eq!(wrong, Vec::<String>::new());
    }
    Ok(())
}
