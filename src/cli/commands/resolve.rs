//! `tenantry resolve`: the effective values of one stack, or of all.

use crate::cli::contracts::{self, ContractArgs};
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::cli::step;
use crate::engine::emit::yaml;
use crate::engine::module::Module;
use crate::engine::terraform;
use crate::estate::defaults::left_to_schema;
use crate::estate::resolve::{Resolved, resolve};
use crate::estate::{Effective, Estate, Findings, StackId};
use rayon::prelude::*;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry resolve acme/web/production --variables ../acme-app/infra/variables.yml\n  tenantry resolve acme/web/production --variables ../acme-app --commit v1.4 --format json\n  tenantry resolve --all --out values/"
)]
pub struct Args {
    /// The stack, such as `acme/web/production`.
    #[arg(required_unless_present = "all", conflicts_with = "all")]
    stack: Option<StackId>,
    /// Every stack.
    #[arg(long, requires = "out")]
    all: bool,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    #[command(flatten)]
    contracts: ContractArgs,
    /// Show also what no layer sets and the schema has a default for. It is not part of the values.
    #[arg(long, conflicts_with = "all")]
    defaults: bool,
    /// Folder for one `<customer>/<product>/<environment>/values.yaml` each.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let (estate, rules) = step::estate(&args.estate)?;
    let stacks = match &args.stack {
        Some(stack) => {
            contracts::subscription(&estate, stack)?;
            vec![stack.clone()]
        }
        None => estate.stacks(),
    };
    // Everything is resolved before anything is written, and every mistake is told.
    let done: Vec<Result<Resolved, CliError>> = stacks
        .par_iter()
        .map(|stack| {
            let contract = args.contracts.read(&estate, stack, args.all)?;
            Ok(resolve(&estate, &rules, stack, contract.as_ref())?)
        })
        .collect();
    let mut resolved = Vec::new();
    let mut findings = Findings::default();
    for each in done {
        match each.map_err(CliError::into_findings) {
            Ok(each) => resolved.push(each.effective),
            Err(Ok(found)) => findings.0.extend(found.0),
            Err(Err(error)) => return Err(error),
        }
    }
    if !findings.0.is_empty() {
        let missing = findings.0.iter().any(|f| f.rule == "schema-required");
        let error = CliError::from(findings.tidy());
        return Err(if missing && !args.contracts.given() {
            error.hint("if the customer's own file sets it, name that file or their checkout with --variables PATH")
        } else {
            error
        });
    }
    match &args.out {
        Some(out) => {
            let name = match printer.format {
                Format::Json => "values.json",
                Format::Tfvars => "terraform.tfvars.json",
                _ => "values.yaml",
            };
            let texts: Vec<String> = resolved
                .iter()
                .map(|effective| values(printer.format, &estate, effective))
                .collect::<Result<_, _>>()?;
            for (effective, text) in resolved.iter().zip(&texts) {
                let path = out.join(effective.stack.to_string()).join(name);
                folder::write(&path, text.as_bytes())?;
            }
            let plural = if resolved.len() == 1 { "" } else { "s" };
            printer.progress(&format!(
                "wrote {} stack{plural} to {}",
                resolved.len(),
                out.display()
            ));
        }
        None => {
            for effective in &resolved {
                let mut text = values(printer.format, &estate, effective)?;
                if args.defaults {
                    text = with_defaults(printer.format, effective, text, &rules);
                }
                printer.data(&text);
            }
        }
    }
    Ok(if resolved.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

fn values(format: Format, estate: &Estate, effective: &Effective) -> Result<String, CliError> {
    Ok(match format {
        Format::Json => serde_json::to_string_pretty(&effective.values)? + "\n",
        Format::Tfvars => {
            let folder = format!("products/{}/terraform", effective.stack.product);
            let module = Module::read(&estate.files, &folder)?;
            let variables = terraform::variables(&module, &effective.stack, &effective.values)?;
            serde_json::to_string_pretty(&variables)? + "\n"
        }
        _ => yaml(&effective.values),
    })
}

fn with_defaults(
    format: Format,
    effective: &Effective,
    text: String,
    rules: &crate::estate::resolve::Rules,
) -> String {
    let defaults = rules
        .schema(&effective.stack.product)
        .map(|schema| left_to_schema(schema.document(), &effective.values))
        .unwrap_or_default();
    if format == Format::Json {
        let defaults: serde_json::Map<_, _> = defaults.into_iter().collect();
        let both =
            serde_json::json!({"version": 1, "values": effective.values, "defaults": defaults});
        return serde_json::to_string_pretty(&both).unwrap_or(text);
    }
    let mut out = text;
    if !defaults.is_empty() {
        out.push_str("# Set by no layer; the schema has a default:\n");
    }
    for (path, value) in defaults {
        out.push_str(&format!("#   {path}: {value}\n"));
    }
    out
}
