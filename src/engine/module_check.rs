//! What a provider's module holds that reaches further than values and resources: another
//! backend, programs, web requests, code from elsewhere, providers that nobody asked for.
//!
//! A module is the provider's own, so most of this is a warning. What would change what is planned
//! behind tenantry's back is refused where the module is read (`super::module`).

use super::module::{LOCK, is_left_over, overrides};
use crate::estate::Files;
use crate::estate::finding::{Finding, Level, Place};
use crate::estate::ids::shown;
use hcl_edit::Span;
use hcl_edit::structure::{Block, Body};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// Something of a module that is looked at here.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    /// `backend "s3"` or `cloud`.
    Backend(String),
    /// A provisioner of a resource.
    Provisioner(String),
    /// A data source that runs a program or asks a server that values may choose.
    Data(String),
    /// A call of another module, with its source and version.
    Call {
        source: String,
        version: Option<String>,
    },
    /// A provider that is required, by its local name; with its address, if it is told.
    Provider(String, Option<String>),
    /// A variable.
    Variable(String),
}

/// Parts of one file, with the line and column of each, or zeros.
type Parts = Vec<(Part, usize, usize)>;

/// Data sources that run a program on the runner, or ask a server.
const CODE: [&str; 2] = ["external", "http"];

/// Looks at the module under `folder`.
pub fn check(files: &Files, folder: &str) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut required: BTreeMap<String, Option<String>> = BTreeMap::new();
    let mut elsewhere = false;
    for (path, bytes) in files.under(folder) {
        let name = &path[folder.len() + 1..];
        if is_left_over(name) {
            findings.push(Finding::warning(
                Place::file(path),
                "module-leftover",
                "this file is left over from working by hand and is not used; remove it, values belong into the layers",
            ));
            continue;
        }
        // Refused as a whole where the module is read.
        if !name.contains('/') && overrides(name) {
            continue;
        }
        let parts = match read(name, bytes) {
            Ok(parts) => parts,
            Err(place) => {
                // In the root it is an error already, where the variables are read.
                if name.contains('/') {
                    findings.push(Finding::warning(
                        Place::at(path, place.0, place.1),
                        "module-code",
                        "the file cannot be read, so nobody can tell what it runs; correct it or remove it",
                    ));
                }
                continue;
            }
        };
        let depth = name.matches('/').count();
        for (part, line, column) in parts {
            let place = match line {
                0 => Place::file(path),
                _ => Place::at(path, line, column),
            };
            if let Part::Provider(local, address) = &part {
                let entry = required.entry(local.clone()).or_default();
                if address.is_some() {
                    entry.clone_from(address);
                }
            }
            if let Part::Call { source, .. } = &part {
                elsewhere |= !is_local(source);
            }
            findings.extend(judge(&part, depth, place));
        }
    }
    // What a module from elsewhere requires is not known here.
    if !elsewhere {
        findings.extend(locked(files, folder, &required));
    }
    findings
}

fn judge(part: &Part, depth: usize, place: Place) -> Option<Finding> {
    let found = |level, rule: &'static str, message: String| {
        Some(Finding {
            place: place.clone(),
            level,
            message,
            rule: rule.into(),
        })
    };
    match part {
        Part::Backend(kind) => found(
            Level::Warning,
            "module-backend",
            format!("{kind} is not used: where state lies comes from `state` in tenantry.yml and the registry alone; remove it"),
        ),
        Part::Provisioner(kind) => found(
            Level::Warning,
            "module-code",
            format!("provisioner `{}` runs a program while applying, with the apply environment's credentials; a customer's value in its command line would be code", shown(kind)),
        ),
        Part::Data(kind) if kind == "external" => found(
            Level::Warning,
            "module-code",
            "data source `external` runs a program on the runner, also while a pull request is planned; use a provider instead".into(),
        ),
        Part::Data(kind) => found(
            Level::Warning,
            "module-code",
            format!("data source `{}` asks a server while planning, from inside of the runner's network; if a customer's value chooses the address, they choose whom it asks", shown(kind)),
        ),
        Part::Call { source, version } => call(source, version.as_deref(), depth)
            .and_then(|(level, message)| found(level, "module-source", message)),
        Part::Variable(name)
            if ["TF_", "AWS_", "ARM_", "AZURE_", "GOOGLE_", "GITHUB_", "TENANTRY_"]
                .iter()
                .any(|p| name.starts_with(p)) =>
        {
            found(
                Level::Warning,
                "module-variable",
                format!("variable `{}` has the name of an environment variable; no value ever becomes one, and credentials come from the job's role. Give it a name of its own", shown(name)),
            )
        }
        Part::Provider(..) | Part::Variable(_) => None,
    }
}

fn is_local(source: &str) -> bool {
    source.starts_with("./") || source.starts_with("../")
}

