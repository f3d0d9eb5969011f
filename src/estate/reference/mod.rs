//! What a customer may write, as a value: every key of a product's schema with what it means, what
//! it allows and what it is where nothing is written. How that looks is the matter of `report`.

mod given;
mod sample;
mod words;
mod writer;

use super::finding::Findings;
use super::ids::ProductId;
use super::model::Estate;
use super::schema_tree::Tree;
pub use given::Given;
pub use sample::{Sample, samples};
use serde::Serialize;
pub use words::Limit;
use writer::Writer;

/// Most keys that are shown.
const MAX_ENTRIES: usize = 2_000;
/// Deepest key that is shown.
const MAX_LEVEL: usize = 12;

/// The reference of one product.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reference {
    /// The product.
    pub product: ProductId,
    /// The schema's own title.
    pub title: Option<String>,
    /// The schema's own description.
    pub description: Option<String>,
    /// The environments in promotion order.
    pub environments: Vec<String>,
    /// Whether keys that are not listed are refused.
    pub closed: bool,
    /// Every key, nested ones behind the one that holds them.
    pub entries: Vec<Entry>,
    /// What cannot be shown as a key.
    pub notes: Vec<String>,
}

/// One key.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Entry {
    /// With dots; `[]` for the items of a list, `<key>` for a key of any name.
    pub key: String,
    /// For links; unique on the page.
    pub anchor: String,
    /// 0 at the top.
    pub level: usize,
    /// In words, such as `list of texts`.
    pub kind: String,
    /// Whether it must be given where the one around it is.
    pub required: bool,
    /// What the schema calls the default, as JSON.
    pub default: Option<String>,
    /// The values that are allowed, as JSON.
    pub allowed: Vec<String>,
    /// Further limits.
    pub limits: Vec<Limit>,
    /// What it means.
    pub description: Option<String>,
    /// Examples, as JSON.
    pub examples: Vec<String>,
    /// Whether it should not be used any more, and what the provider says about it.
    pub deprecated: Option<String>,
    /// What the product itself sets, per environment.
    pub given: Vec<Given>,
    /// Of several ways to write the value, each in words.
    pub alternatives: Vec<String>,
    /// The alternative of the key around it that this one belongs to.
    pub only: Option<String>,
    /// What else there is to know.
    pub notes: Vec<String>,
}

/// The reference of `product`; `None` when it has no schema.
pub fn reference(estate: &Estate, product: &ProductId) -> Result<Option<Reference>, Findings> {
    let Some(tree) = Tree::read(&estate.files, product)? else {
        return Ok(None);
    };
    let Some(root) = tree.root() else {
        return Ok(None);
    };
    let environments: Vec<String> = estate
        .products
        .get(product)
        .map(|p| p.environments.iter().map(ToString::to_string).collect())
        .unwrap_or_default();
    let layers = given::Layers::read(&estate.files, product, &environments)?;
    let mut writer = Writer::new(&tree, layers);
    let all = writer.expand(vec![root.clone()], &[]);
    let mut notes = all.notes.clone();
    for alternative in &all.alternatives {
        notes.push(format!(
            "one of these must hold: {}",
            writer.inside(alternative).join("; ")
        ));
    }
    let trail = all.trail.clone();
    writer.children(&all, &[], &trail, None);
    if writer.cut {
        notes.push(format!(
            "only the first {MAX_ENTRIES} keys and {MAX_LEVEL} levels are shown"
        ));
    }
    let text = |key: &str| {
        all.parts
            .iter()
            .find_map(|p| p.text(key))
            .map(str::to_owned)
    };
    Ok(Some(Reference {
        product: product.clone(),
        title: text("title"),
        description: text("description"),
        environments,
        closed: all.closed(),
        entries: writer.entries,
        notes,
    }))
}

#[cfg(test)]
#[path = "../reference_tests.rs"]
mod tests;
