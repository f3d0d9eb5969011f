//! The parts of a plan that are looked at, typed. What is large stays text until its turn comes:
//! one resource at a time becomes a tree, never the whole plan.

use crate::engine::redact::any_mark;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

type Raw<'a> = Option<&'a RawValue>;
/// A map that may be null or absent.
type Named<T> = Option<BTreeMap<String, T>>;

/// `terraform show -json` of a plan, and of a state, which has `values` only.
#[derive(Deserialize)]
pub(super) struct Document<'a> {
    #[serde(default)]
    pub format_version: Option<String>,
    #[serde(default)]
    pub errored: bool,
    #[serde(borrow, default)]
    pub variables: Named<Given<'a>>,
    #[serde(borrow, default)]
    pub planned_values: Option<Values<'a>>,
    #[serde(borrow, default)]
    pub prior_state: Option<State<'a>>,
    #[serde(borrow, default)]
    pub values: Option<Values<'a>>,
    #[serde(borrow, default)]
    pub resource_drift: Option<Vec<Resource<'a>>>,
    #[serde(default)]
    pub relevant_attributes: Option<Vec<RelevantAttribute>>,
    #[serde(borrow, default)]
    pub resource_changes: Option<Vec<Resource<'a>>>,
    #[serde(borrow, default)]
    pub deferred_changes: Option<Vec<Deferred<'a>>>,
    #[serde(borrow, default)]
    pub output_changes: Named<Delta<'a>>,
    #[serde(borrow, default)]
    pub configuration: Option<Configuration<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Given<'a> {
    #[serde(borrow, default)]
    pub value: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct State<'a> {
    #[serde(borrow, default)]
    pub values: Option<Values<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Values<'a> {
    #[serde(borrow, default)]
    pub outputs: Named<Output<'a>>,
    #[serde(borrow, default)]
    pub root_module: Option<Module<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Output<'a> {
    #[serde(default)]
    pub sensitive: bool,
    #[serde(borrow, default)]
    pub value: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Module<'a> {
    #[serde(borrow, default)]
    pub resources: Option<Vec<Held<'a>>>,
    #[serde(borrow, default)]
    pub child_modules: Option<Vec<Module<'a>>>,
}

/// A resource as it is or will be.
#[derive(Deserialize)]
pub(super) struct Held<'a> {
    #[serde(borrow, default)]
    pub values: Raw<'a>,
    #[serde(borrow, default)]
    pub sensitive_values: Raw<'a>,
}

/// A resource that changes.
#[derive(Deserialize)]
pub(super) struct Resource<'a> {
    #[serde(default)]
    pub address: Option<String>,
    #[serde(default)]
    pub previous_address: Option<String>,
    #[serde(borrow)]
    pub change: Delta<'a>,
}

/// What a planned change depends on.
#[derive(Deserialize)]
pub(super) struct RelevantAttribute {
    #[serde(default)]
    pub resource: String,
    #[serde(default)]
    pub attribute: Vec<Value>,
}

#[derive(Deserialize)]
pub(super) struct Deferred<'a> {
    #[serde(borrow, default)]
    pub resource_change: Option<Resource<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Delta<'a> {
    #[serde(default)]
    pub actions: Vec<String>,
    #[serde(borrow, default)]
    pub before: Raw<'a>,
    #[serde(borrow, default)]
    pub after: Raw<'a>,
    #[serde(borrow, default)]
    pub before_sensitive: Raw<'a>,
    #[serde(borrow, default)]
    pub after_sensitive: Raw<'a>,
    #[serde(borrow, default)]
    pub after_unknown: Raw<'a>,
    #[serde(borrow, default)]
    pub importing: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Configuration<'a> {
    #[serde(borrow, default)]
    pub provider_config: Named<Provider<'a>>,
    #[serde(borrow, default)]
    pub root_module: Option<Declared<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Provider<'a> {
    #[serde(borrow, default)]
    pub expressions: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Declared<'a> {
    #[serde(borrow, default)]
    pub variables: Named<Variable<'a>>,
    #[serde(borrow, default)]
    pub module_calls: Named<Call<'a>>,
}

#[derive(Deserialize)]
pub(super) struct Variable<'a> {
    #[serde(default)]
    pub sensitive: bool,
    #[serde(default)]
    pub ephemeral: bool,
    #[serde(borrow, default)]
    pub default: Raw<'a>,
}

#[derive(Deserialize)]
pub(super) struct Call<'a> {
    #[serde(borrow, default)]
    pub expressions: Raw<'a>,
    #[serde(borrow, default)]
    pub module: Option<Declared<'a>>,
}

/// A part as a tree; null where there is none.
pub(super) fn tree(raw: Raw<'_>) -> Result<Value, serde_json::Error> {
    raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()))
}

/// Whether marks mark anything at all; mostly they are `{}` or `false`.
pub(super) fn may_mark(marks: Raw<'_>) -> bool {
    marks.is_some_and(|raw| {
        let text = raw.get();
        !matches!(text, "{}" | "false" | "[]")
            && (text.contains("true")
                || !serde_json::from_str::<Value>(text).is_ok_and(|v| !any_mark(&v)))
    })
}
