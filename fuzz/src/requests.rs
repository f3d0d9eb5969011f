//! What a customer's workflow sends: the hint, and what its token says once its signature is good.

use super::BETWEEN;
use serde_json::Value;
use tenantry::clock::Time;
use tenantry::delivery::claims::{Claims, Expected, judge};
use tenantry::delivery::hint::{Event, Hint};
use tenantry::delivery::refusal::Refusal;

const ISSUER: &str = "https://issuer.example";
const AUDIENCE: &str = "tenantry:ops/infra-manager";
const NOW: u64 = 1_800_000_000;

/// A person reads it, and it may hold what the other side has sent.
fn said(refusal: &Refusal) {
    let reason = &refusal.reason;
    assert!(!reason.is_empty() && reason.len() <= 4_000, "{reason}");
    assert!(
        reason.chars().all(|c| matches!(c, ' '..='~' | '…')),
        "{reason:?}"
    );
}

fn hint(bytes: &[u8]) -> Option<Hint> {
    let payload: Value = serde_json::from_slice(bytes).ok()?;
    let hint = match Hint::read(&payload) {
        Ok(hint) => hint,
        Err(refusal) => {
            said(&refusal);
            return None;
        }
    };
    let written = hint.payload();
    assert_eq!(Hint::read(&written).as_ref(), Ok(&hint));
    // Nothing was overlooked: what was read is what is written, but for what was null.
    let mut payload = payload;
    if let Value::Object(map) = &mut payload {
        map.retain(|_, value| !value.is_null());
    }
    assert_eq!(written, payload);
    // What is logged of a hint is not its token.
    let mut open = hint.clone();
    open.identity = None;
    assert_eq!(
        serde_json::to_string(&hint).ok(),
        serde_json::to_string(&open).ok()
    );
    Some(hint)
}

fn at(seconds: u64) -> Expected<'static> {
    Expected {
        issuer: ISSUER,
        audience: AUDIENCE.to_owned(),
        at: Time(seconds),
    }
}

fn judged(claims: &Claims, expected: &Expected<'_>, hint: &Hint) -> bool {
    let verdict = judge(claims, expected, hint);
    assert_eq!(verdict, judge(claims, expected, hint));
    if let Err(refusal) = &verdict {
        said(refusal);
    }
    verdict.is_ok()
}

/// A payload, and claims.
pub fn request(data: &[u8]) {
    let between = BETWEEN.as_bytes();
    let cut = data.windows(between.len()).position(|w| w == between);
    let (payload, token) = match cut {
        Some(at) => (&data[..at], &data[at + between.len()..]),
        None => (data, data),
    };
    let hint = hint(payload);
    let (Some(hint), Ok(claims)) = (hint, serde_json::from_slice::<Claims>(token)) else {
        return;
    };
    for seconds in [NOW, claims.iat, claims.exp, claims.nbf, 0, u64::MAX] {
        let expected = at(seconds);
        if !judged(&claims, &expected, &hint) {
            continue;
        }
        assert_eq!(
            (claims.iss.as_str(), claims.aud.as_str()),
            (ISSUER, AUDIENCE)
        );
        assert_eq!(claims.repository_id, hint.repository_id.to_string());
        assert!((1..=200).contains(&claims.jti.len()));
        // In time, in whatever numbers.
        let (now, iat, exp, nbf) = (
            i128::from(seconds),
            i128::from(claims.iat),
            i128::from(claims.exp),
            i128::from(claims.nbf),
        );
        assert!(exp + 30 >= now && nbf <= now + 30 && iat <= now + 30);
        assert!(
            exp - iat <= 3_600 && iat + 3_600 >= now,
            "{claims:?} at {seconds}"
        );
        match hint.event {
            Event::Push => assert_eq!(
                (
                    claims.event_name.as_str(),
                    claims.reference.as_str(),
                    claims.sha.as_str()
                ),
                ("push", hint.reference.as_str(), hint.sha.as_str())
            ),
            Event::PullRequest(number) => assert_eq!(
                (claims.event_name.as_str(), claims.reference.clone()),
                ("pull_request", format!("refs/pull/{number}/merge"))
            ),
        }
        // Nothing of it can be another.
        let other = Expected {
            audience: format!("{AUDIENCE}x"),
            ..expected.clone()
        };
        assert!(!judged(&claims, &other, &hint));
        let other = Hint {
            repository_id: hint.repository_id ^ 1,
            ..hint.clone()
        };
        assert!(!judged(&claims, &expected, &other));
    }
}
