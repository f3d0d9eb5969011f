//! A folder as data: what somebody else read, so that this room needs no I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Files by their path from the root, with `/`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Files(BTreeMap<String, Arc<[u8]>>);

impl Files {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds or replaces one file.
    pub fn insert(&mut self, path: impl Into<String>, bytes: impl Into<Arc<[u8]>>) {
        self.0.insert(path.into(), bytes.into());
    }
    /// The bytes of one file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(AsRef::as_ref)
    }
    /// Every file under `folder` (given without a slash at its end), in order of path.
    pub fn under<'a>(&'a self, folder: &'a str) -> impl Iterator<Item = (&'a str, &'a [u8])> + 'a {
        let prefix = format!("{folder}/");
        self.0
            .range(prefix.clone()..)
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, bytes)| (path.as_str(), bytes.as_ref()))
    }
    /// Names directly inside `folder`, files and folders alike, each once.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<String> = self
            .under(folder)
            .filter_map(|(path, _)| path[folder.len() + 1..].split('/').next())
            .map(str::to_owned)
            .collect();
        names.dedup();
        names
    }
    /// How many files there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
    /// All files.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.0.iter().map(|(p, b)| (p.as_str(), b.as_ref()))
    }
}
