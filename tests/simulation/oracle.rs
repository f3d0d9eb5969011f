//! What must be true at the end of every schedule, whatever went wrong in it.

use super::people::People;
use super::provider::TENANTS;
use super::runs::Floor;
use tenantry::audit::snapshot::Snapshot;
use tenantry::audit::verify::{Wanted, verify};
use tenantry::store::Store;

/// Everything that is not as it should be.
pub async fn judge(floor: &Floor, people: &People, rest: bool) -> Result<Vec<String>, String> {
    let mut wrong = std::mem::take(&mut floor.shared.world().seen.wrong);
    if !rest {
        wrong.push("it did not come to rest".to_owned());
    }
    let mainline = people.mainline.borrow().clone();
    let wanted = people.wanted();
    let wants: Vec<_> = (0..floor.provider.tenants)
        .map(|t| people.wants(t))
        .collect();
    {
        let world = floor.shared.world();
        for (tenant, (id, slug, _)) in TENANTS.iter().take(floor.provider.tenants).enumerate() {
            let repository = &world.hub.repositories[*slug];
            let (head, _) = mainline[tenant].last().cloned().unwrap_or_default();
            let value = wants[tenant].clone();
            if repository.head != head {
                wrong.push(format!(
                    "{id}: the branch is at {}, not at {head}",
                    repository.head
                ));
            }
            // The last desired state is applied.
            for environment in ["staging", "production"] {
                let stack = format!("{id}/web/{environment}");
                if let Some(value) = &value
                    && !world.cloud.is(&stack, value)
                {
                    wrong.push(format!("{stack} is not at {value}"));
                }
            }
            // Each at most once for each time that it was asked for.
            for ((key, resource, value), times) in &world.seen.became {
                let allowed = wanted[tenant].get(value).copied().unwrap_or(0);
                if key.starts_with(&format!("{id}/")) && *times > allowed {
                    wrong.push(format!(
                        "{key} {resource} became {value} {times} times, asked for {allowed} times"
                    ));
                }
            }
            // Nobody is left without an answer.
            for (sha, statuses) in &repository.statuses {
                let last = statuses.last();
                if last.is_some_and(|(state, _)| state == "pending") {
                    wrong.push(format!("{id}: {sha} is left pending: {last:?}"));
                }
            }
            for (number, comments) in &repository.comments {
                let of = |kind: &str| {
                    comments
                        .iter()
                        .filter(|(_, text)| text.lines().next().is_some_and(|l| l.contains(kind)))
                        .count()
                };
                for kind in [":plan", ":apply"] {
                    if of(kind) > 1 {
                        wrong.push(format!("{id}: {} comments {kind} on #{number}", of(kind)));
                    }
                }
            }
            // What was called a success had been brought about.
            for (_, sha, state) in world.hub.told.iter().filter(|(s, _, _)| s == slug) {
                let value = mainline[tenant]
                    .iter()
                    .find(|(s, _)| s == sha)
                    .map(|(_, v)| v.clone());
                let Some(value) = value.filter(|_| state == "success") else {
                    continue;
                };
                let Some(value) = value else {
                    wrong.push(format!(
                        "{id}: {sha} holds a broken file and was called a success"
                    ));
                    continue;
                };
                for environment in ["staging", "production"] {
                    let key = format!("{id}/web/{environment}/terraform.tfstate");
                    for resource in ["network", "service"] {
                        // In the region of the one estate or the other.
                        let was = world.seen.became.keys().any(|(k, r, v)| {
                            *k == key && r == resource && v.starts_with(&format!("{value} in "))
                        });
                        if !was {
                            wrong.push(format!("{id}: {sha} was called a success, but {key} {resource} never became {value}"));
                        }
                    }
                }
            }
        }
        // Nobody but the customer's own people caused anything: all that became was asked for.
        for (key, _, value) in world.seen.became.keys() {
            let owner = TENANTS
                .iter()
                .position(|(id, _, _)| key.starts_with(&format!("{id}/")));
            if owner.is_none_or(|o| !wanted[o].contains_key(value)) {
                wrong.push(format!("{key} became {value}, which nobody asked for"));
            }
        }
    }
    let store = Store::over(floor.storage.clone());
    let snapshot = Snapshot::read(&store, None)
        .await
        .map_err(|e| e.to_string())?;
    let verdict = verify(&snapshot, &Wanted::new(vec![floor.provider.key.public()]));
    wrong.extend(verdict.damage.iter().map(ToString::to_string));
    if verdict.records == 0 {
        wrong.push("nothing was recorded".to_owned());
    }
    Ok(wrong)
}
