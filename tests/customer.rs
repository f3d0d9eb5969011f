//! The registry, as a provider keeps it: through the binary, with look-ups on the local GitHub.

mod support;

use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::said::Said;
use support::{Tested, path, still};
use tenantry::local::Server;

/// A manager repository and a GitHub.
struct World {
    dir: tempfile::TempDir,
    server: Server,
}

const BASE: [(&str, &str); 4] = [
    ("tenantry.yml", "manager: ops/infra-manager\n"),
    ("products/web/base-values.yaml", "region: eu-west-1\n"),
    ("products/web/environments/staging.yaml", "size: 1\n"),
    ("products/web/environments/production.yaml", "size: 2\n"),
];

impl World {
    async fn new() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let server = Server::start(still(dir.path().join("github"))).await?;
        let world = Self { dir, server };
        for (path, text) in BASE {
            world.write(path, text)?;
        }
        Ok(world)
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join("estate")
    }

    fn write(&self, path: &str, text: &str) -> Tested {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
        Ok(std::fs::write(path, text)?)
    }

    fn read(&self, path: &str) -> String {
        std::fs::read_to_string(self.root().join(path)).unwrap_or_else(|e| e.to_string())
    }

    /// Every file of the estate.
    fn files(&self) -> BTreeMap<String, String> {
        let mut out = BTreeMap::new();
        let mut open = vec![self.root()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
                let path = entry.path();
                if path.is_dir() {
                    open.push(path);
                } else {
                    let name = path
                        .strip_prefix(self.root())
                        .unwrap_or(&path)
                        .display()
                        .to_string();
                    out.insert(name, std::fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        out
    }

    /// Makes a repository; its number.
    async fn repository(&self, slug: &str) -> Result<u64, Box<dyn Error>> {
        let made = self
            .call(
                "POST",
                "/_local/repos",
                json!({"repo": slug, "files": {"README.md": "x\n"}}),
            )
            .await?;
        Ok(made["id"].as_u64().ok_or("no id")?)
    }

    async fn call(&self, method: &str, path: &str, body: Value) -> Result<Value, Box<dyn Error>> {
        let (status, answer) = self.server.call(method, path, body).await;
        match status {
            200..300 => Ok(answer),
            _ => Err(format!("{method} {path}: {status} {answer}").into()),
        }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .arg("customer")
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("GITHUB_API_URL", &self.server.url)
            .env("TENANTRY_SOURCE_TOKEN", &self.server.token)
            .current_dir(self.root())
            .stdin(Stdio::null());
        command
    }

    fn run(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        Said::of(self.command(args).output()?)
    }

    /// A command that must be refused and change nothing.
    fn refused(&self, args: &[&str]) -> Result<String, Box<dyn Error>> {
        let before = self.files();
        let said = self.run(args)?;
        assert!(matches!(said.code, 1 | 2), "{args:?}: {}", said.all());
        assert_eq!(self.files(), before, "{args:?}");
        // What to do stands in a hint, or in the message of a finding.
        let next = ["hint: ", "; ", "[estate"];
        assert!(next.iter().any(|n| said.err.contains(n)), "{}", said.err);
        Ok(said.err)
    }

    fn validate(&self) -> Result<String, Box<dyn Error>> {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["validate", "--estate", "."])
            .env_clear()
            .current_dir(self.root())
            .output()?;
        Ok(Said::of(out)?.all())
    }
}

/// Without what differs from run to run.
fn steady(text: &str, numbers: &[u64]) -> String {
    let mut out = text.to_owned();
    for (i, number) in numbers.iter().enumerate() {
        out = out.replace(&number.to_string(), &format!("<{i}>"));
    }
    let mut lines = Vec::new();
    for line in out.lines() {
        let day = line.find("20").filter(|at| {
            let day = line.get(*at..at + 10).unwrap_or_default();
            day.len() == 10
                && day.matches('-').count() == 2
                && day.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        });
        lines.push(match day {
            Some(at) => format!("{}<day>{}", &line[..at], &line[at + 10..]),
            None => line.to_owned(),
        });
    }
    lines.join("\n")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_adds_a_customer_and_edits_the_entry() -> Tested {
    let world = World::new().await?;
    let id = world.repository("acme/app").await?;
    let owner = world.call("GET", "/repos/acme/app", Value::Null).await?["owner"]["id"]
        .as_u64()
        .ok_or("owner")?;
    let before = world.files();
    let args = [
        "add",
        "Acme Corp",
        "--repository",
        "acme/app",
        "--contact",
        "ops@acme.test",
        "--tier",
        "gold",
        "--wave",
        "2",
        "--role",
        "production=arn:aws:iam::123456789012:role/acme",
        "--region",
        "no",
    ];
    // A dry run shows what is written then.
    let dry = world.run(&[&args[..], &["--dry-run"]].concat())?;
    assert_eq!((dry.code, world.files()), (0, before), "{}", dry.err);
    let done = world.run(&args)?;
    assert_eq!(done.out, dry.out);
    insta::assert_snapshot!(steady(&done.all(), &[id, owner]), @r#"
    create customers/acme-corp/metadata.yaml
      + # Registry entry. `tenantry customer set acme-corp KEY=VALUE` changes it and keeps what else stands here.
      + customer: acme-corp
      + name: Acme Corp
      + repository: acme/app
      + repository_id: <0>
      + owner_id: <1>
      + status: active
      + added: "<day>"
      + contact: ops@acme.test
      + tier: gold
      + region: "no"
      + wave: 2
      + roles:
      +   production: arn:aws:iam::123456789012:role/acme
    create customers/acme-corp/products.yaml
      + # What acme-corp subscribes to. Without `environments`, a product's stacks are in all of its environments.
      + products:
      +   - name: web
    written; check it with `tenantry validate`, then commit
    exit 0
    "#);
    insta::assert_snapshot!(steady(
        &world.read("customers/acme-corp/metadata.yaml"),
        &[id, owner]
    ), @r#"
    # Registry entry. `tenantry customer set acme-corp KEY=VALUE` changes it and keeps what else stands here.
    customer: acme-corp
    name: Acme Corp
    repository: acme/app
    repository_id: <0>
    owner_id: <1>
    status: active
    added: "<day>"
    contact: ops@acme.test
    tier: gold
    region: "no"
    wave: 2
    roles:
      production: arn:aws:iam::123456789012:role/acme
    "#);
    insta::assert_snapshot!(world.read("customers/acme-corp/products.yaml"), @r#"
    # What acme-corp subscribes to. Without `environments`, a product's stacks are in all of its environments.
    products:
      - name: web
    "#);
    assert!(
        world.validate()?.contains("nothing to correct"),
        "{}",
        world.validate()?
    );

    // Somebody edits the file by hand; their words survive.
    let text = world.read("customers/acme-corp/metadata.yaml");
    let text = text.replace(
        "tier: gold\n",
        "\n# Agreed with sales.\ntier:   'gold' # until 2028\nours: {a: 1}\n",
    );
    world.write("customers/acme-corp/metadata.yaml", &text)?;
    let set = world.run(&[
        "set",
        "acme-corp",
        "tier=silver",
        "wave=canary",
        "contact=",
        "name=Acme: the Corp",
        "roles.staging=x",
    ])?;
    insta::assert_snapshot!(steady(&set.all(), &[id, owner]), @r#"
    change customers/acme-corp/metadata.yaml
      - name: Acme Corp
      + name: "Acme: the Corp"
      - contact: ops@acme.test
      - tier:   'gold' # until 2028
      + tier:   'silver' # until 2028
      - wave: 2
      + wave: canary
      +   staging: x
    written; check it with `tenantry validate`, then commit
    exit 0
    "#);
    let now = world.read("customers/acme-corp/metadata.yaml");
    assert!(
        now.contains("# Agreed with sales.\ntier:   'silver' # until 2028\nours: {a: 1}\n"),
        "{now}"
    );
    let again = world.run(&[
        "set",
        "acme-corp",
        "tier=silver",
        "wave=canary",
        "name=Acme: the Corp",
    ])?;
    assert_eq!((again.code, again.err.as_str()), (3, "nothing to change\n"));
    assert_eq!(world.read("customers/acme-corp/metadata.yaml"), now);
    for wrong in [
        ["set", "acme-corp", "teir=gold"],
        ["set", "acme-corp", "status=suspended"],
        ["set", "acme-corp", "repository_id=1"],
        ["set", "acme-corp", "customer=x"],
        ["set", "acme-corp", "name="],
        ["set", "acme-corp", "roles.qa=x"],
        ["set", "acme-corp", "tier"],
        ["set", "acme", "tier=gold"],
        ["set", "acme-corp", "ours=1"],
        ["set", "acme-corp", "name=Ac\u{202e}me"],
    ] {
        world.refused(&wrong)?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t21_names_that_are_not_what_they_look_like() -> Tested {
    let world = World::new().await?;
    world.repository("acme/app").await?;
    let mut table = String::new();
    for name in [
        "Ac\u{202e}me",
        "Ac\nme",
        "Ac\u{1b}[2Jme",
        "\u{410}cme",
        "Müller AG",
        "日本電気",
        "",
        "***",
        "A name that is by far too long to be the id of anybody at all",
    ] {
        let said = world.refused(&["add", name, "--repository", "acme/app"])?;
        assert!(said.is_ascii(), "{said}");
        table.push_str(&said);
    }
    insta::assert_snapshot!(table, @r#"
    error: the name `Ac\u{202e}me` holds a character that cannot be seen, controls a terminal, or looks like another letter
      hint: type it again by hand instead of copying it
    error: the name `Ac\u{a}me` holds a character that cannot be seen, controls a terminal, or looks like another letter
      hint: type it again by hand instead of copying it
    error: the name `Ac\u{1b}[2Jme` holds a character that cannot be seen, controls a terminal, or looks like another letter
      hint: type it again by hand instead of copying it
    error: the name `\u{410}cme` holds a character that cannot be seen, controls a terminal, or looks like another letter
      hint: type it again by hand instead of copying it
    error: the name `M\u{fc}ller AG` has letters that an id cannot have
      hint: if that is the id you want, say so: --id mueller-ag
    error: no id can be made of the name `\u{65e5}\u{672c}\u{96fb}\u{6c17}`
      hint: choose one with --id: 1 to 40 of a-z, 0-9 and `-`, such as `--id acme-corp`
    error: the name is empty
      hint: write one
    error: no id can be made of the name `***`
      hint: choose one with --id: 1 to 40 of a-z, 0-9 and `-`, such as `--id acme-corp`
    error: the id `a-name-that-is-by-far-too-long-to-be-the-id-of-anybody-at-all` would be longer than 40 characters
      hint: choose a shorter one, such as --id a-name-that-is-by-far-too-long-to-be-the
    "#);
    // With an id of its own, a name in another script is fine.
    let done = world.run(&["add", "日本電気", "--id", "nec", "--repository", "acme/app"])?;
    assert_eq!(done.code, 0, "{}", done.all());
    assert!(
        world
            .read("customers/nec/metadata.yaml")
            .contains("name: 日本電気\n")
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t3_who_a_repository_is_is_its_number() -> Tested {
    let world = World::new().await?;
    let numbers = [
        world.repository("acme/app").await?,
        world.repository("beta/app").await?,
    ];
    for (name, slug) in [("Acme", "acme/app"), ("Beta", "beta/app")] {
        let done = world.run(&["add", name, "--repository", slug])?;
        assert_eq!(done.code, 0, "{}", done.all());
    }
    let mut table = String::new();
    let mut say = |what: &str, said: String| table.push_str(&format!("# {what}\n{said}"));
    say(
        "the same id",
        world.refused(&["add", "ACME!", "--repository", "acme/other"])?,
    );
    say(
        "an id that looks like it",
        world.refused(&["add", "Ac-me", "--repository", "acme/other"])?,
    );
    say(
        "the same repository",
        world.refused(&["add", "Gamma", "--repository", "Acme/App"])?,
    );
    say(
        "no such repository",
        world.refused(&["add", "Gamma", "--repository", "acme/nothing"])?,
    );
    say(
        "another customer's",
        world.refused(&["set", "acme", "repository=beta/app"])?,
    );
    say(
        "another customer's number",
        world.refused(&[
            "add",
            "Gamma",
            "--repository",
            "x/y",
            "--repository-id",
            &numbers[0].to_string(),
        ])?,
    );

    // acme renames; somebody else takes the name.
    world
        .call("PATCH", "/repos/acme/app", json!({"name": "shop"}))
        .await?;
    say(
        "renamed",
        world.refused(&["add", "Gamma", "--repository", "acme/app"])?,
    );
    let taken = world.repository("acme/app").await?;
    let all = [numbers[0], numbers[1], taken];
    say(
        "the name of acme's is somebody else's now",
        world.refused(&["add", "Gamma", "--repository", "acme/app"])?,
    );
    say(
        "and acme's again, says somebody",
        world.refused(&["set", "acme", "repository=acme/app"])?,
    );
    let renamed = world.run(&["set", "acme", "repository=acme/shop"])?;
    say("acme, by its new name", renamed.out);
    assert_eq!(renamed.code, 0);
    let free = world.run(&["add", "Gamma", "--repository", "acme/app", "--dry-run"])?;
    assert_eq!(free.code, 0, "{}", free.all());

    // beta is sold.
    world
        .call("POST", "/_local/users", json!({"login": "buyer"}))
        .await?;
    world
        .call(
            "POST",
            "/repos/beta/app/transfer",
            json!({"new_owner": "buyer"}),
        )
        .await?;
    say(
        "transferred",
        world.refused(&["set", "beta", "repository=beta/app"])?,
    );
    say(
        "to another owner",
        world.refused(&["set", "beta", "repository=buyer/app"])?,
    );
    let moved = world.run(&["set", "beta", "repository=buyer/app", "--moved"])?;
    assert_eq!(moved.code, 0, "{}", moved.all());
    // Owners are small numbers, so they are named last.
    let owner = |text: &str| {
        let at = text.find("owner has id ")?;
        let mut parts = text[at..]
            .split(|c: char| !c.is_ascii_digit())
            .filter(|p| !p.is_empty());
        Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
    };
    let table = steady(&table, &all);
    let table = match owner(&table) {
        Some((now, before)) => table.replace(
            &format!("id {now}, before it was {before}"),
            "id <now>, before it was <before>",
        ),
        None => table,
    };
    insta::assert_snapshot!(table, @r#"
    # the same id
    error: there is a customer `acme` already
      hint: see `tenantry customer show acme`, or choose another id with --id
    # an id that looks like it
    error: the id `ac-me` differs from that of customer `acme` only in `-` or in digits that look like letters
      hint: choose another one with --id, before somebody approves the wrong one
    # the same repository
    error: `acme/app` (id <0>) is the repository of customer `acme` already; one repository serves one customer
      hint: see `tenantry customer show acme`
    # no such repository
    error: `acme/nothing` cannot be read: there is no such repository, or the token may not see it
      hint: check the name, and what the App or TENANTRY_SOURCE_TOKEN may read; --repository-id N records a repository without a look-up
    # another customer's
    error: `beta/app` (id <1>) is the repository of customer `beta` already; one repository serves one customer
      hint: see `tenantry customer show beta`
    # another customer's number
    `x/y` is recorded with id <0> without a look-up: neither that number nor its owner nor its network of forks was checked
    error: `x/y` (id <0>) is the repository of customer `acme` already; one repository serves one customer
      hint: see `tenantry customer show acme`
    # renamed
    error: `acme/app` is called `acme/shop` now
      hint: if that is the one you mean, name it: acme/shop
    # the name of acme's is somebody else's now
    error: customer `acme` has `acme/app` with id <0>, but that name belongs to another repository now (id <2>)
      hint: correct customer `acme` first: `tenantry customer set acme repository=OWNER/NAME`
    # and acme's again, says somebody
    error: `acme/app` is not the repository of customer `acme` under another name: it has id <2>, theirs has id <0>
      hint: whoever owns it could ask for changes of this customer's stacks; if they really have a new repository, add --moved
    # acme, by its new name
    change customers/acme/metadata.yaml
      - repository: acme/app
      + repository: acme/shop
    # transferred
    error: `beta/app` is called `buyer/app` now
      hint: if that is the one you mean, name it: buyer/app
    # to another owner
    error: `buyer/app` belongs to another account now: its owner has id <now>, before it was <before>
      hint: ask customer `beta` whether they transferred it; if so, add --moved
    "#);
    assert!(world.validate()?.contains("nothing to correct"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_customers_cannot_be_in_one_network_of_forks() -> Tested {
    let world = World::new().await?;
    let template = world.repository("ops/template").await?;
    let fork = |owner: &'static str| {
        let world = &world;
        async move {
            world
                .call("POST", "/_local/orgs", json!({"login": owner}))
                .await?;
            world
                .call(
                    "POST",
                    "/repos/ops/template/forks",
                    json!({"organization": owner, "name": "app"}),
                )
                .await
        }
    };
    fork("acme").await?;
    fork("beta").await?;
    let first = world.run(&["add", "Acme", "--repository", "acme/app"])?;
    assert_eq!(first.code, 0, "{}", first.all());
    // A fork of the same root, the root itself, and a fork of a fork.
    let mut table = world.refused(&["add", "Beta", "--repository", "beta/app"])?;
    world.write(
        "tenantry.yml",
        "manager: ops/infra-manager\ncustomers:\n  repository_name: any\n",
    )?;
    table.push_str(&world.refused(&["add", "Root", "--repository", "ops/template"])?);
    world
        .call("POST", "/_local/orgs", json!({"login": "deep"}))
        .await?;
    world
        .call(
            "POST",
            "/repos/beta/app/forks",
            json!({"organization": "deep"}),
        )
        .await?;
    table.push_str(&world.refused(&["add", "Deep", "--repository", "deep/app"])?);
    // A stranger is not in it; it is compared once all are known.
    world.repository("gamma/app").await?;
    assert_eq!(
        world
            .run(&["add", "Gamma", "--repository", "gamma/app"])?
            .code,
        0
    );
    // Whether a customer who cannot be read is in the network cannot be told.
    world
        .call("POST", "/_local/orgs", json!({"login": "other"}))
        .await?;
    world.repository("stranger/lib").await?;
    world
        .call(
            "POST",
            "/repos/stranger/lib/forks",
            json!({"organization": "other"}),
        )
        .await?;
    world
        .call("DELETE", "/repos/gamma/app", Value::Null)
        .await?;
    table.push_str(&world.refused(&["add", "Other", "--repository", "other/lib"])?);
    insta::assert_snapshot!(steady(&table, &[template]), @r#"
    the repository has relatives by forks: looking up 1 repositories of other customers (1 calls to GitHub)
    error: `beta/app` is in one network of forks with the repository of customer `acme`, so each of the two could read every commit of the other
      hint: use a repository of its own: make an empty one and push the code there instead of forking
    the repository has relatives by forks: looking up 1 repositories of other customers (1 calls to GitHub)
    error: `ops/template` is in one network of forks with the repository of customer `acme`, so each of the two could read every commit of the other
      hint: use a repository of its own: make an empty one and push the code there instead of forking
    the repository has relatives by forks: looking up 1 repositories of other customers (1 calls to GitHub)
    error: `deep/app` is in one network of forks with the repository of customer `acme`, so each of the two could read every commit of the other
      hint: use a repository of its own: make an empty one and push the code there instead of forking
    the repository has relatives by forks: looking up 2 repositories of other customers (2 calls to GitHub)
    error: `other/lib` has relatives by forks, and whether customer `gamma` is among them cannot be told: `gamma/app` cannot be read: there is no such repository, or the token may not see it
      hint: correct customers/gamma/metadata.yaml first, or use a repository without forks
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn repositories_of_the_provider_have_the_name_of_the_rule() -> Tested {
    let world = World::new().await?;
    world.repository("ops/customer-acme").await?;
    world.repository("ops/acme").await?;
    let mut table = world.refused(&["add", "Acme", "--repository", "ops/acme"])?;
    let done = world.run(&["add", "Acme"])?;
    assert_eq!(done.code, 0, "{}", done.all());
    assert!(
        world
            .read("customers/acme/metadata.yaml")
            .contains("repository: ops/customer-acme\n")
    );
    world.write(
        "tenantry.yml",
        "customers:\n  repository_name: c-<id>-infra\n",
    )?;
    table.push_str(&world.refused(&["add", "Beta"])?);
    world.write(
        "tenantry.yml",
        "manager: ops/infra-manager\ncustomers:\n  repository_name: customers\n",
    )?;
    table.push_str(&world.refused(&["add", "Beta"])?);
    let none = world.run(&["list"])?;
    assert_eq!(none.code, 1);
    insta::assert_snapshot!(table, @r#"
    error: the repository of customer `acme` would be `ops/customer-acme` by `customers.repository_name`, not `ops/acme`
      hint: rename it, or set `customers.repository_name` in tenantry.yml; `any` allows every name
    error: which repository the customer has is not known
      hint: name it with --repository OWNER/NAME, or say --no-repository
    error: tenantry.yml:3:20: `repository_name`: write a name with `<id>` in it, such as `customer-<id>`, or `any` [estate]
    "#);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn templates_of_the_provider_are_used_and_cannot_lie() -> Tested {
    let world = World::new().await?;
    world.repository("acme/app").await?;
    world.write("templates/customer/metadata.yaml", "# Ask [[ id ]]'s manager.\nname: somebody else\nsla: 99.9\n# %% if contact\ncontact: [[ contact ]]\n# %% endif\n")?;
    let args = [
        "add",
        "Acme: \"x\" # [[ id ]]",
        "--id",
        "acme",
        "--repository",
        "acme/app",
        "--contact",
        "{{ x }} <% if",
    ];
    assert_eq!(world.run(&args)?.code, 0);
    let text = world.read("customers/acme/metadata.yaml");
    assert!(
        text.starts_with(
            "# Ask acme's manager.\nname: \"Acme: \\\"x\\\" # [[ id ]]\"\nsla: 99.9\n"
        ),
        "{text}"
    );
    assert!(text.contains("contact: \"{{ x }} <% if\"\n"), "{text}");
    assert!(text.contains("repository: acme/app\n"), "{text}");
    let mut table = String::new();
    world.repository("beta/app").await?;
    let beta = ["add", "Beta", "--repository", "beta/app"];
    for (path, bad) in [
        ("metadata.yaml", "a: [[ nothing ]]\n"),
        (
            "metadata.yaml",
            "# %% for x in range(100000000)\n# %% endfor\n",
        ),
        ("metadata.yaml", "name: [a]\n"),
        ("metadata.yaml", "name: yes\n"),
        ("metadata.yaml", "state: {bukcet: x}\n"),
        ("products.yaml", "products: []\n"),
        ("products.yaml", "products:\n  - name: wbe\n"),
    ] {
        world.write(&format!("templates/customer/{path}"), bad)?;
        table.push_str(&world.refused(&beta)?);
        std::fs::remove_file(world.root().join(format!("templates/customer/{path}")))?;
    }
    insta::assert_snapshot!(table, @r#"
    error: the template `templates/customer/metadata.yaml` cannot be rendered
      because: undefined value: `nothing` is undefined (in templates/customer/metadata.yaml:1)
      hint: correct the template, or remove it to use the one that is built in
    error: the template `templates/customer/metadata.yaml` cannot be rendered
      because: invalid operation: range has too many elements (in templates/customer/metadata.yaml:1)
      hint: correct the template, or remove it to use the one that is built in
    error: customers/beta/metadata.yaml: `name` is a list or a map; change it by hand [estate]
    error: customers/beta/metadata.yaml:1:7: `yes` is read differently by different tools; write `true`, or `"yes"` for the text [yaml-ambiguous]
    error: customers/beta/metadata.yaml:1:9: unknown key `bukcet`; did you mean `bucket`? [estate-unknown-key]
    error: the template `templates/customer/products.yaml` does not list the products that were asked for
      hint: let it go over `products`, as `# %% for product in products`
    error: the template `templates/customer/products.yaml` does not list the products that were asked for
      hint: let it go over `products`, as `# %% for product in products`
    "#);
    assert_eq!(world.run(&beta)?.code, 0);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_suspended_shown_and_resumed() -> Tested {
    let world = World::new().await?;
    let id = world.repository("acme/app").await?;
    world.write(
        "customers/acme/metadata.yaml",
        &format!("# Mine.\nname: Acme Corp\nrepository: acme/app\nrepository_id: {id}\n"),
    )?;
    world.write(
        "customers/acme/products.yaml",
        "products:\n  - name: web\n    environments: [staging]\n",
    )?;
    let before = world.read("customers/acme/metadata.yaml");
    let done = world.run(&["suspend", "acme", "--reason", "invoice 4711: open"])?;
    assert_eq!(done.code, 0, "{}", done.all());
    insta::assert_snapshot!(steady(&world.read("customers/acme/metadata.yaml"), &[id]), @r#"
    # Mine.
    name: Acme Corp
    repository: acme/app
    repository_id: <0>
    status: suspended
    suspension:
      reason: "invoice 4711: open"
      since: "<day>"
    "#);
    assert_eq!(
        world
            .run(&["suspend", "acme", "--reason", "invoice 4711: open"])?
            .code,
        3
    );
    let shown = world.run(&["show", "acme"])?;
    insta::assert_snapshot!(steady(&shown.all(), &[id]), @r#"
    acme
      name         Acme Corp
      status       suspended since <day>: invoice 4711: open (the customer does not read this)
      repository   acme/app (id <0>)
      product      web, file infra/variables.yml

    Stacks
    STACK             NOTE
    acme/web/staging  -
    exit 0
    "#);
    let list = world.run(&["list", "--status", "suspended"])?;
    insta::assert_snapshot!(list.all(), @r#"
    CUSTOMER  STATUS     PRODUCTS
    acme      suspended  web
    1 customer, 1 suspended
    exit 0
    "#);
    let model: Value =
        serde_json::from_str(&world.run(&["show", "acme", "--format", "json"])?.out)?;
    assert_eq!(model["version"], 1);
    assert_eq!(model["suspension"]["public"], false);
    assert_eq!(model["stacks"][0]["stack"], "acme/web/staging");
    world.refused(&["suspend", "acme", "--reason", "a\u{200b}b"])?;
    world.refused(&["suspend", "acme", "--reason", ""])?;
    assert_eq!(world.run(&["resume", "acme"])?.code, 0);
    assert_eq!(
        world.read("customers/acme/metadata.yaml"),
        format!("{before}status: active\n")
    );
    assert_eq!(world.run(&["resume", "acme"])?.code, 3);
    assert_eq!(world.run(&["list", "--status", "suspended"])?.code, 3);
    Ok(())
}

fn git(dir: &Path, args: &[&str]) -> Tested {
    let out = Command::new("git")
        .args([
            "-c",
            "user.name=t",
            "-c",
            "user.email=t@t.test",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .current_dir(dir)
        .env_clear()
        .env("PATH", path())
        .output()?;
    match out.status.success() {
        true => Ok(()),
        false => Err(format!("git {args:?}: {}", String::from_utf8_lossy(&out.stderr)).into()),
    }
}

/// What an apply leaves in the store.
fn applied(world: &World, stack: &str) -> Tested {
    let sha = "a".repeat(40);
    let digest = format!("sha256:{}", "b".repeat(64));
    let last = json!({
        "sha": sha, "inputs": digest, "plan": digest, "request": format!("acme/push-{sha}"), "at": 1_790_000_000, "count": 3,
    });
    let path = world.dir.path().join(format!("store/applied/{stack}.json"));
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    Ok(std::fs::write(path, last.to_string())?)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_customer_is_removed_and_what_stands_is_said() -> Tested {
    let world = World::new().await?;
    let store = world.dir.path().join("store");
    world.write(
        "tenantry.yml",
        &format!(
            "manager: ops/infra-manager\nstore:\n  url: file://{}\nstate:\n  bucket: states\n",
            store.display()
        ),
    )?;
    world.write(
        "customers/acme/metadata.yaml",
        "repository: acme/app\nrepository_id: 1\n",
    )?;
    world.write("customers/acme/products.yaml", "products:\n  - name: web\n")?;
    world.write("customers/beta/products.yaml", "products:\n  - name: web\n")?;
    world.write("products/web/product.yaml", "engine: terraform\n")?;
    world.write("products/web/terraform/main.tf", "\n")?;
    applied(&world, "acme/web/staging")?;
    applied(&world, "acme/old/production")?;
    applied(&world, "beta/web/staging")?;
    insta::assert_snapshot!(world.run(&["list", "--deployments"])?.out, @r#"
    CUSTOMER  STATUS  PRODUCTS  LAST DEPLOYMENT
    acme      active  web       2026-09-21 14:13:20 UTC
    beta      active  web       2026-09-21 14:13:20 UTC
    "#);
    let wide = world.run(&["show", "acme", "--wide"])?;
    insta::assert_snapshot!(wide.out, @r"
    acme
      name         acme
      status       active
      repository   acme/app (id 1)
      product      web, file infra/variables.yml
      deployed     2026-09-21 14:13:20 UTC
      credentials  none

    Stacks
    STACK                LAST APPLIED             COMMIT        REQUEST                                             NOTE
    acme/web/staging     2026-09-21 14:13:20 UTC  aaaaaaaaaaaa  acme/push-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  -
    acme/web/production  never                    -             -                                                   -
    acme/old/production  2026-09-21 14:13:20 UTC  aaaaaaaaaaaa  acme/push-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa  not subscribed any more, still standing
    ");
    let shown = world.run(&["show", "acme", "--format", "json"])?.json()?;
    assert_eq!(shown["last_deployment"]["at"], 1_790_000_000);
    insta::assert_snapshot!(world.run(&["show", "acme"])?.out, @r#"
    acme
      name         acme
      status       active
      repository   acme/app (id 1)
      product      web, file infra/variables.yml

    Stacks
    STACK                LAST APPLIED             COMMIT        NOTE
    acme/web/staging     2026-09-21 14:13:20 UTC  aaaaaaaaaaaa  -
    acme/web/production  never                    -             -
    acme/old/production  2026-09-21 14:13:20 UTC  aaaaaaaaaaaa  not subscribed any more, still standing
    "#);
    let mut table = world.refused(&["remove", "acme"])?;
    table.push_str(&world.refused(&["remove", "acme", "--keep-infrastructure"])?);
    // Credentials are something that stands, too; what is revoked is not.
    let credential = "    purpose: registry-pull\n    kind: github-classic\n";
    let entry = format!(
        "repository: acme/app\nrepository_id: 1\ncredentials:\n  gone:\n{credential}    status: revoked\n"
    );
    let valid =
        format!("{entry}  registry-pull:\n{credential}  old:\n{credential}    status: rotating\n");
    world.write("customers/acme/metadata.yaml", &valid)?;
    table.push_str(&world.refused(&["remove", "acme"])?);
    table.push_str(&world.refused(&["remove", "acme", "--keep-infrastructure"])?);
    let kept = [
        "remove",
        "acme",
        "--keep-infrastructure",
        "--keep-credentials",
        "--discard",
        "--dry-run",
    ];
    table.push_str(&world.run(&kept)?.err);
    world.write("customers/acme/metadata.yaml", &entry)?;
    git(&world.root(), &["init", "-q"])?;
    git(&world.root(), &["add", "."])?;
    git(&world.root(), &["commit", "-qm", "All"])?;
    world.write("customers/acme/web/values.yaml", "size: 3\n")?;
    world.write(
        "customers/acme/metadata.yaml",
        "repository: acme/app\nrepository_id: 1\ntier: x\n",
    )?;
    table.push_str(&world.refused(&["remove", "acme", "--keep-infrastructure"])?);
    git(&world.root(), &["add", "."])?;
    git(&world.root(), &["commit", "-qm", "More"])?;
    let before = world.files();
    let dry = world.run(&["remove", "acme", "--keep-infrastructure", "--dry-run"])?;
    assert_eq!(world.files(), before);
    let done = world.run(&["remove", "acme", "--keep-infrastructure"])?;
    assert_eq!(dry.out, done.out);
    table.push_str(&done.all());
    insta::assert_snapshot!(table.replace(&store.display().to_string(), "<store>"), @r#"
    error: infrastructure of customer `acme` still stands: `acme/old/production`, `acme/web/staging`
      hint: destroy it first; --keep-infrastructure removes the customer and leaves it standing, with nobody to look after it
    error: git has no copy of everything in `customers/acme/`: this is no git repository, or it has no commit
      hint: commit it first, so that it can be looked up later; --discard removes it all the same
    error: credentials of customer `acme` are still valid: `registry-pull`, `old`
      hint: revoke them first: `tenantry customer credential revoke acme --all`; --keep-credentials removes the customer and leaves them valid, with nobody to look after them
    error: credentials of customer `acme` are still valid: `registry-pull`, `old`
      hint: revoke them first: `tenantry customer credential revoke acme --all`; --keep-credentials removes the customer and leaves them valid, with nobody to look after them
    still stands: acme/old/production, state s3://states/acme/old/production/terraform.tfstate
    still stands: acme/web/staging, state s3://states/acme/web/staging/terraform.tfstate
    still valid: credential `registry-pull`; revoke it there: https://github.com/settings/tokens
    still valid: credential `old`; revoke it there: https://github.com/settings/tokens
    nothing was written (--dry-run)
    error: git has no copy of everything in `customers/acme/`: `customers/acme/metadata.yaml` and 1 more
      hint: commit it first, so that it can be looked up later; --discard removes it all the same
    remove customers/acme/metadata.yaml
    remove customers/acme/products.yaml
    remove customers/acme/web/values.yaml
    still stands: acme/old/production, state s3://states/acme/old/production/terraform.tfstate
    still stands: acme/web/staging, state s3://states/acme/web/staging/terraform.tfstate
    written; check it with `tenantry validate`, then commit
    exit 0
    "#);
    assert!(!world.root().join("customers/acme").exists());
    assert!(world.root().join("customers/beta/products.yaml").exists());
    assert!(store.join("applied/acme/web/staging.json").exists());
    // Without the store nothing is known, so nothing is done.
    world.write(
        "tenantry.yml",
        "store:\n  url: s3://nowhere/x\nstate:\n  bucket: states\n",
    )?;
    let out = world
        .command(&["remove", "beta"])
        .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
        .env("AWS_ACCESS_KEY_ID", "x")
        .env("AWS_SECRET_ACCESS_KEY", "x")
        .env("AWS_REGION", "eu-west-1")
        .output()?;
    assert_eq!(Said::of(out)?.code, 1);
    assert!(world.root().join("customers/beta/products.yaml").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t32_a_list_is_imported_without_its_tokens() -> Tested {
    let world = World::new().await?;
    let secret = "ghp_canary0123456789012345678901234567890";
    let list = json!({"customers": [
        {"name": "Acme Corp", "email": "ops@acme.test", "token": secret, "added_date": "2024-05-01", "status": "active"},
        {"name": "Beta", "email": "b@beta.test", "token": secret, "added_date": "2024-05-02T08:00:00Z", "status": "churned"},
    ]});
    std::fs::write(world.dir.path().join("customers.json"), list.to_string())?;
    let import = ["import", "--format", "cased", "../customers.json"];
    let done = world.run(&import)?;
    insta::assert_snapshot!(steady(&done.all(), &[]), @r#"
    create customers/acme-corp/metadata.yaml
      + # Registry entry. `tenantry customer set acme-corp KEY=VALUE` changes it and keeps what else stands here.
      + customer: acme-corp
      + name: Acme Corp
      + status: active
      + added: "<day>"
      + contact: ops@acme.test
    create customers/acme-corp/products.yaml
      + # What acme-corp subscribes to. Without `environments`, a product's stacks are in all of its environments.
      + products:
      +   - name: web
    create customers/beta/metadata.yaml
      + # Registry entry. `tenantry customer set beta KEY=VALUE` changes it and keeps what else stands here.
      + customer: beta
      + name: Beta
      + status: suspended
      + added: "<day>"
      + contact: b@beta.test
      + suspension:
      +   reason: "`churned` in the list that was imported"
      +   since: "<day>"
    create customers/beta/products.yaml
      + # What beta subscribes to. Without `environments`, a product's stacks are in all of its environments.
      + products:
      +   - name: web
    written; check it with `tenantry validate`, then commit
    2 customers are without a repository and not served yet; `tenantry customer set ID repository=OWNER/NAME` records one
    1 customer is not active in the list, so suspended here
    2 tokens were left out: tokens are never copied into the estate; `tenantry customer credential import` encrypts them
    exit 0
    "#);
    let everything = format!("{:?}{}", world.files(), done.all());
    assert!(!everything.contains("canary"), "{everything}");
    assert!(
        world
            .read("customers/acme-corp/metadata.yaml")
            .contains("added: \"2024-05-01\"")
    );
    assert!(
        world
            .read("customers/beta/metadata.yaml")
            .contains("status: suspended")
    );
    let files = world.files();
    let again = world.run(&import)?;
    assert_eq!((again.code, world.files()), (3, files), "{}", again.all());

    // A second list, with look-ups; one bad row refuses all, and every bad row is said.
    let id = world.repository("gamma/app").await?;
    world.repository("delta/app").await?;
    let csv = "name,repository,contact,tier,region,wave\nGamma,gamma/app,ops@gamma.test,gold,eu-west-1,1\n\"Delta, Inc.\",delta/app,,,,\nacme corp,gamma/app,,,,\nEpsilon,epsilon/none,,,,\n";
    std::fs::write(world.dir.path().join("list.csv"), csv)?;
    let mut table = world.refused(&["import", "--format", "csv", "../list.csv"])?;
    let good: Vec<&str> = csv.lines().take(3).collect();
    std::fs::write(world.dir.path().join("list.csv"), good.join("\n"))?;
    let done = world.run(&["import", "--from", "csv", "../list.csv", "--format", "json"])?;
    assert_eq!(done.code, 0, "{}", done.all());
    table.push_str(&done.all());
    insta::assert_snapshot!(table, @r#"
    looking up 4 repositories (4 calls to GitHub)
    error: ../list.csv:5: customer `epsilon`: `epsilon/none` cannot be read: there is no such repository, or the token may not see it; check the name, and what the App or TENANTRY_SOURCE_TOKEN may read; --repository-id N records a repository without a look-up [estate]
    ../list.csv:4: customer `acme-corp`: there is a customer `acme-corp` already; see `tenantry customer show acme-corp`, or choose another id with --id [estate]
    {
      "files": [
        {
          "action": "create",
          "path": "customers/gamma/metadata.yaml"
        },
        {
          "action": "create",
          "path": "customers/gamma/products.yaml"
        },
        {
          "action": "create",
          "path": "customers/delta-inc/metadata.yaml"
        },
        {
          "action": "create",
          "path": "customers/delta-inc/products.yaml"
        }
      ],
      "version": 1,
      "written": true
    }
    looking up 2 repositories (2 calls to GitHub)
    written; check it with `tenantry validate`, then commit
    exit 0
    "#);
    assert!(
        world
            .read("customers/gamma/metadata.yaml")
            .contains(&format!("repository_id: {id}\n"))
    );
    assert!(
        world.validate()?.contains("nothing to correct"),
        "{}",
        world.validate()?
    );
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn several_processes_at_once_do_not_lose_each_others_work() -> Tested {
    let world = World::new().await?;
    world.write("customers/acme/metadata.yaml", "# Mine.\nname: Acme\n")?;
    // Many keys of one file, and one id that only one of them can have.
    let mut running = Vec::new();
    for i in 0..4 {
        running.push((
            false,
            world
                .command(&[
                    "set",
                    "acme",
                    &format!("{}=v{i}", ["tier", "region", "contact", "wave"][i]),
                ])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        ));
        let number = (100 + i).to_string();
        running.push((
            true,
            world
                .command(&[
                    "add",
                    "Beta",
                    "--repository",
                    &format!("beta/app{i}"),
                    "--repository-id",
                    &number,
                ])
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()?,
        ));
    }
    let mut added = 0;
    for (adds, mut child) in running {
        let done = child.wait()?.success();
        assert!(done || adds);
        added += usize::from(adds && done);
    }
    assert_eq!(added, 1);
    let text = world.read("customers/acme/metadata.yaml");
    for part in [
        "# Mine.\n",
        "tier: v0\n",
        "region: v1\n",
        "contact: v2\n",
        "wave: v3\n",
    ] {
        assert!(text.contains(part), "{text}");
    }
    assert!(
        world.validate()?.contains("nothing to correct"),
        "{}",
        world.validate()?
    );
    assert!(!world.root().join(".tenantry-stage").exists());
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn t29_a_killed_import_leaves_whole_customers_only() -> Tested {
    let world = World::new().await?;
    let mut csv = "name,repository,repository_id\n".to_owned();
    for i in 0..300 {
        csv.push_str(&format!("Customer {i:03} x,c{i}/app,{}\n", 1000 + i));
    }
    std::fs::write(world.dir.path().join("list.csv"), csv)?;
    let mut seen = Vec::new();
    for round in 0..12_u64 {
        let mut child = world
            .command(&["import", "--format", "csv", "../list.csv"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        // Until the first customer is in place, or nearly so: then a little more each time.
        let start = std::time::Instant::now();
        let staged = world.root().join(".tenantry-stage");
        while !staged.exists() && start.elapsed().as_secs() < 60 && child.try_wait()?.is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        std::thread::sleep(std::time::Duration::from_millis(round * round * 4));
        child.kill()?;
        child.wait()?;
        let customers = std::fs::read_dir(world.root().join("customers"))
            .map(Iterator::count)
            .unwrap_or_default();
        seen.push(customers);
        let files = world.files();
        let inside = files.keys().filter(|p| p.starts_with("customers/")).count();
        assert_eq!(inside, 2 * customers, "each has both files");
        assert!(
            files
                .iter()
                .filter(|(p, _)| p.starts_with("customers/"))
                .all(|(_, t)| t.ends_with('\n'))
        );
        assert!(world.validate()?.contains("nothing to correct"));
    }
    assert!(seen.is_sorted(), "{seen:?}");
    // Once more, to its end.
    let last = world.run(&["import", "--format", "csv", "../list.csv"])?;
    assert!(matches!(last.code, 0 | 3), "{}", last.all());
    assert_eq!(
        std::fs::read_dir(world.root().join("customers"))?.count(),
        300
    );
    assert!(!world.root().join(".tenantry-stage").exists());
    Ok(())
}
