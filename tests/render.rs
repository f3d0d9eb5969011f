//! `tenantry render`, and comments with hostile text in every place: what a reader sees is what
//! stands there, the dangerous part first, and never more comments than anybody can read.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that cannot start its own binary has failed"
)]

use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};
use tenantry::clock::Time;
use tenantry::engine::change::{Action, Attribute, Change, Changes};
use tenantry::engine::outcome::{After, Became, Fate, Outcome, StateLock, Touched};
use tenantry::engine::since::{Differs, Since, What};
use tenantry::estate::{Finding, Place};
use tenantry::report::view::{ApplyView, Overall, RequestView, SinceView, StackState, StackView};
use tenantry::report::{comment, plan};

fn render(args: &[&str], input: &[u8]) -> (i32, String, String) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_tenantry"))
        .arg("render")
        .args(args)
        .env_clear()
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_vec();
    // A program that has seen enough closes its input.
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let out = child.wait_with_output().unwrap();
    writer.join().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (
        out.status.code().unwrap(),
        text(out.stdout),
        text(out.stderr),
    )
}

fn bodies(dir: &Path) -> Vec<String> {
    (1..)
        .map_while(|i| std::fs::read_to_string(dir.join(format!("{i}.md"))).ok())
        .collect()
}

fn large(updates: usize) -> String {
    let mut list: Vec<Value> = (0..updates)
        .map(|i| json!({"address": format!("aws_x.y[{i}]"), "change": {"actions": ["update"], "before": {"v": 1, "note": "before"}, "after": {"v": 2, "note": "after"}}}))
        .collect();
    list.push(json!({"address": "aws_db.last", "change": {"actions": ["delete"], "before": {"name": "customers"}, "after": null}}));
    json!({"format_version": "1.2", "resource_changes": list}).to_string()
}

/// The first body, up to the first thing that is not the destroy.
#[test]
fn t17_one_destroy_behind_5000_updates_is_on_top() {
    let dir = tempfile::tempdir().unwrap();
    let (code, _, said) = render(
        &["-", "--out", dir.path().to_str().unwrap()],
        large(5_000).as_bytes(),
    );
    assert_eq!((code, said.contains("bodies")), (0, true), "{said}");
    let bodies = bodies(dir.path());
    let destroy = bodies[0].find("- destroy aws_db.last").unwrap();
    assert!(destroy < 200, "{destroy}");
    assert!(bodies[0].contains("1 to destroy, 5000 to change"));
    assert!(bodies.len() <= 10);
    for body in &bodies {
        assert!(body.len() <= 60_000 && body.encode_utf16().count() < 65_536);
        assert!(balanced(body), "{}", &body[..200]);
    }
    let all = bodies.join("\n");
    for i in 0..5_000 {
        assert!(all.contains(&format!("change aws_x.y[{i}]")), "{i}");
    }
}

#[test]
fn t17_what_is_cut_is_said_with_counts() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let (code, _, _) = render(
        &["-", "--out", out, "--max-bodies", "1"],
        large(5_000).as_bytes(),
    );
    assert_eq!(code, 0);
    let bodies = bodies(dir.path());
    assert_eq!(bodies.len(), 1);
    let listed = bodies[0].matches("! change aws_x.y[").count();
    let (_, note) = bodies[0].split_once("_Not shown here").unwrap();
    let missing = 5_000 - listed;
    let said = format!(
        "{},{:03} of 5,001 changes",
        missing / 1_000,
        missing % 1_000
    );
    assert!(note.contains(&said), "{said} in {note}");
    assert!(note.contains("run's summary"));
    assert!(bodies[0].contains("- destroy aws_db.last"));
}

/// Fences and folds that are opened are closed.
fn balanced(body: &str) -> bool {
    let fences = body.lines().filter(|l| l.starts_with("```")).count();
    fences % 2 == 0
        && body.matches("<details").count() == body.matches("</details>").count()
        && body.matches("<summary>").count() == body.matches("</summary>").count()
}

