//! T23: the audit log, from the outside: after the loop it verifies, damage is found by us and by
//! a second reader, an export proves itself without the store and shows nobody else, and what
//! cannot be recorded is not done.

mod support;

use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use support::moto::Moto;
use support::{Tested, expect, settings, skip, steps, tool, variables};
use tenantry::audit::event::{Actor, Draft, Event};
use tenantry::audit::key::SigningKey;
use tenantry::audit::snapshot::Snapshot;
use tenantry::audit::verify::{Wanted, verify};
use tenantry::audit::{Log, entry_key, record_key};
use tenantry::clock::Clock;
use tenantry::estate::CustomerId;
use tenantry::local::RunnerSettings;
use tenantry::local::stage::{Engine, Hints, REVIEWER, Stage};
use tenantry::store::Store;

fn tenantry(dir: &Path, args: &[&str]) -> Result<Output, std::io::Error> {
    Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .args(args)
        .env_clear()
        .env("PATH", support::path())
        .current_dir(dir)
        .output()
}

/// A run that must succeed; its standard output.
fn fine(dir: &Path, args: &[&str]) -> Result<String, Box<dyn std::error::Error>> {
    let out = tenantry(dir, args)?;
    let text = String::from_utf8(out.stdout)?;
    if out.status.success() {
        return Ok(text);
    }
    Err(format!("{args:?}: {text}{}", String::from_utf8_lossy(&out.stderr)).into())
}

/// What the second reader must say; without Python it cannot.
fn second(what: &str, path: &Path, key: &str, ok: bool) -> Tested {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/audit_verify.py");
    let Some(python) = tool("python3") else {
        return skip("the second reader of t23", "python3 is not installed");
    };
    let out = Command::new(python)
        .arg(script)
        .arg(what)
        .arg(path)
        .arg(key)
        .output()?;
    let said: Value = serde_json::from_slice(&out.stdout)
        .map_err(|e| format!("{e}: {}", String::from_utf8_lossy(&out.stderr)))?;
    assert_eq!(said["ok"], ok, "{}: {said}", path.display());
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Tested {
    if from.is_dir() {
        for entry in std::fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
        return Ok(());
    }
    std::fs::create_dir_all(to.parent().unwrap_or(to))?;
    std::fs::copy(from, to)?;
    Ok(())
}

fn records(store: &Path, customer: &str) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let mut names: Vec<PathBuf> = std::fs::read_dir(store.join("audit/records").join(customer))?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    names.sort();
    names
        .iter()
        .map(|p| Ok(serde_json::from_slice(&std::fs::read(p)?)?))
        .collect()
}

/// The records of a customer as `kind stack`, in order.
fn told(store: &Path, customer: &str) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    Ok(records(store, customer)?
        .iter()
        .map(|r| {
            let kind = r["event"]["kind"].as_str().unwrap_or_default();
            format!("{kind} {}", r["stack"].as_str().unwrap_or_default())
                .trim_end()
                .to_owned()
        })
        .collect())
}

/// Three customers are brought up, and acme changes something that olivia approves.
async fn loop_of(dir: &Path) -> Result<(Stage, u64), Box<dyn std::error::Error>> {
    let stage = Stage::set(settings(dir, Engine::Argocd, Hints::Poll, steps())?).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    stage.tick().await?;
    if let Some(run) = stage.until_waiting(60).await? {
        stage.approve(run, REVIEWER).await?;
    }
    stage.server.idle().await;
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.tick().await?;
    stage.server.idle().await;
    stage.merge(&acme, number, &head).await?;
    stage.tick().await?;
    if let Some(run) = stage.until_waiting(60).await? {
        stage.approve(run, REVIEWER).await?;
    }
    stage.server.idle().await;
    Ok((stage, number))
}

