//! A stack's working folder, and what the tool is asked to do in it.

use super::child::Ended;
use super::{Progress, TerraformError, Tool};
use crate::engine::module::{LOCK, Module};
use crate::engine::outcome::StateLock;
use crate::engine::versions::Versions;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// A stack's working folder, ready for `init`.
#[derive(Debug)]
pub struct Workspace {
    pub(super) folder: PathBuf,
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

/// What `apply` did.
#[derive(Debug)]
pub struct Applied {
    /// What it told of single resources; its errors stand in `result`.
    pub progress: Progress,
    /// How it ended.
    pub result: Result<(), TerraformError>,
}

/// What a look after an apply found.
#[derive(Debug)]
pub struct Looked {
    /// `show -json` of a new plan, or why there is none. Holds secrets in clear.
    pub json: Result<Vec<u8>, TerraformError>,
    /// The lock that is left.
    pub lock: Option<StateLock>,
}

const PLAN: &str = "tenantry.tfplan";
const LOOK: &str = "tenantry-after.tfplan";
const EVENTS: &str = "tenantry-events.jsonl";

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
        tool.run(
            &self.folder,
            &[
                "plan",
                "-input=false",
                "-no-color",
                "-lock-timeout=120s",
                &format!("-out={PLAN}"),
            ],
        )
        .await?;
        let json = tool
            .run(&self.folder, &["show", "-json", "-no-color", PLAN])
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
    pub async fn apply(&self, tool: &Tool, plan: &[u8]) -> Result<Applied, TerraformError> {
        self.put(PLAN, plan)?;
        let events = self.folder.join(EVENTS);
        let args = [
            "apply",
            "-json",
            "-input=false",
            "-no-color",
            "-lock-timeout=120s",
            PLAN,
        ];
        let ended = tool.run_into(&self.folder, &args, &events).await;
        let read = std::fs::File::open(&events).map(std::io::BufReader::new);
        let mut progress = read.and_then(Progress::read).unwrap_or_else(|error| {
            // The apply's own end must not be hidden by that.
            tracing::warn!(%error, "what the tool said of single resources cannot be read");
            Progress::default()
        });
        let errors = std::mem::take(&mut progress.errors);
        let result = match ended {
            Ok(Ended::Well) => Ok(()),
            Ok(Ended::Badly(said)) => {
                let text = format!("{}{said}", errors);
                Err(tool.failure(&self.folder, &args, &text).await)
            }
            Err(error) => Err(error),
        };
        Ok(Applied { progress, result })
    }

    /// Looks right after an apply: what a new plan still wants, and whether a lock is left. The
    /// folder must have been initialised; nothing is kept of the plan.
    pub async fn look(&self, tool: &Tool, variables: &Value) -> Looked {
        let mut lock = None;
        let json = async {
            self.put("terraform.tfvars.json", variables.to_string().as_bytes())?;
            let out = format!("-out={LOOK}");
            let plan = ["plan", "-input=false", "-no-color", out.as_str()];
            // A lock that is left shows at once; without it, looking is still allowed.
            let locked = [&plan[..], &["-lock-timeout=0s"]].concat();
            match tool.run(&self.folder, &locked).await {
                Err(TerraformError::Locked { lock: held, .. }) => {
                    lock = Some(held);
                    let free = [&plan[..], &["-lock=false"]].concat();
                    tool.run(&self.folder, &free).await?;
                }
                other => {
                    other?;
                }
            }
            tool.run(&self.folder, &["show", "-json", "-no-color", LOOK])
                .await
        }
        .await;
        Looked { json, lock }
    }

    /// `lineage` and `serial` of the state as it is now; `None` when there is none yet.
    pub async fn state(&self, tool: &Tool) -> Result<Option<(String, u64)>, TerraformError> {
        let out = tool.run(&self.folder, &["state", "pull"]).await?;
        let state: Value = serde_json::from_slice(&out).unwrap_or(Value::Null);
        let lineage = state.get("lineage").and_then(Value::as_str);
        Ok(lineage.map(|l| {
            (
                l.to_owned(),
                state.get("serial").and_then(Value::as_u64).unwrap_or(0),
            )
        }))
    }

    fn put(&self, name: &str, bytes: &[u8]) -> Result<(), TerraformError> {
        let path = self.folder.join(name);
        std::fs::write(&path, bytes).map_err(|source| TerraformError::Folder { path, source })
    }

    /// `init`, with the lock file read-only where there is one.
    pub async fn init(&self, tool: &Tool) -> Result<(), TerraformError> {
        let mut args = vec!["init", "-input=false", "-no-color"];
        if self.folder.join(LOCK).exists() {
            args.push("-lockfile=readonly");
        }
        tool.run(&self.folder, &args).await.map(|_| ())
    }

    /// Which tool and providers work here. The folder must have been initialised.
    pub async fn versions(&self, tool: &Tool) -> Result<Versions, TerraformError> {
        let out = tool.run(&self.folder, &["version", "-json"]).await?;
        Versions::read(&tool.name(), &out).ok_or(TerraformError::Version)
    }

    /// `show -json` of a saved plan that lies in the folder. Holds secrets in clear.
    pub async fn show(&self, tool: &Tool, plan: &[u8]) -> Result<Vec<u8>, TerraformError> {
        self.put(PLAN, plan)?;
        tool.run(&self.folder, &["show", "-json", "-no-color", PLAN])
            .await
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::redact::Redactor;
    use std::time::Duration;

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
            launch: std::sync::Arc::new(crate::engine::launch::Child),
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

    /// A lock that an apply has left is told with its holder, and what is left is told besides.
    #[cfg(unix)]
    #[tokio::test]
    async fn t29_a_look_tells_of_the_lock_and_breaks_none() -> Result<(), Box<dyn std::error::Error>>
    {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir()?;
        let binary = dir.path().join("terraform");
        std::fs::write(
            &binary,
            r#"#!/bin/sh
echo "$*" >> calls
case "$1 $*" in
  plan*-lock=false*) : > tenantry-after.tfplan ;;
  plan*) printf 'Error: Error acquiring the state lock\nLock Info:\n  ID: 6cf3-a27d\n  Operation: OperationTypeApply\n  Who: runner@fv-az1\n  Created: 2026-11-21 16:30:43.123456789 +0000 UTC\n' >&2; exit 1 ;;
  *tenantry-after.tfplan) echo '{"format_version":"1.2"}' ;;
  show*) exit 1 ;;
esac
"#,
        )?;
        std::fs::set_permissions(&binary, std::fs::Permissions::from_mode(0o755))?;
        let tool = Tool {
            binary,
            env: vec![("PATH".into(), "/usr/bin:/bin".into())],
            limit: Duration::from_secs(60),
            redactor: Redactor::default(),
            launch: std::sync::Arc::new(crate::engine::launch::Child),
        };
        let folder = dir.path().join("work");
        std::fs::create_dir(&folder)?;
        let workspace = Workspace { folder };
        let looked = workspace.look(&tool, &serde_json::json!({"a": 1})).await;
        assert_eq!(looked.json?, b"{\"format_version\":\"1.2\"}\n");
        let lock = looked.lock.ok_or("no lock")?;
        assert_eq!(
            lock.to_string(),
            "by runner@fv-az1 since 2026-11-21 16:30:43 UTC (OperationTypeApply, lock 6cf3-a27d)"
        );
        let calls = std::fs::read_to_string(workspace.folder.join("calls"))?;
        assert!(!calls.contains("unlock"), "{calls}");
        Ok(())
    }
}
