//! What every file must keep to: the arrows between the rooms, what is named in one room only,
//! sizes, paths in the documentation, shell in actions, pinned `uses:`, and a test for each threat.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot read its own repository has failed"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use tenantry::estate::value::{Data, Node};
use tenantry::estate::yaml::{Reading, read};
use tenantry::estate::{EnvironmentId, RepoSlug, Sha};
use tenantry::registry::scaffold::{Actions, CustomerPlan, ManagerPlan, customer, manager};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file below `folder` with one of `extensions`, as paths from the root, sorted.
fn files(folder: &str, extensions: &[&str]) -> Vec<String> {
    let mut out = Vec::new();
    let mut open = vec![PathBuf::from(folder)];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(root().join(&next)).unwrap() {
            let entry = entry.unwrap();
            let path = next.join(entry.file_name());
            if entry.file_type().unwrap().is_dir() {
                if entry.file_name() != "node_modules" {
                    open.push(path);
                }
            } else if path
                .extension()
                .is_some_and(|e| extensions.iter().any(|x| e == *x))
            {
                out.push(path.to_str().unwrap().to_owned());
            }
        }
    }
    out.sort();
    out
}

fn text(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// One line of Rust, without its comment.
struct Line {
    number: usize,
    code: String,
    test: bool,
}

/// A source file's lines. What follows `#[cfg(test)]` and whole test files count as tests.
fn lines(path: &str) -> Vec<Line> {
    let mut test = path.contains("/tests") || path.ends_with("_tests.rs");
    let mut out = Vec::new();
    for (i, line) in text(path).lines().enumerate() {
        test |= line.trim_start().starts_with("#[cfg(test)]");
        let code = match line.find("//") {
            // `https://` in a text is no comment.
            Some(at) if !line[..at].ends_with(':') => &line[..at],
            _ => line,
        };
        out.push(Line {
            number: i + 1,
            code: code.to_owned(),
            test,
        });
    }
    out
}

fn none(offences: Vec<String>, rule: &str) {
    assert!(offences.is_empty(), "{rule}\n{}", offences.join("\n"));
}

/// The rooms from top to bottom. Rooms of one level do not know each other; the last level may
/// be used by every room, also by its neighbours below.
const LEVELS: [&[&str]; 9] = [
    &["cli"],
    &["local"],
    &["setup"],
    &["delivery", "registry"],
    &["report"],
    &["audit"],
    &["github", "store", "engine", "keyring"],
    &["estate"],
    &["clock", "digest"],
];

fn level(room: &str) -> Option<usize> {
    LEVELS.iter().position(|rooms| rooms.contains(&room))
}

fn room(path: &str) -> String {
    path.split('/').nth(1).unwrap().replace(".rs", "")
}

/// Depth of a file's module below the crate.
fn depth(path: &str) -> usize {
    let parts = path.split('/').count() - 1;
    if path.ends_with("/mod.rs") {
        parts - 1
    } else {
        parts
    }
}

/// The names that follow `crate::` in a piece of code, also in braces.
fn rooms_named(code: &str) -> Vec<String> {
    let word = |s: &str| -> String {
        s.trim_start()
            .chars()
            .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
            .collect()
    };
    let mut out = Vec::new();
    for after in code.split("crate::").skip(1) {
        match after.strip_prefix('{') {
            None => out.push(word(after)),
            Some(group) => {
                // Only the first word of each member of the outermost braces names a room.
                let mut nested = 0_i32;
                let mut member = String::new();
                for c in group.chars() {
                    match c {
                        '}' if nested == 0 => break,
                        '{' => nested += 1,
                        '}' => nested -= 1,
                        ',' if nested == 0 => out.push(word(&std::mem::take(&mut member))),
                        c => member.push(c),
                    }
                }
                out.push(word(&member));
            }
        }
    }
    out
}

/// A judge that finds nothing would pass everything: it is judged first.
#[test]
fn the_readers_of_this_test_find_what_is_there() {
    assert_eq!(
        rooms_named("use crate::cli::Env; use crate::{store::{Put, lease}, estate};"),
        ["cli", "store", "estate"]
    );
    assert_eq!(depth("src/clock.rs"), 1);
    assert_eq!(depth("src/delivery/mod.rs"), 1);
    assert_eq!(depth("src/local/rest/pulls.rs"), 3);
    assert_eq!(
        paths_named("see `src/cli/`, `src/no.rs`, `docs/<x>.md` and src/y.rs"),
        [(1, "src/cli/".to_owned()), (1, "src/no.rs".to_owned())]
    );
    let tree = parsed("x.yml", "jobs: {a: {steps: [{run: \"echo ${{ x }}\"}]}}");
    let mut all = Vec::new();
    maps(&tree, "", &mut all);
    assert!(
        all.iter()
            .any(|(at, m)| at == "/jobs/a/steps" && m.get("run").is_some())
    );
}

#[test]
fn arrows_between_rooms_point_down() {
    let mut offences = Vec::new();
    for path in files("src", &["rs"]) {
        if matches!(path.as_str(), "src/lib.rs" | "src/main.rs") {
            continue;
        }
        let own = room(&path);
        let Some(from) = level(&own) else {
            offences.push(format!(
                "{path}: `{own}` is no room of LEVELS in tests/tidy.rs"
            ));
            continue;
        };
        let all = lines(&path);
        // Imports may be spread over lines, so the file is looked at as one text.
        let code: String = all.iter().map(|l| format!("{}\n", l.code)).collect();
        for name in rooms_named(&code) {
            if let Some(to) = level(&name)
                && name != own
                && to <= from
            {
                offences.push(format!("{path}: `{own}` may not use `{name}`"));
            }
        }
        for line in &all {
            let supers = line.code.matches("super::").count();
            let inside = depth(&path) + usize::from(line.test && !path.contains("/tests"));
            if line.code.contains("super::super::") && supers >= inside {
                offences.push(format!(
                    "{path}:{}: leaves its room by `super`; write `crate::<room>`",
                    line.number
                ));
            }
        }
    }
    none(offences, "an arrow between rooms points up or sideways:");
}

#[test]
fn the_map_in_lib_rs_is_the_one_that_is_enforced() {
    let map = text("src/lib.rs");
    for (i, rooms) in LEVELS.iter().enumerate() {
        let line = map
            .lines()
            .find(|l| l.starts_with(&format!("//! {}. ", i + 1)))
            .unwrap();
        for room in *rooms {
            assert!(line.contains(&format!("[`{room}`]")), "{line}: {room}");
        }
    }
    let modules: BTreeSet<&str> = map
        .lines()
        .filter_map(|l| l.strip_prefix("pub mod ")?.strip_suffix(';'))
        .collect();
    assert_eq!(
        modules,
        LEVELS.iter().flat_map(|l| l.iter().copied()).collect()
    );
}

#[test]
fn some_names_stand_in_one_room_only() {
    let mut offences = Vec::new();
    for path in files("src", &["rs"]) {
        for line in lines(&path) {
            let mut refuse = |what: &str| {
                offences.push(format!("{path}:{}: {what}", line.number));
            };
            let has = |word: &str| line.code.contains(word);
            // A test may drive the local GitHub with somebody else's client.
            if has("octocrab") && !path.starts_with("src/github/") && !line.test {
                refuse("`octocrab` is named in src/github/ only");
            }
            if has("anyhow") && !path.starts_with("src/cli/") {
                refuse("`anyhow` is named in src/cli/ only");
            }
            if line.test {
                continue;
            }
            if has("std::env::") && path != "src/cli/env.rs" && !has("std::env::current_exe") {
                refuse("only src/cli/env.rs reads the environment");
            }
            if ["println!(", "print!("].iter().any(|w| has(w)) {
                refuse("only src/cli/print.rs prints");
            }
            if ["process::exit", "todo!(", "unimplemented!(", "dbg!("]
                .iter()
                .any(|w| has(w))
            {
                refuse("neither `process::exit` nor `todo!`, `unimplemented!`, `dbg!`");
            }
        }
    }
    none(offences, "named in the wrong room:");
}

#[test]
fn the_estate_is_pure() {
    let mut offences = Vec::new();
    let never = [
        "async ",
        ".await",
        "std::fs",
        "std::env",
        "std::net",
        "std::process",
        "std::thread",
        "tokio",
        "Instant",
        "SystemTime",
    ];
    for path in files("src/estate", &["rs"]) {
        for line in lines(&path) {
            for word in never.iter().filter(|w| line.code.contains(**w)) {
                offences.push(format!("{path}:{}: `{}`", line.number, word.trim()));
            }
            // A length of time is a value; the time of day is not.
            if line.code.contains("std::time::") && !line.code.contains("std::time::Duration") {
                offences.push(format!("{path}:{}: a clock", line.number));
            }
        }
    }
    none(
        offences,
        "no async, no I/O, no clock and no environment in src/estate/:",
    );
}

#[test]
fn files_stay_readable() {
    const LIMIT: usize = 450;
    let offences = files("src", &["rs"])
        .into_iter()
        .filter(|p| !p.contains("/tests"))
        .filter_map(|path| {
            let long = lines(&path).iter().filter(|l| !l.test).count();
            (long > LIMIT).then(|| format!("{path}: {long} lines"))
        })
        .collect();
    none(
        offences,
        "longer than 450 lines without tests; split by what they are about:",
    );
}

/// The pages of this repository; what stands in templates speaks about another one.
fn pages() -> Vec<String> {
    let mut out: Vec<String> = fs::read_dir(root())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .filter(|n| n.ends_with(".md"))
        .collect();
    out.extend(files("docs", &["md"]));
    out
}

/// Paths in backticks that start like ours and end like a file or a folder.
fn paths_named(page: &str) -> Vec<(usize, String)> {
    let ours = [
        "src/",
        "docs/",
        "tests/",
        "actions/",
        "workflows/",
        "templates/",
        "install/",
        "fuzz/",
    ];
    let mut out = Vec::new();
    for (i, line) in page.lines().enumerate() {
        for (n, piece) in line.split('`').enumerate() {
            let a_path = n % 2 == 1
                && ours.iter().any(|o| piece.starts_with(o))
                && !piece.contains([' ', '<', '*', '{', '…', '$'])
                && (piece.ends_with('/') || piece.rsplit('/').next().unwrap().contains('.'));
            if a_path {
                out.push((i + 1, piece.to_owned()));
            }
        }
    }
    out
}

#[test]
fn paths_in_the_documentation_exist() {
    let mut offences = Vec::new();
    for page in pages() {
        for (line, path) in paths_named(&text(&page)) {
            let there = root().join(&path);
            let ok = if path.ends_with('/') {
                there.is_dir()
            } else {
                there.exists()
            };
            if !ok {
                offences.push(format!("{page}:{line}: `{path}` does not exist"));
            }
        }
    }
    none(offences, "a page names a path that is not there:");
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut offences = Vec::new();
    for page in pages() {
        let folder = Path::new(&page).parent().unwrap().to_owned();
        for (i, line) in text(&page).lines().enumerate() {
            for after in line.split("](").skip(1) {
                let target = after.split([')', '#', ' ']).next().unwrap();
                let foreign = target.is_empty() || target.contains("://");
                if !foreign && !root().join(&folder).join(target).exists() {
                    offences.push(format!("{page}:{}: `{target}`", i + 1));
                }
            }
        }
    }
    none(offences, "a link leads nowhere:");
}

/// A workflow or action as a tree, with its path. Templates are valid workflows as they stand.
fn parsed(path: &str, content: &str) -> Node {
    read(path, content.as_bytes(), Reading::Core).unwrap()
}

/// Every map of a tree, with the keys that lead to it.
fn maps<'a>(node: &'a Node, at: &str, out: &mut Vec<(String, &'a Node)>) {
    match &node.data {
        Data::Map(entries) => {
            out.push((at.to_owned(), node));
            for (key, value) in entries {
                maps(value, &format!("{at}/{}", key.name), out);
            }
        }
        Data::List(items) => items.iter().for_each(|item| maps(item, at, out)),
        _ => {}
    }
}

fn shipped() -> Vec<(String, String)> {
    let mut paths = vec!["action.yml".to_owned()];
    paths.extend(files("actions", &["yml"]));
    paths.extend(files("workflows", &["yml"]));
    paths.extend(files(".github/workflows", &["yml"]));
    paths
        .into_iter()
        .map(|p| {
            let content = text(&p);
            (p, content)
        })
        .collect()
}

/// What `tenantry init` writes for a manager and for a customer.
fn written() -> Vec<(String, String)> {
    let actions = Actions {
        actions_repository: RepoSlug::new("tenantry/tenantry").unwrap(),
        actions_ref: Sha::new(&"a".repeat(40)).unwrap(),
        actions_version: "0.1.0".into(),
    };
    let environments = ["dev", "pre-prod", "production"]
        .map(|e| EnvironmentId::new(e).unwrap())
        .to_vec();
    let mut out = Vec::new();
    for own_environments in [false, true] {
        let plan = ManagerPlan {
            manager: RepoSlug::new("ops/infra-manager").unwrap(),
            environments: environments.clone(),
            bucket: "state".into(),
            region: "eu-west-1".into(),
            own_environments,
            recipient: "age1".into(),
            audit_key: "ed25519:".into(),
            audit_bucket: None,
            actions: actions.clone(),
        };
        out.extend(manager(&plan).unwrap());
    }
    out.extend(
        customer(&CustomerPlan {
            project: "shop".into(),
            environments,
            branch: "main".into(),
            actions,
        })
        .unwrap(),
    );
    out.retain(|(path, _)| path.starts_with(".github/"));
    out
}

#[test]
fn the_shell_of_actions_decides_nothing() {
    let verbs: BTreeSet<String> = files("src/cli/commands", &["rs"])
        .iter()
        .map(|p| {
            let verb = p.strip_prefix("src/cli/commands/").unwrap();
            verb.replace("/mod.rs", "")
                .replace(".rs", "")
                .replace('/', " ")
        })
        .collect();
    let mut offences = Vec::new();
    for (path, content) in shipped() {
        let tree = parsed(&path, &content);
        let mut all = Vec::new();
        maps(&tree, "", &mut all);
        for (_, map) in all {
            let Some(run) = map.get("run").and_then(Node::text) else {
                continue;
            };
            if run.contains("${{") {
                offences.push(format!("{path}:{}: an expression in `run`", map.line));
            }
            if path == "action.yml" || path.starts_with("actions/") {
                let line = run.trim_end();
                let install = [
                    "bash -- \"$GITHUB_ACTION_PATH/install/install.sh\"",
                    "bash -- \"$GITHUB_ACTION_PATH/../../install/install.sh\"",
                ]
                .contains(&line);
                let step = line
                    .strip_prefix("tenantry ")
                    .is_some_and(|verb| verbs.contains(verb));
                if !install && !step {
                    offences.push(format!("{path}:{}: `{line}`", map.line));
                }
            }
            if path.starts_with("workflows/") {
                offences.push(format!("{path}:{}: a workflow has no shell", map.line));
            }
        }
    }
    none(offences, "shell that does more than call the binary:");
}

#[test]
fn t24_every_uses_is_pinned_to_a_commit() {
    let mut offences = Vec::new();
    let mut pinned: BTreeMap<String, String> = BTreeMap::new();
    for (path, content) in shipped().into_iter().chain(written()) {
        let tree = parsed(&path, &content);
        let mut all = Vec::new();
        maps(&tree, "", &mut all);
        for uses in all.iter().filter_map(|(_, m)| m.get("uses")?.text()) {
            let (action, commit) = uses.split_once('@').unwrap_or((uses, ""));
            let ours = action
                .strip_prefix("[[ actions_repository ]]/")
                .or_else(|| action.strip_prefix("tenantry/tenantry/"));
            if let Some(folder) = ours {
                if !root().join(folder).join("action.yml").is_file() {
                    offences.push(format!("{path}: `{uses}` is no action of ours"));
                }
                if commit != "[[ actions_ref ]]" && commit.len() != 40 {
                    offences.push(format!("{path}: `{uses}`"));
                }
                continue;
            }
            if action.starts_with("./") {
                continue;
            }
            if commit.len() != 40 || !commit.bytes().all(|b| b.is_ascii_hexdigit()) {
                offences.push(format!("{path}: `{uses}`"));
            }
            let before = pinned.insert(action.to_owned(), commit.to_owned());
            if before.is_some_and(|b| b != commit) {
                offences.push(format!("{path}: `{action}` is pinned to two commits"));
            }
        }
    }
    none(offences, "not pinned to a full commit:");
}

/// zizmor does not look at these four places.
#[test]
fn t5_no_event_data_where_names_are_made() {
    let foreign = [
        "github.event",
        "github.head_ref",
        "inputs.",
        "github.ref_name",
    ];
    let mut offences = Vec::new();
    for (path, content) in shipped().into_iter().chain(written()) {
        let tree = parsed(&path, &content);
        let mut all = Vec::new();
        maps(&tree, "", &mut all);
        for (at, map) in all {
            let checkout = map
                .get("uses")
                .and_then(Node::text)
                .is_some_and(|u| u.starts_with("actions/checkout@"));
            let with = map.get("with").filter(|_| checkout);
            let places = [
                map.get("group").filter(|_| at.ends_with("/concurrency")),
                map.get("concurrency"),
                map.get("environment"),
                map.get("name").filter(|_| at.ends_with("/environment")),
                with.and_then(|w| w.get("ref")),
                with.and_then(|w| w.get("repository")),
                map.get("runs-on"),
            ];
            for value in places.into_iter().flatten().filter_map(Node::text) {
                if foreign.iter().any(|f| value.contains(f)) {
                    offences.push(format!("{path}{at}: `{value}`"));
                }
            }
        }
    }
    none(
        offences,
        "event data makes a name or chooses what is checked out:",
    );
}

#[test]
fn permissions_are_granted_job_by_job() {
    let mut offences = Vec::new();
    for (path, content) in shipped().into_iter().chain(written()) {
        let tree = parsed(&path, &content);
        if tree.get("jobs").is_none() {
            continue;
        }
        let top = tree.get("permissions");
        if !top.is_some_and(|p| matches!(&p.data, Data::Map(m) if m.is_empty())) {
            offences.push(format!("{path}: write `permissions: {{}}` at the top"));
        }
        if content.contains("persist-credentials: true")
            || content.matches("actions/checkout@").count()
                != content.matches("persist-credentials: false").count()
        {
            offences.push(format!(
                "{path}: checkout with `persist-credentials: false`"
            ));
        }
    }
    none(offences, "permissions that nobody asked for:");
}

/// Threats to something that tenantry does not do yet. An entry goes when its test comes: the
/// test below fails on one that is not needed any more. `docs/threat-model.md` says why at its end.
const NOT_YET: [&str; 1] = ["T30"];

#[test]
fn every_threat_has_a_test_that_carries_its_number() {
    let mut named = BTreeSet::new();
    for path in files("src", &["rs"])
        .into_iter()
        .chain(files("tests", &["rs"]))
    {
        for line in text(&path).lines() {
            let line = line.trim_start().trim_start_matches("async ");
            // Tests that a macro makes are written `t27_name: what`.
            let by_macro = line
                .split_once(": ")
                .filter(|(name, _)| !name.contains(' '));
            let Some(name) = line
                .strip_prefix("fn t")
                .or_else(|| by_macro.and_then(|(name, _)| name.strip_prefix('t')))
            else {
                continue;
            };
            let digits: String = name.chars().take_while(char::is_ascii_digit).collect();
            if name[digits.len()..].starts_with('_')
                && let Ok(number) = digits.parse::<u32>()
            {
                named.insert(format!("T{number}"));
            }
        }
    }
    let threats: Vec<String> = (1..=32).map(|n| format!("T{n}")).collect();
    let missing: Vec<&str> = threats
        .iter()
        .map(String::as_str)
        .filter(|t| !named.contains(*t))
        .collect();
    assert_eq!(
        missing, NOT_YET,
        "left: threats without a test; right: NOT_YET in tests/tidy.rs"
    );
    for threat in &threats {
        let heading = match NOT_YET.contains(&threat.as_str()) {
            true => format!("**{threat}**"),
            false => format!("## {threat}: "),
        };
        assert!(
            text("docs/threat-model.md").contains(&heading),
            "docs/threat-model.md does not speak of {heading}"
        );
    }
}
