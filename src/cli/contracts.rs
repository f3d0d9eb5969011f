//! Customers' own files, for commands that look at values: a file, a checkout, or a commit of one.

use super::error::CliError;
use super::revision;
use crate::estate::ids::shown;
use crate::estate::model::{Customer, Subscription};
use crate::estate::resolve::{Contract, ContractFile, read_contract};
use crate::estate::suggest::nearest;
use crate::estate::yaml::MAX_BYTES;
use crate::estate::{Estate, Finding, Findings, Place, StackId};
use std::path::{Path, PathBuf};

/// Flags that name customers' files.
#[derive(Debug, Clone, clap::Args)]
pub struct ContractArgs {
    /// The customer's own file, or a checkout of their repository; with --all a folder that holds
    /// one checkout for each customer, named after them.
    #[arg(long, value_name = "PATH")]
    variables: Option<PathBuf>,
    /// Read the file as it was at this commit of the checkout.
    #[arg(long, value_name = "REVISION", requires = "variables")]
    commit: Option<String>,
}

impl ContractArgs {
    /// Whether customers' own files are looked at.
    pub fn given(&self) -> bool {
        self.variables.is_some()
    }

    /// The customer's file for `stack`, `None` when no flag names one. `many`: the folder holds
    /// one checkout for each customer, and some may have none.
    pub fn read(
        &self,
        estate: &Estate,
        stack: &StackId,
        many: bool,
    ) -> Result<Option<Contract>, CliError> {
        let Some(given) = &self.variables else {
            return Ok(None);
        };
        let (customer, subscription) = subscription(estate, stack)?;
        let file = if many {
            let checkout = given.join(customer.id.as_str());
            if !checkout.is_dir() {
                return Ok(None);
            }
            self.in_checkout(&checkout, &subscription.variables)?
        } else if given.is_dir() {
            self.in_checkout(given, &subscription.variables)?
        } else if self.commit.is_some() {
            return Err(CliError::usage("--commit needs a checkout")
                .hint("name the folder of the customer's repository with --variables"));
        } else {
            Some(of_path(given)?)
        };
        let Some(file) = file else {
            return Ok(None);
        };
        let known: Vec<&str> = estate
            .products
            .get(&stack.product)
            .into_iter()
            .flat_map(|p| &p.environments)
            .map(|e| e.as_str())
            .collect();
        Ok(Some(read_contract(&file, &known)?))
    }

    fn in_checkout(&self, checkout: &Path, path: &str) -> Result<Option<ContractFile>, CliError> {
        let bytes = match &self.commit {
            Some(commit) => revision::file(checkout, commit, path)?,
            None => {
                let full = checkout.join(path);
                if full.is_file() {
                    Some(of_path(&full)?.bytes)
                } else {
                    None
                }
            }
        };
        Ok(bytes.map(|bytes| ContractFile {
            path: path.to_owned(),
            bytes,
        }))
    }
}

/// Who has the stack, and through which subscription. An unknown stack is a mistake of the caller.
pub fn subscription<'a>(
    estate: &'a Estate,
    stack: &StackId,
) -> Result<(&'a Customer, &'a Subscription), CliError> {
    let Some(customer) = estate.customers.get(&stack.customer) else {
        let known = estate.customers.keys().map(|c| c.as_str());
        return Err(no_such("customer", stack.customer.as_str(), known));
    };
    let held = customer
        .subscriptions
        .iter()
        .find(|s| s.enabled && s.product == stack.product);
    match held {
        Some(s) if estate.stacks_of_subscription(customer, s).contains(stack) => Ok((customer, s)),
        _ => {
            let stacks: Vec<String> = estate
                .stacks_of(customer)
                .iter()
                .map(ToString::to_string)
                .collect();
            let wanted = stack.to_string();
            let hint = nearest(&wanted, stacks.iter().map(String::as_str)).map_or_else(
                || format!("they have {}", stacks.join(", ")),
                |near| format!("did you mean `{near}`?"),
            );
            Err(CliError::usage(format!(
                "customer `{}` has no stack `{stack}`",
                stack.customer
            ))
            .hint(hint))
        }
    }
}

/// A name that the estate does not have is a mistake of the caller.
pub fn no_such<'a>(what: &str, given: &str, known: impl Iterator<Item = &'a str>) -> CliError {
    let hint = nearest(given, known).map_or_else(
        || "`tenantry stacks` lists the stacks".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    CliError::usage(format!("there is no {what} `{}`", shown(given))).hint(hint)
}

/// One file of this machine as a customer's file.
pub fn of_path(path: &Path) -> Result<ContractFile, CliError> {
    let unreadable =
        |e: std::io::Error| CliError::usage(format!("`{}` cannot be read: {e}", path.display()));
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > MAX_BYTES as u64 {
        return Err(Findings::one(Finding::error(
            Place::file(&path.display().to_string()),
            "yaml-too-large",
            format!("the file has {size} bytes, the limit is {MAX_BYTES}; split it or remove what is not needed"),
        ))
        .into());
    }
    Ok(ContractFile {
        path: path.display().to_string(),
        bytes: std::fs::read(path).map_err(unreadable)?,
    })
}
