//! What looks like a secret wherever it stands: tokens with a known beginning, private keys,
//! passwords in URLs, `name = value` where the name says so, and long random texts.

use super::names::Names;
use regex::Regex;
use std::collections::HashMap;
use std::ops::Range;
use std::sync::LazyLock;

/// Tokens that can be told by their shape, with hardly a false alarm. Sources: the vendors'
/// pages on secret scanning, and GitHub's notice of 2026 on long `ghs_` tokens with dots.
const TOKENS: &[&str] = &[
    r"gh[pousr]_[A-Za-z0-9._-]{30,}",
    r"github_pat_[A-Za-z0-9_]{22,}",
    r"gl(?:pat|dt|rt|cbt|ptt|ft|soat|agent|oas|imt)-[A-Za-z0-9_.-]{20,}",
    r"(?-u:\b)(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?-u:\b)",
    r"xox[abdeoprs]-[A-Za-z0-9-]{10,}",
    r"xapp-[0-9]-[A-Za-z0-9-]{10,}",
    r"hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/_+-]{16,}",
    r"discord(?:app)?\.com/api/webhooks/[0-9]+/[A-Za-z0-9_-]{16,}",
    r"webhook\.office\.com/webhookb2/[A-Za-z0-9@/_-]{16,}",
    r"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?s:.*?)(?:-----END [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----|\z)",
    r"(?-u:\b)eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){2,4}",
    r"(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{16,}",
    r"whsec_[A-Za-z0-9+/=]{16,}",
    r"(?-u:\b)AIza[A-Za-z0-9_-]{35,}",
    r"GOCSPX-[A-Za-z0-9_-]{20,}",
    r"ya29\.[A-Za-z0-9_-]{20,}",
    r"(?-u:\b)sk-(?:ant-|proj-|svcacct-)?[A-Za-z0-9_-]{32,}",
    r"npm_[A-Za-z0-9]{36}",
    r"pypi-AgE[A-Za-z0-9_-]{50,}",
    r"do[opr]_v1_[a-f0-9]{64}",
    r"(?-u:\b)SG\.[A-Za-z0-9_-]{16,}\.[A-Za-z0-9_-]{16,}",
    r"(?-u:\b)hv[sbr]\.[A-Za-z0-9_-]{20,}",
    r"atlasv1\.[A-Za-z0-9_=-]{40,}",
    r"AGE-SECRET-KEY-1[0-9A-Z]{50,}",
    r"dapi[0-9a-f]{32}",
    r"shp(?:at|ca|pa|ss)_[a-fA-F0-9]{32}",
    r"(?:AccountKey|SharedAccessKey)=[A-Za-z0-9+/=]{16,}",
    r"[?&]sig=[A-Za-z0-9%+/=_-]{20,}",
    r"X-Amz-(?:Signature|Credential|Security-Token)=[A-Za-z0-9%+/=_.-]{8,}",
    r"(?i:(?-u:\b)(?:bearer|basic)\s+)[A-Za-z._~+/-]*[0-9][A-Za-z0-9._~+/=-]{7,}",
];

static TOKEN: LazyLock<Option<Regex>> = LazyLock::new(|| Regex::new(&TOKENS.join("|")).ok());

/// Tokens that can be told by their shape.
pub(super) fn tokens(text: &str, out: &mut Vec<Range<usize>>) {
    if text.len() < 12 {
        return;
    }
    if let Some(token) = TOKEN.as_ref() {
        out.extend(token.find_iter(text).map(|m| m.range()));
    }
}

/// How far the password of a URL may be from its scheme.
const URL: usize = 4 << 10;

