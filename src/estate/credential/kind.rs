//! What a secret is, by how it begins.

use crate::digest::Digest;

/// What kind of secret a credential is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// `ghp_`: a personal access token (classic).
    GithubClassic,
    /// `github_pat_`: a fine-grained personal access token.
    GithubFineGrained,
    /// `gho_`: a token of an OAuth app.
    GithubOauth,
    /// `ghu_`: a user's token of a GitHub App.
    GithubAppUser,
    /// `ghs_`: a token of an installation of a GitHub App, or of a workflow run.
    GithubInstallation,
    /// `ghr_`: a refresh token of a GitHub App.
    GithubRefresh,
    /// `glpat-`: a token of GitLab.
    Gitlab,
    /// `AKIA…` or `ASIA…`, with or without the secret half behind it.
    AwsAccessKey,
    /// `npm_`.
    Npm,
    /// `dckr_pat_`.
    DockerHub,
    /// A PEM block.
    PrivateKey,
    /// Anything else.
    Other,
}

/// Name in files, beginning, how long the rest is at least, and what else but letters and digits
/// it may hold. Sources: docs.github.com, "About authentication to GitHub", and the vendors'
/// pages on secret scanning.
const KINDS: [(Kind, &str, &str, usize, &str); 10] = [
    (Kind::GithubClassic, "github-classic", "ghp_", 36, ""),
    (
        Kind::GithubFineGrained,
        "github-fine-grained",
        "github_pat_",
        40,
        "_",
    ),
    (Kind::GithubOauth, "github-oauth", "gho_", 36, ""),
    (Kind::GithubAppUser, "github-app-user", "ghu_", 36, ""),
    (
        Kind::GithubInstallation,
        "github-installation",
        "ghs_",
        36,
        "._-",
    ),
    (Kind::GithubRefresh, "github-refresh", "ghr_", 36, ""),
    (Kind::Gitlab, "gitlab", "glpat-", 20, "_-."),
    (Kind::Npm, "npm", "npm_", 36, ""),
    (Kind::DockerHub, "docker-hub", "dckr_pat_", 20, "_-"),
    (Kind::AwsAccessKey, "aws-access-key", "AKIA", 16, ":/+"),
];

/// Different characters that random text of this length has, for sure.
const DIFFERENT: usize = 10;

impl Kind {
    /// By how `secret` begins.
    pub fn of(secret: &str) -> Self {
        if secret.starts_with("-----BEGIN ") {
            return Self::PrivateKey;
        }
        if secret.starts_with("ASIA") && secret.len() >= 20 {
            return Self::AwsAccessKey;
        }
        KINDS
            .iter()
            .find(|(kind, _, begin, least, _)| {
                secret.starts_with(begin)
                    // Four letters are too few to tell a word from a key.
                    && (*kind != Self::AwsAccessKey || secret.len() >= begin.len() + least)
            })
            .map_or(Self::Other, |(kind, ..)| *kind)
    }

