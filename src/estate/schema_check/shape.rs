//! What lets a typo pass, or leaves a customer without a word: keys that cannot be given, open
//! objects, no description, no type.

use super::keywords::Role;
use super::{DESCRIPTION, OPEN, REQUIRED, RESERVED, TYPE, err, warn};
use crate::estate::finding::Finding;
use crate::estate::ids::shown;
use crate::estate::schema_tree::Part;
use crate::estate::suggest::nearest;
use crate::estate::value::Data;

/// What a customer would miss: description, type, and keys that are not listed.
pub(super) fn check(part: &Part<'_>, role: &Role, top: bool, findings: &mut Vec<Finding>) {
    let has = |key: &str| part.node.get(key).is_some();
    let is =
        |key: &str, value: bool| part.node.get(key).map(|n| &n.data) == Some(&Data::Bool(value));
    if let Some(properties) = part.child("properties") {
        let closed = is("additionalProperties", false);
        let listed: Vec<&str> = properties
            .node
            .entries()
            .iter()
            .map(|(k, _)| k.name.as_str())
            .collect();
        for item in part
            .child("required")
            .map(|r| r.items())
            .unwrap_or_default()
        {
            let Some(name) = item.node.text().filter(|n| !listed.contains(n)) else {
                continue;
            };
            let meant = nearest(name, listed.iter().copied());
            if closed && !has("patternProperties") {
                let hint = meant.map_or_else(
                    || "add it to `properties` or take it out of `required`".to_owned(),
                    |m| format!("did you mean `{}`?", shown(m)),
                );
                findings.push(err(
                    item.place(),
                    REQUIRED,
                    format!(
                        "`{}` is required but not allowed: it is not in `properties`; {hint}",
                        shown(name)
                    ),
                ));
            } else if let Some(meant) = meant {
                findings.push(warn(
                    item.place(),
                    REQUIRED,
                    format!(
                        "`{}` is required but not in `properties`; did you mean `{}`?",
                        shown(name),
                        shown(meant)
                    ),
                ));
            }
        }
        if top {
            for (key, _) in properties.node.entries() {
                let place = properties.key_place(&key.name);
                if key.name.starts_with("tenantry_") {
                    findings.push(err(
                        place,
                        RESERVED,
                        format!("`{}`: keys that begin with `tenantry_` are set by tenantry; give it another name", shown(&key.name)),
                    ));
                } else if key.name == "environments" {
                    findings.push(warn(
                        place,
                        RESERVED,
                        "`environments` of a customer's file holds what differs between environments and never arrives as a value; give the key another name",
                    ));
                }
            }
        }
    }
    let open = !["additionalProperties", "unevaluatedProperties"]
        .iter()
        .any(|k| has(k));
    let with_keys = has("properties") && matches!(role, Role::Property(_) | Role::Item);
    if (top && !is("additionalProperties", false) && !is("unevaluatedProperties", false))
        || (with_keys && open)
    {
        let place = if has("additionalProperties") {
            part.key_place("additionalProperties")
        } else {
            part.place()
        };
        let what = if top {
            "the schema".to_owned()
        } else {
            named(role)
        };
        findings.push(warn(
            place,
            OPEN,
            format!("{what} takes any other key, so a misspelt one passes; add `\"additionalProperties\": false`"),
        ));
    }
    let says = [
        "type",
        "enum",
        "const",
        "$ref",
        "$dynamicRef",
        "allOf",
        "anyOf",
        "oneOf",
    ];
    if let Role::Property(_) = role {
        // What it refers to is looked at where it stands.
        let refers = says[3..].iter().any(|k| has(k));
        if !has("description") && !refers && !matches!(part.node.data, Data::Bool(_)) {
            findings.push(warn(
                part.place(),
                DESCRIPTION,
                format!(
                    "{} has no description, which is what a customer reads; add one",
                    named(role)
                ),
            ));
        }
    }
    let typed = says.iter().any(|k| has(k)) || matches!(part.node.data, Data::Bool(_));
    if matches!(role, Role::Property(_) | Role::Item) && !typed {
        findings.push(warn(
            part.place(),
            TYPE,
            format!(
                "{} has no type, so every value passes; add `type` or `enum`",
                named(role)
            ),
        ));
    }
}

fn named(role: &Role) -> String {
    match role {
        Role::Property(name) => format!("`{}`", shown(name)),
        _ => "this part".to_owned(),
    }
}