/// The password of `scheme://user:password@host`.
pub(super) fn urls(text: &str, out: &mut Vec<Range<usize>>) {
    let mut from = 0;
    while let Some(at) = text[from..].find("://") {
        let start = from + at + 3;
        let mut window = text.len().min(start + URL);
        while !text.is_char_boundary(window) {
            window -= 1;
        }
        let rest = &text[start..window];
        // Up to the next URL first: a text of nothing but URLs is then looked at once.
        let run = &rest[..rest.find("://").unwrap_or(rest.len())];
        let run = run
            .split(|c: char| c.is_whitespace() || matches!(c, '"' | '<' | '>' | '`' | '|'))
            .next()
            .unwrap_or_default();
        from = start + run.len();
        let Some(colon) = run.find([':', '@', '/', '?']) else {
            continue;
        };
        if run.as_bytes()[colon] != b':' {
            continue;
        }
        let after = &run[colon + 1..];
        let Some(end) = after.rfind('@') else {
            continue;
        };
        // `host:8080/path@x` has a port, not a password.
        let port = after.bytes().take_while(u8::is_ascii_digit).count();
        if port > 0 && after[port..].starts_with('/') {
            continue;
        }
        if end > 0 {
            out.push(start + colon + 1..start + colon + 1 + end);
        }
    }
}

/// How far a name may reach back from its `=`.
const NAME: usize = 128;
/// How far a list or map of values is followed.
const GROUP: usize = 64 << 10;

/// Values that stand behind a secret name: `password = "x"`, `"token": "x"`, `PGPASSWORD=x`,
/// `api_key: x` at the start of a line, and Terraform's `secret = "a" -> "b"`.
pub(super) fn assignments(text: &str, names: &Names, out: &mut Vec<Range<usize>>) {
    let bytes = text.as_bytes();
    let mut known: HashMap<&str, bool> = HashMap::new();
    let mut i = 0;
    while i < bytes.len() {
        let here = bytes[i];
        if here != b'=' && here != b':' || bytes[i + 1..].starts_with(b"//") {
            i += 1;
            continue;
        }
        let sign = i;
        i += 1;
        if matches!(bytes.get(i), Some(b'=')) {
            continue;
        }
        let Some((name, quoted)) = name_before(text, sign) else {
            continue;
        };
        let secret = match known.get(name) {
            Some(secret) => *secret,
            None => {
                let secret = names.is_secret(name);
                known.insert(name, secret);
                secret
            }
        };
        if !secret {
            continue;
        }
        let mut at = skip_blank(bytes, i + usize::from(bytes.get(i) == Some(&b'>')));
        if here == b':' && !quoted && !starts_line(text, sign, name.len()) && !quote_at(bytes, at) {
            continue;
        }
        loop {
            let (hidden, end) = value_at(text, at);
            if let Some(hidden) = hidden {
                out.push(hidden);
            }
            i = end.max(i);
            // Terraform shows a change as `"old" -> "new"`.
            let arrow = skip_blank(bytes, i);
            if !bytes[arrow..].starts_with(b"->") {
                break;
            }
            at = skip_blank(bytes, arrow + 2);
            if at <= i {
                break;
            }
        }
    }
}

fn skip_blank(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t')) {
        at += 1;
    }
    at.min(bytes.len())
}

fn quote_at(bytes: &[u8], mut at: usize) -> bool {
    while bytes.get(at) == Some(&b'\\') {
        at += 1;
    }
    matches!(bytes.get(at), Some(b'"' | b'\''))
}

/// The name that ends before `sign`, and whether it stands in quotes.
fn name_before(text: &str, sign: usize) -> Option<(&str, bool)> {
    let bytes = text.as_bytes();
    let mut end = sign;
    if end > 0 && bytes[end - 1] == b':' {
        end -= 1;
    }
    let floor = end.saturating_sub(NAME);
    while end > floor && matches!(bytes[end - 1], b' ' | b'\t') {
        end -= 1;
    }
    let unquoted = end;
    while end > floor && matches!(bytes[end - 1], b'"' | b'\'' | b'\\' | b']') {
        end -= 1;
    }
    let mut start = end;
    while start > floor
        && (bytes[start - 1].is_ascii_alphanumeric()
            || matches!(bytes[start - 1], b'_' | b'-' | b'.'))
    {
        start -= 1;
    }
    (start < end).then(|| (&text[start..end], end != unquoted))
}

