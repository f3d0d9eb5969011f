//! tenantry runs infrastructure for many customers from one manager repository, on GitHub Actions.
//!
//! The modules are rooms, and an arrow between rooms may only point down this list
//! (`tests/tidy.rs` enforces it):
//!
//! 1. [`cli`]: arguments and environment in, text and exit codes out
//! 2. [`local`]: a stateful GitHub on loopback, and the demo that runs on it
//! 3. [`setup`]: what must be in place around the loop: checks, repairs, onboarding
//! 4. [`delivery`], [`registry`]: the steps of the loop, and how customers begin
//! 5. [`report`]: what can be said, and its renderings
//! 6. [`audit`]: the log of what was done, on top of the store
//! 7. [`github`], [`store`], [`engine`], [`keyring`]: adapters
//! 8. [`estate`]: pure; customers, products, layers, schema, policy, stacks
//! 9. [`clock`] and [`digest`]: what every room may use

pub mod audit;
pub mod cli;
pub mod clock;
pub mod delivery;
pub mod digest;
pub mod engine;
pub mod estate;
pub mod github;
pub mod keyring;
pub mod local;
pub mod registry;
pub mod report;
pub mod setup;
pub mod store;
