//! Direct dispatch: whoever may send a hint could also push, so a ruleset must forbid it.
//!
//! The right to call `POST /repos/{o}/{r}/dispatches` is contents:write on the manager.

use super::error::{DeliveryError, Refusal};
use super::manager::Manager;
use crate::estate::RepoSlug;
use crate::github::model::Ruleset;

/// Checks that every branch and every tag is closed to everybody who is not let through
/// explicitly. What GitHub does not tell this token comes back as a warning.
pub async fn check(manager: &Manager) -> Result<Vec<String>, DeliveryError> {
    let rulesets = manager.own.rulesets(&manager.repository).await?;
    let mut warnings = Vec::new();
    for target in ["branch", "tag"] {
        warnings.extend(judge(&manager.repository, &rulesets, target)?);
    }
    Ok(warnings)
}

/// Judges the rulesets of `repository` for `target`, `branch` or `tag`.
pub fn judge(
    repository: &RepoSlug,
    rulesets: &[Ruleset],
    target: &str,
) -> Result<Option<String>, Refusal> {
    let Some(ruleset) = rulesets.iter().find(|r| closes(r, target)) else {
        return Err(Refusal::new(
            "ruleset",
            format!(
                "hints arrive by direct dispatch, but no active ruleset of `{repository}` blocks creation, update and deletion of every {target}: whoever may send a hint could push. Add one for `~ALL` {target} references, or set `hints.mode: poll` in tenantry.yml"
            ),
        ));
    };
    let Some(actors) = &ruleset.bypass_actors else {
        return Ok(Some(format!(
            "who may bypass the ruleset `{}` is not shown to this token; check that no customer's identity is listed",
            crate::estate::ids::shown(&ruleset.name)
        )));
    };
    // Administrators can change the ruleset anyway. Anybody else on the list, be it an app, a team
    // or a key, could hold the credential that hints are sent with.
    let through = actors.iter().any(|a| {
        let admin = a.actor_type == "RepositoryRole" && a.actor_id == Some(5);
        !(admin || a.actor_type == "OrganizationAdmin")
    });
    if through {
        return Err(Refusal::new(
            "ruleset-bypass",
            format!(
                "the ruleset `{}` lets others than administrators through; remove them from its bypass list",
                crate::estate::ids::shown(&ruleset.name)
            ),
        ));
    }
    Ok(None)
}

/// Whether a ruleset closes every reference of `target`.
fn closes(ruleset: &Ruleset, target: &str) -> bool {
    let names = |pointer: &str| -> Vec<&str> {
        let list = ruleset
            .conditions
            .as_ref()
            .and_then(|c| c.pointer(pointer))
            .and_then(|v| v.as_array());
        list.into_iter()
            .flatten()
            .filter_map(|v| v.as_str())
            .collect()
    };
    ruleset.enforcement == "active"
        && ruleset.target.as_deref().unwrap_or("branch") == target
        && names("/ref_name/include").contains(&"~ALL")
        && names("/ref_name/exclude").is_empty()
        && ["creation", "update", "deletion"]
            .iter()
            .all(|kind| ruleset.rules.iter().any(|r| r.kind == *kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ruleset(json: serde_json::Value) -> Ruleset {
        match serde_json::from_value(json) {
            Ok(r) => r,
            Err(e) => panic!("{e}"),
        }
    }

    #[test]
    fn t1_only_a_ruleset_that_closes_everything_counts() {
        let good = serde_json::json!({"name": "closed", "target": "branch", "enforcement": "active",
            "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
            "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}]});
        assert!(closes(&ruleset(good.clone()), "branch"));
        assert!(!closes(&ruleset(good.clone()), "tag"));
        for (pointer, value) in [
            ("/enforcement", serde_json::json!("evaluate")),
            (
                "/conditions/ref_name/include",
                serde_json::json!(["~DEFAULT_BRANCH"]),
            ),
            (
                "/conditions/ref_name/exclude",
                serde_json::json!(["refs/heads/x"]),
            ),
            (
                "/rules",
                serde_json::json!([{"type": "creation"}, {"type": "deletion"}]),
            ),
        ] {
            let mut bent = good.clone();
            if let Some(at) = bent.pointer_mut(pointer) {
                *at = value;
            }
            assert!(!closes(&ruleset(bent), "branch"), "{pointer}");
        }
    }
}
