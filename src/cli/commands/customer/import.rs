//! `tenantry customer import`.

use super::{Change, client, finish, hold, owner, products, refused, templates};
use crate::cli::commands::validate::today;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format as Output, Printer};
use crate::estate::entry::Suspension;
use crate::estate::{CustomerId, Estate, Finding, Findings, ProductId};
use crate::registry::RegistryError;
use crate::registry::add::{NewCustomer, Repository, Taken, named_by_rule};
use crate::registry::import::{Format, List, Listed, MAX_BYTES, list};
use crate::registry::lookup::{Found, Networks, look_up_all};
use crate::registry::plan::Plan;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Behind the help.
pub const AFTER: &str = "Formats of a list: `cased` is {\"customers\": [{\"name\", \"email\", \"token\", \"added_date\", \"status\"}]};\n`csv` has a header name,repository,contact,tier,region,wave in any order, also id and repository_id.\nTokens are never copied. Customers who are there already are left as they are, so a list may be\nimported twice. Everything is checked before the first file is written.\n\nExamples:\n  tenantry customer import --format cased customers.json --dry-run\n  tenantry customer import --format csv customers.csv --product web";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    change: Change,
    /// The list.
    #[arg(default_value = "customers.json")]
    file: PathBuf,
    /// How the list is written, like --format cased and --format csv; leaves --format json to the
    /// result.
    #[arg(long, value_enum)]
    from: Option<From>,
    /// What they subscribe to; may be repeated. The only product when absent.
    #[arg(long = "product", value_name = "PRODUCT")]
    products: Vec<ProductId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum From {
    /// `customers.json` of the cased kind.
    Cased,
    /// Comma-separated values.
    Csv,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let format = match (args.from, printer.format) {
        (Some(From::Cased), _) | (None, Output::Cased) => Format::Cased,
        (Some(From::Csv), _) | (None, Output::Csv) => Format::Csv,
        _ => {
            return Err(CliError::usage("how the list is written was not said")
                .hint("add --format cased or --format csv"));
        }
    };
    let path = args.file.display().to_string();
    let unreadable = |e: std::io::Error| CliError::usage(format!("`{path}` cannot be read: {e}"));
    if std::fs::metadata(&args.file).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(
            CliError::failed(format!("`{path}` is larger than {MAX_BYTES} bytes")).hint("split it"),
        );
    }
    let bytes = std::fs::read(&args.file).map_err(unreadable)?;
    let List {
        customers,
        tokens,
        left_out,
    } = list(&path, &bytes, format)?;
    let (held, estate) = hold(&args.change, printer)?;
    let products = products(&estate, &args.products)?;
    let mut wrong = Vec::new();
    let (there, new): (Vec<&Listed>, Vec<&Listed>) =
        customers.iter().partition(|c| is_there(&estate, c));
    let mut found = looked_up(&estate, &new, env, printer, &mut wrong).await?;
    let mut taken = Taken::by(&estate, None);
    let mut networks = Networks::new(&estate);
    let templates = templates(&args.change.at.estate)?;
    let client = client(&estate, env)?;
    let mut plan = Plan::default();
    for listed in &new {
        let found = found.remove(&listed.id);
        let one = async {
            if let Some(slug) = &listed.repository {
                named_by_rule(&estate, owner(&estate, env), &listed.id, slug)?;
            }
            let customer = customer(listed, found.as_ref(), &products, today()?);
            taken.take(&customer)?;
            if let Some(found) = &found {
                let asking = |n| super::add::asking(printer, n);
                networks.join(&client, &listed.id, found, asking).await?;
            }
            Ok::<_, RowError>(customer.step(&templates)?)
        };
        match one.await {
            Ok(step) => plan.steps.push(step),
            Err(RowError::Cli(e)) => return Err(e),
            Err(RowError::Registry(e)) => wrong.push(at_row(listed, e).map_err(refused)?),
        }
    }
    if !wrong.is_empty() {
        return Err(Findings(wrong).into());
    }
    let plan = plan.judged(&estate).map_err(refused)?;
    let exit = finish(&plan, held.as_ref(), printer)?;
    let without = new.iter().filter(|c| c.repository.is_none()).count();
    let inactive = new.iter().filter(|c| c.inactive.is_some()).count();
    say(printer, there.len(), "there already and left as they are");
    say(
        printer,
        without,
        "without a repository and not served yet; `tenantry customer set ID repository=OWNER/NAME` records one",
    );
    say(
        printer,
        inactive,
        "not active in the list, so suspended here",
    );
    if tokens > 0 {
        printer.progress(&format!(
            "{tokens} token{} left out: tokens are never copied into the estate; `tenantry customer credential import` encrypts them",
            if tokens == 1 { " was" } else { "s were" }
        ));
    }
    for (key, times) in left_out {
        printer.progress(&format!(
            "the key `{key}` was left out {times} times: the registry has no place for it"
        ));
    }
    Ok(exit)
}

