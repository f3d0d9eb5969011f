//! `tenantry local serve`: the local GitHub alone.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::local::{Clock, RunnerKind, RunnerSettings, Server, Settings};
use serde_json::json;
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// Serve until stopped; prints one JSON line with `url` and `token`.
    #[command(
        after_help = "Repositories are made through the API, as on GitHub. Nothing is kept after the end.\n\nExample:\n  tenantry local serve --port 8080"
    )]
    Serve(ServeArgs),
}

#[derive(Debug, clap::Args)]
struct ServeArgs {
    /// Port on 127.0.0.1; any free one when absent.
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Folder for the repositories; a temporary one when absent.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// Write every exchange to this file, one JSON object a line.
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Commit of tenantry's actions under this folder, used when workflows run with act.
    #[arg(long, value_name = "OWNER/REPO@REF=DIR")]
    local_repository: Vec<String>,
    /// Run workflows with this `act` instead of driving tenantry's steps.
    #[arg(long, value_name = "FILE")]
    act: Option<PathBuf>,
}

/// Runs it.
pub async fn run(args: Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let What::Serve(args) = args.what;
    let temporary = args.dir.is_none();
    let dir = args
        .dir
        .unwrap_or_else(|| crate::cli::step::work_folder(env));
    let path = env.get("PATH").unwrap_or_default();
    let binary = std::env::current_exe()?;
    let runner = RunnerSettings {
        kind: if args.act.is_some() {
            RunnerKind::Act
        } else {
            RunnerKind::Steps
        },
        tenantry: binary.clone(),
        act: args.act.unwrap_or_default(),
        local_repositories: args.local_repository,
        extra_env: vec![("TENANTRY_BINARY".into(), binary.display().to_string())],
        ..RunnerSettings::hold(path)
    };
    let settings = Settings {
        dir: dir.clone(),
        port: args.port,
        record: args.record,
        runner,
        admin_token: None,
        clock: Clock::real(),
    };
    // Whoever reads the address may end the server at once.
    let signals = crate::cli::signals();
    let server = Server::start(settings).await.map_err(|e| {
        CliError::failed(format!("the local GitHub cannot be started: {e}"))
            .hint("is the port in use? leave --port out for any free one")
    })?;
    printer.data(&json!({"version": 1, "url": server.url, "token": server.token}).to_string());
    crate::cli::interrupted(signals).await;
    server.stop().await;
    if temporary {
        std::fs::remove_dir_all(&dir)?;
    }
    Ok(Exit::Done)
}
