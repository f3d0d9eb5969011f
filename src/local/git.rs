//! Bare git repositories, driven through the `git` program's plumbing; never a shell.
//!
//! The environment is scrubbed, so that nobody's git configuration changes what is stored.
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A git command that failed, with what it said.
#[derive(Debug, thiserror::Error)]
#[error("git {command} failed: {stderr}")]
pub struct GitError {
    /// The subcommand.
    pub command: String,
    /// Its standard error.
    pub stderr: String,
}

/// A bare repository.
#[derive(Debug, Clone)]
pub struct Git {
    pub(super) dir: PathBuf,
    pub(super) path: String,
}

/// Who and when, for a commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Name.
    pub name: String,
    /// E-mail.
    pub email: String,
    /// Seconds since the epoch.
    pub date: i64,
}

/// A commit object.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Object id.
    pub sha: String,
    /// Tree id.
    pub tree: String,
    /// Parent ids.
    pub parents: Vec<String>,
    /// Author.
    pub author: Person,
    /// Committer.
    pub committer: Person,
    /// Message.
    pub message: String,
}

/// One entry of a tree.
#[derive(Debug, Clone)]
pub struct Entry {
    /// `100644`, `040000`, …
    pub mode: String,
    /// `blob`, `tree` or `commit`.
    pub kind: String,
    /// Object id.
    pub sha: String,
    /// Size of a blob.
    pub size: Option<u64>,
    /// Path relative to the listed tree.
    pub path: String,
}

/// Output of git, or why there is none.
pub type Out<T> = Result<T, GitError>;

impl Git {
    /// The repository at `dir`; `path` is the search path in which `git` is found.
    pub fn new(dir: &Path, path: &str) -> Self {
        Self {
            dir: dir.to_owned(),
            path: path.to_owned(),
        }
    }

