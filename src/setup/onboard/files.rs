//! The files that a customer begins with.

use crate::estate::model::Customer;
use crate::estate::resolve::{ContractFile, Rules, resolve_customer};
use crate::estate::{Estate, Findings, ProductId, RepoSlug};
use crate::registry::RegistryError;
use crate::registry::scaffold::Actions;
use crate::report::escape::terminal;
use crate::report::reference::example;
use crate::setup::instructions::{self, Known, Purpose, WORKFLOW, contracts};
use std::collections::BTreeSet;

/// The provider's own templates.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// `readme.md`
    pub readme: Option<String>,
    /// `pull-request.md`
    pub pull_request: Option<String>,
    /// `farewell.md`
    pub farewell: Option<String>,
}

/// What is to stand in a customer's repository.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// Path and text; the customer's own files first.
    pub files: Vec<(String, String)>,
    /// How many of them are what the customer asks for.
    pub contracts: usize,
    /// What of these does not pass yet.
    pub findings: Vec<String>,
}

/// Where the page for the customer's people stands.
const README: &str = "infra/README.md";

/// The files for a repository whose default branch is `branch`.
pub fn wanted(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    (manager, actions, templates): (&RepoSlug, &Actions, &Templates),
    branch: &str,
) -> Result<Wanted, RegistryError> {
    let mut files = Vec::new();
    for (path, products) in contracts(customer) {
        let text = contract(estate, rules, customer, (&path, &products))?;
        files.push((path, text));
    }
    let contracts = files.len();
    let findings = judged(estate, rules, customer, &files);
    let known = Known {
        manager,
        actions: Some(actions),
        applied: None,
        secret: None,
        template: templates.readme.as_deref(),
    };
    let readme = instructions::write(estate, rules, customer, Purpose::Readme, &known)?;
    files.push((
        WORKFLOW.to_owned(),
        instructions::workflow(actions, branch)?,
    ));
    files.push((README.to_owned(), readme.markdown));
    Ok(Wanted {
        files,
        contracts,
        findings,
    })
}

/// A customer's file to begin with: the examples of the schemas, each key with what it means.
fn contract(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    (path, products): (&str, &[ProductId]),
) -> Result<String, Findings> {
    let mut out = format!(
        "# {path}: what {} asks for. Change it in a pull request: the plan appears there.\n# This is an example that passes; replace what does not fit.\n",
        customer.id
    );
    let mut seen = BTreeSet::new();
    let mut left_out = BTreeSet::new();
    let mut environments = Vec::new();
    let head = out.len();
    for product in products {
        if let Some(example) = example(estate, rules, product)? {
            for (key, block) in blocks(&example.text) {
                if seen.insert(key) {
                    out.push_str(&block);
                }
            }
            left_out.extend(example.left_out);
        }
        if let Some(product) = estate.products.get(product) {
            environments.extend(product.environments.iter().map(ToString::to_string));
        }
    }
    if out.len() == head {
        out.push_str("{}\n");
    }
    let left_out: Vec<String> = left_out
        .difference(&seen)
        .map(|key| terminal(key).replace('\n', " "))
        .collect();
    if !left_out.is_empty() {
        out.push_str(&format!("# There is also: {}\n", left_out.join(", ")));
    }
    if !environments.is_empty() {
        environments.dedup();
        out.push_str(&format!(
            "# What differs in one environment ({}) goes under `environments:`, by its name.\n",
            environments.join(", ")
        ));
    }
    Ok(out)
}

/// The parts of an example, by the key at the top that each sets, with the comments above it.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    let mut above = String::new();
    // The first line names the file.
    for line in text.lines().skip(1) {
        let line = format!("{line}\n");
        let key = line.split_once(':').map(|(key, _)| key);
        match key.filter(|_| !line.starts_with([' ', '#', '-', '{', '\n'])) {
            Some(key) => out.push((
                key.trim_matches(['"', '\'']).to_owned(),
                std::mem::take(&mut above) + &line,
            )),
            None if line.starts_with('#') => above.push_str(&line),
            None => {
                if let Some((_, block)) = out.last_mut() {
                    block.push_str(&line);
                }
            }
        }
    }
    out
}

/// What the customer's stacks say to these files.
fn judged(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    files: &[(String, String)],
) -> Vec<String> {
    let files: Vec<ContractFile> = files
        .iter()
        .map(|(path, text)| ContractFile {
            path: path.clone(),
            bytes: text.clone().into_bytes(),
        })
        .collect();
    match resolve_customer(estate, rules, customer, &files) {
        Ok(_) => Vec::new(),
        Err(findings) => findings.0.iter().map(ToString::to_string).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::blocks;

    #[test]
    fn an_example_falls_apart_at_its_keys() {
        let text = "# infra/variables.yml\n# A name.\n# Two lines.\nname: \"a: b\"\n# Tags.\ntags:\n  a: 1\n  # no key\n- x\n\"q r\": 1\n";
        let found: Vec<String> = blocks(text)
            .into_iter()
            .map(|(key, block)| format!("{key} {block:?}"))
            .collect();
        assert_eq!(
            found,
            [
                "name \"# A name.\\n# Two lines.\\nname: \\\"a: b\\\"\\n\"",
                "tags \"# Tags.\\ntags:\\n  a: 1\\n  # no key\\n- x\\n\"",
                "q r \"\\\"q r\\\": 1\\n\"",
            ]
        );
        assert!(blocks("# x\n{}\n").is_empty());
    }
}
