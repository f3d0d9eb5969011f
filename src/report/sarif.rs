//! Findings as SARIF 2.1.0, for code scanning.
//!
//! Field names and what GitHub reads of them: OASIS SARIF 2.1.0 and docs.github.com, "SARIF
//! support for code scanning".

use crate::digest::Digest;
use crate::estate::rules::{self, Rule};
use crate::estate::{Finding, Level};
use serde_json::{Value, json};
use std::collections::HashMap;

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";
/// GitHub refuses a file with more results in one run.
const MOST: usize = 25_000;
const REPOSITORY: &str = env!("CARGO_PKG_REPOSITORY");

/// One log of one run. Errors come first where there are too many.
pub fn log(findings: &[Finding]) -> Value {
    let rules: Vec<&Rule> = rules::all().collect();
    let index: HashMap<&str, usize> = rules.iter().enumerate().map(|(i, r)| (r.id, i)).collect();
    let mut kept: Vec<&Finding> = findings.iter().collect();
    if kept.len() > MOST {
        kept.sort_by_key(|f| f.level);
        kept.truncate(MOST);
    }
    let left_out = findings.len() - kept.len();
    let mut again: HashMap<String, usize> = HashMap::new();
    let results: Vec<Value> = kept
        .iter()
        .map(|f| result(f, index.get(f.rule.as_ref()).copied(), &mut again))
        .collect();
    let mut run = json!({
        "tool": {"driver": {
            "name": "tenantry",
            "version": env!("CARGO_PKG_VERSION"),
            "semanticVersion": env!("CARGO_PKG_VERSION"),
            "informationUri": REPOSITORY,
            "rules": rules.iter().map(|r| descriptor(r)).collect::<Vec<_>>(),
        }},
        "columnKind": "unicodeCodePoints",
        "results": results,
    });
    if left_out > 0 {
        run["invocations"] = json!([{
            "executionSuccessful": true,
            "toolExecutionNotifications": [{
                "level": "warning",
                "message": {"text": format!("{left_out} findings more were left out; a run may have {MOST}")},
            }],
        }]);
    }
    json!({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]})
}

fn level(level: Level) -> &'static str {
    match level {
        Level::Error => "error",
        Level::Warning => "warning",
    }
}

/// The page of a rule.
fn help_uri(id: &str) -> String {
    format!("{REPOSITORY}/blob/main/docs/rules/{id}.md")
}

fn descriptor(rule: &Rule) -> Value {
    let Rule {
        id,
        level: default,
        lint,
        title,
        why,
        instead,
        bad,
        good,
    } = rule;
    let mut tags = vec![if *lint { "lint" } else { "check" }];
    let mut properties = json!({"precision": "high"});
    if rules::is_security(id) {
        tags.push("security");
        // `high` to GitHub, and `medium` for what is only a warning.
        let severity = match default {
            Level::Error => "8.0",
            Level::Warning => "5.0",
        };
        properties["security-severity"] = severity.into();
    }
    properties["tags"] = json!(tags);
    json!({
        "id": id,
        "name": id,
        "shortDescription": {"text": title},
        "fullDescription": {"text": why},
        "help": {
            "text": format!("{why}\n\n{instead}"),
            "markdown": format!(
                "{why}\n\n{instead}\n\n```{}\n{}\n```\n\nInstead:\n\n```{}\n{}\n```\n",
                bad.language, bad.text, good.language, good.text
            ),
        },
        "helpUri": help_uri(id),
        "defaultConfiguration": {"level": level(*default)},
        "properties": properties,
    })
}

fn result(finding: &Finding, index: Option<usize>, again: &mut HashMap<String, usize>) -> Value {
    let place = &finding.place;
    let mut location = json!({"artifactLocation": {"uri": uri(&place.path)}});
    if place.line > 0 {
        location["region"] = json!({"startLine": place.line});
        if place.column > 0 {
            location["region"]["startColumn"] = place.column.into();
        }
    }
    let mut result = json!({
        "ruleId": finding.rule,
        "level": level(finding.level),
        "message": {"text": finding.message},
        "locations": [{"physicalLocation": location}],
        // Code scanning looks at this key only.
        "partialFingerprints": {"primaryLocationLineHash": fingerprint(finding, again)},
    });
    if let Some(index) = index {
        result["ruleIndex"] = index.into();
    }
    result
}

