//! Who holds a state's lock, out of what the tool says when it cannot take or give it back.

use crate::clock::Time;
use crate::engine::outcome::StateLock;
use crate::engine::redact::Redactor;

/// Longest name of a holder that is kept, in characters.
const LONGEST: usize = 200;

/// The part `Lock Info:` of an error, the same for every backend of Terraform and OpenTofu
/// (`internal/states/statemgr/locker.go`, `LockInfo.String`). `None` where there is none.
pub(super) fn read(text: &str, redactor: &Redactor) -> Option<StateLock> {
    let (_, info) = text.split_once("Lock Info:")?;
    let field = |name: &str| {
        let line = info.lines().map(str::trim).take(20);
        let mut found = line.filter_map(|l| l.strip_prefix(name)?.strip_prefix(':'));
        found.next().map(str::trim).unwrap_or_default()
    };
    let word = |text: &str| {
        let fine = |c: &char| c.is_ascii_alphanumeric() || *c == '-';
        text.chars().take_while(fine).take(64).collect::<String>()
    };
    let id = word(field("ID"));
    if id.is_empty() {
        return None;
    }
    let who = redactor.text(field("Who"));
    Some(StateLock {
        id,
        who: match who.chars().take(LONGEST).collect::<String>() {
            none if none.is_empty() => "somebody who left no name".to_owned(),
            who => who,
        },
        operation: word(field("Operation")),
        since: time(field("Created")),
    })
}

/// `2026-11-21 16:30:43.123456789 +0000 UTC`, as Go prints a time.
fn time(text: &str) -> Option<Time> {
    let text = text.rsplit_once(' ').map_or(text, |(time, _)| time);
    let time = chrono::DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f %z").ok()?;
    u64::try_from(time.timestamp()).ok().map(Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "Error: Error acquiring the state lock
Error message: operation error S3: PutObject, https response error StatusCode: 412
Lock Info:
  ID:        6cf3a27d-9f3c-4a8e-b1c5-0c7c1d1e2f3a
  Path:      estate-state/acme/web/staging/terraform.tfstate
  Operation: OperationTypeApply
  Who:       runner@fv-az1 <!-- @octocat -->
  Version:   1.11.4
  Created:   2026-11-21 16:30:43.123456789 +0000 UTC
  Info:
Terraform acquires a state lock to protect the state";

    #[test]
    fn the_holder_is_read() {
        let lock = read(SAID, &Redactor::default());
        assert_eq!(
            lock,
            Some(StateLock {
                id: "6cf3a27d-9f3c-4a8e-b1c5-0c7c1d1e2f3a".into(),
                who: "runner@fv-az1 <!-- @octocat -->".into(),
                operation: "OperationTypeApply".into(),
                since: Some(Time(1_795_278_643)),
            })
        );
        assert_eq!(read("Error: no", &Redactor::default()), None);
    }

    /// A provider can print the same words: then nothing but text comes of it.
    #[test]
    fn t29_a_forged_lock_is_text() {
        let lock = read(
            "Lock Info:\n ID: x;rm -rf /\n Who:\n Created: now",
            &Redactor::default(),
        );
        assert_eq!(
            lock.map(|l| (l.id, l.who, l.since)),
            Some(("x".into(), "somebody who left no name".into(), None))
        );
        assert_eq!(read("Lock Info:\n ID: $(x)", &Redactor::default()), None);
        let long = format!(
            "Lock Info:\n ID: {}\n Who: {}",
            "a".repeat(900),
            "é".repeat(900)
        );
        let lock = read(&long, &Redactor::default());
        assert!(lock.is_some_and(|l| l.id.len() == 64 && l.who.chars().count() == 200));
    }

    #[test]
    fn t15_a_secret_in_the_holders_name_is_hidden() {
        let mut redactor = Redactor::default();
        redactor.learn("CANARY-7f3a");
        let lock = read("Lock Info:\n ID: a\n Who: ci@CANARY-7f3a", &redactor);
        assert!(lock.is_some_and(|l| !l.who.contains("CANARY")));
    }
}
