//! tenantry runs infrastructure for many customers from one manager repository, on GitHub Actions.
//!
//! The modules are rooms, and an arrow between rooms may only point down this list
//! (`tests/tidy.rs` enforces it):
//!
//! 1. [`cli`]: arguments and environment in, text and exit codes out
//! 2. [`local`]: a stateful GitHub on loopback, and the demo that runs on it
//! 3. [`delivery`], [`registry`]: the steps of the loop, and how customers begin
//! 4. [`report`]: what can be said, and its renderings
//! 5. [`audit`]: the log of what was done, on top of the store
//! 6. [`github`], [`store`], [`engine`]: adapters
//! 7. [`estate`]: pure; customers, products, layers, schema, policy, stacks
//! 8. [`clock`] and [`digest`]: what every room may use

pub mod audit;
pub mod cli;
pub mod clock;
pub mod delivery;
pub mod digest;
pub mod engine;
pub mod estate;
pub mod github;
pub mod local;
pub mod registry;
pub mod report;
pub mod store;
