//! Accounts, repositories and commits as GitHub's REST API shows them.
use super::clock::iso;
use super::git;
use super::http::encode;
use super::ids::node_id;
use super::model::{Grant, Level, Repo, Token};
use super::state::State;
use serde_json::{Map, Value, json};

/// `simple-user`.
pub fn user(s: &State, id: u64) -> Value {
    let (login, kind) = match s.accounts.get(&id) {
        Some(a) => (a.login.as_str(), a.kind),
        None => ("ghost", "User"),
    };
    let url = format!("{}/users/{}", s.api_root(), encode(login));
    // A bot has no page of its own, its App has one.
    let page = match login.strip_suffix("[bot]") {
        Some(app) => format!("{}/apps/{app}", s.url),
        None => format!("{}/{login}", s.url),
    };
    json!({
        "login": login, "id": id, "node_id": node_id("User", id),
        "avatar_url": format!("{}/avatars/u/{id}", s.url), "gravatar_id": "",
        "url": url, "html_url": page,
        "followers_url": format!("{url}/followers"),
        "following_url": format!("{url}/following{{/other_user}}"),
        "gists_url": format!("{url}/gists{{/gist_id}}"),
        "starred_url": format!("{url}/starred{{/owner}}{{/repo}}"),
        "subscriptions_url": format!("{url}/subscriptions"),
        "organizations_url": format!("{url}/orgs"),
        "repos_url": format!("{url}/repos"),
        "events_url": format!("{url}/events{{/privacy}}"),
        "received_events_url": format!("{url}/received_events"),
        "type": kind, "user_view_type": "public", "site_admin": id == super::state::ADMIN_USER,
    })
}

/// `public-user`, as `GET /user` and `GET /users/{login}` answer it.
pub fn full_user(s: &State, id: u64) -> Value {
    let mut v = user(s, id);
    let created = iso(s.accounts.get(&id).map_or(0, |a| a.created));
    let repos = s.repos.values().filter(|r| r.owner == id).count();
    merge(
        &mut v,
        json!({
            "name": null, "company": null, "blog": "", "location": null, "email": null, "hireable": null,
            "bio": null, "twitter_username": null, "public_repos": repos, "public_gists": 0,
            "followers": 0, "following": 0, "created_at": created, "updated_at": created,
        }),
    );
    v
}

/// Copies the members of one object into another.
pub fn merge(into: &mut Value, from: Value) {
    if let (Value::Object(a), Value::Object(b)) = (into, from) {
        a.extend(b);
    }
}

const REPO_URLS: &[(&str, &str)] = &[
    ("archive_url", "/{archive_format}{/ref}"),
    ("assignees_url", "/assignees{/user}"),
    ("blobs_url", "/git/blobs{/sha}"),
    ("branches_url", "/branches{/branch}"),
    ("collaborators_url", "/collaborators{/collaborator}"),
    ("comments_url", "/comments{/number}"),
    ("commits_url", "/commits{/sha}"),
    ("compare_url", "/compare/{base}...{head}"),
    ("contents_url", "/contents/{+path}"),
    ("contributors_url", "/contributors"),
    ("deployments_url", "/deployments"),
    ("downloads_url", "/downloads"),
    ("events_url", "/events"),
    ("forks_url", "/forks"),
    ("git_commits_url", "/git/commits{/sha}"),
    ("git_refs_url", "/git/refs{/sha}"),
    ("git_tags_url", "/git/tags{/sha}"),
    ("hooks_url", "/hooks"),
    ("issue_comment_url", "/issues/comments{/number}"),
    ("issue_events_url", "/issues/events{/number}"),
    ("issues_url", "/issues{/number}"),
    ("keys_url", "/keys{/key_id}"),
    ("labels_url", "/labels{/name}"),
    ("languages_url", "/languages"),
    ("merges_url", "/merges"),
    ("milestones_url", "/milestones{/number}"),
    (
        "notifications_url",
        "/notifications{?since,all,participating}",
    ),
    ("pulls_url", "/pulls{/number}"),
    ("releases_url", "/releases{/id}"),
    ("stargazers_url", "/stargazers"),
    ("statuses_url", "/statuses/{sha}"),
    ("subscribers_url", "/subscribers"),
    ("subscription_url", "/subscription"),
    ("tags_url", "/tags"),
    ("teams_url", "/teams"),
    ("trees_url", "/git/trees{/sha}"),
];

