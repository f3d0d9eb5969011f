//! Secrets of GitHub Actions, of a repository or of one of its environments. Their values go in as
//! sealed boxes and never come out.

use super::api::{Result, enc};
use super::client::{Client, Repeat};
use crate::estate::{SecretName, SecretPlace};
use http::Method;
use serde::Deserialize;
use serde_json::json;

/// What secrets of one place are sealed for.
#[derive(Debug, Clone, Deserialize)]
pub struct PublicKey {
    /// Names it in the call that sets a secret.
    pub key_id: String,
    /// 32 bytes, base64.
    pub key: String,
}

/// What is known of a secret.
#[derive(Debug, Clone, Deserialize)]
pub struct SecretInfo {
    /// Its name.
    pub name: String,
    /// ISO 8601.
    pub updated_at: String,
}

fn folder(place: &SecretPlace) -> String {
    let repository = place
        .repository()
        .map_or_else(String::new, |r| r.to_string());
    match place.environment() {
        None => format!("/repos/{repository}/actions/secrets"),
        Some(name) => format!("/repos/{repository}/environments/{}/secrets", enc(name)),
    }
}

impl Client {
    /// What secrets of this place are sealed for.
    pub async fn secrets_key(&self, place: &SecretPlace) -> Result<PublicKey> {
        self.read(&format!("{}/public-key", folder(place))).await
    }
    /// What is known of a secret.
    pub async fn secret(&self, place: &SecretPlace, name: &SecretName) -> Result<SecretInfo> {
        self.read(&format!("{}/{name}", folder(place))).await
    }
    /// Sets a secret to a sealed value (base64). A repetition does no harm.
    pub async fn set_secret(
        &self,
        place: &SecretPlace,
        name: &SecretName,
        key_id: &str,
        sealed: &str,
    ) -> Result<()> {
        let body = json!({"encrypted_value": sealed, "key_id": key_id});
        let path = format!("{}/{name}", folder(place));
        self.write(Method::PUT, &path, &body, Repeat::Safe)
            .await
            .map(|_| ())
    }
}
