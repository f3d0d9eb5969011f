//! `tenantry customer credential list`.

use super::*;
use crate::cli::commands::customer::table::table;
use crate::estate::model::Customer;

/// Behind the help.
pub const AFTER: &str = "Examples:\n  tenantry customer credential list\n  tenantry customer credential list acme --all --format json";

/// Flags.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    at: At,
    /// Only this customer.
    customer: Option<CustomerId>,
    /// Also what was revoked.
    #[arg(long)]
    all: bool,
    /// All columns.
    #[arg(long)]
    wide: bool,
}

/// Runs it.
pub(super) fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    let estate = read(&args.at)?;
    let customers: Vec<&Customer> = match &args.customer {
        Some(id) => vec![find(&estate, id)?],
        None => estate.customers.values().collect(),
    };
    let all: Vec<(&Customer, &Credential)> = customers
        .into_iter()
        .flat_map(|customer| customer.credentials.iter().map(move |c| (customer, c)))
        .filter(|(_, c)| args.all || c.is_open())
        .collect();
    let today = today()?;
    let list: Vec<Value> = all
        .iter()
        .map(|(customer, c)| model(&customer.id, c, &today))
        .collect();
    printer.result(
        &json!({"version": 1, "credentials": list}),
        &text(&all, &today, args.wide),
    );
    printer.progress(&format!(
        "{} credential{}",
        all.len(),
        if all.len() == 1 { "" } else { "s" }
    ));
    Ok(match all.is_empty() {
        true => Exit::Nothing,
        false => Exit::Done,
    })
}

fn text(all: &[(&Customer, &Credential)], today: &Date, wide: bool) -> String {
    if all.is_empty() {
        return String::new();
    }
    let mut header = vec![
        "CUSTOMER",
        "CREDENTIAL",
        "PURPOSE",
        "STATUS",
        "OWNER",
        "ENDS",
        "KEPT",
    ];
    if wide {
        header.extend(WIDE);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|(customer, c)| {
            let mut row = vec![
                customer.id.to_string(),
                c.id.to_string(),
                c.purpose.to_string(),
                c.status.name().to_owned(),
                c.owner.clone().unwrap_or_default(),
                ending(c, today),
                if c.stored { "yes" } else { "no" }.to_owned(),
            ];
            if wide {
                row.extend(wide_columns(c));
            }
            row
        })
        .collect();
    table(&header, &rows)
}
