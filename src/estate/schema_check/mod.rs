//! Mistakes in a schema that JSON Schema itself does not mind: a misspelt keyword is ignored, an
//! open object takes every typo, a default may break its own limits.

mod compare;
mod keywords;
mod limits;
mod references;
mod rules;
mod shape;
mod values;
mod variables;

pub use compare::{Effect, Effects, compare};
pub use limits::compiles;
pub use rules::*;
pub(in crate::estate) use values::Compiled;
pub use values::accepts;

use super::files::Files;
use super::finding::{Finding, Findings, Level, Place};
use super::ids::{ProductId, shown};
use super::schema::path_of;
use super::schema_tree::{Part, Tree};
use super::suggest::nearest;
use super::value::Node;
use keywords::{Role, applies_to, holds, names, schemas};
use std::collections::BTreeMap;

/// A variable of the Terraform module that takes values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Takes {
    /// Whether a value must be given.
    pub required: bool,
    /// Whether Terraform treats it as sensitive.
    pub sensitive: bool,
    /// The file that declares it.
    pub path: String,
}

/// Everything that is wrong with the schema of `product`. `module` has the variables of its
/// Terraform module, where it has one.
pub fn check(
    files: &Files,
    product: &ProductId,
    module: Option<&BTreeMap<String, Takes>>,
) -> Findings {
    let tree = match Tree::read(files, product) {
        Ok(Some(tree)) => tree,
        Ok(None) => {
            return Findings::one(warn(
                Place::file(&path_of(product)),
                MISSING,
                "the product has no schema, so every key and value passes; add one",
            ));
        }
        Err(e) => return e,
    };
    let mut findings = tree.findings.clone();
    for document in tree.documents() {
        schemas(&document, Role::Root, &mut |part, role| {
            let top = *role == Role::Root && part.path == tree.path();
            words(part, &mut findings);
            limits::check(part, &mut findings);
            shape::check(part, role, top, &mut findings);
            references::check(&tree, part, &mut findings);
        });
    }
    if references::circles(&tree, &mut findings) {
        // To compile it, or to look at values with it, would not end well.
        return Findings(findings).tidy();
    }
    if compilable(&findings) {
        values::check(files, product, &tree, &mut findings);
    }
    if let (Some(module), Some(root)) = (module, tree.root()) {
        let given = variables::given(files, product);
        variables::check(&tree, &root, module, &given, &mut findings);
    }
    Findings(findings).tidy()
}

/// Whether there is a schema to judge values by, whatever else is wrong with it.
pub fn compilable(findings: &[Finding]) -> bool {
    !findings
        .iter()
        .any(|f| f.level == Level::Error && [INVALID, PATTERN, REF].contains(&f.rule.as_ref()))
}

fn err(place: Place, rule: &'static str, message: impl Into<String>) -> Finding {
    Finding::error(place, rule, message)
}

fn warn(place: Place, rule: &'static str, message: impl Into<String>) -> Finding {
    Finding::warning(place, rule, message)
}

/// Keywords that nobody knows, and keywords that say nothing about the type.
fn words(part: &Part<'_>, findings: &mut Vec<Finding>) {
    let types = part.types();
    for (key, value) in part.node.entries() {
        let word = key.name.as_str();
        let place = part.key_place(word);
        if holds(word).is_none() {
            if word.starts_with("x-") {
                continue;
            }
            let like_schema = ["type", "properties", "enum", "$ref", "description"]
                .iter()
                .any(|k| value.get(k).is_some());
            match nearest(word, names()) {
                Some(meant) if !like_schema || holds(meant) != Some(keywords::Holds::Plain) => {
                    findings.push(err(
                        place,
                        KEYWORD,
                        format!("unknown keyword `{}`, which JSON Schema ignores; did you mean `{meant}`?", shown(word)),
                    ));
                }
                _ => {
                    let hint = if like_schema {
                        "put it into `properties` if it is a key of the values"
                    } else {
                        "remove it, or begin its name with `x-`"
                    };
                    findings.push(warn(
                        place,
                        KEYWORD,
                        format!(
                            "unknown keyword `{}`, which JSON Schema ignores; {hint}",
                            shown(word)
                        ),
                    ));
                }
            }
        } else if let Some(only) = applies_to(word)
            && !types.is_empty()
            && !types
                .iter()
                .any(|t| *t == only || (only == "number" && *t == "integer"))
        {
            findings.push(warn(
                place,
                NO_EFFECT,
                format!("`{word}` says nothing about the type `{}`, only about `{only}`; remove it, or correct one of the two", shown(&types.join("`, `"))),
            ));
        }
    }
}

/// A value as a person would write it, shortened.
fn brief(node: &Node) -> String {
    match node.text() {
        Some(text) => shown(text),
        None => shown(&node.to_json().to_string()),
    }
}

#[cfg(test)]
#[path = "../schema_check_tests.rs"]
mod tests;
