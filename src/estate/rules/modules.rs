//! Rules about a product's Terraform module as code, and about what customers share.

use super::lints::lint;
use super::{Rule, text, yaml};
use crate::estate::finding::Level;

pub(super) const RULES: &[Rule] = &[
    Rule {
        id: "module-override",
        level: Level::Error,
        lint: false,
        title: "A file that changes what other files of the module say",
        why: "Terraform merges `override.tf` and `*_override.tf` over the other files, and OpenTofu reads `x.tofu` instead of `x.tf`. Such a file could name another backend than the registry's, or take `sensitive` from a variable, and whoever reads the other files would not see it. Nothing is planned with such a module.",
        instead: "Move its content into the files that it changes.",
        bad: text(
            "hcl",
            "# products/web/terraform/zz_override.tf\nterraform {\n  backend \"s3\" {\n    bucket = \"elsewhere\"\n  }\n}",
        ),
        good: text(
            "hcl",
            "# products/web/terraform/main.tf\nterraform {\n  required_version = \">= 1.11\"\n}",
        ),
    },
    lint(
        "module-backend",
        Level::Warning,
        "A module that says where its state lies",
        "The bucket comes from the registry and the key from the stack's name. tenantry puts its own backend over the module's, so what stands there has no effect, but whoever reads it believes it.",
        "Remove the block.",
        [
            text(
                "hcl",
                "terraform {\n  backend \"s3\" {\n    bucket = \"my-state\"\n  }\n}",
            ),
            text("hcl", "terraform {\n  required_version = \">= 1.11\"\n}"),
        ],
    ),
    lint(
        "module-leftover",
        Level::Warning,
        "A file that was left over from working by hand",
        "Terraform would pick up `terraform.tfvars`, `*.auto.tfvars` and local state by itself, and use them for every customer. They are not copied to where plans are made.",
        "Remove it. Values for all customers belong into `base-values.yaml`.",
        [
            text("text", "products/web/terraform/terraform.tfvars"),
            text("text", "products/web/base-values.yaml"),
        ],
    ),
    lint(
        "module-code",
        Level::Warning,
        "A module that runs programs or asks servers",
        "A provisioner and the data source `external` run a program on the runner, with the job's credentials; `external` and `http` do so while a pull request is planned, before anybody has approved. Where a customer's value becomes part of the command line or the address, the customer decides what is run or asked.",
        "Use a resource or data source of a provider. If there is none, make sure that no value reaches the command line, and allow it for that file.",
        [
            text(
                "hcl",
                "resource \"terraform_data\" \"notify\" {\n  provisioner \"local-exec\" {\n    command = \"notify ${var.contact}\"\n  }\n}",
            ),
            text(
                "hcl",
                "resource \"aws_sns_topic_subscription\" \"notify\" {\n  endpoint = var.contact\n}",
            ),
        ],
    ),
    lint(
        "module-source",
        Level::Warning,
        "A module that calls code from elsewhere",
        "A plan is bound to the bytes of the product's `terraform/` folder. What is fetched from elsewhere is not among them and can change after it was reviewed. A local path that leads out of the folder is an error, because what lies there is not copied.",
        "Put the module inside of the folder, or name it by a commit.",
        [
            text(
                "hcl",
                "module \"net\" {\n  source = \"git::https://example.com/net.git?ref=v1\"\n}",
            ),
            text(
                "hcl",
                "module \"net\" {\n  source = \"git::https://example.com/net.git?ref=0123456789abcdef0123456789abcdef01234567\"\n}",
            ),
        ],
    ),
    lint(
        "module-lock",
        Level::Warning,
        "A lock file that does not fit its module",
        "`.terraform.lock.hcl` says which builds of which providers may run with the job's credentials. Without it every plan may take another version; a provider in it that the module does not require is one that somebody wants to be there.",
        "Run `terraform providers lock` in the module's folder and commit what it writes.",
        [
            text(
                "hcl",
                "# .terraform.lock.hcl\nprovider \"registry.terraform.io/someone/aws\" {\n  version = \"5.100.0\"\n}",
            ),
            text(
                "hcl",
                "# .terraform.lock.hcl\nprovider \"registry.terraform.io/hashicorp/aws\" {\n  version = \"5.100.0\"\n}",
            ),
        ],
    ),
    lint(
        "module-variable",
        Level::Warning,
        "A variable with the name of an environment variable",
        "Names such as `TF_CLI_ARGS` or `AWS_SECRET_ACCESS_KEY` steer Terraform and its providers when they stand in the environment. No value of a layer ever gets there, so the variable only suggests that customers bring credentials.",
        "Give it a name of its own; credentials come from the job's role.",
        [
            text("hcl", "variable \"AWS_REGION\" {\n  type = string\n}"),
            text("hcl", "variable \"region\" {\n  type = string\n}"),
        ],
    ),
    Rule {
        id: "isolation-reach",
        level: Level::Error,
        lint: false,
        title: "Two customers can reach the same thing",
        why: "Every name under which the jobs of a stack read or write something is compared with those of all other customers and of the manager: state, the folders of the store, working folders, GitOps files, namespaces, repositories. Here two of them are equal, differ in capital letters alone, or lie one inside of the other.",
        instead: "Give the store a prefix of its own, or rename one of the two.",
        bad: yaml(
            "# with a customer called `audit`\nstore:\n  url: s3://ops\nstate:\n  bucket: ops",
        ),
        good: yaml("store:\n  url: s3://ops/tenantry\nstate:\n  bucket: ops-state"),
    },
    lint(
        "isolation-environment",
        Level::Warning,
        "Customers whom the cloud cannot tell apart",
        "The identity token of a job says in which GitHub environment it runs, not for which customer. A cloud role that trusts `production-apply` therefore serves every customer with that environment: what keeps them apart there is tenantry alone. `tenantry doctor isolation` says so; `validate` does not.",
        "With `customers.own_environments: true`, the jobs of each customer run in environments of their own, such as `acme/production-apply`; `tenantry customer onboard` makes them, and a role can trust one of them alone. docs/onboarding.md goes through it.",
        [
            yaml("# tenantry.yml\ncustomers:\n  own_environments: false"),
            yaml("# tenantry.yml\ncustomers:\n  own_environments: true"),
        ],
    ),
];
