//! Reading an estate as it was at a git revision, out of git's own objects: no checkout, no shell,
//! nothing of the caller's git environment but where programs and the home folder are.

use super::env::Env;
use super::error::CliError;
use super::folder::{MAX_FILE, PARTS, SETTINGS};
use crate::estate::Files;
use crate::estate::ids::shown;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;

/// The parts of an estate that tenantry knows, as they were at `revision` of the repository that
/// holds `dir`. Paths are relative to `dir`. What [`super::folder::read`] refuses is refused.
pub fn read(dir: &Path, revision: &str) -> Result<Files, CliError> {
    let at = Revision::find(dir, revision)?;
    let wanted: Vec<&str> = [SETTINGS].into_iter().chain(PARTS).collect();
    let entries = at.list(&wanted)?;
    let mut files = Files::new();
    for (path, bytes) in at.blobs(&entries)? {
        files.insert(path, bytes);
    }
    if files.is_empty() {
        return Err(CliError::usage(format!(
            "`{}` holds no estate at `{}`: no tenantry.yml, customers/ or products/",
            dir.display(),
            shown(revision)
        ))
        .hint("name a revision in which the manager repository is there"));
    }
    Ok(files)
}

/// One file, given by its path from `dir`; `None` where it was not there.
pub fn file(dir: &Path, revision: &str, path: &str) -> Result<Option<Vec<u8>>, CliError> {
    let plain = !path.is_empty() && path.split('/').all(|p| !matches!(p, "" | "." | ".."));
    if !plain || path.contains('\0') {
        return Err(CliError::usage(format!(
            "`{}` is not a path inside the folder; write it like `products/web/product.yaml`",
            shown(path)
        )));
    }
    let at = Revision::find(dir, revision)?;
    let mut entries = at.list(&[path])?;
    entries.retain(|e| e.path == path);
    Ok(at
        .blobs(&entries)?
        .into_iter()
        .next()
        .map(|(_, bytes)| bytes.to_vec()))
}

/// A regular file of a commit.
struct Entry {
    path: String,
    object: String,
}

/// A path and what stands there.
type Content = (String, Arc<[u8]>);

/// A commit, and where in its tree the folder lies.
struct Revision<'a> {
    dir: &'a Path,
    named: &'a str,
    commit: String,
    /// Empty, or with a slash at its end.
    prefix: String,
}

/// `git` in `dir`, with an environment of our own.
/// What stands in `folder` (relative to `dir`) and not in the last commit, in words; `None` when
/// git has all of it.
pub fn uncommitted(dir: &Path, folder: &str) -> Result<Option<String>, CliError> {
    let (inside, ..) = run(dir, &["rev-parse", "--verify", "--quiet", "HEAD^{commit}"])?;
    if !inside {
        return Ok(Some(
            "this is no git repository, or it has no commit".to_owned(),
        ));
    }
    let args = [
        "--no-optional-locks",
        "status",
        "--porcelain=v1",
        "--ignored",
        "--untracked-files=all",
        "-z",
        "--",
        folder,
    ];
    let (ok, out, said) = run(dir, &args)?;
    if !ok {
        return Err(CliError::failed(format!(
            "git cannot say what is committed: {}",
            first(&said)
        )));
    }
    let text = String::from_utf8_lossy(&out);
    // A file that was deleted is in the last commit.
    let mut names = text
        .split('\0')
        .filter_map(|line| Some((line.get(..2)?, line.get(3..)?)))
        .filter(|(state, _)| !matches!(*state, " D" | "D "))
        .map(|(_, name)| format!("`{}`", shown(name)));
    let Some(one) = names.next() else {
        return Ok(None);
    };
    Ok(Some(match names.count() {
        0 => one,
        more => format!("{one} and {more} more"),
    }))
}

fn git(dir: &Path, args: &[&str]) -> Command {
    let env = Env::read();
    let mut git = Command::new("git");
    git.arg("-C").arg(dir).args(args).env_clear();
    for name in ["PATH", "HOME", "XDG_CONFIG_HOME"] {
        if let Some(value) = env.get(name) {
            git.env(name, value);
        }
    }
    git.env("LC_ALL", "C")
        .env("GIT_TERMINAL_PROMPT", "0")
        // What a commit holds, not what somebody put in its place on this machine.
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        // Reading must not begin to download.
        .env("GIT_NO_LAZY_FETCH", "1")
        .env("GIT_LITERAL_PATHSPECS", "1")
        .stdin(Stdio::null());
    git
}

