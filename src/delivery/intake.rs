//! A hint arrives: verify the identity, read back, resolve, validate, print the matrix.

use super::error::{DeliveryError, Refusal};
use super::hint::{Event, Hint};
use super::identity::{self, Claims, Expected};
use super::manager::Manager;
use super::open::{Opened, Reason, open};
use super::publish;
use super::records::keys;
use super::ruleset;
use super::share;
use super::trail;
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

/// Serves one hint. `issuer` reads the issuer's keys.
pub async fn intake(
    manager: &Manager,
    payload: &Value,
    issuer: &Client,
) -> Result<Intake, DeliveryError> {
    let hint = Hint::read(payload)?;
    let caller = authenticate(manager, &hint, issuer).await?;
    match serve(manager, &hint, &caller).await {
        Ok(intake) => Ok(intake),
        Err(error) => {
            if caller.claims.is_some() {
                trail::refused(manager, &caller.customer.id, &error).await;
            }
            if let Some(sha) = caller.certain_commit(&hint) {
                tell(manager, caller.customer, &sha, &error).await;
            }
            Err(error)
        }
    }
}

/// Who a hint comes from, once that is certain. Nothing is ever written for anybody else.
struct Caller<'a> {
    customer: &'a Customer,
    claims: Option<Claims>,
}

impl Caller<'_> {
    /// The commit that a refusal is shown at. A status only ever goes to the caller's own
    /// repository, so the worst that a wrong commit can do is to be theirs.
    fn certain_commit(&self, hint: &Hint) -> Option<Sha> {
        match (&self.claims, hint.event) {
            (Some(claims), Event::Push) => Sha::new(&claims.sha).ok(),
            (Some(_), Event::PullRequest(_)) => Some(hint.sha.clone()),
            // Without a signature anybody could speak: only what is read back is answered.
            (None, _) => None,
        }
    }
}

/// The customer that a hint really comes from: by the signature, never by what the hint says.
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
        let customer = manager.estate.customer_of_repository(hint.repository_id);
        let customer = customer.ok_or_else(|| unknown(hint.repository_id))?;
        return Ok(Caller {
            customer,
            claims: None,
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
    Ok(Caller {
        customer,
        claims: Some(claims),
    })
}

/// Judges the identity and looks at what the hint points at.
async fn serve(
    manager: &Manager,
    hint: &Hint,
    caller: &Caller<'_>,
) -> Result<Intake, DeliveryError> {
    let mut sender = manager.run.sender.clone();
    if let Some(claims) = &caller.claims {
        let expected = Expected {
            issuer: &manager.estate.settings.oidc_issuer,
            audience: identity::audience(&manager.repository),
            at: run_time(manager).await?,
        };
        identity::judge(claims, &expected, hint)?;
        if once(manager, claims, hint).await?? {
            share::hint(manager, &caller.customer.id).await?;
        }
        sender = claims.actor_id.parse().ok().map(|id| User {
            login: claims.actor.clone(),
            id,
        });
    }
    let warnings = match manager.estate.settings.hints {
        HintMode::Direct => ruleset::check(manager).await?,
        mode => {
            let word = if mode == HintMode::Poll {
                "poll"
            } else {
                "inbox"
            };
            return Err(Refusal::new(
                "hint-mode",
                format!("this manager does not serve dispatches (`hints.mode: {word}` in tenantry.yml); it finds the change by itself, so leave MANAGER_REPO_PAT unset"),
            )
            .into());
        }
    };
    let reason = Reason {
        hint: Some(hint.request_id.as_str()),
        sender,
        again: false,
    };
    let opened = open(manager, caller.customer, hint.event, &hint.sha, reason).await?;
    Ok(Intake { opened, warnings })
}

/// A token serves one request. The same hint delivered twice is no replay; says whether this is
/// the first delivery.
async fn once(
    manager: &Manager,
    claims: &Claims,
    hint: &Hint,
) -> Result<Result<bool, Refusal>, DeliveryError> {
    let key = keys::identity(&claims.jti);
    let used = Used {
        request_id: hint.request_id.to_string(),
        run: manager.run.run.id,
        at: manager.clock.now(),
    };
    if manager.store.create_json(&key, &used).await? == Put::Done {
        return Ok(Ok(true));
    }
    let before = manager.store.read::<Used>(&key).await?;
    Ok(match before {
        Some((before, _)) if before.request_id == used.request_id => Ok(false),
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
async fn tell(manager: &Manager, customer: &Customer, sha: &Sha, error: &DeliveryError) {
    if let Err(failed) = publish::refused(manager, customer, sha, error).await {
        tracing::warn!(error = %failed, customer = %customer.id, "the customer could not be told");
    }
}
