//! What the file is encrypted to: a passphrase, age identities, or an SSH key.

use super::error::KeyringError;
use super::secret::Secret;
use age::secrecy::ExposeSecret as _;
use std::io::Read as _;
use std::str::FromStr as _;

/// Work of a passphrase, as a power of two: what age takes by default, 256 MiB of memory and about
/// a second. More is not accepted when reading either, so a foreign file cannot take all memory.
const WORK: u8 = 18;
/// Largest content, in bytes.
const MOST: u64 = 64 << 20;

/// A key. Not shown by `Debug`.
pub struct Key(Inner);

enum Inner {
    Passphrase(Secret),
    Age(Vec<age::x25519::Identity>),
    Ssh(Box<Ssh>),
}

struct Ssh {
    identity: age::ssh::Identity,
    recipient: age::ssh::Recipient,
}

impl std::fmt::Debug for Key {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Key(***)")
    }
}

impl Key {
    /// A passphrase.
    pub fn passphrase(words: Secret) -> Result<Self, KeyringError> {
        match words.expose().is_empty() {
            true => Err(KeyringError::refused(
                "the passphrase is empty",
                "choose one that nobody guesses, or use a key with --identity FILE",
            )),
            false => Ok(Self(Inner::Passphrase(words))),
        }
    }

    /// Whether a key file wants a passphrase of its own.
    pub fn is_locked(bytes: &[u8]) -> bool {
        let identity = age::ssh::Identity::from_buffer(bytes, None);
        matches!(identity, Ok(age::ssh::Identity::Encrypted(_)))
    }

    /// An identity file of age or an SSH private key, called `name` in messages, and its
    /// passphrase if it has one.
    pub fn file(bytes: &[u8], name: &str, words: Option<Secret>) -> Result<Self, KeyringError> {
        let no_key = |why: &str| {
            KeyringError::refused(
                format!("`{name}` {why}"),
                "name a file that `age-keygen` wrote, or an ed25519 SSH key (`ssh-keygen -t ed25519`)",
            )
        };
        let text = std::str::from_utf8(bytes).map_err(|_| no_key("is not text, so no key"))?;
        if text.starts_with("age-encryption.org/") || text.starts_with("-----BEGIN AGE") {
            return Err(KeyringError::refused(
                format!("`{name}` is encrypted itself"),
                "decrypt it with `age -d` into a file that only you can read, and name that one",
            ));
        }
        if text.contains("-----BEGIN ") {
            return ssh(text, name, words);
        }
        let mut identities = Vec::new();
        for (i, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match age::x25519::Identity::from_str(line) {
                Ok(identity) => identities.push(identity),
                // The line could be a secret.
                Err(_) => {
                    return Err(no_key(&format!(
                        "holds something else than a key in line {}",
                        i + 1
                    )));
                }
            }
        }
        match identities.is_empty() {
            true => Err(no_key("holds no key")),
            false => Ok(Self(Inner::Age(identities))),
        }
    }

    /// A new age identity; the text of a file for [`Key::file`].
    pub fn generate() -> Secret {
        let identity = age::x25519::Identity::generate();
        Secret::new(format!("{}\n", identity.to_string().expose_secret()))
    }

    /// Whether opening costs a second of work.
    pub fn is_passphrase(&self) -> bool {
        matches!(self.0, Inner::Passphrase(_))
    }

    /// How many recipients a file of this key has.
    fn recipients(&self) -> usize {
        match &self.0 {
            Inner::Age(identities) => identities.len(),
            _ => 1,
        }
    }

    pub(super) fn encrypt(&self, plain: &[u8]) -> Result<Vec<u8>, KeyringError> {
        use std::io::Write as _;
        let sealed = |recipients: Vec<Box<dyn age::Recipient>>| -> Result<_, age::EncryptError> {
            let encryptor =
                age::Encryptor::with_recipients(recipients.iter().map(|r| r.as_ref() as _))?;
            let mut out = Vec::new();
            let mut writer = encryptor.wrap_output(&mut out)?;
            writer.write_all(plain)?;
            writer.finish()?;
            Ok(out)
        };
        let recipients: Vec<Box<dyn age::Recipient>> = match &self.0 {
            Inner::Passphrase(words) => {
                let mut recipient = age::scrypt::Recipient::new(words.inner());
                recipient.set_work_factor(WORK);
                vec![Box::new(recipient)]
            }
            Inner::Age(identities) => identities
                .iter()
                .map(|i| Box::new(i.to_public()) as Box<dyn age::Recipient>)
                .collect(),
            Inner::Ssh(ssh) => vec![Box::new(ssh.recipient.clone())],
        };
        sealed(recipients).map_err(KeyringError::Encrypt)
    }

