//! `tenantry doctor`, as a provider runs it: through the binary, on the local GitHub.

mod support;

use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::planted::Planted;
use support::registry::files;
use support::said::Said;
use support::{Tested, checkout, path, settings};
use tenantry::local::RunnerSettings;
use tenantry::local::stage::{BOT, Engine, Hints, MANAGER, Stage};
use tenantry::setup::doctor::check;

/// The stage, and the manager repository as somebody has checked it out.
struct World {
    dir: tempfile::TempDir,
    stage: Stage,
    source: String,
    planted: Planted,
}

fn set(list: &[&str]) -> BTreeSet<String> {
    list.iter().map(|s| (*s).to_owned()).collect()
}

impl World {
    async fn new() -> Result<Self, Box<dyn Error>> {
        Self::with(None, Hints::Direct).await
    }

    async fn with(record: Option<PathBuf>, hints: Hints) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let mut wanted = settings(
            &dir.path().join("stage"),
            Engine::Terraform,
            hints,
            RunnerSettings::hold(&path()),
        )?;
        wanted.server.record = record;
        let stage = Stage::set(wanted).await?;
        let mut world = Self {
            dir,
            stage,
            source: String::new(),
            planted: Planted::default(),
        };
        checkout(&world.stage, &world.root()).await?;
        // Both environments are gated, and the settings say by whom.
        let settings = world.read("tenantry.yml");
        let settings = settings
            .replace("approval: none", "approval: required\n    approvers: [olivia]")
            .replace("production:\n    approval: required", "production:\n    approval: required\n    approvers: [olivia]\n    wait_minutes: 10");
        world.write("tenantry.yml", &settings)?;
        world.source = world.token(json!({"expires_in": 90 * 86_400})).await?;
        Ok(world)
    }

    /// A token of the account that serves customers.
    async fn token(&self, more: Value) -> Result<String, Box<dyn Error>> {
        let given = json!({"metadata": "read", "contents": "read", "pull_requests": "write", "statuses": "write"});
        let repos: serde_json::Map<String, Value> = self
            .stage
            .tenants
            .iter()
            .map(|t| (t.repository.to_owned(), given.clone()))
            .collect();
        let mut body = json!({"user": BOT, "repos": repos});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let made = self.stage.admin("POST", "/_local/tokens", body).await?;
        let token = made["token"].as_str().ok_or("no token")?;
        self.planted.add(token)?;
        Ok(token.to_owned())
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("estate")
    }
    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_default()
    }
    fn write(&self, path: &str, text: &str) -> Tested {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .arg("doctor")
            .args(args)
            .env_clear()
            .env("GITHUB_API_URL", &self.stage.server.url)
            .env("GITHUB_TOKEN", &self.stage.server.token)
            .env("TENANTRY_SOURCE_TOKEN", &self.source)
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        let said = Said::of(self.command(args).output()?)?;
        self.planted.unsaid(said)
    }

    /// `tenantry customer …`, which must be done.
    fn registry(&self, args: &[&str]) -> Tested {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .arg("customer")
            .args(args)
            .env_clear()
            .env("GITHUB_API_URL", &self.stage.server.url)
            .env("TENANTRY_SOURCE_TOKEN", &self.stage.server.token)
            .current_dir(self.root())
            .stdin(Stdio::null())
            .output()?;
        let said = Said::of(out)?;
        assert_eq!(said.code, 0, "{}", said.all());
        Ok(())
    }

    fn json(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        self.run(&[args, &["--format", "json"]].concat())
    }

    async fn admin(&self, method: &str, path: &str, body: Value) -> Result<Value, Box<dyn Error>> {
        Ok(self.stage.admin(method, path, body).await?)
    }

    /// What was written on GitHub since the last look: method, path, body.
    async fn writes(&self) -> Result<Vec<(String, String, Value)>, Box<dyn Error>> {
        let list = self.admin("GET", "/_local/requests", Value::Null).await?;
        let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        Ok(list
            .as_array()
            .into_iter()
            .flatten()
            .filter(|r| r["method"] != "GET" && r["path"] != "/graphql")
            .map(|r| {
                (
                    word(&r["method"]),
                    word(&r["path"]),
                    r["request_body"].clone(),
                )
            })
            .collect())
    }

    /// What the provider does by hand, and `--fix` for the rest: nothing is left to find.
    async fn put_right(&self) -> Tested {
        for environment in ["staging-apply", "production-apply"] {
            let body = json!({"repo": MANAGER, "environment": environment, "allowed": false});
            self.admin("POST", "/_local/bypass", body).await?;
        }
        for tenant in &self.stage.tenants.clone() {
            self.stage
                .commit(
                    tenant,
                    "main",
                    ".github/CODEOWNERS",
                    "/infra/ @team\n",
                    "Owners",
                )
                .await?;
        }
        let said = self.json(&["--all", "--fix", "--yes"])?;
        assert_eq!(said.code, 0, "{}", said.all());
        let said = self.json(&["--all"])?;
        assert_eq!(
            (said.code, said.findings()?.len()),
            (0, 0),
            "{}",
            said.all()
        );
        Ok(())
    }

    /// A file on the default branch.
    async fn contents(&self, repository: &str, path: &str) -> Result<String, Box<dyn Error>> {
        let at = format!("/repos/{repository}/contents/{path}");
        let there = self.admin("GET", &at, Value::Null).await?;
        let text: String = there["content"]
            .as_str()
            .unwrap_or_default()
            .split_whitespace()
            .collect();
        let bytes = base64::engine::general_purpose::STANDARD.decode(text)?;
        Ok(String::from_utf8(bytes)?)
    }

    /// A commit on the manager's default branch.
    async fn commit(&self, files: Value) -> Tested {
        let body = json!({"repo": MANAGER, "user": "olivia", "files": files});
        self.admin("POST", "/_local/commits", body).await?;
        Ok(())
    }

    /// Takes every ruleset of a repository away.
    async fn open_up(&self, repository: &str) -> Tested {
        let sets = format!("/repos/{repository}/rulesets");
        let all = self.admin("GET", &sets, Value::Null).await?;
        for set in all.as_array().into_iter().flatten() {
            let path = format!("{sets}/{}", set["id"]);
            self.admin("DELETE", &path, Value::Null).await?;
        }
        Ok(())
    }

    async fn merge_all(&self, repository: &str) -> Tested {
        let pulls = format!("/repos/{repository}/pulls?state=open");
        for pull in self
            .admin("GET", &pulls, Value::Null)
            .await?
            .as_array()
            .into_iter()
            .flatten()
        {
            let merge = format!("/repos/{repository}/pulls/{}/merge", pull["number"]);
            self.admin("PUT", &merge, json!({})).await?;
        }
        Ok(())
    }

    async fn end(self) -> Tested {
        self.stage.server.stop().await;
        self.planted.search(&files(self.dir.path())?, &[])
    }
}

