//! What a program said.

use std::collections::BTreeSet;
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

    /// What doctor's checks with this outcome are about, `id subject`.
    pub fn checks(&self, outcome: &str) -> Result<BTreeSet<String>, Box<dyn Error>> {
        let json = self.json()?;
        let all = json["checks"].as_array().ok_or("no checks")?.iter();
        let word =
            |c: &serde_json::Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
        Ok(all
            .filter(|c| c["outcome"] == outcome)
            .map(|c| format!("{} {}", word(c, "id"), word(c, "subject")))
            .collect())
    }

    /// What doctor has found.
    pub fn findings(&self) -> Result<BTreeSet<String>, Box<dyn Error>> {
        self.checks("finding")
    }

    pub fn json(&self) -> Result<serde_json::Value, Box<dyn Error>> {
        Ok(serde_json::from_str(&self.out).map_err(|e| format!("{e}: {}", self.all()))?)
    }
}