    pub(super) fn decrypt(&self, sealed: &[u8]) -> Result<Vec<u8>, KeyringError> {
        let decryptor = age::Decryptor::new_buffered(sealed).map_err(|_| damaged())?;
        match (decryptor.is_scrypt(), self.is_passphrase()) {
            (true, false) => {
                return Err(KeyringError::refused(
                    "the file is opened by a passphrase, not by a key",
                    "leave out --identity (and TENANTRY_CREDENTIALS_IDENTITY), and give the passphrase",
                ));
            }
            (false, true) => {
                return Err(KeyringError::refused(
                    "the file is opened by a key, not by a passphrase",
                    "name the age identity or SSH key with --identity FILE",
                ));
            }
            _ => {}
        }
        let scrypt;
        let identities: Vec<&dyn age::Identity> = match &self.0 {
            Inner::Passphrase(words) => {
                let mut identity = age::scrypt::Identity::new(words.inner());
                identity.set_max_work_factor(WORK);
                scrypt = identity;
                vec![&scrypt]
            }
            Inner::Age(identities) => identities.iter().map(|i| i as &dyn age::Identity).collect(),
            Inner::Ssh(ssh) => vec![&ssh.identity],
        };
        let reader = decryptor
            .decrypt(identities.into_iter())
            .map_err(|e| self.refusal(&e))?;
        let mut plain = Vec::new();
        let read = reader.take(MOST + 1).read_to_end(&mut plain);
        match read {
            Ok(_) if plain.len() as u64 <= MOST => Ok(plain),
            _ => Err(damaged()),
        }
    }

    fn refusal(&self, error: &age::DecryptError) -> KeyringError {
        use age::DecryptError as E;
        match error {
            E::ExcessiveWork { required, .. } => KeyringError::refused(
                format!(
                    "the file asks for more work than tenantry does (2^{required}, at most 2^{WORK})"
                ),
                "tenantry has not written it; name another file with --credentials FILE",
            ),
            E::DecryptionFailed | E::NoMatchingKeys | E::KeyDecryptionFailed => {
                let what = if self.is_passphrase() {
                    "passphrase"
                } else {
                    "key"
                };
                KeyringError::refused(
                    format!("the file cannot be opened with this {what}; it is unchanged"),
                    format!(
                        "try again with the {what} that it was written with; nobody can open it without"
                    ),
                )
            }
            _ => damaged(),
        }
    }

    /// Refuses to write a file that other keys open too, because they would not open it any more.
    pub(super) fn alone_opens(&self, sealed: &[u8]) -> Result<(), KeyringError> {
        let header = sealed
            .split(|b| *b == b'\n')
            .take_while(|line| !line.starts_with(b"--- "));
        // age puts one stanza that nobody opens into a header, to keep readers honest.
        let stanzas = header
            .filter(|line| line.starts_with(b"-> "))
            .filter(|line| {
                let tag = line[3..].split(|b| *b == b' ').next().unwrap_or_default();
                !tag.ends_with(b"-grease")
            })
            .count();
        match stanzas > self.recipients() {
            true => Err(KeyringError::refused(
                "other keys than yours open this file too, and would not after a change",
                "put all of their identities into the file of --identity, or keep files of your own",
            )),
            false => Ok(()),
        }
    }
}

fn damaged() -> KeyringError {
    KeyringError::refused(
        "the file is not what tenantry has written: it was damaged, cut off, or is somebody else's",
        "put a copy of it back, or name another file with --credentials FILE; it is left as it is",
    )
}

/// Only ed25519: the crate that decrypts for RSA keys can be timed (RUSTSEC-2023-0071), and no
/// newer one is there.
fn ssh(text: &str, name: &str, words: Option<Secret>) -> Result<Key, KeyringError> {
    let unfit = |why: &str| {
        KeyringError::refused(
            format!("the SSH key `{name}` {why}"),
            "use an ed25519 key (`ssh-keygen -t ed25519`) or an age identity (`age-keygen`)",
        )
    };
    let identity = age::ssh::Identity::from_buffer(text.as_bytes(), None)
        .map_err(|_| unfit("cannot be read"))?;
    if matches!(identity, age::ssh::Identity::Unsupported(_)) {
        return Err(unfit("is of a kind that age does not take"));
    }
    let recipient = age::ssh::Recipient::try_from(identity.clone())
        .map_err(|_| unfit("is of a kind that age does not take"))?;
    if !matches!(recipient, age::ssh::Recipient::SshEd25519(..)) {
        return Err(unfit("is no ed25519 key"));
    }
    let identity = match identity {
        age::ssh::Identity::Encrypted(key) => {
            let words = words.ok_or_else(|| {
                KeyringError::refused(
                    format!(
                        "the SSH key `{name}` has a passphrase, and there is no terminal to ask on"
                    ),
                    "set TENANTRY_CREDENTIALS_PASSPHRASE to it, or use a key without one",
                )
            })?;
            let open = key.decrypt(words.inner()).map_err(|_| {
                KeyringError::refused(
                    format!("this is not the passphrase of the SSH key `{name}`"),
                    "try again",
                )
            })?;
            open.into()
        }
        other => other,
    };
    Ok(Key(Inner::Ssh(Box::new(Ssh {
        identity,
        recipient,
    }))))
}
