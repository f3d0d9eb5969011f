//! Long random texts, told by their letters alone.

use std::ops::Range;

/// Shortest text that can count as random.
const RANDOM: usize = 24;

/// Long random texts: what no person wrote and no digest is. What `out` has taken already is not
/// looked at: beside a token, a random text would be judged together with it.
pub(super) fn random(text: &str, out: &mut Vec<Range<usize>>) {
    if text.len() < RANDOM {
        return;
    }
    let mut taken = out.clone();
    taken.sort_by_key(|range| range.start);
    taken.push(text.len()..text.len());
    let mut gaps = Vec::new();
    let mut from = 0;
    for range in taken {
        if range.start > from {
            gaps.push(from..range.start);
        }
        from = from.max(range.end);
    }
    let public = |gap: &Range<usize>| {
        let part = &text[gap.clone()];
        let starts = ["-----BEGIN CERTIFICATE", "ssh-", "ecdsa-sha2-"];
        part.contains("PUBLIC KEY-----")
            || gap.start == 0 && starts.iter().any(|s| part.starts_with(s))
    };
    if !gaps.iter().any(public) {
        for gap in gaps {
            random_in(text.as_bytes(), gap, out);
        }
    }
}

fn random_in(bytes: &[u8], gap: Range<usize>, out: &mut Vec<Range<usize>>) {
    let mut i = gap.start;
    while i < gap.end {
        let start = i;
        while i < gap.end && is_token(bytes[i]) {
            i += 1;
        }
        while i < gap.end && i > start && bytes[i] == b'=' {
            i += 1;
        }
        if i - start >= RANDOM && !is_digest(&bytes[gap.start..gap.end], start - gap.start) {
            judge(bytes, start..i, out);
        }
        // What follows a `=` may begin right there.
        i = i.max(start + 1);
    }
}

fn is_token(b: u8) -> bool {
    b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'-' | b'_')
}

/// Whether what begins here is said to be a digest: `sha256:…`, `h1:…`, `sha384-…`.
fn is_digest(bytes: &[u8], start: usize) -> bool {
    let marks: [&[u8]; 8] = [
        b"sha1:", b"sha256:", b"sha384:", b"sha512:", b"md5:", b"h1:", b"zh:", b"SHA256:",
    ];
    let inside: [&[u8]; 3] = [b"sha256-", b"sha384-", b"sha512-"];
    marks.iter().any(|m| bytes[..start].ends_with(m))
        || inside.iter().any(|m| bytes[start..].starts_with(m))
}

fn judge(bytes: &[u8], run: Range<usize>, out: &mut Vec<Range<usize>>) {
    if is_random(&bytes[run.clone()]) {
        out.push(run);
        return;
    }
    // A path may hold one random part.
    let mut start = run.start;
    for part in bytes[run].split(|b| *b == b'/') {
        if part.len() >= RANDOM && is_random(part) {
            out.push(start..start + part.len());
        }
        start += part.len() + 1;
    }
}

/// Whether one part of a text with separators looks random: not for entropy, it is too short.
fn is_random_part(part: &[u8]) -> bool {
    let turns = part.windows(2).filter(|w| {
        w[0].is_ascii_lowercase() && w[1].is_ascii_uppercase()
            || w[0].is_ascii_digit() != w[1].is_ascii_digit()
    });
    part.len() >= 8 && turns.count() * 100 >= part.len() * 25
}

/// Judged by what words, names and ids are not: all kinds of characters, often in turn, and
/// hardly any of them twice.
fn is_random(run: &[u8]) -> bool {
    let length = run.len() as f64;
    let mut counts = [0_u32; 256];
    let (mut lower, mut upper, mut digit, mut other, mut turns) = (0, 0, 0, 0, 0);
    let mut before = 0_u8;
    for &b in run {
        counts[usize::from(b)] += 1;
        match b {
            b'a'..=b'z' => lower += 1,
            b'A'..=b'Z' => upper += 1,
            b'0'..=b'9' => digit += 1,
            _ => other += 1,
        }
        let rises = before.is_ascii_lowercase() && b.is_ascii_uppercase();
        let changes = before.is_ascii_alphanumeric()
            && b.is_ascii_alphanumeric()
            && before.is_ascii_digit() != b.is_ascii_digit();
        turns += u32::from(rises || changes);
        before = b;
    }
    let entropy: f64 = counts
        .iter()
        .filter(|c| **c > 0)
        .map(|c| f64::from(*c) / length)
        .map(|p| -p * p.log2())
        .sum();
    let often = f64::from(turns) >= 0.27 * length;
    // Keys of AWS are 40 characters long, and hardly anything else with such characters is.
    let aws = run.len() == 40 && other > 0 && !run.iter().any(|b| matches!(b, b'-' | b'_' | b'='));
    if aws && lower >= 8 && upper >= 8 && digit >= 1 && turns >= 7 && entropy >= 4.2 {
        return true;
    }
    // Words joined by `-` or `_` are a name, whatever their ends look like.
    let longest = run
        .split(|b| matches!(b, b'-' | b'_'))
        .max_by_key(|part| part.len())
        .unwrap_or_default();
    if longest.len() < run.len() && !is_random_part(longest) {
        return false;
    }
    // Large and small letters in turn, as no name and no id of a cloud has them.
    let letters: Vec<bool> = run
        .iter()
        .filter(|b| b.is_ascii_alphabetic())
        .map(u8::is_ascii_uppercase)
        .collect();
    let flips = letters.windows(2).filter(|w| w[0] != w[1]).count();
    let mixed = lower >= 3 && upper >= 3 && digit >= 2 && flips >= 5;
    if mixed {
        return often && entropy >= 3.6;
    }
    if lower > 0 && upper > 0 {
        return false;
    }
    // Of one case: base 32 or 36, but never what could be a digest, a UUID or a host name.
    let beyond_hex = run
        .iter()
        .any(|b| b.is_ascii_alphabetic() && !b.is_ascii_hexdigit());
    run.len() >= 32
        && other == 0
        && beyond_hex
        && digit >= 5
        && lower + upper >= 5
        && often
        && entropy >= 3.8
}
