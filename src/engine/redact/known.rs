//! Many known secrets, found in one walk over a text, also encoded.
//!
//! A walk with a rolling key of six bytes: a bit table says where something may begin, a sorted
//! list what it is. An automaton (`aho-corasick`) would find the same; for the ten forms of
//! 15,000 secrets it takes some hundred megabytes, this takes ten. Long secrets are held in
//! pieces, so that every step is bounded and a part of a secret is found too.

use super::decode::readings;
use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use std::collections::HashSet;
use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

/// The shortest secret that is looked for in other places, in bytes. Shorter ones would hide words.
pub(super) const SHORTEST: usize = 6;
/// Pieces of long secrets are this long, and the last one up to twice.
const PIECE: usize = 48;
/// Beyond this much text of secrets, only their plain and escaped forms are looked for.
const ENCODED: usize = 4 << 20;

const STANDARD: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_encode_padding(false),
);
const URL_SAFE: GeneralPurpose = GeneralPurpose::new(
    &alphabet::URL_SAFE,
    GeneralPurposeConfig::new().with_encode_padding(false),
);

/// The secrets of a run, and everything they are looked for as.
#[derive(Debug, Default, Clone)]
pub(super) struct Collected {
    patterns: Vec<Box<str>>,
    /// What was added, by its hash: a plan holds a secret four times.
    seen: HashSet<u64>,
    bytes: usize,
}

impl Collected {
    pub(super) fn add(&mut self, secret: &str) {
        if secret.len() < SHORTEST {
            return;
        }
        let mut hash = DefaultHasher::new();
        secret.hash(&mut hash);
        if !self.seen.insert(hash.finish()) {
            return;
        }
        self.bytes += secret.len();
        for form in forms(secret, self.bytes <= ENCODED) {
            self.patterns
                .extend(pieces(&form).into_iter().map(Box::from));
        }
    }

    pub(super) fn build(&self) -> Known {
        let mut patterns = self.patterns.clone();
        patterns.sort_unstable();
        patterns.dedup();
        Known::new(patterns)
    }
}

/// What can be searched.
#[derive(Debug, Clone)]
pub(super) struct Known {
    /// Sorted, each at least [`SHORTEST`] bytes long.
    patterns: Vec<Box<str>>,
    /// For each pattern the longest other one that it begins with.
    shorter: Vec<Option<u32>>,
    /// One bit for each hash of the first six bytes.
    filter: Vec<u64>,
}

impl Known {
    fn new(patterns: Vec<Box<str>>) -> Self {
        let bits = (patterns.len() * 16).next_power_of_two().max(4096);
        let mut filter = vec![0_u64; bits / 64];
        let mut shorter: Vec<Option<u32>> = Vec::with_capacity(patterns.len());
        for (i, pattern) in patterns.iter().enumerate() {
            let head = pattern.as_bytes()[..SHORTEST]
                .iter()
                .rev()
                .fold(0_u64, |key, b| key << 8 | u64::from(*b));
            let bit = slot(head, bits);
            filter[bit / 64] |= 1 << (bit % 64);
            // In a sorted list, whatever a pattern begins with is on the chain of the one before.
            let mut candidate = i.checked_sub(1);
            while let Some(c) = candidate {
                if pattern.starts_with(&*patterns[c]) {
                    break;
                }
                candidate = shorter[c].map(|s| s as usize);
            }
            shorter.push(candidate.and_then(|c| u32::try_from(c).ok()));
        }
        Self {
            patterns,
            shorter,
            filter,
        }
    }

    /// Adds where anything known stands, also percent-encoded or escaped; ranges may overlap.
    pub(super) fn find(&self, text: &str, out: &mut Vec<Range<usize>>) {
        if self.patterns.is_empty() || text.len() < SHORTEST {
            return;
        }
        self.find_in(text.as_bytes(), out);
        for reading in readings(text) {
            let mut found = Vec::new();
            self.find_in(&reading.bytes, &mut found);
            out.extend(
                found
                    .iter()
                    .map(|range| reading.back(range))
                    .filter(|range| {
                        text.is_char_boundary(range.start) && text.is_char_boundary(range.end)
                    }),
            );
        }
    }

    fn find_in(&self, bytes: &[u8], out: &mut Vec<Range<usize>>) {
        let bits = self.filter.len() * 64;
        let mut key = 0_u64;
        for (i, byte) in bytes.iter().enumerate() {
            key = (key >> 8) | (u64::from(*byte) << 40);
            let Some(start) = (i + 1).checked_sub(SHORTEST) else {
                continue;
            };
            let bit = slot(key, bits);
            if self.filter[bit / 64] >> (bit % 64) & 1 == 1
                && let Some(length) = self.longest(&bytes[start..])
            {
                out.push(start..start + length);
            }
        }
    }

    /// Length of the longest pattern that `rest` begins with.
    fn longest(&self, rest: &[u8]) -> Option<usize> {
        let rest = &rest[..rest.len().min(2 * PIECE + 4)];
        let after = self.patterns.partition_point(|p| p.as_bytes() <= rest);
        let mut candidate = after.checked_sub(1);
        while let Some(c) = candidate {
            let pattern = self.patterns[c].as_bytes();
            if rest.starts_with(pattern) {
                return Some(pattern.len());
            }
            candidate = self.shorter[c].map(|s| s as usize);
        }
        None
    }
}

