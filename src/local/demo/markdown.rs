//! A comment's Markdown as HTML, as a reader on GitHub sees it. Of raw HTML only a handful of
//! tags without attributes comes through, and no address is ever loaded or linked.

use crate::report::escape::html;
use pulldown_cmark::{CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

const TAGS: [&str; 10] = [
    "<details>",
    "<details open>",
    "</details>",
    "<summary>",
    "</summary>",
    "<code>",
    "</code>",
    "<sub>",
    "</sub>",
    "<br>",
];

/// Renders one comment.
pub(super) fn render(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH);
    let mut events: Vec<Event<'_>> = Vec::new();
    let mut block: Option<(bool, String)> = None;
    for event in parser {
        if let Some((diff, code)) = &mut block {
            match event {
                Event::Text(t) => code.push_str(&t),
                Event::End(TagEnd::CodeBlock) => {
                    events.push(raw(pre(code, *diff)));
                    block = None;
                }
                _ => {}
            }
            continue;
        }
        match event {
            Event::Start(Tag::CodeBlock(kind)) => {
                let diff = matches!(&kind, CodeBlockKind::Fenced(l) if l.as_ref() == "diff");
                block = Some((diff, String::new()));
            }
            Event::Html(t) | Event::InlineHtml(t) => events.push(raw(allowed(&t))),
            Event::Start(Tag::Heading { .. }) => events.push(Event::Start(heading())),
            Event::End(TagEnd::Heading(_)) => {
                events.push(Event::End(TagEnd::Heading(HeadingLevel::H5)));
            }
            Event::Start(Tag::Link { .. }) => events.push(raw("<span class=\"link\">".into())),
            Event::End(TagEnd::Link) => events.push(raw("</span>".into())),
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => {}
            Event::Start(Tag::Table(alignment)) => {
                events.push(raw("<div class=\"scroll\">".into()));
                events.push(Event::Start(Tag::Table(alignment)));
            }
            Event::End(TagEnd::Table) => {
                events.push(Event::End(TagEnd::Table));
                events.push(raw("</div>".into()));
            }
            Event::Text(t) => events.push(Event::Text(signs(&t))),
            other => events.push(other),
        }
    }
    let mut out = String::new();
    pulldown_cmark::html::push_html(&mut out, events.into_iter());
    out.trim().to_owned()
}

/// The signs of our comments without the emoji fonts that not every machine has.
fn signs(text: &str) -> CowStr<'static> {
    let plain = [("✅", "✓"), ("❌", "✕"), ("⛔", "✕"), ("⏳", "●")];
    let out = plain
        .iter()
        .fold(text.to_owned(), |t, (from, to)| t.replace(from, to));
    CowStr::from(out)
}

/// Headings of a comment stand below those of the page.
fn heading() -> Tag<'static> {
    Tag::Heading {
        level: HeadingLevel::H5,
        id: None,
        classes: Vec::new(),
        attrs: Vec::new(),
    }
}

fn raw(text: String) -> Event<'static> {
    Event::InlineHtml(CowStr::from(text))
}

/// The rows of a comment's table as plain text, for a terminal.
pub(super) fn rows(text: &str) -> Vec<String> {
    let rows: Vec<Vec<String>> = text
        .lines()
        .filter(|l| l.starts_with('|') && !l.starts_with("| ---"))
        .map(|l| l.trim_matches('|').split('|').map(plain).collect())
        .collect();
    let width = |column: usize| {
        let of = |r: &Vec<String>| r.get(column).map_or(0, |c| c.chars().count());
        rows.iter().map(of).max().unwrap_or(0)
    };
    rows.iter()
        .map(|row| {
            let cells: Vec<String> = (0..row.len())
                .map(|i| format!("{:<1$}", row[i], width(i)))
                .collect();
            cells.join("  ").trim_end().to_owned()
        })
        .collect()
}

/// Markdown of one line as text.
fn plain(text: &str) -> String {
    let mut out = String::new();
    for event in Parser::new(text.trim()) {
        if let Event::Text(t) | Event::Code(t) = event {
            out.push_str(&t);
        }
    }
    out
}

fn pre(code: &str, diff: bool) -> String {
    let mut out = String::from("<pre tabindex=\"0\"><code>");
    for line in code.lines() {
        let class = match line.chars().next().filter(|_| diff) {
            Some('+') => "add",
            Some('-') => "del",
            Some('!') => "chg",
            Some('#') => "note",
            _ => "",
        };
        out.push_str(&format!(
            "<span class=\"line {class}\">{}</span>",
            html(line)
        ));
    }
    out.push_str("</code></pre>");
    out
}

/// Raw HTML with the allowed tags as they are, comments left out, and every other `<` as text.
/// Entities stay: they can only become text.
fn allowed(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if let Some(tag) = TAGS.iter().find(|t| rest.starts_with(**t)) {
            out.push_str(tag);
            rest = &rest[tag.len()..];
            continue;
        }
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.split_once("-->").map_or("", |(_, after)| after);
            continue;
        }
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            c => out.push(c),
        }
        rest = &rest[c.len_utf8()..];
    }
    out
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn a_comment_reads_as_on_github() {
        let text = "<!-- tenantry:acme:plan -->\n### Infrastructure: <code>planned</code>\n\n| stack | state |\n| --- | --- |\n| <code>acme/web/staging</code> | planned |\n\n<details>\n<summary><code>a&#38;b</code></summary>\n\n```diff\n+ create <x>\n```\n\n</details>\n\n<sub>commit · [run](http://127.0.0.1:1/x)</sub>\n";
        insta::assert_snapshot!(render(text), @r#"
        <h5>Infrastructure: <code>planned</code></h5>
        <div class="scroll"><table><thead><tr><th>stack</th><th>state</th></tr></thead><tbody>
        <tr><td><code>acme/web/staging</code></td><td>planned</td></tr>
        </tbody></table>
        </div><details>
        <summary><code>a&#38;b</code></summary>
        <pre tabindex="0"><code><span class="line add">+ create &#60;x&#62;</span></code></pre></details>
        <p><sub>commit · <span class="link">run</span></sub></p>
        "#);
    }

    #[test]
    fn t16_nothing_else_comes_through() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<details ontoggle=alert(1)>",
            "a <a href=\"http://evil\">b</a>",
            "![x](http://evil/y.png) [y](javascript:alert(1))",
            "<!-- <script> -->\n\n<iframe src=//evil>",
            "<svg><style>x{}</style>",
        ] {
            let out = render(hostile);
            for bad in [
                "<script",
                "<img",
                "<a",
                "<iframe",
                "<svg",
                "<style",
                "<details ",
            ] {
                assert!(!out.contains(bad), "{hostile}: {out}");
            }
        }
    }
}
