//! An estate as it was at a git revision: what is read, what is refused, and that nobody's git
//! environment changes it. With the real git.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot make its repository has failed"
)]

mod support;

use std::path::Path;
use std::process::Command;
use tenantry::cli::revision::{file, read};
use tenantry::cli::{CliError, Exit};

fn git(dir: &Path, args: &[&str]) -> String {
    let out = Command::new("git")
        .arg("-C")
        .arg(dir)
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
        .args(args)
        .env_clear()
        .env("PATH", support::path())
        .env("HOME", dir)
        .output()
        .unwrap();
    assert!(out.status.success(), "{args:?}: {out:?}");
    String::from_utf8(out.stdout).unwrap().trim().to_owned()
}

fn write(dir: &Path, path: &str, text: &str) {
    let there = dir.join(path);
    std::fs::create_dir_all(there.parent().unwrap()).unwrap();
    std::fs::write(there, text).unwrap();
}

fn commit(dir: &Path, what: &str) -> String {
    git(dir, &["add", "--all"]);
    git(dir, &["commit", "--quiet", "--allow-empty", "-m", what]);
    git(dir, &["rev-parse", "HEAD"])
}

fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    git(folder.path(), &["init", "--quiet", "-b", "main"]);
    folder
}

fn refused<T>(result: Result<T, CliError>) -> (Exit, String) {
    match result {
        Ok(_) => panic!("accepted"),
        Err(e) => (e.exit(), e.text()),
    }
}

#[test]
fn the_estate_of_an_earlier_commit_is_read_from_a_folder_of_the_repository() {
    let folder = repository();
    let dir = folder.path();
    write(dir, "infra/tenantry.yml", "store: {}\n");
    write(dir, "infra/products/web/base-values.yaml", "a: 1\n");
    write(
        dir,
        "infra/products/web/terraform/.terraform/x.tf",
        "not ours\n",
    );
    write(dir, "infra/notes.txt", "not of an estate\n");
    write(dir, "products/other/base-values.yaml", "not below\n");
    let first = commit(dir, "one");
    write(dir, "infra/products/web/base-values.yaml", "a: 2\n");
    std::fs::remove_file(dir.join("infra/tenantry.yml")).unwrap();
    commit(dir, "two");
    write(dir, "infra/products/web/base-values.yaml", "a: 3\n");

    let estate = dir.join("infra");
    let base = "products/web/base-values.yaml";
    for revision in [first.as_str(), "HEAD~1", &first[..10]] {
        let files = read(&estate, revision).unwrap();
        let names: Vec<&str> = files.iter().map(|(p, _)| p).collect();
        assert_eq!(names, [base, "tenantry.yml"]);
        assert_eq!(files.get(base), Some(b"a: 1\n".as_slice()));
    }
    let files = read(&estate, "main").unwrap();
    assert_eq!(files.len(), 1);
    assert_eq!(
        file(&estate, "main", base).unwrap().as_deref(),
        Some(b"a: 2\n".as_slice())
    );
    assert_eq!(file(&estate, "main", "tenantry.yml").unwrap(), None);
    assert_eq!(file(&estate, "main", "products").unwrap(), None);
    let (exit, text) = refused(file(&estate, "main", "../products/other/base-values.yaml"));
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("not a path inside"), "{text}");
}

#[test]
fn what_cannot_be_read_is_said_with_what_to_do() {
    let folder = repository();
    let dir = folder.path();
    write(dir, "README.md", "nothing\n");
    commit(dir, "no estate");
    for (revision, says) in [
        ("no-such", "there is no commit `no-such`"),
        ("--all", "`--all` is not a revision"),
        ("-n", "`-n` is not a revision"),
        ("", "is not a revision"),
        ("a\nb", "is not a revision"),
        ("HEAD^{tree}", "there is no commit"),
        ("HEAD", "holds no estate at `HEAD`"),
    ] {
        let (exit, text) = refused(read(dir, revision));
        assert_eq!(exit, Exit::Usage, "{revision}");
        assert!(text.contains(says), "{revision}: {text}");
    }
    let outside = tempfile::tempdir().unwrap();
    let (exit, text) = refused(read(outside.path(), "HEAD"));
    assert_eq!(exit, Exit::Usage);
    assert!(
        text.contains("is in no git repository") && text.contains("hint: name a folder"),
        "{text}"
    );
    let (exit, text) = refused(read(&outside.path().join("absent"), "HEAD"));
    assert_eq!(exit, Exit::Usage);
    assert!(text.contains("is not a folder"), "{text}");
}

#[test]
fn t22_links_submodules_and_large_files_are_refused_as_in_a_folder() {
    let folder = repository();
    let dir = folder.path();
    write(dir, "products/web/base-values.yaml", "a: 1\n");
    let first = commit(dir, "plain");
    std::os::unix::fs::symlink("/etc/passwd", dir.join("products/web/link.yaml")).unwrap();
    commit(dir, "a link");
    git(dir, &["tag", "link"]);
    git(dir, &["rm", "--quiet", "products/web/link.yaml"]);
    let cacheinfo = format!("160000,{first},products/module");
    git(dir, &["update-index", "--add", "--cacheinfo", &cacheinfo]);
    git(dir, &["commit", "--quiet", "-m", "a submodule"]);
    git(dir, &["tag", "module"]);
    git(dir, &["rm", "--quiet", "--cached", "products/module"]);
    write(dir, "products/web/large.bin", &"x".repeat((4 << 20) + 1));
    commit(dir, "too large");

    for (revision, says) in [
        (
            "link",
            "`products/web/link.yaml` at `link` is a symbolic link",
        ),
        ("module", "`products/module` at `module` is a submodule"),
        ("HEAD", "`products/web/large.bin` at `HEAD` is larger than"),
    ] {
        let (exit, text) = refused(read(dir, revision));
        assert_eq!(exit, Exit::Refused, "{text}");
        assert!(text.contains(says), "{text}");
    }
    assert!(read(dir, &first).is_ok());
}

#[test]
fn names_are_taken_by_the_letter() {
    let folder = repository();
    let dir = folder.path();
    let names = [
        "products/web/with space.yaml",
        "products/web/*.yaml",
        "products/web/:(top)x",
        "products/web/tab\there",
        "products/web/ümlaut.yaml",
    ];
    for name in names {
        write(dir, name, name);
    }
    commit(dir, "names");
    let files = read(dir, "HEAD").unwrap();
    assert_eq!(files.len(), names.len());
    for name in names {
        assert_eq!(files.get(name), Some(name.as_bytes()));
        assert_eq!(
            file(dir, "HEAD", name).unwrap().as_deref(),
            Some(name.as_bytes())
        );
    }
}

/// One git per file would take minutes.
#[test]
fn ten_thousand_files_take_seconds() {
    let folder = repository();
    let dir = folder.path();
    for i in 0..10_000 {
        write(
            dir,
            &format!("customers/c{}/web/{i}.yaml", i % 100),
            &format!("a: {i}\n"),
        );
    }
    commit(dir, "many");
    #[allow(clippy::disallowed_methods, reason = "measures, decides nothing")]
    let begun = std::time::Instant::now();
    let files = read(dir, "HEAD").unwrap();
    assert_eq!(files.len(), 10_000);
    assert_eq!(
        files.get("customers/c42/web/9942.yaml"),
        Some(b"a: 9942\n".as_slice())
    );
    // Loose objects, on a busy machine.
    assert!(begun.elapsed().as_secs() < 20, "{:?}", begun.elapsed());
}