/// Whether nothing but marks of a list or a diff stands before the name.
fn starts_line(text: &str, sign: usize, name: usize) -> bool {
    let before = &text.as_bytes()[..sign];
    let from = sign.saturating_sub(NAME + name);
    before[from..]
        .iter()
        .rev()
        .skip_while(|b| matches!(b, b' ' | b'\t'))
        .skip(name)
        .take_while(|b| **b != b'\n')
        .all(|b| matches!(b, b' ' | b'\t' | b'-' | b'+' | b'~' | b'!' | b'#' | b'\r'))
}

/// What of the value at `at` is hidden, and where to go on.
fn value_at(text: &str, at: usize) -> (Option<Range<usize>>, usize) {
    let bytes = text.as_bytes();
    let slashes = bytes[at..].iter().take_while(|b| **b == b'\\').count();
    let open = at + slashes;
    let line = || text[at..].find('\n').map_or(text.len(), |n| at + n);
    match bytes.get(open) {
        Some(quote @ (b'"' | b'\'')) => {
            let inside = open + 1;
            let mut end = inside;
            while end < bytes.len() && bytes[end] != b'\n' {
                if bytes[end] == b'\\' && slashes == 0 {
                    end += 2;
                    continue;
                }
                // Counted at quotes only, or a long run of backslashes would be counted for each.
                let back = |end: usize| {
                    let before = bytes[inside..end].iter().rev();
                    before.take_while(|b| **b == b'\\').count()
                };
                if bytes[end] == *quote && back(end) == slashes {
                    break;
                }
                end += 1;
            }
            let mut end = end.min(bytes.len());
            while !text.is_char_boundary(end) {
                end += 1;
            }
            // The backslashes in front of the closing quote are no part of the value.
            let closed = bytes.get(end) == Some(quote);
            let before = if closed { slashes } else { 0 };
            let hidden = inside..(end - before.min(end - inside));
            (
                (!hidden.is_empty()).then_some(hidden),
                (end + 1).min(text.len()),
            )
        }
        Some(b'<') if bytes[at..].starts_with(b"<<") => {
            let first = line();
            let word = text[at..first].trim_start_matches(['<', '-', '~']).trim();
            let mut end = first;
            for each in text[first..].split_inclusive('\n').skip(1) {
                if each.trim() == word && !word.is_empty() {
                    break;
                }
                end += each.len();
            }
            let start = (first + 1).min(text.len());
            let end = (end + 1).min(text.len()).max(start);
            ((start < end).then_some(start..end), end)
        }
        Some(b'[' | b'{') => {
            let mut depth = 0_usize;
            let mut end = at;
            for byte in bytes[at..].iter().take(GROUP) {
                end += 1;
                match byte {
                    b'[' | b'{' => depth += 1,
                    b']' | b'}' => depth -= 1,
                    _ => {}
                }
                if depth == 0 {
                    break;
                }
            }
            while !text.is_char_boundary(end) {
                end += 1;
            }
            let hidden = at + 1..if depth == 0 { end - 1 } else { end };
            let blank = text[hidden.clone()].trim().is_empty();
            ((!blank).then_some(hidden), end)
        }
        Some(_) => {
            let length = text[at..]
                .find(|c: char| {
                    c.is_whitespace()
                        || matches!(
                            c,
                            '"' | '\'' | ',' | ';' | '&' | ')' | '}' | ']' | '<' | '>' | '|' | '`'
                        )
                })
                .unwrap_or(text.len() - at);
            let value = &text[at..at + length];
            let plain = value.is_empty()
                || matches!(
                    value,
                    "null" | "true" | "false" | "***" | "string" | "number" | "bool"
                )
                || value.starts_with(['(', '$'])
                || ["var.", "local.", "data.", "module.", "each.", "self."]
                    .iter()
                    .any(|p| value.starts_with(p));
            ((!plain).then(|| at..at + length), at + length)
        }
        None => (None, text.len()),
    }
}

