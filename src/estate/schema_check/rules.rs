//! Ids of the rules of `tenantry schema check`; what there is to say about each is in the table
//! `src/estate/rules/schemas.rs`.

/// The product has no schema.
pub const MISSING: &str = "schema-check-missing";
/// The schema is not a JSON Schema that compiles.
pub const INVALID: &str = "schema-check-invalid";
/// A key stands twice in one object.
pub const DUPLICATE: &str = "schema-check-duplicate-key";
/// A word that JSON Schema does not know.
pub const KEYWORD: &str = "schema-check-keyword";
/// A keyword that does not apply to the type.
pub const NO_EFFECT: &str = "schema-check-no-effect";
/// A key is required that cannot be given.
pub const REQUIRED: &str = "schema-check-required";
/// A default, an example or an allowed value breaks the schema's own rules.
pub const VALUE: &str = "schema-check-value";
/// Limits that contradict each other.
pub const LIMITS: &str = "schema-check-limits";
/// A pattern that the engine does not take.
pub const PATTERN: &str = "schema-check-pattern";
/// A pattern that is not anchored at both ends.
pub const ANCHOR: &str = "schema-check-anchor";
/// A key without a description.
pub const DESCRIPTION: &str = "schema-check-description";
/// A key without a type.
pub const TYPE: &str = "schema-check-type";
/// An object that takes any other key.
pub const OPEN: &str = "schema-check-open";
/// A `$ref` that leads nowhere, out of the product's folder, or around in a circle.
pub const REF: &str = "schema-check-ref";
/// A key that tenantry keeps for itself.
pub const RESERVED: &str = "schema-check-reserved";
/// The schema and the variables of the Terraform module do not fit together.
pub const VARIABLE: &str = "schema-check-variable";
/// A change of the schema refuses values that were accepted before.
pub const BREAKS: &str = "schema-check-breaks";
