//! The page that a demo leaves behind: one file, no script, no address.

use super::{Story, markdown};
use minijinja::value::{Serde, Value};
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

/// The template does not render; a mistake of ours.
#[derive(Debug, thiserror::Error)]
#[error("the page of the demo cannot be rendered")]
pub struct PageError(#[from] minijinja::Error);

const TEMPLATE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/demo/page.html"
));
const STYLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/demo/page.css"
));

/// Renders the story.
pub fn page(story: &Story) -> Result<String, PageError> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::SemiStrict);
    engine.set_auto_escape_callback(|_| AutoEscape::Html);
    engine.add_filter("markdown", |text: String| {
        Value::from_safe_string(markdown::render(&text))
    });
    engine.add_filter("seconds", |seconds: f64| format!("{seconds:.1} s"));
    engine.add_filter("short", |sha: String| {
        sha.chars().take(7).collect::<String>()
    });
    engine.add_global("style", Value::from_safe_string(STYLE.to_owned()));
    let template = engine.template_from_named_str("page.html", TEMPLATE)?;
    Ok(template.render(Serde(story))?)
}
