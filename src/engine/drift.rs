//! What was changed outside of tenantry, as people read it. Values that are sensitive never
//! enter this model.

use super::change::{Action, Attribute, Change, Changes};
use serde::{Deserialize, Serialize};

/// What happened to a resource or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outside {
    /// It is gone. First, because it is what a reader must not overlook.
    Deleted,
    /// It is another than it was.
    Changed,
}

impl Outside {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Deleted => "deleted",
            Self::Changed => "changed",
        }
    }
}

/// One attribute that differs: `before` is what tenantry left, `after` what was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Differing {
    /// Path and both sides.
    #[serde(flatten)]
    pub attribute: Attribute,
    /// Whether a plan would put it back, or something else depends on it.
    pub matters: bool,
}

/// One resource or file that is not as it was left.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Drifted {
    /// Resource address or file path.
    pub address: String,
    /// What happened.
    pub outside: Outside,
    /// Whether anything would be done about it.
    pub matters: bool,
    /// What a plan would do about it.
    pub planned: Option<Action>,
    /// What differs; empty for what is gone.
    pub differs: Vec<Differing>,
}

/// An attribute on which a planned change depends (`relevant_attributes` of a plan).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relevant {
    /// Resource address.
    pub address: String,
    /// Dotted path; empty for the whole resource.
    pub path: String,
}

/// Everything that an ordinary plan tells about drift.
#[derive(Debug, Clone, Default)]
pub struct Intent {
    /// What it would change.
    pub changes: Changes,
    /// What that depends on.
    pub relevant: Vec<Relevant>,
}

