//! What a program said.

use std::error::Error;
use std::process::Output;

#[derive(Debug)]
pub struct Said {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Said {
    /// A program that a signal ended has the code -1.
    pub fn of(output: Output) -> Result<Self, Box<dyn Error>> {
        Ok(Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout)?,
            err: String::from_utf8(output.stderr)?,
        })
    }

    pub fn all(&self) -> String {
        format!("{}{}exit {}\n", self.out, self.err, self.code)
    }

    pub fn json(&self) -> Result<serde_json::Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.out).map_err(|e| format!("{e}: {}", self.all()))?)
    }
}
