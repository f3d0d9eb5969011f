//! GitHub, as far as the loop asks it: repositories with one file, pull requests, statuses,
//! comments, runs and their approvals. Nothing here is random; faults happen on the way.

use super::provider::{ESTATES, MANAGER};
use super::world::{Fate, Job, clock};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tenantry::github::wire::{Call, Reply, Wire};

/// Somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Person {
    /// Login.
    pub login: &'static str,
    /// Numeric id.
    pub id: u64,
}

/// Who approves.
pub const OLIVIA: Person = Person {
    login: "olivia",
    id: 11,
};
/// Who answers customers.
pub const BOT: Person = Person {
    login: "ops-bot",
    id: 12,
};

/// A commit, with the text of the one file that its repository has.
#[derive(Debug, Clone)]
pub struct Commit {
    /// Who wrote it.
    pub author: Person,
    /// `infra/variables.yml`.
    pub text: String,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    /// Its head.
    pub head: String,
    /// What its branch began at.
    pub base: String,
    /// Who opened it.
    pub author: Person,
    /// The merge commit, once it is merged.
    pub merged: Option<String>,
}

/// A repository.
#[derive(Debug, Clone, Default)]
pub struct Repository {
    /// Numeric id.
    pub id: u64,
    /// By id.
    pub commits: BTreeMap<String, Commit>,
    /// Head of the default branch.
    pub head: String,
    /// By number.
    pub pulls: BTreeMap<u64, Pull>,
    /// By commit, oldest first: state and description.
    pub statuses: BTreeMap<String, Vec<(String, String)>>,
    /// By number of pull request: id and text.
    pub comments: BTreeMap<u64, Vec<(u64, String)>>,
}

/// A run of the manager's workflow.
#[derive(Debug, Clone)]
pub struct Run {
    /// When it was made.
    pub created: u64,
    /// Which estate it was started for.
    pub estate: usize,
    /// How often it was started.
    pub attempt: u64,
    /// Whether it has ended.
    pub completed: bool,
    /// Whether a job of it waits for a review.
    pub waits: bool,
    /// Who reviewed, how, and when.
    pub reviews: Vec<(Person, &'static str, u64)>,
}

/// GitHub.
#[derive(Debug, Default)]
pub struct Hub {
    /// By `owner/name`.
    pub repositories: BTreeMap<String, Repository>,
    /// By id.
    pub runs: BTreeMap<u64, Run>,
    /// Which estate the manager's default branch holds.
    pub estate: usize,
    /// Published keys of the issuer.
    pub jwks: Value,
    /// Numbers everything.
    pub last: u64,
    /// Every status that was set: repository, commit, state.
    pub told: Vec<(String, String, String)>,
}

/// The names of the objects of a commit: trees and blob are told from each other by a digit.
fn object(commit: &str, digit: char) -> String {
    format!("{digit}{}", &commit[1..])
}

impl Hub {
    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
    /// Commits `text` on top of nothing in particular; the id.
    pub fn commit(&mut self, repository: &str, author: Person, text: &str) -> String {
        let sha = format!("0{:039x}", self.number());
        let commit = Commit {
            author,
            text: text.to_owned(),
        };
        if let Some(repository) = self.repositories.get_mut(repository) {
            repository.commits.insert(sha.clone(), commit);
        }
        sha
    }

