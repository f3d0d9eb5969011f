//! `tenantry inspect`: a sealed plan, judged without GitHub and store.

mod support;

use std::path::Path;
use std::process::Command;
use support::Tested;
use tenantry::clock::Time;
use tenantry::delivery::bundle::{Bundle, Manifest};
use tenantry::digest::Digest;
use tenantry::engine::versions::Versions;
use tenantry::store::seal::{SealIdentity, seal};

const SHA: &str = "0123456789abcdef0123456789abcdef01234567";

fn bundle() -> Result<Bundle, Box<dyn std::error::Error>> {
    let manifest = Manifest {
        version: 1,
        stack: "acme/web/production".parse()?,
        request: format!("acme/push-{SHA}").parse()?,
        attempt: 1,
        run: 42,
        inputs: Digest::of(b"inputs"),
        plan: Digest::of(b""),
        lock: Digest::of(b""),
        shown: Digest::of(b"json"),
        tool: Versions::read(
            "terraform",
            br#"{"terraform_version":"1.11.4","platform":"linux_amd64"}"#,
        ),
        actor: Some("octocat".into()),
        state: Some(("lineage".into(), 7)),
        created: Time(1_795_000_000),
        nonce: "n".into(),
    };
    Ok(Bundle::new(manifest, b"the plan", b"the lock"))
}

fn inspect(dir: &Path, args: &[&str]) -> Result<(Option<i32>, String), std::io::Error> {
    let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .arg("inspect")
        .args(args)
        .env_clear()
        .current_dir(dir)
        .output()?;
    let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
    Ok((out.status.code(), text))
}

#[test]
fn a_sealed_plan_says_what_it_is_bound_to() -> Tested {
    let dir = tempfile::tempdir()?;
    let identity = SealIdentity::generate();
    let bundle = bundle()?;
    std::fs::write(
        dir.path().join("plan.age"),
        seal(&identity.recipient(), &bundle.bytes())?,
    )?;
    std::fs::write(dir.path().join("key"), identity.expose())?;
    let (code, text) = inspect(dir.path(), &["plan.age", "--identity", "key"])?;
    insta::assert_snapshot!(text, @"
    digest        sha256:5d8e458ed0a68cd2d3f4123eeab37da8704e2eecd3155a78fc22343a11734775
    stack         acme/web/production
    request       acme/push-0123456789abcdef0123456789abcdef01234567, attempt 1, run 42
    planned       2026-11-18 11:06:40 UTC by octocat
    tool          terraform 1.11.4 linux_amd64
    state         lineage, serial 7
    inputs        sha256:32381523e63197c929b67f793a8098bed0ae3a6fa902634fdbcc6fa4567f3346
    plan file     sha256:aab8f06fecd1c041e9a3d5a86114f9e522b546918db8503a045fe4a423b3642a
    plan as JSON  sha256:02bd175f329720378ce83dd56a1b6b1f5291a60182d6c54b5e0d1e8d248a267a
    lock file     sha256:c5895757fd3237af9020f9731b57f3b955a3160c6ad23e6a752d9983180088c2
    contents      are those of the manifest
    ");
    assert_eq!(code, Some(0));
    let digest = bundle.digest().to_string();
    for given in [digest.as_str(), &digest[7..19]] {
        let args = ["plan.age", "--identity", "key", "--digest", given];
        assert_eq!(inspect(dir.path(), &args)?.0, Some(0));
    }
    let (code, text) = inspect(
        dir.path(),
        &[
            "plan.age",
            "--identity",
            "key",
            "--digest",
            "sha256:000000000000",
            "--stack",
            "globex/web/production",
        ],
    )?;
    assert_eq!(code, Some(1));
    assert!(text.contains("not `sha256:000000000000`"), "{text}");
    assert!(
        text.contains("it is for stack `acme/web/production`, not for `globex/web/production`"),
        "{text}"
    );
    Ok(())
}

#[test]
fn t12_what_was_changed_is_not_opened() -> Tested {
    let dir = tempfile::tempdir()?;
    let identity = SealIdentity::generate();
    let sealed = seal(&identity.recipient(), &bundle()?.bytes())?;
    std::fs::write(dir.path().join("key"), identity.expose())?;
    let mut flipped = sealed.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 1;
    let other = seal(&SealIdentity::generate().recipient(), &bundle()?.bytes())?;
    let inside = seal(
        &identity.recipient(),
        &String::from_utf8(bundle()?.bytes())?
            .replace("dGhlIHBsYW4=", "dGhlIFBsYW4=")
            .into_bytes(),
    )?;
    let cases = [
        ("flipped", flipped, "cannot be opened"),
        (
            "cut",
            sealed[..sealed.len() - 20].to_vec(),
            "cannot be opened",
        ),
        ("empty", Vec::new(), "cannot be opened"),
        ("other", other, "cannot be opened"),
        ("inside", inside, "differ from its manifest"),
        (
            "foreign",
            seal(&identity.recipient(), b"{}")?,
            "has a format that this tenantry does not know",
        ),
    ];
    for (name, bytes, words) in cases {
        std::fs::write(dir.path().join(name), bytes)?;
        let (code, text) = inspect(dir.path(), &[name, "--identity", "key"])?;
        assert_eq!(code, Some(1), "{name}: {text}");
        assert!(text.contains(words), "{name}: {text}");
    }
    let (code, text) = inspect(dir.path(), &["flipped"])?;
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("--identity"), "{text}");
    Ok(())
}
