//! Whether the workflows need the stored key of AWS: not, where every job that would be given it
//! takes a role instead.

use super::judge::list;
use crate::setup::doctor::check as checks;
use crate::setup::doctor::workflow::Expected;
use crate::setup::doctor::{Seen, Sheet};
use std::collections::{BTreeMap, BTreeSet};

/// The halves of the key.
const NAMES: [&str; 2] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

/// The jobs that are given the key and take no role. A file that is missing will be there as this
/// version writes it; one that cannot be read may have some.
pub(super) fn keyed(
    expected: &Expected,
    files: &BTreeMap<String, Seen<Option<(String, String)>>>,
) -> Seen<Vec<String>> {
    let mut out = Vec::new();
    let mut unread = None;
    for (path, file) in files {
        let text = match file {
            Ok(Some((_, text))) => Some(text.as_str()),
            Ok(None) => expected.text(path),
            Err(why) => {
                unread = Some(format!(
                    "whether a job in {path} takes a role is not known: {why}"
                ));
                None
            }
        };
        let name = path.rsplit('/').next().unwrap_or_default();
        let jobs = text.map(|text| expected.look(path, text).keyed);
        out.extend(
            jobs.into_iter()
                .flatten()
                .map(|job| format!("{name}: {job}")),
        );
    }
    match unread {
        Some(why) if out.is_empty() => Err(why),
        _ => Ok(out),
    }
}

