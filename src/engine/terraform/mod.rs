//! Engine `terraform`: OpenTofu or Terraform, in a folder of its own, with a scrubbed
//! environment and nothing of the customer's but values.

mod child;
mod lock;
mod progress;
mod refresh;
mod workspace;

pub use child::Tool;
pub use progress::Progress;
pub use workspace::{Applied, Looked, Planned, Workspace};

use super::module::Module;
use super::outcome::StateLock;
use crate::estate::settings::StateBackend;
use crate::estate::{CustomerId, StackId};
use serde_json::{Map, Value, json};
use std::path::{Path, PathBuf};

/// Why the tool could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum TerraformError {
    /// No tool.
    #[error(
        "neither `tofu` nor `terraform` is on the PATH; install one, or set `engines.terraform.binary` in tenantry.yml"
    )]
    NoBinary,
    /// The configured tool does not start.
    #[error("`{binary}` cannot be started; check `engines.terraform.binary` in tenantry.yml")]
    Start {
        /// Its path.
        binary: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// It ran and failed.
    #[error("`{step}` failed:\n{message}")]
    Failed {
        /// Such as `terraform plan`.
        step: String,
        /// The end of its error output, bounded.
        message: String,
    },
    /// Somebody else holds the state, or held it and was stopped.
    #[error(
        "`{step}` found the state locked {lock}; wait until that is through, or, if it is not at work any more, let the provider remove the lock with `terraform force-unlock {id}`; tenantry never does", id = lock.id
    )]
    Locked {
        /// Such as `terraform plan`.
        step: String,
        /// Who holds it.
        lock: StateLock,
    },
    /// It took too long.
    #[error("`{step}` did not end within {minutes} minutes and was stopped")]
    TimedOut {
        /// Such as `terraform plan`.
        step: String,
        /// The limit.
        minutes: u64,
    },
    /// A variable that no layer gives.
    #[error(
        "`{name}` is required by {path} but no layer gives it; add it to `infra/variables.yml`"
    )]
    MissingVariable {
        /// The variable.
        name: String,
        /// The module's file.
        path: String,
    },
    /// Without a place for state nothing may be planned.
    #[error(
        "no place for Terraform state is set; add `state:` with `backend: s3` and `bucket:` to tenantry.yml"
    )]
    NoState,
    /// It does not say which version it is.
    #[error(
        "`version -json` of the tool cannot be read; use Terraform 1.11 or OpenTofu 1.8 and newer"
    )]
    Version,
    /// The working folder.
    #[error("the working folder `{path}` cannot be used")]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

/// Finds the tool: `wanted` as a path or a name, else `tofu`, else `terraform`, in `path`.
pub fn find(wanted: Option<&str>, path: &str) -> Result<PathBuf, TerraformError> {
    let names: &[&str] = match &wanted {
        Some(name) if name.contains('/') => return Ok(PathBuf::from(name)),
        Some(name) => &[name],
        None => &["tofu", "terraform"],
    };
    names
        .iter()
        .flat_map(|name| {
            path.split(':')
                .filter(|p| p.starts_with('/'))
                .map(move |p| Path::new(p).join(name))
        })
        .find(|candidate| candidate.is_file())
        .ok_or(TerraformError::NoBinary)
}

/// The state key of a stack. Made of checked ids, so two stacks never share one.
pub fn state_key(stack: &StackId) -> String {
    format!("{stack}/terraform.tfstate")
}

/// The backend block: from the registry alone, never from a customer's file.
pub fn backend(
    state: Option<&StateBackend>,
    customer_bucket: Option<&str>,
    stack: &StackId,
) -> Result<Value, TerraformError> {
    let key = state_key(stack);
    Ok(match state.ok_or(TerraformError::NoState)? {
        StateBackend::S3 {
            bucket,
            region,
            path_style,
        } => {
            let mut s3 = json!({"bucket": customer_bucket.unwrap_or(bucket), "key": key, "region": region, "encrypt": true, "use_lockfile": true});
            if *path_style {
                s3["use_path_style"] = json!(true);
            }
            json!({"terraform": {"backend": {"s3": s3}}})
        }
        StateBackend::Local { path } => {
            json!({"terraform": {"backend": {"local": {"path": format!("{path}/{key}")}}}})
        }
    })
}

/// Only what the module declares, plus tenantry's own three names where it declares them.
pub fn variables(
    module: &Module,
    stack: &StackId,
    values: &Value,
) -> Result<Value, TerraformError> {
    let own = |customer: &CustomerId| {
        [
            ("tenantry_customer", customer.to_string()),
            ("tenantry_product", stack.product.to_string()),
            ("tenantry_environment", stack.environment.to_string()),
        ]
    };
    let mut out = Map::new();
    for (name, variable) in &module.variables {
        let given = own(&stack.customer)
            .into_iter()
            .find(|(n, _)| n == name)
            .map(|(_, v)| Value::String(v));
        match given.or_else(|| values.get(name).cloned()) {
            // Helm's null deletes a value; for a variable that means its default.
            Some(Value::Null) | None if variable.required => {
                return Err(TerraformError::MissingVariable {
                    name: name.clone(),
                    path: variable.path.clone(),
                });
            }
            Some(Value::Null) | None => {}
            Some(value) => {
                out.insert(name.clone(), value);
            }
        }
    }
    Ok(Value::Object(out))
}
