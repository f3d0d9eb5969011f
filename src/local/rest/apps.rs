//! GitHub Apps: who they are, where they are installed, and their tokens of one hour.
//!
//! docs.github.com, "REST API endpoints for GitHub Apps".
use crate::local::access::Ctx;
use crate::local::admin::{repo_id, user_id};
use crate::local::clock::iso;
use crate::local::http::{Reply, Res, need, page, text};
use crate::local::ids::node_id;
use crate::local::model::{App, Grant, Installation, Level, Token};
use crate::local::oidc::der_value;
use crate::local::state::State;
use crate::local::views;
use aws_lc_rs::encoding::AsDer as _;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Life of an installation token in seconds.
const LIFE: i64 = 3_600;

/// Who signed a token that is not one of ours; 401 in GitHub's words if it is no App.
pub fn authenticate(s: &State, jwt: &str) -> Result<Token, Reply> {
    let broken = || Reply::error(401, "A JSON web token could not be decoded");
    let (message, signature) = jwt.rsplit_once('.').ok_or_else(broken)?;
    let part = |text: &str| -> Option<Value> {
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(text).ok()?).ok()
    };
    let (header, claims) = message.split_once('.').ok_or_else(broken)?;
    let header = part(header).ok_or_else(broken)?;
    let claims = part(claims).ok_or_else(broken)?;
    // The number, as a number or as a text.
    let issuer = claims.get("iss");
    let id = issuer.and_then(|i| i.as_u64().or_else(|| i.as_str()?.parse().ok()));
    let app = id.and_then(|id| s.apps.get(&id));
    let app = app.ok_or_else(|| Reply::error(401, "Integration not found"))?;
    let signature = URL_SAFE_NO_PAD.decode(signature).map_err(|_| broken())?;
    let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &app.public_key);
    if text(&header, "alg") != Some("RS256") || key.verify(message.as_bytes(), &signature).is_err()
    {
        return Err(broken());
    }
    let time = |name: &str| claims.get(name).and_then(Value::as_i64);
    let now = s.now();
    match (time("iat"), time("exp")) {
        (Some(iat), _) if iat > now => Err(Reply::error(
            401,
            "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued",
        )),
        (Some(_), Some(exp)) if exp > now + 600 => Err(Reply::error(
            401,
            "'Expiration time' claim ('exp') is too far in the future",
        )),
        (Some(_), Some(exp)) if exp > now => Ok(Token {
            user: app.bot,
            grant: Grant::App(app.id),
            scopes: Vec::new(),
            expires: Some(exp),
            used: 0,
            window: 0,
        }),
        _ => Err(Reply::error(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time at which the assertion expires",
        )),
    }
}

/// The App that asks, which only its own signature shows.
fn caller(c: &Ctx) -> Result<App, Reply> {
    let app = match c.who.as_ref().map(|t| &t.grant) {
        Some(Grant::App(id)) => c.s.apps.get(id).cloned(),
        _ => None,
    };
    app.ok_or_else(|| Reply::error(401, "A JSON web token could not be decoded"))
}

/// `GET /app`.
pub fn me(c: &mut Ctx) -> Res {
    let app = caller(c)?;
    Ok(Reply::ok(json!({
        "id": app.id, "client_id": format!("Iv23li{}", app.id), "slug": app.slug, "node_id": node_id("App", app.id),
        "owner": views::user(c.s, app.bot), "name": app.slug, "description": "",
        "external_url": "https://example.com", "html_url": format!("{}/apps/{}", c.s.url, app.slug),
        "created_at": iso(app.created), "updated_at": iso(app.created),
        "permissions": app.permissions, "events": [], "installations_count": app.installations.len(),
    })))
}

fn view(s: &State, app: &App, id: u64, at: &Installation) -> Value {
    let api = s.api_root();
    let kind = s.accounts.get(&at.owner).map_or("User", |a| a.kind);
    let selection = if at.repos.is_some() {
        "selected"
    } else {
        "all"
    };
    json!({
        "id": id, "account": views::user(s, at.owner), "repository_selection": selection,
        "access_tokens_url": format!("{api}/app/installations/{id}/access_tokens"),
        "repositories_url": format!("{api}/installation/repositories"),
        "html_url": format!("{}/settings/installations/{id}", s.url),
        "app_id": app.id, "app_slug": app.slug, "target_id": at.owner, "target_type": kind,
        "permissions": app.permissions, "events": [], "single_file_name": null,
        "created_at": iso(at.created), "updated_at": iso(at.created),
        "suspended_by": null, "suspended_at": null,
    })
}

/// `GET /app/installations`.
pub fn list(c: &mut Ctx) -> Res {
    let app = caller(c)?;
    let all = app.installations.iter();
    let items = all.map(|(id, at)| view(c.s, &app, *id, at)).collect();
    Ok(page(c.req, &c.s.api_root(), items, None))
}

/// `GET /repos/{o}/{n}/installation`.
pub fn of_repository(c: &mut Ctx, o: &str, n: &str) -> Res {
    let app = caller(c)?;
    let repo = c.s.find(o, n).ok_or_else(Reply::not_found)?;
    let owner = c.s.repo(repo)?.owner;
    let found = app
        .installations
        .iter()
        .find(|(_, at)| at.owner == owner && at.repos.as_ref().is_none_or(|r| r.contains(&repo)));
    let (id, at) = found.ok_or_else(Reply::not_found)?;
    Ok(Reply::ok(view(c.s, &app, *id, at)))
}

