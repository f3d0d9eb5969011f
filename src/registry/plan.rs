//! A change of the registry as a value: what is shown is what is carried out.

use super::RegistryError;
use crate::estate::lint::lint;
use crate::estate::{CustomerId, Estate, Files, Finding, Findings, Level};
use crate::report::escape::terminal;
use serde_json::{Value, json};
use std::collections::HashSet;

/// One step that is done as a whole or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// A folder `customers/<id>/` that is not there yet.
    Create {
        /// Whose.
        customer: CustomerId,
        /// Name in the folder, and content.
        files: Vec<(String, Vec<u8>)>,
    },
    /// Another content for a file.
    Edit {
        /// From the root of the estate.
        path: String,
        /// What stands there now, if anything; something else stops the step.
        before: Option<Vec<u8>>,
        /// What will.
        after: Vec<u8>,
    },
    /// The folder `customers/<id>/` with all that is in it.
    Remove {
        /// Whose.
        customer: CustomerId,
        /// Every file in it, from the root of the estate.
        files: Vec<String>,
    },
}

/// Steps in order. They do not depend on each other.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// What is done.
    pub steps: Vec<Step>,
}

impl Plan {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.steps.is_empty()
    }

    /// The files of the estate as they would be.
    pub fn outcome(&self, files: &Files) -> Files {
        let mut out = files.clone();
        for step in &self.steps {
            match step {
                Step::Create { customer, files } => {
                    for (name, bytes) in files {
                        out.insert(format!("customers/{customer}/{name}"), bytes.as_slice());
                    }
                }
                Step::Edit { path, after, .. } => out.insert(path.as_str(), after.as_slice()),
                Step::Remove { files, .. } => files.iter().for_each(|path| out.remove(path)),
            }
        }
        out
    }

    /// Reads the estate as it would be. What would be wrong with it and is not wrong now refuses
    /// the plan.
    pub fn judged(self, estate: &Estate) -> Result<Self, RegistryError> {
        if self.is_empty() {
            return Ok(self);
        }
        let then = Estate::read(self.outcome(&estate.files))?;
        let errors = |estate: &Estate| lint(estate).into_iter().filter(|f| f.level == Level::Error);
        // Lines may have moved, so a finding is what it says and about which file.
        let key = |f: &Finding| (f.place.path.clone(), f.rule.clone(), f.message.clone());
        let before: HashSet<_> = errors(estate).map(|f| key(&f)).collect();
        let new: Vec<Finding> = errors(&then)
            .filter(|f| !before.contains(&key(f)))
            .collect();
        match new.is_empty() {
            true => Ok(self),
            false => Err(Findings(new).tidy().into()),
        }
    }

    /// For people: a line for each file, and of an edited one the lines that differ.
    pub fn text(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            match step {
                Step::Create { customer, files } => {
                    for (name, bytes) in files {
                        out.push_str(&format!("create customers/{customer}/{name}\n"));
                        out.push_str(&differing(&[], bytes));
                    }
                }
                Step::Edit {
                    path,
                    before,
                    after,
                } => {
                    let word = if before.is_some() { "change" } else { "create" };
                    out.push_str(&format!("{word} {path}\n"));
                    out.push_str(&differing(before.as_deref().unwrap_or_default(), after));
                }
                Step::Remove { files, .. } => {
                    for path in files {
                        out.push_str(&format!("remove {path}\n"));
                    }
                }
            }
        }
        out
    }

    /// For programs: every file and what becomes of it.
    pub fn json(&self) -> Value {
        let one = |action: &str, path: &str| json!({"action": action, "path": path});
        let files = self.steps.iter().flat_map(|step| match step {
            Step::Create { customer, files } => files
                .iter()
                .map(|(name, _)| one("create", &format!("customers/{customer}/{name}")))
                .collect::<Vec<_>>(),
            Step::Edit { path, before, .. } => {
                vec![one(
                    if before.is_some() { "change" } else { "create" },
                    path,
                )]
            }
            Step::Remove { files, .. } => files.iter().map(|p| one("remove", p)).collect(),
        });
        files.collect()
    }
}

/// Largest product of the numbers of lines for which it is worked out which of them stayed.
const WORK: usize = 1 << 22;

/// The lines that differ.
fn differing(before: &[u8], after: &[u8]) -> String {
    let (before, after) = (
        String::from_utf8_lossy(before),
        String::from_utf8_lossy(after),
    );
    let (old, new): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let (old, new) = (&old[head..], &new[head..]);
    let mut out = String::new();
    let mut say = |sign: char, line: &str| out.push_str(&format!("  {sign} {}\n", terminal(line)));
    if old.len().saturating_mul(new.len()) > WORK {
        old.iter().for_each(|line| say('-', line));
        new.iter().for_each(|line| say('+', line));
        return out;
    }
    // Length of the longest common rest, from each pair of lines on.
    let width = new.len() + 1;
    let mut common = vec![0_u32; (old.len() + 1) * width];
    for i in (0..old.len()).rev() {
        for j in (0..new.len()).rev() {
            common[i * width + j] = match old[i] == new[j] {
                true => common[(i + 1) * width + j + 1] + 1,
                false => common[(i + 1) * width + j].max(common[i * width + j + 1]),
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    while i < old.len() || j < new.len() {
        if i < old.len() && j < new.len() && old[i] == new[j] {
            (i, j) = (i + 1, j + 1);
        } else if j == new.len()
            || i < old.len() && common[(i + 1) * width + j] >= common[i * width + j + 1]
        {
            say('-', old[i]);
            i += 1;
        } else {
            say('+', new[j]);
            j += 1;
        }
    }
    out
}
