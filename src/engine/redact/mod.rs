//! What must not be shown, and taking it out of every text that leaves.
//!
//! A [`Redactor`] belongs to one run over one stack. It knows rules (names, shapes, the
//! provider's own patterns) and learns secrets: what Terraform marks as sensitive, what stands
//! under a secret name, what the job's environment holds. Whoever prints, stores or sends a text
//! that began outside of tenantry passes it through [`Redactor::text`] first.

mod decode;
mod known;
mod names;
mod random;
mod shapes;
mod trees;

pub(in crate::engine) use trees::any_mark;

use crate::estate::redact::{Pattern, Redact};
use crate::estate::{Finding, Findings};
use known::{Collected, Known};
use names::Names;
use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

/// What stands in the place of a secret.
pub const SENSITIVE: &str = "(sensitive value)";
/// Most masks that are set in a runner: each costs it time for every line.
const MASKS: usize = 400;
/// Shortest text that is masked in a runner, in characters.
const SHORTEST_MASK: usize = 4;
/// Looks that every text is worth, and how much text is looked at for one that needs more, in bytes.
const LOOKS: usize = 8;
const LOOKED_AT: usize = 8 << 20;

/// Texts that are never worth a mask, and never learnt from a name alone.
const COMMON: &[&str] = &[
    "admin",
    "administrator",
    "changeme",
    "default",
    "development",
    "disabled",
    "enabled",
    "example",
    "false",
    "guest",
    "localhost",
    "mysql",
    "none",
    "null",
    "password",
    "placeholder",
    "postgres",
    "postgresql",
    "private",
    "production",
    "public",
    "redis",
    "root",
    "secret",
    "staging",
    "string",
    "test",
    "testing",
    "token",
    "true",
    "undefined",
    "unknown",
    "user",
    "username",
];

/// The rules, compiled once.
#[derive(Debug, Default)]
struct Rules {
    names: Names,
    patterns: Vec<Pattern>,
}

/// Hides what must not be shown.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    rules: Arc<Rules>,
    collected: Collected,
    masks: Vec<String>,
    ours: Vec<String>,
    known: OnceLock<Arc<Known>>,
}

/// How much of a text is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Look {
    /// Everything.
    Free,
    /// All but what looks random: the value is said to be a digest or an id.
    Digest,
    /// Known secrets, tokens by their shape and the provider's patterns.
    Sure,
}

impl Redactor {
    /// With the provider's own names and patterns, and no secret learnt yet.
    pub fn new(redact: &Redact) -> Self {
        Self {
            rules: Arc::new(Rules {
                names: Names::new(redact),
                patterns: redact.patterns.clone(),
            }),
            ..Self::default()
        }
    }

    /// Words of our own, such as the stack's name, that a mask must not hit: GitHub drops an
    /// output that holds a masked text.
    pub fn ours(&mut self, word: impl Into<String>) {
        self.ours.push(word.into());
    }

    /// Learns a text that is surely secret: it is hidden wherever it shows up, also encoded.
    pub fn learn(&mut self, secret: &str) {
        let trimmed = secret.trim();
        self.remember(trimmed);
        if secret.trim_end_matches(['\n', '\r']) != trimmed {
            self.collected.add(secret);
        }
        if trimmed.contains('\n') {
            // Terraform shows long texts line by line.
            for line in trimmed.lines().map(str::trim) {
                if line.len() >= 8 && !line.starts_with("-----") {
                    self.collected.add(line);
                }
            }
        }
        self.known = OnceLock::new();
    }

    fn remember(&mut self, secret: &str) {
        self.collected.add(secret);
        for line in secret.lines().map(str::trim) {
            let worth = line.chars().count() >= SHORTEST_MASK
                && !line.starts_with("-----")
                && !is_common(line);
            if worth && self.masks.len() < MASKS && !self.masks.iter().any(|m| m == line) {
                self.masks.push(line.to_owned());
            }
        }
    }