    /// Where it lies.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub(super) fn command(&self, args: &[&str]) -> Command {
        let mut c = Command::new("git");
        c.env_clear()
            .env("PATH", &self.path)
            .env("HOME", &self.dir)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("LC_ALL", "C")
            .arg("--git-dir")
            .arg(&self.dir)
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        c
    }

    pub(super) fn finish(mut c: Command, what: &str, input: &[u8]) -> Out<(i32, Vec<u8>, String)> {
        let fail = |stderr: String| GitError {
            command: what.to_owned(),
            stderr,
        };
        let mut child = c
            .spawn()
            .map_err(|e| fail(format!("{e}; is git installed and on the PATH?")))?;
        let stdin = child.stdin.take();
        let input = input.to_owned();
        // Its own thread: git may fill its output pipe before it has read all of its input.
        let feeder = std::thread::spawn(move || stdin.map(|mut s| s.write_all(&input)));
        let out = child.wait_with_output().map_err(|e| fail(e.to_string()))?;
        drop(feeder.join());
        let stderr = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Ok((out.status.code().unwrap_or(-1), out.stdout, stderr))
    }

    pub(super) fn run_env(
        &self,
        args: &[&str],
        input: &[u8],
        env: &[(&str, &str)],
    ) -> Out<Vec<u8>> {
        let mut c = self.command(args);
        c.envs(env.iter().copied());
        let what = args.first().copied().unwrap_or("");
        let (code, out, stderr) = Self::finish(c, what, input)?;
        if code == 0 {
            return Ok(out);
        }
        Err(GitError {
            command: what.to_owned(),
            stderr,
        })
    }

    pub(super) fn run(&self, args: &[&str]) -> Out<Vec<u8>> {
        self.run_env(args, b"", &[])
    }

    fn line(&self, args: &[&str]) -> Out<String> {
        Ok(String::from_utf8_lossy(&self.run(args)?).trim().to_owned())
    }

    /// Creates the repository, empty.
    pub fn init(&self, branch: &str) -> Out<()> {
        self.run(&["init", "-q", "--bare", "-b", branch])?;
        self.run(&["config", "gc.auto", "0"])?;
        Ok(())
    }

    /// The commit that a branch, full ref, tag or (full or short) sha names.
    pub fn resolve(&self, rev: &str) -> Option<String> {
        let verify = |r: &str| {
            self.line(&[
                "rev-parse",
                "--verify",
                "-q",
                "--end-of-options",
                &format!("{r}^{{commit}}"),
            ])
            .ok()
            .filter(|s| !s.is_empty())
        };
        let is_sha = rev.len() == 40 && rev.bytes().all(|b| b.is_ascii_hexdigit());
        if is_sha || rev == "HEAD" {
            return verify(rev);
        }
        if rev.contains("..") || rev.contains(['^', '~', ':', '@', '\0']) {
            return None;
        }
        verify(&format!("refs/heads/{rev}"))
            .or_else(|| verify(&format!("refs/tags/{rev}")))
            .or_else(|| verify(rev))
    }

    /// What an exact ref points at.
    pub fn ref_sha(&self, full: &str) -> Option<String> {
        self.line(&["rev-parse", "--verify", "-q", "--end-of-options", full])
            .ok()
    }

    /// The kind of an object: `commit`, `tree`, `blob`, `tag`.
    pub fn kind(&self, sha: &str) -> Option<String> {
        if sha.len() < 4 || !sha.bytes().all(|b| b.is_ascii_hexdigit()) {
            return None;
        }
        self.line(&["cat-file", "-t", sha]).ok()
    }

    /// Reads a commit.
    pub fn commit(&self, sha: &str) -> Out<Commit> {
        let raw = self.run(&["cat-file", "commit", sha])?;
        let raw = String::from_utf8_lossy(&raw);
        let (head, message) = raw.split_once("\n\n").unwrap_or((&raw, ""));
        let nobody = || Person {
            name: String::new(),
            email: String::new(),
            date: 0,
        };
        let mut c = Commit {
            sha: sha.to_owned(),
            tree: String::new(),
            parents: Vec::new(),
            author: nobody(),
            committer: nobody(),
            message: message.trim_end_matches('\n').to_owned(),
        };
        for line in head.lines() {
            match line.split_once(' ') {
                Some(("tree", v)) => c.tree = v.to_owned(),
                Some(("parent", v)) => c.parents.push(v.to_owned()),
                Some(("author", v)) => c.author = person(v),
                Some(("committer", v)) => c.committer = person(v),
                _ => {}
            }
        }
        Ok(c)
    }

    /// Lists a tree.
    pub fn tree(&self, tree: &str, recursive: bool) -> Out<Vec<Entry>> {
        let mut args = vec!["ls-tree", "-z", "-l"];
        if recursive {
            args.extend(["-r", "-t"]);
        }
        args.push(tree);
        let out = self.run(&args)?;
        let out = String::from_utf8_lossy(&out);
        let entry = |line: &str| {
            let (meta, path) = line.split_once('\t')?;
            let mut m = meta.split_ascii_whitespace();
            Some(Entry {
                mode: m.next()?.to_owned(),
                kind: m.next()?.to_owned(),
                sha: m.next()?.to_owned(),
                size: m.next().and_then(|s| s.parse().ok()),
                path: path.to_owned(),
            })
        };
        Ok(out.split('\0').filter_map(entry).collect())
    }

    /// The entry at `path` under a commit or tree.
    pub fn entry(&self, tree: &str, path: &str) -> Option<Entry> {
        let path = path.trim_matches('/');
        if path.is_empty() {
            return None;
        }
        let out = self
            .run(&[
                "--literal-pathspecs",
                "ls-tree",
                "-z",
                "-l",
                "--full-tree",
                tree,
                "--",
                path,
            ])
            .ok()?;
        let out = String::from_utf8_lossy(&out);
        let line = out.split('\0').next()?;
        let (meta, found) = line.split_once('\t')?;
        let mut m = meta.split_ascii_whitespace();
        Some(Entry {
            mode: m.next()?.to_owned(),
            kind: m.next()?.to_owned(),
            sha: m.next()?.to_owned(),
            size: m.next().and_then(|s| s.parse().ok()),
            path: found.to_owned(),
        })
    }

    /// Content of a blob.
    pub fn blob(&self, sha: &str) -> Out<Vec<u8>> {
        self.run(&["cat-file", "blob", sha])
    }

    /// All refs below a prefix, by name.
    pub fn refs(&self, prefix: &str) -> Vec<(String, String)> {
        let out = self
            .run(&["for-each-ref", "--format=%(refname) %(objectname)", prefix])
            .unwrap_or_default();
        String::from_utf8_lossy(&out)
            .lines()
            .filter_map(|l| l.split_once(' '))
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .collect()
    }

    /// Commits reachable from `include` and not from `exclude`, newest first.
    pub fn log(
        &self,
        include: &str,
        exclude: Option<&str>,
        path: Option<&str>,
    ) -> Out<Vec<String>> {
        let not = exclude.map(|e| format!("^{e}"));
        let mut args = vec!["--literal-pathspecs", "rev-list", "--topo-order", include];
        args.extend(not.as_deref());
        args.push("--");
        args.extend(path);
        let out = self.run(&args)?;
        Ok(String::from_utf8_lossy(&out)
            .lines()
            .map(str::to_owned)
            .collect())
    }

    /// The best common ancestor.
    pub fn merge_base(&self, a: &str, b: &str) -> Option<String> {
        self.line(&["merge-base", a, b])
            .ok()
            .filter(|s| !s.is_empty())
    }

    /// Whether `a` is `b` or one of its ancestors.
    pub fn is_ancestor(&self, a: &str, b: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", a, b]).is_ok()
    }

    /// The tree of a merge, or `None` on conflicts.
    pub fn merge_tree(&self, ours: &str, theirs: &str) -> Option<String> {
        let out = self
            .line(&["merge-tree", "--write-tree", ours, theirs])
            .ok()?;
        out.lines().next().map(str::to_owned)
    }

    /// Raw, statistics and patch of a diff with rename detection; parsed in [`super::diff`].
    pub fn diff(&self, base: &str, head: &str) -> Out<(String, String, String)> {
        let text = |args: &[&str]| {
            Ok::<_, GitError>(String::from_utf8_lossy(&self.run(args)?).into_owned())
        };
        let common = ["diff-tree", "-r", "-M", "--no-ext-diff"];
        let with = |extra: &[&str]| {
            let mut a = common.to_vec();
            a.extend(extra);
            a.extend([base, head]);
            text(&a)
        };
        Ok((
            with(&["--raw", "-z", "--no-abbrev"])?,
            with(&["--numstat", "-z"])?,
            with(&["-p"])?,
        ))
    }
}

/// `Name <mail> 1700000000 +0000`.
fn person(line: &str) -> Person {
    let (name, rest) = line.split_once(" <").unwrap_or((line, ""));
    let (email, when) = rest.split_once("> ").unwrap_or((rest, ""));
    let date = when
        .split(' ')
        .next()
        .and_then(|s| s.parse().ok())
        .unwrap_or(0);
    Person {
        name: name.to_owned(),
        email: email.to_owned(),
        date,
    }
}
