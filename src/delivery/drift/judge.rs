//! How bad drift is, and what of it is ignored: a function of a record, the settings and the day.

use super::{CheckRecord, Seen};
use crate::engine::change::Action;
use crate::engine::drift::{Drifted, Outside};
use crate::estate::allow::Date;
use crate::estate::drift::{DriftSettings, IgnoreRule, Severity};
use crate::report::drift::{IgnoredView, ResourceView};

/// A record, judged.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Judged {
    /// What is not ignored, the worst first.
    pub resources: Vec<ResourceView>,
    /// What is.
    pub ignored: Vec<IgnoredView>,
}

impl Judged {
    /// The worst of all.
    pub fn severity(&self) -> Option<Severity> {
        self.resources.iter().map(|r| r.severity).max()
    }

    /// Those that are worth telling. Without issues, what would be worth one by default is.
    pub fn told(&self, settings: &DriftSettings) -> impl Iterator<Item = &ResourceView> {
        let from = settings.issue_from.unwrap_or(Severity::Medium);
        self.resources.iter().filter(move |r| r.severity >= from)
    }
}

/// Judges a record.
pub fn judge(record: &CheckRecord, settings: &DriftSettings, today: &Date) -> Judged {
    let mut out = Judged::default();
    for seen in &record.drift {
        let rules: Vec<&IgnoreRule> = settings
            .ignore
            .iter()
            .filter(|r| r.holds(today) && r.is_about(&record.stack, &seen.drifted.address))
            .collect();
        one(seen, &rules, &mut out);
    }
    out.resources.sort_by(|a, b| {
        b.severity
            .cmp(&a.severity)
            .then_with(|| a.drifted.outside.cmp(&b.drifted.outside))
            .then_with(|| a.drifted.address.cmp(&b.drifted.address))
    });
    out
}

fn one(seen: &Seen, rules: &[&IgnoreRule], out: &mut Judged) {
    let mut drifted = seen.drifted.clone();
    let ignored = |rule: &IgnoreRule| IgnoredView {
        address: seen.drifted.address.clone(),
        owner: rule.owner.clone(),
        reason: rule.reason.clone(),
        until: rule.until.to_string(),
    };
    if let Some(whole) = rules.iter().find(|r| r.attribute.is_none()) {
        out.ignored.push(ignored(whole));
        return;
    }
    if drifted.outside == Outside::Changed {
        for rule in rules {
            let before = drifted.differs.len();
            drifted.differs.retain(|d| !rule.covers(&d.attribute.path));
            if drifted.differs.len() < before {
                out.ignored.push(ignored(rule));
            }
        }
        if drifted.differs.is_empty() {
            return;
        }
        drifted.matters = drifted.differs.iter().any(|d| d.matters);
    }
    out.resources.push(ResourceView {
        severity: severity(&drifted),
        first_seen: seen.first_seen,
        drifted,
    });
}

