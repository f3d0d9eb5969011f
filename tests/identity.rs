//! T2 and T4: whose request it is, decided by the signature and the claims alone.

use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};
use tenantry::clock::Time;
use tenantry::delivery::hint::Hint;
use tenantry::delivery::identity::{Expected, judge, verify};
use tenantry::local::Forge;
use tenantry::local::oidc::Issuer;

const NOW: u64 = 1_800_000_000;
const SHA: &str = "0123456789012345678901234567890123456789";

fn claims() -> Value {
    json!({
        "iss": "https://issuer.example", "aud": "tenantry:ops/infra-manager", "sub": "repo:acme/shop:ref:refs/heads/main",
        "jti": "one", "exp": NOW + 300, "nbf": NOW - 5, "iat": NOW,
        "repository": "acme/shop", "repository_id": "7", "repository_owner_id": "8", "ref": "refs/heads/main",
        "sha": SHA, "event_name": "push", "actor": "alice", "actor_id": "9", "run_id": "10",
    })
}

fn hint() -> Value {
    json!({"tenantry": 1, "request_id": "run-10-1", "repository": "acme/shop", "repository_id": 7, "sha": SHA, "ref": "refs/heads/main", "event": "push"})
}

fn verdict(issuer: &Issuer, claims: &Value, forge: Forge, hint: &Value) -> &'static str {
    let Ok(keys) = serde_json::from_value::<JwkSet>(issuer.jwks()) else {
        panic!("keys")
    };
    let Ok(hint) = Hint::read(hint) else {
        panic!("hint")
    };
    let expected = Expected {
        issuer: "https://issuer.example",
        audience: "tenantry:ops/infra-manager".into(),
        at: Time(NOW + 10),
    };
    match verify(&issuer.mint(claims, forge), &keys).and_then(|c| judge(&c, &expected, &hint)) {
        Ok(()) => "accepted",
        Err(refusal) => refusal.code,
    }
}

#[test]
fn t4_a_table_of_tokens() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::new()?;
    let with = |key: &str, value: Value| {
        let mut c = claims();
        c[key] = value;
        c
    };
    let without = |key: &str| {
        let mut c = claims();
        if let Some(map) = c.as_object_mut() {
            map.remove(key);
        }
        c
    };
    let table: Vec<(&str, Value, Forge, &str)> = vec![
        ("good", claims(), Forge::Valid, "accepted"),
        (
            "no algorithm",
            claims(),
            Forge::AlgNone,
            "identity-signature",
        ),
        (
            "signed with the public key as secret",
            claims(),
            Forge::Hs256,
            "identity-algorithm",
        ),
        (
            "another key",
            claims(),
            Forge::OtherKey,
            "identity-signature",
        ),
        (
            "unknown key id",
            claims(),
            Forge::UnknownKid,
            "identity-key",
        ),
        ("no key id", claims(), Forge::NoKid, "identity-key"),
        (
            "one bit of the signature",
            claims(),
            Forge::BadSignature,
            "identity-signature",
        ),
        (
            "no audience",
            without("aud"),
            Forge::Valid,
            "identity-claims",
        ),
        ("no issuer", without("iss"), Forge::Valid, "identity-claims"),
        ("no expiry", without("exp"), Forge::Valid, "identity-claims"),
        (
            "no not-before",
            without("nbf"),
            Forge::Valid,
            "identity-claims",
        ),
        (
            "no issued-at",
            without("iat"),
            Forge::Valid,
            "identity-claims",
        ),
        ("no id", without("jti"), Forge::Valid, "identity-claims"),
        (
            "no repository id",
            without("repository_id"),
            Forge::Valid,
            "identity-claims",
        ),
        (
            "an empty id",
            with("jti", json!("")),
            Forge::Valid,
            "identity-claims",
        ),
        (
            "another issuer",
            with("iss", json!("https://evil.example")),
            Forge::Valid,
            "identity-issuer",
        ),
        (
            "issuer with a slash",
            with("iss", json!("https://issuer.example/")),
            Forge::Valid,
            "identity-issuer",
        ),
        (
            "another manager's audience",
            with("aud", json!("tenantry:ops/other")),
            Forge::Valid,
            "identity-audience",
        ),
        (
            "GitHub's default audience",
            with("aud", json!("https://github.com/acme")),
            Forge::Valid,
            "identity-audience",
        ),
        (
            "several audiences",
            with("aud", json!(["tenantry:ops/infra-manager", "x"])),
            Forge::Valid,
            "identity-claims",
        ),
        (
            "expired for a minute",
            with("exp", json!(NOW - 51)),
            Forge::Valid,
            "identity-expired",
        ),
        (
            "valid from tomorrow",
            with("nbf", json!(NOW + 86_400)),
            Forge::Valid,
            "identity-early",
        ),
        (
            "issued in the future",
            with("iat", json!(NOW + 3_000)),
            Forge::Valid,
            "identity-early",
        ),
        (
            "valid for a year",
            with("exp", json!(NOW + 31_536_000)),
            Forge::Valid,
            "identity-expired",
        ),
        (
            "issued two hours ago",
            with("iat", json!(NOW - 7_200)),
            Forge::Valid,
            "identity-expired",
        ),
        (
            "another repository",
            with("repository_id", json!("70")),
            Forge::Valid,
            "identity-mismatch",
        ),
        (
            "another event",
            with("event_name", json!("pull_request")),
            Forge::Valid,
            "identity-mismatch",
        ),
        (
            "another branch",
            with("ref", json!("refs/heads/x")),
            Forge::Valid,
            "identity-mismatch",
        ),
        (
            "another commit",
            with("sha", json!("f".repeat(40))),
            Forge::Valid,
            "identity-mismatch",
        ),
    ];
    for (name, claims, forge, expected) in table {
        assert_eq!(
            verdict(&issuer, &claims, forge, &hint()),
            expected,
            "{name}"
        );
    }
    for junk in [
        "",
        "a.b.c",
        "....",
        "eyJhbGciOiJub25lIn0.e30.",
        &"A".repeat(100_000),
    ] {
        let keys: JwkSet = serde_json::from_value(issuer.jwks())?;
        assert!(verify(junk, &keys).is_err());
    }
    Ok(())
}

