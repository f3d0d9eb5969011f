//! A customer is brought in, from a registry entry to a first plan and on to an apply, with the
//! real loop on the local GitHub; and everything that has to stop that before anything is written.

mod support;

use base64::Engine as _;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use support::planted::Planted;
use support::registry::files;
use support::said::Said;
use support::{Tested, checkout, expect, path, settings, steps};
use tenantry::local::RunnerSettings;
use tenantry::local::stage::{BOT, Engine, Hints, MANAGER, REVIEWER, Stage, Tenant};

/// A provider, and a customer who has a repository with a README.
struct World {
    stage: Stage,
    tenant: Tenant,
    estate: PathBuf,
    /// For the customer's repository.
    token: String,
    planted: Planted,
    dir: tempfile::TempDir,
}

const REPOSITORY: &str = "umbrella/app";
/// What a token for onboarding needs.
const RIGHTS: [(&str, &str); 7] = [
    ("metadata", "read"),
    ("administration", "read"),
    ("contents", "write"),
    ("workflows", "write"),
    ("pull_requests", "write"),
    ("actions_variables", "write"),
    ("statuses", "read"),
];

fn rights() -> BTreeMap<&'static str, &'static str> {
    RIGHTS.into_iter().collect()
}

impl World {
    async fn new(hints: Hints) -> Result<Self, Box<dyn Error>> {
        Self::with(hints, steps()).await
    }

    /// Where nothing has to run.
    async fn still() -> Result<Self, Box<dyn Error>> {
        let world = Self::with(Hints::Poll, RunnerSettings::hold(&path())).await?;
        world.add().await?;
        world.publish().await?;
        Ok(world)
    }

