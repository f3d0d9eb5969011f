//! What a plan changes that an earlier one, which had been let pass, does not: for people. Both
//! are models without secrets, so what is hidden cannot be compared here, and is counted.
//! Whether a plan may take another's place is decided elsewhere, over the plans themselves
//! (`plan_json::same`).

use super::change::{Action, Attribute, Change, Changes};
use super::plan_json::is_cut;
use super::redact::SENSITIVE;
use crate::clock::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Seconds between a plan's time and a value that counts as that time.
const NEAR: u64 = 300;
const UNKNOWN: &str = "(known after apply)";

/// How one change stands to the earlier plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It was not in the earlier plan.
    New,
    /// It is another action now.
    OtherAction,
    /// The same action with other values.
    OtherValues,
    /// It is not needed any more, because it was applied.
    Done,
    /// It is not needed any more.
    Gone,
}

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differs {
    /// The address.
    pub address: String,
    /// How it stands.
    pub what: What,
    /// What the earlier plan does to it.
    pub was: Option<Action>,
    /// What this plan does to it.
    pub is: Option<Action>,
    /// Values that differ: `before` as it was to become, `after` as it is to become now.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub attributes: Vec<Attribute>,
}

/// A comparison of two plans.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Since {
    /// What differs, what is new first.
    pub differs: Vec<Differs>,
    /// How many changes are the same.
    pub same: usize,
    /// How many values are hidden or cut in both, so that it cannot be told.
    pub hidden: usize,
}

/// A plan and when it was made.
#[derive(Debug, Clone, Copy)]
pub struct Dated<'a> {
    /// What it changes.
    pub changes: &'a Changes,
    /// When.
    pub at: Time,
}

/// Compares `fresh` with `earlier`. `done` are addresses that were applied in between.
pub fn since(earlier: Dated<'_>, fresh: Dated<'_>, done: &BTreeSet<&str>) -> Since {
    let mut out = Since::default();
    let changing = |c: &&Change| c.action != Action::Read;
    let index = |plan: Dated<'_>| -> BTreeMap<String, Vec<Change>> {
        let mut map: BTreeMap<String, Vec<Change>> = BTreeMap::new();
        for change in plan.changes.changes.iter().filter(changing) {
            map.entry(change.address.clone())
                .or_default()
                .push(change.clone());
        }
        map
    };
    let (mut before, now) = (index(earlier), index(fresh));
    for (address, changes) in now {
        let mut olds = before.remove(&address).unwrap_or_default();
        for change in changes {
            let same_action = olds.iter().position(|o| o.action == change.action);
            let old = same_action.or((!olds.is_empty()).then_some(0));
            let old = old.map(|at| olds.swap_remove(at));
            out.one(old, change, (earlier.at, fresh.at));
        }
        for old in olds {
            out.gone(old, done);
        }
    }
    for old in before.into_values().flatten() {
        out.gone(old, done);
    }
    let outputs = |plan: Dated<'_>| Change {
        address: "outputs".into(),
        action: Action::Update,
        attributes: plan.changes.outputs.clone(),
    };
    let (old, new) = (outputs(earlier), outputs(fresh));
    if !(old.attributes.is_empty() && new.attributes.is_empty()) {
        out.one(Some(old), new, (earlier.at, fresh.at));
    }
    let rank = |what: What| match what {
        What::New => 0,
        What::OtherAction => 1,
        What::OtherValues => 2,
        What::Gone => 3,
        What::Done => 4,
    };
    out.differs
        .sort_by(|a, b| (rank(a.what), a.is, &a.address).cmp(&(rank(b.what), b.is, &b.address)));
    out
}

impl Since {
    fn one(&mut self, old: Option<Change>, new: Change, times: (Time, Time)) {
        let mut attributes = Vec::new();
        let what = match &old {
            None => What::New,
            Some(old) => {
                attributes = self.values(old, &new, times);
                if old.action != new.action {
                    What::OtherAction
                } else if !attributes.is_empty() {
                    What::OtherValues
                } else {
                    self.same += 1;
                    return;
                }
            }
        };
        self.differs.push(Differs {
            address: new.address,
            what,
            was: old.map(|o| o.action),
            is: Some(new.action),
            attributes,
        });
    }

    fn gone(&mut self, old: Change, done: &BTreeSet<&str>) {
        let what = match done.contains(old.address.as_str()) {
            true => What::Done,
            false => What::Gone,
        };
        self.differs.push(Differs {
            address: old.address,
            what,
            was: Some(old.action),
            is: None,
            attributes: Vec::new(),
        });
    }

    fn values(&mut self, old: &Change, new: &Change, times: (Time, Time)) -> Vec<Attribute> {
        let unknown: Vec<&str> = old
            .attributes
            .iter()
            .filter(|a| a.after.as_deref() == Some(UNKNOWN))
            .map(|a| a.path.as_str())
            .collect();
        // What was unknown as a whole may have become known part by part.
        let resolved = |path: &str| {
            unknown.iter().any(|u| {
                path.strip_prefix(u)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
            })
        };
        let by_path = |change: &Change| -> BTreeMap<String, Attribute> {
            let attributes = change.attributes.iter().filter(|a| !resolved(&a.path));
            attributes.map(|a| (a.path.clone(), a.clone())).collect()
        };
        let (old, mut new) = (by_path(old), by_path(new));
        let mut out = Vec::new();
        for (path, was) in old {
            let is = new.remove(&path);
            let (was_after, is_after) =
                (was.after.clone(), is.as_ref().and_then(|a| a.after.clone()));
            let is_before = is.as_ref().and_then(|a| a.before.clone());
            if is.is_some() && was.before == is_before && was_after == is_after {
                self.hidden += usize::from(was_after.as_deref().is_some_and(cannot_tell));
                continue;
            }
            if is.is_some() && was.before == is_before && plan_times(&was_after, &is_after, times) {
                continue;
            }
            out.push(Attribute {
                path,
                before: was_after,
                after: is_after,
            });
        }
        out.extend(new.into_values().map(|a| Attribute { before: None, ..a }));
        out
    }
}