#[cfg(test)]
mod tests {
    use super::super::random::random;
    use super::*;

    fn hidden(find: impl Fn(&str, &mut Vec<Range<usize>>), text: &str) -> String {
        let mut out = Vec::new();
        find(text, &mut out);
        let mut shown = text.to_owned();
        out.sort_by_key(|r| std::cmp::Reverse(r.start));
        for range in out {
            shown.replace_range(range, "#");
        }
        shown
    }

    #[test]
    fn t15_tokens_are_told_by_their_shape() {
        let long = format!("ghs_{}.{}", "aB3_".repeat(60), "x-9Z".repeat(70));
        for secret in [
            "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
            &long,
            "github_pat_11ABCDEFG0aaaaaaaaaaaa_bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "AKIAIOSFODNN7EXAMPLE",
            "xoxb-123456789012-abcdefABCDEF",
            "glpat-abcdefghij0123456789",
            "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9",
            "sk_live_abcdefghijklmnop",
            "AGE-SECRET-KEY-1QQPQYRQ2G8NEPQF9J3VEGX3Y7VLLLW4K5Z3Y5K6X0Q9Q0S7N7TPSQ2X3N6",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nabc\n-----END RSA PRIVATE KEY-----",
            "-----BEGIN OPENSSH PRIVATE KEY-----\\nabc\\n-----END OPENSSH PRIVATE KEY-----",
            "-----BEGIN PRIVATE KEY-----\ncut off",
        ] {
            assert_eq!(hidden(tokens, &format!("a {secret}")), "a #", "{secret}");
        }
        for plain in [
            "ghost_town",
            "AKIA is a prefix",
            "eyJ",
            "xoxo-love",
            "-----BEGIN PUBLIC KEY-----",
        ] {
            assert_eq!(hidden(tokens, plain), plain);
        }
    }

    #[test]
    fn t15_passwords_in_urls_are_hidden_and_ports_are_not() {
        for (text, shown) in [
            (
                "postgres://app:hunter2@db:5432/x",
                "postgres://app:#@db:5432/x",
            ),
            ("amqp://u:p@ss:w/rd@host", "amqp://u:#@host"),
            (
                "https://:pw@host and https://a:b@c",
                "https://:#@host and https://a:#@c",
            ),
            ("http://host:8080/a@b", "http://host:8080/a@b"),
            ("https://user@host/x:y", "https://user@host/x:y"),
            ("s3://bucket/key@1", "s3://bucket/key@1"),
        ] {
            assert_eq!(hidden(urls, text), shown);
        }
    }

    #[test]
    fn t15_values_behind_secret_names_are_hidden() {
        let names = Names::default();
        for (text, shown) in [
            ("password = \"a \\\" b\" x", "password = \"#\" x"),
            (
                "+ db_password = \"a\" -> \"b\"",
                "+ db_password = \"#\" -> \"#\"",
            ),
            ("{\"token\":\"x1\",\"n\":1}", "{\"token\":\"#\",\"n\":1}"),
            (
                "{\\\"token\\\":\\\"x1\\\",\\\"n\\\":1}",
                "{\\\"token\\\":\\\"#\\\",\\\"n\\\":1}",
            ),
            (
                "export PGPASSWORD=hunter2; psql",
                "export PGPASSWORD=#; psql",
            ),
            ("Server=a;Password=b;x=1", "Server=a;Password=#;x=1"),
            ("  api_key: abc\n", "  api_key: #\n"),
            ("- secret: 'abc'\n", "- secret: '#'\n"),
            ("secrets = [\n \"a\",\n]\nn = 1", "secrets = [#]\nn = 1"),
            (
                "token = <<-EOT\n  abc\n  EOT\nn = 1",
                "token = <<-EOT\n#  EOT\nn = 1",
            ),
            (
                "password = (sensitive value)",
                "password = (sensitive value)",
            ),
            (
                "password = (known after apply)",
                "password = (known after apply)",
            ),
            ("password = var.db_password", "password = var.db_password"),
            (
                "Error: invalid token: expired",
                "Error: invalid token: expired",
            ),
            ("password_length = 16", "password_length = 16"),
            ("name = \"x\"", "name = \"x\""),
        ] {
            assert_eq!(
                hidden(|t, o| assignments(t, &names, o), text),
                shown,
                "{text}"
            );
        }
    }

