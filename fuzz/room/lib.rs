//! The rooms and modules that read or show foreign bytes, under the names that they have in
//! tenantry. They are pure, so they compile alone: instrumenting all of tenantry, with its clients
//! of GitHub and of clouds, would take many times as long and find nothing more.
//!
//! One thing is not what is shipped: `crypto.rs` stands in for the cryptographic library.

#[path = "../../src/clock.rs"]
pub mod clock;

#[path = "../../src/digest.rs"]
pub mod digest;

#[path = "../../src/estate/mod.rs"]
pub mod estate;

#[path = "../../src/engine"]
pub mod engine {
    pub mod change;
    pub mod drift;
    pub mod emit;
    pub mod outcome;
    pub mod plan_json;
    pub mod redact;
    pub mod since;
    pub mod terraform {
        mod progress;
        pub use progress::Progress;
    }
}

#[path = "../../src/report"]
pub mod report {
    pub mod aftermath;
    pub mod comment;
    pub mod diff;
    pub mod drift;
    pub mod escape;
    pub mod plan;
    pub mod runner;
    pub mod split;
    pub mod view;
}

#[path = "../../src/delivery"]
pub mod delivery {
    pub mod claims;
    pub mod hint;
    pub mod refusal;
}

#[path = "../../src/audit"]
pub mod audit {
    pub mod check;
    #[path = "../../fuzz/room/crypto.rs"]
    mod crypto;
    pub mod entry;
    pub mod event;
    pub mod export;
    pub mod head;
    pub mod key;
    mod places;
    pub mod record;
    pub mod snapshot;
    pub mod tree;
    pub mod verify;

    pub use event::{Actor, Draft, Event, Person};
    pub use places::{LARGEST, PREFIX, entry_key, record_key};
    pub use record::Record;
    pub use verify::{Damage, Verdict};
}
