//! Engine `argocd`: a stack is two files in a GitOps repository, its values and its Application.
//!
//! This file renders and compares; reading and committing is the caller's.

use super::change::{Action, Change, Changes};
use super::emit::yaml;
use super::redact::Redactor;
use crate::estate::StackId;
use crate::estate::names::unique;
use crate::estate::yaml::{Reading, read};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One file as it should be, and what it stands on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileChange {
    /// Path in the GitOps repository.
    pub path: String,
    /// The git blob that the plan saw there, if any.
    pub base_blob: Option<String>,
    /// The new content.
    pub content: String,
}

/// The saved plan of this engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitOpsPlan {
    /// The GitOps repository.
    pub repository: String,
    /// Its branch.
    pub branch: String,
    /// The files that change; empty when nothing does.
    pub files: Vec<FileChange>,
}

/// Where the GitOps repository is.
#[derive(Debug, Clone)]
pub struct Target<'a> {
    /// `owner/name`.
    pub repository: &'a str,
    /// The URL that Argo CD clones.
    pub clone_url: &'a str,
    /// The branch.
    pub branch: &'a str,
}

/// Names of a stack that a cluster knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterNames {
    /// Of the Application.
    pub application: String,
    /// Of Argo CD's project. One for each customer: it keeps their Applications out of others'
    /// namespaces.
    pub project: String,
    /// Of the namespace.
    pub namespace: String,
}

/// The names of a stack in a cluster.
pub fn cluster_names(stack: &StackId) -> ClusterNames {
    let [customer, product] = [stack.customer.as_str(), stack.product.as_str()];
    ClusterNames {
        application: unique(&[customer, product, stack.environment.as_str()]),
        project: customer.to_owned(),
        namespace: unique(&[customer, product]),
    }
}

/// The files of a stack: path and content.
pub fn render(
    stack: &StackId,
    values: &Value,
    version: Option<&str>,
    target: &Target<'_>,
) -> [(String, String); 2] {
    let folder = format!("stacks/{stack}");
    let names = cluster_names(stack);
    let application = json!({
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Application",
        "metadata": {
            "name": names.application,
            "labels": {
                "tenantry/customer": stack.customer,
                "tenantry/product": stack.product,
                "tenantry/environment": stack.environment,
            },
        },
        "spec": {
            "project": names.project,
            "source": {
                "repoURL": target.clone_url,
                "targetRevision": target.branch,
                "path": format!("charts/{}{}", stack.product, version.map(|v| format!("/{v}")).unwrap_or_default()),
                "helm": {"valueFiles": [format!("/{folder}/values.yaml")]},
            },
            "destination": {
                "name": stack.environment,
                "namespace": names.namespace,
            },
        },
    });
    [
        (format!("{folder}/application.yaml"), yaml(&application)),
        (format!("{folder}/values.yaml"), yaml(values)),
    ]
}

/// What changes from `before` to `after`, key by key. A file that cannot be read counts as
/// replaced, and is shown as a whole.
pub fn compare(
    path: &str,
    before: Option<&str>,
    after: &str,
    redactor: &Redactor,
) -> Option<Change> {
    if before == Some(after) {
        return None;
    }
    let parse = |text: &str| {
        read(path, text.as_bytes(), Reading::Core)
            .map_or_else(|_| Value::String(text.to_owned()), |node| node.to_json())
    };
    let old = before.map_or(Value::Null, parse);
    let attributes = super::plan_json::differences(&old, &parse(after), redactor);
    let action = if before.is_some() {
        Action::Update
    } else {
        Action::Create
    };
    Some(Change {
        address: path.to_owned(),
        action,
        attributes,
    })
}

/// All changes as the common model.
pub fn changes(list: Vec<Change>) -> Changes {
    Changes {
        changes: list,
        ..Changes::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t15_moved_lines_are_shown_and_secrets_are_not() {
        let before = "admin:\n  enabled: true\nweb:\n  enabled: false\n";
        let after = "admin:\n  enabled: false\ntokens:\n  - CANARY\nweb:\n  enabled: true\n";
        let Some(change) = compare("v.yaml", Some(before), after, &Redactor::default()) else {
            panic!("no change")
        };
        let paths: Vec<&str> = change.attributes.iter().map(|a| a.path.as_str()).collect();
        assert_eq!(paths, ["admin.enabled", "tokens.0", "web.enabled"]);
        assert!(
            !serde_json::to_string(&change)
                .unwrap_or_default()
                .contains("CANARY")
        );
    }
}
