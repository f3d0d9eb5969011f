//! What turns values into change.
