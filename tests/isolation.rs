//! What a provider reads from `tenantry doctor isolation`.

mod support;

use std::path::Path;
use std::process::Command;
use support::Tested;

const BASE: [(&str, &str); 9] = [
    (
        "tenantry.yml",
        "store:\n  url: s3://ops/tenantry\n  seal_recipient: age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\nstate:\n  bucket: ops-state\n",
    ),
    ("products/web/base-values.yaml", "{}\n"),
    ("products/web/environments/staging.yaml", "{}\n"),
    ("products/web/environments/staging-beta.yaml", "{}\n"),
    (
        "products/web/terraform/main.tf",
        "variable \"size\" {\n  default = 1\n}\n",
    ),
    (
        "customers/acme/metadata.yaml",
        "repository: acme/shop\nrepository_id: 1\n",
    ),
    (
        "customers/acme/products.yaml",
        "products:\n  - name: web\n    environments: [staging]\n",
    ),
    (
        "customers/beta/metadata.yaml",
        "repository: beta/app\nrepository_id: 2\n",
    ),
    (
        "customers/beta/products.yaml",
        "products:\n  - name: web\n    environments: [staging-beta]\n",
    ),
];

fn write(dir: &Path, files: &[(&str, &str)]) -> Tested {
    for (path, content) in files {
        let path = dir.join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        std::fs::write(path, content)?;
    }
    Ok(())
}

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn run(args: &[&str], files: &[(&str, &str)]) -> Result<Said, Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &BASE)?;
    write(dir.path(), files)?;
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(args)
        .env_clear()
        .current_dir(dir.path())
        .output()?;
    Ok(Said {
        code: out.status.code().unwrap_or(-1),
        out: String::from_utf8(out.stdout)?,
        err: String::from_utf8(out.stderr)?,
    })
}

fn doctor(files: &[(&str, &str)]) -> Result<Said, Box<dyn std::error::Error>> {
    run(&["doctor", "isolation"], files)
}

