//! What `apply -json` tells while it works: one event a line
//! (developer.hashicorp.com/terraform/internals/machine-readable-ui). Resources end up by their
//! address, errors as text. Everything here is foreign.

use crate::engine::change::Action;
use crate::engine::outcome::Seen;
use serde::Deserialize;
use std::io::{BufRead, Read as _};

/// Longest line that is read, in bytes. A line holds one event; its error may quote an answer.
const LINE: u64 = 1 << 20;
/// Most events that are read: a few for each of the largest plan's resources.
const EVENTS: usize = 1_000_000;
/// Most of the errors' text that is kept, in bytes.
const ERRORS: usize = 256 << 10;

/// What was told.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    /// Of single resources, by address as the tool writes it.
    pub seen: Seen,
    /// Of errors, in clear: it has to pass a `Redactor`.
    pub errors: String,
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    hook: Option<Hook>,
    #[serde(default)]
    diagnostic: Option<Diagnostic>,
}

#[derive(Deserialize)]
struct Hook {
    resource: Resource,
    #[serde(default)]
    action: String,
}

#[derive(Deserialize)]
struct Resource {
    addr: String,
}

#[derive(Deserialize)]
struct Diagnostic {
    #[serde(default)]
    severity: String,
    #[serde(default)]
    summary: String,
    #[serde(default)]
    detail: String,
    #[serde(default)]
    address: Option<String>,
    #[serde(default)]
    range: Option<Range>,
}

#[derive(Deserialize)]
struct Range {
    filename: String,
    start: Position,
}

#[derive(Deserialize)]
struct Position {
    line: u64,
}

impl Progress {
    /// Reads the events; what is no event, or too long for one, is passed over.
    pub fn read(mut from: impl BufRead) -> std::io::Result<Self> {
        let mut out = Self::default();
        let mut line = Vec::new();
        for _ in 0..EVENTS {
            line.clear();
            if from.by_ref().take(LINE).read_until(b'\n', &mut line)? == 0 {
                break;
            }
            if let Ok(event) = serde_json::from_slice::<Line>(&line) {
                out.note(event);
            }
        }
        Ok(out)
    }

    fn note(&mut self, event: Line) {
        if let Some(diagnostic) = event.diagnostic.filter(|d| d.severity == "error") {
            self.error(&diagnostic);
        }
        let Some(hook) = event.hook else { return };
        let action = match hook.action.as_str() {
            "create" => Action::Create,
            "update" => Action::Update,
            "delete" => Action::Delete,
            "forget" => Action::Forget,
            _ => return,
        };
        let set = match event.kind.as_str() {
            "apply_start" => &mut self.seen.begun,
            "apply_complete" => &mut self.seen.done,
            "apply_errored" => &mut self.seen.failed,
            _ => return,
        };
        set.insert((hook.resource.addr, action));
    }

    fn error(&mut self, diagnostic: &Diagnostic) {
        let mut text = format!("Error: {}\n", diagnostic.summary);
        match (&diagnostic.address, &diagnostic.range) {
            (Some(address), Some(r)) => text.push_str(&format!(
                "with {address}, on {} line {}\n",
                r.filename, r.start.line
            )),
            (Some(address), None) => text.push_str(&format!("with {address}\n")),
            (None, Some(r)) => text.push_str(&format!("on {} line {}\n", r.filename, r.start.line)),
            (None, None) => {}
        }
        let detail = diagnostic.detail.trim();
        if !detail.is_empty() {
            text.push_str(detail);
            text.push('\n');
        }
        if self.errors.len() + text.len() <= ERRORS {
            self.errors.push_str(&text);
        } else if !self.errors.ends_with(MORE) {
            self.errors.push_str(MORE);
        }
    }
}

/// What stands where errors were left out.
const MORE: &str = "… more errors\n";

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// As Terraform 1.11 prints it, shortened.
    const SAID: &str = r#"{"@level":"info","@message":"Terraform 1.11.4","type":"version","terraform":"1.11.4"}
{"@level":"info","hook":{"resource":{"addr":"a.one","resource_key":null},"action":"create"},"type":"apply_start"}
{"@level":"info","hook":{"resource":{"addr":"a.one"},"action":"create","id_key":"id","elapsed_seconds":0},"type":"apply_complete"}
{"@level":"info","hook":{"resource":{"addr":"a.two[\"x\"]"},"action":"create"},"type":"apply_start"}
{"@level":"info","hook":{"resource":{"addr":"a.two[\"x\"]"},"action":"create","elapsed_seconds":3},"type":"apply_errored"}
{"@level":"warn","diagnostic":{"severity":"warning","summary":"old"},"type":"diagnostic"}
{"@level":"error","diagnostic":{"severity":"error","summary":"no such bucket","detail":"api error NoSuchBucket","address":"a.two[\"x\"]","range":{"filename":"main.tf","start":{"line":6,"column":19}}},"type":"diagnostic"}
"#;

    fn read(text: &str) -> Progress {
        match Progress::read(text.as_bytes()) {
            Ok(progress) => progress,
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn resources_and_errors_are_told_apart() {
        let progress = read(SAID);
        let one = ("a.one".to_owned(), Action::Create);
        let two = ("a.two[\"x\"]".to_owned(), Action::Create);
        assert_eq!(
            progress.seen.begun,
            BTreeSet::from([one.clone(), two.clone()])
        );
        assert_eq!(progress.seen.done, BTreeSet::from([one]));
        assert_eq!(progress.seen.failed, BTreeSet::from([two]));
        assert_eq!(
            progress.errors,
            "Error: no such bucket\nwith a.two[\"x\"], on main.tf line 6\napi error NoSuchBucket\n"
        );
    }

    #[test]
    fn what_is_no_event_is_passed_over() {
        let text = format!(
            "panic: runtime error\n\u{0}\n{{\"type\":\"apply_start\",\"hook\":null}}\n[]\n{}\n{SAID}",
            "x".repeat(3 << 20)
        );
        assert_eq!(read(&text), read(SAID));
        assert_eq!(read(""), Progress::default());
        assert_eq!(read(&SAID[..SAID.len() - 30]).errors, "");
    }

    #[test]
    fn t20_errors_are_bounded() {
        let one = r#"{"type":"diagnostic","diagnostic":{"severity":"error","summary":"S","detail":"DDDD"}}"#;
        let text = one.replace("DDDD", &"d".repeat(100_000));
        let many = format!("{text}\n").repeat(50);
        let errors = read(&many).errors;
        assert!(errors.len() <= ERRORS + MORE.len(), "{}", errors.len());
        assert!(errors.ends_with(MORE));
    }
}