/// Rule, file and words of a finding, and which of several alike it is: the same wherever in the
/// file its line moves to.
fn fingerprint(finding: &Finding, again: &mut HashMap<String, usize>) -> String {
    // Some messages name another line.
    let mut words = String::new();
    let mut rest = finding.message.as_str();
    while let Some((before, after)) = rest.split_once("line ") {
        words.push_str(before);
        rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
    }
    words.push_str(rest);
    let parts = [
        ("rule", finding.rule.as_bytes()),
        ("path", finding.place.path.as_bytes()),
        ("words", words.as_bytes()),
    ];
    let digest = Digest::of_parts(parts);
    let hash = digest.hex().get(..16).unwrap_or_default().to_owned();
    let count = again.entry(hash.clone()).or_insert(0);
    *count += 1;
    format!("{hash}:{count}")
}

/// A path as a URI reference: relative to the repository, or a file of this machine.
fn uri(path: &str) -> String {
    let mut out = String::new();
    if path.starts_with('/') {
        out.push_str("file://");
    }
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            b if b.is_ascii_alphanumeric() => out.push(char::from(b)),
            b => out.push_str(&format!("%{b:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::estate::Place;

    fn prints(findings: &[Finding]) -> Vec<String> {
        log(findings)["runs"][0]["results"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|r| r["partialFingerprints"]["primaryLocationLineHash"].to_string())
            .collect()
    }

    fn found(line: usize, message: &str) -> Finding {
        Finding::error(
            Place::at("a/b.yaml", line, 2),
            "yaml-duplicate-key",
            message,
        )
    }

    #[test]
    fn a_fingerprint_stays_when_lines_move_and_tells_findings_apart() {
        let before = prints(&[
            found(3, "the key `a` stands already in line 1; keep one"),
            found(9, "the key `b` stands already in line 2; keep one"),
            found(12, "the key `b` stands already in line 2; keep one"),
        ]);
        let after = prints(&[
            found(13, "the key `a` stands already in line 11; keep one"),
            found(19, "the key `b` stands already in line 12; keep one"),
            found(22, "the key `b` stands already in line 12; keep one"),
        ]);
        assert_eq!(before, after);
        let mut distinct = before.clone();
        distinct.dedup();
        assert_eq!(distinct.len(), 3, "{before:?}");
    }

    #[test]
    fn places_become_regions_and_relative_uris() {
        let log = log(&[
            Finding::warning(Place::file("a b/ü%.yaml"), "unread-file", "x"),
            Finding::error(Place::at("./v.yml", 4, 0), "yaml-encoding", "y"),
            Finding::error(Place::at("/tmp/v.yml", 4, 7), "policy", "z"),
        ]);
        let results = &log["runs"][0]["results"];
        let place = |i: usize| results[i]["locations"][0]["physicalLocation"].clone();
        assert_eq!(
            place(0),
            json!({"artifactLocation": {"uri": "a%20b/%C3%BC%25.yaml"}})
        );
        assert_eq!(
            place(1),
            json!({"artifactLocation": {"uri": "v.yml"}, "region": {"startLine": 4}})
        );
        assert_eq!(place(2)["artifactLocation"]["uri"], "file:///tmp/v.yml");
        assert_eq!(place(2)["region"]["startColumn"], 7);
        assert_eq!(results[0]["level"], "warning");
        let at = results[0]["ruleIndex"]
            .as_u64()
            .and_then(|i| usize::try_from(i).ok());
        let rule = &log["runs"][0]["tool"]["driver"]["rules"][at.unwrap_or_default()];
        assert_eq!(rule["id"], "unread-file");
        assert!(
            rule["helpUri"]
                .to_string()
                .ends_with("/blob/main/docs/rules/unread-file.md\"")
        );
    }

    #[test]
    fn more_than_github_takes_is_cut_and_said() {
        let mut many = vec![Finding::warning(Place::file("a"), "unread-file", "x"); MOST];
        many.push(found(1, "kept"));
        let log = log(&many);
        let run = &log["runs"][0];
        assert_eq!(run["results"].as_array().map(Vec::len), Some(MOST));
        assert_eq!(run["results"][0]["message"]["text"], "kept");
        assert!(run["invocations"].to_string().contains("1 findings more"));
    }
}