    /// Learns what stands under a secret name, if it can be a secret at all.
    fn learn_named(&mut self, value: &str) {
        let plain = value.len() < known::SHORTEST
            || is_common(value)
            || value.starts_with("arn:")
            || value.starts_with('(')
            || value.contains("://") && !value.contains('@');
        if !plain {
            self.learn(value);
        }
    }

    /// Learns the secrets of a job's environment, by the names of its variables.
    pub fn learn_environment<'a>(
        &mut self,
        variables: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) {
        for (name, value) in variables {
            let upper = name.to_ascii_uppercase();
            let secret = ["SECRET", "TOKEN", "PASSWORD", "KEY", "CREDENTIALS"]
                .iter()
                .any(|w| upper.contains(w));
            // A file that holds credentials is none itself.
            if secret && !value.starts_with('/') && !upper.ends_with("_FILE") {
                self.learn(value);
            }
        }
    }

    /// Whether values under this name, a key or one part of a path, are hidden.
    pub fn is_secret_name(&self, name: &str) -> bool {
        self.rules.names.is_secret(name)
    }

    /// Whether the provider has named secret keys besides the built-in ones.
    pub(in crate::engine) fn has_own_names(&self) -> bool {
        self.rules.names.has_own()
    }

    /// A text of somebody else's, without what must not be shown.
    pub fn text<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.hide(text, Look::Free)
    }

    /// The same for a name, an address or a path, where only what is sure is hidden.
    pub fn name<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.hide(text, Look::Sure)
    }

    /// The messages of findings, in place.
    pub fn findings(&self, findings: Findings) -> Findings {
        Findings(findings.0.into_iter().map(|f| self.finding(f)).collect())
    }

    /// The message of one finding.
    pub fn finding(&self, mut finding: Finding) -> Finding {
        if let Cow::Owned(text) = self.text(&finding.message) {
            finding.message = text;
        }
        finding
    }

    /// What the runner should mask, longest first: real secrets, line by line.
    pub fn masks(&self) -> Vec<&str> {
        let mut out: Vec<&str> = self
            .masks
            .iter()
            .map(String::as_str)
            .filter(|mask| !self.ours.iter().any(|o| o.contains(mask)))
            .collect();
        out.sort_by_key(|m| std::cmp::Reverse(m.len()));
        out
    }

    fn known(&self) -> &Known {
        self.known.get_or_init(|| Arc::new(self.collected.build()))
    }

    /// What was taken out can move the end of what stands around it, such as of a value in quotes,
    /// so a text is looked at again until nothing more is found.
    fn hide<'a>(&self, text: &'a str, look: Look) -> Cow<'a, str> {
        let mut shown = self.look(text, look);
        for _ in 1..LOOKS.max(LOOKED_AT / text.len().max(1)) {
            let Cow::Owned(before) = &shown else { break };
            let Cow::Owned(next) = self.look(before, look) else {
                break;
            };
            shown = Cow::Owned(next);
        }
        shown
    }

    fn look<'a>(&self, text: &'a str, look: Look) -> Cow<'a, str> {
        let mut ranges = Vec::new();
        self.known().find(text, &mut ranges);
        for pattern in &self.rules.patterns {
            ranges.extend(pattern.regex().find_iter(text).map(|m| m.range()));
        }
        shapes::tokens(text, &mut ranges);
        shapes::urls(text, &mut ranges);
        if look != Look::Sure {
            shapes::assignments(text, &self.rules.names, &mut ranges);
        }
        if look == Look::Free {
            random::random(text, &mut ranges);
        }
        replaced(text, ranges)
    }
}

fn is_common(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    COMMON.contains(&lower.as_str())
        || (text.len() < 6 && text.bytes().all(|b| b.is_ascii_lowercase()))
        || (text.len() < 6 && text.bytes().all(|b| b.is_ascii_digit() || b == b'.'))
}

