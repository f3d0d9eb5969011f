//! Taking a customer out of the registry. Infrastructure, state and the store are never touched.

use super::RegistryError;
use super::plan::{Plan, Step};
use super::write::listed;
use crate::engine::terraform::state_key;
use crate::estate::credential::Credential;
use crate::estate::model::{Customer, EngineKind};
use crate::estate::settings::StateBackend;
use crate::estate::{Estate, StackId};
use std::path::Path;

/// A stack that was applied and stays.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Standing {
    /// The stack.
    pub stack: StackId,
    /// Where its state lies; `None` for what lies in the GitOps repository.
    pub state: Option<String>,
}

/// Where the state of each of `stacks` lies.
pub fn standing(estate: &Estate, customer: &Customer, stacks: &[StackId]) -> Vec<Standing> {
    let one = |stack: &StackId| {
        let product = estate.products.get(&stack.product);
        let terraform = product.is_none_or(|p| p.engine == EngineKind::Terraform);
        let key = state_key(stack);
        let state = estate.settings.state.as_ref().filter(|_| terraform);
        Standing {
            stack: stack.clone(),
            state: state.map(|backend| match backend {
                StateBackend::S3 { bucket, .. } => {
                    format!(
                        "s3://{}/{key}",
                        customer.state_bucket.as_deref().unwrap_or(bucket)
                    )
                }
                StateBackend::Local { path } => format!("{}/{key}", path.trim_end_matches('/')),
            }),
        }
    };
    stacks.iter().map(one).collect()
}

/// What is meant to outlive the entry.
#[derive(Debug, Clone, Copy, Default)]
pub struct Keep {
    /// Stacks that stand.
    pub infrastructure: bool,
    /// Credentials that can be used.
    pub credentials: bool,
}

/// What of a customer's credentials can still be used.
pub fn valid(customer: &Customer) -> Vec<&Credential> {
    let open = customer.credentials.iter().filter(|c| c.is_open());
    open.collect()
}

/// The plan that removes the folder of a customer. Refused while stacks of theirs stand or
/// credentials of theirs can be used, unless `keep` says that they are meant to.
pub fn plan(
    root: &Path,
    estate: &Estate,
    customer: &Customer,
    standing: &[Standing],
    keep: Keep,
) -> Result<Plan, RegistryError> {
    let open = valid(customer);
    if !open.is_empty() && !keep.credentials {
        let names: Vec<String> = open.iter().map(|c| format!("`{}`", c.id)).collect();
        return Err(RegistryError::refused(
            format!(
                "credentials of customer `{}` are still valid: {}",
                customer.id,
                names.join(", ")
            ),
            format!(
                "revoke them first: `tenantry customer credential revoke {} --all`; --keep-credentials removes the customer and leaves them valid, with nobody to look after them",
                customer.id
            ),
        ));
    }
    if !standing.is_empty() && !keep.infrastructure {
        let names: Vec<String> = standing.iter().map(|s| format!("`{}`", s.stack)).collect();
        return Err(RegistryError::refused(
            format!(
                "infrastructure of customer `{}` still stands: {}",
                customer.id,
                names.join(", ")
            ),
            "destroy it first; --keep-infrastructure removes the customer and leaves it standing, with nobody to look after it",
        ));
    }
    let folder = format!("customers/{}", customer.id);
    let files = listed(root, &folder).map_err(|source| RegistryError::Io {
        path: folder,
        source,
    })?;
    let step = Step::Remove {
        customer: customer.id.clone(),
        files: files.into_iter().collect(),
    };
    Plan { steps: vec![step] }.judged(estate)
}
