//! Tokens out of a list in plain text: `customers.json` of the cased kind.

use super::ask::ask;
use super::{Hand, RegistryError, entry, free_id, secret};
use crate::estate::credential::{Credential, Kind, Status, breadth, fingerprint, last_four};
use crate::estate::model::Customer;
use crate::estate::yaml_edit::Change;
use crate::estate::{CredentialId, CustomerId, Estate, Finding, Findings, Purpose};
use crate::github::ClientSettings;
use crate::keyring::{Content, Kept, Secret};
use crate::registry::import::{Format, Listed, list};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A token and whose it is.
#[derive(Debug)]
pub struct Token {
    /// The row of the list.
    pub listed: Listed,
    /// The value.
    pub value: Secret,
}

#[derive(Deserialize)]
struct Rows {
    customers: Vec<Row>,
}

/// No `Debug`.
#[derive(Deserialize)]
struct Row {
    token: Option<String>,
}

/// What becomes of a list.
#[derive(Debug, Default)]
pub struct Taken {
    /// What is to be kept.
    pub kept: Vec<Kept>,
    /// What the entries must say.
    pub changes: Vec<(CustomerId, Vec<Change>)>,
    /// Customers whose token GitHub does not take (any more).
    pub dead: Vec<CustomerId>,
    /// How many are there already.
    pub there: usize,
    /// How many may do more than they should.
    pub broad: usize,
    /// What cannot be used for its purpose.
    pub unfit: Vec<Unfit>,
}

/// A token that is kept and cannot do what it is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unfit {
    /// Whose.
    pub customer: CustomerId,
    /// As what it is recorded.
    pub credential: CredentialId,
    /// Why.
    pub why: String,
}

/// Reads the tokens of a list. Nothing of them is ever quoted.
pub fn tokens(path: &str, bytes: &[u8]) -> Result<Vec<Token>, Findings> {
    let listed = list(path, bytes, Format::Cased)?;
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    let refuse = |why: String| {
        Findings::one(Finding::error(
            crate::estate::Place::file(path),
            "estate",
            why,
        ))
    };
    let rows: Rows = serde_json::from_slice(bytes)
        .map_err(|_| refuse("a `token` is not a text; correct the list".to_owned()))?;
    let mut out = Vec::new();
    let mut wrong = Vec::new();
    for (listed, row) in listed.customers.into_iter().zip(rows.customers) {
        let Some(token) = row.token.filter(|t| !t.is_empty()) else {
            continue;
        };
        match secret(&token) {
            Ok(value) => out.push(Token { listed, value }),
            Err(e) => wrong.push(Finding::error(
                listed.place.clone(),
                "estate",
                format!("customer `{}`: {e}; correct the list", listed.id),
            )),
        }
    }
    match wrong.is_empty() {
        true => Ok(out),
        false => Err(Findings(wrong)),
    }
}

/// Judges every token. An old list may hold what nobody would add today, so what is too broad,
/// shared or of no use is taken, and `check` finds it.
pub async fn judge(
    estate: &Estate,
    content: &Content,
    tokens: &[Token],
    purpose: &Purpose,
    settings: Option<&ClientSettings>,
    hand: &Hand,
) -> Result<Taken, RegistryError> {
    let mut out = Taken::default();
    let mut future = content.clone();
    for token in tokens {
        let customer = customer(estate, &token.listed.id)?;
        if is_there(customer, content, &token.value) {
            out.there += 1;
            continue;
        }
        let kind = Kind::of(token.value.expose());
        let told = match settings.filter(|_| kind.asks_github()) {
            None => None,
            Some(settings) => match ask(settings, &token.value, kind, purpose, hand.now).await {
                Ok(told) => Some(told),
                Err(RegistryError::Refused { .. }) => {
                    out.dead.push(customer.id.clone());
                    continue;
                }
                Err(other) => return Err(other),
            },
        };
        if told.as_ref().is_some_and(|t| !t.breadth.broad.is_empty()) {
            out.broad += 1;
        }
        let judged = told.as_ref().map(|t| t.breadth.clone());
        let judged = judged.unwrap_or_else(|| breadth(purpose, kind, None));
        // A value that waits for its entry keeps its id.
        let waiting = content
            .kept
            .iter()
            .find(|k| k.customer == customer.id && k.value == token.value);
        let id = match waiting {
            Some(kept) => kept.credential.clone(),
            None => free_id(customer, Some(&future), purpose)?,
        };
        if let Some(why) = judged.unfit {
            out.unfit.push(Unfit {
                customer: customer.id.clone(),
                credential: id.clone(),
                why,
            });
        }
        let kept = Kept {
            customer: customer.id.clone(),
            credential: id.clone(),
            value: token.value.clone(),
            at: hand.now,
            by: hand.by.clone(),
            replaces: None,
            passing: false,
        };
        future.put(kept.clone());
        let credential = Credential {
            id,
            purpose: purpose.clone(),
            kind,
            status: Status::Active,
            owner: told.as_ref().map(|t| t.owner.clone()),
            created: Some(
                token
                    .listed
                    .added
                    .clone()
                    .unwrap_or_else(|| hand.today.clone()),
            ),
            expires: told.as_ref().and_then(|t| t.expires.clone()),
            fingerprint: fingerprint(token.value.expose()),
            last_four: last_four(token.value.expose()),
            verified: told.as_ref().map(|_| hand.today.clone()),
            scopes: told.and_then(|t| t.scopes),
            accepted: None,
            stored: true,
            handed_over: None,
            places: BTreeMap::new(),
            replaces: None,
            until: None,
            revoked: None,
        };
        let changes = entry(&credential, None);
        match out.changes.iter_mut().find(|(c, _)| *c == customer.id) {
            Some((_, all)) => all.extend(changes),
            None => out.changes.push((customer.id.clone(), changes)),
        }
        out.kept.push(kept);
    }
    Ok(out)
}

fn customer<'a>(estate: &'a Estate, id: &CustomerId) -> Result<&'a Customer, RegistryError> {
    estate.customers.get(id).ok_or_else(|| {
        RegistryError::refused(
            format!("customer `{id}` of the list is not in the registry"),
            "import the customers first: `tenantry customer import --format cased FILE`",
        )
    })
}

fn is_there(customer: &Customer, content: &Content, value: &Secret) -> bool {
    let print = fingerprint(value.expose());
    customer.credentials.iter().any(|c| {
        let kept = content.find(&customer.id, &c.id);
        print.is_some() && c.fingerprint == print || kept.is_some_and(|k| k.value == *value)
    })
}
