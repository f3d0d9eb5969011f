//! What became of a plan that was applied: resource by resource, and what a look right after it
//! found. Addresses, actions and counts; no values.

use super::change::{Action, Change, Changes};
use super::drift::{Drifted, Outside};
use crate::clock::Time;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What became of one planned change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It was begun and refused. First, because it is what a reader looks for.
    Failed,
    /// It was begun, and its end was not seen.
    Unclear,
    /// It was not begun.
    NotBegun,
    /// It is done.
    Done,
}

/// One planned change and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Became {
    /// The address, as the plan shows it.
    pub address: String,
    /// What was planned.
    pub action: Action,
    /// What became of it.
    pub fate: Fate,
    /// The half of a replacement that was done, where the other was not: destroyed and not made
    /// again, or made anew while the old one still stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half: Option<Action>,
}

impl Became {
    /// In plain words: `created`, `not destroyed`, …
    pub fn words(&self) -> &'static str {
        match (self.fate, self.half) {
            (Fate::Done, _) => done(self.action),
            (_, Some(Action::Delete)) => "destroyed, not made again",
            (_, Some(_)) => "made anew, the old one still stands",
            (Fate::Failed, None) => "failed",
            (Fate::Unclear, None) => "begun, end not seen",
            (Fate::NotBegun, None) => "not begun",
        }
    }
}

/// The word for an action that is done.
pub fn done(action: Action) -> &'static str {
    match action {
        Action::Delete => "destroyed",
        Action::Replace => "replaced",
        Action::Update => "changed",
        Action::Create => "created",
        Action::Read => "read",
        Action::Forget => "forgotten",
        Action::Import => "imported",
        Action::Move => "moved",
    }
}

/// What became of a whole plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// Every planned change, in the order of the plan.
    pub changes: Vec<Became>,
}

/// What a tool said of single resources while it applied, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seen {
    /// Begun.
    pub begun: BTreeSet<(String, Action)>,
    /// Come to a good end.
    pub done: BTreeSet<(String, Action)>,
    /// Come to a bad one.
    pub failed: BTreeSet<(String, Action)>,
}

impl Seen {
    /// The same with every address as `shown` writes it.
    pub fn named(self, shown: impl Fn(&str) -> String) -> Self {
        let all = |set: BTreeSet<(String, Action)>| {
            set.into_iter()
                .map(|(at, action)| (shown(&at), action))
                .collect()
        };
        Self {
            begun: all(self.begun),
            done: all(self.done),
            failed: all(self.failed),
        }
    }
}

impl Outcome {
    /// Every change is done: the tool has said that the whole plan is applied.
    pub fn whole(plan: &Changes) -> Self {
        Self::from_plan(plan, |_| (Fate::Done, None))
    }

    /// As far as the tool has said; addresses as the plan shows them.
    pub fn partial(plan: &Changes, seen: &Seen) -> Self {
        Self::from_plan(plan, |change| {
            let halves: &[Action] = match change.action {
                Action::Replace => &[Action::Delete, Action::Create],
                _ => std::slice::from_ref(&change.action),
            };
            let of = |set: &BTreeSet<(String, Action)>| -> Vec<Action> {
                let has = |a: &&Action| set.contains(&(change.address.clone(), **a));
                halves.iter().filter(has).copied().collect()
            };
            let (begun, done, failed) = (of(&seen.begun), of(&seen.done), of(&seen.failed));
            let half = done.first().copied().filter(|_| done.len() < halves.len());
            let fate = if done.len() == halves.len() {
                Fate::Done
            } else if !failed.is_empty() {
                Fate::Failed
            } else if begun.iter().any(|a| !done.contains(a)) {
                Fate::Unclear
            } else {
                Fate::NotBegun
            };
            (fate, half)
        })
    }

    fn from_plan(plan: &Changes, of: impl Fn(&Change) -> (Fate, Option<Action>)) -> Self {
        let changes = plan.changes.iter().filter(|c| c.action != Action::Read);
        Self {
            changes: changes
                .map(|change| {
                    let (fate, half) = of(change);
                    Became {
                        address: change.address.clone(),
                        action: change.action,
                        fate,
                        half,
                    }
                })
                .collect(),
        }
    }

    /// Settles what the tool did not say by what a new plan still wants: what it leaves alone is
    /// done. What was said to have failed stays so.
    pub fn settle(&mut self, left: &[Touched]) {
        let wanted: BTreeSet<&str> = left.iter().map(|t| t.address.as_str()).collect();
        for became in &mut self.changes {
            let open = matches!(became.fate, Fate::Unclear | Fate::NotBegun);
            if open && !wanted.contains(became.address.as_str()) {
                became.fate = Fate::Done;
                became.half = None;
            }
        }
    }

    /// How many there are of one fate.
    pub fn count(&self, fate: Fate) -> usize {
        self.changes.iter().filter(|c| c.fate == fate).count()
    }

