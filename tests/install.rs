//! The install step, run as a runner runs it (T24): it installs what is listed and
//! matches, and nothing else. Releases come from a folder instead of the network.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot set itself up has failed"
)]

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

const TARGET: &str = if cfg!(target_arch = "aarch64") {
    "aarch64-unknown-linux-musl"
} else {
    "x86_64-unknown-linux-musl"
};

/// A runner of its own: a copy of `install/`, a mirror of releases, a job's temporary folder.
struct Runner {
    root: PathBuf,
}

struct Outcome {
    success: bool,
    path: String,
    stderr: String,
}

impl Runner {
    fn new(name: &str) -> Self {
        let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("install-{name}"));
        let _ = fs::remove_dir_all(&root);
        for folder in ["install", "temp", "workspace", "mirror/v1.2.3"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("install/install.sh");
        fs::copy(script, root.join("install/install.sh")).unwrap();
        let runner = Self { root };
        runner.table("");
        runner
    }

    fn table(&self, rows: &str) {
        let text = format!("# a comment\n\n{rows}");
        fs::write(self.root.join("install/checksums.txt"), text).unwrap();
    }

    fn executable(&self, path: &str, says: &str) -> PathBuf {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, format!("#!/bin/sh\necho {says}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// Puts a release archive into the mirror, as cargo-dist packs it; gives its checksum.
    fn release(&self, says: &str) -> String {
        let name = format!("tenantry-{TARGET}");
        self.executable(&format!("build/{name}/tenantry"), says);
        let archive = self.archive();
        let status = Command::new("tar")
            .args(["--create", "--xz", "--file"])
            .arg(&archive)
            .arg("--directory")
            .arg(self.root.join("build"))
            .arg(&name)
            .status()
            .unwrap();
        assert!(status.success());
        let sum = Command::new("sha256sum").arg(&archive).output().unwrap();
        String::from_utf8(sum.stdout).unwrap()[..64].to_owned()
    }

    fn archive(&self) -> PathBuf {
        self.root
            .join(format!("mirror/v1.2.3/tenantry-{TARGET}.tar.xz"))
    }

    fn install(&self, environment: &[(&str, &str)]) -> Outcome {
        let github_path = self.root.join("github-path");
        fs::write(&github_path, "").unwrap();
        let output = Command::new("bash")
            .arg("--")
            .arg(self.root.join("install/install.sh"))
            .current_dir(self.root.join("workspace"))
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("GITHUB_PATH", &github_path)
            .env("GITHUB_WORKSPACE", self.root.join("workspace"))
            .env("RUNNER_TEMP", self.root.join("temp"))
            .env(
                "TENANTRY_DOWNLOAD_BASE",
                format!("file://{}", self.root.join("mirror").display()),
            )
            .env("TENANTRY_VERSION", "1.2.3")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        Outcome {
            success: output.status.success(),
            path: fs::read_to_string(github_path).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Outcome {
    /// What the installed binary says when a later step runs it.
    fn says(&self) -> String {
        assert!(self.success, "{}", self.stderr);
        let folder = self.path.strip_suffix('\n').unwrap();
        assert!(!folder.contains('\n'), "one folder only: {folder}");
        let output = Command::new(Path::new(folder).join("tenantry"))
            .output()
            .unwrap();
        String::from_utf8(output.stdout)
            .unwrap()
            .trim_end()
            .to_owned()
    }

    fn refused(&self, because: &str) {
        assert!(!self.success, "must be refused");
        assert_eq!(self.path, "", "nothing may reach the PATH");
        assert!(self.stderr.contains(because), "{}", self.stderr);
        assert!(
            self.stderr.contains("::error title="),
            "an annotation: {}",
            self.stderr
        );
    }
}

#[test]
fn t24_a_listed_release_is_installed_and_a_second_step_changes_nothing() {
    let runner = Runner::new("listed");
    let sum = runner.release("first");
    runner.table(&format!(
        "1.2.3 {TARGET} {sum}\n1.2.3 other-target {}\n",
        "0".repeat(64)
    ));
    let first = runner.install(&[]);
    assert_eq!(first.says(), "first");
    for part in ["1.2.3", TARGET, sum.as_str()] {
        assert!(first.path.contains(part), "the folder names its {part}");
    }
    // The second step of the job needs no network, and a leading `v` is accepted.
    fs::remove_file(runner.archive()).unwrap();
    let second = runner.install(&[("TENANTRY_VERSION", "v1.2.3")]);
    assert_eq!(second.says(), "first");
    assert_eq!(second.path, first.path);
}

#[test]
fn t24_what_is_not_listed_is_refused_and_the_message_says_what_to_do() {
    let runner = Runner::new("unlisted");
    runner.release("unlisted");
    runner
        .install(&[])
        .refused("does not know tenantry `1.2.3`");
    runner
        .install(&[])
        .refused("pin the actions to a commit whose install/checksums.txt lists it");
}

#[test]
fn t24_an_archive_that_does_not_match_is_neither_unpacked_nor_run() {
    let runner = Runner::new("mismatch");
    runner.release("evil");
    runner.table(&format!("1.2.3 {TARGET} {}\n", "a".repeat(64)));
    runner.install(&[]).refused("nothing was unpacked");
    let temp = runner.root.join("temp");
    let found = Command::new("find")
        .arg(temp)
        .args(["-name", "tenantry", "-type", "f"])
        .output();
    assert_eq!(String::from_utf8(found.unwrap().stdout).unwrap(), "");
}

#[test]
fn t25_what_an_earlier_step_left_behind_is_verified_again() {
    let runner = Runner::new("leftover");
    let sum = runner.release("good");
    runner.table(&format!("1.2.3 {TARGET} {sum}\n"));
    let first = runner.install(&[]);
    let folder = PathBuf::from(first.path.trim_end());
    runner.executable(folder.join("tenantry").to_str().unwrap(), "replaced");
    let kept = folder
        .parent()
        .unwrap()
        .join(format!("tenantry-{TARGET}.tar.xz"));
    fs::write(kept, "replaced as well").unwrap();
    assert_eq!(runner.install(&[]).says(), "good");
}

#[test]
fn t24_a_broken_table_is_refused() {
    let runner = Runner::new("table");
    let sum = runner.release("x");
    runner.table(&format!("1.2.3 {TARGET} {sum}\n1.2.3 {TARGET} {sum}\n"));
    runner.install(&[]).refused("listed more than once");
    runner.table(&format!("1.2.3 {TARGET} {}\n", &sum[..40]));
    runner.install(&[]).refused("not a SHA-256 checksum");
    runner.table(&format!("1.2.3 {TARGET} {sum} more\n"));
    runner.install(&[]).refused("more than three words");
}

#[test]
fn t24_hostile_inputs_are_only_text() {
    let runner = Runner::new("hostile");
    let marker = runner.root.join("marker");
    let hostile = format!("1.2.3; touch {}", marker.display());
    runner
        .install(&[("TENANTRY_VERSION", &hostile)])
        .refused("must look like 1.2.3");
    runner
        .install(&[("TENANTRY_VERSION", "../../1.2.3")])
        .refused("must look like 1.2.3");
    runner
        .install(&[("TENANTRY_VERSION", "")])
        .refused("must look like 1.2.3");
    let two_lines = runner.install(&[("TENANTRY_VERSION", "1\n::warning::forged")]);
    two_lines.refused("1%0A::warning::forged");
    assert!(
        !two_lines
            .stderr
            .lines()
            .any(|line| line.starts_with("::warning"))
    );
    runner
        .install(&[("TENANTRY_INPUT_BINARY", "$(touch marker)")])
        .refused("not an executable file");
    assert!(!marker.exists());
}

#[test]
fn a_local_binary_needs_no_download_and_no_name() {
    let runner = Runner::new("local");
    let mine = runner.executable("workspace/target/debug/anything", "mine");
    let theirs = runner.executable("runner/tenantry-theirs", "theirs");
    let theirs = ("TENANTRY_BINARY", theirs.to_str().unwrap());
    assert_eq!(runner.install(&[theirs]).says(), "theirs");
    let mine_by_input = ("TENANTRY_INPUT_BINARY", mine.to_str().unwrap());
    assert_eq!(
        runner.install(&[theirs, mine_by_input]).says(),
        "mine",
        "the input wins"
    );
    let relative = ("TENANTRY_INPUT_BINARY", "target/debug/anything");
    assert_eq!(runner.install(&[relative]).says(), "mine");
}
