//! A text in Markdown as one HTML page that needs nothing else, for people who read it in a browser
//! or in a mail. Of raw HTML only what our own escapes make comes through; no address is loaded.

use super::escape::html;
use pulldown_cmark::{CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd};

const STYLE: &str = include_str!(concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/templates/instructions/page.css"
));

/// The heading that a text begins with, as plain text.
pub fn title(markdown: &str) -> Option<String> {
    let mut out: Option<String> = None;
    for event in Parser::new(markdown) {
        match (event, &mut out) {
            (
                Event::Start(Tag::Heading {
                    level: HeadingLevel::H1,
                    ..
                }),
                None,
            ) => out = Some(String::new()),
            (Event::End(TagEnd::Heading(_)), Some(_)) => break,
            (Event::Text(t) | Event::Code(t), Some(text)) => text.push_str(&t),
            (Event::SoftBreak, Some(text)) => text.push(' '),
            (_, None) => return None,
            _ => {}
        }
    }
    out.filter(|t| !t.trim().is_empty())
}

/// The page.
pub fn page(title: &str, markdown: &str) -> String {
    let mut links = Vec::new();
    let events = Parser::new_ext(markdown, Options::ENABLE_TABLES).filter_map(|event| {
        Some(match event {
            Event::Html(t) | Event::InlineHtml(t) => raw(&t),
            // What a reader's program would fetch by itself.
            Event::Start(Tag::Image { .. }) | Event::End(TagEnd::Image) => return None,
            Event::Start(Tag::Link { ref dest_url, .. }) => {
                links.push(leads(dest_url));
                return links.last().is_some_and(|l| *l).then_some(event);
            }
            Event::End(TagEnd::Link) => return links.pop().is_some_and(|l| l).then_some(event),
            other => other,
        })
    });
    let mut body = String::new();
    pulldown_cmark::html::push_html(&mut body, events);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n<main>\n{body}</main>\n</body>\n</html>\n",
        html(title)
    )
}

/// Where a link may lead.
fn leads(to: &str) -> bool {
    ["https://", "http://", "mailto:", "#"]
        .iter()
        .any(|p| to.starts_with(p))
}

/// Raw HTML: tags of ours as they are, everything else as text.
fn raw(text: &str) -> Event<'static> {
    let plain = text.trim();
    let anchor = plain
        .strip_prefix("<a id=\"")
        .and_then(|t| t.strip_suffix("\">"))
        .is_some_and(|id| {
            id.bytes()
                .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        });
    if anchor || matches!(plain, "<code>" | "</code>" | "<br>" | "</a>") {
        Event::InlineHtml(CowStr::from(text.to_owned()))
    } else {
        Event::Text(CowStr::from(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::escape::{code, fence, prose};

    #[test]
    fn a_text_becomes_a_page() {
        let text = "# How to *start*\n\n<a id=\"x\"></a>\n\nSee [x](#x) and `y`.\n\n| a | b |\n|---|---|\n| 1 | <code>&#60;</code> |\n\n```sh\necho \"$x\" < y\n```\n";
        assert_eq!(title(text).as_deref(), Some("How to start"));
        let html = page("a & b", text);
        let body = html.split_once("<main>").map_or("", |(_, b)| b);
        insta::assert_snapshot!(body, @r##"
        <h1>How to <em>start</em></h1>
        <p><a id="x"></a></p>
        <p>See <a href="#x">x</a> and <code>y</code>.</p>
        <table><thead><tr><th>a</th><th>b</th></tr></thead><tbody>
        <tr><td>1</td><td><code>&lt;</code></td></tr>
        </tbody></table>
        <pre><code class="language-sh">echo "$x" &lt; y
        </code></pre>
        </main>
        </body>
        </html>
        "##);
        assert!(html.contains("<title>a &#38; b</title>"));
        assert_eq!(title("no heading\n\n# late\n"), None);
        assert_eq!(title("# \n"), None);
    }

    #[test]
    fn t16_nothing_foreign_takes_effect_on_the_page() {
        for hostile in [
            "<script>alert(1)</script>",
            "</title><script>",
            "<img src=x onerror=alert(1)>",
            "![x](https://evil.example/y.png)",
            "[x](javascript:alert(1))",
            "[x](https://evil.example)",
            "</code></pre><iframe src=//evil>",
            "```\n<b>",
            "<a id=\"x\" onclick=\"y\"></a>",
            "<style>*{}</style>",
        ] {
            let text = format!(
                "# {0}\n\n{0}\n\n{1}\n\n{2}",
                prose(hostile),
                code(hostile),
                fence("", hostile)
            );
            let html = page(hostile, &text);
            let body = html.split_once("<title>").map_or("", |(_, b)| b);
            let body = body.replacen(&format!("<style>\n{STYLE}</style>"), "", 1);
            for bad in [
                "<script",
                "<img",
                "<iframe",
                "<a ",
                "<style",
                "<b>",
                "<a id=\"x\" onclick",
            ] {
                assert!(!body.contains(bad), "{hostile}: {body}");
            }
            // Also where it was not escaped, as in a template that went wrong.
            let html = page("x", hostile);
            for bad in [
                "<script",
                "<img",
                "<iframe",
                "javascript:",
                "<style>*",
                "<a id=\"x\" onclick",
            ] {
                assert!(!html.contains(bad), "{hostile}: {html}");
            }
        }
    }
}
