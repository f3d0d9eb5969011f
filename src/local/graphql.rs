//! GraphQL: the part of the query language and of the schema that tenantry uses, and errors for the rest.
use super::access::Ctx;
use super::http::{Reply, Res, text};
use super::ids::node_id;
use super::model::{Level, Pull, Repo};
use serde_json::{Map, Value, json};

#[derive(Debug, Clone)]
struct Field {
    alias: String,
    name: String,
    args: Map<String, Value>,
    inner: Vec<Field>,
}

struct Reader<'a> {
    tokens: Vec<&'a str>,
    at: usize,
    variables: &'a Value,
}

type Parse<T> = Result<T, String>;

fn tokens(s: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let b = s.as_bytes();
    let mut i = 0;
    let word = |c: u8| c.is_ascii_alphanumeric() || matches!(c, b'_' | b'$' | b'-' | b'.');
    while i < b.len() {
        let start = i;
        match b[i] {
            c if c.is_ascii_whitespace() || c == b',' => {
                i += 1;
                continue;
            }
            b'#' => {
                while i < b.len() && b[i] != b'\n' {
                    i += 1;
                }
                continue;
            }
            b'"' => {
                i += 1;
                while i < b.len() && b[i] != b'"' {
                    i += if b[i] == b'\\' { 2 } else { 1 };
                }
                i = (i + 1).min(b.len());
            }
            c if word(c) => {
                while i < b.len() && word(b[i]) {
                    i += 1;
                }
            }
            _ => {
                i += 1;
                while !s.is_char_boundary(i) {
                    i += 1;
                }
            }
        }
        out.push(s.get(start..i).unwrap_or_default());
    }
    out
}

impl<'a> Reader<'a> {
    fn peek(&self) -> &'a str {
        self.tokens.get(self.at).copied().unwrap_or("")
    }
    fn next(&mut self) -> &'a str {
        let t = self.peek();
        self.at += 1;
        t
    }
    fn expect(&mut self, what: &str) -> Parse<()> {
        let got = self.next();
        if got == what {
            Ok(())
        } else {
            Err(format!("Expected \"{what}\", actual: \"{got}\""))
        }
    }
    fn value(&mut self) -> Parse<Value> {
        let t = self.next();
        if let Some(name) = t.strip_prefix('$') {
            return self
                .variables
                .get(name)
                .cloned()
                .ok_or_else(|| format!("Variable ${name} was not provided"));
        }
        match t {
            "[" => {
                let mut list = Vec::new();
                while self.peek() != "]" && !self.peek().is_empty() {
                    list.push(self.value()?);
                }
                self.expect("]")?;
                Ok(Value::Array(list))
            }
            "" | "{" | "}" | "(" | ")" | ":" => Err(format!("Unexpected \"{t}\"")),
            // Names (enum values) are not JSON and become text.
            _ => Ok(serde_json::from_str(t).unwrap_or_else(|_| json!(t))),
        }
    }
    fn selection(&mut self, depth: usize) -> Parse<Vec<Field>> {
        if depth > 20 {
            return Err("Query is too deep".to_owned());
        }
        self.expect("{")?;
        let mut out = Vec::new();
        while self.peek() != "}" {
            let mut name = self.next().to_owned();
            // What stands in a fragment is taken whatever its type is: what a type has not is null.
            if name == "..." {
                self.expect("on")?;
                self.next();
                out.extend(self.selection(depth + 1)?);
                continue;
            }
            if !name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_') {
                return Err(format!("Unexpected \"{name}\""));
            }
            let mut alias = name.clone();
            if self.peek() == ":" {
                self.next();
                alias = std::mem::replace(&mut name, self.next().to_owned());
            }
            let mut args = Map::new();
            if self.peek() == "(" {
                self.next();
                while self.peek() != ")" {
                    let key = self.next().to_owned();
                    self.expect(":")?;
                    args.insert(key, self.value()?);
                }
                self.next();
            }
            let inner = if self.peek() == "{" {
                self.selection(depth + 1)?
            } else {
                Vec::new()
            };
            out.push(Field {
                alias,
                name,
                args,
                inner,
            });
        }
        self.next();
        Ok(out)
    }
    fn document(&mut self) -> Parse<Vec<Field>> {
        if self.peek() == "mutation" {
            return Err("mutations are not supported by the local GitHub".to_owned());
        }
        while self.peek() != "{" {
            if self.next().is_empty() {
                return Err("Unexpected end of document".to_owned());
            }
        }
        self.selection(0)
    }
}

