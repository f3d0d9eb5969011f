//! The environment, read once. No other file may read it (clippy.toml forbids the functions).

use crate::estate::credential::Kind;
use std::collections::BTreeMap;
use std::ffi::OsString;

/// Everything that tenantry takes from its environment.
#[derive(Debug, Clone, Default)]
pub struct Env(BTreeMap<String, OsString>);

/// What Terraform and its providers may see: where programs and certificates are, proxies, and
/// the cloud's credentials of this job. Never GitHub's tokens, never ours.
const TOOL: &[&str] = &[
    "PATH",
    "HOME",
    "TMPDIR",
    "LANG",
    "LC_ALL",
    "TF_CLI_CONFIG_FILE",
    "TF_PLUGIN_CACHE_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
];
const CLOUD: &[&str] = &["AWS_", "ARM_", "AZURE_", "GOOGLE_", "CLOUDSDK_"];

/// Whether `customer credential` was called with an argument that looks like a token, also behind
/// a `=`.
pub fn secret_in_arguments() -> bool {
    let args: Vec<String> = std::env::args_os()
        .map(|a| a.to_string_lossy().into_owned())
        .collect();
    let mut words = args.iter().skip(1).filter(|a| !a.starts_with('-'));
    let ours = words.any(|a| a == "customer") && args.iter().any(|a| a == "credential");
    let token = |text: &str| {
        let kind = Kind::of(text);
        kind != Kind::Other
            && (kind.revocable() || kind.machine_made(text) || kind == Kind::PrivateKey)
    };
    ours && args.iter().any(|a| token(a) || a.split('=').any(token))
}

impl Env {
    /// Reads the process's environment.
    #[allow(clippy::disallowed_methods)]
    pub fn read() -> Self {
        // A secret that is not set reaches an action's step as an empty text: that is unset.
        Self(
            std::env::vars_os()
                .filter(|(_, v)| !v.is_empty())
                .filter_map(|(k, v)| Some((k.into_string().ok()?, v)))
                .collect(),
        )
    }

    /// A variable that is set, not empty, and UTF-8.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .get(name)
            .and_then(|v| v.to_str())
            .filter(|v| !v.is_empty())
    }

    /// Whether this is a GitHub Actions runner.
    pub fn in_actions(&self) -> bool {
        self.get("GITHUB_ACTIONS") == Some("true")
    }

    /// The environment for Terraform.
    pub fn for_tool(&self) -> Vec<(OsString, OsString)> {
        self.0
            .iter()
            .filter(|(k, _)| TOOL.contains(&k.as_str()) || CLOUD.iter().any(|p| k.starts_with(p)))
            .map(|(k, v)| (OsString::from(k), v.clone()))
            .collect()
    }

    /// Settings for the store: credentials, region and endpoint of the cloud.
    pub fn for_store(&self) -> Vec<(String, String)> {
        let mut out: Vec<(String, String)> = self
            .0
            .iter()
            .filter(|(k, _)| CLOUD.iter().any(|p| k.starts_with(p)))
            .filter_map(|(k, v)| Some((k.clone(), v.to_str()?.to_owned())))
            .collect();
        // A look-alike on this machine speaks plain HTTP; anything else does not.
        let local =
            |url: &str| url.starts_with("http://127.0.0.1") || url.starts_with("http://localhost");
        let endpoint = self
            .get("AWS_ENDPOINT_URL_S3")
            .or_else(|| self.get("AWS_ENDPOINT_URL"));
        if let Some(endpoint) = endpoint.filter(|e| local(e)) {
            out.push(("aws_endpoint".into(), endpoint.into()));
            out.push(("aws_allow_http".into(), "true".into()));
        }
        out
    }
}
