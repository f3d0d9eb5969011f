//! Workflow files against those that this version of tenantry writes.
//!
//! A provider changes these files: schedules, time-outs, how the store is reached, steps of their
//! own. So texts are not compared, but what tenantry relies on: the jobs, what they may do, in
//! which environment they run, in which order, and what our actions are given.

use super::Seen;
use crate::digest::Digest;
use crate::estate::ids::shown;
use crate::estate::yaml::{Reading, read};
use crate::estate::{RepoSlug, Sha};
use crate::github::setup::{Change, NewFile};
use crate::registry::scaffold::File;
use serde_json::Value;
use std::collections::BTreeMap;

/// The workflow files as this version writes them.
#[derive(Debug, Clone)]
pub struct Expected {
    files: BTreeMap<String, String>,
    actions: String,
    pin: Seen<Sha>,
    version: String,
}

/// What a file differs in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Look {
    /// Parts that are missing or say something else, such as `jobs.intake.permissions`.
    pub parts: Vec<String>,
    /// Actions of others that are not named by a full commit.
    pub unpinned: Vec<String>,
    /// Actions of ours that are not named by this version's commit.
    pub stale: Vec<String>,
    /// What the jobs run on, where that is a plain label.
    pub runners: Vec<String>,
    /// Every action and workflow that is used.
    pub used: Vec<String>,
    /// Jobs that are given a stored key of AWS, and take no role instead.
    pub keyed: Vec<String>,
}

/// The stored key of AWS, as a job is given it.
const KEY: &str = "AWS_ACCESS_KEY_ID";

impl Expected {
    /// Of files that were rendered for `pin`; where that is not known, for any commit.
    pub fn new(files: Vec<File>, actions: &RepoSlug, pin: Seen<Sha>, version: &str) -> Self {
        let files = files.into_iter();
        Self {
            files: files
                .filter(|(path, _)| path.starts_with(".github/workflows/"))
                .collect(),
            actions: format!("{actions}/actions/"),
            pin,
            version: version.to_owned(),
        }
    }

