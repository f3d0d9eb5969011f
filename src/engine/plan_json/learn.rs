//! Everything in a plan that is secret, learnt before anything of it is shown.

use super::document::{
    Call, Configuration, Declared, Delta, Document, Module, Values, may_mark, tree,
};
use crate::engine::redact::Redactor;
use serde_json::{Map, Value};

type Done = Result<(), serde_json::Error>;

/// Learns what the plan marks, and what stands under secret names.
pub(super) fn learn(plan: &Document<'_>, redactor: &mut Redactor) -> Done {
    let changes = [&plan.resource_changes, &plan.resource_drift]
        .into_iter()
        .flatten()
        .flatten();
    let deferred = plan.deferred_changes.iter().flatten();
    for resource in changes.chain(deferred.filter_map(|d| d.resource_change.as_ref())) {
        delta(&resource.change, redactor)?;
    }
    for (name, change) in plan.output_changes.iter().flatten() {
        delta(change, redactor)?;
        if redactor.is_secret_name(name) {
            named(name, tree(change.before)?, redactor);
            named(name, tree(change.after)?, redactor);
        }
    }
    let prior = plan.prior_state.as_ref().and_then(|s| s.values.as_ref());
    let held = [plan.planned_values.as_ref(), prior, plan.values.as_ref()];
    for held in held.into_iter().flatten() {
        values(held, redactor)?;
    }
    if let Some(configuration) = &plan.configuration {
        declared(configuration, redactor)?;
    }
    let root = plan
        .configuration
        .as_ref()
        .and_then(|c| c.root_module.as_ref());
    let declared = root.and_then(|r| r.variables.as_ref());
    for (name, given) in plan.variables.iter().flatten() {
        let secret = declared
            .and_then(|d| d.get(name))
            .is_some_and(|v| v.sensitive || v.ephemeral);
        let value = tree(given.value)?;
        if secret {
            redactor.learn_all(&value);
        } else {
            named(name, value, redactor);
        }
    }
    Ok(())
}

fn named(name: &str, value: Value, redactor: &mut Redactor) {
    let mut map = Map::new();
    map.insert(name.to_owned(), value);
    redactor.learn_names(&Value::Object(map));
}

fn delta(change: &Delta<'_>, redactor: &mut Redactor) -> Done {
    let sides = [
        (change.before, change.before_sensitive),
        (change.after, change.after_sensitive),
    ];
    let same = change.before.map(|r| r.get()) == change.after.map(|r| r.get())
        && change.before_sensitive.map(|r| r.get()) == change.after_sensitive.map(|r| r.get());
    for (side, marks) in sides.into_iter().take(if same { 1 } else { 2 }) {
        let Some(text) = side.map(|s| s.get()) else {
            continue;
        };
        let (marked, named) = (may_mark(marks), redactor.has_own_names() || may_name(text));
        if !marked && !named {
            continue;
        }
        let value = tree(side)?;
        if marked {
            redactor.learn_marked(&value, &tree(marks)?);
        }
        if named {
            redactor.learn_names(&value);
        }
    }
    Ok(())
}

/// Whether a text may hold one of the built-in secret names at all.
fn may_name(text: &str) -> bool {
    static HINT: std::sync::LazyLock<Option<regex::Regex>> = std::sync::LazyLock::new(|| {
        regex::Regex::new("(?i)pass|pwd|secret|token|cred|[_-]?key|conn|dsn|jwt|bearer|authorization|kube_?config|recovery").ok()
    });
    HINT.as_ref().is_none_or(|hint| hint.is_match(text))
}

fn values(held: &Values<'_>, redactor: &mut Redactor) -> Done {
    for output in held.outputs.iter().flatten().map(|(_, o)| o) {
        if output.sensitive {
            redactor.learn_all(&tree(output.value)?);
        }
    }
    held.root_module
        .as_ref()
        .map_or(Ok(()), |m| module(m, redactor))
}

fn module(held: &Module<'_>, redactor: &mut Redactor) -> Done {
    for resource in held.resources.iter().flatten() {
        if may_mark(resource.sensitive_values) {
            redactor.learn_marked(&tree(resource.values)?, &tree(resource.sensitive_values)?);
        }
    }
    held.child_modules
        .iter()
        .flatten()
        .try_for_each(|child| module(child, redactor))
}

fn declared(configuration: &Configuration<'_>, redactor: &mut Redactor) -> Done {
    for provider in configuration
        .provider_config
        .iter()
        .flatten()
        .map(|(_, p)| p)
    {
        constants(&tree(provider.expressions)?, redactor);
    }
    let Some(root) = &configuration.root_module else {
        return Ok(());
    };
    defaults(root, redactor)?;
    calls(root, redactor)
}

fn defaults(declared: &Declared<'_>, redactor: &mut Redactor) -> Done {
    for variable in declared.variables.iter().flatten().map(|(_, v)| v) {
        if variable.sensitive || variable.ephemeral {
            redactor.learn_all(&tree(variable.default)?);
        }
    }
    Ok(())
}

/// Constants that a module is called with, where it declares them sensitive.
fn calls(declared: &Declared<'_>, redactor: &mut Redactor) -> Done {
    for (
        _,
        Call {
            expressions,
            module,
        },
    ) in declared.module_calls.iter().flatten()
    {
        let given = tree(*expressions)?;
        constants(&given, redactor);
        let Some(module) = module else { continue };
        for (name, variable) in module.variables.iter().flatten() {
            if (variable.sensitive || variable.ephemeral)
                && let Some(constant) = given.get(name).and_then(|e| e.get("constant_value"))
            {
                redactor.learn_all(constant);
            }
        }
        defaults(module, redactor)?;
        calls(module, redactor)?;
    }
    Ok(())
}

/// Literals under secret names: `provider "x" { password = "…" }`.
fn constants(expressions: &Value, redactor: &mut Redactor) {
    match expressions {
        Value::Object(map) => {
            for (name, expression) in map {
                match expression.get("constant_value") {
                    Some(constant) => named(name, constant.clone(), redactor),
                    None => constants(expression, redactor),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|i| constants(i, redactor)),
        _ => {}
    }
}
