//! A hint arrives: verify the identity, read back, resolve, validate, print the matrix.

use super::error::{DeliveryError, Refusal};
use super::hint::{Event, Hint};
use super::identity::{self, Claims, Expected};
use super::manager::Manager;
use super::open::{Opened, Reason, open};
use super::publish;
use super::records::keys;
use super::ruleset;
use crate::clock::Time;
use crate::estate::Sha;
use crate::estate::model::Customer;
use crate::estate::settings::HintMode;
use crate::github::Client;
use crate::github::model::User;
use crate::store::Put;
use jsonwebtoken::jwk::JwkSet;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A token that was used, so that it is not used twice.
#[derive(Debug, Serialize, Deserialize)]
struct Used {
    request_id: String,
    run: u64,
    at: Time,
}

/// What came of a hint.
#[derive(Debug)]
pub struct Intake {
    /// What there is to do.
    pub opened: Opened,
    /// Warnings for the provider's log.
    pub warnings: Vec<String>,
}

/// Who a hint comes from, once that is certain.
struct Caller<'a> {
    customer: &'a Customer,
    sender: Option<User>,
}

/// Serves one hint. `issuer` reads the issuer's keys.
pub async fn intake(
    manager: &Manager,
    payload: &Value,
    issuer: &Client,
) -> Result<Intake, DeliveryError> {
    let mut warnings = Vec::new();
    let hint = Hint::read(payload)?;
    if manager.estate.settings.hints == HintMode::Direct {
        warnings.extend(ruleset::check(manager).await?);
    }
    let caller = authenticate(manager, &hint, issuer).await?;
    let reason = Reason {
        hint: Some(hint.request_id.as_str()),
        sender: caller.sender,
    };
    match open(manager, caller.customer, hint.event, &hint.sha, reason).await {
        Ok(opened) => Ok(Intake { opened, warnings }),
        Err(error) => {
            tell(manager, caller.customer, &hint.sha, hint.event, &error).await;
            Err(error)
        }
    }
}

/// The customer that a hint really comes from. Nothing is ever written for anybody else.
async fn authenticate<'a>(
    manager: &'a Manager,
    hint: &Hint,
    issuer: &Client,
) -> Result<Caller<'a>, DeliveryError> {
    let unknown = |id: u64| {
        Refusal::new(
            "unknown-customer",
            format!(
                "repository id {id} is not registered; the provider adds it as `repository_id` to customers/<customer>/metadata.yaml"
            ),
        )
    };
    if !manager.estate.settings.identity_required {
        // The provider has said that this server has no OIDC: what is read back must do.
        let customer = manager
            .estate
            .customer_of_repository(hint.repository_id)
            .ok_or_else(|| unknown(hint.repository_id))?;
        return Ok(Caller {
            customer,
            sender: manager.run.sender.clone(),
        });
    }
    let token = hint.identity.as_deref().ok_or_else(|| {
        Refusal::new("identity-missing", "the request carries no identity token; give the customer's workflow `permissions: id-token: write`")
    })?;
    let keys: JwkSet = serde_json::from_value(issuer.get_json("/.well-known/jwks").await?)
        .map_err(|e| {
            Refusal::new(
                "identity-issuer",
                format!("the issuer's keys cannot be read: {e}"),
            )
        })?;
    let claims = identity::verify(token, &keys)?;
    // From here on the speaker is certain, so a refusal can be told to them, and to nobody else.
    let id: u64 = claims.repository_id.parse().map_err(|_| {
        Refusal::new(
            "identity-claims",
            "the identity token's repository id is not a number",
        )
    })?;
    let customer = manager
        .estate
        .customer_of_repository(id)
        .ok_or_else(|| unknown(id))?;
    let expected = Expected {
        issuer: &manager.estate.settings.oidc_issuer,
        audience: identity::audience(&manager.repository),
        at: run_time(manager).await?,
    };
    let judged = identity::judge(&claims, &expected, hint);
    let judged = match judged {
        Ok(()) => once(manager, &claims, hint).await?,
        Err(refusal) => Err(refusal),
    };
    if let Err(refusal) = judged {
        let error = DeliveryError::from(refusal);
        // The commit is taken from the token, which GitHub signed.
        if let (Ok(sha), Event::Push) = (Sha::new(&claims.sha), hint.event) {
            tell(manager, customer, &sha, hint.event, &error).await;
        }
        return Err(error);
    }
    let sender = claims.actor_id.parse().ok().map(|id| User {
        login: claims.actor.clone(),
        id,
    });
    Ok(Caller { customer, sender })
}

/// A token serves one request. The same hint delivered twice is no replay.
async fn once(
    manager: &Manager,
    claims: &Claims,
    hint: &Hint,
) -> Result<Result<(), Refusal>, DeliveryError> {
    let key = keys::identity(&claims.jti);
    let used = Used {
        request_id: hint.request_id.to_string(),
        run: manager.run.run.id,
        at: manager.clock.now(),
    };
    if manager.store.create_json(&key, &used).await? == Put::Done {
        return Ok(Ok(()));
    }
    let before = manager.store.read::<Used>(&key).await?;
    Ok(match before {
        Some((before, _)) if before.request_id == used.request_id => Ok(()),
        _ => Err(Refusal::new(
            "identity-replayed",
            "the identity token was used already for another request; run the workflow again",
        )),
    })
}

/// When the manager's run was made, as GitHub says; our own clock if it does not.
async fn run_time(manager: &Manager) -> Result<Time, DeliveryError> {
    let now = manager.clock.now();
    match manager
        .own
        .run(&manager.repository, manager.run.run.id)
        .await
    {
        Ok(run) => Ok(chrono::DateTime::parse_from_rfc3339(&run.created_at)
            .ok()
            .and_then(|t| u64::try_from(t.timestamp()).ok())
            .map_or(now, |t| Time(t.min(now.0)))),
        Err(e) if e.is_not_found() => Ok(now),
        Err(e) => Err(e.into()),
    }
}

/// Tells a customer that their request was refused. That this fails must not hide the refusal.
async fn tell(
    manager: &Manager,
    customer: &Customer,
    sha: &Sha,
    event: Event,
    error: &DeliveryError,
) {
    if let Err(failed) = publish::refused(manager, customer, sha, event, error).await {
        tracing::warn!(error = %failed, customer = %customer.id, "the customer could not be told");
    }
}
