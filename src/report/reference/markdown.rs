//! The reference as Markdown, for a wiki or a repository.

use super::Example;
use crate::engine::emit::yaml;
use crate::estate::model::CONTRACT;
use crate::estate::reference::{Entry, Given, Reference};
use crate::report::escape::{code, fence, prose, terminal};
use serde_json::Value;
use std::fmt::Write as _;

/// The page.
pub fn markdown(reference: &Reference, example: Option<&Example>) -> String {
    let mut out = String::new();
    let product = &reference.product;
    let title = reference.title.as_deref().map(prose);
    let title = title.unwrap_or_else(|| format!("Product {}", prose(product.as_str())));
    let _ = writeln!(out, "# {title}\n");
    let _ = writeln!(
        out,
        "What you may write in `{CONTRACT}` for product `{product}`.\n"
    );
    if let Some(description) = &reference.description {
        let _ = writeln!(out, "{}\n", prose(description));
    }
    if let Some(example) = example {
        let _ = writeln!(out, "## Example\n\n{}", fence("yaml", &example.text));
        if !example.left_out.is_empty() {
            let keys: Vec<String> = example.left_out.iter().map(|k| literal(k)).collect();
            let _ = writeln!(out, "Not in the example: {}.\n", keys.join(", "));
        }
    }
    if !reference.environments.is_empty() {
        let names: Vec<String> = reference
            .environments
            .iter()
            .map(|e| format!("`{e}`"))
            .collect();
        let _ = writeln!(
            out,
            "What differs in one environment goes under `environments.<name>`; there are, in the order of promotion: {}.\n",
            names.join(", ")
        );
    }
    let _ = writeln!(out, "## Keys\n");
    out.push_str(if reference.closed {
        "Any other key is refused.\n\n"
    } else {
        "Other keys are accepted too.\n\n"
    });
    for note in &reference.notes {
        let _ = writeln!(out, "- {}", prose(note));
    }
    if !reference.notes.is_empty() {
        out.push('\n');
    }
    out.push_str("| key | kind | |\n|---|---|---|\n");
    for entry in &reference.entries {
        let _ = writeln!(
            out,
            "| [{}](#{}) | {} | {} |",
            literal(&entry.key),
            entry.anchor,
            prose(&entry.kind),
            need(entry)
        );
    }
    for entry in &reference.entries {
        out.push('\n');
        section(entry, &mut out);
    }
    out
}

fn section(entry: &Entry, out: &mut String) {
    let _ = writeln!(out, "<a id=\"{}\"></a>\n", entry.anchor);
    let _ = writeln!(out, "### {}\n", literal(&entry.key));
    if let Some(only) = &entry.only {
        let _ = writeln!(out, "Only with: {}\n", prose(only));
    }
    if let Some(deprecated) = &entry.deprecated {
        let line = format!("**Deprecated.** {}", prose(deprecated));
        let _ = writeln!(out, "{}\n", line.trim_end());
    }
    if let Some(description) = &entry.description {
        let _ = writeln!(out, "{}\n", prose(description));
    }
    let mut rows: Vec<(&str, String)> = vec![("kind", prose(&entry.kind)), ("needed", need(entry))];
    let codes = |values: &[String]| {
        values
            .iter()
            .map(|v| literal(v))
            .collect::<Vec<_>>()
            .join(", ")
    };
    if !entry.allowed.is_empty() {
        rows.push(("allowed", codes(&entry.allowed)));
    }
    for limit in &entry.limits {
        let mut text = prose(&limit.words);
        if let Some(code) = &limit.code {
            text = format!("{text} {}", literal(code));
        }
        rows.push(("limit", text));
    }
    for alternative in &entry.alternatives {
        rows.push(("alternative", prose(alternative)));
    }
    if let Some(default) = &entry.default {
        rows.push(("default", literal(&written(default))));
    }
    for given in &entry.given {
        rows.push((
            "set by the provider",
            format!(
                "{} {} ({})",
                literal(&written(&given.value)),
                prose(&where_given(given)),
                literal(&given.place)
            ),
        ));
    }
    if !entry.examples.is_empty() {
        rows.push(("examples", codes(&entry.examples)));
    }
    for note in &entry.notes {
        rows.push(("note", prose(note)));
    }
    out.push_str("| | |\n|---|---|\n");
    for (name, text) in rows {
        let _ = writeln!(out, "| {name} | {text} |");
    }
}

/// `in staging, production`
pub(super) fn where_given(given: &Given) -> String {
    if given.everywhere {
        "in every environment".to_owned()
    } else {
        format!("in {}", given.environments.join(", "))
    }
}

/// Whether a customer has to write it.
pub(super) fn need(entry: &Entry) -> String {
    let given = entry.given.iter().any(|g| g.everywhere) || entry.given.len() > 1;
    match (entry.required, given, entry.level) {
        (true, true, _) => "required, the provider sets one".to_owned(),
        (true, false, 0) => "required".to_owned(),
        (true, false, _) => "required where the key around it is given".to_owned(),
        (false, ..) => "optional".to_owned(),
    }
}

/// A value as it is written in YAML; lists and maps as JSON, which is YAML too.
pub(super) fn written(json: &str) -> String {
    match serde_json::from_str::<Value>(json) {
        Ok(value) if !value.is_array() && !value.is_object() => yaml(&value).trim_end().to_owned(),
        _ => json.to_owned(),
    }
}

/// Something that is meant by the letter. In backticks where nothing in it could end them or the
/// cell of a table.
fn literal(text: &str) -> String {
    let plain = !text.is_empty()
        && text == text.trim()
        && terminal(text) == text
        && !text.contains(['`', '|', '\n']);
    if plain {
        format!("`{text}`")
    } else {
        code(text)
    }
}
