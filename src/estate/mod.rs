//! Pure: customers, products, layers, provenance, schema, policy, stacks.
//!
//! Everything here is a function of bytes that somebody else read. No async, no I/O,
//! no clock and no environment may enter this room.

mod check;
pub mod defaults;
pub mod describe;
pub mod effective;
pub mod expression;
pub mod fields;
pub mod files;
pub mod finding;
pub mod ids;
pub mod impact;
pub mod layers;
pub mod model;
pub mod policy;
pub mod redact;
pub mod resolve;
mod scalar;
pub mod schema;
mod scope;
pub mod settings;
pub mod suggest;
pub mod value;
pub mod yaml;

pub use check::{Checked, check};
pub use effective::Effective;
pub use files::Files;
pub use finding::{Finding, Findings, Level, Place};
pub use ids::{CustomerId, EnvironmentId, ProductId, RepoSlug, RequestId, Sha, StackId};
pub use model::Estate;
