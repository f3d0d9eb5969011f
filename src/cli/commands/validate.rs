//! `tenantry validate`: customers' files, or the whole estate.

use super::policy;
use crate::cli::contracts;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::clock::Clock;
use crate::delivery::reach;
use crate::engine::module::Module;
use crate::engine::module_check;
use crate::estate::allow::Date;
use crate::estate::model::EngineKind;
use crate::estate::resolve::{Contract, ContractFile, Rules, compose, read_contract, resolve};
use crate::estate::schema::Schema;
use crate::estate::suggest::nearest;
use crate::estate::{
    CustomerId, Estate, Files, Finding, Findings, Level, Place, ProductId, StackId, check,
    isolation,
};
use std::path::{Path, PathBuf};

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  tenantry validate --estate infra-manager\n  tenantry validate --estate infra-manager --product web infra/variables.yml\n  tenantry validate --schema values.schema.json infra/variables.yml"
)]
pub struct Args {
    /// Customers' files; the whole estate when there is none.
    files: Vec<PathBuf>,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Check FILE as a customer of this product would write it.
    #[arg(long, conflicts_with = "schema")]
    product: Option<ProductId>,
    /// Check FILE against this JSON Schema alone.
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
}

/// Runs it.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let mut findings = Vec::new();
    let mut what = String::new();
    if args.files.is_empty() {
        let files = folder::read(&args.estate)?;
        match whole(files, &today()?) {
            Ok(checked) => {
                findings.extend(checked.1);
                what = format!("{} stacks", checked.0);
            }
            Err(e) => findings.extend(e.0),
        }
    } else {
        let mut read: Vec<ContractFile> = Vec::new();
        for path in &args.files {
            match contracts::of_path(path).map_err(CliError::into_findings) {
                Ok(file) => read.push(file),
                Err(Ok(found)) => findings.extend(found.0),
                Err(Err(error)) => return Err(error),
            }
        }
        what = format!(
            "{} file{}",
            read.len(),
            if read.len() == 1 { "" } else { "s" }
        );
        for file in &read {
            let checked = match &args.schema {
                Some(schema) => by_schema(schema, file)?,
                None => by_product(args, file)?,
            };
            findings.extend(checked);
        }
    }
    let findings = Findings(findings).tidy();
    if findings.0.is_empty() {
        match printer.format {
            Format::Json | Format::Sarif => printer.findings(&[]),
            _ => printer.progress(&format!("{what} checked, nothing to correct")),
        }
        return Ok(Exit::Done);
    }
    printer.findings(&findings.0);
    let errors = findings.0.iter().filter(|f| f.level == Level::Error);
    let (errors, all) = (errors.count(), findings.0.len());
    let warnings = format!(
        "{} warning{}",
        all - errors,
        if all - errors == 1 { "" } else { "s" }
    );
    printer.progress(&match (errors, all - errors) {
        (0, _) => format!("nothing to correct, {warnings}"),
        (errors, 0) => format!("{errors} to correct"),
        (errors, _) => format!("{errors} to correct, {warnings}"),
    });
    Ok(if findings.has_errors() {
        Exit::Refused
    } else {
        Exit::Done
    })
}

/// The day, for what the settings allow until then.
pub(super) fn today() -> Result<Date, CliError> {
    let now = Clock::system().now().to_string();
    let day = now.get(..10).unwrap_or_default();
    day.parse().map_err(CliError::failed)
}

/// The whole estate: how many stacks, and what is wrong.
pub(super) fn whole(files: Files, today: &Date) -> Result<(usize, Vec<Finding>), Findings> {
    let estate = Estate::read(files)?;
    let rules = Rules::of(&estate)?;
    let mut findings = storage(&estate);
    let (reaches, own) = reach::of(&estate);
    let mut more = modules(&estate);
    more.extend(isolation::check(&estate, &reaches, &own));
    // That several customers share an environment is no mistake; `doctor isolation` says it.
    let lints = crate::estate::lint::checked(&estate, more, today);
    findings.extend(
        lints
            .into_iter()
            .filter(|f| f.rule != "isolation-environment"),
    );
    findings.extend(policy::failed_tests(&estate.files)?);
    let checked = check(&estate, &rules, |_, _| None);
    findings.extend(checked.findings.0);
    Ok((checked.stacks, findings))
}

/// The modules of all products: whether they can be read, and what they hold besides resources.
pub(super) fn modules(estate: &Estate) -> Vec<Finding> {
    let mut findings = Vec::new();
    for product in estate
        .products
        .values()
        .filter(|p| p.engine == EngineKind::Terraform)
    {
        let folder = format!("products/{}/terraform", product.id);
        if let Err(e) = Module::read(&estate.files, &folder) {
            findings.extend(e.0);
        }
        findings.extend(module_check::check(&estate.files, &folder));
    }
    findings
}

