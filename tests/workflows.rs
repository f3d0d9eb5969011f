//! The shipped workflows, run by `act` with a stand-in for the binary: which jobs run, in
//! which order, and what a failure stops (T5, T28). What the steps do is tested elsewhere.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]
#![allow(clippy::print_stderr, reason = "a skipped test is said aloud")]

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use minijinja::{Environment, UndefinedBehavior, context, syntax::SyntaxConfig};

const ACTIONS_REF: &str = "0123456789abcdef0123456789abcdef01234567";

/// Writes down what it was asked to do, prints the outputs of an intake, fails on demand.
const STAND_IN: &str = r#"#!/usr/bin/env bash
step="$1 ${TENANTRY_STACK:-}"
[ "$1" = drift ] && step="$1 $2 ${TENANTRY_STACKS:-}"
[ "$1" = customer ] && step="$* issues=${TENANTRY_ISSUES:-}"
step=${step% }
[ "$STAND_IN_OWN" = true ] && [ -n "${TENANTRY_ENVIRONMENT:-}" ] && step="$step in $TENANTRY_ENVIRONMENT"
[ "${TENANTRY_FINAL:-}" = true ] && step="final report"
printf '%s\n' "$step" >>"$STAND_IN_LOG"
[ "$step" = "${STAND_IN_FAILS:-}" ] && exit 1
case $1 in
  intake | reconcile | drift)
    {
      printf 'any=%s\n' "$STAND_IN_ANY"
      printf 'matrices=%s\n' "$STAND_IN_MATRICES"
      printf 'requests={"include":[{"request":"acme/push-1"}]}\n'
    } >>"$GITHUB_OUTPUT"
    ;;
esac
exit 0
"#;

fn tools() -> Option<PathBuf> {
    option_env_at_runtime("TENANTRY_TOOLS").map(PathBuf::from)
}

#[allow(
    clippy::disallowed_methods,
    reason = "tests/run tells the tests where its tools are"
)]
fn option_env_at_runtime(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `act`, or a loud skip.
fn act(test: &str) -> Option<PathBuf> {
    let act = tools()
        .map(|tools| tools.join("venv/bin/act"))
        .filter(|act| act.exists());
    if act.is_none() {
        let line = format!("{test}: act is not installed; tests/run installs it");
        eprintln!("SKIPPED {line}");
        if let Some(skips) = option_env_at_runtime("TENANTRY_SKIPS") {
            let mut file = fs::OpenOptions::new()
                .append(true)
                .create(true)
                .open(skips)
                .unwrap();
            writeln!(file, "{line}").unwrap();
        }
    }
    act
}

fn render(template: &str, environments: &[&str], own: bool) -> String {
    let mut jinja = Environment::new();
    let syntax = SyntaxConfig::builder()
        .block_delimiters("<%", "%>")
        .variable_delimiters("[[", "]]")
        .comment_delimiters("<#", "#>")
        .line_statement_prefix("# %%")
        .keep_trailing_newline(true)
        .build()
        .unwrap();
    jinja.set_syntax(syntax);
    jinja.set_undefined_behavior(UndefinedBehavior::Strict);
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("workflows")
        .join(template);
    let environments: Vec<_> = environments.iter().map(|&name| context! { name }).collect();
    let values = context! {
        environments,
        own => if own { "${{ matrix.customer }}/" } else { "" },
        actions_ref => ACTIONS_REF,
        actions_version => "0.1.0",
        actions_repository => "tenantry/tenantry",
        branch => "main",
        manager => "acme-platform/infrastructure",
    };
    jinja
        .render_str(&fs::read_to_string(path).unwrap(), values)
        .unwrap()
}

/// `{"staging": {"include": [{"stack": "acme/web/staging", …}]}}` for stacks.
fn matrix(stacks: &[&str]) -> serde_json::Value {
    let mut matrix = serde_json::json!({});
    for stack in stacks {
        let environment = stack.rsplit('/').next().unwrap();
        if matrix.get(environment).is_none() {
            matrix[environment] = serde_json::json!({"include": []});
        }
        let customer = stack.split('/').next().unwrap();
        let row = serde_json::json!({"stack": stack, "request": "acme/push-1", "customer": customer, "shard": "1/1", "stacks": stack});
        matrix[environment]["include"]
            .as_array_mut()
            .unwrap()
            .push(row);
    }
    matrix
}

struct Story<'a> {
    name: &'a str,
    workflow: &'a str,
    event: &'a str,
    payload: serde_json::Value,
    plan: &'a [&'a str],
    apply: &'a [&'a str],
    fails: &'a str,
    /// Whether each customer has environments of their own.
    own: bool,
}

