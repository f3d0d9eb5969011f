//! `instructions` of `tenantry.yml`: what customers are told about their provider. Most of it ends
//! in commands that people copy, so each is held to the characters that it can need.

use super::fields::Fields;
use super::ids::shown;

/// What the texts for customers say about their provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Instructions {
    /// The provider's name for people.
    pub provider: Option<String>,
    /// Whom customers ask: an address, or a sentence.
    pub support: Option<String>,
    /// Host of the image registry, such as `ghcr.io`.
    pub registry: Option<String>,
    /// The image that customers pull, without a tag.
    pub image: Option<String>,
    /// The Helm chart, `oci://…` or `repository/chart`.
    pub chart: Option<String>,
    /// The account that customers log in to the registry as.
    pub username: Option<String>,
    /// Name of the image pull secret in a customer's cluster.
    pub pull_secret: String,
}

impl Default for Instructions {
    fn default() -> Self {
        Self {
            provider: None,
            support: None,
            registry: None,
            image: None,
            chart: None,
            username: None,
            pull_secret: "registry-pull".to_owned(),
        }
    }
}

/// Letters, digits, and some marks; nothing that a shell or YAML knows.
fn made_of(text: &str, marks: &str) -> bool {
    let first = text.chars().next();
    text.len() <= 200
        && first.is_some_and(|c| c.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || marks.contains(c))
}

fn host(text: &str) -> bool {
    made_of(text, ".-:") && !text.chars().any(|c| c.is_ascii_uppercase())
}

fn image(text: &str) -> bool {
    let name = text.rsplit('/').next().unwrap_or_default();
    made_of(text, "./_-:") && !text.contains("//") && !name.contains(':')
}

fn chart(text: &str) -> bool {
    made_of(text.strip_prefix("oci://").unwrap_or(text), "./_-:") && text.contains('/')
}

fn username(text: &str) -> bool {
    made_of(text, "._-")
}

fn label(text: &str) -> bool {
    host(text) && !text.contains([':']) && text.len() <= 63
}

/// A key, what its text must be, and what to write instead.
type Rule = (&'static str, fn(&str) -> bool, &'static str);

/// Reads the map `instructions`.
pub(super) fn read(top: &mut Fields<'_>) -> Instructions {
    let mut out = Instructions::default();
    let Some(mut fields) = top.fields("instructions") else {
        return out;
    };
    out.provider = fields.text("provider");
    out.support = fields.text("support");
    out.registry = fields.text("registry");
    out.image = fields.text("image");
    out.chart = fields.text("chart");
    out.username = fields.text("username");
    if let Some(name) = fields.text("pull_secret") {
        out.pull_secret = name;
    }
    let rules: [Rule; 5] = [
        ("registry", host, "write a host such as `ghcr.io`"),
        (
            "image",
            image,
            "write an image without a tag, such as `ghcr.io/acme-ops/app`",
        ),
        (
            "chart",
            chart,
            "write a chart such as `oci://ghcr.io/acme-ops/charts/app`",
        ),
        ("username", username, "write a login such as `acme-ops-bot`"),
        (
            "pull_secret",
            label,
            "write a name of small letters, digits and `-`, such as `registry-pull`",
        ),
    ];
    for (key, fine, next) in rules {
        let Some(node) = fields.node(key) else {
            continue;
        };
        if let Some(text) = node.text().filter(|t| !fine(t)) {
            let text = shown(text);
            fields.refuse(node, format!("`{key}`: `{text}` cannot be used; {next}"));
        }
    }
    top.absorb(fields.finish());
    out
}

#[cfg(test)]
mod tests {
    use crate::estate::settings::Settings;
    use crate::estate::yaml::{Reading, read};

    fn said(line: &str) -> String {
        let text = format!("instructions:\n  {line}\n");
        let node = match read("tenantry.yml", text.as_bytes(), Reading::Strict) {
            Ok(node) => node,
            Err(e) => return e.to_string(),
        };
        match Settings::read(&node) {
            Ok(_) => "fine".to_owned(),
            Err(e) => e.0.iter().map(|f| f.message.clone()).collect(),
        }
    }

    #[test]
    fn what_ends_in_a_command_holds_nothing_that_a_shell_knows() {
        for fine in [
            "registry: ghcr.io",
            "registry: registry.example.com:5000",
            "image: ghcr.io/acme-ops/app",
            "chart: oci://ghcr.io/acme-ops/charts/app",
            "chart: acme-ops/app",
            "username: acme-ops-bot",
            "pull_secret: regcred",
            "support: \"ask & see\"",
        ] {
            assert_eq!(said(fine), "fine", "{fine}");
        }
        for bad in [
            "registry: \"ghcr.io; id\"",
            "registry: \"-x\"",
            "registry: \"\"",
            "image: \"ghcr.io/$(id)\"",
            "image: \"ghcr.io/acme/app:1\"",
            "chart: \"oci://x/`id`\"",
            "chart: app",
            "username: \"a b\"",
            "username: \"a\\nb\"",
            "pull_secret: \"A\"",
            "pull_secret: \"a/b\"",
        ] {
            assert!(
                said(bad).contains("cannot be used; write"),
                "{bad}: {}",
                said(bad)
            );
        }
        assert!(said("host: ghcr.io").contains("unknown key `host`"));
    }
}
