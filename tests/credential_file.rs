//! The encrypted file of credentials against what happens to files: a process that is killed at
//! any write, two at once, a full disk; and against other programs: `age` opens it, libsodium
//! opens what was sealed for GitHub.

mod support;

use serde_json::{Value, json};
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::registry::{World, files};
use support::{Tested, path, skip, tool};
use tenantry::keyring::{Content, Secret, sealed};

type Made<T> = Result<T, Box<dyn Error>>;

/// Builds what kills a process; without a C compiler there is none.
fn killer(folder: &Path) -> Made<Option<PathBuf>> {
    let Some(cc) = tool("cc") else {
        return Ok(None);
    };
    let out = folder.join("kill.so");
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/kill.c");
    let built = Command::new(cc)
        .args(["-shared", "-fPIC", "-O1", "-o"])
        .arg(&out)
        .arg(source)
        .arg("-ldl")
        .env("PATH", path())
        .output()?;
    match built.status.success() {
        true => Ok(Some(out)),
        false => Err(String::from_utf8_lossy(&built.stderr).into()),
    }
}

const NO_CC: &str = "there is no C compiler to build what kills the process";

/// The estate and the encrypted file as they are, to come back to.
struct Copy(Vec<(PathBuf, Vec<u8>)>);

impl Copy {
    fn of(world: &World) -> Made<Self> {
        let mut all = files(&world.root())?;
        all.extend(
            std::fs::read(world.sealed())
                .ok()
                .map(|b| (world.sealed(), b)),
        );
        Ok(Self(all))
    }

    fn restore(&self, world: &World) -> Tested {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::remove_dir_all(world.root())?;
        let data = world.dir.path().join("home");
        if data.exists() {
            std::fs::remove_dir_all(data)?;
        }
        for (path, bytes) in &self.0 {
            std::fs::create_dir_all(path.parent().ok_or("folder")?)?;
            std::fs::write(path, bytes)?;
            if *path == world.sealed() {
                std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
            }
        }
        Ok(())
    }
}

/// What of a content says which values are kept.
fn values(content: &Content) -> Vec<(String, String, Secret)> {
    let mut out: Vec<_> = content
        .kept
        .iter()
        .map(|k| {
            (
                k.customer.to_string(),
                k.credential.to_string(),
                k.value.clone(),
            )
        })
        .collect();
    out.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
    out
}

/// The process's end at its n-th step; `None` when it came to its own end.
fn killed_at(world: &World, so: &Path, n: usize, args: &[&str], input: &str) -> Made<Option<i32>> {
    use std::os::unix::process::ExitStatusExt as _;
    let mut command = world.command(&[&["credential"], args].concat());
    let mut child = command
        .env("LD_PRELOAD", so)
        .env("KILL_AT", n.to_string())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()?;
    use std::io::Write as _;
    let _ = child
        .stdin
        .take()
        .ok_or("stdin")?
        .write_all(input.as_bytes());
    let status = child.wait()?;
    match (status.signal(), status.code()) {
        (Some(9), _) => Ok(Some(9)),
        (None, Some(0)) => Ok(None),
        other => Err(format!("{args:?} at {n}: {other:?}").into()),
    }
}

