//! `$ref`s that lead nowhere, or have no end.

use super::keywords::{Role, schemas};
use super::{REF, err};
use crate::estate::finding::Finding;
use crate::estate::ids::shown;
use crate::estate::schema_tree::{Astray, MAX_CHAIN, Part, Tree};
use std::collections::BTreeMap;

/// Where a `$ref` leads nowhere.
pub(super) fn check(tree: &Tree, part: &Part<'_>, findings: &mut Vec<Finding>) {
    let Some(text) = part.text("$ref") else {
        return;
    };
    let why = match tree.follow(part, text) {
        Ok(_) => return,
        Err(Astray::Outside) => format!(
            "leaves the product's folder; only files inside `products/{}` can be referred to, copy it there",
            tree.path().split('/').nth(1).unwrap_or_default()
        ),
        Err(Astray::NoFile(path)) => format!(
            "there is no file `{}` that can be read; correct the path",
            shown(&path)
        ),
        Err(Astray::NoPlace(at)) => format!(
            "there is nothing at `{}`; correct it, or add it under `$defs`",
            shown(&at)
        ),
    };
    let place = part
        .child("$ref")
        .map_or_else(|| part.place(), |p| p.place());
    findings.push(err(
        place,
        REF,
        format!("`$ref` to `{}`: {why}", shown(text)),
    ));
}

/// Schemas that come back to themselves without going down in the values, or that are nested by
/// `$ref` deeper than anybody writes. Whether there is one: such a schema is not to be compiled.
pub(super) fn circles(tree: &Tree, findings: &mut Vec<Finding>) -> bool {
    let mut seen = BTreeMap::new();
    let mut found = None;
    for document in tree.documents() {
        schemas(&document, Role::Root, &mut |part, _| {
            if found.is_none() {
                found = height(tree, part, 0, &mut seen).err();
            }
        });
    }
    findings.extend(found.clone());
    found.is_some()
}

type Seen<'a> = BTreeMap<(&'a str, String), Option<usize>>;

/// How many steps lead on from here that all judge the same value.
fn height<'a>(
    tree: &'a Tree,
    part: &Part<'a>,
    depth: usize,
    seen: &mut Seen<'a>,
) -> Result<usize, Finding> {
    let name = (part.path, part.pointer.clone());
    let refuse = |why: String| Err(err(part.place(), REF, why));
    match seen.get(&name) {
        Some(Some(height)) if depth + height <= 2 * MAX_CHAIN => return Ok(*height),
        Some(None) => {
            return refuse(
                "`$ref` leads back to this place without going down in the values, so it has no end; write out what is meant".to_owned(),
            );
        }
        _ => {}
    }
    if depth > 2 * MAX_CHAIN {
        return refuse(format!(
            "more than {MAX_CHAIN} `$ref`s lead from one to the next; refer to what is meant directly"
        ));
    }
    seen.insert(name.clone(), None);
    let mut most = 0;
    let mut next: Vec<Part<'a>> = Vec::new();
    next.extend(part.text("$ref").and_then(|r| tree.follow(part, r).ok()));
    for word in ["allOf", "anyOf", "oneOf"] {
        next.extend(part.child(word).map(|l| l.items()).unwrap_or_default());
    }
    for word in ["not", "if", "then", "else"] {
        next.extend(part.child(word));
    }
    for below in &next {
        most = most.max(1 + height(tree, below, depth + 1, seen)?);
    }
    seen.insert(name, Some(most));
    Ok(most)
}
