//! What a provider does with a schema, with the real binary: drafts it from a module, checks it,
//! reads its reference, and asks whom a change would break.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot make its estate has failed"
)]

mod support;

use std::path::Path;
use std::process::{Command, Output};
use support::{Tested, path, skip, tool};

struct Said {
    code: i32,
    out: String,
    err: String,
}

fn said(output: Output) -> Said {
    Said {
        code: output.status.code().unwrap(),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// The binary in `dir`. Variables of git that would lead elsewhere are set, to change nothing.
fn tenantry(dir: &Path, args: &[&str]) -> Said {
    said(
        Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(args)
            .current_dir(dir)
            .env_clear()
            .env("PATH", path())
            .env("HOME", dir)
            .env("GIT_DIR", "/nowhere")
            .env("GIT_WORK_TREE", "/nowhere")
            .env("GIT_OBJECT_DIRECTORY", "/nowhere")
            .output()
            .unwrap(),
    )
}

fn git(dir: &Path, args: &[&str]) {
    let out = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", path())
        .env("HOME", dir)
        .output()
        .unwrap();
    assert!(out.status.success(), "{args:?}: {out:?}");
}

fn write(dir: &Path, path: &str, text: &str) {
    let there = dir.join(path);
    std::fs::create_dir_all(there.parent().unwrap()).unwrap();
    std::fs::write(there, text).unwrap();
}

/// A manager repository as `init` writes it, with two customers, committed.
fn estate() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path();
    let commit = "a".repeat(40);
    let init = tenantry(dir, &["init", "manager", "m", "--actions-ref", &commit]);
    assert_eq!(init.code, 0, "{}", init.err);
    let m = dir.join("m");
    for (customer, most) in [("acme", 12), ("globex", 3)] {
        write(
            &m,
            &format!("customers/{customer}/products.yaml"),
            "products:\n  - name: web\n",
        );
        write(
            &m,
            &format!("customers/{customer}/web/values.yaml"),
            &format!("project_name: shop\nmax_instances: {most}\n"),
        );
    }
    write(
        &m,
        "customers/initech/metadata.yaml",
        "repository: initech/app\nrepository_id: 7\n",
    );
    write(
        &m,
        "customers/initech/products.yaml",
        "products:\n  - name: web\n",
    );
    git(&m, &["init", "--quiet"]);
    git(&m, &["add", "--all"]);
    git(&m, &["commit", "--quiet", "-m", "as init writes it"]);
    folder
}

fn edit(path: &Path, from: &str, to: &str) {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.contains(from), "{from}");
    std::fs::write(path, text.replace(from, to)).unwrap();
}

const SCHEMA: &str = "m/products/web/values.schema.json";