#[test]
fn t4_a_pull_request_is_named_by_its_ref() -> Result<(), Box<dyn std::error::Error>> {
    let issuer = Issuer::new()?;
    let mut pull = claims();
    pull["event_name"] = json!("pull_request");
    pull["ref"] = json!("refs/pull/3/merge");
    let mut asked = hint();
    asked["event"] = json!("pull_request");
    asked["pull_request"] = json!(3);
    assert_eq!(verdict(&issuer, &pull, Forge::Valid, &asked), "accepted");
    asked["pull_request"] = json!(4);
    assert_eq!(
        verdict(&issuer, &pull, Forge::Valid, &asked),
        "identity-mismatch"
    );
    Ok(())
}

/// A million pairs of an authentic identity and a payload, from domains so small that they
/// often nearly agree: whatever is accepted speaks of the identity's own repository, event and commit.
#[test]
fn t2_what_is_accepted_lies_inside_the_identity() -> Result<(), Box<dyn std::error::Error>> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64;
    let mut pick = |n: u64| {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        seed % n
    };
    let shas = ["a".repeat(40), "b".repeat(40)];
    let refs = [
        "refs/heads/main",
        "refs/heads/x",
        "refs/pull/1/merge",
        "refs/pull/2/merge",
    ];
    let expected = Expected {
        issuer: "https://issuer.example",
        audience: "tenantry:ops/infra-manager".into(),
        at: Time(NOW + 10),
    };
    let mut hints = Vec::new();
    for id in 0..3_u64 {
        for sha in &shas {
            for reference in refs {
                for event in [
                    json!({"event": "push"}),
                    json!({"event": "pull_request", "pull_request": 1}),
                    json!({"event": "pull_request", "pull_request": 2}),
                ] {
                    let mut payload = hint();
                    payload["repository_id"] = json!(id);
                    payload["sha"] = json!(sha);
                    payload["ref"] = json!(reference);
                    for (k, v) in event.as_object().into_iter().flatten() {
                        payload[k] = v.clone();
                    }
                    hints.push(Hint::read(&payload)?);
                }
            }
        }
    }
    let mut all = Vec::new();
    for id in 0..3_u64 {
        for sha in &shas {
            for reference in refs {
                for event in ["push", "pull_request", "schedule"] {
                    let mut c = claims();
                    c["repository_id"] = json!(id.to_string());
                    c["sha"] = json!(sha);
                    c["ref"] = json!(reference);
                    c["event_name"] = json!(event);
                    all.push(serde_json::from_value::<
                        tenantry::delivery::identity::Claims,
                    >(c)?);
                }
            }
        }
    }
    let mut accepted = 0;
    for _ in 0..1_000_000 {
        let claims = &all[usize::try_from(pick(all.len() as u64))?];
        let hint = &hints[usize::try_from(pick(hints.len() as u64))?];
        if judge(claims, &expected, hint).is_ok() {
            accepted += 1;
            assert_eq!(claims.repository_id, hint.repository_id.to_string());
            match hint.event {
                tenantry::delivery::hint::Event::Push => {
                    assert_eq!(
                        (
                            claims.event_name.as_str(),
                            claims.sha.as_str(),
                            &claims.reference
                        ),
                        ("push", hint.sha.as_str(), &hint.reference)
                    );
                }
                tenantry::delivery::hint::Event::PullRequest(n) => {
                    assert_eq!(
                        (claims.event_name.as_str(), claims.reference.as_str()),
                        ("pull_request", format!("refs/pull/{n}/merge").as_str())
                    );
                }
            }
        }
    }
    assert!(accepted > 1_000, "the property was hardly met: {accepted}");
    Ok(())
}
