//! `tenantry doctor`: checks of how everything is set up, and their repairs.

mod isolation;
mod look;
mod say;
mod trust;

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format, Printer};
use crate::estate::{CustomerId, RepoSlug, Sha};
use std::path::PathBuf;

/// Behind the help.
pub const AFTER: &str = "Examples:
  tenantry doctor --estate infra-manager               the manager, what it speaks with, store, trust
  tenantry doctor customer acme --fix --dry-run        what would be repaired
  tenantry doctor --all --fix                          everything, repaired after a question";

/// Flags.
#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Args {
    #[command(flatten)]
    flags: Flags,
    /// Check every customer as well.
    #[arg(long)]
    all: bool,
    #[command(subcommand)]
    what: Option<What>,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Check the manager repository, what it speaks with, the store and whom the cloud trusts.
    Manager(ManagerArgs),
    /// Check one customer's repository.
    Customer(CustomerArgs),
    /// Print whom a cloud role must trust, or judge whom it does.
    #[command(after_help = trust::AFTER)]
    Trust(trust::Args),
    /// Show what each stack may touch, and prove that no two customers can reach the same.
    #[command(after_help = isolation::AFTER)]
    Isolation(isolation::Args),
}

#[derive(Debug, clap::Args)]
struct ManagerArgs {
    #[command(flatten)]
    flags: Flags,
}

#[derive(Debug, clap::Args)]
struct CustomerArgs {
    /// The customer.
    customer: CustomerId,
    #[command(flatten)]
    flags: Flags,
}

/// Flags of everything that checks.
#[derive(Debug, Clone, clap::Args)]
pub struct Flags {
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Show the repairs, ask, and carry out exactly those.
    #[arg(long)]
    fix: bool,
    /// With --fix: do not ask.
    #[arg(long, requires = "fix")]
    yes: bool,
    /// With --fix: only show the repairs.
    #[arg(long, requires = "fix", conflicts_with = "yes")]
    dry_run: bool,
    /// With --fix: break this lock of a state, named by its id, without asking. Never one that is
    /// younger than six hours.
    #[arg(long, requires = "fix", value_name = "ID")]
    break_lock: Vec<String>,
    /// Also list what is as it must be.
    #[arg(long)]
    passed: bool,
    /// Commit of tenantry's actions that the workflows must name; asked of GitHub when absent.
    #[arg(
        long,
        env = "TENANTRY_ACTIONS_REF",
        hide_env = true,
        value_name = "COMMIT"
    )]
    actions_ref: Option<Sha>,
    /// Repository of tenantry's actions.
    #[arg(long, default_value = "tenantry/tenantry", value_name = "OWNER/NAME")]
    actions_repository: RepoSlug,
    /// Keep GitHub's answers in this file, so that what is unchanged costs nothing the next time.
    #[arg(long, value_name = "FILE")]
    answers: Option<PathBuf>,
}

/// What is to be checked.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Scope {
    /// Everything but customers.
    Manager,
    /// One customer.
    Customer(CustomerId),
    /// Everything.
    All,
}

impl Args {
    /// The formats that the result has.
    pub fn formats(&self) -> &'static [Format] {
        match self.what {
            Some(What::Isolation(_)) => &[Format::Text, Format::Json, Format::Github],
            _ => &[Format::Text, Format::Json],
        }
    }
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let (flags, scope) = match &args.what {
        Some(What::Isolation(args)) => return isolation::run(args, printer),
        Some(What::Trust(args)) => return trust::run(args, env, printer).await,
        Some(What::Manager(args)) => (&args.flags, Scope::Manager),
        Some(What::Customer(args)) => (&args.flags, Scope::Customer(args.customer.clone())),
        None if args.all => (&args.flags, Scope::All),
        None => (&args.flags, Scope::Manager),
    };
    let world = look::World::new(flags, env)?;
    look::remember(flags, &world)?;
    let sheet = world.look(&scope, printer).await?;
    look::keep(flags, &world)?;
    if !flags.fix {
        say::result(&sheet, &[], &[], flags.passed, printer);
        return Ok(exit(&sheet));
    }
    let mut repairs = sheet.repairs();
    if repairs.is_empty() || flags.dry_run {
        say::result(&sheet, &repairs, &[], flags.passed, printer);
        printer.progress(match repairs.is_empty() {
            true => "there is nothing that could be repaired from here",
            false => "nothing was changed (--dry-run)",
        });
        return Ok(exit(&sheet));
    }
    if printer.format != Format::Json {
        say::result(&sheet, &repairs, &[], flags.passed, printer);
    }
    if !flags.yes && !say::confirmed(repairs.len(), printer)? {
        if printer.format == Format::Json {
            say::result(&sheet, &repairs, &[], flags.passed, printer);
        }
        printer.progress("nothing was changed");
        return Ok(Exit::Refused);
    }
    // A general yes is not about locks: each is named, or asked for.
    let mut kept = Vec::new();
    for repair in repairs {
        match repair.lock().map(|l| l.id.clone()) {
            Some(id) if !flags.break_lock.contains(&id) => {
                if !flags.yes && say::named(&repair, &id, printer)? {
                    kept.push(repair);
                } else {
                    printer.progress(&format!(
                        "left alone: {}; name it with --break-lock {id}",
                        repair.says
                    ));
                }
            }
            _ => kept.push(repair),
        }
    }
    repairs = kept;
    let done = world.carry_out(&repairs).await;
    say::done(&done, printer);
    // What GitHub has now, not what was asked of it.
    let sheet = world.look(&scope, printer).await?;
    look::keep(flags, &world)?;
    say::result(&sheet, &repairs, &done, flags.passed, printer);
    let failed = done.iter().any(|d| d.failed.is_some());
    Ok(if failed { Exit::Refused } else { exit(&sheet) })
}

fn exit(sheet: &crate::setup::doctor::Sheet) -> Exit {
    match sheet.clean() {
        true => Exit::Done,
        false => Exit::Refused,
    }
}
