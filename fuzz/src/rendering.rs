//! What people read: bodies that are never too long, with every foreign byte inside of code.

use super::BETWEEN;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use tenantry::clock::Time;
use tenantry::engine::change::{Action, Attribute, Change, Changes};
use tenantry::engine::outcome::{After, Became, Fate, Outcome, StateLock, Touched};
use tenantry::estate::{CustomerId, Finding, Place, StackId};
use tenantry::report::view::{ApplyView, Overall, RequestView, StackState, StackView};
use tenantry::report::{comment, escape, plan, runner};

const RUN: &str = "https://github.example/ops/manager/actions/runs/1";
/// Characters that none of our own words has: what is foreign is wrapped in the first, and in a
/// second rendering all of its letters and digits are among them.
const FOREIGN: std::ops::RangeInclusive<char> = '\u{4e00}'..='\u{4e7f}';
/// GitHub keeps so much of a step's summary.
const SUMMARY: usize = 1 << 20;
const ACTIONS: [(char, Action); 8] = [
    ('c', Action::Create),
    ('d', Action::Delete),
    ('u', Action::Update),
    ('r', Action::Replace),
    ('e', Action::Read),
    ('f', Action::Forget),
    ('i', Action::Import),
    ('m', Action::Move),
];

/// Foreign texts, one after the other and again from the start.
struct Pieces<'a> {
    texts: Vec<&'a str>,
    next: usize,
    /// Whether letters are replaced, so that each of them can be told from ours.
    strange: bool,
}

impl Pieces<'_> {
    fn take(&mut self) -> String {
        let text = self.texts[self.next % self.texts.len()];
        self.next += 1;
        if !self.strange {
            return format!("\u{4e00}{text}\u{4e00}");
        }
        let strange = |c: char| match c {
            c if c.is_ascii_alphanumeric() => char::from_u32(0x4e00 + c as u32).unwrap_or(c),
            c => c,
        };
        text.chars().map(strange).collect()
    }

    fn attribute(&mut self, sides: (bool, bool)) -> Attribute {
        Attribute {
            path: self.take(),
            before: sides.0.then(|| self.take()),
            after: sides.1.then(|| self.take()),
        }
    }
}

fn stack(number: usize) -> StackView {
    let Ok(stack) = format!("acme/web/stage-{number}").parse::<StackId>() else {
        panic!("{number}");
    };
    StackView {
        stack,
        state: StackState::Planned,
        changes: None,
        digest: Some(format!("sha256:{}", "0123456789abcdef".repeat(4))),
        approved_by: None,
        warnings: Vec::new(),
        apply: None,
        since: None,
    }
}

/// How much text a view may still get by repetition, in bytes: enough to come to every limit, and
/// little enough for many tries.
struct Left(usize);

impl Left {
    fn take(&mut self, bytes: usize) -> bool {
        let left = self.0.checked_sub(bytes);
        self.0 = left.unwrap_or(self.0);
        left.is_some()
    }
}

fn size(attribute: &Attribute) -> usize {
    let sides = attribute.before.iter().chain(&attribute.after);
    attribute.path.len() + sides.map(String::len).sum::<usize>() + 20
}

fn whole(change: &Change) -> usize {
    change.address.len() + change.attributes.iter().map(size).sum::<usize>() + 40
}

