//! `tenantry customer credential revoke`.

use super::*;
use crate::estate::credential::Kind;
use crate::estate::{CredentialId, Purpose};
use crate::keyring::{Content, Kept, Keyring};
use crate::registry::change::plan_all;
use crate::registry::credential::ask::works;
use crate::registry::credential::revoke::{Doomed, Filter, Way, at_github, doomed, marked};
use crate::registry::credential::same::{self, Named};
use std::collections::BTreeMap;

/// Behind the help.
pub const AFTER: &str = "A credential of GitHub whose value is kept is revoked there, and cannot be made valid again. What\ncannot be revoked from here is named with the place where to do it; --by-hand records that it was done.\nA secret that others have too is not revoked without them, but with --shared.\nWhat is chosen is shown first; more than one needs --yes.\n\nExamples:\n  tenantry customer credential revoke acme dispatch\n  tenantry customer credential revoke acme --all --yes\n  tenantry customer credential revoke --every-customer --owner old-bot --dry-run\n  tenantry customer credential revoke acme registry-pull --stdin < token.txt";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    change: Change,
    /// The customer.
    #[arg(required_unless_present = "every_customer")]
    customer: Option<CustomerId>,
    /// The credential.
    #[arg(conflicts_with_all = ["all", "purpose", "kind", "owner"])]
    credential: Option<CredentialId>,
    /// Every credential of the customer.
    #[arg(long)]
    all: bool,
    /// Of every customer.
    #[arg(long, conflicts_with = "customer")]
    every_customer: bool,
    /// Those for this purpose.
    #[arg(long)]
    purpose: Option<Purpose>,
    /// Those of this kind, such as `github-classic`.
    #[arg(long, value_parser = kind)]
    kind: Option<Kind>,
    /// Those of this account.
    #[arg(long, value_name = "LOGIN")]
    owner: Option<String>,
    /// Revoke all that is chosen, also when that is more than one.
    #[arg(long)]
    yes: bool,
    /// Revoke also what is the secret of others who are not chosen: they are cut off.
    #[arg(long)]
    shared: bool,
    /// It was revoked by hand: only record that.
    #[arg(long)]
    by_hand: bool,
    /// Read the value from standard input; for one that is not kept.
    #[arg(long, requires = "credential", conflicts_with = "by_hand")]
    stdin: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[arg(hide = true)]
    rest: Vec<String>,
}

fn kind(text: &str) -> Result<Kind, String> {
    let all = Kind::all();
    all.iter()
        .find(|(name, _)| *name == text)
        .map(|(_, kind)| *kind)
        .ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(name, _)| *name).collect();
            format!("kinds are {}", names.join(", "))
        })
}

