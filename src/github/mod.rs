//! The client for GitHub.
