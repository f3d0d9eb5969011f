//! `tenantry resolve`: the effective values of one stack, or of all.

use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::cli::step;
use crate::engine::emit::yaml;
use crate::engine::module::Module;
use crate::engine::terraform;
use crate::estate::resolve::{ContractFile, Resolved, Rules, read_contract, resolve};
use crate::estate::{Estate, StackId};
use std::path::PathBuf;

/// How the values are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum As {
    /// YAML, keys sorted.
    Yaml,
    /// JSON, as the engine gets it.
    Json,
    /// Only what the module declares, as `terraform.tfvars.json`.
    Tfvars,
}

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry resolve acme/web/production --variables ../acme-app/infra/variables.yml\n  tenantry resolve --all --out values/"
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
    /// The customer's own `infra/variables.yml`.
    #[arg(long, value_name = "FILE")]
    variables: Option<PathBuf>,
    /// How the values are written.
    #[arg(long = "as", value_enum, default_value_t = As::Yaml)]
    form: As,
    /// Folder for one `<customer>/<product>/<environment>/values.yaml` each.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let (estate, rules) = step::estate(&args.estate)?;
    let stacks = match &args.stack {
        Some(stack) => vec![stack.clone()],
        None => estate.stacks(),
    };
    // Everything is resolved before anything is written.
    let mut done = Vec::new();
    for stack in &stacks {
        let resolved = one(args, &estate, &rules, stack)?;
        let text = render(args.form, &estate, &resolved)?;
        done.push((stack, text));
    }
    match &args.out {
        Some(out) => {
            for (stack, text) in &done {
                let name = if args.form == As::Yaml {
                    "values.yaml"
                } else {
                    "values.json"
                };
                folder::write(&out.join(stack.to_string()).join(name), text.as_bytes())?;
            }
            printer.progress(&format!("wrote {} stacks to {}", done.len(), out.display()));
        }
        None => done.iter().for_each(|(_, text)| printer.data(text)),
    }
    Ok(if done.is_empty() {
        Exit::Nothing
    } else {
        Exit::Done
    })
}

fn one(args: &Args, estate: &Estate, rules: &Rules, stack: &StackId) -> Result<Resolved, CliError> {
    let Some(customer) = estate.customers.get(&stack.customer) else {
        return Err(
            CliError::usage(format!("there is no customer `{}`", stack.customer))
                .hint("`tenantry stacks` lists the stacks"),
        );
    };
    if !estate.stacks_of(customer).contains(stack) {
        return Err(CliError::usage(format!(
            "customer `{}` has no stack `{stack}`",
            stack.customer
        ))
        .hint("`tenantry stacks` lists the stacks"));
    }
    let contract = match &args.variables {
        Some(path) => {
            let bytes = std::fs::read(path).map_err(|e| {
                CliError::usage(format!("`{}` cannot be read: {e}", path.display()))
            })?;
            let known: Vec<&str> = estate
                .products
                .get(&stack.product)
                .into_iter()
                .flat_map(|p| &p.environments)
                .map(|e| e.as_str())
                .collect();
            let file = ContractFile {
                path: path.display().to_string(),
                bytes,
            };
            let node = read_contract(&file, &known)?;
            Some((file.path, node))
        }
        None => None,
    };
    Ok(resolve(
        estate,
        rules,
        stack,
        contract.as_ref().map(|(p, n)| (p.as_str(), n)),
    )?)
}

fn render(form: As, estate: &Estate, resolved: &Resolved) -> Result<String, CliError> {
    let values = resolved.merged.to_json();
    Ok(match form {
        As::Yaml => yaml(&values),
        As::Json => serde_json::to_string_pretty(&values)?,
        As::Tfvars => {
            let module = Module::read(
                &estate.files,
                &format!("products/{}/terraform", resolved.stack.product),
            )?;
            serde_json::to_string_pretty(&terraform::variables(&module, &resolved.stack, &values)?)?
        }
    })
}
