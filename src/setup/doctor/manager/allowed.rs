//! Which actions of others the workflows use, and whether a list of allowed actions lets them.
//!
//! A pattern is `owner/name@ref` or `owner/name/path@ref`, with `*` for anything; one that begins
//! with `!` forbids (docs.github.com, "Disabling or limiting GitHub Actions for your repository or
//! organization", "Allowing select actions and reusable workflows to run").

use super::{Asked, Facts};
use crate::estate::{RepoSlug, Sha};
use crate::github::setup::SelectedActions;
use std::collections::BTreeSet;

/// What the workflow files that were read use.
#[derive(Debug, Default)]
pub(super) struct Used {
    /// Actions and workflows of others: neither GitHub's nor tenantry's.
    pub(super) others: BTreeSet<String>,
    /// Those that are not named by a full commit.
    pub(super) loose: BTreeSet<String>,
    /// Workflow files that nobody has looked into.
    pub(super) unseen: Vec<String>,
}

/// Whether something may be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Allowed {
    Yes,
    /// It is not on the list, and this pattern would put it there.
    Missing,
    /// A pattern forbids it.
    Forbidden,
}

/// Looks into the workflow files.
pub(super) fn used(asked: &Asked<'_>, facts: &Facts) -> Used {
    let mut out = Used::default();
    for (path, file) in &facts.files {
        match file {
            Err(_) => out.unseen.push(path.clone()),
            Ok(None) => {}
            Ok(Some((_, text))) => {
                for uses in asked.expected.look(path, text).used {
                    let Some((action, commit)) = split(&uses) else {
                        continue;
                    };
                    if Sha::new(commit).is_err() {
                        out.loose.insert(uses.clone());
                    }
                    let owner = action.split('/').next().unwrap_or_default();
                    let github = ["actions", "github"].contains(&&*owner.to_ascii_lowercase());
                    if !github && !asked.expected.is_ours(action) {
                        out.others.insert(uses);
                    }
                }
            }
        }
    }
    match &facts.states {
        Err(_) => out.unseen.push("other workflows".into()),
        Ok(all) => {
            let paths = all.iter().map(|w| &w.path);
            let more = paths.filter(|p| {
                p.starts_with(".github/workflows/") && !facts.files.contains_key(p.as_str())
            });
            out.unseen.extend(more.cloned());
        }
    }
    out
}

impl Used {
    /// Those of another account than the manager's (GitHub always allows those of the same one)
    /// for which the answer is this. What verified creators may do besides is not known here.
    pub(super) fn with(&self, list: &SelectedActions, own: &RepoSlug, is: Allowed) -> Vec<String> {
        let same = |uses: &str| {
            uses.split('/')
                .next()
                .is_some_and(|o| o.eq_ignore_ascii_case(own.owner()))
        };
        let unknown = list.verified_allowed && is == Allowed::Missing;
        let all = self.others.iter().filter(|u| !unknown && !same(u));
        all.filter(|u| allowed(list, u) == is).cloned().collect()
    }

    /// The patterns that a list lacks.
    pub(super) fn patterns(&self, list: &SelectedActions) -> BTreeSet<String> {
        let missing = self.others.iter();
        missing
            .filter(|u| allowed(list, u) == Allowed::Missing)
            .filter_map(|uses| Some(format!("{}@*", split(uses)?.0)))
            .collect()
    }
}

fn allowed(list: &SelectedActions, uses: &str) -> Allowed {
    let patterns = list.patterns_allowed.iter().map(|p| p.trim());
    let mut out = Allowed::Missing;
    for pattern in patterns {
        match pattern.strip_prefix('!') {
            Some(forbids) if matches(forbids, uses) => return Allowed::Forbidden,
            None if matches(pattern, uses) => out = Allowed::Yes,
            _ => {}
        }
    }
    out
}

/// `owner/name` or `owner/name/path`, and the commit or tag; none of what is on the runner, of an
/// image, or of a name that could be more than one name.
fn split(uses: &str) -> Option<(&str, &str)> {
    let (action, commit) = uses.split_once('@')?;
    let mut parts = action.splitn(3, '/');
    let (owner, name) = (parts.next()?, parts.next()?);
    RepoSlug::new(&format!("{owner}/{name}")).ok()?;
    let plain = |part: &str| {
        let fine = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
        !part.is_empty() && part != "." && part != ".." && part.bytes().all(fine)
    };
    let fine = parts.next().is_none_or(|path| path.split('/').all(plain));
    (fine && !commit.is_empty()).then_some((action, commit))
}