/// What is wrong with where a module is called from.
fn call(source: &str, version: Option<&str>, depth: usize) -> Option<(Level, String)> {
    let shown_source = shown(source);
    if source.starts_with('/') || source.starts_with("file:") || source.starts_with('~') {
        return Some((
            Level::Error,
            format!(
                "`{shown_source}` is a path of one machine; put the module inside of the product's `terraform/` folder"
            ),
        ));
    }
    if is_local(source) {
        // Each `..` leads up by one, everything else down by one.
        let mut level = i64::try_from(depth).unwrap_or(i64::MAX);
        let mut lowest = level;
        for part in source.split('/') {
            match part {
                "." | "" => {}
                ".." => level -= 1,
                _ => level += 1,
            }
            lowest = lowest.min(level);
        }
        return (lowest < 0).then(|| {
            (
                Level::Error,
                format!("`{shown_source}` leads out of the product's `terraform/` folder, which alone is copied and covered by a plan's digest; put the module inside"),
            )
        });
    }
    let commit = source
        .split(['?', '&'])
        .filter_map(|p| p.strip_prefix("ref="))
        .any(|r| matches!(r.len(), 40 | 64) && r.bytes().all(|b| b.is_ascii_hexdigit()));
    if commit {
        return None;
    }
    let advice = if source.contains("::") || source.contains("://") || source.contains("git@") {
        "name a commit (`?ref=` and 40 hexadecimal digits) or put the module inside of the product's folder"
    } else if version.is_some() {
        "a version can be published anew; put the module inside of the product's folder, or allow it for that file"
    } else {
        "put the module inside of the product's folder"
    };
    Some((
        Level::Warning,
        format!(
            "`{shown_source}` is code from elsewhere that can change without a trace here, after it was reviewed; {advice}"
        ),
    ))
}

/// Compares the lock file with what the module requires.
fn locked(
    files: &Files,
    folder: &str,
    required: &BTreeMap<String, Option<String>>,
) -> Vec<Finding> {
    let addresses: BTreeSet<String> = required
        .iter()
        // Built in: https://developer.hashicorp.com/terraform/language/providers/requirements
        .filter(|(local, address)| {
            local.as_str() != "terraform"
                || address
                    .as_deref()
                    .is_some_and(|a| !a.starts_with("terraform.io/"))
        })
        .map(|(local, address)| match address {
            Some(address) => address.to_ascii_lowercase(),
            None => format!("hashicorp/{local}"),
        })
        .collect();
    let path = format!("{folder}/{LOCK}");
    let Some(lock) = files.get(&path) else {
        return match addresses.first() {
            Some(first) => vec![Finding::warning(
                Place::file(folder),
                "module-lock",
                format!(
                    "there is no `{LOCK}`, so each plan may take another version of `{}`; run `terraform providers lock` in the module and commit what it writes",
                    shown(first)
                ),
            )],
            None => Vec::new(),
        };
    };
    let body = std::str::from_utf8(lock)
        .ok()
        .and_then(|t| Some((t, t.parse::<Body>().ok()?)));
    let Some((text, body)) = body else {
        return vec![Finding::warning(
            Place::file(&path),
            "module-lock",
            "the lock file cannot be read; run `terraform providers lock` again",
        )];
    };
    let mut findings = Vec::new();
    for block in body.get_blocks("provider") {
        let Some(address) = block
            .labels
            .first()
            .map(|l| l.as_str().to_ascii_lowercase())
        else {
            continue;
        };
        let asked = addresses.iter().any(|a| match a.matches('/').count() {
            // Without a host it is the registry of the tool.
            1 => ["registry.terraform.io", "registry.opentofu.org"]
                .iter()
                .any(|host| address == format!("{host}/{a}")),
            _ => address == *a,
        });
        if !asked {
            let (line, column) = position(text, block);
            findings.push(Finding::warning(
                Place::at(&path, line, column),
                "module-lock",
                format!("the lock file has provider `{}`, which the module does not require; write it again with `terraform providers lock`, or require it", shown(&address)),
            ));
        }
    }
    findings
}

fn position(text: &str, what: &impl Span) -> (usize, usize) {
    let Some(before) = what.span().and_then(|s| text.get(..s.start)) else {
        return (0, 0);
    };
    let last = before.rsplit('\n').next().unwrap_or_default();
    (before.matches('\n').count() + 1, last.chars().count() + 1)
}

/// The parts of a file; the position of the mistake where it cannot be read.
fn read(name: &str, bytes: &[u8]) -> Result<Parts, (usize, usize)> {
    let text = std::str::from_utf8(bytes);
    if name.ends_with(".tf") || name.ends_with(".tofu") {
        let text = text.map_err(|_| (0, 0))?;
        let body: Body = text
            .parse()
            .map_err(|e: hcl_edit::parser::Error| (e.location().line(), e.location().column()))?;
        return Ok(hcl(text, &body));
    }
    if name.ends_with(".tf.json") || name.ends_with(".tofu.json") {
        let value: Value = serde_json::from_slice(bytes).map_err(|e| (e.line(), e.column()))?;
        return Ok(json(&value).into_iter().map(|p| (p, 0, 0)).collect());
    }
    Ok(Vec::new())
}