const STORY: Story<'static> = Story {
    name: "",
    workflow: "manager/deploy.yml",
    event: "repository_dispatch",
    payload: serde_json::Value::Null,
    plan: &["acme/web/staging", "acme/web/production"],
    apply: &["acme/web/staging", "acme/web/production"],
    fails: "nothing",
    own: false,
};

/// The steps in the order in which they ran, one per line; plans, which run side by side,
/// are sorted. `None` where there is no act.
fn told(story: &Story<'_>) -> Option<String> {
    let act = act(story.name)?;
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("workflows-{}", story.name));
    let _ = fs::remove_dir_all(&root);
    let repository = root.join("repository");
    fs::create_dir_all(repository.join(".github/workflows")).unwrap();
    let workflow = repository.join(".github/workflows/workflow.yml");
    fs::write(
        &workflow,
        render(story.workflow, &["staging", "production"], story.own),
    )
    .unwrap();
    let event = root.join("event.json");
    // act ends in a panic when the event is not an object.
    let payload = match &story.payload {
        serde_json::Value::Null => "{}".to_owned(),
        payload => payload.to_string(),
    };
    fs::write(&event, payload).unwrap();
    let stand_in = root.join("stand-in");
    fs::write(&stand_in, STAND_IN).unwrap();
    fs::set_permissions(&stand_in, fs::Permissions::from_mode(0o755)).unwrap();
    // act copies the folder for every action, so it gets only what the actions need.
    let actions = root.join("actions");
    fs::create_dir_all(&actions).unwrap();
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    run(Command::new("cp")
        .current_dir(package)
        .args(["-R", "action.yml", "actions", "install"])
        .arg(&actions));
    run(Command::new("git").current_dir(&repository).args([
        "init",
        "--quiet",
        "--initial-branch=main",
    ]));
    run(Command::new("git")
        .current_dir(&repository)
        .args(["add", "--all"]));
    run(Command::new("git").current_dir(&repository).args([
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "commit",
        "--quiet",
        "--message=estate",
    ]));
    let log = root.join("log");
    fs::write(&log, "").unwrap();
    let matrices = match story.workflow {
        "manager/drift.yml" => matrix(story.plan),
        _ => serde_json::json!({"plan": matrix(story.plan), "apply": matrix(story.apply)}),
    };
    let any = !story.plan.is_empty();
    let output = Command::new(act)
        .current_dir(&repository)
        .env("XDG_CACHE_HOME", root.join("cache"))
        .arg(story.event)
        .arg("--workflows")
        .arg(&workflow)
        .arg("--eventpath")
        .arg(&event)
        .args([
            "--platform",
            "ubuntu-latest=-self-hosted",
            "--no-cache-server",
        ])
        .arg(format!(
            "--local-repository=tenantry/tenantry@{ACTIONS_REF}={}",
            actions.display()
        ))
        .args([
            "--secret",
            "SOURCE_REPOS_PAT=source",
            "--secret",
            "GITHUB_TOKEN=job",
        ])
        .args(["--env", &format!("TENANTRY_BINARY={}", stand_in.display())])
        .args(["--env", &format!("STAND_IN_LOG={}", log.display())])
        .args(["--env", &format!("STAND_IN_FAILS={}", story.fails)])
        .args(["--env", &format!("STAND_IN_MATRICES={matrices}")])
        .args(["--env", &format!("STAND_IN_ANY={any}")])
        .args(["--env", &format!("STAND_IN_OWN={}", story.own)])
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success() == (story.fails == "nothing"),
        "{}\n{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = fs::read_to_string(&log).unwrap();
    let (mut plans, mut rest): (Vec<&str>, Vec<&str>) = text
        .lines()
        .partition(|line| line.starts_with("plan ") || line.starts_with("drift check "));
    plans.sort_unstable();
    let after_intake = rest.len().min(1);
    rest.splice(after_intake..after_intake, plans);
    Some(rest.join("\n"))
}

