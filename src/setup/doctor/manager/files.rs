//! Workflow files: there, as this version writes them, pinned, switched on.

use super::judge::list;
use super::{Asked, Facts};
use crate::estate::ids::shown;
use crate::github::setup::{Change, NewFile};
use crate::setup::doctor::check as checks;
use crate::setup::doctor::workflow::proposal;
use crate::setup::doctor::{Repair, Sheet};

/// Images that GitHub has taken away, or is about to (github.com/actions/runner-images).
const RETIRED: [&str; 5] = [
    "ubuntu-16.04",
    "ubuntu-18.04",
    "ubuntu-20.04",
    "windows-2019",
    "macos-13",
];

pub(super) fn judge(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    let mut files = Vec::new();
    let mut wrong = Vec::new();
    for (path, file) in &facts.files {
        let file = match file {
            Err(why) => {
                sheet.unchecked(&checks::MANAGER_WORKFLOW, path.as_str(), why.clone());
                continue;
            }
            Ok(file) => file,
        };
        let Some((blob, text)) = file else {
            wrong.push((
                &checks::MANAGER_WORKFLOW,
                path,
                "it is not there".to_owned(),
                true,
            ));
            files.extend(asked.expected.text(path).map(|text| NewFile {
                path: path.clone(),
                text: text.to_owned(),
                before: None,
            }));
            continue;
        };
        let look = asked.expected.look(path, text);
        match look.parts.is_empty() {
            true => sheet.fine(&checks::MANAGER_WORKFLOW, path.as_str()),
            false => {
                let text = format!("not as this version writes it: {}", list(&look.parts));
                wrong.push((&checks::MANAGER_WORKFLOW, path, text, false));
            }
        }
        if !look.stale.is_empty() {
            let text = format!("not this version's commit: {}", list(&look.stale));
            let fixed = asked.expected.repinned(path, text_of(file));
            wrong.push((&checks::MANAGER_WORKFLOW_PIN, path, text, fixed.is_some()));
            files.extend(fixed.map(|text| NewFile {
                path: path.clone(),
                text,
                before: Some(blob.clone()),
            }));
        } else if !look.unpinned.is_empty() {
            let text = format!("not named by a full commit: {}", list(&look.unpinned));
            wrong.push((&checks::MANAGER_WORKFLOW_PIN, path, text, false));
        } else if let Err(why) = asked.expected.pin() {
            sheet.unchecked(&checks::MANAGER_WORKFLOW_PIN, path.as_str(), why.clone());
        } else {
            sheet.fine(&checks::MANAGER_WORKFLOW_PIN, path.as_str());
        }
        runners(path, &look.runners, sheet);
    }
    let repair = repair_of_files(asked, facts, &files);
    for (check, path, text, repairable) in wrong {
        let repair = repair.clone().filter(|_| repairable);
        sheet.finding(check, path.as_str(), text, repair);
        if repairable && facts.waiting == Ok(true) {
            let branch = asked.expected.branch("manager");
            sheet.remedy(format!("merge the pull request of the branch `{branch}`"));
        }
    }
    states(asked, facts, sheet);
}

fn text_of(file: &Option<(String, String)>) -> &str {
    file.as_ref().map_or("", |(_, text)| text)
}

/// One pull request for all of them, unless it waits already.
fn repair_of_files(asked: &Asked<'_>, facts: &Facts, files: &[NewFile]) -> Option<Repair> {
    let (settings, head) = (facts.settings.as_ref().ok()?, facts.head.as_ref().ok()?);
    if files.is_empty() || facts.waiting != Ok(false) || asked.expected.pin().is_err() {
        return None;
    }
    let branch = asked.expected.branch("manager");
    let changes = proposal(
        asked.repository,
        &settings.default_branch,
        head,
        &branch,
        files,
    );
    let says = format!(
        "open a pull request that writes {} workflow file{}",
        files.len(),
        if files.len() == 1 { "" } else { "s" }
    );
    Some(Repair::github(says, changes).then("review and merge the pull request"))
}

fn runners(path: &str, labels: &[String], sheet: &mut Sheet) {
    let retired: Vec<String> = labels
        .iter()
        .filter(|l| RETIRED.contains(&l.as_str()))
        .cloned()
        .collect();
    let own = labels.iter().any(|l| l == "self-hosted");
    match (retired.is_empty(), own) {
        (false, _) => {
            let text = format!("GitHub has retired {}", list(&retired));
            sheet.finding(&checks::MANAGER_RUNNER, path, text, None);
        }
        (true, true) => {
            let text = "`self-hosted` alone does not say that the runner begins anew for each job; what one customer's job leaves there, the next one's can read";
            sheet.finding(&checks::MANAGER_RUNNER, path, text, None);
        }
        (true, false) => sheet.fine(&checks::MANAGER_RUNNER, path),
    }
}

fn states(asked: &Asked<'_>, facts: &Facts, sheet: &mut Sheet) {
    for path in asked.expected.paths() {
        sheet.judge(
            &checks::MANAGER_WORKFLOW_ENABLED,
            path,
            &facts.states,
            |all| {
                // One that is not there is said to be missing already.
                let state = all.iter().find(|w| w.path == path)?;
                (state.state != "active").then(|| {
                    let repair = Repair::github(
                        format!("switch {path} on"),
                        vec![Change::enable_workflow(asked.repository, state.id)],
                    );
                    let text = format!("it is switched off ({})", shown(&state.state));
                    (text, Some(repair))
                })
            },
        );
    }
}