/// A request as the signs of `shape` say, one after the other.
fn view(shape: &str, pieces: &mut Pieces<'_>) -> RequestView {
    let mut view = RequestView {
        version: 1,
        request: "acme/push-1".into(),
        sha: pieces.take(),
        pull_request: None,
        plan_only: true,
        overall: Overall::Pending,
        headline: pieces.take(),
        stacks: vec![stack(0)],
        findings: Vec::new(),
        run_url: Some(RUN.into()),
    };
    let mut left = Left(1_000_000);
    for sign in shape.chars().take(200) {
        let count = view.stacks.len();
        let Some(last) = view.stacks.last_mut() else {
            return view;
        };
        let changes = last.changes.get_or_insert_default();
        match sign {
            's' => view.stacks.push(stack(count)),
            'S' => view.overall = Overall::Success,
            'E' => view.overall = Overall::Failure,
            'U' => view.run_url = Some(pieces.take()),
            'P' => {
                last.state = StackState::PlanFailed {
                    message: pieces.take(),
                };
            }
            'A' => {
                last.state = StackState::ApplyFailed {
                    message: pieces.take(),
                };
            }
            'N' => {
                last.state = StackState::Refused {
                    reason: pieces.take(),
                    again: true,
                };
            }
            'Y' => {
                last.state = StackState::Applied;
                last.approved_by = Some(pieces.take());
            }
            'w' => {
                let place = Place::at("infra/variables.yml", 1, 2);
                last.warnings
                    .push(Finding::warning(place, "policy", pieces.take()));
            }
            'x' => {
                let place = Place::at(&pieces.take(), 3, 4);
                view.findings
                    .push(Finding::error(place, "schema", pieces.take()));
            }
            'a' | 'b' | 'n' => {
                let attribute = pieces.attribute((sign != 'a', sign != 'b'));
                if let Some(change) = changes.changes.last_mut() {
                    change.attributes.push(attribute);
                }
            }
            'o' => changes.outputs.push(pieces.attribute((true, true))),
            'g' => {
                let fates = [Fate::Done, Fate::Failed, Fate::NotBegun, Fate::Unclear];
                let became = changes.changes.iter().zip(fates.iter().cycle());
                let outcome = Outcome {
                    changes: became
                        .map(|(c, fate)| Became {
                            address: c.address.clone(),
                            action: c.action,
                            fate: *fate,
                            half: None,
                        })
                        .collect(),
                };
                last.apply = Some(ApplyView {
                    outcome: Some(outcome),
                    after: Some(After {
                        left: Touched::of(changes),
                        drift: Touched::of(changes),
                        lock: Some(StateLock {
                            id: pieces.take(),
                            who: pieces.take(),
                            operation: pieces.take(),
                            since: Some(Time(1)),
                        }),
                        problem: Some(pieces.take()),
                        at: Time(2),
                    }),
                    renewed: None,
                });
            }
            // The last change, attribute or stack many times, to come to the limits.
            '*' => {
                if let Some(change) = changes.changes.last().cloned()
                    && left.take(300 * whole(&change))
                {
                    changes.changes.extend(vec![change; 300]);
                }
            }
            '%' => {
                if let Some(change) = changes.changes.last_mut()
                    && let Some(attribute) = change.attributes.last().cloned()
                    && left.take(300 * size(&attribute))
                {
                    change.attributes.extend(vec![attribute; 300]);
                }
            }
            '$' => {
                let model = last.clone();
                let changes = model.changes.iter().flat_map(|c| &c.changes);
                if left.take(60 * (100 + changes.map(whole).sum::<usize>())) {
                    view.stacks.extend((0..60).map(|i| StackView {
                        stack: stack(count + i).stack,
                        ..model.clone()
                    }));
                }
            }
            other => {
                if let Some((_, action)) = ACTIONS.iter().find(|(c, _)| *c == other) {
                    changes.changes.push(Change {
                        address: pieces.take(),
                        action: *action,
                        attributes: Vec::new(),
                    });
                }
            }
        }
    }
    for stack in &mut view.stacks {
        if let Some(changes) = &mut stack.changes {
            // As the reader of plans leaves it.
            changes.changes.sort_by_key(|c| c.action);
        }
    }
    view
}

/// HTML of ours: a few tags, and foreign text in `<code>` alone, where it cannot be a tag.
fn html(text: &str, body: &str) {
    let mut rest = text;
    let mut code = false;
    loop {
        let (before, after) = rest.split_once('<').unwrap_or((rest, ""));
        assert!(
            code || !before.contains(|c| FOREIGN.contains(&c)),
            "{text}\n{body}"
        );
        if after.is_empty() && before.len() == rest.len() {
            break;
        }
        let Some((tag, after)) = after.split_once('>') else {
            panic!("a tag that does not end: {text}\n{body}");
        };
        match tag {
            "code" => code = true,
            "/code" => code = false,
            "details" | "details open" | "/details" | "summary" | "/summary" | "sub" | "/sub" => {}
            other => panic!("a tag that is not ours: {other}\n{body}"),
        }
        rest = after;
    }
}

