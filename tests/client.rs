//! The client against the local GitHub: an Enterprise Server, a GitHub App, long lists, renamed
//! repositories, proxies, budgets, and the final status while GitHub takes none.

mod support;

use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use support::{Tested, expect, settings, steps, variables};
use tenantry::estate::RepoSlug;
use tenantry::github::{App, Client, ClientSettings, Credential, Proxies, Token};
use tenantry::local::stage::{Engine, Hints, MANAGER, REVIEWER, Stage, Tenant};
use tenantry::local::{Fault, Kind, RunnerSettings};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

/// A stage on which only acme subscribes to anything.
async fn stage(
    dir: &Path,
    runner: RunnerSettings,
) -> Result<(Stage, Tenant), Box<dyn std::error::Error>> {
    let mut settings = settings(dir, Engine::Argocd, Hints::Poll, runner)?;
    for other in ["globex", "initech"] {
        let path = format!("customers/{other}/products.yaml");
        settings.overrides.push((path, "products: []\n".into()));
    }
    let stage = Stage::set(settings).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    Ok((stage, acme))
}

/// The stage's API root.
fn root(stage: &Stage) -> String {
    stage.server.state().api_root()
}

fn fast(api_url: &str, credential: Credential) -> ClientSettings {
    ClientSettings {
        credential,
        pace: Duration::ZERO,
        retry: Duration::from_millis(1),
        timeout: Duration::from_secs(5),
        ..ClientSettings::new(api_url, None)
    }
}

fn client(stage: &Stage, token: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let credential = Credential::Token(Token::new(token));
    Ok(Client::new(fast(&root(stage), credential))?)
}

async fn commit(
    stage: &Stage,
    acme: &Tenant,
    staging_max: u32,
) -> Result<String, Box<dyn std::error::Error>> {
    let text = variables("shop", staging_max);
    Ok(stage
        .commit(acme, "main", "infra/variables.yml", &text, "Larger")
        .await?)
}

/// Sweeps and approves until nothing moves any more.
async fn settle(stage: &Stage) -> Tested {
    for _ in 0..3 {
        stage.tick().await?;
        stage.server.idle().await;
        while let Some((run, _)) = stage.waiting().await? {
            stage.approve(run, REVIEWER).await?;
            stage.server.idle().await;
        }
    }
    Ok(())
}

async fn applied(stage: &Stage, acme: &Tenant, sha: &str) -> Tested {
    let last = stage.status(acme, sha).await?;
    let fine = last.as_ref().is_some_and(|s| {
        s.state == "success" && s.description == "applied: web/staging, web/production"
    });
    expect(stage, &format!("final status {last:?}"), fine).await
}

