//! Drift out of a plan: `resource_drift`, and what an ordinary plan would do about it.
//!
//! A refresh-only plan plans nothing, so its `relevant_attributes` are empty (measured, Terraform
//! 1.11: they are collected from planned changes). What matters is told by an ordinary plan.

use super::compare::Differ;
use super::document::RelevantAttribute;
use super::{PlanJsonError, action, compared, learn, open, read, shown_address};
use crate::engine::change::Action;
use crate::engine::drift::{Differing, Drifted, Intent, Outside, Relevant};
use crate::engine::redact::Redactor;
use serde_json::Value;

/// What a plan found changed or gone since the state was written, what is gone first. What it
/// holds of secrets is learnt by `redactor` first, and hidden.
pub fn drifted(bytes: &[u8], redactor: &mut Redactor) -> Result<Vec<Drifted>, PlanJsonError> {
    let plan = open(bytes)?;
    learn::learn(&plan, redactor)?;
    let mut differ = Differ::new(redactor);
    let mut out = Vec::new();
    for resource in plan.resource_drift.iter().flatten() {
        let outside = match action(&resource.change.actions) {
            // What only moved in the configuration is no drift, and reading is no change.
            None | Some(Action::Read | Action::Forget | Action::Import | Action::Move) => continue,
            Some(Action::Delete) => Outside::Deleted,
            Some(Action::Update | Action::Create | Action::Replace) => Outside::Changed,
        };
        let mut attributes = match outside {
            Outside::Deleted => Vec::new(),
            Outside::Changed => compared(&mut differ, "", &resource.change, false)?,
        };
        attributes.retain(|a| !(is_empty(&a.before) && is_empty(&a.after)));
        // A mark that came or went is no change of the world, either.
        if outside == Outside::Changed && attributes.is_empty() {
            continue;
        }
        let address = resource.address.as_deref().unwrap_or("?");
        out.push(Drifted {
            address: shown_address(address, redactor),
            outside,
            matters: false,
            planned: None,
            differs: attributes
                .into_iter()
                .map(|attribute| Differing {
                    attribute,
                    matters: false,
                })
                .collect(),
        });
    }
    out.sort_by(|a, b| {
        a.outside
            .cmp(&b.outside)
            .then_with(|| a.address.cmp(&b.address))
    });
    Ok(out)
}

/// What an ordinary plan would change, and on what that depends.
pub fn intent(bytes: &[u8], redactor: &mut Redactor) -> Result<Intent, PlanJsonError> {
    let changes = read(bytes, redactor)?;
    let plan = open(bytes)?;
    let relevant = |r: &RelevantAttribute| Relevant {
        address: shown_address(&r.resource, redactor),
        path: shown_address(&path(&r.attribute), redactor),
    };
    Ok(Intent {
        changes,
        relevant: plan
            .relevant_attributes
            .iter()
            .flatten()
            .map(relevant)
            .collect(),
    })
}

/// Whether there is nothing. Providers write `null` when they make a resource and an empty
/// collection when they read it again (measured, AWS provider 5.100: `tags` of an object).
fn is_empty(side: &Option<String>) -> bool {
    matches!(side.as_deref(), None | Some("{}" | "[]"))
}

