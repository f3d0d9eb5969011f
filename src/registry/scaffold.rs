//! The files of a new manager or customer repository, as a value: what is shown is what is written.
//!
//! The workflows of `workflows/` are valid workflow files and templates at once: statements stand
//! in comments (`# %%`), variables in `[[ … ]]`, which no customer's text ever reaches.

use crate::estate::{EnvironmentId, RepoSlug};
use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;
use serde_json::{Value, json};

/// A template that does not render is a mistake of ours or an unusable setting.
#[derive(Debug, thiserror::Error)]
#[error("the template `{path}` cannot be rendered")]
pub struct ScaffoldError {
    path: String,
    #[source]
    source: minijinja::Error,
}

/// Which of our actions the workflows use.
#[derive(Debug, Clone, Serialize)]
pub struct Actions {
    /// `owner/name`.
    pub actions_repository: RepoSlug,
    /// A full commit id.
    pub actions_ref: crate::estate::Sha,
    /// The version, for the comment beside it.
    pub actions_version: String,
}

/// What a new manager repository is made from.
#[derive(Debug, Clone)]
pub struct ManagerPlan {
    /// `owner/name` of the manager.
    pub manager: RepoSlug,
    /// Environments in promotion order.
    pub environments: Vec<EnvironmentId>,
    /// Bucket of the store and of Terraform state.
    pub bucket: String,
    /// Its region.
    pub region: String,
    /// Whether the jobs of each customer run in environments of their own.
    pub own_environments: bool,
    /// age recipient.
    pub recipient: String,
    /// Public half of the key that signs the audit log.
    pub audit_key: String,
    /// The bucket of the audit log, if it has one of its own; then what makes the buckets is
    /// written as well.
    pub audit_bucket: Option<String>,
    /// Our actions.
    pub actions: Actions,
}

/// What a new customer repository is made from.
#[derive(Debug, Clone)]
pub struct CustomerPlan {
    /// Name of the project.
    pub project: String,
    /// Environments in promotion order.
    pub environments: Vec<EnvironmentId>,
    /// Its default branch.
    pub branch: String,
    /// Our actions.
    pub actions: Actions,
}

/// A path and what stands there.
pub type File = (String, String);

macro_rules! template {
    ($path:literal) => {
        (
            $path,
            include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/", $path)),
        )
    };
}

/// The files of a manager repository.
pub fn manager(plan: &ManagerPlan) -> Result<Vec<File>, ScaffoldError> {
    let context = json!({
        "manager": plan.manager,
        "bucket": plan.bucket,
        "region": plan.region,
        "recipient": plan.recipient,
        "audit_key": plan.audit_key,
        "audit_bucket": plan.audit_bucket,
        "own_environments": plan.own_environments,
        // In front of an environment's name. The customer's id was validated by the binary that
        // printed the matrix.
        "own": if plan.own_environments { "${{ matrix.customer }}/" } else { "" },
        "environments": environments(&plan.environments),
        "actions_repository": plan.actions.actions_repository,
        "actions_ref": plan.actions.actions_ref,
        "actions_version": plan.actions.actions_version,
    });
    let mut files = Vec::new();
    for (path, template) in [
        ("README.md", template!("templates/manager/README.md")),
        ("tenantry.yml", template!("templates/manager/tenantry.yml")),
        (
            "products/web/product.yaml",
            template!("templates/manager/products/web/product.yaml"),
        ),
        (
            ".github/workflows/deploy.yml",
            template!("workflows/manager/deploy.yml"),
        ),
        (
            ".github/workflows/reconcile.yml",
            template!("workflows/manager/reconcile.yml"),
        ),
        (
            ".github/workflows/drift.yml",
            template!("workflows/manager/drift.yml"),
        ),
        (
            ".github/workflows/credentials.yml",
            template!("workflows/manager/credentials.yml"),
        ),
    ] {
        files.push((path.to_owned(), render(template, &context)?));
    }
    if plan.audit_bucket.is_some() {
        for (name, template) in [
            ("README.md", template!("templates/bootstrap/aws/README.md")),
            ("main.tf", template!("templates/bootstrap/aws/main.tf")),
            (
                "variables.tf",
                template!("templates/bootstrap/aws/variables.tf"),
            ),
            (
                "buckets.tf",
                template!("templates/bootstrap/aws/buckets.tf"),
            ),
            ("roles.tf", template!("templates/bootstrap/aws/roles.tf")),
            (
                "outputs.tf",
                template!("templates/bootstrap/aws/outputs.tf"),
            ),
        ] {
            let text = render(template, &context)?;
            files.push((format!("bootstrap/aws/{name}"), text));
        }
    }
    for environment in environments(&plan.environments) {
        let path = format!(
            "products/web/environments/{}.yaml",
            environment["name"].as_str().unwrap_or_default()
        );
        let context = json!({"environment": environment});
        files.push((
            path,
            render(
                template!("templates/manager/products/web/environment.yaml"),
                &context,
            )?,
        ));
    }
    for (path, (_, text)) in [
        (
            "products/web/base-values.yaml",
            template!("templates/manager/products/web/base-values.yaml"),
        ),
        (
            "products/web/values.schema.json",
            template!("templates/manager/products/web/values.schema.json"),
        ),
        (
            "products/web/terraform/main.tf",
            template!("templates/manager/products/web/terraform/main.tf"),
        ),
        (
            "products/web/terraform/variables.tf",
            template!("templates/manager/products/web/terraform/variables.tf"),
        ),
        (
            "products/web/terraform/outputs.tf",
            template!("templates/manager/products/web/terraform/outputs.tf"),
        ),
        (
            "policies/instances.rego",
            template!("templates/manager/policies/instances.rego"),
        ),
        (
            "policies/instances_test.rego",
            template!("templates/manager/policies/instances_test.rego"),
        ),
        (
            ".gitignore",
            (
                "",
                ".terraform/\n*.tfstate*\n*.tfplan\n*.seal-identity\n*.audit-key\n.tenantry-stage/\n",
            ),
        ),
    ] {
        files.push((path.to_owned(), text.to_owned()));
    }
    files.sort();
    Ok(files)
}

