//! Who the customers are, and how they and their provider begin.
//!
//! A change of the registry is a [`plan::Plan`]: a value that is judged, shown and carried out.
//! Whoever makes one holds the estate ([`write::Held`]) from reading it until the last file is in
//! place, so two processes never decide upon the same state.

pub mod add;
pub mod change;
pub mod credential;
pub mod draft;
mod error;
pub mod import;
pub mod lookup;
pub mod name;
pub mod plan;
pub mod remove;
pub mod scaffold;
pub mod write;

pub use error::RegistryError;
