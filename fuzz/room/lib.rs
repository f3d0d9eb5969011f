//! The room that reads foreign bytes, and the writer of YAML, under the names that they have in
//! tenantry. The estate is pure, so it compiles alone: instrumenting all of tenantry, with its
//! clients of GitHub and of clouds, would take many times as long and find nothing more.

#[path = "../../src/digest.rs"]
pub mod digest;

#[path = "../../src/estate/mod.rs"]
pub mod estate;

#[path = "../../src/engine/emit.rs"]
pub mod emit;

pub mod engine {
    pub use super::emit;
}
