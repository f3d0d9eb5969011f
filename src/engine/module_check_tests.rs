//! Modules of which one thing should be said, in both syntaxes.

use super::*;

fn said(files: &[(&str, &str)]) -> Vec<String> {
    let files: Files = files
        .iter()
        .map(|(name, text)| (format!("m/{name}"), text.as_bytes().to_vec()))
        .collect();
    check(&files, "m").iter().map(ToString::to_string).collect()
}

#[test]
fn t11_a_module_in_order_has_no_finding() {
    let none: [String; 0] = [];
    assert_eq!(
        said(&[
            (
                "main.tf",
                "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n  }\n}\nvariable \"size\" {}\nresource \"aws_instance\" \"a\" {}\nresource \"terraform_data\" \"b\" {}\nmodule \"net\" { source = \"./net\" }\nmodule \"pinned\" { source = \"git::https://example.com/m.git?ref=0123456789012345678901234567890123456789\" }\n",
            ),
            ("net/main.tf", "module \"up\" { source = \"../other\" }"),
            ("other/main.tf", ""),
        ]),
        none
    );
}

#[test]
fn t11_programs_and_requests_of_a_module_are_told() {
    let hcl = "resource \"terraform_data\" \"a\" {\n  provisioner \"local-exec\" {\n    command = \"x\"\n  }\n}\ndata \"external\" \"b\" {}\ndata \"http\" \"c\" {}\n";
    let json = r#"{"resource": {"terraform_data": {"a": [{"provisioner": [{"local-exec": {"command": "x"}}]}]}}, "data": [{"external": {"b": {}}}, {"http": {"c": {}}}]}"#;
    let words = ["provisioner `local-exec`", "`external`", "`http`"];
    for (name, text) in [
        ("main.tf", hcl),
        ("main.tf.json", json),
        ("sub/x.tf", hcl),
        ("sub/x.tofu", hcl),
    ] {
        let said = said(&[
            (name, text),
            (
                LOCK,
                "provider \"registry.terraform.io/hashicorp/external\" {}\nprovider \"registry.terraform.io/hashicorp/http\" {}",
            ),
        ]);
        assert_eq!(said.len(), 3, "{said:?}");
        for (line, word) in said.iter().zip(words) {
            assert!(
                line.contains(word) && line.ends_with("[module-code]"),
                "{line}"
            );
        }
        if name.ends_with(".tf") {
            assert!(
                said[0].starts_with(&format!("m/{name}:2:3: warning: ")),
                "{said:?}"
            );
        }
    }
    let broken = said(&[("sub/x.tf", "resource {{")]);
    assert!(
        broken[0].contains("nobody can tell what it runs"),
        "{broken:?}"
    );
}

#[test]
fn t19_a_backend_of_the_module_is_told() {
    for (name, text) in [
        (
            "main.tf",
            "terraform {\n  backend \"s3\" {\n    bucket = \"mine\"\n  }\n}",
        ),
        ("main.tf", "terraform {\n  cloud {}\n}"),
        (
            "main.tf.json",
            r#"{"terraform": {"backend": {"http": {}}}}"#,
        ),
        ("main.tf.json", r#"{"terraform": [{"cloud": {}}]}"#),
    ] {
        let said = said(&[(name, text)]);
        assert!(
            said.len() == 1 && said[0].ends_with("[module-backend]"),
            "{text}: {said:?}"
        );
    }
}

#[test]
fn t11_modules_from_elsewhere_are_told() {
    for (file, source, word) in [
        ("main.tf", "../other", "leads out"),
        ("main.tf", "./a/../../b", "leads out"),
        ("sub/main.tf", "../../b", "leads out"),
        ("main.tf", "/srv/module", "a path of one machine"),
        ("main.tf", "file:///srv/module", "a path of one machine"),
        (
            "main.tf",
            "git::https://example.com/m.git?ref=v1",
            "name a commit",
        ),
        ("main.tf", "https://example.com/m.zip", "name a commit"),
        ("main.tf", "git@example.com:m.git", "name a commit"),
        ("main.tf", "github.com/acme/m", "put the module inside"),
        ("main.tf", "acme/net/aws", "put the module inside"),
        ("main.tf", "${var.source}", "code from elsewhere"),
    ] {
        let said = said(&[(
            file,
            &format!("module \"a\" {{\n  source = \"{source}\"\n}}"),
        )]);
        assert!(
            said.len() == 1 && said[0].contains(word) && said[0].ends_with("[module-source]"),
            "{source}: {said:?}"
        );
        let error = word.starts_with("leads") || word.starts_with("a path");
        assert_eq!(!said[0].contains(": warning: "), error, "{said:?}");
    }
}

#[test]
fn t11_a_lock_file_with_another_provider_is_told() {
    let main = "terraform {\n  required_providers {\n    aws = { source = \"hashicorp/aws\" }\n    own = { source = \"registry.example.com/acme/own\" }\n  }\n}\n";
    let lock = "provider \"registry.terraform.io/hashicorp/aws\" {}\nprovider \"registry.example.com/acme/own\" {}\n";
    let none: [String; 0] = [];
    assert_eq!(said(&[("main.tf", main), (LOCK, lock)]), none);
    for (other, text) in [
        ("registry.terraform.io/evil/aws", main),
        ("evil.example/hashicorp/aws", main),
        ("registry.terraform.io/acme/own", main),
        ("registry.terraform.io/hashicorp/random", main),
    ] {
        let said = said(&[
            ("main.tf", text),
            (LOCK, &format!("{lock}provider \"{other}\" {{}}\n")),
        ]);
        assert!(
            said.len() == 1
                && said[0].contains(other)
                && said[0].starts_with(&format!("m/{LOCK}:3:1: "))
                && said[0].ends_with("[module-lock]"),
            "{said:?}"
        );
    }
    let without = said(&[("main.tf", "resource \"aws_instance\" \"a\" {}")]);
    assert!(
        without[0].contains("there is no `.terraform.lock.hcl`"),
        "{without:?}"
    );
    let broken = said(&[("main.tf", main), (LOCK, "provider {{")]);
    assert!(broken[0].contains("cannot be read"), "{broken:?}");
}

#[test]
fn t11_left_overs_and_names_of_the_environment_are_told() {
    for name in [
        "terraform.tfvars",
        "x.auto.tfvars",
        "terraform.tfstate",
        "backend_override.tf.json",
    ] {
        let said = said(&[("main.tf", ""), (name, "{}")]);
        assert!(
            said.len() == 1 && said[0].ends_with("[module-leftover]"),
            "{said:?}"
        );
    }
    for name in ["TF_CLI_ARGS", "AWS_SECRET_ACCESS_KEY"] {
        let said = said(&[("main.tf", &format!("variable \"{name}\" {{}}"))]);
        assert!(
            said.len() == 1 && said[0].ends_with("[module-variable]"),
            "{said:?}"
        );
    }
}
