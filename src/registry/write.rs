//! Carrying a plan out, so that a crash leaves each customer as they were or as they will be.
//!
//! Everything is written into `.tenantry-stage` at the root of the estate first, where no reader
//! looks, and synced; then each step is one rename. A leftover of a killed process is removed by
//! the next one.

use super::RegistryError;
use super::plan::{Plan, Step};
use std::collections::BTreeSet;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Where files wait for their place.
pub const STAGE: &str = ".tenantry-stage";

/// The right to change the registry of one estate. The folder itself is locked, so nothing is
/// left behind, and the system gives the lock back when the process ends, however that happens.
#[derive(Debug)]
pub struct Held {
    root: PathBuf,
    _lock: File,
}

impl Held {
    /// Waits until no other process holds the estate; `waiting` is called if one does.
    pub fn take(root: &Path, waiting: impl FnOnce()) -> Result<Self, RegistryError> {
        let lock = || -> io::Result<File> {
            let folder = File::open(root)?;
            match folder.try_lock() {
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => {
                    waiting();
                    folder.lock()?;
                }
                Err(TryLockError::Error(e)) => return Err(e),
            }
            Ok(folder)
        };
        let _lock = lock().map_err(|e| io_error(".", e))?;
        Ok(Self {
            root: root.to_owned(),
            _lock,
        })
    }

    /// Does what the plan says. An error before the first rename means that nothing has changed.
    pub fn carry_out(&self, plan: &Plan) -> Result<(), RegistryError> {
        let moves = prepare(&self.root, plan)?;
        let all = moves.len();
        for (done, one) in moves.iter().enumerate() {
            if let Err(e) = one.run(&self.root) {
                return Err(match done {
                    0 => e,
                    _ => RegistryError::Partly {
                        done,
                        all,
                        source: Box::new(e),
                    },
                });
            }
        }
        clean(&self.root).map_err(|e| io_error(STAGE, e))
    }
}

/// One rename, and what must be so for it.
#[derive(Debug)]
enum Move {
    /// A folder out of the stage.
    Folder { staged: String, to: String },
    /// A file out of the stage, over what stood there.
    File {
        staged: String,
        to: String,
        before: Option<Vec<u8>>,
    },
    /// A folder into the stage, where it is deleted.
    Away {
        from: String,
        staged: String,
        files: Vec<String>,
    },
}

fn io_error(path: &str, source: io::Error) -> RegistryError {
    RegistryError::Io {
        path: path.to_owned(),
        source,
    }
}

fn changed(path: &str) -> RegistryError {
    RegistryError::refused(
        format!("`{path}` was changed by somebody else in this moment"),
        "run the command again",
    )
}

/// Stages everything and checks what can be checked; nothing that a reader sees has changed then.
fn prepare(root: &Path, plan: &Plan) -> Result<Vec<Move>, RegistryError> {
    clean(root).map_err(|e| io_error(STAGE, e))?;
    let customers = root.join("customers");
    fs::create_dir_all(&customers).map_err(|e| io_error("customers", e))?;
    let mut moves = Vec::new();
    for (i, step) in plan.steps.iter().enumerate() {
        let staged = format!("{STAGE}/{i}");
        let at = root.join(&staged);
        let one = match step {
            Step::Create { customer, files } => {
                for (name, bytes) in files {
                    put(&at.join(name), bytes, None).map_err(|e| io_error(&staged, e))?;
                }
                sync(&at).map_err(|e| io_error(&staged, e))?;
                Move::Folder {
                    staged,
                    to: format!("customers/{customer}"),
                }
            }
            Step::Edit {
                path,
                before,
                after,
            } => {
                let mode = match before {
                    Some(_) => {
                        let there = fs::metadata(root.join(path)).map_err(|e| io_error(path, e))?;
                        Some(there.permissions())
                    }
                    None => None,
                };
                put(&at, after, mode).map_err(|e| io_error(&staged, e))?;
                Move::File {
                    staged,
                    to: path.clone(),
                    before: before.clone(),
                }
            }
            Step::Remove { customer, files } => {
                fs::create_dir_all(root.join(STAGE)).map_err(|e| io_error(STAGE, e))?;
                Move::Away {
                    from: format!("customers/{customer}"),
                    staged,
                    files: files.clone(),
                }
            }
        };
        one.check(root)?;
        moves.push(one);
    }
    if let Ok(stage) = File::open(root.join(STAGE)) {
        stage.sync_all().map_err(|e| io_error(STAGE, e))?;
    }
    Ok(moves)
}

impl Move {
    fn check(&self, root: &Path) -> Result<(), RegistryError> {
        match self {
            Self::Folder { to, .. } => match fs::symlink_metadata(root.join(to)) {
                Err(e) if e.kind() == ErrorKind::NotFound => Ok(()),
                Err(e) => Err(io_error(to, e)),
                Ok(_) => Err(changed(to)),
            },
            Self::File { to, before, .. } => {
                let path = root.join(to);
                let now = match fs::symlink_metadata(&path) {
                    Err(e) if e.kind() == ErrorKind::NotFound => None,
                    Err(e) => return Err(io_error(to, e)),
                    Ok(there) if !there.is_file() => return Err(changed(to)),
                    Ok(_) => Some(fs::read(&path).map_err(|e| io_error(to, e))?),
                };
                match now == *before {
                    true => Ok(()),
                    false => Err(changed(to)),
                }
            }
            Self::Away { from, files, .. } => {
                let there = listed(root, from).map_err(|e| io_error(from, e))?;
                match there == files.iter().cloned().collect() {
                    true => Ok(()),
                    false => Err(changed(from)),
                }
            }
        }
    }

    /// Checks once more, as late as possible, and renames.
    fn run(&self, root: &Path) -> Result<(), RegistryError> {
        self.check(root)?;
        let (from, to) = match self {
            Self::Folder { staged, to } | Self::File { staged, to, .. } => (staged, to),
            Self::Away { from, staged, .. } => (from, staged),
        };
        let place = match self {
            Self::Away { .. } => from,
            _ => to,
        };
        let parent = root
            .join(place)
            .parent()
            .map_or_else(|| root.to_owned(), Path::to_owned);
        fs::rename(root.join(from), root.join(to))
            .and_then(|()| sync(&parent))
            .map_err(|e| io_error(place, e))
    }
}

/// Every file under `folder`, from the root of the estate.
pub fn listed(root: &Path, folder: &str) -> io::Result<BTreeSet<String>> {
    let mut out = BTreeSet::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in fs::read_dir(root.join(&folder))? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().ok_or(ErrorKind::InvalidData)?;
            let path = format!("{folder}/{name}");
            if entry.file_type()?.is_dir() {
                open.push(path);
            } else {
                out.insert(path);
            }
        }
    }
    Ok(out)
}

fn put(path: &Path, bytes: &[u8], mode: Option<fs::Permissions>) -> io::Result<()> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut file = File::create_new(path)?;
    file.write_all(bytes)?;
    if let Some(mode) = mode {
        file.set_permissions(mode)?;
    }
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn clean(root: &Path) -> io::Result<()> {
    match fs::remove_dir_all(root.join(STAGE)) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
