//! `tenantry customer`: the registry.

mod access;
mod add;
mod credential;
mod import;
mod instructions;
mod list;
mod offboard;
mod onboard;
mod remove;
mod set;
mod show;
mod suspend;
mod table;

pub use credential::leaked;

use crate::cli::contracts::no_such;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::cli::step;
use crate::estate::model::Customer;
use crate::estate::{CustomerId, Estate, ProductId};
use crate::github::Client;
use crate::registry::add::Templates;
use crate::registry::plan::Plan;
use crate::registry::scaffold::TEMPLATES;
use crate::registry::write::Held;
use crate::registry::{RegistryError, name};
use crate::store::Store;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Add a customer: look the repository up, write the registry entry.
    #[command(after_help = add::AFTER)]
    Add(add::Args),
    /// List the customers.
    #[command(after_help = list::AFTER)]
    List(list::Args),
    /// Show everything that is known of one customer.
    #[command(after_help = show::AFTER)]
    Show(show::Args),
    /// Change values of a registry entry; comments and order of the file stay.
    #[command(after_help = set::AFTER)]
    Set(set::Args),
    /// Refuse a customer's requests, with a message.
    #[command(after_help = suspend::AFTER)]
    Suspend(suspend::SuspendArgs),
    /// Serve a suspended customer again.
    Resume(suspend::ResumeArgs),
    /// Show who and what can reach which customer.
    #[command(after_help = access::AFTER)]
    Access(access::Args),
    /// Take a customer out of the registry; infrastructure and state are never touched.
    #[command(after_help = remove::AFTER)]
    Remove(remove::Args),
    /// Record, rotate, revoke and check what customers were given.
    Credential(credential::Args),
    /// Add the customers of a list.
    #[command(after_help = import::AFTER)]
    Import(import::Args),
    /// Write a text for a customer: how to start, how to pull images, how it ends.
    #[command(after_help = instructions::AFTER)]
    Instructions(instructions::Args),
    /// Bring a customer in: a pull request in their repository, and a first plan.
    #[command(after_help = onboard::AFTER)]
    Onboard(onboard::Args),
    /// Lead a customer out; infrastructure and state are never touched.
    #[command(after_help = offboard::AFTER)]
    Offboard(offboard::Args),
}

impl Args {
    /// The formats that the result has; of `import`, also those of the list.
    pub fn formats(&self) -> &'static [Format] {
        match &self.what {
            What::Credential(args) => args.formats(),
            What::Import(_) => &[Format::Cased, Format::Csv, Format::Text, Format::Json],
            What::Instructions(_) => &[
                Format::Text,
                Format::Md,
                Format::Html,
                Format::Eml,
                Format::Json,
            ],
            _ => &[Format::Text, Format::Json],
        }
    }
}

/// Where the estate is.
#[derive(Debug, Clone, clap::Args)]
struct At {
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
}

/// Flags of a command that writes.
#[derive(Debug, Clone, clap::Args)]
struct Change {
    #[command(flatten)]
    at: At,
    /// Only show what would be written.
    #[arg(long)]
    dry_run: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::Add(args) => add::run(args, env, printer).await,
        What::List(args) => list::run(args, env, printer).await,
        What::Show(args) => show::run(args, env, printer).await,
        What::Set(args) => set::run(args, env, printer).await,
        What::Suspend(args) => suspend::suspend(args, printer),
        What::Resume(args) => suspend::resume(args, printer),
        What::Access(args) => access::run(args, env, printer).await,
        What::Remove(args) => remove::run(args, env, printer).await,
        What::Credential(args) => credential::run(args, env, printer).await,
        What::Import(args) => import::run(args, env, printer).await,
        What::Instructions(args) => instructions::run(args, env, printer).await,
        What::Onboard(args) => onboard::run(args, env, printer).await,
        What::Offboard(args) => offboard::run(args, env, printer).await,
    }
}

/// A refusal with its advice.
fn refused(error: RegistryError) -> CliError {
    let next = error.next().map(str::to_owned);
    let error = CliError::from(error);
    match next {
        Some(next) => error.hint(next),
        None => error,
    }
}

fn read(at: &At) -> Result<Estate, CliError> {
    Ok(Estate::read(folder::read(&at.estate)?)?)
}

