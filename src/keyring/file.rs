//! The encrypted file: read whole, written whole.
//!
//! A change goes into a new file beside it, which is synced and renamed over it, so whoever reads
//! sees the old or the new content, whatever happens to the process. A lock on a file beside it
//! keeps two processes from working on the same content; the system gives it back when its
//! process ends.

use super::content::Content;
use super::error::KeyringError;
use super::key::Key;
use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

/// Largest file, in bytes.
const MOST: u64 = 64 << 20;

/// The file, held against other processes, and what was in it.
#[derive(Debug)]
pub struct Keyring {
    path: PathBuf,
    key: Key,
    content: Content,
    /// What the file holds now, to tell whether somebody who asks for no lock has changed it.
    sealed: Option<Vec<u8>>,
    _lock: File,
}

impl Keyring {
    /// Whether there is such a file, or something in its place.
    pub fn exists(path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok()
    }

    /// Waits until no other process holds the file, and reads it; a file that is not there is
    /// empty. `waiting` is called if somebody holds it.
    pub fn open(path: &Path, key: Key, waiting: impl FnOnce()) -> Result<Self, KeyringError> {
        let folder = folder(path);
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(folder)
            .map_err(|e| KeyringError::io(folder, "made", e))?;
        let beside = beside(path, "lock");
        let lock = take(&beside, waiting).map_err(|e| KeyringError::io(&beside, "locked", e))?;
        let sealed = read(path)?;
        let content = match &sealed {
            Some(bytes) => Content::parse(&key.decrypt(bytes)?)?,
            None => Content::default(),
        };
        Ok(Self {
            path: path.to_owned(),
            key,
            content,
            sealed,
            _lock: lock,
        })
    }

    /// What is in the file.
    pub fn content(&self) -> &Content {
        &self.content
    }

    /// Where the file is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Changes the content, in the file first and then here. Without a change nothing is written.
    pub fn change(&mut self, change: impl FnOnce(&mut Content)) -> Result<(), KeyringError> {
        let mut next = self.content.clone();
        change(&mut next);
        if next == self.content {
            return Ok(());
        }
        if let Some(there) = &self.sealed {
            self.key.alone_opens(there)?;
        }
        let plain = next.bytes()?;
        let sealed = self.key.encrypt(&plain)?;
        // A key whose halves do not belong together would lock everything in. With a passphrase
        // there are no halves, and the look would cost another second.
        if !self.key.is_passphrase() && self.key.decrypt(&sealed)? != plain {
            return Err(KeyringError::refused(
                "what was encrypted with this key cannot be opened with it; nothing was written",
                "the key file is damaged; use another one",
            ));
        }
        if read(&self.path)? != self.sealed {
            return Err(KeyringError::refused(
                format!(
                    "`{}` was changed by another program in this moment",
                    self.path.display()
                ),
                "run the command again",
            ));
        }
        write(&self.path, &sealed).map_err(|e| KeyringError::io(&self.path, "written", e))?;
        self.content = next;
        self.sealed = Some(sealed);
        Ok(())
    }
}

fn folder(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    folder(path).join(format!(".{name}.{end}"))
}

fn take(path: &Path, waiting: impl FnOnce()) -> std::io::Result<File> {
    let lock = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(path)?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            waiting();
            lock.lock()?;
        }
        Err(TryLockError::Error(e)) => return Err(e),
    }
    Ok(lock)
}

fn read(path: &Path) -> Result<Option<Vec<u8>>, KeyringError> {
    let there = match fs::symlink_metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(KeyringError::io(path, "read", e)),
        Ok(there) => there,
    };
    let shown = path.display();
    if !there.is_file() {
        return Err(KeyringError::refused(
            format!("`{shown}` is no regular file"),
            "name the file itself with --credentials FILE",
        ));
    }
    if there.permissions().mode() & 0o077 != 0 {
        return Err(KeyringError::refused(
            format!("`{shown}` can be read or written by other users of this machine"),
            format!("chmod 600 {shown}"),
        ));
    }
    if there.len() > MOST {
        return Err(KeyringError::refused(
            format!("`{shown}` is larger than {MOST} bytes"),
            "tenantry has not written it; name another file with --credentials FILE",
        ));
    }
    let mut bytes = Vec::new();
    File::open(path)
        .and_then(|f| f.take(MOST).read_to_end(&mut bytes))
        .map_err(|e| KeyringError::io(path, "read", e))?;
    Ok(Some(bytes))
}

/// Beside its place, synced, then moved there. A leftover of a killed process has the same name
/// and is written anew: nobody else writes while the lock is held.
fn write(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let new = beside(path, "new");
    let written = || -> std::io::Result<()> {
        match fs::remove_file(&new) {
            Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&new, path)
    };
    if let Err(e) = written() {
        // A part of a new file is worth nothing; that it cannot be removed changes nothing.
        let _ = fs::remove_file(&new);
        return Err(e);
    }
    File::open(folder(path))?.sync_all()
}

#[cfg(test)]
#[path = "file_tests.rs"]
mod tests;