#[test]
fn a_small_plan_reads_like_this() {
    let plan = json!({"format_version": "1.2", "resource_changes": [
        {"address": "aws_db_instance.main", "change": {"actions": ["delete", "create"], "before": {"size": "small", "password": "hunter2"}, "after": {"size": "large", "password": "hunter3"}, "before_sensitive": {"password": true}, "after_sensitive": {"password": true}, "after_unknown": {"id": true}}},
        {"address": "aws_s3_bucket.logs", "change": {"actions": ["create"], "before": null, "after": {"bucket": "acme-logs"}, "after_sensitive": {}}},
        {"address": "aws_s3_bucket.same", "change": {"actions": ["no-op"], "before": {}, "after": {}}},
    ], "output_changes": {"url": {"actions": ["update"], "before": "https://a.example", "after": "https://b.example", "after_sensitive": false}}});
    let (code, body, _) = render(&["-"], plan.to_string().as_bytes());
    assert_eq!(code, 0);
    insta::assert_snapshot!(body, @r#"
    ### Plan: <code>1 to replace, 1 to create</code>

    **1 destroyed or replaced**

    ```diff
    - replace aws_db_instance.main
    +     id: (known after apply)
    !     password: (sensitive value) -> (sensitive value)
    !     size: "small" -> "large"
    ```

    ```diff
    + create aws_s3_bucket.logs
    +     bucket: "acme-logs"
    ```

    **Outputs**

    ```diff
    !     url: "https://a.example" -> "https://b.example"
    ```
    "#);
}

#[test]
fn json_has_all_bodies_and_standard_output_takes_one() {
    let (code, out, _) = render(&["-", "--format", "json"], large(3_000).as_bytes());
    let value: Value = serde_json::from_str(&out).unwrap();
    assert_eq!((code, &value["version"]), (0, &json!(1)));
    let count = value["bodies"].as_array().unwrap().len();
    assert!(count > 1);
    let (code, out, said) = render(&["-"], large(3_000).as_bytes());
    assert_eq!((code, out.as_str()), (2, ""));
    assert!(said.contains("--out DIR"), "{said}");
}

#[test]
fn bad_input_is_answered_with_one_message() {
    let cut = &large(10)[..500];
    for (input, words, wanted) in [
        (&b"hello"[..], "is not JSON (line 1, column 1)", 1),
        (b"", "was cut off", 1),
        (cut.as_bytes(), "was cut off", 1),
        (br#"{"format_version":"2.0"}"#, "format version `2.0`", 1),
        (br#"{"a":1}"#, "format version `none`", 1),
        (b"[1,2]", "not in the form", 1),
        (
            br#"{"format_version":"1.2","resource_changes":"SECRETtext"}"#,
            "not in the form",
            1,
        ),
        (b"PK\x03\x04abc", "terraform show -json", 1),
        (
            b"{\"format_version\":\"1.2\",\"resource_changes\":[{\"change\":{\"actions\":[\"create\"],\"after\":{\"a\":\"\xff\"}}}]}",
            "the plan",
            1,
        ),
    ] {
        let (code, out, said) = render(&["-"], input);
        assert_eq!((code, out.as_str()), (wanted, ""), "{said}");
        assert!(
            said.contains(words) && said.lines().count() == 1,
            "{words}: {said}"
        );
        assert!(!said.contains("SECRET"), "{said}");
    }
    let (code, _, said) = render(&["no-such-file.json"], b"");
    assert_eq!(code, 2);
    assert!(
        said.contains("`no-such-file.json` cannot be read"),
        "{said}"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("large.json");
    // 200 MB of holes.
    std::fs::File::create(&file)
        .unwrap()
        .set_len(200 << 20)
        .unwrap();
    for more in [&[][..], &["--text"]] {
        let (code, _, said) = render(&[&[file.to_str().unwrap()][..], more].concat(), b"");
        assert_eq!(code, 1);
        assert!(said.contains("larger than 128 MB"), "{said}");
    }
}

#[test]
fn t15_a_text_is_redacted_and_split() {
    let dir = tempfile::tempdir().unwrap();
    let mut text = "\u{1b}[31mError\u{1b}[0m: ghp_abcdefghijklmnopqrstuvwxyz0123456789\n  + password = \"hunter2-x\"\nDATABASE_URL=postgres://app:hunter2-y@db/x\n```\n</details><img src=x> @octocat\r\n".to_owned();
    for i in 0..9_000 {
        text.push_str(&format!("line {i} größer\n"));
    }
    let (code, _, said) = render(
        &["-", "--text", "--out", dir.path().to_str().unwrap()],
        text.as_bytes(),
    );
    assert_eq!(code, 0, "{said}");
    let bodies = bodies(dir.path());
    assert!(bodies.len() >= 3);
    let all = bodies.join("");
    assert!(!all.contains("ghp_") && !all.contains("hunter2") && !all.contains('\u{1b}'));
    assert!(
        all.contains("Error: (sensitive value)")
            && all.contains("postgres://app:(sensitive value)@db/x")
    );
    for i in 0..9_000 {
        assert!(all.contains(&format!("line {i} größer\n")), "{i}");
    }
    for body in &bodies {
        assert!(body.len() <= 60_000);
        assert_eq!(outside_code(body).0, "", "{}", &body[..200]);
    }
}

/// What a GFM parser sees outside of code, without our own words, and our own tags.
fn outside_code(body: &str) -> (String, Vec<String>) {
    let mut block = 0;
    let mut inline = false;
    let mut sub = false;
    let (mut out, mut tags) = (String::new(), Vec::new());
    for event in Parser::new_ext(body, Options::all()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block += 1,
            Event::End(TagEnd::CodeBlock) => block -= 1,
            Event::InlineHtml(t) if t.as_ref() == "<code>" => inline = true,
            Event::InlineHtml(t) if t.as_ref() == "</code>" => inline = false,
            Event::InlineHtml(t) if t.as_ref() == "<sub>" => sub = true,
            Event::InlineHtml(t) if t.as_ref() == "</sub>" => sub = false,
            Event::Text(_) if block > 0 || inline || sub => {}
            Event::Text(t) => out.push_str(&t),
            Event::Html(t) | Event::InlineHtml(t) => tags.push(t.to_string()),
            Event::Start(Tag::Link { .. } | Tag::Image { .. } | Tag::FootnoteDefinition(_)) => {
                out.push_str("<link>")
            }
            _ => {}
        }
    }
    (out, tags)
}

const HOSTILE: &[&str] = &[
    "```\n</details><img src=x>",
    "````````````",
    "~~~\n# big",
    "@octocat #1 GH-1 octo/repo#1",
    "</code></pre></summary><script>alert(1)</script>",
    "| a | b |\n| - | - |",
    "<!-- tenantry:acme:plan -->",
    "-->",
    "[x](http://evil) ![x](http://evil/y.png)",
    "[x]: http://evil",
    "\u{202e}evil\u{2066}",
    "\u{1b}[2J\u{9b}31m",
    "&lt;b&gt; &#64;octocat",
    "**bold** __x__ ~~y~~ :tada:",
    "\r\n::set-output name=a::b\r##[add-path]x",
    "http://evil.example www.evil.example a@evil.example",
    "a\n\n<details>\n\n# b",
    "$x$ $$y$$",
    "[^1]",
    "p\u{430}ypal\u{200b}",
];

fn hostile_apply(text: &str) -> ApplyView {
    let touched = vec![Touched {
        address: text.to_owned(),
        action: Action::Delete,
    }];
    let became = [Fate::Failed, Fate::Unclear, Fate::NotBegun, Fate::Done].map(|fate| Became {
        address: text.to_owned(),
        action: Action::Replace,
        fate,
        half: Some(Action::Delete),
    });
    ApplyView {
        outcome: Some(Outcome {
            changes: became.into(),
        }),
        after: Some(After {
            left: touched.clone(),
            drift: touched,
            lock: Some(StateLock {
                id: text.to_owned(),
                who: text.to_owned(),
                operation: text.to_owned(),
                since: Some(Time(1)),
            }),
            problem: None,
            at: Time(9_000),
        }),
        renewed: Some(text.to_owned()),
    }
}

fn hostile_view(text: &str) -> RequestView {
    let change = |action, address: &str| Change {
        address: address.to_owned(),
        action,
        attributes: vec![Attribute {
            path: text.to_owned(),
            before: Some(text.to_owned()),
            after: Some(text.to_owned()),
        }],
    };
    let finding = Finding::error(Place::at(text, 1, 2), "x", text);
    let stack = |state| StackView {
        stack: "acme/web/staging".parse().unwrap(),
        state,
        changes: Some(Changes {
            changes: vec![change(Action::Delete, text), change(Action::Create, text)],
            outputs_change: true,
            outputs: change(Action::Create, text).attributes,
        }),
        digest: Some(text.to_owned()),
        approved_by: Some(text.to_owned()),
        warnings: vec![finding.clone()],
        apply: Some(hostile_apply(text)),
        since: Some(SinceView {
            digest: text.to_owned(),
            approved_by: Some(text.to_owned()),
            since: Since {
                differs: [What::New, What::OtherAction, What::OtherValues, What::Gone]
                    .map(|what| Differs {
                        address: text.to_owned(),
                        what,
                        was: Some(Action::Update),
                        is: Some(Action::Delete),
                        attributes: change(Action::Create, text).attributes,
                    })
                    .into(),
                same: 2,
                hidden: 1,
            },
        }),
    };
    RequestView {
        version: 1,
        request: text.to_owned(),
        sha: text.to_owned(),
        pull_request: Some(1),
        plan_only: true,
        overall: Overall::Failure,
        headline: text.to_owned(),
        stacks: vec![
            stack(StackState::ApplyFailed {
                message: text.to_owned(),
            }),
            stack(StackState::Applied),
            StackView {
                apply: Some(ApplyView {
                    after: Some(After {
                        left: Vec::new(),
                        drift: Vec::new(),
                        lock: None,
                        problem: Some(text.to_owned()),
                        at: Time(9_000),
                    }),
                    ..hostile_apply(text)
                }),
                ..stack(StackState::Applied)
            },
        ],
        findings: vec![finding],
        run_url: Some(text.to_owned()),
    }
}

/// Every tag is one of ours, and what stands between them is code: nothing but letters and entities.
fn only_ours(tags: &[String]) -> bool {
    let ours = [
        "<!-- m -->",
        "<details open>",
        "<details>",
        "</details>",
        "<summary>",
        "</summary>",
        "<code>",
        "</code>",
        "<sub>",
        "</sub>",
    ];
    tags.iter().all(|tag| {
        let left = ours.iter().fold(tag.clone(), |t, o| t.replace(o, ""));
        let entities = left.split('&').skip(1).all(|e| {
            e.strip_prefix('#')
                .and_then(|e| e.split_once(';'))
                .is_some_and(|(n, _)| n.parse::<u32>().is_ok())
        });
        entities && !left.contains(['<', '>', '@', '`', '*', '[', ']', '|', '~'])
    })
}

#[test]
fn t16_nothing_hostile_takes_effect_in_a_comment_or_a_summary() {
    let own = |text: &str| hostile_free(text);
    for text in HOSTILE {
        let view = hostile_view(text);
        for body in [comment::body(&view, "<!-- m -->"), comment::summary(&view)] {
            let (seen, tags) = outside_code(&body);
            assert_eq!(own(&seen), harmless(), "{text:?}: {seen}\n{body}");
            assert!(only_ours(&tags), "{text:?}: {tags:?}");
            assert!(balanced_folds(&body), "{text:?}\n{body}");
            for hidden in [
                '\u{202e}', '\u{2066}', '\u{1b}', '\u{9b}', '\u{200b}', '\r', '\u{430}',
            ] {
                assert!(!body.contains(hidden), "{text:?}");
            }
        }
    }
}

/// What a reader sees of our own sentences: the same whatever the foreign text is.
fn harmless() -> String {
    let body = comment::body(&hostile_view("x"), "<!-- m -->");
    hostile_free(&outside_code(&body).0)
}

/// What is left of a text when our own words are taken out of it.
fn hostile_free(seen: &str) -> String {
    let ours = [
        "❌ Infrastructure: ",
        "Nothing was planned or applied. Please correct:",
        "stack",
        "state",
        "changes",
        "plan",
        "❌ apply failed",
        "✅ applied, approved by ",
        " · commit ",
    ];
    // What does not fit is said, in a sentence that is ours whatever the number.
    let (left_out, end) = ("Some details of ", "summary has them all.");
    let seen = match seen.split_once(left_out) {
        Some((before, rest)) => match rest.split_once(end) {
            Some((_, behind)) => format!("{before}{behind}"),
            None => seen.to_owned(),
        },
        None => seen.to_owned(),
    };
    ours.iter()
        .fold(seen, |text, word| text.replace(word, ""))
        .trim()
        .to_owned()
}

fn balanced_folds(body: &str) -> bool {
    let mut depth = 0;
    let mut code = false;
    let mut fence = String::new();
    for line in body.lines() {
        let ticks: String = line.chars().take_while(|c| *c == '`').collect();
        if !code && ticks.len() >= 3 {
            (code, fence) = (true, ticks);
        } else if code && line == fence {
            code = false;
        } else if !code {
            depth += line.matches("<details").count();
            depth -= line.matches("</details>").count();
        }
    }
    depth == 0 && !code
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn t16_nothing_random_takes_effect_in_any_body(text in "[ -~\n\r`<>&|@#\\[\\]()*_~!:$^\u{202e}\u{1b}é]{0,120}") {
        let view = hostile_view(&text);
        let body = comment::body(&view, "<!-- m -->");
        let (seen, tags) = outside_code(&body);
        prop_assert_eq!(hostile_free(&seen), harmless());
        prop_assert!(only_ours(&tags), "{:?}", tags);
        let changes = view.stacks[0].changes.clone().unwrap_or_default();
        for body in plan::bodies(&changes, None) {
            let (seen, tags) = outside_code(&body);
            let seen = seen.replace("Plan: ", "").replace("1 destroyed or replaced", "").replace("Outputs", "");
            prop_assert_eq!(seen.trim(), "");
            prop_assert!(only_ours(&tags), "{:?}", tags);
        }
        for body in plan::text_bodies(&text, None) {
            prop_assert_eq!(outside_code(&body).0, "");
        }
    }

    #[test]
    fn t16_random_text_stays_in_its_block(text in "[ -~\n\r`~<>]{0,200}") {
        for body in plan::text_bodies(&text, None) {
            prop_assert_eq!(outside_code(&body).0, "");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]

    #[test]
    fn every_body_is_within_the_budget(texts in proptest::collection::vec("[a-z`ä日😀\u{202e}&<]{0,2000}", 1..40), times in 1_usize..20) {
        let changes: Vec<Change> = texts.iter().cycle().take(texts.len() * times).map(|text| Change {
            address: text.clone(),
            action: Action::Update,
            attributes: vec![Attribute { path: "x".into(), before: Some(text.chars().take(300).collect()), after: None }],
        }).collect();
        let changes = Changes { changes, ..Changes::default() };
        for max in [Some(1), Some(3), None] {
            let bodies = plan::bodies(&changes, max);
            prop_assert!(max.is_none_or(|m| bodies.len() <= m));
            for body in &bodies {
                prop_assert!(body.len() <= 60_000, "{}", body.len());
                prop_assert!(balanced_folds(body), "{}", body);
            }
            let listed: usize = bodies.iter().map(|b| b.matches("! change ").count()).sum();
            let said = bodies.iter().any(|b| b.contains("_Not shown here"));
            prop_assert!(listed == changes.changes.len() || said);
        }
    }
}

fn many(count: usize, state: impl Fn(usize) -> StackState, destroys: bool) -> RequestView {
    let stacks = (0..count)
        .map(|i| StackView {
            stack: format!("acme/product-{i}/production").parse().unwrap(),
            state: state(i),
            changes: Some(Changes {
                changes: (0..50)
                    .map(|n| Change {
                        address: format!("aws_instance.node[{n}]"),
                        action: if destroys {
                            Action::Delete
                        } else {
                            Action::Update
                        },
                        attributes: vec![Attribute {
                            path: "size".into(),
                            before: Some("1".into()),
                            after: Some("2".into()),
                        }],
                    })
                    .collect(),
                ..Changes::default()
            }),
            digest: Some(format!("sha256:{i:064}")),
            approved_by: Some("olivia".into()),
            warnings: Vec::new(),
            apply: None,
            since: None,
        })
        .collect();
    RequestView {
        version: 1,
        request: "acme/push-x".into(),
        sha: "0123456789abcdef".into(),
        pull_request: None,
        plan_only: false,
        overall: Overall::Failure,
        headline: "failed".into(),
        stacks,
        findings: Vec::new(),
        run_url: Some("https://github.example/acme/manager/actions/runs/1".into()),
    }
}

/// A request is told when it is opened, planned and ended: a comment and a status each, and what
/// continues the comment at the end.
fn calls(view: &RequestView) -> usize {
    let told = |overall| {
        let view = RequestView {
            overall,
            ..view.clone()
        };
        comment::bodies(&view, |part| format!("<!-- m{part} -->")).len() + 1
    };
    told(Overall::Pending) + told(Overall::Pending) + told(view.overall)
}

#[test]
fn a_request_with_412_stacks_makes_at_most_ten_calls() {
    let failed = |_| StackState::ApplyFailed {
        message: "Error: no\n".repeat(2_000),
    };
    let some = |i| match i % 40 {
        39 => StackState::ApplyFailed {
            message: "Error: quota exceeded".into(),
        },
        _ => StackState::Applied,
    };
    for (view, most) in [
        (many(412, failed, true), 10),
        (many(412, failed, false), 10),
        (many(412, some, false), 7),
        (many(412, |_| StackState::Applied, false), 6),
        (many(2, |_| StackState::Applied, false), 6),
    ] {
        assert!(calls(&view) <= most, "{} calls", calls(&view));
        let bodies = comment::bodies(&view, |part| format!("<!-- m{part} -->"));
        for body in &bodies {
            assert!(body.len() <= comment::BUDGET, "{}", body.len());
            assert!(balanced_folds(body));
            for row in body.lines().filter(|l| l.starts_with('|')) {
                assert!(row.ends_with('|') && row.matches('|').count() == 5, "{row}");
            }
        }
        let rows = bodies[0]
            .lines()
            .filter(|l| l.starts_with("| <code>"))
            .count();
        let total = view.stacks.len();
        if rows < total {
            assert!(
                bodies[0].contains(&format!("and {} more of {total} stacks", total - rows)),
                "{rows}"
            );
        }
        let summary = comment::summary(&view);
        assert!(summary.len() < 1 << 20 && balanced_folds(&summary));
        assert_eq!(
            summary
                .lines()
                .filter(|l| l.starts_with("| <code>"))
                .count(),
            total
        );
    }
}

#[test]
fn t17_what_failed_of_412_stacks_is_read_first() {
    let one = |i| match i {
        400 => StackState::ApplyFailed {
            message: "Error: quota exceeded".into(),
        },
        _ => StackState::Applied,
    };
    let body = comment::body(&many(412, one, false), "<!-- m -->");
    let first = body.lines().find(|l| l.starts_with("| <code>")).unwrap();
    assert!(first.contains("product-400"), "{first}");
    let fold = body.find("<details").unwrap();
    assert!(body[fold..].starts_with("<details open>\n<summary><code>acme/product-400/"));
    assert!(body.contains("Error: quota exceeded"));
}
