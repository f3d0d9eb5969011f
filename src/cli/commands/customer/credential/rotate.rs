//! `tenantry customer credential rotate`.

use super::rotating::Work;
use super::*;
use crate::estate::CredentialId;
use crate::registry::credential;
use crate::registry::credential::rotate::{OVERLAP, Phase, steps};

/// Behind the help.
pub const AFTER: &str = "The steps are shown first. The new secret comes from standard input, or is asked for. It is verified,\nkept in the encrypted file, recorded, and set wherever the old one is a secret of GitHub Actions. The\nold one stays valid for --overlap, because a job that has begun uses it to its end; run the command\nonce more afterwards, and it revokes the old one. A command that was cut short goes on where it ended.\n\nExamples:\n  tenantry customer credential rotate acme dispatch < token.txt\n  tenantry customer credential rotate acme dispatch\n  tenantry customer credential rotate acme registry-pull --keep --dry-run";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) change: Change,
    /// The customer.
    pub(super) customer: CustomerId,
    /// The credential whose place is taken.
    pub(super) credential: CredentialId,
    /// The account that the new one must belong to; that of the old one when absent.
    #[arg(long, value_name = "LOGIN")]
    pub(super) owner: Option<String>,
    /// Its last day, where GitHub does not tell.
    #[arg(long, value_name = "DAY")]
    pub(super) expires: Option<Date>,
    /// Take it although it may do more than its purpose needs, and record why.
    #[arg(long, value_name = "REASON")]
    pub(super) accept: Option<String>,
    /// Keep the new value in the encrypted file also afterwards; so it is if the old one is kept.
    #[arg(long, overrides_with = "no_keep")]
    keep: bool,
    /// Do not keep it.
    #[arg(long)]
    no_keep: bool,
    /// How long the old one stays valid: minutes (`30m`), hours (`6h`) or days (`2d`).
    #[arg(long, value_name = "TIME", value_parser = length, default_value = "6h")]
    pub(super) overlap: u64,
    /// Whoever had the old one outside of GitHub Actions has the new one now.
    #[arg(long)]
    pub(super) handed_over: bool,
    /// Do not wait: jobs that use the old one fail from now on.
    #[arg(long)]
    pub(super) now: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// `30m`, `6h`, `2d` in seconds.
fn length(text: &str) -> Result<u64, String> {
    let bad = || "write minutes, hours or days, such as 30m, 6h or 2d; at most 90 days".to_owned();
    let unit = match text.chars().last() {
        Some('m') => 60,
        Some('h') => 3_600,
        Some('d') => 86_400,
        _ => return Err(bad()),
    };
    let count: u64 = text[..text.len() - 1].parse().map_err(|_| bad())?;
    let seconds = count.checked_mul(unit).ok_or_else(bad)?;
    match seconds <= 90 * 86_400 {
        true => Ok(seconds),
        false => Err(bad()),
    }
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    super::no_more(&args.rest)?;
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let old = credential::find(customer, &args.credential).map_err(refused)?;
    let keep = !args.no_keep && (args.keep || old.stored);
    let plan = steps(customer, &args.credential, args.overlap, keep).map_err(refused)?;
    let Some(held) = held else {
        printer.result(&json!({"version": 1, "steps": plan.lines().skip(1).map(str::trim).collect::<Vec<_>>(), "written": false}), &plan);
        printer.progress("nothing was done (--dry-run)");
        return Ok(Exit::Done);
    };
    printer.progress(plan.trim_end());
    // Nobody else may wait while a person types.
    drop(held);
    let key = args.key.key(env).await?;
    let mut secret = None;
    if credential::successor(customer, &args.credential).is_none() && old.is_open() {
        let typed =
            ask::secret("New secret (nothing to go on with one that is kept already): ").await?;
        if !typed.trim().is_empty() {
            secret = Some(credential::secret(&typed).map_err(refused)?);
        }
    }
    let (held, estate) = hold(&args.change, printer)?;
    let Some(held) = held else {
        return Err(CliError::failed("the estate is gone"));
    };
    let keyring = args.key.open(key, env, printer)?;
    let towards = towards(&estate, env)?;
    let mut work = Work {
        args,
        env,
        printer,
        held,
        estate,
        keyring,
        towards,
        hand: hand(env)?,
        keep,
        done: Vec::new(),
    };
    let last = work.all(secret).await?;
    let over = matches!(last, Phase::Done);
    printer.result(
        &json!({
            "version": 1,
            "customer": args.customer,
            "credential": args.credential,
            "done": work.done,
            "over": over,
            "until": match &last { Phase::Wait(until) => Some(until.to_string()), _ => None },
        }),
        &work
            .done
            .iter()
            .map(|d| format!("{d}\n"))
            .collect::<String>(),
    );
    match &last {
        Phase::Wait(until) => printer.progress(&format!(
            "both are valid until {until}; run the same command after that to revoke the old one"
        )),
        _ if work.done.is_empty() => printer.progress("nothing to do"),
        _ => printer.progress("the old one is out of service; commit the entry"),
    }
    Ok(match work.done.is_empty() {
        true => Exit::Nothing,
        false => Exit::Done,
    })
}

const _: () = assert!(OVERLAP == 6 * 3_600, "the default of --overlap");
