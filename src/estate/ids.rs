//! Names that were checked once, at the border. A value of one of these types can be put
//! into a storage key, a folder name or a GitHub environment name without a second look.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::fmt;
use std::str::FromStr;

/// Why a text is not an id. The text itself is shown escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} must be {rule}, got `{}`", shown(.got))]
pub struct BadId {
    what: &'static str,
    rule: &'static str,
    got: String,
}

/// A foreign text, shortened and with everything but plain ASCII escaped, for a message.
pub fn shown(text: &str) -> String {
    let mut out = String::new();
    for c in text.chars().take(80) {
        match c {
            '`' => out.push_str("\\x60"),
            ' '..='~' => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
    if text.chars().nth(80).is_some() {
        out.push('…');
    }
    out
}

/// `[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?`
fn is_id(text: &str) -> bool {
    let bytes = text.as_bytes();
    let edge = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    match bytes {
        [] => false,
        [one] => edge(*one),
        [first, middle @ .., last] => {
            bytes.len() <= 40
                && edge(*first)
                && edge(*last)
                && middle.iter().all(|b| edge(*b) || *b == b'-')
        }
    }
}

/// One part of the path of something on GitHub.
fn is_name(part: &str) -> bool {
    !part.is_empty()
        && part.len() <= 100
        && part != "."
        && part != ".."
        && part
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'))
}

macro_rules! text_newtype {
    ($(#[$doc:meta])* $name:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(String);

        impl $name {
            /// Checks `text`.
            pub fn new(text: &str) -> Result<Self, BadId> {
                let check: fn(&str) -> bool = $check;
                if check(text) {
                    Ok(Self(text.to_owned()))
                } else {
                    Err(BadId { what: $what, rule: $rule, got: text.to_owned() })
                }
            }
            /// The checked text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Self::new(text)
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                let text = String::deserialize(d)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

const ID_RULE: &str =
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `acme-corp`)";

text_newtype!(
    /// A customer of the provider, such as `acme`.
    CustomerId, "a customer id",
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `acme-corp`)", is_id
);
text_newtype!(
    /// A product that customers subscribe to, such as `web`.
    ProductId, "a product id",
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `web`)", is_id
);
text_newtype!(
    /// An environment, such as `staging`.
    EnvironmentId, "an environment id",
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `staging`)", is_id
);
text_newtype!(
    /// A credential of a customer, such as `registry-pull`.
    CredentialId, "the id of a credential",
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `registry-pull`)", is_id
);
text_newtype!(
    /// What a credential is for, such as `registry-pull`.
    Purpose, "the purpose of a credential",
    "1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `registry-pull`)", is_id
);
text_newtype!(
    /// The name of a secret of GitHub Actions (docs.github.com, "Secrets reference").
    SecretName, "the name of a secret",
    "letters, digits and `_`, beginning with neither a digit nor `GITHUB_` (for example `MANAGER_REPO_PAT`)",
    |t| {
        (1..=100).contains(&t.len())
            && t.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
            && !t.starts_with("GITHUB_")
            && !t.starts_with(|c: char| c.is_ascii_digit())
    }
);
text_newtype!(
    /// Where a secret of GitHub Actions is: `owner/name`, or `owner/name/environment`, or
    /// `owner/name/customer/environment` for an environment that is one customer's own.
    SecretPlace, "where a secret is",
    "`owner/name` or `owner/name/environment` in letters, digits, `-`, `_` and `.`",
    |t| {
        let parts: Vec<&str> = t.split('/').collect();
        (2..=4).contains(&parts.len()) && parts.into_iter().all(is_name)
    }
);
text_newtype!(
    /// The id that a customer's workflow gave its hint; unique per customer only.
    RequestId, "a request id", "8 to 64 of a-z, 0-9 and `-`",
    |t| (8..=64).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
);
text_newtype!(
    /// A full git commit id, 40 lower-case hexadecimal digits.
    Sha, "a commit id", "40 hexadecimal digits",
    |t| t.len() == 40 && t.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
);
text_newtype!(
    /// `owner/name` of a repository. For display and for addressing; identity is the numeric id.
    RepoSlug, "a repository", "`owner/name` in letters, digits, `-`, `_` and `.`",
    |t| matches!(t.split_once('/'), Some((o, n)) if is_name(o) && is_name(n))
);

impl Sha {
    /// The first twelve digits, for people.
    pub fn short(&self) -> &str {
        &self.0[..12]
    }
}

impl RepoSlug {
    /// The part before the slash.
    pub fn owner(&self) -> &str {
        self.0.split_once('/').map_or("", |(o, _)| o)
    }
    /// The part after the slash.
    pub fn name(&self) -> &str {
        self.0.split_once('/').map_or("", |(_, n)| n)
    }
}

impl SecretPlace {
    /// The repository.
    pub fn repository(&self) -> Option<RepoSlug> {
        let mut parts = self.0.splitn(3, '/');
        let (owner, name) = (parts.next()?, parts.next()?);
        RepoSlug::new(&format!("{owner}/{name}")).ok()
    }
    /// The environment, for a secret of one.
    pub fn environment(&self) -> Option<&str> {
        self.0.splitn(3, '/').nth(2)
    }
}

/// Customer × product × environment, written `acme/web/production`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StackId {
    /// Whose stack it is.
    pub customer: CustomerId,
    /// What is deployed.
    pub product: ProductId,
    /// Where it is deployed.
    pub environment: EnvironmentId,
}

