//! One long text in several bodies, each whole in itself: no character, fence, tag or row is cut,
//! and every body opens and closes what it shows. Linear in the text.

/// What GitHub surely keeps of a comment, in bytes (documented: 65,536 characters). Of all ways
/// to count a text, bytes give the largest number.
pub const BUDGET: usize = 60_000;
/// Kept for the line that says which part a body is.
const FOOT: usize = 64;
/// Kept in the last body there may be, for a note on what is missing.
const NOTE: usize = 1_000;

struct Section {
    open: String,
    close: String,
    /// Whether the body at hand has a line of it.
    begun: bool,
}

/// Bodies in the making.
pub struct Pages {
    max: usize,
    note: usize,
    done: Vec<String>,
    page: String,
    section: Option<Section>,
}

impl Pages {
    /// At most `max` bodies; what follows is not taken.
    pub fn new(max: Option<usize>) -> Self {
        Self {
            max: max.unwrap_or(usize::MAX).max(1),
            note: NOTE,
            done: Vec::new(),
            page: String::new(),
            section: None,
        }
    }

    /// Bytes that are left in the body at hand.
    fn room(&self) -> usize {
        let closing = self.section.as_ref().map_or(0, |s| s.close.len());
        let last = self.done.len() + 1 >= self.max;
        let note = if last { self.note } else { 0 };
        BUDGET.saturating_sub(FOOT + self.page.len() + closing + note)
    }

    /// Begins a new body, unless there may be no more.
    fn turn(&mut self) -> bool {
        if self.done.len() + 1 >= self.max {
            return false;
        }
        self.close();
        self.done.push(std::mem::take(&mut self.page));
        true
    }

    fn close(&mut self) {
        if let Some(section) = &mut self.section
            && std::mem::take(&mut section.begun)
        {
            self.page.push_str(&section.close);
        }
    }

    /// Adds Markdown of ours that must not be cut. `false` if there was no room for it.
    pub fn block(&mut self, text: &str) -> bool {
        if text.len() > self.room() && (self.page.is_empty() || !self.turn()) {
            return false;
        }
        self.page.push_str(text);
        true
    }

    /// Adds the last block, for which there is always room: it is shorter than 1,000 bytes.
    pub fn note(&mut self, text: &str) -> bool {
        self.end();
        self.note = 0;
        self.block(text)
    }

    /// What follows stands between `open` and `close`, in every body.
    pub fn begin(&mut self, open: &str, close: &str) {
        self.end();
        self.section = Some(Section {
            open: open.to_owned(),
            close: close.to_owned(),
            begun: false,
        });
    }

    /// Ends the section.
    pub fn end(&mut self) {
        self.close();
        self.section = None;
    }

    /// Adds one line. One that is longer than a body is continued in the next line. `false` if
    /// there was no room for it, or for the rest of it.
    pub fn line(&mut self, line: &str) -> bool {
        let mut rest = line;
        loop {
            let opening = match &self.section {
                Some(s) if !s.begun => s.open.len(),
                _ => 0,
            };
            let room = self.room().saturating_sub(opening + 1);
            let fits = rest.len() <= room;
            // A line is only cut where a whole body would not hold it.
            if !fits && !self.page.is_empty() {
                if !self.turn() {
                    return false;
                }
                continue;
            }
            let end = if fits { rest.len() } else { cut(rest, room) };
            if let Some(section) = &mut self.section
                && !std::mem::replace(&mut section.begun, true)
            {
                self.page.push_str(&section.open);
            }
            self.page.push_str(&rest[..end]);
            self.page.push('\n');
            rest = &rest[end..];
            if rest.is_empty() {
                return true;
            }
        }
    }

    /// The bodies. Each says which part it is, if there are several.
    pub fn finish(mut self) -> Vec<String> {
        self.end();
        if !self.page.is_empty() || self.done.is_empty() {
            self.done.push(self.page);
        }
        let count = self.done.len();
        if count > 1 {
            for (i, page) in self.done.iter_mut().enumerate() {
                page.push_str(&format!("\n<sub>part {} of {count}</sub>\n", i + 1));
            }
        }
        self.done
    }
}

