//! A manager repository with customers, an encrypted file beside it, and a local GitHub: for the
//! stories about credentials.

use super::planted::{Planted, search};
use super::said::Said;
use super::{Tested, path, still};
use serde_json::{Value, json};
use std::error::Error;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;
use tenantry::keyring::{Content, Key, Keyring, Secret};
use tenantry::local::Server;

type Made<T> = Result<T, Box<dyn Error>>;

/// A place for a story.
pub struct World {
    pub dir: tempfile::TempDir,
    pub server: Server,
    /// Everything that commands have printed.
    pub printed: Mutex<String>,
    /// Every token of it, and what was typed.
    pub planted: Planted,
    /// Files that hold such a value for a reason.
    pub plain: Mutex<Vec<PathBuf>>,
}

/// However a story ends, nothing of it is left in the clear.
impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let plain = self.plain.lock().map(|p| p.clone()).unwrap_or_default();
        let plain: Vec<&Path> = plain.iter().map(PathBuf::as_path).collect();
        let found = self
            .places()
            .and_then(|places| self.planted.search(&places, &plain));
        assert!(found.is_ok(), "{found:?}");
    }
}

const BASE: [(&str, &str); 4] = [
    ("tenantry.yml", "manager: ops/infra-manager\n"),
    ("products/web/base-values.yaml", "region: eu-west-1\n"),
    ("products/web/environments/staging.yaml", "size: 1\n"),
    ("products/web/environments/production.yaml", "size: 2\n"),
];

