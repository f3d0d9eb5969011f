//! The story itself: what people do, and what must come of it.

use super::teller::{CHAPTERS, Teller};
use super::{Attempt, DemoError, Narrator, PullSeen, RunSeen, Scene, Story};
use super::{attack, look};
use crate::local::RunnerKind;
use crate::local::clock::iso;
use crate::local::stage::{Engine, MANAGER, REVIEWER, Stage, StageSettings, Tenant};
use serde_json::{Value, json};
use std::future::Future;
use std::time::{Duration, Instant};

/// Longest that one thing may take, in seconds.
const LIMIT: u64 = 180;

/// A change of acme that is on its way: pull request, merge, approval.
struct Change {
    number: u64,
    head: String,
    diff: Vec<(char, usize, String)>,
}

async fn within<T>(what: &str, work: impl Future<Output = T>) -> Result<T, DemoError> {
    tokio::time::timeout(Duration::from_secs(LIMIT), work)
        .await
        .map_err(|_| DemoError::Stuck {
            what: what.into(),
            seconds: LIMIT,
        })
}

/// Sets the stage and tells the story. `chosen` says which engine and runner, and why.
pub async fn play(
    settings: StageSettings,
    chosen: Vec<String>,
    narrator: &mut dyn Narrator,
) -> Result<Story, DemoError> {
    let engine = settings.engine;
    let begun = Instant::now();
    let name = match engine {
        Engine::Terraform => "terraform",
        Engine::Argocd => "argocd",
    };
    let mut teller = Teller::new(narrator, name, chosen);
    teller.begin("A provider and three customers on a local GitHub");
    let by_act = settings.server.runner.kind == RunnerKind::Act;
    let stage = Stage::set(settings).await?;
    if by_act {
        // It knows no protected environments, so the step itself waits for the approval.
        let body = json!({"repo": MANAGER, "name": "TENANTRY_WAIT", "value": "true"});
        stage.admin("POST", "/_local/variables", body).await?;
    }
    let told = tell(&stage, &mut teller).await;
    // Also when the story broke off: no process of ours outlives it.
    stage.server.stop().await;
    told?;
    let mut story = teller.story;
    story.seconds = begun.elapsed().as_secs_f64();
    Ok(story)
}

async fn tell(stage: &Stage, t: &mut Teller<'_>) -> Result<(), DemoError> {
    let missing = |id: &str| DemoError::Unexpected {
        what: format!("there is no customer {id}"),
        log: String::new(),
    };
    let acme = stage.tenant("acme").ok_or_else(|| missing("acme"))?;
    let globex = stage.tenant("globex").ok_or_else(|| missing("globex"))?;
    t.story.date = iso(stage.server.state().now())
        .replace('T', " ")
        .replace('Z', " UTC");
    scenery(stage, t);
    let change = proposed(stage, t, acme).await?;
    let merged = staging(stage, t, acme, &change).await?;
    production(stage, t, acme, &change, &merged).await?;
    refused(stage, t, globex).await?;
    forged(stage, t, acme, globex, &merged).await?;
    sweep(stage, t, acme, &merged).await?;
    nothing(stage, t).await?;
    let after: Vec<RunSeen> = look::runs(stage, 0)
        .iter()
        .map(|run| {
            let step = t.story.runs.iter().find(|r| r.id == run.id);
            look::run(run, step.map_or(CHAPTERS, |r| r.step))
        })
        .collect();
    t.story.runs = after;
    look::files(stage, &mut t.story).await?;
    Ok(())
}

fn scenery(stage: &Stage, t: &mut Teller<'_>) {
    let mut rows = vec![(
        MANAGER.to_owned(),
        format!(
            "the provider's manager repository: product web, stacks per customer in staging, then production; production waits for {REVIEWER}"
        ),
    )];
    for tenant in &stage.tenants {
        rows.push((
            tenant.repository.to_owned(),
            format!(
                "customer {}, where {} works: infra/variables.yml and one small workflow, nothing else",
                tenant.id, tenant.user
            ),
        ));
    }
    rows.push((
        "ruleset".into(),
        "customers' hints may start a workflow of the manager, and can change none of its branches or tags".into(),
    ));
    for (name, what) in &rows {
        t.say(format!("{name}: {what}"));
    }
    t.scenes.push(Scene::Facts {
        title: "What is there".into(),
        rows,
    });
    t.end(Some(stage));
}

async fn pull(
    stage: &Stage,
    t: &mut Teller<'_>,
    tenant: &Tenant,
    change: &Change,
) -> Result<PullSeen, DemoError> {
    let seen = look::pull(stage, tenant, change.number, &change.diff).await?;
    t.scenes.push(Scene::Pull(seen.clone()));
    Ok(seen)
}

