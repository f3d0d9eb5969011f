//! A whole `infra/variables.yml` that passes: it is tried, and what does not pass is left out.

use crate::engine::emit::yaml;
use crate::estate::model::CONTRACT;
use crate::estate::reference::{Sample, samples};
use crate::estate::resolve::{ContractFile, Rules, read_contract, resolve};
use crate::estate::{CustomerId, EnvironmentId, Estate, Findings, ProductId, StackId};
use crate::report::escape::{shorten, terminal};
use serde_json::json;

/// An example of a customer's file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Example {
    /// The file.
    pub text: String,
    /// Keys that are not in it although the schema has them.
    pub left_out: Vec<String>,
}

/// An example that passes in each environment; `None` where none was found.
pub fn example(
    estate: &Estate,
    rules: &Rules,
    product: &ProductId,
) -> Result<Option<Example>, Findings> {
    let all = samples(estate, product)?;
    let mut kept: Vec<&Sample> = all.iter().collect();
    // Each round leaves something out, so there are not more rounds than keys.
    for _ in 0..=all.len() {
        let (text, lines) = write(&kept);
        let wrong = judge(estate, rules, product, &text);
        if wrong.is_empty() {
            let left_out = all
                .iter()
                .filter(|s| !kept.iter().any(|k| k.key == s.key))
                .map(|s| s.key.clone())
                .collect();
            return Ok(Some(Example { text, left_out }));
        }
        let before = kept.len();
        let blamed = |i: usize| {
            let from = lines.get(i).copied().unwrap_or(0);
            let to = lines.get(i + 1).copied().unwrap_or(usize::MAX);
            wrong.iter().any(|line| (from..to).contains(line))
        };
        let mut next: Vec<&Sample> = kept
            .iter()
            .enumerate()
            .filter(|(i, s)| s.required || !blamed(*i))
            .map(|(_, s)| *s)
            .collect();
        if next.len() == before {
            next.retain(|s| s.required);
        }
        if next.len() == before {
            return Ok(None);
        }
        kept = next;
    }
    Ok(None)
}

/// The file, and in which line each key begins.
fn write(samples: &[&Sample]) -> (String, Vec<usize>) {
    let mut text = format!("# {CONTRACT}\n");
    let mut lines = Vec::new();
    for sample in samples {
        lines.push(text.matches('\n').count() + 1);
        if let Some(description) = &sample.description {
            let line = terminal(&description.split_whitespace().collect::<Vec<_>>().join(" "));
            text.push_str(&format!("# {}\n", shorten(&line, 100)));
        }
        let mut one = json!({});
        one[sample.key.as_str()] = sample.value.clone();
        text.push_str(&yaml(&one));
    }
    if samples.is_empty() {
        text.push_str("{}\n");
    }
    (text, lines)
}

/// The lines that do not pass; 0 for what stands elsewhere.
fn judge(estate: &Estate, rules: &Rules, product: &ProductId, text: &str) -> Vec<usize> {
    let file = ContractFile {
        path: CONTRACT.to_owned(),
        bytes: text.as_bytes().to_vec(),
    };
    let environments: Vec<EnvironmentId> = estate
        .products
        .get(product)
        .map(|p| p.environments.clone())
        .unwrap_or_default();
    let known: Vec<&str> = environments.iter().map(EnvironmentId::as_str).collect();
    let line = |findings: Findings| -> Vec<usize> {
        let own = |f: &crate::estate::Finding| {
            if f.place.path == CONTRACT {
                f.place.line
            } else {
                0
            }
        };
        findings.0.iter().map(own).collect()
    };
    let node = match read_contract(&file, &known) {
        Ok(node) => node,
        Err(e) => return line(e),
    };
    let Ok(customer) = CustomerId::new("customer") else {
        return vec![0];
    };
    let mut out = Vec::new();
    for environment in environments {
        let stack = StackId {
            customer: customer.clone(),
            product: product.clone(),
            environment,
        };
        if let Err(e) = resolve(estate, rules, &stack, Some(&node)) {
            out.extend(line(e));
        }
    }
    out
}
