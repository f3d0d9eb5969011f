//! Foreign text, made harmless for the place where it is shown.

/// Whether a character is hidden, changes direction, controls a terminal, or looks like a mark
/// or a space that it is not (Unicode: general categories Cc, Cf, Zs; UTS 39, "Confusables").
fn is_unsafe(c: char) -> bool {
    matches!(c,
        '\u{0}'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{7f}'..='\u{a0}' | '\u{ad}' | '\u{34f}'
        | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{1680}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{2000}'..='\u{2011}' | '\u{2024}' | '\u{2028}'..='\u{202f}'
        | '\u{2043}' | '\u{2044}' | '\u{205f}'..='\u{206f}' | '\u{2212}' | '\u{2215}' | '\u{2236}'
        | '\u{2800}' | '\u{29f8}' | '\u{3000}' | '\u{3164}' | '\u{a789}' | '\u{fe00}'..='\u{fe0f}'
        | '\u{fe50}'..='\u{fe6b}' | '\u{feff}' | '\u{ff01}'..='\u{ff0f}' | '\u{ff1a}'..='\u{ff20}'
        | '\u{ffa0}' | '\u{fff9}'..='\u{fffc}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
        | '\u{1d400}'..='\u{1d7ff}' | '\u{e0000}'..='\u{e01ef}')
}

/// Whether a letter belongs to a script that has look-alikes of Latin letters.
fn is_lookalike(c: char) -> bool {
    matches!(c,
        '\u{251}' | '\u{261}' | '\u{370}'..='\u{3ff}' | '\u{400}'..='\u{58f}' | '\u{13a0}'..='\u{13ff}'
        | '\u{1f00}'..='\u{1fff}' | '\u{2c80}'..='\u{2cff}' | '\u{a4d0}'..='\u{a4ff}'
        | '\u{ab70}'..='\u{abbf}' | '\u{ff10}'..='\u{ff19}' | '\u{ff21}'..='\u{ff3a}'
        | '\u{ff41}'..='\u{ff5a}')
}

/// Plain text for a terminal: control and hidden characters are written out, lines stay. In a
/// word that mixes Latin with letters that look like it, those are written out, too.
pub fn terminal(text: &str) -> String {
    let plain = |b: u8| b == b'\n' || b == b'\t' || (0x20..0x7f).contains(&b);
    if text.bytes().all(plain) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let length = rest
            .find(|c: char| !c.is_alphanumeric())
            .unwrap_or(rest.len());
        if length == 0 {
            push(&mut out, c, is_unsafe(c));
            rest = &rest[c.len_utf8()..];
            continue;
        }
        let (word, after) = rest.split_at(length);
        let mixed = word.bytes().any(|b| b.is_ascii_alphabetic());
        for c in word.chars() {
            push(&mut out, c, is_unsafe(c) || mixed && is_lookalike(c));
        }
        rest = after;
    }
    out
}

fn push(out: &mut String, c: char, escaped: bool) {
    if escaped {
        out.extend(c.escape_unicode());
    } else {
        out.push(c);
    }
}

/// Inline code for Markdown and HTML: every ASCII punctuation mark becomes an entity, so that
/// no fence, link, mention, table cell or tag can begin inside.
pub fn code(text: &str) -> String {
    code_within(text, usize::MAX)
}

/// Inline code as [`code`] makes it, of at most `max` bytes between its tags, counted as they are
/// written: one character may become twenty bytes. `…` stands where something is missing.
pub fn code_within(text: &str, max: usize) -> String {
    let mut out = String::from("<code>");
    let most = max.saturating_add(out.len());
    let mut kept = out.len();
    // What is escaped is never shorter than it was.
    let some = shorten(text, max.saturating_add('…'.len_utf8()));
    for c in terminal(&some.replace(['\n', '\r', '\t'], " ")).chars() {
        match c {
            c if c.is_ascii_punctuation() && !matches!(c, '-' | '.' | '/' | ',') => {
                out.push_str(&entity(c))
            }
            c => out.push(c),
        }
        if out.len() > most {
            out.truncate(kept);
            out.push('…');
            break;
        }
        if out.len() + '…'.len_utf8() <= most {
            kept = out.len();
        }
    }
    out.push_str("</code>");
    out
}

fn entity(c: char) -> String {
    format!("&#{};", c as u32)
}

/// Longest run of backticks that is kept; a fence has to be longer than the longest of its text.
const TICKS: usize = 40;

/// The fence for a text: longer than any run of backticks inside.
pub fn fence_for(text: &str) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(longest.clamp(2, TICKS) + 1)
}