/// Whether `*` and `**` in a pattern can stand for something that makes it this text. Names have no
/// case.
fn matches(pattern: &str, text: &str) -> bool {
    let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| text.strip_prefix(first)) else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    let Some((last, middle)) = parts.split_last() else {
        return rest.is_empty();
    };
    for part in middle {
        let Some(at) = rest.find(part) else {
            return false;
        };
        rest = &rest[at + part.len()..];
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    const AWS: &str =
        "aws-actions/configure-aws-credentials@de0fac2e4500dabe0009e67214ff5f5447ce83dd";

    fn list(patterns: &[&str]) -> SelectedActions {
        SelectedActions {
            github_owned_allowed: true,
            verified_allowed: false,
            patterns_allowed: patterns.iter().map(|p| (*p).to_owned()).collect(),
        }
    }

    #[test]
    fn a_pattern_allows_what_it_matches() {
        for (patterns, expected) in [
            (&[][..], Allowed::Missing),
            (&["aws-actions/*"], Allowed::Yes),
            (&["aws-actions/configure-aws-credentials@*"], Allowed::Yes),
            (&["AWS-Actions/Configure-aws-credentials@*"], Allowed::Yes),
            (&[" *", "x/y@*"], Allowed::Yes),
            (&["*/configure**@*"], Allowed::Yes),
            (&[AWS], Allowed::Yes),
            (
                &["aws-actions/configure-aws-credentials@v4"],
                Allowed::Missing,
            ),
            (&["aws-actions/configure"], Allowed::Missing),
            (&["aws-actions/other@*", "aws/*"], Allowed::Missing),
            (
                &["aws-actions/*", "!aws-actions/configure-*"],
                Allowed::Forbidden,
            ),
        ] {
            assert_eq!(allowed(&list(patterns), AWS), expected, "{patterns:?}");
        }
        assert!(!matches("a*b*a", "aba-"), "the end counts");
        assert!(!matches("ab*ba", "aba"), "nothing counts twice");
    }

    #[test]
    fn a_pattern_is_made_of_a_whole_name_alone() {
        let used = |uses: &str| Used {
            others: BTreeSet::from([uses.to_owned()]),
            ..Used::default()
        };
        for (uses, pattern) in [
            (AWS, Some("aws-actions/configure-aws-credentials@*")),
            (
                "gradle/actions/setup-gradle@v4",
                Some("gradle/actions/setup-gradle@*"),
            ),
            (
                "o/r/.github/workflows/x.yml@main",
                Some("o/r/.github/workflows/x.yml@*"),
            ),
            ("*/*@v1", None),
            ("o/*@v1", None),
            ("o/r/**@v1", None),
            ("o/r, evil/*@v1", None),
            ("!o/r@v1", None),
            ("o/r/../x@v1", None),
            ("./local@v1", None),
            ("docker://alpine@sha256:0", None),
            ("o@v1", None),
            ("o/r", None),
            ("o/r@", None),
        ] {
            let patterns: Vec<String> = used(uses).patterns(&list(&[])).into_iter().collect();
            let expected: Vec<String> = pattern.into_iter().map(str::to_owned).collect();
            assert_eq!(patterns, expected, "{uses}");
        }
        // What is there already is not added, and what somebody has forbidden stays so.
        assert!(used(AWS).patterns(&list(&["aws-actions/*"])).is_empty());
        assert!(used(AWS).patterns(&list(&["!aws-actions/*"])).is_empty());
    }

    #[test]
    fn what_is_of_the_same_account_needs_no_list() {
        let used = Used {
            others: BTreeSet::from([AWS.to_owned(), "Ops/tool@v1".to_owned()]),
            ..Used::default()
        };
        let own = RepoSlug::new("ops/infra").unwrap();
        assert_eq!(used.with(&list(&[]), &own, Allowed::Missing), [AWS]);
        let mut verified = list(&[]);
        verified.verified_allowed = true;
        assert_eq!(used.with(&verified, &own, Allowed::Missing).len(), 0);
    }
}
