use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
#[derive(Debug, clap::Args)]
pub struct Args {}
pub async fn run(_args: Args, _env: &Env, _printer: &Printer) -> Result<Exit, CliError> {
    Ok(Exit::Done)
}