/// Text for inside of a fence: hidden characters written out, endless runs of backticks shortened.
pub fn fenced(text: &str) -> String {
    let text = terminal(text);
    if !text.contains(&"`".repeat(TICKS + 1)) {
        return text;
    }
    let mut out = String::with_capacity(text.len());
    let mut run = 0;
    for c in text.chars() {
        run = if c == '`' { run + 1 } else { 0 };
        match run {
            0..=TICKS => out.push(c),
            _ if run == TICKS + 1 => out.push('…'),
            _ => {}
        }
    }
    out
}

/// A fenced block.
pub fn fence(language: &str, text: &str) -> String {
    let text = fenced(text);
    let fence = fence_for(&text);
    format!(
        "{fence}{language}\n{}\n{fence}\n",
        text.trim_end_matches('\n')
    )
}

/// A fenced block with at most `max` bytes of text, counted as they are written.
pub fn fence_within(language: &str, text: &str, max: usize) -> String {
    // Escaping what is escaped changes nothing.
    fence(language, &shorten(&fenced(&shorten(text, max)), max))
}

/// A link to a run, if the address is one and has nothing in it that Markdown knows.
pub fn run_link(url: &str) -> Option<String> {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b":/._-~?=&%".contains(&b);
    let web = url.starts_with("https://") || url.starts_with("http://");
    let whole = web && url.len() <= 500 && url.bytes().all(safe);
    whole.then(|| format!("[run]({url})"))
}

/// Foreign prose in one line of Markdown: everything that could begin a structure is escaped.
pub fn prose(text: &str) -> String {
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = terminal(&line);
    let mut out = String::new();
    // A list, a heading or a rule begins at the start of a line only.
    let digits = line.chars().take_while(char::is_ascii_digit).count();
    for (i, c) in line.chars().enumerate() {
        let begins = i == 0 && matches!(c, '-' | '+' | '=' | ':')
            || digits > 0 && i == digits && matches!(c, '.' | ')');
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '#' | '|' | '!' | '~' | '&' | '^'
            | '$' => {
                out.push('\\');
                out.push(c);
            }
            c if begins => {
                out.push('\\');
                out.push(c);
            }
            '@' => out.push_str("&#64;"),
            // An address would become a link by itself.
            ':' if line.contains("://") => out.push_str("&#58;"),
            c => out.push(c),
        }
    }
    out
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
        fn what_is_written_keeps_the_budget(text in "[a-z \u{1}\n`<&\u{202e}\u{4e00}\u{430}]{0,60}", max in 3_usize..120) {
            let frame = "<code></code>".len();
            let some = code_within(&text, max);
            prop_assert!(some.len() <= max + frame, "{some}");
            let all = code(&text);
            prop_assert_eq!(some == all, all.len() <= max + frame, "{} {}", some, all);
            // A fence that is longer than any inside, twice, the language and three line ends.
            prop_assert!(fence_within("text", &text, max).len() <= max + 2 * (max + 1).clamp(3, TICKS + 1) + 7);
            prop_assert_eq!(fenced(&fenced(&text)), fenced(&text));
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
            '\u{a0}',
            '\u{2003}',
            '\u{3000}',
            '\u{2800}',
            '\u{3164}',
            '\u{fe0f}',
            '\u{e0101}',
            '\u{2215}',
            '\u{2024}',
            '\u{ff0f}',
            '\u{ff20}',
            '\u{1d41a}',
            '\u{2028}',
            '\u{9b}',
            '\u{7f}',
        ] {
            let text = format!("a{c}b");
            for shown in [terminal(&text), code(&text), html(&text), fence("", &text)] {
                assert!(!shown.contains(c), "{shown:?}");
                assert!(shown.contains("u"), "{shown:?}");
            }
        }
    }

    #[test]
    fn t21_letters_that_look_like_others_are_shown_in_mixed_words() {
        assert_eq!(terminal("p\u{430}yp\u{430}l"), "p\\u{430}yp\\u{430}l");
        assert_eq!(terminal("\u{391}dmin x"), "\\u{391}dmin x");
        assert_eq!(terminal("\u{ff41}dmin"), "\\u{ff41}dmin");
        // A word of one script is what it looks like.
        assert_eq!(
            terminal("привет мир, Ελλάδα, Straße, 日本語"),
            "привет мир, Ελλάδα, Straße, 日本語"
        );
    }

    #[test]
    fn t16_a_run_of_backticks_cannot_make_a_fence_endless() {
        let text = "`".repeat(50_000);
        assert!(fence("text", &text).len() < 200);
        assert_eq!(outside_code(&text), "start  endlast");
    }
}
