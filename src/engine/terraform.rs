//! Engine `terraform`: OpenTofu or Terraform, in a folder of its own, with a scrubbed
//! environment and nothing of the customer's but values.

use super::module::{LOCK, Module};
use super::redact::Redactor;
use super::versions::Versions;
use crate::estate::settings::StateBackend;
use crate::estate::{CustomerId, StackId};
use serde_json::{Map, Value, json};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::process::Command;

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

/// The tool and what it may see.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Path of `tofu` or `terraform`.
    pub binary: PathBuf,
    /// The whole environment of the child, chosen by the caller.
    pub env: Vec<(OsString, OsString)>,
    /// Limit for one run.
    pub limit: Duration,
    /// What must not be seen in what the tool says.
    pub redactor: Redactor,
}

impl Tool {
    /// The binary's file name.
    fn name(&self) -> String {
        self.binary
            .file_name()
            .map_or_else(|| "terraform".into(), |n| n.to_string_lossy().into_owned())
    }
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

/// A stack's working folder, ready for `init`.
#[derive(Debug)]
pub struct Workspace {
    folder: PathBuf,
}

/// What `plan` found.
#[derive(Debug)]
pub struct Planned {
    /// The saved plan file.
    pub plan: Vec<u8>,
    /// `show -json` of it. Holds secrets in clear.
    pub json: Vec<u8>,
    /// The providers' lock file after `init`.
    pub lock: Vec<u8>,
}

const PLAN: &str = "tenantry.tfplan";

impl Workspace {
    /// Writes module, backend, variables and lock file into `folder`, which must be empty or absent.
    pub fn write(
        folder: &Path,
        module: &Module,
        backend: &Value,
        variables: Option<&Value>,
        lock: Option<&[u8]>,
    ) -> Result<Self, TerraformError> {
        let failed = |path: &Path| {
            let path = path.to_owned();
            move |source| TerraformError::Folder { path, source }
        };
        if folder.exists() {
            std::fs::remove_dir_all(folder).map_err(failed(folder))?;
        }
        let put = |name: &str, bytes: &[u8]| -> Result<(), TerraformError> {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().unwrap_or(folder)).map_err(failed(&path))?;
            std::fs::write(&path, bytes).map_err(failed(&path))
        };
        for (name, bytes) in &module.files {
            put(name, bytes)?;
        }
        put("backend_override.tf.json", backend.to_string().as_bytes())?;
        if let Some(variables) = variables {
            put("terraform.tfvars.json", variables.to_string().as_bytes())?;
        }
        if let Some(lock) = lock.filter(|l| !l.is_empty()) {
            put(LOCK, lock)?;
        }
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    /// `init`, `plan -out`, `show -json`.
    pub async fn plan(&self, tool: &Tool) -> Result<Planned, TerraformError> {
        self.init(tool).await?;
        self.run(
            tool,
            &[
                "plan",
                "-input=false",
                "-no-color",
                "-lock-timeout=120s",
                &format!("-out={PLAN}"),
            ],
        )
        .await?;
        let json = self
            .run(tool, &["show", "-json", "-no-color", PLAN])
            .await?;
        let read = |name: &str| {
            let path = self.folder.join(name);
            match std::fs::read(&path) {
                Err(e) if e.kind() == std::io::ErrorKind::NotFound && name == LOCK => {
                    Ok(Vec::new())
                }
                read => read.map_err(|source| TerraformError::Folder { path, source }),
            }
        };
        Ok(Planned {
            plan: read(PLAN)?,
            json,
            lock: read(LOCK)?,
        })
    }

    /// `apply` of exactly the saved plan. The folder must have been initialised.
    pub async fn apply(&self, tool: &Tool, plan: &[u8]) -> Result<(), TerraformError> {
        let path = self.folder.join(PLAN);
        std::fs::write(&path, plan).map_err(|source| TerraformError::Folder { path, source })?;
        self.run(
            tool,
            &[
                "apply",
                "-input=false",
                "-no-color",
                "-lock-timeout=120s",
                PLAN,
            ],
        )
        .await
        .map(|_| ())
    }

    /// `lineage` and `serial` of the state as it is now; `None` when there is none yet.
    pub async fn state(&self, tool: &Tool) -> Result<Option<(String, u64)>, TerraformError> {
        let out = self.run(tool, &["state", "pull"]).await?;
        let state: Value = serde_json::from_slice(&out).unwrap_or(Value::Null);
        let lineage = state.get("lineage").and_then(Value::as_str);
        Ok(lineage.map(|l| {
            (
                l.to_owned(),
                state.get("serial").and_then(Value::as_u64).unwrap_or(0),
            )
        }))
    }

    /// `init`, with the lock file read-only where there is one.
    pub async fn init(&self, tool: &Tool) -> Result<(), TerraformError> {
        let mut args = vec!["init", "-input=false", "-no-color"];
        if self.folder.join(LOCK).exists() {
            args.push("-lockfile=readonly");
        }
        self.run(tool, &args).await.map(|_| ())
    }

