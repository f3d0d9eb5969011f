//! The redactor: what it knows is not left in any text, and nothing else is lost.

use super::{BETWEEN, forms};
use std::borrow::Cow;
use tenantry::engine::redact::{Redactor, SENSITIVE};

/// What people read all day, and no secret.
const CALM: [&str; 32] = [
    "module.web.aws_instance.this[0]",
    "will",
    "be",
    "created",
    "eu-central-1",
    "t3.micro",
    "10.0.0.0/16",
    "->",
    "\"production\"",
    "true",
    "42",
    "1.11.4",
    "#",
    "(known after apply)",
    "arn:aws:iam::123456789012:role/deployer",
    "sha256:0f3a",
    "Plan: 3 to add, 0 to change, 1 to destroy.",
    "infra/variables.yml:12:5:",
    "https://example.com/docs?page=2",
    "vpc-0a1b2c3d",
    "~",
    "+",
    "Größe",
    "日本語",
    "subnet_ids",
    "[]",
    "{}",
    "2026-11-21T10:00:00Z",
    "Error:",
    "lock",
    "acme/web/production",
    "\n",
];

/// What is left of a text is as it was and where it was.
fn only_taken(text: &str, shown: &str) {
    let mut rest = text;
    for part in shown.split(SENSITIVE) {
        let Some(at) = rest.find(part) else {
            panic!("{part:?} was not in the text\n{text:?}\n{shown:?}");
        };
        rest = &rest[at + part.len()..];
    }
}

/// Secrets, one a line, and a text.
pub fn redact(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else {
        return;
    };
    let (known, text) = input.split_once(BETWEEN).unwrap_or(("", input));
    let secrets: Vec<&str> = known.lines().map(str::trim).take(20).collect();
    let mut redactor = Redactor::default();
    for secret in &secrets {
        redactor.learn(secret);
    }
    // Whatever is said without a secret is said as it is.
    let calm: Vec<&str> = data.iter().map(|b| CALM[usize::from(b % 32)]).collect();
    let calm = calm.join(" ");
    assert!(
        matches!(Redactor::default().text(&calm), Cow::Borrowed(same) if same == calm),
        "{calm}"
    );
    let shown = redactor.text(text);
    only_taken(text, &shown);
    only_taken(text, &redactor.name(text));
    // Shorter ones are words, and those of the sign itself cannot be told from it.
    let looked_for = |secret: &&&str| secret.len() >= 6;
    for secret in secrets.iter().filter(looked_for) {
        for shown in [redactor.text(text), redactor.name(text)] {
            for part in shown.split(SENSITIVE) {
                assert!(!part.contains(*secret), "{secret:?} in {shown:?}");
            }
        }
        if secret.len() < 12 {
            continue;
        }
        for form in forms::written(secret) {
            let line = format!("value: {form} end");
            let shown = redactor.text(&line);
            for trace in forms::traces(secret) {
                for part in shown.split(SENSITIVE) {
                    assert!(
                        !part.contains(&trace),
                        "{secret:?} in {shown:?} of {line:?}"
                    );
                }
            }
        }
    }
    assert_eq!(redactor.text(&shown), shown, "of {text:?}");
}
