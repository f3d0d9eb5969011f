//! Whether a token may do more than it is for.

use super::Kind;
use crate::estate::ids::Purpose;

/// Pulling images out of a registry.
pub const PULL: &str = "registry-pull";
/// Sending `repository_dispatch`.
pub const DISPATCH: &str = "dispatch";
/// Reading a customer's repository.
pub const SOURCE: &str = "source-read";

/// What is wrong with a token for its purpose.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Breadth {
    /// Why it may do too much, one sentence for each reason.
    pub broad: Vec<String>,
    /// Why it cannot do what it is for.
    pub unfit: Option<String>,
    /// What its owner should know.
    pub notes: Vec<String>,
}

/// Scopes with which a token could do harm whatever it is for (docs.github.com, "Scopes for OAuth
/// apps").
const DANGEROUS: [&str; 13] = [
    "admin:org",
    "admin:public_key",
    "admin:repo_hook",
    "admin:org_hook",
    "admin:gpg_key",
    "admin:ssh_signing_key",
    "admin:enterprise",
    "delete_repo",
    "delete:packages",
    "site_admin",
    "user",
    "workflow",
    "write:org",
];

/// Judges a token by its kind and by the scopes that GitHub says it has.
pub fn breadth(purpose: &Purpose, kind: Kind, scopes: Option<&[String]>) -> Breadth {
    let mut out = Breadth::default();
    let scoped = matches!(kind, Kind::GithubClassic | Kind::GithubOauth);
    match (purpose.as_str(), kind) {
        (PULL, Kind::GithubFineGrained | Kind::GithubAppUser) => {
            out.unfit = Some(
                "GitHub's container registry accepts classic tokens only; make a classic token with the scope `read:packages` and nothing else"
                    .to_owned(),
            );
        }
        (PULL, Kind::GithubClassic) => out.notes.push(
            "a classic token with `read:packages` reads every package that its owner can read, not only this customer's; let an account own it that can read nothing else"
                .to_owned(),
        ),
        (DISPATCH | SOURCE, Kind::GithubFineGrained) => out.notes.push(format!(
            "GitHub does not say what a fine-grained token may do; look at its page that it is for one repository, with `contents: {}` and nothing else",
            if purpose.as_str() == SOURCE { "read" } else { "write" }
        )),
        (DISPATCH | SOURCE, _) if scoped => {}
        (_, Kind::GithubFineGrained) => out.notes.push(
            "GitHub does not say what a fine-grained token may do; look at its page".to_owned(),
        ),
        _ => {}
    }
    if kind == Kind::GithubInstallation {
        out.unfit = Some(
            "a token of an installation ends after an hour; let tenantry use the App itself (TENANTRY_APP_ID, TENANTRY_APP_KEY)"
                .to_owned(),
        );
    }
    let (true, Some(scopes)) = (scoped, scopes) else {
        return out;
    };
    if purpose.as_str() == PULL
        && !scopes
            .iter()
            .any(|s| s == "read:packages" || s == "write:packages")
    {
        out.unfit = Some("it has not the scope `read:packages`, so it cannot pull".to_owned());
    }
    for scope in scopes {
        let why = match (purpose.as_str(), scope.as_str()) {
            (PULL, "read:packages") => continue,
            (PULL, _) => format!("`{scope}` is not needed to pull images; `read:packages` is enough"),
            (_, "repo") => {
                "`repo` reads and writes every repository of its owner; use a fine-grained token for one repository"
                    .to_owned()
            }
            (DISPATCH | SOURCE, "public_repo") => {
                "`public_repo` writes to every public repository of its owner; use a fine-grained token for one repository"
                    .to_owned()
            }
            (_, scope) if DANGEROUS.contains(&scope) => {
                format!("`{scope}` is needed for no purpose that tenantry knows")
            }
            (DISPATCH | SOURCE, _) => format!("`{scope}` is not needed for `{purpose}`"),
            _ => continue,
        };
        out.broad.push(why);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(purpose: &str, kind: Kind, scopes: &[&str]) -> Breadth {
        let Ok(purpose) = Purpose::new(purpose) else {
            panic!("{purpose}")
        };
        let scopes: Vec<String> = scopes.iter().map(|s| (*s).to_owned()).collect();
        breadth(&purpose, kind, Some(&scopes))
    }

    #[test]
    fn a_token_may_do_what_it_is_for_and_nothing_else() {
        let classic = Kind::GithubClassic;
        let fine = judged(PULL, classic, &["read:packages"]);
        assert!(fine.broad.is_empty() && fine.unfit.is_none());
        assert!(fine.notes[0].contains("every package"), "{fine:?}");
        assert_eq!(
            judged(PULL, classic, &["read:packages", "repo"])
                .broad
                .len(),
            1
        );
        assert!(judged(PULL, classic, &[]).unfit.is_some());
        assert_eq!(judged(PULL, classic, &["write:packages"]).broad.len(), 1);
        assert!(judged(PULL, Kind::GithubFineGrained, &[]).unfit.is_some());
        assert_eq!(judged("dispatch", classic, &["repo"]).broad.len(), 1);
        assert_eq!(
            judged("dispatch", classic, &["public_repo", "gist"])
                .broad
                .len(),
            2
        );
        assert!(
            judged("dispatch", Kind::GithubFineGrained, &[])
                .broad
                .is_empty()
        );
        assert_eq!(
            judged("backup", classic, &["gist", "admin:org"])
                .broad
                .len(),
            1
        );
        assert!(
            judged("dispatch", Kind::GithubInstallation, &[])
                .unfit
                .is_some()
        );
        assert_eq!(
            judged("dispatch", Kind::Gitlab, &["repo"]),
            Breadth::default()
        );
    }
}
