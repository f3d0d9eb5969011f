//! A secret that two customers have, as a list in plain text may bring it along: neither is cut
//! off by what is done about the other.

mod support;

use serde_json::{Value, json};
use std::error::Error;
use support::Tested;
use support::registry::World;

type Made<T> = Result<T, Box<dyn Error>>;

const BOTH: &str = "`registry-pull` of customer `beta`";

/// `acme` and `beta` with one and the same token, out of a list.
async fn world() -> Made<(World, String)> {
    let world = World::new().await?;
    let token = world.pull_token("ops-pull").await?;
    let list = json!({"customers": [
        {"name": "acme", "email": "ops@acme.test", "token": token, "added_date": "2024-05-01", "status": "active"},
        {"name": "beta", "email": "ops@beta.test", "token": token, "added_date": "2024-06-01", "status": "active"},
    ]});
    let file = world.dir.path().join("customers.json");
    std::fs::write(&file, list.to_string())?;
    world.nothing_leaked(&[], &[&file])?;
    let name = file.display().to_string();
    world.ok(&["import", "--format", "cased", &name], "")?;
    Ok((world, token))
}

async fn works(world: &World, token: &str) -> bool {
    let call = world.server.call_as(token, "GET", "/user", Value::Null);
    call.await.0 == 200
}