/// Whether one dotted path is the other, or lies below it.
fn is_related(a: &str, b: &str) -> bool {
    let below = |path: &str, of: &str| {
        of.is_empty()
            || path
                .strip_prefix(of)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    below(a, b) || below(b, a)
}

/// Says of each difference whether it matters: an ordinary plan would change the same attribute
/// back, or something that it changes depends on it. Without such a plan everything does.
pub fn weigh(drift: &mut [Drifted], intent: Option<&Intent>) {
    let Some(intent) = intent else {
        for drifted in drift {
            drifted.matters = true;
            drifted.differs.iter_mut().for_each(|d| d.matters = true);
        }
        return;
    };
    for drifted in drift {
        let planned = |c: &&Change| c.address == drifted.address && c.action != Action::Read;
        let planned = intent.changes.changes.iter().find(planned);
        let relevant: Vec<&str> = intent
            .relevant
            .iter()
            .filter(|r| r.address == drifted.address)
            .map(|r| r.path.as_str())
            .collect();
        drifted.planned = planned.map(|c| c.action);
        for differing in &mut drifted.differs {
            let path = differing.attribute.path.as_str();
            let changed =
                planned.is_some_and(|c| c.attributes.iter().any(|a| is_related(&a.path, path)));
            differing.matters = changed || relevant.iter().any(|r| is_related(r, path));
        }
        drifted.matters = match drifted.outside {
            Outside::Deleted => planned.is_some() || !relevant.is_empty(),
            Outside::Changed => drifted.differs.iter().any(|d| d.matters),
        };
    }
}

/// Files that are not as they were left, from the changes that would put them back.
pub fn of_files(changes: Changes) -> Vec<Drifted> {
    let drifted = |change: Change| {
        let outside = match change.action {
            Action::Create => Outside::Deleted,
            _ => Outside::Changed,
        };
        let differs = match outside {
            Outside::Deleted => Vec::new(),
            Outside::Changed => change.attributes,
        };
        Drifted {
            address: change.address,
            outside,
            matters: true,
            planned: Some(change.action),
            // The plan leads from what was found to what should be.
            differs: differs
                .into_iter()
                .map(|a| Differing {
                    attribute: Attribute {
                        path: a.path,
                        before: a.after,
                        after: a.before,
                    },
                    matters: true,
                })
                .collect(),
        }
    };
    changes.changes.into_iter().map(drifted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drifted(outside: Outside, paths: &[&str]) -> Drifted {
        Drifted {
            address: "a.b".into(),
            outside,
            matters: false,
            planned: None,
            differs: paths
                .iter()
                .map(|p| Differing {
                    attribute: Attribute {
                        path: (*p).to_owned(),
                        before: None,
                        after: None,
                    },
                    matters: false,
                })
                .collect(),
        }
    }

    fn intent(action: Action, paths: &[&str], relevant: &[(&str, &str)]) -> Intent {
        Intent {
            changes: Changes {
                changes: vec![Change {
                    address: "a.b".into(),
                    action,
                    attributes: drifted(Outside::Changed, paths)
                        .differs
                        .into_iter()
                        .map(|d| d.attribute)
                        .collect(),
                }],
                ..Changes::default()
            },
            relevant: relevant
                .iter()
                .map(|(address, path)| Relevant {
                    address: (*address).to_owned(),
                    path: (*path).to_owned(),
                })
                .collect(),
        }
    }

    fn weighed(drifted: Drifted, intent: Option<&Intent>) -> (bool, Option<Action>, Vec<bool>) {
        let mut all = [drifted];
        weigh(&mut all, intent);
        let [one] = all;
        (
            one.matters,
            one.planned,
            one.differs.iter().map(|d| d.matters).collect(),
        )
    }

    #[test]
    fn what_a_plan_would_put_back_matters_and_the_rest_does_not() {
        let nothing = Intent::default();
        let changed = || drifted(Outside::Changed, &["tags.owner", "tags_all.owner"]);
        assert_eq!(
            weighed(changed(), Some(&nothing)),
            (false, None, vec![false, false])
        );
        assert_eq!(
            weighed(
                changed(),
                Some(&intent(Action::Update, &["tags.owner"], &[]))
            ),
            (true, Some(Action::Update), vec![true, false])
        );
        // A collection that is changed as a whole is related to its parts, but `tags` is not to
        // `tags_all`.
        assert_eq!(
            weighed(changed(), Some(&intent(Action::Update, &["tags"], &[]))),
            (true, Some(Action::Update), vec![true, false])
        );
        // A pending change of something else of the resource is no reason.
        assert_eq!(
            weighed(changed(), Some(&intent(Action::Update, &["size"], &[]))),
            (false, Some(Action::Update), vec![false, false])
        );
    }

    #[test]
    fn what_another_change_depends_on_matters() {
        let changed = || drifted(Outside::Changed, &["tags.owner", "size"]);
        let mut other = intent(Action::Update, &["x"], &[("a.b", "tags.owner")]);
        other.changes.changes[0].address = "other".into();
        assert_eq!(
            weighed(changed(), Some(&other)),
            (true, None, vec![true, false])
        );
        other.relevant[0].address = "a.c".into();
        assert_eq!(
            weighed(changed(), Some(&other)),
            (false, None, vec![false, false])
        );
        other.relevant = vec![Relevant {
            address: "a.b".into(),
            path: String::new(),
        }];
        assert_eq!(
            weighed(changed(), Some(&other)),
            (true, None, vec![true, true])
        );
    }

    #[test]
    fn what_is_gone_matters_if_it_would_be_made_again() {
        let gone = || drifted(Outside::Deleted, &[]);
        assert!(weighed(gone(), Some(&intent(Action::Create, &[], &[]))).0);
        assert!(!weighed(gone(), Some(&Intent::default())).0);
        // Without a plan nobody can say that it does not matter.
        assert!(weighed(gone(), None).0);
        assert_eq!(
            weighed(drifted(Outside::Changed, &["x"]), None),
            (true, None, vec![true])
        );
    }

    #[test]
    fn files_are_told_from_what_was_left_to_what_was_found() {
        let changes = Changes {
            changes: vec![
                Change {
                    address: "values.yaml".into(),
                    action: Action::Update,
                    attributes: vec![Attribute {
                        path: "size".into(),
                        before: Some("9".into()),
                        after: Some("3".into()),
                    }],
                },
                Change {
                    address: "application.yaml".into(),
                    action: Action::Create,
                    attributes: Vec::new(),
                },
            ],
            ..Changes::default()
        };
        let found = of_files(changes);
        assert_eq!(found[0].outside, Outside::Changed);
        assert_eq!(found[0].differs[0].attribute.before.as_deref(), Some("3"));
        assert_eq!(found[0].differs[0].attribute.after.as_deref(), Some("9"));
        assert_eq!(found[1].outside, Outside::Deleted);
    }
}
