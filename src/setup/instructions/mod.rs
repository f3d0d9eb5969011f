//! Texts that a provider sends to a customer: how to start, how to pull images, how it ends. Made of
//! templates that the provider can replace; every value is Markdown already when it gets there.

mod mail;

pub use mail::mail;

use crate::estate::model::{Customer, Subscription};
use crate::estate::reference::reference;
use crate::estate::resolve::Rules;
use crate::estate::settings::HintMode;
use crate::estate::{Estate, Findings, ProductId, RepoSlug, StackId};
use crate::keyring::Secret;
use crate::registry::RegistryError;
use crate::registry::scaffold::{self, Actions, CustomerPlan, ScaffoldError};
use crate::report::document;
use crate::report::escape::{fence, prose};
use crate::report::reference::{example, markdown};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Where a provider keeps texts of their own, from the root of the estate.
pub const TEMPLATES: &str = "templates/instructions";
/// Where a customer's workflow stands.
pub const WORKFLOW: &str = ".github/workflows/trigger-infra.yml";

/// What a text is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// How to pull images.
    RegistryPull,
    /// How to start.
    Onboarding,
    /// How it ends.
    Offboarding,
    /// What stands beside the customer's file.
    Readme,
    /// Title and text of the pull request that brings a customer in.
    PullRequest,
    /// The same of the one that leads them out.
    Farewell,
}

impl Purpose {
    /// Its name on the command line, and of its template.
    pub fn name(self) -> &'static str {
        match self {
            Self::RegistryPull => "registry-pull",
            Self::Onboarding => "onboarding",
            Self::Offboarding => "offboarding",
            Self::Readme => "readme",
            Self::PullRequest => "pull-request",
            Self::Farewell => "farewell",
        }
    }

    fn template(self) -> &'static str {
        macro_rules! text {
            ($name:literal) => {
                include_str!(concat!(
                    env!("CARGO_MANIFEST_DIR"),
                    "/templates/instructions/",
                    $name
                ))
            };
        }
        match self {
            Self::RegistryPull => text!("registry-pull.md"),
            Self::Onboarding => text!("onboarding.md"),
            Self::Offboarding => text!("offboarding.md"),
            Self::Readme => text!("readme.md"),
            Self::PullRequest => text!("pull-request.md"),
            Self::Farewell => text!("farewell.md"),
        }
    }
}

/// Something of a customer that stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Which stack.
    pub stack: StackId,
    /// When it was last applied.
    pub at: String,
    /// Of which commit.
    pub commit: String,
}

/// What a text is made of besides the estate.
#[derive(Debug, Clone)]
pub struct Known<'a> {
    /// The manager repository.
    pub manager: &'a RepoSlug,
    /// Which of our actions the customer's workflow uses; only onboarding needs them.
    pub actions: Option<&'a Actions>,
    /// What was applied, if the store was asked.
    pub applied: Option<&'a [Standing]>,
    /// The provider's own template.
    pub template: Option<&'a str>,
    /// The value with which images are pulled, if it is to stand in the text.
    pub secret: Option<&'a Secret>,
}

/// A text that is ready to be sent. It may hold a secret, so `Debug` shows the title alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Text {
    /// One line, plain.
    pub title: String,
    /// The whole, in Markdown.
    pub markdown: String,
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Text({:?}, ***)", self.title)
    }
}

impl Text {
    /// What stands below the title.
    pub fn below(&self) -> &str {
        let rest = self.markdown.split_once('\n').map_or("", |(_, rest)| rest);
        rest.trim_start()
    }

    /// As one HTML page.
    pub fn page(&self) -> String {
        document::page(&self.title, &self.markdown)
    }
}

/// Writes the text for a customer.
pub fn write(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    purpose: Purpose,
    known: &Known<'_>,
) -> Result<Text, RegistryError> {
    let context = context(estate, rules, customer, purpose, known)?;
    let path = format!("{TEMPLATES}/{}.md", purpose.name());
    let template = known.template.unwrap_or(purpose.template());
    let text = scaffold::render((&path, template), &context)?;
    let markdown = spaced(&text);
    let title = document::title(&markdown).ok_or_else(|| {
        RegistryError::refused(
            format!("the text of `{path}` does not begin with a heading"),
            "write `# ` and a title into its first line: it becomes the subject of the mail",
        )
    })?;
    Ok(Text { title, markdown })
}

/// Where a customer's file is written, and for which products.
pub fn contracts(customer: &Customer) -> Vec<(String, Vec<ProductId>)> {
    let mut out: Vec<(String, Vec<ProductId>)> = Vec::new();
    for Subscription {
        product, variables, ..
    } in customer.subscriptions.iter().filter(|s| s.enabled)
    {
        match out.iter_mut().find(|(path, _)| path == variables) {
            Some((_, products)) => products.push(product.clone()),
            None => out.push((variables.clone(), vec![product.clone()])),
        }
    }
    out
}

