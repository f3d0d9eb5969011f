//! The client for GitHub. `octocrab` is named in this room only.
//!
//! [`Client`] keeps GitHub's rules (pace, limits, retries, redirects, kept answers); [`wire`] carries
//! one call; [`api`] is the small part of the REST and GraphQL interface that tenantry uses, typed.
//! A GitHub App is one of the credentials that the client speaks for.

mod address;
pub mod api;
mod app;
pub mod budget;
mod cache;
mod client;
pub mod compare;
mod credential;
mod environments;
mod error;
pub mod identity;
pub mod issues;
mod limit;
pub mod model;
mod pages;
mod poll;
pub mod proposal;
mod proxy;
pub mod relations;
pub mod secrets;
pub mod setup;
pub mod survey;
pub mod token;
pub mod wire;

pub use app::{App, BadApp};
pub use cache::Answers;
pub use client::{Client, ClientSettings};
pub use credential::{Credential, Token};
pub use error::GithubError;
pub use limit::Allowance;
pub use poll::Polled;
pub use proxy::{BadProxy, Proxies};