#[test]
fn a_provider_tightens_a_limit_and_is_told_whom_it_breaks() {
    let folder = estate();
    let dir = folder.path();
    let check = [
        "schema",
        "check",
        "web",
        "--estate",
        "m",
        "--against",
        "HEAD",
    ];
    let clean = tenantry(dir, &check);
    assert_eq!(clean.code, 0, "{}{}", clean.out, clean.err);
    edit(&dir.join(SCHEMA), "\"maximum\": 20", "\"maximum\": 10");
    let broken = tenantry(dir, &check);
    assert_eq!(broken.code, 1);
    insta::assert_snapshot!(format!("{}---\n{}", broken.out, broken.err), @r"
products/web/values.schema.json: breaks 2 stacks of acme (staging, production): `max_instances` is `12`, which is more than the maximum of `10`; the first is in customers/acme/web/values.yaml:2:16 [schema-check-breaks]
products/web/values.schema.json:13:5: warning: no variable of the module takes `cloud_provider`; add the variable, or keep it for policies and expressions only [schema-check-variable]
---
6 stacks compared with `HEAD`: 2 would break, 0 would pass again
2 of them take part of their values from a customer's repository, which was not looked at
2 to correct
");

    let json = tenantry(dir, &[&check[..], &["--format", "json"]].concat());
    let value: serde_json::Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(value["version"], 1);
    assert_eq!(value["stacks"], 6);
    assert_eq!(value["stacks_with_own_file"], 2);
    assert_eq!(value["breaks"][0]["stacks"][0]["stack"], "acme/web/staging");
    let github = tenantry(dir, &[&check[..], &["--format", "github"]].concat());
    assert!(
        github
            .out
            .contains("::error file=products/web/values.schema.json"),
        "{}",
        github.out
    );

    // The other way round, from what is committed now.
    git(&dir.join("m"), &["commit", "--quiet", "-a", "-m", "tight"]);
    edit(&dir.join(SCHEMA), "\"maximum\": 10", "\"maximum\": 12");
    let fixed = tenantry(dir, &check);
    assert_eq!(fixed.code, 0);
    assert!(
        fixed
            .err
            .contains("fixes 2 stacks of acme (staging, production): `max_instances` is `12`"),
        "{}",
        fixed.err
    );

    let none = tenantry(
        dir,
        &[
            "schema",
            "check",
            "web",
            "--estate",
            "m",
            "--against",
            "nope",
        ],
    );
    assert_eq!(none.code, 2);
    assert!(
        none.err.contains("there is no commit `nope`"),
        "{}",
        none.err
    );
    let option = tenantry(
        dir,
        &["schema", "check", "web", "--estate", "m", "--against=--all"],
    );
    assert_eq!(option.code, 2, "{}", option.err);
    let stranger = tenantry(dir, &["schema", "check", "wbe", "--estate", "m"]);
    assert_eq!(stranger.code, 2);
    assert!(
        stranger.err.contains("did you mean `web`?"),
        "{}",
        stranger.err
    );
}

#[test]
fn the_example_of_the_reference_passes() {
    let folder = estate();
    let dir = folder.path();
    let page = tenantry(dir, &["schema", "docs", "web", "--estate", "m"]);
    assert_eq!(page.code, 0, "{}", page.err);
    let example = page
        .out
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("\n```")
        .next()
        .unwrap();
    assert!(example.contains("\nnetworking:\n"), "{example}");
    write(dir, "app/infra/variables.yml", &format!("{example}\n"));
    let checked = tenantry(
        dir,
        &[
            "validate",
            "--estate",
            "m",
            "--product",
            "web",
            "app/infra/variables.yml",
        ],
    );
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    let written = tenantry(
        dir,
        &[
            "schema",
            "docs",
            "web",
            "--estate",
            "m",
            "--as",
            "html",
            "--out",
            "pages/web.html",
        ],
    );
    assert_eq!((written.code, written.out.as_str()), (0, ""));
    let html = std::fs::read_to_string(dir.join("pages/web.html")).unwrap();
    assert!(
        html.contains("<h3 id=\"key-networking-vpc_cidr\">"),
        "{html}"
    );
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
    // A page is not made of a schema that cannot be used.
    edit(
        &dir.join(SCHEMA),
        "\"type\": \"integer\"",
        "\"type\": \"interger\"",
    );
    let refused = tenantry(dir, &["schema", "docs", "web", "--estate", "m"]);
    assert_eq!((refused.code, refused.out.as_str()), (1, ""));
    assert!(
        refused.err.contains("values.schema.json:"),
        "{}",
        refused.err
    );
}

const MODULE: &str = r#"variable "tenantry_customer" { type = string }

variable "name" {
  type        = string
  description = "Name of the application."
  validation {
    condition     = can(regex("^[a-z][a-z0-9-]{1,30}$", var.name))
    error_message = "Lower case."
  }
}

variable "replicas" {
  type        = number
  default     = 2
  description = "How many."
  validation {
    condition     = var.replicas >= 1 && var.replicas <= 10 && floor(var.replicas) == var.replicas
    error_message = "1 to 10."
  }
}

variable "network" {
  description = "The network."
  type = object({
    cidr    = string
    subnets = optional(map(object({ cidr = string, public = optional(bool, false) })), {})
    dns     = optional(string)
  })
  default = { cidr = "10.0.0.0/16", dns = null }
  validation {
    condition     = can(cidrhost(var.network.cidr, 0))
    error_message = "An address range."
  }
}

variable "password" {
  type      = string
  sensitive = true
  default   = ""
}
"#;

const MAIN: &str = r#"resource "terraform_data" "x" {
  input = { name = var.name, replicas = var.replicas, network = var.network, customer = var.tenantry_customer }
}
"#;

