//! The provider's Terraform module as files: which variables it declares.

use crate::estate::Files;
use crate::estate::finding::{Finding, Findings, Place};
use crate::estate::ids::shown;
use hcl_edit::structure::{Body, Structure};
use std::collections::BTreeMap;

/// One `variable` block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// Whether a value must be given.
    pub required: bool,
    /// Whether Terraform keeps its value out of what it shows: sensitive, or ephemeral.
    pub secret: bool,
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

/// Files that would be picked up on their own and could bring in values, another backend or an
/// older state. They are never copied.
pub(super) fn is_left_over(name: &str) -> bool {
    let file = name.rsplit('/').next().unwrap_or(name);
    name.split('/').any(|p| p == ".terraform")
        || file.ends_with(".auto.tfvars")
        || file.ends_with(".auto.tfvars.json")
        || matches!(
            file,
            "terraform.tfvars" | "terraform.tfvars.json" | "backend_override.tf.json"
        )
        || file.ends_with(".tfstate")
        || file.ends_with(".tfstate.backup")
        || file.ends_with(".tfplan")
}

/// A file of the root that changes what other files say (`override.tf`, `x_override.tf`), or that
/// OpenTofu reads instead of another one (`x.tofu` for `x.tf`). Either could name another backend,
/// or take `sensitive` from a variable. Sources: developer.hashicorp.com, "Override Files";
/// opentofu.org, "Files and Directories".
pub(super) fn overrides(name: &str) -> bool {
    let stem = [".tf", ".tf.json"]
        .iter()
        .find_map(|end| name.strip_suffix(end));
    name.ends_with(".tofu")
        || name.ends_with(".tofu.json")
        || stem.is_some_and(|s| s == "override" || s.ends_with("_override"))
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
            if is_left_over(name) {
                continue;
            }
            files.insert(name.to_owned(), bytes.to_vec());
            if name.contains('/') {
                continue;
            }
            if overrides(name) {
                let message = format!(
                    "`{}` changes what other files of the module say, or stands in for one; the backend and what is sensitive must be read from one place. Move its content into `*.tf` files that override nothing",
                    shown(name)
                );
                findings.push(Finding::error(
                    Place::file(path),
                    "module-override",
                    message,
                ));
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
        let on = |name: &str| {
            let set = block.body.get_attribute(name);
            set.is_some_and(|a| a.value.as_bool() == Some(true))
        };
        let secret = on("sensitive") || on("ephemeral");
        let required = !block.body.has_attribute("default");
        variables.insert(
            label.as_str().to_owned(),
            Variable {
                required,
                secret,
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
        let on = |name: &str| block.get(name) == Some(&serde_json::Value::Bool(true));
        let secret = on("sensitive") || on("ephemeral");
        variables.insert(
            name.clone(),
            Variable {
                required,
                secret,
                path: path.to_owned(),
            },
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(files: &[(&str, &str)]) -> Result<Module, String> {
        let files: Files = files
            .iter()
            .map(|(name, text)| (format!("m/{name}"), text.as_bytes().to_vec()))
            .collect();
        Module::read(&files, "m").map_err(|e| e.to_string())
    }

    #[test]
    fn t11_what_lies_about_in_a_module_is_not_used() -> Result<(), String> {
        let module = read(&[
            ("main.tf", "variable \"size\" {}"),
            ("terraform.tfvars", "size = 9"),
            ("terraform.tfvars.json", "{}"),
            ("a.auto.tfvars", "size = 9"),
            ("a.auto.tfvars.json", "{}"),
            ("backend_override.tf.json", "{}"),
            (".terraform/environment", "other"),
            ("sub/.terraform/terraform.tfstate", "{}"),
            ("terraform.tfstate", "{}"),
            ("terraform.tfstate.backup", "{}"),
            ("errored.tfstate", "{}"),
            ("old.tfplan", "x"),
            (LOCK, ""),
        ])?;
        let names: Vec<&str> = module.files.keys().map(String::as_str).collect();
        assert_eq!(names, [LOCK, "main.tf"]);
        Ok(())
    }

    #[test]
    fn t11_a_file_that_overrides_another_is_refused() {
        let main = ("main.tf", "variable \"password\" {\n  sensitive = true\n}");
        for name in [
            "override.tf",
            "override.tf.json",
            "zz_override.tf",
            "zz_override.tf.json",
            "main.tofu",
            "main.tofu.json",
            "override.tofu",
        ] {
            let said = read(&[main, (name, "{}")]).err().unwrap_or_default();
            assert!(
                said.contains(&format!("m/{name}: ")) && said.ends_with("[module-override]"),
                "{name}: {said}"
            );
        }
        // Inside of a child module it reaches neither the backend nor a variable of ours.
        let fine = read(&[main, ("net/override.tf", ""), ("overrides.tf", "")]);
        assert!(fine.is_ok(), "{fine:?}");
    }
}
