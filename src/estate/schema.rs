//! JSON Schema of the effective values; each error blamed on the layer that brought the value in.

use super::effective::Effective;
use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{ProductId, shown};
use super::suggest::nearest;
use jsonschema::error::ValidationErrorKind as Wrong;
use jsonschema::{PatternOptions, Retrieve, Uri, ValidationError, Validator};
use serde_json::Value;

/// A compiled schema.
pub struct Schema {
    validator: Validator,
    document: Value,
    path: String,
}

/// `products/<product>/values.schema.json`
pub fn path_of(product: &ProductId) -> String {
    format!("products/{product}/values.schema.json")
}

const BASE: &str = "estate:///";

/// Resolves `$ref` inside the product's folder and nowhere else.
struct InsideProduct {
    folder: String,
    files: Files,
}

impl Retrieve for InsideProduct {
    fn retrieve(
        &self,
        uri: &Uri<String>,
    ) -> Result<Value, Box<dyn std::error::Error + Send + Sync>> {
        let text = uri.as_str();
        let refused = || {
            format!(
                "`$ref` to `{}` leaves the product's folder; only files inside `{}` can be referred to",
                shown(text),
                self.folder
            )
        };
        let path = text
            .strip_prefix(BASE)
            .filter(|p| p.starts_with(&format!("{}/", self.folder)))
            .ok_or_else(refused)?;
        let bytes = self
            .files
            .get(path)
            .ok_or_else(|| format!("`$ref` to `{}`: there is no such file", shown(path)))?;
        Ok(serde_json::from_slice(bytes)?)
    }
}

impl Schema {
    /// Reads and compiles the product's schema; `None` when it has none.
    pub fn of(files: &Files, product: &ProductId) -> Result<Option<Self>, Findings> {
        let path = path_of(product);
        match files.get(&path) {
            Some(bytes) => {
                Self::read(files, &path, &format!("products/{product}"), bytes).map(Some)
            }
            None => Ok(None),
        }
    }

    /// Compiles `bytes`, found at `path`; `$ref` may reach files under `folder`.
    pub fn read(files: &Files, path: &str, folder: &str, bytes: &[u8]) -> Result<Self, Findings> {
        let refuse = |place, message: String| {
            Findings::one(Finding::error(place, "schema-invalid", message))
        };
        let document: Value = serde_json::from_slice(bytes).map_err(|e| {
            refuse(
                Place::at(path, e.line(), e.column()),
                format!("not valid JSON: {}", shown(&e.to_string())),
            )
        })?;
        let validator = jsonschema::options()
            .with_base_uri(format!("{BASE}{path}"))
            .with_retriever(InsideProduct {
                folder: folder.to_owned(),
                files: files.clone(),
            })
            .with_pattern_options(PatternOptions::regex())
            .should_validate_formats(true)
            .should_ignore_unknown_formats(false)
            .build(&document)
            .map_err(|e| {
                refuse(
                    Place::file(path),
                    format!(
                        "not a usable JSON Schema: {} (at `{}`)",
                        shown_long(&e.to_string()),
                        e.instance_path()
                    ),
                )
            })?;
        Ok(Self {
            validator,
            document,
            path: path.to_owned(),
        })
    }

    /// Every violation of the effective values.
    pub fn check(&self, effective: &Effective) -> Vec<Finding> {
        // What is right, which is nearly everything, is judged without collecting reasons.
        if self.validator.is_valid(&effective.values) {
            return Vec::new();
        }
        let mut findings = Vec::new();
        for error in self.validator.iter_errors(&effective.values) {
            self.blame(&error, effective, &mut findings);
        }
        findings
    }

    /// The schema as it is written.
    pub fn document(&self) -> &Value {
        &self.document
    }

