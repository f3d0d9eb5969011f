//! Rules about values: the contract, layers, expressions, schemas, policies.

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
        "contract",
        "The customer's file does not hold keys and values",
        "The file is merged over the provider's layers key by key. A list or a single value has no keys to merge, and would replace everything.",
        "Write a map. `environments` must be a map too, with a map below each environment.",
        yaml("- size: small\n- region: eu-west-1"),
        yaml("size: small\nenvironments:\n  production:\n    size: large"),
    ),
    rule(
        "contract-file",
        "The customer's file cannot be read at this commit",
        "It is taken out of git's own objects and must be a regular file of at most 1 MiB, mode 100644. A symbolic link could lead to something that nobody reviewed.",
        "Commit the file itself at the path that the subscription names, `infra/variables.yml` unless it says otherwise.",
        text(
            "console",
            "$ ln -s ../shared/variables.yml infra/variables.yml",
        ),
        text("console", "$ cp shared/variables.yml infra/variables.yml"),
    ),
    rule(
        "contract-environment",
        "An environment that the product does not have",
        "Its values would reach no stack, and whoever wrote them would believe that they did.",
        "Use a name from the message. Which environments exist is the provider's decision.",
        yaml("environments:\n  prodution:\n    size: large"),
        yaml("environments:\n  production:\n    size: large"),
    ),
    rule(
        "contract-reserved",
        "A key that tenantry sets",
        "Keys that begin with `tenantry_` carry who and what a stack is. A module that trusts them must be able to.",
        "Remove the key; the module gets it anyway if it declares the variable.",
        yaml("tenantry_customer: somebody-else\nsize: small"),
        yaml("size: small"),
    ),
    rule(
        "layer",
        "A layer of the provider does not hold keys and values",
        "Layers are merged key by key; a list or a single value has no keys.",
        "Write a map, or leave the file empty: an empty layer changes nothing.",
        yaml("# products/web/base-values.yaml\n- region: eu-west-1"),
        yaml("# products/web/base-values.yaml\nregion: eu-west-1"),
    ),
    rule(
        "expression",
        "An expression that cannot be evaluated",
        "Expressions know a small fixed set of names, so that a customer's text stays data. A name that is not defined would otherwise become an empty text in a resource's name.",
        "Use `customer`, `product`, `environment`, `project_name` or `values.<key>`, with nothing but names, quoted texts, numbers, `~`, comparisons and `if`.",
        yaml("bucket: \"{{ project }}-{{ env }}\""),
        yaml("bucket: \"{{ project_name }}-{{ environment }}\""),
    ),
    rule(
        "schema",
        "A value that the product's schema refuses",
        "The schema is the contract about types, limits and patterns. The engine would fail later, or worse, not fail.",
        "Read the end of the message: it names the limit or pattern. The position is the line that brought the value in, whichever layer that is.",
        yaml("max_instances: 200   # the schema says at most 20"),
        yaml("max_instances: 20"),
    ),
    rule(
        "schema-unknown-key",
        "A key that the schema does not know",
        "A misspelt key changes nothing and looks as if it did.",
        "Take the suggested name, or remove the key. A provider who wants the key adds it to the schema's `properties`.",
        yaml("networking:\n  vpc_cird: 10.0.0.0/16"),
        yaml("networking:\n  vpc_cidr: 10.0.0.0/16"),
    ),
    rule(
        "schema-required",
        "A value that must be there and is not",
        "The product cannot be deployed without it, and no layer gives it.",
        "Add it to `infra/variables.yml`, or to a layer below if it is the provider's to decide.",
        yaml("project_name: shop"),
        yaml("project_name: shop\nregion: eu-west-1"),
    ),
    rule(
        "schema-enum",
        "A value that is none of the allowed ones",
        "The schema lists what is allowed, and this is not on the list.",
        "Take one of the values in the message.",
        yaml("region: eu-wst-1"),
        yaml("region: eu-west-1"),
    ),
    rule(
        "schema-invalid",
        "The product's schema cannot be used",
        "Without a schema every value would pass. So a schema that is not valid JSON, not valid JSON Schema, or refers to a file outside its product stops every stack of the product.",
        "Correct `values.schema.json`. `$ref` may reach files inside of the product's folder only, never another product or the network.",
        text(
            "json",
            "{\"properties\": {\"size\": {\"$ref\": \"../../shared/size.json\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"size\": {\"$ref\": \"size.json\"}}}",
        ),
    ),
    rule(
        "policy",
        "A policy says no, or warns",
        "Policies are the provider's guardrails over all stacks. The words of the message are the policy's own.",
        "Change what the message names. `deny` stops the stack, `warn` is only said.",
        yaml("public: true   # a policy denies it"),
        yaml("public: false"),
    ),
    rule(
        "policy-invalid",
        "A policy that cannot be used",
        "Rego reads an undefined rule as \"nothing to say\". A policy that does not compile, or defines neither `deny` nor `warn`, would pass everything in silence.",
        "Correct the file, add a `deny` or `warn` rule, or remove the file. Tests belong into `*_test.rego`.",
        text(
            "rego",
            "package limits\n\ndenny contains msg if { input.values.size > 3; msg := \"too large\" }",
        ),
        text(
            "rego",
            "package limits\n\ndeny contains msg if { input.values.size > 3; msg := \"too large\" }",
        ),
    ),
    rule(
        "policy-error",
        "A policy failed while it was asked",
        "No answer is not a yes: a policy that fails, takes longer than two seconds or answers something else than messages stops the stack.",
        "Correct the policy. A function that fails on some values needs a condition before it; a decision is a text or an object with `msg`.",
        text("rego", "deny := true"),
        text(
            "rego",
            "deny contains msg if { input.values.public; msg := \"must not be public\" }",
        ),
    ),
    rule(
        "policy-test",
        "A test of a policy does not pass",
        "The tests say what a policy must deny and what it must let through. One that fails, or a file of tests without any, means that the guardrail is not what it was.",
        "Run `tenantry policy test`, then correct the policy or the test.",
        text(
            "rego",
            "test_large_is_denied if { count(limits.deny) == 1 with input as {\"values\": {\"size\": 1}} }",
        ),
        text(
            "rego",
            "test_large_is_denied if { count(limits.deny) == 1 with input as {\"values\": {\"size\": 9}} }",
        ),
    ),
];
