//! Whether a file of code owners names somebody for a path.
//!
//! The patterns are those of `.gitignore` without `!` and `[ ]`; the last one that matches counts,
//! and one without owners takes them away again (docs.github.com, "About code owners").

/// GitHub reads no larger file.
const MOST: usize = 3 << 20;

/// The owners of `path`, as they are written; none where nobody is named.
pub fn owners<'a>(file: &'a str, path: &str) -> Vec<&'a str> {
    if file.len() > MOST {
        return Vec::new();
    }
    let mut out = Vec::new();
    for line in file.lines() {
        let line = line.split(" #").next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let Some(pattern) = words.next().filter(|p| !p.starts_with('#')) else {
            continue;
        };
        if matches(pattern, path) {
            out = words
                .filter(|w| w.starts_with('@') || w.contains('@'))
                .collect();
        }
    }
    out
}

fn matches(pattern: &str, path: &str) -> bool {
    let folder = pattern.ends_with('/');
    let bare = pattern.trim_start_matches('/').trim_end_matches('/');
    if bare.is_empty() || pattern.starts_with('!') {
        return false;
    }
    let anchored = pattern.starts_with('/') || bare.contains('/');
    let mut parts: Vec<&str> = bare.split('/').collect();
    if !anchored {
        parts.insert(0, "**");
    }
    // What names a folder covers everything below; `docs/*` is about files directly in it.
    let deep = parts.last() != Some(&"*") || parts.len() == 2 && parts[0] == "**";
    let path: Vec<&str> = path.split('/').collect();
    let below = (1..path.len()).any(|n| segments(&parts, &path[..n]));
    (!folder && segments(&parts, &path)) || (deep && below)
}

/// `**` stands for any number of parts. A row for each part of the pattern, so that it is linear
/// in both.
fn segments(pattern: &[&str], path: &[&str]) -> bool {
    let mut row = vec![false; path.len() + 1];
    row[0] = true;
    for part in pattern {
        let mut next = vec![false; path.len() + 1];
        for at in 0..=path.len() {
            next[at] = match *part {
                "**" => row[at] || (at > 0 && next[at - 1]),
                part => at > 0 && row[at - 1] && word(part.as_bytes(), path[at - 1].as_bytes()),
            };
        }
        row = next;
    }
    row[path.len()]
}

/// `*` and `?` inside of one part, without going back further than to the last `*`.
fn word(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == b'?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    p = at + 1;
                    t = from + 1;
                    star = Some((at, from + 1));
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_what_github_says_it_covers() {
        let path = "infra/variables.yml";
        for (pattern, covered) in [
            ("*", true),
            ("/infra/", true),
            ("infra/", true),
            ("/infra", true),
            ("infra/*", true),
            ("/infra/**", true),
            ("*.yml", true),
            ("/*.yml", false),
            ("**/variables.yml", true),
            ("infra/variables.yml", true),
            ("/docs/", false),
            ("docs", false),
            ("infra/other.yml", false),
            ("/infra/variables.yml/", false),
            ("in?ra/", true),
            ("!infra/", false),
            ("/", false),
            ("/*", false),
        ] {
            assert_eq!(matches(pattern, path), covered, "{pattern}");
        }
        assert!(!matches("infra/*", "infra/modules/a.tf"));
        assert!(matches("infra/", "infra/modules/a.tf"));
    }

    #[test]
    fn the_last_line_that_matches_counts() {
        let file = "# all\n*  @acme/all\n/infra/ @acme/platform ops@acme.example # who else\n";
        let path = "infra/variables.yml";
        assert_eq!(owners(file, path), ["@acme/platform", "ops@acme.example"]);
        assert_eq!(
            owners(&format!("{file}/infra/variables.yml\n"), path).len(),
            0
        );
        assert_eq!(owners("", path).len(), 0);
        assert_eq!(owners("/infra/ nobody\n", path).len(), 0);
    }

    #[test]
    fn t20_a_pattern_takes_no_longer_than_its_length() {
        let pattern = format!("/{}b", "*a".repeat(2_000));
        assert!(!matches(&pattern, &"a".repeat(4_000)));
        let deep = "**/".repeat(1_000);
        assert!(!matches(&format!("{deep}x"), &"y/".repeat(1_000)));
    }
}
