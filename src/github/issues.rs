//! Issues, and comments on them and on pull requests: the calls that tenantry makes, typed.

use super::api::{Result, enc, shape};
use super::client::{Client, Repeat};
use super::model::{Comment, Issue};
use crate::estate::RepoSlug;
use http::Method;
use serde_json::json;

/// What an issue is to look like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueText<'a> {
    /// Title.
    pub title: &'a str,
    /// Markdown.
    pub body: &'a str,
}

impl Client {
    /// Issues, open and closed, that were made or changed since `since` (ISO 8601). Pull requests
    /// are among them; [`Issue::pull_request`] tells.
    pub async fn issues_since(&self, repo: &RepoSlug, since: &str) -> Result<Vec<Issue>> {
        self.pages(
            &format!("/repos/{repo}/issues?state=all&since={}", enc(since)),
            None,
        )
        .await
    }
    /// Opens an issue. Not repeated; on doubt the caller looks for its marker.
    pub async fn create_issue(
        &self,
        repo: &RepoSlug,
        text: &IssueText<'_>,
        labels: &[&str],
    ) -> Result<Issue> {
        let body = json!({"title": text.title, "body": text.body, "labels": labels});
        let path = format!("/repos/{repo}/issues");
        shape(
            "POST issue",
            self.write(Method::POST, &path, &body, Repeat::Never)
                .await?,
        )
    }
    /// Replaces an issue's title and text, and opens or closes it.
    pub async fn update_issue(
        &self,
        repo: &RepoSlug,
        number: u64,
        text: &IssueText<'_>,
        open: bool,
    ) -> Result<Issue> {
        let mut body = json!({"title": text.title, "body": text.body});
        if open {
            body["state"] = json!("open");
        } else {
            body["state"] = json!("closed");
            body["state_reason"] = json!("completed");
        }
        let path = format!("/repos/{repo}/issues/{number}");
        shape(
            "PATCH issue",
            self.write(Method::PATCH, &path, &body, Repeat::Safe)
                .await?,
        )
    }
    /// One issue.
    pub async fn issue(&self, repo: &RepoSlug, number: u64) -> Result<Issue> {
        self.read(&format!("/repos/{repo}/issues/{number}")).await
    }
    /// The comments of an issue or pull request.
    pub async fn comments(&self, repo: &RepoSlug, number: u64) -> Result<Vec<Comment>> {
        self.pages(&format!("/repos/{repo}/issues/{number}/comments"), None)
            .await
    }
    /// One comment.
    pub async fn comment(&self, repo: &RepoSlug, id: u64) -> Result<Comment> {
        self.read(&format!("/repos/{repo}/issues/comments/{id}"))
            .await
    }
    /// Writes a comment. Not repeated; on doubt the caller looks for its marker.
    pub async fn create_comment(
        &self,
        repo: &RepoSlug,
        number: u64,
        body: &str,
    ) -> Result<Comment> {
        let path = format!("/repos/{repo}/issues/{number}/comments");
        shape(
            "POST comment",
            self.write(Method::POST, &path, &json!({"body": body}), Repeat::Never)
                .await?,
        )
    }
    /// Replaces a comment's text.
    pub async fn update_comment(&self, repo: &RepoSlug, id: u64, body: &str) -> Result<Comment> {
        let path = format!("/repos/{repo}/issues/comments/{id}");
        shape(
            "PATCH comment",
            self.write(Method::PATCH, &path, &json!({"body": body}), Repeat::Safe)
                .await?,
        )
    }
}
