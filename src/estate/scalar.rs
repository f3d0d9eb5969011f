//! Plain scalars of YAML: the core schema, minus what other readers take for something else.

use super::ids::shown;
use super::value::Data;
use super::yaml::Reading;

/// Zero-width, bidirectional and control characters: what an approver cannot see.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// The value of a plain scalar, or rule and message why it has none.
pub(super) fn plain(text: &str, reading: Reading) -> Result<Data, (&'static str, String)> {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Ok(Data::Null),
        "true" | "True" | "TRUE" => return Ok(Data::Bool(true)),
        "false" | "False" | "FALSE" => return Ok(Data::Bool(false)),
        _ => {}
    }
    if reading == Reading::Strict
        && let Some(instead) = ambiguous(text)
    {
        return Err((
            "yaml-ambiguous",
            format!(
                "`{}` is read differently by different tools; {instead}",
                shown(text)
            ),
        ));
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    if !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()) {
        let number = text.strip_prefix('+').unwrap_or(text);
        return number
            .parse::<i64>()
            .map(serde_json::Number::from)
            .or_else(|_| number.parse::<u64>().map(serde_json::Number::from))
            .map(Data::Number)
            .map_err(|_| {
                (
                    "yaml-number",
                    format!(
                        "`{}` has more digits than can be kept; write it in quotes",
                        shown(text)
                    ),
                )
            });
    }
    if is_decimal(digits) {
        let float = text.parse::<f64>().ok().filter(|f| f.is_finite());
        let kept = float.and_then(serde_json::Number::from_f64);
        let (Some(float), Some(number)) = (float, kept) else {
            return Err((
                "yaml-number",
                format!(
                    "`{}` is not a number that can be kept; write it in quotes",
                    shown(text)
                ),
            ));
        };
        // Rust writes a float in plain digits, never with an exponent.
        if canonical_decimal(&float.to_string()) != canonical_decimal(text)
            && !text.contains(['e', 'E'])
        {
            return Err((
                "yaml-number",
                format!(
                    "`{}` has more digits than can be kept; write it in quotes",
                    shown(text)
                ),
            ));
        }
        return Ok(Data::Number(number));
    }
    Ok(Data::Text(text.to_owned()))
}

fn is_decimal(digits: &str) -> bool {
    let (mantissa, exponent) = digits
        .split_once(['e', 'E'])
        .map_or((digits, None), |(m, e)| (m, Some(e)));
    let all = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let mantissa_ok = match mantissa.split_once('.') {
        Some((whole, part)) => all(whole) && all(part) && !(whole.is_empty() && part.is_empty()),
        None => exponent.is_some() && !mantissa.is_empty() && all(mantissa),
    };
    let exponent_ok = exponent.is_none_or(|e| {
        let e = e.strip_prefix(['-', '+']).unwrap_or(e);
        !e.is_empty() && all(e)
    });
    mantissa_ok && exponent_ok
}

/// Sign, whole and fraction without zeros that carry nothing.
fn canonical_decimal(text: &str) -> (bool, String, String) {
    let negative = text.starts_with('-');
    let digits = text.trim_start_matches(['-', '+']);
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    (
        negative,
        whole.trim_start_matches('0').to_owned(),
        part.trim_end_matches('0').to_owned(),
    )
}

/// What to write instead of a plain scalar that YAML 1.1 and 1.2 readers disagree on.
fn ambiguous(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    match lower.as_str() {
        "y" | "yes" | "on" => return Some(format!("write `true`, or `\"{text}\"` for the text")),
        "n" | "no" | "off" => return Some(format!("write `false`, or `\"{text}\"` for the text")),
        "=" | "<<" | ".inf" | "+.inf" | "-.inf" | ".nan" => {
            return Some(format!("write `\"{text}\"` for the text"));
        }
        _ => {}
    }
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let starts_with_digit = digits.starts_with(|c: char| c.is_ascii_digit());
    if !starts_with_digit && !digits.starts_with('.') {
        return None;
    }
    let quote = || {
        Some(format!(
            "write the meant number in plain digits, or `\"{}\"` for the text",
            shown(text)
        ))
    };
    let all = |s: &str, f: fn(u8) -> bool| !s.is_empty() && s.bytes().all(f);
    let radix =
        |p: &str, f: fn(u8) -> bool| digits.strip_prefix(p).is_some_and(|rest| all(rest, f));
    if radix("0x", |b| b.is_ascii_hexdigit() || b == b'_')
        || radix("0o", |b| b.is_ascii_digit())
        || radix("0b", |b| matches!(b, b'0' | b'1' | b'_'))
    {
        return quote();
    }
    if digits.len() > 1 && digits.starts_with('0') && all(digits, |b| b.is_ascii_digit()) {
        return quote();
    }
    if digits.contains('_') && all(digits, |b| b.is_ascii_digit() || matches!(b, b'_' | b'.')) {
        return quote();
    }
    if digits.contains(':')
        && digits
            .split(':')
            .all(|p| all(p, |b| b.is_ascii_digit() || b == b'.'))
    {
        return quote();
    }
    if is_decimal(digits) && digits.contains(['e', 'E']) {
        return quote();
    }
    if is_date(digits) {
        return Some(format!("write `\"{}\"` for the text", shown(text)));
    }
    None
}

/// `2026-11-21`, alone or followed by a time: a date to YAML 1.1, a text to YAML 1.2.
fn is_date(text: &str) -> bool {
    let mut parts = text.splitn(3, '-');
    let (Some(year), Some(month), Some(rest)) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digits = |s: &str, n: std::ops::RangeInclusive<usize>| {
        n.contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit())
    };
    let day: String = rest.chars().take_while(char::is_ascii_digit).collect();
    let after = rest[day.len()..].chars().next();
    digits(year, 4..=4)
        && digits(month, 1..=2)
        && digits(&day, 1..=2)
        && matches!(after, None | Some('T' | 't' | ' '))
}
