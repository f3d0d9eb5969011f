//! `tenantry inspect`: what a sealed plan is bound to, verified without GitHub and store.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::delivery::bundle::Bundle;
use crate::delivery::records::RequestName;
use crate::digest::Digest;
use crate::estate::StackId;
use crate::store::seal::{self, SealIdentity};
use serde_json::json;
use std::path::PathBuf;

/// Largest sealed plan that is read, in bytes.
const MAX: u64 = 512 << 20;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "The key that opens sealed plans is read from a file or from TENANTRY_SEAL_IDENTITY.\n\nExample:\n  tenantry inspect 4f1c….age --identity infra-manager.seal-identity --digest sha256:9b1d…"
)]
pub struct Args {
    /// The sealed plan, as it lies in the store under `plans/`.
    file: PathBuf,
    /// File with the key that opens it.
    #[arg(long, value_name = "FILE")]
    identity: Option<PathBuf>,
    /// The digest that was approved: at least the first 12 digits of it.
    #[arg(long, value_name = "DIGEST")]
    digest: Option<String>,
    /// The stack that it must be for.
    #[arg(long)]
    stack: Option<StackId>,
    /// The request that it must be for.
    #[arg(long)]
    request: Option<RequestName>,
}

/// Runs it.
pub fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let unreadable = |path: &PathBuf, e: std::io::Error| {
        CliError::usage(format!("`{}` cannot be read: {e}", path.display()))
    };
    let size = std::fs::metadata(&args.file)
        .map_err(|e| unreadable(&args.file, e))?
        .len();
    if size > MAX {
        return Err(CliError::failed(format!(
            "`{}` has {size} bytes, a sealed plan has {MAX} at most",
            args.file.display()
        )));
    }
    let sealed = std::fs::read(&args.file).map_err(|e| unreadable(&args.file, e))?;
    let identity = match &args.identity {
        Some(path) => std::fs::read_to_string(path).map_err(|e| unreadable(path, e))?,
        None => env
            .get("TENANTRY_SEAL_IDENTITY")
            .ok_or_else(|| {
                CliError::usage("the key that opens sealed plans is not there")
                    .hint("name its file with --identity, or set TENANTRY_SEAL_IDENTITY")
            })?
            .to_owned(),
    };
    let bundle = Bundle::read(&seal::open(&SealIdentity::parse(&identity)?, &sealed)?)?;
    let manifest = &bundle.manifest;
    let digest = bundle.digest();
    let mut wrong = Vec::new();
    if let Some(wanted) = &args.digest
        && !same(&digest, wanted)
    {
        wrong.push(format!("the digest is {digest}, not `{wanted}`"));
    }
    if let Some(stack) = args.stack.as_ref().filter(|s| **s != manifest.stack) {
        wrong.push(format!(
            "it is for stack `{}`, not for `{stack}`",
            manifest.stack
        ));
    }
    if let Some(request) = args.request.as_ref().filter(|r| **r != manifest.request) {
        wrong.push(format!(
            "it belongs to request `{}`, not to `{request}`",
            manifest.request
        ));
    }
    let state = manifest.state.as_ref().map_or_else(
        || "none".to_owned(),
        |(lineage, serial)| format!("{lineage}, serial {serial}"),
    );
    let tool = manifest
        .tool
        .as_ref()
        .map_or_else(|| "none".to_owned(), ToString::to_string);
    let mut text = String::new();
    for (name, value) in [
        ("digest", digest.to_string()),
        ("stack", manifest.stack.to_string()),
        (
            "request",
            format!(
                "{}, attempt {}, run {}",
                manifest.request, manifest.attempt, manifest.run
            ),
        ),
        (
            "planned",
            format!(
                "{} by {}",
                manifest.created,
                manifest.actor.as_deref().unwrap_or("nobody named")
            ),
        ),
        ("tool", tool),
        ("state", state),
        ("inputs", manifest.inputs.to_string()),
        ("plan file", manifest.plan.to_string()),
        ("plan as JSON", manifest.shown.to_string()),
        ("lock file", manifest.lock.to_string()),
    ] {
        text.push_str(&format!("{name:<13} {value}\n"));
    }
    text.push_str("contents      are those of the manifest\n");
    for line in &wrong {
        text.push_str(&format!("refused       {line}\n"));
    }
    printer.result(
        &json!({"version": 1, "digest": digest, "manifest": manifest, "refused": wrong}),
        &text,
    );
    Ok(if wrong.is_empty() {
        Exit::Done
    } else {
        Exit::Refused
    })
}

/// A digest as comments show it is cut; what is there must be equal and enough to mean something.
fn same(digest: &Digest, wanted: &str) -> bool {
    let whole = digest.to_string();
    let digits = whole.strip_prefix("sha256:").unwrap_or(&whole);
    let wanted = wanted
        .trim()
        .strip_prefix("sha256:")
        .unwrap_or(wanted.trim());
    wanted.len() >= 12 && digits.starts_with(&wanted.to_ascii_lowercase())
}