fn context(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
    purpose: Purpose,
    known: &Known<'_>,
) -> Result<Value, RegistryError> {
    let about = &estate.settings.instructions;
    let files: Vec<Value> = contracts(customer)
        .into_iter()
        .map(|(path, products)| {
            let products: Vec<String> = products.iter().map(|p| format!("`{p}`")).collect();
            json!({"path": prose_code(&path), "products": products.join(", ")})
        })
        .collect();
    let open = customer.credentials.iter().filter(|c| c.is_open());
    let credentials: Vec<String> = open
        .map(|c| match &c.last_four {
            Some(end) => format!("`{}`, which ends with `{}`", c.purpose, prose_code(end)),
            None => format!("`{}`", c.purpose),
        })
        .collect();
    let paths: Vec<String> = contracts(customer)
        .iter()
        .map(|(path, _)| format!("`{}`", prose_code(path)))
        .collect();
    let paths = match paths.split_last() {
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "no file".to_owned(),
    };
    let stacks: Vec<Value> = estate
        .stacks_of(customer)
        .iter()
        .map(|s| {
            let gate = estate.settings.gate(&s.environment);
            json!({"name": s.to_string(), "approval": gate.approval})
        })
        .collect();
    let applied = known.applied.map(|all| {
        let one = |s: &Standing| json!({"name": s.stack.to_string(), "at": prose(&s.at), "commit": prose_code(&s.commit)});
        all.iter().map(one).collect::<Vec<_>>()
    });
    let mut out = json!({
        "id": customer.id,
        "name": prose(&customer.name),
        "contact": customer.about.contact.as_deref().map(prose),
        "provider": own(about.provider.as_deref().unwrap_or(known.manager.owner())),
        "support": about.support.as_deref().map(own),
        "repository": customer.repository,
        "manager": known.manager,
        "manager_owner": known.manager.owner(),
        "manager_name": known.manager.name(),
        "mode": match estate.settings.hints {
            HintMode::Poll => "poll",
            HintMode::Direct => "direct",
            HintMode::Inbox => "inbox",
        },
        "status": prose_code(&estate.settings.commit_status_context),
        "suspended": customer.suspension.is_some(),
        "paths": paths,
        "files": files,
        "stacks": stacks,
        "applied": applied,
        "credentials": credentials,
        "workflow_path": WORKFLOW,
        "secret": null,
    });
    match purpose {
        Purpose::RegistryPull => {
            registry(estate, &mut out)?;
            let fenced = known.secret.map(|s| fence("text", s.expose()));
            out["secret"] = json!(fenced.as_deref().map(str::trim_end));
        }
        Purpose::Onboarding => {
            if let Some(actions) = known.actions {
                out["workflow"] = json!(fence("yaml", &workflow(actions, "main")?).trim_end());
            }
            out["reference"] = json!(references(estate, rules, customer)?);
        }
        _ => {}
    }
    Ok(out)
}

/// The provider's own words: people also read them as they are, in the plain part of a mail.
fn own(text: &str) -> String {
    prose(text).replace("&#64;", "@").replace("&#58;", ":")
}

/// Something that stands between backticks in a template.
fn prose_code(text: &str) -> String {
    let plain = crate::report::escape::terminal(text);
    plain.replace(['`', '|', '\n', '\r'], "?")
}

/// The trigger workflow for a repository whose default branch is `branch`.
pub fn workflow(actions: &Actions, branch: &str) -> Result<String, ScaffoldError> {
    let plan = CustomerPlan {
        project: String::new(),
        environments: Vec::new(),
        branch: branch.to_owned(),
        actions: actions.clone(),
    };
    let files = scaffold::customer(&plan)?;
    let found = files.into_iter().find(|(path, _)| path == WORKFLOW);
    Ok(found.map(|(_, text)| text).unwrap_or_default())
}

/// What only the text about images needs; refused where the provider has not said it.
fn registry(estate: &Estate, out: &mut Value) -> Result<(), RegistryError> {
    let about = &estate.settings.instructions;
    let needed = [
        ("registry", &about.registry),
        ("image", &about.image),
        ("username", &about.username),
    ];
    let missing: Vec<&str> = needed
        .iter()
        .filter(|(_, v)| v.is_none())
        .map(|(k, _)| *k)
        .collect();
    if !missing.is_empty() {
        return Err(RegistryError::refused(
            format!(
                "tenantry.yml does not say where images are: `instructions.{}` is missing",
                missing.join("`, `instructions.")
            ),
            "add it; docs/settings.md has an example",
        ));
    }
    for (key, value) in needed {
        out[key] = json!(value);
    }
    out["pull_secret"] = json!(about.pull_secret);
    out["chart"] = json!(about.chart);
    // Only a chart out of a registry of images needs a login.
    let host = about
        .chart
        .as_deref()
        .and_then(|c| c.strip_prefix("oci://"));
    out["chart_login"] = json!(host.and_then(|h| h.split('/').next()));
    Ok(())
}

/// The reference of each product that the customer has and that has a schema, below a heading.
fn references(
    estate: &Estate,
    rules: &Rules,
    customer: &Customer,
) -> Result<Option<String>, Findings> {
    let mut out = String::new();
    let mut seen = BTreeMap::new();
    for (_, products) in contracts(customer) {
        for product in products {
            if seen.insert(product.clone(), ()).is_some() {
                continue;
            }
            let Some(page) = reference(estate, &product)? else {
                continue;
            };
            let example = example(estate, rules, &product)?;
            out.push_str(&lower(&markdown(&page, example.as_ref())));
            out.push('\n');
        }
    }
    Ok((!out.is_empty()).then(|| out.trim_end().to_owned()))
}

/// The same text with every heading two levels lower.
fn lower(text: &str) -> String {
    let mut out = String::new();
    let mut fenced = false;
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        if line.starts_with('#') && !fenced {
            out.push_str("##");
        }
        out.push_str(line);
        out.push('\n');
    }
    out
}

/// What statements leave behind: runs of empty lines become one, but inside of a fence.
fn spaced(text: &str) -> String {
    let mut out = String::new();
    let (mut fenced, mut empty) = (false, false);
    for line in text.lines() {
        fenced ^= line.starts_with("```");
        let blank = line.trim().is_empty() && !fenced;
        if !(blank && empty) {
            out.push_str(line.trim_end());
            out.push('\n');
        }
        empty = blank;
    }
    format!("{}\n", out.trim())
}
