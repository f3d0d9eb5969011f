//! `tenantry customer remove`.

use super::{Change, find, finish, hold, refused, store};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::revision;
use crate::delivery::overview;
use crate::estate::credential::Credential;
use crate::estate::{CustomerId, StackId};
use crate::registry::remove::{self, Keep, Standing};

/// Behind the help.
pub const AFTER: &str = "Only the files of customers/<customer>/ in this working copy are removed; git keeps them. The store,\nstate and infrastructure stay. What stands, and credentials that are valid, refuse it.\n\nExample:\n  tenantry customer remove acme --dry-run";

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
    /// Remove the customer although stacks of theirs still stand, and leave them standing.
    #[arg(long)]
    keep_infrastructure: bool,
    /// Remove the customer although credentials of theirs are still valid, and leave them valid.
    #[arg(long)]
    keep_credentials: bool,
    /// Remove also what git has no copy of.
    #[arg(long)]
    discard: bool,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let stacks: Vec<StackId> = match store(&estate, env)? {
        Some(store) => match overview::applied(&store, Some(&customer.id)).await {
            Ok(applied) => applied.into_keys().collect(),
            // Said aloud already: what stands is left alone whatever it is.
            Err(e) if args.keep_infrastructure => {
                printer.progress(&format!("what stands cannot be told: {e}"));
                Vec::new()
            }
            Err(e) => {
                return Err(CliError::from(e).hint(
                    "what still stands must be known first; --keep-infrastructure removes the customer without knowing",
                ));
            }
        },
        None => {
            printer.progress("no store is set, so nothing is known to stand");
            Vec::new()
        }
    };
    let standing = remove::standing(&estate, customer, &stacks);
    let plan = remove::plan(
        &args.change.at.estate,
        &estate,
        customer,
        &standing,
        Keep {
            infrastructure: args.keep_infrastructure,
            credentials: args.keep_credentials,
        },
    )
    .map_err(refused)?;
    let folder = format!("customers/{}", customer.id);
    if !args.discard
        && let Some(only_here) = revision::uncommitted(&args.change.at.estate, &folder)?
    {
        return Err(CliError::failed(format!(
            "git has no copy of everything in `{folder}/`: {only_here}"
        ))
        .hint(
            "commit it first, so that it can be looked up later; --discard removes it all the same",
        ));
    }
    say(&standing, &remove::valid(customer), printer);
    finish(&plan, held.as_ref(), printer)
}

fn say(standing: &[Standing], valid: &[&Credential], printer: &Printer) {
    for one in standing {
        let state = one.state.as_deref().unwrap_or("in the GitOps repository");
        printer.progress(&format!("still stands: {}, state {state}", one.stack));
    }
    for one in valid {
        printer.progress(&format!(
            "still valid: credential `{}`; revoke it there: {}",
            one.id,
            one.kind.by_hand()
        ));
    }
}
