//! `tenantry customer add`: a new customer.

use super::{Change, client, finish, hold, owner, products, refused, templates, words};
use crate::cli::commands::validate::today;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::estate::{CustomerId, EnvironmentId, Estate, ProductId, RepoSlug};
use crate::registry::add::{NewCustomer, Repository, Taken, named_by_rule};
use crate::registry::lookup::{Networks, look_up};
use crate::registry::name;
use crate::registry::plan::Plan;
use std::collections::BTreeMap;

/// Behind the help.
pub const AFTER: &str = "The repository is looked up as the App (TENANTRY_APP_ID), else with TENANTRY_SOURCE_TOKEN or\nGITHUB_TOKEN. docs/customers.md says\nwhat is refused, and how to write templates of your own.\n\nExamples:\n  tenantry customer add \"Acme Corp\" --repository acme/app --contact ops@acme.example --tier gold\n  tenantry customer add \"Müller AG\" --id mueller-ag --repository mueller/shop --product web --dry-run";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer's name, for people.
    name: String,
    /// The id; made of the name when absent.
    #[arg(long)]
    id: Option<CustomerId>,
    /// The customer's repository; the one that `customers.repository_name` gives when absent.
    #[arg(long, value_name = "OWNER/NAME")]
    repository: Option<RepoSlug>,
    /// Record this number of the repository without looking it up.
    #[arg(long, value_name = "NUMBER", requires = "repository")]
    repository_id: Option<u64>,
    /// There is no repository yet; the customer is not served until there is.
    #[arg(long, conflicts_with = "repository")]
    no_repository: bool,
    /// Whom to ask.
    #[arg(long)]
    contact: Option<String>,
    /// What they pay for, such as `gold`.
    #[arg(long)]
    tier: Option<String>,
    /// Where they are.
    #[arg(long)]
    region: Option<String>,
    /// The group that a change of the fleet reaches together.
    #[arg(long)]
    wave: Option<String>,
    /// A cloud role of an environment; may be repeated.
    #[arg(long = "role", value_name = "ENVIRONMENT=ROLE", value_parser = role)]
    roles: Vec<(EnvironmentId, String)>,
    /// What they subscribe to; may be repeated. The only product when absent.
    #[arg(long = "product", value_name = "PRODUCT")]
    products: Vec<ProductId>,
}

fn role(text: &str) -> Result<(EnvironmentId, String), String> {
    let (environment, role) = text.split_once('=').ok_or("write ENVIRONMENT=ROLE")?;
    let environment = EnvironmentId::new(environment).map_err(|e| e.to_string())?;
    Ok((environment, role.to_owned()))
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let name = name::text("the name", &args.name).map_err(refused)?;
    let id = match &args.id {
        Some(id) => id.clone(),
        None => name::id(&name).map_err(refused)?,
    };
    let mut roles = BTreeMap::new();
    for (environment, role) in &args.roles {
        let role = name::text("the role", role).map_err(refused)?;
        if roles.insert(environment.clone(), role).is_some() {
            return Err(CliError::usage(format!(
                "--role names `{environment}` twice"
            )));
        }
    }
    let (held, estate) = hold(&args.change, printer)?;
    let mut taken = Taken::by(&estate, None);
    taken.id_is_free(&id).map_err(refused)?;
    let mut new = NewCustomer {
        name,
        repository: None,
        contact: words("the contact", args.contact.as_ref())?,
        tier: words("the tier", args.tier.as_ref())?,
        region: words("the region", args.region.as_ref())?,
        wave: words("the wave", args.wave.as_ref())?,
        roles,
        added: today()?,
        suspension: None,
        products: products(&estate, &args.products)?,
        id,
    };
    new.repository = repository(args, &estate, &new.id, &taken, env, printer).await?;
    taken.take(&new).map_err(refused)?;
    let step = new
        .step(&templates(&args.change.at.estate)?)
        .map_err(refused)?;
    let plan = Plan { steps: vec![step] }
        .judged(&estate)
        .map_err(refused)?;
    let exit = finish(&plan, held.as_ref(), printer)?;
    if new.repository.is_none() {
        printer.progress(&format!(
            "customer `{0}` has no repository and is not served yet; `tenantry customer set {0} repository=OWNER/NAME` records one",
            new.id
        ));
    }
    Ok(exit)
}

/// The repository, looked up unless its number is given.
async fn repository(
    args: &Args,
    estate: &Estate,
    id: &CustomerId,
    taken: &Taken,
    env: &Env,
    printer: &Printer,
) -> Result<Option<Repository>, CliError> {
    if args.no_repository {
        return Ok(None);
    }
    let owner = owner(estate, env);
    let slug = match &args.repository {
        Some(slug) => slug.clone(),
        None => by_rule(estate, owner, id)?,
    };
    named_by_rule(estate, owner, id, &slug).map_err(refused)?;
    if let Some(number) = args.repository_id {
        printer.progress(&format!(
            "`{slug}` is recorded with id {number} without a look-up: neither that number nor its owner nor its network of forks was checked"
        ));
        return Ok(Some(Repository {
            slug,
            id: number,
            owner_id: None,
        }));
    }
    let client = client(estate, env)?;
    let found = look_up(&client, &slug).await.map_err(refused)?;
    let repository = Repository::from(&found);
    // Before others are asked for their networks: this says more.
    taken.repository_is_free(&repository).map_err(refused)?;
    let mut networks = Networks::new(estate);
    networks
        .join(&client, id, &found, |n| asking(printer, n))
        .await
        .map_err(refused)?;
    Ok(Some(repository))
}

fn by_rule(estate: &Estate, owner: Option<&str>, id: &CustomerId) -> Result<RepoSlug, CliError> {
    let name = estate.settings.repository_name.of(id);
    match (owner, name) {
        (Some(owner), Some(name)) => Ok(RepoSlug::new(&format!("{owner}/{name}"))?),
        _ => Err(
            CliError::usage("which repository the customer has is not known")
                .hint("name it with --repository OWNER/NAME, or say --no-repository"),
        ),
    }
}

/// Says what a comparison of networks costs.
pub(super) fn asking(printer: &Printer, calls: usize) {
    printer.progress(&format!(
        "the repository has relatives by forks: looking up {calls} repositories of other customers ({calls} calls to GitHub)"
    ));
}
