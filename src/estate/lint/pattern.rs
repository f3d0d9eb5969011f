//! Secrets by their shape, in every text of the estate: keys and tokens whose prefix nothing
//! else has, and, with less confidence, JSON Web Tokens. What was found is never shown.

use super::super::files::Files;
use super::super::finding::{Finding, Place};
use super::super::yaml::MAX_BYTES;
use regex::Regex;
use std::sync::LazyLock;

/// What a secret is called, and its shape. Sources: the providers' own pages on token formats.
/// GitHub's `ghs_` tokens are about 520 characters long since 2026, with dots and dashes.
const SHAPES: [(&str, &str); 9] = [
    (
        "an AWS access key id",
        r"(?-u:\b)(?:AKIA|ASIA)[A-Z0-9]{16}(?-u:\b)",
    ),
    (
        "a GitHub token",
        r"(?-u:\b)(?:ghs_[A-Za-z0-9._-]{36,}|gh[pour]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{36,})",
    ),
    ("a Slack token", r"(?-u:\b)xox[abprs]-[A-Za-z0-9-]{10,}"),
    (
        "a key of a Google service account",
        r#""private_key"[ \t]*:[ \t]*"-----BEGIN"#,
    ),
    (
        "a private key",
        r"-----BEGIN (?:[A-Z0-9]+ ){0,3}PRIVATE KEY(?: BLOCK)?-----",
    ),
    ("a Stripe key", r"(?-u:\b)[rs]k_live_[A-Za-z0-9]{16,}"),
    ("an age identity", r"(?-u:\b)AGE-SECRET-KEY-1[0-9A-Z]{20,}"),
    ("a GitLab token", r"(?-u:\b)glpat-[A-Za-z0-9_-]{20,}"),
    (
        "a JSON Web Token",
        r"(?-u:\b)eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}",
    ),
];
/// The position in [`SHAPES`] of what may well be public or long expired.
const POSSIBLE: usize = SHAPES.len() - 1;

/// All shapes as one linear-time expression, a group for each.
static ANY: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let groups: Vec<String> = SHAPES.iter().map(|(_, s)| format!("({s})")).collect();
    Regex::new(&groups.join("|")).ok()
});

pub(super) fn check(files: &Files) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, bytes) in files.iter() {
        // Large and binary files are not written by hand.
        if bytes.len() > MAX_BYTES || bytes.contains(&0) {
            continue;
        }
        if let Ok(text) = std::str::from_utf8(bytes) {
            file(path, text, &mut findings);
        }
    }
    findings
}

fn file(path: &str, text: &str, findings: &mut Vec<Finding>) {
    let Some(any) = &*ANY else { return };
    let (mut line, mut line_start, mut seen) = (1, 0, 0);
    for found in any.captures_iter(text) {
        let Some(at) = found.get(0).map(|m| m.start()) else {
            continue;
        };
        for (i, _) in text[seen..at].match_indices('\n') {
            line += 1;
            line_start = seen + i + 1;
        }
        seen = at;
        let shape = (0..SHAPES.len())
            .find(|i| found.get(i + 1).is_some())
            .unwrap_or(POSSIBLE);
        let (what, _) = SHAPES[shape];
        let place = Place::at(path, line, text[line_start..at].chars().count() + 1);
        findings.push(if shape == POSSIBLE {
            Finding::warning(
                place,
                "secret-possible",
                format!("{what} stands here in plain text; if it still opens something, revoke it and keep it in the secret store"),
            )
        } else {
            Finding::error(
                place,
                "secret-pattern",
                format!("{what} stands here in plain text; revoke it, since it stays in git's history, and keep the new one in the secret store"),
            )
        });
    }
}

#[cfg(test)]
mod tests {
    use super::super::fixture::lines;
    use super::*;

    fn found(path: &str, content: &str) -> Vec<String> {
        let mut files = Files::new();
        files.insert(path, content.as_bytes());
        lines(check(&files))
    }