fn run(command: &mut Command) {
    assert!(
        command.stdout(Stdio::null()).status().unwrap().success(),
        "{command:?}"
    );
}

#[track_caller]
fn tells(story: &Story<'_>, expected: &[&str]) {
    if let Some(told) = told(story) {
        assert_eq!(told, expected.join("\n"));
    }
}

const PLANNED: [&str; 4] = [
    "intake",
    "plan acme/web/production",
    "plan acme/web/staging",
    "report",
];
const STAGING: [&str; 3] = ["gate acme/web/staging", "apply acme/web/staging", "report"];
const PRODUCTION: [&str; 3] = [
    "gate acme/web/production",
    "apply acme/web/production",
    "report",
];
const FINAL: [&str; 1] = ["final report"];

#[test]
fn a_push_is_planned_reported_and_applied_in_the_order_of_promotion() {
    let story = Story {
        name: "push",
        ..STORY
    };
    tells(
        &story,
        &[&PLANNED[..], &STAGING, &PRODUCTION, &FINAL].concat(),
    );
}

#[test]
fn jobs_run_in_environments_of_their_customers_own() {
    let story = Story {
        name: "own",
        plan: &["acme/web/staging", "globex/web/staging"],
        apply: &["acme/web/staging"],
        own: true,
        ..STORY
    };
    tells(
        &story,
        &[
            "intake",
            "plan acme/web/staging in acme/staging-plan",
            "plan globex/web/staging in globex/staging-plan",
            "report",
            "gate acme/web/staging in acme/staging-apply",
            "apply acme/web/staging in acme/staging-apply",
            "report",
            "final report",
        ],
    );
    let story = Story {
        name: "own-drift",
        plan: &["acme/web/production", "globex/web/staging"],
        own: true,
        ..DRIFT
    };
    tells(
        &story,
        &[
            "drift list",
            "drift check acme/web/production in acme/production-plan",
            "drift check globex/web/staging in globex/staging-plan",
            "drift report",
        ],
    );
}

#[test]
fn a_pull_request_is_planned_and_reported_only() {
    let story = Story {
        name: "pull-request",
        plan: &["acme/web/staging"],
        apply: &[],
        ..STORY
    };
    tells(
        &story,
        &["intake", "plan acme/web/staging", "report", "final report"],
    );
}

#[test]
fn a_request_with_nothing_to_do_starts_no_further_job() {
    tells(
        &Story {
            name: "nothing",
            plan: &[],
            apply: &[],
            ..STORY
        },
        &["intake"],
    );
}

#[test]
fn a_refused_request_starts_no_further_job() {
    tells(
        &Story {
            name: "refused",
            fails: "intake",
            ..STORY
        },
        &["intake"],
    );
}

#[test]
fn a_plan_that_failed_stops_its_environment_and_the_later_ones() {
    let story = Story {
        name: "plan-fails",
        fails: "plan acme/web/staging",
        ..STORY
    };
    tells(&story, &[&PLANNED[..], &FINAL].concat());
}

#[test]
fn t14_a_refused_approval_applies_nothing_and_stops_production() {
    let story = Story {
        name: "gate-refuses",
        fails: "gate acme/web/staging",
        ..STORY
    };
    tells(
        &story,
        &[&PLANNED[..], &["gate acme/web/staging", "report"], &FINAL].concat(),
    );
}

