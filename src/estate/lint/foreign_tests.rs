use super::super::fixture::{estate_of, lines};
use super::*;

const REGISTRY: [(&str, &str); 2] = [
    (
        "customers/acme/metadata.yaml",
        "repository: acme/app\nrepository_id: 1\nstate: {bucket: acme-state}\n",
    ),
    (
        "customers/web/metadata.yaml",
        "repository: web/site\nrepository_id: 2\nstate: {bucket: web}\n",
    ),
];

fn found_in(values: &str) -> Vec<String> {
    let mut more = REGISTRY.to_vec();
    more.push(("customers/acme/web/values.yaml", values));
    lines(check(&estate_of(&["acme", "web"], &more)))
}

#[test]
fn t2_whole_names_of_another_customer_are_found() {
    for (value, what) in [
        ("web/site", "`web/site` is the repository"),
        (
            "https://github.com/Web/Site.git",
            "`Web/Site` is the repository",
        ),
        (
            "git@github.com:web/site.git",
            "`web/site` is the repository",
        ),
        (
            "https://api.github.com/repos/web/site/hooks",
            "`web/site` is the repository",
        ),
        ("s3://web/some/key", "`web` is the state bucket"),
        ("arn:aws:s3:::web/*", "`web` is the state bucket"),
        (
            "web.s3.eu-west-1.amazonaws.com",
            "`web` is the state bucket",
        ),
        ("web/web/", "`web/web/` is state"),
        (
            "web/web/production/terraform.tfstate",
            "`web/web/` is state",
        ),
        (
            "s3://ops/web/web/staging/terraform.tfstate",
            "`web/web/` is state",
        ),
        ("web-web-production", "`web-web-production` is a namespace"),
        (
            "db.web-web-staging.svc.cluster.local:5432",
            "`web-web-staging` is a namespace",
        ),
    ] {
        let found = found_in(&format!("a:\n  - b: \"{value}\"\n"));
        assert_eq!(
            found,
            [format!(
                "customers/acme/web/values.yaml:2:8: {what} of customer `web`; write what belongs to `acme` [foreign]"
            )],
            "{value}"
        );
    }
}

#[test]
fn keys_count_as_well() {
    let found = found_in("grants: {\"web/site\": read}\n");
    assert_eq!(found.len(), 1, "{found:?}");
    assert!(found[0].contains("values.yaml:1:10: "), "{found:?}");
}

#[test]
fn t2_what_only_looks_like_it_is_left_alone() {
    for value in [
        "the web server",
        "web application",
        "https://example.com/web/about",
        "assets/web/index.html",
        "web/site-two",
        "my/web/site",
        "web-website",
        "acme/app",
        "acme/web/production/terraform.tfstate",
        "acme-web-production",
        "s3://acme-state/acme/web/staging",
        "registry.example.com:5000/library/web",
        "{{ customer }}-web",
    ] {
        let found = found_in(&format!("a: \"{value}\"\n"));
        assert_eq!(found, Vec::<String>::new(), "{value}");
    }
}

#[test]
fn t20_ten_thousand_customers_take_one_pass() {
    let mut files = Files::new();
    files.insert("products/web/environments/staging.yaml", *b"{}\n");
    for i in 0..10_000 {
        let folder = format!("customers/c{i}");
        let metadata = format!("repository: own{i}/app\nrepository_id: {}\n", i + 1);
        files.insert(format!("{folder}/metadata.yaml"), metadata.into_bytes());
        files.insert(
            format!("{folder}/products.yaml"),
            *b"products:\n  - name: web\n",
        );
        let values = format!("repository: own{}/app\n", if i == 7 { 8 } else { i });
        files.insert(format!("{folder}/web/values.yaml"), values.into_bytes());
    }
    let Ok(estate) = Estate::read(files) else {
        panic!("not an estate")
    };
    assert_eq!(lines(check(&estate)).len(), 1);
}
