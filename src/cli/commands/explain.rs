//! `tenantry explain`: where a value of a stack comes from.

use crate::cli::contracts::{self, ContractArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::estate::describe::{Description, describe};
use crate::estate::ids::shown;
use crate::estate::layers::{Effect, Origin};
use crate::estate::resolve::{Rules, compose};
use crate::estate::suggest::nearest;
use crate::estate::{Effective, Estate, Finding, StackId};
use serde_json::{Value, json};
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry explain acme/web/production instance_type\n  tenantry explain acme/web/production tags.owner --variables ../acme-app\n  tenantry explain acme/web/production 'subnets[0]' --format json"
)]
pub struct Args {
    /// The stack, such as `acme/web/production`.
    stack: StackId,
    /// The key, such as `tags.owner`, `subnets[0]`, or as a JSON pointer `/tags/a.b`.
    key: String,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    #[command(flatten)]
    contracts: ContractArgs,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let estate = Estate::read(folder::read(&args.estate)?)?;
    let rules = Rules::of(&estate)?;
    contracts::subscription(&estate, &args.stack)?;
    let contract = args.contracts.read(&estate, &args.stack, false)?;
    let (effective, mut findings) = compose(&estate.files, &args.stack, contract.as_ref())?;
    let path = steps(&args.key)?;
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    let schema = rules.schema(&args.stack.product);
    let chain = effective.chain(&path);
    let value = effective.at(&path);
    let described = schema.and_then(|s| describe(s.document(), &path));
    if chain.is_empty() && value.is_none() && described.is_none() {
        return Err(unknown(
            &args.key,
            &path,
            &effective,
            schema.map(|s| s.document()),
        ));
    }
    findings.extend(schema.map(|s| s.check(&effective)).unwrap_or_default());
    // Of all that is wrong with the stack, what concerns this value.
    findings.retain(|f| chain.iter().any(|o| o.place == f.place || o.key == f.place));
    let json = json!({
        "version": 1, "stack": args.stack, "path": path, "set": value.is_some(), "value": value,
        "chain": chain, "schema": described, "findings": findings, "homes": effective.homes(),
    });
    let text = tell(
        &args.stack,
        &path,
        value,
        &chain,
        described.as_ref(),
        &effective,
        &findings,
    );
    printer.result(&json, &text);
    Ok(if findings.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// `a.b[0]` or `/a/b/0`.
fn steps(key: &str) -> Result<Vec<String>, CliError> {
    let wrong = || {
        CliError::usage(format!("`{}` is not a key", shown(key)))
            .hint("write it like `tags.owner`, `subnets[0]` or `/tags/owner`")
    };
    if let Some(pointer) = key.strip_prefix('/') {
        let step = |s: &str| s.replace("~1", "/").replace("~0", "~");
        return Ok(pointer.split('/').map(step).collect());
    }
    let mut out = Vec::new();
    for part in key.split('.') {
        let (name, indexes) = match part.split_once('[') {
            Some((name, rest)) => (name, rest.strip_suffix(']').ok_or_else(wrong)?),
            None => (part, ""),
        };
        if name.is_empty() {
            return Err(wrong());
        }
        out.push(name.to_owned());
        for index in indexes.split("][").filter(|i| !i.is_empty()) {
            index.parse::<usize>().map_err(|_| wrong())?;
            out.push(index.to_owned());
        }
    }
    Ok(out)
}

fn unknown(key: &str, path: &[&str], effective: &Effective, schema: Option<&Value>) -> CliError {
    let (last, above) = path.split_last().unwrap_or((&"", &[]));
    let mut known: Vec<&str> = effective
        .at(above)
        .and_then(Value::as_object)
        .map(|m| m.keys().map(String::as_str).collect())
        .unwrap_or_default();
    if above.is_empty() {
        let declared = schema
            .and_then(|s| s.get("properties"))
            .and_then(Value::as_object);
        known.extend(
            declared
                .into_iter()
                .flat_map(|p| p.keys().map(String::as_str)),
        );
    }
    let hint = nearest(last, known.iter().copied()).map_or_else(
        || format!("`tenantry resolve {}` prints all values", effective.stack),
        |near| format!("did you mean `{near}`?"),
    );
    CliError::usage(format!(
        "no layer of `{}` sets `{}`, and the schema does not know it",
        effective.stack,
        shown(key)
    ))
    .hint(hint)
}

fn tell(
    stack: &StackId,
    path: &[&str],
    value: Option<&Value>,
    chain: &[Origin],
    described: Option<&Description>,
    effective: &Effective,
    findings: &[Finding],
) -> String {
    let dotted = path.join(".");
    let mut out = match value {
        Some(value) => format!("{stack}: {dotted} = {}\n", brief(value)),
        None => format!("{stack}: {dotted} is not set\n"),
    };
    let rows: Vec<(&str, String, String)> = chain
        .iter()
        .map(|o| {
            let what = match o.effect {
                Effect::Sets => brief(&o.value),
                Effect::Removes => format!("removed by {}", brief(&o.value)),
            };
            (o.layer, o.place.to_string(), what)
        })
        .collect();
    if !rows.is_empty() {
        out.push('\n');
    }
    out.push_str(&columns(&rows));
    if let Some(Value::Object(map)) = value {
        let rows: Vec<(&str, String, String)> = map
            .iter()
            .map(|(key, value)| {
                let steps: Vec<&str> = path.iter().copied().chain([key.as_str()]).collect();
                let place = effective
                    .blame(&steps)
                    .map_or_else(String::new, |o| o.place.to_string());
                (key.as_str(), place, brief(value))
            })
            .collect();
        out.push_str("\nin it:\n");
        out.push_str(&columns(&rows));
    }
    if chain.last().is_none_or(|o| o.effect == Effect::Removes) {
        let homes: Vec<String> = effective
            .homes()
            .iter()
            .map(|h| format!("  {h}\n"))
            .collect();
        out.push_str(&format!("\nit can be set in\n{}", homes.concat()));
    }
    if let Some(described) = described {
        out.push_str(&format!("\nschema: {}\n", described.in_words()));
        if let Some(text) = &described.description {
            out.push_str(&format!("  {text}\n"));
        }
    }
    if !findings.is_empty() {
        out.push('\n');
        for finding in findings {
            out.push_str(&format!("{finding}\n"));
        }
    }
    out
}

/// One line of at most about 100 characters.
fn brief(value: &Value) -> String {
    let text = match value {
        Value::Object(map) if map.is_empty() => "{}".to_owned(),
        Value::Object(map) => format!("a map of {}", count(map.len(), "key")),
        other => other.to_string(),
    };
    if text.chars().count() > 100 {
        let start: String = text.chars().take(99).collect();
        return format!("{start}…");
    }
    text
}

fn count(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

fn columns(rows: &[(&str, String, String)]) -> String {
    let first = rows.iter().map(|r| r.0.chars().count()).max().unwrap_or(0);
    let second = rows.iter().map(|r| r.1.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(a, b, c)| format!("  {a:<first$}  {b:<second$}  {c}\n"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_in_both_notations() {
        let read = |key: &str| steps(key).map_err(|e| e.text());
        assert_eq!(
            read("a.b[0][1]"),
            Ok(vec!["a".into(), "b".into(), "0".into(), "1".into()])
        );
        assert_eq!(read("/a~1b/c.d"), Ok(vec!["a/b".into(), "c.d".into()]));
        for wrong in ["", "a..b", "a[", "a[x]", "[0]"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
