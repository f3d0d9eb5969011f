//! Every rule that a finding can name: what it is about, why it matters, what to write instead.
//!
//! `docs/rules/` is written from this table, SARIF takes its texts from it, and a test makes
//! sure that it and the code know the same rules.

mod estate;
mod lints;
mod modules;
mod schemas;
mod values;
mod yaml;

use super::finding::Level;

/// What there is to know about one rule. Texts are plain, with values in backticks.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Its id, as it stands at the end of a finding.
    pub id: &'static str,
    /// How bad a finding is, unless it says otherwise itself.
    pub level: Level,
    /// Whether it is a lint, and so can be allowed in the settings.
    pub lint: bool,
    /// What is wrong, in one line.
    pub title: &'static str,
    /// Why that matters.
    pub why: &'static str,
    /// What to write instead.
    pub instead: &'static str,
    /// What it finds.
    pub bad: Example,
    /// The same, put right.
    pub good: Example,
}

/// A piece of a file.
#[derive(Debug, Clone, Copy)]
pub struct Example {
    /// Its language, as Markdown names it.
    pub language: &'static str,
    /// Lines without one at the end.
    pub text: &'static str,
}

/// A piece of YAML.
const fn yaml(text: &'static str) -> Example {
    Example {
        language: "yaml",
        text,
    }
}

/// A piece of something else: a path, a command, JSON.
const fn text(language: &'static str, text: &'static str) -> Example {
    Example { language, text }
}

/// All rules, family by family.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [
        yaml::RULES,
        values::RULES,
        schemas::RULES,
        estate::RULES,
        lints::RULES,
        modules::RULES,
    ]
    .into_iter()
    .flatten()
}

/// The rule with this id.
pub fn find(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}

/// Whether a finding of this rule is about who can read or reach what.
pub fn is_security(id: &str) -> bool {
    ["secret-", "collision-", "foreign", "isolation-", "module-"]
        .iter()
        .any(|family| id.starts_with(family))
}
