//! A stateful GitHub on loopback, and the demo that runs on it.
