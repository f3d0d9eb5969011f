//! What a registry entry says about a customer besides what decides.

use super::allow::Date;
use super::fields::Fields;
use super::ids::{EnvironmentId, ProductId};
use super::model::Product;
use super::suggest::nearest;
use super::value::{Data, Node};
use std::collections::BTreeMap;

/// For people, for choosing customers, and for the clouds; recorded, not acted upon.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct About {
    /// Whom to ask.
    pub contact: Option<String>,
    /// What they pay for, such as `gold`.
    pub tier: Option<String>,
    /// Where they are.
    pub region: Option<String>,
    /// The group that a change of the fleet reaches together: a number or a name.
    pub wave: Option<String>,
    /// The day on which they were added.
    pub added: Option<Date>,
    /// Numeric id of the account that owns their repository.
    pub owner_id: Option<u64>,
    /// The role that their stacks take in the cloud, by environment.
    pub roles: BTreeMap<EnvironmentId, String>,
}

/// Why a customer's requests are refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Suspension {
    /// In the provider's words.
    pub reason: String,
    /// Whether the customer reads the reason.
    pub public: bool,
    /// Since when.
    pub since: Option<Date>,
}

impl About {
    /// Reads the keys out of `metadata.yaml`. Keys that only look like one of these may be
    /// somebody else's, so they are not taken for slips.
    pub(super) fn read(
        path: &str,
        node: &Node,
        products: &BTreeMap<ProductId, Product>,
        found: &mut Fields<'_>,
    ) -> Self {
        let mut fields = Fields::new(path, node);
        let about = Self {
            contact: contact(&mut fields),
            tier: word(&mut fields, "tier"),
            region: fields.text("region"),
            wave: word(&mut fields, "wave"),
            added: fields.parsed("added"),
            owner_id: fields.number("owner_id"),
            roles: roles(path, &mut fields, products),
        };
        found.absorb(fields.found());
        about
    }
}

impl Suspension {
    /// Reads the map `suspension`.
    pub(super) fn read(fields: &mut Fields<'_>) -> Option<Self> {
        let mut below = fields.fields("suspension")?;
        let reason = below.text("reason");
        if reason.is_none() && below.node("reason").is_none() {
            below.missing("reason");
        }
        let out = Self {
            reason: reason.unwrap_or_default(),
            public: below.boolean("public").unwrap_or(false),
            since: below.parsed("since"),
        };
        fields.absorb(below.finish());
        Some(out)
    }
}

/// A text, or a whole number as one.
fn word(fields: &mut Fields<'_>, key: &'static str) -> Option<String> {
    match &fields.node(key)?.data {
        Data::Number(n) if n.is_u64() => Some(n.to_string()),
        _ => fields.text(key),
    }
}

/// A text, or a map of texts such as name and address.
fn contact(fields: &mut Fields<'_>) -> Option<String> {
    let node = fields.node("contact")?;
    if node.entries().is_empty() {
        return fields.text("contact");
    }
    let mut parts = Vec::new();
    for (_, part) in node.entries() {
        match part.text() {
            Some(text) => parts.push(text),
            None if part.data == Data::Null => {}
            None => fields.refuse(
                part,
                format!("`contact` must hold texts, found {}", part.kind()),
            ),
        }
    }
    Some(parts.join(", "))
}

fn roles(
    path: &str,
    fields: &mut Fields<'_>,
    products: &BTreeMap<ProductId, Product>,
) -> BTreeMap<EnvironmentId, String> {
    let mut out = BTreeMap::new();
    let Some(node) = fields.node("roles") else {
        return out;
    };
    if !matches!(node.data, Data::Map(_)) {
        let findings = Fields::new(path, node).found();
        fields.absorb(findings);
        return out;
    }
    let known = || products.values().flat_map(|p| &p.environments);
    for (key, value) in node.entries() {
        let environment = match EnvironmentId::new(&key.name) {
            Ok(environment) => environment,
            Err(e) => {
                fields.refuse(value, format!("`roles`: {e}"));
                continue;
            }
        };
        if !known().any(|e| *e == environment) {
            let hint = nearest(&key.name, known().map(EnvironmentId::as_str)).map_or_else(
                || "remove it".to_owned(),
                |e| format!("did you mean `{e}`?"),
            );
            fields.refuse(
                value,
                format!("`roles.{environment}`: no product has this environment; {hint}"),
            );
        }
        match value.text() {
            Some(role) => {
                out.insert(environment, role.to_owned());
            }
            None => fields.refuse(
                value,
                format!(
                    "`roles.{environment}` must be a text, found {}",
                    value.kind()
                ),
            ),
        }
    }
    out
}