/// `GET /installation/repositories`: what the token of an installation can see.
pub fn repositories(c: &mut Ctx) -> Res {
    let Some(Grant::Installation { owner, repos, .. }) = c.who.as_ref().map(|t| t.grant.clone())
    else {
        return Err(Reply::error(
            403,
            "You must authenticate with an installation access token in order to list repositories for an installation.",
        ));
    };
    let all =
        c.s.repos
            .values()
            .filter(|r| r.owner == owner && repos.as_ref().is_none_or(|only| only.contains(&r.id)));
    let items = all.map(|r| views::repo(c.s, r, c.who.as_ref())).collect();
    Ok(page(c.req, &c.s.api_root(), items, Some("repositories")))
}

/// `POST /app/installations/{id}/access_tokens`.
pub fn token(c: &mut Ctx, id: u64) -> Res {
    let app = caller(c)?;
    let at = app.installations.get(&id).ok_or_else(Reply::not_found)?;
    let body = c.req.json()?;
    let mut repos = at.repos.clone();
    if let Some(names) = body.get("repositories").and_then(Value::as_array) {
        let owner = c.s.login(at.owner).to_owned();
        let mut chosen = Vec::new();
        for name in names {
            let found = c.s.find(&owner, name.as_str().unwrap_or_default());
            let fine = found.filter(|id| at.repos.as_ref().is_none_or(|r| r.contains(id)));
            chosen.push(fine.ok_or_else(|| {
                Reply::error(422, "There is at least one repository that does not exist or is not accessible to the parent installation.")
            })?);
        }
        repos = Some(chosen);
    }
    let mut given = app.permissions.clone();
    if let Some(asked) = body.get("permissions").and_then(Value::as_object) {
        given = BTreeMap::new();
        for (name, level) in asked {
            let level = level.as_str().unwrap_or_default();
            let has = app
                .permissions
                .get(name)
                .map_or(Level::None, |l| Level::parse(l));
            if Level::parse(level) > has {
                return Err(Reply::error(
                    422,
                    "The permissions requested are not granted to this installation.",
                ));
            }
            given.insert(name.clone(), level.to_owned());
        }
    }
    let permissions = given
        .iter()
        .map(|(name, level)| (name.clone(), Level::parse(level)));
    let grant = Grant::Installation {
        owner: at.owner,
        repos: repos.clone(),
        permissions: permissions.collect(),
    };
    let value = c.s.add_token(None, app.bot, grant);
    let expires = c.s.now() + LIFE;
    if let Some(token) = c.s.tokens.get_mut(&value) {
        token.expires = Some(expires);
    }
    let selection = if repos.is_some() { "selected" } else { "all" };
    Ok(Reply::json(
        201,
        json!({"token": value, "expires_at": iso(expires), "permissions": given, "repository_selection": selection}),
    ))
}

/// `{slug, permissions}`: makes an App, and gives its private key as GitHub does.
pub fn make(s: &mut State, body: &Value) -> Res {
    let broken = |_| Reply::error(500, "no key could be made");
    let slug = need(body, "slug")?.to_owned();
    let key = KeyPair::generate(KeySize::Rsa2048).map_err(broken)?;
    let whole = key.as_der().map_err(broken)?;
    // PKCS #8 is a version, an algorithm, and what GitHub writes: PKCS #1.
    let (sequence, _) = der_value(whole.as_ref());
    let (_, rest) = der_value(sequence);
    let (_, rest) = der_value(rest);
    let (inner, _) = der_value(rest);
    let lines: Vec<String> = STANDARD
        .encode(inner)
        .as_bytes()
        .chunks(64)
        .map(|line| String::from_utf8_lossy(line).into_owned())
        .collect();
    let pem = format!(
        "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----\n",
        lines.join("\n")
    );
    let (id, bot) = (s.id(), s.id());
    s.insert_account(bot, &format!("{slug}[bot]"), "Bot");
    let permissions = body.get("permissions").and_then(Value::as_object);
    let permissions = permissions.into_iter().flatten();
    let permissions =
        permissions.map(|(k, v)| (k.clone(), v.as_str().unwrap_or_default().to_owned()));
    let app = App {
        id,
        slug,
        bot,
        public_key: key.public_key().as_ref().to_vec(),
        permissions: permissions.collect(),
        installations: BTreeMap::new(),
        created: s.now(),
    };
    s.apps.insert(id, app);
    Ok(Reply::json(201, json!({"id": id, "pem": pem})))
}

/// `{app, account, repos?: ["o/r"]}`: installs an App.
pub fn install(s: &mut State, body: &Value) -> Res {
    let slug = need(body, "app")?.to_owned();
    let owner = user_id(s, need(body, "account")?)?;
    let repos = match body.get("repos").and_then(Value::as_array) {
        None => None,
        Some(list) => {
            let ids = list.iter().map(|full| repo_id(s, &json!({"repo": full})));
            Some(ids.collect::<Result<Vec<u64>, Reply>>()?)
        }
    };
    let (id, created) = (s.id(), s.now());
    let app = s.apps.values_mut().find(|a| a.slug == slug);
    let app = app.ok_or_else(|| Reply::error(422, &format!("no such App: `{slug}`")))?;
    let installation = Installation {
        owner,
        repos,
        created,
    };
    app.installations.insert(id, installation);
    Ok(Reply::json(201, json!({"id": id})))
}
