//! Pure: customers, products, layers, provenance, schema, policy, stacks.
//!
//! Everything here is a function of bytes that somebody else read. No async, no I/O,
//! no clock and no environment may enter this room.

pub mod expression;
pub mod fields;
pub mod files;
pub mod finding;
pub mod ids;
pub mod layers;
pub mod model;
pub mod policy;
pub mod reference;
pub mod resolve;
mod scalar;
pub mod schema;
pub mod schema_check;
pub mod schema_tree;
pub mod settings;
pub mod suggest;
pub mod value;
pub mod yaml;

pub use files::Files;
pub use finding::{Finding, Findings, Level, Place};
pub use ids::{CustomerId, EnvironmentId, ProductId, RepoSlug, RequestId, Sha, StackId};
pub use model::Estate;
