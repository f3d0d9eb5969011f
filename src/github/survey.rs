//! How many repositories are set up, over GraphQL: identity, default branch and its protection, and
//! a few small files, about one call per 50 repositories.
//!
//! Source of fields: docs.github.com, GraphQL reference, `Repository`, `Ref`, `RefUpdateRule`.

use super::api::Result;
use super::client::Client;
use crate::estate::RepoSlug;
use serde_json::{Value, json};

/// Repositories of one query: files are read along, and GitHub gives a query ten seconds.
const BATCH: usize = 50;

/// Where GitHub looks for code owners, in this order; the first file counts (docs.github.com,
/// "About code owners").
pub const CODEOWNERS: [&str; 3] = [".github/CODEOWNERS", "CODEOWNERS", "docs/CODEOWNERS"];

/// How a repository is set up, as far as everybody who can read it may know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Surveyed {
    /// Numeric id.
    pub id: u64,
    /// `owner/name` as it is called now.
    pub full_name: String,
    /// Number of the owner.
    pub owner_id: Option<u64>,
    /// Whether it is read-only.
    pub archived: bool,
    /// The default branch and its head; none in an empty repository.
    pub head: Option<(String, String)>,
    /// Rules of rulesets that hold for the default branch, in REST's spelling.
    pub rules: Vec<String>,
    /// Whether the older branch protection forbids deleting the default branch.
    pub keeps_branch: bool,
    /// Whether it forbids rewriting its history.
    pub keeps_history: bool,
    /// The file that was asked for: its blob and its text.
    pub file: Option<(String, String)>,
    /// The file of code owners that counts.
    pub owners: Option<String>,
    /// Branches of ours, on which something is proposed.
    pub proposals: Vec<String>,
}

impl Client {
    /// How repositories are set up, and what stands in the file `path` of each. One that cannot be
    /// seen comes back as `None`.
    pub async fn survey(&self, repos: &[RepoSlug], path: &str) -> Result<Vec<Option<Surveyed>>> {
        let mut out = vec![None; repos.len()];
        for group in self.grouped(repos).await? {
            let Some(speaker) = self.speaker(repos, &group).await? else {
                continue;
            };
            for places in group.chunks(BATCH) {
                let parts: Vec<String> = places.iter().map(|i| part(*i, &repos[*i])).collect();
                let query = format!(
                    "query($file:String!{}) {{ {} }}",
                    (0..CODEOWNERS.len())
                        .map(|i| format!(",$owners{i}:String!"))
                        .collect::<String>(),
                    parts.join(" ")
                );
                let mut variables = json!({"file": format!("HEAD:{path}")});
                for (i, owners) in CODEOWNERS.iter().enumerate() {
                    variables[format!("owners{i}")] = json!(format!("HEAD:{owners}"));
                }
                let body = json!({"query": query, "variables": variables});
                let data = self.graphql(&body, speaker).await?;
                for i in places {
                    out[*i] = surveyed(&data[format!("r{i}")]);
                }
            }
        }
        Ok(out)
    }

    /// How many queries a survey needs.
    pub fn survey_calls(&self, repos: &[RepoSlug]) -> usize {
        let groups = self.voices(repos);
        groups.iter().map(|g| g.len().div_ceil(BATCH)).sum()
    }
}

/// One repository of a query. Owner and name are checked (letters, digits, `-_.`), so they need
/// no escapes.
fn part(i: usize, repo: &RepoSlug) -> String {
    let owners: String = (0..CODEOWNERS.len())
        .map(|n| format!(" owners{n}: object(expression:$owners{n}){{ ... on Blob {{ text }} }}"))
        .collect();
    format!(
        "r{i}: repository(owner:\"{}\",name:\"{}\"){{ databaseId nameWithOwner isArchived owner{{ ... on User {{ databaseId }} ... on Organization {{ databaseId }} }} defaultBranchRef{{ name target{{ oid }} rules(first:100){{ nodes{{ type }} }} refUpdateRule{{ allowsDeletions allowsForcePushes }} }} refs(refPrefix:\"refs/heads/tenantry/\",first:20){{ nodes{{ name }} }} file: object(expression:$file){{ ... on Blob {{ oid text }} }}{owners} }}",
        repo.owner(),
        repo.name()
    )
}

fn surveyed(value: &Value) -> Option<Surveyed> {
    let text = |pointer: &str| value.pointer(pointer).and_then(Value::as_str);
    let own = |pointer: &str| text(pointer).map(str::to_owned);
    let branch = "/defaultBranchRef";
    let old = value
        .pointer(&format!("{branch}/refUpdateRule"))
        .filter(|r| r.is_object());
    let forbids = |key: &str| old.is_some_and(|r| r.get(key) == Some(&Value::Bool(false)));
    let rules = value.pointer(&format!("{branch}/rules/nodes"));
    Some(Surveyed {
        id: value.get("databaseId")?.as_u64()?,
        full_name: own("/nameWithOwner")?,
        owner_id: value.pointer("/owner/databaseId").and_then(Value::as_u64),
        archived: value.get("isArchived") == Some(&Value::Bool(true)),
        head: own(&format!("{branch}/name")).zip(own(&format!("{branch}/target/oid"))),
        rules: rules
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get("type")?.as_str())
            .map(str::to_ascii_lowercase)
            .collect(),
        keeps_branch: forbids("allowsDeletions"),
        keeps_history: forbids("allowsForcePushes"),
        file: own("/file/oid").zip(own("/file/text")),
        proposals: value
            .pointer("/refs/nodes")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(|r| r.get("name")?.as_str().map(str::to_owned))
            .collect(),
        owners: (0..CODEOWNERS.len()).find_map(|n| own(&format!("/owners{n}/text"))),
    })
}
