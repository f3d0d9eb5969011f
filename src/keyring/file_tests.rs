use super::*;
use crate::clock::Time;
use crate::estate::{CredentialId, CustomerId};
use crate::keyring::{Kept, Secret};

fn key(text: &Secret) -> Key {
    match Key::file(text.expose().as_bytes(), "key.txt", None) {
        Ok(key) => key,
        Err(e) => panic!("{e}"),
    }
}

fn kept(id: &str, value: &str) -> Kept {
    let (Ok(customer), Ok(credential)) = (CustomerId::new("acme"), CredentialId::new(id)) else {
        panic!("{id}")
    };
    Kept {
        customer,
        credential,
        value: Secret::new(value.to_owned()),
        at: Time(1),
        by: "olivia".to_owned(),
        replaces: None,
        passing: false,
    }
}

fn open(path: &Path, text: &Secret) -> Keyring {
    match Keyring::open(path, key(text), || {}) {
        Ok(keyring) => keyring,
        Err(e) => panic!("{e}"),
    }
}

fn said(result: Result<Keyring, KeyringError>) -> String {
    match result {
        Ok(_) => "opened".to_owned(),
        Err(e) => format!("{e}; {}", e.next().unwrap_or_default()),
    }
}

#[test]
fn what_is_put_in_is_there_again_and_nobody_else_reads_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("a/b/credentials.age");
    let text = Key::generate();
    let mut keyring = open(&path, &text);
    keyring.change(|c| c.put(kept("pull", "hunter2"))).unwrap();
    drop(keyring);
    let mode = |p: &Path| fs::metadata(p).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(path.parent().unwrap()), 0o700);
    let bytes = fs::read(&path).unwrap();
    assert!(bytes.starts_with(b"age-encryption.org/v1\n"));
    assert!(!bytes.windows(7).any(|w| w == b"hunter2"));
    let mut keyring = open(&path, &text);
    assert_eq!(keyring.content().kept, [kept("pull", "hunter2")]);
    // What changes nothing writes nothing.
    keyring.change(|_| {}).unwrap();
    assert_eq!(fs::read(&path).unwrap(), bytes);
    // Nothing is left beside it but the lock.
    let names: Vec<_> = fs::read_dir(path.parent().unwrap())
        .unwrap()
        .map(|e| e.unwrap().file_name().into_string().unwrap())
        .collect();
    assert_eq!(names.len(), 2, "{names:?}");
}

