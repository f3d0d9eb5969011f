//! The one mutable state behind the server, and lookups on it.
use super::clock::Clock;
use super::faults::Faults;
use super::git::Git;
use super::http::Reply;
use super::ids::random_hex;
use super::model::{Account, App, Event, Grant, Level, OidcGrant, Permissions, Repo, Run, Token};
use super::oidc::Issuer;
use super::record::Journal;
use crate::keyring::sealed::Opener;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;

/// Id of `github-actions[bot]`, the same as on github.com.
pub const ACTIONS_BOT: u64 = 41_898_282;
/// `web-flow`.
pub const WEB_FLOW: u64 = 19_864_447;
/// Id of the account that the admin token acts as.
pub const ADMIN_USER: u64 = 1;

/// Everything the local GitHub knows.
pub struct State {
    /// Time.
    pub clock: Clock,
    /// `http://127.0.0.1:port`.
    pub url: String,
    /// Where git repositories lie.
    pub dir: PathBuf,
    /// Search path for `git`.
    pub path: String,
    /// Accounts by id.
    pub accounts: BTreeMap<u64, Account>,
    /// Repositories by id.
    pub repos: BTreeMap<u64, Repo>,
    /// Former names (lower case `owner/name`) to ids.
    pub redirects: HashMap<String, u64>,
    /// Credentials.
    pub tokens: HashMap<String, Token>,
    /// GitHub Apps by id.
    pub apps: BTreeMap<u64, App>,
    /// Whether this is a GitHub Enterprise Server, whose API lies under `/api/v3`.
    pub enterprise: bool,
    /// Workflow runs by id.
    pub runs: BTreeMap<u64, Run>,
    /// OIDC request tokens.
    pub oidc_grants: HashMap<String, OidcGrant>,
    /// The OIDC issuer.
    pub issuer: Issuer,
    /// What secrets of Actions are sealed for.
    pub opener: Opener,
    /// Fault rules.
    pub faults: Faults,
    /// Request log.
    pub journal: Journal,
    /// Events of the current request, not yet turned into runs.
    pub events: Vec<Event>,
    /// Runs of the current request that start once more.
    pub reruns: Vec<u64>,
    /// Dispatches held back by a fault.
    pub delayed: usize,
    /// Last numeric id given out.
    pub last_id: u64,
}

impl State {
    /// What the paths of the API begin with.
    pub fn api_root(&self) -> String {
        match self.enterprise {
            true => format!("{}/api/v3", self.url),
            false => self.url.clone(),
        }
    }

    /// Who signs the identities of workflows.
    pub fn issuer_url(&self) -> String {
        let path = if self.enterprise {
            "_services/token"
        } else {
            "_oidc"
        };
        format!("{}/{path}", self.url)
    }

    /// The next numeric id.
    pub fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// Now, in seconds since the epoch.
    pub fn now(&self) -> i64 {
        self.clock.now()
    }

    /// The account of that login.
    pub fn account(&self, login: &str) -> Option<&Account> {
        self.accounts
            .values()
            .find(|a| a.login.eq_ignore_ascii_case(login))
    }

    /// Login of an account id; `ghost` if it is gone, as on GitHub.
    pub fn login(&self, id: u64) -> &str {
        self.accounts.get(&id).map_or("ghost", |a| &a.login)
    }

    /// Makes an account and returns its id.
    pub fn add_account(&mut self, login: &str, kind: &'static str) -> Result<u64, Reply> {
        if let Some(a) = self.account(login) {
            return if a.kind == kind {
                Ok(a.id)
            } else {
                Err(Reply::invalid("User", "login", "already_exists", ""))
            };
        }
        let ok = |c: char| c.is_ascii_alphanumeric() || c == '-';
        if login.is_empty() || login.len() > 39 || !login.chars().all(ok) {
            return Err(Reply::invalid(
                "User",
                "login",
                "invalid",
                "login is invalid",
            ));
        }
        let id = self.id();
        self.insert_account(id, login, kind);
        Ok(id)
    }

    /// Inserts an account with a given id.
    pub fn insert_account(&mut self, id: u64, login: &str, kind: &'static str) {
        let account = Account {
            id,
            login: login.to_owned(),
            kind,
            email: format!("{id}+{login}@users.noreply.github.com"),
            members: HashMap::new(),
            created: self.now(),
        };
        self.accounts.insert(id, account);
    }