/// No more than the old content, the new one, or one of those in between; in this order.
fn among(content: &Content, stages: &[Vec<(String, String, Secret)>], n: usize) -> usize {
    let now = values(content);
    match stages.iter().position(|s| *s == now) {
        Some(at) => at,
        None => panic!("killed at {n}: the file holds {now:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_killed_at_every_write_of_an_add() -> Tested {
    let world = World::new().await?;
    let Some(so) = killer(world.dir.path())? else {
        return skip("t31_killed_at_every_write_of_an_add", NO_CC);
    };
    let (first, token) = (
        world.pull_token("acme-pull").await?,
        world.pull_token("beta-pull").await?,
    );
    world.ok(
        &["add", "acme", "--purpose", "registry-pull", "--keep"],
        &first,
    )?;
    let before = Copy::of(&world)?;
    let old = values(&world.content()?);
    let args = [
        "add",
        "beta",
        "--purpose",
        "registry-pull",
        "--keep",
        "--to",
        "beta/app=PULL",
    ];
    world.ok(&args, &token)?;
    let new = values(&world.content()?);
    let entry = world.entry("beta");
    let mut seen = [0, 0];
    for n in 1.. {
        before.restore(&world)?;
        let end = killed_at(&world, &so, n, &args, &token)?;
        seen[among(&world.content()?, &[old.clone(), new.clone()], n)] += 1;
        let Some(_) = end else {
            assert!(n > 20, "only {n} steps");
            break;
        };
        // The same command goes on, and comes to the same end.
        let again = world.run(&[&["credential"], &args[..]].concat(), &token)?;
        assert!(
            matches!(again.code, 0 | 3),
            "killed at {n}: {}",
            again.all()
        );
        assert_eq!(values(&world.content()?), new, "killed at {n}");
        assert_eq!(world.entry("beta"), entry, "killed at {n}");
        assert_eq!(
            world.secret("beta/app", "PULL").as_deref(),
            Some(token.as_str())
        );
    }
    assert!(seen.iter().all(|s| *s > 3), "{seen:?}");
    world.nothing_leaked(&[&first, &token], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_killed_at_every_write_of_a_rotation_some_secret_is_valid() -> Tested {
    let world = World::new().await?;
    let Some(so) = killer(world.dir.path())? else {
        return skip(
            "t31_killed_at_every_write_of_a_rotation_some_secret_is_valid",
            NO_CC,
        );
    };
    let old = world.dispatch_token("ops-dispatch", None).await?;
    let new = world.dispatch_token("ops-dispatch", None).await?;
    let add = [
        "add",
        "acme",
        "--purpose",
        "dispatch",
        "--keep",
        "--to",
        "acme/app=MANAGER_REPO_PAT",
    ];
    world.ok(&add, &old)?;
    let before = Copy::of(&world)?;
    let kept = |id: &str, value: &str| {
        (
            "acme".to_owned(),
            id.to_owned(),
            Secret::new(value.to_owned()),
        )
    };
    let stages = [
        vec![kept("dispatch", &old)],
        vec![kept("dispatch", &old), kept("dispatch-2", &new)],
        vec![kept("dispatch-2", &new)],
    ];
    let args = ["rotate", "acme", "dispatch", "--now"];
    let mut seen = [0, 0, 0];
    for n in 1.. {
        before.restore(&world)?;
        for token in [&old, &new] {
            world.dispatch_token("ops-dispatch", Some(token)).await?;
        }
        set(&world, &old).await?;
        let end = killed_at(&world, &so, n, &args, &new)?;
        seen[among(&world.content()?, &stages, n)] += 1;
        // What the customer's workflow would use now gets through.
        let in_use = world
            .secret("acme/app", "MANAGER_REPO_PAT")
            .ok_or("no secret")?;
        assert!(world.dispatches(&in_use).await, "killed at {n}");
        if end.is_none() {
            assert!(n > 40, "only {n} steps");
            break;
        }
        let again = world.run(&[&["credential"], &args[..]].concat(), &new)?;
        assert!(
            matches!(again.code, 0 | 3),
            "killed at {n}: {}",
            again.all()
        );
        assert_eq!(values(&world.content()?), stages[2], "killed at {n}");
        assert_eq!(
            world.secret("acme/app", "MANAGER_REPO_PAT").as_deref(),
            Some(new.as_str())
        );
        assert!(
            world.dispatches(&new).await && !world.dispatches(&old).await,
            "killed at {n}"
        );
    }
    assert!(seen.iter().all(|s| *s > 1), "{seen:?}");
    world.nothing_leaked(&[&old, &new], &[])
}

async fn set(world: &World, value: &str) -> Tested {
    let body = json!({"repo": "acme/app", "name": "MANAGER_REPO_PAT", "value": value});
    world
        .call("POST", "/_local/secrets", body)
        .await
        .map(|_| ())
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_killed_at_every_write_of_a_revocation() -> Tested {
    let world = World::new().await?;
    let Some(so) = killer(world.dir.path())? else {
        return skip("t31_killed_at_every_write_of_a_revocation", NO_CC);
    };
    let (token, other) = (
        world.dispatch_token("ops-dispatch", None).await?,
        world.pull_token("beta-pull").await?,
    );
    world.ok(&["add", "acme", "--purpose", "dispatch", "--keep"], &token)?;
    world.ok(
        &["add", "beta", "--purpose", "registry-pull", "--keep"],
        &other,
    )?;
    let before = Copy::of(&world)?;
    let old = values(&world.content()?);
    let args = ["revoke", "acme", "dispatch"];
    let mut seen = [0, 0];
    for n in 1.. {
        before.restore(&world)?;
        world.dispatch_token("ops-dispatch", Some(&token)).await?;
        let end = killed_at(&world, &so, n, &args, "")?;
        let new = vec![old[1].clone()];
        seen[among(&world.content()?, &[old.clone(), new.clone()], n)] += 1;
        let marked = world.entry("acme").contains("status: revoked");
        assert!(
            !marked || !world.dispatches(&token).await,
            "killed at {n}: marked, and valid"
        );
        if end.is_none() {
            assert!(n > 10, "only {n} steps");
            break;
        }
        let again = world.run(&[&["credential"], &args[..]].concat(), "")?;
        assert!(
            matches!(again.code, 0 | 3),
            "killed at {n}: {}",
            again.all()
        );
        assert_eq!(values(&world.content()?), new, "killed at {n}");
        assert!(world.entry("acme").contains("status: revoked") && !world.dispatches(&token).await);
    }
    assert!(seen.iter().all(|s| *s > 0), "{seen:?}");
    world.nothing_leaked(&[&token, &other], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_processes_at_once_lose_nothing() -> Tested {
    let world = World::new().await?;
    let mut tokens = Vec::new();
    for i in 0..8 {
        tokens.push(world.pull_token(&format!("pull-{i}")).await?);
    }
    let mut running = Vec::new();
    for (i, token) in tokens.iter().enumerate() {
        let customer = ["acme", "beta"][i % 2];
        let id = format!("pull-{i}");
        let mut command = world.command(&[
            "credential",
            "add",
            customer,
            "--purpose",
            "registry-pull",
            "--id",
            &id,
            "--keep",
        ]);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        use std::io::Write as _;
        child
            .stdin
            .take()
            .ok_or("stdin")?
            .write_all(token.as_bytes())?;
        running.push(child);
    }
    for child in running {
        let out = child.wait_with_output()?;
        assert!(
            out.status.success(),
            "{}",
            String::from_utf8_lossy(&out.stderr)
        );
    }
    assert_eq!(world.content()?.kept.len(), 8);
    let list = world.ok(&["list", "--format", "json"], "")?.json()?;
    assert_eq!(
        list["credentials"].as_array().map(Vec::len),
        Some(8),
        "{list}"
    );
    let check = world.run(&["credential", "check"], "")?;
    assert_eq!(check.code, 0, "{}", check.all());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_full_loses_nothing() -> Tested {
    let world = World::new().await?;
    let (first, token) = (
        world.pull_token("acme-pull").await?,
        world.pull_token("beta-pull").await?,
    );
    world.ok(
        &["add", "acme", "--purpose", "registry-pull", "--keep"],
        &first,
    )?;
    let before = world.everything()?;
    // No file may grow beyond nothing: the write fails as on a full disk.
    let full = world.command(&[
        "credential",
        "add",
        "beta",
        "--purpose",
        "registry-pull",
        "--keep",
    ]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; ulimit -f 0; exec \"$@\"", "sh"]);
    shell
        .arg(full.get_program())
        .args(full.get_args())
        .env_clear();
    for (key, value) in full.get_envs() {
        shell.env(key, value.unwrap_or_default());
    }
    shell.current_dir(world.root());
    let said = world.finish(shell, &token)?;
    assert_eq!(said.code, 1, "{}", said.all());
    assert!(
        said.err
            .contains("cannot be written; what was there before is unchanged"),
        "{}",
        said.err
    );
    assert_eq!(world.everything()?, before);
    assert_eq!(world.content()?.kept.len(), 1);
    let names: Vec<PathBuf> = files(world.sealed().parent().ok_or("folder")?)?
        .into_iter()
        .map(|f| f.0)
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
    world.ok(
        &["add", "beta", "--purpose", "registry-pull", "--keep"],
        &token,
    )?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn age_from_debian_opens_the_file() -> Tested {
    let Some(age) = tool("age") else {
        return skip(
            "age_from_debian_opens_the_file",
            "age is not installed (apt-get install age)",
        );
    };
    let world = World::new().await?;
    let token = world.pull_token("acme-pull").await?;
    world.ok(
        &["add", "acme", "--purpose", "registry-pull", "--keep"],
        &token,
    )?;
    let opened = |key: &Path, file: &Path| -> Made<String> {
        let out = Command::new(&age)
            .arg("-d")
            .arg("-i")
            .arg(key)
            .arg(file)
            .env_clear()
            .output()?;
        match out.status.success() {
            true => Ok(String::from_utf8(out.stdout)?),
            false => Err(String::from_utf8_lossy(&out.stderr).into()),
        }
    };
    let said: Value = serde_json::from_str(&opened(&world.key_file(), &world.sealed())?)?;
    assert_eq!(said["version"], 1);
    assert_eq!(said["credentials"][0]["value"], token.as_str());

    // An SSH key that tenantry seals for is one that age opens with, and back: what age has
    // encrypted anew, tenantry reads.
    let Some(keygen) = tool("ssh-keygen") else {
        return skip(
            "age_from_debian_opens_the_file",
            "ssh-keygen is not installed: SSH keys were not tried",
        );
    };
    let ssh = world.dir.path().join("id_ed25519");
    let made = Command::new(keygen)
        .args(["-q", "-t", "ed25519", "-N", "", "-f"])
        .arg(&ssh)
        .status()?;
    assert!(made.success());
    let file = world.dir.path().join("by-ssh.age");
    let (ssh_name, file_name) = (ssh.display().to_string(), file.display().to_string());
    let by_ssh = ["--identity", &ssh_name, "--credentials", &file_name];
    world.ok(
        &[
            &[
                "add",
                "beta",
                "--purpose",
                "backup",
                "--keep",
                "--expires",
                "2031-01-31",
            ],
            &by_ssh[..],
        ]
        .concat(),
        "hunter2-hunter2",
    )?;
    let plain = opened(&ssh, &file)?;
    assert!(plain.contains("hunter2-hunter2"), "{plain}");
    std::fs::remove_file(&file)?;
    let mut back = Command::new(&age)
        .args(["-R"])
        .arg(ssh.with_extension("pub"))
        .arg("-o")
        .arg(&file)
        .env_clear()
        .stdin(Stdio::piped())
        .spawn()?;
    use std::io::Write as _;
    back.stdin
        .take()
        .ok_or("stdin")?
        .write_all(plain.as_bytes())?;
    assert!(back.wait()?.success());
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600))?;
    let log = world.ok(
        &[&["show", "beta", "backup", "--log"], &by_ssh[..]].concat(),
        "",
    )?;
    assert!(log.out.contains("stored by olivia"), "{}", log.all());
    Ok(())
}

/// Opens a sealed box with libsodium; standard input: secret key and box, base64.
const OPEN: &str = "import sys, base64\nfrom nacl.public import PrivateKey, SealedBox\nkey, box = sys.stdin.read().split()\nsys.stdout.buffer.write(SealedBox(PrivateKey(base64.b64decode(key))).decrypt(base64.b64decode(box)))\n";
/// A key pair made by libsodium: secret and public half, base64.
const KEYS: &str = "import base64\nfrom nacl.public import PrivateKey\nk = PrivateKey.generate()\nprint(base64.b64encode(bytes(k)).decode(), base64.b64encode(bytes(k.public_key)).decode())\n";

#[test]
fn libsodium_opens_what_is_sealed_for_github() -> Tested {
    let python = tool("python3").filter(|python| {
        let found = Command::new(python)
            .args(["-c", "import nacl"])
            .env_clear()
            .stderr(Stdio::null())
            .status();
        found.is_ok_and(|s| s.success())
    });
    let Some(python) = python else {
        return skip(
            "libsodium_opens_what_is_sealed_for_github",
            "pynacl is not in .tools/venv; tests/run installs it",
        );
    };
    let keys = Command::new(&python)
        .args(["-c", KEYS])
        .env_clear()
        .output()?;
    let keys = String::from_utf8(keys.stdout)?;
    let (secret, public) = keys.trim().split_once(' ').ok_or("keys")?;
    for text in [
        "ghp_0123456789abcdefghijABCDEFGHIJ012345",
        "x",
        "größer als sonst",
        &"long ".repeat(9_000),
    ] {
        let sealed = sealed::seal(public, &Secret::new(text.to_owned()))?;
        let mut open = Command::new(&python)
            .args(["-c", OPEN])
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        use std::io::Write as _;
        open.stdin
            .take()
            .ok_or("stdin")?
            .write_all(format!("{secret} {sealed}").as_bytes())?;
        let out = open.wait_with_output()?;
        assert!(out.status.success());
        assert_eq!(String::from_utf8(out.stdout)?, text);
    }
    Ok(())
}
