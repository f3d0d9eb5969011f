//! Who the customers are and how they and their provider begin.

pub mod draft;
pub mod scaffold;