fn severity(drifted: &Drifted) -> Severity {
    let costly = matches!(drifted.planned, Some(Action::Replace | Action::Delete));
    match (drifted.matters, drifted.outside) {
        (false, _) => Severity::Low,
        (true, Outside::Deleted) => Severity::High,
        (true, Outside::Changed) if costly => Severity::High,
        (true, Outside::Changed) => Severity::Medium,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Time;
    use crate::delivery::records::RunRef;
    use crate::engine::change::Attribute;
    use crate::engine::drift::Differing;
    use crate::estate::settings::Settings;
    use crate::estate::yaml::{Reading, read};

    fn seen(
        address: &str,
        outside: Outside,
        planned: Option<Action>,
        paths: &[(&str, bool)],
    ) -> Seen {
        let matters = match outside {
            Outside::Deleted => planned.is_some(),
            Outside::Changed => paths.iter().any(|p| p.1),
        };
        Seen {
            first_seen: Time(1),
            drifted: Drifted {
                address: address.into(),
                outside,
                matters,
                planned,
                differs: paths
                    .iter()
                    .map(|(path, matters)| Differing {
                        attribute: Attribute {
                            path: (*path).to_owned(),
                            before: None,
                            after: Some("1".into()),
                        },
                        matters: *matters,
                    })
                    .collect(),
            },
        }
    }

    fn judged(drift: Vec<Seen>, rules: &str, today: &str) -> Result<Vec<String>, String> {
        let stack = "acme/web/production".parse().map_err(|_| "stack")?;
        let record = CheckRecord {
            version: 1,
            stack,
            run: RunRef {
                id: 1,
                attempt: 1,
                url: String::new(),
            },
            tried: Time(2),
            checked: Some(Time(2)),
            error: None,
            failing_since: None,
            drift,
            omitted: 0,
            exact: true,
            note: None,
        };
        let text = format!("drift:\n  ignore: [{rules}]\n");
        let node =
            read("tenantry.yml", text.as_bytes(), Reading::Strict).map_err(|e| e.to_string())?;
        let settings = Settings::read(&node).map_err(|e| e.to_string())?.drift;
        let judged = judge(&record, &settings, &today.parse()?);
        let line = |r: &ResourceView| {
            let paths: Vec<&str> = r
                .drifted
                .differs
                .iter()
                .map(|d| d.attribute.path.as_str())
                .collect();
            format!(
                "{} {} {}",
                r.severity.word(),
                r.drifted.address,
                paths.join(",")
            )
        };
        let mut out: Vec<String> = judged.resources.iter().map(line).collect();
        out.extend(
            judged
                .ignored
                .iter()
                .map(|i| format!("ignored {} by {}", i.address, i.owner)),
        );
        Ok(out)
    }

    fn drift() -> Vec<Seen> {
        vec![
            seen("a.noise", Outside::Changed, None, &[("etag", false)]),
            seen(
                "a.tags",
                Outside::Changed,
                Some(Action::Update),
                &[("tags.team", true), ("tags_all.team", false)],
            ),
            seen(
                "a.size",
                Outside::Changed,
                Some(Action::Replace),
                &[("size", true)],
            ),
            seen("a.gone", Outside::Deleted, Some(Action::Create), &[]),
            seen("a.unwanted", Outside::Deleted, None, &[]),
        ]
    }

    #[test]
    fn the_worst_comes_first() -> Result<(), String> {
        assert_eq!(
            judged(drift(), "", "2026-11-21")?,
            [
                "high a.gone ",
                "high a.size size",
                "medium a.tags tags.team,tags_all.team",
                "low a.unwanted ",
                "low a.noise etag",
            ]
        );
        Ok(())
    }

    #[test]
    fn a_rule_ignores_until_its_last_day() -> Result<(), String> {
        let rule =
            |more: &str| format!("{{{more}, reason: r, owner: platform, until: \"2026-12-31\"}}");
        // An attribute is taken away; what is left of the resource is no more than noise.
        let tags = rule("address: a.tags, attribute: tags.*");
        let found = judged(drift(), &tags, "2026-12-31")?;
        assert!(
            found.contains(&"low a.tags tags_all.team".to_owned()),
            "{found:?}"
        );
        assert!(found.contains(&"ignored a.tags by platform".to_owned()));
        assert_eq!(
            judged(drift(), &tags, "2027-01-01")?,
            judged(drift(), "", "2027-01-01")?
        );
        // A rule for an attribute does not hide that the resource is gone.
        let gone = rule("address: \"*\", attribute: \"*\"");
        let found = judged(drift(), &gone, "2026-11-21")?;
        assert_eq!(found[..2], ["high a.gone ", "low a.unwanted "]);
        assert_eq!(found.len(), 5, "{found:?}");
        // A rule for a resource hides all of it, and only in its stacks.
        let whole = rule("address: a.gone, stack: acme/*/production");
        let found = judged(drift(), &whole, "2026-11-21")?;
        assert!(!found.iter().any(|l| l.starts_with("high a.gone")));
        let other = rule("address: a.gone, stack: acme/*/staging");
        assert_eq!(
            judged(drift(), &other, "2026-11-21")?,
            judged(drift(), "", "2026-11-21")?
        );
        Ok(())
    }
}
