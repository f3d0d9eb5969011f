//! Pure: customers, products, layers, provenance, schema, policy, stacks.
//!
//! Everything here is a function of bytes that somebody else read. No async, no I/O,
//! no clock and no environment may enter this room.

pub mod allow;
mod check;
pub mod credential;
pub mod defaults;
pub mod describe;
pub mod drift;
pub mod effective;
pub mod entry;
pub mod expression;
pub mod fields;
pub mod files;
pub mod finding;
pub mod ids;
pub mod impact;
pub mod instructions;
pub mod isolation;
pub mod jobs;
pub mod layers;
pub mod lint;
pub mod model;
pub mod names;
pub mod policy;
mod read;
pub mod redact;
pub mod reference;
pub mod resolve;
pub mod rules;
mod scalar;
pub mod schema;
pub mod schema_check;
pub mod schema_tree;
mod scope;
pub mod settings;
pub mod suggest;
pub mod value;
mod violation;
pub mod yaml;
pub mod yaml_edit;
mod yaml_hint;

pub use check::{Checked, check};
pub use effective::Effective;
pub use files::Files;
pub use finding::{Finding, Findings, Level, Place};
pub use ids::{
    CredentialId, CustomerId, EnvironmentId, ProductId, Purpose, RepoSlug, RequestId, SecretName,
    SecretPlace, Sha, StackId,
};
pub use model::Estate;
