//! What turns a stack's values into change, and how that change is read.
//!
//! - [`terraform`] runs OpenTofu or Terraform in a folder of its own with a scrubbed environment; [`launch`] starts it
//! - [`argocd`] renders values and an Application; the caller moves the bytes
//! - [`redact`] knows what must not be shown, and takes it out of every text that leaves
//! - [`change`] is the one model of a plan, with sensitive values already gone, and [`drift`] that of
//!   what was changed outside
//! - [`outcome`] is what became of a plan that was applied
//! - [`since`] is what a plan changes that an earlier one does not

pub mod argocd;
pub mod change;
pub mod drift;
pub mod emit;
pub mod launch;
pub mod literal;
pub mod module;
pub mod module_check;
pub mod outcome;
pub mod plan_json;
pub mod redact;
pub mod since;
pub mod terraform;
pub mod variables;
pub mod versions;
