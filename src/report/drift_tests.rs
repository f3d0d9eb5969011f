use super::*;
use crate::engine::change::{Action, Attribute};
use crate::engine::drift::Differing;
use crate::report::split::BUDGET;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

const DAY: u64 = 86_400;
const NOW: Time = Time(1_795_000_000);

fn stack() -> StackId {
    match "acme/web/production".parse() {
        Ok(stack) => stack,
        Err(e) => panic!("{e}"),
    }
}

fn changed(address: &str, path: &str, was: &str, is: &str) -> ResourceView {
    ResourceView {
        severity: Severity::Medium,
        first_seen: Time(NOW.0 - 3 * DAY),
        drifted: Drifted {
            address: address.into(),
            outside: Outside::Changed,
            matters: true,
            planned: Some(Action::Update),
            differs: vec![Differing {
                attribute: Attribute {
                    path: path.into(),
                    before: Some(was.into()),
                    after: Some(is.into()),
                },
                matters: true,
            }],
        },
    }
}

fn deleted(address: &str) -> ResourceView {
    ResourceView {
        severity: Severity::High,
        first_seen: Time(NOW.0 - 7_200),
        drifted: Drifted {
            address: address.into(),
            outside: Outside::Deleted,
            matters: true,
            planned: Some(Action::Create),
            differs: Vec::new(),
        },
    }
}

fn view(resources: Vec<ResourceView>) -> StackView {
    StackView {
        stack: stack(),
        checked: Some(Time(NOW.0 - 600)),
        in_time: true,
        error: None,
        failing_since: None,
        severity: resources.iter().map(|r| r.severity).max(),
        since: resources.iter().map(|r| r.first_seen).min(),
        resources,
        omitted: 0,
        ignored: Vec::new(),
        note: None,
        issue: None,
    }
}

#[test]
fn an_issue_reads_like_this() {
    let mut view = view(vec![
        deleted("aws_s3_bucket.logs"),
        changed("aws_s3_bucket.data", "tags.team", "\"web\"", "\"evil\""),
    ]);
    view.ignored = vec![IgnoredView {
        address: "aws_autoscaling_group.web".into(),
        owner: "platform".into(),
        reason: "scaled by its own policy".into(),
        until: "2027-01-31".into(),
    }];
    assert_eq!(
        title(&view),
        "Drift in acme/web/production: 1 deleted, 1 changed outside of tenantry (high)"
    );
    insta::assert_snapshot!(body(&view, NOW, "https://github.com/ops/infra/actions/runs/1"), @r##"
    What stands in <code>acme/web/production</code> is not what tenantry applied last: 1 deleted, 1 changed outside of tenantry.

    | | |
    | --- | --- |
    | severity | **high** |
    | first seen | 2026-11-15 11:06:40 UTC (3 days ago) |
    | last checked | 2026-11-18 10:56:40 UTC (less than an hour ago) |

    | severity | resource | attribute | was | is | first seen |
    | --- | --- | --- | --- | --- | --- |
    | high | <code>aws&#95;s3&#95;bucket.logs</code> | _the whole_ | there | **deleted** | 2 hours ago |
    | medium | <code>aws&#95;s3&#95;bucket.data</code> | <code>tags.team</code> | <code>&#34;web&#34;</code> | <code>&#34;evil&#34;</code> | 3 days ago |

    Ignored for a while:

    | resource | owner | until | reason |
    | --- | --- | --- | --- |
    | <code>aws&#95;autoscaling&#95;group.web</code> | <code>platform</code> | <code>2027-01-31</code> | <code>scaled by its own policy</code> |

    **What to do**

    - To undo it: the next plan of this stack shows it as a change, and applying that plan puts it back.
    - To keep it: change the product or the customer's values until a plan shows no change, and apply.
    - To ignore it for a while: add a rule to `drift.ignore` in `tenantry.yml`, with a reason, an owner and a last day.

    This issue follows the stack: tenantry closes it when the drift is gone.

    <sub>[run](https://github.com/ops/infra/actions/runs/1)</sub>
    "##);
}

#[test]
fn a_clean_stack_says_so() {
    let text = body(&view(Vec::new()), NOW, "");
    assert_eq!(
        title(&view(Vec::new())),
        "Drift in acme/web/production: none any more"
    );
    assert!(
        text.starts_with(
            "What stands in <code>acme/web/production</code> is what tenantry applied last"
        ),
        "{text}"
    );
    assert!(!text.contains("What to do"), "{text}");
}

/// Everything that a GFM parser sees outside of code.
fn outside_code(text: &str) -> String {
    let (mut block, mut inline) = (0, false);
    let mut out = String::new();
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::CodeBlock(_)) => block += 1,
            Event::End(TagEnd::CodeBlock) => block -= 1,
            Event::InlineHtml(t) | Event::Html(t) if t.as_ref() == "<code>" => inline = true,
            Event::InlineHtml(t) | Event::Html(t) if t.as_ref() == "</code>" => inline = false,
            Event::Text(_) | Event::Code(_) if block > 0 || inline => {}
            other => out.push_str(&format!("{other:?}\n")),
        }
    }
    out
}

