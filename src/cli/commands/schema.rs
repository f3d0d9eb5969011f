//! `tenantry schema`: the reference of a product's contract, and mistakes in its schema.

use crate::cli::error::{CliError, Exit};
use crate::cli::print::{Format, Printer};
use crate::cli::{folder, revision};
use crate::engine::module::Module;
use crate::estate::ids::shown;
use crate::estate::model::EngineKind;
use crate::estate::reference::reference;
use crate::estate::resolve::Rules;
use crate::estate::schema_check::{Effect, Effects, Takes, check, compare, compilable};
use crate::estate::suggest::nearest;
use crate::estate::{Estate, Findings, Level, ProductId};
use crate::report::reference::{example, html, markdown};
use serde_json::json;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// What a customer may write, as a page for customers.
    #[command(
        after_help = "Examples:\n  tenantry schema docs web --estate infra-manager\n  tenantry schema docs web --estate infra-manager --as html --out web.html"
    )]
    Docs(DocsArgs),
    /// Find mistakes in a product's schema, and whom a change of it would break.
    #[command(
        after_help = "Examples:\n  tenantry schema check web --estate infra-manager\n  tenantry schema check web --estate infra-manager --against origin/main"
    )]
    Check(CheckArgs),
}

/// How the reference is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum As {
    /// Markdown.
    Md,
    /// One HTML page that needs nothing else.
    Html,
}

