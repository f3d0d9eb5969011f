//! What people do on the stage, and what they see.

use super::{BOT, MANAGER, REVIEWER, Stage, StageError, Tenant};
use serde_json::{Value, json};

/// A comment as its reader finds it.
#[derive(Debug, Clone, serde::Serialize)]
pub struct CommentSeen {
    /// Who wrote it.
    pub author: String,
    /// Markdown.
    pub body: String,
}

/// A status as its reader finds it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct StatusSeen {
    /// `pending`, `success` or `failure`.
    pub state: String,
    /// One line.
    pub description: String,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

impl Stage {
    /// A branch with one commit; its head.
    pub async fn commit(
        &self,
        tenant: &Tenant,
        branch: &str,
        path: &str,
        content: &str,
        message: &str,
    ) -> Result<String, StageError> {
        let body = json!({"repo": tenant.repository, "branch": branch, "user": tenant.user, "message": message, "files": {path: content}});
        Ok(text(
            &self.admin("POST", "/_local/commits", body).await?["sha"],
        ))
    }

    /// Opens a pull request that sets `infra/variables.yml`; its number and head.
    pub async fn propose(
        &self,
        tenant: &Tenant,
        branch: &str,
        variables: &str,
        title: &str,
    ) -> Result<(u64, String), StageError> {
        let sha = self
            .commit(tenant, branch, "infra/variables.yml", variables, title)
            .await?;
        let body = json!({"title": title, "head": branch, "base": "main", "body": ""});
        let pull = self
            .by(
                tenant.user,
                "POST",
                &format!("/repos/{}/pulls", tenant.repository),
                body,
            )
            .await?;
        Ok((pull["number"].as_u64().unwrap_or(0), sha))
    }

    /// Merges a pull request; the merge commit.
    pub async fn merge(
        &self,
        tenant: &Tenant,
        number: u64,
        head: &str,
    ) -> Result<String, StageError> {
        let answer = self
            .by(
                tenant.user,
                "PUT",
                &format!("/repos/{}/pulls/{number}/merge", tenant.repository),
                json!({"sha": head}),
            )
            .await?;
        Ok(text(&answer["sha"]))
    }

    /// Starts the scheduled sweep of the manager.
    pub async fn tick(&self) -> Result<(), StageError> {
        self.tick_of("reconcile.yml").await
    }

    /// Starts one scheduled workflow of the manager.
    pub async fn tick_of(&self, file: &str) -> Result<(), StageError> {
        let body = json!({"repo": MANAGER, "workflow": format!(".github/workflows/{file}")});
        self.admin("POST", "/_local/tick", body).await.map(|_| ())
    }

    /// The manager's run that waits for an approval, and for which environments.
    pub async fn waiting(&self) -> Result<Option<(u64, Vec<String>)>, StageError> {
        let runs = self.admin("GET", "/_local/runs", Value::Null).await?;
        Ok(runs.as_array().into_iter().flatten().find_map(|run| {
            let names: Vec<String> = run["waiting"]
                .as_array()
                .into_iter()
                .flatten()
                .map(text)
                .collect();
            let over = run["status"] == "completed";
            (!names.is_empty() && !over).then(|| (run["id"].as_u64().unwrap_or(0), names))
        }))
    }

    /// Waits until some run waits for an approval.
    pub async fn until_waiting(&self, seconds: u64) -> Result<Option<u64>, StageError> {
        for _ in 0..seconds * 10 {
            if let Some((run, _)) = self.waiting().await? {
                return Ok(Some(run));
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        Ok(None)
    }

    /// Approves everything a run waits for, through GitHub's own interface.
    pub async fn approve(&self, run: u64, by: &str) -> Result<Value, StageError> {
        let path = format!("/repos/{MANAGER}/actions/runs/{run}/pending_deployments");
        let pending = self.by(REVIEWER, "GET", &path, Value::Null).await?;
        let ids: Vec<Value> = pending
            .as_array()
            .into_iter()
            .flatten()
            .map(|p| p["environment"]["id"].clone())
            .collect();
        self.by(
            by,
            "POST",
            &path,
            json!({"environment_ids": ids, "state": "approved", "comment": "looks right"}),
        )
        .await
    }

    /// Starts a run once more through GitHub's own interface: all of it, or what failed.
    pub async fn rerun(&self, run: u64, failed_only: bool) -> Result<(), StageError> {
        let what = if failed_only {
            "rerun-failed-jobs"
        } else {
            "rerun"
        };
        let path = format!("/repos/{MANAGER}/actions/runs/{run}/{what}");
        self.by(REVIEWER, "POST", &path, json!({}))
            .await
            .map(|_| ())
    }

    /// The comments of a pull request.
    pub async fn comments(
        &self,
        tenant: &Tenant,
        number: u64,
    ) -> Result<Vec<CommentSeen>, StageError> {
        let list = self
            .admin(
                "GET",
                &format!("/repos/{}/issues/{number}/comments", tenant.repository),
                Value::Null,
            )
            .await?;
        Ok(list
            .as_array()
            .into_iter()
            .flatten()
            .map(|c| CommentSeen {
                author: text(&c["user"]["login"]),
                body: text(&c["body"]),
            })
            .collect())
    }

    /// The statuses of a commit, oldest first.
    pub async fn statuses(
        &self,
        tenant: &Tenant,
        sha: &str,
    ) -> Result<Vec<StatusSeen>, StageError> {
        let list = self
            .admin(
                "GET",
                &format!("/repos/{}/commits/{sha}/statuses", tenant.repository),
                Value::Null,
            )
            .await?;
        let mut seen: Vec<StatusSeen> = list
            .as_array()
            .into_iter()
            .flatten()
            .map(|s| StatusSeen {
                state: text(&s["state"]),
                description: text(&s["description"]),
            })
            .collect();
        seen.reverse();
        Ok(seen)
    }

    /// The last status of a commit.
    pub async fn status(
        &self,
        tenant: &Tenant,
        sha: &str,
    ) -> Result<Option<StatusSeen>, StageError> {
        Ok(self.statuses(tenant, sha).await?.pop())
    }

    /// Sends a hint straight to the manager.
    pub async fn dispatch(&self, token: &str, payload: &Value) -> u16 {
        let body = json!({"event_type": "tenantry-request", "client_payload": payload});
        self.server
            .call_as(token, "POST", &format!("/repos/{MANAGER}/dispatches"), body)
            .await
            .0
    }

    /// Logs of all runs, for a message when something went wrong.
    pub async fn logs(&self) -> Result<String, StageError> {
        let runs = self.admin("GET", "/_local/runs", Value::Null).await?;
        let mut out = String::new();
        for run in runs.as_array().into_iter().flatten() {
            out.push_str(&format!(
                "--- run {} {} {} {}: {}\n{}\n",
                run["id"],
                text(&run["repo"]),
                text(&run["event"]),
                run["status"],
                run["conclusion"],
                text(&run["log"])
            ));
        }
        Ok(out)
    }

    /// The login that answers customers.
    pub fn bot(&self) -> &'static str {
        BOT
    }
}
