//! Each guard between a commit and an apply, one at a time: everything is in order but one thing.
//!
//! `tests/mutants/guards.txt` says which guard each of these tests holds.

mod support;

use serde_json::{Value, json};
use support::trial::{Trial, code, production, stack, staging};
use support::{Tested, skip, tool, variables};
use tenantry::clock::{Clock, Time};
use tenantry::delivery::bundle::{Bundle, Manifest};
use tenantry::delivery::gate::{self, Decision};
use tenantry::delivery::hint::Event;
use tenantry::delivery::intake::intake;
use tenantry::delivery::open::Opened;
use tenantry::delivery::reconcile::reconcile;
use tenantry::delivery::records::{
    ApplyRecord, ApplyState, LastApplied, Outcome, PlanRecord, PlanResult, Request, RequestName,
    keys,
};
use tenantry::delivery::{DeliveryError, gitops, ruleset, unfinished};
use tenantry::digest::Digest;
use tenantry::engine::argocd::{FileChange, GitOpsPlan};
use tenantry::estate::model::Status;
use tenantry::estate::settings::{GateRule, HintMode};
use tenantry::estate::{CustomerId, EnvironmentId, Estate, Sha};
use tenantry::local::model::Job;
use tenantry::local::stage::{Engine, GITOPS, Hints, MANAGER, REVIEWER};
use tenantry::store::lease::{self, Taken};
use tenantry::store::seal;

async fn trial() -> Result<Trial, Box<dyn std::error::Error>> {
    Trial::new(Engine::Argocd).await
}

/// Nothing is wrong: what the others change must be what stops them.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_order_is_applied() -> Tested {
    let trial = trial().await?;
    let request = trial.at_production().await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "gate-closed"
    );
    trial.decide(REVIEWER, "approved").await?;
    let done = trial.apply(&request.name, &production()).await?;
    assert_eq!(done.approved_by.as_deref(), Some(REVIEWER));
    assert!(trial.applied());
    trial.end().await;
    Ok(())
}

// Whose commit it is.