/// `["tags", 0, "owner"]` as a dotted path.
fn path(steps: &[Value]) -> String {
    let steps: Vec<String> = steps
        .iter()
        .map(|step| match step {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        })
        .collect();
    steps.join(".")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::drift::weigh;
    use serde_json::json;

    /// As Terraform 1.11 writes them for buckets whose tags were changed and that were deleted.
    fn refresh_only() -> Value {
        json!({"format_version": "1.2", "resource_drift": [
            {"address": "aws_s3_bucket.a", "mode": "managed", "change": {
                "actions": ["update"],
                "before": {"id": "a", "tags": {"pw": "CANARY-7f3a", "team": "web"}, "tags_all": {"pw": "CANARY-7f3a", "team": "web"}},
                "after": {"id": "a", "tags": {"pw": "CANARY-9b1c", "team": "evil"}, "tags_all": {"pw": "CANARY-9b1c", "team": "evil"}},
                "after_unknown": {},
                "before_sensitive": {"tags": {"pw": true}, "tags_all": {"pw": true}},
                "after_sensitive": {"tags": {"pw": true}, "tags_all": {"pw": true}}}},
            {"address": "aws_s3_bucket.b", "change": {"actions": ["delete"], "before": {"id": "b", "secret": "CANARY-7f3a"}, "after": null, "after_unknown": {}, "before_sensitive": {}, "after_sensitive": false}},
            {"address": "aws_s3_bucket.moved", "previous_address": "aws_s3_bucket.old", "change": {"actions": ["no-op"], "before": {"id": "m"}, "after": {"id": "m"}}},
            {"address": "aws_s3_object.read_again", "change": {"actions": ["update"], "before": {"id": "o", "tags": null, "list": []}, "after": {"id": "o", "tags": {}, "list": null}}},
            {"address": "aws_s3_bucket.marked", "change": {"actions": ["update"], "before": {"id": "m"}, "after": {"id": "m"}, "before_sensitive": {}, "after_sensitive": {"id": true}}},
        ], "resource_changes": [{"address": "aws_s3_bucket.a", "change": {"actions": ["no-op"], "before": {}, "after": {}}}]})
    }

    fn found(plan: &Value) -> Vec<Drifted> {
        match drifted(plan.to_string().as_bytes(), &mut Redactor::default()) {
            Ok(found) => found,
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn t15_drift_is_read_without_what_is_marked() {
        let found = found(&refresh_only());
        let said: Vec<String> = found
            .iter()
            .map(|d| {
                let paths: Vec<String> = d
                    .differs
                    .iter()
                    .map(|d| {
                        let a = &d.attribute;
                        format!("{}: {:?} -> {:?}", a.path, a.before, a.after)
                    })
                    .collect();
                format!("{} {} {}", d.outside.word(), d.address, paths.join("; "))
            })
            .collect();
        assert_eq!(
            said,
            [
                "deleted aws_s3_bucket.b ",
                "changed aws_s3_bucket.a tags.pw: Some(\"(sensitive value)\") -> Some(\"(sensitive value)\"); tags.team: Some(\"\\\"web\\\"\") -> Some(\"\\\"evil\\\"\"); tags_all.pw: Some(\"(sensitive value)\") -> Some(\"(sensitive value)\"); tags_all.team: Some(\"\\\"web\\\"\") -> Some(\"\\\"evil\\\"\")",
            ]
        );
        let text = serde_json::to_string(&found).unwrap_or_default();
        assert!(!text.contains("CANARY"), "{text}");
    }

    #[test]
    fn an_ordinary_plan_says_what_matters() {
        let mut found = found(&refresh_only());
        let plan = json!({"format_version": "1.2", "resource_changes": [
            {"address": "aws_s3_bucket.a", "change": {"actions": ["update"], "before": {"tags": {"team": "evil"}}, "after": {"tags": {"team": "web"}}}},
            {"address": "aws_s3_bucket.b", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
        ], "relevant_attributes": [
            {"resource": "aws_s3_bucket.a", "attribute": ["tags_all", "team"]},
            {"resource": "aws_s3_bucket.a", "attribute": ["grants", 0, "id"]},
        ]});
        let intent = match intent(plan.to_string().as_bytes(), &mut Redactor::default()) {
            Ok(intent) => intent,
            Err(e) => panic!("{e}"),
        };
        assert_eq!(intent.relevant[1].path, "grants.0.id");
        weigh(&mut found, Some(&intent));
        assert!(!found[0].matters, "nobody would make it again");
        assert!(found[1].matters);
        let matters: Vec<bool> = found[1].differs.iter().map(|d| d.matters).collect();
        assert_eq!(matters, [false, true, false, true]);
    }

    #[test]
    fn a_plan_without_drift_has_none() {
        for plan in [
            json!({"format_version": "1.2"}),
            json!({"format_version": "1.2", "resource_drift": null}),
            json!({"format_version": "1.2", "resource_drift": []}),
        ] {
            assert_eq!(found(&plan), []);
        }
        let wrong = json!({"format_version": "1.2", "resource_drift": [{"address": "CANARY-7f3a", "change": "CANARY-7f3a"}]});
        let error = drifted(wrong.to_string().as_bytes(), &mut Redactor::default());
        assert!(error.is_err_and(|e| !format!("{e} {e:?}").contains("CANARY")));
    }

    #[test]
    fn t20_many_relevant_attributes_and_odd_paths_are_read() {
        let many: Vec<Value> = (0..50_000)
            .map(|i| json!({"resource": format!("a.b[{i}]"), "attribute": [null, {"x": 1}, true]}))
            .collect();
        let plan = json!({"format_version": "1.2", "relevant_attributes": many});
        let intent = intent(plan.to_string().as_bytes(), &mut Redactor::default());
        assert!(intent.is_ok_and(|i| i.relevant.len() == 50_000));
    }
}