    #[test]
    fn t15_random_text_is_hidden() {
        for secret in [
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "Ab3-dEf6_Gh9iJkL2mN-oPq5RsT8uVw1XyZ4a_B7",
            "q8Zt3LmN0pRv7XyB2cDf5GhJ",
            "3ax6xnjp29jd6fds4gc373sgvjxteol0",
            "Zm9vYmFyYmF6cXV4MTIzNDU2Nzg5MGFiY2RlZg9Xk2==",
        ] {
            assert_eq!(hidden(random, secret), "#", "{secret}");
        }
    }

    #[test]
    fn t20_no_text_takes_long() {
        let names = Names::default();
        for piece in [
            "a://a:",
            "://",
            "token=\\\"\\",
            "\\",
            "token=[",
            "password:",
            "=",
            "token=\"",
            "secret = <<E\n",
            "eyJaaaaaaaaaa",
            "-----BEGIN PRIVATE KEY-----",
            "bearer ",
            "ghp_",
            "aB3",
            "a:b@",
            "] ",
            "\"'\\",
        ] {
            for start in ["", "token=\\\"", "https://"] {
                let text = format!("{start}{}", piece.repeat((1 << 20) / piece.len()));
                let begun = std::time::Instant::now();
                let mut out = Vec::new();
                tokens(&text, &mut out);
                urls(&text, &mut out);
                assignments(&text, &names, &mut out);
                random(&text, &mut out);
                assert!(
                    begun.elapsed().as_secs() < 20,
                    "{start}{piece}: {:?}",
                    begun.elapsed()
                );
            }
        }
    }

    #[test]
    fn t15_ids_and_digests_do_not_vanish() {
        for plain in [
            "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "d41d8cd98f00b204e9800998ecf8427e",
            "0e35f1c2a6b7e8d9c0b1a2f3e4d5c6b7a8f9e0d1",
            "550e8400-e29b-41d4-a716-446655440000",
            "arn:aws:iam::123456789012:role/service-role/MyLambdaExecutionRole-1A2B3C4D",
            "arn:aws:elasticloadbalancing:eu-west-1:123456789012:loadbalancer/app/my-load-balancer/50dc6c495c0c9188",
            "ami-0abcdef1234567890",
            "subnet-0bb1c79de3EXAMPLE",
            "10.0.0.0/16",
            "2001:db8:1234:5678::/64",
            "123456789012.dkr.ecr.eu-west-1.amazonaws.com/shop/web@sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "h1:8kZ0cXHTmXr2pKQqk0tKQ0X3jvN4s9Z5P2bT0uA1c3E=",
            "sha384-oqVuAfXRKap7fdgcCY5uykM6+R9GqQ8K/uxy9rx7HNQlGYl1kPzQho1wx4JwY8wC",
            "my-production-cluster.cluster-c9akciq32rgq.eu-west-1.rds.amazonaws.com",
            "MyProductionStack-WebServerLaunchTemplate-Version2",
            "AmazonEKSWorkerNodePolicyAndContainerRegistryReadOnly",
            "terraform-20241121140659000000000001",
            "projects/my-project-123456/locations/europe-west1/keyRings/main",
            "AROAEXAMPLEID1234567",
            "k8s-default-ingress-1a2b3c4d5e-1234567890",
            "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl ops",
        ] {
            assert_eq!(hidden(random, plain), plain, "{plain}");
            assert_eq!(hidden(tokens, plain), plain, "{plain}");
        }
    }
}
