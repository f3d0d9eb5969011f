//! `tenantry init product`: a product drafted from a Terraform module.

use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::engine::module::Module;
use crate::estate::ids::shown;
use crate::estate::{EnvironmentId, Files, ProductId};
use crate::registry::draft::{DraftPlan, draft};
use serde_json::json;
use std::fs;
use std::path::{Path, PathBuf};

/// Largest file of a module that is read, in bytes.
const MAX_FILE: u64 = 1 << 20;
/// Most files of a module.
const MAX_FILES: usize = 2_000;

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    /// Name of the product.
    name: ProductId,
    /// Folder of the Terraform module.
    #[arg(long, value_name = "DIR")]
    from_terraform: PathBuf,
    /// Folder of the manager repository.
    #[arg(long, value_name = "DIR", default_value = ".")]
    estate: PathBuf,
    /// Environments in the order in which changes are promoted.
    #[arg(long, value_delimiter = ',', default_values = ["dev", "staging", "production"])]
    environments: Vec<EnvironmentId>,
    /// Only list the files.
    #[arg(long)]
    dry_run: bool,
}

impl Args {
    /// The environments, for the check that all kinds of `init` share.
    pub(super) fn environments(&self) -> &[EnvironmentId] {
        &self.environments
    }
}

/// Runs it. Everything is computed before anything is written.
pub fn run(args: &Args, printer: &Printer) -> Result<Exit, CliError> {
    if !args.estate.is_dir() {
        return Err(
            CliError::usage(format!("`{}` is not a folder", args.estate.display()))
                .hint("name the manager repository with --estate DIR"),
        );
    }
    if !args.from_terraform.is_dir() {
        return Err(CliError::usage(format!("`{}` is not a folder", args.from_terraform.display()))
            .hint("name the folder of the module, which holds its `*.tf` files, with --from-terraform DIR"));
    }
    let named = args.from_terraform.display().to_string();
    let named = named.trim_end_matches('/');
    let mut source = Source {
        files: Files::new(),
        left: Vec::new(),
    };
    source.walk(&args.from_terraform, named, "")?;
    if !source
        .files
        .iter()
        .any(|(p, _)| p.ends_with(".tf") || p.ends_with(".tf.json"))
    {
        return Err(CliError::usage(format!("`{named}` holds no `*.tf` file"))
            .hint("name the folder of the module itself, not one around it"));
    }
    let module = Module::read(&source.files, named)?;
    let target = args
        .estate
        .join(format!("products/{}/terraform", args.name));
    let same = target
        .canonicalize()
        .is_ok_and(|t| args.from_terraform.canonicalize().is_ok_and(|f| f == t));
    let drafted = draft(&DraftPlan {
        product: args.name.clone(),
        environments: args.environments.clone(),
        module: &module,
        folder: named,
        copy: !same,
        left: source.left,
    })?;
    let there: Vec<&str> = drafted
        .files
        .iter()
        .map(|(path, _)| path.as_str())
        .filter(|path| args.estate.join(path).symlink_metadata().is_ok())
        .collect();
    if !there.is_empty() {
        return Err(CliError::failed(format!(
            "these files are there already; nothing was written:\n  {}",
            there.join("\n  ")
        ))
        .hint("name another product, or move them away"));
    }
    if !args.dry_run {
        for (path, bytes) in &drafted.files {
            folder::write(&args.estate.join(path), bytes)?;
        }
    }
    let paths: Vec<&str> = drafted.files.iter().map(|(p, _)| p.as_str()).collect();
    let notes: Vec<_> = drafted
        .notes
        .iter()
        .map(|n| json!({"about": n.about, "text": n.text, "source": n.source}))
        .collect();
    let list: String = paths
        .iter()
        .map(|p| format!("{}\n", args.estate.join(p).display()))
        .collect();
    printer.result(
        &json!({"version": 1, "dir": args.estate, "files": paths, "notes": notes, "written": !args.dry_run}),
        &list,
    );
    if !drafted.notes.is_empty() {
        printer.progress("\nTo look at, also in the product's README.md:");
    }
    for note in &drafted.notes {
        let source = note
            .source
            .as_deref()
            .map_or_else(String::new, |s| format!(": `{}`", shown(s)));
        printer.progress(&format!("  {}: {}{source}", shown(&note.about), note.text));
    }
    printer.progress(&format!(
        "\nNext: `tenantry schema check {} --estate {}`",
        args.name,
        args.estate.display()
    ));
    Ok(Exit::Done)
}

/// What belongs to the module, and what stays behind.
struct Source {
    files: Files,
    left: Vec<(String, &'static str)>,
}

impl Source {
    fn walk(&mut self, path: &Path, named: &str, below: &str) -> Result<(), CliError> {
        let mut entries: Vec<_> = fs::read_dir(path)?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries {
            let name = entry.file_name();
            let Some(name) = name.to_str() else {
                return Err(CliError::failed(format!(
                    "a file name under `{named}` is not UTF-8; rename it"
                )));
            };
            let relative = format!("{below}{name}");
            let kind = entry.file_type()?;
            if kind.is_symlink() {
                self.left
                    .push((relative, "it is a symbolic link; put the file itself there"));
            } else if kind.is_dir() {
                if name.starts_with('.') {
                    self.left
                        .push((format!("{relative}/"), "it is a hidden folder"));
                } else {
                    self.walk(&entry.path(), named, &format!("{relative}/"))?;
                }
            } else if let Some(why) = stays(name) {
                self.left.push((relative, why));
            } else if !kind.is_file() || entry.metadata()?.len() > MAX_FILE {
                self.left
                    .push((relative, "it is larger than 1 MiB, or no regular file"));
            } else {
                let bytes = fs::read(entry.path())?;
                if holds_key(&bytes) {
                    self.left.push((
                        relative,
                        "it holds a private key; secrets do not belong into a repository",
                    ));
                    continue;
                }
                self.files.insert(format!("{named}/{relative}"), bytes);
                if self.files.len() > MAX_FILES {
                    return Err(CliError::failed(format!(
                        "`{named}` holds more than {MAX_FILES} files"
                    ))
                    .hint("name the folder of the module itself, not one around it"));
                }
            }
        }
        Ok(())
    }
}

/// Why a file stays behind. What is not known to belong to a module is not taken.
fn stays(name: &str) -> Option<&'static str> {
    const TAKEN: [&str; 22] = [
        ".tf", ".tf.json", ".tofu", ".tftpl", ".tpl", ".tmpl", ".json", ".yaml", ".yml", ".md",
        ".txt", ".sh", ".ps1", ".py", ".xml", ".conf", ".cfg", ".ini", ".sql", ".j2", ".html",
        ".toml",
    ];
    if name == crate::engine::module::LOCK || name == "LICENSE" {
        return None;
    }
    if name.contains(".tfstate") || name.ends_with(".tfplan") {
        return Some("state and plans hold secrets");
    }
    if name.ends_with(".tfvars") || name.ends_with(".tfvars.json") {
        return Some("values belong into the layers, and it may hold secrets");
    }
    if name.starts_with('.') {
        return Some("it is a hidden file");
    }
    if TAKEN.iter().any(|t| name.ends_with(t)) {
        None
    } else {
        Some(
            "it is no kind of file that a module is known to use; copy it yourself if it is needed",
        )
    }
}

fn holds_key(bytes: &[u8]) -> bool {
    let mark = b"PRIVATE KEY-----";
    bytes.windows(mark.len()).any(|w| w == mark)
}