/// Fibonacci hashing: the upper bits of a product are well mixed.
fn slot(key: u64, bits: usize) -> usize {
    let mixed = (key & 0xffff_ffff_ffff).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed >> 32) as usize & (bits - 1)
}

/// A form in pieces of [`PIECE`] bytes, at characters; the last one takes what is left.
fn pieces(form: &str) -> Vec<&str> {
    let mut out = Vec::new();
    let mut rest = form;
    while rest.len() >= 2 * PIECE {
        let mut cut = PIECE;
        while !rest.is_char_boundary(cut) {
            cut += 1;
        }
        let (piece, after) = rest.split_at(cut);
        out.push(piece);
        rest = after;
    }
    if rest.len() >= SHORTEST {
        out.push(rest);
    }
    out
}

/// Every form in which a secret is looked for.
fn forms(secret: &str, encoded: bool) -> Vec<String> {
    let mut out = vec![secret.to_owned()];
    let mut add = |form: String| {
        if form.len() >= SHORTEST && !out.contains(&form) {
            out.push(form);
        }
    };
    let plain = secret
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
    if !plain {
        // Percent-encoding and backslashes are undone in the text; these are what remains.
        add(secret.replace("${", "$${").replace("%{", "%%{"));
        for form in in_shells(secret) {
            add(form);
        }
        let html = secret
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;");
        add(html.replace('"', "&#34;").replace('\'', "&#39;"));
        add(html.replace('"', "&quot;").replace('\'', "&#x27;"));
        add(html);
    }
    if encoded {
        let bytes = secret.as_bytes();
        let hex = bytes.iter().fold(String::new(), |mut hex, b| {
            let _ = write!(hex, "{b:02x}");
            hex
        });
        add(hex.to_uppercase());
        add(hex);
        for engine in [&STANDARD, &URL_SAFE] {
            add(engine.encode(bytes));
            // A secret can stand at three places of what was encoded as a whole. The first
            // characters then also hold bits of what is before it, the last ones of what follows.
            for (shift, first) in [(0_usize, 0), (1, 2), (2, 3)] {
                let mut shifted = vec![0_u8; shift];
                shifted.extend_from_slice(bytes);
                let text = engine.encode(&shifted[..shifted.len() / 3 * 3]);
                add(text.get(first..).unwrap_or_default().to_owned());
            }
        }
    }
    out
}

/// As a shell would have it: inside of single quotes, of double quotes, and without quotes.
fn in_shells(secret: &str) -> Vec<String> {
    let escape = |special: &dyn Fn(char) -> bool| {
        secret.chars().fold(String::new(), |mut out, c| {
            if special(c) {
                out.push('\\');
            }
            out.push(c);
            out
        })
    };
    vec![
        secret.replace('\'', "'\\''"),
        secret.replace('\'', "'\"'\"'"),
        secret.replace('\'', "\\'").replace('\n', "\\n"),
        escape(&|c| matches!(c, '"' | '$' | '`' | '\\')),
        escape(&|c| matches!(c, '"' | '$' | '`' | '\\' | '!')),
        escape(&|c| c.is_ascii_punctuation() && !"-_./,:+@%=".contains(c) || c == ' '),
        escape(&|c| c.is_ascii_punctuation() && !"-_./".contains(c) || c == ' '),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn found(secrets: &[&str], text: &str) -> Vec<String> {
        let mut collected = Collected::default();
        secrets.iter().for_each(|s| collected.add(s));
        let mut out = Vec::new();
        collected.build().find(text, &mut out);
        out.into_iter().map(|r| text[r].to_owned()).collect()
    }

    #[test]
    fn the_longest_is_found_and_overlaps_too() {
        assert_eq!(found(&["abcdef", "abcdefgh"], "xabcdefghx"), ["abcdefgh"]);
        assert_eq!(found(&["abcdef", "abcdefgh"], "xabcdefgx"), ["abcdef"]);
        assert_eq!(
            found(&["abcdefg", "efghij"], "abcdefghij"),
            ["abcdefg", "efghij"]
        );
        assert_eq!(found(&["short"], "short"), Vec::<String>::new());
    }

    #[test]
    fn t15_a_part_of_a_long_secret_is_found() {
        let long: String = (0..400).map(|i| format!("{i:03}")).collect();
        let cut = &long[..600];
        let covered: usize = found(&[&long], cut).iter().map(String::len).sum();
        assert!(covered >= 570, "{covered}");
    }

    #[test]
    fn t20_many_alike_secrets_and_a_text_of_them_take_no_long() {
        let mut collected = Collected::default();
        for i in 0..2_000 {
            collected.add(&format!("{}{i}", "a".repeat(60)));
        }
        let known = collected.build();
        let start = std::time::Instant::now();
        let mut out = Vec::new();
        known.find(&"a".repeat(1 << 20), &mut out);
        assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    }

    proptest! {
        #[test]
        fn t15_what_is_found_is_what_a_search_for_each_would_find(
            secrets in proptest::collection::vec("[ab]{6,9}", 1..6),
            text in "[ab]{0,60}",
        ) {
            let mut collected = Collected::default();
            for secret in &secrets {
                collected.patterns.push(secret.as_str().into());
            }
            let mut ranges = Vec::new();
            collected.build().find(&text, &mut ranges);
            for start in 0..text.len() {
                let expected = secrets.iter().filter(|s| text[start..].starts_with(*s)).map(String::len).max();
                let there = ranges.iter().find(|r| r.start == start).map(Range::len);
                prop_assert_eq!(there, expected);
            }
        }
    }
}
