//! Changed files between two commits, as GitHub's `diff-entry` shows them.
use super::git::{Git, Out};

/// One changed file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// `added`, `removed`, `modified`, `renamed`.
    pub status: &'static str,
    /// Path after the change.
    pub filename: String,
    /// Path before a rename.
    pub previous: Option<String>,
    /// Blob after the change (before it, for a removal).
    pub sha: String,
    /// Added lines.
    pub additions: u64,
    /// Removed lines.
    pub deletions: u64,
    /// Unified diff from the first `@@` on; absent for binaries.
    pub patch: Option<String>,
}

/// The tree of nothing, for diffs of a first commit.
pub const EMPTY_TREE: &str = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";

/// All changes from `base` to `head`.
pub fn changes(git: &Git, base: &str, head: &str) -> Out<Vec<Change>> {
    let (raw, numstat, patch) = git.diff(base, head)?;
    let mut out = Vec::new();
    let mut raw = raw.split('\0');
    let mut stats = numstat.split('\0');
    let mut patches = split_patches(&patch).into_iter();
    while let Some(meta) = raw.next().filter(|m| m.starts_with(':')) {
        let m: Vec<&str> = meta.split(' ').collect();
        let letter = m.get(4).and_then(|s| s.chars().next()).unwrap_or('M');
        let first = raw.next().unwrap_or("").to_owned();
        let renamed = matches!(letter, 'R' | 'C');
        let second = if renamed {
            raw.next().map(str::to_owned)
        } else {
            None
        };
        let counts = stats.next().unwrap_or("");
        let mut counts = counts.split('\t');
        let mut count = || counts.next().and_then(|s| s.parse().ok()).unwrap_or(0);
        let (additions, deletions) = (count(), count());
        if renamed {
            // With -z a rename's numstat has an empty path and then both names.
            stats.next();
            stats.next();
        }
        let index = if letter == 'D' { 2 } else { 3 };
        out.push(Change {
            status: match letter {
                'A' => "added",
                'D' => "removed",
                'R' => "renamed",
                'C' => "copied",
                'T' => "changed",
                _ => "modified",
            },
            previous: second.is_some().then(|| first.clone()),
            filename: second.unwrap_or(first),
            sha: m.get(index).copied().unwrap_or("").to_owned(),
            additions,
            deletions,
            patch: patches.next().flatten(),
        });
    }
    Ok(out)
}

fn split_patches(text: &str) -> Vec<Option<String>> {
    let mut out: Vec<Option<String>> = Vec::new();
    for line in text.split_inclusive('\n') {
        if line.starts_with("diff --git ") {
            out.push(None);
        } else if let Some(last) = out.last_mut() {
            match last {
                Some(body) => body.push_str(line),
                None if line.starts_with("@@") => *last = Some(line.to_owned()),
                None => {}
            }
        }
    }
    for body in out.iter_mut().flatten() {
        if body.ends_with('\n') {
            body.pop();
        }
    }
    out
}
