//! A newcomer runs `tenantry demo`: what they read, what they find in the folder, and how the
//! page looks in a browser.

mod support;

use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};
use support::{Tested, path, skip, tool};

fn demo(dir: &Path, more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
    command
        .env_clear()
        .env("PATH", path())
        .args(["demo", "--dir"])
        .arg(dir)
        .args(more);
    command
}

fn said(out: &Output) -> String {
    format!(
        "{}\n{}",
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    )
}

/// Runs the demo twice into the same folder, and returns the page.
fn told(dir: &Path, engine: &str) -> Result<String, Box<dyn Error>> {
    let begun = Instant::now();
    let out = demo(dir, &["--engine", engine]).output()?;
    let text = said(&out);
    assert!(out.status.success(), "{text}");
    // A wide margin over what issue 2 promises, for a machine that builds at the same time.
    assert!(begun.elapsed() < Duration::from_secs(90), "{text}");
    for fact in [
        "status infra/terraform-deploy: success: planned: 4 to create in 2 stacks",
        "pending: applied: web/staging; waiting for approval: web/production",
        "success: applied: web/staging, web/production",
        "did you mean `region`?",
        "did you mean `t3.micro`?",
        "its repository id differs from the request's",
        "was used already for another request",
        "acme: nothing to do",
        "looked at 3 customers: 0 requests with work",
    ] {
        assert!(text.contains(fact), "{fact} is not in\n{text}");
    }
    // Templates write these two as entities, which a browser reads as the characters.
    let page = std::fs::read_to_string(dir.join("index.html"))?
        .replace("&#x2f;", "/")
        .replace("&#x27;", "'");
    for fact in [
        "<html lang=\"en\">",
        "default-src 'none'",
        "acme/web/production",
        "waiting for approval: web/production",
        "infra/variables.yml:3:",
        "olivia",
        "refused by tenantry",
    ] {
        assert!(page.contains(fact), "{fact} is not on the page");
    }
    assert!(!page.contains("src=") && !page.contains("href=\"http"));
    assert!(!page.contains("<script") && !page.contains("@import") && !page.contains("url("));
    Ok(page)
}

#[test]
fn without_terraform() -> Tested {
    let place = tempfile::tempdir()?;
    let dir = place.path().join("demo");
    told(&dir, "argocd")?;
    // What somebody else put there stays, what a demo made is replaced.
    std::fs::write(dir.join("notes.txt"), "mine")?;
    let out = demo(&dir, &["--engine", "argocd", "--format", "json"]).output()?;
    assert!(out.status.success(), "{}", said(&out));
    assert_eq!(std::fs::read_to_string(dir.join("notes.txt"))?, "mine");
    let story: Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!(story["version"], 1);
    assert_eq!(story["engine"], "argocd");
    assert_eq!(story["steps"].as_array().map(Vec::len), Some(8));
    assert!(
        story["page"]
            .as_str()
            .is_some_and(|p| Path::new(p).is_file())
    );
    let files = story["files"].to_string();
    assert!(files.contains("acme/web/production/values.yaml"), "{files}");
    looks(&dir)
}

#[test]
fn with_terraform() -> Tested {
    if tool("terraform").is_none() && tool("tofu").is_none() {
        return skip("with_terraform", "terraform or tofu is not on the PATH");
    }
    let place = tempfile::tempdir()?;
    let dir = place.path().join("demo");
    told(&dir, "terraform")?;
    let mut ids = std::collections::BTreeSet::new();
    for stack in [
        "acme/web/staging",
        "acme/web/production",
        "initech/web/staging",
        "globex/web/staging",
    ] {
        let file = dir.join("state").join(stack).join("terraform.tfstate");
        let state: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let name = state["outputs"]["name"]["value"].as_str();
        let wanted = stack.split('/').next().unwrap_or_default();
        assert!(name.is_some_and(|n| n.starts_with(wanted)), "{state}");
        ids.insert(state["lineage"].to_string());
    }
    assert_eq!(ids.len(), 4, "a state of its own for each stack");
    Ok(())
}

#[test]
fn a_folder_of_somebody_is_left_alone() -> Tested {
    let place = tempfile::tempdir()?;
    std::fs::write(place.path().join("thesis.txt"), "years of work")?;
    std::fs::create_dir(place.path().join("git"))?;
    let out = demo(place.path(), &["--engine", "argocd"]).output()?;
    assert_eq!(out.status.code(), Some(2), "{}", said(&out));
    assert!(said(&out).contains("is not empty and was not made by a demo"));
    assert!(said(&out).contains("nothing was changed"));
    assert!(place.path().join("git").is_dir() && place.path().join("thesis.txt").is_file());
    Ok(())
}