    /// `1 created, 1 failed, 2 not begun`; `nothing to change` for an empty plan.
    pub fn summary(&self) -> String {
        let mut counts: BTreeMap<(Fate, Action), usize> = BTreeMap::new();
        for became in &self.changes {
            // What is not done is counted together, whatever was planned.
            let action = match became.fate {
                Fate::Done => became.action,
                _ => Action::Read,
            };
            *counts.entry((became.fate, action)).or_default() += 1;
        }
        let word = |fate: Fate, action: Action| match fate {
            Fate::Done => done(action),
            Fate::Failed => "failed",
            Fate::Unclear => "unclear",
            Fate::NotBegun => "not begun",
        };
        // What is done is read first, then what failed.
        let (mut said, open): (Vec<_>, Vec<_>) =
            counts.into_iter().partition(|((f, _), _)| *f == Fate::Done);
        said.extend(open);
        let words: Vec<String> = said
            .into_iter()
            .map(|((fate, action), n)| format!("{n} {}", word(fate, action)))
            .collect();
        match words.is_empty() {
            true => "nothing to change".to_owned(),
            false => words.join(", "),
        }
    }
}

/// A resource and what is, or was, done to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Touched {
    /// The address, as it is shown.
    pub address: String,
    /// What.
    pub action: Action,
}

impl Touched {
    /// Everything that a plan changes.
    pub fn of(plan: &Changes) -> Vec<Self> {
        let changes = plan.changes.iter().filter(|c| c.action != Action::Read);
        changes
            .map(|c| Self {
                address: c.address.clone(),
                action: c.action,
            })
            .collect()
    }

    /// Everything that was changed past the tool, and matters to the configuration.
    pub fn outside(drift: &[Drifted]) -> Vec<Self> {
        let told = drift.iter().filter(|d| d.matters);
        told.map(|d| Self {
            address: d.address.clone(),
            action: match d.outside {
                Outside::Deleted => Action::Delete,
                Outside::Changed => Action::Update,
            },
        })
        .collect()
    }
}

/// What a look right after an apply found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct After {
    /// What a new plan still wants to do.
    pub left: Vec<Touched>,
    /// What was changed past the tool, and matters to the configuration.
    pub drift: Vec<Touched>,
    /// The state lock, if one is left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lock: Option<StateLock>,
    /// Why something could not be looked at, without secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// When.
    pub at: Time,
}

/// Who holds the lock of a state, as the lock itself says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateLock {
    /// The lock's id: letters, digits and `-`.
    pub id: String,
    /// User and machine, without secrets. Foreign text.
    pub who: String,
    /// Such as `OperationTypeApply`.
    pub operation: String,
    /// Since when, if it says so in a form that is known.
    pub since: Option<Time>,
}

impl fmt::Display for StateLock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "by {}", self.who)?;
        if let Some(since) = self.since {
            write!(f, " since {since}")?;
        }
        write!(f, " ({}, lock {})", self.operation, self.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plan(list: &[(&str, Action)]) -> Changes {
        let changes = list.iter().map(|(address, action)| Change {
            address: (*address).to_owned(),
            action: *action,
            attributes: Vec::new(),
        });
        Changes {
            changes: changes.collect(),
            ..Changes::default()
        }
    }

    fn set(list: &[(&str, Action)]) -> BTreeSet<(String, Action)> {
        list.iter().map(|(a, b)| ((*a).to_owned(), *b)).collect()
    }

    #[test]
    fn what_the_tool_said_decides() {
        use Action::{Create, Delete, Read, Replace, Update};
        let plan = plan(&[
            ("a", Create),
            ("b", Update),
            ("c", Replace),
            ("d", Replace),
            ("e", Delete),
            ("f", Create),
            ("g", Read),
        ]);
        let seen = Seen {
            begun: set(&[
                ("a", Create),
                ("b", Update),
                ("c", Delete),
                ("c", Create),
                ("d", Delete),
                ("f", Create),
            ]),
            done: set(&[("a", Create), ("c", Delete), ("d", Delete)]),
            failed: set(&[("b", Update), ("c", Create)]),
        };
        let mut outcome = Outcome::partial(&plan, &seen);
        let words: Vec<_> = outcome
            .changes
            .iter()
            .map(|b| (b.fate, b.words()))
            .collect();
        assert_eq!(
            words,
            [
                (Fate::Done, "created"),
                (Fate::Failed, "failed"),
                (Fate::Failed, "destroyed, not made again"),
                (Fate::NotBegun, "destroyed, not made again"),
                (Fate::NotBegun, "not begun"),
                (Fate::Unclear, "begun, end not seen"),
            ]
        );
        assert_eq!(
            outcome.summary(),
            "1 created, 2 failed, 1 unclear, 2 not begun"
        );
        // A new plan still wants all but `f`, whose end was not seen, and `b`, which failed.
        let left: Vec<Touched> = ["c", "d", "e"]
            .map(|a| Touched {
                address: a.into(),
                action: Create,
            })
            .into();
        outcome.settle(&left);
        assert_eq!(outcome.summary(), "2 created, 2 failed, 2 not begun");
        assert_eq!(outcome.count(Fate::Done), 2);
        assert_eq!(
            Outcome::whole(&plan).summary(),
            "1 destroyed, 2 replaced, 1 changed, 2 created"
        );
        assert_eq!(Outcome::default().summary(), "nothing to change");
    }
}
