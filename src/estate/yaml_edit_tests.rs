use super::*;
use proptest::prelude::*;
use serde_json::json;

fn edited(text: &str, changes: &[Change]) -> String {
    match edit("m.yaml", text.as_bytes(), changes) {
        Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
        Err(e) => format!("refused: {e}"),
    }
}

#[test]
fn a_value_is_replaced_where_it_stands() {
    let text = "# Who.\nname:   Acme Corp   # since 1999\ntier: 'gold'\nregion: \"eu\" # x\nstate:\n    bucket: b # y\n\n# The end.\n";
    let changes = [
        Change::set("name", "Acme: Corp"),
        Change::set("tier", "it's"),
        Change::set("region", "a\"b"),
        Change::set("state.bucket", "c"),
        Change::set("roles.production", "arn:aws:iam::1:role/x"),
        Change::set("wave", 2),
        Change::set("contact", "yes"),
    ];
    insta::assert_snapshot!(edited(text, &changes), @r#"
    # Who.
    name:   "Acme: Corp"   # since 1999
    tier: 'it''s'
    region: "a\"b" # x
    state:
        bucket: c # y
    roles:
        production: arn:aws:iam::1:role/x
    wave: 2
    contact: "yes"

    # The end.
    "#);
}

#[test]
fn every_form_of_a_value_is_replaced_or_refused() {
    let x = [Change::set("a", "x y")];
    for (before, after) in [
        ("", "a: x y\n"),
        ("# only this", "# only this\na: x y\n"),
        ("a:", "a: x y"),
        ("a: # why\nb: 1\n", "a: x y # why\nb: 1\n"),
        ("a: ~ # t\n", "a: x y # t\n"),
        ("a: one\n  two # c\nb: 1\n", "a: x y # c\nb: 1\n"),
        (
            "a: | # c\n  one\n\n  two\n\n# d\nb: 1\n",
            "a: x y # c\n\n# d\nb: 1\n",
        ),
        ("a: >-\n  one\n", "a: x y\n"),
        ("\"a\" : 'one' # c\n", "\"a\" : 'x y' # c\n"),
        ("{a: 1, b: 2}\n", "{a: x y, b: 2}\n"),
        ("{b: 2, }\n", "{b: 2, a: x y, }\n"),
        ("{}\n", "{a: x y}\n"),
        ("b: 1", "b: 1\na: x y\n"),
        ("b: 1\r\n", "b: 1\r\na: x y\r\n"),
        ("---\nb: 1\n...\n", "---\nb: 1\na: x y\n...\n"),
        ("\u{feff}b: ü\n", "\u{feff}b: ü\na: x y\n"),
        (
            "b:\n- 1\n-\n# c\nc: {d: [1, 2]} # e\n",
            "b:\n- 1\n-\n# c\nc: {d: [1, 2]} # e\na: x y\n",
        ),
    ] {
        assert_eq!(edited(before, &x), after, "{before:?}");
    }
    for refused in [
        "a: [1]\n",
        "a:\n  b: 1\n",
        "[1]\n",
        "text\n",
        "a: &x 1\nb: *x\n",
    ] {
        assert!(edited(refused, &x).starts_with("refused"), "{refused:?}");
    }
}

#[test]
fn maps_come_and_go_with_their_keys() {
    let set = [Change::set("s.a.b", true)];
    for (before, after) in [
        ("s:\nt: 1\n", "s:\n  a:\n    b: true\nt: 1\n"),
        ("s: null # c\n", "s: # c\n  a:\n    b: true\n"),
        ("s: {}\n", "s: {a: {b: true}}\n"),
        ("s: {x: 1}\n", "s: {x: 1, a: {b: true}}\n"),
        ("{s: }\n", "{s: {a: {b: true}} }\n"),
    ] {
        assert_eq!(edited(before, &set), after, "{before:?}");
    }
    let gone = [Change::remove("s.a")];
    for (before, after) in [
        ("# 1\ns:\n  a: 1 # 2\n# 3\nt: 1\n", "# 1\n# 3\nt: 1\n"),
        ("s:\n  a: |\n    x\n  b: 1\n", "s:\n  b: 1\n"),
        ("s: {a: 1, b: 2}\n", "s: {b: 2}\n"),
        ("s: {b: 2, a: 1}\n", "s: {b: 2}\n"),
        ("s: {a: 1}\nt: 1\n", "t: 1\n"),
        ("{s: {a: 1}, t: 1}\n", "{t: 1}\n"),
        ("s:\n  a: 1\n", ""),
        ("t: 1\n", "t: 1\n"),
    ] {
        assert_eq!(edited(before, &gone), after, "{before:?}");
    }
    assert!(edited("s: 1\n", &set).starts_with("refused"));
}

#[test]
fn t8_no_text_becomes_something_else() {
    for text in [
        "",
        " ",
        "yes",
        "No",
        "on",
        "null",
        "~",
        "1",
        "-1",
        "0755",
        "1_000",
        "1e3",
        ".5",
        "12:30:45",
        "2026-11-21",
        "a: b",
        "a #b",
        "#a",
        "- a",
        "-",
        "?",
        "a:",
        ":",
        "*a",
        "&a",
        "!a",
        "%a",
        "@a",
        "`a",
        "'a",
        "\"a\"",
        "a\\b",
        "{a",
        "[a",
        "a, b",
        "}",
        "|",
        ">",
        "<<",
        "=",
        "---",
        "...",
        "a\nb",
        "a\tb",
        "trailing ",
        "ü",
        "日本",
        "a'b",
    ] {
        for before in [
            "",
            "k: x # c\n",
            "k: 'x'\n",
            "k: \"x\"\n",
            "{k: x}\n",
            "{j: 1}\n",
        ] {
            let after = edited(before, &[Change::set("k", text)]);
            let value =
                read("m", after.as_bytes(), Reading::Strict).map(|n| n.to_json()["k"].clone());
            assert_eq!(value, Ok(json!(text)), "{before:?} {after:?}");
        }
    }
    // What no file may hold cannot be written either.
    assert!(edited("", &[Change::set("k", "a\u{202e}b")]).starts_with("refused"));
}

/// Lines of a file, each with comments of its own, and the keys in it.
fn file() -> impl Strategy<Value = String> {
    let value = prop_oneof![
        Just("plain words".to_owned()),
        Just("12".to_owned()),
        Just("\"quoted # no comment\"".to_owned()),
        Just("'it''s'".to_owned()),
        Just("~".to_owned()),
        Just(String::new()),
        Just("[1, {x: 2}, 'a b']".to_owned()),
        Just("{p: 1, q: \"z, }\"}".to_owned()),
        Just("|\n    literal # no comment\n\n    more".to_owned()),
        Just(">-\n    folded\n    more".to_owned()),
        Just("\n    - a\n    - b: 1\n      c: 2".to_owned()),
        Just("\n    in: 1\n    # inside\n    out: 'x'".to_owned()),
        Just("first\n    second".to_owned()),
    ];
    let entry = (value, any::<bool>(), any::<bool>(), any::<bool>());
    proptest::collection::vec(entry, 0..7).prop_map(|entries| {
        let mut out = String::from("# top\n\n");
        for (i, (value, above, behind, blank)) in entries.into_iter().enumerate() {
            if above {
                let _ = writeln!(out, "# above {i}");
            }
            let space = if value.starts_with('\n') || value.is_empty() {
                ""
            } else {
                " "
            };
            let many = value.contains('\n');
            let _ = write!(out, "key{i}:{space}{value}");
            out.push_str(&if behind && !many {
                format!("  # behind {i}\n")
            } else {
                "\n".to_owned()
            });
            if blank {
                out.push('\n');
            }
        }
        out.push_str("# end\n");
        out
    })
}

fn change() -> impl Strategy<Value = Change> {
    let value = prop_oneof![
        "[ -~ü日]{0,12}".prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        any::<u32>().prop_map(Value::from),
    ];
    let keys = prop_oneof![
        "key[0-8]",
        "key[0-8]\\.(in|out|p|new)",
        "(new|on|a)",
        "m\\.n\\.o"
    ];
    (keys, proptest::option::weighted(0.7, value)).prop_map(|(keys, value)| Change {
        keys: keys.split('.').map(str::to_owned).collect(),
        value,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]
    #[test]
    fn an_edit_does_what_was_meant_and_nothing_else(
        text in file(),
        changes in proptest::collection::vec(change(), 1..4),
    ) {
        let Ok(before) = read("m", text.as_bytes(), Reading::Strict) else {
            return Err(TestCaseError::fail(format!("the generator: {text}")));
        };
        let Ok(after) = edit("m", text.as_bytes(), &changes) else {
            // Refusing is right only where something stands in the way.
            let json = before.to_json();
            let in_the_way = changes.iter().any(|c| (1..=c.keys.len()).any(|n| {
                let at = c.keys[..n].iter().try_fold(&json, |v, k| v.get(k));
                at.is_some_and(|v| if n == c.keys.len() { v.is_object() || v.is_array() } else { !v.is_object() })
                    || changes.iter().any(|o| *o != *c && (o.keys.starts_with(&c.keys) || c.keys.starts_with(&o.keys)))
            }));
            prop_assert!(in_the_way, "refused: {changes:?}\n{text}");
            return Ok(());
        };
        let after = String::from_utf8_lossy(&after).into_owned();
        // The value is what was meant.
        let mut meant = before.to_json();
        for change in &changes {
            let keys: Vec<&str> = change.keys.iter().map(String::as_str).collect();
            let here = keys.iter().try_fold(&meant, |v, k| v.get(k)).is_some();
            match &change.value {
                Some(value) => set_in(&mut meant, &keys, value.clone()),
                None if here => remove_in(&mut meant, &keys),
                None => {}
            }
        }
        let node = read("m", after.as_bytes(), Reading::Strict);
        prop_assert!(node.is_ok_and(|n| same(&n.to_json(), &meant)), "{after}");
        // Comments survive, but for those behind or inside of what was removed or replaced.
        let touched = |comment: &str| changes.iter().any(|c| {
            comment.strip_prefix("# behind ").is_some_and(|i| c.value.is_none() && c.keys[0] == format!("key{i}"))
                || comment == "# inside" && c.value.is_none()
        });
        for line in text.lines() {
            let Some(at) = line.find("# ").filter(|_| !line.contains("no comment")) else { continue };
            let comment = &line[at..];
            prop_assert!(touched(comment) || after.contains(comment), "{comment} is lost\n{text}\n{after}");
        }
        // Once more changes nothing, unless one change undoes another.
        let alone = changes.len() == 1;
        if alone {
            let again = edit("m", after.as_bytes(), &changes);
            prop_assert_eq!(again.map(|b| String::from_utf8_lossy(&b).into_owned()), Ok(after));
        }
    }
    #[test]
    fn t20_no_file_breaks_the_editor(text in "[ -~\n\t\u{fc}]{0,60}", key in "[a-z: ]{0,3}") {
        let change = Change { keys: vec![key], value: Some(json!("x")) };
        let _ = edit("m", text.as_bytes(), &[change]);
    }
}
