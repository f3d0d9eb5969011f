//! Log of every exchange: in memory for tests, and as JSON lines for the conformance test.
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::PathBuf;

/// Exchanges in order.
#[derive(Debug, Default)]
pub struct Journal {
    /// Where JSON lines go, if anywhere.
    pub file: Option<PathBuf>,
    /// The newest exchanges, oldest first.
    pub entries: Vec<Value>,
}

/// A body without what the one call says that carries tokens in clear.
pub fn without_tokens(body: &[u8]) -> Value {
    let mut body = serde_json::from_slice::<Value>(body).unwrap_or(Value::Null);
    let tokens = body.get_mut("credentials").and_then(Value::as_array_mut);
    for token in tokens.into_iter().flatten() {
        *token = json!("***");
    }
    body
}

/// Kept in memory; a long-lived server must not grow without end.
const KEEP: usize = 5_000;

impl Journal {
    /// Adds one exchange. A recording that cannot be written is reported, not fatal.
    pub fn add(&mut self, entry: Value) {
        if let Some(path) = &self.file {
            // One write per line: several servers may append to the same file.
            let opened = std::fs::OpenOptions::new()
                .create(true)
                .append(true)
                .open(path);
            let written = opened.and_then(|mut f| f.write_all(format!("{entry}\n").as_bytes()));
            if let Err(error) = written {
                tracing::warn!(path = %path.display(), %error, "cannot record an exchange");
            }
        }
        if self.entries.len() >= KEEP {
            self.entries.remove(0);
        }
        self.entries.push(entry);
    }
}