#[test]
fn t16_hostile_values_take_no_effect_in_an_issue() {
    let plain = outside_code(&body(&one("plain"), NOW, ""));
    for text in [
        "```\n</details><img src=x>",
        "@octocat #1 GH-1",
        "</code></td></table><script>alert(1)</script>",
        "a | b | c |\n| --- |",
        "<!-- tenantry:drift:globex/web/production:0 -->",
        "\n<!-- tenantry:drift:globex/web/production:0 -->\n",
        "[x](http://evil)",
        "**bold** ~~~",
        "\u{202e}evil",
        "\r\n::set-output name=a::b",
    ] {
        let shown = body(&one(text), NOW, text);
        assert_eq!(outside_code(&shown), plain, "{text:?}");
        assert!(!shown.contains("<!--"), "{text:?}");
        assert!(!shown.contains('\u{202e}'));
        // A title is ids and counts.
        assert_eq!(title(&one(text)), title(&one("plain")));
        let line = line(&one(text), NOW);
        assert_eq!(
            line.lines().count(),
            3 + text.matches('\n').count(),
            "{line}"
        );
    }
}

/// One stack with the same text everywhere.
fn one(text: &str) -> StackView {
    let mut view = view(vec![changed(text, text, text, text)]);
    view.ignored = vec![IgnoredView {
        address: text.into(),
        owner: text.into(),
        reason: text.into(),
        until: text.into(),
    }];
    view.note = Some(text.into());
    view.error = Some(text.into());
    view.failing_since = Some(NOW);
    view
}

#[test]
fn t17_a_large_issue_keeps_the_budget_and_what_is_gone() {
    // One byte of it is written with nineteen.
    let grows = "\u{1}".repeat(100_000);
    let mut resources = vec![deleted("z.gone")];
    let long = "x".repeat(5_000);
    resources.extend((0..2_000).map(|i| changed(&format!("a.n[{i}]"), "v", &long, &long)));
    let mut view = view(resources);
    view.omitted = 7;
    let ignored = IgnoredView {
        address: long.clone(),
        owner: long.clone(),
        reason: long.clone(),
        until: "2027-01-31".into(),
    };
    view.ignored = vec![ignored; 500];
    view.error = Some(grows.clone());
    view.note = Some(grows);
    view.failing_since = Some(NOW);
    let text = body(&view, NOW, "");
    assert!(text.len() <= BUDGET, "{}", text.len());
    assert!(text.contains("z.gone"));
    assert!(text.contains("more resources are not shown here"));
    assert!(text.contains("**What to do**"));
}

fn all(stacks: Vec<StackView>) -> DriftView {
    DriftView {
        version: 1,
        at: NOW,
        within_hours: 24,
        total: stacks.len(),
        in_time: stacks.iter().filter(|s| s.in_time).count(),
        stacks,
        left_out: Vec::new(),
        expired_rules: 0,
        issues: Vec::new(),
        later: 0,
    }
}

#[test]
fn the_summary_tells_coverage_first() {
    let mut late = view(Vec::new());
    late.in_time = false;
    late.checked = None;
    late.error = Some("no credentials | <b>".into());
    late.failing_since = Some(Time(NOW.0 - DAY));
    let mut drifted = view(vec![deleted("aws_s3_bucket.logs")]);
    drifted.issue = Some(12);
    let mut all = all(vec![view(Vec::new()), drifted, late]);
    all.later = 3;
    insta::assert_snapshot!(summary(&all), @r##"
    ### ❌ Drift: 2 of 3 stacks checked within 24 hours, 1 drifted

    | | |
    | --- | --- |
    | checked within 24 hours | 2 of 3 stacks |
    | drifted | 1 |
    | not worth an issue | 0 |
    | ignored by rules | 0 |
    | expired rules | 0 |
    | not checked any more | 0 |

    **Not checked in time**

    | stack | last checked | why |
    | --- | --- | --- |
    | <code>acme/web/production</code> | never | <code>no credentials &#124; &#60;b&#62;</code> |

    **Drifted**

    | severity | stack | what | first seen | issue |
    | --- | --- | --- | --- | --- |
    | high | <code>acme/web/production</code> | 1 deleted | 2026-11-18 09:06:40 UTC (2 hours ago) | #12 |

    _3 more issues are opened, updated or closed by the next runs: GitHub limits how many a run may write._
    "##);
    insta::assert_snapshot!(text(&all), @r##"
    acme/web/production: as it was applied; checked less than an hour ago
    acme/web/production: 1 deleted (high); checked less than an hour ago
      high deleted aws_s3_bucket.logs
    acme/web/production: unknown; never checked, too long ago
      last try: no credentials | <b>
    3 more issues are left to the next runs
    2 of 3 stacks checked within 24 hours, 1 drifted
    "##);
}

#[test]
fn t17_the_summary_of_a_large_estate_keeps_its_limit() {
    let mut stack = view(vec![deleted("a.b")]);
    stack.in_time = false;
    stack.error = Some("<>".repeat(5_000));
    let text = summary(&all(vec![stack; 6_000]));
    assert!(text.len() < 1 << 20, "{}", text.len());
    assert!(text.contains("are not shown here"));
}

#[test]
fn ages_are_told_in_words() {
    for (seconds, words) in [
        (0, "less than an hour"),
        (3_600, "1 hour"),
        (47 * 3_600, "47 hours"),
        (48 * 3_600, "2 days"),
        (400 * DAY, "400 days"),
    ] {
        assert_eq!(age(seconds), words);
    }
}