/// Runs git to its end: whether it succeeded, what it printed, what it said.
fn run(dir: &Path, args: &[&str]) -> Result<(bool, Vec<u8>, String), CliError> {
    let out = git(dir, args).output().map_err(|e| missing(&e))?;
    let said = String::from_utf8_lossy(&out.stderr).trim().to_owned();
    Ok((out.status.success(), out.stdout, said))
}

fn missing(error: &std::io::Error) -> CliError {
    if error.kind() == std::io::ErrorKind::NotFound {
        CliError::usage("a revision cannot be read: `git` is not on the PATH").hint("install git")
    } else {
        CliError::usage(format!(
            "a revision cannot be read: `git` does not start: {error}"
        ))
    }
}

/// The first line of what git said, without its own heading.
fn first(said: &str) -> String {
    let line = said.lines().next().unwrap_or("git gave no reason");
    shown(line.strip_prefix("fatal: ").unwrap_or(line))
}

impl<'a> Revision<'a> {
    fn find(dir: &'a Path, named: &'a str) -> Result<Self, CliError> {
        if !dir.is_dir() {
            return Err(
                CliError::usage(format!("`{}` is not a folder", dir.display()))
                    .hint("name the manager repository with --estate DIR"),
            );
        }
        if named.is_empty() || named.starts_with('-') || named.contains(['\0', '\n']) {
            return Err(CliError::usage(format!(
                "`{}` is not a revision of git; write a branch, a tag or a commit, such as `HEAD~1` or `origin/main`",
                shown(named)
            )));
        }
        let (there, prefix, said) = run(dir, &["rev-parse", "--show-prefix"])?;
        if !there {
            return Err(CliError::usage(format!(
                "`{}` is in no git repository that can be read: {}",
                dir.display(),
                first(&said)
            ))
            .hint("name a folder of a clone with --estate DIR"));
        }
        let prefix = String::from_utf8(prefix).map_err(|_| {
            CliError::usage(format!(
                "the path of `{}` in its repository is not UTF-8; rename the folder",
                dir.display()
            ))
        })?;
        let prefix = prefix.strip_suffix('\n').unwrap_or(&prefix).to_owned();
        let wanted = format!("{named}^{{commit}}");
        let verify = ["rev-parse", "--verify", "--end-of-options", wanted.as_str()];
        let (there, commit, _) = run(dir, &verify)?;
        let commit = String::from_utf8_lossy(&commit).trim().to_owned();
        if !there || !commit.bytes().all(|b| b.is_ascii_hexdigit()) || commit.len() < 40 {
            return Err(CliError::usage(format!(
                "there is no commit `{}` in the repository of `{}`",
                shown(named),
                dir.display()
            ))
            .hint(
                "`git fetch` what is not here yet; a checkout of a workflow needs `fetch-depth: 0`",
            ));
        }
        Ok(Self {
            dir,
            named,
            commit,
            prefix,
        })
    }

    fn refused(&self, path: &str, why: &str) -> CliError {
        CliError::failed(format!(
            "`{}` at `{}` {why}",
            shown(path),
            shown(self.named)
        ))
    }

