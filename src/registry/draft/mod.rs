//! A product out of a Terraform module: schema, values, settings and the module's own files, as a
//! value. What could not be carried over is said, so that a person looks at it.

mod shape;
mod validations;

use crate::engine::emit::yaml;
use crate::engine::module::Module;
use crate::engine::variables::{Declared, declared, outside};
use crate::estate::ids::shown;
use crate::estate::schema_check::accepts;
use crate::estate::yaml::{Reading, read};
use crate::estate::{EnvironmentId, Findings, ProductId};
use crate::report::escape::code;
use serde_json::{Map, Value, json};
use std::fmt::Write as _;

/// What a draft is made from.
#[derive(Debug)]
pub struct DraftPlan<'a> {
    /// Its name.
    pub product: ProductId,
    /// Environments in promotion order.
    pub environments: Vec<EnvironmentId>,
    /// The module.
    pub module: &'a Module,
    /// Where the module was found, for positions.
    pub folder: &'a str,
    /// Whether its files are copied into the product's folder.
    pub copy: bool,
    /// Files of its folder that are not copied, and why.
    pub left: Vec<(String, &'static str)>,
}

/// Something for a person to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The variable or the file.
    pub about: String,
    /// What, and what to do.
    pub text: String,
    /// Something of the module by the letter, such as a condition.
    pub source: Option<String>,
}

/// The files of a new product.
#[derive(Debug)]
pub struct Draft {
    /// Paths from the root of the estate.
    pub files: Vec<(String, Vec<u8>)>,
    /// What to look at.
    pub notes: Vec<Note>,
}

/// One key of the schema.
struct Key {
    name: String,
    schema: Value,
    required: bool,
    /// What the product sets.
    value: Option<Value>,
}

/// Drafts the product. Nothing is written.
pub fn draft(plan: &DraftPlan<'_>) -> Result<Draft, Findings> {
    let mut notes = Vec::new();
    let mut keys = Vec::new();
    for variable in declared(plan.module, plan.folder)? {
        keys.extend(key(&variable, &mut notes));
    }
    for (path, why) in &plan.left {
        notes.push(note(path, format!("was not copied: {why}"), None));
    }
    for (file, source) in outside(plan.module) {
        notes.push(note(
            &file,
            "uses a module outside of the folder, which is not copied; move it inside or name it by an address",
            Some(source),
        ));
    }
    let folder = format!("products/{}", plan.product);
    let mut files: Vec<(String, Vec<u8>)> = Vec::new();
    let mut add =
        |name: &str, text: String| files.push((format!("{folder}/{name}"), text.into_bytes()));
    add("values.schema.json", schema(&plan.product, &keys));
    add("base-values.yaml", base(&keys));
    for environment in &plan.environments {
        add(
            &format!("environments/{environment}.yaml"),
            format!("# Layer 2: what is different in {environment}.\n{{}}\n"),
        );
    }
    add("product.yaml", settings(plan));
    add("README.md", readme(plan, &keys, &notes));
    if plan.copy {
        for (name, bytes) in &plan.module.files {
            files.push((format!("{folder}/terraform/{name}"), bytes.clone()));
        }
    }
    files.sort();
    Ok(Draft { files, notes })
}

fn note(about: &str, text: impl Into<String>, source: Option<String>) -> Note {
    Note {
        about: about.to_owned(),
        text: text.into(),
        source,
    }
}

/// A variable as a key; `None` where it does not belong into the contract.
fn key(variable: &Declared, notes: &mut Vec<Note>) -> Option<Key> {
    let name = variable.name.as_str();
    let required = variable.default.is_none();
    let mut say = |text: &str, source: Option<String>| notes.push(note(name, text, source));
    if name.starts_with("tenantry_") {
        let ours = [
            "tenantry_customer",
            "tenantry_product",
            "tenantry_environment",
        ];
        if !ours.contains(&name) {
            say(
                "begins with `tenantry_` but is none of the variables that tenantry sets; rename it",
                None,
            );
        }
        return None;
    }
    if variable.sensitive || variable.ephemeral {
        let word = if variable.sensitive {
            "sensitive"
        } else {
            "ephemeral"
        };
        let more = if required {
            ", and it has no default: let the module read it from where secrets are kept"
        } else {
            ""
        };
        say(
            &format!("is {word}, so it is not part of the schema{more}"),
            None,
        );
        return None;
    }
    if name == "environments" {
        say(
            "is left out: `environments` of a customer's file holds what differs between environments; rename the variable",
            None,
        );
        return None;
    }
    let kind = match &variable.kind {
        Ok(kind) => kind.clone(),
        Err(source) => {
            say(
                "has a type that was not understood; any value passes, so write the type into the schema",
                Some(source.clone()),
            );
            crate::engine::variables::Type::Any
        }
    };
    let bare = shape::of(&kind);
    let mut schema = bare.clone();
    let mut null = variable.nullable == Some(true) && !required;
    let mut carried = schema.clone();
    for validation in &variable.validations {
        let rest = match &validation.condition {
            Some(condition) => validations::carry(condition, name, &kind, &mut carried, &mut null),
            None => vec![validation.source.clone()],
        };
        for source in rest {
            let message = if validation.message.is_empty() {
                String::new()
            } else {
                format!(" (\"{}\")", shown(&validation.message))
            };
            say(
                &format!("a validation is not in the schema{message}; Terraform still checks it"),
                Some(source),
            );
        }
    }
    let default = match &variable.default {
        Some(Ok(value)) => Some(shape::coerce(value, &kind)),
        Some(Err(source)) => {
            say(
                "has a default that is computed; write it into `base-values.yaml` if the product should set it",
                Some(source.clone()),
            );
            None
        }
        None => None,
    };
    null |= default == Some(Value::Null);
    for candidate in [&mut carried, &mut schema] {
        if null {
            shape::allow_null(candidate);
        }
        if let Some(default) = &default {
            shape::widen(candidate, default);
        }
    }
    let fits = |s: &Value| default.as_ref().is_none_or(|d| accepts(s, d));
    let mut schema = if fits(&carried) {
        carried
    } else {
        say(
            "the validations refuse the module's own default, so they are not in the schema; correct one of the two",
            None,
        );
        schema
    };
    if !fits(&schema) {
        say(
            "the default does not fit the type; any value passes, so write the type into the schema",
            None,
        );
        schema = json!({});
    }
    if let Some(map) = schema.as_object_mut() {
        if let Some(description) = variable
            .description
            .as_ref()
            .filter(|d| !d.trim().is_empty())
        {
            map.insert("description".into(), json!(description.trim()));
        }
        if let Some(default) = &default {
            map.insert("default".into(), default.clone());
        }
    }
    let value = default.filter(|d| !d.is_null()).filter(|value| {
        let ok = survives(name, value);
        if !ok {
            notes.push(note(name, "has a default that a values file cannot hold as it is (an expression in braces, a hidden character or a number of too many digits); it is not in `base-values.yaml`", None));
        }
        ok
    });
    Some(Key {
        name: name.to_owned(),
        schema,
        required,
        value,
    })
}

