//! A secret value.

use age::secrecy::{ExposeSecret as _, SecretString};

/// A secret value. It has no `Display`, `Debug` shows `***`, and its memory is overwritten when it
/// is dropped.
///
/// ```compile_fail
/// let secret = tenantry::keyring::Secret::new("hunter2".to_owned());
/// println!("{secret}");
/// ```
#[derive(Clone)]
pub struct Secret(SecretString);

impl Secret {
    /// Wraps a value.
    pub fn new(value: String) -> Self {
        Self(SecretString::from(value))
    }
    /// The value, to be encrypted, sent to its issuer, or shown to who asked for it.
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }
    pub(super) fn inner(&self) -> SecretString {
        self.0.clone()
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(***)")
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        let (a, b) = (self.expose().as_bytes(), other.expose().as_bytes());
        aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
    }
}
impl Eq for Secret {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t32_a_secret_is_not_shown() {
        let secret = Secret::new("hunter2".to_owned());
        assert_eq!(
            format!("{secret:?} {:#?}", Some(&secret)),
            "Secret(***) Some(\n    Secret(***),\n)"
        );
        assert_eq!(secret, Secret::new("hunter2".to_owned()));
        assert_ne!(secret, Secret::new("hunter3".to_owned()));
    }
}
