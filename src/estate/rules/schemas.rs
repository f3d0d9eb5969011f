//! Rules of `tenantry schema check`.

use super::{Example, Rule, text};
use crate::estate::finding::Level;

const fn rule(
    id: &'static str,
    level: Level,
    title: &'static str,
    why: &'static str,
    instead: &'static str,
    bad: Example,
    good: Example,
) -> Rule {
    Rule {
        id,
        level,
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
        "schema-check-missing",
        Level::Warning,
        "The product has no schema",
        "Without one every key and every value passes, also a misspelt one.",
        "Add `values.schema.json` to the product's folder; `tenantry init product` drafts it from a Terraform module.",
        text("text", "products/web/base-values.yaml"),
        text(
            "text",
            "products/web/base-values.yaml\nproducts/web/values.schema.json",
        ),
    ),
    rule(
        "schema-check-invalid",
        Level::Error,
        "The schema is not a JSON Schema that compiles",
        "No stack of the product can be checked, so none is planned.",
        "Correct what the message names; the dialect is 2020-12 unless `$schema` says otherwise.",
        text("json", "{\"type\": \"strng\"}"),
        text("json", "{\"type\": \"string\"}"),
    ),
    rule(
        "schema-check-duplicate-key",
        Level::Error,
        "A key stands twice in one object",
        "JSON keeps the last of the two without a word.",
        "Remove one of the two, or rename it.",
        text(
            "json",
            "{\"properties\": {\"size\": {\"type\": \"string\"}, \"size\": {\"type\": \"integer\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"size\": {\"type\": \"string\"}, \"count\": {\"type\": \"integer\"}}}",
        ),
    ),
    rule(
        "schema-check-keyword",
        Level::Error,
        "A word that JSON Schema does not know",
        "JSON Schema ignores unknown keywords, so a misspelt rule is no rule.",
        "Write the keyword that was meant, or begin the name with `x-` when it is for another tool.",
        text("json", "{\"requried\": [\"region\"]}"),
        text("json", "{\"required\": [\"region\"]}"),
    ),
    rule(
        "schema-check-no-effect",
        Level::Warning,
        "A keyword that does not apply to the type",
        "A limit for another type is never looked at.",
        "Use the keyword of the type, such as `minLength` for a text and `minimum` for a number.",
        text("json", "{\"type\": \"string\", \"minimum\": 3}"),
        text("json", "{\"type\": \"string\", \"minLength\": 3}"),
    ),
    rule(
        "schema-check-required",
        Level::Error,
        "A key is required that cannot be given",
        "`additionalProperties: false` forbids what `properties` does not list, so no value can ever fit.",
        "Add the key to `properties`, or take it out of `required`.",
        text(
            "json",
            "{\"required\": [\"region\"], \"properties\": {\"size\": {}}, \"additionalProperties\": false}",
        ),
        text(
            "json",
            "{\"required\": [\"region\"], \"properties\": {\"region\": {}}, \"additionalProperties\": false}",
        ),
    ),
    rule(
        "schema-check-value",
        Level::Error,
        "A default, an example or an allowed value breaks the schema's own rules",
        "An allowed value that the type forbids can never be used, and an example that is refused misleads whoever copies it.",
        "Correct the value, or the rule that it breaks.",
        text("json", "{\"type\": \"integer\", \"default\": \"two\"}"),
        text("json", "{\"type\": \"integer\", \"default\": 2}"),
    ),
    rule(
        "schema-check-limits",
        Level::Error,
        "Limits that contradict each other",
        "No value lies above the least and below the most when these are swapped.",
        "Swap the limits or correct one of them.",
        text("json", "{\"minimum\": 10, \"maximum\": 1}"),
        text("json", "{\"minimum\": 1, \"maximum\": 10}"),
    ),
    rule(
        "schema-check-pattern",
        Level::Error,
        "A pattern that the engine does not take",
        "Patterns are matched in linear time, so that no value can make a check run for hours; look-around and back-references do not exist there.",
        "Write the pattern without them, or split it into several under `allOf`.",
        text("json", "{\"pattern\": \"^(?!admin)[a-z]+$\"}"),
        text(
            "json",
            "{\"pattern\": \"^[a-z]+$\", \"not\": {\"const\": \"admin\"}}",
        ),
    ),
    rule(
        "schema-check-anchor",
        Level::Warning,
        "A pattern that is not anchored at both ends",
        "A pattern fits when any part of the text does: `[a-z]+` takes `rm -rf x`.",
        "Put `^` before and `$` behind, around a group when there is an `|`.",
        text("json", "{\"pattern\": \"[a-z]+\"}"),
        text("json", "{\"pattern\": \"^[a-z]+$\"}"),
    ),
    rule(
        "schema-check-description",
        Level::Warning,
        "A key without a description",
        "The description is all that a customer reads about the key.",
        "Add a `description` of one sentence.",
        text(
            "json",
            "{\"properties\": {\"size\": {\"type\": \"string\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"size\": {\"type\": \"string\", \"description\": \"Size of the machines.\"}}}",
        ),
    ),
    rule(
        "schema-check-type",
        Level::Warning,
        "A key without a type",
        "Any value passes, also a list where a number is meant.",
        "Add `type`, or `enum` where there are few values.",
        text(
            "json",
            "{\"properties\": {\"size\": {\"description\": \"Size of the machines.\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"size\": {\"type\": \"string\", \"description\": \"Size of the machines.\"}}}",
        ),
    ),
    rule(
        "schema-check-open",
        Level::Warning,
        "An object that takes any other key",
        "A misspelt key is taken for a new one, and the customer is not told.",
        "Add `\"additionalProperties\": false`.",
        text(
            "json",
            "{\"type\": \"object\", \"properties\": {\"size\": {\"type\": \"string\"}}}",
        ),
        text(
            "json",
            "{\"type\": \"object\", \"properties\": {\"size\": {\"type\": \"string\"}}, \"additionalProperties\": false}",
        ),
    ),
    rule(
        "schema-check-ref",
        Level::Error,
        "A `$ref` that leads nowhere, out of the product's folder, or around in a circle",
        "A schema is read without network and without the rest of the estate, so that the same commit always means the same.",
        "Copy what is meant into the product's folder and refer to it there.",
        text("json", "{\"$ref\": \"https://example.com/size.json\"}"),
        text("json", "{\"$ref\": \"size.json\"}"),
    ),
    rule(
        "schema-check-reserved",
        Level::Error,
        "A key that tenantry keeps for itself",
        "`tenantry_…` is set by tenantry, and `environments` holds the parts of a customer's file that are for one environment.",
        "Give the key another name.",
        text(
            "json",
            "{\"properties\": {\"tenantry_stack\": {\"type\": \"string\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"stack_name\": {\"type\": \"string\"}}}",
        ),
    ),
    rule(
        "schema-check-variable",
        Level::Error,
        "The schema and the variables of the Terraform module do not fit together",
        "A value that no variable takes changes nothing, and a variable that nobody gives a value fails when it is planned.",
        "Add the variable to the module or the key to the schema, and make it `required` where the variable has no default.",
        text(
            "json",
            "{\"properties\": {\"vpc_cird\": {\"type\": \"string\"}}}",
        ),
        text(
            "json",
            "{\"properties\": {\"vpc_cidr\": {\"type\": \"string\"}}}",
        ),
    ),
    rule(
        "schema-check-breaks",
        Level::Error,
        "A change of the schema refuses values that were accepted before",
        "The next request of these customers fails, whatever they changed.",
        "Loosen the rule, change the values that the provider holds, or tell the customers first.",
        text("json", "{\"size\": {\"enum\": [\"small\"]}}"),
        text("json", "{\"size\": {\"enum\": [\"small\", \"large\"]}}"),
    ),
];