    /// Answers one call that was not disturbed.
    fn answer(&mut self, method: &Method, path: &str, body: Option<&Value>) -> (u16, Value) {
        let (path, _) = path.split_once('?').unwrap_or((path, ""));
        let parts: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        match (method.as_str(), parts.as_slice()) {
            ("GET", [.., ".well-known", "jwks"]) => (200, self.jwks.clone()),
            ("GET", ["user"]) => (200, person(BOT)),
            ("POST", ["graphql"]) => (200, self.graphql(body)),
            (_, ["repos", "ops", "infra-manager", rest @ ..]) => self.manager(rest),
            (method, ["repos", owner, name, rest @ ..]) => {
                let slug = format!("{owner}/{name}");
                let number = self.last + 1;
                let Some(repository) = self.repositories.get_mut(&slug) else {
                    return (404, json!({"message": "Not Found"}));
                };
                let (status, answer) = repository.answer(&slug, method, rest, body, number);
                if method == "POST" {
                    self.last += 1;
                }
                if let (201, "POST", ["statuses", sha]) = (status, method, rest) {
                    let state = answer["state"].as_str().unwrap_or_default().to_owned();
                    self.told.push((slug, (*sha).to_owned(), state));
                }
                (status, answer)
            }
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    fn manager(&self, rest: &[&str]) -> (u16, Value) {
        match rest {
            ["actions", "runs", id] => match id
                .parse()
                .ok()
                .and_then(|id: u64| self.runs.get(&id).map(|r| (id, r)))
            {
                Some((id, run)) => (
                    200,
                    json!({"id": id, "status": if run.completed { "completed" } else { "in_progress" }, "created_at": stamp(run.created), "run_attempt": run.attempt}),
                ),
                None => (404, json!({"message": "Not Found"})),
            },
            ["actions", "runs", id, "approvals"] => {
                let run = id.parse().ok().and_then(|id: u64| self.runs.get(&id));
                let reviews = run.into_iter().flat_map(|r| &r.reviews);
                let list: Vec<Value> = reviews
                    .map(|(who, state, at)| json!({"state": state, "user": person(*who), "comment": format!("at {at}"), "environments": [{"name": "production-apply"}]}))
                    .collect();
                (200, json!(list))
            }
            ["environments", name] => (
                200,
                json!({"id": 1, "name": name, "protection_rules": [{"type": "required_reviewers", "prevent_self_review": true, "reviewers": [{"type": "User"}]}]}),
            ),
            [] => (
                200,
                json!({"id": 99, "full_name": MANAGER, "default_branch": "main", "clone_url": "https://github.test/ops/infra-manager.git"}),
            ),
            ["branches", "main"] => (200, json!({"commit": {"sha": ESTATES[self.estate]}})),
            ["compare", _] => (
                200,
                json!({"status": "ahead", "total_commits": 1, "commits": [], "files": [{"filename": "products/web/base-values.yaml"}]}),
            ),
            ["rulesets"] => (200, json!([{"id": 1}, {"id": 2}])),
            ["rulesets", id] => (
                200,
                json!({"name": "closed", "target": if *id == "1" { "branch" } else { "tag" }, "enforcement": "active", "bypass_actors": [],
                    "conditions": {"ref_name": {"include": ["~ALL"], "exclude": []}},
                    "rules": [{"type": "creation"}, {"type": "update"}, {"type": "deletion"}]}),
            ),
            _ => (404, json!({"message": "Not Found"})),
        }
    }

    /// The one query of the sweep, repository by repository.
    fn graphql(&self, body: Option<&Value>) -> Value {
        let query = body.and_then(|b| b["query"].as_str()).unwrap_or_default();
        let mut data = serde_json::Map::new();
        for (i, part) in query.split("repository(owner:\"").skip(1).enumerate() {
            let mut names = part.split('"');
            let (owner, name) = (
                names.next().unwrap_or_default(),
                names.nth(1).unwrap_or_default(),
            );
            let found = self.repositories.get(&format!("{owner}/{name}")).map(|r| {
                let open = r.pulls.iter().filter(|(_, p)| p.merged.is_none());
                let nodes: Vec<Value> = open
                    .map(|(n, p)| json!({"number": n, "headRefOid": p.head, "baseRefName": "main", "isCrossRepository": false}))
                    .collect();
                json!({"databaseId": r.id, "defaultBranchRef": {"name": "main", "target": {"oid": r.head}}, "pullRequests": {"nodes": nodes}})
            });
            data.insert(format!("r{i}"), found.unwrap_or(Value::Null));
        }
        json!({"data": data})
    }
}

fn person(p: Person) -> Value {
    json!({"login": p.login, "id": p.id})
}

/// Seconds since 1970 as GitHub writes them.
fn stamp(at: u64) -> String {
    chrono::DateTime::from_timestamp(i64::try_from(at).unwrap_or(0), 0)
        .map_or_else(String::new, |t| t.format("%Y-%m-%dT%H:%M:%SZ").to_string())
}

impl Repository {
    fn answer(
        &mut self,
        slug: &str,
        method: &str,
        rest: &[&str],
        body: Option<&Value>,
        number: u64,
    ) -> (u16, Value) {
        let missing = || (404, json!({"message": "Not Found"}));
        match (method, rest) {
            ("GET", []) => (
                200,
                json!({"id": self.id, "full_name": slug, "default_branch": "main", "clone_url": format!("https://github.test/{slug}.git")}),
            ),
            ("GET", ["branches", "main"]) => {
                (200, json!({"name": "main", "commit": {"sha": self.head}}))
            }
            ("GET", ["commits", sha]) => match self.commits.get(*sha) {
                Some(commit) => (200, whole(sha, commit)),
                None => missing(),
            },
            ("GET", ["commits", sha, "pulls"]) => {
                let of = self
                    .pulls
                    .iter()
                    .filter(|(_, p)| p.merged.as_deref() == Some(*sha) || p.head == *sha);
                let list: Vec<Value> = of.map(|(n, p)| self.pull(*n, p, false)).collect();
                (200, json!(list))
            }
            ("GET", ["commits", sha, "statuses"]) => {
                let list: Vec<Value> = self
                    .statuses
                    .get(*sha)
                    .into_iter()
                    .flatten()
                    .rev()
                    .map(status)
                    .collect();
                (200, json!(list))
            }
            ("POST", ["statuses", sha]) => {
                let text = |key: &str| {
                    body.and_then(|b| b[key].as_str())
                        .unwrap_or_default()
                        .to_owned()
                };
                let entry = (text("state"), text("description"));
                let answer = status(&entry);
                self.statuses
                    .entry((*sha).to_owned())
                    .or_default()
                    .push(entry);
                (201, answer)
            }
            ("GET", ["git", "trees", id]) => self.tree(id),
            ("GET", ["git", "blobs", id]) => match self.commits.get(&object(id, '0')) {
                Some(commit) => {
                    use base64::Engine as _;
                    let content = base64::engine::general_purpose::STANDARD.encode(&commit.text);
                    (
                        200,
                        json!({"sha": id, "encoding": "base64", "content": content, "size": commit.text.len()}),
                    )
                }
                None => missing(),
            },
            ("GET", ["pulls", number]) => {
                let found = number
                    .parse()
                    .ok()
                    .and_then(|n: u64| Some((n, self.pulls.get(&n)?)));
                found.map_or_else(missing, |(n, p)| (200, self.pull(n, p, true)))
            }
            // Nobody changed the file but those whose commit is looked at.
            ("GET", ["commits"]) => (200, json!([])),
            ("GET", ["compare", range]) => {
                let head = range.split("...").last().unwrap_or_default();
                let commits: Vec<Value> = self
                    .commits
                    .get(head)
                    .map(|c| whole(head, c))
                    .into_iter()
                    .collect();
                (
                    200,
                    json!({"total_commits": commits.len(), "commits": commits}),
                )
            }
            ("GET", ["issues", "comments", id]) => {
                let found = self
                    .comments
                    .values()
                    .flatten()
                    .find(|(i, _)| i.to_string() == *id);
                found.map_or_else(missing, |c| (200, comment(c)))
            }
            ("PATCH", ["issues", "comments", id]) => {
                let text = body.and_then(|b| b["body"].as_str()).unwrap_or_default();
                let found = self
                    .comments
                    .values_mut()
                    .flatten()
                    .find(|(i, _)| i.to_string() == *id);
                match found {
                    Some(old) => {
                        text.clone_into(&mut old.1);
                        (200, comment(old))
                    }
                    None => missing(),
                }
            }
            ("GET", ["issues", issue, "comments"]) => {
                let list: Vec<Value> = issue
                    .parse()
                    .ok()
                    .and_then(|n: u64| self.comments.get(&n))
                    .into_iter()
                    .flatten()
                    .map(comment)
                    .collect();
                (200, json!(list))
            }
            ("POST", ["issues", issue, "comments"]) => {
                let text = body.and_then(|b| b["body"].as_str()).unwrap_or_default();
                let new = (number, text.to_owned());
                let answer = comment(&new);
                self.comments
                    .entry(issue.parse().unwrap_or(0))
                    .or_default()
                    .push(new);
                (201, answer)
            }
            _ => missing(),
        }
    }

    fn tree(&self, id: &str) -> (u16, Value) {
        let commit = object(id, '0');
        let entry = match id.chars().next() {
            Some('1') => {
                json!({"path": "infra", "mode": "040000", "type": "tree", "sha": object(id, '2')})
            }
            Some('2') => {
                let size = self.commits.get(&commit).map_or(0, |c| c.text.len());
                json!({"path": "variables.yml", "mode": "100644", "type": "blob", "sha": object(id, '3'), "size": size})
            }
            _ => return (404, json!({"message": "Not Found"})),
        };
        (200, json!({"sha": id, "tree": [entry], "truncated": false}))
    }

    fn pull(&self, number: u64, pull: &Pull, whole: bool) -> Value {
        let side =
            |branch: &str, sha: &str| json!({"ref": branch, "sha": sha, "repo": {"id": self.id}});
        let mut out = json!({
            "number": number, "state": if pull.merged.is_some() { "closed" } else { "open" }, "user": person(pull.author),
            "head": side("change", &pull.head), "base": side("main", &pull.base),
            "merged_at": pull.merged.as_ref().map(|_| stamp(clock().now().0)),
        });
        if whole && pull.merged.is_some() {
            out["merged_by"] = person(pull.author);
        }
        out
    }
}

fn whole(sha: &str, commit: &Commit) -> Value {
    json!({"sha": sha, "author": person(commit.author), "committer": person(commit.author), "commit": {"tree": {"sha": object(sha, '1')}}, "parents": []})
}

fn status((state, text): &(String, String)) -> Value {
    json!({"state": state, "context": "infra/terraform-deploy", "description": text, "target_url": null})
}

fn comment((id, text): &(u64, String)) -> Value {
    json!({"id": id, "body": text, "user": person(BOT), "html_url": format!("https://github.test/comments/{id}")})
}

/// The way of one job to GitHub.
#[derive(Debug)]
pub struct Way {
    /// Who asks.
    pub job: Job,
}

impl Wire for Way {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, String>> {
        Box::pin(async move {
            let fate = self
                .job
                .cross(&format!("{} {}", call.method, call.path))
                .await;
            let reply = |status: u16, body: Value, headers: HeaderMap| Reply {
                status: StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT),
                headers,
                body,
            };
            match fate {
                Fate::Refused => {
                    return Ok(reply(
                        502,
                        json!({"message": "Bad Gateway"}),
                        HeaderMap::new(),
                    ));
                }
                Fate::Limited => {
                    let mut headers = HeaderMap::new();
                    headers.insert("retry-after", HeaderValue::from_static("7"));
                    return Ok(reply(
                        429,
                        json!({"message": "You have exceeded a secondary rate limit"}),
                        headers,
                    ));
                }
                Fate::Fine | Fate::Lost | Fate::LastAct => {}
            }
            let (status, body) =
                self.job
                    .shared
                    .world()
                    .hub
                    .answer(call.method, call.path, call.body);
            match fate {
                Fate::LastAct => {
                    self.job.die().await;
                    Err("killed".to_owned())
                }
                Fate::Lost => {
                    tokio::time::sleep(Duration::from_secs(20)).await;
                    Err("the connection was reset".to_owned())
                }
                _ => Ok(reply(status, body, HeaderMap::new())),
            }
        })
    }
}
