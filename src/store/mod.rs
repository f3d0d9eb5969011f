//! Object storage with conditional writes.
