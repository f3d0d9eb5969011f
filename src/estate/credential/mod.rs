//! Credentials of customers: everything that may be known of them to whoever reads the manager
//! repository. Secret values are never here.

mod breadth;
mod kind;
mod read;

pub use breadth::{Breadth, DISPATCH, PULL, SOURCE, breadth};
pub use kind::{Kind, fingerprint, last_four};
pub(super) use read::read;

use super::allow::Date;
use super::ids::{CredentialId, Purpose, SecretName, SecretPlace};
use crate::digest::Digest;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

/// Where in its life a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// In use.
    Active,
    /// Replaced by another one, and still valid for what has read it before.
    Rotating,
    /// Not valid any more.
    Revoked,
}

impl Status {
    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Rotating => "rotating",
            Self::Revoked => "revoked",
        }
    }
}

/// One entry of `credentials` in a customer's `metadata.yaml`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Its id, unique for the customer.
    pub id: CredentialId,
    /// What it is for.
    pub purpose: Purpose,
    /// What it is.
    pub kind: Kind,
    /// Where in its life it is.
    pub status: Status,
    /// Whose it is: a login.
    pub owner: Option<String>,
    /// The day on which it was recorded, or of which a list says that it is from.
    pub created: Option<Date>,
    /// Its last day; none that is known if absent.
    pub expires: Option<Date>,
    /// Of the value; only of what a machine has made, because what a person has made up could be
    /// guessed from it.
    pub fingerprint: Option<Digest>,
    /// The end of the value, for people; again only of what a machine has made.
    pub last_four: Option<String>,
    /// What it may do, where its issuer has said so.
    pub scopes: Option<Vec<String>>,
    /// The day on which its issuer was asked last.
    pub verified: Option<Date>,
    /// Why it may do more than its purpose needs.
    pub accepted: Option<String>,
    /// Whether its value is in the encrypted file.
    pub stored: bool,
    /// The day on which somebody got it to use it outside of GitHub Actions.
    pub handed_over: Option<Date>,
    /// Where it was put as a secret of GitHub Actions.
    pub places: BTreeMap<SecretPlace, SecretName>,
    /// Which one it took the place of.
    pub replaces: Option<CredentialId>,
    /// While it is rotating: what began before has ended by then.
    pub until: Option<Moment>,
    /// The day on which it was revoked.
    pub revoked: Option<Date>,
}

impl Credential {
    /// Whether it can still be used by somebody.
    pub fn is_open(&self) -> bool {
        self.status != Status::Revoked
    }
}

/// A moment in a file, written `2026-11-21T20:10:00Z`. Orders as moments do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Moment(String);

const FORM: &str = "%Y-%m-%dT%H:%M:%SZ";

impl Moment {
    /// Seconds since 1970.
    pub fn at(seconds: u64) -> Self {
        let time = i64::try_from(seconds)
            .ok()
            .and_then(|s| chrono::DateTime::from_timestamp(s, 0));
        Self(time.map_or_else(String::new, |t| t.format(FORM).to_string()))
    }
}

impl FromStr for Moment {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let moment = chrono::NaiveDateTime::parse_from_str(text, FORM)
            .ok()
            .map(|m| m.format(FORM).to_string())
            .filter(|m| m == text);
        moment.map(Self).ok_or_else(|| {
            format!(
                "`{}` is not a moment; write it as `\"2027-01-31T12:00:00Z\"`, in quotes",
                super::ids::shown(text)
            )
        })
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Days from `from` to `to`; negative where `to` has passed.
pub fn days_between(from: &Date, to: &Date) -> i64 {
    let day = |d: &Date| chrono::NaiveDate::parse_from_str(&d.to_string(), "%Y-%m-%d").ok();
    match (day(from), day(to)) {
        (Some(from), Some(to)) => to.signed_duration_since(from).num_days(),
        // A `Date` is a day, so this is not reached.
        _ => 0,
    }
}
