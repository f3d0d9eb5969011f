//! The OIDC issuer: a fresh RSA key per server, tokens with the claims that GitHub Actions gives.
//!
//! Claims: <https://docs.github.com/en/actions/reference/security/oidc>.
use super::http::{Reply, Req, Res};
use super::ids::{hex, random_hex};
use super::model::{OidcGrant, Run};
use super::state::State;
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

/// Repositories made from this day on have ids in their `sub` (2026-07-15).
const SUB_WITH_IDS_SINCE: i64 = 1_784_073_600;
/// Life of a token in seconds.
const LIFE: i64 = 300;

/// A signing key and its name.
pub struct Issuer {
    key: KeyPair,
    /// `kid` of the one published key.
    pub kid: String,
}

/// How a minted token is to be broken; for tests of verifiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forge {
    /// Properly signed.
    Valid,
    /// Signed by a key that is not published, under the published `kid`.
    OtherKey,
    /// `alg: none`, no signature.
    AlgNone,
    /// `alg: HS256`, keyed with the published modulus.
    Hs256,
    /// A `kid` that is not published.
    UnknownKid,
    /// No `kid` at all.
    NoKid,
    /// One bit of the signature flipped.
    BadSignature,
}

impl Issuer {
    /// Makes a key.
    pub fn new() -> Result<Self, std::io::Error> {
        let key = KeyPair::generate(KeySize::Rsa2048).map_err(std::io::Error::other)?;
        Ok(Self {
            key,
            kid: random_hex(20).to_uppercase(),
        })
    }

    /// The published key set.
    pub fn jwks(&self) -> Value {
        let (n, e) = public_numbers(self.key.public_key().as_ref());
        json!({"keys": [{
            "kty": "RSA", "alg": "RS256", "use": "sig", "kid": self.kid,
            "n": URL_SAFE_NO_PAD.encode(n), "e": URL_SAFE_NO_PAD.encode(e),
        }]})
    }

    /// Signs claims.
    pub fn sign(&self, claims: &Value) -> String {
        self.mint(claims, Forge::Valid)
    }

    /// Signs claims, well or in one of the wrong ways.
    pub fn mint(&self, claims: &Value, forge: Forge) -> String {
        let mut header = json!({"typ": "JWT", "alg": "RS256", "kid": self.kid});
        match forge {
            Forge::AlgNone => header["alg"] = json!("none"),
            Forge::Hs256 => header["alg"] = json!("HS256"),
            Forge::UnknownKid => header["kid"] = json!("0000000000000000"),
            Forge::NoKid => header = json!({"typ": "JWT", "alg": "RS256"}),
            _ => {}
        }
        let part = |v: &Value| URL_SAFE_NO_PAD.encode(v.to_string());
        let message = format!("{}.{}", part(&header), part(claims));
        let mut signature = match forge {
            Forge::AlgNone => Vec::new(),
            Forge::Hs256 => {
                let (n, _) = public_numbers(self.key.public_key().as_ref());
                let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, n);
                aws_lc_rs::hmac::sign(&key, message.as_bytes())
                    .as_ref()
                    .to_vec()
            }
            Forge::OtherKey => KeyPair::generate(KeySize::Rsa2048)
                .map_or_else(|_| Vec::new(), |k| rs256(&k, &message)),
            _ => rs256(&self.key, &message),
        };
        if forge == Forge::BadSignature
            && let Some(last) = signature.last_mut()
        {
            *last ^= 1;
        }
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }
}

fn rs256(key: &KeyPair, message: &str) -> Vec<u8> {
    let mut out = vec![0u8; key.public_modulus_len()];
    let rng = aws_lc_rs::rand::SystemRandom::new();
    match key.sign(&RSA_PKCS1_SHA256, &rng, message.as_bytes(), &mut out) {
        Ok(()) => out,
        Err(_) => Vec::new(),
    }
}

/// Modulus and exponent out of `RSAPublicKey ::= SEQUENCE { INTEGER, INTEGER }` (RFC 8017).
fn public_numbers(der: &[u8]) -> (&[u8], &[u8]) {
    let (sequence, _) = der_value(der);
    let (n, rest) = der_value(sequence);
    let (e, _) = der_value(rest);
    (n.strip_prefix(&[0]).unwrap_or(n), e)
}

/// The content of the first DER value, and what stands behind it.
pub fn der_value(der: &[u8]) -> (&[u8], &[u8]) {
    let first = usize::from(der.get(1).copied().unwrap_or(0));
    let (length, start) = if first < 0x80 {
        (first, 2)
    } else {
        let n = first & 0x7f;
        let bytes = der.get(2..2 + n).unwrap_or_default();
        (
            bytes.iter().fold(0usize, |a, b| a << 8 | usize::from(*b)),
            2 + n,
        )
    };
    let end = (start + length).min(der.len());
    (
        der.get(start..end).unwrap_or_default(),
        der.get(end..).unwrap_or_default(),
    )
}

