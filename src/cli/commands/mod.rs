//! One file per verb.

mod apply;
mod demo;
mod gate;
mod init;
mod intake;
mod local;
mod matrix;
mod plan;
mod reconcile;
mod report;
mod resolve;
mod schema;
mod stacks;
mod trigger;
mod validate;

use super::env::Env;
use super::error::{CliError, Exit};
use super::print::Printer;
use clap::Subcommand;

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the whole loop on a local GitHub and leave an HTML report.
    Demo(demo::Args),
    /// Write a manager or a customer repository, or a product.
    Init(init::Args),
    /// Check customers' files, or the whole estate.
    Validate(validate::Args),
    /// List the stacks of the estate.
    Stacks(stacks::Args),
    /// Print the effective values of a stack.
    Resolve(resolve::Args),
    /// Describe what a product's customers may write, and check its schema.
    Schema(schema::Args),
    /// Customer: ask the provider to look at this commit.
    Trigger(trigger::Args),
    /// Manager: verify a request and print the matrix of stacks.
    Intake(intake::Args),
    /// Manager: plan one stack and seal the plan.
    Plan(plan::Args),
    /// Manager: confirm that a plan may be applied.
    Gate(gate::Args),
    /// Manager: apply exactly the approved plan.
    Apply(apply::Args),
    /// Manager: tell the customer where a request stands.
    Report(report::Args),
    /// Manager: find what differs or was left open, over all customers.
    Reconcile(reconcile::Args),
    /// The local GitHub alone.
    Local(local::Args),
}

/// Runs one verb.
pub async fn run(command: Command, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match command {
        Command::Demo(args) => demo::run(args, env, printer).await,
        Command::Init(args) => init::run(args, env, printer).await,
        Command::Validate(args) => validate::run(&args, printer),
        Command::Stacks(args) => stacks::run(&args, printer),
        Command::Resolve(args) => resolve::run(&args, printer),
        Command::Schema(args) => schema::run(&args, printer),
        Command::Trigger(args) => trigger::run(&args, env, printer).await,
        Command::Intake(args) => intake::run(&args, env, printer).await,
        Command::Plan(args) => plan::run(&args, env, printer).await,
        Command::Gate(args) => gate::run(&args, env, printer).await,
        Command::Apply(args) => apply::run(&args, env, printer).await,
        Command::Report(args) => report::run(&args, env, printer).await,
        Command::Reconcile(args) => reconcile::run(&args, env, printer).await,
        Command::Local(args) => local::run(args, env, printer).await,
    }
}
