//! Rules about the provider's own files: settings, registry, products, modules.

use super::{Example, Rule, text, yaml};
use crate::estate::finding::Level;

const fn rule(
    id: &'static str,
    title: &'static str,
    why: &'static str,
    instead: &'static str,
    bad: Example,
    good: Example,
) -> Rule {
    Rule {
        id,
        level: Level::Error,
        lint: false,
        title,
        why,
        instead,
        bad,
        good,
    }
}

pub(super) const RULES: &[Rule] = &[
    rule(
        "estate",
        "Settings, registry or products say something that cannot be",
        "These files decide whose change is deployed where. What is missing, of the wrong kind, or names a product or environment that does not exist is never guessed.",
        "The message says what is expected; `docs/settings.md` lists every key. Ids are 1 to 40 of `a-z`, `0-9` and `-`, with a letter or digit at both ends.",
        yaml("# customers/acme/products.yaml\nproducts:\n  - name: webb\n    enabled: \"true\""),
        yaml("# customers/acme/products.yaml\nproducts:\n  - name: web\n    enabled: true"),
    ),
    rule(
        "estate-unknown-key",
        "A key that tenantry does not know",
        "A misspelt setting would have no effect. For a gate or a state bucket that is dangerous.",
        "Take the suggested name or remove the key. `metadata.yaml` may hold keys of your own, as long as they do not look like a slip of one of ours.",
        yaml("gates:\n  production:\n    aproval: required"),
        yaml("gates:\n  production:\n    approval: required"),
    ),
    rule(
        "module",
        "A product's Terraform module cannot be read",
        "Which variables a module declares is read before Terraform starts, so that only those are given. A product with engine `terraform` and no module has nothing to deploy.",
        "Correct the file at the named line, add `*.tf` files, or set `engine: argocd` in `product.yaml`.",
        text("hcl", "variable \"size\" {\n  type = string"),
        text("hcl", "variable \"size\" {\n  type = string\n}"),
    ),
];