/// The claims GitHub would put into a token for this run.
pub fn claims(s: &State, run: &Run, grant: &OidcGrant, audience: &str) -> Result<Value, Reply> {
    let repo = s.repo(run.event.repo)?;
    let (owner, full) = (s.login(repo.owner), s.full_name(repo));
    let now = s.now();
    let base = if repo.created >= SUB_WITH_IDS_SINCE {
        format!("repo:{owner}@{}/{}@{}", repo.owner, repo.name, repo.id)
    } else {
        format!("repo:{full}")
    };
    let context = match (&grant.environment, run.event.name.as_str()) {
        (Some(e), _) => format!("environment:{e}"),
        (None, "pull_request") => "pull_request".to_owned(),
        (None, _) => format!("ref:{}", run.event.git_ref),
    };
    let workflow_ref = format!("{full}/{}@{}", run.path, run.event.git_ref);
    let (head, into) = run.event.head_base.clone().unwrap_or_default();
    let uuid = hex(&random_hex(8).into_bytes());
    let mut out = json!({
        "jti": format!("{}-{}-{}-{}-{}", &uuid[..8], &uuid[8..12], &uuid[12..16], &uuid[16..20], &uuid[20..32]),
        "sub": format!("{base}:{context}"),
        "aud": audience,
        "iss": s.issuer_url(),
        "iat": now, "nbf": now - 300, "exp": now + LIFE,
        "ref": run.event.git_ref,
        "ref_type": if run.event.git_ref.starts_with("refs/tags/") { "tag" } else { "branch" },
        "ref_protected": "false",
        "sha": run.event.sha,
        "repository": full,
        "repository_id": repo.id.to_string(),
        "repository_owner": owner,
        "repository_owner_id": repo.owner.to_string(),
        "repository_visibility": if repo.private { "private" } else { "public" },
        "actor": s.login(run.event.actor),
        "actor_id": run.event.actor.to_string(),
        "event_name": run.event.name,
        "run_id": run.id.to_string(),
        "run_number": run.number.to_string(),
        "run_attempt": run.attempt.to_string(),
        "workflow": run.name,
        "workflow_ref": workflow_ref,
        "workflow_sha": run.event.sha,
        "job_workflow_ref": workflow_ref,
        "job_workflow_sha": run.event.sha,
        "head_ref": head,
        "base_ref": into,
        "runner_environment": "github-hosted",
        "enterprise": "", "enterprise_id": "",
    });
    if let Some(e) = &grant.environment {
        out["environment"] = json!(e);
    }
    if let Some(o) = out.as_object_mut() {
        o.retain(|k, _| !k.starts_with("enterprise"));
    }
    Ok(out)
}

/// `/_oidc/...`; on an Enterprise Server `/_services/token/...` as well.
pub fn route(s: &mut State, req: &Req) -> Res {
    let base = s.issuer_url();
    let segs: Vec<&str> = req.segs.iter().map(String::as_str).collect();
    let rest = match segs.as_slice() {
        ["_services", "token", rest @ ..] if s.enterprise => rest,
        ["_oidc", rest @ ..] => rest,
        _ => return Err(Reply::not_found()),
    };
    match rest {
        [".well-known", "openid-configuration"] => Ok(Reply::ok(json!({
            "issuer": base,
            "jwks_uri": format!("{base}/.well-known/jwks"),
            "subject_types_supported": ["public", "pairwise"],
            "response_types_supported": ["id_token"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "scopes_supported": ["openid"],
        }))),
        [".well-known", "jwks"] => Ok(Reply::ok(s.issuer.jwks())),
        ["token"] => {
            let grant = super::access::bearer(req)
                .and_then(|t| s.oidc_grants.get(t))
                .cloned();
            let grant = grant.ok_or_else(|| Reply::error(401, "Bad credentials"))?;
            let run = s.runs.get(&grant.run).ok_or_else(Reply::not_found)?;
            if run.status == "completed" {
                return Err(Reply::error(401, "The run has ended"));
            }
            let owner = s.login(s.repo(run.event.repo)?.owner);
            let default = format!("{}/{owner}", s.url);
            let audience = req
                .q("audience")
                .filter(|a| !a.is_empty())
                .unwrap_or(&default);
            let value = s.issuer.sign(&claims(s, run, &grant, audience)?);
            Ok(Reply::ok(json!({"count": value.len(), "value": value})))
        }
        _ => Err(Reply::not_found()),
    }
}
