//! One change, all the way: what a customer and a provider see, on the local GitHub with the
//! real binary as the steps of the workflows.

mod support;

use support::{Tested, expect, settings, skip, steps, tool, variables};
use tenantry::local::stage::{Engine, Hints, REVIEWER, Stage};

async fn one_change(engine: Engine, hints: Hints) -> Tested {
    let dir = tempfile::tempdir()?;
    let stage = Stage::set(settings(dir.path(), engine, hints, steps())?).await?;
    let acme = stage.tenant("acme").ok_or("acme")?.clone();

    if hints == Hints::Poll {
        // The first sweep brings everybody up.
        stage.tick().await?;
        if let Some(run) = stage.until_waiting(60).await? {
            stage.approve(run, REVIEWER).await?;
        }
        stage.server.idle().await;
    }

    // A pull request gets its plan.
    let (number, head) = stage
        .propose(&acme, "larger", &variables("shop", 4), "Larger staging")
        .await?;
    stage.server.idle().await;
    if hints == Hints::Poll {
        stage.tick().await?;
        stage.server.idle().await;
    }
    let comments = stage.comments(&acme, number).await?;
    expect(
        &stage,
        "one comment with the plan of both stacks",
        comments.len() == 1
            && comments[0].body.contains("acme/web/production")
            && comments[0].body.contains("acme/web/staging"),
    )
    .await?;
    assert_eq!(comments[0].author, stage.bot());
    let status = stage.status(&acme, &head).await?.ok_or("no status")?;
    assert_eq!(status.state, "success", "{status:?}");

    // Merged: staging is applied, production waits.
    let merged = stage.merge(&acme, number, &head).await?;
    stage.server.idle().await;
    if hints == Hints::Poll {
        stage.tick().await?;
    }
    let Some(run) = stage.until_waiting(60).await? else {
        return expect(&stage, "production waits", false).await;
    };
    let status = stage.status(&acme, &merged).await?.ok_or("no status")?;
    assert_eq!(
        (status.state.as_str(), status.description.as_str()),
        (
            "pending",
            "applied: web/staging; waiting for approval: web/production"
        )
    );

    // Approved: production is applied.
    stage.approve(run, REVIEWER).await?;
    stage.server.idle().await;
    let states: Vec<String> = stage
        .statuses(&acme, &merged)
        .await?
        .into_iter()
        .map(|s| format!("{}: {}", s.state, s.description))
        .collect();
    expect(
        &stage,
        &format!("the final status is success: {states:#?}"),
        states
            .last()
            .is_some_and(|s| s == "success: applied: web/staging, web/production"),
    )
    .await?;

    // A second sweep finds nothing to do for acme.
    stage.tick().await?;
    stage.server.idle().await;
    let again: Vec<String> = stage
        .statuses(&acme, &merged)
        .await?
        .into_iter()
        .map(|s| format!("{}: {}", s.state, s.description))
        .collect();
    assert_eq!(again, states);
    if engine == Engine::Terraform {
        for environment in ["staging", "production"] {
            assert!(
                stage
                    .state_dir()
                    .join(format!("acme/web/{environment}/terraform.tfstate"))
                    .is_file()
            );
        }
    }
    stage.server.stop().await;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_terraform() -> Tested {
    if tool("terraform").is_none() && tool("tofu").is_none() {
        return skip("direct_terraform", "terraform or tofu is not on the PATH");
    }
    one_change(Engine::Terraform, Hints::Direct).await
}

#[tokio::test(flavor = "multi_thread")]
async fn direct_argocd() -> Tested {
    one_change(Engine::Argocd, Hints::Direct).await
}

#[tokio::test(flavor = "multi_thread")]
async fn poll_argocd() -> Tested {
    one_change(Engine::Argocd, Hints::Poll).await
}
