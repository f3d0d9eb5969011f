//! What a change of the schema does to the stacks that there are.

use crate::estate::files::Files;
use crate::estate::finding::{Finding, Findings, Place};
use crate::estate::ids::{ProductId, StackId};
use crate::estate::model::Estate;
use crate::estate::resolve::{Rules, resolve};
use crate::estate::schema::path_of;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// One and the same finding in one or more stacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Effect {
    /// What is found.
    pub message: String,
    /// The rule behind it.
    pub rule: String,
    /// The stacks, each with where its value stands.
    pub stacks: Vec<(StackId, Place)>,
}

/// What becomes different.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Effects {
    /// Passed before, refused now.
    pub breaks: Vec<Effect>,
    /// Refused before, passes now.
    pub fixes: Vec<Effect>,
    /// How many stacks of the product were looked at.
    pub stacks: usize,
    /// How many of them take part of their values from a customer's repository, which is not here.
    pub own_file: usize,
}

/// Judges the values that the provider holds today by the schema of `before` and by today's.
/// `before` has the product's folder as it was.
pub fn compare(estate: &Estate, before: &Files, product: &ProductId) -> Result<Effects, Findings> {
    let now = with_schema(estate, &estate.files, product);
    let then = with_schema(estate, before, product);
    let (rules_now, rules_then) = (Rules::of(&now)?, Rules::of(&then)?);
    let mut out = Effects::default();
    let mut breaks = Groups::new();
    let mut fixes = Groups::new();
    for stack in estate
        .stacks()
        .into_iter()
        .filter(|s| s.product == *product)
    {
        let own_file = estate
            .customers
            .get(&stack.customer)
            .is_some_and(|c| c.repository.is_some());
        out.stacks += 1;
        out.own_file += usize::from(own_file);
        let now = violations(&now, &rules_now, &stack, own_file);
        let then = violations(&then, &rules_then, &stack, own_file);
        match (then.is_empty(), now.is_empty()) {
            (true, false) => group(&mut breaks, &stack, now),
            (false, true) => group(&mut fixes, &stack, then),
            _ => {}
        }
    }
    out.breaks = effects(breaks);
    out.fixes = effects(fixes);
    Ok(out)
}

/// The estate with the schema of one product only, taken from `source`, and without policies.
fn with_schema(estate: &Estate, source: &Files, product: &ProductId) -> Estate {
    let folder = format!("products/{product}");
    let part_of_schema =
        |path: &str| path.ends_with(".json") && !path.starts_with(&format!("{folder}/terraform/"));
    let others: BTreeSet<String> = estate.products.keys().map(path_of).collect();
    let mut files = Files::new();
    for (path, bytes) in estate.files.iter() {
        let own = path.starts_with(&format!("{folder}/")) && part_of_schema(path);
        if !own && !others.contains(path) && !path.starts_with("policies/") {
            files.insert(path, bytes);
        }
    }
    for (path, bytes) in source.under(&folder).filter(|(p, _)| part_of_schema(p)) {
        files.insert(path, bytes);
    }
    let mut estate = estate.clone();
    estate.files = files;
    estate
}

/// What the schema says about one stack. What the customer's own file will bring is not missing.
fn violations(estate: &Estate, rules: &Rules, stack: &StackId, own_file: bool) -> Vec<Finding> {
    let findings = match resolve(estate, rules, stack, None) {
        Ok(_) => return Vec::new(),
        Err(e) => e.0,
    };
    findings
        .into_iter()
        .filter(|f| f.rule == "schema" || f.rule.starts_with("schema-"))
        .filter(|f| !(own_file && f.rule == "schema-required"))
        .collect()
}

type Groups = BTreeMap<(String, String), Vec<(StackId, Place)>>;

fn group(groups: &mut Groups, stack: &StackId, findings: Vec<Finding>) {
    for finding in findings {
        groups
            .entry((finding.message, finding.rule.into_owned()))
            .or_default()
            .push((stack.clone(), finding.place));
    }
}

/// The widest first.
fn effects(groups: Groups) -> Vec<Effect> {
    let mut out: Vec<Effect> = groups
        .into_iter()
        .map(|((message, rule), stacks)| Effect {
            message,
            rule,
            stacks,
        })
        .collect();
    out.sort_by_key(|e| std::cmp::Reverse(e.stacks.len()));
    out
}

impl Effect {
    /// `acme (staging, production), globex (staging)`; the first few, and how many more.
    pub fn whose(&self) -> String {
        const MOST: usize = 5;
        let mut by_customer: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (stack, _) in &self.stacks {
            by_customer
                .entry(stack.customer.as_str())
                .or_default()
                .push(stack.environment.as_str());
        }
        let mut names: Vec<String> = by_customer
            .iter()
            .take(MOST)
            .map(|(c, e)| format!("{c} ({})", e.join(", ")))
            .collect();
        if by_customer.len() > MOST {
            names.push(format!("{} more", by_customer.len() - MOST));
        }
        names.join(", ")
    }
}

impl Effects {
    /// What breaks, as findings about the schema.
    pub fn findings(&self, product: &ProductId) -> Vec<Finding> {
        self.breaks
            .iter()
            .map(|effect| {
                let n = effect.stacks.len();
                let many = if n == 1 { "stack" } else { "stacks" };
                let first = effect
                    .stacks
                    .first()
                    .map_or_else(String::new, |(_, p)| format!("; the first is in {p}"));
                super::err(
                    Place::file(&path_of(product)),
                    super::BREAKS,
                    format!(
                        "breaks {n} {many} of {}: {}{first}",
                        effect.whose(),
                        effect.message
                    ),
                )
            })
            .collect()
    }
}
