//! The issue about one finding of a credential.

use super::escape::{code, code_within, run_link};
use std::fmt::Write as _;

/// What an issue is about.
#[derive(Debug, Clone, Copy)]
pub struct CredentialIssue<'a> {
    /// Id of the finding, such as `credential-expired`.
    pub rule: &'a str,
    /// Customer and credential, `acme/registry-pull`.
    pub name: &'a str,
    /// What is wrong, and what to do; nothing if it is over.
    pub says: Option<(&'a str, &'a str)>,
}

/// Longest piece, as it is written.
const PIECE: usize = 8_000;

/// The hidden line that the issue begins with.
pub fn marker(rule: &str, name: &str, nonce: &str) -> String {
    format!("<!-- tenantry:{rule}:{name}:{nonce} -->\n")
}

/// Ids alone; nothing foreign.
pub fn title(issue: &CredentialIssue<'_>) -> String {
    let word = match issue.rule {
        "credential-expired" => "has ended",
        "credential-expiring" => "ends soon",
        "credential-unfit" => "cannot do what it is for",
        "credential-broad" => "may do more than it is for",
        "credential-shared" => "is shared",
        "credential-orphaned" => "and its value do not belong together",
        _ => "is not needed any more",
    };
    match issue.says {
        Some(_) => format!("Credential {} {word}", issue.name),
        None => format!("Credential {}: over ({})", issue.name, issue.rule),
    }
}

/// The text. What it quotes stands in `<code>`.
pub fn body(issue: &CredentialIssue<'_>, run_url: &str) -> String {
    let mut out = String::new();
    match issue.says {
        Some((message, next)) => {
            let _ = writeln!(
                out,
                "| | |\n| --- | --- |\n| credential | {} |\n| finding | {} |\n| what | {} |\n| what to do | {} |\n\nThis issue follows the registry: tenantry closes it when the finding is gone.",
                code(issue.name),
                code(issue.rule),
                code_within(message, PIECE),
                code_within(next, PIECE),
            );
        }
        None => {
            let _ = writeln!(
                out,
                "{} of {} is over.\n\n_This issue is opened again if it comes back._",
                code(issue.rule),
                code(issue.name)
            );
        }
    }
    if let Some(link) = run_link(run_url) {
        let _ = writeln!(out, "\n<sub>{link}</sub>");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t16_what_is_quoted_is_code() {
        let issue = CredentialIssue {
            rule: "credential-broad",
            name: "acme/pull",
            says: Some(("`x` @olivia #1 <!-- | </code>", "do")),
        };
        let text = body(&issue, "javascript:x");
        assert!(
            !text.contains("@olivia") && !text.contains("<!--"),
            "{text}"
        );
        assert!(!text.contains("javascript"), "{text}");
        assert_eq!(
            title(&issue),
            "Credential acme/pull may do more than it is for"
        );
    }

    #[test]
    fn t17_what_grows_when_it_is_escaped_has_room() {
        let long = "\u{1}".repeat(100_000);
        let issue = CredentialIssue {
            rule: "credential-broad",
            name: "acme/pull",
            says: Some((&long, &long)),
        };
        assert!(body(&issue, "").len() < 20_000);
    }
}
