use super::super::fixture::{estate_of, lines};
use super::*;

fn found(path: &str) -> String {
    let more = [(path, "a: 1\n"), ("products/api/environments/dev.yaml", "")];
    let found = lines(check(&estate_of(&["acme"], &more)));
    assert!(found.len() < 2, "{found:?}");
    found.concat()
}

#[test]
fn a_slip_in_a_name_is_found() {
    for (path, why) in [
        (
            "customers/acme/web/value.yaml",
            "did you mean `values.yaml`?",
        ),
        (
            "customers/acme/web/values.yml",
            "did you mean `values.yaml`?",
        ),
        (
            "customers/acme/metadata.yml",
            "did you mean `metadata.yaml`?",
        ),
        (
            "customers/acme/webb/values.yaml",
            "there is no product `webb`; did you mean `web`?",
        ),
        (
            "customers/acme/Web/values.yaml",
            "there is no product `Web`; did you mean `web`?",
        ),
        (
            "customers/acme/docs/x.pdf",
            "there is no product `docs`; add `products/docs/` or remove it",
        ),
        (
            "customers/acme/api/values.yaml",
            "`acme` does not subscribe to `api`; add it to `customers/acme/products.yaml` or remove these values",
        ),
        (
            "customers/acme/web/environments/prodution.yaml",
            "no stack here has the environment `prodution`; did you mean `production.yaml`?",
        ),
        (
            "customers/acme/web/environments/staging.yml",
            "no stack here has the environment `staging.yml`; did you mean `staging.yaml`?",
        ),
        (
            "customers/acme/web/environments/qa.yaml",
            "no stack here has the environment `qa`; there are `staging`, `production`",
        ),
        (
            "customers/acme/web/environment/staging.yaml",
            "did you mean `environments`?",
        ),
        (
            "products/web/base-value.yaml",
            "did you mean `base-values.yaml`?",
        ),
        (
            "products/web/values.schema.jsn",
            "did you mean `values.schema.json`?",
        ),
        (
            "products/web/environments/test.yml",
            "no stack here has the environment `test.yml`; there are `staging`, `production`",
        ),
        (
            "products/notes.txt",
            "`notes.txt` stands where folders are expected; move it into one or remove it",
        ),
        (
            "policies/limits.rgo",
            "only `*.rego` is read in `policies/`",
        ),
    ] {
        assert_eq!(
            found(path),
            format!("{path}: warning: nothing reads this file: {why} [unread-file]")
        );
    }
}

#[test]
fn what_the_layout_knows_is_read_or_left_alone() {
    for path in [
        "customers/acme/web/values.yaml",
        "customers/acme/web/environments/production.yaml",
        "customers/acme/web/secrets.yaml",
        "customers/acme/terraform/main.tf",
        "customers/acme/configs/any/thing.conf",
        "customers/acme/README.md",
        "customers/README.md",
        "customers/acme/web/.gitkeep",
        "customers/.gitkeep",
        "products/web/README",
        "products/web/terraform/main.tf",
        "policies/limits.rego",
        "shared/anything",
    ] {
        assert_eq!(found(path), "", "{path}");
    }
}

#[test]
fn a_folder_is_reported_once() {
    let more = [
        ("customers/acme/webb/environments/staging.yaml", ""),
        ("customers/acme/webb/values.yaml", ""),
    ];
    assert_eq!(
        lines(check(&estate_of(&["acme"], &more))),
        [
            "customers/acme/webb/environments/staging.yaml: warning: nothing reads the 2 files of `customers/acme/webb/`: there is no product `webb`; did you mean `web`? [unread-file]"
        ]
    );
}

#[test]
fn an_environment_that_nobody_subscribed_to_is_not_read() {
    let more = [
        (
            "customers/beta/products.yaml",
            "products:\n  - name: web\n    environments: [staging]\n",
        ),
        ("customers/beta/web/environments/production.yaml", ""),
    ];
    let found = lines(check(&estate_of(&[], &more)));
    assert_eq!(found.len(), 1);
    assert!(found[0].contains("there are `staging`"), "{found:?}");
}

#[test]
fn files_that_the_schema_refers_to_are_read() {
    let more = [
        (
            "products/web/values.schema.json",
            r##"{"properties": {"a": {"$ref": "parts/a.json#/x"}}}"##,
        ),
        (
            "products/web/parts/a.json",
            r#"{"x": {"items": {"$ref": "b.json"}}}"#,
        ),
        ("products/web/parts/b.json", "{}"),
        ("products/web/other.json", "{}"),
    ];
    let found = lines(check(&estate_of(&["acme"], &more)));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(
        found[0].starts_with("products/web/other.json: "),
        "{found:?}"
    );
}