/// What only fails in a job otherwise: the store's URL and the recipient of sealed plans.
fn storage(estate: &Estate) -> Vec<Finding> {
    let place = || Place::file(crate::estate::settings::PATH);
    let mut findings = Vec::new();
    if let Some(url) = &estate.settings.store
        && !["s3://", "gs://", "az://", "file:///"]
            .iter()
            .any(|p| url.starts_with(p))
    {
        let message =
            "`store.url` must be `s3://bucket/prefix`, `gs://…`, `az://…` or `file:///folder`";
        findings.push(Finding::error(place(), "estate", message));
    }
    if let Some(recipient) = &estate.settings.seal_recipient
        && crate::store::seal::seal(recipient, b"").is_err()
    {
        let message = "`store.seal_recipient` is not an age recipient (`age1…`)";
        findings.push(Finding::error(place(), "estate", message));
    }
    findings
}

/// A file as a customer of a product would write it, in each environment.
fn by_product(args: &Args, file: &ContractFile) -> Result<Vec<Finding>, CliError> {
    let estate = match Estate::read(folder::read(&args.estate)?) {
        Ok(estate) => estate,
        Err(e) => return Ok(e.0),
    };
    let rules = match Rules::of(&estate) {
        Ok(rules) => rules,
        Err(e) => return Ok(e.0),
    };
    let product = match &args.product {
        Some(id) => estate.products.get(id),
        None if estate.products.len() == 1 => estate.products.values().next(),
        None => {
            return Err(
                CliError::usage("the estate has several products").hint("name one with --product")
            );
        }
    };
    let Some(product) = product else {
        let known: Vec<&str> = estate.products.keys().map(ProductId::as_str).collect();
        let given = args.product.as_ref().map_or("", ProductId::as_str);
        let hint = nearest(given, known.iter().copied()).map_or_else(
            || format!("products are {}", known.join(", ")),
            |near| format!("did you mean `{near}`?"),
        );
        return Err(CliError::usage(format!("there is no product `{given}`")).hint(hint));
    };
    let known: Vec<&str> = product.environments.iter().map(|e| e.as_str()).collect();
    let contract = match read_contract(file, &known) {
        Ok(contract) => contract,
        Err(e) => return Ok(e.0),
    };
    let mut findings = Vec::new();
    // No layer of a real customer is looked at: the id only has to be one.
    let customer = CustomerId::new("customer")?;
    for environment in &product.environments {
        let stack = StackId {
            customer: customer.clone(),
            product: product.id.clone(),
            environment: environment.clone(),
        };
        match resolve(&estate, &rules, &stack, Some(&contract)) {
            Ok(resolved) => findings.extend(resolved.warnings),
            Err(e) => findings.extend(e.0),
        }
    }
    Ok(findings)
}

/// A file against a schema, for its common part with each environment on top.
fn by_schema(schema: &Path, file: &ContractFile) -> Result<Vec<Finding>, CliError> {
    let bytes = std::fs::read(schema)
        .map_err(|e| CliError::usage(format!("`{}` cannot be read: {e}", schema.display())))?;
    let schema = match Schema::read(
        &Files::new(),
        &schema.display().to_string(),
        "schema",
        &bytes,
    ) {
        Ok(schema) => schema,
        Err(e) => return Ok(e.0),
    };
    let node = match crate::estate::yaml::read(
        &file.path,
        &file.bytes,
        crate::estate::yaml::Reading::Strict,
    ) {
        Ok(node) => std::sync::Arc::new(node),
        Err(e) => return Ok(e.0),
    };
    let environments: Vec<&str> = node
        .get("environments")
        .into_iter()
        .flat_map(|e| e.entries())
        .map(|(k, _)| k.name.as_str())
        .collect();
    let contract = Contract {
        path: file.path.as_str().into(),
        node: std::sync::Arc::clone(&node),
    };
    let mut findings = Vec::new();
    let names = if environments.is_empty() {
        vec!["environment"]
    } else {
        environments
    };
    for name in names {
        let environment = match crate::estate::EnvironmentId::new(name) {
            Ok(environment) => environment,
            Err(e) => {
                findings.push(Finding::error(
                    Place::file(&file.path),
                    "contract-environment",
                    e.to_string(),
                ));
                continue;
            }
        };
        let stack = StackId {
            customer: CustomerId::new("customer")?,
            product: ProductId::new("product")?,
            environment,
        };
        let (effective, found) = compose(&Files::new(), &stack, Some(&contract))?;
        findings.extend(found);
        findings.extend(schema.check(&effective));
    }
    Ok(findings)
}
