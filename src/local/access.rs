//! Who is asking, and what GitHub answers when they may not.
use super::http::{Reply, Req};
use super::model::{Grant, Level, Token};
use super::state::State;

/// One request in the hands of a handler.
pub struct Ctx<'a> {
    /// The state, locked for this request.
    pub s: &'a mut State,
    /// The request.
    pub req: &'a Req,
    /// The caller's token; `None` is an anonymous request.
    pub who: Option<Token>,
}

/// The token text of `Authorization: Bearer x` or `token x`.
pub fn bearer(req: &Req) -> Option<&str> {
    let value = req.header("authorization")?;
    let (scheme, token) = value.split_once(' ')?;
    let known = scheme.eq_ignore_ascii_case("bearer") || scheme.eq_ignore_ascii_case("token");
    known.then_some(token.trim())
}

/// The caller, or 401 for a token that is unknown or expired.
pub fn authenticate(s: &State, req: &Req) -> Result<Option<Token>, Reply> {
    if req.header("authorization").is_none() {
        return Ok(None);
    }
    if let Some(jwt) = bearer(req).filter(|t| t.matches('.').count() == 2 && t.starts_with("ey")) {
        return super::rest::apps::authenticate(s, jwt).map(Some);
    }
    let token = bearer(req).and_then(|t| s.tokens.get(t));
    match token {
        Some(t) if t.expires.is_none_or(|e| e > s.now()) => Ok(Some(t.clone())),
        _ => Err(Reply::error(401, "Bad credentials")),
    }
}

impl Ctx<'_> {
    /// The caller's account id, or 401.
    pub fn user(&self) -> Result<u64, Reply> {
        self.who
            .as_ref()
            .map(|t| t.user)
            .ok_or_else(|| Reply::error(401, "Requires authentication"))
    }

    /// Whether the caller may use `/_local`.
    pub fn is_admin(&self) -> bool {
        matches!(self.who.as_ref().map(|t| &t.grant), Some(Grant::Admin))
    }

    /// What the caller may do with one permission of a repository.
    pub fn level(&self, id: u64, permission: &str) -> Level {
        let Some(repo) = self.s.repos.get(&id) else {
            return Level::None;
        };
        match &self.who {
            Some(t) => self.s.level(t, repo, permission),
            None if repo.private => Level::None,
            None => Level::Read,
        }
    }

    /// The repository, if the caller has that level; else 404 (not visible) or 403 (not allowed).
    pub fn repo(
        &self,
        owner: &str,
        name: &str,
        permission: &str,
        needed: Level,
    ) -> Result<u64, Reply> {
        let Some(id) = self.s.find(owner, name) else {
            return Err(self.moved(owner, name));
        };
        if self.level(id, permission) >= needed {
            if needed >= Level::Write && self.s.repo(id)?.archived && permission != "administration"
            {
                return Err(Reply::error(
                    403,
                    "Repository was archived so is read-only.",
                ));
            }
            return Ok(id);
        }
        if self.level(id, "metadata") < Level::Read {
            return Err(Reply::not_found());
        }
        let accepted = format!(
            "{permission}={}",
            if needed == Level::Read {
                "read"
            } else {
                "write"
            }
        );
        match self.who.as_ref().map(|t| &t.grant) {
            None => Err(Reply::error(401, "Requires authentication")),
            Some(Grant::Run { .. } | Grant::Installation { .. } | Grant::App(_)) => {
                Err(Reply::error(403, "Resource not accessible by integration")
                    .with("x-accepted-github-permissions", accepted))
            }
            Some(Grant::Fine(_)) => Err(Reply::error(
                403,
                "Resource not accessible by personal access token",
            )
            .with("x-accepted-github-permissions", accepted)),
            // A classic token whose user lacks the role is told nothing.
            Some(_) => Err(Reply::not_found()),
        }
    }

    /// 301 (307 for writes) for a former name, else 404.
    fn moved(&self, owner: &str, name: &str) -> Reply {
        let key = format!("{owner}/{name}").to_lowercase();
        let Some(id) = self.s.redirects.get(&key) else {
            return Reply::not_found();
        };
        if self.level(*id, "metadata") < Level::Read {
            return Reply::not_found();
        }
        let rest: Vec<String> = self
            .req
            .path
            .split('/')
            .filter(|s| !s.is_empty())
            .skip(3)
            .map(str::to_owned)
            .collect();
        let mut url = format!("{}/repositories/{id}", self.s.api_root());
        for seg in rest {
            url.push('/');
            url.push_str(&seg);
        }
        let status = if matches!(self.req.method.as_str(), "GET" | "HEAD") {
            301
        } else {
            307
        };
        let mut reply = Reply::error(
            status,
            if status == 301 {
                "Moved Permanently"
            } else {
                "Temporary Redirect"
            },
        );
        if let Some(body) = reply.body.as_mut() {
            body["url"] = serde_json::json!(url);
        }
        reply.with("location", url)
    }
}
