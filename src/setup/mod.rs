//! What must be in place around the loop, in GitHub, in the store and in the cloud: a customer
//! brought in and led out again, checks of the set-up, and their repairs.

pub mod access;
pub mod credentials;
pub mod doctor;
pub mod instructions;
pub mod offboard;
pub mod onboard;