/// The files of a customer repository.
pub fn customer(plan: &CustomerPlan) -> Result<Vec<File>, ScaffoldError> {
    let context = json!({
        "project": plan.project,
        "branch": plan.branch,
        "environments": environments(&plan.environments),
        "actions_repository": plan.actions.actions_repository,
        "actions_ref": plan.actions.actions_ref,
        "actions_version": plan.actions.actions_version,
    });
    let mut files = Vec::new();
    for (path, template) in [
        (
            "infra/variables.yml",
            template!("templates/customer/variables.yml"),
        ),
        ("infra/README.md", template!("templates/customer/README.md")),
        (
            ".github/workflows/trigger-infra.yml",
            template!("workflows/customer/trigger-infra.yml"),
        ),
    ] {
        files.push((path.to_owned(), render(template, &context)?));
    }
    files.sort();
    Ok(files)
}

/// A file of a registry entry: from the provider's own template, or from ours. What `context`
/// holds must be YAML already.
pub fn entry(name: &str, own: Option<&str>, context: &Value) -> Result<String, ScaffoldError> {
    let (path, ours) = match name {
        "products.yaml" => template!("templates/registry/products.yaml"),
        _ => template!("templates/registry/metadata.yaml"),
    };
    match own {
        Some(text) => render((&format!("{TEMPLATES}/{name}"), text), context),
        None => render((path, ours), context),
    }
}

/// Where a provider keeps templates of their own, from the root of the estate.
pub const TEMPLATES: &str = "templates/customer";

fn environments(ids: &[EnvironmentId]) -> Vec<Value> {
    ids.iter()
        .enumerate()
        .map(|(i, id)| {
            let name = id.as_str();
            let production = crate::estate::settings::needs_approval(name);
            json!({
                "name": name,
                "key": name.replace('-', "_"),
                "previous": i.checked_sub(1).map(|p| &ids[p]),
                "approval": if production { "required" } else { "none" },
                "instance_type": if production { "t3.small" } else { "t3.micro" },
                "instances": if production { 2 } else { 1 },
            })
        })
        .collect()
}

/// A template of the provider's own must come to an end too.
const FUEL: u64 = 1_000_000;