/// `minimal-repository`.
pub fn minimal_repo(s: &State, repo: &Repo) -> Value {
    let full = s.full_name(repo);
    let api = api_url(s, repo);
    let mut m = Map::new();
    for (key, suffix) in REPO_URLS {
        m.insert((*key).to_owned(), json!(format!("{api}{suffix}")));
    }
    let mut v = json!({
        "id": repo.id, "node_id": node_id("Repository", repo.id), "name": repo.name, "full_name": full,
        "owner": user(s, repo.owner), "private": repo.private, "html_url": format!("{}/{full}", s.url),
        "description": repo.description, "fork": repo.fork_of.is_some(), "url": api,
    });
    merge(&mut v, Value::Object(m));
    v
}

/// `repository`, with what `full-repository` adds.
pub fn repo(s: &State, repo: &Repo, token: Option<&Token>) -> Value {
    let mut v = minimal_repo(s, repo);
    let full = s.full_name(repo);
    let host = s
        .url
        .split_once("://")
        .map_or(s.url.as_str(), |(_, h)| h)
        .to_owned();
    // GitHub counts open pull requests as open issues.
    let open = repo.pulls.values().filter(|p| p.open).count()
        + repo.issues.values().filter(|i| i.closed.is_none()).count();
    let forks = s
        .repos
        .values()
        .filter(|r| r.fork_of == Some(repo.id))
        .count();
    let org = s
        .accounts
        .get(&repo.owner)
        .is_some_and(|a| a.kind == "Organization");
    merge(
        &mut v,
        json!({
            "clone_url": format!("{}/{full}.git", s.url), "git_url": format!("git://{host}/{full}.git"),
            "ssh_url": format!("git@{host}:{full}.git"), "svn_url": format!("{}/{full}", s.url),
            "default_branch": repo.default_branch, "homepage": null, "language": null, "mirror_url": null,
            "license": null, "archived": repo.archived, "disabled": false,
            "visibility": if repo.private { "private" } else { "public" },
            "has_issues": true, "has_projects": true, "has_wiki": true, "has_pages": false,
            "has_downloads": true, "has_discussions": false, "is_template": false, "topics": [],
            "allow_forking": true, "web_commit_signoff_required": false,
            "forks": forks, "forks_count": forks, "open_issues": open, "open_issues_count": open,
            "size": 0, "stargazers_count": 0, "watchers": 0, "watchers_count": 0,
            "network_count": forks, "subscribers_count": 0,
            "created_at": iso(repo.created), "updated_at": iso(repo.updated), "pushed_at": iso(repo.pushed),
        }),
    );
    if org {
        v["organization"] = user(s, repo.owner);
    }
    if let Some(t) = token {
        let level = match &t.grant {
            Grant::Run { .. } | Grant::Fine(_) | Grant::Installation { .. } => {
                s.level(t, repo, "contents")
            }
            _ => s.role(t.user, repo),
        };
        v["permissions"] = json!({
            "admin": level >= Level::Admin, "maintain": level >= Level::Admin, "push": level >= Level::Write,
            "triage": level >= Level::Write, "pull": level >= Level::Read,
        });
        if matches!(t.grant, Grant::Admin | Grant::Classic) && level >= Level::Admin
            || s.level(t, repo, "administration") >= Level::Read
        {
            v["security_and_analysis"] = super::rest::security::show(repo);
        }
        if level >= Level::Write {
            merge(
                &mut v,
                json!({
                    "allow_squash_merge": true, "allow_merge_commit": true, "allow_rebase_merge": false,
                    "allow_auto_merge": false, "delete_branch_on_merge": false, "allow_update_branch": false,
                }),
            );
        }
    }
    v
}

