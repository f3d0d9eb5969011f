//! `tenantry init`: write a manager or a customer repository, or a product.

mod product;

use crate::audit::key::SigningKey;
use crate::cli::commands::pin::released;
use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::folder;
use crate::cli::print::Printer;
use crate::estate::{EnvironmentId, RepoSlug, Sha};
use crate::registry::scaffold::{Actions, CustomerPlan, File, ManagerPlan, customer, manager};
use crate::store::seal::SealIdentity;
use serde_json::json;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Flags.
#[derive(Debug, clap::Args)]
pub struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, clap::Subcommand)]
enum What {
    /// A manager repository: settings, an example product, policies, workflows.
    #[command(
        after_help = "Example:\n  tenantry init manager infra-manager --repository acme-ops/infra-manager --bucket acme-ops-state"
    )]
    Manager(ManagerArgs),
    /// What a customer needs: infra/variables.yml and the trigger workflow.
    #[command(after_help = "Example:\n  tenantry init customer ../shop --project shop")]
    Customer(CustomerArgs),
    /// A product of a manager repository, drafted from a Terraform module.
    #[command(
        after_help = "Example:\n  tenantry init product web --from-terraform ../modules/web --estate infra-manager"
    )]
    Product(product::Args),
}

#[derive(Debug, clap::Args)]
struct Common {
    /// The folder to write into.
    dir: PathBuf,
    /// Environments in the order in which changes are promoted.
    #[arg(long, value_delimiter = ',', default_values = ["staging", "production"])]
    environments: Vec<EnvironmentId>,
    /// Commit of tenantry's actions that the workflows use; asked of GitHub when absent.
    #[arg(
        long,
        env = "TENANTRY_ACTIONS_REF",
        hide_env = true,
        value_name = "COMMIT"
    )]
    actions_ref: Option<Sha>,
    /// Repository of tenantry's actions.
    #[arg(long, default_value = "tenantry/tenantry", value_name = "OWNER/NAME")]
    actions_repository: RepoSlug,
    /// Only list the files.
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, clap::Args)]
struct ManagerArgs {
    #[command(flatten)]
    common: Common,
    /// The manager repository on GitHub.
    #[arg(
        long,
        value_name = "OWNER/NAME",
        default_value = "my-org/infra-manager"
    )]
    repository: RepoSlug,
    /// Bucket for plans, requests and Terraform state.
    #[arg(long, default_value = "my-org-infra-state", value_parser = bucket)]
    bucket: String,
    /// Its region.
    #[arg(long, default_value = "eu-west-1", value_parser = bucket)]
    region: String,
    /// Let the jobs of each customer run in environments of their own, such as
    /// `acme/production-apply`.
    #[arg(long)]
    own_environments: bool,
    /// Also write a Terraform module that makes buckets and roles, into bootstrap/.
    #[arg(long, value_enum, value_name = "CLOUD")]
    bootstrap: Option<Cloud>,
}

/// Clouds that there is a module for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Cloud {
    /// Buckets and roles in AWS.
    Aws,
}

#[derive(Debug, clap::Args)]
struct CustomerArgs {
    #[command(flatten)]
    common: Common,
    /// Name of the project; the folder's name when absent.
    #[arg(long)]
    project: Option<String>,
    /// The default branch.
    #[arg(long, default_value = "main", value_parser = branch)]
    branch: String,
}

fn bucket(text: &str) -> Result<String, String> {
    let ok = (3..=63).contains(&text.len())
        && text
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'-' | b'.'));
    if ok {
        Ok(text.to_owned())
    } else {
        Err("3 to 63 of a-z, 0-9, `-` and `.`".into())
    }
}

fn branch(text: &str) -> Result<String, String> {
    let ok = !text.is_empty()
        && text
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'/'));
    if ok {
        Ok(text.to_owned())
    } else {
        Err("letters, digits, `-`, `_`, `.` and `/`".into())
    }
}

/// Runs it.
pub async fn run(args: Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let mut names = match &args.what {
        What::Manager(args) => args.common.environments.clone(),
        What::Customer(args) => args.common.environments.clone(),
        What::Product(args) => args.environments().to_vec(),
    };
    let given = names.len();
    names.sort();
    names.dedup();
    if names.len() != given {
        return Err(CliError::usage(
            "--environments names one environment twice",
        ));
    }
    match args.what {
        What::Manager(args) => new_manager(&args, env, printer).await,
        What::Customer(args) => new_customer(&args, env, printer).await,
        What::Product(args) => product::run(&args, printer),
    }
}

