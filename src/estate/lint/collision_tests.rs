use super::super::fixture::{estate, estate_of, lines};
use super::*;

const CUT: &str = "where ids are joined by `-` and cut to 63 characters, as in a Kubernetes namespace; rename one of them [collision-namespace]";

fn subscribes(product: &str) -> String {
    format!("products:\n  - name: {product}\n")
}

#[test]
fn t19_joined_names_of_two_customers_meet() {
    let (c, bc) = (subscribes("c"), subscribes("b-c"));
    let estate = estate(&[
        ("products/c/environments/staging.yaml", ""),
        ("products/b-c/environments/production.yaml", ""),
        ("customers/a-b/products.yaml", &c),
        ("customers/a/products.yaml", &bc),
    ]);
    assert_eq!(
        lines(check(&estate)),
        [format!(
            "customers/a-b/products.yaml:2:11: `a/b-c` and `a-b/c` both become `a-b-c` {CUT}"
        )]
    );
}

#[test]
fn t19_long_names_meet_when_they_are_cut_and_one_customer_only_harms_itself() {
    let long = "a".repeat(40);
    let listed = format!("products:\n  - name: {long}\n  - name: web\n");
    let customer = "c".repeat(40);
    let estate = estate(&[
        (&format!("products/{long}/environments/staging.yaml"), ""),
        (&format!("products/{long}/environments/production.yaml"), ""),
        ("products/web/environments/staging.yaml", ""),
        (&format!("customers/{customer}/products.yaml"), &listed),
    ]);
    let found = lines(check(&estate));
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("warning: "), "{found:?}");
    assert!(found[0].ends_with(CUT), "{found:?}");
}

#[test]
fn a_stack_that_comes_twice() {
    let estate = estate(&[
        (
            "products/web/product.yaml",
            "environments: [staging, production, staging]\n",
        ),
        (
            "customers/acme/products.yaml",
            "products:\n  - name: web\n  - name: web\n    enabled: false\n",
        ),
    ]);
    assert_eq!(
        lines(check(&estate)),
        [
            "customers/acme/products.yaml:3:11: `acme` subscribes to `web` twice, so its stacks would share one state; keep one of the two entries [collision-stack]",
            "products/web/product.yaml:1:15: `staging` stands twice in `environments`, so each of its stacks would come twice; keep one [collision-stack]",
        ]
    );
}

#[test]
fn t19_state_in_a_folder_of_the_store() {
    for (store, backend, customer) in [
        ("s3://ops", "bucket: ops", "plans"),
        ("s3://ops/acme/", "bucket: ops", "acme"),
        ("s3://own/", "bucket: ops", "leases"),
        (
            "file:///srv/x",
            "{backend: local, path: /srv/x/applied}",
            "acme",
        ),
    ] {
        let state = backend.trim_matches(['{', '}']);
        let settings = format!("state: {{{state}}}\nstore:\n  url: {store}\n");
        let metadata = "state: {bucket: own}\n";
        let path = format!("customers/{customer}/metadata.yaml");
        let mut more = vec![("tenantry.yml", settings.as_str())];
        if store.contains("own") {
            more.push((&path, metadata));
        }
        let found = lines(check(&estate_of(&[customer, "zeta"], &more)));
        assert_eq!(found.len(), 1, "{store}: {found:?}");
        assert!(
            found[0].starts_with("tenantry.yml:3:8: the state of customer"),
            "{found:?}"
        );
    }
    let clean = "state: {bucket: ops}\nstore: {url: s3://ops/tenantry}\n";
    let estate = estate_of(&["plans", "acme"], &[("tenantry.yml", clean)]);
    assert_eq!(lines(check(&estate)), Vec::<String>::new());
}

#[test]
fn two_registry_entries_claim_the_same() {
    let estate = estate_of(
        &["acme", "beta"],
        &[
            (
                "customers/acme/metadata.yaml",
                "repository: Acme/app\nrepository_id: 1\nstate:\n  bucket: shared\n",
            ),
            (
                "customers/beta/metadata.yaml",
                "repository: acme/APP\nrepository_id: 2\nstate:\n  bucket: shared\n",
            ),
        ],
    );
    assert_eq!(
        lines(check(&estate)),
        [
            "customers/beta/metadata.yaml:1:13: `acme/APP` is the repository of customer `acme` already; one repository serves one customer [collision-repository]",
            "customers/beta/metadata.yaml:4:11: warning: `shared` is the state bucket of customer `acme` too; give each customer a bucket of their own, or leave `state.bucket` out to use the common one [collision-bucket]",
        ]
    );
}

#[test]
fn the_common_bucket_may_be_named_by_everybody() {
    let metadata = "state: {bucket: ops}\n";
    let estate = estate_of(
        &["acme", "beta"],
        &[
            ("customers/acme/metadata.yaml", metadata),
            ("customers/beta/metadata.yaml", metadata),
            ("tenantry.yml", "state: {bucket: ops}\n"),
        ],
    );
    assert_eq!(lines(check(&estate)), Vec::<String>::new());
}

#[test]
fn t21_ids_that_look_alike() {
    let found = lines(check(&estate_of(
        &["acme-corp", "acmecorp", "b10", "blo", "other"],
        &[],
    )));
    assert_eq!(
        found,
        [
            "customers/acmecorp/products.yaml: warning: the ids of customer `acmecorp` and customer `acme-corp` differ only in `-` or in digits that look like letters; rename one before somebody approves the wrong one [collision-id]",
            "customers/blo/products.yaml: warning: the ids of customer `blo` and customer `b10` differ only in `-` or in digits that look like letters; rename one before somebody approves the wrong one [collision-id]",
        ]
    );
}

/// The GitHub environments of two environments never meet, whatever these are called.
#[test]
fn t19_github_environments_cannot_meet() {
    let ids = ["a", "a-plan", "a-apply", "plan", "apply", "a-plan-apply"];
    let mut seen = HashSet::new();
    for id in ids {
        for kind in ["plan", "apply"] {
            assert!(seen.insert(format!("{id}-{kind}")), "{id}-{kind}");
        }
    }
}