/// Renders one template. `context` must be made for the place where its values end: YAML, or
/// Markdown.
pub fn render((path, text): (&str, &str), context: &Value) -> Result<String, ScaffoldError> {
    let failed = |source| ScaffoldError {
        path: path.to_owned(),
        source,
    };
    let mut engine = Environment::new();
    engine.set_fuel(Some(FUEL));
    engine.set_undefined_behavior(UndefinedBehavior::Strict);
    // An error says which name is undefined, also in what is released.
    engine.set_debug(true);
    let mut syntax = SyntaxConfig::builder();
    syntax
        .variable_delimiters("[[", "]]")
        .block_delimiters("<%", "%>")
        .comment_delimiters("<#", "#>")
        .line_statement_prefix("# %%")
        .keep_trailing_newline(true);
    engine.set_syntax(syntax.build().map_err(failed)?);
    engine.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    let template = engine.template_from_named_str(path, text).map_err(failed)?;
    template.render(Serde(context)).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::resolve::{Rules, resolve_customer};
    use crate::estate::{Estate, Files};

    fn actions() -> Actions {
        match (
            RepoSlug::new("tenantry/tenantry"),
            crate::estate::Sha::new(&"a".repeat(40)),
        ) {
            (Ok(actions_repository), Ok(actions_ref)) => Actions {
                actions_repository,
                actions_ref,
                actions_version: "0.1.0".into(),
            },
            _ => panic!(),
        }
    }

    fn ids(names: &[&str]) -> Vec<EnvironmentId> {
        names
            .iter()
            .filter_map(|n| EnvironmentId::new(n).ok())
            .collect()
    }

    #[test]
    fn t19_only_the_customer_of_an_environment_comes_out_of_the_matrix()
    -> Result<(), Box<dyn std::error::Error>> {
        for own_environments in [false, true] {
            let files = manager(&ManagerPlan {
                manager: RepoSlug::new("ops/infra")?,
                environments: ids(&["staging", "production"]),
                bucket: "b".into(),
                region: "eu-west-1".into(),
                own_environments,
                recipient: "age1x".into(),
                audit_key: "ed25519:".into(),
                audit_bucket: Some("b-audit".into()),
                actions: actions(),
            })?;
            let lines = |end: &str, with: &str| -> Vec<String> {
                let of = files.iter().filter(|(path, _)| path.ends_with(end));
                let all = of.flat_map(|(_, text)| text.lines());
                let lines = all.filter(|l| l.contains(with));
                lines.map(|l| l.trim().to_owned()).collect()
            };
            let (job, role) = match own_environments {
                false => ("", ""),
                true => ("${{ matrix.customer }}/", "${each.value.customer}/"),
            };
            let named = lines("deploy.yml", "environment: \"");
            // The job's own and the action's input, of a plan and an apply for each.
            assert_eq!(named.len(), 8, "{named:?}");
            for name in [
                "staging-plan",
                "staging-apply",
                "production-plan",
                "production-apply",
            ] {
                let line = format!("environment: \"{job}{name}\"");
                assert_eq!(named.iter().filter(|l| **l == line).count(), 2, "{line}");
            }
            let trust = lines("roles.tf", "${subject}:environment:");
            let wanted =
                format!(":environment:{role}${{each.value.environment}}-${{each.value.job}}\"]");
            assert!(trust.len() == 1 && trust[0].ends_with(&wanted), "{trust:?}");
            let settings = files.iter().find(|(path, _)| path == "tenantry.yml");
            let settings = settings.map_or("", |(_, text)| text.as_str());
            assert_eq!(
                settings.contains("own_environments: true"),
                own_environments
            );
        }
        Ok(())
    }

    #[test]
    fn what_init_writes_is_an_estate_and_a_contract_that_pass()
    -> Result<(), Box<dyn std::error::Error>> {
        let environments = ids(&["dev", "staging", "production"]);
        let plan = ManagerPlan {
            manager: RepoSlug::new("ops/infra")?,
            environments: environments.clone(),
            bucket: "b".into(),
            region: "eu-west-1".into(),
            own_environments: false,
            recipient: "age1x".into(),
            audit_key: format!("ed25519:{}=", "A".repeat(43)),
            audit_bucket: Some("b-audit".into()),
            actions: actions(),
        };
        let mut files = Files::new();
        for (path, text) in manager(&plan)? {
            assert!(
                !text.contains("[[") && !text.contains("# %%"),
                "{path}: {text}"
            );
            files.insert(path, text.into_bytes());
        }
        files.insert(
            "customers/acme/products.yaml",
            b"products:\n  - name: web\n".to_vec(),
        );
        let estate = Estate::read(files)?;
        let rules = Rules::of(&estate)?;
        let own = customer(&CustomerPlan {
            project: "shop".into(),
            environments,
            branch: "main".into(),
            actions: actions(),
        })?;
        let contract: Vec<_> = own
            .into_iter()
            .filter(|(p, _)| p == "infra/variables.yml")
            .map(|(path, text)| crate::estate::resolve::ContractFile {
                path,
                bytes: text.into_bytes(),
            })
            .collect();
        let resolved = resolve_customer(
            &estate,
            &rules,
            estate.customers.values().next().ok_or("none")?,
            &contract,
        )?;
        assert_eq!(resolved.len(), 3);
        assert_eq!(
            resolved[1].effective.values["tags"]["environment"],
            "staging"
        );
        Ok(())
    }
}
