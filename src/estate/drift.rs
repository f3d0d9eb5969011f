//! The part `drift` of the settings: how often stacks are checked, what gets an issue, and what is
//! ignored for a while, with a reason, an owner and an end.

use super::allow::{Date, part};
use super::fields::Fields;
use super::finding::{Finding, Place};
use super::ids::{RepoSlug, StackId, shown};
use super::settings;
use super::value::Node;
use serde::{Deserialize, Serialize};

/// How bad drift is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Nothing would be done about it: the configuration does not say otherwise.
    Low,
    /// Something that the configuration says was changed.
    Medium,
    /// Something is gone, or cannot be put back without replacing it.
    High,
}

impl Severity {
    /// Its name.
    pub fn word(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
        }
    }
}

/// One entry of `drift.ignore`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IgnoreRule {
    /// Which stacks: `customer/product/environment`, in which `*` stands for anything inside one part.
    pub stack: String,
    /// Which resources or files, by address; `*` stands for anything.
    pub address: String,
    /// Which attribute, by dotted path; without it the whole resource, also that it is gone.
    pub attribute: Option<String>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last day on which it holds.
    pub until: Date,
    /// Where it stands.
    pub place: Place,
}

impl IgnoreRule {
    /// Whether this is about a resource of a stack, whatever the day.
    pub fn is_about(&self, stack: &StackId, address: &str) -> bool {
        let stack = stack.to_string();
        let parts: Vec<&str> = self.stack.split('/').collect();
        let names: Vec<&str> = stack.split('/').collect();
        parts.len() == names.len()
            && parts.iter().zip(names).all(|(p, name)| part(p, name))
            && part(&self.address, address)
    }

    /// Whether it holds on the day `today`.
    pub fn holds(&self, today: &Date) -> bool {
        *today <= self.until
    }

    /// Whether an attribute is ignored by this rule.
    pub fn covers(&self, attribute: &str) -> bool {
        self.attribute.as_ref().is_none_or(|p| part(p, attribute))
    }
}

/// The part `drift` of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DriftSettings {
    /// Every stack is to be checked within this many hours.
    pub within_hours: u64,
    /// The least severity that gets an issue; `None` for no issues at all.
    pub issue_from: Option<Severity>,
    /// Where issues are opened; the manager repository when absent.
    pub repository: Option<RepoSlug>,
    /// What is ignored.
    pub ignore: Vec<IgnoreRule>,
}

impl Default for DriftSettings {
    fn default() -> Self {
        Self {
            within_hours: 24,
            issue_from: Some(Severity::Medium),
            repository: None,
            ignore: Vec::new(),
        }
    }
}

/// A year: longer is no promise.
const LONGEST: u64 = 24 * 366;

/// Reads the map `drift` of the settings.
pub fn read(top: &mut Fields<'_>) -> DriftSettings {
    let mut out = DriftSettings::default();
    let Some(mut drift) = top.fields("drift") else {
        return out;
    };
    if let Some(hours) = drift.number("within_hours") {
        out.within_hours = hours;
        if let Some(at) = drift.node("within_hours")
            && !(1..=LONGEST).contains(&hours)
        {
            drift.refuse(at, format!("`within_hours` must be from 1 to {LONGEST}"));
        }
    }
    let words = [
        ("low", Some(Severity::Low)),
        ("medium", Some(Severity::Medium)),
        ("high", Some(Severity::High)),
        ("never", None),
    ];
    if let Some(from) = drift.word("issue_from", &words) {
        out.issue_from = from;
    }
    out.repository = drift.parsed("repository");
    for item in drift.list("ignore").unwrap_or_default() {
        let mut entry = Fields::new(settings::PATH, item);
        let rule = one(&mut entry, item);
        drift.absorb(entry.finish());
        out.ignore.extend(rule);
    }
    top.absorb(drift.finish());
    out
}

fn one(entry: &mut Fields<'_>, item: &Node) -> Option<IgnoreRule> {
    for key in ["address", "reason", "owner", "until"] {
        if item.get(key).is_none_or(|n| n.text() == Some("")) {
            entry.missing(key);
        }
    }
    let stack = entry.text("stack").unwrap_or_else(|| "*/*/*".to_owned());
    let address = entry.text("address");
    let attribute = entry.text("attribute");
    let reason = entry.text("reason");
    let owner = entry.text("owner");
    let until = entry.parsed::<Date>("until");
    if let Some(at) = item.get("stack")
        && stack.split('/').filter(|p| !p.is_empty()).count() != 3
    {
        entry.refuse(at, format!("`stack` must be `customer/product/environment`, such as `acme/web/production` or `*/web/*`, found `{}`", shown(&stack)));
    }
    Some(IgnoreRule {
        stack,
        address: address?,
        attribute,
        reason: reason?,
        owner: owner?,
        until: until?,
        place: Place::at(settings::PATH, item.line, item.column),
    })
}

