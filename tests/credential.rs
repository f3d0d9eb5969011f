//! Credentials of customers, through the binary, with the local GitHub: recorded, kept, rotated,
//! revoked, and never seen where they do not belong.

mod support;

use serde_json::{Value, json};
use std::process::{Command, Stdio};
use support::registry::{World, steady};
use support::{Tested, path, skip, tool};

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_token_is_recorded_kept_and_shown_nowhere() -> Tested {
    let world = World::new().await?;
    let token = world.pull_token("acme-pull").await?;
    let names = [(token.as_str(), "the token")];
    let args = [
        "add",
        "acme",
        "--purpose",
        "registry-pull",
        "--owner",
        "Acme-Pull",
        "--keep",
    ];
    let dry = world.ok(&[&args[..], &["--dry-run"]].concat(), &token)?;
    assert!(!world.sealed().exists(), "{}", dry.err);
    let done = world.ok(&args, &format!("{token}\n"))?;
    assert_eq!(dry.out, done.out);
    insta::assert_snapshot!(steady(&done.all(), &names), @r#"
    change customers/acme/metadata.yaml
      + credentials:
      +   registry-pull:
      +     purpose: registry-pull
      +     kind: github-classic
      +     status: active
      +     owner: acme-pull
      +     created: "<day>"
      +     expires: "<day>"
      +     scopes: read:packages
      +     verified: "<day>"
      +     fingerprint: <fingerprint of the token>
      +     last_four: <of the token>
      +     stored: true
    note: a classic token with `read:packages` reads every package that its owner can read, not only this customer's; let an account own it that can read nothing else
    recorded as `registry-pull`; commit it
    exit 0
    "#);
    insta::assert_snapshot!(steady(&world.entry("acme"), &names), @r#"
    # The entry of acme.
    customer: acme
    name: acme
    repository: acme/app # theirs
    repository_id: 1004
    credentials:
      registry-pull:
        purpose: registry-pull
        kind: github-classic
        status: active
        owner: acme-pull
        created: "<day>"
        expires: "<day>"
        scopes: read:packages
        verified: "<day>"
        fingerprint: <fingerprint of the token>
        last_four: <of the token>
        stored: true
    "#);
    assert_eq!(
        world
            .kept("acme", "registry-pull")?
            .map(|s| s.expose().to_owned()),
        Some(token.clone())
    );

    // A second time changes nothing.
    let before = world.everything()?;
    let again = world.run(&[&["credential"], &args[..]].concat(), &token)?;
    assert_eq!(again.code, 3, "{}", again.all());
    assert_eq!(world.everything()?, before);

    let list = world.ok(&["list"], "")?;
    insta::assert_snapshot!(steady(&list.all(), &names), @r"
    CUSTOMER  CREDENTIAL     PURPOSE        STATUS  OWNER      ENDS                    KEPT
    acme      registry-pull  registry-pull  active  acme-pull  <day>, in 60 days  yes
    1 credential
    exit 0
    ");
    let show = world.ok(&["show", "acme", "registry-pull"], "")?;
    let show = show
        .all()
        .replace(&hashed(&token), "<base64 of the digest>");
    insta::assert_snapshot!(steady(&show, &names), @r"
    registry-pull
      purpose      registry-pull
      kind         github-classic
      status       active
      owner        acme-pull
      created      <day>
      ends         <day>, in 60 days
      scopes       read:packages
      verified     <day>
      fingerprint  <fingerprint of the token>
      hashed token <base64 of the digest>
      ends with    <of the token>
      value        kept, encrypted
    exit 0
    ");
    let json = world.ok(&["list", "--format", "json"], "")?.json()?;
    let entry = &json["credentials"][0];
    assert_eq!(entry["days_left"], 60, "{json}");
    assert_eq!(
        (&entry["stored"], &entry["scopes"]),
        (&json!(true), &json!(["read:packages"]))
    );
    // What the registry says of customers counts them.
    let customers = world.run(&["list"], "")?;
    insta::assert_snapshot!(customers.out, @r"
    CUSTOMER  STATUS  PRODUCTS  CREDENTIALS  NEXT EXPIRY
    acme      active  web       1            60d
    beta      active  web       -            -
    ");
    let customers = world.run(&["list", "--format", "json"], "")?.json()?;
    assert_eq!(customers["customers"][0]["open_credentials"], 1);
    assert_eq!(customers["customers"][0]["days_to_next_expiry"], 60);
    assert_eq!(
        customers["customers"][1]["days_to_next_expiry"],
        Value::Null
    );
    // Everything, as far as it is known: this estate has no store.
    let wide = world.run(&["list", "--wide"], "")?;
    assert_eq!(wide.code, 0, "{}", wide.all());
    assert!(wide.err.contains("no store is set"), "{}", wide.err);
    assert!(!wide.out.contains("LAST DEPLOYMENT"), "{}", wide.out);
    assert_eq!(world.run(&["list", "--deployments"], "")?.code, 2);
    let wide = world.run(&["show", "acme", "--wide"], "")?;
    assert!(wide.err.contains("no store is set"), "{}", wide.err);
    insta::assert_snapshot!(steady(&wide.out.replace(&token[token.len() - 4..], "<end>"), &names), @r"
    acme
      name         acme
      status       active
      repository   acme/app (id 1004)
      product      web, file infra/variables.yml
      credentials  1, next expiry 60d

    Stacks
    STACK                NOTE
    acme/web/staging     -
    acme/web/production  -

    Credentials
    CREDENTIAL     PURPOSE        STATUS  ENDS                    OWNER      KEPT  KIND            LAST FOUR  CREATED     SCOPES         PLACES
    registry-pull  registry-pull  active  <day>, in 60 days  acme-pull  yes   github-classic  <end>       <day>  read:packages  -
    ");
    let one = world
        .run(&["show", "acme", "--format", "json"], "")?
        .json()?;
    assert_eq!(one["credentials"][0]["credential"], "registry-pull");
    assert_eq!(one["findings"], json!([]), "{one}");

    // Without a terminal nothing is revealed, and that is no reason to write anything down.
    let refused = world.refused(&["show", "acme", "registry-pull", "--reveal"], "")?;
    assert!(refused.contains("on a terminal only"), "{refused}");
    world.nothing_leaked(&[&token], &[])
}

fn hashed(token: &str) -> String {
    use base64::Engine as _;
    use sha2::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha2::Sha256::digest(token))
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_what_is_refused_is_not_shown_and_changes_nothing() -> Tested {
    let world = World::new().await?;
    let pull = world.pull_token("acme-pull").await?;
    let classic = world
        .token(
            "olivia",
            json!({"scopes": ["repo", "read:packages", "admin:org"]}),
        )
        .await?;
    let nothing = world.token("olivia", json!({"scopes": []})).await?;
    let fine = world.dispatch_token("ops-dispatch", None).await?;
    let dead = "ghp_0123456789abcdefghijABCDEFGHIJ012345".to_owned();
    let run = "ghs_0123456789abcdefghijABCDEFGHIJ012345".to_owned();
    world.ok(&["add", "beta", "--purpose", "registry-pull"], &pull)?;
    let mut table = String::new();
    let add = ["add", "acme", "--purpose"];
    for (what, args, input) in [
        ("does too much", &["registry-pull"][..], classic.as_str()),
        ("does too much for hints", &["dispatch"], &classic),
        ("cannot pull", &["registry-pull"], &nothing),
        ("fine-grained, for the registry", &["registry-pull"], &fine),
        (
            "of somebody else",
            &["dispatch", "--owner", "olivia"],
            &fine,
        ),
        ("does not work", &["registry-pull"], &dead),
        ("of a run", &["source-read"], &run),
        ("another customer's", &["registry-pull"], &pull),
        ("empty", &["registry-pull"], "\n"),
        ("two lines", &["registry-pull"], "hunter2\nhunter3\n"),
        ("blanks", &["registry-pull"], " hunter2"),
        ("no purpose", &["Registry Pull"], &pull),
        (
            "has ended",
            &["backup", "--expires", "2020-01-31"],
            "hunter2-hunter2",
        ),
    ] {
        let args = [&add[..], args].concat();
        table.push_str(&format!("# {what}\n{}", world.refused(&args, input)?));
    }
    // In an argument: neither of these is shown, recognised or not.
    for args in [
        &["add", &pull, "--purpose", "registry-pull"][..],
        &[
            "add",
            "acme",
            "hunter2-hunter2",
            "--purpose",
            "registry-pull",
        ],
        &["add", "acme", "--purpose", &dead],
        &[
            "add",
            "acme",
            "--purpose",
            "registry-pull",
            &format!("--token={fine}"),
        ],
        &["show", "acme", "registry-pull", "hunter2-hunter2"],
        &["revoke", "beta", &pull],
    ] {
        table.push_str(&format!("# in an argument\n{}", world.refused(args, "")?));
    }
    insta::assert_snapshot!(steady(&table, &[]), @r"
    # does too much
    error: the token may do more than `registry-pull` needs: `repo` is not needed to pull images; `read:packages` is enough; `admin:org` is not needed to pull images; `read:packages` is enough
      hint: make a narrower one; --accept REASON takes it all the same and records why
    # does too much for hints
    error: the token may do more than `dispatch` needs: `repo` reads and writes every repository of its owner; use a fine-grained token for one repository; `read:packages` is not needed for `dispatch`; `admin:org` is needed for no purpose that tenantry knows
      hint: make a narrower one; --accept REASON takes it all the same and records why
    # cannot pull
    error: the token does not fit: it has not the scope `read:packages`, so it cannot pull
      hint: make another one
    # fine-grained, for the registry
    error: the token does not fit: GitHub's container registry accepts classic tokens only; make a classic token with the scope `read:packages` and nothing else
      hint: make another one
    # of somebody else
    error: the token belongs to `ops-dispatch`, not to `olivia`
      hint: use a token of that account, or leave out --owner
    # does not work
    error: GitHub does not take this token: it is mistyped, has expired, or was revoked
      hint: make another one: https://github.com/settings/tokens
    # of a run
    error: the token does not fit: a token of an installation ends after an hour; let tenantry use the App itself (TENANTRY_APP_ID, TENANTRY_APP_KEY)
      hint: make another one
    # another customer's
    error: customer `beta` has this very secret, as `registry-pull`
      hint: each customer needs one of its own, or one of them can never be cut off alone
    # empty
    error: the secret is empty
      hint: give the secret and nothing else on standard input, such as with `pbpaste | tenantry customer credential add …`
    # two lines
    error: the secret has several lines or a control character
      hint: give the secret and nothing else on standard input, such as with `pbpaste | tenantry customer credential add …`
    # blanks
    error: the secret begins or ends with a blank
      hint: give the secret and nothing else on standard input, such as with `pbpaste | tenantry customer credential add …`
    # no purpose
    error: invalid value 'Registry Pull' for '--purpose <PURPOSE>': the purpose of a credential must be 1 to 40 of a-z, 0-9 and `-`, with a letter or digit at both ends (for example `registry-pull`), got `Registry Pull`

    For more information, try '--help'.
    # has ended
    error: it ended on <day>
      hint: make another one
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    # in an argument
    error: there is an argument that may be a secret; it is not shown here
      hint: a secret comes from standard input or is asked for. If it was one, revoke it: other processes of this machine could read it, and it stands in the shell's history
    ");
    assert!(!world.sealed().exists());
    world.nothing_leaked(
        &[
            &pull, &classic, &nothing, &fine, &dead, &run, "hunter2", "hunter3",
        ],
        &[],
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broad_token_and_a_foreign_secret_are_taken_with_a_reason() -> Tested {
    let world = World::new().await?;
    let broad = world.token("olivia", json!({"scopes": ["repo"]})).await?;
    let writes = json!({"repo": "ops/infra-manager", "user": "olivia", "permission": "write"});
    world.call("POST", "/_local/collaborators", writes).await?;
    world.ok(
        &[
            "add",
            "acme",
            "--purpose",
            "dispatch",
            "--accept",
            "until the App is there",
        ],
        &broad,
    )?;
    let entry = world.entry("acme");
    assert!(
        entry.contains("accepted: until the App is there\n"),
        "{entry}"
    );
    // Of what a person has made up, neither a fingerprint nor an end stands in git.
    let said = world.ok(
        &[
            "add",
            "acme",
            "--purpose",
            "backup",
            "--expires",
            "2031-01-31",
            "--keep",
        ],
        "hunter2-hunter2",
    )?;
    assert!(said.err.contains("could be guessed"), "{}", said.err);
    let entry = world.entry("acme");
    let part = entry.split("backup:").nth(1).unwrap_or_default();
    assert!(
        part.contains("kind: other")
            && !part.contains("fingerprint")
            && !part.contains("last_four"),
        "{entry}"
    );
    world.nothing_leaked(&[&broad, "hunter2"], &[])
}

/// Its own terminal, made by `script`. Each input is typed once the program has asked for it.
fn on_a_terminal(
    world: &World,
    line: &str,
    inputs: &[&str],
) -> Result<String, Box<dyn std::error::Error>> {
    use std::io::{Read as _, Write as _};
    let script = tool("script").ok_or("script is not there")?;
    let mut child = Command::new(script)
        .args(["-qec", line, "/dev/null"])
        .env_clear()
        .env("PATH", path())
        .env("HOME", world.dir.path().join("home"))
        .env("USER", "olivia")
        .env("GITHUB_API_URL", &world.server.url)
        .current_dir(world.root())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().ok_or("stdin")?;
    let mut stdout = child.stdout.take().ok_or("stdout")?;
    let mut said = Vec::new();
    let mut inputs = inputs.iter();
    let mut bytes = [0; 4_096];
    loop {
        let read = stdout.read(&mut bytes)?;
        if read == 0 {
            break;
        }
        said.extend_from_slice(&bytes[..read]);
        if said.ends_with(b": ")
            && let Some(input) = inputs.next()
        {
            stdin.write_all(input.as_bytes())?;
        }
    }
    child.wait()?;
    Ok(String::from_utf8(said)?)
}

fn command_line(args: &str) -> String {
    format!(
        "{} customer credential {args}",
        env!("CARGO_BIN_EXE_tenantry")
    )
}

/// Ctrl-C at the question: nothing was written, and what is typed then is shown again.
#[tokio::test(flavor = "multi_thread")]
async fn a_person_who_gives_up_has_their_terminal_back() -> Tested {
    if tool("script").is_none() {
        return skip(
            "a_person_who_gives_up_has_their_terminal_back",
            "script is not installed",
        );
    }
    let world = World::new().await?;
    let before = world.everything()?;
    let add = command_line("add acme --purpose registry-pull --keep");
    let line = format!("trap : INT; {add}; echo code $?; stty -a");
    let said = on_a_terminal(&world, &line, &["half-a-secr\x03"])?;
    assert!(
        said.contains("interrupted; nothing more was begun") && said.contains("code 1\r"),
        "{said}"
    );
    assert!(
        said.contains(" echo ") && !said.contains("-echo "),
        "{said}"
    );
    assert!(!said.contains("half-a-secr"), "{said}");
    assert_eq!(world.everything()?, before);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_types_unseen_and_a_look_is_written_down() -> Tested {
    if tool("script").is_none() {
        return skip(
            "a_person_types_unseen_and_a_look_is_written_down",
            "script is not installed",
        );
    }
    let world = World::new().await?;
    let token = world.pull_token("acme-pull").await?;
    let add = command_line("add acme --purpose registry-pull --keep");
    let typed = format!("{token}\n");
    let said = on_a_terminal(
        &world,
        &add,
        &[&typed, "correct horse\n", "correct horse\n"],
    )?;
    assert!(said.contains("recorded as `registry-pull`"), "{said}");
    assert!(!said.contains(&token) && !said.contains("horse"), "{said}");
    let show = command_line("show acme registry-pull --reveal");
    let wrong = on_a_terminal(&world, &show, &["battery\n"])?;
    assert!(
        wrong.contains("cannot be opened with this passphrase") && !wrong.contains(&token),
        "{wrong}"
    );
    let seen = on_a_terminal(&world, &show, &["correct horse\n"])?;
    assert!(seen.contains(&token), "{seen}");
    let mut log = world.command(&[
        "credential",
        "show",
        "acme",
        "registry-pull",
        "--log",
        "--format",
        "json",
    ]);
    log.env_remove("TENANTRY_CREDENTIALS_IDENTITY")
        .env("TENANTRY_CREDENTIALS_PASSPHRASE", "correct horse");
    let log = world.finish(log, "")?.json()?;
    let what: Vec<&Value> = log["log"]
        .as_array()
        .ok_or("log")?
        .iter()
        .map(|l| &l["what"])
        .collect();
    assert_eq!(what, ["stored", "revealed"], "{log}");
    assert_eq!(log["log"][1]["by"], "olivia");
    world.nothing_leaked(&[&token, "correct horse"], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_a_rotation_overlaps_and_a_revocation_ends_it() -> Tested {
    let world = World::new().await?;
    let old = world.dispatch_token("ops-dispatch", None).await?;
    let new = world.dispatch_token("ops-dispatch", None).await?;
    let names = [(old.as_str(), "the old one"), (new.as_str(), "the new one")];
    world.ok(
        &[
            "add",
            "acme",
            "--purpose",
            "dispatch",
            "--keep",
            "--to",
            "acme/app=MANAGER_REPO_PAT",
        ],
        &old,
    )?;
    assert_eq!(
        world.secret("acme/app", "MANAGER_REPO_PAT"),
        Some(old.clone())
    );
    let rotate = ["rotate", "acme", "dispatch"];
    let dry = world.ok(&[&rotate[..], &["--dry-run"]].concat(), &new)?;
    insta::assert_snapshot!(dry.out, @r"
    rotate credential `dispatch` of customer `acme`
      1. verify the new secret and put it into the encrypted file
      2. record it; `dispatch` is `rotating` and stays valid
      3. set the secret `MANAGER_REPO_PAT` of `acme/app` to the new one
      4. wait 6 hours, because a job that has begun uses the old one to its end
      5. verify the new one once more, then revoke the old one at GitHub
    ");
    let refused = world.refused(&rotate, &old)?;
    assert!(refused.contains("recorded already"), "{refused}");

    // Whoever reads the secret at any moment, and whoever has read it before, gets through.
    let begun = world.ok(&rotate, &new)?;
    assert_eq!(
        world.secret("acme/app", "MANAGER_REPO_PAT"),
        Some(new.clone())
    );
    assert!(world.dispatches(&old).await && world.dispatches(&new).await);
    insta::assert_snapshot!(steady(&times(&begun.all()), &names), @r"
    the new secret is verified, and in the encrypted file as `dispatch-2`
    `dispatch-2` is recorded; `dispatch` is rotating and stays valid
    the secret `MANAGER_REPO_PAT` of `acme/app` is set to the new one
    the time in which both are valid has begun
    rotate credential `dispatch` of customer `acme`
      1. verify the new secret and put it into the encrypted file
      2. record it; `dispatch` is `rotating` and stays valid
      3. set the secret `MANAGER_REPO_PAT` of `acme/app` to the new one
      4. wait 6 hours, because a job that has begun uses the old one to its end
      5. verify the new one once more, then revoke the old one at GitHub
    the new secret is verified, and in the encrypted file as `dispatch-2`
    note: GitHub does not say what a fine-grained token may do; look at its page that it is for one repository, with `contents: write` and nothing else
    `dispatch-2` is recorded; `dispatch` is rotating and stays valid
    the secret `MANAGER_REPO_PAT` of `acme/app` is set to the new one
    the time in which both are valid has begun
    both are valid until <day><time>; run the same command after that to revoke the old one
    exit 0
    ");
    let check = world.run(&["credential", "check"], "")?;
    assert_eq!(check.code, 0, "{}", check.all());
    let waits = world.run(&[&["credential"], &rotate[..]].concat(), "")?;
    assert_eq!(waits.code, 3, "{}", waits.all());
    assert!(world.dispatches(&old).await);

    // The end: the old one is refused, the new one is not.
    let ended = world.ok(&[&rotate[..], &["--now"]].concat(), "")?;
    assert!(!world.dispatches(&old).await, "{}", ended.all());
    assert!(world.dispatches(&new).await);
    insta::assert_snapshot!(steady(&world.entry("acme"), &names), @r#"
    # The entry of acme.
    customer: acme
    name: acme
    repository: acme/app # theirs
    repository_id: 1004
    credentials:
      dispatch:
        purpose: dispatch
        kind: github-fine-grained
        status: revoked
        owner: ops-dispatch
        created: "<day>"
        expires: "<day>"
        verified: "<day>"
        fingerprint: <fingerprint of the old one>
        last_four: <of the old one>
        revoked: "<day>"
      dispatch-2:
        purpose: dispatch
        kind: github-fine-grained
        status: active
        owner: ops-dispatch
        created: "<day>"
        expires: "<day>"
        verified: "<day>"
        fingerprint: <fingerprint of the new one>
        last_four: <of the new one>
        stored: true
        replaces: dispatch
        places:
          acme/app: MANAGER_REPO_PAT
    "#);
    assert_eq!(world.kept("acme", "dispatch")?, None);
    assert!(world.kept("acme", "dispatch-2")?.is_some());
    let again = world.run(&[&["credential"], &rotate[..]].concat(), "")?;
    assert_eq!(again.code, 3, "{}", again.all());

    // Cut off: one command, and no dispatch of this customer arrives any more.
    let cut = world.ok(&["revoke", "acme", "--all"], "")?;
    assert!(!world.dispatches(&new).await, "{}", cut.all());
    assert!(world.content()?.kept.is_empty());
    world.nothing_leaked(&[&old, &new], &[])
}

fn times(text: &str) -> String {
    let mut out = text.to_owned();
    while let Some(at) = out.find("T").and_then(|_| {
        (0..out.len()).find(|i| {
            out.get(*i..i + 10).is_some_and(|t| {
                t.starts_with('T')
                    && t.ends_with('Z')
                    && t[1..9].bytes().all(|b| b.is_ascii_digit() || b == b':')
            })
        })
    }) {
        out.replace_range(at..at + 10, "<time>");
    }
    out
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_a_new_one_that_does_not_work_keeps_the_old_one_valid() -> Tested {
    let world = World::new().await?;
    let old = world.dispatch_token("ops-dispatch", None).await?;
    let new = world.dispatch_token("ops-dispatch", None).await?;
    world.ok(&["add", "acme", "--purpose", "dispatch"], &old)?;
    world.ok(&["rotate", "acme", "dispatch"], &new)?;
    // Somebody takes the new one away before the end.
    world.server.state().tokens.remove(&new);
    let refused = world.refused(&["rotate", "acme", "dispatch", "--now"], "")?;
    assert!(refused.contains("the old one stays valid"), "{refused}");
    assert!(world.dispatches(&old).await);
    // The value of the old one was not kept: it is revoked from standard input, and nothing else is.
    let other = world.dispatch_token("ops-dispatch", None).await?;
    let refused = world.refused(&["revoke", "acme", "dispatch", "--stdin"], &other)?;
    assert!(
        refused.contains("not the secret that is recorded"),
        "{refused}"
    );
    assert!(world.dispatches(&other).await);
    world.ok(&["revoke", "acme", "dispatch", "--stdin"], &old)?;
    assert!(!world.dispatches(&old).await);
    Ok(())
}

/// GitHub takes the token, and no hint sent with it would arrive.
#[tokio::test(flavor = "multi_thread")]
async fn t31_a_new_one_for_another_repository_keeps_the_old_one_in_use() -> Tested {
    let world = World::new().await?;
    let old = world.dispatch_token("ops-dispatch", None).await?;
    let add = ["add", "acme", "--purpose", "dispatch", "--keep", "--to"];
    world.ok(&[&add[..], &["acme/app=MANAGER_REPO_PAT"]].concat(), &old)?;
    let rotate = ["rotate", "acme", "dispatch"];
    let elsewhere = json!({"repos": {"acme/app": {"contents": "write"}}});
    let reads = json!({"repos": {"ops/infra-manager": {"contents": "read"}}});
    let mut table = String::new();
    for rights in [&elsewhere, &reads] {
        let new = world.token("ops-dispatch", rights.clone()).await?;
        table.push_str(&world.refused(&rotate, &new)?);
        let refused = world.refused(&["add", "beta", "--purpose", "dispatch"], &new)?;
        assert!(refused.contains("the token does not fit"), "{refused}");
        // What is for reading one customer's files reads those, and no other's.
        let source = ["--purpose", "source-read"];
        let refused = world.refused(&[&["add", "beta"], &source[..]].concat(), &new)?;
        assert!(
            refused.contains("may not read the files of `beta/app`"),
            "{refused}"
        );
        if *rights == elsewhere {
            world.ok(&[&["add", "acme"], &source[..]].concat(), &new)?;
        }
    }
    insta::assert_snapshot!(table, @r"
    rotate credential `dispatch` of customer `acme`
      1. verify the new secret and put it into the encrypted file
      2. record it; `dispatch` is `rotating` and stays valid
      3. set the secret `MANAGER_REPO_PAT` of `acme/app` to the new one
      4. wait 6 hours, because a job that has begun uses the old one to its end
      5. verify the new one once more, then revoke the old one at GitHub
    error: the token does not fit: it may not write to `ops/infra-manager` (`contents: write`), so no hint sent with it arrives
      hint: let it reach that repository, on its page (an organisation may have to approve it), or make another one
    rotate credential `dispatch` of customer `acme`
      1. verify the new secret and put it into the encrypted file
      2. record it; `dispatch` is `rotating` and stays valid
      3. set the secret `MANAGER_REPO_PAT` of `acme/app` to the new one
      4. wait 6 hours, because a job that has begun uses the old one to its end
      5. verify the new one once more, then revoke the old one at GitHub
    error: the token does not fit: it may not write to `ops/infra-manager` (`contents: write`), so no hint sent with it arrives
      hint: let it reach that repository, on its page (an organisation may have to approve it), or make another one
    ");
    assert!(world.entry("acme").contains("status: active"));
    assert_eq!(
        world.secret("acme/app", "MANAGER_REPO_PAT"),
        Some(old.clone())
    );

    // It reaches the manager at first, and not any more at the end.
    let new = world.dispatch_token("ops-dispatch", None).await?;
    world.ok(&rotate, &new)?;
    let mut less = elsewhere.clone();
    less["token"] = json!(new);
    world.token("ops-dispatch", less).await?;
    let refused = world.refused(&["rotate", "acme", "dispatch", "--now"], "")?;
    assert!(refused.contains("the old one stays valid"), "{refused}");
    assert!(world.dispatches(&old).await);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t31_what_somebody_has_is_revoked_when_they_have_the_new_one() -> Tested {
    let world = World::new().await?;
    let old = world.pull_token("acme-pull").await?;
    let new = world.pull_token("acme-pull").await?;
    let add = ["add", "acme", "--purpose", "registry-pull", "--keep"];
    world.ok(&[&add[..], &["--handed-over"]].concat(), &old)?;
    let rotate = ["rotate", "acme", "registry-pull", "--overlap", "0m"];
    let refused = world.run(&[&["credential"], &rotate[..]].concat(), &new)?;
    assert!(
        refused
            .err
            .contains("then run the same command with --handed-over"),
        "{}",
        refused.all()
    );
    let works = |token: String| {
        let world = &world;
        async move {
            world
                .server
                .call_as(&token, "GET", "/user", Value::Null)
                .await
                .0
                == 200
        }
    };
    assert!(works(old.clone()).await && works(new.clone()).await);
    world.ok(&[&rotate[..], &["--handed-over"]].concat(), "")?;
    assert!(!works(old.clone()).await && works(new.clone()).await);
    assert_eq!(world.entry("acme").matches("handed_over: ").count(), 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_revoked_from_here_is_named_with_its_place() -> Tested {
    let world = World::new().await?;
    world.ok(
        &["add", "acme", "--purpose", "registry-pull", "--keep"],
        "glpat-0123456789abcdefghij",
    )?;
    let said = world.refused(&["revoke", "acme", "registry-pull"], "")?;
    insta::assert_snapshot!(said, @r#"
    acme/registry-pull: cannot be revoked from here: GitLab: the owner's "Access tokens"
    error: 1 of 1 could not be revoked from here:
      `registry-pull` of customer `acme`: GitHub's interface for revoking does not take this kind; revoke it there: GitLab: the owner's "Access tokens"
      hint: when that is done, run the same command with --by-hand
    "#);
    world.ok(&["revoke", "acme", "registry-pull", "--by-hand"], "")?;
    assert!(
        world.entry("acme").contains("status: revoked"),
        "{}",
        world.entry("acme")
    );
    assert!(world.content()?.kept.is_empty());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn many_are_revoked_in_calls_of_a_thousand() -> Tested {
    let world = World::new().await?;
    let mut list = Vec::new();
    for i in 0..1_100 {
        let token = format!("ghp_{i:04}56789abcdefghijABCDEFGHIJ012345");
        world.customer(&format!("c{i}"), 10_000 + i)?;
        list.push(json!({"name": format!("c{i}"), "token": token}));
    }
    let file = world.dir.path().join("customers.json");
    std::fs::write(&file, json!({"customers": list}).to_string())?;
    let file = file.display().to_string();
    let done = world.ok(
        &[
            "import",
            "--from",
            "cased",
            "--offline",
            &file,
            "--purpose",
            "dispatch",
        ],
        "",
    )?;
    assert!(done.err.contains("1100 tokens are in"), "{}", done.err);
    let args = ["revoke", "--every-customer", "--purpose", "dispatch"];
    let refused = world.refused(&args, "")?;
    assert!(
        refused.contains("1100 credentials would be revoked"),
        "{refused}"
    );
    world.ok(&[&args[..], &["--yes"]].concat(), "")?;
    let calls = world
        .server
        .state()
        .journal
        .entries
        .iter()
        .filter(|e| e["path"] == "/credentials/revoke")
        .count();
    assert_eq!(calls, 2);
    assert!(world.content()?.kept.is_empty());
    assert!(world.entry("c1099").contains("status: revoked"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_check_finds_what_is_planted() -> Tested {
    let world = World::new().await?;
    let pull = world.pull_token("acme-pull").await?;
    world.ok(
        &["add", "acme", "--purpose", "registry-pull", "--keep"],
        &pull,
    )?;
    world.ok(
        &[
            "add",
            "acme",
            "--purpose",
            "backup",
            "--keep",
            "--expires",
            "2031-01-31",
        ],
        "hunter2-hunter2",
    )?;
    let clean = world.run(&["credential", "check"], "")?;
    assert_eq!(clean.code, 0, "{}", clean.all());
    let soon = world.run(&["credential", "check", "--within", "60d"], "")?;
    assert!(soon.out.contains("credential-expiring"), "{}", soon.all());
    let plant = |id: &str, lines: &str| {
        format!("  {id}:\n    purpose: dispatch\n    kind: github-classic\n{lines}")
    };
    let print = format!("sha256:{}", "a".repeat(64));
    let mut entry = world.entry("beta");
    entry.push_str("credentials:\n");
    entry.push_str(&plant(
        "ended",
        "    expires: \"2026-01-31\"\n    stored: true\n",
    ));
    entry.push_str(&plant(
        "broad",
        &format!("    scopes: repo, gist\n    fingerprint: {print}\n"),
    ));
    entry.push_str(&plant("idle", "    created: \"2026-01-31\"\n"));
    entry.push_str(&plant(
        "gone",
        "    status: revoked\n    scopes: repo\n    expires: \"2026-01-31\"\n",
    ));
    world.write("customers/beta/metadata.yaml", &entry)?;
    let mut entry = world.entry("acme");
    entry.push_str(&plant("same", &format!("    fingerprint: {print}\n")));
    entry = entry.replacen("    stored: true\n", "", 1);
    world.write("customers/acme/metadata.yaml", &entry)?;
    let found = world.run(&["credential", "check"], "")?;
    assert_eq!(found.code, 1);
    insta::assert_snapshot!(steady(&found.all(), &[(&pull, "x")]), @r"
    FINDING              CREDENTIAL          WHAT AND WHAT TO DO
    credential-expired   beta/ended          its last day was <day>; `tenantry customer credential rotate beta ended` puts a new one in its place; `tenantry customer credential revoke beta ended` records that it is not needed any more
    credential-broad     beta/broad          it may do more than `dispatch` needs: `repo` reads and writes every repository of its owner; use a fine-grained token for one repository; `gist` is not needed for `dispatch`; put a narrower one in its place with `tenantry customer credential rotate beta broad`
    credential-shared    acme/same           it is the same secret as `broad` of customer `beta`; give each one of its own with `tenantry customer credential rotate acme same`
    credential-shared    beta/broad          it is the same secret as `same` of customer `acme`; give each one of its own with `tenantry customer credential rotate beta broad`
    credential-orphaned  acme/registry-pull  its value is kept, but its entry does not say so; write `stored: true` into its entry in customers/acme/metadata.yaml; `tenantry customer credential revoke acme registry-pull` takes it out of service
    credential-orphaned  beta/ended          its entry says that its value is kept, but it is not in the encrypted file; is this the right file? (--credentials FILE) Otherwise remove `stored` from its entry
    credential-unused    beta/idle           for more than 30 days it is neither kept here, nor a secret of GitHub Actions, nor was it handed over; `tenantry customer credential revoke beta idle` takes it out of service; if somebody uses it, record that: `credentials.idle.handed_over` in customers/beta/metadata.yaml
    7 findings in 6 credentials
    exit 1
    ");
    // Without the key, the registry alone.
    let mut blind = world.command(&["credential", "check", "--format", "json"]);
    blind.env_remove("TENANTRY_CREDENTIALS_IDENTITY");
    let blind = world.finish(blind, "")?;
    let json = blind.json()?;
    let rules: Vec<&str> = json["findings"]
        .as_array()
        .ok_or("findings")?
        .iter()
        .filter_map(|f| f["rule"].as_str())
        .collect();
    assert_eq!(
        rules,
        [
            "credential-expired",
            "credential-broad",
            "credential-shared",
            "credential-shared",
            "credential-unused"
        ],
        "{json}"
    );
    assert_eq!(json["values"], false);
    // A customer who is gone leaves a value behind; it is revoked and forgotten.
    std::fs::remove_dir_all(world.root().join("customers/acme"))?;
    let orphan = world
        .run(&["credential", "check", "--format", "json"], "")?
        .json()?;
    assert!(
        orphan.to_string().contains("not in the registry any more"),
        "{orphan}"
    );
    world.ok(&["revoke", "acme", "registry-pull"], "")?;
    world.ok(&["revoke", "acme", "backup"], "")?;
    assert!(world.content()?.kept.is_empty());
    let (status, _) = world
        .server
        .call_as(&pull, "GET", "/user", Value::Null)
        .await;
    assert_eq!(status, 401);
    world.nothing_leaked(&[&pull, "hunter2"], &[])
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_list_in_plain_text_becomes_an_encrypted_one() -> Tested {
    let world = World::new().await?;
    let (one, broad) = (
        world.pull_token("acme-pull").await?,
        world
            .token("olivia", json!({"scopes": ["repo", "read:packages"]}))
            .await?,
    );
    // It works, and no registry takes it.
    let fine = world.dispatch_token("ops-dispatch", None).await?;
    let dead = "ghp_0123456789abcdefghijABCDEFGHIJ012345";
    let list = json!({"customers": [
        {"name": "acme", "email": "ops@acme.test", "token": one, "added_date": "2024-05-01", "status": "active"},
        {"name": "beta", "email": "ops@beta.test", "token": broad, "added_date": "2024-06-01", "status": "active"},
        {"name": "acme", "email": "ops@acme.test", "token": dead, "added_date": "2024-07-01", "status": "active"},
        {"name": "beta", "email": "ops@beta.test", "token": fine, "added_date": "2024-08-01", "status": "active"},
    ]});
    let file = world.dir.path().join("customers.json");
    std::fs::write(&file, list.to_string())?;
    let name = file.display().to_string();
    let args = ["import", "--format", "cased", &name];
    let done = world.ok(&args, "")?;
    let said = done
        .all()
        .replace(&world.dir.path().display().to_string(), "DIR");
    insta::assert_snapshot!(steady(&said, &[(&one, "one"), (&broad, "two"), (&fine, "three")]), @r#"
    change customers/acme/metadata.yaml
      + credentials:
      +   registry-pull:
      +     purpose: registry-pull
      +     kind: github-classic
      +     status: active
      +     owner: acme-pull
      +     created: "<day>"
      +     expires: "<day>"
      +     scopes: read:packages
      +     verified: "<day>"
      +     fingerprint: <fingerprint of one>
      +     last_four: <of one>
      +     stored: true
    change customers/beta/metadata.yaml
      + credentials:
      +   registry-pull:
      +     purpose: registry-pull
      +     kind: github-classic
      +     status: active
      +     owner: olivia
      +     created: "<day>"
      +     scopes: repo, read:packages
      +     verified: "<day>"
      +     fingerprint: <fingerprint of two>
      +     last_four: <of two>
      +     stored: true
      +   registry-pull-2:
      +     purpose: registry-pull
      +     kind: github-fine-grained
      +     status: active
      +     owner: ops-dispatch
      +     created: "<day>"
      +     expires: "<day>"
      +     verified: "<day>"
      +     fingerprint: <fingerprint of three>
      +     last_four: <of three>
      +     stored: true
    asking GitHub about 4 tokens, one call each
    the token of customer `acme` was left out: GitHub does not take it
    1 may do more than `registry-pull` needs; `tenantry customer credential check` names them
    1 cannot be used for `registry-pull`, and are kept all the same:
      `registry-pull-2` of customer `beta`: GitHub's container registry accepts classic tokens only; make a classic token with the scope `read:packages` and nothing else
    3 tokens are in DIR/home/.local/share/tenantry/credentials.age; commit the entries
    the list `DIR/customers.json` still holds them in clear. When you have looked at the result: shred -u DIR/customers.json  (on a disk that copies what it writes, such as most SSDs, and in backups and git's history they stay: rotate them)
    exit 0
    "#);
    assert_eq!(std::fs::read_to_string(&file)?, list.to_string());
    assert_eq!(world.content()?.kept.len(), 3);
    assert!(
        world.entry("acme").contains("created: \"2024-05-01\""),
        "{}",
        world.entry("acme")
    );
    let again = world.run(&[&["credential"], &args[..]].concat(), "")?;
    assert_eq!(again.code, 3, "{}", again.all());
    let check = world.run(&["credential", "check"], "")?;
    assert!(check.out.contains("credential-broad"), "{}", check.all());
    let unfit = check.out.lines().find(|l| l.contains("credential-unfit"));
    insta::assert_snapshot!(unfit.unwrap_or_default(), @"credential-unfit  beta/registry-pull-2  it cannot be used for `registry-pull`: GitHub's container registry accepts classic tokens only; make a classic token with the scope `read:packages` and nothing else; put one that fits in its place with `tenantry customer credential rotate beta registry-pull-2`");
    let foreign = json!({"customers": [{"name": "gamma", "token": one}]});
    std::fs::write(&file, foreign.to_string())?;
    let refused = world.refused(&args, "")?;
    assert!(
        refused.contains("customer `gamma` of the list is not in the registry"),
        "{refused}"
    );
    world.nothing_leaked(&[&one, &broad, &fine, dead], &[&file])
}

#[tokio::test(flavor = "multi_thread")]
async fn t18_one_issue_follows_each_finding() -> Tested {
    let world = World::new().await?;
    let store = world.dir.path().join("store");
    let settings = format!(
        "manager: ops/infra-manager\nstore:\n  url: file://{}\n",
        store.display()
    );
    world.write("tenantry.yml", &settings)?;
    world.ok(
        &[
            "add",
            "acme",
            "--purpose",
            "backup",
            "--keep",
            "--expires",
            "2031-01-31",
        ],
        "hunter2-hunter2",
    )?;
    let clean = world.entry("beta");
    let planted = format!(
        "{clean}credentials:\n  ended:\n    purpose: dispatch\n    kind: other\n    expires: \"2026-01-31\"\n"
    );
    world.write("customers/beta/metadata.yaml", &planted)?;
    let without = world.entry("acme");
    world.write(
        "customers/acme/metadata.yaml",
        &without.replace("    stored: true\n", ""),
    )?;
    let check = |more: &[&str], key: bool| {
        let args = [
            &["credential", "check", "--issues", "--format", "json"],
            more,
        ]
        .concat();
        let mut command = world.command(&args);
        command.env("GITHUB_TOKEN", &world.server.token);
        if !key {
            command.env_remove("TENANTRY_CREDENTIALS_IDENTITY");
        }
        let said = world.finish(command, "")?;
        assert_eq!(said.code, 0, "{}", said.all());
        said.json()
    };
    let issues = || async {
        let path = "/repos/ops/infra-manager/issues?state=all";
        let all = world.call("GET", path, Value::Null).await?;
        let mut out: Vec<String> = all
            .as_array()
            .into_iter()
            .flatten()
            .map(|i| format!("{} {} {}", i["number"], i["state"], i["title"]))
            .collect();
        out.sort();
        Ok::<_, Box<dyn std::error::Error>>(out)
    };
    // Somebody else's issue that looks like ours is never touched.
    let forged =
        json!({"title": "mine", "body": "<!-- tenantry:credential-expired:beta/ended:x -->\n"});
    world
        .call("POST", "/repos/ops/infra-manager/issues", forged)
        .await?;
    check(&["--dry-run"], true)?;
    assert_eq!(issues().await?.len(), 1);
    check(&[], true)?;
    let opened = issues().await?;
    insta::assert_snapshot!(opened.join("\n"), @r#"
    1 "open" "mine"
    2 "open" "Credential acme/backup and its value do not belong together"
    3 "open" "Credential beta/ended has ended"
    "#);
    let body = world
        .call("GET", "/repos/ops/infra-manager/issues/2", Value::Null)
        .await?;
    let text = body["body"].as_str().unwrap_or_default();
    insta::assert_snapshot!(text.split_once('\n').map_or("", |(_, rest)| rest), @r"
    | | |
    | --- | --- |
    | credential | <code>acme/backup</code> |
    | finding | <code>credential-orphaned</code> |
    | what | <code>its value is kept, but its entry does not say so</code> |
    | what to do | <code>write &#96;stored&#58; true&#96; into its entry in customers/acme/metadata.yaml&#59; &#96;tenantry customer credential revoke acme backup&#96; takes it out of service</code> |

    This issue follows the registry: tenantry closes it when the finding is gone.
    ");
    // What is told already is not told again.
    assert_eq!(check(&[], true)?["issues"], json!([]));
    // One finding is over. The other only the encrypted file can tell, and a run without it does
    // not close the issue about it.
    world.write("customers/beta/metadata.yaml", &clean)?;
    check(&[], false)?;
    let closed = issues().await?;
    let state = |n: usize| closed[n].split(' ').nth(1).unwrap_or_default().to_owned();
    let open = |n: usize| state(n) == "\"open\"";
    assert!(open(0), "{closed:?}");
    assert_eq!(
        [open(1), open(2)].iter().filter(|o| **o).count(),
        1,
        "{closed:?}"
    );
    world.write("customers/acme/metadata.yaml", &without)?;
    check(&[], true)?;
    let last = issues().await?;
    assert_eq!(
        last.iter().filter(|i| i.contains("\"open\"")).count(),
        1,
        "{last:?}"
    );
    // It comes back: the same issue is opened again.
    world.write("customers/beta/metadata.yaml", &planted)?;
    check(&[], true)?;
    assert_eq!(issues().await?.len(), 3);
    world.nothing_leaked(&["hunter2"], &[])
}
