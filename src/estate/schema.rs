//! JSON Schema of the effective values; each error blamed on the layer that brought the value in.

use super::effective::Effective;
use super::files::Files;
use super::finding::{Finding, Findings, Place};
use super::ids::{ProductId, shown};
use super::suggest::nearest;
use super::violation::{brief, listed, meant, message, one_of, plain};
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
        let document = serde_json::from_slice(bytes)?;
        if references(&document) > MAX_REFERENCES {
            return Err(format!("`{}` {TOO_MANY}", shown(path)).into());
        }
        Ok(document)
    }
}

/// Most references in one file. Each step of a chain of them is a level of the validator's stack.
const MAX_REFERENCES: usize = 500;
const TOO_MANY: &str = "has more than 500 references (`$ref`); write some of them out";

fn references(schema: &Value) -> usize {
    match schema {
        Value::Object(map) => {
            usize::from(map.contains_key("$ref")) + map.values().map(references).sum::<usize>()
        }
        Value::Array(items) => items.iter().map(references).sum(),
        _ => 0,
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
            refuse(Place::at(path, e.line(), e.column()), {
                let text = e.to_string();
                let what = text.split(" at line ").next().unwrap_or_default();
                format!("not valid JSON: {}", shown(what))
            })
        })?;
        if references(&document) > MAX_REFERENCES {
            return Err(refuse(Place::file(path), format!("the schema {TOO_MANY}")));
        }
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
            .map_err(|e| refuse(Place::file(path), unusable(&e)))?;
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
        let errors: Vec<ValidationError<'_>> =
            self.validator.iter_errors(&effective.values).collect();
        for error in &errors {
            if !is_slip(error, &errors) {
                self.blame(error, effective, &mut findings);
            }
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
        let dotted = dotted(&effective.values, &steps);
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
                                let known: Vec<String> =
                                    known.iter().map(|k| format!("`{}`", shown(k))).collect();
                                format!("known keys are {}", listed(&known, ", "))
                            }
                        },
                        |k| format!("did you mean `{}`?", shown(k)),
                    );
                    findings.push(Finding::error(
                        key_place(key),
                        "schema-unknown-key",
                        format!("unknown key `{}`; {hint}", shown(key)),
                    ));
                }
            }
            Wrong::Required { property } => {
                // Somebody else's file is not where a customer looks for what is missing.
                let place = match &effective.contract {
                    Some(own) if steps.is_empty() && *place().path != **own => Place::file(own),
                    _ => place(),
                };
                let key = property.as_str().unwrap_or_default();
                let near = effective
                    .at(&steps)
                    .and_then(Value::as_object)
                    .and_then(|map| nearest(key, map.keys().map(String::as_str)));
                let hint = near.map_or_else(
                    || {
                        // Lists are not merged: no other layer can add to an item.
                        if dotted.contains('[') {
                            return "add it here".to_owned();
                        }
                        // Not each environment's file: what is missing in all of them is told once.
                        let homes = effective.homes();
                        let first = homes.first().map_or("", String::as_str);
                        let last = homes.last().map_or("", String::as_str);
                        format!(
                            "set it in `{}`, or for every customer in `{last}`",
                            shown(first)
                        )
                    },
                    |n| format!("`{}` looks like it", shown(n)),
                );
                let full = if dotted.is_empty() {
                    key.to_owned()
                } else {
                    format!("{dotted}.{key}")
                };
                findings.push(Finding::error(
                    place,
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
                    || format!("use {}", one_of(options)),
                    |n| format!("did you mean `{}`?", shown(n)),
                );
                findings.push(Finding::error(
                    place(),
                    "schema-enum",
                    format!(
                        "{named} is {}, which is not allowed; {hint}",
                        brief(error.instance())
                    ),
                ));
            }
            Wrong::FalseSchema => {
                findings.push(Finding::error(
                    place(),
                    "schema-unknown-key",
                    format!("{named} is not allowed here; remove it"),
                ));
            }
            _ => match meant(error) {
                Some(branch) => {
                    for inner in branch {
                        self.blame(inner, effective, findings);
                    }
                }
                None => {
                    let place = match error.kind() {
                        Wrong::PropertyNames { error } => key_place(&plain(error.instance())),
                        _ => place(),
                    };
                    findings.push(Finding::error(
                        place,
                        "schema",
                        message(&named, error, self.around(error)),
                    ));
                }
            },
        }
    }

    /// The schema that the failing keyword belongs to.
    fn around(&self, error: &ValidationError<'_>) -> &Value {
        let location = error.schema_path().as_str();
        let parent = location.rsplit_once('/').map_or("", |(p, _)| p);
        let mut schema = &self.document;
        for step in parent.split('/').skip(1) {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = match schema {
                Value::Object(map) if step == "$ref" => map
                    .get("$ref")
                    .and_then(Value::as_str)
                    .and_then(|r| r.strip_prefix('#'))
                    .and_then(|pointer| self.document.pointer(pointer)),
                Value::Object(map) => map.get(&step),
                Value::Array(items) => step.parse::<usize>().ok().and_then(|i| items.get(i)),
                _ => None,
            };
            match next {
                Some(next) => schema = next,
                None => return &Value::Null,
            }
        }
        schema
    }

    /// The property names of the schema that the failing keyword belongs to.
    fn known_keys(&self, error: &ValidationError<'_>) -> Vec<String> {
        self.around(error)
            .get("properties")
            .and_then(Value::as_object)
            .map(|o| o.keys().cloned().collect())
            .unwrap_or_default()
    }
}

