//! Standard output is data, standard error is logs and progress.

use super::env::Env;
use super::error::CliError;
use crate::engine::redact::Redactor;
use crate::estate::Finding;
use crate::report::escape::terminal;
use crate::report::{runner, sarif};
use crate::store::seal::random_hex;
use serde::Serialize;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use tracing_subscriber::fmt::MakeWriter;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// JSON, `"version": 1`.
    Json,
    /// Workflow commands, where a result is about files.
    Github,
    /// SARIF 2.1.0, for code scanning (`validate` only).
    Sarif,
    /// Values as YAML, keys sorted (`resolve` only).
    Yaml,
    /// Values as `terraform.tfvars.json`: only what the module declares (`resolve` only).
    Tfvars,
    /// Markdown (`customer instructions` only).
    Md,
    /// One HTML page (`customer instructions` only).
    Html,
    /// A mail that waits to be sent (`customer instructions` only).
    Eml,
    /// The list is `customers.json` of the cased kind (`customer import` only).
    Cased,
    /// The list is comma-separated (`customer import` only).
    Csv,
}

impl Format {
    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Github => "github",
            Self::Sarif => "sarif",
            Self::Yaml => "yaml",
            Self::Tfvars => "tfvars",
            Self::Md => "md",
            Self::Html => "html",
            Self::Eml => "eml",
            Self::Cased => "cased",
            Self::Csv => "csv",
        }
    }
}

/// Where a command prints.
#[derive(Debug)]
pub struct Printer {
    /// The format asked for.
    pub format: Format,
    in_actions: bool,
    output: Option<PathBuf>,
    summary: Option<PathBuf>,
    colour: bool,
    /// What was masked already, by its hash.
    masked: Mutex<BTreeSet<u64>>,
}

/// Writes to standard error; that this fails can be told to nobody.
pub fn stderr(text: &str) {
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
}

/// Prints clap's own message to the stream where it belongs.
pub fn clap(error: &clap::Error) {
    let _ = error.print();
}

/// Sets up logging to standard error.
pub fn logging(env: &Env, verbose: u8) {
    let level = match verbose {
        0 => "tenantry=warn",
        1 => "tenantry=info",
        _ => "tenantry=debug",
    };
    let filter = env.get("TENANTRY_LOG").unwrap_or(level);
    let colour =
        std::io::stderr().is_terminal() && env.get("NO_COLOR").is_none() && !env.in_actions();
    let _ = tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(filter))
        .with_writer(Log {
            in_actions: env.in_actions(),
        })
        .with_ansi(colour)
        .with_target(false)
        .without_time()
        .try_init();
}

/// Where log lines go: standard error. They quote errors, so in a runner they are made inert.
struct Log {
    in_actions: bool,
}

struct LogLine {
    in_actions: bool,
}

impl MakeWriter<'_> for Log {
    type Writer = LogLine;
    fn make_writer(&self) -> LogLine {
        LogLine {
            in_actions: self.in_actions,
        }
    }
}

impl Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let text = Redactor::default().name(&text).into_owned();
        let text = match self.in_actions {
            true => runner::inert(&terminal(&text)),
            false => text,
        };
        std::io::stderr().lock().write_all(text.as_bytes())?;
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

impl Printer {
    /// A printer for this process.
    pub fn new(format: Format, env: &Env) -> Self {
        Self {
            format,
            in_actions: env.in_actions(),
            output: env.get("GITHUB_OUTPUT").map(PathBuf::from),
            summary: env.get("GITHUB_STEP_SUMMARY").map(PathBuf::from),
            colour: std::io::stdout().is_terminal() && env.get("NO_COLOR").is_none(),
            masked: Mutex::default(),
        }
    }

    /// Whether standard output may be coloured.
    pub fn colour(&self) -> bool {
        self.colour
    }

    /// Writes data. A closed pipe ends the output, not the program.
    pub fn data(&self, text: &str) {
        let mut out = std::io::stdout().lock();
        let _ = out.write_all(text.as_bytes());
        if !text.ends_with('\n') {
            let _ = out.write_all(b"\n");
        }
        let _ = out.flush();
    }

    /// A result: as JSON if asked for, as `text` otherwise. In a runner's log, text may hold
    /// foreign words, so commands are switched off around it.
    pub fn result(&self, json: &impl Serialize, text: &str) {
        match self.format {
            Format::Json => self.data(&serde_json::to_string_pretty(json).unwrap_or_default()),
            _ if self.in_actions => self.data(&runner::foreign(text, &random_hex())),
            _ => self.data(&terminal(text)),
        }
    }

