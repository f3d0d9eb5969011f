//! Revoking tokens, which anybody may do who has them (docs.github.com, "Revoke a list of
//! credentials").
use crate::local::access::Ctx;
use crate::local::http::{Reply, Res};
use crate::local::model::Grant;
use serde_json::{Value, json};

/// Beginnings of what GitHub revokes in this way.
const KINDS: [&str; 5] = ["ghp_", "github_pat_", "gho_", "ghu_", "ghr_"];

/// `POST /credentials/revoke`.
pub fn revoke(c: &mut Ctx) -> Res {
    if c.who.is_some() {
        return Err(Reply::error(403, "This endpoint takes no authentication"));
    }
    let body = c.req.json()?;
    let list = body.get("credentials").and_then(Value::as_array);
    let list = list.ok_or_else(|| Reply::missing("credentials"))?;
    if !(1..=1_000).contains(&list.len()) || list.iter().any(|t| !t.is_string()) {
        return Err(Reply::error(422, "Invalid request: 1 to 1000 credentials"));
    }
    for token in list.iter().filter_map(Value::as_str) {
        let theirs = KINDS.iter().any(|k| token.starts_with(k));
        // The key of this local GitHub itself stays.
        let own =
            c.s.tokens
                .get(token)
                .is_some_and(|t| matches!(t.grant, Grant::Admin));
        if theirs && !own {
            c.s.tokens.remove(token);
        }
    }
    Ok(Reply::json(202, json!({})))
}