/// Most that are looked at once more afterwards, one call each.
const LOOKED_AT: usize = 10;

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    super::no_more(&args.rest)?;
    let narrow = args.credential.is_some()
        || args.purpose.is_some()
        || args.kind.is_some()
        || args.owner.is_some();
    if !narrow && !args.all {
        return Err(CliError::usage("which credentials are meant was not said")
            .hint("name one, or choose with --purpose, --kind or --owner; --all takes every one"));
    }
    let filter = Filter {
        customer: args.customer.clone(),
        id: args.credential.clone(),
        purpose: args.purpose.as_ref().map(ToString::to_string),
        kind: args.kind,
        owner: args.owner.clone(),
    };
    let value = match args.stdin {
        true => Some(given("Secret: ").await?),
        false => None,
    };
    let opens = args.key.at_hand(env) || kept_anywhere(args, &filter)?;
    let key = match opens && Keyring::exists(&args.key.path(env)?) {
        true => Some(args.key.key(env).await?),
        false => None,
    };
    let (held, estate) = hold(&args.change, printer)?;
    let mut keyring = key
        .map(|key| args.key.open(key, env, printer))
        .transpose()?;
    let content = keyring.as_ref().map(Keyring::content);
    let chosen = doomed(&estate, &filter, content, value.as_ref());
    if let Some(value) = &value {
        same(&chosen, value)?;
    }
    let left = content.map(|c| left(&estate, args, c)).unwrap_or_default();
    if chosen.is_empty() && left.is_empty() {
        if let (Some(customer), Some(id)) = (&args.customer, &args.credential) {
            let found = crate::registry::credential::find(find(&estate, customer)?, id);
            found.map_err(refused)?;
        }
        printer.result(
            &json!({"version": 1, "revoked": [], "by_hand": [], "written": false}),
            "",
        );
        printer.progress("nothing that is valid is meant by this");
        return Ok(Exit::Nothing);
    }
    let (hand, towards) = (hand(env)?, towards(&estate, env)?);
    // A dry run asks nobody, and what was revoked by hand is past asking.
    let asked = (held.is_some() && !args.by_hand).then_some(&towards);
    let orphans: Vec<&Kept> = left.iter().collect();
    let now = moment(&hand);
    let cut = same::cut_off(&estate, content, &chosen, &orphans, &now, asked)
        .await
        .map_err(refused)?;
    let shown = plan_text(args, &chosen, &left, &cut);
    if held.is_none() {
        printer.result(
            &json!({"version": 1, "plan": shown.lines().collect::<Vec<_>>(), "cuts_off": together(&cut), "written": false}),
            &shown,
        );
        printer.progress("nothing was done (--dry-run)");
        return Ok(Exit::Done);
    }
    printer.progress(shown.trim_end());
    if !cut.is_empty() && !args.shared && !args.by_hand {
        return Err(cuts_off(&cut));
    }
    if chosen.len() + left.len() > 1 && !args.yes {
        return Err(CliError::failed(format!(
            "{} credentials would be revoked; nothing was done",
            chosen.len() + left.len()
        ))
        .hint("add --yes if that is what you mean"));
    }
    let (gone, open) = at_the_issuer(args, &chosen, &left, &towards, printer).await?;
    let plan = plan_all(&estate, &marked(&gone, &hand.today)).map_err(refused)?;
    if let Some(held) = &held {
        held.carry_out(&plan).map_err(refused)?;
    }
    if let Some(keyring) = &mut keyring {
        keyring
            .change(|c| {
                for one in &gone {
                    c.take(&one.customer, &one.credential.id, &hand.by, hand.now);
                }
                for one in &left {
                    c.take(&one.customer, &one.credential, &hand.by, hand.now);
                }
            })
            .map_err(sealed)?;
    }
    told(&gone, &open, &left, &cut, &plan, printer);
    if open.is_empty() {
        return Ok(Exit::Done);
    }
    let places: Vec<String> = open
        .iter()
        .filter_map(|one| match &one.way {
            Way::ByHand { why, place } => Some(format!(
                "`{}` of customer `{}`: {why}; revoke it there: {place}",
                one.credential.id, one.customer
            )),
            Way::Github(_) => None,
        })
        .collect();
    Err(CliError::failed(format!(
        "{} of {} could not be revoked from here:\n  {}",
        open.len(),
        chosen.len(),
        places.join("\n  ")
    ))
    .hint("when that is done, run the same command with --by-hand"))
}

/// Whether one of those that are meant is kept, so that the encrypted file is needed.
fn kept_anywhere(args: &Args, filter: &Filter) -> Result<bool, CliError> {
    let estate = read(&args.change.at)?;
    let meant = |c: &&crate::estate::model::Customer| {
        c.credentials
            .iter()
            .any(|one| one.stored && filter.takes(c, one))
    };
    let named = match (&filter.customer, &filter.id) {
        (Some(customer), Some(id)) => estate.customers.get(customer).is_none_or(|c| {
            c.credentials
                .iter()
                .all(|one| one.id != *id || !one.is_open())
        }),
        _ => false,
    };
    Ok(named || estate.customers.values().any(|c| meant(&c)))
}

/// A value from standard input must be the one that is meant.
fn same(chosen: &[Doomed], value: &Secret) -> Result<(), CliError> {
    let print = crate::estate::credential::fingerprint(value.expose());
    let other = chosen
        .iter()
        .find(|one| one.credential.fingerprint.is_some() && one.credential.fingerprint != print);
    match other {
        None => Ok(()),
        Some(one) => Err(CliError::failed(format!(
            "this is not the secret that is recorded as `{}`; nothing was revoked",
            one.credential.id
        ))
        .hint("give the one whose fingerprint `tenantry customer credential show` names")),
    }
}

/// Values that are kept although no entry calls them valid.
fn left(estate: &Estate, args: &Args, content: &Content) -> Vec<Kept> {
    let wide = args.purpose.is_some() || args.kind.is_some() || args.owner.is_some();
    content
        .kept
        .iter()
        .filter(|k| !wide && args.customer.as_ref().is_some_and(|c| *c == k.customer))
        .filter(|k| {
            args.credential
                .as_ref()
                .is_none_or(|id| *id == k.credential)
        })
        .filter(|k| {
            let entry = estate
                .customers
                .get(&k.customer)
                .and_then(|c| c.credentials.iter().find(|c| c.id == k.credential));
            entry.is_none_or(|c| !c.is_open())
        })
        .cloned()
        .collect()
}