/// Evaluates a selection with one function for its fields.
fn object(
    fields: &[Field],
    kind: &str,
    mut get: impl FnMut(&Field) -> Parse<Option<Value>>,
) -> Parse<Value> {
    let mut out = Map::new();
    for f in fields {
        let value = match f.name.as_str() {
            "__typename" => json!(kind),
            _ => get(f)?
                .ok_or_else(|| format!("Field '{}' doesn't exist on type '{kind}'", f.name))?,
        };
        out.insert(f.alias.clone(), value);
    }
    Ok(Value::Object(out))
}

fn pull(c: &Ctx, repo: &Repo, p: &Pull, fields: &[Field]) -> Parse<Value> {
    let head = p.head_repo.and_then(|id| c.s.repos.get(&id));
    object(fields, "PullRequest", |f| {
        Ok(Some(match f.name.as_str() {
            "id" => json!(node_id("PullRequest", p.id)),
            "databaseId" => json!(p.id),
            "number" => json!(p.number),
            "title" => json!(p.title),
            "isDraft" => json!(p.draft),
            "state" => json!(if p.merged.is_some() {
                "MERGED"
            } else if p.open {
                "OPEN"
            } else {
                "CLOSED"
            }),
            "headRefOid" => json!(p.head_sha),
            "headRefName" => json!(p.head_ref),
            "baseRefName" => json!(p.base_ref),
            "baseRefOid" => json!(p.base_sha),
            "isCrossRepository" => json!(p.head_repo != Some(repo.id)),
            "author" => object(&f.inner, "User", |a| {
                Ok((a.name == "login").then(|| json!(c.s.login(p.user))))
            })?,
            "headRepository" => match head {
                None => Value::Null,
                Some(h) => repository(c, h, &f.inner)?,
            },
            _ => return Ok(None),
        }))
    })
}

/// `refs(refPrefix: "refs/heads/…/")`.
fn refs(c: &Ctx, repo: &Repo, f: &Field) -> Parse<Value> {
    let prefix = f.args.get("refPrefix").and_then(Value::as_str);
    let prefix = prefix
        .filter(|p| p.starts_with("refs/") && p.ends_with('/'))
        .ok_or("`refPrefix` must begin with `refs/` and end with a slash")?;
    let found = c.s.git(repo.id).refs(prefix);
    object(&f.inner, "RefConnection", |x| {
        Ok(Some(match x.name.as_str() {
            "totalCount" => json!(found.len()),
            "nodes" => found
                .iter()
                .map(|(full, _)| {
                    let name = full.splitn(3, '/').nth(2).unwrap_or(full);
                    object(&x.inner, "Ref", |r| {
                        Ok((r.name == "name").then(|| json!(name)))
                    })
                })
                .collect::<Parse<Value>>()?,
            _ => return Ok(None),
        }))
    })
}

