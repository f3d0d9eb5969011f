//! The OIDC token of a customer's workflow: its signature, which says who speaks. What it says is
//! judged in [`super::claims`].

pub use super::claims::{Claims, Expected, audience, judge};

use super::claims::refuse;
use super::refusal::Refusal;
use crate::estate::ids::shown;
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};

/// Checks the signature against the issuer's keys. What comes back is authentic but not judged.
pub fn verify(token: &str, keys: &JwkSet) -> Result<Claims, Refusal> {
    let broken = || refuse("identity-signature", "it is not a valid signed token");
    if token.len() > 16 << 10 {
        return Err(broken());
    }
    let header = decode_header(token).map_err(|_| broken())?;
    if header.alg != Algorithm::RS256 {
        return Err(refuse("identity-algorithm", "it is not signed with RS256"));
    }
    let kid = header
        .kid
        .ok_or_else(|| refuse("identity-key", "it names no key"))?;
    let jwk = keys
        .find(&kid)
        .ok_or_else(|| refuse("identity-key", "its key is not one of the issuer's"))?;
    let key = DecodingKey::from_jwk(jwk)
        .map_err(|_| refuse("identity-key", "the issuer's key cannot be used"))?;
    let mut validation = Validation::new(Algorithm::RS256);
    validation.algorithms = vec![Algorithm::RS256];
    // Presence is demanded here; the values are judged in `judge`, against our own clock.
    validation.set_required_spec_claims(&["exp", "nbf", "aud", "iss", "sub"]);
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    decode::<Claims>(token, &key, &validation)
        .map(|d| d.claims)
        .map_err(|e| match e.kind() {
            jsonwebtoken::errors::ErrorKind::InvalidSignature => broken(),
            jsonwebtoken::errors::ErrorKind::MissingRequiredClaim(claim) => refuse(
                "identity-claims",
                format!("the claim `{}` is missing", shown(claim)),
            ),
            _ => refuse("identity-claims", "its claims are not those of a workflow"),
        })
}
