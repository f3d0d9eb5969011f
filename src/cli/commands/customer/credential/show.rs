//! `tenantry customer credential show`.

use super::*;
use crate::estate::CredentialId;
use crate::registry::credential;
use base64::Engine as _;
use std::fmt::Write as _;

/// Behind the help.
pub const AFTER: &str = "--reveal shows the value on a terminal and nowhere else, after it has written into the encrypted file\nwho looked and when. --log shows that list.\n\nExamples:\n  tenantry customer credential show acme registry-pull\n  tenantry customer credential show acme registry-pull --reveal --identity ~/.config/age/key.txt";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,
    /// The customer.
    customer: CustomerId,
    /// The credential.
    credential: CredentialId,
    /// Show the value; only on a terminal, and it is written down who did.
    #[arg(long, conflicts_with = "log")]
    reveal: bool,
    /// Show what was done with the value.
    #[arg(long)]
    log: bool,
    #[command(flatten)]
    key: KeyArgs,
    #[arg(hide = true)]
    rest: Vec<String>,
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    super::no_more(&args.rest)?;
    let estate = read(&args.at)?;
    let customer = find(&estate, &args.customer)?;
    let c = credential::find(customer, &args.credential).map_err(refused)?;
    if args.reveal {
        return reveal(args, env, printer).await;
    }
    let today = today()?;
    let mut out = model(&customer.id, c, &today);
    out["version"] = json!(1);
    let mut said = text(c, &today);
    if args.log {
        let key = args.key.key(env).await?;
        let keyring = args.key.open(key, env, printer)?;
        let log: Vec<_> = keyring
            .content()
            .log
            .iter()
            .filter(|l| l.customer == customer.id && l.credential == c.id)
            .collect();
        said.push_str("\nWhat was done with the value\n");
        for line in &log {
            let _ = writeln!(said, "{}  {} by {}", line.at, line.what, line.by);
        }
        out["log"] = json!(log);
    }
    printer.result(&out, &said);
    Ok(Exit::Done)
}

async fn reveal(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    if !ask::seen() || printer.format == Format::Json || env.in_actions() {
        return Err(CliError::failed(
            "a value is shown on a terminal only, because what is redirected stays in a file or a log",
        )
        .hint("run it without a pipe, a redirection and --format json"));
    }
    let value = taken_out(
        &args.key,
        &args.customer,
        &args.credential,
        "revealed",
        env,
        printer,
    )
    .await?;
    printer.data(value.expose());
    Ok(Exit::Done)
}

/// A value out of the encrypted file, after it was written down there who took it and what for.
/// What cannot be written down is not given.
pub(in crate::cli::commands::customer) async fn taken_out(
    key: &KeyArgs,
    customer: &CustomerId,
    id: &CredentialId,
    what: &str,
    env: &Env,
    printer: &Printer,
) -> Result<Secret, CliError> {
    let mut keyring = key.open(key.key(env).await?, env, printer)?;
    let kept = keyring.content().find(customer, id);
    let value = kept.map(|k| k.value.clone()).ok_or_else(|| {
        CliError::failed(format!(
            "the value of `{id}` is not kept in {}",
            keyring.path().display()
        ))
        .hint("only whoever made it may still have it; otherwise rotate it")
    })?;
    let hand = hand(env)?;
    keyring
        .change(|c| c.note(what, &hand.by, hand.now, customer, id))
        .map_err(sealed)?;
    Ok(value)
}

fn text(c: &Credential, today: &Date) -> String {
    let mut out = format!("{}\n", c.id);
    let mut line = |key: &str, value: Option<String>| {
        if let Some(value) = value {
            let _ = writeln!(out, "  {key:<12} {value}");
        }
    };
    let day = |d: &Option<Date>| d.as_ref().map(ToString::to_string);
    line("purpose", Some(c.purpose.to_string()));
    line("kind", Some(c.kind.name().to_owned()));
    line(
        "status",
        Some(match (&c.until, &c.revoked) {
            (Some(until), _) => format!("{}, not to be revoked before {until}", c.status.name()),
            (_, Some(day)) => format!("{} on {day}", c.status.name()),
            _ => c.status.name().to_owned(),
        }),
    );
    line("owner", c.owner.clone());
    line("created", day(&c.created));
    line("ends", Some(ending(c, today)));
    line(
        "scopes",
        c.scopes.as_ref().map(|s| match s.is_empty() {
            true => "none".to_owned(),
            false => s.join(", "),
        }),
    );
    line("accepted", c.accepted.clone());
    line("verified", day(&c.verified));
    line(
        "fingerprint",
        c.fingerprint.as_ref().map(ToString::to_string),
    );
    // The same digest as GitHub's audit log writes it.
    let hashed = c
        .fingerprint
        .as_ref()
        .filter(|_| c.kind.asks_github())
        .and_then(|f| base64_of_hex(f.hex()));
    line("hashed token", hashed);
    line("ends with", c.last_four.clone());
    line(
        "value",
        Some(
            if c.stored {
                "kept, encrypted"
            } else {
                "not kept"
            }
            .to_owned(),
        ),
    );
    line("handed over", day(&c.handed_over));
    for (place, name) in &c.places {
        line("secret", Some(format!("{name} of {place}")));
    }
    line("replaces", c.replaces.as_ref().map(ToString::to_string));
    out
}

fn base64_of_hex(hex: &str) -> Option<String> {
    let byte = |i: usize| u8::from_str_radix(hex.get(i..i + 2)?, 16).ok();
    let bytes: Option<Vec<u8>> = (0..hex.len()).step_by(2).map(byte).collect();
    Some(base64::engine::general_purpose::STANDARD.encode(bytes?))
}
