//! Estates whose customers have ids that nearly meet.

use super::*;
use crate::estate::Files;
use crate::estate::isolation::check;
use proptest::prelude::*;

fn estate(settings: &str, engine: &str, customers: &[&str], products: &[&str]) -> Estate {
    let mut files = Files::new();
    files.insert("tenantry.yml", settings.as_bytes());
    for product in products {
        let product = format!("products/{product}");
        files.insert(
            format!("{product}/product.yaml"),
            format!("engine: {engine}\nenvironments: [dev, prod, b, c]\n").into_bytes(),
        );
    }
    let all: String = products
        .iter()
        .map(|p| format!("  - name: \"{p}\"\n"))
        .collect();
    for (i, customer) in customers.iter().enumerate() {
        files.insert(
            format!("customers/{customer}/products.yaml"),
            format!("products:\n{all}").into_bytes(),
        );
        files.insert(
            format!("customers/{customer}/metadata.yaml"),
            format!("repository: o/{customer}\nrepository_id: {i}\n").into_bytes(),
        );
    }
    match Estate::read(files) {
        Ok(estate) => estate,
        Err(e) => panic!("{e}"),
    }
}

const S3: &str = "store: {url: s3://ops/tenantry}\nstate: {bucket: state}\n";

/// What meets, without the warnings about environments.
fn met(estate: &Estate) -> Vec<String> {
    let (reaches, own) = of(estate);
    check(estate, &reaches, &own)
        .into_iter()
        .filter(|f| f.rule == "isolation-reach")
        .map(|f| f.message)
        .collect()
}

#[test]
fn t19_what_a_stack_may_touch() {
    let estate = estate(S3, "terraform", &["acme"], &["web"]);
    let (reaches, own) = of(&estate);
    let names: Vec<String> = reaches[0]
        .claims
        .iter()
        .chain(&own)
        .map(|c| format!("{}: {}", c.what, c.name))
        .collect();
    assert_eq!(
        names,
        [
            "repository: id 0",
            "repository: o/acme",
            "comments: s3://ops/tenantry/comments/acme/",
            "open requests: s3://ops/tenantry/unfinished/acme.json",
            "last sweep: s3://ops/tenantry/seen/acme.json",
            "last apply: s3://ops/tenantry/applied/acme/web/dev.json",
            "lease: s3://ops/tenantry/leases/acme/web/dev.json",
            "drift: s3://ops/tenantry/drift/acme/web/dev/check.json",
            "drift issue: s3://ops/tenantry/drift/acme/web/dev/issue.json",
            "sealed plans: s3://ops/tenantry/plans/acme/web/dev/",
            "audit records: s3://ops/tenantry/audit/records/acme/",
            "requests: s3://ops/tenantry/requests/acme/",
            "working folder: acme/web/dev/plan/",
            "working folder: acme/web/dev/apply/",
            "state: s3://state/acme/web/dev/terraform.tfstate",
            "folder of state: s3://state/acme/",
            "spent identity tokens: s3://ops/tenantry/identities/",
            "audit log: s3://ops/tenantry/audit/log/",
        ]
    );
    assert_eq!(reaches[0].environments, ["dev-plan", "dev-apply"]);
    assert_eq!(reaches.len(), 4);
}

#[test]
fn t19_ids_that_join_alike_share_nothing() {
    let none: [String; 0] = [];
    let ids = [
        "a", "a-b", "a-b-c", "a-plan", "audit", "requests", "state", "dev",
    ];
    let products = ["b", "b-c", "c", "plan", "log", "records"];
    for engine in ["terraform", "argocd"] {
        assert_eq!(met(&estate(S3, engine, &ids, &products)), none, "{engine}");
    }
}

#[test]
fn t19_a_store_without_a_prefix_beside_the_state_is_found() {
    for (customer, what) in [
        ("audit", "audit log"),
        ("plans", "sealed plans"),
        ("leases", "lease"),
    ] {
        let settings = "store: {url: s3://state}\nstate: {bucket: state}\n";
        let found = met(&estate(
            settings,
            "terraform",
            &["acme", customer],
            &["web"],
        ));
        assert!(
            found.iter().any(|f| f.contains(what)),
            "{customer}: {found:?}"
        );
    }
    let local = "store: {url: \"file:///srv/t\"}\nstate: {backend: local, path: /srv/t}\n";
    let found = met(&estate(local, "terraform", &["acme", "requests"], &["web"]));
    assert!(!found.is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Any ids at all: while store and state have roots of their own, nothing is shared.
    #[test]
    fn t19_no_two_customers_share_a_name(
        customers in prop::collection::btree_set("[ab1](-?[ab1]){0,3}", 2..6),
        products in prop::collection::btree_set("[ab1](-?[ab1]){0,2}", 1..3),
        engine in prop::sample::select(vec!["terraform", "argocd"]),
    ) {
        let customers: Vec<&str> = customers.iter().map(String::as_str).collect();
        let products: Vec<&str> = products.iter().map(String::as_str).collect();
        let found = met(&estate(S3, engine, &customers, &products));
        prop_assert!(found.is_empty(), "{:?}", found);
    }
}
