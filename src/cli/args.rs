//! The command line as clap sees it.

use super::commands::Command;
use super::print::Format;
use clap::Parser;

const AFTER: &str = "\
Exit codes: 0 done, 1 refused or failed, 2 usage, 3 nothing to do, 10 plan has changes
(with --detailed-exitcode), 70 internal error.

Examples:
  tenantry demo                                the whole loop on this machine, no account needed
  tenantry init manager infra-manager          write a manager repository
  tenantry validate --estate infra-manager     check it
  tenantry resolve acme/web/production         see the effective values of one stack";

/// Run infrastructure for many customers from one manager repository, on GitHub Actions alone.
#[derive(Debug, Parser)]
#[command(name = "tenantry", version, about, after_help = AFTER, max_term_width = 100)]
pub struct Cli {
    /// How results are printed to standard output.
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Say more on standard error (-v, -vv).
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}
