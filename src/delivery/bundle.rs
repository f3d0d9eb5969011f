//! A sealed plan: the plan, what it was made from, and a manifest whose digest is what a person
//! approves.

use super::error::Refusal;
use super::records::RequestName;
use crate::clock::Time;
use crate::digest::Digest;
use crate::engine::versions::Versions;
use crate::estate::StackId;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

/// What a plan is bound to. Every field is verified before it is applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// Format, 1.
    pub version: u8,
    /// The stack.
    pub stack: StackId,
    /// The request.
    pub request: RequestName,
    /// The request's attempt.
    pub attempt: u32,
    /// The run that planned.
    pub run: u64,
    /// Digest of values, module and version.
    pub inputs: Digest,
    /// Digest of the plan file.
    pub plan: Digest,
    /// Digest of the providers' lock file.
    pub lock: Digest,
    /// Digest of the plan as JSON: what was redacted and shown. Empty input for engines without.
    pub shown: Digest,
    /// The tool and its providers, for engines that have one.
    pub tool: Option<Versions>,
    /// Who planned: the login that GitHub names as the sender of the run's event.
    pub actor: Option<String>,
    /// State lineage and serial that the plan was made on.
    pub state: Option<(String, u64)>,
    /// When.
    pub created: Time,
    /// Makes two plans differ that are otherwise the same.
    pub nonce: String,
}

/// Manifest and contents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bundle {
    /// What it is bound to.
    pub manifest: Manifest,
    plan: String,
    lock: String,
}

impl Bundle {
    /// Puts a bundle together; the digests in `manifest` are set here.
    pub fn new(mut manifest: Manifest, plan: &[u8], lock: &[u8]) -> Self {
        manifest.plan = Digest::of(plan);
        manifest.lock = Digest::of(lock);
        Self {
            manifest,
            plan: STANDARD.encode(plan),
            lock: STANDARD.encode(lock),
        }
    }

    /// What is approved: the digest of the manifest.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.manifest_bytes())
    }

    fn manifest_bytes(&self) -> Vec<u8> {
        // A struct of plain fields always serialises; an empty text would match no digest.
        serde_json::to_vec(&self.manifest).unwrap_or_default()
    }

    /// The bytes to be sealed.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// Reads unsealed bytes and checks everything that can be checked without the outside.
    pub fn read(bytes: &[u8]) -> Result<Self, Refusal> {
        let bundle: Self = serde_json::from_slice(bytes).map_err(|_| {
            Refusal::new(
                "plan-format",
                "the sealed plan has a format that this tenantry does not know",
            )
        })?;
        if bundle.manifest.version != 1 {
            return Err(Refusal::new(
                "plan-format",
                format!(
                    "the sealed plan has format {}, this tenantry reads 1",
                    bundle.manifest.version
                ),
            ));
        }
        if Digest::of(&bundle.plan()?) != bundle.manifest.plan
            || Digest::of(&bundle.lock()?) != bundle.manifest.lock
        {
            return Err(Refusal::new(
                "plan-digest",
                "the sealed plan's contents differ from its manifest",
            ));
        }
        Ok(bundle)
    }

    /// The plan file.
    pub fn plan(&self) -> Result<Vec<u8>, Refusal> {
        decode(&self.plan)
    }

    /// The lock file.
    pub fn lock(&self) -> Result<Vec<u8>, Refusal> {
        decode(&self.lock)
    }
}

fn decode(text: &str) -> Result<Vec<u8>, Refusal> {
    STANDARD
        .decode(text)
        .map_err(|_| Refusal::new("plan-format", "the sealed plan is not readable"))
}