    /// Their paths.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    /// The text of one.
    pub fn text(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Our actions, as the list of allowed actions names them.
    pub fn pattern(&self) -> String {
        let repository = self.actions.trim_end_matches("/actions/");
        format!("{repository}/*")
    }

    /// The commit that they name.
    pub fn pin(&self) -> &Seen<Sha> {
        &self.pin
    }

    /// The branch on which these files are proposed: another name for other files, so that a
    /// proposal that waits is found again, and never taken for another one.
    pub fn branch(&self, who: &str) -> String {
        let files = self.files.iter();
        let all = files.map(|(path, text)| (path.as_str(), text.as_bytes()));
        let digest = Digest::of_parts(all);
        let short: String = digest.hex().chars().take(10).collect();
        format!("tenantry/doctor-{who}-{short}")
    }

    /// Compares a file. A file that is no YAML differs as a whole.
    pub fn look(&self, path: &str, text: &str) -> Look {
        let mut look = Look::default();
        let Some(expected) = self.text(path).and_then(|t| tree(path, t)) else {
            return look;
        };
        let Some(found) = tree(path, text) else {
            look.parts.push("the whole file, which is no YAML".into());
            return look;
        };
        self.compare(&expected, &found, &mut look.parts);
        self.uses(&found, &mut look);
        let jobs = found.get("jobs").and_then(Value::as_object);
        for (name, job) in jobs.into_iter().flatten() {
            let keyed = [job.get("env"), job.get("steps"), found.get("env")];
            if keyed.into_iter().flatten().any(|n| mentions(n, KEY)) && !self.takes_role(job) {
                look.keyed.push(name.clone());
            }
            match job.get("runs-on") {
                Some(Value::String(label)) => look.runners.push(label.clone()),
                Some(Value::Array(labels)) => {
                    let labels = labels.iter().filter_map(Value::as_str);
                    look.runners.extend(labels.map(str::to_owned));
                }
                _ => {}
            }
        }
        look.runners.sort();
        look.runners.dedup();
        look
    }

    fn compare(&self, expected: &Value, found: &Value, out: &mut Vec<String>) {
        if expected.get("permissions") != found.get("permissions") {
            out.push("permissions".into());
        }
        for event in names(expected.get("on")) {
            if !names(found.get("on")).contains(&event) {
                out.push(format!("on.{event}"));
            }
        }
        let empty = serde_json::Map::new();
        let jobs = expected.get("jobs").and_then(Value::as_object);
        for (name, job) in jobs.unwrap_or(&empty) {
            let Some(theirs) = found.get("jobs").and_then(|j| j.get(name)) else {
                out.push(format!("jobs.{name}"));
                continue;
            };
            for key in [
                "permissions",
                "environment",
                "needs",
                "if",
                "strategy",
                "concurrency",
                "outputs",
            ] {
                let same = match key {
                    "permissions" => same_permissions(job.get(key), theirs.get(key)),
                    _ => job.get(key) == theirs.get(key),
                };
                if !same {
                    out.push(format!("jobs.{name}.{key}"));
                }
            }
            for step in steps(job) {
                let Some(action) = self.ours(step) else {
                    continue;
                };
                let there = steps(theirs).find(|s| self.ours(s) == Some(action));
                let inputs = step.get("with").and_then(Value::as_object);
                match there {
                    None => out.push(format!("jobs.{name}: action {action}")),
                    Some(there) => {
                        if step.get("id") != there.get("id") {
                            out.push(format!("jobs.{name}: id of action {action}"));
                        }
                        for (input, value) in inputs.unwrap_or(&empty) {
                            if there.get("with").and_then(|w| w.get(input)) != Some(value) {
                                out.push(format!("jobs.{name}: input {input} of action {action}"));
                            }
                        }
                    }
                }
            }
        }
    }

    /// Whether a job gets a role of AWS by its own identity, before the first of our steps.
    fn takes_role(&self, job: &Value) -> bool {
        let takes = |step: &Value| {
            let role = step.pointer("/with/role-to-assume").and_then(Value::as_str);
            role.is_some_and(|r| !r.trim().is_empty())
        };
        permits(job.get("permissions"), IDENTITY)
            && steps(job).take_while(|s| self.ours(s).is_none()).any(takes)
    }

    /// Whether an action is one of ours.
    pub fn is_ours(&self, action: &str) -> bool {
        action.starts_with(&self.actions)
    }

    /// The name of our action that a step uses.
    fn ours<'a>(&self, step: &'a Value) -> Option<&'a str> {
        let uses = step.get("uses")?.as_str()?;
        uses.strip_prefix(&self.actions)?.split('@').next()
    }

    /// Every `uses` of a file.
    fn uses(&self, node: &Value, look: &mut Look) {
        match node {
            Value::Object(map) => {
                if let Some(Value::String(uses)) = map.get("uses") {
                    self.pinned(uses, look);
                }
                map.values().for_each(|v| self.uses(v, look));
            }
            Value::Array(list) => list.iter().for_each(|v| self.uses(v, look)),
            _ => {}
        }
    }

    fn pinned(&self, uses: &str, look: &mut Look) {
        look.used.push(uses.to_owned());
        let (action, commit) = uses.split_once('@').unwrap_or((uses, ""));
        let full = Sha::new(commit).is_ok();
        if action.starts_with("./") || action.starts_with("docker://") && uses.contains("@sha256:")
        {
            return;
        }
        let stale = action.starts_with(&self.actions)
            && self.pin.as_ref().is_ok_and(|pin| pin.as_str() != commit);
        if stale {
            look.stale.push(shown(uses));
        } else if !full {
            look.unpinned.push(shown(uses));
        }
    }

    /// The same file with this version's commit, if that is all that has to change.
    pub fn repinned(&self, path: &str, text: &str) -> Option<String> {
        let pin = self.pin.as_ref().ok()?;
        let mut out = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            let at = line.find(&self.actions).filter(|_| line.contains("uses:"));
            let Some((before, rest)) =
                at.and_then(|at| line[at..].find('@').map(|n| line.split_at(at + n + 1)))
            else {
                out.push_str(line);
                continue;
            };
            let end = rest
                .find(|c: char| !c.is_ascii_alphanumeric() && !"._-/".contains(c))
                .unwrap_or(rest.len());
            let (_, behind) = rest.split_at(end);
            out.push_str(before);
            out.push_str(pin.as_str());
            match behind.split_once(" # v") {
                Some((close, comment)) => {
                    let tail: String = comment
                        .chars()
                        .skip_while(|c| c.is_ascii_alphanumeric() || "._-".contains(*c))
                        .collect();
                    out.push_str(&format!("{close} # v{}{tail}", self.version));
                }
                None => out.push_str(behind),
            }
        }
        let look = self.look(path, &out);
        (look.stale.is_empty() && look.parts.is_empty()).then_some(out)
    }
}