    /// Its name in files.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrivateKey => "private-key",
            Self::Other => "other",
            _ => KINDS
                .iter()
                .find(|(kind, ..)| *kind == self)
                .map_or("other", |(_, name, ..)| name),
        }
    }

    /// What people call a token of this kind.
    pub fn words(self) -> &'static str {
        match self {
            Self::GithubClassic => "classic personal token",
            Self::GithubFineGrained => "fine-grained personal token",
            Self::GithubInstallation => "installation token",
            _ => "token",
        }
    }

    /// Every kind with its name.
    pub fn all() -> Vec<(&'static str, Self)> {
        let mut out: Vec<_> = KINDS
            .iter()
            .map(|(kind, name, ..)| (*name, *kind))
            .collect();
        out.extend([
            (Self::PrivateKey.name(), Self::PrivateKey),
            (Self::Other.name(), Self::Other),
        ]);
        out
    }

    /// Whether GitHub can be asked whose it is.
    pub fn asks_github(self) -> bool {
        matches!(
            self,
            Self::GithubClassic | Self::GithubFineGrained | Self::GithubOauth | Self::GithubAppUser
        )
    }

    /// Whether GitHub's revocation interface takes it (docs.github.com, "Revoke a list of
    /// credentials").
    pub fn revocable(self) -> bool {
        self.asks_github() || self == Self::GithubRefresh
    }

    /// Where a person revokes it.
    pub fn by_hand(self) -> &'static str {
        match self {
            Self::GithubClassic => "https://github.com/settings/tokens",
            Self::GithubFineGrained => {
                "https://github.com/settings/personal-access-tokens (an organisation's owners: its settings, \"Personal access tokens\", \"Active tokens\")"
            }
            Self::GithubOauth | Self::GithubAppUser | Self::GithubRefresh => {
                "https://github.com/settings/applications"
            }
            Self::GithubInstallation => "nowhere: it ends by itself within an hour",
            Self::Gitlab => "GitLab: the owner's \"Access tokens\"",
            Self::AwsAccessKey => {
                "AWS: IAM, the user's \"Security credentials\", or `aws iam delete-access-key`"
            }
            Self::Npm => "npm: \"Access Tokens\" of the account",
            Self::DockerHub => "Docker Hub: \"Personal access tokens\" of the account",
            Self::PrivateKey | Self::Other => "the system that accepts it",
        }
    }

    /// Whether the whole of `secret` looks as machines make this kind: long enough, of the right
    /// letters, and not all the same ones. Only of such a secret may a digest be known.
    pub fn machine_made(self, secret: &str) -> bool {
        let Some((_, _, begin, least, more)) = KINDS.iter().find(|(kind, ..)| *kind == self) else {
            return false;
        };
        let rest = secret.get(begin.len()..).unwrap_or_default();
        let mut letters: Vec<char> = rest.chars().collect();
        letters.sort_unstable();
        letters.dedup();
        rest.len() >= *least
            && rest
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || more.contains(c))
            && letters.len() >= DIFFERENT
    }
}

/// What may be known of a value to everybody: SHA-256 of what a machine has made. It is also what
/// GitHub's audit log calls the hashed token, in another notation. A person's password could be
/// found by trying, so there is none of it.
pub fn fingerprint(secret: &str) -> Option<Digest> {
    let kind = Kind::of(secret);
    kind.machine_made(secret)
        .then(|| Digest::of(secret.as_bytes()))
}

/// The end of what a machine has made.
pub fn last_four(secret: &str) -> Option<String> {
    let from = secret.len().checked_sub(4)?;
    fingerprint(secret).and_then(|_| secret.get(from..).map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: &str = "0123456789abcdefghijABCDEFGHIJ012345";

    #[test]
    fn kinds_are_told_by_their_beginning() {
        for (secret, kind) in [
            (format!("ghp_{LONG}"), "github-classic"),
            (format!("github_pat_{LONG}_{LONG}"), "github-fine-grained"),
            (format!("gho_{LONG}"), "github-oauth"),
            (format!("ghs_{LONG}.x-y"), "github-installation"),
            (format!("glpat-{LONG}"), "gitlab"),
            ("AKIAIOSFODNN7EXAMPLE".to_owned(), "aws-access-key"),
            ("ASIAIOSFODNN7EXAMPLE".to_owned(), "aws-access-key"),
            ("AKIA".to_owned(), "other"),
            (
                "-----BEGIN OPENSSH PRIVATE KEY-----".to_owned(),
                "private-key",
            ),
            ("hunter2".to_owned(), "other"),
        ] {
            assert_eq!(Kind::of(&secret).name(), kind, "{kind}");
        }
        for (name, kind) in Kind::all() {
            assert_eq!(kind.name(), name);
        }
    }

    #[test]
    fn t32_nothing_of_a_guessable_secret_is_kept() {
        let many_a = format!("ghp_{}", "a".repeat(36));
        let foreign = format!("ghp_{LONG} and a note");
        for secret in [
            "hunter2",
            "ghp_short",
            "glpat-password",
            "AKIA",
            &many_a,
            &foreign,
            "",
        ] {
            assert_eq!(fingerprint(secret), None, "{secret}");
            assert_eq!(last_four(secret), None, "{secret}");
        }
        let good = format!("ghp_{LONG}");
        assert!(fingerprint(&good).is_some());
        assert_eq!(last_four(&good).as_deref(), Some("2345"));
    }
}
