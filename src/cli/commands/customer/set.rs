//! `tenantry customer set`.

use super::add::asking;
use super::{Change, client, find, finish, hold, owner, refused};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::estate::{CustomerId, Estate, RepoSlug};
use crate::registry::add::{Repository, Taken, named_by_rule};
use crate::registry::change::{self, Setting};
use crate::registry::lookup::{Networks, look_up};

/// Behind the help.
pub const AFTER: &str = "Keys: name, contact, tier, region, wave, repository and roles.ENVIRONMENT. Nothing behind the `=`\nremoves a key. A repository is looked up, as with `add`.\n\nExamples:\n  tenantry customer set acme tier=gold wave=2\n  tenantry customer set acme repository=acme/new-name\n  tenantry customer set acme roles.production=arn:aws:iam::123456789012:role/acme region=";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
    /// What to change.
    #[arg(required = true, value_name = "KEY=VALUE")]
    settings: Vec<String>,
    /// Record this number of the repository without looking it up.
    #[arg(long, value_name = "NUMBER")]
    repository_id: Option<u64>,
    /// The repository is meant to be another one, or to have another owner.
    #[arg(long)]
    moved: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let mut settings = Vec::new();
    let mut keys: Vec<&str> = Vec::new();
    for given in &args.settings {
        settings.push(change::setting(given).map_err(refused)?);
        let key = given.split('=').next().unwrap_or_default();
        if keys.contains(&key) {
            return Err(CliError::usage(format!("`{key}` is set twice")));
        }
        keys.push(key);
    }
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let mut changes = Vec::new();
    for setting in settings {
        match setting {
            Setting::Plain(change) => changes.push(change),
            Setting::Repository(slug) => {
                let now = repository(args, &estate, &slug, env, printer).await?;
                changes.extend(change::repository(customer, &now, args.moved).map_err(refused)?);
            }
        }
    }
    if args.repository_id.is_some() && !keys.contains(&"repository") {
        return Err(CliError::usage(
            "--repository-id belongs to repository=OWNER/NAME",
        ));
    }
    let plan = change::plan(&estate, customer, &changes).map_err(refused)?;
    finish(&plan, held.as_ref(), printer)
}

async fn repository(
    args: &Args,
    estate: &Estate,
    slug: &RepoSlug,
    env: &Env,
    printer: &Printer,
) -> Result<Repository, CliError> {
    let id = &args.customer;
    named_by_rule(estate, owner(estate, env), id, slug).map_err(refused)?;
    let taken = Taken::by(estate, Some(id));
    if let Some(number) = args.repository_id {
        printer.progress(&format!(
            "`{slug}` is recorded with id {number} without a look-up: neither that number nor its owner nor its network of forks was checked"
        ));
        let given = Repository {
            slug: slug.clone(),
            id: number,
            owner_id: None,
        };
        taken.repository_is_free(&given).map_err(refused)?;
        return Ok(given);
    }
    let client = client(estate, env)?;
    let found = look_up(&client, slug).await.map_err(refused)?;
    let now = Repository::from(&found);
    taken.repository_is_free(&now).map_err(refused)?;
    let mut networks = Networks::new(estate);
    networks
        .join(&client, id, &found, |n| asking(printer, n))
        .await
        .map_err(refused)?;
    Ok(now)
}