/// Plants a fault for each of these checks, every one of which `--fix` can repair.
const PLANTED: [&str; 15] = [
    "customer-branch globex",
    "customer-secret-scanning globex",
    "customer-variable acme/MANAGER_REPO_NAME",
    "customer-workflow-pin initech/.github/workflows/trigger-infra.yml",
    "manager-actions ops/infra-manager",
    "manager-default-token ops/infra-manager",
    "manager-environment production-plan",
    "manager-environment-branch staging-plan",
    "manager-push-protection ops/infra-manager",
    "manager-reviewers production-apply",
    "manager-ruleset every tag",
    "manager-secret-scanning ops/infra-manager",
    "manager-self-review staging-apply",
    "manager-workflow .github/workflows/drift.yml",
    "manager-workflow-enabled .github/workflows/reconcile.yml",
];

async fn plant(world: &World) -> Tested {
    let repo = format!("/repos/{MANAGER}");
    let at = |rest: &str| format!("{repo}/{rest}");
    world
        .admin("DELETE", &at("environments/production-plan"), Value::Null)
        .await?;
    let custom = json!({"protected_branches": false, "custom_branch_policies": true});
    let bare = json!({"wait_timer": 10, "deployment_branch_policy": custom});
    world
        .admin("PUT", &at("environments/production-apply"), bare)
        .await?;
    world
        .admin("PUT", &at("environments/staging-plan"), json!({}))
        .await?;
    let olivia = world.admin("GET", "/users/olivia", Value::Null).await?["id"].clone();
    let lax = json!({
        "deployment_branch_policy": custom, "prevent_self_review": false,
        "reviewers": [{"type": "User", "id": olivia}],
    });
    world
        .admin("PUT", &at("environments/staging-apply"), lax)
        .await?;
    let all = json!({"enabled": true, "allowed_actions": "all"});
    world.admin("PUT", &at("actions/permissions"), all).await?;
    let write = json!({"default_workflow_permissions": "write"});
    world
        .admin("PUT", &at("actions/permissions/workflow"), write)
        .await?;
    let off = json!({"repo": MANAGER, "workflow": ".github/workflows/reconcile.yml", "state": "disabled_inactivity"});
    world.admin("POST", "/_local/workflows", off).await?;
    let sets = world.admin("GET", &at("rulesets"), Value::Null).await?;
    for set in sets
        .as_array()
        .into_iter()
        .flatten()
        .filter(|s| s["target"] == "tag")
    {
        world
            .admin(
                "DELETE",
                &at(&format!("rulesets/{}", set["id"])),
                Value::Null,
            )
            .await?;
    }
    let off = json!({"status": "disabled"});
    let both = json!({"security_and_analysis": {"secret_scanning": off, "secret_scanning_push_protection": off}});
    world.admin("PATCH", &repo, both.clone()).await?;
    let drift = at("contents/.github/workflows/drift.yml");
    let sha = world.admin("GET", &drift, Value::Null).await?["sha"].clone();
    world
        .admin("DELETE", &drift, json!({"message": "gone", "sha": sha}))
        .await?;

    let wrong = json!({"value": "other"});
    world
        .admin(
            "PATCH",
            "/repos/acme/shop/actions/variables/MANAGER_REPO_NAME",
            wrong,
        )
        .await?;
    world.open_up("globex/portal").await?;
    world.admin("PATCH", "/repos/globex/portal", both).await?;
    let initech = world.stage.tenant("initech").ok_or("initech")?.clone();
    let path = ".github/workflows/trigger-infra.yml";
    let text = world.contents("initech/reports", path).await?;
    let old = text.replace(&"a".repeat(40), &"b".repeat(40));
    world
        .stage
        .commit(&initech, "main", path, &old, "Old")
        .await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn planted_faults_are_found_repaired_and_gone() -> Tested {
    let world = World::new().await?;
    world.put_right().await?;
    plant(&world).await?;

    let found = world.json(&["--all"])?;
    assert_eq!(found.code, 1, "{}", found.all());
    assert_eq!(found.findings()?, set(&PLANTED), "{}", found.all());
    assert_eq!(found.checks("unchecked")?, set(&[]));

    // A dry run and a run that nobody answers change nothing.
    let before = world.writes().await?.len();
    let dry = world.json(&["--all", "--fix", "--dry-run"])?;
    assert_eq!(dry.code, 1, "{}", dry.all());
    let asked = world.run(&["--all", "--fix"])?;
    assert_eq!(asked.code, 1, "{}", asked.all());
    assert!(asked.err.contains("no terminal to ask on"), "{}", asked.err);
    assert_eq!(world.writes().await?.len(), before);

    // What was shown is what is sent, and nothing else.
    let shown: Vec<(String, String, Value)> = dry.json()?["repairs"]
        .as_array()
        .ok_or("no repairs")?
        .iter()
        .flat_map(|r| r["acts"].as_array().cloned().unwrap_or_default())
        .map(|act| {
            let change = &act["github"];
            let word = |key: &str| change[key].as_str().unwrap_or_default().to_owned();
            (word("method"), word("path"), change["body"].clone())
        })
        .collect();
    let fixed = world.json(&["--all", "--fix", "--yes"])?;
    let sent = world.writes().await?.split_off(before);
    assert_eq!(sent, shown, "{}", fixed.all());
    for done in fixed.json()?["done"].as_array().ok_or("nothing done")? {
        assert_eq!(done["failed"], Value::Null, "{done}");
    }
    // Two of them wait for somebody to merge, and are not proposed again.
    let waiting = set(&[PLANTED[3], PLANTED[13]]);
    assert_eq!(fixed.findings()?, waiting, "{}", fixed.all());
    let again = world.json(&["--all", "--fix", "--yes"])?;
    assert!(
        again.json()?["repairs"]
            .as_array()
            .is_some_and(Vec::is_empty),
        "{}",
        again.all()
    );
    assert!(
        again
            .out
            .contains("merge the pull request of the branch `tenantry/doctor-"),
        "{}",
        again.all()
    );
    for repository in [MANAGER, "initech/reports"] {
        world.merge_all(repository).await?;
    }
    let clean = world.json(&["--all"])?;
    assert_eq!(
        (clean.code, clean.findings()?),
        (0, set(&[])),
        "{}",
        clean.all()
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_stage_lacks_is_told_with_what_to_do() -> Tested {
    let world = World::new().await?;
    let said = world.run(&["manager"])?;
    assert_eq!(said.code, 1);
    for line in [
        "production-apply: administrators may let a job pass without an approval [manager-admin-bypass]",
        "staging-apply: it has no required reviewers: nobody is asked before an apply [manager-reviewers]",
        "production-apply: it waits 0 minutes, and the settings demand 10 [manager-wait-timer]",
        "any action may be used (`all`); an action may be named by a tag, which can be moved [manager-actions]",
        "every branch can use its secrets",
        "(--fix does it)",
    ] {
        assert!(said.out.contains(line), "{line}\n{}", said.all());
    }
    assert!(
        said.err.starts_with("looking at ops/infra-manager: about "),
        "{}",
        said.err
    );
    assert!(said.err.contains("--fix can repair"), "{}", said.err);
    assert!(!said.out.contains("\nok "), "{}", said.out);
    assert!(world.run(&["manager", "--passed"])?.out.contains("\nok "));
    world.end().await
}

/// Who may not read the settings learns nothing, and is not told that all is well.
#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_read_is_never_fine() -> Tested {
    let world = World::new().await?;
    world.put_right().await?;
    let out = world
        .command(&["--all", "--format", "json"])
        .env("GITHUB_TOKEN", &world.source)
        .output()?;
    let blind = Said::of(out)?;
    assert_eq!(blind.code, 1, "{}", blind.all());
    let unchecked = blind.checks("unchecked")?;
    for id in [
        "manager-repository ops/infra-manager",
        "manager-environment production-apply",
        "manager-actions ops/infra-manager",
        "manager-ruleset every branch",
        "manager-secret TENANTRY_AUDIT_KEY",
        "manager-secret-scanning ops/infra-manager",
        "customer-secret-scanning acme",
        "customer-variable acme/MANAGER_REPO_OWNER",
    ] {
        assert!(unchecked.contains(id), "{id}: {}", blind.all());
    }
    assert_eq!(blind.findings()?, set(&[]), "{}", blind.all());
    // Nor is a list of those who may pass a ruleset, which GitHub shows to administrators alone.
    let mut repos = serde_json::Map::new();
    repos.insert(MANAGER.to_owned(), json!({"metadata": "read"}));
    let visitor = world.token(json!({"repos": repos})).await?;
    let out = world
        .command(&["manager", "--format", "json"])
        .env("GITHUB_TOKEN", &visitor)
        .output()?;
    let visitor = Said::of(out)?;
    assert!(
        visitor
            .checks("unchecked")?
            .contains("manager-ruleset every branch")
            && visitor.out.contains("is not shown to this token"),
        "{}",
        visitor.all()
    );
    // Nor is a limit or a broken server.
    world.stage.server.fault(tenantry::local::Fault {
        method: Some("GET".into()),
        path: "/repos/ops/infra-manager/environments".into(),
        kind: tenantry::local::Kind::Status(503),
        times: 50,
        retry_after: 1,
    });
    let broken = world.json(&["manager"])?;
    assert_eq!(broken.code, 1);
    assert!(
        broken
            .checks("unchecked")?
            .contains("manager-environment staging-plan"),
        "{}",
        broken.all()
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_with_the_ruleset_missing_doctor_refuses_and_names_it() -> Tested {
    let world = World::new().await?;
    world.put_right().await?;
    let sets = format!("/repos/{MANAGER}/rulesets");
    let all = world.admin("GET", &sets, Value::Null).await?;
    for set in all.as_array().into_iter().flatten() {
        let path = format!("{sets}/{}", set["id"]);
        let whole = world.admin("GET", &path, Value::Null).await?;
        let actors =
            json!([{"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"}]);
        if whole["target"] == "branch" {
            world
                .admin("PUT", &path, json!({"bypass_actors": actors}))
                .await?;
        } else {
            world.admin("DELETE", &path, Value::Null).await?;
        }
    }
    let said = world.run(&[])?;
    assert_eq!(said.code, 1);
    for line in [
        "lets others than administrators through",
        "no active ruleset of `ops/infra-manager` blocks creation, update and deletion of every tag",
    ] {
        assert!(said.out.contains(line), "{}", said.all());
    }
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_a_renamed_a_transferred_and_a_taken_name() -> Tested {
    let world = World::new().await?;
    world.put_right().await?;
    let owner = world.admin("GET", "/users/acme", Value::Null).await?["id"].clone();
    let metadata = world.read("customers/acme/metadata.yaml");
    world.write(
        "customers/acme/metadata.yaml",
        &format!("{metadata}owner_id: {owner}\n"),
    )?;
    world
        .admin("PATCH", "/repos/acme/shop", json!({"name": "store"}))
        .await?;
    let said = world.json(&["customer", "acme"])?;
    assert_eq!(
        said.findings()?,
        set(&["customer-renamed acme"]),
        "{}",
        said.all()
    );
    assert!(
        said.out
            .contains("tenantry customer set acme repository=acme/store"),
        "{}",
        said.out
    );

    // What it says to do puts it right.
    let before = world.read("customers/acme/metadata.yaml");
    world.registry(&["set", "acme", "repository=acme/store"])?;
    let recorded = world.json(&["customer", "acme"])?;
    assert_eq!(recorded.findings()?, set(&[]), "{}", recorded.all());
    world.write("customers/acme/metadata.yaml", &before)?;
    world
        .admin(
            "POST",
            "/repos/acme/store/transfer",
            json!({"new_owner": "globex"}),
        )
        .await?;
    let said = world.json(&["customer", "acme"])?;
    // The fine-grained token still sees it: its number is on the token's list.
    let expected = set(&["customer-renamed acme", "customer-owner acme"]);
    assert_eq!(said.findings()?, expected, "{}", said.all());

    world.registry(&["set", "acme", "repository=globex/store", "--moved"])?;
    let recorded = world.json(&["customer", "acme"])?;
    assert_eq!(recorded.findings()?, set(&[]), "{}", recorded.all());
    world.write("customers/acme/metadata.yaml", &before)?;

    // Somebody takes the old name. Nothing of that repository is looked at, or repaired.
    let taken = json!({"repo": "acme/shop", "private": false, "files": {"README.md": "x"}});
    world.admin("POST", "/_local/repos", taken).await?;
    let before = world.writes().await?.len();
    let said = world.json(&["customer", "acme", "--fix", "--yes"])?;
    assert_eq!(
        said.findings()?,
        set(&["customer-identity acme"]),
        "{}",
        said.all()
    );
    assert!(
        said.out
            .contains("the name belongs to another repository now")
    );
    assert_eq!(world.writes().await?.len(), before);

    // And one that is gone.
    world
        .admin("DELETE", "/repos/globex/portal", Value::Null)
        .await?;
    let said = world.json(&["customer", "globex"])?;
    assert_eq!(
        said.findings()?,
        set(&["customer-repository globex"]),
        "{}",
        said.all()
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_credential_of_the_manager_is_judged() -> Tested {
    let mut world = World::new().await?;
    world.put_right().await?;
    world.source = world.token(json!({"expires_in": 5 * 86_400})).await?;
    let said = world.json(&["manager"])?;
    assert_eq!(
        said.findings()?,
        set(&["credential-expiry TENANTRY_SOURCE_TOKEN"]),
        "{}",
        said.all()
    );
    assert!(
        said.out.contains("it ends in 4 days") || said.out.contains("it ends in 5 days"),
        "{}",
        said.out
    );
    let classic = json!({"user": BOT, "scopes": ["repo", "admin:org"], "expires_in": 90 * 86_400});
    let made = world.admin("POST", "/_local/tokens", classic).await?;
    world.source = made["token"].as_str().ok_or("no token")?.to_owned();
    let said = world.json(&["manager"])?;
    let expected = set(&[
        "credential-kind TENANTRY_SOURCE_TOKEN",
        "credential-scopes TENANTRY_SOURCE_TOKEN",
    ]);
    assert_eq!(said.findings()?, expected, "{}", said.all());
    assert!(
        said.out.contains("the manager needs no `admin:org`"),
        "{}",
        said.out
    );
    world.source = "github_pat_gone".into();
    let said = world.json(&["manager"])?;
    assert_eq!(
        said.findings()?,
        set(&["credential-accepted TENANTRY_SOURCE_TOKEN"]),
        "{}",
        said.all()
    );
    // No message, no result, no log shows a token.
    assert!(
        !said.all().contains("github_pat_gone") && !said.all().contains(&world.stage.server.token)
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mistake_on_the_command_line_asks_nobody() -> Tested {
    let world = World::new().await?;
    for (args, words) in [
        (&["customer", "acmee"][..], "did you mean `acme`"),
        (&["--yes"], "--fix"),
        (&["--fix", "--yes", "--dry-run"], "cannot be used with"),
        (&["--format", "sarif"], "--format text, json"),
        (&["--estate", "/nowhere"], "nowhere"),
        (&["--actions-ref", "v1"], "actions-ref"),
    ] {
        let said = world.run(args)?;
        assert!(matches!(said.code, 1 | 2), "{args:?}: {}", said.all());
        assert!(said.err.contains(words), "{args:?}: {}", said.all());
    }
    world.write("answers.json", "{")?;
    let answer = world.run(&["--answers", "answers.json"])?;
    assert_eq!(answer.code, 2, "{}", answer.all());
    assert_eq!(world.read("answers.json"), "{", "a foreign file stays");
    let out = world
        .command(&[])
        .env_remove("GITHUB_TOKEN")
        .env_remove("TENANTRY_SOURCE_TOKEN")
        .output()?;
    let bare = Said::of(out)?;
    assert!(
        bare.err.contains("neither GITHUB_TOKEN nor"),
        "{}",
        bare.all()
    );
    world.end().await
}

/// What became of the commit that the default branch stands at costs no call: GitHub has told the
/// commit, and the store has the rest.
#[tokio::test(flavor = "multi_thread")]
async fn how_the_last_request_ended_is_said_with_its_age() -> Tested {
    let world = World::new().await?;
    let said = |words: &str| -> Tested {
        let said = world.json(&["customer", "acme"])?;
        let checks = said.json()?["checks"].clone();
        let all = checks.as_array().into_iter().flatten();
        let mut notes = all.filter(|c| c["id"] == "customer-request");
        let note = notes.next().ok_or("it was not looked at")?["note"].clone();
        let note = note.as_str().unwrap_or_default();
        assert!(note.contains(words), "{words}: {note}");
        Ok(())
    };
    said("nothing was ever applied")?;
    let path = "/repos/acme/shop/git/ref/heads/main";
    let head = world.admin("GET", path, Value::Null).await?["object"]["sha"].clone();
    let head = head.as_str().ok_or("no head")?;
    let name = format!("acme/push-{head}");
    let folder = world.stage.store_dir().join("requests").join(&name);
    std::fs::create_dir_all(&folder)?;
    for (outcome, words) in [
        ("refused", "was refused (begun 2023-11-14"),
        ("failure", "failed (begun 2023-11-14"),
        ("success", "succeeded (begun 2023-11-14"),
    ] {
        let request = json!({
            "version": 1, "name": name, "repository": "acme/shop", "repository_id": 1,
            "authors": [], "unknown_author": false, "stacks": [], "hints": [], "attempt": 1,
            "run": {"id": 1, "attempt": 1, "url": "x"}, "opened": 1_700_000_000,
            "estate": format!("sha256:{}", "0".repeat(64)), "findings": [], "outcome": outcome,
            "headline": null,
        });
        std::fs::write(folder.join("request.json"), request.to_string())?;
        said(&format!("the last request, `{name}`, {words}"))?;
        said(" days ago); nothing was ever applied")?;
    }
    world.end().await
}

/// Where nothing is sent to the manager, no ruleset closes it as a whole. What closes its default
/// branch asks for pull requests, and not for a second person, whom not everybody has.
#[tokio::test(flavor = "multi_thread")]
async fn the_default_branch_is_closed_and_no_further() -> Tested {
    let world = World::with(None, Hints::Poll).await?;
    world.put_right().await?;
    let administrators =
        json!([{"actor_id": 5, "actor_type": "RepositoryRole", "bypass_mode": "always"}]);
    let ruleset = |rules: Value| {
        json!({
            "name": "tenantry: default branch", "target": "branch", "enforcement": "active",
            "conditions": {"ref_name": {"include": ["~DEFAULT_BRANCH"], "exclude": []}},
            "rules": rules, "bypass_actors": administrators,
        })
    };
    let kept = json!([{"type": "deletion"}, {"type": "non_fast_forward"}]);
    let mut reviewed = kept.clone();
    let pulls = json!({"type": "pull_request", "parameters": {
        "required_approving_review_count": 0, "dismiss_stale_reviews_on_push": false,
        "require_code_owner_review": false, "require_last_push_approval": false,
        "required_review_thread_resolution": false,
    }});
    reviewed.as_array_mut().ok_or("no list")?.push(pulls);
    for (repository, args, finding, rules) in [
        (MANAGER, &["manager"][..], "manager-branch main", reviewed),
        // The customer decides who may change their repository: only the branch is kept.
        (
            "globex/portal",
            &["customer", "globex"],
            "customer-branch globex",
            kept,
        ),
    ] {
        world.open_up(repository).await?;
        let found = world.json(args)?;
        assert_eq!(found.findings()?, set(&[finding]), "{}", found.all());
        let before = world.writes().await?.len();
        let shown = world.run(&[args, &["--fix", "--dry-run"]].concat())?;
        for words in [
            "deleting it, rewriting its history",
            "to all but administrators",
        ] {
            assert!(shown.out.contains(words), "{words}: {}", shown.all());
        }
        assert_eq!(
            shown.out.contains("a pull request needs no approval"),
            repository == MANAGER,
            "{}",
            shown.all()
        );
        let fixed = world.json(&[args, &["--fix", "--yes"]].concat())?;
        assert_eq!(fixed.code, 0, "{}", fixed.all());
        let sent = world.writes().await?.split_off(before);
        let path = format!("/repos/{repository}/rulesets");
        assert_eq!(sent, [("POST".to_owned(), path, ruleset(rules))]);
        let again = world.json(args)?;
        assert_eq!((again.code, again.findings()?), (0, set(&[])));
    }
    world.end().await
}

/// What is closed for everybody else stays open for what the workflows use themselves.
#[tokio::test(flavor = "multi_thread")]
async fn actions_that_the_workflows_use_stay_allowed() -> Tested {
    const DEPLOY: &str = ".github/workflows/deploy.yml";
    const FINDING: &str = "manager-actions ops/infra-manager";
    const AWS: &str = "aws-actions/configure-aws-credentials";
    let world = World::new().await?;
    world.put_right().await?;
    let permissions = format!("/repos/{MANAGER}/actions/permissions");
    let selected = format!("{permissions}/selected-actions");
    let before = world.admin("GET", &selected, Value::Null).await?["patterns_allowed"].clone();
    let plain = world.contents(MANAGER, DEPLOY).await?;
    let deploy = |at: &str| {
        let checkout = "          persist-credentials: false\n";
        let step = format!(
            "{checkout}      - uses: {AWS}@{at}\n        with:\n          role-to-assume: r\n"
        );
        plain.replacen(checkout, &step, 1)
    };
    let own = "name: own\non: workflow_dispatch\npermissions: {}\njobs:\n  a:\n    runs-on: ubuntu-latest\n    steps:\n      - uses: other/tool@v1\n";
    let full = deploy(&"c".repeat(40));
    assert_ne!(full, plain);
    world
        .commit(json!({DEPLOY: full, ".github/workflows/own.yml": own}))
        .await?;
    let all = json!({"enabled": true, "allowed_actions": "all"});
    world.admin("PUT", &permissions, all).await?;

    // Everything is said before it is asked about, also what is left to a person.
    let shown = world.run(&["manager", "--fix", "--dry-run"])?;
    for words in [
        "what the workflows use (`aws-actions/configure-aws-credentials@*`)",
        "then: allow what these use as well, in the settings of Actions: `.github/workflows/own.yml`",
    ] {
        assert!(shown.out.contains(words), "{words}: {}", shown.all());
    }
    let fixed = world.json(&["manager", "--fix", "--yes"])?;
    assert_eq!(fixed.findings()?, set(&[]), "{}", fixed.all());
    let mut expected = before.clone();
    let patterns = expected.as_array_mut().ok_or("no list")?;
    patterns.push(json!("aws-actions/configure-aws-credentials@*"));
    let now = world.admin("GET", &selected, Value::Null).await?;
    assert_eq!(now["patterns_allowed"], expected);

    // A list that lacks one is told, and what else is on it stays.
    let mut list = before.clone();
    list.as_array_mut()
        .ok_or("no list")?
        .push(json!("some/thing@*"));
    world
        .admin("PUT", &selected, json!({"patterns_allowed": list}))
        .await?;
    let found = world.json(&["manager"])?;
    assert_eq!(found.findings()?, set(&[FINDING]), "{}", found.all());
    assert!(
        found
            .out
            .contains("use what is not allowed: `aws-actions/configure-aws-credentials@c"),
        "{}",
        found.all()
    );
    let fixed = world.json(&["manager", "--fix", "--yes"])?;
    assert_eq!(fixed.findings()?, set(&[]), "{}", fixed.all());
    let now = world.admin("GET", &selected, Value::Null).await?;
    list.as_array_mut()
        .ok_or("no list")?
        .push(json!("aws-actions/configure-aws-credentials@*"));
    assert_eq!(now["patterns_allowed"], list);

    // Full commits are not demanded while something that runs is named by a tag.
    world.commit(json!({DEPLOY: deploy("v4")})).await?;
    let loose = json!({"enabled": true, "sha_pinning_required": false});
    world.admin("PUT", &permissions, loose).await?;
    let fixed = world.json(&["manager", "--fix", "--yes"])?;
    let pin = "manager-workflow-pin .github/workflows/deploy.yml";
    assert_eq!(fixed.findings()?, set(&[FINDING, pin]), "{}", fixed.all());
    let now = world.admin("GET", &permissions, Value::Null).await?;
    assert_eq!(now["sha_pinning_required"], false, "{}", fixed.all());
    world.end().await
}

#[test]
fn the_page_lists_every_check_and_no_other() -> Tested {
    let page =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md"))?;
    let rows: Vec<&str> = page.lines().filter(|l| l.starts_with("| `")).collect();
    let expected: Vec<String> = check::ALL
        .iter()
        .map(|c| {
            let fixes = if c.fixes { "yes" } else { "" };
            format!(
                "| `{}` | {} | {} | {} | {fixes} |",
                c.id,
                c.severity.name(),
                c.holds,
                c.remedy
            )
        })
        .collect();
    let missing: Vec<&String> = expected
        .iter()
        .filter(|e| !rows.contains(&e.as_str()))
        .collect();
    assert!(
        missing.is_empty(),
        "write into docs/doctor.md:\n{}",
        missing
            .iter()
            .map(|m| m.as_str())
            .collect::<Vec<_>>()
            .join("\n")
    );
    let listed = rows
        .iter()
        .filter(|r| {
            check::ALL
                .iter()
                .any(|c| r.starts_with(&format!("| `{}` ", c.id)))
        })
        .count();
    assert_eq!(listed, check::ALL.len());
    let unknown: Vec<&&str> = rows
        .iter()
        .filter(|r| r.matches(" | ").count() == 4 && !expected.iter().any(|e| e == **r))
        .collect();
    assert!(unknown.is_empty(), "{unknown:?}");
    Ok(())
}