/// `object(expression: "HEAD:path")`, if it is a file.
fn blob(c: &Ctx, repo: &Repo, f: &Field) -> Parse<Value> {
    let expression = f.args.get("expression").and_then(Value::as_str);
    let (rev, path) = expression
        .and_then(|e| e.split_once(':'))
        .ok_or("the local GitHub knows expressions such as `HEAD:path` alone")?;
    let git = c.s.git(repo.id);
    let entry = git.resolve(rev).and_then(|rev| git.entry(&rev, path));
    let Some(entry) = entry.filter(|e| e.kind == "blob") else {
        return Ok(Value::Null);
    };
    let bytes = git.blob(&entry.sha).map_err(|e| e.to_string())?;
    object(&f.inner, "Blob", |b| {
        Ok(Some(match b.name.as_str() {
            "oid" => json!(entry.sha),
            "byteSize" => json!(bytes.len()),
            "text" => json!(String::from_utf8(bytes.clone()).ok()),
            _ => return Ok(None),
        }))
    })
}

/// The rules of rulesets that hold for the default branch.
fn rules(repo: &Repo, f: &Field) -> Parse<Value> {
    let kinds = super::rest::rules::kinds(repo, &repo.default_branch);
    object(&f.inner, "RepositoryRuleConnection", |x| {
        Ok(Some(match x.name.as_str() {
            "totalCount" => json!(kinds.len()),
            "nodes" => kinds
                .iter()
                .map(|kind| {
                    object(&x.inner, "RepositoryRule", |r| {
                        Ok((r.name == "type").then(|| json!(kind.to_uppercase())))
                    })
                })
                .collect::<Parse<Value>>()?,
            _ => return Ok(None),
        }))
    })
}

/// What the older protection of the default branch lets through; null where there is none.
fn update_rule(repo: &Repo, f: &Field) -> Parse<Value> {
    let Some(given) = repo.closed.branches.get(&repo.default_branch) else {
        return Ok(Value::Null);
    };
    let on = |key: &str| json!(given.get(key) == Some(&Value::Bool(true)));
    object(&f.inner, "RefUpdateRule", |x| {
        Ok(Some(match x.name.as_str() {
            "allowsDeletions" => on("allow_deletions"),
            "allowsForcePushes" => on("allow_force_pushes"),
            _ => return Ok(None),
        }))
    })
}

fn repository(c: &Ctx, repo: &Repo, fields: &[Field]) -> Parse<Value> {
    object(fields, "Repository", |f| {
        Ok(Some(match f.name.as_str() {
            "id" => json!(node_id("Repository", repo.id)),
            "databaseId" => json!(repo.id),
            "name" => json!(repo.name),
            "nameWithOwner" => json!(c.s.full_name(repo)),
            "isArchived" => json!(repo.archived),
            "isPrivate" => json!(repo.private),
            "owner" => object(&f.inner, "RepositoryOwner", |a| {
                Ok(match a.name.as_str() {
                    "login" => Some(json!(c.s.login(repo.owner))),
                    "databaseId" => Some(json!(repo.owner)),
                    _ => None,
                })
            })?,
            "object" => blob(c, repo, f)?,
            "refs" => refs(c, repo, f)?,
            "defaultBranchRef" => {
                let sha =
                    c.s.git(repo.id)
                        .ref_sha(&format!("refs/heads/{}", repo.default_branch));
                let Some(sha) = sha else {
                    return Ok(Some(Value::Null));
                };
                object(&f.inner, "Ref", |r| {
                    Ok(Some(match r.name.as_str() {
                        "name" => json!(repo.default_branch),
                        "rules" => rules(repo, r)?,
                        "refUpdateRule" => update_rule(repo, r)?,
                        "target" => object(&r.inner, "GitObject", |t| {
                            Ok((t.name == "oid").then(|| json!(sha)))
                        })?,
                        _ => return Ok(None),
                    }))
                })?
            }
            "pullRequests" => {
                let states = match f.args.get("states") {
                    None => Vec::new(),
                    Some(Value::Array(l)) => l.iter().filter_map(Value::as_str).collect(),
                    Some(v) => v.as_str().into_iter().collect(),
                };
                let first = f
                    .args
                    .get("first")
                    .or_else(|| f.args.get("last"))
                    .and_then(Value::as_u64);
                let first = first.ok_or("You must provide a `first` or `last` value to properly paginate the `pullRequests` connection.")?;
                let base = f.args.get("baseRefName").and_then(Value::as_str);
                let state = |p: &Pull| {
                    if p.merged.is_some() {
                        "MERGED"
                    } else if p.open {
                        "OPEN"
                    } else {
                        "CLOSED"
                    }
                };
                let all: Vec<&Pull> = repo
                    .pulls
                    .values()
                    .filter(|p| {
                        (states.is_empty() || states.contains(&state(p)))
                            && base.is_none_or(|b| b == p.base_ref)
                    })
                    .collect();
                let shown: Vec<&Pull> = all
                    .iter()
                    .take(usize::try_from(first.min(100)).unwrap_or(100))
                    .copied()
                    .collect();
                object(&f.inner, "PullRequestConnection", |x| {
                    Ok(Some(match x.name.as_str() {
                        "totalCount" => json!(all.len()),
                        "nodes" => shown
                            .iter()
                            .map(|p| pull(c, repo, p, &x.inner))
                            .collect::<Parse<Value>>()?,
                        "pageInfo" => object(&x.inner, "PageInfo", |i| {
                            Ok(match i.name.as_str() {
                                "hasNextPage" => Some(json!(all.len() > shown.len())),
                                "endCursor" => Some(
                                    shown
                                        .last()
                                        .map_or(Value::Null, |p| json!(p.number.to_string())),
                                ),
                                _ => None,
                            })
                        })?,
                        _ => return Ok(None),
                    }))
                })?
            }
            _ => return Ok(None),
        }))
    })
}

