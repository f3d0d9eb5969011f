//! What can be said, and its renderings.