async fn propose(
    stage: &Stage,
    t: &mut Teller<'_>,
    tenant: &Tenant,
    edits: &[(&str, &str)],
    branch: &str,
    title: &str,
) -> Result<Change, DemoError> {
    let before = look::variables(stage, tenant).await?;
    let mut after = before.clone();
    for (from, to) in edits {
        after = after.replacen(from, to, 1);
    }
    let diff = look::changed(&before, &after);
    let (number, head) = stage.propose(tenant, branch, &after, title).await?;
    t.say(format!(
        "{} opens {}#{number} \"{title}\"",
        tenant.user, tenant.repository
    ));
    for (sign, line, text) in &diff {
        t.say(format!("  {sign} {}:{line} {}", look::FILE, text.trim()));
    }
    within("the pull request is looked at", stage.server.idle()).await?;
    Ok(Change { number, head, diff })
}

async fn proposed(stage: &Stage, t: &mut Teller<'_>, acme: &Tenant) -> Result<Change, DemoError> {
    t.begin("acme opens a pull request, and the plan appears there");
    let edits = [
        ("max_instances: 2", "max_instances: 4"),
        ("max_instances: 3", "max_instances: 6"),
    ];
    let change = propose(stage, t, acme, &edits, "larger", "Room for the sale").await?;
    let seen = pull(stage, t, acme, &change).await?;
    let body = seen.comments.first().map(|c| c.body.clone());
    let body = body.unwrap_or_default();
    look::expect(
        stage,
        "the plan of both stacks is on the pull request",
        body.contains("acme/web/staging") && body.contains("acme/web/production"),
    )?;
    t.say(format!("{} comments on it:", stage.bot()));
    for row in super::markdown::rows(&body) {
        t.say(format!("  {row}"));
    }
    t.statuses(&seen.head);
    t.end(Some(stage));
    Ok(change)
}

async fn staging(
    stage: &Stage,
    t: &mut Teller<'_>,
    acme: &Tenant,
    change: &Change,
) -> Result<String, DemoError> {
    t.begin("It is merged: staging is applied, production waits");
    let merged = stage.merge(acme, change.number, &change.head).await?;
    t.say(format!("{} merges it", acme.user));
    within("staging is applied", stage.server.idle()).await?;
    let waiting = within("production waits", stage.until_waiting(LIMIT)).await??;
    look::expect(stage, "production waits for an approval", waiting.is_some())?;
    let seen = look::commit(stage, acme, &merged, "the merge on main").await?;
    t.statuses(&seen);
    look::expect(
        stage,
        "staging is applied and production waits",
        seen.statuses.last().is_some_and(|s| s.state == "pending"),
    )?;
    t.scenes.push(Scene::Commit(seen));
    t.end(Some(stage));
    Ok(merged)
}

/// Approves what waits, and tells who did.
async fn approve(stage: &Stage, t: &mut Teller<'_>) -> Result<bool, DemoError> {
    let Some((run, environments)) = stage.waiting().await? else {
        return Ok(false);
    };
    stage.approve(run, REVIEWER).await?;
    t.say(format!(
        "{REVIEWER} approves run {run} for {}",
        environments.join(", ")
    ));
    within("production is applied", stage.server.idle()).await?;
    t.scenes.extend(look::approvals(stage, run).await?);
    Ok(true)
}

async fn production(
    stage: &Stage,
    t: &mut Teller<'_>,
    acme: &Tenant,
    change: &Change,
    merged: &str,
) -> Result<(), DemoError> {
    t.begin("The provider approves: production is applied, exactly as planned");
    approve(stage, t).await?;
    let seen = look::commit(stage, acme, merged, "the merge on main").await?;
    t.statuses(&seen);
    look::expect(
        stage,
        "both stacks are applied",
        seen.statuses.last().is_some_and(|s| {
            s.state == "success" && s.description == "applied: web/staging, web/production"
        }),
    )?;
    t.scenes.push(Scene::Commit(seen));
    pull(stage, t, acme, change).await?;
    t.end(Some(stage));
    Ok(())
}

async fn refused(stage: &Stage, t: &mut Teller<'_>, globex: &Tenant) -> Result<(), DemoError> {
    t.begin("globex opens a pull request with two slips, and is told where they are");
    let edits = [
        ("\nenvironments:", "regoin: us-east-1\n\nenvironments:"),
        ("instance_type: t3.micro", "instance_type: t3.micros"),
    ];
    let change = propose(stage, t, globex, &edits, "move", "Move to the US").await?;
    let seen = pull(stage, t, globex, &change).await?;
    let body = seen.comments.first().map(|c| c.body.clone());
    let body = body.unwrap_or_default();
    look::expect(
        stage,
        "the comment names file, line and column",
        body.contains("infra/variables.yml:"),
    )?;
    t.say(format!("{} comments on it:", stage.bot()));
    for line in body.lines().filter(|l| l.starts_with(look::FILE)) {
        t.say(format!("  {line}"));
    }
    t.statuses(&seen.head);
    look::expect(
        stage,
        "the status is failure",
        seen.head
            .statuses
            .last()
            .is_some_and(|s| s.state == "failure"),
    )?;
    t.end(Some(stage));
    Ok(())
}