fn module(dir: &Path) {
    write(dir, "module/variables.tf", MODULE);
    write(dir, "module/main.tf", MAIN);
    write(dir, "module/files/boot.sh.tftpl", "echo ${name}\n");
    write(dir, "module/prod.tfvars", "password = \"geheim\"\n");
    write(dir, "module/terraform.tfstate", "{\"geheim\": 1}\n");
    write(
        dir,
        "module/.terraform/modules/x.tf",
        "variable \"wrong\" {}\n",
    );
    write(dir, "module/ca.txt", "-----BEGIN PRIVATE KEY-----\n");
}

const DRAFT: [&str; 7] = [
    "init",
    "product",
    "net",
    "--from-terraform",
    "module",
    "--estate",
    "m",
];

#[test]
fn a_product_begins_with_a_module() {
    let folder = estate();
    let dir = folder.path();
    module(dir);
    std::os::unix::fs::symlink("/etc/passwd", dir.join("module/passwd.tf")).unwrap();
    let shown = tenantry(dir, &[&DRAFT[..], &["--dry-run"]].concat());
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(!dir.join("m/products/net").exists());
    let made = tenantry(dir, &DRAFT);
    assert_eq!(made.code, 0, "{}", made.err);
    assert_eq!(made.out, shown.out);
    insta::assert_snapshot!(format!("{}---\n{}", made.out, made.err), @r#"
m/products/net/README.md
m/products/net/base-values.yaml
m/products/net/environments/dev.yaml
m/products/net/environments/production.yaml
m/products/net/environments/staging.yaml
m/products/net/product.yaml
m/products/net/terraform/files/boot.sh.tftpl
m/products/net/terraform/main.tf
m/products/net/terraform/variables.tf
m/products/net/values.schema.json
---

To look at, also in the product's README.md:
  network: a validation is not in the schema ("An address range."); Terraform still checks it: `can(cidrhost(var.network.cidr, 0))`
  password: is sensitive, so it is not part of the schema
  .terraform/: was not copied: it is a hidden folder
  ca.txt: was not copied: it holds a private key; secrets do not belong into a repository
  passwd.tf: was not copied: it is a symbolic link; put the file itself there
  prod.tfvars: was not copied: values belong into the layers, and it may hold secrets
  terraform.tfstate: was not copied: state and plans hold secrets

Next: `tenantry schema check net --estate m`
"#);
    let written = Command::new("grep")
        .args(["-r", "geheim", "m/products/net"])
        .current_dir(dir)
        .output()
        .unwrap();
    assert!(!written.status.success(), "{written:?}");

    let checked = tenantry(dir, &["schema", "check", "net", "--estate", "m"]);
    assert_eq!(checked.code, 0, "{}{}", checked.out, checked.err);
    write(
        dir,
        "m/customers/initech/products.yaml",
        "products:\n  - name: net\n",
    );
    write(
        dir,
        "m/customers/acme/products.yaml",
        "products:\n  - name: net\n",
    );
    write(dir, "m/customers/acme/net/values.yaml", "name: shop\n");
    let whole = tenantry(dir, &["validate", "--estate", "m"]);
    assert_eq!(whole.code, 0, "{}{}", whole.out, whole.err);
    assert!(
        tenantry(dir, &["schema", "docs", "net", "--estate", "m"])
            .out
            .contains("### `network.subnets`")
    );

    // Again, and nothing is overwritten.
    write(dir, "m/products/net/base-values.yaml", "replicas: 3\n");
    let again = tenantry(dir, &DRAFT);
    assert_eq!(again.code, 1);
    assert!(
        again.err.contains("  products/net/base-values.yaml\n")
            && again.err.contains("nothing was written"),
        "{}",
        again.err
    );
    assert_eq!(
        std::fs::read_to_string(dir.join("m/products/net/base-values.yaml")).unwrap(),
        "replicas: 3\n"
    );
}

#[test]
fn what_is_drafted_is_what_terraform_takes() -> Tested {
    let name = "what_is_drafted_is_what_terraform_takes";
    let Some(terraform) = tool("tofu").or_else(|| tool("terraform")) else {
        return skip(name, "terraform is not on the PATH");
    };
    let folder = estate();
    let dir = folder.path();
    module(dir);
    assert_eq!(tenantry(dir, &DRAFT).code, 0);
    write(
        dir,
        "m/customers/acme/products.yaml",
        "products:\n  - name: net\n",
    );
    write(
        dir,
        "m/customers/acme/net/values.yaml",
        "name: shop\nnetwork:\n  subnets:\n    a:\n      cidr: 10.0.1.0/24\n",
    );
    let values = tenantry(
        dir,
        &[
            "resolve",
            "acme/net/staging",
            "--estate",
            "m",
            "--format",
            "tfvars",
        ],
    );
    assert_eq!(values.code, 0, "{}", values.err);
    write(
        dir,
        "m/products/net/terraform/terraform.tfvars.json",
        &values.out,
    );
    let run = |args: &[&str]| {
        said(
            Command::new(&terraform)
                .args(args)
                .current_dir(dir.join("m/products/net/terraform"))
                .env_clear()
                .env("PATH", path())
                .env("HOME", dir)
                .output()
                .unwrap(),
        )
    };
    let init = run(&["init", "-input=false", "-no-color"]);
    assert_eq!(init.code, 0, "{}{}", init.out, init.err);
    let plan = run(&["plan", "-input=false", "-no-color"]);
    assert_eq!(plan.code, 0, "{}{}", plan.out, plan.err);
    assert!(plan.out.contains("1 to add"), "{}", plan.out);
    Ok(())
}

#[test]
fn t22_hostile_folders_write_nothing() {
    let folder = estate();
    let dir = folder.path();
    let refused = |args: &[&str], code: i32, says: &str| {
        let said = tenantry(dir, args);
        assert_eq!(said.code, code, "{}", said.err);
        assert!(said.err.contains(says), "{says}: {}", said.err);
        assert!(!dir.join("m/products/net").exists());
    };
    refused(&DRAFT, 2, "`module` is not a folder");
    std::fs::create_dir(dir.join("module")).unwrap();
    refused(&DRAFT, 2, "holds no `*.tf` file");
    write(dir, "module/main.tf", "variable \"x\" {\n  default = [\n");
    refused(&DRAFT, 1, "module/main.tf: not valid HCL in line");
    let deep = format!(
        "variable \"x\" {{\n  default = {}{}\n}}\n",
        "[".repeat(90_000),
        "]".repeat(90_000)
    );
    write(dir, "module/main.tf", &deep);
    refused(&DRAFT, 1, "module/main.tf: not valid HCL in line 2");
    write(dir, "module/main.tf", "variable \"x\" {}\n");
    write(dir, "module/other.tf", "variable \"x\" {}\n");
    refused(
        &DRAFT,
        1,
        "the variable `x` is declared already in module/main.tf:1:1",
    );
    std::fs::write(dir.join("module/other.tf"), b"\xff\xfe").unwrap();
    refused(&DRAFT, 1, "not UTF-8");
    refused(
        &["init", "product", "../net", "--from-terraform", "module"],
        2,
        "a product id must be",
    );
    write(dir, SCHEMA, &"[".repeat(1 << 20));
    let said = tenantry(dir, &["schema", "check", "web", "--estate", "m"]);
    assert_eq!(said.code, 1);
    assert!(
        said.out
            .contains("values.schema.json:1:128: not valid JSON"),
        "{}",
        said.out
    );
}

#[test]
fn the_commands_of_the_page_work() {
    let folder = estate();
    let dir = folder.path();
    module(dir);
    std::fs::rename(dir.join("m"), dir.join("infra-manager")).unwrap();
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schema.md");
    let page = std::fs::read_to_string(page).unwrap();
    let mut ran = 0;
    for command in page.lines().filter_map(|l| l.strip_prefix("$ tenantry ")) {
        let words: Vec<&str> = command.split_whitespace().collect();
        let said = tenantry(dir, &words);
        assert_eq!(said.code, 0, "{command}: {}{}", said.out, said.err);
        ran += 1;
    }
    assert_eq!(ran, 4);
}