    /// Which tool and providers work here. The folder must have been initialised.
    pub async fn versions(&self, tool: &Tool) -> Result<Versions, TerraformError> {
        let out = self.run(tool, &["version", "-json"]).await?;
        Versions::read(&tool.name(), &out).ok_or(TerraformError::Version)
    }

    /// `show -json` of a saved plan that lies in the folder. Holds secrets in clear.
    pub async fn show(&self, tool: &Tool, plan: &[u8]) -> Result<Vec<u8>, TerraformError> {
        let path = self.folder.join(PLAN);
        std::fs::write(&path, plan).map_err(|source| TerraformError::Folder { path, source })?;
        self.run(tool, &["show", "-json", "-no-color", PLAN]).await
    }

    pub(super) async fn run(&self, tool: &Tool, args: &[&str]) -> Result<Vec<u8>, TerraformError> {
        let (step, done) = self.output(tool, args).await?;
        if done.status.success() {
            return Ok(done.stdout);
        }
        let mut redactor = tool.redactor.clone();
        if matches!(args.first(), Some(&("plan" | "apply"))) {
            // What the state holds of secrets, also of resources that were made just now, is
            // known to nobody here yet. Without a state there is nothing to learn.
            if let Ok((_, state)) = self.output(tool, &["show", "-json", "-no-color"]).await
                && state.status.success()
            {
                let _ = super::plan_json::learn_state(&state.stdout, &mut redactor);
            }
        }
        // Hidden before it is cut: a part of a secret is no longer known as one.
        let text = String::from_utf8_lossy(&done.stderr);
        Err(TerraformError::Failed {
            step,
            message: last_part(&redactor.text(&unboxed(&text))),
        })
    }

    async fn output(
        &self,
        tool: &Tool,
        args: &[&str],
    ) -> Result<(String, std::process::Output), TerraformError> {
        let step = format!(
            "{} {}",
            tool.name(),
            args.first().copied().unwrap_or_default()
        );
        tracing::info!(step = %step, "running");
        let failed = |source| TerraformError::Start {
            binary: tool.binary.display().to_string(),
            source,
        };
        let child = Command::new(&tool.binary)
            .args(args)
            .current_dir(&self.folder)
            .env_clear()
            .envs(tool.env.iter().map(|(k, v)| (k, v)))
            .env("TF_IN_AUTOMATION", "1")
            .env("TF_INPUT", "0")
            .env("CHECKPOINT_DISABLE", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(failed)?;
        match tokio::time::timeout(tool.limit, child.wait_with_output()).await {
            Ok(done) => Ok((step, done.map_err(failed)?)),
            Err(_) => Err(TerraformError::TimedOut {
                step,
                minutes: tool.limit.as_secs() / 60,
            }),
        }
    }
}

impl Drop for Workspace {
    fn drop(&mut self) {
        // It holds values and plans in clear; a folder that is left over is only said.
        if let Err(error) = std::fs::remove_dir_all(&self.folder) {
            tracing::warn!(folder = %self.folder.display(), %error, "the working folder could not be removed");
        }
    }
}

/// An error output without the box that Terraform draws around it.
fn unboxed(text: &str) -> String {
    let lines: Vec<&str> = text
        .lines()
        .map(|l| l.trim_start_matches(['│', '╷', '╵', ' ']).trim_end())
        .filter(|l| !l.is_empty())
        .collect();
    lines.join("\n")
}

/// The end of a text, bounded.
fn last_part(text: &str) -> String {
    let lines: Vec<&str> = text.lines().collect();
    let from = lines.len().saturating_sub(40);
    lines[from..].join("\n").chars().take(4_000).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tool that fails as Terraform does, and whose state marks a password.
    #[cfg(unix)]
    #[tokio::test]
    async fn t15_an_error_of_the_tool_does_not_tell_what_the_state_marks()
    -> Result<(), Box<dyn std::error::Error>> {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir()?;
        let binary = dir.path().join("terraform");
        std::fs::write(
            &binary,
            r#"#!/bin/sh
case "$1" in
  show) echo '{"format_version":"1.0","values":{"root_module":{"resources":[{"values":{"p":"from-the-state"},"sensitive_values":{"p":true}}]}}}' ;;
  plan) echo "Error: refused from-the-state, from-the-layer and ZnJvbS10aGUtbGF5ZXI=" >&2; exit 1 ;;
esac
"#,
        )?;
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755))?;
        let mut redactor = Redactor::default();
        redactor.learn("from-the-layer");
        let tool = Tool {
            binary,
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            limit: Duration::from_secs(60),
            redactor,
        };
        let folder = dir.path().join("work");
        std::fs::create_dir(&folder)?;
        let workspace = Workspace { folder };
        let said = workspace.plan(&tool).await.err().map(|e| e.to_string());
        assert_eq!(
            said.as_deref(),
            Some(
                "`terraform plan` failed:\nError: refused (sensitive value), (sensitive value) and (sensitive value)="
            )
        );
        Ok(())
    }

    #[test]
    fn the_box_around_an_error_is_taken_off() {
        let text = unboxed("╷\n│ Error: no\n│ \n│   on main.tf line 1\n╵\n");
        assert_eq!(last_part(&text), "Error: no\non main.tf line 1");
    }
}
