//! Workflow files run by `act`: its settings, and the small copy of our actions that it needs.

use super::{Tested, path, tool};
use std::error::Error;
use std::path::{Path, PathBuf};
use tenantry::local::{RunnerKind, RunnerSettings};

/// The commit of the actions that the stage's workflows name.
pub const ACTIONS_REF: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

/// A runner that runs the workflow files with `act`; `None` where there is no `act`.
/// `env` is what the machine gives to every job.
pub fn runner(
    dir: &Path,
    env: Vec<(String, String)>,
) -> Result<Option<RunnerSettings>, Box<dyn Error>> {
    let Some(act) = tool("act") else {
        return Ok(None);
    };
    let tenantry = PathBuf::from(env!("CARGO_BIN_EXE_tenantry"));
    let actions = dir.join("tenantry-actions");
    slim(&actions)?;
    let mut extra_env = vec![("TENANTRY_BINARY".to_owned(), tenantry.display().to_string())];
    extra_env.extend(env);
    Ok(Some(RunnerSettings {
        enterprise: false,
        kind: RunnerKind::Act,
        tenantry,
        act,
        local_repositories: vec![format!(
            "tenantry/tenantry@{ACTIONS_REF}={}",
            actions.display()
        )],
        path: path(),
        extra_env,
    }))
}

/// Only what the actions need: `act` copies the folder for every one of them.
fn slim(to: &Path) -> Tested {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    for name in ["action.yml", "actions", "install"] {
        copy(&package.join(name), &to.join(name))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Tested {
    if !from.is_dir() {
        std::fs::create_dir_all(to.parent().unwrap_or(to))?;
        std::fs::copy(from, to)?;
        return Ok(());
    }
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}

/// Nothing that works in `dir` may outlive its server.
pub async fn nothing_left(dir: &Path) -> Tested {
    let dir = dir.canonicalize()?;
    let mut left = Vec::new();
    for _ in 0..20 {
        left = std::fs::read_dir("/proc")?
            .flatten()
            .filter(|entry| {
                let cwd = std::fs::read_link(entry.path().join("cwd"));
                cwd.is_ok_and(|cwd| cwd.starts_with(&dir))
            })
            .map(|entry| {
                let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
                String::from_utf8_lossy(&command).replace('\0', " ")
            })
            .collect();
        if left.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    Err(format!("still running: {left:#?}").into())
}