/// A warning for each rule whose day is over.
pub fn expired(settings: &DriftSettings, today: &Date) -> Vec<Finding> {
    let over = settings.ignore.iter().filter(|r| !r.holds(today));
    over.map(|rule| {
        Finding::warning(
            rule.place.clone(),
            "drift-ignore-expired",
            format!(
                "the rule for `{}` in `{}` expired on {} and ignores nothing any more; `{}` renews or removes it",
                shown(&rule.address),
                shown(&rule.stack),
                rule.until,
                shown(&rule.owner)
            ),
        )
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::super::settings::Settings;
    use super::super::yaml::{Reading, read as read_yaml};
    use super::*;

    fn settings(text: &str) -> Result<DriftSettings, String> {
        let node = read_yaml(settings::PATH, text.as_bytes(), Reading::Strict)
            .map_err(|e| e.to_string())?;
        Settings::read(&node)
            .map(|s| s.drift)
            .map_err(|e| e.to_string())
    }

    fn rule(text: &str) -> IgnoreRule {
        match settings(&format!(
            "drift: {{ignore: [{{{text}, reason: r, owner: o, until: \"2027-01-31\"}}]}}\n"
        )) {
            Ok(mut settings) => settings.ignore.remove(0),
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn everything_has_a_default() -> Result<(), String> {
        assert_eq!(settings("drift: {}\n")?, DriftSettings::default());
        assert_eq!(settings("version: 1\n")?, DriftSettings::default());
        assert_eq!(settings("drift: {issue_from: never}\n")?.issue_from, None);
        Ok(())
    }

    #[test]
    fn a_rule_covers_what_its_patterns_say() -> Result<(), Box<dyn std::error::Error>> {
        let stack: StackId = "acme/web/production".parse()?;
        for (text, address, about) in [
            ("address: \"aws_a.b\"", "aws_a.b", true),
            ("address: \"aws_a.*\"", "aws_a.b[\"x\"]", true),
            ("address: \"aws_a.*\"", "aws_ab.c", false),
            ("address: \"*\", stack: \"*/web/*\"", "x", true),
            ("address: \"*\", stack: \"acme/*/prod*\"", "x", true),
            ("address: \"*\", stack: \"acme/*/staging\"", "x", false),
            ("address: \"*\", stack: \"acm/web/production\"", "x", false),
        ] {
            assert_eq!(rule(text).is_about(&stack, address), about, "{text}");
        }
        let tags = rule("address: \"*\", attribute: \"tags.*\"");
        assert!(tags.covers("tags.owner") && !tags.covers("name"));
        assert!(rule("address: \"*\"").covers("anything"));
        assert!(tags.holds(&"2027-01-31".parse()?));
        assert!(!tags.holds(&"2027-02-01".parse()?));
        Ok(())
    }

    #[test]
    fn a_rule_without_an_owner_or_an_end_is_refused() {
        for (entry, said) in [
            (
                "address: a, reason: r, until: \"2027-01-31\"",
                "`owner` is missing here",
            ),
            ("address: a, reason: r, owner: o", "`until` is missing here"),
            (
                "address: a, owner: o, until: \"2027-01-31\"",
                "`reason` is missing here",
            ),
            (
                "reason: r, owner: o, until: \"2027-01-31\"",
                "`address` is missing here",
            ),
            (
                "address: a, reason: r, owner: o, until: \"2027-02-31\"",
                "is not a day",
            ),
            (
                "address: a, reason: r, owner: o, until: \"2027-01-31\", stack: acme",
                "`stack` must be `customer/product/environment`",
            ),
            (
                "address: a, reason: r, owner: o, until: \"2027-01-31\", expires: x",
                "unknown key `expires`",
            ),
        ] {
            let found = settings(&format!("drift: {{ignore: [{{{entry}}}]}}\n"))
                .err()
                .unwrap_or_default();
            assert_eq!(found.lines().count(), 1, "{entry}: {found}");
            assert!(found.contains(said), "{entry}: {found}");
        }
        for (text, said) in [
            ("within_hours: 0", "must be from 1"),
            (
                "issue_from: bad",
                "must be one of `low`, `medium`, `high`, `never`",
            ),
        ] {
            let found = settings(&format!("drift: {{{text}}}\n"))
                .err()
                .unwrap_or_default();
            assert!(found.contains(said), "{text}: {found}");
        }
    }

    #[test]
    fn an_expired_rule_is_a_warning_that_names_its_owner() -> Result<(), Box<dyn std::error::Error>>
    {
        let settings = DriftSettings {
            ignore: vec![rule("address: \"aws_a.*\"")],
            ..DriftSettings::default()
        };
        assert!(expired(&settings, &"2027-01-31".parse()?).is_empty());
        let found: Vec<String> = expired(&settings, &"2027-02-01".parse()?)
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(
            found,
            [
                "tenantry.yml:1:18: warning: the rule for `aws_a.*` in `*/*/*` expired on 2027-01-31 and ignores nothing any more; `o` renews or removes it [drift-ignore-expired]"
            ]
        );
        Ok(())
    }
}
