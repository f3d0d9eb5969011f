use super::*;

fn ok(text: &str) -> serde_json::Value {
    match read("v.yml", text.as_bytes(), Reading::Strict) {
        Ok(node) => node.to_json(),
        Err(e) => panic!("{e}"),
    }
}
fn bad(text: &str) -> String {
    match read("v.yml", text.as_bytes(), Reading::Strict) {
        Ok(node) => panic!("accepted as {}", node.to_json()),
        Err(e) => e.to_string(),
    }
}

#[test]
fn reads_the_core_schema() {
    assert_eq!(
        ok("a: 1\nb: [x, 2.50, true, null]\nc:\n  d: 'no'\n  e: -7\nf: |\n  text\n"),
        serde_json::json!({"a": 1, "b": ["x", 2.5, true, null], "c": {"d": "no", "e": -7}, "f": "text\n"})
    );
    assert_eq!(ok(""), serde_json::Value::Null);
    assert_eq!(ok("\u{feff}a: 1"), serde_json::json!({"a": 1}));
    assert_eq!(
        ok("a: &x [1]\nb: *x\n"),
        serde_json::json!({"a": [1], "b": [1]})
    );
    assert_eq!(
        ok("v: 1.2.3\nip: 10.0.0.0/16\nid: 3ab\nkey: a:b"),
        serde_json::json!({"v": "1.2.3", "ip": "10.0.0.0/16", "id": "3ab", "key": "a:b"})
    );
    assert_eq!(
        ok("big: 18446744073709551615"),
        serde_json::json!({"big": u64::MAX})
    );
}

#[test]
fn t8_what_two_readers_read_differently_is_refused() {
    for text in [
        "NO",
        "on",
        "Yes",
        "y",
        "0755",
        "0o17",
        "0x1F",
        "12:30:45",
        "1e3",
        "1_000",
        "2026-11-21",
        ".inf",
        "=",
        "2026-11-21T00:00:00Z",
    ] {
        let message = bad(&format!("a:\n  key: {text}\n"));
        assert!(message.starts_with("v.yml:2:8: "), "{text}: {message}");
        assert!(
            message.contains("yaml-ambiguous") && message.contains("write"),
            "{text}: {message}"
        );
    }
    assert!(bad("a: 123456789012345678901234567890").contains("more digits"));
    assert!(bad("a: 0.12345678901234567890123").contains("more digits"));
}

#[test]
fn t8_keys_tags_and_documents() {
    assert_eq!(
        bad("a: 1\nb: 2\na: 3\n"),
        "v.yml:3:1: the key `a` stands already in line 1; keep one of the two [yaml-duplicate-key]"
    );
    assert!(bad("<<: {a: 1}\n").contains("yaml-merge-key"));
    assert!(bad("1: a\n").contains("write `\"1\"` in quotes"));
    assert!(bad("on: push\n").contains("yaml-ambiguous"));
    assert!(bad("a: !!python/object:os.system x\n").contains("yaml-tag"));
    assert!(bad("a: !secret x\n").contains("yaml-tag"));
    assert!(bad("a: 1\n---\nb: 2\n").contains("yaml-documents"));
    assert!(bad("? [a]\n: b\n").contains("yaml-key"));
    assert!(bad("a:\n\tb: 1\n").contains("yaml-syntax"));
    assert!(bad("a: \"x\u{202e}y\"\n").contains("U+202E"));
    assert!(bad("a: [1\n").contains("yaml-syntax"));
}

#[test]
fn t20_bombs_end_early() {
    let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for i in 1..30 {
        let last = format!("*a{}, ", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{}]\n", last.trim_end_matches(", ")));
    }
    assert!(bad(&bomb).contains("yaml-too-large"));
    let deep = bad(&"[".repeat(100_000));
    assert!(
        deep.contains("yaml-too-deep") || deep.contains("yaml-syntax"),
        "{deep}"
    );
    assert!(bad(&"- ".repeat(500)).contains("yaml-too-deep"));
    assert!(bad(&"a".repeat(MAX_BYTES + 1)).contains("yaml-too-large"));
    assert!(bad(&"- 1\n".repeat(MAX_NODES + 1)).contains("yaml-too-large"));
    let not_utf8 = read("v.yml", b"a: \xff\n", Reading::Strict)
        .map(|_| ())
        .map_err(|e| e.to_string());
    assert!(not_utf8.is_err_and(|e| e.contains("v.yml:1: the file is not UTF-8")));
}
