//! Where the parts of a file stand, in bytes of its text.

use saphyr_parser::{Event, Parser, ScalarStyle};

/// What stands at one position of the text, in bytes.
pub(super) struct Spot {
    pub(super) start: usize,
    /// Where its last character ends; comments and blanks behind it are not part of it.
    pub(super) end: usize,
    pub(super) shape: Shape,
}

pub(super) enum Shape {
    /// Nothing is written: `key:`.
    Absent,
    Plain,
    Quoted(char),
    /// `|` or `>`.
    Block,
    Alias,
    List,
    Map {
        flow: bool,
        entries: Vec<Entry>,
    },
}

pub(super) struct Entry {
    pub(super) name: String,
    pub(super) start: usize,
    /// Behind the colon.
    pub(super) colon: usize,
    pub(super) value: Spot,
}

impl Entry {
    pub(super) fn end(&self) -> usize {
        self.value.end.max(self.colon)
    }
}

pub(super) type Why = &'static str;
pub(super) const FORM: Why = "stands in a form that tenantry cannot edit";

/// The events of a document with their places in bytes.
struct Reader<'a> {
    text: &'a str,
    events: std::vec::IntoIter<(Event<'a>, usize, usize)>,
}

/// The tree of the file; `None` when nothing but comments is there.
pub(super) fn tree(text: &str) -> Result<Option<Spot>, Why> {
    let mut bytes: Vec<usize> = text.char_indices().map(|(i, _)| i).collect();
    bytes.push(text.len());
    let at = |index: usize| bytes.get(index).copied().unwrap_or(text.len());
    let mut events = Vec::new();
    let mut parser = Parser::new_from_str(text);
    while let Some(event) = parser.next_event() {
        let (event, span) = event.map_err(|_| FORM)?;
        let skip = matches!(
            event,
            Event::StreamStart
                | Event::StreamEnd
                | Event::DocumentStart(_)
                | Event::DocumentEnd
                | Event::Nothing
        );
        if !skip {
            events.push((event, at(span.start.index()), at(span.end.index())));
        }
    }
    let mut reader = Reader {
        text,
        events: events.into_iter(),
    };
    match reader.next()? {
        None => Ok(None),
        Some(spot) if matches!(spot.shape, Shape::Absent) => Ok(None),
        some => Ok(some),
    }
}

impl Reader<'_> {
    /// The next value; `None` at the end of a collection or of the file.
    fn next(&mut self) -> Result<Option<Spot>, Why> {
        let Some((event, start, end)) = self.events.next() else {
            return Ok(None);
        };
        let spot = match event {
            Event::Alias(_) => Spot {
                start,
                end,
                shape: Shape::Alias,
            },
            Event::Scalar(text, style, ..) => match style {
                ScalarStyle::Plain if text.is_empty() && start == end => Spot {
                    start,
                    end,
                    shape: Shape::Absent,
                },
                ScalarStyle::Plain => Spot {
                    start,
                    end,
                    shape: Shape::Plain,
                },
                ScalarStyle::SingleQuoted => self.quoted(start, '\'')?,
                ScalarStyle::DoubleQuoted => self.quoted(start, '"')?,
                ScalarStyle::Literal | ScalarStyle::Folded => Spot {
                    start,
                    end: start + self.text[start..end].trim_end().len(),
                    shape: Shape::Block,
                },
            },
            Event::SequenceStart(..) => {
                let flow = self.text[start..end].ends_with('[');
                let mut last = end;
                while let Some(item) = self.next()? {
                    last = last.max(item.end);
                }
                let end = if flow { self.close(last, ']')? } else { last };
                Spot {
                    start,
                    end,
                    shape: Shape::List,
                }
            }
            Event::MappingStart(..) => self.map(start, end)?,
            _ => return Ok(None),
        };
        Ok(Some(spot))
    }

    fn map(&mut self, start: usize, end: usize) -> Result<Spot, Why> {
        let flow = self.text[start..end].ends_with('{');
        let mut entries: Vec<Entry> = Vec::new();
        let mut last = end;
        loop {
            let name = match self.events.as_slice().first() {
                Some((Event::Scalar(name, ..), ..)) => name.clone().into_owned(),
                _ => String::new(),
            };
            let Some(key) = self.next()? else { break };
            let value = self.next()?.ok_or(FORM)?;
            let behind = &self.text[key.end..];
            let colon = key.end
                + behind
                    .find(|c: char| !c.is_whitespace())
                    .unwrap_or(behind.len());
            if !self.text[colon..].starts_with(':') {
                return Err(FORM);
            }
            let entry = Entry {
                name,
                start: key.start,
                colon: colon + 1,
                value,
            };
            last = entry.end();
            entries.push(entry);
        }
        let end = if flow { self.close(last, '}')? } else { last };
        Ok(Spot {
            start,
            end,
            shape: Shape::Map { flow, entries },
        })
    }

    /// A quoted text: the parser's own end takes in what follows.
    fn quoted(&self, start: usize, quote: char) -> Result<Spot, Why> {
        let open = start + self.text[start..].find(quote).ok_or(FORM)?;
        let mut chars = self.text[open + 1..].char_indices().peekable();
        while let Some((i, c)) = chars.next() {
            if c == '\\' && quote == '"' {
                chars.next();
            } else if c == quote {
                if quote == '\'' && chars.peek().is_some_and(|(_, c)| *c == '\'') {
                    chars.next();
                } else {
                    return Ok(Spot {
                        start,
                        end: open + 1 + i + 1,
                        shape: Shape::Quoted(quote),
                    });
                }
            }
        }
        Err(FORM)
    }

    /// Behind the bracket that closes a flow collection: blanks, commas and comments may come
    /// before it.
    fn close(&self, from: usize, bracket: char) -> Result<usize, Why> {
        let mut comment = false;
        for (i, c) in self.text[from..].char_indices() {
            match c {
                '\n' | '\r' => comment = false,
                _ if comment => {}
                '#' => comment = true,
                c if c == bracket => return Ok(from + i + 1),
                c if c.is_whitespace() || c == ',' => {}
                _ => return Err(FORM),
            }
        }
        Err(FORM)
    }
}