/// What stands in the place of a secret is taken whole or left: there is nothing in it to hide.
fn whole_signs(text: &str, ranges: &mut Vec<Range<usize>>) {
    if ranges.is_empty() {
        return;
    }
    let signs: Vec<Range<usize>> = text
        .match_indices(SENSITIVE)
        .map(|(at, sign)| at..at + sign.len())
        .collect();
    if signs.is_empty() {
        return;
    }
    // The sign that ends behind a place, which may begin before it.
    let at = |place: usize| {
        let i = signs.partition_point(|s| s.end <= place);
        signs.get(i).filter(|s| s.start < place)
    };
    ranges.retain_mut(|range| {
        let inside = signs.partition_point(|s| s.end < range.end);
        if let Some(sign) = signs.get(inside)
            && sign.start <= range.start
        {
            return false;
        }
        range.start = at(range.start).map_or(range.start, |s| s.start);
        range.end = at(range.end).map_or(range.end, |s| s.end);
        true
    });
}

fn replaced(text: &str, mut ranges: Vec<Range<usize>>) -> Cow<'_, str> {
    ranges.retain(|r| !r.is_empty());
    whole_signs(text, &mut ranges);
    if ranges.is_empty() {
        return Cow::Borrowed(text);
    }
    ranges.sort_by_key(|r| (r.start, r.end));
    let mut out = String::with_capacity(text.len());
    let mut shown = 0;
    let mut ranges = ranges.into_iter().peekable();
    while let Some(range) = ranges.next() {
        let mut end = range.end;
        while let Some(next) = ranges.next_if(|n| n.start <= end) {
            end = end.max(next.end);
        }
        out.push_str(&text[shown..range.start]);
        out.push_str(SENSITIVE);
        shown = end;
    }
    out.push_str(&text[shown..]);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine as _;
    use serde_json::Value;

    #[test]
    fn t15_a_value_whose_quote_does_not_close_is_hidden_to_the_end() {
        for (text, shown) in [
            ("token=\\\"ü", "token=\\\"(sensitive value)"),
            (
                "{\\\"password\\\":\\\"abcü",
                "{\\\"password\\\":\\\"(sensitive value)",
            ),
            (
                "token=\\\"hunter22\\\", x",
                "token=\\\"(sensitive value)\\\", x",
            ),
        ] {
            assert_eq!(Redactor::default().text(text), shown);
        }
    }

    #[test]
    fn t15_one_secret_behind_another_is_hidden_however_many() {
        let key = format!("AIza{}", "x1".repeat(18));
        let shown = Redactor::default().text(&key.repeat(40)).into_owned();
        assert_eq!(shown, SENSITIVE);
        let mut redactor = Redactor::default();
        redactor.learn("value)a");
        let shown = redactor
            .text("(sensitive value)aaaaaaaaaaaaaaaaaaaaaaaa")
            .into_owned();
        assert_eq!(redactor.text(&shown), shown);
    }

    #[test]
    fn t15_a_learnt_secret_is_hidden_in_every_form() {
        let secret = "p@ss \"w'rd\"$1<&>/ü";
        let mut redactor = Redactor::default();
        redactor.learn(secret);
        let json = Value::from(secret).to_string();
        for form in [
            secret.to_owned(),
            base64::engine::general_purpose::STANDARD.encode(secret),
            base64::engine::general_purpose::URL_SAFE.encode(secret),
            base64::engine::general_purpose::STANDARD.encode(format!("u:{secret}:x")),
            secret.bytes().map(|b| format!("{b:02x}")).collect(),
            secret.bytes().map(|b| format!("{b:02X}")).collect(),
            url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            json[1..json.len() - 1].to_owned(),
            json.replace('<', "\\u003c")
                .replace('>', "\\u003e")
                .replace('&', "\\u0026"),
            format!("'{}'", secret.replace('\'', "'\\''")),
        ] {
            let shown = redactor.text(&form);
            assert!(
                shown.contains(SENSITIVE) && shown.len() <= SENSITIVE.len() + 8,
                "{form} -> {shown}"
            );
        }
        assert_eq!(redactor.text("nothing here"), "nothing here");
    }

    #[test]
    fn t15_masks_are_real_secrets_only() {
        let mut redactor = Redactor::default();
        redactor.ours("acme/web/staging");
        for text in [
            "true",
            "abc",
            "staging",
            "1234",
            "hunter2-long",
            "line one x\nline two y\n-----END",
            "postgres",
        ] {
            redactor.learn(text);
        }
        assert_eq!(
            redactor.masks(),
            ["hunter2-long", "line one x", "line two y"]
        );
        for i in 0..5_000 {
            redactor.learn(&format!("secret-number-{i}"));
        }
        assert_eq!(redactor.masks().len(), MASKS);
    }

    #[test]
    fn t15_credentials_of_the_job_do_not_come_back_in_an_error() {
        let mut redactor = Redactor::default();
        redactor.learn_environment([
            ("AWS_SECRET_ACCESS_KEY", "wJalrXUtnFEMI"),
            ("AWS_REGION", "eu-west-1"),
            ("AWS_WEB_IDENTITY_TOKEN_FILE", "/tmp/token"),
        ]);
        assert_eq!(
            redactor.text("bad key wJalrXUtnFEMI in eu-west-1, see /tmp/token"),
            "bad key (sensitive value) in eu-west-1, see /tmp/token"
        );
    }

    #[test]
    fn t15_a_random_text_beside_a_token_is_hidden_too() {
        let random = "12309PT09PT09PSdcJyctQkVHSU4gUFJJYWJjlIlx0d28geAz";
        let token = "ghp_012345687ba9cdefghijABCDEFGHIJ01BCDDEFGHIJ012345";
        let mut redactor = Redactor::default();
        redactor.learn("hunter2-long");
        for beside in [token, "hunter2-long"] {
            let text = format!("it said {random}{beside}");
            assert_eq!(redactor.text(&text), format!("it said {SENSITIVE}"));
        }
    }

    #[test]
    fn t15_a_random_text_behind_an_equals_sign_is_hidden_whole() {
        let shown = Redactor::default()
            .text("x=L7nP4rT8wZ8g6jlWCP51cY65 y")
            .into_owned();
        assert_eq!(shown, format!("x={SENSITIVE} y"));
    }

    #[test]
    fn t15_what_was_hidden_is_not_looked_into_and_not_cut() {
        let mut redactor = Redactor::default();
        for secret in [
            "value)",
            "sensitive",
            "(sensitive",
            ") tail-secret",
            "head-secret (",
        ] {
            redactor.learn(secret);
        }
        for (text, expected) in [
            ("a (sensitive value) b", "a (sensitive value) b"),
            ("(sensitive value) tail-secret b", "(sensitive value) b"),
            ("a head-secret (sensitive value)", "a (sensitive value)"),
            ("value) of it", "(sensitive value) of it"),
        ] {
            assert_eq!(redactor.text(text), expected, "{text}");
        }
    }

    #[test]
    fn t15_a_quote_inside_a_secret_leaves_nothing_of_the_value_around_it() {
        let mut redactor = Redactor::default();
        redactor.learn("hunter\"2");
        let once = redactor
            .text("password = \"hunter\"2 and the rest\" b")
            .into_owned();
        assert_eq!(once, format!("password = \"{SENSITIVE}\" b"));
        assert_eq!(redactor.text(&once), once);
    }

    #[test]
    fn neighbours_are_hidden_as_one() {
        assert_eq!(
            replaced("abcdef", vec![3..5, 1..3, 0..2]),
            format!("{SENSITIVE}f")
        );
        assert_eq!(replaced("abc", Vec::new()), "abc");
    }
}
