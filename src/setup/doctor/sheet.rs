//! What the checks came to.

use super::Seen;
use super::check::{Check, Severity};
use super::repair::Repair;
use serde::Serialize;
use serde_json::{Value, json};

/// What one check came to.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// Which check.
    pub check: &'static Check,
    /// What was looked at: an environment, a file, a customer.
    pub subject: String,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// As it must be; perhaps with something worth knowing.
    Fine(Option<String>),
    /// Not as it must be.
    Finding {
        /// How bad.
        severity: Severity,
        /// The sentence.
        message: String,
        /// What to do.
        remedy: String,
        /// What `--fix` would do.
        repair: Option<Repair>,
    },
    /// Nobody knows; the reason.
    Unchecked(String),
}

/// Everything that was checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Sheet(pub Vec<Verdict>);

/// How much of what there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Count {
    /// Fine.
    pub fine: usize,
    /// Findings.
    pub findings: usize,
    /// Of them, those that `--fix` can repair.
    pub repairable: usize,
    /// Not known.
    pub unchecked: usize,
}

impl Sheet {
    /// It is as it must be.
    pub fn fine(&mut self, check: &'static Check, subject: impl Into<String>) {
        self.add(check, subject, Outcome::Fine(None));
    }

    /// It is, and this is worth knowing.
    pub fn note(
        &mut self,
        check: &'static Check,
        subject: impl Into<String>,
        note: impl Into<String>,
    ) {
        self.add(check, subject, Outcome::Fine(Some(note.into())));
    }

    /// It is not.
    pub fn finding(
        &mut self,
        check: &'static Check,
        subject: impl Into<String>,
        message: impl Into<String>,
        repair: Option<Repair>,
    ) {
        let outcome = Outcome::Finding {
            severity: check.severity,
            message: message.into(),
            remedy: check.remedy.to_owned(),
            repair,
        };
        self.add(check, subject, outcome);
    }

    /// Nobody knows.
    pub fn unchecked(
        &mut self,
        check: &'static Check,
        subject: impl Into<String>,
        why: impl Into<String>,
    ) {
        self.add(check, subject, Outcome::Unchecked(why.into()));
    }

    /// Fine where `wrong` has nothing to say about what was read.
    pub fn judge<T>(
        &mut self,
        check: &'static Check,
        subject: impl Into<String>,
        read: &Seen<T>,
        wrong: impl FnOnce(&T) -> Option<(String, Option<Repair>)>,
    ) {
        match read.as_ref().map(wrong) {
            Err(why) => self.unchecked(check, subject, why.clone()),
            Ok(None) => self.fine(check, subject),
            Ok(Some((message, repair))) => self.finding(check, subject, message, repair),
        }
    }

    fn add(&mut self, check: &'static Check, subject: impl Into<String>, outcome: Outcome) {
        let subject = subject.into();
        self.0.push(Verdict {
            check,
            subject,
            outcome,
        });
    }

    /// Says more precisely what to do about the last finding.
    pub fn remedy(&mut self, text: impl Into<String>) {
        if let Some(Verdict {
            outcome: Outcome::Finding { remedy, .. },
            ..
        }) = self.0.last_mut()
        {
            *remedy = text.into();
        }
    }

    /// Adds what another judge found.
    pub fn extend(&mut self, other: Sheet) {
        self.0.extend(other.0);
    }

    /// How much of what.
    pub fn count(&self) -> Count {
        let of = |is: fn(&Outcome) -> bool| self.0.iter().filter(|v| is(&v.outcome)).count();
        Count {
            fine: of(|o| matches!(o, Outcome::Fine(_))),
            findings: of(|o| matches!(o, Outcome::Finding { .. })),
            repairable: of(|o| {
                matches!(
                    o,
                    Outcome::Finding {
                        repair: Some(_),
                        ..
                    }
                )
            }),
            unchecked: of(|o| matches!(o, Outcome::Unchecked(_))),
        }
    }

    /// Whether everything was checked and is as it must be.
    pub fn clean(&self) -> bool {
        let count = self.count();
        count.findings + count.unchecked == 0
    }

    /// The repairs, each once: one may be about several findings.
    pub fn repairs(&self) -> Vec<Repair> {
        let mut out: Vec<Repair> = Vec::new();
        for verdict in &self.0 {
            if let Outcome::Finding {
                repair: Some(repair),
                ..
            } = &verdict.outcome
                && !out.contains(repair)
            {
                out.push(repair.clone());
            }
        }
        out
    }

    /// For programs.
    pub fn json(&self) -> Value {
        self.0.iter().map(Verdict::json).collect()
    }
}

impl Verdict {
    fn json(&self) -> Value {
        let mut out = json!({
            "id": self.check.id, "area": self.check.area.name(), "subject": self.subject,
        });
        match &self.outcome {
            Outcome::Fine(note) => {
                out["outcome"] = json!("ok");
                out["note"] = json!(note);
            }
            Outcome::Unchecked(why) => {
                out["outcome"] = json!("unchecked");
                out["reason"] = json!(why);
            }
            Outcome::Finding {
                severity,
                message,
                remedy,
                repair,
            } => {
                out["outcome"] = json!("finding");
                out["severity"] = json!(severity.name());
                out["message"] = json!(message);
                out["remedy"] = json!(remedy);
                out["repair"] = json!(repair);
            }
        }
        out
    }
}
