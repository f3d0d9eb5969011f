//! The job matrices that `intake` and `reconcile` print.

use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::delivery::hint::Event;
use crate::delivery::records::Request;
use serde_json::{Map, Value, json};

/// Most jobs of one matrix.
const MAX_JOBS: usize = crate::delivery::open::STACKS;

/// Matrices by environment. An environment with nothing to do is absent.
pub fn matrices(requests: &[Request]) -> Value {
    let mut plan: Map<String, Value> = Map::new();
    let mut apply: Map<String, Value> = Map::new();
    for request in requests {
        for stack in &request.stacks {
            let entry = json!({
                "stack": stack, "request": request.name, "customer": stack.customer,
            });
            let push = |map: &mut Map<String, Value>| {
                let list = map
                    .entry(stack.environment.as_str())
                    .or_insert_with(|| json!({"include": []}));
                if let Some(items) = list["include"]
                    .as_array_mut()
                    .filter(|i| i.len() < MAX_JOBS)
                {
                    items.push(entry.clone());
                }
            };
            push(&mut plan);
            if matches!(request.name.event, Event::Push) {
                push(&mut apply);
            }
        }
    }
    json!({"plan": plan, "apply": apply})
}

/// Prints the result and writes the step's outputs.
pub fn print(
    printer: &Printer,
    in_actions: bool,
    requests: &[Request],
    extra: &Value,
    text: &str,
) -> Result<Exit, CliError> {
    let matrices = matrices(requests);
    let list: Vec<Value> = requests
        .iter()
        .take(MAX_JOBS)
        .map(|r| json!({"request": r.name}))
        .collect();
    let any = !requests.is_empty();
    let mut outputs = vec![
        ("any".to_owned(), any.to_string()),
        ("requests".to_owned(), json!({"include": list}).to_string()),
        ("matrices".to_owned(), matrices.to_string()),
    ];
    for (kind, map) in [("plan", &matrices["plan"]), ("apply", &matrices["apply"])] {
        for (environment, matrix) in map.as_object().into_iter().flatten() {
            outputs.push((
                format!("{kind}_{}", environment.replace('-', "_")),
                matrix.to_string(),
            ));
        }
    }
    printer.outputs(&outputs)?;
    let json = json!({"version": 1, "any": any, "requests": requests, "matrices": matrices, "details": extra});
    printer.result(&json, text);
    Ok(if any || in_actions {
        Exit::Done
    } else {
        Exit::Nothing
    })
}

/// One line for each request, with its stacks.
pub fn lines(requests: &[Request]) -> String {
    requests
        .iter()
        .map(|r| {
            let stacks = r
                .stacks
                .iter()
                .map(|s| format!("  {s}\n"))
                .collect::<String>();
            format!("{} (attempt {})\n{stacks}", r.name, r.attempt)
        })
        .collect()
}