/// Whether a value comes out of a values file as it went in.
fn survives(name: &str, value: &Value) -> bool {
    let mut one = json!({});
    one[name] = value.clone();
    let text = yaml(&one);
    let same = read("base-values.yaml", text.as_bytes(), Reading::Strict)
        .is_ok_and(|node| node.to_json() == one);
    same && !text.contains("{{") && !text.contains("{%")
}

/// The schema, keys in the order of the module.
fn schema(product: &ProductId, keys: &[Key]) -> String {
    let required: Vec<&str> = keys
        .iter()
        .filter(|k| k.required)
        .map(|k| k.name.as_str())
        .collect();
    let mut out =
        String::from("{\n  \"$schema\": \"https://json-schema.org/draft/2020-12/schema\",\n");
    let _ = writeln!(
        out,
        "  \"title\": {},",
        json!(format!("Product {product}: what a customer may ask for"))
    );
    out.push_str("  \"type\": \"object\",\n  \"additionalProperties\": false,\n");
    if !required.is_empty() {
        let _ = writeln!(out, "  \"required\": {},", json!(required));
    }
    out.push_str("  \"properties\": {");
    for (i, key) in keys.iter().enumerate() {
        let text = serde_json::to_string_pretty(&key.schema).unwrap_or_default();
        let text = text.replace('\n', "\n    ");
        let comma = if i == 0 { "" } else { "," };
        let _ = write!(out, "{comma}\n    {}: {text}", json!(key.name));
    }
    out.push_str(if keys.is_empty() {
        "}\n}\n"
    } else {
        "\n  }\n}\n"
    });
    out
}

fn base(keys: &[Key]) -> String {
    let values: Map<String, Value> = keys
        .iter()
        .filter_map(|k| Some((k.name.clone(), k.value.clone()?)))
        .collect();
    format!(
        "# Layer 1: what every customer gets unless a later layer says otherwise.\n{}",
        yaml(&Value::Object(values))
    )
}

fn settings(plan: &DraftPlan<'_>) -> String {
    let list: String = plan
        .environments
        .iter()
        .map(|e| format!("  - {}\n", yaml(&json!(e)).trim_end()))
        .collect();
    format!(
        "description: Drafted from a Terraform module; say here what a customer gets.\nengine: terraform\nenvironments:\n{list}"
    )
}

fn readme(plan: &DraftPlan<'_>, keys: &[Key], notes: &[Note]) -> String {
    let product = &plan.product;
    let mut out = format!(
        "# Product {product}\n\nDrafted from the variables of a Terraform module: {} keys. The schema says what a customer may write; read it once with a customer's eyes.\n\n## To look at\n\n",
        keys.len()
    );
    if notes.is_empty() {
        out.push_str("Nothing: every variable was carried over.\n");
    }
    for note in notes {
        let _ = write!(out, "- {}: {}", code(&note.about), plain(&note.text));
        if let Some(source) = &note.source {
            let _ = write!(out, ": {}", code(source));
        }
        out.push('\n');
    }
    let _ = write!(
        out,
        "\n## Next\n\n1. `tenantry schema check {product}` names what is still missing, such as descriptions.\n2. `tenantry schema docs {product}` is the page for customers.\n3. Subscribe a customer in `customers/<customer>/products.yaml`, then `tenantry validate`.\n"
    );
    out
}

/// Our own words, with what foreign ones are in them made harmless.
fn plain(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '<' | '>' | '|' | '[' | ']' | '*' | '_' | '#' | '@' | '&' | '\\' => {
                format!("&#{};", c as u32)
            }
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
#[path = "../draft_tests.rs"]
mod tests;
