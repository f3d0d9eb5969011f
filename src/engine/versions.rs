//! Which tool and which providers made a plan. Another one may read the same plan differently.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;

/// What `version -json` says in an initialised folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Versions {
    /// `terraform` or `tofu`, the name of the binary.
    pub tool: String,
    /// Its version.
    pub version: String,
    /// Such as `linux_amd64`.
    pub platform: String,
    /// Version by source address.
    pub providers: BTreeMap<String, String>,
}

impl Versions {
    /// Reads the answer of `tool`; `None` when it is not one.
    pub fn read(tool: &str, answer: &[u8]) -> Option<Self> {
        let answer: Value = serde_json::from_slice(answer).ok()?;
        let text = |key: &str| Some(answer.get(key)?.as_str()?.to_owned());
        let providers = answer.get("provider_selections").and_then(Value::as_object);
        Some(Self {
            tool: tool.to_owned(),
            version: text("terraform_version")?,
            platform: text("platform").unwrap_or_default(),
            providers: providers
                .into_iter()
                .flatten()
                .filter_map(|(name, version)| Some((name.clone(), version.as_str()?.to_owned())))
                .collect(),
        })
    }
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.tool, self.version, self.platform)?;
        for (name, version) in &self.providers {
            write!(f, ", {name} {version}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_terraform_says() {
        let answer = br#"{"terraform_version":"1.11.4","platform":"linux_amd64","provider_selections":{"registry.terraform.io/hashicorp/aws":"5.100.0"},"terraform_outdated":true}"#;
        assert_eq!(
            Versions::read("terraform", answer).map(|v| v.to_string()),
            Some(
                "terraform 1.11.4 linux_amd64, registry.terraform.io/hashicorp/aws 5.100.0"
                    .to_owned()
            )
        );
        for wrong in [&b"Terraform v1.11.4"[..], b"{}", b"[]"] {
            assert_eq!(Versions::read("terraform", wrong), None);
        }
    }
}