/// Whose status was set last.
async fn author(
    stage: &Stage,
    acme: &Tenant,
    sha: &str,
) -> Result<Value, Box<dyn std::error::Error>> {
    let path = format!("/repos/{}/commits/{sha}/statuses", acme.repository);
    Ok(stage.admin("GET", &path, Value::Null).await?[0]["creator"]["login"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_goes_through_on_an_enterprise_server() -> Tested {
    let dir = tempfile::tempdir()?;
    let mut runner = steps();
    runner.enterprise = true;
    let (stage, acme) = stage(dir.path(), runner).await?;
    assert!(root(&stage).ends_with("/api/v3"));
    let sha = commit(&stage, &acme, 5).await?;
    settle(&stage).await?;
    applied(&stage, &acme, &sha).await?;

    // Beside the loop: pages, a renamed repository, and the keys of its identities.
    let token = stage.tokens["alice"].clone();
    let client = client(&stage, &token)?;
    let slug = RepoSlug::new(acme.repository)?;
    let (number, _) = stage
        .propose(&acme, "b", &variables("shop", 6), "More")
        .await?;
    for i in 0..205 {
        let path = format!("/repos/{slug}/issues/{number}/comments");
        stage
            .by("alice", "POST", &path, json!({"body": format!("{i}")}))
            .await?;
    }
    let path = format!("/repos/{slug}");
    stage
        .admin("PATCH", &path, json!({"name": "store"}))
        .await?;
    let bodies = client
        .comments(&slug, number)
        .await?
        .into_iter()
        .filter_map(|c| c.body);
    let said: Vec<String> = bodies.filter(|b| b.parse::<u32>().is_ok()).collect();
    assert_eq!(said, (0..205).map(|i| i.to_string()).collect::<Vec<_>>());
    let found = client.repository(&slug).await?;
    assert_eq!(
        (found.id, found.full_name.as_str()),
        (acme.repository_id, "acme/store")
    );
    let polled = client.poll(&[slug]).await?;
    assert_eq!(polled[0].as_ref().map(|p| p.id), Some(acme.repository_id));
    let issuer = format!("{}/_services/token", stage.server.url);
    let keys = Client::new(fast(&issuer, Credential::Nobody))?
        .get_json("/.well-known/jwks")
        .await?;
    assert_eq!(keys["keys"][0]["alg"], "RS256");
    // Without the prefix it is no Enterprise Server's API.
    let credential = Credential::Token(Token::new(&token));
    let wrong = Client::new(fast(&stage.server.url, credential))?;
    assert!(wrong.myself().await.is_err_and(|e| e.is_not_found()));
    stage.server.stop().await;
    Ok(())
}

/// Makes an App, installs it with the customers and for the GitOps repository, and gives it to
/// the manager instead of the token.
async fn hire(
    stage: &Stage,
    permissions: Value,
) -> Result<(String, String), Box<dyn std::error::Error>> {
    let body = json!({"slug": "acme-infra", "permissions": permissions});
    let made = stage.admin("POST", "/_local/apps", body).await?;
    let all = [
        ("acme", "acme/shop"),
        ("globex", "globex/portal"),
        ("initech", "initech/reports"),
        ("ops", "ops/gitops"),
    ];
    for (account, repository) in all {
        let body = json!({"app": "acme-infra", "account": account, "repos": [repository]});
        stage.admin("POST", "/_local/installations", body).await?;
    }
    let (id, pem) = (
        made["id"].to_string(),
        made["pem"].as_str().unwrap_or_default().to_owned(),
    );
    for (kind, name, value) in [
        ("variables", "TENANTRY_APP_ID", id.as_str()),
        ("secrets", "TENANTRY_APP_KEY", pem.as_str()),
        ("secrets", "SOURCE_REPOS_PAT", ""),
    ] {
        let body = json!({"repo": MANAGER, "name": name, "value": value});
        stage
            .admin("POST", &format!("/_local/{kind}"), body)
            .await?;
    }
    Ok((id, pem))
}

fn enough() -> Value {
    json!({"metadata": "read", "contents": "write", "pull_requests": "write", "statuses": "write", "administration": "write"})
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_an_app_instead_of_a_token_answers_customers() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path(), steps()).await?;
    let (id, pem) = hire(&stage, enough()).await?;
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 5), "Larger")
        .await?;
    settle(&stage).await?;
    let sha = stage.merge(&acme, number, &head).await?;
    settle(&stage).await?;
    applied(&stage, &acme, &sha).await?;
    assert_eq!(author(&stage, &acme, &sha).await?, "acme-infra[bot]");
    let comments = stage.comments(&acme, number).await?;
    let authors: Vec<&str> = comments.iter().map(|c| c.author.as_str()).collect();
    assert_eq!(
        authors, ["acme-infra[bot]"; 2],
        "one of the plan, one of the apply"
    );

    // No token was asked for with more than is needed, though the App has more.
    let requests = stage.admin("GET", "/_local/requests", Value::Null).await?;
    let asked: Vec<&Value> = requests
        .as_array()
        .into_iter()
        .flatten()
        .filter(|r| {
            r["path"]
                .as_str()
                .is_some_and(|p| p.ends_with("/access_tokens"))
        })
        .map(|r| &r["request_body"])
        .collect();
    assert!(!asked.is_empty());
    for body in asked {
        let contents = &body["permissions"]["contents"];
        let writing = body["repositories"] == json!(["gitops"]);
        assert_eq!(contents, if writing { "write" } else { "read" }, "{body}");
        assert!(
            body["permissions"].get("administration").is_none(),
            "{body}"
        );
    }
    // The key and its tokens are nowhere: not in a log, not in what was told.
    let logs = stage.logs().await?;
    let middle = &pem[400..440];
    assert!(!logs.contains(middle) && !logs.contains("PRIVATE KEY"));
    for token in stage
        .server
        .state()
        .tokens
        .keys()
        .filter(|t| t.starts_with("ghs_"))
    {
        assert!(!logs.contains(token.as_str()));
    }

    // A token that GitHub has forgotten is exchanged in the middle of the work.
    let app = App::new(&id, &pem)?;
    let client = Client::new(fast(&root(&stage), Credential::App(app)))?;
    let slug = RepoSlug::new(acme.repository)?;
    client.repository(&slug).await?;
    stage
        .server
        .state()
        .tokens
        .retain(|text, _| !text.starts_with("ghs_"));
    assert_eq!(client.repository(&slug).await?.id, acme.repository_id);
    assert_eq!(client.myself().await?.login, "acme-infra[bot]");
    stage.server.stop().await;
    Ok(())
}

