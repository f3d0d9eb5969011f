//! For whom the client speaks.

use super::app::App;
use crate::digest::Digest;

/// A token. `Debug` and `Display` do not show it.
#[derive(Clone)]
pub struct Token(String);

impl Token {
    /// Wraps a token.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
    /// The token, to be put into a header and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(***)")
    }
}

/// For whom the client speaks.
#[derive(Debug, Clone)]
pub enum Credential {
    /// For nobody.
    Nobody,
    /// For whoever a token belongs to.
    Token(Token),
    /// For a GitHub App, owner by owner.
    App(App),
}

impl Credential {
    /// Tells credentials apart without holding what is secret of them. The tokens of an App
    /// change every hour; its answers belong to an owner.
    pub(super) fn digest(&self, owner: Option<&str>) -> Digest {
        match self {
            Credential::Nobody => Digest::of(b"nobody"),
            Credential::Token(token) => Digest::of_parts([("token", token.expose().as_bytes())]),
            Credential::App(app) => Digest::of_parts([
                ("app", app.id().as_bytes()),
                ("owner", owner.unwrap_or_default().as_bytes()),
            ]),
        }
    }
}