#[tokio::test(flavor = "multi_thread")]
async fn t23_after_the_loop_the_log_verifies_and_exports_and_reports() -> Tested {
    let dir = tempfile::tempdir()?;
    let (stage, number) = loop_of(dir.path()).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let (key, store) = (stage.audit.public().to_string(), stage.store_dir());
    let url = format!("file://{}", store.display());
    let work = tempfile::tempdir()?;
    let work = work.path();

    let expected = [
        "request-opened",
        "planned acme/web/staging",
        "planned acme/web/production",
    ];
    let apply = |e: &str| {
        ["approved", "apply-begun", "lease-released", "apply-ended"]
            .map(|kind| format!("{kind} acme/web/{e}"))
    };
    let all = told(&store, "acme")?;
    let whole: Vec<String> = expected
        .iter()
        .map(ToString::to_string)
        .chain(apply("staging"))
        .chain(apply("production"))
        .chain(["request-closed".to_owned()])
        .collect();
    assert_eq!(all[0], "settings-changed");
    assert_eq!(all[1..=whole.len()], whole, "the first request: {all:#?}");
    // The settings are said once, however many requests there are under them.
    assert_eq!(all.iter().filter(|k| *k == "settings-changed").count(), 1);
    assert!(all.ends_with(&whole), "the last request: {all:#?}");

    // Everything is as it was written: with the store, and with the manager's repository.
    let said = fine(
        work,
        &["audit", "verify", "--store", &url, "--public-key", &key],
    )?;
    assert!(
        said.contains("of 3 customers") && said.contains("signed by the manager"),
        "{said}"
    );
    std::fs::write(
        work.join("tenantry.yml"),
        format!("store:\n  url: {url}\naudit:\n  public_key: {key}\n"),
    )?;
    let head = fine(work, &["audit", "head"])?;
    std::fs::write(work.join("kept.txt"), &head)?;
    fine(work, &["audit", "head", "--format", "json"])
        .and_then(|t| Ok(std::fs::write(work.join("kept.json"), t)?))?;
    // A head that the customer kept out of our comment.
    let comments = stage.comments(&acme, number).await?;
    stage.server.stop().await;
    let kept: Vec<String> = comments
        .iter()
        .flat_map(|c| c.body.split("<code>"))
        .filter_map(|t| t.split("</code>").next())
        .filter(|t| t.starts_with("acme:"))
        .map(str::to_owned)
        .collect();
    assert_eq!(kept.len(), 2, "one head in each comment: {comments:#?}");
    let newest = fine(work, &["audit", "head", "--customer", "acme"])?;
    assert_eq!(kept[1], newest.trim());
    let kept = &kept[1];
    fine(
        work,
        &[
            "audit",
            "verify",
            "--head",
            "kept.txt",
            "--head",
            "kept.json",
            "--head",
            kept,
        ],
    )?;

    // The export of one customer: whole by itself, and nobody else is in it.
    fine(
        work,
        &[
            "audit",
            "export",
            "--customer",
            "acme",
            "--out",
            "acme.jsonl",
        ],
    )?;
    let export = std::fs::read_to_string(work.join("acme.jsonl"))?;
    for other in ["globex", "initech", "gina", "ivan"] {
        assert!(!export.contains(other), "{other} is in the export of acme");
    }
    // Nor is any value of acme's own.
    for value in ["10.0.0.0", "t3.micro", "min_instances"] {
        assert!(!export.contains(value), "{value} is in the export of acme");
    }
    let elsewhere = tempfile::tempdir()?;
    std::fs::copy(work.join("acme.jsonl"), elsewhere.path().join("acme.jsonl"))?;
    let said = fine(
        elsewhere.path(),
        &[
            "audit",
            "verify",
            "--export",
            "acme.jsonl",
            "--public-key",
            &key,
            "--head",
            kept,
        ],
    )?;
    assert!(
        said.contains("belong to the log, and are signed by the manager"),
        "{said}"
    );
    let stranger = SigningKey::generate()?.public().to_string();
    let out = tenantry(
        elsewhere.path(),
        &[
            "audit",
            "verify",
            "--export",
            "acme.jsonl",
            "--public-key",
            &stranger,
        ],
    )?;
    assert_eq!(out.status.code(), Some(1));
    assert!(String::from_utf8(out.stdout)?.contains("forged: "));

    // A second reader comes to the same ends.
    second("export", &work.join("acme.jsonl"), &key, true)?;
    second("store", &store, &key, true)?;

    // What an auditor reads.
    let page = fine(work, &["audit", "report", "--control", "cc8.1"])?;
    for text in [
        "# CC8.1: ",
        "<code>olivia</code>",
        "<code>alice</code>",
        "signed by the manager",
        "None.",
    ] {
        assert!(page.contains(text), "{text} is not in\n{page}");
    }
    let data: Value = serde_json::from_str(&fine(
        work,
        &[
            "audit",
            "report",
            "--control",
            "A.8.32",
            "--customer",
            "acme",
            "--as",
            "json",
        ],
    )?)?;
    let applies = data["applies"].as_array().ok_or("applies")?;
    assert_eq!(applies.len(), 4);
    for apply in applies {
        assert_eq!(
            (&apply["result"], &apply["exceptions"]),
            (&json!("applied"), &json!([]))
        );
        let production = apply["stack"] == "acme/web/production";
        assert_eq!(
            apply["approved_by"],
            if production {
                json!("olivia")
            } else {
                Value::Null
            }
        );
        assert_eq!(apply["planned"], apply["applied"]);
    }
    let failed: u64 = data["tests"]
        .as_array()
        .ok_or("tests")?
        .iter()
        .filter_map(|t| t["failed"].as_u64())
        .sum();
    assert_eq!(
        (failed, &data["covered"], &data["uncovered"]),
        (0, &json!(2), &json!([]))
    );
    let table = fine(
        work,
        &["audit", "report", "--control", "CC6.1", "--as", "csv"],
    )?;
    assert_eq!(table.lines().count(), 1 + 8, "{table}");
    let none = fine(
        work,
        &[
            "audit",
            "report",
            "--control",
            "CC7.2",
            "--until",
            "2020-01-02",
            "--since",
            "2020-01-01",
        ],
    )?;
    assert!(none.contains("all 0 applies"), "{none}");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t23_damage_is_found_by_us_and_by_a_second_reader() -> Tested {
    let dir = tempfile::tempdir()?;
    let key = SigningKey::generate()?;
    let public = key.public().to_string();
    let good = dir.path().join("good");
    let store = Store::open(&format!("file://{}", good.display()), &[])?;
    let log = Log::new(store, Clock::system(), Some(key), true);
    for n in 0..6_u64 {
        log.append(&id(["acme", "globex"][n as usize % 2])?, &draft(n))
            .await?;
    }
    let acme = id("acme")?;
    let edit = |path: &Path, from: &str, to: &str| -> Tested {
        let text = std::fs::read_to_string(path)?;
        assert!(text.contains(from));
        Ok(std::fs::write(path, text.replace(from, to))?)
    };
    type Change<'a> = Box<dyn Fn(&Path) -> Tested + 'a>;
    let changes: Vec<(&str, String, Change<'_>)> = vec![
        (
            "removed",
            record_key(&acme, 2),
            Box::new(|d| Ok(std::fs::remove_file(d.join(record_key(&acme, 2)))?)),
        ),
        (
            "removed",
            record_key(&acme, 1),
            Box::new(|d| Ok(std::fs::remove_dir_all(d.join("audit/records/acme"))?)),
        ),
        (
            "removed",
            entry_key(3),
            Box::new(|d| Ok(std::fs::remove_file(d.join(entry_key(3)))?)),
        ),
        (
            "changed",
            record_key(&acme, 2),
            Box::new(|d| {
                edit(
                    &d.join(record_key(&acme, 2)),
                    "\"attempt\":1,",
                    "\"attempt\":2,",
                )
            }),
        ),
        (
            "changed",
            entry_key(2),
            Box::new(|d| edit(&d.join(entry_key(2)), "globex", "acme")),
        ),
        (
            "reordered",
            record_key(&acme, 1),
            Box::new(|d| {
                Ok(std::fs::rename(
                    d.join(record_key(&acme, 2)),
                    d.join(record_key(&acme, 1)),
                )?)
            }),
        ),
        (
            "doubled",
            record_key(&acme, 4),
            Box::new(|d| copy(&d.join(record_key(&acme, 1)), &d.join(record_key(&acme, 4)))),
        ),
        (
            "spliced",
            record_key(&acme, 4),
            Box::new(|d| {
                copy(
                    &d.join(record_key(&id("globex")?, 1)),
                    &d.join(record_key(&acme, 4)),
                )
            }),
        ),
    ];
    second("store", &good, &public, true)?;
    for (n, (kind, place, change)) in changes.iter().enumerate() {
        let bad = dir.path().join(format!("bad-{n}"));
        copy(&good, &bad)?;
        change(&bad)?;
        let url = format!("file://{}", bad.display());
        let out = tenantry(
            dir.path(),
            &[
                "audit",
                "verify",
                "--store",
                &url,
                "--public-key",
                &public,
                "--format",
                "json",
            ],
        )?;
        assert_eq!(out.status.code(), Some(1), "{kind} {place}");
        let said: Value = serde_json::from_slice(&out.stdout)?;
        let found = said["damage"].as_array().ok_or("damage")?;
        assert!(
            found
                .iter()
                .any(|d| d["kind"] == *kind && d["key"] == *place),
            "{kind} {place}: {said:#}"
        );
        second("store", &bad, &public, false)?;
    }
    Ok(())
}

fn id(text: &str) -> Result<CustomerId, Box<dyn std::error::Error>> {
    Ok(CustomerId::new(text)?)
}

fn draft(n: u64) -> Draft {
    Draft {
        actor: Actor {
            sender: None,
            run: n,
            attempt: 1,
            url: String::new(),
        },
        request: None,
        stack: None,
        event: Event::LeaseReleased { attempt: 1 },
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t23_many_writers_on_s3() -> Tested {
    let dir = tempfile::tempdir()?;
    let Some(moto) = Moto::start(dir.path()).await? else {
        return skip(
            "t23_many_writers_on_s3",
            "moto_server is not installed; tests/run installs it",
        );
    };
    moto.bucket("estate").await?;
    let options = [
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", "eu-west-1".to_owned()),
        ("AWS_ENDPOINT", moto.url()),
        ("AWS_ALLOW_HTTP", "true".to_owned()),
        ("AWS_CHECKSUM_ALGORITHM", "sha256".to_owned()),
    ]
    .map(|(k, v)| (k.to_owned(), v));
    let store = Store::open("s3://estate/some/prefix", &options)?;
    let key = SigningKey::generate()?;
    let writers = (0..6_u64).map(|n| {
        let log = Log::new(store.clone(), Clock::system(), Some(key.clone()), true);
        async move {
            for _ in 0..3 {
                let who = id(["acme", "globex"][n as usize % 2]).map_err(|e| e.to_string())?;
                log.append(&who, &draft(n))
                    .await
                    .map_err(|e| e.to_string())?;
            }
            Ok::<(), String>(())
        }
    });
    for done in futures_util::future::join_all(writers).await {
        done?;
    }
    let verdict = verify(
        &Snapshot::read(&store, None).await?,
        &Wanted::new(vec![key.public()]),
    );
    assert_eq!(verdict.damage, []);
    assert_eq!(
        (verdict.records, verdict.entries, verdict.pending.len()),
        (18, 18, 0)
    );
    Ok(())
}

/// What the two processes of the next test do; by itself nothing.
#[tokio::test(flavor = "multi_thread")]
async fn writer() -> Tested {
    let (Some(folder), Some(key)) = (
        support::variable("TENANTRY_TEST_FOLDER"),
        support::variable("TENANTRY_TEST_KEY"),
    ) else {
        return Ok(());
    };
    let store = Store::open(&format!("file://{folder}"), &[])?;
    let log = Log::new(store, Clock::system(), Some(SigningKey::parse(&key)?), true);
    for n in 0..20 {
        log.append(&id(["acme", "globex"][n as usize % 2])?, &draft(n))
            .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t23_two_processes_write_one_log() -> Tested {
    let dir = tempfile::tempdir()?;
    let key = SigningKey::generate()?;
    let mut children = Vec::new();
    for _ in 0..2 {
        let child = Command::new(std::env::current_exe()?)
            .args(["--exact", "writer"])
            .env("TENANTRY_TEST_FOLDER", dir.path())
            .env("TENANTRY_TEST_KEY", key.expose())
            .stdout(std::process::Stdio::null())
            .spawn()?;
        children.push(child);
    }
    for mut child in children {
        assert!(child.wait()?.success());
    }
    let store = Store::open(&format!("file://{}", dir.path().display()), &[])?;
    let verdict = verify(
        &Snapshot::read(&store, None).await?,
        &Wanted::new(vec![key.public()]),
    );
    assert_eq!(verdict.damage, []);
    assert_eq!((verdict.records, verdict.entries), (40, 40));
    Ok(())
}

async fn only_acme(
    dir: &Path,
    engine: Engine,
    runner: RunnerSettings,
    secrets: Vec<(String, String)>,
) -> Result<Stage, Box<dyn std::error::Error>> {
    let mut settings = settings(dir, engine, Hints::Direct, runner)?;
    settings.secrets = secrets;
    for other in ["globex", "initech"] {
        settings.overrides.push((
            format!("customers/{other}/products.yaml"),
            "products: []\n".into(),
        ));
    }
    Ok(Stage::set(settings).await?)
}

async fn change(stage: &Stage) -> Result<String, Box<dyn std::error::Error>> {
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let sha = stage
        .commit(
            &acme,
            "main",
            "infra/variables.yml",
            &variables("shop", 5),
            "Larger",
        )
        .await?;
    stage.server.idle().await;
    Ok(sha)
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_key_that_is_required_nothing_is_done() -> Tested {
    let dir = tempfile::tempdir()?;
    let secrets = vec![("TENANTRY_AUDIT_KEY".to_owned(), String::new())];
    let stage = only_acme(dir.path(), Engine::Argocd, steps(), secrets).await?;
    change(&stage).await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "the reason is said",
        logs.contains("has no TENANTRY_AUDIT_KEY"),
    )
    .await?;
    for folder in ["audit", "requests", "applied"] {
        assert!(!stage.store_dir().join(folder).exists(), "{folder}");
    }
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_recorded_is_not_done() -> Tested {
    let dir = tempfile::tempdir()?;
    let stage = only_acme(dir.path(), Engine::Argocd, steps(), Vec::new()).await?;
    // Nothing can be written below a file.
    std::fs::create_dir_all(stage.store_dir().join("audit"))?;
    std::fs::write(stage.store_dir().join("audit/records"), "")?;
    change(&stage).await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "the reason is said",
        logs.contains("the audit record could not be written"),
    )
    .await?;
    for folder in ["requests", "applied", "plans"] {
        assert!(!stage.store_dir().join(folder).exists(), "{folder}");
    }
    stage.server.stop().await;
    Ok(())
}

/// The log goes away while the plan is being applied: the customer is told the truth all the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_result_that_cannot_be_recorded_is_told_all_the_same() -> Tested {
    use std::os::unix::fs::PermissionsExt as _;
    let name = "a_result_that_cannot_be_recorded_is_told_all_the_same";
    let Some(real) = tool("terraform") else {
        return skip(name, "terraform is not on the PATH");
    };
    let dir = tempfile::tempdir()?;
    let bin = tempfile::tempdir()?;
    let mut runner = steps();
    runner.path = format!("{}:{}", bin.path().display(), runner.path);
    let stage = only_acme(dir.path(), Engine::Terraform, runner, Vec::new()).await?;
    let store = stage.store_dir();
    let script = format!(
        "#!/bin/sh\n{real} \"$@\"\nstatus=$?\nif [ \"$1\" = apply ] && [ -d {store}/audit ]; then mv {store}/audit {store}/aside; : > {store}/audit; fi\nexit $status\n",
        real = real.display(),
        store = store.display()
    );
    let fake = bin.path().join("terraform");
    std::fs::write(&fake, script)?;
    std::fs::set_permissions(&fake, std::fs::Permissions::from_mode(0o755))?;
    let sha = change(&stage).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();
    let status = stage.status(&acme, &sha).await?.ok_or("no status")?;
    expect(
        &stage,
        &format!("{status:?}"),
        status.description.contains("applied: web/staging"),
    )
    .await?;
    let logs = stage.logs().await?;
    expect(
        &stage,
        "it is said aloud",
        logs.contains("a result is missing in the audit log"),
    )
    .await?;
    std::fs::remove_file(store.join("audit"))?;
    std::fs::rename(store.join("aside"), store.join("audit"))?;
    // The log is whole, and shows an apply without a result.
    let all = told(&store, "acme")?;
    assert_eq!(
        all.last().map(String::as_str),
        Some("apply-begun acme/web/staging")
    );
    let url = format!("file://{}", store.display());
    let key = stage.audit.public().to_string();
    let work = tempfile::tempdir()?;
    let page = fine(
        work.path(),
        &[
            "audit",
            "report",
            "--control",
            "CC7.2",
            "--store",
            &url,
            "--public-key",
            &key,
        ],
    )?;
    assert!(page.contains("no result is recorded"), "{page}");
    stage.server.stop().await;
    Ok(())
}

#[test]
fn hostile_files_end_in_one_clear_message() -> Tested {
    let dir = tempfile::tempdir()?;
    let huge = vec![b'['; 5 << 20];
    let cases: [(&str, &[u8]); 8] = [
        ("empty", b""),
        ("null", b"null\n"),
        ("other", b"{\"tenantry\":\"something\"}\n{}\n"),
        ("types", b"{\"customer\":7,\"records\":\"x\",\"tenantry\":\"audit-export\",\"version\":1}\n{\"proof\":[]}\n"),
        ("cut", b"{\"customer\":\"acme\",\"exported\":9,\"records\":2,\"tenantry\":\"audit-export\",\"version\":1}\n{\"actor\""),
        ("later", b"{\"customer\":\"acme\",\"records\":0,\"tenantry\":\"audit-export\",\"version\":9}\n{\"proof\":{}}\n"),
        ("binary", b"\xff\xfe\x00"),
        ("huge", &huge),
    ];
    for (name, bytes) in cases {
        std::fs::write(dir.path().join(name), bytes)?;
        for args in [
            vec!["audit", "verify", "--export", name],
            vec!["audit", "verify", "--export", "null", "--head", name],
        ] {
            let out = tenantry(dir.path(), &args)?;
            let text = String::from_utf8(out.stderr)?;
            assert!(
                matches!(out.status.code(), Some(1 | 2)),
                "{args:?}: {:?}",
                out.status
            );
            assert!(
                text.starts_with("error: ") && text.lines().count() <= 2 && text.len() < 500,
                "{args:?}: {text}"
            );
        }
    }
    for args in [
        vec![
            "audit",
            "verify",
            "--public-key",
            "ed25519:x",
            "--export",
            "null",
        ],
        vec!["audit", "report", "--control", "CC99"],
        vec![
            "audit",
            "report",
            "--control",
            "CC8.1",
            "--since",
            "yesterday",
        ],
        vec!["audit", "verify", "--head", "acme:1:zz"],
        vec!["audit", "verify", "--estate", "nowhere"],
    ] {
        assert_eq!(
            tenantry(dir.path(), &args)?.status.code(),
            Some(2),
            "{args:?}"
        );
    }
    Ok(())
}
