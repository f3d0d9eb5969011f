//! A stateful GitHub on loopback: REST, the GraphQL that we use, OIDC, real git repositories
//! underneath, fault switches and a settable clock. For the demo, for tests, and for trying
//! changes to a manager repository before pushing them.
//!
//! Handlers are plain functions on one locked [`state::State`]; only [`server`] and [`runner`]
//! know about tasks and sockets. What may not enter: anything that reaches beyond loopback.
pub mod access;
pub mod admin;
pub mod clock;
pub mod demo;
pub mod diff;
pub mod events;
pub mod faults;
pub mod git;
pub mod git_write;
pub mod graphql;
pub mod http;
pub mod ids;
pub mod model;
pub mod oidc;
pub mod record;
pub mod rest;
pub mod runner;
pub mod server;
pub mod stage;
pub mod state;
pub mod views;
pub mod workflow;

pub use clock::Clock;
pub use faults::{Fault, Kind};
pub use oidc::{Forge, Issuer};
pub use runner::{RunnerKind, RunnerSettings};
pub use server::{Server, Settings};

#[cfg(test)]
mod tests;