async fn new_manager(args: &ManagerArgs, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    // The name of the audit log's bucket is longer by `-audit`, and may have 63 characters.
    if args.bootstrap.is_some() && args.bucket.len() > 57 {
        return Err(CliError::usage(
            "--bucket is too long: with --bootstrap it may have 57 characters",
        )
        .hint("the bucket of the audit log is called like it, with `-audit` behind"));
    }
    let identity = SealIdentity::generate();
    let signer = SigningKey::generate()?;
    let files = manager(&ManagerPlan {
        manager: args.repository.clone(),
        environments: args.common.environments.clone(),
        bucket: args.bucket.clone(),
        region: args.region.clone(),
        own_environments: args.own_environments,
        recipient: identity.recipient(),
        audit_key: signer.public().to_string(),
        audit_bucket: args
            .bootstrap
            .map(|Cloud::Aws| format!("{}-audit", args.bucket)),
        actions: actions(&args.common, env).await?,
    })?;
    let seal = beside(&args.common.dir, ".seal-identity")?;
    let audit = beside(&args.common.dir, ".audit-key")?;
    for (secret, does) in [(&seal, "opens plans"), (&audit, "signs the audit log")] {
        if secret.exists() && !args.common.dry_run {
            return Err(CliError::failed(format!(
                "`{}` is there already; nothing was written",
                secret.display()
            ))
            .hint(format!(
                "it {does} of an earlier manager; move it away first"
            )));
        }
    }
    let files = free(&args.common, files, printer)?;
    if args.common.dry_run {
        return write(&args.common, &files, printer).map(|()| Exit::Done);
    }
    // First, because a public half in tenantry.yml whose other half was lost would be worth nothing.
    keep_secret(&seal, &identity.expose())?;
    keep_secret(&audit, &signer.expose())?;
    write(&args.common, &files, printer)?;
    let seals = match args.own_environments {
        true => {
            "Keep it where your other\nsecrets are; `tenantry customer onboard` takes it from TENANTRY_SEAL_IDENTITY and puts it\ninto the environments of each customer."
        }
        false => "Put it into the secret\nTENANTRY_SEAL_IDENTITY of each `…-apply` environment.",
    };
    printer.progress(&format!(
        "\nThe key that opens sealed plans is in {} (mode 0600). {seals}\nThe key that signs the audit log is in {} (mode 0600). Put it into the secret\nTENANTRY_AUDIT_KEY of the repository. Then delete both files.\nNext: read {}/README.md, then `tenantry validate --estate {}`.",
        seal.display(),
        audit.display(),
        args.common.dir.display(),
        args.common.dir.display()
    ));
    Ok(Exit::Done)
}

async fn new_customer(args: &CustomerArgs, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let folder = std::path::absolute(&args.common.dir)?;
    let folder = folder
        .file_name()
        .map(|n| n.to_string_lossy().to_lowercase())
        .unwrap_or_default();
    let project = args.project.clone().unwrap_or(folder);
    let ok = project.len() <= 31
        && project.starts_with(|c: char| c.is_ascii_lowercase())
        && project
            .bytes()
            .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        && project.len() > 1;
    if !ok {
        return Err(CliError::usage(format!(
            "`{}` is not a project name",
            crate::estate::ids::shown(&project)
        ))
        .hint("name one with --project: 2 to 31 of a-z, 0-9 and `-`, a letter first"));
    }
    let files = customer(&CustomerPlan {
        project,
        environments: args.common.environments.clone(),
        branch: args.branch.clone(),
        actions: actions(&args.common, env).await?,
    })?;
    let files = free(&args.common, files, printer)?;
    write(&args.common, &files, printer)?;
    Ok(Exit::Done)
}

/// The commit that the workflows pin.
async fn actions(common: &Common, env: &Env) -> Result<Actions, CliError> {
    let repository = common.actions_repository.clone();
    match &common.actions_ref {
        None => released(repository, env).await,
        Some(sha) => Ok(Actions {
            actions_repository: repository,
            actions_ref: sha.clone(),
            actions_version: env!("CARGO_PKG_VERSION").into(),
        }),
    }
}

/// Writes a secret for its owner only: whoever has it can do what only the manager may.
fn keep_secret(path: &Path, secret: &str) -> std::io::Result<()> {
    std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/")))?;
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(format!("{secret}\n").as_bytes())?;
    file.sync_all()
}

/// Outside of the repository, also when that is the folder one stands in.
fn beside(dir: &Path, ending: &str) -> std::io::Result<PathBuf> {
    let dir = std::path::absolute(dir)?;
    let mut name = dir
        .file_name()
        .map(std::ffi::OsStr::to_os_string)
        .unwrap_or_else(|| "manager".into());
    name.push(ending);
    Ok(dir.with_file_name(name))
}

/// The files to write: nothing is ever overwritten. A README that is there already stays, because
/// GitHub gives one to every new repository; anything else that is there stops the command.
fn free(common: &Common, files: Vec<File>, printer: &Printer) -> Result<Vec<File>, CliError> {
    let mut out = Vec::new();
    for (path, text) in files {
        let there = common.dir.join(&path);
        if !there.exists() {
            out.push((path, text));
        } else if path == "README.md" {
            printer.progress("README.md is there already and stays as it is");
        } else {
            return Err(CliError::failed(format!(
                "`{}` is there already; nothing was written",
                there.display()
            ))
            .hint("name another folder, or move the file away"));
        }
    }
    Ok(out)
}

/// Writes the files, or only lists them.
fn write(common: &Common, files: &[File], printer: &Printer) -> Result<(), CliError> {
    if !common.dry_run {
        for (path, text) in files {
            folder::write(&common.dir.join(path), text.as_bytes())?;
        }
    }
    let list: Vec<&str> = files.iter().map(|(p, _)| p.as_str()).collect();
    let text = list
        .iter()
        .map(|p| format!("{}\n", common.dir.join(p).display()))
        .collect::<String>();
    printer.result(
        &json!({"version": 1, "dir": common.dir, "files": list, "written": !common.dry_run}),
        &text,
    );
    Ok(())
}
