//! A folder as data: what somebody else read, so that this room needs no I/O.

use super::finding::Findings;
use super::value::Node;
use super::yaml::{Reading, read};
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

/// A file read as YAML.
pub type Document = Result<Arc<Node>, Findings>;

/// Files by their path from the root, with `/`. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Files(Arc<BTreeMap<Arc<str>, File>>);

#[derive(Debug, Clone)]
struct File {
    bytes: Arc<[u8]>,
    /// Read as YAML when somebody first asks, and once only.
    yaml: OnceLock<Document>,
}

impl Files {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }
    /// Adds or replaces one file.
    pub fn insert(&mut self, path: impl Into<Arc<str>>, bytes: impl Into<Arc<[u8]>>) {
        let file = File {
            bytes: bytes.into(),
            yaml: OnceLock::new(),
        };
        Arc::make_mut(&mut self.0).insert(path.into(), file);
    }
    /// Takes one file away.
    pub fn remove(&mut self, path: &str) {
        Arc::make_mut(&mut self.0).remove(path);
    }
    /// The bytes of one file.
    pub fn get(&self, path: &str) -> Option<&[u8]> {
        self.0.get(path).map(|f| f.bytes.as_ref())
    }
    /// One file read as YAML, strictly; every caller gets the same reading. With it, the path as
    /// the files hold it.
    pub fn yaml(&self, path: &str) -> Option<(Arc<str>, Document)> {
        let (path, file) = self.0.get_key_value(path)?;
        let read = file
            .yaml
            .get_or_init(|| read(path, &file.bytes, Reading::Strict).map(Arc::new));
        Some((Arc::clone(path), read.clone()))
    }
    /// Every file under `folder` (given without a slash at its end), in order of path.
    pub fn under<'a>(&'a self, folder: &str) -> impl Iterator<Item = (&'a str, &'a [u8])> + 'a {
        let prefix = format!("{folder}/");
        self.0
            .range::<str, _>((
                std::ops::Bound::Included(prefix.as_str()),
                std::ops::Bound::Unbounded,
            ))
            .take_while(move |(path, _)| path.starts_with(&prefix))
            .map(|(path, file)| (path.as_ref(), file.bytes.as_ref()))
    }
    /// Names directly inside `folder`, files and folders alike, each once.
    pub fn names_in(&self, folder: &str) -> Vec<String> {
        let mut names: Vec<&str> = self
            .under(folder)
            .filter_map(|(path, _)| path[folder.len() + 1..].split('/').next())
            .collect();
        names.dedup();
        names.into_iter().map(str::to_owned).collect()
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
        self.0.iter().map(|(p, f)| (p.as_ref(), f.bytes.as_ref()))
    }
}

impl<P: Into<Arc<str>>, B: Into<Arc<[u8]>>> FromIterator<(P, B)> for Files {
    fn from_iter<I: IntoIterator<Item = (P, B)>>(files: I) -> Self {
        let files = files.into_iter().map(|(path, bytes)| {
            let file = File {
                bytes: bytes.into(),
                yaml: OnceLock::new(),
            };
            (path.into(), file)
        });
        Self(Arc::new(files.collect()))
    }
}
