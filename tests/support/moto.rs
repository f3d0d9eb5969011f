//! A cloud on this machine: `moto_server` on a free loopback port, ended with the test.

use super::{Tested, path, tool};
use std::error::Error;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// A running `moto_server`.
pub struct Moto {
    child: Child,
    address: String,
}

const SIGNED: &str = "AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0";

/// An answer: status, body.
pub type Answer = (u16, String);

impl Moto {
    /// Starts it; `None` where it is not installed.
    pub async fn start(dir: &Path) -> Result<Option<Self>, Box<dyn Error>> {
        let Some(program) = tool("moto_server") else {
            return Ok(None);
        };
        let log = dir.join("moto.log");
        // It chooses a free port itself and says which.
        let child = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", "0"])
            .env_clear()
            .env("PATH", path())
            .env("HOME", dir)
            .env("PYTHONUNBUFFERED", "1")
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(&log)?)
            .stderr(std::fs::File::options().append(true).open(&log)?)
            .spawn()?;
        let mut moto = Self {
            child,
            address: String::new(),
        };
        for _ in 0..600 {
            let text = std::fs::read_to_string(&log)?;
            let said = text.split_once("http://").map(|(_, rest)| rest);
            if let Some((address, _)) = said.and_then(|s| s.split_once(char::is_whitespace)) {
                moto.address = address.to_owned();
                return Ok(Some(moto));
            }
            if let Some(status) = moto.child.try_wait()? {
                return Err(format!("moto_server ended ({status}): {text}").into());
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        Err("moto_server says no address".into())
    }

    /// Its root.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// One request to its S3. It asks for a name, not for a true signature.
    pub async fn s3(&self, method: &str, path: &str, body: &str) -> Result<Answer, Box<dyn Error>> {
        self.call("s3", method, path, body).await
    }

    /// One request to one of its services.
    pub async fn call(
        &self,
        service: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> Result<Answer, Box<dyn Error>> {
        let signed = SIGNED.replace("/s3/", &format!("/{service}/"));
        let mut socket = TcpStream::connect(&self.address).await?;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {}\r\nconnection: close\r\nauthorization: {signed}\r\ncontent-length: {}\r\n\r\n{body}",
            self.address,
            body.len()
        );
        socket.write_all(request.as_bytes()).await?;
        let mut raw = Vec::new();
        socket.read_to_end(&mut raw).await?;
        let text = String::from_utf8_lossy(&raw);
        let (head, body) = text.split_once("\r\n\r\n").ok_or("no HTTP answer")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok((status, body.to_owned()))
    }

    /// Makes a bucket.
    pub async fn bucket(&self, name: &str) -> Tested {
        match self.s3("PUT", &format!("/{name}"), "").await? {
            (200, _) => Ok(()),
            (status, body) => Err(format!("no bucket `{name}`: {status} {body}").into()),
        }
    }

    /// The keys under a prefix of a bucket, in order.
    pub async fn keys(&self, bucket: &str, prefix: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let (status, body) = self
            .s3("GET", &format!("/{bucket}?list-type=2&prefix={prefix}"), "")
            .await?;
        if status != 200 {
            return Err(format!("cannot list `{bucket}`: {status} {body}").into());
        }
        let mut keys: Vec<String> = body
            .split("<Key>")
            .skip(1)
            .filter_map(|rest| rest.split_once("</Key>"))
            .map(|(key, _)| key.to_owned())
            .collect();
        keys.sort();
        Ok(keys)
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        // Ends exactly the process that was started here.
        if self.child.kill().is_ok() {
            drop(self.child.wait());
        }
    }
}
