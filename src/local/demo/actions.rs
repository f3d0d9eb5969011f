//! Our own actions as a folder, for `act`, which would otherwise fetch them from GitHub.

use std::path::Path;

macro_rules! file {
    ($path:literal) => {
        (
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)),
        )
    };
}

const FILES: [(&str, &str); 9] = [
    file!("action.yml"),
    file!("actions/apply/action.yml"),
    file!("actions/intake/action.yml"),
    file!("actions/plan/action.yml"),
    file!("actions/reconcile/action.yml"),
    file!("actions/report/action.yml"),
    file!("actions/trigger/action.yml"),
    file!("install/checksums.txt"),
    file!("install/install.sh"),
];

/// Writes them below `folder`.
pub fn write(folder: &Path) -> std::io::Result<()> {
    for (name, text) in FILES {
        let path = folder.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(folder))?;
        std::fs::write(path, text)?;
    }
    Ok(())
}
