//! Arguments and environment in, text and exit codes out. The only room that reads the
//! environment, prints, or picks exit codes.
//!
//! `args -> settings -> command`: clap types and environment variables end in each command's
//! `run`; what lies below gets values.

mod args;
mod ask;
pub mod commands;
pub mod contracts;
pub mod env;
mod error;
pub mod folder;
mod github;
pub mod print;
pub mod revision;
pub mod speakers;
pub mod step;

pub use args::Cli;
use clap::Parser;
pub use error::{CliError, Exit};
use std::process::ExitCode;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Runs the command line and returns the exit code.
pub fn main() -> ExitCode {
    std::panic::set_hook(Box::new(|info| {
        let place = info
            .location()
            .map_or_else(String::new, |l| format!(" at {}:{}", l.file(), l.line()));
        print::stderr(&format!(
            "tenantry: internal error{place}; please report it with the command that you ran\n"
        ));
    }));
    match std::panic::catch_unwind(run) {
        Ok(exit) => exit.into(),
        Err(_) => Exit::Internal.into(),
    }
}

fn run() -> Exit {
    let env = env::Env::read();
    // Before the arguments are read, because a message about them would quote them.
    if env::secret_in_arguments() {
        let error = commands::leaked();
        print::Printer::new(print::Format::Text, &env).error(&error);
        return error.exit();
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let usage = error.use_stderr();
            print::clap(&error);
            return if usage { Exit::Usage } else { Exit::Done };
        }
    };
    print::logging(&env, cli.verbose);
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            print::stderr(&format!("tenantry: cannot start: {error}\n"));
            return Exit::Internal;
        }
    };
    let printer = print::Printer::new(cli.format, &env);
    if let Err(error) = cli.command.check_format(cli.format) {
        printer.error(&error);
        return error.exit();
    }
    // A server ends in order when it is asked to.
    let ends_itself = matches!(cli.command, commands::Command::Local(_));
    let done = runtime.block_on(async {
        // Before anything is asked or begun: a signal that nobody takes ends the process at once.
        let signals = if ends_itself { None } else { signals() };
        tokio::select! {
            done = commands::run(cli.command, &env, &printer) => done,
            // Dropping the command stops its children; nothing half-written stays behind.
            () = interrupted(signals) => Err(CliError::interrupted()),
        }
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(5));
    match done {
        Ok(exit) => exit,
        Err(error) => {
            printer.error(&error);
            error.exit()
        }
    }
}

/// Ctrl-C, and what a runner sends to stop a job.
fn signals() -> Option<[Signal; 2]> {
    let hear = |kind| signal(kind).ok();
    Some([
        hear(SignalKind::interrupt())?,
        hear(SignalKind::terminate())?,
    ])
}

/// Ends when one of them comes.
async fn interrupted(signals: Option<[Signal; 2]>) {
    match signals {
        None => std::future::pending().await,
        Some([mut interrupt, mut terminate]) => {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
    }
}
