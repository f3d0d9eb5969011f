//! The writing half of [`super::git`]: objects, refs, checkouts.
use super::git::{Git, GitError, Out, Person};
use std::path::Path;

impl Git {
    /// Stores a blob.
    pub fn put_blob(&self, bytes: &[u8]) -> Out<String> {
        let out = self.run_env(&["hash-object", "-w", "--stdin"], bytes, &[])?;
        Ok(String::from_utf8_lossy(&out).trim().to_owned())
    }

    /// A tree: `base` with each path set to `(mode, sha)` or removed.
    pub fn put_tree(
        &self,
        base: Option<&str>,
        changes: &[(String, Option<(String, String)>)],
    ) -> Out<String> {
        let index = self
            .dir
            .join(format!("index.{}", super::ids::random_hex(8)));
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
            self.run_env(
                &["update-index", "-z", "--index-info"],
                input.as_bytes(),
                &env,
            )?;
            let out = self.run_env(&["write-tree"], b"", &env)?;
            Ok(String::from_utf8_lossy(&out).trim().to_owned())
        })();
        drop(std::fs::remove_file(index));
        result
    }

    /// Stores a commit.
    pub fn put_commit(
        &self,
        tree: &str,
        parents: &[String],
        message: &str,
        author: &Person,
        committer: &Person,
    ) -> Out<String> {
        let mut args = vec!["commit-tree", tree];
        for p in parents {
            args.extend(["-p", p]);
        }
        let (adate, cdate) = (
            format!("{} +0000", author.date),
            format!("{} +0000", committer.date),
        );
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
        std::fs::write(
            info.join("alternates"),
            format!("{}\n", alternates.display()),
        )
        .map_err(fail)?;
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
