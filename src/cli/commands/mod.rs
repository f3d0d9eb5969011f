//! One file per verb.

mod apply;
mod audit;
mod customer;
pub(super) use customer::leaked;
mod demo;
mod doctor;
mod drift;
mod explain;
mod gate;
mod impact;
mod init;
mod inspect;
mod intake;
mod local;
mod matrix;
mod pin;
mod plan;
mod policy;
mod reconcile;
mod render;
mod report;
mod resolve;
mod schema;
mod stacks;
mod trigger;
mod validate;

use super::env::Env;
use super::error::{CliError, Exit};
use super::print::{Format, Printer};
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
    /// Say where a value of a stack comes from.
    Explain(explain::Args),
    /// Test the policies.
    Policy(policy::Args),
    /// Say which stacks a change of the estate reaches, and how.
    Impact(impact::Args),
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
    /// Show a plan as bodies of comments, without secrets.
    Render(render::Args),
    /// Manager: find what differs or was left open, over all customers.
    Reconcile(reconcile::Args),
    /// Manager: find what was changed outside of tenantry, and tell.
    Drift(drift::Args),
    /// Show what a sealed plan is bound to, and verify it.
    Inspect(inspect::Args),
    /// Check and export the audit log, and report from it.
    Audit(audit::Args),
    /// Keep the registry of customers.
    Customer(customer::Args),
    /// Check how everything is set up, and repair it.
    #[command(after_help = doctor::AFTER)]
    Doctor(doctor::Args),
    /// The local GitHub alone.
    Local(local::Args),
}

impl Command {
    /// The formats that its result has.
    fn formats(&self) -> &'static [Format] {
        match self {
            Self::Resolve(_) => &[Format::Text, Format::Yaml, Format::Json, Format::Tfvars],
            Self::Render(_) => &[Format::Text, Format::Json],
            Self::Customer(args) => args.formats(),
            Self::Doctor(args) => args.formats(),
            Self::Validate(_) => &[Format::Text, Format::Json, Format::Github, Format::Sarif],
            _ => &[Format::Text, Format::Json, Format::Github],
        }
    }

    /// Refuses a format that the command has no result in.
    pub fn check_format(&self, format: Format) -> Result<(), CliError> {
        let formats = self.formats();
        if formats.contains(&format) {
            return Ok(());
        }
        let names: Vec<&str> = formats.iter().map(|f| f.name()).collect();
        Err(
            CliError::usage(format!("this command has no result as `{}`", format.name()))
                .hint(format!("use --format {}", names.join(", "))),
        )
    }
}

/// Runs one verb.
pub async fn run(command: Command, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    match command {
        Command::Demo(args) => demo::run(args, env, printer).await,
        Command::Init(args) => init::run(args, env, printer).await,
        Command::Validate(args) => validate::run(&args, printer),
        Command::Stacks(args) => stacks::run(&args, printer),
        Command::Resolve(args) => resolve::run(&args, printer),
        Command::Explain(args) => explain::run(&args, printer),
        Command::Policy(args) => policy::run(&args, printer),
        Command::Impact(args) => impact::run(&args, printer),
        Command::Schema(args) => schema::run(&args, printer),
        Command::Trigger(args) => trigger::run(&args, env, printer).await,
        Command::Intake(args) => intake::run(&args, env, printer).await,
        Command::Plan(args) => plan::run(&args, env, printer).await,
        Command::Gate(args) => gate::run(&args, env, printer).await,
        Command::Apply(args) => apply::run(&args, env, printer).await,
        Command::Report(args) => report::run(&args, env, printer).await,
        Command::Render(args) => render::run(&args, printer),
        Command::Reconcile(args) => reconcile::run(&args, env, printer).await,
        Command::Drift(args) => drift::run(&args, env, printer).await,
        Command::Inspect(args) => inspect::run(&args, env, printer),
        Command::Audit(args) => audit::run(&args, env, printer).await,
        Command::Customer(args) => customer::run(&args, env, printer).await,
        Command::Doctor(args) => doctor::run(&args, env, printer).await,
        Command::Local(args) => local::run(args, env, printer).await,
    }
}
