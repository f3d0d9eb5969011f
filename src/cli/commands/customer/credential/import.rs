//! `tenantry customer credential import`.

use super::*;
use crate::cli::print::Format as Output;
use crate::estate::Purpose;
use crate::keyring::Keyring;
use crate::registry::change::plan_all;
use crate::registry::credential::import::{judge, tokens};
use crate::registry::import::MAX_BYTES;
use std::path::PathBuf;

/// Behind the help.
pub const AFTER: &str = "The list is {\"customers\": [{\"name\", \"email\", \"token\", \"added_date\", \"status\"}]}; its customers must be in the\nregistry (`tenantry customer import`). Every token is encrypted and gets an entry; GitHub is asked once\nfor each. The list is left as it is: shred it afterwards. What is too broad, shared or of no use for\nits purpose is taken too, and `tenantry customer credential check` finds it.\n\nExample:\n  tenantry customer credential import --format cased customers.json --purpose registry-pull";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    change: Change,
    /// The list.
    #[arg(default_value = "customers.json")]
    file: PathBuf,
    /// How the list is written, like --format cased; leaves --format json to the result.
    #[arg(long, value_enum)]
    from: Option<Listed>,
    /// What the tokens are for.
    #[arg(long, default_value = "registry-pull")]
    purpose: Purpose,
    /// Do not ask GitHub about the tokens; nothing is known then of owners, scopes and ends.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Listed {
    /// `customers.json` of the cased kind.
    Cased,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    if args.from.is_none() && printer.format != Output::Cased {
        return Err(
            CliError::usage("how the list is written was not said").hint("add --format cased")
        );
    }
    let path = args.file.display().to_string();
    let unreadable = |e: std::io::Error| CliError::usage(format!("`{path}` cannot be read: {e}"));
    if std::fs::metadata(&args.file).map_err(unreadable)?.len() > MAX_BYTES {
        return Err(
            CliError::failed(format!("`{path}` is larger than {MAX_BYTES} bytes")).hint("split it"),
        );
    }
    let tokens = tokens(&path, &std::fs::read(&args.file).map_err(unreadable)?)?;
    // Also for a dry run: what is kept already is told from what is new by its value.
    let wanted = !args.change.dry_run || Keyring::exists(&args.key.path(env)?);
    let key = match wanted {
        true => Some(args.key.key(env).await?),
        false => None,
    };
    let (held, estate) = hold(&args.change, printer)?;
    let mut keyring = key
        .map(|key| args.key.open(key, env, printer))
        .transpose()?;
    let content = keyring
        .as_ref()
        .map(|k| k.content().clone())
        .unwrap_or_default();
    let towards = towards(&estate, env)?;
    if !args.offline {
        printer.progress(&format!(
            "asking GitHub about {} tokens, one call each",
            tokens.len()
        ));
    }
    let hand = hand(env)?;
    let ask = (!args.offline).then_some(&towards);
    let taken = judge(&estate, &content, &tokens, &args.purpose, ask, &hand)
        .await
        .map_err(refused)?;
    let plan = plan_all(&estate, &taken.changes).map_err(refused)?;
    if let (Some(held), Some(keyring)) = (&held, &mut keyring) {
        keyring
            .change(|c| {
                for kept in &taken.kept {
                    if c.find(&kept.customer, &kept.credential).is_none() {
                        c.put(kept.clone());
                    }
                }
            })
            .map_err(sealed)?;
        held.carry_out(&plan).map_err(refused)?;
    }
    printer.result(
        &json!({
            "version": 1,
            "imported": taken.kept.len(),
            "there": taken.there,
            "dead": taken.dead,
            "unfit": taken.unfit,
            "files": plan.json(),
            "written": held.is_some() && !plan.is_empty(),
        }),
        &plan.text(),
    );
    for customer in &taken.dead {
        printer.progress(&format!(
            "the token of customer `{customer}` was left out: GitHub does not take it"
        ));
    }
    if taken.there > 0 {
        printer.progress(&format!(
            "{} are recorded already and left as they are",
            taken.there
        ));
    }
    if taken.broad > 0 {
        printer.progress(&format!(
            "{} may do more than `{}` needs; `tenantry customer credential check` names them",
            taken.broad, args.purpose
        ));
    }
    if !taken.unfit.is_empty() {
        printer.progress(&format!(
            "{} cannot be used for `{}`, and are kept all the same:",
            taken.unfit.len(),
            args.purpose
        ));
    }
    for one in &taken.unfit {
        printer.progress(&format!(
            "  `{}` of customer `{}`: {}",
            one.credential, one.customer, one.why
        ));
    }
    if plan.is_empty() {
        printer.progress("nothing to import");
        return Ok(Exit::Nothing);
    }
    if held.is_none() {
        printer.progress("nothing was written (--dry-run)");
        return Ok(Exit::Done);
    }
    printer.progress(&format!(
        "{} tokens are in {}; commit the entries",
        taken.kept.len(),
        args.key.path(env)?.display()
    ));
    printer.progress(&format!(
        "the list `{path}` still holds them in clear. When you have looked at the result: shred -u {}  (on a disk that copies what it writes, such as most SSDs, and in backups and git's history they stay: rotate them)",
        crate::estate::ids::shown(&path)
    ));
    Ok(Exit::Done)
}
