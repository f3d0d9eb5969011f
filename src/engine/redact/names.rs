//! Names that say that their value is a secret, word by word: `db_password`, `apiKey`,
//! `PRIVATE-KEY`, but not `tokenizer` or `password_length`.

use crate::estate::redact::Redact;

/// Words that make a name secret, alone.
const WORDS: &[&str] = &[
    "password",
    "passwords",
    "passwd",
    "passphrase",
    "passcode",
    "pwd",
    "pass",
    "secret",
    "secrets",
    "token",
    "tokens",
    "credential",
    "credentials",
    "creds",
    "apikey",
    "apikeys",
    "privatekey",
    "secretkey",
    "accesskey",
    "authkey",
    "connstr",
    "connectionstring",
    "dsn",
    "jwt",
    "bearer",
    "authorization",
    "htpasswd",
    "kubeconfig",
];

/// Words that make a name secret, one after the other.
const PAIRS: &[[&str; 2]] = &[
    ["private", "key"],
    ["private", "keys"],
    ["api", "key"],
    ["api", "keys"],
    ["access", "key"],
    ["access", "keys"],
    ["secret", "key"],
    ["account", "key"],
    ["shared", "key"],
    ["master", "key"],
    ["signing", "key"],
    ["client", "key"],
    ["auth", "key"],
    ["storage", "key"],
    ["license", "key"],
    ["connection", "string"],
    ["connection", "strings"],
    ["conn", "string"],
    ["conn", "str"],
    ["kube", "config"],
    ["recovery", "code"],
    ["recovery", "codes"],
];

/// Ends of words that are written together: `dbpassword`, `PGPASSWORD`, `rootpasswd`.
const ENDS: &[&str] = &[
    "password",
    "passwd",
    "passphrase",
    "apikey",
    "secretkey",
    "privatekey",
    "accesskey",
    "authtoken",
    "accesstoken",
    "clientsecret",
    "connectionstring",
];

/// Last words that say something about a secret and are none: `token_ttl`, `secret_arn`.
const ABOUT: &[&str] = &[
    "algorithm",
    "arn",
    "arns",
    "count",
    "days",
    "enabled",
    "expiration",
    "expiry",
    "expires",
    "hours",
    "length",
    "lifetime",
    "minutes",
    "name",
    "names",
    "period",
    "policy",
    "ref",
    "required",
    "rotation",
    "seconds",
    "size",
    "timeout",
    "ttl",
    "type",
    "validity",
    "version",
];

/// A name in its words, lower case: at everything that is neither letter nor digit, and at the
/// humps of camel case (`APIKeyName` is `api key name`).
pub(super) fn words(name: &str) -> Vec<String> {
    let mut out = Vec::new();
    let mut word = String::new();
    let chars: Vec<char> = name.chars().collect();
    for (i, &c) in chars.iter().enumerate() {
        if !c.is_alphanumeric() {
            if !word.is_empty() {
                out.push(std::mem::take(&mut word));
            }
            continue;
        }
        let before = i.checked_sub(1).and_then(|b| chars.get(b));
        let after = chars.get(i + 1);
        let hump = c.is_uppercase()
            && (before.is_some_and(|b| b.is_lowercase() || b.is_ascii_digit())
                || (before.is_some_and(|b| b.is_uppercase())
                    && after.is_some_and(|a| a.is_lowercase())));
        if hump && !word.is_empty() {
            out.push(std::mem::take(&mut word));
        }
        word.extend(c.to_lowercase());
    }
    if !word.is_empty() {
        out.push(word);
    }
    out
}

/// The names that are secret: those above, and the provider's.
#[derive(Debug, Clone, Default)]
pub(super) struct Names {
    own: Vec<Vec<String>>,
}

impl Names {
    pub(super) fn new(redact: &Redact) -> Self {
        Self {
            own: redact.keys.iter().map(|k| words(k.as_str())).collect(),
        }
    }

    /// Whether the provider has named any.
    pub(super) fn has_own(&self) -> bool {
        !self.own.is_empty()
    }

    /// Whether one name, a key of a map or one part of a path, is secret.
    pub(super) fn is_secret(&self, name: &str) -> bool {
        // A name is short; whatever is longer is data, and is judged as such.
        if name.len() > 128 {
            return false;
        }
        let words = words(name);
        let own = |wanted: &Vec<String>| words.windows(wanted.len()).any(|w| w == wanted);
        if self.own.iter().any(own) {
            return true;
        }
        if words.len() > 1 && words.last().is_some_and(|l| ABOUT.contains(&l.as_str())) {
            return false;
        }
        words
            .iter()
            .any(|w| WORDS.contains(&w.as_str()) || ENDS.iter().any(|end| w.ends_with(end)))
            || words
                .windows(2)
                .any(|w| PAIRS.iter().any(|p| p[0] == w[0] && p[1] == w[1]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_cut_into_words() {
        assert_eq!(words("APIKeyName"), ["api", "key", "name"]);
        assert_eq!(words("db-Password_2"), ["db", "password", "2"]);
        assert_eq!(words("DB_PASSWORD"), ["db", "password"]);
        assert_eq!(words("s3Secret"), ["s3", "secret"]);
    }

    #[test]
    fn t15_names_of_secrets_are_known_and_others_are_not() {
        let names = Names::default();
        for secret in [
            "password",
            "db_password",
            "dbPassword",
            "DB-PASSWORD",
            "PGPASSWORD",
            "masterpassword",
            "secret",
            "client_secret",
            "clientSecret",
            "secretAccessKey",
            "auth-token",
            "tokens",
            "private_key",
            "private_key_pem",
            "privateKey",
            "tls-private-key",
            "api_key",
            "apiKey",
            "APIKey",
            "x-api-key",
            "apikey",
            "connection_string",
            "connectionString",
            "primaryConnectionString",
            "credentials",
            "passphrase",
            "secret_id",
        ] {
            assert!(names.is_secret(secret), "{secret}");
        }
        for plain in [
            "tokenizer",
            "secretary",
            "monkey",
            "key",
            "public_key",
            "key_name",
            "kms_key_id",
            "passenger",
            "bypass_policy",
            "compass",
            "password_length",
            "token_ttl",
            "secret_arn",
            "secretName",
            "api_key_required",
            "passwordPolicy",
            "connection",
            "string",
            "author",
            "authorized",
            "description",
        ] {
            assert!(!names.is_secret(plain), "{plain}");
        }
    }

    #[test]
    fn the_provider_names_more() {
        let key = |text: &str| text.parse().ok();
        let redact = Redact {
            keys: [key("customerRef"), key("pin")]
                .into_iter()
                .flatten()
                .collect(),
            patterns: Vec::new(),
        };
        let names = Names::new(&redact);
        for secret in ["customer_ref", "the-customer-ref", "PIN", "card_pin_code"] {
            assert!(names.is_secret(secret), "{secret}");
        }
        assert!(!names.is_secret("pinned") && !names.is_secret("ref"));
    }
}
