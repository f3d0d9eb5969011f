//! The rules of `tenantry schema check`: one list, each with what it is called, why it is there
//! and what to do.

/// A rule as a person looks it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// As it stands behind a finding.
    pub id: &'static str,
    /// In one line.
    pub title: &'static str,
    /// What goes wrong without it.
    pub why: &'static str,
    /// What to write instead.
    pub fix: &'static str,
}

macro_rules! rules {
    ($($name:ident, $id:literal, $title:literal, $why:literal, $fix:literal;)*) => {
        $(
            #[doc = $title]
            pub const $name: Rule = Rule { id: $id, title: $title, why: $why, fix: $fix };
        )*
        /// All of them.
        pub const RULES: &[Rule] = &[$($name),*];
    };
}

rules! {
    MISSING, "schema-check-missing",
        "the product has no schema",
        "without one every key and every value passes, also a misspelt one",
        "add `values.schema.json` to the product's folder; `tenantry init product` drafts it from a Terraform module";
    INVALID, "schema-check-invalid",
        "the schema is not a JSON Schema that compiles",
        "no stack of the product can be checked, so none is planned",
        "correct what the message names; the dialect is 2020-12 unless `$schema` says otherwise";
    DUPLICATE, "schema-check-duplicate-key",
        "a key stands twice in one object",
        "JSON keeps the last of the two without a word",
        "remove one of the two, or rename it";
    KEYWORD, "schema-check-keyword",
        "a word that JSON Schema does not know",
        "JSON Schema ignores unknown keywords, so a misspelt rule is no rule",
        "write the keyword that was meant, or begin the name with `x-` when it is for another tool";
    NO_EFFECT, "schema-check-no-effect",
        "a keyword that does not apply to the type",
        "a limit for another type is never looked at",
        "use the keyword of the type, such as `minLength` for a text and `minimum` for a number";
    REQUIRED, "schema-check-required",
        "a key is required that cannot be given",
        "`additionalProperties: false` forbids what `properties` does not list, so no value can ever fit",
        "add the key to `properties`, or take it out of `required`";
    VALUE, "schema-check-value",
        "a default, an example or an allowed value breaks the schema's own rules",
        "an allowed value that the type forbids can never be used, and an example that is refused misleads whoever copies it",
        "correct the value, or the rule that it breaks";
    LIMITS, "schema-check-limits",
        "limits that contradict each other",
        "no value lies above the least and below the most when these are swapped",
        "swap the limits or correct one of them";
    PATTERN, "schema-check-pattern",
        "a pattern that the engine does not take",
        "patterns are matched in linear time, so that no value can make a check run for hours; look-around and back-references do not exist there",
        "write the pattern without them, or split it into several under `allOf`";
    ANCHOR, "schema-check-anchor",
        "a pattern that is not anchored at both ends",
        "a pattern fits when any part of the text does: `[a-z]+` takes `rm -rf x`",
        "put `^` before and `$` behind, around a group when there is an `|`";
    DESCRIPTION, "schema-check-description",
        "a key without a description",
        "the description is all that a customer reads about the key",
        "add a `description` of one sentence";
    TYPE, "schema-check-type",
        "a key without a type",
        "any value passes, also a list where a number is meant",
        "add `type`, or `enum` where there are few values";
    OPEN, "schema-check-open",
        "an object that takes any other key",
        "a misspelt key is taken for a new one, and the customer is not told",
        "add `\"additionalProperties\": false`";
    REF, "schema-check-ref",
        "a `$ref` that leads nowhere, out of the product's folder, or around in a circle",
        "a schema is read without network and without the rest of the estate, so that the same commit always means the same",
        "copy what is meant into the product's folder and refer to it there";
    RESERVED, "schema-check-reserved",
        "a key that tenantry keeps for itself",
        "`tenantry_…` is set by tenantry, and `environments` holds the parts of a customer's file that are for one environment",
        "give the key another name";
    VARIABLE, "schema-check-variable",
        "the schema and the variables of the Terraform module do not fit together",
        "a value that no variable takes changes nothing, and a variable that nobody gives a value fails when it is planned",
        "add the variable to the module or the key to the schema, and make it `required` where the variable has no default";
    BREAKS, "schema-check-breaks",
        "a change of the schema refuses values that were accepted before",
        "the next request of these customers fails, whatever they changed",
        "loosen the rule, change the values that the provider holds, or tell the customers first";
}