/// Each customer is asked about with a token of their own, and one who has taken the App away
/// does not stop the others.
#[tokio::test(flavor = "multi_thread")]
async fn t2_an_app_asks_about_each_owner_with_a_token_of_its_own() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, _) = stage(dir.path(), RunnerSettings::hold(&support::path())).await?;
    let (id, pem) = hire(&stage, enough()).await?;
    let repos: Vec<RepoSlug> = [
        "acme/shop",
        "globex/portal",
        "ops/gitops",
        "initech/reports",
        "acme/none",
    ]
    .iter()
    .map(|r| RepoSlug::new(r))
    .collect::<Result<_, _>>()?;
    let ids: Vec<u64> = stage.tenants.iter().map(|t| t.repository_id).collect();
    {
        let mut state = stage.server.state();
        let globex = state.account("globex").map(|a| a.id);
        for app in state.apps.values_mut() {
            app.installations.retain(|_, at| Some(at.owner) != globex);
        }
    }
    let app = App::new(&id, &pem)?;
    let client = Client::new(fast(&root(&stage), Credential::App(app)))?;
    let polled = client.poll(&repos).await?;
    let found: Vec<Option<u64>> = polled.iter().map(|p| p.as_ref().map(|p| p.id)).collect();
    assert_eq!(
        (found[0], found[1], found[3], found[4]),
        (Some(ids[0]), None, Some(ids[2]), None)
    );
    // A token for one owner sees nothing of another.
    {
        let state = stage.server.state();
        for token in state.tokens.values() {
            if let tenantry::local::model::Grant::Installation { owner, .. } = &token.grant {
                let seen = state.repos.values().filter(|r| {
                    state.level(token, r, "statuses") >= tenantry::local::model::Level::Write
                });
                assert!(seen.into_iter().all(|r| r.owner == *owner));
            }
        }
    }
    let refused = Client::new(fast(&root(&stage), Credential::App(App::new("1", &pem)?)))?;
    assert!(
        refused.poll(&repos[..1]).await.is_err(),
        "an App that GitHub does not know"
    );
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_not_changed_costs_nothing_of_the_limit() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path(), RunnerSettings::hold(&support::path())).await?;
    let client = client(&stage, &stage.tokens["alice"].clone())?;
    let slug = RepoSlug::new(acme.repository)?;
    assert_eq!(client.allowance("core"), None, "nothing was asked yet");
    let first = client.repository(&slug).await?;
    let left = client.allowance("core").ok_or("no limit in the answer")?;
    assert_eq!((left.limit, left.remaining), (5_000, 4_999));
    for _ in 0..5 {
        assert_eq!(client.repository(&slug).await?.full_name, first.full_name);
    }
    assert_eq!(client.allowance("core"), Some(left));
    let path = format!("/repos/{slug}");
    stage
        .admin("PATCH", &path, json!({"name": "store"}))
        .await?;
    assert_eq!(
        client.repository(&slug).await?.full_name,
        "acme/store",
        "not from what was kept"
    );
    stage.server.stop().await;
    Ok(())
}

