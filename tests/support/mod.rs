//! What the stories share: a stage with the real binary, tools, and loud skips.
#![allow(dead_code)]
#![allow(clippy::print_stderr, reason = "a skipped test is said aloud")]

pub mod act;
pub mod moto;
pub mod planted;
pub mod registry;
pub mod said;
pub mod trial;

use base64::Engine as _;
use serde_json::Value;
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use tenantry::estate::Sha;
use tenantry::local::stage::{Engine, Hints, MANAGER, Stage, StageSettings};
use tenantry::local::{Clock, RunnerKind, RunnerSettings, Settings};

pub type Tested = Result<(), Box<dyn Error>>;

/// PATH of the tests: where `git`, `terraform` and the shell are found.
pub fn path() -> String {
    #[allow(clippy::disallowed_methods)]
    std::env::var("PATH").unwrap_or_default()
}

/// A variable of the tests' own environment that is set and not empty.
pub fn variable(name: &str) -> Option<String> {
    #[allow(clippy::disallowed_methods)]
    std::env::var(name).ok().filter(|v| !v.is_empty())
}

/// A program of the tests' own tool folder, or of the PATH.
pub fn tool(name: &str) -> Option<PathBuf> {
    let own = variable("TENANTRY_TOOLS").map(|t| Path::new(&t).join("venv/bin").join(name));
    own.into_iter()
        .chain(path().split(':').map(|p| Path::new(p).join(name)))
        .find(|p| p.is_file())
}

/// Says loudly that a test did not run; `tests/run` counts these lines.
pub fn skip(test: &str, reason: &str) -> Tested {
    eprintln!("SKIPPED {test}: {reason}");
    if let Some(file) = variable("TENANTRY_SKIPS") {
        writeln!(
            std::fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(file)?,
            "{test}: {reason}"
        )?;
    }
    Ok(())
}

/// A runner that drives the real binary.
pub fn steps() -> RunnerSettings {
    RunnerSettings {
        kind: RunnerKind::Steps,
        tenantry: PathBuf::from(env!("CARGO_BIN_EXE_tenantry")),
        ..RunnerSettings::hold(&path())
    }
}

/// A GitHub in `dir` whose workflows do not run.
pub fn still(dir: PathBuf) -> Settings {
    Settings {
        dir,
        port: 0,
        record: None,
        runner: RunnerSettings::hold(&path()),
        admin_token: None,
        clock: Clock::real(),
    }
}

/// The manager repository as files: path and bytes.
pub async fn manager_files(stage: &Stage) -> Result<Vec<(String, Vec<u8>)>, Box<dyn Error>> {
    let repository = format!("/repos/{MANAGER}/git");
    let tree = format!("{repository}/trees/main?recursive=1");
    let tree = stage.admin("GET", &tree, Value::Null).await?;
    let mut files = Vec::new();
    for entry in tree["tree"].as_array().ok_or("no tree")? {
        if entry["type"] != "blob" {
            continue;
        }
        let blob = format!(
            "{repository}/blobs/{}",
            entry["sha"].as_str().ok_or("no id")?
        );
        let blob = stage.admin("GET", &blob, Value::Null).await?;
        let text = blob["content"].as_str().ok_or("no content")?;
        let text: String = text.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
        files.push((entry["path"].as_str().ok_or("no path")?.to_owned(), bytes));
    }
    Ok(files)
}

/// The same, as somebody has checked it out.
pub async fn checkout(stage: &Stage, folder: &Path) -> Tested {
    for (path, bytes) in manager_files(stage).await? {
        let place = folder.join(path);
        std::fs::create_dir_all(place.parent().ok_or("no folder")?)?;
        std::fs::write(place, bytes)?;
    }
    Ok(())
}

/// Settings of a stage in `dir`.
pub fn settings(
    dir: &Path,
    engine: Engine,
    hints: Hints,
    runner: RunnerSettings,
) -> Result<StageSettings, Box<dyn Error>> {
    Ok(StageSettings {
        server: Settings {
            runner,
            ..still(dir.to_owned())
        },
        engine,
        hints,
        actions_ref: Sha::new(&"a".repeat(40))?,
        overrides: Vec::new(),
        storage: None,
        own_environments: false,
        secrets: Vec::new(),
    })
}

/// The customer's file with one thing changed.
pub fn variables(project: &str, staging_max: u32) -> String {
    format!(
        "project_name: {project}\n\nenvironments:\n  staging:\n    instance_type: t3.micro\n    min_instances: 1\n    max_instances: {staging_max}\n  production:\n    instance_type: t3.small\n    min_instances: 2\n    max_instances: 10\n\nnetworking:\n  vpc_cidr: 10.0.0.0/16\n\ntags:\n  project: {project}\n  environment: \"{{{{ environment }}}}\"\n"
    )
}

/// Waits until nothing runs, and fails with all logs when `ok` is not so.
pub async fn expect(stage: &Stage, what: &str, ok: bool) -> Tested {
    if ok {
        return Ok(());
    }
    Err(format!("{what}\n{}", stage.logs().await?).into())
}
