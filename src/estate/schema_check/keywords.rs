//! The words of JSON Schema: which there are, which hold schemas, and to which type they apply.

use crate::estate::schema_tree::Part;
use crate::estate::value::Data;

/// What stands under a keyword.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holds {
    /// One schema, or a list of them in older drafts.
    Schema,
    /// A list of schemas.
    Schemas,
    /// Schemas by a name that is a key of the values, or a pattern for it.
    Properties,
    /// Schemas by a name of their own.
    Named,
    /// No schema.
    Plain,
}

/// The keywords of drafts 4 to 2020-12, and the annotations that editors know.
const KEYWORDS: &[(&str, Holds, &str)] = {
    use Holds::{Named, Plain, Properties, Schema, Schemas};
    &[
        ("$anchor", Plain, ""),
        ("$comment", Plain, ""),
        ("$defs", Named, ""),
        ("$dynamicAnchor", Plain, ""),
        ("$dynamicRef", Plain, ""),
        ("$id", Plain, ""),
        ("$recursiveAnchor", Plain, ""),
        ("$recursiveRef", Plain, ""),
        ("$ref", Plain, ""),
        ("$schema", Plain, ""),
        ("$vocabulary", Plain, ""),
        ("additionalItems", Schema, "array"),
        ("additionalProperties", Schema, "object"),
        ("allOf", Schemas, ""),
        ("anyOf", Schemas, ""),
        ("const", Plain, ""),
        ("contains", Schema, "array"),
        ("contentEncoding", Plain, "string"),
        ("contentMediaType", Plain, "string"),
        ("contentSchema", Schema, "string"),
        ("default", Plain, ""),
        ("defaultSnippets", Plain, ""),
        ("definitions", Named, ""),
        ("dependencies", Named, "object"),
        ("dependentRequired", Plain, "object"),
        ("dependentSchemas", Named, "object"),
        ("deprecated", Plain, ""),
        ("deprecationMessage", Plain, ""),
        ("description", Plain, ""),
        ("else", Schema, ""),
        ("enum", Plain, ""),
        ("enumDescriptions", Plain, ""),
        ("errorMessage", Plain, ""),
        ("examples", Plain, ""),
        ("exclusiveMaximum", Plain, "number"),
        ("exclusiveMinimum", Plain, "number"),
        ("format", Plain, ""),
        ("id", Plain, ""),
        ("if", Schema, ""),
        ("items", Schema, "array"),
        ("markdownDescription", Plain, ""),
        ("markdownEnumDescriptions", Plain, ""),
        ("maxContains", Plain, "array"),
        ("maxItems", Plain, "array"),
        ("maxLength", Plain, "string"),
        ("maxProperties", Plain, "object"),
        ("maximum", Plain, "number"),
        ("minContains", Plain, "array"),
        ("minItems", Plain, "array"),
        ("minLength", Plain, "string"),
        ("minProperties", Plain, "object"),
        ("minimum", Plain, "number"),
        ("multipleOf", Plain, "number"),
        ("not", Schema, ""),
        ("oneOf", Schemas, ""),
        ("pattern", Plain, "string"),
        ("patternErrorMessage", Plain, ""),
        ("patternProperties", Properties, "object"),
        ("prefixItems", Schemas, "array"),
        ("properties", Properties, "object"),
        ("propertyNames", Schema, "object"),
        ("readOnly", Plain, ""),
        ("required", Plain, "object"),
        ("then", Schema, ""),
        ("title", Plain, ""),
        ("type", Plain, ""),
        ("unevaluatedItems", Schema, "array"),
        ("unevaluatedProperties", Schema, "object"),
        ("uniqueItems", Plain, "array"),
        ("writeOnly", Plain, ""),
    ]
};

/// Every keyword.
pub fn names() -> impl Iterator<Item = &'static str> {
    KEYWORDS.iter().map(|(name, ..)| *name)
}

/// What a keyword holds; `None` when there is no such keyword.
pub fn holds(name: &str) -> Option<Holds> {
    KEYWORDS
        .iter()
        .find(|(n, ..)| *n == name)
        .map(|(_, holds, _)| *holds)
}

/// The only type that a keyword says something about.
pub fn applies_to(name: &str) -> Option<&'static str> {
    KEYWORDS
        .iter()
        .find(|(n, ..)| *n == name)
        .map(|(.., only)| *only)
        .filter(|only| !only.is_empty())
}

/// What a schema is to the one around it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// The whole file.
    Root,
    /// What a key of this name must hold.
    Property(String),
    /// What an item, or a key of any name, must hold.
    Item,
    /// A definition, which may be meant for use beside others.
    Definition,
    /// Only a part of what must hold: beside others, under a condition, or denied.
    Piece,
}

/// Visits a schema and every schema inside of it.
pub fn schemas<'a>(part: &Part<'a>, role: Role, visit: &mut impl FnMut(&Part<'a>, &Role)) {
    if !matches!(part.node.data, Data::Map(_) | Data::Bool(_)) {
        return;
    }
    visit(part, &role);
    for (key, child) in part.children() {
        let word = key.name.as_str();
        let below = |role_there: Role| {
            if role == Role::Piece {
                Role::Piece
            } else {
                role_there
            }
        };
        match holds(word) {
            Some(Holds::Schema | Holds::Schemas) => {
                let role = match word {
                    "items" | "additionalProperties" | "prefixItems" => below(Role::Item),
                    _ => Role::Piece,
                };
                if matches!(child.node.data, Data::List(_)) {
                    for item in child.items() {
                        schemas(&item, role.clone(), visit);
                    }
                } else {
                    schemas(&child, role, visit);
                }
            }
            Some(Holds::Properties) => {
                for (name, item) in child.children() {
                    let role = if word == "properties" {
                        Role::Property(name.name.clone())
                    } else {
                        Role::Item
                    };
                    schemas(&item, below(role), visit);
                }
            }
            Some(Holds::Named) => {
                let role = if word.starts_with("depend") {
                    Role::Piece
                } else {
                    Role::Definition
                };
                for (_, item) in child.children() {
                    schemas(&item, role.clone(), visit);
                }
            }
            Some(Holds::Plain) | None => {}
        }
    }
}
