//! The reference as one page that needs nothing else: no script, no address.

use super::Example;
use super::markdown::{need, where_given, written};
use crate::estate::model::CONTRACT;
use crate::estate::reference::Reference;
use crate::report::escape::terminal;
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};
use serde_json::json;

/// The template does not render; a mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("the page of the reference cannot be rendered")]
pub struct PageError(#[from] minijinja::Error);

const TEMPLATE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/reference/page.html"
));
const STYLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/reference/page.css"
));

/// Renders the page.
pub fn html(reference: &Reference, example: Option<&Example>) -> Result<String, PageError> {
    let entries: Vec<serde_json::Value> = reference
        .entries
        .iter()
        .map(|e| {
            let given: Vec<_> = e
                .given
                .iter()
                .map(|g| json!({"value": written(&g.value), "place": g.place, "where": where_given(g)}))
                .collect();
            let all = |values: &[String]| values.iter().map(|v| written(v)).collect::<Vec<_>>();
            json!({
                "of": e,
                "need": need(e),
                "given": given,
                "allowed": all(&e.allowed),
                "examples": all(&e.examples),
                "default": e.default.as_deref().map(written),
            })
        })
        .collect();
    let mut context = json!({
        "reference": reference,
        "entries": entries,
        "contract": CONTRACT,
        "example": example.map(|e| json!({"text": e.text, "left_out": e.left_out})),
    });
    seen(&mut context);
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    engine.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    let template = engine.template_from_named_str("page.html", TEMPLATE)?;
    Ok(template.render(Serde(&context))?)
}

/// Hidden and direction-changing characters are written out; escaping for HTML leaves them.
fn seen(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::String(text) => *text = terminal(text),
        serde_json::Value::Array(items) => items.iter_mut().for_each(seen),
        serde_json::Value::Object(map) => map.values_mut().for_each(seen),
        _ => {}
    }
}
