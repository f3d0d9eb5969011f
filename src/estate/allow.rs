//! `lint.allow` of the settings: what a lint may find for a while, with a reason and an end.
//!
//! Only lints can be allowed. An error of the reader, a schema or a policy is about values that
//! an engine would get; there is nothing to allow, only something to correct.

use super::fields::Fields;
use super::finding::{Finding, Place};
use super::ids::shown;
use super::rules;
use super::settings;
use super::suggest::nearest;
use super::value::Node;
use std::fmt;
use std::str::FromStr;

/// A day, written `2026-11-21`. Orders as days do.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date(String);

impl FromStr for Date {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
            .ok()
            .map(|d| d.format("%Y-%m-%d").to_string())
            .filter(|d| d == text);
        day.map(Self).ok_or_else(|| {
            format!(
                "`{}` is not a day; write it as `\"2027-01-31\"`, in quotes",
                shown(text)
            )
        })
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One entry of `lint.allow`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Allowance {
    /// The lint.
    pub rule: String,
    /// Which files: a path of the estate, in which `*` stands for anything inside one part, and
    /// which covers everything below if it ends in `/`.
    pub path: String,
    /// Why, for whoever reads the settings.
    pub reason: String,
    /// The last day on which it holds.
    pub expires: Date,
    /// Where it stands.
    pub place: Place,
}

/// Reads the map `lint` of the settings.
pub fn read(lint: &mut Fields<'_>) -> Vec<Allowance> {
    let mut out = Vec::new();
    for item in lint.list("allow").unwrap_or_default() {
        let mut entry = Fields::new(settings::PATH, item);
        let allowance = one(&mut entry, item);
        lint.absorb(entry.finish());
        out.extend(allowance);
    }
    out
}

fn one(entry: &mut Fields<'_>, item: &Node) -> Option<Allowance> {
    for key in ["rule", "path", "reason", "expires"] {
        if item.get(key).is_none_or(|n| n.text() == Some("")) {
            entry.missing(key);
        }
    }
    let rule = entry.text("rule");
    let path = entry.text("path");
    let reason = entry.text("reason");
    let expires = entry.parsed::<Date>("expires");
    if let (Some(rule), Some(at)) = (&rule, item.get("rule")) {
        let lints = || rules::all().filter(|r| r.lint).map(|r| r.id);
        let list = || {
            lints()
                .map(|l| format!("`{l}`"))
                .collect::<Vec<_>>()
                .join(", ")
        };
        match rules::find(rule) {
            Some(found) if found.lint => {}
            Some(found) => entry.refuse(
                at,
                format!(
                    "`{}` cannot be allowed, only lints can: {}; correct what it finds instead",
                    found.id,
                    list()
                ),
            ),
            None => {
                let hint = nearest(rule, lints()).map_or_else(
                    || format!("lints are {}", list()),
                    |n| format!("did you mean `{n}`?"),
                );
                entry.refuse(at, format!("there is no lint `{}`; {hint}", shown(rule)));
            }
        }
    }
    if let (Some(path), Some(at)) = (&path, item.get("path"))
        && (path.starts_with('/') || path.contains("**") || path.split('/').any(|p| p == ".."))
    {
        entry.refuse(at, "`path` must be a path of the estate, such as `customers/acme/` (everything below) or `customers/*/web/values.yaml`");
    }
    Some(Allowance {
        rule: rule?,
        path: path?,
        reason: reason?,
        expires: expires?,
        place: Place::at(settings::PATH, item.line, item.column),
    })
}

impl Allowance {
    /// Whether this is about `finding`, expired or not.
    fn covers(&self, finding: &Finding) -> bool {
        if finding.rule != self.rule {
            return false;
        }
        let below = self.path.ends_with('/');
        let pattern: Vec<&str> = self.path.trim_end_matches('/').split('/').collect();
        let path: Vec<&str> = finding.place.path.split('/').collect();
        let long_enough = if below {
            path.len() >= pattern.len()
        } else {
            path.len() == pattern.len()
        };
        long_enough && pattern.iter().zip(&path).all(|(p, name)| part(p, name))
    }
}

/// Whether `name` is `pattern`, in which `*` stands for anything.
pub(super) fn part(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let Some(mut rest) = name.strip_prefix(first) else {
        return false;
    };
    let Some(last) = pieces.next_back() else {
        return rest.is_empty();
    };
    for piece in pieces {
        match rest.split_once(piece) {
            Some((_, after)) => rest = after,
            None => return false,
        }
    }
    rest.ends_with(last)
}

/// The findings that are left on the day `today`, and what is wrong with the allowances.
pub fn apply(allowances: &[Allowance], findings: Vec<Finding>, today: &Date) -> Vec<Finding> {
    let mut used = vec![0_usize; allowances.len()];
    let mut left = Vec::new();
    for finding in findings {
        let mut allowed = false;
        for (allowance, used) in allowances.iter().zip(&mut used) {
            if allowance.covers(&finding) {
                *used += 1;
                allowed |= *today <= allowance.expires;
            }
        }
        if !allowed {
            left.push(finding);
        }
    }
    for (allowance, used) in allowances.iter().zip(used) {
        let what = format!("`{}` for `{}`", allowance.rule, shown(&allowance.path));
        if used == 0 {
            left.push(Finding::warning(
                allowance.place.clone(),
                "allow-unused",
                format!("nothing needs the allowance of {what}; remove it"),
            ));
        } else if *today > allowance.expires {
            left.push(Finding::warning(
                allowance.place.clone(),
                "allow-expired",
                format!("the allowance of {what} expired on {} and allows nothing any more; correct what it covered ({used}) or renew it", allowance.expires),
            ));
        }
    }
    left
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::yaml::{Reading, read};
    use super::*;

    fn settings(text: &str) -> Result<Vec<Allowance>, String> {
        let node =
            read(settings::PATH, text.as_bytes(), Reading::Strict).map_err(|e| e.to_string())?;
        Settings::read(&node)
            .map(|s| s.allow)
            .map_err(|e| e.to_string())
    }

    fn allowance(path: &str, expires: &str) -> Vec<Allowance> {
        let text = format!(
            "lint:\n  allow:\n    - rule: foreign\n      path: {path:?}\n      reason: moving\n      expires: \"{expires}\"\n"
        );
        match settings(&text) {
            Ok(allowances) => allowances,
            Err(e) => panic!("{e}"),
        }
    }

    fn today() -> Date {
        Date("2026-11-21".into())
    }

    fn left(path: &str, expires: &str) -> Vec<String> {
        let found = |path| Finding::error(Place::at(path, 3, 1), "foreign", "x");
        let findings = vec![
            found("customers/acme/web/values.yaml"),
            found("customers/acme/api/environments/dev.yaml"),
            Finding::error(
                Place::file("customers/acme/web/values.yaml"),
                "secret-plain",
                "x",
            ),
        ];
        apply(&allowance(path, expires), findings, &today())
            .iter()
            .map(ToString::to_string)
            .collect()
    }

    #[test]
    fn allows_what_the_path_covers_until_its_day_is_over() {
        let (values, dev, secret) = (
            "customers/acme/web/values.yaml:3:1: x [foreign]",
            "customers/acme/api/environments/dev.yaml:3:1: x [foreign]",
            "customers/acme/web/values.yaml: x [secret-plain]",
        );
        for (path, rest) in [
            ("customers/acme/", vec![secret]),
            ("customers/acme/web/values.yaml", vec![dev, secret]),
            ("customers/*/web/val*.yaml", vec![dev, secret]),
            ("*/a*e/", vec![secret]),
        ] {
            assert_eq!(left(path, "2026-11-21"), rest, "{path}");
        }
        for path in ["customers/acme", "customers/ac/", "customers/*", "acme/"] {
            let rest = left(path, "2027-01-31");
            assert_eq!(
                rest[3],
                format!(
                    "tenantry.yml:3:7: warning: nothing needs the allowance of `foreign` for `{path}`; remove it [allow-unused]"
                )
            );
        }
        assert_eq!(
            left("customers/acme/web/", "2026-11-20"),
            [
                values,
                dev,
                secret,
                "tenantry.yml:3:7: warning: the allowance of `foreign` for `customers/acme/web/` expired on 2026-11-20 and allows nothing any more; correct what it covered (1) or renew it [allow-expired]"
            ]
        );
    }

    #[test]
    fn what_is_no_lint_cannot_be_allowed() {
        for (entry, said) in [
            (
                "rule: schema-required, path: a/, reason: x, expires: \"2027-01-31\"",
                "tenantry.yml:1:23: `schema-required` cannot be allowed, only lints can: ",
            ),
            (
                "rule: foriegn, path: a/, reason: x, expires: \"2027-01-31\"",
                "tenantry.yml:1:23: there is no lint `foriegn`; did you mean `foreign`?",
            ),
            (
                "rule: allow-unused, path: a/, reason: x, expires: \"2027-01-31\"",
                "`allow-unused` cannot be allowed",
            ),
            (
                "rule: foreign, path: a/, expires: \"2027-01-31\"",
                "tenantry.yml:1:16: `reason` is missing here; add it",
            ),
            (
                "rule: foreign, path: a/, reason: x",
                "`expires` is missing here",
            ),
            (
                "rule: foreign, path: a/, reason: x, expires: \"2027-02-31\"",
                "`expires`: `2027-02-31` is not a day; write it as `\"2027-01-31\"`, in quotes",
            ),
            (
                "rule: foreign, path: a/, reason: x, expires: 2027-01-31",
                "[yaml-ambiguous]",
            ),
            (
                "rule: foreign, path: ../a, reason: x, expires: \"2027-01-31\"",
                "`path` must be a path of the estate",
            ),
            (
                "rule: foreign, path: a/, reason: x, expires: \"2027-01-31\", until: x",
                "unknown key `until`",
            ),
        ] {
            let found = settings(&format!("lint: {{allow: [{{{entry}}}]}}\n"))
                .err()
                .unwrap_or_default();
            assert_eq!(found.lines().count(), 1, "{entry}: {found}");
            assert!(found.contains(said), "{entry}: {found}");
        }
    }
}
