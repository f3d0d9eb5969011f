//! The client for GitHub. `octocrab` is named in this room only.
//!
//! [`Client`] keeps GitHub's rules (pace, limits, retries); [`wire`] carries one call; [`api`] is
//! the small part of the REST and GraphQL interface that tenantry uses, typed.

pub mod api;
mod client;
pub mod compare;
pub mod issues;
pub mod model;
pub mod relations;
pub mod wire;

pub use client::{Client, ClientSettings, GithubError, Token};