    fn blame(
        &self,
        error: &ValidationError<'_>,
        effective: &Effective,
        findings: &mut Vec<Finding>,
    ) {
        let path: Vec<String> = error
            .instance_path()
            .as_str()
            .split('/')
            .skip(1)
            .map(|p| p.replace("~1", "/").replace("~0", "~"))
            .collect();
        let steps: Vec<&str> = path.iter().map(String::as_str).collect();
        let place = || {
            effective
                .blame(&steps)
                .map_or_else(|| Place::file(&self.path), |o| o.place)
        };
        // An unknown key is shown where the key stands, not where its value begins.
        let key_place = |key: &str| {
            let steps: Vec<&str> = steps.iter().copied().chain([key]).collect();
            effective
                .blame(&steps)
                .map_or_else(|| Place::file(&self.path), |o| o.key)
        };
        let dotted = path.join(".");
        let named = if dotted.is_empty() {
            "the values".to_owned()
        } else {
            format!("`{}`", shown(&dotted))
        };
        match error.kind() {
            Wrong::AdditionalProperties { unexpected }
            | Wrong::UnevaluatedProperties { unexpected } => {
                let known = self.known_keys(error);
                for key in unexpected {
                    let hint = nearest(key, known.iter().map(String::as_str)).map_or_else(
                        || {
                            if known.is_empty() {
                                "remove it".to_owned()
                            } else {
                                format!("known keys are {}", known.join(", "))
                            }
                        },
                        |k| format!("did you mean `{k}`?"),
                    );
                    findings.push(Finding::error(
                        key_place(key),
                        "schema-unknown-key",
                        format!("unknown key `{}`; {hint}", shown(key)),
                    ));
                }
            }
            Wrong::Required { property } => {
                let key = property.as_str().unwrap_or_default();
                let near = effective
                    .at(&steps)
                    .and_then(Value::as_object)
                    .and_then(|map| nearest(key, map.keys().map(String::as_str)));
                let hint = near.map_or_else(
                    || {
                        let homes = effective.homes();
                        let (last, first) = homes
                            .split_last()
                            .map_or(("", &[][..]), |(l, f)| (l.as_str(), f));
                        let first: Vec<String> = first.iter().map(|h| format!("`{h}`")).collect();
                        format!("set it in {} or `{last}`", first.join(", "))
                    },
                    |n| format!("`{}` looks like it", shown(n)),
                );
                let full = if dotted.is_empty() {
                    key.to_owned()
                } else {
                    format!("{dotted}.{key}")
                };
                findings.push(Finding::error(
                    place(),
                    "schema-required",
                    format!("`{}` is missing; {hint}", shown(&full)),
                ));
            }
            Wrong::Enum { options } => {
                let all: Vec<String> = options
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(plain)
                    .collect();
                let got = plain(error.instance());
                let hint = nearest(&got, all.iter().map(String::as_str)).map_or_else(
                    || format!("use one of {}", all.join(", ")),
                    |n| format!("did you mean `{n}`?"),
                );
                findings.push(Finding::error(
                    place(),
                    "schema-enum",
                    format!("{named} is `{}`, which is not allowed; {hint}", shown(&got)),
                ));
            }
            Wrong::FalseSchema => {
                findings.push(Finding::error(
                    place(),
                    "schema-unknown-key",
                    format!("{named} is not allowed here; remove it"),
                ));
            }
            kind => {
                let detail = shown_long(&error.masked_with("the value").to_string());
                findings.push(Finding::error(
                    place(),
                    "schema",
                    format!(
                        "{named} ({}): {detail} ({})",
                        shown(&plain(error.instance())),
                        kind.keyword()
                    ),
                ));
            }
        }
    }

    /// The property names of the schema that the failing keyword belongs to.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        let location = error.schema_path().as_str().to_owned();
        let parent = location.rsplit_once('/').map_or("", |(p, _)| p);
        self.document
            .pointer(parent)
            .and_then(|s| s.get("properties"))
            .and_then(Value::as_object)
            .map(|o| o.keys().cloned().collect())
            .unwrap_or_default()
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::String(s) => s.clone(),
        other => other.to_string(),
    }
}

fn shown_long(text: &str) -> String {
    text.chars()
        .take(400)
        .flat_map(|c| {
            if matches!(c, ' '..='~') {
                c.to_string()
            } else {
                c.escape_unicode().to_string()
            }
            .chars()
            .collect::<Vec<_>>()
        })
        .collect()
}
