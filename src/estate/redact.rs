//! What the provider, or a customer's registry entry, wants hidden besides what is hidden anyway.

use super::fields::Fields;
use std::str::FromStr;

/// A regular expression of the provider's, compiled once. The engine is linear in the text, so
/// no pattern can make a step hang (docs.rs/regex, "Untrusted input").
#[derive(Debug, Clone)]
pub struct Pattern(regex::Regex);

/// Largest compiled pattern, in bytes.
const SIZE: usize = 1 << 20;

impl Pattern {
    /// The compiled expression.
    pub fn regex(&self) -> &regex::Regex {
        &self.0
    }
}

impl FromStr for Pattern {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let regex = regex::RegexBuilder::new(text)
            .size_limit(SIZE)
            .build()
            .map_err(|e| match e {
                regex::Error::CompiledTooBig(_) => {
                    "the pattern is too large when compiled; use smaller repetitions".to_owned()
                }
                // The last line of the crate's message says what; the others draw the place.
                other => {
                    let text = other.to_string();
                    let last = text.lines().last().unwrap_or_default();
                    let why = last.strip_prefix("error: ").unwrap_or(last);
                    format!("this is no regular expression: {why}")
                }
            })?;
        if regex.is_match("") {
            return Err("the pattern matches the empty text, so it would hide nothing or everything; write what must be there".to_owned());
        }
        Ok(Self(regex))
    }
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}
impl Eq for Pattern {}

/// A name whose values are hidden: `pin`, `customer_ref` or `customerRef`, compared word by word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SecretKey(String);

impl SecretKey {
    /// As it was written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for SecretKey {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        if text.chars().any(|c| c.is_ascii_alphanumeric()) && text.chars().all(plain) {
            Ok(Self(text.to_owned()))
        } else {
            Err("a key is a name out of letters, digits, `_`, `-` and `.`".to_owned())
        }
    }
}

/// `redact:` of `tenantry.yml` or of a customer's `metadata.yaml`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Redact {
    /// Names whose values are hidden.
    pub keys: Vec<SecretKey>,
    /// What is hidden wherever it stands.
    pub patterns: Vec<Pattern>,
}

impl Redact {
    /// Reads the block `redact` of `top`.
    pub fn read(top: &mut Fields<'_>) -> Self {
        let Some(mut fields) = top.fields("redact") else {
            return Self::default();
        };
        let out = Self {
            keys: fields.parsed_list("keys").unwrap_or_default(),
            patterns: fields.parsed_list("patterns").unwrap_or_default(),
        };
        top.absorb(fields.finish());
        out
    }

    /// Both together.
    pub fn and(&self, other: &Self) -> Self {
        let mut out = self.clone();
        out.keys.extend(other.keys.iter().cloned());
        out.patterns.extend(other.patterns.iter().cloned());
        out
    }
}

#[cfg(test)]
mod tests {
    use crate::estate::settings::Settings;
    use crate::estate::yaml::{Reading, read};

    fn settings(text: &str) -> Result<Settings, String> {
        let node = read("tenantry.yml", text.as_bytes(), Reading::Strict)
            .map_err(|findings| findings.to_string())?;
        Settings::read(&node).map_err(|findings| findings.to_string())
    }

    #[test]
    fn keys_and_patterns_are_read() {
        let read = settings("redact:\n  keys: [pin, customerRef]\n  patterns: ['ACME-[0-9]{6}']\n");
        let redact = read.map(|s| s.redact).unwrap_or_default();
        assert_eq!(redact.keys.len(), 2);
        assert!(redact.patterns[0].regex().is_match("x ACME-123456"));
    }

    #[test]
    fn a_bad_pattern_is_an_error_with_its_place() {
        let said = |text: &str| settings(text).err().unwrap_or_default();
        assert_eq!(
            said("redact:\n  patterns:\n    - 'ok'\n    - '(open'\n"),
            "tenantry.yml:4:7: `patterns`: this is no regular expression: unclosed group [estate]"
        );
        assert!(said("redact: {patterns: ['x*']}").contains("matches the empty text"));
        assert!(said("redact: {patterns: ['(a{999}){999}']}").contains("too large"));
        // Look-around and back references are what makes other engines hang.
        assert!(said("redact: {patterns: ['(a)\\1']}").contains("backreferences"));
        assert!(said("redact: {keys: ['a b']}").contains("a key is a name"));
        assert!(said("redact: {words: [x]}").contains("unknown key `words`"));
    }
}