#[tokio::test(flavor = "multi_thread")]
async fn t2_pull_requests_that_are_not_what_they_seem() -> Tested {
    let trial = trial().await?;
    let (stage, acme) = (&trial.stage, &trial.acme);
    let text = variables("shop", 5);
    let (number, head) = stage.propose(acme, "change", &text, "Change").await?;
    let head = Sha::new(&head)?;
    let ask = |number: u64, sha: Sha| {
        let trial = &trial;
        async move { code(trial.open(Event::PullRequest(number), &sha).await) }
    };
    // Another customer's: globex has a number 2, acme does not.
    let globex = stage.tenant("globex").ok_or("globex")?.clone();
    for branch in ["one", "two"] {
        stage
            .propose(&globex, branch, &variables("portal", 5), branch)
            .await?;
    }
    assert_eq!(ask(2, head.clone()).await, "pull-request");
    // An older commit of the branch.
    let text = variables("shop", 6);
    let newer = stage
        .commit(acme, "change", "infra/variables.yml", &text, "More")
        .await?;
    assert_eq!(ask(number, head).await, "superseded");
    let newer = Sha::new(&newer)?;
    // Into another branch than the default one.
    let repo = format!("/repos/{}", acme.repository);
    stage
        .commit(acme, "side", "README.md", "side", "Side")
        .await?;
    stage
        .by(
            acme.user,
            "PATCH",
            &format!("{repo}/pulls/{number}"),
            json!({"base": "side"}),
        )
        .await?;
    assert_eq!(ask(number, newer.clone()).await, "pull-request");
    stage
        .by(
            acme.user,
            "PATCH",
            &format!("{repo}/pulls/{number}"),
            json!({"base": "main"}),
        )
        .await?;
    // Closed.
    stage
        .by(
            acme.user,
            "PATCH",
            &format!("{repo}/pulls/{number}"),
            json!({"state": "closed"}),
        )
        .await?;
    assert_eq!(ask(number, newer.clone()).await, "pull-request");
    stage
        .by(
            acme.user,
            "PATCH",
            &format!("{repo}/pulls/{number}"),
            json!({"state": "open"}),
        )
        .await?;
    let fine = trial.open(Event::PullRequest(number), &newer).await?;
    assert!(matches!(fine, Opened::Work(_)), "{fine:?}");
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_pull_request_from_a_fork_is_not_planned() -> Tested {
    let trial = trial().await?;
    let stage = &trial.stage;
    let reader = json!({"repo": "acme/shop", "user": "mallory", "permission": "read"});
    stage.admin("POST", "/_local/collaborators", reader).await?;
    stage
        .by("mallory", "POST", "/repos/acme/shop/forks", json!({}))
        .await?;
    let body = json!({"repo": "mallory/shop", "branch": "main", "user": "mallory", "message": "Mine", "files": {"infra/variables.yml": variables("shop", 9)}});
    let head = stage.admin("POST", "/_local/commits", body).await?["sha"].clone();
    let pull = stage
        .by(
            "mallory",
            "POST",
            "/repos/acme/shop/pulls",
            json!({"title": "Mine", "head": "mallory:main", "base": "main"}),
        )
        .await?;
    let number = pull["number"].as_u64().ok_or("no number")?;
    let sha = Sha::new(head.as_str().unwrap_or_default())?;
    assert_eq!(
        code(trial.open(Event::PullRequest(number), &sha).await),
        "fork"
    );
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t2_suspended_customers_old_commits_and_unserved_hints() -> Tested {
    let mut trial = trial().await?;
    let old = trial.push(3).await?;
    let new = trial.push(4).await?;
    assert_eq!(code(trial.open(Event::Push, &old).await), "superseded");
    let acme = CustomerId::new("acme")?;
    for (status, expected) in [
        (Status::Suspended, Some("suspended")),
        (Status::Active, None),
    ] {
        if let Some(customer) = trial.manager.estate.customers.get_mut(&acme) {
            customer.status = status;
        }
        let answer = trial.open(Event::Push, &new).await;
        assert_eq!(answer.is_err(), expected.is_some());
        if let Some(expected) = expected {
            assert_eq!(code(answer), expected);
        }
    }
    // A manager that polls serves no dispatch, however well it is signed.
    trial.manager.estate.settings.hints = HintMode::Poll;
    let now = trial.stage.server.state().now();
    let claims = json!({
        "iss": format!("{}/_oidc", trial.stage.server.url), "aud": format!("tenantry:{MANAGER}"), "sub": "repo:acme/shop:ref:refs/heads/main",
        "jti": "poll", "iat": now, "nbf": now - 5, "exp": now + 300, "repository": "acme/shop", "repository_id": trial.acme.repository_id.to_string(),
        "repository_owner_id": "1", "ref": "refs/heads/main", "sha": new, "event_name": "push", "actor": "alice", "actor_id": "9", "run_id": "1",
    });
    let token = trial.stage.server.state().issuer.sign(&claims);
    let payload = json!({"tenantry": 1, "request_id": "polled-0001", "repository": "acme/shop", "repository_id": trial.acme.repository_id, "sha": new, "ref": "refs/heads/main", "event": "push", "identity": token});
    let issuer = trial.issuer()?;
    assert_eq!(
        code(intake(&trial.manager, &payload, &issuer).await),
        "hint-mode"
    );
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t1_a_ruleset_that_lets_somebody_through_is_refused() -> Tested {
    let trial = trial().await?;
    assert_eq!(ruleset::check(&trial.manager).await?, Vec::<String>::new());
    let path = format!("/repos/{MANAGER}/rulesets");
    let all = trial.stage.admin("GET", &path, Value::Null).await?;
    let id = all[0]["id"].clone();
    for actor in [
        json!({"actor_id": 7, "actor_type": "Team", "bypass_mode": "always"}),
        json!({"actor_id": 7, "actor_type": "Integration", "bypass_mode": "pull_request"}),
        json!({"actor_id": 4, "actor_type": "RepositoryRole", "bypass_mode": "always"}),
    ] {
        let body = json!({"bypass_actors": [actor]});
        trial
            .stage
            .admin("PUT", &format!("{path}/{id}"), body)
            .await?;
        assert_eq!(code(ruleset::check(&trial.manager).await), "ruleset-bypass");
    }
    trial.end().await;
    Ok(())
}

// Whose request, and which run.

#[tokio::test(flavor = "multi_thread")]
async fn t2_a_request_reaches_its_own_stacks_in_its_own_run_alone() -> Tested {
    let mut trial = trial().await?;
    let request = trial.planned(3).await?;
    let name = &request.name;
    for other in ["globex/web/staging", "acme/web/dev"] {
        assert_eq!(
            code(trial.plan(name, &stack(other)).await),
            "request-stack",
            "{other}"
        );
        assert_eq!(
            code(trial.apply(name, &stack(other)).await),
            "request-stack",
            "{other}"
        );
    }
    // Its record says that globex's stack is one of its own.
    let key = keys::request(name);
    trial
        .edit::<Request>(&key, |r| r.stacks.push(stack("globex/web/staging")))
        .await?;
    assert_eq!(
        code(trial.plan(name, &stack("globex/web/staging")).await),
        "request-stack"
    );
    // Another run took it up.
    let first = trial.manager.run.run.id;
    trial.another_run().await?;
    assert_eq!(code(trial.plan(name, &staging()).await), "request-run");
    trial.manager.run.run.id = first;
    trial
        .edit::<Request>(&key, |r| {
            r.outcome = Some(tenantry::delivery::records::Outcome::Success)
        })
        .await?;
    assert_eq!(code(trial.apply(name, &staging()).await), "request-ended");
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pull_request_is_never_applied() -> Tested {
    let trial = trial().await?;
    let text = variables("shop", 5);
    let (number, head) = trial
        .stage
        .propose(&trial.acme, "change", &text, "Change")
        .await?;
    let event = Event::PullRequest(number);
    let Opened::Work(request) = trial.open(event, &Sha::new(&head)?).await? else {
        return Err("no work".into());
    };
    trial.plan(&request.name, &staging()).await?;
    assert_eq!(
        code(trial.apply(&request.name, &staging()).await),
        "plan-only"
    );
    assert!(!trial.stage.store_dir().join("applied").exists());
    trial.end().await;
    Ok(())
}

// The gate.

async fn decision(trial: &Trial, request: &Request) -> String {
    let key = trial.plan_key(request, &production());
    match trial.manager.store.read::<PlanRecord>(&key).await {
        Ok(Some((record, _))) => match gate::decide(&trial.manager, request, &record).await {
            Ok(Decision::Open(_)) => "open".to_owned(),
            Ok(Decision::Waiting { .. }) => "waiting".to_owned(),
            Err(e) => code::<()>(Err(e)),
        },
        other => format!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_whose_approval_counts() -> Tested {
    let mut trial = trial().await?;
    let mut request = trial.at_production().await?;
    assert_eq!(decision(&trial, &request).await, "waiting");
    trial.decide(REVIEWER, "approved").await?;
    assert_eq!(decision(&trial, &request).await, "open");
    let olivia = trial.user(REVIEWER).await?;
    // The approver sent the event.
    trial.manager.run.sender = Some(olivia.clone());
    assert_eq!(decision(&trial, &request).await, "gate-four-eyes");
    trial.manager.run.sender = None;
    // The approver is one of the authors, under another name.
    request.authors.push(tenantry::github::model::User {
        login: "somebody".to_owned(),
        id: olivia.id,
    });
    assert_eq!(decision(&trial, &request).await, "gate-four-eyes");
    request.authors.pop();
    // An author has no account, so nobody can tell.
    request.unknown_author = true;
    assert_eq!(decision(&trial, &request).await, "gate-unknown-author");
    request.unknown_author = false;
    // The settings name others.
    let rule = |approvers: &[&str]| GateRule {
        wait_minutes: 0,
        approval: true,
        approvers: approvers.iter().map(|a| (*a).to_owned()).collect(),
    };
    let name = EnvironmentId::new("production")?;
    let gates = &mut trial.manager.estate.settings.gates;
    gates.insert(name.clone(), rule(&["mallory"]));
    assert_eq!(decision(&trial, &request).await, "gate-four-eyes");
    let gates = &mut trial.manager.estate.settings.gates;
    gates.insert(name, rule(&["mallory", "OLIVIA"]));
    assert_eq!(decision(&trial, &request).await, "open");
    // Somebody else says no.
    trial.decide("mallory", "rejected").await?;
    assert_eq!(decision(&trial, &request).await, "gate-rejected");
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t14_who_had_a_part_in_the_change_is_known() -> Tested {
    let trial = trial().await?;
    let stage = &trial.stage;
    // mallory writes and merges what gina opens; olivia sends it. None of them made the first file.
    for user in ["mallory", "gina"] {
        let writer = json!({"repo": "acme/shop", "user": user, "permission": "write"});
        stage.admin("POST", "/_local/collaborators", writer).await?;
    }
    let commit = json!({"repo": "acme/shop", "branch": "change", "user": "mallory", "message": "Change", "files": {"infra/variables.yml": variables("shop", 5)}});
    let head = stage.admin("POST", "/_local/commits", commit).await?["sha"].clone();
    let body = json!({"title": "Change", "head": "change", "base": "main"});
    let pull = stage
        .by("gina", "POST", "/repos/acme/shop/pulls", body)
        .await?;
    let merge = format!("/repos/acme/shop/pulls/{}/merge", pull["number"]);
    let merged = stage
        .by("mallory", "PUT", &merge, json!({"sha": head}))
        .await?;
    let sha = Sha::new(merged["sha"].as_str().unwrap_or_default())?;
    let sender = trial.user(REVIEWER).await?;
    let Opened::Work(request) = trial.open_from(Event::Push, &sha, Some(sender)).await? else {
        return Err("no work".into());
    };
    let logins: Vec<&str> = request.authors.iter().map(|u| u.login.as_str()).collect();
    for who in ["gina", "mallory", REVIEWER] {
        assert!(logins.contains(&who), "{who}: {logins:?}");
    }
    trial.end().await;
    Ok(())
}

async fn last_applied(trial: &Trial) -> Result<LastApplied, Box<dyn std::error::Error>> {
    let key = keys::applied(&production());
    let found = trial.manager.store.read::<LastApplied>(&key).await?;
    Ok(found.ok_or("nothing was applied")?.0)
}

/// Somebody changes what both stacks are made from; the planned request.
async fn commit(
    trial: &Trial,
    user: &str,
    name: &str,
) -> Result<Request, Box<dyn std::error::Error>> {
    let files = json!({"infra/variables.yml": variables(name, 3)});
    let body = json!({"repo": "acme/shop", "branch": "main", "user": user, "message": name, "files": files});
    let made = trial.stage.admin("POST", "/_local/commits", body).await?;
    let sha = made["sha"].as_str().ok_or("no commit")?;
    let Opened::Work(request) = trial.open(Event::Push, &Sha::new(sha)?).await? else {
        return Err("no work".into());
    };
    for stack in &request.stacks {
        trial.plan(&request.name, stack).await?;
    }
    Ok(request)
}

/// A change that waits is part of what a later one brings, whoever wrote that.
#[tokio::test(flavor = "multi_thread")]
async fn t14_what_nobody_has_applied_yet_keeps_its_authors() -> Tested {
    let mut trial = trial().await?;
    let olivia = trial.user(REVIEWER).await?;
    let wrote = |request: &Request| request.authors.iter().any(|a| a.id == olivia.id);
    let request = trial.at_production().await?;
    assert!(!wrote(&request));
    trial.decide(REVIEWER, "approved").await?;
    trial.apply(&request.name, &production()).await?;
    // Olivia's own change goes to main, and acme's comes on top before anybody decided.
    trial.another_run().await?;
    commit(&trial, REVIEWER, "store").await?;
    let request = commit(&trial, trial.acme.user, "store-2").await?;
    assert!(wrote(&request), "{:?}", request.authors);
    trial.apply(&request.name, &staging()).await?;
    trial.decide(REVIEWER, "approved").await?;
    assert_eq!(decision(&trial, &request).await, "gate-four-eyes");
    trial.decide("mallory", "approved").await?;
    let before = last_applied(&trial).await?;
    trial.apply(&request.name, &production()).await?;
    // How long something stands here is counted from the first time.
    let after = last_applied(&trial).await?;
    assert_eq!((before.count, after.count), (1, 2));
    assert_eq!(
        (before.first, after.first),
        (Some(before.at), Some(before.at))
    );
    // Applied, it is no part of what comes later.
    trial.another_run().await?;
    let request = commit(&trial, trial.acme.user, "store-3").await?;
    assert!(!wrote(&request), "{:?}", request.authors);
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_an_approval_from_before_the_plan_is_about_something_else() -> Tested {
    let trial = trial().await?;
    let sha = trial.push(3).await?;
    let Opened::Work(request) = trial.open(Event::Push, &sha).await? else {
        return Err("no work".into());
    };
    trial.plan(&request.name, &staging()).await?;
    trial.decide(REVIEWER, "approved").await?;
    trial.plan(&request.name, &production()).await?;
    assert_eq!(decision(&trial, &request).await, "waiting");
    trial.decide(REVIEWER, "approved").await?;
    assert_eq!(decision(&trial, &request).await, "open");
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_plan_of_another_attempt_or_run_is_stale() -> Tested {
    let mut trial = trial().await?;
    let mut request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    request.attempt += 1;
    assert_eq!(decision(&trial, &request).await, "plan-stale");
    request.attempt -= 1;
    let run = trial.manager.run.run.id;
    trial.manager.run.run.id = run + 1;
    assert_eq!(decision(&trial, &request).await, "plan-stale");
    trial.manager.run.run.id = run;
    let key = trial.plan_key(&request, &production());
    let failed = |r: &mut PlanRecord| {
        r.result = PlanResult::Failed {
            message: "no".to_owned(),
        };
    };
    trial.edit(&key, failed).await?;
    assert_eq!(decision(&trial, &request).await, "plan-failed");
    trial.end().await;
    Ok(())
}

// Custody.

/// Puts the plan of `from` to where production's should be.
async fn takes_the_place(trial: &Trial, request: &Request, from: PlanRecord) -> Tested {
    let key = trial.plan_key(request, &production());
    trial
        .edit::<PlanRecord>(&key, |r| r.result = from.result.clone())
        .await
}

async fn planned(trial: &Trial, key: &str) -> Result<PlanRecord, Box<dyn std::error::Error>> {
    let found = trial.manager.store.read::<PlanRecord>(key).await?;
    Ok(found.ok_or("no plan")?.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_another_stacks_plan_is_refused() -> Tested {
    let trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let other = planned(&trial, &trial.plan_key(&request, &staging())).await?;
    takes_the_place(&trial, &request, other).await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-stack"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_another_requests_plan_is_refused() -> Tested {
    let trial = trial().await?;
    let first = trial.planned(3).await?;
    let old = planned(&trial, &trial.plan_key(&first, &production())).await?;
    let request = trial.planned(4).await?;
    trial.apply(&request.name, &staging()).await?;
    trial.decide(REVIEWER, "approved").await?;
    takes_the_place(&trial, &request, old).await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-request"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_a_plan_that_was_swapped_in_the_store_is_refused() -> Tested {
    let trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let other = planned(&trial, &trial.plan_key(&request, &staging())).await?;
    let PlanResult::Planned { sealed: from, .. } = other.result else {
        return Err("no plan".into());
    };
    // The approved digest stays; the bytes behind it are another plan's.
    let key = trial.plan_key(&request, &production());
    trial
        .edit::<PlanRecord>(&key, |r| {
            if let PlanResult::Planned { sealed, .. } = &mut r.result {
                sealed.clone_from(&from);
            }
        })
        .await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-digest"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

/// The plan file is whole, but it is not what people were shown.
#[tokio::test(flavor = "multi_thread")]
async fn t12_a_plan_that_does_not_read_as_it_was_shown_is_refused() -> Tested {
    const NAME: &str = "t12_a_plan_that_does_not_read_as_it_was_shown_is_refused";
    if tool("terraform").is_none() {
        return skip(NAME, "terraform is not on the PATH");
    }
    let trial = Trial::new(Engine::Terraform).await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let key = trial.plan_key(&request, &production());
    let record = planned(&trial, &key).await?;
    let PlanResult::Planned { sealed, .. } = record.result else {
        return Err("no plan".into());
    };
    let (bytes, _) = trial.manager.store.get(&sealed).await?.ok_or("gone")?;
    let identity = &trial.stage.identity;
    let mut bundle: Value = serde_json::from_slice(&seal::open(identity, &bytes)?)?;
    bundle["manifest"]["shown"] = json!(Digest::of(b"another plan"));
    let bundle = Bundle::read(&serde_json::to_vec(&bundle)?)?;
    let bytes = seal::seal(&identity.recipient(), &bundle.bytes())?;
    std::fs::write(trial.stage.store_dir().join(&sealed), bytes)?;
    trial
        .edit::<PlanRecord>(&key, |r| {
            if let PlanResult::Planned { digest, .. } = &mut r.result {
                *digest = bundle.digest();
            }
        })
        .await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-digest"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t12_an_old_plan_is_refused() -> Tested {
    fn later() -> Time {
        Clock::system().now().plus(73 * 3_600)
    }
    let mut trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    trial.manager.clock = Clock::from_fn(later);
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-old"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_an_estate_that_moved_means_a_new_plan() -> Tested {
    let mut trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let layer = "customers/acme/web/environments/production.yaml";
    let mut files = trial.manager.estate.files.clone();
    files.insert(layer, b"tags: {moved: \"yes\"}\n".to_vec());
    trial.manager.estate = tenantry::estate::Estate::read(files)?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "plan-inputs"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[test]
fn t12_a_bundle_whose_parts_were_changed_is_refused() -> Tested {
    let manifest = Manifest {
        version: 1,
        stack: production(),
        request: format!("acme/push-{}", "a".repeat(40)).parse()?,
        attempt: 1,
        run: 1,
        inputs: Digest::of(b""),
        plan: Digest::of(b""),
        lock: Digest::of(b""),
        shown: Digest::of(b""),
        tool: None,
        actor: None,
        state: None,
        created: Time(0),
        nonce: "n".to_owned(),
    };
    let bundle = Bundle::new(manifest, b"plan", b"lock");
    assert!(Bundle::read(&bundle.bytes()).is_ok());
    let good: Value = serde_json::from_slice(&bundle.bytes())?;
    for (pointer, value, word) in [
        ("/plan", json!("b3RoZXI="), "plan-digest"),
        ("/lock", json!("b3RoZXI="), "plan-digest"),
        ("/plan", json!("%"), "plan-format"),
        ("/manifest/version", json!(2), "plan-format"),
    ] {
        let mut bent = good.clone();
        if let Some(at) = bent.pointer_mut(pointer) {
            *at = value;
        }
        let read = Bundle::read(&serde_json::to_vec(&bent)?);
        assert_eq!(read.err().map(|e| e.code), Some(word), "{pointer}");
    }
    Ok(())
}

// Order and exclusion.

#[tokio::test(flavor = "multi_thread")]
async fn t13_production_does_not_come_before_staging() -> Tested {
    let trial = trial().await?;
    let request = trial.planned(3).await?;
    trial.decide(REVIEWER, "approved").await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "promotion"
    );
    // That staging was applied by an earlier attempt does not count.
    trial.apply(&request.name, &staging()).await?;
    let key = keys::apply(&request.name, &staging());
    trial.edit::<ApplyRecord>(&key, |r| r.attempt += 1).await?;
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "promotion"
    );
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t13_a_stack_that_somebody_applies_is_left_alone() -> Tested {
    let mut trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    // A run of the manager that has not ended.
    let own = trial.manager.run.run.id;
    let other = trial.another_run().await?;
    trial.manager.run.run.id = own;
    let (store, clock) = (&trial.manager.store, &trial.manager.clock);
    let key = keys::lease(&production());
    // Nor does somebody who works by hand have a run that could have ended.
    for who in [
        format!("acme/push-0 in run {other}.1"),
        format!("{} in run 0.1", request.name),
    ] {
        let Taken::Yes { lease, .. } = lease::take(store, &key, &who, 600, clock).await? else {
            return Err("not taken".into());
        };
        assert_eq!(
            code(trial.apply(&request.name, &production()).await),
            "lease",
            "{who}"
        );
        assert!(!trial.applied());
        if who.ends_with(" 0.1") {
            // Their request is not taken up, either, until they give it back.
            let record = keys::request(&request.name);
            trial.edit::<Request>(&record, |r| r.run.id = 0).await?;
            let open = || trial.open(Event::Push, &request.name.sha);
            let said = open().await?;
            assert!(
                matches!(&said, Opened::Nothing { reason, .. } if reason.contains("works on")),
                "{said:?}"
            );
            lease.release(store).await?;
            assert!(matches!(open().await?, Opened::Work(_)));
            trial
                .edit::<Request>(&record, |r| r.attempt = request.attempt)
                .await?;
        } else {
            lease.release(store).await?;
        }
    }
    // A run that waits for others' approvals is no holder any more once its job for this stack died.
    let who = format!("acme/push-0 in run {other}.1");
    let taken = lease::take(store, &key, &who, 600, clock).await?;
    assert!(matches!(taken, Taken::Yes { .. }));
    job(&trial, other, "in_progress");
    assert_eq!(
        code(trial.apply(&request.name, &production()).await),
        "lease"
    );
    job(&trial, other, "completed");
    trial.apply(&request.name, &production()).await?;
    assert!(trial.applied());
    trial.end().await;
    Ok(())
}

/// That the lease cannot be given back is no reason to say that an apply failed.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_applied_stays_true_when_the_store_fails_right_after() -> Tested {
    let trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let store = trial.stage.store_dir();
    let lease = store.join(keys::lease(&production()));
    let begun = store.join(keys::applied(&production()));
    let breaker = std::thread::spawn(move || {
        for _ in 0..30_000 {
            if begun.is_file() {
                return std::fs::write(&lease, "{").is_ok();
            }
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        false
    });
    let done = trial.apply(&request.name, &production()).await?;
    assert!(breaker.join().is_ok_and(|broken| broken));
    assert_eq!(done.state, ApplyState::Applied);
    trial.end().await;
    Ok(())
}

/// Engine `argocd`: what somebody else wrote is not overwritten, even where part of it is what the
/// plan wants.
#[tokio::test(flavor = "multi_thread")]
async fn t12_a_file_that_somebody_changed_is_not_overwritten() -> Tested {
    let trial = trial().await?;
    let file = |path: &str, content: &str| FileChange {
        path: path.into(),
        base_blob: None,
        content: content.into(),
    };
    let plan = GitOpsPlan {
        repository: GITOPS.into(),
        branch: "main".into(),
        files: vec![file("a.yaml", "planned\n"), file("b.yaml", "planned\n")],
    };
    let by_hand = |files: Value| {
        let body = json!({"repo": GITOPS, "branch": "main", "user": REVIEWER, "message": "By hand", "files": files});
        trial.stage.admin("POST", "/_local/commits", body)
    };
    for other in ["a.yaml", "b.yaml"] {
        let mut files = json!({"a.yaml": "planned\n", "b.yaml": "planned\n"});
        files[other] = json!("by hand\n");
        by_hand(files).await?;
        let done = gitops::apply(&trial.manager, &plan, "Plan").await;
        assert_eq!(code(done), "gitops-moved", "{other}");
    }
    // An answer that was lost: everything is there.
    by_hand(json!({"a.yaml": "planned\n", "b.yaml": "planned\n"})).await?;
    assert!(
        gitops::apply(&trial.manager, &plan, "Plan")
            .await?
            .is_some()
    );
    trial.end().await;
    Ok(())
}

/// What a module keeps secret is no part of an error about it, before there is any plan.
#[tokio::test(flavor = "multi_thread")]
async fn t15_an_error_about_a_secret_value_does_not_quote_it() -> Tested {
    for keeps in ["sensitive", "ephemeral"] {
        let plain = include_str!("../templates/manager/products/web/terraform/variables.tf");
        let module = plain.replace(
            "variable \"project_name\" { type = string }",
            &format!("variable \"project_name\" {{\n  type = string\n  {keeps} = true\n}}"),
        );
        assert_ne!(module, plain);
        let path = "products/web/terraform/variables.tf".to_owned();
        let trial = Trial::with(Engine::Terraform, Hints::Direct, vec![(path, module)]).await?;
        let text = variables("CANARY 7f3a", 3);
        let made = trial
            .stage
            .commit(&trial.acme, "main", "infra/variables.yml", &text, "Change")
            .await?;
        let said = trial.open(Event::Push, &Sha::new(&made)?).await?;
        let Opened::Refused(request) = said else {
            return Err(format!("{said:?}").into());
        };
        let said = serde_json::to_string(&request)?;
        assert!(said.contains("project_name"), "{said}");
        assert!(!said.contains("7f3a"), "{said}");
        trial.end().await;
    }
    Ok(())
}

/// A run's job that applies production, and where it stands.
fn job(trial: &Trial, run: u64, status: &'static str) {
    let mut github = trial.stage.server.state();
    let Some(run) = github.runs.get_mut(&run) else {
        panic!("no run")
    };
    run.jobs = vec![Job {
        id: 1,
        name: "Apply acme/web/production".into(),
        key: "apply_production".into(),
        status,
        conclusion: None,
        environment: None,
        started: 0,
        completed: None,
    }];
}

/// An apply that was cut off is taken up while its run still waits for somebody else.
#[tokio::test(flavor = "multi_thread")]
async fn t27_an_apply_that_was_cut_off_is_taken_up_although_its_run_goes_on() -> Tested {
    let mut trial = trial().await?;
    let request = trial.at_production().await?;
    trial.decide(REVIEWER, "approved").await?;
    let first = trial.manager.run.run.id;
    // It had begun when its runner died.
    trial.apply(&request.name, &production()).await?;
    let key = keys::apply(&request.name, &production());
    let cut = |r: &mut ApplyRecord| r.state = ApplyState::Begun;
    trial.edit::<ApplyRecord>(&key, cut).await?;
    let applied = keys::applied(&production());
    let open = |l: &mut LastApplied| l.incomplete = true;
    trial.edit::<LastApplied>(&applied, open).await?;
    trial.another_run().await?;
    for (status, wanted) in [("in_progress", false), ("completed", true)] {
        job(&trial, first, status);
        let said = trial.open(Event::Push, &request.name.sha).await?;
        let taken = matches!(&said, Opened::Work(r) if r.attempt == request.attempt + 1);
        assert_eq!(taken, wanted, "{status}: {said:?}");
    }
    trial.end().await;
    Ok(())
}

// The estate, after the run was started.

#[tokio::test(flavor = "multi_thread")]
async fn t13_an_estate_that_was_changed_since_is_not_applied() -> Tested {
    let mut trial = trial().await?;
    let head = async |trial: &Trial| -> Result<Sha, Box<dyn std::error::Error>> {
        let path = format!("/repos/{MANAGER}/branches/main");
        let branch = trial.stage.admin("GET", &path, Value::Null).await?;
        Ok(Sha::new(
            branch["commit"]["sha"].as_str().unwrap_or_default(),
        )?)
    };
    let write = async |trial: &Trial, path: &str, text: &str| -> Tested {
        let body = json!({"repo": MANAGER, "branch": "main", "user": REVIEWER, "message": "Change", "files": {path: text}});
        trial.stage.admin("POST", "/_local/commits", body).await?;
        Ok(())
    };
    let change = async |trial: &Trial, path: &str| write(trial, path, "# changed\n").await;
    let request = trial.planned(3).await?;
    trial.manager.run.commit = Some(head(&trial).await?);
    // What is another customer's is no business of this one, and a rotation none of any plan.
    change(&trial, "customers/globex/web/values.yaml").await?;
    let entry = "customers/acme/metadata.yaml";
    let plain = trial.manager.estate.files.get(entry).ok_or(entry)?.to_vec();
    let plain = String::from_utf8(plain)?;
    let rotated = format!(
        "{plain}\ncredentials:\n  pull:\n    purpose: registry-pull\n    kind: gitlab\n    status: active\n"
    );
    write(&trial, entry, &rotated).await?;
    trial.apply(&request.name, &staging()).await?;
    trial.decide(REVIEWER, "approved").await?;
    for path in [
        "customers/acme/web/values.yaml",
        "policies/more.rego",
        entry,
    ] {
        trial.manager.run.commit = Some(head(&trial).await?);
        trial.manager.moved = Default::default();
        change(&trial, path).await?;
        let refused = trial.apply(&request.name, &production()).await;
        assert_eq!(code(refused), "estate-moved", "{path}");
        // Neither does a run with it begin anything.
        let sha = request.name.sha.clone();
        let opened = trial.open(Event::Push, &sha).await?;
        assert!(
            matches!(&opened, Opened::Nothing { request: None, reason } if reason.contains(path)),
            "{opened:?}"
        );
    }
    // A history that does not hold this run's commit.
    trial.manager.run.commit = Some(Sha::new(&"d".repeat(40))?);
    trial.manager.moved = Default::default();
    let refused = trial.apply(&request.name, &production()).await;
    assert_eq!(code(refused), "estate-moved");
    assert!(!trial.applied());
    trial.end().await;
    Ok(())
}

// What still needs somebody.

/// A sweep comes between the name and the request of another run.
#[tokio::test(flavor = "multi_thread")]
async fn t27_a_name_without_a_request_is_not_forgotten_while_somebody_may_write_it() -> Tested {
    let mut trial = trial().await?;
    let acme = CustomerId::new("acme")?;
    let name: RequestName = format!("acme/push-{}", "b".repeat(40)).parse()?;
    let now = trial.manager.clock.now();
    unfinished::remember(&trial.manager, &name, now).await?;
    let listed = async |trial: &Trial| -> Result<bool, DeliveryError> {
        reconcile(&trial.manager, Some(&acme)).await?;
        let names = unfinished::list(&trial.manager, &acme).await?;
        Ok(names.contains_key(&name))
    };
    assert!(listed(&trial).await?);
    // A job may run for six hours.
    fn soon() -> Time {
        Clock::system().now().plus(5 * 3_600)
    }
    trial.manager.clock = Clock::from_fn(soon);
    assert!(listed(&trial).await?);
    fn later() -> Time {
        Clock::system().now().plus(7 * 3_600)
    }
    trial.manager.clock = Clock::from_fn(later);
    assert!(!listed(&trial).await?);
    trial.end().await;
    Ok(())
}

/// A sweep comes between the name of a further attempt and that attempt: what it reads is how the
/// one before ended.
#[tokio::test(flavor = "multi_thread")]
async fn t27_a_name_is_not_forgotten_for_how_an_earlier_attempt_ended() -> Tested {
    let trial = trial().await?;
    let acme = CustomerId::new("acme")?;
    let request = trial.planned(4).await?;
    let key = keys::request(&request.name);
    let ended = |r: &mut Request| {
        r.outcome = Some(Outcome::Failure);
        r.told = true;
    };
    trial.edit(&key, ended).await?;
    let listed = async || -> Result<bool, DeliveryError> {
        reconcile(&trial.manager, None).await?;
        let names = unfinished::list(&trial.manager, &acme).await?;
        Ok(names.contains_key(&request.name))
    };
    let next = request.opened.plus(1);
    unfinished::remember(&trial.manager, &request.name, next).await?;
    assert!(listed().await?, "the next attempt is lost");
    // A run that lost the race against a later attempt takes nothing back.
    unfinished::remember(&trial.manager, &request.name, request.opened).await?;
    assert!(listed().await?, "the next attempt is lost");
    trial.edit(&key, |r: &mut Request| r.opened = next).await?;
    assert!(!listed().await?, "what has ended is looked at for ever");
    trial.end().await;
    Ok(())
}

/// What an auditor asks first when an approval is missing, or a token was used: what was the rule,
/// what was the credential, and since when.
#[tokio::test(flavor = "multi_thread")]
async fn t23_gates_and_credentials_that_changed_are_in_the_log_before_anything_under_them() -> Tested
{
    let mut trial = trial().await?;
    let commit = trial.push(3).await?;
    trial.open(Event::Push, &commit).await?;
    let gates = &mut trial.manager.estate.settings.gates;
    gates.insert(EnvironmentId::new("production")?, GateRule::default());
    let commit = trial.push(4).await?;
    trial.open(Event::Push, &commit).await?;
    // A credential that is active, revoked, and gone; nothing is said where nothing changed.
    let path = "customers/acme/metadata.yaml";
    let plain = trial.manager.estate.files.get(path).ok_or(path)?.to_vec();
    for status in ["active", "active", "revoked", ""] {
        let mut text = String::from_utf8(plain.clone())?;
        if !status.is_empty() {
            text.push_str(&format!("credentials:\n  dispatch:\n    purpose: dispatch\n    kind: github-fine-grained\n    status: {status}\n    owner: alice\n"));
        }
        let mut files = trial.manager.estate.files.clone();
        files.insert(path, text.as_bytes());
        let gates = trial.manager.estate.settings.gates.clone();
        trial.manager.estate = Estate::read(files)?;
        trial.manager.estate.settings.gates = gates;
        trial.open(Event::Push, &commit).await?;
    }
    let folder = trial.stage.store_dir().join("audit/records/acme");
    let mut files: Vec<_> = std::fs::read_dir(folder)?
        .map(|e| e.map(|e| e.path()))
        .collect::<Result<_, _>>()?;
    files.sort();
    let mut said = Vec::new();
    for file in files {
        let record: Value = serde_json::from_slice(&std::fs::read(file)?)?;
        let event = &record["event"];
        let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
        let detail = match event["kind"].as_str() {
            Some("settings-changed") => {
                let production = event["gates"].as_array().and_then(|g| g.last());
                production.map_or_else(String::new, |g| g["approval"].to_string())
            }
            Some("credentials-changed") => text(&event["credentials"][0]["status"]),
            _ => continue,
        };
        said.push((text(&event["kind"]), detail));
    }
    let expected = [
        ("settings-changed", "true"),
        ("settings-changed", "false"),
        ("credentials-changed", "active"),
        ("credentials-changed", "revoked"),
        ("credentials-changed", "gone"),
    ];
    let expected = expected.map(|(kind, detail)| (kind.to_owned(), detail.to_owned()));
    assert_eq!(said, expected);
    trial.end().await;
    Ok(())
}