/// Where to cut a text of more than `max` bytes: between characters, before a mark that belongs
/// to the character in front, and neither in an entity nor in a tag. Never 0.
pub fn cut(text: &str, max: usize) -> usize {
    let mut end = max.clamp(1, text.len());
    while end > 0 && !text.is_char_boundary(end) {
        end -= 1;
    }
    if end == 0 {
        // Not even one character fits: progress comes before the budget, which is far larger.
        return text.chars().next().map_or(text.len(), char::len_utf8);
    }
    let hard = end;
    for _ in 0..32 {
        match (text[end..].chars().next(), text[..end].chars().next_back()) {
            (Some(next), Some(last)) if is_joined(next) => end -= last.len_utf8(),
            _ => break,
        }
    }
    let bytes = text.as_bytes();
    let opened = |sign: u8, closed: u8, window: usize| {
        let from = end.saturating_sub(window);
        let at = bytes[from..end].iter().rposition(|b| *b == sign)? + from;
        let inside = &bytes[at + 1..end];
        let still = !inside.contains(&closed)
            && inside
                .iter()
                .all(|b| *b != b'\n' && (sign == b'<' || !b.is_ascii_whitespace()));
        still.then_some(at)
    };
    let soft = opened(b'&', b';', 40).or_else(|| opened(b'<', b'>', 400));
    match soft.unwrap_or(end) {
        0 => hard,
        end => end,
    }
}

/// Combining marks and joiners: they belong to the character before.
fn is_joined(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{591}'..='\u{5bd}' | '\u{610}'..='\u{61a}'
        | '\u{64b}'..='\u{65f}' | '\u{900}'..='\u{903}' | '\u{93a}'..='\u{94f}' | '\u{e31}'..='\u{e3a}'
        | '\u{1ab0}'..='\u{1aff}' | '\u{1dc0}'..='\u{1dff}' | '\u{200d}' | '\u{20d0}'..='\u{20ff}'
        | '\u{fe00}'..='\u{fe2f}' | '\u{1f3fb}'..='\u{1f3ff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pages(text: &str, max: Option<usize>) -> Vec<String> {
        let mut pages = Pages::new(max);
        pages.begin("```\n", "```\n");
        for line in text.lines() {
            pages.line(line);
        }
        pages.finish()
    }

    #[test]
    fn every_body_is_whole_and_nothing_is_lost() {
        let text: String = (0..20_000).map(|i| format!("line {i} äöü\n")).collect();
        let bodies = pages(&text, None);
        assert!(bodies.len() > 4);
        let mut back = String::new();
        for body in &bodies {
            assert!(body.len() <= BUDGET);
            let inside = body
                .strip_prefix("```\n")
                .and_then(|b| b.split_once("```\n"));
            back.push_str(inside.map_or("", |i| i.0));
        }
        assert_eq!(back, text);
        assert_eq!(pages(&text, Some(3)).len(), 3);
        assert_eq!(pages("", None).len(), 1);
    }

    #[test]
    fn cuts_spare_characters_entities_and_tags() {
        for (text, max, end) in [
            ("abc", 2, 2),
            ("aäb", 2, 1),
            ("a&amp;b", 4, 1),
            ("a <b class='x'>b", 9, 2),
            ("a & b & c", 6, 6),
            ("ae\u{301}b", 2, 1),
            ("日本語", 1, 3),
            ("&amp;", 3, 3),
        ] {
            assert_eq!(cut(text, max), end, "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_long_line_is_cut_at_characters(text in "[a-zä日&;<>😀\u{301}]{0,400}", times in 1_usize..400) {
            let line = text.repeat(times);
            let mut pages = Pages::new(None);
            pages.begin("```\n", "```\n");
            prop_assert!(pages.line(&line));
            let bodies = pages.finish();
            let back: String = bodies.iter().filter_map(|b| b.strip_prefix("```\n")?.split_once("\n```")).map(|p| p.0).collect();
            prop_assert_eq!(back, line);
            prop_assert!(bodies.iter().all(|b| b.len() <= BUDGET));
        }
    }
}