async fn forged(
    stage: &Stage,
    t: &mut Teller<'_>,
    acme: &Tenant,
    globex: &Tenant,
    merged: &str,
) -> Result<(), DemoError> {
    t.begin("Others ask in acme's name: refused, and acme is left alone");
    let before = look::commit(stage, acme, merged, "acme's main, untouched").await?;
    let newest = look::newest(stage);
    let mut attempts: Vec<Attempt> = Vec::new();
    for (what, answered) in attack::send(stage, acme, globex, merged).await? {
        let why = match answered {
            204 => String::new(),
            404 => ": for this account there is no such repository".to_owned(),
            _ => ": this account may not".to_owned(),
        };
        attempts.push(Attempt {
            what,
            by: "GitHub",
            answer: format!("HTTP {answered}{why}"),
        });
    }
    within("the forged requests are looked at", stage.server.idle()).await?;
    let mut reasons = look::runs(stage, newest).into_iter();
    for attempt in attempts.iter_mut().filter(|a| a.answer == "HTTP 204") {
        let run = reasons.next();
        let reason = run.as_ref().and_then(look::refusal);
        look::expect(stage, "every forged request is refused", reason.is_some())?;
        attempt.by = "tenantry";
        attempt.answer = reason.unwrap_or_default();
    }
    for attempt in &attempts {
        t.say(format!(
            "{}: {} says {}",
            attempt.what, attempt.by, attempt.answer
        ));
    }
    let after = look::commit(stage, acme, merged, "acme's main, untouched").await?;
    look::expect(
        stage,
        "nothing is written to acme",
        before.statuses == after.statuses,
    )?;
    t.say("acme's statuses are what they were");
    t.scenes.push(Scene::Attempts { attempts });
    t.scenes.push(Scene::Commit(after));
    t.end(Some(stage));
    Ok(())
}

/// Starts the scheduled workflow, waits for it, and says what it looked at.
async fn tick(stage: &Stage, t: &mut Teller<'_>) -> Result<Option<String>, DemoError> {
    let newest = look::newest(stage);
    stage.tick().await?;
    within("the sweep looks at every customer", stage.server.idle()).await?;
    let runs = look::runs(stage, newest);
    let looked = runs.first().and_then(look::looked_at);
    if let Some(line) = &looked {
        t.say(format!("the sweep {line}"));
    }
    Ok(looked)
}

async fn sweep(
    stage: &Stage,
    t: &mut Teller<'_>,
    acme: &Tenant,
    merged: &str,
) -> Result<(), DemoError> {
    t.begin("The scheduled sweep finds what nobody asked for: two customers never deployed");
    let before = look::commit(stage, acme, merged, "acme's main").await?;
    tick(stage, t).await?;
    for _ in 0..stage.tenants.len() {
        if !approve(stage, t).await? {
            break;
        }
    }
    let after = look::commit(stage, acme, merged, "acme's main").await?;
    look::expect(
        stage,
        "the sweep finds nothing to do for acme",
        before.statuses == after.statuses,
    )?;
    t.say("acme: nothing to do");
    for tenant in stage.tenants.iter().filter(|x| x.id != acme.id) {
        let path = format!("/repos/{}/commits/main", tenant.repository);
        let head = stage.admin("GET", &path, Value::Null).await?;
        let sha = head["sha"].as_str().unwrap_or_default().to_owned();
        let seen = look::commit(stage, tenant, &sha, "main").await?;
        if let Some(last) = seen.statuses.last() {
            t.say(format!(
                "{}: {}: {}",
                tenant.id, last.state, last.description
            ));
        }
        look::expect(
            stage,
            "the sweep brings the others up",
            seen.statuses.last().is_some_and(|s| s.state == "success"),
        )?;
        t.scenes.push(Scene::Commit(seen));
    }
    t.end(Some(stage));
    Ok(())
}

async fn nothing(stage: &Stage, t: &mut Teller<'_>) -> Result<(), DemoError> {
    t.begin("A second sweep finds nothing to do");
    let looked = tick(stage, t).await?;
    look::expect(
        stage,
        "the second sweep finds nothing to do",
        looked.is_none_or(|l| l.contains(": 0 requests with work"))
            && stage.waiting().await?.is_none(),
    )?;
    t.end(Some(stage));
    Ok(())
}