#[test]
fn an_estate_whose_customers_are_apart() -> Tested {
    let said = doctor(&[])?;
    assert_eq!(said.code, 0, "{}{}", said.out, said.err);
    insta::assert_snapshot!(said.out, @r"
    acme/web/staging
      repository       id 1
      repository       acme/shop
      comments         s3://ops/tenantry/comments/acme/
      open requests    s3://ops/tenantry/unfinished/acme.json
      last sweep       s3://ops/tenantry/seen/acme.json
      last apply       s3://ops/tenantry/applied/acme/web/staging.json
      lease            s3://ops/tenantry/leases/acme/web/staging.json
      drift            s3://ops/tenantry/drift/acme/web/staging/check.json
      drift issue      s3://ops/tenantry/drift/acme/web/staging/issue.json
      sealed plans     s3://ops/tenantry/plans/acme/web/staging/
      audit records    s3://ops/tenantry/audit/records/acme/
      requests         s3://ops/tenantry/requests/acme/
      working folder   acme/web/staging/plan/
      working folder   acme/web/staging/apply/
      state            s3://ops-state/acme/web/staging/terraform.tfstate
      folder of state  s3://ops-state/acme/
      environments     staging-plan, staging-apply
      plan recipient   age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj
    beta/web/staging-beta
      repository       id 2
      repository       beta/app
      comments         s3://ops/tenantry/comments/beta/
      open requests    s3://ops/tenantry/unfinished/beta.json
      last sweep       s3://ops/tenantry/seen/beta.json
      last apply       s3://ops/tenantry/applied/beta/web/staging-beta.json
      lease            s3://ops/tenantry/leases/beta/web/staging-beta.json
      drift            s3://ops/tenantry/drift/beta/web/staging-beta/check.json
      drift issue      s3://ops/tenantry/drift/beta/web/staging-beta/issue.json
      sealed plans     s3://ops/tenantry/plans/beta/web/staging-beta/
      audit records    s3://ops/tenantry/audit/records/beta/
      requests         s3://ops/tenantry/requests/beta/
      working folder   beta/web/staging-beta/plan/
      working folder   beta/web/staging-beta/apply/
      state            s3://ops-state/beta/web/staging-beta/terraform.tfstate
      folder of state  s3://ops-state/beta/
      environments     staging-beta-plan, staging-beta-apply
      plan recipient   age1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj
    ");
    insta::assert_snapshot!(said.err, @"2 stacks of 2 customers, 34 names compared: no two customers can reach the same, 0 warnings");
    Ok(())
}

#[test]
fn as_json() -> Tested {
    let said = run(&["doctor", "isolation", "--format", "json"], &[])?;
    let json: serde_json::Value = serde_json::from_str(&said.out)?;
    assert_eq!(json["version"], 1);
    assert_eq!(json["findings"], serde_json::json!([]));
    assert_eq!(json["stacks"][0]["stack"], "acme/web/staging");
    let claims = json["stacks"][0]["claims"].as_array().ok_or("no claims")?;
    let state = claims
        .iter()
        .find(|c| c["what"] == "state")
        .ok_or("no state")?;
    assert_eq!(
        state["name"],
        "s3://ops-state/acme/web/staging/terraform.tfstate"
    );
    assert_eq!(json["manager"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[test]
fn t19_a_customer_whose_name_is_a_folder_of_the_store() -> Tested {
    let said = doctor(&[
        (
            "tenantry.yml",
            "store: {url: s3://ops}\nstate: {bucket: ops}\n",
        ),
        (
            "customers/audit/products.yaml",
            "products:\n  - name: web\n    environments: [staging]\n",
        ),
    ])?;
    assert_eq!(said.code, 1);
    let found: String = said
        .out
        .lines()
        .filter(|l| l.starts_with("tenantry.yml"))
        .fold(String::new(), |all, l| all + l + "\n");
    insta::assert_snapshot!(found, @r"
    tenantry.yml: folder of state `s3://ops/audit/` of customer `audit` and audit log `s3://ops/audit/log/` of the manager overlap; give the store a prefix of its own, or rename one of the two [isolation-reach]
    tenantry.yml: folder of state `s3://ops/audit/` of customer `audit` and audit records `s3://ops/audit/records/acme/` of customer `acme` overlap; give the store a prefix of its own, or rename one of the two [isolation-reach]
    tenantry.yml: folder of state `s3://ops/audit/` of customer `audit` and audit records `s3://ops/audit/records/beta/` of customer `beta` overlap; give the store a prefix of its own, or rename one of the two [isolation-reach]
    tenantry.yml: warning: the GitHub environments `staging-plan` and `staging-apply` serve `acme`, `audit`, so a cloud role that trusts them cannot tell one customer from another; with `customers.own_environments: true` each has environments of their own, such as `acme/staging-apply`, and a role can trust those alone [isolation-environment]
    tenantry.yml:1:14: the state of customer `audit` (`s3://ops/audit/`) and the store (`s3://ops/audit/`) are in one folder; give the store a prefix that is no customer's id, such as `s3://ops/tenantry-store` [collision-store]
    ");
    // The whole estate's check says it too, but not what is only shared.
    let said = run(
        &["validate"],
        &[
            (
                "tenantry.yml",
                "store: {url: s3://ops}\nstate: {bucket: ops}\n",
            ),
            (
                "customers/audit/products.yaml",
                "products:\n  - name: web\n    environments: [staging]\n",
            ),
        ],
    )?;
    assert!(
        said.out.contains("[isolation-reach]") && !said.out.contains("isolation-environment"),
        "{}",
        said.out
    );
    assert_eq!(said.code, 1);
    Ok(())
}

#[test]
fn t2_customers_whom_the_cloud_cannot_tell_apart_are_a_warning_that_can_be_allowed() -> Tested {
    let shared = (
        "customers/beta/products.yaml",
        "products:\n  - name: web\n    environments: [staging]\n",
    );
    let said = doctor(&[shared])?;
    assert_eq!(said.code, 0, "{}", said.err);
    assert!(said.out.contains("warning: the GitHub environments `staging-plan` and `staging-apply` serve `acme`, `beta`,"), "{}", said.out);
    let allowed = format!(
        "{}lint:\n  allow:\n    - rule: isolation-environment\n      path: tenantry.yml\n      reason: one cloud account\n      expires: \"2999-01-01\"\n",
        BASE[0].1
    );
    for args in [&["doctor", "isolation"][..], &["validate"]] {
        let said = run(args, &[shared, ("tenantry.yml", &allowed)])?;
        assert!(
            said.code == 0 && !said.out.contains("warning"),
            "{}{}",
            said.out,
            said.err
        );
    }
    Ok(())
}

#[test]
fn t11_a_module_that_reaches_further_is_told_with_its_lines() -> Tested {
    let main = "variable \"size\" {}\nmodule \"net\" {\n  source = \"../../other\"\n}\ndata \"external\" \"x\" {\n  program = [\"sh\"]\n}\n";
    let said = doctor(&[
        ("products/web/terraform/main.tf", main),
        ("products/web/terraform/terraform.tfvars", "size = 3\n"),
        (
            "products/web/terraform/zz_override.tf",
            "terraform {\n  backend \"local\" {}\n}\n",
        ),
    ])?;
    assert_eq!(said.code, 1);
    let found: String = said
        .out
        .lines()
        .skip_while(|l| !l.starts_with("products/"))
        .fold(String::new(), |all, l| all + l + "\n");
    insta::assert_snapshot!(found, @r"
    products/web/terraform: warning: there is no `.terraform.lock.hcl`, so each plan may take another version of `hashicorp/external`; run `terraform providers lock` in the module and commit what it writes [module-lock]
    products/web/terraform/main.tf:2:1: `../../other` leads out of the product's `terraform/` folder, which alone is copied and covered by a plan's digest; put the module inside [module-source]
    products/web/terraform/main.tf:5:1: warning: data source `external` runs a program on the runner, also while a pull request is planned; use a provider instead [module-code]
    products/web/terraform/terraform.tfvars: warning: this file is left over from working by hand and is not used; remove it, values belong into the layers [module-leftover]
    products/web/terraform/zz_override.tf: `zz_override.tf` changes what other files of the module say, or stands in for one; the backend and what is sensitive must be read from one place. Move its content into `*.tf` files that override nothing [module-override]
    ");
    Ok(())
}

#[test]
fn an_estate_without_a_stack_and_a_folder_without_an_estate() -> Tested {
    let dir = tempfile::tempdir()?;
    write(dir.path(), &[("tenantry.yml", "version: 1\n")])?;
    let run = |folder: &Path| {
        Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["doctor", "isolation", "--estate"])
            .arg(folder)
            .env_clear()
            .status()
    };
    assert_eq!(run(dir.path())?.code(), Some(3));
    assert_eq!(run(&dir.path().join("not"))?.code(), Some(2));
    Ok(())
}
