//! A provider and three customers on a local GitHub, set up as the documentation tells a real
//! provider to: for the demo and for the tests.

mod build;
mod play;

pub use build::{Engine, Hints, StageError, StageSettings};
pub use play::{CommentSeen, StatusSeen};

use super::server::Server;
use crate::audit::key::SigningKey;
use crate::store::seal::SealIdentity;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The provider's manager repository.
pub const MANAGER: &str = "ops/infra-manager";
/// The GitOps repository of engine `argocd`.
pub const GITOPS: &str = "ops/gitops";
/// Who approves for the provider.
pub const REVIEWER: &str = "olivia";
/// Who answers customers.
pub const BOT: &str = "ops-bot";

/// A customer of the stage.
#[derive(Debug, Clone)]
pub struct Tenant {
    /// Id in the registry.
    pub id: &'static str,
    /// Repository.
    pub repository: &'static str,
    /// Who works there.
    pub user: &'static str,
    /// Numeric id of the repository.
    pub repository_id: u64,
}

/// The stage.
pub struct Stage {
    /// The local GitHub.
    pub server: Server,
    /// The folder of everything.
    pub dir: PathBuf,
    /// The customers.
    pub tenants: Vec<Tenant>,
    /// The key of the sealed plans.
    pub identity: SealIdentity,
    /// The key that signs the audit log.
    pub audit: SigningKey,
    /// Tokens by login, and `dispatch`, which customers send hints with.
    pub tokens: BTreeMap<String, String>,
}

impl Stage {
    /// Where Terraform state lies with the local backend.
    pub fn state_dir(&self) -> PathBuf {
        self.dir.join("state")
    }
    /// Where the store lies.
    pub fn store_dir(&self) -> PathBuf {
        self.dir.join("store")
    }
    /// A customer by id.
    pub fn tenant(&self, id: &str) -> Option<&Tenant> {
        self.tenants.iter().find(|t| t.id == id)
    }
}
