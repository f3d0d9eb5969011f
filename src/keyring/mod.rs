//! Secret values of credentials: the encrypted file that holds them, and the sealed boxes in which
//! they travel to GitHub. What a credential is for is not known here.

mod content;
mod error;
mod file;
mod key;
pub mod sealed;
mod secret;

pub use content::{Content, Kept, Logged};
pub use error::KeyringError;
pub use file::Keyring;
pub use key::Key;
pub use secret::Secret;
