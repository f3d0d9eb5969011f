//! Other readings of a text, with the way back: percent-encoding and backslashes undone, so that
//! a secret is found whatever part of it somebody has encoded.

use std::ops::Range;

/// A reading: its bytes, and for each of them where it begins in the text.
pub(super) struct Reading {
    pub bytes: Vec<u8>,
    starts: Vec<usize>,
    end: usize,
}

impl Reading {
    fn new(length: usize) -> Self {
        Self {
            bytes: Vec::with_capacity(length),
            starts: Vec::with_capacity(length),
            end: 0,
        }
    }

    fn push(&mut self, byte: u8, start: usize) {
        self.bytes.push(byte);
        self.starts.push(start);
    }

    /// A range of the reading as one of the text.
    pub fn back(&self, range: &Range<usize>) -> Range<usize> {
        let at = |i: usize| self.starts.get(i).copied().unwrap_or(self.end);
        at(range.start)..at(range.end)
    }
}

/// All readings in which something is different.
pub(super) fn readings(text: &str) -> Vec<Reading> {
    let mut out = Vec::new();
    let bytes = text.as_bytes();
    if bytes.contains(&b'%') {
        out.push(percent(bytes, false));
    }
    if bytes.contains(&b'+') {
        out.push(percent(bytes, true));
    }
    let mut escaped = bytes.contains(&b'\\').then(|| unescaped(bytes));
    // JSON inside of JSON is escaped twice.
    for _ in 0..2 {
        let Some(once) = escaped.take() else { break };
        if once.bytes.contains(&b'\\') {
            let twice = unescaped(&once.bytes);
            escaped = Some(Reading {
                starts: twice
                    .starts
                    .iter()
                    .map(|s| once.back(&(*s..*s)).start)
                    .collect(),
                bytes: twice.bytes,
                end: bytes.len(),
            });
        }
        out.push(once);
    }
    out.extend(escaped);
    out
}

fn percent(bytes: &[u8], form: bool) -> Reading {
    let digit = |i: usize| bytes.get(i).and_then(|b| (*b as char).to_digit(16));
    let mut out = Reading::new(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        match (bytes[i], digit(i + 1), digit(i + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high << 4 | low) as u8, i);
                i += 3;
            }
            (b'+', ..) if form => {
                out.push(b' ', i);
                i += 1;
            }
            (byte, ..) => {
                out.push(byte, i);
                i += 1;
            }
        }
    }
    out.end = bytes.len();
    out
}

fn unescaped(bytes: &[u8]) -> Reading {
    let mut out = Reading::new(bytes.len());
    let mut i = 0;
    while i < bytes.len() {
        let next = bytes.get(i + 1).filter(|_| bytes[i] == b'\\');
        let plain = match next {
            None => {
                out.push(bytes[i], i);
                i += 1;
                continue;
            }
            Some(b'u') => {
                if let Some((c, length)) = unicode(&bytes[i..]) {
                    for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                        out.push(byte, i);
                    }
                    i += length;
                    continue;
                }
                b'u'
            }
            Some(b'n') => b'\n',
            Some(b'r') => b'\r',
            Some(b't') => b'\t',
            Some(b'b') => 8,
            Some(b'f') => 12,
            Some(other) => *other,
        };
        out.push(plain, i);
        i += 2;
    }
    out.end = bytes.len();
    out
}

/// The character of `\uXXXX` or of a pair of them, and how long it is written.
fn unicode(bytes: &[u8]) -> Option<(char, usize)> {
    let number = |at: usize| {
        let text = bytes.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u32::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok()
    };
    let first = number(0)?;
    if let Some(c) = char::from_u32(first) {
        return Some((c, 6));
    }
    let second = number(6)?;
    let both = 0x1_0000 + ((first & 0x3ff) << 10) + (second & 0x3ff);
    Some((char::from_u32(both)?, 12))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<String> {
        readings(text)
            .into_iter()
            .map(|r| String::from_utf8_lossy(&r.bytes).into_owned())
            .collect()
    }

    #[test]
    fn encodings_are_undone() {
        assert_eq!(read("a%20b%zz"), ["a b%zz"]);
        assert_eq!(read("a+b%2B"), ["a+b+", "a b+"]);
        assert_eq!(read("a\\\"b\\u00e4\\ud83d\\ude00"), ["a\"b\u{e4}\u{1f600}"]);
        assert_eq!(read("a\\\\\\\"b"), ["a\\\"b", "a\"b"]);
        assert!(read("plain").is_empty());
    }

    proptest! {
        #[test]
        fn the_way_back_ends_at_characters(text in "([a-zä%+\\\\u0-9\"]|%2[0-9]){0,40}") {
            for reading in readings(&text) {
                for i in 0..=reading.bytes.len() {
                    let range = reading.back(&(0..i));
                    prop_assert!(range.end <= text.len());
                }
            }
        }
    }
}
