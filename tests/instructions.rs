//! Texts for customers, as a provider makes them: through the binary, in every format, also with
//! names that want to be something else.

mod support;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use support::planted::Planted;
use support::registry::files;
use support::said::Said;
use support::{Tested, path};

struct World {
    dir: tempfile::TempDir,
}

const SETTINGS: &str = "manager: acme-ops/infra-manager
instructions:
  provider: Acme Operations
  support: support@acme-ops.example
  registry: ghcr.io
  image: ghcr.io/acme-ops/app
  chart: oci://ghcr.io/acme-ops/charts/app
  username: acme-ops-pull
";

impl World {
    fn new() -> Result<Self, Box<dyn Error>> {
        let dir = tempfile::tempdir()?;
        let world = Self { dir };
        world.write("tenantry.yml", SETTINGS)?;
        for (path, text) in [
            (
                "products/web/values.schema.json",
                include_str!("../templates/manager/products/web/values.schema.json"),
            ),
            (
                "products/web/base-values.yaml",
                include_str!("../templates/manager/products/web/base-values.yaml"),
            ),
            ("products/web/environments/staging.yaml", "tags: {}\n"),
            ("products/web/environments/production.yaml", "tags: {}\n"),
            (
                "customers/acme/metadata.yaml",
                "name: Acme Corp\nrepository: acme/app\nrepository_id: 1\ncontact: ops@acme.example\n",
            ),
            ("customers/acme/products.yaml", "products:\n  - name: web\n"),
        ] {
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

    fn run(&self, args: &[&str]) -> Result<Said, Box<dyn Error>> {
        let out = Command::new(env!("CARGO_BIN_EXE_tenantry"))
            .args(["customer", "instructions"])
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .current_dir(self.root())
            .stdin(Stdio::null())
            .output()?;
        Said::of(out)
    }

    fn fine(&self, args: &[&str]) -> Result<String, Box<dyn Error>> {
        let said = self.run(args)?;
        assert_eq!(said.code, 0, "{args:?}: {}{}", said.out, said.err);
        Ok(said.out)
    }
}

#[test]
fn how_images_are_pulled() -> Tested {
    let world = World::new()?;
    let text = world.fine(&["acme", "--for", "registry-pull"])?;
    insta::assert_snapshot!(text, @r##"
    # Access to the images of Acme Operations

    For Acme Corp (customer `acme`).

    You get a token from us, apart from this text. Keep it like a password: it reads images, and whoever has it can do the same in your name.

    Put it into a file `token.txt` that only you can read, and delete the file at the end. The commands take it from there, so that it stands in no history of a shell and in no list of processes.

    ## On a machine

    ```sh
    docker login ghcr.io --username acme-ops-pull --password-stdin < token.txt
    docker pull ghcr.io/acme-ops/app:VERSION
    ```

    ## In Kubernetes

    Once for each namespace that runs the image:

    ```sh
    printf '{"auths":{"ghcr.io":{"username":"acme-ops-pull","password":"%s"}}}' "$(cat token.txt)" |
      kubectl create secret generic registry-pull --namespace NAMESPACE \
        --type=kubernetes.io/dockerconfigjson --from-file=.dockerconfigjson=/dev/stdin
    ```

    The chart takes the name of that secret, in `values.yaml`:

    ```yaml
    image:
      repository: ghcr.io/acme-ops/app
    imagePullSecrets:
      - name: registry-pull
    ```

    ```sh
    helm registry login ghcr.io --username acme-ops-pull --password-stdin < token.txt
    helm upgrade --install app oci://ghcr.io/acme-ops/charts/app --namespace NAMESPACE --values values.yaml
    ```

    ## When the token changes

    We send you a new one before the old one ends, and both work for a while. Do the same as above; in Kubernetes, delete the secret `registry-pull` first. What runs already goes on running: the token is needed only when an image is pulled.

    ## If an image is not pulled

    | what you see | what it is |
    |---|---|
    | `unauthorized` or `denied` | the token is wrong, at its end, or revoked. Try it with `docker login` |
    | `ErrImagePull` in one namespace only | the secret is missing there, or `imagePullSecrets` does not name it |
    | `manifest unknown` | there is no such version |

    ## Whom to ask

    support@acme-ops.example
    "##);
    // The same in the other name of the format.
    assert_eq!(
        world.fine(&["acme", "--for", "registry-pull", "--format", "md"])?,
        text
    );
    // The commands are read by a shell without a complaint.
    for block in text.split("```sh\n").skip(1) {
        let script = block.split("```").next().unwrap_or_default();
        let read = Command::new("sh").args(["-n", "-c", script]).output()?;
        assert!(read.status.success(), "{script}");
    }
    // Whoever has no chart names the secret where the image is used.
    world.write(
        "tenantry.yml",
        &SETTINGS.replace("  chart: oci://ghcr.io/acme-ops/charts/app\n", ""),
    )?;
    let text = world.fine(&["acme", "--for", "registry-pull"])?;
    assert!(text.contains("  imagePullSecrets:\n    - name: registry-pull\n"));
    assert!(!text.contains("helm"), "{text}");
    // What the provider has not said is not made up.
    world.write("tenantry.yml", "manager: acme-ops/infra-manager\n")?;
    let said = world.run(&["acme", "--for", "registry-pull"])?;
    assert_eq!(said.code, 1);
    insta::assert_snapshot!(said.err, @"
    error: tenantry.yml does not say where images are: `instructions.registry`, `instructions.image`, `instructions.username` is missing
      hint: add it; docs/settings.md has an example
    ");
    Ok(())
}

#[test]
fn the_pull_secret_of_the_text_is_one() -> Tested {
    let world = World::new()?;
    let text = world.fine(&["acme", "--for", "registry-pull"])?;
    let line = text
        .lines()
        .find_map(|l| l.strip_prefix("printf "))
        .ok_or("no printf")?;
    let line = format!("printf {}", line.trim_end_matches(" |"));
    let out = Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.dir.path())
        .output()?;
    assert!(out.status.success() || !out.stderr.is_empty());
    std::fs::write(world.dir.path().join("token.txt"), "ghp_example\n")?;
    let out = Command::new("sh")
        .args(["-c", &line])
        .current_dir(world.dir.path())
        .output()?;
    let json: serde_json::Value = serde_json::from_slice(&out.stdout)?;
    assert_eq!(json["auths"]["ghcr.io"]["username"], "acme-ops-pull");
    assert_eq!(json["auths"]["ghcr.io"]["password"], "ghp_example");
    Ok(())
}

#[test]
fn how_a_customer_starts() -> Tested {
    let world = World::new()?;
    let text = world.fine(&["acme"])?;
    let (head, reference) = text.split_once("## Reference").ok_or("no reference")?;
    insta::assert_snapshot!(head, @r##"
    # How to start with Acme Operations

    For Acme Corp (customer `acme`).

    You say in a file of your own repository what you need. We check it, plan it, show you the plan in your pull request, and apply it once you have merged. We read this file and answer on commits and pull requests; we run nothing of your repository.

    ## Once

    We open a pull request in `acme/app` with the files below and set the variables. Read it, correct what you ask for, and merge it when the plan is what you want. You can also add everything yourselves.

    1. Let us read the repository, and comment and set statuses there: install our GitHub App, or invite the account that we name to you. We need no right to push for the service itself.
    2. Add what you ask for:
       - `infra/variables.yml` for `web`; an example stands [below](#reference)
    3. Add `.github/workflows/trigger-infra.yml`. It only says "look": what we do is read back from your repository.

    ```yaml
    # Asks the provider to look at this commit when something under infra/ changes.
    #
    # Written by `tenantry init customer`; change it as you like, it is yours.
    #
    # It only says "look": the provider verifies this workflow's identity and reads the
    # commit back. Nothing of this repository is run over there.
    name: trigger-infra

    on:
      push:
        branches:
          - "main"
        paths:
          - infra/**
      pull_request:
        paths:
          - infra/**

    # Nothing by default; the job says what it needs and why.
    permissions: {}

    # A group of its own for every run: a request that waits must not be dropped. The
    # provider throws away what is out of date.
    concurrency:
      group: tenantry-trigger-${{ github.run_id }}
      cancel-in-progress: false

    jobs:
      trigger:
        name: Ask the provider
        # A pull request from a fork gets neither an identity nor a secret.
        if: ${{ github.event_name == 'push' || github.event.pull_request.head.repo.id == github.event.repository.id }}
        runs-on: ubuntu-latest
        timeout-minutes: 10
        permissions:
          id-token: write # to prove to the provider which repository is asking
          contents: read # to look at the commit and the pull request that the request names
          statuses: write # to show on the commit that the request is on its way
        steps:
          - name: Send the request
            uses: "tenantry/tenantry/actions/trigger@aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" # v0.1.0
            with:
              manager: ${{ vars.MANAGER_REPO_OWNER }}/${{ vars.MANAGER_REPO_NAME }}
              # Not needed where the provider polls; then leave the secret unset.
              dispatch-token: ${{ secrets.MANAGER_REPO_PAT }}
    ```

    4. Under Settings, Secrets and variables, Actions, Variables:

    | variable | value |
    |---|---|
    | `MANAGER_REPO_OWNER` | `acme-ops` |
    | `MANAGER_REPO_NAME` | `infra-manager` |

    No secret is needed. We find your changes by ourselves, within about 15 minutes.

    ## From then on

    1. Change the file in a pull request. The plan, or what to correct and where, appears there as a comment.
    2. Merge it. The status `infra/terraform-deploy` of the commit says how far it is.

    | what is run for you | when it is applied |
    |---|---|
    | `acme/web/staging` | as soon as you have merged |
    | `acme/web/production` | after we have approved the plan |

    Never write a password, a token or a key into the file: everybody who can read your repository can read it. Ask us how secrets get to where they are needed.

    ## Whom to ask

    support@acme-ops.example

    <a id="reference"></a>
    "##);
    assert!(reference.contains("##### `instance_type`"), "{reference}");
    // The workflow in it is the one that `init customer` writes, with the provider's names beside.
    assert!(text.contains("manager: ${{ vars.MANAGER_REPO_OWNER }}"));
    assert!(text.contains("| `MANAGER_REPO_OWNER` | `acme-ops` |"));
    world.write(
        "tenantry.yml",
        &format!("{SETTINGS}hints: {{mode: direct}}\n"),
    )?;
    assert!(world.fine(&["acme"])?.contains("`MANAGER_REPO_PAT`"));
    Ok(())
}

#[test]
fn how_it_ends() -> Tested {
    let world = World::new()?;
    insta::assert_snapshot!(world.fine(&["acme", "--for", "offboarding"])?, @r##"
    # How the service of Acme Operations ends

    For Acme Corp (customer `acme`).

    ## What stops

    - Changes in your repository are not planned and not applied any more.
    - We open a pull request in `acme/app` that removes `.github/workflows/trigger-infra.yml`, and remove the variables `MANAGER_REPO_OWNER` and `MANAGER_REPO_NAME`. What you asked for, `infra/variables.yml`, is yours and stays.
    - Pull requests that wait for a plan get none.

    ## What is revoked

    - Every token that we have handed to you: to pull images, and to tell us of changes (`MANAGER_REPO_PAT`).
    - Our access to your repository: uninstall our GitHub App there, or remove our account from the collaborators, when the pull request is merged.

    Running workloads go on until they pull an image again.

    ## What still stands

    Ending the service destroys nothing.

    - `acme/web/staging`
    - `acme/web/production`

    For what was applied of these, and for its state, we need a decision of yours: hand over, or destroy.

    ## Whom to ask

    support@acme-ops.example
    "##);
    world.write(
        "customers/acme/metadata.yaml",
        "name: Acme Corp\nstatus: suspended\nsuspension: {reason: over}\n",
    )?;
    let text = world.fine(&["acme", "--for", "offboarding"])?;
    assert!(text.contains("this holds already"), "{text}");
    Ok(())
}

#[test]
fn a_template_of_the_providers_own() -> Tested {
    let world = World::new()?;
    let path = "templates/instructions/onboarding.md";
    world.write(
        path,
        "# Welcome, [[ name ]]\n# %% for stack in stacks\n- [[ stack.name ]]\n# %% endfor\n",
    )?;
    assert_eq!(
        world.fine(&["acme"])?,
        "# Welcome, Acme Corp\n- acme/web/staging\n- acme/web/production\n"
    );
    for (text, why) in [
        ("# [[ nobody ]]\n", "undefined"),
        ("no heading\n", "does not begin with a heading"),
        ("# x\n# %% for\n", "cannot be rendered"),
        (
            "# x\n# %% for i in range(100000000)\n.\n# %% endfor\n",
            "cannot be rendered",
        ),
    ] {
        world.write(path, text)?;
        let said = world.run(&["acme"])?;
        assert_eq!(said.code, 1, "{text}: {}", said.out);
        assert!(
            said.err.contains(why) && said.err.contains("hint: "),
            "{text}: {}",
            said.err
        );
    }
    let real = world.root().join(path);
    std::fs::remove_file(&real)?;
    std::os::unix::fs::symlink("/etc/hostname", &real)?;
    assert_eq!(world.run(&["acme"])?.code, 1);
    Ok(())
}

#[test]
fn into_a_file_and_as_json() -> Tested {
    let world = World::new()?;
    let said = world.run(&["acme", "--format", "html", "--out", "acme.html"])?;
    assert_eq!((said.code, said.out.as_str()), (0, ""));
    let html = std::fs::read_to_string(world.root().join("acme.html"))?;
    assert!(html.starts_with("<!doctype html>"), "{html}");
    assert!(html.contains("<title>How to start with Acme Operations</title>"));
    assert!(html.contains("<a href=\"#reference\">"));
    let json: serde_json::Value =
        serde_json::from_str(&world.fine(&["acme", "--format", "json"])?)?;
    assert_eq!(json["version"], 1);
    assert_eq!(json["title"], "How to start with Acme Operations");
    // Not a format of this command.
    assert_eq!(world.run(&["acme", "--format", "csv"])?.code, 2);
    assert_eq!(world.run(&["nobody"])?.code, 2);
    Ok(())
}

/// T32: the value is in the one file that was asked for, which nobody else can read.
#[test]
fn t32_a_secret_is_in_the_text_only_when_asked_for_and_only_in_a_file() -> Tested {
    use std::io::Write as _;
    use std::os::unix::fs::PermissionsExt as _;
    const SECRET: &str = "glpat-Zk3v8Qw1Lm5Tx9Rb2Hn7";
    let world = World::new()?;
    let planted = Planted::default();
    planted.add(SECRET)?;
    let command = |args: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tenantry"));
        command
            .arg("customer")
            .args(args)
            .env_clear()
            .env("PATH", path())
            .env("XDG_DATA_HOME", world.dir.path().join("data"))
            .env("TENANTRY_CREDENTIALS_PASSPHRASE", "four words of a test")
            .env("TENANTRY_ACTIONS_REF", "a".repeat(40))
            .current_dir(world.root());
        command
    };
    let run = |args: &[&str]| -> Result<Said, Box<dyn Error>> {
        let out = command(args).stdin(Stdio::null()).output()?;
        let said = Said::of(out)?;
        assert!(
            !said.out.contains(SECRET) && !said.err.contains(SECRET),
            "{args:?}"
        );
        Ok(said)
    };
    let pull = [
        "instructions",
        "acme",
        "--for",
        "registry-pull",
        "--with-secret",
    ];
    let to = |out| [&pull[..], &["--out", out]].concat();
    let none = run(&to("none.md"))?;
    assert_eq!(none.code, 1);
    assert!(
        none.err
            .contains("no credential for `registry-pull` in use"),
        "{}",
        none.err
    );
    let args = [
        "credential",
        "add",
        "acme",
        "--purpose",
        "registry-pull",
        "--keep",
    ];
    let mut child = command(&args)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    if let Some(stdin) = &mut child.stdin {
        writeln!(stdin, "{SECRET}")?;
    }
    let added = child.wait_with_output()?;
    assert!(
        added.status.success(),
        "{}",
        String::from_utf8_lossy(&added.stderr)
    );

    // Not on standard output, and in no other text.
    assert_eq!(run(&pull)?.code, 2);
    let other = ["instructions", "acme", "--with-secret", "--out", "other.md"];
    assert_eq!(run(&other)?.code, 2);
    let without = run(&pull[..4])?;
    assert_eq!(without.code, 0);

    // In the file, once.
    let done = run(&to("acme.md"))?;
    assert_eq!(done.code, 0, "{}", done.err);
    let file = world.root().join("acme.md");
    assert_eq!(
        std::fs::metadata(&file)?.permissions().mode() & 0o777,
        0o600
    );
    let text = std::fs::read_to_string(&file)?;
    assert!(text.contains(&format!("```text\n{SECRET}\n```")), "{text}");
    let again = run(&to("acme.md"))?;
    assert!(
        again.err.contains("`acme.md` is there already"),
        "{}",
        again.err
    );
    assert_eq!(std::fs::read_to_string(&file)?, text);
    // Neither through a link to somewhere else.
    std::os::unix::fs::symlink(world.dir.path().join("away"), world.root().join("link.md"))?;
    assert_eq!(run(&to("link.md"))?.code, 1);
    assert!(!world.dir.path().join("away").exists());
    // It is written down that somebody took it.
    let log = run(&["credential", "show", "acme", "registry-pull", "--log"])?;
    assert_eq!(
        log.out.matches("written into instructions").count(),
        1,
        "{}",
        log.out
    );
    // A template that fails says nothing of what it was given.
    world.write(
        "templates/instructions/registry-pull.md",
        "# x\n[[ secret ]]\n[[ nobody ]]\n",
    )?;
    let broken = run(&[&to("broken.md")[..], &["-vv"]].concat())?;
    assert_eq!(broken.code, 1, "{}", broken.out);
    assert!(!world.root().join("broken.md").exists());
    // Nothing else holds it: neither the registry nor the encrypted file as it lies there.
    let places = files(world.dir.path())?;
    assert!(planted.search(&places, &[]).is_err(), "{places:?}");
    planted.search(&places, &[&file])
}

/// Names that a registry can hold when its files are edited by hand.
const HOSTILE: [&str; 9] = [
    "Evil\\n\\nBcc: victim@example.com",
    "Evil\\nX-Evil: 1",
    "<script>alert(1)</script>",
    "[click](https://evil.example) ![x](https://evil.example/x.png)",
    "`code` | cell | @everybody #1 **bold**",
    "live p\\u0430ypal",
    "# heading",
    "[[ manager ]] {{ 7*7 }} <% if x %>",
    "$(id) `id` ; rm -rf /",
];

#[test]
fn t16_t21_a_name_takes_no_effect_in_any_format() -> Tested {
    let world = World::new()?;
    for name in HOSTILE {
        world.write(
            "customers/acme/metadata.yaml",
            &format!("name: \"{name}\"\nrepository: acme/app\nrepository_id: 1\ncontact: \"{name}, ops@acme.example\"\n"),
        )?;
        for purpose in ["onboarding", "registry-pull", "offboarding"] {
            let text = world.fine(&["acme", "--for", purpose])?;
            let line = text
                .lines()
                .find(|l| l.starts_with("For "))
                .ok_or("no line for the name")?;
            // One line, and only ours begins something there.
            assert!(line.ends_with(" (customer `acme`)."), "{line}");
            let inside = line
                .trim_start_matches("For ")
                .trim_end_matches(" (customer `acme`).");
            for sign in ['`', '[', '<', '*', '#', '|', '!'] {
                let bare = inside.char_indices().any(|(i, c)| {
                    c == sign && !inside[..i].ends_with('\\') && !inside[..i].ends_with('&')
                });
                assert!(!bare, "{sign} in {line}");
            }
            assert!(
                !line.contains(['@', '\u{202e}', '\u{200b}', '\u{430}']),
                "{line}"
            );
            assert!(!line.contains("49"), "{line}");

            let html = world.fine(&["acme", "--for", purpose, "--format", "html"])?;
            for bad in ["<script", "<img", "evil.example\"", "<h1>heading"] {
                assert!(!html.contains(bad), "{name}: {html}");
            }

            let mail = world.fine(&["acme", "--for", purpose, "--format", "eml"])?;
            let head = mail.split("\r\n\r\n").next().unwrap_or_default();
            for line in head.split("\r\n") {
                let known = [
                    "X-Unsent:",
                    "Subject:",
                    "From:",
                    "To:",
                    "Message-ID:",
                    "Date:",
                    "MIME-Version:",
                    "Content-Type:",
                    " ",
                    "\t",
                ];
                assert!(known.iter().any(|k| line.starts_with(k)), "{name}: {line}");
            }
            assert!(!head.contains("victim"), "{head}");
            // Of two addresses nobody knows which is meant.
            let to = head.contains("To: <ops@acme.example>");
            assert_eq!(to, !name.contains('@'), "{head}");
        }
    }
    Ok(())
}

#[test]
fn a_mail_program_reads_the_mail() -> Tested {
    let world = World::new()?;
    world.write(
        "customers/acme/metadata.yaml",
        "name: Müller & Söhne AG\nrepository: acme/app\nrepository_id: 1\ncontact: ops@acme.example\n",
    )?;
    let out = world.root().join("acme.eml");
    let said = world.run(&["acme", "--format", "eml", "--out", "acme.eml"])?;
    assert_eq!(said.code, 0, "{}", said.err);
    let Some(python) = support::tool("python3") else {
        return support::skip(
            "a_mail_program_reads_the_mail",
            "python3 is not on the PATH",
        );
    };
    let script = "import email,email.policy,sys\nm=email.message_from_binary_file(open(sys.argv[1],'rb'),policy=email.policy.default)\nprint(m['subject']);print(m['to']);print(m['from']);print(m.get_content_type())\nfor p in m.iter_parts(): print(p.get_content_type(), 'Müller' in p.get_content() and 'M\\xfcller' in p.get_content())\nassert not m.defects, m.defects\n";
    let read = Command::new(python)
        .args(["-c", script])
        .arg(Path::new(&out))
        .env("PYTHONIOENCODING", "utf-8")
        .output()?;
    insta::assert_snapshot!(format!("{}{}", String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr)), @"
    How to start with Acme Operations
    ops@acme.example
    support@acme-ops.example
    multipart/alternative
    text/plain True
    text/html True
    ");
    // Nobody to write to is said.
    world.write(
        "customers/acme/metadata.yaml",
        "name: Acme\ncontact: call us\n",
    )?;
    let said = world.run(&["acme", "--format", "eml"])?;
    assert!(
        said.err.contains("no contact that is an address"),
        "{}",
        said.err
    );
    Ok(())
}