/// `POST /graphql`.
pub fn answer(c: &mut Ctx) -> Res {
    c.user()?;
    let body = c.req.json()?;
    let query = text(&body, "query").ok_or_else(|| {
        Reply::error(
            400,
            "A query attribute must be specified and must be a string.",
        )
    })?;
    let none = json!({});
    let mut reader = Reader {
        tokens: tokens(query),
        at: 0,
        variables: body.get("variables").unwrap_or(&none),
    };
    let mut errors = Vec::new();
    let (limit, used, reset) = super::rest::users::limits(c);
    let result = reader.document().and_then(|fields| object(&fields, "Query", |f| Ok(Some(match f.name.as_str() {
        "rateLimit" => object(&f.inner, "RateLimit", |x| Ok(match x.name.as_str() {
            "cost" => Some(json!(1)),
            "limit" => Some(json!(limit)),
            "used" => Some(json!(used)),
            "remaining" => Some(json!(limit.saturating_sub(used))),
            "resetAt" => Some(json!(super::clock::iso(reset))),
            _ => None,
        }))?,
        "viewer" => object(&f.inner, "User", |x| Ok((x.name == "login").then(|| json!(c.s.login(c.who.as_ref().map_or(0, |t| t.user))))))?,
        "repository" => {
            let arg = |k: &str| f.args.get(k).and_then(Value::as_str).unwrap_or_default();
            let (owner, name) = (arg("owner"), arg("name"));
            // Renames are followed, as GraphQL does by default.
            let moved = || c.s.redirects.get(&format!("{owner}/{name}").to_lowercase()).copied();
            let id = c.s.find(owner, name).or_else(moved).filter(|id| c.level(*id, "metadata") >= Level::Read);
            match id.and_then(|id| c.s.repos.get(&id)) {
                Some(repo) => repository(c, repo, &f.inner)?,
                None => {
                    errors.push(json!({"type": "NOT_FOUND", "path": [f.alias], "message": format!("Could not resolve to a Repository with the name '{owner}/{name}'.")}));
                    Value::Null
                }
            }
        }
        _ => return Ok(None),
    }))));
    Ok(Reply::ok(match result {
        Err(message) => json!({"errors": [{"message": message}]}),
        Ok(data) if errors.is_empty() => json!({"data": data}),
        Ok(data) => json!({"data": data, "errors": errors}),
    }))
}