/// A proxy that notes what it was asked and opens nothing.
async fn proxy() -> Result<(u16, Arc<Mutex<Vec<String>>>), Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let port = listener.local_addr()?.port();
    let seen: Arc<Mutex<Vec<String>>> = Arc::default();
    let notes = seen.clone();
    tokio::spawn(async move {
        while let Ok((mut socket, _)) = listener.accept().await {
            let mut text = Vec::new();
            let mut bytes = [0; 1024];
            while !text.ends_with(b"\r\n\r\n") {
                match socket.read(&mut bytes).await {
                    Ok(n) if n > 0 => text.extend_from_slice(&bytes[..n]),
                    _ => break,
                }
            }
            if let Ok(mut notes) = notes.lock() {
                notes.push(String::from_utf8_lossy(&text).into_owned());
            }
            let _ = socket
                .write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n")
                .await;
        }
    });
    Ok((port, seen))
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_proxy_sees_the_host_and_nothing_else() -> Tested {
    let (port, seen) = proxy().await?;
    let asked = |except: Option<&'static str>| async move {
        let address = format!("http://bob:hunter2@127.0.0.1:{port}");
        let settings = ClientSettings {
            proxies: Proxies::new(Some(&address), except)?,
            attempts: 1,
            ..fast(
                "https://api.github.invalid",
                Credential::Token(Token::new("t0ken")),
            )
        };
        let error = Client::new(settings)?
            .myself()
            .await
            .err()
            .ok_or("an answer")?;
        let text = format!("{error} {error:?}");
        assert!(
            !text.contains("hunter2") && !text.contains("t0ken"),
            "{text}"
        );
        Ok::<String, Box<dyn std::error::Error>>(text)
    };
    let text = asked(None).await?;
    assert!(text.contains("proxy authorization required"), "{text}");
    let notes = std::mem::take(&mut *seen.lock().map_err(|_| "notes")?);
    assert_eq!(notes.len(), 1);
    assert!(
        notes[0].starts_with("CONNECT api.github.invalid:443 HTTP/1.1\r\n"),
        "{notes:?}"
    );
    assert!(
        notes[0].contains("Proxy-Authorization: Basic Ym9iOmh1bnRlcjI="),
        "{notes:?}"
    );
    assert!(!notes[0].contains("t0ken"), "{notes:?}");
    asked(Some("example.com,.github.invalid")).await?;
    assert_eq!(
        seen.lock().map_err(|_| "notes")?.len(),
        0,
        "NO_PROXY goes around it"
    );
    Ok(())
}

/// The variables reach the client, and what stands in them is not shown.
#[tokio::test(flavor = "multi_thread")]
async fn t32_the_command_line_takes_its_proxy_from_the_environment() -> Tested {
    let (port, seen) = proxy().await?;
    let run = |name: &'static str, value: String, except: &'static str| async move {
        tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["init", "customer", "unused", "--dry-run"])
            .env_clear()
            .env("PATH", support::path())
            .env("GITHUB_API_URL", "https://api.github.invalid")
            .env(name, value)
            .env("NO_PROXY", except)
            .stdin(Stdio::null())
            .output()
            .await
    };
    let used = format!("http://bob:hunter2@127.0.0.1:{port}");
    let (upper, lower, around, wrong) = tokio::join!(
        run("HTTPS_PROXY", used.clone(), ""),
        run("https_proxy", used.clone(), "example.com"),
        run("HTTPS_PROXY", used, "api.github.invalid"),
        run(
            "HTTPS_PROXY",
            "socks5://bob:hunter2@127.0.0.1:1".to_owned(),
            ""
        ),
    );
    for (out, code, word) in [
        (upper?, 1, "proxy authorization required"),
        (lower?, 1, "proxy authorization required"),
        (around?, 1, "cannot be reached"),
        (wrong?, 2, "HTTPS_PROXY is not an address"),
    ] {
        let text = String::from_utf8_lossy(&out.stderr).into_owned();
        assert_eq!(out.status.code(), Some(code), "{text}");
        assert!(text.contains(word) && !text.contains("hunter2"), "{text}");
    }
    let notes = seen.lock().map_err(|_| "notes")?;
    assert_eq!(notes.len(), 8, "four tries of two runs");
    assert!(
        notes
            .iter()
            .all(|n| n.starts_with("CONNECT api.github.invalid:443 "))
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sweep_says_beforehand_what_it_will_ask() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, acme) = stage(dir.path(), steps()).await?;
    commit(&stage, &acme, 5).await?;
    stage.tick().await?;
    stage.server.idle().await;
    let logs = stage.logs().await?;
    // Three customers with one head each, none seen before.
    let said =
        logs.contains("about 42 calls, 6 of them create content; 4,999 of 5,000 left this hour");
    expect(&stage, "the budget", said).await?;
    let before = stage.admin("GET", "/_local/requests", Value::Null).await?;
    settle(&stage).await?;
    stage.tick().await?;
    stage.server.idle().await;
    let logs = stage.logs().await?;
    let said = logs.contains("about 0 calls, 0 of them create content; 4,");
    expect(&stage, "nothing has changed since", said).await?;
    let count = before.as_array().map_or(0, Vec::len);
    assert!(count > 0);
    stage.server.stop().await;
    Ok(())
}

