//! Whether a plan changes exactly what another one does: over the plans as they are, secrets
//! included, because two values that are both hidden may still differ.
//!
//! What does not count: the order of resources and of keys, the time of the plan itself where it
//! stands as a value, and values that were unknown when the first plan was made: whoever let that
//! plan pass took whatever they would become. Everything else counts, also what this version does
//! not know.

use super::PlanJsonError;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Seconds between a plan's own time and a value that counts as that time.
const NEAR: i64 = 300;
/// Most differences that are told.
const MOST: usize = 1_000;
/// Parts of a plan that follow from the others, or tell of the world and not of a change.
const ASIDE: &[&str] = &[
    "checks",
    "planned_values",
    "prior_state",
    "relevant_attributes",
    "resource_drift",
    "timestamp",
];

/// Proof that two plans change the same. Only [`same`] makes one.
#[derive(Debug)]
pub struct Same(());

/// Where two plans differ. Addresses and paths are foreign, and may be secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Apart {
    /// The resource, or the part of the plan.
    pub address: String,
    /// The attribute; empty for the resource as a whole.
    pub path: String,
}

type Parts<'a> = BTreeMap<String, &'a RawValue>;

#[derive(Deserialize)]
struct Key {
    #[serde(default)]
    address: String,
    #[serde(default)]
    deposed: Option<String>,
    #[serde(default)]
    previous_address: Option<String>,
    #[serde(default)]
    change: Option<Action>,
}

#[derive(Deserialize)]
struct Action {
    #[serde(default)]
    actions: Vec<String>,
    #[serde(default)]
    importing: Option<Value>,
}

/// Compares two plans (`show -json`): the one that was let pass, and one that was made later.
pub fn same(approved: &[u8], fresh: &[u8]) -> Result<Result<Same, Vec<Apart>>, PlanJsonError> {
    let (one, two): (Parts<'_>, Parts<'_>) = (
        serde_json::from_slice(approved)?,
        serde_json::from_slice(fresh)?,
    );
    let mut walk = Walk {
        times: (time(&one)?, time(&two)?),
        address: String::new(),
        path: Vec::new(),
        out: Vec::new(),
    };
    for key in keys(&one, &two) {
        let (a, f) = (one.get(key).copied(), two.get(key).copied());
        walk.address = format!("({key})");
        match key.as_str() {
            aside if ASIDE.contains(&aside) => {}
            "resource_changes" => walk.resources(a, f)?,
            "output_changes" => {
                let (a, f) = (parts(a)?, parts(f)?);
                for name in keys(&a, &f) {
                    walk.address = format!("output {name}");
                    walk.change(a.get(name).copied(), f.get(name).copied())?;
                }
            }
            _ => walk.strict(a, f)?,
        }
    }
    let mut out = walk.out;
    out.sort();
    out.dedup();
    Ok(match out.is_empty() {
        true => Ok(Same(())),
        false => Err(out),
    })
}

fn keys<'a, T>(one: &'a BTreeMap<String, T>, two: &'a BTreeMap<String, T>) -> Vec<&'a String> {
    let more = two.keys().filter(|k| !one.contains_key(*k));
    one.keys().chain(more).collect()
}

fn tree(raw: Option<&RawValue>) -> Result<Value, serde_json::Error> {
    raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()))
}

fn parts(raw: Option<&RawValue>) -> Result<Parts<'_>, serde_json::Error> {
    let parts: Option<Parts<'_>> = raw.map_or(Ok(None), |raw| serde_json::from_str(raw.get()))?;
    Ok(parts.unwrap_or_default())
}

fn seconds(text: &str) -> Option<i64> {
    chrono::DateTime::parse_from_rfc3339(text)
        .ok()
        .map(|t| t.timestamp())
}

fn time(plan: &Parts<'_>) -> Result<Option<i64>, serde_json::Error> {
    Ok(tree(plan.get("timestamp").copied())?
        .as_str()
        .and_then(seconds))
}

/// The resources that change; `None` when two entries have one name.
fn changing(raw: Option<&RawValue>) -> Result<Option<Parts<'_>>, serde_json::Error> {
    let list: Option<Vec<&RawValue>> = raw.map_or(Ok(None), |r| serde_json::from_str(r.get()))?;
    let mut out = BTreeMap::new();
    for raw in list.into_iter().flatten() {
        let key: Key = serde_json::from_str(raw.get())?;
        let moves = key.previous_address.is_some();
        let (idle, imports) = key.change.map_or((false, false), |c| {
            let idle = c.actions.iter().all(|a| a == "no-op") && !c.actions.is_empty();
            (idle, c.importing.is_some_and(|i| !i.is_null()))
        });
        if idle && !moves && !imports {
            continue;
        }
        let name = match key.deposed {
            Some(deposed) => format!("{} ({deposed})", key.address),
            None => key.address,
        };
        if out.insert(name, raw).is_some() {
            return Ok(None);
        }
    }
    Ok(Some(out))
}

