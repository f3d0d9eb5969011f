//! A store in a local folder, for a laptop and for tests. Conditional writes hold between
//! processes on one machine: `create` is a hard link, `replace` happens under a file lock.

use super::{Put, StoreError, Version};
use crate::digest::Digest;
use object_store::UpdateVersion;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root }
    }

    pub(super) fn get(&self, key: &str) -> Result<Option<(Vec<u8>, Version)>, StoreError> {
        match fs::read(self.root.join(key)) {
            Ok(bytes) => {
                let version = version(&bytes);
                Ok(Some((bytes, version)))
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(key, e)),
        }
    }

    pub(super) fn get_small(&self, key: &str, limit: u64) -> Result<Option<Vec<u8>>, StoreError> {
        match fs::metadata(self.root.join(key)) {
            Ok(there) if there.len() > limit => Err(StoreError::TooLarge {
                key: key.to_owned(),
                limit,
            }),
            Ok(_) => Ok(self.get(key)?.map(|(bytes, _)| bytes)),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
            Err(e) => Err(failed(key, e)),
        }
    }

    pub(super) fn create(&self, key: &str, bytes: &[u8]) -> Result<Put, StoreError> {
        let path = self.root.join(key);
        let written = self
            .write_beside(&path, bytes)
            .map_err(|e| failed(key, e))?;
        let linked = fs::hard_link(&written, &path);
        fs::remove_file(&written).map_err(|e| failed(key, e))?;
        match linked {
            Ok(()) => sync_parent(&path)
                .map(|()| Put::Done)
                .map_err(|e| failed(key, e)),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Ok(Put::Conflict),
            Err(e) => Err(failed(key, e)),
        }
    }

    pub(super) fn replace(
        &self,
        key: &str,
        bytes: &[u8],
        expected: &Version,
    ) -> Result<Put, StoreError> {
        let path = self.root.join(key);
        let write = || -> std::io::Result<Put> {
            // The lock is released when the file is closed, also when the process is killed.
            let lock = File::create(self.root.join(".lock"))?;
            lock.lock()?;
            if version(&fs::read(&path)?) != *expected {
                return Ok(Put::Conflict);
            }
            let written = self.write_beside(&path, bytes)?;
            fs::rename(&written, &path)?;
            sync_parent(&path)?;
            Ok(Put::Done)
        };
        match write() {
            Ok(put) => Ok(put),
            Err(e) if e.kind() == ErrorKind::NotFound => Ok(Put::Conflict),
            Err(e) => Err(failed(key, e)),
        }
    }

    pub(super) fn list(&self, folder: &str) -> Result<Vec<String>, StoreError> {
        let mut keys = Vec::new();
        let mut open = vec![(self.root.join(folder), folder.to_owned())];
        while let Some((path, key)) = open.pop() {
            let entries = match fs::read_dir(&path) {
                Ok(entries) => entries,
                Err(e) if matches!(e.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    continue;
                }
                Err(e) => return Err(failed(&key, e)),
            };
            for entry in entries {
                let entry = entry.map_err(|e| failed(&key, e))?;
                let name = entry.file_name().to_string_lossy().into_owned();
                if name.starts_with('.') {
                    continue;
                }
                let below = format!("{key}/{name}");
                if entry.file_type().map_err(|e| failed(&key, e))?.is_dir() {
                    open.push((entry.path(), below));
                } else {
                    keys.push(below);
                }
            }
        }
        keys.sort();
        Ok(keys)
    }

    fn write_beside(&self, path: &Path, bytes: &[u8]) -> std::io::Result<PathBuf> {
        let parent = path.parent().unwrap_or(&self.root);
        fs::create_dir_all(parent)?;
        // Nobody else has this name: no other process, and no other store of this one.
        let beside = parent.join(format!(".{}.tmp", super::seal::random_hex()));
        let mut file = File::create(&beside)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(beside)
    }
}

fn sync_parent(path: &Path) -> std::io::Result<()> {
    match path.parent() {
        Some(parent) => File::open(parent)?.sync_all(),
        None => Ok(()),
    }
}

fn version(bytes: &[u8]) -> Version {
    Version(UpdateVersion {
        e_tag: Some(Digest::of(bytes).as_str().to_owned()),
        version: None,
    })
}

fn failed(key: &str, source: std::io::Error) -> StoreError {
    StoreError::Folder {
        key: key.to_owned(),
        source,
    }
}