#[derive(Debug, clap::Args)]
struct DocsArgs {
    /// The product.
    product: ProductId,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// How the page is written.
    #[arg(long = "as", value_enum, default_value_t = As::Md)]
    form: As,
    /// File to write; standard output when absent.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Debug, clap::Args)]
struct CheckArgs {
    /// The product.
    product: ProductId,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Also say which stacks pass at this git revision's schema and fail now, or the other way
    /// round.
    #[arg(long, value_name = "REVISION")]
    against: Option<String>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    match &args.what {
        What::Docs(args) => docs(args, printer),
        What::Check(args) => checked(args, printer),
    }
}

fn known(estate: &Estate, product: &ProductId) -> Result<(), CliError> {
    if estate.products.contains_key(product) {
        return Ok(());
    }
    let names: Vec<&str> = estate.products.keys().map(ProductId::as_str).collect();
    let hint = nearest(product.as_str(), names.iter().copied()).map_or_else(
        || format!("products are {}", names.join(", ")),
        |n| format!("did you mean `{n}`?"),
    );
    Err(CliError::usage(format!("there is no product `{product}`")).hint(hint))
}

fn docs(args: &DocsArgs, printer: &Printer) -> Result<Exit, CliError> {
    let estate = Estate::read(folder::read(&args.estate)?)?;
    known(&estate, &args.product)?;
    // A schema that leads in circles or does not compile is not to be described.
    let broken = check(&estate.files, &args.product, None);
    if !compilable(&broken.0) {
        let errors = broken.0.into_iter().filter(|f| f.level == Level::Error);
        return Err(CliError::from(Findings(errors.collect())).hint("correct the schema first"));
    }
    let Some(page) = reference(&estate, &args.product)? else {
        return Err(CliError::failed(format!(
            "product `{}` has no `values.schema.json`",
            args.product
        ))
        .hint(
            "without a schema there is nothing to describe; `tenantry init product` drafts one",
        ));
    };
    let rules = Rules::of(&estate)?;
    let example = example(&estate, &rules, &args.product)?;
    if example.is_none() {
        printer.progress(
            "no example passes on its own; give `examples` to the required keys of the schema",
        );
    }
    let text = match args.form {
        As::Md => markdown(&page, example.as_ref()),
        As::Html => html(&page, example.as_ref())?,
    };
    match &args.out {
        Some(out) => {
            folder::write(out, text.as_bytes())?;
            printer.progress(&format!(
                "wrote {} keys to {}",
                page.entries.len(),
                out.display()
            ));
        }
        None => printer.data(&text),
    }
    Ok(Exit::Done)
}

fn checked(args: &CheckArgs, printer: &Printer) -> Result<Exit, CliError> {
    let estate = Estate::read(folder::read(&args.estate)?)?;
    known(&estate, &args.product)?;
    let mut findings = Vec::new();
    let takes = match module(&estate, &args.product) {
        Ok(takes) => takes,
        Err(e) => {
            findings.extend(e.0);
            None
        }
    };
    findings.extend(check(&estate.files, &args.product, takes.as_ref()).0);
    let sound = compilable(&findings);
    let effects = match &args.against {
        // Stacks cannot be judged by a schema that does not compile.
        Some(_) if !sound => {
            printer.progress("the schema has errors, so it is not compared yet");
            None
        }
        Some(against) => {
            let before = revision::read(&args.estate, against)?;
            let effects = compare(&estate, &before, &args.product).map_err(|e| {
                CliError::from(e).hint(format!(
                    "the schema at `{}` must compile to be compared with",
                    shown(against)
                ))
            })?;
            findings.extend(effects.findings(&args.product));
            Some(effects)
        }
        None => None,
    };
    let findings = Findings(findings).tidy();
    print(args, printer, &findings, effects.as_ref());
    Ok(if findings.has_errors() {
        Exit::Refused
    } else {
        Exit::Done
    })
}

fn print(args: &CheckArgs, printer: &Printer, findings: &Findings, effects: Option<&Effects>) {
    let list = |effects: &[Effect]| -> Vec<serde_json::Value> {
        effects
            .iter()
            .map(|e| {
                let stacks: Vec<_> = e
                    .stacks
                    .iter()
                    .map(|(s, p)| json!({"stack": s, "place": p.to_string()}))
                    .collect();
                json!({"message": e.message, "rule": e.rule, "stacks": stacks})
            })
            .collect()
    };
    match effects {
        Some(effects) if printer.format == Format::Json => printer.result(
            &json!({
                "version": 1,
                "findings": findings.0,
                "against": args.against,
                "stacks": effects.stacks,
                "stacks_with_own_file": effects.own_file,
                "breaks": list(&effects.breaks),
                "fixes": list(&effects.fixes),
            }),
            "",
        ),
        _ if printer.format == Format::Json || !findings.0.is_empty() => {
            printer.findings(&findings.0)
        }
        _ => {}
    }
    if let (Some(effects), Some(against)) = (effects, &args.against) {
        for fix in &effects.fixes {
            printer.progress(&format!(
                "fixes {} of {}: {}",
                counted(fix.stacks.len(), "stack"),
                fix.whose(),
                fix.message
            ));
        }
        printer.progress(&format!(
            "{} compared with `{}`: {} would break, {} would pass again",
            counted(effects.stacks, "stack"),
            shown(against),
            several(&effects.breaks),
            several(&effects.fixes)
        ));
        if effects.own_file > 0 {
            printer.progress(&format!(
                "{} of them take part of their values from a customer's repository, which was not looked at",
                effects.own_file
            ));
        }
    }
    if findings.0.is_empty() {
        printer.progress(&format!(
            "the schema of `{}` was checked, nothing to correct",
            args.product
        ));
    } else {
        printer.progress(&format!("{} to correct", findings.0.len()));
    }
}

fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}

/// How many stacks; one with two findings counts once.
fn several(effects: &[Effect]) -> usize {
    let mut all: Vec<_> = effects
        .iter()
        .flat_map(|e| e.stacks.iter().map(|(s, _)| s))
        .collect();
    all.sort();
    all.dedup();
    all.len()
}

/// The variables of the product's module, where it has one.
fn module(
    estate: &Estate,
    product: &ProductId,
) -> Result<Option<BTreeMap<String, Takes>>, Findings> {
    let engine = estate.products.get(product).map(|p| p.engine);
    if engine != Some(EngineKind::Terraform) {
        return Ok(None);
    }
    let module = Module::read(&estate.files, &format!("products/{product}/terraform"))?;
    Ok(Some(
        module
            .variables
            .into_iter()
            .map(|(name, v)| {
                let takes = Takes {
                    required: v.required,
                    sensitive: v.secret,
                    path: v.path,
                };
                (name, takes)
            })
            .collect(),
    ))
}