#[test]
fn ctrl_c_ends_everything() -> Tested {
    let place = tempfile::tempdir()?;
    let dir = place.path().join("demo");
    let mut child = demo(&dir, &["--engine", "argocd"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()?;
    let runs = dir.join("runs");
    for _ in 0..300 {
        if runs.is_dir() {
            break;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let pid = child.id().to_string();
    assert!(child.try_wait()?.is_none(), "it works still");
    let sent = Command::new("kill").args(["-INT", &pid]).status()?;
    assert!(sent.success());
    let out = child.wait_with_output()?;
    assert_eq!(out.status.code(), Some(1), "{}", said(&out));
    assert!(said(&out).contains("interrupted"), "{}", said(&out));
    // Every process of a demo has the folder in its working directory. One that was just killed
    // is listed until the system has taken it away.
    let left = || -> std::io::Result<Vec<PathBuf>> {
        let entries = std::fs::read_dir("/proc")?.flatten().map(|e| e.path());
        Ok(entries
            .filter(|e| std::fs::read_link(e.join("cwd")).is_ok_and(|at| at.starts_with(&dir)))
            .collect())
    };
    for _ in 0..50 {
        if left()?.is_empty() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    Err(format!("still running after five seconds: {:?}", left()?).into())
}

fn chromium() -> Option<PathBuf> {
    ["chromium", "chromium-browser", "google-chrome"]
        .iter()
        .find_map(|name| tool(name))
}

fn headless(browser: &Path, profile: &Path) -> Command {
    let mut command = Command::new(browser);
    command
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
        ])
        .args(["--no-first-run", "--disable-background-networking"])
        .args([
            "--disable-component-update",
            "--disable-sync",
            "--hide-scrollbars",
        ])
        .arg(format!("--user-data-dir={}", profile.display()));
    command
}

/// How wide the page and its window are, measured by a copy that may run a script.
fn widths(
    browser: &Path,
    dir: &Path,
    place: &Path,
    width: u32,
) -> Result<(u32, u32), Box<dyn Error>> {
    let script = "<script>document.title='W'+document.documentElement.scrollWidth+'/'+innerWidth+'W'</script></body>";
    let page = std::fs::read_to_string(dir.join("index.html"))?
        .replace("Content-Security-Policy", "none")
        .replace("</body>", script);
    let copy = place.join("measured.html");
    std::fs::write(&copy, page)?;
    let profile = tempfile::tempdir()?;
    let out = headless(browser, profile.path())
        .arg(format!("--window-size={width},2000"))
        .arg("--dump-dom")
        .arg(&copy)
        .output()?;
    let text = String::from_utf8_lossy(&out.stdout).into_owned();
    let found = text
        .split("<title>W")
        .nth(1)
        .and_then(|t| t.split('W').next());
    let (page, window) = found
        .and_then(|f| f.split_once('/'))
        .ok_or("not measured")?;
    Ok((page.parse()?, window.parse()?))
}

/// Photographs the page as people see it; they are put where `TENANTRY_SCREENSHOTS` says.
fn looks(dir: &Path) -> Tested {
    let Some(browser) = chromium() else {
        return skip("the page in a browser", "chromium is not on the PATH");
    };
    #[allow(clippy::disallowed_methods)]
    let wanted = std::env::var("TENANTRY_SCREENSHOTS").ok();
    let place = tempfile::tempdir()?;
    let out = wanted.map_or_else(|| place.path().to_owned(), PathBuf::from);
    std::fs::create_dir_all(&out)?;
    let page = url::Url::from_file_path(dir.join("index.html")).map_err(|()| "no URL")?;
    let mut sizes = Vec::new();
    for (scheme, number) in [("dark", 0), ("light", 1)] {
        for width in [390, 1280] {
            let file = out.join(format!("demo-{scheme}-{width}.png"));
            let profile = tempfile::tempdir()?;
            let taken = headless(&browser, profile.path())
                .arg(format!("--screenshot={}", file.display()))
                .arg(format!("--window-size={width},2000"))
                .arg(format!("--blink-settings=preferredColorScheme={number}"))
                .arg(page.as_str())
                .output()?;
            assert!(taken.status.success(), "{}", said(&taken));
            let bytes = std::fs::read(&file)?;
            assert!(bytes.starts_with(b"\x89PNG"));
            sizes.push(bytes.len());
        }
    }
    for width in [390, 1280] {
        let (wide, window) = widths(&browser, dir, place.path(), width)?;
        assert!(wide <= window, "{wide} px of page in {window} px of window");
    }
    assert!(sizes.iter().all(|s| *s > 20_000), "{sizes:?}");
    Ok(())
}
