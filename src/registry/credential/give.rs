//! Putting a value where workflows find it: a secret of GitHub Actions, in a sealed box.

use super::RegistryError;
use crate::estate::{SecretName, SecretPlace};
use crate::github::{Client, GithubError};
use crate::keyring::{Secret, sealed};

/// Sets one secret, and looks whether GitHub has it.
pub async fn give(
    client: &Client,
    place: &SecretPlace,
    name: &SecretName,
    secret: &Secret,
) -> Result<(), RegistryError> {
    let unseen = |e: GithubError| match e {
        GithubError::NotFound { .. } | GithubError::Forbidden { .. } => RegistryError::refused(
            format!("the secret `{name}` of `{place}` cannot be set: {e}"),
            "TENANTRY_SETUP_TOKEN (or GITHUB_TOKEN) needs `secrets: write` there, for an environment `environments: write`; does the environment exist?",
        ),
        other => other.into(),
    };
    let key = client.secrets_key(place).await.map_err(unseen)?;
    let sealed = sealed::seal(&key.key, secret).map_err(|e| {
        RegistryError::refused(
            format!("`{place}`: {e}"),
            "is GITHUB_API_URL the address of a GitHub?",
        )
    })?;
    client
        .set_secret(place, name, &key.key_id, &sealed)
        .await
        .map_err(unseen)?;
    let there = client.secret(place, name).await.map_err(unseen)?;
    match there.name.eq_ignore_ascii_case(name.as_str()) {
        true => Ok(()),
        false => Err(RegistryError::refused(
            format!("GitHub does not show the secret `{name}` of `{place}` after it was set"),
            "run the command again",
        )),
    }
}