struct Walk {
    times: (Option<i64>, Option<i64>),
    address: String,
    path: Vec<String>,
    out: Vec<Apart>,
}

type Done = Result<(), serde_json::Error>;

impl Walk {
    fn apart(&mut self) {
        if self.out.len() < MOST {
            self.out.push(Apart {
                address: self.address.clone(),
                path: self.path.join("."),
            });
        }
    }

    fn strict(&mut self, one: Option<&RawValue>, two: Option<&RawValue>) -> Done {
        let raw = |r: Option<&RawValue>| r.map_or("null", RawValue::get).to_owned();
        if raw(one) != raw(two) && tree(one)? != tree(two)? {
            self.apart();
        }
        Ok(())
    }

    fn resources(&mut self, one: Option<&RawValue>, two: Option<&RawValue>) -> Done {
        let (Some(one), Some(two)) = (changing(one)?, changing(two)?) else {
            self.apart();
            return Ok(());
        };
        for name in keys(&one, &two) {
            self.address.clone_from(name);
            let (Some(a), Some(f)) = (one.get(name), two.get(name)) else {
                self.apart();
                continue;
            };
            let (a, f) = (parts(Some(a))?, parts(Some(f))?);
            for key in keys(&a, &f) {
                let (a, f) = (a.get(key).copied(), f.get(key).copied());
                match key.as_str() {
                    "change" => self.change(a, f)?,
                    other => {
                        self.path.push(format!("({other})"));
                        self.strict(a, f)?;
                        self.path.pop();
                    }
                }
            }
        }
        Ok(())
    }

