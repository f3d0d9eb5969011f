//! The reference of a product's contract, for customers: as Markdown, or as one HTML page.

mod example;
mod html;
mod markdown;

pub use example::{Example, example};
pub use html::{PageError, html};
pub use markdown::markdown;

#[cfg(test)]
#[path = "../reference_tests.rs"]
mod tests;