fn cannot_tell(shown: &str) -> bool {
    shown.contains(SENSITIVE) || is_cut(shown)
}

/// Whether each value is the time at which its own plan was made.
fn plan_times(was: &Option<String>, is: &Option<String>, times: (Time, Time)) -> bool {
    let near = |shown: &Option<String>, time: Time| {
        let text = shown.as_deref().map(|s| s.trim_matches('"'));
        let parsed = text.and_then(|t| chrono::DateTime::parse_from_rfc3339(t).ok());
        let seconds = parsed.and_then(|t| u64::try_from(t.timestamp()).ok());
        seconds.is_some_and(|s| s.abs_diff(time.0) <= NEAR)
    };
    near(was, times.0) && near(is, times.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(address: &str, action: Action, attributes: &[(&str, Option<&str>, &str)]) -> Change {
        Change {
            address: address.into(),
            action,
            attributes: attributes
                .iter()
                .map(|(path, before, after)| Attribute {
                    path: (*path).into(),
                    before: before.map(str::to_owned),
                    after: Some((*after).to_owned()),
                })
                .collect(),
        }
    }

    fn of(changes: Vec<Change>) -> Changes {
        Changes {
            changes,
            ..Changes::default()
        }
    }

    fn compare(one: &Changes, two: &Changes, done: &[&str]) -> Since {
        let dated = |changes, at| Dated {
            changes,
            at: Time(at),
        };
        // 2026-11-21 16:37:16 and a day later.
        since(
            dated(one, 1_795_279_036),
            dated(two, 1_795_365_436),
            &done.iter().copied().collect(),
        )
    }

    #[test]
    fn what_is_the_same_is_not_told() {
        let one = of(vec![
            change(
                "b",
                Action::Update,
                &[("n", Some("1"), "2"), ("p", Some(SENSITIVE), SENSITIVE)],
            ),
            change(
                "a",
                Action::Create,
                &[
                    ("id", None, UNKNOWN),
                    ("tags", None, UNKNOWN),
                    ("at", None, "\"2026-11-21T16:37:16Z\""),
                ],
            ),
            change("r", Action::Read, &[]),
        ]);
        let two = of(vec![
            change(
                "a",
                Action::Create,
                &[
                    ("id", None, "\"i\""),
                    ("tags.k", None, "1"),
                    ("at", None, "\"2026-11-22T16:37:20Z\""),
                ],
            ),
            change(
                "b",
                Action::Update,
                &[("n", Some("1"), "2"), ("p", Some(SENSITIVE), SENSITIVE)],
            ),
        ]);
        let found = compare(&one, &two, &[]);
        assert_eq!((found.differs, found.same, found.hidden), (vec![], 2, 1));
    }

    #[test]
    fn what_differs_is_told_by_resource_and_attribute() {
        let one = of(vec![
            change("applied", Action::Create, &[]),
            change("dropped", Action::Delete, &[]),
            change(
                "size",
                Action::Update,
                &[("n", Some("1"), "2"), ("m", None, "1")],
            ),
            change("kind", Action::Update, &[("n", Some("1"), "2")]),
            change(
                "until",
                Action::Create,
                &[("t", None, "\"2027-01-01T00:00:00Z\"")],
            ),
        ]);
        let two = of(vec![
            change("new", Action::Delete, &[("n", Some("1"), "x")]),
            change(
                "size",
                Action::Update,
                &[("n", Some("1"), "3"), ("k", None, "7")],
            ),
            change("kind", Action::Replace, &[("n", Some("1"), "2")]),
            change(
                "until",
                Action::Create,
                &[("t", None, "\"2028-01-01T00:00:00Z\"")],
            ),
        ]);
        let found = compare(&one, &two, &["applied"]);
        let told: Vec<_> = found
            .differs
            .iter()
            .map(|d| {
                let parts = d.attributes.iter().map(|a| {
                    let side = |s: &Option<String>| s.clone().unwrap_or_else(|| "none".into());
                    format!("{}: {} -> {}", a.path, side(&a.before), side(&a.after))
                });
                format!(
                    "{:?} {} [{}]",
                    d.what,
                    d.address,
                    parts.collect::<Vec<_>>().join(", ")
                )
            })
            .collect();
        assert_eq!(
            told,
            [
                "New new []",
                "OtherAction kind []",
                "OtherValues size [m: 1 -> none, n: 2 -> 3, k: none -> 7]",
                "OtherValues until [t: \"2027-01-01T00:00:00Z\" -> \"2028-01-01T00:00:00Z\"]",
                "Gone dropped []",
                "Done applied []",
            ]
        );
        assert_eq!(found.same, 0);
    }
}
