//! `tenantry render`: a plan or a text as bodies of comments.

use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::cli::step;
use crate::engine::plan_json::{self, MAX_BYTES};
use crate::engine::redact::Redactor;
use crate::estate::ids::shown;
use crate::report::plan;
use serde_json::json;
use std::io::Read;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  terraform show -json plan.tfplan | tenantry render - --out comments/\n  tenantry render plan.json --format json\n  tenantry render --text apply.log --out comments/"
)]
pub struct Args {
    /// A plan as `terraform show -json` prints it; `-` reads standard input.
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// The file is plain text, not a plan.
    #[arg(long)]
    text: bool,
    /// Folder for the bodies: `1.md`, `2.md`, ….
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Most bodies there may be; 0 for as many as it takes. 10 for a plan, no limit for a text.
    #[arg(long, value_name = "N")]
    max_bodies: Option<usize>,
    /// Manager repository whose `redact` rules, and those of its customers, hide more.
    #[arg(long, value_name = "DIR")]
    estate: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let mut redactor = match &args.estate {
        Some(root) => {
            let (estate, _) = step::estate(root)?;
            let customers = estate.customers.values();
            let rules = customers.fold(estate.settings.redact.clone(), |r, c| r.and(&c.redact));
            Redactor::new(&rules)
        }
        None => Redactor::default(),
    };
    let bytes = read(args)?;
    let bodies = if args.text {
        let text = String::from_utf8_lossy(&bytes);
        plan::text_bodies(&redactor.text(&text), limit(args, None))
    } else {
        let changes = plan_json::read(&bytes, &mut redactor)?;
        drop(bytes);
        plan::bodies(&changes, limit(args, Some(plan::BODIES)))
    };
    match &args.out {
        Some(out) => {
            for (i, body) in bodies.iter().enumerate() {
                folder::write(&out.join(format!("{}.md", i + 1)), body.as_bytes())?;
            }
            let next = out.join(format!("{}.md", bodies.len() + 1));
            if next.exists() {
                printer.progress(&format!(
                    "warning: `{}` and those after it are not of this rendering",
                    next.display()
                ));
            }
            let plural = if bodies.len() == 1 { "body" } else { "bodies" };
            printer.progress(&format!(
                "wrote {} {plural} to {}",
                bodies.len(),
                out.display()
            ));
        }
        None if printer.format == Format::Json => {}
        None => match bodies.as_slice() {
            [body] => printer.data(body),
            many => {
                return Err(CliError::usage(format!(
                    "this makes {} bodies, and standard output holds one",
                    many.len()
                ))
                .hint("name a folder with --out DIR, or use --format json"));
            }
        },
    }
    if printer.format == Format::Json {
        printer.data(&serde_json::to_string(
            &json!({"version": 1, "bodies": bodies}),
        )?);
    }
    Ok(Exit::Done)
}

fn limit(args: &Args, default: Option<usize>) -> Option<usize> {
    match args.max_bodies {
        Some(0) => None,
        Some(n) => Some(n),
        None => default,
    }
}

/// The file, or as much of it as shows that it is too large.
fn read(args: &Args) -> Result<Vec<u8>, CliError> {
    let name = shown(&args.file.display().to_string());
    let failed = |e: std::io::Error| CliError::usage(format!("`{name}` cannot be read: {e}"));
    let mut bytes = Vec::new();
    let most = MAX_BYTES as u64 + 1;
    if args.file.as_os_str() == "-" {
        std::io::stdin()
            .lock()
            .take(most)
            .read_to_end(&mut bytes)
            .map_err(failed)?;
    } else {
        let file = std::fs::File::open(&args.file).map_err(failed)?;
        if let Ok(meta) = file.metadata() {
            bytes.reserve(meta.len().min(most) as usize);
        }
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() > MAX_BYTES {
        return Err(
            CliError::failed(format!("`{name}` is larger than {} MB", MAX_BYTES >> 20))
                .hint("split the stack, or render the output of `terraform show` in parts"),
        );
    }
    Ok(bytes)
}
