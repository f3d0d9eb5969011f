//! Foreign text, made harmless for the place where it is shown.

/// Whether a character is hidden, changes direction or controls a terminal.
fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}'
        | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Plain text for a terminal: control and hidden characters are written out, lines stay.
pub fn terminal(text: &str) -> String {
    text.chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            if is_unsafe(c) {
                out.extend(c.escape_unicode());
            } else {
                out.push(c);
            }
            out
        })
}

/// Inline code for Markdown and HTML: every ASCII punctuation mark becomes an entity, so that
/// no fence, link, mention, table cell or tag can begin inside.
pub fn code(text: &str) -> String {
    let mut out = String::from("<code>");
    for c in text.chars() {
        match c {
            '\n' | '\r' | '\t' => out.push(' '),
            c if is_unsafe(c) => out.extend(c.escape_unicode().flat_map(|c| {
                if c.is_ascii_punctuation() {
                    entity(c)
                } else {
                    c.to_string()
                }
                .chars()
                .collect::<Vec<_>>()
            })),
            c if c.is_ascii_punctuation() && !matches!(c, '-' | '.' | '/' | ',') => {
                out.push_str(&entity(c))
            }
            c => out.push(c),
        }
    }
    out.push_str("</code>");
    out
}

fn entity(c: char) -> String {
    format!("&#{};", c as u32)
}

/// A fenced block. The fence is longer than any run of backticks inside.
pub fn fence(language: &str, text: &str) -> String {
    let text = terminal(text);
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!(
        "{fence}{language}\n{}\n{fence}\n",
        text.trim_end_matches('\n')
    )
}

/// Text for HTML, outside and inside of attributes.
pub fn html(text: &str) -> String {
    terminal(text)
        .chars()
        .fold(String::with_capacity(text.len()), |mut out, c| {
            match c {
                '&' | '<' | '>' | '"' | '\'' => out.push_str(&entity(c)),
                c => out.push(c),
            }
            out
        })
}

/// The data part of a workflow command.
pub fn command_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property of a workflow command.
pub fn command_property(text: &str) -> String {
    command_data(text).replace(':', "%3A").replace(',', "%2C")
}

/// At most `max` bytes, cut between characters, with `…` where something is missing.
pub fn shorten(text: &str, max: usize) -> String {
    if text.len() <= max {
        return text.to_owned();
    }
    let mut end = max.saturating_sub('…'.len_utf8());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd};

    const HOSTILE: &[&str] = &[
        "```\n</details><img src=x>",
        "@octocat #1 GH-1",
        "</code></pre><script>alert(1)</script>",
        "| a | b |",
        "<!-- tenantry -->",
        "[x](http://evil)",
        "![x](http://evil/y.png)",
        "\u{202e}evil",
        "`````",
        "~~~\n# big",
        "&lt;b&gt;",
        "**bold**",
        "\r\n::set-output name=a::b",
        "http://evil.example",
        "a\n\n<details>",
    ];

    /// Everything that a GFM parser sees outside of code, for a document with `text` in both forms.
    fn outside_code(text: &str) -> String {
        let body = format!(
            "start {} end\n\n{}\nlast\n",
            code(text),
            fence("diff", text)
        );
        let mut depth = 0;
        let mut inline = false;
        let mut out = String::new();
        for event in Parser::new_ext(&body, Options::all()) {
            match event {
                Event::Start(Tag::CodeBlock(_)) => depth += 1,
                Event::End(TagEnd::CodeBlock) => depth -= 1,
                Event::InlineHtml(t) if t.as_ref() == "<code>" => inline = true,
                Event::InlineHtml(t) if t.as_ref() == "</code>" => inline = false,
                Event::Text(t) if depth == 0 && !inline => out.push_str(&t),
                Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph) => {}
                Event::Text(_) if depth > 0 || inline => {}
                other => out.push_str(&format!("<{other:?}>")),
            }
        }
        out
    }

    #[test]
    fn t16_nothing_foreign_takes_effect() {
        for text in HOSTILE {
            assert_eq!(outside_code(text), "start  endlast", "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn t16_nothing_random_takes_effect(text in "[ -~\n`<>&|@#\\[\\]()*_~!:\u{202e}]{0,80}") {
            prop_assert_eq!(outside_code(&text), "start  endlast");
        }
        #[test]
        fn shorten_keeps_the_budget(text in ".{0,40}", max in 3_usize..50) {
            prop_assert!(shorten(&text, max).len() <= max.max(3));
        }
    }

    #[test]
    fn t21_hidden_characters_are_shown() {
        for c in [
            '\u{202e}',
            '\u{200b}',
            '\u{feff}',
            '\u{1b}',
            '\u{ad}',
            '\u{2066}',
            '\u{e0041}',
        ] {
            let text = format!("a{c}b");
            for shown in [terminal(&text), code(&text), html(&text), fence("", &text)] {
                assert!(!shown.contains(c), "{shown:?}");
                assert!(shown.contains("u"), "{shown:?}");
            }
        }
    }
}
