//! The steps of the loop, in terms of ports.
