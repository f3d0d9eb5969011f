//! Reading an estate from a folder, and writing files so that a crash leaves the old or the new.

use super::error::CliError;
use crate::estate::Files;
use std::fs;
use std::io::Write;
use std::path::Path;

/// Largest single file of an estate that is read, in bytes. Others are not ours to look into.
pub(super) const MAX_FILE: u64 = 4 << 20;
/// The provider's settings.
pub(super) const SETTINGS: &str = crate::estate::settings::PATH;
/// The folders that tenantry knows.
pub(super) const PARTS: [&str; 4] = ["customers", "products", "policies", "shared"];

/// Reads the parts of an estate that tenantry knows. Symbolic links are refused.
pub fn read(root: &Path) -> Result<Files, CliError> {
    if !root.is_dir() {
        return Err(
            CliError::usage(format!("`{}` is not a folder", root.display()))
                .hint("name the manager repository with --estate DIR"),
        );
    }
    misnamed(root)?;
    let mut files = Files::new();
    let settings = root.join(SETTINGS);
    not_a_link(&settings, SETTINGS)?;
    if settings.is_file() {
        files.insert(SETTINGS, fs::read(&settings)?);
    }
    for part in PARTS {
        let path = root.join(part);
        not_a_link(&path, part)?;
        if path.is_dir() {
            walk(&path, part, &mut files)?;
        }
    }
    if files.is_empty() {
        return Err(CliError::usage(format!("`{}` holds no estate: no tenantry.yml, customers/ or products/", root.display()))
            .hint("name the manager repository with --estate DIR, or write one with `tenantry init manager DIR`"));
    }
    Ok(files)
}

/// Settings under another name would be passed over, and with them every gate.
fn misnamed(root: &Path) -> Result<(), CliError> {
    for entry in fs::read_dir(root)? {
        let name = entry?.file_name();
        let Some(name) = name.to_str() else { continue };
        let lower = name.to_ascii_lowercase();
        if name != SETTINGS && (lower == SETTINGS || lower == "tenantry.yaml") {
            return Err(CliError::failed(format!(
                "`{name}` is not read; the settings are called `{SETTINGS}`"
            ))
            .hint(format!("rename it to `{SETTINGS}`")));
        }
    }
    Ok(())
}

fn link(name: &str) -> CliError {
    CliError::failed(format!(
        "`{name}` is a symbolic link; an estate may hold regular files only"
    ))
}

/// The parts themselves are looked at like what is below them.
fn not_a_link(path: &Path, name: &str) -> Result<(), CliError> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => Err(link(name)),
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(e.into()),
        _ => Ok(()),
    }
}

fn walk(path: &Path, name: &str, files: &mut Files) -> Result<(), CliError> {
    let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let file_name = entry.file_name();
        let Some(file_name) = file_name.to_str() else {
            return Err(CliError::failed(format!(
                "a file name under `{name}` is not UTF-8; rename it"
            )));
        };
        let below = format!("{name}/{file_name}");
        let kind = entry.file_type()?;
        if kind.is_symlink() {
            return Err(link(&below));
        }
        if kind.is_dir() {
            if file_name != ".terraform" && file_name != ".git" {
                walk(&entry.path(), &below, files)?;
            }
        } else if entry.metadata()?.len() <= MAX_FILE {
            files.insert(below, fs::read(entry.path())?);
        } else {
            return Err(CliError::failed(format!(
                "`{below}` is larger than {MAX_FILE} bytes; keep large files out of the estate"
            )));
        }
    }
    Ok(())
}

/// Writes one file: beside its place, synced, then moved there.
pub fn write(path: &Path, bytes: &[u8]) -> Result<(), CliError> {
    let parent = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    fs::create_dir_all(parent)?;
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let beside = parent.join(format!(".{name}.{}.tmp", std::process::id()));
    let mut file = fs::File::create(&beside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    Ok(())
}
