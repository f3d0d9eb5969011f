//! A secret, and the forms in which it may come back. Written down a second time: the redactor's
//! own code must not be what looks for what it has overlooked.

use serde_json::Value;

const STANDARD: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const URL_SAFE: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// Base64 without padding.
fn base64(bytes: &[u8], letters: &[u8; 64]) -> String {
    let mut out = String::new();
    for three in bytes.chunks(3) {
        let byte = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for i in 0..=three.len() {
            let letter = (bits >> (18 - 6 * i)) & 63;
            out.push(char::from(letters[letter as usize]));
        }
    }
    out
}

/// What of a secret's base64 is certain where `before` bytes come first in what was encoded.
fn inner(secret: &str, before: usize, letters: &[u8; 64]) -> String {
    let mut bytes = vec![0; before];
    bytes.extend_from_slice(secret.as_bytes());
    let text = base64(&bytes, letters);
    text[(before * 8).div_ceil(6)..bytes.len() * 8 / 6].to_owned()
}

pub fn hex(secret: &str) -> String {
    secret.bytes().map(|b| format!("{b:02x}")).collect()
}

pub fn percent(secret: &str) -> String {
    secret
        .bytes()
        .map(|b| match b {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                char::from(b).to_string()
            }
            b => format!("%{b:02X}"),
        })
        .collect()
}

pub fn json(secret: &str) -> String {
    let text = Value::from(secret).to_string();
    text[1..text.len() - 1].to_owned()
}

/// Whole texts in which somebody may write a secret down.
pub fn written(secret: &str) -> Vec<String> {
    vec![
        secret.to_owned(),
        base64(secret.as_bytes(), STANDARD),
        base64(format!("u:{secret}:x").as_bytes(), STANDARD),
        base64(format!("user:{secret}").as_bytes(), URL_SAFE),
        hex(secret),
        hex(secret).to_uppercase(),
        percent(secret),
        json(secret),
        json(&json(secret)),
        format!("'{}'", secret.replace('\'', "'\\''")),
    ]
}

/// What must not be found in anything that leaves.
pub fn traces(secret: &str) -> Vec<String> {
    let mut out = vec![
        secret.to_owned(),
        hex(secret),
        hex(secret).to_uppercase(),
        percent(secret),
        json(secret),
    ];
    for letters in [STANDARD, URL_SAFE] {
        out.extend((0..3).map(|before| inner(secret, before, letters)));
    }
    out.sort();
    out.dedup();
    out
}