impl fmt::Display for StackId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.customer, self.product, self.environment)
    }
}

impl FromStr for StackId {
    type Err = BadId;
    fn from_str(text: &str) -> Result<Self, BadId> {
        let parts: Vec<&str> = text.split('/').collect();
        let [customer, product, environment] = parts[..] else {
            return Err(BadId {
                what: "a stack",
                rule: "`customer/product/environment` (for example `acme/web/production`)",
                got: text.to_owned(),
            });
        };
        Ok(Self {
            customer: CustomerId::new(customer)?,
            product: ProductId::new(product)?,
            environment: EnvironmentId::new(environment)?,
        })
    }
}

impl Serialize for StackId {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}
impl<'de> Deserialize<'de> for StackId {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?
            .parse()
            .map_err(serde::de::Error::custom)
    }
}

/// The rule of the plain ids, for messages that are not about one id.
pub fn id_rule() -> &'static str {
    ID_RULE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t19_ids_cannot_escape_a_storage_key() {
        for bad in [
            "",
            "-a",
            "a-",
            "A",
            "a/b",
            "..",
            "a.b",
            "a%2e",
            "a\0",
            "ä",
            "a b",
            "env:",
            "a_b",
            "a.tflock",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmnop",
        ] {
            assert!(CustomerId::new(bad).is_err(), "{bad:?}");
        }
        for good in [
            "a",
            "0",
            "acme",
            "acme-corp",
            "a--b",
            "abcdefghijklmnopqrstuvwxyzabcdefghijklmn",
        ] {
            assert!(CustomerId::new(good).is_ok(), "{good:?}");
        }
        assert!("acme/web".parse::<StackId>().is_err());
        assert!("acme/web/prod/x".parse::<StackId>().is_err());
        assert!("acme/../prod".parse::<StackId>().is_err());
        assert!(RepoSlug::new("a/..").is_err());
        assert!(Sha::new("ABCDEF").is_err());
    }

    #[test]
    fn t21_foreign_text_in_a_message_is_plain_ascii() {
        let message = CustomerId::new("ac\u{202e}me`").map_err(|e| e.to_string());
        let Err(message) = message else {
            panic!("accepted")
        };
        assert!(message.is_ascii(), "{message}");
        assert!(message.contains("\\u{202e}"), "{message}");
    }
}