fn say(printer: &Printer, count: usize, what: &str) {
    if count > 0 {
        let word = if count == 1 {
            "customer is"
        } else {
            "customers are"
        };
        printer.progress(&format!("{count} {word} {what}"));
    }
}

/// What is wrong with a row, or with everything.
enum RowError {
    Registry(RegistryError),
    Cli(CliError),
}

impl std::convert::From<RegistryError> for RowError {
    fn from(e: RegistryError) -> Self {
        Self::Registry(e)
    }
}
impl std::convert::From<CliError> for RowError {
    fn from(e: CliError) -> Self {
        Self::Cli(e)
    }
}

/// A refusal as a finding about its row. What is no refusal ends the command.
fn at_row(listed: &Listed, error: RegistryError) -> Result<Finding, RegistryError> {
    match error {
        RegistryError::Refused { message, next } => Ok(Finding::error(
            listed.place.clone(),
            "estate",
            format!("customer `{}`: {message}; {next}", listed.id),
        )),
        other => Err(other),
    }
}

/// Whether the estate has this very customer: the same id, name and repository.
fn is_there(estate: &Estate, listed: &Listed) -> bool {
    let same = |slug: &str| {
        listed
            .repository
            .as_ref()
            .is_some_and(|r| r.as_str().eq_ignore_ascii_case(slug))
    };
    estate.customers.get(&listed.id).is_some_and(|c| {
        let repository = c.repository.as_ref();
        c.name == listed.name
            && (listed.repository.is_none() || repository.is_some_and(|r| same(r.as_str())))
    })
}

/// The repositories whose numbers the list does not say.
async fn looked_up(
    estate: &Estate,
    new: &[&Listed],
    env: &Env,
    printer: &Printer,
    wrong: &mut Vec<Finding>,
) -> Result<HashMap<CustomerId, Found>, CliError> {
    let asked: Vec<&&Listed> = new
        .iter()
        .filter(|c| c.repository.is_some() && c.repository_id.is_none())
        .collect();
    let given = new.iter().filter(|c| c.repository_id.is_some()).count();
    say(
        printer,
        given,
        "recorded with the id that the list gives, without a look-up",
    );
    if asked.is_empty() {
        return Ok(HashMap::new());
    }
    printer.progress(&format!(
        "looking up {} repositories ({} calls to GitHub)",
        asked.len(),
        asked.len()
    ));
    let slugs: Vec<_> = asked.iter().filter_map(|c| c.repository.clone()).collect();
    let mut out = HashMap::new();
    for (listed, answer) in asked
        .iter()
        .zip(look_up_all(&client(estate, env)?, &slugs).await)
    {
        match answer {
            Ok(found) => {
                out.insert(listed.id.clone(), found);
            }
            Err(e) => wrong.push(at_row(listed, e).map_err(refused)?),
        }
    }
    Ok(out)
}

fn customer(
    listed: &Listed,
    found: Option<&Found>,
    products: &[ProductId],
    today: crate::estate::allow::Date,
) -> NewCustomer {
    let given = listed.repository.clone().zip(listed.repository_id);
    let repository = match found {
        Some(found) => Some(Repository::from(found)),
        None => given.map(|(slug, id)| Repository {
            slug,
            id,
            owner_id: None,
        }),
    };
    NewCustomer {
        id: listed.id.clone(),
        name: listed.name.clone(),
        repository,
        contact: listed.contact.clone(),
        tier: listed.tier.clone(),
        region: listed.region.clone(),
        wave: listed.wave.clone(),
        roles: BTreeMap::new(),
        suspension: listed.inactive.as_ref().map(|word| Suspension {
            reason: format!("`{word}` in the list that was imported"),
            public: false,
            since: Some(today.clone()),
        }),
        added: listed.added.clone().unwrap_or(today),
        products: products.to_vec(),
    }
}
