//! A plan as people read it. Values that are sensitive never enter this model.

use serde::{Deserialize, Serialize};

/// What happens to one resource or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// Destroyed. First, because it is what a reader must not overlook.
    Delete,
    /// Destroyed and made again.
    Replace,
    /// Changed in place.
    Update,
    /// Made.
    Create,
    /// Only read.
    Read,
    /// Forgotten, but left standing.
    Forget,
    /// Taken into the state as it stands.
    Import,
    /// Called otherwise in the state from now on.
    Move,
}

impl Action {
    /// The sign in front of a line.
    pub fn sign(self) -> &'static str {
        match self {
            Action::Delete => "-",
            Action::Replace => "-/+",
            Action::Update => "~",
            Action::Create => "+",
            Action::Read => "<=",
            Action::Forget => ".",
            Action::Import => "<-",
            Action::Move => "->",
        }
    }
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Action::Delete => "destroy",
            Action::Replace => "replace",
            Action::Update => "change",
            Action::Create => "create",
            Action::Read => "read",
            Action::Forget => "forget",
            Action::Import => "import",
            Action::Move => "move",
        }
    }
}

/// One changed attribute; `None` where there is no value on that side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attribute {
    /// Dotted path.
    pub path: String,
    /// JSON text, or words such as `(sensitive value)` and `(known after apply)`.
    pub before: Option<String>,
    /// The same for the new value.
    pub after: Option<String>,
}

/// One changed resource or file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// Resource address or file path.
    pub address: String,
    /// What happens.
    pub action: Action,
    /// What differs.
    pub attributes: Vec<Attribute>,
}

/// All changes of one stack, destroys first.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Changes {
    /// The changes.
    pub changes: Vec<Change>,
    /// Whether outputs change although no resource does.
    pub outputs_change: bool,
    /// Outputs that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<Attribute>,
}

impl Changes {
    /// How many there are of one action.
    pub fn count(&self, action: Action) -> usize {
        self.changes.iter().filter(|c| c.action == action).count()
    }
    /// Whether there is nothing to apply.
    pub fn is_empty(&self) -> bool {
        !self.outputs_change && self.changes.iter().all(|c| c.action == Action::Read)
    }
    /// `1 to create, 2 to destroy`, or `no changes`.
    pub fn summary(&self) -> String {
        let words: Vec<String> = [
            Action::Delete,
            Action::Replace,
            Action::Update,
            Action::Create,
            Action::Forget,
            Action::Import,
            Action::Move,
        ]
        .into_iter()
        .filter_map(|a| match self.count(a) {
            0 => None,
            n => Some(format!("{n} to {}", a.word())),
        })
        .collect();
        match (words.is_empty(), self.outputs_change) {
            (false, _) => words.join(", "),
            (true, true) => "outputs change".to_owned(),
            (true, false) => "no changes".to_owned(),
        }
    }
}
