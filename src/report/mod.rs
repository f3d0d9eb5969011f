//! What can be said, and how it is said: Markdown for pull requests and summaries, statuses,
//! annotations and step outputs for the runner. Text in, text out.

pub mod aftermath;
pub mod comment;
pub mod credential;
pub mod diff;
pub mod document;
pub mod drift;
pub mod escape;
pub mod plan;
pub mod reference;
pub mod runner;
pub mod sarif;
pub mod split;
pub mod view;