    /// Makes a token and returns it.
    pub fn add_token(&mut self, text: Option<&str>, user: u64, grant: Grant) -> String {
        let prefix = match &grant {
            Grant::Admin | Grant::Classic => "ghp_",
            Grant::Fine(_) => "github_pat_",
            Grant::Run { .. } | Grant::Installation { .. } | Grant::App(_) => "ghs_",
        };
        let text = text.map_or_else(|| format!("{prefix}{}", random_hex(20)), str::to_owned);
        let token = Token {
            user,
            grant,
            scopes: vec!["repo".to_owned(), "workflow".to_owned()],
            expires: None,
            used: 0,
            window: 0,
        };
        self.tokens.insert(text.clone(), token);
        text
    }

    /// A repository by id, of which the caller knows that it exists.
    pub fn repo(&self, id: u64) -> Result<&Repo, Reply> {
        self.repos.get(&id).ok_or_else(Reply::not_found)
    }

    /// The same, to change it.
    pub fn repo_mut(&mut self, id: u64) -> Result<&mut Repo, Reply> {
        self.repos.get_mut(&id).ok_or_else(Reply::not_found)
    }

    /// `owner/name` as it is written today.
    pub fn full_name(&self, repo: &Repo) -> String {
        format!("{}/{}", self.login(repo.owner), repo.name)
    }

    /// A repository by its present name.
    pub fn find(&self, owner: &str, name: &str) -> Option<u64> {
        self.repos
            .values()
            .find(|r| {
                r.name.eq_ignore_ascii_case(name) && self.login(r.owner).eq_ignore_ascii_case(owner)
            })
            .map(|r| r.id)
    }

    /// A repository by `owner/name`.
    pub fn find_full(&self, full: &str) -> Option<u64> {
        let (owner, name) = full.split_once('/')?;
        self.find(owner, name)
    }

    /// The git side of a repository.
    pub fn git(&self, id: u64) -> Git {
        Git::new(&self.dir.join("git").join(format!("{id}.git")), &self.path)
    }

    /// The role that a user has on a repository, whatever the token.
    pub fn role(&self, user: u64, repo: &Repo) -> Level {
        if user == repo.owner || user == ADMIN_USER {
            return Level::Admin;
        }
        let member = self
            .accounts
            .get(&repo.owner)
            .and_then(|o| o.members.get(&user))
            .map_or(Level::None, |role| {
                if role == "admin" {
                    Level::Admin
                } else {
                    Level::Read
                }
            });
        let direct = repo
            .collaborators
            .get(&user)
            .copied()
            .unwrap_or(Level::None);
        let public = if repo.private {
            Level::None
        } else {
            Level::Read
        };
        member.max(direct).max(public)
    }

    /// What a token may do with one permission of a repository.
    pub fn level(&self, token: &Token, repo: &Repo, permission: &str) -> Level {
        let granted = |p: &Permissions| {
            let stated = p.get(permission).copied().unwrap_or(Level::None);
            let implied = if permission == "metadata" {
                Level::Read
            } else {
                Level::None
            };
            stated.max(implied)
        };
        // What anybody may read of a public repository; settings are not among it.
        let open = [
            "metadata",
            "contents",
            "issues",
            "pull_requests",
            "statuses",
            "checks",
            "actions",
            "deployments",
        ];
        let public = if repo.private || !open.contains(&permission) {
            Level::None
        } else {
            Level::Read
        };
        let role = self.role(token.user, repo);
        let level = match &token.grant {
            Grant::Admin => Level::Admin,
            // Anybody who can read may comment; everything else follows the role.
            Grant::Classic
                if !token
                    .scopes
                    .iter()
                    .any(|s| s == "repo" || s == "public_repo") =>
            {
                Level::None
            }
            Grant::Classic if repo.private && !token.scopes.iter().any(|s| s == "repo") => {
                Level::None
            }
            Grant::Classic if role == Level::Read && permission == "issues" => Level::Write,
            Grant::Classic if role == Level::Read && permission == "administration" => Level::None,
            Grant::Classic => role,
            Grant::Fine(map) => {
                let p = map.get(&repo.id).or_else(|| {
                    map.get(&0)
                        .filter(|_| role > public || role == Level::Admin)
                });
                p.map_or(Level::None, granted)
            }
            Grant::Run {
                repo: own,
                permissions,
                ..
            } if *own == repo.id => granted(permissions),
            Grant::Installation {
                owner,
                repos,
                permissions,
            } if *owner == repo.owner && repos.as_ref().is_none_or(|r| r.contains(&repo.id)) => {
                granted(permissions)
            }
            Grant::Run { .. } | Grant::Installation { .. } | Grant::App(_) => Level::None,
        };
        level.max(public)
    }
}
