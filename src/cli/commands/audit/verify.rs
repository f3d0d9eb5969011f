//! `tenantry audit verify`: judge the log in the store, or an export by itself.

use super::{LogArgs, damaged, foreign_file};
use crate::audit::export::{LARGEST_EXPORT, check};
use crate::audit::head::{self, Kept};
use crate::audit::verify::{Damage, Verdict};
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::estate::CustomerId;
use serde_json::json;
use std::path::{Path, PathBuf};

pub(super) const AFTER: &str = "\
A head is what `tenantry audit head` printed, or what stands at the end of our comments:
`log:42:<64 hex digits>`, `acme:17:<64 hex digits>`; or a file that holds such lines.

Examples:
  tenantry audit verify --estate infra-manager --head kept-heads.txt
  tenantry audit verify --store s3://acme-ops-audit/tenantry --public-key ed25519:…
  tenantry audit verify --export acme.jsonl --public-key ed25519:…";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    log: LogArgs,
    /// Judge this customer's records only.
    #[arg(long, value_name = "CUSTOMER")]
    customer: Option<CustomerId>,
    /// A head that was kept: the log of today must contain it. Can be repeated.
    #[arg(long, value_name = "HEAD|FILE")]
    head: Vec<String>,
    /// Judge an export by itself, without the store.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["store", "customer"])]
    export: Option<PathBuf>,
}

/// No file of heads is larger.
const LARGEST_HEADS: u64 = 4 << 20;

fn heads(args: &[String]) -> Result<Vec<Kept>, CliError> {
    let mut out = Vec::new();
    for arg in args {
        let file = Path::new(arg);
        match arg.parse() {
            Ok(kept) => out.push(kept),
            Err(_) if file.is_file() => {
                let bytes = foreign_file(file, LARGEST_HEADS)?;
                let text = String::from_utf8(bytes)
                    .map_err(|_| CliError::usage(format!("`{}` is not UTF-8", file.display())))?;
                let kept = head::read(&text)
                    .map_err(|e| CliError::usage(format!("`{}`: {e}", file.display())))?;
                out.extend(kept);
            }
            Err(e) => return Err(CliError::usage(format!("{e}, or the name of a file"))),
        }
    }
    Ok(out)
}

/// Runs it.
pub(super) async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let heads = heads(&args.head)?;
    if let Some(file) = &args.export {
        return offline(args, file, &heads, printer);
    }
    let opened = args.log.open(env)?;
    let wanted = !heads.is_empty();
    let verdict = opened.verdict(args.customer.as_ref(), heads).await?;
    if let Some(customer) = &args.customer
        && !verdict.chains.contains_key(customer)
        && verdict.damage.is_empty()
    {
        return Err(CliError::failed(format!(
            "there is no record of `{customer}`"
        )));
    }
    print(printer, &verdict, opened.keys.len());
    match verdict.damage.len() {
        0 if verdict.entries == 0 && verdict.records == 0 && !wanted => Ok(Exit::Nothing),
        0 => Ok(Exit::Done),
        n => Err(damaged(n)),
    }
}

fn print(printer: &Printer, verdict: &Verdict, keys: usize) {
    let head = verdict.head.clone().map(|h| Kept::Log(h).to_string());
    let mut text = lines(&verdict.damage);
    for note in &verdict.notes {
        text.push_str(&format!("note: {note}\n"));
    }
    text.push_str(&match (&head, verdict.damage.is_empty()) {
        (None, _) => "there is no record yet".to_owned(),
        (Some(head), true) => format!(
            "{} records of {} customers are as they were written{}\nhead {head}",
            verdict.records,
            verdict.customers,
            if keys > 0 {
                ", and signed by the manager"
            } else {
                ""
            },
        ),
        (Some(head), false) => format!(
            "{} records of {} customers read\nhead {head}",
            verdict.records, verdict.customers
        ),
    });
    let json = json!({
        "version": 1,
        "ok": verdict.damage.is_empty(),
        "damage": verdict.damage,
        "notes": verdict.notes,
        "customers": verdict.customers,
        "records": verdict.records,
        "entries": verdict.entries,
        "head": head,
        "signatures_checked": keys > 0,
    });
    printer.result(&json, &text);
}

fn lines(damage: &[Damage]) -> String {
    damage.iter().map(|d| format!("{d}\n")).collect()
}

fn offline(args: &Args, file: &Path, heads: &[Kept], printer: &Printer) -> Result<Exit, CliError> {
    let bytes = foreign_file(file, LARGEST_EXPORT)?;
    let keys = &args.log.public_key;
    let judged = check(&bytes, keys, heads)
        .map_err(|e| CliError::failed(format!("`{}`: {e}", file.display())))?;
    let mut notes = Vec::new();
    if keys.is_empty() {
        notes.push(
            "signatures were not checked: name the manager's key with --public-key".to_owned(),
        );
    }
    if heads.is_empty() {
        notes.push("whether newer records were left out is not known: name a head that you kept with --head".to_owned());
    }
    if judged.pending {
        notes.push("the last record was not in the log yet when this was exported".to_owned());
    }
    let head = Kept::Log(judged.head.clone()).to_string();
    let mut text = lines(&judged.damage);
    notes
        .iter()
        .for_each(|n| text.push_str(&format!("note: {n}\n")));
    if judged.damage.is_empty() {
        text.push_str(&format!(
            "{} records of {} are whole and belong to the log{}\nhead {head}",
            judged.records.len(),
            judged.customer,
            if keys.is_empty() {
                ""
            } else {
                ", and are signed by the manager"
            },
        ));
    }
    let json = json!({
        "version": 1,
        "ok": judged.damage.is_empty(),
        "damage": judged.damage,
        "notes": notes,
        "customer": judged.customer,
        "records": judged.records.len(),
        "head": head,
        "signatures_checked": !keys.is_empty(),
    });
    printer.result(&json, &text);
    match judged.damage.len() {
        0 => Ok(Exit::Done),
        n => Err(damaged(n)),
    }
}