/// Runs `customer credential …`, which must end with `code`; what it said on standard error.
fn says(world: &World, code: i32, args: &[&str], input: &str) -> Made<String> {
    let said = world.run(&[&["credential"], args].concat(), input)?;
    assert_eq!(said.code, code, "{args:?}: {}", said.all());
    Ok(said.err)
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_a_rotation_of_what_two_have_ends_when_both_have_another() -> Tested {
    let (world, both) = world().await?;
    let (one, two) = (
        world.pull_token("ops-pull").await?,
        world.pull_token("ops-pull").await?,
    );
    let acme = ["rotate", "acme", "registry-pull"];
    let beta = ["rotate", "beta", "registry-pull"];
    let held = says(&world, 1, &[&acme[..], &["--now"]].concat(), &one)?;
    let error = held.split("error: ").nth(1).unwrap_or_default();
    insta::assert_snapshot!(error, @r"
    `registry-pull` is not revoked and stays `rotating`, because it is the same secret as `registry-pull` of customer `beta`, which would be cut off; everything else is done
      hint: bring theirs to an end too: `tenantry customer credential rotate beta registry-pull`; the last one revokes the secret for all. Then run this command once more
    ");
    assert!(works(&world, &both).await && works(&world, &one).await);
    assert!(world.entry("acme").contains("status: rotating"));
    assert!(world.kept("acme", "registry-pull")?.is_some());
    // A second time is no way around it.
    says(&world, 1, &[&acme[..], &["--now"]].concat(), "")?;
    assert!(works(&world, &both).await);

    let ended = says(&world, 0, &[&beta[..], &["--now"]].concat(), &two)?;
    assert!(ended.contains("customer `acme`"), "{ended}");
    assert!(!works(&world, &both).await);
    assert!(works(&world, &one).await && works(&world, &two).await);
    says(&world, 0, &acme, "")?;
    for customer in ["acme", "beta"] {
        let entry = world.entry(customer);
        assert!(entry.contains("status: revoked"), "{entry}");
        assert_eq!(world.kept(customer, "registry-pull")?, None);
    }
    Ok(())
}

/// Who waits for jobs to end, or whose new one does not work, needs the old one still.
#[tokio::test(flavor = "multi_thread")]
async fn t31_what_two_have_outlives_the_overlap_of_both() -> Tested {
    let (world, both) = world().await?;
    let (one, two) = (
        world.pull_token("ops-pull").await?,
        world.pull_token("ops-pull").await?,
    );
    let acme = ["rotate", "acme", "registry-pull"];
    let beta = ["rotate", "beta", "registry-pull", "--now"];
    says(&world, 0, &acme, &one)?;
    let held = says(&world, 1, &beta, &two)?;
    assert!(
        held.contains("`registry-pull` of customer `acme`"),
        "{held}"
    );
    assert!(works(&world, &both).await);
    // What is to serve beta is taken away before acme comes to its end.
    let kept = world.server.state().tokens.remove(&two).ok_or("two")?;
    let held = says(&world, 1, &[&acme[..], &["--now"]].concat(), "")?;
    assert!(held.contains(BOTH), "{held}");
    assert!(works(&world, &both).await);
    world.server.state().tokens.insert(two.clone(), kept);
    says(&world, 0, &[&acme[..], &["--now"]].concat(), "")?;
    assert!(!works(&world, &both).await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_a_revocation_cuts_nobody_else_off() -> Tested {
    let (world, both) = world().await?;
    let mut table = String::new();
    for args in [
        &["revoke", "acme", "registry-pull"][..],
        &["revoke", "acme", "--all", "--yes"],
        &["revoke", "acme", "registry-pull", "--stdin"],
    ] {
        table.push_str(&world.refused(args, &both)?);
    }
    insta::assert_snapshot!(table, @r"
    acme/registry-pull: revoke at GitHub; this cuts off `registry-pull` of customer `beta`, the same secret
    error: revoking `registry-pull` of customer `acme` would cut off `registry-pull` of customer `beta`: it is the same secret; nothing was revoked
      hint: give the others one of their own first: `tenantry customer credential rotate beta registry-pull`; --shared cuts them off
    acme/registry-pull: revoke at GitHub; this cuts off `registry-pull` of customer `beta`, the same secret
    error: revoking `registry-pull` of customer `acme` would cut off `registry-pull` of customer `beta`: it is the same secret; nothing was revoked
      hint: give the others one of their own first: `tenantry customer credential rotate beta registry-pull`; --shared cuts them off
    acme/registry-pull: revoke at GitHub; this cuts off `registry-pull` of customer `beta`, the same secret
    error: revoking `registry-pull` of customer `acme` would cut off `registry-pull` of customer `beta`: it is the same secret; nothing was revoked
      hint: give the others one of their own first: `tenantry customer credential rotate beta registry-pull`; --shared cuts them off
    ");
    assert!(works(&world, &both).await);
    let dry = world.ok(
        &[
            "revoke",
            "acme",
            "registry-pull",
            "--dry-run",
            "--format",
            "json",
        ],
        "",
    )?;
    assert_eq!(
        dry.json()?["cuts_off"],
        json!([{"customer": "beta", "credential": "registry-pull"}])
    );

    // The other one has another: nobody needs this any more.
    let new = world.pull_token("ops-pull").await?;
    says(
        &world,
        1,
        &["rotate", "beta", "registry-pull", "--now"],
        &new,
    )?;
    world.ok(&["revoke", "acme", "registry-pull"], "")?;
    assert!(!works(&world, &both).await && works(&world, &new).await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_two_have_is_revoked_for_both_or_with_open_eyes() -> Tested {
    // Both are chosen.
    let (world, both) = world().await?;
    let every = ["revoke", "--every-customer", "--owner", "ops-pull", "--yes"];
    world.ok(&every, "")?;
    assert!(!works(&world, &both).await);

    // It is said whom it cuts off.
    let (world, both) = self::world().await?;
    let said = world.ok(&["revoke", "acme", "registry-pull", "--shared"], "")?;
    let cut = format!("this cuts off {BOTH}, the same secret");
    assert!(said.err.contains(&cut), "{}", said.err);
    assert!(said.err.contains("cut off with it"), "{}", said.err);
    assert!(!works(&world, &both).await);

    // A value that was left behind is somebody else's all the same.
    let (world, both) = self::world().await?;
    std::fs::remove_dir_all(world.root().join("customers/acme"))?;
    let refused = world.refused(&["revoke", "acme", "registry-pull"], "")?;
    assert!(refused.contains(BOTH), "{refused}");
    assert!(works(&world, &both).await);
    Ok(())
}