    fn parts(first: &str, rest: String) -> String {
        first.to_owned() + &rest
    }

    /// Written in two parts, so that no scanner takes this file for a leak.
    fn secrets() -> Vec<(&'static str, String)> {
        let long = "aB3".repeat(14);
        vec![
            (
                "an AWS access key id",
                format!("AKI{}", "AIOSFODNN7EXAMPLE"),
            ),
            (
                "an AWS access key id",
                format!("ASI{}", "AIOSFODNN7EXAMPLE"),
            ),
            ("a GitHub token", parts("ghp", format!("_{long}"))),
            ("a GitHub token", parts("ghr", format!("_{long}"))),
            (
                "a GitHub token",
                parts("ghs", format!("_{long}.eyJ-{long}_.{long}")),
            ),
            (
                "a GitHub token",
                parts("github_", format!("pat_{long}_{long}")),
            ),
            ("a Slack token", format!("xox{}", "b-123456789012-abcdef")),
            (
                "a private key",
                format!("-----BEGIN RSA {}-----", "PRIVATE KEY"),
            ),
            (
                "a private key",
                format!("-----BEGIN {}-----", "PRIVATE KEY"),
            ),
            (
                "a private key",
                format!("-----BEGIN PGP {} BLOCK-----", "PRIVATE KEY"),
            ),
            (
                "a key of a Google service account",
                format!(
                    "\"private_{}\\nMII\"",
                    "key\": \"-----BEGIN PRIVATE KEY-----"
                ),
            ),
            ("a Stripe key", parts("sk_", format!("live_{long}"))),
            (
                "an age identity",
                format!("AGE-SECRET-{}", "KEY-1QQPQXYZQQPQXYZQQPQXYZ"),
            ),
            ("a GitLab token", parts("glp", format!("at-{long}"))),
        ]
    }

    #[test]
    fn t15_every_shape_is_found_and_none_is_shown() {
        assert!(ANY.is_some());
        for (what, secret) in secrets() {
            let found = found(
                "products/web/terraform/main.tf",
                &format!("é = 1\nö: {secret}\n"),
            );
            assert_eq!(
                found,
                [format!(
                    "products/web/terraform/main.tf:2:4: {what} stands here in plain text; revoke it, since it stays in git's history, and keep the new one in the secret store [secret-pattern]"
                )],
            );
            assert!(!found[0].contains(&secret));
        }
        let part = "eyJhbGciOiJSUzI1NiJ9";
        let found = found("a.txt", &format!("{part}.{part}.c2lnbmF0dXJl"));
        assert_eq!(found.len(), 1);
        assert!(found[0].contains("warning: a JSON Web Token"), "{found:?}");
    }

    #[test]
    fn what_is_no_secret_is_left_alone() {
        let clean = "AKIA is how AWS keys begin\nghp_short\nxox-b\nage1zvkyg2lqzraa2lnjvqej32nkuu0ues2s82hzrye869xeexvn73equnujwj\n-----BEGIN CERTIFICATE-----\n-----BEGIN PUBLIC KEY-----\nENC[AES256_GCM,data:zlGNmhTYX5xol4ZZFsiaoGkD73nn,iv:q=,tag:S==,type:str]\npk_live_abcdefghijklmnop\n";
        assert_eq!(
            found("customers/acme/web/values.yaml", clean),
            Vec::<String>::new()
        );
        let secret = secrets().remove(0).1;
        assert_eq!(found("a.bin", &format!("\0{secret}")), Vec::<String>::new());
        let large = format!("{secret}\n{}", "x".repeat(MAX_BYTES));
        assert_eq!(found("a.txt", &large), Vec::<String>::new());
    }

    #[test]
    fn t20_hostile_text_is_read_in_linear_time() {
        for piece in ["ghs_a.", "eyJ", "-----BEGIN A ", "AKIA"] {
            let text = piece.repeat(MAX_BYTES / piece.len());
            assert!(found("a.txt", &text).len() < 3, "{piece}");
        }
    }
}