/// What a reader of GitHub's Markdown makes of a body.
fn harmless(body: &str, marker: &str) {
    let Some(text) = body.strip_prefix(marker) else {
        panic!("{marker} is not at the start of {body}");
    };
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_TASKLISTS
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_GFM;
    let (mut block, mut inline) = (false, false);
    for event in Parser::new_ext(text, options) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                assert!(matches!(&*language, "text" | "diff"), "{language}\n{body}");
                block = true;
            }
            Event::End(TagEnd::CodeBlock) => block = false,
            Event::Text(_) if block || inline => {}
            Event::Text(text) => {
                assert!(
                    !text.contains(|c| FOREIGN.contains(&c)),
                    "outside: {text}\n{body}"
                );
            }
            Event::InlineHtml(tag) => match &*tag {
                "<code>" => inline = true,
                "</code>" => inline = false,
                "<sub>" | "</sub>" => {}
                other => panic!("a tag that is not ours: {other}\n{body}"),
            },
            Event::Html(text) => html(&text, body),
            Event::Start(Tag::Link { dest_url, .. }) => {
                assert!(!inline && &*dest_url == RUN, "a link to {dest_url}\n{body}");
            }
            Event::Code(word) => assert!(
                matches!(&*word, "--max-bodies 0" | "tenantry render --max-bodies 0"),
                "{word}\n{body}"
            ),
            Event::FootnoteReference(_)
            | Event::TaskListMarker(_)
            | Event::Rule
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::Start(
                Tag::CodeBlock(CodeBlockKind::Indented)
                | Tag::Image { .. }
                | Tag::List(_)
                | Tag::BlockQuote(_)
                | Tag::Strikethrough
                | Tag::FootnoteDefinition(_),
            ) => panic!("{event:?}\n{body}"),
            _ => assert!(
                !inline || matches!(event, Event::End(_)),
                "{event:?}\n{body}"
            ),
        }
    }
    assert!(!block && !inline, "{body}");
}

/// A text in bodies: all of it is there, and every body shows it as code.
fn text(foreign: &str) {
    let bodies = plan::text_bodies(foreign, None);
    let mut back = String::new();
    for body in &bodies {
        assert!(body.len() <= comment::BUDGET, "{} bytes", body.len());
        let mut inside = false;
        for event in Parser::new(body) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => inside = true,
                Event::End(TagEnd::CodeBlock) => inside = false,
                Event::Text(text) if inside => back.push_str(&text),
                _ => {}
            }
        }
    }
    // A line that is longer than a body goes on in the next line.
    if !foreign.contains('\u{1b}') {
        let all = escape::fenced(&foreign.replace("\r\n", "\n")).replace('\n', "");
        assert_eq!(back.replace('\n', ""), all);
    }
    for body in &bodies {
        harmless(body, "");
    }
    for max in [1, 2] {
        let some = plan::text_bodies(foreign, Some(max));
        assert!(some.len() <= max && some.iter().all(|b| b.len() <= comment::BUDGET));
        some.iter().for_each(|b| harmless(b, ""));
    }
}

fn log(finding: &Finding) {
    const TOKEN: &str = "0123456789abcdef0123456789abcdef";
    let line = runner::annotation(finding);
    assert!(
        !line.contains(['\n', '\r']) && line.matches("::").count() >= 2,
        "{line}"
    );
    let (command, _) = line[2..].split_once("::").unwrap_or_default();
    assert!(
        command.starts_with("error file=") && command.contains(",title=schema"),
        "{line}"
    );
    for text in [&finding.message, &finding.place.path] {
        let said = runner::foreign(text, TOKEN);
        assert!(!said.contains("##["), "{said}");
        assert_eq!(said.matches(TOKEN).count(), 2, "{said}");
        assert!(!said.contains('\r'), "{said:?}");
    }
}

/// A shape, and the foreign texts that fill it.
pub fn render(data: &[u8]) {
    let Ok(input) = std::str::from_utf8(data) else {
        return;
    };
    let mut texts: Vec<&str> = input.split(BETWEEN).collect();
    let shape = texts.remove(0);
    if texts.is_empty() {
        texts.push("");
    }
    let Ok(customer) = CustomerId::new("acme") else {
        panic!("the customer");
    };
    let times = 1 + 40 * shape.matches('t').count().min(4);
    text(&texts.join("\n").repeat(times));
    for strange in [false, true] {
        let mut pieces = Pieces {
            texts: texts.clone(),
            next: 0,
            strange,
        };
        let view = view(shape, &mut pieces);
        view.findings.iter().for_each(log);
        let marker = |part: usize| comment::marker(&customer, true, part);
        let bodies = comment::bodies(&view, marker);
        assert!((1..=comment::BODIES).contains(&bodies.len()));
        for (i, body) in bodies.iter().enumerate() {
            assert!(body.len() <= comment::BUDGET, "{} bytes", body.len());
            harmless(body, &format!("{}\n", marker(i + 1)));
        }
        let summary = comment::summary(&view);
        assert!(summary.len() <= SUMMARY, "{} bytes", summary.len());
        harmless(&summary, "");
        let none = Changes::default();
        let first = view.stacks.first().and_then(|s| s.changes.as_ref());
        for max in [None, Some(1), Some(3)] {
            let bodies = plan::bodies(first.unwrap_or(&none), max);
            assert!(max.is_none_or(|max| bodies.len() <= max));
            for body in bodies {
                assert!(body.len() <= comment::BUDGET, "{} bytes", body.len());
                harmless(&body, "");
            }
        }
    }
}