/// `full-repository` with its parent, for a single repository.
pub fn full_repo(s: &State, r: &Repo, token: Option<&Token>) -> Value {
    let mut v = repo(s, r, token);
    if let Some(parent) = r.fork_of.and_then(|id| s.repos.get(&id)) {
        v["parent"] = repo(s, parent, None);
        let mut source = parent;
        while let Some(above) = source.fork_of.and_then(|id| s.repos.get(&id)) {
            source = above;
        }
        v["source"] = repo(s, source, None);
    }
    v
}

/// `{url}/repos/{owner}/{name}`.
pub fn api_url(s: &State, repo: &Repo) -> String {
    format!("{}/repos/{}", s.api_root(), s.full_name(repo))
}

/// `{url}/{owner}/{name}`.
pub fn html_url(s: &State, repo: &Repo) -> String {
    format!("{}/{}", s.url, s.full_name(repo))
}

/// `{name, email, date}`.
pub fn person(p: &git::Person) -> Value {
    json!({"name": p.name, "email": p.email, "date": iso(p.date)})
}

/// The account behind a commit's e-mail, or null.
pub fn by_email(s: &State, email: &str) -> Option<u64> {
    s.accounts
        .values()
        .find(|a| a.email.eq_ignore_ascii_case(email))
        .map(|a| a.id)
}

const UNSIGNED: &str = "unsigned";

fn verification() -> Value {
    json!({"verified": false, "reason": UNSIGNED, "signature": null, "payload": null, "verified_at": null})
}

/// `commit`.
pub fn commit(s: &State, repo: &Repo, c: &git::Commit) -> Value {
    let (api, html) = (api_url(s, repo), html_url(s, repo));
    let account = |email: &str| by_email(s, email).map_or(Value::Null, |id| user(s, id));
    json!({
        "sha": c.sha, "node_id": format!("C_{}", c.sha),
        "url": format!("{api}/commits/{}", c.sha), "html_url": format!("{html}/commit/{}", c.sha),
        "comments_url": format!("{api}/commits/{}/comments", c.sha),
        "commit": {
            "url": format!("{api}/git/commits/{}", c.sha),
            "author": person(&c.author), "committer": person(&c.committer), "message": c.message,
            "tree": {"sha": c.tree, "url": format!("{api}/git/trees/{}", c.tree)},
            "comment_count": 0, "verification": verification(),
        },
        "author": account(&c.author.email), "committer": account(&c.committer.email),
        "parents": c.parents.iter().map(|p| json!({
            "sha": p, "url": format!("{api}/commits/{p}"), "html_url": format!("{html}/commit/{p}"),
        })).collect::<Vec<_>>(),
    })
}

/// `git-commit`.
pub fn git_commit(s: &State, repo: &Repo, c: &git::Commit) -> Value {
    let (api, html) = (api_url(s, repo), html_url(s, repo));
    json!({
        "sha": c.sha, "node_id": format!("C_{}", c.sha),
        "url": format!("{api}/git/commits/{}", c.sha), "html_url": format!("{html}/commit/{}", c.sha),
        "author": person(&c.author), "committer": person(&c.committer), "message": c.message,
        "tree": {"sha": c.tree, "url": format!("{api}/git/trees/{}", c.tree)},
        "parents": c.parents.iter().map(|p| json!({
            "sha": p, "url": format!("{api}/git/commits/{p}"), "html_url": format!("{html}/commit/{p}"),
        })).collect::<Vec<_>>(),
        "verification": verification(),
    })
}

/// `diff-entry`.
pub fn diff_entry(s: &State, repo: &Repo, head: &str, c: &super::diff::Change) -> Value {
    let (api, html) = (api_url(s, repo), html_url(s, repo));
    let path: Vec<String> = c.filename.split('/').map(encode).collect();
    let path = path.join("/");
    let mut v = json!({
        "sha": c.sha, "filename": c.filename, "status": c.status,
        "additions": c.additions, "deletions": c.deletions, "changes": c.additions + c.deletions,
        "blob_url": format!("{html}/blob/{head}/{path}"), "raw_url": format!("{html}/raw/{head}/{path}"),
        "contents_url": format!("{api}/contents/{path}?ref={head}"),
    });
    if let Some(p) = &c.patch {
        v["patch"] = json!(p);
    }
    if let Some(p) = &c.previous {
        v["previous_filename"] = json!(p);
    }
    v
}