#[test]
fn an_apply_that_failed_stops_production() {
    let story = Story {
        name: "apply-fails",
        fails: "apply acme/web/staging",
        ..STORY
    };
    tells(&story, &[&PLANNED[..], &STAGING, &FINAL].concat());
}

#[test]
fn production_alone_is_applied_when_staging_has_nothing_to_do() {
    let only = &["acme/web/production"];
    let story = Story {
        name: "production-only",
        plan: only,
        apply: only,
        ..STORY
    };
    let planned = ["intake", "plan acme/web/production", "report"];
    tells(&story, &[&planned[..], &PRODUCTION, &FINAL].concat());
}

#[test]
fn t28_one_customers_failure_does_not_stop_the_sweep() {
    let story = Story {
        name: "reconcile",
        workflow: "manager/reconcile.yml",
        event: "schedule",
        fails: "apply acme/web/staging",
        ..STORY
    };
    let swept = ["reconcile", PLANNED[1], PLANNED[2], PLANNED[3]];
    tells(
        &story,
        &[&swept[..], &STAGING, &PRODUCTION, &FINAL].concat(),
    );
}

const DRIFT: Story<'static> = Story {
    workflow: "manager/drift.yml",
    event: "schedule",
    ..STORY
};
const CHECKED: [&str; 4] = [
    "drift list",
    "drift check acme/web/production",
    "drift check acme/web/staging",
    "drift report",
];

#[test]
fn drift_is_listed_checked_in_every_environment_and_reported() {
    let story = Story {
        name: "drift",
        ..DRIFT
    };
    tells(&story, &CHECKED);
}

#[test]
fn a_check_that_fails_stops_neither_the_others_nor_the_report() {
    let story = Story {
        name: "drift-fails",
        fails: CHECKED[2],
        ..DRIFT
    };
    tells(&story, &CHECKED);
}

#[test]
fn coverage_is_reported_when_nothing_is_due() {
    let story = Story {
        name: "drift-nothing",
        plan: &[],
        ..DRIFT
    };
    tells(&story, &["drift list", "drift report"]);
}

#[test]
fn credentials_are_checked_and_told() {
    let story = Story {
        name: "credentials",
        workflow: "manager/credentials.yml",
        event: "schedule",
        ..STORY
    };
    tells(&story, &["customer credential check issues=true"]);
}

#[test]
fn t05_a_hostile_payload_is_not_run_by_the_manager() {
    let marker = Path::new(env!("CARGO_TARGET_TMPDIR")).join("t05-marker");
    let _ = fs::remove_file(&marker);
    let touch = format!(
        "\"; touch {0}; $(touch {0}) `touch {0}`\n::set-output name=any::true",
        marker.display()
    );
    let payload = serde_json::json!({
        "action": touch,
        "client_payload": {"tenantry": 1, "request_id": touch, "ref": touch, "sha": touch, "repository": touch},
    });
    tells(
        &Story {
            name: "hostile",
            payload,
            plan: &[],
            apply: &[],
            ..STORY
        },
        &["intake"],
    );
    assert!(!marker.exists(), "the payload was run");
}

#[test]
fn a_customers_push_and_own_pull_request_ask_and_a_forks_does_not() {
    let trigger = |name, event, head: Option<u32>| {
        let mut payload = serde_json::json!({"repository": {"id": 7}});
        if let Some(id) = head {
            payload["pull_request"] = serde_json::json!({"head": {"repo": {"id": id}}});
        }
        Story {
            name,
            workflow: "customer/trigger-infra.yml",
            event,
            payload,
            ..STORY
        }
    };
    tells(&trigger("customer-push", "push", None), &["trigger"]);
    tells(
        &trigger("customer-pull", "pull_request", Some(7)),
        &["trigger"],
    );
    tells(&trigger("customer-fork", "pull_request", Some(8)), &[]);
}