    fn change(&mut self, one: Option<&RawValue>, two: Option<&RawValue>) -> Done {
        if let (Some(one), Some(two)) = (one, two)
            && one.get() == two.get()
        {
            return Ok(());
        }
        let (a, f) = (parts(one)?, parts(two)?);
        let known = Value::Null;
        let open = tree(a.get("after_unknown").copied())?;
        for key in keys(&a, &f) {
            let (one, two) = (tree(a.get(key).copied())?, tree(f.get(key).copied())?);
            match key.as_str() {
                "before" => self.compare(&one, &two, &known),
                "after" => self.compare(&one, &two, &open),
                // Marks without effect come and go with the shape of a value.
                "after_sensitive" => self.compare(&bare(&one), &bare(&two), &open),
                "before_sensitive" => self.compare(&bare(&one), &bare(&two), &known),
                // What was unknown may be known now, never the other way round.
                "after_unknown" => self.compare(&known, &bare(&two), &open),
                other if one != two => {
                    self.path.push(format!("({other})"));
                    self.apart();
                    self.path.pop();
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn compare(&mut self, one: &Value, two: &Value, open: &Value) {
        static NULL: Value = Value::Null;
        if open == &Value::Bool(true) || one == two {
            return;
        }
        let parts = |v: &Value| v.is_object() || v.is_null();
        let both = one.is_object() && two.is_object();
        match (one, two) {
            // A missing side counts as empty only where parts of it were unknown.
            _ if both || open.is_object() && parts(one) && parts(two) => {
                let names = [one, two].into_iter().filter_map(Value::as_object);
                let mut names: Vec<&String> = names.flat_map(|m| m.keys()).collect();
                names.sort();
                names.dedup();
                for name in names {
                    let of = |v: &'_ Value| v.get(name).cloned().unwrap_or(Value::Null);
                    self.path.push(name.clone());
                    self.compare(&of(one), &of(two), &of(open));
                    self.path.pop();
                }
            }
            (Value::Array(a), Value::Array(f)) if a.len() == f.len() => {
                for (i, (a, f)) in a.iter().zip(f).enumerate() {
                    self.path.push(i.to_string());
                    self.compare(a, f, open.get(i).unwrap_or(&NULL));
                    self.path.pop();
                }
            }
            (Value::String(a), Value::String(f)) if self.is_plan_time(a, f) => {}
            _ => self.apart(),
        }
    }

    /// Whether each value is the time at which its own plan was made.
    fn is_plan_time(&self, one: &str, two: &str) -> bool {
        let near = |text: &str, time: Option<i64>| {
            seconds(text)
                .zip(time)
                .is_some_and(|(s, t)| (s - t).abs() <= NEAR)
        };
        near(one, self.times.0) && near(two, self.times.1)
    }
}

/// Marks without the parts that mark nothing.
fn bare(marks: &Value) -> Value {
    match marks {
        Value::Object(map) => {
            let parts = map.iter().map(|(k, v)| (k.clone(), bare(v)));
            let parts: serde_json::Map<String, Value> =
                parts.filter(|(_, v)| !v.is_null()).collect();
            match parts.is_empty() {
                true => Value::Null,
                false => Value::Object(parts),
            }
        }
        Value::Array(items) => {
            // Places count, so only what marks nothing at all goes.
            let items: Vec<Value> = items.iter().map(bare).collect();
            match items.iter().all(Value::is_null) {
                true => Value::Null,
                false => Value::Array(items),
            }
        }
        Value::Bool(false) => Value::Null,
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A plan with all that can be told apart.
    fn plan() -> Value {
        json!({
            "format_version": "1.2",
            "terraform_version": "1.11.4",
            "timestamp": "2026-11-21T16:37:16Z",
            "variables": {"size": {"value": 3}},
            "prior_state": {"values": {}},
            "resource_changes": [
                {"address": "a.made", "mode": "managed", "provider_name": "p", "change": {
                    "actions": ["create"], "before": null,
                    "after": {"size": 3, "list": [1, 2], "password": "CANARY-1", "made": "2026-11-21T16:37:17Z", "until": "2027-01-01T00:00:00Z"},
                    "after_unknown": {"id": true, "net": {"ip": true}, "list": [false, false]},
                    "before_sensitive": false, "after_sensitive": {"password": true, "list": [false, false]}}},
                {"address": "a.new", "change": {
                    "actions": ["delete", "create"], "before": {"size": 1}, "after": {"size": 2},
                    "after_unknown": {}, "before_sensitive": {}, "after_sensitive": {},
                    "replace_paths": [["size"]]}},
                {"address": "a.idle", "change": {"actions": ["no-op"], "before": {"n": 1}, "after": {"n": 1}}},
            ],
            "output_changes": {"x": {"actions": ["create"], "before": null, "after": "one", "after_unknown": false}},
            "configuration": {"root_module": {}},
            "errored": false,
        })
    }

    /// Where `change` makes the fresh plan differ.
    fn differs(change: impl FnOnce(&mut Value)) -> Vec<String> {
        let mut fresh = plan();
        change(&mut fresh);
        let compared = same(plan().to_string().as_bytes(), fresh.to_string().as_bytes());
        match compared {
            Ok(Ok(Same(()))) => Vec::new(),
            Ok(Err(apart)) => apart
                .iter()
                .map(|a| format!("{} {}", a.address, a.path))
                .collect(),
            Err(e) => panic!("{e}"),
        }
    }

    fn of(plan: &mut Value, index: usize) -> &mut Value {
        &mut plan["resource_changes"][index]["change"]
    }

    #[test]
    fn order_times_of_the_plan_and_what_was_unknown_do_not_count() {
        assert!(differs(|_| {}).is_empty());
        let none: Vec<String> = Vec::new();
        assert_eq!(
            differs(|p| p["resource_changes"]
                .as_array_mut()
                .into_iter()
                .for_each(|l| l.reverse())),
            none
        );
        assert_eq!(
            differs(|p| {
                p["timestamp"] = json!("2026-11-22T08:00:00Z");
                of(p, 0)["after"]["made"] = json!("2026-11-22T08:00:02Z");
            }),
            none
        );
        assert_eq!(
            differs(|p| {
                let change = of(p, 0);
                change["after"]["id"] = json!("i-1");
                change["after"]["net"] = json!({"ip": "10.0.0.1"});
                change["after_unknown"] = json!({});
                change["after_sensitive"]["net"] = json!({});
            }),
            none
        );
        assert_eq!(differs(|p| of(p, 2)["before"]["n"] = json!(9)), none);
        assert_eq!(
            differs(|p| p["prior_state"] = json!({"values": {"serial": 8}})),
            none
        );
    }

    /// Everything that could make it another change sends it back to the gate (T13).
    #[test]
    fn t13_whatever_else_differs_counts() {
        type Bend = Box<dyn FnOnce(&mut Value)>;
        let cases: Vec<(&str, Bend)> = vec![
            (
                "a.made size",
                Box::new(|p| of(p, 0)["after"]["size"] = json!(4)),
            ),
            (
                "a.made size",
                Box::new(|p| of(p, 0)["after"]["size"] = json!("3")),
            ),
            (
                "a.made password",
                Box::new(|p| of(p, 0)["after"]["password"] = json!("CANARY-2")),
            ),
            (
                "a.made password",
                Box::new(|p| of(p, 0)["after_sensitive"]["password"] = json!(false)),
            ),
            (
                "a.made list.0",
                Box::new(|p| of(p, 0)["after"]["list"] = json!([2, 2])),
            ),
            (
                "a.made list",
                Box::new(|p| of(p, 0)["after"]["list"] = json!([1, 2, 3])),
            ),
            (
                "a.made extra",
                Box::new(|p| of(p, 0)["after"]["extra"] = json!(true)),
            ),
            (
                "a.made size",
                Box::new(|p| {
                    of(p, 0)["after"].as_object_mut().map(|m| m.remove("size"));
                }),
            ),
            // Known then, unknown now.
            (
                "a.made size",
                Box::new(|p| of(p, 0)["after_unknown"]["size"] = json!(true)),
            ),
            // A time, but not that of the plan; and a plan's time where there was another.
            (
                "a.made until",
                Box::new(|p| of(p, 0)["after"]["until"] = json!("2028-01-01T00:00:00Z")),
            ),
            (
                "a.made until",
                Box::new(|p| of(p, 0)["after"]["until"] = json!("2026-11-21T16:37:16Z")),
            ),
            (
                "a.made made",
                Box::new(|p| of(p, 0)["after"]["made"] = json!("2027-11-21T16:37:16Z")),
            ),
            (
                "a.new size",
                Box::new(|p| of(p, 1)["before"]["size"] = json!(9)),
            ),
            (
                "a.new (actions)",
                Box::new(|p| of(p, 1)["actions"] = json!(["create", "delete"])),
            ),
            (
                "a.new (replace_paths)",
                Box::new(|p| of(p, 1)["replace_paths"] = json!([["net"]])),
            ),
            (
                "a.new (importing)",
                Box::new(|p| of(p, 1)["importing"] = json!({"id": "i-1"})),
            ),
            (
                "a.made (provider_name)",
                Box::new(|p| p["resource_changes"][0]["provider_name"] = json!("q")),
            ),
            (
                "a.new (deposed)",
                Box::new(|p| p["resource_changes"][1]["deposed"] = json!("deposed")),
            ),
            (
                "a.idle ",
                Box::new(|p| of(p, 2)["actions"] = json!(["update"])),
            ),
            (
                "a.idle ",
                Box::new(|p| p["resource_changes"][2]["previous_address"] = json!("a.was")),
            ),
            (
                "a.more ",
                Box::new(|p| {
                    let more = json!({"address": "a.more", "change": {"actions": ["delete"], "before": {}, "after": null}});
                    if let Some(list) = p["resource_changes"].as_array_mut() {
                        list.push(more)
                    }
                }),
            ),
            (
                "a.new ",
                Box::new(|p| {
                    p["resource_changes"].as_array_mut().map(|l| l.remove(1));
                }),
            ),
            (
                "(resource_changes) ",
                Box::new(|p| {
                    let twice = p["resource_changes"][0].clone();
                    if let Some(list) = p["resource_changes"].as_array_mut() {
                        list.push(twice)
                    }
                }),
            ),
            (
                "output x ",
                Box::new(|p| p["output_changes"]["x"]["after"] = json!("two")),
            ),
            (
                "output y (actions)",
                Box::new(|p| p["output_changes"]["y"] = json!({"actions": ["create"], "after": 1})),
            ),
            (
                "(variables) ",
                Box::new(|p| p["variables"]["size"]["value"] = json!(4)),
            ),
            (
                "(terraform_version) ",
                Box::new(|p| p["terraform_version"] = json!("1.12.0")),
            ),
            ("(errored) ", Box::new(|p| p["errored"] = json!(true))),
            (
                "(action_invocations) ",
                Box::new(|p| p["action_invocations"] = json!([{"address": "action.x"}])),
            ),
        ];
        for (wanted, change) in cases {
            let found = differs(change);
            let fits = match wanted {
                "a.new (deposed)" => found.iter().any(|f| f.starts_with("a.new")),
                wanted => found.iter().any(|f| f == wanted),
            };
            assert!(fits, "{wanted}: {found:?}");
        }
    }

    #[test]
    fn t15_an_error_does_not_quote_a_plan() {
        let broken = br#"{"resource_changes": "CANARY-7f3a"}"#;
        let Err(error) = same(broken, plan().to_string().as_bytes()) else {
            panic!("a text is no list")
        };
        assert!(!format!("{error} {error:?}").contains("CANARY"));
    }
}
