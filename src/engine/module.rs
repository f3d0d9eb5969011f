//! The provider's Terraform module as files: which variables it declares.

use crate::estate::Files;
use crate::estate::finding::{Finding, Findings, Place};
use hcl_edit::structure::{Body, Structure};
use std::collections::BTreeMap;

/// One `variable` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Whether a value must be given.
    pub required: bool,
    /// Whether Terraform treats it as sensitive.
    pub sensitive: bool,
    /// The file that declares it.
    pub path: String,
}

/// The module of a product.
#[derive(Debug, Clone)]
pub struct Module {
    /// Its files, by name relative to the module's folder.
    pub files: BTreeMap<String, Vec<u8>>,
    /// Its variables.
    pub variables: BTreeMap<String, Variable>,
}

/// Files that would be picked up on their own and could bring in values or another backend.
fn is_foreign(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.split('/').any(|p| p == ".terraform")
        || file.ends_with(".auto.tfvars")
        || file.ends_with(".auto.tfvars.json")
        || matches!(
            file,
            "terraform.tfvars" | "terraform.tfvars.json" | "backend_override.tf.json"
        )
        || file.ends_with(".tfstate")
        || file.ends_with(".tfplan")
}

/// The lock file of providers.
pub const LOCK: &str = ".terraform.lock.hcl";

impl Module {
    /// Reads the module under `folder` of the estate.
    pub fn read(estate: &Files, folder: &str) -> Result<Self, Findings> {
        let mut files = BTreeMap::new();
        let mut variables = BTreeMap::new();
        let mut findings = Vec::new();
        for (path, bytes) in estate.under(folder) {
            let name = &path[folder.len() + 1..];
            if is_foreign(name) {
                continue;
            }
            files.insert(name.to_owned(), bytes.to_vec());
            if name.contains('/') {
                continue;
            }
            let read = if name.ends_with(".tf") {
                hcl(path, bytes, &mut variables)
            } else if name.ends_with(".tf.json") {
                json(path, bytes, &mut variables)
            } else {
                Ok(())
            };
            if let Err(message) = read {
                findings.push(Finding::error(Place::file(path), "module", message));
            }
        }
        if files.is_empty() {
            findings.push(Finding::error(
                Place::file(folder),
                "module",
                "the product has engine `terraform` but no module here; add `*.tf` files",
            ));
        }
        if findings.is_empty() {
            Ok(Self { files, variables })
        } else {
            Err(Findings(findings))
        }
    }

    /// A digest over every file of the module but the lock file.
    pub fn digest(&self) -> crate::digest::Digest {
        crate::digest::Digest::of_parts(
            self.files
                .iter()
                .filter(|(n, _)| n.as_str() != LOCK)
                .map(|(n, b)| (n.as_str(), b.as_slice())),
        )
    }
}

fn hcl(path: &str, bytes: &[u8], variables: &mut BTreeMap<String, Variable>) -> Result<(), String> {
    let text = std::str::from_utf8(bytes).map_err(|_| "the file is not UTF-8".to_owned())?;
    let body: Body = text.parse().map_err(|e: hcl_edit::parser::Error| {
        let at = e.location();
        format!(
            "not valid HCL in line {}, column {}",
            at.line(),
            at.column()
        )
    })?;
    for structure in &body {
        let Structure::Block(block) = structure else {
            continue;
        };
        let [label] = block.labels.as_slice() else {
            continue;
        };
        if block.ident.as_str() != "variable" {
            continue;
        }
        let sensitive = block
            .body
            .get_attribute("sensitive")
            .is_some_and(|a| a.value.as_bool() == Some(true));
        let required = !block.body.has_attribute("default");
        variables.insert(
            label.as_str().to_owned(),
            Variable {
                required,
                sensitive,
                path: path.to_owned(),
            },
        );
    }
    Ok(())
}

fn json(
    path: &str,
    bytes: &[u8],
    variables: &mut BTreeMap<String, Variable>,
) -> Result<(), String> {
    let value: serde_json::Value = serde_json::from_slice(bytes)
        .map_err(|e| format!("not valid JSON in line {}", e.line()))?;
    for (name, block) in value
        .get("variable")
        .and_then(|v| v.as_object())
        .into_iter()
        .flatten()
    {
        let required = block.get("default").is_none();
        let sensitive = block.get("sensitive") == Some(&serde_json::Value::Bool(true));
        variables.insert(
            name.clone(),
            Variable {
                required,
                sensitive,
                path: path.to_owned(),
            },
        );
    }
    Ok(())
}
