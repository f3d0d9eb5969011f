//! The loop: hint, request, plan, gate, apply, report, and the sweep that makes up for whatever
//! was lost on the way.
//!
//! Every step reads what matters back from GitHub and the store. A step that cannot verify
//! something refuses it, with what to do.

mod alive;
pub mod apply;
pub mod bundle;
pub mod claims;
pub mod concern;
mod custody;
pub mod drift;
mod enact;
pub mod error;
pub mod estate_head;
pub mod gate;
pub mod gitops;
pub mod hint;
mod hold;
pub mod identity;
pub mod intake;
pub mod issue;
pub mod manager;
pub mod open;
pub mod overview;
pub mod part;
pub mod places;
pub mod plan;
pub mod publish;
pub mod reach;
pub mod reconcile;
pub mod records;
pub mod refusal;
mod renew;
pub mod resume;
pub mod ruleset;
pub mod share;
pub mod source;
pub mod standing;
pub mod sticky;
mod terms;
pub mod trail;
pub mod trigger;
pub mod unfinished;

pub use error::{DeliveryError, Refusal};
pub use manager::{Manager, RunInfo};
