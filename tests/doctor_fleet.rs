//! `doctor --all` over many customers: what it costs, and that it costs nothing where nothing has
//! changed. `TENANTRY_FLEET=1000` looks at more of them and says how long it took.

mod support;

use serde_json::{Value, json};
use std::error::Error;
use std::path::Path;
use std::process::{Command, Stdio};
use support::{Tested, still, variable};
use tenantry::estate::{EnvironmentId, RepoSlug, Sha};
use tenantry::local::Server;
use tenantry::registry::scaffold::{Actions, CustomerPlan, customer};

fn write(root: &Path, path: &str, text: &str) -> Tested {
    let path = root.join(path);
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(std::fs::write(path, text)?)
}

/// Calls by kind, since the last look.
struct Cost {
    graphql: u64,
    rest: u64,
    confirmed: u64,
}

fn cost(server: &Server) -> Cost {
    let entries = server.state().journal.entries.clone();
    let mut cost = Cost {
        graphql: 0,
        rest: 0,
        confirmed: 0,
    };
    for entry in &entries {
        match (entry["path"].as_str(), entry["status"].as_u64()) {
            (Some("/graphql"), _) => cost.graphql += 1,
            (Some("/rate_limit"), _) => {}
            (_, Some(304)) => cost.confirmed += 1,
            _ => cost.rest += 1,
        }
    }
    cost
}

#[tokio::test(flavor = "multi_thread")]
async fn every_customer_costs_two_calls_and_nothing_the_second_time() -> Tested {
    let count: u64 = variable("TENANTRY_FLEET").map_or(Ok(60), |n| n.parse())?;
    let dir = tempfile::tempdir()?;
    let server = Server::start(still(dir.path().join("github"))).await?;
    let root = dir.path().join("estate");
    write(
        &root,
        "tenantry.yml",
        "manager: ops/infra\nhints:\n  mode: direct\n",
    )?;
    for environment in ["staging", "production"] {
        write(
            &root,
            &format!("products/web/environments/{environment}.yaml"),
            "{}\n",
        )?;
    }
    write(&root, "products/web/base-values.yaml", "a: 1\n")?;
    write(&root, "products/web/product.yaml", "engine: argocd\n")?;
    let made = server
        .call(
            "POST",
            "/_local/repos",
            json!({"repo": "ops/infra", "files": {"a": "1"}}),
        )
        .await;
    assert_eq!(made.0, 201);
    let plan = CustomerPlan {
        project: "shop".into(),
        environments: vec![EnvironmentId::new("staging")?],
        branch: "main".into(),
        actions: Actions {
            actions_repository: RepoSlug::new("tenantry/tenantry")?,
            actions_ref: Sha::new(&"a".repeat(40))?,
            actions_version: "0.1.0".into(),
        },
    };
    let path = ".github/workflows/trigger-infra.yml";
    let files = customer(&plan)?;
    let workflow = files.iter().find(|(p, _)| p == path).ok_or("no workflow")?;
    for i in 0..count {
        let (id, repo) = (format!("c{i:04}"), format!("fleet/customer-{i:04}"));
        let body = json!({"repo": repo, "files": {"infra/variables.yml": "a: 1\n", "CODEOWNERS": "* @fleet/team\n", path: workflow.1},
            "variables": {"MANAGER_REPO_OWNER": "ops", "MANAGER_REPO_NAME": "infra"}});
        let (status, made) = server.call("POST", "/_local/repos", body).await;
        assert_eq!(status, 201, "{made}");
        let text = format!(
            "customer: {id}\nrepository: {repo}\nrepository_id: {}\n",
            made["id"]
        );
        write(&root, &format!("customers/{id}/metadata.yaml"), &text)?;
        write(
            &root,
            &format!("customers/{id}/products.yaml"),
            "products:\n  - name: web\n",
        )?;
    }
    let doctor = |args: &[&str]| -> Result<(Value, String, std::time::Duration), Box<dyn Error>> {
        let started = std::time::Instant::now();
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["doctor", "--all", "--format", "json", "--estate"])
            .arg(&root)
            .args(args)
            .env_clear()
            .env("GITHUB_API_URL", &server.url)
            .env("GITHUB_TOKEN", &server.token)
            .env("TENANTRY_SOURCE_TOKEN", &server.token)
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .current_dir(dir.path())
            .stdin(Stdio::null())
            .output()?;
        let took = started.elapsed();
        let said = String::from_utf8(out.stderr)?;
        Ok((
            serde_json::from_slice(&out.stdout).map_err(|e| format!("{e}: {said}"))?,
            said,
            took,
        ))
    };
    let mut results = Vec::new();
    for round in 0..2 {
        // The journal keeps a few thousand entries, so it is emptied.
        server.state().journal.entries.clear();
        let (json, said, took) = doctor(&["--answers", "answers.json"])?;
        let checks = json["checks"].as_array().ok_or("no checks")?;
        let mut of: Vec<&Value> = checks.iter().filter(|c| c["area"] == "customer").collect();
        of.retain(|c| c["outcome"] != "ok");
        results.push(json!(of));
        let cost = cost(&server);
        let first = said.lines().next().unwrap_or_default();
        assert!(
            first.starts_with(&format!(
                "looking at ops/infra and {count} customers: about "
            )),
            "{said}"
        );
        // About 50 calls are the manager's own; journals of more than 5,000 entries lose some.
        assert_eq!(cost.graphql, count.div_ceil(50), "{said}");
        match round {
            0 => assert!(cost.rest <= 2 * count + 60, "{} calls", cost.rest),
            _ => {
                assert!(cost.rest <= 20, "{} calls that cost something", cost.rest);
                assert!(
                    cost.confirmed >= 2 * count,
                    "{} were confirmed",
                    cost.confirmed
                );
            }
        }
        if variable("TENANTRY_FLEET").is_some() {
            use std::io::Write as _;
            writeln!(
                std::io::stderr(),
                "round {round}: {} graphql, {} rest, {} confirmed, {took:?}; {first}",
                cost.graphql,
                cost.rest,
                cost.confirmed
            )?;
        }
    }
    assert_eq!(results[0], results[1], "what is confirmed is what was told");
    // Every customer lacks a ruleset and secret scanning; all of them are told.
    assert_eq!(
        results[0].as_array().map(Vec::len),
        Some(2 * usize::try_from(count)?)
    );
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(dir.path().join("answers.json"))?
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
    let kept = std::fs::read_to_string(dir.path().join("answers.json"))?;
    assert!(!kept.contains(&server.token));
    server.stop().await;
    Ok(())
}