#[test]
fn a_foreign_damaged_or_open_file_is_refused_and_stays() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials.age");
    let text = Key::generate();
    let mut keyring = open(&path, &text);
    keyring.change(|c| c.put(kept("pull", "hunter2"))).unwrap();
    drop(keyring);
    let good = fs::read(&path).unwrap();
    let try_with = |bytes: &[u8], key: Key| {
        fs::write(&path, bytes).unwrap();
        let said = said(Keyring::open(&path, key, || {}));
        assert_eq!(fs::read(&path).unwrap(), bytes);
        said
    };
    let foreign = key(&text).encrypt(b"a diary").unwrap();
    let later = key(&text).encrypt(b"{\"version\": 2}").unwrap();
    let mut bent = good.clone();
    let last = bent.len() - 1;
    bent[last] ^= 1;
    let mut all = String::new();
    let words = || Key::passphrase(Secret::new("x".to_owned())).unwrap();
    for (bytes, key) in [
        (&b"not age"[..], key(&text)),
        (&b""[..], key(&text)),
        (&good[..good.len() - 1], key(&text)),
        (&bent, key(&text)),
        (&foreign, key(&text)),
        (&later, key(&text)),
        (&good, key(&Key::generate())),
        (&good, words()),
    ] {
        all.push_str(&try_with(bytes, key));
        all.push('\n');
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let open_to_all = said(Keyring::open(&path, key(&text), || {}));
    assert!(
        open_to_all.contains("other users of this machine"),
        "{open_to_all}"
    );
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("elsewhere", &path).unwrap();
    let link = said(Keyring::open(&path, key(&text), || {}));
    assert!(link.contains("no regular file"), "{link}");
    insta::assert_snapshot!(all, @r"
    the file is not what tenantry has written: it was damaged, cut off, or is somebody else's; put a copy of it back, or name another file with --credentials FILE; it is left as it is
    the file is not what tenantry has written: it was damaged, cut off, or is somebody else's; put a copy of it back, or name another file with --credentials FILE; it is left as it is
    the file is not what tenantry has written: it was damaged, cut off, or is somebody else's; put a copy of it back, or name another file with --credentials FILE; it is left as it is
    the file is not what tenantry has written: it was damaged, cut off, or is somebody else's; put a copy of it back, or name another file with --credentials FILE; it is left as it is
    the file could be decrypted, but tenantry has not written what is in it; name another file with --credentials FILE; this one is left as it is
    the file is of version 2; this tenantry reads version 1; use the newer tenantry that has written it
    the file cannot be opened with this key; it is unchanged; try again with the key that it was written with; nobody can open it without
    the file is opened by a key, not by a passphrase; name the age identity or SSH key with --identity FILE
    ");
}

#[test]
fn a_passphrase_opens_what_it_closed_and_another_does_not() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials.age");
    let words = |text: &str| Key::passphrase(Secret::new(text.to_owned())).unwrap();
    let mut keyring = Keyring::open(&path, words("correct horse"), || {}).unwrap();
    keyring.change(|c| c.put(kept("pull", "hunter2"))).unwrap();
    drop(keyring);
    let wrong = said(Keyring::open(&path, words("battery"), || {}));
    assert!(
        wrong.starts_with("the file cannot be opened with this passphrase"),
        "{wrong}"
    );
    let by_key = said(Keyring::open(&path, key(&Key::generate()), || {}));
    assert!(
        by_key.starts_with("the file is opened by a passphrase"),
        "{by_key}"
    );
    let keyring = Keyring::open(&path, words("correct horse"), || {}).unwrap();
    assert_eq!(keyring.content().kept.len(), 1);
    assert!(Key::passphrase(Secret::new(String::new())).is_err());
}

#[test]
fn a_file_for_several_keys_is_not_taken_from_the_others() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials.age");
    let (mine, theirs) = (Key::generate(), Key::generate());
    let both = Secret::new(format!("# two\n{}\n{}", mine.expose(), theirs.expose()));
    let mut keyring = open(&path, &both);
    keyring.change(|c| c.put(kept("pull", "hunter2"))).unwrap();
    drop(keyring);
    let before = fs::read(&path).unwrap();
    let mut one = open(&path, &mine);
    let refused = one.change(|c| c.kept.clear());
    assert!(
        matches!(refused, Err(KeyringError::Refused { .. })),
        "{refused:?}"
    );
    assert_eq!(fs::read(&path).unwrap(), before);
    drop(one);
    let mut keyring = open(&path, &both);
    keyring.change(|c| c.put(kept("other", "hunter3"))).unwrap();
    drop(keyring);
    assert_eq!(open(&path, &theirs).content().kept.len(), 2);
}

#[test]
fn t32_a_file_that_is_no_key_is_refused_without_being_quoted() {
    for (text, why) in [
        ("", "no key"),
        ("# only a comment\n", "no key"),
        ("AGE-SECRET-KEY-1HUNTER2\n", "line 1"),
        ("hunter2", "line 1"),
        ("age-encryption.org/v1\nhunter2", "encrypted itself"),
        (
            "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n-----END OPENSSH PRIVATE KEY-----\n",
            "cannot be read",
        ),
        (
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n",
            "cannot be read",
        ),
    ] {
        let Err(e) = Key::file(text.as_bytes(), "key.txt", None) else {
            panic!("{text}")
        };
        let said = format!("{e} {e:?}");
        assert!(said.contains(why), "{said}");
        assert!(!said.to_lowercase().contains("hunter2"), "{said}");
    }
}
