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
    dir: PathBuf,
    path: String,
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

    fn command(&self, args: &[&str]) -> Command {
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

    fn finish(mut c: Command, what: &str, input: &[u8]) -> Out<(i32, Vec<u8>, String)> {
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
        let out = child
            .wait_with_output()
            .map_err(|e| fail(e.to_string()))?;
        drop(feeder.join());
        let stderr = String::from_utf8_lossy(&out.stderr).trim().to_owned();
        Ok((out.status.code().unwrap_or(-1), out.stdout, stderr))
    }

    fn run_env(&self, args: &[&str], input: &[u8], env: &[(&str, &str)]) -> Out<Vec<u8>> {
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

    fn run(&self, args: &[&str]) -> Out<Vec<u8>> {
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
            self.line(&["rev-parse", "--verify", "-q", "--end-of-options", &format!("{r}^{{commit}}")])
                .ok()
                .filter(|s| !s.is_empty())
        };
        let is_sha = rev.len() == 40 && rev.bytes().all(|b| b.is_ascii_hexdigit());
        if is_sha {
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
            .run(&["--literal-pathspecs", "ls-tree", "-z", "-l", "--full-tree", tree, "--", path])
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

    /// Stores a blob.
    pub fn put_blob(&self, bytes: &[u8]) -> Out<String> {
        let out = self.run_env(&["hash-object", "-w", "--stdin"], bytes, &[])?;
        Ok(String::from_utf8_lossy(&out).trim().to_owned())
    }

    /// A tree: `base` with each path set to `(mode, sha)` or removed.
    pub fn put_tree(&self, base: Option<&str>, changes: &[(String, Option<(String, String)>)]) -> Out<String> {
        let index = self.dir.join(format!("index.{}", super::ids::random_hex(8)));
        let name = index.to_string_lossy().into_owned();
        let env = [("GIT_INDEX_FILE", name.as_str())];
        let result = (|| {
            match base {
                Some(b) => self.run_env(&["read-tree", b], b"", &env)?,
                None => self.run_env(&["read-tree", "--empty"], b"", &env)?,
            };
            let zero = "0".repeat(40);
            let mut input = String::new();
            for (path, to) in changes {
                match to {
                    Some((mode, sha)) if mode == "040000" => {
                        for e in self.tree(sha, true)?.iter().filter(|e| e.kind != "tree") {
                            input.push_str(&format!("{} {}\t{path}/{}\0", e.mode, e.sha, e.path));
                        }
                    }
                    Some((mode, sha)) => input.push_str(&format!("{mode} {sha}\t{path}\0")),
                    None => input.push_str(&format!("0 {zero}\t{path}\0")),
                }
            }
            self.run_env(&["update-index", "-z", "--index-info"], input.as_bytes(), &env)?;
            let out = self.run_env(&["write-tree"], b"", &env)?;
            Ok(String::from_utf8_lossy(&out).trim().to_owned())
        })();
        drop(std::fs::remove_file(index));
        result
    }

    /// Stores a commit.
    pub fn put_commit(&self, tree: &str, parents: &[String], message: &str, author: &Person, committer: &Person) -> Out<String> {
        let mut args = vec!["commit-tree", tree];
        for p in parents {
            args.extend(["-p", p]);
        }
        let (adate, cdate) = (format!("{} +0000", author.date), format!("{} +0000", committer.date));
        let env = [
            ("GIT_AUTHOR_NAME", author.name.as_str()),
            ("GIT_AUTHOR_EMAIL", author.email.as_str()),
            ("GIT_AUTHOR_DATE", adate.as_str()),
            ("GIT_COMMITTER_NAME", committer.name.as_str()),
            ("GIT_COMMITTER_EMAIL", committer.email.as_str()),
            ("GIT_COMMITTER_DATE", cdate.as_str()),
        ];
        let out = self.run_env(&args, message.as_bytes(), &env)?;
        Ok(String::from_utf8_lossy(&out).trim().to_owned())
    }

    /// Moves a ref, or creates it.
    pub fn set_ref(&self, full: &str, sha: &str) -> Out<()> {
        self.run(&["update-ref", "--", full, sha]).map(drop)
    }

    /// Deletes a ref.
    pub fn delete_ref(&self, full: &str) -> Out<()> {
        self.run(&["update-ref", "-d", "--", full]).map(drop)
    }

    /// Points HEAD at a branch.
    pub fn set_head(&self, branch: &str) -> Out<()> {
        self.run(&["symbolic-ref", "HEAD", &format!("refs/heads/{branch}")])
            .map(drop)
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
    pub fn log(&self, include: &str, exclude: Option<&str>, path: Option<&str>) -> Out<Vec<String>> {
        let not = exclude.map(|e| format!("^{e}"));
        let mut args = vec!["--literal-pathspecs", "rev-list", "--topo-order", include];
        args.extend(not.as_deref());
        args.push("--");
        args.extend(path);
        let out = self.run(&args)?;
        Ok(String::from_utf8_lossy(&out).lines().map(str::to_owned).collect())
    }

    /// The best common ancestor.
    pub fn merge_base(&self, a: &str, b: &str) -> Option<String> {
        self.line(&["merge-base", a, b]).ok().filter(|s| !s.is_empty())
    }

    /// Whether `a` is `b` or one of its ancestors.
    pub fn is_ancestor(&self, a: &str, b: &str) -> bool {
        self.run(&["merge-base", "--is-ancestor", a, b]).is_ok()
    }

    /// The tree of a merge, or `None` on conflicts.
    pub fn merge_tree(&self, ours: &str, theirs: &str) -> Option<String> {
        let out = self.line(&["merge-tree", "--write-tree", ours, theirs]).ok()?;
        out.lines().next().map(str::to_owned)
    }

    /// Raw, statistics and patch of a diff with rename detection; parsed in [`super::diff`].
    pub fn diff(&self, base: &str, head: &str) -> Out<(String, String, String)> {
        let text = |args: &[&str]| Ok::<_, GitError>(String::from_utf8_lossy(&self.run(args)?).into_owned());
        let common = ["diff-tree", "-r", "-M", "--no-ext-diff"];
        let with = |extra: &[&str]| {
            let mut a = common.to_vec();
            a.extend(extra);
            a.extend([base, head]);
            text(&a)
        };
        Ok((with(&["--raw", "-z", "--no-abbrev"])?, with(&["--numstat", "-z"])?, with(&["-p"])?))
    }

    /// Writes the tree of a commit into a new folder with a plain `.git`, like `actions/checkout`.
    pub fn materialise(&self, sha: &str, into: &Path, branch: &str) -> Out<()> {
        let fail = |e: std::io::Error| GitError {
            command: "checkout".to_owned(),
            stderr: e.to_string(),
        };
        std::fs::create_dir_all(into).map_err(fail)?;
        let work = Git::new(&into.join(".git"), &self.path);
        let mut c = work.command(&["init", "-q", "-b", branch]);
        c.current_dir(into);
        c.env("GIT_WORK_TREE", into);
        Self::finish(c, "init", b"")?;
        let alternates = self.dir.join("objects");
        let alternates = std::fs::canonicalize(&alternates).unwrap_or(alternates);
        let info = into.join(".git/objects/info");
        std::fs::create_dir_all(&info).map_err(fail)?;
        std::fs::write(info.join("alternates"), format!("{}\n", alternates.display())).map_err(fail)?;
        work.set_ref(&format!("refs/heads/{branch}"), sha)?;
        let mut c = work.command(&["reset", "-q", "--hard", sha]);
        c.current_dir(into).env("GIT_WORK_TREE", into);
        let (code, _, stderr) = Self::finish(c, "reset", b"")?;
        if code == 0 {
            return Ok(());
        }
        Err(GitError {
            command: "reset".to_owned(),
            stderr,
        })
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