/// Whether a key is only missing because it is misspelt, which another error says better.
fn is_slip(error: &ValidationError<'_>, all: &[ValidationError<'_>]) -> bool {
    let Wrong::Required { property } = error.kind() else {
        return false;
    };
    let missing = property.as_str().unwrap_or_default();
    all.iter()
        .filter(|other| other.instance_path() == error.instance_path())
        .any(|other| match other.kind() {
            Wrong::AdditionalProperties { unexpected }
            | Wrong::UnevaluatedProperties { unexpected } => unexpected
                .iter()
                .any(|key| nearest(key, [missing]).is_some()),
            _ => false,
        })
}

/// Why a schema cannot be used: about the place in it, or about a reference.
fn unusable(error: &ValidationError<'_>) -> String {
    let text = error.to_string();
    let at = shown(error.instance_path().as_str());
    let what = if let Some((_, why)) = text.split_once("retrieving it failed: ") {
        shown_long(why)
    } else if let Some((name, _)) = text
        .strip_prefix("Unknown format: '")
        .and_then(|rest| rest.split_once('\''))
    {
        let hint = nearest(name, FORMATS).map_or_else(
            || format!("use one of {}", FORMATS.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        format!(
            "`{at}` is `{}`, which is no known format; {hint}",
            shown(name)
        )
    } else if at.ends_with("/type") && error.instance().is_string() {
        let name = plain(error.instance());
        let hint = nearest(&name, TYPES).map_or_else(
            || format!("use one of {}", TYPES.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        format!("`{at}` is `{}`, which is no type; {hint}", shown(&name))
    } else if matches!(error.kind(), Wrong::Referencing(_) | Wrong::Custom { .. }) {
        format!("{} (at `{at}`)", shown_long(&text))
    } else {
        message(&format!("`{at}`"), error, &Value::Null)
    };
    format!("not a usable JSON Schema: {what}")
}

/// What may stand under `type`.
const TYPES: [&str; 7] = [
    "array", "boolean", "integer", "null", "number", "object", "string",
];

/// What may stand under `format`.
const FORMATS: [&str; 17] = [
    "date",
    "date-time",
    "duration",
    "email",
    "hostname",
    "ipv4",
    "ipv6",
    "iri",
    "iri-reference",
    "json-pointer",
    "regex",
    "relative-json-pointer",
    "time",
    "uri",
    "uri-reference",
    "uri-template",
    "uuid",
];

/// As a person writes it: `rules[0].port`.
fn dotted(values: &Value, steps: &[&str]) -> String {
    let mut out = String::new();
    let mut at = Some(values);
    for step in steps {
        if let Some(Value::Array(items)) = at {
            out.push_str(&format!("[{step}]"));
            at = step.parse::<usize>().ok().and_then(|i| items.get(i));
        } else {
            if !out.is_empty() {
                out.push('.');
            }
            out.push_str(step);
            at = at.and_then(|value| value.get(step));
        }
    }
    out
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t20_a_chain_of_references_cannot_go_deep() {
        let chain = |length: usize| {
            let defs: serde_json::Map<String, Value> = (0..length)
                .map(|i| {
                    let next = format!("#/$defs/d{}", i + 1);
                    (format!("d{i}"), serde_json::json!({"$ref": next}))
                })
                .chain([(format!("d{length}"), serde_json::json!({"type": "object"}))])
                .collect();
            let schema = serde_json::json!({"$defs": defs, "$ref": "#/$defs/d0"});
            Schema::read(&Files::new(), "s.json", "s", schema.to_string().as_bytes())
        };
        let Ok(schema) = chain(MAX_REFERENCES - 1) else {
            panic!("that many are read")
        };
        assert!(schema.validator.is_valid(&serde_json::json!({})));
        assert!(!schema.validator.is_valid(&serde_json::json!(1)));
        let Err(e) = chain(20_000) else {
            panic!("too many")
        };
        assert!(e.to_string().contains("more than 500 references"), "{e}");
    }
}