/// Judges the secrets by them.
pub(super) fn judge(
    keyed: &Seen<Vec<String>>,
    secrets: &Seen<BTreeSet<String>>,
    sheet: &mut Sheet,
) {
    let check = &checks::MANAGER_SECRET;
    for name in NAMES {
        match (keyed, secrets) {
            (Ok(jobs), _) if jobs.is_empty() => sheet.note(check, name, "every job takes a role"),
            (Ok(jobs), _) => sheet.judge(check, name, secrets, |there| {
                let text = || format!("the secret is missing; these jobs reach the store with it, and take no role: {}", list(jobs));
                (!there.contains(name)).then(|| (text(), None))
            }),
            (Err(_), Ok(there)) if there.contains(name) => sheet.fine(check, name),
            (Err(why), _) => sheet.unchecked(check, name, why.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::{EnvironmentId, RepoSlug, Sha};
    use crate::registry::scaffold::{self, Actions, ManagerPlan};
    use crate::setup::doctor::Outcome;

    fn expected() -> Expected {
        let slug = |text: &str| RepoSlug::new(text).unwrap();
        let pin = Sha::new(&"a".repeat(40)).unwrap();
        let environment = |name: &str| EnvironmentId::new(name).unwrap();
        let files = scaffold::manager(&ManagerPlan {
            manager: slug("ops/infra"),
            environments: vec![environment("staging"), environment("production")],
            bucket: "states".into(),
            region: "eu-west-1".into(),
            own_environments: false,
            recipient: String::new(),
            audit_key: String::new(),
            audit_bucket: None,
            actions: Actions {
                actions_repository: slug("o/t"),
                actions_ref: pin.clone(),
                actions_version: "9.0.0".into(),
            },
        })
        .unwrap();
        Expected::new(files, &slug("o/t"), Ok(pin), "9.0.0")
    }

    /// Takes the `#` away where a provider would.
    fn with_roles(text: &str, role: &str) -> String {
        let lines: Vec<&str> = text.lines().collect();
        let mut out = String::new();
        for (i, line) in lines.iter().enumerate() {
            let step = lines[..=i]
                .iter()
                .rposition(|l| l.contains("# - uses: aws-actions/"))
                .filter(|at| lines[at + 2].contains(role))
                .filter(|at| lines[*at..=i].iter().all(|l| l.starts_with("      # ")));
            let identity = line.contains("# id-token: write") && role == STORE;
            match step.is_some() || identity {
                true => out.push_str(&line.replacen("# ", "", 1)),
                false => out.push_str(line),
            }
            out.push('\n');
        }
        out.replace("<full commit SHA>", &"c".repeat(40))
    }

    const CLOUD: &str = "vars.AWS_ROLE_ARN";
    const STORE: &str = "vars.AWS_MANAGER_ROLE_ARN";

    fn files(
        expected: &Expected,
        roles: &[&str],
    ) -> BTreeMap<String, Seen<Option<(String, String)>>> {
        let of = |path: &str| {
            let mut text = expected.text(path).unwrap().to_owned();
            for role in roles {
                text = with_roles(&text, role);
            }
            (path.to_owned(), Ok(Some((String::new(), text))))
        };
        expected.paths().map(of).collect()
    }

    fn outcomes(
        expected: &Expected,
        files: &BTreeMap<String, Seen<Option<(String, String)>>>,
    ) -> Vec<Outcome> {
        let mut sheet = Sheet::default();
        judge(&keyed(expected, files), &Ok(BTreeSet::new()), &mut sheet);
        sheet.0.into_iter().map(|v| v.outcome).collect()
    }

    #[test]
    fn the_key_is_needed_until_every_job_takes_a_role() {
        let expected = expected();
        for (roles, jobs) in [
            (&[][..], 19),
            // Those that plan, apply and look for drift.
            (&[CLOUD], 9),
            (&[STORE], 10),
            (&[CLOUD, STORE], 0),
        ] {
            let files = files(&expected, roles);
            let keyed = keyed(&expected, &files).unwrap();
            assert_eq!(keyed.len(), jobs, "{roles:?}: {keyed:?}");
            for (path, file) in &files {
                let (_, text) = file.as_ref().unwrap().as_ref().unwrap();
                let look = expected.look(path, text);
                assert_eq!(look.parts, Vec::<String>::new(), "{path} {roles:?}");
                assert_eq!(look.unpinned, Vec::<String>::new(), "{path} {roles:?}");
            }
            for outcome in outcomes(&expected, &files) {
                match (jobs, outcome) {
                    (0, Outcome::Fine(_)) => {}
                    (0, other) => panic!("{roles:?}: {other:?}"),
                    (_, Outcome::Finding { message, .. }) => {
                        assert!(message.contains("take no role: `"), "{message}");
                    }
                    (_, other) => panic!("{roles:?}: {other:?}"),
                }
            }
        }
    }

    #[test]
    fn what_only_looks_like_a_role_is_none() {
        let expected = expected();
        let right = files(&expected, &[CLOUD, STORE]);
        let path = ".github/workflows/credentials.yml";
        let (_, text) = right[path].clone().unwrap().unwrap();
        let step = "      - uses: aws-actions/configure-aws-credentials";
        let at = text.find(step).unwrap();
        let end = text.find("      - name: Check").unwrap();
        let late = format!("{}{}{}", &text[..at], &text[end..], &text[at..end]);
        for (what, changed) in [
            (
                "no identity",
                text.replace("      id-token: write", "      # id-token: write"),
            ),
            (
                "no role",
                text.replace("${{ vars.AWS_MANAGER_ROLE_ARN }}", "\"\""),
            ),
            (
                "a comment",
                text.replace("          role-to-assume:", "          # role-to-assume:"),
            ),
            ("too late", late),
        ] {
            assert_ne!(changed, text, "{what}");
            let mut files = right.clone();
            files.insert(path.into(), Ok(Some((String::new(), changed))));
            assert_eq!(
                keyed(&expected, &files),
                Ok(vec!["credentials.yml: check".into()]),
                "{what}"
            );
        }
        // Without the key in its environment, a job reaches the store by other means.
        let mut own = files(&expected, &[CLOUD, STORE]);
        let bare = expected
            .text(path)
            .unwrap()
            .replace("AWS_ACCESS_KEY_ID", "OTHER");
        own.insert(path.into(), Ok(Some((String::new(), bare))));
        assert_eq!(keyed(&expected, &own), Ok(Vec::new()));
    }

    #[test]
    fn what_cannot_be_read_is_not_fine() {
        let expected = expected();
        let path = ".github/workflows/deploy.yml".to_owned();
        let mut blind = files(&expected, &[CLOUD, STORE]);
        blind.insert(path.clone(), Err("it has 9 bytes".into()));
        for outcome in outcomes(&expected, &blind) {
            assert!(matches!(outcome, Outcome::Unchecked(_)), "{outcome:?}");
        }
        let mut sheet = Sheet::default();
        let there = NAMES.iter().map(|n| (*n).to_owned()).collect();
        judge(&keyed(&expected, &blind), &Ok(there), &mut sheet);
        assert_eq!(sheet.count().fine, 2);
        // One that is missing will be as this version writes it, with the key.
        let mut missing = blind;
        missing.insert(path, Ok(None));
        assert!(keyed(&expected, &missing).is_ok_and(|jobs| jobs.len() == 7));
    }
}
