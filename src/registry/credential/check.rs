//! What is wrong with credentials, as far as the registry tells, and the encrypted file where it
//! is at hand.

use super::same::Values;
use super::successor;
use crate::estate::allow::Date;
use crate::estate::credential::{Credential, Moment, Status, breadth, days_between};
use crate::estate::model::{Customer, Status as Served};
use crate::estate::{CredentialId, CustomerId, Estate};
use crate::keyring::Content;
use serde::Serialize;

/// What kind of thing is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum Rule {
    /// Its last day has passed.
    #[serde(rename = "credential-expired")]
    Expired,
    /// Its last day is near.
    #[serde(rename = "credential-expiring")]
    Expiring,
    /// It cannot do what it is for.
    #[serde(rename = "credential-unfit")]
    Unfit,
    /// It may do more than its purpose needs.
    #[serde(rename = "credential-broad")]
    Broad,
    /// Two customers have the same.
    #[serde(rename = "credential-shared")]
    Shared,
    /// Entry and value do not belong together, or the customer is gone.
    #[serde(rename = "credential-orphaned")]
    Orphaned,
    /// Nobody needs it, and it is valid.
    #[serde(rename = "credential-unused")]
    Unused,
}

impl Rule {
    /// All of them.
    pub const ALL: [Rule; 7] = [
        Rule::Expired,
        Rule::Expiring,
        Rule::Unfit,
        Rule::Broad,
        Rule::Shared,
        Rule::Orphaned,
        Rule::Unused,
    ];
    /// Its id.
    pub fn id(self) -> &'static str {
        match self {
            Self::Expired => "credential-expired",
            Self::Expiring => "credential-expiring",
            Self::Unfit => "credential-unfit",
            Self::Broad => "credential-broad",
            Self::Shared => "credential-shared",
            Self::Orphaned => "credential-orphaned",
            Self::Unused => "credential-unused",
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Found {
    /// What kind.
    pub rule: Rule,
    /// Whose.
    pub customer: CustomerId,
    /// Which credential.
    pub credential: CredentialId,
    /// In a sentence.
    pub message: String,
    /// What to do.
    pub next: String,
}

/// By what is judged.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Today.
    pub today: Date,
    /// Now.
    pub now: Moment,
    /// Days before the last one from which on it is near.
    pub within: i64,
    /// Days after which a credential of which no use is recorded counts as unused.
    pub idle: i64,
}

/// Everything that is wrong, worst first.
pub fn check(estate: &Estate, content: Option<&Content>, limits: &Limits) -> Vec<Found> {
    let mut out = Vec::new();
    for customer in estate.customers.values() {
        for c in customer.credentials.iter().filter(|c| c.is_open()) {
            ends(customer, c, limits, &mut out);
            unfit(customer, c, &mut out);
            broad(customer, c, &mut out);
            unused(customer, c, limits, &mut out);
        }
    }
    shared(estate, content, &mut out);
    if let Some(content) = content {
        orphaned(estate, content, &mut out);
    }
    out.sort();
    out.dedup_by(|a, b| {
        (a.rule, &a.customer, &a.credential) == (b.rule, &b.customer, &b.credential)
    });
    out
}

fn found(
    rule: Rule,
    customer: &CustomerId,
    id: &CredentialId,
    message: String,
    next: String,
) -> Found {
    Found {
        rule,
        customer: customer.clone(),
        credential: id.clone(),
        message,
        next,
    }
}

fn command(verb: &str, customer: &CustomerId, id: &CredentialId) -> String {
    format!("`tenantry customer credential {verb} {customer} {id}`")
}

fn ends(customer: &Customer, c: &Credential, limits: &Limits, out: &mut Vec<Found>) {
    // What is being replaced may end.
    let Some(end) = c.expires.as_ref().filter(|_| c.status == Status::Active) else {
        return;
    };
    let left = days_between(&limits.today, end);
    let next = format!(
        "{} puts a new one in its place",
        command("rotate", &customer.id, &c.id)
    );
    if left < 0 {
        out.push(found(
            Rule::Expired,
            &customer.id,
            &c.id,
            format!("its last day was {end}"),
            format!(
                "{next}; {} records that it is not needed any more",
                command("revoke", &customer.id, &c.id)
            ),
        ));
    } else if left <= limits.within {
        let days = match left {
            0 => "today".to_owned(),
            1 => "tomorrow".to_owned(),
            n => format!("in {n} days"),
        };
        out.push(found(
            Rule::Expiring,
            &customer.id,
            &c.id,
            format!("it ends {days}, on {end}"),
            next,
        ));
    }
}

fn unfit(customer: &Customer, c: &Credential, out: &mut Vec<Found>) {
    let judged = breadth(&c.purpose, c.kind, c.scopes.as_deref());
    // What is being replaced is taken care of.
    let Some(why) = judged.unfit.filter(|_| c.status == Status::Active) else {
        return;
    };
    out.push(found(
        Rule::Unfit,
        &customer.id,
        &c.id,
        format!("it cannot be used for `{}`: {why}", c.purpose),
        format!(
            "put one that fits in its place with {}",
            command("rotate", &customer.id, &c.id)
        ),
    ));
}

fn broad(customer: &Customer, c: &Credential, out: &mut Vec<Found>) {
    if c.accepted.is_some() {
        return;
    }
    let judged = breadth(&c.purpose, c.kind, c.scopes.as_deref());
    if !judged.broad.is_empty() {
        out.push(found(
            Rule::Broad,
            &customer.id,
            &c.id,
            format!(
                "it may do more than `{}` needs: {}",
                c.purpose,
                judged.broad.join("; ")
            ),
            format!(
                "put a narrower one in its place with {}",
                command("rotate", &customer.id, &c.id)
            ),
        ));
    }
}

fn unused(customer: &Customer, c: &Credential, limits: &Limits, out: &mut Vec<Found>) {
    let mut say = |message: String, next: String| {
        out.push(found(Rule::Unused, &customer.id, &c.id, message, next));
    };
    let revoke = format!(
        "{} takes it out of service",
        command("revoke", &customer.id, &c.id)
    );
    if c.status == Status::Rotating {
        let over = c.until.as_ref().is_some_and(|until| *until < limits.now);
        match successor(customer, &c.id) {
            Some(new) if over => say(
                format!("`{}` has taken its place, and it is still valid", new.id),
                format!("{} ends it", command("rotate", &customer.id, &c.id)),
            ),
            Some(_) => {}
            None => say(
                "it was being replaced, and what was to replace it is revoked or gone".to_owned(),
                format!("{} begins again", command("rotate", &customer.id, &c.id)),
            ),
        }
        return;
    }
    if customer.status == Served::Active && !customer.subscriptions.iter().any(|s| s.enabled) {
        say("its customer subscribes to nothing".to_owned(), revoke);
        return;
    }
    let old = c
        .created
        .as_ref()
        .is_some_and(|day| days_between(day, &limits.today) > limits.idle);
    if old && !c.stored && c.places.is_empty() && c.handed_over.is_none() {
        say(
            format!(
                "for more than {} days it is neither kept here, nor a secret of GitHub Actions, nor was it handed over",
                limits.idle
            ),
            format!(
                "{revoke}; if somebody uses it, record that: `credentials.{}.handed_over` in customers/{}/metadata.yaml",
                c.id, customer.id
            ),
        );
    }
}

/// One secret under two names.
fn shared(estate: &Estate, content: Option<&Content>, out: &mut Vec<Found>) {
    let values = Values::of(estate, content);
    for same in values.shared() {
        for (customer, c) in same {
            let others: Vec<String> = same
                .iter()
                .filter(|(o, other)| (&o.id, &other.id) != (&customer.id, &c.id))
                .map(|(o, other)| format!("`{}` of customer `{}`", other.id, o.id))
                .collect();
            out.push(found(
                Rule::Shared,
                &customer.id,
                &c.id,
                format!("it is the same secret as {}", others.join(", ")),
                format!(
                    "give each one of its own with {}",
                    command("rotate", &customer.id, &c.id)
                ),
            ));
        }
    }
}

fn orphaned(estate: &Estate, content: &Content, out: &mut Vec<Found>) {
    for kept in &content.kept {
        let (customer, id) = (&kept.customer, &kept.credential);
        let entry = estate
            .customers
            .get(customer)
            .map(|c| c.credentials.iter().find(|c| c.id == *id));
        let (message, next) = match entry {
            None => (
                "its value is kept, but its customer is not in the registry any more".to_owned(),
                format!(
                    "{} revokes it and forgets the value",
                    command("revoke", customer, id)
                ),
            ),
            Some(None) => (
                "its value is kept, but there is no entry for it".to_owned(),
                match &kept.replaces {
                    Some(old) => format!("{} goes on with it", command("rotate", customer, old)),
                    None => format!(
                        "add it again with `tenantry customer credential add {customer}`, or take it out of service with {}",
                        command("revoke", customer, id)
                    ),
                },
            ),
            Some(Some(c)) if !c.is_open() => (
                "it is revoked, but its value is still kept".to_owned(),
                format!("{} forgets it", command("revoke", customer, id)),
            ),
            // A value that was lent for a rotation is taken back at its end.
            Some(Some(c)) if !c.stored && !kept.passing => (
                "its value is kept, but its entry does not say so".to_owned(),
                format!(
                    "write `stored: true` into its entry in customers/{customer}/metadata.yaml; {} takes it out of service",
                    command("revoke", customer, id)
                ),
            ),
            Some(Some(_)) => continue,
        };
        out.push(found(Rule::Orphaned, customer, id, message, next));
    }
    for customer in estate.customers.values() {
        for c in customer
            .credentials
            .iter()
            .filter(|c| c.stored && c.is_open())
        {
            if content.find(&customer.id, &c.id).is_none() {
                out.push(found(
                    Rule::Orphaned,
                    &customer.id,
                    &c.id,
                    "its entry says that its value is kept, but it is not in the encrypted file".to_owned(),
                    "is this the right file? (--credentials FILE) Otherwise remove `stored` from its entry".to_owned(),
                ));
            }
        }
    }
}

/// The last day of what ends first among what a customer has, and how many there are.
pub fn summary(customer: &Customer) -> (usize, Option<&Date>) {
    let open = customer.credentials.iter().filter(|c| c.is_open());
    let count = open.clone().count();
    let first = open
        .filter(|c| c.status == Status::Active)
        .filter_map(|c| c.expires.as_ref())
        .min();
    (count, first)
}