    /// A document that somebody redirects into a file: as it is, but in a runner's log, where
    /// commands are switched off around it.
    pub fn document(&self, text: &str) {
        if self.in_actions {
            self.data(&runner::foreign(text, &random_hex()));
        } else {
            self.data(text);
        }
    }

    /// Findings, grouped by file, in the format asked for.
    pub fn findings(&self, findings: &[Finding]) {
        match self.format {
            Format::Json => self.data(
                &serde_json::to_string_pretty(
                    &serde_json::json!({"version": 1, "findings": findings}),
                )
                .unwrap_or_default(),
            ),
            Format::Github => findings
                .iter()
                .for_each(|f| self.data(&runner::annotation(f))),
            Format::Sarif => {
                self.data(&serde_json::to_string_pretty(&sarif::log(findings)).unwrap_or_default())
            }
            _ => self.result(&(), &by_file(findings)),
        }
    }

    /// Annotations in a runner, nothing elsewhere.
    pub fn annotate(&self, findings: &[Finding]) {
        if self.in_actions && !matches!(self.format, Format::Json | Format::Sarif) {
            findings
                .iter()
                .for_each(|f| self.data(&runner::annotation(f)));
        }
    }

    /// Progress, on standard error.
    pub fn progress(&self, text: &str) {
        let text = terminal(&Redactor::default().name(text));
        let text = match self.in_actions {
            true => runner::inert(&text),
            false => text,
        };
        stderr(&format!("{text}\n"));
    }

    /// Masks in a runner's log what is not masked yet; does nothing elsewhere. Standard output may
    /// be data, so the commands are on standard error as well, and only there with `--format json`.
    pub fn mask(&self, secrets: &[&str]) {
        if !self.in_actions {
            return;
        }
        let mut masked = self.masked.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = String::new();
        for secret in secrets {
            let mut hash = DefaultHasher::new();
            secret.hash(&mut hash);
            if masked.insert(hash.finish()) {
                lines.push_str(&runner::mask(secret));
                lines.push('\n');
            }
        }
        if lines.is_empty() {
            return;
        }
        stderr(&lines);
        if self.format != Format::Json {
            self.data(&lines);
        }
    }

    /// An error, on standard error, and as an annotation in a runner.
    pub fn error(&self, error: &CliError) {
        let text = error.text();
        // What is known to be secret is gone by now; this is for what nobody thought of.
        let text = Redactor::default().name(&text).into_owned();
        if self.in_actions {
            let line = crate::report::escape::command_data(&terminal(&text));
            stderr(&format!("::error title=tenantry::{line}\n"));
        } else {
            stderr(&format!("error: {}\n", terminal(&text)));
        }
    }

    /// Step outputs, in a runner. Keys come from a fixed list of ours.
    pub fn outputs(&self, pairs: &[(String, String)]) -> Result<(), CliError> {
        let Some(path) = &self.output else {
            return Ok(());
        };
        let mut text = String::new();
        for (key, value) in pairs {
            match runner::output(key, value, &random_hex()) {
                Some(entry) => text.push_str(&entry),
                None => {
                    return Err(CliError::failed(format!(
                        "the output `{key}` cannot be written safely"
                    )));
                }
            }
        }
        append(path, &text)
    }

    /// Adds to the step summary, in a runner.
    pub fn summary(&self, markdown: &str) -> Result<(), CliError> {
        match &self.summary {
            Some(path) => append(path, &format!("{markdown}\n")),
            None => Ok(()),
        }
    }
}

/// One finding a line. Where there are many, an empty line parts the files.
fn by_file(findings: &[Finding]) -> String {
    const MANY: usize = 10;
    let mut out = String::new();
    let mut before: Option<&str> = None;
    for finding in findings {
        let path = finding.place.path.as_str();
        if findings.len() > MANY && before.is_some_and(|b| b != path) {
            out.push('\n');
        }
        before = Some(path);
        out.push_str(&format!("{finding}\n"));
    }
    out
}

fn append(path: &PathBuf, text: &str) -> Result<(), CliError> {
    let mut file = std::fs::OpenOptions::new()
        .append(true)
        .create(true)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