/// For each that goes, whom that cuts off.
type Cut = BTreeMap<Named, Vec<Named>>;

/// All who are cut off, once each.
fn together(cut: &Cut) -> Vec<Named> {
    let mut out: Vec<Named> = cut.values().flatten().cloned().collect();
    out.sort();
    out.dedup();
    out
}

fn cuts_off(cut: &Cut) -> CliError {
    let going: Vec<Named> = cut.keys().cloned().collect();
    let others = together(cut);
    CliError::failed(format!(
        "revoking {} would cut off {}: it is the same secret; nothing was revoked",
        same::list(&going),
        same::list(&others)
    ))
    .hint(format!(
        "give the others one of their own first: {}; --shared cuts them off",
        same::rotations(&others)
    ))
}

fn plan_text(args: &Args, chosen: &[Doomed], left: &[Kept], cut: &Cut) -> String {
    let mut out = String::new();
    let with = |customer: &CustomerId, credential: &CredentialId| {
        let name = Named {
            customer: customer.clone(),
            credential: credential.clone(),
        };
        cut.get(&name).map_or_else(String::new, |others| {
            format!("; this cuts off {}, the same secret", same::list(others))
        })
    };
    for one in chosen {
        let what = match (&one.way, args.by_hand) {
            (_, true) => "record that it was revoked by hand".to_owned(),
            (Way::Github(_), false) => "revoke at GitHub".to_owned(),
            (Way::ByHand { place, .. }, false) => format!("cannot be revoked from here: {place}"),
        };
        let with = with(&one.customer, &one.credential.id);
        out.push_str(&format!(
            "{}/{}: {what}{with}\n",
            one.customer, one.credential.id
        ));
    }
    for one in left {
        out.push_str(&format!(
            "{}/{}: revoke at GitHub if it is one of its tokens, and forget the value{}\n",
            one.customer,
            one.credential,
            with(&one.customer, &one.credential)
        ));
    }
    out
}

/// Revokes what can be; those that are gone, and those that are not.
async fn at_the_issuer<'a>(
    args: &Args,
    chosen: &'a [Doomed],
    left: &[Kept],
    towards: &ClientSettings,
    printer: &Printer,
) -> Result<(Vec<&'a Doomed>, Vec<&'a Doomed>), CliError> {
    if args.by_hand {
        return Ok((chosen.iter().collect(), Vec::new()));
    }
    let mut secrets: Vec<&Secret> = chosen
        .iter()
        .filter_map(|one| match &one.way {
            Way::Github(value) => Some(value),
            Way::ByHand { .. } => None,
        })
        .collect();
    let orphans = left.iter().map(|l| &l.value);
    secrets.extend(orphans.filter(|v| Kind::of(v.expose()).revocable()));
    at_github(towards, &secrets).await.map_err(refused)?;
    if secrets.len() <= LOOKED_AT {
        for secret in secrets
            .iter()
            .filter(|s| Kind::of(s.expose()).asks_github())
        {
            if matches!(works(towards, secret).await, Ok(true)) {
                printer.progress("GitHub has taken the revocation, and still answers to one of them; that ends within minutes");
            }
        }
    }
    Ok(chosen
        .iter()
        .partition(|one| matches!(one.way, Way::Github(_))))
}

fn told(
    gone: &[&Doomed],
    open: &[&Doomed],
    left: &[Kept],
    cut: &Cut,
    plan: &Plan,
    printer: &Printer,
) {
    let named = |list: &[&Doomed]| -> Vec<Value> {
        list.iter()
            .map(|one| json!({"customer": one.customer, "credential": one.credential.id}))
            .collect()
    };
    let forgotten: Vec<Value> = left
        .iter()
        .map(|one| json!({"customer": one.customer, "credential": one.credential}))
        .collect();
    printer.result(
        &json!({
            "version": 1,
            "revoked": named(gone),
            "by_hand": named(open),
            "forgotten": forgotten,
            "cuts_off": together(cut),
            "files": plan.json(),
            "written": true,
        }),
        &plan.text(),
    );
    if !gone.is_empty() {
        printer.progress(&format!("{} revoked; commit the entries", gone.len()));
    }
    let others = together(cut);
    if !others.is_empty() {
        printer.progress(&format!(
            "cut off with it: {}; put another one in the place of each with {}",
            same::list(&others),
            same::rotations(&others)
        ));
    }
}
