//! Whether the schema compiles, and whether the values that stand in it keep to it.

use super::keywords::{Role, schemas};
use super::{INVALID, VALUE, brief, err};
use crate::estate::files::Files;
use crate::estate::finding::Finding;
use crate::estate::ids::{ProductId, shown};
use crate::estate::schema_tree::{Part, Tree};
use jsonschema::{PatternOptions, Retrieve, Uri, Validator, ValidatorMap};
use serde_json::Value;

const BASE: &str = "estate:///";

/// Only the files that were given, under their paths.
struct Given(Files);

impl Retrieve for Given {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let path = uri.as_str().strip_prefix(BASE).unwrap_or_default();
        let bytes = self
            .0
            .get(path)
            .ok_or_else(|| format!("there is no file `{}`", shown(path)))?;
        Ok(serde_json::from_slice(bytes)?)
    }
}

/// What one file compiles to: each schema of it under its JSON pointer.
pub(in crate::estate) struct Compiled(ValidatorMap);

impl Compiled {
    /// Compiles `document`, which stands at `path`; `Err` holds the pointer and what is wrong.
    pub(in crate::estate) fn of(
        files: &Files,
        product: &ProductId,
        path: &str,
        document: &Value,
    ) -> Result<Self, (String, String)> {
        let mut given = Files::new();
        for (path, bytes) in files.under(&format!("products/{product}")) {
            if path.ends_with(".json") {
                given.insert(path, bytes);
            }
        }
        let options = jsonschema::options()
            .with_base_uri(format!("{BASE}{path}"))
            .with_retriever(Given(given))
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false);
        let wrong = |e: jsonschema::ValidationError<'_>| {
            let at = e.instance_path().as_str().to_owned();
            (at, e.to_string())
        };
        // The map leaves out what does not compile; this says it.
        options.build(document).map_err(wrong)?;
        options.build_map(document).map(Self).map_err(wrong)
    }

    /// The schema at a JSON pointer.
    pub(in crate::estate) fn at(&self, pointer: &str) -> Option<&Validator> {
        self.0.get(&format!("#{pointer}"))
    }
}

pub(super) fn check(files: &Files, product: &ProductId, tree: &Tree, findings: &mut Vec<Finding>) {
    for document in tree.documents() {
        let value = document.node.to_json();
        let compiled = match Compiled::of(files, product, document.path, &value) {
            Ok(compiled) => compiled,
            Err((pointer, why)) => {
                findings.push(err(
                    tree.place(document.path, &pointer),
                    INVALID,
                    format!("not a usable JSON Schema: {}; correct it", shown(&why)),
                ));
                continue;
            }
        };
        schemas(&document, Role::Root, &mut |part, _| {
            let Some(schema) = compiled.at(&part.pointer) else {
                return;
            };
            let mut judge = |keyword: &str, value: &Part<'_>| {
                let json = value.node.to_json();
                if let Some(error) = schema.iter_errors(&json).next() {
                    let inside = error.instance_path().as_str();
                    let at = if inside.is_empty() {
                        String::new()
                    } else {
                        format!(" (at `{}`)", shown(inside))
                    };
                    let why = shown(&error.masked_with("the value").to_string());
                    findings.push(err(
                        value.place(),
                        VALUE,
                        format!(
                            "`{}` under `{keyword}` breaks the schema's own rule{at}: {why}; correct one of the two",
                            brief(value.node)
                        ),
                    ));
                }
            };
            if let Some(default) = part.child("default") {
                judge("default", &default);
            }
            for list in ["enum", "examples"] {
                for item in part.child(list).map(|l| l.items()).unwrap_or_default() {
                    judge(list, &item);
                }
            }
        });
    }
}

/// Whether a schema that refers to nothing else takes a value.
pub fn accepts(schema: &Value, value: &Value) -> bool {
    jsonschema::options()
        .with_pattern_options(PatternOptions::regex())
        .build(schema)
        .is_ok_and(|s| s.is_valid(value))
}