/// GitHub takes no status for longer than anybody waits. The last report says so with its exit
/// code, the request stays among the unfinished ones, and the next sweep tells it.
#[tokio::test(flavor = "multi_thread")]
async fn t27_a_final_status_that_github_does_not_take_is_told_by_the_next_sweep() -> Tested {
    for kind in [Kind::Status(503), Kind::RateLimited, Kind::Secondary] {
        let dir = tempfile::tempdir()?;
        let (stage, acme) = stage(dir.path(), steps()).await?;
        let limited = matches!(kind, Kind::RateLimited | Kind::Secondary);
        let sha = commit(&stage, &acme, 5).await?;
        // Everything goes well until production waits; from then on no status is taken.
        stage.tick().await?;
        let run = stage.until_waiting(60).await?.ok_or("production waits")?;
        stage.server.fault(Fault {
            method: Some("POST".into()),
            times: u32::MAX,
            // Longer than the patience of a step on this machine.
            retry_after: 4_000,
            ..Fault::once("/statuses/", kind)
        });
        stage.approve(run, REVIEWER).await?;
        stage.server.idle().await;
        let now = stage.status(&acme, &sha).await?.ok_or("no status")?;
        expect(
            &stage,
            &format!("not told yet: {now:?}"),
            now.state == "pending",
        )
        .await?;
        let logs = stage.logs().await?;
        let why = if limited {
            "rate limit stops POST"
        } else {
            "cannot be reached for POST"
        };
        expect(&stage, "the last report says why", logs.contains(why)).await?;
        let runs = stage.admin("GET", "/_local/runs", Value::Null).await?;
        let ended = runs
            .as_array()
            .into_iter()
            .flatten()
            .find(|r| r["id"] == json!(run));
        let conclusion = ended.map(|r| r["conclusion"].clone());
        expect(
            &stage,
            &format!("the run is red: {conclusion:?}"),
            conclusion == Some(json!("failure")),
        )
        .await?;
        let list = std::fs::read_to_string(stage.store_dir().join("unfinished/acme.json"))?;
        expect(&stage, &list, list.contains(&format!("acme/push-{sha}"))).await?;

        // Applied all the same, and once GitHub is well again the customer hears of it.
        stage.admin("DELETE", "/_local/faults", Value::Null).await?;
        stage.tick().await?;
        stage.server.idle().await;
        applied(&stage, &acme, &sha).await?;
        stage.tick().await?;
        stage.server.idle().await;
        let list = std::fs::read_to_string(stage.store_dir().join("unfinished/acme.json"))?;
        expect(&stage, &list, !list.contains(&sha)).await?;
        stage.server.stop().await;
    }
    Ok(())
}

/// The store has a client of its own; it goes the same way.
#[tokio::test(flavor = "multi_thread")]
async fn the_store_takes_the_same_proxy() -> Tested {
    let (port, seen) = proxy().await?;
    let mut child = tokio::process::Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(["audit", "verify", "--store", "s3://bucket.invalid/tenantry"])
        .args([
            "--public-key",
            "ed25519:6kgcN6Ux2LjuDLj+T0qWQJZJ0gQGo4j6jSxSVoCTSVA=",
        ])
        .env_clear()
        .env(
            "HTTPS_PROXY",
            format!("http://bob:hunter2@127.0.0.1:{port}"),
        )
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_REGION", "eu-west-1")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    for _ in 0..300 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        if !seen.lock().map_err(|_| "notes")?.is_empty() {
            break;
        }
    }
    child.kill().await?;
    let notes = seen.lock().map_err(|_| "notes")?;
    let first = notes.first().ok_or("the proxy saw nothing")?;
    assert!(
        first.starts_with("CONNECT s3.eu-west-1.amazonaws.com:443 "),
        "{first}"
    );
    Ok(())
}