/// Holds the estate against other processes, then reads it. A dry run only reads.
fn hold(args: &Change, printer: &Printer) -> Result<(Option<Held>, Estate), CliError> {
    let root = &args.at.estate;
    let held = match args.dry_run || !root.is_dir() {
        true => None,
        false => Some(
            Held::take(root, || {
                printer.progress("another process changes this estate; waiting for it")
            })
            .map_err(refused)?,
        ),
    };
    Ok((held, read(&args.at)?))
}

fn find<'a>(estate: &'a Estate, id: &CustomerId) -> Result<&'a Customer, CliError> {
    let known = || estate.customers.keys().map(CustomerId::as_str);
    estate
        .customers
        .get(id)
        .ok_or_else(|| no_such("customer", id.as_str(), known()))
}

/// Shows the plan and carries it out, unless this is a dry run.
fn finish(plan: &Plan, held: Option<&Held>, printer: &Printer) -> Result<Exit, CliError> {
    if let Some(held) = held {
        held.carry_out(plan).map_err(refused)?;
    }
    printer.result(
        &json!({"version": 1, "files": plan.json(), "written": held.is_some() && !plan.is_empty()}),
        &plan.text(),
    );
    if plan.is_empty() {
        printer.progress("nothing to change");
        return Ok(Exit::Nothing);
    }
    printer.progress(match held {
        Some(_) => "written; check it with `tenantry validate`, then commit",
        None => "nothing was written (--dry-run)",
    });
    Ok(Exit::Done)
}

/// A client that may read customers' repositories.
fn client(estate: &Estate, env: &Env) -> Result<Client, CliError> {
    let api = step::api_url(env, Some(estate));
    if env.get("TENANTRY_APP_ID").is_some() {
        return step::client_of(env, &api, step::source(env, &estate.settings)?);
    }
    let token = env
        .get("TENANTRY_SOURCE_TOKEN")
        .or_else(|| env.get("GITHUB_TOKEN"));
    step::client(env, &api, token)
}

/// The store, if the settings name one.
fn store(estate: &Estate, env: &Env) -> Result<Option<Store>, CliError> {
    let url = estate.settings.store.as_ref();
    Ok(url
        .map(|url| Store::open(url, &env.for_store()))
        .transpose()?)
}

/// The account that the provider's own repositories are in.
fn owner<'a>(estate: &'a Estate, env: &'a Env) -> Option<&'a str> {
    let own = estate.settings.manager.as_ref().map(|m| m.owner());
    own.or_else(|| Some(env.get("GITHUB_REPOSITORY")?.split_once('/')?.0))
}

/// What a new customer subscribes to: what is asked for, or the only product that there is.
fn products(estate: &Estate, asked: &[ProductId]) -> Result<Vec<ProductId>, CliError> {
    let known = || estate.products.keys().map(ProductId::as_str);
    for product in asked {
        if !estate.products.contains_key(product) {
            return Err(no_such("product", product.as_str(), known()));
        }
    }
    let mut asked = asked.to_vec();
    asked.dedup();
    if asked.is_empty() && estate.products.len() > 1 {
        let list: Vec<&str> = known().collect();
        return Err(
            CliError::usage("there are several products, and none was named").hint(format!(
                "name one or more with --product: {}",
                list.join(", ")
            )),
        );
    }
    Ok(match asked.is_empty() {
        true => estate.products.keys().cloned().collect(),
        false => asked,
    })
}

/// The provider's own templates, where there are some.
fn templates(root: &Path) -> Result<Templates, CliError> {
    Ok(Templates {
        metadata: template(root, TEMPLATES, "metadata.yaml")?,
        products: template(root, TEMPLATES, "products.yaml")?,
    })
}

/// A template of the provider's own, if there is one.
fn template(root: &Path, below: &str, name: &str) -> Result<Option<String>, CliError> {
    let path = root.join(below).join(name);
    let there = match std::fs::symlink_metadata(&path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other?,
    };
    if !there.is_file() || there.len() > folder::MAX_FILE {
        return Err(CliError::failed(format!(
            "the template `{below}/{name}` is no file of a usual size"
        ))
        .hint("a template is a regular file; remove what stands there to use the built-in one"));
    }
    Ok(Some(std::fs::read_to_string(&path)?))
}

/// An optional text for people.
fn words(what: &str, given: Option<&String>) -> Result<Option<String>, CliError> {
    given
        .map(|text| name::text(what, text))
        .transpose()
        .map_err(refused)
}
