//! The schema against the variables of the product's Terraform module.

use super::{Takes, VARIABLE, err, warn};
use crate::estate::files::Files;
use crate::estate::finding::{Finding, Place};
use crate::estate::ids::{ProductId, shown};
use crate::estate::schema_tree::{Part, Tree};
use crate::estate::suggest::nearest;
use crate::estate::value::{Data, Node};
use crate::estate::yaml::{Reading, read};
use std::collections::{BTreeMap, BTreeSet};

/// The keys at the top, also those that come by `$ref` and `allOf`, and which are required.
fn top_keys<'a>(
    tree: &'a Tree,
    part: &Part<'a>,
    seen: &mut BTreeSet<(&'a str, String)>,
    keys: &mut BTreeMap<String, Place>,
    required: &mut Vec<String>,
) {
    if !seen.insert((part.path, part.pointer.clone())) {
        return;
    }
    if let Some(properties) = part.child("properties") {
        for (key, _) in properties.node.entries() {
            keys.entry(key.name.clone())
                .or_insert_with(|| properties.key_place(&key.name));
        }
    }
    required.extend(part.texts("required").into_iter().map(str::to_owned));
    if let Some(next) = part.text("$ref").and_then(|r| tree.follow(part, r).ok()) {
        top_keys(tree, &next, seen, keys, required);
    }
    for list in ["allOf", "anyOf", "oneOf"] {
        let mut sometimes = Vec::new();
        for item in part.child(list).map(|l| l.items()).unwrap_or_default() {
            let required = if list == "allOf" {
                &mut *required
            } else {
                &mut sometimes
            };
            top_keys(tree, &item, seen, keys, required);
        }
    }
}

/// The keys that the product's own lowest layer sets, so that they are never missing.
pub(super) fn given(files: &Files, product: &ProductId) -> Vec<String> {
    let path = format!("products/{product}/base-values.yaml");
    let node = files
        .get(&path)
        .and_then(|bytes| read(&path, bytes, Reading::Strict).ok());
    node.iter()
        .flat_map(Node::entries)
        .filter(|(_, value)| value.data != Data::Null)
        .map(|(key, _)| key.name.clone())
        .collect()
}

/// The schema against the variables of the module.
pub(super) fn check<'a>(
    tree: &'a Tree,
    root: &Part<'a>,
    module: &BTreeMap<String, Takes>,
    given: &[String],
    findings: &mut Vec<Finding>,
) {
    let mut keys = BTreeMap::new();
    let mut required = Vec::new();
    top_keys(tree, root, &mut BTreeSet::new(), &mut keys, &mut required);
    let set_by_us = [
        "tenantry_customer",
        "tenantry_product",
        "tenantry_environment",
    ];
    for (key, place) in &keys {
        if !module.contains_key(key) && !key.starts_with("tenantry_") {
            let hint = nearest(key, module.keys().map(String::as_str))
                .filter(|m| !keys.contains_key(*m))
                .map_or_else(
                    || "add the variable, or keep it for policies and expressions only".to_owned(),
                    |m| format!("did you mean `{}`?", shown(m)),
                );
            findings.push(warn(
                place.clone(),
                VARIABLE,
                format!("no variable of the module takes `{}`; {hint}", shown(key)),
            ));
        }
    }
    for (name, takes) in module {
        let set = set_by_us.contains(&name.as_str()) || given.contains(name);
        if !takes.required || set || required.contains(name) {
            continue;
        }
        let place = keys
            .get(name)
            .cloned()
            .unwrap_or_else(|| Place::file(&takes.path));
        if takes.sensitive {
            findings.push(warn(
                place,
                VARIABLE,
                format!("the sensitive variable `{}` has no default and a secret must not stand in a file; let the module read it from where secrets are kept", shown(name)),
            ));
        } else {
            let hint = if keys.contains_key(name) {
                "add it to `required`, or give the variable a default"
            } else {
                "add it to `properties` and `required`, or give the variable a default"
            };
            findings.push(err(
                place,
                VARIABLE,
                format!(
                    "the variable `{}` has no default, but the schema does not require it; {hint}",
                    shown(name)
                ),
            ));
        }
    }
}