/// A pull request that writes files on a branch of its own.
pub fn proposal(
    repo: &RepoSlug,
    base: &str,
    head: &str,
    branch: &str,
    files: &[NewFile],
) -> Vec<Change> {
    let title = "Bring tenantry's workflows up to date";
    let mut changes = vec![Change::branch(repo, branch, head)];
    for file in files {
        let message = format!("workflows: {}", file.path);
        changes.push(Change::file(repo, branch, file, &message));
    }
    let list: String = files.iter().map(|f| format!("- `{}`\n", f.path)).collect();
    let text = format!("Proposed by `tenantry doctor --fix`:\n\n{list}");
    changes.push(Change::pull(repo, branch, base, title, &text));
    changes
}

fn tree(path: &str, text: &str) -> Option<Value> {
    let node = read(path, text.as_bytes(), Reading::Core).ok()?;
    Some(node.to_json()).filter(Value::is_object)
}

fn steps(job: &Value) -> impl Iterator<Item = &Value> {
    job.get("steps")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

/// Lets a job ask for a token of its identity, by which it takes a role.
const IDENTITY: &str = "id-token";

fn permits(permissions: Option<&Value>, what: &str) -> bool {
    let write = |v: Option<&Value>| v.and_then(Value::as_str) == Some("write");
    write(permissions.and_then(|p| p.get(what)))
}

/// Whether a job may do what it must, and nothing else but prove who it is: every job of ours may
/// take a role instead of being given a key.
fn same_permissions(expected: Option<&Value>, found: Option<&Value>) -> bool {
    let (Some(Value::Object(expected)), Some(Value::Object(more))) = (expected, found) else {
        return expected == found;
    };
    let mut less = more.clone();
    if permits(found, IDENTITY) && !expected.contains_key(IDENTITY) {
        less.remove(IDENTITY);
    }
    *expected == less
}

/// Whether a word stands anywhere in a part of a file.
fn mentions(node: &Value, word: &str) -> bool {
    match node {
        Value::String(text) => text.contains(word),
        Value::Array(list) => list.iter().any(|v| mentions(v, word)),
        Value::Object(map) => map.iter().any(|(k, v)| k == word || mentions(v, word)),
        _ => false,
    }
}

/// The names of the events in `on`, which may be a word, a list or a map.
fn names(on: Option<&Value>) -> Vec<&str> {
    match on {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(list)) => list.iter().filter_map(Value::as_str).collect(),
        Some(Value::Object(map)) => map.keys().map(String::as_str).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "on:\n  push:\npermissions: {}\njobs:\n  go:\n    runs-on: ubuntu-latest\n    environment: x-plan\n    permissions:\n      contents: read\n    steps:\n      - uses: actions/checkout@de0fac2e4500dabe0009e67214ff5f5447ce83dd # v6.0.2\n      - id: plan\n        uses: \"o/t/actions/plan@PIN\" # v9.0.0\n        with:\n          stack: ${{ matrix.stack }}\n";
    const PATH: &str = ".github/workflows/deploy.yml";

    fn expected() -> Expected {
        let pin = Sha::new(&"b".repeat(40)).unwrap();
        let text = TEXT.replace("PIN", pin.as_str());
        let actions = RepoSlug::new("o/t").unwrap();
        Expected::new(vec![(PATH.into(), text)], &actions, Ok(pin), "9.0.0")
    }

    #[test]
    fn what_a_provider_may_change_is_no_difference() {
        let own = expected().text(PATH).unwrap().to_owned();
        assert_eq!(expected().look(PATH, &own).parts, Vec::<String>::new());
        let changed = own
            .replace("    steps:\n", "    timeout-minutes: 7\n    env: {A: b}\n    steps:\n      - uses: aws-actions/configure-aws-credentials@de0fac2e4500dabe0009e67214ff5f5447ce83dd\n")
            .replace("  push:\n", "  push:\n    branches: [trunk]\n  workflow_dispatch:\n")
            .replace("contents: read", "contents: read\n      id-token: write");
        let look = expected().look(PATH, &changed);
        assert_eq!(
            (look.parts, look.unpinned, look.stale),
            (vec![], vec![], vec![])
        );
        assert_eq!(look.runners, ["ubuntu-latest"]);
    }

    #[test]
    fn what_tenantry_relies_on_is_one() {
        let own = expected().text(PATH).unwrap().to_owned();
        for (from, to, part) in [
            ("contents: read", "contents: write", "jobs.go.permissions"),
            ("contents: read", "id-token: write", "jobs.go.permissions"),
            (
                "contents: read",
                "contents: read\n      id-token: write\n      actions: write",
                "jobs.go.permissions",
            ),
            (
                "permissions: {}",
                "permissions: {id-token: write}",
                "permissions",
            ),
            ("x-plan", "x-apply", "jobs.go.environment"),
            ("  go:", "  went:", "jobs.go"),
            ("permissions: {}\n", "", "permissions"),
            ("  push:", "  pull_request_target:", "on.push"),
            ("id: plan", "id: other", "jobs.go: id of action plan"),
            (
                "matrix.stack }}",
                "github.actor }}",
                "jobs.go: input stack of action plan",
            ),
            ("actions/plan@", "actions/apply@", "jobs.go: action plan"),
        ] {
            let look = expected().look(PATH, &own.replacen(from, to, 1));
            assert_eq!(look.parts, [part], "{from}");
        }
        let look = expected().look(PATH, "a: [");
        assert_eq!(look.parts.len(), 1, "no YAML at all");
        assert_eq!(expected().look(PATH, "[]").parts.len(), 1);
    }

    #[test]
    fn t24_a_pin_is_found_and_put_right_and_nothing_else() {
        let own = expected().text(PATH).unwrap().to_owned();
        let old = own
            .replace(&"b".repeat(40), &"a".repeat(40))
            .replace("v9.0.0", "v8.1.2");
        let look = expected().look(PATH, &old);
        assert_eq!(look.stale, [format!("o/t/actions/plan@{}", "a".repeat(40))]);
        assert_eq!(
            expected().repinned(PATH, &old).as_deref(),
            Some(own.as_str())
        );
        // A tag is replaced as well; a foreign one is told, and left to its owner.
        let tagged = own
            .replace(&"b".repeat(40), "v9")
            .replace("de0fac2e4500dabe0009e67214ff5f5447ce83dd", "v6");
        let look = expected().look(PATH, &tagged);
        assert_eq!(look.unpinned, ["actions/checkout@v6"]);
        let put_right = expected().repinned(PATH, &tagged).unwrap();
        assert!(put_right.contains("actions/checkout@v6 ") && put_right.contains(&"b".repeat(40)));
        // Whatever else differs is not repaired in passing.
        let more = old.replace("contents: read", "contents: write");
        assert_eq!(expected().repinned(PATH, &more), None);
    }
}
