//! Stories told to the local GitHub.
