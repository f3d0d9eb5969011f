//! `tenantry customer credential add`.

use super::*;
use crate::estate::{CredentialId, Purpose};
use crate::keyring::{Kept, Keyring};
use crate::registry::change;
use crate::registry::credential::add::{Judged, Wanted, judge};
use crate::registry::credential::{entry, give};
use crate::registry::name::text;

/// Behind the help.
pub const AFTER: &str = "The secret comes from standard input, or is asked for on the terminal; it is never an argument. GitHub\nis asked whose it is, what it may do and when it ends. What is known of it is written into\ncustomers/<customer>/metadata.yaml; its value is kept nowhere unless --keep says so, and then only\nencrypted. docs/credentials.md says what is refused.\n\nExamples:\n  tenantry customer credential add acme --purpose registry-pull --owner acme-pull --keep < token.txt\n  tenantry customer credential add acme --purpose dispatch --to acme/app=MANAGER_REPO_PAT";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer.
    customer: CustomerId,
    /// What it is for: `registry-pull`, `dispatch`, `source-read`, or a word of your own.
    #[arg(long)]
    purpose: Purpose,
    /// Its id; made of the purpose when absent.
    #[arg(long)]
    id: Option<CredentialId>,
    /// The account it must belong to.
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// Its last day, where GitHub does not tell.
    #[arg(long, value_name = "DAY")]
    expires: Option<Date>,
    /// Take it although it may do more than its purpose needs, and record why.
    #[arg(long, value_name = "REASON")]
    accept: Option<String>,
    /// Keep its value in the encrypted file.
    #[arg(long, overrides_with = "no_keep")]
    keep: bool,
    /// Do not keep its value (the default).
    #[arg(long)]
    no_keep: bool,
    /// Set a secret of GitHub Actions to it; may be repeated.
    #[arg(long = "to", value_name = "OWNER/NAME[/ENVIRONMENT]=SECRET", value_parser = place)]
    places: Vec<(SecretPlace, SecretName)>,
    /// Somebody has it already, and uses it outside of GitHub Actions.
    #[arg(long)]
    handed_over: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    super::no_more(&args.rest)?;
    let words = |what: &str, given: &Option<String>| {
        given
            .as_ref()
            .map(|t| text(what, t))
            .transpose()
            .map_err(refused)
    };
    let wanted = Wanted {
        purpose: args.purpose.clone(),
        id: args.id.clone(),
        owner: words("the owner", &args.owner)?,
        expires: args.expires.clone(),
        accepted: words("the reason", &args.accept)?,
        keep: args.keep,
        handed_over: args.handed_over,
    };
    let secret = given("Secret: ").await?;
    let keeps = args.keep && !args.change.dry_run;
    let key = match keeps {
        true => Some(args.key.key(env).await?),
        false => None,
    };
    let (held, estate) = hold(&args.change, printer)?;
    let customer = find(&estate, &args.customer)?;
    let keyring = key
        .map(|key| args.key.open(key, env, printer))
        .transpose()?;
    let hand = hand(env)?;
    let towards = towards(&estate, env)?;
    let content = keyring.as_ref().map(Keyring::content);
    let judged = judge(
        &estate, customer, content, &secret, &wanted, &towards, &hand,
    )
    .await
    .map_err(refused)?;
    for note in &judged.notes {
        printer.progress(&format!("note: {note}"));
    }
    write(
        args,
        &estate,
        held.as_ref(),
        keyring,
        &judged,
        &secret,
        &hand,
        env,
        printer,
    )
    .await
}

#[allow(
    clippy::too_many_arguments,
    reason = "everything that `run` has gathered"
)]
async fn write(
    args: &Args,
    estate: &Estate,
    held: Option<&Held>,
    keyring: Option<Keyring>,
    judged: &Judged,
    secret: &Secret,
    hand: &Hand,
    env: &Env,
    printer: &Printer,
) -> Result<Exit, CliError> {
    let customer = find(estate, &args.customer)?;
    let mut now = judged.credential.clone();
    let before = customer.credentials.iter().find(|c| c.id == now.id);
    let mut last = now.clone();
    last.places.extend(args.places.iter().cloned());
    let whole = change::plan(estate, customer, &entry(&last, before)).map_err(refused)?;
    let missing: Vec<_> = args
        .places
        .iter()
        .filter(|(place, name)| now.places.get(place) != Some(name))
        .collect();
    let mut unkept = false;
    if let Some(held) = held {
        // The value first: without an entry it is found again, without a value it is lost.
        if let Some(mut keyring) = keyring {
            let id = now.id.clone();
            let kept = Kept {
                customer: customer.id.clone(),
                credential: id.clone(),
                value: secret.clone(),
                at: hand.now,
                by: hand.by.clone(),
                replaces: None,
                passing: false,
            };
            unkept = keyring.content().find(&customer.id, &id).is_none();
            if unkept {
                keyring.change(|c| c.put(kept)).map_err(sealed)?;
            }
        }
        let plan = change::plan(estate, customer, &entry(&now, before)).map_err(refused)?;
        let mut estate = carried_out(&args.change.at, held, &plan)?;
        for (place, name) in &missing {
            give::give(&setter(&estate, env)?, place, name, secret)
                .await
                .map_err(refused)?;
            printer.progress(&format!("the secret `{name}` of `{place}` is set"));
            let before = now.clone();
            now.places.insert(place.clone(), name.clone());
            let customer = find(&estate, &args.customer)?;
            let changes = entry(&now, Some(&before));
            let plan = change::plan(&estate, customer, &changes).map_err(refused)?;
            estate = carried_out(&args.change.at, held, &plan)?;
        }
    } else {
        for (place, name) in &missing {
            printer.progress(&format!("the secret `{name}` of `{place}` would be set"));
        }
    }
    let nothing = whole.is_empty() && !unkept && missing.is_empty();
    printer.result(
        &json!({
            "version": 1,
            "credential": model(&customer.id, &last, &hand.today),
            "files": whole.json(),
            "notes": judged.notes,
            "written": held.is_some() && !nothing,
        }),
        &whole.text(),
    );
    if nothing {
        printer.progress(&format!(
            "it is recorded already, as `{}`; nothing to change",
            last.id
        ));
        return Ok(Exit::Nothing);
    }
    printer.progress(&match held {
        Some(_) => format!("recorded as `{}`; commit it", last.id),
        None => "nothing was written (--dry-run)".to_owned(),
    });
    Ok(Exit::Done)
}
