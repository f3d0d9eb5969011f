//! `tenantry trigger`: the customer's side of the loop.

use crate::cli::env::Env;
use crate::cli::error::{CliError, Exit};
use crate::cli::print::Printer;
use crate::cli::step;
use crate::delivery::trigger::{Situation, Triggered, hint, identity, pending, send};
use crate::estate::{RepoSlug, Sha};
use std::path::PathBuf;

/// Flags.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Runs in a customer's workflow on `push` and `pull_request`. Without TENANTRY_DISPATCH_TOKEN nothing\nis sent, because the provider then finds the change by itself.\n\nExample:\n  tenantry trigger --manager acme-ops/infra-manager"
)]
pub struct Args {
    /// The provider's manager repository.
    #[arg(
        long,
        env = "TENANTRY_MANAGER",
        hide_env = true,
        value_name = "OWNER/NAME"
    )]
    manager: RepoSlug,
    /// Where hints are sent, if not to the manager itself.
    #[arg(
        long,
        env = "TENANTRY_INBOX",
        hide_env = true,
        value_name = "OWNER/NAME"
    )]
    inbox: Option<RepoSlug>,
    /// The event's payload; the runner's when absent.
    #[arg(long, value_name = "FILE")]
    event: Option<PathBuf>,
    /// Name of the commit status.
    #[arg(long, default_value = "infra/terraform-deploy")]
    context: String,
}

/// Runs it.
pub async fn run(args: &Args, env: &Env, printer: &Printer) -> Result<Exit, CliError> {
    let need = |name: &str| {
        env.get(name).ok_or_else(|| {
            CliError::usage(format!("{name} is not set"))
                .hint("run this in a GitHub Actions workflow")
        })
    };
    let situation = Situation {
        event_name: need("GITHUB_EVENT_NAME")?.to_owned(),
        payload: step::event(env, args.event.as_deref())?,
        repository: RepoSlug::new(need("GITHUB_REPOSITORY")?)?,
        repository_id: need("GITHUB_REPOSITORY_ID")?
            .parse()
            .map_err(|_| CliError::usage("GITHUB_REPOSITORY_ID is not a number"))?,
        sha: Sha::new(need("GITHUB_SHA")?)?,
        reference: need("GITHUB_REF")?.to_owned(),
        run: (
            need("GITHUB_RUN_ID")?.parse().unwrap_or(0),
            env.get("GITHUB_RUN_ATTEMPT")
                .and_then(|a| a.parse().ok())
                .unwrap_or(1),
        ),
    };
    let mut hint = match hint(&situation)? {
        Ok(hint) => hint,
        Err(reason) => {
            printer.result(
                &Triggered::Nothing {
                    reason: reason.clone(),
                },
                &format!("nothing to do: {reason}"),
            );
            return Ok(if env.in_actions() {
                Exit::Done
            } else {
                Exit::Nothing
            });
        }
    };
    let api = step::api_url(env, None);
    // Before the hint goes out, so that it can never overwrite the answer.
    if let Some(token) = env.get("GITHUB_TOKEN") {
        let own = step::client(env, &api, Some(token))?;
        if let Some(warning) = pending(&own, &hint, &args.context).await {
            printer.progress(&format!("warning: {warning}"));
        }
    }
    let Some(token) = env.get("TENANTRY_DISPATCH_TOKEN") else {
        printer.result(
            &Triggered::Polled,
            "no dispatch token is set: the provider finds the change by itself",
        );
        return Ok(Exit::Done);
    };
    if let (Some(url), Some(request_token)) = (
        env.get("ACTIONS_ID_TOKEN_REQUEST_URL"),
        env.get("ACTIONS_ID_TOKEN_REQUEST_TOKEN"),
    ) {
        let (root, path) = split(url)?;
        let endpoint = step::client(env, &root, Some(request_token))?;
        hint.identity = Some(identity(&endpoint, &path, &args.manager).await?);
    } else {
        printer.progress(
            "warning: there is no identity token; give this job `permissions: id-token: write`",
        );
    }
    let to = args.inbox.as_ref().unwrap_or(&args.manager);
    send(&step::client(env, &api, Some(token))?, to, &hint).await?;
    printer.result(
        &Triggered::Sent {
            request_id: hint.request_id.to_string(),
        },
        &format!("asked {to} to look at {}", hint.sha.short()),
    );
    Ok(Exit::Done)
}

/// A URL as root and path with query.
fn split(url: &str) -> Result<(String, String), CliError> {
    let parsed = url::Url::parse(url)
        .map_err(|_| CliError::usage("ACTIONS_ID_TOKEN_REQUEST_URL is not a URL"))?;
    let root = parsed.origin().ascii_serialization();
    let path = match parsed.query() {
        Some(query) => format!("{}?{query}", parsed.path()),
        None => parsed.path().to_owned(),
    };
    Ok((root, path))
}
