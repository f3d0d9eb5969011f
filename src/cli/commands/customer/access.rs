//! `tenantry customer access`.

use super::table::table;
use super::{At, find, read};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::speakers::{self, Speakers};
use crate::estate::CustomerId;
use crate::estate::model::Customer;
use crate::github::budget::Budget;
use crate::setup::access::{Access, Asked, CustomerAccess, Known, Recorded, review};
use serde_json::json;

/// Behind the help.
pub const AFTER: &str = "Examples:
  tenantry customer access --estate infra-manager
  tenantry customer access --customer acme --format json > access-acme.json";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    at: At,
    /// Only this customer.
    #[arg(long)]
    customer: Option<CustomerId>,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let estate = read(&args.at)?;
    let customers: Vec<&Customer> = match &args.customer {
        Some(id) => vec![find(&estate, id)?],
        None => estate.customers.values().collect(),
    };
    if customers.is_empty() {
        printer.progress("there is no customer");
        return Ok(Exit::Nothing);
    }
    let speak = Speakers::new(env, &estate)?;
    let slug = speakers::manager(env, &estate)?;
    let budget = Budget {
        calls: 10 + customers.len() as u64,
        points: 0,
        creates: 0,
    };
    let left = speak.reader.calls_left().await;
    printer.progress(&format!(
        "reading who can reach what: {}",
        budget.line(left)
    ));
    if let Some(warning) = budget.warning(left) {
        printer.progress(&format!("warning: {warning}"));
    }
    let manager = speakers::trusted(&speak.reader, &slug, &estate).await;
    let asked = Asked {
        estate: &estate,
        manager: &manager,
        reader: &speak.reader,
        source: speak.source.as_ref(),
    };
    let access = review(&asked, &customers).await;
    let json = json!({"version": 1, "manager_repository": slug, "access": access});
    printer.result(&json, &text(&access, slug.as_str()));
    Ok(Exit::Done)
}

/// What is known, else that it is not.
fn or_unknown<T>(known: &Known<T>, show: impl Fn(&T) -> String) -> String {
    match known {
        Known::Known(value) => show(value),
        Known::Unknown(why) => format!("not known: {why}"),
    }
}

fn text(access: &Access, manager: &str) -> String {
    let mut rows = Vec::new();
    let mut row = |customer: &str, what: &str, who: String, how: &str| {
        rows.push(
            [customer, what, who.as_str(), how]
                .map(str::to_owned)
                .to_vec(),
        );
    };
    let credential = or_unknown(&access.credential.what, Clone::clone);
    match &access.manager {
        Known::Known(people) => {
            for person in people {
                row(
                    "every customer",
                    manager,
                    person.login.clone(),
                    &person.role,
                );
            }
        }
        Known::Unknown(why) => row("every customer", manager, format!("not known: {why}"), ""),
    }
    match &access.credential.others {
        Known::Known(others) => {
            for other in others {
                row(
                    "no customer",
                    other,
                    credential.clone(),
                    "the manager's credential",
                );
            }
        }
        Known::Unknown(why) => row(
            "no customer",
            "",
            format!("not known: {why}"),
            "the manager's credential",
        ),
    }
    for customer in &access.customers {
        of_customer(customer, &credential, &mut row);
    }
    table(&["CUSTOMER", "WHAT", "WHO", "HOW"], &rows)
}

fn of_customer(
    customer: &CustomerAccess,
    credential: &str,
    row: &mut impl FnMut(&str, &str, String, &str),
) {
    let id = customer.customer.as_str();
    let repository = customer.repository.as_ref().map_or("", |r| r.as_str());
    match &customer.reached {
        Known::Known(true) => row(
            id,
            repository,
            credential.to_owned(),
            "the manager's credential",
        ),
        Known::Known(false) => row(id, repository, "nobody".into(), "the manager's credential"),
        Known::Unknown(why) => row(
            id,
            repository,
            format!("not known: {why}"),
            "the manager's credential",
        ),
    }
    match &customer.people {
        Known::Known(people) => {
            for person in people {
                row(id, repository, person.login.clone(), &person.role);
            }
        }
        Known::Unknown(why) => row(id, repository, format!("not known: {why}"), "people"),
    }
    row(id, "requests", customer.hints.clone(), "send hints");
    for credential in &customer.credentials {
        let owner = credential.owner.as_deref().unwrap_or("owner not known");
        let what = format!("credential {}", credential.credential);
        row(id, &what, owner.to_owned(), &held(credential));
    }
    for environment in &customer.environments {
        let name = environment.environment.as_str();
        let reviewers = or_unknown(&environment.reviewers, |r| match r.is_empty() {
            true => "nobody is asked".to_owned(),
            false => r.join(", "),
        });
        row(id, name, reviewers, "approve");
        if environment.bypass == Known::Known(true) {
            row(id, name, "administrators".into(), "pass the approval over");
        }
        if let Some(role) = &environment.role {
            row(
                id,
                name,
                environment.subject.clone(),
                &format!("takes {role}"),
            );
        }
        if !environment.shared_with.is_empty() {
            let names: Vec<&str> = environment
                .shared_with
                .iter()
                .map(CustomerId::as_str)
                .collect();
            let who = match names.len() {
                n if n > 5 => format!("{} and {} more", names[..5].join(", "), n - 5),
                _ => names.join(", "),
            };
            row(id, name, who, "run with the same identity");
        }
    }
}

/// What a credential is for, how long, and who has it.
fn held(c: &Recorded) -> String {
    let mut out = vec![
        c.purpose.to_string(),
        c.kind.to_owned(),
        c.status.name().to_owned(),
        c.expires
            .as_ref()
            .map_or_else(|| "no end known".to_owned(), |day| format!("ends {day}")),
    ];
    out.extend(c.scopes.iter().map(|s| match s.is_empty() {
        true => "no scopes".to_owned(),
        false => format!("scopes {}", s.join(" ")),
    }));
    out.extend(
        c.places
            .iter()
            .map(|(place, name)| format!("secret {name} of {place}")),
    );
    out.extend(
        c.handed_over
            .as_ref()
            .map(|day| format!("handed over {day}")),
    );
    out.extend(c.kept.then(|| "kept encrypted".to_owned()));
    out.join(", ")
}