fn hcl(text: &str, body: &Body) -> Parts {
    let mut out = Parts::new();
    let mut add = |part, what: &Block| {
        let (line, column) = position(text, what);
        out.push((part, line, column));
    };
    let attribute = |block: &Block, key: &str| {
        let value = &block.body.get_attribute(key)?.value;
        // A template is shown as it was written, so that it is never taken for a local path.
        let written = || value.span().and_then(|s| text.get(s)).map(str::to_owned);
        value.as_str().map(str::to_owned).or_else(written)
    };
    for block in body.iter().filter_map(|s| s.as_block()) {
        let label = |i: usize| block.labels.get(i).map_or("", |l| l.as_str());
        match block.ident.as_str() {
            "terraform" => {
                for inner in block.body.get_blocks("backend") {
                    let kind = inner.labels.first().map_or("", |l| l.as_str());
                    add(Part::Backend(format!("backend `{}`", shown(kind))), inner);
                }
                for inner in block.body.get_blocks("cloud") {
                    add(Part::Backend("the block `cloud`".into()), inner);
                }
                for inner in block.body.get_blocks("required_providers") {
                    for one in inner.body.iter().filter_map(|s| s.as_attribute()) {
                        let source = one.value.as_object().and_then(|o| {
                            o.iter()
                                .find(|(k, _)| {
                                    super::literal::key_text(k).as_deref() == Some("source")
                                })
                                .and_then(|(_, v)| v.expr().as_str().map(str::to_owned))
                        });
                        add(Part::Provider(one.key.as_str().to_owned(), source), inner);
                    }
                }
            }
            kind @ ("resource" | "data" | "ephemeral") => {
                for inner in block.body.get_blocks("provisioner") {
                    let kind = inner.labels.first().map_or("", |l| l.as_str());
                    add(Part::Provisioner(kind.to_owned()), inner);
                }
                if kind != "resource" && CODE.contains(&label(0)) {
                    add(Part::Data(label(0).to_owned()), block);
                }
                let chosen = attribute(block, "provider");
                add(provider_of(label(0), chosen.as_deref()), block);
            }
            "provider" => add(Part::Provider(label(0).to_owned(), None), block),
            "module" => {
                let source = attribute(block, "source").unwrap_or_default();
                let version = attribute(block, "version");
                add(Part::Call { source, version }, block);
            }
            "variable" => add(Part::Variable(label(0).to_owned()), block),
            _ => {}
        }
    }
    out
}

/// The provider of a resource: the one it names, else the first word of its type.
fn provider_of(kind: &str, chosen: Option<&str>) -> Part {
    let local = match chosen {
        Some(name) => name.split('.').next().unwrap_or(name),
        None => kind.split('_').next().unwrap_or(kind),
    };
    Part::Provider(local.to_owned(), None)
}

/// A block of the JSON syntax stands alone or in a list.
fn blocks(value: Option<&Value>) -> Vec<&Value> {
    match value {
        Some(Value::Array(items)) => items.iter().flat_map(|i| blocks(Some(i))).collect(),
        Some(value @ Value::Object(_)) => vec![value],
        _ => Vec::new(),
    }
}

/// Blocks with a label: label and block.
fn labelled(value: Option<&Value>) -> Vec<(&str, &Value)> {
    let maps = blocks(value).into_iter().filter_map(Value::as_object);
    maps.flatten().map(|(k, v)| (k.as_str(), v)).collect()
}

fn json(value: &Value) -> Vec<Part> {
    let mut out = Vec::new();
    let text = |v: &Value, key: &str| v.get(key).and_then(Value::as_str).map(str::to_owned);
    for terraform in blocks(value.get("terraform")) {
        for (kind, _) in labelled(terraform.get("backend")) {
            out.push(Part::Backend(format!("backend `{}`", shown(kind))));
        }
        if terraform.get("cloud").is_some() {
            out.push(Part::Backend("the block `cloud`".into()));
        }
        for (local, one) in labelled(terraform.get("required_providers")) {
            out.push(Part::Provider(local.to_owned(), text(one, "source")));
        }
    }
    for key in ["resource", "data", "ephemeral"] {
        for (kind, named) in labelled(value.get(key)) {
            for (_, bodies) in labelled(Some(named)) {
                for body in blocks(Some(bodies)) {
                    for (kind, _) in labelled(body.get("provisioner")) {
                        out.push(Part::Provisioner(kind.to_owned()));
                    }
                    if key != "resource" && CODE.contains(&kind) {
                        out.push(Part::Data(kind.to_owned()));
                    }
                    out.push(provider_of(kind, text(body, "provider").as_deref()));
                }
            }
        }
    }
    for (local, _) in labelled(value.get("provider")) {
        out.push(Part::Provider(local.to_owned(), None));
    }
    for (_, call) in labelled(value.get("module")) {
        for call in blocks(Some(call)) {
            out.push(Part::Call {
                source: text(call, "source").unwrap_or_default(),
                version: text(call, "version"),
            });
        }
    }
    for (name, _) in labelled(value.get("variable")) {
        out.push(Part::Variable(name.to_owned()));
    }
    out
}

#[cfg(test)]
#[path = "module_check_tests.rs"]
mod tests;