impl World {
    /// Customers `acme` and `beta`, each with a repository `<id>/app`; nothing else.
    pub async fn new() -> Made<Self> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(still(dir.path().join("github"))).await?;
        let world = Self {
            dir,
            server,
            printed: Mutex::default(),
            planted: Planted::default(),
            plain: Mutex::default(),
        };
        for (path, text) in BASE {
            world.write(path, text)?;
        }
        let made = json!({"repo": "ops/infra-manager", "files": {"README.md": "x\n"}});
        world.call("POST", "/_local/repos", made).await?;
        for id in ["acme", "beta"] {
            let made = json!({"repo": format!("{id}/app"), "files": {"README.md": "x\n"}});
            let made = world.call("POST", "/_local/repos", made).await?;
            world.customer(id, made["id"].as_u64().ok_or("id")?)?;
        }
        std::fs::write(world.key_file(), Key::generate().expose())?;
        Ok(world)
    }

    /// Writes the files of a customer.
    pub fn customer(&self, id: &str, repository: u64) -> Tested {
        let text = format!(
            "# The entry of {id}.\ncustomer: {id}\nname: {id}\nrepository: {id}/app # theirs\nrepository_id: {repository}\n"
        );
        self.write(&format!("customers/{id}/metadata.yaml"), &text)?;
        self.write(
            &format!("customers/{id}/products.yaml"),
            "products:\n  - name: web\n",
        )
    }

    pub fn root(&self) -> PathBuf {
        self.dir.path().join("estate")
    }

    pub fn key_file(&self) -> PathBuf {
        self.dir.path().join("key.txt")
    }

    /// Where the encrypted file is by default.
    pub fn sealed(&self) -> PathBuf {
        self.dir
            .path()
            .join("home/.local/share/tenantry/credentials.age")
    }

    pub fn write(&self, path: &str, text: &str) -> Tested {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    pub fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|e| e.to_string())
    }

    pub fn entry(&self, customer: &str) -> String {
        self.read(&format!("customers/{customer}/metadata.yaml"))
    }

    pub async fn call(&self, method: &str, path: &str, body: Value) -> Made<Value> {
        let (status, answer) = self.server.call(method, path, body).await;
        match status {
            200..300 => Ok(answer),
            _ => Err(format!("{method} {path}: {status} {answer}").into()),
        }
    }

    /// Makes a token of `login`, or the same one once more; its text.
    pub async fn token(&self, login: &str, more: Value) -> Made<String> {
        self.call("POST", "/_local/users", json!({"login": login}))
            .await?;
        let mut body = json!({"user": login});
        for (key, value) in more.as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let made = self.call("POST", "/_local/tokens", body).await?;
        let token = made["token"].as_str().ok_or("no token")?;
        self.planted.add(token)?;
        Ok(token.to_owned())
    }

    /// A classic token that may pull images.
    pub async fn pull_token(&self, login: &str) -> Made<String> {
        let more = json!({"scopes": ["read:packages"], "expires_in": 60 * 86_400 + 60});
        self.token(login, more).await
    }

    /// A fine-grained token that may send hints to the manager.
    pub async fn dispatch_token(&self, login: &str, text: Option<&str>) -> Made<String> {
        self.call("POST", "/_local/users", json!({"login": login}))
            .await?;
        let body = json!({"repo": "ops/infra-manager", "user": login, "permission": "write"});
        self.server
            .call("POST", "/_local/collaborators", body)
            .await;
        let mut more = json!({"repos": {"ops/infra-manager": {"contents": "write"}}, "expires_in": 90 * 86_400 + 60});
        if let Some(text) = text {
            more["token"] = json!(text);
        }
        self.token(login, more).await
    }

    /// Whether a dispatch with this token arrives.
    pub async fn dispatches(&self, token: &str) -> bool {
        let body =
            json!({"event_type": "tenantry-request", "client_payload": {"request_id": "12345678"}});
        let (status, _) = self
            .server
            .call_as(token, "POST", "/repos/ops/infra-manager/dispatches", body)
            .await;
        assert!(matches!(status, 204 | 401), "{status}");
        status == 204
    }

    /// The value of a secret of a repository, which on GitHub only a workflow sees.
    pub fn secret(&self, repository: &str, name: &str) -> Option<String> {
        let state = self.server.state();
        let id = state.find_full(repository)?;
        let repo = state.repos.get(&id)?;
        repo.secrets.get(name).map(|v| v.value.clone())
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .arg("customer")
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("HOME", self.dir.path().join("home"))
            .env("USER", "olivia")
            .env("GITHUB_API_URL", &self.server.url)
            .env("TENANTRY_SETUP_TOKEN", &self.server.token)
            .env("TENANTRY_CREDENTIALS_IDENTITY", self.key_file())
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    /// Runs `customer …` with something on standard input.
    pub fn run(&self, args: &[&str], input: &str) -> Made<Said> {
        self.finish(self.command(args), input)
    }

    pub fn finish(&self, mut command: Command, input: &str) -> Made<Said> {
        for line in input.lines() {
            self.planted.add(line)?;
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()?;
        // A process that is killed, or reads nothing, closes its end.
        let _ = child
            .stdin
            .take()
            .ok_or("stdin")?
            .write_all(input.as_bytes());
        let out = child.wait_with_output()?;
        let said = Said::of(out)?;
        if let Ok(mut printed) = self.printed.lock() {
            printed.push_str(&said.all());
        }
        Ok(said)
    }

    /// Runs `customer credential …`, which must succeed.
    pub fn ok(&self, args: &[&str], input: &str) -> Made<Said> {
        let said = self.run(&[&["credential"], args].concat(), input)?;
        match said.code {
            0 => Ok(said),
            _ => Err(format!("{args:?}: {}", said.all()).into()),
        }
    }

    /// Runs `customer credential …`, which must be refused and change nothing; what it said.
    pub fn refused(&self, args: &[&str], input: &str) -> Made<String> {
        let before = self.everything()?;
        let said = self.run(&[&["credential"], args].concat(), input)?;
        assert!(matches!(said.code, 1 | 2), "{args:?}: {}", said.all());
        assert_eq!(self.everything()?, before, "{args:?}");
        Ok(said.err)
    }

    /// Every file of the estate and the encrypted file.
    pub fn everything(&self) -> Made<Vec<(PathBuf, Vec<u8>)>> {
        let mut out = files(&self.root())?;
        out.extend(
            std::fs::read(self.sealed())
                .ok()
                .map(|b| (self.sealed(), b)),
        );
        out.sort();
        Ok(out)
    }

    /// What the encrypted file holds.
    pub fn content(&self) -> Made<Content> {
        let bytes = std::fs::read(self.key_file())?;
        let key = Key::file(&bytes, "key.txt", None)?;
        Ok(Keyring::open(&self.sealed(), key, || {})?.content().clone())
    }

    /// The value of a credential in the encrypted file.
    pub fn kept(&self, customer: &str, id: &str) -> Made<Option<Secret>> {
        let content = self.content()?;
        let mut all = content.kept.into_iter();
        let found = all.find(|k| k.customer.as_str() == customer && k.credential.as_str() == id);
        Ok(found.map(|k| k.value))
    }

    /// Looks for values in every file below the story's folder, in everything that was printed and
    /// in what the local GitHub has written down: none may be there, nor in base64 or in
    /// hexadecimal. `but`: files that hold them for a reason.
    pub fn nothing_leaked(&self, values: &[&str], but: &[&Path]) -> Tested {
        let places = self.places()?;
        for value in values {
            search(value, &places, but)?;
        }
        if let Ok(mut plain) = self.plain.lock() {
            plain.extend(but.iter().map(|b| b.to_path_buf()));
        }
        Ok(())
    }

    fn places(&self) -> Made<Vec<(PathBuf, Vec<u8>)>> {
        let printed = self.printed.lock().map(|p| p.clone()).unwrap_or_default();
        let journal = serde_json::to_string(&self.server.state().journal.entries)?;
        let mut places = files(self.dir.path())?;
        places.push(("printed".into(), printed.into_bytes()));
        places.push(("journal".into(), journal.into_bytes()));
        assert!(places.len() > 8, "{}", places.len());
        Ok(places)
    }
}

/// Every file below a folder; a link that leads nowhere is none.
pub fn files(root: &Path) -> Made<Vec<(PathBuf, Vec<u8>)>> {
    let mut out = Vec::new();
    let mut open = vec![root.to_owned()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
            } else if path.is_file() {
                out.push((path.clone(), std::fs::read(&path)?));
            }
        }
    }
    out.sort();
    Ok(out)
}

/// Without what differs from run to run.
pub fn steady(text: &str, secrets: &[(&str, &str)]) -> String {
    let mut out = text.to_owned();
    for (value, name) in secrets {
        let digest = tenantry::digest::Digest::of(value.as_bytes());
        out = out.replace(digest.as_str(), &format!("<fingerprint of {name}>"));
        let four = &value[value.len() - 4..];
        out = out.replace(
            &format!("last_four: \"{four}\""),
            &format!("last_four: <of {name}>"),
        );
        out = out.replace(
            &format!("last_four: {four}"),
            &format!("last_four: <of {name}>"),
        );
        out = out.replace(
            &format!("ends with    {four}"),
            &format!("ends with    <of {name}>"),
        );
    }
    let mut lines = Vec::new();
    for line in out.lines() {
        let mut line = line.to_owned();
        while let Some(at) = day(&line) {
            line.replace_range(at..at + 10, "<day>");
        }
        lines.push(line);
    }
    lines.join("\n")
}

fn day(line: &str) -> Option<usize> {
    (0..line.len()).find(|at| {
        let Some(day) = line.get(*at..at + 10) else {
            return false;
        };
        day.starts_with("20")
            && day.bytes().enumerate().all(|(i, b)| match i {
                4 | 7 => b == b'-',
                _ => b.is_ascii_digit(),
            })
    })
}