    async fn with(hints: Hints, runner: RunnerSettings) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let stage = Stage::set(settings(
            &dir.path().join("stage"),
            Engine::Argocd,
            hints,
            runner,
        )?)
        .await?;
        stage
            .admin("POST", "/_local/users", json!({"login": "uma"}))
            .await?;
        stage
            .admin(
                "POST",
                "/_local/orgs",
                json!({"login": "umbrella", "members": {"uma": "admin"}}),
            )
            .await?;
        let made = stage
            .admin(
                "POST",
                "/_local/repos",
                json!({"repo": REPOSITORY, "user": "uma", "files": {"README.md": "# App\n"}}),
            )
            .await?;
        let tenant = Tenant {
            id: "umbrella-corp",
            repository: REPOSITORY,
            user: "uma",
            repository_id: made["id"].as_u64().ok_or("no id")?,
        };
        let mut world = Self {
            estate: dir.path().join("estate"),
            token: String::new(),
            stage,
            tenant,
            planted: Planted::default(),
            dir,
        };
        world.token = world.token_with(&rights()).await?;
        let uma = world
            .stage
            .admin("POST", "/_local/tokens", json!({"user": "uma"}))
            .await?;
        let uma = uma["token"].as_str().ok_or("no token")?.to_owned();
        world.planted.add(&uma)?;
        world.stage.tokens.insert("uma".into(), uma);
        world.let_in().await?;
        checkout(&world.stage, &world.estate).await?;
        Ok(world)
    }

    /// The provider's own account reads the repository and answers there.
    async fn let_in(&self) -> Tested {
        let body = json!({"repo": REPOSITORY, "user": BOT, "permission": "write"});
        self.stage
            .admin("POST", "/_local/collaborators", body)
            .await?;
        let given = json!({"metadata": "read", "contents": "read", "pull_requests": "write", "issues": "write", "statuses": "write"});
        let mut repos: serde_json::Map<String, Value> = self
            .stage
            .tenants
            .iter()
            .map(|t| (t.repository.to_owned(), given.clone()))
            .collect();
        repos.insert(REPOSITORY.into(), given);
        repos.insert(
            "ops/gitops".into(),
            json!({"metadata": "read", "contents": "write"}),
        );
        let made = self
            .stage
            .admin(
                "POST",
                "/_local/tokens",
                json!({"user": BOT, "repos": repos}),
            )
            .await?;
        let body = json!({"repo": MANAGER, "name": "SOURCE_REPOS_PAT", "value": made["token"]});
        self.stage.admin("POST", "/_local/secrets", body).await?;
        Ok(())
    }

    /// A fine-grained token for the customer's repository.
    async fn token_with(&self, rights: &BTreeMap<&str, &str>) -> Result<String, Box<dyn Error>> {
        let body = json!({"user": "uma", "repos": {REPOSITORY: rights}});
        let made = self.stage.admin("POST", "/_local/tokens", body).await?;
        let token = made["token"].as_str().ok_or("no token")?;
        self.planted.add(token)?;
        Ok(token.to_owned())
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .arg("customer")
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("GITHUB_API_URL", &self.stage.server.url)
            .env("TENANTRY_SETUP_TOKEN", &self.token)
            .env("GITHUB_TOKEN", &self.stage.tokens[REVIEWER])
            .env("TENANTRY_SOURCE_TOKEN", &self.stage.server.token)
            .current_dir(&self.estate)
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        let said = Said::of(self.command(args).output()?)?;
        self.planted.unsaid(said)
    }

    fn fine(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        let said = self.run(args)?;
        assert_eq!(said.code, 0, "{args:?}: {}", said.all());
        Ok(said)
    }

    async fn add(&self) -> Tested {
        let repository = [
            "--repository",
            REPOSITORY,
            "--contact",
            "ops@umbrella.example",
        ];
        self.fine(&[&["add", "Umbrella Corp"][..], &repository].concat())?;
        Ok(())
    }

    /// Pushes the registry entry.
    async fn publish(&self) -> Tested {
        let mut files = serde_json::Map::new();
        for name in ["metadata.yaml", "products.yaml"] {
            let path = format!("customers/umbrella-corp/{name}");
            files.insert(
                path.clone(),
                std::fs::read_to_string(self.estate.join(path))?.into(),
            );
        }
        let body = json!({"repo": MANAGER, "user": REVIEWER, "message": "Add", "files": files});
        self.stage.admin("POST", "/_local/commits", body).await?;
        Ok(())
    }

    /// Everything that onboarding could have written.
    async fn standing(&self) -> Result<Value, Box<dyn Error>> {
        let mut github = self.stage.server.state();
        let id = github.find_full(REPOSITORY).ok_or("no repository")?;
        let refs = github.git(id).refs("refs/heads/");
        let repo = github.repo_mut(id).map_err(|_| "no repository")?;
        let names: Vec<&String> = refs.iter().map(|(name, _)| name).collect();
        let pulls: Vec<Value> = repo
            .pulls
            .values()
            .map(|p| json!({"title": p.title, "body": p.body, "open": p.open, "head": p.head_ref}))
            .collect();
        let variables: BTreeMap<&String, &String> =
            repo.variables.iter().map(|(k, v)| (k, &v.value)).collect();
        Ok(json!({"branches": names, "pulls": pulls, "variables": variables}))
    }

    /// The text of a file of a branch.
    async fn file(&self, branch: &str, file: &str) -> Option<String> {
        let path = format!("/repos/{REPOSITORY}/contents/{file}?ref={branch}");
        let (status, answer) = self.stage.server.call("GET", &path, Value::Null).await;
        let text: String = answer["content"].as_str()?.split_whitespace().collect();
        let bytes = base64::engine::general_purpose::STANDARD
            .decode(text)
            .ok()?;
        (status == 200).then(|| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A command that must be refused and write nothing.
    async fn refused(&self, args: &[&str]) -> Result<String, Box<dyn Error>> {
        let before = self.standing().await?;
        let said = self.run(args)?;
        assert_eq!(said.code, 1, "{args:?}: {}", said.all());
        assert!(said.err.contains("hint: "), "{}", said.err);
        assert_eq!(self.standing().await?, before, "{args:?}");
        Ok(said.err)
    }

    async fn end(self) -> Tested {
        self.stage.server.stop().await;
        self.planted.search(&files(self.dir.path())?, &[])
    }
}

const ONBOARD: [&str; 2] = ["onboard", "umbrella-corp"];
const STILL: [&str; 3] = ["onboard", "umbrella-corp", "--no-wait"];

async fn story(hints: Hints) -> Tested {
    let world = World::new(hints).await?;
    let began = Instant::now();
    // The registry first, and on the manager's default branch.
    world.add().await?;
    let early = world.refused(&ONBOARD).await?;
    assert!(
        early.contains("is not on `main` of `ops/infra-manager`"),
        "{early}"
    );
    world.publish().await?;

    // What would be done is shown, and nothing is.
    let before = world.standing().await?;
    let dry = world.fine(&["onboard", "umbrella-corp", "--dry-run"])?;
    assert_eq!(world.standing().await?, before);
    for part in [
        "create branch tenantry/onboarding of umbrella/app\n",
        "  create infra/variables.yml\n",
        "  create .github/workflows/trigger-infra.yml\n",
        "  create infra/README.md\n",
        "set variable MANAGER_REPO_OWNER of umbrella/app to ops\n",
        "set variable MANAGER_REPO_NAME of umbrella/app to infra-manager\n",
        "open a pull request in umbrella/app from tenantry/onboarding into main: Infrastructure by ops\n",
        "start deploy.yml of ops/infra-manager for customer umbrella-corp",
    ] {
        assert!(dry.out.contains(part), "{part}: {}", dry.out);
    }

    // Then it is done, and ends with the first plan.
    let done = world.run(&ONBOARD)?;
    expect(&world.stage, &done.all(), done.code == 0).await?;
    assert!(
        done.out.starts_with(&dry.out),
        "{}\n---\n{}",
        dry.out,
        done.out
    );
    let took = began.elapsed();
    assert!(took < Duration::from_secs(300), "{took:?}");
    for part in ["umbrella-corp/web/staging", "umbrella-corp/web/production"] {
        assert!(done.out.contains(part), "{}", done.out);
    }
    assert!(
        done.err.contains("umbrella/app#1: success: "),
        "{}",
        done.err
    );
    assert!(!done.err.contains("nobody can tell"), "{}", done.err);
    // The run goes on for a moment, and its last report touches the comment again.
    world.stage.server.idle().await;
    let comments = world.stage.comments(&world.tenant, 1).await?;
    assert_eq!(comments.len(), 1, "{comments:?}");
    assert_eq!(comments[0].author, BOT);
    // Nobody was told that the default branch lacks a file that nobody has merged yet.
    let main = {
        let github = world.stage.server.state();
        let id = github.find_full(REPOSITORY).ok_or("no repository")?;
        github.git(id).ref_sha("refs/heads/main").ok_or("no main")?
    };
    assert_eq!(world.stage.statuses(&world.tenant, &main).await?, []);

    // A second time, there is nothing to do, and the plan is shown again.
    let before = world.standing().await?;
    let again = world.run(&ONBOARD)?;
    assert_eq!(again.code, 3, "{}", again.all());
    assert!(
        again.out.contains("keep pull request umbrella/app#1"),
        "{}",
        again.out
    );
    assert!(again.out.contains(comments[0].body.trim_end()));
    assert_eq!(world.standing().await?, before);

    // From here it goes as with every change.
    let pull = world
        .stage
        .admin("GET", &format!("/repos/{REPOSITORY}/pulls/1"), Value::Null)
        .await?;
    let head = pull["head"]["sha"].as_str().ok_or("no head")?;
    let merged = world.stage.merge(&world.tenant, 1, head).await?;
    world.stage.server.idle().await;
    if hints == Hints::Poll {
        world.stage.tick().await?;
    }
    let Some(run) = world.stage.until_waiting(60).await? else {
        return expect(&world.stage, "production waits", false).await;
    };
    world.stage.approve(run, REVIEWER).await?;
    world.stage.server.idle().await;
    let status = world.stage.status(&world.tenant, &merged).await?;
    expect(
        &world.stage,
        &format!("{status:?}"),
        status.is_some_and(|s| s.description == "applied: web/staging, web/production"),
    )
    .await?;
    let over = world.run(&ONBOARD)?;
    assert_eq!(over.code, 3, "{}", over.all());
    assert!(
        over.err
            .contains("everything is on the default branch already"),
        "{}",
        over.err
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_first_plan() -> Tested {
    story(Hints::Poll).await
}

#[tokio::test(flavor = "multi_thread")]
async fn from_nothing_to_a_first_plan_with_a_dispatch() -> Tested {
    let world = World::new(Hints::Direct).await?;
    world.add().await?;
    // The default branch of the manager is closed, but for its administrators.
    world.publish().await?;
    let token = world.stage.tokens["dispatch"].clone();
    let body = json!({"repo": REPOSITORY, "name": "MANAGER_REPO_PAT", "value": token});
    world.stage.admin("POST", "/_local/secrets", body).await?;
    let mut rights = rights();
    rights.insert("secrets", "read");
    let mut world = world;
    world.token = world.token_with(&rights).await?;
    let done = world.run(&ONBOARD)?;
    expect(&world.stage, &done.all(), done.code == 0).await?;
    assert!(
        done.out
            .contains("the workflow of the pull request asks ops/infra-manager by itself")
    );
    assert!(!done.out.contains("start deploy.yml"), "{}", done.out);
    assert!(
        done.out.contains("umbrella-corp/web/production"),
        "{}",
        done.out
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn as_json_and_without_waiting() -> Tested {
    let world = World::still().await?;
    let said = world.fine(&["onboard", "umbrella-corp", "--no-wait", "--format", "json"])?;
    let json: Value = serde_json::from_str(&said.out)?;
    assert_eq!((&json["version"], &json["done"]), (&json!(1), &json!(true)));
    assert_eq!(json["pull_request"], 1);
    assert!(json["run"].is_u64(), "{json}");
    let steps: Vec<&str> = json["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["step"].as_str())
        .collect();
    assert_eq!(steps, ["commit", "variable", "variable", "open", "start"]);
    // Nothing answers here, so a second run waits for the time that it is given.
    let said = world.run(&["onboard", "umbrella-corp", "--wait", "0"])?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err.contains("there is no plan at umbrella/app#1 yet"),
        "{}",
        said.err
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_pull_request() -> Tested {
    let mut world = World::still().await?;
    // Without the right to set variables.
    let mut fewer = rights();
    fewer.remove("actions_variables");
    world.token = world.token_with(&fewer).await?;
    world.fine(&["onboard", "umbrella-corp", "--pr"])?;
    let standing = world.standing().await?;
    assert_eq!(standing["variables"], json!({}));
    assert_eq!(standing["pulls"].as_array().map(Vec::len), Some(1));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_there_is_left_as_it_is() -> Tested {
    let world = World::still().await?;
    let mine = "# mine\n";
    for file in ["infra/README.md", ".github/workflows/trigger-infra.yml"] {
        world
            .stage
            .commit(&world.tenant, "main", file, mine, "Mine")
            .await?;
    }
    let said = world.fine(&STILL)?;
    assert!(
        said.out
            .contains("keep infra/README.md: it is there already and is left as it is")
    );
    assert!(
        said.out
            .contains("keep .github/workflows/trigger-infra.yml: it is there already")
    );
    for branch in ["main", "tenantry/onboarding"] {
        assert_eq!(
            world.file(branch, "infra/README.md").await.as_deref(),
            Some(mine)
        );
    }
    let written = world
        .file("tenantry/onboarding", "infra/variables.yml")
        .await
        .ok_or("no file")?;
    insta::assert_snapshot!(written, @r##"
    # infra/variables.yml: what umbrella-corp asks for. Change it in a pull request: the plan appears there.
    # This is an example that passes; replace what does not fit.
    # Name of the application; part of every resource's name.
    project_name: shop
    # Where it runs.
    cloud_provider: aws
    # Region of the cloud provider.
    region: eu-west-1
    # Size of one instance.
    instance_type: t3.micro
    # Least number of instances.
    min_instances: 1
    # Largest number of instances.
    max_instances: 2
    # The network of the application.
    networking:
      availability_zones: 2
      vpc_cidr: "10.0.0.0/16"
    # Labels of every resource.
    tags:
      example: example
    # What differs in one environment (staging, production) goes under `environments:`, by its name.
    "##);
    // What the customer changes on the branch stays, too.
    world
        .stage
        .commit(
            &world.tenant,
            "tenantry/onboarding",
            "infra/variables.yml",
            "project_name: mine\n",
            "Mine",
        )
        .await?;
    let again = world.run(&STILL)?;
    assert!(matches!(again.code, 0 | 3), "{}", again.all());
    assert!(
        !again.out.contains("infra/variables.yml\n    +"),
        "{}",
        again.out
    );
    assert_eq!(
        world
            .file("tenantry/onboarding", "infra/variables.yml")
            .await
            .as_deref(),
        Some("project_name: mine\n")
    );
    world.end().await
}

/// The files that a customer has already decide what is planned; nothing is started for them.
#[tokio::test(flavor = "multi_thread")]
async fn a_customer_who_has_a_file_already() -> Tested {
    let world = World::still().await?;
    world
        .stage
        .commit(
            &world.tenant,
            "main",
            "infra/variables.yml",
            "project_name: mine\n",
            "Mine",
        )
        .await?;
    let said = world.fine(&STILL)?;
    assert!(!said.out.contains("start deploy.yml"), "{}", said.out);
    assert!(
        said.out.contains("stands on their default branch already"),
        "{}",
        said.out
    );
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_right_that_is_missing_is_named_and_nothing_is_written() -> Tested {
    let mut world = World::still().await?;
    for (right, words) in [
        ("contents", "the token may not write to `umbrella/app`"),
        (
            "pull_requests",
            "the token lacks `Pull requests: write` on `umbrella/app`; nothing was written",
        ),
        ("actions_variables", "the token lacks `Variables: write`"),
        (
            "workflows",
            "GitHub does not let this token write a workflow to `umbrella/app`; nothing that anybody sees was written",
        ),
    ] {
        let mut fewer = rights();
        match right {
            // Reading stays.
            "contents" | "pull_requests" => fewer.insert(right, "read"),
            _ => fewer.remove(right),
        };
        world.token = world.token_with(&fewer).await?;
        let said = world.refused(&STILL).await?;
        assert!(said.contains(words), "{right}: {said}");
    }
    // Two at once, and one of them at the manager.
    let mut fewer = rights();
    fewer.insert("pull_requests", "read");
    world.token = world.token_with(&fewer).await?;
    let body = json!({"user": REVIEWER, "repos": {MANAGER: {"metadata": "read", "contents": "read", "actions": "read"}}});
    let reader = world.stage.admin("POST", "/_local/tokens", body).await?;
    let reader = reader["token"].as_str().ok_or("no token")?;
    let mut command = world.command(&STILL);
    let said = Said::of(command.env("GITHUB_TOKEN", reader).output()?)?;
    assert!(
        said.err.contains("lacks `Pull requests: write` on `umbrella/app`, `Actions: write` on `ops/infra-manager`"),
        "{}",
        said.err
    );
    // Nobody at all.
    let mut command = world.command(&STILL);
    let nobody = command
        .env_remove("GITHUB_TOKEN")
        .env_remove("TENANTRY_SETUP_TOKEN");
    assert_eq!(nobody.output()?.status.code(), Some(2));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_is_refused_before_anything_is_written() -> Tested {
    let world = World::still().await?;
    let settings = format!("/repos/{REPOSITORY}");
    let is = |said: String, words: &str| assert!(said.contains(words), "{said}");

    // The manager has something else than what stands here.
    let entry = world.estate.join("customers/umbrella-corp/products.yaml");
    let text = std::fs::read_to_string(&entry)?;
    std::fs::write(&entry, format!("{text}# later\n"))?;
    is(
        world.refused(&STILL).await?,
        "stands differently on `main` of `ops/infra-manager`",
    );
    std::fs::write(&entry, text)?;

    // Archived, and without Actions.
    world
        .stage
        .admin("PATCH", &settings, json!({"archived": true}))
        .await?;
    is(world.refused(&STILL).await?, "`umbrella/app` is archived");
    world
        .stage
        .admin("PATCH", &settings, json!({"archived": false}))
        .await?;
    let actions = format!("{settings}/actions/permissions");
    world
        .stage
        .admin("PUT", &actions, json!({"enabled": false}))
        .await?;
    is(
        world.refused(&STILL).await?,
        "Actions are disabled in `umbrella/app`",
    );
    world
        .stage
        .admin("PUT", &actions, json!({"enabled": true}))
        .await?;

    // Another provider's customer.
    let body = json!({"repo": REPOSITORY, "name": "MANAGER_REPO_OWNER", "value": "others"});
    world.stage.admin("POST", "/_local/variables", body).await?;
    is(world.refused(&STILL).await?, "is `others`, not `ops`");
    world
        .stage
        .admin(
            "DELETE",
            &format!("{settings}/actions/variables/MANAGER_REPO_OWNER"),
            Value::Null,
        )
        .await?;

    // A customer who has said no.
    world.fine(&STILL)?;
    world
        .stage
        .admin(
            "PATCH",
            &format!("{settings}/pulls/1"),
            json!({"state": "closed"}),
        )
        .await?;
    is(
        world.refused(&STILL).await?,
        "umbrella/app#1 was closed without being merged",
    );

    // Suspended.
    world.fine(&["suspend", "umbrella-corp", "--reason", "late"])?;
    is(world.refused(&STILL).await?, "`umbrella-corp` is suspended");
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_repository_and_one_whose_branch_is_called_like_a_script() -> Tested {
    let world = World::still().await?;
    let odd = "main${IFS}x";
    let path = format!("/repos/{REPOSITORY}");
    world
        .stage
        .commit(&world.tenant, odd, "x", "x", "x")
        .await?;
    world
        .stage
        .admin("PATCH", &path, json!({"default_branch": odd}))
        .await?;
    let odd = world.refused(&STILL).await?;
    assert!(odd.contains("is not written into a workflow"), "{odd}");
    let metadata = world.estate.join("customers/umbrella-corp/metadata.yaml");
    let text = std::fs::read_to_string(&metadata)?;
    let made = world
        .stage
        .admin(
            "POST",
            "/_local/repos",
            json!({"repo": "umbrella/empty", "user": "uma"}),
        )
        .await?;
    let text = text.replace("umbrella/app", "umbrella/empty").replace(
        &world.tenant.repository_id.to_string(),
        &made["id"].to_string(),
    );
    std::fs::write(&metadata, text)?;
    world.publish().await?;
    let mut command = world.command(&STILL);
    let said = Said::of(
        command
            .env("TENANTRY_SETUP_TOKEN", &world.stage.tokens["uma"])
            .output()?,
    )?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err.contains("`umbrella/empty` is empty"),
        "{}",
        said.err
    );
    world.end().await
}

/// T3: a name is for people, the numbers decide.
#[tokio::test(flavor = "multi_thread")]
async fn t3_a_renamed_repository_is_told_a_transferred_or_another_one_is_refused() -> Tested {
    let world = World::still().await?;
    // Renamed: it is the same one.
    world
        .stage
        .admin(
            "PATCH",
            &format!("/repos/{REPOSITORY}"),
            json!({"name": "shop"}),
        )
        .await?;
    let dry = world.fine(&["onboard", "umbrella-corp", "--dry-run"])?;
    assert!(
        dry.out.contains("`umbrella/app` is called `umbrella/shop` now; record it with `tenantry customer set umbrella-corp repository=umbrella/shop`"),
        "{}",
        dry.out
    );
    assert!(
        dry.out
            .contains("create branch tenantry/onboarding of umbrella/shop")
    );
    world.fine(&STILL)?;
    let pulls = world
        .stage
        .admin("GET", "/repos/umbrella/shop/pulls", Value::Null)
        .await?;
    assert_eq!(pulls.as_array().map(Vec::len), Some(1));

    // Somebody makes another one under the old name.
    let made = world
        .stage
        .admin(
            "POST",
            "/_local/repos",
            json!({"repo": REPOSITORY, "user": "mallory", "files": {"a": "b"}}),
        )
        .await?;
    assert!(made["id"].is_u64());
    let uma = world.stage.tokens["uma"].clone();
    let with = |token: &str| -> Result<Said, Box<dyn Error>> {
        let mut command = world.command(&STILL);
        Said::of(command.env("TENANTRY_SETUP_TOKEN", token).output()?)
    };
    let before = world.standing().await?;
    let said = with(&uma)?;
    assert_eq!(said.code, 1);
    assert!(
        said.err
            .contains("`umbrella/app` is another repository now"),
        "{}",
        said.err
    );
    assert_eq!(world.standing().await?, before);

    // Transferred: another account decides there now.
    world
        .stage
        .admin("DELETE", &format!("/repos/{REPOSITORY}"), Value::Null)
        .await?;
    world.fine(&["set", "umbrella-corp", "repository=umbrella/shop"])?;
    world.publish().await?;
    let body = json!({"new_owner": "mallory"});
    world
        .stage
        .admin("POST", "/repos/umbrella/shop/transfer", body)
        .await?;
    let mallory = world.stage.tokens["mallory"].clone();
    let said = with(&mallory)?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err
            .contains("`umbrella/shop` belongs to another account now, `mallory`"),
        "{}",
        said.err
    );
    assert!(
        said.err
            .contains("`tenantry customer set umbrella-corp repository=mallory/shop --moved`"),
        "{}",
        said.err
    );
    // Once somebody has asked, and said so, it goes on where it was.
    world.fine(&["set", "umbrella-corp", "repository=mallory/shop", "--moved"])?;
    world.publish().await?;
    let said = with(&mallory)?;
    assert_eq!(said.code, 0, "{}", said.all());
    assert!(
        said.out.contains("keep pull request mallory/shop#1"),
        "{}",
        said.out
    );
    world.end().await
}

/// T16: what a customer is called cannot change what the pull request says.
#[tokio::test(flavor = "multi_thread")]
async fn t16_a_hostile_name_stays_a_name_in_the_pull_request() -> Tested {
    let world = World::still().await?;
    let metadata = world.estate.join("customers/umbrella-corp/metadata.yaml");
    let text = std::fs::read_to_string(&metadata)?;
    let hostile = "name: \"x\\n\\n# owned @everybody <!-- [a](https://evil.example) `y\"";
    std::fs::write(&metadata, text.replace("name: Umbrella Corp", hostile))?;
    world.publish().await?;
    world.fine(&STILL)?;
    let standing = world.standing().await?;
    let body = standing["pulls"][0]["body"].as_str().ok_or("no body")?;
    for bad in ["\n# owned", "@everybody", "<!--", " [a", " `y"] {
        assert!(!body.contains(bad), "{bad}: {body}");
    }
    let readme = world
        .file("tenantry/onboarding", "infra/README.md")
        .await
        .ok_or("no file")?;
    assert!(!readme.contains("owned"), "{readme}");
    world.end().await
}

/// Killed after any number of calls, and begun again: the end is always the same.
#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_call_it_goes_on() -> Tested {
    let whole = {
        let world = World::still().await?;
        world.fine(&STILL)?;
        let standing = world.standing().await?;
        let writes = writes(&world);
        world.end().await?;
        (standing, writes)
    };
    assert!(whole.1 >= 10, "{} calls write", whole.1);
    for at in 1..=whole.1 {
        let world = World::still().await?;
        let before = writes(&world);
        let mut child = world
            .command(&STILL)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        while writes(&world) - before < at && child.try_wait()?.is_none() {
            std::thread::sleep(Duration::from_micros(200));
        }
        child.kill()?;
        child.wait()?;
        let again = world.run(&STILL)?;
        assert!(
            matches!(again.code, 0 | 3),
            "killed at {at}: {}",
            again.all()
        );
        assert_eq!(world.standing().await?, whole.0, "killed at {at}");
        let files = [
            "infra/variables.yml",
            ".github/workflows/trigger-infra.yml",
            "infra/README.md",
        ];
        for file in files {
            assert!(
                world.file("tenantry/onboarding", file).await.is_some(),
                "{file}"
            );
        }
        world.end().await?;
    }
    Ok(())
}

/// How many writes the local GitHub has seen below the customer's and the manager's repository.
fn writes(world: &World) -> usize {
    let github = world.stage.server.state();
    let calls = github.journal.entries.iter();
    calls
        .filter(|e| {
            let text = |key: &str| {
                e[key]
                    .as_str()
                    .or(e["request"][key].as_str())
                    .unwrap_or_default()
            };
            matches!(text("method"), "POST" | "PATCH" | "PUT" | "DELETE")
                && text("path").starts_with("/repos/")
        })
        .count()
}

/// Answers that are lost after the write was done change nothing.
#[tokio::test(flavor = "multi_thread")]
async fn lost_answers_make_nothing_twice() -> Tested {
    let world = World::still().await?;
    for path in [
        "/git/refs",
        "/actions/variables",
        "/pulls",
        "/dispatches",
        "/git/commits",
    ] {
        let body = json!({"method": "POST", "path": path, "kind": "drop_after", "times": 2});
        world.stage.admin("POST", "/_local/faults", body).await?;
    }
    let said = world.run(&STILL)?;
    // A look whether a right is there may be lost as well: then it is tried again.
    let said = match said.code {
        0 => said,
        _ => world.run(&STILL)?,
    };
    assert!(matches!(said.code, 0 | 3), "{}", said.all());
    let standing = world.standing().await?;
    assert_eq!(
        standing["pulls"].as_array().map(Vec::len),
        Some(1),
        "{standing}"
    );
    world.end().await
}

/// The words of a command line, with double quotes around some.
fn words(line: &str) -> Vec<String> {
    let mut out = vec![String::new()];
    let mut quoted = false;
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ' ' if !quoted => out.push(String::new()),
            c => {
                if let Some(last) = out.last_mut() {
                    last.push(c);
                }
            }
        }
    }
    out
}

/// docs/onboarding.md, followed by the letter.
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_onboarding_does_what_it_says() -> Tested {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/onboarding.md");
    let page = std::fs::read_to_string(page)?;
    let world = World::new(Hints::Poll).await?;
    let mut inside = false;
    let mut printed = String::new();
    let mut ran = 0;
    for (number, line) in page.lines().enumerate() {
        let at = format!("docs/onboarding.md:{}: {line}", number + 1);
        if line.starts_with("```") {
            inside = line == "```console";
            continue;
        }
        if !inside {
            continue;
        }
        let Some(command) = line.strip_prefix("$ ") else {
            assert!(
                printed.lines().any(|l| l == line),
                "{at}\nprinted:\n{printed}"
            );
            continue;
        };
        match words(command).as_slice() {
            [git, what, ..] if git == "git" => {
                if what == "push" {
                    world.publish().await?;
                }
            }
            [tenantry, customer, rest @ ..] => {
                assert_eq!(
                    (tenantry.as_str(), customer.as_str()),
                    ("tenantry", "customer")
                );
                let rest: Vec<&str> = rest.iter().map(String::as_str).collect();
                let said = world.run(&rest)?;
                expect(
                    &world.stage,
                    &format!("{at}\n{}", said.all()),
                    said.code == 0,
                )
                .await?;
                printed = format!("{}{}", said.out, said.err);
                ran += 1;
            }
            _ => return Err(at.into()),
        }
    }
    assert!(ran >= 7, "only {ran} commands");
    assert!(world.estate.join("umbrella-corp.eml").is_file());
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn out_again_with_everything_left_standing() -> Tested {
    let world = World::new(Hints::Poll).await?;
    world.add().await?;
    world.publish().await?;
    world.fine(&ONBOARD)?;
    let pull = world
        .stage
        .admin("GET", &format!("/repos/{REPOSITORY}/pulls/1"), Value::Null)
        .await?;
    let head = pull["head"]["sha"].as_str().ok_or("no head")?;
    world.stage.merge(&world.tenant, 1, head).await?;
    world.stage.tick().await?;
    if let Some(run) = world.stage.until_waiting(60).await? {
        world.stage.approve(run, REVIEWER).await?;
    }
    world.stage.server.idle().await;
    let applied = world.stage.store_dir().join("applied/umbrella-corp/web");
    assert!(applied.join("production.json").is_file());

    let offboard = ["offboard", "umbrella-corp", "--reason", "contract ended"];
    let before = world.standing().await?;
    let entry = world.estate.join("customers/umbrella-corp/metadata.yaml");
    let dry = world.fine(&[&offboard[..], &["--dry-run"]].concat())?;
    assert_eq!(world.standing().await?, before);
    assert!(!std::fs::read_to_string(&entry)?.contains("suspended"));
    for part in [
        "change customers/umbrella-corp/metadata.yaml\n",
        "  + status: suspended\n",
        "create branch tenantry/offboarding of umbrella/app\n  remove .github/workflows/trigger-infra.yml\n",
        "open a pull request in umbrella/app from tenantry/offboarding into main: No more infrastructure by ops\n",
        "To revoke, by hand\n",
        "umbrella-corp/web/production (applied ",
    ] {
        assert!(dry.out.contains(part), "{part}: {}", dry.out);
    }
    let done = world.fine(&offboard)?;
    assert_eq!(done.out, dry.out);
    assert!(std::fs::read_to_string(&entry)?.contains("reason: contract ended"));
    // The variables wait for the merge.
    let between = world.standing().await?;
    assert_eq!(between["variables"], before["variables"]);
    let again = world.run(&offboard)?;
    assert_eq!(again.code, 3, "{}", again.all());

    // Suspended: a change of theirs is refused from now on.
    world.publish().await?;
    let pull = world
        .stage
        .admin("GET", &format!("/repos/{REPOSITORY}/pulls/2"), Value::Null)
        .await?;
    let head = pull["head"]["sha"].as_str().ok_or("no head")?;
    world.stage.merge(&world.tenant, 2, head).await?;
    world.fine(&offboard)?;
    let after = world.standing().await?;
    assert_eq!(after["variables"], json!({}));
    assert_eq!(world.run(&offboard)?.code, 3);
    assert_eq!(
        world
            .file("main", ".github/workflows/trigger-infra.yml")
            .await,
        None
    );
    assert!(world.file("main", "infra/variables.yml").await.is_some());
    assert!(applied.join("production.json").is_file());
    world.stage.tick().await?;
    world.stage.server.idle().await;
    assert!(applied.join("production.json").is_file());
    world.end().await
}

/// Before the customer has merged, leaving closes what is open and has nothing to remove.
#[tokio::test(flavor = "multi_thread")]
async fn out_before_the_customer_was_in() -> Tested {
    let world = World::still().await?;
    world.fine(&STILL)?;
    let said = world.fine(&["offboard", "umbrella-corp", "--format", "json"])?;
    let json: Value = serde_json::from_str(&said.out)?;
    let steps: Vec<&str> = json["steps"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|s| s["step"].as_str())
        .collect();
    assert_eq!(steps, ["close", "remove-variable", "remove-variable"]);
    let standing = world.standing().await?;
    assert_eq!(standing["pulls"][0]["open"], false);
    assert_eq!(standing["variables"], json!({}));
    world.end().await
}

#[tokio::test(flavor = "multi_thread")]
async fn environments_of_their_own_are_protected_like_the_shared_ones() -> Tested {
    let world = World::still().await?;
    let settings = world.estate.join("tenantry.yml");
    let text = std::fs::read_to_string(&settings)?;
    std::fs::write(
        &settings,
        format!("{text}customers:\n  own_environments: true\n"),
    )?;
    let said = world.fine(&STILL)?;
    assert!(
        said.out.contains("create environment umbrella-corp/production-apply of ops/infra-manager, protected like production-apply\n  PUT /repos/ops/infra-manager/environments/umbrella-corp%2Fproduction-apply "),
        "{}",
        said.out
    );
    let all = {
        let github = world.stage.server.state();
        let id = github.find_full(MANAGER).ok_or("no manager")?;
        let manager = github.repo(id).map_err(|_| "no manager")?;
        manager.environments.clone()
    };
    for what in [
        "staging-plan",
        "staging-apply",
        "production-plan",
        "production-apply",
    ] {
        let own = all.get(&format!("umbrella-corp/{what}")).ok_or(what)?;
        let shared = all.get(what).ok_or(what)?;
        assert_eq!(own.reviewers, shared.reviewers, "{what}");
        assert_eq!(
            own.prevent_self_review, shared.prevent_self_review,
            "{what}"
        );
        assert!(own.secrets.is_empty());
    }
    assert_eq!(all.len(), 8);
    assert_eq!(world.run(&STILL)?.code, 0);
    world.end().await
}
