//! Customers whose jobs run in environments of their own: what makes them, that one customer's
//! approval opens nothing of another's, and what goes when a customer goes.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::error::Error;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use support::planted::Planted;
use support::registry::files;
use support::said::Said;
use support::{Tested, checkout, expect, path, settings, skip, steps, tool};
use tenantry::local::stage::{Engine, Hints, MANAGER, REVIEWER, Stage};
use tenantry::store::seal::SealIdentity;

const CUSTOMERS: [&str; 3] = ["acme", "globex", "initech"];
const ROLE: &str = "arn:aws:iam::123456789012:role/acme-apply";

struct World {
    stage: Stage,
    estate: PathBuf,
    planted: Planted,
    dir: tempfile::TempDir,
}

impl World {
    async fn new(engine: Engine) -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let stage = dir.path().join("stage");
        let mut wanted = settings(&stage, engine, Hints::Poll, steps())?;
        wanted.own_environments = true;
        let world = Self {
            stage: Stage::set(wanted).await?,
            estate: dir.path().join("estate"),
            planted: Planted::default(),
            dir,
        };
        checkout(&world.stage, &world.estate).await?;
        // Acme's applies take a role, as the registry says.
        let entry = "customers/acme/metadata.yaml";
        let text = std::fs::read_to_string(world.estate.join(entry))?;
        let text = format!("{text}roles:\n  production: {ROLE}\n");
        std::fs::write(world.estate.join(entry), &text)?;
        let body =
            json!({"repo": MANAGER, "user": REVIEWER, "message": "Role", "files": {entry: text}});
        world.stage.admin("POST", "/_local/commits", body).await?;
        world.stage.server.idle().await;
        Ok(world)
    }

    fn run(&self, args: &[&str], seal: Option<&str>) -> Result<Said, Box<dyn Error>> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("GITHUB_API_URL", &self.stage.server.url)
            .env("GITHUB_TOKEN", &self.stage.server.token)
            .env("TENANTRY_SOURCE_TOKEN", &self.stage.server.token)
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .envs(seal.map(|key| ("TENANTRY_SEAL_IDENTITY", key)))
            .current_dir(&self.estate)
            .stdin(Stdio::null());
        self.planted.unsaid(Said::of(command.output()?)?)
    }

    /// What doctor finds about environments, `id subject`.
    fn found(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let said = self.run(&["doctor", "--all", "--format", "json"], None)?;
        let all = said.findings()?.into_iter();
        Ok(all
            .filter(|f| f.contains("/production-") || f.contains("/staging-"))
            .collect())
    }

    /// Decides about one environment that a run waits for.
    async fn decide(&self, run: u64, environment: &str, state: &str) -> Tested {
        let path = format!("/repos/{MANAGER}/actions/runs/{run}/pending_deployments");
        let pending = self.stage.by(REVIEWER, "GET", &path, Value::Null).await?;
        let id = pending
            .as_array()
            .into_iter()
            .flatten()
            .find(|p| p["environment"]["name"] == environment)
            .ok_or_else(|| format!("nothing waits for {environment}: {pending}"))?["environment"]
            ["id"]
            .clone();
        let body = json!({"environment_ids": [id], "state": state, "comment": "seen"});
        self.stage.by(REVIEWER, "POST", &path, body).await?;
        Ok(())
    }

    /// Waits until a run waits for exactly these environments.
    async fn waits(&self, wanted: &[&str]) -> Result<u64, Box<dyn Error>> {
        let wanted: BTreeSet<String> = wanted.iter().map(|w| (*w).to_owned()).collect();
        let mut last = None;
        for _ in 0..1_200 {
            last = self.stage.waiting().await?;
            if let Some((run, names)) = &last
                && names.iter().cloned().collect::<BTreeSet<_>>() == wanted
            {
                return Ok(*run);
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Err(format!("{wanted:?}, not {last:?}\n{}", self.stage.logs().await?).into())
    }

    /// What the customer reads at its default branch.
    async fn says(&self, customer: &str) -> Result<String, Box<dyn Error>> {
        let tenant = self.stage.tenant(customer).ok_or("no such tenant")?.clone();
        let path = format!("/repos/{}/git/ref/heads/main", tenant.repository);
        let head = self.stage.admin("GET", &path, Value::Null).await?;
        let head = head["object"]["sha"].as_str().ok_or("no head")?.to_owned();
        let status = self.stage.status(&tenant, &head).await?;
        let status = status.ok_or("no status")?;
        Ok(format!("{}: {}", status.state, status.description))
    }

    /// The environments of the manager repository that are somebody's own.
    async fn own(&self) -> Result<Vec<String>, Box<dyn Error>> {
        let path = format!("/repos/{MANAGER}/environments?per_page=100");
        let all = self.stage.admin("GET", &path, Value::Null).await?;
        let all = all["environments"].as_array().ok_or("no list")?.iter();
        let names = all.filter_map(|e| e["name"].as_str());
        Ok(names
            .filter(|n| n.contains('/'))
            .map(str::to_owned)
            .collect())
    }

    /// Waits until the customer reads this.
    async fn told(&self, customer: &str, wanted: &str) -> Tested {
        let mut last = String::new();
        for _ in 0..1_200 {
            last = self.says(customer).await?;
            if last == wanted {
                return Ok(());
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        expect(
            &self.stage,
            &format!("{customer}: {last}, not {wanted}"),
            false,
        )
        .await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customers_approval_opens_nothing_of_another() -> Tested {
    const NAME: &str = "one_customers_approval_opens_nothing_of_another";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not installed");
    }
    story(Engine::Terraform).await
}

#[tokio::test(flavor = "multi_thread")]
async fn one_customers_approval_opens_nothing_of_another_with_argo_cd() -> Tested {
    story(Engine::Argocd).await
}

/// The end of each name.
const PLACES: [&str; 4] = [
    "staging-plan",
    "staging-apply",
    "production-plan",
    "production-apply",
];
const VARIABLE: &str = "environments/acme%2Fproduction-apply/variables/AWS_ROLE_ARN";

/// `id customer/environment` for every customer.
fn every(id: &str, what: &[&str]) -> BTreeSet<String> {
    let of = |c: &str| -> Vec<String> { what.iter().map(|w| format!("{id} {c}/{w}")).collect() };
    CUSTOMERS.iter().flat_map(|c| of(c)).collect()
}

fn onboard(customer: &str) -> [&str; 4] {
    ["customer", "onboard", customer, "--environments"]
}

async fn story(engine: Engine) -> Tested {
    let world = World::new(engine).await?;
    let key = world.stage.identity.expose();
    world.planted.add(&key)?;
    nothing_begins(&world).await?;
    they_are_made(&world, &key).await?;
    each_waits_alone(&world).await?;
    drift_waits_for_its_environment(&world, &key).await?;
    one_goes(&world, &key).await?;
    world.stage.server.stop().await;
    world.planted.search(&files(world.dir.path())?, &[])
}

async fn nothing_begins(world: &World) -> Tested {
    // GitHub would make them without protection for the first job that names them, so there is none.
    world.stage.tick().await?;
    world.stage.server.idle().await;
    assert_eq!(world.own().await?, Vec::<String>::new());
    let logs = world.stage.logs().await?;
    assert!(
        logs.contains("the provider runs `tenantry customer onboard acme --environments`"),
        "{logs}"
    );

    // Nor in one that a job, or a hand, has made, as long as every branch may use it.
    let bare = PLACES.map(|name| format!("/repos/{MANAGER}/environments/acme%2F{name}"));
    for path in &bare {
        world.stage.admin("PUT", path, json!({})).await?;
    }
    world.stage.tick().await?;
    world.stage.server.idle().await;
    assert!(world.says("acme").await.is_err(), "nothing was begun");
    for path in &bare {
        world.stage.admin("DELETE", path, Value::Null).await?;
    }
    Ok(())
}

async fn they_are_made(world: &World, key: &str) -> Tested {
    // Nobody has made the environments: doctor misses each, and makes them.
    let missing = world.found()?;
    assert_eq!(missing, every("manager-environment", &PLACES));
    let fixed = world.run(&["doctor", "customer", "globex", "--fix", "--yes"], None)?;
    assert!(
        fixed.err.contains("globex/production-apply"),
        "{}",
        fixed.all()
    );
    let keyless = "manager-secret globex/production-apply/TENANTRY_SEAL_IDENTITY";
    assert!(world.found()?.contains(keyless));

    // Onboarding makes the rest, and puts the key there: the right one, or none, and never into
    // one that is not protected: one that a job has made, and one that was made half.
    for (name, body) in [
        ("acme%2Fproduction-apply", json!({})),
        (
            "acme%2Fstaging-apply",
            json!({"deployment_branch_policy": {"protected_branches": false, "custom_branch_policies": true}}),
        ),
    ] {
        let path = format!("/repos/{MANAGER}/environments/{name}");
        world.stage.admin("PUT", &path, body).await?;
    }
    let wrong = SealIdentity::generate().expose();
    let said = world.run(&onboard("acme"), Some(&wrong))?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err.contains("is another key than the one"),
        "{}",
        said.err
    );
    assert_eq!(world.own().await?.len(), 6, "nothing was made");
    let said = world.run(&onboard("acme"), None)?;
    assert_eq!(said.code, 0, "{}", said.all());
    for part in [
        "protect environment acme/production-apply of ops/infra-manager, protected like production-apply\n",
        "protect environment acme/staging-apply of ops/infra-manager",
        "create environment acme/staging-plan of ops/infra-manager",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert!(
        said.out.contains("nothing can be applied in acme/"),
        "{}",
        said.out
    );
    for customer in CUSTOMERS {
        let said = world.run(&onboard(customer), Some(key))?;
        assert_eq!(said.code, 0, "{}", said.all());
        let line = format!(
            "set secret TENANTRY_SEAL_IDENTITY of environment {customer}/production-apply\n"
        );
        assert!(said.out.contains(&line), "{}", said.out);
        assert_eq!(world.run(&onboard(customer), Some(key))?.code, 3);
    }
    // Only a person can do what is left, on GitHub's page.
    let bypass = every("manager-admin-bypass", &["production-apply"]);
    assert_eq!(world.found()?, bypass);
    let role = format!("/repos/{MANAGER}/{VARIABLE}");
    let role = world.stage.admin("GET", &role, Value::Null).await?;
    assert_eq!(role["value"], ROLE);
    Ok(())
}

async fn each_waits_alone(world: &World) -> Tested {
    // One run for all three; each waits on its own.
    world.stage.tick().await?;
    let waiting = CUSTOMERS.map(|c| format!("{c}/production-apply"));
    let waiting: Vec<&str> = waiting.iter().map(String::as_str).collect();
    let run = world.waits(&waiting).await?;
    world
        .decide(run, "acme/production-apply", "approved")
        .await?;
    world
        .told("acme", "success: applied: web/staging, web/production")
        .await?;
    world.waits(&waiting[1..]).await?;
    for other in ["globex", "initech"] {
        assert_eq!(
            world.says(other).await?,
            "pending: applied: web/staging; waiting for approval: web/production"
        );
    }
    world
        .decide(run, "globex/production-apply", "rejected")
        .await?;
    world
        .decide(run, "initech/production-apply", "approved")
        .await?;
    world
        .told("initech", "success: applied: web/staging, web/production")
        .await?;
    world.stage.server.idle().await;
    let refused = world.says("globex").await?;
    expect(&world.stage, &refused, refused.starts_with("failure: ")).await
}

async fn drift_waits_for_its_environment(world: &World, key: &str) -> Tested {
    let path = format!("/repos/{MANAGER}/environments/globex%2Fstaging-plan");
    world.stage.admin("DELETE", &path, Value::Null).await?;
    let said = world.run(&["drift", "list", "--format", "json"], None)?;
    assert_eq!(said.code, 0, "{}", said.all());
    let list: Value = serde_json::from_str(&said.out)?;
    let wanted = json!([{"stack": "globex/web/staging", "environment": "globex/staging-plan"}]);
    assert_eq!(list["unready"], wanted);
    let jobs = list["matrices"]["staging"]["include"].to_string();
    assert!(jobs.contains("acme/web/staging"), "{jobs}");
    assert!(!jobs.contains("globex/web/staging"), "{jobs}");
    assert_eq!(world.run(&onboard("globex"), Some(key))?.code, 0);
    let said = world.run(&["drift", "list", "--format", "json"], None)?;
    let list: Value = serde_json::from_str(&said.out)?;
    assert_eq!(list["unready"], json!([]));
    Ok(())
}

async fn one_goes(world: &World, key: &str) -> Tested {
    // Another role than the registry's is not gone on with.
    let path = format!("/repos/{MANAGER}/{VARIABLE}");
    let other = json!({"value": "arn:aws:iam::123456789012:role/globex-apply"});
    world.stage.admin("PATCH", &path, other).await?;
    let said = world.run(&onboard("acme"), Some(key))?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err
            .contains("role/globex-apply, and the registry says"),
        "{}",
        said.err
    );
    let wrong = "manager-variable acme/production-apply/AWS_ROLE_ARN";
    assert!(world.found()?.contains(wrong));

    // Who goes leaves no key behind; what protects the name stays while it can be taken.
    let offboard = ["customer", "offboard", "acme"];
    let said = world.run(&offboard, None)?;
    assert_eq!(said.code, 0, "{}", said.all());
    for part in [
        "remove secret TENANTRY_SEAL_IDENTITY of environment acme/production-apply\n",
        "remove secret TENANTRY_SEAL_IDENTITY of environment acme/staging-apply\n",
        "keep environment acme/production-apply: run this again when the suspension is pushed\n",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    assert_eq!(world.own().await?.len(), 12);
    let names: BTreeSet<String> = {
        let github = world.stage.server.state();
        let id = github.find_full(MANAGER).ok_or("no manager")?;
        let manager = github.repo(id).map_err(|_| "no manager")?;
        let with = manager.environments.iter();
        let with = with.filter(|(_, e)| e.secrets.contains_key("TENANTRY_SEAL_IDENTITY"));
        with.map(|(name, _)| name.clone()).collect()
    };
    assert!(names.contains("globex/production-apply"), "{names:?}");
    assert!(!names.iter().any(|n| n.starts_with("acme/")), "{names:?}");

    // Merged, nothing stands, and the registry names no role: now they go, but for what is not ours.
    let acme = world.stage.tenant("acme").ok_or("acme")?.clone();
    let pulls = format!("/repos/{}/pulls?state=open", acme.repository);
    let pulls = world.stage.admin("GET", &pulls, Value::Null).await?;
    let (number, head) = (&pulls[0]["number"], &pulls[0]["head"]["sha"]);
    let number = number.as_u64().ok_or("no pull request")?;
    let head = head.as_str().ok_or("no head")?;
    world.stage.merge(&acme, number, head).await?;
    world.stage.server.idle().await;
    let said = world.run(&offboard, None)?;
    assert!(
        said.out
            .contains("keep environment acme/staging-apply: what they have still stands, or a request of theirs is open\n"),
        "{}",
        said.out
    );
    std::fs::remove_dir_all(world.stage.store_dir().join("applied/acme"))?;
    let said = world.run(&offboard, None)?;
    assert!(
        said.out.contains(
            "keep environment acme/production-apply: the registry names a role that trusts it\n"
        ),
        "{}",
        said.out
    );
    assert!(
        said.out.contains(
            "remove environment acme/staging-apply of ops/infra-manager, with its secrets\n"
        ),
        "{}",
        said.out
    );
    assert_eq!(
        world
            .own()
            .await?
            .iter()
            .filter(|n| n.starts_with("acme/"))
            .count(),
        2
    );
    let entry = world.estate.join("customers/acme/metadata.yaml");
    let text = std::fs::read_to_string(&entry)?;
    let text = text.replace(&format!("roles:\n  production: {ROLE}\n"), "");
    std::fs::write(&entry, text)?;
    let theirs = json!({"repo": MANAGER, "environment": "acme/production-plan", "name": "READER", "value": "x"});
    world.stage.admin("POST", "/_local/secrets", theirs).await?;
    let said = world.run(&offboard, None)?;
    for part in [
        "keep environment acme/production-plan: it holds READER\n",
        "keep environment acme/production-apply: its AWS_ROLE_ARN names arn:aws:iam::123456789012:role/globex-apply; once that role is gone, `gh variable delete ",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    world.stage.admin("DELETE", &path, Value::Null).await?;
    // Nothing is known of their repository as long as GitHub does not answer, so nothing is done.
    let outage = json!({"path": "acme/shop", "kind": "503", "times": 4});
    world.stage.admin("POST", "/_local/faults", outage).await?;
    let before = world.own().await?;
    let said = world.run(&offboard, None)?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(said.err.contains("503"), "{}", said.all());
    assert_eq!(world.own().await?, before);
    // Their repository is gone by now, which keeps nothing of ours where it is.
    let gone = format!("/repos/{}", acme.repository);
    world.stage.admin("DELETE", &gone, Value::Null).await?;
    let said = world.run(&offboard, None)?;
    for part in [
        "remove environment acme/production-apply of ops/infra-manager, with its secrets\n",
        "note: nothing is done in their repository: `acme/shop` cannot be read",
    ] {
        assert!(said.out.contains(part), "{part}: {}", said.out);
    }
    let own = world.own().await?;
    let own: Vec<&String> = own.iter().filter(|n| n.starts_with("acme/")).collect();
    assert_eq!(own, ["acme/production-plan"]);
    let bypass: BTreeSet<String> = every("manager-admin-bypass", &["production-apply"])
        .into_iter()
        .filter(|f| !f.contains(" acme/"))
        .collect();
    assert_eq!(world.found()?, bypass, "nothing is missed for who has left");

    // Without the customer, or without the setting, what is left of them is found.
    std::fs::remove_dir_all(world.estate.join("customers/acme"))?;
    assert!(
        world
            .found()?
            .contains("manager-environment-left acme/production-plan")
    );
    Ok(())
}