    /// The regular files at or under `wanted`, judged as [`super::folder`] judges a folder.
    fn list(&self, wanted: &[&str]) -> Result<Vec<Entry>, CliError> {
        let wanted: Vec<String> = wanted
            .iter()
            .map(|w| format!("{}{w}", self.prefix))
            .collect();
        let mut args = vec!["ls-tree", "-r", "-l", "-z", "--full-tree", &self.commit];
        args.push("--");
        args.extend(wanted.iter().map(String::as_str));
        let (listed, out, said) = run(self.dir, &args)?;
        if !listed {
            return Err(self.unreadable(&said));
        }
        let mut entries = Vec::new();
        for line in out.split(|b| *b == 0).filter(|l| !l.is_empty()) {
            let Ok(line) = std::str::from_utf8(line) else {
                return Err(CliError::failed(format!(
                    "a file name at `{}` is not UTF-8; rename it",
                    shown(self.named)
                )));
            };
            let Some((facts, path)) = line.split_once('\t') else {
                return Err(self.unreadable("an entry of the tree has no name"));
            };
            let path = path.strip_prefix(self.prefix.as_str()).unwrap_or(path);
            let facts: Vec<&str> = facts.split_whitespace().collect();
            let [mode, _, object, size] = facts.as_slice() else {
                return Err(self.unreadable("an entry of the tree cannot be understood"));
            };
            // Folders of tools are not looked into, whatever they hold.
            let tools = |p: &str| matches!(p, ".terraform" | ".git");
            if path
                .rsplit_once('/')
                .is_some_and(|(f, _)| f.split('/').any(tools))
            {
                continue;
            }
            match *mode {
                "100644" | "100755" => {}
                "120000" => {
                    return Err(self.refused(
                        path,
                        "is a symbolic link; an estate may hold regular files only",
                    ));
                }
                _ => {
                    return Err(self.refused(
                        path,
                        "is a submodule, which git keeps elsewhere; an estate may hold regular files only",
                    ));
                }
            }
            if size.parse::<u64>().is_ok_and(|s| s > MAX_FILE) {
                return Err(self.refused(
                    path,
                    &format!("is larger than {MAX_FILE} bytes; keep large files out of the estate"),
                ));
            }
            entries.push(Entry {
                path: path.to_owned(),
                object: (*object).to_owned(),
            });
        }
        Ok(entries)
    }

    fn unreadable(&self, said: &str) -> CliError {
        CliError::failed(format!(
            "`{}` cannot be read from git: {}",
            shown(self.named),
            first(said)
        ))
        .hint("the clone may be partial or damaged; `git fsck` says more")
    }

    /// The content of each file. One git for all of them, and each object once.
    fn blobs(&self, entries: &[Entry]) -> Result<Vec<Content>, CliError> {
        if entries.is_empty() {
            return Ok(Vec::new());
        }
        let mut objects: BTreeMap<&str, Arc<[u8]>> = entries
            .iter()
            .map(|e| (e.object.as_str(), Arc::from([].as_slice())))
            .collect();
        let wanted: String = objects.keys().map(|o| format!("{o}\n")).collect();
        let mut child = git(self.dir, &["cat-file", "--batch", "--buffer"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|e| missing(&e))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let read = std::thread::scope(|scope| {
            // Written beside the reading: neither pipe may fill up while nobody looks at it.
            scope.spawn(move || stdin.map(|mut s| s.write_all(wanted.as_bytes())));
            let mut out = stdout.map(BufReader::new);
            let read = objects.iter_mut().try_for_each(|(object, bytes)| {
                *bytes = blob(out.as_mut(), object)?;
                Ok::<(), std::io::Error>(())
            });
            // Closed first: a writer that waits ends when git does, and git when nobody reads.
            drop(out);
            read
        });
        if read.is_err() {
            let _ = child.kill();
        }
        child.wait()?;
        read.map_err(|e| self.unreadable(&e.to_string()))?;
        Ok(entries
            .iter()
            .filter_map(|e| Some((e.path.clone(), objects.get(e.object.as_str())?.clone())))
            .collect())
    }
}

/// The next answer of `cat-file --batch`: `<object> blob <size>`, the bytes, a line feed.
fn blob(out: Option<&mut impl BufRead>, object: &str) -> std::io::Result<Arc<[u8]>> {
    let out = out.ok_or_else(|| std::io::Error::other("git gives no output"))?;
    let mut head = String::new();
    out.by_ref().take(200).read_line(&mut head)?;
    let size = head
        .trim_end()
        .strip_prefix(object)
        .and_then(|h| h.strip_prefix(" blob "))
        .and_then(|s| s.parse::<u64>().ok())
        .filter(|s| *s <= MAX_FILE)
        .ok_or_else(|| std::io::Error::other(format!("object `{object}` is missing")))?;
    let mut bytes = Vec::new();
    out.by_ref().take(size + 1).read_to_end(&mut bytes)?;
    if bytes.pop() != Some(b'\n') || bytes.len() as u64 != size {
        return Err(std::io::Error::other("git ended early"));
    }
    Ok(bytes.into())
}
